"""One table for each section, for the terminal, README and REPORT. Without a section, of the committed one."""

from statistics import median

from ..spans import noise_counts, raw_length
from .bench import COLLATOR, MASK_FAST, MASK_PLAIN, SPANS_FAST, SPANS_LOOP, SPANS_PLAIN, WANTED
from .experiment import FEWER, RAFFEL, UNTRAINED
from .markdown import goals, meta_line, section, spread, table

SAME = "greedy, the beam's sentences"
WORDS = {
    "causal": "causal: write",
    "prefix": "prefix: read, then write",
    "middle": "fill-in-the-middle",
    "spans": "span corruption",
    "masked": "masked: read",
    FEWER: FEWER,
    UNTRAINED: UNTRAINED,
}


def summary() -> str:
    """The README's table: at most six rows."""
    head, made, french = section("headline"), section("translation")["made"], section("french")
    size = next(iter(made))
    scores, curves = head["scores"], head["ladder"]["curves"]
    ends = {name: [curve[-1] for curve in runs] for name, runs in curves.items()}
    speed = rates(section("bench"))
    rows = [
        ("", "ours", "peer or limit"),
        (
            "next-token loss, nats: causal, masked",
            f"{spread(scores['causal']['next'])}, {spread(scores['masked']['next'])}",
            f"{spread(scores[UNTRAINED]['next'])} (untrained)",
        ),
        (
            "hidden characters guessed: causal, masked",
            f"{percent(scores['causal']['infill'])}, {percent(scores['masked']['infill'])}",
            f"{percent(scores[FEWER]['infill'])} (causal, as many labels)",
        ),
        (
            "training loss: labels not shifted, bidirectional mask",
            f"{spread(ends['labels not shifted'], 3)}, {spread(ends['bidirectional mask'], 3)}",
            f"{spread(ends['right'])} (right)",
        ),
        (
            "million tokens/s: span corruption, masking",
            f"{speed[SPANS_FAST]:.0f}, {speed[MASK_FAST]:.0f}",
            f"{speed[SPANS_LOOP]:.1f} ({SPANS_LOOP}), {speed[COLLATOR]:.0f} ({COLLATOR})",
        ),
        (
            f"BLEU, beam of 4: made language of {size} pairs, French of {french['pairs']:,}",
            f"{spread(made[size]['beam 4'], 1)}, {french['beam 4']:.1f}",
            f"{french[SAME]:.1f} (French, greedy)",
        ),
    ]
    return f"{table(rows)}\n\n{meta_line(head)}\n"


def percent(values: list[float]) -> str:
    return spread([100 * v for v in values], 1, "%")


def headline(content: dict | None = None) -> str:
    """The arena, then the ladder."""
    content = content or section("headline")
    return f"{arena(content)}\n\n{ladder(content['ladder'])}\n\n{meta_line(content)}\n"


def arena(content: dict) -> str:
    """Every objective's scores."""
    head = ("objective", "steps", "labels, thousand", "next token, nats", "infill", "probe: length of the word")
    rows = [head]
    for name, r in content["scores"].items():
        labels = f"{r['labels'] / 1e3:,.0f}"
        rows.append((WORDS[name], r["steps"], labels, spread(r["next"]), percent(r["infill"]), percent(r["probe"])))
    note = (
        f"{content['parameters']:,} parameters, {content['tokens']:,} characters read and "
        f"{content['flops'] / 1e12:.2f} TFLOP each; only the labels that count differ."
    )
    return f"{table(rows)}\n\n{note}"


def ladder(content: dict) -> str:
    """The training loss at the end of each curve."""
    rows = [("bug", f"training loss after {content['steps']} steps, nats")]
    rows += [(name, spread([curve[-1] for curve in runs], 3)) for name, runs in content["curves"].items()]
    return table(rows)


