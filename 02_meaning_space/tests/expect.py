"""What an array that a task returns must be, before its values are looked at."""

import numpy as np


def array(got, shape, kind, name="the result"):
    """An ndarray of this shape, of integers ("i") or floats ("f"), all of them finite."""
    assert isinstance(got, np.ndarray), f"{name} is a {type(got).__name__} where a NumPy array is expected"
    assert got.shape == tuple(shape), f"{name} has shape {got.shape} where {tuple(shape)} is expected"
    assert got.dtype.kind == kind, f"{name} holds {got.dtype}, not {'integers' if kind == 'i' else 'floats'}"
    assert kind != "f" or np.isfinite(got).all(), f"{name} holds {got[~np.isfinite(got)][0]}"
    return got


def close(got, want, why, rtol=1e-9, atol=1e-12):
    """Equal up to rounding in float64; `why` is the sentence that is shown when it is not."""
    assert np.shape(got) == np.shape(want), f"{why}: shape {np.shape(got)} where {np.shape(want)} is expected"
    wrong = ~np.isclose(got, want, rtol, atol)
    if wrong.any():
        at = tuple(np.argwhere(wrong)[0])
        g, w = float(np.asarray(got)[at]), float(np.asarray(want)[at])
        place = f" at {[int(i) for i in at]}" if at else ""
        error = abs(g - w) / max(abs(w), 1e-300)
        digits = f" (relative error {error:.0e}; float64 has 1e-16)" if error < 1e-4 else ""
        raise AssertionError(f"{why}: it is {g:.10g}{place}, right is {w:.10g}{digits}")
