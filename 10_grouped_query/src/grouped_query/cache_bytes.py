"""Bytes: what the keys and values of a token cost, and how many texts fit beside the weights on a card."""

from .published import Shape


def cache_bytes_per_token(shape: Shape, bytes_per_element: int = 2) -> int:
    """Bytes that one token adds to the cache, in all layers. Two bytes an element are float16 or bfloat16."""
    if shape.latent_dim:
        elements = shape.latent_dim + shape.rope_dim
    else:
        elements = 2 * shape.kv_heads * shape.head_dim  # a key and a value
    return shape.layers * elements * bytes_per_element


def largest_batch(shape: Shape, context: int, memory_bytes: int, bytes_per_element: int = 2) -> int:
    """How many texts of `context` tokens fit into the memory that the weights leave. 0 if not even one does.

    Weights and cache have the same number of bytes an element. Activations are not counted.

    Raises:
        ValueError: the weights alone do not fit.
    """
    free = memory_bytes - shape.parameters * bytes_per_element
    if free < 0:
        raise ValueError(f"memory_bytes={memory_bytes}: the weights need {-free:.3g} more; use more cards")
    return free // (context * cache_bytes_per_token(shape, bytes_per_element))
