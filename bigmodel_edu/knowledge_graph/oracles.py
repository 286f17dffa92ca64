"""The judges of chapter 8 from outside: PyKEEN, PyTorch, SciPy."""

from collections import Counter
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
import scipy.special
import scipy.stats
import torch

from bigmodel_edu.components import Oracle, Results, Trial, run_torch_module


def pykeen(name: str) -> ModuleType:
    """Return a module of PyKEEN; JudgeUnavailable says what is missing where it is not there."""
    from bigmodel_edu.parity import JudgeUnavailable

    try:
        return import_module(f"pykeen.{name}")
    except ImportError as error:
        raise JudgeUnavailable(
            f"the library pykeen cannot be imported ({error}); it is a dependency of the tests: "
            "pip install -e '.[test]'"
        ) from error


# Losses, sampling, ranking


class PyKEENLoss(torch.nn.Module):
    """A loss of PyKEEN with the arguments of ours; `scale` undoes a factor of theirs."""

    def __init__(self, loss: torch.nn.Module, scale: float = 1.0) -> None:
        super().__init__()
        self.loss, self.scale = loss, scale

    def forward(self, positive: Any, negative: Any, **ignored: Any) -> Any:
        # they take the positives (B, 1), weigh the negatives themselves, and call `view` on them
        return self.scale * self.loss.process_slcwa_scores(positive[:, None], negative.contiguous())


def pykeen_loss(name: str, scale: float = 1.0, **options: Any) -> Oracle:
    """Return the loss of that name in `pykeen.losses` as an oracle."""

    def oracle(trial: Trial) -> Results:
        loss = getattr(pykeen("losses"), name)(**options)
        return run_torch_module(PyKEENLoss(loss, scale), trial)

    return oracle


class TorchMarginRanking(torch.nn.MarginRankingLoss):
    """`torch.nn.MarginRankingLoss` with the arguments of ours."""

    def forward(self, positive: Any, negative: Any) -> Any:
        return super().forward(positive[:, None], negative, torch.ones_like(negative))


