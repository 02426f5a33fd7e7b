"""The headline: counts, our GPT over five seeds, each modernisation removed, a kill and a resume, samples."""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch.nn import functional as F

from ..data import Pairs
from ..ladder.ngram_fast import FastKneserNey
from ..model import ModernConfig, ModernGPT, gallery, modernisations
from ..training import Config, Trainer, evaluate
from . import kill
from .cli import seeds_of
from .corpus import Corpus, corpus

Log = Callable[[str], None]
STEPS, LR = 350, 5e-3
ABLATION_STEPS, ABLATION_SEEDS = 120, 2
ORDER = 7
ESTIMATES = 20  # batches of nanoGPT's estimate of a loss
PROMPT = "\n"


def headline(options: argparse.Namespace, log: Log) -> dict:
    """All five parts. The kill and resume comes first: nothing else counts if it fails.

    Raises:
        ValueError: a resumed run did not end with the same bits.
    """
    log("a run that is killed and resumed")
    resumed = kill.in_a_process_of_its_own(["between two micro-batches", "while the checkpoint is written"])
    if resumed["different"]:
        raise ValueError(f"killed {resumed['different']}: the resumed run ended with other bits")
    text = corpus(options.data, options.quick)
    seeds = seeds_of(options, 1 if options.quick else 5)
    steps = 6 if options.quick else STEPS
    found = {"seeds": seeds, "steps": steps, "vocab_size": text.vocab_size, "characters": len(text.tokens),
             "killed": resumed, "counts": count(text, ORDER if text.vocab_size**ORDER < 1 << 62 else 6)}  # fmt: skip
    runs, model = [], None
    for seed in seeds:
        log(f"GPT, seed {seed}")
        config = config_of(text, seed, steps, **small(options))
        model, run = train(text, seed, steps, config, 1 if options.quick else ESTIMATES)
        runs.append(run)
    found["gpt"] = {name: [run[name] for run in runs] for name in ("loss", "peer_loss", "cpu_s")}
    found["parameters"] = sum(p.numel() for p in model.parameters())
    found["curve"] = runs[0]["curve"]
    found["removed"] = removed(text, options, log)
    prompt = torch.tensor(text.tokenizer.encode(PROMPT))
    texts = gallery(model, prompt, 8 if options.quick else 160)
    return found | {"samples": {name: text.tokenizer.decode(tokens) for name, tokens in texts.items()}}


def count(text: Corpus, order: int) -> dict:
    """The loss of counts alone on the validation windows, and what they cost."""
    start = time.process_time()
    table = FastKneserNey(text.train_tokens.numpy(), order, text.vocab_size)
    fitted = time.process_time() - start
    p = table.probabilities(*(t.numpy() for t in text.valid))
    return {"order": order, "loss": float(-np.log(p).mean()), "cpu_s": fitted}


def small(options: argparse.Namespace) -> dict[str, int]:
    """The width of a quick run's models."""
    return {"n_embd": 32} if options.quick else {}


def config_of(text: Corpus, seed: int, steps: int, **model) -> Config:
    made = ModernConfig(vocab_size=text.vocab_size, compute_dtype="bfloat16", **model)
    return Config(steps=steps, lr=LR, seed=seed, model=made)


def train(text: Corpus, seed: int, steps: int, config: Config, estimates: int = ESTIMATES) -> tuple[ModernGPT, dict]:
    """The trained model, its losses, its CPU seconds (evaluation not counted), its training curve."""
    torch.manual_seed(seed)
    model = ModernGPT(config.model)
    trainer = Trainer(model, Pairs(*text.train), config)
    start = time.process_time()
    history = trainer.fit()
    cpu = time.process_time() - start
    every = max(1, steps // 35)
    curve = [[h["step"], h["loss"]] for h in history if h["step"] % every == 0]
    loss, peer_loss = evaluate(model, *text.valid, batch_size=64), nanogpt_loss(model, text, estimates)
    return model, {"loss": loss, "peer_loss": peer_loss, "cpu_s": cpu, "curve": curve}


def nanogpt_loss(model: torch.nn.Module, text: Corpus, batches: int = ESTIMATES, rows: int = 32) -> float:
    """The loss as nanoGPT estimates it: 20 batches of 32 random windows of 64 tokens, here with a fixed seed."""
    data, T, generator = text.valid_tokens, 64, torch.Generator().manual_seed(7)
    losses = []
    with torch.no_grad():
        for _ in range(batches):
            first = torch.randint(len(data) - T - 1, (rows,), generator=generator)[:, None] + torch.arange(T)
            losses.append(F.cross_entropy(model(data[first]).flatten(0, 1), data[first + 1].flatten()).item())
    return sum(losses) / batches


def removed(text: Corpus, options: argparse.Namespace, log: Log) -> dict[str, dict]:
    """Each modernisation taken out alone, at equal steps and with equal seeds: losses and CPU seconds a step."""
    steps, seeds, estimates = (2, 1, 1) if options.quick else (ABLATION_STEPS, ABLATION_SEEDS, ESTIMATES)
    variants = {"nothing": {}} | modernisations()
    found = {name: {"loss": [], "ms": []} for name in [*variants, "Muon for AdamW"]}
    for seed in range(options.seed, options.seed + seeds):
        for name in found:
            log(f"without {name}, seed {seed}")
            config = config_of(text, seed, steps, **small(options), **variants.get(name, {}))
            if name == "Muon for AdamW":
                config = replace(config, optimizer="adamw")
            _, run = train(text, seed, steps, config, estimates)
            found[name]["loss"].append(run["loss"])
            found[name]["ms"].append(1000 * run["cpu_s"] / steps)
    return found
