"""One matrix, stored in six ways for decoding. The product is the same; the bytes and their order differ.

A decode step multiplies one row (or a few) by every matrix of the model, so it costs what it costs to READ the
matrices. Measured figures are for GPT-2's matrices on a two-core server CPU (AMD Zen 4, torch 2.13), read from main
memory, in GiB/s of the stored bytes. `python -m kv_speedrun bench` measures whole models on your machine.

Dimensions: B rows, I inputs, O outputs.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int8
from torch import Tensor, nn

INT8_BLOCK = 16  # _weight_int8pack_mm reads 16 inputs at a time, past the end of a shorter row; _int_mm fails for one
INT32_MAX = 2**31 - 1


class AsTrained(nn.Module):
    """nn.Linear's own layout: fp32, stored (out, in). 12.5 GiB/s on one thread and 12.5 on two.

    For one row, MKL computes a dot product per output. That uses half the bandwidth, and not the second core. Four rows
    cost three to four times as much as one, so a batch gains little.
    """

    def __init__(self, weight: Float[Tensor, "O I"], bias: Float[Tensor, "O"] | None):
        super().__init__()
        self.register_buffer("weight", weight.contiguous())
        self.register_buffer("bias", bias)

    @property
    def weight_bytes(self) -> int:
        """Bytes that one product has to read. Biases are below a thousandth and left out."""
        return self.weight.nbytes

    def forward(self, x: Float[Tensor, "*B I"]) -> Float[Tensor, "*B O"]:
        return F.linear(x, self.weight, self.bias)


class Transposed(nn.Module):
    """fp32, stored (in, out), as GPT-2's own Conv1D has it. 21 GiB/s on one thread, 20 on two.

    For one row, the product is a sum of scaled matrix rows. They are read in order, so the processor can prefetch them.
    Two threads or more rows gain nothing.
    """

    def __init__(self, weight: Float[Tensor, "O I"], bias: Float[Tensor, "O"] | None):
        super().__init__()
        self.register_buffer("weight", weight.T.contiguous())  # I O
        self.register_buffer("bias", bias)

    @property
    def weight_bytes(self) -> int:
        return self.weight.nbytes

    def forward(self, x: Float[Tensor, "*B I"]) -> Float[Tensor, "*B O"]:
        rows = x.reshape(-1, x.shape[-1])  # B I
        y = rows @ self.weight if self.bias is None else torch.addmm(self.bias, rows, self.weight)
        return y.view(*x.shape[:-1], -1)


class Packed(nn.Module):
    """fp32 in oneDNN's blocks. 16 GiB/s on one thread, 27 on two. Four rows cost half of what F.linear takes.

    The blocks are chosen for the processor and for `rows`, and both cores read. Packed for one row, a product of eight
    rows takes 1.5 times as long as packed for eight. A packed matrix is opaque: it has no strides, cannot be saved, and
    exists on CPU only.
    """

    def __init__(self, weight: Float[Tensor, "O I"], bias: Float[Tensor, "O"] | None, rows: int = 1):
        super().__init__()
        self.weight_bytes = weight.nbytes
        self.packed = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), rows)
        self.register_buffer("bias", bias)

    def forward(self, x: Float[Tensor, "*B I"]) -> Float[Tensor, "*B O"]:
        return torch.ops.mkldnn._linear_pointwise(x, self.packed, self.bias, "none", [], "")


class BFloat16(AsTrained):
    """Half the bytes, eight bits of mantissa: 10.5 GiB/s on one thread, 19 on two, of half as many bytes.

    Eight rows cost little more than one. The product is computed in bf16 and returned in fp32, so the residual stream
    keeps its precision. fp16 would have more mantissa, but this processor has no instructions for it.
    """

    def __init__(self, weight: Float[Tensor, "O I"], bias: Float[Tensor, "O"] | None):
        super().__init__(weight.bfloat16(), None if bias is None else bias.bfloat16())

    def forward(self, x: Float[Tensor, "*B I"]) -> Float[Tensor, "*B O"]:
        return super().forward(x.bfloat16()).float()


class Int8Weights(nn.Module):
    """int8 codes with a scale per output, activations in bf16. A quarter of the bytes: 13 GiB/s on one thread, 25 on
    two.

    The kernel widens codes on their way into the registers. Memory carries bytes, and arithmetic stays in floats.
    Inputs are padded with zeros to a multiple of 16, because the kernel reads 16 at a time.
    """

    def __init__(self, weight: Float[Tensor, "O I"], bias: Float[Tensor, "O"] | None):
        super().__init__()
        codes, scale = rows_to_int8(pad_inputs(weight).contiguous())
        self.register_buffer("codes", codes)
        self.register_buffer("scale", scale[:, 0].bfloat16())
        self.register_buffer("bias", bias)

    @property
    def weight_bytes(self) -> int:
        return self.codes.nbytes + self.scale.nbytes

    def forward(self, x: Float[Tensor, "*B I"]) -> Float[Tensor, "*B O"]:
        rows = pad_inputs(x.reshape(-1, x.shape[-1])).bfloat16()  # B I
        y = torch._weight_int8pack_mm(rows, self.codes, self.scale).float()
        return (y if self.bias is None else y + self.bias).view(*x.shape[:-1], -1)


class W8A8(nn.Module):
    """int8 weights and int8 activations, summed exactly in int32: 20 GiB/s on one thread, 34 on two.

    Integer dot products (VNNI) do four multiply-adds in the time of one in fp32. That matters from about eight rows on.
    Each row of activations gets its own scale when it arrives, and is rounded: that is the price.

    Raises:
        ValueError: the matrix has so many inputs that a sum could exceed int32.
    """

    def __init__(self, weight: Float[Tensor, "O I"], bias: Float[Tensor, "O"] | None):
        super().__init__()
        most = INT32_MAX // 127**2
        if weight.shape[1] > most:
            raise ValueError(f"inputs={weight.shape[1]}: must be at most {most}, or the int32 sum could overflow")
        codes, scale = rows_to_int8(pad_inputs(weight).contiguous())
        self.register_buffer("codes", codes.T)  # I O: a view, still stored (out, in)
        self.register_buffer("scale", scale[:, 0])
        self.register_buffer("bias", bias)

    @property
    def weight_bytes(self) -> int:
        return self.codes.nbytes + self.scale.nbytes

    def forward(self, x: Float[Tensor, "*B I"]) -> Float[Tensor, "*B O"]:
        codes, scale = rows_to_int8(pad_inputs(x.reshape(-1, x.shape[-1])))
        y = torch._int_mm(codes, self.codes) * (scale * self.scale)  # B O
        return (y if self.bias is None else y + self.bias).view(*x.shape[:-1], -1)


def pad_inputs(x: Float[Tensor, "R N"]) -> Float[Tensor, "R M"]:
    """Zeros at the end of each row, up to a multiple of the int8 kernels' block. They change no sum."""
    missing = -x.shape[1] % INT8_BLOCK
    return F.pad(x, (0, missing)) if missing else x


def rows_to_int8(x: Float[Tensor, "R N"]) -> tuple[Int8[Tensor, "R N"], Float[Tensor, "R 1"]]:
    """Codes -127 to 127 and one fp32 scale per row, as `quantize` does, without its checks: it runs at every product.

    In bf16, x / scale can round up to 128, which an int8 wraps to -128. Hence the division in fp32.
    """
    x = x.float()
    scale = x.abs().amax(dim=-1, keepdim=True).clamp(min=1e-30) / 127
    return (x / scale).round().to(torch.int8), scale


LAYOUTS: dict[str, type[nn.Module]] = {
    "as trained": AsTrained,
    "transposed": Transposed,
    "packed": Packed,
    "bf16": BFloat16,
    "int8 weights": Int8Weights,
    "W8A8": W8A8,
}
