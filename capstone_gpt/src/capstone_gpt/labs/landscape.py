"""The loss around two minima, sharp and flat: a slice in two random directions, normalised filter by filter.

Li et al. (2018): a random direction is scaled so that each row of each matrix has the length of the weights' row.
Without that, a net whose weights are large looks flat.
"""

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel

from ..optim import AdamW, polynomial_lr
from . import drawing
from .small_run import batches, fit, last, mean_loss, offline_text, small_modern, valid_loss

QUESTION = "Are the minima of large batches sharper than those of small ones, and does a flat one generalise better?"
PREDICTION = (
    "Small batches end in a flat minimum, and it has the better validation loss. Or: the picture does not tell."
)
RUNS = {"small batches, high rate": (8, 320, 2e-2), "large batches, low rate": (128, 80, 1e-2)}
RADIUS, GRID = 0.6, 13


def direction(model: nn.Module, generator: torch.Generator) -> dict[str, Tensor]:
    """A random direction whose rows are as long as the rows of the weights; vectors stay where they are."""
    found = {}
    for name, p in model.named_parameters():
        if p.ndim < 2:
            found[name] = torch.zeros_like(p).detach()
        else:
            noise = torch.randn(p.shape, generator=generator)
            found[name] = noise * (p.detach().norm(dim=1, keepdim=True) / noise.norm(dim=1, keepdim=True))
    return found


def plane(model: nn.Module, x: Tensor, y: Tensor, grid: int, seed: int) -> list[list[float]]:
    """Losses on a square of side 2 RADIUS around the weights; the first index goes along the first direction."""
    generator = torch.Generator().manual_seed(seed)
    first, second = direction(model, generator), direction(model, generator)
    start = {name: p.detach() for name, p in model.named_parameters()}
    steps = torch.linspace(-RADIUS, RADIUS, grid).tolist()
    losses = []
    with torch.no_grad():
        for a in steps:
            row = []
            for b in steps:
                moved = {name: p + a * first[name] + b * second[name] for name, p in start.items()}
                logits = functional_call(model, moved, (x,))
                row.append(float(nn.functional.cross_entropy(logits.flatten(0, 1), y.flatten())))
            losses.append(row)
    return losses


def curvature(model: nn.Module, x: Tensor, y: Tensor, seed: int, steps: int) -> float:
    """The largest eigenvalue of the Hessian of the loss, by power iteration (Hessian times vector, no matrix)."""
    parameters = list(model.parameters())
    generator = torch.Generator().manual_seed(seed)
    v = [torch.randn(p.shape, generator=generator) for p in parameters]
    value = 0.0
    with sdpa_kernel(SDPBackend.MATH):  # the fused kernel has no second derivative
        grads = torch.autograd.grad(mean_loss(model, x, y), parameters, create_graph=True)
    for _ in range(steps):
        length = torch.cat([t.flatten() for t in v]).norm()
        v = [t / length for t in v]
        product = torch.autograd.grad(grads, parameters, v, retain_graph=True)
        value = float(sum((a * b).sum() for a, b in zip(v, product, strict=True)))
        v = [t.detach() for t in product]
    return value


def examine(name: str, seed: int, quick: bool) -> dict:
    """Train one run, and look around its end: on training windows, in the plane and by curvature."""
    batch, steps, rate = RUNS[name]
    steps, grid = (4, 3) if quick else (steps, GRID)
    model = small_modern(seed)
    losses = fit(model, AdamW(model.parameters(), rate), steps, seed, lambda s: polynomial_lr(s, 1.0, 5, steps),
                 batch_size=batch)  # fmt: skip
    x, y = next(batches(1234, 64))
    around = plane(model, x, y, grid, seed)
    with torch.no_grad():
        here = float(mean_loss(model, x, y))
    rise = sum(sum(row) for row in around) / grid**2 - here
    return {"batch": batch, "steps": steps, "windows": batch * steps, "train": last(losses), "here": here,
            "valid": valid_loss(model), "plane": around, "rise": rise,
            "curvature": curvature(model, x[:16], y[:16], seed, 2 if quick else 15)}  # fmt: skip


