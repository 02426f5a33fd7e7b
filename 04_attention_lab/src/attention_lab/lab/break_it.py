"""Break it: one experiment for each mistake, with an outcome that a test compares with what is written."""

import argparse
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from ..attention import scaled_dot_product_attention
from ..masks import causal_mask
from ..multihead import MultiHeadAttention
from ..softmax import softmax
from ..transformer import Transformer
from .cli import seeds_of
from .fetch import load_text
from .scaling import statistics
from .training import corpus, loss_of, train, validation

STEPS = 300


def break_it(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """Five mistakes and what each of them does. The fifth, one head for eight, is tried on two tasks."""
    log("four without training")
    content = {"no scale": no_scale(), "mask after the softmax": mask_after(), "softmax over queries": over_queries()}
    content["no positions"] = no_positions()
    seeds = seeds_of(options, 1 if options.quick else 3)
    content |= {"seeds": seeds, "heads": {"1": [], "8": []}, "two places": {"1": [], "8": []}}
    for seed in seeds:
        for heads in (1, 8):
            log(f"heads {heads}, seed {seed}")
            content["two places"][str(heads)].append(two_places(heads, seed, 10 if options.quick else STEPS))
            content["heads"][str(heads)].append(with_heads(heads, seed, load_text(options.data), options.quick))
    return content


def _qkv(*shape: int) -> torch.Tensor:
    return torch.randn(3, *shape, generator=torch.Generator().manual_seed(0))


def no_scale() -> dict:
    """64 keys, d = 1024."""
    q, k, _ = _qkv(64, 1024)
    return {"without": statistics(q @ k.T), "with": statistics(q @ k.T / 32)}


def mask_after() -> dict:
    """The weights are multiplied by the mask after the softmax: rows no longer sum to one, and the future leaks."""
    q, k, v = _qkv(16, 32)
    mask = causal_mask(16)

    def masked_after(k):
        return softmax(q @ k.T / 32**0.5) * mask

    changed = k.clone()
    changed[-1] += 3  # the last key: nobody but the last query may notice
    leak = float((masked_after(changed) @ v - masked_after(k) @ v)[:-1].abs().max())
    right = scaled_dot_product_attention(q, changed, v, mask)[0] - scaled_dot_product_attention(q, k, v, mask)[0]
    sums = masked_after(k).sum(-1)
    return {"first row sums to": float(sums[0]), "last row sums to": float(sums[-1]), "leak": leak,
            "leak of ours": float(right[:-1].abs().max())}  # fmt: skip


def over_queries() -> dict:
    """The softmax along the wrong axis: what the weights of a query sum to."""
    q, k, _ = _qkv(16, 32)
    sums = softmax((q @ k.T / 32**0.5).T).T.sum(-1)
    return {"least": float(sums.min()), "most": float(sums.max())}


def no_positions() -> dict:
    """A shuffled sentence: are the outputs those of the sentence, shuffled?"""
    x, wpe, _ = _qkv(12, 32)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(1))

    def moved(positions):
        def look(x):
            x = x + positions
            return scaled_dot_product_attention(x, x, x)[0]

        return float((look(x[order]) - look(x)[order]).abs().max())

    return {"without positions": moved(torch.zeros(12, 32)), "with positions": moved(wpe)}


def two_places(heads: int, seed: int, steps: int) -> float:
    """One layer names, at every position, the token before it and the one two before it: the share of right answers.

    One head has one set of weights. It can take both tokens in, but not tell which was which.
    """
    torch.manual_seed(seed)
    width, letters, T = 64, 16, 12
    wte, wpe = nn.Embedding(letters, width), nn.Embedding(T, width)
    layer, answers = MultiHeadAttention(width, heads), nn.Linear(width, 2 * letters)
    parts = nn.ModuleList((wte, wpe, layer, answers))
    optimizer = torch.optim.Adam(parts.parameters(), 3e-3)
    for _ in range(steps + 1):
        tokens = torch.randint(letters, (64, T))
        targets = torch.stack((tokens[:, 1:-1], tokens[:, :-2]), dim=-1)  # B T-2 2
        x = wte(tokens) + wpe.weight
        logits = answers(layer(x, attention_mask=causal_mask(T)))[:, 2:].unflatten(-1, (2, letters))
        loss = F.cross_entropy(logits.flatten(0, 2), targets.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return float((logits.argmax(-1) == targets).float().mean())  # the last batch is a fresh one


def with_heads(heads: int, seed: int, text: str, quick: bool) -> float:
    """The validation loss of a small transformer with so many heads, equal in parameters."""
    data = corpus(text)
    torch.manual_seed(seed)
    model = Transformer(len(data.characters), 64, 64, layers=2, heads=heads)
    train(model, data, 64, 3 if quick else STEPS, 5e-3, seed)
    with torch.no_grad():
        return float(loss_of(model, validation(data, 64)))
