"""What the tasks promise of inputs that are large, rare or at a limit."""

from collections import deque

import numpy as np
import pytest
from byte_pair_smith import GPT2, NO_SPLIT, train_fast
from grader import exactly
from mistakes import (
    BYTES,
    BYTES_LAST,
    DASHES,
    FIRST_OF_ALL,
    HALVES,
    LOWER_LATER,
    SPECIAL_TOKENS,
    TOKENS,
    TWO_WAYS,
    WITH_GAPS,
    letters,
)

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


# ---------------------------------------------------------------- encode


@pytest.mark.task("encode")
def test_ids_may_have_gaps(impl):
    exactly(list(impl.encode("abcd", WITH_GAPS, NO_SPLIT)), [150_000, 300], "ab has id 150,000, cd has id 300")
    exactly(list(impl.encode("abc", WITH_GAPS, NO_SPLIT)), [2_000_003], "abc has id 2,000,003")


@pytest.mark.task("encode")
def test_a_whole_pre_token_may_have_id_0(impl):
    exactly(list(impl.encode(".:.:", FIRST_OF_ALL, NO_SPLIT)), [0], "a token that merging does not reach")


@pytest.mark.task("encode")
def test_merging_starts_from_bytes_whatever_characters_they_make(impl):
    exactly(list(impl.encode("日a", HALVES, NO_SPLIT)), [256, 257], "日 and a, in two tokens that cut the character")
    exactly(
        list(impl.encode("本本", HALVES, NO_SPLIT)), list("本本".encode()), "a character that merging does not reach"
    )


@pytest.mark.task("encode")
def test_tokens_and_pre_tokens_may_be_long(impl):
    exactly(list(impl.encode("-" * 90, DASHES, NO_SPLIT)), [261], "90 dashes, which are a token")
    exactly(list(impl.encode("ab" * 1100, DASHES, NO_SPLIT)), [262] * 1100, "a pre-token of 1,100 merges")
    exactly(list(impl.encode(" ab" * 1100, DASHES, GPT2)), [32, 262] * 1100, "1,100 pre-tokens")


@pytest.mark.task("encode")
def test_a_token_may_be_made_in_two_ways(impl):
    for text, ids in (("xabc", [120, 258]), ("xbcd", [120, 261]), ("xabcd", [120, 260])):
        exactly(list(impl.encode(text, TWO_WAYS, NO_SPLIT)), ids, text)


@pytest.mark.task("encode")
def test_a_vocabulary_may_grow_between_two_calls(impl):
    ranks = dict(BYTES)
    exactly(list(impl.encode("ab", ranks, NO_SPLIT)), [97, 98], "before")
    ranks[b"ab"] = 256
    exactly(list(impl.encode("ab", ranks, NO_SPLIT)), [256], "after")


@pytest.mark.task("encode")
def test_a_rank_may_be_0_or_below_the_last_one(impl):
    exactly(list(impl.encode("abx", BYTES_LAST, NO_SPLIT)), [0, BYTES_LAST[b"x"]], "ab has id 0")
    exactly(list(impl.encode("abab", LOWER_LATER, NO_SPLIT)), [256, 98], "aba has a lower rank than ab")


# ---------------------------------------------------------------- decode


@pytest.mark.task("decode")
def test_a_vocabulary_to_decode_may_have_gaps(impl):
    tokens = {100_257: b" end", 7: b"b", 0: b"a"}
    exactly(impl.decode([0, 7, 100_257, 0], tokens), "ab enda", "ids up to 100,257 of three tokens")
    for errors in ("replace", "ignore", "strict"):
        with pytest.raises(ValueError):
            impl.decode([0, 1], tokens, errors)


@pytest.mark.task("decode")
def test_nothing_of_the_text_is_lost(impl):
    for text in ("  a\r\n\n ", "\x00a\x00", "e\u0301", "a\rb", "\ufeffa"):
        exactly(impl.decode(text.encode(), TOKENS), text, f"the bytes of {text!r}")
    exactly(impl.decode([0x80, 0x80], TOKENS), "\ufffd\ufffd", "two bytes that are no text")
    exactly(impl.decode([97, 0xE6], TOKENS), "a\ufffd", "the first byte of a character at the end")
    with pytest.raises(UnicodeDecodeError):
        impl.decode([97, 0xE6], TOKENS, "strict")


@pytest.mark.task("decode")
def test_ids_may_be_any_iterable_and_many(impl):
    ids = [97, 98, 99]
    for given in ((i for i in ids), range(97, 100), deque(ids), dict.fromkeys(ids).keys(), np.array(ids)):
        exactly(impl.decode(given, TOKENS), "abc", f"ids from a {type(given).__name__}")
    exactly(impl.decode(iter(()), TOKENS), "", "an iterator of no ids")
    exactly(impl.decode([258, 165] * 1500, TOKENS), "日" * 1500, "3,000 ids")


@pytest.mark.task("decode")
def test_errors_is_that_of_bytes_decode(impl):
    for errors in ("backslashreplace", "surrogateescape"):
        exactly(impl.decode([97, 0xC3], TOKENS, errors), b"a\xc3".decode("utf-8", errors), f"errors={errors!r}")


# ---------------------------------------------------------------- encode_with_special


@pytest.mark.task("encode_with_special")
def test_signs_of_regular_expressions_are_nothing_special(impl):
    tokens = {"[INST]": 1, "<e.>": 2, "a+b": 3, "<im start>": 4, "<｜end｜>": 0}
    got = impl.encode_with_special("I[INST]<e.><ex>a+b<im start><｜end｜>", letters, tokens, "all")
    exactly(list(got), [73, 1, 2, *letters("<ex>"), 3, 4, 0], "the ids")


