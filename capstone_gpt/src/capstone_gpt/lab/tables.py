"""One table for each section, for the terminal, README and REPORT. Without a section, of the committed one."""

from math import log
from statistics import mean, median, stdev

from . import record
from .bench import ratio
from .labs import lab_tables
from .markdown import goals, meta_line, section, spread, table


def finished(rows, content: dict) -> str:
    return f"{table(rows)}\n\n{meta_line(content)}\n"


def summary() -> str:
    """The README's table: at most six rows."""
    head, timed = section("headline"), section("bench")
    gpt, counts = head["gpt"], head["counts"]
    killed, peer = head["killed"], timed["peer"]
    rows = [
        ("Shakespeare by characters", "ours", "peer or limit"),
        (
            "loss, nanoGPT's validation",
            spread(gpt["peer_loss"], 3),
            f"1.909 (nanoGPT's recipe for a CPU; trained here {peer['peer_loss']:.3f})",
        ),
        ("CPU seconds to it", spread(gpt["cpu_s"], 1), f"{peer['cpu_s']:.0f} (nanoGPT's recipe, trained here)"),
        ("loss of counts alone, all windows", f"{counts['loss']:.3f}", f"in {counts['cpu_s']:.1f} CPU seconds"),
        ("runs killed with SIGKILL that end with other bits", len(killed["different"]), f"of {len(killed['points'])}"),
    ]
    return finished(rows, head)


def headline(content: dict | None = None) -> str:
    """Counts and GPT, then each modernisation removed."""
    c = content or section("headline")
    gpt = c["gpt"]
    losses = spread(gpt["loss"], 3), spread(gpt["peer_loss"], 3)
    rows = [
        ("", "loss, all windows", "loss, nanoGPT's validation", "CPU seconds"),
        (f"counts, {c['counts']['order']}-grams", f"{c['counts']['loss']:.3f}", "", f"{c['counts']['cpu_s']:.2f}"),
        (f"GPT, {c['parameters']:,} parameters, {c['steps']} steps", *losses, spread(gpt["cpu_s"], 1)),
    ]
    return f"{table(rows)}\n\n{removed(c)}"


def removed(content: dict | None = None) -> str:
    """What each modernisation is worth: the loss without it."""
    c = content or section("headline")
    base = mean(c["removed"]["nothing"]["loss"])
    rows = [("removed", "loss", "change", "ms a step")]
    for name, run in c["removed"].items():
        change = "" if name == "nothing" else f"{mean(run['loss']) - base:+.3f}"
        rows.append((name, spread(run["loss"], 3), change, spread(run["ms"], 1)))
    return finished(rows, c)


def samples(content: dict | None = None, name: str = "headline") -> str:
    """The gallery of a run, as preformatted text."""
    c = content or section(name)
    return "\n".join(f"**{setting}**\n\n```text\n{text.strip()}\n```\n" for setting, text in c["samples"].items())


def bench(content: dict | None = None) -> str:
    """Steps beside nanoGPT's recipe, then loading."""
    c = content or section("bench")
    rows = [("", "CPU ms")] + [(name, spread(values, 1)) for name, values in c["ms"].items()]
    load = [("a batch of 12 windows", "µs")] + [(name, f"{value:,.0f}") for name, value in c["loading"].items()]
    text = f"{table(rows)}\n\n{table(load)}\n"
    if "peer" in c:
        p = c["peer"]
        text += f"\nnanoGPT's recipe, trained to its end in this run: loss {p['loss']:.3f} on all windows, "
        text += f"{p['peer_loss']:.3f} on its own validation, {p['cpu_s']:.0f} CPU seconds.\n"
    return f"{text}\n{meta_line(c)}\n"


def goal_table() -> str:
    """The goals that stood before the measurements."""
    head, timed, spent = section("headline"), ratio(section("bench")), section("budget")
    loss = head["gpt"]["peer_loss"]
    note = f"± {stdev(loss):.3f}" if len(loss) > 1 else ""
    low = [
        ("mean loss of the seeds, nanoGPT's validation", 1.909, mean(loss), note),
        ("forward and backward of nanoGPT's shape", 0.65, timed["both ways"], "bfloat16 and explicit attention"),
        ("a GPT alone in 120 CPU seconds, all windows", 1.64, spent["gpt"], f"{spent['cpu_s']:.0f} CPU seconds"),
        ("the mean of its probabilities and the counts'", 1.51, spent["mixed"], "equal weights, fixed beforehand"),
    ]
    high = [("CPU seconds less than nanoGPT's recipe", 12, timed["cost"], "steps × milliseconds, one run")]
    return f"{goals(low, at_most=True)}\n\n{goals(high)}\n"


def budget(content: dict | None = None) -> str:
    """Counts, GPT, and both."""
    c = content or section("budget")
    rows = [
        ("", "loss, all windows", "goal", "CPU seconds"),
        (f"counts, {c['counts']['order']}-grams", f"{c['counts']['loss']:.3f}", "", f"{c['counts']['cpu_s']:.1f}"),
        (f"GPT, {c['steps']:,} steps", f"{c['gpt']:.3f}", "≤ 1.64", f"{c['cpu_s']:.0f}"),
        ("the mean of their probabilities", f"{c['mixed']:.3f}", "≤ 1.51", ""),
    ]
    return finished(rows, c)


