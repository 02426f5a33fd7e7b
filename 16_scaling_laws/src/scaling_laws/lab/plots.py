"""The headline's figures, drawn from the recorded results alone: one claim each."""

from pathlib import Path
from statistics import mean, median

import numpy as np

from ..allocate import GOPHER, optimal_allocation
from ..chinchilla import PUBLISHED, ChinchillaLaw, law_of
from ..kaplan import compute_optimal
from ..theory.double_descent import ridgeless_risk
from .page import write_page
from .plots_theory import draw_theory
from .style import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILION, figure, label, save

SIZE_COLORS = (ORANGE, VERMILION, PURPLE, GREEN, BLUE)


def draw(results: dict, folder: Path) -> list[Path]:
    """Every figure that the results allow, and the page."""
    drawn = []
    if section := results.get("headline"):
        refitted = section["refit"]
        drawn.append(save(own_law(section["own law"]), folder / "own_law.png"))
        drawn.append(save(tokens_a_parameter(refitted), folder / "tokens_a_parameter.png"))
        drawn.append(save(descent(section["double descent"]), folder / "double_descent.png"))
        drawn.append(write_page(folder, refitted))
    if section := results.get("theory"):
        drawn += draw_theory(section, folder)
    return drawn


def own_law(r: dict):
    """Loss against tokens for each size, the law, and the run that it predicted."""
    inside = "inside" if r["inside"] else "outside"
    claim = (
        f"The small runs' law predicts a larger one to {miss(r):.1%}; its loss is {inside} the {r['level']:.0%} band"
    )
    made = figure(claim, (8, 4.8))
    ax, law = made.subplots(), ChinchillaLaw(**r["N"]["law"])
    thetas = [law_of(np.array(theta)) for theta in r["N"]["thetas"]]
    tail, target = (1 - r["level"]) / 2, r["prediction"]
    tokens = np.geomspace(min(p["D"] for p in r["points"]), 1.25 * target["D"], 60)
    sizes = sorted({p["N"] for p in r["points"]})
    for n, color in zip(sizes, SIZE_COLORS, strict=False):
        mine = [p for p in r["points"] if p["N"] == n]
        ax.plot([p["D"] for p in mine], [p["loss"] for p in mine], "o", color=color, ms=4)
        ax.plot(tokens, law.loss(n, tokens), color=color, lw=1.2)
        label(ax, tokens[-1], law.loss(n, tokens[-1]), f"{n:,}", color)
    losses = np.array([other.loss(target["N"], tokens) for other in thetas])
    low, high = np.quantile(losses, [tail, 1 - tail], axis=0)
    ax.fill_between(tokens, low, high, color=BLACK, alpha=0.15, lw=0)
    ax.plot(tokens, law.loss(target["N"], tokens), color=BLACK, ls="--", lw=1.2)
    label(ax, tokens[-1], law.loss(target["N"], tokens[-1]) - 0.02, f"{target['N']:,}, predicted", BLACK)
    ax.plot([p["D"] for p in r["held out"]], [p["loss"] for p in r["held out"]], "*", color=BLACK, ms=11)
    middle = mean(p["loss"] for p in r["held out"])
    ax.text(target["D"] * 0.92, middle, "trained after the prediction", ha="right", va="center")
    ax.set_xscale("log")
    ax.set_yscale("log")
    ticks = [t for t in (1.6, 1.8, 2, 2.2, 2.5, 3) if ax.get_ylim()[0] < t < ax.get_ylim()[1]]
    ax.set_yticks(ticks, [f"{t:g}" for t in ticks])
    counts = sorted({p["D"] for p in r["points"]} | {target["D"]})
    ax.set_xticks(counts, [f"{t:,}" for t in counts])
    ax.minorticks_off()
    ax.set(xlabel="tokens (bytes) trained on", ylabel="validation loss, nats a byte")
    ax.set_xlim(tokens[0] * 0.9, tokens[-1] * 2.6)
    ax.text(0.985, 0.97, "parameters without embedding", transform=ax.transAxes, ha="right", va="top", color=GREY)
    return made


