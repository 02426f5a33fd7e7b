"""LayerNorm and BatchNorm as layers. One formula serves both; the axis over which the means are taken is the norm."""

import numpy as np

from .layers import Batch, Layer


class _Norm(Layer):
    """Standardize over `axis`, then a gain and a shift for each feature."""

    axis: int

    def __init__(self, width: int, eps: float = 1e-5):
        super().__init__()
        self.eps = eps
        self.params = {"weight": np.ones(width), "bias": np.zeros(width)}

    def standardize(self, x: Batch) -> Batch:
        centered = x - x.mean(axis=self.axis, keepdims=True)
        self.std = np.sqrt((centered**2).mean(axis=self.axis, keepdims=True) + self.eps)
        return centered / self.std

    def forward(self, x: Batch, training: bool) -> Batch:
        self.x_hat = self.standardize(x)
        return self.params["weight"] * self.x_hat + self.params["bias"]

    def backward(self, dy: Batch) -> Batch:
        self.grads = {"weight": (dy * self.x_hat).sum(axis=0), "bias": dy.sum(axis=0)}
        g, x_hat = dy * self.params["weight"], self.x_hat
        mean_g = g.mean(axis=self.axis, keepdims=True)
        mean_gx = (g * x_hat).mean(axis=self.axis, keepdims=True)
        return (g - mean_g - x_hat * mean_gx) / self.std


class LayerNorm(_Norm):
    """Over the features of each example."""

    axis = 1


class BatchNorm(_Norm):
    """Over the batch, for each feature. Evaluation uses the running averages that training left behind."""

    axis = 0

    def __init__(self, width: int, eps: float = 1e-5, momentum: float = 0.1):
        super().__init__(width, eps)
        self.momentum = momentum
        self.running_mean, self.running_var = np.zeros(width), np.ones(width)

    def forward(self, x: Batch, training: bool) -> Batch:
        """Raises ValueError for a batch of one at training, which has no variance."""
        self.training = training
        if not training:
            self.std = np.sqrt(self.running_var + self.eps)
            self.x_hat = (x - self.running_mean) / self.std
            return self.params["weight"] * self.x_hat + self.params["bias"]
        if len(x) == 1:
            raise ValueError("x has one example: a batch of one has no variance; give a larger batch")
        keep = 1 - self.momentum
        self.running_mean = keep * self.running_mean + self.momentum * x.mean(axis=0)
        self.running_var = keep * self.running_var + self.momentum * x.var(axis=0, ddof=1)
        return super().forward(x, training)

    def backward(self, dy: Batch) -> Batch:
        if self.training:
            return super().backward(dy)
        self.grads = {"weight": (dy * self.x_hat).sum(axis=0), "bias": dy.sum(axis=0)}
        return dy * self.params["weight"] / self.std
