"""Every rule that decoding applies to logits before it samples: each a pure function from logits to logits.

A token that is cut gets -inf. Conventions are those of `transformers`: the token that crosses the threshold of top-p
stays, and so do tokens tied with the last one of top-k. The order of application is that of `warp`.

Dimensions:
    B   rows        V   vocabulary        T   tokens so far
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

CUT = -math.inf


def temperature(logits: Float[Tensor, "*batch V"], value: int | float) -> Float[Tensor, "*batch V"]:
    """logits / value: below 1 the distribution is sharper, above 1 flatter.

    Raises:
        ValueError: the value is not positive.
    """
    if value <= 0:
        raise ValueError(f"value={value}: a temperature is positive; for the limit at 0 use greedy")
    return logits / value


def top_k(logits: Float[Tensor, "*batch V"], k: int) -> Float[Tensor, "*batch V"]:
    """Keep the k largest logits, and all that are equal to the k-th (Fan et al. 2018).

    Raises:
        ValueError: k is not positive.
    """
    if k < 1:
        raise ValueError(f"k={k}: keep at least 1 token")
    kth = logits.topk(min(k, logits.shape[-1])).values[..., -1:]  # *batch 1
    return logits.masked_fill(logits < kth, CUT)


def top_p(logits: Float[Tensor, "*batch V"], p: int | float) -> Float[Tensor, "*batch V"]:
    """Keep the smallest set of likeliest tokens that reaches p (nucleus, Holtzman et al. 2020).

    Counted from the unlikely end: a token is cut if it and all less likely ones together have at most 1 - p.

    Raises:
        ValueError: p is not in (0, 1].
    """
    check_share("p", p)
    ascending, order = logits.sort()  # *batch V, least likely first
    tail = ascending.softmax(dim=-1).cumsum(dim=-1)
    cut = tail <= 1 - p
    cut[..., -1] = False  # the likeliest token always stays
    return logits.masked_fill(cut.scatter(-1, order, cut), CUT)


def min_p(logits: Float[Tensor, "*batch V"], p: int | float) -> Float[Tensor, "*batch V"]:
    """Keep the tokens that are at least p times as likely as the likeliest one (Nguyen et al. 2024).

    Raises:
        ValueError: p is not in (0, 1].
    """
    check_share("p", p)
    probs = logits.softmax(dim=-1)
    return logits.masked_fill(probs < p * probs.amax(dim=-1, keepdim=True), CUT)


def typical(logits: Float[Tensor, "*batch V"], mass: int | float) -> Float[Tensor, "*batch V"]:
    """Keep the tokens whose surprisal is nearest to the entropy, until they reach `mass` (Meister et al. 2023).

    Raises:
        ValueError: mass is not in (0, 1].
    """
    check_share("mass", mass)
    log_probs = logits.log_softmax(dim=-1)
    entropy = torch.special.entr(log_probs.exp()).sum(dim=-1, keepdim=True)
    distance = (-log_probs - entropy).abs()  # *batch V, infinite for tokens that are cut already
    ascending, order = distance.sort()
    reached = log_probs.exp().gather(-1, order).cumsum(dim=-1)
    last = (reached < mass).sum(dim=-1, keepdim=True).clamp(max=logits.shape[-1] - 1)
    return logits.masked_fill(distance > ascending.gather(-1, last), CUT)


def eta(logits: Float[Tensor, "*batch V"], epsilon: int | float) -> Float[Tensor, "*batch V"]:
    """Keep probabilities of at least min(epsilon, √epsilon · e^-H): less is cut where the entropy H, in nats, is high.

    Hewitt et al. 2022. The likeliest token always stays.

    Raises:
        ValueError: epsilon is not in (0, 1].
    """
    check_share("epsilon", epsilon)
    probs = logits.softmax(dim=-1)
    entropy = torch.special.entr(probs).sum(dim=-1, keepdim=True)
    threshold = (math.sqrt(epsilon) * (-entropy).exp()).clamp(max=epsilon)
    return logits.masked_fill((probs < threshold) & (logits < logits.amax(dim=-1, keepdim=True)), CUT)


def repetition_penalty(
    logits: Float[Tensor, "B V"], tokens: Int[Tensor, "B T"], penalty: int | float
) -> Float[Tensor, "B V"]:
    """Make each token that has occurred less likely, once: divide positive logits, multiply negative ones (CTRL).

    Keskar et al. 2019. A penalty below 1 rewards repetition.

    Raises:
        ValueError: the penalty is not positive.
    """
    if penalty <= 0:
        raise ValueError(f"penalty={penalty}: must be positive; 1 changes nothing")
    seen = logits.gather(-1, tokens)  # B T
    seen = torch.where(seen < 0, seen * penalty, seen / penalty)
    return logits.scatter(-1, tokens, seen)


def frequency_penalty(
    logits: Float[Tensor, "B V"], tokens: Int[Tensor, "B T"], penalty: int | float
) -> Float[Tensor, "B V"]:
    """Subtract `penalty` for each time that a token has occurred (OpenAI's definition)."""
    count = torch.zeros_like(logits).scatter_add(-1, tokens, torch.ones_like(tokens, dtype=logits.dtype))
    return logits - penalty * count


def presence_penalty(
    logits: Float[Tensor, "B V"], tokens: Int[Tensor, "B T"], penalty: int | float
) -> Float[Tensor, "B V"]:
    """Subtract `penalty` from each token that has occurred, however often (OpenAI's definition)."""
    return logits.scatter(-1, tokens, logits.gather(-1, tokens) - penalty)


@dataclass(frozen=True)
class SamplingParams:
    """What `warp` applies, in this order. None leaves a rule out."""

    repetition_penalty: int | float | None = None
    frequency_penalty: int | float | None = None
    presence_penalty: int | float | None = None
    temperature: int | float | None = None
    top_k: int | None = None
    top_p: int | float | None = None
    min_p: int | float | None = None
    typical: int | float | None = None
    eta: int | float | None = None


def warp(logits: Float[Tensor, "B V"], tokens: Int[Tensor, "B T"], params) -> Float[Tensor, "B V"]:
    """Apply the rules that `params`, a SamplingParams, sets, each on what the one before has left."""
    for rule in (repetition_penalty, frequency_penalty, presence_penalty):
        value = getattr(params, rule.__name__)
        if value is not None:
            logits = rule(logits, tokens, value)
    for rule in (temperature, top_k, top_p, min_p, typical, eta):
        value = getattr(params, rule.__name__)
        if value is not None:
            logits = rule(logits, value)
    return logits


def check_share(name: str, value: int | float) -> None:
    """Raises ValueError unless the value is in (0, 1]."""
    if not 0 < value <= 1:
        raise ValueError(f"{name}={value}: must be above 0 and at most 1")
