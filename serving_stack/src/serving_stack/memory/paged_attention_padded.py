"""The same attention with few kernels, for a GPU: decoding rows side by side, each padded to the longest.

On a GPU a step of a small model is as long as its list of kernels, so a gather that reads some stale slots is cheaper
than a dozen small operators. Nothing depends on the tables but indices, so that a step can be captured as a CUDA graph.

Dimensions: as in paged_attention.py, and
    B   decoding rows
    J   blocks of the longest table
    t   slots of that table, J · S
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from .paged_attention_fast import AttentionPlan


class PaddedRows:
    """Attention of rows with one query each. `lengths` counts the tokens that a row sees, at least one."""

    def __init__(self, tables: Int[Tensor, "B J"], lengths: Int[Tensor, "B"], block_size: int):
        slots = torch.arange(tables.shape[1] * block_size, device=tables.device)
        self.block, self.offset = tables[:, slots // block_size], slots % block_size  # B t, t
        self.visible = (slots < lengths[:, None])[:, None, None]  # B 1 1 t

    def attend(
        self, q: Float[Tensor, "B H D"], keys: Float[Tensor, "P G S D"], values: Float[Tensor, "P G S D"]
    ) -> Float[Tensor, "B H D"]:
        """Two gathers and one product."""
        k, v = (pool[self.block, :, self.offset].transpose(1, 2) for pool in (keys, values))  # B G t D
        gqa = k.shape[1] < q.shape[1]
        return F.scaled_dot_product_attention(q[:, :, None], k, v, attn_mask=self.visible, enable_gqa=gqa)[:, :, 0]


class PaddedPlan(AttentionPlan):
    """An AttentionPlan whose decoding rows are padded."""

    def _prepare(self, tables: list[list[int]], lengths: list[int], allow_dense: bool) -> None:
        columns = max(map(len, tables))
        padded = [table + [table[0]] * (columns - len(table)) for table in tables]
        self.rows = PaddedRows(self._tensor(padded), self._tensor(lengths), self.block_size)

    def _decode(
        self, q: Float[Tensor, "B H D"], keys: Float[Tensor, "P G S D"], values: Float[Tensor, "P G S D"]
    ) -> Float[Tensor, "B H D"]:
        return self.rows.attend(q, keys, values)
