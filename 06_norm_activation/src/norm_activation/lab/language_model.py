"""A small causal language model in which the norm and the feed-forward layer can be chosen. The rest stays the same.

Pre-norm blocks, learned positions, tied embeddings, no biases. With D divisible by 3, a gated layer of width 8D/3 has
exactly the weights of an ordinary one of width 4D.

Dimensions: B batch, T time, D width, V vocabulary.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..batch_norm import batch_norm
from ..gated import swiglu_width
from ..norms_fast import layer_norm_fast, rms_norm_fast

NORMS = ("layer", "rms", "batch")
MLPS = ("relu", "gelu", "relu²", "swiglu", "geglu")


@dataclass(frozen=True)
class Config:
    norm: str = "layer"
    mlp: str = "gelu"
    vocab_size: int = 96
    context_length: int = 64
    layers: int = 2
    heads: int = 4
    width: int = 96


class Norm(nn.Module):
    """LayerNorm, RMSNorm, or BatchNorm over all positions of all texts of the batch."""

    def __init__(self, kind: str, width: int):
        super().__init__()
        self.kind = kind
        self.weight, self.bias = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))
        self.register_buffer("running_mean", torch.zeros(width))
        self.register_buffer("running_var", torch.ones(width))

    def forward(self, x: Float[Tensor, "B T D"]) -> Float[Tensor, "B T D"]:
        if self.kind == "rms":
            return rms_norm_fast(x, self.weight)
        if self.kind == "layer":
            return layer_norm_fast(x, self.weight, self.bias)
        rows, statistics = x.flatten(0, 1), (self.running_mean, self.running_var)
        y, mean, var = batch_norm(rows, self.weight, self.bias, *statistics, self.training)
        self.running_mean, self.running_var = mean.detach(), var.detach()
        return y.view_as(x)


class MLP(nn.Module):
    """An ordinary layer of width 4D, or a gated one of width 8D/3."""

    def __init__(self, kind: str, width: int):
        super().__init__()
        self.kind, gated = kind, kind in ("swiglu", "geglu")
        hidden = swiglu_width(width) if gated else 4 * width
        self.up_proj = nn.Linear(width, hidden, bias=False)
        self.gate_proj = nn.Linear(width, hidden, bias=False) if gated else None
        self.down_proj = nn.Linear(hidden, width, bias=False)

    def forward(self, x: Float[Tensor, "B T D"]) -> Float[Tensor, "B T D"]:
        up = self.up_proj(x)
        if self.gate_proj is not None:
            activation = F.silu if self.kind == "swiglu" else F.gelu
            return self.down_proj(activation(self.gate_proj(x)) * up)
        return self.down_proj({"relu": F.relu, "gelu": F.gelu, "relu²": lambda x: F.relu(x).square()}[self.kind](up))


class Block(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x))."""

    def __init__(self, config: Config):
        super().__init__()
        self.heads = config.heads
        self.norm_1, self.norm_2 = Norm(config.norm, config.width), Norm(config.norm, config.width)
        self.qkv_proj = nn.Linear(config.width, 3 * config.width, bias=False)
        self.o_proj = nn.Linear(config.width, config.width, bias=False)
        self.mlp = MLP(config.mlp, config.width)

    def forward(self, x: Float[Tensor, "B T D"]) -> Float[Tensor, "B T D"]:
        q, k, v = self.qkv_proj(self.norm_1(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        attn_out = F.scaled_dot_product_attention(q, k, v, is_causal=True)  # B H T D/H
        x = x + self.o_proj(attn_out.transpose(1, 2).flatten(2))
        return x + self.mlp(self.norm_2(x))


class LanguageModel(nn.Module):
    def __init__(self, config: Config, seed: int):
        super().__init__()
        self.config = config
        self.wte = nn.Embedding(config.vocab_size, config.width)
        self.wpe = nn.Embedding(config.context_length, config.width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = Norm(config.norm, config.width)
        generator = torch.Generator().manual_seed(seed)
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2:
                last = name.endswith(("o_proj.weight", "down_proj.weight"))
                nn.init.normal_(
                    parameter, std=0.05 / (math.sqrt(2 * config.layers) if last else 1), generator=generator
                )

    def forward(self, tokens: Int[Tensor, "B T"]) -> Float[Tensor, "B T V"]:
        x = self.wte(tokens) + self.wpe.weight[: tokens.shape[1]]
        for block in self.blocks:
            x = block(x)
        return self.norm(x) @ self.wte.weight.T

    def weights(self) -> int:
        """The matrices' weights. Norms are left out, so that an unused bias is not counted."""
        return sum(p.numel() for p in self.parameters() if p.ndim == 2)


# -- text, training, evaluation ----------------------------------------------------------------------------------------


def encode(text: str) -> tuple[Int[Tensor, " n"], int]:
    """Printable characters and the newline as numbers 0 to 95; whatever else there is becomes a space."""
    codes = [95 if c == "\n" else ord(c) - 32 if " " <= c <= "~" else 0 for c in text]
    return torch.tensor(codes), 96


def windows(
    tokens: Int[Tensor, " n"], rows: int, length: int, generator: torch.Generator
) -> Int[Tensor, "rows length"]:
    starts = torch.randint(len(tokens) - length, (rows,), generator=generator)
    return tokens[starts[:, None] + torch.arange(length)]


def loss_of(model: LanguageModel, batch: Int[Tensor, "B T1"]) -> Float[Tensor, ""]:
    """Nats a character."""
    logits = model(batch[:, :-1])
    return F.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())


def train(
    config: Config, tokens: Int[Tensor, " n"], steps: int, seed: int, batch_size: int = 16, lr: float = 3e-3
) -> tuple[LanguageModel, list[float]]:
    """Adam with warm-up and a cosine. Every configuration of a seed sees the same batches."""
    model, generator = LanguageModel(config, seed), torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr, betas=(0.9, 0.98), weight_decay=0.0, foreach=True)
    losses, warm = [], max(1, steps // 20)
    for step in range(steps):
        cosine = 0.5 * (1 + math.cos(math.pi * step / steps))
        optimizer.param_groups[0]["lr"] = lr * min(1, (step + 1) / warm) * cosine
        loss = loss_of(model, windows(tokens, batch_size, config.context_length + 1, generator))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0, foreach=True)
        optimizer.step()
        losses.append(loss.item())
    return model, losses


@torch.no_grad()
def evaluate(model: LanguageModel, tokens: Int[Tensor, " n"], rows: int = 64, batch_size: int | None = None) -> float:
    """Loss on unseen windows, the same for every model, in the mode that the model is in."""
    generator = torch.Generator().manual_seed(12345)
    batch = windows(tokens, rows, model.config.context_length + 1, generator)
    parts = batch.split(batch_size or rows)
    return sum(loss_of(model, part).item() * len(part) for part in parts) / rows


@torch.no_grad()
def leak(model: Callable[[Tensor], Tensor], tokens: Int[Tensor, "B T"], vocab_size: int) -> float:
    """How far the logits of EARLIER positions move when only the last token of each text changes. Causal models: 0."""
    other = tokens.clone()
    other[:, -1] = (tokens[:, -1] + 7) % vocab_size
    return float((model(tokens) - model(other))[:, :-1].abs().max())
