"""A real model: SmolLM2-135M-Instruct, a Llama, read from a GGUF file and run with the chapter's cache.

The library `gguf` reads and dequantizes. The file stores the channels that RoPE rotates together next to each other, so
`rotate` takes neighbours. RMSNorm and SwiGLU are the subject of project 06, RoPE of 03, and heads that share keys and
values of 10.

Dimensions:
    B   rows           T   tokens fed       Tk   tokens attended to
    H   query heads    G   key/value heads, each shared by H / G query heads
    D   width of a head        C   width of the model        V   vocabulary
"""

from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from .smollm2_tokens import Tokenizer
from .transformer import KVCache


class Sizes(NamedTuple):
    """What the file says about the model."""

    layers: int
    heads: int
    kv_heads: int
    rope_base: float
    norm_eps: float


def rms_norm(x: Float[Tensor, "*batch C"], weight: Float[Tensor, "C"], eps: float) -> Float[Tensor, "*batch C"]:
    return x * (x.square().mean(dim=-1, keepdim=True) + eps).rsqrt() * weight


def rotate(x: Float[Tensor, "B H T D"], start: int, base: float) -> Float[Tensor, "B H T D"]:
    """RoPE: channels 2i and 2i + 1 rotate by position · base^(-2i/D). The first position is `start`."""
    T, D = x.shape[-2:]
    positions = torch.arange(start, start + T)[:, None]
    angles = positions * base ** (-torch.arange(0, D, 2) / D)  # T D/2
    cos, sin = angles.cos(), angles.sin()
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), dim=-1).flatten(-2)


class SmolLM2:
    """Token ids (B, T) to logits (B, T, V). The head is the embedding."""

    def __init__(self, sizes: Sizes, weights: dict[str, Tensor]):
        self.sizes, self.weights = sizes, weights
        self.vocab_size = len(weights["token_embd.weight"])

    def new_cache(self) -> KVCache:
        return KVCache()

    def hidden(self, tokens: Int[Tensor, "B T"], cache: KVCache | None = None) -> Float[Tensor, "B T C"]:
        """The last hidden states, before the head."""
        x = self.weights["token_embd.weight"][tokens]  # B T C
        for layer in range(self.sizes.layers):
            x = x + self._attend(x, layer, cache)
            x = x + self._mlp(x, layer)
        return self._norm(x, "output_norm")

    def __call__(self, tokens: Int[Tensor, "B T"], cache: KVCache | None = None) -> Float[Tensor, "B T V"]:
        return F.linear(self.hidden(tokens, cache), self.weights["token_embd.weight"])

    def _norm(self, x: Tensor, name: str) -> Tensor:
        return rms_norm(x, self.weights[f"{name}.weight"], self.sizes.norm_eps)

    def _linear(self, x: Tensor, layer: int, name: str) -> Tensor:
        return F.linear(x, self.weights[f"blk.{layer}.{name}.weight"])

    def _attend(self, x: Tensor, layer: int, cache: KVCache | None) -> Tensor:
        B, T, C = x.shape
        H, G = self.sizes.heads, self.sizes.kv_heads
        start = 0
        if cache is not None and layer in cache.layers:
            start = cache.layers[layer][0].shape[2]
        normed = self._norm(x, f"blk.{layer}.attn_norm")
        q = self._linear(normed, layer, "attn_q").view(B, T, H, C // H).transpose(1, 2)  # B H T D
        k = self._linear(normed, layer, "attn_k").view(B, T, G, C // H).transpose(1, 2)  # B G T D
        v = self._linear(normed, layer, "attn_v").view(B, T, G, C // H).transpose(1, 2)
        q, k = (rotate(y, start, self.sizes.rope_base) for y in (q, k))
        if cache is not None:
            k, v = cache.update(layer, k, v)  # B G Tk D
        allowed = torch.ones(T, k.shape[2], dtype=torch.bool).tril(start)
        grouped = q.reshape(B, G, H // G * T, C // H)  # the queries that share a key, as more queries of it
        attn_out = F.scaled_dot_product_attention(grouped, k, v, attn_mask=allowed.repeat(H // G, 1))
        return self._linear(attn_out.reshape(B, H, T, C // H).transpose(1, 2).flatten(2), layer, "attn_output")

    def _mlp(self, x: Tensor, layer: int) -> Tensor:
        normed = self._norm(x, f"blk.{layer}.ffn_norm")
        gate = F.silu(self._linear(normed, layer, "ffn_gate"))
        return self._linear(gate * self._linear(normed, layer, "ffn_up"), layer, "ffn_down")


def read_smollm2(path: Path | str) -> tuple[SmolLM2, Tokenizer]:
    """The model and its tokenizer: three seconds for 135 million parameters.

    Raises:
        ValueError: the file is no GGUF file, holds another architecture, or a head of its own.
    """
    from gguf import GGUFReader
    from gguf.quants import dequantize

    with open(path, "rb") as file:
        if (magic := file.read(4)) != b"GGUF":
            raise ValueError(f"{path}: begins with {magic!r}, not with b'GGUF'; get it again")
    reader = GGUFReader(str(path))
    fields = reader.fields
    architecture = fields["general.architecture"].contents()
    if architecture != "llama":
        raise ValueError(f"{path}: general.architecture={architecture!r}; this loader reads 'llama'")
    sizes = Sizes(
        layers=int(fields["llama.block_count"].contents()),
        heads=int(fields["llama.attention.head_count"].contents()),
        kv_heads=int(fields["llama.attention.head_count_kv"].contents()),
        rope_base=float(fields["llama.rope.freq_base"].contents()),
        norm_eps=float(fields["llama.attention.layer_norm_rms_epsilon"].contents()),
    )
    weights = {
        tensor.name: torch.from_numpy(dequantize(tensor.data, tensor.tensor_type).copy()).float()
        for tensor in reader.tensors
    }
    if "output.weight" in weights:
        raise ValueError(f"{path}: has a head of its own (output.weight); this loader expects a tied one")
    vocabulary, merges = (fields[f"tokenizer.ggml.{name}"].contents() for name in ("tokens", "merges"))
    return SmolLM2(sizes, weights), Tokenizer(vocabulary, merges)
