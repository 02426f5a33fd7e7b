"""Tiled attention (FlashAttention): the Tq × Tk matrix of weights never exists, forward or backward.

The forward pass computes one tile of scores at a time and hands it to the online softmax. For each query it keeps one
number, log Σ exp(scores). The backward pass computes each tile of weights again from that number. Memory grows with
T instead of T²; the price is that the scores are computed twice.

Dimensions:
    Tq, Tk   queries, keys
    D        width of a query, a key and a value
    n, m     rows and columns of one tile
"""

import math
from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from .online import online_softmax


def flash_attention(
    q: Float[Tensor, "*batch Tq D"],
    k: Float[Tensor, "*batch Tk D"],
    v: Float[Tensor, "*batch Tk D"],
    causal: bool = False,
    tile: int = 64,
) -> Float[Tensor, "*batch Tq D"]:
    """Exactly softmax(q kᵀ / √D) v, in tiles of `tile` queries by `tile` keys (Dao et al. 2022, algorithm 1).

    `causal` aligns at the bottom right, like `causal_mask`.

    Raises:
        ValueError: the tile is empty.
    """
    if tile < 1:
        raise ValueError(f"tile={tile}: at least 1")
    return FlashAttention.apply(q, k, v, causal, tile)


def tiles(length: int, tile: int) -> Iterator[slice]:
    """The slices that cut `length` positions into tiles; the last may be shorter."""
    for start in range(0, length, tile):
        yield slice(start, min(start + tile, length))


def visible_tiles(q: Tensor, k: Tensor, rows: slice, causal: bool, tile: int) -> Iterator[tuple[Tensor, slice]]:
    """(scores, columns) of each tile in which a query of `rows` can see a key. Hidden scores are -inf."""
    offset = k.shape[-2] - q.shape[-2]
    scale = 1 / math.sqrt(q.shape[-1])
    for columns in tiles(k.shape[-2], tile):
        if causal and columns.start > rows.stop - 1 + offset:
            return  # the last query of these rows comes before the first key of this tile
        scores = q[..., rows, :] @ k[..., columns, :].transpose(-2, -1) * scale  # *batch n m
        if causal and columns.stop - 1 > rows.start + offset:
            scores = scores.masked_fill(~_tile_mask(rows, columns, offset), -math.inf)
        yield scores, columns


def _tile_mask(rows: slice, columns: slice, offset: int) -> Tensor:
    """The part of the causal mask that belongs to one tile."""
    queries = torch.arange(rows.start, rows.stop)[:, None] + offset  # n 1
    return torch.arange(columns.start, columns.stop) <= queries  # n m


class FlashAttention(torch.autograd.Function):
    """Forward and backward in tiles. Only q, k, v, the output and one number for each query are kept."""

    @staticmethod
    def forward(ctx, q: Tensor, k: Tensor, v: Tensor, causal: bool, tile: int) -> Tensor:
        output = q.new_zeros(q.shape)  # *batch Tq D
        log_sum = q.new_full((*q.shape[:-1], 1), -math.inf)  # *batch Tq 1
        for rows in tiles(q.shape[-2], tile):
            if causal and rows.stop + k.shape[-2] - q.shape[-2] < 1:
                continue  # these queries come before the first key: zeros
            blocks = ((s, v[..., columns, :]) for s, columns in visible_tiles(q, k, rows, causal, tile))
            output[..., rows, :], log_sum[..., rows, :] = online_softmax(blocks)
        ctx.save_for_backward(q, k, v, output, log_sum)
        ctx.causal, ctx.tile = causal, tile
        return output

    @staticmethod
    def backward(ctx, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        """Dao et al. 2022, algorithm 4. With P the weights and S the scaled scores of a tile:

        dV = Pᵀ dO,   dP = dO Vᵀ,   dS = P ∘ (dP - Σ dO ∘ O),   dQ = dS K / √D,   dK = dSᵀ Q / √D
        """
        q, k, v, output, log_sum = ctx.saved_tensors
        grad_q, grad_k, grad_v = torch.zeros_like(q), torch.zeros_like(k), torch.zeros_like(v)
        scale = 1 / math.sqrt(q.shape[-1])
        finite = log_sum.clamp(min=torch.finfo(q.dtype).min)  # a query that saw nothing has -inf
        rest = (grad_output * output).sum(-1, keepdim=True)  # *batch Tq 1; Σ over keys of P dP
        for rows in tiles(q.shape[-2], ctx.tile):
            for scores, columns in visible_tiles(q, k, rows, ctx.causal, ctx.tile):
                weights = (scores - finite[..., rows, :]).exp()  # *batch n m; the same weights again
                grad = grad_output[..., rows, :]
                grad_v[..., columns, :] += weights.transpose(-2, -1) @ grad
                grad_weights = grad @ v[..., columns, :].transpose(-2, -1)
                grad_scores = weights * (grad_weights - rest[..., rows, :]) * scale
                grad_q[..., rows, :] += grad_scores @ k[..., columns, :]
                grad_k[..., columns, :] += grad_scores.transpose(-2, -1) @ q[..., rows, :]
        return grad_q, grad_k, grad_v, None, None
