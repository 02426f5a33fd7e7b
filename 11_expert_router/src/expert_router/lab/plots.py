"""Figures, drawn from the results alone: one claim each."""

from pathlib import Path
from statistics import median

import numpy as np

from .animate import write_gif
from .experiment import BIAS, DENSE, EXPERTS, NONE, SWITCH, shazeer_name
from .parallel import LAYERS
from .style import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILION, figure, label, save

SHOWN = {NONE: VERMILION, SWITCH: BLUE, BIAS: GREEN, shazeer_name(0.1, 0.1): PURPLE}


def draw(results: dict, folder: Path) -> list[Path]:
    """Every figure that the results allow."""
    paths = []
    if "headline" in results:
        content = results["headline"]
        paths.append(save(collapse(content["collapse"]), folder / "collapse.png"))
        paths.append(save(winners(content), folder / "winners.png"))
        paths.append(write_gif(content["collapse"], folder))
    if "parallel" in results:
        paths.append(save(exchanges(results["parallel"]), folder / "parallel.png"))
    return paths


def shares(load: list[list[int]], width: int = 7) -> np.ndarray:
    """Each expert's load as a multiple of an equal share, over steps, smoothed over `width` steps."""
    counts = np.array(load, dtype=float)
    counts = counts / counts.mean(axis=1, keepdims=True)
    width = min(width, len(counts))
    kernel = np.ones(width) / width
    return np.stack([np.convolve(column, kernel, mode="valid") for column in counts.T], axis=1)


def collapse(c: dict):
    """The load of eight experts step by step, without balance and with it; max/mean of all runs."""
    made = figure(
        "Without balance a few experts take the tokens; a small loss or a bias brings the others back", (9, 4)
    )
    axes = made.subplots(1, 3, width_ratios=(3, 3, 2.6))
    for ax, name in zip(axes[:2], (NONE, SWITCH), strict=True):
        lines = shares(c["load"][name])
        for column in lines.T:
            ax.plot(column, color=SHOWN[name], lw=1.1, alpha=0.75)
        ax.axhline(1, color=GREY, ls="--")
        ax.set(xlabel="step", title=name, ylim=(0, EXPERTS / 2 * 1.02), xlim=(0, len(lines)))
    axes[0].set_ylabel("tokens of an expert / equal share")
    axes[0].text(len(shares(c["load"][NONE])) * 0.98, 1.03, "equal share", color=GREY, ha="right", va="bottom")
    names = [name for name in c["runs"] if name != DENSE]
    for row, name in enumerate(reversed(names)):
        values = c["runs"][name]["max/mean"]
        color = SHOWN.get(name, BLACK)
        axes[2].plot([min(values), max(values)], [row, row], color=color, lw=2, alpha=0.5)
        axes[2].plot(median(values), row, "o", color=color)
    axes[2].axvline(1, color=GREY, ls="--")
    axes[2].set_yticks(range(len(names)), list(reversed(names)), fontsize=8)
    axes[2].set(xlabel="busiest / mean", title=f"unseen text, {len(values)} seeds", xlim=(0.9, 4.1))
    return made


def winners(content: dict):
    """Where experts win and where they do not."""
    made = figure(
        "Experts win where a task falls into parts; on this text, collapse costs nothing",
        (8.4, 3.6),
    )
    left, right = made.subplots(1, 2)
    teacher = content["teacher"]
    for row, (name, values) in enumerate(reversed(list(teacher.items()))):
        color = BLUE if "MoE" in name else GREY
        left.plot([min(values), max(values)], [row, row], color=color, lw=3, alpha=0.5)
        left.plot(median(values), row, "o", color=color)
    left.set_yticks(range(len(teacher)), list(reversed(teacher)), fontsize=8)
    left.set(xscale="log", xlabel="error / variance", title="a teacher of 8 clusters", ylim=(-0.5, len(teacher) - 0.5))
    left.set_xticks([0.001, 0.002, 0.005, 0.01, 0.02, 0.04], ["0.001", "0.002", "0.005", "0.01", "0.02", "0.04"])
    left.minorticks_off()
    runs = content["collapse"]["runs"]
    names = [name for name in (DENSE, NONE, SWITCH, BIAS, shazeer_name(0.1, 0.1)) if name in runs]
    for row, name in enumerate(reversed(names)):
        values = runs[name]["loss"]
        color = GREY if name == DENSE else BLUE
        right.plot([min(values), max(values)], [row, row], color=color, lw=3, alpha=0.5)
        right.plot(median(values), row, "o", color=color)
    right.set_yticks(range(len(names)), list(reversed(names)), fontsize=8)
    right.set(xlabel="loss, nats a byte, unseen text", title=f"text, {content['collapse']['steps']} steps")
    return made


def exchanges(p: dict):
    """Exchanges of two processes beside the fitted model, and the share of communication in the plans."""
    made = figure("Many narrow experts pay more for communication than a few wide ones", (8.4, 3.8))
    left, right = made.subplots(1, 2)
    sizes, times = ([e[key] for e in p["exchange"]] for key in ("bytes", "seconds"))
    grid = np.geomspace(min(sizes), max(sizes), 50)
    left.plot(grid, 1e3 * (p["machine"]["latency"] + grid / p["machine"]["bandwidth"]), "--", color=GREY)
    left.plot(sizes, [1e3 * t for t in times], "o", color=BLUE)
    left.set(xscale="log", yscale="log", xlabel="bytes that leave a process", ylabel="ms an exchange")
    left.set_title("gloo, two processes (dashed: the model)")
    devices = sorted({plan["devices"] for plan in p["plans"]})
    for index, name in enumerate(dict.fromkeys(plan["machine"] for plan in p["plans"])):
        for layer, marker in zip(LAYERS, ("o--", "o-"), strict=True):
            rows = [plan for plan in p["plans"] if (plan["machine"], plan["layer"]) == (name, layer)]
            share = [100 * plan["communication"] for plan in rows]
            right.plot(devices, share, marker, color=(BLUE, GREEN, ORANGE)[index])
        label(right, devices[-1], share[-1], name, (BLUE, GREEN, ORANGE)[index])
    right.text(0.03, 0.97, "solid: many narrow experts\ndashed: a few wide ones", transform=right.transAxes, va="top")
    right.set(xscale="log", xlabel="devices", ylabel="communication, % of the time", ylim=(0, 100))
    right.set_title("plan: one layer, nothing overlaps")
    right.set_xticks(devices, [str(d) for d in devices])
    right.minorticks_off()
    right.set_xlim(devices[0] * 0.8, devices[-1] * 5)
    return made
