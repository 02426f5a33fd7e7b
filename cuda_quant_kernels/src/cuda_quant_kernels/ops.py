"""The kernels as functions of tensors: arguments checked, outputs made, everything refused that would be wrong quietly.

Every function takes `target`: by default "gpu" where the tensors are on a GPU and "cpu" (the emulator) where they are
not; a Tracing() runs the kernel under the tracer and keeps its report. Letters as in reference.py.
"""

import torch
from jaxtyping import Float, Int8, Shaped
from torch import Tensor

from .launch import Tracing, default_target, launch
from .reference import GROUP

INPUTS = {torch.float32: 0, torch.bfloat16: 1}
FORMATS = {torch.int8: 0, torch.float8_e4m3fn: 1, torch.float8_e5m2: 2}
LONGEST_ROW = 32768  # elements that a block can keep in registers
GEMM_VERSIONS = ("naive", "coalesced", "tiled", "dp4a", "mma", "wgmma")
GEMM_STEP = (1, 1, 1, 4, 16, 16)  # K must be a multiple: the width of a version's accesses
GEMV_VERSIONS = ("thread", "warp", "tensor core")


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise ValueError(message)


def _check(name: str, tensor: Tensor, dtypes, dims: int, like: Tensor | None = None) -> None:
    known = dtypes if isinstance(dtypes, (tuple, list, dict)) else (dtypes,)
    _require(tensor.dtype in known, f"{name} is {tensor.dtype}: it must be {' or '.join(map(str, known))}")
    _require(tensor.dim() == dims, f"{name} has shape {tuple(tensor.shape)}: it must have {dims} dimension(s)")
    _require(tensor.is_contiguous(), f"{name} is not contiguous: call .contiguous() first")
    _require(tensor.numel() > 0, f"{name} is empty (shape {tuple(tensor.shape)})")
    _require(
        like is None or tensor.device == like.device,
        f"{name} is on {tensor.device}, the others on {like.device if like is not None else ''}: move it",
    )


def _version(version: str, known: tuple[str, ...]) -> int:
    _require(version in known, f"version is {version!r}: it must be one of {', '.join(known)}")
    return known.index(version)


def _aligned(*tensors: Tensor) -> bool:
    return all(t.data_ptr() % 16 == 0 for t in tensors)


def add_int8(
    a: Shaped[Tensor, "..."],
    b: Shaped[Tensor, "..."],
    scale_a: float,
    zero_a: int,
    scale_b: float,
    zero_b: int,
    scale_c: float,
    zero_c: int,
    *,
    version: str = "16 bytes",
    target: str | Tracing | None = None,
) -> Int8[Tensor, " n"]:
    """c with scale_c (c - zero_c) = scale_a (a - zero_a) + scale_b (b - zero_b), to the nearest code.

    Raises:
        ValueError: dtype, shape or device of a or b; a scale that is not a positive finite number; a zero-point that
            is not an int8; an unknown version.
    """
    _check("a", a, torch.int8, 1)
    _check("b", b, torch.int8, 1, like=a)
    _require(a.shape == b.shape, f"a has {len(a)} elements and b {len(b)}: they must be as long")
    for name, scale in (("scale_a", scale_a), ("scale_b", scale_b), ("scale_c", scale_c)):
        _require(0 < scale < float("inf"), f"{name} is {scale}: it must be positive and finite")
    for name, zero in (("zero_a", zero_a), ("zero_b", zero_b), ("zero_c", zero_c)):
        _require(-128 <= zero <= 127, f"{name} is {zero}: it must be an int8")
    c = torch.empty_like(a)
    wide = _version(version, ("scalar", "16 bytes")) and _aligned(a, b, c)
    launch(
        "quantized_add",
        int(wide),
        a,
        b,
        c,
        len(a),
        scale_a,
        zero_a,
        scale_b,
        zero_b,
        scale_c,
        zero_c,
        target=target or default_target(a),
    )
    return c


