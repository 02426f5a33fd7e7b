"""LeNet-5 (LeCun et al. 1998) with ReLU and maximum pooling, and the layers that round its numbers.

Three ways to choose an activation's range: `static` (observed on calibration data, then fixed), `dynamic` (of each
batch, at run time), and none. Weights are rounded per tensor or per output channel. Under training this is QAT.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ..absmax import largest_code
from .observer import MinMaxObserver, affine_round
from .straight_through import fake_quantize

ACTIVATIONS = ("none", "static", "dynamic")
WEIGHTS = ("tensor", "channel")


class LeNet5(nn.Module):
    """28 × 28 grey images -> ten logits: 61,706 parameters."""

    def __init__(self, seed: int = 0):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.conv1, self.conv2 = nn.Conv2d(1, 6, 5, padding=2), nn.Conv2d(6, 16, 5)
            self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, x: Float[Tensor, "B 1 28 28"]) -> Float[Tensor, "B 10"]:
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)  # B 6 14 14
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)  # B 16 5 5
        x = F.relu(self.fc1(x.flatten(1)))
        return self.fc3(F.relu(self.fc2(x)))


class RoundedLayer(nn.Module):
    """A convolution or a linear layer whose input and weight are rounded.

    Raises:
        ValueError: an unknown rule for activations or weights.
    """

    def __init__(self, layer: nn.Module, bits: int, weights: str = "channel", activations: str = "static"):
        super().__init__()
        if activations not in ACTIVATIONS or weights not in WEIGHTS:
            raise ValueError(
                f"activations={activations!r}, weights={weights!r}: choose of {ACTIVATIONS} and of {WEIGHTS}"
            )
        self.layer, self.bits, self.weights, self.activations = layer, bits, weights, activations
        self.observer, self.observing = MinMaxObserver(), activations == "static"

    def weight_scale(self) -> Tensor:
        """One scale, or one for each output channel with axes of size one for the rest."""
        weight = self.layer.weight.detach()
        axes = tuple(range(1, weight.ndim)) if self.weights == "channel" else tuple(range(weight.ndim))
        return weight.abs().amax(axes, keepdim=True).clamp(min=1e-12) / largest_code(self.bits)

    def forward(self, x: Tensor) -> Tensor:
        if self.observing:  # calibration: watch, and round nothing
            self.observer.observe(x)
            return self.layer(x)
        if self.activations != "none":
            observer = self.observer
            if self.activations == "dynamic":
                observer = MinMaxObserver()
                observer.observe(x)
            x = affine_round(x, *observer.affine())
        weight = fake_quantize(self.layer.weight, self.weight_scale(), self.bits)
        if isinstance(self.layer, nn.Conv2d):
            return F.conv2d(x, weight, self.layer.bias, self.layer.stride, self.layer.padding)
        return F.linear(x, weight, self.layer.bias)


def rounded_layers(model: nn.Module) -> list[RoundedLayer]:
    """The layers of a model that round."""
    return [m for m in model.modules() if isinstance(m, RoundedLayer)]


def size_in_bytes(model: nn.Module, bits: int = 32, weights: str = "channel") -> int:
    """Weights in `bits` with float32 scales, biases in float32."""
    total = 0
    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            scales = 0 if bits == 32 else (module.weight.shape[0] if weights == "channel" else 1)
            total += -(-module.weight.numel() * bits // 8) + 4 * (scales + module.bias.numel())
    return total
