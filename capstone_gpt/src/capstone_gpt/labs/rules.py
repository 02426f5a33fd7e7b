"""From curves to the name of a fault: a few numbers of the curves, and an ordered list of rules about them."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import mean, median

from .curves import GROUPS, Curves

EMBEDDING, BLOCKS, HEAD = (list(GROUPS).index(name) for name in ("embedding", "blocks", "head"))
Signs = dict[str, float]


def signs(curves: Curves, facts: dict[str, float]) -> Signs:
    """The numbers that the rules read. Losses are in nats a token.

    `facts` are the entropies of the training text, as `faulty_run.facts` counts them.
    """
    loss, lr, n = curves["loss"], curves["lr"], len(curves["loss"])
    tail = slice(-max(1, n // 10), None)
    peak, middle = max(lr), slice(n // 4, n // 2)
    updates = [[step[g] for step in curves["update"]] for g in range(len(GROUPS))]
    grads = [[step[g] for step in curves["grad"]] for g in range(len(GROUPS))]
    end = mean(loss[tail])
    return {
        "first loss": loss[0] / facts["uniform"],  # 1: a guess
        "end": end / facts["uniform"],
        "learned": (facts["unigram"] - end) / (facts["unigram"] - facts["bigram"]),  # 0: frequencies, 1: pairs
        "training loss": curves["train"][-1] / facts["uniform"],
        "memorised": curves["train"][-1] - end,  # evaluation on the training text, minus the batches' loss
        "gap": curves["valid"][-1] - curves["train"][-1],
        "repeat": max(abs(a - b) for a, b in zip(curves["valid"], curves["valid_again"], strict=True)),
        "rate at half": lr[n // 2] / peak,
        "rate rises": (lr[-1] - lr[int(0.9 * n)]) / peak,
        "first norm": curves["norm"][0],
        "largest norm": max(curves["norm"]),
        "zeros": median(curves["zeros"]),
        "cosine": mean(curves["cosine"][n // 8 :]),
        "embedding gradient": max(grads[EMBEDDING]),
        "head gradient": max(grads[HEAD]),
        "blocks moved": max(updates[BLOCKS]),
        "head moved": max(updates[HEAD]),
        "block update": mean(updates[BLOCKS][middle]),
        "first move": curves["moved"][0],  # 1: each weight moved by the rate, as under AdamW
        "block length": curves["weights"][-1] / max(1e-9, curves["weights"][0]),
        "first entropy": curves["entropy"][0],
        "last entropy": curves["entropy"][-1],
    }


@dataclass(frozen=True)
class Rule:
    """Names `fault` if `holds`; `reads` says in words what was seen."""

    fault: str
    reads: str
    holds: Callable[[Signs], bool]


def stuck(s: Signs) -> bool:
    """The run ends where character frequencies alone are better."""
    return s["learned"] < -0.2


RULES = [
    Rule("own token masked", "the first loss is not a number", lambda s: not math.isfinite(s["first loss"])),
    Rule("rate too high", "a later loss is not a number", lambda s: not math.isfinite(s["end"])),
    Rule("loss summed", "the first loss is 20 times that of a guess", lambda s: s["first loss"] > 20),
    Rule("weights zero", "no gradient ever", lambda s: s["largest norm"] < 1e-6),
    Rule("weights too large", "the first loss is far above that of a guess", lambda s: s["first loss"] > 1.3),
    Rule(
        "head not trained",
        "the head has a gradient and never moves",
        lambda s: s["head moved"] == 0 < s["head gradient"],
    ),
    Rule("blocks not trained", "the blocks never move", lambda s: s["blocks moved"] == 0),
    Rule("stream detached", "the embedding has no gradient", lambda s: s["embedding gradient"] == 0),
    Rule("softmax twice", "the first gradient is tiny", lambda s: s["first norm"] < 0.2),
    Rule(
        "ascent",
        "the loss rises far above that of a guess",
        lambda s: s["end"] > 1.5 and s["block length"] < 2,
    ),
    Rule("rate too high", "the blocks' weights double", lambda s: s["block length"] > 2),
    Rule("weight decay too large", "the blocks' weights vanish", lambda s: s["block length"] < 0.5),
    Rule("decay too early", "the rate is 0 at half of the run", lambda s: s["rate at half"] < 0.01),
    Rule("warm-up never ends", "the rate rises to the end", lambda s: s["rate rises"] > 0.05),
    Rule("gradients underflow", "many elements of the gradient are 0", lambda s: s["zeros"] > 0.3),
    Rule(
        "validation in training mode",
        "two validations of one model differ",
        lambda s: s["repeat"] > 1e-6,
    ),
    Rule("clipped to nothing", "stuck; no weight moves", lambda s: stuck(s) and s["first move"] < 1e-4),
    Rule(
        "eps too large",
        "stuck; weights move far less than the rate",
        lambda s: stuck(s) and s["first move"] < 0.1,
    ),
    Rule(
        "rate too low",
        "stuck; weights move as the rate says",
        lambda s: stuck(s) and s["block update"] < 1e-3,
    ),
    Rule(
        "targets not shifted",
        "both losses are near 0",
        lambda s: s["end"] < 0.1 and s["memorised"] < 0.3 and s["gap"] < 0.3,
    ),
    Rule(
        "same batch",
        "the batches' loss is far below that of the training text",
        lambda s: s["memorised"] > 0.7,
    ),
    Rule("training text too small", "validation is far worse than training", lambda s: s["gap"] > 0.5),
    Rule("future seen", "both losses are too good for so few steps", lambda s: s["learned"] > 1.5),
    Rule("attention scaled up", "attention is uneven before the first step", lambda s: s["first entropy"] < 0.99),
    Rule("gradients not zeroed", "each gradient points where the last did", lambda s: s["cosine"] > 0.6),
    Rule(
        "dropout too high",
        "gradients are noisy and the weights shrink",
        lambda s: s["cosine"] < 0.15 and s["block length"] < 0.99 and s["learned"] > 0,
    ),
    Rule(
        "targets shuffled",
        "nothing beyond frequencies is learned, and gradients are noise",
        lambda s: s["learned"] < 0.05 and s["cosine"] < 0.25,
    ),
    Rule(
        "targets shifted twice",
        "far less is learned than pairs of characters, and gradients are noise",
        lambda s: s["learned"] < 0.2 and s["cosine"] < 0.16,
    ),
]


def diagnose(seen: Signs) -> tuple[str, str]:
    """(name of the fault, what was seen) by the first rule that holds; ("clean", …) if none does."""
    for rule in RULES:
        if rule.holds(seen):
            return rule.fault, rule.reads
    return "clean", "no rule holds"
