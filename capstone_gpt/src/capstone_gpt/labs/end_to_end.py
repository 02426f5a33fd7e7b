"""One story: a training is broken, the doctor names the fault, the fault is repaired, and then the run is improved."""

from dataclasses import replace
from statistics import mean

from matplotlib.figure import Figure

from . import drawing
from .curves import train
from .doctor import POINTS, mean_of
from .faults import FAULTS, SCORED_ON, Setup
from .faulty_run import Run
from .probes import examine
from .rules import diagnose, signs

QUESTION = "A run learns, but slowly: which part is broken, what does the repair give, and what does tuning give?"
PREDICTION = "The repair gives more than all tuning together; or tuning gives as much."
FAULT = "gradients not zeroed"
CLEAN: Setup = replace(SCORED_ON["D"], steps=200)
IDEAS: dict[str, dict] = {
    "twice the rate": {"lr": CLEAN.lr * 2},
    "a warm-up of 5 steps": {"warmup_steps": 5},
    "betas of 0.8 and 0.95": {"betas": (0.8, 0.95)},
    "no weight decay": {"weight_decay": 0.0},
    "decay in a straight line": {"schedule": "linear"},
}
CONFIRMED_ON = (100, 101)  # seeds that no choice has seen


def trained(setup: Setup, seed: int) -> tuple[dict, float, list[float]]:
    """The curves of a run, its last validation loss, and its training loss at POINTS steps."""
    made = Run(setup, seed)
    curves = train(made)
    loss = curves["loss"]
    points = [mean_of(loss, i * len(loss) // POINTS, (i + 1) * len(loss) // POINTS) for i in range(POINTS)]
    return {"curves": curves, "facts": made.facts}, curves["valid"][-1], points


def run(*, seed: int = 0, quick: bool = False, log=print) -> dict:
    """Broken, named, repaired, improved one idea after the other, and confirmed on two other seeds."""
    short = {"steps": 24} if quick else {}
    clean = replace(CLEAN, **short)
    broken = FAULTS[FAULT].apply(clean)
    log("the broken run")
    logs, loss, points = trained(broken, seed)
    answer, reads = diagnose(signs(logs["curves"], logs["facts"]))
    probed, probe = examine(lambda: Run(broken, seed))
    log("repaired")
    _, repaired, repaired_points = trained(clean, seed)
    tried, setup, reached = [], clean, repaired
    for name, change in list(IDEAS.items())[: 1 if quick else None]:
        log(f"idea: {name}")
        _, found, found_points = trained(replace(setup, **change), seed)
        kept = found < reached
        tried.append({"idea": name, "loss": found, "kept": kept})
        if kept:
            setup, reached, best_points = replace(setup, **change), found, found_points
    log("on other seeds")
    confirmed = {"broken": broken, "repaired": clean, "improved": setup}
    seeds = CONFIRMED_ON[:1] if quick else CONFIRMED_ON
    losses = {name: [trained(s, number)[1] for number in seeds] for name, s in confirmed.items()}
    curves = {"broken": points, "repaired": repaired_points}
    if setup is not clean:
        curves["improved"] = best_points
    said = {"curves": answer, "reads": reads, "probes": probed, "probe": probe}
    return {"planted": FAULT, "doctor": said, "broken": loss, "repaired": repaired, "tried": tried, "improved": reached,
            "other seeds": losses, "losses": curves}  # fmt: skip


def outcome(result: dict) -> str:
    """The story in four numbers."""
    said, other = result["doctor"], {name: mean(values) for name, values in result["other seeds"].items()}
    kept = [one["idea"] for one in result["tried"] if one["kept"]]
    return (
        f"The broken run ends at {result['broken']:.2f} nats. Its curves say '{said['curves']}' ({said['reads']}), and "
        f"the probe '{said['probe']}' says '{said['probes']}'. Repaired it ends at {result['repaired']:.2f}; with "
        f"{', '.join(kept) or 'no idea kept'} at {result['improved']:.2f}. On seeds that no choice has seen: "
        f"{other['broken']:.2f}, {other['repaired']:.2f} and {other['improved']:.2f}."
    )


def figure(result: dict) -> Figure:
    """The three curves of training."""
    gain, tuning = result["broken"] - result["repaired"], result["repaired"] - result["improved"]
    made = drawing.figure(f"The repair of '{result['planted']}' gives {gain:.2f} nats, tuning {tuning:.2f}", (7.4, 4))
    ax = made.subplots()
    ends = []
    for (name, losses), color in zip(
        result["losses"].items(), (drawing.VERMILION, drawing.BLUE, drawing.GREEN), strict=False
    ):
        ax.plot(losses, color=color)
        ends.append((POINTS - 1, losses[-1], f"{name}: {result[name]:.2f}", color))
    ax.set(xlabel=f"share of the run, in {POINTS} parts", ylabel="training loss, nats (labels: validation)")
    ax.set_xlim(0, POINTS * 1.3)
    ax.set_xticks(range(0, POINTS + 1, 10))
    drawing.spread_labels(ax, ends)
    return made


def rows(result: dict) -> list[list[str]]:
    """The steps of the story."""
    said = result["doctor"]
    found = [["step", "validation loss", "decision"]]
    found.append([f"planted: {result['planted']}", f"{result['broken']:.3f}", f"curves: {said['curves']}"])
    found.append(["probes", "", f"{said['probe']}: {said['probes']}"])
    found.append(["repaired", f"{result['repaired']:.3f}", ""])
    for one in result["tried"]:
        found.append([f"idea: {one['idea']}", f"{one['loss']:.3f}", "kept" if one["kept"] else "not kept"])
    for name, values in result["other seeds"].items():
        found.append([f"other seeds, {name}", ", ".join(f"{v:.3f}" for v in values), ""])
    return found
