"""GLUE's metrics for two classes: accuracy, F1 and Matthews' correlation."""

from collections.abc import Sequence


def counts(predictions: Sequence[int], labels: Sequence[int]) -> tuple[int, int, int, int]:
    """(true positives, false positives, false negatives, true negatives); 1 is positive.

    Raises:
        ValueError: different lengths, or nothing.
    """
    if len(predictions) != len(labels) or not labels:
        raise ValueError(f"predictions={len(predictions)}, labels={len(labels)}: equally many, and at least one")
    pairs = list(zip(predictions, labels, strict=True))
    return pairs.count((1, 1)), pairs.count((1, 0)), pairs.count((0, 1)), pairs.count((0, 0))


def glue_metrics(predictions: Sequence[int], labels: Sequence[int]) -> dict[str, float]:
    """All three. F1 and Matthews' correlation are 0 where they are not defined."""
    tp, fp, fn, tn = counts(predictions, labels)
    root = ((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)) ** 0.5
    return {
        "accuracy": (tp + tn) / len(labels),
        "f1": 2 * tp / (2 * tp + fp + fn) if tp else 0.0,
        "matthews": (tp * tn - fp * fn) / root if root else 0.0,
    }
