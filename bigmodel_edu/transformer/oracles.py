"""The judges of chapter 4 from outside: PyTorch, `transformers`, SciPy, counting."""

import os
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import scipy.special
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from bigmodel_edu.components import Oracle, Results, Trial, run_torch_module, torch_module

# PyTorch's own layers


def inverted(mask: Any) -> Any:
    """Return a mask as `torch.nn.MultiheadAttention` reads it: True where not to look."""
    return None if mask is None else ~mask


class TorchAttention(torch.nn.Module):
    """`F.scaled_dot_product_attention` as a module."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.options = options

    def forward(self, q: Any, k: Any, v: Any, mask: Any = None) -> Any:
        if mask is not None and mask.is_floating_point():
            mask = mask.to(q.dtype)
        return F.scaled_dot_product_attention(q, k, v, mask, **self.options)


class TorchMultihead(torch.nn.MultiheadAttention):
    """`torch.nn.MultiheadAttention` with the arguments of ours."""

    def forward(self, x: Any, memory: Any = None, mask: Any = None) -> Any:
        memory = x if memory is None else memory
        y, _ = super().forward(x, memory, memory, attn_mask=inverted(mask), need_weights=False)
        return y


class TorchEncoderLayer(torch.nn.TransformerEncoderLayer):
    """`torch.nn.TransformerEncoderLayer` with the arguments of ours."""

    def forward(self, x: Any, mask: Any = None) -> Any:
        return super().forward(x, src_mask=inverted(mask))


class TorchDecoderLayer(torch.nn.TransformerDecoderLayer):
    """`torch.nn.TransformerDecoderLayer` with the arguments of ours."""

    def forward(self, x: Any, memory: Any, mask: Any = None, memory_mask: Any = None) -> Any:
        causal = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).tril()
        mask = causal if mask is None else mask & causal
        return super().forward(x, memory, inverted(mask), inverted(memory_mask))


def torch_layer(
    layer: type[torch.nn.Module], d_model: int, num_heads: int, d_ff: int, **options: Any
) -> torch.nn.Module:
    """Return one of PyTorch's layers, batch first and without dropout."""
    return layer(d_model, num_heads, d_ff, dropout=0.0, batch_first=True, **options)


class TorchTransformer(torch.nn.Module):
    """PyTorch's own encoder and decoder between embeddings, as the paper has them."""

    def __init__(self, vocabularies: tuple[int, int], d: int, heads: int, ff: int, **options: Any):
        super().__init__()
        self.source_embedding, self.target_embedding = (
            torch.nn.Embedding(size, d) for size in vocabularies
        )
        norms = [torch.nn.LayerNorm(d) if options["norm_first"] else None for _ in range(2)]
        encoder_layer = torch_layer(torch.nn.TransformerEncoderLayer, d, heads, ff, **options)
        decoder_layer = torch_layer(torch.nn.TransformerDecoderLayer, d, heads, ff, **options)
        self.encoder = torch.nn.TransformerEncoder(
            encoder_layer, 2, norms[0], enable_nested_tensor=False
        )
        self.decoder = torch.nn.TransformerDecoder(decoder_layer, 2, norms[1])
        angle = (
            torch.arange(100.0).double()[:, None] / 10000 ** (torch.arange(0, d, 2) / d).double()
        )
        self.positions = torch.stack([angle.sin(), angle.cos()], -1).reshape(100, d)

    def embed(self, embedding: Any, tokens: Any) -> Any:
        x = embedding(tokens) * self.positions.shape[1] ** 0.5
        return x + self.positions[: tokens.shape[1]].to(x.dtype)

    def forward(self, source: Any, target: Any) -> Any:
        padding = source == 0
        memory = self.encoder(
            self.embed(self.source_embedding, source), src_key_padding_mask=padding
        )
        n = target.shape[1]
        hidden = self.decoder(
            self.embed(self.target_embedding, target),
            memory,
            tgt_mask=~torch.ones(n, n, dtype=torch.bool).tril(),
            memory_key_padding_mask=padding,
        )
        return hidden @ self.target_embedding.weight.T


