"""Which tests run here: those about a framework that is not installed are skipped, in one line."""

from __future__ import annotations

import pytest

from nnconform.adapters import adapter


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "framework(*names): about these frameworks, all of them")
    config.addinivalue_line("markers", "slow: a sweep, or whole runs in processes of their own")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    for name in (name for mark in item.iter_markers("framework") for name in mark.args):
        one = adapter(name)
        if not one.installed():
            pytest.skip(f"{name} is not installed; add it with: pip install {one.requirement}")
