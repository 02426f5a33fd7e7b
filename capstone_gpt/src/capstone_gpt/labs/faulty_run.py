"""A small GPT and its training, built as a `Setup` says, and everything that it logs.

Dimensions:
    B  rows of a batch      T  tokens      C  width      H  heads      D  width of a head      V  vocabulary
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..model.attention import causal_mask
from ..model.gpt import MLP
from .faults import Setup
from .texts import facts, tokens_of

EVALUATIONS = 6


class Attention(nn.Module):
    """Causal self-attention whose mask and scale a setup can spoil."""

    def __init__(self, setup: Setup):
        super().__init__()
        C, self.n_head, self.kind = setup.n_embd, setup.n_head, setup.attention
        self.qkv_proj, self.o_proj = nn.Linear(C, 3 * C), nn.Linear(C, C)
        self.entropy = 0.0

    def forward(self, x: Float[Tensor, "B T C"]) -> Float[Tensor, "B T C"]:
        B, T, C = x.shape
        q, k, v = self.qkv_proj(x).view(B, T, 3, self.n_head, -1).permute(2, 0, 3, 1, 4)  # each B H T D
        root = math.sqrt(C // self.n_head)
        scores = q @ k.mT * (root if self.kind == "scaled up" else 1 / root)
        seen = torch.ones(T, T, dtype=torch.bool) if self.kind == "all" else causal_mask(T, T)
        seen = seen.tril(-1) if self.kind == "strict" else seen
        weights = scores.masked_fill(~seen, float("-inf")).softmax(-1)
        if not self.training:
            last = weights[:, :, -1].detach()
            self.entropy = float(torch.special.entr(last).sum(-1).mean()) / math.log(T)
        return self.o_proj((weights @ v).transpose(1, 2).reshape(B, T, C))


class Block(nn.Module):
    def __init__(self, setup: Setup, detach: bool):
        super().__init__()
        self.ln_1, self.attn = nn.LayerNorm(setup.n_embd), Attention(setup)
        self.ln_2, self.mlp = nn.LayerNorm(setup.n_embd), MLP(setup.n_embd)
        self.drop, self.detach = nn.Dropout(setup.dropout), detach

    def forward(self, x: Float[Tensor, "B T C"]) -> Float[Tensor, "B T C"]:
        x = x.detach() if self.detach else x
        x = x + self.drop(self.attn(self.ln_1(x)))
        return x + self.drop(self.mlp(self.ln_2(x)))


class SmallGPT(nn.Module):
    """GPT-2's shape with a head of its own."""

    def __init__(self, setup: Setup, vocab_size: int):
        super().__init__()
        C, self.setup = setup.n_embd, setup
        self.wte, self.wpe = nn.Embedding(vocab_size, C), nn.Embedding(setup.seq_len, C)
        last = setup.n_layer - 1
        self.blocks = nn.ModuleList([Block(setup, setup.detach and i == last) for i in range(setup.n_layer)])
        self.ln_f, self.lm_head = nn.LayerNorm(C), nn.Linear(C, vocab_size, bias=False)
        std = {"normal": 0.02, "large": 0.6, "zero": 0.0}[setup.init]
        for name, p in self.named_parameters():
            if p.ndim == 2:
                is_residual = name.endswith(("o_proj.weight", "c_proj.weight")) and setup.init == "normal"
                nn.init.normal_(p, std=std / math.sqrt(2 * setup.n_layer) if is_residual else std)
            elif name.endswith("bias"):
                nn.init.zeros_(p)

    def forward(self, tokens: Int[Tensor, "B T"]) -> Float[Tensor, "B T V"]:
        x = self.wte(tokens) + self.wpe.weight[: tokens.shape[1]]  # B T C
        for block in self.blocks:
            x = block(x)
        logits = self.lm_head(self.ln_f(x))
        return logits.softmax(-1) if self.setup.probabilities else logits


