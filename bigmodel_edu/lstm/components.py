"""The components of chapter 2: what belongs together, and what judges it from outside."""

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special
import torch

from bigmodel_edu.components import (
    BenchSize,
    Component,
    FunctionComponent,
    LayerComponent,
    Results,
    Trial,
    outputs,
    torch_module,
    torch_tensors,
)

B, T, D, H, V = 32, 64, 128, 128, 97  # the sizes at which speed is measured
INPUT, HIDDEN, STEPS = 7, 3, 11  # of the examples


class CellModule(torch.nn.LSTMCell):
    """PyTorch's LSTM cell, with its states as arguments of their own."""

    def forward(self, x: torch.Tensor, h: torch.Tensor, c: torch.Tensor) -> tuple:
        return super().forward(x, (h, c))


def one_by_one(kind: type[torch.nn.RNNBase], *sizes: int, **options: Any) -> torch.nn.Module:
    """Return PyTorch's recurrent module, which reads each sequence alone, with no padding at all.

    What a padded batch has to give: outputs of the sequence itself, zeros after its end.
    """

    class OneByOne(kind):
        def forward(self, x: torch.Tensor, *states: torch.Tensor, lengths: Any = None) -> tuple:
            answers = []
            for row in range(len(x)):
                own = tuple(state[:, row : row + 1].contiguous() for state in states)
                initial = None if not own else own if len(own) > 1 else own[0]
                end = x.shape[1] if lengths is None else int(lengths[row])
                y, final = super().forward(x[row : row + 1, :end], initial)
                padding = torch.zeros_like(y[:, :1]).expand(-1, x.shape[1] - end, -1)
                final = final if isinstance(final, tuple) else (final,)
                answers.append((torch.cat((y, padding), dim=1), *final))
            y, *finals = zip(*answers, strict=True)
            return torch.cat(y), *(torch.cat(final, dim=1) for final in finals)

    return OneByOne(*sizes, batch_first=True, **options)


def lengths_for(x: np.ndarray) -> np.ndarray:
    """Return lengths from 1 to T for the sequences x (B, T, ...), all different if B ≤ T."""
    n_sequences, steps = x.shape[:2]
    return 1 + (3 * np.arange(n_sequences) + steps - 1) % steps


def step_inputs(*states: str) -> Callable[[np.random.Generator, int], dict]:
    """Return inputs of a cell: x (batch, INPUT) and its states (batch, HIDDEN)."""

    def inputs(rng: np.random.Generator, batch: int) -> dict:
        drawn = {name: rng.normal(size=(batch, HIDDEN)) for name in states}
        return {"x": rng.normal(size=(batch, INPUT))} | drawn

    return inputs


def sequence_inputs(*states: str, runs: int = 1) -> Callable[[np.random.Generator, int], dict]:
    """Return x (batch, STEPS, INPUT) and initial states (runs, batch, HIDDEN) if any are named."""

    def inputs(rng: np.random.Generator, batch: int) -> dict:
        drawn = {name: rng.normal(size=(runs, batch, HIDDEN)) for name in states}
        return {"x": rng.normal(size=(batch, STEPS, INPUT))} | drawn

    return inputs


def sequence_component(
    name: str,
    kind: str,
    *,
    layers: int = 1,
    both: bool = False,
    with_states: bool = False,
    with_lengths: bool = False,
    bench: BenchSize | None = None,
) -> Component:
    """Return the component of a recurrent layer, judged by PyTorch's on each sequence alone."""
    initial = {"LSTM": ("h_0", "c_0")}.get(kind, ("h_0",))
    gates = {"RNN": 1, "LSTM": 4, "GRU": 3}[kind]
    runs = layers * (2 if both else 1)
    options = {"num_layers": layers, "bidirectional": both}
    derived = {
        *((gates * HIDDEN,) if gates > 1 else (HIDDEN,)),  # one gate alone has a square weight_hh
        *((2 * HIDDEN,) if both and layers > 1 else ()),
        *((runs,) if runs in (1, 4) and with_states else ()),
    }
    return LayerComponent(
        name=f"lstm.{name}",
        build=lambda m: getattr(m, kind)(INPUT, HIDDEN, **options),
        inputs=sequence_inputs(*(initial if with_states else ()), runs=runs),
        mode=lambda inputs: {"lengths": lengths_for(inputs["x"])} if with_lengths else {},
        outputs=("y", *(state.replace("_0", "_n") for state in initial)),
        derived_sizes=tuple(derived),
        oracles={
            f"torch.nn.{kind}": torch_module(
                lambda: one_by_one(getattr(torch.nn, kind), INPUT, HIDDEN, **options)
            )
        },
        bench=bench,
    )


