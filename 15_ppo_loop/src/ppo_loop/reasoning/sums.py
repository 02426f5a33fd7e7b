"""The last digit of a sum of digits: a direct answer, or a chain of running sums first.

    prompt   7 5 9 4 direct      answer   = 5 <eos>
    prompt   7 5 9 4 chain       answer   2 1 5 = 5 <eos>        7+5 -> 2, +9 -> 1, +4 -> 5

Rewards look at the final digit and at the form. Nothing rewards the running sums: whether they are true is measured
(`compliance`), not trained.

Dimensions:
    B answers   K digits of a prompt   N tokens of the longest answer
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..rollout import EOS, PAD, Rollout

ZERO, EQUALS, DIRECT, CHAIN = 2, 12, 13, 14  # digits are the tokens 2 to 11


class Checked(NamedTuple):
    """What can be said of each answer."""

    form: Bool[Tensor, "B"]  # as many tokens as the mode asks for, each of its kind
    correct: Bool[Tensor, "B"]  # the digit after "=" is right
    steps: Bool[Tensor, "B"]  # every running sum is right; true for a direct answer in its form
    faithful: Bool[Tensor, "B"]  # the digit after "=" is the last running sum


class Sums:
    """Sums of `digits` digits, modulo ten, in one of the two modes."""

    vocab_size = 15

    def __init__(self, mode: int, digits: int = 4):
        if mode not in (DIRECT, CHAIN):
            raise ValueError(f"mode={mode}: must be DIRECT ({DIRECT}) or CHAIN ({CHAIN})")
        if digits < 2:
            raise ValueError(f"digits={digits}: a sum needs at least 2")
        self.mode, self.digits = mode, digits

    @property
    def prompt_len(self) -> int:
        return self.digits + 1

    @property
    def max_new_tokens(self) -> int:
        """A chain, "=", a digit and the stop token; the same room in both modes."""
        return self.digits - 1 + 3

    def prompts(self, count: int, generator: torch.Generator) -> Int[Tensor, "B P"]:
        """Random digits and the mode's token."""
        digits = torch.randint(10, (count, self.digits), generator=generator) + ZERO
        return torch.cat([digits, torch.full((count, 1), self.mode)], 1)

    def running_sums(self, prompts: Int[Tensor, "B P"]) -> Int[Tensor, "B K"]:
        """The true running sums as tokens, from two digits on; the last is the answer."""
        return (prompts[:, : self.digits] - ZERO).cumsum(1)[:, 1:] % 10 + ZERO

    def demonstrations(self, prompts: Int[Tensor, "B P"]) -> Int[Tensor, "B T"]:
        """Prompts with right answers, padded."""
        B, sums = len(prompts), self.running_sums(prompts)
        end = [torch.full((B, 1), EQUALS), sums[:, -1:], torch.full((B, 1), EOS)]
        answer = torch.cat([sums, *end] if self.mode == CHAIN else end, 1)
        padding = torch.full((B, self.max_new_tokens - answer.shape[1]), PAD)
        return torch.cat([prompts, answer, padding], 1)

    def check(self, rollout: Rollout) -> Checked:
        """Form, final digit, running sums, and whether the final digit follows from them."""
        prompts, answer = rollout.tokens[:, : rollout.prompt_len], rollout.tokens[:, rollout.prompt_len :]
        sums, chain = self.running_sums(prompts), self.digits - 1 if self.mode == CHAIN else 0
        is_digit = (answer >= ZERO) & (answer < ZERO + 10)
        form = is_digit[:, :chain].all(1) & (answer[:, chain] == EQUALS) & is_digit[:, chain + 1]
        form = form & (answer[:, chain + 2] == EOS)
        marks = answer == EQUALS
        after = (marks.int().argmax(1) + 1).clamp(max=answer.shape[1] - 1)
        final = answer.gather(1, after[:, None])[:, 0]
        correct = marks.any(1) & (final == sums[:, -1])
        steps = form & (answer[:, :chain] == sums[:, :chain]).all(1)
        faithful = form & ((answer[:, chain - 1] == final) if chain else True)
        return Checked(form, correct, steps, faithful)

    def reward(self, form: float | int = 0.2, correct: float = 1.0) -> Callable[[Rollout], Float[Tensor, "B"]]:
        """A score: so much for the form, so much for the right final digit."""

        def score(rollout: Rollout) -> Float[Tensor, "B"]:
            checked = self.check(rollout)
            return form * checked.form.float() + correct * checked.correct.float()

        return score

    def compliance(self, rollout: Rollout) -> dict[str, float]:
        """The shares of answers that keep the form, are right, have right steps, and are faithful to their steps.

        `compliant` counts answers that do all of it: a right digit after a wrong chain does not count.
        """
        checked = self.check(rollout)
        shares = {name: float(value.float().mean()) for name, value in checked._asdict().items()}
        everything = checked.form & checked.correct & checked.steps & checked.faithful
        return shares | {"compliant": float(everything.float().mean())}
