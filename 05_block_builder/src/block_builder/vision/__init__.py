"""Side quest: residuals where they were born.

Read convolution.py, convolution_fast.py, nets.py, files.py, training.py.
"""

from .convolution import avg_pool2d, conv2d, flipped, global_avg_pool2d, max_pool2d
from .convolution_fast import conv2d_fast, im2col
from .files import read_cifar10, read_mnist
from .nets import alexnet, lenet5, resnet, thin_resnet, vgg
from .training import fit, score

__all__ = ["alexnet", "avg_pool2d", "conv2d", "conv2d_fast", "fit", "flipped", "global_avg_pool2d", "im2col", "lenet5",
           "max_pool2d", "read_cifar10", "read_mnist", "resnet", "score", "thin_resnet", "vgg"]  # fmt: skip
