"""Numbers, results and errors as the guides write them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...reference.floats import is_float
from ...reference.outcome import in_a_line

Array = np.ndarray

#: the dtype of a guide's numbers
DTYPE = "float32"


def raised(error: BaseException | None) -> str:
    """An exception in one line; nothing for none."""
    if error is None:
        return ""
    return in_a_line(error, 160)


def number(value: Any) -> str:
    """Six digits."""
    return f"{float(value):.6g}"


def shown(value: Array | None) -> str:
    """A result with six digits."""
    if value is None:
        return ""
    if value.ndim == 0:
        return number(value)
    return "[" + ", ".join(shown(row) for row in value) + "]"


def plain(array: Array) -> str:
    """An input: as a result, or whole numbers."""
    return shown(array) if is_float(array) else str(array.tolist()).replace("'", "")


def literal_value(value: Any) -> str:
    """A parameter's value, numbers with the digits that tell them apart in float32."""
    if isinstance(value, tuple):
        return f"({', '.join(map(literal_value, value))})"
    if isinstance(value, (float, np.floating)):
        short = np.float32(value)
        return str(short) if float(short) == float(value) else repr(float(value))
    return repr(value)
