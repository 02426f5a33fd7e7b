"""Three language models that look back a bounded way: WaveNet, window attention, and a GRU that has no bound."""

import argparse
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..model import Config, Llama
from ..receptive import WaveNet, WaveNetConfig
from ..window import receptive_field
from .cli import seeds_of
from .fetch import load_text
from .training import as_bytes, fit, windows

LENGTH, WINDOW = 128, 33
Log = Callable[[str], None]


class Recurrent(nn.Module):
    """A GRU: one vector carries everything."""

    def __init__(self, width: int = 104) -> None:
        super().__init__()
        self.wte, self.head = nn.Embedding(256, width), nn.Linear(width, 256)
        self.gru = nn.GRU(width, width, batch_first=True)

    def forward(self, tokens: Tensor, state: Tensor | None = None) -> Tensor:
        return self.head(self.gru(self.wte(tokens), state)[0])


class Windowed(nn.Module):
    """Two layers of window attention, with a fresh cache for each batch."""

    def __init__(self) -> None:
        super().__init__()
        self.llama = Llama(Config(256, d_model=64, layers=2, heads=4, kv_heads=4, ffn=128))

    def forward(self, tokens: Tensor) -> Tensor:
        return self.llama(tokens, self.llama.new_cache(WINDOW, batch_size=tokens.shape[0]))


KINDS: dict[str, Callable[[], nn.Module]] = {
    "WaveNet": lambda: WaveNet(WaveNetConfig(256, 40, 2, (1, 2, 4, 8, 16, 32))),
    "window attention": Windowed,
    "GRU": Recurrent,
}


def wavenet(options: argparse.Namespace, log: Log) -> dict:
    """Parameters, field, loss after the same number of steps, seconds, and the state that generation keeps."""
    seeds = seeds_of(options, 1 if options.quick else 3)
    data = as_bytes(load_text(options.data))
    training, unseen = data[: len(data) * 4 // 5], data[len(data) * 4 // 5 :]
    steps = 3 if options.quick else 200
    content = {"seeds": seeds, "steps": steps, "length": LENGTH, "models": {}}
    for name, make in KINDS.items():
        found = {"loss": [], "seconds": [], "microseconds": []}
        for seed in seeds:
            log(f"{name}, seed {seed}")
            torch.manual_seed(seed)
            model, generator = make(), torch.Generator().manual_seed(seed)
            begin = time.process_time()
            fit(model, lambda step, g=generator: windows(training, LENGTH + 1, 16, g), steps, 4e-3)
            found["seconds"].append(time.process_time() - begin)
            tokens = windows(unseen, LENGTH + 1, 64, torch.Generator().manual_seed(1))
            with torch.no_grad():
                late = model(tokens[:, :-1])[:, 64:]
                found["loss"].append(float(F.cross_entropy(late.flatten(0, 1), tokens[:, 65:].flatten())))
                found["microseconds"].append(step_time(model, 20 if options.quick else 300))
        found["parameters"] = sum(p.numel() for p in model.parameters())
        found["field"], found["state"] = field_and_state(model)
        content["models"][name] = found
    return content


def field_and_state(model: nn.Module) -> tuple[int | None, int]:
    """Tokens in sight, and the numbers that generation keeps for one row."""
    if isinstance(model, WaveNet):
        return model.config.receptive_field, sum(buffer.numel() for buffer in model.start().buffers)
    if isinstance(model, Windowed):
        cache = model.llama.new_cache(WINDOW)
        return receptive_field(model.llama.config.layers, WINDOW), cache.nbytes // 4
    return None, model.gru.hidden_size


def step_time(model: nn.Module, count: int) -> float:
    """CPU microseconds a token of generation, in the steady state."""
    token = torch.zeros(1, 1, dtype=torch.long)
    state = model.start() if isinstance(model, WaveNet) else None
    cache = model.llama.new_cache(WINDOW) if isinstance(model, Windowed) else None
    hidden = torch.zeros(1, 1, model.gru.hidden_size) if isinstance(model, Recurrent) else None
    for i in range(2 * count):
        if i == count:
            begin = time.process_time()
        if isinstance(model, WaveNet):
            model.step(token, state)
        elif isinstance(model, Windowed):
            model.llama(token, cache)
        else:
            out, hidden = model.gru(model.wte(token), hidden)
            model.head(out)
    return 1e6 * (time.process_time() - begin) / count
