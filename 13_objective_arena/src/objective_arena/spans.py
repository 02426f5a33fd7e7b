"""Span corruption (Raffel et al. 2020), UL2's mixture (Tay et al. 2022) and fill-in-the-middle (Bavarian et al. 2022).

All three hide a part of a text and ask for it in writing, so that a model which writes from left to right learns from
both sides. Span corruption replaces each hidden span by a sentinel. The targets are the sentinels, each followed by
what it hides. Sentinels descend: the first is the vocabulary's highest id, as in T5.

Dimensions:
    T tokens, S spans
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor


def random_partition(total: int, parts: int, uniforms: Float[Tensor, " gaps"]) -> Int[Tensor, " parts"]:
    """Lengths of `parts` random parts, none empty, whose sum is `total`.

    Gap i lies behind item i; there are total - 1 gaps. Those with the smallest uniform numbers are cut. All ways to
    cut have the same probability.

    Raises:
        ValueError: fewer items than parts, or no part.
    """
    if not 1 <= parts <= total:
        raise ValueError(f"parts={parts}: {total} items have 1 to {total} parts that are not empty")
    cuts = uniforms.argsort()[: parts - 1].sort().values + 1
    edges = torch.cat([torch.tensor([0]), cuts, torch.tensor([total])])
    return edges.diff()


def span_corruption(
    ids: Int[Tensor, " T"], spans: Int[Tensor, "S 2"], sentinel_id: int, eos_id: int
) -> tuple[Int[Tensor, " inputs"], Int[Tensor, " targets"]]:
    """Inputs, in which each span [start, end) is one sentinel, and targets, which say what each sentinel hides.

    Sentinels are sentinel_id, sentinel_id - 1, … in the order of the text. Spans that touch keep a sentinel each.
    Both outputs end with `eos_id`.

    Raises:
        ValueError: a span that is empty, overlaps the one before it, or leaves the text.
    """
    inputs, targets, done = [], [], 0
    for i, (start, end) in enumerate(spans.tolist()):
        if not done <= start < end <= len(ids):
            raise ValueError(f"spans[{i}]=[{start}, {end}): spans ascend and do not overlap; {len(ids)} tokens")
        sentinel = ids.new_tensor([sentinel_id - i])
        inputs += [ids[done:start], sentinel]
        targets += [sentinel, ids[start:end]]
        done = end
    eos = ids.new_tensor([eos_id])
    return torch.cat([*inputs, ids[done:], eos]), torch.cat([*targets, eos])


def restore(
    inputs: Int[Tensor, " inputs"], targets: Int[Tensor, " targets"], sentinel_id: int, spans: int
) -> Int[Tensor, " T"]:
    """The text that span corruption came from: each sentinel of the inputs gives way to what it hides."""
    text, hidden = inputs[:-1].tolist(), targets[:-1].tolist()
    sentinels = range(sentinel_id, sentinel_id - spans, -1)
    starts = [hidden.index(s) for s in sentinels] + [len(hidden)]
    for i, sentinel in enumerate(sentinels):
        at = text.index(sentinel)
        text[at : at + 1] = hidden[starts[i] + 1 : starts[i + 1]]
    return inputs.new_tensor(text)


def noise_counts(T: int, density: float = 0.15, mean_length: float = 3.0) -> tuple[int, int]:
    """(hidden tokens, spans) of a text, as in T5: at least one of each, and a visible token before each span."""
    hidden = min(max(round(T * density), 1), T - 1)
    spans = min(max(round(hidden / mean_length), 1), T - hidden)
    return hidden, spans


def corrupted_lengths(T: int, density: float = 0.15, mean_length: float = 3.0) -> tuple[int, int]:
    """(inputs, targets) of a text of T tokens, sentinels and end-of-text included."""
    hidden, spans = noise_counts(T, density, mean_length)
    return T - hidden + spans + 1, hidden + spans + 1


def raw_length(inputs_length: int, density: float = 0.15, mean_length: float = 3.0) -> tuple[int, int]:
    """(tokens of text, targets) that fill an input of this length: 512 needs 568, and gives 114 targets."""
    T = inputs_length
    while corrupted_lengths(T + 1, density, mean_length)[0] <= inputs_length:
        T += 1
    return T, corrupted_lengths(T, density, mean_length)[1]


def random_spans(T: int, density: float, mean_length: float, uniforms: Float[Tensor, "2 T"]) -> Int[Tensor, "S 2"]:
    """Visible and hidden parts in turn; a text begins with a visible part and ends with a hidden one, as in T5."""
    hidden, spans = noise_counts(T, density, mean_length)
    visible_lengths = random_partition(T - hidden, spans, uniforms[0, : T - hidden - 1])
    hidden_lengths = random_partition(hidden, spans, uniforms[1, : hidden - 1])
    ends = (visible_lengths + hidden_lengths).cumsum(0)
    return torch.stack([ends - hidden_lengths, ends], 1)


@dataclass(frozen=True)
class Denoiser:
    """One of UL2's tasks. A `mean_length` of None hides the end of the text: the S-denoiser, a prefix task."""

    mode: str
    density: float
    mean_length: float | None

    def spans(self, T: int, uniforms: Float[Tensor, "2 T"]) -> Int[Tensor, "S 2"]:
        """The hidden spans of a text of T tokens."""
        if self.mean_length is None:
            return torch.tensor([[T - max(1, round(T * self.density)), T]])
        return random_spans(T, self.density, self.mean_length, uniforms)


# Regular, extreme and sequential denoising: table 1 of the UL2 paper.
UL2 = (
    Denoiser("R", 0.15, 3.0),
    Denoiser("R", 0.15, 8.0),
    Denoiser("X", 0.5, 3.0),
    Denoiser("X", 0.5, 8.0),
    Denoiser("X", 0.15, 64.0),
    Denoiser("X", 0.5, 64.0),
    Denoiser("S", 0.25, None),
)


def fill_in_the_middle(
    ids: Int[Tensor, " T"], start: int, end: int, marks: Int[Tensor, "4"], order: str = "psm"
) -> Int[Tensor, " T+4"]:
    """The text [prefix, middle, suffix] with its middle [start, end) moved to the end, so that it is written last.

    `marks` are the ids of <PRE>, <SUF>, <MID> and <EOT>. The orders:
        "psm"    <PRE> prefix <SUF> suffix <MID> middle <EOT>
        "spm"    <PRE> <SUF> suffix <MID> prefix middle <EOT>

    The output has the dtype of `ids`.

    Raises:
        ValueError: another order, or not 0 <= start <= end <= T.
    """
    if order not in {"psm", "spm"}:
        raise ValueError(f"order={order!r}: choose 'psm' or 'spm'")
    if not 0 <= start <= end <= len(ids):
        raise ValueError(f"start={start}, end={end}: the middle lies in the text of {len(ids)} tokens")
    pre, suf, mid, eot = marks.to(ids.dtype).split(1)
    prefix, middle, suffix = ids[:start], ids[start:end], ids[end:]
    if order == "psm":
        return torch.cat([pre, prefix, suf, suffix, mid, middle, eot])
    return torch.cat([pre, suf, suffix, mid, prefix, middle, eot])
