"""Which query sees which key. True is seen.

Longformer (Beltagy et al. 2020): a window, dilated in some layers, and a few global tokens that see all and are seen by
all. BigBird (Zaheer et al. 2020): a window, global and random blocks. Both papers read in both directions; here the
causal half of each pattern is made.

Dimensions:
    T   tokens        N   blocks of `block` tokens
"""

import torch
from jaxtyping import Bool
from torch import Tensor


def dilated_window(T: int, window: int, dilation: int = 1) -> Bool[Tensor, "T T"]:
    """`window` keys, `dilation` apart: the token itself, and every `dilation`-th one before it."""
    if window < 1 or dilation < 1:
        raise ValueError(f"window={window}, dilation={dilation}: use 1 or more for both")
    behind = torch.arange(T)[:, None] - torch.arange(T)
    return (behind >= 0) & (behind < window * dilation) & (behind % dilation == 0)


def longformer(T: int, window: int, global_tokens: int, dilation: int = 1) -> Bool[Tensor, "T T"]:
    """A dilated window, and the first tokens in sight of everybody: sinks by another name."""
    causal = torch.ones(T, T, dtype=torch.bool).tril()
    is_global = torch.arange(T) < global_tokens
    return dilated_window(T, window, dilation) | (causal & is_global)


def longformer_reach(window: int, dilations: list[int]) -> int:
    """Tokens in sight through a stack of dilated windows: 1 + Σ (W - 1)·dilation, as for convolutions."""
    return 1 + sum((window - 1) * dilation for dilation in dilations)


def bigbird_blocks(
    N: int, window: int, global_blocks: int, random_blocks: int, generator: torch.Generator
) -> Bool[Tensor, "N N"]:
    """For each block of queries: the last `window` blocks, the first ones, and random ones from what is left."""
    shown = dilated_window(N, window)
    shown[:, :global_blocks] |= torch.ones(N, N, dtype=torch.bool).tril()[:, :global_blocks]
    for row in range(N):
        left = (~shown[row, :row]).nonzero().flatten()
        drawn = left[torch.randperm(len(left), generator=generator)[:random_blocks]]
        shown[row, drawn] = True
    return shown


def to_mask(blocks: Bool[Tensor, "N N"], block: int) -> Bool[Tensor, "T T"]:
    """The mask of the listed blocks, token by token and causal."""
    whole = blocks.repeat_interleave(block, dim=0).repeat_interleave(block, dim=1)
    return whole.tril()


def blocks_of(mask: Bool[Tensor, "T T"], block: int) -> Bool[Tensor, "N N"]:
    """The blocks in which a mask shows anything: what a kernel must compute."""
    N = mask.shape[0] // block
    if N * block != mask.shape[0]:
        raise ValueError(f"block={block}: does not divide T={mask.shape[0]}; pad the text")
    return mask.view(N, block, N, block).any(dim=3).any(dim=1)
