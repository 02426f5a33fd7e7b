"""Speculative sampling on the small models and on the real one: acceptance, tokens a pass of the target, the time."""

import argparse
import time
from collections.abc import Callable
from functools import partial

import torch

from ..ngram import NGram
from ..sample import generate
from ..smollm2 import read_smollm2
from ..speculative import expected_tokens, speculative_generate
from ..transformer import Config, Transformer, train, windows
from ..warpers import SamplingParams
from . import fetch
from .cli import seeds_of
from .small import NEW, PROMPT, small_models, tokens_of, unseen_texts

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


def smollm2_drafts(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """The real model verifies what an n-gram model has drafted, which was counted on other pages of the same text."""
    count, prompts = (4, 1) if options.quick else (48, 3)
    gammas, seeds = (GAMMAS[:1] if options.quick else GAMMAS[:3]), seeds_of(options, 1 if options.quick else 2)
    log("reading the model")
    target, tokenizer = read_smollm2(fetch.model(options.model or "smollm2", log))
    text = fetch.load_text(options.data)
    ids = torch.tensor(tokenizer.encode(text[: 20_000 if options.quick else 400_000]))
    cut = len(ids) * 9 // 10
    log("counting n-grams")
    ngram = NGram(ids[:cut].tolist(), target.vocab_size, order=3)
    starts = [unseen[:PROMPT] for unseen in unseen_texts(ids[cut:], prompts, PROMPT)]
    content = {"seeds": seeds, "new tokens": count, "counted": cut, "rules": {}}
    for rule, params in (("pure", SamplingParams()), ("T 0.7", SamplingParams(temperature=0.7))):
        log(f"{rule}, without drafts")
        plain = [timed(partial(generate, target, p[None], count, params, s))[1] for s in seeds for p in starts]
        found = {"plain seconds": [t / count for t in plain], "gammas": {}}
        for gamma in gammas:
            log(f"{rule}, {gamma} drafts")
            each = [timed(partial(speculative_generate, target, ngram, p, count, gamma, params, s))
                    for s in seeds for p in starts]  # fmt: skip
            acceptance = sum(run.acceptance for run, _ in each) / len(each)
            found["gammas"][str(gamma)] = {
                "acceptance": acceptance,
                "tokens a pass": [run.tokens_per_pass for run, _ in each],
                "expected": expected_tokens(acceptance, gamma),
                "seconds a token": [took / (len(run.tokens) - PROMPT) for run, took in each],
            }
        content["rules"][rule] = found
    return content


@torch.no_grad()
def timed(call: Callable):
    """(result, CPU seconds)."""
    start = time.process_time()
    return call(), time.process_time() - start
