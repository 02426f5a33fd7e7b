"""A model without memory, and how it gets its weights."""

from collections.abc import Callable

import torch
from torch import Tensor

from ..attention import attend
from ..config import Config
from ..model import GPT


def empty_model(config: Config, attend: Callable = attend) -> GPT:
    """Shapes without memory. Drawing 124 million random numbers only to overwrite them takes seconds."""
    with torch.device("meta"):
        return GPT(config, attend)


def fill_model(model: GPT, state: dict[str, Tensor]) -> GPT:
    """The model with copies of these weights, its head tied to its embedding, in evaluation mode."""
    # Contiguous copies: a transposed view would keep its strides, and with them another speed.
    state = {name: x.detach().clone(memory_format=torch.contiguous_format) for name, x in state.items()}
    model.load_state_dict(state, assign=True)
    model.lm_head.weight = model.wte.weight
    return model.eval()
