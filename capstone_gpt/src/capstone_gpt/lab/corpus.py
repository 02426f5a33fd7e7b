"""The text of an experiment as characters, cut into windows."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..data import CharTokenizer, windows
from .fetch import load_text

SEQ_LEN = 64


@dataclass(frozen=True)
class Corpus:
    tokenizer: CharTokenizer
    tokens: Tensor
    train: tuple[Tensor, Tensor]
    valid: tuple[Tensor, Tensor]

    @property
    def vocab_size(self) -> int:
        return self.tokenizer.vocab_size

    @property
    def train_tokens(self) -> Tensor:
        return self.tokens[: int(len(self.tokens) * 0.9)]

    @property
    def valid_tokens(self) -> Tensor:
        return self.tokens[int(len(self.tokens) * 0.9) :]


def corpus(data: str, quick: bool = False) -> Corpus:
    """The named text; 30,000 characters of it in a quick run."""
    text = load_text(data)
    text = text[:30_000] if quick else text
    tokenizer = CharTokenizer(text)
    tokens = torch.tensor(tokenizer.encode(text))
    return Corpus(tokenizer, tokens, windows(tokens, SEQ_LEN), windows(tokens, SEQ_LEN, "valid"))
