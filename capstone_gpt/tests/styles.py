"""Right solutions in other styles: each must be RIGHT. None of them calls the reference."""

import functools
import hashlib
import io
import itertools
import math
import os
import pickle
import random
import struct
import uuid
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from capstone_gpt import CausalSelfAttention

# ---------------------------------------------------------------- backward


def backward_by_counting_uses(output):
    uses, found, todo = Counter(), {id(output): output}, [output]
    while todo:
        node = todo.pop()
        for parent in node.parents:
            uses[id(parent)] += 1
            if id(parent) not in found:
                found[id(parent)] = parent
                todo.append(parent)
    for node in found.values():
        node.grad = 0.0
    output.grad, ready = 1.0, [output]
    while ready:  # Kahn's order: a node is ready when all that use it are done
        node = ready.pop()
        for parent, local in zip(node.parents, node.local_grads, strict=True):
            parent.grad = parent.grad + node.grad * local
            uses[id(parent)] -= 1
            if not uses[id(parent)]:
                ready.append(parent)


def backward_by_depth(output):
    depth, changed, todo = {output: 0}, True, [output]
    while changed:  # longest path from the output
        changed, fresh = False, []
        for node in todo:
            for parent in node.parents:
                if depth.get(parent, -1) < depth[node] + 1:
                    depth[parent] = depth[node] + 1
                    fresh.append(parent)
                    changed = True
        todo = list(dict.fromkeys(fresh))
    gradient = dict.fromkeys(depth, 0.0)
    gradient[output] = 1.0
    for node in sorted(depth, key=depth.get):
        for parent, local in zip(node.parents, node.local_grads, strict=True):
            gradient[parent] += gradient[node] * local
    for node, g in gradient.items():
        node.grad = g


# ---------------------------------------------------------------- kneser_ney


def kneser_ney_recursively(tokens, contexts, order, vocab_size):
    tokens = tuple(tokens)

    @functools.lru_cache(None)
    def counted(n):
        if n == order:
            return Counter(zip(*(tokens[i:] for i in range(n)), strict=False))
        longer = set(zip(*(tokens[i:] for i in range(n + 1)), strict=False))
        return Counter(gram[1:] for gram in longer)

    @functools.lru_cache(None)
    def discount(n):
        of = Counter(counted(n).values())
        n1, n2, n3, n4 = (max(1, of[i]) for i in (1, 2, 3, 4))
        y = n1 / (n1 + 2 * n2)
        return 0, max(0, 1 - 2 * y * n2 / n1), max(0, 2 - 3 * y * n3 / n2), max(0, 3 - 4 * y * n4 / n3)

    @functools.lru_cache(None)
    def p(context):
        n, below = len(context) + 1, (p(context[1:]) if context else np.full(vocab_size, 1 / vocab_size))
        row = np.array([counted(n)[(*context, w)] for w in range(vocab_size)], dtype=float)
        if not row.any():
            return below
        taken = np.array(discount(n))[np.minimum(row, 3).astype(int)]
        return (row - taken + taken.sum() * below) / row.sum()

    rows = [p(tuple(c)[max(0, len(c) - order + 1) :]) for c in contexts]
    return torch.from_numpy(np.stack(rows))


def kneser_ney_dense(tokens, contexts, order, vocab_size):
    shape = [vocab_size] * order
    tables = {order: torch.zeros(shape, dtype=torch.float64)}
    for i in range(len(tokens) - order + 1):
        tables[order][tuple(tokens[i : i + order])] += 1
    for n in range(order - 1, 0, -1):
        seen = torch.zeros([vocab_size] * (n + 1), dtype=torch.float64)
        for i in range(len(tokens) - n):
            seen[tuple(tokens[i : i + n + 1])] = 1
        tables[n] = seen.sum(0)
    rows = []
    for context in contexts:
        q = torch.ones(vocab_size, dtype=torch.float64) / vocab_size
        for n in range(1, min(order, len(context) + 1) + 1):
            table = tables[n]
            sizes = [max(1, int((table == i).sum())) for i in range(1, 5)]
            y = sizes[0] / (sizes[0] + 2 * sizes[1])
            cuts = [max(0.0, i - (i + 1) * y * sizes[i] / sizes[i - 1]) for i in (1, 2, 3)]
            row = table[tuple(context[len(context) - n + 1 :])]
            if row.sum() == 0:
                break
            cut = sum(cuts[i] * ((row == i + 1) if i < 2 else (row >= 3)).double() for i in range(3))
            q = (row - cut) / row.sum() + cut.sum() / row.sum() * q
        rows.append(q)
    return torch.stack(rows)


