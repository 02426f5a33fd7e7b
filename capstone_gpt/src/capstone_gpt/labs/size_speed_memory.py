"""Size, speed and memory of one training step, counted where counting is possible and measured where it is not."""

import time
from statistics import median

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from ..model import GPT, GPTConfig
from ..optim import AdamW
from . import drawing
from .small_run import BATCH, SEQ_LEN, batches, mean_loss, offline_text
from .update_rules import state_bytes

QUESTION = "How do parameters, tokens a second and bytes grow with the width and the depth of a GPT?"
PREDICTION = "Twice the width is four times the parameters, a quarter of the speed and four times the memory."
SIZES = {"narrow": (32, 2, 2), "wide": (64, 2, 2), "wider": (128, 2, 4), "deep": (64, 8, 2), "widest": (256, 2, 8)}
REPEATS = 5


def formula(vocab_size: int, context: int, width: int, depth: int) -> int:
    """Parameters of GPT-2's shape with a tied head: 12 C² + 13 C a block, two embeddings and the last norm."""
    return vocab_size * width + context * width + depth * (12 * width**2 + 13 * width) + 2 * width


def kept_for_backward(model: nn.Module, x: Tensor, y: Tensor) -> int:
    """Bytes that the forward pass keeps for the backward pass, without the parameters: each storage counted once."""
    own = {p.untyped_storage().data_ptr() for p in model.parameters()}
    held: dict[int, int] = {}
    kept = []  # the tensors stay alive until all are counted, so that no address is used twice

    def pack(t: Tensor) -> Tensor:
        storage = t.untyped_storage()
        if storage.data_ptr() not in own:
            held[storage.data_ptr()] = storage.nbytes()
            kept.append(t)
        return t

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        loss = mean_loss(model, x, y)
    del loss
    return sum(held.values())


def seconds(work, repeats: int) -> list[float]:
    """CPU seconds of each call after two calls that are not counted."""
    for _ in range(2):
        work()
    found = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return found


def measured(seed: int, width: int, depth: int, heads: int, repeats: int) -> dict:
    """Counts, bytes and CPU seconds of one size."""
    torch.manual_seed(seed)
    vocab_size = offline_text().vocab_size
    model = GPT(GPTConfig(vocab_size, SEQ_LEN, depth, heads, width))
    optimizer = AdamW(model.parameters(), 1e-4)
    x, y = next(batches(seed))

    def step() -> None:
        optimizer.zero_grad()
        mean_loss(model, x, y).backward()
        optimizer.step()

    def forward() -> None:
        with torch.no_grad():
            model(x)

    trained, read = seconds(step, repeats), seconds(forward, repeats)
    count = sum(p.numel() for p in model.parameters())
    held = {"weights": 4 * count, "gradients": sum(p.grad.nbytes for p in model.parameters())}
    held |= {"AdamW": round(state_bytes(optimizer) * count), "kept for backward": kept_for_backward(model, x, y)}
    sizes = {"width": width, "depth": depth, "parameters": count, "formula": formula(vocab_size, SEQ_LEN, width, depth)}
    return sizes | {"step_s": trained, "forward_s": read, "tokens": x.numel(), "bytes": held}


def run(*, seed: int = 0, quick: bool = False, log=print) -> dict:
    """Each size; and the bytes kept for backward at one size for two batch sizes."""
    found = {}
    for name, (width, depth, heads) in SIZES.items():
        log(f"{name}: width {width}, depth {depth}")
        found[name] = measured(seed, width, depth, heads, 1 if quick else REPEATS)
    torch.manual_seed(seed)
    model = GPT(GPTConfig(offline_text().vocab_size, SEQ_LEN, 2, 2, 64))
    kept = {str(rows): kept_for_backward(model, *next(batches(seed, rows))) for rows in (BATCH, 2 * BATCH)}
    return {"sizes": found, "kept": kept}


def speed(one: dict, key: str = "step_s") -> float:
    """Tokens a CPU second, by the median."""
    return one["tokens"] / median(one[key])


def flops(one: dict) -> float:
    """Floating-point operations a CPU second of training: 6 for each parameter and token."""
    return 6 * one["parameters"] * speed(one)


