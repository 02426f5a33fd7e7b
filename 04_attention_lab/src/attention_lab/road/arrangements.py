"""What a recurrent network reads, and when it answers.

    many-to-one    a sentence in, one label out: the last state answers
    one-to-many    one input, a sequence out: each output is the next input
    many-to-many   an answer at every step (tagging), or a sequence after a sequence (`seq2seq.py`)
    bidirectional  a second network reads from right to left, so every position knows what follows

Dimensions:
    B   sequences      T   steps
    I   input width    H   hidden width    C   classes or output width
"""

import torch
from torch import Tensor, nn

from .bptt import Recurrent


def many_to_one(network: Recurrent, head: nn.Linear, x: Tensor) -> Tensor:
    """(B, T, I) -> (B, C): the state after the last step has seen everything."""
    outputs, _ = network(x)
    return head(outputs[:, -1])


def many_to_many(network: Recurrent, head: nn.Linear, x: Tensor) -> Tensor:
    """(B, T, I) -> (B, T, C): an answer at every step, made of what came before."""
    outputs, _ = network(x)
    return head(outputs)


def one_to_many(network: Recurrent, head: nn.Linear, first: Tensor, steps: int) -> Tensor:
    """(B, I) -> (B, steps, I): the head's output is the next step's input, so C = I."""
    x, state, made = first, None, []
    for _ in range(steps):
        output, state = network(x[:, None], state)
        x = head(output[:, 0])
        made.append(x)
    return torch.stack(made, dim=1)


class Bidirectional(nn.Module):
    """Two networks, one on the reversed sequence (Schuster and Paliwal 1997): (B, T, I) -> (B, T, 2H)."""

    def __init__(self, kind: str, inputs: int, hidden: int):
        super().__init__()
        self.forwards, self.backwards = Recurrent(kind, inputs, hidden), Recurrent(kind, inputs, hidden)

    def forward(self, x: Tensor) -> Tensor:
        left, _ = self.forwards(x)
        right, _ = self.backwards(x.flip(1))
        return torch.cat((left, right.flip(1)), dim=-1)  # position t: what came before it, and what follows
