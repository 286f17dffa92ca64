from dataclasses import replace

import numpy as np
import pytest
import torch

from bigmodel_edu.data import load_cldr_dates
from bigmodel_edu.errors import (
    BookError,
    HyperparameterError,
    LengthError,
    TokenError,
    UnknownName,
)
from bigmodel_edu.training.checkpoints import CheckpointError, latest
from bigmodel_edu.training.finite import NonFiniteLoss
from bigmodel_edu.transformer import reference
from bigmodel_edu.transformer.incremental import IncrementalDecoder
from bigmodel_edu.transformer.torch_impl import Transformer
from bigmodel_edu.transformer.translating import (
    Evaluation,
    attention_maps,
    evaluate,
    greedy,
    translate,
)
from bigmodel_edu.transformer.translation import (
    END,
    PADDING,
    START,
    Batches,
    Configuration,
    Result,
    Vocabulary,
    losses_of_both,
    model_options,
    padded,
    train,
)

TINY = Configuration(
    d_model=16, num_heads=2, num_layers=2, d_ff=24, steps=12, warm_up=3, batches_sorted=5
)


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


# Tokens


def test_a_source_begins_with_the_language_that_is_wanted(vocabulary):
    tokens = vocabulary.encode_source("3月", "bn")
    assert [vocabulary.symbols[t] for t in tokens] == ["<bn>", "3", "月", "<end>"]
    assert vocabulary.encode_target("3月") == [START, *tokens[1:-1], END]


def test_every_text_comes_back(data, vocabulary):
    pairs = data.draw(np.random.default_rng(0), 300)
    for text in (*pairs.sources, *pairs.targets):
        assert vocabulary.decode(vocabulary.encode_target(text)) == text


def test_tokens_are_all_different(vocabulary):
    assert len(set(vocabulary.symbols)) == len(vocabulary) == 3 + 4 + len(vocabulary.characters)
    assert vocabulary.symbols[PADDING] == "<pad>"


def test_what_comes_after_the_end_is_left_out(vocabulary):
    one, two = vocabulary.encode_target("12")[1:-1]
    assert vocabulary.decode([START, one, two, END, two, PADDING]) == "12"
    assert vocabulary.decode(np.array([one, two])) == "12"


@pytest.mark.parametrize(
    ("text", "language", "error", "says"),
    [
        ("3. März", "fr", UnknownName, "Unknown target language 'fr', expected one of en, de"),
        ("3 марта", "de", TokenError, "'3 марта' holds 'м', which is none of the"),
        ("", "de", LengthError, "the text is empty, expected at least one character"),
    ],
)
def test_a_text_that_cannot_be_encoded(vocabulary, text, language, error, says):
    with pytest.raises(error, match=says) as caught:
        vocabulary.encode_source(text, language)
    assert "\n" not in str(caught.value)


# Batches


def test_padding_comes_last():
    np.testing.assert_array_equal(
        padded([[5, 4], [3], [7, 8, 9]]), [[5, 4, 0], [3, 0, 0], [7, 8, 9]]
    )


def test_a_batch_depends_on_seed_and_step_only(data):
    batches = Batches(TINY, data)
    forwards = [batches[step] for step in range(12)]
    backwards = [Batches(TINY, data)[step] for step in reversed(range(12))][::-1]
    for one, other in zip(forwards, backwards, strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)
    other = Batches(replace(TINY, seed=1), data)[0]
    assert not np.array_equal(forwards[0][1], other[1])


def test_a_batch_holds_pairs_of_the_training_dates():
    data = load_cldr_dates(("en", "de", "ja", "bn"), test_fraction=0.99, validation_fraction=0)
    vocabulary = Vocabulary.of(data)
    of_training = {
        data.write(date, language, style)
        for date in data.train.tolist()
        for language in data.languages
        for style in ("full", "long")
    }
    source, target = Batches(TINY, data)[3]
    assert len(source) == len(target) == TINY.batch_size
    for read, written in zip(source, target, strict=True):
        assert vocabulary.symbols[read[0]] in {f"<{language}>" for language in data.languages}
        assert written[0] == START
        assert (written == END).sum() == (read == END).sum() == 1
        assert vocabulary.decode(written) in of_training


def test_sorting_saves_padding(data):
    def share_of_padding(many):
        batches = Batches(replace(TINY, batches_sorted=many), data)
        flat = np.concatenate([side.ravel() for step in range(100) for side in batches[step]])
        return (flat == PADDING).mean()

    assert share_of_padding(100) < 0.6 * share_of_padding(1)


# Training


def test_numpy_and_pytorch_take_the_same_steps(data):
    ours, theirs = losses_of_both(TINY, data, steps=12)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)
    assert ours[-1] < ours[0] - 0.3


def test_both_would_draw_other_dropout_masks(data):
    with pytest.raises(HyperparameterError, match=r"dropout is 0\.1, expected 0"):
        losses_of_both(replace(TINY, dropout=0.1), data, steps=1)


