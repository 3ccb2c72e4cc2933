"""Building blocks that several formulas share, accurate at any float width.

Everything works at the width of its arguments; nothing here warns (the caller holds
``np.errstate``) and every function passes NaN on.
"""

from __future__ import annotations

import numpy as np

Array = np.ndarray


def sigmoid(x: Array) -> Array:
    """1/(1+e⁻ˣ), from the exponential of −|x| so that neither tail cancels or overflows."""
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


def softplus(x: Array) -> Array:
    """log(1+eˣ) = max(x, 0) + log1p(e^−|x|)."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def xlogy(x: Array, y: Array) -> Array:
    """x·log(y), and 0 where x = 0 whatever y is (NaN excepted)."""
    return times(x, np.log(y))


def times(x: Array, y: Array) -> Array:
    """x·y, and 0 where x = 0 whatever y is (NaN excepted)."""
    return np.where((x == 0) & ~np.isnan(y), 0, x * y)


def over(x: Array, y: Array) -> Array:
    """x/y, and 0 where x = 0 whatever y is (NaN excepted)."""
    return np.where((x == 0) & ~np.isnan(y), 0, x / y)


def shifted(x: Array, axis: int) -> Array:
    """x − max(x) along ``axis``; 0, not NaN, at an infinite maximum, −∞ beside it."""
    top = np.max(x, axis=axis, keepdims=True)
    return np.where(x == top, np.where(np.isnan(x), x, 0), x - top)


def largest(x: Array, axis: int) -> Array:
    """True at the (first) largest element along ``axis``, and only there."""
    top = np.zeros(x.shape, bool)
    np.put_along_axis(top, np.expand_dims(np.argmax(x, axis=axis), axis), True, axis)
    return top


def rest(x: Array, axis: int) -> Array:
    """Σ exp(x − max) over all but one of the largest elements along ``axis`` (kept)."""
    return _without(largest(x, axis), np.exp(shifted(x, axis)), axis)


def logsumexp(x: Array, axis: int) -> Array:
    """log Σ eˣ along ``axis`` (kept) = max + log1p(rest)."""
    return np.max(x, axis=axis, keepdims=True) + np.log1p(rest(x, axis))


def softmax(x: Array, axis: int) -> Array:
    """eˣ / Σ eˣ along ``axis``."""
    e = np.exp(shifted(x, axis))
    return e / e.sum(axis=axis, keepdims=True)


def log_softmax(x: Array, axis: int) -> Array:
    """x − logsumexp(x) = (x − max) − log1p(rest), which keeps the dominating element exact."""
    return shifted(x, axis) - np.log1p(rest(x, axis))


def log_softmax_pullback(v: Array, x: Array, axis: int) -> Array:
    """v − p·Σv for p = softmax(x) along ``axis``; near p = 1, where that cancels, v·(1 − p) − p·(other v)."""
    top, p = largest(x, axis), softmax(x, axis)
    others, remains = _without(top, v, axis), _without(top, p, axis)
    return np.where(top, v * remains - p * others, v - p * v.sum(axis=axis, keepdims=True))


def log_share(x: Array, axis: int) -> Array:
    """log(x / Σx) along ``axis``, for x ≥ 0; log1p of what the others have where the share is near 1."""
    top, p = largest(x, axis), x / x.sum(axis=axis, keepdims=True)
    return np.where(top & (p > 0.5), np.log1p(-_without(top, p, axis)), np.log(p))


def log_share_pullback(v: Array, x: Array, axis: int) -> Array:
    """(v − p·Σv) / x for p = x / Σx along ``axis``, as exact as :func:`log_softmax_pullback`."""
    top, total = largest(x, axis), x.sum(axis=axis, keepdims=True)
    others, remains = _without(top, v, axis), _without(top, x, axis)
    return np.where(
        top,
        (v * (remains / x) - others) / total,
        over(v, x) - v.sum(axis=axis, keepdims=True) / total,
    )


def _without(top: Array, x: Array, axis: int) -> Array:
    """Σx along ``axis`` over all but the largest."""
    return np.where(top, 0, x).sum(axis=axis, keepdims=True)


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
