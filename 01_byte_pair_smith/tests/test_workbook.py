"""The workbook's worked examples, as tests of their tasks; and what it says about breaking things."""

import json
from pathlib import Path

import pytest
from byte_pair_smith import GPT2, NO_SPLIT
from byte_pair_smith.lab import break_it
from grader import exactly

STARTER = Path(__file__).resolve().parents[1] / "starter.ipynb"
BYTES = {bytes([b]): b for b in range(256)}


@pytest.mark.task("count_pairs")
def test_the_workbooks_counts(impl):
    exactly(impl.count_pairs({(1, 2, 3): 5, (2, 3): 2}) == {(1, 2): 5, (2, 3): 7}, True, "the first example")
    exactly(impl.count_pairs({(7, 7, 7): 1}) == {(7, 7): 2}, True, "the second example")


@pytest.mark.task("merge")
def test_the_workbooks_merges(impl):
    exactly(list(impl.merge([1, 2, 9, 1, 2], (1, 2), 300)), [300, 9, 300], "the first example")
    exactly(list(impl.merge([4, 4, 4], (4, 4), 256)), [256, 4], "the second example")


@pytest.mark.task("pretokenize")
def test_the_workbooks_pre_tokens(impl):
    exactly(list(impl.pretokenize("you're  12x")), ["you", "'re", " ", " 12", "x"], "the example")


@pytest.mark.task("train")
def test_the_workbooks_training(impl):
    merges = [tuple(pair) for pair in impl.train("low low lower", 260, GPT2)]
    exactly(merges[:2], [(108, 111), (256, 119)], "the example's first merges")
    exactly(len(merges), 4, "the number of merges for vocab_size=260")


@pytest.mark.task("encode")
def test_the_workbooks_ids(impl):
    ranks = BYTES | {b"bc": 256, b"ab": 257, b"cd": 258}
    exactly(list(impl.encode("abcd", ranks | {b"abc": 259}, NO_SPLIT)), [259, 100], "abcd")
    exactly(list(impl.encode("abcd", ranks, NO_SPLIT)), [97, 256, 100], "abcd without token 259")
    out_of_reach = BYTES | {b"yx": 256, b"xy": 257, b"xyxy": 258}
    exactly(list(impl.encode("xyxy", out_of_reach, NO_SPLIT)), [258], "the pre-token that is a token")


@pytest.mark.task("decode")
def test_the_workbooks_text(impl):
    tokens = {i: token for token, i in BYTES.items()} | {258: b"\xe6\x97"}
    exactly(impl.decode([258, 165], tokens), "日", "the example")


@pytest.mark.task("encode_with_special")
def test_the_workbooks_special_token(impl):
    got = impl.encode_with_special("a <|e|>b", lambda text: [ord(c) for c in text], {"<|e|>": 999}, {"<|e|>"})
    exactly(list(got), [97, 32, 999, 98], "the example")


def test_the_workbook_tells_of_every_experiment_what_is_tested():
    """`test_experiment.py` holds each claim against a fresh run on the same corpus."""
    notebook = json.loads(STARTER.read_text(encoding="utf-8"))
    text = "".join("".join(cell["source"]) for cell in notebook["cells"])
    for name, experiment in break_it.EXPERIMENTS.items():
        assert f'run("{name}")' in text and experiment.claim in text
    assert "corpus = break_it.corpus()" in text
