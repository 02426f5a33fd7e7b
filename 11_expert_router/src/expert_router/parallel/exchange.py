"""All-to-all: each process sends rows to each process. Its gradient is the same exchange, backwards.

Dimensions:
    S  rows that are sent    R  rows that are received    P  processes
"""

import torch
import torch.distributed as dist
from jaxtyping import Shaped
from torch import Tensor


class Exchange:
    """All-to-all over all processes. It counts the bytes that leave this one."""

    def __init__(self):
        self.rank, self.world = dist.get_rank(), dist.get_world_size()
        self.bytes_sent = 0
        self.calls = 0

    def counts(self, sizes: Shaped[Tensor, "P"]) -> Shaped[Tensor, "P"]:
        """How many rows each process will send here, given how many are sent to each."""
        received = torch.empty_like(sizes)
        dist.all_to_all_single(received, sizes)
        return received

    def rows(self, x: Shaped[Tensor, "S *D"], send: list[int], receive: list[int]) -> Shaped[Tensor, "R *D"]:
        """Send the first `send[0]` rows to process 0, the next to process 1; the rows that arrive, by sender."""
        return _AllToAll.apply(x, send, receive, self)

    def _move(self, x: Tensor, send: list[int], receive: list[int]) -> Tensor:
        leaving = sum(send) - send[self.rank]  # what stays here is not communication
        self.bytes_sent += leaving * x[:1].numel() * x.element_size() if len(x) else 0
        self.calls += 1
        out = x.new_empty(sum(receive), *x.shape[1:])
        dist.all_to_all_single(out, x.contiguous(), receive, send)
        return out


class _AllToAll(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, send: list[int], receive: list[int], exchange: Exchange) -> Tensor:
        ctx.send, ctx.receive, ctx.exchange = send, receive, exchange
        return exchange._move(x, send, receive)

    @staticmethod
    def backward(ctx, gradient: Tensor):
        return ctx.exchange._move(gradient, ctx.receive, ctx.send), None, None, None
