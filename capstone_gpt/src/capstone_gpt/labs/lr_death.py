"""Three learning rates, four powers of ten apart: one kills the run, one trains it, one lets it sleep."""

import math

from matplotlib.figure import Figure
from torch import nn

from ..optim import AdamW
from . import drawing
from .small_run import fit, last, number, offline_text, small_gpt, valid_loss

QUESTION = "What do the learning rates 1e-1, 1e-3 and 1e-5 do to the same GPT under AdamW?"
PREDICTION = "1e-1 ends in NaN, or stays at the loss of a guess, or only trains worse. 1e-5 is slow, or does not move."
RATES = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5)
STEPS = 300


def unigram_loss() -> float:
    """The loss of a model that knows how often each character comes, and nothing else."""
    text = offline_text()
    counts = text.y.flatten().bincount(minlength=text.vocab_size).double() + 1
    p = counts / counts.sum()
    return float(-p[text.valid_y.flatten()].log().mean())


def run(*, seed: int = 0, quick: bool = False, log=print) -> dict:
    """For each rate: losses of training, the loss of validation, and how far the weights moved."""
    runs = {}
    for rate in RATES:
        log(f"learning rate {rate:g}")
        model = small_gpt(seed)
        start = nn.utils.parameters_to_vector(model.parameters()).detach()
        losses = fit(model, AdamW(model.parameters(), rate), 12 if quick else STEPS, seed)
        moved = nn.utils.parameters_to_vector(model.parameters()).detach() - start
        runs[f"{rate:g}"] = {"losses": losses, "train": last(losses), "valid": valid_loss(model),
                             "moved": number(float(moved.norm() / start.norm()))}  # fmt: skip
    return {"runs": runs, "uniform": math.log(offline_text().vocab_size), "unigram": unigram_loss()}


def outcome(result: dict) -> str:
    """What the three named rates did."""
    runs, said = result["runs"], {}
    for name in ("0.1", "0.001", "1e-05"):
        valid = runs[name]["valid"]
        said[name] = "NaN" if valid is None else f"{valid:.2f}"
    dead = runs["0.1"]["valid"]
    no_order = dead is None or dead > result["unigram"] - 0.1
    ending = "as good as 1e-1, which has learned no order" if no_order else "worse than 1e-1, which learns slowly"
    return (
        f"After {len(runs['0.001']['losses'])} steps 1e-1 stands at {said['0.1']} nats and 1e-3 at {said['0.001']}. "
        f"Counts of single characters give {result['unigram']:.2f}, {ending}. It moved its weights by "
        f"{runs['0.1']['moved'] or 0:.0f} times their length. With 1e-5 the loss is {said['1e-05']} and the weights "
        f"moved {runs['1e-05']['moved']:.1%} of their length: the run is alive, and a hundred times too slow."
    )


def figure(result: dict) -> Figure:
    """The five curves of training."""
    runs = result["runs"]
    high, low = runs["0.1"]["valid"], runs["0.001"]["valid"]
    ends = "in NaN" if high is None else f"at {high:.2f}"
    made = drawing.figure(f"1e-1 ends {ends}, counts of characters at {result['unigram']:.2f}, 1e-3 at {low:.2f} nats")
    ax = made.subplots()
    top = 1.12 * result["uniform"]
    ends = []
    for (name, found), color in zip(runs.items(), drawing.COLORS[3::-1] + drawing.COLORS[4:5], strict=True):
        losses = [loss if loss is not None else top for loss in found["losses"]]
        smooth = [sum(losses[max(0, i - 9) : i + 1]) / len(losses[max(0, i - 9) : i + 1]) for i in range(len(losses))]
        ax.plot(losses, color=color, lw=0.5, alpha=0.35)
        ax.plot(smooth, color=color)
        ends.append((len(losses), smooth[-1], f"{float(name):.0e}".replace("e-0", "e-"), color))
    ax.set(xlabel="step", ylabel="training loss, nats a character", ylim=(2, top))
    ax.set_xlim(0, 1.1 * len(runs["0.001"]["losses"]))
    ax.axhline(result["unigram"], color=drawing.GREY, ls="--", lw=1)
    ends.append((len(runs["0.001"]["losses"]), result["unigram"], "counts", drawing.GREY))
    drawing.spread_labels(ax, ends)
    return made


def rows(result: dict) -> list[list[str]]:
    """A row a rate."""
    found = [["learning rate", "training loss, last 20 steps", "validation loss", "weights moved"]]
    for name, one in result["runs"].items():
        losses = ["not a number" if one[key] is None else f"{one[key]:.3f}" for key in ("train", "valid")]
        moved = "not a number" if one["moved"] is None else f"{one['moved']:.1%}"
        found.append([f"{float(name):.0e}".replace("e-0", "e-"), *losses, moved])
    return found
