"""Surgery on a trained model: freeze parts, replace the head, give groups rates of their own; count what moves.

The patient is a GPT trained on English. It gets a head for two classes: is a line English, or Python code?
"""

import sysconfig
from functools import lru_cache
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from matplotlib.figure import Figure
from torch import Tensor, nn

from ..model import GPT
from . import drawing
from .small_run import SEQ_LEN, fit, offline_text, small_gpt

QUESTION = (
    "A trained GPT gets a new head for two classes. What moves when the rest is frozen, and does it help to thaw it?"
)
PREDICTION = "The frozen model is as good, or a little worse; a model from scratch is worse than both, or not."
PRETRAIN_STEPS, STEPS, EXAMPLES = 400, 100, 48
WAYS = ("head only", "one rate", "rates of their own", "from scratch")


@lru_cache(1)
def lines() -> tuple[Int[Tensor, "N T"], Int[Tensor, "N"]]:
    """Windows of English (0) and of Python code (1), in the characters of the English text, shuffled."""
    text = offline_text()
    sources = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))[:25]
    known = set(text.tokenizer.number)
    code = "".join(c for path in sources for c in path.read_text(encoding="utf-8") if c in known)
    tokens = torch.tensor(text.tokenizer.encode(code[:40_000]))
    count = min(len(tokens) // SEQ_LEN, len(text.valid_x))
    x = torch.cat([text.valid_x[:count], tokens[: count * SEQ_LEN].view(count, SEQ_LEN)])
    y = torch.arange(2).repeat_interleave(count)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    return x[order], y[order]


class Classifier(nn.Module):
    """The trunk of a GPT with its head replaced: the mean over tokens, and a new matrix."""

    def __init__(self, trunk: GPT, classes: int = 2):
        super().__init__()
        self.trunk = trunk
        self.trunk.lm_head = nn.Identity()  # the old head was the token embedding, which stays
        self.head = nn.Linear(trunk.config.n_embd, classes)

    def forward(self, tokens: Int[Tensor, "B T"]) -> Float[Tensor, "B K"]:
        return self.head(self.trunk(tokens).mean(1))


def freeze(module: nn.Module) -> int:
    """No parameter of the module gets a gradient any more; returns how many numbers that are."""
    for p in module.parameters():
        p.requires_grad_(False)
        p.grad = None  # a gradient that stays would go on moving it
    return sum(p.numel() for p in module.parameters())


def groups(model: Classifier, way: str) -> list[dict]:
    """The parameter groups of a way to adapt the model, each with its rate."""
    if way == "rates of their own":
        return [{"params": list(model.trunk.parameters()), "lr": 3e-4}, {"params": list(model.head.parameters())}]
    return [{"params": [p for p in model.parameters() if p.requires_grad]}]


def moved(before: dict[str, Tensor], model: nn.Module) -> dict[str, int]:
    """How many numbers of the trunk and of the head are not what they were."""
    counts = {"trunk": 0, "head": 0}
    for name, p in model.named_parameters():
        counts["head" if name.startswith("head.") else "trunk"] += int((p.detach() != before[name]).sum())
    return counts


def adapt(trunk: GPT, way: str, seed: int, steps: int) -> dict:
    """Train the classifier one way on few examples: accuracy on the others, and what moved."""
    torch.manual_seed(seed)
    model = Classifier(trunk)
    frozen = freeze(model.trunk) if way == "head only" else 0
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimizer = torch.optim.AdamW(groups(model, way), lr=3e-3)
    x, y = lines()
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        batch = torch.randint(EXAMPLES, (16,), generator=generator)
        optimizer.zero_grad()
        F.cross_entropy(model(x[batch]), y[batch]).backward()
        optimizer.step()
    with torch.no_grad():
        right = float((model(x[EXAMPLES:]).argmax(-1) == y[EXAMPLES:]).float().mean())
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return {"accuracy": right, "trainable": trainable, "frozen": frozen, "moved": moved(before, model)}


FREEZES = ("requires_grad before the optimizer", "requires_grad later, old gradients stay", "a rate of 0")


def frozen_and_moved(way: str) -> int:
    """How many of 35 numbers move in one AdamW step with weight decay after they were frozen in this way."""
    torch.manual_seed(0)
    layer = nn.Linear(7, 5, bias=False)
    loss = layer(torch.randn(3, 7)).square().sum()
    if way == FREEZES[0]:
        layer.weight.requires_grad_(False)
        other = nn.Linear(7, 5)
        optimizer = torch.optim.AdamW([*layer.parameters(), *other.parameters()], lr=0.1, weight_decay=0.1)
        other(torch.randn(3, 7)).sum().backward()
    else:
        optimizer = torch.optim.AdamW(layer.parameters(), lr=0.1, weight_decay=0.1)
        loss.backward()
        layer.weight.requires_grad_(False)
        if way == FREEZES[2]:
            optimizer.param_groups[0]["lr"] = 0.0
    start = layer.weight.detach().clone()
    optimizer.step()
    return int((layer.weight != start).sum())


def run(*, seed: int = 0, quick: bool = False, log=print) -> dict:
    """Pretrain once, adapt four ways from three seeds, and count what three kinds of freezing leave in motion."""
    log("pretraining on English")
    trained = small_gpt(seed)
    fit(trained, torch.optim.AdamW(trained.parameters(), 3e-3), 4 if quick else PRETRAIN_STEPS, seed)
    state = {name: value.clone() for name, value in trained.state_dict().items()}
    ways: dict[str, list[dict]] = {}
    for way in WAYS:
        log(way)
        for s in range(seed, seed + (1 if quick else 3)):
            trunk = small_gpt(s + 50)
            if way != "from scratch":
                trunk.load_state_dict(state)
            ways.setdefault(way, []).append(adapt(trunk, way, s, 4 if quick else STEPS))
    return {"ways": ways, "freezes": {way: frozen_and_moved(way) for way in FREEZES}, "examples": EXAMPLES}


def accuracy(result: dict, way: str) -> float:
    """The mean over seeds."""
    found = [one["accuracy"] for one in result["ways"][way]]
    return sum(found) / len(found)


def outcome(result: dict) -> str:
    """Accuracies, and what a frozen parameter did."""
    head = result["ways"]["head only"][0]
    still, later = head["moved"]["trunk"], result["freezes"][FREEZES[1]]
    return (
        f"From {result['examples']} examples the new head alone reaches {accuracy(result, WAYS[0]):.0%}, everything at "
        f"one rate {accuracy(result, WAYS[1]):.0%}, with rates of their own {accuracy(result, WAYS[2]):.0%}, from "
        f"scratch {accuracy(result, WAYS[3]):.0%}. Of {head['frozen']:,} frozen numbers {still} moved. "
        f"A parameter that is frozen while it still has a gradient moves on: {later} of 35 numbers."
    )


def figure(result: dict) -> Figure:
    """Accuracy of each way, a point a seed."""
    shares = [f"{accuracy(result, way):.0%}" for way in (WAYS[1], WAYS[0], WAYS[3])]
    claim = f"A trained trunk reaches {shares[0]} thawed and {shares[1]} frozen, one from scratch {shares[2]}"
    made = drawing.figure(f"{claim}: English or code?", (7, 3))
    ax = made.subplots()
    for i, (way, color) in enumerate(zip(WAYS, drawing.COLORS, strict=False)):
        values = [one["accuracy"] for one in result["ways"][way]]
        ax.barh(i, sum(values) / len(values), color=color, alpha=0.35)
        ax.plot(values, [i] * len(values), "o", color=color, ms=5)
        moves = result["ways"][way][0]["moved"]
        drawing.label(ax, max(values), i, f"{moves['trunk'] + moves['head']:,} numbers moved", color)
    ax.set(xlabel="accuracy on other lines (points: seeds)", xlim=(0.4, 1.3), yticks=range(len(WAYS)))
    ax.set_yticklabels(WAYS)
    ax.set_xticks([0.4, 0.6, 0.8, 1.0])
    ax.invert_yaxis()
    return made


def rows(result: dict) -> list[list[str]]:
    """A row for each way to adapt, then one for each way to freeze."""
    found = [["way", "accuracy", "trainable", "trunk numbers moved", "head numbers moved"]]
    for way in WAYS:
        one = result["ways"][way][0]
        moves = [f"{one['moved'][part]:,}" for part in ("trunk", "head")]
        found.append([way, f"{accuracy(result, way):.1%}", f"{one['trainable']:,}", *moves])
    for way, count in result["freezes"].items():
        found.append([f"frozen by: {way}", "", "", f"{count} of 35", ""])
    return found
