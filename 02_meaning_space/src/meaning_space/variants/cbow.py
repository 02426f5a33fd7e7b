"""Continuous bag of words: the mean of the contexts predicts the center (Mikolov et al. 2013a, section 3.1).

Dimensions: M contexts of one word, D embedding dimensions, K negatives.
"""

import numpy as np
from jaxtyping import Float

from ..skipgram import loss_and_gradients


def cbow_loss_and_gradients(
    contexts: Float[np.ndarray, "M D"], center: Float[np.ndarray, "D"], negatives: Float[np.ndarray, "K D"]
) -> tuple[float, Float[np.ndarray, "M D"], Float[np.ndarray, "D"], Float[np.ndarray, "K D"]]:
    """The loss of one word in nats, and its gradients in the order of the arguments.

    The mean takes the place of the center's vector. Each context gets 1 / M of its gradient. word2vec.c gives each
    the whole gradient, which is not the gradient of any loss (Irsoy et al. 2021).
    """
    mean = contexts.mean(axis=0)
    loss, d_mean, d_center, d_negatives = loss_and_gradients(mean[None], center[None], negatives[None])
    d_contexts = np.repeat(d_mean / len(contexts), len(contexts), axis=0)
    return float(loss[0]), d_contexts, d_center[0], d_negatives[0]
