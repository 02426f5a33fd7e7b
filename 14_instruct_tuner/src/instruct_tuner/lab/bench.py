"""Ours beside its peers in one run, alternating: packing beside TRL, packed beside padded, a LoRA step beside peft."""

import argparse
import copy
import time
import warnings
from collections.abc import Callable
from statistics import median

import torch

from ..finetune import Example, batch_loss, pack_batch, pad_batch
from ..lora import add_lora
from ..model import Config, Decoder
from ..packing import lower_bound
from ..packing_fast import pack_best_fit_fast
from .experiment import CAPACITY, SEQUENCES, TARGETS, long_tailed

Log = Callable[[str], None]
WANTED = {"packing": 5.0, "useful tokens": 3.0, "LoRA step": 1.0}
MOST_OVER_BOUND = 1.001
BATCH, ROW = 32, 512


def bench(options: argparse.Namespace, log: Log) -> dict:
    """CPU milliseconds of each side, in turn; about a minute."""
    repeats = 2 if options.quick else 7
    return {
        "packing": packing(2_000 if options.quick else SEQUENCES, repeats, log),
        "useful tokens": useful_tokens(options.seed, repeats, log),
        "LoRA step": lora_step(options.seed, repeats, 16 if options.quick else 128, log),
    }


def alternating(calls: dict[str, Callable], repeats: int, log: Log) -> dict[str, list[float]]:
    """CPU milliseconds of each call, in turn, after one call that is not counted."""
    times = {name: [] for name in calls}
    for repeat in range(repeats + 1):
        log(f"repeat {repeat} of {repeats}")
        for name, call in calls.items():
            start = time.process_time()
            call()
            if repeat:
                times[name].append(1e3 * (time.process_time() - start))
    return times


def packing(count: int, repeats: int, log: Log) -> dict:
    """Best-fit decreasing of so many sequences. TRL's function moves their tokens as well; ours says where they go."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from datasets import Dataset, disable_progress_bars
        from trl import pack_dataset

    disable_progress_bars()
    lengths = long_tailed(count)
    data = Dataset.from_dict({"input_ids": [[7] * n for n in lengths]})
    rows = {}

    def ours():
        rows["ours"] = len(pack_best_fit_fast(lengths, CAPACITY))

    def theirs():
        rows["TRL"] = len(pack_dataset(data, CAPACITY, strategy="bfd", map_kwargs={"load_from_cache_file": False}))

    times = alternating({"ours": ours, "TRL": theirs}, repeats, log)
    return {"milliseconds": times, "rows": rows, "lower bound": lower_bound(lengths, CAPACITY), "sequences": count}


def useful_tokens(seed: int, repeats: int, log: Log) -> dict:
    """Forward and backward over the same sequences, padded to each batch's longest, and packed.

    Raises:
        ValueError: the two losses differ.
    """
    model = Decoder(Config(97, d_model=128, layers=2, heads=4, kv_heads=2, ffn=320), seed)
    lengths = [max(4, n * ROW // CAPACITY) for n in long_tailed(2 * BATCH, seed)]
    generator = torch.Generator().manual_seed(seed)
    ids = [torch.randint(1, 97, (n,), generator=generator) for n in lengths]
    examples = [Example(i, torch.where(torch.arange(len(i)) > 0, i, -100)) for i in ids]
    rows = pack_best_fit_fast(lengths, ROW)
    count = sum(lengths) - len(lengths)

    def padded() -> float:
        return run([pad_batch(examples[i : i + BATCH]) for i in range(0, len(examples), BATCH)])

    def packed() -> float:
        return run([pack_batch(examples, rows[i : i + 8], ROW) for i in range(0, len(rows), 8)])

    def run(batches) -> float:
        total = 0.0
        for batch in batches:
            loss = batch_loss(model, batch, count)
            loss.backward()
            total += loss.item()
        model.zero_grad()
        return total

    losses = padded(), packed()
    if abs(losses[0] - losses[1]) > 1e-4:
        raise ValueError(f"losses={losses}: padded and packed must agree before they are timed")
    times = alternating({"packed": packed, "padded": padded}, repeats, log)
    shares = {"packed": sum(lengths) / (len(rows) * ROW)}
    shares["padded"] = sum(lengths) / sum(
        BATCH * max(lengths[i : i + BATCH]) for i in range(0, len(lengths), BATCH)
    )  # fmt: skip
    return {"milliseconds": times, "tokens": sum(lengths), "shares": shares}


def lora_step(seed: int, repeats: int, length: int, log: Log) -> dict:
    """Forward, backward and AdamW on the same model of transformers, with our layers and with peft's.

    Raises:
        ValueError: the two losses differ.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import peft
        from transformers import LlamaConfig, LlamaForCausalLM

        torch.manual_seed(seed)
        config = LlamaConfig(vocab_size=1024, hidden_size=256, intermediate_size=640, num_hidden_layers=4,
                             num_attention_heads=8, num_key_value_heads=4)  # fmt: skip
        base = LlamaForCausalLM(config)
        theirs = peft.get_peft_model(copy.deepcopy(base), peft.LoraConfig(r=8, lora_alpha=16, target_modules=TARGETS))
        add_lora(base, TARGETS, 8, 16)
        ids = torch.randint(1024, (4, length))
        sides = {"ours": base, "peft": theirs}
        optimizers = {n: torch.optim.AdamW([p for p in m.parameters() if p.requires_grad]) for n, m in sides.items()}

        def step(name: str) -> float:
            loss = sides[name](input_ids=ids, labels=ids).loss
            loss.backward()
            optimizers[name].step()
            optimizers[name].zero_grad()
            return loss.item()

        losses = [step(name) for name in sides]
        if abs(losses[0] - losses[1]) > 1e-5:
            raise ValueError(f"losses={losses}: both sides must agree before they are timed")
        times = alternating({name: lambda name=name: step(name) for name in sides}, 3 * repeats, log)
    return {"milliseconds": times, "tokens": ids.numel()}


def ratio(part: dict, ours: str, theirs: str) -> float:
    """How many times faster ours is, by medians."""
    return median(part["milliseconds"][theirs]) / median(part["milliseconds"][ours])
