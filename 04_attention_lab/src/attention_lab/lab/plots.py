"""Figures, drawn from the results alone: one claim each."""

from pathlib import Path
from statistics import median

from .packing import unpacked
from .plots_heads import arcs, gallery, heads_map, heatmaps, induction, removed
from .scaling import expected_trace
from .style import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION, figure, label, save

COLOURS = {"none": VERMILION, "additive": BLUE, "multiplicative": GREEN}
KINDS = {"rnn": VERMILION, "lstm": BLUE, "gru": GREEN, "attention-lstm": PURPLE, "transformer": ORANGE}


def draw(results: dict, folder: Path) -> list[Path]:
    """Every figure that the results allow."""
    made = {}
    if "headline" in results:
        content = results["headline"]
        made |= {"headline": bottleneck(content["bottleneck"]), "scaling": scaling(content["scaling"])}
        made |= {"alignment": alignment(content["bottleneck"]), "patterns": heatmaps(content["patterns"])}
        made |= {"arcs": arcs(content["patterns"]), "removed": removed(content["patterns"])}
    if "bench" in results:
        made["bench"] = bench(results["bench"])
    if "road" in results:
        made |= {"road": road(results["road"]), "vanishing": vanishing(results["road"])}
    if "induction" in results:
        content = results["induction"]
        made |= {"induction": induction(content), "heads": heads_map(content), "gallery": gallery(content)}
    if "break_it" in results:
        made["break_it"] = two_places(results["break_it"])
    return [save(fig, folder / f"{name}.png") for name, fig in made.items()]


def band(ax, xs, runs, color, name, **kwargs):
    """The median of some runs, and their range."""
    columns = list(zip(*runs, strict=True))
    ax.fill_between(xs, [min(c) for c in columns], [max(c) for c in columns], color=color, alpha=0.2, lw=0)
    ax.plot(xs, [median(c) for c in columns], color=color, **kwargs)
    if name:
        label(ax, xs[-1], median(columns[-1]), name, color)


def bottleneck(content: dict):
    fig = figure("One state forgets long sequences; attention looks them up", (8, 3.6))
    axes = fig.subplots(1, 2, sharey=True)
    for ax, task in zip(axes, ("copy", "reverse"), strict=True):
        for name, tasks in content["accuracy"].items():
            runs = [[100 * x for x in run] for run in tasks[task]]
            band(ax, content["lengths"], runs, COLOURS[name], "", marker="o", ms=3)
        ax.axhline(100 / 16, color=GREY, ls="--")
        ax.text(content["lengths"][0], 100 / 16 + 1.5, "guessing", color=GREY)
        ax.axvline(content["longest"], color=GREY, lw=0.8)
        ax.text(content["longest"] + 0.2, 103, "longest in training", color=GREY, fontsize=8)
        ax.set(xlabel="length", ylim=(0, 108), title=task, xticks=content["lengths"])
    axes[0].set_ylabel("tokens right, %")
    for name, color, y in (
        ("no attention", VERMILION, 40),
        ("additive attention", BLUE, 31),
        ("multiplicative", GREEN, 22),
    ):
        axes[0].text(2, y, name, color=color, fontweight="bold")
    return fig


def alignment(content: dict):
    fig = figure("Attention finds the letter to be written: along the diagonal, or against it", (7, 3.6))
    for ax, task in zip(fig.subplots(1, 2), ("copy", "reverse"), strict=True):
        rows = unpacked(content["weights"][task], len(content["weights"][task]) + 1)
        ax.imshow(rows, cmap="Blues", vmin=0, vmax=1)
        ticks = range(len(rows[0]))
        ax.set(title=task, xlabel="source position", ylabel="written letter", xticks=ticks)
        ax.set_xticklabels(["task", *map(str, list(ticks)[1:])])
    return fig


