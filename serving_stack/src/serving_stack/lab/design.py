"""The stack-design exercise in numbers: tables for its README, and the figure of the three ways to pay."""

import argparse
import math
from collections.abc import Callable

import numpy as np
from matplotlib.figure import Figure

from ..design.calculator import Replica
from ..design.cost import HOURS, break_even, month
from ..design.exercise import LEAST, UTILISATION, WORKLOADS, Row, answers, api_month, cheapest, price_of
from ..design.shapes import GPUS, MODELS
from . import style
from .markdown import table

PUBLISHED = 104.9  # tokens a second of Llama-2-7B in bfloat16 on an A100, batch 1: gpt-fast's README
BUDGET = 80e9  # bytes, for the table of context lengths


def design(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """{workload: {option: its numbers}}. Arithmetic only: the same on every machine."""
    return {"workloads": {w.name: {row.option.name: _plain(row) for row in answers(w)} for w in WORKLOADS}}


def _plain(row: Row) -> dict:
    if row.capacity is None:
        return {"why": row.why}
    found = vars(row.capacity)
    more = {name: getattr(row, name) for name in ("replicas", "cards", "rented", "own", "rented_from", "own_from")}
    return {**found, **more}


def whole(content: dict | None = None) -> str:
    """Every workload's table, for the terminal."""
    return "\n\n".join(f"{w.name}\n\n{capacities(w.name)}\n\n{costs(w.name)}" for w in WORKLOADS) + "\n"


def workload_of(name: str):
    return next(w for w in WORKLOADS if w.name == name)


def goals_table() -> str:
    """What is asked for."""
    rows = [("", "model", "tokens of the prompt, cached", "of the answer", "first token within", "gap within",
             "mean requests a second", "mean / peak")]  # fmt: skip
    for w in WORKLOADS:
        g = w.goal
        rows.append((w.name, w.model.name, f"{g.prompt_tokens:,}, {g.cached_share:.0%}", g.output_tokens,
                     f"{g.first_token:g} s", f"{1e3 * g.gap:g} ms", w.rate, w.mean_of_peak))  # fmt: skip
    return table(rows)


def capacities(name: str) -> str:
    """What one replica of each option does."""
    rows = [("a replica", "batch", "stopped by", "a step waits for", "gap, ms", "first token, s", "requests a second",
             "share of prompts")]  # fmt: skip
    for row in answers(workload_of(name)):
        c = row.capacity
        if c is None:
            rows.append((row.option.name, "", f"{row.why}", "", "", "", "", ""))
            continue
        rows.append((row.option.name, c.batch, c.limited_by, c.bound, f"{1e3 * c.gap:.1f}", f"{c.first_token:.3f}",
                     f"{c.requests:.2f}", f"{c.prefill_share:.0%}"))  # fmt: skip
    return table(rows)


def costs(name: str) -> str:
    """What each option costs a month, and from which load on it is cheaper than the API."""
    w = workload_of(name)
    rows = [("", "replicas", "rented, a month", "own, a month", "rented beats the API from", "own from")]
    for row in answers(w):
        if row.capacity is not None:
            rows.append((row.option.name, row.replicas, f"{row.rented:,.0f}", f"{row.own:,.0f}",
                         _from(row.rented_from), _from(row.own_from)))  # fmt: skip
    rows.append(("API by the token", "", f"{api_month(w):,.0f}", "", "", ""))
    return table(rows)


def _from(rate: float | None) -> str:
    return "never" if rate is None else f"{rate:.2f} requests/s"


def memory_table() -> str:
    """Bytes of weights and of cache, and how many contexts of 8,192 tokens fit beside the weights."""
    rows = [("model", "weights", "cache of a token", "contexts of 8,192 tokens on an 80 GB card")]
    for m in MODELS.values():
        count = math.floor(max(0, 0.9 * BUDGET - m.bytes_of_weights) / (8192 * m.cache_per_token))
        rows.append((m.name, f"{m.bytes_of_weights / 1e9:.1f} GB", f"{m.cache_per_token / 1024:.0f} KiB", count))
    return table(rows)


def published() -> str:
    """The bound beside a published measurement."""
    bound = 1 / Replica(MODELS["Llama-2-7B"], GPUS["A100 SXM 80GB"]).step(1, 0)[0]
    return (f"Llama-2-7B in bfloat16 on an A100: at most {bound:.0f} tokens a second for one stream. gpt-fast's README "
            f"has {PUBLISHED}, which is {PUBLISHED / bound:.0%} of it.")  # fmt: skip


def pick(name: str) -> str:
    """One line: the cheapest cards that keep the goal."""
    w, row = workload_of(name), cheapest(workload_of(name))
    thousand = 1e3 * row.rented / (w.rate * 3600 * HOURS)
    return (f"**The cheapest cards that keep the goal:** {row.option.name}, {row.replicas} replicas, "
            f"{row.rented:,.0f} a month ({thousand:.2f} for a thousand requests).")  # fmt: skip


def draw_costs(name: str = "chatbot", option: str = "H100") -> Figure:
    """A month's cost against the load: by the token, rented, own."""
    w = workload_of(name)
    row = next(r for r in answers(w) if r.option.name == option)
    usable = row.capacity.requests * UTILISATION * w.mean_of_peak  # mean requests a second of a replica
    own = break_even(row.option.own, 1, row.capacity.requests * UTILISATION, price_of(w), w.mean_of_peak, LEAST)
    rented = break_even(row.option.rented, 1, row.capacity.requests * UTILISATION, price_of(w), w.mean_of_peak, LEAST)
    rates = np.linspace(0, 4 * max(own, rented), 800)
    counts = [max(LEAST, math.ceil(rate / usable)) for rate in rates]
    claim = f"With these prices the API is the cheapest below {min(own, rented):.1f} requests a second"
    figure = style.figure(claim)
    ax = figure.subplots()
    lines = (
        ("API by the token", rates * 3600 * HOURS * price_of(w), style.BLUE),
        ("rented", [month(row.option.rented, n) for n in counts], style.VERMILION),
        ("own machines", [month(row.option.own, n) for n in counts], style.GREEN),
    )
    for text, values, color in lines:
        ax.plot(rates, np.array(values) / 1e3, color=color, lw=2)
        style.label(ax, rates[-1], values[-1] / 1e3, text, color)
    for rate, way, shift in ((rented, row.option.rented, (4, -14)), (own, row.option.own, (-14, 7))):
        point = rate, month(way, max(LEAST, math.ceil(rate / usable - 1e-9))) / 1e3
        ax.plot(*point, "o", color=style.BLACK, ms=5)
        ax.annotate(f"{rate:.1f}", point, shift, textcoords="offset points", ha="center")
    ax.set(xlabel="mean requests a second", ylabel="a month, thousands", xlim=(0, rates[-1]), ylim=(0, None))
    ax.set_title(f"{name} on {option} cards; example prices of design/exercise.py")
    return figure