# Blocks of the library `transformers`, randomly initialised, with our weights in them


def hugging_face(block: Callable[[], torch.nn.Module], state: Callable[..., dict]) -> Oracle:
    """Return an oracle that runs a block of `transformers` on our parameters.

    `block()` makes the block, `state(params)` writes its parameters in terms of ours, so that its
    gradients come back as gradients of ours.
    """

    def oracle(trial: Trial) -> Results:
        module = Translated(hugging_face_block(block), state, trial.params)
        return run_torch_module(module, trial)

    return oracle


def hugging_face_block(block: Callable[[], torch.nn.Module]) -> torch.nn.Module:
    """Return the block; JudgeUnavailable says what is missing where it cannot be made."""
    from bigmodel_edu.parity import JudgeUnavailable

    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # nothing is downloaded
    try:
        return block()
    except ImportError as error:
        raise JudgeUnavailable(
            f"the library transformers cannot be imported ({error}); it is a dependency of the "
            "tests: pip install -e '.[test]'"
        ) from error


class Translated(torch.nn.Module):
    """A block that computes with parameters written in terms of ours, which carry our names."""

    def __init__(self, block: torch.nn.Module, state: Callable[..., dict], params: dict) -> None:
        super().__init__()
        self.blocks = (block.eval(),)  # in a tuple, so that its parameters are not ours
        self.state = state
        for name, value in params.items():
            holder: torch.nn.Module = self
            *path, last = name.split(".")
            for part in path:
                if not hasattr(holder, part):
                    holder.add_module(part, torch.nn.Module())
                holder = getattr(holder, part)
            holder.register_parameter(last, torch.nn.Parameter(torch.empty(value.shape)))

    def forward(self, x: Any) -> Any:
        (block,) = self.blocks
        block.to(x.dtype)
        buffers = dict(block.named_buffers())
        theirs = self.state(dict(self.named_parameters())) | buffers
        options = block.options(x) if hasattr(block, "options") else {}
        y = torch.func.functional_call(block, theirs, (x,), options, strict=True)
        return y[0] if isinstance(y, tuple) else y


D, HEADS, KV_HEADS, FF = 16, 4, 2, 17  # heads of 4 features: two angles each


def gpt2_block() -> torch.nn.Module:
    from transformers import GPT2Config
    from transformers.models.gpt2.modeling_gpt2 import GPT2Block

    config = GPT2Config(n_embd=D, n_head=HEADS, n_inner=FF, attn_implementation="sdpa")
    return GPT2Block(config, layer_idx=0)


def gpt2_state(params: dict) -> dict:
    """Return our parameters under GPT-2's names; its matrices are transposed."""
    names = {
        "self_attn.in_proj_": "attn.c_attn.",
        "self_attn.out_proj.": "attn.c_proj.",
        "linear1.": "mlp.c_fc.",
        "linear2.": "mlp.c_proj.",
        "norm1.": "ln_1.",
        "norm2.": "ln_2.",
    }
    renamed = {}
    for name, value in params.items():
        ours = next(prefix for prefix in names if name.startswith(prefix))
        renamed[names[ours] + name.removeprefix(ours)] = value.T if value.ndim == 2 else value
    return renamed


def bert_layer() -> torch.nn.Module:
    from transformers import BertConfig
    from transformers.models.bert.modeling_bert import BertLayer

    config = BertConfig(
        hidden_size=D,
        num_attention_heads=HEADS,
        intermediate_size=FF,
        layer_norm_eps=1e-5,
        attn_implementation="sdpa",
    )
    return BertLayer(config)


