"""What the tracer counts, held against counts made by hand; and what it catches, at the line where it is planted."""

import ctypes
import re
import weakref
from pathlib import Path

import numpy as np
import pytest

from cuda_quant_kernels.build import load
from cuda_quant_kernels.on_cpu import memory
from cuda_quant_kernels.on_cpu.memory import guarded, pointer
from cuda_quant_kernels.on_cpu.trace import trace

FAULTS = Path(__file__).parent / "faults"
ORDERS = ("ascending", "descending", "shuffled")


def line_of(file: str, tag: str) -> int:
    text = (FAULTS / file).read_text().splitlines()
    lines = [i for i, line in enumerate(text, 1) if line.rstrip().endswith(f"[{tag}]")]
    assert len(lines) == 1, f"{file} has {len(lines)} lines with [{tag}]"
    return lines[0]


@pytest.fixture(scope="module")
def lib():
    return load([FAULTS / "memory.cu", FAULTS / "threads.cu"], "trace")


# ---- sectors and banks


@pytest.mark.parametrize(
    ("width", "stride", "offset", "sectors", "ideal"),
    [
        (4, 1, 0, 4, 4),  # 128 consecutive bytes
        (4, 1, 1, 5, 4),  # the same, off by one element: one sector more
        (4, 2, 0, 8, 4),  # every other word: half of each sector is wasted
        (4, 8, 0, 32, 4),  # a sector for each lane
        (4, 33, 0, 32, 4),
        (1, 1, 0, 1, 1),  # 32 bytes: int8 leaves three quarters of what a request can carry
        (1, 1, 1, 2, 1),
        (1, 32, 0, 32, 1),
        (2, 1, 0, 2, 2),
        (8, 1, 0, 8, 8),
        (8, 1, 1, 9, 8),
        (4, 0, 0, 1, 1),  # all lanes one word
    ],
)
def test_sectors_of_a_strided_load(lib, width, stride, offset, sectors, ideal):
    x, y = guarded(np.zeros(32 * 40 * width, np.int8)), guarded(np.zeros(32 * width, np.int8))
    report = trace(lib, lambda lib: lib.run_strided(width, pointer(x), pointer(y), stride, offset), {"x": x, "y": y})
    assert report.clean
    load_, store = report.at(line_of("memory.cu", "strided"))
    assert (load_.space, load_.kind, load_.name, load_.size) == ("global", "load", "x", width)
    assert (load_.requests, load_.moved, load_.ideal) == (1, sectors, ideal)
    assert load_.efficiency == ideal / sectors
    assert (store.kind, store.name, store.moved, store.efficiency) == ("store", "y", width, 1.0)


@pytest.mark.parametrize(
    ("which", "tag", "sectors"),
    [(0, "broadcast", (1, 4)), (1, "wide", (16, 16)), (2, "half warp", (2, 2))],
)
def test_sectors_of_other_patterns(lib, which, tag, sectors):
    x, y = guarded(np.zeros(512, np.int8)), guarded(np.zeros(512, np.int8))
    report = trace(lib, lambda lib: lib.run_pattern(which, pointer(x), pointer(y)), {"x": x, "y": y})
    assert tuple(row.moved for row in report.at(line_of("memory.cu", tag))) == sectors


@pytest.mark.parametrize(
    ("stride", "wavefronts"),
    [(0, 1), (1, 1), (2, 2), (3, 1), (4, 4), (8, 8), (16, 16), (32, 32), (33, 1), (31, 1), (6, 2)],
)
def test_bank_conflicts(lib, stride, wavefronts):
    """32 lanes at a stride of s words take gcd(s, 32) wavefronts, but for the broadcast."""
    y = guarded(np.zeros(32, np.int32))
    report = trace(lib, lambda lib: lib.run_banks(pointer(y), stride), {"y": y})
    assert report.clean
    row = next(r for r in report.at(line_of("memory.cu", "banks")) if r.space == "shared")
    assert (row.name, row.requests, row.moved, row.worst, row.ideal) == ("s", 1, wavefronts, wavefronts, 1)
    np.testing.assert_array_equal(y, np.arange(32) * stride)


def test_wide_and_narrow_shared_accesses(lib):
    x, y = guarded(np.zeros(32, np.int32)), guarded(np.zeros(32, np.int32))
    report = trace(lib, lambda lib: lib.run_pattern(3, pointer(x), pointer(y)), {"x": x, "y": y})
    row = next(r for r in report.at(line_of("memory.cu", "wide banks")) if r.size == 16)
    assert (row.requests, row.moved, row.ideal) == (1, 4, 4), "512 bytes are four passes over the banks, no conflict"
    report = trace(lib, lambda lib: lib.run_pattern(4, pointer(x), pointer(y)), {"x": x, "y": y})
    row = next(r for r in report.at(line_of("memory.cu", "bytes")) if r.space == "shared")
    assert (row.size, row.moved) == (1, 1), "four bytes of one word are one access to its bank"


