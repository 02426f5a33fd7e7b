"""Special tokens: allowed, forbidden, or ordinary text."""

import pytest
from byte_pair_smith import GPT2, Tokenizer, Vocabulary, train_fast
from grader import exactly
from mistakes import MARKS, letters, random_text


@pytest.mark.task("encode_with_special")
def test_an_allowed_mark_becomes_its_id(impl):
    got = impl.encode_with_special("a <|end|> b<|end|><|end|>c", letters, MARKS, {"<|end|>"})
    exactly(list(got), [97, 32, 5003, 32, 98, 5003, 5003, 99], "the ids")


@pytest.mark.task("encode_with_special")
def test_a_mark_is_refused_unless_it_is_allowed(impl):
    with pytest.raises(ValueError, match=r"<\|end\|>"):
        impl.encode_with_special("a<|end|>", letters, MARKS)
    with pytest.raises(ValueError, match=r"<\|b\|>"):
        impl.encode_with_special("a<|end|><|b|>", letters, MARKS, {"<|end|>"})


@pytest.mark.task("encode_with_special")
def test_what_is_neither_allowed_nor_disallowed_is_text(impl):
    exactly(list(impl.encode_with_special("<|b|>", letters, MARKS, (), ())), letters("<|b|>"), "a mark as text")
    got = impl.encode_with_special("<|b|><|end|>", letters, MARKS, {"<|end|>"}, ())
    exactly(list(got), [*letters("<|b|>"), 5003], "one mark as text and one as its id")
    got = impl.encode_with_special("<|b|>", letters, MARKS, (), {"<|end|>"})
    exactly(list(got), letters("<|b|>"), "a mark that is not among the disallowed")


@pytest.mark.task("encode_with_special")
def test_the_longest_mark_wins(impl):
    for marks in (MARKS, dict(reversed(MARKS.items()))):
        got = impl.encode_with_special("<|a|><|b|><|a|>x", letters, marks, set(marks))
        exactly(list(got), [5002, 5001, 120], "the ids of <|a|><|b|> followed by <|a|>")


@pytest.mark.task("encode_with_special")
def test_text_without_marks_is_ordinary(impl):
    exactly(list(impl.encode_with_special(" a|b ", letters, MARKS, set(MARKS))), letters(" a|b "), "the ids")
    exactly(list(impl.encode_with_special("", letters, MARKS, set(MARKS))), [], "the ids of nothing")
    exactly(list(impl.encode_with_special("<|x|>", letters, {})), letters("<|x|>"), "no special tokens at all")


@pytest.mark.task("encode_with_special")
def test_an_unknown_name_in_allowed_is_refused(impl):
    with pytest.raises(ValueError, match="ned"):
        impl.encode_with_special("a", letters, MARKS, {"<|ned|>"})


# ---------------------------------------------------------------- in the tokenizer


def test_special_tokens_equal_tiktoken_s():
    import tiktoken

    merges = train_fast(random_text(0, 400), 300)
    vocabulary = Vocabulary.from_merges(merges, special={"<|end|>": 300, "<|sep|>": 305})
    peer = tiktoken.Encoding(
        "toy", pat_str=GPT2, mergeable_ranks=vocabulary.ranks, special_tokens=dict(vocabulary.special)
    )
    tokenizer = Tokenizer(vocabulary)
    text = "ab <|end|> ca<|sep|>b <|end|>"
    assert tokenizer.encode(text, {"<|end|>", "<|sep|>"}) == peer.encode(text, allowed_special="all")
    assert tokenizer.encode(text, (), ()) == peer.encode(text, disallowed_special=()) == tokenizer.encode_ordinary(text)
    assert tokenizer.encode(text, {"<|sep|>"}, ()) == peer.encode(
        text, allowed_special={"<|sep|>"}, disallowed_special=()
    )
    assert tokenizer.decode(tokenizer.encode(text, {"<|end|>", "<|sep|>"})) == text
    for encoder in (
        lambda: tokenizer.encode(text, {"<|end|>"}),
        lambda: peer.encode(text, allowed_special={"<|end|>"}),
    ):
        with pytest.raises(ValueError, match=r"<\|sep\|>"):
            encoder()


def test_special_tokens_with_bad_ids_are_refused():
    for special, why in (
        ({"<|a|>": 10}, "below 256"),
        ({"<|a|>": 300, "<|b|>": 300}, "share an id"),
        ({"": 300}, "empty"),
    ):
        with pytest.raises(ValueError, match=why):
            Vocabulary.from_merges([], special=special)
