"""Training a small model of bytes: the windows, the schedule, the loss on unseen text.

Dimensions:
    B   sequences in a batch
    T   positions
"""

from collections.abc import Callable

import torch
from jaxtyping import Int
from torch import Tensor, nn

from ..config import Config
from ..model import GPT
from ..signal import next_token_loss

LENGTH = 32


def letters(text: str) -> tuple[Int[Tensor, "N"], int]:
    """(tokens, vocabulary size): each character of the text that is ASCII, lower case, by its rank.

    Raises:
        ValueError: the text is too short to train on.
    """
    kept = [character for character in text.lower() if character.isascii()]
    if len(kept) < 20_000:
        raise ValueError(f"text={len(kept)} characters: at least 20,000 are needed; give a longer text")
    vocabulary = {character: i for i, character in enumerate(sorted(set(kept)))}
    return torch.tensor([vocabulary[character] for character in kept]), len(vocabulary)


def windows(tokens: Int[Tensor, "N"], size: int, generator: torch.Generator) -> Int[Tensor, "B T"]:
    """`size` pieces of the text, each with one more token than LENGTH."""
    starts = torch.randint(len(tokens) - LENGTH, (size,), generator=generator)
    return tokens[starts[:, None] + torch.arange(LENGTH + 1)]


def unigram_loss(tokens: Int[Tensor, "N"]) -> float:
    """The loss of a model that knows how often each character occurs, and nothing else."""
    share = tokens.bincount() / len(tokens)
    return float(torch.special.entr(share.double()).sum())


def train(
    model: nn.Module, tokens: Int[Tensor, "N"], steps: int, seed: int, lr: float, warmup: int = 0, batch_size: int = 16
) -> list[float]:
    """Adam at a constant rate, after `warmup` steps of a linear rise; the loss of each step."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr, foreach=True)  # the same numbers in less time
    losses = []
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = lr * min(1.0, (step + 1) / warmup) if warmup else lr
        loss = next_token_loss(model, windows(tokens, batch_size, generator))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@torch.no_grad()
def unseen_loss(model: nn.Module, tokens: Int[Tensor, "N"], size: int = 64) -> float:
    """The loss on fixed windows of the last tenth of the text, which is not trained on."""
    model.eval()
    loss = next_token_loss(model, windows(tokens[-len(tokens) // 10 :], size, torch.Generator().manual_seed(99)))
    model.train()
    return loss.item()


def with_blocks(config: Config, make: Callable[[Config], nn.Module], seed: int) -> GPT:
    """A GPT whose blocks are of another kind."""
    torch.manual_seed(seed)
    model = GPT(config)
    nn.init.normal_(model.wte.weight, std=0.02)
    nn.init.normal_(model.wpe.weight, std=0.02)
    model.blocks = nn.ModuleList(make(config) for _ in range(config.layers))
    return model
