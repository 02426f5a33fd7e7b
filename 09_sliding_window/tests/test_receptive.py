"""Convolutions: PyTorch's own as oracle, the calculator by gradients, WaveNet step by step, costs counted."""

import itertools

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from sliding_window.receptive import (
    Conv,
    WaveNet,
    WaveNetConfig,
    causal_conv1d,
    conv_receptive_field_2d,
    effective_radius,
    gradient_field,
    separable_cost,
    stack_of,
    standard_cost,
)
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def made(seed, *shape):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(shape, dtype=torch.float64, generator=g, requires_grad=True)


@pytest.mark.task("causal_conv1d")
@pytest.mark.parametrize(
    ("K", "dilation", "T"), [(1, 1, 5), (2, 1, 11), (3, 2, 13), (2, 7, 11), (5, 3, 7), (4, 1, 2), (2, 7, 5)]
)
def test_oracle_conv1d_values_and_gradients(impl, seed, K, dilation, T):
    x, weight, upstream = made(seed, 2, 3, T), made(seed + 1, 5, 3, K), made(seed + 2, 2, 5, T)
    got = impl.causal_conv1d(x, weight, dilation)
    want = F.conv1d(F.pad(x, ((K - 1) * dilation, 0)), weight, dilation=dilation)
    torch.testing.assert_close(got, want, rtol=0, atol=1e-12)
    gradients = [torch.autograd.grad((out * upstream).sum(), (x, weight)) for out in (got, want)]
    torch.testing.assert_close(*gradients, rtol=0, atol=1e-12)


@pytest.mark.task("causal_conv1d")
def test_oracle_as_many_channels_out_as_in(impl, seed):
    x, weight = made(seed, 2, 4, 9), made(seed + 1, 4, 4, 2)
    want = F.conv1d(F.pad(x, (3, 0)), weight, dilation=3)
    torch.testing.assert_close(impl.causal_conv1d(x, weight, 3), want, rtol=0, atol=1e-12)


@pytest.mark.task("causal_conv1d")
def test_property_the_taps_are_dilation_apart_and_none_is_later(impl):
    @settings(deadline=None, max_examples=25)
    @given(st.integers(1, 4), st.integers(1, 6), st.integers(0, 15))
    def holds(K, dilation, t):
        x = torch.zeros(1, 1, 16, dtype=torch.float64, requires_grad=True)
        impl.causal_conv1d(x, torch.ones(1, 1, K, dtype=torch.float64), dilation)[0, 0, t].backward()
        seen = x.grad.flatten().nonzero().flatten().tolist()
        assert seen == sorted(t - i * dilation for i in range(K) if t - i * dilation >= 0)

    holds()


@pytest.mark.task("causal_conv1d")
@pytest.mark.parametrize("dilation", [0, -3])
def test_bad_input_a_dilation_below_one(impl, dilation):
    with pytest.raises(ValueError):
        impl.causal_conv1d(torch.zeros(1, 1, 4), torch.zeros(1, 1, 2), dilation)


def test_the_error_says_what_to_do():
    with pytest.raises(ValueError, match="dilation=0: the distance of two taps; use 1 or more"):
        causal_conv1d(torch.zeros(1, 1, 4), torch.zeros(1, 1, 2), 0)


LAYERS = st.builds(Conv, st.integers(1, 5), st.integers(1, 3), st.integers(1, 3), st.integers(0, 3))


