"""The long run on a device: what is taken to it, what is timed there, and what is recorded."""

import copy
import json
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from capstone_gpt.__main__ import COMMANDS, arguments
from capstone_gpt.data import TokenFile, write_tokens
from capstone_gpt.lab import accelerator, long, plots, tables
from capstone_gpt.lab.cli import main, options
from capstone_gpt.model import ModernConfig, ModernGPT, attend, modern
from capstone_gpt.model.sample import SETTINGS, gallery
from capstone_gpt.training import Config, Trainer, build_optimizer, token_loss

SMALL = ModernConfig(vocab_size=64, context_length=8, n_layer=1, n_head=2, n_embd=16)
CONFIG = Config(steps=50, batch_size=4, warmup_steps=2, model=SMALL)


@pytest.fixture
def data(tmp_path):
    generator = torch.Generator().manual_seed(0)
    path = write_tokens(tmp_path / "tokens.bin", torch.randint(64, (8 * 30 + 5,), generator=generator), 64)
    return TokenFile(path, 8, 64)


def test_the_windows_on_the_device_are_those_of_the_file(data):
    moved = accelerator.on_device(data, "cpu")
    assert len(moved) == len(data) == 30
    index = torch.tensor([0, 29, 7])
    for ours, wanted in zip(moved[index], data[index], strict=True):
        assert torch.equal(ours, wanted) and ours.dtype == wanted.dtype


def test_a_rehearsal_leaves_the_weights_as_they_were(data):
    model = ModernGPT(SMALL)
    before = copy.deepcopy(model.state_dict())
    seconds, loss = accelerator.rehearse(model, data, CONFIG, token_loss, 5)
    assert seconds > 0 and 0 < loss < 10
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())


def test_steps_that_fit():
    assert accelerator.that_fit(100, 50, 40) == 1800  # nine tenths of 100 s, in steps of 50 ms
    with pytest.raises(ValueError, match="minutes"):
        accelerator.that_fit(2, 50, 40)


@pytest.mark.parametrize("fault", ["raises", "wrong", "not a number"])
def test_a_compiler_that_fails_is_done_without(data, monkeypatch, fault):
    """One that raises, and two whose loss is not the loss."""

    def made(model, x, y):
        if fault == "raises":
            raise RuntimeError("no compiler")
        return token_loss(model, x, y) + len(y.flatten()) * (1 if fault == "wrong" else float("nan"))

    monkeypatch.setattr(torch, "compile", lambda f, **_: made)
    loss, found = accelerator.choose(ModernGPT(SMALL), data, CONFIG, 3, True, lambda line: None)
    assert loss is token_loss and found["way"] == "as written"
    assert ("RuntimeError" if fault == "raises" else "nats") in found["why"]


def test_oracle_flops_per_token_are_those_that_torch_counts(monkeypatch):
    """Forward products of one window, times three. Attention is written out, because the fused one is not counted."""
    from torch.utils.flop_counter import FlopCounterMode

    config = replace(SMALL, n_layer=3, n_embd=32, context_length=16)
    monkeypatch.setattr(modern, "attend_fast", attend)
    model = ModernGPT(config)
    tokens = torch.zeros(1, 16, dtype=torch.long)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(tokens)
    matrices = sum(p.numel() for name, p in model.named_parameters() if p.ndim == 2 and name != "wte.weight")
    assert accelerator.flops_per_token(matrices, config) == 3 * counter.get_total_flops() / 16


def test_speed_is_tokens_over_seconds_without_warm_steps_and_checkpoints():
    trainer = Trainer(ModernGPT(SMALL), range(9), replace(CONFIG, checkpoint_interval=20))
    records = [{"step": s, "loss": 1.0, "wall_s": 0.5} for s in range(1, 61)] + [{"step": 60, "valid_loss": 1.0}]
    for slow in (0, 9, 20, 40):  # steps 1, 10, 21 and 41
        records[slow]["wall_s"] = 9.0
    records[30]["wall_s"] = 0.25
    found = accelerator.speed(trainer, records, 1000, [1e9, 2e9, 4e9])
    assert found["tokens/s"] == [64.0, 64.0, 128.0]  # 4 windows of 8 tokens in half a second
    assert found["share"] == pytest.approx((6 * 1000 + 12 * 1 * 16 * 8) * 64 / 2e9)


