"""What a reader's notebook needs: check, hint, progress, show; NumPy is all that it loads."""

from bigmodel_edu.labs.checking import check
from bigmodel_edu.labs.display import in_kernel
from bigmodel_edu.labs.exercise import Case, Exercise, Mistake
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
