"""Break it: five experiments with a mistake switched on, in the small world; and three of seconds for the workbook."""

import argparse
import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch

from ..evaluate import generate, gold_loss
from ..finetune import Example, finetune, pad_batch, shuffled_batches
from ..labels import IGNORE, answer_labels
from ..lora import LoRALinear, trainable_parameters
from ..model import Config, Decoder
from ..packing import packed_layout
from ..variants import DoRALinear, SoftPrompt, rank_stabilized_alpha
from ..world import prompt_ids
from .experiment import (
    BASE_LR,
    BASE_STEPS,
    LR,
    SIZE,
    TARGETS,
    TUNE_STEPS,
    World,
    make_world,
    scores,
    text_loss,
    train_base,
    tuned,
)

Log = Callable[[str], None]


@dataclass(frozen=True)
class Start:
    """A base model in its world."""

    world: World
    base: Decoder
    loss: float
    steps: int


def start(options: argparse.Namespace, log: Log) -> Start:
    """The headline's base of the same seed."""
    world = make_world(options.seed, options.quick)
    base = train_base(world, options.seed, 6 if options.quick else BASE_STEPS, lambda line: log(f"base: {line}"))
    return Start(world, base, text_loss(base, world), 3 if options.quick else TUNE_STEPS)


def break_it(options: argparse.Namespace, log: Log) -> dict:
    """All five, beside the run without the mistake; about a minute and a half."""
    s, seed = start(options, log), options.seed
    world, examples = s.world, s.world.examples
    kinds = {"as it should be": {}, "prompt scored too": {"batches": relabeled(examples, everything, seed)}}
    kinds |= {"end of turn not scored": {"batches": relabeled(examples, lambda e: without_end(e, world), seed)}}
    kinds |= {"learning rate of pre-training": {"lr": BASE_LR}}
    kinds |= {"LoRA, r = 1 everywhere": {"rank": 1}, "LoRA, r = 16 on queries": {"rank": 16, "targets": ["q_proj"]}}
    three = [pad_batch(examples[:3])]
    kinds |= {"three examples": {"batches": iter(three * s.steps)}}
    found = {"steps": s.steps, "runs": {}}
    for name, how in kinds.items():
        log(name)
        model, _ = tuned(s.base, world, seed, s.steps, **how)
        row = scores(model, world, s.loss) | {"parameters": trainable_parameters(model), "tokens": length(model, world)}
        if name == "three examples":
            row["on the three"] = gold_loss(model, examples[:3])
        found["runs"][name] = row
    return found


def everything(e: Example) -> Example:
    return Example(e.input_ids, e.input_ids.clone())


def without_end(e: Example, world: World) -> Example:
    return Example(e.input_ids, torch.where(e.labels == world.tokens.end, IGNORE, e.labels))


def relabeled(examples: list[Example], change: Callable[[Example], Example], seed: int):
    return shuffled_batches([change(e) for e in examples], SIZE, torch.Generator().manual_seed(seed))


def length(model: torch.nn.Module, world: World) -> float:
    """Mean tokens of an answer, of 24 at most: does it stop?"""
    made = generate(model, [prompt_ids(world.tokens, p.question) for p in world.facts[:60]], 24, world.tokens.end)
    return sum(map(len, made)) / len(made)


# ---------------------------------------------------------------- the variants, measured


def variants(options: argparse.Namespace, log: Log) -> dict:
    """LoRA beside its variants in the small world, with the same steps; about a minute."""
    s = start(options, log)
    found = {"steps": s.steps, "runs": {}}
    for name, make in VARIANTS.items():
        log(name)
        torch.manual_seed(options.seed)
        model, lr = make(copy.deepcopy(s.base))
        batches = shuffled_batches(s.world.examples, SIZE, torch.Generator().manual_seed(options.seed))
        finetune(model, batches, s.steps, lr)
        found["runs"][name] = scores(model, s.world, s.loss) | {"parameters": trainable_parameters(model)}
    return found


def adapted(model: Decoder, r: int, alpha: int | float, kind: type = LoRALinear) -> tuple:
    """The model with this kind of adapter in every layer, and its learning rate."""
    model.requires_grad_(False)
    for name, layer in list(model.named_modules()):
        if name.rpartition(".")[2] in TARGETS:
            model.set_submodule(name, kind(layer, r, alpha))
    return model, LR["lora"]


VARIANTS = {
    "LoRA, r = 4": lambda m: adapted(m, 4, 8),
    "DoRA, r = 4": lambda m: adapted(m, 4, 8, DoRALinear),
    "LoRA, r = 64, α = 8": lambda m: adapted(m, 64, 8),
    "rank-stabilised, r = 64, α = 8": lambda m: adapted(m, 64, rank_stabilized_alpha(8, 64)),
    "prompt tuning, 16 tokens": lambda m: (SoftPrompt(m, 16), 5e-2),
}


# ---------------------------------------------------------------- of seconds, for the workbook

HEADER, END = (1, 7, 3), 2


def letters(count: int, seed: int) -> list[Example]:
    """The user says two letters (10 to 19), and the assistant answers with each plus 20."""
    made = []
    for i in range(count):
        said = torch.randint(10, 20, (2,), generator=torch.Generator().manual_seed(1000 * seed + i))
        ids = torch.tensor([1, 5, 3, *said.tolist(), END, 3, *HEADER, *(said + 20).tolist(), END, 3])
        made.append(Example(ids, answer_labels(ids, HEADER, END)))
    return made


def small(mistake: str = "") -> dict:
    """A tiny model that learns `letters` in two seconds: share of right answers, and their mean length (8 at most)."""
    examples, held_out = letters(300, 0), letters(40, 7)
    if mistake == "end not scored":
        examples = [Example(e.input_ids, torch.where(e.labels == END, IGNORE, e.labels)) for e in examples]
    if mistake == "prompt scored":
        examples = [Example(e.input_ids, e.input_ids.clone()) for e in examples]
    model = Decoder(Config(40, 48, 2, 4, 2, 96), seed=1)
    finetune(model, shuffled_batches(examples, 32, torch.Generator().manual_seed(0)), 90, 6e-3)
    said = generate(model, [e.input_ids[:10] for e in held_out], 8, END)
    right = sum(s == (e.input_ids[3:5] + 20).tolist() for s, e in zip(said, held_out, strict=True))
    return {"right": right / len(said), "tokens": sum(map(len, said)) / len(said)}


def first_gradients(a_zero: bool, b_zero: bool) -> tuple[float, float]:
    """Sizes of the gradients of A and B before the first step."""
    torch.manual_seed(0)
    layer = LoRALinear(torch.nn.Linear(16, 8), r=4, alpha=8)
    with torch.no_grad():
        layer.A.mul_(not a_zero)
        if not b_zero:
            layer.B.uniform_(-0.25, 0.25)
    layer(torch.randn(32, 16)).square().mean().backward()
    return float(layer.A.grad.norm()), float(layer.B.grad.norm())


@torch.no_grad()
def packed_difference(mask: bool, positions: bool) -> float:
    """The largest change of the second sequence's logits when it is packed, with mask and positions or without."""
    model = Decoder(Config(31, 16, 2, 4, 2, 24), seed=1)
    first, second = torch.arange(7) * 3 % 31, torch.arange(5) * 5 % 31
    position_ids, attention_mask = packed_layout([7, 5], 12)
    row = torch.cat([first, second])[None]
    packed = model(row, position_ids[None] if positions else None, attention_mask[None] if mask else None)
    return float((packed[0, 7:] - model(second[None])[0]).abs().max())
