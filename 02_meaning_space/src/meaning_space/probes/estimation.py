r"""Bayes' theorem, and two ways to estimate: by the likelihood alone (MLE), and with a prior (MAP).

Bayes' theorem turns a likelihood around:  P(h | data) = P(data | h) P(h) / sum_h' P(data | h') P(h').

- MLE takes the h with the greatest P(data | h). For n numbers from a Gaussian it is their mean and mean squared
  deviation (divided by n, so that it is a little too small). For s successes in n trials it is s / n.
- MAP takes the h with the greatest P(h | data). A prior acts like data seen before: Beta(a, b) like a - 1 successes
  and b - 1 failures. An L2 penalty is a Gaussian prior on the weights, an L1 penalty a Laplace prior.

The Gaussian appears everywhere because of the central limit theorem: the mean of n independent numbers with deviation
sigma, less its expectation and times sqrt(n) / sigma, tends to a standard Gaussian, whatever the numbers' distribution.

Source: Bishop, Pattern Recognition and Machine Learning, sections 1.2 and 2.3.

Dimensions: h hypotheses, n numbers.
"""

import numpy as np
from jaxtyping import Float

from .validation import as_targets, check_at_least


def bayes(prior: Float[np.ndarray, "h"], likelihood: Float[np.ndarray, "h"]) -> Float[np.ndarray, "h"]:
    """The posterior probabilities of some hypotheses.

    Raises:
        ValueError: a number is negative, or no hypothesis is possible.
    """
    joint = prior * likelihood
    if not (prior >= 0).all() or not (likelihood >= 0).all() or not joint.sum() > 0:
        raise ValueError(f"prior={prior}, likelihood={likelihood}: must not be negative, and not zero everywhere")
    return joint / joint.sum()


def gaussian_mle(x: Float[np.ndarray, "n"]) -> tuple[float, float]:
    """The mean and the variance with the greatest likelihood."""
    x = as_targets(x, len(x))
    return float(x.mean()), float(((x - x.mean()) ** 2).mean())


def gaussian_map(x: Float[np.ndarray, "n"], variance: float, prior_mean: float, prior_variance: float) -> tuple[
        float, float]:  # fmt: skip
    """Mean and variance of the posterior of a Gaussian's mean, whose `variance` is known (Bishop, eq. 2.141, 2.142).

    Precisions (one over variance) add up. The mean is the mean of data and prior, weighted by their precisions.
    """
    x = as_targets(x, len(x))
    check_at_least("variance", variance, 0, strict=True)
    check_at_least("prior_variance", prior_variance, 0, strict=True)
    precision = len(x) / variance + 1 / prior_variance
    return float((x.sum() / variance + prior_mean / prior_variance) / precision), 1 / precision


def bernoulli_map(successes: int, trials: int, a: float = 1.0, b: float = 1.0) -> float:
    """The most probable chance of success under a Beta(a, b) prior. Beta(1, 1) is flat: the MLE.

    Raises:
        ValueError: `successes` is not between 0 and `trials`, `a` or `b` is below one, or there is nothing to go by.
    """
    check_at_least("a", a, 1)
    check_at_least("b", b, 1)
    if not 0 <= successes <= trials or trials + a + b == 2:
        raise ValueError(f"successes={successes}: must be between 0 and trials={trials}; a flat prior needs a trial")
    return (successes + a - 1) / (trials + a + b - 2)


def standardized_means(rng: np.random.Generator, n: int, repeats: int) -> Float[np.ndarray, "repeats"]:
    """Means of n exponential numbers, less their expectation 1 and times sqrt(n): the central limit theorem at work."""
    return (rng.exponential(size=(repeats, n)).mean(axis=1) - 1) * np.sqrt(n)
