"""The NumPy framework at work: the same network in PyTorch, four optimizers, learning rates, losses, and dropout."""

import argparse
import time
from collections.abc import Callable
from dataclasses import asdict

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from .. import framework as fw
from .cli import seeds_of
from .images import digits, mnist

Log = Callable[[str], None]
OPTIMIZERS = {
    "SGD": lambda lr=0.1: fw.SGD(lr),
    "momentum": lambda lr=0.02: fw.SGD(lr, 0.9),
    "RMSprop": lambda lr=0.001: fw.RMSprop(lr),
    "Adam": lambda lr=0.002: fw.Adam(lr),
}
RATES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)


def framework(options: argparse.Namespace, log: Log) -> dict:
    """Digits, or MNIST with `--data mnist`. About a minute for digits, two for MNIST."""
    seeds = seeds_of(options, 1 if options.quick else 3)
    big = options.data == "mnist"
    data = mnist() if big else halves()
    epochs = 2 if options.quick else (5 if big else 20)
    if options.quick:
        data = (data[0][:600], data[1][:600], *data[2:])
    widths = (data[0].shape[1], *((256, 128, 64) if big else (64, 48, 32)), 10)
    log("the same network in PyTorch, batch by batch")
    curves = beside_pytorch(data, widths, seeds[0], epochs if not big else 2)
    found: dict = {"seeds": seeds, "widths": widths, "epochs": epochs, "examples": len(data[0]), "curves": curves}
    found["optimizers"] = {}
    for name, make in OPTIMIZERS.items():
        log(f"{name}")
        found["optimizers"][name] = [
            by_epoch(fit(data, widths, s, epochs, make())) for s in (seeds[:1] if big else seeds)
        ]
    if not big:
        found |= sensitivity(data, widths, seeds, 2 if options.quick else 5, log)
    return found


def by_epoch(history: fw.History) -> dict[str, list[float]]:
    """The learning curves without the loss of every step."""
    return {name: values for name, values in asdict(history).items() if name != "steps"}


def halves() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Digits: 1,400 to learn from, 397 unseen."""
    x, classes = (part.numpy() for part in digits())
    x = x.astype(np.float64)
    return x[:1400], classes[:1400], x[1400:], classes[1400:]


def build(widths: tuple[int, ...], rng: np.random.Generator, norm: bool = True, p: float = 0.0) -> fw.Network:
    """Linear, BatchNorm, ReLU, dropout, for each hidden width."""
    layers = []
    for a, b in zip(widths[:-2], widths[1:-1], strict=True):
        layers += [fw.Linear(a, b, rng), *([fw.BatchNorm(b)] if norm else []), fw.ReLU()]
        layers += [fw.Dropout(p, rng)] if p else []
    return fw.Network(*layers, fw.Linear(widths[-2], widths[-1], rng))


def fit(data, widths, seed: int, epochs: int, optimizer, batch_size: int = 64, loss=fw.cross_entropy, **settings):
    """One training from scratch."""
    x, classes, test_x, test_classes = data
    rng = np.random.default_rng(seed)
    network = build(widths, rng, **settings)
    return network.fit(x, classes, loss, optimizer, epochs, batch_size, rng, (test_x, test_classes))


def beside_pytorch(data, widths: tuple[int, ...], seed: int, epochs: int, batch_size: int = 64) -> dict:
    """Adam from the same weights on the same batches in float64: the loss of each step on both sides."""
    x, classes, test_x, test_classes = data
    rng = np.random.default_rng(seed)
    ours, theirs = build(widths, rng), in_pytorch(widths)
    with torch.no_grad():
        for mine, other in zip(ours.params(), theirs.parameters(), strict=True):
            other.copy_(torch.tensor(mine))
    mine, other = fw.Adam(0.002), torch.optim.Adam(theirs.parameters(), 0.002)
    losses: dict[str, list[float]] = {"ours": [], "PyTorch": []}
    seconds = {"ours": 0.0, "PyTorch": 0.0}
    for _ in range(epochs):
        order = rng.permutation(len(x))
        for start in range(0, len(x), batch_size):
            rows = order[start : start + batch_size]
            begin = time.process_time()
            losses["ours"].append(ours.train_step(x[rows], classes[rows], fw.cross_entropy, mine, None))
            middle = time.process_time()
            loss = F.cross_entropy(theirs(torch.tensor(x[rows])), torch.tensor(classes[rows]))
            other.zero_grad()
            loss.backward()
            other.step()
            losses["PyTorch"].append(loss.item())
            seconds["PyTorch"] += time.process_time() - middle
            seconds["ours"] += middle - begin
    theirs.eval()
    with torch.no_grad():
        their_logits = theirs(torch.tensor(test_x)).numpy()
    our_logits = ours.forward(test_x)
    return {
        "losses": losses,
        "largest difference": float(np.abs(np.subtract(losses["ours"], losses["PyTorch"])).max()),
        "test logits, largest difference": float(np.abs(our_logits - their_logits).max()),
        "accuracy": {
            "ours": float((our_logits.argmax(1) == test_classes).mean()),
            "PyTorch": float((their_logits.argmax(1) == test_classes).mean()),
        },
        "CPU seconds": seconds,
    }


def in_pytorch(widths: tuple[int, ...]) -> nn.Sequential:
    """The network of `build` in PyTorch."""
    layers = []
    for a, b in zip(widths[:-2], widths[1:-1], strict=True):
        layers += [nn.Linear(a, b), nn.BatchNorm1d(b), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(widths[-2], widths[-1])).double()


def sensitivity(data, widths, seeds: list[int], epochs: int, log: Log) -> dict:
    """Test accuracy by learning rate, batch size, width, loss and dropout: one thing changed at a time."""
    found: dict = {"rates": {}, "batch sizes": {}, "hidden widths": {}, "losses": {}, "dropout": {}}

    def final(**settings) -> list[float]:
        optimizer = settings.pop("optimizer", lambda: fw.Adam(0.002))
        shape = settings.pop("widths", widths)
        return [fit(data, shape, s, epochs, optimizer(), **settings).test_accuracy[-1] for s in seeds]

    for name, make in OPTIMIZERS.items():
        for norm in (True, False):
            log(f"learning rates of {name}, BatchNorm {norm}")
            key = f"{name}, {'BatchNorm' if norm else 'no norm'}"
            found["rates"][key] = []
            for lr in RATES:
                accuracies = guarded(lambda lr=lr, make=make, norm=norm: final(optimizer=lambda: make(lr), norm=norm))
                found["rates"][key].append(accuracies)
    log("batch sizes, widths, losses, dropout")
    found["batch sizes"] = {str(n): final(batch_size=n) for n in (8, 32, 128, 512)}
    found["hidden widths"] = {str(w): final(widths=(widths[0], w, w, w, 10)) for w in (4, 16, 64, 256)}
    found["losses"] = {"cross-entropy": final(), "hinge": final(loss=fw.hinge), "MSE": final(loss=one_hot_mse)}
    found["dropout"] = {str(p): final(p=p) for p in (0.0, 0.2, 0.5)}
    return found


def guarded(run: Callable[[], list[float]]) -> list[float]:
    """An accuracy of 0.1, that of guessing, for a run that diverges."""
    try:
        with np.errstate(all="ignore"):
            return run()
    except ValueError:
        return [0.1]


def one_hot_mse(outputs: np.ndarray, classes: np.ndarray) -> tuple[float, np.ndarray]:
    """The squared distance to the one-hot target."""
    return fw.mse(outputs, np.eye(outputs.shape[1])[classes])
