"""What the kernels demand of their arguments. A kernel would not complain: it would compute something else."""

from collections.abc import Collection

import torch
from torch import Tensor


def require(holds: bool, message: str) -> None:
    """Raises ValueError with the message unless the condition holds."""
    if not holds:
        raise ValueError(message)


def check_tensor(name: str, tensor: Tensor, dtypes: Collection[torch.dtype], dims: int, like: Tensor | None = None):
    """Dtype, number of dimensions, layout and device.

    Raises:
        ValueError: one of them is not as the kernel needs it.
    """
    shape, known = tuple(tensor.shape), " or ".join(map(str, dtypes))
    require(tensor.dtype in dtypes, f"{name}.dtype={tensor.dtype}: must be {known}; convert it with .to()")
    require(tensor.dim() == dims, f"{name}.shape={shape}: must have {dims} dimension(s); reshape it")
    require(tensor.is_contiguous(), f"{name}.stride()={tensor.stride()}: not contiguous; call .contiguous() first")
    require(tensor.numel() > 0, f"{name}.shape={shape}: empty; give at least one element")
    if like is not None:
        same = tensor.device == like.device
        require(same, f"{name}.device={tensor.device}: the others are on {like.device}; move it with .to()")


def check_finite_positive(name: str, value: float) -> None:
    """A scale must be a positive finite number, in float32 too.

    Raises:
        ValueError: it is not.
    """
    tiny, largest = torch.finfo(torch.float32).tiny, torch.finfo(torch.float32).max
    require(tiny <= value <= largest, f"{name}={value}: must be positive and finite in float32; check the scales")


def index_of(name: str, value: str, known: tuple[str, ...]) -> int:
    """The place of a name in a tuple.

    Raises:
        ValueError: it is not there.
    """
    require(value in known, f"{name}={value!r}: unknown; choose {', '.join(known)}")
    return known.index(value)


def aligned(*tensors: Tensor) -> bool:
    """Whether all tensors begin at a multiple of 16 bytes, as vectorized access needs."""
    return all(t.data_ptr() % 16 == 0 for t in tensors)