def raffel() -> str:
    """What Raffel et al. found at scale. Their numbers, not ours."""
    head = ("architecture and objective", "GLUE", "CNN/DM", "SQuAD", "SuperGLUE", "English–German")
    return table([head, *((name, *(f"{x:.2f}" for x in row)) for name, row in RAFFEL.items())]) + "\n"


def rates(content: dict) -> dict[str, float]:
    """Million tokens a second, from the median."""
    B, T = content["batch"]
    return {name: B * T / median(times) / 1e3 for name, times in content["milliseconds"].items()}


def bench(content: dict | None = None) -> str:
    """Ours, the peers, and the goals."""
    content = content or section("bench")
    times, speed = content["milliseconds"], rates(content)
    rows = [("", "ms a batch", "million tokens/s", "times ours")]
    for group in ((SPANS_FAST, SPANS_PLAIN, SPANS_LOOP), (MASK_FAST, MASK_PLAIN, COLLATOR)):
        for name in group:
            if name in times:
                ratio = median(times[name]) / median(times[group[0]])
                rows.append((name, spread(times[name]), f"{speed[name]:.1f}", f"{ratio:.2f}×"))
    million, loop, collator = WANTED
    wanted = [
        (f"span corruption, {million}", WANTED[million], speed[SPANS_FAST], ""),
        (f"span corruption, {loop}", WANTED[loop], speed[SPANS_FAST] / speed[SPANS_LOOP], ""),
    ]
    if COLLATOR in times:
        wanted.append((f"masking, {collator}", WANTED[collator], speed[MASK_FAST] / speed[COLLATOR], ""))
    B, T = content["batch"]
    note = f"Batches of {B} texts of {T} tokens; the drawing of random numbers is included."
    return f"{table(rows)}\n\n{note}\n\n{goals(wanted)}\n\n{meta_line(content)}\n"


def break_it(content: dict | None = None) -> str:
    """What each mistake did."""
    r = content or section("break_it")
    leak, masked, smooth = r["bidirectional mask"], r["mask 90 %"], r["smoothing 0.9"]
    labels = r["prefix of length 0 and T"]
    rows = [
        ("experiment", "what happens"),
        (
            "bidirectional mask, next-token labels",
            "; ".join(
                f"{name}: training loss {x['training']:.3f}, loss of a token that it cannot see {x['honest']:.2f}"
                for name, x in leak.items()
            ),
        ),
        (
            "mask 90 %",
            "; ".join(f"{n}: loss {x['training']:.2f}, infill {x['infill']:.0%}" for n, x in masked.items()),
        ),
        (
            "prefix of length 0 and T",
            "; ".join(
                f"{n} of 8: {x['labels']} labels{', ' + x['error'] if x['error'] else ''}" for n, x in labels.items()
            ),
        ),
        (
            "no sentinels",
            f"{r['no sentinels']['texts']} texts: {r['no sentinels']['pairs with sentinels']} different pairs with "
            f"sentinels, {r['no sentinels']['pairs without']} without",
        ),
        (
            "label smoothing",
            "; ".join(
                f"{n}: loss {x['loss']:.2f}, accuracy {x['accuracy']:.0%}, likeliest token {x['top']:.2f}"
                for n, x in smooth.items()
            ),
        ),
    ]
    note = f"Each model is trained for {r['steps']} steps, with one seed."
    return f"{table(rows)}\n\n{note}\n\n{meta_line(r)}\n"


def algebra() -> str:
    """How much text fills 512 inputs. Computed, not measured."""
    rows = [("density", "mean span", "tokens of text", "inputs", "targets", "hidden tokens", "spans")]
    for density, mean in ((0.15, 3.0), (0.5, 3.0), (0.5, 32.0), (0.15, 8.0)):
        T, targets = raw_length(512, density, mean)
        rows.append((f"{density:.0%}", f"{mean:g}", T, 512, targets, *noise_counts(T, density, mean)))
    return table(rows) + "\n"
