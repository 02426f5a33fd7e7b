"""The router: which experts a token goes to, and how much each of them counts.

Dimensions:
    N  tokens (one axis or several)    E  experts    K  experts of a token    D  d_model

The order of softmax and cut is a choice:

    softmax, then the cut      weights are probabilities over all experts; they sum to less than 1    (Switch)
    ... then normalised        the same as a softmax over the K chosen logits; they sum to 1          (Mixtral)

With K = 1 a normalised weight is 1, whatever the router says. Then no gradient reaches the router.
"""

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor


def top_k_gate(
    logits: Float[Tensor, "*N E"],
    k: int,
    bias: Float[Tensor, "E"] | None = None,
    noise: Float[Tensor, "*N E"] | None = None,
    training: bool = False,
) -> tuple[Float[Tensor, "*N E"], Int[Tensor, "*N K"]]:
    """The scores of all experts, and the k experts that each token goes to, the best first.

    Scores are the logits. In training, noise is added to them (Shazeer et al. 2017, eq. 4). The bias decides the choice
    alone and is no part of the scores (Wang et al. 2024, loss-free balancing).

    Raises:
        ValueError: k is not between 1 and the number of experts.
    """
    if not 1 <= k <= logits.shape[-1]:
        raise ValueError(f"k={k}: must be from 1 to the number of experts, {logits.shape[-1]}")
    scores = logits + noise if training and noise is not None else logits
    wanted = scores if bias is None else scores + bias
    return scores, wanted.topk(k).indices


def combine_weights(
    scores: Float[Tensor, "*N E"], indices: Int[Tensor, "*N K"], normalize: bool = False
) -> Float[Tensor, "*N K"]:
    """How much each chosen expert counts: its probability among all experts.

    With `normalize`, a token's weights are divided by their sum. Where that is 0 / 0, the same is computed as a softmax
    over the chosen scores.

    Raises:
        ValueError: `normalize` with one expert a token: the weight would be 1, and the router would learn nothing.
    """
    if normalize and indices.shape[-1] < 2:
        raise ValueError("normalize=True: with k=1 every weight is 1 and the router gets no gradient; leave it out")
    weights = scores.softmax(dim=-1).gather(-1, indices)  # N K
    if not normalize:
        return weights
    total = weights.sum(dim=-1, keepdim=True)  # N 1, zero where all chosen scores are far below the best
    return weights / total if total.all() else scores.gather(-1, indices).softmax(dim=-1)


def gate_noise(
    x: Float[Tensor, "*N D"], noise_proj: Float[Tensor, "E D"], normals: Float[Tensor, "*N E"]
) -> tuple[Float[Tensor, "*N E"], Float[Tensor, "*N E"]]:
    """(noise, its deviation): normal numbers of a deviation that the router learns (Shazeer et al. 2017, eq. 4)."""
    std = F.softplus(F.linear(x, noise_proj))
    return normals * std, std


def jitter(
    x: Float[Tensor, "*N D"], uniforms: Float[Tensor, "*N D"], epsilon: float = 0.01, training: bool = False
) -> Float[Tensor, "*N D"]:
    """The router's input times numbers from 1 - epsilon to 1 + epsilon, in training alone (Fedus et al. 2022)."""
    return x * (1 + epsilon * (2 * uniforms - 1)) if training else x
