"""Tests that are about frameworks, where they are installed."""

from __future__ import annotations

from typing import Any

import pytest


def each(*names: str) -> list[Any]:
    """The frameworks as parameters of a test, which is skipped for those that are not installed."""
    return [pytest.param(name, marks=pytest.mark.framework(name)) for name in names]
