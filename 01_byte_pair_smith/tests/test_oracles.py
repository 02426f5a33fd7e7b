"""Equal to the libraries: merges to rustbpe and Hugging Face tokenizers, ids to tiktoken, on whole texts."""

import json
import os
import random
import unicodedata
import warnings
from pathlib import Path

import pytest
from byte_pair_smith import (
    CL100K,
    GPT2,
    GPT2_ORDER,
    NO_SPLIT,
    SMOLLM,
    Tokenizer,
    Vocabulary,
    encode,
    load_tiktoken,
    load_tokenizer_json,
    save_tiktoken,
    save_tokenizer_json,
    train_fast,
)
from byte_pair_smith.lab.fetch import SMOLLM2, is_local, load_text, model
from byte_pair_smith.lab.vocabularies import load_vocabulary
from byte_pair_smith.vocabulary import tokens_of

SIZES = [1024, 8192]
TEXTS = ["pydoc", pytest.param("shakespeare", marks=pytest.mark.data)]


@pytest.fixture
def text(request):
    return named_text(request.param)


def named_text(name):
    if name == "shakespeare":
        here("tinyshakespeare.txt")
    return load_text(name)


def here(name):
    """The path of a file of HARDWAY_DATA; skips, with the reason, where it is not there."""
    folder = os.environ.get("HARDWAY_DATA")
    if not folder or not (path := Path(folder) / name).exists():
        pytest.skip(f"{name} is not in the folder HARDWAY_DATA")
    return path


def unicode_strings(count, seed):
    """Strings of assigned characters, of what the split looks at, and of two-byte letters.

    "Assigned" is by Python's own table (Unicode 14 in Python 3.11, 15.1 in 3.13), which is older than that of any peer
    here. `regex` knows a newer Unicode than tiktoken. On letters that only one of them knows, the two split
    differently, in about one random string of a thousand.
    """
    rng = random.Random(seed)
    assigned = [i for i in range(0x110000) if unicodedata.category(chr(i)) not in ("Cn", "Cs")]
    edges = list(map(ord, " \t\n\r\v\f'sSdDmMtTlLvVrReE12x3.!_-\u00a0\u3000\u2028\u200b\x1c\x85\u0301ßſK٣५"))
    pools = [assigned, edges, range(1, 0x378)]
    return ["".join(map(chr, rng.choices(pools[n % 3], k=rng.randrange(1, 24)))) for n in range(count)]


