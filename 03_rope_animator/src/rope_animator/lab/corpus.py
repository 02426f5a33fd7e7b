"""A text as characters, for the small language models."""

from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from .fetch import load_text


class Corpus(NamedTuple):
    """Characters as integers. The last tenth is for validation."""

    train: Int[Tensor, "N"]
    valid: Int[Tensor, "M"]
    vocab: str


def load_corpus(name: str = "pydoc") -> Corpus:
    """The text of this name, or of this path, as a corpus."""
    return encode(load_text(name))


def encode(text: str) -> Corpus:
    """Split a text 9 to 1 and number its characters.

    A character that only the validation part has is counted as a space.

    Raises:
        ValueError: the text is shorter than ten characters.
    """
    if len(text) < 10:
        raise ValueError(f"data={len(text)} characters: a text is split 9 to 1; use a longer text")
    cut = len(text) * 9 // 10
    vocab = "".join(sorted(set(text[:cut]) | {" "}))
    number = {character: i for i, character in enumerate(vocab)}
    ids = torch.tensor([number.get(character, number[" "]) for character in text])
    return Corpus(ids[:cut], ids[cut:], vocab)
