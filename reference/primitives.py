"""Building blocks that several formulas share, accurate at any float width.

Everything works at the width of its arguments; nothing here warns (the caller holds
``np.errstate``) and every function passes NaN on.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np

Array = np.ndarray


def sigmoid(x: Array) -> Array:
    """1/(1+e⁻ˣ), from the exponential of −|x| so that neither tail cancels or overflows."""
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


def softplus(x: Array) -> Array:
    """log(1+eˣ) = max(x, 0) + log1p(e^−|x|)."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def log1p_rest(x: Array) -> Array:
    """log(1+x) − x, by the series of 2·artanh(s) with s = x/(2+x) where the two cancel."""
    s = x / (2 + x)
    square, series = s * s, np.zeros_like(x)
    for k in range(39, 1, -2):
        series = series * square + 1 / x.dtype.type(k)
    return np.where(np.abs(x) < 0.5, 2 * s * square * series - x * s, np.log1p(x) - x)


def expm1_rest(x: Array) -> Array:
    """eˣ − 1 − x, by its Taylor series where the terms cancel."""
    series = np.ones_like(x)
    for k in range(20, 2, -1):
        series = 1 + series * x / k
    return np.where(np.abs(x) < 0.5, x * x / 2 * series, np.expm1(x) - x)


def xlogy(x: Array, y: Array) -> Array:
    """x·log(y), and 0 where x = 0 whatever y is (NaN excepted)."""
    return times(x, np.log(y))


def times(x: Array, y: Array) -> Array:
    """x·y, and 0 where x = 0 whatever y is (NaN excepted)."""
    return np.where((x == 0) & ~np.isnan(y), 0, x * y)


def over(x: Array, y: Array) -> Array:
    """x/y, and 0 where x = 0 whatever y is (NaN excepted)."""
    return np.where((x == 0) & ~np.isnan(y), 0, x / y)


def two_sum(x: Array, y: Array) -> tuple[Array, Array]:
    """x + y rounded, and what the rounding lost, exactly (Knuth 1969; 0 where the sum overflows)."""
    total = x + y
    part = total - x
    lost = (x - (total - part)) + (y - part)
    return total, np.where(np.isfinite(total), lost, 0)


def exact_sum(*terms: Any) -> Array:
    """The sum of a few terms as if in twice the precision, whatever they cancel (Ogita, Rump &
    Oishi 2005, doi:10.1137/030601818, Sum2)."""
    total: Any = terms[0]
    lost: Any = 0
    for term in terms[1:]:
        total, error = two_sum(total, term)
        lost = lost + error
    return total + lost


def scaled_sum(factor: Any, *terms: Any) -> Array:
    """factor·Σ terms, which may be a number where the sum alone overflows."""
    total = exact_sum(*terms)
    overflows = np.isinf(total)
    if not overflows.any():
        return factor * total
    halved = exact_sum(*(term / 2 for term in terms))
    return np.where(overflows, 2 * factor * halved, factor * total)


def total(x: Array, axis: int) -> Array:
    """Σx along ``axis`` (kept), pairwise whatever the memory layout, so that long rows keep their digits."""
    if x.shape[axis] > 8:
        x = np.moveaxis(np.ascontiguousarray(np.moveaxis(x, axis, -1)), -1, axis)
    return x.sum(axis=axis, keepdims=True)


def log_sum(x: Array, y: Any) -> Array:
    """log(x + y), to the last digit also where x + y is near 1."""
    if np.ndim(y) == 0 and y == 0:
        return np.log(x)
    rounded, lost = two_sum(x, x.dtype.type(y))
    return np.log(rounded) + np.where(rounded == 0, 0, lost / rounded)


def log_ratio(x: Array, y: Array) -> Array:
    """log(x / y) for x, y ≥ 0, to the last digit near x = y and where the ratio leaves the range."""
    ratio = x / y
    tiny = np.finfo(x.dtype).smallest_normal
    far = np.where((ratio >= tiny) & np.isfinite(ratio), np.log(ratio), np.log(x) - np.log(y))
    return np.where((ratio > 0.5) & (ratio < 2), np.log1p((x - y) / y), far)


def shifted(x: Array, axis: int, low: Array | None = None) -> tuple[Array, Array]:
    """x − max(x) along ``axis`` and what its rounding lost: near −700 that is hundreds of ULP of eˣ.

    0, not NaN, at an infinite maximum, −∞ beside it. ``low`` is what x itself lacks.
    """
    top = np.max(x, axis=axis, keepdims=True)
    below, lost = two_sum(x, -top)
    at_top = x == top
    below, lost = np.where(at_top, np.where(np.isnan(x), x, 0), below), np.where(at_top, 0, lost)
    if low is None:
        return below, lost
    low_top = np.max(np.where(at_top, low, -np.inf), axis=axis, keepdims=True)
    return two_sum(below, lost + np.where(np.isfinite(low_top), low - low_top, 0))


