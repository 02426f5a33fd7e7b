"""Three ways to pay: own machines, rented cards, an API by the token. Prices are inputs, all in one currency.

A month has 730 hours. Whoever serves must carry the peak; whoever pays by the token pays for the mean.
"""

import math
from dataclasses import dataclass

from .shapes import Number

HOURS = 730  # of a month: 8,760 / 12
SECONDS = 3600 * HOURS


@dataclass(frozen=True)
class Own:
    """Bought machines. `fixed` is a month's people and rooms, however many cards there are."""

    gpu_price: Number  # a card with its share of the server
    years: Number  # until it is written off
    kilowatts: Number  # a card with its share of server and cooling
    kilowatt_hour: Number
    fixed: Number = 0.0


@dataclass(frozen=True)
class Rented:
    """Cards by the hour. `fixed` is a month's people."""

    gpu_hour: Number
    fixed: Number = 0.0


@dataclass(frozen=True)
class Prices:
    """An API by the token: a million tokens of each kind."""

    prompt: Number
    output: Number
    cached: Number | None = None  # a prompt token that is found in the cache; None: no discount

    def request(self, prompt_tokens: Number, output_tokens: Number, cached_share: Number = 0.0) -> float:
        """The price of one request."""
        cached = self.prompt if self.cached is None else self.cached
        prompt = prompt_tokens * ((1 - cached_share) * self.prompt + cached_share * cached)
        return (prompt + output_tokens * self.output) / 1e6


def month(way: Own | Rented, gpus: int) -> float:
    """What so many cards cost a month, used or not.

    Raises:
        ValueError: fewer than no cards, or a price below 0, or cards that are written off at once.
    """
    if gpus < 0 or any(value < 0 for value in vars(way).values()):
        raise ValueError(f"gpus={gpus}, {way}: nothing may be below 0")
    if isinstance(way, Rented):
        return way.fixed + gpus * HOURS * way.gpu_hour
    if way.years == 0:
        raise ValueError("years=0: a machine is used for more than no time")
    card = way.gpu_price / (12 * way.years) + HOURS * way.kilowatts * way.kilowatt_hour
    return way.fixed + gpus * card


def break_even(
    way: Own | Rented, gpus: int, rate: Number, price: Number, mean_of_peak: Number = 1.0, least: int = 1
) -> float | None:
    """The smallest mean requests a second at which cards cost no more than `price` a request; None if they never do.

    `gpus` is the number of cards of a replica, `rate` the requests a second that a replica may carry, `mean_of_peak`
    the mean load as a share of the peak, `least` the smallest number of replicas.

    n replicas cost `fixed + n · k` a month, and carry a mean of `n · rate · mean_of_peak`. They cost as much as
    (fixed + n · k) / price requests. The first n that carries so many is the answer.

    Raises:
        ValueError: a rate or a price that is not above 0, a share outside of (0, 1], or fewer than one replica.
    """
    if rate <= 0 or price <= 0 or not 0 < mean_of_peak <= 1 or least < 1 or gpus < 1:
        raise ValueError(f"rate={rate}, price={price}, mean_of_peak={mean_of_peak}, least={least}, gpus={gpus}: "
                         "above 0, a share of at most 1, and at least one replica")  # fmt: skip
    fixed, replica = month(way, 0), month(way, gpus) - month(way, 0)
    saved = rate * mean_of_peak * SECONDS * price  # what a replica that is used to its limit saves a month
    if saved <= replica:
        return None
    n = max(least, math.ceil(fixed / (saved - replica) - 1e-9))
    return (fixed + n * replica) / (SECONDS * price)
