"""What a reader's notebook needs: check, hint, progress, show; NumPy is all that it loads."""

from bigmodel_edu.labs.checking import check
from bigmodel_edu.labs.exercise import Case, Exercise, Mistake
from bigmodel_edu.labs.progress import hint, progress
from bigmodel_edu.labs.results import CheckFailed, CheckResult
from bigmodel_edu.labs.showing import show_parity, show_source

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
