"""What each task takes and gives: tensors are checked and become the arrays and numbers of its launcher.

A budget is the number of 32-byte sectors of global memory that a call may move: twice what a plain kernel moves whose
warps read and write neighbours. It leaves room for other designs, and is far below what uncoalesced or repeated access
costs.
"""

import ctypes
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

F = ctypes.c_float
SECTOR = 32  # bytes
WARP = 32  # threads
TILE = 16
LARGEST_K = 2**17 - 1  # 2^17 products of (-128)^2 are 2^31, one more than int32 holds


@dataclass(frozen=True)
class Call:
    """One launch: `arrays` in the launcher's order, the names of those it writes, then `numbers`; and its budget."""

    arrays: dict[str, np.ndarray]
    outputs: tuple[str, ...]
    numbers: tuple
    budget: float | int


def _array(name: str, x: Tensor, dtype: torch.dtype, dims: int) -> np.ndarray:
    given = f"{x.dtype} of shape {tuple(x.shape)}" if isinstance(x, Tensor) else type(x).__name__
    if not isinstance(x, Tensor) or x.dtype != dtype or x.dim() != dims or not x.numel():
        raise ValueError(f"{name}={given}: must be a non-empty {dtype} tensor of {dims} dimension(s); convert it")
    return x.detach().cpu().contiguous().numpy()


def _finite(name: str, x: np.ndarray) -> np.ndarray:
    if not np.isfinite(x).all():
        raise ValueError(f"{name}=NaN or infinity: no scale can represent them; clean the input first")
    return x


