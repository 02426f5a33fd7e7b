"""Four networks of four years, for images of any size: LeNet-5, and in the style of AlexNet, VGG and ResNet.

Layers are PyTorch's, to which a test holds the ones by hand. Widths are scaled by `width`, so that all are small.

Dimensions:
    B   images
    C   channels
    H W height and width
"""

from jaxtyping import Float
from torch import Tensor, nn


def conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> list[nn.Module]:
    """Convolution, batch norm and ReLU; padding keeps the size at stride 1."""
    layer = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    return [layer, nn.BatchNorm2d(outputs), nn.ReLU()]


def lenet5(channels: int, size: int, classes: int = 10) -> nn.Sequential:
    """LeCun et al. 1998: two convolutions of 5 x 5, average pooling, tanh, three linear layers."""
    half = size // 2 // 2
    features = [nn.Conv2d(channels, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2)]
    features += [nn.Conv2d(6, 16, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2), nn.Flatten()]
    head = [nn.Linear(16 * half * half, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, classes)]
    return nn.Sequential(*features, *head)


def alexnet(channels: int, size: int, classes: int = 10, width: int = 16) -> nn.Sequential:
    """In the style of Krizhevsky et al. 2012: large kernels first, ReLU, max pooling, dropout in the head."""
    half = size // 2 // 2
    features = [nn.Conv2d(channels, width, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)]
    features += [nn.Conv2d(width, 2 * width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    features += [nn.Conv2d(2 * width, 2 * width, 3, padding=1), nn.ReLU(), nn.Flatten()]
    head = [nn.Dropout(0.5), nn.Linear(2 * width * half * half, 8 * width), nn.ReLU()]
    head += [nn.Dropout(0.5), nn.Linear(8 * width, classes)]
    return nn.Sequential(*features, *head)


def vgg(channels: int, size: int, classes: int = 10, width: int = 16) -> nn.Sequential:
    """In the style of Simonyan and Zisserman 2014: only kernels of 3 x 3, in pairs, then pooling. With batch norm."""
    half = size // 2 // 2
    features = [*conv(channels, width), *conv(width, width), nn.MaxPool2d(2)]
    features += [*conv(width, 2 * width), *conv(2 * width, 2 * width), nn.MaxPool2d(2), nn.Flatten()]
    head = [nn.Linear(2 * width * half * half, 4 * width), nn.ReLU(), nn.Linear(4 * width, classes)]
    return nn.Sequential(*features, *head)


class BasicBlock(nn.Module):
    """Two convolutions, and the input added to their output (He et al. 2015, figure 2).

    Where the size changes, a convolution of 1 x 1 brings the input into shape (option B). Without `skip` it is the
    plain twin.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1, skip: bool = True):
        super().__init__()
        self.skip = skip
        self.first = nn.Sequential(*conv(inputs, outputs, stride=stride))
        self.second = nn.Sequential(*conv(outputs, outputs)[:2])  # its ReLU follows the addition
        self.relu = nn.ReLU()
        self.shortcut: nn.Module = nn.Identity()
        if skip and (stride > 1 or inputs != outputs):
            projection = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(outputs))

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C2 H2 W2"]:
        out = self.second(self.first(x))
        return self.relu(out + self.shortcut(x)) if self.skip else self.relu(out)


def resnet(
    channels: int, classes: int = 10, width: int = 16, blocks: tuple[int, ...] = (2, 2, 2, 2), skip: bool = True
) -> nn.Sequential:
    """He et al. 2015: stages of blocks, each of half the size and twice the width, then global average pooling.

    Four stages of two blocks are ResNet-18. The stem is one convolution of 3 x 3, as in the paper's CIFAR-10 nets.
    """
    layers = conv(channels, width)
    inputs = width
    for stage, count in enumerate(blocks):
        outputs = width * 2**stage
        for block in range(count):
            stride = 2 if stage and not block else 1
            layers.append(BasicBlock(inputs, outputs, stride, skip))
            inputs = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, classes))


def thin_resnet(depth: int, width: int = 8, skip: bool = True) -> nn.Sequential:
    """One stage of `depth` convolutions in blocks of two, for images of one channel: depth alone is changed.

    Raises:
        ValueError: the depth is odd.
    """
    if depth % 2:
        raise ValueError(f"depth={depth}: a block has two convolutions; choose an even depth")
    return resnet(1, width=width, blocks=(depth // 2,), skip=skip)
