"""Right solutions in other styles: each must be RIGHT. None of them calls the reference."""

import math

import numpy as np
import torch
import torch.nn.functional as F

# ---------------------------------------------------------------- layer_norm


def layer_norm_by_moments(x, weight, bias, eps=1e-5):
    variance, mean = torch.var_mean(x, dim=-1, correction=0, keepdim=True)
    return (x - mean).div(torch.sqrt(variance + eps)) * weight + bias


def layer_norm_row_by_row(x, weight, bias, eps=1e-5):
    rows = []
    for row in x.reshape(-1, x.shape[-1]):
        mean = sum(row) / len(row)
        square = sum((value - mean) ** 2 for value in row) / len(row)
        rows.append(bias + weight * (row - mean) / (square + eps) ** 0.5)
    return torch.stack(rows).reshape(x.shape)


def layer_norm_backward_by_autograd(dy, x, weight, eps=1e-5):
    with torch.enable_grad():
        leaves = [x.detach().clone(), weight.detach().clone(), torch.zeros_like(weight)]
        for leaf in leaves:
            leaf.requires_grad_()
        y = F.layer_norm(leaves[0], x.shape[-1:], leaves[1], leaves[2], eps)
        return torch.autograd.grad(y, leaves, dy)


def layer_norm_backward_by_jacobian(dy, x, weight, eps=1e-5):
    D = x.shape[-1]
    flat, d = x.reshape(-1, D), dy.reshape(-1, D)
    dx, dweight, dbias = [], torch.zeros_like(weight), torch.zeros_like(weight)
    for row, upstream in zip(flat, d, strict=True):
        std = ((row - row.mean()).pow(2).mean() + eps).sqrt()
        hat = (row - row.mean()) / std
        jacobian = (torch.eye(D, dtype=x.dtype) - 1 / D - torch.outer(hat, hat) / D) / std
        dx.append((upstream * weight) @ jacobian)
        dweight = dweight + upstream * hat
        dbias = dbias + upstream
    return [torch.stack(dx).view(x.shape), dweight, dbias]


# ---------------------------------------------------------------- rms_norm


def rms_norm_by_length(x, weight, eps=1e-6):
    wide = x if x.dtype == torch.float64 else x.float()
    rms = (torch.linalg.vector_norm(wide, dim=-1, keepdim=True) ** 2 / x.shape[-1] + eps).sqrt()
    return (wide / rms).to(x.dtype).mul(weight)


def rms_norm_by_einsum(x, weight, eps=1e-6):
    dtype = x.dtype
    if dtype in (torch.float16, torch.bfloat16):
        x = x.to(torch.float32)
    square = torch.einsum("...d,...d->...", x, x) / x.size(-1)
    x = x * torch.pow(square + eps, -0.5)[..., None]
    return weight * x.type(dtype)


def rms_norm_backward_by_autograd(dy, x, weight, eps=1e-6):
    with torch.enable_grad():
        a, w = x.detach().clone().requires_grad_(), weight.detach().clone().requires_grad_()
        return torch.autograd.grad(F.rms_norm(a, x.shape[-1:], w, eps), (a, w), dy)


def rms_norm_backward_by_quotient_rule(dy, x, weight, eps=1e-6):
    D = x.size(-1)
    r = (x.pow(2).sum(-1, keepdim=True) / D + eps).sqrt()
    g = weight * dy
    inner = torch.einsum("...d,...d->...", g, x)[..., None]
    axes = tuple(range(x.dim() - 1))
    dweight = dy * x / r
    return g / r - x * inner / (D * r**3), dweight.sum(axes) if axes else dweight


# ---------------------------------------------------------------- batch_norm


