"""Figures, drawn from the results alone: one claim each."""

from pathlib import Path
from statistics import median

from ..attention_masks import attention_masks
from .experiment import FEWER, UNTRAINED
from .style import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION, figure, label, save
from .tables import WORDS

COLORS = {"causal": BLUE, "prefix": SKY, "middle": PURPLE, "spans": ORANGE, "masked": VERMILION}
COLORS |= {FEWER: GREY, UNTRAINED: BLACK}


def draw(results: dict, folder: Path) -> list[Path]:
    """Every figure that the results allow."""
    paths = []
    if "headline" in results:
        paths.append(save(arena(results["headline"]), folder / "arena.png"))
        paths.append(save(ladder(results["headline"]["ladder"]), folder / "ladder.png"))
        paths.append(save(masks(), folder / "masks.png"))
    return paths


def arena(content: dict):
    """Three scores of each objective, with every seed."""
    made = figure(
        "At equal compute the writer is ahead in all three; with as few labels it is where the reader is", (9, 3.6)
    )
    panels = (
        ("next", "loss of the next token, nats", 1),
        ("infill", "hidden characters guessed, %", 100),
        ("probe", "length of the word read off, %", 100),
    )
    names = list(content["scores"])[::-1]
    for i, (ax, (key, words, factor)) in enumerate(zip(made.subplots(1, 3, sharey=True), panels, strict=True)):
        for y, name in enumerate(names):
            values = [factor * v for v in content["scores"][name][key]]
            ax.plot([min(values), max(values)], [y, y], color=COLORS[name], lw=2, alpha=0.5)
            ax.plot(values, [y] * len(values), "o", ms=4, color=COLORS[name])
            ax.annotate(f"{median(values):.{2 if factor == 1 else 0}f}", (median(values), y), (0, 6),
                        textcoords="offset points", ha="center", fontsize=8, color=COLORS[name])  # fmt: skip
        ax.set(xlabel=words, ylim=(-0.5, len(names) - 0.3))
        ax.grid(axis="x", color="#EEEEEE")
        if i == 0:
            ax.set_yticks(range(len(names)), [WORDS[name].replace(", as", ",\nas") for name in names])
    return made


def ladder(content: dict):
    """Training loss against steps, one band for each bug."""
    made = figure("The training loss alone tells which bug it is", (7, 4))
    ax, every = made.subplots(), content["every"]
    colors = {
        "labels shifted twice": PURPLE,
        "right": GREEN,
        "bidirectional mask": ORANGE,
        "labels not shifted": VERMILION,
    }
    for name, runs in content["curves"].items():
        steps = [every * (i + 1) for i in range(len(runs[0]))]
        columns = list(zip(*runs, strict=True))
        ax.fill_between(
            steps, [min(c) for c in columns], [max(c) for c in columns], color=colors[name], alpha=0.25, lw=0
        )
        ax.plot(steps, [median(c) for c in columns], color=colors[name])
        up = {"labels shifted twice": 1.15, "right": 0.9}.get(name, 1.0)
        label(ax, steps[-1], median(columns[-1]) * up, name, colors[name])
    ax.set_yscale("log")
    ax.set(xlabel="steps", ylabel="training loss, nats", xlim=(0, content["steps"] * 1.35))
    ax.set_xticks([content["steps"] * i // 4 for i in range(5)])
    return made


def masks():
    """The three masks: which key a query may look at."""
    T, prefix = 8, 3
    made = figure("One network, three masks: writer, reader, and both", (7.5, 3.3))
    titles = {
        "causal": "causal: writes",
        "masked": "masked: reads",
        "prefix": f"prefix of {prefix}: reads, then writes",
    }
    drawn = attention_masks(T, prefix)
    for ax, name in zip(made.subplots(1, 3), titles, strict=True):
        ax.imshow(drawn[name].int().numpy(), cmap="Blues", vmin=0, vmax=1.6)
        ax.set_xticks([t - 0.5 for t in range(T + 1)], [], minor=True)
        ax.set_yticks([t - 0.5 for t in range(T + 1)], [], minor=True)
        ax.grid(which="minor", color="white", lw=1.5)
        ax.tick_params(which="both", length=0)
        ax.set_xticks([0, T - 1], [1, T])
        ax.set_yticks([0, T - 1], [1, T])
        ax.set(xlabel="key", title=titles[name])
        if name == "causal":
            ax.set_ylabel("query")
        for side in ax.spines.values():
            side.set_visible(False)
    return made
