"""The pages of the theory, each measured against its own formula: `python -m scaling_laws theory`."""

import argparse
import math
from collections.abc import Callable
from statistics import median

import numpy as np
import torch
from torch import Tensor

from ..theory import bounds, hessian, information, landscape, lottery, network, saddles, universal

Log = Callable[[str], None]


def theory(options: argparse.Namespace, log: Log) -> dict:
    """All pages; about a minute on one core."""
    seed, quick = options.seed, options.quick
    found = {}
    for page in (edge_of_stability, slices, saddle_points, compression, promises, approximation, tickets):
        log(page.__name__.replace("_", " "))
        found[page.__name__] = page(seed, quick)
    return found


def digits(count: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """(images in rows of 64 numbers with mean zero, labels), in a random order: scikit-learn's 8 x 8 digits."""
    from sklearn.datasets import load_digits

    data = load_digits()
    order = np.random.default_rng(seed).permutation(len(data.target))[:count]
    x = torch.tensor(data.data[order] / 16, dtype=torch.float32)
    return x - x.mean(0), torch.tensor(data.target[order], dtype=torch.long)


# ---------------------------------------------------------------- Hessian


def edge_of_stability(seed: int, quick: bool) -> dict:
    """Sharpness while plain gradient descent runs, beside 2 / rate."""
    sizes = network.Sizes(64, 24, 10, "tanh")
    x, y = digits(100 if quick else 300, seed)
    wanted = torch.nn.functional.one_hot(y, 10).float()

    def loss(theta: Tensor) -> Tensor:
        return ((network.forward(theta, x, sizes) - wanted) ** 2).sum(1).mean() / 2

    steps, every = (40, 20) if quick else (1500, 30)
    start, runs = network.initial(sizes, seed), {}
    for lr in (0.55, 0.7, 0.9):
        sharp, losses = hessian.sharpness_while_training(loss, start, lr, steps, every)
        runs[str(lr)] = {"sharpness": sharp, "loss": losses}
    trained = network.descend(loss, start, 0.55, steps)
    vector = torch.randn(start.shape, generator=torch.Generator().manual_seed(seed))
    values, weights = hessian.lanczos(lambda v: hessian.hessian_product(loss, trained, v), vector, 60)
    spectrum = {"values": values.tolist(), "weights": weights.tolist()}
    return {"every": every, "runs": runs, "spectrum": spectrum, "parameters": sizes.parameters}


# ---------------------------------------------------------------- landscape


def slices(seed: int, quick: bool) -> dict:
    """Two networks that compute the same, sliced along plain and along filter-normalised directions."""
    sizes = network.Sizes(64, 24, 10, "relu")
    x, y = digits(100 if quick else 600, seed)

    def loss(theta: Tensor) -> Tensor:
        return network.cross_entropy(theta, x, y, sizes)

    theta = network.descend(loss, network.initial(sizes, seed), 0.5, 20 if quick else 300)
    at, found = torch.linspace(-1, 1, 41), {"at": torch.linspace(-1, 1, 41).tolist(), "loss": float(loss(theta))}
    for factor in (1.0, 4.0):
        other = hessian.rescaled(theta, sizes, factor)
        plain = landscape.random_direction(theta, seed + 1)
        normalised = landscape.filter_normalised(plain, other, sizes)
        found[f"rescaled by {factor:g}"] = {
            "plain": landscape.loss_slice(loss, other, plain, at).tolist(),
            "filter-normalised": landscape.loss_slice(loss, other, normalised, at).tolist(),
            "Taylor": landscape.quadratic_slice(loss, other, normalised, at).tolist(),
            "sharpness": hessian.sharpness(loss, other),
        }
    return found


# ---------------------------------------------------------------- saddles


def saddle_points(seed: int, quick: bool) -> dict:
    """The share of minima by dimension, and the share of descending directions under a shift."""
    count = 2_000 if quick else 200_000
    shares = {d: saddles.share_of_minima(d, count, seed) for d in range(1, 6)}
    values = np.linalg.eigvalsh(saddles.random_hessians(60, 50, seed)) / math.sqrt(60)
    shifts = [0.0, 0.5, 1.0, 1.5, 2.0]
    index = [{"shift": s, "measured": float((values + s < 0).mean()), "theory": saddles.index_share(s)} for s in shifts]
    return {
        "count": count,
        "shares": {str(d): share for d, share in shares.items()},
        "exact": {str(d): share for d, share in saddles.EXACT.items()},
        "decay": {str(d): saddles.decay(d) for d in shares},
        "index": index,
    }


# ---------------------------------------------------------------- information


def just_below_one(x: np.ndarray) -> np.ndarray:
    """tanh; where floating point says 1.0, the largest number below, so that it is in the last bin."""
    return np.minimum(np.tanh(x), 1 - 1e-12)


def compression(seed: int, quick: bool) -> dict:
    """One unit in closed form and as estimated; and a network's hidden layer while it learns, at two bin widths."""
    x = np.random.default_rng(seed).standard_normal(2_000 if quick else 40_000)
    weights, unit = [0.1, 0.3, 1, 2, 4, 8, 16], {}
    for name, function in (("tanh", just_below_one), ("relu", lambda v: np.maximum(v, 0))):
        exact = [information.neuron_information(w, name, 0.1) for w in weights]
        none = np.zeros(len(x), int)
        estimate = [information.information(function(w * x)[:, None], none, 0.1)[0] for w in weights]
        unit[name] = {"exact": exact, "estimate": estimate}
    images, labels = digits(200 if quick else 1000, seed)
    y, found = labels.numpy(), {"weights": weights, "unit": unit, "layers": {}, "samples": len(images)}
    epochs = [0, 5, 10] if quick else [0, 3, 10, 30, 100, 300, 1000]
    for name in ("tanh", "relu"):
        sizes = network.Sizes(64, 3, 10, name)
        theta, before = network.initial(sizes, seed) * 2, 0
        rows = {str(width): [] for width in (0.5, 0.05)}
        for epoch in epochs:
            theta = network.descend(
                lambda t, s=sizes: network.cross_entropy(t, images, labels, s), theta, 1.0, epoch - before
            )
            before = epoch
            values = network.hidden(theta, images, sizes).double().numpy()
            for width, row in rows.items():
                row.append(information.information(values, y, float(width)))
        found["layers"][name] = {"epochs": epochs, "by width": rows}
    return found


# ---------------------------------------------------------------- bounds


def promises(seed: int, quick: bool) -> dict:
    """Odd or even digits: the error on fresh images, and what each bound promises, by number of samples."""
    images, labels = digits(1797, seed)
    labels = labels % 2
    sizes, rows = network.Sizes(64, 16, 2, "relu"), []
    for n in (150,) if quick else (150, 300, 600, 1200):
        x, y, x_test, y_test = images[:n], labels[:n], images[1200:], labels[1200:]
        start = network.initial(sizes, seed)
        theta = network.descend(lambda t, x=x, y=y: network.cross_entropy(t, x, y, sizes), start, 0.3, 200)
        rows.append({"samples": n, **promises_of(theta, start, sizes, (x, y), (x_test, y_test), seed)})
    return {"parameters": sizes.parameters, "rows": rows}


def promises_of(theta: Tensor, start: Tensor, sizes: network.Sizes, train: tuple, test: tuple, seed: int) -> dict:
    """Errors and bounds of one network."""
    x, y = train
    n, test_error = len(x), network.error_rate(theta, *test, sizes)
    train_error = network.error_rate(theta, x, y, sizes)
    outputs = network.forward(theta, x, sizes)
    margins = (outputs.gather(1, y[:, None]) - outputs.gather(1, 1 - y[:, None])).squeeze(1)
    norms = [float(w.norm()) for w in network.unpack(theta, sizes)]
    rademacher = bounds.network_rademacher_bound(x.numpy(), norms)
    by_margin = [bounds.margin_bound(float((margins < m).float().mean()), 2 * rademacher, m, n) for m in (0.5, 1, 2, 4)]
    deviations, best = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6), (1.0, 1.0, 0.0)
    for deviation in deviations:
        generator = torch.Generator().manual_seed(seed)
        noisy = [theta + deviation * torch.randn(theta.shape, generator=generator) for _ in range(200)]
        error = float(np.mean([network.error_rate(t, x, y, sizes) for t in noisy]))
        error = min(1.0, error + bounds.hoeffding(200, 0.01 / len(deviations)))  # 200 draws stand for all
        kl = bounds.gaussian_kl(float((theta - start).norm()), deviation)
        found = bounds.pac_bayes_bound(error, kl, n, 0.04 / len(deviations))  # the best of so many
        best = min(best, (found, error, deviation))
    return {
        "train error": train_error,
        "test error": test_error,
        "test set": test_error + bounds.hoeffding(len(test[0])),
        "PAC-Bayes": best[0],
        "deviation of the noise": best[2],
        "Rademacher": min(by_margin),
        "parameter count": bounds.parameter_count_bound(train_error, sizes.parameters, n),
    }


