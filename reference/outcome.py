"""What a callable, or the oracle, did with a case."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass
class Outcome:
    """Value and gradients as NumPy arrays; or the error that came instead.

    ``value`` is None exactly when ``error`` is not. ``gradients`` maps input names to arrays;
    an input whose gradient the callable refuses stands in ``refused`` with the reason.
    """

    value: np.ndarray | None = None
    gradients: dict[str, np.ndarray] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    error: BaseException | None = None
    refused: dict[str, str] = field(default_factory=dict)
    #: of a call that overwrites its first input: what that input holds afterwards
    overwritten: np.ndarray | None = None


def in_a_line(error: BaseException, most: int | None = None) -> str:
    """An exception in one line, of that many characters at most, its own lines joined."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:most]
