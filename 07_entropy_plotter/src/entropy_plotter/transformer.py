"""A small causal transformer, trained on the spot, with a cache that can be cropped and reordered.

Its parts are the subject of projects 03 to 06. Here it only has to be a distribution of its own kind: smoother than an
n-gram's, and far less sure of itself than a large model's.

Dimensions:
    B   rows        T   tokens fed        Tk   tokens attended to
    H   heads       D   width of a head   C    width of the model      V   vocabulary
    N   tokens of the training text
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn


@dataclass(frozen=True)
class Config:
    """The sizes of a transformer."""

    vocab_size: int
    context_length: int = 64
    layers: int = 2
    heads: int = 4
    width: int = 128


class KVCache:
    """Keys and values of each layer."""

    def __init__(self):
        self.layers: dict[int, tuple[Tensor, Tensor]] = {}

    @property
    def position(self) -> int:
        return self.layers[0][0].shape[2] if self.layers else 0

    def update(self, layer: int, k: Float[Tensor, "B H T D"], v: Float[Tensor, "B H T D"]) -> tuple[Tensor, Tensor]:
        """Append, and return all that the layer holds."""
        if layer in self.layers:
            old_k, old_v = self.layers[layer]
            k, v = torch.cat((old_k, k), dim=2), torch.cat((old_v, v), dim=2)
        self.layers[layer] = (k, v)
        return k, v

    def crop(self, length: int) -> None:
        """Forget all but the first `length` tokens."""
        self.layers = {i: (k[:, :, :length], v[:, :, :length]) for i, (k, v) in self.layers.items()}

    def select(self, rows: Int[Tensor, "_"]) -> None:
        """Keep these rows, in this order."""
        self.layers = {i: (k[rows], v[rows]) for i, (k, v) in self.layers.items()}


class Block(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x))."""

    def __init__(self, config: Config):
        super().__init__()
        self.heads, C = config.heads, config.width
        self.ln_1, self.ln_2 = nn.LayerNorm(C), nn.LayerNorm(C)
        self.qkv_proj, self.o_proj = nn.Linear(C, 3 * C), nn.Linear(C, C)
        self.up_proj, self.down_proj = nn.Linear(C, 4 * C), nn.Linear(4 * C, C)

    def forward(self, x: Float[Tensor, "B T C"], layer: int, cache: KVCache | None) -> Float[Tensor, "B T C"]:
        B, T, C = x.shape
        qkv = self.qkv_proj(self.ln_1(x)).view(B, T, 3, self.heads, C // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each B H T D
        if cache is not None:
            k, v = cache.update(layer, k, v)  # B H Tk D
        Tk = k.shape[2]
        allowed = torch.ones(T, Tk, dtype=torch.bool, device=x.device).tril(Tk - T)
        attn_out = F.scaled_dot_product_attention(q, k, v, attn_mask=allowed)
        x = x + self.o_proj(attn_out.transpose(1, 2).flatten(2))
        return x + self.down_proj(F.gelu(self.up_proj(self.ln_2(x))))


class Transformer(nn.Module):
    """Token ids (B, T) to logits (B, T, V), with learned positions and a tied head."""

    def __init__(self, config: Config, seed: int = 0):
        super().__init__()
        self.config, self.vocab_size = config, config.vocab_size
        self.wte = nn.Embedding(config.vocab_size, config.width)
        self.wpe = nn.Embedding(config.context_length, config.width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.ln_f = nn.LayerNorm(config.width)
        generator = torch.Generator().manual_seed(seed)
        for name, p in self.named_parameters():
            if p.dim() == 2:
                into_residual = name.endswith(("o_proj.weight", "down_proj.weight"))
                nn.init.normal_(p, std=0.02 / (2 * config.layers) ** (0.5 * into_residual), generator=generator)
            elif name.endswith("bias"):
                nn.init.zeros_(p)

    def new_cache(self) -> KVCache:
        return KVCache()

    def hidden(self, tokens: Int[Tensor, "B T"], cache: KVCache | None = None) -> Float[Tensor, "B T C"]:
        """The last hidden states, before the head.

        Raises:
            ValueError: a position is beyond the context length.
        """
        start = 0 if cache is None else cache.position
        end = start + tokens.shape[1]
        if end > self.config.context_length:
            raise ValueError(f"tokens={end}: the model has {self.config.context_length} positions; give a shorter text")
        x = self.wte(tokens) + self.wpe.weight[start:end]
        for layer, block in enumerate(self.blocks):
            x = block(x, layer, cache)
        return self.ln_f(x)

    def forward(self, tokens: Int[Tensor, "B T"], cache: KVCache | None = None) -> Float[Tensor, "B T V"]:
        return F.linear(self.hidden(tokens, cache), self.wte.weight)


def windows(tokens: Int[Tensor, "N"], rows: int, length: int, generator: torch.Generator) -> Int[Tensor, "B T"]:
    """Random pieces of a text.

    Raises:
        ValueError: the text is shorter than a piece.
    """
    if len(tokens) < length:
        raise ValueError(f"tokens={len(tokens)}: shorter than a piece of {length}; give more text")
    starts = torch.randint(len(tokens) - length + 1, (rows, 1), generator=generator)
    return tokens[starts + torch.arange(length)]


def train(
    model: Transformer,
    batch: Callable[[torch.Generator], Int[Tensor, "B T"]],
    steps: int,
    lr: int | float = 3e-3,
    seed: int = 0,
    log: Callable[[str], None] = lambda line: None,
) -> float:
    """Next-token training with AdamW, warm-up and a cosine to zero; returns the mean loss of the last tenth, in nats.

    `batch(generator)` gives rows of tokens. Every token but the first is a target.
    """
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, betas=(0.9, 0.99), weight_decay=0.01)
    warm_up = max(1, steps // 20)
    schedule = torch.optim.lr_scheduler.SequentialLR(
        optimizer,
        [
            torch.optim.lr_scheduler.LinearLR(optimizer, 1 / warm_up, total_iters=warm_up),
            torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, steps - warm_up)),
        ],
        [warm_up],
    )
    losses = []
    for step in range(steps):
        rows = batch(generator)
        logits = model(rows[:, :-1])
        loss = F.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        log(f"step {step + 1} of {steps}: loss {losses[-1]:.2f} nats")
    last = losses[-max(1, steps // 10) :]
    return sum(last) / len(last)
