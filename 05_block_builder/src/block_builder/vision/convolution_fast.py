"""Convolution as one matrix product: im2col. A window becomes a column, and a kernel becomes a row.

Dimensions: as in convolution.py.
"""

from jaxtyping import Float
from torch import Tensor

from .convolution import output_size, zero_pad


def im2col(
    x: Float[Tensor, "B C H W"], kernel: tuple[int, int], stride: int, dilation: int
) -> Float[Tensor, "B CKJ N"]:
    """One column for each position of the kernel: the C·K·J numbers that it covers. A copy of K·J times the image."""
    K, J = kernel
    rows, columns = (output_size(size, k, stride, dilation) for size, k in zip(x.shape[2:], kernel, strict=True))
    B, C = x.shape[:2]
    b, c, h, w = x.stride()
    shape = (B, C, K, J, rows, columns)
    strides = (b, c, h * dilation, w * dilation, h * stride, w * stride)
    return x.as_strided(shape, strides).reshape(B, C * K * J, rows * columns)


def conv2d_fast(
    x: Float[Tensor, "B C H W"],
    weight: Float[Tensor, "O C K J"],
    bias: Float[Tensor, "O"] | None = None,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
) -> Float[Tensor, "B O H2 W2"]:
    """As `conv2d`, in one product."""
    x = zero_pad(x, padding)
    O, _, K, J = weight.shape
    rows = output_size(x.shape[2], K, stride, dilation)
    columns = im2col(x, (K, J), stride, dilation)  # B CKJ N
    out = weight.reshape(O, -1) @ columns  # B O N
    out = out.unflatten(2, (rows, -1))  # B O H2 W2
    return out if bias is None else out + bias[:, None, None]
