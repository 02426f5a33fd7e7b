"""A decoder of GPT-2's shape (Radford et al. 2019): with GPT-2's weights it gives GPT-2's logits.

Dimensions:
    B  rows of a batch      T  tokens      C  width of the model      V  tokens of the vocabulary
"""

import math
from dataclasses import dataclass

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from .attention import CausalSelfAttention


@dataclass(frozen=True)
class GPTConfig:
    """The sizes of a model. The defaults are those of GPT-2 with 124M parameters."""

    vocab_size: int = 50257
    context_length: int = 1024
    n_layer: int = 12
    n_head: int = 12
    n_embd: int = 768

    def __post_init__(self):
        if self.n_embd % self.n_head:
            raise ValueError(f"n_embd={self.n_embd}: must be a multiple of n_head={self.n_head}")


class MLP(nn.Module):
    """Four times as wide inside. GPT-2's GELU is the tanh approximation, not the exact one with erf."""

    def __init__(self, n_embd: int):
        super().__init__()
        self.c_fc = nn.Linear(n_embd, 4 * n_embd)
        self.c_proj = nn.Linear(4 * n_embd, n_embd)

    def forward(self, x: Float[Tensor, "B T C"]) -> Float[Tensor, "B T C"]:
        return self.c_proj(F.gelu(self.c_fc(x), approximate="tanh"))


class Block(nn.Module):
    """Normalise, mix tokens, add; normalise, mix channels, add."""

    def __init__(self, n_embd: int, n_head: int):
        super().__init__()
        self.ln_1 = nn.LayerNorm(n_embd)
        self.attn = CausalSelfAttention(n_embd, n_head)
        self.ln_2 = nn.LayerNorm(n_embd)
        self.mlp = MLP(n_embd)

    def forward(self, x: Float[Tensor, "B T C"]) -> Float[Tensor, "B T C"]:
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class GPT(nn.Module):
    """Tokens into logits.

    The head is the token embedding itself, one tensor with two names. Weights start normal with deviation 0.02, the
    last matrix of each residual branch with 0.02 / sqrt(2 n_layer), biases at 0 (section 2.3 of the paper).
    """

    def __init__(self, config: GPTConfig):
        super().__init__()
        self.config = config
        self.wte = nn.Embedding(config.vocab_size, config.n_embd)
        self.wpe = nn.Embedding(config.context_length, config.n_embd)
        self.blocks = nn.ModuleList([Block(config.n_embd, config.n_head) for _ in range(config.n_layer)])
        self.ln_f = nn.LayerNorm(config.n_embd)
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        self.lm_head.weight = self.wte.weight
        self.initialise()

    def initialise(self) -> None:
        residual = 0.02 / math.sqrt(2 * self.config.n_layer)
        for name, p in self.named_parameters():
            if p.ndim == 2:
                is_residual = name.endswith(("o_proj.weight", "c_proj.weight"))
                nn.init.normal_(p, std=residual if is_residual else 0.02)
            elif name.endswith("bias"):
                nn.init.zeros_(p)

    def forward(self, tokens: Int[Tensor, "B T"]) -> Float[Tensor, "B T V"]:
        """Logits of the next token after each token.

        Raises:
            ValueError: there are more tokens than `context_length`.
        """
        T = tokens.shape[1]
        if T > self.config.context_length:
            raise ValueError(f"T={T}: at most context_length={self.config.context_length}; crop the tokens")
        x = self.wte(tokens) + self.wpe.weight[:T]  # B T C
        for block in self.blocks:
            x = block(x)
        return self.lm_head(self.ln_f(x))
