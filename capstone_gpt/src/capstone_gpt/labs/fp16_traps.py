"""The traps of sixteen bits: gradients that vanish, values that overflow, updates that are lost, and NaN."""

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from ..optim import AdamW
from ..training import train_step
from ..training.precision import LossScaler, autocast
from . import drawing
from .small_run import batches, last, mean_loss, small_gpt, small_modern, token_sum, valid_loss

QUESTION = "Where does float16 break a training run, what repairs it, and does bfloat16 need the repair?"
PREDICTION = (
    "float16 loses small gradients and a loss scale saves them. bfloat16 needs no scale, but its weights stand still."
)
POWERS = range(-16, 33, 2)
LARGE = -10  # a mean over 2^19 tokens has gradients 2^10 times smaller than one over these 512
WARM, STEPS = 60, 120
TINY_LOSS = 2.0**-24  # a factor of the loss, as where the mean is taken over very many tokens
HALF, BRAIN = torch.float16, torch.bfloat16


def gradients(seed: int, steps: int) -> Tensor:
    """What flows back through the GPT after `steps` steps: the gradients of each block's output and of the logits."""
    model, data = small_gpt(seed), batches(seed)
    optimizer, kept = AdamW(model.parameters(), 1e-3), []

    def keep(module, inputs, output) -> None:
        output.retain_grad()
        kept.append(output)

    for step in range(steps + 1):
        if step == steps:
            for module in (*model.blocks, model.lm_head):
                module.register_forward_hook(keep)
        optimizer.zero_grad()
        mean_loss(model, *next(data)).backward()
        optimizer.step()
    grads = torch.cat([output.grad.flatten() for output in kept])
    return grads[grads != 0]


def lost(grads: Tensor, scale: float, dtype: torch.dtype) -> tuple[float, float]:
    """The shares of the scaled gradients that become 0, and that become infinite, in `dtype`."""
    cast = (grads * scale).to(dtype)
    return float((cast == 0).double().mean()), float(cast.isinf().double().mean())


def trained(kind: str, seed: int, steps: int) -> dict:
    """A run whose forward pass is under autocast: its losses, its last scale, how many steps were left out.

    `kind` is "float32", "bfloat16", "float16" or "float16, scaled". The loss counts TINY_LOSS times.
    AdamW's step does not depend on that, as its `eps` is 1e-30: what is lost is lost in the gradients.
    """
    model, data = small_modern(seed), batches(seed)
    optimizer = AdamW(model.parameters(), 1e-2, eps=1e-30)
    scaler = LossScaler(2.0**36, growth_interval=50) if kind == "float16, scaled" else None
    whole = token_sum(model, TINY_LOSS)

    def loss_sum(x, y):
        with autocast(kind.partition(",")[0]):
            return whole(x, y)

    losses, skipped = [], 0
    for _ in range(steps):
        before = scaler.get_scale() if scaler else 0
        loss, _ = train_step(loss_sum, optimizer, [next(data)], scaler=scaler)
        skipped += bool(scaler and scaler.get_scale() < before)
        losses.append(loss / TINY_LOSS)
    scale = scaler.get_scale() if scaler else 1.0
    return {"losses": losses, "train": last(losses), "valid": valid_loss(model), "skipped": skipped, "scale": scale}


def weights_in(dtype: torch.dtype, seed: int, steps: int) -> dict[str, float]:
    """A run whose weights themselves are kept in `dtype`: its loss, and the share of weights its last step left alone.

    The gradients and AdamW's state are in float32 throughout: only the rounding of the weights differs.
    """
    model, data = small_modern(seed), batches(seed)
    optimizer, losses, before = AdamW(model.parameters(), 3e-4), [], None
    for _ in range(steps):
        before = nn.utils.parameters_to_vector(model.parameters()).detach()
        optimizer.zero_grad()
        loss = mean_loss(model, *next(data))
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            for p in model.parameters():
                p.copy_(p.to(dtype))
        losses.append(loss.item())
    still = nn.utils.parameters_to_vector(model.parameters()).detach() == before
    return {"loss": last(losses), "still": float(still.double().mean())}


def single_traps() -> dict[str, dict[str, str]]:
    """Each trap as one expression, and what it gives in float32, float16 and bfloat16."""
    found = {}
    for name, dtype in (("float32", torch.float32), ("float16", HALF), ("bfloat16", BRAIN)):
        one = torch.ones(1, dtype=dtype)
        logits = torch.tensor([12.0, 11.0], dtype=dtype)
        column = {
            "1e-8 + 0, an epsilon": one * 1e-8,
            "300², a square in a norm": (one * 300).square(),
            "exp(12) / sum, softmax without the maximum": (logits.exp() / logits.exp().sum())[:1],
            "inf − inf, after an overflow": one * 7e4 - one * 7e4,
            "1 + 0.001, an update of a weight": one + one * 0.001,
            "2,049 as a counter": one * 2048 + one,
        }
        for trap, value in column.items():
            found.setdefault(trap, {})[name] = f"{value.item():.5g}"
    return found


