"""The two small models, trained on the spot on one text, and prompts that they have not seen."""

import re
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from ..ngram import NGram
from ..transformer import Config, Transformer, train, windows
from ..words import Words
from .fetch import load_text

VOCABULARY, PROMPT, NEW = 2048, 16, 96


class Small(NamedTuple):
    """Both models, their tokens, and unseen texts of PROMPT + NEW tokens."""

    words: Words
    ngram: NGram
    transformer: Transformer
    human: Tensor


def tokens_of(data: str) -> tuple[Words, Tensor, Tensor]:
    """(vocabulary, training tokens, unseen tokens): the last tenth of the text is not seen."""
    text = prose(load_text(data))
    words = Words(text[: len(text) * 9 // 10], VOCABULARY)
    ids = torch.tensor(words.encode(text))
    cut = len(ids) * 9 // 10
    return words, ids[:cut], ids[cut:]


def prose(text: str) -> str:
    """The text without its layout: one space between words, no rulers, no borders of tables."""
    return " ".join(re.sub(r"[-=*~^+|]{2,}", " ", text).split())


def unseen_texts(unseen: Tensor, rows: int, length: int) -> Tensor:
    """Pieces at equal distances.

    Raises:
        ValueError: the text is too short.
    """
    if len(unseen) < rows * length:
        raise ValueError(f"data: its unseen tenth has {len(unseen)} tokens; {rows * length} are needed: give more text")
    starts = torch.arange(rows) * (len(unseen) // rows)
    return unseen[starts[:, None] + torch.arange(length)]


def small_models(
    data: str, steps: int, rows: int, seed: int = 0, log: Callable[[str], None] = lambda line: None
) -> Small:
    """Count the n-grams, train the transformer."""
    words, seen, unseen = tokens_of(data)
    log("counting n-grams")
    ngram = NGram(seen.tolist(), len(words), order=3)
    model = Transformer(Config(len(words), PROMPT + NEW, layers=2, heads=4, width=128), seed)
    train(model, lambda g: windows(seen, 16, PROMPT + NEW, g), steps, lr=4e-3, seed=seed, log=log)
    return Small(words, ngram, model.eval().requires_grad_(False), unseen_texts(unseen, rows, PROMPT + NEW))
