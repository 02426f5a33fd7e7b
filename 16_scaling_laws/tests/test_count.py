"""Parameters and FLOPs: the formula equals PyTorch's own counter."""

import functools

import pytest
import torch
from scaling_laws import Decoder, Shape, approximate_flops, next_token_loss, parameters, training_flops
from torch.utils.flop_counter import FlopCounterMode

SHAPES = [Shape(2, 16, 64, 31, 13), Shape(3, 48, 100, 17, 7), Shape(1, 32, 20, 101, 5)]


@functools.cache
def counted(shape):
    """FLOPs of one forward and backward pass over two rows of a whole context, by torch's counter."""
    model, tokens = Decoder(shape), torch.zeros(2, shape.context, dtype=torch.long)
    with FlopCounterMode(display=False) as counter:
        next_token_loss(model, tokens, tokens).backward()
    return counter.get_total_flops()


@pytest.mark.parametrize("shape", SHAPES)
def test_oracle_the_formula_is_what_torch_counts(impl, shape):
    got = impl.training_flops(shape, 2 * shape.context)
    assert isinstance(got, int) and got == counted(shape)


@pytest.mark.parametrize("shape", SHAPES)
def test_attention_is_what_its_two_products_cost(impl, shape):
    d, L, T = shape.d_model, shape.layers, shape.context
    both, without = (impl.training_flops(shape, 7 * T, attention=a) for a in (True, False))
    assert both - without == 3 * 2 * 2 * L * T * d * 7 * T
    n = sum(w.numel() for w in Decoder(shape).parameters() if w.ndim == 2)  # the head is the embedding: counted once
    assert without == 6 * n * 7 * T


@pytest.mark.task("training_flops")
def test_the_numbers_of_the_workbook(impl):
    shape = Shape(2, 3, 5, 7, 4)
    assert [impl.training_flops(shape, 10, a) for a in (True, False)] == [12_060, 9_180]


def test_parameters_are_those_of_the_model():
    for shape in SHAPES:
        model = Decoder(shape)
        matrices = sum(w.numel() for w in model.parameters() if w.ndim == 2)
        assert parameters(shape, embeddings=True) == matrices
        assert parameters(shape) == matrices - model.wte.weight.numel()


def test_cost_the_rule_6nd_is_off_by_attention_and_the_head():
    shape = Shape(12, 768, 3072, 50257, 1024)
    n, with_embeddings = parameters(shape), parameters(shape, embeddings=True)
    assert n == 84_934_656 and with_embeddings == 84_934_656 + 50257 * 768
    rule, exact = approximate_flops(with_embeddings, 1000), training_flops(shape, 1000)
    assert training_flops(shape, 1000, attention=False) == rule
    assert exact / rule == pytest.approx(1 + 12 * 12 * 1024 * 768 / (6 * with_embeddings))
    assert approximate_flops(n, 1000) < 0.6 * exact  # of a small model, the head and attention are a third and more
