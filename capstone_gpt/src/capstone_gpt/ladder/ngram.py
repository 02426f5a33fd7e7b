"""A language model that only counts: n-grams with modified Kneser–Ney smoothing (Chen and Goodman 1999).

Dimensions:
    N  contexts      V  tokens of the vocabulary
"""

from collections import Counter, defaultdict
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor


def kneser_ney(
    tokens: Sequence[int], contexts: Sequence[tuple[int, ...]], order: int, vocab_size: int
) -> Float[Tensor, "N V"]:
    """The distribution of the next token after each context, in float64, from counts of the n-grams of `tokens`.

    The longest n-grams have `order` tokens and their counts are how often they occur. The count of a shorter one is the
    number of different tokens that stand before it. From each order to the next,

        p(w | context) = max(c(context w) - D(c), 0) / c(context) + share · p(w | context without its first token)

    where c(context) sums over w, `share` is the mass that the discounts took, and the uniform distribution is below
    the unigrams. An unseen context gives the shorter one's distribution. A context may be shorter than `order` - 1.
    Of a longer one, the last `order` - 1 tokens are used.
    """
    tables = count_tables(tokens, order)
    made = []
    for context in contexts:
        p = torch.full((vocab_size,), 1 / vocab_size, dtype=torch.float64)
        for length in range(min(order - 1, len(context)) + 1):
            followers, discount = tables[length]
            counts = followers.get(tuple(context[len(context) - length :]))
            if counts is None:
                break  # no longer context has been seen either
            total = sum(counts.values())
            share = sum(discount[min(c, 3)] for c in counts.values()) / total
            p = share * p
            for w, c in counts.items():
                p[w] += (c - discount[min(c, 3)]) / total
        made.append(p)
    return torch.stack(made)


def count_tables(tokens: Sequence[int], order: int) -> list[tuple[dict, list[float]]]:
    """For each length of context: {context: {next token: count}}, and the discounts of counts 1, 2 and 3 or more."""
    tables = []
    for n in range(1, order + 1):
        if n == order:
            counts = Counter(grams(tokens, n))
        else:
            counts = Counter(gram[1:] for gram in set(grams(tokens, n + 1)))  # different tokens before it
        followers = defaultdict(dict)
        for gram, c in counts.items():
            followers[gram[:-1]][gram[-1]] = c
        tables.append((dict(followers), discounts(counts)))
    return tables


def grams(tokens: Sequence[int], n: int) -> list[tuple[int, ...]]:
    return [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]


def discounts(counts: Counter) -> list[float]:
    """D(0) = 0, D(1), D(2), D(3 and more) = c - (c + 1) · Y · n(c + 1) / n(c), never below 0; Y = n1 / (n1 + 2 n2).

    n(c) is how many n-grams have the count c, and 1 where none has.
    """
    n = [max(1, sum(1 for x in counts.values() if x == c)) for c in range(5)]
    y = n[1] / (n[1] + 2 * n[2])
    return [0.0] + [max(0.0, c - (c + 1) * y * n[c + 1] / n[c]) for c in (1, 2, 3)]
