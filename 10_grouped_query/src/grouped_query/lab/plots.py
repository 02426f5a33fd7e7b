"""Figures, drawn from the results alone: one claim each."""

from pathlib import Path
from statistics import median

from ..cache_bytes import cache_bytes_per_token
from ..published import PUBLISHED
from .experiment import LOW_RANK
from .style import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILION, figure, label, save

COLORS = {"mean": BLUE, "first": ORANGE, "random": VERMILION, LOW_RANK: GREEN}
GROUP_COLORS = {"32": BLACK, "8": BLUE, "4": GREEN, "1": ORANGE, "latent": PURPLE}


def draw(results: dict, folder: Path) -> list[Path]:
    """Every figure that the results allow."""
    paths = []
    if "headline" in results:
        paths.append(save(quality(results["headline"]["quality"]), folder / "quality.png"))
        paths.append(save(decode(results["headline"]["decode"]), folder / "decode.png"))
        paths.append(save(cards(), folder / "cards.png"))
    if "smollm2" in results:
        paths.append(save(smollm2(results["smollm2"]), folder / "smollm2.png"))
    return paths


def quality(q: dict):
    """Loss against bytes, before and after uptraining."""
    made = figure(
        "5 % more training repairs most of what pooling breaks; a latent of the same bytes loses less", (8, 4)
    )
    for i, (ax, when) in enumerate(zip(made.subplots(1, 2, sharey=True), ("0", "5"), strict=True)):
        base = q["base"] if when == "0" else q["base uptrained"]
        ax.axhline(median(base), color=GREY, ls="--")
        ax.text(q["bytes"]["8"], median(base) - 0.04, "8 heads", color=GREY, va="top", ha="right")
        for rule, by_heads in q["points"].items():
            x = [q["bytes"][g] for g in by_heads]
            ys = [point[when] for point in by_heads.values()]
            middle = [median(y) for y in ys]
            ax.plot(x, middle, "o-", color=COLORS[rule])
            ax.vlines(x, [min(y) for y in ys], [max(y) for y in ys], color=COLORS[rule], lw=2, alpha=0.5)
            nudge = {"mean": 0.1 if when == "0" else -0.02, "first": -0.1 if when == "0" else 0.1, LOW_RANK: 0.12}
            label(ax, x[0], middle[0] + nudge.get(rule, 0), rule, COLORS[rule])
        ticks = [q["bytes"][g] for g in q["bytes"]]
        ax.set_xscale("log", base=2)
        ax.set_xticks(ticks, [f"{n:,}" for n in ticks])
        ax.minorticks_off()
        ax.set(xlabel="bytes a token of cache", title=("at 0 %", f"after {100 * q['fraction']:g} % of uptraining")[i])
        ax.set_xlim(min(ticks) * 0.85, max(ticks) * 1.2)
    made.axes[0].set_ylabel("loss, nats a byte")
    return made


def decode(d: dict):
    """Decode time against context, with the limit by bytes."""
    made = figure("Fewer key/value heads: a cheaper decode step, until arithmetic is left", (7, 4.2))
    ax, contexts = made.subplots(), d["contexts"]
    for name, times in d["milliseconds"].items():
        color = GROUP_COLORS[name]
        ax.fill_between(contexts, [t[0] for t in times], [t[1] for t in times], color=color, alpha=0.2, lw=0)
        ax.plot(contexts, [t[1] for t in times], "o-", color=color)
        ax.plot(contexts, d["limit"][name], ":", color=color)
        words = "latent" if name == "latent" else f"{name} head{'s' if name != '1' else ''}"
        label(ax, contexts[-1], times[-1][1], words, color)
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.set_xticks(contexts, [f"{T:,}" for T in contexts])
    ax.set(xlabel="tokens in the cache", ylabel="ms a step, 32 query heads")
    ax.set_xlim(contexts[0] * 0.95, contexts[-1] * 1.6)
    ax.text(
        0.02,
        0.97,
        "dotted: bytes / memory bandwidth\nlatent: absorbed form",
        transform=ax.transAxes,
        color=GREY,
        va="top",
    )
    return made


def cards():
    """Bytes a token of the published models, and as MHA."""
    made = figure("Sharing saves 3 to 8 times, DeepSeek-V3's latent 57 times", (7, 4))
    ax = made.subplots()
    shapes = sorted(PUBLISHED, key=lambda s: cache_bytes_per_token(s.as_mha()))
    for row, shape in enumerate(shapes):
        own, mha = (cache_bytes_per_token(s) / 1024 for s in (shape, shape.as_mha()))
        color = PURPLE if shape.latent_dim else BLUE
        ax.plot([own, mha], [row, row], color=GREY, lw=1)
        ax.plot(mha, row, "o", mfc="white", color=GREY)
        ax.plot(own, row, "o", color=color)
        words = f"{own:,.0f} KiB" if own == mha else f"{mha:,.0f} → {own:,.0f} KiB"
        ax.annotate(words, (mha, row), (8, 0), textcoords="offset points", va="center", fontsize=8, color=color)
    ax.set_yticks(range(len(shapes)), [s.name for s in shapes])
    ax.set_xscale("log")
    ax.set(xlabel="KiB a token in 16 bits (open circle: with keys and values for every head)")
    ax.set_xlim(8, 40_000)
    return made


def smollm2(r: dict):
    """Rank against loss, and the pooled heads before and after."""
    made = figure("SmolLM2: no cut of keys and values is free; pooled heads need more than minutes", (8, 4))
    left, right = made.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    ranks = [384, *map(int, r["rank"])]
    left.plot(ranks, [r["base"], *r["rank"].values()], "o-", color=GREEN)
    left.axhline(r["base"], color=GREY, ls="--")
    left.set(xlabel="rank of keys and values together (384 is all)", ylabel="loss, nats a token", title="cut by SVD")
    right.axhline(r["base"], color=GREY, ls="--")
    for name, color in (("mean", BLUE), ("first", ORANGE), ("random", VERMILION)):
        if name in r["uptrained"]:
            right.plot([0, 1], [r["pooled"][name], r["uptrained"][name]], "o-", color=color)
            label(right, 1, r["uptrained"][name] + {"mean": 0.25, "first": -0.25}[name], name, color)
        else:
            right.plot(0, r["pooled"][name], "o", color=color)
            label(right, 0, r["pooled"][name], name, color)
    right.plot([0, 1], [r["base"], r["uptrained"]["no pooling"]], "o-", color=BLACK)
    label(right, 1, r["uptrained"]["no pooling"] - 0.3, "not pooled", BLACK)
    right.set_xticks([0, 1], ["0", f"{r['uptrained']['steps']}"])
    right.set(xlabel="steps of uptraining", title="3 key/value heads → 1", xlim=(-0.1, 1.6))
    return made
