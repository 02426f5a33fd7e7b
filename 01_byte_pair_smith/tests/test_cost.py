"""Cost, counted: what is touched, looked up and remembered. No clock."""
import random
from collections import Counter

import regex
from byte_pair_smith import GPT2, WHOLE, Tokenizer, Vocabulary, pretokenize, train_fast
from byte_pair_smith import train as plain_train
from byte_pair_smith.corpora import load_text
from byte_pair_smith.encode import merge_long_word, merge_short_word
from byte_pair_smith.experiment import hold_out
from byte_pair_smith.train import BYTE_ORDER, distinct_words, id_of_byte, index_pairs, merge_everywhere


class Counting(dict):
    """A dict that counts how often it is asked."""
    asked = 0

    def get(self, *args):
        self.asked += 1
        return super().get(*args)


def test_each_distinct_piece_is_merged_once():
    text = load_text("topics")[:50_000]
    tokenizer = Tokenizer(Vocabulary.from_merges(train_fast(text, 600)))
    misses = Counter()
    missing = type(tokenizer.words).__missing__

    class Watched(type(tokenizer.words)):
        def __missing__(self, piece):
            misses[piece] += 1
            return missing(self, piece)
    tokenizer.words.__class__ = Watched
    tokenizer.encode_ordinary(text)
    pieces = {p for p in pretokenize(text) if len(p) <= 64}
    assert {p for p in misses if len(p) <= 64} == pieces
    assert max(misses[p] for p in pieces) == 1
    tokenizer.encode_ordinary(text)
    assert max(misses[p] for p in pieces) == 1, "the second time nothing is merged again"


def test_a_merge_touches_only_the_words_that_hold_its_pair():
    words, times = distinct_words(load_text("topics")[:50_000], GPT2, id_of_byte(BYTE_ORDER))
    counts, where = index_pairs(words, times)
    before = list(words)
    born = merge_everywhere("th", chr(256), words, times, counts, where)
    touched = [n for n, (a, b) in enumerate(zip(before, words, strict=True)) if a != b]
    assert touched == [n for n, word in enumerate(before) if "th" in word]
    assert {n for holders in born.values() for n in holders} <= set(touched)


def test_counts_kept_up_to_date_equal_a_recount():
    rng = random.Random(3)
    text = " ".join("".join(rng.choice("aab") for _ in range(rng.randrange(1, 12))) for _ in range(80))
    words, times = distinct_words(text, GPT2, id_of_byte(BYTE_ORDER))
    counts, where = index_pairs(words, times)
    for new in range(256, 290):
        live = {pair: n for pair, n in counts.items() if n}
        if not live:
            break
        best = min(live, key=lambda pair: (-counts[pair], pair))
        for pair, holders in merge_everywhere(best, chr(new), words, times, counts, where).items():
            where[pair], counts[pair] = holders, sum(times[n] for n in holders)
        assert {pair: n for pair, n in counts.items() if n} == index_pairs(words, times)[0], f"after merge {new - 256}"


def test_the_heap_looks_up_a_few_pairs_a_byte_and_the_search_not_many_more():
    rng = random.Random(0)
    vocabulary = Vocabulary.from_merges(train_fast(load_text("topics")[:50_000], 1024))
    asked = {}
    for n in (1000, 4000):
        word = "".join(rng.choice("etaoin") for _ in range(n))
        pairs = Counting(vocabulary.pairs)
        merge_long_word(word, pairs)
        asked[n] = pairs.asked / n
        assert merge_short_word(word, pairs) == merge_long_word(word, vocabulary.pairs)
    assert asked[4000] < 6
    assert asked[4000] < 1.1 * asked[1000], "look-ups per byte do not grow with the length of the word"


# ---------------------------------------------------------------- effects

def test_effect_bytes_per_token_grow_with_the_vocabulary_and_ever_more_slowly():
    trained, held_out = hold_out(load_text("topics"), 0)
    whole = Vocabulary.from_merges(train_fast(trained, 4096))
    gains, last = [], 1.0
    for size in (512, 1024, 2048, 4096):
        rate = len(held_out.encode()) / len(Tokenizer(whole.first(size)).encode_ordinary(held_out))
        gains.append(rate / last)
        last = rate
    assert gains == sorted(gains, reverse=True)
    assert gains[0] > 1.8 and last > 3.5
    assert last < len(held_out.encode()) / len(pretokenize(held_out)), "no merge crosses the split"


def test_effect_the_split_keeps_words_apart():
    text = load_text("topics")[:20_000]
    for pattern, least, most in ((GPT2, 0, 0), (WHOLE, 20, 999)):
        tokens = Vocabulary.from_merges(train_fast(text, 400, pattern), pattern=pattern).tokens[256:]
        crossing = [t for t in tokens if regex.search(rb"[A-Za-z][^A-Za-z]", t)]
        assert least <= len(crossing) <= most


def test_vocabularies_nest():
    text = load_text("topics")[:20_000]
    assert train_fast(text, 500)[:100] == train_fast(text, 356) == plain_train(text, 356)
