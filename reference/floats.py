"""The four floating dtypes under test, and their numbers."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np

DTYPES = ("float16", "bfloat16", "float32", "float64")

#: the widest dtype from which NumPy and ml_dtypes cast to a dtype of 16 bits in one rounding
_WIDEST_CAST: dict[str, np.dtype] = {
    "float16": np.dtype(np.float64),
    "bfloat16": np.dtype(np.float32),
}


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

    def rounded(self, array: np.ndarray) -> np.ndarray:
        """An array of floats, of any width, in this dtype: the nearest number, a tie to the even one.

        One rounding, as IEEE 754 converts: into subnormal numbers too, to ∞ from half a unit in the
        last place beyond ``largest``; ±∞, −0 and NaN stay. The libraries' own casts (NumPy 2.4,
        ml_dtypes 0.6) go from longdouble to float16 through float64, and from float64 and longdouble
        to bfloat16 through float32: two roundings, the first of which makes ties of the numbers
        beside a tie. ``1 + 2**-8 + 2**-40`` becomes 1 rather than ``1 + 2**-7``.
        """
        array = np.asarray(array)
        widest = _WIDEST_CAST.get(self.name)
        with np.errstate(over="ignore"):
            if widest and array.dtype.itemsize > widest.itemsize:
                array = _to_odd(array)
            return array.astype(self.dtype)

    def round(self, value: float) -> float:
        """A Python float rounded to this dtype, as a Python float."""
        return float(self.rounded(np.asarray(value, np.float64)))


def _to_odd(array: np.ndarray) -> np.ndarray:
    """Rounded to float32 so that a second rounding, to a dtype of 16 bits, is as good as the only one.

    Round-to-odd (Boldo and Melquiond, 2008): cut off towards zero, then the last bit set where
    anything was cut off. What lay beside a number or a midpoint of the narrower dtype still does, on
    the same side, because float32 has at least two bits more everywhere in its range.
    """
    cut = array.astype(np.float32)
    bits = cut.view(np.uint32)  # the same memory
    bits -= np.abs(cut) > np.abs(array)
    bits |= cut != array
    return cut


@cache
def float_of(name: str) -> Float:
    """The :class:`Float` of that name; ValueError with the accepted names otherwise."""
    if name not in DTYPES:
        raise ValueError(f"unknown dtype {name!r}; accepted: {', '.join(DTYPES)}")
    dtype, info = _described(name)
    return Float(
        name=name,
        dtype=dtype,
        u=float(info.eps) / 2,
        tiny=float(info.smallest_normal),
        largest=float(info.max),
        smallest_subnormal=float(info.smallest_subnormal),
        oracle=np.dtype(np.longdouble if name == "float64" else np.float64),
    )


def _described(name: str) -> tuple[np.dtype, Any]:
    """The dtype of that name and what is known of its numbers; ml_dtypes is for bfloat16 alone."""
    if name != "bfloat16":
        return np.dtype(name), np.finfo(name)
    import ml_dtypes

    return np.dtype(ml_dtypes.bfloat16), ml_dtypes.finfo(ml_dtypes.bfloat16)


@cache
def offered() -> tuple[str, ...]:
    """The dtypes that there are here: bfloat16 where ml_dtypes is installed."""
    here = find_spec("ml_dtypes") is not None
    return tuple(name for name in DTYPES if here or name != "bfloat16")


def is_float(array: np.ndarray) -> bool:
    """Whether an array holds floating numbers, bfloat16 among them."""
    return array.dtype.kind == "f" or array.dtype.name == "bfloat16"


def extended() -> bool:
    """Whether ``np.longdouble`` is wider than float64 on this platform."""
    return np.finfo(np.longdouble).nmant > np.finfo(np.float64).nmant


def describe_longdouble() -> str:
    """How this platform's longdouble is made, for ``environment.json``."""
    info = np.finfo(np.longdouble)
    described = f"{info.nmant + 1}-bit significand ({sys.platform}, {info.dtype})"
    if extended():
        return described
    return f"{described}; the oracle's certified error is added to the bound of float64"
