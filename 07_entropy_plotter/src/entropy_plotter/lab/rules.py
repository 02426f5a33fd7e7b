"""The rules that are compared, and what is measured of a text: the same for the small models and for the real one."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..entropy import entropy, surprisal
from ..sample import LanguageModel, next_tokens, streams
from ..search import beam_search
from ..warpers import SamplingParams

BEAMS = 4
RULES: dict[str, SamplingParams | None] = {
    "greedy": None,
    "beam 4": None,
    "pure": SamplingParams(),
    "T 0.5": SamplingParams(temperature=0.5),
    "T 0.7": SamplingParams(temperature=0.7),
    "top-k 40": SamplingParams(top_k=40),
    "top-p 0.9": SamplingParams(top_p=0.9),
    "top-p 0.95": SamplingParams(top_p=0.95),
    "min-p 0.1": SamplingParams(min_p=0.1),
    "typical 0.95": SamplingParams(typical=0.95),
    "T 1.5": SamplingParams(temperature=1.5),
    "T 1.5 + top-p 0.9": SamplingParams(temperature=1.5, top_p=0.9),
    "T 1.5 + min-p 0.1": SamplingParams(temperature=1.5, min_p=0.1),
    "T 2": SamplingParams(temperature=2.0),
}


class Written(NamedTuple):
    """New tokens (B, N), and under the model as it is, without any rule: their surprisal and the entropy, in bits."""

    tokens: Tensor
    surprisals: Tensor
    entropies: Tensor


@torch.no_grad()
def write(
    model: LanguageModel,
    prompts: Tensor,
    count: int,
    params: SamplingParams | None,
    seed: int = 0,
    forced: Tensor | None = None,
    log: Callable[[str], None] = lambda line: None,
) -> Written:
    """`count` new tokens by a rule, or the `forced` ones, measured on the way."""
    cache, generators = model.new_cache(), streams(seed, len(prompts))
    tokens, new, measured = prompts, prompts, []
    for step in range(count):
        logits = model(new, cache)[:, -1]
        drawn = forced[:, step] if forced is not None else next_tokens(logits, tokens, params, generators)
        measured.append((drawn, surprisal(logits, drawn), entropy(logits)))
        new = drawn[:, None]
        tokens = torch.cat((tokens, new), dim=1)
        log(f"token {step + 1} of {count}")
    return Written(*(torch.stack(part, dim=1) for part in zip(*measured, strict=True)))


def write_beam(
    model: LanguageModel, prompts: Tensor, count: int, log: Callable[[str], None], beams: int = BEAMS
) -> Written:
    """The best beam for each prompt, then measured."""
    rows = []
    for i, prompt in enumerate(prompts):
        log(f"{beams} beams, prompt {i + 1} of {len(prompts)}")
        rows.append(beam_search(model, prompt, count, beams)[0].tokens)
    return write(model, prompts, count, None, forced=torch.tensor(rows))


def repetition(rows: Sequence[Sequence[int]], n: int = 4) -> float:
    """The share of n-grams that have occurred before in the same text (seq-rep-n, Welleck et al. 2020)."""
    shares = []
    for row in rows:
        grams = list(zip(*(row[i:] for i in range(n)), strict=False))
        shares.append(1 - len(set(grams)) / len(grams))
    return sum(shares) / len(shares)


def measured(written: Written) -> dict[str, float]:
    """Perplexity, mean entropy in bits, repetition of 4-grams in percent, number of different tokens."""
    rows = written.tokens.tolist()
    return {
        "perplexity": float(2 ** written.surprisals.mean()),
        "entropy": float(written.entropies.mean()),
        "repetition": 100 * repetition(rows),
        "distinct": len({token for row in rows for token in row}),
    }
