"""Dialects that more than one module states."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..reference.floats import float_of
from .interface import Inputs

Params = Mapping[str, Any]

#: ``keras.config.epsilon()``: "used to avoid dividing by zero in some operations"
EPSILON = 1e-7
#: torch.nn.BCELoss: "we clamp its log function outputs to be greater than or equal to -100"
BCE_LOG_FLOOR = {"log_floor": -100.0}
#: softplus: "log(exp(x) + 1)", everywhere
SMOOTH = {"threshold": np.inf}


def epsilon(inputs: Inputs, params: Params, dtype: str) -> float:
    """Epsilon in the dtype."""
    return float_of(dtype).round(EPSILON)


def to_epsilon(inputs: Inputs, params: Params, dtype: str) -> tuple[float, float]:
    """The clip of Kullback-Leibler divergence."""
    return float_of(dtype).round(EPSILON), 1.0


def within_epsilon(inputs: Inputs, params: Params, dtype: str) -> tuple[float, float]:
    """The clip of the cross-entropies: to [epsilon, 1 − epsilon], each rounded to the dtype."""
    return float_of(dtype).round(EPSILON), float_of(dtype).round(1 - EPSILON)