def outcome(result: dict) -> str:
    """What doubling the width, and four times the depth, cost."""
    wide, wider, deep = (result["sizes"][name] for name in ("wide", "wider", "deep"))
    broader, deeper = grown(wide, wider), grown(wide, deep)
    twice = list(result["kept"].values())
    wrong = sum(one["parameters"] != one["formula"] for one in result["sizes"].values())
    return (
        f"From width {wide['width']} to {wider['width']}, parameters grow {broader['parameters']:.1f} times, training "
        f"is {broader['time']:.1f} times slower, and {broader['kept']:.1f} times as much is kept for backward. From "
        f"depth {wide['depth']} to {deep['depth']} these are {deeper['parameters']:.1f}, {deeper['time']:.1f} and "
        f"{deeper['kept']:.1f} times. Twice the batch keeps {twice[1] / twice[0]:.1f} times as much. "
        f"The formula for the number of parameters is wrong for {wrong} of {len(result['sizes'])} sizes."
    )


def grown(before: dict, after: dict) -> dict[str, float]:
    """How many times parameters, time of a step and bytes kept for backward are larger."""
    kept = after["bytes"]["kept for backward"] / before["bytes"]["kept for backward"]
    time_ = speed(before) / speed(after)
    return {"parameters": after["parameters"] / before["parameters"], "time": time_, "kept": kept}


def figure(result: dict) -> Figure:
    """Left: where the bytes are. Right: tokens a second against parameters."""
    sizes = result["sizes"]
    first = sizes["narrow"]["bytes"]
    share = first["kept for backward"] / sum(first.values())
    made = drawing.figure(
        f"In a small model {share:.0%} of a step's memory is kept for backward, not weights", (10, 3.9)
    )
    left, right = made.subplots(1, 2)
    names = [f"{n}\n{one['width']} × {one['depth']}" for n, one in sizes.items()]
    bottom = [0.0] * len(sizes)
    for part, color in zip(first, (drawing.BLUE, drawing.SKY, drawing.GREEN, drawing.ORANGE), strict=True):
        values = [one["bytes"][part] / 2**20 for one in sizes.values()]
        left.bar(names, values, bottom=bottom, color=color, label=part, width=0.65)
        bottom = [a + b for a, b in zip(bottom, values, strict=True)]
    left.legend(frameon=False, loc="upper left")
    left.set(ylabel="MiB", xlabel="width × depth")
    left.set_title(f"one step of {BATCH} windows of {SEQ_LEN} tokens")
    for key, text, color in (("forward_s", "forward", drawing.SKY), ("step_s", "training step", drawing.BLUE)):
        ordered = [one for one in sizes.values() if one["depth"] == 2]
        right.plot([o["parameters"] for o in ordered], [speed(o, key) for o in ordered], "o-", color=color)
        deep = sizes["deep"]
        right.plot(deep["parameters"], speed(deep, key), "D", color=color)
        right.annotate("depth 8", (deep["parameters"], speed(deep, key)), (-6, -10), ha="right",
                       textcoords="offset points", color=color, fontsize=8)  # fmt: skip
        drawing.label(right, ordered[-1]["parameters"], speed(ordered[-1], key), text, color)
    right.set(xscale="log", yscale="log", xlabel="parameters", ylabel="tokens a CPU second")
    right.set_title("speed: depth 2 as a line, medians")
    return made


def rows(result: dict) -> list[list[str]]:
    """A row a size."""
    made = [["size", "width × depth", "parameters", "tokens/s, training", "tokens/s, forward", "GFLOP/s",
             "weights, gradients, AdamW, MiB", "kept for backward, MiB"]]  # fmt: skip
    for name, one in result["sizes"].items():
        held = [one["bytes"][part] / 2**20 for part in ("weights", "gradients", "AdamW")]
        made.append([name, f"{one['width']} × {one['depth']}", f"{one['parameters']:,}", f"{speed(one):,.0f}",
                     f"{speed(one, 'forward_s'):,.0f}", f"{flops(one) / 1e9:.1f}", f"{sum(held):.2f}",
                     f"{one['bytes']['kept for backward'] / 2**20:.2f}"])  # fmt: skip
    return made
