"""Recorded results as markdown, for README and REPORT."""

from statistics import median

from ..allocate import GOPHER, H100, dollars, gpu_hours
from .bench import GOALS, MINIMUM, OURS, PEER
from .markdown import goals, meta_line, section, spread, table
from .plots import miss

SYMBOLS = {"alpha": "α", "beta": "β", "E": "E", "size exponent": "β / (α + β)"}


def summary() -> str:
    """README's table: ours, peer or limit."""
    head, fast = section("headline"), section("bench")
    own, refitted = head["own law"], head["refit"]
    ratios = head["tokens a parameter"]
    peak = next(p for p in head["double descent"]["linear"] if p["gamma"] == 1.5)
    rows = [("", "ours", "peer or limit")]
    losses = [p["loss"] for p in own["held out"]]
    rows.append(
        ("loss of a larger run: predicted, then trained", f"{own['prediction']['loss']:.3f}", spread(losses, 3))
    )
    rows.append(
        (
            "objective on Hoffmann's points, × 10⁻³",
            f"{1e3 * refitted['objective']:.4f}",
            f"{1e3 * refitted['objectives of the published laws']['Besiroglu 2024']:.4f} (published fit)",
        )
    )
    rows.append(
        ("seconds of that fit", spread(fast["seconds"][OURS], 3), f"{spread(fast['seconds'][PEER], 2)} (L-BFGS-B)")
    )
    rows.append(
        (
            "tokens a parameter at Gopher's budget",
            f"{ratios['our refit']['D/N']:.1f}",
            f"{ratios['Hoffmann 2022, as printed']['D/N']:.1f} (as printed), 20 (Chinchilla)",
        )
    )
    rows.append(("risk at 1.5 features a sample", spread(peak["risks"]), f"{peak['theory']:.2f} (Hastie et al.)"))
    return f"{table(rows)}\n\n{meta_line(head)}\n"


def headline(content: dict | None = None) -> str:
    """All parts of the headline."""
    content = content or section("headline")
    parts = [own_law(content["own law"])]
    parts.append(refit(content["refit"]) if content["refit"] else NO_POINTS)
    parts += [tokens_a_parameter(content["tokens a parameter"]), descent(content["double descent"])]
    return "\n\n".join([*parts, meta_line(content)]) + "\n"


NO_POINTS = "The file of Hoffmann's points is not on this machine, so the refit was left out: see `HARDWAY_DATA`."


def own_law(r: dict) -> str:
    """The grid, the law with and without embeddings, the prediction."""
    tokens = sorted({p["D"] for p in r["points"]})
    rows = [("layers × width", "N", "with embedding", *(f"loss, {d:,} tokens" for d in tokens))]
    for layers, width in sorted({(p["layers"], p["d_model"]) for p in r["points"]}):
        mine = [p for p in r["points"] if (p["layers"], p["d_model"]) == (layers, width)]
        losses = [spread([p["loss"] for p in mine if p["D"] == d], 3) for d in tokens]
        rows.append((f"{layers} × {width}", f"{mine[0]['N']:,}", f"{mine[0]['N with embeddings']:,}", *losses))
    laws = [("N counts", "E", "A", "B", "α", "β", "β / (α + β)", "rms log error")]
    for name, words in (("N", "no embedding"), ("N with embeddings", "the embedding too")):
        law, ends = r[name]["law"], r[name]["intervals"]
        value = {**law, "size exponent": law["beta"] / (law["alpha"] + law["beta"])}
        cells = {k: f"{value[k]:.2f} ({ends[k][0]:.2f}–{ends[k][1]:.2f})" for k in ends}
        laws.append(
            (
                words,
                cells["E"],
                f"{law['A']:.3g}",
                f"{law['B']:.3g}",
                cells["alpha"],
                cells["beta"],
                cells["size exponent"],
                f"{r[name]['rms log error']:.1%}",
            )  # fmt: skip
        )
    return f"{table(rows)}\n\n{table(laws)}\n\n{prediction(r)}"


def prediction(r: dict) -> str:
    """What was said before, and what came."""
    target, losses = r["prediction"], [p["loss"] for p in r["held out"]]
    low, high = target["band"]
    largest = max(p["C"] for p in r["points"])
    times = r["held out"][0]["C"] / largest
    where = "inside" if r["inside"] else "outside"
    return (
        f"Predicted before it was trained: {target['loss']:.3f} nats for {target['N']:,} parameters on {target['D']:,} "
        f"tokens, {times:.1f} times the compute of the largest run of the grid. Trained: {spread(losses, 3)}. The mean "
        f"misses the prediction by {miss(r):.1%} and is **{where}** the law's {r['level']:.0%} band "
        f"({low:.3f}–{high:.3f})."
    )


