"""Batch normalisation backwards: the oracle is autograd through the forward pass, and PyTorch's own layer."""

import pytest
import torch
from given import randn
from torch import nn

from capstone_gpt.ladder import BatchNorm, batchnorm_forward


@pytest.mark.task("batchnorm_backward")
@pytest.mark.parametrize("rows, channels", [(2, 3), (7, 5), (31, 1)])
def test_oracle_autograd(impl, seed, rows, channels):
    x, gamma, beta = (
        randn(seed + i, *s).requires_grad_() for i, s in enumerate([(rows, channels), (channels,), (channels,)])
    )
    dy = randn(seed + 9, rows, channels)
    for eps in (1e-5, 0.3):
        want = torch.autograd.grad((batchnorm_forward(x, gamma, beta, eps) * dy).sum(), (x, gamma, beta))
        got = impl.batchnorm_backward(dy, x.detach(), gamma.detach(), eps)
        for g, w in zip(got, want, strict=True):
            torch.testing.assert_close(g, w, rtol=1e-9, atol=1e-10)


@pytest.mark.task("batchnorm_backward")
def test_property_a_constant_or_a_scale_of_x_changes_no_output(impl, seed):
    """So dx sums to zero over the batch and, but for eps, is orthogonal to x."""
    x, dy = randn(seed, 11, 4), randn(seed + 1, 11, 4)
    dx, _, _ = impl.batchnorm_backward(dy, x, torch.ones(4, dtype=torch.float64), 1e-12)
    assert dx.sum(0).abs().max() < 1e-10 and (dx * x).sum(0).abs().max() < 1e-9


@pytest.mark.task("batchnorm_backward")
def test_the_example_of_the_workbook(impl):
    x, dy = torch.tensor([[0.0], [2.0]]), torch.tensor([[1.0], [0.0]])
    dx, dgamma, dbeta = impl.batchnorm_backward(dy, x, torch.tensor([3.0]), 0.0)
    assert dbeta.item() == 1 and dgamma.item() == pytest.approx(-(0.5**0.5)) and dx.abs().max() < 1e-6


def test_oracle_the_layer_with_running_statistics():
    ours, theirs = BatchNorm(3), nn.BatchNorm1d(3)
    for i in range(4):
        x = randn(i, 8, 3, dtype=torch.float32)
        theirs(x)
        ours(x)
    torch.testing.assert_close(ours.running_mean, theirs.running_mean)
    torch.testing.assert_close(ours.running_var, theirs.running_var)
    ours.training = False
    torch.testing.assert_close(ours(x), theirs.eval()(x))
