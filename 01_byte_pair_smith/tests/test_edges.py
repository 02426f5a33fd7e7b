"""What tasks 1 to 4 promise of inputs that are large, rare or at a limit."""

import pytest
from byte_pair_smith import GPT2, NO_SPLIT, train_fast
from grader import exactly

# ---------------------------------------------------------------- count_pairs


@pytest.mark.task("count_pairs")
def test_counts_and_ids_may_be_large(impl):
    words = {(100_000, 262_143): 3_000_000_000, (262_143, 100_000, 262_143): 70_000}
    exactly(
        dict(impl.count_pairs(words)), {(100_000, 262_143): 3_000_070_000, (262_143, 100_000): 70_000}, "the counts"
    )


@pytest.mark.task("count_pairs")
def test_pre_tokens_may_be_long_and_many(impl):
    exactly(dict(impl.count_pairs({(1, 2) * 600: 2})), {(1, 2): 1200, (2, 1): 1198}, "a pre-token of 1,200 ids")
    many = {(n, n + 1): 1 for n in range(1500)}
    exactly(dict(impl.count_pairs(many)), many, "1,500 pre-tokens")


# ---------------------------------------------------------------- merge


@pytest.mark.task("merge")
def test_equal_ids_may_be_two_objects(impl):
    ids, pair = [int(i) for i in "70000 1200003 70000".split()], (int("70000"), int("1200003"))
    exactly(list(impl.merge(ids, pair, 262_144)), [262_144, 70_000], "the merged ids")


@pytest.mark.task("merge")
def test_there_may_be_thousands_of_ids(impl):
    exactly(list(impl.merge([1, 2, 3] * 1200, (1, 2), 300)), [300, 3] * 1200, "3,600 ids")


@pytest.mark.task("merge")
def test_ids_are_compared_and_not_their_bytes(impl):
    exactly(list(impl.merge([0, 256, 512, 0], (1, 2), 300)), [0, 256, 512, 0], "ids that hold no pair (1, 2)")


@pytest.mark.task("merge")
def test_the_new_id_is_that_of_the_call(impl):
    for new_id in (300, 301, 300):
        exactly(list(impl.merge((1, 2, 3), (1, 2), new_id)), [new_id, 3], "the merged ids")


@pytest.mark.task("merge")
def test_one_occurrence_may_follow_another(impl):
    exactly(list(impl.merge([1, 2, 1, 2], (1, 2), 300)), [300, 300], "two occurrences side by side")
    exactly(list(impl.merge([4, 4, 4], (4, 4), 300)), [300, 4], "a run of three")


# ---------------------------------------------------------------- pretokenize


@pytest.mark.task("pretokenize")
def test_white_space_of_every_kind(impl):
    exactly(impl.pretokenize("a\u00a0b"), ["a", "\u00a0", "b"], "the pre-tokens around a no-break space")
    exactly(
        impl.pretokenize("a\u3000\u3000b\r\n"), ["a", "\u3000", "\u3000", "b", "\r\n"], "two wide spaces, a line end"
    )


@pytest.mark.task("pretokenize")
def test_every_visible_character_takes_the_last_space_of_a_run(impl):
    for after in ("!", "(", "_", "1", "½", "é", "日", "🙂", "\u0301", "\x00"):
        exactly(
            impl.pretokenize(f"a   {after}"), ["a", "  ", f" {after}"], f"the pre-tokens of three spaces and {after!r}"
        )
    exactly(impl.pretokenize("a\t\t!"), ["a", "\t", "\t", "!"], "the pre-tokens of two tabs and !")


@pytest.mark.task("pretokenize")
def test_runs_may_be_long_and_signs_belong_to_no_word(impl):
    exactly(impl.pretokenize("a-b 3.14 -5%"), ["a", "-", "b", " 3", ".", "14", " -", "5", "%"], "signs between words")
    exactly(impl.pretokenize("a\n's'em"), ["a", "\n", "'s", "'", "em"], "a clitic after a line end, and none")
    exactly(impl.pretokenize("9" * 50 + "." * 50 + " " * 200), ["9" * 50, "." * 50, " " * 200], "three long runs")
    exactly(impl.pretokenize("OpenAI 日本語"), ["OpenAI", " 日本語"], "two words")


@pytest.mark.task("pretokenize")
def test_there_may_be_thousands_of_pre_tokens(impl):
    exactly(impl.pretokenize("a 1" * 1200), ["a", " 1"] * 1200, "2,400 pre-tokens")


