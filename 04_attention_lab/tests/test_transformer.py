"""The small transformer, and heads that are removed."""

import pytest
import torch
from attention_lab import MultiHeadAttention, causal_mask
from attention_lab.transformer import Transformer


def model(**more):
    torch.manual_seed(0)
    return Transformer(11, 16, 12, layers=2, heads=3, **more).double()


def test_the_block_attends_like_the_layer():
    made = model()
    x = torch.randn(2, 5, 12).double()
    block = made.blocks[0]
    assert isinstance(block.attention, MultiHeadAttention)
    block.down.weight.data.zero_()
    block.down.bias.data.zero_()
    got, weights = block(x, causal_mask(5), torch.ones(3))
    want = x + block.attention(block.norm1(x), attention_mask=causal_mask(5))
    torch.testing.assert_close(got, want, rtol=0, atol=1e-12)
    assert weights.shape == (2, 3, 5, 5) and weights.triu(1).eq(0).all()


def test_a_removed_head_writes_nothing():
    made, tokens = model(), torch.randint(11, (2, 7))
    whole, weights = made.look(tokens)
    assert weights.shape == (2, 2, 3, 7, 7)
    removed = made.look(tokens, removed=((0, 1),))[0]
    assert not torch.equal(whole, removed)
    made.blocks[0].attention.o_proj.weight.data[:, 4:8] = 0  # the columns that read head 1
    torch.testing.assert_close(made.look(tokens)[0], removed, rtol=0, atol=1e-12)


def test_without_positions_a_prefix_is_a_set():
    made = model(positions=False)
    tokens = torch.tensor([[1, 2, 3, 4]])
    other = torch.tensor([[3, 1, 2, 4]])
    first, second = made.look(tokens)[1], made.look(other)[1]  # the first layer's weights at the last position
    torch.testing.assert_close(first[0, 0, :, 3].sort(-1).values, second[0, 0, :, 3].sort(-1).values)


def test_bad_input():
    with pytest.raises(ValueError, match="17 positions, but the model has seq_len=16; crop them"):
        model()(torch.zeros(1, 17, dtype=torch.int64))
    with pytest.raises(ValueError, match="heads=5"):
        Transformer(11, 16, 12, layers=1, heads=5)
