"""The leak ladder: one bug in labels or mask each, and the training loss that it gives."""

from collections.abc import Callable

import torch

from ..arena import Batch, Objective, SpecialTokens, causal, train
from ..attention_masks import bidirectional_attention_mask
from ..causal import causal_attention_mask, shift_labels
from ..model import Config
from .corpus import Corpus

STEPS, EVERY = 200, 5


def shifted_twice(windows: torch.Tensor, special: SpecialTokens, generator: torch.Generator) -> Batch:
    labels = shift_labels(windows)
    return Batch(windows, shift_labels(labels), causal_attention_mask(windows.shape[1]))


def not_shifted(windows: torch.Tensor, special: SpecialTokens, generator: torch.Generator) -> Batch:
    return Batch(windows, windows, causal_attention_mask(windows.shape[1]))


def both_directions(windows: torch.Tensor, special: SpecialTokens, generator: torch.Generator) -> Batch:
    return Batch(windows, shift_labels(windows), bidirectional_attention_mask(windows.shape[1]))


LADDER: dict[str, Objective] = {
    "labels shifted twice": shifted_twice,
    "right": causal,
    "bidirectional mask": both_directions,
    "labels not shifted": not_shifted,
}


def ladder(corpus: Corpus, seeds: list[int], steps: int, log: Callable[[str], None]) -> dict:
    """Curves of the training loss, one a seed, each point the mean of EVERY steps."""
    config = Config(corpus.special.vocab_size)
    curves = {}
    for name, objective in LADDER.items():
        curves[name] = []
        for seed in seeds:
            log(f"ladder: {name}, seed {seed}")
            _, losses = train(objective, corpus.text, corpus.special, config, steps, seed=seed)
            curves[name].append([sum(losses[i : i + EVERY]) / EVERY for i in range(0, steps - EVERY + 1, EVERY)])
    return {"steps": steps, "every": EVERY, "curves": curves}
