"""Right solutions in other styles: each must be RIGHT. None of them calls the reference."""

import math

import numpy as np

# ---------------------------------------------------------------- pairs


def refuse_widths(ids, widths):
    if ids.shape != widths.shape:
        raise ValueError("one width for each word")
    if (widths < 1).any():
        raise ValueError("a width below one")


def pairs_by_slices(ids, widths):
    refuse_widths(ids, widths)
    rows = [np.empty((0, 2), dtype=np.int64)]
    for i, w in enumerate(widths.tolist()):
        around = np.concatenate([ids[max(i - w, 0) : i], ids[i + 1 : i + w + 1]])
        rows.append(np.column_stack([np.full(len(around), ids[i]), around]))
    return np.concatenate(rows).astype(np.int64)


def pairs_by_a_table(ids, widths):
    refuse_widths(ids, widths)
    position = np.arange(len(ids))
    distance = np.abs(position[:, None] - position[None, :])
    center, context = np.nonzero((distance > 0) & (distance <= widths[:, None]))
    return np.stack((ids[center], ids[context]), axis=-1).astype("int64")


def pairs_by_a_comprehension(ids, widths):
    refuse_widths(ids, widths)
    n = len(ids)
    found = [[ids[i], ids[j]] for i in range(n) for j in range(n) if j != i and abs(j - i) <= widths[i]]
    return np.array(found, dtype=np.int64) if found else np.zeros((0, 2), dtype=np.int64)


# ---------------------------------------------------------------- keep_probability


def keep_by_a_loop(counts, threshold=1e-3):
    if not threshold > 0 or any(count < 1 for count in counts):
        raise ValueError("threshold or counts")
    total = sum(counts.tolist())
    return np.array([min(1.0, math.sqrt(threshold * total / count)) for count in counts.tolist()])


def keep_by_discarding(counts, threshold=1e-3):
    if np.isnan(threshold) or threshold <= 0:
        raise ValueError(f"threshold {threshold}")
    if np.any(counts <= 0):
        raise ValueError("counts")
    f = counts.astype(float) / np.sum(counts)
    return 1 - np.clip(1 - (threshold / f) ** 0.5, 0.0, None)


def keep_by_two_roots(counts, threshold=1e-3):
    if np.any(counts < 1) or threshold <= 0:
        raise ValueError
    p = np.sqrt(threshold) / np.sqrt(counts / np.sum(counts))
    p[p > 1.0] = 1.0
    return p


# ---------------------------------------------------------------- NegativeSampler


class SamplerByDeletion:
    """Deletes the target from the list, searches there, and translates positions back to ids."""

    def __init__(self, counts, power=0.75):
        if len(counts) < 2 or min(counts) < 1:
            raise ValueError("counts")
        weights = np.power(counts, power, dtype=float)
        self.probability = weights / sum(weights)

    def sample(self, targets, uniforms):
        if ((targets < 0) | (targets >= len(self.probability))).any():
            raise ValueError("targets")
        if not np.all((uniforms >= 0) & (uniforms < 1)):
            raise ValueError("uniforms")
        out = np.empty(uniforms.shape, dtype=np.int64)
        for row, target in enumerate(targets):
            others = np.delete(np.arange(len(self.probability)), target)
            edges = np.cumsum(self.probability[others])
            position = np.searchsorted(edges, uniforms[row] * edges[-1], side="right")
            out[row] = others[np.minimum(position, len(others) - 1)]
        return out


class SamplerByCounting:
    """Counts, for each point, the intervals of other words that end at or before it."""

    def __init__(self, counts, power=0.75):
        if np.size(counts) < 2:
            raise ValueError("at least two words")
        if np.any(np.asarray(counts) < 1):
            raise ValueError("each word occurs")
        self.probability = counts**power / np.sum(counts**power)

    def sample(self, targets, uniforms):
        V = len(self.probability)
        if any(not 0 <= t < V for t in targets.tolist()):
            raise ValueError("targets")
        if not ((0 <= uniforms) & (uniforms < 1)).all():
            raise ValueError("uniforms")
        weights = np.tile(self.probability, (len(targets), 1))
        weights[np.arange(len(targets)), targets] = 0
        edges = weights.cumsum(axis=1)
        point = uniforms * edges[:, -1:]
        word = (edges[:, None, :] <= point[:, :, None]).sum(axis=2)
        top = np.where(targets == V - 1, V - 2, V - 1)[:, None]
        return np.minimum(word, top).astype(np.int64)


