"""The texts of the planted faults, and what counting alone says of them."""

import math
import sysconfig
from functools import lru_cache
from pathlib import Path
from pydoc_data.topics import topics

import torch
from jaxtyping import Int
from torch import Tensor

from ..data import CharTokenizer

CHARACTERS = 300_000


def paragraphs(text: str) -> list[str]:
    """The paragraphs of "pydoc", English about Python, or of "code", the standard library's sources.

    Raises:
        ValueError: another name.
    """
    if text == "pydoc":
        return [part for name in sorted(topics) for part in topics[name].split("\n\n")]
    if text == "code":
        sources = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))[:60]
        return [part for path in sources for part in path.read_text(encoding="utf-8").split("\n\n")]
    raise ValueError(f"text={text!r}: choose pydoc or code")


@lru_cache(4)
def tokens_of(text: str) -> tuple[Int[Tensor, "n"], int]:
    """The text as characters, each paragraph once, and how many different characters there are.

    Python's topics repeat each other. A paragraph that stands in both splits would be a leak of its own.
    """
    characters = "\n\n".join(dict.fromkeys(paragraphs(text)))[:CHARACTERS]
    tokenizer = CharTokenizer(characters)
    return torch.tensor(tokenizer.encode(characters)), tokenizer.vocab_size


def facts(tokens: Int[Tensor, "n"], vocab_size: int) -> dict[str, float]:
    """What counting alone says of a text, in nats a token: no knowledge, the frequencies, the pairs."""
    unigram = torch.bincount(tokens, minlength=vocab_size).double()
    pairs = torch.bincount(tokens[:-1] * vocab_size + tokens[1:], minlength=vocab_size**2).double()

    def entropy(counts: Tensor) -> float:
        p = counts[counts > 0] / counts.sum()
        return float(-(p * p.log()).sum())

    found = {"uniform": math.log(vocab_size), "unigram": entropy(unigram)}
    return found | {"bigram": entropy(pairs) - found["unigram"]}
