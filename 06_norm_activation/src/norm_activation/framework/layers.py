"""Layers: each keeps what its backward pass needs, and turns the gradient of its output into that of its input.

The chain rule, one layer at a time. If y = layer(x) and dy = ∂loss/∂y is known, then

    dx = ∂loss/∂x = dy · ∂y/∂x           is handed to the layer before
    grads[name] = ∂loss/∂parameter       is left for the optimizer

Dimensions: N examples of a mini-batch, I inputs, O outputs.
"""

import numpy as np
from jaxtyping import Float

Batch = Float[np.ndarray, "N _"]


class Layer:
    """A step of the network. `params` and `grads` have the same names."""

    def __init__(self):
        self.params: dict[str, np.ndarray] = {}
        self.grads: dict[str, np.ndarray] = {}

    def forward(self, x: Batch, training: bool) -> Batch:
        raise NotImplementedError

    def backward(self, dy: Batch) -> Batch:
        raise NotImplementedError


class Linear(Layer):
    """y = x Wᵀ + b. The weights are stored (out, in), as in PyTorch."""

    def __init__(self, inputs: int, outputs: int, rng: np.random.Generator, init: str = "he"):
        super().__init__()
        stds = {"he": np.sqrt(2 / inputs), "xavier": np.sqrt(2 / (inputs + outputs)), "zero": 0.0}
        if init not in stds:
            raise ValueError(f"init={init!r}: choose one of {', '.join(stds)}")
        self.params = {"weight": stds[init] * rng.standard_normal((outputs, inputs)), "bias": np.zeros(outputs)}

    def forward(self, x: Batch, training: bool) -> Batch:
        self.x = x
        return x @ self.params["weight"].T + self.params["bias"]

    def backward(self, dy: Batch) -> Batch:
        self.grads = {"weight": dy.T @ self.x, "bias": dy.sum(axis=0)}
        return dy @ self.params["weight"]


class Sigmoid(Layer):
    """1 / (1 + exp(-x)). Its derivative is y (1 - y), so the output is kept."""

    def forward(self, x: Batch, training: bool) -> Batch:
        self.y = 0.5 * (1 + np.tanh(0.5 * x))
        return self.y

    def backward(self, dy: Batch) -> Batch:
        return dy * self.y * (1 - self.y)


class Tanh(Layer):
    """tanh(x), with the derivative 1 - y²."""

    def forward(self, x: Batch, training: bool) -> Batch:
        self.y = np.tanh(x)
        return self.y

    def backward(self, dy: Batch) -> Batch:
        return dy * (1 - self.y**2)


class ReLU(Layer):
    """max(x, 0): the gradient passes where x is above zero."""

    def forward(self, x: Batch, training: bool) -> Batch:
        self.open = x > 0
        return x * self.open

    def backward(self, dy: Batch) -> Batch:
        return dy * self.open


class LeakyReLU(Layer):
    """x above zero, slope · x below."""

    def __init__(self, slope: float = 0.01):
        super().__init__()
        self.slope = slope

    def forward(self, x: Batch, training: bool) -> Batch:
        self.factor = np.where(x > 0, 1.0, self.slope)
        return x * self.factor

    def backward(self, dy: Batch) -> Batch:
        return dy * self.factor


class GELU(Layer):
    """GPT-2's GELU, by tanh. NumPy has no erf."""

    def forward(self, x: Batch, training: bool) -> Batch:
        self.x, self.t = x, np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))
        return 0.5 * x * (1 + self.t)

    def backward(self, dy: Batch) -> Batch:
        inner = np.sqrt(2 / np.pi) * (1 + 3 * 0.044715 * self.x**2)
        return dy * (0.5 * (1 + self.t) + 0.5 * self.x * (1 - self.t**2) * inner)


class Dropout(Layer):
    """Inverted dropout: what is kept is enlarged at training, so that evaluation changes nothing."""

    def __init__(self, p: float, rng: np.random.Generator):
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"p={p}: must be at least 0 and below 1")
        self.p, self.rng = p, rng

    def forward(self, x: Batch, training: bool) -> Batch:
        self.factor = (self.rng.random(x.shape) >= self.p) / (1 - self.p) if training else np.ones_like(x)
        return x * self.factor

    def backward(self, dy: Batch) -> Batch:
        return dy * self.factor
