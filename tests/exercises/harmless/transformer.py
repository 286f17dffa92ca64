"""Mutants of this chapter's answers that compute the same as the answer, each with the reason."""

_FACTOR = "every score has the same positive factor, so that the same sequence is the best"

HARMLESS: dict[str, dict[str, str]] = {
    "sinusoidal_positions": {
        "table[:, ::2] = np.sin(angles)": "a slice begins at 0 if it is not told where",
    },
    "rms_norm_backward": {
        "dweight = (dy * x_hat).reshape(-2, x.shape[-1]).sum(axis=0)": (
            "to reshape every negative number means: whatever is left"
        ),
    },
    "merge_tiles": {
        "(m1, l1, o1), (m2, l2, o2) = (second, first)": "which tile comes first does not matter",
    },
    "beam_search": {
        "return total / ((5 + len(sequence) - 1) * 6) ** length_penalty": _FACTOR,
        "return total / (5 + len(sequence) - 1) ** length_penalty": _FACTOR,
        "return total / ((5 + len(sequence) - 1) / 7) ** length_penalty": _FACTOR,
        "return total / ((5 + len(sequence) - 1) / 5) ** length_penalty": _FACTOR,
    },
    "attention_flops": {
        "scores_and_sum = (2 + 2) * n_tokens ** 2 * d_model": "2 + 2 is 2 · 2",
    },
}
