"""The full softmax, which negative sampling replaces: every word of the vocabulary is scored for every pair.

Dimensions: B pairs, D embedding dimensions, V words. The cost grows with V: use a small vocabulary.
"""

import numpy as np
from jaxtyping import Float, Int


def softmax_loss_and_gradients(
    center: Float[np.ndarray, "B D"], contexts: Float[np.ndarray, "V D"], target: Int[np.ndarray, "B"]
) -> tuple[Float[np.ndarray, "B"], Float[np.ndarray, "B D"], Float[np.ndarray, "V D"]]:
    """-log softmax(contexts @ center)[target] of each pair in nats (Mikolov et al. 2013b, eq. 2), and its gradients.

    The gradients are those for `center` and, summed over the pairs, for all of `contexts`.
    """
    scores = center @ contexts.T  # B V
    scores = scores - scores.max(axis=1, keepdims=True)  # changes no softmax, keeps exp finite
    log_p = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    rows = np.arange(len(target))
    d_scores = np.exp(log_p)
    d_scores[rows, target] -= 1
    return -log_p[rows, target], d_scores @ contexts, d_scores.T @ center


def softmax_step(
    centers: Float[np.ndarray, "V D"], contexts: Float[np.ndarray, "V D"], pairs: Int[np.ndarray, "B 2"], lr: float
) -> float:
    """Takes one step down the summed loss, in place. Returns the mean loss before it, in nats a pair."""
    center, context = pairs.T
    loss, d_center, d_contexts = softmax_loss_and_gradients(centers[center], contexts, context)
    np.add.at(centers, center, -lr * d_center)
    contexts -= lr * d_contexts
    return float(loss.mean())
