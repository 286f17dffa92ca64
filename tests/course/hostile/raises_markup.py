"""Raises a message that is HTML, a formula and a terminal's command at once."""


def softmax(z):
    raise ValueError(
        '=HYPERLINK("https://evil.example")\x1b[2J\x1b]0;owned\x07<script>alert(1)</script>]]>'
    )
