"""Small numbers that a person can follow, for the snippets of a guide."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...reference.floats import Float
from ...reference.function import Domain
from ..cases import Case, build
from ..sources import Range, fit
from .translation import Side

#: shares of three are a distribution as they stand
_SHARES = (0.25, 0.5, 0.25, 0.125, 0.75, 0.125)
_NUMBERS = (0.5, -1.0, 2.0, -0.25, 1.5, -2.0)


class _Example:
    """A source of the same few numbers, of small shapes, and of no optional inputs."""

    size = 1

    def __init__(self) -> None:
        self._sizes = self._tensors = 0

    def integer(self, low: int, high: int) -> int:
        if (low, high) == (1, 4):  # a size: 2, 3, 2, …
            self._sizes += 1
            return 3 - self._sizes % 2
        usual = {(0, 1): 0, (0, 2): 0, (2, 5): 3}
        return min(max(usual.get((low, high), 2), low), high)

    def choice(self, options: Sequence[Any]) -> Any:
        return options[0]

    def parameter(self, domain: Domain, default: Any) -> Any:
        return default

    def integers(self, shape: tuple[int, ...], low: int, high: int) -> np.ndarray:
        self._tensors += 1
        count = int(np.prod(shape))
        return (low + (np.arange(count) + 1) % (high - low + 1)).reshape(shape)

    def floats(
        self, shape: tuple[int, ...], within: Range, kind: Float, smallest: float = 0.0
    ) -> np.ndarray:
        low, high = within
        self._tensors += 1
        palette = _SHARES if within == (0.0, 1.0) else np.roll(_NUMBERS, self._tensors - 1)
        if low >= 0:
            palette = np.abs(palette)
        elif high <= 0:
            palette = -np.abs(palette)
        return fit(np.resize(palette, shape), within, kind, smallest)


def example(side: Side, dtype: str = "float32") -> Case:
    """The case, with the callable's own defaults."""
    case = build(side.binding, dtype, _Example())
    case.inputs.pop("sample_weight", None)
    function = side.function
    for name, spec in function.inputs.items():
        if spec.optional and name not in side.binding.args:
            case.inputs.pop(name, None)
    if "input_lengths" in case.inputs:  # sequences as long as the batch
        steps, _, _ = case.inputs["log_probs"].shape
        case.inputs["input_lengths"][...] = steps
        case.inputs["target_lengths"][...] = case.inputs["targets"].shape[1]
    own = {n: v for n, v in side.own.items() if n in case.params}
    axis = {n: v for n, v in case.params.items() if n == "axis"}
    return Case(function, dtype, case.inputs, {**case.params, **own, **axis})
