"""Special tokens: allowed, forbidden, or ordinary text."""

import pytest
from byte_pair_smith import GPT2, Tokenizer, Vocabulary, train_fast
from grader import exactly
from mistakes import SPECIAL_TOKENS, letters, random_text


@pytest.mark.task("encode_with_special")
def test_an_allowed_special_token_becomes_its_id(impl):
    got = impl.encode_with_special("a <|end|> b<|end|><|end|>c", letters, SPECIAL_TOKENS, {"<|end|>"})
    exactly(list(got), [97, 32, 5003, 32, 98, 5003, 5003, 99], "the ids")


@pytest.mark.task("encode_with_special")
def test_a_special_token_is_refused_unless_it_is_allowed(impl):
    with pytest.raises(ValueError):
        impl.encode_with_special("a<|end|>", letters, SPECIAL_TOKENS)
    with pytest.raises(ValueError):
        impl.encode_with_special("a<|end|><|b|>", letters, SPECIAL_TOKENS, {"<|end|>"})
    with pytest.raises(ValueError):
        impl.encode_with_special("<|end|>", letters, SPECIAL_TOKENS, {"<|end|>"}, {"<|end|>"})


@pytest.mark.task("encode_with_special")
def test_what_is_neither_allowed_nor_disallowed_is_text(impl):
    exactly(
        list(impl.encode_with_special("<|b|>", letters, SPECIAL_TOKENS, (), ())),
        letters("<|b|>"),
        "a special token as text",
    )
    got = impl.encode_with_special("<|b|><|end|>", letters, SPECIAL_TOKENS, {"<|end|>"}, ())
    exactly(list(got), [*letters("<|b|>"), 5003], "one special token as text and one as its id")
    got = impl.encode_with_special("<|b|>", letters, SPECIAL_TOKENS, (), {"<|end|>"})
    exactly(list(got), letters("<|b|>"), "a special token that is not among the disallowed")


@pytest.mark.task("encode_with_special")
def test_the_longest_special_token_wins(impl):
    for special_tokens in (SPECIAL_TOKENS, dict(reversed(SPECIAL_TOKENS.items()))):
        got = impl.encode_with_special("<|a|><|b|><|a|>x", letters, special_tokens, set(special_tokens))
        exactly(list(got), [5002, 5001, 120], "the ids of <|a|><|b|> followed by <|a|>")


@pytest.mark.task("encode_with_special")
def test_text_without_special_tokens_is_ordinary(impl):
    exactly(
        list(impl.encode_with_special(" a|b ", letters, SPECIAL_TOKENS, set(SPECIAL_TOKENS))),
        letters(" a|b "),
        "the ids",
    )
    exactly(list(impl.encode_with_special("", letters, SPECIAL_TOKENS, set(SPECIAL_TOKENS))), [], "the ids of nothing")
    exactly(list(impl.encode_with_special("<|x|>", letters, {})), letters("<|x|>"), "no special tokens at all")


@pytest.mark.task("encode_with_special")
def test_white_space_alone_is_ordinary_text(impl):
    got = impl.encode_with_special("  <|b|> <|end|>\n", letters, SPECIAL_TOKENS, "all")
    exactly(list(got), [32, 32, 5004, 32, 5003, 10], "the ids of white space around two special tokens")


@pytest.mark.task("encode_with_special")
def test_an_unknown_name_in_allowed_is_refused(impl):
    with pytest.raises(ValueError):
        impl.encode_with_special("a", letters, SPECIAL_TOKENS, {"<|ned|>"})


@pytest.mark.task("encode_with_special")
def test_all_may_be_allowed_at_once(impl):
    got = impl.encode_with_special("a<|end|><|b|>", letters, SPECIAL_TOKENS, "all")
    exactly(list(got), [97, 5003, 5004], "the ids with allowed_special='all'")
    exactly(list(impl.encode_with_special("a<|end|>", letters, SPECIAL_TOKENS, "all", ())), [97, 5003], "all and none")


@pytest.mark.task("encode_with_special")
def test_a_disallowed_special_token_is_refused_inside_an_allowed_one(impl):
    with pytest.raises(ValueError):
        impl.encode_with_special("<|a|><|b|>", letters, SPECIAL_TOKENS, {"<|a|><|b|>"})


# ---------------------------------------------------------------- in the tokenizer


def test_special_tokens_equal_tiktoken_s():
    import tiktoken

    merges = train_fast(random_text(0, 400), 300)
    vocabulary = Vocabulary.from_merges(merges, special_tokens={"<|end|>": 300, "<|sep|>": 305})
    peer = tiktoken.Encoding(
        "toy", pat_str=GPT2, mergeable_ranks=vocabulary.ranks, special_tokens=dict(vocabulary.special_tokens)
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
    for special_tokens, error, message in (
        ({"<|a|>": 10}, ValueError, "ordinary token"),
        ({"<|a|>": 300, "<|b|>": 300}, ValueError, "same id"),
        ({"": 300}, ValueError, "empty"),
        ({"<|a|>": "300"}, TypeError, "special_tokens"),
    ):
        with pytest.raises(error, match=message):
            Vocabulary.from_merges([], special_tokens=special_tokens)


def test_one_name_in_place_of_a_set_is_refused():
    tokenizer = Tokenizer(Vocabulary.from_merges([], special_tokens={"<|a|>": 300}))
    for sets in ({"allowed_special": "<|a|>"}, {"disallowed_special": "<|a|>"}):
        with pytest.raises(TypeError):
            tokenizer.encode("text", **sets)
