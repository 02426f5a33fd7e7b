"""QLoRA beside GPTQ on one model: SmolLM2 in NF4 with adapters that learn instructions, and in four-bit GPTQ."""

import argparse
import gc
import json
from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..formats import double_quantize, nf4_quantize
from ..gptq import collect_hessians, gptq_blocks
from ..qlora_vs_gptq import GPTQLinear, lora_parameters, to_nf4, to_qlora, training_bytes
from ..quantize_model import linears, replace_linears
from ..smollm2 import load_decoder, read_checkpoint
from ..train import evaluate, next_token_loss
from . import fetch
from .catalogue import INSTRUCTIONS

Log = Callable[[str], None]
STEPS, LR, RANK, LENGTH = 14, 2e-3, 8, 97


def qlora(options: argparse.Namespace, log: Log) -> dict:
    """Memory, size and loss of both; about five minutes on one core."""
    log("reading the model")
    checkpoint = read_checkpoint(fetch.model(options.model or "smollm2", log))
    model, encode = load_decoder(checkpoint), checkpoint.tokens.encode
    steps, count = (1, 1) if options.quick else (STEPS, 4)
    rows = instructions(encode)
    train_rows, test_rows = rows[:-120], rows[-120:]
    prose = torch.tensor(encode(fetch.load_text(options.data)[:40_000]))
    calibration = prose[: 4 * LENGTH].view(4, LENGTH)
    text = prose[-count * LENGTH :].view(count, LENGTH)
    told = torch.stack(test_rows[:count])
    found: dict = {"steps": steps, "rank": RANK, "models": {}, "bytes": sizes(model)}

    def note(name: str, made: nn.Module) -> None:
        log(name)
        found["models"][name] = {"text": evaluate(made, text), "instructions": evaluate(made, told)}

    note("fp32", model)
    note("NF4", to_nf4(model))
    hessians = collect_hessians(model, calibration)
    note("GPTQ, 4 bits", gptq_model(model, hessians))
    del hessians
    gc.collect()
    adapted = to_qlora(model, RANK)
    learn(adapted, train_rows, steps, options.seed, log)
    note("NF4 + LoRA, trained", adapted)
    found["memory"] = memory(model)
    return found


def instructions(encode: Callable[[str], list[int]]) -> list[Tensor]:
    """Prompt and answer of each entry, as windows of one length; short ones are left out."""
    entries = json.loads(fetch.fetch(INSTRUCTIONS).read_text(encoding="utf-8"))
    text = [f"Instruction: {e['instruction']}\nInput: {e['input']}\nAnswer: {e['output']}\n\n" for e in entries]
    ids = torch.tensor([i for part in text for i in encode(part)])
    return list(ids[: len(ids) // LENGTH * LENGTH].view(-1, LENGTH))


def learn(model: nn.Module, rows: list[Tensor], steps: int, seed: int, log: Log) -> None:
    """AdamW on the adapters alone."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=LR)
    for step in range(steps):
        chosen = torch.randint(len(rows), (2,), generator=generator)
        loss = next_token_loss(model, torch.stack([rows[i] for i in chosen]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        log(f"adapters: step {step + 1} of {steps}, loss {loss.item():.2f}")


def gptq_model(model: nn.Module, hessians: dict[str, Tensor], group: int = 64) -> nn.Module:
    """A copy with packed four-bit layers."""

    def make(name: str, linear: nn.Linear) -> nn.Module:
        return GPTQLinear(gptq_blocks(linear.weight.detach(), hessians[name], 4, group))

    return replace_linears(model, make)


def sizes(model: nn.Module) -> dict:
    """Bytes of the linear layers, and bits a weight."""
    weights = {name: linear.weight for name, linear in linears(model).items()}
    count = sum(w.numel() for w in weights.values())
    nf4 = plain = 0
    for weight in weights.values():
        packed, absmax = nf4_quantize(weight.detach())
        codes, scales, _ = double_quantize(absmax)
        nf4 += packed.numel() + codes.numel() + 4 * scales.numel() + 4
        plain += packed.numel() + 4 * absmax.numel()
    gptq = sum(w.numel() // 2 + 2 * w.numel() // 64 + 2 * w.shape[1] for w in weights.values())
    made = {"fp32": 4 * count, "NF4": plain, "NF4, double quantization": nf4, "GPTQ, groups of 64": gptq}
    return {name: [size, 8 * size / count] for name, size in made.items()}


def memory(model: nn.Module) -> dict:
    """Bytes of weights, gradients and optimizer: full training, LoRA on 16 bits, QLoRA."""
    layers = list(linears(model).values())
    count = sum(linear.weight.numel() for linear in layers)
    adapters = sum(lora_parameters(linear.in_features, linear.out_features, RANK) for linear in layers)
    cases = {
        "full training, 32 bits": training_bytes(count, count, 32),
        "LoRA on 16 bits": training_bytes(count + adapters, adapters, 16),
        "QLoRA": training_bytes(count + adapters, adapters, 4.127),
    }
    return {"adapters": adapters} | {name: [*case, case.total] for name, case in cases.items()}
