"""Starts a shell that outlives it."""

import subprocess


def softmax(z):
    subprocess.Popen(["sh", "-c", "sleep 600 &"], start_new_session=True)
    return z
