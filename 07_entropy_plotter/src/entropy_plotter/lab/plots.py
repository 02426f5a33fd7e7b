"""Figures, drawn from the results alone: one claim each."""

from pathlib import Path
from statistics import median

from matplotlib.patches import Rectangle

from ..strip import colour
from .style import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILION, figure, label, save

COLOURS = {"T 1.5": VERMILION, "T 2": VERMILION, "min-p": GREEN, "top-p": BLUE, "human": BLACK}


def draw(results: dict, folder: Path) -> list[Path]:
    """Every figure that the results allow."""
    paths = []
    if content := results.get("headline"):
        found = {rule: averaged(runs) for rule, runs in content["models"]["transformer"].items()}
        claim = "At T 1.5, min-p stays near human text; top-p does not (a small transformer)"
        paths.append(save(plane(found, claim), folder / "headline.png"))
        claim = "The same prompt, four rules: the colour is each token's surprisal"
        paths.append(save(strips(content["strips"], claim), folder / "strips.png"))
        paths.append(save(nuclei(content["nuclei"]), folder / "nuclei.png"))
    if content := results.get("holtzman"):
        claim = "SmolLM2: human text lies between top-p and pure sampling; greedy is far off"
        paths.append(save(plane(content["rules"], claim), folder / "holtzman.png"))
        claim = "SmolLM2 after the same two lines: with T 1.5 + top-p, nearly every token is a surprise"
        paths.append(save(strips(content["strips"], claim), folder / "strips_smollm2.png"))
    if content := results.get("bench"):
        paths.append(save(bench(content), folder / "bench.png"))
    if content := results.get("drafts"):
        paths.append(save(drafts(content), folder / "drafts.png"))
    if content := results.get("reasoning"):
        paths.append(save(reasoning(content), folder / "reasoning.png"))
    return paths


def averaged(runs: list[dict]) -> dict:
    """The median of each measure over the seeds, and the range of the two that are drawn."""
    found = {name: median(run[name] for run in runs) for name in runs[0]}
    for name in ("perplexity", "distinct"):
        found[f"{name} range"] = [min(run[name] for run in runs), max(run[name] for run in runs)]
    return found


def colour_of(rule: str) -> str:
    return next((c for name, c in reversed(COLOURS.items()) if name in rule), GREY)


def plane(rules: dict, claim: str):
    """Perplexity against the number of different tokens, with the human point."""
    made = figure(claim, (7.4, 4.6))
    ax = made.subplots()
    human = rules["human"]
    ax.axvline(human["perplexity"], color=BLACK, lw=0.8, ls=":")
    ax.axhline(human["distinct"], color=BLACK, lw=0.8, ls=":")
    for rule, found in rules.items():
        x, y, c = found["perplexity"], found["distinct"], colour_of(rule)
        ax.plot(x, y, "*" if rule == "human" else "o", color=c, ms=13 if rule == "human" else 6)
        for name, line in (("perplexity", ax.hlines), ("distinct", ax.vlines)):
            if limits := found.get(f"{name} range"):
                line(y if name == "perplexity" else x, *limits, color=c, lw=1.2)
    ax.set(xscale="log", xlabel="perplexity under the model itself", ylabel="different tokens in all texts")
    ax.margins(x=0.2, y=0.08)
    made.canvas.draw()
    named(ax, {rule: (found["perplexity"], found["distinct"]) for rule, found in rules.items()})
    return made


def named(ax, points: dict) -> None:
    """Labels beside their points, away from the human one, where they cover neither a point nor another label."""
    middle, dots = points["human"][0], {rule: ax.transData.transform(point) for rule, point in points.items()}
    taken = [(x - 8, x + 8, y - 6, y + 6) for x, y in dots.values()]  # pixels: left, right, bottom, top
    for rule, (x, y) in sorted(dots.items(), key=lambda item: -item[1][1]):
        width, sides = 7.2 * len(rule), ("right", "left") if points[rule][0] < middle else ("left", "right")
        places = [(side, down) for down in (0, -10, 10, -18, 18, -26) for side in sides]
        for side, down in places:
            left = x - 10 - width if side == "right" else x + 10
            box = (left, left + width, y + down - 6, y + down + 6)
            if not any(box[0] < r and l < box[1] and box[2] < t and b < box[3] for l, r, b, t in taken):
                break
        taken.append(box)
        at = ax.transData.inverted().transform((x - 10 if side == "right" else x + 10, y + down))
        ax.annotate(rule, at, color=colour_of(rule), fontsize=8, fontweight="bold", ha=side, va="center",
                    annotation_clip=False)  # fmt: skip


def strips(found: dict, claim: str):
    """Texts with a coloured background for each token; the line below a token is the entropy before it."""
    per_line, lines = 88, 3
    made = figure(claim, (8.6, 0.35 + 0.86 * len(found)))
    for ax, (rule, strip) in zip(made.subplots(len(found), 1, squeeze=False)[:, 0], found.items(), strict=True):
        ax.set(xlim=(0, per_line), ylim=(lines, 0))
        ax.axis("off")
        ax.set_title(rule, fontsize=8.5, pad=1)
        bits = [None, *strip["surprisals"]]
        below = [None, *strip["entropies"]]
        column = line = 0
        for piece, surprisal, entropy in zip(strip["pieces"], bits, below, strict=True):
            shown = "".join(c if c.isprintable() and ord(c) < 0x250 else "·" for c in piece.replace("\n", "¶"))
            if column + len(shown) > per_line:
                column, line = 0, line + 1
            if line >= lines:
                break
            if surprisal is not None:
                back = tuple(c / 255 for c in colour(surprisal))
                ax.add_patch(Rectangle((column, line + 0.08), len(shown), 0.72, color=back, lw=0))
                back = tuple(c / 255 for c in colour(entropy))
                ax.add_patch(Rectangle((column, line + 0.82), len(shown), 0.12, color=back, lw=0))
            for i, character in enumerate(shown):
                ax.text(column + i + 0.5, line + 0.46, character, fontsize=7.2, family="monospace", ha="center",
                        va="center", parse_math=False)  # fmt: skip
            column += len(shown)
    return made


