"""Masked language modelling (Devlin et al. 2018): hide some tokens, read both sides, predict what was hidden.

Of the selected tokens 80 % become [MASK], 10 % a random token and 10 % stay as they are. A fine-tuned model never sees
[MASK]: the last two kinds keep it from reading only where [MASK] stands.

Dimensions:
    B texts, T tokens, S special tokens
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

MASK_BELOW, RANDOM_BELOW = 0.8, 0.9


def mask_tokens(
    ids: Int[Tensor, "B T"],
    special_ids: Int[Tensor, " S"],
    mask_id: int,
    vocab_size: int,
    uniforms: Float[Tensor, "3 B T"],
    probability: float = 0.15,
) -> tuple[Int[Tensor, "B T"], Int[Tensor, "B T"]]:
    """The corrupted inputs and the labels (-100 where nothing is asked).

    The first layer of `uniforms` selects a token (below `probability`), the second decides what becomes of it (below
    0.8: [MASK]; below 0.9: a random token; else nothing), the third chooses the random token among the ids that are
    not special, in ascending order. Special tokens are never selected. Both outputs are of int64.

    Raises:
        ValueError: a probability outside of 0 to 1.
    """
    if not 0 <= probability <= 1:
        raise ValueError(f"probability={probability}: a share of tokens; choose 0 to 1")
    ids, (select, decide, choose) = ids.long(), uniforms
    selected = (select < probability) & ~torch.isin(ids, special_ids)
    replacement = random_ids(special_ids, vocab_size, choose)
    inputs = torch.where(selected & (decide < RANDOM_BELOW), replacement, ids)
    inputs = torch.where(selected & (decide < MASK_BELOW), mask_id, inputs)
    labels = torch.where(selected, ids, -100)
    return inputs, labels


def random_ids(special_ids: Int[Tensor, " S"], vocab_size: int, uniforms: Float[Tensor, "B T"]) -> Int[Tensor, "B T"]:
    """Ids that are not special, each with the same probability."""
    every = torch.arange(vocab_size)
    ordinary = every[~torch.isin(every, special_ids)]
    return ordinary[(uniforms * len(ordinary)).long()]


def select_words(
    word_ids: Int[Tensor, "B T"], uniforms: Float[Tensor, "B T"], probability: float
) -> Bool[Tensor, "B T"]:
    """Whole-word masking: all tokens of a word are selected, or none. `word_ids` is -1 for tokens of no word.

    The uniform number of a word's first token decides for the word.
    """
    begins = torch.ones_like(word_ids, dtype=torch.bool)
    begins[:, 1:] = word_ids[:, 1:] != word_ids[:, :-1]
    positions = torch.arange(word_ids.shape[1]).expand_as(word_ids)
    first = torch.where(begins, positions, 0).cummax(1).values
    return (uniforms.gather(1, first) < probability) & (word_ids >= 0)