def bench_sequence(kind: str) -> BenchSize:
    """Return the measured size of a recurrent layer."""
    return BenchSize(
        shape=f"({B}, {T}, {D}→{H})",
        build=lambda m: getattr(m, kind)(D, H),
        inputs=lambda rng: {"x": rng.normal(size=(B, T, D))},
        builtin=lambda: getattr(torch.nn, kind)(D, H, batch_first=True),
    )


def lstm_by_its_equations(trial: Trial) -> Results:
    """Return one step of an LSTM, gate by gate, from equation (1) of the chapter's LSTM section."""
    x, h, c = trial.inputs.values()
    p = trial.params
    rows = {gate: slice(k * HIDDEN, (k + 1) * HIDDEN) for k, gate in enumerate("ifgo")}

    def pre_activation(gate: str) -> np.ndarray:
        own = rows[gate]
        from_x = np.einsum("bd,hd->bh", x, p["weight_ih"][own]) + p["bias_ih"][own]
        return from_x + np.einsum("bk,hk->bh", h, p["weight_hh"][own]) + p["bias_hh"][own]

    i, f, o = (scipy.special.expit(pre_activation(gate)) for gate in "ifo")
    c_new = f * c + i * np.tanh(pre_activation("g"))
    return {"h": o * np.tanh(c_new), "c": c_new}


def padded_tokens(rng: np.random.Generator, batch: int) -> dict:
    """Return tokens (batch, STEPS) of a vocabulary of 13, padded with 0 to different lengths."""
    tokens = rng.integers(1, 13, size=(batch, STEPS))
    return {"tokens": np.where(np.arange(STEPS) < lengths_for(tokens)[:, None], tokens, 0)}


class ClassifierModule(torch.nn.Module):
    """The classifier out of PyTorch's parts, which reads each sequence alone."""

    def __init__(self, layers: int, both: bool) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(13, INPUT, padding_idx=0)
        self.lstm = one_by_one(torch.nn.LSTM, INPUT, HIDDEN, num_layers=layers, bidirectional=both)
        self.output = torch.nn.Linear((1 + both) * HIDDEN, 2)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        _, h_n, _ = self.lstm(self.embedding(tokens), lengths=(tokens != 0).sum(dim=1))
        directions = 2 if self.lstm.bidirectional else 1
        return self.output(torch.cat(tuple(h_n[-directions:]), dim=-1))


