"""Masking with one uniform number a token, and few passes over memory.

Given that a number is below `probability`, it is uniform there: its place in [0, probability) decides between [MASK],
a random token and nothing. A random token is drawn for the tokens that need one only (1.5 % of all), where
`mask_tokens` draws three numbers for every token. The statistics are the same; single draws are not.
"""

import numpy as np
from numpy.typing import NDArray

from .masked import MASK_BELOW, RANDOM_BELOW


def mask_tokens_fast(
    ids: NDArray[np.int64],
    is_special: NDArray[np.bool_],
    ordinary_ids: NDArray[np.int64],
    mask_id: int,
    rng: np.random.Generator,
    probability: float = 0.15,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Inputs and labels as `mask_tokens` makes them. `is_special` has a flag for each id of the vocabulary.

    Only the places below `probability` are looked at after the first comparison.
    """
    flat = ids.reshape(-1)
    uniforms = rng.random(flat.size, dtype=np.float32)
    places = np.flatnonzero(uniforms < probability)
    tokens = flat[places]
    ordinary = ~is_special[tokens]
    places, tokens = places[ordinary], tokens[ordinary]
    decide = uniforms[places] / probability
    inputs, labels = flat.copy(), np.full_like(flat, -100)
    labels[places] = tokens
    inputs[places[decide < MASK_BELOW]] = mask_id
    replaced = places[(decide >= MASK_BELOW) & (decide < RANDOM_BELOW)]
    inputs[replaced] = ordinary_ids[rng.integers(0, len(ordinary_ids), len(replaced))]
    return inputs.reshape(ids.shape), labels.reshape(ids.shape)
