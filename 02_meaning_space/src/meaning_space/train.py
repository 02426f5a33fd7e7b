"""Training: epochs of blocks with a falling learning rate, in one thread or several.

Dimensions: V words in the vocabulary, D embedding dimensions, M blocks in an epoch, N shared negatives.
"""

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from .blocks import blocks
from .corpus import Corpus
from .sampler import NegativeSampler
from .skipgram_fast import Block, block_loss, block_step
from .windows_fast import WindowedText, windowed_text

LOSS_EVERY = 64  # blocks between two measurements of the loss; one costs as much as a step
DIVERGED = 3.0  # times the loss of untrained vectors; training that works falls below once


@dataclass(frozen=True)
class Config:
    """The choices of word2vec. Defaults are those of its authors' program, where it has the choice."""

    embedding_dim: int = 100
    window: int = 5  # words to either side
    negatives: int = 5  # K for each pair; 0 trains on the positive pairs alone
    epochs: int = 5
    lr: float = 0.025  # falls linearly to `min_lr`
    min_lr: float = 1e-4
    threshold: float | None = 1e-3  # of subsampling, a share of the text; None keeps every word
    power: float = 0.75  # of the counts, when negatives are drawn
    shrink_windows: bool = True  # draw each window's width from 1..window
    block_size: int = 64  # T words
    shared_negatives: int = 64  # N for each block
    threads: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises ValueError, naming the field, for a value that cannot be trained with."""
        lowest = {"negatives": 0, "seed": 0}
        for name in ("embedding_dim", "window", "negatives", "epochs", "block_size", "shared_negatives", "threads",
                     "seed"):  # fmt: skip
            value, least = getattr(self, name), lowest.get(name, 1)
            if not isinstance(value, int) or value < least:
                raise ValueError(f"{name}={value}: must be a whole number, at least {least}")
        if not 0 <= self.min_lr <= self.lr < math.inf:
            raise ValueError(f"min_lr={self.min_lr}: must be between 0 and lr={self.lr}; lower min_lr or raise lr")
        if not math.isfinite(self.power):
            raise ValueError(f"power={self.power}: must be finite; the paper takes 0.75")
        if self.threshold is not None and not 0 < self.threshold < math.inf:
            raise ValueError(f"threshold={self.threshold}: must be above 0; None keeps every word")


class Model(NamedTuple):
    """What a training step is: `examples` counts the pairs of a block, so that losses are comparable."""

    step: Callable[[Tensor, Tensor, Block, float], None]
    loss: Callable[[Tensor, Tensor, Block], Tensor]
    examples: Callable[[Block], float]


SKIP_GRAM = Model(block_step, block_loss, lambda block: float(block.positive_weights.sum()))


@dataclass(frozen=True)
class TrainResult:
    """The input vectors, which are the word vectors; the output vectors; and the loss during training."""

    centers: Float[np.ndarray, "V D"]
    contexts: Float[np.ndarray, "V D"]
    losses: list[tuple[float, float]]  # (epochs done, nats a pair)


def init_vectors(words: int, dim: int, seed: int) -> tuple[Float[Tensor, "V D"], Float[Tensor, "V D"]]:
    """Small random input vectors and zero output vectors, as in word2vec.c."""
    uniform = torch.rand(words, dim, generator=torch.Generator().manual_seed(seed))
    return (uniform - 0.5) / dim, torch.zeros(words, dim)


def train(
    corpus: Corpus, config: Config, progress: Callable[[float], None] | None = None, model: Model = SKIP_GRAM
) -> TrainResult:
    """Trains on every block of every epoch. `progress` is called after each epoch with the share of epochs done.

    Several threads write to the same vectors without locks, so that a step may be lost and no two runs are equal
    ("Hogwild", Niu et al. 2011). With one thread the seed decides everything.

    Raises:
        ValueError: subsampling leaves no pair, or the loss grows without bound. In a block, the gradients of a word
            that occurs many times add up at its old vector: one long step instead of many short ones.
    """
    rng = np.random.default_rng(config.seed)
    sampler = NegativeSampler(corpus.vocabulary.counts, config.power)
    centers, contexts = init_vectors(len(corpus.vocabulary), config.embedding_dim, config.seed)
    run = Run(config, model, centers, contexts, [])
    torch_threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the products are too small to be split; threads share the blocks instead
    try:
        for epoch in range(config.epochs):
            text = windowed_text(corpus, config.window, config.threshold, rng, config.shrink_windows)
            if text.n_pairs() == 0:
                raise ValueError(
                    f"threshold={config.threshold}: subsampling left {len(text)} of {len(corpus)} words and no pair "
                    f"in epoch {epoch + 1}; give more text, or threshold=None"
                )
            n_blocks = math.ceil(len(text) / config.block_size)
            negatives = sampler.sample_shared(rng, n_blocks, config.shared_negatives)
            run.epoch(epoch, text, torch.from_numpy(negatives))
            if progress:
                progress((epoch + 1) / config.epochs)
    finally:
        torch.set_num_threads(torch_threads)
    return TrainResult(centers.numpy(), contexts.numpy(), sorted(run.losses))


@dataclass(frozen=True)
class Run:
    """The vectors under training, shared by all threads."""

    config: Config
    model: Model
    centers: Float[Tensor, "V D"]
    contexts: Float[Tensor, "V D"]
    losses: list[tuple[float, float]]

    def epoch(self, epoch: int, text: WindowedText, negatives: Int[Tensor, "M N"]) -> None:
        """One epoch. Thread i takes every `threads`-th block from block i on. Errors of threads are raised here."""
        if self.config.threads == 1:
            return self.worker(0, epoch, text, negatives)
        errors: list[Exception] = []

        def guarded(thread: int) -> None:
            try:
                torch.set_num_threads(1)
                self.worker(thread, epoch, text, negatives)
            except Exception as error:  # raised again in the caller's thread
                errors.append(error)

        threads = [threading.Thread(target=guarded, args=(i,)) for i in range(self.config.threads)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if errors:
            raise errors[0]

    def worker(self, thread: int, epoch: int, text: WindowedText, negatives: Int[Tensor, "M N"]) -> None:
        """The steps of one thread in one epoch. The loss is measured before a step, and after the last one."""
        config, block = self.config, None
        for number, block in blocks(text, negatives, config.block_size, config.negatives, thread, config.threads):
            epochs_done = epoch + number / len(negatives)
            if number % LOSS_EVERY == 0:
                self.losses.append((epochs_done, self.loss(block)))
            lr = config.lr + (config.min_lr - config.lr) * epochs_done / config.epochs
            self.model.step(self.centers, self.contexts, block, lr)
        if block is not None:
            self.loss(block)

    def loss(self, block: Block) -> float:
        """The loss of a block in nats for each example. Raises ValueError if training has diverged."""
        loss = float(self.model.loss(self.centers, self.contexts, block)) / max(1.0, self.model.examples(block))
        untrained = (1 + self.config.negatives) * math.log(2)
        if not loss < DIVERGED * untrained:
            raise ValueError(
                f"lr={self.config.lr}: the loss has grown to {loss:.3g} nats a pair, from {untrained:.2f} at the "
                f"start; lower lr or block_size={self.config.block_size}"
            )
        return loss
