"""Where on the line of its input a function is off, and by how much: what a report plots.

A curve has a bin for each sign and binary exponent of the input, beyond 2**±8 for every four
exponents, and one for zero. A bin keeps the largest error met there, and what the bound allowed at
that point, in units in the last place (ULP).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

#: the columns of a table row that say whose curve it is
ROW = ("framework", "surface", "function", "callable", "dtype", "aspect", "mode")
#: up to 2**±8 each exponent has a bin of its own
_FINE = 8
#: added to an exponent, it is positive: that of the smallest float64 is −1074
_OFFSET = 1100
#: beyond the exponent of any float64, offset
_SPAN = 2200


class Curve:
    """The largest error by sign and exponent of the input ``of``."""

    def __init__(self, of: str) -> None:
        self.of = of
        self._error = np.full(2 * _SPAN + 1, np.nan)
        self._allowed = np.full(2 * _SPAN + 1, np.nan)

    def add(self, x: np.ndarray, error: np.ndarray, allowed: np.ndarray) -> None:
        """Take in elements of the input (float64), with the error and what is allowed, in ULP.

        Inputs and errors that are no finite numbers are left out.
        """
        with np.errstate(over="ignore"):  # of extended precision: left out below
            x, error, allowed = (np.ravel(a).astype(np.float64) for a in (x, error, allowed))
        kept = np.isfinite(x) & np.isfinite(error)
        x, error, allowed = x[kept], error[kept], allowed[kept]
        exponent = np.frexp(x)[1].astype(int) - 1  # 2**exponent <= |x| < 2**(exponent + 1)
        exponent = np.where(np.abs(exponent) > _FINE, exponent // 4 * 4, exponent)
        place = np.sign(x).astype(int) * (exponent + _OFFSET) + _SPAN
        order = np.lexsort((error, place))
        top = order[np.flatnonzero(np.diff(place[order], append=-1))]  # the largest of each bin
        top = top[~(error[top] <= self._error[place[top]])]  # a bin has NaN before it has anything
        self._error[place[top]], self._allowed[place[top]] = error[top], allowed[top]

    def row(self, identity: Mapping[str, Any]) -> dict[str, Any]:
        """The row of curves.csv: bins from left to right, each by its end that is nearer to 0."""
        places = np.flatnonzero(~np.isnan(self._error))
        return {
            **{name: identity[name] for name in ROW},
            "of": self.of,
            "bins": " ".join(map(_bin, (places - _SPAN).tolist())),
            "ulp": _numbers(self._error[places], 3),
            "allowed": _numbers(self._allowed[places], 2),
        }


def _bin(place: int) -> str:
    if place == 0:
        return "0"
    return f"{'-' if place < 0 else ''}2^{abs(place) - _OFFSET}"


def _numbers(values: Iterable[float], digits: int) -> str:
    return " ".join(f"{value:.{digits}g}" for value in values)
