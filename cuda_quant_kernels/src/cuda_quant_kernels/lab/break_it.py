"""Break it: one tiled GEMM with a barrier gone, threads on the wrong axis, no bounds check, sums in int8.

Each experiment carries the outcome that the workbook tells, and a function that says whether a run confirms it.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..build import build, load
from ..on_cpu.memory import guarded, pointer
from ..on_cpu.sanitize import Call, sanitize
from ..on_cpu.trace import Report, trace

SOURCE = Path(__file__).parent / "broken_tiled.cu"
ORDERS = (("ascending", 0), ("descending", 0), ("shuffled", 1))
SIDE = 64
RAGGED = (37, 41, 53)  # M, N, K: no multiples of the tile's 16


@dataclass(frozen=True)
class Experiment:
    """What to predict, how to run it, the outcome in words, and whether a result confirms the words."""

    key: str
    title: str
    predict: str
    run: Callable[[int], list | dict]
    outcome: str
    confirmed: Callable[[list | dict], bool]


def operands(m: int, n: int, k: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """a, b and an output full of a number that no sum has."""
    rng = np.random.default_rng(seed)
    a, b = (rng.integers(-128, 128, shape, dtype=np.int8) for shape in ((m, k), (k, n)))
    return a, b, np.full((m, n), 0x5A5A5A5A, np.int32)


def exact(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The product in int32."""
    return a.astype(np.int32) @ b.astype(np.int32)


def wrong_by_order(defines: tuple[str, ...], seed: int) -> dict[str, int]:
    """How many of SIDE^2 elements are wrong in each of three thread orders."""
    lib, wrong = load(SOURCE, "cpu", defines=defines), {}
    for order, order_seed in ORDERS:
        a, b, c = operands(SIDE, SIDE, SIDE, seed)
        with lib.order(order, order_seed):
            lib.run_tiled(pointer(a), pointer(b), pointer(c), SIDE, SIDE, SIDE)
        wrong[order] = int((c != exact(a, b)).sum())
    return wrong


def traced(defines: tuple[str, ...], m: int, n: int, k: int, seed: int) -> tuple[Report, bool]:
    """The tracer's report, and whether the values are right."""
    arrays = dict(zip("abc", map(guarded, operands(m, n, k, seed)), strict=True))
    lib = load(SOURCE, "trace", defines=defines)
    report = trace(lib, lambda lib: lib.run_tiled(*map(pointer, arrays.values()), m, n, k), arrays)
    a, b, c = (np.array(array) for array in arrays.values())
    return report, bool((c == exact(a, b)).all())


# ---- the experiments


def barriers(seed: int) -> list[dict]:
    """Without either barrier: wrong elements by order, and the tracer's first finding in one run."""
    rows = []
    for name, defines in (("both barriers", ()), ("no first", ("NO_FIRST",)), ("no second", ("NO_SECOND",))):
        report, _ = traced(defines, SIDE, SIDE, SIDE, seed)
        findings = [*map(str, report.races), *map(str, report.faults)]
        wrong = wrong_by_order(defines, seed)
        rows.append({"kernel": name, "wrong": wrong, "of": SIDE**2, "tracer": findings[0] if findings else None})
    return rows


def barriers_confirmed(rows: list[dict]) -> bool:
    """Right with both; without one, wrong in every order by at least nine tenths, and a race is named."""
    both, *without = rows
    wrong = all(count > 0.9 * row["of"] for row in without for count in row["wrong"].values())
    return set(both["wrong"].values()) == {0} and both["tracer"] is None and wrong and _races(without)


def _races(rows: list[dict]) -> bool:
    return all("race on" in (row["tracer"] or "") for row in rows)


def wrong_axis(seed: int) -> list[dict]:
    """threadIdx.x along the rows, and down the rows: values, sectors, wavefronts."""
    rows = []
    for name, defines in (("along the rows", ()), ("down the rows", ("WRONG_AXIS",))):
        report, right = traced(defines, SIDE, SIDE, SIDE, seed)
        in_global = [r for r in report.rows if r.space == "global"]
        rows.append(
            {
                "kernel": name,
                "right": right,
                "sectors": report.total(),
                "wavefronts": report.total("shared"),
                "ideal_wavefronts": sum(r.ideal for r in report.rows if r.space == "shared"),
                "arrays": {r.name: {"per_request": r.per_request, "efficiency": r.efficiency} for r in in_global},
            }
        )
    return rows


def wrong_axis_confirmed(rows: list[dict]) -> bool:
    """Right values, 16 rows a request, about seven times the sectors and half as many wavefronts again."""
    along, down = rows
    sectors, wavefronts = down["sectors"] / along["sectors"], down["wavefronts"] / along["wavefronts"]
    sixteen = all(array["per_request"] == 16 for array in down["arrays"].values())
    return along["right"] and down["right"] and sixteen and 7 <= sectors < 7.5 and 1.4 < wavefronts < 1.6


