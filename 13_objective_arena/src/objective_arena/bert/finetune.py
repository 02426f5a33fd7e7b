"""Pre-train on sentences without labels, then fine-tune on a few with labels.

Dimensions:
    B sentences, T tokens, D width
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from ..masked import mask_tokens
from .encoder import Bert, pretraining_loss
from .pairs import pack, sentence_pair

PAD, UNK, CLS, SEP, MASK = range(5)
SPECIAL = 5  # ids below it are special


@dataclass(frozen=True)
class Sentences:
    """Padded sentences: ids, which of them are tokens, and token types."""

    ids: Int[Tensor, "N T"]
    attention_mask: Bool[Tensor, "N T"]
    token_types: Int[Tensor, "N T"]

    def rows(self, index: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Some sentences, cut behind the longest of them."""
        longest = int(self.attention_mask[index].sum(1).max())
        return tuple(x[index, :longest] for x in (self.ids, self.attention_mask, self.token_types))


def padded(rows: list[tuple[list[int], list[int]]], max_len: int) -> Sentences:
    """Sentences from (ids, token types), cut at `max_len`."""
    ids, types = torch.full((len(rows), max_len), PAD), torch.zeros(len(rows), max_len, dtype=torch.int64)
    for i, (row, kinds) in enumerate(rows):
        n = min(len(row), max_len)
        ids[i, :n], types[i, :n] = torch.tensor(row[:n]), torch.tensor(kinds[:n])
    return Sentences(ids, ids != PAD, types)


def single(sentences: list[list[int]], max_len: int) -> Sentences:
    """[CLS] sentence [SEP]."""
    cut = [[CLS, *s[: max_len - 2], SEP] for s in sentences]
    return padded([(row, [0] * len(row)) for row in cut], max_len)


def pairs(documents: list[list[list[int]]], max_len: int, generator: torch.Generator) -> tuple[Sentences, Tensor]:
    """One pair for each sentence that has a next one, and the labels of next-sentence prediction."""
    rows, labels = [], []
    for d, document in enumerate(documents):
        for s in range(len(document) - 1):
            a, b, label = sentence_pair(documents, d, s, torch.rand(3, generator=generator).tolist())
            rows.append(pack(a, b, CLS, SEP, max_len))
            labels.append(label)
    return padded(rows, max_len), torch.tensor(labels)


def pretrain(
    bert: Bert,
    sentences: Sentences,
    steps: int,
    next_labels: Tensor | None = None,
    B: int = 32,
    lr: float = 2e-3,
    probability: float = 0.15,
    seed: int = 0,
    log: Callable[[str], None] = lambda line: None,
) -> list[float]:
    """Train with masked tokens, and sentence pairs where there are labels. Returns the losses."""
    generator, special, losses = torch.Generator().manual_seed(seed), torch.arange(SPECIAL), []
    optimizer = torch.optim.AdamW(bert.parameters(), lr, (0.9, 0.98), weight_decay=0.01)
    bert.train()
    torch.manual_seed(seed)  # of dropout
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = lr * min((step + 1) / max(1, steps // 10), (steps - step) / steps * 1.1)
        index = torch.randint(len(sentences.ids), (B,), generator=generator)
        ids, mask, types = sentences.rows(index)
        uniforms = torch.rand(3, *ids.shape, generator=generator)
        inputs, labels = mask_tokens(ids, special, MASK, bert.config.vocab_size, uniforms, probability)
        loss = pretraining_loss(bert, inputs, mask, types, labels, None if next_labels is None else next_labels[index])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if step % 200 == 0:
            log(f"pre-training, step {step} of {steps}: loss {loss:.2f}")
    return losses


class Classifier(nn.Module):
    """An encoder and a linear layer on its pooled [CLS]."""

    def __init__(self, bert: Bert, classes: int = 2, seed: int = 0):
        super().__init__()
        self.bert, self.dropout = copy.deepcopy(bert), nn.Dropout(bert.config.dropout)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.head = nn.Linear(bert.config.d_model, classes)

    def forward(
        self, ids: Int[Tensor, "B T"], attention_mask: Bool[Tensor, "B T"], token_types: Int[Tensor, "B T"]
    ) -> Float[Tensor, "B C"]:
        return self.head(self.dropout(self.bert.pooled(self.bert(ids, attention_mask, token_types))))


def finetune(
    model: nn.Module,
    sentences: Sentences,
    labels: Int[Tensor, " N"],
    epochs: int,
    B: int = 32,
    lr: float = 1e-3,
    seed: int = 0,
) -> nn.Module:
    """Train the whole model on labelled sentences; the learning rate falls to zero."""
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)  # of dropout
    optimizer = torch.optim.AdamW(model.parameters(), lr, weight_decay=0.01)
    batches = -(-len(labels) // B)
    model.train()
    for epoch in range(epochs):
        for i, index in enumerate(torch.randperm(len(labels), generator=generator).split(B)):
            optimizer.param_groups[0]["lr"] = lr * (1 - (epoch * batches + i) / (epochs * batches))
            loss = F.cross_entropy(model(*sentences.rows(index)), labels[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model


@torch.no_grad()
def predict(model: nn.Module, sentences: Sentences, B: int = 128) -> list[int]:
    """The class of each sentence."""
    model.eval()
    index = torch.arange(len(sentences.ids)).split(B)
    return torch.cat([model(*sentences.rows(i)).argmax(-1) for i in index]).tolist()
