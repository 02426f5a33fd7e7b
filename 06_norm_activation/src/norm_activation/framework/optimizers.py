"""Optimizers: each update is the one of the same name in PyTorch, to the last digits.

`step(params, grads)` takes lists of arrays and changes the parameters in place. State is kept by position.
"""

import numpy as np

Arrays = list[np.ndarray]


class SGD:
    """w -= lr · g. With `momentum`, g is replaced by a running sum of gradients (Polyak 1964)."""

    def __init__(self, lr: float, momentum: float = 0.0):
        self.lr, self.momentum, self.velocity = lr, momentum, None

    def step(self, params: Arrays, grads: Arrays) -> None:
        if self.velocity is None:
            self.velocity = [np.zeros_like(p) for p in params]
        for p, g, v in zip(params, grads, self.velocity, strict=True):
            v *= self.momentum
            v += g
            p -= self.lr * v


class RMSprop:
    """w -= lr · g / (sqrt(mean of g²) + eps): each weight gets a step size of its own (Hinton 2012, lecture 6e)."""

    def __init__(self, lr: float, alpha: float = 0.99, eps: float = 1e-8):
        self.lr, self.alpha, self.eps, self.square = lr, alpha, eps, None

    def step(self, params: Arrays, grads: Arrays) -> None:
        if self.square is None:
            self.square = [np.zeros_like(p) for p in params]
        for p, g, s in zip(params, grads, self.square, strict=True):
            s *= self.alpha
            s += (1 - self.alpha) * g**2
            p -= self.lr * g / (np.sqrt(s) + self.eps)


class Adam:
    """RMSprop and momentum, both corrected for having started at zero (Kingma and Ba 2015, algorithm 1)."""

    def __init__(self, lr: float, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8):
        self.lr, self.betas, self.eps = lr, betas, eps
        self.steps, self.mean, self.square = 0, None, None

    def step(self, params: Arrays, grads: Arrays) -> None:
        if self.mean is None:
            self.mean = [np.zeros_like(p) for p in params]
            self.square = [np.zeros_like(p) for p in params]
        self.steps += 1
        beta1, beta2 = self.betas
        for p, g, m, s in zip(params, grads, self.mean, self.square, strict=True):
            m *= beta1
            m += (1 - beta1) * g
            s *= beta2
            s += (1 - beta2) * g**2
            m_hat = m / (1 - beta1**self.steps)
            s_hat = s / (1 - beta2**self.steps)
            p -= self.lr * m_hat / (np.sqrt(s_hat) + self.eps)


def clip_grad_norm(grads: Arrays, max_norm: float) -> tuple[Arrays, float]:
    """(gradients, their joint norm): scaled together when the norm is above `max_norm` (Pascanu et al. 2013).

    The direction stays. One exploding batch then moves the weights no further than any other.
    """
    norm = float(np.sqrt(sum(float((g**2).sum()) for g in grads)))
    factor = min(1.0, max_norm / (norm + 1e-6))
    return [g * factor for g in grads], norm
