"""A small chat model, trained on the spot: it learns a dozen answers by heart, byte by byte, in seconds.

What is measured with it is the engine. The answers are there so that a reader sees at once whether they are whole.
"""

import argparse
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ..engine.engine import EngineConfig
from ..engine.layouts import LAYOUTS
from ..engine.model import Llama, ModelConfig
from ..engine.runner import ModelRunner
from ..engine.weights import llama_shapes
from ..wire.chat import ChatTemplate
from ..wire.served import ServedModel

END = 256  # the token after the last byte
CONFIG = ModelConfig(vocab_size=257, d_model=96, layers=2, heads=6, kv_heads=2, ffn=256, max_model_len=512)
TEMPLATE = ChatTemplate("{% for m in messages %}{{ m.content }}\n{% endfor %}")
FACTS = {
    "What is a block?": "Memory for the keys and values of sixteen tokens.",
    "What is a block table?": "The list of a request's blocks, in the order of its tokens.",
    "What is chunked prefill?": "A long prompt is computed in pieces, so that no answer stalls.",
    "What is preemption?": "The newest request gives its blocks back and is computed again later.",
    "What does a prefix cache save?": "The work for a beginning that was computed before.",
    "What is copy-on-write?": "A shared block is copied before someone writes into it.",
    "What is continuous batching?": "A request joins or leaves the batch at every step.",
    "Who is preempted first?": "The request that came last.",
    "What is time to first token?": "The time from a request's arrival to its first token.",
    "What ends a stream?": "An event with the data [DONE].",
    "Why is a decode slow?": "All weights are read for a single token.",
    "Why does batching help?": "The weights are read once for all requests of a step.",
}


def encode(text: str) -> list[int]:
    """The bytes of a text."""
    return list(text.encode())


def init(config: ModelConfig, seed: int) -> dict[str, Tensor]:
    """Normal weights of deviation 0.05, and ones for norms."""
    generator = torch.Generator().manual_seed(seed)
    made = {}
    for name, shape in llama_shapes(config).items():
        weight = torch.ones(shape) if len(shape) == 1 else 0.05 * torch.randn(shape, generator=generator)
        made[name] = weight.requires_grad_()
    return made


def loss_of(weights: dict[str, Tensor], config: ModelConfig, rows: Tensor) -> Tensor:
    """Next-token loss of rows of equal length; -1 is padding. The chapter's model, with ordinary attention."""
    B, T = rows.shape
    model = Llama(config, weights)

    def attend(layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        q, k, v = (x.unflatten(0, (B, T)).transpose(1, 2) for x in (q, k, v))
        groups = q.shape[1] // k.shape[1]
        k, v = (x.repeat_interleave(groups, 1) for x in (k, v))
        out = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return out.transpose(1, 2).flatten(0, 1)

    tokens = rows.clamp_min(0)
    everything = torch.arange(B * T)
    logits = model.forward(tokens.flatten(), torch.arange(T).repeat(B), attend, everything).view(B, T, -1)
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), rows[:, 1:].flatten(), ignore_index=-1)


def train(steps: int = 160, seed: int = 0, log: Callable[[str], None] = lambda line: None) -> dict[str, Tensor]:
    """The weights after so many steps on all facts at once."""
    texts = [[*encode(f"{question}\n{answer}"), END] for question, answer in FACTS.items()]
    longest = max(map(len, texts))
    rows = torch.tensor([text + [-1] * (longest - len(text)) for text in texts])
    weights = init(CONFIG, seed)
    optimizer = torch.optim.AdamW(weights.values(), lr=4e-3, weight_decay=0.0)
    for step in range(steps):
        log(f"training, step {step} of {steps}")
        for group in optimizer.param_groups:
            group["lr"] = 4e-3 * min(1.0, (steps - step) / (0.5 * steps))
        optimizer.zero_grad()
        loss = loss_of(weights, CONFIG, rows)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights.values(), 1.0)
        optimizer.step()
    return {name: weight.detach() for name, weight in weights.items()}


def served(weights: dict[str, Tensor], config: EngineConfig, layout: str = "packed", **changes) -> ServedModel:
    """The tiny model as a server's model. `changes` replace fields of ServedModel."""
    attention = "invariant" if layout == "invariant" else "fast"
    runner = ModelRunner(Llama(CONFIG, weights, layout), config.num_blocks, config.block_size, attention)
    token_bytes = [*(bytes([b]) for b in range(256)), b""]
    fields = {"name": "tiny", "runner": runner, "token_bytes": token_bytes, "encode": encode, "end_token": END,
              "max_model_len": CONFIG.max_model_len, "template": TEMPLATE}  # fmt: skip
    return ServedModel(**{**fields, **changes})


def layout_for(options: argparse.Namespace) -> str:
    """The fast layout, where this PyTorch has it."""
    return "packed" if torch.backends.mkldnn.is_available() and "packed" in LAYOUTS else "plain"
