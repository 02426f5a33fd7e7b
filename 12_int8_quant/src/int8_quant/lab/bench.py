"""Ours beside its peers, alternating in one run: a W8A8 layer, blocked GPTQ, and int8 decoding."""

import argparse
import copy
import time
from collections.abc import Callable
from statistics import median

import torch
from torch import Tensor, nn

from ..gptq import gptq_blocks, gptq_quantize
from ..granularity import quantize_channels
from ..linear_fast import FastW8A8Linear, fast_int8_linear
from ..model import Config, Decoder, generate
from ..quantize_model import replace_linears

Log = Callable[[str], None]
SIZE = 2048
GPTQ_SIZE = 768
# the shape of SmolLM2-135M
SMOLLM2 = Config(vocab_size=49_152, d_model=576, layers=30, heads=9, kv_heads=3, ffn=1536, rope_base=100_000.0)
WANTED = {"_int_mm": 0.9, "fp32": 3.5, "column loop": 6.0, "generate": 2.0}


def bench(options: argparse.Namespace, log: Log) -> dict:
    """All three; about two minutes on one core.

    Raises:
        ValueError: the sides do not agree.
    """
    found = {"layer": layer(options, log), "gptq": gptq(options, log), "decode": decode(options, log)}
    return found


def race(calls: dict[str, Callable], repeats: int, log: Log) -> dict[str, list[float]]:
    """Milliseconds of each call, in turn, after one that is not counted."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for repeat in range(repeats + 1):
        log(f"repeat {repeat} of {repeats}")
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            times[name].append(1e3 * (time.perf_counter() - start))
    return {name: values[1:] for name, values in times.items()}


def layer(options: argparse.Namespace, log: Log) -> dict:
    """2,048 tokens through a layer of 2,048 × 2,048. Ours includes finding scales, rounding and scaling back."""
    size, repeats = (256, 2) if options.quick else (SIZE, 15)
    generator = torch.Generator().manual_seed(options.seed)
    x, weight = torch.randn(size, size, generator=generator), torch.randn(size, size, generator=generator)
    codes, scales = quantize_channels(weight)
    x_codes = quantize_channels(x)[0]
    exact = x @ weight.T
    error = float((fast_int8_linear(x, codes, scales) - exact).square().mean().sqrt() / exact.square().mean().sqrt())
    if error > 0.02:
        raise ValueError(f"error={error:.3f}: the sides must agree to 2 % before they are timed")
    calls = {
        "ours, W8A8": lambda: fast_int8_linear(x, codes, scales),
        "_int_mm": lambda: torch._int_mm(x_codes, codes.T),
        "fp32": lambda: x @ weight.T,
    }
    with torch.no_grad():
        times = race(calls, repeats, lambda line: log(f"layer: {line}"))
    ours = median(times["ours, W8A8"])
    ratio = {name: median(values) / ours for name, values in times.items()}
    return {"size": size, "error": error, "milliseconds": times, "ratio": ratio, "gops": 2e-6 * size**3 / ours}


def gptq(options: argparse.Namespace, log: Log) -> dict:
    """A weight of 768 × 768 in four bits, by column and in blocks."""
    size, repeats = (64, 2) if options.quick else (GPTQ_SIZE, 7)
    generator = torch.Generator().manual_seed(options.seed)
    weight, inputs = torch.randn(size, size, generator=generator), torch.randn(2 * size, size, generator=generator)
    hessian = inputs.T @ inputs
    column, _ = gptq_quantize(weight, inputs)
    share = float((gptq_blocks(weight, hessian).codes != column).float().mean())
    if share > 0.01:
        raise ValueError(f"share={share}: of the codes differ; float32 rounding explains less than one in a hundred")
    calls = {"blocks": lambda: gptq_blocks(weight, hessian), "column loop": lambda: gptq_quantize(weight, inputs)}
    times = race(calls, repeats, lambda line: log(f"GPTQ: {line}"))
    return {
        "size": size,
        "different": share,
        "milliseconds": times,
        "ratio": median(times["column loop"]) / median(times["blocks"]),
    }


def decode(options: argparse.Namespace, log: Log) -> dict:
    """Tokens a second of a model of SmolLM2's shape: transformers' `generate` in fp32, ours in fp32 and in int8."""
    shape = Config(vocab_size=304, d_model=48, layers=2, heads=4, kv_heads=2, ffn=64) if options.quick else SMOLLM2
    new, repeats = (4, 2) if options.quick else (24, 5)
    model = Decoder(shape, options.seed).requires_grad_(False).eval()
    ids = torch.arange(8)[None] + 5
    eight = to_int8(model)
    theirs = transformers_twin(model)
    found: dict = {"new": new, "weights, MB": {n: size_of(m) / 1e6 for n, m in (("fp32", model), ("int8", eight))}}
    with torch.no_grad():
        exact = model(ids)
        drift = float((theirs(ids).logits - exact).abs().max() / exact.abs().max())
        error = float((eight(ids) - exact).square().mean().sqrt() / exact.square().mean().sqrt())
    if drift > 1e-3 or error > 0.2:
        raise ValueError(f"drift={drift:.1e}, error={error:.2f}: the sides must agree before they are timed")
    found["error"] = error
    calls = {
        "ours, int8": lambda: generate(eight, ids, new),
        "ours, fp32": lambda: generate(model, ids, new),
        "generate": lambda: theirs.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=new,
            min_new_tokens=new,
            do_sample=False,
            pad_token_id=0,
        ),
    }
    times = race(calls, repeats, lambda line: log(f"decode: {line}"))
    found["tokens/s"] = {name: [1e3 * new / t for t in values] for name, values in times.items()}
    ours = median(found["tokens/s"]["ours, int8"])
    found["ratio"] = {name: ours / median(values) for name, values in found["tokens/s"].items()}
    found["bandwidth"] = bandwidth(16 if options.quick else 256)
    found["share"] = ours * size_of(eight) / found["bandwidth"]
    return found


class Int8Head(FastW8A8Linear):
    """The head's weight is the embedding."""

    def __init__(self, weight: Tensor):
        linear = nn.Linear(weight.shape[1], weight.shape[0], bias=False, device="meta")
        linear.weight = nn.Parameter(weight, requires_grad=False)
        super().__init__(linear)


