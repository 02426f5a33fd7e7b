"""Convolution and pooling by hand against PyTorch's, the four networks, and the loaders on small files."""

import gzip
import struct

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from block_builder import vision
from block_builder.vision import convolution
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from mistakes import randn
from oracles import compare
from torch import nn

IMAGE = st.tuples(st.integers(1, 2), st.integers(1, 3), st.integers(4, 9), st.integers(4, 9))
KERNEL = st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3))
MOVES = st.tuples(st.integers(1, 3), st.integers(0, 2), st.integers(1, 2))


def check_convolution(conv2d):
    @settings(deadline=None, max_examples=30, phases=(Phase.explicit, Phase.generate))  # no shrinking
    @given(IMAGE, KERNEL, MOVES, st.booleans(), st.integers(0, 2**20))
    def holds(image, kernel, moves, with_bias, seed):
        outputs, K, J = kernel
        stride, padding, dilation = moves
        if any(dilation * (k - 1) + 1 > size + 2 * padding for k, size in zip((K, J), image[2:], strict=True)):
            return
        inputs = [randn(seed, *image), randn(seed + 1, outputs, image[1], K, J)]
        inputs += [randn(seed + 2, outputs)] if with_bias else []

        def ours(x, weight, bias=None):
            return conv2d(x, weight, bias, stride=stride, padding=padding, dilation=dilation)

        def theirs(x, weight, bias=None):
            return F.conv2d(x, weight, bias, stride, padding, dilation)

        compare(ours, theirs, inputs, atol=1e-12)

    holds()


@pytest.mark.task("conv2d")
def test_conv2d_is_pytorchs_for_any_configuration(impl):
    check_convolution(impl.conv2d)


@pytest.mark.task("conv2d")
def test_conv2d_is_by_hand(impl, monkeypatch):
    def refused(*args, **kwargs):
        raise AssertionError("calls PyTorch's convolution or unfold: the task is to write it")

    for module, names in ((F, ("conv2d", "unfold")), (torch, ("conv2d", "convolution")), (nn.Conv2d, ("forward",))):
        for name in names:
            monkeypatch.setattr(module, name, refused)
    assert impl.conv2d(torch.ones(1, 1, 3, 3), torch.ones(1, 1, 2, 2)).sum() == 16


@pytest.mark.task("conv2d")
def test_conv2d_refuses_a_kernel_that_does_not_fit(impl):
    with pytest.raises(ValueError):
        impl.conv2d(torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 3, 3), dilation=2)
    assert impl.conv2d(torch.ones(1, 1, 4, 5), torch.ones(1, 1, 4, 5)).tolist() == [[[[20.0]]]]


@pytest.mark.task("conv2d")
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_conv2d_keeps_the_dtype(impl, dtype):
    x, weight, bias = (torch.ones(shape, dtype=dtype) for shape in ((1, 2, 3, 3), (1, 2, 2, 2), (1,)))
    out = impl.conv2d(x, weight, bias)
    assert out.dtype == dtype and out.tolist() == [[[[9.0, 9.0], [9.0, 9.0]]]]


@pytest.mark.task("conv2d")
def test_a_bias_of_zeros_gets_its_gradient(impl):
    bias = torch.zeros(1, requires_grad=True)
    impl.conv2d(torch.ones(1, 1, 3, 3), torch.ones(1, 1, 2, 2, requires_grad=True), bias).sum().backward()
    assert bias.grad is not None, "no gradient arrives at a bias of zeros"
    assert bias.grad.tolist() == [4.0]


def test_the_fast_convolution_is_pytorchs():
    check_convolution(vision.conv2d_fast)


def test_im2col_is_unfold():
    x = randn(0, 2, 3, 7, 8)
    got = vision.im2col(x, (2, 3), stride=2, dilation=2)
    torch.testing.assert_close(got, F.unfold(x, (2, 3), dilation=2, stride=2), rtol=0, atol=0)


def test_convolution_is_correlation_with_the_kernel_turned_over():
    from scipy.signal import convolve2d, correlate2d

    x, weight = randn(0, 1, 1, 6, 7), randn(1, 1, 1, 3, 2)
    image, kernel = x[0, 0].numpy(), weight[0, 0].numpy()
    got = vision.conv2d(x, weight)[0, 0].numpy()
    np.testing.assert_allclose(got, correlate2d(image, kernel, "valid"), atol=1e-13)
    turned = vision.conv2d(x, vision.flipped(weight))[0, 0].numpy()
    np.testing.assert_allclose(turned, convolve2d(image, kernel, "valid"), atol=1e-13)


def test_convolution_moves_with_the_image():
    x, weight = randn(0, 1, 2, 9, 9), randn(1, 3, 2, 3, 3)
    moved = vision.conv2d(x.roll(2, dims=3), weight)
    torch.testing.assert_close(moved[..., 2:], vision.conv2d(x, weight)[..., :-2])


@pytest.mark.parametrize("kernel, stride", [(2, 2), (3, 2), (3, 1), (2, 3)])
def test_pooling_is_pytorchs(kernel, stride):
    x = [randn(0, 2, 3, 7, 8)]
    compare(lambda x: vision.max_pool2d(x, kernel, stride), lambda x: F.max_pool2d(x, kernel, stride), x)
    compare(lambda x: vision.avg_pool2d(x, kernel, stride), lambda x: F.avg_pool2d(x, kernel, stride), x)
    compare(vision.global_avg_pool2d, lambda x: F.adaptive_avg_pool2d(x, 1).flatten(1), x)


