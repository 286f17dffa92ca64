"""The project of chapter 4: translate dates."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bigmodel_edu.data import DatePairs, load_cldr_dates
from bigmodel_edu.exercise import Case, Exercise, Mistake
from bigmodel_edu.layer import Array

Translator = Callable[[list[str]], list[str]]

SOURCES, TARGETS = ("de", "el", "en", "ru"), ("fa", "hu")
"""The chapter's translator knows neither target, so that it cannot stand in for an answer."""
PAIRS_TO_TRAIN, PAIRS_TO_TEST = 4000, 300
REQUIRED_EXACT = 0.85


@dataclass(frozen=True)
class _DatesCase(Case):
    """Pairs to train on, and others to be judged by: two languages, no date in both.

    The seed that the answer is given is for its training. It has drawn none of the pairs.
    """

    unseen: DatePairs | None = None


def translate(sources: list[str], targets: list[str], seed: int) -> Translator:
    """Return a translator, a function from texts to translations, trained on pairs of texts."""
    return _train_translator(sources, targets, seed)


def _train_translator(
    sources: list[str],
    targets: list[str],
    seed: int,
    *,
    steps: int = 500,
) -> Translator:
    """Train a small Transformer, one token for each character, and decode greedily."""
    import torch
    import torch.nn.functional as F

    from ..experiments.tokens import PADDING, Vocabulary, padded
    from ..experiments.translating import greedy
    from ..torch_impl import Transformer

    vocabulary = Vocabulary((), tuple(sorted(set("".join(sources + targets)))))
    longest = max(map(len, targets)) + 1  # the end

    def encode(texts: list[str]) -> torch.Tensor:
        return torch.from_numpy(padded([vocabulary.encode_target(text) for text in texts]))

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        size = len(vocabulary)
        model = Transformer(size, size, 64, 4, 1, 256, norm_first=True, position_base=30.0)
        optimizer = torch.optim.AdamW(
            model.parameters(), betas=(0.9, 0.95), weight_decay=0.1, fused=True
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, 5e-3, total_steps=max(steps, 1), pct_start=0.15
        )
        x, y = encode(sources), encode(targets)
        for _ in range(steps):
            rows = torch.randint(len(x), (16,))
            logits = model(x[rows], y[rows, :-1])
            loss = F.cross_entropy(
                logits.flatten(0, 1), y[rows, 1:].flatten(), ignore_index=PADDING
            )
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()

    def translator(texts: list[str]) -> list[str]:
        return [vocabulary.decode(row) for row in greedy(model, encode(texts), longest).tolist()]

    return translator


def _translate_cases(rng: np.random.Generator) -> list[Case]:
    languages = str(rng.choice(SOURCES)), str(rng.choice(TARGETS))
    dates = load_cldr_dates(languages, seed=int(rng.integers(10_000)))
    pairs = dates.draw(rng, PAIRS_TO_TRAIN, "train", *languages)
    unseen = dates.draw(rng, PAIRS_TO_TEST, "test", *languages)
    args = (pairs.sources, pairs.targets, int(rng.integers(10_000)))
    return [_DatesCase(args, note=f"dates, {' to '.join(languages)}", unseen=unseen)]


def judge_translator(case: _DatesCase, answer: Translator) -> str | None:
    """Say what is wrong with a translator of dates that it has not seen, None when it is fine."""
    if not callable(answer):
        return (
            "Return a translator, a function that takes a list of texts and returns the list of "
            "their translations."
        )
    (sources, targets, _), unseen = case.args, case.unseen
    translations = answer(list(unseen.sources))
    if not (
        isinstance(translations, (list, tuple))
        and len(translations) == len(unseen)
        and all(isinstance(text, str) for text in translations)
    ):
        return (
            f"The translator was given a list of {len(unseen)} texts and must return as many "
            "strings, in the same order."
        )
    exact = np.mean([a == b for a, b in zip(translations, unseen.targets, strict=True)])
    if exact >= REQUIRED_EXACT:
        return None
    pairs = list(zip(translations, unseen.targets, strict=True))
    wrong = next(i for i, (mine, right) in enumerate(pairs) if mine != right)
    found = (
        f"Of {len(unseen)} unseen dates {exact:.1%} are right in every character; at least "
        f"{REQUIRED_EXACT:.0%} are asked for. {unseen.sources[wrong]!r} became "
        f"{translations[wrong][:40]!r}, where {unseen.targets[wrong]!r} was expected."
    )
    begins_right = np.mean([mine.startswith(right) for mine, right in pairs])
    if begins_right >= REQUIRED_EXACT:
        return (
            f"{found} {begins_right:.1%} begin right and go on behind the end: cut each "
            "translation at the end token."
        )
    again = answer(list(sources[: len(unseen)]))
    by_heart = np.mean([mine == right for mine, right in zip(again, targets, strict=False)])
    verdict = "it learnt them by heart" if by_heart > exact + 0.2 else "it has not learnt enough"
    return f"{found} Of the dates that it was trained on {by_heart:.1%} are right: {verdict}."


def _look_up(sources: list[str], targets: list[str], seed: int) -> Translator:
    table = dict(zip(sources, targets, strict=True))

    def translator(texts: list[str]) -> list[str]:
        return [table.get(text, targets[0]) for text in texts]

    return translator


def _untrained(sources: list[str], targets: list[str], seed: int) -> Translator:
    return _train_translator(sources, targets, seed, steps=0)


def _most_similar(sources: list[str], targets: list[str], seed: int) -> Translator:
    characters = sorted(set("".join(sources)))

    def features(texts: list[str]) -> Array:
        counts = np.array([[text.count(c) for c in characters] for text in texts], dtype=float)
        return counts / np.sqrt((counts**2).sum(axis=1, keepdims=True))

    known = features(sources)

    def translator(texts: list[str]) -> list[str]:
        return [targets[i] for i in (features(texts) @ known.T).argmax(axis=1)]

    return translator


TRANSLATE = Exercise(
    name="transformer.translate",
    title="Project: translate dates",
    points=5,
    gradable=False,
    stars=3,
    reference=translate,
    cases=_translate_cases,
    mistakes=(
        Mistake(
            _look_up,
            "This is a table of the pairs: it knows the dates that it was given and no other. The "
            "dates of the test occur in no pair, so the translator has to learn how dates are "
            "written.",
        ),
        Mistake(
            _untrained,
            "Every translation is empty: the model repeats the token that it is given. Either it "
            "is still untrained, or in training the decoder was given the very character that it "
            "should predict. Its input is the target shifted by one: start token first, last token "
            "left out.",
        ),
        Mistake(
            _most_similar,
            "This takes the translation of the most similar date that it knows: a fine baseline "
            "for long texts, but one digit further is another date.",
        ),
    ),
    hints=(
        "One vocabulary of all characters that occur, with tokens for padding, start and end in "
        "front; the PyTorch `Transformer` of this chapter needs no more than one layer of width "
        "64 each in encoder and decoder.",
        "Train on targets[:, :-1] as the decoder's input and targets[:, 1:] as what it should say, "
        "padding left out of the loss. 500 steps of 16 pairs drawn at random are enough with AdamW "
        "(betas=(0.9, 0.95), weight_decay=0.1), if the learning rate warms up to about 5e-3 and "
        "falls again. The texts are short: position_base=30.",
        "To translate: encode once, begin with the start token, and append the likeliest token "
        "until all have ended; then cut at the end token.",
    ),
    judge=judge_translator,
)
