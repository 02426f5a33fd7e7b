"""A run on another device than the CPU: how many steps fit, how fast it is, and how fast that device could be."""

import copy
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import nn

from ..data import Pairs, TokenFile
from ..training import Config, Trainer, token_loss

WARM = 10  # steps that are not timed
PART = 0.9  # of the time for steps; evaluations, checkpoints and a warmer device need the rest
Log = Callable[[str], None]


def synchronise(device: str | torch.device) -> None:
    """Wait until the device has done what it was given."""
    if torch.device(device).type != "cpu":
        torch.accelerator.synchronize()


def on_device(file: TokenFile, device: str | torch.device) -> Pairs:
    """The same windows, all of them in the device's memory: a batch is gathered there."""
    n, T = len(file), file.seq_len
    tokens = torch.from_numpy(file.tokens[: n * T + 1].astype(np.int64)).to(device)
    return Pairs(tokens[:-1].view(n, T), tokens[1:].view(n, T))


class Stopwatch:
    """Seconds of each step. A step ends with its gradient norm on the CPU, so that the device has done all of it."""

    def __init__(self):
        self.seconds: list[float] = []
        self.last = time.perf_counter()

    def on_step(self, trainer: Trainer, record: dict) -> None:
        now = time.perf_counter()
        self.seconds.append(now - self.last)
        self.last = now


def rehearse(model: nn.Module, data: Any, config: Config, loss: Callable, steps: int) -> tuple[float, float]:
    """(median seconds of a step, loss of the last one) over some steps; then the model is as before."""
    start, watch = copy.deepcopy(model.state_dict()), Stopwatch()
    short = replace(config, eval_interval=0, checkpoint_interval=0)
    try:
        records = Trainer(model, data, short, loss, callbacks=[watch]).fit(until=WARM + steps)
    finally:
        model.load_state_dict(start)
        model.zero_grad(set_to_none=True)
    return median(watch.seconds[-steps:]), records[-1]["loss"]


def choose(model: nn.Module, data: Any, config: Config, steps: int, compiled: bool, log: Log) -> tuple[Callable, dict]:
    """The loss to train with, and what was measured: milliseconds of a step of each way, and the way taken.

    The compiled loss is taken where it is faster and ends `steps` steps at the loss of the other.
    """
    log("timing some steps")
    seconds, wanted = rehearse(model, data, config, token_loss, steps)
    found = {"ms": {"as written": 1e3 * seconds}, "way": "as written", "why": ""}
    if not compiled:
        return token_loss, found
    log("torch.compile")
    start = time.perf_counter()
    try:
        made = torch.compile(token_loss, dynamic=False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # it traces through a cache, which is what is wanted
            fast, reached = rehearse(model, data, config, made, steps)
    except Exception as error:  # tracing, generated code and its compilers fail in kinds of their own
        found["why"] = f"torch.compile failed here with {type(error).__name__}; the run did without it."
        return token_loss, found
    found["ms"]["compiled"], found["compile_s"] = 1e3 * fast, time.perf_counter() - start
    if not abs(reached - wanted) < 0.2:  # NaN is not near either
        found["why"] = f"Compiled, the steps ended at {reached:.2f} nats and not {wanted:.2f}; the run did without."
    elif fast < seconds:
        found["way"] = "compiled"
        return made, found
    return token_loss, found


def that_fit(seconds: float | int, ms: float | int, warmup_steps: int) -> int:
    """How many steps of `ms` milliseconds fit into `seconds`.

    Raises:
        ValueError: not even the warm-up does.
    """
    steps = int(PART * seconds / (1e-3 * ms))
    if steps <= warmup_steps:
        raise ValueError(
            f"minutes: {seconds:.0f} seconds are left for steps of {ms:.1f} ms, and the warm-up alone has "
            f"{warmup_steps}; give more"
        )
    return steps


def peak(device: str | torch.device, size: int = 8192, repeats: int = 15, products: int = 10) -> list[float]:
    """FLOP/s of a square matrix product in bfloat16, for each of some repeats of ten products."""
    a, b = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    rates = []
    for _ in range(repeats + 2):
        synchronise(device)
        start = time.perf_counter()
        for _ in range(products):
            a @ b
        synchronise(device)
        rates.append(products * 2 * size**3 / (time.perf_counter() - start))
    return rates[2:]


def flops_per_token(parameters: int, config) -> int:
    """6 for each parameter, and 12 · layers · width · context for attention (Chowdhery et al. 2022, appendix B)."""
    return 6 * parameters + 12 * config.n_layer * config.n_embd * config.context_length


def three(values: list[float]) -> list[float]:
    """Least, median, greatest."""
    return [min(values), median(values), max(values)]


def speed(trainer: Trainer, records: list[dict], parameters: int, rates: list[float]) -> dict:
    """Tokens a second over the steps, and their share of the matrix product's rate.

    The first steps are left out, and those whose time holds a checkpoint.
    """
    c = trainer.config
    tokens, every = c.batch_size * c.model.context_length, c.checkpoint_interval
    steps = [r for r in records if "loss" in r]
    timed = [r["wall_s"] for r in steps if r["step"] > WARM and not (every and (r["step"] - 1) % every == 0)]
    per_s = [tokens / s for s in timed or [r["wall_s"] for r in steps]]
    work = flops_per_token(parameters, c.model)
    return {
        "tokens/s": three(per_s),
        "flops_per_token": work,
        "peak": three(rates),
        "share": work * median(per_s) / median(rates),
    }


def identity(device: str | torch.device) -> dict:
    """What the device is."""
    if torch.device(device).type == "cuda":
        memory = torch.cuda.max_memory_allocated() / 2**30
        return {"device": torch.cuda.get_device_name(), "cuda": torch.version.cuda, "memory_gib": memory}
    return {"device": str(device), "cuda": "", "memory_gib": 0.0}
