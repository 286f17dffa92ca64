"""Chapter 4 broken on purpose, one line at a time: each slip must be caught by some judge.

They are slips that people really make; none stops the program.
"""

import numpy as np
import pytest

from bigmodel_edu import catalogue

LINES = [
    # attention
    ("attention.py", "return 1 / sqrt(q.shape[-1]) if", "return 1 / q.shape[-1] if", "attention"),
    ("attention.py", "        dq *= self.scale_of(q)\n", "", "attention"),
    ("attention.py", "        ds -= along_p\n", "", "attention"),
    ("attention.py", "        ds *= exponentials\n", "", "attention"),
    (
        "attention.py",
        "along_p = (dy * y).sum(axis=-1, keepdims=True)",
        "along_p = (dy * y).sum(axis=-2, keepdims=True)",
        "attention",
    ),
    ("attention.py", "        y /= totals  #", "        y = y + 0  #", "attention"),
    ("attention.py", "s += as_bias(mask, s)", "s += as_bias(~mask, s)", "attention_masked"),
    ("attention.py", "s += as_bias(mask, s)", "s -= as_bias(mask, s)", "attention_biased"),
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
        "attention.forward({}, q, k, v, mask=mask)",
        "attention.forward({}, q, k, v)",
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
    ("normalization.py", "dx -= (dx * x_hat).mean(", "dx -= (dx * x_hat).sum(", "rms_norm"),
    ("feed_forward.py", "slope = s * (1 + gate * (1 - s))", "slope = s * (1 - s)", "swiglu"),
    ("feed_forward.py", "return gate * s * up,", "return s * up,", "swiglu"),
    ("feed_forward.py", '        dx += d_up @ params["up_proj.weight"]\n', "", "swiglu"),
    # residuals and layers
    ("residual.py", "(dy + d_branch, *others)", "(d_branch, *others)", "encoder_layer"),
    ("residual.py", "        y = x + y\n", "        y = normed + y\n", "encoder_layer_pre_norm"),
    ("decoder_layer.py", "memory, mask=memory_mask)", "memory)", "decoder_layer"),
    (
        "decoder_layer.py",
        "self.Attention(self.d_model, self.num_heads, causal=True)",
        "self.Attention(self.d_model, self.num_heads)",
        "decoder_layer",
    ),
    # the encoder-decoder
    ("transformer.py", "        x = x * sqrt(self.d_model)\n", "", "transformer"),
    (
        "transformer.py",
        "d_memory = d_memory + d_layer_memory",
        "d_memory = d_layer_memory",
        "transformer",
    ),
    (
        "transformer.py",
        'tied = grads["target_embedding.weight"] + d_rows',
        "tied = d_rows",
        "transformer",
    ),
    (
        "transformer.py",
        "forward(own, x, mask=mask, **mode)",
        "forward(own, x, **mode)",
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
