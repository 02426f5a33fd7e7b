"""The rotary embedding with less memory traffic: cosine and sine are computed once, results are written once or twice.

The rotation costs 3 FLOPs a coordinate, so its time is memory traffic. The usual form, x * cos + rotate_half(x) * sin,
writes four and a half tensors as large as x where one would do. On a CPU every new one also costs page faults.

Dimensions: B sequences, H heads, T tokens, D width of a head, P = D / 2 pairs.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from .rope import angles, check_layout
from .sinusoidal import frequencies


class RotaryEmbedding:
    """A table of cosines and sines for positions 0 to max_seq_len - 1, and the fast rotation in both layouts.

    The result equals `rope.apply_rope` for tokens that follow one another.
    """

    def __init__(self, dim: int, max_seq_len: int, base: float = 10_000.0, layout: str = "half") -> None:
        """Compute the tables.

        Raises:
            ValueError: `max_seq_len` is below 1, the layout is unknown, or `frequencies` refuses `dim` or `base`.
        """
        check_layout(layout)
        if max_seq_len < 1:
            raise ValueError(f"max_seq_len={max_seq_len}: a table needs at least one position; use 1 or more")
        self.dim = dim
        self.max_seq_len = max_seq_len
        self.layout = layout
        angle = angles(torch.arange(max_seq_len), frequencies(dim, base))
        self.cos = angle.cos().float()  # T P
        self.sin = angle.sin().float()  # T P
        self.cos_sin = torch.complex(self.cos, self.sin)  # T P, for the interleaved layout
        self.cos_twice = torch.cat((self.cos, self.cos), dim=-1)  # T D, for the half layout

    def __call__(
        self, x: Float[Tensor, "B H T D"], offset: int = 0, out: Float[Tensor, "B H T D"] | None = None
    ) -> Float[Tensor, "B H T D"]:
        """Rotate x, whose tokens have the positions offset, offset + 1, ...

        `out` receives the result. In the interleaved layout it may be x itself.

        Raises:
            ValueError: a position is outside the table, x or out is not contiguous float32 of the right width, or
                out is x in the half layout.
        """
        end = offset + x.shape[2]
        if offset < 0 or end > self.max_seq_len:
            raise ValueError(
                f"offset={offset}: {x.shape[2]} tokens reach position {end - 1}, and the table holds "
                f"0..{self.max_seq_len - 1}; build it with a larger max_seq_len"
            )
        out = torch.empty_like(x) if out is None else out
        self.check("x", x, x)
        self.check("out", out, x)
        rotate = self.rotate_interleaved if self.layout == "interleaved" else self.rotate_half
        rotate(x, slice(offset, end), out)
        return out

    def check(self, name: str, tensor: Tensor, x: Tensor) -> None:
        """Raises ValueError unless the fast form can use the tensor."""
        fits = tensor.dtype == torch.float32 and tensor.shape == (*x.shape[:-1], self.dim) and tensor.is_contiguous()
        if not fits:
            raise ValueError(
                f"{name}.shape={tuple(tensor.shape)}, {tensor.dtype}, contiguous={tensor.is_contiguous()}: the fast "
                f"form takes contiguous float32 heads of width {self.dim}; use rope.apply_rope for other tensors"
            )

    def rotate_interleaved(self, x: Float[Tensor, "B H T D"], rows: slice, out: Float[Tensor, "B H T D"]) -> None:
        """Two neighbours in memory are one complex number: one multiplication, one read and one write."""
        numbers = torch.view_as_complex(x.unflatten(-1, (-1, 2)))
        result = torch.view_as_complex(out.unflatten(-1, (-1, 2)))
        torch.mul(numbers, self.cos_sin[rows], out=result)

    def rotate_half(self, x: Float[Tensor, "B H T D"], rows: slice, out: Float[Tensor, "B H T D"]) -> None:
        """Head by head: the three passes over one head stay in the CPU's cache."""
        if out.data_ptr() == x.data_ptr():
            raise ValueError("out=x: the half layout reads each coordinate twice; use another tensor for out")
        cos, sin, middle = self.cos_twice[rows], self.sin[rows], self.dim // 2
        for head, result in zip(x.flatten(0, 1), out.flatten(0, 1), strict=True):
            torch.mul(head, cos, out=result)
            result[:, :middle].addcmul_(head[:, middle:], sin, value=-1)
            result[:, middle:].addcmul_(head[:, :middle], sin)
