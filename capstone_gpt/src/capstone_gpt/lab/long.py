"""The long run: ten million parameters on novels, for as long as there is time. Kill it and start it again at will.

The folder holds the tokens, the checkpoint and the log. The same command resumes. On a GPU it is 32 million.
"""

import argparse
import lzma
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from ..data import ByteTokenizer, TokenFile, windows, write_tokens
from ..model import ModernConfig, ModernGPT, gallery
from ..training import Config, JsonLines, Trainer, bits_per_byte, evaluate, read_log, token_loss
from . import accelerator, fetch, record
from .cli import QUICK as QUICK_RUN
from .tables import long_device

SMALL = ModernConfig(vocab_size=256, context_length=256, n_layer=6, n_head=6, n_embd=384, compute_dtype="bfloat16")
LARGE = replace(SMALL, n_layer=10, n_head=8, n_embd=512)  # 32 million, for a GPU
QUICK = replace(SMALL, n_layer=1, n_head=2, n_embd=32, context_length=32)
PROMPT = "It was a dark night, and "
FOLDER = fetch.cache() / "capstone_long"
STEPS = 4000
DEFAULT = f"default {STEPS} on a CPU, auto elsewhere; may be changed on resuming"


def arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--folder", type=Path, default=FOLDER, help=f"checkpoint of the long run (default {FOLDER})")
    add("--steps", type=steps_of, help=f"steps of the long run, or auto: as many as fit into --minutes ({DEFAULT})")
    add("--minutes", type=float, default=60, help="stop the long run after so many (resume later)")
    add("--compile", action="store_true", help="torch.compile for the long run, where it is faster")


def steps_of(text: str) -> int | str:
    """A number, or auto."""
    return text if text == "auto" else int(text)


class Clock:
    """CPU and wall seconds of each step, in its record; and the end of the time that was given."""

    def __init__(self, minutes: float | int, log: Callable[[str], None]):
        self.end, self.log = time.monotonic() + 60 * minutes, log
        self.restart()

    def restart(self) -> None:
        self.cpu, self.wall = time.process_time(), time.monotonic()

    def on_step(self, trainer: Trainer, record: dict) -> None:
        cpu, wall = time.process_time(), time.monotonic()
        record["cpu_s"], record["wall_s"] = round(cpu - self.cpu, 4), round(wall - self.wall, 4)
        self.cpu, self.wall = cpu, wall
        trainer.stop = trainer.stop or wall > self.end
        self.log(f"step {record['step']} of {trainer.config.steps}, loss {record['loss']:.3f}")

    def on_eval(self, trainer: Trainer, record: dict) -> None:
        self.restart()  # evaluation is not training


def texts(options: argparse.Namespace) -> tuple[str, str]:
    """Training and validation text. The novels have whole books for validation."""
    text = fetch.load_text(options.data)
    if options.data == "novels":
        with lzma.open(fetch.fetch(fetch.NOVELS_VALID), "rt", encoding="utf-8") as file:
            return text, file.read()
    boundary = int(len(text) * 0.95)
    return text[:boundary], text[boundary:]


