"""Speculative sampling on the small models: acceptance, tokens a pass of the target, and the time."""

import argparse
import time
from collections.abc import Callable

import torch

from ..sample import generate
from ..speculative import expected_tokens, speculative_generate
from ..transformer import Config, Transformer, train, windows
from ..warpers import SamplingParams
from .cli import seeds_of
from .small import NEW, PROMPT, small_models, tokens_of

GAMMAS = (1, 2, 4, 8)


def drafts(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """A transformer verifies what an n-gram model, a smaller transformer, and itself have drafted."""
    steps, count, prompts = (20, 8, 1) if options.quick else (300, 64, 3)
    gammas, seeds = (GAMMAS[:1] if options.quick else GAMMAS), seeds_of(options, 1 if options.quick else 3)
    small = small_models(options.data, steps, prompts, options.seed, log)
    words, seen, _ = tokens_of(options.data)
    tiny = Transformer(Config(len(words), PROMPT + NEW, layers=1, heads=2, width=48), options.seed)
    train(tiny, lambda g: windows(seen, 16, PROMPT + NEW, g), steps, lr=6e-3, seed=options.seed, log=log)
    target, content = small.transformer, {"seeds": seeds, "new tokens": count, "drafts": {}}
    params = SamplingParams()
    plain = [timed(lambda s=s: generate(target, small.human[:1, :PROMPT], count, params, s))[1] for s in seeds]
    content["plain seconds"] = [t / count for t in plain]
    for name, draft in (("3-gram", small.ngram), ("1 layer, width 48", tiny.eval()), ("the target itself", target)):
        for gamma in gammas:
            log(f"draft: {name}, {gamma} tokens")
            runs, seconds = [], []
            for seed in seeds:
                for prompt in small.human[:, :PROMPT]:
                    run, took = timed(
                        lambda d=draft, p=prompt, g=gamma, s=seed: speculative_generate(
                            target, d, p, count, g, params, s
                        )
                    )
                    runs.append(run)
                    seconds.append(took / (len(run.tokens) - PROMPT))
            acceptance = sum(r.acceptance for r in runs) / len(runs)
            content["drafts"].setdefault(name, {})[str(gamma)] = {
                "acceptance": acceptance,
                "tokens a pass": [r.tokens_per_pass for r in runs],
                "expected": expected_tokens(acceptance, gamma),
                "seconds a token": seconds,
            }
    return content


@torch.no_grad()
def timed(call: Callable):
    """(result, CPU seconds)."""
    start = time.process_time()
    return call(), time.process_time() - start
