"""A small language model over tokens, and its loss in units that do not depend on the tokenizer.

A model over tokens is trained on bits *per token*, and a tokenizer changes what a token is: with words in place of
bytes each guess is harder and there are fewer of them. What can be compared is the whole: a model with a tokenizer is a
code for the text, and

    bits per byte = (total bits of the text's tokens) / (bytes of the text)

is how short that code is, whatever the tokens are. Two things still need care. A model that says <unk> has not said
which word stood there: the code is only complete when the bytes behind each <unk> are paid for too (`Speller`). And a
text has many token sequences while the model is asked for one, so that the figure is an upper bound on what the model
knows about the text (Cao & Rimell 2021); for Unigram the gap can be computed.

The model is an interpolated n-gram with Witten-Bell smoothing (Witten & Bell 1991, method C), which has no parameter to
tune in any tokenizer's favour:

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
            raise ValueError(f"order={order} and vocab_size={vocab_size} must both be at least 1")
        self.order, self.vocab_size = order, vocab_size
        self.counts: dict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
        self.totals: Counter[tuple[int, ...]] = Counter()

    def fit(self, sequences: Iterable[Sequence[int]]) -> "NGram":
        """Count the sequences, on top of what was counted before. Contexts do not reach across sequences."""
        for ids in sequences:
            for i, token in enumerate(ids):
                for k in range(min(i, self.order - 1) + 1):
                    context = tuple(ids[i - k : i])
                    self.counts[context][token] += 1
                    self.totals[context] += 1
        return self

    def probabilities(self, context: Sequence[int], token: int) -> list[float]:
        """p(token | context) under each order from 1 to `order`. A context never seen leaves the order below as it is.

        Raises:
            ValueError: `token` is outside the vocabulary.
        """
        if not 0 <= token < self.vocab_size:
            raise ValueError(f"token={token} is outside the vocabulary of {self.vocab_size}")
        p, found = 1 / self.vocab_size, []
        for k in range(self.order):
            seen = tuple(context[len(context) - k :]) if k <= len(context) else None
            if seen in self.totals:
                after = self.counts[seen]
                p = (after[token] + len(after) * p) / (self.totals[seen] + len(after))
            found.append(p)
        return found

    def bits(self, ids: Sequence[int]) -> list[float]:
        """-log2 of the probability of the whole sequence, under each order from 1 to `order`."""
        totals = [0.0] * self.order
        for i, token in enumerate(ids):
            context = ids[max(0, i - self.order + 1) : i]
            for k, p in enumerate(self.probabilities(context, token)):
                totals[k] -= math.log2(p)
        return totals


class Speller:
    """A byte trigram learned from the distinct words of the training text: what it costs to spell an <unk>.

    A word is its bytes and an end mark, so that the code of one unknown word says where it stops.
    """

    def __init__(self, words: Iterable[str]):
        self.model = NGram(3, 257).fit([[*word.encode(), END] for word in words])

    def bits(self, surface: bytes) -> float:
        return self.model.bits([*surface, END])[-1]


@dataclass(frozen=True)
class Loss:
    """The loss of one tokenizer's n-gram model on one text, a value for each order from 1 up.

    Attributes:
        bits_per_token: what a training log would show.
        bits_per_byte_unknowns_free: the same total over bytes; an <unk> costs its id alone.
        bits_per_byte: with the spelling of every <unk> paid for. Only these can be compared.
    """

    bits_per_token: tuple[float, ...]
    bits_per_byte_unknowns_free: tuple[float, ...]
    bits_per_byte: tuple[float, ...]


def loss_of(family: Family, train_text: str, held_out: str, speller: Speller, order: int) -> Loss:
    """Fit an n-gram model to the tokens of one text and measure it on another.

    Raises:
        ValueError: `held_out` is empty.
    """
    if not held_out:
        raise ValueError("held_out is empty: there is nothing to measure the loss on")
    model = NGram(order, len(family)).fit([family.encode(train_text)])
    tokens = family.tokenize(held_out)
    bits = model.bits([token.id for token in tokens])
    spelling = spelling_bits(tokens, family.unk_id, speller)
    size = len(held_out.encode())
    return Loss(
        tuple(b / len(tokens) for b in bits),
        tuple(b / size for b in bits),
        tuple((b + spelling) / size for b in bits),
    )


def spelling_bits(tokens: Sequence[Token], unk_id: int | None, speller: Speller) -> float:
    """The bits that spell all unknown tokens of a text."""
    return math.fsum(speller.bits(token.surface) for token in tokens if token.id == unk_id)
