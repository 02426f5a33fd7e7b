"""The scalar engine: the oracle is PyTorch's autograd."""

import pytest
import torch
from given import randn, tangled
from hypothesis import given, settings
from hypothesis import strategies as st

from capstone_gpt import Value


def same_in_torch(seed):
    a, b, c = (x.requires_grad_() for x in randn(seed, 3).mul(0.7).add(1.3))
    a, b, c = (x.detach().requires_grad_() for x in (a, b, c))
    d = a * b
    e = d + a
    f = (e * d - c).tanh()
    inner = [a, b, c, d, e]
    output = f * a + (f + d * c) / (b * b + 2) + e
    return output, torch.autograd.grad(output, inner)


@pytest.mark.task("backward")
def test_oracle_gradients_of_a_tangled_expression(impl, seed):
    values, output = tangled(seed)
    impl.backward(output)
    want_output, want = same_in_torch(seed)
    assert output.data == pytest.approx(want_output.item(), rel=1e-12)
    assert [v.grad for v in values] == pytest.approx([g.item() for g in want], rel=1e-10)


@pytest.mark.task("backward")
def test_a_second_call_gives_the_same_gradients(impl, seed):
    values, output = tangled(seed)
    impl.backward(output)
    first = [v.grad for v in values]
    impl.backward(output)
    assert [v.grad for v in values] == first and output.grad == 1.0
    a = Value(2.0)  # another output of the same input: 3 a, then a²
    impl.backward(3.0 * a)
    impl.backward(a * a)
    assert a.grad == 4.0


@pytest.mark.task("backward")
def test_the_example_of_the_workbook(impl):
    a, b = Value(2.0), Value(3.0)
    c = a * b
    output = c + a
    impl.backward(output)
    assert (output.data, a.grad, b.grad, c.grad, output.grad) == (8.0, 4.0, 2.0, 1.0, 1.0)


@pytest.mark.task("backward")
def test_a_value_stands_beside_one_that_is_made_from_it(impl):
    """b = 2a, c = b², and either order of b + c: its derivative by a is 2 (1 + 2b)."""
    for first in (True, False):
        a = Value(1.5)
        b = a * 2
        c = b * b
        impl.backward(b + c if first else c + b)
        assert (a.grad, b.grad, c.grad) == (14.0, 7.0, 1.0)


@pytest.mark.task("backward")
def test_a_graph_of_ten_thousand_steps(impl):
    x = Value(1.0)
    y = x
    for _ in range(10_000):
        y = y + x
    impl.backward(y)
    assert x.grad == 10_001


@pytest.mark.task("backward")
def test_property_a_product_of_powers(impl):
    @settings(deadline=None, max_examples=30)
    @given(st.lists(st.floats(0.5, 2.0), min_size=1, max_size=6))
    def holds(numbers):
        values = [Value(x) for x in numbers]
        output = Value(1.0)
        for v in values:
            output = output * v * v
        impl.backward(output)
        for v in values:
            assert v.grad == pytest.approx(2 * output.data / v.data, rel=1e-9)

    holds()


@pytest.mark.parametrize("name", ["exp", "log", "tanh", "relu"])
def test_oracle_each_function(name):
    for x in (0.3, 1.7):
        value, tensor = Value(x), torch.tensor(x, dtype=torch.float64, requires_grad=True)
        getattr(value, name)().backward()
        getattr(tensor, name)().backward()
        assert value.grad == pytest.approx(tensor.grad.item(), rel=1e-12)


def test_oracle_operators_with_numbers_on_either_side():
    x, t = Value(1.7), torch.tensor(1.7, dtype=torch.float64, requires_grad=True)

    def expression(v):
        return (3 - v) * 2 / v + (1 / v - v) ** 3 - (-v) + 5 * v + (2 + v)

    expression(x).backward()
    expression(t).backward()
    assert x.grad == pytest.approx(t.grad.item(), rel=1e-12)
    assert repr(Value(2.0)) == "Value(data=2, grad=0)"
