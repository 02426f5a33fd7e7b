"""The same attention, prepared once a step and used in every layer.

Decoding rows (one query each) are computed together, block by block, and their softmax is put together afterwards.
If no block is shared and most of the pool is in use, the blocks are not even gathered: every block of the pool is
multiplied with the query of its owner. A gather would read and write all keys and values once more.

Dimensions: as in paged_attention.py, and
    B   decoding rows
    J   blocks of the longest table
    E   pairs of a row and one of its blocks
"""

import math
from collections.abc import Sequence
from itertools import accumulate

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

DENSE_ENOUGH = 0.6  # of the pool's blocks in use; below that, a gather of the used ones is cheaper


class AttentionPlan:
    """Which rows read which blocks in this step.

    `one_by_one` computes every token of a prompt like a decoding row. No sum then depends on how a prompt is cut or on
    who else is there, so that a request's numbers are the same to the last bit, alone or not.
    """

    def __init__(
        self,
        tables: list[list[int]],
        query_lens: list[int],
        context_lens: list[int],
        block_size: int,
        one_by_one: bool = False,
        device: torch.device | str = "cpu",
    ):
        self.block_size, self.device = block_size, device
        starts = accumulate(query_lens, initial=0)
        requests = list(zip(starts, query_lens, tables, context_lens, strict=False))
        single = [(start, table, length) for start, n, table, length in requests if n == 1 and not one_by_one]
        if one_by_one:
            single = [(start + i, table, length - n + i + 1) for start, n, table, length in requests for i in range(n)]
        self.prompts = [(s, n, *self._prompt(n, t, c)) for s, n, t, c in requests if n > 1 and not one_by_one]
        self.decode_rows = torch.tensor([start for start, _, _ in single], dtype=torch.long, device=device)
        if single:
            self._prepare([t for _, t, _ in single], [c for _, _, c in single], allow_dense=not one_by_one)

    def _prompt(self, n: int, table: list[int], length: int) -> tuple[Tensor, int, Tensor | None]:
        """(blocks, length, mask) of a request with several queries; no mask where the whole prompt is computed."""
        used = torch.tensor(table[: -(-length // self.block_size)], device=self.device)
        mask = None if n == length else used.new_ones(n, length, dtype=torch.bool).tril(length - n)
        return used, length, mask

    def _prepare(self, tables: list[list[int]], lengths: list[int], allow_dense: bool) -> None:
        """Index tensors for the decoding rows."""
        S = self.block_size
        counts = [-(-length // S) for length in lengths]
        pairs = [(table[j], i, j) for i, table in enumerate(tables) for j in range(counts[i])]
        self.block, self.row, self.column = (self._tensor(x) for x in zip(*pairs, strict=True))  # E each
        self.num_columns = max(counts)
        highest = max(block for block, _, _ in pairs) + 1
        distinct = len({block for block, _, _ in pairs}) == len(pairs)
        self.dense = highest if allow_dense and distinct and len(pairs) >= DENSE_ENOUGH * highest else 0
        if self.dense:
            self.owner = self.row.new_zeros(highest)
            self.owner[self.block] = self.row
        slots = torch.arange(self.num_columns * S, device=self.device)
        stale = slots >= self._tensor(lengths)[:, None]
        self.bias = torch.zeros(stale.shape, device=self.device).masked_fill(stale, -math.inf)[:, None, None]  # B 1 1 T

    def _tensor(self, numbers: Sequence[int] | list[list[int]]) -> Tensor:
        return torch.tensor(numbers, device=self.device)

    def attend(
        self, q: Float[Tensor, "N H D"], keys: Float[Tensor, "P G S D"], values: Float[Tensor, "P G S D"]
    ) -> Float[Tensor, "N H D"]:
        """What `paged_attention` computes."""
        N, H, D = q.shape
        out = q.new_empty(N, H, D)
        if len(self.decode_rows):
            whole = len(self.decode_rows) == N
            rows = self._decode(q if whole else q[self.decode_rows], keys, values)
            if whole:
                return rows
            out[self.decode_rows] = rows
        for start, n, blocks, length, mask in self.prompts:
            k, v = (pool[blocks].transpose(0, 1).flatten(1, 2)[None, :, :length] for pool in (keys, values))
            queries = q[start : start + n].transpose(0, 1)[None]  # 1 H n D
            gqa = k.shape[1] < H
            y = F.scaled_dot_product_attention(queries, k, v, attn_mask=mask, is_causal=mask is None, enable_gqa=gqa)
            out[start : start + n] = y[0].transpose(0, 1)
        return out

    def _decode(
        self, q: Float[Tensor, "B H D"], keys: Float[Tensor, "P G S D"], values: Float[Tensor, "P G S D"]
    ) -> Float[Tensor, "B H D"]:
        B, H, D = q.shape
        G, S, J = keys.shape[1], self.block_size, self.num_columns
        grouped = (q / math.sqrt(D)).view(B, G, H // G, D)
        if self.dense:
            k, v, row = keys[: self.dense], values[: self.dense], self.owner
        else:
            k, v, row = keys[self.block], values[self.block], self.row
        scores = grouped[row] @ k.mT  # blocks G R S
        table = scores.new_zeros(B, J, G, H // G, S)
        table[self.row, self.column] = scores[self.block] if self.dense else scores
        whole = table.permute(0, 2, 3, 1, 4).reshape(B, G, H // G, J * S) + self.bias.to(scores.dtype)
        weights = whole.softmax(-1).view(B, G, H // G, J, S).permute(0, 3, 1, 2, 4)[self.row, self.column]  # E G R S
        if self.dense:
            spread = scores.new_zeros(scores.shape)
            spread[self.block] = weights
            weights = spread
        parts = weights @ v  # blocks G R D
        return q.new_zeros(B, G, H // G, D).index_add_(0, row, parts).view(B, H, D)
