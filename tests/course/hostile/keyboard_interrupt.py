"""Raises what a person's Ctrl-C raises."""


def softmax(z):
    raise KeyboardInterrupt
