"""Right solutions in other styles: none may be refused."""

import math
import statistics

import numpy as np
import torch
from scaling_laws import next_token_loss
from scipy.special import logsumexp

# ---------------------------------------------------------------- training_flops


def flops_by_a_list_of_products(shape, tokens, attention=True):
    """Every matrix product of a token as (rows, columns)."""
    d = shape.d_model
    products = [(d, shape.vocab_size)]
    for _ in range(shape.layers):
        products += [(d, 3 * d), (d, d), (d, shape.d_ff), (shape.d_ff, d)]
        if attention:
            products += [(d, shape.context)] * 2
    forward = sum(2 * rows * columns for rows, columns in products)
    return 3 * forward * tokens


def flops_by_parts(shape, tokens, attention=True):
    n = shape.layers * shape.d_model * (4 * shape.d_model + 2 * shape.d_ff) + shape.d_model * shape.vocab_size
    extra = 12 * shape.layers * shape.context * shape.d_model * tokens if attention else 0
    return 6 * n * tokens + extra


# ---------------------------------------------------------------- learning_rate


def rate_by_cases(step, steps, d_model):
    peak = 0.32 / d_model
    low = peak / 10
    value = low + (peak - low) * (1 + math.cos(step * math.pi / steps)) / 2
    if step + 1 < 10:
        value = value * (step + 1) / 10
    return value


def rate_by_half_angle(step, steps, d_model):
    warm = np.clip((1 + step) / 10, 0, 1)
    return float(0.01 * 32 / d_model * warm * (0.1 + 0.9 * np.cos(np.pi * step / (2 * steps)) ** 2))


# ---------------------------------------------------------------- train_run


def train_with_a_scheduler(model, batches, validation, d_model):
    steps = len(batches)
    optimizer = torch.optim.Adam(model.parameters(), lr=1.0)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: rate_by_cases(min(s, steps - 1), steps, d_model))
    for x, y in batches:
        loss = torch.nn.functional.cross_entropy(model(x).transpose(1, 2), y)
        loss.backward()
        optimizer.step()
        model.zero_grad()
        scheduler.step()
    return float(next_token_loss(model, validation[0], validation[1]).detach())


def train_with_adam_by_hand(model, batches, validation, d_model):
    weights = list(model.parameters())
    means, squares = [torch.zeros_like(w) for w in weights], [torch.zeros_like(w) for w in weights]
    for t, batch in enumerate(batches, 1):
        gradients = torch.autograd.grad(next_token_loss(model, *batch), weights)
        rate = rate_by_half_angle(t - 1, len(batches), d_model)
        with torch.no_grad():
            for w, g, m, v in zip(weights, gradients, means, squares, strict=True):
                m.mul_(0.9).add_(0.1 * g)
                v.mul_(0.999).add_(0.001 * g * g)
                w -= rate * (m / (1 - 0.9**t)) / ((v / (1 - 0.999**t)).sqrt() + 1e-8)
    with torch.no_grad():
        return next_token_loss(model, *validation).item()


# ---------------------------------------------------------------- fit_power_law


def checked(x, y):
    if not (np.all(x > 0) and np.all(y > 0) and len(set(x.tolist())) > 1):
        raise ValueError("positive numbers and two different x, please")


def power_by_polyfit(x, y):
    checked(x, y)
    slope, at = np.polyfit(np.log2(x), np.log2(y), 1)
    return 2.0**at, -slope


def power_by_the_normal_equations(x, y):
    checked(x, y)
    pairs = [(math.log(a), math.log(b)) for a, b in zip(x.tolist(), y.tolist(), strict=True)]
    slope, at = statistics.linear_regression(*zip(*pairs, strict=True))
    return [math.exp(at), -slope]


def power_by_lstsq(x, y):
    checked(x, y)
    (at, minus), *_ = np.linalg.lstsq(np.stack([np.ones(len(x)), -np.log(x)], 1), np.log(y), rcond=None)
    return np.exp(at), minus


# ---------------------------------------------------------------- fit_irreducible


def irreducible_in_one_loop(x, loss, floors):
    best = None
    for E in floors.tolist():
        if E >= loss.min():
            continue
        c, alpha = power_by_polyfit(x, loss - E)
        error = float(np.square(np.log((E + c / x**alpha) / loss)).sum())
        if best is None or error < best[0]:
            best = error, E, c, alpha
    if best is None:
        raise ValueError("no floor is low enough")
    return best[1:]


def irreducible_all_at_once(x, loss, floors):
    floors = np.sort(floors)[np.sort(floors) < np.min(loss)]
    if floors.size == 0:
        raise ValueError("no floor is low enough")
    rest = np.log(loss - floors[:, None])
    centred = np.log(x) - np.log(x).mean()
    slopes = rest @ centred / (centred @ centred)
    at = rest.mean(1) - slopes * np.log(x).mean()
    predicted = floors[:, None] + np.exp(at[:, None] + slopes[:, None] * np.log(x))
    k = (np.log(predicted / loss) ** 2).mean(1).argmin()
    return [floors[k], math.exp(at[k]), -slopes[k]]


# ---------------------------------------------------------------- bootstrap_interval


