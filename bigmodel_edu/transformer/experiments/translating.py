"""Translating with a trained model, and looking at what it does: answers, errors, attention."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from bigmodel_edu.data import CldrDates, DatePairs
from bigmodel_edu.layer import Array

from ..torch_impl import Transformer
from .incremental_decoding import IncrementalDecoder
from .tokens import END, PADDING, START, Vocabulary, padded
from .training import Result


@torch.no_grad()
def greedy(model: Transformer, source: Tensor, max_length: int) -> Tensor:
    """Return target tokens (B, t ≤ `max_length`), each the likeliest, decoded with the cache.

    After a row's end comes padding; the start is left out.
    """
    decoder = IncrementalDecoder(model, source)
    token = torch.full((len(source),), START)
    ended = torch.zeros(len(source), dtype=torch.bool)
    tokens = []
    while len(tokens) < max_length and not ended.all():
        token = decoder.step(token).argmax(dim=-1).masked_fill(ended, PADDING)
        tokens.append(token)
        ended |= token == END
    return torch.stack(tokens, dim=1)


def translate(
    model: Transformer,
    vocabulary: Vocabulary,
    texts: Sequence[str],
    target_languages: Sequence[str],
    *,
    max_length: int = 64,
    batch_size: int = 250,
    decode: Callable[[Transformer, Tensor, int], Tensor] = greedy,
) -> list[str]:
    """Return the translation of each text into the language of the same place."""
    rows = [
        vocabulary.encode_source(text, language)
        for text, language in zip(texts, target_languages, strict=True)
    ]
    by_length = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    answers = [""] * len(rows)
    was_training = model.training
    model.eval()
    for start in range(0, len(rows), batch_size):
        chosen = by_length[start : start + batch_size]
        source = torch.from_numpy(padded([rows[i] for i in chosen]))
        for i, tokens in zip(chosen, decode(model, source, max_length).tolist(), strict=True):
            answers[i] = vocabulary.decode(tokens)
    model.train(was_training)
    return answers


@dataclass(frozen=True)
class Evaluation:
    """Pairs, what the model made of their sources, and which of it is right to the character."""

    languages: tuple[str, ...]
    pairs: DatePairs
    answers: list[str]

    @property
    def right(self) -> Array:
        """Whether each answer is the target, character by character: booleans (n,)."""
        together = zip(self.answers, self.pairs.targets, strict=True)
        return np.array([answer == target for answer, target in together])

    @property
    def exact_match(self) -> float:
        """The share of right answers."""
        return float(self.right.mean())

    @property
    def by_language(self) -> Array:
        """The share of right answers (L, L) from each language (row) into each (column).

        NaN where there is no pair, as on the diagonal.
        """
        of = {language: i for i, language in enumerate(self.languages)}
        where = tuple(
            [of[language] for language in tags]
            for tags in (self.pairs.source_languages, self.pairs.target_languages)
        )
        counts, rights = np.zeros((2, len(of), len(of)))
        np.add.at(counts, where, 1)
        np.add.at(rights, where, self.right)
        return np.divide(rights, counts, out=np.full_like(rights, np.nan), where=counts > 0)

    @property
    def errors(self) -> list[tuple[str, str, str]]:
        """Source, target and answer wherever the answer is wrong."""
        triples = zip(self.pairs.sources, self.pairs.targets, self.answers, strict=True)
        return [triple for triple in triples if triple[1] != triple[2]]


def evaluate(
    result: Result,
    data: CldrDates,
    n: int = 1000,
    *,
    part: str = "test",
    seed: int = 0,
    batch_size: int = 250,
    decode: Callable[[Transformer, Tensor, int], Tensor] = greedy,
) -> Evaluation:
    """Translate n pairs of a part of the data, drawn at random."""
    pairs = data.draw(np.random.default_rng(seed), n, part=part)
    answers = translate(
        result.model,
        result.vocabulary,
        pairs.sources,
        pairs.target_languages,
        max_length=data.longest_target + 1,  # the end
        batch_size=batch_size,
        decode=decode,
    )
    return Evaluation(data.languages, pairs, answers)


@dataclass(frozen=True)
class AttentionMaps:
    """Where each token of a translation looked: weights (layers, heads, T, S).

    `written` holds the T symbols that were foretold, `read` the S symbols of the source. Each row
    of weights sums to one.
    """

    weights: Array
    written: list[str]
    read: list[str]


@torch.no_grad()
def attention_maps(
    result: Result, text: str, target_language: str, *, max_length: int = 64
) -> AttentionMaps:
    """Translate a text and return the cross-attention of every layer and head."""
    model, vocabulary = result.model, result.vocabulary
    source = torch.tensor([vocabulary.encode_source(text, target_language)])
    tokens = greedy(model, source, max_length)
    seen: list[Tensor] = []

    def look(attention: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        q, k, _ = attention.project(*inputs)
        seen.append(torch.softmax(q @ k.mT / k.shape[-1] ** 0.5, dim=-1)[0])

    hooks = [layer.multihead_attn.register_forward_hook(look) for layer in model.decoder.layers]
    try:
        model(source, torch.cat([torch.tensor([[START]]), tokens[:, :-1]], dim=1))
    finally:
        for hook in hooks:
            hook.remove()
    written, read = ([vocabulary.symbols[t] for t in row[0].tolist()] for row in (tokens, source))
    return AttentionMaps(torch.stack(seen).numpy(), written, read)
