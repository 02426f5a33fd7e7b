"""One step of the three recurrent cells. A cell reads an input and its state, and returns the new state.

Each step takes `from_input = x W_ihᵀ + b_ih`: it does not depend on the state, so it is made for all steps at once.

Dimensions:
    B   sequences in a batch
    I   width of an input
    H   width of the hidden state
    G   blocks of H rows in the weights: 1 (RNN), 4 (LSTM), 3 (GRU); the layout is PyTorch's
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

State = tuple[Tensor, ...]  # (h,) of an RNN or GRU, (h, c) of an LSTM; each (B, H)


class Weights(NamedTuple):
    """The parameters of a cell."""

    ih: Tensor  # G·H I
    hh: Tensor  # G·H H
    bias_ih: Tensor  # G·H
    bias_hh: Tensor  # G·H


def rnn_step(from_input: Tensor, state: State, weights: Weights) -> State:
    """h = tanh(W_ih x + W_hh h) (Elman 1990). All that is remembered is mixed anew at every step."""
    (h,) = state
    return (torch.tanh(from_input + h @ weights.hh.T + weights.bias_hh),)


def lstm_step(from_input: Tensor, state: State, weights: Weights) -> State:
    """A memory c that is only scaled and added to (Hochreiter and Schmidhuber 1997; Gers et al. 2000)."""
    h, c = state
    i, f, g, o = (from_input + h @ weights.hh.T + weights.bias_hh).chunk(4, dim=-1)  # B 4H -> four of B H
    i, f, o = i.sigmoid(), f.sigmoid(), o.sigmoid()  # gates: input, forget, output, each between 0 and 1
    c = f * c + i * g.tanh()  # keep a part of the memory, add a part of the candidate
    return o * c.tanh(), c  # show a part of the memory


def gru_step(from_input: Tensor, state: State, weights: Weights) -> State:
    """Two gates and no second memory (Cho et al. 2014): the new state lies between the old one and a candidate."""
    (h,) = state
    from_state = h @ weights.hh.T + weights.bias_hh
    r_in, z_in, n_in = from_input.chunk(3, dim=-1)
    r_state, z_state, n_state = from_state.chunk(3, dim=-1)
    r, z = (r_in + r_state).sigmoid(), (z_in + z_state).sigmoid()  # gates: reset, update
    n = (n_in + r * n_state).tanh()  # candidate
    return ((1 - z) * n + z * h,)


class Cell(NamedTuple):
    """A kind of cell: its step, its blocks of weights, and how many tensors it remembers."""

    step: Callable[[Tensor, State, Weights], State]
    blocks: int
    states: int


CELLS = {"rnn": Cell(rnn_step, 1, 1), "lstm": Cell(lstm_step, 4, 2), "gru": Cell(gru_step, 3, 1)}


def zero_state(kind: str, batch: int, hidden: int, like: Tensor) -> State:
    """Nothing is remembered yet."""
    return tuple(like.new_zeros(batch, hidden) for _ in range(CELLS[kind].states))


def parameter_count(kind: str, inputs: int, hidden: int) -> int:
    """G (I H + H² + 2 H): a GRU has three quarters of an LSTM's parameters, an RNN a quarter.

    Raises:
        ValueError: there is no such cell.
    """
    if kind not in CELLS:
        raise ValueError(f"kind={kind!r}: choose one of {', '.join(CELLS)}")
    return CELLS[kind].blocks * (inputs * hidden + hidden**2 + 2 * hidden)
