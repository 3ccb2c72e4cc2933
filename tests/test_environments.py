"""Environments of pinned distributions: read, completed, built once, kept."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from nnconform.conformance import environments
from nnconform.conformance.environments import build, cache, complete, pins
from nnconform.conformance.selection import UsageError


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("keras==3.9.2", ["keras==3.9.2"]),
        ("jax==0.6.2,jaxlib==0.6.2", ["jax==0.6.2", "jaxlib==0.6.2"]),
        ("torch==2.13.0 keras", ["torch==2.13.0", "keras"]),
        ("keras>=3.1,<3.2, numpy", ["keras<3.2,>=3.1", "numpy"]),
    ],
)
def test_pins(text: str, read: list[str]) -> None:
    assert [str(r) for r in pins(text)] == read


@pytest.mark.parametrize("text", ["keras=3.9", "==3.9", "", " , "])
def test_what_is_no_pin(text: str) -> None:
    with pytest.raises(UsageError, match=r"'keras==3\.9\.2' are accepted") as raised:
        pins(text)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "installed"),
    [
        ("keras==3.3.3", ["keras==3.3.3", "tensorflow-cpu==2.17.*"]),
        ("keras==3.0.5", ["keras==3.0.5", "tensorflow-cpu==2.16.*"]),
        ("keras==2.15.0", ["keras==2.15.0", "tensorflow-cpu==2.15.*"]),
        ("keras", ["keras", environments.BACKENDS[0][1]]),
        ("keras==3.9.2,torch==2.13.0", ["keras==3.9.2", "torch==2.13.0"]),
        ("keras==3.9.2 tensorflow==2.18.0", ["keras==3.9.2", "tensorflow-cpu==2.18.0"]),
        ("tensorflow==2.18.0", ["tensorflow-cpu==2.18.0"]),
        ("torch==2.13.0", ["torch==2.13.0"]),
        ("jax==0.5.3", ["jax==0.5.3", "optax"]),
        ("jax==0.5.3,optax==0.2.4", ["jax==0.5.3", "optax==0.2.4"]),
        ("optax==0.2.5", ["optax==0.2.5"]),  # which requires JAX
    ],
)
def test_companions(text: str, installed: list[str]) -> None:
    assert complete(pins(text)) == installed


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NNCONFORM_CACHE", str(tmp_path))
    return tmp_path


def test_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NNCONFORM_CACHE", str(tmp_path))
    assert cache() == tmp_path
    monkeypatch.delenv("NNCONFORM_CACHE")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache() == tmp_path / "nnconform"


class Installer:
    """Stands in for uv and pip: makes the folder, or fails."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.fails = ""

    def __call__(self, base: str, folder: Path, wanted: Sequence[str], named: str) -> None:
        self.calls.append(list(wanted))
        python = environments._python(folder)
        python.parent.mkdir(parents=True)
        if self.fails:
            raise UsageError(self.fails)
        python.write_text("")


@pytest.fixture
def installer(monkeypatch: pytest.MonkeyPatch) -> Installer:
    made = Installer()
    monkeypatch.setattr(environments, "_install", made)
    return made


def test_an_environment_is_built_once(own_cache: Path, installer: Installer) -> None:
    first = build(["keras==3.9.2", "numpy<2"])
    assert build(["numpy<2", "keras==3.9.2"]) == first
    assert len(installer.calls) == 1
    assert {"numpy<2", "keras==3.9.2", "ml_dtypes"} < set(installer.calls[0])
    assert build(["keras==3.9.2"]) != first
    first.unlink()  # its interpreter is gone: a broken one is not used
    assert build(["keras==3.9.2", "numpy<2"]) == first
    assert first.exists()
    assert len(installer.calls) == 3


def test_a_half_built_one_is_not_used(own_cache: Path, installer: Installer) -> None:
    installer.fails = "no keras==9.9"
    with pytest.raises(UsageError, match=r"^no keras==9\.9$"):
        build(["keras==9.9"])
    assert list((own_cache / "environments").iterdir()) == []
    installer.fails = ""
    assert build(["keras==9.9"]).exists()


@pytest.mark.slow
def test_a_version_that_does_not_exist(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setattr(environments, "_uv", list)
    with pytest.raises(UsageError) as raised:
        build(["no-such-distribution==1.2.3"])
    said = str(raised.value)
    assert said.startswith("an environment with no-such-distribution==1.2.3 cannot be built: ")
    assert "no-such-distribution==1.2.3" in said.partition("built: ")[2]
    assert "\n" not in said
    assert list((own_cache / "environments").iterdir()) == []


def test_what_the_installer_says_last() -> None:
    pip = (
        "ERROR: Could not find a version that satisfies the requirement keras==9.9 "
        "(from versions: 3.0.0, 3.1.0, 3.2.0, 3.3.0, 3.4.0, 3.5.0)\n"
        "ERROR: No matching distribution found for keras==9.9\n\n[notice] A new release of pip\n"
    )
    assert environments._last_words(pip) == (
        "Could not find a version that satisfies the requirement keras==9.9 "
        "(the last of them: 3.1.0, 3.2.0, 3.3.0, 3.4.0, 3.5.0)"
    )
    uv = (
        "error: No solution found when resolving dependencies\n"
        "  cause: Because there is no version of keras==9.9 and you require keras==9.9, we can …\n"
    )
    assert environments._last_words(uv).startswith("Because there is no version of keras==9.9")
    older = (
        "  × No solution found:\n  ╰─▶ Because there is no version of keras==9.9\n      and so\n"
    )
    assert environments._last_words(older) == "Because there is no version of keras==9.9"
    assert environments._last_words("") == "no reason given"


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o500)
    monkeypatch.setenv("NNCONFORM_CACHE", str(tmp_path / "cache"))
    with pytest.raises(UsageError, match="NNCONFORM_CACHE names another folder"):
        build(["keras==3.9.2"])
