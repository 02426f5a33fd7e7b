"""SmolLM2's layers up to one of them, in plain PyTorch, from its GGUF file: enough to see what a layer is given.

Dimensions:
    T tokens, D = 576 width, H = 9 query heads and 3 key/value heads of 64
"""

from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import linear, rms_norm, scaled_dot_product_attention, silu


class Weights:
    """The tensors of a GGUF file, dequantized to float32 when they are asked for, and its numbers."""

    def __init__(self, path: Path):
        from gguf import GGUFReader

        self.reader = GGUFReader(path)
        self.tensors = {tensor.name: tensor for tensor in self.reader.tensors}

    def __getitem__(self, name: str) -> Tensor:
        from gguf import dequantize

        tensor = self.tensors[f"{name}.weight"]
        return torch.from_numpy(dequantize(tensor.data, tensor.tensor_type).copy()).float()

    def number(self, name: str) -> float:
        """A number of the model's configuration, such as "attention.head_count"."""
        return float(self.reader.fields[f"llama.{name}"].contents())


def token_ids(path: Path, text: str, tokens: int) -> Tensor:
    """The first tokens of a text."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    return tokenizer(text[: 20 * tokens], return_tensors="pt").input_ids[0, :tokens]


def rotate(x: Tensor, base: float) -> Tensor:
    """RoPE on neighbouring pairs, the order of GGUF files: x is (heads, T, 64)."""
    width = x.shape[-1]
    angles = torch.arange(x.shape[1])[:, None] * base ** (-torch.arange(0, width, 2) / width)
    even, odd = x[..., 0::2], x[..., 1::2]
    pairs = (even * angles.cos() - odd * angles.sin(), even * angles.sin() + odd * angles.cos())
    return torch.stack(pairs, -1).flatten(-2)


def attend(x: Tensor, weights: Weights, block: str) -> Tensor:
    """Causal attention of one block, with its output projection."""
    heads, kv_heads = int(weights.number("attention.head_count")), int(weights.number("attention.head_count_kv"))
    base = weights.number("rope.freq_base")
    q, k, v = (linear(x, weights[f"{block}.attn_{name}"]) for name in "qkv")
    q, k, v = (t.unflatten(-1, (n, -1)).transpose(0, 1) for t, n in ((q, heads), (k, kv_heads), (v, kv_heads)))
    k, v = (t.repeat_interleave(heads // kv_heads, 0) for t in (rotate(k, base), v))
    out = scaled_dot_product_attention(rotate(q, base), k, v, is_causal=True)
    return linear(out.transpose(0, 1).flatten(1), weights[f"{block}.attn_output"])


@torch.no_grad()
def down_proj(path: Path, text: str, layer: int, tokens: int) -> tuple[Tensor, Tensor]:
    """The input (T, 1536) of a layer's `down_proj`, and its weights (576, 1536), in float32.

    Raises:
        ImportError: gguf or transformers is not installed (the extra `real`).
    """
    weights = Weights(path)
    eps = weights.number("attention.layer_norm_rms_epsilon")
    x = weights["token_embd"][token_ids(path, text, tokens)]
    for number in range(layer + 1):
        block = f"blk.{number}"
        x = x + attend(rms_norm(x, x.shape[-1:], weights[f"{block}.attn_norm"], eps), weights, block)
        normed = rms_norm(x, x.shape[-1:], weights[f"{block}.ffn_norm"], eps)
        inside = silu(linear(normed, weights[f"{block}.ffn_gate"])) * linear(normed, weights[f"{block}.ffn_up"])
        down = weights[f"{block}.ffn_down"]
        if number < layer:
            x = x + linear(inside, down)
    return inside, down