class Run:
    """A model, its optimizer, its data and the functions of its training, each as the setup says."""

    def __init__(self, setup: Setup, seed: int):
        torch.manual_seed(seed)
        self.setup, self.generator = setup, torch.Generator().manual_seed(seed + 100)
        tokens, self.vocab_size = tokens_of(setup.text)
        boundary = int(0.9 * len(tokens))
        self.train_tokens = tokens[: setup.train_tokens or boundary]
        self.valid_tokens = self.train_tokens if setup.validation == "train" else tokens[boundary:]
        self.facts = facts(tokens[:boundary], self.vocab_size)
        self.model = SmallGPT(setup, self.vocab_size)
        self.optimizer = self.make_optimizer()
        self.first = self.windows(self.train_tokens, self.generator, setup.batch_size)

    def make_optimizer(self) -> torch.optim.Optimizer:
        s = self.setup
        left_out = {"all": "none", "all but the head": "lm_head.", "all but the blocks": "blocks."}[s.trained]
        given = [p for name, p in self.model.named_parameters() if not name.startswith(left_out)]
        if s.optimizer == "sgd":
            return torch.optim.SGD(given, lr=s.lr, momentum=0.9)
        return torch.optim.AdamW(given, lr=s.lr, betas=s.betas, eps=s.eps, weight_decay=s.weight_decay)

    def windows(self, tokens: Tensor, generator: torch.Generator, count: int) -> tuple[Tensor, Tensor]:
        """`count` inputs and targets from random places of the tokens."""
        T = self.setup.seq_len
        first = torch.randint(len(tokens) - T - 2, (count,), generator=generator)
        index = first[:, None] + torch.arange(T)
        return tokens[index], tokens[index + self.setup.shift]

    def batch(self) -> tuple[Tensor, Tensor]:
        """The inputs and targets of the next step."""
        s = self.setup
        x, y = self.first if s.same_batch else self.windows(self.train_tokens, self.generator, s.batch_size)
        return x, y[torch.randperm(len(y), generator=self.generator)] if s.shuffle_targets else y

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(self.model(x).flatten(0, 1), y.flatten(), reduction=self.setup.reduction)

    def backward(self, x: Tensor, y: Tensor) -> float:
        """Gradients of the loss, as the optimizer will see them before clipping."""
        s = self.setup
        if s.zero_grad:
            self.optimizer.zero_grad()
            self.model.zero_grad()
        loss = self.loss(x, y)
        loss.backward()
        for p in self.model.parameters():
            if p.grad is not None and s.gradient_scale:
                p.grad = (p.grad * s.gradient_scale).half().float() / s.gradient_scale
            if p.grad is not None and s.gradient_sign < 0:
                p.grad.neg_()
        return loss.item()

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        s = self.setup
        rise = min(1.0, (step + 1) / (s.warmup_steps + 1))
        past = max(0, step - s.warmup_steps)
        progress = min(1.0, past / max(1, (s.decay_steps or s.steps) - s.warmup_steps))
        floor = 0.0 if s.decay_steps else 0.1
        fall = {"cosine": (1 + math.cos(math.pi * progress)) / 2, "linear": 1 - progress, "constant": 1.0}[s.schedule]
        return s.lr * rise * (floor + (1 - floor) * fall)

    def update(self, step: int) -> None:
        """Clip and step, at the rate of this step."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate(step)
        given = [p for group in self.optimizer.param_groups for p in group["params"]]
        nn.utils.clip_grad_norm_(given, self.setup.max_norm)
        self.optimizer.step()

    def evaluate(self, tokens: Tensor, seed: int) -> float:
        """The loss on fixed windows of the tokens, 96 of them, in the mode that the setup says."""
        self.model.train(self.setup.validation == "train mode")
        with torch.no_grad():
            value = self.loss(*self.windows(tokens, torch.Generator().manual_seed(seed), 96)).item()
        self.model.train()
        return value

    def entropy(self) -> float:
        """Of the first block's attention at the last token, on the first batch: 1 if it looks at all tokens alike."""
        self.model.eval()
        with torch.no_grad():
            self.model(self.first[0])
        self.model.train()
        return self.model.blocks[0].attn.entropy
