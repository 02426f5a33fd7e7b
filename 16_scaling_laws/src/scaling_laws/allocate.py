"""Given a budget: how large a model, on how many tokens, for how many GPU-hours and how much money.

Dimensions:
    C   FLOPs            N   parameters            D   tokens
"""

from dataclasses import dataclass

from .chinchilla import ChinchillaLaw

Number = int | float
GOPHER = 5.76e23  # FLOPs: the budget for which Hoffmann et al. trained Chinchilla, 70e9 parameters on 1.4e12 tokens


def optimal_allocation(law: ChinchillaLaw, flops: Number) -> tuple[float, float]:
    """The (N, D) of lowest predicted loss with 6ND = flops, in closed form (Hoffmann et al. 2022, equation 4).

    Raises:
        ValueError: the budget is not positive.
    """
    if flops <= 0:
        raise ValueError(f"flops={flops}: a budget is positive; give the FLOPs of the whole training")
    both = law.alpha + law.beta
    scale = (law.alpha * law.A / (law.beta * law.B)) ** (1 / both)
    n = scale * (flops / 6) ** (law.beta / both)
    return n, flops / (6 * n)


def size_exponent(law: ChinchillaLaw) -> float:
    """The a of N = k C^a: beta / (alpha + beta). One half means that model and data grow alike."""
    return law.beta / (law.alpha + law.beta)


def tokens_for_loss(law: ChinchillaLaw, n: Number, loss: Number) -> float:
    """The tokens with which a model of size n reaches a loss.

    Raises:
        ValueError: no amount of data is enough.
    """
    left = loss - law.E - law.A * n**-law.alpha
    if left <= 0:
        raise ValueError(f"loss={loss}: a model of {n:g} parameters stays above it; take a larger model")
    return (law.B / left) ** (1 / law.beta)


@dataclass(frozen=True)
class Card:
    """A GPU for hire. Prices change by the week: put in your own."""

    name: str
    peak_flops: float  # dense, in 16 bits
    utilization: float  # the share of the peak that training reaches (MFU)
    dollars_per_hour: float


H100 = Card("H100 SXM", 989e12, 0.4, 2.5)
A100 = Card("A100 80 GB", 312e12, 0.45, 1.5)


def gpu_hours(flops: Number, card: Card) -> float:
    """Hours of one card; so many cards for so many hours cost the same."""
    return flops / (card.peak_flops * card.utilization) / 3600


def dollars(flops: Number, card: Card) -> float:
    """What the run costs at the card's price."""
    return gpu_hours(flops, card) * card.dollars_per_hour
