"""The headline: base against instruct; full, LoRA and QLoRA; packing; curriculum; tools; forgetting.

Correctness is checked first: packed and padded losses agree, and an adapter begins as the base.
"""

import argparse
import copy
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch

from ..curriculum import curriculum_batches
from ..evaluate import exact_match, generate, gold_loss
from ..finetune import Batch, Example, batch_loss, finetune, pack_batch, pad_batch, shuffled_batches
from ..lora import add_lora, trainable_parameters
from ..model import Config, Decoder
from ..packing import lower_bound
from ..packing_fast import pack_best_fit_fast
from ..qlora import model_bytes, optimizer_bytes, quantize_base
from ..tools import default_tools, parse_tool_call, run_tool_call
from ..world import Pair, WordTokens, example, fact_pairs, prompt_ids, tool_pairs, world_text
from ..world.facts import HELD_OUT, SENTENCES
from ..world.tokens import SYSTEM
from .cli import seeds_of

Log = Callable[[str], None]
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
RANKS = (1, 2, 4, 8, 16)
BASE_STEPS, BASE_LR, TUNE_STEPS, SIZE = 800, 1e-2, 120, 32
LR = {"full": 2e-3, "lora": 1e-2}
DOCUMENTS, SUMS, TESTED_SUMS, WINDOW = 3000, 400, 60, 40
CAPACITY, SEQUENCES = 2048, 20_000


class World(NamedTuple):
    """Everything that a run needs; the test pairs are never trained on."""

    tokens: WordTokens
    text: torch.Tensor  # ids that the base reads
    unread: torch.Tensor  # ids of other documents
    pairs: list[Pair]
    facts: list[Pair]
    sums: list[Pair]

    @property
    def examples(self) -> list[Example]:
        return [example(self.tokens, *pair) for pair in self.pairs]


def make_world(seed: int, quick: bool = False) -> World:
    """Base text, 760 answers to learn from, and questions that are held out."""
    text, unread = world_text(300 if quick else DOCUMENTS, seed), world_text(300, seed + 10_000)
    train_sums = tool_pairs(SUMS, seed)
    known = {pair.answer for pair in train_sums}
    sums = [pair for pair in tool_pairs(SUMS, seed + 20_000) if pair.answer not in known][:TESTED_SUMS]
    pairs, facts = [*fact_pairs(False), *train_sums], fact_pairs(True)
    words = " ".join(f"{p.question} {p.answer}" for p in [*pairs, *facts, *sums])
    tokens = WordTokens(f"{text} {unread} {words} system user assistant tool\n{SYSTEM}")
    few = 6 if quick else None
    return World(tokens, *(torch.tensor(tokens.encode(t)) for t in (text, unread)), pairs, facts[:few], sums[:few])


def base_batches(ids: torch.Tensor, generator: torch.Generator) -> Iterator[Batch]:
    """Random windows of plain text: every token is predicted."""
    while True:
        starts = torch.randint(len(ids) - WINDOW, (SIZE,), generator=generator)
        rows = ids.unfold(0, WINDOW, 1)[starts]
        yield Batch(rows, rows)


def train_base(world: World, seed: int, steps: int, log: Log = lambda line: None) -> Decoder:
    """The model that continues."""
    model = Decoder(Config(len(world.tokens.pieces), d_model=96, layers=2, heads=4, kv_heads=2, ffn=240), seed)
    finetune(model, base_batches(world.text, torch.Generator().manual_seed(seed)), steps, BASE_LR, 1, 0.1, log)
    return model


def answers(model: torch.nn.Module, world: World, pairs: list[Pair]) -> list[str]:
    """What the model says to each question, until it stops or has said 24 tokens."""
    prompts = [prompt_ids(world.tokens, pair.question) for pair in pairs]
    return [world.tokens.decode(ids) for ids in generate(model, prompts, 24, world.tokens.end)]


def scores(model: torch.nn.Module, world: World, base_loss: int | float) -> dict:
    """Shares of right answers to held-out questions, gold loss, and how much worse the base text has become."""
    said = answers(model, world, world.facts)
    facts = sum(exact_match(s, [p.answer]) for s, p in zip(said, world.facts, strict=True)) / len(said)
    called = answers(model, world, world.sums)
    gold = [example(world.tokens, *pair) for pair in [*world.facts, *world.sums]]
    return {
        "prose": recited(model, world),
        "facts": facts,
        "sums": sum(tool_is_right(s, p) for s, p in zip(called, world.sums, strict=True)) / len(called),
        "gold loss": gold_loss(model, gold),
        "forgetting": text_loss(model, world) - base_loss,
        "says": said[0],
    }


@torch.no_grad()
def recited(model: torch.nn.Module, world: World) -> float:
    """The share of the held-out facts that the model completes in the words of the text that the base read."""
    known = [(country, kind) for country in HELD_OUT for kind in SENTENCES]
    right = 0
    for country, kind in known:
        fact = getattr(country, kind)
        start = SENTENCES[kind][0].split("{y}")[0].format(x=country.name).rstrip()
        right += world.tokens.decode([int(model(torch.tensor([world.tokens.encode(start)]))[0, -1].argmax())]) == fact
    return right / len(known)


