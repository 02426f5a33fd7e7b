"""The road: gradients that vanish, and a character model of each kind on equal terms."""

import argparse
import math
import time
from collections.abc import Callable

import torch

from ..road import KINDS, LanguageModel, Recurrent, backward_through_time, width_for, zero_state
from .cli import seeds_of
from .fetch import load_text
from .training import Corpus, corpus, loss_of, train, validation

SEQ_LEN, PARAMETERS, STEPS = 64, 40_000, 400
DISTANCES = 50
PROMPT = "The value of "


def road(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """Vanishing gradients, and loss, stability, speed and samples of each kind of model."""
    seeds = seeds_of(options, 1 if options.quick else 3)
    log("gradients through time")
    content = {"seeds": seeds, "steps": STEPS, "seq_len": SEQ_LEN, "vanishing": vanishing(seeds), "models": {}}
    data = corpus(load_text(options.data))
    for kind in KINDS:
        runs = []
        for seed in seeds:
            log(f"language model: {kind}, seed {seed}")
            runs.append(language_model(kind, data, seed, 3 if options.quick else STEPS))
        content["models"][kind] = {key: [run[key] for run in runs] for key in runs[0]}
    content["unigram"] = unigram(data)
    return content


def unigram(data: Corpus) -> float:
    """The loss of a model that knows nothing but how frequent each character is."""
    counts = torch.bincount(data.train, minlength=len(data.characters)) + 1.0
    return float(-(counts / counts.sum()).log()[data.valid].mean())


def language_model(kind: str, data: Corpus, seed: int, steps: int) -> dict:
    """One training run."""
    width = width_for(kind, PARAMETERS, len(data.characters), SEQ_LEN)
    torch.manual_seed(seed)
    model = LanguageModel(kind, len(data.characters), width, SEQ_LEN)
    trained = train(model, data, SEQ_LEN, steps, 1e-2, seed)
    with torch.no_grad():
        loss = float(loss_of(model, validation(data, SEQ_LEN)))
    prompt = torch.tensor([data.characters.index(c) for c in PROMPT if c in data.characters] or [0])
    uniforms = torch.rand(100, generator=torch.Generator().manual_seed(0))
    start = time.process_time()
    tokens = model.sample(prompt, uniforms, SEQ_LEN)
    sampling = time.process_time() - start
    norms = sorted(trained.gradient_norms)
    return {
        "width": width,
        "parameters": sum(p.numel() for p in model.parameters()),
        "loss": loss,
        "perplexity": math.exp(loss),
        "median gradient": norms[len(norms) // 2],
        "largest gradient": norms[-1],
        "clipped": sum(n > 1 for n in norms) / len(norms),
        "tokens a second": steps * 16 * SEQ_LEN / trained.seconds,
        "ms a sampled token": 1e3 * sampling / len(uniforms),
        "sample": "".join(data.characters[i] for i in tokens),
    }


def vanishing(seeds: list[int]) -> dict:
    """How much of the last state's gradient arrives at the input of each earlier step, relative to the last input.

    Networks as they are initialised, 32 units. The LSTM stands there twice: forget bias 0, and 1.
    """
    found = {}
    for name, kind, bias in (
        ("rnn", "rnn", 0),
        ("lstm", "lstm", 0),
        ("lstm, forget bias 1", "lstm", 1),
        ("gru", "gru", 0),
    ):
        found[name] = []
        for seed in seeds:
            torch.manual_seed(seed)
            network = Recurrent(kind, 16, 32, forget_bias=float(bias))
            x = torch.randn(16, DISTANCES + 1, 16)
            grad = torch.zeros(16, DISTANCES + 1, 32)
            grad[:, -1] = torch.randn(16, 32)
            gradients = backward_through_time(kind, x, zero_state(kind, 16, 32, x), network.weights, grad)
            norms = gradients.x.norm(dim=-1).mean(0).flip(0)  # by distance from the last step
            found[name].append([float(n / norms[0]) for n in norms])
    return found
