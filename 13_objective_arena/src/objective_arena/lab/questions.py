"""The same questions for every model, each put in the form that its objective has taught it.

A question is a text [left, hidden, right]. The model gives the probability of each hidden token, and all are told the
hidden tokens before it. A causal or prefix model cannot see `right`.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from ..arena import SpecialTokens, random_windows
from ..attention_masks import bidirectional_attention_mask
from ..causal import causal_attention_mask
from ..model import Transformer
from ..prefix import prefix_attention_mask
from .corpus import Corpus

LENGTH, HIDDEN = 24, 3
READERS = ("prefix", "spans", "masked")  # those that read in both directions


def forms(name: str, left: Tensor, hidden: Tensor, right: Tensor, special: SpecialTokens) -> Iterator[tuple]:
    """(inputs, attention mask, position of the prediction, which hidden token) of one model's way to ask."""
    B, L, H = len(left), left.shape[1], hidden.shape[1]

    def column(token: int) -> Tensor:
        return torch.full((B, 1), token)

    if name == "masked":
        for k in range(H):
            blank = torch.full((B, H - k), special.mask)
            inputs = torch.cat([left, hidden[:, :k], blank, right], 1)
            yield inputs, bidirectional_attention_mask(inputs.shape[1]), L + k, k
        return
    if name == "middle":
        pre, suf, mid, _ = special.marks.tolist()
        read = torch.cat([column(pre), left, column(suf), right, column(mid)], 1)
    elif name == "spans":
        read = torch.cat([left, column(special.sentinel), right, column(special.eos), column(special.sentinel)], 1)
    else:
        read = left
    inputs = torch.cat([read, hidden], 1)
    T = inputs.shape[1]
    prefix = {"spans": read.shape[1] - 1, "prefix": L}.get(name)  # the written sentinel is no part of the prefix
    mask = causal_attention_mask(T) if prefix is None else prefix_attention_mask(torch.tensor([prefix]), T)[0]
    for k in range(H):
        yield inputs, mask, read.shape[1] - 1 + k, k


@torch.no_grad()
def answer(model: Transformer, name: str, windows: Tensor, start: int, end: int) -> tuple[float, float]:
    """(loss in nats, accuracy) of the hidden tokens [start, end) of every window."""
    special = SpecialTokens(model.config.vocab_size - SpecialTokens(0).vocab_size)
    left, hidden, right = windows[:, :start], windows[:, start:end], windows[:, end:]
    losses, hits = [], []
    for inputs, mask, at, k in forms(name, left, hidden, right, special):
        logits = model(inputs, mask)[:, at]
        losses.append(F.cross_entropy(logits, hidden[:, k]).item())
        hits.append((logits.argmax(-1) == hidden[:, k]).float().mean().item())
    return sum(losses) / len(losses), sum(hits) / len(hits)


def windows_of(corpus: Corpus, count: int, seed: int, length: int = LENGTH, test: bool = True) -> tuple[Tensor, Tensor]:
    """Windows from every part in equal numbers, and the number of each window's part."""
    generator = torch.Generator().manual_seed(seed)
    parts = corpus.test if test else corpus.train
    each = count // len(parts)
    windows = torch.cat([random_windows(part, each, length, generator) for part in parts])
    return windows, torch.arange(len(parts)).repeat_interleave(each)


LONGEST = 7  # letters; longer words count as this long
PROBED = slice(8, 16)  # positions of a window whose words are seldom cut off


def word_lengths(letters: Tensor) -> Tensor:
    """For each position (B, T) the length of the word that it is in, 0 outside of words."""
    lengths = torch.zeros(letters.shape, dtype=torch.int64)
    for row, flags in zip(lengths, letters.tolist(), strict=True):
        start = 0
        for t, flag in enumerate([*flags, False]):
            if not flag:
                row[start:t] = min(t - start, LONGEST)
                start = t + 1
    return lengths


@torch.no_grad()
def probe(model: Transformer, name: str, corpus: Corpus, count: int, seed: int) -> float:
    """Accuracy of a linear classifier on the last layer: how long is the word that a position is in?

    Readers look in both directions, writers do not.
    """
    mask = bidirectional_attention_mask(LENGTH) if name in READERS else causal_attention_mask(LENGTH)
    letters = torch.tensor([character.isalpha() for character in corpus.characters])
    parts = []
    for test, n in ((False, count), (True, count // 2)):
        windows, _ = windows_of(corpus, n, seed + test, test=test)
        x = model.hidden(windows, mask)[:, PROBED].flatten(0, 1).double()
        parts.append((x, word_lengths(letters[windows])[:, PROBED].flatten()))
    (x, y), (x_test, y_test) = parts
    mean, deviation = x.mean(0), x.std(0) + 1e-6
    x, x_test = (F.pad((v - mean) / deviation, (0, 1), value=1.0) for v in (x, x_test))
    ridge = len(x) * 1e-3 * torch.eye(x.shape[1], dtype=torch.float64)
    weights = torch.linalg.solve(x.T @ x + ridge, x.T @ F.one_hot(y, LONGEST + 1).double())
    return ((x_test @ weights).argmax(-1) == y_test).double().mean().item()
