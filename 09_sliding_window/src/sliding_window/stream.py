"""A text without end at constant memory and constant time a token.

Dimensions:
    T   tokens of the prompt, or of the text
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from .model import Llama
from .sinks import SinkCache


@torch.no_grad()
def generate(
    model: Llama,
    prompt: Int[Tensor, "1 T"],
    cache: SinkCache,
    temperature: float = 0.0,
    generator: torch.Generator | None = None,
) -> Iterator[int]:
    """Tokens for as long as the caller asks for more. The cache goes on where it stands: reset it for a new text."""
    logits = model(prompt, cache)[0, -1]
    while True:
        if temperature:
            token = torch.multinomial((logits / temperature).softmax(-1), 1, generator=generator)
        else:
            token = logits.argmax().view(1)
        yield int(token)
        logits = model(token[None], cache)[0, -1]


@torch.no_grad()
def stream_loss(
    model: Llama, tokens: Int[Tensor, "1 T"], cache: SinkCache | None, chunk: int = 256
) -> Float[Tensor, "T-1"]:
    """Loss in nats of every next token. The text is read in chunks, and the cache carries over.

    How the text is cut does not change the result: in a chunk, each query sees what it would see alone.
    """
    if cache is None:
        logits = model(tokens)[0, :-1]
        return F.cross_entropy(logits, tokens[0, 1:], reduction="none")
    losses = []
    for start in range(0, tokens.shape[1] - 1, chunk):
        inputs = tokens[:, start : start + chunk]
        targets = tokens[0, start + 1 : start + chunk + 1]
        logits = model(inputs, cache)[0, : len(targets)]
        losses.append(F.cross_entropy(logits, targets, reduction="none"))
    return torch.cat(losses)
