"""The common interface, the simple families, the n-gram loss and the comparison."""

import json
import math
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from byte_pair_smith.families import (
    ByteFallbackModel,
    BytePair,
    Characters,
    NGram,
    RawBytes,
    Unigram,
    WordPiece,
    Words,
    loss_of,
)
from byte_pair_smith.families.ngram import END, fallback_bits
from byte_pair_smith.lab import families as compare
from byte_pair_smith.lab import families_tables
from hypothesis import given, settings
from hypothesis import strategies as st

TEXT = "the cat sat on the mat; the hat of the cat. ## ###a #b 12 123 ärger\n\n  naïve 'tis " * 3


@pytest.fixture(scope="module")
def trained():
    return {name: train(TEXT, 300) for name, train in compare.FAMILIES.items()}


@pytest.fixture(scope="module")
def quick_run(seed, tmp_path_factory):
    """The command itself, in a process of its own: there the annotations are not checked, and it takes seconds."""
    out = tmp_path_factory.mktemp("families")
    source = str(Path(compare.__file__).parents[2])
    command = [sys.executable, "-W", "error", "-m", "byte_pair_smith", "families", "--quick"]
    done = subprocess.run(
        [*command, "--seed", str(seed), "--out", str(out)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": source, "PYTHONIOENCODING": "utf-8"},
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return out, done.stdout


@pytest.fixture(scope="module")
def quick(quick_run):
    return json.loads((quick_run[0] / "results.json").read_text(encoding="utf-8"))["families"]


def known_text():
    return st.text(alphabet=sorted(set(TEXT)), max_size=40)


@settings(max_examples=60, deadline=None)
@given(text=st.one_of(st.text(max_size=30), known_text()))
def test_surfaces_joined_are_the_text(trained, text):
    for name, family in trained.items():
        assert b"".join(token.surface for token in family.tokenize(text)) == text.encode(), name


@settings(max_examples=60, deadline=None)
@given(text=st.one_of(st.text(max_size=30), known_text()))
def test_decoding_gives_the_text_back_unless_something_was_unknown(trained, text):
    for name, family in trained.items():
        ids = family.encode(text)
        if family.unk_id not in ids:
            assert family.decode(ids) == text, name


def test_nothing_is_unknown_to_bytes_and_bpe(trained):
    for name in ("bytes", "BPE"):
        assert trained[name].unk_id is None
        assert trained[name].decode(trained[name].encode("日本 🙂 \x00")) == "日本 🙂 \x00"


def test_one_strange_character_costs_each_family_its_own_unit(trained):
    cut = {
        name: [(t.surface.decode(), t.id == f.unk_id) for t in f.tokenize("cat日")]
        for name, f in trained.items()
        if name not in ("bytes", "BPE")
    }
    assert cut["characters"] == [("c", False), ("a", False), ("t", False), ("日", True)]
    assert cut["WordPiece, gain"] == cut["words"] == [("cat日", True)], "these lose the whole word"
    assert [s for s, unknown in cut["Unigram"] if unknown] == ["日"], "Unigram loses the character only"


def test_words_keeps_the_most_frequent_and_counts_unk_in_its_size():
    family = Words.train(" b a b a c", 3)
    assert family.words == (" a", " b") and len(family) == 3, "two each; equal counts go in code point order"
    assert [t.id for t in family.tokenize("b a c")] == [0, 1, 0], "the first word has no space before it: another word"


def test_characters_has_the_alphabet_in_code_point_order():
    assert Characters.train("cab b").alphabet == (" ", "a", "b", "c")
    assert Characters.train("cab b").encode("abcd") == [2, 3, 4, 0]


def test_raw_bytes_ids_are_byte_values():
    assert RawBytes().encode("é!") == [0xC3, 0xA9, 33]
    assert RawBytes().decode([0xC3], errors="replace") == "\ufffd"


def test_bpe_is_the_main_lines_bpe(trained):
    from byte_pair_smith.encode import encode
    from byte_pair_smith.train import train
    from byte_pair_smith.vocabulary import tokens_of

    ranks = {token: i for i, token in enumerate(tokens_of(train(TEXT, 300)))}
    assert trained["BPE"].encode(TEXT) == encode(TEXT, ranks)


@pytest.mark.parametrize(
    "call, says",
    [
        (lambda: Words.train("", 10), "text is empty"),
        (lambda: Characters.train(""), "text is empty"),
        (lambda: BytePair.train("", 300), "text is empty"),
        (lambda: WordPiece.train("", 300), "text is empty"),
        (lambda: Unigram.train("", 300), "text is empty"),
        (lambda: Words.train("a", 1), "vocab_size=1"),
        (lambda: BytePair.train("a", 255), "vocab_size=255"),
        (lambda: Words(()), "words=.*empty"),
        (lambda: Words(("a", "a")), "'a' 2 times"),
        (lambda: Words(("a", "")), "empty string"),
        (lambda: Characters(("ab",)), "2 characters"),
        (lambda: RawBytes().encode("a\ud800"), "lone surrogate at character 1"),
        (lambda: RawBytes().decode([256]), "id=256"),
        (lambda: RawBytes().decode([-1]), "id=-1"),
        (lambda: RawBytes().decode([0xFF]), "invalid start byte"),
        (lambda: NGram(0, 5), "order=0"),
        (lambda: NGram(1, 5).probabilities([], 5), "token=5"),
        (lambda: loss_of(RawBytes(), "a", "", ByteFallbackModel(["a"]), 1), "held_out=.*empty"),
    ],
)
def test_bad_input_is_refused_by_name(call, says):
    with pytest.raises(ValueError, match=says):
        call()


def test_bytes_for_text_are_a_type_error():
    with pytest.raises(TypeError):
        RawBytes().encode(b"abc")


# ---------------------------------------------------------------- the n-gram model


def test_witten_bell_by_hand():
    model = NGram(2, 4).fit([[0, 1, 0, 2]])
    one = [(2 + 3 / 4) / 7, (1 + 3 / 4) / 7, (1 + 3 / 4) / 7, (3 / 4) / 7]  # counts 2 1 1 0, N = 4, T = 3, V = 4
    assert model.probabilities([], 0) == pytest.approx([one[0], one[0]])  # no context: order 2 is order 1
    assert model.probabilities([0], 1)[1] == pytest.approx((1 + 2 * one[1]) / 4)  # after 0: 1 and 2, once each
    assert model.probabilities([3], 1)[1] == pytest.approx(one[1]), "a context never seen leaves the lower order"


def test_every_order_is_a_distribution(seed):
    rng = random.Random(seed)
    model = NGram(4, 7).fit([[rng.randrange(6) for _ in range(200)] for _ in range(3)])
    for _ in range(50):
        context = [rng.randrange(7) for _ in range(rng.randrange(6))]
        sums = [sum(column) for column in zip(*(model.probabilities(context, t) for t in range(7)), strict=True)]
        assert sums == pytest.approx([1.0] * 4)


def test_speller_is_a_complete_code_and_every_unknown_byte_is_paid_for():
    byte_fallback = ByteFallbackModel(["cat", "hat"])
    assert sum(byte_fallback.model.probabilities([ord("c")], b)[-1] for b in range(257)) == pytest.approx(1.0)
    assert byte_fallback.bits(b"cat") == pytest.approx(byte_fallback.model.bits([*b"cat", END])[-1])
    assert byte_fallback.bits(b"zzz") > byte_fallback.bits(b"cat") > 0
    family = Words((" cat",))
    tokens = family.tokenize(" cat hat dog")
    expected = byte_fallback.bits(b" hat") + byte_fallback.bits(b" dog")
    assert fallback_bits(tokens, family.unk_id, byte_fallback) == pytest.approx(expected)


def test_per_token_and_per_byte_are_the_same_total(trained):
    byte_fallback = ByteFallbackModel(["the", "cat"])
    for name, family in trained.items():
        loss = loss_of(family, TEXT, "ärger sat on ", byte_fallback, 3)
        tokens = len(family.encode("ärger sat on "))
        totals = [b * tokens for b in loss.bits_per_token]
        assert [b * 14 for b in loss.bits_per_byte_unknowns_free] == pytest.approx(totals), name


# ---------------------------------------------------------------- the comparison


def test_held_out_text_shares_no_paragraph_with_the_training_text(seed):
    train, held = ({p.strip() for p in part.split("\n\n")} - {""} for part in compare.split_topics(seed))
    assert held and not train & held


def test_split_follows_the_seed():
    assert compare.split_topics(0) == compare.split_topics(0) != compare.split_topics(1)
    train, held = compare.split_topics(3, limit=50_000)
    assert len(train) == 50_000 and 2_000 < len(held) <= 5_000


def test_loss_per_token_ranks_backwards(quick):
    """What the comparison is for. The margins are half of what the five seeds 0 to 4 show."""
    at = 2
    found = {
        name: (
            f["bits_per_token"][at]["median"],
            f["bits_per_byte"][at]["median"],
            f["bits_per_byte_unknowns_free"][at]["median"],
        )
        for name, f in quick["families"].items()
    }
    assert found["bytes"][0] < 0.6 * found["BPE"][0], "bytes look twice as good by bits per token"
    for name in ("BPE", "Unigram", "WordPiece, gain"):
        assert found[name][1] < 0.9 * found["bytes"][1], f"{name} is the better model by bits per byte"
    assert found["words"][2] < found["BPE"][2] < found["words"][1], "words win only while <unk> is free"


def test_the_likelihood_ratio_alone_hardly_compresses(quick):
    length = {name: f["bytes_per_token"]["median"] for name, f in quick["families"].items()}
    assert length["WordPiece, ratio"] < 0.6 * length["WordPiece, gain"]
    assert length["WordPiece, gain"] > 0.8 * length["BPE"]


def test_unknown_shares(quick):
    unknown = {
        name: {text: share["median"] for text, share in f["unknown"].items()} for name, f in quick["families"].items()
    }
    assert set(unknown["bytes"].values()) == set(unknown["BPE"].values()) == {0}
    assert unknown["words"]["held out"] > 0.1
    for name in ("characters", "Unigram", "WordPiece, gain", "words"):
        assert unknown[name]["Russian"] > 0.8, "an English alphabet has no Russian"
    assert unknown["characters"]["German"] < 0.15 < unknown["WordPiece, gain"]["German"], "ä costs WordPiece the word"


def test_summing_over_segmentations_can_only_help(quick):
    found = quick["unigram"]
    assert found["bits_per_byte_all"]["median"] < found["bits_per_byte_viterbi"]["median"]
    assert all("".join(draw) == " tokenization" for draw in quick["sampled"])


def test_median_and_range_takes_medians_and_ranges():
    assert compare.median_and_range([{"a": [1]}, {"a": [5]}, {"a": [2]}]) == {"a": [{"median": 2, "low": 1, "high": 5}]}


def test_command_line_prints_both_tables_and_writes_its_files(quick, quick_run, seed):
    out, printed = quick_run
    assert families_tables.loss(quick) in printed and printed.count("| Unigram |") == 2
    image = (out / "families.png").read_bytes()
    assert image.startswith(b"\x89PNG") and len(image) < 200_000
    assert sorted(p.name for p in out.iterdir()) == ["families.png", "results.json"], "nothing half-written"
    assert quick["meta"]["seeds"] == [seed] and quick["meta"]["quick"] is True


def test_table_shows_the_results(quick):
    line = next(x for x in families_tables.tokenization(quick).splitlines() if x.startswith("| words |"))
    assert f"{quick['families']['words']['tokens_per_word']['median']:.2f}" in line
    assert math.isclose(quick["families"]["bytes"]["bytes_per_token"]["median"], 1.0)
