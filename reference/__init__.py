"""The oracle: every function's formula, gradient, reductions, and what is true of it.

`reference` imports nothing of ours. `catalogue()` is the mapping of canonical names to
:class:`~nnconform.reference.function.Function`.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .function import Function

__all__ = ["catalogue"]


def catalogue() -> Mapping[str, Function]:
    """All functions by canonical name: activations first, then losses, in the order of their rooms."""
    from . import activations, losses  # noqa: F401  (importing them registers their functions)
    from .function import REGISTRY

    return MappingProxyType(REGISTRY)