# ---------------------------------------------------------------- loss_and_gradients


def check_shapes(center, context, negatives):
    fits = center.shape == context.shape and negatives.ndim == 3
    if not fits or (negatives.shape[0], negatives.shape[2]) != center.shape:
        raise ValueError("shapes")


def loss_pair_by_pair(center, context, negatives):
    check_shapes(center, context, negatives)

    def sigmoid(x):
        return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))

    def softplus(x):
        return max(x, 0.0) + math.log1p(math.exp(-abs(x)))

    loss = np.zeros(len(center), center.dtype)
    d_center, d_context, d_negatives = np.zeros_like(center), np.zeros_like(context), np.zeros_like(negatives)
    for b, v in enumerate(center):
        score = float(v @ context[b])
        loss[b] = softplus(-score)
        d_center[b] = (sigmoid(score) - 1) * context[b]
        d_context[b] = (sigmoid(score) - 1) * v
        for k, u in enumerate(negatives[b]):
            score = float(v @ u)
            loss[b] += softplus(score)
            d_center[b] += sigmoid(score) * u
            d_negatives[b, k] = sigmoid(score) * v
    return loss, d_center, d_context, d_negatives


def loss_with_labels(center, context, negatives):
    """Context and negatives in one table, with labels 1 and 0; the sigmoid by the hyperbolic tangent."""
    check_shapes(center, context, negatives)
    words = np.concatenate([context[:, None, :], negatives], axis=1)
    labels = np.zeros(words.shape[:2], words.dtype)
    labels[:, 0] = 1
    scores = (words @ center[:, :, None])[:, :, 0]
    loss = np.logaddexp(0, scores) - labels * scores
    error = 0.5 * (1 + np.tanh(scores / 2)) - labels
    d_words = error[..., None] * center[:, None]
    return [loss.sum(1), (error[..., None] * words).sum(1), d_words[:, 0], d_words[:, 1:]]


# ---------------------------------------------------------------- sgd_step


def both_gradients(v, u, n):
    g = 0.5 * (1 + np.tanh((v * u).sum(1) / 2)) - 1
    h = 0.5 * (1 + np.tanh(np.einsum("bd,bkd->bk", v, n) / 2))
    loss = np.logaddexp(0, -(v * u).sum(1)) + np.logaddexp(0, np.einsum("bd,bkd->bk", v, n)).sum(1)
    return loss, g[:, None] * u + np.einsum("bk,bkd->bd", h, n), g[:, None] * v, h[..., None] * v[:, None]


def step_pair_by_pair(centers, contexts, pairs, negatives, lr):
    if len(negatives) != len(pairs):
        raise ValueError("negatives")
    v, u, n = centers[pairs[:, 0]], contexts[pairs[:, 1]], contexts[negatives]
    loss, d_v, d_u, d_n = both_gradients(v, u, n)
    for b, (center, context) in enumerate(pairs):
        centers[center] -= lr * d_v[b]
        contexts[context] -= lr * d_u[b]
        for k, word in enumerate(negatives[b]):
            contexts[word] -= lr * d_n[b, k]
    return float(np.mean(loss))


def step_by_one_hot_matrices(centers, contexts, pairs, negatives, lr):
    if negatives.shape[0] != pairs.shape[0]:
        raise ValueError("negatives")
    one_hot = np.eye(len(centers), dtype=centers.dtype)
    loss, d_v, d_u, d_n = both_gradients(centers[pairs[:, 0]], contexts[pairs[:, 1]], contexts[negatives])
    centers[:] = centers - lr * one_hot[pairs[:, 0]].T @ d_v
    contexts -= lr * one_hot[pairs[:, 1]].T @ d_u
    contexts -= lr * one_hot[negatives.ravel()].T @ d_n.reshape(-1, centers.shape[1])
    return loss.mean().item()


# ---------------------------------------------------------------- analogy


def refuse_question(vectors, question, topn):
    if any(not 0 <= word < len(vectors) for word in question):
        raise ValueError("question")
    if not 1 <= topn <= len(vectors) - len(set(question)):
        raise ValueError("topn")


