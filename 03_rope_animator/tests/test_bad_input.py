"""Every documented error is raised, names the argument and its value, and says what to do."""

import json

import pytest
import torch
from rope_animator import frequencies, record, text
from rope_animator.alibi import alibi_bias
from rope_animator.extend import dynamic_ntk, linear, llama3, ntk_aware, yarn
from rope_animator.learned import LearnedPositions
from rope_animator.model import Config, TinyLM
from rope_animator.relative import t5_bucket
from rope_animator.rope import split_pairs
from rope_animator.rotary import Rotary


@pytest.mark.parametrize("base", [0.0, -1.0, float("nan")])
def test_a_base_that_is_not_positive(base):
    with pytest.raises(ValueError, match=f"base = {base}"):
        frequencies(8, base)


def test_a_learned_table_ends():
    table = LearnedPositions(8, 4)
    assert table(torch.tensor([0, 7])).shape == (2, 4)
    for positions in (torch.arange(9), torch.tensor([-1])):
        with pytest.raises(ValueError, match=r"8 rows \(0\.\.7\).*use a scheme that extrapolates"):
            table(positions)


def test_a_model_with_learned_positions_refuses_a_longer_text():
    with pytest.raises(ValueError, match="no row for a position"):
        TinyLM(Config(11, "learned", length=8, dim=16))(torch.zeros(1, 9, dtype=torch.long))


@pytest.mark.parametrize("stretch", [
    lambda f: linear(16, 1e4, f), lambda f: ntk_aware(16, 1e4, f), lambda f: dynamic_ntk(16, 1e4, f, 64, 128),
    lambda f: yarn(16, 1e4, f, 64), lambda f: llama3(16, 1e4, f, 64),
])  # fmt: skip
@pytest.mark.parametrize("factor", [0.5, 0.0, float("nan")])
def test_a_factor_that_would_shrink_the_context(stretch, factor):
    with pytest.raises(ValueError, match=f"factor = {factor}"):
        stretch(factor)


def test_ntk_needs_two_pairs():
    with pytest.raises(ValueError, match="dim = 2"):
        ntk_aware(2, 1e4, 4.0)


def test_pairs_need_an_even_width_and_a_known_layout():
    with pytest.raises(ValueError, match="dim = 5"):
        split_pairs(torch.zeros(1, 5), "half")
    with pytest.raises(ValueError, match="layout = 'neox'"):
        split_pairs(torch.zeros(1, 4), "neox")
    with pytest.raises(ValueError, match="layout = 'neox'"):
        Rotary(4, 4, layout="neox")


def test_the_fast_form_refuses_what_it_cannot_do():
    rotary, x = Rotary(8, 4), torch.zeros(1, 2, 5, 4)
    for start in (4, -1):
        with pytest.raises(ValueError, match=r"the table holds 0\.\.7"):
            rotary(x, start)
    for bad in (x.double(), torch.zeros(1, 2, 5, 6), x.transpose(1, 2).contiguous().transpose(1, 2)):
        with pytest.raises(ValueError, match="use rope.apply_rope"):
            rotary(bad)
    for bad in (torch.zeros(5, 2, 1, 4).permute(2, 1, 0, 3), x.double()):
        with pytest.raises(ValueError, match="out has dtype"):
            rotary(x, out=bad)
    with pytest.raises(ValueError, match="out is x"):
        rotary(x, out=x)


def test_alibi_with_more_queries_than_keys():
    with pytest.raises(ValueError, match="queries = 5, keys = 4"):
        alibi_bias(2, 5, 4)


@pytest.mark.parametrize("bidirectional, buckets, distance", [(True, 2, 128), (False, 1, 128), (True, 32, 8)])
def test_t5_without_room_for_its_buckets(bidirectional, buckets, distance):
    with pytest.raises(ValueError, match=f"max_distance = {distance}"):
        t5_bucket(torch.arange(3), bidirectional, buckets, distance)


@pytest.mark.parametrize("wrong", [{"scheme": "rotary"}, {"heads": 3}, {"rotated": 0.0}, {"rotated": 1.5}])
def test_a_model_that_cannot_be(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Config(11, **wrong)


def test_an_unknown_text():
    with pytest.raises(ValueError, match="data = 'novel'.*pydoc, shakespeare"):
        text.load("novel")


def test_a_damaged_corpus(tmp_path, monkeypatch):
    monkeypatch.setenv("HARDWAY_DATA", str(tmp_path))
    (tmp_path / "tinyshakespeare.txt").write_text("First Citizen")
    with pytest.raises(ValueError, match="sha256 is not 86c4e6aa.*replace it"):
        text.load("shakespeare")


def test_no_network_names_the_address_and_the_folder(tmp_path, monkeypatch):
    def offline(*args, **kwargs):
        raise OSError("no route to host")

    monkeypatch.delenv("HARDWAY_DATA", raising=False)
    monkeypatch.setattr(text.pooch, "retrieve", offline)
    with pytest.raises(ValueError, match="(?s)https://raw.*86c4e6aa.*HARDWAY_DATA"):
        text.load("shakespeare")


def test_results_that_are_not_json(tmp_path):
    (tmp_path / "results.json").write_text("{")
    with pytest.raises(ValueError, match="delete it and run again"):
        record.read(tmp_path)


def test_results_keep_the_other_sections(tmp_path):
    record.write(tmp_path, "bench", {"a": 1}, [0])
    record.write(tmp_path, "headline", {"b": 2}, [0, 1])
    found = json.loads((tmp_path / "results.json").read_text())
    assert found["bench"]["a"] == 1 and found["headline"]["meta"]["seeds"] == [0, 1]
    assert [p.name for p in tmp_path.iterdir()] == ["results.json"], "nothing else is left behind"