def break_it(content: dict | None = None) -> str:
    """What each mistake did."""
    c = content or section("break_it")
    rows = [("mistake", "outcome")]
    for name, step in c["resume"].items():
        outcome = "every later loss is equal" if step is None else f"the loss of step {step} is the first that differs"
        rows.append((f"resumed after step 6 without restoring {name}", outcome))
    rows.append(("mean of means, 3 and 300 targets", f"gradient off by {c['mean of means']['mean of means']:.0%}"))
    rows.append(("clipped before the scale is taken out", f"a step of {c['clip']['share']:.1e} of the right length"))
    for name, equal in c["evaluation"].items():
        rows.append((f"evaluation on {name} every third step", f"{'equal' if equal else 'OTHER'} final weights"))
    for name, (train, valid) in c["targets"].items():
        rows.append((f"targets {name}", f"training loss {train:.3f}, validation {valid:.2f}"))
    return finished(rows, c)


def long(content: dict | None = None) -> str:
    """What the long run has reached."""
    c = content or section("long")
    sizes = [f"{c[name]:,}" for name in ("parameters", "steps", "tokens")]
    repeated = f"{c['repeated']:,} steps were repeated after kills, {c['repeated steps differ']} of them differ"
    rows = [
        ("parameters", "steps", "tokens", "validation loss, nats a byte", "CPU minutes", "wall minutes", "kills"),
        (*sizes, f"{c['valid_loss']:.3f}", f"{c['cpu_s'] / 60:.1f}", f"{c['wall_s'] / 60:.0f}", repeated),
    ]
    return finished(rows, c)


def long_device(content: dict | None = None) -> str:
    """The long run on a GPU: what it reached, how fast, and its curve. One sentence where none is recorded."""
    c = content or record.read(record.COMMITTED).get("long_cuda")
    if c is None:
        return "No run on a GPU is recorded.\n"
    ways = ", ".join(f"{name} {ms:.1f}" for name, ms in c.get("ms", {}).items())
    whole, model = c["all"], c["config"]["model"]
    rows = [
        ("", c["device"]),
        ("CUDA, GiB used", f"{c['cuda']}, {c['memory_gib']:.1f}"),
        ("parameters, layers, width", f"{c['parameters']:,}, {model['n_layer']}, {model['n_embd']}"),
        ("steps, tokens, minutes", f"{c['steps']:,}, {c['tokens']:,}, {c['wall_s'] / 60:.1f}"),
        ("milliseconds a step, timed before the run", ways),
        ("tokens/s", spread(c["tokens/s"], 0)),
        ("bf16 product of 8,192³, TFLOP/s", spread([r / 1e12 for r in c["peak"]], 0)),
        ("share of it that the run reaches", f"{c['share']:.1%}"),
        (f"validation, all {whole['windows']:,} windows", f"{whole['loss']:.3f} nats, {whole['bits']:.3f} bits a byte"),
        ("validation, the CPU run's windows", f"{c['valid_loss']:.3f} nats"),
    ]
    why = f"{c['why']}\n\n" if c.get("why") else ""
    return f"{table(rows)}\n\n{why}{curve(c)}\n{samples(c)}\n{meta_line(c)}\n"


def curve(c: dict, most: int = 10) -> str:
    """Validation loss at up to ten steps, evenly spaced, the last one among them."""
    points = list(c["valid"].items())
    every = max(1, -(-len(points) // most))
    rows = [("step", "million tokens", "validation, nats", "bits a byte")]
    for step, nats in points[::-1][::every][::-1]:
        tokens = int(step) * c["tokens"] / c["steps"] / 1e6
        rows.append((f"{int(step):,}", f"{tokens:.1f}", f"{nats:.3f}", f"{nats / log(2):.3f}"))
    return f"{table(rows)}\n"


def climb(content: dict | None = None) -> str:
    """Each rung at each budget."""
    c = content or section("climb")
    budgets = c["budgets"]
    rows = [("rung", "parameters", *(f"{b:g} CPU-s" for b in budgets))]
    for name, rung in c["rungs"].items():
        rows.append((name, f"{rung['parameters']:,}", *(f"{median(rung['loss'][str(b)]):.3f}" for b in budgets)))
    return finished(rows, c)


def labs(content: dict | None = None) -> str:
    """Each recorded lab: question, table, outcome."""
    return lab_tables(content)


def trial(content: dict | None = None) -> str:
    """What the grader said of attempts by someone who knew README and workbook only: first, and after the repairs."""
    trials = (content or section("trial"))["trials"]
    kinds = list(trials[0]["wrong"]["first"])
    rows, said = [("wrong attempts", "number", *kinds)], []
    for name, each in zip(("first trial", "second trial"), trials, strict=True):
        for run in ("first", "last"):
            counts = each["wrong"][run]
            rows.append((f"{name}, {run} run", sum(counts.values()), *(counts[kind] for kind in kinds)))
        right = each["right"]
        said.append(
            f"Of {right['attempts']} right attempts in other styles of the {name}, {right['first']} were RIGHT in its "
            f"first run and {right['last']} in its last. {each['refused']} {each['date']}."
        )
    return f"{table(rows)}\n\n{' '.join(said)}\n"