def batch_norm_over_axes(x, weight, bias, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    shape = [1, x.shape[1]] + [1] * (x.dim() - 2)
    axes = [0, *range(2, x.dim())]
    count = x.numel() / x.shape[1]
    if training:
        if count < 2:
            raise ValueError("a variance needs two values")
        mean, var = x.mean(axes), x.var(axes, correction=0)
        running_mean = running_mean + momentum * (mean - running_mean)
        running_var = torch.lerp(running_var, var * count / (count - 1), momentum)
    else:
        mean, var = running_mean, running_var
    scale = (weight / torch.sqrt(var + eps)).view(shape)
    return x * scale + (bias.view(shape) - mean.view(shape) * scale), running_mean, running_var


def batch_norm_channel_by_channel(x, weight, bias, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    y, means, variances = torch.zeros_like(x), running_mean.clone(), running_var.clone()
    for c in range(x.shape[1]):
        values = x[:, c]
        n = values.numel()
        if training and n == 1:
            raise ValueError("one value")
        mean = values.mean() if training else running_mean[c]
        var = ((values - mean) ** 2).mean() if training else running_var[c]
        if training:
            means[c] = momentum * mean + (1 - momentum) * running_mean[c]
            variances[c] = momentum * ((values - mean) ** 2).sum() / (n - 1) + (1 - momentum) * running_var[c]
        y[:, c] = (values - mean) / (var + eps) ** 0.5 * weight[c] + bias[c]
    return [y, means, variances]


# ---------------------------------------------------------------- gelu


def gelu_by_distribution(x, approximate="none"):
    if approximate not in {"none", "tanh"}:
        raise ValueError(approximate)
    if approximate == "none":
        return x * torch.special.ndtr(x)
    return x * torch.sigmoid(2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x.pow(3)))


def gelu_by_erfc(x, approximate="none"):
    match approximate:
        case "none":
            return x / 2 * torch.erfc(-x * 2**-0.5)
        case "tanh":
            return 0.5 * x + 0.5 * x * torch.tanh(0.7978845608028654 * x * (1 + 0.044715 * x * x))
    raise ValueError("approximate")


def gelu_grad_by_autograd(x, approximate="none"):
    if approximate not in ("none", "tanh"):
        raise ValueError("approximate")
    with torch.enable_grad():
        leaf = x.detach().clone().requires_grad_()
        return torch.autograd.grad(F.gelu(leaf, approximate=approximate).sum(), leaf)[0]


def gelu_grad_by_distribution(x, approximate="none"):
    if approximate == "none":
        normal = torch.distributions.Normal(torch.zeros((), dtype=x.dtype), torch.ones((), dtype=x.dtype))
        return normal.cdf(x) + x * normal.log_prob(x).exp()
    if approximate == "tanh":
        c = math.sqrt(8 / math.pi)
        s = torch.sigmoid(c * (x + 0.044715 * x**3))
        return s + x * s * (1 - s) * c * (1 + 0.134145 * x**2)
    raise ValueError("none or tanh")


# ---------------------------------------------------------------- swiglu


def swiglu_width_by_loop(d_model, multiple_of=1):
    if min(d_model, multiple_of) <= 0:
        raise ValueError("too small")
    hidden = int(2 * (4 * d_model) / 3)
    while hidden % multiple_of:
        hidden += 1
    return hidden


def swiglu_width_by_ceil(d_model, multiple_of=1):
    if not (d_model >= 1 and multiple_of >= 1):
        raise ValueError(f"{d_model}, {multiple_of}")
    return math.ceil((4 * d_model * 2 // 3) / multiple_of) * multiple_of


def swiglu_by_linear(x, gate_proj, up_proj, down_proj):
    return F.linear(F.silu(F.linear(x, gate_proj)).mul(F.linear(x, up_proj)), down_proj)


def swiglu_by_one_product(x, gate_proj, up_proj, down_proj):
    both = torch.einsum("...d,hd->...h", x, torch.cat([gate_proj, up_proj]))
    gate, up = both.chunk(2, dim=-1)
    return torch.einsum("...h,dh->...d", gate * torch.sigmoid(gate) * up, down_proj)


# ---------------------------------------------------------------- dropout


def dropout_by_indices(x, p, uniforms, training):
    if p < 0 or p >= 1:
        raise ValueError("p")
    if not training:
        return x.clone()
    y = x / (1.0 - p)
    y[uniforms < p] = 0
    return y


def dropout_by_fill(x, p, uniforms, training):
    if not (0.0 <= p < 1.0):
        raise ValueError(f"{p=}")
    return x.masked_fill(uniforms.lt(p), 0.0).mul(1 / (1 - p)) if training else x


# ---------------------------------------------------------------- numerical_gradient and gradcheck


def numerical_gradient_by_moving_one_entry(function, x, h=1e-6):
    if x.dtype is not torch.float64:
        raise ValueError("float64 only")
    gradient = torch.zeros_like(x)
    for index in np.ndindex(*x.shape):
        moved = x.clone()
        moved[index] = x[index] + h
        above = function(moved)
        moved[index] = x[index] - h
        gradient[index] = (above - function(moved)) / (2 * h)
    return gradient


def numerical_gradient_by_unit_vectors(function, x, h=1e-6):
    if x.dtype in (torch.float32, torch.float16, torch.bfloat16):
        raise ValueError("use double")
    units = torch.eye(x.numel(), dtype=x.dtype).unflatten(1, x.shape)
    slopes = [float(function(x + h * e) - function(x - h * e)) / h / 2 for e in units]
    return torch.tensor(slopes, dtype=x.dtype).view(*x.shape)


def _slopes(function, x, h):
    return numerical_gradient_by_moving_one_entry(function, x, h)


def gradcheck_by_largest_error(forward, backward, inputs, dy, h=1e-6, rtol=1e-4, atol=1e-7):
    inputs = list(inputs)
    got = list(backward(dy, *inputs))
    if len(got) != len(inputs):
        raise ValueError("one gradient an input")
    right = True
    for i in range(len(inputs)):

        def loss(value, i=i):
            others = inputs.copy()
            others[i] = value
            return torch.sum(forward(*others) * dy)

        want = _slopes(loss, inputs[i], h)
        if tuple(got[i].shape) != tuple(want.shape):
            right = False
        else:
            excess = (got[i] - want).abs() - rtol * want.abs() - atol
            right = right and bool(torch.all(excess <= 0))
    return right


def gradcheck_by_isclose(forward, backward, inputs, dy, h=1e-6, rtol=1e-4, atol=1e-7):
    given = backward(dy, *inputs)
    if len(given) - len(inputs):
        raise ValueError("count")
    for i, (x, g) in enumerate(zip(inputs, given, strict=True)):
        slopes = []
        for unit in torch.eye(x.numel(), dtype=x.dtype):
            e = h * unit.reshape(x.shape)
            plus, minus = (forward(*inputs[:i], x + s * e, *inputs[i + 1 :]) for s in (1, -1))
            slopes.append(((plus - minus) * dy).sum() / (2 * h))
        want = torch.stack(slopes).reshape(x.shape)
        if g.size() != x.size() or not np.allclose(g.numpy(), want.numpy(), rtol=rtol, atol=atol):
            return False
    return True


STYLES = {
    "layer_norm": {"by var_mean": layer_norm_by_moments, "row by row": layer_norm_row_by_row},
    "layer_norm_backward": {
        "by autograd": layer_norm_backward_by_autograd,
        "by the Jacobian, as a list": layer_norm_backward_by_jacobian,
    },
    "rms_norm": {"by vector_norm": rms_norm_by_length, "by einsum": rms_norm_by_einsum},
    "rms_norm_backward": {
        "by autograd": rms_norm_backward_by_autograd,
        "by the quotient rule": rms_norm_backward_by_quotient_rule,
    },
    "batch_norm": {"over axes": batch_norm_over_axes, "channel by channel": batch_norm_channel_by_channel},
    "gelu": {"by the distribution": gelu_by_distribution, "by erfc": gelu_by_erfc},
    "gelu_grad": {"by autograd": gelu_grad_by_autograd, "by the distribution": gelu_grad_by_distribution},
    "swiglu_width": {"by a loop": swiglu_width_by_loop, "by ceil": swiglu_width_by_ceil},
    "swiglu": {"by linear": swiglu_by_linear, "by one product": swiglu_by_one_product},
    "dropout": {"by indices": dropout_by_indices, "by masked_fill": dropout_by_fill},
    "numerical_gradient": {
        "moving one entry": numerical_gradient_by_moving_one_entry,
        "by unit vectors": numerical_gradient_by_unit_vectors,
    },
    "gradcheck": {"by the largest error": gradcheck_by_largest_error, "by isclose": gradcheck_by_isclose},
}
