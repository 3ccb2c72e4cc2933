"""Adapters: one module a framework, and the interface they share.

Ours are known by their names, so that they are there without any installation's metadata; those of
other packages, plug-ins, are found through the entry-point group ``nnconform.adapters``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .interface import Adapter

__all__ = ["Broken", "adapter", "names"]

GROUP = "nnconform.adapters"

#: our own adapters, in the order in which frameworks are named
OURS = {
    "torch": ".torch:TorchAdapter",
    "tensorflow": ".tensorflow:TensorFlowAdapter",
    "jax": ".jax:JaxAdapter",
    "keras": ".keras:KerasAdapter",
    "keras-torch": ".keras:KerasOnTorch",
    "keras-jax": ".keras:KerasOnJax",
    "numpy": ".numpy:NumPyAdapter",
}


#: what every adapter states of itself, beside its interface
STATED = ("name", "module", "requirement", "distributions", "bindings", "preamble")


class Broken(ValueError):
    """An adapter that is there and cannot be used: one line that names it and says why."""


@cache
def names() -> tuple[str, ...]:
    """Names of all adapters that are known here, whether or not their framework is installed."""
    return (*OURS, *sorted({point.name for point in _others()} - set(OURS)))


def adapter(name: str) -> Adapter:
    """The adapter of that name.

    Raises ValueError with the known names if there is none, and Broken for one that cannot be
    loaded, or is not written for this interface.
    """
    if name not in names():
        raise ValueError(f"unknown framework {name!r}; known: {', '.join(names())}")
    made = _loaded(name)
    if isinstance(made, Broken):
        raise made.with_traceback(None)
    return made


@cache
def _loaded(name: str) -> Adapter | Broken:
    """The adapter of that name, or what is wrong with it, which is found once."""
    from ..reference.outcome import in_a_line

    where, load = _home(name)
    try:
        kind = load()
        if fault := _fault(name, kind):
            return Broken(f"adapter {name!r} ({where}) {fault}")
        made: Adapter = kind()
    except Exception as error:
        broken = Broken(f"adapter {name!r} ({where}) cannot be loaded: {in_a_line(error)}")
        broken.__cause__ = error  # whoever writes it needs the traceback
        return broken
    return made


def _fault(name: str, kind: Any) -> str:
    """What is wrong with the class of an adapter; nothing where it can be used."""
    from ..reference import catalogue
    from .interface import INTERFACE, Adapter

    if not (isinstance(kind, type) and issubclass(kind, Adapter)):
        return f"is {kind!r}, no subclass of nnconform.adapters.interface.Adapter"
    stated = getattr(kind, "interface", None)
    if stated != INTERFACE:
        said = "states no interface" if stated is None else f"is written for interface {stated}"
        return f"{said}; this nnconform has interface {INTERFACE}"
    if lacking := [attribute for attribute in STATED if not hasattr(kind, attribute)]:
        return f"states no {' and no '.join(lacking)}"
    if kind.name != name:
        return f"calls itself {kind.name!r}; its entry point must have that name"
    unknown = sorted({b.function for b in kind.bindings} - set(catalogue()))
    if unknown:
        return f"binds {', '.join(unknown)}, which this nnconform does not know"
    return ""


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
