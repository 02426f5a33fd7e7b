"""What it costs, counted: bytes allocated, passes over the data, parameters."""

import pytest
import torch
from rope_animator import apply_rope
from rope_animator.rope import LAYOUTS
from rope_animator.rope_fast import RotaryEmbedding
from torch.utils._python_dispatch import TorchDispatchMode

SHAPE = (2, 3, 32, 16)
BYTES = 4 * 2 * 3 * 32 * 16


class Traffic(TorchDispatchMode):
    """Counts the elements that operations write, and the fresh tensors they hand out."""

    def __init__(self):
        super().__init__()
        self.written, self.fresh = 0, 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if not isinstance(result, torch.Tensor) or "empty" in function.__name__ or function.is_view:
            return result
        known = [*args, *(kwargs or {}).values()]
        self.written += result.numel() * result.element_size()
        self.fresh += 0 if any(result is a for a in known) else result.numel() * result.element_size()
        return result


def traffic(function, *inputs):
    with Traffic() as count:
        function(*inputs)
    return count


@pytest.mark.parametrize("layout, passes", [("interleaved", 1), ("half", 2)])
def test_the_fast_form_writes_each_coordinate_once_or_twice_and_allocates_nothing(layout, passes):
    """Interleaved: one multiplication. Half: the product by the cosine, then the sine's share on top of it."""
    x, out, rotary = torch.randn(SHAPE), torch.empty(SHAPE), RotaryEmbedding(16, 32, layout=layout)
    count = traffic(lambda: rotary(x, 0, out))
    assert count.written == passes * BYTES
    assert count.fresh == 0


def test_the_peer_writes_each_coordinate_more_often():
    """x cos, -x2, the concatenation, its product with the sine, and the sum: four and a half passes."""
    from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

    x, rotary = torch.randn(SHAPE), RotaryEmbedding(16, 32)
    cos, sin = (torch.cat((t, t), -1)[None] for t in (rotary.cos, rotary.sin))
    assert traffic(lambda: apply_rotary_pos_emb(x, x, cos, sin)).written >= 2 * 4.5 * BYTES


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_table_of_angles_does_not_grow_with_batch_or_heads(layout):
    """Sines are taken once a position and pair; heads and rows share them."""

    def sines(batch, heads):
        seen = []

        class Sines(TorchDispatchMode):
            def __torch_dispatch__(self, function, types, args=(), kwargs=None):
                result = function(*args, **(kwargs or {}))
                seen.extend([result.numel()] if function is torch.ops.aten.sin.default else [])
                return result

        q = torch.randn(batch, heads, 32, 16)
        with Sines():
            apply_rope(q, q, torch.arange(32), layout=layout)
        return sum(seen)

    assert sines(1, 1) == sines(4, 6) == 2 * 32 * 8
