"""Quantized addition, quantization and dequantization: check the arguments, make the outputs, launch the kernel.

Every function takes `target`. Without it, tensors on a GPU run there ("gpu") and others on the emulator ("cpu"). A
Tracing() runs the kernel under the tracer and keeps its report.

Dimensions:
    R rows, C columns of a matrix, G groups of 128 columns in a row
"""

import torch
from jaxtyping import Float, Int8, Shaped
from torch import Tensor

from .arguments import aligned, check_finite_positive, check_tensor, index_of, require
from .int4 import GROUP_SIZE
from .launch import Tracing, default_target, launch

INPUTS = {torch.float32: 0, torch.bfloat16: 1}  # the numbers of kernels/dispatch.cuh
FORMATS = {torch.int8: 0, torch.float8_e4m3fn: 1, torch.float8_e5m2: 2}
GRANULARITIES = ("tensor", "row", "group")
ADD_VERSIONS = ("scalar", "vectorized")
ROW_VERSIONS = ("two_pass", "one_pass")
LONGEST_ROW = 32768  # elements that a block can keep in registers


def add_int8(
    a: Tensor,  # int8 (n,)
    b: Tensor,  # int8 (n,)
    scale_a: float,
    zero_a: int,
    scale_b: float,
    zero_b: int,
    scale_c: float,
    zero_c: int,
    *,
    version: str = "vectorized",
    target: str | Tracing | None = None,
) -> Int8[Tensor, " n"]:
    """c with scale_c (c - zero_c) = scale_a (a - zero_a) + scale_b (b - zero_b), to the nearest code.

    Raises:
        ValueError: dtype, shape or device of a or b; a scale, or a ratio of scales, that is not positive and finite in
            float32; a zero-point that is not an int8; an unknown version.
    """
    check_tensor("a", a, (torch.int8,), 1)
    check_tensor("b", b, (torch.int8,), 1, like=a)
    require(a.shape == b.shape, f"b.shape={tuple(b.shape)}: must be that of a, {tuple(a.shape)}; give equal lengths")
    for name, scale in (("scale_a", scale_a), ("scale_b", scale_b), ("scale_c", scale_c)):
        check_finite_positive(name, scale)
        check_finite_positive(f"512 * {name}/scale_c", 512 * scale / scale_c)
    for name, zero in (("zero_a", zero_a), ("zero_b", zero_b), ("zero_c", zero_c)):
        require(-128 <= zero <= 127, f"{name}={zero}: must be an int8; give -128 to 127")
    c = torch.empty_like(a)
    vectorized = index_of("version", version, ADD_VERSIONS) and aligned(a, b, c)
    numbers = (len(a), scale_a, zero_a, scale_b, zero_b, scale_c, zero_c)
    launch("quantized_add", int(vectorized), a, b, c, *numbers, target=target or default_target(a))
    return c


def quantize(
    x: Tensor,  # float32 or bfloat16 (R, C)
    dtype: torch.dtype = torch.int8,
    per: str = "row",
    scale: Tensor | None = None,  # float32 (1,)
    *,
    version: str = "one_pass",
    check: bool = True,
    target: str | Tracing | None = None,
) -> tuple[Shaped[Tensor, "R C"], Float[Tensor, "*scales"]]:
    """(q, scale) with x = q * scale to the nearest code; a scale `per` "tensor", "row" or "group" of 128 columns.

    Args:
        dtype: torch.int8 (symmetric, -127 to 127), torch.float8_e4m3fn or torch.float8_e5m2.
        scale: for per="tensor", a static scale: x is then read once, and values beyond its range saturate.
        version: for per="row", "one_pass" or "two_pass".
        check: refuse NaN and infinity. On a GPU that waits for the kernel. Without it, a row with NaN has a NaN scale.

    Raises:
        ValueError: an argument is none of the above, or x holds NaN or infinity.
    """
    check_tensor("x", x, tuple(INPUTS), 2)
    require(dtype in FORMATS, f"dtype={dtype}: unknown format; choose {', '.join(map(str, FORMATS))}")
    index_of("per", per, GRANULARITIES)
    index_of("version", version, ROW_VERSIONS)
    target = target or default_target(x)
    q = torch.empty_like(x, dtype=dtype)
    if scale is None:
        scale = _quantize_dynamic(x, q, per, version, target)
        finite = not check or bool(scale.isfinite().all())
    else:
        require(per == "tensor", f"per={per!r}: a static scale is one for the tensor; pass per='tensor'")
        finite = _quantize_static(x, q, scale, check, target)
    require(finite, "x=NaN or infinity: no scale can represent them; clean x, or pass check=False")
    return q, scale


