"""Chapter 2 broken on purpose: tables of slips, each of which a judge or a test must catch.

They are slips that people really make; none stops the program.
"""

# One line of a file: (file, right, wrong, the component whose judges must say no)
SLIPS = [
    ("reference/embedding.py", "np.diff(in_order))) != 0", "np.diff(in_order))) > 1", "embedding"),
    ("reference/embedding.py", "rows[order], starts", "rows, starts", "embedding"),
    ("reference/rnn.py", "return np.tanh(z)", "return np.tanh(0.5 * z)", "rnn_cell"),
    ("reference/rnn.py", "(1 - h_new * h_new)", "(1 + h_new * h_new)", "rnn_cell"),
    (
        "reference/rnn.py",
        '(dz @ params["weight_hh"],)',
        '(dz @ params["weight_hh"].T,)',
        "rnn_cell",
    ),
    ("reference/lstm.py", '.T + params["bias_hh"]', '.T + 0 * params["bias_hh"]', "lstm_cell"),
    ("reference/lstm.py", "np.tanh(g), sigmoid(o)", "sigmoid(g), sigmoid(o)", "lstm_cell"),
    ("reference/lstm.py", "i, f, g, o = np.split(z", "i, f, o, g = np.split(z", "lstm_cell"),
    ("reference/lstm.py", "f * c + i * g", "f * c + (1 - f) * g", "lstm_cell"),
    ("reference/lstm.py", "dc_new + dh_new * o", "dh_new * o", "lstm_cell"),
    ("reference/lstm.py", "o * (1 - shown * shown)", "o", "lstm_cell"),
    ("reference/lstm.py", "dc_all * c * f * (1 - f)", "dc_all * c * f", "lstm_cell"),
    (
        "reference/lstm.py",
        "np.concatenate(dz, axis=-1), dc_all * f",
        "np.concatenate(dz, axis=-1), dc_all",
        "lstm_cell",
    ),
    ("reference/gru.py", "np.tanh(a_n + r * u_n)", "np.tanh(r * (a_n + u_n))", "gru_cell"),
    ("reference/gru.py", "(1 - z) * n + z * h", "z * n + (1 - z) * h", "gru_cell"),
    ("reference/gru.py", "da_n * u_n * r * (1 - r)", "da_n * h * r * (1 - r)", "gru_cell"),
    ("reference/gru.py", "(da_r, da_z, da_n * r)", "(da_r, da_z, da_n)", "gru_cell"),
    ("reference/gru.py", "(dh + du @", "(du @", "gru_cell"),
    (
        "reference/cell.py",
        '"bias_ih": da_rows.sum(axis=0)',
        '"bias_ih": da_rows.mean(axis=0)',
        "lstm_cell",
    ),
    ("reference/recurrent.py", "d_new = (d_states[0] + dy[t],", "d_new = (dy[t],", "lstm"),
    (
        "reference/recurrent.py",
        "before.append(states[0])",
        "before.append(np.zeros_like(states[0]))",
        "lstm",
    ),
    ("reference/recurrent.py", "np.where(running[t], new, old)", "new", "lstm_padded"),
    (
        "reference/recurrent.py",
        "np.where(running[t], new_states[0], 0)",
        "new_states[0]",
        "gru_padded",
    ),
    ("reference/recurrent.py", "np.where(running[t], d, 0) for d", "d for d", "lstm_padded"),
    ("reference/recurrent.py", "np.where(running[t], d, passing)", "d", "rnn_padded"),
    ("reference/recurrent.py", "self.lengths - 1 - t, t)", "self.steps - 1 - t, t)", "lstm_padded"),
    (
        "reference/models.py",
        "for k in range(self.n_directions, 0, -1)], axis",
        "for k in range(1, self.n_directions + 1)], axis",
        "sequence_classifier_both_ways",
    ),
    (
        "reference/ngrams.py",
        "np.where(seen == 0, 1, followers)",
        "np.where(seen == 0, 1, 1)",
        "ngram_model",
    ),
    ("reference/ngrams.py", "followers * lower) / (seen", "lower) / (seen", "ngram_model"),
    (
        "reference/sampling.py",
        "softmax(logits / temperature)",
        "softmax(logits * temperature)",
        "temperature_probabilities",
    ),
    ("reference/truncated.py", "share * of_window", "of_window", "truncated_bptt"),
    (
        "reference/truncated.py",
        "window_gradients(\n            model, params, tokens[:, piece], targets[:, piece], states",
        "window_gradients(\n            model, params, tokens[:, piece], targets[:, piece], ()",
        "truncated_bptt",
    ),
]

