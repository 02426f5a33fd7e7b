"""A decoder with the shape of GPT-2 (Radford et al. 2019), whose forward pass takes a cache or does without.

Learned positions, LayerNorm before each sub-layer, GELU in its tanh form, the head tied to the token embedding. With
a cache only two lines differ: where positions start, and where keys and values are sent before attention reads them.

Dimensions: B batch, T tokens fed, Tk tokens attended to, H heads, D width of a head, C = H·D width, V vocabulary.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from . import weights
from .attention import attend


@dataclass(frozen=True)
class Config:
    """The shape of a model. `context` is the length of the position table: the longest sequence it can see."""

    vocab_size: int
    context: int
    layers: int
    heads: int
    width: int

    def __post_init__(self):
        for name, value in asdict(self).items():
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"Config: {name}={value!r} must be a positive whole number")
        if self.width % self.heads:
            raise ValueError(f"Config: width={self.width} must be divisible by heads={self.heads}")

    @property
    def head_dim(self) -> int:
        return self.width // self.heads

    @classmethod
    def gpt2(cls) -> "Config":
        """GPT-2 small: 124 million parameters, of which 38.6 million are the tied embedding and head."""
        return cls(vocab_size=50257, context=1024, layers=12, heads=12, width=768)


class Heads(nn.Module):
    """The two projections of multi-head attention: into heads, and back out of them."""

    def __init__(self, config: Config):
        super().__init__()
        self.heads = config.heads
        self.qkv = nn.Linear(config.width, 3 * config.width)
        self.out = nn.Linear(config.width, config.width)

    def split(self, x: Float[Tensor, "B T C"]) -> tuple[Float[Tensor, "B H T D"], ...]:
        B, T, C = x.shape
        return self.qkv(x).view(B, T, 3, self.heads, C // self.heads).permute(2, 0, 3, 1, 4).unbind(0)

    def merge(self, mixed: Float[Tensor, "B H T D"]) -> Float[Tensor, "B T C"]:
        return self.out(mixed.transpose(1, 2).flatten(2))


class Block(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x)), cut open where a cache goes in.

    `project` is all that happens before attention, `finish` all that happens after; both look at one token at a time,
    so that attention is the only place where a token meets another.
    """

    def __init__(self, config: Config):
        super().__init__()
        self.norm_1 = nn.LayerNorm(config.width)
        self.attention = Heads(config)
        self.norm_2 = nn.LayerNorm(config.width)
        self.up = nn.Linear(config.width, 4 * config.width)
        self.down = nn.Linear(4 * config.width, config.width)

    def project(self, x: Float[Tensor, "B T C"]) -> tuple[Float[Tensor, "B H T D"], ...]:
        """Queries, keys and values of these tokens."""
        return self.attention.split(self.norm_1(x))

    def finish(self, x: Float[Tensor, "B T C"], mixed: Float[Tensor, "B H T D"]) -> Float[Tensor, "B T C"]:
        """The residual stream after attention has `mixed` the values, and after the MLP."""
        x = x + self.attention.merge(mixed)
        return x + self.down(F.gelu(self.up(self.norm_2(x)), approximate="tanh"))