@pytest.mark.task("encode_with_special")
def test_only_allowed_special_tokens_are_looked_for(impl):
    got = impl.encode_with_special("<|a|><|b|>", letters, SPECIAL_TOKENS, {"<|a|>"}, ())
    exactly(list(got), [5001, *letters("<|b|>")], "<|a|> is allowed, <|a|><|b|> is text")
    exactly(list(impl.encode_with_special("<|END|>", letters, SPECIAL_TOKENS)), letters("<|END|>"), "another case")


@pytest.mark.task("encode_with_special")
def test_the_ordinary_encoder_is_not_called_where_there_is_no_text(impl):
    begin = lambda text: [0, *letters(text)]  # noqa: E731  each text begins with the id 0
    for text, ids in (("<|b|><|b|>", [5004, 5004]), ("", []), ("<|b|>a<|b|>", [5004, 0, 97, 5004])):
        exactly(list(impl.encode_with_special(text, begin, SPECIAL_TOKENS, "all")), ids, f"the ids of {text!r}")
    exactly(list(impl.encode_with_special("", begin, SPECIAL_TOKENS)), [], "the ids of no text, with none allowed")


@pytest.mark.task("encode_with_special")
def test_a_special_token_as_text_may_be_a_whole_part(impl):
    got = impl.encode_with_special("<|b|><|end|><|b|>", letters, SPECIAL_TOKENS, {"<|end|>"}, ())
    exactly(list(got), [*letters("<|b|>"), 5003, *letters("<|b|>")], "<|end|> is allowed, <|b|> is text")


@pytest.mark.task("encode_with_special")
def test_a_disallowed_special_token_may_lie_across_an_allowed_one(impl):
    with pytest.raises(ValueError):
        impl.encode_with_special("abcd", letters, {"ab": 5001, "bcd": 5002}, {"ab"})


@pytest.mark.task("encode_with_special")
def test_the_text_is_searched_as_it_is(impl):
    got = impl.encode_with_special("<|e<|b|>nd|>", letters, SPECIAL_TOKENS, {"<|b|>"})
    exactly(list(got), [*letters("<|e"), 5004, *letters("nd|>")], "<|b|> inside the letters of <|end|>")


@pytest.mark.task("encode_with_special")
def test_an_unknown_name_is_refused_in_every_case(impl):
    cases = [("", SPECIAL_TOKENS, ["<|end|>", "<|ned|>"], "all"), ("a", SPECIAL_TOKENS, {"<|ned|>"}, ())]
    for text, tokens, allowed, disallowed in [
        *cases,
        ("a", {}, {"<|ned|>"}, "all"),
        ("a", SPECIAL_TOKENS, {"all"}, ()),
    ]:
        with pytest.raises(ValueError):
            impl.encode_with_special(text, letters, tokens, allowed, disallowed)


@pytest.mark.task("encode_with_special")
def test_the_names_may_be_in_any_collection(impl):
    for kind in (list, tuple, frozenset, dict.fromkeys):
        got = impl.encode_with_special("<|b|>a", letters, SPECIAL_TOKENS, allowed_special=kind(["<|b|>", "<|end|>"]))
        exactly(list(got), [5004, 97], "an allowed special token")
        with pytest.raises(ValueError):
            impl.encode_with_special("<|b|>", letters, SPECIAL_TOKENS, (), disallowed_special=kind(["<|a|>", "<|b|>"]))


@pytest.mark.task("encode_with_special")
def test_the_word_all_inside_a_set_is_a_name(impl):
    tokens = {"all": 5001, "<|end|>": 5002}
    exactly(
        list(impl.encode_with_special("all<|end|>", letters, tokens, {"all"}, ())), [5001, *letters("<|end|>")], "ids"
    )


@pytest.mark.task("encode_with_special")
def test_special_tokens_may_be_many_and_the_encoder_another(impl):
    got = impl.encode_with_special("é\nb<|b|>" * 1100, lambda text: [len(text)] if text else [], SPECIAL_TOKENS, "all")
    exactly(list(got), [3, 5004] * 1100, "the ids of 1,100 parts")
    got = impl.encode_with_special("é\nb<|b|>" * 1100, letters, SPECIAL_TOKENS, "all")
    exactly(list(got), [233, 10, 98, 5004] * 1100, "the same text, another encoder")


@pytest.mark.task("encode_with_special")
def test_special_tokens_are_looked_for_from_the_left_and_disallowed_ones_everywhere(impl):
    exactly(list(impl.encode_with_special("abcd", letters, {"ab": 1, "bcd": 2}, "all")), [1, 99, 100], "ab comes first")
    with pytest.raises(ValueError):
        impl.encode_with_special("<|a|><|b|>", letters, SPECIAL_TOKENS, {"<|a|><|b|>"})


@pytest.mark.task("encode_with_special")
def test_text_without_special_tokens_is_one_piece_and_white_space_is_text(impl):
    got = impl.encode_with_special("a <|b|>", lambda text: [len(text)], SPECIAL_TOKENS, (), ())
    exactly(list(got), [7], "the lengths of the pieces of seven characters")
    exactly(list(impl.encode_with_special("<|b|> <|b|>", letters, SPECIAL_TOKENS, "all")), [5004, 32, 5004], "a space")
