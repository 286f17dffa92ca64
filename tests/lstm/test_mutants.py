"""Chapter 2 broken on purpose: each slip in a line must be caught by a judge."""

import pytest

from bigmodel_edu import catalogue
from bigmodel_edu.components import Component


def component(name: str) -> Component:
    return catalogue.component(f"lstm.{name}")


# (file, right, wrong, component)
SLIPS = [
    ("embedding.py", "np.diff(in_order))) != 0", "np.diff(in_order))) > 1", "embedding"),
    ("embedding.py", "rows[order], starts", "rows, starts", "embedding"),
    ("rnn.py", "return np.tanh(z)", "return np.tanh(0.5 * z)", "rnn_cell"),
    ("rnn.py", "(1 - h_new * h_new)", "(1 + h_new * h_new)", "rnn_cell"),
    ("rnn.py", '(dz @ params["weight_hh"],)', '(dz @ params["weight_hh"].T,)', "rnn_cell"),
    ("lstm.py", '.T + params["bias_hh"]', '.T + 0 * params["bias_hh"]', "lstm_cell"),
    ("lstm.py", "np.tanh(g), sigmoid(o)", "sigmoid(g), sigmoid(o)", "lstm_cell"),
    ("lstm.py", "i, f, g, o = np.split(z", "i, f, o, g = np.split(z", "lstm_cell"),
    ("lstm.py", "f * c + i * g", "f * c + (1 - f) * g", "lstm_cell"),
    ("lstm.py", "dc_new + dh_new * o", "dh_new * o", "lstm_cell"),
    ("lstm.py", "o * (1 - shown * shown)", "o", "lstm_cell"),
    ("lstm.py", "dc_all * c * f * (1 - f)", "dc_all * c * f", "lstm_cell"),
    (
        "lstm.py",
        "np.concatenate(dz, axis=-1), dc_all * f",
        "np.concatenate(dz, axis=-1), dc_all",
        "lstm_cell",
    ),
    ("gru.py", "np.tanh(a_n + r * u_n)", "np.tanh(r * (a_n + u_n))", "gru_cell"),
    ("gru.py", "(1 - z) * n + z * h", "z * n + (1 - z) * h", "gru_cell"),
    ("gru.py", "da_n * u_n * r * (1 - r)", "da_n * h * r * (1 - r)", "gru_cell"),
    ("gru.py", "(da_r, da_z, da_n * r)", "(da_r, da_z, da_n)", "gru_cell"),
    ("gru.py", "(dh + du @", "(du @", "gru_cell"),
    ("cell.py", '"bias_ih": da_rows.sum(axis=0)', '"bias_ih": da_rows.mean(axis=0)', "lstm_cell"),
    ("recurrent.py", "d_new = (d_states[0] + dy[t],", "d_new = (dy[t],", "lstm"),
    ("recurrent.py", "before.append(states[0])", "before.append(np.zeros_like(states[0]))", "lstm"),
    ("recurrent.py", "np.where(running[t], new, old)", "new", "lstm_padded"),
    ("recurrent.py", "np.where(running[t], new_states[0], 0)", "new_states[0]", "gru_padded"),
    ("recurrent.py", "np.where(running[t], d, 0) for d", "d for d", "lstm_padded"),
    ("recurrent.py", "np.where(running[t], d, passing)", "d", "rnn_padded"),
    ("recurrent.py", "self.lengths - 1 - t, t)", "self.steps - 1 - t, t)", "lstm_padded"),
    (
        "models.py",
        "for k in range(self.n_directions, 0, -1)], axis",
        "for k in range(1, self.n_directions + 1)], axis",
        "sequence_classifier_both_ways",
    ),
    ("ngrams.py", "np.where(seen == 0, 1, followers)", "np.where(seen == 0, 1, 1)", "ngram_model"),
    ("ngrams.py", "followers * lower) / (seen", "lower) / (seen", "ngram_model"),
    (
        "sampling.py",
        "softmax(logits / temperature)",
        "softmax(logits * temperature)",
        "temperature_probabilities",
    ),
    ("truncated.py", "share * of_window", "of_window", "truncated_bptt"),
    (
        "truncated.py",
        "window_gradients(\n            model, params, tokens[:, piece], targets[:, piece], states",
        "window_gradients(\n            model, params, tokens[:, piece], targets[:, piece], ()",
        "truncated_bptt",
    ),
]


@pytest.mark.parametrize(
    ("file", "line", "slip", "name"),
    SLIPS,
    ids=[f"{file}: {line[:30]} → {slip[:30]}" for file, line, slip, _ in SLIPS],
)
def test_a_slip_in_one_line_is_caught(file, line, slip, name, break_line, caught_by):
    break_line("lstm", f"reference/{file}", line, slip)
    assert caught_by(component(name))


def test_nothing_is_caught_without_a_slip(caught_by):
    names = {name for *_, name in SLIPS}
    assert not {name for name in names if caught_by(component(name))}
