"""A checkpoint that is whole or not there, and that holds everything a run needs to go on to the last bit."""

import hashlib
import io
import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch


class Checkpoint:
    """One file, replaced by each save.

    `parts` is a dict of objects with `state_dict` and `load_state_dict`: model, optimizer, sampler, scaler, … A model
    that `torch.compile` has wrapped is saved and loaded as the model inside. The state of the random generators of
    torch, NumPy and Python is saved and restored too.
    """

    def __init__(self, path: Path | str):
        self.path = Path(path)

    def save(self, step: int, parts: dict[str, Any]) -> None:
        """Replace the file at once. Whenever the process is killed, the old file or the new one is there, whole."""
        states = {name: inner(part).state_dict() for name, part in parts.items()}
        buffer = io.BytesIO()
        torch.save({"step": step, "parts": states, "random": random_state()}, buffer)
        payload = buffer.getvalue()
        tmp = self.path.with_name(f".{self.path.name}.tmp")
        with tmp.open("wb") as file:
            file.write(hashlib.sha256(payload).digest() + payload)
            file.flush()
            os.fsync(file.fileno())  # on the disk before the name points to it
        os.replace(tmp, self.path)

    def load(self, parts: dict[str, Any]) -> int:
        """Restore every part and the random generators; returns the step.

        Raises:
            ValueError: the file is damaged, or it holds other parts. Nothing is changed.
        """
        content = self.path.read_bytes()
        payload = content[32:]
        if hashlib.sha256(payload).digest() != content[:32]:
            raise ValueError(f"{self.path}: the file is damaged; its hash is another one. Use an older checkpoint")
        saved = torch.load(io.BytesIO(payload), weights_only=True)
        if set(saved["parts"]) != set(parts):
            raise ValueError(f"parts={sorted(parts)}: the checkpoint holds {sorted(saved['parts'])}")
        for name, part in parts.items():
            inner(part).load_state_dict(saved["parts"][name])
        restore_random(saved["random"])
        return saved["step"]


def inner(part: Any) -> Any:
    """The module that torch.compile has wrapped: its parameters have no "_orig_mod." in their names."""
    return getattr(part, "_orig_mod", part)


def random_state() -> dict[str, Any]:
    """The generators of torch, NumPy and Python, in types that torch.load reads without unpickling code."""
    name, keys, position, has_gauss, gauss = np.random.get_state()
    version, words, gauss_next = random.getstate()
    numpy_state = [name, torch.from_numpy(keys.astype(np.int64)), position, has_gauss, gauss]
    return {"torch": torch.get_rng_state(), "numpy": numpy_state, "python": [version, list(words), gauss_next]}


def restore_random(state: dict[str, Any]) -> None:
    torch.set_rng_state(state["torch"])
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))
    version, words, gauss_next = state["python"]
    random.setstate((version, tuple(words), gauss_next))
