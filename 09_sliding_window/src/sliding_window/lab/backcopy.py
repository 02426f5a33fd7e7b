"""The planted sink: bigram backcopy (Guo et al. 2024), where a head must sometimes have nothing to say.

Tokens follow a bigram table. After a trigger token, the next token is the one that stood before the trigger. Attention
is of use at triggers only. Elsewhere the head's weights must go somewhere: to the first token, whose value shrinks.
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..massive import value_norms
from ..model import Config, Llama, Trace
from .training import fit

VOCABULARY, TRIGGERS, LENGTH = 32, 3, 48
BOS = VOCABULARY  # the last id
WIDTH = 48
CONFIG = Config(VOCABULARY + 1, d_model=WIDTH, layers=1, heads=1, kv_heads=1, ffn=128)


class OneLayer(nn.Module):
    """A transformer of one layer and one head with learned positions, as in the paper."""

    def __init__(self) -> None:
        super().__init__()
        self.wte, self.wpe = nn.Embedding(VOCABULARY + 1, WIDTH), nn.Embedding(LENGTH, WIDTH)
        nn.init.normal_(self.wte.weight, std=0.3)
        nn.init.normal_(self.wpe.weight, std=0.3)
        self.attn_norm, self.ffn_norm = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv_proj, self.o_proj = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.ffn = nn.Sequential(nn.Linear(WIDTH, 128), nn.GELU(), nn.Linear(128, WIDTH))
        self.head = nn.Linear(WIDTH, VOCABULARY + 1)

    def forward(self, tokens: Tensor, trace: Trace | None = None) -> Tensor:
        T = tokens.shape[1]
        x = self.wte(tokens) + self.wpe.weight[:T]
        q, k, v = self.qkv_proj(self.attn_norm(x)).chunk(3, dim=-1)  # B T WIDTH
        hidden = torch.ones(T, T, dtype=torch.bool).triu(1)
        weights = (q @ k.mT / math.sqrt(WIDTH)).masked_fill(hidden, -math.inf).softmax(dim=-1)
        if trace is not None:
            trace.weights.append(weights[:, None])
            trace.values.append(v[:, None])
        x = x + self.o_proj(weights @ v)
        return self.head(x + self.ffn(self.ffn_norm(x)))


def texts(count: int, table: Tensor, generator: torch.Generator) -> Tensor:
    """(count, LENGTH): BOS, then bigrams with backcopy after each trigger (ids 0 … TRIGGERS - 1)."""
    tokens = torch.full((count, LENGTH), BOS)
    tokens[:, 1] = torch.randint(VOCABULARY, (count,), generator=generator)
    for t in range(2, LENGTH):
        drawn = torch.multinomial(table[tokens[:, t - 1]], 1, generator=generator)[:, 0]
        before, trigger = tokens[:, t - 2], tokens[:, t - 1] < TRIGGERS
        tokens[:, t] = torch.where(trigger & (before != BOS), before, drawn)
    return tokens


def bigrams(seed: int) -> Tensor:
    """A random bigram table in which every token is followed by a trigger one time in ten."""
    generator = torch.Generator().manual_seed(seed)
    table = torch.softmax(2 * torch.randn(VOCABULARY, VOCABULARY, generator=generator), dim=1)
    table[:, :TRIGGERS] = 0
    table = 0.9 * table / table.sum(1, keepdim=True)
    table[:, :TRIGGERS] = 0.1 / TRIGGERS
    return table


MODELS = {"learned positions": OneLayer, "RoPE": lambda: Llama(CONFIG)}


def planted_sink(kind: str, seed: int, steps: int, log: Callable[[str], None]) -> dict:
    """One model: attention on BOS at triggers and elsewhere, and the lengths of the values."""
    table, generator = bigrams(seed), torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    model = MODELS[kind]()
    pool = texts(2048, table, generator)  # drawn once: the loop over positions is slow
    log(f"planted sink, {kind}, seed {seed}")
    fit(model, lambda step: pool[torch.randint(len(pool), (32,), generator=generator)], steps, 1e-2)
    tokens = texts(64, table, generator)
    trace = Trace()
    with torch.no_grad():
        logits = model(tokens, trace=trace)
    on_bos = trace.weights[0][:, 0, :, 0]  # B T
    inner = torch.arange(LENGTH) > 3
    trigger = tokens < TRIGGERS
    first, others = value_norms(trace)
    losses = F.cross_entropy(logits[:, :-1].transpose(1, 2), tokens[:, 1:], reduction="none")
    shown = trace.weights[0][0, 0, :24, :24]
    return {
        "at triggers": float(on_bos[trigger & inner].mean()),
        "elsewhere": float(on_bos[~trigger & inner].mean()),
        "value of BOS": float(first),
        "value of others": float(others),
        "loss after triggers": float(losses[(trigger & inner)[:, :-1]].mean()),
        "weights": [[round(x, 3) for x in row] for row in shown.tolist()] if seed == 0 else [],
        "triggers": (tokens[0, :24] < TRIGGERS).nonzero().flatten().tolist(),
    }
