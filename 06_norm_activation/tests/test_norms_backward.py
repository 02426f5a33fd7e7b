"""Every backward pass by hand against PyTorch's gradients and gradcheck; the norms that are no task; the fast forms."""

import norm_activation as na
import pytest
import torch
import torch.nn.functional as F
from norm_activation.batch_norm import batch_norm_backward_at_evaluation
from test_norms import EXACT, gradients, numbers, statistics

SHAPES = [(5, 6), (3, 6, 7), (2, 6, 3, 5)]


@pytest.mark.parametrize("shape", SHAPES)
def test_batch_norm_backward_of_training_and_of_evaluation(shape):
    x, dy, weight, bias = numbers(1, *shape), numbers(2, *shape), numbers(3, 6), numbers(4, 6)
    mean, var = statistics(5, 6)
    want = gradients(lambda x, w, b: F.batch_norm(x, mean, var, w, b, True), dy, x, weight, bias)
    torch.testing.assert_close(na.batch_norm_backward(dy, x, weight), want, **EXACT)
    want = gradients(lambda x, w, b: F.batch_norm(x, mean, var, w, b, False), dy, x, weight, bias)
    mean, var = statistics(5, 6)
    want = gradients(lambda x, w, b: F.batch_norm(x, mean, var, w, b, False), dy, x, weight, bias)
    torch.testing.assert_close(batch_norm_backward_at_evaluation(dy, x, weight, mean, var), want, **EXACT)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("groups", [1, 2, 3, 6])
def test_group_norm_forward_and_backward(shape, groups):
    if shape == (5, 6) and groups == 6:
        return  # one number a group: PyTorch refuses it, and the gradient is zero
    x, dy, weight, bias = numbers(1, *shape), numbers(2, *shape), numbers(3, 6), numbers(4, 6)

    def theirs(x, w, b):
        return F.group_norm(x, groups, w, b, 1e-3)

    torch.testing.assert_close(na.group_norm(x, groups, weight, bias, 1e-3), theirs(x, weight, bias), **EXACT)
    want = gradients(theirs, dy, x, weight, bias)
    torch.testing.assert_close(na.group_norm_backward(dy, x, groups, weight, 1e-3), want, **EXACT)


@pytest.mark.parametrize("shape", SHAPES[1:])
def test_instance_norm_forward_and_backward(shape):
    x, dy, weight, bias = numbers(1, *shape), numbers(2, *shape), numbers(3, 6), numbers(4, 6)

    def theirs(x, w, b):
        return F.instance_norm(x, weight=w, bias=b, eps=1e-3)

    torch.testing.assert_close(na.instance_norm(x, weight, bias, 1e-3), theirs(x, weight, bias), **EXACT)
    want = gradients(theirs, dy, x, weight, bias)
    torch.testing.assert_close(na.instance_norm_backward(dy, x, weight, 1e-3), want, **EXACT)


def test_bad_input_groups_must_divide_the_channels():
    for groups in (0, 4, 7):
        with pytest.raises(ValueError, match=f"groups={groups}"):
            na.group_norm(torch.zeros(2, 6), groups, torch.ones(6), torch.zeros(6))


@pytest.mark.parametrize("rows", [1, 5, 256, 257, 600])
def test_the_fast_norms_are_the_plain_ones_values_and_gradients(rows):
    x, dy, weight, bias = numbers(1, rows, 7), numbers(2, rows, 7), numbers(3, 7), numbers(4, 7)
    for plain, fast, inputs in (
        (na.rms_norm, na.rms_norm_fast, (x, weight)),
        (na.layer_norm, na.layer_norm_fast, (x, weight, bias)),
    ):
        torch.testing.assert_close(fast(*inputs), plain(*inputs), **EXACT)
        torch.testing.assert_close(gradients(fast, dy, *inputs), gradients(plain, dy, *inputs), **EXACT)


def test_the_fast_norms_pass_pytorchs_gradcheck():
    x = numbers(1, 3, 4, 7).requires_grad_()
    weight, bias = numbers(2, 7).requires_grad_(), numbers(3, 7).requires_grad_()
    assert torch.autograd.gradcheck(lambda x, w: na.rms_norm_fast(x, w), (x, weight), eps=1e-6, atol=1e-8)
    assert torch.autograd.gradcheck(lambda x, w, b: na.layer_norm_fast(x, w, b), (x, weight, bias), eps=1e-6, atol=1e-8)


class Hand(torch.autograd.Function):
    """A forward pass with a backward pass by hand, for PyTorch's own gradcheck."""

    @staticmethod
    def forward(ctx, forward, backward, *inputs):
        ctx.backward_by_hand = backward
        ctx.save_for_backward(*inputs)
        return forward(*inputs)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, dy):
        return (None, None, *ctx.backward_by_hand(dy, *ctx.saved_tensors))


def by_hand():
    mean, var = statistics(8, 6)
    batch = numbers(1, 4, 6, 3), numbers(2, 6), numbers(3, 6)
    rows = numbers(1, 4, 7), numbers(2, 7), numbers(3, 7)
    mlp = numbers(1, 4, 5), numbers(2, 7, 5), numbers(3, 7, 5), numbers(4, 5, 7)
    yield "layer_norm", na.layer_norm, lambda dy, x, w, b: na.layer_norm_backward(dy, x, w), rows
    yield "rms_norm", na.rms_norm, na.rms_norm_backward, rows[:2]
    yield (
        "batch_norm, training",
        lambda x, w, b: na.batch_norm(x, w, b, mean, var, True)[0],
        lambda dy, x, w, b: na.batch_norm_backward(dy, x, w),
        batch,
    )
    yield (
        "batch_norm, evaluation",
        lambda x, w, b: na.batch_norm(x, w, b, mean, var, False)[0],
        lambda dy, x, w, b: batch_norm_backward_at_evaluation(dy, x, w, mean, var),
        batch,
    )
    yield (
        "group_norm",
        lambda x, w, b: na.group_norm(x, 3, w, b),
        lambda dy, x, w, b: na.group_norm_backward(dy, x, 3, w),
        batch,
    )
    yield "instance_norm", na.instance_norm, lambda dy, x, w, b: na.instance_norm_backward(dy, x, w), batch
    yield "swiglu", na.swiglu, na.swiglu_backward, mlp


@pytest.mark.parametrize(
    "name, forward, backward, inputs", list(by_hand()), ids=lambda x: x if isinstance(x, str) else ""
)
def test_every_backward_by_hand_passes_both_gradchecks(name, forward, backward, inputs):
    leaves = [x.clone().requires_grad_() for x in inputs]
    check = torch.autograd.gradcheck
    assert check(lambda *a: Hand.apply(forward, backward, *a), leaves, eps=1e-6, atol=1e-8)
    dy = numbers(9, *forward(*inputs).shape)
    assert na.gradcheck(forward, backward, inputs, dy)
