"""What do word vectors know? Train a small classifier on them, and test it on words that it has not seen.

A *probe* is an ordinary classifier whose inputs are learned vectors. A good test accuracy says that the property
(kinship, number, part of speech) can be read off the vectors. Three guards keep this conclusion honest:

- The split is by word. With rows of one word on both sides, the probe only has to remember it.
- The `majority` score stands next to every result: always the largest class.
- The *control task* gives the same labels to words at random. What the probe reaches there on its training words is
  what it can memorize. With more dimensions than words that is everything.

Source: Hewitt and Liang 2019, Designing and Interpreting Probes with Control Tasks.

Dimensions: n rows, d embedding dimensions, a rows to train on, b rows to test on.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped

from .folds import split_by_group
from .kmeans import KMeans
from .logistic import LogisticRegression
from .metrics import accuracy_score
from .scaling import StandardizedEstimator
from .svm import SVC
from .validation import ConvergenceWarning, as_features, as_labels, check_at_least, check_is_fitted
from .word_classes import FICTION


def labeled_rows(
    vocabulary: Sequence[str], classes: Mapping[str, str] = FICTION
) -> tuple[Int[np.ndarray, "n"], list[str]]:
    """The rows of `vocabulary` whose word is in one of `classes` (name to words separated by blanks), and their labels.

    Raises:
        ValueError: a word is in two classes, or fewer than two classes have words in the vocabulary.
    """
    label_of: dict[str, str] = {}
    for name, members in classes.items():
        for word in members.split():
            if label_of.setdefault(word, name) != name:
                raise ValueError(f"classes[{name!r}]: {word!r} must be in one class, not in {label_of[word]!r} too")
    rows = [i for i, word in enumerate(vocabulary) if word in label_of]
    labels = [label_of[vocabulary[i]] for i in rows]
    if len(set(labels)) < 2:
        raise ValueError(f"vocabulary: must have words of at least two classes, not of {len(set(labels))}")
    return np.array(rows, dtype=np.int64), labels


@dataclass(eq=False)
class KMeansClassifier:
    """k-means, each cluster then named after its most common label: do the classes form clusters by themselves?

    `n_clusters=None` takes as many as there are classes.
    """

    n_clusters: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        check_at_least("n_clusters", 1 if self.n_clusters is None else self.n_clusters, 1)

    def fit(self, X: Shaped[np.ndarray, "..."], y: Shaped[np.ndarray, "..."]) -> "KMeansClassifier":
        X = as_features(X)
        self.classes_, index = as_labels(y, len(X))
        self.kmeans_ = KMeans(self.n_clusters or len(self.classes_), seed=self.seed).fit(X)
        one_hot = np.eye(len(self.classes_))[index]
        clusters = range(self.kmeans_.n_clusters)
        self.label_of_cluster_ = [int(one_hot[self.kmeans_.labels_ == c].sum(axis=0).argmax()) for c in clusters]
        return self

    def predict(self, X: Shaped[np.ndarray, "..."]) -> Shaped[np.ndarray, "n"]:
        check_is_fitted(self, "label_of_cluster_")
        return self.classes_[np.array(self.label_of_cluster_)[self.kmeans_.predict(X)]]


def default_probes(seed: int) -> dict[str, Any]:
    """The three probes that are used where none are given."""
    return {
        "logistic regression": StandardizedEstimator(LogisticRegression(C=0.1, tol=1e-6)),
        "SVM (RBF)": StandardizedEstimator(SVC()),
        "k-means, clusters named": KMeansClassifier(seed=seed),
    }


def probe_words(
    vectors: Shaped[np.ndarray, "..."],
    words: Sequence[str],
    labels: Sequence[str],
    probes: Mapping[str, Any] | None = None,
    test_fraction: float = 0.3,
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
) -> dict:
    """Trains and tests probes on `vectors`, whose rows belong to `words` and have `labels`; once for each seed.

    Vectors are brought to length one first: directions are compared. Returns a dict of `n_words`, `dimensions`,
    `classes`, `majority`, and `probes`: for each probe the lists (one entry a seed) `train`, `test` and `control`, the
    training accuracy on labels that were given to the words at random.

    Raises:
        TypeError: `words` is a single string.
        ValueError: lengths do not match, a vector is zero, there is no seed, a word has two labels, there is one class
            only, or `test_fraction` is not between 0 and 1.
    """
    if isinstance(words, str):
        raise TypeError(f"words={words!r:.40}: must be a list with one word for each row")
    vectors = as_features(vectors)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    if len(words) != len(vectors):
        raise ValueError(f"words={len(words)} entries: must have one for each of the {len(vectors)} rows of vectors")
    if length.min() == 0:
        raise ValueError(f"vectors={words[int(length.argmin())]!r} is zero: must have a direction; leave the word out")
    if not len(seeds):
        raise ValueError("seeds=(): must hold at least one")
    labels = np.asarray(labels)
    classes, index = as_labels(labels, len(vectors))
    results: dict[str, dict] = {}
    for seed in seeds:
        train, test = split_by_group(words, test_fraction, seed)
        control = control_labels(words, labels, seed)
        for name, probe in (default_probes(seed) if probes is None else probes).items():
            row = results.setdefault(name, {"train": [], "test": [], "control": []})
            for key, value in probe_scores(probe, vectors / length, labels, control, train, test).items():
                row[key].append(value)
    return {
        "n_words": len(set(words)),
        "dimensions": vectors.shape[1],
        "classes": classes.tolist(),
        "majority": float(np.bincount(index).max() / len(index)),
        "probes": results,
    }


def probe_scores(
    probe: Any,
    vectors: Float[np.ndarray, "n d"],
    labels: Shaped[np.ndarray, "n"],
    control: Shaped[np.ndarray, "n"],
    train: Int[np.ndarray, "a"],
    test: Int[np.ndarray, "b"],
) -> dict[str, float]:
    """Accuracy on training words, on unseen words, and on training words with the control's labels."""
    fitted = replace(probe).fit(vectors[train], labels[train])
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", ConvergenceWarning
        )  # random labels may be impossible to learn: that is the point
        on_control = replace(probe).fit(vectors[train], control[train])
    return {
        "train": accuracy_score(labels[train], fitted.predict(vectors[train])),
        "test": accuracy_score(labels[test], fitted.predict(vectors[test])),
        "control": accuracy_score(control[train], on_control.predict(vectors[train])),
    }


def control_labels(words: Sequence[str], labels: Shaped[np.ndarray, "n"], seed: int) -> Shaped[np.ndarray, "n"]:
    """The words' labels in random order. A word has the same label in all of its rows.

    Raises:
        ValueError: a word has two different labels.
    """
    label_of: dict[str, Any] = {}
    for word, label in zip(words, labels, strict=True):
        if label_of.setdefault(word, label) != label:
            raise ValueError(f"labels={label!r}: {word!r} must have one label, not {label_of[word]!r} too")
    shuffled = np.random.default_rng(seed).permutation(np.array(list(label_of.values())))
    new_label = dict(zip(label_of, shuffled, strict=True))
    return np.array([new_label[word] for word in words])
