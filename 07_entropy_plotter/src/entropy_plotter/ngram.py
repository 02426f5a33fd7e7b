"""Interpolated modified Kneser-Ney (Kneser and Ney 1995; Chen and Goodman 1999): counting, done well.

A context of n - 1 tokens predicts by its own counts, each lowered by a discount. The mass that the discounts free goes
to the context that is one token shorter. Shorter contexts do not count occurrences: they count how many different
tokens came before. "Francisco" is frequent, but follows one word only, so it is a bad guess elsewhere.

Dimensions:
    B   rows        T   tokens fed        V   vocabulary
"""

from collections import Counter, defaultdict
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

Context = tuple[int, ...]


class Follow(NamedTuple):
    """What follows a context: tokens, their discounted shares, and the mass for the shorter context."""

    ids: Tensor
    shares: Tensor
    left_over: float


class TokenCache:
    """The tokens fed so far: all that an n-gram model has to remember."""

    def __init__(self):
        self.tokens: Tensor | None = None

    @property
    def position(self) -> int:
        return 0 if self.tokens is None else self.tokens.shape[1]

    def crop(self, length: int) -> None:
        """Forget all but the first `length` tokens."""
        if self.tokens is not None:
            self.tokens = self.tokens[:, :length]

    def select(self, rows: Int[Tensor, "_"]) -> None:
        """Keep these rows, in this order."""
        if self.tokens is not None:
            self.tokens = self.tokens[rows]


def discounts(counts: list[int]) -> tuple[float, float, float]:
    """Of a count of 1, of 2, and of 3 or more (Chen and Goodman 1999, equation 26).

    Where too few different counts occur for the formula, the fixed values 0.5, 1 and 1.5 stand in.
    """
    n = Counter(counts)
    if not all(n[i] for i in (1, 2, 3, 4)):
        return 0.5, 1.0, 1.5
    y = n[1] / (n[1] + 2 * n[2])
    found = tuple(i - (i + 1) * y * n[i + 1] / n[i] for i in (1, 2, 3))
    return found if all(0 < d < i for i, d in enumerate(found, 1)) else (0.5, 1.0, 1.5)


class NGram:
    """An n-gram model of a list of token ids. Every token has a probability, seen or not.

    Raises:
        ValueError: order is below 1, or the text is shorter than order.
    """

    def __init__(self, tokens: list[int], vocab_size: int, order: int = 3):
        if order < 1 or len(tokens) < order:
            raise ValueError(f"order={order}: at least 1, and at most the {len(tokens)} tokens of the text")
        self.vocab_size, self.order = vocab_size, order
        self.follows: list[dict[Context, Follow]] = [{} for _ in range(order)]
        grams = Counter(zip(*(tokens[i:] for i in range(order)), strict=False))
        for length in range(order - 1, -1, -1):
            self.follows[length] = follow_tables(grams)
            grams = Counter(gram[1:] for gram in grams)  # each different gram counts once: continuations

    def probs(self, context: Context) -> Float[Tensor, "V"]:
        """The distribution after a context: from no token of it to order - 1 tokens, each improving on the last."""
        p = torch.full((self.vocab_size,), 1 / self.vocab_size, dtype=torch.float64)
        for length in range(min(self.order - 1, len(context)) + 1):
            found = self.follows[length].get(context[len(context) - length :])
            if found is None:
                break  # a longer context has not been seen either
            p = p * found.left_over
            p[found.ids] += found.shares
        return p

    def new_cache(self) -> TokenCache:
        return TokenCache()

    def __call__(self, tokens: Int[Tensor, "B T"], cache: TokenCache | None = None) -> Float[Tensor, "B T V"]:
        """Log-probabilities after each of `tokens`, as logits."""
        cache = TokenCache() if cache is None else cache
        start = cache.position
        cache.tokens = tokens if cache.tokens is None else torch.cat((cache.tokens, tokens), dim=1)
        rows = []
        for row in cache.tokens.tolist():
            ends = range(start + 1, len(row) + 1)
            rows.append(torch.stack([self.probs(tuple(row[max(0, end - self.order + 1) : end])) for end in ends]))
        return torch.stack(rows).log().float()


def follow_tables(grams: Counter) -> dict[Context, Follow]:
    """The discounted shares of each context, from the counts of its grams."""
    after: dict[Context, list[tuple[int, int]]] = defaultdict(list)
    for gram, count in grams.items():
        after[gram[:-1]].append((gram[-1], count))
    cuts = torch.tensor([0.0, *discounts(list(grams.values()))], dtype=torch.float64)
    made = {}
    for context, pairs in after.items():
        ids, counts = torch.tensor(pairs).T  # each: number of different tokens
        cut = cuts[counts.clamp(max=3)]
        total = counts.sum()
        made[context] = Follow(ids, (counts - cut) / total, float(cut.sum() / total))
    return made
