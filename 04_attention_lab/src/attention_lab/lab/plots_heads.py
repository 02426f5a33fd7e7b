"""Figures of attention patterns and of heads that are removed."""

from statistics import median

import numpy as np

from .packing import unpacked
from .style import BLACK, BLUE, GREY, PURPLE, VERMILION, figure, label


def heatmaps(content: dict):
    """Every head of the small model on one sentence."""
    weights, letters = content["weights"], content["characters"]
    fig = figure(
        "Heads of the first layer look at the letters just before; those of the second look further back", (9, 5)
    )
    axes = fig.subplots(len(weights), len(weights[0]))
    for layer, row in enumerate(weights):
        for head, texts in enumerate(row):
            rows = unpacked(texts, len(letters))
            ax = axes[layer][head]
            ax.imshow(np.sqrt(rows), cmap="Blues", vmin=0, vmax=1)
            previous = content["previous"][layer][head]
            ax.set_title(f"{layer}.{head}: {previous:.2f} on the letter before", fontdict={"fontsize": 8}, loc="left")
            ax.set(xticks=range(0, len(letters), 2), yticks=range(0, len(letters), 2))
            ax.set_xticklabels(letters[::2], fontsize=4)
            ax.set_yticklabels(letters[::2], fontsize=4)
            ax.tick_params(length=0)
    return fig


def draw_arcs(ax, tokens: list[str], rows: list, least: float, color: str) -> None:
    """An arc from each token to those that it looks at, as strong as the weight."""
    for t, row in enumerate(rows):
        for s, weight in enumerate(row[:t]):
            if weight >= least:
                angle = np.linspace(0, np.pi, 60)
                x, height = (s + t) / 2 - np.cos(angle) * (t - s) / 2, np.sin(angle) * (t - s) / 2
                ax.plot(x, height, color=color, alpha=min(1, float(weight)), lw=1.3)
    ax.set(xlim=(-1, len(tokens)), ylim=(0, None), xticks=range(len(tokens)), yticks=[])
    ax.set_xticklabels(tokens, fontsize=7)
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)


def arcs(content: dict):
    """The head that looks most at the letter before, and the one of the last layer that looks least there."""
    previous = np.array(content["previous"])
    first = divmod(int(previous.argmax()), previous.shape[1])
    last = (len(previous) - 1, int(previous[-1].argmin()))
    fig = figure(
        f"Head {first[0]}.{first[1]} looks one letter back; head {last[0]}.{last[1]} reaches many letters back",
        (9, 4.4),
    )
    for ax, (layer, head), least in zip(
        fig.subplots(2, 1, height_ratios=(1, 3)), (first, last), (0.15, 0.15), strict=True
    ):
        rows = unpacked(content["weights"][layer][head], len(content["characters"]))
        draw_arcs(ax, content["characters"], rows, least, BLUE)
        ax.set_title(f"head {layer}.{head}, weights of 0.15 and more")
    return fig


def removed(content: dict):
    """The loss without each head, and without a whole layer."""
    whole = content["loss"]
    rows = {**content["removed"], **{f"layer {k}": v for k, v in content["layers"].items()}}
    more = {name: [a - b for a, b in zip(v, whole, strict=True)] for name, v in rows.items()}
    fig = figure("A layer is worth more than its heads one by one: they stand in for each other", (7, 3.4))
    ax = fig.subplots()
    for x, (name, values) in enumerate(more.items()):
        color = VERMILION if name.startswith("layer") else BLUE
        ax.bar(x, median(values), color=color, width=0.6)
        ax.plot([x] * len(values), values, "o", color=BLACK, ms=3)
    ax.set(ylabel="more loss than with all heads, nats", xticks=range(len(more)))
    ax.set_xticklabels([name.replace("layer ", "layer\n") for name in more])
    ax.set_xlabel("removed (layer.head; dots are seeds)")
    return fig


def induction(content: dict):
    """The loss on the second copy against the number of heads removed."""
    fig = figure("Four of SmolLM2's 270 heads do most of its copying", (7, 3.6))
    ax = fig.subplots()
    counts = [0, *map(int, content["removed"])]
    for key, color, name in (
        ("removed", VERMILION, "the best copying heads"),
        ("random", BLUE, "as many random heads"),
    ):
        runs = [[x[1] for x in content["loss"]], *([x[1] for x in content[key][str(n)]] for n in counts[1:])]
        ax.fill_between(counts, [min(r) for r in runs], [max(r) for r in runs], color=color, alpha=0.2, lw=0)
        ax.plot(counts, [median(r) for r in runs], "o-", color=color)
        label(ax, counts[-1], median(runs[-1]), name, color)
    first = median(x[0] for x in content["loss"])
    ax.axhline(first, color=GREY, ls="--")
    ax.text(0, first + 0.2, "first copy: nothing to look back to", color=GREY)
    ax.set(
        xlabel="heads removed",
        ylabel="loss on the second copy, nats",
        ylim=(0, first + 1.5),
        xlim=(-0.2, 6.2),
        xticks=counts,
    )
    return fig


def heads_map(content: dict):
    """Every head's score."""
    (first, _), (second, _) = content["best"]["previous"][0], content["best"]["induction"][0]
    claim = f"The best previous-token head (layer {first}) stands before the best induction head (layer {second})"
    fig = figure(claim, (9, 3.2))
    titles = {"previous": "looks at the token before", "induction": "looks at what followed last time",
              "first": "looks at the first token"}  # fmt: skip
    for ax, (name, title) in zip(fig.subplots(1, 3), titles.items(), strict=True):
        image = ax.imshow(
            np.array(unpacked(content["scores"][name], content["heads"][1])).T,
            cmap="Blues",
            vmin=0,
            vmax=1,
            aspect="auto",
            origin="lower",
        )
        ax.set(xlabel="layer", ylabel="head")
        ax.set_title(title, fontdict={"fontsize": 8.5}, loc="left")
    fig.colorbar(image, ax=fig.axes, shrink=0.8, label="mean weight")
    return fig


def gallery(content: dict):
    """The best heads of each kind on a text in which names come back."""
    found = content["gallery"]
    maps, tokens = found["weights"], found["tokens"]
    fig = figure("In a real text: the induction heads find what followed the name last time", (9, 9))
    axes = fig.subplots(3, 3).flatten()
    for ax, (name, rows) in zip(axes, maps.items(), strict=False):
        ax.imshow(unpacked(rows, len(tokens)), cmap="Blues", vmin=0, vmax=1)
        ax.set_title(name, fontdict={"fontsize": 9, "color": PURPLE if "induction" in name else BLACK}, loc="left")
        ax.set(xticks=range(len(tokens)), yticks=range(len(tokens)))
        ax.set_xticklabels(tokens, fontsize=5, rotation=90)
        ax.set_yticklabels(tokens, fontsize=5)
        ax.tick_params(length=0)
    return fig
