"""Whatever seed a check draws: right answers pass, wrong ones do not.

`make test` tries a few seeds, others each time; the first is told at the top and is an option,
`--first-seed`. `make sweep` tries two thousand.
"""

import signal
import warnings
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest
from mutation import mutants

from bigmodel_edu.labs import CheckFailed, check
from bigmodel_edu.labs.attempts import judge, run

HARMLESS = Path(__file__).parent / "harmless"
SEEDS_FOR_SLIPS = 200
"""With how many seeds at most slips are tried: there are some forty of them in an answer."""
SECONDS = 5.0
"""What runs longer does not end: a mutant may have lost the end of its loop."""


def test_the_reference_passes(exercise, seeds, in_time):
    for seed in in_time(seeds):
        result = check(exercise, exercise.reference, seed=seed)
        assert (result.status, result.points) == ("passed", exercise.points), f"seed {seed}"


def test_a_known_mistake_is_rejected_in_its_own_words(exercise, mistake, seeds, in_time):
    for seed in in_time(seeds):
        with np.errstate(all="ignore"):
            message = message_about(exercise, mistake.function, seed)
        assert message == mistake.message, f"seed {seed}"


def message_about(exercise, function, seed: int) -> str:
    try:
        return check(exercise, function, seed=seed).message
    except CheckFailed as failed:
        return failed.result.message


def test_a_slip_in_the_answer_is_rejected(exercise, answer, is_project, cases, seeds, in_time):
    """Each mutant of the answer fails for every seed, but for those known to be harmless."""
    if is_project:
        pytest.skip("its answer trains a model, and many programs train a good one")
    harmless, slips, tried = harmless_mutants(exercise), mutants(answer), []
    passed: dict[str, list[int]] = {slip.line: [] for slip in slips}
    functions = [(slip.line, function_of(slip.source, exercise)) for slip in slips]
    for seed in in_time(seeds[:SEEDS_FOR_SLIPS]):
        tried.append(seed)
        drawn = cases(seed)
        references = [run(exercise.reference, case) for case in drawn]
        for line, function in functions:
            if function and is_right(exercise, function, drawn, references):
                passed[line].append(seed)
    unexpected = {line: found for line, found in passed.items() if found and line not in harmless}
    told = "\n".join(f"  {line}    ({in_words(s, tried)})" for line, s in unexpected.items())
    assert not unexpected, f"wrong answers pass:\n{told}"
    no_more = [line for line in harmless if passed.get(line) != tried]
    assert not no_more, f"called harmless, but rejected or no more a mutant: {no_more}"


def in_words(found: list[int], tried: list[int]) -> str:
    return "every seed" if found == tried else f"seeds {found[:5]}"


def harmless_mutants(exercise) -> dict[str, str]:
    """Mutants that compute the same for all arguments that the task allows, with the reasons."""
    path = HARMLESS / f"{exercise.chapter}.py"
    if not path.exists():
        return {}
    spec = spec_from_file_location(f"harmless_{exercise.chapter}", path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.HARMLESS.get(exercise.name.partition(".")[2], {})


def function_of(source: str, exercise):
    """Run a mutant's source; return its function, None where that already fails."""
    namespace: dict = {"__name__": "mutant"}
    try:
        with quietly(), at_most(SECONDS):
            exec(compile(source, "<mutant>", "exec"), namespace)
    except Exception:
        return None
    return namespace.get(exercise.function)


def is_right(exercise, function, cases, references) -> bool:
    with quietly():
        for case, reference in zip(cases, references, strict=True):
            try:
                with at_most(SECONDS):
                    failure = judge(exercise, case, run(function, case), reference)
            except Overtime:
                return False
            if failure:
                return False
    return True


@contextmanager
def quietly():
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


class Overtime(BaseException):
    """Not an Exception, so that the answer's own code and `run` let it through."""


@contextmanager
def at_most(seconds: float):
    """Interrupt what takes longer; where the system has no such timer, let it run."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def stop(number, frame):
        raise Overtime

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
