"""Mutants of this chapter's answers that compute the same as the answer, each with the reason."""

HARMLESS: dict[str, dict[str, str]] = {
    "neuron": {"z = x @ w + b": "the product of two vectors is the same either way round"},
    "numerical_gradient": {
        "gradient = np.ones_like(x)": "every element is overwritten, whatever it was",
    },
}
