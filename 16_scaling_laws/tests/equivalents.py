"""Mutants that no promised behaviour can tell from the reference, each with its reason.

`nox -s mutate-16` prints the key of each mutant that survives.
"""

CENTRED = "centred numbers sum to zero, so the constant that is added to the other factor drops out"
SAME_AXIS = "this axis is the same one counted from the end"
SIGN = "only its square is used"
NO_VIEW = "a tuple and a number cannot be changed: a copy is the same"

EQUIVALENT: dict[str, dict[str, str]] = {
    "train_run": {
        "optimizer -> model, in: optimizer.zero_grad()": "the optimizer holds exactly the model's parameters",
    },
    "fit_power_law": {
        "x.min() == x.max() -> x.min() >= x.max(), in: if min(x.min(), y.min()) <= 0 or x.min() == x.max():": (
            "the smallest is never above the largest"
        ),
        "centred -> log_x, in: slope = (centred * np.log(y)).sum() / (centred * centred).sum() (2)": CENTRED,
        "centred -> log_x, in: slope = (centred * np.log(y)).sum() / (centred * centred).sum() (3)": CENTRED,
    },
    "fit_irreducible": {
        "(np.log(predicted / loss) ** 2).sum() -> (np.log(predicted / loss) ** 2).mean(), in: return (np.log(predicted / loss) ** 2).sum()": "the floors are only compared: the mean has the same order",  # noqa: E501
        "predicted / loss -> loss / predicted, in: return (np.log(predicted / loss) ** 2).sum()": SIGN,
        "squared_log_error(loss, floor + c * x ** (-alpha)) -> squared_log_error(floor + c * x ** (-alpha), loss), in: fits.append((squared_log_error(loss, floor + c * x ** (-alpha)), fl...": SIGN,  # noqa: E501
        "return sorted(fits)[0][1:] -> return _copied(sorted(fits)[0][1:]), in: def fit_irreducible(x, loss, floors):": NO_VIEW,  # noqa: E501
    },
    "huber_log_loss": {
        "np.array(np.broadcast_arrays(size, data, theta[2])) -> np.broadcast_arrays(size, data, theta[2]), in: terms = np.array(np.broadcast_arrays(size, data, theta[2]))": "NumPy makes the same array of it in the next line",  # noqa: E501
        "1 -> -1, in: by_exponent = -(by_term[:2] * [log_n, log_tokens]).sum(1)": SAME_AXIS,
        "1 -> -1, in: return ((clipped * (residual - clipped / 2)).sum(), np.array([*by_t...": SAME_AXIS,
        "clipped -> by_term, in: return ((clipped * (residual - clipped / 2)).sum(), np.array([*by_t...": (
            "the three terms' shares sum to one, and so does what is multiplied by them"
        ),
    },
    "ridgeless_risk": {
        "1.0 -> -1.0, in: def ridgeless_risk(parameters, samples, outputs=1, signal=1.0, nois...": SIGN,
        "1.0 -> -1.0, in: def ridgeless_risk(parameters, samples, outputs=1, signal=1.0, nois... (2)": SIGN,
        "gamma > 1 -> gamma != 1, in: if gamma > 1:": "below one the function has returned already",
        "return math.inf -> return _copied(math.inf), in: def ridgeless_risk(parameters, samples, outputs=1, signal=1.0, nois...": NO_VIEW,  # noqa: E501
    },
}
