"""Span corruption and masking beside their peers, alternating in one run. Correctness comes first.

The peers: the loop over texts of transformers' example `run_t5_mlm_flax.py`, written anew here from its description
(the example is no part of the package), and `DataCollatorForLanguageModeling` of the package itself.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from ..masked import mask_tokens
from ..masked_fast import mask_tokens_fast
from ..spans import noise_counts, random_spans, span_corruption
from ..spans_fast import corrupt_batch, draw_uniforms

B, T = 256, 568
VOCAB, SENTINEL, EOS = 32_128, 32_127, 1
SPECIAL, MASK_ID = 106, 103  # ids below SPECIAL are special, as in BERT
SPANS_FAST, SPANS_PLAIN, SPANS_LOOP = "spans_fast.py", "spans.py, text by text", "the example's loop"
MASK_FAST, MASK_PLAIN, COLLATOR = "masked_fast.py", "masked.py", "the collator's masking"
WANTED = {"million tokens a second": 10.0, f"times {SPANS_LOOP}": 10.0, f"times {COLLATOR}": 3.0}


def bench(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """Milliseconds a batch of each form, drawing random numbers included."""
    rng = np.random.default_rng(options.seed)
    ids = rng.integers(SPECIAL, VOCAB - 200, (B, T))
    check_loop(ids[:16], rng)
    contenders = {**span_contenders(ids, rng), **mask_contenders(ids, rng)}
    repeats = 2 if options.quick else 15
    times = {name: [] for name in contenders}
    for repeat in range(repeats):
        log(f"repeat {repeat + 1} of {repeats}")
        for name, call in contenders.items():
            call()
            start = time.perf_counter()
            call()
            times[name].append(1e3 * (time.perf_counter() - start))
    return {"batch": [B, T], "milliseconds": times}


# ---------------------------------------------------------------- span corruption


def loop_over_texts(ids: NDArray, rng: np.random.Generator) -> tuple[NDArray, NDArray]:
    """One text after another: a mask from shuffled borders, sentinels by cumulative sums, a filter for the inputs."""
    masks = np.stack([shuffled_mask(ids.shape[1], rng) for _ in ids])
    return filtered(ids, with_sentinels(masks)), filtered(ids, with_sentinels(~masks))


def shuffled_mask(length: int, rng: np.random.Generator) -> NDArray:
    hidden, spans = noise_counts(length)

    def segments(items: int) -> NDArray:
        borders = np.arange(items - 1) < spans - 1
        rng.shuffle(borders)
        number = np.cumsum(np.pad(borders, [[1, 0]]))
        return np.unique(number, return_counts=True)[1]

    lengths = np.stack([segments(length - hidden), segments(hidden)], 1).reshape(-1)
    starts = np.zeros(length, np.int8)
    starts[np.cumsum(lengths)[:-1]] = True
    return np.cumsum(starts) % 2 == 1


def with_sentinels(masks: NDArray) -> NDArray:
    """Sentinels at the starts of what is dropped, -1 on the rest of it, 0 elsewhere."""
    masks = masks.astype(np.int64)
    starts = masks - np.roll(masks, 1, -1) * masks
    starts[:, 0] = masks[:, 0]
    numbers = np.where(starts != 0, np.cumsum(starts, -1), 0)
    return np.where(numbers != 0, SENTINEL + 1 - numbers, 0) - (masks - starts)


def filtered(ids: NDArray, sentinels: NDArray) -> NDArray:
    full = np.where(sentinels != 0, sentinels, ids)
    kept = full[full >= 0].reshape(len(ids), -1)
    return np.concatenate([kept, np.full((len(ids), 1), EOS)], -1)


def check_loop(ids: NDArray, rng: np.random.Generator) -> None:
    """Raises ValueError where a form's output has another shape, or does not hold every token once."""
    for made in (loop_over_texts(ids, rng), corrupt_batch(ids, SENTINEL, EOS, draw_uniforms(rng, *ids.shape))):
        inputs, targets = made
        both = np.concatenate([inputs, targets], 1)
        spans = noise_counts(T)[1]
        numbers = both.shape[1] - 2 - 2 * spans
        text = np.sort(both, 1)
        if (inputs.shape[1], targets.shape[1]) != (512, 114) or numbers != T:
            raise ValueError(f"shapes={inputs.shape}, {targets.shape}: 512 and 114 are expected")
        if not (text[:, 2 : 2 + T] == np.sort(ids, 1)).all():
            raise ValueError("a token was lost or doubled: forms must agree before they are timed")


def plain_texts(ids: torch.Tensor) -> None:
    for row in ids:
        span_corruption(row, random_spans(T, 0.15, 3.0, torch.rand(2, T)), SENTINEL, EOS)


def span_contenders(ids: NDArray, rng: np.random.Generator) -> dict[str, Callable]:
    tensor = torch.from_numpy(ids)
    return {
        SPANS_FAST: lambda: corrupt_batch(ids, SENTINEL, EOS, draw_uniforms(rng, B, T)),
        SPANS_PLAIN: lambda: plain_texts(tensor),
        SPANS_LOOP: lambda: loop_over_texts(ids, rng),
    }


# ---------------------------------------------------------------- masking


def collator() -> Callable | None:
    """The collator's own masking, or None without transformers."""
    try:
        from transformers import BertTokenizerFast, DataCollatorForLanguageModeling
    except ImportError:
        return None
    words = ["[PAD]", *(f"s{i}" for i in range(1, 100)), "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words += [f"w{i}" for i in range(len(words), VOCAB)]
    tokenizer = BertTokenizerFast(vocab={word: i for i, word in enumerate(words)})
    return DataCollatorForLanguageModeling(tokenizer, mlm=True, mlm_probability=0.15).torch_mask_tokens


def mask_contenders(ids: NDArray, rng: np.random.Generator) -> dict[str, Callable]:
    tensor, special_ids = torch.from_numpy(ids), torch.arange(SPECIAL)
    flags, ordinary = np.arange(VOCAB) < SPECIAL, np.arange(SPECIAL, VOCAB)
    made = {
        MASK_FAST: lambda: mask_tokens_fast(ids, flags, ordinary, MASK_ID, rng),
        MASK_PLAIN: lambda: mask_tokens(tensor, special_ids, MASK_ID, VOCAB, torch.rand(3, B, T)),
    }
    if theirs := collator():
        is_special = tensor < SPECIAL  # given to the collator, which asks a tokenizer for it otherwise
        made[COLLATOR] = lambda: theirs(tensor.clone(), special_tokens_mask=is_special)
    return made
