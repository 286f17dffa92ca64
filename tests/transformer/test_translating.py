"""Translating with a model, trained or drawn at random, and looking at what it does."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from bigmodel_edu.transformer import reference
from bigmodel_edu.transformer.experiments.tokens import END, PADDING, START, padded
from bigmodel_edu.transformer.experiments.training import Result, model_options
from bigmodel_edu.transformer.experiments.translating import (
    Evaluation,
    attention_maps,
    evaluate,
    greedy,
    translate,
)
from bigmodel_edu.transformer.torch_impl import Transformer


def sources(data, vocabulary, n=40):
    pairs = data.draw(np.random.default_rng(5), n)
    rows = zip(pairs.sources, pairs.target_languages, strict=True)
    return torch.from_numpy(padded([vocabulary.encode_source(*row) for row in rows]))


def test_numpy_decodes_the_same_tokens(tiny, data, vocabulary, model):
    layer = reference.Transformer(
        **model_options(replace(tiny, norm_first=model.decoder.norm is not None), data)
    )
    params = {name: value.numpy() for name, value in model.state_dict().items()}
    source = sources(data, vocabulary)
    state = layer.start(params, source.numpy())
    token, tokens = np.full(len(source), START), []
    for _ in range(15):
        token = layer.step(params, token, state).argmax(axis=-1)
        tokens.append(token)
    theirs = greedy(model, source, 15).numpy()
    ours = np.stack(tokens, axis=1)[:, : theirs.shape[1]]
    ended = np.cumsum(ours == END, axis=1) - (ours == END) > 0
    np.testing.assert_array_equal(np.where(ended, PADDING, ours), theirs)


def test_order_and_size_of_the_batches_change_no_translation(data, vocabulary, model):
    pairs = data.draw(np.random.default_rng(5), 30)
    options = {"max_length": 20}
    together = translate(model, vocabulary, pairs.sources, pairs.target_languages, **options)
    for batch_size in (1, 7):
        assert together == translate(
            model,
            vocabulary,
            pairs.sources,
            pairs.target_languages,
            batch_size=batch_size,
            **options,
        )
    back = translate(
        model, vocabulary, pairs.sources[::-1], pairs.target_languages[::-1], **options
    )
    assert back[::-1] == together


def test_translating_leaves_dropout_as_it_was(tiny, data, vocabulary):
    model = Transformer(**model_options(replace(tiny, dropout=0.5), data)).train()
    once, twice = (translate(model, vocabulary, ["3/7/2031"] * 3, ["de"] * 3) for _ in range(2))
    assert once == twice
    assert once[0] == once[1] == once[2]
    assert model.training


# Looking at it


def test_exact_match_by_pair_of_languages(data):
    pairs = data.draw(np.random.default_rng(0), 200)
    targets = zip(pairs.targets, pairs.target_languages, strict=True)
    answers = [text if language == "ja" else text + "x" for text, language in targets]
    evaluation = Evaluation(data.languages, pairs, answers)
    share = np.mean([language == "ja" for language in pairs.target_languages])
    assert evaluation.exact_match == pytest.approx(share)
    of = evaluation.by_language
    assert np.isnan(np.diag(of)).all()
    column = data.languages.index("ja")
    assert (np.delete(of[:, column], column) == 1).all()
    others = np.delete(of, column, axis=1)
    assert (others[~np.isnan(others)] == 0).all()
    assert len(evaluation.errors) == 200 - evaluation.right.sum()
    source, target, answer = evaluation.errors[0]
    assert answer == target + "x"
    assert source in pairs.sources


def test_evaluation_is_of_unseen_dates(data, result):
    evaluation = evaluate(result, data, 60)
    assert set(evaluation.pairs.dates.tolist()) <= set(data.test.tolist())
    assert len(evaluation.answers) == 60
    assert evaluation.exact_match <= 0.05  # after 12 steps


def test_attention_maps_have_a_row_for_what_was_written(data, vocabulary, model):
    result = Result(model, vocabulary, [])
    (answer,) = translate(model, vocabulary, ["March 7, 2031"], ["ja"], max_length=20)
    maps = attention_maps(result, "March 7, 2031", "ja", max_length=20)
    assert maps.read == ["<ja>", *"March 7, 2031", "<end>"]
    assert "".join(maps.written).removesuffix("<end>") == answer
    assert maps.weights.shape == (2, 2, len(maps.written), len(maps.read))
    np.testing.assert_allclose(maps.weights.sum(axis=-1), 1, rtol=1e-5)


def test_attention_maps_are_those_of_the_reference(data, vocabulary, model):
    """In the first layer, whose input can be computed by hand."""
    maps = attention_maps(Result(model, vocabulary, []), "March 7, 2031", "ja", max_length=9)
    layer = model.decoder.layers[0]
    source = torch.tensor([vocabulary.encode_source("March 7, 2031", "ja")])
    tokens = [vocabulary.symbols.index(symbol) for symbol in maps.written]
    with torch.no_grad():
        x = model.target_embedding(torch.tensor([[START, *tokens[:-1]]])) * 16**0.5
        x = model.target_positions(x)
        if layer.norm_first:
            h = layer.norm2(x + layer.self_attn(layer.norm1(x)))
        else:
            h = layer.norm1(x + layer.self_attn(x))
        memory = model.encode(source)
    attention = reference.MultiHeadAttention(16, 2)
    params = {k: v.detach().numpy() for k, v in layer.multihead_attn.state_dict().items()}
    expected = attention.attention_weights(params, h.numpy(), memory.numpy())
    np.testing.assert_allclose(maps.weights[0], expected[0], rtol=0, atol=1e-5)
