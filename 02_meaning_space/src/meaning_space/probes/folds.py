"""Splitting data into training and test: k folds, k stratified folds, one split by group.

Each sample is tested exactly once, by a model that has not seen it. With few samples plain folds can miss a class
altogether. *Stratified* folds keep the share of every class, to within one sample.

Dimensions: n samples.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, Shaped

from .validation import check_at_least

Split = tuple[np.ndarray, np.ndarray]  # rows to train on, rows to test on


def k_folds(order: Int[np.ndarray, "n"], n_splits: int) -> Iterator[Split]:
    """Gives the rows in turn to `n_splits` folds, in this order. Each fold is the test set once."""
    fold = np.empty(len(order), dtype=np.int64)
    fold[order] = np.arange(len(order)) % n_splits
    for k in range(n_splits):
        yield np.flatnonzero(fold != k), np.flatnonzero(fold == k)


@dataclass(frozen=True)
class KFold:
    """k parts of nearly equal size, drawn by `seed`.

    Raises:
        ValueError: fewer than two parts, or fewer samples than parts.
    """

    n_splits: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        check_at_least("n_splits", self.n_splits, 2)

    def split(self, y: Shaped[np.ndarray, "n"]) -> Iterator[Split]:
        if len(y) < self.n_splits:
            raise ValueError(f"n_splits={self.n_splits}: must be at most {len(y)}, the number of samples")
        return k_folds(np.random.default_rng(self.seed).permutation(len(y)), self.n_splits)


@dataclass(frozen=True)
class StratifiedKFold:
    """As `KFold`, with each class spread evenly over the parts.

    Raises:
        ValueError: fewer than two parts, or a class with fewer samples than parts.
    """

    n_splits: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        check_at_least("n_splits", self.n_splits, 2)

    def split(self, y: Shaped[np.ndarray, "n"]) -> Iterator[Split]:
        classes, counts = np.unique(y, return_counts=True)
        if counts.min() < self.n_splits:
            smallest = classes[counts.argmin()]
            raise ValueError(
                f"n_splits={self.n_splits}: must be at most {counts.min()}, the samples of class {smallest!r}; "
                f"use fewer parts, or KFold"
            )
        shuffled = np.random.default_rng(self.seed).permutation(len(y))
        # Given out class after class without a break, classes and folds come out even to within one.
        by_class = np.argsort(np.asarray(y)[shuffled], kind="stable")
        return k_folds(shuffled[by_class], self.n_splits)


def split_by_group(groups: Sequence[str], test_fraction: float, seed: int) -> Split:
    """One split in which all rows of a group (a word, a speaker, a document) are on the same side.

    Split by row instead, a word that has several rows is trained on and tested on: memory looks like knowledge.

    Raises:
        TypeError: `groups` is a single string.
        ValueError: `test_fraction` is not between 0 and 1, or one side gets no group.
    """
    if isinstance(groups, str):
        raise TypeError(f"groups={groups!r:.40}: must be a list with one name for each row")
    if not 0 < test_fraction < 1:
        raise ValueError(f"test_fraction={test_fraction}: must be between 0 and 1")
    names, index = np.unique(np.asarray(groups), return_inverse=True)
    n_test = round(test_fraction * len(names))
    if not 0 < n_test < len(names):
        raise ValueError(
            f"test_fraction={test_fraction}: leaves one side of {len(names)} groups empty; give more groups"
        )
    tested = np.random.default_rng(seed).permutation(len(names))[:n_test]
    is_test = np.isin(index, tested)
    return np.flatnonzero(~is_test), np.flatnonzero(is_test)
