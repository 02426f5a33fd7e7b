"""Which heads copy? Random tokens, repeated once, tell: only by looking back can the second copy be predicted.

At position t of the second copy the same token stood at t - n. The token after that one, t - n + 1, is what comes next.
An induction head looks there (Elhage et al. 2021; Olsson et al. 2022). It needs a head in an earlier layer that tells
each position which token came before it: a previous-token head.

Dimensions:
    B   sequences      n   tokens before they repeat; T = 2 n
    L   layers         H   heads
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

Removed = tuple[tuple[int, int], ...]


def repeated_tokens(vocab_size: int, n: int, batch: int, seed: int) -> Tensor:
    """n random tokens, twice: (B, 2 n)."""
    tokens = torch.randint(vocab_size, (batch, n), generator=torch.Generator().manual_seed(seed))
    return torch.cat((tokens, tokens), dim=1)


class HeadScores(NamedTuple):
    """The mean weight that each head (L, H) gives to one place."""

    induction: Tensor  # the token after the earlier occurrence
    previous: Tensor  # the token before
    first: Tensor  # the first token of the text: a sink


def head_scores(weights: Tensor) -> HeadScores:
    """The scores of weights (L, B, H, 2 n, 2 n) on tokens that repeat after n."""
    T = weights.shape[-1]
    n = T // 2
    induction = weights.diagonal(offset=1 - n, dim1=-2, dim2=-1)[..., 1:]  # queries n … T - 1, each at key t - n + 1
    previous = weights.diagonal(offset=-1, dim1=-2, dim2=-1)  # queries 1 … T - 1, each at key t - 1
    first = weights[..., n:, 0]
    return HeadScores(*(x.mean(dim=(1, -1)) for x in (induction, previous, first)))


def loss_by_copy(look: Callable[..., tuple[Tensor, Tensor]], tokens: Tensor, removed: Removed = ()) -> list[float]:
    """Mean loss in nats on the first copy and on the second, without the heads of `removed`."""
    with torch.no_grad():
        logits, _ = look(tokens, removed=removed)
    n = tokens.shape[1] // 2
    losses = F.cross_entropy(logits[:, :-1].transpose(1, 2), tokens[:, 1:], reduction="none")  # B 2n - 1
    return [float(losses[:, : n - 1].mean()), float(losses[:, n:].mean())]
