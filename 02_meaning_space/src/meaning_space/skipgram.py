"""Skip-gram with negative sampling by hand: the loss, its gradient, one step. The plain form, in NumPy.

Every word has two vectors: one for when it is in the middle, one for when it is near another word. With the sampled
words, a step costs K + 1 scores for each pair, where the full softmax costs V.

Names and the symbols of Mikolov et al. 2013b, section 2.2:

    center      v_wI   the vector of the word in the middle     a row of `centers`, the input vectors
    context     v'_wO  the vector of a word near it             a row of `contexts`, the output vectors
    negatives   v'_wi  the vectors of K sampled words           rows of `contexts`

Dimensions: B pairs, D embedding dimensions, K negatives for each pair, V words in the vocabulary.
"""

import numpy as np
from jaxtyping import Float, Int


def log_sigmoid(x: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """log(1 / (1 + exp(-x))), finite for every finite x. `logaddexp(0, -x)` is log(1 + exp(-x)) without overflow."""
    return -np.logaddexp(0, -x)


def loss_and_gradients(
    center: Float[np.ndarray, "B D"], context: Float[np.ndarray, "..."], negatives: Float[np.ndarray, "..."]
) -> tuple[Float[np.ndarray, "B"], Float[np.ndarray, "B D"], Float[np.ndarray, "B D"], Float[np.ndarray, "B K D"]]:
    """The loss of each pair in nats and its gradients, in the order of the arguments.

    `context` is (B, D) and `negatives` (B, K, D). Shapes that do not fit get this function's own error.

        loss = -log sigmoid(context . center) - sum_i log sigmoid(-negative_i . center)

    This is Mikolov et al. 2013b, eq. 4, negated. As d/dx log sigmoid(x) = 1 - sigmoid(x), the gradient of the
    loss by each score is sigmoid(score) minus its label: 1 for the context, 0 for a negative.

    Raises:
        ValueError: `context` or `negatives` does not fit the shape of `center`.
    """
    if context.shape != center.shape or negatives.shape[::2] != center.shape:
        raise ValueError(
            f"context={context.shape}, negatives={negatives.shape}: must be (B, D) and (B, K, D) for a center of "
            f"shape {center.shape}; give one context and K negatives for each pair"
        )
    positive_score = np.einsum("bd,bd->b", center, context)
    negative_scores = np.einsum("bd,bkd->bk", center, negatives)
    loss = -log_sigmoid(positive_score) - log_sigmoid(-negative_scores).sum(axis=1)
    d_positive = np.exp(log_sigmoid(positive_score)) - 1  # B: sigmoid(score) - 1
    d_negatives = np.exp(log_sigmoid(negative_scores))  # B K: sigmoid(score) - 0
    d_center = d_positive[:, None] * context + np.einsum("bk,bkd->bd", d_negatives, negatives)
    return loss, d_center, d_positive[:, None] * center, d_negatives[:, :, None] * center[:, None, :]


def sgd_step(
    centers: Float[np.ndarray, "V D"],
    contexts: Float[np.ndarray, "V D"],
    pairs: Int[np.ndarray, "B 2"],
    negatives: Int[np.ndarray, "..."],
    lr: float,
) -> float:
    """Takes one step down the summed loss of `pairs`, in place. Returns the mean loss before it, in nats a pair.

    `pairs` and `negatives` (B, K) hold numbers of words: rows of `centers` and `contexts`. `lr` is the learning rate.

    All gradients are taken at the old vectors. A word that occurs several times in the batch gets the sum of its
    gradients: `np.add.at` adds for every index, where `a[i] -= ...` would keep only the last. Every negative counts,
    even one that is the context of its own pair.

    Raises:
        ValueError: `negatives` does not have one row for each pair. Nothing has been changed then.
    """
    center, context = pairs.T
    loss, d_center, d_context, d_negatives = loss_and_gradients(centers[center], contexts[context], contexts[negatives])
    np.add.at(centers, center, -lr * d_center)
    np.add.at(contexts, context, -lr * d_context)
    np.add.at(contexts, negatives, -lr * d_negatives)
    return float(loss.mean())
