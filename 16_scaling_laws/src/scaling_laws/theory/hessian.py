"""The Hessian without the Hessian: products with a vector, Lanczos, and what the largest eigenvalue means for training.

Gradient descent on a quadratic of curvature c is stable if and only if its rate is below 2 / c. In networks the largest
curvature, the sharpness, rises until it reaches 2 / rate, and stays there (Cohen et al. 2021).

Dimensions:
    p   parameters        m   steps of Lanczos
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from .network import Sizes, pack, unpack

Loss = Callable[[Tensor], Tensor]


def hessian_product(loss: Loss, theta: Float[Tensor, " p"], vector: Float[Tensor, " p"]) -> Float[Tensor, " p"]:
    """H v, for the price of about two gradients (Pearlmutter 1994). H is symmetric, so v H is the same."""
    return torch.func.vjp(torch.func.grad(loss), theta)[1](vector)[0]


def lanczos(
    product: Callable[[Tensor], Tensor], start: Float[Tensor, " p"], steps: int
) -> tuple[Float[Tensor, " m"], Float[Tensor, " m"]]:
    """(Ritz values in rising order, their weights) after so many products (Golub and Van Loan, chapter 10).

    The weights are the squared first components: the share of `start` in each direction. The basis is orthogonalised
    in full, twice: without that, eigenvalues come again as ghosts.
    """
    basis = [start / start.norm()]
    diagonal, beside = [], []
    for _ in range(min(steps, len(start))):
        w = product(basis[-1])
        diagonal.append(w @ basis[-1])
        spanned = torch.stack(basis)  # m p
        for _ in range(2):
            w = w - spanned.T @ (spanned @ w)
        beside.append(w.norm())
        if beside[-1] < 1e-10 * abs(diagonal[0]):
            break
        basis.append(w / beside[-1])
    off = torch.stack(beside[:-1]) if len(beside) > 1 else start.new_zeros(0)
    matrix = torch.diag(torch.stack(diagonal)) + torch.diag(off, 1) + torch.diag(off, -1)
    values, vectors = torch.linalg.eigh(matrix)
    return values, vectors[0] ** 2


def sharpness(loss: Loss, theta: Float[Tensor, " p"], steps: int = 20, seed: int = 0) -> float:
    """The largest eigenvalue of the Hessian."""
    start = torch.randn(theta.shape, generator=torch.Generator().manual_seed(seed), dtype=theta.dtype)
    return float(lanczos(lambda v: hessian_product(loss, theta, v), start, steps)[0][-1])


def sharpness_while_training(
    loss: Loss, theta: Float[Tensor, " p"], lr: int | float, steps: int, every: int
) -> tuple[list[float], list[float]]:
    """(sharpness, loss) every so many steps of gradient descent."""
    gradient, sharp, losses = torch.func.grad(loss), [], []
    for step in range(steps + 1):
        if step % every == 0:
            sharp.append(sharpness(loss, theta))
            losses.append(float(loss(theta)))
        theta = theta - lr * gradient(theta)
    return sharp, losses


def rescaled(theta: Float[Tensor, " p"], sizes: Sizes, factor: int | float) -> Float[Tensor, " p"]:
    """The same ReLU network with its first layer times `factor` and its second divided by it (Dinh et al. 2017).

    No output changes and the sharpness does, so sharpness alone cannot say how well a network generalises.
    """
    first, second = unpack(theta, sizes)
    return pack(factor * first, second / factor)
