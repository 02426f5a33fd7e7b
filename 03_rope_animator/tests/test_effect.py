"""The papers' effects at small scale, and the break-it experiments beside their written claims."""

from dataclasses import replace

import pytest
import torch
from rope_animator.extend import linear, ntk_aware
from rope_animator.lab import fetch, record
from rope_animator.lab.break_it import EXPERIMENTS, WORKBOOK, logit_change, losses, trained_model
from rope_animator.lab.corpus import load_corpus
from rope_animator.lab.model import Config, TinyLM
from rope_animator.lab.train import Training, loss_by_position, train

RECIPE = Training(batch_size=16)


@pytest.fixture(scope="module")
def corpus():
    return load_corpus()


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def trained_once(tmp_path_factory):
    """The workbooks that the gates execute read the models of these tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARDWAY_TRAINED", str(tmp_path_factory.mktemp("trained")))
        yield


def loss(scheme, factor, scaling=None):
    """Loss of a two-second model at a multiple of its length."""
    model = trained_model(WORKBOOK, 0, scheme, 10_000.0)
    if scaling is None:
        return losses(model, WORKBOOK, factor * WORKBOOK.trained_len).mean().item()
    return loss_by_position(model, load_corpus(), factor * WORKBOOK.trained_len, 4096, scaling).mean().item()


def test_positions_are_worth_something():
    """Margin 0.05 nats: a rotation that is switched off gains nothing at all."""
    assert loss("rope", 1) < loss("none", 1) - 0.05
    assert loss("alibi", 1) < loss("none", 1) - 0.05


def test_alibi_reads_on_where_rope_does_not():
    growth = {scheme: loss(scheme, 8) - loss(scheme, 1) for scheme in ("alibi", "rope")}
    assert growth["alibi"] < 0.02, "ALiBi loses nothing on longer texts (Press et al. 2022)"
    assert growth["rope"] > growth["alibi"] + 0.05


def test_interpolation_needs_training_and_ntk_does_not():
    interpolated, ntk = loss("rope", 4, linear(16, 10_000.0, 4.0)), loss("rope", 4, ntk_aware(16, 10_000.0, 4.0))
    assert ntk < interpolated - 0.1


# ---------------------------------------------------------------- break it


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_outcome_is_what_is_written(name):
    """At the workbook's size, which is what a learner sees in the cell."""
    experiment = EXPERIMENTS[name]
    outcome = experiment.run(WORKBOOK, 0)
    assert experiment.holds(outcome), f"{experiment.claim} It was: {outcome}"


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_recorded_outcome_is_what_is_written(name):
    recorded = record.read(record.COMMITTED)["break_it"]["mean"][name]
    assert EXPERIMENTS[name].holds(recorded), recorded


def test_a_model_without_positions_and_one_with():
    """Over more seeds than the experiment takes."""
    for seed in range(1, 4):
        assert (
            logit_change("none", 1, seed)
            < 1e-4
            < 0.01
            < min(logit_change("none", 2, seed), logit_change("rope", 1, seed))
        )


# ---------------------------------------------------------------- training and measuring


def test_the_seed_decides(corpus):
    short = replace(RECIPE, steps=3)
    config = Config(len(corpus.vocab), trained_len=16, dim=16)
    first, again, other = (train(config, replace(short, seed=seed), corpus) for seed in (0, 0, 1))
    assert torch.equal(first.wte.weight, again.wte.weight)
    assert not torch.equal(first.wte.weight, other.wte.weight)


def test_every_length_predicts_the_same_characters(corpus):
    """A model that knows only frequencies has the same loss at every length."""
    model = train(Config(len(corpus.vocab), "none", dim=16, num_layers=0), replace(RECIPE, steps=2), corpus)
    means = [loss_by_position(model, corpus, n, 4096).mean().item() for n in (64, 128, 512)]
    assert max(means) - min(means) < 1e-5


def test_a_part_of_each_head_is_rotated():
    """A quarter of 16 coordinates: the other twelve must not depend on the position."""
    block = TinyLM(Config(11, rotary_fraction=0.25)).blocks[0]
    x = torch.randn(1, 4, 3, 16)
    rotated = block.rotate_part(x, torch.ones(3, 2, dtype=torch.float64))
    assert torch.equal(rotated[..., 4:], x[..., 4:])
    assert (rotated[..., :4] - x[..., :4]).abs().amin() > 0


@pytest.mark.data
def test_the_named_corpus():
    if not fetch.is_local(fetch.SHAKESPEARE):
        pytest.skip("set HARDWAY_DATA to a folder with tinyshakespeare.txt")
    corpus = load_corpus("shakespeare")
    assert len(corpus.train) + len(corpus.valid) == 1_115_394 and len(corpus.vocab) == 65
