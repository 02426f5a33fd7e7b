"""The full softmax that negative sampling stands in for: every word of the vocabulary is scored for every pair.

B pairs, D dimensions, V words. Its cost grows with V, which is why it is used here on a small vocabulary only.
"""
import numpy as np
from jaxtyping import Float, Int


def softmax_loss_and_gradients(
        centre: Float[np.ndarray, "B D"], contexts: Float[np.ndarray, "V D"], target: Int[np.ndarray, "B"],
) -> tuple[Float[np.ndarray, "B"], Float[np.ndarray, "B D"], Float[np.ndarray, "V D"]]:
    """-log softmax(contexts @ centre)[target] of each pair (Mikolov et al. 2013b, eq. 2; nats).

    Returns it with the gradients for `centre` and, summed over the pairs, for all of `contexts`.
    """
    scores = centre @ contexts.T
    scores = scores - scores.max(axis=1, keepdims=True)         # the softmax is unchanged, exp stays finite
    log_p = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    rows = np.arange(len(target))
    d_scores = np.exp(log_p)
    d_scores[rows, target] -= 1
    return -log_p[rows, target], d_scores @ contexts, d_scores.T @ centre


def softmax_step(centres: Float[np.ndarray, "V D"], contexts: Float[np.ndarray, "V D"],
                 pairs: Int[np.ndarray, "B 2"], rate: float) -> float:
    """Takes one step down the summed loss, in place, and returns the mean loss before it (nats a pair)."""
    centre, context = pairs.T
    loss, d_centre, d_contexts = softmax_loss_and_gradients(centres[centre], contexts, context)
    np.add.at(centres, centre, -rate * d_centre)
    contexts -= rate * d_contexts
    return float(loss.mean())
