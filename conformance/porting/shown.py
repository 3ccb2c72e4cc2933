"""Numbers, results and errors as the guides write them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...reference.floats import float_of, is_float
from .agreement import APART

Array = np.ndarray

#: the dtype of a guide's numbers
DTYPE = "float32"


def largest(array: Array) -> tuple[int, ...]:
    return tuple(map(int, np.unravel_index(int(array.argmax()), array.shape)))


def close(a: Array | None, b: Array | None) -> bool:
    if a is None or b is None or a.shape != b.shape:
        return False
    return all(alike(u, v) for u, v in zip(a.ravel().tolist(), b.ravel().tolist(), strict=True))


def alike(a: float, b: float) -> bool:
    """The same to rounding; NaN is like NaN."""
    if np.isnan(a) or np.isnan(b):
        return bool(np.isnan(a) and np.isnan(b))
    if np.isinf(a) or np.isinf(b):
        return a == b
    return abs(a - b) <= APART * float_of(DTYPE).u * max(abs(a), abs(b), 1.0)


def raised(error: BaseException | None) -> str:
    if error is None:
        return ""
    return " ".join(f"{type(error).__name__}: {error}".split())[:160]


def number(value: Any) -> str:
    return f"{float(value):.6g}"


def shown(value: Array | None) -> str:
    """A result with six digits."""
    if value is None:
        return ""
    if value.ndim == 0:
        return number(value)
    return "[" + ", ".join(shown(row) for row in value) + "]"


def plain(array: Array) -> str:
    return shown(array) if is_float(array) else str(array.tolist()).replace("'", "")


def literal_value(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(literal_value, value))})"
    if isinstance(value, (float, np.floating)):
        short = np.float32(value)
        return str(short) if float(short) == float(value) else repr(float(value))
    return repr(value)
