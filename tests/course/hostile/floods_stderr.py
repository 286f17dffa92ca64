"""Prints without end to standard error."""

import sys


def softmax(z):
    while True:
        print("x" * 1_000_000, file=sys.stderr, flush=True)
