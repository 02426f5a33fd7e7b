"""Break it: the same product with a barrier gone, the wrong way round, without its bounds check, in int8.

Each experiment returns plain results; what to predict first stands in the README and the workbook.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from .build import build, load
from .on_cpu.memory import guarded, pointer
from .on_cpu.sanitize import Call, sanitize
from .on_cpu.trace import Report, trace

SOURCE = Path(__file__).parent / "broken" / "tiled.cu"
ORDERS = (("ascending", 0), ("descending", 0), ("shuffled", 1))


def operands(m: int, n: int, k: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """a, b and an output full of a number that no product has."""
    rng = np.random.default_rng(seed)
    a, b = (rng.integers(-128, 128, shape, dtype=np.int8) for shape in ((m, k), (k, n)))
    return a, b, np.full((m, n), 0x5A5A5A5A, np.int32)


def wrong_in_each_order(defines: tuple[str, ...], seed: int = 0, side: int = 64) -> dict[str, int]:
    """How many elements come out wrong in three thread orders."""
    lib, found = load(SOURCE, "cpu", defines=defines), {}
    for order, number in ORDERS:
        a, b, c = operands(side, side, side, seed)
        with lib.order(order, number):
            lib.run_tiled(pointer(a), pointer(b), pointer(c), side, side, side)
        found[order] = int((c != a.astype(np.int32) @ b.astype(np.int32)).sum())
    return found


def traced(defines: tuple[str, ...], m: int, n: int, k: int, seed: int = 0) -> tuple[Report, bool]:
    """The tracer's report, and whether the values are right."""
    a, b, c = map(guarded, operands(m, n, k, seed))
    lib = load(SOURCE, "trace", defines=defines)
    report = trace(
        lib, lambda lib: lib.run_tiled(pointer(a), pointer(b), pointer(c), m, n, k), {"a": a, "b": b, "c": c}
    )
    return report, bool((np.array(c) == np.array(a, np.int32) @ np.array(b, np.int32)).all())


def barriers(seed: int = 0) -> list[dict]:
    """Without either barrier: wrong elements by order, and what the tracer says of one run."""
    rows = []
    for name, defines in (
        ("both barriers", ()),
        ("without the first", ("NO_FIRST",)),
        ("without the second", ("NO_SECOND",)),
    ):
        report, _ = traced(defines, 64, 64, 64, seed)
        said = [str(r) for r in report.races] or [str(f) for f in report.faults]
        rows.append({"kernel": name, "wrong": wrong_in_each_order(defines, seed), "of": 64 * 64, "tracer": said[:1]})
    return rows


def wrong_way(seed: int = 0) -> list[dict]:
    """Along the rows and down them: the same values, and the tracer's efficiency column."""
    rows = []
    for name, defines in (("along the rows", ()), ("down the rows", ("WRONG_WAY",))):
        report, right = traced(defines, 64, 64, 64, seed)
        by_array = {
            r.name: {"per_request": r.per_request, "efficiency": r.efficiency}
            for r in report.rows
            if r.space == "global"
        }
        rows.append(
            {
                "kernel": name,
                "right": right,
                "sectors": report.total(),
                "ways": report.total("shared"),
                "ways_ideal": sum(r.ideal for r in report.rows if r.space == "shared"),
                "arrays": by_array,
            }
        )
    return rows


def bounds(seed: int = 0) -> dict:
    """37 x 41 outputs in whole tiles of 16: what runs past the end, by the tracer and by the address sanitizer."""
    shape = (37, 41, 53)
    report, _ = traced(("NO_BOUNDS",), *shape, seed)
    a, b, c = operands(*shape, seed)
    found = sanitize(build(SOURCE, "asan", defines=("NO_BOUNDS",)), Call("run_tiled", (a, b, c, *shape)))
    inside, behind = {}, 0
    lib, exact = load(SOURCE, "cpu", defines=("NO_BOUNDS",)), a.astype(np.int32) @ b.astype(np.int32)
    for order, number in ORDERS:  # memory that nobody guards: what a GPU would do
        room = np.full(48 * 48, 99, np.int32)
        with lib.order(order, number):
            lib.run_tiled(pointer(a), pointer(b), pointer(room), *shape)
        inside[order] = int((room[: exact.size] != exact.reshape(-1)).sum())
        behind = int((room[exact.size :] != 99).sum())
    return {
        "tracer": str(report.faults[0]),
        "sanitizer": str(found[0]),
        "of": exact.size,
        "wrong_inside": inside,
        "written_behind_the_end": behind,
    }


def int8_sum(seed: int = 0) -> list[dict]:
    """The share of right elements when sums are kept in int8, by the length of the sum."""
    rows = []
    for k in (1, 2, 4, 8, 16, 64, 256):
        a, b, c = operands(64, 64, k, seed)
        a, b = a // 16, b // 16  # 4-bit values: one product always fits in int8
        load(SOURCE, "cpu", defines=("INT8_SUM",)).run_tiled(pointer(a), pointer(b), pointer(c), 64, 64, k)
        exact = a.astype(np.int32) @ b.astype(np.int32)
        rows.append({"k": k, "right": float((c == exact).mean()), "largest": int(np.abs(exact).max())})
    return rows


def break_it(seed: int = 0, quick: bool = False, say: Callable[[str], None] = print) -> dict:
    """All of them; `quick` leaves out the sanitizer, whose build is the slowest."""
    say("without a barrier, in three thread orders")
    found = {"barriers": barriers(seed)}
    say("down the rows instead of along them")
    found["wrong_way"] = wrong_way(seed)
    say("sums in int8")
    found["int8_sum"] = int8_sum(seed)
    if not quick:
        say("without the bounds check, under the tracer and the sanitizer")
        found["bounds"] = bounds(seed)
    return found
