"""The doctor: names a fault of a training from its curves by rules, then from active probes.

faults.py, faulty_run.py   28 planted faults and nine healthy variations, and the run that has them
curves.py, rules.py        what a run logs, and the rules that read it
probes.py                  small experiments on the training itself

The thresholds of both were chosen on the sizes CHOSEN_ON; the sizes, seeds and one text of the score are others.
"""

from collections import Counter

from matplotlib.figure import Figure

from . import drawing
from .curves import train
from .faults import FAULTS, HEALTHY, SCORED_ON, Setup, named
from .faulty_run import Run
from .probes import examine
from .rules import diagnose, signs

QUESTION = "How many of 28 planted faults can be named from the curves of a run alone?"
PREDICTION = "A third, or three quarters, or all of them; some look like a healthy run."
SEEDS = (12,)
GOALS = {"by curves": 0.75, "with probes": 0.95}
POINTS = 40
REASONS = {
    "validation from training": "in so few steps nothing is memorised, so that both texts have about the same loss",
    "future seen": "attention must first learn where the next token stands; until then the loss is a usual one",
    "targets shifted twice": "the token after the next can be guessed too; the run looks like a slow one",
    "attention scaled up": "at the start scores are so small that attention is nearly even, scaled up or not",
    "dropout too high": "the stream passes the dropped branches by, and the model learns nearly as well",
}


def run(*, seed: int = 0, quick: bool = False, log=print) -> dict:
    """Train each fault and each healthy variation on sizes and seeds of the score, and ask for the fault's name.

    74 runs of about two CPU seconds each with their probes, two to three minutes together: it is the one lab that
    takes longer than forty seconds. A quick run has three short ones.
    """
    sizes, seeds, names = SCORED_ON, [s + seed for s in SEEDS], [*HEALTHY, *FAULTS]
    if quick:
        sizes, seeds, names = {"C": SCORED_ON["C"]}, seeds[:1], ["clean", "ascent", "same batch"]
    cases, losses = [], {}
    for size, clean in sizes.items():
        for number in seeds:
            log(f"size {size}, seed {number}")
            for name in names:
                case, loss = examined(name, clean, number, 24 if quick else None)
                cases.append({"size": size} | case)
                losses.setdefault(name, loss)
    return {"cases": cases, "losses": losses, "score": score(cases)}


def examined(name: str, clean: Setup, seed: int, steps: int | None = None) -> tuple[dict, list[float]]:
    """One run, what the rules and the probes say of it, and its training loss at POINTS steps."""
    setup = named(name).apply(clean)
    made = Run(setup, seed)
    curves = train(made, steps)
    answer, reads = diagnose(signs(curves, made.facts))
    probed, probe = examine(lambda: Run(setup, seed))
    loss = curves["loss"]
    points = [mean_of(loss, i * len(loss) // POINTS, (i + 1) * len(loss) // POINTS) for i in range(POINTS)]
    case = {"name": name, "seed": seed, "curves": answer, "reads": reads, "probes": probed, "probe": probe}
    return case, points


def mean_of(values: list[float], first: int, end: int) -> float | None:
    """The mean of a piece; None where it is not a number, because JSON has none."""
    piece = values[first : max(end, first + 1)]
    mean = sum(piece) / len(piece)
    return mean if mean == mean else None


def score(cases: list[dict]) -> dict:
    """Shares of faults named, and of kinds; healthy runs accused; what missed faults were taken for."""
    faulty = [case for case in cases if case["name"] in FAULTS]
    healthy = [case for case in cases if case["name"] in HEALTHY]
    kind = {name: fault.kind for name, fault in FAULTS.items()} | {"clean": "none"}
    found: dict = {"faulty runs": len(faulty), "healthy runs": len(healthy)}
    for way, key in (("by curves", "curves"), ("with probes", "probes")):
        found[way] = sum(case[key] == case["name"] for case in faulty) / len(faulty)
        found[f"kind {way}"] = sum(kind[case[key]] == kind[case["name"]] for case in faulty) / len(faulty)
        found[f"accused {way}"] = sum(case[key] != "clean" for case in healthy)
        found[f"missed {way}"] = [[c["name"], c[key]] for c in faulty if c[key] != c["name"]]
    return found


def outcome(result: dict) -> str:
    """The score, and what the curves took the missed faults for."""
    s = result["score"]
    missed = Counter(name for name, _ in s["missed by curves"])
    clean = sum(answer == "clean" for _, answer in s["missed by curves"])
    names = ", ".join(missed) or "none"
    runs = f"{s['faulty runs']} faulty runs"
    accused = f"{s['accused by curves']} and {s['accused with probes']} of {s['healthy runs']} healthy runs are accused"
    goals = [f"{way}: {goal:.0%}" for way, goal in GOALS.items() if s[way] < goal]
    goals += [f"no healthy run accused {way}" for way in GOALS if s[f"accused {way}"]]
    return (
        f"From curves alone {s['by curves']:.0%} of {runs} are named, with probes {s['with probes']:.0%}; {accused}. "
        f"The curves miss: {names}. In {clean} of {sum(missed.values())} misses they look healthy. "
        f"Goals missed: {', '.join(goals) or 'none'}."
    )


def figure(result: dict) -> Figure:
    """The training loss of each fault beside that of a clean run, in the colour of who names it."""
    s, clean = result["score"], result["losses"]["clean"]
    claim = f"Curves name {s['by curves']:.0%} of the faulty runs, probes {s['with probes']:.0%}"
    names = [name for name in result["losses"] if name in FAULTS]
    rows_needed = -(-len(names) // 7)
    made = drawing.figure(f"{claim}. Training loss of each fault; grey: a clean run", (11, 1.35 * rows_needed + 1.1))
    axes = made.subplots(rows_needed, min(7, len(names)), sharex=True, sharey=True, squeeze=False).flatten()
    missed, top = Counter(name for name, _ in s["missed by curves"]), 1.4 * clean[0]
    for ax, name in zip(axes, names, strict=False):
        color = drawing.VERMILION if missed[name] else drawing.BLUE
        values = [float("nan") if v is None else min(v, top) for v in result["losses"][name]]
        ax.plot(clean, color=drawing.GREY, lw=1)
        ax.plot(values, color=color, lw=1.5)
        note = f"{name}\n(missed {missed[name]}×)" if missed[name] else name
        ax.set_title(note, fontsize=7, color=color, loc="left")
        ax.set(ylim=(0, top), xticks=[])
        if values[0] != values[0]:
            ax.text(POINTS / 2, top / 2, "not a number", ha="center", fontsize=8, color=color)
    for ax in axes[len(names) :]:
        ax.set_visible(False)
    made.supylabel("nats a character (cut off at the top)", fontsize=9)
    return made


def rows(result: dict) -> list[list[str]]:
    """A row for each fault: how often it is named, by which sign, and why not."""
    found = [["kind", "fault", "named by curves", "by probes", "what the curves show", "the probe", "why it is missed"]]
    for name in [n for n in FAULTS if n in result["losses"]]:
        cases = [case for case in result["cases"] if case["name"] == name]
        right = [case for case in cases if case["curves"] == name]
        probed = [case for case in cases if case["probes"] == name]
        reads = right[0]["reads"] if right else f"taken for: {cases[0]['curves']}"
        why = "" if len(right) == len(cases) else REASONS.get(name, "")
        shares = [f"{len(some)} of {len(cases)}" for some in (right, probed)]
        found.append([FAULTS[name].kind, name, *shares, reads, probed[0]["probe"] if probed else "", why])
    return found
