"""The headline: two small models, every rule, and what each does to the text."""

import argparse
from collections.abc import Callable
from statistics import median

import torch

from ..sample import sample
from ..strip import measure
from ..warpers import min_p, temperature, top_p, warp
from .cli import seeds_of
from .rules import RULES, measured, write, write_beam
from .small import PROMPT, small_models

STRIPS = ("human", "greedy", "top-p 0.95", "T 1.5")
TAIL, HEAD_TOKENS, TAIL_TOKENS, DRAWS = 0.02, 5, 500, 20_000


def headline(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """Perplexity, entropy, repetition and distinct tokens for each model, rule and seed; strips; the known tail.

    Raises:
        ValueError: a cut does not keep what it must.
    """
    seeds = seeds_of(options, 1 if options.quick else 3)
    steps, rows, count = (20, 2, 12) if options.quick else (400, 16, 96)
    check_cuts()
    small = small_models(options.data, steps, rows, options.seed, log)
    prompts, human = small.human[:, :PROMPT], small.human[:, PROMPT : PROMPT + count]
    content = {"seeds": seeds, "rows": rows, "new tokens": count, "models": {}}
    for name, model in (("transformer", small.transformer), ("3-gram", small.ngram)):
        found = {"human": [measured(write(model, prompts, count, None, forced=human))]}
        for rule, params in RULES.items():
            log(f"{name}: {rule}")
            if rule == "beam 4":
                found[rule] = [measured(write_beam(model, prompts, count, lambda line: None))]
            else:
                times = seeds if params else seeds[:1]
                found[rule] = [measured(write(model, prompts, count, params, seed)) for seed in times]
        content["models"][name] = found
    content["strips"], content["gallery"] = strips(small, seeds[0], count)
    content["nuclei"] = nuclei(small, rows)
    content["tail"] = tail(seeds)
    return content


def check_cuts() -> None:
    """The example of the README, before anything is measured."""
    logits = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log()
    kept = [int((cut > -torch.inf).sum()) for cut in (top_p(logits, 0.6), min_p(logits, 0.2))]
    if kept != [2, 3]:
        raise ValueError(f"kept={kept}: top-p 0.6 must keep 2 tokens and min-p 0.2 must keep 3")


def strips(small, seed: int, count: int) -> tuple[dict, dict]:
    """One unseen text and its continuations, token by token, for STRIPS; and the texts of every rule."""
    row = small.human[:1]
    prompt, found, gallery = row[:, :PROMPT], {}, {}
    for rule in ("human", *RULES):
        if rule == "beam 4":
            continue
        if rule == "human":
            new = row[:, PROMPT : PROMPT + count]
        else:
            new = write(small.transformer, prompt, count, RULES[rule], seed).tokens
        ids = torch.cat((prompt, new), dim=1)[0].tolist()
        gallery[rule] = small.words.decode(ids[PROMPT:])
        if rule in STRIPS:
            surprisals, entropies = measure(small.transformer, ids)
            pieces = small.words.pieces(ids)
            found[rule] = {"pieces": pieces, "surprisals": rounded(surprisals), "entropies": rounded(entropies)}
    return found, gallery


def nuclei(small, rows: int) -> dict[str, list[float]]:
    """Median number of tokens kept on the unseen texts, by temperature: top-p 0.9 and min-p 0.1."""
    with torch.no_grad():
        logits = small.transformer(small.human)[:, :-1].flatten(0, 1)
    found = {"temperatures": [0.5, 0.7, 1.0, 1.5, 2.0, 3.0], "top-p 0.9": [], "min-p 0.1": []}
    for value in found["temperatures"]:
        warm = temperature(logits, value)
        found["top-p 0.9"].append(float((top_p(warm, 0.9) > -torch.inf).sum(-1).median()))
        found["min-p 0.1"].append(float((min_p(warm, 0.1) > -torch.inf).sum(-1).median()))
    return found


def tail(seeds: list[int]) -> dict:
    """A made-up model whose tail weighs TAIL: tail tokens in DRAWS draws, expected and drawn, by rule."""
    head = torch.full((HEAD_TOKENS,), (1 - TAIL) / HEAD_TOKENS).log()
    logits = torch.cat((head, torch.full((TAIL_TOKENS,), TAIL / TAIL_TOKENS).log()))[None]
    tokens = torch.zeros(1, 1, dtype=torch.long)
    found = {}
    for rule in ("pure", "top-p 0.95", "min-p 0.1", "T 1.5", "T 1.5 + top-p 0.9", "T 1.5 + min-p 0.1"):
        cut = warp(logits, tokens, RULES[rule])
        mass = float(cut.double().softmax(-1)[0, HEAD_TOKENS:].sum())
        drawn = []
        for seed in seeds:
            uniforms = torch.rand(DRAWS, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
            drawn.append(int((sample(cut.expand(DRAWS, -1), uniforms) >= HEAD_TOKENS).sum()))
        found[rule] = {"expected": mass * DRAWS, "drawn": drawn}
    return {"mass": TAIL, "draws": DRAWS, "rules": found}


def rounded(numbers: list[float]) -> list[float]:
    return [round(x, 2) for x in numbers]


def middle(runs: list[dict], name: str) -> float:
    """The median of one measure over the seeds."""
    return median(run[name] for run in runs)
