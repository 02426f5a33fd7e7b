"""Training and scoring of the classifier and of the translator.

Dimensions:
    B   sequences in a batch
    T   positions of the target, S of the source
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Int
from torch import Tensor

from ..model import EncoderClassifier, EncoderDecoder
from .sentiment import sentiment_batch
from .translation import END, PAD, START, TARGET_LENGTH, translation_batch


def train_classifier(
    model: EncoderClassifier, steps: int, seed: int, lr: float = 3e-3, batch_size: int = 32
) -> list[float]:
    """Fresh reviews at every step; the loss of each step."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    losses = []
    for _ in range(steps):
        tokens, attention_mask, labels = sentiment_batch(batch_size, generator)
        loss = F.cross_entropy(model(tokens, attention_mask), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@torch.no_grad()
def accuracy(model: EncoderClassifier, seed: int, size: int = 500) -> float:
    """The share of unseen reviews that are classified rightly."""
    tokens, attention_mask, labels = sentiment_batch(size, torch.Generator().manual_seed(seed))
    return float((model(tokens, attention_mask).argmax(dim=-1) == labels).float().mean())


def train_translator(
    model: EncoderDecoder, steps: int, seed: int, lr: float = 3e-3, batch_size: int = 32
) -> list[float]:
    """Teacher forcing: the decoder reads the right words so far, and predicts the next one."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    losses = []
    for _ in range(steps):
        source, source_mask, target = translation_batch(batch_size, generator)
        logits = model(source, target[:, :-1], source_mask)  # B T V
        loss = F.cross_entropy(logits.flatten(0, 1), target[:, 1:].flatten(), ignore_index=PAD)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@torch.no_grad()
def translate(
    model: EncoderDecoder, source: Int[Tensor, "B S"], source_mask: Bool[Tensor, "B S"]
) -> Int[Tensor, "B T"]:
    """Greedy translations: START, words, END, then padding."""
    memory = model.encoder(source, source_mask)
    target = torch.full((source.shape[0], 1), START)
    for _ in range(TARGET_LENGTH - 1):
        word = model.decode(target, memory, source_mask)[:, -1:].argmax(dim=-1)  # B 1
        ended = (target == END).any(dim=1, keepdim=True)
        target = torch.cat([target, word.masked_fill(ended, PAD)], dim=1)
    return target