def tool_is_right(said: str, pair: Pair) -> bool:
    """Does the call, run, give what the gold call gives?"""
    try:
        call, gold = parse_tool_call(said), parse_tool_call(pair.answer)
        return call is not None and run_tool_call(*call, default_tools()) == run_tool_call(*gold, default_tools())
    except ValueError:
        return False


@torch.no_grad()
def text_loss(model: torch.nn.Module, world: World) -> float:
    """Nats a token on documents that nobody trained on: what tuning forgets."""
    rows = world.unread[: len(world.unread) // WINDOW * WINDOW].view(-1, WINDOW)[:64]
    return float(batch_loss(model, Batch(rows, rows)))


def tuned(base: Decoder, world: World, seed: int, steps: int, rank: int = 0, four_bits: bool = False, **more) -> tuple:
    """(model, seconds): the base tuned in full (rank 0), by LoRA, or by LoRA on four bits."""
    model = copy.deepcopy(base)
    torch.manual_seed(seed)
    if rank:
        add_lora(model, more.pop("targets", TARGETS), rank, 2 * rank)
    if four_bits:
        quantize_base(model)
    lr = more.pop("lr", LR["lora" if rank else "full"])
    batches = more.pop("batches", None) or shuffled_batches(world.examples, SIZE, torch.Generator().manual_seed(seed))
    start = time.process_time()
    finetune(model, batches, steps, lr)
    return model, time.process_time() - start


def headline(options: argparse.Namespace, log: Log) -> dict:
    """All parts; about four minutes on one core."""
    seeds = seeds_of(options, 1 if options.quick else 3)
    base_steps, steps = (6, 3) if options.quick else (BASE_STEPS, TUNE_STEPS)
    ranks = RANKS[:1] if options.quick else RANKS
    check(log)
    found = {"seeds": seeds, "base steps": base_steps, "steps": steps, "runs": {}, "packing": packing(log)}
    for seed in seeds:
        world = make_world(seed, options.quick)
        base = train_base(world, seed, base_steps, lambda line, seed=seed: log(f"seed {seed}, base: {line}"))
        base_loss = text_loss(base, world)
        record(found["runs"], "base", base, world, base_loss, 0.0)
        kinds = {"full": {}, **{f"LoRA, r = {r}": {"rank": r} for r in ranks}}
        kinds |= {"QLoRA, r = 4": {"rank": 4, "four_bits": True}}
        for order, start in (("full, easy to hard", 0.2), ("full, the same draws shuffled", 1.0)):
            batches = curriculum_batches(world.examples, steps, SIZE, torch.Generator().manual_seed(seed), start)
            kinds[order] = {"batches": batches}
        for name, how in kinds.items():
            log(f"seed {seed}: {name}")
            model, seconds = tuned(base, world, seed, steps, **how)
            record(found["runs"], name, model, world, base_loss, seconds)
    found["examples"], found["tokens"] = len(world.pairs), len(world.tokens.pieces)
    return found


def record(runs: dict, name: str, model, world: World, base_loss: int | float, seconds: int | float) -> None:
    """One run's figures; each list has one entry a seed."""
    is_base = name == "base"
    values = scores(model, world, base_loss) | {"seconds": seconds}
    values |= {"parameters": 0 if is_base else trainable_parameters(model)}
    values |= {"optimizer": 0 if is_base else optimizer_bytes(model), "bytes": model_bytes(model)}
    for key, value in values.items():
        runs.setdefault(name, {}).setdefault(key, []).append(value)


def check(log: Log) -> None:
    """Raises ValueError where two forms that must agree do not."""
    log("checking")
    model = Decoder(Config(31, 16, 2, 4, 2, 24))
    ids = [torch.arange(n) % 31 for n in (9, 4, 6)]
    examples = [Example(i, torch.where(torch.arange(len(i)) > 1, i, -100)) for i in ids]
    rows = pack_best_fit_fast([len(i) for i in ids], 13)
    losses = [batch_loss(model, b) for b in (pad_batch(examples), pack_batch(examples, rows, 13))]
    logits = model(ids[0][None])
    add_lora(model, TARGETS, 3, 6)
    if not (torch.isclose(*losses, rtol=1e-5) and torch.equal(model(ids[0][None]), logits)):
        raise ValueError(f"losses={losses}: packed and padded must agree, and an adapter must begin as the base")


def long_tailed(count: int = SEQUENCES, seed: int = 0) -> list[int]:
    """Lengths as conversations have them: lognormal, of 16 to `CAPACITY` tokens."""
    normal = torch.randn(count, generator=torch.Generator().manual_seed(seed))
    return (normal * 0.9 + 5.5).exp().clamp(16, CAPACITY).long().tolist()


def packing(log: Log) -> dict:
    """Shares of a batch's tokens that are no padding, for three ways to fill it."""
    log("packing")
    lengths = long_tailed()
    batches = [lengths[i : i + SIZE] for i in range(0, len(lengths), SIZE)]
    rows = pack_best_fit_fast(lengths, CAPACITY)
    total = sum(lengths)
    return {
        "sequences": len(lengths), "rows": len(rows), "lower bound": lower_bound(lengths, CAPACITY),
        "to the longest of all": total / (len(lengths) * max(lengths)),
        "to the batch's longest": total / sum(len(b) * max(b) for b in batches),
        "packed": total / (len(rows) * CAPACITY),
    }  # fmt: skip
