"""A modern decoder: the same skeleton as `gpt.py`, with one switch for each thing that changed since GPT-2.

Dimensions:
    B  rows of a batch      T  tokens      C  width      H  heads      D  width of a head      V  vocabulary
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from .attention import attend_fast
from .kv_cache import KVCache
from .rotary import rotate


@dataclass(frozen=True)
class ModernConfig:
    """Sizes and switches. The defaults are the modern choice; `modernisations()` lists what each one replaces."""

    vocab_size: int = 65
    context_length: int = 64
    n_layer: int = 2
    n_head: int = 4
    n_embd: int = 128
    norm: str = "rms"  # or "layer"
    positions: str = "rope"  # or "learned"
    ffn: str = "relu2"  # or "swiglu", "gelu"
    qk_norm: bool = True
    tied_head: bool = False
    zero_init: bool = True  # the last matrix of each branch, and the head
    token_shift: bool = True
    window: int | None = None
    sinks: int = 0
    compute_dtype: str = "float32"  # or "bfloat16": weights stay in float32, products are taken in this

    def __post_init__(self):
        choices = {"norm": ("rms", "layer"), "positions": ("rope", "learned"), "ffn": ("relu2", "swiglu", "gelu")}
        choices["compute_dtype"] = ("float32", "bfloat16", "float64")
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name}={getattr(self, name)!r}: choose one of {', '.join(allowed)}")
        if self.n_embd % (2 * self.n_head):
            raise ValueError(f"n_embd={self.n_embd}: must be a multiple of twice n_head={self.n_head}")


class Linear(nn.Linear):
    """Without bias; multiplies in the dtype of its input."""

    def __init__(self, n_in: int, n_out: int):
        super().__init__(n_in, n_out, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight.to(x.dtype))


def normalise(x: Float[Tensor, "*batch C"], kind: str) -> Float[Tensor, "*batch C"]:
    """RMSNorm (Zhang and Sennrich 2019) or LayerNorm, both without a gain: the next matrix has one."""
    if kind == "rms":
        return F.rms_norm(x, (x.shape[-1],))
    return F.layer_norm(x, (x.shape[-1],))


class TokenShift(nn.Module):
    """Adds a learned share of the difference to the previous token, for each channel (Peng et al. 2023, RWKV)."""

    def __init__(self, n_embd: int):
        super().__init__()
        self.share = nn.Parameter(torch.zeros(n_embd))

    def forward(self, x: Float[Tensor, "B T C"], cache: KVCache | None, key: str) -> Float[Tensor, "B T C"]:
        before = F.pad(x, (0, 0, 1, 0))[:, :-1] if cache is None else cache.shift(key, x)
        return x + (before - x) * self.share.to(x.dtype)


class FeedForward(nn.Module):
    """ReLU² (So et al. 2021), SwiGLU (Shazeer 2020) with as many parameters, or GELU."""

    def __init__(self, config: ModernConfig):
        super().__init__()
        C, self.kind = config.n_embd, config.ffn
        hidden = 8 * C // 3 if self.kind == "swiglu" else 4 * C
        self.up = Linear(C, 2 * hidden if self.kind == "swiglu" else hidden)
        self.down = Linear(hidden, C)

    def forward(self, x: Float[Tensor, "B T C"]) -> Float[Tensor, "B T C"]:
        h = self.up(x)
        if self.kind == "swiglu":
            gate, h = h.chunk(2, dim=-1)
            return self.down(F.silu(gate) * h)
        return self.down(F.relu(h).square() if self.kind == "relu2" else F.gelu(h, approximate="tanh"))


class ModernBlock(nn.Module):
    def __init__(self, config: ModernConfig, layer: int):
        super().__init__()
        self.config, self.layer = config, layer
        C = config.n_embd
        self.qkv_proj, self.o_proj = Linear(C, 3 * C), Linear(C, C)
        self.ffn = FeedForward(config)
        if config.token_shift:
            self.shift_1, self.shift_2 = TokenShift(C), TokenShift(C)

    def forward(self, x: Float[Tensor, "B T C"], cache: KVCache | None = None) -> Float[Tensor, "B T C"]:
        c = self.config
        h = normalise(x, c.norm)
        h = self.shift_1(h, cache, f"{self.layer}.attn") if c.token_shift else h
        x = x + self.o_proj(self.attention(h, cache))
        h = normalise(x, c.norm)
        h = self.shift_2(h, cache, f"{self.layer}.ffn") if c.token_shift else h
        return x + self.ffn(h)

    def attention(self, h: Float[Tensor, "B T C"], cache: KVCache | None) -> Float[Tensor, "B T C"]:
        c = self.config
        B, T, C = h.shape
        q, k, v = self.qkv_proj(h).view(B, T, 3, c.n_head, -1).permute(2, 0, 3, 1, 4)  # each B H T D
        if c.qk_norm:
            q, k = normalise(q, c.norm), normalise(k, c.norm)
        if c.positions == "rope":
            first = 0 if cache is None else cache.position
            q, k = rotate(q, first), rotate(k, first)
        if cache is not None:
            k, v = cache.update(self.layer, k, v)
        return attend_fast(q, k, v, c.window, c.sinks).transpose(1, 2).reshape(B, T, C)


class ModernGPT(nn.Module):
    """Tokens into logits. With a `KVCache`, the tokens follow those that the cache holds."""

    def __init__(self, config: ModernConfig):
        super().__init__()
        self.config = config
        C, V = config.n_embd, config.vocab_size
        self.wte = nn.Embedding(V, C)
        if config.positions == "learned":
            self.wpe = nn.Embedding(config.context_length, C)
        self.blocks = nn.ModuleList([ModernBlock(config, layer) for layer in range(config.n_layer)])
        self.lm_head = Linear(C, V)
        if config.tied_head:
            self.lm_head.weight = self.wte.weight
        self.initialise()

    def initialise(self) -> None:
        """Uniform with deviation 1 / (2 sqrt(fan in)); the last matrix of each branch and the head at zero."""
        for name, p in self.named_parameters():
            if name.startswith(("wte", "wpe")):
                nn.init.normal_(p, std=0.02 if self.config.tied_head else 1.0)
            elif self.config.zero_init and name.endswith(("o_proj.weight", "down.weight", "lm_head.weight")):
                nn.init.zeros_(p)
            elif p.ndim == 2:
                bound = 0.5 * (3 / p.shape[1]) ** 0.5
                nn.init.uniform_(p, -bound, bound)

    def forward(self, tokens: Int[Tensor, "B T"], cache: KVCache | None = None) -> Float[Tensor, "B T V"]:
        """Logits in float32 (float64 where that is the compute dtype).

        Raises:
            ValueError: learned positions, and more tokens than `context_length`.
        """
        c, T = self.config, tokens.shape[1]
        first = 0 if cache is None else cache.position
        x = self.wte(tokens)
        if c.positions == "learned":
            if first + T > c.context_length:
                raise ValueError(f"T={first + T}: at most context_length={c.context_length}; crop the tokens")
            x = x + self.wpe.weight[first : first + T]
        dtype = getattr(torch, c.compute_dtype)
        x = normalise(x.to(dtype), c.norm)
        for block in self.blocks:
            x = block(x, cache)
        if cache is not None:
            cache.position += T
        logits = self.lm_head(normalise(x, c.norm))
        return logits.float() if dtype == torch.bfloat16 else logits


def modernisations() -> dict[str, dict]:
    """What undoes each modernisation, one at a time."""
    undo = {"RMSNorm": {"norm": "layer"}, "RoPE": {"positions": "learned"}, "ReLU²": {"ffn": "gelu"}}
    undo |= {"ReLU² for SwiGLU": {"ffn": "swiglu"}, "QK norm": {"qk_norm": False}, "untied head": {"tied_head": True}}
    return undo | {"zero init": {"zero_init": False}, "token shift": {"token_shift": False}}
