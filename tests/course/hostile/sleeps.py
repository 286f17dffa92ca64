"""Waits for an hour."""

import time


def softmax(z):
    time.sleep(3600)
