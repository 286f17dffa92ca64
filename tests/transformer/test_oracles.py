"""The outside oracles: what they say when their library is missing, and that they are strict."""

import sys

import numpy as np
import pytest

from bigmodel_edu import catalogue, parity
from bigmodel_edu.components import JudgeUnavailable

BLOCKS = {
    "encoder_layer_bert": "oracle:transformers.BertLayer",
    "encoder_layer_gpt2": "oracle:transformers.GPT2Block",
    "decoder_block": "oracle:transformers.LlamaDecoderLayer",
}


def component(name):
    return catalogue.component(f"transformer.{name}")


@pytest.mark.parametrize("name", BLOCKS)
def test_without_transformers_a_judge_says_so(name, monkeypatch):
    for module in [m for m in sys.modules if m.partition(".")[0] == "transformers"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "transformers", None)  # makes `import transformers` fail
    with pytest.raises(JudgeUnavailable, match=r"transformers cannot be imported .*\[test\]"):
        parity.check(component(name), BLOCKS[name])


@pytest.mark.parametrize("name", BLOCKS)
def test_blocks_of_transformers_judge_outputs_and_gradients(name):
    pytest.importorskip("transformers", reason="transformers is not installed")
    trial = component(name).draw(np.random.default_rng(0))
    answer = component(name).oracles[BLOCKS[name].removeprefix("oracle:")](trial)
    assert answer.keys() == {"y", "dx", *(f"grad {key}" for key in trial.params)}


@pytest.mark.parametrize("name", BLOCKS)
def test_blocks_of_transformers_use_every_one_of_our_parameters(name):
    pytest.importorskip("transformers", reason="transformers is not installed")
    trial = component(name).draw(np.random.default_rng(0))
    oracle = component(name).oracles[BLOCKS[name].removeprefix("oracle:")]
    for key, gradient in oracle(trial).items():
        assert np.abs(gradient).max() > 1e-9, key
