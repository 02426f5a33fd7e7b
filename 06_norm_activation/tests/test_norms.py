"""The norms beside torch.nn.functional and transformers: values and gradients in float64, at prime sizes."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

EXACT = dict(rtol=1e-11, atol=1e-11)  # float64 has sixteen digits; sums of hundreds of terms cost a few of them
SHAPES = [(13,), (5, 7), (2, 3, 11), (2, 1, 3, 5)]


def numbers(seed, *shape, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def gradients(function, dy, *inputs):
    """PyTorch's gradients of a library function."""
    leaves = [x.clone().requires_grad_() for x in inputs]
    return torch.autograd.grad((function(*leaves) * dy).sum(), leaves)


@pytest.mark.task("layer_norm")
@pytest.mark.parametrize("shape", SHAPES)
def test_layer_norm_is_torchs(impl, seed, shape):
    x, weight, bias = numbers(seed, *shape), numbers(seed + 1, shape[-1]), numbers(seed + 2, shape[-1])
    got = impl.layer_norm(x, weight, bias, 1e-3)
    torch.testing.assert_close(got, F.layer_norm(x, shape[-1:], weight, bias, 1e-3), **EXACT)


@pytest.mark.task("layer_norm")
def test_layer_norm_survives_a_large_offset_and_a_constant_row(impl, seed):
    x = numbers(seed, 4, 31, dtype=torch.float32) + 3000  # E[x²] - E[x]² has no digit left here
    one, zero = torch.ones(31), torch.zeros(31)
    torch.testing.assert_close(impl.layer_norm(x, one, zero), F.layer_norm(x, (31,)), rtol=0, atol=5e-3)
    torch.testing.assert_close(impl.layer_norm(torch.full((2, 31), 5.0), one, zero), torch.zeros(2, 31))


@pytest.mark.task("layer_norm")
def test_layer_norm_has_the_default_eps_of_torch(impl, seed):
    x, one, zero = 0.003 * numbers(seed, 3, 7), torch.ones(7).double(), torch.zeros(7).double()
    torch.testing.assert_close(impl.layer_norm(x, one, zero), F.layer_norm(x, (7,)), **EXACT)


