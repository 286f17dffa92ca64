"""Greedy and beam search on models small enough to enumerate."""

from itertools import product

import numpy as np
import pytest

from bigmodel_edu.errors import HyperparameterError, ShapeError
from bigmodel_edu.transformer.reference import beam_search, greedy_decode, length_penalty

END, A, B = 0, 1, 2
START = 1


def table(probabilities):
    """Return a model whose next token depends on the last one: rows of probabilities."""
    with np.errstate(divide="ignore"):
        log_p = np.log(np.asarray(probabilities, dtype=float))
    return lambda prefixes: log_p[prefixes[:, -1]]


def random_model(seed, vocabulary=3):
    """Return a model whose next token depends on the whole prefix."""

    def log_p(prefix):
        rng = np.random.default_rng([seed, *prefix])
        return np.log(rng.dirichlet(np.ones(vocabulary)))

    return lambda prefixes: np.stack([log_p(row) for row in prefixes.tolist()])


def trap(prefixes):
    """Lead greed astray: A is likelier at first, but what follows B is certain."""
    log_p = np.log(
        [
            {
                (): [1e-9, 0.6, 0.4],
                (A,): [0.4, 0.3, 0.3],
                (B,): [1.0, 1e-9, 1e-9],
            }.get(tuple(row[1:]), [1.0, 1e-9, 1e-9])
            for row in prefixes.tolist()
        ]
    )
    return log_p


def test_greedy_takes_the_likeliest_token_and_stops_at_the_end():
    model = table([[1, 0, 0], [0, 0.1, 0.9], [0.8, 0.1, 0.1]])
    np.testing.assert_array_equal(
        greedy_decode(model, start=START, end=END, max_length=9), [[B, END]]
    )


def test_greedy_rows_end_on_their_own_and_are_filled():
    def model(prefixes):  # row 0 ends at once, row 1 after two tokens
        ends = np.array([[1], [3]]) <= prefixes.shape[1]
        return np.where(ends, [[0.0, -1, -2]], [[-1.0, 0, -2]])

    tokens = greedy_decode(model, start=START, end=END, max_length=9, batch=2)
    np.testing.assert_array_equal(tokens, [[END, END, END], [A, A, END]])


def test_a_row_that_has_ended_is_filled_whatever_the_model_says():
    def model(prefixes):  # row 0 ends at once and would go on with B, row 1 goes on with A
        ends = np.array([[True], [False]]) & (prefixes.shape[1] == 1)
        return np.where(ends, [[0.0, -1, -2]], [[-2.0, -1, -0.5], [-2, -0.5, -1]])

    tokens = greedy_decode(model, start=START, end=END, max_length=3, batch=2)
    np.testing.assert_array_equal(tokens, [[END, END, END], [A, A, A]])


def test_greedy_is_cut_at_the_longest_length():
    model = table([[1, 0, 0], [0, 1, 0], [0, 0, 1]])
    np.testing.assert_array_equal(
        greedy_decode(model, start=START, end=END, max_length=4), [[A] * 4]
    )


def test_of_equal_tokens_greedy_takes_the_first():
    model = table([[1, 0, 0], [0.2, 0.4, 0.4], [1, 0, 0]])
    assert greedy_decode(model, start=START, end=END, max_length=1) == [[A]]


def test_a_beam_of_two_finds_what_greed_misses():
    greedy = greedy_decode(trap, start=START, end=END, max_length=5)
    np.testing.assert_array_equal(greedy, [[A, END]])  # 0.6 · 0.4 = 0.24
    best, *_ = beam_search(trap, start=START, end=END, beam=2, max_length=5, alpha=0.0)
    assert best.tokens == (B, END)  # 0.4 · 1
    np.testing.assert_allclose(best.log_probability, np.log(0.4))
    assert best.score == best.log_probability


@pytest.mark.parametrize("seed", range(12))
def test_a_beam_of_one_is_greedy(seed):
    model = random_model(seed, vocabulary=4)
    (found,) = beam_search(model, start=START, end=END, beam=1, max_length=6)
    greedy = greedy_decode(model, start=START, end=END, max_length=6)
    assert list(found.tokens) == greedy[0].tolist()


def enumerate_all(model, max_length, vocabulary, alpha):
    """Return (score, tokens) of every sequence that ends, or is cut at max_length."""
    scored = []
    for length in range(1, max_length + 1):
        for tokens in product(range(vocabulary), repeat=length):
            ends = tokens[-1] == END
            if END in tokens[:-1] or not (ends or length == max_length):
                continue
            prefixes = [(START, *tokens[:i]) for i in range(length)]
            log_p = sum(model(np.array([p]))[0, t] for p, t in zip(prefixes, tokens, strict=True))
            scored.append((log_p / length_penalty(length, alpha), tokens))
    return sorted(scored, reverse=True)


