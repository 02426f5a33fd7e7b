"""Skip-gram with negative sampling by hand: the loss, its gradient, one step. NumPy, one pair after the other.

Names follow Mikolov et al. 2013b, section 2.2:

    centre      v_wI   the vector of the word in the middle            a row of `centres`   (their input vectors)
    context     v'_wO  the vector of the word found beside it          a row of `contexts`  (their output vectors)
    negatives   v'_wi  the vectors of K noise words                    rows of `contexts`

B pairs, D dimensions, K negatives for each pair, V words.
"""
import numpy as np
from jaxtyping import Float, Int


def log_sigmoid(x: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """log(1 / (1 + exp(-x))), finite for every finite x."""
    return -np.logaddexp(0, -x)


def loss_and_gradients(
        centre: Float[np.ndarray, "B D"], context: Float[np.ndarray, "B D"], negatives: Float[np.ndarray, "B K D"],
) -> tuple[Float[np.ndarray, "B"], Float[np.ndarray, "B D"], Float[np.ndarray, "B D"], Float[np.ndarray, "B K D"]]:
    """The loss of each pair (Mikolov et al. 2013b, eq. 4, negated; nats) and its gradients, in the arguments' order.

        loss = -log sigmoid(context . centre) - sum_i log sigmoid(-negative_i . centre)

    As d/dx log sigmoid(x) = 1 - sigmoid(x), each score's gradient is sigmoid(score) minus its label, 1 or 0.
    """
    score = np.einsum("bd,bd->b", centre, context)
    noise = np.einsum("bd,bkd->bk", centre, negatives)
    loss = -log_sigmoid(score) - log_sigmoid(-noise).sum(axis=1)
    d_score = np.exp(log_sigmoid(score)) - 1
    d_noise = np.exp(log_sigmoid(noise))
    d_centre = d_score[:, None] * context + np.einsum("bk,bkd->bd", d_noise, negatives)
    return loss, d_centre, d_score[:, None] * centre, d_noise[:, :, None] * centre[:, None, :]


def sgd_step(centres: Float[np.ndarray, "V D"], contexts: Float[np.ndarray, "V D"], pairs: Int[np.ndarray, "B 2"],
             negatives: Int[np.ndarray, "M K"], rate: float) -> float:
    """Takes one step down the summed loss of `pairs`, in place, and returns the mean loss before it (nats a pair).

    All gradients are taken at the old vectors. A word that occurs several times in the batch receives the sum of its
    gradients: `np.add.at` adds for every index, where `a[i] -= ...` would keep only the last.

    Raises ValueError if there is not one row of negatives for each pair (M = B).
    """
    if len(pairs) != len(negatives):
        raise ValueError(f"{len(pairs)} pairs, but negatives for {len(negatives)}")
    centre, context = pairs.T
    loss, d_centre, d_context, d_negatives = loss_and_gradients(centres[centre], contexts[context], contexts[negatives])
    np.add.at(centres, centre, -rate * d_centre)
    np.add.at(contexts, context, -rate * d_context)
    np.add.at(contexts, negatives, -rate * d_negatives)
    return float(loss.mean())
