"""Ours beside nanoGPT's recipe for a CPU, step by step in one run; and what loading a batch costs."""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from torch.nn import functional as F
from torch.utils.data import DataLoader

from ..data import Pairs, Sampler, TokenFile, prefetch, write_tokens
from ..model import GPT, GPTConfig, ModernGPT, attend
from ..training import build_optimizer, evaluate, token_loss, train_step
from .corpus import Corpus, corpus
from .experiment import STEPS, config_of, nanogpt_loss

Log = Callable[[str], None]
NANOGPT_STEPS = 2000  # of its recipe for a CPU: 4 layers of 128, 12 rows of 64, AdamW with a cosine, in float32


def bench(options: argparse.Namespace, log: Log) -> dict:
    """Correctness first: the explicit attention gives the numbers of PyTorch's kernel.

    Raises:
        ValueError: it does not.
    """
    q, k, v = torch.randn(3, 2, 4, 17, 8, generator=torch.Generator().manual_seed(0)).unbind()
    error = float((attend(q, k, v) - F.scaled_dot_product_attention(q, k, v, is_causal=True)).abs().max())
    if error > 1e-5:
        raise ValueError(f"error={error}: attention must be right before it is timed")
    text = corpus(options.data, options.quick)
    repeats = 3 if options.quick else 30
    log("steps, alternating")
    found = {"error": error, "steps": {"ours": STEPS, "nanoGPT's recipe": NANOGPT_STEPS}}
    found["ms"] = step_times(text, repeats, options.seed)
    log("loading")
    found["loading"] = loading(text, 20 if options.quick else 300)
    if options.peer:
        found["peer"] = peer(text, 5 if options.quick else NANOGPT_STEPS, options.seed, log)
    return found


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--peer", action="store_true", help="bench: also train nanoGPT's recipe to its end (4 min)")


def nanogpt(text: Corpus) -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    """A model of its shape, and its optimizer: AdamW, betas 0.9 and 0.99, decay 0.1 for matrices."""
    model = GPT(GPTConfig(text.vocab_size, 64, 4, 4, 128))
    matrices, vectors = ([p for p in model.parameters() if (p.ndim >= 2) is two] for two in (True, False))
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    return model, torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99), fused=True)


def step_times(text: Corpus, repeats: int, seed: int) -> dict[str, list[float]]:
    """CPU milliseconds, the contenders in turn: whole steps, and forward and backward of nanoGPT's own shape."""
    x, y = (t[:12] for t in text.train)
    theirs, optimizer = nanogpt(text)
    ours = ModernGPT(config_of(text, seed, STEPS).model)
    own = build_optimizer(ours, config_of(text, seed, STEPS))

    def whole(model, optimizer, max_norm):
        train_step(lambda a, b: token_loss(model, a, b), optimizer, [(x, y)], max_norm)

    def both_ways(precision):
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            loss = token_loss(theirs, x, y)
        loss.backward()
        theirs.zero_grad()

    contenders = {
        "step, nanoGPT's recipe": lambda: whole(theirs, optimizer, 1.0),
        "step, ours": lambda: whole(ours, own, float("inf")),
        "forward and backward of its shape, float32": lambda: both_ways("float32"),
        "forward and backward of its shape, bfloat16": lambda: both_ways("bfloat16"),
    }
    times = {name: [] for name in contenders}
    for repeat in range(repeats + 2):
        for name, call in contenders.items():
            start = time.process_time()
            call()
            if repeat > 1:
                times[name].append(1000 * (time.process_time() - start))
    return times


def loading(text: Corpus, batches: int) -> dict[str, float]:
    """Wall microseconds a batch of 12 windows: from memory, from a file, with PyTorch's workers, read ahead."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        path = write_tokens(Path(folder) / "tokens.bin", text.tokens, text.vocab_size)
        sources = {"memory": Pairs(*text.train), "file, mapped": TokenFile(path, 64, text.vocab_size)}
        for name, data in sources.items():
            found[name] = per_batch(iter_batches(data), batches)
        file = sources["file, mapped"]
        found["file, read ahead by a thread"] = per_batch(prefetch(iter_batches(file)), batches)
        for workers in (0, 1):
            loader = DataLoader(file, batch_size=12, shuffle=True, num_workers=workers)
            few = min(batches, len(loader) - 1)
            found[f"DataLoader, {workers} workers"] = per_batch(iter(loader), few)
    return found


def iter_batches(data):
    sampler = Sampler(len(data), 12)
    while True:
        yield data[next(sampler)]


def per_batch(items, n: int) -> float:
    next(items)  # threads and processes start
    start = time.perf_counter()
    for _ in range(n):
        next(items)
    return 1e6 * (time.perf_counter() - start) / n


def peer(text: Corpus, steps: int, seed: int, log: Log) -> dict:
    """nanoGPT's recipe to its end: random windows, warm-up of 100 steps, cosine to a tenth, clip at 1."""
    from ..optim import cosine_lr

    torch.manual_seed(seed)
    model, optimizer = nanogpt(text)
    data, generator = text.train_tokens, torch.Generator().manual_seed(seed)
    cpu = 0.0
    for step in range(steps):
        start = time.process_time()
        first = torch.randint(len(data) - 65, (12,), generator=generator)[:, None] + torch.arange(64)
        for group in optimizer.param_groups:
            group["lr"] = cosine_lr(step, 1e-3, min(100, steps - 1), steps, 1e-4)
        batch = (data[first], data[first + 1])
        train_step(lambda a, b: token_loss(model, a, b), optimizer, [batch], 1.0)
        cpu += time.process_time() - start
        if step % 100 == 0:
            log(f"nanoGPT's recipe, step {step} of {steps}")
    return {"loss": evaluate(model, *text.valid, batch_size=64), "peer_loss": nanogpt_loss(model, text), "cpu_s": cpu}


def ratio(content: dict) -> dict[str, float]:
    """What the tables say: steps' cost, and forward and backward, as ratios of medians."""
    ms = {name: median(values) for name, values in content["ms"].items()}
    steps = content["steps"]
    theirs = ms["step, nanoGPT's recipe"] * steps["nanoGPT's recipe"]
    both = "forward and backward of its shape, "
    ours = ms["step, ours"] * steps["ours"]
    found = {"cost": theirs / ours, "both ways": ms[f"{both}bfloat16"] / ms[f"{both}float32"]}
    return found | {"seconds, theirs": theirs / 1000, "seconds, ours": ours / 1000}