def run(*, seed: int = 0, quick: bool = False, log=print) -> dict:
    """Both runs on one seed, with their planes; the numbers of a second seed beside them."""
    runs = {}
    for name in RUNS:
        log(name)
        found = [examine(name, seed + i, quick) for i in range(1 if quick else 2)]
        runs[name] = {key: [one[key] for one in found] for key in ("here", "valid", "rise", "curvature")}
        runs[name] |= {key: found[0][key] for key in ("batch", "steps", "windows", "plane")}
    text = offline_text()
    return {"runs": runs, "radius": RADIUS, "parameters": sum(p.numel() for p in small_modern(seed).parameters()),
            "windows of the text": len(text.x)}  # fmt: skip


def middle(values: list[float]) -> float:
    return sum(values) / len(values)


def outcome(result: dict) -> str:
    """Which minimum is sharper by each measure, and which generalises better."""
    small, large = result["runs"].values()
    by_plane = "large" if middle(large["rise"]) > middle(small["rise"]) else "small"
    by_hessian = "large" if middle(large["curvature"]) > middle(small["curvature"]) else "small"
    better = "small" if middle(small["valid"]) < middle(large["valid"]) else "large"
    verdict = "agree" if by_plane == by_hessian else "contradict each other"
    return (
        f"On average the loss rises by {middle(small['rise']):.2f} nats around the end of small batches and by "
        f"{middle(large['rise']):.2f} around that of large ones. The largest curvature is "
        f"{middle(small['curvature']):.1f} and {middle(large['curvature']):.1f}. The two measures {verdict}: "
        f"the {by_plane} batches are sharper in the plane, the {by_hessian} ones by curvature. Validation is better "
        f"with {better} batches: {middle(small['valid']):.2f} and {middle(large['valid']):.2f} nats. But the two runs "
        f"do not stand equally deep: their training windows are at {middle(small['here']):.2f} and "
        f"{middle(large['here']):.2f} after {small['steps']} and {large['steps']} steps."
    )


def figure(result: dict) -> Figure:
    """Both planes as contours, on one scale, and a cut through them."""
    small, large = result["runs"].values()
    rises, curved = ([middle(one[key]) for one in (small, large)] for key in ("rise", "curvature"))
    made = drawing.figure(
        f"Small and large batches: the loss rises by {rises[0]:.2f} and {rises[1]:.2f} nats in the plane, "
        f"and the largest curvature is {curved[0]:.1f} and {curved[1]:.1f}",
        (11, 3.8),
    )
    *maps, cut = made.subplots(1, 3)
    colors = (drawing.BLUE, drawing.VERMILION)
    r = result["radius"]
    for ax, (name, one), color in zip(maps, result["runs"].items(), colors, strict=True):
        lines = torch.linspace(-r, r, len(one["plane"])).tolist()
        above = [[value - one["here"][0] for value in row] for row in one["plane"]]
        levels = [0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6]
        drawn = ax.contour(lines, lines, above, levels=levels, colors=[color], linewidths=1)
        ax.clabel(drawn, fmt="%g", fontsize=7)
        ax.plot(0, 0, "+", color=drawing.BLACK)
        ax.set(aspect="equal", xlabel="second direction", ylabel="first direction")
        ax.set_title(name)
        cut.plot(lines, above[len(above) // 2], color=color)
        drawing.label(cut, r, above[len(above) // 2][-1], name.partition(" ")[0], color)
    cut.set(xlabel="second direction", ylabel="nats above the end")
    cut.set_title("a cut through the middle")
    return made


def rows(result: dict) -> list[list[str]]:
    """A row a run."""
    made = [["run", "windows seen", "training loss", "validation loss", "mean rise in the plane", "largest curvature"]]
    for name, one in result["runs"].items():
        values = [" and ".join(f"{v:.3f}" for v in one[key]) for key in ("here", "valid", "rise")]
        made.append([name, f"{one['windows']:,}", *values, " and ".join(f"{v:.1f}" for v in one["curvature"])])
    return made
