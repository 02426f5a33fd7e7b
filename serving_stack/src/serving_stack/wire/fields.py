"""One field of a body: its type and its range. null counts as left out."""

from math import isfinite

from .errors import ApiError


def typed(body: dict, name: str, kind: type | tuple[type, ...], default):
    """A field of this type. True and False are no numbers."""
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        wanted = kind.__name__ if isinstance(kind, type) else "number"
        raise ApiError(400, f"{name}: expected {wanted}, got {type(value).__name__}", name, "invalid_type")
    return value


def boolean(body: dict, name: str) -> bool:
    """A field that is true or false; left out, it is false."""
    return typed(body, name, bool, False)


def number(
    body: dict, name: str, default, low: int | float, high: int | float, kind: type | tuple[type, ...] = (int, float)
):
    """A number in a range, both ends included."""
    value = typed(body, name, kind, None)
    if value is None:
        return default
    if not (isfinite(value) and low <= value <= high):
        raise ApiError(400, f"{name}={value}: from {low} to {high}", name, "invalid_value")
    return value


def integer(body: dict, name: str, default, low: int, high: int = 2**31):
    """A whole number in a range."""
    return number(body, name, default, low, high, int)