def bootstrap_all_at_once(x, y, indices, x_new, level=0.8):
    log_x, log_y = np.log(x)[indices], np.log(y)[indices]
    centred = log_x - log_x.mean(1, keepdims=True)
    slopes = (centred * log_y).sum(1) / (centred**2).sum(1)
    at = log_y.mean(1) - slopes * log_x.mean(1)
    predictions = np.exp(at[:, None] + slopes[:, None] * np.log(x_new))
    return np.percentile(predictions, 50 - 50 * level, axis=0), np.percentile(predictions, 50 + 50 * level, axis=0)


def bootstrap_place_by_place(x, y, indices, x_new, level=0.8):
    laws = [power_by_polyfit(x[list(rows)], y[list(rows)]) for rows in indices]
    low, high = [], []
    for place in x_new:
        values = np.array([c * place ** (-alpha) for c, alpha in laws])
        low.append(np.quantile(values, 0.5 - level / 2))
        high.append(np.quantile(values, 0.5 + level / 2))
    return [np.array(low), np.array(high)]


# ---------------------------------------------------------------- huber_log_loss


def huber_by_autograd(theta, n, tokens, loss, delta=1e-3):
    t = torch.tensor(theta, dtype=torch.float64, requires_grad=True)
    n, tokens, loss = (torch.as_tensor(v, dtype=torch.float64) for v in (n, tokens, loss))
    terms = torch.stack([t[0] - t[3] * n.log(), t[1] - t[4] * tokens.log(), t[2].expand(len(n))])
    total = torch.nn.functional.huber_loss(terms.logsumexp(0), loss.log(), reduction="sum", delta=delta)
    total.backward()
    return total.item(), t.grad.numpy()


def huber_run_by_run(theta, n, tokens, loss, delta=1e-3):
    a, b, e, alpha, beta = theta
    value, gradient = 0.0, np.zeros(5)
    for size, data, seen in zip(n, tokens, loss, strict=True):
        terms = np.array([a - alpha * math.log(size), b - beta * math.log(data), e])
        r = logsumexp(terms) - math.log(seen)
        if abs(r) <= delta:
            value, slope = value + r * r / 2, r
        else:
            value, slope = value + delta * (abs(r) - delta / 2), math.copysign(delta, r)
        p = np.exp(terms - logsumexp(terms))
        gradient += slope * np.array([*p, -p[0] * math.log(size), -p[1] * math.log(data)])
    return value, gradient


# ---------------------------------------------------------------- optimal_allocation


def allocation_in_logarithms(law, flops):
    if not flops > 0:
        raise ValueError("a budget is positive")
    both, product = law.alpha + law.beta, math.log(flops) - math.log(6)
    log_g = (math.log(law.alpha) + math.log(law.A) - math.log(law.beta) - math.log(law.B)) / both
    log_n = log_g + law.beta / both * product
    return math.exp(log_n), math.exp(product - log_n)


def allocation_by_bisection(law, flops):
    """Where one more per cent of size is worth as much as one more per cent of data."""
    if flops <= 0:
        raise ValueError("a budget is positive")
    low, high = -60.0, 120.0
    for _ in range(200):
        log_n = (low + high) / 2
        log_d = math.log(flops / 6) - log_n
        size = law.alpha * law.A * math.exp(-law.alpha * log_n)
        data = law.beta * law.B * math.exp(-law.beta * log_d)
        low, high = (log_n, high) if size > data else (low, log_n)
    return [math.exp(log_n), flops / 6 / math.exp(log_n)]


# ---------------------------------------------------------------- ridgeless_risk


def risk_by_parts(parameters, samples, outputs=1, signal=1.0, noise=1.0):
    features = parameters / outputs
    if features == samples:
        return float("inf")
    bias = max(0.0, 1 - samples / features) * signal * signal
    small, large = sorted((features, samples))
    return bias + noise * noise * small / (large - small)


def risk_with_numpy(parameters, samples, outputs=1, signal=1, noise=1):
    gamma = np.float64(parameters) / outputs / samples
    with np.errstate(divide="ignore", invalid="ignore"):
        under = noise**2 * gamma / np.abs(1 - gamma)
        over = signal**2 * (1 - 1 / gamma) + noise**2 / np.abs(gamma - 1)
    return np.where(gamma == 1, np.inf, under if gamma < 1 else over).item()


STYLES = {
    "training_flops": {"a list of products": flops_by_a_list_of_products, "by parts": flops_by_parts},
    "learning_rate": {"by cases": rate_by_cases, "by the half angle": rate_by_half_angle},
    "train_run": {"a scheduler": train_with_a_scheduler, "Adam by hand": train_with_adam_by_hand},
    "fit_power_law": {
        "polyfit": power_by_polyfit,
        "plain Python": power_by_the_normal_equations,
        "lstsq": power_by_lstsq,
    },
    "fit_irreducible": {"one loop": irreducible_in_one_loop, "all at once": irreducible_all_at_once},
    "bootstrap_interval": {"all at once": bootstrap_all_at_once, "place by place": bootstrap_place_by_place},
    "huber_log_loss": {"autograd": huber_by_autograd, "run by run": huber_run_by_run},
    "optimal_allocation": {"logarithms": allocation_in_logarithms, "bisection": allocation_by_bisection},
    "ridgeless_risk": {"by parts": risk_by_parts, "numpy": risk_with_numpy},
}
