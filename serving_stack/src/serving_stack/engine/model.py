"""Two decoders over a flat list of tokens from many requests: Llama's shape (Touvron et al. 2023), and GPT-2's.

Who attends to whom is not the model's business: `attend(layer, q, k, v)` is given by whoever knows the requests. All
other work is done for each token alone, so tokens of any requests can stand beside each other.

A model computes where its weights lie, in their dtype. Whoever wants another device moves the weights first.

Dimensions:
    N   tokens of the step      H   query heads        D   width of a head
    C   width of the model      G   key/value heads    M   rows whose logits are wanted
    V   vocabulary
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from .layouts import Linear, lay_out

Attend = Callable[[int, Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class ModelConfig:
    """The sizes of a decoder. GPT-2 has as many key/value heads as query heads, and no rope_base."""

    vocab_size: int
    d_model: int
    layers: int
    heads: int
    kv_heads: int
    ffn: int
    max_model_len: int
    rope_base: int | float = 10_000.0
    norm_eps: float = 1e-5

    def __post_init__(self):
        if self.d_model % self.heads or self.heads % self.kv_heads:
            raise ValueError(f"heads={self.heads}: must divide d_model and be a multiple of kv_heads")

    @property
    def head_dim(self) -> int:
        return self.d_model // self.heads


class LlamaBlock(NamedTuple):
    """The weights of one layer; those with the same input are one matrix."""

    attn_norm: Tensor
    qkv_proj: Linear
    o_proj: Linear
    mlp_norm: Tensor
    gate_up_proj: Linear
    down_proj: Linear


class Llama:
    """RMSNorm, rotary positions, grouped-query attention, SwiGLU. `weights` has the names of `weights.llama_shapes`."""

    def __init__(self, config: ModelConfig, weights: dict[str, Tensor], layout: str = "plain"):
        self.config, w = config, weights
        self.wte = w["wte.weight"]
        self.norm = w["norm.weight"]
        self.blocks = []
        for i in range(config.layers):
            at = f"blocks.{i}."
            qkv = torch.cat([w[f"{at}{name}_proj.weight"] for name in "qkv"])
            gate_up = torch.cat([w[f"{at}{name}_proj.weight"] for name in ("gate", "up")])
            o, down = w[f"{at}o_proj.weight"], w[f"{at}down_proj.weight"]
            norms = (w[f"{at}attn_norm.weight"], w[f"{at}mlp_norm.weight"])
            products = [lay_out(matrix, None, layout) for matrix in (qkv, o, gate_up, down)]
            self.blocks.append(LlamaBlock(norms[0], *products[:2], norms[1], *products[2:]))
        self.lm_head = lay_out(w.get("lm_head.weight", self.wte), None, layout)  # tied where there is none
        half = torch.arange(0, config.head_dim, 2, dtype=torch.float64) / config.head_dim
        angles = torch.arange(config.max_model_len)[:, None] * config.rope_base**-half
        self.cos, self.sin = angles.cos().to(self.wte), angles.sin().to(self.wte)  # max_model_len D/2

    def forward(
        self, tokens: Int[Tensor, "N"], positions: Int[Tensor, "N"], attend: Attend, rows: Int[Tensor, "M"]
    ) -> Float[Tensor, "M V"]:
        """The logits after the tokens in `rows`."""
        c = self.config
        cos, sin = self.cos[positions][:, None], self.sin[positions][:, None]  # N 1 D/2
        x = self.wte[tokens]  # N C
        for layer, block in enumerate(self.blocks):
            qkv = block.qkv_proj(rms_norm(x, block.attn_norm, c.norm_eps))
            q, k, v = qkv.unflatten(-1, (-1, c.head_dim)).split([c.heads, c.kv_heads, c.kv_heads], 1)
            attn_out = attend(layer, rotate(q, cos, sin), rotate(k, cos, sin), v)  # N H D
            x = x + block.o_proj(attn_out.flatten(1))
            gate, up = block.gate_up_proj(rms_norm(x, block.mlp_norm, c.norm_eps)).chunk(2, -1)
            x = x + block.down_proj(F.silu(gate) * up)
        return self.lm_head(rms_norm(x[rows], self.norm, c.norm_eps))


def rms_norm(x: Float[Tensor, "N C"], weight: Float[Tensor, "C"], eps: float) -> Float[Tensor, "N C"]:
    """x / root mean square (Zhang and Sennrich 2019)."""
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps) * weight


def rotate(
    x: Float[Tensor, "N heads D"], cos: Float[Tensor, "N 1 half"], sin: Float[Tensor, "N 1 half"]
) -> Float[Tensor, "N heads D"]:
    """RoPE on neighbouring pairs of channels, the order in which GGUF files store a Llama (Su et al. 2021)."""
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], -1).flatten(-2)


class GPT2:
    """LayerNorm, learned positions, one key/value head a query head, GELU. Weights have transformers' names."""

    def __init__(self, config: ModelConfig, weights: dict[str, Tensor], layout: str = "plain"):
        self.config, self.weights = config, weights
        self.wte, self.wpe = weights["transformer.wte.weight"], weights["transformer.wpe.weight"]
        self.products = {
            name.removesuffix(".weight"): lay_out(matrix.t(), weights[name.replace("weight", "bias")], layout)
            for name, matrix in weights.items()
            if matrix.ndim == 2 and ".h." in name
        }
        self.lm_head = lay_out(self.wte, None, layout)

    def forward(
        self, tokens: Int[Tensor, "N"], positions: Int[Tensor, "N"], attend: Attend, rows: Int[Tensor, "M"]
    ) -> Float[Tensor, "M V"]:
        """The logits after the tokens in `rows`."""
        c, product = self.config, self.products
        x = self.wte[tokens] + self.wpe[positions]  # N C
        for layer in range(c.layers):
            at = f"transformer.h.{layer}."
            qkv = product[f"{at}attn.c_attn"](self._norm(x, f"{at}ln_1"))
            q, k, v = qkv.view(-1, 3, c.heads, c.head_dim).unbind(1)
            x = x + product[f"{at}attn.c_proj"](attend(layer, q, k, v).flatten(1))
            hidden = F.gelu(product[f"{at}mlp.c_fc"](self._norm(x, f"{at}ln_2")), approximate="tanh")
            x = x + product[f"{at}mlp.c_proj"](hidden)
        return self.lm_head(self._norm(x[rows], "transformer.ln_f"))

    def _norm(self, x: Float[Tensor, "N C"], name: str) -> Float[Tensor, "N C"]:
        weight, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        return F.layer_norm(x, (self.config.d_model,), weight, bias, self.config.norm_eps)
