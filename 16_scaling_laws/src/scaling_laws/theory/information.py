"""The information bottleneck, and why its estimate is disputed.

Tishby's picture: a layer T first learns about the label (I(T; Y) rises), then forgets the input (I(X; T) falls), and
the forgetting is why it generalises. But T is a deterministic and continuous function of X. So I(X; T) is infinite, and
on n different samples it is log n. What is measured is the entropy of *binned* activations. Saxe et al. (2018): a tanh
unit whose weight grows saturates, its samples gather in the outermost bins, and the binned entropy falls. A ReLU unit
has no such bins, and there it rises for ever. `neuron_information` is this claim in closed form, for one unit.
"""

import math

import numpy as np
from jaxtyping import Float, Int


def entropy_bits(counts: Int[np.ndarray, " b"] | Float[np.ndarray, " b"]) -> float:
    """Entropy of counts or probabilities, in bits."""
    p = counts[counts > 0] / counts.sum()
    return float(-(p * np.log2(p)).sum())


def binned(activations: Float[np.ndarray, "n h"], width: int | float) -> Int[np.ndarray, " n"]:
    """For each sample the number of its cell: all units' bins together."""
    cells = np.floor(activations / width).astype(np.int64)
    return np.unique(cells, axis=0, return_inverse=True)[1].reshape(-1)


def information(
    activations: Float[np.ndarray, "n h"], labels: Int[np.ndarray, " n"], width: int | float
) -> tuple[float, float]:
    """(I(X; T), I(T; Y)) in bits, as binned: H(T), because T is a function of X, and H(T) - H(T | Y)."""
    cells = binned(activations, width)
    of_x = entropy_bits(np.bincount(cells))
    given_y = 0.0
    for label in np.unique(labels):
        rows = labels == label
        given_y += rows.mean() * entropy_bits(np.bincount(cells[rows]))
    return of_x, of_x - given_y


def normal_cdf(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2))


def neuron_information(weight: int | float, activation: str, width: int | float, top: int = 400) -> float:
    """Entropy in bits of the binned activation of weight * x, for standard normal x: exact.

    Raises:
        ValueError: the activation is neither tanh nor relu.
    """
    if activation == "tanh":
        edges = np.arange(math.floor(-1 / width) * width, 1 + width, width)
        inner = np.clip(edges, -1, 1)
        cuts = [math.copysign(math.inf, e) if abs(e) == 1 else math.atanh(e) / weight for e in inner]
    elif activation == "relu":
        edges = np.append(np.arange(1, top * max(1, math.ceil(weight))) * width, math.inf)
        cuts = [-math.inf, *(e / weight for e in edges)]
    else:
        raise ValueError(f"activation={activation!r}: choose tanh or relu")
    below = np.array([normal_cdf(c) for c in cuts])
    return entropy_bits(np.diff(below))