# The kernels: (what must be wrong then, right, wrong)
OF_KERNELS = [
    ("rnn_cell", "if (at < n) new_h[at] = tanh(", "new_h[at] = tanh("),
    ("rnn_cell", "tanh(a[at] + u[at] + bias", "tanh(a[at] + bias"),
    ("rnn_cell", "bias[at % units]", "bias[0]"),
    ("lstm_cell", "if (at >= n) return;\n    const int64 unit", "const int64 unit"),
    ("lstm_cell", "i = sigmoid(a[first] + u[first] + bias[unit])", "i = sigmoid(a[first])"),
    ("lstm_cell", "f = sigmoid(a[first + units]", "f = tanh(a[first + units]"),
    ("lstm_cell", "f * c[at] + i * g", "f * c[at] + g"),
    ("lstm_cell", "new_h[at] = o * tanh(memory)", "new_h[at] = o * memory"),
    ("lstm_cell", "s = d_new_c[at] + ", "s = "),
    ("lstm_cell", "dz[first + units] = s * c[at] * f", "dz[first + units] = s * f"),
    ("lstm_cell", "d_new_h[at] * shown * o * (1 - o)", "s * shown * o * (1 - o)"),
    ("lstm_cell", "dc[at] = s * f", "dc[at] = s"),
    ("gru_cell", "int64 from = row * 3 * units", "int64 from = row * 4 * units"),
    ("gru_cell", "v = u[from + 2 * units] + bias[unit + 2 * units]", "v = u[from + 2 * units]"),
    ("gru_cell", "tanh(a[from + 2 * units] + r * v)", "tanh(a[from + 2 * units] + v)"),
    ("gru_cell", "n + z * (h[at] - n)", "h[at] + z * (n - h[at])"),
    ("gru_cell", "d_new_h[at] * (1 - z) * (1 - n * n)", "d_new_h[at] * (1 - n * n)"),
    ("gru_cell", "da_n * v * r * (1 - r)", "da_n * r * (1 - r)"),
    ("gru_cell", "(h[at] - n) * z * (1 - z)", "h[at] * z * (1 - z)"),
    ("gru_cell", "du[to + 2 * units] = da_n * r", "du[to + 2 * units] = da_n"),
    ("gru_cell", "dh[at] = d_new_h[at] * z", "dh[at] = d_new_h[at]"),
    ("embedding", "* columns + i % columns]", "* columns]"),
    ("embedding", "k = starts[token] + warp", "k = starts[token] + warp + 1"),
    ("embedding", "k += WARPS", "k += 1"),
    ("embedding", "dy[order[k] * columns + c]", "dy[k * columns + c]"),
    ("embedding", "other = 1; other < WARPS", "other = 2; other < WARPS"),
    ("embedding", "if (warp == 0 && c < columns) {", "if (warp == 0) {"),
    ("padded_embedding", "c < columns && token != padding", "c < columns"),
]
# In code that several kernels share, or whose result another kernel reads: each is compiled alone.
SHARED = [("lstm_cell", "(1 + tanh(real(0.5) * z))", "(1 + tanh(z))")]
KERNEL_SLIPS = (OF_KERNELS, *([slip] for slip in SHARED))