# ---------------------------------------------------------------- training


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("pattern", [GPT2, CL100K], ids=["gpt2", "cl100k"])
@pytest.mark.parametrize("text", TEXTS, indirect=True)
def test_merges_equal_rustbpe_s(text, size, pattern):
    import rustbpe

    peer = rustbpe.Tokenizer()
    peer.train_from_iterator(iter([text]), vocab_size=size, pattern=pattern)
    theirs = [bytes(token) for token, _ in sorted(peer.get_mergeable_ranks(), key=lambda item: item[1])]
    merges = train_fast(text, size, pattern)
    assert len(merges) == size - 256
    assert tokens_of(merges) == theirs


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("pattern", [GPT2, CL100K], ids=["gpt2", "cl100k"])
@pytest.mark.parametrize("text", TEXTS, indirect=True)
def test_merges_equal_hugging_face_s(text, size, pattern, tmp_path):
    import tokenizers
    from tokenizers import models, pre_tokenizers, trainers

    peer = tokenizers.Tokenizer(models.BPE())
    peer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(tokenizers.Regex(pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    peer.train_from_iterator(
        [text],
        trainers.BpeTrainer(vocab_size=size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False),
    )
    peer.save(str(tmp_path / "tokenizer.json"))
    theirs = load_tokenizer_json(tmp_path / "tokenizer.json")
    ours = Vocabulary.from_merges(train_fast(text, size, pattern, GPT2_ORDER), GPT2_ORDER, pattern)
    assert len(ours.merges) == size - 256
    assert ours.merges == theirs.merges
    assert ours.tokens == theirs.tokens
    sample = text[:20000]
    assert Tokenizer(theirs).encode_ordinary(sample) == peer.encode(sample).ids


# ---------------------------------------------------------------- encoding with a vocabulary trained here


@pytest.mark.parametrize("pattern", [GPT2, CL100K], ids=["gpt2", "cl100k"])
def test_ids_equal_tiktoken_s_on_code_and_on_unicode(pattern):
    import tiktoken

    vocabulary = Vocabulary.from_merges(train_fast(load_text("pydoc"), 2048, pattern), pattern=pattern)
    peer = tiktoken.Encoding("ours", pat_str=pattern, mergeable_ranks=vocabulary.ranks, special_tokens={})
    tokenizer = Tokenizer(vocabulary)
    for text in [load_text("code")[:300_000], *unicode_strings(4000, 0)]:
        assert tokenizer.encode_ordinary(text) == peer.encode_ordinary(text), ascii(text[:40])


def test_the_plain_encoder_equals_tiktoken_on_prose():
    import tiktoken

    text = load_text("pydoc")
    vocabulary = Vocabulary.from_merges(train_fast(text, 1024))
    peer = tiktoken.Encoding("ours", pat_str=GPT2, mergeable_ranks=vocabulary.ranks, special_tokens={})
    assert encode(text[:30_000], vocabulary.ranks) == peer.encode_ordinary(text[:30_000])


def test_tiktoken_reads_our_rank_file_and_hugging_face_our_tokenizer_json(tmp_path):
    import tokenizers
    from tiktoken.load import load_tiktoken_bpe

    vocabulary = Vocabulary.from_merges(train_fast(load_text("pydoc"), 1024, CL100K, GPT2_ORDER), GPT2_ORDER, CL100K)
    save_tiktoken(vocabulary, tmp_path / "ours.tiktoken")
    assert load_tiktoken_bpe(str(tmp_path / "ours.tiktoken")) == vocabulary.ranks
    save_tokenizer_json(vocabulary, tmp_path / "tokenizer.json")
    peer = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    tokenizer = Tokenizer(vocabulary)
    for text in [load_text("pydoc")[:20_000], "it's 12345 naïve, 日本 🙂\n\n  x"]:
        assert peer.encode(text).ids == tokenizer.encode_ordinary(text)
        assert peer.decode(peer.encode(text).ids) == text


@pytest.mark.parametrize("pattern", [NO_SPLIT, SMOLLM, GPT2, CL100K], ids=["none", "smollm", "gpt2", "cl100k"])
def test_hugging_face_reads_every_split_that_we_write(pattern, tmp_path):
    import tokenizers

    vocabulary = Vocabulary.from_merges(train_fast("ab 12 cd. " * 9, 280, pattern), pattern=pattern)
    save_tokenizer_json(vocabulary, tmp_path / "tokenizer.json")
    assert load_tokenizer_json(tmp_path / "tokenizer.json") == vocabulary
    peer = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    for text in ["ab 12 cd. ab", "ab  1200\n\n cd", "it's 3½ ٣٣  é"]:
        assert peer.encode(text).ids == Tokenizer(vocabulary).encode_ordinary(text)


def test_added_tokens_equal_hugging_face_s_special_or_not(tmp_path):
    import tokenizers

    vocabulary = Vocabulary.from_merges(
        train_fast("food foo bar " * 9, 270), special_tokens={"bars": 300, "<|x|>": 301}
    )
    save_tokenizer_json(vocabulary, tmp_path / "tokenizer.json")
    content = json.loads((tmp_path / "tokenizer.json").read_text(encoding="utf-8"))
    content["added_tokens"][0]["special"] = False
    (tmp_path / "tokenizer.json").write_text(json.dumps(content), encoding="utf-8")
    peer = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    ours = Tokenizer(load_tokenizer_json(tmp_path / "tokenizer.json"))
    for text in ("food bars foo", "<|x|>bar foobarsx<|x|>", "bar s"):
        assert ours.encode(text, "all") == peer.encode(text).ids


# ---------------------------------------------------------------- the real vocabularies


@pytest.fixture(scope="module", params=["gpt2", "cl100k"])
def real(request):
    """(name, our tokenizer, tiktoken's Encoding) with the vocabulary of GPT-2 or of GPT-4."""
    import tiktoken

    for name in {"gpt2": ["gpt2_vocab.bpe", "gpt2_encoder.json"], "cl100k": ["cl100k_base.tiktoken"]}[request.param]:
        here(name)
    vocabulary = load_vocabulary(request.param)
    peer = tiktoken.Encoding(
        request.param,
        pat_str=vocabulary.pattern,
        mergeable_ranks=vocabulary.ranks,
        special_tokens=dict(vocabulary.special_tokens),
    )
    return request.param, Tokenizer(vocabulary), peer


@pytest.mark.data
def test_ids_equal_the_recorded_vectors(real):
    name, tokenizer, _ = real
    rows = [json.loads(line) for line in here("tokenizer_vectors.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 300
    for row in rows:
        assert tokenizer.encode_ordinary(row["text"]) == row[name], ascii(row["text"][:40])


@pytest.mark.data
def test_ids_equal_tiktoken_s_on_fifty_thousand_unicode_strings(real):
    _, tokenizer, peer = real
    for text in unicode_strings(50_000, 1):
        assert tokenizer.encode_ordinary(text) == peer.encode_ordinary(text), ascii(text)


@pytest.mark.data
@pytest.mark.parametrize("real", ["gpt2"], indirect=True)
def test_ids_equal_llama_cpp_s_test_strings(real):
    _, tokenizer, _ = real
    strings = here("ggml-vocab-gpt-2.gguf.inp").read_text(encoding="utf-8").split("\n__ggml_vocab_test__\n")
    lines = here("ggml-vocab-gpt-2.gguf.out").read_text(encoding="utf-8").split("\n")
    assert len(strings) == 47
    for text, line in zip(strings, lines, strict=False):
        assert tokenizer.encode_ordinary(text) == list(map(int, line.split())), ascii(text)


@pytest.mark.data
def test_special_tokens_of_the_real_vocabularies(real):
    _, tokenizer, peer = real
    text = "one<|endoftext|> two <|fim_prefix|>"
    allowed = set(tokenizer.vocabulary.special_tokens)
    assert tokenizer.encode(text, allowed, ()) == peer.encode(text, allowed_special="all", disallowed_special=())
    with pytest.raises(ValueError, match="a special token that is not allowed"):
        tokenizer.encode(text)


@pytest.mark.data
def test_r50k_s_rank_file_is_gpt2_s_vocabulary():
    ours = load_tiktoken(here("r50k_base.tiktoken"), GPT2, {"<|endoftext|>": 50256}, size=50256)
    here("gpt2_vocab.bpe")
    assert ours == load_vocabulary("gpt2")


# ---------------------------------------------------------------- a real model's tokenizer


@pytest.fixture(scope="module")
def smollm2():
    """(our tokenizer, transformers' tokenizer), both read from the model's GGUF file."""
    from tokenizers import pre_tokenizers

    if not is_local(SMOLLM2):
        pytest.skip("SmolLM2 is not on this machine")
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    path = model("smollm2")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer = transformers.AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    # transformers ignores the file's `tokenizer.ggml.pre`, "smollm": single digits first, as in the model's own file
    steps = [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    peer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps)
    return Tokenizer(load_vocabulary("smollm2")), peer


@pytest.mark.real
def test_smollm2_s_vocabulary_is_whole(smollm2):
    vocabulary = smollm2[0].vocabulary
    assert len(vocabulary.tokens) == 49_152 and len(vocabulary.parents) == 48_900 and not vocabulary.unreachable
    assert vocabulary.special_tokens["<|im_start|>"] == 1 and vocabulary.pattern == SMOLLM


@pytest.mark.real
def test_smollm2_s_ids_equal_transformers_(smollm2):
    ours, peer = smollm2
    missing = set(ours.vocabulary.missing_bytes)
    rows = here("tokenizer_vectors.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line)["text"] for line in rows] + unicode_strings(20_000, 2)
    texts = [text for text in texts if missing.isdisjoint(text.encode())]
    assert len(texts) > 15_000
    for text, ids in zip(texts, peer(texts, add_special_tokens=False)["input_ids"], strict=True):
        assert ours.encode(text, "all") == ids, ascii(text[:40])


@pytest.mark.real
def test_smollm2_s_tokenizer_json_is_the_same_vocabulary(smollm2, tmp_path):
    ours, peer = smollm2
    (tmp_path / "tokenizer.json").write_text(peer.backend_tokenizer.to_str(), encoding="utf-8")
    assert load_tokenizer_json(tmp_path / "tokenizer.json") == ours.vocabulary
