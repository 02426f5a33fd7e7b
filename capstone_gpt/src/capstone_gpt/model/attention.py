"""Causal self-attention of many heads, explicit and through PyTorch's fused kernel.

Dimensions:
    B  rows of a batch      T  tokens      C  width of the model
    H  heads                D  width of a head, C = H · D
    Tq queries              Tk keys
"""

import functools
import math

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn


def causal_mask(queries: int, keys: int, window: int | None = None, sinks: int = 0) -> Bool[Tensor, "queries keys"]:
    """True where a query may see a key. The last query stands at the last key.

    With a `window`, a query sees itself, the `window` - 1 tokens before it and the first `sinks` tokens of the text.
    """
    key = torch.arange(keys)
    query = torch.arange(keys - queries, keys)[:, None]
    seen = key <= query
    if window is not None:
        seen &= (query - key < window) | (key < sinks)
    return seen


def attend(
    q: Float[Tensor, "B H Tq D"],
    k: Float[Tensor, "B H Tk D"],
    v: Float[Tensor, "B H Tk D"],
    window: int | None = None,
    sinks: int = 0,
) -> Float[Tensor, "B H Tq D"]:
    """Softmax of the scaled scores, over the keys that may be seen, times the values (Vaswani et al. 2017, eq. 1)."""
    scores = q @ k.mT / math.sqrt(q.shape[-1])  # B H Tq Tk
    seen = causal_mask(q.shape[2], k.shape[2], window, sinks).to(q.device)
    weights = scores.masked_fill(~seen, float("-inf")).softmax(dim=-1)
    return weights @ v


@functools.lru_cache(32)
def additive_mask(queries: int, keys: int, window: int | None, sinks: int, dtype: torch.dtype, device: torch.device):
    """0 where a query may see a key, else -inf: made once for each shape."""
    with torch.inference_mode(False):  # a mask first needed while sampling must serve training too
        seen = causal_mask(queries, keys, window, sinks)
        return torch.zeros(queries, keys, dtype=dtype).masked_fill(~seen, float("-inf")).to(device)


def attend_fast(
    q: Float[Tensor, "B H Tq D"],
    k: Float[Tensor, "B H Tk D"],
    v: Float[Tensor, "B H Tk D"],
    window: int | None = None,
    sinks: int = 0,
) -> Float[Tensor, "B H Tq D"]:
    """The same numbers. In float32 it is PyTorch's kernel; in bfloat16 on a CPU, two batched products.

    The backward pass of PyTorch's kernel is seven times slower in bfloat16 than these products (measured on a CPU).
    """
    B, H, Tq, D = q.shape
    plain = window is None and Tq == k.shape[2]
    if q.dtype == torch.bfloat16 and q.device.type == "cpu":
        mask = additive_mask(Tq, k.shape[2], window, sinks, q.dtype, q.device)
        flat = [x.reshape(B * H, -1, D) for x in (q, k, v)]
        scores = torch.baddbmm(mask, flat[0], flat[1].mT, alpha=1 / math.sqrt(D))
        return (scores.softmax(-1) @ flat[2]).view(B, H, Tq, D)
    if plain:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    mask = additive_mask(Tq, k.shape[2], window, sinks, q.dtype, q.device)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)


class CausalSelfAttention(nn.Module):
    """GPT-2's attention: one product makes queries, keys and values; one mixes the heads."""

    def __init__(self, n_embd: int, n_head: int):
        super().__init__()
        self.n_head = n_head
        self.qkv_proj = nn.Linear(n_embd, 3 * n_embd)
        self.o_proj = nn.Linear(n_embd, n_embd)

    def forward(self, x: Float[Tensor, "B T C"]) -> Float[Tensor, "B T C"]:
        B, T, C = x.shape
        q, k, v = self.qkv_proj(x).view(B, T, 3, self.n_head, -1).permute(2, 0, 3, 1, 4)  # each B H T D
        mixed = attend_fast(q, k, v).transpose(1, 2).reshape(B, T, C)
        return self.o_proj(mixed)
