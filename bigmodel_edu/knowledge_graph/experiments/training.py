"""Training an embedding model on a graph, with PyTorch and with NumPy, on the very same batches.

One frozen dataclass holds every number that matters. The batches of an epoch depend on the seed
and on the epoch only, so that an interrupted training goes on from its last checkpoint to the same
numbers, and NumPy can be trained on what PyTorch saw.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from bigmodel_edu.data import KnowledgeGraph
from bigmodel_edu.errors import HyperparameterError, UnknownName, did_you_mean
from bigmodel_edu.layer import (
    Array,
    Layer,
    Params,
    expect_count,
    expect_not_negative,
    expect_positive,
)
from bigmodel_edu.neural_nets.reference import (
    Adam,
    ConstantSchedule,
    CosineSchedule,
    CrossEntropy,
)
from bigmodel_edu.neural_nets.reference.schedules import Schedule
from bigmodel_edu.training.batches import EpochBatches
from bigmodel_edu.training.finite import expect_finite_loss
from bigmodel_edu.training.loop import Objective, Saving, Training, seeded

from .. import reference, torch_impl
from ..reference import FactIndex

MODELS = ("TransE", "DistMult", "ComplEx", "RotatE")
LOSSES = ("cross_entropy", "margin", "logistic", "self_adversarial")
SAMPLINGS = ("uniform", "bernoulli")


@dataclass(frozen=True)
class Configuration:
    """Everything that decides what a training does.

    `negatives` is how many wrong answers stand beside each right one. With the cross-entropy they
    are shared by the batch, and 0 stands for all entities (1-N training); with the other losses
    each question has its own. `filtered` draws those again that are right by a fact of the training
    set. `penalty` weighs the sum of the `penalty_power`-th powers of the moduli of all factors of a
    fact: 3 is N3, 2 is L2. With `decay` the learning rate falls to 0 along half a cosine wave: it
    may begin larger then, and fewer epochs are enough.
    """

    model: str = "ComplEx"
    dim: int = 64
    p: int = 2  # of TransE
    reciprocal: bool = False
    loss: str = "cross_entropy"
    margin: float = 1.0
    temperature: float = 1.0
    negatives: int = 0
    sampling: str = "uniform"
    filtered: bool = True
    penalty: float = 0.0
    penalty_power: int = 3
    epochs: int = 20
    batch_size: int = 256
    learning_rate: float = 1e-2
    decay: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        for name, known in (("model", MODELS), ("loss", LOSSES), ("sampling", SAMPLINGS)):
            if (value := getattr(self, name)) not in known:
                raise UnknownName(
                    f"{name} is {value!r}, expected one of {', '.join(known)}."
                    + did_you_mean(str(value), known)
                )
        for name, known in (("p", (1, 2)), ("penalty_power", (2, 3))):
            if (value := getattr(self, name)) not in known:
                raise HyperparameterError(f"{name} is {value}, expected {known[0]} or {known[1]}.")
        for name in ("dim", "epochs", "batch_size"):
            expect_count(name, getattr(self, name))
        expect_not_negative("penalty", self.penalty)
        if self.loss != "cross_entropy" or self.negatives:  # 0 stands for all entities
            expect_count("negatives", self.negatives)
        if self.loss != "cross_entropy":
            self.build_loss(reference)  # raises if margin or temperature has no meaning
        expect_positive("learning_rate", self.learning_rate)

    def build(self, module: ModuleType, graph: KnowledgeGraph) -> Any:
        """Return the model for a graph, of `reference` or of `torch_impl`."""
        options = {"p": self.p} if self.model == "TransE" else {}
        make = getattr(module, self.model)
        return make(
            graph.num_entities,
            graph.num_relations,
            self.dim,
            reciprocal=self.reciprocal,
            **options,
        )

    def build_loss(self, module: ModuleType) -> Any:
        """Return the loss that compares right answers with wrong ones, of either module."""
        if self.loss == "margin":
            return module.MarginLoss(self.margin)
        if self.loss == "logistic":
            return module.LogisticLoss()
        return module.SelfAdversarialLoss(self.margin, self.temperature)

    def schedule(self, batches: int) -> Schedule:
        """Return the learning rate as a function of the step, with so many steps in an epoch."""
        if self.decay:
            return CosineSchedule(self.learning_rate, self.epochs * batches)
        return ConstantSchedule(self.learning_rate)


class Batch(NamedTuple):
    """Questions (B,), their answers (B,), and the candidates that are scored.

    Candidates are None for all entities, (N,) shared by the batch, or (B, 1 + N), each question's
    own, the answer first.
    """

    sources: Array
    relations: Array
    targets: Array
    candidates: Array | None


class Batches(EpochBatches):
    """The batch of any step; those of an epoch are a function of the seed and the epoch."""

    def __init__(self, configuration: Configuration, graph: KnowledgeGraph) -> None:
        self.configuration, self.graph = configuration, graph
        self.index = FactIndex(graph.train, graph.num_entities, graph.num_relations)

    def __len__(self) -> int:
        return -(-2 * len(self.graph.train) // self.configuration.batch_size)

    def epoch(self, number: int) -> Iterator[Batch]:
        """Return the batches of an epoch: each fact is asked about twice."""
        rng = np.random.default_rng([self.configuration.seed, number])
        questions = self._questions(rng)
        order = rng.permutation(len(questions))
        size = self.configuration.batch_size
        for start in range(0, len(order), size):
            chosen = questions[order[start : start + size]]
            yield Batch(*chosen.T, self._candidates(rng, chosen))

    def _questions(self, rng: np.random.Generator) -> Array:
        """Return (2n, 3): both questions of each fact, or two drawn as Wang et al. (2014) do."""
        if self.configuration.sampling == "uniform":
            return self.graph.questions("train")
        facts = np.repeat(self.graph.train, 2, axis=0)
        probability = reference.bernoulli_head_probability(
            self.graph.train, self.graph.num_relations
        )
        return reference.bernoulli_questions(rng, facts, probability)

    def _candidates(self, rng: np.random.Generator, questions: Array) -> Array | None:
        many = self.configuration.negatives
        if self.configuration.loss == "cross_entropy":
            return rng.integers(self.graph.num_entities, size=many) if many else None
        wrong = reference.uniform_negatives(rng, questions, self.graph.num_entities, many)
        if self.configuration.filtered:
            wrong = reference.filtered_negatives(rng, questions, wrong, self.index)
        return np.concatenate((questions[:, 2:], wrong), axis=1)


# PyTorch


@dataclass(frozen=True)
class Result:
    """The trained model, and the mean loss of every epoch."""

    model: nn.Module
    losses: list[float]


class Learner:
    """A model of a graph as it is trained: its parameters, and the loss of a batch.

    `encoder` is a module that makes the table of entities anew in every step, in place of the
    model's own (R-GCN, or names read character by character); it is called without arguments.
    """

    def __init__(
        self,
        configuration: Configuration,
        graph: KnowledgeGraph,
        encoder: nn.Module | None = None,
        double: bool = False,
    ) -> None:
        self.configuration, self.graph, self.encoder = configuration, graph, encoder
        self.model = configuration.build(torch_impl, graph)
        initial = configuration.build(reference, graph).init(
            np.random.default_rng(configuration.seed)
        )
        if double:
            self.model = self.model.double()
        self.model.load_state_dict({k: torch.from_numpy(v) for k, v in initial.items()})
        self.penalty = torch_impl.FactorPenalty(self.model, configuration.penalty_power)

    def parameters(self) -> list[nn.Parameter]:
        """Return what is trained: with an encoder, its parameters and the relations."""
        if self.encoder is None:
            return list(self.model.parameters())
        return [*self.encoder.parameters(), self.model.relation.weight]

    def loss(self, batch: Batch) -> Tensor:
        """Return the loss of a batch, a scalar."""
        sources, relations, targets, candidates = (
            None if ids is None else torch.from_numpy(ids) for ids in batch
        )
        entities = {} if self.encoder is None else {"entity.weight": self.encoder()}

        def scores(candidates: Tensor | None) -> Tensor:
            arguments = (sources, relations, candidates)
            return torch.func.functional_call(self.model, entities, arguments)

        loss = self._compare(scores, targets, candidates)
        if self.configuration.penalty:
            facts = (sources, relations, targets)
            penalty = torch.func.functional_call(self.penalty, entities, facts)
            loss = loss + self.configuration.penalty * penalty
        return loss

    def _compare(
        self, scores: Callable[[Tensor | None], Tensor], targets: Tensor, candidates: Tensor | None
    ) -> Tensor:
        """Return how far the scores of the answers are from where the loss wants them."""
        if candidates is None:
            return F.cross_entropy(scores(None), targets)
        if candidates.ndim == 2:
            right, wrong = scores(candidates).split([1, candidates.shape[1] - 1], dim=1)
            return self.configuration.build_loss(torch_impl)(right[:, 0], wrong)
        # each wrong answer stands for E / N of all there are
        share = np.log(self.graph.num_entities / len(candidates))
        logits = torch.cat((scores(targets[:, None]), scores(candidates) + share), dim=1)
        return F.cross_entropy(logits, torch.zeros_like(targets))

    def trained(self) -> nn.Module:
        """Return the model, its table of entities made by the encoder if there is one."""
        if self.encoder is not None:
            self.encoder.eval()
            with torch.no_grad():
                self.model.entity.weight.copy_(self.encoder())
            self.encoder.train()
        return self.model.eval()


def train(
    configuration: Configuration,
    graph: KnowledgeGraph,
    folder: str | Path | None = None,
    *,
    encoder: nn.Module | None = None,
    double: bool = False,
    on_epoch: Callable[[int, nn.Module], None] | None = None,
    progress: bool = True,
) -> Result:
    """Train a model, or go on with the training whose checkpoints are in `folder`.

    Without a folder nothing is saved; with an encoder nothing can be. `double` takes float64.
    `on_epoch(epoch, model)` is called after every epoch; what it raises interrupts the training.

    Raises:
        CheckpointError: the folder holds another training, or cannot be written.
        NonFiniteLoss: the loss is no longer a finite number; names the step.
    """
    if folder is not None and encoder is not None:
        raise HyperparameterError(
            "folder and encoder are both given, expected one: checkpoints hold the tables of a "
            "model and no encoder. Leave the folder out."
        )
    with seeded(configuration.seed):
        learner = Learner(configuration, graph, encoder, double)
        training = training_of(learner, folder)
        batches = len(training.batches)

        def on_step(step: int) -> None:
            epoch, rest = divmod(step, batches)
            if on_epoch is not None and rest == 0:
                on_epoch(epoch, learner.trained())

        training.run(on_step=on_step, progress=progress)
    losses = np.reshape(training.losses(), (configuration.epochs, batches))
    return Result(learner.trained(), [float(np.mean(of_epoch)) for of_epoch in losses])


def training_of(learner: Learner, folder: str | Path | None = None) -> Training:
    """Return the training of a learner before its first step; a checkpoint ends every epoch."""
    configuration = learner.configuration
    batches = Batches(configuration, learner.graph)
    adam = torch.optim.Adam(learner.parameters(), fused=True)
    saving = None
    if folder is not None:
        saving = Saving(folder, _identity(configuration, learner.graph), every=len(batches))
    return Training(
        learner.model,
        batches,
        Objective(learner.loss, adam, configuration.schedule(len(batches))),
        steps=configuration.epochs * len(batches),
        saving=saving,
    )


def _identity(configuration: Configuration, graph: KnowledgeGraph) -> dict:
    """What a checkpoint must agree with."""
    facts = graph.train  # other splits of a graph have its name, and as many of them
    known = {
        "name": graph.name,
        "entities": graph.num_entities,
        "facts": hashlib.sha256(facts.tobytes()).hexdigest()[:16],
    }
    return asdict(configuration) | {"graph": known}


def torch_scores(model: nn.Module) -> Callable[[Array, Array], Array]:
    """Return `score(sources, relations)`, NumPy in and NumPy out, for `reference.evaluate`."""

    @torch.no_grad()
    def score(sources: Array, relations: Array) -> Array:
        return model(torch.from_numpy(sources), torch.from_numpy(relations)).numpy()

    return score


# NumPy


def train_numpy(
    configuration: Configuration, graph: KnowledgeGraph, *, progress: bool = True
) -> tuple[Layer, Params, list[float]]:
    """Do with the reference, in float64, what `train` does: model, parameters, losses per epoch."""
    model = configuration.build(reference, graph)
    params = model.init(np.random.default_rng(configuration.seed))
    optimizer = Adam()
    state = optimizer.init(params)
    batches, losses = Batches(configuration, graph), []
    schedule = configuration.schedule(len(batches))
    steps = configuration.epochs * len(batches)
    with tqdm(total=steps, desc="batches", leave=False, disable=not progress) as bar:
        for epoch in range(configuration.epochs):
            of_batches = []
            for step, batch in enumerate(batches.epoch(epoch), start=epoch * len(batches)):
                loss, grads = loss_and_gradients(configuration, model, params, batch)
                expect_finite_loss(loss, f"of step {step}", step, params.copy)
                params, state = optimizer.update(params, grads, state, lr=schedule(step))
                of_batches.append(loss)
                bar.update()
            losses.append(float(np.mean(of_batches)))
    return model, params, losses


def loss_and_gradients(
    configuration: Configuration, model: Layer, params: Params, batch: Batch
) -> tuple[float, Params]:
    """Return the loss of a batch and its gradients, with the reference."""
    sources, relations, targets, candidates = batch
    if candidates is not None and candidates.ndim == 1:
        return _sampled_cross_entropy(configuration, model, params, batch)
    scores, cache = model.forward(params, sources, relations, candidates)
    if candidates is None:
        compare, inputs = CrossEntropy(), (scores, targets)
    else:
        compare, inputs = configuration.build_loss(reference), (scores[:, 0], scores[:, 1:])
    loss, loss_cache = compare.forward({}, *inputs)
    d_inputs, _ = compare.backward({}, loss_cache, np.ones_like(loss))
    if candidates is None:
        d_scores = d_inputs[0]
    else:
        d_scores = np.concatenate((d_inputs[0][:, None], d_inputs[1]), axis=1)
    _, grads = model.backward(params, cache, d_scores)
    return _with_penalty(configuration, model, params, batch, float(loss), grads)


def _sampled_cross_entropy(
    configuration: Configuration, model: Layer, params: Params, batch: Batch
) -> tuple[float, Params]:
    sources, relations, targets, candidates = batch
    right, right_cache = model.forward(params, sources, relations, targets[:, None])
    wrong, wrong_cache = model.forward(params, sources, relations, candidates)
    share = np.log(model.num_entities / len(candidates))
    logits = np.concatenate((right, wrong + share), axis=1)
    compare, firsts = CrossEntropy(), np.zeros_like(targets)
    loss, cache = compare.forward({}, logits, firsts)
    (d_logits, _), _ = compare.backward({}, cache, np.ones_like(loss))
    _, of_right = model.backward(params, right_cache, d_logits[:, :1])
    _, of_wrong = model.backward(params, wrong_cache, d_logits[:, 1:])
    grads = {name: of_right[name] + of_wrong[name] for name in of_right}
    return _with_penalty(configuration, model, params, batch, float(loss), grads)


def _with_penalty(
    configuration: Configuration,
    model: Layer,
    params: Params,
    batch: Batch,
    loss: float,
    grads: Params,
) -> tuple[float, Params]:
    if not configuration.penalty:
        return loss, grads
    penalty = reference.FactorPenalty(model, configuration.penalty_power)
    amount, cache = penalty.forward(params, batch.sources, batch.relations, batch.targets)
    _, more = penalty.backward(params, cache, np.asarray(configuration.penalty, amount.dtype))
    grads = {name: grads[name] + more[name] for name in grads}
    return loss + configuration.penalty * float(amount), grads