def quantize(
    x: Shaped[Tensor, "..."],
    dtype: torch.dtype = torch.int8,
    per: str = "row",
    scale: Shaped[Tensor, "..."] | None = None,
    *,
    version: str = "one read",
    check: bool = True,
    target: str | Tracing | None = None,
) -> tuple[Shaped[Tensor, "R C"], Float[Tensor, "*scales"]]:
    """(q, scale) with x = q * scale to the nearest code; a scale `per` tensor, row or group of 128 columns.

    Args:
        x: float32 or bfloat16, two-dimensional.
        dtype: torch.int8 (symmetric, -127..127), torch.float8_e4m3fn or torch.float8_e5m2.
        scale: for per="tensor", a scale that is known already (one float32 element): x is then read once.
        version: for per="row", "one read" or "two reads".
        check: refuse NaN and infinity. On a GPU that waits for the kernel; without it a bad row has a bad scale.

    Raises:
        ValueError: an argument is none of the above, or x holds NaN or infinity.
    """
    _check("x", x, INPUTS, 2)
    _require(dtype in FORMATS, f"dtype is {dtype}: it must be {' or '.join(map(str, FORMATS))}")
    _require(per in ("tensor", "row", "group"), f"per is {per!r}: it must be tensor, row or group")
    once = _version(version, ("two reads", "one read"))
    rows, cols = x.shape
    types, target = (INPUTS[x.dtype], FORMATS[dtype]), target or default_target(x)
    q = torch.empty_like(x, dtype=dtype)
    wide = int(cols % 8 == 0 and _aligned(x, q))
    if scale is not None:
        _require(per == "tensor", f"scale is given and per is {per!r}: a given scale is one for the whole tensor")
        _check("scale", scale, torch.float32, 1, like=x)
        _require(len(scale) == 1, f"scale has {len(scale)} elements: it must have one")
        _require(
            not check or 0 < scale.item() < float("inf"), f"scale is {scale.tolist()}: it must be positive, finite"
        )
        bad = (torch.zeros if check else torch.empty)(1, dtype=torch.int32, device=x.device)
        launch("quantize_given", *types, wide, x, scale, q, bad, x.numel(), target=target)
        _require(not check or not bad.item(), "x holds NaN or infinity: no scale can represent it")
        return q, scale
    if per == "tensor":
        absmax, scale = torch.zeros(1, dtype=torch.int32, device=x.device), torch.empty(1, device=x.device)
        launch("quantize_tensor", *types, wide, x, absmax, q, scale, x.numel(), target=target)
    elif per == "row":
        scale = torch.empty(rows, device=x.device)
        fits = once and wide and cols <= LONGEST_ROW
        launch("quantize_rows", int(fits), *types, x, q, scale, rows, cols, target=target)
    else:
        scale = torch.empty(rows, -(-cols // GROUP), device=x.device)
        launch("quantize_groups", *types, wide, x, q, scale, rows, cols, target=target)
    _require(not check or bool(scale.isfinite().all()), "x holds NaN or infinity: no scale can represent it")
    return q, scale


def dequantize(
    q: Shaped[Tensor, "..."],
    scale: Shaped[Tensor, "..."],
    dtype: torch.dtype = torch.float32,
    *,
    target: str | Tracing | None = None,
) -> Float[Tensor, "R C"]:
    """q * scale as float32 or bfloat16; the shape of `scale` says how it is spread: (1,), (R,) or (R, groups of 128).

    Raises:
        ValueError: dtype or shape of q or scale, or an output dtype other than these two.
    """
    _check("q", q, FORMATS, 2)
    _check("scale", scale, torch.float32, scale.dim(), like=q)
    _require(dtype in INPUTS, f"dtype is {dtype}: it must be {' or '.join(map(str, INPUTS))}")
    (rows, cols), groups = q.shape, -(-q.shape[1] // GROUP)
    spans = {(1,): (cols, 0), (rows,): (cols, 1), (rows, groups): (GROUP, groups)}
    shape = tuple(scale.shape)
    _require(
        shape in spans,
        f"scale has shape {shape}: for q of {rows} x {cols} it must be (1,), ({rows},) or ({rows}, {groups})",
    )
    span, per_row = (cols, 0) if shape == (1,) else spans[shape]
    x = torch.empty_like(q, dtype=dtype)
    wide = int(cols % 8 == 0 and _aligned(x, q))
    launch(
        "dequantize",
        FORMATS[q.dtype],
        INPUTS[dtype],
        wide,
        q,
        scale,
        x,
        q.numel(),
        cols,
        span,
        per_row,
        target=target or default_target(q),
    )
    return x


def linear_w8a8(
    a: Shaped[Tensor, "..."],
    w: Shaped[Tensor, "..."],
    scale_a: Shaped[Tensor, "..."],
    scale_w: Shaped[Tensor, "..."],
    *,
    version: str = "mma",
    target: str | Tracing | None = None,
) -> Float[Tensor, "M N"]:
    """scale_a[m] scale_w[n] sum_k a[m,k] w[n,k]: int8 operands, exact int32 sums, float32 result.

    Raises:
        ValueError: dtype, shape or device; K not a multiple of the version's access (4 for dp4a, 16 for mma and wgmma);
            K so large that an int32 sum could overflow (beyond 131072).
        RuntimeError: version "wgmma" on a GPU that is no Hopper.
    """
    _check("a", a, torch.int8, 2)
    _check("w", w, torch.int8, 2, like=a)
    _check("scale_a", scale_a, torch.float32, 1, like=a)
    _check("scale_w", scale_w, torch.float32, 1, like=a)
    (m, k), n, number = a.shape, len(w), _version(version, GEMM_VERSIONS)
    _require(w.shape[1] == k, f"w has {w.shape[1]} columns and a {k}: both have K columns, a row of w for each output")
    _require(len(scale_a) == m, f"scale_a has {len(scale_a)} elements for {m} rows of a")
    _require(len(scale_w) == n, f"scale_w has {len(scale_w)} elements for {n} rows of w")
    _require(k <= 131072, f"K is {k}: a sum of more than 131072 products can leave int32")
    _require(
        k % GEMM_STEP[number] == 0 and (GEMM_STEP[number] == 1 or _aligned(a, w)),
        f"K is {k}: version {version!r} reads {GEMM_STEP[number]} bytes at a time, so K must be a multiple of that "
        "and the tensors 16-byte aligned; pad K with zeros, or take version 'tiled'",
    )
    c = torch.empty(m, n, dtype=torch.float32, device=a.device)
    launch("gemm_w8a8", number, a, w, scale_a, scale_w, c, m, n, k, target=target or default_target(a))
    return c


def linear_w4a16(
    x: Shaped[Tensor, "..."],
    packed: Shaped[Tensor, "..."],
    scale: Shaped[Tensor, "..."],
    *,
    version: str = "tensor core",
    target: str | Tracing | None = None,
) -> Float[Tensor, "M N"]:
    """x (fp16, M x K) times 4-bit weights (`packed` and `scale` as reference.quantize_int4 makes them), in fp16.

    Raises:
        ValueError: dtype, shape or device; M not 1 to 16; K not a multiple of 128.
    """
    _check("x", x, torch.float16, 2)
    _check("packed", packed, torch.int32, 2, like=x)
    _check("scale", scale, torch.float16, 2, like=x)
    (m, k), n = x.shape, len(packed)
    _require(1 <= m <= 16, f"x has {m} rows: this kernel is for 1 to 16 tokens; dequantize, or use W8A8, for more")
    _require(k % GROUP == 0, f"K is {k}: it must be a multiple of {GROUP}")
    _require(
        tuple(packed.shape) == (n, k // 8), f"packed has shape {tuple(packed.shape)} for K = {k}: it must be (N, K/8)"
    )
    _require(
        tuple(scale.shape) == (n, k // GROUP), f"scale has shape {tuple(scale.shape)}: it must be ({n}, {k // GROUP})"
    )
    _require(_aligned(x, packed), "x and packed must be 16-byte aligned: take a copy with .clone()")
    y = torch.empty(m, n, dtype=torch.float16, device=x.device)
    launch(
        "gemm_w4a16", _version(version, GEMV_VERSIONS), packed, scale, x, y, m, n, k, target=target or default_target(x)
    )
    return y
