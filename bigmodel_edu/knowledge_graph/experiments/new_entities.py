"""Entities that were not in the graph: placed by their names, by a few facts, or by both.

A table of embeddings has no row for an entity that it has not met. An encoder has: it computes the
row from what is known of the entity, here the characters of its names.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge
from torch import Tensor, nn

from bigmodel_edu.data import KnowledgeGraph, NewEntities, cldr_names_of, leaks, questions_of
from bigmodel_edu.errors import LengthError, UnknownName, did_you_mean
from bigmodel_edu.layer import Array

from ..reference import FactIndex, ScoreFunction
from ..torch_impl.penalties import moduli

LANGUAGES = ("en", "de", "fr", "es", "tr", "fi", "pl", "id")  # of the names that are read


def texts_of(names: Sequence[str], titles: Sequence[str]) -> list[str]:
    """Return for each entity its different names in `LANGUAGES` in one line, or else its title."""
    known: Mapping[str, Mapping[str, str]] = cldr_names_of(names, locales=LANGUAGES)
    return [
        " | ".join(dict.fromkeys(known.get(name, {}).values())) or title
        for name, title in zip(names, titles, strict=True)
    ]


class NameEncoder:
    """Rows of entities from the characters of their names, learnt from the rows of a trained model.

    A row is the mean row of the entity's kind plus a linear function of the runs of 1 to 5
    characters in its text (weighed by tf-idf), with the least squared error and a penalty `alpha`
    on the weights. Entities whose names share pieces so get rows that are near each other.
    """

    def __init__(self, alpha: float = 0.3) -> None:
        self.pieces = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 5), sublinear_tf=True)
        # fewer names than pieces: one equation for each name, solved for all columns at once
        self.line = Ridge(alpha=alpha, fit_intercept=False, solver="cholesky")
        self.mean_of: dict[str, Array] = {}

    def fit(self, texts: Sequence[str], kinds: Sequence[str], rows: Tensor) -> "NameEncoder":
        """Learn from the texts and kinds of entities whose rows (E, W) are known."""
        _expect_texts(texts)
        table, own = rows.numpy(), np.array(kinds)
        self.mean_of = {kind: table[own == kind].mean(axis=0) for kind in sorted(set(kinds))}
        self.line.fit(self.pieces.fit_transform(texts), table - self.means(kinds).numpy())
        return self

    def means(self, kinds: Sequence[str]) -> Tensor:
        """Return the mean rows (n, W) of the kinds: what is known without a name."""
        for kind in kinds:
            if kind not in self.mean_of:
                raise UnknownName(
                    f"No entity of the kind {kind!r} was fitted, expected one of "
                    f"{', '.join(self.mean_of)}." + did_you_mean(kind, self.mean_of)
                )
        return torch.from_numpy(np.stack([self.mean_of[kind] for kind in kinds]))

    def encode(self, texts: Sequence[str], kinds: Sequence[str]) -> Tensor:
        """Return rows (n, W) for entities that may be new."""
        _expect_texts(texts)
        means = self.means(kinds)
        by_name = self.line.predict(self.pieces.transform(texts))
        return means + torch.from_numpy(by_name).to(means.dtype)


def place_by_facts(
    model: nn.Module,
    known: Array,
    start: Tensor,
    *,
    steps: int = 60,
    learning_rate: float = 0.1,
    penalty: float = 0.1,
) -> Tensor:
    """Return rows (n, W) for new entities, fitted to a few facts of theirs; the model stays as is.

    `known` holds facts (m, 3) whose new entities are numbered from E on, E being the number of the
    model's own, and `start` (n, W) where their rows begin. A row moves until the answers to the
    questions that its entity's facts answer have high scores among the entities of the model; facts
    between two new entities are left out, and an entity without any other stays where it begins.
    `penalty` weighs N3.
    """
    table = model.entity.weight.detach()
    many, relations = len(table), model.num_relations
    heads, names, tails = known.T
    as_source = (heads >= many) & (tails < many)
    as_target = (tails >= many) & (heads < many)
    # asked from the new entity's side, so that the answer is an entity that the model knows
    sources = np.concatenate((heads[as_source], tails[as_target]))
    asked = np.concatenate((names[as_source], names[as_target] + relations))
    answers = np.concatenate((tails[as_source], heads[as_target]))
    if not len(sources):
        raise LengthError(
            "no fact links a new entity to one that the model knows, expected at least one."
        )
    sources, asked, answers = map(torch.from_numpy, (sources, asked, answers))
    linked = sources.unique() - many
    relation_rows = model.relation_rows(asked).detach()

    rows = start.detach().clone().requires_grad_()
    optimizer = torch.optim.Adam([rows], lr=learning_rate)
    for _ in range(steps):
        queries = model.query(rows[sources - many], relation_rows)
        scores = model.score_all(queries, table)
        loss = F.cross_entropy(scores, answers)
        sizes = moduli(rows[linked], model.has_complex_entities)
        loss = loss + penalty * (sizes**3).sum(dim=1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return rows.detach()


def scores_with(model: nn.Module, rows: Tensor) -> ScoreFunction:
    """Return the model's score function with the rows (n, W) of new entities appended."""
    entities = {"entity.weight": torch.cat((model.entity.weight.detach(), rows))}
    every = torch.arange(len(entities["entity.weight"]))

    @torch.no_grad()
    def score(sources: Array, relations: Array) -> Array:
        arguments = (torch.from_numpy(sources), torch.from_numpy(relations), every)
        return torch.func.functional_call(model, entities, arguments).numpy()

    return score


def questions_of_new(new: NewEntities) -> tuple[Array, Array]:
    """Return the questions (n, 3) that begin at a new entity, and those whose answer is one.

    Facts about two entities that a known fact links are left out: they would be half an answer.
    """
    graph: KnowledgeGraph = new.graph
    leaked = leaks(new.known, new.asked)
    is_leaked = (new.asked[:, None] == leaked).all(axis=-1).any(axis=1)
    both = questions_of(new.asked[~is_leaked], graph.num_relations)
    return both[both[:, 0] >= graph.num_entities], both[both[:, 2] >= graph.num_entities]


def index_with(new: NewEntities) -> FactIndex:
    """Return the index of all facts, those of the new entities among them."""
    graph = new.graph
    facts = np.concatenate((graph.facts, new.known, new.asked))
    return FactIndex(facts, graph.num_entities + len(new.names), graph.num_relations)


def _expect_texts(texts: Sequence[str]) -> None:
    if not all(texts):
        raise LengthError("a name is empty, expected at least one character; leave it out.")
