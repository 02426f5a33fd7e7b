"""Sentence polarity (Pang and Lee 2005): 10,662 sentences of film reviews, positive or negative, as word ids."""

import random
import zipfile
from collections import Counter
from dataclasses import dataclass

import torch
from torch import Tensor

from ..bert.finetune import SPECIAL, UNK
from .catalogue import POLARITY
from .fetch import fetch

TEST = 2000
SEEN_AT_LEAST = 2  # times in the training sentences


@dataclass(frozen=True)
class Reviews:
    """Training and test sentences as lists of ids, with their labels (1 is positive)."""

    words: list[str]
    train: list[list[int]]
    train_labels: Tensor
    test: list[list[int]]
    test_labels: list[int]

    @property
    def vocab_size(self) -> int:
        return SPECIAL + len(self.words)


def load_reviews() -> Reviews:
    """The reviews, shuffled once and for all, with 2,000 for testing.

    Raises:
        OSError: the file is not on this machine and cannot be downloaded.
        ValueError: it is another file than expected.
    """
    rows = []
    with zipfile.ZipFile(fetch(POLARITY)) as file:
        for name, label in (("pos", 1), ("neg", 0)):
            text = file.read(f"sentence_polarity/rt-polarity.{name}").decode("latin-1")
            rows += [(line.split(), label) for line in text.splitlines() if line.strip()]
    random.Random(0).shuffle(rows)
    test, train = rows[:TEST], rows[TEST:]
    counts = Counter(word for sentence, _ in train for word in sentence)
    words = sorted(word for word, n in counts.items() if n >= SEEN_AT_LEAST)
    index = {word: SPECIAL + i for i, word in enumerate(words)}

    def ids(part: list) -> list[list[int]]:
        return [[index.get(word, UNK) for word in sentence] for sentence, _ in part]

    labels = torch.tensor([label for _, label in train])
    return Reviews(words, ids(train), labels, ids(test), [label for _, label in test])