def refit(r: dict) -> str:
    """The refit beside what was published, and its errors."""
    law, error = r["law"], r["standard errors"]
    rows = [("", "E", "A", "B", "α", "β", "objective × 10³")]
    rows.append(
        (
            "our refit (standard errors)",
            *(f"{law[k]:.4g} ({error[k]:.2g})" for k in ("E", "A", "B", "alpha", "beta")),
            f"{1e3 * r['objective']:.6f}",
        )  # fmt: skip
    )
    from ..chinchilla import PUBLISHED

    for name, other in PUBLISHED.items():
        objective = r["objectives of the published laws"][name]
        rows.append(
            (
                name,
                f"{other.E:g}",
                f"{other.A:g}",
                f"{other.B:g}",
                f"{other.alpha:g}",
                f"{other.beta:g}",
                f"{1e3 * objective:.3f}",
            )  # fmt: skip
        )
    kept = r["with the outliers"]
    rows.append(
        (
            "with the five outliers",
            *(f"{kept['law'][k]:.4g}" for k in ("E", "A", "B", "alpha", "beta")),
            f"{1e3 * kept['objective']:.3f} (245 points)",
        )  # fmt: skip
    )
    low, _, high = r["size exponent"]
    exponents = [("", "on these points", "published")]
    for number, published in ((1, "0.50"), (2, "0.49"), (3, "0.46")):
        words = f"{r[f'approach {number}']:.3f}" + (f" ({low:.3f}–{high:.3f})" if number == 3 else "")
        exponents.append((f"approach {number}: exponent of N", words, published))
    note = (
        f"{r['points']} points read off a figure; errors from {r['resamples']:,} resamples. The printed exponents have "
        "two digits; the TeX source of the paper has four. Both are no minimum of these points."
    )
    return f"{table(rows)}\n\n{table(exponents)}\n\n{note}"


def tokens_a_parameter(r: dict) -> str:
    """N, D and D / N at Gopher's budget."""
    rows = [(f"{GOPHER:g} FLOPs, by", "N × 10⁹", "D × 10⁹", "tokens a parameter")]
    rows += [(name, f"{v['N'] / 1e9:.1f}", f"{v['D'] / 1e9:,.0f}", f"{v['D/N']:.1f}") for name, v in r.items()]
    speed = f"{H100.utilization:.0%} of {H100.peak_flops / 1e12:.0f} TFLOP/s"
    cost = f"On {H100.name} at {speed} and ${H100.dollars_per_hour:g} an hour"
    return (
        f"{table(rows)}\n\n{cost}, this budget takes {gpu_hours(GOPHER, H100):,.0f} GPU-hours and "
        f"{dollars(GOPHER, H100) / 1e6:.2f} million dollars. Prices change: put in your own."
    )


def descent(r: dict) -> str:
    """Ridgeless risk beside the theory, and random features."""
    rows = [("features a sample", "simulated risk", "theory")]
    rows += [(f"{p['gamma']:g}", spread(p["risks"], 3), f"{p['theory']:.3f}") for p in r["linear"]]
    features = [("random features a sample", "test error")]
    features += [(f"{p['gamma']:g}", spread(p["risks"], 3)) for p in r["random features"]]
    return f"{table(rows)}\n\n{table(features)}"


def bench(content: dict | None = None) -> str:
    """Ours beside SciPy's, and the goals."""
    content = content or section("bench")
    ours = median(content["seconds"][OURS])
    rows = [("", "CPU seconds", "times ours", "objective × 10³", "starts that reached it")]
    for name, seconds in content["seconds"].items():
        reached = content["reached"].get(name, "")
        objective = 1e3 * content["objective"][name]
        rows.append((name, spread(seconds, 3), f"{median(seconds) / ours:.1f}", f"{objective:.6f}", reached))
    lowest = MINIMUM if content["points"] == "published" else min(content["objective"].values())
    count, seconds = content["resamples"]["count"], content["resamples"]["seconds"]
    wanted = [
        ("seconds of the fit", GOALS["seconds of the fit"], ours, "40 starts"),
        ("objective / minimum", GOALS["objective / minimum"], content["objective"][OURS] / lowest, "by every method"),
        (
            "seconds of 4,000 resamples",
            GOALS["seconds of 4,000 resamples"],
            seconds * 4000 / count,
            f"{count:,} measured",
        ),
    ]
    note = f"The points are {content['points']}. SciPy's tolerances are as tight as its methods allow."
    return f"{table(rows)}\n\n{note}\n\n{goals(wanted, at_most=True)}\n\n{meta_line(content)}\n"


