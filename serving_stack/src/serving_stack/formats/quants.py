"""Blocks of 32 weights (ggml's block_q4_0, block_q4_1, block_q8_0).

    Q4_0   float16 scale d,               16 bytes of two quants    w = d (q - 8)
    Q4_1   float16 scale d, float16 min m, 16 bytes of two quants    w = d q + m
    Q8_0   float16 scale d,               32 signed bytes           w = d q

A byte of Q4 holds weight i in its low half and weight i + 16 in its high half.
"""

import numpy as np

BLOCK = 32
SIZES = {"F32": 4 * BLOCK, "F16": 2 * BLOCK, "Q4_0": 18, "Q4_1": 20, "Q8_0": 34}  # bytes of 32 weights


def dequantize_q4_0(data: np.ndarray) -> np.ndarray:
    """Blocks of 18 bytes (uint8, one axis) to 32 float32 weights each, in their order.

    Raises:
        ValueError: the bytes are no whole number of blocks.
    """
    if len(data) % 18:
        raise ValueError(f"data of {len(data)} bytes: not a multiple of 18, the size of a Q4_0 block")
    blocks = data.reshape(-1, 18)
    scale = blocks[:, :2].view("<f2")  # blocks 1
    quants = blocks[:, 2:]
    both = np.concatenate([quants & 0x0F, quants >> 4], axis=1)  # blocks 32
    return ((both.astype(np.float32) - 8) * scale).reshape(-1)


def dequantize_q4_1(data: np.ndarray) -> np.ndarray:
    """Blocks of 20 bytes to 32 weights each. A minimum takes the place of the 8."""
    blocks = data.reshape(-1, 20)
    scale, low = blocks[:, :4].view("<f2").astype(np.float32).T
    quants = blocks[:, 4:]
    both = np.concatenate([quants & 0x0F, quants >> 4], axis=1).astype(np.float32)
    return (both * scale[:, None] + low[:, None]).reshape(-1)


def dequantize_q8_0(data: np.ndarray) -> np.ndarray:
    """Blocks of 34 bytes to 32 weights each."""
    blocks = data.reshape(-1, 34)
    scale = blocks[:, :2].view("<f2")
    return (blocks[:, 2:].view(np.int8).astype(np.float32) * scale).reshape(-1)


DEQUANTIZE = {
    "F32": lambda data: data.view("<f4").astype(np.float32),
    "F16": lambda data: data.view("<f2").astype(np.float32),
    "Q4_0": dequantize_q4_0,
    "Q4_1": dequantize_q4_1,
    "Q8_0": dequantize_q8_0,
}


def dequantize(data: np.ndarray, kind: str) -> np.ndarray:
    """Bytes (uint8, one axis) to float32.

    Raises:
        ValueError: a type that is not read here.
    """
    if kind not in DEQUANTIZE:
        raise ValueError(f"kind={kind!r}: choose one of {', '.join(DEQUANTIZE)}")
    return DEQUANTIZE[kind](data)


def quantize(weights: np.ndarray, kind: str) -> np.ndarray:
    """float32 weights (last axis a multiple of 32) to bytes. The formulas are ggml's, rounding included.

    Raises:
        ValueError: a type that is not written here, or a last axis that is no multiple of 32.
    """
    if kind == "F32":
        return weights.astype("<f4").reshape(-1).view(np.uint8)
    if kind == "F16":
        return weights.astype("<f2").reshape(-1).view(np.uint8)
    if kind not in DEQUANTIZE:
        raise ValueError(f"kind={kind!r}: choose one of {', '.join(DEQUANTIZE)}")
    if weights.shape[-1] % BLOCK:
        raise ValueError(f"shape={weights.shape}: the last axis must be a multiple of {BLOCK}; store it as F16")
    blocks = weights.astype(np.float32).reshape(-1, BLOCK)
    return {"Q4_0": _q4_0, "Q4_1": _q4_1, "Q8_0": _q8_0}[kind](blocks).reshape(-1)


def _inverse(scale: np.ndarray) -> np.ndarray:
    """1 / scale, and 0 for a block of zeros."""
    with np.errstate(divide="ignore"):
        return np.where(scale == 0, 0, 1 / scale).astype(np.float32)


def _halves(quants: np.ndarray) -> np.ndarray:
    """32 numbers below 16 to 16 bytes."""
    return quants[:, :16] | quants[:, 16:] << 4


def _bytes_of(scale: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(scale.astype("<f2")).view(np.uint8)


def _q4_0(blocks: np.ndarray) -> np.ndarray:
    """The number of largest size, with its sign, becomes -8: the side that has one step more."""
    extreme = np.take_along_axis(blocks, np.abs(blocks).argmax(1, keepdims=True), 1)
    scale = extreme / -8
    quants = np.clip(np.trunc(blocks * _inverse(scale) + np.float32(8.5)), 0, 15).astype(np.uint8)
    return np.concatenate([_bytes_of(scale), _halves(quants)], axis=1)


def _q4_1(blocks: np.ndarray) -> np.ndarray:
    low, high = blocks.min(1, keepdims=True), blocks.max(1, keepdims=True)
    scale = (high - low) / 15
    quants = np.clip(np.trunc((blocks - low) * _inverse(scale) + np.float32(0.5)), 0, 15).astype(np.uint8)
    return np.concatenate([_bytes_of(scale), _bytes_of(low), _halves(quants)], axis=1)


def _q8_0(blocks: np.ndarray) -> np.ndarray:
    scale = np.abs(blocks).max(1, keepdims=True) / 127
    scaled = blocks * _inverse(scale)
    rounded = np.trunc(scaled + np.copysign(np.float32(0.5), scaled))  # away from zero, as C's roundf
    return np.concatenate([_bytes_of(scale), rounded.astype(np.int8).view(np.uint8)], axis=1)
