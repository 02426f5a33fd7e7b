"""The rotary position embedding (Su et al. 2021): rotate each pair of coordinates by position times frequency.

Dimensions:
    B  sequences of a batch
    H  query heads
    G  key/value heads
    T  tokens
    D  width of a head
    P  pairs of coordinates, P = D / 2
    _  a size that must equal another one; the function compares them and says which does not fit

The file goes from one pair to whole queries and keys:
    rotate_complex, rotate       one pair, as a complex number and without complex numbers
    split_pairs, join_pairs      which two coordinates form a pair: the two layouts
    angles                       position times frequency
    apply_rope_complex           the definition, one line of complex arithmetic
    apply_rope                   the form that models use
"""

import torch
from jaxtyping import Float, Float64, Int64, Real
from torch import Tensor

from .sinusoidal import frequencies

LAYOUTS = ("half", "interleaved")


# ---------------------------------------------------------------- one pair


def rotate_complex(pairs: Float[Tensor, "*N 2"], angle: Float[Tensor, "..."]) -> Float[Tensor, "*M 2"]:
    """Rotate pairs (x, y) by an angle in radians: (x + iy) e^(i angle). Su et al. 2021, eq. 12."""
    numbers = torch.view_as_complex(pairs.contiguous())
    unit = torch.polar(torch.ones_like(angle), angle)  # e^(i angle)
    return torch.view_as_real(numbers * unit.to(numbers))


def rotate(pairs: Float[Tensor, "*N 2"], angle: Float[Tensor, "..."]) -> Float[Tensor, "*M 2"]:
    """Rotate pairs (x, y) counter-clockwise by an angle in radians. Angles broadcast against the pairs.

    The product with [[cos, -sin], [sin, cos]] (Su et al. 2021, eq. 13). Cosine and sine are computed in the dtype of
    the angle and then rounded to the dtype of the pairs, so that the result has the dtype of the pairs.
    """
    cos, sin = torch.stack((angle.cos(), angle.sin())).to(pairs)
    x, y = pairs.unbind(-1)
    return torch.stack((x * cos - y * sin, x * sin + y * cos), dim=-1)


# ---------------------------------------------------------------- which coordinates form a pair


def split_pairs(x: Float[Tensor, "*N D"], layout: str) -> Float[Tensor, "*N P 2"]:
    """The coordinates of a head as pairs.

    interleaved: (0, 1), (2, 3), ...        the paper, GPT-J, Meta's own Llama code
    half:        (0, P), (1, P + 1), ...    GPT-NeoX, and every Llama in `transformers`

    Raises:
        ValueError: the layout is unknown.
    """
    check_layout(layout)
    if layout == "interleaved":
        return x.unflatten(-1, (-1, 2))  # D -> P 2
    return x.unflatten(-1, (2, -1)).transpose(-1, -2)  # D -> 2 P -> P 2


def join_pairs(pairs: Float[Tensor, "*N P 2"], layout: str) -> Float[Tensor, "*N D"]:
    """The inverse of `split_pairs`."""
    if layout == "interleaved":
        return pairs.flatten(-2)
    return pairs.transpose(-1, -2).flatten(-2)


def half_from_interleaved(dim: int) -> Int64[Tensor, "D"]:
    """The permutation between the layouts: `x[..., half_from_interleaved(D)]` is x in half layout.

    It is [0, 2, 4, ..., 1, 3, 5, ...]. Applied to the rows of W_q and W_k it converts a checkpoint. Scores stay the
    same, because a dot product does not depend on the order of its terms.
    """
    return torch.arange(dim).unflatten(0, (-1, 2)).T.flatten()


# ---------------------------------------------------------------- queries and keys


def angles(positions: Real[Tensor, "*N"], theta: Float64[Tensor, "P"]) -> Float64[Tensor, "*N P"]:
    """Position times frequency, in radians and in float64.

    They are computed on the CPU whatever the device of the positions: not every device has float64, and the table is
    small.

    Raises:
        TypeError: `positions` is not a tensor.
        ValueError: the dtype of the positions cannot hold them exactly.
    """
    check_positions(positions)
    return positions.cpu()[..., None] * theta  # float64, because theta is


