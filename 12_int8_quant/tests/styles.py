"""Right solutions in other styles: loops, other formulations, other containers. Each must be RIGHT."""

import math

import torch
import torch.nn.functional as F
from int8_quant import NF4_LEVELS, check_finite, largest_code

# ---------------------------------------------------------------- absmax_quantize


def absmax_in_plain_python(x, bits=8):
    check_finite(x)
    limit = largest_code(bits)
    largest = max((abs(v) for v in x.flatten().tolist()), default=0.0)
    scale = torch.tensor(largest, dtype=x.dtype) / limit if largest else torch.ones((), dtype=x.dtype)
    codes = [max(-limit, min(limit, round(v))) for v in (x / scale).flatten().tolist()]
    return torch.tensor(codes, dtype=torch.int8).view(x.shape), scale


def absmax_by_norm(x, bits=8):
    if not torch.isfinite(x).all() or bits < 2 or bits > 8:
        raise ValueError("no code")
    limit = (1 << (bits - 1)) - 1
    scale = torch.linalg.vector_norm(x, float("inf")).div(limit)
    if scale == 0:
        scale = torch.ones_like(scale)
    return torch.clamp(torch.round(torch.div(x, scale)), min=-limit, max=limit).char(), scale


# ---------------------------------------------------------------- zeropoint_quantize


def zeropoint_in_plain_python(x):
    check_finite(x)
    low, high = torch.aminmax(torch.cat((x.flatten(), torch.zeros(1, dtype=x.dtype))))
    scale = (high - low) / 255 if high > low else torch.ones((), dtype=x.dtype)
    zero = -128 - round((low / scale).item())
    codes = [max(-128, min(127, round(v) + zero)) for v in (x / scale).flatten().tolist()]
    return torch.tensor(codes, dtype=torch.int8).view(x.shape), scale, torch.tensor(zero, dtype=torch.int32)


def zeropoint_in_place(x):
    if x.isnan().any() or x.isinf().any():
        raise ValueError("no code")
    low, high = x.amin().clamp_max(0), x.amax().clamp_min(0)
    scale = (high - low).div_(255)
    scale = scale.masked_fill_(scale == 0, 1.0)
    zero = low.div(scale).round_().neg_().sub_(128).int()
    return x.div(scale).round_().add_(zero).clamp_(-128, 127).to(dtype=torch.int8), scale, zero


# ---------------------------------------------------------------- quantize_groups


