"""Figures, drawn from the results alone: one claim each."""

from pathlib import Path
from statistics import median

import numpy as np

from .style import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION, figure, label, save


def draw(results: dict, folder: Path) -> list[Path]:
    """Every figure that the results allow."""
    paths = []
    if "headline" in results:
        r = results["headline"]
        for name, made in (("hacking", hacking), ("frontier", frontier), ("methods", methods), ("sums", sums)):
            paths.append(save(made(r), folder / f"{name}.png"))
    for name, made in (("break_it", break_it), ("bench", bench), ("smollm2", smollm2)):
        if name in results:
            paths.append(save(made(results[name]), folder / f"{name}.png"))
    return paths


def band(ax, x, rows, color, words, nudge=0.0, **line):
    """The median over seeds as a line, the range as a band, and a direct label."""
    rows = np.array(rows)
    ax.fill_between(x, rows.min(0), rows.max(0), color=color, alpha=0.2, lw=0)
    ax.plot(x, np.median(rows, 0), color=color, **line)
    label(ax, x[-1], float(np.median(rows[:, -1])) + nudge, words, color)


def hacking(r: dict):
    """Reward model and judge over the steps, without and with a penalty."""
    made = figure("Without a KL penalty the score rises and the judge's median falls; the penalty cures it", (8, 3.8))
    axes = made.subplots(1, 2, sharey=True)
    for ax, name in zip(axes, ("beta 0", "beta 0.1"), strict=True):
        curves = [[s["start"] | {"step": 0}, *s["curves"][name]] for s in r["hacking"]]
        steps = [point["step"] for point in curves[0]]
        for key, color, words in (("proxy", ORANGE, "reward model"), ("judge", BLUE, "judge")):
            band(ax, steps, [[p[key] for p in c] for c in curves], color, words, 0.15 if key == "proxy" else -0.15)
        kl = median(c[-1]["kl"] for c in curves)
        ax.set(xlabel="PPO steps", title=f"{name.replace('beta', 'beta =')}: KL {kl:.1f} nats at the end")
        ax.set_xlim(0, steps[-1] * 1.35)
    axes[0].set_ylabel("mean reward of an answer")
    return made


def frontier(r: dict):
    """Judge's reward against the root of KL."""
    made = figure("The judge's reward rises with KL, then falls; best of n does not go that far", (7.5, 4.3))
    ax = made.subplots()
    colors = {"beta 0": VERMILION, "beta 0.02": ORANGE, "beta 0.1": BLUE, "beta 0.5": SKY}
    for seed in r["hacking"]:
        for name, color in colors.items():
            if name in seed["curves"]:
                points = [(p["kl"] ** 0.5, p["judge"]) for p in seed["curves"][name]]
                ax.plot(*zip(*points, strict=True), "o-", color=color, ms=3, lw=0.8, alpha=0.7)
    bon = r["hacking"][0]["best of n"]
    middle = [median(s["best of n"][i]["judge"] for s in r["hacking"]) for i in range(len(bon))]
    ax.plot([p["kl"] ** 0.5 for p in bon], middle, "s-", color=BLACK, ms=4)
    for name, color in colors.items():
        if name in r["hacking"][0]["curves"]:
            last = [(s["curves"][name][-1]["kl"] ** 0.5, s["curves"][name][-1]["judge"]) for s in r["hacking"]]
            x, y = (median(v) for v in zip(*last, strict=True))
            nudge = {"beta 0.02": 0.2, "beta 0.1": -0.35, "beta 0.5": -0.35}.get(name, 0)
            label(ax, x, y + nudge, f"PPO, {name}", color)
    label(ax, bon[-1]["kl"] ** 0.5 - 1.4, middle[-1] + 0.45, f"best of {bon[-1]['n']}", BLACK)
    start = median(s["start"]["judge"] for s in r["hacking"])
    ax.axhline(start, color=GREY, ls="--")
    ax.text(ax.get_xlim()[1], start, "before", color=GREY, va="bottom", ha="right")
    ax.set(xlabel="root of KL to the reference, √nats", ylabel="the judge's mean reward")
    return made


