"""Which weights a Llama has. They are checked before a model is made of them."""

import torch
from torch import Tensor

from .model import ModelConfig


def llama_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """The shape of every weight. `lm_head.weight` may be missing: the head is then tied to `wte.weight`."""
    c, D = config, config.head_dim
    shapes = {"wte.weight": (c.vocab_size, c.d_model), "norm.weight": (c.d_model,)}
    for i in range(c.layers):
        at = f"blocks.{i}."
        shapes |= {f"{at}{name}.weight": (c.d_model,) for name in ("attn_norm", "mlp_norm")}
        shapes |= {f"{at}q_proj.weight": (c.heads * D, c.d_model), f"{at}o_proj.weight": (c.d_model, c.heads * D)}
        shapes |= {f"{at}{name}_proj.weight": (c.kv_heads * D, c.d_model) for name in "kv"}
        shapes |= {f"{at}{name}_proj.weight": (c.ffn, c.d_model) for name in ("gate", "up")}
        shapes[f"{at}down_proj.weight"] = (c.d_model, c.ffn)
    return shapes


def check_weights(config: ModelConfig, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights in float32, if they are those of this config.

    Raises:
        ValueError: a weight is missing, is unknown, has another shape, or holds a NaN or an infinity.
    """
    shapes = llama_shapes(config)
    if "lm_head.weight" in weights:
        shapes["lm_head.weight"] = shapes["wte.weight"]
    for name in sorted(shapes.keys() ^ weights.keys()):
        what = "missing" if name in shapes else "unknown"
        raise ValueError(f"{name}: this weight is {what}; are config and file of the same model?")
    for name, shape in shapes.items():
        if tuple(weights[name].shape) != shape:
            raise ValueError(f"{name}: shape {tuple(weights[name].shape)}, expected {shape}; see the config")
        if not weights[name].isfinite().all():
            raise ValueError(f"{name}: holds NaN or infinity; get the file again")
    return {name: weight.float().contiguous() for name, weight in weights.items()}


def random_weights(config: ModelConfig, seed: int = 0, scale: float = 0.3) -> dict[str, Tensor]:
    """Normal weights for tests; norms are one."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.ones(shape) if len(shape) == 1 else scale * torch.randn(shape, generator=generator)
        for name, shape in llama_shapes(config).items()
    }
