"""From the perceptron to XOR, with every number written out.

A perceptron is one unit with a threshold. It draws a straight line, and no straight line has (0, 1) and (1, 0) on one
side and (0, 0) and (1, 1) on the other. A hidden layer of two units bends the plane so that one line suffices.
"""

import numpy as np

from .layers import Linear, Sigmoid
from .losses import mse
from .network import Network

INPUTS = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
AND = np.array([0, 0, 0, 1])
OR = np.array([0, 1, 1, 1])
XOR = np.array([0, 1, 1, 0])


def perceptron(targets: np.ndarray, epochs: int = 20) -> tuple[np.ndarray, float, int]:
    """(weights, bias, mistakes in the last epoch) of the perceptron rule (Rosenblatt 1958).

    A mistake moves the line by the input: w += (target - output) · x. It ends when a whole epoch has no mistake.
    """
    w, b, mistakes = np.zeros(2), 0.0, len(INPUTS)
    for _ in range(epochs):
        mistakes = 0
        for x, target in zip(INPUTS, targets, strict=True):
            error = target - int(w @ x + b > 0)
            w, b, mistakes = w + error * x, b + error, mistakes + abs(int(error))
        if mistakes == 0:
            break
    return w, b, mistakes


def two_two_one() -> Network:
    """Two inputs, two sigmoid units, one sigmoid output, with round weights to compute by hand."""
    rng = np.random.default_rng(0)
    network = Network(Linear(2, 2, rng), Sigmoid(), Linear(2, 1, rng), Sigmoid())
    network.layers[0].params = {"weight": np.array([[2.0, 2.0], [-1.0, -1.0]]), "bias": np.array([-1.0, 1.5])}
    network.layers[2].params = {"weight": np.array([[1.0, 1.0]]), "bias": np.array([-1.0])}
    return network


def worked_example(lr: float = 1.0) -> dict[str, list | float]:
    """One step on the input (1, 0) with the target 1: every number of the forward pass, the backward pass, the update.

    The names follow the formulas: z is a sum, a is its sigmoid, d is a gradient of the loss (a - 1)².
    """
    network = two_two_one()
    first, hidden, second, output = network.layers
    x, target = np.array([[1.0, 0.0]]), np.array([[1.0]])
    z1 = first.forward(x, True)
    a1 = hidden.forward(z1, True)
    z2 = second.forward(a1, True)
    a2 = output.forward(z2, True)
    loss, da2 = mse(a2, target)
    dz2 = output.backward(da2)
    da1 = second.backward(dz2)
    dz1 = hidden.backward(da1)
    dx = first.backward(dz1)
    numbers = {"z1": z1, "a1": a1, "z2": z2, "a2": a2, "da2": da2, "dz2": dz2, "dW2": second.grads["weight"]}
    numbers |= {"db2": second.grads["bias"], "da1": da1, "dz1": dz1, "dW1": first.grads["weight"]}
    numbers |= {"db1": first.grads["bias"], "dx": dx}
    numbers |= {"W1 after": first.params["weight"] - lr * first.grads["weight"]}
    numbers |= {"W2 after": second.params["weight"] - lr * second.grads["weight"]}
    return {"loss": loss, **{name: value.squeeze().tolist() for name, value in numbers.items()}}
