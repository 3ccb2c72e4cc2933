"""Which parameter of which function each surface can be given, and what it does where it cannot."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..adapters.interface import DTYPE, Adapter, Binding
from ..reference import catalogue
from ..reference.function import Domain
from .audit import reviewed

if TYPE_CHECKING:
    import pandas as pd

#: of the table that :func:`reach` gives: one row a function, parameter and surface
COLUMNS = ("function", "parameter", "domain", "default", "surface", "reach")


def reach(frameworks: Iterable[Adapter]) -> pd.DataFrame:
    """For each function, parameter (or optional input) and surface that offers the function, how
    the surface's callables can be given it: by which keyword, or what it is instead."""
    import pandas as pd

    bindings = [binding for one in frameworks for binding in one.bindings]
    rows = []
    for function in catalogue().values():
        own = [b for b in bindings if b.function == function.name]
        listed: list[tuple[str, str, str]] = [
            (name, "a tensor, optional", "none")
            for name, spec in function.inputs.items()
            if spec.optional
        ]
        if any(b.reaches("sample_weight") for b in own):
            listed.append(("sample_weight", "a tensor, optional", "none"))
        listed += [
            (name, domain_of(p.domain), _value(p.default))
            for name, p in function.parameters.items()
        ]
        for name, domain, default in listed:
            for surface in dict.fromkeys(b.surface.name for b in own):
                here = [b for b in own if b.surface.name == surface]
                rows.append(
                    (function.name, name, domain, default, surface, _cell(here, name, default))
                )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def domain_of(domain: Domain) -> str:
    """A domain in words."""
    words = {"dialect": "set by the surface", "axis": "any axis"}
    return words.get(domain.name, str(domain))


def _cell(bindings: Iterable[Binding], name: str, default: str) -> str:
    """What the callables of one surface take, or which options of theirs stand for which value."""
    found: dict[str, str] = {}
    for binding in bindings:
        options = (f"{k}={v!r}" for k, v in binding.fixed.items() if v is not DTYPE)
        found.setdefault(_reached(binding, name, default), ", ".join(options))
    if len(found) == 1:
        return next(iter(found))
    return "; ".join(
        f"{text.removeprefix('always ')} with `{options}`"
        if options
        else text.removeprefix("always ")
        for text, options in found.items()
    )


def _reached(binding: Binding, name: str, default: str) -> str:
    if name in binding.keywords and binding.expression:
        return "in the formula"
    if name in binding.keywords:
        return f"`{binding.keywords[name]}`"
    if name in binding.state:
        return f"`.{binding.state[name]}`"
    if name in binding.args:
        return "by position"
    dialect = binding.dialect
    if callable(dialect):
        return _summary(dialect)
    if name in dialect:
        value = dialect[name]
        return _summary(value) if callable(value) else f"always {_value(value)}"
    return f"always {default}"


def _summary(told: Any) -> str:
    """The first line of what a dialect says of itself."""
    return str(told.__doc__).partition("\n")[0].rstrip(".").replace("``", "`")


def _value(value: Any) -> str:
    return "none" if value is None else f"`{value!r}`"


def left_out(frameworks: Iterable[Adapter]) -> pd.DataFrame:
    """The parameters of bound callables that no binding is to reach, and why."""
    import pandas as pd

    rows = [
        (entry.surface, ", ".join(entry.callables), ", ".join(entry.names), entry.reason)
        for one in frameworks
        for entry in reviewed(one.variant_of or one.name).parameters
    ]
    return pd.DataFrame(rows, columns=["surface", "callables", "parameters", "reason"])
