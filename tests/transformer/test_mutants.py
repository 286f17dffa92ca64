"""Chapter 4 broken on purpose, one line at a time: each slip must be caught by some judge.

They are slips that people really make; none stops the program.
"""

import numpy as np
import pytest

from bigmodel_edu import catalogue

LINES = [
    # attention
    ("attention.py", "return 1 / sqrt(q.shape[-1]) if", "return 1 / q.shape[-1] if", "attention"),
    ("attention.py", "dq = product(ds, k) * scale", "dq = product(ds, k)", "attention"),
    ("attention.py", "@ fold(q, kv_heads) * scale", "@ fold(q, kv_heads)", "attention"),
    ("attention.py", "ds = p * (dp - (dp * p)", "ds = p * (dp - 0 * (dp * p)", "attention"),
    ("attention.py", "ds = p * (dp - (dp * p)", "ds = (dp - (dp * p)", "attention"),
    ("attention.py", "(dp * p).sum(axis=-1,", "(dp * p).sum(axis=-2,", "attention"),
    ("attention.py", "(dp * p).sum(axis=-1,", "(dp * p).mean(axis=-1,", "attention"),
    ("attention.py", "        p = softmax(s)\n", "        p = np.exp(s)\n", "attention"),
    ("attention.py", "dp = product(dy, v.sw", "dp = product(0 * dy + 1, v.sw", "attention"),
    (
        "attention.py",
        "dv = fold(p, kv_heads).swapaxes(-1, -2) @ fold(dy, kv_heads)",
        "dv = product(p.swapaxes(-1, -2), dy)[:, :kv_heads]",
        "attention_grouped",
    ),
    ("attention.py", "s = s + as_bias(mask, s)", "s = s + as_bias(~mask, s)", "attention_masked"),
    ("attention.py", "s = s + as_bias(mask, s)", "s = s - as_bias(mask, s)", "attention_biased"),
    ("attention.py", "        if self.causal:\n", "        if False:\n", "attention_causal"),
    (
        "attention.py",
        "return x.reshape(batch, kv_heads, -1, d)",
        "return x.swapaxes(1, 2).reshape(batch, kv_heads, -1, d)",
        "attention_grouped",
    ),
    (
        "attention.py",
        "return x.reshape(batch, length, num_heads, width // num_heads).transpose(0, 2, 1, 3)",
        "return x.reshape(batch, num_heads, length, width // num_heads)",
        "multi_head_attention",
    ),
    (
        "attention.py",
        "return keys, split_heads(kv[..., width:], self.kv_heads)",
        "return split_heads(kv[..., width:], self.kv_heads), keys",
        "multi_head_attention",
    ),
    (
        "attention.py",
        "            (dk,), _ = self.rotary.backward({}, 0, dk)\n",
        "",
        "grouped_query_attention",
    ),
    (
        "attention.py",
        'run("attention", q, k, v, mask=mask)',
        'run("attention", q, k, v)',
        "multi_head_attention_memory",
    ),
    # masks
    ("masks.py", "offset = n_keys - n_queries if", "offset = 0 if", "causal_mask"),
    (
        "masks.py",
        "like=like) <= queries + offset",
        "like=like) < queries + offset + (queries == 0)",
        "causal_mask",
    ),
    # positions
    (
        "positions.py",
        "np.stack([np.sin(angle), np.cos(angle)], axis=-1)",
        "np.stack([np.cos(angle), np.sin(angle)], axis=-1)",
        "sinusoidal_positions",
    ),
    (
        "positions.py",
        "base ** (-np.arange(0, features, 2, like=like) / features)",
        "base ** (-np.arange(0, features // 2, like=like) / features)",
        "rotary_positions",
    ),
    (
        "positions.py",
        "np.arange(offset, offset + n_positions, like=like)",
        "np.arange(n_positions, like=like)",
        "rotary_positions",
    ),
    ("positions.py", "self.turn(dy, offset, -1)", "self.turn(dy, offset, 1)", "rotary_positions"),
    (
        "positions.py",
        "second * cos + first * sin]",
        "second * cos - first * sin]",
        "rotary_positions",
    ),
    ("positions.py", "= dy.sum(axis=0)", "= dy.mean(axis=0)", "learned_positions"),
    # norms and feed-forward
    ("normalization.py", "np.square(x).mean(", "np.square(x - x.mean()).mean(", "rms_norm"),
    ("normalization.py", "(dx_hat * x_hat).mean(", "(dx_hat * x_hat).sum(", "rms_norm"),
    ("feed_forward.py", "slope = s * (1 + gate * (1 - s))", "slope = s * (1 - s)", "swiglu"),
    ("feed_forward.py", "return gate * s * up,", "return s * up,", "swiglu"),
    ("feed_forward.py", ' + d_up @ params["up_proj.weight"]\n', "\n", "swiglu"),
    # residuals and layers
    ("residual.py", "(dy + dh, *others)", "(dh, *others)", "encoder_layer"),
    ("residual.py", "return x + h if", "return h if", "encoder_layer_pre_norm"),
    ("residual.py", "else run(norm, x + h)", "else x + run(norm, h)", "encoder_layer"),
    ("decoder_layer.py", "x, memory, mask=memory_mask)", "x, memory)", "decoder_layer"),
    (
        "decoder_layer.py",
        "self.Attention(self.d_model, self.num_heads, causal=True)",
        "self.Attention(self.d_model, self.num_heads)",
        "decoder_layer",
    ),
    # the encoder-decoder
    ("transformer.py", "tokens) * sqrt(self.d_model)\n", "tokens)\n", "transformer"),
    ("transformer.py", 'back("decoder.norm", dx)', "(dx,)", "transformer_pre_norm"),
    (
        "transformer.py",
        'for name in reversed(self.names("encoder.layers"))',
        'for name in self.names("encoder.layers")',
        "transformer",
    ),
    (
        "transformer.py",
        "d_memory = d_memory + d_layer_memory",
        "d_memory = d_layer_memory",
        "transformer",
    ),
    (
        "transformer.py",
        '{"weight": d_rows.T @ x',
        '{"weight": 0 * d_rows.T @ x',
        "transformer",
    ),
    (
        "transformer.py",
        "run(name, x, mask=mask)",
        "run(name, x)",
        "transformer",
    ),
    # FlashAttention
    (
        "flash.py",
        "return m, a1 * l1 + a2 * l2, a1 * o1 + a2 * o2",
        "return m, a1 * l1 + a2 * l2, o1 + o2",
        "merge_tiles",
    ),
    (
        "flash.py",
        "log_sums[:, :, rows] = m + np.log(total)",
        "log_sums[:, :, rows] = np.log(total)",
        "flash_attention",
    ),
    (
        "flash.py",
        "offset = k.shape[2] - q.shape[2]",
        "offset = k.shape[2] - q.shape[2] - 1",
        "flash_attention_causal",
    ),
    (
        "flash.py",
        "inside = column < lengths",
        "inside = column <= lengths",
        "flash_attention_lengths",
    ),
    (
        "flash.py",
        "kv_heads, heads // kv_heads, length, d).sum(axis=2)",
        "heads // kv_heads, kv_heads, length, d).sum(axis=1)",
        "flash_attention_causal",
    ),
    # decoding, schedule, costs
    ("decoding.py", "return ((5 + length) / 6) ** alpha", "return length**alpha", "beam_search"),
    (
        "schedules.py",
        "number * self.warm_up**-1.5",
        "number * self.warm_up**-1",
        "inverse_square_root_warm_up",
    ),
    ("costs.py", "return 2 * rows * inner * columns", "return rows * inner * columns", "flops"),
]
TWINS = [
    (
        "attention.py",
        "mask = seen if mask is None else mask & seen",
        "mask = mask if mask is not None else seen",
        "decoder_layer",
    ),
    ("positions.py", "angle.sin().to(x.dtype)", "angle.cos().to(x.dtype)", "rotary_positions"),
    (
        "feed_forward.py",
        "F.silu(self.gate_proj(x)) * self.up_proj(x)",
        "F.silu(self.up_proj(x)) * self.gate_proj(x)",
        "swiglu",
    ),
    (
        "transformer.py",
        "x = self.target_embedding(target) * sqrt(self.d_model)",
        "x = self.target_embedding(target)",
        "transformer",
    ),
    (
        "transformer.py",
        "return F.linear(x, self.target_embedding.weight)",
        "return F.linear(x, self.target_embedding.weight.detach())",
        "transformer",
    ),
    (
        "transformer.py",
        "return x if self.norm is None else self.norm(x)",
        "return x",
        "transformer_pre_norm",
    ),
]


def component(name):
    return catalogue.component(f"transformer.{name}")


@pytest.mark.parametrize(("file", "line", "slip", "name"), LINES)
def test_a_slip_in_the_reference_is_caught(file, line, slip, name, break_line, caught_by):
    break_line("transformer", f"reference/{file}", line, slip)
    with np.errstate(all="ignore"):
        assert caught_by(component(name))


@pytest.mark.parametrize(("file", "line", "slip", "name"), TWINS)
def test_a_slip_in_the_twin_is_caught(file, line, slip, name, break_line, caught_by):
    break_line("transformer", f"torch_impl/{file}", line, slip)
    assert "torch" in caught_by(component(name))
