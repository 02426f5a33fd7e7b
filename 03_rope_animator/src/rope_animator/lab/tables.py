"""Recorded results as markdown. Without an argument, each function takes the committed results."""

from . import markdown
from .bench import LIMITS, PEER
from .plots import name

FACTORS = ("1", "2", "4", "8")
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh")


def headline(section: dict | None = None) -> str:
    """Losses at 1, 2, 4 and 8 times the trained length."""
    section = section or markdown.section("headline")
    lengths = [f"{int(factor) * section['trained_len']} characters" for factor in FACTORS]
    rows = [["nats a character, mean ± sd", *lengths]]
    for method, entry in section["extrapolation"].items():
        cells = ["impossible"] * len(FACTORS)
        for i, factor in enumerate(FACTORS):
            if factor in entry["mean"]:
                cells[i] = f"{entry['mean'][factor]:.3f} ± {entry['sd'][factor]:.3f}"
        rows.append([name(method), *cells])
    return markdown.table(rows) + "\n\n" + markdown.meta_line(section) + "\n"


def bench(section: dict | None = None) -> str:
    """Time, ratio to the peer and to the limit, and memory."""
    section = section or markdown.section("bench")
    head = ["rotating q and k", "CPU ms", "times the peer's speed", "of the copy's bandwidth", "peak beyond q and k"]
    rows = [head]
    peer = section["fresh"][PEER]["median"]
    for condition, limit in LIMITS.items():
        for contender, seconds in section[condition].items():
            rows.append(
                [
                    f"{contender}, {condition}",
                    milliseconds(seconds),
                    f"{peer / seconds['median']:.1f}",
                    f"{100 * section[condition][limit]['median'] / seconds['median']:.0f} %",
                    peak(section, condition, contender),
                ]
            )
    return markdown.table(rows) + "\n\n" + markdown.meta_line(section) + "\n"


def milliseconds(seconds: dict) -> str:
    """Median and range in milliseconds."""
    median, low, high = (1000 * seconds[key] for key in ("median", "low", "high"))
    return f"{median:.0f} ({low:.0f}–{high:.0f})"


def peak(section: dict, condition: str, contender: str) -> str:
    """Memory that a call needs beyond its inputs."""
    if condition == "reused":
        return "none"
    size = section["peak_bytes"].get(contender)
    return "not measured" if size is None else f"{size / 2**20:.0f} MiB"


def goals(section: dict | None = None) -> str:
    """What was wanted of the fast form, and what was reached."""
    section = section or markdown.section("bench")
    peer = section["fresh"][PEER]["median"]
    rows = []
    for contender in ("ours, interleaved", "ours, half"):
        speed = peer / section["fresh"][contender]["median"]
        rows.append((f"{contender}: times the peer's speed, fresh", 1.5, speed, ""))
        for condition, limit in LIMITS.items():
            share = section[condition][limit]["median"] / section[condition][contender]["median"]
            note = "PyTorch has no operation that reads and writes two halves at once" if share < 0.7 else ""
            rows.append((f"{contender}: share of the copy's bandwidth, {condition}", 0.7, share, note))
    return markdown.goals(rows) + "\n"


def summary(results: dict | None = None) -> str:
    """The README's table: ours, the peer, the limit."""
    section = markdown.section("bench", results)
    rows = [["rotating q and k, CPU ms", "ours", "Llama in `transformers`", "limit: a copy"]]
    for condition, limit in LIMITS.items():
        for layout in ("interleaved", "half"):
            peer = section[condition].get(PEER)
            rows.append(
                [
                    f"{layout} layout, {'fresh results' if condition == 'fresh' else 'reused memory'}",
                    milliseconds(section[condition][f"ours, {layout}"]),
                    milliseconds(peer) if peer else "has no such form",
                    milliseconds(section[condition][limit]),
                ]
            )
    memory = [peak(section, "fresh", contender) for contender in ("ours, half", PEER, "clone")]
    rows.append(["peak memory beyond q and k, fresh", *memory])
    return markdown.table(rows) + "\n\n" + markdown.meta_line(section) + "\n"


def trial(section: dict | None = None) -> str:
    """What the grader said of attempts by someone who knew README and workbook only: first, and after the repairs."""
    trials = (section or markdown.section("trial"))["trials"]
    kinds = list(trials[0]["wrong"]["first"])
    rows, said = [["wrong attempts", "number", *kinds]], []
    for i, each in enumerate(trials):
        which = f"{ORDINALS[i]} trial"
        for run, counts in each["wrong"].items():
            rows.append([f"{which}, {run} run", str(sum(counts.values())), *(str(counts[kind]) for kind in kinds)])
        right = each["right"]
        last = f" and {right['last']} in its last" if "last" in right else ""
        said.append(
            f"Of {right['attempts']} right attempts in other styles of the {which}, {right['first']} were RIGHT in its "
            f"first run{last}. {each['date']}."
        )
    return f"{markdown.table(rows)}\n\n{' '.join(said)}\n"


def break_it(section: dict | None = None) -> str:
    """Outcomes of the experiments that break something."""
    section = section or markdown.section("break_it")
    rows = [["experiment", "variant", "outcome"]]
    for experiment, outcome in section["mean"].items():
        for variant, value in outcome.items():
            text = ", ".join(f"{v:.3f}" for v in value.values()) if isinstance(value, dict) else f"{value:.4g}"
            rows.append([experiment, variant, text])
    return markdown.table(rows) + "\n\n" + markdown.meta_line(section) + "\n"


def smollm2(section: dict | None = None) -> str:
    """Loss of a real model by position, for every scheme."""
    section = section or markdown.section("smollm2")
    length, block = section["trained_len"], section["block"]
    ends = [(int(f * length), f) for f in (0.5, 1, 1.5, 2, 3, 4)]
    rows = [["nats a token, the last 1,024 before", *(f"{end:,} ({f:g} ×)" for end, f in ends), "CPU-s"]]
    for scheme, curve in section["curves"].items():
        cells = [f"{curve[end // block - 1]:.2f}" for end, _ in ends]
        rows.append([scheme, *cells, f"{section['cpu_seconds'][scheme]:.0f}"])
    largest = max(max(errors) for errors in section["stderr"].values())
    note = (
        f"Standard error of a cell over its {block:,} tokens: at most {largest:.2f}; all schemes read the same text. "
        f"Memory at the peak: {section['peak_bytes'] / 2**30:.1f} GiB."
    )
    return markdown.table(rows) + "\n\n" + note + "\n\n" + markdown.meta_line(section) + "\n"
