"""Losses under strain: focal loss on imbalance, three regressions under outliers, contrast against triplets."""

import argparse
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..losses import focal_loss, huber_loss, info_nce, mae_loss, mse_loss, triplet_loss
from .cli import seeds_of

Log = Callable[[str], None]
EXAMPLES, SHARE = 8000, 0.01  # of positives
GAMMAS = (0.5, 2.0, 5.0)
OUTLIERS = (0.0, 0.05, 0.2)


def losses(options: argparse.Namespace, log: Log) -> dict:
    """Three studies."""
    seeds, steps = seeds_of(options, 1 if options.quick else 5), 20 if options.quick else 400
    found = {"seeds": seeds, "share": SHARE, "imbalance": {}, "outliers": {}, "contrast": {}}
    for seed in seeds:
        log(f"losses, seed {seed}")
        for name, row in imbalance(seed, steps).items():
            kept = found["imbalance"].setdefault(name, {})
            for key, value in row.items():
                kept.setdefault(key, []).append(value)
        for name, errors in outliers(seed, steps).items():
            kept = found["outliers"].setdefault(name, {})
            for share, error in errors.items():
                kept.setdefault(share, []).append(error)
        for name, accuracy in contrast(seed, steps).items():
            found["contrast"].setdefault(name, []).append(accuracy)
    return found


# ---------------------------------------------------------------- imbalance


def imbalanced(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Points in eight dimensions; the rare class is a shifted, narrower cloud inside of the other."""
    y = (torch.rand(EXAMPLES, generator=generator) < SHARE).float()
    x = torch.randn(EXAMPLES, 8, generator=generator)
    x = torch.where(y[:, None] > 0.5, 0.6 * x + 1.0, x)
    return x, y


def imbalance(seed: int, steps: int) -> dict:
    """Average precision, and precision and recall at a probability of one half."""
    generator = torch.Generator().manual_seed(seed)
    (x, y), (x_test, y_test) = imbalanced(generator), imbalanced(generator)
    weight = torch.tensor((1 - SHARE) / SHARE)
    contenders = {
        "cross-entropy": lambda z: F.binary_cross_entropy_with_logits(z, y),
        "cross-entropy, classes weighted": lambda z: F.binary_cross_entropy_with_logits(z, y, pos_weight=weight),
    }
    contenders |= {f"focal, γ = {g:g}": lambda z, g=g: focal_loss(z, y, g, 0.25) for g in GAMMAS}
    found = {}
    for name, loss in contenders.items():
        torch.manual_seed(seed)
        model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))
        fit(model, lambda model=model, loss=loss: loss(model(x)[:, 0]), steps, 1e-2)
        with torch.no_grad():
            scores = model(x_test)[:, 0]
        chosen = scores > 0
        hits = float((chosen & (y_test > 0.5)).sum())
        found[name] = {
            "average precision": average_precision(scores, y_test),
            "precision": hits / max(1, int(chosen.sum())),
            "recall": hits / float(y_test.sum()),
        }
    return found


def average_precision(scores: Tensor, targets: Tensor) -> float:
    """The mean precision at the place of each positive in the ranking."""
    ranked = targets[scores.argsort(descending=True)]
    precision = ranked.cumsum(0) / torch.arange(1, len(ranked) + 1)
    return float((precision * ranked).sum() / ranked.sum())


def fit(model: nn.Module, loss: Callable[[], Tensor], steps: int, lr: float) -> None:
    optimizer = torch.optim.Adam(model.parameters(), lr)
    for _ in range(steps):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()


# ---------------------------------------------------------------- outliers


def outliers(seed: int, steps: int) -> dict:
    """The error of a fitted slope of 2 when a share of the targets is wrong by about 10, always upward."""
    found = {"MSE": {}, "MAE": {}, "Huber, δ = 1": {}}
    kinds = dict(zip(found, (mse_loss, mae_loss, huber_loss), strict=True))
    for share in OUTLIERS:
        generator = torch.Generator().manual_seed(seed)
        x = torch.rand(400, generator=generator)
        y = 2 * x + 0.1 * torch.randn(400, generator=generator)
        wrong = torch.rand(400, generator=generator) < share
        y = y + wrong * x * 10  # worse on the right, so that the slope suffers
        for name, loss in kinds.items():
            model = nn.Linear(1, 1)
            nn.init.zeros_(model.weight), nn.init.zeros_(model.bias)
            fit(model, lambda model=model, loss=loss, y=y, x=x: loss(model(x[:, None])[:, 0], y), steps, 5e-2)
            found[name][f"{share:.0%}"] = abs(model.weight.item() - 2)
    return found


# ---------------------------------------------------------------- contrast


def contrast(seed: int, steps: int) -> dict:
    """How often a view finds its partner among 500, after learning which directions are noise."""
    generator = torch.Generator().manual_seed(seed)

    def views(count: int) -> tuple[Tensor, Tensor]:
        shared = torch.randn(count, 8, generator=generator)
        noise = 3 * torch.randn(2, count, 24, generator=generator)
        return tuple(torch.cat([shared + 0.3 * torch.randn(count, 8, generator=generator), n], 1) for n in noise)

    test = views(500)
    found = {"nothing learned": partner_found(*test)}
    for name, B in (("triplet, 64 pairs", 64), ("InfoNCE, 8 pairs", 8), ("InfoNCE, 64 pairs", 64)):
        torch.manual_seed(seed)
        model = nn.Linear(32, 16, bias=False)
        optimizer = torch.optim.Adam(model.parameters(), 1e-2)
        for _ in range(steps):
            a, b = (F.normalize(model(v), dim=-1) for v in views(B))
            loss = triplet_loss(a, b, b.roll(1, 0), 0.5) if name.startswith("triplet") else info_nce(a, b, 0.1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            found[name] = partner_found(*(model(v) for v in test))
    return found


def partner_found(a: Tensor, b: Tensor) -> float:
    scores = F.normalize(a, dim=-1) @ F.normalize(b, dim=-1).T
    return float((scores.argmax(1) == torch.arange(len(a))).float().mean())
