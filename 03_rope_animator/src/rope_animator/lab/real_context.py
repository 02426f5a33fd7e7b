"""A real model reads texts of up to four times its trained length, with each way of changing its frequencies.

SmolLM2-135M was trained on 8,192 tokens, with heads of 64 and a base of 100,000. Nothing is trained here. The library
`gguf` reads the file; attention runs over blocks of queries, so that memory grows with the length and not its square.

Dimensions: T tokens, C width, H query heads, G key heads, D width of a head.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Float64, Int
from torch import Tensor

from ..extend import RopeScaling, dynamic_ntk, linear, llama3, ntk_aware, yarn
from ..rope import angles, rotate_heads
from ..sinusoidal import frequencies
from .bench import peak_resident
from .fetch import load_text
from .fetch import model as model_file

FACTOR, BLOCK = 4, 1024  # how much longer than in training; queries of a block, and positions of a bin
Log = Callable[[str], None]


class Sizes(NamedTuple):
    """What the file says of the model."""

    layers: int
    heads: int
    key_heads: int
    base: float
    trained_len: int
    norm_eps: float


class Llama:
    """Token ids to the loss of each next token."""

    def __init__(self, sizes: Sizes, weights: dict[str, Tensor]) -> None:
        self.sizes, self.weights = sizes, weights
        self.head_dim = weights["blk.0.attn_q.weight"].shape[0] // sizes.heads

    @torch.no_grad()
    def losses(self, tokens: Int[Tensor, "T"], scaling: RopeScaling | None = None) -> Float[Tensor, "S"]:
        """Nats of tokens 1 to T - 1, each predicted from all before it."""
        scaling = scaling or RopeScaling(frequencies(self.head_dim, self.sizes.base))
        angle = angles(torch.arange(len(tokens) - 1), scaling.frequencies)
        x = self.weights["token_embd.weight"][tokens[:-1]]  # T C
        for layer in range(self.sizes.layers):
            self._add_attention(x, layer, angle, scaling.attention_factor)
            for rows in x.split(BLOCK):
                normed = self._norm(rows, f"blk.{layer}.ffn_norm")
                gate = F.silu(self._linear(normed, layer, "ffn_gate"))
                rows += self._linear(gate * self._linear(normed, layer, "ffn_up"), layer, "ffn_down")
        head = self.weights["token_embd.weight"]
        nats = [
            F.cross_entropy(self._norm(rows, "output_norm") @ head.T, wanted, reduction="none")
            for rows, wanted in zip(x.split(BLOCK), tokens[1:].split(BLOCK), strict=True)
        ]
        return torch.cat(nats)

    def _add_attention(self, x: Float[Tensor, "T C"], layer: int, angle: Float64[Tensor, "T P"], factor: float) -> None:
        """Adds the attention of one layer to x, block of queries by block of queries."""
        normed, D = self._norm(x, f"blk.{layer}.attn_norm"), self.head_dim
        k = self._turned(normed, layer, "attn_k", angle) * factor  # G T D
        v = self._linear(normed, layer, "attn_v").unflatten(-1, (-1, D)).transpose(0, 1)
        shared = self.sizes.heads // self.sizes.key_heads
        k, v = (y.repeat_interleave(shared, dim=0)[None] for y in (k, v))  # 1 H T D
        for start in range(0, len(x), BLOCK):
            rows = slice(start, start + BLOCK)
            q = self._turned(normed[rows], layer, "attn_q", angle[rows])[None] * factor
            end = start + q.shape[2]
            allowed = torch.ones(q.shape[2], end, dtype=torch.bool).tril(start)
            out = F.scaled_dot_product_attention(q, k[:, :, :end], v[:, :, :end], attn_mask=allowed)
            x[rows] += self._linear(out[0].transpose(0, 1).flatten(1), layer, "attn_output")

    def _turned(self, x: Float[Tensor, "T C"], layer: int, name: str, angle: Tensor) -> Tensor:
        """The heads of a projection, rotated: (heads, T, D). The file has the interleaved layout."""
        heads = self._linear(x, layer, name).unflatten(-1, (-1, self.head_dim)).transpose(0, 1)
        return rotate_heads(heads[None], angle, "interleaved")[0]

    def _norm(self, x: Tensor, name: str) -> Tensor:
        return F.rms_norm(x, x.shape[-1:], self.weights[f"{name}.weight"], self.sizes.norm_eps)

    def _linear(self, x: Tensor, layer: int, name: str) -> Tensor:
        return x @ self.weights[f"blk.{layer}.{name}.weight"].T


def read_llama(path: Path, layers: int | None = None) -> Llama:
    """The model in float32; only its first `layers` layers where that is given.

    Raises:
        ValueError: the library `gguf` is missing, or the file holds another architecture.
    """
    try:
        from gguf import GGUFReader, dequantize
    except ImportError:
        raise ValueError('gguf is not installed: pip install -e ".[real]"') from None
    reader = GGUFReader(str(path))
    if (architecture := reader.fields["general.architecture"].contents()) != "llama":
        raise ValueError(f"{path}: architecture {architecture!r}; this loader reads 'llama'")

    def number(key: str):
        return reader.fields[f"llama.{key}"].contents()

    sizes = Sizes(layers or number("block_count"), number("attention.head_count"), number("attention.head_count_kv"),
                  float(number("rope.freq_base")), number("context_length"),
                  float(number("attention.layer_norm_rms_epsilon")))  # fmt: skip
    weights = {t.name: torch.from_numpy(dequantize(t.data, t.tensor_type).copy()) for t in reader.tensors}
    return Llama(sizes, weights)


def scalings(sizes: Sizes, head_dim: int, factor: float) -> dict[str, RopeScaling]:
    """The frequencies of each scheme for texts `factor` times as long as in training."""
    dim, base, trained_len = head_dim, sizes.base, sizes.trained_len
    return {
        "RoPE as trained": RopeScaling(frequencies(dim, base)),
        "interpolation": linear(dim, base, factor),
        "NTK-aware": ntk_aware(dim, base, factor),
        "dynamic NTK": dynamic_ntk(dim, base, factor, trained_len, int(factor * trained_len)),
        "YaRN": yarn(dim, base, factor, trained_len),
        "Llama 3": llama3(dim, base, factor, trained_len),
    }


def token_ids(path: Path, text: str, count: int) -> Int[Tensor, "T"]:
    """The first `count` tokens of a text; transformers reads the tokenizer from the model's file.

    Raises:
        ValueError: transformers is missing, or the text is too short.
    """
    try:
        from transformers import AutoTokenizer
    except ImportError:
        raise ValueError('transformers is not installed: pip install -e ".[real]"') from None
    tokenizer = AutoTokenizer.from_pretrained(str(path.parent), gguf_file=path.name)
    ids = tokenizer(text[: 8 * count], add_special_tokens=False)["input_ids"][:count]
    if len(ids) < count:
        raise ValueError(f"data={len(ids)} tokens: {count} are needed; use a longer text")
    return torch.tensor(ids)


def smollm2(options: argparse.Namespace, log: Log) -> dict:
    """Loss by position for every scheme: an hour and a half on one core, 3 GB. `--quick`: two layers, short texts.

    Raises:
        OSError: the model or the text is not on this machine.
        ValueError: the extra `real` is missing.
    """
    path = model_file("smollm2", log)
    model = read_llama(path, 2 if options.quick else None)
    if options.quick:
        model.sizes = model.sizes._replace(trained_len=BLOCK)
    count = FACTOR * model.sizes.trained_len + 1
    name = "novels" if options.data == "pydoc" and not options.quick else options.data
    text = load_text(name)
    tokens = token_ids(path, text[len(text) // 3 :], count)
    schemes = scalings(model.sizes, model.head_dim, float(FACTOR))
    curves, seconds = {}, {}
    for scheme, scaling in schemes.items():
        start = time.process_time()
        nats = model.losses(tokens, scaling)
        curves[scheme], seconds[scheme] = nats.split(BLOCK), time.process_time() - start
        log(
            f"{scheme}: "
            + "  ".join(f"{bin_.mean():.2f}" for bin_ in curves[scheme][3::4])
            + f"  {seconds[scheme]:.0f} s"
        )
    peak = peak_resident()
    return {
        "text": name,
        "trained_len": model.sizes.trained_len,
        "factor": FACTOR,
        "block": BLOCK,
        "base": model.sizes.base,
        "curves": {scheme: [bin_.mean().item() for bin_ in bins] for scheme, bins in curves.items()},
        "stderr": {
            scheme: [(bin_.std() / len(bin_) ** 0.5).item() for bin_ in bins] for scheme, bins in curves.items()
        },
        "cpu_seconds": seconds,
        "peak_bytes": peak,
        "threads": options.threads,
    }
