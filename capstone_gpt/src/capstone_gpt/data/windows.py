"""A stream of tokens into fixed windows: inputs, and the same tokens one place further on as targets.

Dimensions:
    n  tokens of the text      N  windows      T  tokens of a window
"""

from jaxtyping import Int
from torch import Tensor


def windows(
    tokens: Int[Tensor, "n"], seq_len: int, split: str = "train", valid_fraction: float | int = 0.1
) -> tuple[Int[Tensor, "N T"], Int[Tensor, "N T"]]:
    """(inputs, targets): every whole window of the split, side by side, without overlap.

    The first `int(n * (1 - valid_fraction))` tokens are for training, the rest for validation.

    Raises:
        ValueError: a split of another name, or too few tokens for one window.
    """
    if split not in ("train", "valid"):
        raise ValueError(f"split={split!r}: choose train or valid")
    boundary = int(len(tokens) * (1 - valid_fraction))
    part = tokens[:boundary] if split == "train" else tokens[boundary:]
    count = (len(part) - 1) // seq_len  # the last target needs one token more
    if count < 1:
        raise ValueError(
            f"seq_len={seq_len}: the {split} split has only {len(part)} tokens; it needs one more than that"
        )
    end = count * seq_len
    return part[:end].reshape(count, seq_len), part[1 : end + 1].reshape(count, seq_len)
