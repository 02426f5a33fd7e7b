"""Who is whose neighbor: subsampling of frequent words, windows, and pairs. The plain form.

Dimensions: N words of text, V words in the vocabulary, P pairs. `windows_fast.py` does the same for a whole text.
"""

import numpy as np
from jaxtyping import Float, Int


def keep_probability(counts: Int[np.ndarray, "V"], threshold: float | int = 1e-3) -> Float[np.ndarray, "V"]:
    """The probability with which each occurrence of a word stays in the text: min(1, sqrt(t / f)).

    f is the word's share of all words, t the threshold. Mikolov et al. 2013b, eq. 5, gives the probability of
    discarding, 1 - sqrt(t / f). What is left of a frequent word is f sqrt(t / f) = sqrt(t f) of the text. From a
    threshold of one on, every word stays.

    Raises:
        ValueError: `threshold` is not positive, or a count is below one.
    """
    if not threshold > 0:
        raise ValueError(f"threshold={threshold}: must be positive; it is a share of the text, such as 1e-3")
    if not counts.min() >= 1:
        raise ValueError(f"counts={counts.min()}: must be at least 1; leave out words that do not occur")
    share = counts / counts.sum()
    return np.minimum(1.0, np.sqrt(threshold / share))


def pairs(ids: Int[np.ndarray, "N"], widths: Int[np.ndarray, "..."]) -> Int[np.ndarray, "P 2"]:
    """Every (center, context) pair of one sentence: by the center's position, then by the context's.

    The word at position i sees `widths[i]` positions to either side, as far as the sentence goes, without itself.
    Widths drawn uniformly from 1..w give a context at distance d the weight (w - d + 1) / w (Mikolov et al. 2013a).

    Raises:
        ValueError: there is not one width for each word, or a width is below one.
    """
    if widths.shape != ids.shape:
        raise ValueError(f"widths={widths.shape}: must have the shape of ids, {ids.shape}; each word has its own width")
    if (widths < 1).any():
        raise ValueError(f"widths={widths.min()}: must be at least 1; a window reaches one word to either side")
    found = []
    for i, width in enumerate(widths.tolist()):  # Python's integers: i + width may be above all int64
        first = max(0, i - width)
        last = min(len(ids) - 1, i + width)
        for j in range(first, last + 1):
            if j != i:
                found.append((ids[i], ids[j]))
    return np.array(found, dtype=np.int64).reshape(-1, 2)
