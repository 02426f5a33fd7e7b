"""Figures, drawn from the results alone: one claim each."""

from pathlib import Path
from statistics import fmean, median

import numpy as np

from .style import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION, figure, label, save
from .tables import cost as shown

COLORS = {"LayerNorm, GELU": BLUE, "RMSNorm, GELU": SKY, "BatchNorm, GELU": VERMILION, "RMSNorm, SwiGLU": GREEN}


def draw(results: dict, folder: Path) -> list[Path]:
    """Every figure that the results allow."""
    made = {"headline": headline, "bench": bench, "break_it": break_it, "dynamics": dynamics, "framework": framework,
            "framework_mnist": framework, "laboratory": laboratory, "smollm2": smollm2}  # fmt: skip
    drawn = {name: made[name](content) for name, content in results.items() if name in made}
    if "dynamics" in results:
        drawn["histograms"] = histograms(results["dynamics"])
    return [save(picture, folder / f"{name}.png") for name, picture in drawn.items()]


def headline(content: dict):
    """Three panels: the leak, the norms' losses, the gap of SwiGLU beside the paper's."""
    made = figure("BatchNorm lets earlier tokens see the last one; RMSNorm loses nothing; SwiGLU gains", (9.2, 3.6))
    leak, loss, gap = made.subplots(1, 3)
    runs = content["runs"]
    norms = ["LayerNorm, GELU", "RMSNorm, GELU", "BatchNorm, GELU"]
    for i, name in enumerate(norms):
        leak.bar(i, median(runs[name]["leak"]), color=COLORS[name], width=0.6)
        leak.plot([i] * len(runs[name]["leak"]), runs[name]["leak"], "o", color=BLACK, ms=4)
        label(leak, i + 0.05, median(runs[name]["leak"]) + 0.012, f"{median(runs[name]['leak']):.2f}", BLACK)
    leak.set_xticks(range(3), [n.split(",")[0] for n in norms], rotation=20)
    leak.set_ylabel("largest change of earlier logits")
    leak.set_title("only the last token changed")
    for i, name in enumerate(runs):
        loss.plot([i] * len(runs[name]["loss"]), runs[name]["loss"], "o", color=COLORS[name], ms=6)
        loss.plot([i - 0.25, i + 0.25], [median(runs[name]["loss"])] * 2, color=COLORS[name], lw=2)
    one = runs["BatchNorm, GELU"]["one"]
    loss.plot([2] * len(one), one, "x", color=VERMILION, ms=7)
    label(loss, 2.05, median(one), "batch of one", VERMILION, fontsize=8)
    loss.set_xticks(range(4), [n.replace(", ", "\n") for n in runs], fontsize=8)
    loss.set_ylabel("validation loss, nats a character")
    loss.set_title("a dot for each seed")
    values = content["differences"]["SwiGLU - GELU"]["values"]
    gap.axhline(0, color=GREY, lw=1)
    gap.axhline(content["paper"]["gap"], color=PURPLE, ls="--")
    gap.text(-0.45, content["paper"]["gap"] + 0.002, "Shazeer 2020, 65,536 steps", color=PURPLE, fontsize=8)
    gap.plot(range(len(values)), values, "o", color=GREEN, ms=7)
    gap.axhline(fmean(values), color=GREEN)
    gap.text(-0.45, fmean(values) + 0.002, "ours, mean", color=GREEN, fontsize=8)
    gap.set_xticks(range(len(values)), [f"seed {s}" for s in content["meta"]["seeds"]])
    gap.set_xlim(-0.5, len(values) - 0.5)
    gap.set_ylabel("loss of SwiGLU less loss of GELU")
    gap.set_title("equal weights")
    return made


