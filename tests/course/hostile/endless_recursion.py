"""Calls itself until the stack is full."""

import sys


def softmax(z):
    sys.setrecursionlimit(10**9)
    return softmax(z)
