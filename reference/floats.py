"""The four floating dtypes under test, and their numbers."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache

import numpy as np

DTYPES = ("float16", "bfloat16", "float32", "float64")


@dataclass(frozen=True)
class Float:
    """One floating dtype: ``u`` is the unit roundoff, ``tiny`` the smallest normal number."""

    name: str
    dtype: np.dtype
    u: float
    tiny: float
    largest: float
    smallest_subnormal: float
    #: the width at which the oracle judges results of this dtype
    oracle: np.dtype

    def round(self, value: float) -> float:
        """A Python float rounded to this dtype, as a Python float."""
        return float(np.asarray(value, np.float64).astype(self.dtype))


@cache
def float_of(name: str) -> Float:
    """The :class:`Float` of that name; ValueError with the accepted names otherwise."""
    if name not in DTYPES:
        raise ValueError(f"unknown dtype {name!r}; accepted: {', '.join(DTYPES)}")
    import ml_dtypes

    dtype = np.dtype(ml_dtypes.bfloat16) if name == "bfloat16" else np.dtype(name)
    info = ml_dtypes.finfo(dtype)
    return Float(
        name=name,
        dtype=dtype,
        u=float(info.eps) / 2,
        tiny=float(info.smallest_normal),
        largest=float(info.max),
        smallest_subnormal=float(info.smallest_subnormal),
        oracle=np.dtype(np.longdouble if name == "float64" else np.float64),
    )


def is_float(array: np.ndarray) -> bool:
    """Whether an array holds floating numbers, bfloat16 among them."""
    return array.dtype.kind == "f" or array.dtype.name == "bfloat16"


def extended() -> bool:
    """Whether ``np.longdouble`` is wider than float64 on this platform."""
    return np.finfo(np.longdouble).nmant > np.finfo(np.float64).nmant


def describe_longdouble() -> str:
    """How this platform's longdouble is made, for ``environment.json``."""
    info = np.finfo(np.longdouble)
    return f"{info.nmant + 1}-bit significand ({sys.platform}, {info.dtype})"
