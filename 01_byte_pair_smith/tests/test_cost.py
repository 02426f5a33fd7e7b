"""Cost, counted: what is visited, looked up and remembered. No clock."""

import random
from collections import Counter

import regex
from byte_pair_smith import BYTE_ORDER, GPT2, NO_SPLIT, Tokenizer, Vocabulary, pretokenize, train, train_fast
from byte_pair_smith.encode_fast import merge_long, merge_short
from byte_pair_smith.lab.experiment import hold_out
from byte_pair_smith.lab.fetch import load_text
from byte_pair_smith.train_fast import PairIndex, count_pre_tokens


class Counting(dict):
    """A dict that counts how often it is asked."""

    asked = 0

    def get(self, *args):
        self.asked += 1
        return super().get(*args)

    def __contains__(self, key):
        self.asked += 1
        return super().__contains__(key)


def test_each_distinct_pre_token_is_merged_once():
    text = load_text("pydoc")[:50_000]
    tokenizer = Tokenizer(Vocabulary.from_merges(train_fast(text, 600)))
    misses = Counter()
    missing = type(tokenizer.cache).__missing__

    class Watched(type(tokenizer.cache)):
        def __missing__(self, pre_token):
            misses[pre_token] += 1
            return missing(self, pre_token)

    tokenizer.cache.__class__ = Watched
    tokenizer.encode_ordinary(text)
    short = {p for p in pretokenize(text) if len(p) <= 64}
    assert {p for p in misses if len(p) <= 64} == short
    assert max(misses[p] for p in short) == 1
    tokenizer.encode_ordinary(text)
    assert max(misses[p] for p in short) == 1, "the second time nothing is merged again"


def test_a_merge_visits_only_the_pre_tokens_that_hold_its_pair():
    index = PairIndex(count_pre_tokens(load_text("pydoc")[:50_000], GPT2, BYTE_ORDER))
    before = list(index.pre_tokens)
    new_pairs = index.replace("th", chr(256))
    changed = [n for n, (a, b) in enumerate(zip(before, index.pre_tokens, strict=True)) if a != b]
    assert changed == [n for n, ids in enumerate(before) if "th" in ids]
    assert {n for holders in new_pairs.values() for n in holders} <= set(changed)


def test_counts_kept_up_to_date_equal_a_recount():
    rng = random.Random(3)
    text = " ".join("".join(rng.choice("aab") for _ in range(rng.randrange(1, 12))) for _ in range(80))
    index = PairIndex(count_pre_tokens(text, GPT2, BYTE_ORDER))
    for new in range(256, 290):
        pair = index.pop_most_frequent()
        if pair is None:
            break
        index.merge(pair, chr(new))
        recount = PairIndex(dict(zip(index.pre_tokens, index.frequency, strict=True))).counts
        assert {pair: n for pair, n in index.counts.items() if n} == recount, f"after merge {new - 256}"


def test_the_heap_looks_up_a_few_pairs_a_byte_however_long_the_word():
    rng = random.Random(0)
    vocabulary = Vocabulary.from_merges(train_fast(load_text("pydoc")[:50_000], 1024))
    asked = {}
    for n in (1000, 4000):
        word = "".join(rng.choice("etaoin") for _ in range(n))
        pair_ids = Counting(vocabulary.pair_ids)
        merged = merge_long(word, pair_ids)
        asked[n] = pair_ids.asked / n
        assert merge_short(word, vocabulary.pair_ids) == merged
    assert asked[4000] < 6
    assert asked[4000] < 1.1 * asked[1000], "look-ups per byte do not grow with the length of the word"


# ---------------------------------------------------------------- effects


def test_effect_each_doubling_of_the_vocabulary_gains_less():
    trained, held_out = hold_out(load_text("pydoc"), 0)
    vocabulary = Vocabulary.from_merges(train_fast(trained, 4096))
    gains, last = [], 1.0
    for size in (512, 1024, 2048, 4096):
        rate = len(held_out.encode()) / len(Tokenizer(vocabulary.truncate(size)).encode_ordinary(held_out))
        gains.append(rate / last)
        last = rate
    assert gains == sorted(gains, reverse=True)
    assert gains[0] > 1.8 and last > 3.5
    assert last < len(held_out.encode()) / len(pretokenize(held_out)), "no merge crosses the split"


def test_effect_the_split_keeps_words_apart():
    text = load_text("pydoc")[:20_000]
    for pattern, least, most in ((GPT2, 0, 0), (NO_SPLIT, 20, 999)):
        tokens = Vocabulary.from_merges(train_fast(text, 400, pattern), pattern=pattern).tokens[256:]
        crossing = [t for t in tokens if regex.search(rb"[A-Za-z][^A-Za-z]", t)]
        assert least <= len(crossing) <= most


def test_vocabularies_nest():
    text = load_text("pydoc")[:20_000]
    assert train_fast(text, 500)[:100] == train_fast(text, 356) == train(text, 356)
