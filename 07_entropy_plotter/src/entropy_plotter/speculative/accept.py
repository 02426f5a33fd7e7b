"""The acceptance rule of speculative sampling (Leviathan et al. 2023, algorithm 1; Chen et al. 2023).

A drafted token x, drawn from q, is kept with probability min(1, p(x) / q(x)). The first that is not kept is replaced by
a draw from the residual, max(p - q, 0), divided by its sum. Together that is a draw from p, whatever q is.

Dimensions:
    G   drafted tokens        G1  = G + 1        V   vocabulary
"""

from jaxtyping import Float, Int
from torch import Tensor

from ..sample import sample


def speculative_accept(
    target_probs: Float[Tensor, "G1 V"],
    draft_probs: Float[Tensor, "G V"],
    drafted: Int[Tensor, "G"],
    uniforms: Float[Tensor, "G1"],
) -> list[int]:
    """The tokens that this round adds: those that are kept, and one more, so at least 1 and at most G + 1.

    `uniforms[i]` in [0, 1) decides about `drafted[i]`; it is kept if the uniform is below p / q. The last uniform draws
    the one more token: from the residual after a rejection, from the last row of `target_probs` if all are kept.
    """
    kept = []
    for i, token in enumerate(drafted.tolist()):
        p, q = target_probs[i, token], draft_probs[i, token]
        if uniforms[i] * q >= p:
            residual = (target_probs[i] - draft_probs[i]).clamp(min=0)
            return [*kept, int(sample(residual.log()[None], uniforms[-1:]))]
        kept.append(token)
    return [*kept, int(sample(target_probs[-1:].log(), uniforms[-1:]))]
