"""For the tests of what the chapter trains: a tiny configuration, dates, and models."""

from dataclasses import replace

import pytest
import torch

from bigmodel_edu.data import load_cldr_dates
from bigmodel_edu.transformer.experiments.tokens import Vocabulary
from bigmodel_edu.transformer.experiments.training import Configuration, model_options, train
from bigmodel_edu.transformer.torch_impl import Transformer

TINY = Configuration(
    d_model=16, num_heads=2, num_layers=2, d_ff=24, steps=12, warm_up=3, batches_sorted=5
)


@pytest.fixture(scope="module")
def tiny():
    return TINY


@pytest.fixture(scope="module")
def data():
    return load_cldr_dates(("en", "de", "ja", "bn"))


@pytest.fixture(scope="module")
def vocabulary(data):
    return Vocabulary.of(data)


@pytest.fixture(scope="module")
def result(data):
    return train(TINY, data, progress=False)


@pytest.fixture(scope="module", params=[True, False], ids=["pre-norm", "post-norm"])
def model(data, request):
    """A model with random parameters, whose translations are of all lengths."""
    torch.manual_seed(0)
    model = Transformer(**model_options(replace(TINY, norm_first=request.param), data))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.5)
            if parameter.ndim == 1:
                parameter.add_(0.1 * torch.randn_like(parameter))
    return model.eval()
