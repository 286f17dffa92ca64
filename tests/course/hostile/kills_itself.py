"""Kills its own process."""

import os
import signal


def softmax(z):
    os.kill(os.getpid(), signal.SIGKILL)
