"""The project of chapter 8: complete a graph."""

import dataclasses

import numpy as np

from bigmodel_edu.data import KnowledgeGraph, load_cldr_graph
from bigmodel_edu.exercise import Case, Exercise, Mistake
from bigmodel_edu.layer import Array

from .. import reference as ref
from ..reference.ranking import ScoreFunction

REQUIRED_GAIN = 0.07
"""In MRR over the rules on the same questions: how hard they are depends on the split.

Over 24 splits the chapter's ComplEx gained 0.013 ± 0.008 and the answer of the solutions
0.117 ± 0.012 (mean and standard deviation): the bar is four of these away, or more.
"""
BY_CHANCE = 0.05
"""Above what guessing reaches, and below anything that has learnt."""
BY_HEART = 0.99
"""On facts of the training set: more than any model reaches there with a penalty worth having."""
_BY_CHANCE_MESSAGE = (
    f"The filtered MRR on the hidden facts is below {BY_CHANCE}: that is guessing. The model is "
    "untrained, or was trained on another graph (here all entities have other numbers), or to "
    "nothing (a penalty that is too large does that), or its large scores are the bad ones."
)
HIDDEN = 0.2
"""The share of the facts that the answer is judged on: with more of them, luck matters less."""


def complete_graph(graph: KnowledgeGraph, seed: int) -> ScoreFunction:
    """Return score(sources (B,), relations (B,)) -> scores (B, E), relations in [0, 2R)."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    from ..experiments.new_entities import texts_of
    from ..experiments.results import CLDR_SETTINGS, baselines
    from ..experiments.training import torch_scores, train

    settings = dataclasses.replace(CLDR_SETTINGS["ComplEx"], seed=seed)
    model = torch_scores(train(settings, graph, progress=False).model)
    rules = baselines(graph)["rules"]
    pieces = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True)
    names = pieces.fit_transform(texts_of(graph.entities, graph.titles))
    _, kinds = np.unique(graph.kinds, return_inverse=True)
    _, asked, answers = graph.questions("train").T
    fits = np.zeros((2 * graph.num_relations, kinds.max() + 1))
    fits[asked, kinds[answers]] = 1

    def score(sources: Array, relations: Array) -> Array:
        believed = np.log(rules(sources, relations) + 0.001)
        alike = (names[sources] @ names.T).toarray()
        alike[np.arange(len(sources)), sources] = 0  # nobody is the answer to itself
        fitting = fits[relations][:, kinds]
        return model(sources, relations) + believed + 10 * alike + 10 * fitting

    return score


def _complete_graph_cases(rng: np.random.Generator) -> list[Case]:
    graph = load_cldr_graph(seed=int(rng.integers(10_000)), test_fraction=HIDDEN)
    visible = _visible(_renumbered(graph, rng.permutation(graph.num_entities)))
    return [Case((visible, int(rng.integers(10_000))), note="a fifth of CLDR's facts is hidden")]


def _renumbered(graph: KnowledgeGraph, order: Array) -> KnowledgeGraph:
    """Return the graph with entity order[i] in place i.

    What was trained in the chapter, on many of the facts that are hidden here, knows the entities
    by their old numbers, and is of no use.
    """
    place = np.argsort(order)

    def renumbered(facts: Array) -> Array:
        h, r, t = facts.T
        return np.stack([place[h], r, place[t]], axis=1)

    labels = ("entities", "titles", "kinds")
    parts = ("train", "valid", "test")
    return dataclasses.replace(
        graph,
        **{name: tuple(np.array(getattr(graph, name))[order].tolist()) for name in labels},
        **{name: renumbered(getattr(graph, name)) for name in parts},
    )


def _visible(graph: KnowledgeGraph) -> KnowledgeGraph:
    """Return the graph without its test facts: half of the validation facts take their place."""
    middle = len(graph.valid) // 2
    return dataclasses.replace(graph, valid=graph.valid[:middle], test=graph.valid[middle:])


def _whole(visible: KnowledgeGraph) -> KnowledgeGraph:
    """Return the graph with the facts that it lacks of CLDR's as its test part."""
    graph = load_cldr_graph()
    number = {name: i for i, name in enumerate(graph.entities)}
    whole = _renumbered(graph, np.array([number[name] for name in visible.entities]))
    shown = set(map(tuple, visible.facts.tolist()))
    hidden = [fact for fact in whole.facts.tolist() if tuple(fact) not in shown]
    valid = np.concatenate((visible.valid, visible.test))
    return dataclasses.replace(visible, valid=valid, test=np.array(hidden))


