"""Pairs of answers into one number an answer, and the checks that a reward model has to pass.

Bradley and Terry (1952): the better of two wins with probability sigmoid(r_chosen - r_rejected). Only differences are
seen, so a reward has no zero: normalise it before you compare two models.

Dimensions:
    B answers, or pairs of them   T tokens of prompt and answer   n pairs that are taken
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from .model import ScalarModel
from .rollout import Rollout


def bradley_terry_loss(
    chosen: Float[Tensor, "B"], rejected: Float[Tensor, "B"], margin: Float[Tensor, "B"] | float | int = 0.0
) -> Float[Tensor, ""]:
    """-log sigmoid(r_chosen - r_rejected - margin), the mean over pairs (Llama 2, equation 2, for the margin)."""
    return -F.logsigmoid(chosen - rejected - margin).mean()


def last_token_scores(scores: Float[Tensor, "B T"], real: Bool[Tensor, "B T"]) -> Float[Tensor, "B"]:
    """The score at each row's last real token, wherever the padding stands.

    Raises:
        ValueError: a row without a real token.
    """
    if not real.any(1).all():
        raise ValueError("real: every row needs a real token")
    last = (torch.arange(real.shape[1]) * real).argmax(1)  # B
    return scores.gather(1, last[:, None])[:, 0]


def score_answers(model: ScalarModel, rollout: Rollout) -> Float[Tensor, "B"]:
    """One reward an answer."""
    return last_token_scores(model(rollout.tokens), rollout.real)


class Pairs(NamedTuple):
    """Two answers to each prompt; the first is the better one."""

    chosen: Rollout
    rejected: Rollout

    def take(self, rows: Int[Tensor, "n"]) -> "Pairs":
        """Some of the pairs."""
        return Pairs(*(Rollout(r.tokens[rows], r.prompt_len, r.logprobs[rows], r.mask[rows]) for r in self))


def train_reward_model(
    model: ScalarModel, pairs: Pairs, steps: int, lr: float | int = 1e-3, batch: int = 64, seed: int = 0
) -> list[float]:
    """Minimise the Bradley–Terry loss; returns the loss of each step."""
    generator, losses = torch.Generator().manual_seed(seed), []
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    for _ in range(steps):
        rows = torch.randint(len(pairs.chosen.tokens), (batch,), generator=generator)
        some = pairs.take(rows)
        loss = bradley_terry_loss(score_answers(model, some.chosen), score_answers(model, some.rejected))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


# ---------------------------------------------------------------- four checks


@torch.no_grad()
def differences(model: ScalarModel, pairs: Pairs) -> Float[Tensor, "B"]:
    """Reward of the chosen answer minus that of the rejected one."""
    return score_answers(model, pairs.chosen) - score_answers(model, pairs.rejected)


def ranking_accuracy(difference: Float[Tensor, "B"]) -> float:
    """The share of pairs in which the chosen answer has the higher reward."""
    return float((difference > 0).float().mean())


def calibration(difference: Float[Tensor, "B"], bins: int = 5) -> list[tuple[float, float]]:
    """(predicted, observed) probability that the higher reward is that of the chosen answer, in bins of equal size.

    A calibrated model that says 0.8 is right in eight cases of ten.
    """
    predicted = torch.sigmoid(difference.abs())
    order = predicted.argsort()
    return [(float(predicted[part].mean()), float((difference[part] > 0).float().mean())) for part in order.chunk(bins)]


@torch.no_grad()
def length_bias(model: ScalarModel, rollout: Rollout) -> float:
    """The correlation of an answer's reward with its length."""
    both = torch.stack([score_answers(model, rollout), rollout.mask.sum(1).float()])
    return float(torch.corrcoef(both)[0, 1])


def shuffled_labels(pairs: Pairs, seed: int = 0) -> Pairs:
    """The same answers with a coin for a label: a model trained on them must stay at chance on unseen pairs."""
    coin = torch.rand(len(pairs.chosen.tokens), 1, generator=torch.Generator().manual_seed(seed)) < 0.5
    first, second = pairs
    swapped = [
        Rollout(*(torch.where(coin, x, y) if torch.is_tensor(x) else x for x, y in zip(a, b, strict=True)))
        for a, b in ((first, second), (second, first))
    ]
    return Pairs(*swapped)