def largest(x: Array, axis: int, low: Array | None = None) -> Array:
    """True at the (first) largest element along ``axis``, and only there."""
    if low is not None:
        x = np.where(x == np.max(x, axis=axis, keepdims=True), low, -np.inf)
    top = np.zeros(x.shape, bool)
    np.put_along_axis(top, np.expand_dims(np.argmax(x, axis=axis), axis), True, axis)
    return top


def _powers(x: Array, axis: int, low: Array | None = None) -> Array:
    """exp(x − max) along ``axis``."""
    below, lost = shifted(x, axis, low)
    e = np.exp(below)
    return e + e * lost


def rest(x: Array, axis: int, low: Array | None = None) -> Array:
    """Σ exp(x − max) over all but one of the largest elements along ``axis`` (kept)."""
    return _without(largest(x, axis, low), _powers(x, axis, low), axis)


def logsumexp(x: Array, axis: int) -> Array:
    """log Σ eˣ along ``axis`` (kept) = max + log1p(rest)."""
    return np.max(x, axis=axis, keepdims=True) + np.log1p(rest(x, axis))


def softmax(x: Array, axis: int, low: Array | None = None) -> Array:
    """eˣ / Σ eˣ along ``axis``."""
    e = _powers(x, axis, low)
    return e / total(e, axis)


def log_softmax(x: Array, axis: int, low: Array | None = None) -> Array:
    """x − logsumexp(x) = (x − max) − log1p(rest), which keeps the dominating element exact."""
    below, lost = shifted(x, axis, low)
    return below + (lost - np.log1p(rest(x, axis, low)))


def half_log_softmax(x: Array, axis: int) -> Array:
    """log_softmax(x)/2, which does not overflow where x − max does."""
    below, lost = shifted(x / 2, axis)
    return below + (lost - np.log1p(rest(x, axis)) / 2)


def log_softmax_pullback(v: Array, x: Array, axis: int, low: Array | None = None) -> Array:
    """v − p·Σv for p = softmax(x) along ``axis``.

    Where that cancels: near p = 1, v·(1 − p) − p·(other v); in a row that is nearly level, where
    every p is nearly 1/n, v₁·(1 − n·p) + (v − v₁) − p·Σ(v − v₁) with 1 − n·p from eˣ − 1.
    """
    top, p = largest(x, axis, low), softmax(x, axis, low)
    others, remains = _without(top, v, axis), _without(top, p, axis)
    result = np.where(top, v * remains - p * others, v - p * total(v, axis))
    below, lost = shifted(x, axis, low)
    level = np.min(below, axis=axis, keepdims=True) > -0.25
    if not level.any():
        return result
    first = np.take(v, [0], axis=axis)
    e = np.expm1(below) + lost
    uneven = (total(e, axis) - x.shape[axis] * e) / (x.shape[axis] + total(e, axis))
    rest_of_v = v - first
    return np.where(level, first * uneven + (rest_of_v - p * total(rest_of_v, axis)), result)


def log_share(x: Array, axis: int) -> Array:
    """log(x / Σx) along ``axis``, for x ≥ 0; log1p of what the others have where the share is near 1."""
    top, every = largest(x, axis), total(x, axis)
    others = _without(top, x / every, axis)
    return np.where(top & (others < 0.5), np.log1p(-others), log_ratio(x, every))


def log_share_pullback(v: Array, x: Array, axis: int) -> Array:
    """(v − p·Σv) / x for p = x / Σx along ``axis``, as exact as :func:`log_softmax_pullback`."""
    top, every = largest(x, axis), total(x, axis)
    others, remains = _without(top, v, axis), _without(top, x, axis)
    return np.where(
        top,
        (v * (remains / x) - others) / every,
        over(v, x) - total(v, axis) / every,
    )


def _without(top: Array, x: Array, axis: int) -> Array:
    """Σx along ``axis`` over all but the largest."""
    return total(np.where(top, 0, x), axis)


def one_hot(index: Array, size: int, axis: int, dtype: np.dtype) -> Array:
    """1 at the index along a new ``axis``; a row of zeros where the index is outside 0..size−1."""
    classes = np.arange(size).reshape(-1, *[1] * index.ndim)
    return np.moveaxis((index[None] == classes).astype(dtype), 0, axis)


