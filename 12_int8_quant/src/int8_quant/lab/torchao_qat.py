"""torchao's quantization-aware training of LeNet-5, for the table of `lenet`. The library is wanted only when it runs.

torchao prepares and converts linear layers alone. So each convolution becomes a linear layer on its patches first: the
same function. Theirs differs from ours in two ways. Activations have a range for each token (here a patch, or an
image), found at run time. A weight's codes include −2^(bits − 1), and its scale counts on them.
"""

import contextlib
import copy
import importlib.util
import logging
import warnings
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..calibrate import fit

MISSING = "torchao is not installed, its row is left out; install it with: pip install -e '.[peers]'"


def installed() -> bool:
    """Whether torchao is there. Nothing is imported."""
    return importlib.util.find_spec("torchao") is not None


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No warnings from torchao's import: some Pythons warn about its source, and it looks for kernels of GPUs."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


class Patches(nn.Module):
    """A convolution of stride one as a linear layer on patches: C input channels, K × K weights each, O outputs."""

    def __init__(self, conv: nn.Conv2d):
        super().__init__()
        self.kernel, self.padding = conv.kernel_size, conv.padding
        self.linear = nn.Linear(conv.weight[0].numel(), conv.out_channels)
        self.linear.load_state_dict({"weight": conv.weight.detach().flatten(1), "bias": conv.bias.detach()})

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B O H2 W2"]:
        patches = F.unfold(x, self.kernel, padding=self.padding).transpose(1, 2)  # B H2·W2 C·K·K
        height = x.shape[2] + 2 * self.padding[0] - self.kernel[0] + 1
        return self.linear(patches).transpose(1, 2).unflatten(2, (height, -1))


def on_patches(model: nn.Module) -> nn.Module:
    """A copy whose convolutions are linear layers on patches."""
    made = copy.deepcopy(model)
    for name, layer in list(made.named_children()):
        if isinstance(layer, nn.Conv2d):
            setattr(made, name, Patches(layer))
    return made


def scheme(bits: int):
    """torchao's configuration: a scale for each output channel in `bits`, activations in eight."""
    with quiet():
        from torchao.quantization import Int8DynamicActivationIntxWeightConfig
        from torchao.quantization.granularity import PerAxis

    return Int8DynamicActivationIntxWeightConfig(
        weight_dtype=getattr(torch, f"int{bits}"), weight_granularity=PerAxis(0)
    )


def step(model: nn.Module, bits: int, name: str) -> nn.Module:
    """The step "prepare" (fake quantization goes in) or "convert" (codes come out) of torchao; changes the model."""
    base = scheme(bits)
    with quiet():
        from torchao.quantization import quantize_
        from torchao.quantization.qat import QATConfig

        quantize_(model, QATConfig(base, step=name))
    return model


def torchao_qat(
    model: nn.Module, images: Tensor, labels: Int[Tensor, "N"], steps: int, bits: int, lr: float = 5e-4, seed: int = 0
) -> nn.Module:
    """What `quantization_aware` does, by torchao: the same batches, steps and learning rate. Returns converted layers.

    Raises:
        ImportError: torchao is not installed.
    """
    made = step(on_patches(model), bits, "prepare")
    return step(fit(made, images, labels, steps, lr, seed=seed), bits, "convert")
