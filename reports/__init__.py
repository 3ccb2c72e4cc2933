"""Tables, reports and comparisons: everything that is done with measurements once they exist.

This folder sees tables alone: it imports no framework and runs no case. Importing it costs
nothing; pandas, Rich and Jinja2 are imported by the functions that need them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .page import html, write_reports
    from .render import markdown, terminal
    from .table import (
        COLUMNS,
        KEY,
        UNEXPECTED,
        VERDICTS,
        Run,
        RunError,
        gather,
        journal,
        load,
        matrix,
        summary,
        tabulate,
        unexpected,
        write,
    )

__all__ = [
    "COLUMNS",
    "KEY",
    "UNEXPECTED",
    "VERDICTS",
    "Run",
    "RunError",
    "gather",
    "html",
    "journal",
    "load",
    "markdown",
    "matrix",
    "summary",
    "tabulate",
    "terminal",
    "unexpected",
    "write",
    "write_reports",
]

_PARTS = {"html": ".page", "write_reports": ".page", "markdown": ".render", "terminal": ".render"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(_PARTS.get(name, ".table"), __name__)
    return getattr(module, name)


def __dir__() -> list[str]:
    return __all__