def along(vector: Array | None, ndim: int, axis: int, dtype: np.dtype) -> Array:
    """A vector of class weights shaped to stand along ``axis`` of ``ndim``; ones if there is none."""
    if vector is None:
        return np.ones([1] * ndim, dtype)
    shape = [1] * ndim
    shape[axis] = -1
    return np.reshape(vector, shape)


def tanh_rest(x: Array) -> Array:
    """x − tanh(x): where that cancels, Σ 2k·x²ᵏ⁺¹/(2k+1)! over cosh x, a series without signs."""
    near = np.minimum(np.abs(x), 2)
    square, series = near * near, np.ones_like(x)
    for k in range(18, 0, -1):
        series = 1 + series * square / (2 * k * (2 * k + 3))
    small = near * square / 3 * series / np.cosh(near)
    return np.where(np.abs(x) < 2, np.copysign(small, x), x - np.tanh(x))


# -- products and exponentials in twice the precision ----------------------------------------------


def two_product(x: Array, y: Any) -> tuple[Array, Array]:
    """x·y rounded, and what the rounding lost, exactly (Dekker 1971; 0 where a part overflows)."""
    y = np.asarray(y, x.dtype)
    split = x.dtype.type(2.0 ** ((np.finfo(x.dtype).nmant + 2) // 2) + 1)

    def halves(a: Array) -> tuple[Array, Array]:
        high = a * split
        high = high - (high - a)
        return high, a - high

    (x_high, x_low), (y_high, y_low), rounded = halves(x), halves(y), x * y
    lost = ((x_high * y_high - rounded) + x_high * y_low + x_low * y_high) + x_low * y_low
    return rounded, np.where(np.isfinite(lost), lost, 0)


def two_quotient(x: Array, y: Any) -> tuple[Array, Array]:
    """x/y rounded, and what the rounding lost (0 where the quotient overflows)."""
    quotient = x / np.asarray(y, x.dtype)
    back, lost = two_product(quotient, y)
    rest_of_x = ((x - back) - lost) / y
    return quotient, np.where(np.isfinite(rest_of_x), rest_of_x, 0)


@cache
def double_word(digits: str, dtype: np.dtype) -> tuple[Any, Any]:
    """A decimal number as the sum of two numbers of a width."""
    high = dtype.type(digits)
    rest_of_it = Fraction(digits) - Fraction(*high.as_integer_ratio())
    shifted_up = rest_of_it * 2**200
    low = dtype.type(str(round(shifted_up))) * dtype.type(2.0**-100) * dtype.type(2.0**-100)
    return high, low


def times_exp(factor: Any, x: Array, lost: Any = 0, e: Any = None) -> Array:
    """factor·e^(x + lost) for x ≤ 0, which may be a normal number where e^x is none; 0 where e^x
    vanishes, whatever the factor (NaN excepted). ``e`` is e^x, where that is known."""
    e = np.exp(x) if e is None else e
    factor = factor * (1 + lost)
    product = e * factor
    lacking = np.isnan(product)
    if np.any(lacking):
        product = np.where(lacking, times(e, factor), product)
    deep = x < -700
    if not np.any(deep):
        return product
    root = np.exp(x / 2)
    return np.where(deep, times(root, times(root, factor)), product)


def gated(x: Array, gate: Array, lost: Any = 0) -> Array:
    """x·σ(gate + lost)."""
    e = np.exp(-np.abs(gate))
    return np.where(gate < 0, times_exp(x, -np.abs(gate), lost, e), x) / (1 + e)


def gated_slope(gate: Array, lost: Any, rise: Array) -> Array:
    """σ(g)·(1 + r·(1 − σ(g))) at g = gate + lost: the derivative of x·σ(g(x)), with r = x·g′(x)."""
    e = np.exp(-np.abs(gate))
    below = times_exp(1 + e + rise, -np.abs(gate), lost, e)
    return np.where(gate < 0, below, 1 + e + times(e, rise)) / (1 + e) ** 2


#: Chebyshev coefficients of (2 + t)·e^(t²/2)·Φ(−t) in (t − 4)/(t + 4), by Arb; they end at 2⁻⁷⁰
_TAIL = (
    "0.633874801319611092210194", "-0.293394617028752383081901", "0.0666168454939361983257797",
    "-0.00774838042389787528743706", "-0.000910353594673669214715198", "0.000612722782277684235926900",
    "-0.000113122431896385461687715", "1.73539742145120359909685e-6", "3.04387210720187094397319e-6",
    "-3.35028123035516558048167e-7", "-7.67666359498068263004778e-8", "1.50781502767578917202108e-8",
    "2.40401879011947428349933e-9", "-5.98397074693664540968097e-10", "-1.00663154811089330389352e-10",
    "2.27962541855704941978894e-11", "5.18585649484186192913794e-12", "-7.76105352760329169664303e-13",
    "-2.88588833189167637254882e-13", "1.66517749627353608368310e-14", "1.56803724902331330193598e-14",
    "6.02221434483459763553190e-16", "-7.59744964648476268702543e-16", "-1.17034217709304628469132e-16",
    "2.77281655987899541582294e-17", "1.01586716846531351138378e-17", "-2.05153392030941386897457e-19",
    "-6.26506235644160205522356e-19", "-8.30473200416352168404541e-20", "2.50321515702657808607534e-20",
    "9.33317675393203737624309e-21", "3.13322070886878582201246e-23", "-5.95484665969938262307093e-22",
)  # fmt: skip


@cache
def _tail_coefficients(dtype: np.dtype) -> list[Any]:
    numbers = [dtype.type(digits) for digits in _TAIL]
    least = np.finfo(dtype).eps / 64
    return [c for c in numbers if abs(c) > least]


def normal_tail(t: Array) -> Array:
    """e^(t²/2)·Φ(−t) = erfcx(t/√2)/2 for t ≥ 0: the normal distribution's upper tail without its
    exponential (Shepherd & Laframboise 1981, doi:10.1090/S0025-5718-1981-0595058-X)."""
    twice = 2 - 16 / (t + 4)
    first, *others = _tail_coefficients(t.dtype)
    one, two = np.zeros_like(t), np.zeros_like(t)
    for c in reversed(others):
        one, two = twice * one - two + c, one
    return (twice / 2 * one - two + first) / (2 + t)


def sparsemax(x: Array, axis: int) -> Array:
    """The projection onto the simplex along ``axis``: (1 + Σⱼ(xᵢ − xⱼ))/k over the k elements of
    the support, which are those where that sum over all larger elements is positive."""
    x = np.moveaxis(x, axis, -1)

    def summed(counts: Array) -> Array:
        """1 + Σⱼ (xᵢ − xⱼ) over the j that count, as if in twice the precision."""
        result, lost = np.ones_like(x), np.zeros_like(x)
        for j in range(x.shape[-1]):
            other = x[..., j : j + 1]
            step, rest = two_sum(x, -other)
            step = np.where(x == other, 0, step)
            used = counts[..., j]
            result, error = two_sum(result, np.where(used, step, 0))
            lost = lost + error + np.where(used & (x != other), rest, 0)
        return result + lost

    support = summed(x[..., None, :] > x[..., :, None]) > 0
    share = summed(np.broadcast_to(support[..., None, :], (*x.shape, x.shape[-1])))
    p = np.where(support, share / support.sum(axis=-1, keepdims=True), 0)
    return np.moveaxis(np.where(np.isnan(x).any(axis=-1, keepdims=True), np.nan, p), -1, axis)


# -- inner products --------------------------------------------------------------------------------


def affine(x: Array, weight: Array, bias: Array | None = None) -> tuple[Array, Array]:
    """Σ_d x[n, d]·w[c, …, d] + b[c, …] and what its rounding lost, as if in twice the precision
    (Ogita, Rump & Oishi 2005, doi:10.1137/030601818, Dot2). Axes before those of x are copies."""
    copies = x.ndim - 2
    columns = x.reshape(*x.shape[:-1], *[1] * (weight.ndim - copies - 1), -1)
    rows = np.expand_dims(weight, copies)
    high = np.zeros(np.broadcast_shapes(columns.shape, rows.shape)[:-1], x.dtype)
    if bias is not None:
        high = high + np.expand_dims(bias, copies)
    low = np.zeros_like(high)
    for d in range(weight.shape[-1]):
        product, lost = two_product(columns[..., d], rows[..., d])
        high, error = two_sum(high, product)
        low = low + (lost + error)
    return two_sum(high, low)


Double = tuple[Array, Array]  # a number as the sum of two


def sum2(a: Double, b: Double) -> Double:
    """a + b in twice the precision."""
    total, lost = two_sum(a[0], b[0])
    return two_sum(total, lost + (a[1] + b[1]))


def product2(a: Double, b: Double) -> Double:
    """a·b in twice the precision."""
    product, lost = two_product(a[0], b[0])
    return two_sum(product, lost + (a[0] * b[1] + a[1] * b[0]))