class LanguageModule(torch.nn.Module):
    """The language model out of PyTorch's parts."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(13, INPUT)
        self.lstm = torch.nn.LSTM(INPUT, HIDDEN, 2, batch_first=True)
        self.output = torch.nn.Linear(HIDDEN, 13)

    def forward(self, tokens: torch.Tensor, h_0: torch.Tensor, c_0: torch.Tensor) -> tuple:
        y, (h_n, c_n) = self.lstm(self.embedding(tokens), (h_0, c_0))
        return self.output(y), h_n, c_n


TEXT = {"tokens": (3, STEPS), "targets": (3, STEPS)}
WRITER = (13, INPUT, HIDDEN)  # vocabulary, embedding, hidden


def writer_inputs(rng: np.random.Generator, batch: int) -> dict:
    """Return a text, its next tokens, and the parameters of the language model that reads it."""
    from .reference import LanguageModel

    text = {name: rng.integers(0, 13, size=shape) for name, shape in TEXT.items()}
    return text | {f"params {k}": v for k, v in LanguageModel(*WRITER).init(rng).items()}


def truncated(window: int) -> Callable[..., dict]:
    """Return a call of truncated_bptt that names what comes back, on arrays or on tensors."""

    def call(module: Any, tokens: Any, targets: Any, **named: Any) -> dict:
        params = {name.removeprefix("params "): value for name, value in named.items()}
        model = module.LanguageModel(*WRITER)
        if isinstance(model, torch.nn.Module):
            model = model.to(next(iter(params.values())))
            model.load_state_dict(params)
            loss, states = module.truncated_bptt(model, tokens, targets, window)
            grads = {name: parameter.grad for name, parameter in model.named_parameters()}
        else:
            loss, grads, states = module.truncated_bptt(model, params, tokens, targets, window)
        return {"loss": loss, "h_n": states[0], "c_n": states[1], **grads}

    return call


def full_bptt_by_autograd(trial: Trial) -> Results:
    """Return the gradients of the whole text by PyTorch: what one long window has to give."""
    tensors = torch_tensors(trial.inputs, "contiguous", "cpu")
    tokens, targets = tensors.pop("tokens"), tensors.pop("targets")
    params = {name.removeprefix("params "): value for name, value in tensors.items()}
    model = LanguageModule()
    model.lstm = torch.nn.LSTM(INPUT, HIDDEN, batch_first=True)
    model = model.to(next(iter(params.values())))
    model.load_state_dict(params)
    zeros = torch.zeros(1, 3, HIDDEN).to(tensors[next(iter(tensors))])
    logits, h_n, c_n = model(tokens, zeros, zeros)
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
    loss.backward()
    found = {"loss": loss, "h_n": h_n, "c_n": c_n}
    found |= {name: parameter.grad for name, parameter in model.named_parameters()}
    return {name: value.detach().numpy() for name, value in found.items()}


def witten_bell_by_hand(tokens: np.ndarray) -> np.ndarray:
    """Return the trigram probabilities of a text in itself, by dictionaries of counts."""

    def probability(context: tuple, token: int) -> float:
        starts = range(len(tokens) - len(context))
        followers = [
            int(tokens[s + len(context)])
            for s in starts
            if tuple(tokens[s : s + len(context)]) == context
        ]
        lower = probability(context[1:], token) if context else 1 / 13
        if not followers:
            return lower
        different = len(set(followers))
        return (followers.count(token) + different * lower) / (len(followers) + different)

    return np.array(
        [probability(tuple(tokens[n - 2 : n]), int(tokens[n])) for n in range(2, len(tokens))]
    )


def orthogonal_by_torch(trial: Trial) -> Results:
    """Return what is true of every orthogonal weight, from one that PyTorch has drawn."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        tall = torch.nn.init.orthogonal_(torch.empty(11, 7, dtype=torch.float64)).numpy()
        wide = torch.nn.init.orthogonal_(torch.empty(7, 11, dtype=torch.float64)).numpy()
    return {"columns": tall.T @ tall, "rows": wide @ wide.T}


def gram_matrices(module: Any) -> dict:
    """Return QᵀQ of a tall and QQᵀ of a wide orthogonal weight."""
    rng = np.random.default_rng(0)
    tall, wide = module.orthogonal(rng, (11, 7)), module.orthogonal(rng, (7, 11))
    return {"columns": tall.T @ tall, "rows": wide @ wide.T}


