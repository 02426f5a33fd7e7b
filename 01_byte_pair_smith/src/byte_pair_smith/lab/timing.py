"""CPU seconds: of several sides in turns, and as a function of size."""

import math
import random
import statistics
import sysconfig
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ..encode_fast import merge_long, merge_short
from ..train_fast import train_fast
from ..vocabulary import Vocabulary


def in_turns(sides: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """CPU seconds of each side, once a round, after one run of each that is not counted."""
    for side in sides.values():
        side()
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            seconds[name].append(cpu_seconds(side))
    return seconds


def cpu_seconds(call: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    start = time.process_time()
    call()
    return time.process_time() - start


def median_seconds(call: Callable[[], object], rounds: int = 3) -> float:
    """Median CPU seconds. One round is timed without a run before it."""
    return cpu_seconds(call) if rounds == 1 else statistics.median(in_turns({"call": call}, rounds)["call"])


def growth(quick: bool, seed: int) -> dict:
    """How training grows with the text and with the vocabulary, and how merging grows with the length of a word."""
    text = standard_library(1 << (18 if quick else 22))
    texts = [len(text) >> n for n in (4, 3, 2, 1, 0)]
    sizes = (512, 1024, 2048) if quick else (512, 1024, 2048, 4096, 8192, 16384)
    by_text = [median_seconds(lambda n=n: train_fast(text[:n], 1024)) for n in texts]
    by_size = [median_seconds(lambda v=v: train_fast(text[: texts[2]], v)) for v in sizes]
    vocabulary = Vocabulary.from_merges(train_fast(text[: texts[2]], 512 if quick else 4096))
    rng = random.Random(seed)
    word = "".join(rng.choice("etaoinshrdlu") for _ in range(1 << (12 if quick else 16)))
    long = [1 << n for n in range(8, 13 if quick else 17, 2)]
    short = [n for n in long if n <= 1 << 14]
    heap = [median_seconds(lambda n=n: merge_long(word[:n], vocabulary.pair_ids)) for n in long]
    search = [median_seconds(lambda n=n: merge_short(word[:n], vocabulary.pair_ids), 1) for n in short]
    curves = {"text": (texts, by_text), "vocabulary": (list(sizes), by_size)}
    curves |= {"word, heap": (long, heap), "word, search": (short, search)}
    return {name: {"x": x, "seconds": y, "exponent": exponent(x, y)} for name, (x, y) in curves.items()}


def standard_library(limit: int) -> str:
    """About `limit` characters of Python: the top-level modules of the standard library, in order of name."""
    parts, size = [], 0
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        if size >= limit:
            break
        parts.append(path.read_text(encoding="utf-8"))
        size += len(parts[-1])
    return "\n".join(parts)[:limit]


def exponent(x: Sequence[int | float], y: Sequence[float]) -> float:
    """p of y = c x**p, by least squares on the logarithms."""
    lx, ly = [math.log(v) for v in x], [math.log(v) for v in y]
    mx, my = statistics.fmean(lx), statistics.fmean(ly)
    return sum((a - mx) * (b - my) for a, b in zip(lx, ly, strict=True)) / sum((a - mx) ** 2 for a in lx)
