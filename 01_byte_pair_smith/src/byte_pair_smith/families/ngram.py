"""A small language model over tokens, and its loss in units that do not depend on the tokenizer.

A model is trained on bits *per token*, and a tokenizer changes what a token is. With words in place of bytes, each
guess is harder and there are fewer of them. The whole can be compared: a model with a tokenizer is a code for the text,
and

    bits per byte = (total bits of the text's tokens) / (bytes of the text)

is the length of that code, whatever the tokens are. Two things still need care.

1. A model that predicts <unk> has not predicted which word it was. The code is complete only when the bytes behind each
   <unk> are paid for too (`ByteFallbackModel`).
2. A text has many token sequences, and the model is asked for one. So the figure is an upper bound on what the model
   knows about the text (Cao & Rimell 2021). For Unigram the gap can be computed.

The model is an interpolated n-gram with Witten-Bell smoothing (Witten & Bell 1991, method C). It has no parameter that
could be tuned in some tokenizer's favour:

    p_k(w | h) = (c(h w) + T(h) p_(k-1)(w | h')) / (c(h) + T(h)),        p_0(w) = 1 / V,

where c counts the training text, T(h) is the number of different tokens seen after the context h of k-1 tokens, and h'
is h without its first token.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .family import Family, Token

END = 256


class NGram:
    """Witten-Bell n-gram models of every order from 1 to `order`, over ids below `vocab_size`."""

    def __init__(self, order: int, vocab_size: int):
        if order < 1 or vocab_size < 1:
            raise ValueError(f"order={order}, vocab_size={vocab_size}: both must be at least 1")
        self.order, self.vocab_size = order, vocab_size
        self.counts: dict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
        self.totals: Counter[tuple[int, ...]] = Counter()

    def fit(self, sequences: Iterable[Sequence[int]]) -> "NGram":
        """Add the counts of these sequences. Contexts do not reach across sequences."""
        for ids in sequences:
            for i, token in enumerate(ids):
                for k in range(min(i, self.order - 1) + 1):
                    context = tuple(ids[i - k : i])
                    self.counts[context][token] += 1
                    self.totals[context] += 1
        return self

    def probabilities(self, context: Sequence[int], token: int) -> list[float]:
        """p(token | context) under each order from 1 to `order`. A context never seen gives the lower order's value.

        Raises:
            ValueError: `token` is outside the vocabulary.
        """
        if not 0 <= token < self.vocab_size:
            raise ValueError(
                f"token={token}: it must lie between 0 and {self.vocab_size - 1}, the last of the vocabulary"
            )
        p = 1 / self.vocab_size
        by_order = []
        for k in range(self.order):
            seen = tuple(context[len(context) - k :]) if k <= len(context) else None
            if seen in self.totals:
                after = self.counts[seen]
                p = (after[token] + len(after) * p) / (self.totals[seen] + len(after))
            by_order.append(p)
        return by_order

    def bits(self, ids: Sequence[int]) -> list[float]:
        """-log2 of the probability of the whole sequence, under each order from 1 to `order`."""
        totals = [0.0] * self.order
        for i, token in enumerate(ids):
            context = ids[max(0, i - self.order + 1) : i]
            for k, p in enumerate(self.probabilities(context, token)):
                totals[k] -= math.log2(p)
        return totals


class ByteFallbackModel:
    """A byte trigram learned from the distinct words of the training text: the bits to write out an <unk>.

    A word is its bytes and an end mark, so that the code of an unknown word says where it ends.
    """

    def __init__(self, words: Iterable[str]):
        self.model = NGram(3, 257).fit([[*word.encode(), END] for word in words])

    def bits(self, surface: bytes) -> float:
        """The bits of one unknown word."""
        return self.model.bits([*surface, END])[-1]


@dataclass(frozen=True)
class Loss:
    """The loss of one tokenizer's n-gram model on one text, a value for each order from 1 up.

    `bits_per_token` is what a training log would show. `bits_per_byte_unknowns_free` divides the same total by the
    bytes of the text. `bits_per_byte` adds the bytes behind every <unk>: only these values can be compared.
    """

    bits_per_token: tuple[float, ...]
    bits_per_byte_unknowns_free: tuple[float, ...]
    bits_per_byte: tuple[float, ...]


def loss_of(family: Family, train_text: str, held_out: str, byte_fallback: ByteFallbackModel, order: int) -> Loss:
    """Fit an n-gram model to the tokens of one text and measure it on another.

    Raises:
        ValueError: `held_out` is empty.
    """
    if not held_out:
        raise ValueError("held_out='': it is empty; give a text to measure the loss on")
    model = NGram(order, len(family)).fit([family.encode(train_text)])
    tokens = family.tokenize(held_out)
    bits = model.bits([token.id for token in tokens])
    extra = fallback_bits(tokens, family.unk_id, byte_fallback)
    size = len(held_out.encode())
    return Loss(
        tuple(b / len(tokens) for b in bits),
        tuple(b / size for b in bits),
        tuple((b + extra) / size for b in bits),
    )


def fallback_bits(tokens: Sequence[Token], unk_id: int | None, byte_fallback: ByteFallbackModel) -> float:
    """The bits of all unknown tokens of a text."""
    return math.fsum(byte_fallback.bits(token.surface) for token in tokens if token.id == unk_id)
