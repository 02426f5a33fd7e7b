"""Holtzman's table on a real model: `--model smollm2`. The paper's numbers, of GPT-2 large, stand beside."""

import argparse
from collections.abc import Callable

import torch

from ..smollm2 import read_smollm2
from ..strip import measure
from ..warpers import SamplingParams
from . import fetch
from .experiment import rounded
from .rules import RULES, measured, write, write_beam
from .small import unseen_texts

PROMPT, NEW, ROWS = 32, 100, 12
# Holtzman et al. 2020, table 1: perplexity, and repetition in percent (of whole texts that fall into a loop)
PAPER = {
    "human": (12.38, 0.28),
    "greedy": (1.50, 73.66),
    "beam 16": (1.48, 28.94),
    "pure": (22.73, 0.22),
    "top-k 40": (6.88, 0.78),
    "top-k 640": (13.82, None),
    "top-p 0.95": (13.13, 0.36),
}
LEFT_OUT = ("T 0.5", "typical 0.95", "T 2")
BESIDE = {"beam 4": ("beam 16", None), "top-k 40": ("top-k 640", SamplingParams(top_k=640))}
STRIPS = ("human", "greedy", "top-p 0.95", "T 1.5 + top-p 0.9", "T 1.5 + min-p 0.1")


def rules() -> dict[str, SamplingParams | None]:
    """Those of the small models but a few, and the paper's own settings beside their neighbours."""
    found = {}
    for rule, params in RULES.items():
        if rule not in LEFT_OUT:
            found[rule] = params
        if rule in BESIDE:
            name, setting = BESIDE[rule]
            found[name] = setting
    return found


def holtzman(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """Perplexity, entropy, repetition and distinct tokens of SmolLM2's texts, by rule, beside human text."""
    log("reading the model")
    model, tokenizer = read_smollm2(fetch.model(options.model or "smollm2", log))
    rows, count = (1, 4) if options.quick else (ROWS, NEW)
    text = fetch.load_text(options.data)
    ids = torch.tensor(tokenizer.encode(text[:400_000] if not options.quick else text[:4_000]))
    human = unseen_texts(ids, rows, PROMPT + count)
    prompts = human[:, :PROMPT]
    log("human text")
    texts = {"human": write(model, prompts, count, None, forced=human[:, PROMPT:])}
    for rule, params in rules().items():
        if rule.startswith("beam "):
            texts[rule] = write_beam(model, prompts, count, log, int(rule.removeprefix("beam ")))
        else:
            step_log = lambda line, rule=rule: log(f"{rule}: {line}")  # noqa: E731
            texts[rule] = write(model, prompts, count, params, options.seed, log=step_log)
    content = {"seeds": [options.seed], "rows": rows, "prompt": PROMPT, "new tokens": count}
    content["rules"] = {rule: measured(written) for rule, written in texts.items()}
    content["gallery"] = {rule: tokenizer.decode(w.tokens[0].tolist()) for rule, w in texts.items()}
    content["strips"] = {}
    for rule in STRIPS:
        shown = torch.cat((prompts[0], texts[rule].tokens[0])).tolist()[: PROMPT + 64]
        surprisals, entropies = measure(model, shown)
        pieces = tokenizer.pieces(shown)
        content["strips"][rule] = {
            "pieces": pieces,
            "surprisals": rounded(surprisals),
            "entropies": rounded(entropies),
        }
    return content
