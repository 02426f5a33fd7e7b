"""What do word vectors know? Train a small classifier on them and test it on words that it has not seen.

A *probe* is an ordinary classifier whose inputs are learned vectors. Good test accuracy says that the property
(kinship, number, part of speech) can be read off the vectors. Three guards keep that sentence honest:

- the split is by word: all rows of a word lie on one side, or the probe only has to remember it;
- the `majority` score, always naming the largest class, stands beside every result;
- the *control task* deals the same labels out to words at random. What the probe reaches there on its training words
  is what it can memorise; with more dimensions than words that is everything.

Source: Hewitt and Liang 2019, Designing and Interpreting Probes with Control Tasks.
"""
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped

from .folds import split_by_group
from .inputs import ConvergenceWarning, as_features, as_labels, at_least, is_fitted
from .kmeans import KMeans
from .logistic import LogisticRegression
from .scaling import Scaled
from .scores import accuracy
from .svm import SVC
from .word_classes import FICTION


def labelled(vocabulary: Sequence[str],
             classes: Mapping[str, str] = FICTION) -> tuple[Int[np.ndarray, "n"], list[str]]:
    """Rows of `vocabulary` whose word is in one of `classes` (name to words separated by blanks), and their labels.

    Raises ValueError when a word stands in two classes, or fewer than two classes have words in the vocabulary.
    """
    label_of: dict[str, str] = {}
    for name, members in classes.items():
        for word in members.split():
            if label_of.setdefault(word, name) != name:
                raise ValueError(f"{word!r} stands in two classes, {label_of[word]!r} and {name!r}: keep one")
    rows = [i for i, word in enumerate(vocabulary) if word in label_of]
    labels = [label_of[vocabulary[i]] for i in rows]
    if len(set(labels)) < 2:
        raise ValueError(f"the vocabulary has words of {len(set(labels))} of the classes: at least two are needed")
    return np.array(rows, dtype=np.int64), labels


@dataclass(eq=False)
class NamedClusters:
    """k-means, each cluster then named after the commonest label in it: how far do classes form clumps unasked?

    `n_clusters=None` takes as many as there are classes.
    """

    n_clusters: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        at_least("n_clusters", 1 if self.n_clusters is None else self.n_clusters, 1)

    def fit(self, X: Shaped[np.ndarray, "..."], y: Shaped[np.ndarray, "..."]) -> "NamedClusters":
        X = as_features(X)
        self.classes_, index = as_labels(y, len(X))
        self.clusters_ = KMeans(self.n_clusters or len(self.classes_), seed=self.seed).fit(X)
        names = np.eye(len(self.classes_))[index]
        self.names_ = [int(names[self.clusters_.labels_ == c].sum(axis=0).argmax())
                       for c in range(self.clusters_.n_clusters)]
        return self

    def predict(self, X: Shaped[np.ndarray, "..."]) -> Shaped[np.ndarray, "n"]:
        is_fitted(self, "names_")
        return self.classes_[np.array(self.names_)[self.clusters_.predict(X)]]


def standard_probes(seed: int) -> dict[str, Any]:
    """The three probes used where none are given."""
    return {"logistic regression": Scaled(LogisticRegression(C=0.1, tol=1e-6)), "SVM (RBF)": Scaled(SVC()),
            "k-means, clusters named": NamedClusters(seed=seed)}


def probe_words(vectors: Shaped[np.ndarray, "..."], words: Sequence[str], labels: Sequence[str],
                probes: Mapping[str, Any] | None = None, test_fraction: float = 0.3,
                seeds: Sequence[int] = (0, 1, 2, 3, 4)) -> dict:
    """Train and test probes on `vectors`, whose rows belong to `words` and have `labels`; once for each seed.

    Vectors are brought to length one first: what is compared is direction. Returns a plain dict: `n_words`, `classes`,
    `majority`, and for each probe the lists (one entry a seed) `train`, `test` and `control` (training accuracy on
    labels dealt to the words at random). Raises ValueError for lengths that do not match, a zero vector, no seeds, a
    word with two labels, a single class, and `test_fraction` outside (0, 1).
    """
    vectors = as_features(vectors)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    if len(words) != len(vectors):
        raise ValueError(f"words has {len(words)} entries, but vectors has {len(vectors)} rows")
    if length.min() == 0:
        raise ValueError(f"the vector of {words[int(length.argmin())]!r} is zero: it has no direction")
    if not len(seeds):
        raise ValueError("seeds is empty: give at least one")
    labels = np.asarray(labels)
    classes, index = as_labels(labels, len(vectors))
    results: dict[str, dict] = {}
    for seed in seeds:
        train, test = split_by_group(words, test_fraction, seed)
        control = deal_labels(words, labels, seed)
        for name, probe in (standard_probes(seed) if probes is None else probes).items():
            row = results.setdefault(name, {"train": [], "test": [], "control": []})
            for key, value in measure(probe, vectors / length, labels, control, train, test).items():
                row[key].append(value)
    return {"n_words": len(set(words)), "dimensions": vectors.shape[1], "classes": classes.tolist(),
            "majority": float(np.bincount(index).max() / len(index)), "probes": results}


def measure(probe: Any, vectors: Float[np.ndarray, "n d"], labels: Shaped[np.ndarray, "n"],
            control: Shaped[np.ndarray, "n"], train: Int[np.ndarray, "a"], test: Int[np.ndarray, "b"]) -> dict:
    """Accuracy on training words, on unseen words, and on training words with the control's labels."""
    fitted = replace(probe).fit(vectors[train], labels[train])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # random labels may be unlearnable: that is the point
        memoriser = replace(probe).fit(vectors[train], control[train])
    return {"train": accuracy(labels[train], fitted.predict(vectors[train])),
            "test": accuracy(labels[test], fitted.predict(vectors[test])),
            "control": accuracy(control[train], memoriser.predict(vectors[train]))}


def deal_labels(words: Sequence[str], labels: Shaped[np.ndarray, "n"], seed: int) -> Shaped[np.ndarray, "n"]:
    """The words' labels, dealt out again at random; a word keeps one label in all of its rows.

    Raises ValueError for a word with two different labels: there is no telling which to deal.
    """
    label_of: dict[str, Any] = {}
    for word, label in zip(words, labels, strict=True):
        if label_of.setdefault(word, label) != label:
            raise ValueError(f"{word!r} has two labels, {label_of[word]!r} and {label!r}: keep one")
    dealt = np.random.default_rng(seed).permutation(np.array(list(label_of.values())))
    new = dict(zip(label_of, dealt, strict=True))
    return np.array([new[word] for word in words])


def table(results: dict) -> str:
    """The result of `probe_words` as markdown: means over the seeds, and the standard deviation of the test score."""
    lines = ["| probe | training words | unseen words | random labels, training words |", "|---|--:|--:|--:|"]
    for name, row in results["probes"].items():
        lines.append(f"| {name} | {np.mean(row['train']):.3f} | {np.mean(row['test']):.3f} ± {np.std(row['test']):.3f} "
                     f"| {np.mean(row['control']):.3f} |")
    lines.append(f"| always the largest class | {results['majority']:.3f} | {results['majority']:.3f} | |")
    return "\n".join(lines)