def test_a_kernel_that_is_too_large_says_so():
    with pytest.raises(ValueError, match="kernel=3: it reaches over 5 of 4 pixels; give more padding"):
        convolution.output_size(4, 3, 1, 2)


# ---------------------------------------------------------------- networks


@pytest.mark.parametrize("name", ["lenet5", "alexnet", "vgg", "resnet"])
@pytest.mark.parametrize("channels, size", [(1, 8), (3, 32)])
def test_networks_take_images_of_each_size(name, channels, size):
    net = {"lenet5": vision.lenet5, "alexnet": vision.alexnet, "vgg": vision.vgg}.get(name)
    net = net(channels, size) if net else vision.resnet(channels)
    assert net.eval()(torch.randn(2, channels, size, size)).shape == (2, 10)


def test_lenet5_has_the_parameters_of_its_formula():
    sizes = sum(p.numel() for p in vision.lenet5(1, 28).parameters())
    assert sizes == (25 + 1) * 6 + (6 * 25 + 1) * 16 + (16 * 49 + 1) * 120 + 121 * 84 + 85 * 10


def test_resnet18_has_eleven_million_parameters_and_eighteen_layers():
    with torch.device("meta"):
        net = vision.resnet(3, width=64)
    assert sum(p.numel() for p in net.parameters()) == 11_173_962  # He et al.'s, for ten classes and a 3 x 3 stem
    weighted = [
        m for m in net.modules() if isinstance(m, (nn.Conv2d, nn.Linear)) and getattr(m, "kernel_size", 0) != (1, 1)
    ]
    assert len(weighted) == 18


def test_the_plain_twin_has_the_same_layers_and_no_skip():
    with_skip, plain = vision.thin_resnet(8), vision.thin_resnet(8, skip=False)
    assert [p.shape for p in with_skip.parameters()] == [p.shape for p in plain.parameters()]
    with pytest.raises(ValueError, match="depth=7: a block has two convolutions"):
        vision.thin_resnet(7)


def test_a_residual_block_of_zeros_is_the_identity():
    block = vision.nets.BasicBlock(4, 4)
    nn.init.zeros_(block.second[1].weight)
    x = torch.rand(2, 4, 5, 5)
    torch.testing.assert_close(block(x), x)


def test_the_hand_made_convolution_gives_a_networks_own_output():
    net, x = vision.thin_resnet(4).eval(), torch.rand(2, 1, 8, 8)
    want = net(x)

    def by_hand(layer, inputs, output):
        return vision.conv2d_fast(inputs[0], layer.weight, layer.bias, layer.stride[0], layer.padding[0])

    hooks = [m.register_forward_hook(by_hand) for m in net.modules() if isinstance(m, nn.Conv2d)]
    torch.testing.assert_close(net(x), want)
    assert len(hooks) == 5


def test_effect_a_deep_plain_network_does_not_learn_and_its_twin_does():
    from block_builder.lab.images import digits

    (images, labels), _ = digits()
    curves = {}
    for skip in (True, False):
        torch.manual_seed(0)
        curves[skip] = vision.fit(vision.thin_resnet(32, skip=skip), images[:700], labels[:700], epochs=3, seed=0)
    assert curves[True][-1] < curves[False][-1] - 0.4


# ---------------------------------------------------------------- loaders


def idx(values):
    values = np.asarray(values, np.uint8)
    return struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape) + values.tobytes()


def test_mnist_files_are_read_and_checked(tmp_path):
    pixels = np.arange(2 * 4 * 3).reshape(2, 4, 3)
    (tmp_path / "images.gz").write_bytes(gzip.compress(idx(pixels)))
    (tmp_path / "labels").write_bytes(idx([7, 1]))
    images, labels = vision.read_mnist(tmp_path / "images.gz", tmp_path / "labels")
    torch.testing.assert_close(images, torch.tensor(pixels[:, None] / 255, dtype=torch.float32))
    assert labels.tolist() == [7, 1] and labels.dtype == torch.long
    (tmp_path / "labels").write_bytes(idx([7, 1, 2]))
    with pytest.raises(ValueError, match="labels=3: there are 2 images"):
        vision.read_mnist(tmp_path / "images.gz", tmp_path / "labels")
    (tmp_path / "labels").write_bytes(idx([7, 1])[:-1])
    with pytest.raises(ValueError, match="1 bytes where the header says"):
        vision.read_mnist(tmp_path / "images.gz", tmp_path / "labels")
    (tmp_path / "labels").write_bytes(b"hello")
    with pytest.raises(ValueError, match="not an idx file of bytes"):
        vision.read_mnist(tmp_path / "images.gz", tmp_path / "labels")


def test_a_cifar10_file_is_read_and_checked(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 3, 32, 32), dtype=np.uint8)
    rows = [bytes([label]) + image.tobytes() for label, image in zip((9, 0, 4), pixels, strict=True)]
    path = tmp_path / "data_batch_1.bin"
    path.write_bytes(b"".join(rows))
    images, labels = vision.read_cifar10(path)
    torch.testing.assert_close(images, torch.tensor(pixels / 255, dtype=torch.float32))
    assert labels.tolist() == [9, 0, 4]
    path.write_bytes(b"".join(rows)[:-1])
    with pytest.raises(ValueError, match="are no rows of 3073; get the binary version"):
        vision.read_cifar10(path)
    path.write_bytes(bytes([10]) + rows[0][1:])
    with pytest.raises(ValueError, match="label 10: must be 0 to 9"):
        vision.read_cifar10(path)