def bench(content: dict):
    """Bars with ranges, and the limit of memory."""
    made = figure("By hand, RMSNorm beats F.rms_norm; the fused LayerNorm stays ahead", (7.4, 3.6))
    ax = made.subplots()
    times = content["milliseconds"]["out of cache"]
    for i, (name, values) in enumerate(times.items()):
        color = BLUE if "hand" in name else ORANGE if name.startswith("F.") else GREY
        ax.barh(i, median(values), color=color, height=0.6)
        ax.plot([min(values), np.quantile(values, 0.9)], [i, i], color=BLACK, lw=1)
        label(ax, np.quantile(values, 0.9), i, f"{median(values):.1f} ms", color)
    ax.axvline(content["limit"], color=VERMILION, ls="--")
    ax.text(content["limit"] + 0.1, -0.75, "five passes over memory", color=VERMILION, fontsize=8)
    ax.set_yticks(range(len(times)), list(times))
    ax.set_ylim(len(times) - 0.5, -1)
    ax.set_xlim(0, max(max(v) for v in times.values()) * 1.05)
    ax.set_xlabel("CPU ms, 4096 × 768, forward and backward; the line ends at the 90th percentile")
    return made


def break_it(content: dict):
    """Accuracies with and without each mistake."""
    made = figure("Without a norm or with dead units nothing is learned; BatchNorm needs a batch", (7.6, 4.4))
    ax = made.subplots()
    y = 0
    ticks = []
    for name, found in content.items():
        if not isinstance(found, dict) or name == "meta":
            continue
        for what, values in found.items():
            if what.startswith("accuracy"):
                ax.plot(values, [y] * len(values), "o", color=BLUE if median(values) > 0.6 else VERMILION, ms=6)
                ticks.append((y, f"{name}:{what.removeprefix('accuracy').lstrip(',') or ' as it is'}"))
                y += 1
    ax.axvline(0.1, color=GREY, ls="--")
    ax.text(0.11, -0.7, "guessing", color=GREY, fontsize=8)
    ax.set_yticks([t for t, _ in ticks], [name for _, name in ticks], fontsize=8)
    ax.set_ylim(y - 0.5, -1)
    ax.set_xlim(0, 1.05)
    ax.set_xlabel("accuracy on unseen digits, a dot for each seed")
    return made


def dynamics(content: dict):
    """Signal and gradient by layer for tanh, ReLU and GELU."""
    made = figure("Without a norm, the initialisation decides whether signal and gradient reach the end", (9.2, 6))
    axes = made.subplots(2, 3)
    found = content["by layer"]
    lines = [
        ("xavier, none", BLUE),
        ("he, none", GREEN),
        ("normal 0.02, none", VERMILION),
        ("normal 0.02, layer", PURPLE),
    ]
    for column, activation in enumerate(("tanh", "relu", "gelu")):
        for row, kind in enumerate(("signal", "gradient")):
            ax = axes[row, column]
            for name, color in lines:
                values = np.median(found[f"{activation}, {name}"][kind], axis=0)
                ax.plot(range(1, len(values) + 1), values, color=color, label=name)
            ax.set(yscale="log", xlabel="layer")
            ax.set_ylabel({"signal": "standard deviation of outputs", "gradient": "root mean square gradient"}[kind])
            ax.set_title(f"{activation}: {kind}")
    axes[0, 0].legend(fontsize=7, frameon=False)
    return made


def histograms(content: dict):
    """Outputs above, sizes of gradients below, at four layers; one network a column."""
    made = figure("He's weights keep ReLU's outputs and gradients; Xavier's lose them layer by layer", (10.6, 5.4))
    axes = made.subplots(2, 5)
    shown = ("tanh, xavier", "tanh, normal 1", "relu, xavier", "relu, he", "gelu, xavier")
    for column, name in enumerate(shown):
        activation = name.split(",")[0]
        found = content["histograms"][f"{name}, none"]
        for row, kind in enumerate(("outputs", "gradient")):
            low, high = content["ranges"][activation if kind == "outputs" else "gradient"]
            for shares, layer, color in zip(found[kind], content["shown"], (SKY, BLUE, PURPLE, BLACK), strict=True):
                width = (high - low) / len(shares)
                middles = low + width * (np.arange(len(shares)) + 0.5)
                axes[row, column].plot(middles, shares, color=color, lw=1.5, label=f"layer {layer}")
            axes[row, column].set(yscale="log", ylim=(1e-4, 1.2))
        axes[0, column].set(xlabel=f"output of {activation}", title=name)
        axes[1, column].set(xlabel="log10 of |gradient|")
    for ax in axes[:, 0]:
        ax.set_ylabel("share of all values")
    axes[0, 1].legend(fontsize=7, frameon=False, loc="upper center")
    return made


