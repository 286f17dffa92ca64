"""Writes without end to standard output."""

import os


def softmax(z):
    block = b"x" * 1_000_000
    while True:
        os.write(1, block)
