"""Formats: every code of FP8, NF4 bit for bit, k-means."""

import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from int8_quant import NF4_LEVELS, rms_error
from int8_quant.formats import (
    ACCELERATORS,
    BF16,
    COLUMNS,
    E4M3,
    E5M2,
    FLOATS,
    FP16,
    FP32,
    double_dequantize,
    double_quantize,
    integer_levels,
    kmeans_levels,
    levels_of,
    nf4_dequantize,
    nf4_quantize,
    round_to,
)
from mistakes import randn


@pytest.mark.parametrize(
    ("form", "dtype"),
    [(E4M3, torch.float8_e4m3fn), (E5M2, torch.float8_e5m2), (FP16, torch.float16), (BF16, torch.bfloat16)],
)
def test_oracle_every_code_is_pytorchs(form, dtype):
    codes = torch.arange(2**form.bits, dtype=torch.int32)
    raw = codes.to(torch.uint8) if form.bits == 8 else codes.to(torch.int16)
    want = raw.view(dtype).double()
    step = 1 if form.bits == 8 else 37  # every code of eight bits, each 37th of sixteen
    got = torch.tensor([form.decode(int(code)) for code in codes[::step]], dtype=torch.float64)
    assert torch.equal(got.nan_to_num(1e9), want[::step].nan_to_num(1e9))
    assert torch.equal(got.isnan(), want[::step].isnan())
    assert (
        form.largest == torch.finfo(dtype).max and form.smallest == torch.finfo(dtype).smallest_subnormal
        if (hasattr(torch.finfo(dtype), "smallest_subnormal"))
        else form.largest == torch.finfo(dtype).max
    )


def test_known_numbers():
    assert E4M3.largest == 448 and E5M2.largest == 57_344 and FP16.largest == 65_504
    assert FP32.largest == torch.finfo(torch.float32).max and [f.bits for f in FLOATS] == [32, 16, 16, 8, 8]
    assert len(levels_of(E4M3)) == 253 and len(levels_of(E5M2)) == 247  # zero once, no infinity, no NaN
    assert integer_levels(4).tolist() == list(range(-7, 8))
    with pytest.raises(ValueError, match="format=FP32: has 2\\^32 codes"):
        levels_of(FP32)


def test_effect_e4m3_is_finer_and_e5m2_reaches_farther():
    x = randn(0, 20_000, dtype=torch.float64)
    assert rms_error(x, round_to(x, levels_of(E4M3))) < 0.6 * rms_error(x, round_to(x, levels_of(E5M2)))
    wide = x * (3 * randn(1, 20_000, dtype=torch.float64)).exp()
    relative = {f.name: (round_to(wide, levels_of(f)) / wide - 1).abs().median() for f in (E4M3, E5M2)}
    assert relative[E5M2.name] < 0.2 and relative[E5M2.name] < relative[E4M3.name] * 5