def config_of(options: argparse.Namespace, steps: int) -> Config:
    """On a CPU a small model and four windows a step; elsewhere a larger one, and 128 windows."""
    large = options.device != "cpu"
    model = QUICK if options.quick else LARGE if large else SMALL
    config = Config(steps=steps, batch_size=4, max_norm=1.0, warmup_steps=40, decay=0.3, lr=2e-3, muon_lr=0.02,
                    weight_decay=0.01, eval_interval=100, checkpoint_interval=20, seed=options.seed,
                    model=model)  # fmt: skip
    if large:
        config = replace(config, batch_size=128, warmup_steps=100, decay=0.5, weight_decay=0.1)
        config = replace(config, eval_interval=max(1, steps // 40), checkpoint_interval=max(1, steps // 4))
    if options.quick:
        config = replace(config, eval_interval=3, checkpoint_interval=3)
        config = replace(config, batch_size=8, warmup_steps=2) if large else config
    return config


def spread_out(text: str, T: int) -> tuple[Tensor, Tensor]:
    """At most 64 windows from all over the beginning of a text."""
    valid = torch.tensor(ByteTokenizer().encode(text[: (T + 1) * 64 * 3]))
    n = min(64, (len(valid) - 1) // T)
    first = torch.arange(n) * ((len(valid) - T - 1) // n)
    return tuple(valid[(first + shift)[:, None] + torch.arange(T)] for shift in (0, 1))


def tokens_of(options: argparse.Namespace, folder: Path, T: int) -> tuple[TokenFile, str]:
    """Training tokens as a file in the folder, written once; and the validation text."""
    train_text, valid_text = texts(options)
    tokenizer, path = ByteTokenizer(), folder / f"{Path(options.data).stem}.bin"
    if not path.exists():
        write_tokens(path, tokenizer.encode(train_text), tokenizer.vocab_size)
    return TokenFile(path, T, tokenizer.vocab_size), valid_text


def long(options: argparse.Namespace, log: Callable[[str], None]) -> dict | None:
    """Train or go on, and report what has been reached. A run on a device is recorded in a section of its own."""
    clock, device = Clock(options.minutes, log), options.device
    folder = options.folder / "quick" if options.quick else options.folder
    folder.mkdir(parents=True, exist_ok=True)
    auto = (options.steps or (STEPS if device == "cpu" else "auto")) == "auto"
    config = config_of(options, 6 if options.quick else STEPS if auto else options.steps or STEPS)
    data, valid = tokens_of(options, folder, config.model.context_length)
    x, y = (t.to(device) for t in spread_out(valid, config.model.context_length))
    torch.manual_seed(options.seed)
    model = ModernGPT(config.model).to(device)
    data = data if device == "cpu" else accelerator.on_device(data, device)
    loss, chosen = token_loss, {}
    if auto or options.compile:
        loss, chosen = accelerator.choose(model, data, config, 5 if options.quick else 30, options.compile, log)
    if auto:
        fit = accelerator.that_fit(clock.end - time.monotonic(), chosen["ms"][chosen["way"]], config.warmup_steps)
        config = config_of(options, min(6, fit) if options.quick else fit)
    lines = JsonLines(folder / "log.jsonl")
    trainer = Trainer(model, data, config, loss, lambda m: evaluate(m, x, y), [clock, lines], folder)
    if trainer.resume() and auto:
        trainer.config = replace(config, steps=trainer.step + config.steps)
    clock.restart()
    trainer.fit()
    records = read_log(lines.path)
    found = report(trainer, records, ByteTokenizer(), evaluate(model, x, y)) | chosen
    if device == "cpu":
        return found
    return record_device(options, found | on_that_device(options, trainer, records, valid))


def on_that_device(options: argparse.Namespace, trainer: Trainer, records: list[dict], valid: str) -> dict:
    """Speed, the device's limit, and the loss on all of the validation text."""
    tokens = torch.tensor(ByteTokenizer().encode(valid))
    x, y = windows(tokens, trainer.config.model.context_length, "valid", 1.0)
    loss = evaluate(trainer.model, x.to(options.device), y.to(options.device), 128)
    rates = accelerator.peak(options.device, 256 if options.quick else 8192)
    parameters = sum(p.numel() for p in trainer.model.parameters())
    found = accelerator.speed(trainer, records, parameters, rates) | accelerator.identity(options.device)
    return found | {"all": {"windows": len(x), "loss": loss, "bits": bits_per_byte(loss, 1, 1)}}


def record_device(options: argparse.Namespace, content: dict) -> None:
    """Its own section, beside the CPU's."""
    name = f"long_{options.device.partition(':')[0]}"
    more = {"data": options.data, "device": options.device, "quick": options.quick, "threads": options.threads}
    results = record.write(options.out, name, content, seeds=[options.seed], **more)
    print(long_device(results[name]) + (f"\n{QUICK_RUN}" if options.quick else ""))
    print(f"wrote {options.out / 'results.json'}")


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
    samples = gallery(trainer.model, prompt.to(device), 8 if trainer.step < 10 else 300)
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
