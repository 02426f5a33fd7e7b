"""Several replicas, each with its own prefix cache: which of them takes a request?

The load of a replica is the work that is left there, in tokens. A cached beginning is work that need not be done. Both
are counted in the same unit, so the best replica is the one whose sum is the smallest.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@runtime_checkable
class HasCache(Protocol):
    """What a router asks of a prefix cache."""

    block_size: int

    def lookup(self, tokens: list[int], tag: str = "") -> list[int]:
        """The blocks of the longest known beginning."""


@dataclass
class Worker:
    """A replica as its router sees it."""

    cache: HasCache
    remaining_tokens: int = 0  # that its requests still have to compute: prompts and outputs
    ready: bool = True


def route(tokens: list[int], workers: list[Worker], tag: str = "") -> int:
    """The index of the ready worker that would be done with this prompt first; of equals, the first in the list.

    Its cost there: the worker's remaining tokens, and the tokens of the prompt that its cache does not know.

    Raises:
        ValueError: no worker is ready.
    """
    ready = [i for i, worker in enumerate(workers) if worker.ready]
    if not ready:
        raise ValueError(f"workers={len(workers)}: none of them is ready; answer 503 and let the client come again")
    return min(ready, key=lambda i: cost(tokens, workers[i], tag))


def cost(tokens: list[int], worker: Worker, tag: str) -> int:
    """Tokens to compute until the prompt is done, less the prompt's length, which is the same for all workers."""
    known = len(worker.cache.lookup(tokens, tag)) * worker.cache.block_size
    return worker.remaining_tokens - known
