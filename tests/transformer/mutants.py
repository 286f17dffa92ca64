"""Chapter 4 broken on purpose: tables of slips, each of which a judge or a test must catch.

They are slips that people really make; none stops the program.
"""

# One line of a file: (file, right, wrong, the component whose judges must say no)
SLIPS = [
    # attention
    (
        "reference/attention.py",
        "return 1 / sqrt(q.shape[-1]) if",
        "return 1 / q.shape[-1] if",
        "attention",
    ),
    ("reference/attention.py", "dq = product(ds, k) * scale", "dq = product(ds, k)", "attention"),
    ("reference/attention.py", "@ fold(q, kv_heads) * scale", "@ fold(q, kv_heads)", "attention"),
    (
        "reference/attention.py",
        "ds = p * (dp - (dp * p)",
        "ds = p * (dp - 0 * (dp * p)",
        "attention",
    ),
    ("reference/attention.py", "ds = p * (dp - (dp * p)", "ds = (dp - (dp * p)", "attention"),
    ("reference/attention.py", "(dp * p).sum(axis=-1,", "(dp * p).sum(axis=-2,", "attention"),
    ("reference/attention.py", "(dp * p).sum(axis=-1,", "(dp * p).mean(axis=-1,", "attention"),
    ("reference/attention.py", "        p = softmax(s)\n", "        p = np.exp(s)\n", "attention"),
    (
        "reference/attention.py",
        "dp = product(dy, v.sw",
        "dp = product(0 * dy + 1, v.sw",
        "attention",
    ),
    (
        "reference/attention.py",
        "dv = fold(p, kv_heads).swapaxes(-1, -2) @ fold(dy, kv_heads)",
        "dv = product(p.swapaxes(-1, -2), dy)[:, :kv_heads]",
        "attention_grouped",
    ),
    (
        "reference/attention.py",
        "s = s + as_bias(mask, s)",
        "s = s + as_bias(~mask, s)",
        "attention_masked",
    ),
    (
        "reference/attention.py",
        "s = s + as_bias(mask, s)",
        "s = s - as_bias(mask, s)",
        "attention_biased",
    ),
    (
        "reference/attention.py",
        "        if self.causal:\n",
        "        if False:\n",
        "attention_causal",
    ),
    (
        "reference/attention.py",
        "return x.reshape(batch, kv_heads, -1, d)",
        "return x.swapaxes(1, 2).reshape(batch, kv_heads, -1, d)",
        "attention_grouped",
    ),
    (
        "reference/attention.py",
        "return x.reshape(batch, length, num_heads, width // num_heads).transpose(0, 2, 1, 3)",
        "return x.reshape(batch, num_heads, length, width // num_heads)",
        "multi_head_attention",
    ),
    (
        "reference/attention.py",
        "return keys, split_heads(kv[..., width:], self.kv_heads)",
        "return split_heads(kv[..., width:], self.kv_heads), keys",
        "multi_head_attention",
    ),
    (
        "reference/attention.py",
        "            (dk,), _ = self.rotary.backward({}, 0, dk)\n",
        "",
        "grouped_query_attention",
    ),
    (
        "reference/attention.py",
        'run("attention", q, k, v, mask=mask)',
        'run("attention", q, k, v)',
        "multi_head_attention_memory",
    ),
    # masks
    ("reference/masks.py", "offset = n_keys - n_queries if", "offset = 0 if", "causal_mask"),
    (
        "reference/masks.py",
        "like=like) <= queries + offset",
        "like=like) < queries + offset + (queries == 0)",
        "causal_mask",
    ),
    # positions
    (
        "reference/positions.py",
        "np.stack([np.sin(angle), np.cos(angle)], axis=-1)",
        "np.stack([np.cos(angle), np.sin(angle)], axis=-1)",
        "sinusoidal_positions",
    ),
    (
        "reference/positions.py",
        "base ** (-np.arange(0, features, 2, like=like) / features)",
        "base ** (-np.arange(0, features // 2, like=like) / features)",
        "rotary_positions",
    ),
    (
        "reference/positions.py",
        "np.arange(offset, offset + n_positions, like=like)",
        "np.arange(n_positions, like=like)",
        "rotary_positions",
    ),
    (
        "reference/positions.py",
        "self.turn(dy, offset, -1)",
        "self.turn(dy, offset, 1)",
        "rotary_positions",
    ),
    (
        "reference/positions.py",
        "second * cos + first * sin]",
        "second * cos - first * sin]",
        "rotary_positions",
    ),
    ("reference/positions.py", "= dy.sum(axis=0)", "= dy.mean(axis=0)", "learned_positions"),
    # norms and feed-forward
    (
        "reference/normalization.py",
        "np.square(x).mean(",
        "np.square(x - x.mean()).mean(",
        "rms_norm",
    ),
    ("reference/normalization.py", "(dx_hat * x_hat).mean(", "(dx_hat * x_hat).sum(", "rms_norm"),
    (
        "reference/feed_forward.py",
        "slope = s * (1 + gate * (1 - s))",
        "slope = s * (1 - s)",
        "swiglu",
    ),
    ("reference/feed_forward.py", "return gate * s * up,", "return s * up,", "swiglu"),
    ("reference/feed_forward.py", ' + d_up @ params["up_proj.weight"]\n', "\n", "swiglu"),
    # residuals and layers
    ("reference/residual.py", "(dy + dh, *others)", "(dh, *others)", "encoder_layer"),
    ("reference/residual.py", "return x + h if", "return h if", "encoder_layer_pre_norm"),
    ("reference/residual.py", "else run(norm, x + h)", "else x + run(norm, h)", "encoder_layer"),
    ("reference/decoder_layer.py", "x, memory, mask=memory_mask)", "x, memory)", "decoder_layer"),
    (
        "reference/decoder_layer.py",
        "self.Attention(self.d_model, self.num_heads, causal=True)",
        "self.Attention(self.d_model, self.num_heads)",
        "decoder_layer",
    ),
    # the encoder-decoder
    ("reference/transformer.py", "tokens) * sqrt(self.d_model)\n", "tokens)\n", "transformer"),
    ("reference/transformer.py", 'back("decoder.norm", dx)', "(dx,)", "transformer_pre_norm"),
    (
        "reference/transformer.py",
        'for name in reversed(self.names("encoder.layers"))',
        'for name in self.names("encoder.layers")',
        "transformer",
    ),
    (
        "reference/transformer.py",
        "d_memory = d_memory + d_layer_memory",
        "d_memory = d_layer_memory",
        "transformer",
    ),
    (
        "reference/transformer.py",
        '{"weight": d_rows.T @ x',
        '{"weight": 0 * d_rows.T @ x',
        "transformer",
    ),
    (
        "reference/transformer.py",
        "run(name, x, mask=mask)",
        "run(name, x)",
        "transformer",
    ),
    # FlashAttention
    (
        "reference/flash.py",
        "return m, a1 * l1 + a2 * l2, a1 * o1 + a2 * o2",
        "return m, a1 * l1 + a2 * l2, o1 + o2",
        "merge_tiles",
    ),
    (
        "reference/flash.py",
        "log_sums[:, :, rows] = m + np.log(total)",
        "log_sums[:, :, rows] = np.log(total)",
        "flash_attention",
    ),
    (
        "reference/flash.py",
        "offset = k.shape[2] - q.shape[2]",
        "offset = k.shape[2] - q.shape[2] - 1",
        "flash_attention_causal",
    ),
    (
        "reference/flash.py",
        "inside = column < lengths",
        "inside = column <= lengths",
        "flash_attention_lengths",
    ),
    (
        "reference/flash.py",
        "kv_heads, heads // kv_heads, length, d).sum(axis=2)",
        "heads // kv_heads, kv_heads, length, d).sum(axis=1)",
        "flash_attention_causal",
    ),
    # decoding, schedule, costs
    (
        "reference/decoding.py",
        "return ((5 + length) / 6) ** alpha",
        "return length**alpha",
        "beam_search",
    ),
    (
        "reference/schedules.py",
        "number * self.warm_up**-1.5",
        "number * self.warm_up**-1",
        "inverse_square_root_warm_up",
    ),
    (
        "reference/costs.py",
        "return 2 * rows * inner * columns",
        "return rows * inner * columns",
        "flops",
    ),
    # its twins in PyTorch
    (
        "torch_impl/attention.py",
        "mask = seen if mask is None else mask & seen",
        "mask = mask if mask is not None else seen",
        "decoder_layer",
    ),
    (
        "torch_impl/positions.py",
        "angle.sin().to(x.dtype)",
        "angle.cos().to(x.dtype)",
        "rotary_positions",
    ),
    (
        "torch_impl/feed_forward.py",
        "F.silu(self.gate_proj(x)) * self.up_proj(x)",
        "F.silu(self.up_proj(x)) * self.gate_proj(x)",
        "swiglu",
    ),
    (
        "torch_impl/transformer.py",
        "x = self.target_embedding(target) * sqrt(self.d_model)",
        "x = self.target_embedding(target)",
        "transformer",
    ),
    (
        "torch_impl/transformer.py",
        "return F.linear(x, self.target_embedding.weight)",
        "return F.linear(x, self.target_embedding.weight.detach())",
        "transformer",
    ),
    (
        "torch_impl/transformer.py",
        "return x if self.norm is None else self.norm(x)",
        "return x",
        "transformer_pre_norm",
    ),
]