def test_it_learns_to_write_one_language():
    """From digits to digits: Chinese into Japanese, without weekdays the same characters."""
    data = load_cldr_dates(("zh", "ja"))
    configuration = Configuration(
        d_model=32, num_heads=2, num_layers=1, d_ff=32, steps=150, warm_up=15, learning_rate=0.01
    )
    losses = train(configuration, data, progress=False).losses
    assert np.mean(losses[-10:]) < 0.6 * np.mean(losses[:10])


def test_the_same_seed_gives_the_same_numbers_and_leaves_the_callers_alone(data, result):
    torch.manual_seed(123)
    expected = torch.rand(3)
    torch.manual_seed(123)
    again = train(TINY, data, progress=False)
    assert torch.equal(torch.rand(3), expected)
    assert again.losses == result.losses
    same(again.model, result.model)
    assert train(replace(TINY, seed=1), data, progress=False).losses != result.losses


def test_a_model_of_the_readers_own_is_trained(data):
    model = Transformer(**model_options(TINY, data))
    before = model.target_embedding.weight.detach().clone()
    trained = train(TINY, data, model=model, progress=False).model
    assert trained is model
    assert not torch.equal(model.target_embedding.weight, before)


class Stop(Exception):
    """The power cut."""


def stop_at(step):
    def on_step(done):
        if done == step:
            raise Stop

    return on_step


def same(one, other):
    theirs = other.state_dict()
    for name, value in one.state_dict().items():
        assert torch.equal(value, theirs[name]), name


@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_an_interrupted_training_resumes_to_the_same_numbers(data, tmp_path, dropout):
    configuration = replace(TINY, dropout=dropout)
    whole = train(configuration, data, progress=False)
    with pytest.raises(Stop):
        train(
            configuration,
            data,
            tmp_path,
            checkpoint_every=4,
            on_step=stop_at(11),
            progress=False,
        )
    assert latest(tmp_path).name == "step-00000008.npz"  # so steps 9 to 11 are lost
    steps = []
    resumed = train(
        configuration, data, tmp_path, checkpoint_every=4, on_step=steps.append, progress=False
    )
    assert steps == [9, 10, 11, 12]
    assert resumed.losses == whole.losses
    same(resumed.model, whole.model)
    finished = train(configuration, data, tmp_path, progress=False)  # nothing is left to do
    assert finished.losses == whole.losses
    same(finished.model, whole.model)


@pytest.mark.parametrize(
    ("changed", "says"),
    [({"learning_rate": 0.1}, "learning_rate is 0.006"), ({"d_model": 32}, "d_model is 16")],
)
def test_a_folder_holds_one_training(data, tmp_path, changed, says):
    train(TINY, data, tmp_path, progress=False)
    with pytest.raises(CheckpointError, match=says):
        train(replace(TINY, **changed), data, tmp_path, progress=False)


def test_a_training_resumes_on_its_own_data_only(data, tmp_path):
    train(TINY, data, tmp_path, progress=False)
    with pytest.raises(CheckpointError, match=r"data\.days"):
        train(TINY, load_cldr_dates(data.languages, seed=1), tmp_path, progress=False)


def test_a_checkpoint_cut_short_is_refused(data, tmp_path):
    train(TINY, data, tmp_path, progress=False)
    path = latest(tmp_path)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(CheckpointError):
        train(TINY, data, tmp_path, progress=False)


def test_a_loss_that_is_no_number_names_the_step(data):
    model = Transformer(**model_options(TINY, data))
    with torch.no_grad():
        model.source_embedding.weight[:] = torch.nan
    with pytest.raises(NonFiniteLoss, match="the loss of step 0 is nan") as caught:
        train(TINY, data, model=model, progress=False)
    assert caught.value.step == 0
    assert np.isfinite(caught.value.params["target_embedding.weight"]).all()


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0},
        {"batch_size": 0},
        {"warm_up": 0},
        {"learning_rate": -1.0},
        {"label_smoothing": 1.5},
        {"betas": (0.9, 1.0)},
        {"max_grad_norm": 0.0},
    ],
)
def test_numbers_that_cannot_be_trained_with(wrong):
    with pytest.raises(BookError, match=f"{next(iter(wrong))} "):
        Configuration(**wrong)


def test_dropout_is_a_probability():
    with pytest.raises(HyperparameterError, match=r"p is 1\.0, expected a probability"):
        Configuration(dropout=1.0)


def test_the_learning_rate_rises_and_falls():
    configuration = Configuration(steps=100, warm_up=10, learning_rate=0.01)
    rates = [configuration.schedule(step) for step in range(100)]
    assert np.argmax(rates) == 10
    assert rates[10] == 0.01
    assert rates[0] < 0.001
    assert rates[-1] < 1e-5


# Decoding


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


def test_numpy_decodes_the_same_tokens(data, vocabulary, model):
    layer = reference.Transformer(
        **model_options(replace(TINY, norm_first=model.decoder.norm is not None), data)
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


def test_translating_leaves_dropout_as_it_was(data, vocabulary):
    model = Transformer(**model_options(replace(TINY, dropout=0.5), data)).train()
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