@pytest.mark.task("conv_receptive_field")
def test_oracle_random_stacks_by_gradient(impl):
    """The first and the last input with a gradient, for an output whose span lies inside of the input."""

    @settings(deadline=None, max_examples=30)
    @given(st.lists(LAYERS, min_size=1, max_size=5))
    def holds(layers):
        size, jump, start = impl.conv_receptive_field(layers)
        output = -(start // jump) + 1  # its span begins at the first input or later
        T = start + output * jump + size + 40 * jump
        influence = gradient_field(stack_of(layers), torch.randn(1, 1, T, dtype=torch.float64), (output,))
        seen = influence.nonzero().flatten()
        assert (int(seen[0]), int(seen[-1])) == (start + output * jump, start + output * jump + size - 1)

    holds()


@pytest.mark.task("conv_receptive_field")
@pytest.mark.parametrize("layers", [[], [Conv(3, padding=1)], [Conv(2, 2, 3, 2), Conv(5, 2)]])
def test_property_three_ints(impl, layers):
    assert [type(n) for n in impl.conv_receptive_field(layers)] == [int, int, int]


@pytest.mark.task("conv_receptive_field")
def test_oracle_pooling_layers_by_gradient(impl):
    layers = [Conv(3, padding=1), Conv(2, 2), Conv(3, padding=1), Conv(2, 2), Conv(5)]
    size, jump, start = impl.conv_receptive_field(layers)
    stack = stack_of(layers, pools=[False, True, False, True, False])
    seen = gradient_field(stack, torch.randn(1, 1, 80, dtype=torch.float64), (4,)).nonzero().flatten()
    assert (int(seen[0]), int(seen[-1])) == (start + 4 * jump, start + 4 * jump + size - 1)


@pytest.mark.task("conv_receptive_field")
def test_effect_what_textbooks_say(impl):
    assert impl.conv_receptive_field([Conv(3)] * 5)[0] == 11
    assert impl.conv_receptive_field([Conv(2, dilation=2**i) for i in range(10)])[0] == 1024
    vgg = [c for n in (2, 2, 3, 3, 3) for c in [*[Conv(3, padding=1)] * n, Conv(2, 2)]]
    assert tuple(impl.conv_receptive_field(vgg))[:2] == (212, 32)


def test_oracle_two_dimensions_by_gradient():
    layers = [(Conv(3, 2, 1, 1), Conv(5, 1, 2, 0)), (Conv(2, 1, 3, 0), Conv(3, 2, 1, 1)), (Conv(3, 2), Conv(1, 1))]
    both = conv_receptive_field_2d(layers)
    modules = []
    for height, width in layers:
        args = [tuple(pair) for pair in zip(height, width, strict=True)]
        conv = nn.Conv2d(1, 1, args[0], args[1], args[3], args[2], bias=False)
        nn.init.uniform_(conv.weight, 0.5, 1.0)
        modules.append(conv)
    output = (2, 5)
    influence = gradient_field(nn.Sequential(*modules).double(), torch.randn(1, 1, 41, 43).double(), output)
    for axis, (size, jump, start) in enumerate(both):
        seen = influence.sum(1 - axis).nonzero().flatten()
        first = start + output[axis] * jump
        assert (int(seen[0]), int(seen[-1])) == (first, first + size - 1)


def test_pools_have_no_dilation():
    with pytest.raises(ValueError, match="dilation=2: average pooling has none; use 1"):
        stack_of([Conv(2, dilation=2)], pools=[True])


def test_effect_the_effective_field_grows_with_the_square_root_of_the_depth():
    """Luo et al. 2016: random weights give a bell, of width √L; the whole field grows with L."""
    radius = {}
    for layers in (4, 16, 64):
        torch.manual_seed(0)
        stack = stack_of([Conv(3)] * layers)
        T = 2 * layers + 1
        influence = gradient_field(stack, torch.zeros(1, 1, T, dtype=torch.float64), (0,))
        assert (influence > 0).all()
        radius[layers] = effective_radius(influence)
    assert 1.8 < radius[16] / radius[4] < 2.2 and 1.8 < radius[64] / radius[16] < 2.2
    assert 4 * radius[64] < 2 * 64 / 3  # ± two deviations hold a third of the field


CONFIG = WaveNetConfig(17, channels=8, kernel=2, dilations=(1, 2, 4, 8))


def test_property_wavenet_step_by_step_is_the_whole():
    for kernel, dilations in itertools.product((2, 3), ((1, 2, 4), (1, 1), (3,))):
        torch.manual_seed(3)
        net = WaveNet(WaveNetConfig(17, 8, kernel, dilations)).double()
        tokens = torch.randint(17, (2, 23))
        with torch.no_grad():
            state = net.start(2)
            state.buffers = [b.double() for b in state.buffers]
            sizes = [b.numel() for b in state.buffers]
            got = torch.cat([net.step(tokens[:, t : t + 1], state) for t in range(23)], 1)
            torch.testing.assert_close(got, net(tokens), rtol=0, atol=1e-12)
        assert [b.numel() for b in state.buffers] == sizes


def test_property_wavenets_field_is_that_of_the_calculator():
    torch.manual_seed(4)
    net = WaveNet(CONFIG).double()
    assert CONFIG.receptive_field == 16
    x = torch.randn(1, 8, 40, dtype=torch.float64, requires_grad=True)
    out = x
    for layer in net.layers:
        out, _ = layer(out)
    out[0, :, 30].sum().backward()
    assert x.grad.abs().sum((0, 1)).nonzero().flatten().tolist() == list(range(15, 31))


@pytest.mark.parametrize(("inputs", "outputs", "kernel", "size"), [(3, 8, 3, 11), (16, 5, 5, 7), (8, 8, 1, 4)])
def test_cost_of_separable_convolutions_counted(inputs, outputs, kernel, size):
    x = torch.zeros(1, inputs, size, size)
    whole = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
    depthwise = nn.Conv2d(inputs, inputs, kernel, padding=kernel // 2, groups=inputs, bias=False)
    parts = nn.Sequential(depthwise, nn.Conv2d(inputs, outputs, 1, bias=False))
    for module, cost in ((whole, standard_cost), (parts, separable_cost)):
        want = cost(inputs, outputs, kernel, size * size)
        assert sum(p.numel() for p in module.parameters()) == want.parameters
        assert want.flops == 2 * want.parameters * size * size
    with FlopCounterMode(display=False) as counter:
        whole(x)
    assert counter.get_total_flops() == standard_cost(inputs, outputs, kernel, size * size).flops
    ratio = separable_cost(inputs, outputs, kernel, 1).parameters / standard_cost(inputs, outputs, kernel, 1).parameters
    assert ratio == pytest.approx(1 / outputs + 1 / kernel**2)