def judge_scores(case: Case, answer: ScoreFunction) -> str | None:
    """Say what is wrong with a score function on the facts it has not seen, None if it is fine."""
    from ..experiments.results import baselines

    if not callable(answer):
        return (
            "Return a function score(sources, relations) that takes two arrays (B,) of integers "
            "and returns the scores (B, E) of all entities."
        )
    visible = case.args[0]
    graph = _whole(visible)
    index = ref.FactIndex(graph.facts, graph.num_entities, graph.num_relations)
    hidden = graph.questions("test")
    some = answer(*hidden[:3, :2].T)
    if not isinstance(some, np.ndarray) or some.shape != (3, graph.num_entities):
        return (
            f"For 3 questions score must return a NumPy array of shape (3, {graph.num_entities}), "
            "a score for each entity; a tensor becomes one by .numpy(), as `torch_scores` does."
        )

    def mrr(score: ScoreFunction, questions: Array) -> float:
        return ref.evaluate(score, questions, index).metrics().mrr

    found = mrr(_without_linked(answer, visible), hidden)
    if found < BY_CHANCE:
        return _BY_CHANCE_MESSAGE
    by_rules = mrr(_without_linked(baselines(visible)["rules"], visible), hidden)
    if found >= by_rules + REQUIRED_GAIN:
        return None
    verdict = (
        f"The filtered MRR on the hidden facts is {found:.3f}. The chapter's rules have "
        f"{by_rules:.3f}, and you should be at least {REQUIRED_GAIN} above them."
    )
    by_heart = mrr(answer, visible.questions("train")[::7])
    if by_heart > BY_HEART:
        verdict += (
            f" On the facts that it was given it has {by_heart:.3f}: it learnt them by heart. Hold "
            "it back by a penalty."
        )
    return verdict


def _without_linked(score: ScoreFunction, graph: KnowledgeGraph) -> ScoreFunction:
    """Take the entities that a visible fact links to the source out of the candidates.

    On a careful split they are never right, which is no knowledge of the world: nobody is to gain
    by it.
    """
    linked = np.zeros((graph.num_entities, graph.num_entities), dtype=bool)
    heads, _, tails = graph.facts.T
    linked[heads, tails] = True
    linked |= linked.T
    return lambda sources, relations: np.where(linked[sources], -np.inf, score(sources, relations))


def _popular(graph: KnowledgeGraph, seed: int) -> ScoreFunction:
    return ref.Popularity.of(graph.train, graph.num_entities, graph.num_relations)


def _rules(graph: KnowledgeGraph, seed: int) -> ScoreFunction:
    from ..experiments.results import baselines

    return baselines(graph)["rules"]


def _untrained(graph: KnowledgeGraph, seed: int) -> ScoreFunction:
    model = ref.ComplEx(graph.num_entities, graph.num_relations, 8)
    params = model.init(np.random.default_rng(seed))
    return lambda sources, relations: model.forward(params, sources, relations)[0]


COMPLETE_GRAPH = Exercise(
    name="knowledge_graph.complete_graph",
    title="Project: complete the graph",
    points=5,
    gradable=False,
    stars=3,
    reference=complete_graph,
    cases=_complete_graph_cases,
    mistakes=(
        Mistake(
            _popular,
            "These are the most popular answers of each relation. As a baseline they are hard to "
            "beat, but they name the same currency for every country: the source must count.",
        ),
        Mistake(
            _rules,
            "These are the chapter's rules, the line to beat: as good as any of its models alone. "
            "Let a model have a say as well.",
        ),
        Mistake(_untrained, _BY_CHANCE_MESSAGE),
    ),
    hints=(
        "One model alone hardly gets there. Take two that err differently, a ComplEx and the rules "
        "(`baselines(graph)` from bigmodel_edu.knowledge_graph.experiments.results), and add up "
        "their opinions: logits can be added as they are, a confidence by its logarithm.",
        "What has nobody looked at yet? The names: *Danish* and *Denmark* share pieces. "
        'TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5)) of `graph.titles`, or of '
        "`texts_of` from bigmodel_edu.knowledge_graph.experiments.new_entities, makes rows of "
        "them, and the products of rows say how alike two names are. And the kinds: which "
        '`graph.kinds` do the answers to a relation have in graph.questions("train")?',
        "logits of ComplEx + np.log(rules(sources, relations) + 0.001) + 10 * alike + 10 * fits, "
        "where alike (B, E) is (names[sources] @ names.T).toarray(), with a 0 for the source "
        "itself, and fits (B, E) is 1 for the kinds that answer the relation. How much each should "
        'count, evaluate(score, graph.questions("valid"), index) says.',
    ),
    judge=judge_scores,
)
