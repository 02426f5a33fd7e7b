"""Mutants that no promised behaviour can tell from the reference, each with its reason. `nox -s mutate-06`."""

SAME_AXIS = "all of these tensors have the same last axis"
BACKWARD_ONLY = "the second item of the pair is for the backward pass; the forward pass drops it"
TWO_AXES = "the tensor has two axes, so the last one is axis 1"

NO_SIGN = "a central difference does not see the sign of h"

BACKWARD = "in: dweight = (dy * x_hat).reshape(-1, x.shape[-1]).sum(dim=0)"
WIDE = "in: wide = x.to(torch.promote_types(x.dtype, torch.float32))"

EQUIVALENT = {
    "layer_norm": {
        f"rstd -> {name}, in: return (centered * rstd, rstd) (2)": BACKWARD_ONLY for name in ("centered", "eps", "x")
    },
    "layer_norm_backward": {
        f"x -> {name}, in: D = x.shape[-1]": SAME_AXIS for name in ("dx", "dy", "g", "weight", "x_hat")
    },
    "rms_norm": {
        "torch.promote_types(x.dtype, torch.float32) -> torch.promote_types(torch.float32, x.dtype), "
        + WIDE: "the wider of two dtypes does not depend on their order",
        f"x -> weight, {WIDE} (2)": "a weight has the dtype of x",
        "wide -> x, in: return weight * (wide * rstd).to(x.dtype)": "rstd is float32, so the product is float32 too",
        "x -> weight, in: return weight * (wide * rstd).to(x.dtype)": "a weight has the dtype of x",
    },
    "rms_norm_backward": {f"x -> {name}, {BACKWARD}": SAME_AXIS for name in ("dx", "dy", "g", "weight", "x_hat")},
    "batch_norm": {
        "1 -> -1, in: return values.unflatten(1, (x.shape[0], *x.shape[2:])).transpose(0, 1)": TWO_AXES,
        "1 -> -1, in: n = values.shape[1]": TWO_AXES,
        "1 -> -1, in: mean = values.mean(dim=1)": TWO_AXES,
        "1 -> -1, in: var = (values - mean[:, None]).square().mean(dim=1)": TWO_AXES,
        "n == 1 -> n <= 1, in: if n == 1:": "an empty batch has no promised result",
        "values - mean[:, None] -> mean[:, None] - values, in: var = (values - mean[:, None]).square().mean(dim=1)": (
            "a square has no sign"
        ),
    },
    "numerical_gradient": {
        "numerical_gradient: if x.dtype != torch.float64: raise -> at the end": "nothing is changed before the error",
        "1e-06 -> -1e-06, in: def numerical_gradient(function, x, h=1e-06):": NO_SIGN,
        "x -> step, in: return torch.stack(differences).reshape(x.shape)": "a step has the shape of x",
    },
    "gradcheck": {
        "1e-06 -> -1e-06, in: def gradcheck(forward, backward, inputs, dy, h=1e-06, rtol=0.0001, ...": (NO_SIGN),
    },
}
