"""Text from a model: one token at a time, with a temperature, top-k, top-p, and a gallery of settings.

Dimensions:
    B  rows of a batch      T  tokens so far   Tnew  T + max_new_tokens      V  vocabulary
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .kv_cache import KVCache
from .modern import ModernGPT

SETTINGS = {
    "greedy": {"temperature": 0.0},
    "temperature 0.7": {"temperature": 0.7},
    "temperature 1": {},
    "top-k 10": {"top_k": 10},
    "top-p 0.9": {"top_p": 0.9},
}


def probabilities(
    logits: Float[Tensor, "B V"], temperature: float | int = 1.0, top_k: int | None = None, top_p: float | None = None
) -> Float[Tensor, "B V"]:
    """What is sampled from. Top-p keeps the fewest most likely tokens whose probabilities sum to at least `top_p`.

    Raises:
        ValueError: a negative temperature, top_k below 1, or top_p outside of (0, 1].
    """
    if temperature < 0:
        raise ValueError(f"temperature={temperature}: must not be negative; 0 is greedy")
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k={top_k}: must be at least 1")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p={top_p}: must be above 0 and at most 1")
    if temperature == 0:
        return torch.zeros_like(logits).scatter_(-1, logits.argmax(-1, keepdim=True), 1.0)
    p = (logits / temperature).softmax(-1)
    if top_k is not None:
        least = p.topk(min(top_k, p.shape[-1])).values[:, -1:]
        p = p.masked_fill(p < least, 0.0)
    if top_p is not None:
        sorted_p, order = p.sort(descending=True)
        before = sorted_p.cumsum(-1) - sorted_p
        cut = torch.zeros_like(p, dtype=torch.bool).scatter_(-1, order, before >= top_p * p.sum(-1, keepdim=True))
        p = p.masked_fill(cut, 0.0)
    return p / p.sum(-1, keepdim=True)


@torch.inference_mode()
def generate(
    model: Callable,
    tokens: Int[Tensor, "B T"],
    max_new_tokens: int,
    generator: torch.Generator | None = None,
    temperature: float | int = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
) -> Int[Tensor, "B Tnew"]:
    """The tokens and `max_new_tokens` more. A `ModernGPT` with rotary positions keeps its keys and values.

    A model with learned positions reads its last `context_length` tokens again for each new one.

    Raises:
        ValueError: an empty prompt, or a setting that `probabilities` refuses.
    """
    if tokens.shape[1] < 1:
        raise ValueError("tokens: an empty prompt has no next token; give at least one")
    cached = isinstance(model, ModernGPT) and model.config.positions == "rope"
    cache, new = KVCache() if cached else None, tokens
    for _ in range(max_new_tokens):
        logits = model(new, cache) if cached else model(tokens[:, -model.config.context_length :])
        p = probabilities(logits[:, -1].float(), temperature, top_k, top_p)
        new = torch.multinomial(p, 1, generator=generator)  # B 1
        tokens = torch.cat([tokens, new], dim=1)
    return tokens


def gallery(model: Callable, prompt: Int[Tensor, "T"], max_new_tokens: int, seed: int = 0) -> dict[str, list[int]]:
    """The same prompt under each of SETTINGS."""
    made = {}
    for name, settings in SETTINGS.items():
        generator = torch.Generator(prompt.device).manual_seed(seed)
        made[name] = generate(model, prompt[None], max_new_tokens, generator, **settings)[0].tolist()
    return made
