"""Encoding by rank and decoding, as tasks; then the fast forms beside the plain one."""

import random
import subprocess
import sys

import pytest
from byte_pair_smith import GPT2, GPT2_ORDER, NO_SPLIT, Tokenizer, Vocabulary, decode, encode, train_fast
from byte_pair_smith.encode_fast import merge_long, merge_short
from grader import exactly
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mistakes import LOWER_LATER, OUT_OF_REACH, TOKENS, TRAP, TRAP_TEXT, random_text, toy

# ---------------------------------------------------------------- encode


@pytest.mark.task("encode")
def test_the_lowest_rank_merges_first(impl):
    ranks = {bytes([b]): b for b in range(256)} | {b"bc": 256, b"ab": 257, b"cd": 258, b"abc": 259}
    exactly(list(impl.encode("abcd", ranks, NO_SPLIT)), [259, 100], "abcd with bc < ab < cd < abc")
    exactly(list(impl.encode("abab", ranks, NO_SPLIT)), [257, 257], "abab")
    ranks = {bytes([b]): b for b in range(256)} | {b"bc": 256, b"ab": 257, b"abcde": 258, b"cd": 259}
    exactly(list(impl.encode("abcd", ranks, NO_SPLIT)), [97, 256, 100], "abcd with bc < ab")


@pytest.mark.task("encode")
def test_merges_stay_inside_the_pre_tokens(impl):
    ranks = {bytes([b]): b for b in range(256)} | {b"a ": 256, b" b": 257, b"a b": 258}
    exactly(list(impl.encode("a b", ranks, GPT2)), [97, 257], "'a b', where the space belongs to b")
    exactly(list(impl.encode("a b", ranks, NO_SPLIT)), [258], "'a b' in one pre-token")


@pytest.mark.task("encode")
def test_ids_are_ranks_also_for_single_bytes(impl):
    ranks = {bytes([b]): i for i, b in enumerate(GPT2_ORDER)}
    exactly(list(impl.encode("!A\n", ranks, NO_SPLIT)), [0, 32, 198], "'!A' and a line end by GPT-2's byte order")


@pytest.mark.task("encode")
def test_every_text_has_ids(impl):
    ranks = {bytes([b]): b for b in range(256)}
    exactly(list(impl.encode("é🙂", ranks, NO_SPLIT)), list("é🙂".encode()), "two characters never seen in training")
    exactly(list(impl.encode("", ranks, GPT2)), [], "no text")


@pytest.mark.task("encode")
def test_ids_equal_tiktoken_s(impl, seed):
    import tiktoken

    for order in (bytes(range(256)), GPT2_ORDER):
        ranks, text = toy(seed, order)
        peer = tiktoken.Encoding("toy", pat_str=GPT2, mergeable_ranks=ranks, special_tokens={})
        exactly(
            list(impl.encode(text[:200] + "! ओम", ranks, GPT2)), peer.encode_ordinary(text[:200] + "! ओम"), "the ids"
        )
    peer = tiktoken.Encoding("trap", pat_str=GPT2, mergeable_ranks=TRAP, special_tokens={})
    exactly(list(impl.encode(TRAP_TEXT, TRAP, GPT2)), peer.encode_ordinary(TRAP_TEXT), "the ids where merges compete")


@pytest.mark.task("encode")
def test_of_equal_pairs_the_leftmost_is_merged(impl):
    ranks = {bytes([b]): b for b in range(256)} | {b"aa": 256}
    exactly(list(impl.encode("aaa", ranks, NO_SPLIT)), [256, 97], "aaa")
    exactly(list(impl.encode("baaaaa", ranks, NO_SPLIT)), [98, 256, 256, 97], "baaaaa")


@pytest.mark.task("encode")
def test_a_new_pair_may_come_before_an_old_one(impl):
    ranks = {bytes([b]): b for b in range(256)} | {b"ab": 256, b"abc": 257, b"cd": 258}
    exactly(list(impl.encode("abcd", ranks, NO_SPLIT)), [257, 100], "abcd with ab < abc < cd")
    exactly(list(impl.encode("abab", LOWER_LATER, NO_SPLIT)), [256, 98], "abab with aba < ab")


@pytest.mark.task("encode")
def test_a_pre_token_that_is_a_token_is_that_token(impl):
    exactly(list(impl.encode(".:.:", OUT_OF_REACH, NO_SPLIT)), [258], "'.:.:', a token that merging does not reach")
    exactly(list(impl.encode("a.:.:", OUT_OF_REACH, NO_SPLIT)), [97, 46, 256, 58], "'a.:.:', merged")


# ---------------------------------------------------------------- decode


