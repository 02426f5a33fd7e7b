"""Figures of the experiments on depth: every curve of the headline, what arrives at each block, and the graph."""

from statistics import mean, median

from . import autograd
from .style import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION, figure

COLORS = {"Pre-LN": BLUE, "Post-LN": VERMILION, "Post-LN, warm-up": ORANGE, "DeepNorm": GREEN, "ReZero": PURPLE,
          "LayerScale": SKY}  # fmt: skip


def band(ax, x, rows, color, **kwargs):
    """Medians with their range."""
    ax.fill_between(x, [min(r) for r in rows], [max(r) for r in rows], color=color, alpha=0.2, lw=0)
    ax.plot(x, [median(r) for r in rows], color=color, **kwargs)


def curves(content: dict):
    """Every run of the training at three depths."""
    train = content["training"]
    made = figure("The deeper the stack, the fewer Post-LN runs leave the loss of counting characters", (10.5, 3.5))
    panels = made.subplots(1, len(train["depths"]), sharey=True)
    for ax, depth, i in zip(panels, train["depths"], range(len(panels)), strict=True):
        for name, run in train["runs"].items():
            for curve in run["curves"][i]:
                smooth = [mean(curve[max(0, t - 4) : t + 5]) for t in range(len(curve))]
                ax.plot(range(1, len(smooth) + 1), smooth, color=COLORS[name], lw=1.2)
        ax.axhline(train["unigram"], color=GREY, ls="--", lw=1)
        ax.set(xlabel="step", ylim=(None, 4.2))
        ax.set_title(f"{depth} blocks")
    panels[0].set_ylabel("training loss, nats")
    for place, name in zip((0.92, 0.82), train["runs"], strict=True):
        panels[0].text(0.95, place, name, transform=panels[0].transAxes, color=COLORS[name], ha="right")
    return made


def signal(content: dict):
    """The gradient at each block before and after training, and the losses of six kinds, each seed a line or a dot."""
    claim = "Before training every kind gets its gradient to the first block; a Post-LN stack that is stuck has lost it"
    made = figure(claim, (10.5, 3.9))
    grid = made.add_gridspec(1, 3)
    left = made.add_subplot(grid[0])
    middle, right = made.add_subplot(grid[1], sharey=left), made.add_subplot(grid[2])
    blocks = range(1, content["layers"] + 1)
    for ax, when in ((left, "before"), (middle, "after")):
        for name, kind in content["kinds"].items():
            for one in kind[when]:
                gradient = one["stream gradient"]
                ax.plot(blocks, [g / gradient[-1] for g in gradient], color=COLORS[name], lw=1.2)
        ax.set(yscale="log", xlabel="block")
        ax.set_xticks(blocks[::3], [str(block) for block in blocks[::3]])
        ax.set_title(f"{when} training")
    left.set_ylabel("gradient of the stream, last block = 1")
    for row, (name, kind) in enumerate(content["kinds"].items()):
        right.plot(kind["unseen"], [row] * len(kind["unseen"]), "o", color=COLORS[name], alpha=0.8, mew=0)
    right.axvline(content["unigram"], color=GREY, ls="--", lw=1)
    right.text(content["unigram"] - 0.02, 5, "counting characters", color=GREY, fontsize=8, ha="right")
    right.set_yticks(range(len(content["kinds"])), list(content["kinds"]))
    for tick, name in zip(right.get_yticklabels(), content["kinds"], strict=True):
        tick.set_color(COLORS[name])
    right.set(xlabel="loss on unseen text, nats", ylim=(-0.5, None))
    right.invert_yaxis()
    right.set_title(f"after {content['steps']} steps")
    return made


def graph(content: dict):
    """The operations of a block, with the stream as a straight line."""
    made = figure("In Pre-LN two additions lie between output and input; Post-LN puts two norms there", (10.5, 5.2))
    for ax, (name, block) in zip(made.subplots(2, 1), content["blocks"].items(), strict=True):
        picture = block["picture"]
        places, stream = autograd.positions(picture), autograd.stream_of(picture)
        for start, end in picture["edges"]:
            on_stream = start in stream and end in stream and stream.index(end) == stream.index(start) + 1
            style = {"color": COLORS[name], "lw": 3} if on_stream else {"color": GREY, "lw": 1}
            ax.annotate(
                "", places[end], places[start], zorder=1, arrowprops={"arrowstyle": "-|>", "shrinkB": 17, **style}
            )
        for i, (words, place) in enumerate(zip(picture["nodes"], places, strict=True)):
            edge = COLORS[name] if i in stream else GREY
            box = {"boxstyle": "round,pad=0.3", "fc": "white", "ec": edge, "lw": 2 if i in stream else 1}
            ax.text(*place, words, ha="center", va="center", fontsize=8, color=BLACK, bbox=box, zorder=2)
        ax.set(xlim=(-0.6, max(x for x, _ in places) + 0.6), ylim=(-0.6, max(y for _, y in places) + 0.5))
        ax.set_axis_off()
        way = ", ".join(autograd.WORDS.get(step, step.lower()) for step in block["path"])
        ax.set_title(f"{name}, from output to input: {way}")
    return made
