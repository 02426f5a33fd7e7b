"""A block beside PyTorch's and GPT-2's, forward and backward, alternating in one run. Correctness comes first."""

import argparse
import time
import warnings
from collections.abc import Callable

import torch
from torch import nn

from ..block import Block
from ..block_fast import FastBlock
from ..config import Config

WIDTH, HEADS, BATCH = 256, 8, 1
PEERS = ("nn.TransformerEncoderLayer", "GPT2Block, eager")


def bench(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """Milliseconds of CPU time for a forward and a backward pass, of each contender and length.

    Raises:
        ValueError: the contenders do not agree.
    """
    lengths = (32, 64) if options.quick else (128, 256, 512, 1024)
    found: dict = {"width": WIDTH, "heads": HEADS, "batch": BATCH, "lengths": {}}
    found["roof"] = roof(log)
    for T in lengths:
        contenders, x = made(T, options.seed)
        error = agreement(contenders, x)
        times: dict[str, list[float]] = {name: [] for name in contenders}
        for repeat in range(3 if options.quick else 8):
            log(f"T = {T}, repeat {repeat}")
            for name, call in contenders.items():
                times[name].append(timed(call, x))
        found["lengths"][str(T)] = {"error": error, "ms": {name: values[1:] for name, values in times.items()}}
    return found


def made(T: int, seed: int) -> tuple[dict[str, Callable], torch.Tensor]:
    """Four blocks with the same weights, as functions of x."""
    from transformers import GPT2Config
    from transformers.models.gpt2.modeling_gpt2 import GPT2Block

    torch.manual_seed(seed)
    block = Block(Config(7, T, layers=1, heads=HEADS, width=WIDTH))
    attention, fast = block.attn, FastBlock(block)
    theirs = nn.TransformerEncoderLayer(WIDTH, HEADS, 4 * WIDTH, 0.0, "gelu", batch_first=True, norm_first=True)
    theirs.self_attn.in_proj_weight.data.copy_(fast.qkv_weight)
    theirs.self_attn.in_proj_bias.data.copy_(fast.qkv_bias)
    pairs = [(theirs.self_attn.out_proj, attention.o_proj), (theirs.linear1, block.mlp.fc_in)]
    pairs += [(theirs.linear2, block.mlp.fc_out), (theirs.norm1, block.ln_1), (theirs.norm2, block.ln_2)]
    for target, source in pairs:
        target.load_state_dict(source.state_dict())
    config = GPT2Config(n_embd=WIDTH, n_head=HEADS, n_positions=T, activation_function="gelu", resid_pdrop=0.0,
                        attn_pdrop=0.0, attn_implementation="eager")  # fmt: skip
    gpt2 = GPT2Block(config, layer_idx=0)
    gpt2.load_state_dict({
        "ln_1.weight": block.ln_1.weight, "ln_1.bias": block.ln_1.bias, "ln_2.weight": block.ln_2.weight,
        "ln_2.bias": block.ln_2.bias, "attn.c_attn.weight": fast.qkv_weight.T, "attn.c_attn.bias": fast.qkv_bias,
        "attn.c_proj.weight": attention.o_proj.weight.T, "attn.c_proj.bias": attention.o_proj.bias,
        "mlp.c_fc.weight": block.mlp.fc_in.weight.T, "mlp.c_fc.bias": block.mlp.fc_in.bias,
        "mlp.c_proj.weight": block.mlp.fc_out.weight.T, "mlp.c_proj.bias": block.mlp.fc_out.bias,
    })  # fmt: skip
    ahead = nn.Transformer.generate_square_subsequent_mask(T)

    def by_gpt2(x):
        out = gpt2(x, attention_mask=ahead[None, None])
        return out[0] if isinstance(out, tuple) else out

    calls = {"ours, plain": block, "ours, fast": fast}
    calls[PEERS[0]] = lambda x: theirs(x, src_mask=ahead, is_causal=True)
    calls[PEERS[1]] = by_gpt2
    return calls, torch.randn(BATCH, T, WIDTH)


def agreement(contenders: dict[str, Callable], x: torch.Tensor) -> float:
    """The largest difference of the outputs. Raises ValueError where it is more than rounding."""
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outputs = [call(x) for call in contenders.values()]
    error = max(float((out - outputs[0]).abs().max()) for out in outputs)
    if error > 1e-4:
        raise ValueError(f"error={error}: the contenders must agree before they are timed")
    return error


def timed(call: Callable, x: torch.Tensor) -> float:
    """Milliseconds of this process's CPU time for the mean of two passes forward and backward."""
    x = x.clone().requires_grad_()
    start = time.process_time()
    for _ in range(2):
        call(x).sum().backward()
    return 1e3 * (time.process_time() - start) / 2


def roof(log: Callable[[str], None]) -> float:
    """GFLOP/s of one large matrix product: what no block can pass."""
    log("the speed of a matrix product")
    a, best = torch.randn(768, 768), 0.0
    for _ in range(8):
        start = time.process_time()
        a @ a
        best = max(best, 2 * 768**3 / (time.process_time() - start) / 1e9)
    return best


def flops(T: int) -> int:
    """Of a forward and a backward pass: three times 24·T·C² + 4·T²·C."""
    return BATCH * 3 * (24 * T * WIDTH**2 + 4 * T**2 * WIDTH)
