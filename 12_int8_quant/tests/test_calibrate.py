"""The straight-through estimator, observers, LeNet-5 in few bits."""

import gzip
import struct
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from int8_quant.calibrate import (
    LeNet5,
    MinMaxObserver,
    MovingAverageObserver,
    accuracy,
    affine_round,
    digits,
    fit,
    mnist,
    post_training,
    quantization_aware,
    read_idx,
    rounded_layers,
    size_in_bytes,
)
from mistakes import output_and_gradient, randn


@pytest.mark.task("fake_quantize")
@pytest.mark.parametrize(("bits", "scale"), [(8, 0.02), (4, 0.3), (3, 0.37), (2, 0.61)])
def test_oracle_pytorchs_fake_quantization(impl, seed, bits, scale):
    limit = 2 ** (bits - 1) - 1
    x = 2 * randn(seed, 5, 13)
    got = output_and_gradient(impl.fake_quantize, x, torch.tensor(scale), bits)
    want = output_and_gradient(torch.fake_quantize_per_tensor_affine, x, scale, 0, -limit, limit)
    torch.testing.assert_close(got["the output"], want["the output"])
    torch.testing.assert_close(got["the gradient"], want["the gradient"])


@pytest.mark.task("fake_quantize")
def test_halves_and_the_last_half_step(impl):
    x = torch.tensor([0.25, 0.75, -0.25, 3.6, 3.8, -3.6, -3.8, -4.0])
    got = output_and_gradient(impl.fake_quantize, x, torch.tensor(0.5), 4)
    assert got["the output"].tolist() == [0, 1, 0, 3.5, 3.5, -3.5, -3.5, -3.5]
    assert got["the gradient"].tolist() == [1, 2, 3, 4, 0, 6, 0, 0]
    got = output_and_gradient(impl.fake_quantize, torch.tensor([3.75, -3.75]), torch.tensor(0.5), 4)  # 7.5 becomes 8
    assert got["the output"].tolist() == [3.5, -3.5] and got["the gradient"].tolist() == [0, 0]


@pytest.mark.task("fake_quantize")
def test_the_output_has_the_dtype_of_x(impl):
    y = impl.fake_quantize(torch.tensor([[0.26, -0.9]]), torch.tensor([[0.5]], dtype=torch.float64), 3)
    assert y.dtype == torch.float32 and y.tolist() == [[0.5, -1.0]]


@pytest.mark.task("fake_quantize")
def test_a_scale_for_each_row(impl, seed):
    scale = torch.tensor([[0.3], [0.05], [2.0]], dtype=torch.float64)
    x = randn(seed, 3, 7, dtype=torch.float64)
    got = output_and_gradient(impl.fake_quantize, x, scale, 4)
    for row in range(3):
        want = (x[row] / scale[row]).round().clamp(-7, 7) * scale[row]
        torch.testing.assert_close(got["the output"][row], want)


@pytest.mark.task("fake_quantize")
def test_property_twice_is_once(impl):
    @settings(deadline=None, max_examples=20)
    @given(st.integers(1, 9), st.integers(2, 8), st.sampled_from([0.125, 0.5, 2.0]), st.integers(0, 2**20))
    def holds(size, bits, scale, seed):
        once = impl.fake_quantize(randn(seed, size), torch.tensor(scale), bits)
        assert torch.equal(impl.fake_quantize(once, torch.tensor(scale), bits), once)

    holds()