def bert_state(params: dict) -> dict:
    """Return our parameters under BERT's names; it has three projections for our one."""
    names = {
        "self_attn.out_proj": "attention.output.dense",
        "norm1": "attention.output.LayerNorm",
        "linear1": "intermediate.dense",
        "linear2": "output.dense",
        "norm2": "output.LayerNorm",
    }
    renamed = {}
    for kind in ("weight", "bias"):
        parts = params[f"self_attn.in_proj_{kind}"].chunk(3)
        for part, value in zip(("query", "key", "value"), parts, strict=True):
            renamed[f"attention.self.{part}.{kind}"] = value
        renamed |= {f"{theirs}.{kind}": params[f"{ours}.{kind}"] for ours, theirs in names.items()}
    return renamed


def llama_layer() -> torch.nn.Module:
    from transformers import LlamaConfig
    from transformers.models.llama.modeling_llama import LlamaDecoderLayer

    config = LlamaConfig(
        hidden_size=D,
        num_attention_heads=HEADS,
        num_key_value_heads=KV_HEADS,
        intermediate_size=FF,
        rms_norm_eps=1e-6,
        attn_implementation="sdpa",
    )
    layer = LlamaDecoderLayer(config, layer_idx=0)
    # Its own norm, and its table of angles, are in float32 whatever comes in: to compare float64,
    # PyTorch's norm takes the place of the one and the table is computed here.
    layer.input_layernorm = torch.nn.RMSNorm(D, eps=1e-6)
    layer.post_attention_layernorm = torch.nn.RMSNorm(D, eps=1e-6)
    layer.options = llama_options
    return layer


def llama_options(x: Any) -> dict:
    """Return the cosines and sines that a layer of Llama takes, (1, T, head size) each."""
    head_dim = D // HEADS
    frequencies = 10000.0 ** (-torch.arange(0, head_dim, 2).double() / head_dim)
    angle = torch.arange(x.shape[1]).double()[:, None] * frequencies
    angle = torch.cat([angle, angle], dim=-1)[None]
    return {"position_embeddings": (angle.cos().to(x.dtype), angle.sin().to(x.dtype))}


def llama_state(params: dict) -> dict:
    """Return our parameters under Llama's names."""
    width = KV_HEADS * D // HEADS
    q, k, v = params["self_attn.in_proj_weight"].split([D, width, width])
    return {
        "self_attn.q_proj.weight": q,
        "self_attn.k_proj.weight": k,
        "self_attn.v_proj.weight": v,
        "self_attn.o_proj.weight": params["self_attn.out_proj.weight"],
        "input_layernorm.weight": params["norm1.weight"],
        "post_attention_layernorm.weight": params["norm2.weight"],
    } | {
        f"mlp.{part}_proj.weight": params[f"feed_forward.{part}_proj.weight"]
        for part in ("gate", "up", "down")
    }


# Formulas, and counting


def oracle_of_encoder(**options: Any) -> dict[str, Oracle]:
    """Return PyTorch's encoder layer as an oracle."""
    return {
        "torch.nn.TransformerEncoderLayer": torch_module(
            lambda: torch_layer(TorchEncoderLayer, D, HEADS, FF, **options)
        )
    }


def oracle_of_transformer(**options: Any) -> dict[str, Oracle]:
    """Return PyTorch's encoder and decoder, between embeddings, as an oracle."""
    return {
        "torch.nn.TransformerEncoder, TransformerDecoder": torch_module(
            lambda: TorchTransformer((23, 29), D, HEADS, FF, **options)
        )
    }


def sdpa(**options: Any) -> dict[str, Oracle]:
    """Return PyTorch's fused attention as an oracle."""
    return {"F.scaled_dot_product_attention": torch_module(lambda: TorchAttention(**options))}


def attention_of_lengths(trial: Trial) -> Results:
    """Return SciPy's softmax of the scores, sequence by sequence, each cut to its length."""
    q, k, v = trial.inputs.values()
    rows = []
    for n, length in enumerate(trial.mode()["lengths"]):
        scores = q[n] @ k[n, :, :length].swapaxes(-1, -2) / np.sqrt(q.shape[-1])
        rows.append(scipy.special.softmax(scores, axis=-1) @ v[n, :, :length])
    return {"y": np.stack(rows)}


