"""A model as a safetensors file. Nothing in such a file is executed or unpickled."""

import json
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..attention import attend
from ..config import Config
from ..model import GPT
from .state import empty_model, fill_model

MAGIC = "kv-speedrun-gpt-2"
DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)


def save(model: GPT, path: str | Path) -> None:
    """Write configuration and weights. A run that is killed leaves an old file as it was.

    Raises:
        ValueError: the model's weights are not those of a GPT, for example after `lay_out`.
    """
    path, state = Path(path), model.state_dict()
    check_state(path, state, model.config)
    tensors = {name: x.detach().contiguous() for name, x in state.items() if name != "lm_head.weight"}  # it is wte
    tmp = path.with_name(path.name + ".tmp")
    save_file(tensors, tmp, metadata={"magic": MAGIC, "config": json.dumps(asdict(model.config))})
    os.replace(tmp, path)


def load(path: str | Path, attend: Callable = attend) -> GPT:
    """Read what `save` wrote.

    Raises:
        ValueError: the file is missing, damaged, cut short, or of another kind.
    """
    path = Path(path)
    metadata, state = read(path)
    if metadata.get("magic") != MAGIC:
        raise ValueError(
            f"{path}: was not written by `save` (magic={metadata.get('magic')!r}, not {MAGIC!r}); "
            "for Hugging Face weights use `from_pretrained`"
        )
    config = read_config(path, metadata)
    state["lm_head.weight"] = state.get("wte.weight")
    check_state(path, state, config)
    return fill_model(empty_model(config, attend), state)


def read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Metadata and tensors."""
    if not path.is_file():
        raise ValueError(f"{path}: no such file; write it with `save`")
    try:
        with safe_open(path, framework="pt") as file:
            return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}
    except SafetensorError as error:
        raise ValueError(f"{path}: damaged or cut short ({error}); write it again with `save`") from error


def read_config(path: Path, metadata: dict[str, str]) -> Config:
    try:
        return Config(**json.loads(metadata["config"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: has no readable configuration ({error}); write it again with `save`") from error


def check_state(path: Path, state: dict[str, Tensor | None], config: Config) -> None:
    """Every tensor that the model needs and no other, each of the right shape, one known dtype, and finite."""
    wanted = empty_model(config).state_dict()
    if set(state) != set(wanted) or state["lm_head.weight"] is None:
        names = sorted(set(state) ^ set(wanted)) or ["wte.weight"]
        raise ValueError(f"{path}: tensors missing or unknown: {names[:3]}; use `save` on a GPT as trained")
    dtypes = {x.dtype for x in state.values()}
    if len(dtypes) > 1 or not dtypes <= set(DTYPES):
        raise ValueError(f"{path}: dtypes={sorted(map(str, dtypes))}: must be one of {[str(d) for d in DTYPES]}")
    for name, x in state.items():
        if x.shape != wanted[name].shape:
            raise ValueError(f"{path}: {name} has shape {tuple(x.shape)}, must be {tuple(wanted[name].shape)}")
        if not torch.isfinite(x).all():
            raise ValueError(f"{path}: {name} holds NaN or infinity; its training diverged")
