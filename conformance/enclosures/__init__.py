"""A second, independent definition of every function and gradient, with rigorous enclosures.

Needs the extra ``certify`` (python-flint); nothing outside this package imports it unasked.
"""

from __future__ import annotations

from importlib.util import find_spec


def available() -> bool:
    """Whether python-flint is installed."""
    return find_spec("flint") is not None