def break_it(content: dict | None = None) -> str:
    """What each mistake did."""
    r = content or section("break_it")
    half, rate, out = r["fit half of the range"], r["one rate for all sizes"], r["keep the five outliers"]
    ten, far, early = r["ten points of noise 0.3"], r["extrapolate ten decades"], r["the mean for the sum"]
    rates = [f"{name}: " + ", ".join(f"{v:.2f}" for v in rate[name]) for name in list(rate)[1:]]
    bands = [f"{d} decades {v['low']:.2f}–{v['high']:.2f}, truth {v['truth']:.2f}" for d, v in far.items()]
    rows = [("experiment", "what happens")]
    rows.append(
        (
            "fit half of the range",
            f"Loss at 10¹⁰, truth {half['truth at 1e10']:.2f}: a line says {half['half']['straight']:.2f} from the "
            f"half and {half['whole']['straight']:.2f} from the whole; with a floor {half['half']['bent']:.2f} and "
            f"{half['whole']['bent']:.2f}.",
        )  # fmt: skip
    )
    widths = ", ".join(map(str, rate["widths"]))
    rows.append(("one rate for all sizes", f"Loss at widths {widths}. " + ". ".join(rates) + "."))
    rows.append(
        (
            "keep the five outliers",
            f"Tokens a parameter, truth {out['truth']:.0f}: Huber {out['Huber, without']:.0f} without and "
            f"{out['Huber, with']:.0f} with them; squares {out['squares, with']:.0f} with them.",
        )  # fmt: skip
    )
    few, many = ten["10"], ten["1000"]
    rows.append(
        (
            "ten points of noise 0.3",
            f"80 % interval of a loss, truth {ten['truth']:.3f}: {few['low']:.3f}–{few['high']:.3f} from ten points, "
            f"{many['low']:.3f}–{many['high']:.3f} from a thousand.",
        )  # fmt: skip
    )
    rows.append(("extrapolate ten decades", "A straight line's 80 % band: " + "; ".join(bands) + "."))
    total, average = early["sum"], early["mean"]
    rows.append(
        (
            "the mean for the sum",
            f"SciPy at its default tolerances: the sum ends at {total['objective']:.4f} of the minimum "
            f"({total['ratio']:.0f} tokens a parameter), the mean at {average['objective']:.4f} "
            f"({average['ratio']:.0f}). Within 1 % came {total['starts within 1 %']} and "
            f"{average['starts within 1 %']} of {total['starts']} starts.",
        )  # fmt: skip
    )
    return f"{table(rows)}\n\n{meta_line(r)}\n"


def embeddings(content: dict | None = None) -> str:
    """What counting the embedding does to the exponent of the best size, for README."""
    own = (content or section("headline"))["own law"]
    without, counted = (own[name]["law"] for name in ("N", "N with embeddings"))
    a, b = (law["beta"] / (law["alpha"] + law["beta"]) for law in (without, counted))
    return (
        f"The same 60 runs advise N ∝ C^{a:.2f} when N leaves the embedding out, as Kaplan's does, and C^{b:.2f} when "
        f"it counts it, as Chinchilla's does. That is the direction in which 2020 and 2022 differ (0.73 and 0.50). "
        f"The grid does not know its floor: E is {without['E']:.2f} in one fit and {counted['E']:.2f} in the other."
    )


def sentence() -> str:
    """The prediction, for README."""
    return prediction(section("headline")["own law"])


def trial(content: dict | None = None) -> str:
    """What the grader said of attempts by one who knew README and workbook only: first, and after the repairs."""
    trials = (content or section("trial"))["trials"]
    kinds = list(trials[0]["wrong"]["first"])
    rows, said = [("wrong attempts", "number", *kinds)], []
    for name, each in zip(("first trial", "second trial"), trials, strict=True):
        for run in ("first", "last"):
            counts = each["wrong"][run]
            rows.append((f"{name}, {run} run", sum(counts.values()), *(counts[kind] for kind in kinds)))
        right, note = each["right"], f" {each['note']}" if "note" in each else ""
        said.append(
            f"Of {right['attempts']} right attempts of the {name}, {right['first']} were RIGHT in its first run and "
            f"{right['last']} in its last.{note} {each['date']}."
        )
    return f"{table(rows)}\n\n{' '.join(said)}\n"