def bounds(seed: int) -> dict:
    """RAGGED in whole tiles of 16: what the tracer finds, what the sanitizer finds, and what happens unguarded."""
    defines = ("NO_BOUNDS",)
    report, _ = traced(defines, *RAGGED, seed)
    a, b, c = operands(*RAGGED, seed)
    sanitized = sanitize(build(SOURCE, "asan", defines=defines), Call("run_tiled", (a, b, c, *RAGGED)))
    lib, right, wrong_inside, behind = load(SOURCE, "cpu", defines=defines), exact(a, b), {}, 0
    for order, order_seed in ORDERS:
        memory = np.full(48 * 48, 99, np.int32)  # more than the matrix: nobody guards what lies behind it
        with lib.order(order, order_seed):
            lib.run_tiled(pointer(a), pointer(b), pointer(memory), *RAGGED)
        wrong_inside[order] = int((memory[: right.size] != right.reshape(-1)).sum())
        behind = int((memory[right.size :] != 99).sum())
    return {
        "tracer": str(report.faults[0]),
        "sanitizer": str(sanitized[0]),
        "of": right.size,
        "wrong_inside": wrong_inside,
        "written_behind_the_end": behind,
    }


def bounds_confirmed(result: dict) -> bool:
    """Both name the store's line; unguarded, results inside are wrong and words behind the array are overwritten."""
    line = next(n for n, text in enumerate(SOURCE.read_text().splitlines(), 1) if text.strip().startswith("c[row"))
    named = all(f"{SOURCE.name}:{line}:" in result[watcher] for watcher in ("tracer", "sanitizer"))
    return named and all(result["wrong_inside"].values()) and result["written_behind_the_end"] > 0


def int8_sum(seed: int) -> list[dict]:
    """The share of right elements when sums are kept in int8, by the length of the sum."""
    lib, rows = load(SOURCE, "cpu", defines=("INT8_SUM",)), []
    for k in (1, 2, 4, 8, 16, 64, 256):
        a, b, c = operands(SIDE, SIDE, k, seed)
        a, b = a // 16, b // 16  # 4-bit values: one product always fits in int8
        lib.run_tiled(pointer(a), pointer(b), pointer(c), SIDE, SIDE, k)
        right = exact(a, b)
        rows.append({"k": k, "right": float((c == right).mean()), "largest": int(np.abs(right).max())})
    return rows


def int8_sum_confirmed(rows: list[dict]) -> bool:
    """All right for one product, 99 % and more up to four, about half for 64, and ever fewer."""
    right = {row["k"]: row["right"] for row in rows}
    falls = list(right.values()) == sorted(right.values(), reverse=True)
    return falls and right[1] == 1.0 and right[4] > 0.99 and 0.4 < right[64] < 0.6 and right[256] < 0.4


EXPERIMENTS = (
    Experiment(
        "barriers",
        "Without a barrier",
        "The kernel runs in three thread orders. Is it wrong in every order, and by how much? "
        "Does the tracer need the unlucky order?",
        barriers,
        "Nearly every element is wrong in every order. The emulator runs a warp as far as it can before the next one "
        "starts. On a GPU the warps run nearly in step, and the same kernel may be right a thousand times. The tracer "
        "reports the race in any order, with both lines.",
        barriers_confirmed,
    ),
    Experiment(
        "wrong_axis",
        "Threads down the rows instead of along them",
        "threadIdx.x is the row. Are the values right? How many sectors does a request take, and what happens to the "
        "banks of shared memory?",
        wrong_axis,
        "The values are right to the last bit, with seven times the sectors. Each request touches 16 rows and wastes "
        "most of every sector. Shared memory takes half as many wavefronts again, because lanes read down a column of "
        "the tile. No test of values finds this.",
        wrong_axis_confirmed,
    ),
    Experiment(
        "bounds",
        "Without the bounds check",
        "37 x 41 outputs in whole tiles of 16. What does the tracer say, what the sanitizer, and what happens when "
        "nobody watches?",
        bounds,
        "Both stop at the store, with its line. Unwatched, no error appears. The spare columns of a tile overwrite "
        "the beginning of the next row, so results inside the matrix are wrong. The spare rows overwrite what lies "
        "behind it.",
        bounds_confirmed,
    ),
    Experiment(
        "int8_sum",
        "Sums in int8",
        "The operands have 4 bits, so one product always fits. Up to which K are the sums right?",
        int8_sum,
        "All sums are right for K = 1, nearly all up to K = 4, and about half for K = 64. The sum grows like the "
        "square root of K, and int8 ends at 127. A test with small matrices passes.",
        int8_sum_confirmed,
    ),
)


def break_it(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """All of them; `quick` leaves out the sanitizer, whose build is the slowest."""
    results = {}
    for experiment in EXPERIMENTS:
        if options.quick and experiment.key == "bounds":
            continue
        log(experiment.title)
        results[experiment.key] = experiment.run(options.seed)
    return results


def show(key: str, seed: int = 0) -> None:
    """Prints one experiment's result, a line for each row. For the workbook."""
    experiment = next(e for e in EXPERIMENTS if e.key == key)
    result = experiment.run(seed)
    for row in result if isinstance(result, list) else [result]:
        print("; ".join(f"{name}: {value}" for name, value in row.items()))
