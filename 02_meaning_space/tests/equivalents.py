"""Mutants that no promised behavior can tell from the reference, each with its reason."""

NOTHING_LEFT = "a constructor that raises leaves no object behind"
NOT_USED = "the further rows of the full matrix are not used"

EQUIVALENT = {
    "pairs": {
        "ids -> widths, in: last = min(len(ids) - 1, i + width)": "widths has the shape of ids: it is checked",
        "-1 -> -2, in: return np.array(found, dtype=np.int64).reshape(-1, 2)": "NumPy takes any negative size for -1",
    },
    "NegativeSampler": {
        "__init__: if len(counts) < 2: raise -> at the end, in: class NegativeSampler:": NOTHING_LEFT,
        "__init__: if not counts.min() >= 1: raise -> at the end, in: class NegativeSampler:": NOTHING_LEFT,
        "target -> last, in: return np.where(before_gap, np.minimum(word, target - 1), word)": "rounding is monotone: "
        "before_gap implies word < target for every target but the last",
    },
    "loss_and_gradients": {
        "np.logaddexp(0, -x) -> np.logaddexp(-x, 0), in: return -np.logaddexp(0, -x)": "logaddexp is symmetric",
        "center -> context, in: if context.shape != center.shape or negatives.shape[::2] != center.... (2)": "context "
        "has the shape of center where the second condition is asked",
        "1 -> -1, in: loss = -log_sigmoid(positive_score) - log_sigmoid(-negative_scores)...": "axis 1 of two is the "
        "last one",
    },
    "analogy": {
        "1 -> -1, in: largest = np.abs(vectors).max(axis=1, keepdims=True)": "axis 1 of two is the last one",
        "1 -> -1, in: return scaled / np.linalg.norm(scaled, axis=1, keepdims=True)": "axis 1 of two is the last one",
        "vectors / largest -> vectors, in: scaled = vectors / largest": "lengths from 1e-12 to 1e12 are promised: "
        "their squares are in the range of float32 and of float64",
        "analogy: if not 1 <= topn <= left: raise -> at the end": "nothing outside is changed before the error",
        "return np.argsort(-scores)[:topn] -> return _copied(np.argsort(-scores)[:topn]), "
        "in: def analogy(vectors, a, b, c, topn=1):": "argsort has made a new array already",
    },
    "pca": {
        "np.linalg.svd(centered, full_matrices=False) -> np.linalg.svd(centered), "
        "in: _, s, components = np.linalg.svd(centered, full_matrices=False)": NOT_USED,
        "False -> True, in: _, s, components = np.linalg.svd(centered, full_matrices=False)": NOT_USED,
        "x -> centered, in: return (centered @ components[:k].T, components[:k], s[:k] ** 2 / (...": "as many rows",
    },
}
