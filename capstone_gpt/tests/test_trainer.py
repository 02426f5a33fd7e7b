"""The trainer: killed at eight points it ends with the same bits, and evaluation does not move it."""

import pytest
import torch
from given import integers, randn
from torch import nn

from capstone_gpt import Config, ModernConfig, ModernGPT, Pairs, Trainer, from_toml, windows
from capstone_gpt.lab import kill
from capstone_gpt.optim import Plateau
from capstone_gpt.training import (
    EarlyStopping,
    GradientNorms,
    JsonLines,
    LossScaler,
    NaNGuard,
    ReduceOnPlateau,
    TensorBoard,
    autocast,
    class_loss,
    read_log,
    squared_loss,
    state_hash,
    to_toml,
)

TINY = ModernConfig(vocab_size=31, context_length=16, n_layer=1, n_head=2, n_embd=16)


def tiny(config, seed=0, **options):
    torch.manual_seed(seed)
    data = Pairs(*windows(integers(1, 31, 900), 16))
    return Trainer(ModernGPT(TINY), data, config, **options)


@pytest.mark.timeout(240)
def test_a_run_killed_at_eight_points_ends_with_the_same_bits():
    """In a process of its own, which forks: SIGKILL in a step, in the log, in a save, in an evaluation."""
    found = kill.in_a_process_of_its_own()
    assert len(found["points"]) == 8 and found["different"] == [] and found["unequal"] == 0 and found["repeated"] >= 5


def test_a_run_is_killed_where_the_system_cannot_fork(monkeypatch):
    monkeypatch.delattr("os.fork", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    found = kill.all_points(("in the backward pass",))
    assert found["different"] == [] and found["unequal"] == 0


def test_each_piece_of_state_matters():
    without = kill.without_each()
    assert without.pop("nothing") is None
    assert without["model"] == 7 and all(step in range(7, 13) for step in without.values()), without


@pytest.mark.parametrize("eval_interval", [1, 3])
def test_evaluation_does_not_move_training(eval_interval):
    valid = windows(integers(2, 31, 400), 16, "valid")
    evaluator = lambda m: kill.evaluate(m, *valid)  # noqa: E731
    hashes = []
    for interval in (0, eval_interval):
        trainer = tiny(Config(steps=5, batch_size=4, eval_interval=interval, model=TINY), evaluator=evaluator)
        trainer.fit()
        hashes.append(state_hash(trainer.model, trainer.optimizer))
    assert hashes[0] == hashes[1]


@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
def test_a_run_in_two_parts_is_the_run_in_one(tmp_path, optimizer):
    config = Config(steps=6, batch_size=4, accumulation=2, optimizer=optimizer, max_norm=0.5, model=TINY)
    whole = tiny(config)
    whole.fit()
    first = tiny(config, folder=tmp_path)
    first.fit(4)
    second = tiny(config, seed=1, folder=tmp_path)
    assert second.resume() and second.step == 4
    second.fit()
    assert state_hash(second.model, second.optimizer) == state_hash(whole.model, whole.optimizer)
    assert [r["loss"] for r in first.history + second.history] == [r["loss"] for r in whole.history]


def test_it_overfits_one_batch():
    torch.manual_seed(0)
    x, y = windows(integers(1, 31, 100), 16, valid_fraction=0.0)
    trainer = Trainer(
        ModernGPT(TINY), Pairs(x[:4], y[:4]), Config(steps=150, batch_size=4, schedule="constant", lr=2e-2, model=TINY)
    )
    losses = [r["loss"] for r in trainer.fit()]
    assert losses[0] == pytest.approx(3.434, abs=0.01) and losses[-1] < 0.1  # ln 31 = 3.434


def test_the_same_trainer_classifies_and_regresses():
    digits = pytest.importorskip("sklearn.datasets").load_digits()
    x = torch.tensor(digits.data, dtype=torch.float32) / 16
    y = torch.tensor(digits.target)
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 10))
    config = Config(steps=150, batch_size=64, optimizer="adamw", lr=1e-2)
    Trainer(net, Pairs(x[:1500], y[:1500]), config, class_loss).fit()
    assert (net(x[1500:]).argmax(-1) == y[1500:]).float().mean() > 0.88
    x = randn(0, 300, 5, dtype=torch.float32)
    line = nn.Linear(5, 1)
    Trainer(
        line,
        Pairs(x, x @ torch.arange(5.0) + 2),
        Config(steps=300, batch_size=50, optimizer="adamw", lr=5e-2),
        squared_loss,
    ).fit()
    torch.testing.assert_close(line.weight[0].detach(), torch.arange(5.0), atol=2e-2, rtol=0)


def test_callbacks(tmp_path):
    losses = iter([3.0, 2.0, 2.5, 2.6, 2.7, 2.8, 9.0])
    trainer = tiny(Config(steps=40, batch_size=4, eval_interval=2, model=TINY), evaluator=lambda m: next(losses))
    norms = GradientNorms(trainer.model)
    trainer.callbacks = [EarlyStopping(patience=2), ReduceOnPlateau(Plateau(0.5, patience=0)), norms, NaNGuard(),
                         JsonLines(tmp_path / "log"), TensorBoard(tmp_path / "board")]  # fmt: skip
    trainer.fit()
    assert trainer.step == 10 and trainer.lr_share == 0.125  # worse at 6, 8 and 10
    assert all(len(values) == 10 for values in norms.norms.values())
    records = read_log(tmp_path / "log")
    assert len(records) == 15 and [r["valid_loss"] for r in records if "valid_loss" in r] == [3.0, 2.0, 2.5, 2.6, 2.7]
    assert list((tmp_path / "board").iterdir())
    with pytest.raises(FloatingPointError):
        NaNGuard().on_step(trainer, {"step": 3, "loss": float("nan")})


def test_config_and_checkpoint_belong_together(tmp_path):
    config = Config(steps=6, lr=2e-3, model=TINY)
    (tmp_path / "run.toml").write_text(to_toml(config))
    assert from_toml(tmp_path / "run.toml") == config
    (tmp_path / "bad.toml").write_text("steps = 3\nlearning_rate = 1.0\n")
    with pytest.raises(ValueError, match="learning_rate"):
        from_toml(tmp_path / "bad.toml")
    for wrong in ({"optimizer": "sgd"}, {"steps": 0}, {"precision": "int8"}):
        with pytest.raises(ValueError):
            Config(**wrong)
    trainer = tiny(config, folder=tmp_path)
    assert not trainer.resume()
    trainer.fit(2)
    with pytest.raises(ValueError, match="lr"):
        tiny(Config(steps=6, lr=1e-3, model=TINY), folder=tmp_path).resume()
    assert tiny(Config(steps=9, lr=2e-3, eval_interval=1, model=TINY), folder=tmp_path).resume()


def test_oracle_the_scaler_is_torchs():
    ours, theirs = (
        LossScaler(2.0**3, growth_interval=2),
        torch.amp.GradScaler("cpu", init_scale=2.0**3, growth_interval=2),
    )
    weights = [nn.Parameter(torch.ones(3)) for _ in range(2)]
    for step in range(9):
        for scaler, w in zip((ours, theirs), weights, strict=True):
            optimizer = torch.optim.SGD([w], lr=0.1)
            optimizer.zero_grad()
            loss = (w * (3e38 if step in (3, 4) else 1.0)).square().sum()
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        assert ours.get_scale() == theirs.get_scale() and torch.equal(*weights)


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_autocast_computes_in_the_precision(precision):
    with autocast(precision):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == getattr(torch, precision)