def pairs_as_complex_numbers(trial: Trial) -> Results:
    """Return the rotation as a product of complex numbers (Su et al. 2021, section 3.2.1)."""
    x = trial.inputs["x"].astype(np.complex128)
    half = x.shape[-1] // 2
    theta = 10000.0 ** (-2 * np.arange(half) / x.shape[-1])
    turned = (x[..., :half] + 1j * x[..., half:]) * np.exp(
        1j * (4 + np.arange(x.shape[-2]))[:, None] * theta
    )
    return {"y": np.concatenate([turned.real, turned.imag], axis=-1)}


def sinusoids_one_by_one(trial: Trial) -> Results:
    """Return x plus the paper's formula, feature by feature."""
    x = trial.inputs["x"].astype(np.float64)
    _, length, d = x.shape
    for t, i in product(range(length), range(d // 2)):
        x[:, t, 2 * i] += np.sin((t + 4) / 10000 ** (2 * i / d))
        x[:, t, 2 * i + 1] += np.cos((t + 4) / 10000 ** (2 * i / d))
    return {"y": x}


def bigram_model(prefixes: np.ndarray) -> np.ndarray:
    """Return log-probabilities (N, 4) of the next token from a table, with some history in it."""
    logits = np.random.default_rng(24).normal(size=(4, 4)) * 2  # here the penalty decides
    history = np.sin(prefixes.sum(axis=1))[:, None] * np.arange(4)
    return scipy.special.log_softmax(logits[prefixes[:, -1]] + history, axis=-1)


def found_by_enumeration(trial: Trial) -> Results:
    """Return the best of all sequences of at most four tokens that end with 0 or are cut."""
    best: tuple = (-np.inf, ())
    for length in range(1, 5):
        for tokens in product(range(4), repeat=length):
            if 0 in tokens[:-1] or (length < 4 and tokens[-1] != 0):
                continue
            prefix, total = [1], 0.0
            for token in tokens:
                total += bigram_model(np.array([prefix]))[0, token]
                prefix.append(token)
            best = max(best, (total / ((5 + length) / 6) ** 0.7, tokens))
    return {"tokens": np.array(best[1]), "score": np.array(best[0])}


def rates_by_transformers() -> np.ndarray:
    """Return 40 rates of the paper's schedule from `transformers`' inverse square root."""

    def schedule() -> Any:
        from transformers import get_inverse_sqrt_schedule

        return get_inverse_sqrt_schedule(sgd, num_warmup_steps=9)

    sgd = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=(64 * 9) ** -0.5)
    scheduler = hugging_face_block(schedule)
    rates = []
    for _ in range(40):
        sgd.step()
        scheduler.step()  # it counts from one, as the paper does
        rates.append(scheduler.get_last_lr()[0])
    return np.array(rates)


def counted_flops(run: Callable[[], Any]) -> int:
    """Return the FLOPs that PyTorch counts while `run` runs."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        run()
    return counter.get_total_flops()


def flops_counted_by_torch(trial: Trial) -> Results:
    """Return the same, counted by PyTorch as it runs them on no data."""
    from . import torch_impl

    def zeros(*shape: int) -> Any:
        return torch.zeros(*shape, device="meta")

    def on_meta(module: torch.nn.Module, *shape: int) -> int:
        return counted_flops(lambda: module.to("meta")(zeros(*shape)))

    def attention_by_products() -> None:
        weights = zeros(12, 7, 13) @ zeros(12, 13, 11)
        weights @ zeros(12, 11, 13)

    def lstm_by_products() -> None:
        for _ in range(7):
            zeros(2, 3) @ zeros(3, 44)
            zeros(2, 11) @ zeros(11, 44)

    return {
        "attention": counted_flops(attention_by_products),
        "layer": on_meta(torch_impl.EncoderLayer(D, HEADS, FF), 2, 7, D),
        "block": on_meta(torch_impl.DecoderBlock(D, HEADS, FF, KV_HEADS), 2, 7, D),
        "lstm": counted_flops(lstm_by_products),
    }
