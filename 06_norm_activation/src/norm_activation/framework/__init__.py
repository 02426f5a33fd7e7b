"""A neural network framework in NumPy: layers, norms, losses, optimizers, a training loop, and XOR by hand.

Read in this order: xor, layers, losses, network, optimizers, norms.
"""

from .layers import GELU, Dropout, Layer, LeakyReLU, Linear, ReLU, Sigmoid, Tanh
from .losses import cross_entropy, hinge, mse
from .network import History, Network
from .norms import BatchNorm, LayerNorm
from .optimizers import SGD, Adam, RMSprop, clip_grad_norm
from .xor import AND, INPUTS, OR, XOR, perceptron, two_two_one, worked_example

__all__ = [
    "AND",
    "GELU",
    "INPUTS",
    "OR",
    "SGD",
    "XOR",
    "Adam",
    "BatchNorm",
    "Dropout",
    "History",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "Network",
    "RMSprop",
    "ReLU",
    "Sigmoid",
    "Tanh",
    "clip_grad_norm",
    "cross_entropy",
    "hinge",
    "mse",
    "perceptron",
    "two_two_one",
    "worked_example",
]
