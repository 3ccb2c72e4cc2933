"""Balls: real numbers with a proven error, and power series of them (Arb, through python-flint).

A formula in balls encloses its exact value whatever it cancels; given ``x + ε`` in place of a
number, the same formula encloses its derivatives. Where the enclosure is too wide to decide what
was asked, :func:`refined` computes it again with more bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from flint import arb, arb_series, arf, ctx

#: an ``arb``, or an ``arb_series`` where derivatives are wanted
Ball = Any

#: bits worked with, one after the other; the last reach what cancels over the whole range of float64
PRECISIONS = (96, 256, 640, 1600, 4096)

#: relative bits that place a number within 2⁻²⁰ units of the last place of a float64
ENOUGH = 73
#: far below the smallest subnormal, and beyond the largest number, of float64
NOTHING, HUGE = arb(2) ** -1095, arb(2) ** 1030

INFINITY, NAN = arb.pos_inf(), arb.nan()


def ball(number: Any) -> arb:
    """The number itself, exactly: a NumPy or Python number of any width."""
    if isinstance(number, (int, np.integer, np.bool_)):
        return arb(int(number))
    if float(number) == number or not np.isfinite(number):
        return arb(float(number))
    mantissa, exponent = np.frexp(np.longdouble(number))
    bits = np.finfo(np.longdouble).nmant + 1
    return arb(arf((int(np.ldexp(mantissa, bits)), int(exponent) - bits)))


def moving(at: arb) -> arb_series:
    """``at + ε``."""
    return arb_series([at, 1])


def coefficient(x: Ball, order: int) -> arb:
    """The coefficient of εᵏ: the value for k = 0, the derivative for k = 1, half the second for k = 2."""
    if isinstance(x, arb_series):
        return x[order]
    return arb(x) if order == 0 else arb(0)


# -- precision ------------------------------------------------------------------------------------


class _Branches:
    """What :func:`piecewise` has met: numbers that it could not place, and exact ties."""

    undecided = ties = 0


branches = _Branches()


@contextmanager
def working(bits: int, order: int = 0) -> Iterator[None]:
    """Compute with so many bits, and series to so high an order."""
    before = ctx.prec, ctx.cap
    ctx.prec, ctx.cap = bits, order + 1
    try:
        yield
    finally:
        ctx.prec, ctx.cap = before


def decided(x: arb) -> bool:
    """Whether a ball says all about a number that float64 can tell."""
    if not x.is_finite():
        return x.is_exact() and not x.is_nan()
    return bool(x.rel_accuracy_bits() >= ENOUGH or x.rad() < NOTHING or x.abs_lower() > HUGE)


def estimated(x: arb) -> bool:
    """Whether a ball says how large a number is."""
    return bool(x.is_finite() and x.rel_accuracy_bits() >= 10)


def refined(
    compute: Callable[[], Sequence[arb]],
    order: int = 0,
    enough: Callable[[arb], bool] = decided,
) -> list[arb]:
    """``compute()`` with as many bits as all its balls need for what is asked of them.

    A ball that stays wide is the interval between one-sided derivatives at a kink; one that is not
    finite has no value there.
    """
    before: list[arb] = []
    for bits in PRECISIONS:
        branches.undecided = branches.ties = 0
        with working(bits, order):
            try:
                found = list(compute())
            except ValueError:  # a series divided by a ball that may be 0
                found = [NAN]
        open_ = [i for i, x in enumerate(found) if not enough(x)]
        kinked = before and branches.ties and not branches.undecided
        if not open_ or (kinked and all(_no_thinner(before[i], found[i]) for i in open_)):
            break
        before = found
    return found


def _no_thinner(before: arb, after: arb) -> bool:
    return bool(after.is_finite() and before.is_finite() and 2 * after.rad() > before.rad())


# -- branches -------------------------------------------------------------------------------------


def sign(x: Ball) -> int | None:
    """−1, 0 or 1; None where the ball cannot tell."""
    head = coefficient(x, 0)
    return 1 if head > 0 else -1 if head < 0 else 0 if head.is_zero() else None


def piecewise(at: Ball, below: Callable[[], Ball], above: Callable[[], Ball]) -> Ball:
    """``below()`` where ``at`` < 0, ``above()`` where it is > 0, and what encloses both at 0."""
    side = sign(at)
    if side in (-1, 1):
        return below() if side == -1 else above()
    if coefficient(at, 0).is_nan():
        return at
    if side == 0:
        branches.ties += 1
    else:
        branches.undecided += 1
    return hull(below(), above())


def hull(x: Ball, y: Ball) -> Ball:
    """The smallest ball that encloses both."""
    if not isinstance(x, arb_series) and not isinstance(y, arb_series):
        return arb(x).union(arb(y))
    return arb_series([coefficient(x, k).union(coefficient(y, k)) for k in range(ctx.cap)])


def maximum(x: Ball, y: Ball) -> Ball:
    x, y = _number(x), _number(y)
    return piecewise(x - y, lambda: y, lambda: x)


def minimum(x: Ball, y: Ball) -> Ball:
    x, y = _number(x), _number(y)
    return piecewise(x - y, lambda: x, lambda: y)


def absolute(x: Ball) -> Ball:
    return piecewise(x, lambda: -x, lambda: x)


def _number(x: Any) -> Ball:
    return x if isinstance(x, (arb, arb_series)) else ball(x)


# -- functions ------------------------------------------------------------------------------------


def exp(x: Ball) -> Ball:
    return x.exp()


def log(x: Ball) -> Ball:
    """The real logarithm, −∞ at 0."""
    if sign(x) != 0:
        return x.log()
    return arb_series([-INFINITY, NAN]) if isinstance(x, arb_series) else -INFINITY


def times(x: Ball, y: Ball) -> Ball:
    """x·y where 0·∞ = 0, as in 0·log 0."""
    vanishes = sign(x) == 0 and all(coefficient(x, k).is_zero() for k in range(1, ctx.cap))
    return arb(0) if vanishes else x * y


def power(x: Ball, p: Ball) -> Ball:
    """x^p for x ≥ 0 and p ≥ 1 or x > 0; only the value and one derivative at x = 0."""
    if isinstance(p, arb) and p.is_integer() and 0 < p < 9:
        result = x
        for _ in range(round(float(p)) - 1):
            result = result * x
        return result
    if sign(x) == 0:
        return arb_series([0, 0, NAN]) if isinstance(x, arb_series) else arb(0)
    if sign(x) is None and coefficient(x, 0).is_finite():  # from 0 to the upper end
        end = arb(coefficient(x, 0).upper())
        highest = (p * end.log()).exp()
        value, slope = arb(0).union(highest), arb(0).union(p * highest / end)
        return arb_series([value, slope * x[1], NAN]) if isinstance(x, arb_series) else value
    return (p * x.log()).exp()


def pi() -> arb:
    return arb.pi()


def total(terms: Sequence[Ball]) -> Ball:
    """Σ terms; 0 if there are none, and ±∞ if one of them is just that."""
    infinite = [t for t in terms if isinstance(t, arb) and not t.is_finite() and t.is_exact()]
    if infinite and all(isinstance(t, arb) and not t.is_nan() for t in terms):
        terms = infinite
    result: Ball = arb(0)
    for term in terms:
        result = result + term
    return result
