"""Two ways to pay less for the same numbers: torch.compile, and gradient checkpointing. And what breaks each."""

import shutil

import torch
from jaxtyping import Float, Int
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ..model import GPT
from . import drawing
from .graph_breaks import graph_breaks
from .small_run import batches, mean_loss, small_gpt

QUESTION = "Does gradient checkpointing change a gradient by a single bit, and does torch.compile? What breaks them?"
PREDICTION = "Both change rounding; or only one does. Dropout breaks one of them, a print breaks the other."
DEPTH = 6
MEGABYTE = 2**20


class Dropped(nn.Module):
    """A block with dropout on what it adds."""

    def __init__(self, block: nn.Module, p: float):
        super().__init__()
        self.block, self.drop, self.calls = block, nn.Dropout(p), 0

    def forward(self, x: Float[Tensor, "B T C"]) -> Float[Tensor, "B T C"]:
        self.calls += 1
        return x + self.drop(self.block(x) - x)


class Checkpointed(nn.Module):
    """Keeps only the input of a module; the backward pass runs its forward again."""

    def __init__(self, module: nn.Module, preserve_rng_state: bool = True):
        super().__init__()
        self.module, self.preserve = module, preserve_rng_state

    def forward(self, x: Float[Tensor, "B T C"]) -> Float[Tensor, "B T C"]:
        return checkpoint(self.module, x, use_reentrant=False, preserve_rng_state=self.preserve)


def with_dropout(seed: int, dropout: float) -> GPT:
    """A GPT of six blocks with dropout. Every call with one seed gives the same weights."""
    model = small_gpt(seed, n_embd=64, n_layer=DEPTH, n_head=4)
    for i, block in enumerate(model.blocks):
        model.blocks[i] = Dropped(block, dropout)
    return model


def checkpointed(model: GPT, preserve_rng_state: bool = True) -> GPT:
    """The same model, each block checkpointed."""
    for i, block in enumerate(model.blocks):
        model.blocks[i] = Checkpointed(block, preserve_rng_state)
    return model


def gradients(
    model: nn.Module, x: Int[Tensor, "B T"], y: Int[Tensor, "B T"], seed: int = 7
) -> tuple[list[Tensor], int]:
    """Gradients of all parameters, and the bytes that autograd kept for them, parameters not counted."""
    own = {p.untyped_storage().data_ptr() for p in model.parameters()}
    kept: dict[int, int] = {}

    def keep(t: Tensor) -> Tensor:
        storage = t.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return t

    torch.manual_seed(seed)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
        loss = mean_loss(model, x, y)
    total = sum(kept.values())
    return list(torch.autograd.grad(loss, list(model.parameters()))), total


def checkpointing(seed: int) -> dict[str, dict]:
    """Four models against the plain one: how far the gradients are, the bytes kept, the forward passes of a block."""
    x, y = next(batches(seed))
    found = {}
    for name, dropout, preserve in (
        ("no dropout", 0.0, True),
        ("dropout, random state kept", 0.2, True),
        ("dropout, random state not kept", 0.2, False),
    ):
        plain, plain_bytes = gradients(with_dropout(seed, dropout), x, y)
        model = checkpointed(with_dropout(seed, dropout), preserve)
        own, own_bytes = gradients(model, x, y)
        far = sum(float((a - b).square().sum()) for a, b in zip(plain, own, strict=True))
        size = sum(float(a.square().sum()) for a in plain)
        equal = all(torch.equal(a, b) for a, b in zip(plain, own, strict=True))
        calls = model.blocks[0].module.calls
        found[name] = {"bit-equal": equal, "distance": (far / size) ** 0.5, "plain": plain_bytes, "kept": own_bytes,
                       "calls": calls}  # fmt: skip
    return found


def why_not_compiled(quick: bool) -> str:
    """Why the compiled model is left out; empty if it is not."""
    if quick:
        return "a quick run does not wait for a compiler"
    return "" if any(map(shutil.which, ("c++", "g++", "clang++"))) else "no C++ compiler on this machine"


