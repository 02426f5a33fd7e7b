"""The rotary embedding for speed: sine and cosine computed once, each coordinate read and written once.

The work is 3 FLOPs a coordinate, so the time is memory traffic and nothing else. What `x * cos + rotate_half(x) * sin`
costs is its temporaries: four and a half tensors as large as x are written where one would do, and on a CPU every
fresh one is handed out by the kernel page by page.
"""

import torch
from jaxtyping import Float, Real
from torch import Tensor

from .rope import LAYOUTS, angles
from .sinusoidal import frequencies


class Rotary:
    """A table of cos and sin for positions 0..length-1, and the two layouts' quickest application.

    Equal to `rope.apply_rope` for tokens that stand one after another. `out` may be given to reuse memory, and may be
    the input itself for the interleaved layout.
    """

    def __init__(self, length: int, dim: int, base: float = 10_000.0, layout: str = "half") -> None:
        if layout not in LAYOUTS:
            raise ValueError(f"layout = {layout!r}: must be one of {LAYOUTS}")
        self.layout, self.length, self.dim = layout, length, dim
        angle = angles(torch.arange(length), frequencies(dim, base))
        self.cos, self.sin = angle.cos().float(), angle.sin().float()  # T P
        self.turns = torch.complex(self.cos, self.sin)
        self.cos_twice = torch.cat((self.cos, self.cos), dim=-1)  # T D: one contiguous product for both halves

    def __call__(
        self, x: Float[Tensor, "B H T D"], start: int = 0, out: Float[Tensor, "B H T D"] | None = None
    ) -> Float[Tensor, "B H T D"]:
        """Turn x, whose tokens stand at start, start + 1, ...; raises ValueError beyond the table."""
        stop = start + x.shape[2]
        if start < 0 or stop > self.length:
            raise ValueError(f"positions {start}..{stop - 1}: the table holds 0..{self.length - 1}; build a longer one")
        out = torch.empty_like(x) if out is None else out
        for name, t in (("x", x), ("out", out)):
            if t.dtype != torch.float32 or t.shape != (*x.shape[:-1], self.dim) or not t.is_contiguous():
                raise ValueError(
                    f"{name} has dtype {t.dtype}, shape {tuple(t.shape)}, contiguous {t.is_contiguous()}: the fast "
                    f"form takes contiguous float32 heads of width {self.dim}; use rope.apply_rope for anything else"
                )
        (self._interleaved if self.layout == "interleaved" else self._half)(x, slice(start, stop), out)
        return out

    def _interleaved(self, x: Real[Tensor, "B H T D"], rows: slice, out: Real[Tensor, "B H T D"]) -> None:
        """Neighbours in memory are one complex number: a single multiplication, one read and one write."""
        as_complex = [torch.view_as_complex(t.unflatten(-1, (-1, 2))) for t in (x, out)]
        torch.mul(as_complex[0], self.turns[rows], out=as_complex[1])

    def _half(self, x: Real[Tensor, "B H T D"], rows: slice, out: Real[Tensor, "B H T D"]) -> None:
        """Head by head, so that three passes run over a megabyte that is still in the cache."""
        if out.data_ptr() == x.data_ptr():
            raise ValueError("out is x: the half layout reads each coordinate twice and cannot overwrite its input")
        cos, sin, middle = self.cos_twice[rows], self.sin[rows], self.dim // 2
        for source, target in zip(x.flatten(0, 1), out.flatten(0, 1), strict=True):
            torch.mul(source, cos, out=target)
            target[:, :middle].addcmul_(source[:, middle:], sin, value=-1)
            target[:, middle:].addcmul_(source[:, :middle], sin)
