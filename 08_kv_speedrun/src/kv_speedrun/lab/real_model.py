"""SmolLM2-135M-Instruct, a Llama, with the caches of the chapter. The library `gguf` reads the file.

Its nine query heads share three heads of keys and values (Ainslie et al. 2023), so its cache is a third as large. RoPE
turns keys before they are cached (project 03). RMSNorm and SwiGLU stand where GPT-2 has LayerNorm and GELU.

Dimensions: B batch, T tokens fed, Tk tokens attended to, H query heads, K key heads, D width of a head, C = H·D width.
"""

from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from ..attention_fast import attend_fast
from ..cache import KVCache
from ..checks import check_layers, check_tokens
from ..config import Config
from ..model import GPT

NAMES = {"q_proj": "attn_q", "k_proj": "attn_k", "v_proj": "attn_v", "o_proj": "attn_output",
         "gate_proj": "ffn_gate", "up_proj": "ffn_up", "down_proj": "ffn_down",
         "input_norm": "attn_norm", "mlp_norm": "ffn_norm"}  # fmt: skip


class Sizes(NamedTuple):
    """What the file says of the model."""

    layers: int
    heads: int
    kv_heads: int
    width: int
    hidden: int
    vocab_size: int
    context_length: int
    rope_base: float
    norm_eps: float


class LlamaBlock(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x)); no biases."""

    def __init__(self, s: Sizes):
        super().__init__()
        self.sizes = s
        kv_width = s.width // s.heads * s.kv_heads
        self.input_norm = nn.RMSNorm(s.width, s.norm_eps)
        self.q_proj, self.o_proj = (nn.Linear(s.width, s.width, bias=False) for _ in range(2))
        self.k_proj, self.v_proj = (nn.Linear(s.width, kv_width, bias=False) for _ in range(2))
        self.mlp_norm = nn.RMSNorm(s.width, s.norm_eps)
        self.gate_proj, self.up_proj = (nn.Linear(s.width, s.hidden, bias=False) for _ in range(2))
        self.down_proj = nn.Linear(s.hidden, s.width, bias=False)

    def project(self, x: Float[Tensor, "B T C"], turn: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Queries (B H T D), keys and values (B K T D) of these tokens; queries and keys are turned by position."""
        B, T, C = x.shape
        D = C // self.sizes.heads
        normed = self.input_norm(x)
        q, k, v = (proj(normed).view(B, T, -1, D).transpose(1, 2) for proj in (self.q_proj, self.k_proj, self.v_proj))
        return rotate(q, *turn), rotate(k, *turn), v

    def finish(self, x: Float[Tensor, "B T C"], attn_out: Float[Tensor, "B H T D"]) -> Float[Tensor, "B T C"]:
        x = x + self.o_proj(attn_out.transpose(1, 2).flatten(2))
        normed = self.mlp_norm(x)
        return x + self.down_proj(F.silu(self.gate_proj(normed)) * self.up_proj(normed))


class Llama(GPT):
    """The interface of the chapter's GPT. `config` is the shape of its cache: `heads` counts heads of keys."""

    def __init__(self, s: Sizes):
        nn.Module.__init__(self)
        self.sizes, self.attend = s, attend_fast
        self.config = Config(s.vocab_size, s.context_length, s.layers, s.kv_heads, s.width // s.heads * s.kv_heads)
        self.wte = nn.Embedding(s.vocab_size, s.width)
        self.blocks = nn.ModuleList(LlamaBlock(s) for _ in range(s.layers))
        self.final_norm = nn.RMSNorm(s.width, s.norm_eps)
        self.lm_head = nn.Linear(s.width, s.vocab_size, bias=False)
        self.lm_head.weight = self.wte.weight

    def forward(
        self,
        tokens: Shaped[Tensor, "B T"],
        cache: KVCache | None = None,
        num_pad: Tensor | None = None,
        last_only: bool = False,
    ) -> Float[Tensor, "B To V"]:
        """Logits of the token after each of `tokens`, or after the last one only.

        Raises:
            ValueError: as `GPT.forward`, or `num_pad` is given: rows of this model have one length.
        """
        if num_pad is not None:
            raise ValueError("num_pad: this model takes rows of one length; leave it out")
        start = 0 if cache is None else cache.position
        if cache is not None:
            check_layers(cache.layers, self.config.layers)
        check_tokens(tokens, self.config, start)
        turn = angles(start, tokens.shape[1], self.config.head_dim, self.sizes.rope_base)
        x = self.wte(tokens)
        shared = self.sizes.heads // self.sizes.kv_heads
        for layer, block in enumerate(self.blocks):
            q, k, v = block.project(x, turn)
            if cache is not None:
                k, v = cache.update(layer, k, v)  # B K Tk D
            k, v = (y.repeat_interleave(shared, dim=1) for y in (k, v))  # B H Tk D
            x = block.finish(x, self.attend(q, k, v))
        return self.lm_head(self.final_norm(x[:, -1:] if last_only else x))


def angles(start: int, count: int, head_dim: int, base: float) -> tuple[Tensor, Tensor]:
    """Cosines and sines (T, D/2) of RoPE for `count` positions from `start`."""
    positions = torch.arange(start, start + count)[:, None]
    angle = positions * base ** (-torch.arange(0, head_dim, 2) / head_dim)
    return angle.cos(), angle.sin()


def rotate(
    x: Float[Tensor, "B N T D"], cos: Float[Tensor, "T E"], sin: Float[Tensor, "T E"]
) -> Float[Tensor, "B N T D"]:
    """Channels 2i and 2i + 1 turn together: the file stores them as neighbors."""
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), dim=-1).flatten(-2)


def read_llama(path: Path, layers: int | None = None) -> Llama:
    """The model in fp32, in four seconds; only its first `layers` layers where that is given.

    Raises:
        ValueError: the library `gguf` is missing, or the file holds another architecture or a head of its own.
    """
    try:
        from gguf import GGUFReader, dequantize
    except ImportError:
        raise ValueError("gguf is not installed: pip install -e '.[real]'") from None
    reader = GGUFReader(str(path))
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    if (architecture := reader.fields["general.architecture"].contents()) != "llama" or "output.weight" in tensors:
        raise ValueError(f"{path}: architecture {architecture!r}; this loader reads a 'llama' whose head is tied")

    def number(key: str):
        return reader.fields[f"llama.{key}"].contents()

    sizes = Sizes(layers or number("block_count"), number("attention.head_count"), number("attention.head_count_kv"),
                  number("embedding_length"), number("feed_forward_length"),
                  int(tensors["token_embd.weight"].shape[1]), number("context_length"),
                  float(number("rope.freq_base")), float(number("attention.layer_norm_rms_epsilon")))  # fmt: skip

    def weight(name: str) -> Tensor:
        tensor = tensors[f"{name}.weight"]
        return torch.from_numpy(dequantize(tensor.data, tensor.tensor_type).copy())

    with torch.device("meta"):
        model = Llama(sizes)
    state = {"wte.weight": weight("token_embd"), "final_norm.weight": weight("output_norm")}
    state["lm_head.weight"] = state["wte.weight"]
    for layer in range(sizes.layers):
        state |= {f"blocks.{layer}.{ours}.weight": weight(f"blk.{layer}.{theirs}") for ours, theirs in NAMES.items()}
    model.load_state_dict(state, assign=True)
    model.lm_head.weight = model.wte.weight
    return model.eval().requires_grad_(False)
