"""SmolLM2-135M in the Llama architecture, from its GGUF file: one function for each part of a block.

Dimensions:
    T   tokens
    C   width of the stream
    H   query heads, G key and value heads, D numbers in each
"""

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

NAMES = ("attn_norm", "attn_q", "attn_k", "attn_v", "attn_output", "ffn_norm", "ffn_gate", "ffn_up", "ffn_down")


@dataclass(frozen=True)
class Llama:
    """Weights by block and name, and the three numbers that are not in their shapes."""

    wte: Tensor
    blocks: list[dict[str, Tensor]]
    final_norm: Tensor
    heads: int
    base: float
    eps: float


def read(path: Path) -> Llama:
    """The model, dequantized to float32.

    Raises:
        ValueError: a tensor is missing from the file.
    """
    from gguf import GGUFReader
    from gguf.quants import dequantize

    reader = GGUFReader(path)
    tensors = {t.name: t for t in reader.tensors}

    def tensor(name: str) -> Tensor:
        if name not in tensors:
            raise ValueError(f"path={path}: has no tensor {name}; get the file again")
        return torch.from_numpy(dequantize(tensors[name].data, tensors[name].tensor_type).copy()).float()

    def number(name: str):
        return reader.fields[f"llama.{name}"].contents()

    blocks = [{n: tensor(f"blk.{i}.{n}.weight") for n in NAMES} for i in range(number("block_count"))]
    heads, base = number("attention.head_count"), number("rope.freq_base")
    eps = number("attention.layer_norm_rms_epsilon")
    return Llama(tensor("token_embd.weight"), blocks, tensor("output_norm.weight"), heads, base, eps)


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps) * weight


def rotate(x: Tensor, base: float) -> Tensor:
    """Rotary positions on neighbouring pairs, which is the order of the file (Su et al. 2021)."""
    T, D = x.shape[-2:]
    angle = torch.arange(T)[:, None] * base ** (-torch.arange(0, D, 2) / D)
    even, odd = x[..., 0::2], x[..., 1::2]
    turned = even * angle.cos() - odd * angle.sin(), even * angle.sin() + odd * angle.cos()
    return torch.stack(turned, dim=-1).flatten(-2)


def apply_block(model: Llama, block: dict[str, Tensor], x: Tensor) -> Tensor:
    """The stream (B, T, C) after one block."""
    h = rms_norm(x, block["attn_norm"], model.eps)
    D = block["attn_q"].shape[0] // model.heads
    q, k, v = (F.linear(h, block[f"attn_{n}"]).unflatten(-1, (-1, D)).transpose(1, 2) for n in "qkv")  # B H T D
    q, k = rotate(q, model.base), rotate(k, model.base)
    mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
    x = x + F.linear(mixed.transpose(1, 2).flatten(2), block["attn_output"])
    h = rms_norm(x, block["ffn_norm"], model.eps)
    return x + F.linear(F.silu(F.linear(h, block["ffn_gate"])) * F.linear(h, block["ffn_up"]), block["ffn_down"])


def loss_of(model: Llama, x: Tensor, tokens: Tensor) -> float:
    """The next-token loss if the head reads this stream."""
    logits = F.linear(rms_norm(x[:, :-1], model.final_norm, model.eps), model.wte)
    return float(F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten()))
