"""Six ways to keep a matrix: the same product, as nearly as their bytes allow; and the bench's arithmetic."""
import pytest
import torch
from kv_speedrun import GPT, Config, StaticCache, generate
from kv_speedrun import attend_fast
from kv_speedrun.weight_layouts import EXACT, fastest, lay_out_fastest
from kv_speedrun.weight_layouts import LAYOUTS, lay_out, weight_bytes, why_absent

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
    laid, tokens = lay_out(model, name), torch.randint(320, (3, 9), generator=torch.Generator().manual_seed(0))
    want = model(tokens)
    assert (laid(tokens) - want).abs().max() <= ERROR[name] * want.abs().max()
    cache = StaticCache(SHAPE, 3, 9)
    got = torch.cat([laid(piece, cache) for piece in tokens.split([5, 1, 1, 1, 1], dim=1)], dim=1)
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
    laid, chosen = lay_out_fastest(model, megabytes=1)
    assert set(chosen) == {"64 to 192", "64 to 64", "64 to 256", "256 to 64", "64 to 320"}
    assert set(chosen.values()) <= set(EXACT)
    tokens = torch.randint(320, (2, 7), generator=torch.Generator().manual_seed(2))
    want = generate(model, tokens, 20, StaticCache(SHAPE, 2, 27))
    assert torch.equal(generate(laid, tokens, 20, StaticCache(SHAPE, 2, 27)), want)


def test_a_layout_that_wastes_its_time_is_not_chosen(monkeypatch):
    class Slow(LAYOUTS["as trained"]):
        def forward(self, x):
            for _ in range(20):
                y = super().forward(x)
            return y

    class SlowPacked(Slow):
        def __init__(self, weight, bias, rows=1):
            super().__init__(weight, bias)
    monkeypatch.setitem(LAYOUTS, "packed", SlowPacked)
    monkeypatch.setitem(LAYOUTS, "transposed", Slow)
    assert fastest(512, 512, megabytes=4) == "as trained"