@pytest.mark.parametrize("kind", ["MinMaxObserver", "MovingAverageMinMaxObserver"])
def test_oracle_pytorchs_observers(kind):
    ours = MinMaxObserver() if kind == "MinMaxObserver" else MovingAverageObserver(0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import torch.ao.quantization as ao

        more = {} if kind == "MinMaxObserver" else {"averaging_constant": 0.1}
        theirs = getattr(ao, kind)(dtype=torch.quint8, qscheme=torch.per_tensor_affine, **more)
        for seed in range(4):
            x = (1 + seed) * randn(seed, 40) + 0.3
            ours.observe(x)
            theirs(x)
        scale, zero_point = theirs.calculate_qparams()
    got_scale, got_zero = ours.affine()
    torch.testing.assert_close(got_scale, scale[0], rtol=1e-5, atol=0)
    assert int(got_zero) == int(zero_point)
    x = randn(9, 50)
    want = torch.fake_quantize_per_tensor_affine(x, float(scale), int(zero_point), 0, 255)
    assert ((affine_round(x, got_scale, got_zero) - want).abs() > 1e-4).sum() <= 1


def test_bad_input_an_observer_that_has_seen_nothing():
    with pytest.raises(ValueError, match="observer: has seen nothing; run calibration data"):
        MinMaxObserver().affine()


def test_ranges_are_fixed_after_calibration():
    model, x = LeNet5(), randn(0, 8, 1, 28, 28)
    made = post_training(model, x)
    before = [layer.observer.affine() for layer in rounded_layers(made)]
    made(100 * x)
    after = [layer.observer.affine() for layer in rounded_layers(made)]
    assert len(before) == 5 and before == after
    assert sum(p.numel() for p in model.parameters()) == 61_706


def test_oracle_weights_are_rounded_as_by_pytorch():
    made = post_training(LeNet5(), torch.zeros(1, 1, 28, 28), weights="channel")
    layer = rounded_layers(made)[1]
    scale, zeros = layer.weight_scale().flatten(), torch.zeros(16, dtype=torch.int32)
    want = torch.fake_quantize_per_channel_affine(layer.layer.weight, scale, zeros, 0, -127, 127)
    x = randn(0, 2, 6, 14, 14)
    layer.activations = "none"
    torch.testing.assert_close(layer(x), torch.conv2d(x, want, layer.layer.bias), rtol=1e-3, atol=1e-4)


def test_effect_static_dynamic_and_qat_on_digits():
    data = digits()
    model = fit(LeNet5(), data.train, data.train_labels, 150)
    base = accuracy(model, data.test, data.test_labels)
    for activations in ("static", "dynamic"):
        eight = post_training(model, data.train[:100], 8, activations=activations)
        assert abs(accuracy(eight, data.test, data.test_labels) - base) < 0.02
    two = accuracy(post_training(model, data.train[:100], 2, "tensor"), data.test, data.test_labels)
    trained = quantization_aware(model, data.train, data.train_labels, 60, 2, "tensor")
    after = accuracy(trained, data.test, data.test_labels)
    assert base > 0.9 and after > two + 0.1, (base, two, after)


def test_cost_sizes_count_scales_and_biases():
    model = LeNet5()
    weights, biases = 61_470, 236
    assert size_in_bytes(model) == 4 * (weights + biases)
    assert size_in_bytes(model, 8, "tensor") == weights + 4 * (biases + 5)
    assert size_in_bytes(model, 8) == weights + 4 * (biases + biases)


def test_mnists_files(tmp_path):
    def write(name, array):
        data = b"\x00\x00\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}i", *array.shape)
        (tmp_path / name).write_bytes(gzip.compress(data + array.numpy().tobytes()))
        return tmp_path / name

    images, labels = torch.full((3, 28, 28), 51, dtype=torch.uint8), torch.tensor([1, 2, 3], dtype=torch.uint8)
    data = mnist([write("a", images), write("b", labels), write("c", images), write("d", labels)])
    assert data.train.shape == (3, 1, 28, 28) and float(data.train[0, 0, 0, 0]) == pytest.approx(0.2)
    assert data.test_labels.tolist() == [1, 2, 3]
    (tmp_path / "bad").write_bytes(gzip.compress(b"nothing at all"))
    with pytest.raises(ValueError, match="not with an idx file"):
        read_idx(tmp_path / "bad")
    (tmp_path / "short").write_bytes(gzip.compress(b"\x00\x00\x08\x01" + struct.pack(">i", 9) + b"ab"))
    with pytest.raises(ValueError, match="holds 10 bytes, its header says"):
        read_idx(tmp_path / "short")


def test_bad_input_rules_and_divergence():
    from int8_quant.calibrate import RoundedLayer

    with pytest.raises(ValueError, match="choose of"):
        RoundedLayer(torch.nn.Linear(2, 2), 8, "row")
    with pytest.raises(ValueError, match="train with a smaller lr"):
        fit(LeNet5(), randn(0, 64, 1, 28, 28), torch.zeros(64, dtype=torch.long), 30, lr=1e30)
