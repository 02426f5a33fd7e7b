"""Figures, drawn from the results alone: one claim each."""

from pathlib import Path
from statistics import median

from .style import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION, figure, label, save

METHOD_COLORS = {
    "absmax": VERMILION,
    "zero-point": ORANGE,
    "row-wise": SKY,
    "vector-wise": BLUE,
    "LLM.int8": BLACK,
    "SmoothQuant, per tensor": PURPLE,
    "SmoothQuant, vector-wise": GREEN,
}
WEIGHT_COLORS = {"RTN": VERMILION, "GPTQ": BLUE, "AWQ": GREEN}


def draw(results: dict, folder: Path) -> list[Path]:
    """Every figure that the results allow."""
    made = {
        "headline": [("outliers", outliers), ("weights", weights)],
        "smollm2": [("smollm2", smollm2)],
        "lenet": [("lenet", lenet), ("histograms", histograms)],
        "compress": [("pruning", pruning), ("distillation", distillation)],
        "formats": [("formats", formats)],
        "qlora": [("qlora", qlora)],
    }
    return [
        save(draw_one(results[key]), folder / f"{name}.png")
        for key, figures in made.items()
        if key in results
        for name, draw_one in figures
    ]


def outliers(h: dict):
    """Loss against the outliers' size, by method."""
    made = figure("Outliers ruin one scale for all; LLM.int8 and vector-wise SmoothQuant do not notice them", (8, 4.4))
    ax = made.subplots()
    factors = [float(f) for f in h["injected"]]
    ends = {}
    for method, color in METHOD_COLORS.items():
        by_seed = [above(h["injected"][f][method], h["fp32"]) for f in h["injected"]]
        middle = [median(v) for v in by_seed]
        ax.vlines(factors, [min(v) for v in by_seed], [max(v) for v in by_seed], color=color, alpha=0.4, lw=2)
        ax.plot(factors, middle, "o-", color=color)
        ends[method] = middle[-1]
    for place, (method, _) in zip(spaced(list(ends.values())), ends.items(), strict=True):
        label(ax, factors[-1], place, method, METHOD_COLORS[method], fontsize=9)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xticks(factors, [f"× {f:g}" for f in factors])
    ax.minorticks_off()
    ax.set_xlim(0.8, 500)
    ax.set(xlabel="size of six injected channels", ylabel="loss above fp32, nats a byte")
    return made


def above(losses: list[float], base: list[float], least: float = 1e-5) -> list[float]:
    """What each loss is above fp32's of its seed; at least what a logarithmic axis can show."""
    return [max(loss - own, least) for loss, own in zip(losses, base, strict=True)]


def spaced(values: list[float], ratio: float = 1.45) -> list[float]:
    """Places on a logarithmic axis near the values and at least `ratio` apart, in the order of the values given."""
    order = sorted(range(len(values)), key=values.__getitem__)
    places, last = [0.0] * len(values), 0.0
    for i in order:
        last = max(values[i], last * ratio)
        places[i] = last
    return places


def weights(h: dict):
    """RTN and GPTQ by bits."""
    made = figure("GPTQ keeps at three bits what rounding to nearest keeps at four", (6.5, 3.8))
    ax = made.subplots()
    bits = [int(b) for b in h["weights"]]
    for name in ("RTN", "GPTQ"):
        values = [h["weights"][str(b)][name] for b in bits]
        ax.vlines(bits, [min(v) for v in values], [max(v) for v in values], color=WEIGHT_COLORS[name], alpha=0.4, lw=2)
        ax.plot(bits, [median(v) for v in values], "o-", color=WEIGHT_COLORS[name])
        label(ax, bits[-1], median(values[-1]), "rounding to nearest" if name == "RTN" else name, WEIGHT_COLORS[name])
    ax.axhline(median(h["fp32"]), color=GREY, ls="--")
    ax.text(1.05, median(h["fp32"]), "fp32", color=GREY, va="bottom", ha="right")
    ax.set_xticks(bits)
    ax.set_xlim(4.1, 1)
    ax.set(xlabel="bits a weight, one scale a channel", ylabel="loss, nats a byte")
    return made


