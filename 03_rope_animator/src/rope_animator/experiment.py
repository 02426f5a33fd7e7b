"""The headline experiment: models that differ in the position scheme only, trained at one length, read at longer ones.

Everything here returns plain numbers; `plots` and `tables` turn them into figures and text.
"""

import statistics
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context

import torch

from . import text
from .decay import aligned_score, decay_bound
from .extend import Scaled, dynamic_ntk, linear, llama3, ntk_aware, yarn
from .model import SCHEMES, Config, TinyLM
from .sinusoidal import frequencies, wavelengths
from .train import Training, loss_by_position, train

FACTORS = (1, 2, 4, 8)
BIN = 16  # positions averaged in the curves of loss against position


@dataclass(frozen=True)
class Plan:
    """What is trained and measured. The default takes about two minutes on two cores."""

    length: int = 64
    steps: int = 400
    seeds: tuple[int, ...] = (0, 1)
    data: str = "pydoc"
    device: str = "cpu"
    workers: int = 2
    characters: int = 16_384  # of validation text, the same for every length
    schemes: tuple[str, ...] = SCHEMES


QUICK = Plan(steps=20, seeds=(0,), characters=1024)


def stretched(config: Config, factor: int) -> dict[str, Scaled]:
    """The rotary frequencies for a text `factor` times as long as in training, by each scheme, without fine-tuning."""
    dim, base, trained, s = config.turned, config.base, config.length, float(factor)
    return {
        "rope + interpolation": linear(dim, base, s),
        "rope + NTK-aware": ntk_aware(dim, base, s),
        "rope + dynamic NTK": dynamic_ntk(dim, base, s, trained, factor * trained),
        "rope + YaRN": yarn(dim, base, s, trained),
        "rope + Llama 3": llama3(dim, base, s, trained),
    }


def measure(model: TinyLM, corpus: text.Corpus, plan: Plan) -> dict:
    """{method: {"losses": {factor: nats}, "curve": nats by position at the longest length}} of one trained model."""
    config = model.config
    found: dict = {}
    for factor in FACTORS if config.scheme != "learned" else (1,):  # beyond its table there is no row to add
        variants = {config.scheme: None} | (stretched(config, factor) if config.scheme == "rope" else {})
        for method, scaled in variants.items():
            losses = loss_by_position(model, corpus, factor * plan.length, plan.characters, scaled)
            entry = found.setdefault(method, {"losses": {}})
            entry["losses"][str(factor)] = losses.mean().item()
            entry["curve"] = losses.unflatten(0, (-1, BIN)).mean(1).tolist()
    return found


def train_and_measure(scheme: str, seed: int, plan: Plan) -> dict:
    """One model in one thread: what a worker does."""
    torch.set_num_threads(1)
    corpus = text.load(plan.data)
    config = Config(len(corpus.vocabulary), scheme, plan.length)
    return measure(train(config, Training(plan.steps, seed=seed, device=plan.device), corpus), corpus, plan)


def in_processes(function: Callable, jobs: Iterable[tuple], workers: int) -> Iterator[tuple[tuple, dict]]:
    """(job, result) as they are finished; in this process if there is one worker."""
    if workers <= 1:
        yield from ((job, function(*job)) for job in jobs)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        futures = {pool.submit(function, *job): job for job in jobs}
        yield from ((futures[f], f.result()) for f in as_completed(futures))


def extrapolation(plan: Plan, say: Callable[[str], None] = print) -> dict:
    """Losses of every method at 1, 2, 4 and 8 times the trained length: mean, standard deviation and values."""
    jobs = [(scheme, seed, plan) for seed in plan.seeds for scheme in plan.schemes]
    runs: dict[str, dict[int, dict]] = {}
    for done, ((scheme, seed, _), found) in enumerate(in_processes(train_and_measure, jobs, plan.workers), 1):
        first = found[scheme]["losses"]
        losses = "  ".join(f"{int(f) * plan.length}: {loss:.3f}" for f, loss in first.items())
        say(f"[{done:2}/{len(jobs)}] {scheme:10} seed {seed}   {losses}")
        for method, entry in found.items():
            runs.setdefault(method, {})[seed] = entry
    return {method: summary([runs[method][s] for s in plan.seeds]) for method in in_order(runs)}


def in_order(methods: Iterable[str]) -> list[str]:
    """Base schemes in their order, the stretched rotary ones behind."""
    order = [*SCHEMES, *stretched(Config(1), 1)]
    return sorted(methods, key=order.index)


def summary(entries: list[dict]) -> dict:
    """Over seeds: the values, their mean and standard deviation (0 for a single seed), and the mean curve."""
    factors = entries[0]["losses"]
    values = {f: [e["losses"][f] for e in entries] for f in factors}
    return {
        "values": values,
        "mean": {f: statistics.mean(v) for f, v in values.items()},
        "sd": {f: statistics.stdev(v) if len(v) > 1 else 0.0 for f, v in values.items()},
        "curve": [statistics.mean(points) for points in zip(*(e["curve"] for e in entries), strict=True)],
    }


def decay(dim: int = 128, farthest: int = 256) -> dict:
    """The bound on the rotary score against distance, for three bases; Su et al. 2021, figure 2, has the middle one."""
    distance = torch.arange(farthest + 1)
    bases = (10.0, 10_000.0, 1_000_000.0)
    return {
        "dim": dim,
        "bound": {f"{base:g}": decay_bound(distance, dim, base).tolist() for base in bases},
        "aligned": {f"{base:g}": aligned_score(distance, dim, base).tolist() for base in bases},
    }


def spectrum(dim: int = 128, base: float = 10_000.0, trained: int = 4096, factor: float = 8.0) -> dict:
    """Wavelength in tokens of every pair, plain and stretched, for a head of a real model's size."""
    schemes = {
        "rope": Scaled(frequencies(dim, base)),
        "interpolation": linear(dim, base, factor),
        "NTK-aware": ntk_aware(dim, base, factor),
        "YaRN": yarn(dim, base, factor, trained),
        "Llama 3": llama3(dim, base, factor, trained),
    }
    waves = {name: wavelengths(scaled.frequencies).tolist() for name, scaled in schemes.items()}
    return {"dim": dim, "base": base, "trained": trained, "factor": factor, "wavelengths": waves}


def headline(plan: Plan, say: Callable[[str], None] = print) -> dict:
    """All that the figures and the table of the README are drawn from."""
    return {
        "length": plan.length,
        "steps": plan.steps,
        "data": plan.data,
        "characters": plan.characters,
        "bin": BIN,
        "extrapolation": extrapolation(plan, say),
        "decay": decay(),
        "spectrum": spectrum(),
    }
