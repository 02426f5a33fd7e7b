"""A small transformer encoder that says whether a sentence is positive, and its tokens.

Dimensions:
    B sentences   T tokens   W width
"""

import re
import zipfile
from collections import Counter
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

PAD, UNKNOWN = 0, 1


def read_polarity(path: Path | str) -> tuple[list[str], list[int]]:
    """The sentences of the archive and their labels: 1 is positive.

    Raises:
        ValueError: the archive has no such files.
    """
    with zipfile.ZipFile(path) as archive:
        names = {
            label: [n for n in archive.namelist() if n.endswith(f"rt-polarity.{label}")] for label in ("neg", "pos")
        }
        if not all(names.values()):
            raise ValueError(f"{path}: has no rt-polarity.neg and rt-polarity.pos; get sentence_polarity.zip again")
        lines = {label: archive.read(found[0]).decode("latin-1").splitlines() for label, found in names.items()}
    return lines["neg"] + lines["pos"], [0] * len(lines["neg"]) + [1] * len(lines["pos"])


def words(sentence: str) -> list[str]:
    """Lower-case words and marks."""
    return re.findall(r"[a-z']+|[^\sa-z']", sentence.lower())


def vocabulary(sentences: list[str], most: int = 6_000) -> dict[str, int]:
    """Ids of the most frequent words; 0 is padding and 1 an unknown word."""
    counts = Counter(word for sentence in sentences for word in words(sentence))
    return {word: i for i, (word, _) in enumerate(counts.most_common(most), start=2)}


def encode(sentences: list[str], ids: dict[str, int], length: int = 32) -> Int[Tensor, "B T"]:
    """Ids of the first `length` words, padded at the right."""
    rows = [[ids.get(word, UNKNOWN) for word in words(s)[:length]] for s in sentences]
    return torch.tensor([row + [PAD] * (length - len(row)) for row in rows])


class Encoder(nn.Module):
    """Embedding, layers of attention and feed-forward, the mean over the words, two logits."""

    def __init__(self, vocab_size: int, width: int, layers: int, heads: int = 4, length: int = 32, seed: int = 0):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.wte, self.wpe = nn.Embedding(vocab_size, width, padding_idx=PAD), nn.Embedding(length, width)
            nn.init.normal_(self.wte.weight, std=0.1), nn.init.normal_(self.wpe.weight, std=0.02)
            self.dropout = nn.Dropout(0.3)
            self.layers = nn.ModuleList(
                nn.TransformerEncoderLayer(width, heads, 4 * width, dropout=0.2, batch_first=True, norm_first=True)
                for _ in range(layers)
            )
            self.head = nn.Linear(width, 2)

    def forward(self, tokens: Int[Tensor, "B T"]) -> Float[Tensor, "B 2"]:
        padding = tokens == PAD
        x = self.dropout(self.wte(tokens) + self.wpe.weight)
        for layer in self.layers:
            x = layer(x, src_key_padding_mask=padding)
        real = (~padding)[..., None]
        return self.head((x * real).sum(1) / real.sum(1).clamp(min=1))
