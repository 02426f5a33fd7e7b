"""Block-sparse attention: masked SDPA as oracle, patterns by definition, operations counted."""

import pytest
import torch
import torch.nn.functional as F
from sliding_window import window_mask
from sliding_window.block_sparse import (
    bigbird_blocks,
    block_sparse_attention,
    blocks_of,
    dilated_window,
    longformer,
    longformer_reach,
    to_mask,
)
from torch.utils.flop_counter import FlopCounterMode


def qkv(T, dtype=torch.float64):
    torch.manual_seed(T)
    return [torch.randn(2, 3, T, 5, dtype=dtype) for _ in range(3)]


def bigbird():
    return to_mask(bigbird_blocks(6, 2, 1, 1, torch.Generator().manual_seed(0)), 4)


PATTERNS = {
    "window": window_mask(24, 24, 7),
    "dilated": dilated_window(24, 3, 4),
    "longformer": longformer(24, 5, 2, 2),
    "bigbird": bigbird(),
}


@pytest.mark.parametrize("name", list(PATTERNS))
def test_oracle_masked_sdpa(name):
    mask, (q, k, v) = PATTERNS[name], qkv(24)
    want = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    for block in (1, 4, 8, 24):
        torch.testing.assert_close(block_sparse_attention(q, k, v, mask, block), want, rtol=0, atol=1e-13)


def test_patterns_by_definition():
    assert torch.equal(dilated_window(11, 4), window_mask(11, 11, 4))
    assert dilated_window(13, 3, 4)[12].nonzero().flatten().tolist() == [4, 8, 12]
    assert longformer(13, 2, 2)[9].nonzero().flatten().tolist() == [0, 1, 8, 9]
    for mask in PATTERNS.values():
        assert not mask.triu(1).any() and mask.diagonal().all()


def test_bigbird_has_its_window_its_first_and_its_random_blocks():
    blocks = bigbird_blocks(20, 3, 1, 2, torch.Generator().manual_seed(1))
    again = bigbird_blocks(20, 3, 1, 2, torch.Generator().manual_seed(1))
    assert torch.equal(blocks, again) and not blocks.triu(1).any()
    assert blocks[:, 0].all() and (blocks.sum(1)[6:] == 3 + 1 + 2).all()
    for row in range(20):
        assert blocks[row, max(row - 2, 0) : row + 1].all()


def test_the_reach_of_dilated_windows_by_gradient():
    dilations, x = [1, 2, 4], torch.randn(1, 1, 30, 4, dtype=torch.float64, requires_grad=True)
    out = x
    for dilation in dilations:
        out = F.scaled_dot_product_attention(out, out, out, attn_mask=dilated_window(30, 2, dilation))
    out[0, 0, 25].sum().backward()
    seen = x.grad.abs().sum((0, 1, 3)).nonzero().flatten().tolist()
    assert len(seen) == longformer_reach(2, dilations) == 8 and seen == list(range(18, 26))


def test_cost_only_listed_blocks_are_computed():
    T, block = 96, 8
    mask = window_mask(T, T, 9)
    q, k, v = qkv(T, torch.float32)
    with FlopCounterMode(display=False) as counter:
        block_sparse_attention(q, k, v, mask, block)
    listed = int(blocks_of(mask, block).sum())
    assert counter.get_total_flops() == listed * block * block * 2 * 3 * 2 * 2 * 5
    assert listed == 12 + 11  # the band needs the block itself and the one before it


def test_bad_input():
    q, k, v = qkv(24)
    with pytest.raises(ValueError, match="block=5: does not divide T=24; pad the text"):
        block_sparse_attention(q, k, v, PATTERNS["window"], 5)
    with pytest.raises(ValueError, match="a query sees no key"):
        block_sparse_attention(q, k, v, torch.zeros(24, 24, dtype=torch.bool), 4)
    with pytest.raises(ValueError, match="window=0, dilation=1: use 1 or more for both"):
        dilated_window(4, 0)
