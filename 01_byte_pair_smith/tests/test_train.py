"""The atoms: counting pairs, merging one, and training. And the fast form, which must give the same merges."""

import random
from collections import Counter

import pytest
from byte_pair_smith import GPT2, GPT2_ORDER, NO_SPLIT, train, train_fast
from byte_pair_smith.vocabulary import tokens_of
from grader import exactly
from hypothesis import given, settings
from hypothesis import strategies as st
from mistakes import WORDS, random_ids, random_text, random_words

# ---------------------------------------------------------------- count_pairs


@pytest.mark.task("count_pairs")
def test_pairs_are_counted_as_often_as_their_pre_token_occurs(impl):
    words = {(1, 2, 3): 5, (2, 3): 2, (3, 2): 1, (4,): 9}
    exactly(dict(impl.count_pairs(words)), {(1, 2): 5, (2, 3): 7, (3, 2): 1}, "the counts")


@pytest.mark.task("count_pairs")
def test_every_two_neighbours_count_even_where_they_overlap(impl):
    exactly(dict(impl.count_pairs({(7, 7, 7): 1})), {(7, 7): 2}, "the counts of a run of three")
    exactly(dict(impl.count_pairs({(7, 7, 7, 7, 8): 3})), {(7, 7): 9, (7, 8): 3}, "the counts of a run of four")


@pytest.mark.task("count_pairs")
def test_pairs_equal_a_count_by_position(impl, seed):
    words = random_words(seed)
    every = [pair for word, times in words.items() for pair in zip(word, word[1:], strict=False) for _ in range(times)]
    exactly(dict(impl.count_pairs(words)), dict(Counter(every)), "the counts")


@pytest.mark.task("count_pairs")
def test_nothing_to_count_is_an_empty_dict(impl):
    exactly(dict(impl.count_pairs({})), {}, "the counts of no words")
    exactly(dict(impl.count_pairs({(1,): 4, (): 2})), {}, "the counts of words without pairs")


# ---------------------------------------------------------------- merge


@pytest.mark.task("merge")
def test_every_occurrence_is_replaced(impl):
    exactly(list(impl.merge([1, 2, 9, 1, 2, 1, 2, 5], (1, 2), 300)), [300, 9, 300, 300, 5], "the merged ids")
    exactly(list(impl.merge([2, 1, 9, 2, 1], (1, 2), 300)), [2, 1, 9, 2, 1], "ids without the pair")