def test_what_is_handed_to_a_function_by_value_is_seen(lib):
    x, y = guarded(np.zeros(64, np.float32)), guarded(np.zeros(64, np.float32))
    report = trace(lib, lambda lib: lib.run_pattern(5, pointer(x), pointer(y)), {"x": x, "y": y})
    (read,), (written,) = report.at(line_of("memory.cu", "argument")), report.at(line_of("memory.cu", "result"))
    assert (read.name, read.kind, read.moved) == ("x", "load", 8)
    assert (written.name, written.kind, written.moved) == ("y", "store", 8)


def test_counts_do_not_depend_on_the_order_of_threads(lib):
    x, y = guarded(np.zeros(4096, np.int8)), guarded(np.zeros(4096, np.int8))
    tables = set()
    for kind in ORDERS:
        with lib.order(kind, seed=3):
            report = trace(lib, lambda lib: lib.run_strided(4, pointer(x), pointer(y), 2, 1), {"x": x, "y": y})
            tables.add(report.table())
    assert len(tables) == 1


# ---- races


@pytest.mark.parametrize(
    ("which", "name", "first", "second", "kinds"),
    [
        (0, "s", "first: written", "first: read", {"load", "store"}),
        (1, "s", "second: written", "second: read", {"load", "store"}),
        (2, "s", "warp: written", "warp: read", {"load", "store"}),
        (3, "s", "shuffle: written", "shuffle: read", {"load", "store"}),
        (4, "y", "blocks", "blocks", {"store"}),
        (5, "y", "sum", "sum", {"load", "store"}),
        (6, "y", "atomic", "plain", {"atomic", "store"}),
        (7, "s", "copied by another", "no barrier", {"load", "async store"}),
    ],
)
@pytest.mark.parametrize("order", ORDERS)
def test_a_race_is_found_in_any_order_at_both_lines(lib, order, which, name, first, second, kinds):
    x, y = guarded(np.zeros(1024, np.int32)), guarded(np.zeros(64, np.int32))
    with lib.order(order, seed=1):
        report = trace(lib, lambda lib: lib.run_race(which, pointer(x), pointer(y)), {"x": x, "y": y})
    lines = tuple(sorted((line_of("threads.cu", first), line_of("threads.cu", second))))
    races = [r for r in report.races if r.lines == lines]
    assert races, f"no race at lines {lines}:\n{report.table()}"
    assert set().union(*(r.kinds for r in races)) == kinds
    assert {r.lines for r in report.races} == {lines}, "and no other race"
    assert {r.name for r in races} == {name}
    assert all(r.blocks_differ == (which == 4) for r in races)
    assert all(r.threads[0] != r.threads[1] for r in races if not r.blocks_differ)


def test_the_second_barrier_alone_is_missing(lib):
    """With one tile there is no second time, and nothing races: the tracer does not cry at a line but at a fault."""
    x, y = guarded(np.zeros(1024, np.int32)), guarded(np.zeros(64, np.int32))
    report = trace(lib, lambda lib: lib.run_race(1, pointer(x), pointer(y)), {"x": x, "y": y})
    (race,) = report.races
    assert "threads.cu:" in str(race) and "race on s" in str(race) and f"line {race.lines[1]}" in str(race)


# ---- accesses outside the arrays


@pytest.mark.parametrize(
    ("which", "tag", "kind", "says"),
    [
        (0, "write past", "bounds", r"writes 4 bytes at byte \d+ of x, which has 160"),
        (1, "read past", "bounds", "reads 4 bytes at byte 128 of x, which has 128"),
        (2, "write before", "bounds", "writes 4 bytes at byte -4 of x"),
        (3, "shared past", "bounds", "writes 4 bytes at byte 128 of first, which has 128"),
        (4, "dynamic past", "bounds", "reads 4 bytes at byte 128 of dynamic shared memory"),
        (5, "uninitialised", "uninitialised", "reads s, where this block has written nothing"),
        (6, "misaligned", "misaligned", "16 bytes at an address that is no multiple of 16"),
        (13, "not aligned", "misaligned", r"16 bytes of s, which is aligned to 1: declare it with __align__\(16\)"),
        (7, "wild", "bounds", "outside every array"),
        (9, "divide", "arithmetic", "divided by zero"),
    ],
)
@pytest.mark.parametrize("order", ORDERS)
def test_a_step_outside_is_found_before_it_is_taken(lib, order, which, tag, kind, says):
    n = 40 if which == 0 else 32
    x, y = guarded(np.zeros(n, np.float32)), guarded(np.zeros(n, np.float32))
    with lib.order(order, seed=2):
        report = trace(
            lib, lambda lib: lib.run_bounds(which, pointer(x), pointer(y), 0 if which == 9 else n), {"x": x, "y": y}
        )
    found = [(f.kind, Path(f.file).name, f.line) for f in report.faults]
    assert found == [(kind, "memory.cu", line_of("memory.cu", tag))]
    assert re.search(says, report.faults[0].message), report.faults[0].message
    assert report.faults[0].thread is not None
    x.check()
    y.check()


