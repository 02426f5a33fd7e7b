"""Chain of thought and self-consistency, on a task small enough to learn in seconds: the sum of digits, modulo ten.

One model writes the answer at once: 719382>=0. The other writes every partial sum first: 719382>787080=0. The votes of
several sampled chains are compared with the jury of Condorcet, whose members err independently.
"""

import argparse
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Int
from torch import Tensor

from ..consistency import binomial_majority, majority_vote
from ..transformer import Config, Transformer
from .cli import seeds_of

DIGITS, LETTERS = 6, "0123456789>="
MODEL = Config(len(LETTERS), 2 * DIGITS + 3, layers=2, heads=4, width=64)
STEPS, ENOUGH = 300, 0.3  # until the chain is always right; or until three chains in ten are, where a vote can help
VOTES = (1, 3, 5, 9, 15, 25, 39)
Log = Callable[[str], None]


def problems(rows: int, chain: bool, generator: torch.Generator) -> Int[Tensor, "B T"]:
    """Digits, ">", the partial sums if `chain`, "=", the sum."""
    digits = torch.randint(10, (rows, DIGITS), generator=generator)
    sums = digits.cumsum(dim=1) % 10
    marks = torch.tensor([[LETTERS.index(">"), LETTERS.index("=")]]).expand(rows, 2)
    thought = [sums] if chain else []
    return torch.cat([digits, marks[:, :1], *thought, marks[:, 1:], sums[:, -1:]], dim=1)


def trained(chain: bool, steps: int, seed: int, enough: int | float = 2) -> tuple[Transformer, float]:
    """A model and the CPU seconds of its training. Only what follows ">" is a target: the digits are random.

    Training ends early when a sampled text is right with probability `enough`.
    """
    model, generator, start = Transformer(MODEL, seed), torch.Generator().manual_seed(seed), time.process_time()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, betas=(0.9, 0.98), weight_decay=0.1)
    warm_up = torch.optim.lr_scheduler.LinearLR(optimizer, 0.02, total_iters=50)
    for step in range(steps):
        if step % 5 == 0 and enough < 1 and chance(model, problems(200, chain, generator)) > enough:
            break
        rows = problems(128, chain, generator)
        logits = model(rows[:, :-1])[:, DIGITS:]
        loss = F.cross_entropy(logits.flatten(0, 1), rows[:, DIGITS + 1 :].flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        warm_up.step()
    return model.eval(), time.process_time() - start


@torch.no_grad()
def chance(model: Transformer, rows: Int[Tensor, "B T"]) -> float:
    """The mean probability that a sampled text is right to its last letter."""
    logs = model(rows[:, :-1])[:, DIGITS:].log_softmax(-1)
    return logs.gather(-1, rows[:, DIGITS + 1 :, None]).sum(dim=(1, 2)).exp().mean().item()


@torch.no_grad()
def write(model: Transformer, prompts: Int[Tensor, "B T"], new: int, generator: torch.Generator | None) -> list[str]:
    """The texts after the prompts: sampled at temperature 1, or greedy without a generator."""
    cache, tokens, written = model.new_cache(), prompts, []
    for _ in range(new):
        logits = model(tokens, cache)[:, -1]
        sampled = generator is not None
        tokens = (
            torch.multinomial(logits.softmax(-1), 1, generator=generator) if sampled else logits.argmax(-1)[:, None]
        )
        written.append(tokens)
    return ["".join(LETTERS[i] for i in row) for row in torch.cat(written, dim=1).tolist()]


def answers(model: Transformer, tests: Int[Tensor, "B T"], chains: int, generator: torch.Generator | None):
    """`chains` written texts for each problem."""
    prompts = tests[:, : DIGITS + 1].repeat_interleave(chains, dim=0)
    texts = write(model, prompts, tests.shape[1] - DIGITS - 1, generator)
    return [texts[i : i + chains] for i in range(0, len(texts), chains)]


def right(votes: list[str | None], tests: Int[Tensor, "B T"]) -> float:
    """The share of problems whose answer is the sum."""
    return sum(vote == LETTERS[last] for vote, last in zip(votes, tests[:, -1].tolist(), strict=True)) / len(votes)


def reasoning(options: argparse.Namespace, log: Log) -> dict:
    """About a minute for three seeds. Quick: a few steps, one seed."""
    seeds = seeds_of(options, 1 if options.quick else 3)
    full, rows = (20, 40) if options.quick else (STEPS, 300)
    content: dict = {"seeds": seeds, "digits": DIGITS, "steps": full, "enough": ENOUGH, "problems": rows,
                     "votes": list(VOTES), "direct": [], "chain": [], "direct_longer": [], "early": [], "vote": [],
                     "jury": [], "seconds": {"direct": [], "chain": []}, "example": ""}  # fmt: skip
    for seed in seeds:
        generator = torch.Generator().manual_seed(1000 + seed)
        tests = {chain: problems(rows, chain, torch.Generator().manual_seed(2000 + seed)) for chain in (True, False)}
        for name, chain, steps in (("direct", False, full), ("chain", True, full), ("direct_longer", False, 4 * full)):
            model, seconds = trained(chain, steps, seed)
            greedy = [majority_vote(texts) for texts in answers(model, tests[chain], 1, None)]
            content[name].append(right(greedy, tests[chain]))
            content["seconds"].setdefault(name, []).append(seconds)
            log(f"seed {seed}, {name}: {100 * content[name][-1]:.0f} % right after {steps} steps, {seconds:.1f} s")
        model, _ = trained(True, full, seed, ENOUGH)
        texts = answers(model, tests[True], max(VOTES), generator)
        content["early"].append(right([majority_vote(t) for t in answers(model, tests[True], 1, None)], tests[True]))
        content["vote"].append([right([majority_vote(t[:k]) for t in texts], tests[True]) for k in VOTES])
        one = sum(right([majority_vote([t[k]]) for t in texts], tests[True]) for k in range(max(VOTES))) / max(VOTES)
        content["jury"].append([binomial_majority(one, k) for k in VOTES])
        content["example"] = "".join(LETTERS[i] for i in tests[True][0, : DIGITS + 1]) + texts[0][0]
        log(f"seed {seed}: one chain {100 * one:.0f} %, {max(VOTES)} votes {100 * content['vote'][-1][-1]:.0f} %")
    return content
