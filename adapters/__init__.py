"""Adapters: one module a framework, and the interface they share.

Adapters are found through the entry-point group ``nnconform.adapters``, ours like anybody's.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .interface import Adapter

__all__ = ["adapter", "names"]

GROUP = "nnconform.adapters"


@cache
def names() -> tuple[str, ...]:
    """Names of all adapters that are known here, whether or not their framework is installed."""
    order = {"torch": 0, "tensorflow": 1, "keras": 2, "keras-torch": 3}
    found = {point.name for point in entry_points(group=GROUP)}
    return tuple(sorted(found, key=lambda name: (order.get(name, len(order)), name)))


@cache
def adapter(name: str) -> Adapter:
    """The adapter of that name.

    Raises ValueError with the known names if there is none, and for one that cannot be loaded.
    """
    points = [point for point in entry_points(group=GROUP) if point.name == name]
    if not points:
        raise ValueError(f"unknown framework {name!r}; known: {', '.join(names())}")
    from .interface import INTERFACE

    try:
        made = points[0].load()()
    except Exception as error:
        raise ValueError(
            f"adapter {name!r} ({points[0].value}) cannot be loaded: {error}"
        ) from error
    if made.interface != INTERFACE:
        raise ValueError(
            f"adapter {name!r} is written for interface {made.interface}; this is {INTERFACE}"
        )
    return made
