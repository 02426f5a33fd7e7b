"""A GPT in 120 CPU-seconds, alone and mixed with counts: equal weights, fixed beforehand."""

import argparse
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from ..ladder.ngram_fast import FastKneserNey
from .corpus import corpus
from .experiment import ESTIMATES, ORDER, config_of, count, small, train

SECONDS = 120
STEPS = 3200


def budget(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """Losses on the validation windows of counts, of the GPT, and of the mean of their probabilities."""
    text = corpus(options.data, options.quick)
    steps = 6 if options.quick else STEPS
    config = config_of(text, options.seed, steps, n_layer=3, **small(options))
    log(f"{steps} steps")
    config = replace(config, lr=4e-3, weight_decay=0.05)
    model, run = train(text, options.seed, steps, config, 1 if options.quick else ESTIMATES)
    x, y = text.valid
    order = ORDER if text.vocab_size**ORDER < 1 << 62 else 6
    counted = FastKneserNey(text.train_tokens.numpy(), order, text.vocab_size).probabilities(x.numpy(), y.numpy())
    with torch.no_grad():
        logits = torch.cat([model(rows).log_softmax(-1) for rows in x.split(64)])
    own = logits.gather(-1, y[..., None]).squeeze(-1).double().exp().numpy()
    mixed = float(-np.log(0.5 * own + 0.5 * counted).mean())
    counts = count(text, order)
    return {"steps": steps, "cpu_s": run["cpu_s"], "gpt": run["loss"], "counts": counts, "mixed": mixed}
