"""An exercise: counting."""

from bigmodel_edu.exercise import Case, Exercise, Mistake

from .. import reference as ref


def attention_flops(n_tokens: int, d_model: int) -> int:
    """Return the FLOPs of one self-attention layer forwards, a multiply-add counted as two."""
    return ref.layer_flops(1, n_tokens, d_model, 1, 1, feed_forward_matrices=0)


ATTENTION_FLOPS = Exercise(
    name="transformer.attention_flops",
    title="Counting",
    points=1,
    stars=1,
    reference=attention_flops,
    cases=lambda rng: [
        Case((4, 3)),
        Case((int(rng.integers(100, 2000)), int(rng.integers(100, 2000))), note="at random"),
        Case((100_000, 64), note="long and narrow"),
        Case((10, 4096), note="short and wide"),
    ],
    mistakes=(
        Mistake(
            lambda n_tokens, d_model: attention_flops(n_tokens, d_model) // 2,
            "You counted a multiply-add once; it is two operations, one multiplication and one "
            "addition.",
        ),
        Mistake(
            lambda n_tokens, d_model: 8 * n_tokens * d_model**2,
            "These are the four projections alone. The scores q kᵀ and the weighted sum p v are "
            "missing, which grow with T².",
        ),
        Mistake(
            lambda n_tokens, d_model: 4 * n_tokens**2 * d_model,
            "These are q kᵀ and p v alone; the four projections are missing.",
        ),
        Mistake(
            lambda n_tokens, d_model: 6 * n_tokens * d_model**2 + 4 * n_tokens**2 * d_model,
            "You counted three projections, of q, k and v; the fourth mixes the heads at the end.",
        ),
        Mistake(
            lambda n_tokens, d_model: 8 * n_tokens * d_model**2 + 2 * n_tokens**2 * d_model,
            "There are two products with T × T numbers: q kᵀ makes them, p v uses them.",
        ),
        Mistake(
            lambda n_tokens, d_model: attention_flops(n_tokens, d_model) + 5 * n_tokens**2,
            "You counted the softmax as well. The task counts the products of matrices only: the "
            "softmax takes a few operations for each score, not 4 D.",
        ),
    ),
    hints=(
        "A product of (m, n) and (n, p) has m · p sums of n products: 2 m n p operations.",
        "Four projections (T, D) by (D, D); then q kᵀ, (T, D) by (D, T), and p v, (T, T) by "
        "(T, D). The heads share out D and change nothing.",
        "return 8 * n_tokens * d_model**2 + 4 * n_tokens**2 * d_model",
    ),
)
