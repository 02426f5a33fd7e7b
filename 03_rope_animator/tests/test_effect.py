"""The papers' effects at small scale."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rope_animator import text
from rope_animator.break_it import bag_of_words, beyond_the_table, two_second_model, wrong_layout
from rope_animator.extend import linear, ntk_aware
from rope_animator.model import Config
from rope_animator.train import Training, loss_by_position, train

RECIPE = Training(batch=16)


@pytest.fixture(scope="module")
def corpus():
    return text.load()


@pytest.fixture(scope="module")
def models(corpus):
    """Three models, trained for two seconds each at 24 characters."""
    torch.set_num_threads(1)
    return {s: two_second_model(corpus, scheme=s, base=1000.0) for s in ("none", "rope", "alibi")}


def loss(model, corpus, factor, scaled=None):
    return loss_by_position(model, corpus, 24 * factor, 4096, scaled).mean().item()


def test_positions_are_worth_something(models, corpus):
    """Margin 0.05 nats: a rotation that is switched off gains nothing at all."""
    none = loss(models["none"], corpus, 1)
    assert loss(models["rope"], corpus, 1) < none - 0.05
    assert loss(models["alibi"], corpus, 1) < none - 0.05


def test_alibi_reads_on_where_rope_does_not(models, corpus):
    growth = {s: loss(models[s], corpus, 8) - loss(models[s], corpus, 1) for s in models}
    assert growth["alibi"] < 0.02, "ALiBi loses nothing on longer texts (Press et al. 2022)"
    assert growth["rope"] > growth["alibi"] + 0.05


def test_interpolation_needs_training_and_ntk_does_not(models, corpus):
    scaled = {f.__name__: loss(models["rope"], corpus, 4, f(16, 1000.0, 4.0)) for f in (linear, ntk_aware)}
    assert scaled["ntk_aware"] < scaled["linear"] - 0.1


def test_a_checkpoint_read_in_the_wrong_layout(models, corpus):
    found = wrong_layout(models["rope"], corpus, 4096)
    assert found["read as interleaved"] > found["as trained (half)"] + 0.1
    assert found["rows permuted"] == pytest.approx(found["as trained (half)"], abs=1e-5)


def test_a_learned_table_that_is_forced_to_answer(corpus):
    found = beyond_the_table(two_second_model(corpus, scheme="learned"), corpus, 4096)
    assert "no row for a position" in found["error"]
    assert min(found["clamped"], found["wrapped"]) > found["within"] + 0.02


def test_without_positions_one_layer_sees_a_bag_of_words():
    assert bag_of_words("none", 1) < 1e-4
    assert bag_of_words("none", 2) > 0.01, "a second causal layer sees how many tokens the first one saw"
    assert bag_of_words("rope", 1) > 0.01


def test_the_seed_decides(corpus):
    short = replace(RECIPE, steps=3)
    shape = Config(len(corpus.vocabulary), length=16, dim=16)
    first, again, other = (train(shape, replace(short, seed=s), corpus) for s in (0, 0, 1))
    assert torch.equal(first.embedding.weight, again.embedding.weight)
    assert not torch.equal(first.embedding.weight, other.embedding.weight)


def test_every_length_predicts_the_same_characters(corpus):
    """A model that knows only frequencies has the same loss at every length."""
    model = train(Config(len(corpus.vocabulary), "none", dim=16, layers=0), replace(RECIPE, steps=2), corpus)
    losses = [loss_by_position(model, corpus, n, 4096).mean().item() for n in (64, 128, 512)]
    assert max(losses) - min(losses) < 1e-5


@pytest.mark.data
def test_the_named_corpus():
    folder = os.environ.get("HARDWAY_DATA")
    if not folder or not (Path(folder) / "tinyshakespeare.txt").exists():
        pytest.skip("set HARDWAY_DATA to a folder with tinyshakespeare.txt")
    corpus = text.load("shakespeare")
    assert len(corpus.train) + len(corpus.valid) == 1_115_394 and len(corpus.vocabulary) == 65
