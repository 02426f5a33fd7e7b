"""Mutants that no promised behaviour can tell from the reference, each with its reason.

`nox -s mutate-12` prints the key of each mutant that survives.
"""

SAME_AXIS = "this axis is the same one counted from the end"
NOT_NEGATIVE = "a magnitude is never negative"
ZEROS = "a block of zeros stays zero whatever it is divided by"
SAME_DTYPE = "the dtype is the same, and bucketize compares float64 with float32, too"
IMPLICIT_AXIS = "without `dim`, PyTorch warns and takes the last axis of a matrix"

EQUIVALENT = {
    "absmax_quantize": {
        "largest > 0 -> largest != 0, in: scale = torch.where(largest > 0, largest / limit, 1)": NOT_NEGATIVE,
    },
    "zeropoint_quantize": {
        "width > 0 -> width != 0, in: scale = torch.where(width > 0, width / 255, 1)": "the range is never negative",
    },
    "quantize_groups": {
        "1 -> -1, in: if weight.shape[1] % group_size:": SAME_AXIS,
        "1 -> -1, in: groups = weight.unflatten(1, (-1, group_size))": SAME_AXIS,
        "largest > 0 -> largest != 0, in: scales = torch.where(largest > 0, largest / limit, 1)": NOT_NEGATIVE,
    },
    "int8_linear": {
        "x -> x_scales, in: return y.to(x.dtype)": "a token's scale has x's dtype",
    },
    "smooth_fold": {
        "act_absmax > 0 -> act_absmax != 0, in: return torch.where((act_absmax > 0) & (weight_absmax > 0), "
        "factors, 1)": NOT_NEGATIVE,
        "weight_absmax > 0 -> weight_absmax != 0, in: return torch.where((act_absmax > 0) & (weight_absmax > 0), "
        "factors, 1)": NOT_NEGATIVE,
    },
    "gptq_quantize": {
        "1 -> -1, in: largest = weight.abs().amax(dim=1, keepdim=True)": SAME_AXIS,
        "largest > 0 -> largest != 0, in: scales = torch.where(largest > 0, largest / limit, 1)": NOT_NEGATIVE,
        "hessian.clone() -> hessian, in: damped = hessian.clone()": "this Hessian is made here and used once",
        "hessian -> damped, in: damped.diagonal().add_(damping * hessian.diagonal().mean())": "both are still the same",
        "1 -> -1, in: return (torch.cat(codes, dim=1).to(torch.int8), scales)": SAME_AXIS,
    },
    "nf4_quantize": {
        "2 -> -2, in: if block_size % 2 or x.numel() % block_size:": "only a remainder of zero counts",
        "1 -> -1, in: absmax = blocks.abs().amax(dim=1)": SAME_AXIS,
        "absmax == 0 -> absmax <= 0, in: scaled = blocks / absmax.masked_fill(absmax == 0, 1)[:, None]": NOT_NEGATIVE,
        "1 -> 2, in: scaled = blocks / absmax.masked_fill(absmax == 0, 1)[:, None]": ZEROS,
        "1 -> -1, in: scaled = blocks / absmax.masked_fill(absmax == 0, 1)[:, None]": ZEROS,
        "NF4_LEVELS.to(x.dtype) -> NF4_LEVELS, in: levels = NF4_LEVELS.to(x.dtype)": SAME_DTYPE,
        "x -> absmax, in: levels = NF4_LEVELS.to(x.dtype)": SAME_DTYPE,
        "x -> blocks, in: levels = NF4_LEVELS.to(x.dtype)": SAME_DTYPE,
        "x -> scaled, in: levels = NF4_LEVELS.to(x.dtype)": SAME_DTYPE,
        "1 -> -1, in: return ((codes[:, 0] * 16 + codes[:, 1]).to(torch.uint8), absmax)": "there are two columns",
    },
    "distillation_loss": {
        (
            "F.log_softmax(student / temperature, dim=1) -> F.log_softmax(student / temperature), "
            "in: soft = F.log_softmax(student / temperature, dim=1)"
        ): IMPLICIT_AXIS,
        (
            "F.log_softmax(teacher.detach() / temperature, dim=1) -> F.log_softmax(teacher.detach() / temperature), "
            "in: target = F.log_softmax(teacher.detach() / temperature, dim=1)"
        ): IMPLICIT_AXIS,
        "1 -> -1, in: soft = F.log_softmax(student / temperature, dim=1)": SAME_AXIS,
        "1 -> -1, in: target = F.log_softmax(teacher.detach() / temperature, dim=1)": SAME_AXIS,
        "1 -> -1, in: divergence = (target.exp() * (target - soft)).sum(dim=1).mean()": SAME_AXIS,
    },
}
