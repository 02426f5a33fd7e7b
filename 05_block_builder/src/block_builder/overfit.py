"""The first test of any model: can it learn one text by heart, and recite it?

Dimensions:
    B   sequences in a batch
    T   positions
    N   positions and new ones
    V   tokens in the vocabulary
"""

import torch
from jaxtyping import Int
from torch import Tensor

from .model import GPT
from .signal import next_token_loss

RHYME = "The block adds to the stream and never replaces it; what was written stays for all who read later.\n"


def encode(text: str, vocabulary: str) -> Int[Tensor, "1 T"]:
    """Each character's place in the vocabulary.

    Raises:
        ValueError: a character is not in the vocabulary.
    """
    if unknown := sorted(set(text) - set(vocabulary)):
        raise ValueError(f"text={unknown[0]!r}: the vocabulary lacks this character; add it, or leave it out")
    return torch.tensor([[vocabulary.index(character) for character in text]])


def decode(tokens: Int[Tensor, "1 T"], vocabulary: str) -> str:
    """The characters of the tokens."""
    return "".join(vocabulary[token] for token in tokens[0].tolist())


def memorize(model: GPT, tokens: Int[Tensor, "B T"], steps: int = 150, lr: float = 3e-3) -> list[float]:
    """Train on the same tokens again and again; the loss of every step, in nats."""
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    model.train()
    losses = []
    for _ in range(steps):
        loss = next_token_loss(model, tokens)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@torch.no_grad()
def recite(model: GPT, tokens: Int[Tensor, "B T"], max_new_tokens: int) -> Int[Tensor, "B N"]:
    """The tokens, and the most probable next ones. There is no cache: project 08 adds it."""
    model.eval()
    for _ in range(max_new_tokens):
        logits = model(tokens[:, -model.config.context_length :])  # B T V
        tokens = torch.cat([tokens, logits[:, -1:].argmax(dim=-1)], dim=1)
    return tokens
