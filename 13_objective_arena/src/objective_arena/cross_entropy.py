"""Cross-entropy by hand: which positions count, and how sure a model should be.

Dimensions:
    N positions, V tokens of the vocabulary
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def log_softmax(logits: Float[Tensor, "N V"]) -> Float[Tensor, "N V"]:
    """Logarithms of probabilities. Without the largest score subtracted, `exp` overflows."""
    shifted = logits - logits.amax(-1, keepdim=True)
    return shifted - shifted.exp().sum(-1, keepdim=True).log()


def cross_entropy(
    logits: Float[Tensor, "N V"], labels: Int[Tensor, " N"], ignore_index: int = -100
) -> Float[Tensor, ""]:
    """The mean of -log p(label) over the positions whose label is not `ignore_index`.

    Raises:
        ValueError: no label counts. (PyTorch returns NaN there.)
    """
    counts = labels != ignore_index
    if not counts.any():
        raise ValueError(f"ignore_index={ignore_index}: no label counts; a batch needs one at least")
    log_probs = log_softmax(logits[counts])
    return -log_probs.gather(1, labels[counts][:, None]).mean()


def smoothed_cross_entropy(
    logits: Float[Tensor, "N V"], labels: Int[Tensor, " N"], smoothing: float = 0.1, ignore_index: int = -100
) -> Float[Tensor, ""]:
    """Cross-entropy against a target that is softened: 1 - ε on the label, and ε shared by all V tokens.

    Szegedy et al. 2016, section 7. The label takes part in the sharing: its target is 1 - ε + ε / V.

    Raises:
        ValueError: smoothing outside of 0 to 1, or no label counts.
    """
    if not 0 <= smoothing <= 1:
        raise ValueError(f"smoothing={smoothing}: choose 0 to 1")
    hard = cross_entropy(logits, labels, ignore_index)
    even = -log_softmax(logits[labels != ignore_index]).mean()
    return (1 - smoothing) * hard + smoothing * even


def perplexity(loss: float) -> float:
    """How many equally likely tokens a model hesitates between, on average."""
    return float(torch.tensor(loss, dtype=torch.float64).exp())
