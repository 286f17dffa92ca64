"""Reads address 0."""

import ctypes


def softmax(z):
    return ctypes.string_at(0)