def run(*, seed: int = 0, quick: bool = False, log=print) -> dict:
    """Lost gradients at each scale; training in four kinds; weights in each dtype; the single traps."""
    log("gradients cast at each scale")
    grads, steps = gradients(seed, 2 if quick else WARM), 4 if quick else STEPS
    scales = {name: {str(p): lost(grads, 2.0**p, dtype) for p in POWERS}
              for name, dtype in (("float16", HALF), ("bfloat16", BRAIN))}  # fmt: skip
    runs = {}
    for kind in ("float32", "bfloat16", "float16", "float16, scaled"):
        log(f"training in {kind}")
        runs[kind] = trained(kind, seed, steps)
    log("weights kept in each dtype")
    kept = {name: weights_in(dtype, seed, steps)
            for name, dtype in (("float32", torch.float32), ("bfloat16", BRAIN), ("float16", HALF))}  # fmt: skip
    return {"gradients": int(grads.numel()), "scales": scales, "runs": runs, "weights": kept, "traps": single_traps()}


def window(result: dict) -> tuple[int, int]:
    """The powers of two between which less than a thousandth of the float16 gradients is lost either way."""
    good = [int(p) for p, (zero, infinite) in result["scales"]["float16"].items() if zero < 1e-3 and infinite == 0]
    return (min(good), max(good)) if good else (0, 0)


def outcome(result: dict) -> str:
    """What is lost, what the scale saves, and what bfloat16 loses instead."""
    low, high = window(result)
    valid = {kind: "NaN" if one["valid"] is None else f"{one['valid']:.2f}" for kind, one in result["runs"].items()}
    scaled, kept = result["runs"]["float16, scaled"], result["weights"]
    none, large = (result["scales"]["float16"][str(power)][0] for power in (0, LARGE))
    return (
        f"In a batch of 512 tokens float16 loses {none:.2%} of the gradients of activations. In one of half a million "
        f"tokens they are 1,024 times smaller, and it loses {large:.0%}; bfloat16 loses "
        f"{result['scales']['bfloat16'][str(LARGE)][0]:.0%}. A loss scale of 2^{low - LARGE} to 2^{high - LARGE} saves "
        f"all but a thousandth there. Where the loss is 2^-24 times as large, float32 ends at {valid['float32']}, "
        f"bfloat16 at {valid['bfloat16']}, float16 at {valid['float16']}, and scaled float16 at "
        f"{valid['float16, scaled']} after {scaled['skipped']} skipped steps. Of weights that are themselves kept in "
        f"bfloat16, a step at rate 3e-4 leaves {kept['bfloat16']['still']:.0%} where they are, in float16 "
        f"{kept['float16']['still']:.0%} and in float32 {kept['float32']['still']:.0%}: so sixteen-bit training keeps "
        "its weights in float32."
    )


def figure(result: dict) -> Figure:
    """Left: what is lost at each scale. Right: training."""
    low, high = window(result)
    large = result["scales"]["float16"][str(LARGE)][0]
    made = drawing.figure(
        f"In a batch of half a million tokens float16 loses {large:.0%} of the gradients; a loss scale saves them",
        (10, 4),
    )
    left, right = made.subplots(1, 2)
    for name, color in (("float16", drawing.VERMILION), ("bfloat16", drawing.BLUE)):
        powers = [int(p) for p in result["scales"][name]]
        for kind, style in ((0, "o-"), (1, "s--")):
            values = [100 * pair[kind] for pair in result["scales"][name].values()]
            if kind == 0 or max(values) > 0:
                left.plot(powers, values, style, color=color, ms=3, label=f"{name}: {('zero', 'infinite')[kind]}")
    left.axvspan(low, high, color=drawing.GREEN, alpha=0.15, lw=0)
    for power, text in ((LARGE, "half a million tokens"), (0, "512 tokens")):
        left.axvline(power, color=drawing.GREY, lw=0.8, ls=":")
        left.text(power - 0.4, 3, text, color=drawing.GREY, rotation=90, ha="right", va="bottom", fontsize=8)
    left.legend(frameon=False)
    left.set(xlabel="power of two that multiplies the gradients (green: little is lost)", ylabel="% of the gradients")
    left.set_title("gradients of activations, cast")
    ends = []
    colors = (drawing.BLACK, drawing.BLUE, drawing.VERMILION, drawing.GREEN)
    for (kind, one), color in zip(result["runs"].items(), colors, strict=True):
        right.plot(one["losses"], color=color, lw=1)
        ends.append((len(one["losses"]) - 1, one["train"], kind, color))
    right.set(xlabel="step", ylabel="training loss, nats a character", xlim=(0, len(ends) and 1.01 * ends[0][0]))
    right.set_title("a loss of 2^-24 times its size")
    drawing.spread_labels(right, ends)
    return made


def rows(result: dict) -> list[list[str]]:
    """The single traps."""
    made = [["trap", "float32", "float16", "bfloat16"]]
    return made + [[trap, *values.values()] for trap, values in result["traps"].items()]
