"""Objects that the chapter's exercises hand to a function.

A course's grader sends this file along into a student's process, where the book is not: it imports
NumPy only.
"""

from dataclasses import dataclass

import numpy as np

ENOUGH = 1_000
"""So often may a search ask. One that drops nothing would ask for millions of sequences."""


@dataclass
class ToyLanguage:
    """A language in which the next token depends on the last one and on how many there are.

    log_p: (N, V, V), log-probabilities by the number of tokens so far, the last one and the next;
        from N tokens on they stay the same.
    asked: how often it has been called.
    """

    log_p: np.ndarray
    asked: int = 0

    def __call__(self, prefix: tuple[int, ...]) -> np.ndarray:
        self.asked += 1
        if self.asked > ENOUGH:
            raise RuntimeError(
                f"log_probabilities was called more than {ENOUGH:,} times: do more sequences stay "
                "alive than `beam`?"
            )
        return self.log_p[min(len(prefix), len(self.log_p)) - 1, prefix[-1]].copy()
