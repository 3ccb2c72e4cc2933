"""Who is wrong? Before a measurement fails, its worst point is held against a rigorous enclosure.

The enclosures share nothing with the oracle (:mod:`.enclosures`), so that the oracle can never be
the one at fault. They need the extra ``certify``; without it, and where no enclosure can be had,
the note of the measurement says that nobody else was asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..reference import catalogue
from ..reference.reductions import Rows
from .enclosures import available

Array = np.ndarray


class Undecided(Exception):
    """Why there is no enclosure."""


@dataclass(frozen=True)
class Question:
    """What a number of a result should be: all that a :class:`.error.Judge` was told."""

    function: str
    arguments: Mapping[str, Any]
    reduction: str
    rows: Rows
    sample_weight: Array | None
    #: of a gradient: the input it is with respect to, and the upstream cotangent
    of: str = ""
    cotangent: Array | None = None

    def interval(self, index: tuple[int, ...], shape: tuple[int, ...]) -> tuple[Any, Any]:
        """Bounds of the exact number at ``index``, as ``np.longdouble``: rounded outwards by its
        rounding, far apart only at a kink, where any number between is a subgradient.

        Raises :class:`Undecided` with the reason.
        """
        ball = self._ask("enclose", index, shape)
        if ball.is_nan() or not (ball.is_finite() or ball.is_exact()):
            raise Undecided("the enclosure has no finite bounds there")
        from .enclosures.balls import working

        with working(128):  # they are rounded to what is worked with
            return _longdouble(ball.lower()), _longdouble(ball.upper())

    def scale(self, index: tuple[int, ...], shape: tuple[int, ...]) -> float:
        """|exact| + conditioning of the same number, where the oracle's own cannot be trusted."""
        return float(self._ask("enclosed_scale", index, shape))

    def _ask(self, what: str, index: tuple[int, ...], shape: tuple[int, ...]) -> Any:
        if not available():
            raise Undecided("the extra certify (python-flint) is not installed")
        from .enclosures import problem
        from .enclosures.definitions import DEFINITIONS

        if self.function not in DEFINITIONS:
            raise Undecided(f"there is no enclosure of {self.function}")
        inputs = catalogue()[self.function].inputs  # without a shape, some are NumPy scalars
        arguments = {n: np.asarray(v) if n in inputs else v for n, v in self.arguments.items()}
        try:
            return getattr(problem, what)(
                self.function,
                arguments,
                int(np.ravel_multi_index(index, shape)) if index else 0,
                of=self.of,
                reduction=self.reduction,
                rows=self.rows,
                sample_weight=self.sample_weight,
                cotangent=self.cotangent,
            )
        except Exception as error:  # whatever it is, the measurement must not be lost to it
            raise Undecided(f"its enclosure failed: {error!r}") from error


def _longdouble(number: Any) -> np.longdouble:
    """An exact ball as the nearest longdouble."""
    if not number.is_finite():
        return np.longdouble(float(number))
    mantissa, exponent = (int(part) for part in number.mid().man_exp())
    surplus = max(mantissa.bit_length() - np.finfo(np.longdouble).nmant - 1, 0)
    kept = (mantissa + (1 << surplus >> 1)) >> surplus
    power = min(max(exponent + surplus, -20000), 20000)  # exp(−10³⁰) has one beyond any int64
    with np.errstate(over="ignore", under="ignore"):
        return np.ldexp(np.longdouble(kept), np.int32(power))
