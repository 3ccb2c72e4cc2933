"""What runs in a worker, beside the framework: old Pythons can, and nothing heavy is needed."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import nnconform
from nnconform.conformance import cases
from nnconform.conformance.interpreter import OLDEST, interpreter
from nnconform.conformance.selection import UsageError

from .planting import plant, python

ROOT = Path(nnconform.__file__).parent
#: what runs in the driver alone, where there is Python 3.11, or needs python-flint
ELSEWHERE = {
    *("against", "answers", "baseline", "comparison", "signatures"),
    *("certificate", "cli", "driver", "environments", "interpreter", "upgrade"),
    "hard_points",
}
WORKERS = [
    ROOT / "__init__.py",
    *sorted((ROOT / "reference").glob("*.py")),
    *sorted((ROOT / "adapters").rglob("*.py")),
    *sorted(p for p in (ROOT / "conformance").glob("*.py") if p.stem not in ELSEWHERE),
    ROOT / "conformance" / "enclosures" / "__init__.py",
]
HEAVY = ("pandas", "jinja2", "rich", "click", "ml_dtypes", "flint")


def modules() -> list[str]:
    names = (".".join(["nnconform", *p.relative_to(ROOT).with_suffix("").parts]) for p in WORKERS)
    return [name.removesuffix(".__init__") for name in names]


@pytest.mark.parametrize("path", WORKERS, ids=lambda p: str(p.relative_to(ROOT)))
def test_the_oldest_python_can_read_it(path: Path) -> None:
    ast.parse(path.read_text(encoding="utf-8"), str(path), feature_version=OLDEST)


#: hides distributions as if they were not installed
HIDING = f"""
import importlib.abc, importlib.util, sys
HIDDEN = {HEAVY}
class Hide(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in HIDDEN:
            raise ModuleNotFoundError(f"hidden: {{name}}")
sys.meta_path.insert(0, Hide())
found = importlib.util.find_spec
importlib.util.find_spec = lambda n, *a: None if n in HIDDEN else found(n, *a)
"""


@pytest.mark.slow
def test_a_worker_needs_numpy_pytest_and_hypothesis_alone(tmp_path: Path) -> None:
    env = plant(tmp_path / "planted")
    (tmp_path / "planted" / "sitecustomize.py").write_text(HIDING)
    selection = ("--frameworks", "planted", "--functions", "sigmoid")
    done = python(
        *("-m", "pytest", "--pyargs", "nnconform.conformance", *selection),
        *("--hypothesis-profile", "nnconform-quick"),
        env=env,
        cwd=tmp_path,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "failed" in done.stdout
    assert "hidden" not in done.stdout
    assert "bfloat16 is left out" in done.stdout
    assert "bfloat16]" not in done.stdout


def others() -> Iterator[str]:
    """Interpreters of other versions, where there are any: NNCONFORM_PYTHONS names more."""
    for minor in range(OLDEST[1], 15):
        if minor != sys.version_info[1] and (found := shutil.which(f"python3.{minor}")):
            yield found
    yield from filter(None, os.environ.get("NNCONFORM_PYTHONS", "").split(os.pathsep))


@pytest.mark.parametrize(
    "path", list(others()) or [pytest.param("", marks=pytest.mark.skip("no other Python"))]
)
def test_another_python_imports_it_and_makes_the_same_corpus(path: str) -> None:
    code = (
        "import importlib, sys\n"
        f"for name in {modules()}:\n"
        "    if '.test_' not in name:\n"
        "        importlib.import_module(name)\n"
        "from nnconform.conformance.cases import fingerprint\n"
        "print(fingerprint())\n"
    )
    try:
        with interpreter(path) as judge:
            done = subprocess.run(
                judge.command("-c", code),
                env=judge.variables(),
                cwd=judge.showing,
                capture_output=True,
                text=True,
            )
    except UsageError as reason:
        pytest.skip(str(reason))
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == cases.fingerprint()