def smollm2(r: dict):
    """Methods at the left, weights alone at the right."""
    made = figure("SmolLM2: one scale a tensor fails on its own outliers; a scale for each token saves it", (9.5, 4.2))
    left, right = made.subplots(1, 2, width_ratios=(3, 2))
    names = list(r["methods"])[::-1]
    values = [r["methods"][n] - r["fp32"] for n in names]
    left.barh(names, values, color=[METHOD_COLORS[n] for n in names])
    for y, value in enumerate(values):
        left.annotate(f"+{value:.3f}", (value, y), (4, 0), textcoords="offset points", va="center", fontsize=9)
    left.set(xlabel="loss above fp32, nats a token", title="weights and activations in 8 bits")
    left.set_xlim(0, max(values) * 1.2)
    offsets = {"RTN": -0.08, "GPTQ": 0.0, "AWQ": 0.08}
    for name in ("RTN", "GPTQ", "AWQ"):
        for group, style in (("None", "o:"), ("64", "o-")):
            points = [(int(b), r["weights"][b][name][group]) for b in r["weights"] if name in r["weights"][b]]
            x, y = zip(*[(b + offsets[name], v) for b, v in points], strict=True)
            right.plot(x, y, style, color=WEIGHT_COLORS[name], mfc="white" if group == "None" else WEIGHT_COLORS[name])
            if group == "64":
                right.plot([], [], "o-", color=WEIGHT_COLORS[name], label=name)
    right.plot([], [], "o:", color=GREY, mfc="white", label="one scale a channel")
    right.axhline(r["fp32"], color=GREY, ls="--")
    right.set_yscale("log")
    ticks = [3, 4, 6, 8, 10]
    right.set_yticks(ticks, [str(t) for t in ticks])
    right.minorticks_off()
    right.invert_xaxis()
    right.set_xticks([int(b) for b in r["weights"]])
    right.legend(frameon=False, fontsize=9)
    right.set(xlabel="bits a weight (filled: groups of 64)", ylabel="loss, nats a token", title="weights alone")
    return made


def lenet(n: dict):
    """Accuracy by bits and kind."""
    made = figure("LeNet-5: eight to four bits cost nothing; at two, training with the rounding helps most", (7.5, 4))
    ax = made.subplots()
    colors = [VERMILION, ORANGE, SKY, PURPLE, BLUE, GREEN]  # the last is torchao, where it is installed
    for color, (kind, by) in zip(colors, n["accuracy"].items(), strict=False):
        bits = [int(b) for b in by]
        ax.plot(bits, [100 * median(v) for v in by.values()], "o-", color=color, label=kind)
        ax.vlines(
            bits, [100 * min(v) for v in by.values()], [100 * max(v) for v in by.values()], color=color, alpha=0.4
        )
    ax.axhline(100 * median(n["fp32"]), color=GREY, ls="--")
    ax.text(8, 100 * median(n["fp32"]) + 0.5, "fp32", color=GREY, va="bottom")
    ax.invert_xaxis()
    ax.set_xticks([8, 4, 3, 2])
    ax.legend(frameon=False, loc="lower left")
    ax.set(xlabel="bits a weight; activations have eight", ylabel=f"accuracy on {n['data']}, %")
    return made


def histograms(n: dict):
    """What TensorBoard shows: weights above, inputs below."""
    made = figure(
        "Weights are bell-shaped around zero; inputs after a ReLU are not, and so need a zero point", (10, 4.2)
    )
    names = [name.split("/")[1] for name in n["histograms"] if name.startswith("weights")]
    axes = made.subplots(2, len(names))
    for row, kind in enumerate(("weights", "activations")):
        for ax, name in zip(axes[row], names, strict=True):
            low, high, counts = n["histograms"][f"{kind}/{name}"]
            width = (high - low) / len(counts)
            x = [low + (i + 0.5) * width for i in range(len(counts))]
            ax.bar(x, counts, width, color=BLUE if kind == "weights" else ORANGE)
            ax.set_title(name if kind == "weights" else f"input of {name}")
            ax.set_yscale("log")
            ax.tick_params(labelsize=7)
    axes[0][0].set_ylabel("count")
    axes[1][0].set_ylabel("count")
    return made