def compiled(seed: int) -> dict[str, float]:
    """The largest differences of logits and of gradients between a model and itself compiled."""
    x, y = next(batches(seed))
    model = small_gpt(seed)
    fast = torch.compile(model)
    with torch.no_grad():
        far = float((model(x) - fast(x)).abs().max())
    plain = torch.autograd.grad(mean_loss(model, x, y), list(model.parameters()))
    own = torch.autograd.grad(mean_loss(fast, x, y), list(model.parameters()))
    worst = max(float((a - b).abs().max()) for a, b in zip(plain, own, strict=True))
    return {"logits": far, "gradients": worst}


def run(*, seed: int = 0, quick: bool = False, log=print) -> dict:
    """Checkpointing against the plain model, graph breaks, and the compiled model where there is a compiler."""
    log("gradient checkpointing")
    result: dict = {"checkpointing": checkpointing(seed), "left out": why_not_compiled(quick)}
    result["breaks"] = {} if quick else graph_breaks()
    if not result["left out"]:
        log("torch.compile")
        result["compiled"] = compiled(seed)
    return result


def outcome(result: dict) -> str:
    """Bits, bytes, and what broke."""
    c = result["checkpointing"]
    plain, broken = c["dropout, random state kept"], c["dropout, random state not kept"]
    equal = "every bit of every gradient is the same" if plain["bit-equal"] else "gradients differ"
    far, breaks = result.get("compiled"), result["breaks"]
    text = f"Compiled logits differ by {far['logits']:.0e} at most" if far else f"torch.compile: {result['left out']}"
    if breaks:
        text += f"; the GPT has {breaks['the GPT']} graph breaks, an item() in an if has {breaks['item() in an if']}"
    return (
        f"Checkpointed, with dropout, {equal}, and {plain['kept'] / plain['plain']:.0%} of the bytes are kept for "
        f"{plain['calls']} forward passes of a block. Without the random state gradients are {broken['distance']:.0%} "
        f"off. {text}."
    )


def figure(result: dict) -> Figure:
    """Bytes kept for the backward pass, and how far the gradients are."""
    c = result["checkpointing"]
    one = c["no dropout"]
    off = c["dropout, random state not kept"]["distance"]
    share = one["kept"] / one["plain"]
    claim = f"Checkpointing keeps {share:.0%} of the bytes; without the random state it is {off:.0%} off"
    made = drawing.figure(claim, (7, 3.2))
    ax = made.subplots()
    for i, found in enumerate(c.values()):
        color = drawing.BLUE if found["bit-equal"] else drawing.VERMILION
        ax.barh(i - 0.2, found["plain"] / MEGABYTE, 0.36, color=drawing.GREY, alpha=0.5)
        ax.barh(i + 0.2, found["kept"] / MEGABYTE, 0.36, color=color)
        state = "bit-equal" if found["bit-equal"] else f"{found['distance']:.0%} off"
        drawing.label(ax, found["kept"] / MEGABYTE, i + 0.2, f"checkpointed: {state}", color)
        drawing.label(ax, found["plain"] / MEGABYTE, i - 0.2, "plain", drawing.GREY)
    ax.set(yticks=range(len(c)), xlabel="MiB kept for the backward pass")
    ax.set_yticklabels(list(c))
    ax.margins(x=0.15)
    ax.invert_yaxis()
    return made


def rows(result: dict) -> list[list[str]]:
    """A row for each kind of checkpointing, then graph breaks, then the compiled model."""
    found = [["case", "equal", "distance", "MiB kept", "MiB, plain", "forward passes"]]
    for name, one in result["checkpointing"].items():
        sizes = [f"{one[key] / MEGABYTE:.2f}" for key in ("kept", "plain")]
        found.append(
            [name, "to the bit" if one["bit-equal"] else "no", f"{one['distance']:.1e}", *sizes, str(one["calls"])]
        )
    for name, count in result["breaks"].items():
        found.append([f"compile: {name}", f"{count} graph breaks", "", "", "", ""])
    if far := result.get("compiled"):
        found.append(["compiled GPT", "to rounding", f"{max(far.values()):.1e}", "", "", ""])
    return found
