"""What attention costs, in multiply-adds counted as two FLOPs, and in bytes.

Counted are the products of matrices, which take nearly all of the time; softmax, norms and
activations are left out. Backward costs twice as much as forward: for every product y = a b it
takes two of the same size, da = dy bᵀ and db = aᵀ dy.
"""

from bigmodel_edu.layer import expect_count, expect_divisible


def matmul_flops(rows: int, inner: int, columns: int) -> int:
    """Return the FLOPs of a product of (rows, inner) and (inner, columns)."""
    return 2 * rows * inner * columns


def attention_flops(
    batch: int, num_heads: int, n_queries: int, n_keys: int, head_dim: int, *, causal: bool = False
) -> int:
    """Return the FLOPs of the forward pass of attention: q kᵀ, and the weights times v.

    4 B h T S d; with `causal`, of T queries that are the last of S keys, only the pairs that may
    look at each other, as a kernel that skips the rest of the tiles counts them.
    """
    for name, value in (("n_queries", n_queries), ("n_keys", n_keys), ("head_dim", head_dim)):
        expect_count(name, value)
    pairs = n_queries * n_keys
    if causal:
        pairs -= n_queries * (n_queries - 1) // 2
    return 2 * matmul_flops(batch * num_heads, head_dim, pairs)


def attention_bytes(
    batch: int, num_heads: int, n_queries: int, n_keys: int, *, bytes_per_number: int = 4
) -> int:
    """Return the bytes of the weights (B, h, T, S) that FlashAttention never stores."""
    return batch * num_heads * n_queries * n_keys * bytes_per_number


def layer_flops(
    batch: int,
    length: int,
    d_model: int,
    d_ff: int,
    num_heads: int,
    num_kv_heads: int | None = None,
    *,
    feed_forward_matrices: int = 2,
) -> int:
    """Return the FLOPs of the forward pass of an encoder layer or a decoder block.

    Per token 4 D² (1 + g/h) for the projections, 4 T D for the attention and 2 D F for each of the
    matrices of the feed-forward layer: 2, or 3 with SwiGLU.
    """
    kv_heads = num_heads if num_kv_heads is None else num_kv_heads
    expect_divisible("d_model", d_model, "num_heads", num_heads)
    expect_divisible("num_heads", num_heads, "num_kv_heads", kv_heads)
    head_dim = d_model // num_heads
    tokens = batch * length
    projections = 2 * matmul_flops(tokens, d_model, d_model + kv_heads * head_dim)
    feed_forward = feed_forward_matrices * matmul_flops(tokens, d_model, d_ff)
    return projections + feed_forward + attention_flops(batch, num_heads, length, length, head_dim)


def layer_parameters(
    d_model: int,
    d_ff: int,
    num_heads: int,
    num_kv_heads: int | None = None,
    *,
    feed_forward_matrices: int = 2,
) -> int:
    """Return the number of weights in the matrices of a layer, without biases and norms."""
    kv_heads = num_heads if num_kv_heads is None else num_kv_heads
    expect_divisible("d_model", d_model, "num_heads", num_heads)
    expect_divisible("num_heads", num_heads, "num_kv_heads", kv_heads)
    projections = 2 * d_model * (d_model + kv_heads * (d_model // num_heads))
    return projections + feed_forward_matrices * d_model * d_ff


def kv_cache_bytes(
    batch: int,
    length: int,
    num_layers: int,
    num_kv_heads: int,
    head_dim: int,
    *,
    bytes_per_number: int = 2,
) -> int:
    """Return the bytes of the keys and values of `length` tokens in all layers."""
    return 2 * batch * length * num_layers * num_kv_heads * head_dim * bytes_per_number


def lstm_flops(batch: int, length: int, input_size: int, hidden_size: int) -> int:
    """Return the FLOPs of the forward pass of an LSTM layer: four gates of input and state."""
    return matmul_flops(batch * length, input_size + hidden_size, 4 * hidden_size)
