"""Noise words: drawn in proportion to their count to the power 3/4, never the word they are noise for.

V words in the vocabulary, B targets, K noise words for each.
"""
import numpy as np
from jaxtyping import Float, Int


class NegativeSampler:
    """Draws noise words from P(w) proportional to count(w)^power (Mikolov et al. 2013b, section 2.2).

    The power 3/4 was found by trial; it gives rare words more of the noise than their share of the text.
    """

    def __init__(self, counts: Int[np.ndarray, "V"], power: float = 0.75):
        """`probability` holds P(w), `upper` its running sum.

        Raises ValueError if there are fewer than two words or a count is below one.
        """
        if len(counts) < 2 or counts.min() < 1:
            raise ValueError(f"counts={counts}: at least two words, each seen at least once, are needed")
        weight = counts.astype(np.float64) ** power
        self.probability: Float[np.ndarray, "V"] = weight / weight.sum()
        self.upper: Float[np.ndarray, "V"] = np.cumsum(self.probability)

    def draw(self, targets: Int[np.ndarray, "B"], uniforms: Float[np.ndarray, "B K"]) -> Int[np.ndarray, "B K"]:
        """One noise word for each uniform number in [0, 1), from P with the row's target taken out.

        Inverts the running sum: word w owns the numbers from upper[w - 1] to upper[w]. Taking the target out leaves
        a line of length 1 - P(target), on which the words above the target have moved down by P(target). This is
        the distribution of drawing again until the draw is not the target, without drawing again.

        Raises ValueError for a target outside the vocabulary or a uniform number outside [0, 1).
        """
        size = len(self.probability)
        if len(targets) and not 0 <= targets.min() <= targets.max() < size:
            raise ValueError(f"targets reach from {targets.min()} to {targets.max()}: ids run from 0 to {size - 1}")
        if uniforms.size and not 0 <= uniforms.min() <= uniforms.max() < 1:
            raise ValueError(f"uniforms reach from {uniforms.min()} to {uniforms.max()}: draw them from [0, 1)")
        target = targets[:, None]
        share = self.probability[target]
        point = uniforms * (1 - share)
        below = (point < self.upper[target] - share) | (target == size - 1)
        word = np.searchsorted(self.upper, np.where(below, point, point + share), side="right")
        # Rounding may put a point at the edge of the target's own interval: it belongs to the neighbour.
        return np.where(below, np.minimum(word, target - 1), np.clip(word, target + 1, size - 1))

    def shared(self, rng: np.random.Generator, blocks: int, size: int) -> Int[np.ndarray, "blocks size"]:
        """Noise for whole blocks of text, with no target taken out: `blocks.py` leaves out the pairs that collide."""
        return np.minimum(np.searchsorted(self.upper, rng.random((blocks, size)), side="right"),
                          len(self.upper) - 1)
