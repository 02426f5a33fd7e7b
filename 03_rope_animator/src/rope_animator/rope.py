"""The rotary position embedding (Su et al. 2021): turn each pair of coordinates by an angle that grows with position.

Letters: B batch, H query heads, G key heads, T tokens, D width of a head, P = D/2 pairs. theta_i: radians per token.

Read it in this order: one pair as a complex number; the same without complex numbers; which coordinates form a pair
(the two layouts, and the permutation between them); whole queries and keys, first complex, then real.
"""

import torch
from jaxtyping import Float, Float64, Int64, Real
from torch import Tensor

from .sinusoidal import frequencies

LAYOUTS = ("half", "interleaved")


def rotate_complex(pairs: Float[Tensor, "*N 2"], angle: Float[Tensor, "..."]) -> Float[Tensor, "*M 2"]:
    """Turn pairs (x, y) by an angle in radians: (x + iy) e^(i angle). Su et al. 2021, eq. 12."""
    turned = torch.view_as_complex(pairs.contiguous()) * torch.polar(torch.ones_like(angle), angle)
    return torch.view_as_real(turned)


def rotate(pairs: Float[Tensor, "*N 2"], angle: Float[Tensor, "..."]) -> Float[Tensor, "*M 2"]:
    """Turn pairs (x, y) counter-clockwise by an angle in radians; the angles broadcast against the pairs.

    The real form of `rotate_complex` (Su et al. 2021, eq. 13): multiply by [[cos, -sin], [sin, cos]].
    """
    x, y = pairs.unbind(-1)
    cos, sin = angle.cos(), angle.sin()
    return torch.stack((x * cos - y * sin, x * sin + y * cos), dim=-1)


def split_pairs(x: Float[Tensor, "*N D"], layout: str) -> Float[Tensor, "*N P 2"]:
    """The coordinates of a head as pairs.

    interleaved: (0, 1), (2, 3), ...        the paper, GPT-J, Meta's own Llama code
    half:        (0, P), (1, P + 1), ...    GPT-NeoX, and every Llama in `transformers`
    """
    if layout not in LAYOUTS:
        raise ValueError(f"layout = {layout!r}: must be one of {LAYOUTS}; a checkpoint is trained with one of them")
    if x.shape[-1] % 2:
        raise ValueError(f"dim = {x.shape[-1]}: coordinates turn in pairs, so the width of a head must be even")
    if layout == "interleaved":
        return x.unflatten(-1, (-1, 2))
    return x.unflatten(-1, (2, -1)).transpose(-1, -2)


def join_pairs(pairs: Float[Tensor, "*N P 2"], layout: str) -> Float[Tensor, "*N D"]:
    """The inverse of `split_pairs`."""
    return (pairs if layout == "interleaved" else pairs.transpose(-1, -2)).flatten(-2)


def half_from_interleaved(dim: int) -> Int64[Tensor, "D"]:
    """The permutation between the layouts: `x[..., half_from_interleaved(D)]` is x in half layout.

    [0, 2, 4, ..., 1, 3, 5, ...]. Applied to the rows of W_q and W_k it converts a checkpoint, once, at loading;
    scores do not notice, since a dot product does not care in which order its terms are added.
    """
    return torch.arange(dim).unflatten(0, (-1, 2)).T.flatten()


def angles(positions: Real[Tensor, "*N T"], theta: Float64[Tensor, "P"]) -> Float64[Tensor, "*N T P"]:
    """Position times frequency in float64, in radians. In float16 the integers above 2048 are not even representable.

    On the CPU whatever the device of the positions: not every device has float64, and the table is small.
    """
    return positions.cpu().double()[..., None] * theta


def check_positions(x: Float[Tensor, "B H T D"], positions: Real[Tensor, "..."]) -> None:
    """Raises ValueError unless positions is (T) or (B, T)."""
    fits = positions.shape in ((x.shape[2],), (x.shape[0], x.shape[2]))
    if not fits:
        raise ValueError(
            f"positions has shape {tuple(positions.shape)}: for {x.shape[2]} tokens in a batch of {x.shape[0]} it must "
            f"be ({x.shape[2]},) or ({x.shape[0]}, {x.shape[2]}), one position a token"
        )


def turn(x: Float[Tensor, "B H T D"], angle: Float64[Tensor, "*N T P"], layout: str) -> Float[Tensor, "B H T D"]:
    """Turn the pairs of every head by the angles of its tokens; heads of one token share them."""
    pairs = split_pairs(x, layout)
    cos, sin = (f(angle).unsqueeze(-3).to(x) for f in (torch.cos, torch.sin))  # cast last: the angle itself is float64
    first, second = pairs.unbind(-1)
    return join_pairs(torch.stack((first * cos - second * sin, first * sin + second * cos), dim=-1), layout)


def apply_rope_complex(
    q: Float[Tensor, "B H T D"], k: Float[Tensor, "B G T D"], positions: Real[Tensor, "..."], base: float = 10_000.0
) -> tuple[Float[Tensor, "B H T D"], Float[Tensor, "B G T D"]]:
    """The definition, interleaved layout: read each pair as a complex number, multiply by e^(i p theta)."""
    check_positions(q, positions)
    angle = angles(positions, frequencies(q.shape[-1], base)).unsqueeze(-3).to(q)
    return tuple(rotate_complex(x.unflatten(-1, (-1, 2)), angle).flatten(-2) for x in (q, k))


def apply_rope(
    q: Float[Tensor, "B H T D"],
    k: Float[Tensor, "B G T D"],
    positions: Real[Tensor, "..."],
    base: float = 10_000.0,
    layout: str = "half",
) -> tuple[Float[Tensor, "B H T D"], Float[Tensor, "B G T D"]]:
    """Turn queries and keys to their positions (Su et al. 2021, eq. 14 to 16 and 34).

    positions is (T) or (B, T), integer or real: with a cache the first new token stands at the length of the cache,
    not at 0, and a squeezed position need not be whole. Values are not turned: only scores should know of position.
    The angles are computed in float64 and their sine and cosine rounded to the dtype of q.

    Raises ValueError for an odd width, an unknown layout, or positions that do not fit the tokens.
    """
    check_positions(q, positions)
    angle = angles(positions, frequencies(q.shape[-1], base))
    return turn(q, angle, layout), turn(k, angle, layout)
