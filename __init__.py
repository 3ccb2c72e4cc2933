"""nnconform: do a framework's losses and activations compute what they are documented to compute?

The front door. Names are loaded when first used, so that ``import nnconform`` is cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .adapters import adapter as adapter
    from .conformance.baseline import baseline as baseline
    from .conformance.comparison import compare as compare
    from .conformance.driver import run as run
    from .conformance.porting.explanation import explain as explain
    from .conformance.porting.explanation import tolerances as tolerances
    from .reference.oracle import oracle as oracle
    from .reference.outcome import Outcome as Outcome
    from .reports.table import load as load

__version__ = "0.1.0"
__all__ = [
    "Outcome",
    "adapter",
    "baseline",
    "compare",
    "explain",
    "load",
    "oracle",
    "run",
    "tolerances",
]

_HOMES = {
    "Outcome": ".reference.outcome",
    "adapter": ".adapters",
    "baseline": ".conformance.baseline",
    "compare": ".conformance.comparison",
    "explain": ".conformance.porting.explanation",
    "load": ".reports.table",
    "oracle": ".reference.oracle",
    "run": ".conformance.driver",
    "tolerances": ".conformance.porting.explanation",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
