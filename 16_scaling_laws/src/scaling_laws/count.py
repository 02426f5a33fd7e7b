"""How large is a transformer, and what does it cost to train: parameters and FLOPs, exactly and by the rule 6ND.

Dimensions:
    L   layers            d   width (d_model)      f   width of the feed-forward layer (d_ff)
    V   vocabulary        T   tokens of a context
    N   parameters        D   tokens trained on    C   FLOPs of training
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Shape:
    """The sizes of a decoder with rotary positions and a tied head."""

    layers: int
    d_model: int
    d_ff: int
    vocab_size: int
    context: int


def parameters(shape: Shape, embeddings: bool = False) -> int:
    """Entries of all matrices. Kaplan et al. (2020) leave the embeddings out, Hoffmann et al. (2022) count them."""
    d = shape.d_model
    blocks = shape.layers * (4 * d * d + 2 * d * shape.d_ff)
    return blocks + embeddings * shape.vocab_size * d


def training_flops(shape: Shape, tokens: int, attention: bool = True) -> int:
    """FLOPs of all matrix products of a training run, forward and backward (Kaplan et al. 2020, table 1, times 3).

    A product costs two FLOPs an entry of its matrix and token. The backward pass has two products for each one of the
    forward pass. A look-up in the embedding costs nothing; the head is a product, although it is the same matrix.
    """
    d = shape.d_model
    per_token = 6 * (shape.layers * (4 * d * d + 2 * d * shape.d_ff) + d * shape.vocab_size)
    if attention:
        per_token += 12 * shape.layers * shape.context * d
    return per_token * tokens


def approximate_flops(n_parameters: int | float, tokens: int | float) -> int | float:
    """C = 6ND: what everybody uses. It leaves out attention, and is off by whatever N leaves out."""
    return 6 * n_parameters * tokens
