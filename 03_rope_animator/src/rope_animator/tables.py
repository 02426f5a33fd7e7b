"""Recorded results as Markdown for the README, and as plain text for the terminal."""

from . import record
from .plots import name

FACTORS = ("1", "2", "4", "8")


def recorded(section: str) -> dict:
    """A section of the committed results."""
    return record.read(record.FOLDER / "results")[section]


def markdown(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "|".join([" --- ", *[" ---: "] * (len(head) - 1)]) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def circumstances(meta: dict) -> str:
    """Where, when and with what."""
    versions = ", ".join(f"{k} {v}" for k, v in meta["versions"].items())
    seeds = f"seeds {', '.join(map(str, meta['seeds']))}; " if meta["seeds"] else ""
    threads = "one thread" if meta["threads"] == 1 else f"{meta['threads']} threads"
    where = f"{meta['machine']}; {threads}; Python {meta['python']}, {versions}"
    return f"\n{where}; {seeds}commit {meta['commit']}, {meta['date']}.\n"


def loss_rows(found: dict) -> list[list[str]]:
    """Method, then mean ± standard deviation at each length."""
    rows = []
    for method, entry in found["extrapolation"].items():
        cells = [
            f"{entry['mean'][f]:.3f} ± {entry['sd'][f]:.3f}" if f in entry["mean"] else "impossible" for f in FACTORS
        ]
        rows.append([name(method), *cells])
    return rows


def headline(found: dict | None = None) -> str:
    """Losses at 1, 2, 4 and 8 times the trained length."""
    found = found or recorded("headline")
    head = ["nats a character, mean ± sd", *[f"{int(f) * found['length']} characters" for f in FACTORS]]
    return markdown(head, loss_rows(found)) + circumstances(found["meta"])


def terminal(found: dict) -> str:
    """The same without Markdown."""
    head = ["", *[str(int(f) * found["length"]) for f in FACTORS]]
    return "\n".join(f"{row[0]:22}" + "".join(f"{cell:>17}" for cell in row[1:]) for row in [head, *loss_rows(found)])


def bench(found: dict | None = None) -> str:
    """Time, ratio to the peer and to the limit, and memory."""
    found = found or recorded("bench")
    rows = []
    for where, limit in (("fresh", "clone"), ("reused", "copy_")):
        for contender, spread in found[where].items():
            peer = found["fresh"]["Llama in transformers"]["median"]
            peak = found["memory"].get(contender)
            memory = "none" if where == "reused" else f"{peak / 2**20:.0f} MiB" if peak else "not measured"
            rows.append(
                [
                    f"{contender}, {where}",
                    f"{1000 * spread['median']:.0f} ({1000 * spread['low']:.0f} to {1000 * spread['high']:.0f})",
                    f"{peer / spread['median']:.1f}",
                    f"{100 * found[where][limit]['median'] / spread['median']:.0f} %",
                    memory,
                ]
            )
    head = [
        "rotating q and k",
        "CPU ms, median (range)",
        "times the peer's speed",
        "of the copy's bandwidth",
        "peak beyond q and k",
    ]
    return markdown(head, rows) + circumstances(found["meta"])


def break_it(found: dict | None = None) -> str:
    """Outcomes of the experiments that break something."""
    found = found or recorded("break_it")
    rows = [
        [f"shuffle the tokens before the last: {k}", f"its logits move by {v:.1g}"]
        for k, v in found["shuffled"].items()
    ]
    learned = found["learned"]
    rows.append(["learned, within its table", f"{learned['within']:.3f}"])
    rows += [[f"learned, beyond, {how}", f"{learned[how]:.3f}"] for how in ("clamped", "wrapped")]
    for run in ("base 10", "base 10,000", "base 1,000,000", "a quarter turned"):
        losses = found[run]["losses"]
        rows.append([f"RoPE, {run}: at 1, 2, 4 times the length", ", ".join(f"{losses[f]:.3f}" for f in FACTORS[:3])])
    rows += [[f"RoPE, layout {k}", f"{v:.3f}"] for k, v in found["base 10,000"]["layout"].items()]
    return markdown(["switched on", "outcome (losses in nats a character)"], rows) + circumstances(found["meta"])