COMPONENTS: tuple[Component, ...] = (
    LayerComponent(
        name="lstm.embedding",
        build=lambda m: m.Embedding(13, 7),
        inputs=lambda rng, batch: {"tokens": rng.integers(0, 4, size=(batch, STEPS))},
        oracles={"torch.nn.Embedding": torch_module(lambda: torch.nn.Embedding(13, 7))},
        bench=BenchSize(
            shape=f"({B}, {T}, {V}→{D})",
            build=lambda m: m.Embedding(V, D),
            inputs=lambda rng: {"tokens": rng.integers(0, V, size=(B, T))},
            builtin=lambda: torch.nn.Embedding(V, D),
        ),
    ),
    LayerComponent(
        name="lstm.rnn_cell",
        build=lambda m: m.RNNCell(INPUT, HIDDEN),
        inputs=step_inputs("h"),
        derived_sizes=(HIDDEN,),  # weight_hh is square
        oracles={"torch.nn.RNNCell": torch_module(lambda: torch.nn.RNNCell(INPUT, HIDDEN))},
    ),
    LayerComponent(
        name="lstm.lstm_cell",
        build=lambda m: m.LSTMCell(INPUT, HIDDEN),
        inputs=step_inputs("h", "c"),
        outputs=("h", "c"),
        derived_sizes=(4 * HIDDEN,),
        oracles={
            "torch.nn.LSTMCell": torch_module(lambda: CellModule(INPUT, HIDDEN)),
            "equations": lstm_by_its_equations,
        },
    ),
    LayerComponent(
        name="lstm.gru_cell",
        build=lambda m: m.GRUCell(INPUT, HIDDEN),
        inputs=step_inputs("h"),
        derived_sizes=(3 * HIDDEN,),
        oracles={"torch.nn.GRUCell": torch_module(lambda: torch.nn.GRUCell(INPUT, HIDDEN))},
    ),
    sequence_component("rnn", "RNN", with_states=True, bench=bench_sequence("RNN")),
    sequence_component("lstm", "LSTM", with_states=True, bench=bench_sequence("LSTM")),
    sequence_component("gru", "GRU", with_states=True, bench=bench_sequence("GRU")),
    sequence_component("rnn_padded", "RNN", both=True, with_lengths=True),
    sequence_component("lstm_padded", "LSTM", both=True, with_lengths=True),
    sequence_component("gru_padded", "GRU", both=True, with_lengths=True),
    sequence_component("rnn_deep", "RNN", layers=2, both=True, with_states=True),
    sequence_component(
        "lstm_deep", "LSTM", layers=2, both=True, with_states=True, with_lengths=True
    ),
    sequence_component("gru_deep", "GRU", layers=2, both=True, with_states=True, with_lengths=True),
    LayerComponent(
        name="lstm.sequence_classifier",
        build=lambda m: m.SequenceClassifier(13, INPUT, HIDDEN, 2, num_layers=2),
        inputs=padded_tokens,
        derived_sizes=(4 * HIDDEN,),
        oracles={"torch.nn": torch_module(lambda: ClassifierModule(2, both=False))},
    ),
    LayerComponent(
        name="lstm.sequence_classifier_both_ways",
        build=lambda m: m.SequenceClassifier(13, INPUT, HIDDEN, 2, bidirectional=True),
        inputs=padded_tokens,
        derived_sizes=(4 * HIDDEN, 2 * HIDDEN),
        oracles={"torch.nn": torch_module(lambda: ClassifierModule(1, both=True))},
    ),
    LayerComponent(
        name="lstm.language_model",
        build=lambda m: m.LanguageModel(13, INPUT, HIDDEN, num_layers=2),
        inputs=lambda rng, batch: {
            "tokens": rng.integers(0, 13, size=(batch, STEPS)),
            "h_0": rng.normal(size=(2, batch, HIDDEN)),
            "c_0": rng.normal(size=(2, batch, HIDDEN)),
        },
        outputs=("logits", "h_n", "c_n"),
        derived_sizes=(4 * HIDDEN,),
        oracles={"torch.nn": torch_module(LanguageModule)},
        bench=BenchSize(
            shape=f"({B}, {T}, {V}→{D}→{H}→{V})",
            build=lambda m: m.LanguageModel(V, D, H),
            inputs=lambda rng: {"tokens": rng.integers(0, V, size=(B, T))},
        ),
    ),
    FunctionComponent(
        name="lstm.truncated_bptt",
        inputs=writer_inputs,
        call=truncated(5),
        has_torch_twin=True,
    ),
    FunctionComponent(
        name="lstm.truncated_bptt_whole",
        inputs=writer_inputs,
        call=truncated(STEPS),
        has_torch_twin=True,
        oracles={"torch autograd": full_bptt_by_autograd},
    ),
    FunctionComponent(
        name="lstm.orthogonal",
        call=gram_matrices,
        oracles={"torch.nn.init.orthogonal_": orthogonal_by_torch},
        runs_on_cupy=False,
    ),
    FunctionComponent(
        name="lstm.temperature_probabilities",
        inputs=lambda rng, batch: {"logits": 3 * rng.normal(size=(batch, 7))},
        call=lambda m, logits: m.temperature_probabilities(logits, 0.7),
        oracles={
            "scipy.special.softmax": outputs(lambda z: scipy.special.softmax(z / 0.7, axis=-1))
        },
    ),
    FunctionComponent(
        name="lstm.ngram_model",
        inputs=lambda rng, batch: {"tokens": rng.integers(0, 4, size=41)},
        call=lambda m, tokens: m.NGramModel(3, 13).fit(tokens).probabilities(tokens),
        oracles={"counts in dictionaries": outputs(witten_bell_by_hand)},
        runs_on_cupy=False,
    ),
    FunctionComponent(
        name="lstm.bits_per_character",
        inputs=lambda rng, batch: {"p": rng.uniform(0.01, 1, size=17)},
        call=lambda m, p: m.bits_per_character(p),
        oracles={
            "entropy in nats": outputs(lambda p: -np.log(p).mean() / np.log(2)),
        },
    ),
)
