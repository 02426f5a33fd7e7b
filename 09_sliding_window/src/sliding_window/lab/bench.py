"""The band beside PyTorch's attention, and the stream beside a `transformers` cache that is cropped by hand."""

import argparse
import inspect
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F

from ..banded import banded_attention
from ..banded_fast import banded_attention_fast
from ..model import Config, Llama
from ..window import window_mask

T, W, HEADS, D = 4096, 256, 12, 64
SHAPE = Config(512, d_model=256, layers=4, heads=4, kv_heads=4, ffn=512)
WINDOW, SINKS = 252, 4
Log = Callable[[str], None]


def bench(options: argparse.Namespace, log: Log) -> dict:
    """CPU milliseconds, alternating.

    Raises:
        ValueError: the two sides do not agree.
    """
    quick = options.quick
    content = {"shape": [T if not quick else 512, W if not quick else 64, HEADS, D]}
    content["milliseconds"], content["error"] = bands(*content["shape"], options.seed, 2 if quick else 9, log)
    content["scores"] = score_counts(*content["shape"][:2])
    content["decode"], content["decode error"] = streams(options.seed, *((24, 2) if quick else (400, 9)), log)
    return content


def alternating(contenders: dict[str, Callable], repeats: int, log: Log) -> dict[str, list[float]]:
    """CPU milliseconds of each call; the first round warms up."""
    times = {name: [] for name in contenders}
    for repeat in range(repeats + 1):
        log(f"round {repeat} of {repeats}: {', '.join(contenders)}")
        for name, call in contenders.items():
            begin = time.process_time()
            call()
            times[name].append(1e3 * (time.process_time() - begin))
    return {name: values[1:] for name, values in times.items()}


def bands(length: int, window: int, heads: int, width: int, seed: int, repeats: int, log: Log) -> tuple[dict, float]:
    """Four forms of attention on one text."""
    g = torch.Generator().manual_seed(seed)
    q, k, v = (torch.randn(1, heads, length, width, generator=g) for _ in range(3))
    mask = window_mask(length, length, window)
    contenders = {
        "ours, fast": lambda: banded_attention_fast(q, k, v, window),
        "ours, plain": lambda: banded_attention(q, k, v, window),
        "SDPA with the mask": lambda: F.scaled_dot_product_attention(q, k, v, attn_mask=mask),
        "SDPA, causal": lambda: F.scaled_dot_product_attention(q, k, v, is_causal=True),
    }
    want = contenders["SDPA with the mask"]()
    error = max(float((contenders[name]() - want).abs().max()) for name in ("ours, fast", "ours, plain"))
    if error > 1e-5:
        raise ValueError(f"error={error}: the band must equal the mask before anything is timed")
    return alternating(contenders, repeats, log), error


def score_counts(length: int, window: int) -> dict[str, int]:
    """Scores that each form computes for one head: what memory and operations follow."""
    blocks = length // window
    half = window // 2
    return {
        "shown": window * (window + 1) // 2 + (length - window) * window,
        "ours, fast": length // half * half * (half + window - 1),
        "ours, plain": window**2 + (blocks - 1) * window * (2 * window - 1),
        "SDPA with the mask": length**2,
        "SDPA, causal": length * (length + 1) // 2,
    }


def streams(seed: int, count: int, repeats: int, log: Log) -> tuple[dict, float]:
    """Milliseconds for `count` tokens, one at a time, with full caches."""
    torch.manual_seed(seed)
    model = Llama(SHAPE).eval().requires_grad_(False)
    theirs, crop = peer(model)
    length = WINDOW + SINKS + 20
    tokens = torch.randint(SHAPE.vocab_size, (1, length))
    caches = {reassign: model.new_cache(WINDOW, SINKS, reassign) for reassign in (False, True)}
    past = None
    error = 0.0
    for t in range(length):
        want, past = theirs(tokens[:, t : t + 1], past, t)
        crop(past)
        got = model(tokens[:, t : t + 1], caches[False])
        model(tokens[:, t : t + 1], caches[True])
        error = max(error, float((got - want).abs().max()))
    if error > 1e-3:
        raise ValueError(f"error={error}: both streams must agree before they are timed")
    token = tokens[:, :1]

    def run_theirs():
        for t in range(count):
            theirs(token, past, length + t)
            crop(past)

    def run_ours(reassign):
        for _ in range(count):
            model(token, caches[reassign])

    contenders = {
        "ours": lambda: run_ours(True),
        "ours, positions of the text": lambda: run_ours(False),
        "transformers, cropped by hand": run_theirs,
    }
    with torch.no_grad():
        times = alternating(contenders, repeats, log)
    return {name: [1e3 * ms / count for ms in values] for name, values in times.items()}, error


def peer(model: Llama) -> tuple[Callable, Callable]:
    """`transformers`' Llama with the same weights: a step, and the crop of its cache to sinks and window."""
    from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM

    c = model.config
    config = LlamaConfig(
        vocab_size=c.vocab_size, hidden_size=c.d_model, num_hidden_layers=c.layers, num_attention_heads=c.heads,
        num_key_value_heads=c.kv_heads, intermediate_size=c.ffn, rms_norm_eps=c.norm_eps, tie_word_embeddings=True,
        max_position_embeddings=1 << 20,
    )  # fmt: skip
    theirs = LlamaForCausalLM(config).eval().requires_grad_(False)
    ours = model.state_dict()
    for name, value in theirs.state_dict().items():
        key = name.removeprefix("model.").replace("layers.", "blocks.").replace("embed_tokens", "wte")
        key = key.replace("self_attn.", "").replace("mlp.", "").replace("lm_head", "wte")
        key = key.replace("input_layernorm", "attn_norm").replace("post_attention_layernorm", "ffn_norm")
        source = ours[key]
        if "q_proj" in key or "k_proj" in key:  # rotated neighbours -> rotated halves
            source = source.unflatten(0, (-1, c.head_dim // 2, 2)).transpose(1, 2).flatten(0, 2)
        value.copy_(source)
    argument = "cache" if "cache" in inspect.signature(LlamaForCausalLM.forward).parameters else "past_key_values"

    def step(token: torch.Tensor, past, position: int):
        past = DynamicCache() if past is None else past
        out = theirs(token, **{argument: past}, position_ids=torch.tensor([[position]]), use_cache=True)
        return out.logits, past

    def crop(past) -> None:
        for layer in past.layers:
            if layer.keys.shape[2] >= WINDOW + SINKS:
                parts = [(x[:, :, :SINKS], x[:, :, 1 - WINDOW :]) for x in (layer.keys, layer.values)]
                layer.keys, layer.values = (torch.cat(pair, 2) for pair in parts)

    return step, crop
