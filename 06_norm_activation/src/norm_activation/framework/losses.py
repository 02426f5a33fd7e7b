"""Losses: each returns the mean over the batch and its gradient with respect to the network's output.

Dimensions: N examples, C classes; `classes` holds each example's right class.
"""

import numpy as np
from jaxtyping import Float, Int

Outputs = Float[np.ndarray, "N C"]
Classes = Int[np.ndarray, " N"]


def mse(outputs: Outputs, targets: Outputs) -> tuple[float, Outputs]:
    """The mean of the squared differences over all numbers, as in PyTorch."""
    difference = outputs - targets
    return float((difference**2).mean()), 2 * difference / difference.size


def cross_entropy(logits: Outputs, classes: Classes) -> tuple[float, Outputs]:
    """-log softmax(logits)[class]. Its gradient is the probabilities, less one at the right class."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    N, rows = len(classes), np.arange(len(classes))
    gradient = np.exp(log_probabilities)
    gradient[rows, classes] -= 1
    return float(-log_probabilities[rows, classes].mean()), gradient / N


def hinge(scores: Outputs, classes: Classes, margin: float = 1.0) -> tuple[float, Outputs]:
    """Each wrong class pays for coming closer than `margin` to the right one, divided by C as in PyTorch.

    (Crammer and Singer 2001; `nn.MultiMarginLoss`.) Classes that keep their distance have no gradient.
    """
    N, C = scores.shape
    rows = np.arange(N)
    violation = np.maximum(0, margin - scores[rows, classes][:, None] + scores)  # N C
    violation[rows, classes] = 0
    gradient = (violation > 0).astype(scores.dtype)
    gradient[rows, classes] = -gradient.sum(axis=1)
    return float(violation.sum() / (N * C)), gradient / (N * C)
