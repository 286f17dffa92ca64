"""An exercise: a random orthogonal matrix."""

import numpy as np

from bigmodel_edu.exercise import Case, Exercise, Mistake
from bigmodel_edu.layer import Array

from ..reference import orthogonal_from


def orthogonal_matrix(a: Array) -> Array:
    """Return Q (m, n) of a = Q R, with the signs for which R has a positive diagonal."""
    return orthogonal_from(a)


def _with_both_signs(rng: np.random.Generator, m: int, n: int) -> Array:
    """Return a matrix (m, n) for which NumPy's R has negative and positive diagonal elements.

    Turning the sign of a column turns that of its diagonal element and of no other.
    """
    a, signs = rng.normal(size=(m, n)), np.where(rng.permutation(n) < (n + 1) // 2, -1, 1)
    return a * signs * np.sign(np.diag(np.linalg.qr(a)[1]))


def _signs_on_the_rows(a: Array) -> Array:
    q, r = np.linalg.qr(a)
    return q * np.sign(np.diag(r))[:, None]


ORTHOGONAL_MATRIX = Exercise(
    name="lstm.orthogonal_matrix",
    title="A random orthogonal matrix",
    points=2,
    stars=2,
    reference=orthogonal_matrix,
    cases=lambda rng: [
        Case((_with_both_signs(rng, m, n),)) for m, n in ((5, 5), (7, 3), (2, 2), (3, 3))
    ],
    mistakes=(
        Mistake(
            lambda a: -orthogonal_matrix(a),
            "Every sign is the wrong way round: column j of Q is multiplied by the sign of R_jj, "
            "after which R_jj is positive.",
        ),
        Mistake(
            lambda a: np.linalg.qr(a)[0],
            "The columns are right but for their signs: multiply column j of Q by the sign of R_jj "
            "(np.sign(np.diag(R))).",
        ),
        Mistake(
            _signs_on_the_rows,
            "You multiplied row j of Q by the sign of R_jj. It belongs to column j: a vector of "
            "shape (n,) is broadcast over the rows by itself.",
        ),
        Mistake(
            lambda a: a / np.linalg.norm(a, axis=0),
            "Your columns have length 1, but they are not perpendicular to each other: Qᵀ Q must "
            "be the unit matrix.",
        ),
        Mistake(
            lambda a: _polar(a),
            "This matrix has orthonormal columns too, but it is U Vᵀ of the singular value "
            "decomposition, not the Q of a = Q R.",
        ),
        Mistake(
            lambda a: orthogonal_matrix(a) * np.abs(np.diag(np.linalg.qr(a)[1])),
            "You multiplied the columns by R_jj itself; only its sign is wanted, or the columns no "
            "longer have length 1.",
        ),
    ),
    hints=(
        "`q, r = np.linalg.qr(a)` gives both; only the signs are left to do.",
        "np.diag(r) is the diagonal, np.sign its signs; multiplying by a vector of shape (n,) "
        "scales the columns.",
        "q, r = np.linalg.qr(a); return q * np.sign(np.diag(r))",
    ),
)


def _polar(a: Array) -> Array:
    u, _, vt = np.linalg.svd(a, full_matrices=False)
    return u @ vt
