"""Heads of the real model that copy: found by score, drawn, removed. `--model smollm2`."""

import argparse
from collections.abc import Callable

import torch

from ..induction import Llama, head_scores, loss_by_copy, read_checkpoint, repeated_tokens
from . import fetch
from .cli import seeds_of
from .packing import packed

N = 64  # random tokens, then the same again
COUNTS = (1, 2, 4)
TEXT = "Mr Quarble met Mrs Zindt in Oslo. Later that year, Mr Quarble met Mrs Zindt"
SHOWN = 3  # heads of each kind in the gallery


def induction(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """Scores of all heads, the loss with the best removed, as many random ones for comparison, and a gallery."""
    log("reading the model")
    checkpoint = read_checkpoint(fetch.model(options.model or "smollm2", log))
    model = Llama.from_state(checkpoint.config, checkpoint.state)
    seeds = seeds_of(options, 1 if options.quick else 3)
    n, config = (8 if options.quick else N), checkpoint.config
    log("scores of all heads")
    weights = model.look(repeated_tokens(config.vocab_size, n, 2, 1_000 + seeds[0]))[1]  # other tokens than below
    scores = head_scores(weights)
    content = {"seeds": seeds, "tokens": n, "heads": [config.layers, config.heads], "removed": {}, "random": {}}
    content["scores"] = {name: packed(rows) for name, rows in scores._asdict().items()}
    best = ranked(scores.induction)
    content["best"] = {name: [list(h) for h in ranked(getattr(scores, name))[:8]] for name in scores._fields}
    batches = [repeated_tokens(config.vocab_size, n, 2, seed) for seed in seeds]
    content["loss"] = [loss_by_copy(model.look, tokens) for tokens in batches]
    others = best[8:]  # random heads are drawn from those that do not copy
    for count in COUNTS[:1] if options.quick else COUNTS:
        log(f"{count} of the best heads removed, and {count} random ones")
        removed, drawn = [], []
        for seed, tokens in zip(seeds, batches, strict=True):
            removed.append(loss_by_copy(model.look, tokens, tuple(best[:count])))
            order = torch.randperm(len(others), generator=torch.Generator().manual_seed(seed)).tolist()
            drawn.append(loss_by_copy(model.look, tokens, tuple(others[i] for i in order[:count])))
        content["removed"][str(count)], content["random"][str(count)] = removed, drawn
    log("the gallery")
    content["gallery"] = gallery(model, checkpoint.tokens, content["best"])
    return content


def ranked(scores: torch.Tensor) -> list[tuple[int, int]]:
    """(layer, head) pairs, the highest score first."""
    order = scores.flatten().argsort(descending=True).tolist()
    return [divmod(i, scores.shape[1]) for i in order]


def gallery(model: Llama, tokens, best: dict[str, list[list[int]]]) -> dict:
    """The weights of some heads on a text in which names come back."""
    ids = tokens.encode(TEXT)
    weights = model.look(torch.tensor([ids]))[1][:, 0]  # L H T T
    shown = {
        f"{kind} {layer}.{head}": weights[layer, head] for kind, heads in best.items() for layer, head in heads[:SHOWN]
    }
    maps = {name: packed(rows) for name, rows in shown.items()}
    return {"tokens": [tokens.decode([i]) for i in ids], "weights": maps}
