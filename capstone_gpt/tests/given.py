"""Small things that tests and probes share: random tensors, graphs, models, and objects with a state."""

import inspect
import os
import random
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import nn

from capstone_gpt import GPTConfig, Value

MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # None: the system's folder for temporary files
TINY = GPTConfig(vocab_size=29, context_length=11, n_layer=2, n_head=3, n_embd=12)


def generator(seed):
    return torch.Generator().manual_seed(seed)


def generators():
    """The states of torch's, NumPy's and Python's generators, to be compared."""
    name, keys, *rest = np.random.get_state()
    return torch.get_rng_state().tolist(), keys.tolist(), rest, random.getstate()


def randn(seed, *shape, dtype=torch.float64):
    return torch.randn(shape, generator=generator(seed), dtype=torch.float64).to(dtype)


def integers(seed, high, *shape):
    return torch.randint(high, shape, generator=generator(seed))


def helper_of(function, name):
    """The function of this name that stands beside a task. None if there is none, or if it is a stub that is not used.

    A learner may write what the workbook calls a helper, or do without it.
    """
    found = getattr(inspect.unwrap(function), "__globals__", {}).get(name)
    try:
        if callable(found):
            found(torch.eye(2))
        return found
    except NotImplementedError:
        return None


def plain_newton_schulz(G, steps=5):
    """By singular values: U p(S) Vᵀ, with the polynomial p applied `steps` times."""
    U, S, V = torch.linalg.svd(G.double() / G.double().norm(), full_matrices=False)
    for _ in range(steps):
        S = 3.4445 * S - 4.7750 * S**3 + 2.0315 * S**5
    return (U * S @ V).to(G.dtype)


def tangled(seed):
    """Inputs and the output of an expression whose values are used at several depths."""
    a, b, c = (Value(x) for x in randn(seed, 3).mul(0.7).add(1.3).tolist())
    d = a * b
    e = d + a
    f = (e * d - c).tanh()
    return [a, b, c, d, e], f * a + (f + d * c) / (b * b + 2) + e


class Drop(nn.Module):
    """A language model of one layer with dropout and a batch norm: training mode shows at once."""

    def __init__(self, seed, vocab_size=13, width=8):
        super().__init__()
        self.wte, self.dropout = nn.Embedding(vocab_size, width), nn.Dropout(0.5)
        self.lm_head = nn.Linear(width, vocab_size)
        with torch.no_grad():
            for i, p in enumerate(self.parameters()):
                p.copy_(randn(seed + i, *p.shape))

    def forward(self, tokens):
        return self.lm_head(self.dropout(self.wte(tokens)))


def tied_model(seed):
    """Matrices, vectors, one tied pair, one frozen matrix, and a parameter whose name says nothing."""
    model = nn.Module()
    model.wte, model.norm = nn.Embedding(7, 5), nn.LayerNorm(5)
    model.lm_head = nn.Linear(5, 7)
    model.lm_head.weight = model.wte.weight
    model.share = nn.Parameter(randn(seed, 5, dtype=torch.float32))
    model.scale = nn.Parameter(randn(seed, 2, 3, dtype=torch.float32))
    model.frozen = nn.Linear(3, 2)
    model.frozen.weight.requires_grad_(False)
    return model


class Counter:
    """A sampler of numbers for checkpoints: something with a state that is no tensor."""

    def __init__(self, position=0):
        self.position = position

    def state_dict(self):
        return {"position": self.position}

    def load_state_dict(self, state):
        self.position = state["position"]


class Draws(Counter):
    """A part that draws from all three generators while it is loaded."""

    def load_state_dict(self, state):
        torch.rand(2), np.random.rand(2), random.random()
        super().load_state_dict(state)


class Unsavable:
    """Its state cannot be written: the save breaks off in the middle."""

    def state_dict(self):
        return {"first": torch.zeros(4096), "then": Breaks()}

    def load_state_dict(self, state):
        pass


class Breaks:
    def __reduce__(self):
        raise RuntimeError("the process is killed here")


def folder():
    """A temporary folder that is removed when the object goes. Where the system has one in memory, no fsync waits."""
    made = tempfile.TemporaryDirectory(dir=MEMORY)
    return made, Path(made.name)


def trained_parts(seed):
    """A model, its optimizer after two steps, and a counter: {name: part}."""
    model = nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    with torch.no_grad():
        for i, p in enumerate(model.parameters()):
            p.copy_(randn(seed + i, *p.shape))
    for step in range(2):
        optimizer.zero_grad()
        model(randn(seed + 7 + step, 4, 3, dtype=torch.float32)).square().sum().backward()
        optimizer.step()
    return {"model": model, "optimizer": optimizer, "sampler": Counter(5 + seed % 7)}


class Compiled(nn.Module):
    """What torch.compile returns, without the compiling: the module inside is called `_orig_mod`."""

    def __init__(self, module):
        super().__init__()
        self._orig_mod = module

    def forward(self, *args):
        return self._orig_mod(*args)


def inode(path):
    return os.stat(path).st_ino


def sizes_on_disk_before_the_move(save, where):
    """The sizes of the files in a folder, each time that a file is brought onto the disk and before a name moves.

    The interpreter tells which functions of C are called, whatever name they are imported by.
    """
    sizes, moved = set(), []

    def watch(frame, event, called):
        name = getattr(called, "__name__", "") if event == "c_call" else ""
        if name in ("fsync", "fdatasync", "sync") and not moved:
            sizes.update(entry.stat().st_size for entry in os.scandir(where) if entry.name != "c.pt")
        elif name in ("replace", "rename") and getattr(called, "__self__", None) is sys.modules[os.name]:
            moved.append(name)

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        save()
    finally:
        sys.setprofile(before)
    return sizes