def nuclei(content: dict):
    """How many tokens each rule keeps, by temperature."""
    made = figure("At T 3 the nucleus holds most of the vocabulary; min-p keeps a tenth", (6.4, 3.6))
    ax = made.subplots()
    for name, c in (("top-p 0.9", BLUE), ("min-p 0.1", GREEN)):
        ax.plot(content["temperatures"], content[name], "o-", color=c)
        label(ax, content["temperatures"][-1], content[name][-1], name, c)
    ax.axhline(2048, color=GREY, ls="--")
    ax.text(content["temperatures"][0], 2048, "the whole vocabulary", color=GREY, va="bottom", fontsize=8)
    ax.set(yscale="log", xlabel="temperature", ylabel="tokens kept (median)")
    ax.margins(x=0.16)
    return made


def bench(content: dict):
    """Milliseconds of the three forms, for each job and case."""
    made = figure("On peaked rows, no sort is needed: the same tokens are kept in a fraction of the time", (8.4, 3.6))
    axes = made.subplots(1, 2, sharey=True)
    forms = (("transformers", GREY), ("plain", ORANGE), ("fast", BLUE))
    for ax, job in zip(axes, ("top-p", "T + top-k + top-p"), strict=True):
        for i, case in enumerate(content["cases"].values()):
            for j, (form, c) in enumerate(forms):
                times = case["milliseconds"][f"{job}: {form}"]
                ax.bar(i + 0.27 * (j - 1), median(times), 0.25, color=c, label=form if i == 0 else None)
                ax.vlines(i + 0.27 * (j - 1), min(times), max(times), color=BLACK, lw=0.8)
            limit = median(case["milliseconds"]["limit: one read of the logits"])
            ax.hlines(
                limit, i - 0.42, i + 0.42, color=PURPLE, lw=1.5, label="one read of the logits" if i == 0 else None
            )
        ax.set(yscale="log", title=job, xticks=range(len(content["cases"])))
        ax.set_xticklabels([name.replace(", ", "\n") for name in content["cases"]])
    axes[0].set_ylabel("ms a call")
    axes[1].legend(frameon=False, fontsize=8, loc="upper left")
    return made


def drafts(content: dict):
    """Tokens a pass against γ, measured and predicted."""
    made = figure("Tokens a pass follow from the acceptance; a draft that is the target keeps all", (6.8, 3.6))
    ax = made.subplots()
    for (name, gammas), c in zip(content["drafts"].items(), (ORANGE, BLUE, GREEN), strict=True):
        xs = [int(gamma) for gamma in gammas]
        middle = [median(r["tokens a pass"]) for r in gammas.values()]
        ax.plot(xs, middle, "o", color=c)
        ax.plot(xs, [r["expected"] for r in gammas.values()], "--", color=c, lw=1.2)
        label(ax, xs[-1], middle[-1], name, c)
    ax.text(0.02, 0.9, "points: measured, dashed: predicted", transform=ax.transAxes, color=GREY, fontsize=8)
    ax.set(xlabel="drafted tokens γ", ylabel="tokens a pass of the target")
    ax.margins(x=0.3)
    return made


def reasoning(content: dict):
    """Left: right answers with and without partial sums. Right: votes of sampled chains, with the jury."""
    made = figure("Written partial sums make the task learnable; the votes of chains that err come near the best one",
                  (10, 3.7))  # fmt: skip
    left, right = made.subplots(1, 2)
    steps = content["steps"]
    bars = (("the sum at once", "direct", GREY), (f"at once,\n{4 * steps} steps", "direct_longer", GREY),
            ("partial sums\nfirst", "chain", BLUE))  # fmt: skip
    for x, (_, key, color) in enumerate(bars):
        values = [100 * v for v in content[key]]
        left.bar(x, median(values), color=color, width=0.6)
        left.plot([x] * len(values), values, "_", color="black", ms=14)
        left.text(x, max(values) + 2, f"{median(values):.0f} %", ha="center")
    left.axhline(10, color=GREY, lw=1, ls=":")
    left.set_xticks(range(len(bars)), [name for name, *_ in bars])
    left.set(ylabel="% right, greedy", ylim=(0, 115))
    left.set_title(f"{content['digits']} digits added modulo 10, {steps} steps")
    for key, color, name in (("vote", BLUE, "measured"), ("jury", GREY, "a jury of two opinions")):
        columns = list(zip(*content[key], strict=True))
        middle = [100 * median(c) for c in columns]
        right.plot(content["votes"], middle, "o-", color=color, ms=4)
        right.vlines(content["votes"], [100 * min(c) for c in columns], [100 * max(c) for c in columns], color=color,
                     lw=1, alpha=0.5)  # fmt: skip
        label(right, content["votes"][-1], middle[-1] - 5, name, color)
    greedy = 100 * median(content["early"])
    right.axhline(greedy, color=ORANGE, ls="--", lw=1.2)
    right.text(content["votes"][0], greedy + 2, "one greedy chain", color=ORANGE)
    right.set(xlabel="sampled chains that vote", ylabel="% right", ylim=(0, 115), xlim=(0, 58))
    right.set_xticks(content["votes"])
    right.set_title("training ended early")
    return made
