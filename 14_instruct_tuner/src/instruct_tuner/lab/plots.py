"""Figures, drawn from the results alone: one claim each."""

from pathlib import Path
from statistics import median

from .style import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILION, figure, label, save


def draw(results: dict, folder: Path) -> list[Path]:
    """Every figure that the results allow."""
    paths = []
    if "headline" in results:
        paths.append(save(elicited(results["headline"]["runs"]), folder / "elicited.png"))
        paths.append(save(padding(results["headline"]["packing"]), folder / "packing.png"))
    if "smollm2" in results and "before" in results["smollm2"]:
        paths.append(save(real(results["smollm2"]), folder / "smollm2.png"))
    if "break_it" in results:
        paths.append(save(broken(results["break_it"]["runs"]), folder / "break_it.png"))
    return paths


def elicited(runs: dict):
    """Held-out accuracy against trained numbers, and what each run forgets."""
    lora = {name: run for name, run in runs.items() if name.startswith("LoRA")}
    seeds = len(runs["base"]["facts"])
    found = sum(share > 0.5 for share in runs["LoRA, r = 4"]["facts"]) if "LoRA, r = 4" in runs else 0
    made = figure(f"Every base knows the answers; tuning brings them out in {found} of {seeds} runs", (9, 4))
    left, right = made.subplots(1, 2)
    x = [run["parameters"][0] for run in lora.values()]
    ends = sorted((100 * run, i) for i, run in enumerate(list(lora.values())[-1]["facts"]))
    low = -20.0
    for i, color in zip(range(seeds), (BLUE, ORANGE, GREEN), strict=False):
        left.plot(x, [100 * run["facts"][i] for run in lora.values()], "o-", color=color)
        left.plot(runs["full"]["parameters"][0], 100 * runs["full"]["facts"][i], "s", color=color)
        left.plot(min(x) / 2, 100 * runs["base"]["facts"][i], "x", color=color, clip_on=False)
    for height, i in ends:
        low = max(height, low + 8)
        label(left, x[-1], low, f"seed {i}", (BLUE, ORANGE, GREEN)[i % 3])
    left.text(runs["full"]["parameters"][0], 104, "full", ha="center", color=BLACK)
    left.text(min(x) / 2, 6, "base", ha="center", color=BLACK)
    left.set_xscale("log")
    left.set(
        xlabel="numbers that are trained (LoRA r = 1 to 16, full)", ylabel="held-out questions right, %", ylim=(-4, 114)
    )
    for i, (name, run) in enumerate(named(runs).items()):
        values = run["forgetting"]
        right.barh(i, median(values), color=GREY if "LoRA" not in name else GREEN, alpha=0.8)
        right.hlines(i, min(values), max(values), color=BLACK, lw=1.5)
    right.set_yticks(range(len(named(runs))), list(named(runs)))
    right.invert_yaxis()
    right.set(xlabel="forgetting: nats a token more on base text")
    return made


def named(runs: dict) -> dict:
    """The runs whose forgetting is shown."""
    return {name: run for name, run in runs.items() if name == "full" or "LoRA" in name}


def padding(p: dict):
    """What a batch's tokens are."""
    made = figure("Packed rows are full; padded ones are mostly padding", (7, 2.2))
    ax = made.subplots()
    names = ("to the longest of all", "to the batch's longest", "packed")
    for i, name in enumerate(names):
        ax.barh(i, 100 * p[name], color=BLUE)
        ax.barh(i, 100 - 100 * p[name], left=100 * p[name], color=GREY, alpha=0.35)
        inside = p[name] > 0.5
        ax.text(
            100 * p[name] + (-1 if inside else 1),
            i,
            f"{p[name]:.2%}",
            va="center",
            ha="right" if inside else "left",
            color="white" if inside else BLACK,
        )
    ax.set_yticks(range(3), [f"padded {n}" if n != "packed" else n for n in names])
    ax.invert_yaxis()
    ax.set(xlabel="% of a batch's tokens (blue: text, grey: padding)", xlim=(0, 100))
    return made


def real(s: dict):
    """Four figures before and after."""
    made = figure(f"SmolLM2 learns a format and a tool: {s['steps']} steps of LoRA on a CPU", (7, 3))
    ax = made.subplots()
    names = {
        "json": "JSON as asked",
        "json and right": "JSON and right",
        "calls": "valid calls",
        "sums right": "sums right",
    }
    for i, key in enumerate(names):
        before, after = 100 * s["before"][key], 100 * s["after"][key]
        ax.plot([before, after], [i, i], color=GREY, lw=2, zorder=1)
        ax.plot([before], [i], "o", color=VERMILION, zorder=2)
        ax.plot([after], [i], "o", color=GREEN, zorder=3)
        if i == 0:
            ax.text(before, i - 0.3, "before", color=VERMILION, ha="center")
            ax.text(after, i - 0.3, "after", color=GREEN, ha="center")
    ax.set_yticks(range(4), list(names.values()))
    ax.invert_yaxis()
    ax.set(xlabel=f"% of {s['prompts']} held-out prompts", xlim=(-4, 104), ylim=(3.5, -0.7))
    return made


def broken(runs: dict):
    """Held-out questions under each mistake."""
    made = figure("What each mistake costs: held-out questions, and base text forgotten", (8, 3))
    left, right = made.subplots(1, 2, sharey=True)
    for i, r in enumerate(runs.values()):
        left.barh(i, 100 * r["facts"], color=BLUE if i == 0 else VERMILION, alpha=0.85)
        right.barh(i, r["forgetting"], color=BLUE if i == 0 else PURPLE, alpha=0.85)
    left.set_yticks(range(len(runs)), list(runs))
    left.invert_yaxis()
    left.set(xlabel="held-out questions right, %", xlim=(0, 100))
    right.set(xlabel="forgetting, nats a token")
    return made
