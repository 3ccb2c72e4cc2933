"""The oracle of reductions: every reduction is a linear map of the unreduced losses.

A reduction is its coefficients cᵢ in Σ cᵢ·lossᵢ, so value, gradient and conditioning of every
reduced loss follow from the unreduced ones. Names, with n losses ℓ and sample weights w (1 if none):

=================  ==============================================================
``none``           wᵢ·ℓᵢ, unreduced
``sum``            Σ wᵢ·ℓᵢ
``mean``           Σ wᵢ·ℓᵢ / n, or the loss's own mean (class weights, target lengths)
``batchmean``      Σ wᵢ·ℓᵢ / size of the first axis
``weighted_mean``  Σ wᵢ·ℓᵢ / Σ wᵢ, 0 where Σ wᵢ = 0
``nonzero_mean``   Σ wᵢ·ℓᵢ / number of losses with wᵢ ≠ 0, 0 where there are none
=================  ==============================================================

``rows`` says what happens before: ``"mean"`` or ``"sum"`` over the last axis (Keras' value per
sample), or None.
"""

from __future__ import annotations

from typing import Literal, Optional

import numpy as np

from .function import Function

Array = np.ndarray
Rows = Optional[Literal["mean", "sum"]]

REDUCTIONS = ("none", "sum", "mean", "batchmean", "weighted_mean", "nonzero_mean")


def over_rows(losses: Array, rows: Rows) -> Array:
    """The value per sample: the losses reduced over their last axis, as ``rows`` says."""
    if rows is None:
        return losses
    total = losses.sum(axis=-1)
    return total / losses.shape[-1] if rows == "mean" else total


def spread_over_rows(gradient: Array, losses: Array, rows: Rows) -> Array:
    """The pullback of :func:`over_rows`."""
    if rows is None:
        return gradient
    each = gradient / losses.shape[-1] if rows == "mean" else gradient
    return np.broadcast_to(each[..., None], losses.shape)


def coefficients(
    function: Function,
    losses: Array,
    reduction: str,
    arguments: dict,
    sample_weight: Array | None = None,
    rows: Rows = None,
) -> Array:
    """The coefficients cᵢ of ``reduction`` (for ``none``: the sample weights), shaped as ``losses``.

    ``losses`` are per sample already where ``rows`` says so. Raises ValueError for an unknown name.
    """
    ones = np.ones(losses.shape, losses.dtype)
    weights = ones if sample_weight is None else _aligned(sample_weight, losses) * ones
    if reduction in ("none", "sum"):
        return weights
    if reduction == "mean":
        own = rows is None and function._mean is not None
        return weights * (
            function.mean_coefficients(losses, **arguments) if own else _over(ones, losses.size)
        )
    if reduction == "batchmean":
        return weights * _over(ones, losses.shape[0] if losses.ndim else 1)
    weights = np.where(_ignored(arguments, losses), 0, weights)
    if reduction == "weighted_mean":
        return _safe(weights, weights.sum())
    if reduction == "nonzero_mean":
        return _safe(weights, int(np.count_nonzero(weights)))
    raise ValueError(f"unknown reduction {reduction!r}; known: {', '.join(REDUCTIONS)}")


def _ignored(arguments: dict, losses: Array) -> Array | bool:
    """The samples whose class is ``ignore_index``: their weight does not count either."""
    target, index = arguments.get("target"), arguments.get("ignore_index")
    if index is None or target is None or target.dtype.kind not in "iu":
        return False
    return target == index if target.shape == losses.shape else False


def _over(ones: Array, count: int) -> Array:
    with np.errstate(all="ignore"):
        return ones / ones.dtype.type(count)


def _safe(weights: Array, total: float) -> Array:
    return weights / weights.dtype.type(total) if total != 0 else np.zeros_like(weights)


def _aligned(weights: Array, losses: Array) -> Array:
    """Weights of lower rank stand along the first axes, as Keras and TensorFlow place them."""
    weights = np.asarray(weights, losses.dtype)
    return weights.reshape(weights.shape + (1,) * (losses.ndim - weights.ndim))
