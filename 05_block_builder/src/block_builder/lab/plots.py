"""Figures, drawn from the results alone: one claim each."""

from pathlib import Path
from statistics import median

from . import autograd
from .plots_of_depth import COLORS, band, curves, graph, signal
from .style import BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILION, figure, label, save
from .tables import image_set, speed


def draw(results: dict, folder: Path) -> list[Path]:
    """Every figure that the results allow."""
    makers = {"headline": headline, "bench": bench, "break_it": break_it, "architectures": architectures,
              "convolutions": convolutions, "convolutions_mnist": convolutions, "stream": stream, "signal": signal,
              "graph": graph}  # fmt: skip
    paths = [save(make(results[name]), folder / f"{name}.png") for name, make in makers.items() if name in results]
    if "headline" in results:
        paths.append(save(curves(results["headline"]), folder / "curves.png"))
    if "graph" in results:
        paths.append(autograd.write_dot(folder))
    return paths


def headline(content: dict):
    """Gradients against depth, losses by depth, accuracy of networks of convolutions."""
    made = figure("Where the norm stands decides whether a deep stack learns", (10.5, 3.7))
    left, middle, right = made.subplots(1, 3)
    init = content["initialization"]
    depths = init["depths"]
    for name in ("Pre-LN", "Post-LN"):
        rows = init[f"{name}, normal"]["gradients"]
        band(left, depths, rows, COLORS[name], marker="o", ms=3)
        start, slope = median(rows[0]), -0.5 if name == "Pre-LN" else 0.0
        left.plot(depths, [start * (d / depths[0]) ** slope for d in depths], color=GREY, ls="--", lw=1)
        measured = median(init[f"{name}, normal"]["slopes"])
        left.text(depths[1], median(rows[1]) * 1.12, f"{name}, slope {measured:.2f}", color=COLORS[name])
    left.set(xscale="log", yscale="log", xlabel="blocks", ylabel="gradient norm of the last fc_out")
    left.set_xticks(depths, [str(d) for d in depths])
    left.minorticks_off()
    left.set_title("at initialization (dashed: theory)")
    train = content["training"]
    for shift, (name, run) in zip((-0.12, 0.12), train["runs"].items(), strict=True):
        places = [i + shift for i in range(len(train["depths"]))]
        for x, losses in zip(places, run["unseen"], strict=True):
            middle.plot([x] * len(losses), losses, "o", ms=5, color=COLORS[name], alpha=0.8, mew=0)
        middle.plot(places, [median(losses) for losses in run["unseen"]], color=COLORS[name], lw=1)
        label(middle, places[-1] + 0.02, median(run["unseen"][-1]), name, COLORS[name])
    middle.axhline(train["unigram"], color=GREY, ls="--", lw=1)
    middle.text(-0.35, train["unigram"] + 0.02, "counting characters", color=GREY, fontsize=8)
    middle.set_xticks(range(len(train["depths"])), [str(depth) for depth in train["depths"]])
    middle.set(xlabel="blocks", ylabel="loss on unseen text, nats", xlim=(-0.4, len(train["depths"]) - 0.2))
    middle.set_title(f"after {train['steps']} steps, each seed a dot")
    conv = content["convolution"]
    for kind, color in (("residual", BLUE), ("plain", VERMILION)):
        band(right, conv["depths"], conv[kind]["accuracy"], color, marker="o", ms=3)
        place = conv["depths"][-1], median(conv[kind]["accuracy"][-1])
        right.annotate(
            kind,
            place,
            (-4, 8 if kind == "residual" else 16),
            textcoords="offset points",
            color=color,
            ha="right",
            fontweight="bold",
        )
    right.axhline(0.1, color=GREY, ls="--", lw=1)
    right.text(conv["depths"][-1], 0.11, "guessing", color=GREY, ha="right", fontsize=8)
    right.set(xlabel="convolutions", ylabel="accuracy on digits", ylim=(0, 1))
    right.set_title(f"convolutions, {conv['epochs']} epochs")
    return made


def bench(content: dict):
    """How many times faster than each peer."""
    made = figure("The fast block keeps up with PyTorch's and passes GPT-2's eager one", (6.4, 3.6))
    ax = made.subplots()
    ratios = speed(content)
    lengths = [int(T) for T in ratios]
    for peer, color in zip(next(iter(ratios.values())), (BLUE, ORANGE), strict=True):
        values = [row[peer] for row in ratios.values()]
        ax.plot(lengths, values, "o-", color=color)
        label(ax, lengths[-1], values[-1], peer.removeprefix("nn."), color)
    ax.axhline(1, color=GREY, ls="--")
    ax.set(xscale="log", xlabel="tokens", ylabel="times the peer's speed", ylim=(0, None))
    ax.set_xticks(lengths, [str(T) for T in lengths])
    ax.minorticks_off()
    return made


