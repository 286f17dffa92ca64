"""Mutants of this chapter's answers that compute the same as the answer, each with the reason."""

HARMLESS: dict[str, dict[str, str]] = {
    "orthogonal_matrix": {
        "return q / np.sign(np.diag(r))": "a sign is 1 or -1, and its own inverse",
    },
    "clip_by_global_norm": {
        "scale = 1.0 if norm < max_norm else max_norm / norm": "a norm of max_norm is scaled by 1",
    },
    "bigram_bits": {
        "counts = np.full((n_characters, n_characters), alpha)": "an integer alpha counts as well",
    },
}
