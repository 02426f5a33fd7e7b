"""Back-propagation through time, written out: the same cell at every step, so its gradients are summed over the steps.

The gradient walks back one step at a time. At each step it passes W_hh and the slope of the cell. An RNN multiplies by
both, again and again: below one the product vanishes, above one it explodes (Bengio et al. 1994). In an LSTM the memory
is multiplied by the forget gate alone, which can stay near one.

Dimensions:
    B   sequences        T   steps
    I   input width      H   hidden width      G   blocks of weights
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .cells import CELLS, State, Weights, zero_state


class Recurrent(nn.Module):
    """A cell applied from left to right: (B, T, I) -> (B, T, H). Autograd finds its gradients."""

    def __init__(self, kind: str, inputs: int, hidden: int, forget_bias: float = 0.0):
        """Raises ValueError for an unknown kind. `forget_bias` is added to an LSTM's forget gate (Gers et al. 2000)."""
        super().__init__()
        if kind not in CELLS:
            raise ValueError(f"kind={kind!r}: choose one of {', '.join(CELLS)}")
        self.kind, self.hidden = kind, hidden
        rows, bound = CELLS[kind].blocks * hidden, 1 / math.sqrt(hidden)
        shapes = {"ih": (rows, inputs), "hh": (rows, hidden), "bias_ih": (rows,), "bias_hh": (rows,)}
        for name, shape in shapes.items():
            self.register_parameter(name, nn.Parameter(torch.empty(shape).uniform_(-bound, bound)))
        if kind == "lstm":
            self.bias_ih.data[hidden : 2 * hidden] += forget_bias

    @property
    def weights(self) -> Weights:
        return Weights(self.ih, self.hh, self.bias_ih, self.bias_hh)

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        step, weights = CELLS[self.kind].step, self.weights
        state = zero_state(self.kind, len(x), self.hidden, x) if state is None else state
        from_input = x @ weights.ih.T + weights.bias_ih  # B T G·H
        outputs = []
        for from_this in from_input.unbind(1):
            state = step(from_this, state, weights)
            outputs.append(state[0])
        return torch.stack(outputs, dim=1), state


class Gradients(NamedTuple):
    """What back-propagation through time returns."""

    x: Tensor  # B T I
    state: State  # of the first step
    weights: Weights


def backward_through_time(kind: str, x: Tensor, state: State, weights: Weights, grad_outputs: Tensor) -> Gradients:
    """The gradients of Σ outputs ∘ grad_outputs, without autograd.

    The forward pass keeps every state. The backward pass goes from the last step to the first.
    """
    with torch.no_grad():
        from_input = x @ weights.ih.T + weights.bias_ih  # B T G·H
        states = [state]
        for from_this in from_input.unbind(1):
            states.append(CELLS[kind].step(from_this, states[-1], weights))
        backward = {"rnn": rnn_backward, "lstm": lstm_backward, "gru": gru_backward}[kind]
        sums = Weights(*(torch.zeros_like(w) for w in weights))
        grad_x, grad_state = torch.zeros_like(x), tuple(torch.zeros_like(s) for s in state)
        for t in reversed(range(x.shape[1])):
            grad_state = (grad_state[0] + grad_outputs[:, t], *grad_state[1:])  # from step t + 1, and from the output
            by_input, by_state, direct = backward(grad_state, from_input[:, t], states[t], states[t + 1], weights)
            grad_x[:, t] = by_input @ weights.ih
            sums.ih.add_(by_input.T @ x[:, t])  # summed over the steps: the weights are shared
            sums.hh.add_(by_state.T @ states[t][0])
            sums.bias_ih.add_(by_input.sum(0))
            sums.bias_hh.add_(by_state.sum(0))
            grad_state = (direct[0] + by_state @ weights.hh, *direct[1:])
        return Gradients(grad_x, grad_state, sums)


# Each of these returns the gradients of from_input and from_state (B, G·H), and what reaches the old state directly.


def rnn_backward(grad: State, from_input: Tensor, old: State, new: State, weights: Weights):
    """tanh' = 1 - tanh²."""
    inner = grad[0] * (1 - new[0] ** 2)
    return inner, inner, (torch.zeros_like(old[0]),)


def lstm_backward(grad: State, from_input: Tensor, old: State, new: State, weights: Weights):
    """The memory's gradient passes the forget gate, and nothing else."""
    h, c = old
    i, f, g, o = (from_input + h @ weights.hh.T + weights.bias_hh).chunk(4, dim=-1)
    i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
    shown = new[1].tanh()
    grad_c = grad[1] + grad[0] * o * (1 - shown**2)
    gates = (
        grad_c * g * i * (1 - i),
        grad_c * c * f * (1 - f),
        grad_c * i * (1 - g**2),
        grad[0] * shown * o * (1 - o),
    )
    inner = torch.cat(gates, dim=-1)  # B 4H
    return inner, inner, (torch.zeros_like(h), grad_c * f)


def gru_backward(grad: State, from_input: Tensor, old: State, new: State, weights: Weights):
    """The update gate carries the gradient past the candidate, like the forget gate of an LSTM."""
    (h,) = old
    from_state = h @ weights.hh.T + weights.bias_hh
    r_in, z_in, n_in = from_input.chunk(3, dim=-1)
    r_state, z_state, n_state = from_state.chunk(3, dim=-1)
    r, z = (r_in + r_state).sigmoid(), (z_in + z_state).sigmoid()
    n = (n_in + r * n_state).tanh()
    grad_n = grad[0] * (1 - z) * (1 - n**2)
    grad_r = grad_n * n_state * r * (1 - r)
    grad_z = grad[0] * (h - n) * z * (1 - z)
    by_input = torch.cat((grad_r, grad_z, grad_n), dim=-1)
    by_state = torch.cat((grad_r, grad_z, grad_n * r), dim=-1)  # the reset gate stands before W_hh's last block
    return by_input, by_state, (grad[0] * z,)
