"""How far apart two calls are that should do the same.

Differences are measured by the suite's error measure, relative to what the oracle expects of the
call here: in units of u·scale, where each side may be off by :data:`.BOUND`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...reference.floats import float_of, is_float
from ...reference.outcome import Outcome
from ..aspects import cotangent
from ..error import BOUND, Expected, ulps
from .shown import DTYPE, raised
from .translation import Translation

Array = np.ndarray
Index = tuple[int, ...]

#: two results that are each within the bound lie at most so far apart
APART = 2 * BOUND


@dataclass
class Part:
    """One result of both sides, the value (empty ``of``) or the gradient by an input."""

    of: str
    here: Array
    there: Array
    expected: Expected
    #: |here − there| in units of u·scale, and of u·(scale + M)
    error: Array
    limited: Array
    ulp: Array

    @property
    def differs(self) -> Array:
        """Where they are further apart than rounding explains."""
        return np.asarray(self.limited > APART)

    @property
    def loose(self) -> Array:
        """Where they are as near as the textbook formula allows, and no nearer."""
        return np.asarray((self.error > APART) & ~self.differs)

    @property
    def identical(self) -> bool:
        """Whether all bits agree."""
        return bool(
            np.all((self.here == self.there) | (np.isnan(self.here) & np.isnan(self.there)))
        )


@dataclass
class Pair:
    """What both sides did with one case."""

    translation: Translation
    here: Outcome
    there: Outcome
    parts: list[Part] = field(default_factory=list)
    #: what one of them gives in another shape, or not at all
    mismatch: str = ""
    #: why there are no gradients, where one of them refuses
    ungraded: str = ""


def compared(translation: Translation, *, gradient: bool = True) -> Pair:
    """Make both calls, and hold their results against each other."""
    here, there, case = translation.here, translation.there, translation.case
    judge = here.subject(translation.spelling, case.dtype).expected(case)
    kind = judge.kind
    shared = [
        name
        for name in here.function.differentiable
        if gradient and name in translation.call.arrays
        if name in case.inputs and is_float(case.inputs[name])
        if name not in here.binding.no_gradient and name not in there.binding.no_gradient
    ]

    def upstream(shape: tuple[int, ...], dtype: str) -> Array:
        return cotangent(shape, kind).astype(kind.dtype)

    pair = Pair(
        translation,
        here.adapter.execute(translation.own, shared, upstream),
        there.adapter.execute(translation.call, shared, upstream),
    )
    for side, outcome in ((here, pair.here), (there, pair.there)):
        if outcome.error is not None:
            said = f"{side.name} raises {raised(outcome.error)}"
            if shared:
                pair = compared(translation, gradient=False)
                pair.ungraded = said
            else:
                pair.mismatch = said
            return pair
    one, two = pair.here.value, pair.there.value
    assert one is not None
    assert two is not None
    if one.shape != two.shape:
        pair.mismatch = f"shape {one.shape} on {here.name}, {two.shape} on {there.name}"
        return pair
    expected = {"": judge.value()}
    if expected[""].want.shape != one.shape:
        pair.mismatch = f"shape {one.shape}, where {expected[''].want.shape} is documented"
        return pair
    results = {"": (one, two)}
    if shared:
        wide = upstream(one.shape, "").astype(kind.oracle)
        expected |= judge.gradients(wide)
        results |= {
            name: (pair.here.gradients[name], pair.there.gradients[name])
            for name in shared
            if name in pair.here.gradients and name in pair.there.gradients
        }
    for of, (a, b) in results.items():
        if of in expected and a.shape == b.shape == expected[of].want.shape:
            part = _part(of, a, b, expected[of], kind)
            if part.error.shape == a.shape:  # else what was cut from a case is none of its own
                pair.parts.append(part)
    return pair


def _part(of: str, here: Array, there: Array, expected: Expected, kind: Any) -> Part:
    """Both results, and their distance."""
    wide = expected.want.dtype
    a, b = here.astype(wide), there.astype(wide)
    # the distance from the other side takes the place of the one from the oracle
    other = Expected(b, expected.scale, expected.intermediate, expected.floor, expected.bound)
    distance = other.absolute(a.astype(kind.dtype), kind)
    return Part(
        *(of, a, b, expected),
        other.error(a.astype(kind.dtype), kind),
        other.limited_error(a.astype(kind.dtype), kind),
        np.asarray(ulps(distance, b, kind)),
    )


def close(a: Array | None, b: Array | None) -> bool:
    """Whether two results have the same shape, and numbers that are the same to rounding."""
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
