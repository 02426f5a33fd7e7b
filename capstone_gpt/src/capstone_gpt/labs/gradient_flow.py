"""Gradients on their way down: eight blocks, four ways to connect them, a hook at each."""

import shutil
from collections import Counter
from pathlib import Path

from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor, nn

from ..model import GPT
from ..model.gpt import Block
from ..optim import AdamW
from . import drawing
from .small_run import batches, fit, last, mean_loss, small_gpt

QUESTION = (
    "How much of the gradient at the last of eight blocks is left at the first, with and without a residual path?"
)
PREDICTION = "All of it, a tenth, or nothing; and what arrives is enough to learn from, or it is not."
DEPTH, STEPS = 8, 150
BATCH_AT_START = 5  # batches whose gradient norms are averaged


class PostNorm(Block):
    """The block of 2017: normalised after the sum, so that no path is free of norms."""

    def forward(self, x: Float[Tensor, "B T C"]) -> Float[Tensor, "B T C"]:
        x = self.ln_1(x + self.attn(x))
        return self.ln_2(x + self.mlp(x))


class NoResidual(Block):
    """The same parts, one after the other."""

    def forward(self, x: Float[Tensor, "B T C"]) -> Float[Tensor, "B T C"]:
        return self.mlp(self.ln_2(self.attn(self.ln_1(x))))


class Bare(Block):
    """Neither a residual path nor a norm."""

    def forward(self, x: Float[Tensor, "B T C"]) -> Float[Tensor, "B T C"]:
        return self.mlp(self.attn(x))


KINDS = {"norm before, residual": Block, "norm after, residual": PostNorm, "no residual": NoResidual, "neither": Bare}


def connected(kind: type[Block], seed: int, depth: int = DEPTH) -> GPT:
    """A GPT of thin blocks of one kind. All kinds have the same weights."""
    model = small_gpt(seed, n_embd=32, n_layer=depth, n_head=4)
    for i, block in enumerate(model.blocks):
        model.blocks[i] = kind(32, 4)
        model.blocks[i].load_state_dict(block.state_dict())
    return model


class GradientHooks:
    """Notes the norm of the gradient with respect to the output of each block. A context: it removes its hooks."""

    def __init__(self, blocks: nn.ModuleList):
        self.norms: list[list[float]] = [[] for _ in blocks]
        self.blocks = blocks

    def __enter__(self) -> "GradientHooks":
        self.handles = [b.register_full_backward_hook(self.note(i)) for i, b in enumerate(self.blocks)]
        return self

    def note(self, layer: int):
        def hook(module: nn.Module, grad_input: tuple, grad_output: tuple) -> None:
            self.norms[layer].append(float(grad_output[0].double().norm()))  # squares of 1e-25 are 0 in float32

        return hook

    def __exit__(self, *error: object) -> None:
        for handle in self.handles:
            handle.remove()


def norms_by_layer(model: GPT, seed: int) -> list[float]:
    """The mean norm of the gradient at the output of each block, first block first."""
    data = batches(seed)
    with GradientHooks(model.blocks) as hooks:
        for _ in range(BATCH_AT_START):
            mean_loss(model, *next(data)).backward()
    model.zero_grad()
    return [sum(norms) / len(norms) for norms in hooks.norms]


def graph_text(loss: Tensor) -> dict[str, int]:
    """What autograd will run for this loss: each kind of node, and how many of it."""
    seen, waiting = set(), [loss.grad_fn]
    counts: Counter[str] = Counter()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        counts[type(node).__name__] += 1
        waiting += [before for before, _ in node.next_functions]
    return dict(counts.most_common())


def draw_graph(loss: Tensor, model: nn.Module, path: Path | str) -> Path:
    """The same graph as a picture, by torchviz.

    Raises:
        ImportError: torchviz is not installed.
        OSError: graphviz' program `dot` is not there.
    """
    if shutil.which("dot") is None:
        raise OSError("dot: this program is not on the path; install graphviz, or use graph_text")
    from torchviz import make_dot

    path = Path(path)
    made = make_dot(loss, params=dict(model.named_parameters()))
    return Path(made.render(path.with_suffix(""), format=path.suffix.lstrip("."), cleanup=True))


def run(*, seed: int = 0, quick: bool = False, log=print) -> dict:
    """Gradient norms before the first step, and the loss after STEPS steps, for each way to connect."""
    kinds = {}
    for name, kind in KINDS.items():
        log(name)
        model = connected(kind, seed)
        norms = norms_by_layer(model, seed)
        losses = fit(model, AdamW(model.parameters(), 2e-3), 4 if quick else STEPS, seed, max_norm=1.0)
        kinds[name] = {"norms": norms, "kept": norms[0] / norms[-1], "loss": last(losses)}
    loss = mean_loss(connected(Block, seed), *next(batches(seed)))
    return {"kinds": kinds, "graph": graph_text(loss), "steps": 4 if quick else STEPS}


def outcome(result: dict) -> str:
    """What is left at the first block, what it did to the loss, and the size of the graph."""
    k = result["kinds"]
    before, after, none, bare = (k[name] for name in KINDS)
    losses = ", ".join(f"{one['loss']:.2f}" for one in (before, after, none))
    return (
        f"The first block gets {before['kept']:.2g} times the gradient of the last with a residual path and the norm "
        f"before, {after['kept']:.2g} times with the norm after, {none['kept']:.2g} times without the path, and "
        f"{bare['kept']:.0e} times with neither. After {result['steps']} steps their losses are {losses} and "
        f"{bare['loss']:.2f}: norms alone let a gradient through, and the model without a path still learns little."
    )


def figure(result: dict) -> Figure:
    """Gradient norm against the depth."""
    k = result["kinds"]
    claim = (
        f"With neither path nor norm {k['neither']['kept']:.0e} of the gradient arrives; with norms alone it arrives"
    )
    made = drawing.figure(f"{claim}, and the loss is still {k['no residual']['loss']:.2f}")
    ax, ends = made.subplots(), []
    for (name, found), color in zip(result["kinds"].items(), drawing.COLORS, strict=False):
        layers = range(1, len(found["norms"]) + 1)
        ax.plot(layers, found["norms"], "o-", color=color, ms=4)
        ends.append((layers[-1], found["norms"][-1], f"{name} (loss {found['loss']:.2f})", color))
    ax.set(yscale="log", xlabel="block, first to last", ylabel="norm of the gradient at its output")
    ax.set_xlim(0.5, DEPTH + 6)
    ax.set_xticks(range(1, DEPTH + 1))
    drawing.spread_labels(ax, ends)
    return made


def rows(result: dict) -> list[list[str]]:
    """A row for each way to connect."""
    found = [["blocks", "gradient at the first block", "at the last", "first / last", "loss after the steps"]]
    for name, one in result["kinds"].items():
        norms = [f"{one['norms'][i]:.2e}" for i in (0, -1)]
        found.append([name, *norms, f"{one['kept']:.2g}", f"{one['loss']:.3f}"])
    return found
