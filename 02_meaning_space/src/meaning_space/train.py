"""Training: epochs of blocks with a falling learning rate, in one thread or several.

V words, D dimensions.
"""
import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from .blocks import block_loss, block_step, blocks
from .cbow import cbow_block_loss, cbow_block_step
from .corpus import Corpus
from .sampler import NegativeSampler
from .windows import Stream, stream

STEPS = {"skip-gram": (block_step, block_loss), "cbow": (cbow_block_step, cbow_block_loss)}
LOSS_EVERY = 64     # blocks between two measurements of the loss; each costs about as much as a step


@dataclass(frozen=True)
class Config:
    """What word2vec leaves to choose; the defaults are those of its authors' program where it has the choice."""
    dimensions: int = 100
    window: int = 5                     # largest width, in words to either side
    negatives: int = 5                  # K, noise draws for each pair; 0 trains on the pairs alone
    epochs: int = 5
    rate: float = 0.025                 # falls linearly to `final_rate`
    final_rate: float = 1e-4
    threshold: float | None = 1e-3      # of subsampling, a share of the text; None keeps every word
    power: float = 0.75                 # of the counts in the noise distribution
    dynamic: bool = True                # draw each window's width from 1..window
    model: str = "skip-gram"            # or "cbow"
    block: int = 64                     # T, words of text in a block
    noise: int = 64                     # N, noise words that a block shares
    threads: int = 1
    seed: int = 0

    def __post_init__(self):
        """Raises ValueError, naming the field, for a value that cannot be trained with."""
        least = {"dimensions": 1, "window": 1, "negatives": 0, "epochs": 1, "block": 1, "noise": 1, "threads": 1}
        for name, bound in least.items():
            if getattr(self, name) < bound:
                raise ValueError(f"{name}={getattr(self, name)} must be at least {bound}")
        if not 0 <= self.final_rate <= self.rate:
            raise ValueError(f"final_rate={self.final_rate} must lie between 0 and rate={self.rate}")
        if self.model not in STEPS:
            raise ValueError(f"model={self.model!r} is not one of {', '.join(STEPS)}")


@dataclass(frozen=True)
class Trained:
    """The input vectors, which are the word vectors, the output vectors, and the loss on the way."""
    centres: Float[np.ndarray, "V D"]
    contexts: Float[np.ndarray, "V D"]
    losses: list[tuple[float, float]]       # (epochs done, nats a pair)


def initial(words: int, dimensions: int, seed: int) -> tuple[Float[Tensor, "V D"], Float[Tensor, "V D"]]:
    """Small random input vectors and zero output vectors, as in word2vec.c."""
    draw = torch.rand(words, dimensions, generator=torch.Generator().manual_seed(seed))
    return (draw - 0.5) / dimensions, torch.zeros(words, dimensions)


def train(corpus: Corpus, config: Config, progress: Callable[[float], None] | None = None) -> Trained:
    """Trains on every block of every epoch; `progress` hears the share of the epochs done after each.

    With several threads they write to the same vectors without locks, so that a step may be lost now and then and
    no two runs agree exactly ("Hogwild", Niu et al. 2011). With one thread the seed decides everything.

    Raises FloatingPointError if the vectors overflow: the gradients of a block add up at the old vectors, so that a
    word repeated many times in one block takes one long step where the per-pair form takes many short ones.
    """
    rng = np.random.default_rng(config.seed)
    sampler = NegativeSampler(corpus.vocabulary.counts, config.power)
    centres, contexts = initial(len(corpus.vocabulary), config.dimensions, config.seed)
    losses: list[tuple[float, float]] = []
    before = torch.get_num_threads()
    torch.set_num_threads(1)        # the products are too small to share out; whole blocks are shared out instead
    try:
        for epoch in range(config.epochs):
            text = stream(corpus, config.window, config.threshold, rng, config.dynamic)
            noise = sampler.shared(rng, (len(text) + config.block - 1) // config.block, config.noise)
            share_out(centres, contexts, text, torch.from_numpy(noise), epoch, config, losses)
            if not (torch.isfinite(centres).all() and torch.isfinite(contexts).all()):
                raise FloatingPointError(f"the vectors overflow in epoch {epoch + 1}: rate={config.rate} is too large "
                                         f"for blocks of {config.block} words; lower one of the two")
            if progress:
                progress((epoch + 1) / config.epochs)
    finally:
        torch.set_num_threads(before)
    return Trained(centres.numpy(), contexts.numpy(), sorted(losses))


def share_out(centres: Tensor, contexts: Tensor, text: Stream, noise: Tensor, epoch: int, config: Config,
              losses: list[tuple[float, float]]) -> None:
    """One epoch: worker i takes every `threads`-th block from the i-th on. An error in a worker is raised here."""
    if config.threads == 1:
        return work(centres, contexts, text, noise, epoch, config, losses, 0)
    failed: list[Exception] = []

    def guarded(first: int) -> None:
        try:
            torch.set_num_threads(1)
            work(centres, contexts, text, noise, epoch, config, losses, first)
        except Exception as error:      # carried to the caller's thread
            failed.append(error)

    workers = [threading.Thread(target=guarded, args=(first,)) for first in range(config.threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if failed:
        raise failed[0]


def work(centres: Tensor, contexts: Tensor, text: Stream, noise: Tensor, epoch: int, config: Config,
         losses: list[tuple[float, float]], first: int) -> None:
    """The steps of one worker in one epoch."""
    step, loss = STEPS[config.model]
    total = len(noise) * config.epochs
    for number, block in blocks(text, noise, config.block, config.negatives, first, config.threads):
        done = (epoch * len(noise) + number) / total
        if number % LOSS_EVERY == 0:
            units = block.real.sum() if config.model == "skip-gram" else block.real.any(1).sum()
            losses.append((done * config.epochs, float(loss(centres, contexts, block) / units.clamp(min=1))))
        step(centres, contexts, block, config.rate + done * (config.final_rate - config.rate))
