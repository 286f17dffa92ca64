"""Mutants of this chapter's answers that compute the same as the answer, each with the reason."""

_AS_THEY_ARE = "numbers of NumPy are equal to Python's, in a set as well; it only takes longer"

HARMLESS: dict[str, dict[str, str]] = {
    "filtered_rank": {
        "optimistic, pessimistic = (above + level, above + 1)": "their mean is taken",
    },
    "transe_score": {
        "return -np.linalg.norm(t - (s + r), ord=p, axis=-1)": "a norm does not mind the sign",
    },
    "compose": {
        "return (first + second - np.pi) % (2 * np.pi) - np.pi": "one whole turn less",
    },
    "rule_confidence": {
        "of_body = {(h, t) for h, r, t in facts if r == body}": _AS_THEY_ARE,
        "of_head = {(h, t) for h, r, t in facts if r == head}": _AS_THEY_ARE,
    },
}
