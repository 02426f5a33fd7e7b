"""RMSNorm and LayerNorm as autograd functions: the same numbers as the plain forms, with fewer passes over memory.

A norm does little arithmetic for each number it reads, so its time is the time of its passes through memory. Three
things save passes here; `python -m norm_activation bench` measures the result:

- Autograd gets one node instead of seven, so no intermediate is stored and no gradient of one is made.
- One product P = dy · x serves twice: P · weight gives the dot product of each row, and Pᵀ · rstd gives dweight.
- Work goes in blocks of 256 rows, so that P and the rows stay in the processor's cache until all steps are done.

What stays out of reach is a kernel that keeps a row in registers: each step below still reads and writes the cache.

Dimensions:
    D   features, the last axis; everything before it is batch
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

ROWS = 256  # at 768 features in float32 a block is 0.8 MB


def _blocks(*tensors: Tensor) -> Iterator[list[Tensor]]:
    """The same block of rows of each tensor, one block after another."""
    yield from zip(*(t.split(ROWS) for t in tensors), strict=True)


class _RMSNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
        rstd = norm.square_().div_(x.shape[-1]).add_(eps).rsqrt_()  # N 1
        ctx.save_for_backward(x, weight, rstd)
        return (x * rstd).mul_(weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, dy: Tensor) -> tuple[Tensor, Tensor, None]:
        x, weight, rstd = ctx.saved_tensors
        N, D = x.shape
        dx, dweight = torch.empty_like(x), torch.zeros_like(weight)
        buffer = x.new_empty(min(N, ROWS), D)
        for dy_, x_, rstd_, dx_ in _blocks(dy, x, rstd, dx):
            P = torch.mul(dy_, x_, out=buffer[: len(x_)])
            dweight.addmv_(P.T, rstd_[:, 0])
            dot = (P @ weight).unsqueeze(-1).mul_(rstd_.pow(3)).div_(-D)
            torch.mul(dy_, weight, out=dx_).mul_(rstd_).addcmul_(x_, dot)
        return dx, dweight, None


class _LayerNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
        mean = x.mean(dim=-1, keepdim=True)
        y, rstd = torch.empty_like(x), torch.empty_like(mean)
        for x_, mean_, y_, rstd_ in _blocks(x, mean, y, rstd):
            torch.sub(x_, mean_, out=y_)
            torch.linalg.vector_norm(y_, dim=-1, keepdim=True, out=rstd_)
            rstd_.square_().div_(x.shape[-1]).add_(eps).rsqrt_()
            y_.mul_(rstd_).mul_(weight).add_(bias)
        ctx.save_for_backward(x, weight, mean, rstd)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, dy: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        x, weight, mean, rstd = ctx.saved_tensors
        N, D = x.shape
        dx, dweight, dbias = torch.empty_like(x), torch.zeros_like(weight), torch.zeros_like(weight)
        buffers = x.new_empty(2, min(N, ROWS), D)
        ones = x.new_ones(min(N, ROWS))
        for dy_, x_, mean_, rstd_, dx_ in _blocks(dy, x, mean, rstd, dx):
            x_hat = torch.sub(x_, mean_, out=buffers[0, : len(x_)]).mul_(rstd_)
            P = torch.mul(dy_, x_hat, out=buffers[1, : len(x_)])
            dweight.addmv_(P.T, ones[: len(x_)])
            dbias.addmv_(dy_.T, ones[: len(x_)])
            dot = (P @ weight).unsqueeze(-1).div_(-D)
            mean_g = (dy_ @ weight).unsqueeze(-1).div_(D)
            torch.mul(dy_, weight, out=dx_).sub_(mean_g).addcmul_(x_hat, dot).mul_(rstd_)
        return dx, dweight, dbias, None


def rms_norm_fast(
    x: Float[Tensor, "*batch D"], weight: Float[Tensor, " D"], eps: float = 1e-6
) -> Float[Tensor, "*batch D"]:
    """`rms_norm` for float32 and float64, forward and backward."""
    rows = x.reshape(-1, x.shape[-1])
    return _RMSNorm.apply(rows, weight, eps).view(x.shape)


def layer_norm_fast(
    x: Float[Tensor, "*batch D"], weight: Float[Tensor, " D"], bias: Float[Tensor, " D"], eps: float = 1e-5
) -> Float[Tensor, "*batch D"]:
    """`layer_norm`, forward and backward."""
    rows = x.reshape(-1, x.shape[-1])
    return _LayerNorm.apply(rows, weight, bias, eps).view(x.shape)
