"""Six ways to keep a matrix: the same product, as nearly as their bytes allow; and the bench's arithmetic."""

import pytest
import torch
from kv_speedrun import GPT, Config, StaticCache, attend_fast, generate
from kv_speedrun.weight_layouts import (
    EXACT,
    LAYOUTS,
    autotune,
    fastest,
    lay_out,
    lay_out_fastest,
    weight_bytes,
    why_absent,
)
from kv_speedrun.weight_layouts.layouts import rows_to_int8

SHAPE = Config(vocab_size=320, context_length=64, layers=2, heads=2, width=64)
ERROR = {"as trained": 1e-5, "transposed": 1e-5, "packed": 1e-5, "bf16": 2e-2, "int8 weights": 3e-2, "W8A8": 3e-2}


@pytest.fixture(scope="module")
def model():
    model = GPT(SHAPE, attend_fast, seed=1)
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(4 if p.dim() == 2 else 1)
    return model.eval()


@pytest.mark.parametrize("name", LAYOUTS)
@torch.no_grad()
def test_logits_agree_as_nearly_as_the_bytes_allow(model, name):
    if reason := why_absent(name):
        pytest.skip(f"not on this platform: {reason}")
    laid_out, tokens = lay_out(model, name), torch.randint(320, (3, 9), generator=torch.Generator().manual_seed(0))
    want = model(tokens)
    assert (laid_out(tokens) - want).abs().max() <= ERROR[name] * want.abs().max()
    cache = StaticCache(SHAPE, 3, 9)
    got = torch.cat([laid_out(piece, cache) for piece in tokens.split([5, 1, 1, 1, 1], dim=1)], dim=1)
    assert (got - want).abs().max() <= ERROR[name] * want.abs().max()


@pytest.mark.parametrize("name", ["as trained", "transposed", "packed"])
def test_fp32_layouts_generate_the_same_tokens(model, name):
    if reason := why_absent(name):
        pytest.skip(f"not on this platform: {reason}")
    tokens = torch.randint(320, (2, 7), generator=torch.Generator().manual_seed(1))
    want = generate(model, tokens, 20, StaticCache(SHAPE, 2, 27))
    assert torch.equal(generate(lay_out(model, name), tokens, 20, StaticCache(SHAPE, 2, 27)), want)


def test_packing_for_more_rows_changes_no_token(model):
    if reason := why_absent("packed"):
        pytest.skip(f"not on this platform: {reason}")
    tokens = torch.randint(320, (8, 7), generator=torch.Generator().manual_seed(3))
    want = generate(model, tokens, 20, StaticCache(SHAPE, 8, 27))
    assert torch.equal(generate(lay_out(model, "packed", rows=8), tokens, 20, StaticCache(SHAPE, 8, 27)), want)


def test_bytes_of_the_layouts(model):
    matrices = sum(
        p.numel() for n, p in model.named_parameters() if p.dim() == 2 and n not in ("wte.weight", "wpe.weight")
    )
    matrices += model.lm_head.weight.numel()
    assert weight_bytes(lay_out(model, "as trained")) == weight_bytes(lay_out(model, "transposed")) == 4 * matrices
    if not why_absent("bf16"):
        assert weight_bytes(lay_out(model, "bf16")) == 2 * matrices
    if not why_absent("int8 weights"):
        assert matrices < weight_bytes(lay_out(model, "int8 weights")) < 1.05 * matrices


def test_laying_out_leaves_the_model_alone(model):
    before = model.lm_head.weight.clone()
    lay_out(model, "transposed")
    assert torch.equal(model.lm_head.weight, before) and model.lm_head.weight is model.wte.weight


def test_an_unknown_layout_is_refused(model):
    with pytest.raises(ValueError, match="choose one of as trained"):
        lay_out(model, "diagonal")


def test_the_fastest_layout_is_measured_and_exact(model):
    laid_out, chosen = lay_out_fastest(model, megabytes=1)
    assert set(chosen) == {"64 to 192", "64 to 64", "64 to 256", "256 to 64", "64 to 320"}
    assert set(chosen.values()) <= set(EXACT)
    tokens = torch.randint(320, (2, 7), generator=torch.Generator().manual_seed(2))
    want = generate(model, tokens, 20, StaticCache(SHAPE, 2, 27))
    assert torch.equal(generate(laid_out, tokens, 20, StaticCache(SHAPE, 2, 27)), want)


def test_the_layout_with_the_least_time_is_chosen(monkeypatch):
    """With a clock that is given: which layout wins on a real one is up to the machine."""
    times = {"as trained": [3.0, 1.0], "transposed": [2.0, 2.0], "packed": [1.5, 9.0]}
    asked = []

    def seconds(matrices, x):
        name = next(n for n, kind in LAYOUTS.items() if type(matrices[0]) is kind)
        asked.append(name)
        return times[name][(asked.count(name) - 1) % 2]

    monkeypatch.setattr(autotune, "_seconds", seconds)
    candidates = [name for name in EXACT if not why_absent(name)]
    assert fastest(64, 64, megabytes=1, rounds=2) == "as trained", "the least of the rounds counts"
    assert asked == candidates * 2, "the layouts alternate"
    times["transposed"] = [2.0, 0.5]
    assert fastest(64, 64, megabytes=1, rounds=2) == "transposed"


# ---------------------------------------------------------------- sizes that the kernels do not take


@pytest.mark.parametrize("name", ["int8 weights", "W8A8", "packed", "bf16"])
@pytest.mark.parametrize("width", [1, 20, 33, 36, 65, 100])
@torch.no_grad()
def test_any_number_of_inputs_is_right(name, width):
    """The library's int8 kernel reads 16 inputs at a time: past the end of other rows, or past the end of memory."""
    if reason := why_absent(name):
        pytest.skip(f"not on this platform: {reason}")
    g = torch.Generator().manual_seed(width)
    weight, x = torch.randn(50, width, generator=g), torch.randn(5, width, generator=g)
    want = x @ weight.T
    assert (LAYOUTS[name](weight, None)(x) - want).abs().max() <= ERROR[name] * want.abs().max()


def test_int8_sums_that_could_overflow_are_refused():
    with pytest.raises(ValueError, match="inputs=133145: must be at most 133144"):
        LAYOUTS["W8A8"](torch.ones(1, 133145), None)
    if not why_absent("W8A8"):
        layer = LAYOUTS["W8A8"](torch.ones(1, 133144), None)
        assert layer(torch.ones(1, 133144)).item() == pytest.approx(133144, rel=1e-6)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64], ids=str)
def test_models_that_are_not_float32_are_refused(model, dtype):
    other = GPT(SHAPE).to(dtype)
    for name in LAYOUTS:
        if not why_absent(name):
            with pytest.raises(ValueError, match=f"model is {dtype} on cpu: must be float32 on cpu; use model.float"):
                lay_out(other, name)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_activations_in_half_precision_never_wrap(dtype, seed):
    x = torch.randn(2000, 64, generator=torch.Generator().manual_seed(seed)).to(dtype)
    codes, scale = rows_to_int8(x)
    assert scale.dtype == torch.float32 and codes.min() >= -127
    assert ((codes * scale - x.float()).abs() <= scale * 0.501).all()
