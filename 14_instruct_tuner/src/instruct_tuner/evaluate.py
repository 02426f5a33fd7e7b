"""Is the answer right? Exact match, ROUGE-L, BLEU, chrF, and the loss on gold answers.

Dimensions:
    B prompts   T tokens of the longest one
"""

import math
import string
from collections import Counter
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from .finetune import Batch, Example, batch_loss, pad_batch

ARTICLES = {"a", "an", "the"}


def exact_match(prediction: str, answers: Sequence[str]) -> bool:
    """Is the prediction one of the answers, after normalisation (SQuAD, Rajpurkar et al. 2016)?

    Both are lowered; the characters of string.punctuation are removed; the words a, an, the are left out; runs of
    white space are one space.
    """
    return normalized(prediction) in map(normalized, answers)


def normalized(text: str) -> str:
    """The text in the form in which answers are compared."""
    bare = text.lower().translate(str.maketrans("", "", string.punctuation))
    return " ".join(word for word in bare.split() if word not in ARTICLES)


def rouge_l(prediction: str, reference: str) -> float:
    """F-measure of the longest common subsequence of words (Lin 2004), lowered. 0 where either text is empty."""
    p, r = prediction.lower().split(), reference.lower().split()
    row = [0] * (len(r) + 1)  # of the table of common subsequences
    for word in p:
        previous = row
        row = [0]
        for j, other in enumerate(r):
            row.append(previous[j] + 1 if word == other else max(previous[j + 1], row[j]))
    return 2 * row[-1] / max(len(p) + len(r), 1)


def ngrams(items: Sequence, n: int) -> Counter:
    """How often each run of n items occurs."""
    return Counter(tuple(items[i : i + n]) for i in range(len(items) - n + 1))


def bleu(predictions: Sequence[str], references: Sequence[str]) -> float:
    """BLEU-4 of a corpus (Papineni et al. 2002), 0 to 100; words are what white space separates.

    The geometric mean of the clipped n-gram precisions, times a penalty for brevity. 0 where one of them is 0.
    """
    matches, totals, ours, theirs = [0] * 4, [0] * 4, 0, 0
    for prediction, reference in zip(predictions, references, strict=True):
        p, r = prediction.split(), reference.split()
        ours, theirs = ours + len(p), theirs + len(r)
        for n in range(4):
            matches[n] += (ngrams(p, n + 1) & ngrams(r, n + 1)).total()
            totals[n] += max(len(p) - n, 0)
    if min(matches) == 0:
        return 0.0
    precision = math.exp(sum(math.log(m / t) for m, t in zip(matches, totals, strict=True)) / 4)
    return 100 * precision * min(1.0, math.exp(1 - theirs / ours))


def chrf(predictions: Sequence[str], references: Sequence[str]) -> float:
    """chrF2 of a corpus (Popović 2015), 0 to 100: F-measure of character n-grams up to 6, recall weighing twice.

    White space is left out. Orders that neither side has are not averaged.
    """
    precisions, recalls = [], []
    pairs = [("".join(p.split()), "".join(r.split())) for p, r in zip(predictions, references, strict=True)]
    for n in range(1, 7):
        grams = [(ngrams(p, n), ngrams(r, n)) for p, r in pairs]
        matches = sum((p & r).total() for p, r in grams)
        ours, theirs = (sum(g[i].total() for g in grams) for i in (0, 1))
        if ours and theirs:
            precisions.append(matches / ours)
            recalls.append(matches / theirs)
    if not precisions:
        return 0.0
    P, R = sum(precisions) / len(precisions), sum(recalls) / len(recalls)
    return 100 * 5 * P * R / (4 * P + R) if P + R else 0.0


@torch.no_grad()
def gold_loss(model: nn.Module, examples: Sequence[Example], size: int = 32) -> float:
    """Loss in nats a token on given answers: it moves before exact match does. Also of base text: forgetting."""
    total, count = 0.0, 0
    for start in range(0, len(examples), size):
        batch = pad_batch(examples[start : start + size])
        total += float(batch_loss(model, batch, 1))
        count += int((batch.labels[:, 1:] >= 0).sum())
    return total / count


@torch.no_grad()
def generate(
    model: nn.Module, prompts: Sequence[Tensor], max_new_tokens: int, end: int, pad_id: int = 0
) -> list[list[int]]:
    """Greedy answers to several prompts at once, without `end`. Shorter prompts are padded on the left."""
    device, T = prompts[0].device, max(map(len, prompts))
    lengths = torch.tensor([len(p) for p in prompts], device=device)
    ids = torch.stack([torch.nn.functional.pad(p, (T - len(p), 0), value=pad_id) for p in prompts])
    seen = torch.arange(T, device=device) >= T - lengths[:, None]  # B T
    own = torch.eye(T, dtype=torch.bool, device=device)  # padding sees itself: no softmax is empty
    mask = torch.ones(T, T, dtype=torch.bool, device=device).tril() & seen[:, None] | own
    positions = (seen.long().cumsum(1) - 1).clamp(min=0)
    cache, answers, done = [], [[] for _ in prompts], torch.zeros(len(prompts), dtype=torch.bool, device=device)
    for _ in range(max_new_tokens):
        ids = model(ids, positions, mask, cache)[:, -1].argmax(-1)[:, None]  # B 1
        done |= ids[:, 0] == end
        if done.all():
            break
        for answer, token, finished in zip(answers, ids[:, 0].tolist(), done.tolist(), strict=True):
            if not finished:
                answer.append(token)
        positions = positions[:, -1:] + 1
        seen = torch.cat([seen, torch.ones_like(seen[:, :1])], 1)
        mask = seen[:, None]
    return answers


def windows(ids: Tensor, length: int, count: int) -> Iterator[Batch]:
    """`count` batches of one stretch of plain text each, evenly spread; every token but the first is scored."""
    for start in torch.linspace(0, len(ids) - length, count).long().tolist():
        part = ids[start : start + length][None]
        yield Batch(part, part)