def pruning(c: dict):
    """Accuracy against sparsity, by way, and tickets."""
    made = figure("Nine weights of ten can go if training follows; a ticket needs its own first weights", (9.5, 4))
    left, right = made.subplots(1, 2, sharey=True)
    colors = [VERMILION, ORANGE, SKY, BLUE, GREEN]
    for color, (kind, by) in zip(colors, c["pruned"].items(), strict=True):
        curve(left, by, kind, color)
    for color, (kind, by) in zip((BLUE, VERMILION), c["lottery"].items(), strict=True):
        curve(right, by, kind, color)
    for ax, title in ((left, "pruned after training"), (right, "pruned, then trained from the first weights")):
        ax.axhline(100 * median(c["dense"]), color=GREY, ls="--")
        ax.set(xlabel="weights pruned, %", title=title)
        ax.legend(frameon=False, fontsize=8, loc="lower left")
    left.set_ylabel("accuracy on digits, % (dashed: dense)")
    return made


def curve(ax, by: dict, name: str, color: str) -> None:
    x = [100 * float(s) for s in by]
    ax.plot(x, [100 * median(v) for v in by.values()], "o-", color=color, label=name)
    ax.vlines(x, [100 * min(v) for v in by.values()], [100 * max(v) for v in by.values()], color=color, alpha=0.4)


def distillation(c: dict):
    """Students by temperature."""
    made = figure("A teacher helps a student of 150 images by less than the seeds differ", (6.5, 3.4))
    ax = made.subplots()
    names = list(c["distilled"])
    for x, name in enumerate(names):
        values = [100 * v for v in c["distilled"][name]]
        color = VERMILION if name == "labels alone" else BLUE
        ax.vlines(x, min(values), max(values), color=color, alpha=0.4, lw=3)
        ax.plot([x] * len(values), values, "o", color=color, alpha=0.5)
        ax.plot(x, median(values), "_", color=color, ms=22, mew=2)
    ax.set_xticks(range(len(names)), names)
    ax.set(ylabel="accuracy on digits, %")
    return made


def formats(f: dict):
    """Errors of the ways, on a normal and beside outliers."""
    made = figure("Beside outliers, integer scales lose the ordinary numbers; floating-point formats do not", (8, 4.2))
    ax = made.subplots()
    names = list(f["error"])[::-1]
    for y, name in enumerate(names):
        normal, beside = (100 * median(v) for v in (f["error"][name]["normal"], f["ordinary"][name]))
        ax.plot([normal, beside], [y, y], color=GREY, lw=1)
        ax.plot(normal, y, "o", color=BLUE, label="normal" if y == 0 else None)
        ax.plot(beside, y, "o", color=VERMILION, label="the ordinary numbers beside 1 % outliers" if y == 0 else None)
    ax.set_yticks(range(len(names)), names)
    ax.set_xscale("log")
    ax.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2, fontsize=9)
    ax.set(xlabel="root mean square error, % of the numbers' own")
    return made


def qlora(q: dict):
    """Loss of the four models on both texts."""
    made = figure("Four bits cost both about the same; only the adapters learn the task", (7, 3.6))
    ax = made.subplots()
    for y, m in enumerate(reversed(q["models"].values())):
        ax.plot([m["instructions"], m["text"]], [y, y], color=GREY, lw=1)
        ax.plot(m["text"], y, "o", color=BLUE, label="prose" if y == 0 else None)
        ax.plot(m["instructions"], y, "o", color=ORANGE, label="instructions" if y == 0 else None)
    ax.set_yticks(range(len(q["models"])), list(q["models"])[::-1])
    ax.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=2)
    ax.set(xlabel="loss, nats a token")
    return made
