"""Decoding with the cache: the logits and tokens of decoding without it."""

import numpy as np
import torch

from bigmodel_edu.transformer.experiments.incremental_decoding import IncrementalDecoder
from bigmodel_edu.transformer.experiments.tokens import END, PADDING, START, padded
from bigmodel_edu.transformer.experiments.translating import greedy


def without_cache(model, source, max_length):
    """Decode the whole prefix anew for every token."""
    memory, mask = model.encode(source), model.source_mask(source)
    target = torch.full((len(source), 1), START)
    ended = torch.zeros(len(source), dtype=torch.bool)
    while target.shape[1] <= max_length and not ended.all():
        token = model.decode(target, memory, mask)[:, -1].argmax(dim=-1).masked_fill(ended, PADDING)
        target = torch.cat([target, token[:, None]], dim=1)
        ended |= token == END
    return target[:, 1:]


def sources(data, vocabulary, n=40):
    pairs = data.draw(np.random.default_rng(5), n)
    rows = zip(pairs.sources, pairs.target_languages, strict=True)
    return torch.from_numpy(padded([vocabulary.encode_source(*row) for row in rows]))


def test_the_cache_changes_no_logits(data, vocabulary, model):
    source = sources(data, vocabulary)
    target = torch.randint(3, len(vocabulary), (len(source), 20))
    with torch.no_grad():
        expected = model(source, target)
        decoder = IncrementalDecoder(model, source)
        logits = torch.stack([decoder.step(target[:, t]) for t in range(20)], dim=1)
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-4)
    assert decoder.length == 20


def test_the_cache_changes_no_token(data, vocabulary, model):
    source = sources(data, vocabulary)
    with torch.no_grad():
        assert torch.equal(greedy(model, source, 30), without_cache(model, source, 30))