@pytest.mark.task("layer_norm")
def test_property_layer_norm_forgets_shift_and_scale(impl):
    @settings(deadline=None, max_examples=15)
    @given(st.integers(2, 17), st.floats(-50, 50), st.floats(0.5, 20), st.integers(0, 2**20))
    def holds(D, shift, scale, seed):
        x, one, zero = numbers(seed, 3, D), torch.ones(D, dtype=torch.float64), torch.zeros(D, dtype=torch.float64)
        y = impl.layer_norm(x, one, zero, 0.0)
        torch.testing.assert_close(impl.layer_norm(scale * x + shift, one, zero, 0.0), y, rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(y.mean(-1), torch.zeros(3, dtype=torch.float64), rtol=0, atol=1e-9)

    holds()


@pytest.mark.task("layer_norm_backward")
@pytest.mark.parametrize("shape", SHAPES)
def test_layer_norm_backward_is_torchs(impl, seed, shape):
    x, dy = numbers(seed, *shape), numbers(seed + 3, *shape)
    weight, bias = numbers(seed + 1, shape[-1]), numbers(seed + 2, shape[-1])
    got = impl.layer_norm_backward(dy, x, weight, 1e-3)
    want = gradients(lambda x, w, b: F.layer_norm(x, shape[-1:], w, b, 1e-3), dy, x, weight, bias)
    torch.testing.assert_close(tuple(got), want, **EXACT)


@pytest.mark.task("layer_norm_backward")
def test_layer_norm_backward_is_the_kernels(impl, seed):
    x, dy, weight, bias = numbers(seed, 5, 7), numbers(seed + 1, 5, 7), numbers(seed + 2, 7), numbers(seed + 3, 7)
    _, mean, rstd = torch.ops.aten.native_layer_norm(x, [7], weight, bias, 1e-5)
    want = torch.ops.aten.native_layer_norm_backward(dy, x, [7], mean, rstd, weight, bias, [True] * 3)
    torch.testing.assert_close(tuple(impl.layer_norm_backward(dy, x, weight)), want, **EXACT)


@pytest.mark.task("layer_norm_backward")
def test_property_its_gradient_is_orthogonal_to_what_it_forgets(impl, seed):
    x, dy, weight = numbers(seed, 6, 11), numbers(seed + 1, 6, 11), numbers(seed + 2, 11)
    dx, _, _ = impl.layer_norm_backward(dy, x, weight, 0.0)
    torch.testing.assert_close(dx.sum(-1), torch.zeros(6, dtype=torch.float64), rtol=0, atol=1e-10)
    torch.testing.assert_close((dx * x).sum(-1), torch.zeros(6, dtype=torch.float64), rtol=0, atol=1e-10)


@pytest.mark.task("rms_norm")
@pytest.mark.parametrize("shape", SHAPES)
def test_rms_norm_is_torchs(impl, seed, shape):
    x, weight = numbers(seed, *shape), numbers(seed + 1, shape[-1])
    torch.testing.assert_close(impl.rms_norm(x, weight, 1e-3), F.rms_norm(x, shape[-1:], weight, 1e-3), **EXACT)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_rms_norm_is_llamas_in_every_format(impl, seed, dtype):
    from transformers.models.llama.modeling_llama import LlamaRMSNorm  # here: it takes seconds to load

    norm = LlamaRMSNorm(97, eps=1e-5).to(dtype)
    norm.weight.data = numbers(seed, 97, dtype=dtype)
    x = (3 * numbers(seed + 1, 5, 97)).to(dtype)
    got = impl.rms_norm(x, norm.weight.detach(), 1e-5)
    torch.testing.assert_close(got, norm(x).detach(), rtol=1e-6, atol=0)  # the same operations in the same order


@pytest.mark.task("rms_norm")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_rms_norm_divides_in_float32_and_weighs_in_the_dtype_of_x(impl, seed, dtype):
    weight, x = numbers(seed, 97, dtype=dtype), (3 * numbers(seed + 1, 5, 97)).to(dtype)
    divided = x.float() * torch.rsqrt(x.float().square().mean(-1, keepdim=True) + 1e-5)
    torch.testing.assert_close(impl.rms_norm(x, weight, 1e-5), weight * divided.to(dtype), rtol=1e-6, atol=0)


@pytest.mark.task("rms_norm_backward")
@pytest.mark.parametrize("shape", SHAPES)
def test_rms_norm_backward_is_torchs(impl, seed, shape):
    x, dy, weight = numbers(seed, *shape), numbers(seed + 1, *shape), numbers(seed + 2, shape[-1])
    want = gradients(lambda x, w: F.rms_norm(x, shape[-1:], w, 1e-3), dy, x, weight)
    torch.testing.assert_close(tuple(impl.rms_norm_backward(dy, x, weight, 1e-3)), want, **EXACT)


@pytest.mark.task("rms_norm")
def test_rms_norm_has_its_own_default_eps(impl, seed):
    x, one = 0.001 * numbers(seed, 3, 7), torch.ones(7).double()
    torch.testing.assert_close(impl.rms_norm(x, one), F.rms_norm(x, (7,), one, 1e-6), **EXACT)


@pytest.mark.task("rms_norm_backward")
def test_rms_norm_backward_has_the_default_eps_of_the_forward_pass(impl, seed):
    x, dy, one = 0.001 * numbers(seed, 3, 7), numbers(seed + 1, 3, 7), torch.ones(7).double()
    want = gradients(lambda x, w: F.rms_norm(x, (7,), w, 1e-6), dy, x, one)
    torch.testing.assert_close(tuple(impl.rms_norm_backward(dy, x, one)), want, **EXACT)


@pytest.mark.task("rms_norm_backward")
def test_rms_norm_backward_keeps_a_shift_of_the_inputs(impl, seed):
    """What parts RMSNorm from LayerNorm: its gradient is orthogonal to x, and not to a constant row."""
    x, dy, weight = numbers(seed, 6, 11) + 1, numbers(seed + 1, 6, 11), numbers(seed + 2, 11)
    dx, _ = impl.rms_norm_backward(dy, x, weight, 0.0)
    torch.testing.assert_close((dx * x).sum(-1), torch.zeros(6, dtype=torch.float64), rtol=0, atol=1e-10)
    assert dx.sum(-1).abs().max() > 1e-3


def statistics(seed, C):
    return numbers(seed, C), numbers(seed + 1, C).square() + 0.5


@pytest.mark.task("batch_norm")
@pytest.mark.parametrize("shape", [(5, 3), (4, 3, 7), (2, 5, 3, 2), (2, 3, 2, 1, 5)])
@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_is_torchs_running_statistics_included(impl, seed, shape, training):
    C = shape[1]
    x, weight, bias = numbers(seed, *shape), numbers(seed + 1, C), numbers(seed + 2, C)
    mean, var = statistics(seed + 3, C)
    got = impl.batch_norm(x, weight, bias, mean, var, training, 0.3, 1e-3)
    theirs = mean.clone(), var.clone()
    y = F.batch_norm(x, *theirs, weight, bias, training, 0.3, 1e-3)
    torch.testing.assert_close(tuple(got), (y, *theirs), **EXACT)


@pytest.mark.task("batch_norm")
def test_bad_input_one_value_a_channel_has_no_variance(impl):
    three = torch.ones(3)
    with pytest.raises(ValueError):
        impl.batch_norm(torch.randn(1, 3), three, three, three, three, True)
    with pytest.raises(ValueError):
        impl.batch_norm(torch.randn(1, 3, 1, 1), three, three, three, three, True)
    y, _, _ = impl.batch_norm(torch.randn(1, 3), three, three, three, three, False)
    assert y.shape == (1, 3)
    y, _, _ = impl.batch_norm(torch.tensor([[[1.0, 3.0]] * 3]), three, three, three, three, True, eps=0.0)
    torch.testing.assert_close(y, torch.tensor([[[0.0, 2.0]] * 3]))  # one example, but two values a channel


@pytest.mark.task("batch_norm")
def test_effect_an_example_depends_on_the_others_at_training_only(impl, seed):
    x, one, zero = numbers(seed, 4, 3), torch.ones(3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
    other = torch.cat([x[:3], x[3:] + 5])
    for training, moved in ((True, True), (False, False)):
        before, after = (impl.batch_norm(v, one, zero, zero, one, training)[0][:3] for v in (x, other))
        assert bool((before - after).abs().max() > 0.1) == moved
