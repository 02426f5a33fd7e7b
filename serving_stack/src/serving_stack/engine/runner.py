"""A plan becomes tokens: one pass of the model over the tokens of every request in it."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from ..memory.paged_attention import paged_attention
from ..memory.paged_attention_fast import AttentionPlan
from ..memory.paged_attention_padded import PaddedPlan
from ..memory.pool import KVPool
from .model import GPT2, Llama
from .request import Request
from .sampling import sample

ATTENTION = ("fast", "plain", "invariant", "padded")


class Sampled(NamedTuple):
    """A token, its log-probability, and the likeliest tokens with theirs, where the request asks for them."""

    token: int
    logprob: float = 0.0
    top: tuple[tuple[int, float], ...] = ()


@runtime_checkable
class Runner(Protocol):
    """What executes a plan: a model, a simulation, or a log that is read again."""

    def execute(self, plan: list[tuple[Request, int]]) -> Sequence[Sampled | None]:
        """The next token of each request, None where the prompt is not computed to its end."""

    def copy_block(self, source: int, target: int) -> None:
        """Copy one block."""


class ModelRunner:
    """Runs a model over a pool of blocks, on the device of the model's weights and in their dtype.

    `attention="invariant"`, with a model in the layout of that name, gives each request the same bits in any company.
    `attention="padded"` is the form with the fewest kernels, for a GPU.
    """

    def __init__(self, model: Llama | GPT2, num_blocks: int, block_size: int = 16, attention: str = "fast"):
        if attention not in ATTENTION:
            raise ValueError(f"attention={attention!r}: choose one of {', '.join(ATTENTION)}")
        self.model, self.attention = model, attention
        c = model.config
        self.device, dtype = model.wte.device, model.wte.dtype
        self.pool = KVPool(c.layers, num_blocks, c.kv_heads, block_size, c.head_dim, self.device, dtype)
        self.copy_block = self.pool.copy_block

    @torch.inference_mode()
    def execute(self, plan: list[tuple[Request, int]]) -> list[Sampled | None]:
        """The next token of each request of the plan, in its order."""
        logits = self.logits(plan)
        ready = [request for request, count in plan if count == request.num_missing]
        for row, request in zip(logits, ready, strict=True):
            if request.constraint is not None:
                row.masked_fill_(~request.constraint.allowed().to(row.device), -torch.inf)
        sampled = iter(choose(logits, ready))
        return [next(sampled) if count == request.num_missing else None for request, count in plan]

    def logits(self, plan: list[tuple[Request, int]]) -> Tensor:
        """One row of logits for each request whose last token is computed in this step."""
        tokens, positions, slots, rows = [], [], [], []
        for request, count in plan:
            start, end = request.num_computed, request.num_computed + count
            tokens += request.tokens[start:end]
            positions += range(start, end)
            slots += [divmod(p, self.pool.block_size) for p in range(start, end)]
            slots[-count:] = [(request.table[i], offset) for i, offset in slots[-count:]]
            if end == request.num_tokens:
                rows.append(len(tokens) - 1)
        blocks, offsets, tokens, positions = (
            torch.tensor(x, device=self.device) for x in (*zip(*slots, strict=True), tokens, positions)
        )
        write_and_attend = partial(self._write_and_attend, self._attend(plan), blocks, offsets)
        where = torch.tensor(rows, dtype=torch.long, device=self.device)
        return self.model.forward(tokens, positions, write_and_attend, where)

    def _write_and_attend(self, attend, blocks, offsets, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        self.pool.write(layer, blocks, offsets, k, v)
        return attend(q, self.pool.keys[layer], self.pool.values[layer])

    def _attend(self, plan: list[tuple[Request, int]]):
        """Attention for this plan, as a function of queries, keys and values."""
        tables = [request.table for request, _ in plan]
        query_lens = [count for _, count in plan]
        context_lens = [request.num_computed + count for request, count in plan]
        if self.attention == "plain":
            return lambda q, keys, values: paged_attention(q, keys, values, tables, query_lens, context_lens)
        kind = PaddedPlan if self.attention == "padded" else AttentionPlan
        one_by_one = self.attention == "invariant"
        return kind(tables, query_lens, context_lens, self.pool.block_size, one_by_one, self.device).attend


def choose(logits: Tensor, requests: list[Request]) -> list[Sampled]:
    """A token for each row. Log-probabilities are computed only for those who ask."""
    if all(request.params.temperature == 0 and request.params.logprobs is None for request in requests):
        return [Sampled(token) for token in logits.argmax(-1).tolist()]
    params = [request.params for request in requests]
    tokens, logprobs = sample(logits, params, [request.generator for request in requests])
    found = []
    for row, how, token, logprob in zip(logits, params, tokens, logprobs.tolist(), strict=True):
        top = ()
        if how.logprobs:
            values, ids = row.log_softmax(-1).topk(how.logprobs)
            top = tuple(zip(ids.tolist(), values.tolist(), strict=True))
        found.append(Sampled(token, logprob, top))
    return found