# ---------------------------------------------------------------- batchnorm_backward


def batchnorm_step_by_step(dy, x, gamma, eps=1e-5):
    n = x.shape[0]
    mean = x.sum(0) / n
    centred = x - mean
    var = (centred**2).sum(0) / (n - 1)
    std = (var + eps) ** 0.5
    dx_hat = dy * gamma
    dinv = (dx_hat * centred).sum(0)
    dvar = -0.5 * dinv / std**3
    dcentred = dx_hat / std + 2 * centred * dvar / (n - 1)
    dmean = -dcentred.sum(0)
    return dcentred + dmean / n, (dy * centred / std).sum(0), dy.sum(0)


def batchnorm_by_jacobian(dy, x, gamma, eps=1e-5):
    N = len(x)
    eye = torch.eye(N, dtype=x.dtype)
    project = eye - 1.0 / N
    centred = project @ x
    scale = 1 / torch.sqrt(centred.square().sum(0) / (N - 1) + eps)
    z = centred * scale
    dx = torch.empty_like(x)
    for c in range(x.shape[1]):
        jacobian = scale[c] * (project - torch.outer(z[:, c], z[:, c]) / (N - 1))
        dx[:, c] = gamma[c] * jacobian @ dy[:, c]
    return dx, torch.einsum("nc,nc->c", dy, z), torch.einsum("nc->c", dy)


# ---------------------------------------------------------------- windows


def windows_with_a_loop(tokens, seq_len, split="train", valid_fraction=0.1):
    if split == "train":
        part = tokens[: int(len(tokens) * (1 - valid_fraction))]
    elif split == "valid":
        part = tokens[int(len(tokens) * (1 - valid_fraction)) :]
    else:
        raise ValueError("split")
    x, y, i = [], [], 0
    while i + seq_len + 1 <= len(part):
        x.append(part[i : i + seq_len])
        y.append(part[i + 1 : i + seq_len + 1])
        i += seq_len
    if not x:
        raise ValueError("too short")
    return torch.stack(x), torch.stack(y)


def windows_by_unfold(tokens, seq_len, split="train", valid_fraction=0.1):
    cut = int(len(tokens) * (1 - valid_fraction))
    part = {"train": tokens[:cut], "valid": tokens[cut:]}.get(split)
    if part is None or len(part) <= seq_len:
        raise ValueError(split, len(tokens))
    both = part.unfold(0, seq_len + 1, seq_len)
    return both[:, :-1], both[:, 1:]


# ---------------------------------------------------------------- Sampler


class SamplerByStep:
    """Counts batches, and makes the permutation anew each time."""

    def __init__(self, size, batch_size, seed=0, rank=0, world_size=1):
        if size < batch_size * world_size:
            raise ValueError("too few samples")
        self.n, self.B, self.seed, self.rank, self.W = size, batch_size, seed, rank, world_size
        self.per_epoch = size // (batch_size * world_size)
        self.epoch, self.done = 0, 0

    def __iter__(self):
        return self

    def __next__(self):
        if self.done == self.per_epoch:
            self.epoch, self.done = self.epoch + 1, 0
        g = torch.Generator()
        g.manual_seed(self.seed + self.epoch)
        order = torch.randperm(self.n, generator=g)
        whole = order[: self.per_epoch * self.B * self.W].view(self.per_epoch, self.W, self.B)
        self.done += 1
        return whole[self.done - 1, self.rank]

    def state_dict(self):
        return dict(position=self.done * self.B * self.W, epoch=self.epoch)

    def load_state_dict(self, state):
        self.epoch, self.done = state["epoch"], state["position"] // (self.B * self.W)


