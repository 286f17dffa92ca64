"""The outside oracles: what they say when their library is missing, and that they are strict."""

import sys

import numpy as np
import pytest

from bigmodel_edu import catalogue, parity
from bigmodel_edu.components import JudgeUnavailable

PYKEEN = [
    (name, oracle)
    for name, component in catalogue.components().items()
    if component.chapter == "knowledge_graph"
    for oracle in component.oracles
    if oracle.startswith("pykeen.")
]
LAYERS = [(n, o) for n, o in PYKEEN if catalogue.component(n).is_differentiable]


def test_there_is_something_to_test():
    judged = {oracle.rpartition(".")[2] for _, oracle in PYKEEN}
    interactions = {f"{k}Interaction" for k in ("TransE", "DistMult", "ComplEx", "RotatE")}
    assert judged >= interactions | {"BasesDecomposition"}


@pytest.mark.parametrize(("name", "oracle"), PYKEEN)
def test_without_pykeen_a_judge_says_so(name, oracle, monkeypatch):
    for module in [m for m in sys.modules if m.partition(".")[0] == "pykeen"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "pykeen", None)  # makes `import pykeen` fail
    with pytest.raises(JudgeUnavailable, match=r"pykeen cannot be imported .*\[test\]"):
        parity.check(catalogue.component(name), f"oracle:{oracle}")


@pytest.mark.parametrize(("name", "oracle"), LAYERS)
def test_pykeen_judges_outputs_and_every_gradient(name, oracle):
    pytest.importorskip("pykeen", reason="pykeen is not installed")
    component = catalogue.component(name)
    trial = component.draw(np.random.default_rng(0))
    answer = component.oracles[oracle](trial)
    floats = {f"d{k}" for k, value in trial.inputs.items() if value.dtype.kind == "f"}
    assert answer.keys() == {"y", *floats, *(f"grad {key}" for key in trial.params)}
    for key, value in answer.items():
        assert np.abs(value).max() > 1e-9, key


def test_pykeens_rotate_takes_another_norm_than_the_authors():
    """Why the oracle asks it for one number at a time."""
    pytest.importorskip("pykeen", reason="pykeen is not installed")
    import torch
    from pykeen.nn.modules import RotatEInteraction

    zero, turn = torch.zeros(2, dtype=torch.complex64), torch.ones(2, dtype=torch.complex64)
    t = torch.tensor([3 + 0j, 4j])
    assert float(RotatEInteraction()(zero, turn, t)) == pytest.approx(-5)  # ours: -7
