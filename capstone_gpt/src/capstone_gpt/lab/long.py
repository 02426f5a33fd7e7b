"""The long run: ten million parameters on novels, for as long as there is time. Kill it and start it again at will.

The folder holds the tokens, the checkpoint and the log. The same command resumes.
"""

import argparse
import lzma
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from ..data import ByteTokenizer, TokenFile, write_tokens
from ..model import ModernConfig, ModernGPT, gallery
from ..training import Config, JsonLines, Trainer, evaluate, read_log
from . import fetch

SMALL = ModernConfig(vocab_size=256, context_length=256, n_layer=6, n_head=6, n_embd=384, compute_dtype="bfloat16")
LARGE = replace(SMALL, n_layer=10, n_head=8, n_embd=512)  # 32 million, for a GPU
QUICK = replace(SMALL, n_layer=1, n_head=2, n_embd=32, context_length=32)
PROMPT = "It was a dark night, and "
FOLDER = fetch.cache() / "capstone_long"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--folder", type=Path, default=FOLDER, help=f"checkpoint of the long run (default {FOLDER})")
    parser.add_argument("--steps", type=int, default=4000, help="steps of the long run; may be changed on resuming")
    parser.add_argument("--minutes", type=float, default=60, help="stop the long run after so many (resume later)")


class Clock:
    """CPU and wall seconds of each step, in its record; and the end of the time that was given."""

    def __init__(self, minutes: float | int, log: Callable[[str], None]):
        self.end, self.log = time.monotonic() + 60 * minutes, log
        self.cpu, self.wall = time.process_time(), time.monotonic()

    def on_step(self, trainer: Trainer, record: dict) -> None:
        cpu, wall = time.process_time(), time.monotonic()
        record["cpu_s"], record["wall_s"] = round(cpu - self.cpu, 4), round(wall - self.wall, 4)
        self.cpu, self.wall = cpu, wall
        trainer.stop = trainer.stop or wall > self.end
        self.log(f"step {record['step']} of {trainer.config.steps}, loss {record['loss']:.3f}")

    def on_eval(self, trainer: Trainer, record: dict) -> None:
        self.cpu, self.wall = time.process_time(), time.monotonic()  # evaluation is not training


def texts(options: argparse.Namespace) -> tuple[str, str]:
    """Training and validation text. The novels have whole books for validation."""
    text = fetch.load_text(options.data)
    if options.data == "novels":
        with lzma.open(fetch.fetch(fetch.NOVELS_VALID), "rt", encoding="utf-8") as file:
            return text, file.read()
    boundary = int(len(text) * 0.95)
    return text[:boundary], text[boundary:]


def long(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """Train or go on, and report what has been reached."""
    model_config = QUICK if options.quick else LARGE if options.device == "cuda" else SMALL
    folder = options.folder / "quick" if options.quick else options.folder
    steps = 6 if options.quick else options.steps
    config = Config(steps=steps, batch_size=4 if options.device == "cpu" else 64, max_norm=1.0, warmup_steps=40,
                    decay=0.3, lr=2e-3, muon_lr=0.02, weight_decay=0.01, eval_interval=3 if options.quick else 100,
                    checkpoint_interval=3 if options.quick else 20, seed=options.seed, model=model_config)  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer, T = ByteTokenizer(), model_config.context_length
    train_text, valid_text = texts(options)
    path = folder / f"{Path(options.data).stem}.bin"
    if not path.exists():
        write_tokens(path, tokenizer.encode(train_text), tokenizer.vocab_size)
    valid = torch.tensor(tokenizer.encode(valid_text[: (T + 1) * 64 * 3]))
    n = min(64, (len(valid) - 1) // T)
    spread = torch.arange(n) * ((len(valid) - T - 1) // n)  # windows from all over the text
    x, y = (valid[(spread + shift)[:, None] + torch.arange(T)].to(options.device) for shift in (0, 1))
    torch.manual_seed(options.seed)
    model = ModernGPT(model_config).to(options.device)
    clock, lines = Clock(options.minutes, log), JsonLines(folder / "log.jsonl")
    data = OnDevice(TokenFile(path, T, tokenizer.vocab_size), options.device)
    trainer = Trainer(
        model, data, config, evaluator=lambda m: evaluate(m, x, y), callbacks=[clock, lines], folder=folder
    )
    trainer.resume()
    trainer.fit()
    return report(trainer, read_log(lines.path), tokenizer, evaluate(model, x, y))


class OnDevice:
    """Batches moved to where the model is."""

    def __init__(self, data, device: str):
        self.data, self.device = data, device

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index):
        return tuple(t.to(self.device) for t in self.data[index])


def report(trainer: Trainer, records: list[dict], tokenizer: ByteTokenizer, valid_loss: float | int) -> dict:
    """Curve, cost, what was repeated after kills, and samples."""
    steps = [r for r in records if "loss" in r]
    losses: dict[int, set[float]] = {}
    for r in steps:
        losses.setdefault(r["step"], set()).add(r["loss"])
    curve = {r["step"]: r["valid_loss"] for r in records if "valid_loss" in r}
    every = max(1, trainer.step // 200)
    prompt = torch.tensor(tokenizer.encode(PROMPT))
    device = next(trainer.model.parameters()).device
    samples = gallery(trainer.model, prompt.to(device), 8 if trainer.step < 10 else 300) if device.type == "cpu" else {}
    tokens = trainer.config.batch_size * trainer.config.model.context_length
    return {
        "parameters": sum(p.numel() for p in trainer.model.parameters()),
        "config": trainer.config.state_dict(),
        "steps": trainer.step,
        "tokens": trainer.step * tokens,
        "cpu_s": sum(r["cpu_s"] for r in steps),
        "wall_s": sum(r["wall_s"] for r in steps),
        "repeated": len(steps) - len(losses),
        "repeated steps differ": sum(len(values) > 1 for values in losses.values()),
        "train": {str(s): min(v) for s, v in losses.items() if s % every == 0},
        "valid": {str(s): v for s, v in curve.items()},
        "valid_loss": valid_loss,
        "samples": {name: tokenizer.decode(t) for name, t in samples.items()},
    }