def methods(r: dict):
    """Judge's reward against KL of three methods."""
    samples = r["methods"][0]["samples"]
    made = figure(f"With {samples:,} sampled answers each, sampling from the trained policy gains most", (7, 4))
    ax = made.subplots()
    for name, color, marker in (("start", GREY, "x"), ("DPO", GREEN, "o"), ("PPO", BLUE, "s"), ("GRPO", ORANGE, "^")):
        x, y = ([s[name][key] for s in r["methods"]] for key in ("kl", "judge"))
        ax.plot(x, y, marker, color=color)
        label(ax, max(x), median(y) - (0.2 if name == "GRPO" else 0), "before" if name == "start" else name, color)
    ax.set(xlabel="KL to the reference, nats an answer", ylabel="the judge's mean reward")
    ax.set_xlim(right=ax.get_xlim()[1] * 1.15)
    return made


def sums(r: dict):
    """Right sums before and after, with and without a chain."""
    made = figure("GRPO makes sums right only where the model may write its steps", (6.5, 4))
    ax = made.subplots()
    for name, color in (("chain", BLUE), ("direct", VERMILION)):
        for seed in r["sums"]:
            values = [seed[name][when]["correct"] for when in ("before", "after")]
            ax.plot([0, 1], values, "o-", color=color)
        nudge = -0.05 if name == "direct" else 0.0
        end = median(s[name]["after"]["correct"] for s in r["sums"])
        label(ax, 1, end + nudge, f"{name}, {len(r['sums'])} seeds", color)
    ax.axhline(0.1, color=GREY, ls="--")
    ax.text(0.5, 0.11, "chance", color=GREY, ha="center", va="bottom")
    ax.set_xticks([0, 1], ["after the warm-up", "after GRPO"])
    ax.set(ylabel="share of right final digits", xlim=(-0.15, 1.55), ylim=(0, 1.02))
    return made


def break_it(r: dict):
    """The judge's reward of each experiment."""
    made = figure("Without a penalty that works, the result is a lottery; paying for length is never good", (7.5, 4.6))
    ax = made.subplots()
    names = list(r["runs"])[::-1]
    for row, name in enumerate(names):
        values = [s["judge"] for s in r["runs"][name]]
        ax.plot(values, [row] * len(values), "o", color=BLUE if name == names[-1] else VERMILION)
    start = median(s["judge"] for s in r["start"])
    ax.axvline(start, color=GREY, ls="--")
    ax.text(start, len(names) - 0.4, "before training", color=GREY, ha="center")
    ax.set_yticks(range(len(names)), names)
    ax.set(xlabel="the judge's mean reward, one dot a seed")
    return made


def bench(r: dict):
    """Samples a second."""
    ratio = {name: median(values) for name, values in r["ratio"].items()}
    made = figure(
        f"Median ratio to TRL: {ratio['GRPO']:.1f} with GRPO, {ratio['PPO']:.1f} with PPO, on a tiny model", (7, 3.2)
    )
    ax = made.subplots()
    rows = []
    for name, sides in r["samples_per_second"].items():
        for side, color in (("ours", BLUE), ("TRL", ORANGE)):
            values = sides[side]
            ax.barh(len(rows), median(values), color=color)
            ax.plot([min(values), max(values)], [len(rows)] * 2, color=BLACK, lw=1)
            ax.text(max(values) * 1.05, len(rows), f"{median(values):,.0f}", va="center", color=color)
            rows.append(f"{name}, {side}")
        most = r["limit"]["samples_per_second"][name]
        ax.plot([most, most], [len(rows) - 2.5, len(rows) - 0.5], ":", color=GREY)
    ax.set_xscale("log")
    ax.set_yticks(range(len(rows)), rows)
    ax.invert_yaxis()
    ax.set(xlabel="samples a second (dotted: what the multiplications alone allow)")
    return made


def smollm2(r: dict):
    """Reward and KL over the steps."""
    made = figure("GRPO teaches a chat model the form of an answer in a few steps", (7.5, 3.6))
    left, right = made.subplots(1, 2)
    steps = range(1, len(r["history"]) + 1)
    for key, color, words in (("reward", BLUE, "reward"), ("obey", GREEN, "in the form")):
        values = [h[key] for h in r["history"]]
        left.plot(steps, values, "o-", color=color, ms=3)
        label(left, steps[-1], values[-1] + (0.04 if key == "reward" else -0.06), words, color)
    left.set(xlabel="step", ylabel="mean of the step's answers", ylim=(0, 1.12), xlim=(0, len(steps) * 1.45))
    right.plot(steps, [h["kl"] for h in r["history"]], "o-", color=PURPLE, ms=3)
    right.set(xlabel="step", ylabel="KL to the reference, nats an answer")
    return made
