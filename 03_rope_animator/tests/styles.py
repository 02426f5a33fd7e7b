"""Right solutions in other styles than the reference's. Each must be graded RIGHT."""

import math

import numpy as np
import torch
import torch.nn.functional as F

# ---------------------------------------------------------------- frequencies


def frequencies_in_a_loop(dim, base=10_000.0):
    if dim < 1 or dim % 2 == 1:
        raise ValueError("an even width, please")
    if not (base > 0 and math.isfinite(base)):
        raise ValueError("a positive base, please")
    theta = []
    for pair in range(dim // 2):
        theta.append(1 / math.pow(base, 2 * pair / dim))
    return torch.tensor(theta, dtype=torch.float64)


def frequencies_by_logarithms(dim, base=10_000.0):
    if dim % 2 or dim <= 0 or math.isnan(base) or math.isinf(base) or base <= 0:
        raise ValueError(dim, base)
    steps = torch.linspace(0, 1, dim // 2 + 1, dtype=torch.float64)[:-1]
    return torch.exp(-math.log(base) * steps)


# ---------------------------------------------------------------- sinusoidal_table


def table_in_loops(max_seq_len, dim, base=10_000.0):
    if max_seq_len <= 0 or dim < 2 or dim % 2 or not 0 < base < math.inf:
        raise ValueError("no positions, or no pairs")
    rows = []
    for p in range(max_seq_len):
        row = []
        for i in range(dim // 2):
            angle = p / base ** (2 * i / dim)
            row += [math.sin(angle), math.cos(angle)]
        rows.append(row)
    return torch.tensor(rows)


def table_by_slices(max_seq_len, dim, base=10_000.0):
    if max_seq_len < 1:
        raise ValueError("no positions")
    frequencies_in_a_loop(dim, base)  # its errors
    table = np.empty((max_seq_len, dim), dtype=np.float32)
    angle = np.outer(np.arange(max_seq_len), base ** (-np.arange(0, dim, 2) / dim))
    table[:, ::2], table[:, 1::2] = np.sin(angle), np.cos(angle)
    return torch.from_numpy(table)


# ---------------------------------------------------------------- rotate


def rotate_as_complex_numbers(pairs, angle):
    numbers = torch.view_as_complex(pairs.double().contiguous())
    return torch.view_as_real(numbers * torch.exp(1j * angle.double())).to(pairs.dtype)


def rotate_by_matrices(pairs, angle):
    cos, sin = torch.cos(angle).type(pairs.dtype), torch.sin(angle).type(pairs.dtype)
    matrices = torch.stack((torch.stack((cos, -sin), -1), torch.stack((sin, cos), -1)), -2)  # ... 2 2
    return (matrices @ pairs[..., None]).squeeze(-1)


# ---------------------------------------------------------------- apply_rope


def check_inputs(q, k, positions, base, layout):
    tokens = q.size(2)
    if not (base > 0 and math.isfinite(base)):
        raise ValueError("a positive base, please")
    if layout != "half" and layout != "interleaved":
        raise ValueError("no such layout")
    if k.size(2) != tokens or k.size(0) != q.size(0) or k.size(3) != q.size(3) or q.size(3) % 2:
        raise ValueError("keys of other tokens, or an odd width")
    if tuple(positions.shape) != (tokens,) and tuple(positions.shape) != (q.size(0), tokens):
        raise ValueError("positions do not fit")
    if positions.dtype in (torch.bfloat16, torch.float16):
        raise ValueError("positions need more bits")


def rope_by_rotate_half(q, k, positions, base=10_000.0, layout="half"):
    """As in `transformers`: x cos + rotate_half(x) sin; the interleaved layout is permuted there and back."""
    check_inputs(q, k, positions, base, layout)
    width = q.shape[-1]
    theta = 1.0 / base ** (torch.arange(0, width, 2).double() / width)
    angle = torch.einsum("...t,p->...tp", positions.double(), theta)
    angle = torch.cat((angle, angle), -1)
    if positions.dim() == 2:
        angle = angle[:, None]
    order = torch.cat((torch.arange(0, width, 2), torch.arange(1, width, 2)))

    def embed(x):
        x = x[..., order] if layout == "interleaved" else x
        half = torch.cat((-x[..., width // 2 :], x[..., : width // 2]), -1)
        y = x * angle.cos().to(x.dtype) + half * angle.sin().to(x.dtype)
        return y[..., order.argsort()] if layout == "interleaved" else y

    return embed(q), embed(k)


def rope_pair_by_pair(q, k, positions, base=10_000.0, layout="half"):
    """Every pair of coordinates in a loop, written into a copy."""
    check_inputs(q, k, positions, base, layout)
    pairs = q.shape[3] // 2
    results = []
    for x in (q, k):
        y = x.clone()
        for i in range(pairs):
            a, b = (i, i + pairs) if layout == "half" else (2 * i, 2 * i + 1)
            angle = positions.to(torch.float64) * base ** (-i / pairs)
            angle = angle[None, None, :] if positions.ndim == 1 else angle[:, None, :]
            c, s = torch.cos(angle).to(x.dtype), torch.sin(angle).to(x.dtype)
            y[:, :, :, a] = x[:, :, :, a] * c - x[:, :, :, b] * s
            y[:, :, :, b] = x[:, :, :, b] * c + x[:, :, :, a] * s
        results.append(y)
    return results[0], results[1]


# ---------------------------------------------------------------- assert_relative


def check_every_pair_of_tokens(rotary):
    """Two tokens at a time, at random positions."""
    g = torch.Generator().manual_seed(5)
    changed = 0.0
    for _ in range(20):
        q, k = torch.randn(2, 1, 1, 2, 32, generator=g, dtype=torch.float64)
        m, n, shift = torch.randint(0, 200, (3,), generator=g).tolist()

        def score(m, n, q=q, k=k):
            a, b = rotary(q, k, torch.tensor([m, n]))
            return float(a[0, 0, 0] @ b[0, 0, 1])

        for moved in (1, shift, 5000 + shift):
            if abs(score(m, n) - score(m + moved, n + moved)) > 1e-8:
                raise AssertionError(f"{m}, {n} shifted by {moved}")
        changed = max(changed, abs(score(m, n) - score(m, n + 1 + shift)))
    if changed < 1e-2:
        raise AssertionError("the distance changes nothing")


def check_diagonals(rotary):
    """One query and one key at all positions: the score matrix must be constant along its diagonals."""
    g = torch.Generator().manual_seed(6)
    q, k = (torch.randn(1, 1, 1, 64, generator=g, dtype=torch.float64).expand(1, 1, 9, 64) for _ in range(2))

    def by_distance(first, step):
        a, b = rotary(q, k, torch.arange(9) * step + first)
        s = (a @ b.mT)[0, 0]
        columns = [s.diagonal(d) for d in range(-8, 9)]
        assert all((c - c[0]).abs().max() < 1e-8 for c in columns), f"not constant along a diagonal from {first} on"
        return torch.stack([c[0] for c in columns])

    near, far, wide = by_distance(0, 1), by_distance(9000, 1), by_distance(0, 2)
    assert torch.allclose(near, far, rtol=0, atol=1e-8), "far away the scores are others"
    assert torch.allclose(near[::2][2:7], wide[6:11], rtol=0, atol=1e-8), "the same distance has two scores"
    assert near.std() > 1e-2, "all distances have one score"


# ---------------------------------------------------------------- rotary_attention


def attention_by_pytorch(q, k, v, positions, base=10_000.0):
    if len({x.shape[2] for x in (q, k, v)}) > 1:
        raise ValueError("three lengths")
    q, k = rope_pair_by_pair(q, k, positions, base=base)
    return F.scaled_dot_product_attention(q, k, v, is_causal=True)


def attention_token_by_token(q, k, v, positions, base=10_000.0):
    if q.shape != k.shape or k.shape != v.shape:
        raise ValueError("shapes differ")
    q, k = rope_by_rotate_half(q, k, positions, base)
    rows = []
    for t in range(q.shape[2]):
        scores = torch.einsum("bhd,bhsd->bhs", q[:, :, t], k[:, :, : t + 1]) * q.shape[3] ** -0.5
        rows.append(torch.einsum("bhs,bhsd->bhd", scores.softmax(dim=-1), v[:, :, : t + 1]))
    return torch.stack(rows, dim=2)


# ---------------------------------------------------------------- alibi_slopes


def slopes_by_recursion(num_heads):
    """The way of the paper's code: the nearest power of two below, then the rest from twice that power."""
    if num_heads <= 0:
        raise ValueError("no heads")
    if math.log2(num_heads).is_integer():
        start = 2 ** (-(2 ** -(math.log2(num_heads) - 3)))
        return torch.tensor([start * start**i for i in range(num_heads)])
    power = 2 ** math.floor(math.log2(num_heads))
    rest = slopes_by_recursion(2 * power)[0::2]
    return torch.cat([slopes_by_recursion(power), rest[: num_heads - power]])


def slopes_in_a_loop(num_heads):
    if num_heads < 1:
        raise ValueError("no heads")
    power = 1
    while 2 * power <= num_heads:
        power *= 2
    slopes = np.zeros(num_heads, dtype=np.float32)
    for head in range(num_heads):
        slopes[head] = 2 ** (-8 * (head + 1) / power if head < power else -4 * (2 * (head - power) + 1) / power)
    return torch.from_numpy(slopes)


def slopes_as_float32_powers(num_heads):
    if num_heads < 1:
        raise ValueError("no heads")
    power = 2 ** (num_heads.bit_length() - 1)

    def series(n):
        return torch.full((n,), 2 ** (-8 / n)).cumprod(0)

    return torch.cat((series(power), series(2 * power)[::2][: num_heads - power]))


# ---------------------------------------------------------------- interpolate


def interpolate_by_cases(positions, trained_len, seq_len):
    if min(trained_len, seq_len) < 1 or positions.dtype in (torch.float16, torch.bfloat16):
        raise ValueError("lengths start at 1, and positions need their bits")
    if seq_len <= trained_len:
        return positions.to(torch.float64)
    return positions.to(torch.float64) * (trained_len / seq_len)


def interpolate_by_division(positions, trained_len, seq_len):
    if trained_len <= 0 or seq_len <= 0:
        raise ValueError("lengths start at 1")
    if positions.is_floating_point() and positions.element_size() < 4:
        raise ValueError("positions need their bits")
    return positions.double() / max(seq_len / trained_len, 1)


STYLES = {
    "frequencies": {
        "a loop over pairs": frequencies_in_a_loop,
        "exponential of logarithms": frequencies_by_logarithms,
    },
    "sinusoidal_table": {"two loops": table_in_loops, "slices of a NumPy array": table_by_slices},
    "rotate": {"complex numbers": rotate_as_complex_numbers, "matrices": rotate_by_matrices},
    "apply_rope": {"rotate_half": rope_by_rotate_half, "a loop over pairs": rope_pair_by_pair},
    "assert_relative": {"pairs of tokens": check_every_pair_of_tokens, "diagonals": check_diagonals},
    "rotary_attention": {"PyTorch's attention": attention_by_pytorch, "token by token": attention_token_by_token},
    "alibi_slopes": {
        "recursion": slopes_by_recursion,
        "a loop over heads": slopes_in_a_loop,
        "powers in float32": slopes_as_float32_powers,
    },
    "interpolate": {"two cases": interpolate_by_cases, "division": interpolate_by_division},
}
