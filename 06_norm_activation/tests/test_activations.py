"""Activations, gated layers and dropout beside torch and transformers."""

import norm_activation as na
import pytest
import torch
import torch.nn.functional as F
from norm_activation.activations import ACTIVATIONS
from norm_activation.gated import gated, geglu, glu
from test_norms import EXACT, gradients, numbers

GRID = torch.linspace(-9, 9, 367, dtype=torch.float64)  # not at zero, where ReLU has no derivative


@pytest.mark.task("gelu")
@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_gelu_is_torchs(impl, approximate):
    torch.testing.assert_close(impl.gelu(GRID, approximate), F.gelu(GRID, approximate=approximate), rtol=0, atol=1e-14)


@pytest.mark.task("gelu")
@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_gelu_of_a_large_number_is_that_number(impl, approximate):
    assert torch.equal(impl.gelu(torch.tensor([20.0, 300.0]), approximate), torch.tensor([20.0, 300.0]))


@pytest.mark.task("gelu")
def test_effect_the_two_forms_differ_by_five_ten_thousandths(impl):
    gap = (impl.gelu(GRID, "tanh") - impl.gelu(GRID)).abs().max()
    assert 4e-4 < gap < 6e-4


@pytest.mark.task("gelu_grad")
@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_gelu_grad_is_torchs(impl, approximate):
    [want] = gradients(lambda x: F.gelu(x, approximate=approximate), torch.ones_like(GRID), GRID)
    torch.testing.assert_close(impl.gelu_grad(GRID, approximate), want, rtol=0, atol=1e-14)


@pytest.mark.task("gelu_grad")
def test_effect_gelus_slope_is_negative_and_above_one(impl):
    slope = impl.gelu_grad(GRID)
    assert slope.min() < -0.12 and slope.max() > 1.12


@pytest.mark.task("gelu")
@pytest.mark.parametrize("name", ["erf", "", "tan", "TANH"])
def test_bad_input_an_unknown_form_of_gelu(impl, name):
    with pytest.raises(ValueError):
        impl.gelu(GRID, name)


@pytest.mark.task("gelu_grad")
@pytest.mark.parametrize("name", ["erf", "", "tan", "TANH"])
def test_bad_input_an_unknown_form_of_its_derivative(impl, name):
    with pytest.raises(ValueError):
        impl.gelu_grad(GRID, name)


