"""Copying a dense feed-forward layer into experts.

If a token's weights sum to 1, equal experts give together what the dense layer gave: the loss does not move. The router
sends different tokens to each, so the copies learn different things.

Dimensions:
    E  experts    D  d_model    F  width of the dense layer, and of an expert
"""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..experts import FeedForward
from ..moe import Config, Decoder, MoE, MoEConfig


def upcycle(
    gate_up: Float[Tensor, "F2 D"], down: Float[Tensor, "D F"], num_experts: int
) -> tuple[Float[Tensor, "E F2 D"], Float[Tensor, "E D F"]]:
    """The weights of `num_experts` experts, each a copy of the dense layer with memory of its own.

    Raises:
        ValueError: less than one expert.
    """
    if num_experts < 1:
        raise ValueError(f"num_experts={num_experts}: must be at least 1")
    return torch.stack([gate_up.detach()] * num_experts), torch.stack([down.detach()] * num_experts)


def upcycle_decoder(
    dense: Decoder, num_experts: int, k: int, layers: tuple[int, ...], normalize: bool = True, seed: int = 0
) -> Decoder:
    """A decoder whose blocks `layers` are mixtures of copies. The routers are new; all else is copied.

    Without `normalize`, the weights sum to less than 1, and the loss moves at step 0.

    Raises:
        ValueError: the decoder has MoE blocks already.
    """
    old: Config = dense.config
    if old.moe_layers:
        raise ValueError(f"moe_layers={old.moe_layers}: the decoder must be dense")
    moe = MoEConfig(old.d_model, old.ffn, num_experts, k, normalize)
    made = Decoder(replace(old, moe=moe, moe_layers=layers), seed)
    for layer, block in enumerate(dense.blocks):
        if layer in layers:
            fill(made.blocks[layer].ffn, block.ffn)
    dense_weights = {name: w for name, w in dense.state_dict().items() if name in made.state_dict()}
    made.load_state_dict(dense_weights, strict=False)
    return made


def fill(mixture: MoE, layer: FeedForward) -> None:
    """Put copies of a dense layer into a mixture."""
    gate_up, down = upcycle(layer.gate_up_proj, layer.down_proj, len(mixture.experts))
    mixture.experts.gate_up_proj = nn.Parameter(gate_up)
    mixture.experts.down_proj = nn.Parameter(down)