class SamplerByGenerator:
    """A Python generator that is made again where the state says."""

    def __init__(self, size, batch_size, seed=0, rank=0, world_size=1):
        if batch_size * world_size > size:
            raise ValueError
        self.arguments = size, batch_size, seed, rank, world_size
        self.load_state_dict(dict(epoch=0, position=0))

    def stream(self, epoch, position):
        size, B, seed, rank, W = self.arguments
        for e in itertools.count(epoch):
            order = torch.randperm(size, generator=torch.Generator().manual_seed(seed + e)).tolist()
            for start in range(position if e == epoch else 0, size - B * W + 1, B * W):
                self.state = dict(epoch=e, position=start + B * W)
                mine = order[start + rank * B : start + (rank + 1) * B]
                yield torch.tensor(mine)

    def __iter__(self):
        return self

    def __next__(self):
        return next(self.batches)

    def state_dict(self):
        return dict(self.state)

    def load_state_dict(self, state):
        self.state = dict(state)
        self.batches = self.stream(state["epoch"], state["position"])


SamplerByStep.__name__ = SamplerByGenerator.__name__ = "Sampler"

# ---------------------------------------------------------------- GPT


class Feed(nn.Sequential):
    """nn.Sequential with the promised names."""

    def __init__(self, C):
        super().__init__()
        self.add_module("c_fc", nn.Linear(C, C * 4))
        self.add_module("act", nn.GELU(approximate="tanh"))
        self.add_module("c_proj", nn.Linear(C * 4, C))


class GPTOfDicts(nn.Module):
    def __init__(self, config):
        super().__init__()
        c = self.config = config
        self.wte = nn.Embedding(c.vocab_size, c.n_embd)
        self.wpe = nn.Embedding(c.context_length, c.n_embd)
        self.blocks = nn.ModuleList()
        for _ in range(c.n_layer):
            parts = {"ln_1": nn.LayerNorm(c.n_embd), "attn": CausalSelfAttention(c.n_embd, c.n_head),
                     "ln_2": nn.LayerNorm(c.n_embd), "mlp": Feed(c.n_embd)}  # fmt: skip
            self.blocks.append(nn.ModuleDict(parts))
        self.ln_f = nn.LayerNorm(c.n_embd)
        self.lm_head = nn.Linear(c.n_embd, c.vocab_size, bias=False)
        for module in self.modules():
            if isinstance(module, (nn.Linear, nn.Embedding)):
                module.weight.data.normal_(0, 0.02)
            if isinstance(module, nn.Linear) and module.bias is not None:
                module.bias.data.fill_(0)
        for block in self.blocks:
            for last in (block["attn"].o_proj, block["mlp"].c_proj):
                last.weight.data *= (2 * c.n_layer) ** -0.5
        self.lm_head.weight = self.wte.weight

    def forward(self, tokens):
        if tokens.size(1) > self.config.context_length:
            raise ValueError("too long")
        x = self.wte(tokens) + self.wpe(torch.arange(tokens.size(1)))
        for b in self.blocks:
            x = x + b["attn"](b["ln_1"](x))
            x = x + b["mlp"](b["ln_2"](x))
        return F.linear(self.ln_f(x), self.wte.weight)


class OwnGELU(nn.Module):
    def forward(self, x):
        return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


class Layer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(c.n_embd), nn.LayerNorm(c.n_embd)
        self.attn = CausalSelfAttention(c.n_embd, c.n_head)
        self.mlp = nn.Module()
        self.mlp.c_fc = nn.Linear(c.n_embd, 4 * c.n_embd)
        self.mlp.c_proj = nn.Linear(4 * c.n_embd, c.n_embd)
        self.gelu = OwnGELU()

    def forward(self, stream):
        stream = stream + self.attn(self.ln_1(stream))
        hidden = self.gelu(self.mlp.c_fc(self.ln_2(stream)))
        return stream + self.mlp.c_proj(hidden)


