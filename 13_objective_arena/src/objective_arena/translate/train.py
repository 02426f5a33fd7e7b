"""Pairs as ids, and training by teacher forcing.

Dimensions:
    B pairs, S source tokens, T target tokens
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .model import Translator, TranslatorConfig

PAD, BOS, EOS, UNK = range(4)


@dataclass(frozen=True)
class Vocabulary:
    """Words of both languages in one list; rare ones are unknown."""

    words: list[str]

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]], at_least: int = 1) -> "Vocabulary":
        counts = Counter(word for pair in pairs for text in pair for word in text.split())
        return cls(["<pad>", "<bos>", "<eos>", "<unk>", *sorted(w for w, n in counts.items() if n >= at_least)])

    def encode(self, texts: list[str]) -> Tensor:
        """Padded ids, each text with its end."""
        index = {word: i for i, word in enumerate(self.words)}
        rows = [[*(index.get(word, UNK) for word in text.split()), EOS] for text in texts]
        longest = max(map(len, rows))
        return torch.tensor([row + [PAD] * (longest - len(row)) for row in rows])

    def decode(self, ids: list[int]) -> str:
        return " ".join(self.words[i] for i in ids)


def train_translator(
    pairs: list[tuple[str, str]],
    vocabulary: Vocabulary,
    steps: int,
    B: int = 64,
    lr: float = 3e-3,
    label_smoothing: float = 0.1,
    seed: int = 0,
    max_len: int = 32,
    log: Callable[[str], None] = lambda line: None,
) -> tuple[Translator, list[float]]:
    """A translator from the first to the second language of the pairs, and its losses."""
    generator, losses = torch.Generator().manual_seed(seed), []
    model = Translator(TranslatorConfig(len(vocabulary.words), max_len=max_len), seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr, (0.9, 0.98), weight_decay=0.01)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = lr * min((step + 1) / max(1, steps // 10), (steps - step) / steps * 1.1)
        chosen = [pairs[i] for i in torch.randint(len(pairs), (B,), generator=generator).tolist()]
        source, target = (vocabulary.encode(list(texts)) for texts in zip(*chosen, strict=True))
        labels = target.masked_fill(target == PAD, -100)
        logits = model(source, labels)
        loss = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), label_smoothing=label_smoothing)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if step % 100 == 0:
            log(f"translation, step {step} of {steps}: loss {loss:.2f}")
    return model, losses
