"""One training loop for every network, so that all have equal conditions.

Dimensions:
    N   images
    C   channels
    H W height and width
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn


def fit(
    net: nn.Module,
    images: Float[Tensor, "N C H W"],
    labels: Int[Tensor, "N"],
    epochs: int,
    seed: int,
    lr: float = 2e-3,
    batch_size: int = 64,
) -> list[float]:
    """Adam, fresh order in each epoch; the mean loss of each epoch. A last batch of one image is left out."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(net.parameters(), lr=lr)
    net.train()
    curve = []
    for _ in range(epochs):
        order = torch.randperm(len(images), generator=generator)
        losses = []
        for batch in order.split(batch_size):
            if len(batch) == 1:
                continue  # batch norm cannot normalize one image of one pixel
            loss = F.cross_entropy(net(images[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        curve.append(sum(losses) / len(losses))
    return curve


@torch.no_grad()
def score(net: nn.Module, images: Float[Tensor, "N C H W"], labels: Int[Tensor, "N"]) -> float:
    """The share of images that are classified rightly, in pieces of 500."""
    net.eval()
    right = 0
    for piece, wanted in zip(images.split(500), labels.split(500), strict=True):
        right += int((net(piece).argmax(dim=1) == wanted).sum())
    return right / len(labels)
