"""Convolution and pooling by hand, in their plain form: one pass for each position of the kernel.

What deep learning calls convolution is correlation: the kernel is not turned over. `flipped` makes the other of it.

Dimensions:
    B   images
    C   input channels, O output channels
    H W height and width
    K   height of the kernel, J its width
"""

import torch
from jaxtyping import Float
from torch import Tensor


def zero_pad(x: Float[Tensor, "B C H W"], padding: int) -> Float[Tensor, "B C H2 W2"]:
    """`padding` rows and columns of zeros on all four sides."""
    B, C, H, W = x.shape
    padded = x.new_zeros(B, C, H + 2 * padding, W + 2 * padding)
    padded[:, :, padding : padding + H, padding : padding + W] = x
    return padded


def output_size(size: int, kernel: int, stride: int, dilation: int) -> int:
    """How many times a kernel fits, in steps of `stride`, into `size` (padding included).

    Raises:
        ValueError: it does not fit once.
    """
    reach = dilation * (kernel - 1) + 1
    if reach > size:
        raise ValueError(f"kernel={kernel}: it reaches over {reach} of {size} pixels; give more padding")
    return (size - reach) // stride + 1


def conv2d(
    x: Float[Tensor, "B C H W"],
    weight: Float[Tensor, "O C K J"],
    bias: Float[Tensor, "O"] | None = None,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
) -> Float[Tensor, "B O H2 W2"]:
    """The correlation of images with kernels (Dumoulin and Visin 2016, section 2).

    Raises:
        ValueError: the kernel is larger than the padded image.
    """
    x = zero_pad(x, padding)
    K, J = weight.shape[2:]
    rows = output_size(x.shape[2], K, stride, dilation)
    columns = output_size(x.shape[3], J, stride, dilation)
    out = 0.0
    for k in range(K):
        for j in range(J):
            top, left = k * dilation, j * dilation
            seen = x[:, :, top::stride, left::stride][:, :, :rows, :columns]  # B C H2 W2
            out = out + torch.einsum("bchw,oc->bohw", seen, weight[:, :, k, j])
    return out if bias is None else out + bias[:, None, None]


def flipped(weight: Float[Tensor, "O C K J"]) -> Float[Tensor, "O C K J"]:
    """Kernels turned over in both axes: correlation with these is what mathematics calls convolution."""
    return weight.flip(2, 3)


def windows(x: Float[Tensor, "B C H W"], kernel: int, stride: int) -> Float[Tensor, "B C H2 W2 N"]:
    """The `kernel` x `kernel` numbers under each position of a pooling window."""
    return x.unfold(2, kernel, stride).unfold(3, kernel, stride).flatten(4)


def max_pool2d(x: Float[Tensor, "B C H W"], kernel: int, stride: int) -> Float[Tensor, "B C H2 W2"]:
    """The largest number of each window."""
    return windows(x, kernel, stride).amax(dim=-1)


def avg_pool2d(x: Float[Tensor, "B C H W"], kernel: int, stride: int) -> Float[Tensor, "B C H2 W2"]:
    """The mean of each window."""
    return windows(x, kernel, stride).mean(dim=-1)


def global_avg_pool2d(x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C"]:
    """The mean of each channel (Lin et al. 2013): a head that takes images of any size."""
    return x.mean(dim=(2, 3))
