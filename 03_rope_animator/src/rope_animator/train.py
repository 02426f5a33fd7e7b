"""Train a tiny model at one length; measure it at any."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from .extend import Scaled
from .model import Config, TinyLM
from .text import Corpus


@dataclass(frozen=True)
class Training:
    """The recipe, the same for every scheme."""

    steps: int = 400
    batch: int = 24
    rate: float = 4e-3
    warmup: int = 20
    seed: int = 0
    device: str = "cpu"

    def rate_at(self, step: int) -> float:
        """Share of the top rate: a linear rise, then a cosine down to nothing."""
        rise = (step + 1) / self.warmup
        return min(rise, 0.5 * (1 + math.cos(math.pi * step / self.steps)))


def windows(ids: Int[Tensor, "N"], count: int, length: int, g: torch.Generator) -> tuple[Tensor, Tensor]:
    """Random windows and, one to the right, what each character should predict."""
    start = torch.randint(len(ids) - length, (count, 1), generator=g) + torch.arange(length + 1)
    return ids[start[:, :-1]], ids[start[:, 1:]]


def train(config: Config, training: Training, corpus: Corpus) -> TinyLM:
    """A trained model. The seed fixes the weights and the order of the windows, alike for every scheme."""
    torch.manual_seed(training.seed)
    model = TinyLM(config).to(training.device)
    g = torch.Generator().manual_seed(training.seed)
    optimiser = torch.optim.AdamW(model.parameters(), lr=training.rate, betas=(0.9, 0.95), weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, training.rate_at)
    for _ in range(training.steps):
        x, y = (t.to(training.device) for t in windows(corpus.train, training.batch, config.length, g))
        loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten())
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    return model


@torch.no_grad()
def loss_by_position(
    model: TinyLM, corpus: Corpus, length: int, characters: int = 16_384, scaled: Scaled | None = None
) -> Float[Tensor, "T"]:
    """Mean loss in nats at each position of windows of `length`.

    The same stretch of validation text whatever the length, cut into longer or shorter windows, so that the lengths
    differ in context and in nothing else.
    """
    count = max(1, min(characters, len(corpus.valid) - 1) // length)
    device = model.embedding.weight.device
    x, y = (corpus.valid[i : i + count * length].view(count, length).to(device) for i in (0, 1))
    losses = [
        F.cross_entropy(model(a, scaled).flatten(0, 1), b.flatten(), reduction="none").view(-1, length)
        for a, b in zip(x.split(max(1, 4096 // length)), y.split(max(1, 4096 // length)), strict=True)
    ]
    return torch.cat(losses).mean(0).cpu()
