"""The schedule, one run, and the grid."""

import functools
import json
import math

import numpy as np
import pytest
import torch
from mistakes import Bigram, tokens_of
from scaling_laws import Decoder, Run, batches_of, learning_rate, next_token_loss, sweep, train_run

# ---------------------------------------------------------------- learning_rate


@pytest.mark.task("learning_rate")
@pytest.mark.parametrize("steps, width", [(7, 8), (50, 32), (211, 48), (1009, 96)])
def test_every_rate_is_warm_up_times_cosine(impl, steps, width):
    got = [impl.learning_rate(step, steps, width) for step in range(steps)]
    progress = np.arange(steps) / steps
    cosine = 0.1 + 0.9 * (1 + np.cos(np.pi * progress)) / 2
    want = 0.32 / width * np.minimum(1, np.arange(1, steps + 1) / 10) * cosine
    assert got == pytest.approx(want.tolist(), rel=1e-9)


@pytest.mark.task("learning_rate")
def test_the_rates_of_the_workbook(impl):
    assert impl.learning_rate(0, 100, 32) == pytest.approx(0.001)
    assert impl.learning_rate(50, 100, 32) == pytest.approx(0.0055)
    assert impl.learning_rate(50, 100, 128) == pytest.approx(0.001375)


# ---------------------------------------------------------------- train_run


@functools.cache
def by_hand(seed, steps, width):
    """Adam as in the paper (Kingma and Ba 2014), in float64."""
    model = Bigram(seed).double()
    weights = list(model.parameters())
    first, second = ([torch.zeros_like(w) for w in weights] for _ in range(2))
    for step in range(steps):
        gradients = torch.autograd.grad(next_token_loss(model, *tokens_of(seed + 100 * step + 1, 2, 7)), weights)
        with torch.no_grad():
            for i, (w, g) in enumerate(zip(weights, gradients, strict=True)):
                first[i] = 0.9 * first[i] + 0.1 * g
                second[i] = 0.999 * second[i] + 0.001 * g * g
                mean, square = first[i] / (1 - 0.9 ** (step + 1)), second[i] / (1 - 0.999 ** (step + 1))
                w -= learning_rate(step, steps, width) * mean / (square.sqrt() + 1e-8)
    with torch.no_grad():
        return next_token_loss(model, *tokens_of(seed + 99, 3, 5)).item(), model


@pytest.mark.task("train_run")
@pytest.mark.parametrize("steps, width", [(1, 50), (13, 20), (43, 311)])
def test_oracle_adam_of_the_paper(impl, seed, steps, width):
    """Float32 against float64, after up to 43 steps of at most 0.016: 1e-4."""
    model = Bigram(seed)
    batches = [tokens_of(seed + 100 * i + 1, 2, 7) for i in range(steps)]
    loss = impl.train_run(model, batches, tokens_of(seed + 99, 3, 5), width)
    want, trained = by_hand(seed, steps, width)
    assert isinstance(loss, float) and loss == pytest.approx(want, abs=1e-4)
    for got, right in zip(model.parameters(), trained.parameters(), strict=True):
        torch.testing.assert_close(got.double(), right, atol=1e-4, rtol=1e-4)


@pytest.mark.task("train_run")
def test_the_loss_at_the_end_is_asked_and_not_the_lowest(impl):
    """The validation batch asks for what the model believes before its training: its loss rises."""
    model, (x, _) = Bigram(0), tokens_of(99, 3, 5)
    validation = (x, model(x).argmax(-1))
    before = next_token_loss(model, *validation).item()
    loss = impl.train_run(model, [tokens_of(100 * i + 1, 2, 7) for i in range(20)], validation, 8)
    assert loss == pytest.approx(next_token_loss(model, *validation).item(), rel=1e-6) and loss > before + 0.1


@pytest.mark.task("train_run")
def test_effect_a_rule_is_learned(impl, seed):
    batches = [tokens_of(seed + i, 8, 16) for i in range(150)]
    loss = impl.train_run(Bigram(seed, width=16), batches, tokens_of(seed + 999, 32, 16), 16)
    assert loss < 0.05 < math.log(11)  # the next token is 2 t + 1 modulo 11: nothing is left to guess


