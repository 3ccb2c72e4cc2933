"""Steps between two calls: what changes an encoding, an order of axes or a reduction.

A step is one operation of every framework (:attr:`.Adapter.operations`) with its options, and what
it does in NumPy, which tells the shapes that the next step sees.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...adapters.interface import Adapter

Array = np.ndarray


def _one_hot(x: Array, classes: int, axis: int, dtype: Any) -> Array:
    hot = np.expand_dims(x, axis) == np.arange(classes).reshape(
        [-1 if i == axis % (x.ndim + 1) else 1 for i in range(x.ndim + 1)]
    )
    return hot.astype(np.float32 if dtype == "bfloat16" else dtype)


def _log_softmax(x: Array, axis: int) -> Array:
    shifted = x - x.max(axis=axis, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))


_NUMPY: Mapping[str, Callable[..., Array]] = {
    "expand": lambda x: x[..., None],
    "move": lambda x, source, to: np.moveaxis(x, source, to),
    "permute": lambda x, order: x.transpose([int(axis) for axis in order.split(", ")]),
    "one_hot": _one_hot,
    "signs": lambda x: 2 * x - 1,
    "bits": lambda x: (x + 1) / 2,
    "smooth": lambda x, kept, spread: x * kept + spread,
    "exp": np.exp,
    "log": np.log,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "logit": lambda x: np.log(x) - np.log1p(-x),
    "softmax": lambda x, axis: np.exp(_log_softmax(x, axis)),
    "log_softmax": _log_softmax,
}

#: what a step does, for people
MEANINGS: Mapping[str, str] = {
    "expand": "a last axis of size 1, because the mean there is taken over the last axis",
    "move": "the class axis moved",
    "permute": "the axes in another order",
    "one_hot": "class indices as one-hot rows",
    "signs": "0 and 1 as −1 and 1",
    "bits": "−1 and 1 as 0 and 1",
    "smooth": "smoothed by hand",
    "exp": "the exponential, because the logarithm is not taken there",
    "log": "the logarithm, because it is expected there",
    "sigmoid": "probabilities of logits",
    "logit": "logits of probabilities",
    "softmax": "probabilities of logits",
    "log_softmax": "log-probabilities of logits",
    "negative": "the sign changed",
    "half": "half of it",
    "twice": "twice of it",
    "sum": "summed by hand",
    "mean": "the mean taken by hand",
    "sum_over": "summed and divided by hand",
    "sum_last": "summed over the last axis by hand",
    "mean_last": "the mean over the last axis taken by hand",
}


@dataclass(frozen=True)
class Step:
    """One operation, with its options."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def written(self, adapter: Adapter, of: str = "{x}") -> str:
        """The expression, in that framework."""
        return adapter.operations[self.name].format(x=of, **self.options)

    def __call__(self, array: Array) -> Array:
        with np.errstate(all="ignore"):
            made = _NUMPY[self.name](array, **self.options)
        return np.asarray(made, array.dtype if self.name != "one_hot" else made.dtype)

    @property
    def meaning(self) -> str:
        return MEANINGS[self.name]


def permuted(order: tuple[int, ...]) -> list[Step]:
    """The step that puts axes in that order; none where they are."""
    if order == tuple(range(len(order))):
        return []
    return [Step("permute", {"order": ", ".join(map(str, order))})]