# ---------------------------------------------------------------- universal approximation


def approximation(seed: int, quick: bool) -> dict:
    """The largest error of x^2 by width and by depth, beside both formulas."""
    x = np.linspace(0, 1, 2**14 + 1)
    wide, deep = [], []
    for units in (1, 2, 4, 8, 16, 32, 64, 128):
        error = float(np.abs(universal.wide_network(np.square, units)(x) - x * x).max())
        wide.append({"units": units, "error": error, "formula": 2 / units**2 / 8})
    for layers in range(1, 8):
        error = float(np.abs(universal.deep_square(x, layers) - x * x).max())
        pieces = universal.pieces(lambda v, k=layers: universal.tents(v, k))
        deep.append(
            {"layers": layers, "units": 2 * layers, "pieces": pieces, "error": error, "formula": 4.0 ** -(layers + 1)}
        )
    return {"wide": wide, "deep": deep}


# ---------------------------------------------------------------- lottery tickets


def tickets(seed: int, quick: bool) -> dict:
    """The nearest subset's error by the number of random weights, beside the counting argument."""
    rows = []
    for n in (4, 8) if quick else (2, 4, 6, 8, 10, 12, 14):
        errors = lottery.measured_error(n, 20 if quick else 200, seed)
        rows.append({"weights": n, "error": median(errors), "formula": lottery.predicted_error(n)})
    return {"target": 0.5, "rows": rows}
