"""A trainer that kills itself at a chosen point, and what the resumed run ends with.

Each run is a forked process that sends itself SIGKILL, which no code can catch. A second process resumes and reports
its hash.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ..data import Pairs, windows
from ..model import ModernConfig, ModernGPT
from ..training import Config, EarlyStopping, JsonLines, LossScaler, Trainer, evaluate, read_log, state_hash

MODEL = ModernConfig(vocab_size=31, context_length=16, n_layer=1, n_head=2, n_embd=16, compute_dtype="bfloat16")
CONFIG = Config(steps=12, batch_size=4, accumulation=2, max_norm=1.0, warmup_steps=3, eval_interval=3,
                checkpoint_interval=4, model=MODEL)  # fmt: skip
POINTS = (
    "before the first checkpoint",
    "between two micro-batches",
    "in the backward pass",
    "between the step and its line in the log",
    "while a line of the log is written",
    "while the checkpoint is written",
    "before the checkpoint is renamed",
    "during an evaluation",
)


class Noisy(nn.Module):
    """Dropout on the logits: torch's generator matters."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model, self.dropout = model, nn.Dropout(0.1)

    def forward(self, tokens):
        return self.dropout(self.model(tokens))


class Augmented(Pairs):
    """Rolls and cuts the windows at random: NumPy's and Python's generators matter."""

    def __getitem__(self, index):
        x, y = super().__getitem__(index)
        cut = int(np.random.randint(3))
        return (x.flip(0), y.flip(0)) if random.random() < 0.5 else (x[:, cut:], y[:, cut:])


CHILD = "one run"


def build(folder: Path | str | None, on_data: Callable[[], None] = lambda: None) -> Trainer:
    """The run: every kind of state is in it. The scale is so large that steps overflow and are left out."""
    tokens = torch.randint(31, (3000,), generator=torch.Generator().manual_seed(3))
    torch.manual_seed(0), np.random.seed(0), random.seed(0)
    data, valid = Augmented(*windows(tokens, 16)), windows(tokens, 16, "valid")

    class Watched(Augmented):
        def __getitem__(self, index):
            on_data()
            return super().__getitem__(index)

    data.__class__ = Watched
    callbacks = [EarlyStopping(100)] + ([JsonLines(Path(folder) / "log.jsonl")] if folder else [])
    trainer = Trainer(Noisy(ModernGPT(MODEL)), data, CONFIG, evaluator=lambda m: evaluate(m, *valid),
                      callbacks=callbacks, folder=folder)  # fmt: skip
    trainer.scaler = LossScaler(2.0**127, growth_interval=3)
    return trainer


def die() -> None:
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))  # Windows ends a process at once by SIGTERM


def arm(point: str, trainer: Trainer, calls: dict) -> None:
    """Arrange for the process to be killed at the point, in its sixth step or at its second save."""
    fsync, rename = os.fsync, os.replace

    def second(call):
        def wrapped(*args):
            calls["saves"] = calls.get("saves", 0) + 1
            die() if calls["saves"] == 2 else None
            return call(*args)

        return wrapped

    if point == "while the checkpoint is written":
        os.fsync = second(fsync)
    elif point == "before the checkpoint is renamed":
        os.replace = second(rename)
    elif point == "in the backward pass":
        weight = trainer.model.model.lm_head.weight
        weight.register_hook(lambda grad: die() if trainer.step == 5 else None)
    elif point == "during an evaluation":
        evaluator = trainer.evaluator
        trainer.evaluator = lambda m: die() if trainer.step == 6 else evaluator(m)
    elif point in ("between the step and its line in the log", "while a line of the log is written"):
        trainer.callbacks.insert(0, Torn(trainer.callbacks[-1].path, torn=point.startswith("while")))


class Torn:
    """Kills the process after step 6, with half a line in the log if `torn`."""

    def __init__(self, path: Path, torn: bool):
        self.path, self.torn = path, torn

    def on_step(self, trainer: Trainer, record: dict) -> None:
        if record["step"] == 6:
            if self.torn:
                with open(self.path, "ab", buffering=0) as file:
                    file.write(b'{"step": 6, "lo')
            die()


