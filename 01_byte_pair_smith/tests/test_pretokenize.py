"""The split: GPT-2's rule as a task; the other patterns, their ASCII forms, and what is refused."""

import pytest
import regex
from byte_pair_smith import CL100K, GPT2, NO_SPLIT, SINGLE_DIGITS, SMOLLM, pretokenize, pretokenize_fast
from grader import exactly
from hypothesis import given, settings
from hypothesis import strategies as st


@pytest.mark.task("pretokenize")
def test_words_keep_their_leading_space(impl):
    exactly(impl.pretokenize("Hello there, world!"), ["Hello", " there", ",", " world", "!"], "the pre-tokens")


@pytest.mark.task("pretokenize")
def test_numbers_and_letters_part(impl):
    exactly(impl.pretokenize("gpt2 is 12345x"), ["gpt", "2", " is", " 12345", "x"], "the pre-tokens")


@pytest.mark.task("pretokenize")
def test_white_space_leaves_one_space_to_the_word(impl):
    exactly(impl.pretokenize("a   b\n\n  c  "), ["a", "  ", " b", "\n\n ", " c", "  "], "the pre-tokens")
    exactly(impl.pretokenize("\tx\n"), ["\t", "x", "\n"], "the pre-tokens of a line")


@pytest.mark.task("pretokenize")
def test_clitics_in_lower_case_only(impl):
    exactly(impl.pretokenize("you're DON'T she's"), ["you", "'re", " DON", "'", "T", " she", "'s"], "the pre-tokens")
    exactly(impl.pretokenize("it’s"), ["it", "’", "s"], "the pre-tokens around a typographic apostrophe")


@pytest.mark.task("pretokenize")
def test_letters_of_all_scripts(impl):
    exactly(
        impl.pretokenize("Äpfel ναι 日本 हिन्दी"),
        ["Äpfel", " ναι", " 日本", " ह", "ि", "न", "्", "द", "ी"],
        "the pre-tokens",
    )


@pytest.mark.task("pretokenize")
def test_letters_and_digits_are_those_of_unicode_s_categories(impl):
    exactly(
        impl.pretokenize("x²) 5½! Ⅷa"), ["x", "²", ")", " 5½", "!", " Ⅷ", "a"], "²; ½ and Ⅷ, which are of category N"
    )
    exactly(impl.pretokenize("_-_ a_b"), ["_-_", " a", "_", "b"], "underscores, which are neither")


@pytest.mark.task("pretokenize")
def test_another_pattern_can_be_given(impl):
    exactly(
        impl.pretokenize("don't 12", NO_SPLIT), ["don't 12"], "the pre-tokens under a pattern that matches everything"
    )
    exactly(impl.pretokenize("ab", r"(?s:.)"), ["a", "b"], "the pre-tokens under a pattern that matches one character")


@pytest.mark.task("pretokenize")
def test_a_pattern_that_loses_characters_is_refused(impl):
    with pytest.raises(ValueError):
        impl.pretokenize("one 1", r"[a-z]+")


@pytest.mark.task("pretokenize")
def test_nothing_gives_nothing(impl):
    exactly(impl.pretokenize(""), [], "the pre-tokens of an empty text")


# ---------------------------------------------------------------- the patterns


@pytest.mark.parametrize("pattern", [GPT2, CL100K, SINGLE_DIGITS, SMOLLM, NO_SPLIT])
@settings(max_examples=100, deadline=None)
@given(text=st.text(max_size=60))
def test_pre_tokens_join_to_the_text(pattern, text):
    assert "".join(pretokenize(text, pattern)) == text


@pytest.mark.parametrize("pattern", [GPT2, CL100K, SINGLE_DIGITS])
@settings(max_examples=100, deadline=None)
@given(
    text=st.text(alphabet=st.characters(max_codepoint=127), max_size=60) | st.text(alphabet=" \t\n\r\x1c\v'sSrReE1.x")
)
def test_ascii_patterns_split_alike(pattern, text):
    assert pretokenize_fast(text, pattern) == pretokenize(text, pattern)


@pytest.mark.parametrize("pattern", [GPT2, CL100K, SINGLE_DIGITS])
@settings(max_examples=100, deadline=None)
@given(text=st.text(alphabet="ab1 .\n'sé\u00a0\u3000日", max_size=60), block=st.integers(1, 6))
def test_texts_in_blocks_split_alike(pattern, text, block):
    assert pretokenize_fast(text, pattern, block) == pretokenize(text, pattern)


def test_cl100k_splits_numbers_in_threes_and_keeps_line_ends_with_punctuation():
    assert pretokenize("12345 x;\n\n_y I'LL", CL100K) == ["123", "45", " x", ";\n\n", "_y", " I", "'LL"]
    assert pretokenize("a 123", SINGLE_DIGITS) == ["a", " 1", "2", "3"]


def test_bad_patterns_are_refused():
    with pytest.raises(ValueError, match="not a regular expression"):
        pretokenize("x", "[")
    with pytest.raises(ValueError, match="capturing group"):
        pretokenize("x", "(x)|y")
    with pytest.raises(ValueError, match="block=0"):
        pretokenize_fast("é", GPT2, 0)
    with pytest.raises(ValueError, match="'1' at character 4"):
        pretokenize("one 1", "[a-z ]+")


def test_smollm_s_split_leaves_every_digit_alone_and_the_spaces_before_it():
    assert pretokenize("a  12 b's", SMOLLM) == ["a", "  ", "1", "2", " b", "'s"]
    assert pretokenize("x 1 y", SMOLLM) == ["x", " ", "1", " y"]


@settings(max_examples=100, deadline=None)
@given(text=st.text(alphabet="ab 1٣½\n'st.é", max_size=40))
def test_smollm_s_split_is_digits_first_then_gpt2_s(text):
    parts = regex.split(r"(\p{N})", text)
    assert pretokenize(text, SMOLLM) == [p for part in parts for p in pretokenize(part)]


@pytest.mark.parametrize("function", [pretokenize, pretokenize_fast])
@pytest.mark.parametrize("text", [b"bytes", None, ["a", "b"]])
def test_what_is_no_text_is_refused(function, text):
    with pytest.raises(TypeError):
        function(text)
