"""Outlier channels, LLM.int8, SmoothQuant."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from int8_quant import (
    METHODS,
    Config,
    Decoder,
    W8A8Linear,
    activation_absmax,
    evaluate,
    inject_outliers,
    int8_linear,
    linears,
    outlier_channels,
    quantize_channels,
    quantize_model,
    smooth_factors,
    smooth_fold,
)
from mistakes import outlier_case, randn, rounded_rows, smooth_case

CONFIG = Config(vocab_size=31, d_model=24, layers=2, heads=4, kv_heads=2, ffn=40)


@pytest.mark.task("llm_int8_linear")
@pytest.mark.parametrize("threshold", [6.0, 3.0, 0.0, 100.0])
def test_oracle_two_products(impl, seed, threshold):
    x, weight = outlier_case(seed, dtype=torch.float64)
    out = outlier_channels(x, threshold)
    want = rounded_rows(x[:, ~out]) @ rounded_rows(weight[:, ~out]).T if not out.all() else 0
    want = want + x[:, out] @ weight[:, out].T
    torch.testing.assert_close(impl.llm_int8_linear(x, weight, threshold), want, rtol=1e-9, atol=1e-9)


@pytest.mark.task("llm_int8_linear")
def test_without_outliers_it_is_w8a8_and_a_number_at_the_threshold_is_none(impl, seed):
    x, weight = randn(seed, 3, 5).clamp(-2, 2), randn(seed + 1, 2, 5)
    torch.testing.assert_close(impl.llm_int8_linear(x, weight), int8_linear(x, *quantize_channels(weight)))
    x[1, 2] = 6.0
    torch.testing.assert_close(impl.llm_int8_linear(x, weight), int8_linear(x, *quantize_channels(weight)))


@pytest.mark.task("llm_int8_linear")
def test_effect_the_error_is_that_without_outliers(impl, seed):
    x, weight = randn(seed, 64, 96).clamp(-3, 3), randn(seed + 1, 32, 96)
    want = x @ weight.T
    calm = (impl.llm_int8_linear(x, weight) - want).square().mean().sqrt()
    x[:, 7] *= 200
    want = x @ weight.T
    plain = (int8_linear(x, *quantize_channels(weight)) - want).square().mean().sqrt()
    split = (impl.llm_int8_linear(x, weight) - want).square().mean().sqrt()
    assert split < 1.2 * calm and plain > 10 * split


def test_oracle_bitsandbytes_llm_int8():
    """Linear8bitLt splits the same columns; its regular part is in half precision, so that digits differ."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        bnb = pytest.importorskip("bitsandbytes")
        x, weight = outlier_case(0, 16, 64, 32)
        layer = bnb.nn.Linear8bitLt(64, 32, bias=False, has_fp16_weights=False, threshold=6.0)
        layer.load_state_dict({"weight": weight})
        theirs = layer.to("cpu")(x.half()).float()
    from int8_quant import llm_int8_linear

    ours, want = llm_int8_linear(x, weight), x @ weight.T
    size = want.square().mean().sqrt()
    assert (ours - want).square().mean().sqrt() < 0.02 * size
    assert (theirs - ours).square().mean().sqrt() < 0.03 * size


@pytest.mark.task("smooth_fold")
@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.5, 0.8, 1.0])
def test_the_function_stays_and_the_channels_are_levelled(impl, seed, alpha):
    square = alpha == 0.3
    norm, weights, loud = smooth_case(seed, rows=(7, 7) if square else (5, 3, 3), dtype=torch.float64)
    x = randn(seed, 4, 7, dtype=torch.float64)
    new, folded = impl.smooth_fold(norm, weights, loud, alpha)
    for w, f in zip(weights, folded, strict=True):
        torch.testing.assert_close((x * new) @ f.T, (x * norm) @ w.T, rtol=1e-10, atol=1e-10)
    factors, largest = norm / new, torch.cat(weights).abs().amax(0)
    torch.testing.assert_close(factors, loud**alpha / largest ** (1 - alpha), rtol=1e-10, atol=0)


