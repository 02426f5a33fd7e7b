"""Three services, what their users feel, and what could carry them. Every figure here is an input: change it.

Rates, lengths and prices are examples. They are no statement about any service, card or provider.
"""

from dataclasses import dataclass, replace

from .calculator import Capacity, Goal, Replica, capacity, replicas_for
from .cost import Own, Prices, Rented, break_even, month
from .shapes import GPUS, MODELS, ModelShape, Number

# Shares of the makers' figures. 0.69 of an A100's bandwidth is what gpt-fast's README implies for Llama-2-7B (104.9
# tokens a second in bfloat16); the share of compute is an assumption.
BANDWIDTH_SHARE, COMPUTE_SHARE = 0.69, 0.45
UTILISATION = 0.7  # of a replica at the peak
LEAST = 2  # replicas, so that one may fail


@dataclass(frozen=True)
class Workload:
    """A service: its model, its goal, and its load as mean requests a second."""

    name: str
    model: ModelShape
    goal: Goal
    rate: Number
    mean_of_peak: Number
    api: Prices  # per million tokens


@dataclass(frozen=True)
class Option:
    """Cards that could carry a workload, with an example of their prices."""

    name: str
    card: str
    gpus: int
    weight_bytes: Number
    rented: Rented
    own: Own


WORKLOADS = (
    Workload("chatbot", MODELS["Llama-3.1-8B"], Goal(1500, 300, 0.5, 0.05, 0.6), 10, 0.35, Prices(0.20, 0.60, 0.10)),
    Workload("summarisation", MODELS["Llama-3.1-8B"], Goal(12_000, 400, 10, 0.25), 0.5, 0.8, Prices(0.20, 0.60)),
    Workload("code completion", MODELS["Qwen2.5-1.5B"], Goal(2000, 30, 0.15, 0.01, 0.8), 20, 0.3,
             Prices(0.10, 0.30, 0.05)),
)  # fmt: skip

PEOPLE = 6000.0  # a month: a share of somebody who is called at night
OPTIONS = (
    Option("H100", "H100 SXM", 1, 2, Rented(2.5, PEOPLE / 2), Own(35_000, 4, 1.2, 0.20, PEOPLE)),
    Option("A100", "A100 SXM 80GB", 1, 2, Rented(1.5, PEOPLE / 2), Own(20_000, 4, 0.8, 0.20, PEOPLE)),
    Option("L4", "L4", 1, 2, Rented(0.6, PEOPLE / 2), Own(4_000, 4, 0.15, 0.20, PEOPLE)),
    Option("L4, weights in 8 bits", "L4", 1, 1, Rented(0.6, PEOPLE / 2), Own(4_000, 4, 0.15, 0.20, PEOPLE)),
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """An option for a workload. Costs are of a month."""

    option: Option
    capacity: Capacity | None  # None: `why` says what is missed
    why: str
    replicas: int = 0
    cards: int = 0
    rented: float = 0.0
    own: float = 0.0
    rented_from: float | None = None  # mean requests a second from which it is cheaper than the API
    own_from: float | None = None


def replica_of(workload: Workload, option: Option) -> Replica:
    model = replace(workload.model, weight_bytes=option.weight_bytes)
    return Replica(model, GPUS[option.card], option.gpus, BANDWIDTH_SHARE, COMPUTE_SHARE)


def api_month(workload: Workload) -> float:
    """What the API costs a month."""
    return workload.rate * 3600 * 730 * price_of(workload)


def price_of(workload: Workload) -> float:
    """What the API costs a request."""
    goal = workload.goal
    return workload.api.request(goal.prompt_tokens, goal.output_tokens, goal.cached_share)


def answer(workload: Workload, option: Option) -> Row:
    """What the option carries, how many are needed, and what they cost."""
    try:
        found = capacity(replica_of(workload, option), workload.goal)
    except ValueError as error:
        return Row(option, None, str(error).partition(";")[0])
    count = replicas_for(workload.rate / workload.mean_of_peak, found, UTILISATION, LEAST)
    cards = count * option.gpus
    usable, price = found.requests * UTILISATION, price_of(workload)
    even = [
        break_even(way, option.gpus, usable, price, workload.mean_of_peak, LEAST) for way in (option.rented, option.own)
    ]
    return Row(option, found, "", count, cards, month(option.rented, cards), month(option.own, cards), *even)


def answers(workload: Workload) -> list[Row]:
    """Every option, in the order of OPTIONS."""
    return [answer(workload, option) for option in OPTIONS]


def cheapest(workload: Workload) -> Row:
    """The option with the smallest rent among those that keep the goal.

    Raises:
        ValueError: none does.
    """
    able = [row for row in answers(workload) if row.capacity is not None]
    if not able:
        raise ValueError(f"{workload.name}: no option keeps the goal; add one with more cards")
    return min(able, key=lambda row: row.rented)