@pytest.mark.task("merge")
def test_a_run_is_merged_from_the_left_without_overlap(impl):
    for n in range(7):
        exactly(list(impl.merge([4] * n, (4, 4), 256)), [256] * (n // 2) + [4] * (n % 2), f"a run of {n}")


@pytest.mark.task("merge")
def test_merging_keeps_the_bytes(impl, seed):
    for pair in ((1, 2), (2, 2)):
        ids = random_ids(seed, 3)
        undone = [i for new in impl.merge(ids, pair, 99) for i in (pair if new == 99 else (new,))]
        exactly(undone, ids, "the ids with the merge undone")
        assert not any(
            (a, b) == pair for a, b in zip(impl.merge(ids, pair, 99), impl.merge(ids, pair, 99)[1:], strict=False)
        ), "the pair is still there after the merge"


@pytest.mark.task("merge")
def test_merging_takes_tuples_and_short_words(impl):
    exactly(list(impl.merge((1, 2, 3), (2, 3), 9)), [1, 9], "a tuple, merged")
    exactly(list(impl.merge([], (1, 2), 9)), [], "no ids")
    exactly(list(impl.merge([1], (1, 2), 9)), [1], "one id")


@pytest.mark.task("merge")
def test_the_result_is_a_new_list(impl):
    for ids in ([1, 2, 3], [1, 3], [], (1, 2, 3), (1, 3)):
        result = impl.merge(ids, (1, 2), 9)
        assert isinstance(result, list), f"merging {ids} gives a {type(result).__name__}, and a list is promised"
        assert result is not ids, f"merging {ids} gives back the very list it was given, and a new one is promised"


# ---------------------------------------------------------------- train


@pytest.mark.task("train")
def test_the_most_frequent_pair_comes_first(impl):
    merges = impl.train(
        "low low low low low lower lower newest newest newest newest newest newest widest widest widest", 262, GPT2
    )
    expected = [(101, 115), (256, 116), (108, 111), (258, 119), (32, 110), (32, 259)]
    exactly([tuple(m) for m in merges], expected, "the merges (es, est, lo, low, ' n', ' low')")


@pytest.mark.task("train")
def test_of_equals_the_smallest_pair_is_taken(impl):
    exactly([tuple(m) for m in impl.train("dc ba fe", 257, r"\S+|\s+")], [(98, 97)], "the first of three equal pairs")
    exactly(
        [tuple(m) for m in impl.train("cb ca", 257, r"\S+|\s+")], [(99, 97)], "the first of two with the same start"
    )


@pytest.mark.task("train")
def test_frequent_words_count_for_more(impl):
    exactly([tuple(m) for m in impl.train("zx zx zx zx ab abc abd", 257, r"\S+|\s+")], [(122, 120)], "the first merge")


@pytest.mark.task("train")
def test_no_token_crosses_a_border_and_training_ends_when_words_are_tokens(impl):
    merges = [tuple(m) for m in impl.train("dog. dog! dog?", 999, GPT2)]
    exactly([*tokens_of(merges)[256:]], [b"do", b"dog", b" dog"], "the tokens made")


@pytest.mark.task("train")
def test_white_space_is_a_pre_token_too(impl):
    merges = [tuple(m) for m in impl.train("a    b    c", 258, GPT2)]
    exactly(merges, [(32, 32), (256, 32)], "the merges of two runs of three spaces")


@pytest.mark.task("train")
def test_the_pattern_given_decides_the_borders(impl):
    merges = [tuple(m) for m in impl.train("a b a b", 258, NO_SPLIT)]
    exactly(merges, [(32, 98), (97, 256)], "the merges (' b', 'a b') without a split")


@pytest.mark.task("train")
def test_overlapping_pairs_count(impl):
    merges = [tuple(m) for m in impl.train("aaaa aaaa aaa bc bc bc bc bc bc", 257, GPT2)]
    exactly(merges, [(97, 97)], "the first merge: (a, a) occurs 8 times, (b, c) 6 times")


@pytest.mark.task("train")
def test_training_works_on_bytes(impl):
    exactly(
        [tuple(m) for m in impl.train("éé", 257, NO_SPLIT)], [(195, 169)], "the first merge of é, which is two bytes"
    )


@pytest.mark.task("train")
def test_the_vocabulary_has_the_size_asked_for(impl, seed):
    assert len(impl.train("a quick brown fox jumps over it", 260, GPT2)) == 4, (
        "vocab_size 260 is 256 bytes and 4 merges"
    )
    assert len(impl.train(random_text(seed), 256, GPT2)) == 0, "vocab_size 256 is the bytes alone"


@pytest.mark.task("train")
def test_merges_equal_rustbpe_s(impl, seed):
    import rustbpe

    for n in range(3):
        text = random_text(5 * seed + n)
        peer = rustbpe.Tokenizer()
        peer.train_from_iterator(iter([text]), vocab_size=280, pattern=WORDS)
        theirs = [bytes(token) for token, _ in sorted(peer.get_mergeable_ranks(), key=lambda item: item[1])]
        exactly(tokens_of([tuple(m) for m in impl.train(text, len(theirs), WORDS)]), theirs, "the tokens")


@pytest.mark.task("train")
def test_a_vocabulary_too_small_for_the_bytes_is_refused(impl):
    with pytest.raises(ValueError):
        impl.train("text", 255, GPT2)


# ---------------------------------------------------------------- the fast form

TEXTS = st.text(alphabet="ab cé'", max_size=120) | st.text(max_size=60)


@settings(max_examples=100, deadline=None)
@given(TEXTS, st.integers(256, 290), st.sampled_from([GPT2, NO_SPLIT, WORDS]))
def test_fast_training_equals_plain(text, size, pattern):
    text = text.encode("utf-8", "ignore").decode()
    exactly(train_fast(text, size, pattern), train(text, size, pattern), "the merges of the fast form")


def test_fast_training_equals_plain_on_a_thousand_random_corpora():
    rng = random.Random(0)
    for n in range(1000):
        text = "".join(rng.choice("ab "[: rng.choice([1, 2, 3])]) for _ in range(rng.randrange(80)))
        size = 256 + rng.randrange(30)
        assert train_fast(text, size) == train(text, size), (n, text, size)


def test_the_alphabet_s_order_decides_ties_and_nothing_else():
    def tokens(text, alphabet):
        return tokens_of(train_fast(text, 300, NO_SPLIT, alphabet), alphabet)[256:]

    assert tokens("\xa1\xa1\xa1 ", bytes(range(256)))[0] == tokens("\xa1\xa1\xa1 ", GPT2_ORDER)[0] == b"\xc2\xa1"
    assert tokens(" z", bytes(range(256))) == tokens(" z", GPT2_ORDER) == [b" z"]
    assert tokens("z\ny", bytes(range(256)))[0] == b"\ny"  # byte 10 comes before byte 122
    assert tokens("z\ny", GPT2_ORDER)[0] == b"z\n"  # but its letter, U+010A, after z


@pytest.mark.parametrize("function", [train, train_fast])
def test_training_on_nothing_gives_nothing(function):
    assert function("", 300) == []
    assert function("abcdef", 256) == []


def test_bad_alphabets_and_sizes_are_refused():
    with pytest.raises(ValueError, match="vocab_size=10"):
        train_fast("text", 10)
    with pytest.raises(ValueError, match="256 bytes once"):
        train_fast("text", 300, GPT2, b"abc")


@pytest.mark.parametrize("function", [train, train_fast])
@pytest.mark.parametrize(
    "text, error", [(b"text", TypeError), (None, TypeError), (["te", "xt"], TypeError), ("a\ud800", ValueError)]
)
def test_what_is_no_text_is_refused(function, text, error):
    with pytest.raises(error):
        function(text, 300)