# ---- copies that have not landed


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("wait", [True, False])
def test_a_missing_wait_is_found_at_the_read(lib, order, wait):
    x, y = guarded(np.arange(4 * 64 * 3, dtype=np.int32)), guarded(np.zeros(64, np.int32))
    with lib.order(order, seed=4):
        report = trace(lib, lambda lib: lib.run_copies(pointer(x), pointer(y), 3, wait), {"x": x, "y": y})
    if wait:
        assert report.clean, report.table()
        np.testing.assert_array_equal(y, x.reshape(3, 64, 4)[:, ::-1, 0].sum(0))
        (source, target) = report.at(line_of("threads.cu", "copy"))
        assert (source.name, source.kind, source.requests, source.moved) == ("x", "load", 4, 64)
        assert (target.name, target.kind, target.requests, target.moved) == ("s", "async store", 4, 16)
    else:
        assert {(f.kind, f.line) for f in report.faults} == {("async", line_of("threads.cu", "landed?"))}


# ---- the report and its arguments


def test_the_table_names_line_array_and_efficiency(lib):
    x, y = guarded(np.zeros(512, np.int8)), guarded(np.zeros(512, np.int8))
    report = trace(lib, lambda lib: lib.run_strided(4, pointer(x), pointer(y), 2, 0), {"x": x, "y": y})
    head, load_, store = report.table().splitlines()
    assert head.split() == "line space array kind B/lane requests per request ideal worst efficiency".split()
    line = line_of("memory.cu", "strided")
    assert load_.split() == f"memory.cu:{line} global x load 4 1 8.00 sectors 4.00 8 50%".split()
    assert report.total("global") == 12 and report.total("global", "y") == 4 and report.total("shared") == 0
    assert report.efficiency("global") == 8 / 12 and report.efficiency("shared") == 1.0


def test_the_readme_shows_what_is_printed(tmp_path):
    readme = (Path(memory.__file__).parent / "README.md").read_text()
    (source,) = re.findall(r"```cuda\n(.*?)```", readme, re.DOTALL)
    (shown,) = re.findall(r"^```\n(line  .*?)```", readme, re.DOTALL | re.MULTILINE)
    (tmp_path / "reverse.cu").write_text(source)
    example = load(tmp_path / "reverse.cu", "trace")
    x, y = guarded(np.arange(64, dtype=np.int32)), guarded(np.zeros(64, np.int32))
    report = trace(example, lambda lib: lib.reverse(pointer(x), pointer(y)), {"x": x, "y": y})
    assert report.table() == shown.rstrip("\n")


def test_nothing_is_left_over_from_the_last_trace(lib):
    x, y = guarded(np.zeros(64, np.int32)), guarded(np.zeros(64, np.int32))

    def racing(lib):
        return lib.run_race(0, pointer(x), pointer(y))

    first, second = (trace(lib, racing, {"x": x, "y": y}) for _ in range(2))
    assert first == second and len(first.races) == 1
    calm = trace(lib, lambda lib: lib.run_pattern(0, pointer(x), pointer(y)), {"x": x, "y": y})
    assert calm.clean and {r.line for r in calm.rows} == {line_of("memory.cu", "broadcast")}


def test_untraced_calls_of_the_trace_build_are_not_watched(lib):
    y = guarded(np.zeros(32, np.int32))
    assert lib.run_banks(pointer(y), 2) == 0


def test_bad_arguments(lib):
    plain = load(FAULTS / "memory.cu", "cpu")
    y = np.zeros((8, 8), np.int32)
    with pytest.raises(ValueError, match="not a trace build"):
        trace(plain, lambda lib: None, {})
    with pytest.raises(ValueError, match="not contiguous"):
        trace(lib, lambda lib: None, {"y": y[:, ::2]})
    with pytest.raises(ValueError, match="at most 33554432 can be traced"):
        trace(lib, lambda lib: None, {"y": np.zeros(1 << 26, np.int8)})
    with pytest.raises(ValueError, match="kind='random'"), lib.order("random"):
        pass
    with pytest.raises(AttributeError):
        lib.no_such_function(ctypes.c_int(1))


def test_an_array_lives_as_long_as_its_pointer():
    array = np.zeros(4)
    alive = weakref.ref(array)
    held = pointer(array)
    del array
    assert alive() is not None and held.value == alive().ctypes.data
    del held
    assert alive() is None
