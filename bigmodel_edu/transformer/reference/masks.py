"""Masks: which query may look at which key.

A boolean mask says True where a query may look, as in PyTorch's `scaled_dot_product_attention`
(`torch.nn.MultiheadAttention` means the opposite); a mask of floats is added to the scores. A mask
has any shape that broadcasts to that of the scores, (B, heads, T, S): T queries, S keys.
"""

import numpy as np

from bigmodel_edu.errors import DTypeError, LengthError, ShapeError
from bigmodel_edu.layer import Array, expect_lengths, shape_text


def causal_mask(
    n_queries: int, n_keys: int | None = None, *, offset: int | None = None, like: Array = None
) -> Array:
    """Return the causal mask (T, S): query i may look at the keys j ≤ i + `offset`.

    `offset` is the number of keys before the first query. By default the queries are the last of
    the keys, offset = S - T: none for a whole sequence, S - 1 for one new token and a cache.
    """
    n_keys = n_queries if n_keys is None else n_keys
    offset = n_keys - n_queries if offset is None else offset
    queries = np.arange(n_queries, like=like)[:, None]
    return np.arange(n_keys, like=like) <= queries + offset


def padding_mask(lengths: Array, longest: int) -> Array:
    """Return the mask (B, 1, 1, S) of sequences padded to S = `longest`: True before the padding.

    `lengths` (B,) are integers from 1 to `longest`.
    """
    expect_lengths("lengths", lengths, len(lengths), longest)
    return (np.arange(longest, like=lengths) < lengths[:, None])[:, None, None, :]


def combine(*masks: Array | None) -> Array | None:
    """Return the boolean mask of what all `masks` allow; None allows everything."""
    combined = None
    for mask in masks:
        if mask is not None:
            if mask.dtype.kind != "b":
                raise DTypeError(
                    f"a mask to combine is of type {mask.dtype}, expected booleans, True where a "
                    "query may look; add floating-point masks up instead."
                )
            combined = mask if combined is None else combined & mask
    return combined


def expect_mask(mask: Array, *scores: int) -> None:
    """Raise unless `mask` holds booleans or floats and broadcasts to the shape `scores`."""
    kind = getattr(getattr(mask, "dtype", None), "kind", None)
    if kind not in ("b", "f"):
        raise DTypeError(
            f"mask is of type {getattr(mask, 'dtype', type(mask).__name__)}, expected booleans "
            "(True where a query may look) or floating-point numbers (added to the scores); a mask "
            "of zeros and ones becomes booleans with mask == 1."
        )
    sizes = mask.shape
    fits = len(sizes) <= len(scores) and all(
        size in (1, wanted) for size, wanted in zip(sizes[::-1], scores[::-1], strict=False)
    )
    if not fits:
        raise ShapeError(
            f"mask has shape {shape_text(sizes)}, expected one that broadcasts to (batch, heads, "
            f"queries, keys) = {shape_text(scores)}; a mask of padding is (batch, 1, 1, keys)."
        )


def as_bias(mask: Array, like: Array) -> Array:
    """Return what a mask adds to the scores, in the dtype of `like`: 0 or -∞ for a boolean one."""
    if mask.dtype.kind == "b":
        zero = np.zeros((), like.dtype, like=like)
        return np.where(mask, zero, zero - np.inf)
    return mask.astype(like.dtype, copy=False)


def expect_a_key_for_every_query(highest: Array) -> None:
    """Raise LengthError where the `highest` score of a query (B, heads, T, 1) is -∞."""
    blind = highest == -np.inf
    if blind.any():
        at = np.unravel_index(int(np.flatnonzero(blind)[0]), blind.shape)
        batch, head, query, _ = map(int, at)
        raise LengthError(
            f"the mask lets query {query} of sequence {batch} (head {head}) look at no key at all, "
            "expected at least one; is the sequence all padding, or the mask upside down (True "
            "means may look)?"
        )
