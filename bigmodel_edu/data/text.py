"""Text to learn from, character by character."""

from .downloads import fetch


def load_tiny_shakespeare() -> str:
    """Return Tiny Shakespeare: 1,115,394 characters of his plays, 65 of them distinct.

    Source: https://github.com/karpathy/char-rnn; a download of 1.1 MB.

    Raises:
        DataFileError: the file is neither here nor to be had, or it is damaged.
    """
    (path,) = fetch("tiny-shakespeare")
    # bytes, not text mode, so that no platform changes a line ending
    return path.read_bytes().decode("utf-8")
