"""Network: layers in a row, and `fit`, the loop of mini-batches that trains them."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from .layers import Batch, Layer
from .optimizers import Arrays, clip_grad_norm


@dataclass
class History:
    """The learning curves: the loss of every step, and loss and accuracy after every epoch."""

    steps: list[float] = field(default_factory=list)
    training_loss: list[float] = field(default_factory=list)
    test_loss: list[float] = field(default_factory=list)
    test_accuracy: list[float] = field(default_factory=list)


class Network:
    """A stack of layers."""

    def __init__(self, *layers: Layer):
        self.layers = layers

    def forward(self, x: Batch, training: bool = False) -> Batch:
        for layer in self.layers:
            x = layer.forward(x, training)
        return x

    def backward(self, dy: Batch) -> Batch:
        """The chain rule: from the last layer to the first."""
        for layer in reversed(self.layers):
            dy = layer.backward(dy)
        return dy

    def params(self) -> Arrays:
        return [p for layer in self.layers for p in layer.params.values()]

    def grads(self) -> Arrays:
        return [layer.grads[name] for layer in self.layers for name in layer.params]

    def fit(
        self,
        x: Batch,
        targets: np.ndarray,
        loss: Callable,
        optimizer,
        epochs: int,
        batch_size: int,
        rng: np.random.Generator,
        test: tuple[np.ndarray, np.ndarray] | None = None,
        max_norm: float | None = None,
    ) -> History:
        """Train in shuffled mini-batches. The last one of an epoch may be smaller.

        Raises:
            ValueError: a loss that is not finite: training has diverged.
        """
        history = History()
        for _ in range(epochs):
            order, losses = rng.permutation(len(x)), []
            for start in range(0, len(x), batch_size):
                rows = order[start : start + batch_size]
                value = self.train_step(x[rows], targets[rows], loss, optimizer, max_norm)
                if not np.isfinite(value):
                    raise ValueError(f"loss={value}: training has diverged; lower the learning rate or clip gradients")
                losses.append(value)
            history.steps += losses
            history.training_loss.append(float(np.mean(losses)))
            if test is not None:
                outputs = self.forward(test[0])
                history.test_loss.append(loss(outputs, test[1])[0])
                history.test_accuracy.append(float((outputs.argmax(axis=1) == test[1]).mean()))
        return history

    def train_step(self, x: Batch, targets: np.ndarray, loss: Callable, optimizer, max_norm: float | None) -> float:
        """Forward, loss, backward, update: one step of gradient descent."""
        value, dy = loss(self.forward(x, training=True), targets)
        self.backward(dy)
        grads = self.grads()
        if max_norm is not None:
            grads, _ = clip_grad_norm(grads, max_norm)
        optimizer.step(self.params(), grads)
        return value