def logistic_by_probabilities(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """Return the mean of -log σ(s⁺) and -log(1 - σ(s⁻)), the logarithms of probabilities."""
    right, wrong = scipy.special.expit(positive), 1 - scipy.special.expit(negative)
    return -np.log(np.concatenate((right, wrong.ravel()))).mean()


def ranks_by_pykeen(trial: Trial) -> Results:
    """Return the ranks by PyKEEN, for which a known answer has the score NaN."""
    scores, targets, rows, columns = trial.inputs.values()
    own = scores[np.arange(len(scores)), targets]
    masked = scores.copy()
    masked[rows, columns] = np.nan
    masked[np.arange(len(scores)), targets] = own
    theirs = pykeen("evaluation.ranks").Ranks.from_scores(
        torch.from_numpy(own)[:, None], torch.from_numpy(masked)
    )
    named = theirs.to_type_dict() | {"candidates": theirs.number_of_options}
    return {name: value.numpy() for name, value in named.items()}


def ranks_by_scipy(trial: Trial) -> Results:
    """Return the ranks by `scipy.stats.rankdata`, question by question, without the known ones."""
    scores, targets, rows, columns = trial.inputs.values()
    results: dict[str, list] = {"optimistic": [], "pessimistic": [], "realistic": []}
    for b, target in enumerate(targets):
        kept = [e for e in range(scores.shape[1]) if e == target or e not in columns[rows == b]]
        for name, method in zip(results, ("min", "max", "average"), strict=True):
            ranked = scipy.stats.rankdata(-scores[b, kept], method=method)
            results[name].append(ranked[kept.index(target)])
    return {name: np.array(values) for name, values in results.items()}


def metrics_by_pykeen(trial: Trial) -> Results:
    """Return the metrics of ranks by PyKEEN."""
    theirs = pykeen("metrics.ranking")
    metrics = {
        "mean_rank": theirs.ArithmeticMeanRank(),
        "mrr": theirs.InverseHarmonicMeanRank(),
        **{f"hits_at_{k}": theirs.HitsAtK(k=k) for k in (1, 3, 10)},
        "adjusted_mean_rank_index": theirs.AdjustedArithmeticMeanRankIndex(),
    }
    ranks, candidates = trial.inputs.values()
    return {name: np.array(metric(ranks, candidates)) for name, metric in metrics.items()}


def bernoulli_by_pykeen(facts: np.ndarray) -> np.ndarray:
    """Return the probabilities of PyKEEN's sampler, which are float32."""
    sampler = pykeen("sampling").BernoulliNegativeSampler(mapped_triples=torch.from_numpy(facts))
    return sampler.corrupt_head_probability.double().numpy()


# Models, penalties, graph convolution


def gradients_of(compute: Callable[[dict[str, Any]], Any], trial: Trial) -> Results:
    """Return y and its gradients, computed by `compute(tensors of params and inputs)`."""
    tensors = {
        name: torch.from_numpy(value.copy()).requires_grad_(value.dtype.kind == "f")
        for name, value in (trial.params | trial.inputs).items()
    }
    y = compute(tensors)
    y.backward(torch.from_numpy(trial.upstream["y"]))
    grads = {f"grad {name}": tensors[name].grad for name in trial.params}
    grads |= {f"d{name}": tensors[name].grad for name in trial.inputs}
    found = {"y": y.detach()} | {name: grad for name, grad in grads.items() if grad is not None}
    return {name: value.numpy() for name, value in found.items()}


def pykeen_interaction(name: str, **options: Any) -> Oracle:
    """Return the interaction function of that name in `pykeen.nn.modules` as an oracle.

    It knows no inverse relations: a question for the inverse of r, (t, r⁻¹, ?), is the question
    (?, r, t) there. A relation r + R with an embedding of its own is a relation like any other.
    """

    def oracle(trial: Trial) -> Results:
        interaction = getattr(pykeen("nn.modules"), f"{name}Interaction")(**options)
        return gradients_of(lambda tensors: scores(interaction, tensors), trial)

    def scores(interaction: Any, tensors: dict[str, Any]) -> Any:
        entities, relations = tensors["entity.weight"], tensors["relation.weight"]
        asked = tensors["relations"]
        own = entities[tensors["sources"]][:, None]
        others = entities[tensors["candidates"]] if "candidates" in tensors else entities
        others = others.expand(len(asked), *others.shape[-2:])
        own = own.expand_as(others)
        rows = relations[asked % len(relations)][:, None]
        is_tail_asked = (asked < len(relations))[:, None, None]
        heads, tails = (
            torch.where(is_tail_asked, first, second)
            for first, second in ((own, others), (others, own))
        )
        return call(interaction, heads, rows, tails)

    def call(interaction: Any, h: Any, r: Any, t: Any) -> Any:
        if name == "ComplEx":
            return interaction(as_complex(h), as_complex(r), as_complex(t))
        if name == "RotatE":
            # Theirs takes the length of the whole vector; of one number alone, that is its modulus.
            turns = torch.polar(torch.ones_like(r), r)
            numbers = (z[..., None] for z in (as_complex(h), turns, as_complex(t)))
            return interaction(*numbers).sum(dim=-1)
        return interaction(h, r, t)

    return oracle


def as_complex(x: Any) -> Any:
    """Return complex numbers (..., d) of their real, then their imaginary parts (..., 2d)."""
    half = x.shape[-1] // 2
    return x[..., :half] + 1j * x[..., half:]


def penalty_by_factors(power: int, *, complex_numbers: bool, angles: bool = False) -> Oracle:
    """Return the penalty fact by fact, factor by factor."""

    def compute(tensors: dict[str, Any]) -> Any:
        entities, relations = tensors["entity.weight"], tensors["relation.weight"]
        total = entities.new_zeros(())
        facts = [tensors[name] for name in ("sources", "relations", "targets")]
        for s, r, t in zip(*facts, strict=True):
            factors = [entities[s], entities[t]]
            if not angles:
                factors.append(relations[r % len(relations)])
            for x in factors:
                squares = x**2
                if complex_numbers:
                    squares = squares[: len(x) // 2] + squares[len(x) // 2 :]
                total = total + (squares ** (power / 2)).sum()
        return total / len(facts[0])

    return lambda trial: gradients_of(compute, trial)


def rgcn_by_adjacency(trial: Trial) -> Results:
    """Return the graph convolution with one dense adjacency matrix for every relation."""

    def compute(tensors: dict[str, Any]) -> Any:
        x, coefficients = tensors["x"], tensors["coefficients"]
        y = x @ tensors["self_loop.weight"].T + tensors["self_loop.bias"]
        for r in range(len(coefficients)):
            adjacency = np.zeros((len(x), len(x)))
            own = edges[edges[:, 1] == r]
            np.add.at(adjacency, (own[:, 2], own[:, 0]), 1)
            adjacency /= np.maximum(adjacency.sum(axis=1, keepdims=True), 1)
            weight = torch.einsum("n,noi->oi", coefficients[r], tensors["bases"])
            y = y + torch.from_numpy(adjacency).to(x) @ x @ weight.T
        return y

    edges = trial.mode()["edges"]
    return gradients_of(compute, trial)


def rgcn_by_pykeen(trial: Trial) -> Results:
    """Return the graph convolution by PyKEEN's basis decomposition; the self-loop is ours.

    There a message runs against the arrow, from target to source, so that the two change places.
    """
    sources, relations, targets = torch.from_numpy(trial.mode()["edges"]).T
    pairs = list(zip(targets.tolist(), relations.tolist(), strict=True))
    degrees = Counter(pairs)
    shares = torch.tensor([1 / degrees[pair] for pair in pairs], dtype=torch.float64)
    n_relations, n_bases = trial.params["coefficients"].shape
    _, out, into = trial.params["bases"].shape
    layer = pykeen("nn.message_passing").BasesDecomposition(
        num_bases=n_bases, num_relations=n_relations, input_dim=into, output_dim=out
    )

    def compute(tensors: dict[str, Any]) -> Any:
        theirs = {
            "relation_representations.base._embeddings.weight": tensors["bases"].mT.flatten(1),
            "relation_representations.weight._embeddings.weight": tensors["coefficients"],
        }
        x = tensors["x"]
        with torch.sparse.check_sparse_tensor_invariants():  # PyTorch warns where nobody chose
            messages = torch.func.functional_call(
                layer, theirs, (x, targets, sources, relations, shares.to(x)), strict=True
            )
        return x @ tensors["self_loop.weight"].T + tensors["self_loop.bias"] + messages

    return gradients_of(compute, trial)