@pytest.mark.task("decode")
def test_tokens_are_joined(impl):
    exactly(impl.decode([*b"on", 257, *b" rock"], TOKENS), "on the rock", "the text")
    exactly(impl.decode([], TOKENS), "", "the text of no ids")
    exactly(impl.decode(iter([97, 98]), TOKENS), "ab", "the text of an iterator's ids")


@pytest.mark.task("decode")
def test_a_character_may_be_spread_over_tokens(impl):
    exactly(impl.decode([258, 165], TOKENS), "日", "a character in two tokens")
    exactly(impl.decode(list("a🙂é".encode()), TOKENS), "a🙂é", "characters byte by byte")


@pytest.mark.task("decode")
def test_bytes_that_are_not_utf8_are_shown(impl):
    exactly(impl.decode([97, 0xC3, 98], TOKENS), "a\ufffdb", "half a character under the default")
    exactly(impl.decode([97, 0xC3, 98], TOKENS, "ignore"), "ab", "half a character with errors='ignore'")
    with pytest.raises(UnicodeDecodeError):
        impl.decode([97, 0xC3, 98], TOKENS, "strict")


@pytest.mark.task("decode")
def test_an_unknown_id_is_refused(impl):
    for ids in ([97, 999], [-1]):
        with pytest.raises(ValueError):
            impl.decode(ids, TOKENS)


@pytest.mark.task("decode")
def test_decoding_undoes_encoding(impl, seed):
    ranks, text = toy(seed)
    tokens = {i: token for token, i in ranks.items()}
    exactly(impl.decode(encode(text[:200], ranks), tokens), text[:200], "the text, there and back")


# ---------------------------------------------------------------- the fast forms

TOY = Vocabulary.from_merges(train_fast(random_text(0, 4000), 400, GPT2, GPT2_ORDER), GPT2_ORDER)
ALPHABET = st.text(alphabet="abcé ", max_size=200) | st.text(max_size=40)


@settings(max_examples=100, deadline=None)
@given(ALPHABET)
def test_the_tokenizer_equals_the_plain_encoder(text):
    assert Tokenizer(TOY).encode_ordinary(text) == encode(text, TOY.ranks, TOY.pattern)


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="abcé", max_size=300))
def test_short_and_long_words_merge_alike(text):
    word = "".join(chr(TOY.ranks[bytes([b])]) for b in text.encode())
    assert merge_long(word, TOY.pair_ids) == merge_short(word, TOY.pair_ids)


def test_very_long_words_equal_the_plain_encoder():
    rng = random.Random(1)
    text = "".join(rng.choice("abcé") for _ in range(1500)) + "a" * 333
    assert Tokenizer(TOY).encode_ordinary(text) == encode(text, TOY.ranks, TOY.pattern)


def test_a_full_cache_is_emptied_and_long_words_stay_out_of_it():
    tokenizer = Tokenizer(TOY, cache_limit=3)
    text = "ab ba abc cab b c a " * 3 + "abc" * 100
    assert tokenizer.encode_ordinary(text) == encode(text, TOY.ranks, TOY.pattern)
    assert len(tokenizer.cache) <= 3
    assert max(map(len, tokenizer.cache)) < 64


# ---------------------------------------------------------------- round trips


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=80))
@example(b"\xc3(\xff\x80 \xed\xa0\x80")
def test_any_bytes_come_back(data):
    tokenizer = Tokenizer(TOY)
    assert tokenizer.decode_bytes(tokenizer.encode_bytes(data)) == data


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60))
def test_any_text_comes_back_and_bytes_and_text_agree(text):
    tokenizer = Tokenizer(TOY)
    ids = tokenizer.encode_ordinary(text)
    assert tokenizer.decode(ids, "strict") == text
    assert tokenizer.encode_bytes(text.encode()) == ids


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=40))
def test_offsets_cover_the_text(text):
    tokenizer = Tokenizer(TOY)
    ids = tokenizer.encode_ordinary(text)
    spans = tokenizer.offsets(ids)
    assert [s for s, _ in spans] == sorted(s for s, _ in spans)
    assert {i for s, e in spans for i in range(s, e)} == set(range(len(text)))
    for i, (start, end) in zip(ids, spans, strict=True):
        assert TOY.tokens[i] in text[start:end].encode()


def test_offsets_equal_tiktoken_s():
    import tiktoken

    peer = tiktoken.Encoding("toy", pat_str=GPT2, mergeable_ranks=TOY.ranks, special_tokens={})
    tokenizer = Tokenizer(TOY)
    ids = tokenizer.encode_ordinary("abé 🙂 日本 cab")
    assert [s for s, _ in tokenizer.offsets(ids)] == peer.decode_with_offsets(ids)[1]


