"""The headline: five objectives at equal compute, and the leak ladder.

The fast forms are compared with the plain ones before anything is trained.
"""

import argparse
from collections.abc import Callable

import numpy as np
import torch

from ..arena import OBJECTIVES, random_windows, train
from ..model import Config, Transformer
from ..spans import random_spans, span_corruption
from ..spans_fast import corrupt_batch, draw_uniforms
from .cli import seeds_of
from .corpus import Corpus, load
from .ladder import STEPS as LADDER_STEPS
from .ladder import ladder
from .questions import HIDDEN, LENGTH, answer, probe, windows_of

Log = Callable[[str], None]
STEPS, BATCH = 500, 32
QUESTIONS, QUICK_QUESTIONS = 1024, 128
UNTRAINED, FEWER = "untrained", "causal, as many labels as masked"
RAFFEL = {  # table 2 of Raffel et al. 2020: GLUE, CNN/DM, SQuAD, SuperGLUE, EnDe
    "encoder-decoder, denoising": (83.28, 19.24, 80.88, 71.36, 26.98),
    "prefix LM, denoising": (81.82, 18.61, 78.94, 68.11, 26.43),
    "causal, denoising": (74.70, 17.93, 61.14, 55.02, 25.09),
    "encoder-decoder, language model": (79.56, 18.59, 76.02, 64.29, 26.27),
}


def headline(options: argparse.Namespace, log: Log) -> dict:
    """Both parts; about two minutes on one core."""
    check_fast_form()
    seeds = seeds_of(options, 1 if options.quick else 3)
    corpus = load(options.data)
    steps, questions = (10, QUICK_QUESTIONS) if options.quick else (STEPS, QUESTIONS)
    found = arena(corpus, seeds, steps, log, questions)
    return {"seeds": seeds, **found, "ladder": ladder(corpus, seeds, 10 if options.quick else LADDER_STEPS, log)}


def check_fast_form() -> None:
    """Raises ValueError where a batch without loops is not what the plain form makes."""
    rng = np.random.default_rng(0)
    ids, (visible, hidden) = rng.integers(0, 90, (3, 60)), draw_uniforms(rng, 3, 60)
    got = corrupt_batch(ids, 121, 97, (visible, hidden))
    for b in range(3):
        uniforms = torch.zeros(2, 60)
        uniforms[0, : visible.shape[1]] = torch.from_numpy(visible[b])
        uniforms[1, : hidden.shape[1]] = torch.from_numpy(hidden[b])
        want = span_corruption(torch.from_numpy(ids[b]), random_spans(60, 0.15, 3.0, uniforms), 121, 97)
        if any(mine[b].tolist() != theirs.tolist() for mine, theirs in zip(got, want, strict=True)):
            raise ValueError("spans_fast and spans disagree: they must be equal before anything is trained")


def arena(corpus: Corpus, seeds: list[int], steps: int, log: Log, questions: int = QUESTIONS) -> dict:
    """Every objective, every seed: next-token loss, infill accuracy, probe accuracy. Lists have one entry a seed."""
    config = Config(corpus.special.vocab_size)
    share = {name: share_of_labels(objective, corpus, config) for name, objective in OBJECTIVES.items()}
    few = max(1, round(steps * share["masked"] / share["causal"]))
    contenders = {name: (name, steps) for name in OBJECTIVES} | {FEWER: ("causal", few), UNTRAINED: ("masked", 0)}
    scores = {}
    for name, (form, n) in contenders.items():
        rows = {"next": [], "infill": [], "probe": [], "steps": n, "labels": share[form] * n * BATCH * config.max_len}
        for seed in seeds:
            log(f"arena: {name}, seed {seed}")
            model, _ = train(OBJECTIVES[form], corpus.text, corpus.special, config, n, BATCH, seed=seed)
            windows, _ = windows_of(corpus, questions, seed=10_000 + seed)
            start = (LENGTH - HIDDEN) // 2
            rows["next"].append(answer(model, form, windows, LENGTH - 1, LENGTH)[0])
            rows["infill"].append(answer(model, form, windows, start, start + HIDDEN)[1])
            rows["probe"].append(probe(model, form, corpus, questions, seed=20_000 + seed))
        scores[name] = rows
    flops = 3 * Transformer(config).flops(config.max_len) * BATCH * steps  # the backward pass takes twice the forward
    return {
        "steps": steps,
        "batch": BATCH,
        "characters": len(corpus.characters),
        "share": share,
        "parameters": sum(p.numel() for p in Transformer(config).parameters()),
        "flops": flops,
        "tokens": BATCH * config.max_len * steps,
        "scores": scores,
    }


def share_of_labels(objective: Callable, corpus: Corpus, config: Config) -> float:
    """The share of positions that the loss is taken of."""
    generator = torch.Generator().manual_seed(0)
    windows = random_windows(corpus.text, 64, config.max_len, generator)
    return (objective(windows, corpus.special, generator).labels != -100).double().mean().item()
