"""Short reviews with a known sentiment. Counting words is not enough: "not" turns the next adjective over."""

import torch
from jaxtyping import Bool, Int
from torch import Tensor

GOOD = "good great lovely funny clever moving".split()
BAD = "bad dull awful boring stupid cold".split()
NOUNS = "film plot music ending acting camera".split()
WORDS = ["<pad>", "<cls>", "the", "is", "not", "and", "but", *NOUNS, *GOOD, *BAD]
LENGTH = 16


def clause(generator: torch.Generator) -> tuple[list[str], int]:
    """Words like "the film is not dull", and +1 or -1."""
    noun, adjective, kind, negated = (int(torch.randint(n, (), generator=generator)) for n in (6, 6, 2, 2))
    words = ["the", NOUNS[noun], "is", *(["not"] if negated else []), (GOOD, BAD)[kind][adjective]]
    return words, 1 if kind == negated else -1


def review(generator: torch.Generator) -> tuple[list[str], int]:
    """One or two clauses. After "but" the second clause decides; after "and" it repeats the first one's sign."""
    first, sign = clause(generator)
    if not torch.randint(2, (), generator=generator):
        return first, sign
    second, other = clause(generator)
    return [*first, "and" if sign == other else "but", *second], other


def sentiment_batch(
    size: int, generator: torch.Generator
) -> tuple[Int[Tensor, "B S"], Bool[Tensor, "B S"], Int[Tensor, "B"]]:
    """(tokens, attention_mask, labels): label 1 for a good review."""
    tokens = torch.zeros(size, LENGTH, dtype=torch.long)
    labels = torch.zeros(size, dtype=torch.long)
    for row in range(size):
        words, sign = review(generator)
        ids = [WORDS.index(word) for word in ["<cls>", *words]]
        tokens[row, : len(ids)] = torch.tensor(ids)
        labels[row] = int(sign > 0)
    return tokens, tokens != 0, labels
