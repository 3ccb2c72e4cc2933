"""A stand-in for your framework: tensors, gradients, three functions. Delete it when yours is there."""

from __future__ import annotations

import ml_dtypes
import numpy as np


class Tensor:
    """An array, and how a gradient of what was computed of others goes back to them."""

    def __init__(self, data, parents=()):
        self.data = np.asarray(data)
        if self.data.dtype == ml_dtypes.bfloat16:
            raise TypeError("myframework has no bfloat16")
        self.parents, self.grad = parents, None

    def backward(self, upstream=None):
        upstream = np.ones_like(self.data) if upstream is None else upstream
        self.grad = upstream if self.grad is None else self.grad + upstream
        for parent, pull in self.parents:
            parent.backward(pull(upstream).astype(self.data.dtype))

    def __repr__(self):
        return f"Tensor({self.data})"


def softsign(x):
    below = 1 + abs(x.data)
    return Tensor(x.data / below, [(x, lambda g: g / below / below)])


def leaky_relu(x, negative_slope=0.01):
    slope = np.where(x.data > 0, 1, negative_slope).astype(x.data.dtype)
    return Tensor(slope * x.data, [(x, lambda g: g * slope)])


def mse_loss(prediction, target, reduction="mean"):
    if reduction not in ("none", "sum", "mean"):
        raise ValueError(f"reduction is {reduction!r}, not none, sum or mean")
    if prediction.data.shape != target.data.shape:
        raise ValueError(f"shapes {prediction.data.shape} and {target.data.shape} differ")
    difference = prediction.data - target.data
    losses = difference**2
    if reduction == "none":
        return _of(prediction, target, losses, 2 * difference)
    count = losses.size if reduction == "mean" else 1
    total = losses.sum(dtype=np.float64) / count
    return _of(prediction, target, total.astype(losses.dtype), 2 * difference / count)


def _of(prediction, target, value, slope):
    return Tensor(value, [(prediction, lambda g: g * slope), (target, lambda g: -g * slope)])
