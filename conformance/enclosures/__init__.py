"""A second, independent definition of every function and gradient, with rigorous enclosures.

Needs the extra ``certify`` (python-flint); nothing outside this package imports it unasked.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec


def available() -> bool:
    """Whether python-flint is installed, beside a Python on which the definitions run."""
    return sys.version_info >= (3, 10) and find_spec("flint") is not None
