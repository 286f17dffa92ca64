"""What a chapter shows of the package itself: source code, and the judges' verdicts."""

import inspect
import textwrap
import warnings
from collections.abc import Callable

from bigmodel_edu.labs.display import in_kernel


def show_source(*things: type | Callable) -> None:
    """Show the source of functions, classes or methods, so that no chapter holds a copy of it."""
    code = "\n\n".join(textwrap.dedent(inspect.getsource(thing)).rstrip() for thing in things)
    if in_kernel():
        from IPython.display import Code, display

        display(Code(code, language="python"))
    else:
        print(code)


def show_parity(*names: str) -> None:
    """Put components before their judges, here and now, and print what each judge says.

    A judge that found no difference shows the largest error; one that cannot sit on this machine
    is marked with a dash. `bigmodel parity` prints the same for all components, with reasons.
    """
    with warnings.catch_warnings():
        # parts of PyTorch import tqdm's notebook bars, which warn that ipywidgets is missing;
        # the book uses none
        warnings.filterwarnings("ignore", message="IProgress not found")
        from bigmodel_edu import catalogue, parity

        for name in names:
            print(name)
            for verdict in parity.judge(catalogue.component(name)):
                print(_line(verdict))


def _line(verdict) -> str:
    mark = {"ok": "✓", "failed": "✗", "skipped": "–"}[verdict.status]
    found = f"{verdict.max_error:.1e}" if verdict.status == "ok" else verdict.reason
    return f"  {mark} {verdict.judge:<28} {textwrap.shorten(found, 60)}"
