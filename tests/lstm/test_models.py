"""The classifier: padding, tokens it does not know, dropout, and training beside PyTorch."""

import numpy as np
import pytest
import torch

from bigmodel_edu.errors import LengthError, ShapeError, TokenError
from bigmodel_edu.lstm import torch_impl
from bigmodel_edu.lstm.reference import LanguageModel, SequenceClassifier, lengths_of
from bigmodel_edu.neural_nets import torch_impl as neural_nets_torch
from bigmodel_edu.neural_nets.experiments.training import Trainer, minibatches, predict
from bigmodel_edu.neural_nets.reference import Adam, Sequential

CLASSIFIER = SequenceClassifier(13, 7, 3, 2, num_layers=2)
WRITER = LanguageModel(13, 7, 3)


def padded(*rows):
    longest = max(map(len, rows))
    return np.array([[*row, *[0] * (longest - len(row))] for row in rows])


@pytest.mark.parametrize("both", [False, True])
def test_a_word_gets_the_same_logits_in_every_batch(both):
    model = SequenceClassifier(13, 7, 3, 2, num_layers=2, bidirectional=both)
    params = model.init(np.random.default_rng(0))
    words = [[3, 1, 4, 1, 5], [9, 2], [6]]
    together, _ = model.forward(params, padded(*words))
    for row, word in enumerate(words):
        alone, _ = model.forward(params, np.array([word]))
        np.testing.assert_allclose(together[row], alone[0], rtol=0, atol=1e-15)


def test_the_padding_vector_learns_nothing():
    params = CLASSIFIER.init(np.random.default_rng(0))
    logits, cache = CLASSIFIER.forward(params, padded([3, 1, 4], [5]))
    _, grads = CLASSIFIER.backward(params, cache, np.ones_like(logits))
    assert not grads["embedding.weight"][0].any()
    assert grads["embedding.weight"][[1, 3, 4, 5]].all()


def test_lengths_are_counted_from_the_padding():
    np.testing.assert_array_equal(lengths_of(padded([3, 1, 4], [5], [2, 2]), 0), [3, 1, 2])


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([[3, 1], [0, 0]], r"tokens\[1\] is nothing but padding \(0\)"),
        ([[3, 1], [0, 4]], r"tokens\[1\] has padding \(0\) before its end"),
    ],
)
def test_padding_where_it_cannot_be(rows, sentence):
    params = CLASSIFIER.init(np.random.default_rng(0))
    with pytest.raises(LengthError, match=sentence):
        CLASSIFIER.forward(params, np.array(rows))


def test_tokens_that_the_models_do_not_know():
    for model in (CLASSIFIER, WRITER):
        params = model.init(np.random.default_rng(0))
        with pytest.raises(TokenError, match=r"tokens\[0, 1\] is 13, expected a token id from 0"):
            model.forward(params, np.array([[1, 13]]))
        with pytest.raises(ShapeError, match=r"expected \(B, T\)"):
            model.forward(params, np.array([1, 2]))


def test_dropout_before_the_logits_is_scaled():
    model = SequenceClassifier(13, 7, 11, 2, dropout=0.5)
    params, rng = model.init(np.random.default_rng(0)), np.random.default_rng(1)
    tokens = padded([3, 1, 4])
    calm, _ = model.forward(params, tokens)
    drawn = [model.forward(params, tokens, training=True, rng=rng)[0] for _ in range(2000)]
    np.testing.assert_allclose(np.mean(drawn, axis=0), calm, atol=0.03)
    assert np.std(drawn) > 0.01


def test_numpy_and_pytorch_train_the_same_classifier():
    rng = np.random.default_rng(0)
    tokens = np.array([[*rng.integers(2, 13, size=5), 0, 0] for _ in range(40)])
    labels = (tokens[:, 0] > 6).astype(np.int64)
    model = Sequential((CLASSIFIER,))
    params = model.init(rng)
    network = neural_nets_torch.Sequential(
        [torch_impl.SequenceClassifier(13, 7, 3, 2, num_layers=2)]
    ).double()
    network.load_state_dict({name: torch.tensor(value) for name, value in params.items()})
    adam, losses = torch.optim.Adam(network.parameters(), lr=1e-2), []
    rng = np.random.default_rng(1)
    for _ in range(3):
        for batch in minibatches(40, 8, rng):
            loss = torch.nn.functional.cross_entropy(
                network(torch.tensor(tokens[batch])), torch.tensor(labels[batch])
            )
            adam.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            adam.step()
            losses.append(loss.item())
    trainer = Trainer(model, Adam(lr=1e-2), max_grad_norm=1.0)
    fitted, history = trainer.fit(
        params, tokens, labels, epochs=3, batch_size=8, rng=np.random.default_rng(1), progress=False
    )
    np.testing.assert_allclose(history.step_loss, losses, rtol=1e-10)
    assert predict(model, fitted, tokens).shape == (40,)