def rotate_heads(
    x: Float[Tensor, "B H T D"], angle: Float64[Tensor, "*N T P"], layout: str
) -> Float[Tensor, "B H T D"]:
    """Rotate the pairs of every head. All heads of a token share its angles."""
    pairs = split_pairs(x, layout)  # B H T P 2
    rotated = rotate(pairs, angle.unsqueeze(-3))  # T P -> 1 T P, or B T P -> B 1 T P
    return join_pairs(rotated, layout)


def apply_rope_complex(
    q: Float[Tensor, "B H T D"], k: Float[Tensor, "_ G _ _"], positions: Real[Tensor, "..."], base: float = 10_000.0
) -> tuple[Float[Tensor, "B H T D"], Float[Tensor, "B G T D"]]:
    """The definition, in the interleaved layout: a pair is a complex number, multiplied by e^(i position theta)."""
    angle = angles(positions, frequencies(q.shape[-1], base)).unsqueeze(-3)
    check_tokens(q, k, positions)
    rotated_q = rotate_complex(split_pairs(q, "interleaved"), angle)
    rotated_k = rotate_complex(split_pairs(k, "interleaved"), angle)
    return rotated_q.flatten(-2), rotated_k.flatten(-2)


def apply_rope(
    q: Float[Tensor, "B H T D"],
    k: Float[Tensor, "_ G _ _"],
    positions: Real[Tensor, "..."],
    base: float = 10_000.0,
    layout: str = "half",
) -> tuple[Float[Tensor, "B H T D"], Float[Tensor, "B G T D"]]:
    """Rotate queries and keys to their positions (Su et al. 2021, eq. 14 to 16 and 34).

    `positions` has shape (T) or (B, T). With a cache the first new token has the length of the cache as its position,
    not 0. Positions need not be whole: position interpolation makes fractions. Values are not rotated, because only
    the scores should depend on position.

    Raises:
        TypeError: `positions` is not a tensor.
        ValueError: the width is odd, the layout is unknown, q and k do not hold the same tokens, or `positions` does
            not have one position for each token in a dtype that can hold it.
    """
    angle = angles(positions, frequencies(q.shape[-1], base))
    check_tokens(q, k, positions)
    return rotate_heads(q, angle, layout), rotate_heads(k, angle, layout)


# ---------------------------------------------------------------- input checks


def check_layout(layout: str) -> None:
    """Raises ValueError unless the layout is a known one."""
    if layout not in LAYOUTS:
        raise ValueError(f"layout={layout!r}: must be one of {LAYOUTS}; use the layout the checkpoint was trained with")


def check_positions(positions: object) -> None:
    """Raises TypeError or ValueError unless positions are a tensor of integers, float32 or float64.

    bfloat16 cannot tell 256 from 257, and float16 cannot tell 2,048 from 2,049.
    """
    if not isinstance(positions, Tensor):
        raise TypeError(f"positions={positions!r:.60}: must be a tensor; use torch.tensor(positions)")
    exact = torch.float32, torch.float64, torch.int16, torch.int32, torch.int64
    if positions.dtype not in exact:
        raise ValueError(
            f"positions.dtype={positions.dtype}: too few bits for a position; use int64, float32 or float64"
        )


def check_tokens(q: Tensor, k: Tensor, positions: Tensor) -> None:
    """Raises ValueError unless q, k and positions describe the same tokens."""
    B, _, T, D = q.shape
    if k[:, :1].shape != q[:, :1].shape:
        raise ValueError(
            f"k.shape={tuple(k.shape)}: q has {B} sequences of {T} tokens of width {D}, and k must have the same; "
            "rotate keys when they are new, before they enter the cache"
        )
    if positions.shape != (T,) and positions.shape != (B, T):
        raise ValueError(
            f"positions.shape={tuple(positions.shape)}: each token needs a position; use ({T},) or ({B}, {T})"
        )
