"""Break it: experiments with a mistake switched on. A test compares the outcomes with what the workbook says."""

import argparse
from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F

from ..model import ModernConfig, ModernGPT
from ..training import Config, Trainer, evaluate, state_hash, train_step
from . import kill
from .corpus import Corpus, corpus

Log = Callable[[str], None]
TINY = ModernConfig(vocab_size=31, context_length=16, n_layer=1, n_head=2, n_embd=32)


def break_it(options: argparse.Namespace, log: Log) -> dict:
    """All of them; about half a minute, most of it for the three trainings of `targets`."""
    log("resuming without each piece of state")
    found = {"resume": kill.without_each(), "mean of means": mean_of_means(), "clip": clip_before_unscale()}
    found["evaluation"] = evaluation_that_draws()
    log("targets that are wrong")
    text = corpus(options.data, options.quick)
    return found | {"targets": targets(text, 4 if options.quick else 240, options.seed)}


def mean_of_means() -> dict:
    """The gradient of two micro-batches of 3 and 300 targets: its distance from that of one batch, for both ways."""
    torch.manual_seed(0)
    layer = nn.Linear(5, 7, dtype=torch.float64)
    x, y = torch.randn(303, 5, dtype=torch.float64), torch.randint(7, (303,))

    def gradient(loss):
        return torch.autograd.grad(loss, layer.weight)[0]

    whole = gradient(F.cross_entropy(layer(x), y))
    parts = [(x[:3], y[:3]), (x[3:], y[3:])]
    means = sum(gradient(F.cross_entropy(layer(a), b)) / 2 for a, b in parts)
    sums = sum(gradient(F.cross_entropy(layer(a), b, reduction="sum") / 303) for a, b in parts)
    return {name: float((g - whole).norm() / whole.norm()) for name, g in (("mean of means", means), ("sums", sums))}


def clip_before_unscale() -> dict:
    """How far one step goes, of what it should, when gradients 65,536 times too large are clipped to norm 1."""
    moved = {}
    for name in ("after", "before"):
        torch.manual_seed(0)
        layer = nn.Linear(5, 7)
        start = layer.weight.detach().clone()
        x, y = torch.randn(30, 5), torch.randint(7, (30,))
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0**16)
        optimizer = torch.optim.SGD(layer.parameters(), lr=1.0)
        if name == "after":
            train_step(
                lambda a, b, m=layer: F.cross_entropy(m(a), b, reduction="sum"), optimizer, [(x, y)], 1.0, scaler
            )
        else:
            scaler.scale(F.cross_entropy(layer(x), y)).backward()
            nn.utils.clip_grad_norm_(layer.parameters(), 1.0)
            scaler.step(optimizer)
        moved[name] = float((layer.weight.detach() - start).norm())
    return {"share": moved["before"] / moved["after"]}


def summed(model: nn.Module, x, y):
    return F.cross_entropy(model(x), y, reduction="sum")


def evaluation_that_draws() -> dict[str, bool]:
    """Does a run that evaluates every third step end with the weights of one that never does?"""
    hashes = {}
    for name, evaluator in (("never", None), ("fixed windows", fixed), ("random windows", drawn)):
        torch.manual_seed(0)
        model = kill.Noisy(ModernGPT(TINY))
        x = torch.randint(31, (40, 16), generator=torch.Generator().manual_seed(1))
        config = Config(steps=7, batch_size=4, warmup_steps=2, eval_interval=3, model=TINY)
        trainer = Trainer(model, kill.Pairs(x, x.roll(-1, 1)), config, evaluator=evaluator)
        trainer.fit()
        hashes[name] = state_hash(model)
    return {name: hashes[name] == hashes["never"] for name in ("fixed windows", "random windows")}


def fixed(model) -> float:
    x = torch.arange(64).view(4, 16) % 31
    return evaluate(model, x, x)


def drawn(model) -> float:
    x = torch.randint(31, (4, 16))
    return evaluate(model, x, x)


def targets(text: Corpus, steps: int, seed: int) -> dict:
    """Losses of a model on right targets, on its own inputs, and on targets shifted twice: [training, validation]."""
    (x, y), (vx, vy) = text.train, text.valid
    twice = torch.cat([y[:, 1:], y[:, :1]], dim=1)
    twice[:-1, -1] = y[1:, 0]
    found = {}
    for name, target in (("right", y), ("unshifted", x), ("shifted twice", twice)):
        torch.manual_seed(seed)
        config = ModernConfig(vocab_size=text.vocab_size, n_embd=64, compute_dtype="bfloat16")
        model = ModernGPT(config)
        run = Config(steps=steps, lr=5e-3, seed=seed, model=config)
        history = Trainer(model, kill.Pairs(x, target), run).fit()
        last = [h["loss"] for h in history[-20:]]
        found[name] = [sum(last) / len(last), evaluate(model, vx, vy, 64)]
    return found