@pytest.mark.task("pretokenize")
def test_a_clitic_has_no_space_before_it(impl):
    exactly(impl.pretokenize("a 's b"), ["a", " '", "s", " b"], "the pre-tokens")


@pytest.mark.task("pretokenize")
def test_visible_characters_of_every_kind(impl):
    exactly(impl.pretokenize("a🙂🙂 🙂\x00!"), ["a", "🙂🙂", " 🙂\x00!"], "emoji and a control character")
    exactly(impl.pretokenize("e\u0301\u0302!"), ["e", "\u0301\u0302!"], "accents apart from their letter")


@pytest.mark.task("pretokenize")
def test_white_space_at_the_ends_may_not_be_lost(impl):
    for text in (" one", "one\n", " one "):
        with pytest.raises(ValueError):
            impl.pretokenize(text, r"[a-z]+")


@pytest.mark.task("pretokenize")
def test_a_pattern_is_one_of_the_library_regex(impl):
    exactly(impl.pretokenize("aBCd", pattern=r"\p{Lu}|\P{Lu}+"), ["a", "B", "C", "d"], "capital letters apart")
    exactly(impl.pretokenize("abb cb", r"(?<=a)b+|(?s:.)"), ["a", "bb", " ", "c", "b"], "b after a")


@pytest.mark.task("pretokenize")
def test_letters_are_category_l_and_no_text_has_no_parts(impl):
    exactly(impl.pretokenize("Ⅷa"), ["Ⅷ", "a"], "a Roman numeral of category N, and a letter")
    exactly(impl.pretokenize(""), [], "the pre-tokens of no text")


# ---------------------------------------------------------------- train


@pytest.mark.task("train")
def test_white_space_at_the_ends_is_text(impl):
    exactly([tuple(m) for m in impl.train("x\n\n\n\n", 257, GPT2)], [(10, 10)], "line ends at the end")
    exactly([tuple(m) for m in impl.train("   ", 257, GPT2)], [(32, 32)], "spaces alone")


@pytest.mark.task("train")
def test_the_character_0_is_a_byte_like_any_other(impl):
    exactly([tuple(m) for m in impl.train("\0\0\0", 300, GPT2)], [(0, 0), (256, 0)], "the merges of three of them")


@pytest.mark.task("train")
def test_no_size_below_256_is_taken(impl):
    for text, size in (("text", 0), ("text", -1), ("", 255)):
        with pytest.raises(ValueError):
            impl.train(text, size, GPT2)


@pytest.mark.task("train")
def test_ids_decide_ties_and_not_bytes(impl):
    merges = [tuple(m) for m in impl.train("abab acac", 258, r"\S+|\s+")]
    exactly(merges, [(97, 98), (97, 99)], "two merges of ab and ac")
    merges = [tuple(m) for m in impl.train("aab aab ba ba", 258, r"\S+|\s+")]
    exactly(merges, [(97, 97), (98, 97)], "(98, 97) before (256, 98), whose bytes come first")


@pytest.mark.task("train")
def test_there_may_be_a_thousand_merges(impl):
    text = "".join(chr(33 + (n * n * 7 + n * 13) % 90) + chr(200 + n % 50) for n in range(800))
    merges = [tuple(m) for m in impl.train(text, 5000, NO_SPLIT)]
    exactly(merges, train_fast(text, 5000, NO_SPLIT), "the merges of one pre-token of 2,400 bytes")


@pytest.mark.task("train")
def test_a_pre_token_may_occur_70_000_times(impl):
    merges = [tuple(m) for m in impl.train("ab" * 65_600 + "cd" * 70, 258, r"(?s:..)")]
    exactly(merges, [(97, 98), (99, 100)], "ab 65,600 times, cd 70 times")


@pytest.mark.task("train")
def test_a_small_vocabulary_may_follow_a_large_one(impl):
    for size in (262, 258, 260, 262):
        got = [tuple(m) for m in impl.train("low low lower", size, GPT2)]
        exactly(got, train_fast("low low lower", size, GPT2), f"the merges for vocab_size={size}")


@pytest.mark.task("train")
def test_counts_are_those_after_each_merge(impl):
    exactly([tuple(m) for m in impl.train("acac", 262, GPT2)], [(97, 99), (256, 256)], "two occurrences side by side")
    merges = [tuple(m) for m in impl.train("babbba", 262, GPT2)]
    exactly(merges[:2], [(98, 97), (98, 98)], "a pair whose count falls, and which is the best one later")