def run(folder: Path, point: str | None) -> int:
    """Train in a process of its own; returns 0 if it came to its end. It is forked where the system can fork."""
    if not hasattr(os, "fork"):
        return subprocess.run([sys.executable, "-m", f"{__package__}.kill", CHILD, str(folder), point or ""]).returncode
    sys.stdout.flush(), sys.stderr.flush()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that forking with threads is risky: the child only trains and ends
        pid = os.fork()
    if pid:
        return os.waitpid(pid, 0)[1]
    try:
        train_and_die(folder, point)
        os._exit(0)
    finally:
        os._exit(1)  # an exception must not go on in the parent's code


def train_and_die(folder: Path, point: str | None) -> None:
    """Resume if there is something to resume, train, and be killed at the point; else write the hash of the end."""
    calls = {"data": 0}

    def on_data():
        calls["data"] += 1
        early = point == "before the first checkpoint" and calls["data"] == 5
        die() if early or point == "between two micro-batches" and calls["data"] == 12 else None

    trainer = build(folder, on_data)
    trainer.resume()
    if point:
        arm(point, trainer, calls)
    trainer.fit()
    (folder / "hash").write_text(state_hash(*trainer.parts().values()))


def all_points(points=POINTS) -> dict:
    """{uninterrupted hash, points, the points that end otherwise, steps that were repeated, of them not equal}."""
    build(None).fit(2)  # what the library prepares at its first step, each child would prepare again
    different, repeated, unequal = [], 0, 0
    with tempfile.TemporaryDirectory() as name:
        whole = Path(name) / "whole"
        run(whole, None)
        want, losses = (whole / "hash").read_text(), losses_of(whole)
        for i, point in enumerate(points):
            folder = Path(name) / str(i)
            killed = run(folder, point) != 0 and not (folder / "hash").exists()
            ended = run(folder, None) == 0
            if not (killed and ended and (folder / "hash").read_text() == want):
                different.append(point)
                continue
            found = losses_of(folder)
            repeated += sum(len(values) > 1 for values in found.values())
            unequal += sum(set(values) != set(losses[step]) for step, values in found.items())
    return {"hash": want, "points": list(points), "different": different, "repeated": repeated, "unequal": unequal}


def in_a_process_of_its_own(points=POINTS) -> dict:
    """`all_points` in a fresh interpreter: a process with threads must not fork.

    Raises:
        ValueError: the other process failed.
    """
    command = [sys.executable, "-m", __name__, *points]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    if done.returncode:
        raise ValueError(f"returncode={done.returncode}: {done.stderr.strip()[-300:]}")
    return json.loads(done.stdout.splitlines()[-1])


def losses_of(folder: Path) -> dict[int, list]:
    found: dict[int, list] = {}
    for record in read_log(folder / "log.jsonl"):
        if "loss" in record:
            found.setdefault(record["step"], []).append(repr((record["loss"], record["grad_norm"])))
    return found


def without_each() -> dict[str, int | None]:
    """The first step whose loss differs when one piece of state is not restored; None if none does."""
    with tempfile.TemporaryDirectory() as name:
        first = build(name)
        first.fit(6)
        whole = build(None)
        history = [r["loss"] for r in whole.fit() if "loss" in r][6:]
        found = {}
        for left_out in ["nothing", "model", "optimizer", "sampler", "scaler", "random generators"]:
            trainer = build(name)
            parts = dict(trainer.parts())
            if left_out in parts:
                parts[left_out] = Nothing()
            states = torch.get_rng_state(), np.random.get_state(), random.getstate()
            trainer.step = trainer.checkpoint.load(parts)
            if left_out == "random generators":
                torch.set_rng_state(states[0]), np.random.set_state(states[1]), random.setstate(states[2])
            trainer.checkpoint = None
            losses = [r["loss"] for r in trainer.fit() if "loss" in r]
            pairs = enumerate(zip(losses, history, strict=True), 7)
            found[left_out] = next((step for step, (a, b) in pairs if a != b), None)
    return found


class Nothing:
    """Stands for a part whose state is thrown away."""

    def load_state_dict(self, state) -> None:
        pass


if __name__ == "__main__":
    torch.set_num_threads(1)
    if sys.argv[1:2] == [CHILD]:
        train_and_die(Path(sys.argv[2]), sys.argv[3] or None)
        sys.exit()
    print(json.dumps(all_points(sys.argv[1:] or POINTS)))