TORCHS = {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": F.relu, "leaky_relu": F.leaky_relu, "gelu": F.gelu}
TORCHS["silu"] = F.silu


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_each_activation_and_its_derivative(name):
    function, derivative = ACTIVATIONS[name]
    x = GRID[GRID.abs() > 1e-9]
    torch.testing.assert_close(function(x), TORCHS[name](x), rtol=0, atol=1e-14)
    torch.testing.assert_close(derivative(x), gradients(TORCHS[name], torch.ones_like(x), x)[0], rtol=0, atol=1e-14)
    numerical = na.numerical_gradient(lambda x: function(x).sum(), x)
    torch.testing.assert_close(derivative(x), numerical, rtol=0, atol=1e-6)


def test_large_inputs_overflow_nowhere():
    x = torch.tensor([-1e4, -100.0, 100.0, 1e4])
    for name, (function, derivative) in ACTIVATIONS.items():
        assert function(x).isfinite().all() and derivative(x).isfinite().all(), name


@pytest.mark.task("swiglu_width")
def test_swiglu_width_is_llamas_and_smollms(impl):
    assert impl.swiglu_width(4096, 256) == 11008  # Llama 7B
    assert impl.swiglu_width(5120, 256) == 13824  # Llama 13B
    assert impl.swiglu_width(576) == 1536  # SmolLM2 135M


@pytest.mark.task("swiglu_width")
def test_swiglu_width_is_cut_first_and_raised_to_a_multiple_then(impl):
    for D in range(1, 30):
        for multiple_of in (1, 2, 7, 13, 256):
            width = impl.swiglu_width(D, multiple_of)
            cut = (8 * D) // 3
            assert isinstance(width, int) and width % multiple_of == 0 and cut <= width < cut + multiple_of


@pytest.mark.task("swiglu_width")
@pytest.mark.parametrize("D", [3, 48, 96, 768])
def test_property_three_matrices_have_the_weights_of_two(impl, D):
    assert 3 * D * impl.swiglu_width(D) == 2 * D * (4 * D)


@pytest.mark.task("swiglu_width")
@pytest.mark.parametrize("arguments", [(0,), (-3,), (96, 0), (96, -8)])
def test_bad_input_widths_below_one(impl, arguments):
    with pytest.raises(ValueError):
        impl.swiglu_width(*arguments)


def matrices(seed, D=6, H=7):
    return numbers(seed, H, D), numbers(seed + 1, H, D), numbers(seed + 2, D, H)


@pytest.mark.task("swiglu")
def test_swiglu_does_not_overflow_at_large_gates(impl):
    one = torch.ones(1, 1)
    got = impl.swiglu(torch.tensor([[-300.0], [300.0]]), one, one, one)
    torch.testing.assert_close(got, torch.tensor([[0.0], [90000.0]]))


@pytest.mark.task("swiglu")
@pytest.mark.parametrize("shape", [(6,), (3, 6), (2, 1, 3, 6)])
def test_swiglu_takes_any_number_of_axes(impl, seed, shape):
    x, (gate, up, down) = numbers(seed, *shape), matrices(seed + 1)
    wanted = F.linear(F.silu(F.linear(x, gate)) * F.linear(x, up), down)
    torch.testing.assert_close(impl.swiglu(x, gate, up, down), wanted, **EXACT)


def test_swiglu_is_llamas_layer_values_and_gradients(impl, seed):
    from transformers import LlamaConfig  # here: it takes seconds to load
    from transformers.models.llama.modeling_llama import LlamaMLP

    layer = LlamaMLP(LlamaConfig(hidden_size=6, intermediate_size=7, num_attention_heads=1)).double()
    weights = matrices(seed)
    for linear, weight in zip((layer.gate_proj, layer.up_proj, layer.down_proj), weights, strict=True):
        linear.weight.data = weight
    x, dy = numbers(seed + 5, 2, 3, 6), numbers(seed + 6, 2, 3, 6)
    torch.testing.assert_close(impl.swiglu(x, *weights), layer(x), **EXACT)
    wanted = gradients(layer, dy, x)[0]
    torch.testing.assert_close(gradients(lambda x: impl.swiglu(x, *weights), dy, x)[0], wanted, **EXACT)


def test_swiglu_backward_is_autograds(seed):
    inputs = numbers(seed + 5, 2, 3, 6), *matrices(seed)
    dy = numbers(seed + 6, 2, 3, 6)
    torch.testing.assert_close(na.swiglu_backward(dy, *inputs), gradients(na.swiglu, dy, *inputs), **EXACT)


def test_the_gated_family():
    x, weights = numbers(1, 4, 6), matrices(2)
    gate, up = x @ weights[0].T, x @ weights[1].T
    torch.testing.assert_close(glu(x, *weights), F.glu(torch.cat([up, gate], -1)) @ weights[2].T, **EXACT)
    torch.testing.assert_close(geglu(x, *weights), (F.gelu(gate) * up) @ weights[2].T, **EXACT)
    torch.testing.assert_close(gated(F.silu, x, *weights), na.swiglu(x, *weights), **EXACT)


@pytest.mark.task("dropout")
@pytest.mark.parametrize("p", [0.0, 0.2, 0.5, 0.9])
def test_dropout_keeps_the_mean_at_training_and_everything_at_evaluation(impl, seed, p):
    uniforms = torch.rand(100_000, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    x = torch.ones_like(uniforms)
    y = impl.dropout(x, p, uniforms, True)
    assert abs(float(y.mean()) - 1) < 6 * (p / (1 - p) / 100_000) ** 0.5 + 1e-9  # six standard deviations
    assert torch.equal(y == 0, uniforms < p)
    assert torch.equal(impl.dropout(x, p, uniforms, False), x)


@pytest.mark.task("dropout")
def test_dropout_keeps_all_digits_of_float64(impl, seed):
    x, uniforms = numbers(seed, 5), torch.tensor([0.1, 0.3, 0.5, 0.7, 0.9], dtype=torch.float64)
    wanted = torch.cat([torch.zeros(1, dtype=torch.float64), x[1:] / 0.7])
    torch.testing.assert_close(impl.dropout(x, 0.3, uniforms, True), wanted, **EXACT)


@pytest.mark.task("dropout")
def test_dropout_keeps_an_entry_whose_uniform_is_p(impl):
    x, uniforms = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([0.0, 0.25, 0.5])
    assert torch.equal(impl.dropout(x, 0.25, uniforms, True), torch.tensor([0.0, 2.0, 3.0]) / 0.75)
    assert torch.equal(impl.dropout(x, 0.0, 0 * uniforms, True), x)


@pytest.mark.task("dropout")
@pytest.mark.parametrize("p", [-0.1, 1.0, 1.5])
def test_bad_input_a_share_that_leaves_nothing(impl, p):
    with pytest.raises(ValueError):
        impl.dropout(torch.ones(3), p, torch.zeros(3), True)
    with pytest.raises(ValueError):
        impl.dropout(torch.ones(3), p, torch.zeros(3), False)


@pytest.mark.task("dropout")
def test_dropout_drops_a_nan_and_hides_none_that_it_keeps(impl):
    y = impl.dropout(torch.tensor([torch.nan, torch.nan, 2.0]), 0.5, torch.tensor([0.1, 0.9, 0.9]), True)
    torch.testing.assert_close(y, torch.tensor([0.0, torch.nan, 4.0]), equal_nan=True)