def scaling(content: dict):
    fig = figure("Without 1/√d the softmax saturates, and its gradient is gone", (8, 3.4))
    widths = [int(w) for w in content]
    left, right = fig.subplots(1, 2)
    for name, color in (("plain", VERMILION), ("scaled", BLUE)):
        band(
            left,
            widths,
            list(zip(*(content[str(w)][name]["variance"] for w in widths), strict=True)),
            color,
            "",
            marker="o",
        )
        band(
            right,
            widths,
            list(zip(*(content[str(w)][name]["trace"] for w in widths), strict=True)),
            color,
            "",
            marker="o",
        )
    left.plot(widths, widths, color=GREY, ls="--")
    left.plot(widths, [1] * len(widths), color=GREY, ls="--")
    left.text(5, 90, "theory: d, and 1", color=GREY)
    right.axhline(expected_trace(1.0), color=GREY, ls="--")
    right.text(4, 0.89, "theory: 1 − e/64", color=GREY)
    right.text(100, 0.45, "not scaled", color=VERMILION, fontweight="bold")
    right.text(300, 0.8, "scaled", color=BLUE, fontweight="bold")
    left.set(xscale="log", yscale="log", xlabel="width d", title="variance of the scores")
    right.set(xscale="log", xlabel="width d", ylim=(0, 1.05), title="trace of the softmax's Jacobian")
    return fig


def bench(content: dict):
    fig = figure("The plain form's memory grows with T², every tiled form's with T", (8, 3.6))
    left, right = fig.subplots(1, 2)
    colours = {"plain": VERMILION, "flash_attention": SKY, "blocked_attention": BLUE, "SDPA": BLACK}
    lengths = [int(T) for T in content["memory"]]
    for name, color in colours.items():
        left.plot(lengths, [content["memory"][str(T)][name] for T in lengths], "o-", color=color)
        right.plot(lengths, [median(content["forward"][str(T)][name]) for T in lengths], "o-", color=color)
    for ax, title in ((left, "peak memory of the forward pass, MiB"), (right, "forward pass, CPU ms")):
        ax.set(xscale="log", yscale="log", xlabel="T", title=title, xticks=lengths)
        ax.set_xticklabels(lengths)
        ax.minorticks_off()
    for i, (name, color) in enumerate(colours.items()):
        left.text(0.03, 0.95 - 0.08 * i, name, color=color, fontweight="bold", transform=left.transAxes, va="top")
    return fig


def road(content: dict):
    models = content["models"]
    order = sorted(models, key=lambda kind: median(models[kind]["perplexity"]))
    best, worst = order[0], order[-1]
    claim = f"With equal parameters and steps, {best} predicts best and {worst} worst"
    fig = figure(claim, (7, 2.9))
    ax = fig.subplots()
    for y, kind in enumerate(order[::-1]):
        values = models[kind]["perplexity"]
        ax.plot([min(values), max(values)], [y, y], color=KINDS[kind], lw=6, alpha=0.3, solid_capstyle="round")
        ax.plot(values, [y] * len(values), "o", color=KINDS[kind])
        ax.annotate(f"{median(values):.2f}", (median(values), y), (0, 8), textcoords="offset points", ha="center",
                    color=KINDS[kind], fontweight="bold")  # fmt: skip
    ax.set(
        xlabel="validation perplexity per character (each dot a seed)",
        yticks=range(len(order)),
        ylim=(-0.5, len(order) - 0.3),
    )
    ax.set_yticklabels(order[::-1])
    return fig


def vanishing(content: dict):
    fig = figure("An RNN's gradient vanishes; a forget bias of 1 carries an LSTM's much further", (7, 3.6))
    ax = fig.subplots()
    colours = {"rnn": VERMILION, "lstm": SKY, "lstm, forget bias 1": BLUE, "gru": GREEN}
    for name, runs in content["vanishing"].items():
        band(ax, range(len(runs[0])), runs, colours[name], "")
        up = {"lstm": 3.0, "gru": 0.3}.get(name, 1.0)  # so that the labels of these two do not touch
        label(ax, len(runs[0]) - 1, up * median(run[-1] for run in runs), name, colours[name])
    ax.set(yscale="log", xlabel="steps back", ylabel="gradient at the input, relative", xlim=(0, 62))
    return fig


def two_places(content: dict):
    fig = figure("One head cannot tell two places apart; eight can, with the same parameters", (6, 2.4))
    ax = fig.subplots()
    for y, (heads, color) in enumerate((("8", BLUE), ("1", VERMILION))):
        values = [100 * v for v in content["two places"][heads]]
        ax.barh(y, median(values), color=color, height=0.5)
        ax.plot(values, [y] * len(values), "o", color=BLACK, ms=3)
        ax.text(2, y, f"{heads} head{'s' if heads == '8' else ''}", color="white", va="center", fontweight="bold")
    ax.set(xlabel="the token before, and the one before that: named right, %", yticks=[], xlim=(0, 103))
    return fig
