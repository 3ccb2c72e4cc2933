"""Another interpreter's environment is judged without nnconform in it; one line where it cannot."""

from __future__ import annotations

import os
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from nnconform import load
from nnconform.conformance.interpreter import interpreter
from nnconform.conformance.selection import UsageError

from .planting import nnconform, plant, python, run

pytestmark = pytest.mark.slow

SELECTION = {"functions": "sigmoid,elu", "dtypes": "float32", "profile": "quick"}


def environment(folder: Path, *, own_packages: bool) -> Path:
    """A virtual environment, with our packages or none: its interpreter."""
    venv.create(folder, with_pip=False)
    places = {"base": str(folder), "platbase": str(folder)}
    site = Path(sysconfig.get_path("purelib", "venv", places))
    if own_packages:
        (site / "packages.pth").write_text(sysconfig.get_path("purelib"))
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return plant(tmp_path_factory.mktemp("planted"))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return environment(tmp_path_factory.mktemp("other"), own_packages=True)


def test_it_measures_the_same(env: dict[str, str], other: Path, tmp_path: Path) -> None:
    tables = []
    for name, where in (("own", {}), ("other", {"python": str(other)})):
        done = run(env, tmp_path, frameworks="planted", out=name, **SELECTION, **where)
        assert done.returncode == 1, done.stderr
        tables.append((tmp_path / name / "measurements.csv").read_text())
    assert tables[0] == tables[1]
    assert tables[0].count("unsupported") == 10
    assert load(tmp_path / "other").environment["notes"] == []


def test_it_sees_our_package_and_nothing_else(other: Path) -> None:
    with interpreter(other) as judge:
        shown = Path(judge.showing)
        assert [path.name for path in shown.iterdir()] == ["nnconform"]
        code = "import nnconform, sys; print(nnconform.__file__, 'click' in sys.modules)"
        done = python("-c", code, env=judge.variables(), cwd=shown)
    assert done.stdout.split() == [str(shown / "nnconform" / "__init__.py"), "False"]


def test_without_ml_dtypes_bfloat16_is_left_out(
    env: dict[str, str], other: Path, tmp_path: Path
) -> None:
    hidden = Path(env["PYTHONPATH"].split(os.pathsep)[0]) / "sitecustomize.py"
    hidden.write_text(
        "import sys, importlib.abc\n"
        "class Hide(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'ml_dtypes':\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Hide())\n"
        "import importlib.util\n"
        "found = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda n, *a: None if n == 'ml_dtypes' else found(n, *a)\n"
    )
    try:
        options = ("--functions", "sigmoid", "--profile", "quick", "--python", str(other))
        done = nnconform("run", "--frameworks", "planted", *options, env=env, cwd=tmp_path)
        refused = nnconform(
            "run",
            "--frameworks",
            "planted",
            *options,
            "--dtypes",
            "bfloat16",
            env=env,
            cwd=tmp_path,
        )
    finally:
        hidden.unlink()
    made = load(tmp_path / "nnconform-run")
    note = (
        f"bfloat16 is left out: {other} lacks ml_dtypes; add with: {other} -m pip install ml_dtypes"
    )
    assert made.environment["notes"] == [note]
    assert note in done.stderr
    assert set(made.table["dtype"]) == {"float16", "float32", "float64"}
    assert refused.returncode == 2
    assert refused.stderr.strip().count("\n") == 0
    assert "ml_dtypes" in refused.stderr


def test_an_environment_that_lacks_what_workers_need(tmp_path: Path) -> None:
    bare = environment(tmp_path / "bare", own_packages=False)
    with pytest.raises(UsageError) as raised, interpreter(bare):
        pass
    assert str(raised.value) == (
        f"--python {bare} lacks numpy, hypothesis, pytest; "
        f"add with: {bare} -m pip install numpy hypothesis pytest"
    )


@pytest.mark.skipif(sys.platform == "win32", reason="scripts are no programs there")
@pytest.mark.parametrize(
    ("script", "said"),
    [
        (None, "does not exist"),
        ("folder", "is a folder"),
        ("#!/bin/sh\necho hello\n", "is no Python interpreter"),
        ("no program", "is no Python interpreter"),
        ("#!/bin/sh\necho '[[3, 8, 18], {}]'\n", "is Python 3.8.18; 3.9 or newer"),
        (
            """#!/bin/sh\necho '[[3, 9, 1], {"numpy": "1.20", "hypothesis": "6.150"}]'\n""",
            "lacks numpy>=1.24, pytest; add with: ",
        ),
    ],
)
def test_wrong_interpreters(tmp_path: Path, script: str | None, said: str) -> None:
    path = tmp_path / "python"
    if script == "folder":
        path.mkdir()
    elif script is not None:
        path.write_text(script)
        path.chmod(0o755)
    with pytest.raises(UsageError, match=rf"^--python {path} {said}") as raised, interpreter(path):
        pass
    assert "\n" not in str(raised.value)


def test_the_command_says_so_in_one_line(env: dict[str, str], tmp_path: Path) -> None:
    done = nnconform("run", "--python", "/no/such/python", env=env, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        "nnconform: --python /no/such/python does not exist; "
        "name an interpreter, such as .venv/bin/python\n"
    )
    assert not (tmp_path / "nnconform-run").exists()