def test_nothing_on_the_path_is_made_on_another_device():
    """On the device "meta" nothing is computed, and a tensor that was made on the CPU is refused."""
    model = ModernGPT(replace(long.QUICK, n_layer=2)).to("meta")
    tokens = torch.zeros(3, 32, dtype=torch.long, device="meta")
    with pytest.raises(Exception, match="device"):
        model.wte.weight + torch.zeros(1, 32)
    loss = token_loss(model, tokens, tokens)
    loss.backward()
    optimizer = build_optimizer(model, Config(model=long.QUICK, weight_decay=0.1))
    assert torch.nn.utils.clip_grad_norm_(list(model.parameters()), 1.0).device == loss.device == tokens.device
    for _ in range(2):
        optimizer.step()
    moved = [v for state in optimizer.state.values() for v in state.values() if isinstance(v, torch.Tensor)]
    assert len(moved) >= len(list(model.parameters())) and {v.device for v in moved} == {tokens.device}


def test_the_gallery_draws_where_the_prompt_is(monkeypatch):
    made, real = [], torch.Generator
    monkeypatch.setattr(torch, "Generator", lambda device="none": made.append(device) or real(device))
    gallery(ModernGPT(SMALL), torch.tensor([1, 2]), 2)
    assert made == [torch.device("cpu")] * len(SETTINGS)


def test_the_whole_run_and_its_resumption(tmp_path, capsys):
    """`cpu:0` is a device by its name, so that all of the path runs here."""
    chosen = options(device="cpu:0", quick=True, minutes=1.0, steps=None, compile=False, folder=tmp_path, out=tmp_path)
    for steps in (6, 12):
        assert long.long(chosen, lambda line: None) is None
        section = json.loads((tmp_path / "results.json").read_text())["long_cpu"]
        assert section["steps"] == steps and section["way"] == "as written"
    assert section["repeated"] == 0 and list(map(int, section["valid"])) == [3, 6, 9, 12]
    assert section["all"]["bits"] == pytest.approx(section["all"]["loss"] / 0.693147, rel=1e-5)
    assert section["all"]["windows"] > 64 and set(section["samples"]) == set(SETTINGS)
    assert section["meta"]["quick"] and section["config"]["weight_decay"] == 0.1
    out = capsys.readouterr().out
    assert "tokens/s" in out and "Quick run" in out and "| 12 |" in out


def test_the_table_without_a_recorded_run(monkeypatch):
    monkeypatch.setattr(tables.record, "read", lambda folder: {})
    assert tables.long_device() == "No run on a GPU is recorded.\n"


def test_steps_are_a_number_or_auto():
    assert long.steps_of("auto") == "auto" and long.steps_of("70") == 70


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_run_on_a_gpu(tmp_path, capsys):
    argv = ["long", "--quick", "--device", "cuda", "--minutes", "1", "--folder", str(tmp_path), "--out", str(tmp_path)]
    assert main("capstone_gpt", "", COMMANDS, plots.draw, argv, arguments) == 0
    assert "Quick run" in capsys.readouterr().out
    assert "long_cuda" in json.loads((tmp_path / "results.json").read_text())


TRACED = """
import torch
from capstone_gpt.model import ModernConfig, ModernGPT
from capstone_gpt.training import token_loss

def backend(graph, inputs):
    for node in graph.graph.nodes:
        value = node.meta.get("example_value")
        print(node.kwargs.get("device", getattr(value, "device", "meta")))
    return graph.forward

model = ModernGPT(ModernConfig(vocab_size=64, context_length=8, n_layer=1, n_head=2, n_embd=16)).to("meta")
x = torch.zeros(4, 8, dtype=torch.long, device="meta")
torch.compile(token_loss, dynamic=False, backend=backend)(model, x, x)
"""


def test_the_compiled_loss_has_nothing_on_the_cpu():
    """One operation there, and the compiler of the CPU's code is called too. Traced without the tests' type checks."""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", TRACED], capture_output=True, text=True)
    devices = done.stdout.split()
    assert len(devices) > 20 and set(devices) == {"meta"}, done.stderr[-2000:]
