import dataclasses
import json
import random
import re
import warnings

import numpy as np
import pytest

from bigmodel_edu.errors import BookError, UnknownName
from bigmodel_edu.labs import Case, CheckFailed, Exercise, Mistake, check, store


def softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def failure(exercise, function, **options) -> str:
    """The message with which the check fails."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        with pytest.raises(CheckFailed) as caught:
            check(exercise, function, **options)
    return str(caught.value)


# Right, and not attempted


def test_a_right_answer_passes(exercise, capsys):
    result = check(exercise, softmax)
    assert (result.status, result.points, result.total) == ("passed", 2, 2)
    assert result
    assert capsys.readouterr().out == "✓ neural_nets.softmax: right, 2 points\n"


def test_what_the_cells_below_draw_is_the_same_with_and_without_an_answer(exercise):
    import torch

    def seeding(z):
        random.seed(0)
        np.random.seed(0)  # noqa: NPY002
        torch.manual_seed(0)
        torch.set_num_threads(torch.get_num_threads() + 1)
        return softmax(z)

    def state():
        return (
            random.getstate(),
            np.random.get_state()[1].tolist(),  # noqa: NPY002
            torch.get_rng_state().tolist(),
            torch.get_num_threads(),
        )

    before = state()
    check(exercise, seeding)
    assert state() == before
    failure(exercise, lambda z: seeding(z) + 1)
    assert state() == before


def test_the_exercise_is_found_by_name(listed):
    assert check("neural_nets.softmax", softmax)


def raises(z):
    """What to write."""
    raise NotImplementedError


def dots(z):
    """What to write."""
    ...


def returns_dots(z):
    return ...


def returns_pair_of_dots(z):
    return ..., ...


@pytest.mark.parametrize("stub", [raises, dots, returns_dots, returns_pair_of_dots, ..., None])
def test_an_untouched_stub_does_not_raise(exercise, capsys, stub):
    result = check(exercise, stub)
    assert (result.status, result.points) == ("not attempted", 0)
    assert not result
    printed = capsys.readouterr().out
    assert printed.startswith("○ neural_nets.softmax: Not attempted yet. Write your answer")
    assert 'hint("neural_nets.softmax")' in printed


def test_a_forgotten_return_is_guessed(exercise):
    def forgetful(z):
        e = softmax(z)
        e / e.sum()

    result = check(exercise, forgetful)
    assert result.status == "not attempted"
    assert "It returned nothing: is a `return` missing?" in result.message


def test_a_return_forgotten_on_one_path_fails(exercise):
    message = failure(exercise, lambda z: softmax(z) if len(z) != 3 else None)
    assert "is a `return` missing on one of its paths?" in message
    assert "case      2 of 4" in message


# Wrong


def test_the_message_names_case_arguments_and_the_worst_element(exercise):
    def my_softmax(z):
        answer = softmax(z)
        if len(z) > 2:
            answer[2, 4] += 1
        return answer

    first_line, *details = failure(exercise, my_softmax, seed=7).splitlines()
    assert first_line == ("✗ neural_nets.softmax: Your answer has wrong values (1 of 35 elements).")
    text = "\n".join(details)
    assert "case      1 of 4\n" in text
    assert "called    my_softmax(z)\n             z: float64 array of shape (5, 7)" in text
    assert "yours     float64 array of shape (5, 7), as expected" in text
    assert "worst     [2, 4] yours 1." in text
    assert 'again     check("neural_nets.softmax", my_softmax, seed=7)' in text


def test_the_named_seed_repeats_the_check(exercise):
    message = failure(exercise, lambda z: softmax(z) + 1)
    seed = int(message.rpartition("seed=")[2].rstrip(")"))
    assert failure(exercise, lambda z: softmax(z) + 1, seed=seed) == message


def test_cases_are_fresh_at_every_check(exercise):
    seen = []

    def spy(z):
        seen.append(z[0, 0])
        return softmax(z)

    check(exercise, spy)
    check(exercise, spy)
    assert seen[0] != seen[4]


def test_the_note_of_the_case_is_shown(exercise):
    no_small = dataclasses.replace(exercise, mistakes=())
    message = failure(no_small, lambda z: np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True))
    assert "case      4 of 4: huge logits" in message
    assert "z: float64 array [[10000., 0.]]" in message
    assert "holds NaN where a finite number was expected" in message
    assert not BATCH_SIZE.search(message)  # only the note says why


def test_wrong_dtype(exercise):
    message = failure(exercise, lambda z: softmax(z).astype(np.float64))
    assert "The values are right, but your answer has the dtype float64, where float32" in message
    assert "case      3 of 4: float32" in message


def test_wrong_shape(exercise):
    message = failure(exercise, lambda z: softmax(z)[..., None])
    assert "has the shape (5, 7, 1), where (5, 7) was expected" in message


def test_answers_that_are_only_judged_together(exercise):
    def too_small_in_sum(cases, answers):
        assert len(cases) == len(answers) == 4
        total = sum(map(np.nansum, answers))
        return None if total > 10 else f"The sum is {total:.0f}, and 11 is asked for."

    together = dataclasses.replace(
        exercise, gradable=False, judge=lambda case, answer: None, judge_all=too_small_in_sum
    )
    assert check(together, softmax)  # 5 + 3 + 2 + 1 rows of probabilities
    message = failure(together, lambda z: softmax(z) / 4)
    assert "softmax: The sum is 3, and 11 is asked for." in message
    assert "case      all 4 together" in message
    message = failure(together, exercise.mistakes[0].function)
    assert "softmax: You normalised over the whole array, not each row." in message
    assert "seen      The sum is 3, and 11 is asked for." in message
    no_floats = dataclasses.replace(
        together, judge=lambda case, answer: "No." if answer.dtype == np.float32 else None
    )
    assert "case      3 of 4: float32" in failure(no_floats, lambda z: softmax(z) / 4)


BATCH_SIZE = re.compile("right for a batch of")


def test_only_one_batch_size(exercise):
    message = failure(exercise, lambda z: softmax(z) * len(z) / 5)
    sizes = "right for a batch of 5 and wrong for a batch of 3 of the same rows: is a size written"
    assert sizes in message
    assert "case      2 of 4: the first 3 rows of another case" in message


def test_only_a_batch_of_one(exercise):
    def cases(rng):
        one = Case((rng.normal(size=(1, 7)),))
        return [Case((rng.normal(size=(5, 7)),)), one, one.in_batch_of(4, 0)]

    exercise = dataclasses.replace(exercise, cases=cases, mistakes=())
    message = failure(exercise, lambda z: np.exp(z) / np.exp(z).sum())
    assert "right for a batch of one and wrong for the same row 4 times: look at what" in message


def test_cases_that_merely_differ_in_size_say_nothing_about_it(exercise):
    """The signs are right where a matrix happens to need none: no size is to blame."""

    def cases(rng):
        return [Case((np.eye(2),))] + [Case((rng.normal(size=(n, 3)),)) for n in (5, 7)]

    exercise = dataclasses.replace(exercise, cases=cases, reference=np.abs, mistakes=())
    assert not BATCH_SIZE.search(failure(exercise, lambda z: z))


def test_rows_that_are_wrong_in_either_number_say_nothing_about_it(exercise):
    assert not BATCH_SIZE.search(failure(exercise, lambda z: softmax(z) if len(z) == 1 else z))


def test_more_rows_than_those_that_are_right_say_nothing_about_it(exercise):
    """The other rows of the larger batch may hold what is wrong, as a tie or a huge logit."""
    answers = iter((2, 1, 1, 1))  # only the first case, which has rows of its own, is wrong
    message = failure(exercise, lambda z: softmax(z) * next(answers))
    assert "case      1 of 4" in message
    assert not BATCH_SIZE.search(message)


def test_an_error_names_the_line_in_the_readers_code(exercise):
    def inner(z):
        return z @ z

    def softmax_of_mine(z):
        total = z.sum()
        return inner(z) / total

    message = failure(exercise, softmax_of_mine)
    assert message.startswith("✗ neural_nets.softmax: It raised ValueError: matmul")
    assert " in inner: return z @ z" in message
    assert "case      1 of 4" in message


def test_an_error_in_a_callable_object_names_its_line_too(exercise):
    class Softmax:
        def __call__(self, z):
            return z.wrong

    assert " in __call__: return z.wrong" in failure(exercise, Softmax())


def test_the_readers_error_is_the_cause(exercise):
    with pytest.raises(CheckFailed) as caught:
        check(exercise, lambda z: 1 / 0)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_changing_the_input_is_caught(exercise):
    def in_place(logits):
        logits -= logits.max(axis=-1, keepdims=True)
        return softmax(logits)

    message = failure(exercise, in_place)
    assert "The answer is right, but the function changes its input `logits`" in message


def test_changing_a_keyword_argument_and_a_nested_array_is_caught():
    def step(params, *, grads):
        grads["w"] *= 2
        return params["w"] - grads["w"] / 2

    exercise = Exercise(
        name="neural_nets.step",
        title="A step",
        points=1,
        reference=lambda params, *, grads: params["w"] - grads["w"],
        cases=lambda rng: [Case(({"w": rng.normal(size=3)},), {"grads": {"w": np.ones(3)}})],
    )
    assert "changes its input `grads`" in failure(exercise, step)


def test_the_reference_never_sees_what_the_answer_changed(exercise):
    def destroys(z):
        answer = softmax(z)
        z[:] = 0
        return answer

    assert "The answer is right" in failure(exercise, destroys)


# Known mistakes


@pytest.mark.parametrize("number", [0, 1, 2])
def test_each_known_mistake_is_told_in_its_own_words(exercise, number):
    mistake = exercise.mistakes[number]
    message = failure(exercise, mistake.function)
    assert message.startswith(f"✗ neural_nets.softmax: {mistake.message}\n")
    assert "seen      Your answer" in message


def test_a_mistake_must_agree_on_every_case(exercise):
    def whole_array_only_for_five(z):
        return np.exp(z) / np.exp(z).sum() if len(z) == 5 else softmax(z) * 2

    message = failure(exercise, whole_array_only_for_five)
    assert not any(mistake.message in message for mistake in exercise.mistakes)


def test_the_same_error_is_the_same_mistake(exercise):
    adds_rows = Mistake(lambda z: z + np.ones(5)[:, None] @ np.ones((1, 7)), "Rows were added.")
    exercise = dataclasses.replace(exercise, mistakes=(adds_rows,))
    known = "✗ neural_nets.softmax: Rows were added."
    assert failure(exercise, lambda z: z + np.ones((5, 7))).startswith(known)
    assert not failure(exercise, lambda z: z + z.foo).startswith(known)


def test_a_mistake_in_place_is_known(exercise):
    def in_place(z):
        z -= z.max(axis=-1, keepdims=True)
        return softmax(z)

    exercise = dataclasses.replace(exercise, mistakes=(Mistake(in_place, "Copy z first."),))
    message = failure(exercise, in_place)
    assert message.startswith("✗ neural_nets.softmax: Copy z first.")
    # the same values without the side effect are right
    assert check(exercise, softmax)


def test_the_numerics_of_mistakes_do_not_warn(exercise):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        with pytest.raises(CheckFailed):
            check(exercise, lambda z: softmax(z) + 1)
    assert seen == []


# What is given to check


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (3, "A function `softmax(z)` was expected; what came is 3 (int)."),
        (lambda: 1, "Your function takes `()`, but it is called as `softmax(z)`: too many"),
        (lambda z, axis: z, "takes `(z, axis)`, but it is called as `softmax(z)`: missing a"),
    ],
)
def test_what_cannot_be_called(exercise, function, says):
    message = failure(exercise, function)
    assert says in message
    assert "\n" not in message


def test_annotations_and_defaults_do_not_matter(exercise):
    def answer(z: np.ndarray, axis: int = -1) -> np.ndarray:
        return softmax(z)

    assert check(exercise, answer)


def test_a_function_that_hides_its_signature(exercise):
    class Hidden:
        __signature__ = "as of some functions written in C"

        def __call__(self, z):
            return softmax(z)

    exercise = dataclasses.replace(exercise, reference=Hidden(), mistakes=())
    assert check(exercise, Hidden())
    assert "`softmax(...)`" in failure(exercise, 3)
    assert "case      1 of 4" in failure(exercise, lambda z: 1.0)


def test_an_unknown_name_suggests_the_nearest(listed):
    with pytest.raises(UnknownName, match=r"Did you mean 'neural_nets\.softmax'\?"):
        check("neural_nets.sofmax", softmax)


def test_swapped_arguments(listed):
    with pytest.raises(BookError, match="name first and your function second"):
        check(softmax, "neural_nets.softmax")


def test_a_fault_of_the_reference_is_not_the_readers(exercise):
    exercise = dataclasses.replace(exercise, reference=lambda z: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        check(exercise, softmax)


# Judges


def square_root_judge(case, answer):
    (x,) = case.args
    if np.isclose(answer**2, x):
        return None
    return f"{answer:.3g} squared is not {x:.3g}."


@pytest.fixture
def root():
    return Exercise(
        name="neural_nets.root",
        title="A root, either one",
        points=1,
        reference=lambda x: x**0.5,
        cases=lambda rng: [Case((rng.uniform(1, 2),)), Case((4.0,))],
        judge=square_root_judge,
        mistakes=[Mistake(lambda x: x / 2, "You halved it.")],
    )


@pytest.mark.parametrize("answer", [lambda x: x**0.5, lambda x: -(x**0.5)])
def test_a_judge_accepts_every_right_answer(root, answer):
    assert check(root, answer)


def test_the_judges_words_are_the_message(root):
    message = failure(root, lambda x: 3 * x)
    assert "squared is not" in message
    assert "yours" in message


def test_a_mistake_is_recognised_under_a_judge(root):
    assert failure(root, lambda x: 0.5 * x).startswith("✗ neural_nets.root: You halved it.")


def test_an_answer_that_the_judge_cannot_take(root):
    message = failure(root, lambda x: "two")
    assert "The answer has a form that cannot be judged (TypeError" in message


class Node:
    """Knows no ==, as the nodes of an autograd graph."""

    def __init__(self, *parents):
        self.parents = parents


def graph(rng):
    a, b = Node(), Node()
    return [Case((Node(a, Node(a, b)),)), Case((Node(b),))]


def order(node, visit):
    nodes = []

    def walk(n):
        if n not in nodes:
            nodes.extend([n] if visit == "before" else [])
            for parent in n.parents:
                walk(parent)
            nodes.extend([n] if visit == "after" else [])

    walk(node)
    return nodes


def topological_judge(case, answer):
    at = {id(n): i for i, n in enumerate(answer)}
    late = sum(at[id(p)] > at[id(n)] for n in answer for p in n.parents)
    return f"{late} nodes stand before a parent." if late else None


def test_objects_without_equality_are_recognised_by_the_judges_words():
    exercise = Exercise(
        name="neural_nets.order",
        title="Order",
        points=1,
        reference=lambda node: order(node, "after"),
        cases=graph,
        judge=topological_judge,
        mistakes=[Mistake(lambda node: order(node, "before"), "You noted a node too early.")],
    )
    assert check(exercise, lambda node: order(node, "after"))
    assert "You noted a node too early." in failure(exercise, lambda n: order(n, "before"))


# What is kept


def test_every_outcome_is_recorded(exercise):
    check(exercise, ...)
    assert store.load()[exercise.name] == store.Record(last="not attempted")
    failure(exercise, lambda z: z)
    assert store.load()[exercise.name] == store.Record(last="failed", attempts=1)
    check(exercise, softmax)
    expected = store.Record(passed=True, last="passed", points=2, attempts=2)
    assert store.load()[exercise.name] == expected


def test_every_outcome_is_logged_where_the_variable_says(exercise, tmp_path, monkeypatch):
    log = tmp_path / "log.jsonl"
    monkeypatch.setenv("BIGMODEL_CHECK_LOG", str(log))
    check(exercise, softmax)
    check(exercise, ...)
    message = failure(exercise, 3)
    first, second, third = map(json.loads, log.read_text(encoding="utf-8").splitlines())
    name = exercise.name
    assert first == {"exercise": name, "status": "passed", "points": 2, "message": ""}
    assert second["status"] == "not attempted"
    assert third == {"exercise": name, "status": "failed", "points": 0, "message": message}


def test_a_log_that_cannot_be_written_costs_one_sentence(exercise, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("BIGMODEL_CHECK_LOG", str(tmp_path / "no" / "log"))
    assert check(exercise, softmax)
    assert "could not be written" in capsys.readouterr().out