def _requests(elements: int) -> int:
    """The requests of warps for so many neighbours."""
    return -(-elements // WARP)


def _sectors(cols: int, size: int) -> int:
    """The most sectors that hold 32 neighbours of `size` bytes, in rows of `cols` elements without gaps."""
    return size + (cols * size % SECTOR > 0)


def _check_k(k: int) -> None:
    if k > LARGEST_K:
        raise ValueError(f"K={k}: int32 sums are exact up to K={LARGEST_K}; split K and add the results")


def _same_size(name: str, got: int, want: int, what: str) -> None:
    if got != want:
        raise ValueError(f"{name}={got} {what}: must have {want}; check the shapes")


def quantized_add(
    a: Tensor, b: Tensor, scale_a: float, zero_a: int, scale_b: float, zero_b: int, scale_c: float, zero_c: int
) -> Call:
    """int8 (n,), int8 (n,) -> int8 (n,). Zero-points are codes. Sums stay within int32 steps of c."""
    a, b = _array("a", a, torch.int8, 1), _array("b", b, torch.int8, 1)
    _same_size("b", len(b), len(a), "elements")
    for name, scale in (("scale_a", scale_a), ("scale_b", scale_b), ("scale_c", scale_c)):
        if not 0 < scale < float("inf"):
            raise ValueError(f"{name}={scale}: must be positive and finite; check the scales")
    for name, zero in (("zero_a", zero_a), ("zero_b", zero_b), ("zero_c", zero_c)):
        if not -128 <= zero <= 127:
            raise ValueError(f"{name}={zero}: must be a code, from -128 to 127; check the zero-points")
    if 256 * (scale_a + scale_b) / scale_c >= 2**30:
        raise ValueError(f"scale_c={scale_c}: so small that sums leave int32; raise it")
    numbers = (len(a), F(scale_a), zero_a, F(scale_b), zero_b, F(scale_c), zero_c)
    return Call({"a": a, "b": b, "c": np.empty_like(a)}, ("c",), numbers, 2 * 3 * _requests(len(a)))


def row_absmax(x: Tensor) -> Call:
    """float32 (R, C) -> float32 (R,)."""
    x = _finite("x", _array("x", x, torch.float32, 2))
    rows, cols = x.shape
    budget = 2 * rows * (_requests(cols) * _sectors(cols, 4) + 1)
    return Call({"x": x, "absmax": np.empty(rows, np.float32)}, ("absmax",), x.shape, budget)


def quantize_rows(x: Tensor, absmax: Tensor) -> Call:
    """float32 (R, C), float32 (R,) -> int8 (R, C), float32 (R,)."""
    x, absmax = _finite("x", _array("x", x, torch.float32, 2)), _array("absmax", absmax, torch.float32, 1)
    _same_size("absmax", len(absmax), len(x), "elements")
    smallest = 127 * np.finfo(np.float32).tiny
    if not ((absmax == 0) | ((absmax >= smallest) & np.isfinite(absmax))).all():
        raise ValueError(f"absmax={absmax.min()} to {absmax.max()}: must be 0, or {smallest:.1e} and more; check it")
    arrays = {"x": x, "absmax": absmax, "q": np.empty(x.shape, np.int8), "scale": np.empty_like(absmax)}
    rows, cols = x.shape
    budget = 2 * rows * (_requests(cols) * (_sectors(cols, 4) + _sectors(cols, 1)) + 5)  # four warps read absmax
    return Call(arrays, ("q", "scale"), x.shape, budget)


def _gemm(a: Tensor, b: Tensor, operand_sectors: Callable[[int, int, int], float | int]) -> Call:
    """int8 (M, K), int8 (K, N) -> int32 (M, N)."""
    a, b = _array("a", a, torch.int8, 2), _array("b", b, torch.int8, 2)
    _same_size("b", len(b), a.shape[1], "rows")
    (m, k), n = a.shape, b.shape[1]
    _check_k(k)
    budget = 2 * (operand_sectors(m, n, k) + m * n * 4 / SECTOR)
    return Call({"a": a, "b": b, "c": np.empty((m, n), np.int32)}, ("c",), (m, n, k), budget)


def coalesced_gemm(a: Tensor, b: Tensor) -> Call:
    """int8 (M, K), int8 (K, N) -> int32 (M, N)."""
    return _gemm(a, b, _coalesced_sectors)


def _coalesced_sectors(m: int, n: int, k: int) -> float | int:
    """At each step of k a warp reads one element of A for each row that it is in, and 32 neighbours in B."""
    whole = n % WARP == 0  # a warp then lies in one row, and its part of a row of B in one sector
    rows = 1 if whole else min(m, 1 + (WARP - 1) / n)
    return _requests(m * n) * k * (rows + (1 if whole else 2))


def tiled_gemm(a: Tensor, b: Tensor) -> Call:
    """int8 (M, K), int8 (K, N) -> int32 (M, N). Each step of a tile asks for a sector for each of its 2 * 16 rows."""
    tiles = lambda m, n, k: -(-m // TILE) * -(-n // TILE) * -(-k // TILE)  # noqa: E731
    return _gemm(a, b, lambda m, n, k: tiles(m, n, k) * 2 * TILE)


def dp4a_dot(a: Tensor, b: Tensor) -> Call:
    """int8 (R, K), int8 (R, K) -> int32 (R,). K is a multiple of 4."""
    a, b = _array("a", a, torch.int8, 2), _array("b", b, torch.int8, 2)
    if a.shape != b.shape:
        raise ValueError(f"b={tuple(b.shape)}: must have the shape of a, {tuple(a.shape)}; check the shapes")
    if a.shape[1] % 4:
        raise ValueError(f"K={a.shape[1]}: a word holds four values, so K must be a multiple of 4; pad with zeros")
    _check_k(a.shape[1])
    arrays = {"a": a.view(np.int32), "b": b.view(np.int32), "dots": np.empty(len(a), np.int32)}
    rows, words = len(a), a.shape[1] // 4
    budget = 2 * rows * (2 * _requests(words) * _sectors(words, 4) + 1)
    return Call(arrays, ("dots",), (rows, words), budget)


def unpack_int4(packed: Tensor, n: int) -> Call:
    """uint8 (ceil(n / 2),) -> int8 (n,)."""
    packed = _array("packed", packed, torch.uint8, 1)
    _same_size("packed", len(packed), (n + 1) // 2, "bytes")
    return Call({"packed": packed, "out": np.empty(n, np.int8)}, ("out",), (n,), 2 * 5 * _requests(len(packed)))


CALLS: dict[str, Callable[..., Call]] = {
    "quantized_add": quantized_add,
    "row_absmax": row_absmax,
    "quantize_rows": quantize_rows,
    "coalesced_gemm": coalesced_gemm,
    "tiled_gemm": tiled_gemm,
    "dp4a_dot": dp4a_dot,
    "unpack_int4": unpack_int4,
}
