"""The bench's tables: ours beside each peer, the goal, and whether it was met."""

import statistics
from collections.abc import Sequence

from . import markdown

GOALS = {
    ("train", "rustbpe"): (3.0, "at most"),
    ("train", "tokenizers"): (1.0, "at most"),
    ("train", "tokenizers, in paragraphs"): (1.0, "at most"),
    ("ours, cold", "tokenizers, batch of paragraphs"): (2.5, "at least"),
    ("ours, cold", "tiktoken"): (0.4, "at least"),
    ("ours, warm", "tiktoken"): (0.65, "at least"),
}
ENCODE_HEAD = ["who", "CPU seconds", "MB/s", "our speed, cold ÷ theirs", "warm ÷ theirs", "goal"]


def train(section: dict) -> str:
    """Training: CPU seconds, and ours over each peer."""
    rows = [["vocabulary", "who", "CPU seconds", "MB/s", "ours ÷ theirs", "goal"]]
    for size, run in section["train"].items():
        for name, seconds in run["seconds"].items():
            ratio = run["over"].get(name, [])
            row = [f"{int(size):,}", name, markdown.spread(seconds, 3), rate(section["bytes"], seconds)]
            rows.append([*row, markdown.spread(ratio), verdict(("train", name), ratio)])
    return markdown.table(rows)


def encode(section: dict) -> str:
    """Encoding: CPU seconds and MB/s, and our speed over each peer's, cold and warm."""
    rows = [["vocabulary", *ENCODE_HEAD]]
    for size, run in section["encode"].items():
        rows += encode_rows(f"{int(size):,}", run, section["bytes"])
    return markdown.table(rows)


def scripts(section: dict) -> str:
    """The same on 25 languages at once, hardly any of it ASCII. Nothing where their file was not at hand."""
    run = section.get("scripts")
    if not run:
        return ""
    return markdown.table([["text", *ENCODE_HEAD], *encode_rows("25 languages", run, run["bytes"], goals=False)])


def encode_rows(label: str, run: dict, size: int, goals: bool = True) -> list[list[str]]:
    """One row for each side."""
    rows = []
    for name, seconds in run["seconds"].items():
        ratios = {state: run["speed_over"].get(f"ours, {state} / {name}", []) for state in ("cold", "warm")}
        verdicts = {state: verdict((f"ours, {state}", name), ratio) for state, ratio in ratios.items()} if goals else {}
        goal = "; ".join(f"{state} {text}" for state, text in verdicts.items() if text)
        row = [label, name, markdown.spread(seconds, 3), rate(size, seconds)]
        rows.append([*row, *map(markdown.spread, ratios.values()), goal])
    return rows


def rate(size: int, seconds: Sequence[float]) -> str:
    """Megabytes per CPU second."""
    return f"{size / statistics.median(seconds) / 1e6:.1f}"


def verdict(key: tuple[str, str], ratio: Sequence[float]) -> str:
    """The goal for a ratio, and whether its median meets it."""
    if key not in GOALS or not ratio:
        return ""
    goal, way = GOALS[key]
    median = statistics.median(ratio)
    met = median <= goal if way == "at most" else median >= goal
    return f"{way} {goal:g}: {'met' if met else '**missed**'}"


def peers(section: dict) -> str:
    """The README's short table: the largest vocabulary, ours beside each peer."""
    size = max(section["train"], key=int)
    training, encoding = section["train"][size], section["encode"][size]
    rows = [["at a vocabulary of " + f"{int(size):,}", "ours, MB/s", "peer, MB/s", "ours ÷ peer's speed"]]
    for name, what, ours, theirs in (
        ("rustbpe", "train", training["seconds"]["ours"], training["seconds"].get("rustbpe")),
        ("tokenizers", "train", training["seconds"]["ours"], training["seconds"].get("tokenizers, in paragraphs")),
        ("tiktoken", "encode, cold", encoding["seconds"]["ours, cold"], encoding["seconds"].get("tiktoken")),
        ("tiktoken", "encode, warm", encoding["seconds"]["ours, warm"], encoding["seconds"].get("tiktoken")),
        (
            "the split alone, `regex` (limit)",
            "encode, warm",
            encoding["seconds"]["ours, warm"],
            encoding["seconds"]["split alone, regex"],
        ),
    ):
        if theirs:
            ratio = [b / a for a, b in zip(ours, theirs, strict=True)]
            speeds = [rate(section["bytes"], ours), rate(section["bytes"], theirs)]
            rows.append([f"{what}, beside {name}", *speeds, markdown.spread(ratio)])
    return markdown.table(rows)


def plain(section: dict) -> str:
    """The plain forms beside the fast ones, per byte."""
    p = section["plain"]
    whole, short = "the whole text", f"{p['length']:,}"
    trained, encoded = p["fast, the whole text"], p["encode, fast and cold"]
    rows = [[f"form, vocabulary {p['size']:,}", "bytes", "CPU µs per byte", "÷ the fast form, whole text"]]
    for name, size, seconds, fast in (
        ("train: every position recounted", f"{p['length'] // 2:,}", p["textbook"], trained),
        ("`train`: distinct pre-tokens recounted", short, p["plain"], trained),
        ("`train_fast`", short, p["fast, the same little text"], trained),
        ("`train_fast`", whole, trained, trained),
        ("`encode`", short, p["encode, plain"], encoded),
        ("`Tokenizer`, cold", whole, encoded, encoded),
    ):
        rows.append([name, size, f"{seconds * 1e6:.3g}", f"{seconds / fast:,.3g} ×"])
    return markdown.table(rows)


def growth(section: dict) -> str:
    """How cost grows: the exponent p of x**p."""
    names = {
        "text": "training, with the text (characters)",
        "vocabulary": "training, with the vocabulary",
        "word, heap": "one long word, heap",
        "word, search": "one long word, search",
    }
    rows = [["what grows", "from, to", "CPU seconds", "exponent"]]
    for name, g in section["growth"].items():
        sizes, seconds = f"{g['x'][0]:,} to {g['x'][-1]:,}", f"{g['seconds'][0]:.4f} to {g['seconds'][-1]:.4f}"
        rows.append([names[name], sizes, seconds, f"{g['exponent']:.2f}"])
    return markdown.table(rows)
