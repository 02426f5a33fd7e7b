"""The headline experiment: models that differ only in their position scheme read texts longer than in training."""

import argparse
import statistics
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from multiprocessing import get_context

import torch

from ..decay import aligned_score, decay_bound
from ..extend import RopeScaling, dynamic_ntk, linear, llama3, ntk_aware, yarn
from ..sinusoidal import frequencies, wavelengths
from .cli import seeds_of
from .corpus import Corpus, load_corpus
from .model import SCHEMES, Config, TinyLM
from .train import Training, loss_by_position, train

FACTORS = (1, 2, 4, 8)
BIN = 16  # positions that one point of the curves averages


@dataclass(frozen=True)
class Plan:
    """What is trained and measured. The default takes about two minutes on two cores."""

    trained_len: int = 64
    steps: int = 400
    seeds: tuple[int, ...] = (0, 1)
    data: str = "pydoc"
    device: str = "cpu"
    workers: int = 2
    characters: int = 16_384  # of validation text, the same for every length
    schemes: tuple[str, ...] = SCHEMES


QUICK = Plan(steps=20, seeds=(0,), characters=1024, workers=1)


def plan_of(options: argparse.Namespace) -> Plan:
    """The plan that the command line asks for."""
    plan = QUICK if options.quick else Plan()
    return replace(
        plan,
        seeds=tuple(seeds_of(options, len(plan.seeds))),
        data=options.data,
        device=options.device,
        workers=plan.workers if options.device == "cpu" else 1,
    )


def headline(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """Everything that the headline's figures and tables show."""
    return measure_all(plan_of(options), log)


def measure_all(plan: Plan, log: Callable[[str], None]) -> dict:
    """The headline's content for a plan."""
    load_corpus(plan.data)  # a missing text ends the run here, and not in a worker
    return {
        "seeds": list(plan.seeds),
        "trained_len": plan.trained_len,
        "steps": plan.steps,
        "characters": plan.characters,
        "bin": BIN,
        "extrapolation": extrapolation(plan, log),
        "decay": decay(),
        "spectrum": spectrum(),
    }


# ---------------------------------------------------------------- trained models


def extrapolation(plan: Plan, log: Callable[[str], None]) -> dict:
    """Losses of every method at 1, 2, 4 and 8 times the trained length: mean, standard deviation and values."""
    jobs = [(scheme, seed, plan) for seed in plan.seeds for scheme in plan.schemes]
    runs: dict[str, dict[int, dict]] = {}
    for done, (job, result) in enumerate(in_processes(train_and_measure, jobs, plan.workers), 1):
        scheme, seed, _ = job
        losses = "  ".join(f"{int(f) * plan.trained_len}: {v:.3f}" for f, v in result[scheme]["losses"].items())
        log(f"[{done:2}/{len(jobs)}] {scheme:10} seed {seed}   {losses}")
        for method, entry in result.items():
            runs.setdefault(method, {})[seed] = entry
    order = [*SCHEMES, *scalings(Config(1), 1)]
    return {method: summary([runs[method][s] for s in plan.seeds]) for method in sorted(runs, key=order.index)}


def train_and_measure(scheme: str, seed: int, plan: Plan) -> dict:
    """One model in one thread: the work of one process."""
    torch.set_num_threads(1)
    corpus = load_corpus(plan.data)
    config = Config(len(corpus.vocab), scheme, plan.trained_len)
    model = train(config, Training(plan.steps, seed=seed, device=plan.device), corpus)
    return measure(model, corpus, plan)


def measure(model: TinyLM, corpus: Corpus, plan: Plan) -> dict:
    """{method: {"losses": {factor: nats}, "curve": nats by position at the longest length}} of one trained model."""
    config = model.config
    factors = (1,) if config.scheme == "learned" else FACTORS  # a learned table has no row beyond its length
    result: dict = {}
    for factor in factors:
        methods: dict = {config.scheme: None}
        if config.scheme == "rope":
            methods |= scalings(config, factor)
        for method, scaling in methods.items():
            losses = loss_by_position(model, corpus, factor * plan.trained_len, plan.characters, scaling)
            entry = result.setdefault(method, {"losses": {}})
            entry["losses"][str(factor)] = losses.mean().item()
            entry["curve"] = losses.unflatten(0, (-1, BIN)).mean(1).tolist()
    return result


def scalings(config: Config, factor: int) -> dict[str, RopeScaling]:
    """The rotary frequencies of each scheme, for a text `factor` times as long as in training. No fine-tuning."""
    dim, base, trained_len, s = config.rotary_dim, config.base, config.trained_len, float(factor)
    return {
        "rope + interpolation": linear(dim, base, s),
        "rope + NTK-aware": ntk_aware(dim, base, s),
        "rope + dynamic NTK": dynamic_ntk(dim, base, s, trained_len, factor * trained_len),
        "rope + YaRN": yarn(dim, base, s, trained_len),
        "rope + Llama 3": llama3(dim, base, s, trained_len),
    }


def in_processes(function: Callable, jobs: Iterable[tuple], workers: int) -> Iterator[tuple[tuple, dict]]:
    """(job, result) in the order in which they finish. One worker means this process."""
    if workers <= 1:
        yield from ((job, function(*job)) for job in jobs)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        futures = {pool.submit(function, *job): job for job in jobs}
        yield from ((futures[f], f.result()) for f in as_completed(futures))


def summary(entries: list[dict]) -> dict:
    """Over seeds: the values, their mean and standard deviation (0 for one seed), and the mean curve."""
    values = {factor: [e["losses"][factor] for e in entries] for factor in entries[0]["losses"]}
    return {
        "values": values,
        "mean": {factor: statistics.mean(v) for factor, v in values.items()},
        "sd": {factor: statistics.stdev(v) if len(v) > 1 else 0.0 for factor, v in values.items()},
        "curve": [statistics.mean(points) for points in zip(*(e["curve"] for e in entries), strict=True)],
    }


# ---------------------------------------------------------------- closed forms


def decay(dim: int = 128, farthest: int = 256) -> dict:
    """The bound on the rotary score against distance for three bases. Su et al. 2021, figure 2, has the middle one."""
    distance = torch.arange(farthest + 1)
    bases = (10.0, 10_000.0, 1_000_000.0)
    return {
        "dim": dim,
        "bound": {f"{base:g}": decay_bound(distance, dim, base).tolist() for base in bases},
        "aligned": {f"{base:g}": aligned_score(distance, dim, base).tolist() for base in bases},
    }


def spectrum(dim: int = 128, base: float = 10_000.0, trained_len: int = 4096, factor: float = 8.0) -> dict:
    """Wavelength in tokens of every pair, before and after each scheme, for a head as wide as a real model's."""
    schemes = {
        "rope": RopeScaling(frequencies(dim, base)),
        "interpolation": linear(dim, base, factor),
        "NTK-aware": ntk_aware(dim, base, factor),
        "YaRN": yarn(dim, base, factor, trained_len),
        "Llama 3": llama3(dim, base, factor, trained_len),
    }
    waves = {name: wavelengths(scaling.frequencies).tolist() for name, scaling in schemes.items()}
    return {"dim": dim, "base": base, "trained_len": trained_len, "factor": factor, "wavelengths": waves}
