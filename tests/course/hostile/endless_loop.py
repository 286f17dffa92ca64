"""Never returns."""


def softmax(z):
    while True:
        pass
