"""One layer of a real model through the quantized kernels: `down_proj` of layer 11 of SmolLM2-135M-Instruct.

Its input has one massive activation: an entry of about 3,000 in the first token, where every other entry is below 10.
A scale has to cover it, and this shows what that costs, scheme by scheme. The kernels run on the emulator.

Dimensions:
    T tokens, K = 1536 inputs, N = 576 outputs
"""

import argparse
from collections.abc import Callable

import torch
from torch import Tensor

from ..int4 import quantize_int4
from ..linear import linear_w4a16, linear_w8a8
from ..quantization import quantize
from .fetch import load_text, model
from .smollm2 import down_proj

Log = Callable[[str], None]
LAYER = 11
TOKENS = 64
OUTLIER = 6.0  # columns with a larger entry stay in floating point (Dettmers et al. 2022)
MASSIVE = 1000.0


def w8a8(x: Tensor, w: Tensor, per_x: str, per_w: str) -> Tensor:
    """x w^T by the int8 GEMM, with a scale per tensor or per row of each operand."""
    qx, scale_x = quantize(x, per=per_x)
    qw, scale_w = quantize(w, per=per_w)
    return linear_w8a8(qx, qw, scale_x.expand(len(x)).contiguous(), scale_w.expand(len(w)).contiguous())


def w8a8_without_outliers(x: Tensor, w: Tensor) -> Tensor:
    """LLM.int8(): columns of x with an entry above OUTLIER in floating point, the others in int8."""
    outlier = (x.abs() > OUTLIER).any(0)
    rest = torch.where(outlier, torch.zeros(()), x)
    return w8a8(rest, w, "row", "row") + x[:, outlier] @ w[:, outlier].T


def w4a16(x: Tensor, w: Tensor) -> Tensor:
    """x w^T with four-bit weights in groups of 128 and fp16 activations, 16 tokens at a time."""
    packed, scale = quantize_int4(w)
    return torch.cat([linear_w4a16(part.contiguous(), packed, scale) for part in x.half().split(16)]).float()


SCHEMES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "W8A8, both per tensor": lambda x, w: w8a8(x, w, "tensor", "tensor"),
    "W8A8, weights per row": lambda x, w: w8a8(x, w, "tensor", "row"),
    "W8A8, tokens per row": lambda x, w: w8a8(x, w, "row", "tensor"),
    "W8A8, both per row": lambda x, w: w8a8(x, w, "row", "row"),
    "W8A8, both per row, outlier columns in fp32": w8a8_without_outliers,
    "W4A16, groups of 128": w4a16,
}


def relative_error(got: Tensor, want: Tensor) -> float:
    """The norm of the error over the norm of the right output."""
    return ((got - want).norm() / want.norm()).item()


def real_layer(options: argparse.Namespace, log: Log) -> dict:
    """The error of each scheme on the tokens with a massive activation, and on all others.

    Raises:
        ImportError: transformers or gguf is not installed (the extra `real`).
        OSError: the model is not on this machine and cannot be downloaded.
    """
    tokens = 16 if options.quick else TOKENS
    log("reading the model")
    x, w = down_proj(model("smollm2", log), load_text(options.data), LAYER, tokens)
    massive, exact, rows = (x.abs() > MASSIVE).any(1), x @ w.T, []
    for name, scheme in SCHEMES.items():
        log(f"{name}: {tokens} x {w.shape[0]} x {w.shape[1]} on the emulator")
        y = scheme(x, w)
        errors = {
            "massive": relative_error(y[massive], exact[massive]),
            "others": relative_error(y[~massive], exact[~massive]),
        }
        rows.append({"scheme": name, **errors})
    largest = {"massive": x.abs().max().item(), "others": x[~massive].abs().max().item()}
    return {"layer": LAYER, "tokens": tokens, "massive_tokens": int(massive.sum()), "largest": largest, "rows": rows}
