"""What tasks 5 to 7 promise of inputs that are large, rare or at a limit."""

from collections import deque

import numpy as np
import pytest
from byte_pair_smith import GPT2, NO_SPLIT
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
