"""The shape primer: the tracer and the ten puzzles."""

import pytest
import torch
from attention_lab import PUZZLES, MultiHeadAttention, scaled_dot_product_attention, trace_modules, trace_operations


def run(text, B, T, H, D):
    """The shape that PyTorch gives, or None where it refuses."""
    names = {"B": B, "T": T, "H": H, "D": D, "torch": torch, "x": torch.zeros(B, T, H * D)}
    names |= {"q": torch.zeros(B, H, T, D), "lengths": torch.ones(B)}
    try:
        return tuple(eval(text, names).shape)
    except RuntimeError:
        return None


@pytest.mark.task("shape_puzzles")
@pytest.mark.parametrize("sizes", [(2, 5, 3, 7), (3, 4, 2, 6), (7, 2, 5, 3)])
def test_oracle_pytorch_itself(impl, sizes):
    answers = impl.shape_puzzles(*sizes)
    for letter, text in PUZZLES.items():
        got = answers[letter]
        assert (got if got is None else tuple(got)) == run(text, *sizes), f"puzzle {letter}: {text}"


def test_there_are_ten_puzzles():
    assert list(PUZZLES) == list("ABCDEFGHIJ")


def test_modules_are_traced_in_their_order_and_hooks_are_removed():
    layer, x, context = MultiHeadAttention(12, 3), torch.zeros(2, 5, 12), torch.zeros(2, 7, 12)
    steps = trace_modules(layer, x, context)
    assert [s.step for s in steps] == ["q_proj", "k_proj", "v_proj", "o_proj", "MultiHeadAttention"]
    assert steps[0].output == (2, 5, 12) and steps[1].output == (2, 7, 12)
    assert steps[-1].inputs == ((2, 5, 12), (2, 7, 12))
    assert not any(part._forward_hooks for part in layer.modules())
    with pytest.raises(RuntimeError):
        trace_modules(layer, torch.zeros(2, 5, 11))
    assert not any(part._forward_hooks for part in layer.modules())


def test_operations_are_traced():
    q, k, v = torch.zeros(2, 3, 5, 7), torch.zeros(2, 3, 11, 7), torch.zeros(2, 3, 11, 4)
    steps = trace_operations(scaled_dot_product_attention, q, k, v)
    assert [s for s in steps if s.step == "matmul"][0].output == (2, 3, 5, 11)
    assert steps[-1].output == (2, 3, 5, 4)
    assert "transpose" in {s.step for s in steps}
    assert "(2, 3, 7, 11)" in str(next(s for s in steps if s.step == "transpose"))