# The kernels: (what must be wrong then, right, wrong)
OF_KERNELS = [
    ("flash_forward", "const real shrink = exp(m[i] - highest[i]);", "const real shrink = 1;"),
    ("flash_forward", "l[i] *= shrink;", ""),
    ("flash_forward", "m[i] = LOWEST;", "m[i] = 0;"),
    ("flash_forward", "o[i][f] /= l[i];", ""),
    ("flash_forward", "reduce_rows(l, Add());", ""),
    ("flash_forward", "reduce_rows(highest, Max());", "__syncthreads();"),
    ("flash_queries", "sum[i][f] *= scale;", ""),
    ("flash_queries", "ds[my_row(i)][my_column(j)] = p[i][j] *", "ds[my_row(i)][my_column(j)] ="),
    ("flash_queries", "add_product(sum, ds, other, d);", "add_product(sum, ds, own, d);"),
    ("flash_queries", "multiply(dp, own, other, e);", "multiply(dp, own, other, d);"),
    ("flash_keys", "(dp[i][j] - inner);", "dp[i][j];"),
    ("flash_keys", "head < (kv_head + 1) * shared_by", "head < kv_head * shared_by + 1"),
    ("flash_keys", "lengths[kv_head / kv_heads]", "lengths[0]"),
    ("flash_keys", "weights_of(p, s, log_sums + head * queries", "weights_of(p, s, log_sums"),
    ("flash_keys", "add_product(dv_sum, turned,", "add_product(dv_sum, turned, of_queries, 1); //"),
    ("weights", "if (row >= rows) return;", ""),
    ("weights", "s[c] + mask[c * step_key] - highest[0]) / total[0]", "s[c] - highest[0])"),
    ("weights", "row / queries / heads * step_batch + head * step_head", "head"),
    ("weights", "smaller(keys, larger(query + offset + 1, 0))", "keys"),
    ("weights", "c < seen ? exp", "true ? exp"),
    ("weights_backward", "(dp[c] - inner[0])", "dp[c]"),
    ("weights_backward", "inner[0] += dp[c] * p[c]", "inner[0] += dp[c]"),
    ("weights_backward", "row < rows ? keys : 0", "keys"),
    ("rms_norm", "sqrt(mean_square + eps)", "sqrt(mean_square)"),
    (
        "rms_norm",
        "reduce_block(squares, Add()) / columns",
        "reduce_block(squares, Add()) / THREADS",
    ),
    ("rms_norm", " - x[c] * inverse * inner", ""),
    ("rms_norm", "inner += weight[c] * dy[c]", "inner += dy[c]"),
    ("rms_norm", "row = warp; row < rows", "row = warp + 1; row < rows"),
    ("rms_norm", "if (warp == 0 && c < columns) {", "if (warp == 0) {"),
    ("rotary", "direction * sines[angle]", "sines[angle]"),
    ("rotary", "row % length * half + pair", "row * half % (length * half) + pair / 2"),
    ("rotary", "x[second] * cosine + x[first] * sine", "x[second] * cosine - x[first] * sine"),
    ("rotary", "if (at >= pairs) return;", ""),
    ("swiglu", "gate[i] * sigmoid(gate[i]) * up[i]", "sigmoid(gate[i]) * up[i]"),
    ("swiglu", "* (1 + gate[i] * (1 - s))", "* (1 - s)"),
    ("swiglu", "d_up[i] = d_hidden[i] * gate[i] * s", "d_up[i] = d_hidden[i] * gate[i]"),
]
# In code that several kernels share, or whose result another kernel reads: each is compiled alone.
SHARED = [
    ("flash_queries", "inner[i] += dy[query * e + c] * y[query * e + c]", "inner[i] += 0"),
    ("flash_forward", "row < rows ? factor * x[row * width + c] : real(0)", "x[row * width + c]"),
    ("flash_forward", "key <= query + offset;", "key <= query;"),
    ("flash_keys", "query < queries && key < keys && key <=", "key <="),
    ("flash_forward", "for (int c = 0; c < TILE; c++)", "for (int c = 1; c < TILE; c++)"),
    ("flash_forward", "first + my_row(i) < rows && my_column(f)", "my_column(f)"),
    ("flash_queries", "smaller(keys, first + TILE + offset)", "smaller(keys, first + TILE)"),
    ("flash_keys", "larger(first - offset, 0) / TILE * TILE", "first / TILE * TILE"),
    ("weights", "lane = 1; lane < COLUMN_LANES", "lane = 1; lane < COLUMN_LANES - 1"),
]
KERNEL_SLIPS = (OF_KERNELS, *([slip] for slip in SHARED))