@pytest.mark.task("smooth_fold")
def test_property_at_a_half_both_sides_are_equally_hard(impl):
    @settings(deadline=None, max_examples=20)
    @given(st.integers(1, 9), st.integers(1, 6), st.integers(0, 2**20))
    def holds(I, O, seed):
        weight, loud = randn(seed, O, I, dtype=torch.float64), randn(seed + 1, I, dtype=torch.float64).abs() + 0.1
        new, (folded,) = impl.smooth_fold(torch.ones(I, dtype=torch.float64), [weight], loud)
        torch.testing.assert_close(loud * new, folded.abs().amax(0), rtol=1e-9, atol=0)

    holds()


@pytest.mark.task("smooth_fold")
def test_channels_that_are_always_zero_stay(impl):
    norm, weights, loud = smooth_case(3)
    loud[3] = 0
    new, folded = impl.smooth_fold(norm, weights, loud)
    assert new[3] == norm[3] and all(torch.equal(f[:, 3], w[:, 3]) for f, w in zip(folded, weights, strict=True))


@pytest.mark.task("smooth_fold")
def test_a_channel_that_one_weight_does_not_read_is_smoothed(impl):
    weights = [torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 4.0]])]
    new, (first, second) = impl.smooth_fold(torch.ones(2), weights, torch.tensor([1.0, 100.0]))
    torch.testing.assert_close(new, torch.tensor([1.0, 0.2]))
    torch.testing.assert_close(first, torch.tensor([[1.0, 0.0]]))
    torch.testing.assert_close(second, torch.tensor([[1.0, 20.0]]))


def small_model():
    model = Decoder(CONFIG)
    return model, torch.arange(64).view(2, 32) * 7 % 31


def test_property_injected_outliers_change_no_output():
    model, tokens = small_model()
    loud = inject_outliers(model, 3, 50.0)
    torch.testing.assert_close(loud(tokens), model(tokens), rtol=1e-3, atol=1e-4)
    quiet, large = activation_absmax(model, tokens), activation_absmax(loud, tokens)
    assert sum(bool((large[n] > 20 * quiet[n]).any()) for n in quiet) == 2 * 6  # all but o_proj
    assert not any(torch.equal(a, b) for a, b in zip(model.blocks[0].attn_norm.weight, torch.zeros(24), strict=True))


def test_effect_the_order_of_the_methods_on_injected_outliers():
    model, tokens = small_model()
    loud = inject_outliers(model, 3, 60.0)
    absmax = activation_absmax(loud, tokens)
    with torch.no_grad():
        want = model(tokens)
        error = {m: float((quantize_model(loud, m, absmax)(tokens) - want).square().mean().sqrt()) for m in METHODS}
    assert error["absmax"] > 1.5 * error["vector-wise"] > 3 * error["LLM.int8"], error
    assert error["absmax"] > 3 * error["SmoothQuant, vector-wise"], error


def test_rounded_layers_have_the_numbers_of_int8_layers():
    model, tokens = small_model()
    rounded = quantize_model(model, "vector-wise")
    x = randn(0, 2, 5, 24)
    for name, linear in linears(model).items():
        if linear.in_features == 24:
            torch.testing.assert_close(rounded.get_submodule(name)(x), W8A8Linear(linear)(x), rtol=1e-4, atol=1e-5)
    assert rounded.wte.weight is model.wte.weight
    assert evaluate(rounded, tokens) == pytest.approx(evaluate(model, tokens), abs=0.02)


def test_folding_into_the_norm_is_dividing_the_activations():
    model, tokens = small_model()
    absmax = activation_absmax(model, tokens)
    attn = model.blocks[0].attn
    weights = [p.weight.detach() for p in (attn.q_proj, attn.k_proj, attn.v_proj)]
    norm = model.blocks[0].attn_norm.weight.detach()
    new, folded = smooth_fold(norm, weights, absmax["blocks.0.attn.q_proj"])
    factors = smooth_factors(absmax["blocks.0.attn.q_proj"], weights, 0.5)
    torch.testing.assert_close(new, norm / factors)
    torch.testing.assert_close(folded[2], weights[2] * factors)


def test_bad_input_a_method():
    model, _ = small_model()
    with pytest.raises(ValueError, match="method='median': must be one of absmax"):
        quantize_model(model, "median")
    with pytest.raises(ValueError, match="needs act_absmax; call activation_absmax"):
        quantize_model(model, "SmoothQuant, per tensor")