class GPT(nn.Module):
    """The decoder. `attend` may be replaced by any function with the signature of `attention.attend`."""

    def __init__(self, config: Config, attend: Callable = attend, seed: int = 0):
        super().__init__()
        self.config, self.attend = config, attend
        self.token = nn.Embedding(config.vocab_size, config.width)
        self.place = nn.Embedding(config.context, config.width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        self.head = nn.Linear(config.width, config.vocab_size, bias=False)
        self.head.weight = self.token.weight
        if not self.token.weight.is_meta:
            self._initialise(torch.Generator().manual_seed(seed))

    def _initialise(self, generator: torch.Generator) -> None:
        """N(0, 0.02²), zero biases, and what is added to the residual stream smaller by √(2L) (GPT-2, §2.3)."""
        for name, p in self.named_parameters():
            if p.dim() == 2:
                residual = name.endswith(("attention.out.weight", "down.weight"))
                std = 0.02 / (2 * self.config.layers) ** 0.5 if residual else 0.02
                nn.init.normal_(p, std=std, generator=generator)
            elif name.endswith("bias"):
                nn.init.zeros_(p)

    def forward(
        self,
        tokens: Shaped[Tensor, "B T"],
        cache=None,
        pad: Int[Tensor, "_"] | None = None,
        last_only: bool = False,
    ) -> Float[Tensor, "B To V"]:
        """Logits of the token that follows each of `tokens` (or only the last of them, with `last_only`).

        With a cache, `tokens` are those that come after the cache.position tokens it already holds. `pad` counts the
        padding tokens at the left of each row's prompt: they are hidden from attention, and the row's positions
        start after them.

        Raises ValueError for an empty prompt, a position beyond the table, tokens that are not integers or outside
        the vocabulary.
        """
        start = 0 if cache is None else cache.position
        self._check(tokens, start, pad)
        position = torch.arange(start, start + tokens.shape[1], device=tokens.device)[None]         # 1 T
        keep = None
        if pad is not None:
            position = (position - pad[:, None]).clamp(min=0)      # B T; padding itself may sit anywhere: it is hidden
            keep = torch.arange(start + tokens.shape[1], device=tokens.device) >= pad[:, None]      # B Tk
        x = self.token(tokens) + self.place(position)
        for layer, block in enumerate(self.blocks):
            q, k, v = block.project(x)
            if cache is not None:
                k, v = cache.update(layer, k, v)                                                    # B H Tk D
            x = block.finish(x, self.attend(q, k, v, keep))
        return self.head(self.norm(x[:, -1:] if last_only else x))

    def _check(self, tokens: Tensor, start: int, pad: Tensor | None) -> None:
        if tokens.dtype not in (torch.int64, torch.int32):
            raise ValueError(f"tokens are {tokens.dtype}; they must be int64 or int32: pass tokens.long()")
        if tokens.dim() != 2 or tokens.numel() == 0:
            raise ValueError(f"tokens have shape {tuple(tokens.shape)}; expected (batch, time) with at least one token "
                             "in each row: start an empty prompt with a begin-of-text token")
        if start + tokens.shape[1] > self.config.context:
            raise ValueError(f"{tokens.shape[1]} tokens after {start} need {start + tokens.shape[1]} positions, but "
                             f"the table has context={self.config.context}; shorten the prompt or generate less")
        low, high = tokens.aminmax()
        if low < 0 or high >= self.config.vocab_size:
            raise ValueError(f"tokens run from {int(low)} to {int(high)}; vocab_size={self.config.vocab_size} allows "
                             f"0 to {self.config.vocab_size - 1}: use the tokenizer this model was trained with")
        if pad is not None and (pad.shape != tokens.shape[:1] or pad.min() < 0):
            raise ValueError(f"pad={pad.tolist()} must hold one count >= 0 for each of {tokens.shape[0]} rows")

    @classmethod
    def from_hf(cls, model: nn.Module, attend: Callable = attend) -> "GPT":
        """A copy of a `transformers.GPT2LMHeadModel`, in its dtype. Raises ValueError for variants GPT-2 never had."""
        fields, state = weights.from_hf(model)
        return cls._empty(Config(**fields), attend)._filled(state)

    @classmethod
    def from_pretrained(cls, name: str = "gpt2", attend: Callable = attend) -> "GPT":
        """Weights from the Hugging Face hub: gpt2, gpt2-medium, gpt2-large, gpt2-xl, distilgpt2, or a local folder.

        Raises ValueError when neither the hub nor its local cache has them, ImportError without transformers.
        """
        return cls.from_hf(weights.download(name), attend)

    def save(self, path: str | Path) -> None:
        """Write configuration and weights to a safetensors file; a killed run leaves the old file whole."""
        weights.write(Path(path), asdict(self.config), self.state_dict())

    @classmethod
    def load(cls, path: str | Path, attend: Callable = attend) -> "GPT":
        """Read what `save` wrote. Raises ValueError for a file that is damaged, cut short, or of another kind."""
        fields, state = weights.read(Path(path))
        model = cls._empty(Config(**fields), attend)
        weights.check(Path(path), state, model.state_dict())
        return model._filled(state)

    @classmethod
    def _empty(cls, config: Config, attend: Callable) -> "GPT":
        """Shapes without memory: drawing 124 million random numbers only to overwrite them takes seconds."""
        with torch.device("meta"):
            return cls(config, attend)

    def _filled(self, state: dict[str, Tensor]) -> "GPT":
        # Copies in (out, in) order: a transposed view would keep its strides, and with them another speed.
        state = {name: x.detach().clone(memory_format=torch.contiguous_format) for name, x in state.items()}
        self.load_state_dict(state, assign=True)
        self.head.weight = self.token.weight
        return self.eval()
