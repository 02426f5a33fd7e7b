"""GPTQ against its ancestor, in blocks, with groups and act-order; AWQ."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from int8_quant import Config, Decoder, dequantize_groups, gptq_quantize, linears, quantize_channels, quantize_groups
from int8_quant.awq import awq_factors, awq_search
from int8_quant.gptq import collect_hessians, gptq_blocks, inverse_factor, obq_quantize, output_error
from mistakes import gptq_case, randn


def obs_of_one_row(row, scale, hessian, limit):
    """Optimal brain surgeon by linear algebra alone: after each rounding the rest solves its least squares anew."""
    w, codes = row.clone(), []
    for j in range(len(row)):
        codes.append((w[j] / scale).round().clamp(-limit, limit))
        rest = torch.arange(j + 1, len(row))
        if len(rest):
            move = torch.linalg.solve(hessian[rest][:, rest], hessian[rest, j])
            w[rest] += move * (w[j] - codes[-1] * scale)
    return torch.stack(codes)


@pytest.mark.task("gptq_quantize")
@pytest.mark.parametrize(
    ("O", "I", "N", "bits", "damping"),
    [(5, 7, 23, 4, 0.01), (3, 11, 40, 3, 0.1), (2, 5, 9, 2, 1.0), (61, 24, 30, 2, 0.01)],
)
def test_oracle_least_squares_after_each_column(impl, seed, O, I, N, bits, damping):
    weight, inputs = gptq_case(seed, O, I, N)
    hessian = inputs.T @ inputs
    hessian += damping * hessian.diagonal().mean() * torch.eye(I, dtype=hessian.dtype)
    codes, scales = impl.gptq_quantize(weight, inputs, bits, damping)
    torch.testing.assert_close(scales, quantize_channels(weight, bits)[1])
    limit = 2 ** (bits - 1) - 1
    for o in range(O):
        assert torch.equal(codes[o], obs_of_one_row(weight[o], scales[o, 0], hessian, limit).to(torch.int8))


@pytest.mark.task("gptq_quantize")
def test_the_mean_of_the_diagonal_counts_channels_that_are_always_zero(impl):
    weight, inputs = gptq_case(0, 61, 8, 31)
    inputs[:, ::2] = 0
    hessian = inputs.T @ inputs
    hessian += hessian.diagonal().mean() * torch.eye(8, dtype=hessian.dtype)
    codes, scales = impl.gptq_quantize(weight, inputs, damping=1.0)
    want = torch.stack(
        [obs_of_one_row(row, scale, hessian, 7) for row, scale in zip(weight, scales[:, 0], strict=True)]
    )
    assert torch.equal(codes, want.to(torch.int8))


@pytest.mark.task("gptq_quantize")
def test_scales_of_float64_keep_their_digits(impl):
    scales = impl.gptq_quantize(torch.tensor([[0.1, -0.7]], dtype=torch.float64), torch.eye(2, dtype=torch.float64))[1]
    assert scales.dtype == torch.float64 and float(scales) == pytest.approx(0.1, rel=1e-12)


@pytest.mark.task("gptq_quantize")
def test_channels_and_rows_of_zeros(impl, seed):
    weight, inputs = gptq_case(seed)
    inputs[:, 2], weight[3] = 0, 0
    codes, scales = impl.gptq_quantize(weight, inputs)
    assert not codes[3].any() and float(scales[3]) == 1
    assert torch.equal(codes[:, 2], quantize_channels(weight, 4)[0][:, 2]) and codes.abs().max() <= 7


@pytest.mark.task("gptq_quantize")
def test_codes_stay_in_the_range(impl, seed):
    weight, inputs = gptq_case(seed + 10, 23, 11, 31)
    codes, _ = impl.gptq_quantize(weight, inputs, 2)
    assert codes.dtype == torch.int8 and codes.abs().max() == 1


@pytest.mark.task("gptq_quantize")
def test_property_the_size_of_the_inputs_does_not_matter(impl):
    @settings(deadline=None, max_examples=15)
    @given(st.integers(1, 4), st.integers(1, 6), st.sampled_from([0.125, 32.0]), st.integers(0, 2**20))
    def holds(O, I, factor, seed):
        weight, inputs = gptq_case(seed, O, I, 13)
        assert torch.equal(impl.gptq_quantize(weight, inputs)[0], impl.gptq_quantize(weight, inputs * factor)[0])

    holds()


@pytest.mark.task("gptq_quantize")
def test_effect_a_smaller_error_of_the_outputs(impl, seed):
    repaired = nearest = 0.0
    for case in range(5):
        weight, inputs = gptq_case(seed + 100 * case, 16, 24, 200)
        hessian = inputs.T @ inputs
        codes, scales = impl.gptq_quantize(weight, inputs, 3)
        repaired += output_error(weight, codes * scales, hessian)
        nearest += output_error(weight, dequantize_groups(*quantize_channels(weight, 3)), hessian)
    assert repaired < 0.85 * nearest


def hessian_of(inputs):
    return inputs.T @ inputs


@pytest.mark.parametrize(("block", "dtype"), [(128, torch.float64), (4, torch.float64), (1, torch.float64)])
def test_blocks_are_the_column_loop(block, dtype):
    weight, inputs = gptq_case(0, 9, 14, 60, dtype)
    codes, scales = gptq_quantize(weight, inputs, 3)
    result = gptq_blocks(weight, hessian_of(inputs), 3, block_size=block)
    assert torch.equal(result.codes, codes)
    torch.testing.assert_close(result.scales, scales)
    torch.testing.assert_close(result.dequantize(), codes * scales)


def test_groups_take_the_scales_of_their_repaired_columns():
    weight, inputs = gptq_case(1, 7, 12, 60)
    result = gptq_blocks(weight, hessian_of(inputs), 4, group_size=4, block_size=8)
    assert result.scales.shape == (7, 3) and result.groups.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    first = quantize_groups(weight[:, :4].contiguous(), 4, 4)[1]
    torch.testing.assert_close(result.scales[:, :1], first)
    hessian = hessian_of(inputs)
    nearest = dequantize_groups(*quantize_groups(weight, 4, 4))
    assert output_error(weight, result.dequantize(), hessian) < output_error(weight, nearest, hessian)


def test_act_order_rounds_loud_columns_first_and_helps():
    gains, losses = [], []
    for seed in range(6):
        weight, inputs = gptq_case(seed, 24, 32, 200)
        inputs[:, torch.randperm(32, generator=torch.Generator().manual_seed(seed))[:6]] *= 8
        hessian = hessian_of(inputs)
        for act_order, into in ((False, losses), (True, gains)):
            result = gptq_blocks(weight, hessian, 3, act_order=act_order)
            into.append(output_error(weight, result.dequantize(), hessian))
    assert sum(gains) < sum(losses)
    order = gptq_blocks(weight, hessian, 3, group_size=8, block_size=8, act_order=True)
    loudest = hessian.diagonal().argsort(descending=True)[:8]
    assert set(order.groups[loudest].tolist()) == {0}


def test_the_full_grid_uses_all_sixteen_codes():
    weight, inputs = gptq_case(2, 64, 12, 60)
    codes = gptq_blocks(weight, hessian_of(inputs), 4, grid="full").codes
    assert codes.min() == -8 and codes.max() == 7
    assert gptq_blocks(weight, hessian_of(inputs), 4).codes.min() == -7


def test_optimal_brain_quantization_is_a_little_better():
    greedy, in_order = 0.0, 0.0
    for seed in range(6):
        weight, inputs = gptq_case(seed, 8, 10, 80)
        hessian = hessian_of(inputs)
        codes, scales = obq_quantize(weight, hessian, 3)
        greedy += output_error(weight, codes * scales, hessian)
        codes, scales = gptq_quantize(weight, inputs, 3)
        in_order += output_error(weight, codes * scales, hessian)
    assert greedy < in_order < 2 * greedy


def test_the_factor_is_one_of_the_inverse():
    _, inputs = gptq_case(3)
    hessian = hessian_of(inputs)
    factor = inverse_factor(hessian, 0.0)
    assert torch.equal(factor, factor.triu())
    torch.testing.assert_close(factor.T @ factor @ hessian, torch.eye(7, dtype=hessian.dtype), rtol=0, atol=1e-8)


def test_bad_input_blocks():
    weight, inputs = gptq_case(0)
    for more, match in (
        ({"group_size": 4}, "group_size=4: must divide the 7 columns"),
        ({"grid": "odd"}, "grid='odd': must be one of symmetric, full"),
    ):
        with pytest.raises(ValueError, match=match):
            gptq_blocks(weight, hessian_of(inputs), **more)
    with pytest.raises(ValueError, match="block_size=5"):
        gptq_blocks(randn(0, 3, 12), torch.eye(12), group_size=4, block_size=5)


def test_hessians_of_a_model_and_their_sharing():
    model = Decoder(Config(vocab_size=31, d_model=24, layers=2, heads=4, kv_heads=2, ffn=40))
    tokens = torch.arange(40).view(2, 20) % 31
    seen = []
    hook = model.blocks[1].gate_proj.register_forward_pre_hook(lambda m, inputs: seen.append(inputs[0].flatten(0, 1)))
    found = collect_hessians(model, tokens)
    hook.remove()
    x = torch.cat(seen)
    assert found.keys() == linears(model).keys()
    torch.testing.assert_close(found["blocks.1.gate_proj"], x.T @ x)
    assert found["blocks.1.up_proj"] is found["blocks.1.gate_proj"]
    assert found["blocks.0.attn.q_proj"] is found["blocks.0.attn.v_proj"]
    assert found["blocks.0.attn.q_proj"] is not found["blocks.0.attn.o_proj"]


def test_awq_is_rounding_to_nearest_at_alpha_zero_and_never_worse():
    weight, inputs = randn(0, 24, 32), randn(1, 200, 32)
    inputs[:, 5] *= 30
    hessian = hessian_of(inputs)
    assert torch.equal(awq_factors(hessian.diagonal().sqrt(), 0.0), torch.ones(32))
    result = awq_search(weight, hessian, 3)
    nearest = output_error(weight, dequantize_groups(*quantize_channels(weight, 3)), hessian)
    assert result.error < 0.7 * nearest and result.alpha > 0
    assert result.error == pytest.approx(output_error(weight, result.weight, hessian))
    assert awq_search(weight, hessian, 3, 8).error < result.error
    inputs[:, 7] = 0
    assert awq_factors(hessian_of(inputs).diagonal().sqrt(), 0.7)[7] == 1


def test_bad_input_awq():
    with pytest.raises(ValueError, match="holds NaN or infinity"):
        awq_search(randn(0, 3, 4), torch.full((4, 4), float("nan")))