def miss(r: dict) -> float:
    """The relative error of the prediction against the mean of the seeds."""
    got = mean(p["loss"] for p in r["held out"])
    return abs(r["prediction"]["loss"] / got - 1)


def tokens_a_parameter(refitted: dict | None):
    """D / N against the budget by each law."""
    made = figure("The same runs, 18 to 93 tokens a parameter: two rounded digits move 59 to 93", (8, 4.4))
    ax, budgets = made.subplots(), np.geomspace(1e18, 1e26, 60)
    laws = {"Hoffmann, as printed": (PUBLISHED["Hoffmann 2022, as printed"], VERMILION)}
    laws["Hoffmann, TeX source"] = (PUBLISHED["Hoffmann 2022, TeX source"], ORANGE)
    laws["Besiroglu"] = (PUBLISHED["Besiroglu 2024"], BLUE)
    if refitted:
        laws["our refit"] = (ChinchillaLaw(**refitted["law"]), GREEN)
    nudge = {"Besiroglu": 1.15, "our refit": 0.85}
    for name, (law, color) in laws.items():
        pairs = [optimal_allocation(law, float(c)) for c in budgets]
        ratios = [d / n for n, d in pairs]
        ax.plot(budgets, ratios, color=color, ls="--" if name == "our refit" else "-")
        label(ax, budgets[-1], ratios[-1] * nudge.get(name, 1), name, color)
    kaplan = [d / n for n, d in map(compute_optimal, map(float, budgets))]
    ax.plot(budgets, kaplan, color=GREY)
    label(ax, budgets[-1], kaplan[-1], "Kaplan", GREY)
    ax.axvline(GOPHER, color=BLACK, lw=0.8, ls=":")
    ax.text(GOPHER * 0.8, 0.05, "Gopher's budget", ha="right", va="bottom")
    ax.plot(GOPHER, 1.4e12 / 70e9, "o", color=BLACK)
    ax.annotate("Chinchilla itself", (GOPHER, 20), (-8, -12), textcoords="offset points", ha="right", va="top")
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set(xlabel="budget, FLOPs", ylabel="tokens a parameter", xlim=(1e18, 1e29))
    ax.set_xticks([1e18, 1e20, 1e22, 1e24, 1e26])
    return made


def descent(r: dict):
    """Risk against parameters a sample: simulation on theory, and random features."""
    made = figure("The error peaks where parameters equal samples, and falls again: simulation on theory", (8, 4))
    left, right = made.subplots(1, 2)
    x = np.concatenate([np.geomspace(0.08, 0.985, 200), np.geomspace(1.015, 12, 200)])
    for part in (x[x < 1], x[x > 1]):
        left.plot(part, [ridgeless_risk(round(g * 10_000), 10_000) for g in part], color=BLACK, lw=1)
    for point in r["linear"]:
        left.vlines(point["gamma"], min(point["risks"]), max(point["risks"]), color=BLUE, lw=2, alpha=0.5)
        left.plot(point["gamma"], median(point["risks"]), "o", color=BLUE, ms=4)
    left.set(xlabel="features a sample", ylabel="excess risk", title="ridgeless regression; line: Hastie et al.")
    gammas = [point["gamma"] for point in r["random features"]]
    right.plot(gammas, [median(p["risks"]) for p in r["random features"]], "o-", color=VERMILION, ms=4)
    for point in r["random features"]:
        right.vlines(point["gamma"], min(point["risks"]), max(point["risks"]), color=VERMILION, lw=2, alpha=0.4)
    right.set(xlabel="random features a sample", title="ReLU random features")
    for ax in (left, right):
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.axvline(1, color=GREY, lw=0.8, ls=":")
        ax.set_xticks([0.1, 1, 10], ["0.1", "1", "10"])
    return made
