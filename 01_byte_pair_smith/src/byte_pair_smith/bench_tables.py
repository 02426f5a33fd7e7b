"""The bench's tables: ours beside each peer, the goal that was set, and whether it was met."""
import statistics
from collections.abc import Sequence

from .tables import load, spread, table

GOALS = {
    ("train", "rustbpe"): (3.0, "at most"), ("train", "tokenizers"): (1.0, "at most"),
    ("train", "tokenizers, in paragraphs"): (1.0, "at most"),
    ("ours, cold", "tokenizers, batch of paragraphs"): (2.5, "at least"),
    ("ours, cold", "tiktoken"): (0.4, "at least"), ("ours, warm", "tiktoken"): (0.65, "at least")}


def train(found: dict | None = None) -> str:
    """Training: CPU seconds, and ours over each peer."""
    found = found or load("bench")
    rows = []
    for size, run in found["train"].items():
        for name, seconds in run["seconds"].items():
            ratio = run["over"].get(name)
            rows.append([f"{int(size):,}", name, spread(seconds, 3), rate(found["bytes"], seconds),
                         spread(ratio) if ratio else "", verdict(("train", name), ratio)])
    return table(["vocabulary", "who", "CPU seconds", "MB/s", "ours ÷ theirs", "goal"], rows, 2)


def encode(found: dict | None = None) -> str:
    """Encoding: CPU seconds and MB/s, and our speed over each peer's, cold and warm."""
    found = found or load("bench")
    rows = [row for size, run in found["encode"].items() for row in encode_rows(f"{int(size):,}", run, found["bytes"])]
    return table(["vocabulary", *ENCODE_HEAD], rows, 2)


def scripts(found: dict | None = None) -> str:
    """The same on 25 languages at once, hardly any of it ASCII; nothing where their file was not at hand."""
    run = (found or load("bench")).get("scripts")
    return table(["text", *ENCODE_HEAD], encode_rows("25 languages", run, run["bytes"], goals=False), 2) if run else ""


ENCODE_HEAD = ["who", "CPU seconds", "MB/s", "our speed, cold ÷ theirs", "warm ÷ theirs", "goal"]


def encode_rows(label: str, run: dict, size: int, goals: bool = True) -> list[list[str]]:
    """One row for each side."""
    rows = []
    for name, seconds in run["seconds"].items():
        ratios = {state: run["speed_over"].get(f"ours, {state} / {name}") for state in ("cold", "warm")}
        met = {state: verdict((f"ours, {state}", name), ratio) for state, ratio in ratios.items()} if goals else {}
        rows.append([label, name, spread(seconds, 3), rate(size, seconds),
                     *(spread(ratio) if ratio else "" for ratio in ratios.values()),
                     "; ".join(f"{state} {goal}" for state, goal in met.items() if goal)])
    return rows


def rate(size: int, seconds: Sequence[float]) -> str:
    """Megabytes per CPU second."""
    return f"{size / statistics.median(seconds) / 1e6:.1f}"


def verdict(key: tuple[str, str], ratio: Sequence[float] | None) -> str:
    """The goal that was set for a ratio, and whether its median meets it."""
    if key not in GOALS or not ratio:
        return ""
    goal, way = GOALS[key]
    median = statistics.median(ratio)
    met = median <= goal if way == "at most" else median >= goal
    return f"{way} {goal:g}: {'met' if met else 'MISSED'}"


def plain(found: dict | None = None) -> str:
    """The plain forms beside the fast ones, per byte."""
    p = (found or load("bench"))["plain"]
    whole, little = "the whole text", f"{p['length']:,}"
    trained, encoded = p["fast, the whole text"], p["encode, fast and cold"]
    forms = [("train: every position recounted", f"{p['length'] // 2:,}", p["textbook"], trained),
             ("`train`: distinct words recounted", little, p["plain"], trained),
             ("`train_fast`", little, p["fast, the same little text"], trained),
             ("`train_fast`", whole, trained, trained),
             ("`encode`", little, p["encode, plain"], encoded), ("`Tokenizer`, cold", whole, encoded, encoded)]
    rows = [[name, size, f"{seconds * 1e6:.3g}", f"{seconds / fast:.3g} ×"] for name, size, seconds, fast in forms]
    return table([f"form, vocabulary {p['size']:,}", "bytes", "CPU µs per byte", "÷ the fast form, whole text"], rows)


def growth(found: dict | None = None) -> str:
    """How cost grows: the exponent p of x**p."""
    found = (found or load("bench"))["growth"]
    names = {"text": "training, with the text (characters)", "vocabulary": "training, with the vocabulary",
             "word, heap": "one long word, heap", "word, search": "one long word, search"}
    rows = [[names[k], f"{g['x'][0]:,} to {g['x'][-1]:,}", f"{g['seconds'][0]:.4f} to {g['seconds'][-1]:.4f}",
             f"{g['exponent']:.2f}"] for k, g in found.items()]
    return table(["what grows", "from, to", "CPU seconds", "exponent"], rows)