def _vectorized(x: Tensor, q: Tensor) -> int:
    return int(x.shape[1] % 8 == 0 and aligned(x, q))


def _quantize_static(x: Tensor, q: Tensor, scale: Tensor, check: bool, target: str | Tracing) -> bool:
    """Fills q; whether x is finite, as far as that is checked."""
    check_tensor("scale", scale, (torch.float32,), 1, like=x)
    require(len(scale) == 1, f"scale.shape={tuple(scale.shape)}: must be (1,); one scale for the tensor")
    if check:
        check_finite_positive("scale", scale.item())
    nonfinite = (torch.zeros if check else torch.empty)(1, dtype=torch.int32, device=x.device)
    types = (INPUTS[x.dtype], FORMATS[q.dtype], _vectorized(x, q))
    launch("quantize_static", *types, x, scale, q, nonfinite, x.numel(), target=target)
    return not check or not nonfinite.item()


def _quantize_dynamic(x: Tensor, q: Tensor, per: str, version: str, target: str | Tracing) -> Float[Tensor, "*scales"]:
    """Fills q; the scales that x itself gives."""
    (rows, cols), types, vectorized = x.shape, (INPUTS[x.dtype], FORMATS[q.dtype]), _vectorized(x, q)
    if per == "tensor":
        absmax, scale = torch.zeros(1, dtype=torch.int32, device=x.device), torch.empty(1, device=x.device)
        launch("quantize_tensor", *types, vectorized, x, absmax, q, scale, x.numel(), target=target)
    elif per == "row":
        scale = torch.empty(rows, device=x.device)
        one_pass = int(version == "one_pass" and vectorized and cols <= LONGEST_ROW)
        launch("quantize_rows", one_pass, *types, x, q, scale, rows, cols, target=target)
    else:
        scale = torch.empty(rows, -(-cols // GROUP_SIZE), device=x.device)
        launch("quantize_groups", *types, vectorized, x, q, scale, rows, cols, target=target)
    return scale


def dequantize(
    q: Tensor,  # int8 or float8 (R, C)
    scale: Tensor,  # float32 (1,), (R,) or (R, G)
    dtype: torch.dtype = torch.float32,
    *,
    target: str | Tracing | None = None,
) -> Float[Tensor, "R C"]:
    """q * scale in float32 or bfloat16. The shape of `scale` says how many elements share one.

    Raises:
        ValueError: dtype or shape of q or scale, or an output dtype other than these two.
    """
    check_tensor("q", q, tuple(FORMATS), 2)
    check_tensor("scale", scale, (torch.float32,), scale.dim(), like=q)
    require(dtype in INPUTS, f"dtype={dtype}: unknown output; choose {', '.join(map(str, INPUTS))}")
    (rows, cols), shape, groups = q.shape, tuple(scale.shape), -(-q.shape[1] // GROUP_SIZE)
    layouts = {(rows, groups): (GROUP_SIZE, groups), (rows,): (cols, 1), (1,): (cols, 0)}
    require(shape in layouts, f"scale.shape={shape}: q is {rows} x {cols}; give (1,), ({rows},) or ({rows}, {groups})")
    x = torch.empty_like(q, dtype=dtype)
    types = (FORMATS[q.dtype], INPUTS[dtype], _vectorized(x, q))
    launch("dequantize", *types, q, scale, x, q.numel(), cols, *layouts[shape], target=target or default_target(q))
    return x
