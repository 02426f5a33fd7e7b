"""A mixture-of-experts layer, and a decoder of dense and MoE blocks.

Dimensions:
    B  rows of the batch    T  tokens of a row    D  d_model    E  experts    K  experts of a token    V  vocabulary
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from .dispatch import drop_overflow
from .dispatch_fast import grouped_dispatch
from .experts import Experts, FeedForward
from .router import combine_weights, gate_noise, top_k_gate


@dataclass(frozen=True)
class MoEConfig:
    """The sizes of a mixture.

    Raises:
        ValueError: k is not between 1 and the number of experts, or one normalised expert a token.
    """

    d_model: int
    ffn: int  # of one expert
    num_experts: int
    k: int
    normalize: bool = True
    capacity_factor: float | int | None = None  # None: no assignment is dropped
    shared: int = 0  # experts that every token goes to
    noise: bool = False  # Shazeer's noisy gates

    def __post_init__(self):
        if not 1 <= self.k <= self.num_experts:
            raise ValueError(f"k={self.k}: must be from 1 to num_experts={self.num_experts}")
        if self.normalize and self.k == 1:
            raise ValueError("normalize=True: with k=1 the router gets no gradient; set normalize=False")


class Routing(NamedTuple):
    """What a layer's router decided. The losses and the figures are made of it."""

    logits: Float[Tensor, "B T E"]
    scores: Float[Tensor, "B T E"]  # the logits, with noise in training
    indices: Int[Tensor, "B T K"]
    weights: Float[Tensor, "B T K"]
    kept: Bool[Tensor, "B T K"]
    std: Float[Tensor, "B T E"] | None  # of the noise


class MoE(nn.Module):
    """A router, E experts, and the experts that all tokens share. A row of the batch is a group of the capacity."""

    def __init__(self, config: MoEConfig):
        super().__init__()
        self.config = c = config
        self.router = nn.Parameter(torch.empty(c.num_experts, c.d_model))
        self.noise_proj = nn.Parameter(torch.zeros(c.num_experts, c.d_model)) if c.noise else None
        self.experts = Experts(c.num_experts, c.d_model, c.ffn)
        self.shared = FeedForward(c.d_model, c.shared * c.ffn) if c.shared else None
        self.register_buffer("bias", torch.zeros(c.num_experts))

    def route(self, x: Float[Tensor, "B T D"], generator: torch.Generator | None = None) -> Routing:
        """The decision for every token. In training, noisy gates draw from the generator."""
        c, noise, std = self.config, None, None
        logits = F.linear(x, self.router)
        if self.noise_proj is not None:
            normals = torch.randn(logits.shape, generator=generator, dtype=x.dtype, device=x.device)
            noise, std = gate_noise(x, self.noise_proj, normals)
        scores, indices = top_k_gate(logits, c.k, self.bias, noise, self.training)
        weights = combine_weights(scores, indices, c.normalize)
        if c.capacity_factor is None:
            kept = torch.ones_like(indices, dtype=torch.bool)
        else:
            kept = drop_overflow(indices, c.num_experts, c.capacity_factor)
        return Routing(logits, scores, indices, weights, kept, std)

    def forward(
        self, residual: Float[Tensor, "B T D"], x: Float[Tensor, "B T D"], generator: torch.Generator | None = None
    ) -> tuple[Float[Tensor, "B T D"], Routing]:
        """The residual stream with the experts' outputs for x added."""
        routing = self.route(x, generator)
        rows = (part.flatten(0, 1) for part in (residual, x, routing.indices, routing.weights, routing.kept))
        return grouped_dispatch(*rows, self.experts, self.shared).view_as(x), routing


@dataclass(frozen=True)
class Config:
    """The sizes of a decoder. `moe_layers` are the numbers of the blocks that have experts; the others are dense.

    Raises:
        ValueError: a width that the heads do not divide, MoE blocks that are not there, or no mixture for them.
    """

    vocab_size: int
    d_model: int
    layers: int
    heads: int
    ffn: int  # of a dense block
    context: int
    moe: MoEConfig | None = None
    moe_layers: tuple[int, ...] = ()

    def __post_init__(self):
        if self.d_model % self.heads:
            raise ValueError(f"d_model={self.d_model}: must be a multiple of heads={self.heads}")
        if not set(self.moe_layers) <= set(range(self.layers)):
            raise ValueError(f"moe_layers={self.moe_layers}: the blocks are 0 to {self.layers - 1}")
        if self.moe_layers and (self.moe is None or self.moe.d_model != self.d_model):
            raise ValueError(f"moe={self.moe}: MoE blocks need a mixture of d_model={self.d_model}")


class Block(nn.Module):
    """Causal attention and a feed-forward layer, dense or a mixture. Each is added to the residual stream."""

    def __init__(self, config: Config, is_moe: bool):
        super().__init__()
        self.heads = config.heads
        self.attn_norm, self.ffn_norm = nn.RMSNorm(config.d_model), nn.RMSNorm(config.d_model)
        self.qkv_proj = nn.Linear(config.d_model, 3 * config.d_model, bias=False)
        self.o_proj = nn.Linear(config.d_model, config.d_model, bias=False)
        self.ffn = MoE(config.moe) if is_moe else FeedForward(config.d_model, config.ffn)

    def attend(self, x: Float[Tensor, "B T D"]) -> Float[Tensor, "B T D"]:
        q, k, v = self.qkv_proj(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # B H T D/H each
        return self.o_proj(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2))

    def forward(self, x: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Routing | None]:
        x = x + self.attend(self.attn_norm(x))
        normed = self.ffn_norm(x)
        if isinstance(self.ffn, MoE):
            return self.ffn(x, normed, generator)
        return x + self.ffn(normed), None


class Decoder(nn.Module):
    """Token ids -> logits, and the routing of each MoE block. The head is tied to the embedding."""

    def __init__(self, config: Config, seed: int = 0):
        super().__init__()
        self.config = config
        self.wte = nn.Embedding(config.vocab_size, config.d_model)
        self.wpe = nn.Embedding(config.context, config.d_model)
        self.blocks = nn.ModuleList(Block(config, layer in config.moe_layers) for layer in range(config.layers))
        self.norm = nn.RMSNorm(config.d_model)
        init_weights(self, torch.Generator().manual_seed(seed))

    def forward(
        self, tokens: Int[Tensor, "B T"], generator: torch.Generator | None = None
    ) -> tuple[Float[Tensor, "B T V"], list[Routing]]:
        x = self.wte(tokens) + self.wpe(torch.arange(tokens.shape[1], device=tokens.device))
        routings = []
        for block in self.blocks:
            x, routing = block(x, generator)
            if routing is not None:
                routings.append(routing)
        return F.linear(self.norm(x), self.wte.weight), routings


@torch.no_grad()
def init_weights(model: nn.Module, generator: torch.Generator) -> None:
    """Matrices: normal, of deviation 1/√inputs. Embeddings and routers: 0.02. Noise: left at zero."""
    for name, weight in model.named_parameters():
        if weight.ndim >= 2 and not name.endswith("noise_proj"):
            small = name.endswith(("wte.weight", "wpe.weight", "router"))
            weight.normal_(std=0.02 if small else weight.shape[-1] ** -0.5, generator=generator)
