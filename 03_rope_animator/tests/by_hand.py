"""What tests of several tasks use: random numbers, and the rotation by its definition."""

import math

import torch


def normal(seed, *shape, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def float64(values):
    return torch.tensor(values, dtype=torch.float64)


def rotated_by_hand(x, positions, base, layout):
    """Every coordinate rotated by the definition, one number at a time: slow and plain."""
    B, H, T, D = x.shape
    at = positions.expand(B, T).tolist()
    y = torch.empty_like(x)
    for i in range(D // 2):
        a, b = (2 * i, 2 * i + 1) if layout == "interleaved" else (i, i + D // 2)
        for n in range(B):
            for t in range(T):
                angle = at[n][t] * base ** (-2 * i / D)
                c, s = math.cos(angle), math.sin(angle)
                y[n, :, t, a] = x[n, :, t, a] * c - x[n, :, t, b] * s
                y[n, :, t, b] = x[n, :, t, a] * s + x[n, :, t, b] * c
    return y
