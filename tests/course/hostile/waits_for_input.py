"""Asks a person."""


def softmax(z):
    return float(input("The answer, please: "))
