"""Adapters: one module a framework, and the interface they share.

Ours are known by their names, so that they are there without any installation's metadata; those of
other packages are found through the entry-point group ``nnconform.adapters``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .interface import Adapter

__all__ = ["adapter", "names"]

GROUP = "nnconform.adapters"

#: our own adapters, in the order in which frameworks are named
OURS = {
    "torch": ".torch:TorchAdapter",
    "tensorflow": ".tensorflow:TensorFlowAdapter",
    "keras": ".keras:KerasAdapter",
    "keras-torch": ".keras:KerasOnTorch",
    "numpy": ".numpy:NumPyAdapter",
}


@cache
def names() -> tuple[str, ...]:
    """Names of all adapters that are known here, whether or not their framework is installed."""
    return (*OURS, *sorted({point.name for point in _others()} - set(OURS)))


@cache
def adapter(name: str) -> Adapter:
    """The adapter of that name.

    Raises ValueError with the known names if there is none, and for one that cannot be loaded.
    """
    if name not in names():
        raise ValueError(f"unknown framework {name!r}; known: {', '.join(names())}")
    from .interface import INTERFACE

    where, load = _home(name)
    try:
        made = load()()
    except Exception as error:
        raise ValueError(f"adapter {name!r} ({where}) cannot be loaded: {error}") from error
    if made.interface != INTERFACE:
        raise ValueError(
            f"adapter {name!r} is written for interface {made.interface}; this is {INTERFACE}"
        )
    return made


def _home(name: str) -> tuple[str, Callable[[], Any]]:
    """Where the class of an adapter stands, and what imports it."""
    if name in OURS:
        module, _, kind = OURS[name].partition(":")
        return OURS[name], lambda: getattr(import_module(module, __name__), kind)
    point = next(point for point in _others() if point.name == name)
    return point.value, point.load


def _others() -> Iterable[EntryPoint]:
    found: Any = entry_points()
    # before Python 3.10 a mapping of groups
    return found.select(group=GROUP) if hasattr(found, "select") else found.get(GROUP, ())
