"""Train a small model at one length, and measure it at any length."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from ..extend import RopeScaling
from .corpus import Corpus
from .model import Config, TinyLM


@dataclass(frozen=True)
class Training:
    """The recipe, the same for every scheme."""

    steps: int = 400
    batch_size: int = 24
    lr: float = 4e-3
    warmup_steps: int = 20
    seed: int = 0
    device: str = "cpu"

    def lr_factor(self, step: int) -> float:
        """Share of the highest learning rate: a linear rise, then a cosine down to zero."""
        rise = (step + 1) / self.warmup_steps
        return min(rise, 0.5 * (1 + math.cos(math.pi * step / self.steps)))


def batch(ids: Int[Tensor, "N"], size: int, length: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Random pieces of a text, and for each character the one that follows it."""
    starts = torch.randint(len(ids) - length, (size, 1), generator=generator)
    index = starts + torch.arange(length + 1)  # size, length + 1
    return ids[index[:, :-1]], ids[index[:, 1:]]


def train(config: Config, training: Training, corpus: Corpus) -> TinyLM:
    """A trained model. The seed decides the weights and the order of the batches, for every scheme alike.

    Raises:
        ValueError: the text is too short for one batch, or the training diverges.
    """
    if len(corpus.train) <= config.trained_len:
        raise ValueError(
            f"data={len(corpus.train)} characters for training, and one text has {config.trained_len + 1}; use more"
        )
    torch.manual_seed(training.seed)
    model = TinyLM(config).to(training.device)
    generator = torch.Generator().manual_seed(training.seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=training.lr, betas=(0.9, 0.95), weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, training.lr_factor)
    for step in range(training.steps):
        x, y = batch(corpus.train, training.batch_size, config.trained_len, generator)
        logits = model(x.to(training.device))
        loss = F.cross_entropy(logits.flatten(0, 1), y.to(training.device).flatten())
        if not loss.isfinite():
            raise ValueError(f"loss={loss.item()} at step {step}: the training diverged; use a smaller lr")
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    return model


@torch.no_grad()
def loss_by_position(
    model: TinyLM, corpus: Corpus, seq_len: int, characters: int = 16_384, scaling: RopeScaling | None = None
) -> Float[Tensor, "T"]:
    """Mean loss in nats at each position of texts of `seq_len` characters.

    The validation text is the same for every length. It is cut into longer or shorter texts, so that the lengths
    differ in context only.

    Raises:
        ValueError: the validation text is shorter than one text.
    """
    if len(corpus.valid) <= seq_len:
        raise ValueError(
            f"data={len(corpus.valid)} characters for validation: one text has {seq_len + 1}; use a longer text"
        )
    count = max(1, min(characters, len(corpus.valid) - 1) // seq_len)
    device = model.wte.weight.device
    x = corpus.valid[: count * seq_len].view(count, seq_len).to(device)
    y = corpus.valid[1 : 1 + count * seq_len].view(count, seq_len).to(device)
    rows = max(1, 4096 // seq_len)
    losses = []
    for tokens, targets in zip(x.split(rows), y.split(rows), strict=True):
        logits = model(tokens, scaling)
        losses.append(F.cross_entropy(logits.transpose(1, 2), targets, reduction="none"))
    return torch.cat(losses).mean(0).cpu()
