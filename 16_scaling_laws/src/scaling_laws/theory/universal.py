"""Universal approximation by hand, and why depth is cheaper than width.

The proof, in a page (one input; Cybenko 1989 and Leshno 1993 have the general case):
  1. f is continuous on [0, 1], so it is uniformly continuous: for each e > 0 there is a grid of m + 1 points such that
     f changes by less than e between neighbours.
  2. Let g be the polygon through f at the grid points. On each interval both f and g stay within e of the value at its
     left end, so |f - g| < 2e everywhere.
  3. A polygon is a sum of ramps: g(x) = f(0) + sum_i c_i relu(x - x_i), where c_i is the change of slope at x_i. Both
     sides agree at 0 and have the same slope on every interval, so they are equal.
  4. That is a network with one hidden layer of m units. So every continuous f is within 2e of one.
If f has a second derivative of at most M, the polygon is within M h^2 / 8, where h is the distance of grid points.

Depth: the tent map t(x) = 2 relu(x) - 4 relu(x - 1/2) has two units. k tents in a row have 2^k linear pieces
(Telgarsky 2016); one hidden layer of m units has at most m + 1, so it needs 2^k - 1. Yarotsky (2017): x^2 is
x - sum_s t_s(x) / 4^s. The first k terms are its polygon on 2^k intervals, with an error of 4^-(k + 1).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

Line = Float[np.ndarray, " n"]


class ReluLayer(NamedTuple):
    """offset + sum_i weights_i relu(x - knots_i)."""

    offset: float
    knots: Float[np.ndarray, " m"]
    weights: Float[np.ndarray, " m"]

    def __call__(self, x: Line) -> Line:
        return self.offset + np.maximum(x[:, None] - self.knots, 0) @ self.weights


def wide_network(f: Callable[[Line], Line], units: int) -> ReluLayer:
    """The polygon through f at units + 1 points of [0, 1], written as one hidden layer: no training."""
    grid = np.linspace(0, 1, units + 1)
    slopes = np.diff(f(grid)) * units
    return ReluLayer(float(f(grid[:1])[0]), grid[:-1], np.diff(slopes, prepend=0.0))


def tent(x: Line) -> Line:
    """One layer of two units: up to 1 at 1/2 and down again."""
    return 2 * np.maximum(x, 0) - 4 * np.maximum(x - 0.5, 0)


def tents(x: Line, layers: int) -> Line:
    """The tent applied so many times: 2^layers linear pieces out of two units a layer."""
    for _ in range(layers):
        x = tent(x)
    return x


def deep_square(x: Line, layers: int) -> Line:
    """x^2 by depth: x minus a sum of ever finer tents."""
    result, teeth = x.copy(), x
    for s in range(1, layers + 1):
        teeth = tent(teeth)
        result = result - teeth / 4**s
    return result


def pieces(f: Callable[[Line], Line], points: int = 2**14) -> int:
    """The number of linear pieces on [0, 1], counted by changes of slope on a fine dyadic grid."""
    slopes = np.diff(f(np.linspace(0, 1, points + 1)))
    return int((np.abs(np.diff(slopes)) > 1e-9).sum()) + 1
