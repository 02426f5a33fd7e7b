"""Break it: five experiments, seconds each. A test compares their outcomes with what is written."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch

from ..entropy import entropy
from ..ngram import NGram
from ..sample import generate
from ..speculative import speculative_generate
from ..transformer import Config, Transformer, train
from ..warpers import SamplingParams, min_p, temperature, top_k, top_p
from ..words import Words
from .rules import repetition
from .small import tokens_of, unseen_texts

RECIPE = """Put 200 g of flour into a bowl. Add 100 g of butter and 50 g of sugar, and mix. Add 1 egg, and mix.
Add 2 spoons of milk, and mix. Put the dough into the fridge for 30 minutes. Take the dough out of the fridge. Put the
dough on the table, and roll the dough out. Cut the dough into circles. Put the circles on a tray, and put the tray into
the oven for 10 minutes. Take the tray out of the oven, and put the circles on a plate."""


@dataclass(frozen=True)
class Experiment:
    """`answer` is what the workbook folds away. `holds` checks it on any result, `outcome` tells the numbers."""

    name: str
    title: str
    predict: str
    answer: str
    measure: Callable[[], dict]
    outcome: Callable[[dict], str]
    holds: Callable[[dict], bool]

    def run(self) -> dict:
        result = self.measure()
        return {**result, "outcome": self.outcome(result)}


def break_it(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """Run every experiment. There is no shorter form: it takes seconds."""
    results = {}
    for experiment in EXPERIMENTS:
        log(f"break it: {experiment.title}")
        results[experiment.name] = experiment.run()
    return results


@cache
def counted(order: int = 3) -> tuple[NGram, Words, torch.Tensor]:
    """An n-gram model of the offline text, its words, and unseen texts."""
    words, seen, unseen = tokens_of("pydoc")
    return NGram(seen.tolist(), len(words), order), words, unseen_texts(unseen, 12, 24)


def hot_nucleus() -> dict:
    model, _, texts = counted()
    logits = model(texts)[:, -8:].flatten(0, 1)
    found = {}
    for value in (1.0, 3.0):
        warm = temperature(logits, value)
        for name, cut in (("top-p", top_p(warm, 0.9)), ("min-p", min_p(warm, 0.1))):
            kept = (cut > -torch.inf).sum(-1).float().mean()
            found[f"{name} at {value:g}"] = {"kept": float(kept), "entropy": float(entropy(cut).mean())}
    return {"vocabulary": model.vocab_size, "rules": found}


def order() -> dict:
    model, _, texts = counted()
    logits = model(texts)[:, -8:].flatten(0, 1)
    found = {}
    for name, rule, value in (("top-k", top_k, 20), ("top-p", top_p, 0.9)):
        first, last = rule(temperature(logits, 2.0), value), temperature(rule(logits, value), 2.0)
        same = ((first > -torch.inf) == (last > -torch.inf)).all(-1).float().mean()
        found[name] = {
            "same kept": float(same),
            "kept after": float((first > -torch.inf).sum(-1).float().mean()),
            "kept before": float((last > -torch.inf).sum(-1).float().mean()),
        }
    return found


def greedy_300() -> dict:
    model, words, texts = counted()
    rows = generate(model, texts[:4, :12], 300)[:, 12:].tolist()
    drawn = generate(model, texts[:4, :12], 300, SamplingParams(top_p=0.9), seed=0)[:, 12:].tolist()
    shown = words.decode(rows[0])[:160]
    return {"greedy": 100 * repetition(rows), "top-p": 100 * repetition(drawn), "text": shown}


def recipe() -> dict:
    words = Words(RECIPE, 330)
    ids = torch.tensor(words.encode(" ".join(RECIPE.split())))
    model = Transformer(Config(len(words), len(ids), layers=2, heads=2, width=32), seed=0)
    loss = train(model, lambda generator: ids[None], 90, lr=5e-3)
    start, found = 5, {}
    for penalty in (1.0, 1.2, 2.0):
        params = SamplingParams(repetition_penalty=penalty, top_k=1)
        out = generate(model, ids[None, :start], len(ids) - start, params)[0]
        wrong = (out != ids).nonzero()
        right = int(wrong[0]) if len(wrong) else len(ids)
        found[f"{penalty:g}"] = {"right": right - start, "text": words.decode(out.tolist())[:160]}
    return {"tokens": len(ids) - start, "loss": loss, "penalties": found}


class Calls(NGram):
    """A model that counts how often it is asked."""

    def __init__(self, model: NGram):
        vars(self).update(vars(model))
        self.calls = 0

    def __call__(self, tokens, cache=None):
        self.calls += 1
        return super().__call__(tokens, cache)


def own_draft() -> dict:
    model, _, texts = counted()
    target, draft = Calls(model), Calls(model)
    run = speculative_generate(target, draft, texts[0, :12], 60, gamma=4)
    tokens = len(run.tokens) - 12
    return {"acceptance": run.acceptance, "tokens": tokens, "target": target.calls, "draft": draft.calls}


EXPERIMENTS = (
    Experiment(
        "hot_nucleus",
        "top-p at temperature 3",
        "The temperature goes from 1 to 3. How many tokens do top-p 0.9 and min-p 0.1 keep, of 2,048?",
        "Top-p keeps more than a thousand tokens, because a flat distribution needs that many to reach 0.9. Min-p is "
        "relative to the likeliest token and keeps far fewer. A nucleus is no protection at a high temperature.",
        hot_nucleus,
        lambda r: (
            f"From temperature 1 to 3, top-p 0.9 goes from {r['rules']['top-p at 1']['kept']:.0f} to "
            f"{r['rules']['top-p at 3']['kept']:.0f} of {r['vocabulary']:,} tokens, min-p 0.1 from "
            f"{r['rules']['min-p at 1']['kept']:.0f} to {r['rules']['min-p at 3']['kept']:.0f}."
        ),
        lambda r: (
            r["rules"]["top-p at 3"]["kept"] > 1000 > 5 * r["rules"]["min-p at 3"]["kept"]
            or r["rules"]["top-p at 3"]["kept"] > 1000 > r["rules"]["min-p at 3"]["kept"] + 400
        ),
    ),
    Experiment(
        "order",
        "top-k before temperature",
        "Top-k 20 before the temperature, or after it: does that change which tokens stay? And top-p 0.9?",
        "Top-k keeps the same tokens in either order, because a temperature does not change the order of the tokens. "
        "Top-p does not: its sums change. Before the temperature it keeps fewer tokens, and the temperature then "
        "flattens what is left.",
        order,
        lambda r: (
            f"Top-k keeps the same tokens in {r['top-k']['same kept']:.0%} of the rows, top-p in "
            f"{r['top-p']['same kept']:.0%}: {r['top-p']['kept before']:.0f} tokens before temperature 2, "
            f"{r['top-p']['kept after']:.0f} after it."
        ),
        lambda r: r["top-k"]["same kept"] == 1 and r["top-p"]["same kept"] < 0.5,
    ),
    Experiment(
        "greedy_300",
        "greedy for 300 tokens",
        "What share of the 4-grams of 300 greedy tokens has occurred before in the same text?",
        "Nearly all of them. The text enters a loop, and greedy decoding has no way out of it. Sampling with top-p "
        "from the same model repeats little.",
        greedy_300,
        lambda r: (
            f"Of the 4-grams of 300 tokens, {r['greedy']:.0f}% repeat with greedy decoding and {r['top-p']:.0f}% with "
            "top-p 0.9."
        ),
        lambda r: r["greedy"] > 70 and r["top-p"] < 25,
    ),
    Experiment(
        "recipe",
        "a repetition penalty of 2 on a recipe",
        "A model knows a recipe by heart. How far does greedy decoding get with a repetition penalty of 2?",
        "Without a penalty the recipe comes out to the last token. With a penalty of 2 it breaks off at the first "
        "words that have to be said again. A recipe, a poem or a program needs to repeat itself.",
        recipe,
        lambda r: (
            f"Tokens of the recipe before the first wrong one, of {r['tokens']}: "
            + ", ".join(f"{v['right']} at penalty {k}" for k, v in r["penalties"].items())
            + "."
        ),
        lambda r: r["penalties"]["1"]["right"] == r["tokens"] and r["penalties"]["2"]["right"] < r["tokens"] / 3,
    ),
    Experiment(
        "own_draft",
        "a draft model that is the target",
        "The target drafts for itself, 4 tokens a round. How many drafts are kept, and how many calls are saved?",
        "Every drafted token is kept, and each pass of the target adds five tokens. Nothing is gained: every token "
        "but the fifth has cost a call of the same model as a draft. Acceptance helps if the draft is cheap.",
        own_draft,
        lambda r: (
            f"{r['acceptance']:.0%} of the drafts are kept. {r['tokens']} tokens took {r['target']} calls of the "
            f"target and {r['draft']} of the draft, {r['target'] + r['draft']} in all."
        ),
        lambda r: r["acceptance"] == 1 and r["tokens"] == 5 * r["target"] <= r["target"] + r["draft"],
    ),
)
BY_NAME = {experiment.name: experiment for experiment in EXPERIMENTS}