def groups_by_loops(weight, group_size, bits=8):
    rows, columns = weight.shape
    if columns % group_size != 0:
        raise ValueError("a group would cross a row")
    check_finite(weight)
    limit = largest_code(bits)
    codes = torch.zeros(rows, columns, dtype=torch.int8)
    scales = torch.ones(rows, columns // group_size, dtype=weight.dtype)
    for o in range(rows):
        for g in range(columns // group_size):
            part = weight[o, g * group_size : (g + 1) * group_size]
            if part.abs().max() > 0:
                scales[o, g] = part.abs().max() / limit
            codes[o, g * group_size : (g + 1) * group_size] = (part / scales[o, g]).round().clip(-limit, limit)
    return codes, scales


def groups_repeated(weight, group_size, bits=8):
    check_finite(weight)
    if weight.size(1) % group_size:
        raise ValueError("a group would cross a row")
    limit = 2 ** (bits - 1) - 1
    parts = torch.stack(weight.split(group_size, dim=1), dim=1)
    scales = parts.abs().max(dim=-1).values / limit
    scales[scales == 0] = 1
    wide = scales.repeat_interleave(group_size, dim=1)
    return torch.clamp(torch.round(weight / wide), -limit, limit).to(torch.int8), scales


# ---------------------------------------------------------------- int8_linear


def linear_by_loops(x, codes, scales, bias=None):
    check_finite(x)
    y = torch.zeros(len(x), len(codes), dtype=x.dtype)
    for t, token in enumerate(x):
        scale = token.abs().max() / 127
        scale = scale if scale > 0 else torch.ones_like(scale)
        whole = torch.round(token / scale).long()
        for o, channel in enumerate(codes.long()):
            y[t, o] = (whole * channel).sum() * scale * scales[o, 0]
    return (y if bias is None else y + bias).to(x.dtype)


def linear_by_einsum(x, codes, scales, bias=None):
    check_finite(x)
    s = x.abs().amax(-1, keepdim=True).div(127)
    s = torch.where(s == 0, torch.ones_like(s), s)
    sums = (x / s).round().double() @ codes.double().t()
    y = torch.einsum("to,tx,ox->to", sums.to(x.dtype), s, scales.to(x.dtype))
    return (y + (0 if bias is None else bias)).to(x.dtype)


# ---------------------------------------------------------------- llm_int8_linear


def rows_rounded(x):
    s = x.abs().amax(1, keepdim=True).div(127)
    s = torch.where(s == 0, 1, s)
    return (x / s).round() * s


def llm_by_masks(x, weight, threshold=6.0):
    columns = x.abs().amax(dim=0) > threshold
    keep = (~columns).to(x.dtype)
    return rows_rounded(x * keep) @ rows_rounded(weight * keep).t() + (x * columns) @ weight.t()


def llm_by_indices(x, weight, threshold=6.0):
    loud = [i for i in range(x.shape[1]) if x[:, i].abs().max() > threshold]
    quiet = [i for i in range(x.shape[1]) if i not in loud]
    y = torch.zeros(len(x), len(weight), dtype=x.dtype)
    if quiet:
        y = y + F.linear(rows_rounded(x[:, quiet]), rows_rounded(weight[:, quiet]))
    for i in loud:
        y = y + torch.outer(x[:, i], weight[:, i])
    return y


# ---------------------------------------------------------------- smooth_fold


def fold_by_loops(norm_weight, weights, act_absmax, alpha=0.5):
    gain, folded = norm_weight.clone(), [w.clone() for w in weights]
    for j in range(len(norm_weight)):
        a, w = float(act_absmax[j]), max(float(v[:, j].abs().max()) for v in weights)
        s = a**alpha / w ** (1 - alpha) if a > 0 and w > 0 else 1.0
        gain[j] = gain[j] / s
        for v in folded:
            v[:, j] = v[:, j] * s
    return gain, folded


def fold_by_logarithms(norm_weight, weights, act_absmax, alpha=0.5):
    w = torch.stack([v.abs().amax(0) for v in weights]).amax(0)
    usable = torch.logical_and(act_absmax != 0, w != 0)
    s = torch.exp(alpha * act_absmax.log() - (1 - alpha) * w.log())
    s = torch.where(usable, s, torch.ones_like(s))
    return norm_weight.div(s), tuple(torch.einsum("oi,i->oi", v, s) for v in weights)


# ---------------------------------------------------------------- fake_quantize


class StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, scale, limit):
        codes = torch.round(x / scale)
        ctx.save_for_backward(codes.abs() <= limit)
        return (codes.clamp(-limit, limit) * scale).to(x.dtype)

    @staticmethod
    def backward(ctx, upstream):
        return upstream.masked_fill(~ctx.saved_tensors[0], 0), None, None


def fake_by_function(x, scale, bits=8):
    return StraightThrough.apply(x, scale, largest_code(bits))


def fake_by_where(x, scale, bits=8):
    limit = largest_code(bits)
    with torch.no_grad():
        whole = torch.round(x / scale)
        fixed = (torch.clamp(whole, min=-limit, max=limit) * scale).to(x.dtype)
        correction = fixed - x
    return torch.where(whole.abs() <= limit, x + correction, fixed)


# ---------------------------------------------------------------- gptq_quantize


def gptq_by_elimination(weight, inputs, bits=4, damping=0.01):
    limit = largest_code(bits)
    H = torch.einsum("ni,nj->ij", inputs, inputs)
    H = H + torch.diag(torch.full((len(H),), float(damping * H.diag().mean()), dtype=H.dtype))
    inverse, rest = torch.inverse(H), weight.clone()
    scales = rest.abs().amax(1, keepdim=True) / limit
    scales[scales == 0] = 1
    columns = []
    for j in range(weight.shape[1]):
        code = torch.clamp(torch.round(rest[:, j] / scales[:, 0]), -limit, limit)
        error = (rest[:, j] - code * scales[:, 0]) / inverse[j, j]
        rest = rest - torch.outer(error, inverse[j])
        inverse = inverse - torch.outer(inverse[:, j], inverse[j]) / inverse[j, j]
        columns.append(code)
    return torch.stack(columns, dim=1).to(torch.int8), scales


def gptq_row_by_row(weight, inputs, bits=4, damping=0.01):
    limit, size = 2 ** (bits - 1) - 1, weight.shape[1]
    H = 2 * inputs.T @ inputs
    H[range(size), range(size)] += damping * torch.trace(H) / size
    U = torch.linalg.cholesky(torch.linalg.inv(H)).mT
    codes, scales = torch.zeros_like(weight).to(torch.int8), torch.ones(len(weight), 1, dtype=weight.dtype)
    for o in range(len(weight)):
        row = weight[o].clone()
        if row.abs().max() > 0:
            scales[o, 0] = row.abs().max() / limit
        for j in range(size):
            c = (row[j] / scales[o, 0]).round().clamp(-limit, limit)
            e = (row[j] - c * scales[o, 0]) / U[j, j]
            row[j + 1 :] = row[j + 1 :] - e * U[j, j + 1 :]
            codes[o, j] = c
    return codes, scales


# ---------------------------------------------------------------- nf4_quantize


def nf4_by_distance(x, block_size=64):
    if x.numel() % block_size or block_size % 2:
        raise ValueError("not whole blocks")
    blocks = x.contiguous().view(-1, block_size)
    absmax = blocks.abs().max(1).values
    safe = torch.where(absmax == 0, torch.ones_like(absmax), absmax)
    distance = (blocks / safe[:, None]).unsqueeze(-1).sub(NF4_LEVELS.to(x.dtype)).abs()
    codes = distance.argmin(-1).flatten()
    return (codes[::2] << 4 | codes[1::2]).to(torch.uint8), absmax


def nf4_in_plain_python(x, block_size=64):
    numbers, levels = x.flatten().tolist(), NF4_LEVELS.tolist()
    if len(numbers) % block_size or block_size % 2:
        raise ValueError("not whole blocks")
    packed, absmax = [], []
    for start in range(0, len(numbers), block_size):
        block = numbers[start : start + block_size]
        top = max(map(abs, block))
        absmax.append(top)
        codes = [min(range(16), key=lambda i, v=v, top=top: abs(v / (top or 1) - levels[i])) for v in block]
        packed += [16 * a + b for a, b in zip(codes[::2], codes[1::2], strict=True)]
    return torch.tensor(packed, dtype=torch.uint8), torch.tensor(absmax, dtype=x.dtype)


# ---------------------------------------------------------------- distillation_loss


def distillation_by_kl_div(student, teacher, labels, temperature=2.0, alpha=0.5):
    T = temperature
    soft = F.kl_div(
        (student / T).log_softmax(-1), (teacher.detach() / T).log_softmax(-1), reduction="batchmean", log_target=True
    )
    return alpha * soft * T * T + (1 - alpha) * F.nll_loss(student.log_softmax(-1), labels)


def distillation_by_rows(student, teacher, labels, temperature=2.0, alpha=0.5):
    total = 0.0
    for s, t, y in zip(student, teacher.detach(), labels, strict=True):
        p = torch.softmax(t / temperature, 0)
        entropy = torch.special.entr(p).sum()
        cross = -(p * torch.log_softmax(s / temperature, 0)).sum()
        hard = torch.logsumexp(s, 0) - s[y]
        total = total + alpha * math.pow(temperature, 2) * (cross - entropy) + (1 - alpha) * hard
    return total / len(student)


STYLES = {
    "absmax_quantize": {"plain Python": absmax_in_plain_python, "the infinity norm": absmax_by_norm},
    "zeropoint_quantize": {"plain Python": zeropoint_in_plain_python, "in place": zeropoint_in_place},
    "quantize_groups": {"loops": groups_by_loops, "scales repeated": groups_repeated},
    "int8_linear": {"loops": linear_by_loops, "double and einsum": linear_by_einsum},
    "llm_int8_linear": {"masks": llm_by_masks, "lists of columns": llm_by_indices},
    "smooth_fold": {"loops": fold_by_loops, "logarithms": fold_by_logarithms},
    "fake_quantize": {"autograd.Function": fake_by_function, "where": fake_by_where},
    "gptq_quantize": {"Gaussian elimination": gptq_by_elimination, "row by row": gptq_row_by_row},
    "nf4_quantize": {"distances": nf4_by_distance, "plain Python": nf4_in_plain_python},
    "distillation_loss": {"kl_div": distillation_by_kl_div, "row by row": distillation_by_rows},
}
