"""Cutting data into training and test: k folds, k folds with the classes in proportion, one cut by group.

Each sample is tested exactly once, by a model that has not seen it. With few samples plain folds can miss a class
altogether; *stratified* ones keep every class's share, to within one sample.
"""
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, Shaped

from .inputs import at_least

Split = tuple[np.ndarray, np.ndarray]  # rows to train on, rows to test on


def deal(order: Int[np.ndarray, "n"], n_splits: int) -> Iterator[Split]:
    """Deal the rows like cards into `n_splits` hands, and let each hand be the test set once."""
    hand = np.empty(len(order), dtype=np.int64)
    hand[order] = np.arange(len(order)) % n_splits
    for k in range(n_splits):
        yield np.flatnonzero(hand != k), np.flatnonzero(hand == k)


@dataclass(frozen=True)
class KFold:
    """k parts of nearly equal size, drawn by `seed`. Raises ValueError for fewer than 2 parts or too few samples."""

    n_splits: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        at_least("n_splits", self.n_splits, 2)

    def split(self, y: Shaped[np.ndarray, "n"]) -> Iterator[Split]:
        if len(y) < self.n_splits:
            raise ValueError(f"n_splits is {self.n_splits}, but there are only {len(y)} samples")
        return deal(np.random.default_rng(self.seed).permutation(len(y)), self.n_splits)


@dataclass(frozen=True)
class StratifiedKFold:
    """As `KFold`, with each class spread evenly. Raises ValueError when a class has fewer than `n_splits` samples."""

    n_splits: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        at_least("n_splits", self.n_splits, 2)

    def split(self, y: Shaped[np.ndarray, "n"]) -> Iterator[Split]:
        classes, counts = np.unique(y, return_counts=True)
        if counts.min() < self.n_splits:
            raise ValueError(f"class {classes[counts.argmin()]!r} has {counts.min()} samples, too few for "
                             f"n_splits={self.n_splits}: use fewer parts, or KFold")
        shuffled = np.random.default_rng(self.seed).permutation(len(y))
        # Dealt class by class without a break, both the classes and the hands come out even to within one.
        return deal(shuffled[np.argsort(np.asarray(y)[shuffled], kind="stable")], self.n_splits)


def split_by_group(groups: Sequence[str], test_fraction: float, seed: int) -> Split:
    """One cut in which all rows of a group (a word, a speaker, a document) fall on the same side.

    Cut by row instead, a word that stands in several rows is trained on and tested on: memory passes for knowledge.
    Raises ValueError unless 0 < test_fraction < 1 and both sides get at least one group.
    """
    if not 0 < test_fraction < 1:
        raise ValueError(f"test_fraction is {test_fraction}: it must lie strictly between 0 and 1")
    names, index = np.unique(np.asarray(groups), return_inverse=True)
    n_test = round(test_fraction * len(names))
    if not 0 < n_test < len(names):
        raise ValueError(f"{len(names)} groups cannot be cut with test_fraction={test_fraction}: one side is empty")
    tested = np.random.default_rng(seed).permutation(len(names))[:n_test]
    is_test = np.isin(index, tested)
    return np.flatnonzero(~is_test), np.flatnonzero(is_test)