@pytest.mark.task("nf4_quantize")
@pytest.mark.parametrize(("shape", "block"), [((12, 32), 64), ((7, 32), 32), ((5, 6), 6), ((2, 3, 4), 8)])
def test_oracle_the_nearest_level(impl, seed, shape, block):
    x = randn(seed, *shape)
    packed, absmax = impl.nf4_quantize(x, block)
    assert packed.dtype == torch.uint8 and packed.shape == (x.numel() // 2,)
    blocks = x.reshape(-1, block)
    assert torch.equal(absmax, blocks.abs().amax(1))
    codes = torch.stack((packed // 16, packed % 16), 1).flatten().long().view(-1, block)
    distance = (blocks / absmax[:, None]).unsqueeze(-1) - NF4_LEVELS
    assert torch.equal(codes, distance.abs().argmin(-1))


@pytest.mark.task("nf4_quantize")
def test_a_block_of_zeros_is_zero(impl):
    packed, absmax = impl.nf4_quantize(torch.tensor([0.0, 2.0, -1.0, 0.5, 0.0, 0.0, 0.0, 0.0]), 4)
    assert packed.tolist() == [0x7F, 0x2A, 0x77, 0x77] and absmax.tolist() == [2, 0]


@pytest.mark.task("nf4_quantize")
def test_a_block_of_very_small_numbers_is_no_block_of_zeros(impl):
    packed, absmax = impl.nf4_quantize(torch.tensor([0.0, 2e-12, -1e-12, 0.5e-12], dtype=torch.float64), 4)
    assert packed.tolist() == [0x7F, 0x2A] and float(absmax) == pytest.approx(2e-12)


@pytest.mark.task("nf4_quantize")
def test_float64_and_a_transposed_matrix(impl, seed):
    x = randn(seed, 14, 10, dtype=torch.float64).T
    packed, absmax = impl.nf4_quantize(x, block_size=28)
    assert absmax.dtype == torch.float64
    assert torch.equal(packed, impl.nf4_quantize(x.contiguous().flatten(), 28)[0])


@pytest.mark.task("nf4_quantize")
@pytest.mark.parametrize(("numbers", "block"), [(10, 4), (15, 5), (6, 3)])
def test_bad_input_blocks(impl, numbers, block):
    with pytest.raises(ValueError):
        impl.nf4_quantize(torch.ones(numbers), block)


@pytest.mark.task("nf4_quantize")
def test_property_quantizing_again_changes_nothing(impl):
    @settings(deadline=None, max_examples=20)
    @given(st.integers(1, 4), st.integers(1, 6), st.integers(0, 2**20))
    def holds(blocks, half, seed):
        packed, absmax = impl.nf4_quantize(randn(seed, blocks * 2 * half), 2 * half)
        again = impl.nf4_quantize(nf4_dequantize(packed, absmax), 2 * half)
        assert torch.equal(again[0], packed) and torch.equal(again[1], absmax)

    holds()


def test_oracle_bitsandbytes_bit_for_bit():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        functional = pytest.importorskip("bitsandbytes.functional")
        for seed, block in ((0, 64), (1, 128)):
            x = randn(seed, 64, 128)
            theirs, state = functional.quantize_4bit(x, blocksize=block, quant_type="nf4")
            back = functional.dequantize_4bit(theirs, state)
            packed, absmax = nf4_quantize(x, block)
            assert torch.equal(state.code, NF4_LEVELS) and torch.equal(state.absmax, absmax)
            assert torch.equal(theirs.flatten(), packed)
            assert torch.equal(back.flatten(), nf4_dequantize(packed, absmax))


def test_effect_nf4_on_a_normal():
    x = randn(0, 64 * 2000)
    nf4 = nf4_dequantize(*nf4_quantize(x))
    limits = x.view(-1, 64).abs().amax(1, keepdim=True) / 7
    int4 = ((x.view(-1, 64) / limits).round() * limits).flatten()
    assert (nf4 - x).square().mean() < 0.8 * (int4 - x).square().mean()


def test_double_quantization_costs_little_and_counts_its_bits():
    _, absmax = nf4_quantize(randn(0, 64 * 1000))
    codes, scales, mean = double_quantize(absmax)
    assert codes.dtype == torch.int8 and len(codes) == 1000 and len(scales) == 4
    assert rms_error(absmax, double_dequantize(codes, scales, mean)) < 0.005
    bits = (8 * 256 + 32) / 256 / 64
    assert bits == pytest.approx(0.127, abs=1e-3)


def test_kmeans_levels_beat_uniform_ones():
    x = randn(0, 20_000)
    levels = kmeans_levels(x, 4)
    assert len(levels) == 16 and torch.equal(levels, levels.sort().values)
    codes = torch.bucketize(x, (levels[1:] + levels[:-1]) / 2)
    uniform = round_to(x, integer_levels(4).float())
    assert rms_error(x, levels[codes]) < 0.6 * rms_error(x, uniform)


def test_oracle_scikit_learns_kmeans():
    cluster = pytest.importorskip("sklearn.cluster")
    x = randn(3, 500)
    ours = kmeans_levels(x, 2, 300)
    start = x.sort().values[((torch.arange(4) + 0.5) / 4 * 500).long()]
    theirs = cluster.KMeans(4, init=start[:, None].numpy(), n_init=1, max_iter=300, tol=0).fit(x[:, None].numpy())
    torch.testing.assert_close(ours, torch.from_numpy(theirs.cluster_centers_[:, 0]).sort().values)


def test_five_accelerators_each_with_a_source():
    assert len(ACCELERATORS) == 5 and all(a.source and set(a.formats) <= set(COLUMNS) for a in ACCELERATORS)