class GPTByApply(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        self.wte, self.wpe = (nn.Embedding(n, config.n_embd) for n in (config.vocab_size, config.context_length))
        self.wte.weight = self.lm_head.weight
        self.blocks = nn.Sequential(*[Layer(config) for _ in range(config.n_layer)])
        self.ln_f = nn.LayerNorm(config.n_embd)
        self.apply(self._start)
        for name, p in self.named_parameters():
            if name.split(".")[-2] in ("o_proj", "c_proj") and p.dim() == 2:
                torch.nn.init.normal_(p, 0.0, 0.02 / math.sqrt(2 * config.n_layer))

    @staticmethod
    def _start(m):
        if type(m) in (nn.Linear, nn.Embedding):
            torch.nn.init.normal_(m.weight, 0.0, 0.02)
        if type(m) is nn.Linear and m.bias is not None:
            torch.nn.init.zeros_(m.bias)

    def forward(self, tokens):
        B, T = tokens.shape
        if self.config.context_length < T:
            raise ValueError(T)
        positions = torch.arange(T)[None].expand(B, T)
        return self.lm_head(self.ln_f(self.blocks(self.wte(tokens) + self.wpe(positions))))


GPTOfDicts.__name__ = GPTByApply.__name__ = "GPT"

# ---------------------------------------------------------------- load_gpt2


def load_by_table(state):
    state = {k[12:] if k.startswith("transformer.") else k: v for k, v in state.items()}
    layers = 1 + max(int(k.split(".")[1]) for k in state if k.startswith("h.") and k.split(".")[1].isdigit())
    table = {n: (n, False) for n in ("wte.weight", "wpe.weight", "ln_f.weight", "ln_f.bias")}
    for i in range(layers):
        for kind in ("weight", "bias"):
            for n in ("ln_1", "ln_2"):
                table[f"h.{i}.{n}.{kind}"] = (f"blocks.{i}.{n}.{kind}", False)
            pairs = [
                ("attn.c_attn", "attn.qkv_proj"),
                ("attn.c_proj", "attn.o_proj"),
                ("mlp.c_fc",) * 2,
                ("mlp.c_proj",) * 2,
            ]
            for theirs, ours in pairs:
                table[f"h.{i}.{theirs}.{kind}"] = (f"blocks.{i}.{ours}.{kind}", kind == "weight")
    found = {}
    for name, tensor in state.items():
        if name == "lm_head.weight" or name.split(".")[-2:] in (["attn", "bias"], ["attn", "masked_bias"]):
            continue
        if name not in table:
            raise ValueError(f"unknown: {name}")
        ours, turned = table[name]
        found[ours] = (tensor.t() if turned else tensor).clone(memory_format=torch.contiguous_format)
    found["lm_head.weight"] = found["wte.weight"]
    return found


def load_by_replacing(state):
    rules = (("c_attn", "qkv_proj"), ("attn.c_proj", "attn.o_proj"))
    parts = {"ln_1", "ln_2", "attn.qkv_proj", "attn.o_proj", "mlp.c_fc", "mlp.c_proj"}
    out = dict()
    for key in state:
        name = key.replace("transformer.", "", 1) if key.startswith("transformer.") else key
        if "masked_bias" in name or name.endswith(".attn.bias"):
            continue
        for old, new in rules:
            name = name.replace(old, new)
        value = state[key]
        if name[:2] == "h.":
            _, layer, *middle, kind = name.split(".")
            if not layer.isdigit() or ".".join(middle) not in parts or kind not in {"weight", "bias"}:
                raise ValueError(key)
            name = ".".join(["blocks", layer, *middle, kind])
            if value.ndim == 2:
                value = value.transpose(0, 1)
        elif name not in ("wte.weight", "wpe.weight", "ln_f.weight", "ln_f.bias", "lm_head.weight"):
            raise ValueError(key)
        out[name] = value.contiguous()
    out.update({"lm_head.weight": out["wte.weight"]})
    return out


# ---------------------------------------------------------------- param_groups


def groups_by_loop(model, weight_decay):
    first, second, seen = [], [], set()
    for module in model.modules():
        for p in module.parameters(recurse=False):
            seen.add(p)
    for p in model.parameters():
        if p not in seen or not p.requires_grad:
            continue
        (first if p.dim() > 1 else second).append(p)
    return [dict(params=first, weight_decay=weight_decay), dict(params=second, weight_decay=0.0)]


def groups_by_dict(model, weight_decay):
    named = {n: p for n, p in model.named_parameters() if p.requires_grad}
    return [
        {"params": [p for p in named.values() if len(p.shape) >= 2], "weight_decay": weight_decay},
        {"params": [p for p in named.values() if not len(p.shape) >= 2], "weight_decay": 0.0},
    ]


# ---------------------------------------------------------------- adamw


def adamw_in_formulas(p, grad, state, lr, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.0):
    t = state.get("step", 0) + 1
    m = betas[0] * state.get("exp_avg", torch.zeros_like(p)) + (1 - betas[0]) * grad
    v = betas[1] * state.get("exp_avg_sq", torch.zeros_like(p)) + (1 - betas[1]) * grad**2
    new = p.detach() - lr * weight_decay * p.detach()
    new = new - lr * (m / (1 - betas[0] ** t)) / (torch.sqrt(v / (1 - betas[1] ** t)) + eps)
    p.data.copy_(new)
    state["step"], state["exp_avg"], state["exp_avg_sq"] = t, m.detach(), v.detach()


def adamw_with_addcdiv(p, grad, state, lr, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.0):
    with torch.no_grad():
        if "step" not in state:
            state["step"] = 0
            state["exp_avg"], state["exp_avg_sq"] = (torch.zeros_like(p, requires_grad=False) for _ in "mv")
        state["step"] += 1
        m, v, t = state["exp_avg"], state["exp_avg_sq"], state["step"]
        m.mul_(betas[0]).add_(grad, alpha=1 - betas[0])
        v.mul_(betas[1]).addcmul_(grad, grad, value=1 - betas[1])
        if weight_decay:
            p.add_(p, alpha=-lr * weight_decay)
        c1, c2 = 1 - betas[0] ** t, math.sqrt(1 - betas[1] ** t)
        p.addcdiv_(m, (v.sqrt() / c2).add_(eps), value=-lr / c1)


# ---------------------------------------------------------------- muon


def muon_by_singular_values(named_parameters, state, lr=0.02, momentum=0.95, weight_decay=0.0):
    done = []
    for name in named_parameters:
        p = named_parameters[name]
        if not name.startswith("blocks.") or p.dim() != 2:
            continue
        g = p.grad.detach()
        if name not in state:
            state[name] = torch.zeros_like(p).detach()
        state[name] = momentum * state[name] + (1 - momentum) * g
        ahead = (1 - momentum) * g + momentum * state[name]
        u, s, vh = torch.linalg.svd(ahead.double(), full_matrices=False)
        s = s / s.square().sum().sqrt().clamp(min=1e-7)
        for _ in range(5):
            s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
        step = ((u * s) @ vh).to(p.dtype)
        stretch = math.sqrt(max(1, p.shape[0] / p.shape[1]))
        p.data = p.data * (1 - lr * weight_decay) - lr * stretch * step
        done += [name]
    return done


def muon_with_addmm(named_parameters, state, lr=0.02, momentum=0.95, weight_decay=0.0):
    chosen = [(n, p) for n, p in named_parameters.items() if n.split(".")[0] == "blocks" and p.ndim == 2]
    for name, p in chosen:
        with torch.no_grad():
            average = state.get(name)
            if average is None:
                average = state[name] = p.grad * 0
            average.mul_(momentum).add_(p.grad, alpha=1 - momentum)
            X = average * momentum + p.grad * (1 - momentum)
            wide = X.size(0) <= X.size(1)
            X = X if wide else X.t()
            X = X / max(float(X.norm()), 1e-7)
            for _ in range(5):
                A = X.mm(X.t())
                X = torch.addmm(X, torch.addmm(A, A, A, beta=-4.7750, alpha=2.0315), X, beta=3.4445)
            X = X if wide else X.t()
            p.mul_(1 - lr * weight_decay)
            p.add_(X, alpha=-lr * (max(p.shape[0], p.shape[1]) / p.shape[1]) ** 0.5)
    return tuple(n for n, _ in chosen)


# ---------------------------------------------------------------- cosine_lr


def cosine_by_half_angle(micro_step, peak_lr, warmup_steps, total_steps, min_lr=0.0, accumulation=1):
    if not warmup_steps < total_steps:
        raise ValueError("no room for a decay")
    step = (micro_step - micro_step % accumulation) / accumulation
    if step >= total_steps:
        return min_lr * 1.0
    if step < warmup_steps:
        return peak_lr / (warmup_steps + 1) * (1 + step)
    angle = math.pi / 2 * (step - warmup_steps) / (total_steps - warmup_steps)
    return peak_lr * math.cos(angle) ** 2 + min_lr * math.sin(angle) ** 2


def cosine_with_numpy(micro_step, peak_lr, warmup_steps, total_steps, min_lr=0.0, accumulation=1):
    if warmup_steps >= total_steps:
        raise ValueError
    step = math.floor(micro_step / accumulation)
    rising = np.arange(1, warmup_steps + 1) / (warmup_steps + 1) * peak_lr
    way = np.arange(total_steps - warmup_steps + 1) / (total_steps - warmup_steps)
    falling = min_lr + (peak_lr - min_lr) * (0.5 + 0.5 * np.cos(np.pi * way))
    return float(np.concatenate([rising, falling])[min(step, total_steps)])


# ---------------------------------------------------------------- train_step


def step_that_divides_afterwards(loss_sum, optimizer, micro_batches, max_norm=float("inf"), scaler=None):
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for p in parameters:
        p.grad = None
    total, count = 0.0, 0
    for x, y in micro_batches:
        part = loss_sum(x, y)
        (part if scaler is None else scaler.scale(part)).backward()
        total, count = total + part.detach().double(), count + int(torch.ne(y, -100).sum())
    for p in parameters:
        p.grad /= count
    if scaler is not None:
        scaler.unscale_(optimizer)
    norm = torch.sqrt(sum(p.grad.double().square().sum() for p in parameters))
    for p in parameters:
        p.grad *= min(1.0, max_norm / (float(norm) + 1e-6))
    if scaler is None:
        optimizer.step()
    else:
        scaler.step(optimizer)
        scaler.update()
    return float(total / count), float(norm)


def step_with_autograd_grad(loss_sum, optimizer, micro_batches, max_norm=float("inf"), scaler=None):
    if scaler is None:
        scaler = torch.amp.GradScaler("cpu", enabled=False)
    parameters = list(itertools.chain.from_iterable(g["params"] for g in optimizer.param_groups))
    count = sum((y != -100).sum().item() for _, y in micro_batches)
    sums, losses = [torch.zeros_like(p) for p in parameters], []
    for x, y in micro_batches:
        loss = loss_sum(x, y) * (1 / count)
        for s, g in zip(sums, torch.autograd.grad(scaler.scale(loss), parameters), strict=True):
            s += g
        losses.append(float(loss))
    for p, s in zip(parameters, sums, strict=True):
        p.grad = s
    scaler.unscale_(optimizer)
    norm = torch.nn.utils.clip_grad_norm_(parameters, max_norm=max_norm).item()
    scaler.step(optimizer)
    scaler.update()
    return math.fsum(losses), norm


# ---------------------------------------------------------------- Checkpoint


class CheckpointWithPickle:
    """Pickle, a CRC-like digest at the end, and a unique temporary name."""

    def __init__(self, path):
        self.path = Path(path)

    def save(self, step, parts):
        states = {k: (v._orig_mod if hasattr(v, "_orig_mod") else v).state_dict() for k, v in parts.items()}
        everything = (step, states, torch.get_rng_state(), np.random.get_state(), random.getstate())
        data = pickle.dumps(everything)
        tmp = self.path.parent / f".{uuid.uuid4().hex}"
        with tmp.open("wb", buffering=0) as file:
            file.write(data + hashlib.blake2b(data).digest())
            os.fdatasync(file) if hasattr(os, "fdatasync") else os.fsync(file)
        tmp.replace(self.path)

    def load(self, parts):
        raw = self.path.read_bytes()
        data, digest = raw[:-64], raw[-64:]
        if hashlib.blake2b(data).digest() != digest:
            raise ValueError("damaged file")
        step, states, a, b, c = pickle.loads(data)
        if sorted(states) != sorted(parts):
            raise ValueError("other parts")
        for k, v in parts.items():
            (v._orig_mod if hasattr(v, "_orig_mod") else v).load_state_dict(states[k])
        torch.set_rng_state(a)
        np.random.set_state(b)
        random.setstate(c)
        return step


class CheckpointWithStrippedNames:
    """Strips and adds the prefix by hand; the length stands in front of the data."""

    prefix = "_orig_mod."

    def __init__(self, path):
        self.path = os.fspath(path)

    def save(self, step, parts):
        states = {}
        for name, part in parts.items():
            state = part.state_dict()
            states[name] = {k.removeprefix(self.prefix) if isinstance(k, str) else k: v for k, v in state.items()}
        out = io.BytesIO()
        rng = {"t": torch.random.get_rng_state(), "n": np.random.get_state(), "p": random.getstate()}
        torch.save([int(step), states, rng], out)
        body = out.getbuffer()
        with open(self.path + "~", "wb") as f:
            f.write(struct.pack("<Q", len(body)) + hashlib.sha512(body).digest())
            f.write(body)
            f.flush()
            os.fsync(f)
        os.rename(self.path + "~", self.path)

    def load(self, parts):
        with open(self.path, "rb") as f:
            head, digest, body = f.read(8), f.read(64), f.read()
        if len(head) < 8:
            raise ValueError("no head")
        (length,) = struct.unpack("<Q", head)
        if len(body) != length or hashlib.sha512(body).digest() != digest:
            raise ValueError("not whole")
        step, states, rng = torch.load(io.BytesIO(body), weights_only=False)
        if states.keys() != parts.keys():
            raise ValueError("parts differ")
        for name, part in parts.items():
            wrapped = isinstance(part, nn.Module) and any(k.startswith(self.prefix) for k in part.state_dict())
            part.load_state_dict({self.prefix + k: v for k, v in states[name].items()} if wrapped else states[name])
        torch.random.set_rng_state(rng["t"])
        np.random.set_state(rng["n"])
        random.setstate(rng["p"])
        return step


CheckpointWithPickle.__name__ = CheckpointWithStrippedNames.__name__ = "Checkpoint"

# ---------------------------------------------------------------- evaluate


@torch.no_grad()
def evaluate_by_log_softmax(model, x, y, batch_size=32):
    mode = model.training
    model.train(False)
    picked = []
    for xs, ys in zip(x.split(batch_size), y.split(batch_size), strict=True):
        log_p = model(xs).log_softmax(-1)
        picked.append(-log_p.gather(-1, ys[..., None]).flatten())
    if mode:
        model.train()
    return torch.cat(picked).double().mean().item()


def evaluate_with_weights(model, x, y, batch_size=32):
    mode, loss, i = model.training, 0.0, 0
    model.eval()
    with torch.inference_mode():
        while i < len(x):
            rows = y[i : i + batch_size]
            mean = nn.CrossEntropyLoss()(model(x[i : i + batch_size]).transpose(1, 2), rows)
            loss, i = loss + float(mean) * len(rows) / len(x), i + batch_size
    model.train(mode)
    return loss


STYLES = {
    "backward": {"Kahn's order": backward_by_counting_uses, "longest paths, a dictionary": backward_by_depth},
    "kneser_ney": {"recursive, NumPy": kneser_ney_recursively, "dense tables": kneser_ney_dense},
    "batchnorm_backward": {"step by step": batchnorm_step_by_step, "by Jacobians": batchnorm_by_jacobian},
    "windows": {"with a loop": windows_with_a_loop, "by unfold": windows_by_unfold},
    "Sampler": {"counts batches": SamplerByStep, "a generator": SamplerByGenerator},
    "GPT": {"dictionaries of modules": GPTOfDicts, "apply, own GELU": GPTByApply},
    "load_gpt2": {"a table of names": load_by_table, "replaced text": load_by_replacing},
    "param_groups": {"a loop": groups_by_loop, "a dictionary": groups_by_dict},
    "adamw": {"formulas": adamw_in_formulas, "addcdiv": adamw_with_addcdiv},
    "muon": {"singular values": muon_by_singular_values, "addmm": muon_with_addmm},
    "cosine_lr": {"half angles": cosine_by_half_angle, "a NumPy table": cosine_with_numpy},
    "train_step": {"divides afterwards": step_that_divides_afterwards, "autograd.grad": step_with_autograd_grad},
    "Checkpoint": {"pickle": CheckpointWithPickle, "stripped names": CheckpointWithStrippedNames},
    "evaluate": {"log-softmax": evaluate_by_log_softmax, "weighted means": evaluate_with_weights},
}