def analogy_by_a_loop(vectors, a, b, c, topn=1):
    refuse_question(vectors, (a, b, c), topn)
    unit = []
    for vector in vectors:
        length = math.hypot(*vector)
        if not 0 < length < math.inf:
            raise ValueError("vectors")
        unit.append(vector / length)
    target = unit[b] - unit[a] + unit[c]
    found = [(-float(u @ target), word) for word, u in enumerate(unit) if word not in (a, b, c)]
    return np.array([word for _, word in sorted(found)[:topn]], dtype=np.int64)


def analogy_by_cosines(vectors, a, b, c, topn=1):
    refuse_question(vectors, (a, b, c), topn)
    if not np.isfinite(vectors).all() or not vectors.any(axis=1).all():
        raise ValueError("vectors")
    lengths = np.sqrt(np.square(vectors).sum(axis=1))
    cosine = vectors @ vectors[[a, b, c]].T / lengths[:, None] / lengths[[a, b, c]]
    score = cosine @ np.array([-1.0, 1.0, 1.0])
    candidates = np.setdiff1d(np.arange(len(vectors)), [a, b, c])
    return candidates[np.argsort(score[candidates])[::-1][:topn]]


# ---------------------------------------------------------------- pca


def refuse_components(x, k):
    if len(x) < 2 or k < 1 or k > min(x.shape):
        raise ValueError("x or k")


def pca_by_the_covariance(x, k):
    refuse_components(x, k)
    z = x - np.mean(x, axis=0)
    variance, vectors = np.linalg.eigh(np.cov(z, rowvar=False).reshape(x.shape[1], -1))
    order = np.argsort(variance)[::-1][:k]
    return [z @ vectors[:, order], vectors[:, order].T, variance[order]]


def pca_by_power_iteration(x, k):
    """One component after the other; each stays at right angles to those before it."""
    refuse_components(x, k)
    z = x - x.mean(axis=0, keepdims=True)
    covariance = z.T @ z / (len(x) - 1)
    components, small = np.zeros((0, x.shape[1])), 1e-9 * np.trace(covariance) or 1.0
    for _ in range(k):
        v = np.random.default_rng(0).standard_normal(x.shape[1])
        for _ in range(2000):
            before, v = v, covariance @ v + small * v
            for _ in range(2):
                v -= components.T @ (components @ v)
            v /= np.linalg.norm(v)
            if abs(v - before).max() < 1e-15:
                break
        components = np.concatenate([components, v[None]])
    return z @ components.T, components, np.einsum("kd,de,ke->k", components, covariance, components)


def analogy_that_normalizes_first(vectors, a, b, c, topn=1):
    """A zero vector is divided by its length before it is refused."""
    n = len(vectors)
    taken = np.unique([a, b, c])
    if taken[0] < 0 or taken[-1] >= n or topn not in range(1, n - len(taken) + 1):
        raise ValueError
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.isfinite(unit).all():
        raise ValueError
    score = np.einsum("vd,d->v", unit, unit[b] + unit[c] - unit[a])
    score[taken] = -np.inf
    best = np.argpartition(score, -topn)[-topn:]
    return best[np.argsort(score[best])[::-1]]


STYLES = {
    "pairs": {
        "by slices": pairs_by_slices,
        "by a table of distances": pairs_by_a_table,
        "by a comprehension": pairs_by_a_comprehension,
    },
    "keep_probability": {
        "by a loop": keep_by_a_loop,
        "by discarding": keep_by_discarding,
        "by two roots": keep_by_two_roots,
    },
    "NegativeSampler": {"by deletion": SamplerByDeletion, "by counting": SamplerByCounting},
    "loss_and_gradients": {"pair by pair": loss_pair_by_pair, "with labels": loss_with_labels},
    "sgd_step": {"pair by pair": step_pair_by_pair, "by one-hot matrices": step_by_one_hot_matrices},
    "analogy": {
        "by a loop": analogy_by_a_loop,
        "by cosines": analogy_by_cosines,
        "lengths first": analogy_that_normalizes_first,
    },
    "pca": {"by the covariance": pca_by_the_covariance, "by power iteration": pca_by_power_iteration},
}
