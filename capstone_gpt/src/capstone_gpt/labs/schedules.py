"""Seven schedules with one peak rate and one budget of steps, on one small GPT."""

from collections.abc import Callable
from statistics import median

from matplotlib.figure import Figure
from torch import nn

from ..optim import AdamW, Plateau, constant_lr, cosine_lr, polynomial_lr, restarts_lr, step_lr
from ..training import evaluate
from . import drawing
from .small_run import fit, offline_text, small_modern, valid_loss

QUESTION = "At one peak rate and one budget of steps, which schedule of the learning rate ends lowest?"
PREDICTION = (
    "Those that end near zero beat the constant rate; their exact shape matters less. Or: cosine beats all others."
)
STEPS, WARMUP, PEAK, SEEDS, BATCH = 300, 20, 3e-2, 3, 8
NAMES = ("constant", "cosine", "linear", "restarts", "step", "plateau", "polynomial")
WHEN = {
    "constant": "a run whose end is not known, and runs to compare",
    "cosine": "the usual choice when the number of steps is known",
    "linear": "as cosine; often a little better when it ends at zero",
    "restarts": "snapshots for an ensemble; the end of a cycle is the time to stop",
    "step": "a known recipe with known milestones",
    "plateau": "runs of unknown length with a cheap validation",
    "polynomial": "power 2 stays low longer than a straight line",
}


class OnPlateau:
    """The share of the peak after each validation, for `fit`: it must look at the model, so it has a memory."""

    def __init__(self, model: nn.Module, every: int):
        self.model, self.every, self.rule = model, every, Plateau(factor=0.3, patience=0, threshold=0.01)

    def __call__(self, step: int) -> float:
        if step and step % self.every == 0:
            text = offline_text()
            self.rule.observe(evaluate(self.model, text.valid_x[:64], text.valid_y[:64], 64))
        return constant_lr(step, self.rule.share, WARMUP)


def share_of(name: str, steps: int, model: nn.Module | None = None) -> Callable[[int], float]:
    """The share of the peak at each step. Warm-up is equal for all; `plateau` needs the model."""

    def after_warmup(step: int) -> int:
        return max(0, step - WARMUP)

    def milestones(step: int) -> float:
        return step_lr(after_warmup(step), constant_lr(step, 1.0, WARMUP), max(1, -(-(steps - WARMUP) // 3)), 0.3)

    shares = {
        "constant": lambda step: constant_lr(step, 1.0, WARMUP),
        "cosine": lambda step: cosine_lr(step, 1.0, WARMUP, steps),
        "linear": lambda step: polynomial_lr(step, 1.0, WARMUP, steps),
        "restarts": lambda step: restarts_lr(step, 1.0, max(1, -(-(steps - WARMUP) // 7)), 2, warmup_steps=WARMUP),
        "step": milestones,
        "polynomial": lambda step: polynomial_lr(step, 1.0, WARMUP, steps, power=2),
    }
    return shares[name] if name in shares else OnPlateau(model, max(1, steps // 10))


class Recorded:
    """A schedule that remembers what it said."""

    def __init__(self, share: Callable[[int], float]):
        self.share, self.said = share, []

    def __call__(self, step: int) -> float:
        self.said.append(self.share(step))
        return self.said[-1]


def run(*, seed: int = 0, quick: bool = False, log=print) -> dict:
    """For each schedule: the validation losses of three seeds, and of the first seed the rates and training losses."""
    steps, found = 24 if quick else STEPS, {}
    for name in NAMES:
        log(f"schedule: {name}")
        runs = []
        for i in range(1 if quick else SEEDS):
            model = small_modern(seed + i)
            share = Recorded(share_of(name, steps, model))
            losses = fit(model, AdamW(model.parameters(), PEAK), steps, seed + i, share, batch_size=BATCH)
            runs.append((valid_loss(model), share.said, losses))
        found[name] = {"valid": [one[0] for one in runs], "shares": runs[0][1], "losses": runs[0][2]}
    return {"steps": steps, "peak": PEAK, "schedules": found}


def ranking(result: dict) -> list[str]:
    """The schedules by their median validation loss, the best first."""
    return sorted(result["schedules"], key=lambda name: median(result["schedules"][name]["valid"]))


def outcome(result: dict) -> str:
    """The best, the worst, and how far apart the middle is."""
    found, order = result["schedules"], ranking(result)
    losses = {name: median(found[name]["valid"]) for name in order}
    spread = max(max(one["valid"]) - min(one["valid"]) for one in found.values())
    low = [name for name in order if found[name]["shares"][-1] < 0.1]
    high = [name for name in order if name not in low]
    text = (
        f"{order[0].capitalize()} is best with {losses[order[0]]:.3f} nats and {order[-1]} worst with "
        f"{losses[order[-1]]:.3f}; seeds differ by up to {spread:.3f}. "
        f"The schedules that end below a tenth of the peak lie between {min(losses[n] for n in low):.3f} and "
        f"{max(losses[n] for n in low):.3f}"
    )
    return text + (f", the others between {min(losses[n] for n in high):.3f} and {max(losses[n] for n in high):.3f}."
                   if high else ".")  # fmt: skip


def figure(result: dict) -> Figure:
    """Left: the rates. Right: the losses at the end, one dot a seed."""
    found, order = result["schedules"], ranking(result)
    gain = median(found["constant"]["valid"]) - median(found[order[0]]["valid"])
    made = drawing.figure(
        f"At one peak rate, {order[0]} ends {gain:.2f} nats below a constant rate after {result['steps']} steps",
        (10, 4.2),
    )
    left, right = made.subplots(1, 2)
    colors = dict(zip(found, drawing.COLORS, strict=False))
    for name, one in found.items():
        left.plot(
            [result["peak"] * share for share in one["shares"]],
            color=colors[name],
            label=f"{name} (did not fall)" if name == "plateau" and one["shares"][-1] == 1 else name,
            ls="--" if name == "plateau" else "-",
        )
    left.legend(frameon=False, ncols=2, fontsize=8, loc="upper right")
    left.set(xlabel="step", ylabel="learning rate", ylim=(0, 1.45 * result["peak"]))
    left.set_title("the rates")
    for place, name in enumerate(reversed(order)):
        values = found[name]["valid"]
        right.plot(values, [place] * len(values), "o", color=colors[name], alpha=0.6)
        right.plot(median(values), place, "|", color=colors[name], ms=18, mew=2.5)
    right.set_yticks(range(len(order)), list(reversed(order)))
    right.set(xlabel="validation loss, nats a character")
    right.set_title("the end: seeds, and their median")
    return made


def rows(result: dict) -> list[list[str]]:
    """Schedule, loss, last rate, when to use it."""
    made = [["schedule", "validation loss", "last rate", "when to use it"]]
    for name in ranking(result):
        one = result["schedules"][name]
        loss = f"{median(one['valid']):.3f} ({min(one['valid']):.3f}–{max(one['valid']):.3f})"
        made.append([name, loss, f"{result['peak'] * one['shares'][-1]:.1e}", WHEN[name]])
    return made
