"""A decoder with the shape of GPT-2 (Radford et al. 2019). Its forward pass works with a cache or without one.

Learned positions, LayerNorm before each sub-layer, GELU in its tanh form, the head tied to the token embedding. A cache
changes two lines: where positions start, and where keys and values go before attention reads them.

Dimensions: B batch, T tokens fed, Tk tokens attended to, To tokens whose logits are returned, H heads, D width of a
head, C = H·D width of the model, V vocabulary.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from .attention import attend
from .cache import KVCache
from .checks import check_layers, check_num_pad, check_tokens
from .config import Config


class Block(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x)), with a gap where the cache goes in.

    `project` is all that happens before attention, `finish` is all that happens after. Both work on each token alone.
    Attention is the only place where a token meets another.
    """

    def __init__(self, config: Config):
        super().__init__()
        self.heads = config.heads
        self.ln_1 = nn.LayerNorm(config.width)
        self.qkv_proj = nn.Linear(config.width, 3 * config.width)
        self.o_proj = nn.Linear(config.width, config.width)
        self.ln_2 = nn.LayerNorm(config.width)
        self.up_proj = nn.Linear(config.width, 4 * config.width)
        self.down_proj = nn.Linear(4 * config.width, config.width)

    def project(self, x: Float[Tensor, "B T C"]) -> tuple[Float[Tensor, "B H T D"], ...]:
        """Queries, keys and values of these tokens."""
        B, T, C = x.shape
        qkv = self.qkv_proj(self.ln_1(x))  # B T 3C
        return qkv.view(B, T, 3, self.heads, C // self.heads).permute(2, 0, 3, 1, 4).unbind(0)

    def finish(self, x: Float[Tensor, "B T C"], attn_out: Float[Tensor, "B H T D"]) -> Float[Tensor, "B T C"]:
        """The residual stream after attention and after the MLP."""
        x = x + self.o_proj(attn_out.transpose(1, 2).flatten(2))
        return x + self.down_proj(F.gelu(self.up_proj(self.ln_2(x)), approximate="tanh"))


class GPT(nn.Module):
    """The decoder. `attend` may be any function with the signature of `attention.attend`."""

    def __init__(self, config: Config, attend: Callable = attend, seed: int = 0):
        super().__init__()
        self.config, self.attend = config, attend
        self.wte = nn.Embedding(config.vocab_size, config.width)
        self.wpe = nn.Embedding(config.context_length, config.width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.ln_f = nn.LayerNorm(config.width)
        self.lm_head = nn.Linear(config.width, config.vocab_size, bias=False)
        self.lm_head.weight = self.wte.weight
        if not self.wte.weight.is_meta:
            self._initialise(torch.Generator().manual_seed(seed))

    def _initialise(self, generator: torch.Generator) -> None:
        """N(0, 0.02²) and zero biases; projections into the residual stream are smaller by √(2L) (GPT-2, §2.3)."""
        for name, p in self.named_parameters():
            if p.dim() == 2:
                into_residual = name.endswith(("o_proj.weight", "down_proj.weight"))
                std = 0.02 / (2 * self.config.layers) ** 0.5 if into_residual else 0.02
                nn.init.normal_(p, std=std, generator=generator)
            elif name.endswith("bias"):
                nn.init.zeros_(p)

    def forward(
        self,
        tokens: Shaped[Tensor, "B T"],
        cache: KVCache | None = None,
        num_pad: Int[Tensor, "_"] | None = None,
        last_only: bool = False,
    ) -> Float[Tensor, "B To V"]:
        """Logits of the token after each of `tokens`, or after the last one only (`last_only`).

        With a cache, `tokens` follow the `cache.position` tokens it already holds. `num_pad` counts the padding tokens
        at the left of each row. Attention does not see them, and the row's positions start after them.

        Raises:
            ValueError: the prompt is empty or not (batch, time), a position is beyond the table, tokens are not
                integers or are outside the vocabulary, the cache was made for another number of layers.
        """
        start = 0 if cache is None else cache.position
        if cache is not None:
            check_layers(cache.layers, self.config.layers)
        check_tokens(tokens, self.config, start)
        positions, attention_mask = self._positions(tokens, start, num_pad)
        x = self.wte(tokens) + self.wpe(positions)
        for layer, block in enumerate(self.blocks):
            q, k, v = block.project(x)
            if cache is not None:
                k, v = cache.update(layer, k, v)  # B H Tk D
            x = block.finish(x, self.attend(q, k, v, attention_mask))
        return self.lm_head(self.ln_f(x[:, -1:] if last_only else x))

    def _positions(self, tokens: Tensor, start: int, num_pad: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """The positions of `tokens`, and the mask of the keys (None without padding)."""
        end = start + tokens.shape[1]
        positions = torch.arange(start, end, device=tokens.device)[None]  # 1 T
        if num_pad is None:
            return positions, None
        check_num_pad(num_pad, len(tokens), end)
        attention_mask = torch.arange(end, device=tokens.device) >= num_pad[:, None]  # B Tk
        return (positions - num_pad[:, None]).clamp(min=0), attention_mask  # padding is hidden: any position will do
