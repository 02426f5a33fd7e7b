"""Negatives: words drawn in proportion to count^0.75, never the word they are negatives for.

Dimensions: V words in the vocabulary, B targets, K negatives for each target, M blocks of text, N shared negatives.
"""

import numpy as np
from jaxtyping import Float, Int


class NegativeSampler:
    """Draws words from P(w) proportional to count(w)^power (Mikolov et al. 2013b, section 2.2).

    The authors found the power 3/4 by trial. It draws rare words more often than their share of the text.
    """

    def __init__(self, counts: Int[np.ndarray, "V"], power: float = 0.75):
        """`probability` holds P(w), `cumulative` its running sum.

        Raises:
            ValueError: there are fewer than two words, or a count is below one.
        """
        if len(counts) < 2:
            raise ValueError(f"counts={counts}: must hold at least two words; a target needs another word")
        if not counts.min() >= 1:
            raise ValueError(f"counts={counts.min()}: must be at least 1; leave out words that do not occur")
        weight = counts**power
        self.probability: Float[np.ndarray, "V"] = weight / weight.sum()
        self.cumulative: Float[np.ndarray, "V"] = np.cumsum(self.probability)
        self.cumulative[-1] = np.inf  # the last word owns the rest of the line, wherever rounding ends the sum

    def sample(self, targets: Int[np.ndarray, "B"], uniforms: Float[np.ndarray, "B K"]) -> Int[np.ndarray, "B K"]:
        """One negative for each uniform number in [0, 1), from P with the row's target taken out.

        Lay the words side by side on a line from 0 to 1, word w from cumulative[w - 1] up to, but not including,
        cumulative[w]. Without the target's interval the line is 1 - P(target) long, and the words after the gap have
        moved down by P(target). Drawing again until the word is not the target has the same distribution, but needs
        more numbers.

        Raises:
            ValueError: a target is no word, or a uniform number is outside [0, 1).
        """
        last = len(self.probability) - 1
        if not ((targets >= 0) & (targets <= last)).all():
            raise ValueError(f"targets={targets.min()}..{targets.max()}: must be ids of words, 0 to {last}")
        if not ((uniforms >= 0) & (uniforms < 1)).all():
            raise ValueError(f"uniforms={uniforms.min()}..{uniforms.max()}: must be in [0, 1); use rng.random")
        target = targets[:, None]  # B 1
        gap = self.probability[target]  # B 1
        point = uniforms * (1 - gap)  # B K
        before_gap = point + gap < self.cumulative[target]
        word = np.searchsorted(self.cumulative, np.where(before_gap, point, point + gap), side="right")
        # Without the last word, 1 - gap may be rounded up over the end of the line: take the word before the target.
        return np.where(before_gap, np.minimum(word, target - 1), word)

    def sample_shared(self, rng: np.random.Generator, blocks: int, size: int) -> Int[np.ndarray, "M N"]:
        """Negatives that all words of a block share. `skipgram_fast.py` gives a pair's own context no weight."""
        return np.searchsorted(self.cumulative, rng.random((blocks, size)), side="right")
