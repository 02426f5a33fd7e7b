"""Characters of a text as ids: eight parts in the order of the text. Every tenth block of a part is for testing."""

from collections import Counter
from dataclasses import dataclass

import torch
from torch import Tensor

from ..arena import SpecialTokens
from .fetch import load_text

PARTS = 8
SEEN_AT_LEAST = 20  # times; rarer characters are left out
BLOCK = 1024  # characters


@dataclass(frozen=True)
class Corpus:
    """Training and test ids of each part, the characters, and the ids of the special tokens."""

    characters: str
    train: list[Tensor]
    test: list[Tensor]

    @property
    def special(self) -> SpecialTokens:
        return SpecialTokens(len(self.characters))

    @property
    def text(self) -> Tensor:
        return torch.cat(self.train)

    def show(self, ids: Tensor) -> str:
        """Ids as characters; special tokens as ⟨n⟩."""
        first = len(self.characters)
        return "".join(self.characters[i] if i < first else f"⟨{i - first}⟩" for i in ids.tolist())


def load(name: str = "pydoc") -> Corpus:
    """The corpus of a text.

    Raises:
        ValueError: too short a text.
    """
    text = load_text(name)
    if len(text) < 100_000:
        raise ValueError(f"data={name!r}: {len(text)} characters; choose a text of 100,000 or more")
    counts = Counter(text)
    characters = "".join(sorted(c for c, n in counts.items() if n >= SEEN_AT_LEAST))
    index = {c: i for i, c in enumerate(characters)}
    ids = torch.tensor([index[c] for c in text if c in index])
    train, test = [], []
    for part in ids.chunk(PARTS):
        blocks = part.split(BLOCK)
        test.append(torch.cat(blocks[5::10]))
        train.append(torch.cat([block for i, block in enumerate(blocks) if i % 10 != 5]))
    return Corpus(characters, train, test)
