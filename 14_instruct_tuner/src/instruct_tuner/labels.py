"""Loss on the answer only: the prompt is read, and never predicted.

Dimensions:
    B rows   T tokens   V vocabulary
"""

from collections.abc import Sequence

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

IGNORE = -100  # PyTorch's ignore_index


def answer_labels(input_ids: Int[Tensor, "T"], header: Sequence[int], end: int) -> Int[Tensor, "T"]:
    """The ids of the assistant's answers, and IGNORE everywhere else.

    An answer begins after the tokens `header` (`<|im_start|>assistant\\n`) and ends with the first token `end`
    (`<|im_end|>`), which is scored: it is how the model learns to stop. An answer without `end` goes to the last token.
    Labels are not shifted: label t is token t. The loss shifts.
    """
    ids, header = input_ids.tolist(), list(header)
    labels, scored = [], False
    for t, token in enumerate(ids):
        scored = scored or ids[t - len(header) : t] == header
        labels.append(token if scored else IGNORE)
        scored = scored and token != end
    return input_ids.new_tensor(labels)


def answer_loss(
    logits: Float[Tensor, "B T V"], labels: Int[Tensor, "B T"], count: int | None = None
) -> Float[Tensor, ""]:
    """Cross-entropy in nats, averaged over all scored tokens of the batch. Logits t are compared with label t + 1.

    `count` replaces the number of scored tokens: with gradient accumulation, that of all micro-batches together.

    Raises:
        ValueError: no token is scored.
    """
    targets = labels[:, 1:]  # B T-1
    scored = targets != IGNORE
    if not scored.any():
        raise ValueError("labels: no token is scored; is every answer cut off?")
    total = F.cross_entropy(logits[:, :-1][scored], targets[scored], reduction="sum")
    return total / (count or scored.sum())