def break_it(content: dict):
    """The losses of those experiments that train, each seed a dot."""
    outcomes = content["outcomes"]
    made = figure("Expansion 1 hardly matters to a small model; every other break raises its loss", (7.4, 3.6))
    ax = made.subplots()
    pairs = [("no residual", "with", "without"), ("no final norm", "with", "without"),
             ("post-ln at 24 layers", "Pre-LN", "Post-LN"), ("expansion 1", "loss, 4", "loss, 1"),
             ("dropout 0.9 on the stream", "branches", "stream")]  # fmt: skip
    pairs = [p for p in pairs if p[0] in outcomes]
    for row, (name, right, broken) in enumerate(pairs):
        for key, color, y in ((right, BLUE, row + 0.1), (broken, VERMILION, row - 0.1)):
            losses = outcomes[name][key]
            ax.plot(losses, [y] * len(losses), "o", color=color, alpha=0.8, mew=0)
            ax.plot([min(losses), max(losses)], [y, y], color=color, lw=1)
    unigram = next((o["unigram"][0] for o in outcomes.values() if "unigram" in o), None)
    if unigram:
        ax.axvline(unigram, color=GREY, ls="--", lw=1)
        ax.text(unigram, len(pairs) - 0.35, " counting characters", color=GREY, fontsize=8)
    ax.set_yticks(range(len(pairs)), [name for name, *_ in pairs])
    ax.set(xlabel="loss after 100 steps, nats (blue: right, red: broken; each seed a dot)", ylim=(-0.5, len(pairs)))
    return made


def architectures(content: dict):
    """One attention pattern of each architecture."""
    made = figure(
        "A decoder looks back, an encoder finds the word that decides, cross-attention the next word to write",
        (10.5, 3.9),
    )
    for ax, (name, pattern) in zip(made.subplots(1, 3), content["patterns"].items(), strict=True):
        asks, asked = pattern["words"]
        ax.imshow(pattern["weights"], cmap="Blues", vmin=0, aspect="auto")
        ax.set_xticks(range(len(asked)), asked, rotation=90, fontsize=7)
        ax.set_yticks(range(len(asks)), asks, fontsize=7)
        ax.set_title(f"{name}: row looks at column")
    return made


def convolutions(content: dict):
    """Curves of the four networks, the first layer's filters, and their maps of one image."""
    made = figure(
        f"Under equal conditions, the two networks with batch norm learn {image_set(content)} fastest", (10.5, 4.2)
    )
    grid = made.add_gridspec(3, 12)
    ax = made.add_subplot(grid[:, :5])
    for (name, net), color in zip(content["nets"].items(), (GREY, ORANGE, GREEN, BLUE), strict=True):
        rows = list(zip(*net["curves"], strict=True))
        band(ax, range(1, len(rows) + 1), rows, color, marker="o", ms=3, label=name)
    ax.set(yscale="log", xlabel="epoch", ylabel="training loss, nats", xticks=range(1, len(rows) + 1))
    ax.legend(frameon=False, fontsize=8)
    for i, kernel in enumerate(content["filters"]):
        for row, pixels, cmap in ((0, kernel, "PuOr"), (1, content["maps"][i], "PuOr")):
            ax = made.add_subplot(grid[row, 6 + i])
            ax.imshow(pixels, cmap=cmap)
            ax.set(xticks=[], yticks=[])
            if i == 0:
                ax.set_title(("filters", "feature maps")[row])
    ax = made.add_subplot(grid[2, 6])
    ax.imshow(content["image"], cmap="gray_r")
    ax.set(xticks=[], yticks=[])
    ax.set_title("image")
    return made


def stream(content: dict):
    """Norms, early predictions, and the price of each block."""
    made = figure("A real model's stream grows, and most single blocks can be missed", (10.5, 3.7))
    left, middle, right = made.subplots(1, 3)
    layers = range(len(content["first token"]))
    for name, color in (("first token", VERMILION), ("other tokens", BLUE)):
        left.plot(layers, content[name], color=color)
        left.text(14, content[name][14] * (0.5 if name == "other tokens" else 1.3), name, color=color)
    left.set(yscale="log", xlabel="blocks passed", ylabel="norm of the stream")
    left.set_title("the stream's size")
    middle.plot(layers, content["early loss"], color=PURPLE)
    middle.axhline(content["loss"], color=GREY, ls="--", lw=1)
    middle.set(xlabel="blocks passed", ylabel="loss if the head reads here, nats")
    middle.set_title("early predictions")
    right.plot(content["without"], "o-", ms=3, color=VERMILION, label="without this block")
    right.plot(content["swapped"], "o-", ms=3, color=BLUE, label="exchanged with the next")
    right.axhline(content["loss"], color=GREY, ls="--", lw=1)
    right.set(xlabel="block", ylabel="loss, nats", yscale="log")
    right.legend(frameon=False, fontsize=8)
    right.set_title("the price of a block")
    return made