@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.5])
@pytest.mark.parametrize("seed", range(4))
def test_a_wide_beam_finds_the_best_of_all_sequences(seed, alpha):
    model = random_model(seed)
    expected_score, expected = enumerate_all(model, 4, 3, alpha)[0]
    best, *_ = beam_search(model, start=START, end=END, beam=81, max_length=4, alpha=alpha)
    assert best.tokens == expected
    np.testing.assert_allclose(best.score, expected_score, rtol=1e-12)


def test_hypotheses_come_best_first_and_are_no_more_than_the_beam():
    found = beam_search(random_model(1, 4), start=START, end=END, beam=3, max_length=5)
    assert 1 <= len(found) <= 3
    scores = [hypothesis.score for hypothesis in found]
    assert scores == sorted(scores, reverse=True)
    for hypothesis in found:
        assert hypothesis.finished == (hypothesis.tokens[-1] == END)
        penalty = length_penalty(len(hypothesis.tokens), 0.6)
        assert hypothesis.score == hypothesis.log_probability / penalty


def test_length_penalty_by_hand():
    assert length_penalty(1, 0.6) == 1
    assert length_penalty(7, 1.0) == 2
    assert length_penalty(19, 0.5) == 2
    assert length_penalty(50, 0.0) == 1


def test_the_length_penalty_favours_longer_sequences():
    """END at once with 0.5, or A A END with 0.5 · 0.95 · 0.95: shorter without a penalty."""

    def model(prefixes):
        first = prefixes.shape[1] == 1
        last = prefixes.shape[1] == 3
        row = [0.5, 0.5, 1e-9] if first else [0.95, 0.05, 1e-9] if last else [0.05, 0.95, 1e-9]
        return np.log([row] * len(prefixes))

    def best(alpha):
        return beam_search(model, start=START, end=END, beam=4, max_length=5, alpha=alpha)[0].tokens

    assert best(0.0) == (END,)
    assert best(2.0) == (A, A, END)


def test_ties_go_to_the_earlier_hypothesis_and_the_smaller_token():
    uniform = table(np.full((4, 4), 0.25))
    found = beam_search(uniform, start=START, end=3, beam=3, max_length=2, alpha=0.0)
    assert [hypothesis.tokens for hypothesis in found] == [(0, 0), (0, 1), (0, 2)]
    # so many that a sort which is not stable shows
    likely = np.where(np.arange(100) % 3 == 1, 0.02, 0.005)
    found = beam_search(
        table(np.tile(likely, (100, 1))), start=START, end=99, beam=33, max_length=1, alpha=0.0
    )
    assert [hypothesis.tokens for hypothesis in found] == [(token,) for token in range(1, 99, 3)]


def test_impossible_tokens_are_no_candidates():
    model = table([[1, 0, 0], [0, 0, 1], [1, 0, 0]])
    found = beam_search(model, start=START, end=END, beam=5, max_length=4)
    assert [hypothesis.tokens for hypothesis in found] == [(B, END)]


def test_it_stops_when_nothing_can_win_any_more():
    calls = []

    def model(prefixes):
        calls.append(len(prefixes))
        return np.log([[0.9, 0.05, 0.05]] * len(prefixes))

    beam_search(model, start=START, end=END, beam=2, max_length=50, alpha=0.6)
    assert len(calls) < 5


# Bad input


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beam": 0}, "beam is 0"),
        ({"max_length": 0}, "max_length is 0"),
        ({"alpha": -0.1}, "alpha is -0.1"),
    ],
)
def test_options(options, message):
    with pytest.raises(HyperparameterError, match=message):
        beam_search(trap, **({"start": 1, "end": 0, "beam": 2, "max_length": 3} | options))


def test_greedy_options():
    with pytest.raises(HyperparameterError, match="max_length is 0"):
        greedy_decode(trap, start=1, end=0, max_length=0)
    with pytest.raises(HyperparameterError, match="batch is 0"):
        greedy_decode(trap, start=1, end=0, max_length=3, batch=0)


def test_a_model_that_answers_for_another_batch():
    with pytest.raises(ShapeError, match=r"next_log_probabilities\(prefixes\) has shape \(2, 3\)"):
        greedy_decode(lambda prefixes: np.zeros((2, 3)), start=1, end=0, max_length=3)
    with pytest.raises(ShapeError, match=r"has shape \(3,\), expected \(1, V\)"):
        beam_search(lambda prefixes: np.zeros(3), start=1, end=0, beam=2, max_length=3)


def test_a_model_that_answers_with_nan():
    with pytest.raises(HyperparameterError, match="holds a NaN"):
        beam_search(lambda p: np.full((len(p), 3), np.nan), start=1, end=0, beam=2, max_length=3)
