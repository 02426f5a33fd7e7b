"""wgmma: what it computes however a tile lies, what it costs, and what is said when it is used wrongly."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from cuda_quant_kernels.build import build, load
from cuda_quant_kernels.on_cpu.faults import KernelFault
from cuda_quant_kernels.on_cpu.memory import guarded, pointer
from cuda_quant_kernels.on_cpu.sanitize import Call, sanitize
from cuda_quant_kernels.on_cpu.trace import trace

SOURCE = Path(__file__).parent / "faults" / "warpgroup.cu"
TEXT = SOURCE.read_text()
pytest_plugins = ["ahead"]
AHEAD = [([SOURCE], target) for target in ("cpu", "trace", "asan")]
ORDERS = ("ascending", "descending", "shuffled")
ENUM = re.sub("//.*", "", TEXT.split("enum Wrong {")[1].split("}")[0])
WRONG = {name: n for n, name in enumerate(re.findall(r"\w+", ENUM))}


def line_of(tag: str) -> int:
    (line,) = [i for i, text in enumerate(TEXT.splitlines(), 1) if text.endswith(f"[{tag}]")]
    return line


@pytest.fixture(scope="module", params=["cpu", "trace"])
def lib(request):
    return load(SOURCE, request.param)


@pytest.fixture(scope="module")
def tracer():
    return load(SOURCE, "trace")


@pytest.fixture
def tiles():
    """a (64 x 128), b (8 x 128), a poisoned c (64 x 8), and what c has to be."""
    rng = np.random.default_rng(3)
    a, b = (rng.integers(-128, 128, (n, 128)).astype(np.int8) for n in (64, 8))
    return guarded(a), guarded(b), guarded(np.full((64, 8), 77, np.int32)), a.astype(np.int32) @ b.T.astype(np.int32)


def run(lib, function, which, tiles):
    return getattr(lib, function)(which, *map(pointer, tiles[:3]))


def traced(tracer, name, tiles):
    buffers = dict(zip("abc", tiles, strict=False))
    return trace(tracer, lambda lib: run(lib, "run_wrong", WRONG[name], tiles), buffers)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("swizzle", [128, 64, 32, 16])
def test_a_product_of_tiles_that_lie_in_any_way(lib, swizzle, order, tiles):
    with lib.order(order, seed=2):
        assert run(lib, "run_swizzled", swizzle, tiles) == 0
    np.testing.assert_array_equal(tiles[2], tiles[3])


@pytest.mark.parametrize("swizzle", [128, 64, 32, 16])
def test_a_right_product_is_clean_and_reads_its_tiles_in_the_fewest_passes(tracer, swizzle, tiles):
    report = trace(tracer, lambda lib: run(lib, "run_swizzled", swizzle, tiles), dict(zip("abc", tiles, strict=False)))
    assert report.clean, report.table()
    rows = {row.name: row for row in report.at(line_of("product"))}
    assert {row.kind for row in rows.values()} == {"wgmma load"}
    # four products of 32 columns of k: all bytes once, 128 a pass, however they lie
    assert (rows["x"].moved, rows["x"].ideal) == (64 * 128 // 128, 64 * 128 // 128)
    assert (rows["y"].moved, rows["y"].ideal) == (8 * 128 // 128, 8 * 128 // 128)


def test_descriptors_are_those_of_cutlass(lib):
    """Leading and stride offsets in 16 bytes, and the mode, as make_gmma_desc (CUTLASS 7107b05) gives them for tiles of
    64 x 128 int8 in Layout_K_SW128, SW64, SW32 and INTER atoms; its layouts put every element where `place` does."""
    out = guarded(np.zeros(4, np.uint64))
    assert lib.run_describe(pointer(out)) == 0
    fields = [(int(d) >> 16 & 0x3FFF, int(d) >> 32 & 0x3FFF, int(d) >> 62) for d in out]
    assert fields == [(1, 64, 1), (1, 32, 2), (1, 16, 3), (64, 8, 0)]
    assert {int(d) & 0x3FFF for d in out} == {int(out[0]) & 0x3FFF} and not any(int(d) >> 49 & 7 for d in out)


def test_the_sanitizer_finds_nothing(tiles):
    a, b, c, _ = map(np.asarray, tiles)
    assert sanitize(build(SOURCE, "asan"), [Call("run_swizzled", (n, a, b, c)) for n in (128, 16)]) == []


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("NO_FENCE", "no wgmma_fence before the first product"),
        ("NO_WAIT", "a missing wgmma_commit or wgmma_wait"),
        ("SHORT_WAIT", "a missing wgmma_commit or wgmma_wait"),
        ("OTHER_WARP", "four warps of a warpgroup give different tiles"),
        ("ABSENT_WARP", "warp 2 of the warpgroup never issues this product"),
        ("OTHER_LANE", "of one warp give different tiles"),
        ("MISALIGNED", "tile a begins in row 1 of the swizzle's pattern: it must begin at a multiple of 1024 bytes"),
        ("OTHER_SWIZZLE", "tile a begins in row 1 of the swizzle's pattern: it must begin at a multiple of 512 bytes"),
        ("BEYOND", "tile a reaches beyond shared memory"),
        ("TOUCHED", "accumulators are written while a product is under way"),
        ("TOUCHED_LATER", "written since the last wait: a missing wgmma_fence"),
    ],
)
def test_what_a_warpgroup_may_not_do_is_said_at_its_line(lib, order, name, says, tiles):
    with lib.order(order, seed=4), pytest.raises(KernelFault) as caught:
        run(lib, "run_wrong", WRONG[name], tiles)
    assert [(f.kind, f.line) for f in caught.value.faults] == [("wgmma", line_of("product"))]
    assert says in caught.value.faults[0].message


@pytest.mark.parametrize("name", ["NO_WAIT", "SHORT_WAIT"])
def test_accumulators_hold_garbage_before_the_wait(lib, name, tiles):
    with pytest.raises(KernelFault):
        run(lib, "run_wrong", WRONG[name], tiles)
    assert (np.asarray(tiles[2]).view(np.uint32) == 0xA5A5A5A5).all()


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    ("name", "other"),
    [("NO_BARRIER", "stored"), ("OVERWRITTEN", "overwritten"), ("OVERWRITTEN_LATER", "overwritten")],
)
def test_a_tile_that_is_written_too_late_or_too_soon_is_a_race(tracer, order, name, other, tiles):
    with tracer.order(order, seed=4):
        report = traced(tracer, name, tiles)
    (race,) = [r for r in report.races if r.name == "x"]
    assert set(race.lines) == {line_of("product"), line_of(other)} and set(race.kinds) == {"wgmma load", "store"}


def test_a_tile_overwritten_before_the_wait_is_the_wrong_tile(lib, tiles):
    assert run(lib, "run_wrong", WRONG["OVERWRITTEN"], tiles) == 0
    assert (np.asarray(tiles[2]) != tiles[3]).any()


def test_an_ordinary_write_needs_a_proxy_fence(tracer, tiles):
    report = traced(tracer, "NO_PROXY_FENCE", tiles)
    assert {(f.kind, f.line) for f in report.faults} == {("proxy", line_of("product"))} and not report.races
    assert "reads x with no fence_async_proxy since it was written" in report.faults[0].message
    assert traced(tracer, "FENCED_BY_READER", tiles).clean, "behind the barrier it may be the reader's"
    report = traced(tracer, "FENCE_TOO_SOON", tiles)
    assert {(f.kind, f.line) for f in report.faults} == {("proxy", line_of("product"))}, "a copy is written as it lands"


def test_a_fence_lets_accumulators_be_touched_between_products(lib, tracer, tiles):
    assert run(lib, "run_wrong", WRONG["FENCED_AGAIN"], tiles) == 0
    first_of_each_thread = np.zeros((64, 8), np.int32)
    first_of_each_thread.reshape(4, 2, 8, 4, 2)[:, 0, :, :, 0] = 1
    np.testing.assert_array_equal(tiles[2], tiles[3] + first_of_each_thread)
    assert traced(tracer, "FENCED_AGAIN", tiles).clean


def test_a_copy_that_has_not_landed_is_not_there(tracer, tiles):
    report = traced(tracer, "NOT_COPIED", tiles)
    assert ("async", line_of("product")) in {(f.kind, f.line) for f in report.faults}


@pytest.mark.gpu
def test_the_emulator_agrees_with_a_hopper_gpu(tiles):
    if not torch.cuda.is_available() or torch.cuda.get_device_capability()[0] != 9:
        pytest.skip("no Hopper GPU here")
    device = load(SOURCE, "gpu", arch="sm_90a")
    a, b = (torch.from_numpy(np.array(t)).cuda() for t in tiles[:2])
    for swizzle in (128, 64, 32, 16):
        c = torch.zeros(64, 8, dtype=torch.int32, device="cuda")
        assert device.run_swizzled(swizzle, *map(pointer, (a, b, c))) == 0
        np.testing.assert_array_equal(c.cpu(), tiles[3])
