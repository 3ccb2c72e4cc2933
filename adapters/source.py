"""Source text for reproducers, where adapters write it alike."""

from __future__ import annotations

import numpy as np

from ..reference.floats import is_float


def numpy_source(array: np.ndarray) -> str:
    """An expression that makes the array, given ``np`` and, for bfloat16, an import of ml_dtypes
    (which frameworks bring).

    Not ``tf.constant(list, "bfloat16")``, which makes 0 of subnormal numbers.
    """
    dtype = repr(array.dtype.name)
    if array.size == 0:
        return f"np.zeros({array.shape}, {dtype})"
    values = np.asarray(array, np.float64) if is_float(array) else array
    text = repr(values.tolist()).replace("inf", "np.inf").replace("nan", "np.nan")
    return f"np.array({text}, {dtype})"