def test_tokens_out_of_reach_and_tokens_before_their_parts_equal_tiktoken_s():
    import tiktoken

    before_its_parts = {bytes([b]): b for b in range(256)} | {b"abc": 256, b"ab": 257}
    for ranks in (OUT_OF_REACH, before_its_parts):
        vocabulary = Vocabulary.from_ranks(ranks, NO_SPLIT)
        peer = tiktoken.Encoding("odd", pat_str=NO_SPLIT, mergeable_ranks=ranks, special_tokens={})
        for text in (".:.:", "a.:.:", ".:", ".:.:.:", "abc", "xabc", "ababc"):
            assert (
                Tokenizer(vocabulary).encode_ordinary(text)
                == peer.encode_ordinary(text)
                == encode(text, ranks, NO_SPLIT)
            )
        with pytest.raises(ValueError, match="no merge of two earlier tokens"):
            vocabulary.merges  # noqa: B018
    assert Vocabulary.from_ranks(OUT_OF_REACH).unreachable == [258, 259]
    assert Vocabulary.from_ranks(before_its_parts).parents[256] == (257, 99)


def test_ids_may_be_numpy_s_or_an_iterator():
    import numpy as np

    tokenizer = Tokenizer(TOY)
    ids = tokenizer.encode_ordinary("abc é")
    assert (
        tokenizer.decode(np.array(ids))
        == tokenizer.decode(iter(ids))
        == decode(np.array(ids), TOY.token_bytes)
        == "abc é"
    )
    assert tokenizer.offsets(np.array(ids)) == tokenizer.offsets(ids)


def test_ids_may_be_anything_that_is_a_whole_number():
    class Tensor:  # PyTorch's, as far as it matters here
        def __init__(self, value):
            self.value = value

        def __index__(self):
            return self.value

    tokenizer = Tokenizer(TOY)
    assert tokenizer.decode([Tensor(i) for i in tokenizer.encode_ordinary("abc é")]) == "abc é"


@pytest.mark.parametrize("ids", [[1.5], ["a"], 5, None, [[1, 2]], "12"])
def test_what_is_no_sequence_of_ids_is_refused(ids):
    with pytest.raises(TypeError):
        Tokenizer(TOY).decode(ids)


@pytest.mark.parametrize(
    "text, error", [(b"ab", TypeError), (None, TypeError), (["ab"], TypeError), ("ab\ud800", ValueError)]
)
def test_what_is_no_text_is_refused(text, error):
    for encoder in (Tokenizer(TOY).encode_ordinary, Tokenizer(TOY).encode, lambda text: encode(text, TOY.ranks)):
        with pytest.raises(error):
            encoder(text)


def test_a_byte_without_an_id_is_refused():
    vocabulary = Vocabulary(TOY.tokens[:188] + TOY.tokens[189:], missing_bytes=TOY.tokens[188])
    assert Tokenizer(vocabulary).encode_ordinary("abc")
    with pytest.raises(ValueError, match="text="):
        Tokenizer(vocabulary).encode_ordinary(TOY.tokens[188].decode())


def test_bad_input_is_refused():
    tokenizer = Tokenizer(TOY)
    with pytest.raises(ValueError, match="lone surrogate at character 2"):
        tokenizer.encode_ordinary("ab\ud800")
    with pytest.raises(ValueError, match="99999"):
        tokenizer.decode([99999])
    with pytest.raises(ValueError, match="cache_limit=0"):
        Tokenizer(TOY, cache_limit=0)
    with pytest.raises(UnicodeDecodeError):
        tokenizer.offsets(tokenizer.encode_bytes(b"\xff"))


SENTENCES = """
import byte_pair_smith as b
vocabulary = b.Vocabulary.from_merges([], special_tokens={"<|a|>": 300})
tokenizer = b.Tokenizer(vocabulary)
for start, call in {
    "text=b'ab': it must be a str": lambda: b.train(b"ab", 300),
    "text=None: it must be a str": lambda: tokenizer.encode(None),
    "text=['a']: it must be a str": lambda: b.pretokenize(["a"]),
    "ids=5: it must be a sequence": lambda: b.decode(5, {}),
    "ids=[1.5]: it must be a sequence": lambda: tokenizer.decode([1.5]),
    "special='<|a|>': it must be": lambda: tokenizer.encode("a", "<|a|>"),
    "tokens[0]='a': a token must be bytes": lambda: b.Vocabulary(("a",)),
    "special_tokens={'<|a|>': '5'}: give a str": lambda: b.Vocabulary.from_merges([], special_tokens={"<|a|>": "5"}),
    "special_tokens='<|a|>': it must be a list": lambda: b.load_gpt2("x", "y", "<|a|>"),
}.items():
    try:
        call()
    except TypeError as error:
        assert str(error).startswith(start), (start, error)
    else:
        raise AssertionError(start)
"""


def test_type_errors_say_what_to_do():
    """In a process of its own: here, annotations are checked first."""
    done = subprocess.run([sys.executable, "-c", SENTENCES], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