def to_int8(model: Decoder) -> Decoder:
    """A copy with W8A8 layers, the head too."""
    made = replace_linears(model, lambda name, linear: FastW8A8Linear(linear))
    made.head = Int8Head(model.wte.weight)
    return made


def size_of(model: Decoder) -> int:
    """Bytes that a decode step reads: all matrices, and the embedding only where it is the head."""
    tensors = {t.data_ptr(): t for t in [*model.parameters(), *model.buffers()]}
    read = sum(t.numel() * t.element_size() for t in tensors.values())
    return read - (model.wte.weight.nbytes if model.head is not None else 0)


def transformers_twin(model: Decoder) -> nn.Module:
    """transformers' Llama with the same weights: rows of q and k in its order of the rotated halves."""
    import warnings

    c = model.config
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from transformers import LlamaConfig, LlamaForCausalLM

        config = LlamaConfig(
            vocab_size=c.vocab_size,
            hidden_size=c.d_model,
            intermediate_size=c.ffn,
            num_hidden_layers=c.layers,
            num_attention_heads=c.heads,
            num_key_value_heads=c.kv_heads,
            rms_norm_eps=c.norm_eps,
            rope_parameters={"rope_type": "default", "rope_theta": c.rope_base},
            rope_theta=c.rope_base,
            tie_word_embeddings=True,
            bos_token_id=0,
            eos_token_id=1,
            pad_token_id=0,
        )
        twin = LlamaForCausalLM(config).eval().requires_grad_(False)
    state = {"model.embed_tokens.weight": model.wte.weight, "lm_head.weight": model.wte.weight}
    state["model.norm.weight"] = model.norm.weight
    for i, block in enumerate(model.blocks):
        p = f"model.layers.{i}."
        state[p + "input_layernorm.weight"] = block.attn_norm.weight
        state[p + "post_attention_layernorm.weight"] = block.ffn_norm.weight
        for name in ("gate_proj", "up_proj", "down_proj"):
            state[f"{p}mlp.{name}.weight"] = getattr(block, name).weight
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            weight = getattr(block.attn, name).weight
            if name in ("q_proj", "k_proj"):  # neighbours 2i, 2i + 1 become i, i + D/2
                weight = weight.unflatten(0, (-1, c.head_dim // 2, 2)).transpose(1, 2).flatten(0, 2)
            state[f"{p}self_attn.{name}.weight"] = weight
    twin.load_state_dict(copy.deepcopy(state))
    return twin


def bandwidth(megabytes: int, repeats: int = 7) -> float:
    """Bytes/s of a sum over a buffer: the best of a few, because it is a limit."""
    buffer = torch.ones(megabytes * 2**20 // 4)
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        buffer.sum()
        best = min(best, time.perf_counter() - start)
    return buffer.nbytes / best
