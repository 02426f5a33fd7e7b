"""Where sinks come from: three measurements and one intervention.

A head that has nothing to say must still give its weights to some key. It gives them to a token whose value is small,
and the first token is the one that every query sees (Xiao et al. 2023; Gu et al. 2024). In the residual stream of that
token a few entries are huge: massive activations (Sun et al. 2024). They make its key easy to find.

Dimensions:
    L   layers           H   query heads  kv  key/value heads
    B   sequences        T   tokens       C   width of the model
"""

import torch
from jaxtyping import Float
from torch import Tensor

from .model import Trace


def sink_mass(trace: Trace, after: int = 1) -> Float[Tensor, "L H"]:
    """The mean attention weight on the first token, by layer and head, of the queries from position `after` on."""
    return torch.stack([weights[:, :, after:, 0].mean(dim=(0, 2)) for weights in trace.weights])


def residual_peaks(trace: Trace) -> tuple[Float[Tensor, "L"], Float[Tensor, "L"]]:
    """The largest absolute activation after each layer: of the first token, and of all others."""
    first = torch.stack([x[:, 0].abs().max() for x in trace.residual])
    others = torch.stack([x[:, 1:].abs().max() for x in trace.residual])
    return first, others


def value_norms(trace: Trace) -> tuple[Float[Tensor, "L kv"], Float[Tensor, "L kv"]]:
    """The length of the value vectors, by layer and head: of the first token, and the mean of all others."""
    first = torch.stack([v[:, :, 0].norm(dim=-1).mean(dim=0) for v in trace.values])
    others = torch.stack([v[:, :, 1:].norm(dim=-1).mean(dim=(0, 2)) for v in trace.values])
    return first, others


def pull_down(residual: Float[Tensor, "B T C"], threshold: float = 1000.0) -> Float[Tensor, "B T C"]:
    """The first token's entries above the threshold are set to the mean of the other tokens (Sun et al. 2024)."""
    first = residual[:, 0]
    mean = residual[:, 1:].mean(dim=1)
    changed = residual.clone()
    changed[:, 0] = torch.where(first.abs() > threshold, mean, first)
    return changed