def framework(content: dict):
    """The two curves, and the optimizers' learning curves."""
    made = figure("The framework's training curve lies on PyTorch's", (8.4, 3.6))
    left, right = made.subplots(1, 2)
    losses = content["curves"]["losses"]
    left.plot(losses["PyTorch"], color=ORANGE, lw=3, label="PyTorch")
    left.plot(losses["ours"], color=BLUE, lw=1, label="NumPy, by hand")
    left.set(xlabel="step", ylabel="training loss, nats", yscale="log")
    left.set_title(f"largest difference {content['curves']['largest difference']:.0e}")
    left.legend(frameon=False)
    for (name, runs), color in zip(content["optimizers"].items(), (GREY, BLUE, PURPLE, GREEN), strict=True):
        curves = 100 * (1 - np.array([run["test_accuracy"] for run in runs]))
        epochs = range(1, curves.shape[1] + 1)
        right.fill_between(epochs, curves.min(0), curves.max(0), color=color, alpha=0.2, lw=0)
        right.plot(epochs, np.median(curves, 0), color=color, label=name)
    right.set(xlabel="epoch", ylabel="errors on unseen images, %", ylim=(0, min(20, curves.max() * 1.3 + 2)))
    right.set_title("each optimizer at its own learning rate")
    right.legend(frameon=False)
    return made


def laboratory(content: dict):
    """Main effects with their intervals."""
    rows = content["effects"]
    made = figure("Coloured differences are real after Holm's correction; grey ones may be chance", (7.6, 5.6))
    ax = made.subplots()
    for i, row in enumerate(rows):
        color = GREY if row["holm p"] >= 0.05 else GREEN if row["mean"] > 0 else VERMILION
        ax.plot([100 * row["low"], 100 * row["high"]], [i, i], color=color, lw=2)
        ax.plot(100 * row["mean"], i, "o", color=color, ms=6)
    ax.axvline(0, color=BLACK, lw=0.8)
    ax.set_yticks(range(len(rows)), [f"{r['factor']}: {r['value']} against {r['against']}" for r in rows], fontsize=8)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set_xlabel("points of accuracy on unseen digits (linear model)")
    return made


def smollm2(content: dict):
    """Costs on the left, gains by layer on the right."""
    made = figure("A real model forgives eps outside the root, not SiLU on the wrong branch", (9.2, 3.8))
    left, right = made.subplots(1, 2)
    costs = {name: loss - content["base"] for name, loss in content["costs"].items() if loss == loss}  # not NaN
    costs = dict(sorted(costs.items(), key=lambda item: item[1]))
    for i, cost in enumerate(costs.values()):
        left.barh(i, max(cost, 1e-5), color=VERMILION if cost > 1 else BLUE, height=0.6)
        label(left, max(cost, 1e-5), i, shown(cost), BLACK, fontsize=8)
    left.set_yticks(range(len(costs)), list(costs), fontsize=8)
    left.set(xscale="log", xlim=(1e-5, 300), xlabel="cost, nats a token")
    for name, color in (("input_layernorm", BLUE), ("post_attention_layernorm", GREEN)):
        bands = np.array(content["gains"][name])
        layers = range(len(bands))
        right.fill_between(layers, bands[:, 0], bands[:, 2], color=color, alpha=0.2, lw=0)
        right.plot(layers, bands[:, 1], color=color, label=name)
    right.set(xlabel="layer", ylabel="gain of RMSNorm, median and middle 90 %", yscale="log")
    right.legend(fontsize=8, frameon=False)
    return made