# ---------------------------------------------------------------- the grid

TEXT = torch.arange(3000, dtype=torch.uint8) % 97
VALIDATION = (TEXT[:320].view(10, 32).long(), TEXT[1:321].view(10, 32).long())
RUNS = [Run(1, 8, 640, 0), Run(1, 8, 1280, 0), Run(1, 16, 640, 1)]


def test_batches_cover_the_tokens_once():
    batches = batches_of(TEXT, 700, 32, rows=4, seed=3)
    assert [len(x) for x, _ in batches] == [4, 4, 4, 4, 4, 1]
    windows = torch.cat([x for x, _ in batches])
    assert sorted(windows[:, 0].tolist()) == sorted(TEXT[: 21 * 32 : 32].tolist())
    assert all((y[:, :-1] == x[:, 1:]).all() for x, y in batches)
    assert not all(torch.equal(a[0], b[0]) for a, b in zip(batches, batches_of(TEXT, 700, 32, 4, 4), strict=True))


def test_bad_input_a_text_that_is_too_short():
    assert len(batches_of(TEXT, 2999, 32, 4, 0)) == 24
    with pytest.raises(ValueError, match="tokens=3001"):
        batches_of(TEXT[:2976], 3001, 32, 4, 0)


def test_a_sweep_that_was_cut_off_goes_on_where_it_was(tmp_path):
    calls = []

    def train(model, batches, validation, d_model):
        calls.append(d_model)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return float(len(calls))

    done = tmp_path / "done.json"
    with pytest.raises(KeyboardInterrupt):
        sweep(RUNS, TEXT, VALIDATION, done=done, train=train)
    points = sweep(RUNS, TEXT, VALIDATION, done=done, train=train)
    assert [p["loss"] for p in points] == [1.0, 2.0, 4.0] and calls == [8, 8, 16, 16]
    assert [p["D"] for p in points] == [640, 1280, 640]
    assert points[0]["C"] == 6 * points[0]["N"] * 640 < points[0]["FLOPs"]
    assert [f.name for f in tmp_path.iterdir()] == ["done.json"]


@pytest.mark.parametrize("text", ["[1, 2", "[1]", '{"a": "b"}'])
def test_bad_input_a_damaged_record(tmp_path, text):
    (tmp_path / "done.json").write_text(text)
    with pytest.raises(ValueError, match="delete it"):
        sweep(RUNS, TEXT, VALIDATION, done=tmp_path / "done.json")


def test_the_same_seed_gives_the_same_run():
    first, again, other = (sweep([Run(1, 16, 640, s)], TEXT, VALIDATION)[0]["loss"] for s in (0, 0, 1))
    assert first == again != other


def test_more_data_and_a_schedule_that_fits_lower_the_loss():
    short, long = (p["loss"] for p in sweep([Run(1, 16, 640, 0), Run(1, 16, 2560, 0)], TEXT, VALIDATION))
    assert long < short - 0.3


def test_the_decoder_is_causal_and_knows_positions():
    model = Decoder(Run(2, 32, 0, 0).shape())
    tokens = torch.randint(256, (2, 13), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        before = model(tokens)
        tokens[:, 7] += 1
        after = model(tokens % 256)
    assert torch.equal(before[:, :7], after[:, :7]) and not torch.allclose(before[:, 7:], after[:, 7:])
    with torch.no_grad():
        swapped = model(tokens[:, [1, 0, *range(2, 13)]] % 256)
    assert not torch.allclose(after[:, 12], swapped[:, 12], atol=1e-5)  # without positions, order would not matter


def test_train_run_changes_every_parameter():
    model = Decoder(Run(1, 16, 0, 0).shape())
    before = [w.clone() for w in model.parameters()]
    train_run(model, batches_of(TEXT, 256, 32, 4, 0), VALIDATION, 16)
    assert all(not torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


def test_the_record_is_json(tmp_path):
    sweep(RUNS[:1], TEXT, VALIDATION, done=tmp_path / "done.json", train=lambda *a: 1.5)
    assert json.loads((tmp_path / "done.json").read_text()) == {"(1, 8, 640, 0)": 1.5}
