"""Which samples make the next batch: shuffled anew each epoch, shared out between ranks, resumed to the sample."""

import torch
from jaxtyping import Int
from torch import Tensor


class Sampler:
    """Endless batches of indices below `size`, `batch_size` of them for each rank.

    The order of epoch e is `torch.randperm(size, generator=g)` with g seeded with `seed + e`. A global batch is the
    next `batch_size * world_size` indices of that order, and rank r takes its r-th part. What is left at the end of an
    epoch and fills no global batch is not used.
    """

    def __init__(self, size: int, batch_size: int, seed: int = 0, rank: int = 0, world_size: int = 1):
        """Raises:
        ValueError: one global batch is larger than `size`.
        """
        if batch_size * world_size > size:
            raise ValueError(f"batch_size={batch_size}: {world_size} ranks need more than the {size} samples")
        self.size, self.batch_size, self.seed, self.rank, self.world_size = size, batch_size, seed, rank, world_size
        self.load_state_dict({"epoch": 0, "position": 0})

    def __iter__(self) -> "Sampler":
        return self

    def __next__(self) -> Int[Tensor, "batch_size"]:
        global_batch = self.batch_size * self.world_size
        if self.position + global_batch > self.size:
            self.load_state_dict({"epoch": self.epoch + 1, "position": 0})
        first = self.position + self.rank * self.batch_size
        self.position += global_batch
        return self.order[first : first + self.batch_size]

    def state_dict(self) -> dict[str, int]:
        """Where the sampler stands: two numbers."""
        return {"epoch": self.epoch, "position": self.position}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on as the sampler whose state this is would have gone on."""
        self.epoch, self.position = state["epoch"], state["position"]
        generator = torch.Generator().manual_seed(self.seed + self.epoch)
        self.order = torch.randperm(self.size, generator=generator)
