"""nnconform: do a framework's losses and activations compute what they are documented to compute?

The front door. Names are loaded when first used, so that ``import nnconform`` is cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .adapters import adapter as adapter
    from .conformance.baseline import baseline as baseline
    from .conformance.checks.api import CheckFailed as CheckFailed
    from .conformance.checks.api import check_activation as check_activation
    from .conformance.checks.api import check_loss as check_loss
    from .conformance.checks.api import parametrize_checks as parametrize_checks
    from .conformance.comparison import compare as compare
    from .conformance.driver import run as run
    from .conformance.porting.explanation import explain as explain
    from .conformance.porting.explanation import tolerances as tolerances
    from .reference.oracle import oracle as oracle
    from .reference.outcome import Outcome as Outcome
    from .reports.table import load as load

__version__ = "0.1.0"
__all__ = [
    "CheckFailed",
    "Outcome",
    "adapter",
    "baseline",
    "check_activation",
    "check_loss",
    "compare",
    "explain",
    "load",
    "oracle",
    "parametrize_checks",
    "run",
    "tolerances",
]

_HOMES = {
    "CheckFailed": ".conformance.checks.api",
    "Outcome": ".reference.outcome",
    "adapter": ".adapters",
    "baseline": ".conformance.baseline",
    "check_activation": ".conformance.checks.api",
    "check_loss": ".conformance.checks.api",
    "compare": ".conformance.comparison",
    "explain": ".conformance.porting.explanation",
    "load": ".reports.table",
    "oracle": ".reference.oracle",
    "parametrize_checks": ".conformance.checks.api",
    "run": ".conformance.driver",
    "tolerances": ".conformance.porting.explanation",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
