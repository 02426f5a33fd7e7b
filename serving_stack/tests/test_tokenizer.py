"""The tokenizer of a file: the same ids as the plain loop over pairs, and a long word that stalls nothing."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from serving_stack.formats.tokenizer import Tokenizer, byte_letters

MERGES = ["a b", "b a", "ab a", "a a", "aa a", "x x", "xx xx", "xxxx xxxx", "c ab"]
VOCABULARY = [*byte_letters().values(), *(pair.replace(" ", "") for pair in MERGES)]


class Counted(dict):
    """A dictionary that counts how often it is asked."""

    asked = 0

    def get(self, key, default=None):
        self.asked += 1
        return super().get(key, default)


def by_pairs(tokenizer, word):
    """Merge the first pair of lowest rank, until there is none."""
    parts = [tokenizer.letters[b] for b in word.encode()]
    while ranked := [(tokenizer.ranks[pair], i) for i, pair in enumerate(zip(parts, parts[1:], strict=False))
                     if pair in tokenizer.ranks]:  # fmt: skip
        i = min(ranked)[1]
        parts[i : i + 2] = [parts[i] + parts[i + 1]]
    return [tokenizer.ids[part] for part in parts]


@settings(deadline=None, max_examples=200)
@given(st.text("abxcé", max_size=40))
def test_a_word_is_merged_as_by_the_plain_loop(word):
    tokenizer = Tokenizer(VOCABULARY, MERGES)
    assert list(tokenizer.encode_word(word)) == by_pairs(tokenizer, word)


def test_a_long_word_costs_little_more_than_its_length():
    """A loop over all pairs asks for n² / 2 ranks."""
    tokenizer = Tokenizer(VOCABULARY, MERGES)
    tokenizer.ranks = Counted(tokenizer.ranks)
    n = 4096
    assert len(tokenizer.encode_word("x" * n)) == n // 8
    assert tokenizer.ranks.asked < 4 * n * math.log2(n) / 12
