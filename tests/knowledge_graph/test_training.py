"""Batches, both trainings on the very same numbers, interruption, and what cannot be trained."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from torch import nn

from bigmodel_edu.data import KnowledgeGraph
from bigmodel_edu.errors import BookError, HyperparameterError, UnknownName
from bigmodel_edu.knowledge_graph import reference, torch_impl
from bigmodel_edu.knowledge_graph.experiments.training import (
    LOSSES,
    MODELS,
    Batch,
    Batches,
    Configuration,
    Learner,
    loss_and_gradients,
    torch_scores,
    train,
    train_numpy,
    training_of,
)
from bigmodel_edu.training import checkpoints
from bigmodel_edu.training.batches import EpochBatches
from bigmodel_edu.training.checkpoints import CheckpointError
from bigmodel_edu.training.finite import NonFiniteLoss

E, R = 13, 3
SMALL = Configuration(dim=5, epochs=5, batch_size=31, learning_rate=0.03)
STEPS = 4  # of an epoch: 59 facts, each asked about twice


def random_graph(seed=0, name="random"):
    rng = np.random.default_rng(seed)
    facts = rng.permutation(np.unique(rng.integers([E, R, E], size=(101, 3)), axis=0))
    return KnowledgeGraph(
        name,
        tuple(f"entity {i}" for i in range(E)),
        tuple(f"relation {i}" for i in range(R)),
        facts[:59],
        facts[59:66],
        facts[66:77],
        source="drawn",
    )


GRAPH = random_graph()


@pytest.fixture(scope="module")
def whole():
    """A training without interruption."""
    return train(SMALL, GRAPH, progress=False)


def same_result(one, other):
    assert one.losses == other.losses
    theirs = other.model.state_dict()
    for name, value in one.model.state_dict().items():
        assert torch.equal(value, theirs[name]), name


def both_ways(facts):
    """The answers of all questions, by a dictionary of sets."""
    answers = {}
    for head, relation, tail in facts.tolist():
        answers.setdefault((head, relation), set()).add(tail)
        answers.setdefault((tail, relation + R), set()).add(head)
    return answers


# Configuration


def test_a_configuration_is_json():
    assert Configuration(**json.loads(json.dumps(asdict(SMALL)))) == SMALL


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("model", "Complex", "expected one of TransE, DistMult, ComplEx, RotatE. Did you mean 'C"),
        ("loss", "margins", "expected one of cross_entropy, margin, logistic, self_adversarial. D"),
        ("sampling", "all", "expected one of uniform, bernoulli."),
    ],
)
def test_an_unknown_name_is_refused(name, value, says):
    with pytest.raises(UnknownName, match=f"{name} is {value!r}, {says}"):
        Configuration(**{"negatives": 1, name: value})


@pytest.mark.parametrize(
    ("wrong", "others"),
    [
        ({"dim": 0}, {}),
        ({"epochs": 0}, {}),
        ({"epochs": 1.5}, {}),
        ({"batch_size": 0}, {}),
        ({"learning_rate": 0}, {}),
        ({"learning_rate": float("nan")}, {}),
        ({"learning_rate": float("inf")}, {}),
        ({"negatives": -1}, {}),
        ({"negatives": 0}, {"loss": "margin"}),
        ({"penalty": -0.1}, {}),
        ({"penalty_power": 4}, {}),
        ({"p": 3}, {"model": "TransE"}),
        ({"margin": -1.0}, {"loss": "margin", "negatives": 2}),
        ({"temperature": -1.0}, {"loss": "self_adversarial", "negatives": 2}),
    ],
)
def test_numbers_that_cannot_be_trained_with(wrong, others):
    ((name, value),) = wrong.items()
    with pytest.raises(HyperparameterError, match=f"{name} is {value}, expected") as caught:
        Configuration(**wrong, **others)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("module", [reference, torch_impl])
def test_models_and_losses_are_built_with_their_numbers(module):
    model = Configuration("TransE", dim=7, p=1, reciprocal=True).build(module, GRAPH)
    assert (model.p, model.reciprocal, model.num_relations) == (1, True, R)
    shapes = {
        name: tuple(value.shape)
        for name, value in (
            model.state_dict() if module is torch_impl else model.init(np.random.default_rng())
        ).items()
    }
    assert shapes == {"entity.weight": (E, 7), "relation.weight": (2 * R, 7)}
    options = {"margin": 2.5, "temperature": 0.5, "negatives": 1}
    assert Configuration(loss="margin", **options).build_loss(module).margin == 2.5
    loss = Configuration(loss="self_adversarial", **options).build_loss(module)
    assert (loss.margin, loss.temperature) == (2.5, 0.5)
    assert isinstance(
        Configuration(loss="logistic", negatives=1).build_loss(module), (module.LogisticLoss)
    )


# Batches

WITH_NEGATIVES = replace(SMALL, loss="margin", negatives=7)


def epoch_of(configuration, number, graph=GRAPH):
    return list(Batches(configuration, graph).epoch(number))


def together(batches):
    """The questions (n, 3) of batches."""
    return np.concatenate([np.stack(batch[:3], axis=1) for batch in batches])


@pytest.mark.parametrize("sampling", ["uniform", "bernoulli"])
def test_batches_are_a_function_of_seed_and_epoch(sampling):
    configuration = replace(WITH_NEGATIVES, sampling=sampling)
    batches = Batches(configuration, GRAPH)
    for earlier in (0, 1, 2):
        list(batches.epoch(earlier))
    next(iter(batches.epoch(3)))  # broken off
    for one, other in zip(batches.epoch(3), epoch_of(configuration, 3), strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)
    third = together(epoch_of(configuration, 3))
    assert not np.array_equal(third, together(epoch_of(configuration, 2)))
    assert not np.array_equal(third, together(epoch_of(replace(configuration, seed=1), 3)))


def test_an_epoch_asks_every_question_once():
    batches = epoch_of(SMALL, 1)
    assert [len(batch.sources) for batch in batches] == [31, 31, 31, 25]
    assert len(Batches(SMALL, GRAPH)) == 4
    asked = together(batches)
    np.testing.assert_array_equal(np.unique(asked, axis=0), np.unique(questions(), axis=0))
    assert len(asked) == len(np.unique(asked, axis=0)) == 2 * 59
    assert not np.array_equal(asked, questions())  # but in another order


def questions():
    return np.array([(s, r, t) for (s, r), ts in both_ways(GRAPH.train).items() for t in ts])


def test_candidates_of_each_loss():
    assert all(batch.candidates is None for batch in epoch_of(SMALL, 0))
    shared = [batch.candidates for batch in epoch_of(replace(SMALL, negatives=7), 0)]
    assert [c.shape for c in shared] == [(7,)] * 4
    assert not np.array_equal(shared[0], shared[1])
    assert np.unique(shared).size > 8
    for loss in LOSSES[1:]:
        batches = epoch_of(replace(WITH_NEGATIVES, loss=loss), 0)
        assert [b.candidates.shape for b in batches] == [(31, 8)] * 3 + [(25, 8)]
        for batch in batches:
            np.testing.assert_array_equal(batch.candidates[:, 0], batch.targets)
            assert (batch.candidates[:, 1:] != batch.targets[:, None]).all()


def test_filtered_negatives_hold_no_known_fact_and_spare_no_unknown_one():
    trained_on, held_out = both_ways(GRAPH.train), both_ways(GRAPH.test)
    many = replace(WITH_NEGATIVES, negatives=41)

    def right(filtered, answers):
        return sum(
            int(np.isin(row[1:], list(answers.get((s, r), ()))).sum())
            for batch in epoch_of(replace(many, filtered=filtered), 0)
            for s, r, row in zip(batch.sources, batch.relations, batch.candidates, strict=True)
        )

    assert right(False, trained_on) > 0
    assert right(True, trained_on) == 0
    assert right(True, held_out) > 0  # who trains does not know the test facts


def test_bernoulli_asks_for_the_side_with_fewer_right_answers():
    """A hub with twelve spokes: one head, twelve tails, so that 12 of 13 ask for the head."""
    spokes = np.array([(0, 0, i) for i in range(1, 13)])
    links = np.array([(1, 1, 2), (2, 1, 3)])
    graph = KnowledgeGraph(
        "wheel",
        GRAPH.entities,
        ("spoke", "link"),
        np.concatenate((spokes, links)),
        np.array([(3, 1, 4)]),
        np.array([(4, 1, 5)]),
        source="made up",
    )
    configuration = Configuration(loss="margin", negatives=2, sampling="bernoulli", filtered=False)
    asked = np.concatenate([together(epoch_of(configuration, n, graph)) for n in range(100)])
    inverse = asked[:, 1] >= 2
    facts = np.where(inverse[:, None], asked[:, ::-1] - [0, 2, 0], asked)
    found, counts = np.unique(facts, axis=0, return_counts=True)
    np.testing.assert_array_equal(found, np.unique(graph.train, axis=0))
    assert (counts == 2 * 100).all()
    share = inverse[facts[:, 1] == 0].mean()
    assert abs(share - 12 / 13) < 5 * (12 / 13 / 13 / 2400) ** 0.5


# NumPy and PyTorch


@pytest.mark.parametrize("penalty", [{}, {"penalty": 0.1}, {"penalty": 0.1, "penalty_power": 2}])
@pytest.mark.parametrize(
    "loss",
    [{"loss": loss, "negatives": 5} for loss in LOSSES] + [{"negatives": 0}],
    ids=lambda loss: loss.get("loss", "all"),
)
@pytest.mark.parametrize("model", MODELS)
def test_numpy_and_pytorch_train_to_the_same_numbers(model, loss, penalty):
    configuration = replace(SMALL, model=model, epochs=2, **loss, **penalty)
    _, params, ours = train_numpy(configuration, GRAPH, progress=False)
    theirs = train(configuration, GRAPH, double=True, progress=False)
    np.testing.assert_allclose(ours, theirs.losses, rtol=0, atol=1e-9)
    for name, value in theirs.model.state_dict().items():
        np.testing.assert_allclose(params[name], value, rtol=0, atol=1e-8, err_msg=name)
    assert ours[1] < ours[0]


@pytest.mark.parametrize(
    "options", [{"reciprocal": True}, {"model": "TransE", "p": 1}, {"decay": True}]
)
def test_they_do_with_other_options_of_the_models(options):
    configuration = replace(SMALL, epochs=2, **options)
    _, _, ours = train_numpy(configuration, GRAPH, progress=False)
    theirs = train(configuration, GRAPH, double=True, progress=False).losses
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)


@pytest.mark.parametrize("decay", [False, True])
def test_the_learning_rate_falls_to_zero_if_asked_to(monkeypatch, decay):
    configuration = replace(SMALL, decay=decay)
    training, rates = training_of(Learner(configuration, GRAPH)), []
    (optimizer,) = (objective.optimizer for objective in training.objectives)
    step = optimizer.step

    def noting():
        rates.append(optimizer.param_groups[0]["lr"])
        step()

    monkeypatch.setattr(optimizer, "step", noting)
    training.run(progress=False)
    done = np.arange(5 * 4) / (5 * 4)  # of five epochs with four batches
    expected = 0.03 * (1 + np.cos(np.pi * done)) / 2 if decay else np.full(20, 0.03)
    np.testing.assert_allclose(rates, expected)


def test_the_sampled_cross_entropy_by_hand():
    """-log of e^{s⁺} / (e^{s⁺} + E/N Σ e^{s⁻}), which estimates the sum over all entities."""
    configuration = replace(SMALL, negatives=4)
    model = configuration.build(reference, GRAPH)
    params = model.init(np.random.default_rng(1))
    params = {name: 5 * value for name, value in params.items()}
    batch = Batch(np.array([1, 2]), np.array([0, 4]), np.array([3, 7]), np.array([0, 5, 5, 12]))
    scores, _ = model.forward(params, batch.sources, batch.relations)
    right = np.exp(scores[[0, 1], batch.targets])
    wrong = np.exp(scores[:, batch.candidates]).sum(axis=1) * E / 4
    loss, _ = loss_and_gradients(configuration, model, params, batch)
    assert loss == pytest.approx(-np.log(right / (right + wrong)).mean(), rel=1e-12)


def test_the_penalty_is_added_with_its_weight():
    batch = epoch_of(SMALL, 0)[0]
    model = SMALL.build(reference, GRAPH)
    params = model.init(np.random.default_rng(0))
    without, _ = loss_and_gradients(SMALL, model, params, batch)
    loss, _ = loss_and_gradients(replace(SMALL, penalty=2.0), model, params, batch)
    amount, _ = reference.FactorPenalty(model).forward(params, *batch[:3])
    assert loss - without == pytest.approx(2 * float(amount), rel=1e-9)


def test_it_learns(whole):
    longer = train(replace(SMALL, epochs=60), GRAPH, progress=False)
    assert longer.losses[:5] == whole.losses
    index = reference.FactIndex(GRAPH.train, E, R)
    found = reference.evaluate(torch_scores(longer.model), GRAPH.questions("train"), index)
    assert found.metrics().mrr > 0.9


def test_the_seed_decides_everything_and_the_callers_numbers_are_left_alone(whole):
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    same_result(train(SMALL, GRAPH, progress=False), whole)
    assert torch.equal(torch.rand(3), expected)
    assert train(replace(SMALL, seed=1), GRAPH, progress=False).losses != whole.losses


# Interrupted and resumed


class PowerFailure(Exception):
    pass


def failing_in(monkeypatch, last):
    """Let the power fail after two batches of the epoch `last`."""
    epoch = Batches.epoch

    def failing(self, number):
        for step, batch in enumerate(epoch(self, number)):
            if (number, step) == (last, 2):
                raise PowerFailure
            yield batch

    monkeypatch.setattr(Batches, "epoch", failing)


@pytest.mark.parametrize("last", [0, 1, 4])
def test_an_interrupted_training_resumes_to_the_same_numbers(whole, tmp_path, monkeypatch, last):
    with monkeypatch.context() as patch:
        failing_in(patch, last)
        with pytest.raises(PowerFailure):
            train(SMALL, GRAPH, tmp_path, progress=False)
    saved = checkpoints.latest(tmp_path)
    assert (checkpoints.load(saved).step if saved else 0) == STEPS * last  # this epoch only is lost
    epochs = []
    resumed = train(
        SMALL, GRAPH, tmp_path, on_epoch=lambda epoch, _: epochs.append(epoch), progress=False
    )
    assert epochs == list(range(last + 1, 6))
    same_result(resumed, whole)


def test_interrupted_between_epochs_again_and_again(whole, tmp_path):
    def stop(epoch, model):
        raise PowerFailure

    for done in (1, 2, 3):
        with pytest.raises(PowerFailure):
            train(SMALL, GRAPH, tmp_path, on_epoch=stop, progress=False)
        assert checkpoints.load(checkpoints.latest(tmp_path)).step == STEPS * done
    same_result(train(SMALL, GRAPH, tmp_path, progress=False), whole)
    assert len(checkpoints.all_in(tmp_path)) == 2


def test_a_falling_rate_goes_on_from_where_it_was(tmp_path):
    decaying = replace(SMALL, decay=True)

    def stop(epoch, model):
        if epoch == 2:
            raise PowerFailure

    with pytest.raises(PowerFailure):
        train(decaying, GRAPH, tmp_path, on_epoch=stop, progress=False)
    resumed = train(decaying, GRAPH, tmp_path, progress=False)
    same_result(resumed, train(decaying, GRAPH, progress=False))


def test_a_finished_training_is_only_read(whole, tmp_path, monkeypatch):
    train(SMALL, GRAPH, str(tmp_path), progress=False)
    monkeypatch.delattr(EpochBatches, "__getitem__")
    same_result(train(SMALL, GRAPH, tmp_path, progress=False), whole)


@pytest.mark.parametrize(
    ("configuration", "graph", "says"),
    [
        (replace(SMALL, dim=7), GRAPH, "dim is 5 in the checkpoint, 7 here"),
        (replace(SMALL, penalty=0.5), GRAPH, "penalty is 0.0 in the checkpoint, 0.5 here"),
        (SMALL, random_graph(name="other"), 'graph.name is "random" in the checkpoint, "other"'),
        (SMALL, random_graph(seed=1), "graph.facts is .* in the checkpoint"),  # as many of them
    ],
)
def test_a_checkpoint_of_another_training_is_refused(tmp_path, configuration, graph, says):
    train(replace(SMALL, epochs=5), GRAPH, tmp_path, progress=False)
    with pytest.raises(CheckpointError, match=says):
        train(configuration, graph, tmp_path, progress=False)


def test_a_damaged_checkpoint_is_refused(tmp_path):
    train(SMALL, GRAPH, tmp_path, progress=False)
    path = checkpoints.latest(tmp_path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="is damaged or cut short"):
        train(SMALL, GRAPH, tmp_path, progress=False)


# A loss that is no number


def test_a_poisoned_table_names_the_epoch_and_spares_the_checkpoint(whole, tmp_path):
    models = []

    def poison(epoch, model):
        models.append(model)
        if epoch == 2:
            with torch.no_grad():
                model.entity.weight[:] = torch.nan

    with pytest.raises(NonFiniteLoss, match="the loss of step 8 is nan, expected a fin") as caught:
        train(SMALL, GRAPH, tmp_path, on_epoch=poison, progress=False)
    assert isinstance(caught.value, BookError)
    assert caught.value.step == 2 * STEPS
    before = caught.value.params["relation.weight"]
    assert np.isfinite(before).all()
    assert not np.shares_memory(before, models[0].relation.weight.detach().numpy())
    same_result(train(SMALL, GRAPH, tmp_path, progress=False), whole)  # without poison


@pytest.mark.filterwarnings("ignore:(overflow|invalid value) encountered:RuntimeWarning")
@pytest.mark.parametrize(("run", "rate"), [(train, 1e20), (train_numpy, 1e200)])
def test_a_learning_rate_too_large(run, rate):
    configuration = replace(SMALL, model="DistMult", learning_rate=rate)
    with pytest.raises(NonFiniteLoss, match="Try a smaller learning rate") as caught:
        run(configuration, GRAPH, progress=False)
    assert caught.value.step < STEPS  # in the first epoch
    assert np.isfinite(caught.value.params["entity.weight"]).all()


# With an encoder


class OwnTable(nn.Module):
    """An encoder that is no more than a table, with dropout if asked for."""

    def __init__(self, configuration=SMALL, dropout=0.0):
        super().__init__()
        layer = configuration.build(reference, GRAPH)
        params = layer.init(np.random.default_rng(configuration.seed))
        self.table = nn.Parameter(torch.from_numpy(params["entity.weight"]).float())
        self.dropout = nn.Dropout(dropout)

    def forward(self):
        return self.dropout(self.table)


@pytest.mark.parametrize("options", [{"negatives": 5}, {"loss": "margin", "negatives": 5}, {}])
def test_an_encoder_takes_the_place_of_the_table(options):
    configuration = replace(SMALL, penalty=0.1, **options)
    own = train(configuration, GRAPH, progress=False)
    encoded = train(configuration, GRAPH, encoder=OwnTable(), progress=False)
    np.testing.assert_allclose(encoded.losses, own.losses, rtol=1e-4)
    torch.testing.assert_close(encoded.model.relation.weight, own.model.relation.weight)


def test_the_gradient_reaches_the_encoder_and_passes_the_models_own_table_by():
    learner = Learner(replace(SMALL, penalty=0.1), GRAPH, OwnTable())
    learner.loss(epoch_of(SMALL, 0)[0]).backward()
    without = Learner(replace(SMALL, penalty=0.1), GRAPH)
    without.loss(epoch_of(SMALL, 0)[0]).backward()
    assert learner.model.entity.weight.grad is None
    torch.testing.assert_close(learner.encoder.table.grad, without.model.entity.weight.grad)
    assert (learner.encoder.table.grad != 0).any()
    assert len(learner.parameters()) == 2


def test_what_is_trained_holds_the_encoders_table():
    encoder = OwnTable(dropout=0.5)
    seen = []

    def on_epoch(epoch, model):
        torch.testing.assert_close(model.entity.weight, encoder.table, rtol=0, atol=0)
        seen.append(model.entity.weight.detach().clone())
        assert encoder.training  # dropout acts in the next epoch

    model = train(SMALL, GRAPH, encoder=encoder, on_epoch=on_epoch, progress=False).model
    assert torch.equal(model.entity.weight, encoder.table)
    assert not torch.equal(seen[0], seen[-1])
    assert not model.training


def test_an_encoder_has_no_checkpoints(tmp_path):
    with pytest.raises(HyperparameterError, match="folder and encoder are both given"):
        train(SMALL, GRAPH, tmp_path, encoder=OwnTable(), progress=False)
    assert not list(tmp_path.iterdir())


def test_scores_for_the_evaluation_are_those_of_the_model(whole):
    layer = SMALL.build(reference, GRAPH)
    params = {name: value.numpy() for name, value in whole.model.state_dict().items()}
    sources, relations, _ = GRAPH.questions("test").T
    expected, _ = layer.forward(params, sources, relations)
    scores = torch_scores(whole.model)(sources, relations)
    assert isinstance(scores, np.ndarray)
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-5)
