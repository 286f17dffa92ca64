"""What a reader's notebook needs: check, hint, progress, show; NumPy is all that it loads.

exercise     what a task is: cases, known mistakes, hints, points
checking     `check`: runs a reader's function in the notebook, keeps and shows the outcome
attempts     what a function did with the cases, and what is wrong with it
differences  how an answer differs from the expected one, in words
results      what a check says
progress     `hint`, and the board of `progress`; `store` is the file behind it
showing      source code and parity inside a chapter
display      cards in a notebook, text in a terminal
notebooks    reads, fills and runs notebooks; `executed` keeps what was run, `files` writes files
"""

from bigmodel_edu.exercise import Case, Exercise, Mistake
from bigmodel_edu.labs.checking import check
from bigmodel_edu.labs.display import in_kernel
from bigmodel_edu.labs.progress import hint, progress
from bigmodel_edu.labs.results import CheckFailed, CheckResult
from bigmodel_edu.labs.showing import show_parity, show_source
from bigmodel_edu.threads import limit_threads

__all__ = [
    "Case",
    "CheckFailed",
    "CheckResult",
    "Exercise",
    "Mistake",
    "check",
    "hint",
    "progress",
    "show_parity",
    "show_source",
]

if in_kernel():  # every notebook of the book begins with this import
    limit_threads()
