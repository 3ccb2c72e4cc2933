"""The Python in which frameworks are judged: this one, or that of an environment without nnconform.

What runs there is this package, shown to it by a folder on its path that holds nothing else: what
is installed beside us stays out of an environment that is judged.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.version import Version

from .selection import UsageError

#: what a worker needs, and from which version
NEEDS = {"numpy": "1.24", "hypothesis": "6.100", "pytest": "8.0"}
OLDEST = (3, 9)

#: understood by every Python since 2.6
_PROBE = """
import json, sys
found = {}
try:
    from importlib.metadata import version
    for name in sys.argv[1:]:
        try:
            found[name] = version(name)
        except Exception:
            pass
except ImportError:
    pass
print(json.dumps([list(sys.version_info[:3]), found]))
"""


@dataclass(frozen=True)
class Interpreter:
    """A Python that can run our workers."""

    path: str
    #: the folder that shows it our package, also where it is to be started; "" for this Python
    showing: str = ""

    def command(self, *arguments: str) -> list[str]:
        """The command line of a process; it finds no modules in the folder where it is started."""
        return [self.path, *(() if self.showing else ("-P",)), *arguments]

    def variables(self, inherited: Mapping[str, str] = os.environ) -> dict[str, str]:
        """The environment variables of a process."""
        path = inherited.get("PYTHONPATH", "")
        ours = {"PYTHONPATH": os.pathsep.join(filter(None, [self.showing, path]))}
        return {**inherited, **(ours if self.showing else {})}

    def describe(self, frameworks: str | None) -> dict[str, Any]:
        """:func:`.environment.describe` of that Python's environment.

        Raises UsageError for frameworks that are unknown there.
        """
        from . import environment

        if not self.showing:
            return environment.describe(frameworks)
        done = subprocess.run(
            self.command("-m", environment.__name__, *([frameworks] if frameworks else [])),
            capture_output=True,
            text=True,
            encoding="utf-8",
            cwd=self.showing,
            env={**self.variables(), "PYTHONIOENCODING": "utf-8"},
        )
        lines = done.stdout.strip().splitlines() or ["null"]
        answer = json.loads(lines[-1]) if done.returncode == 0 else None
        if not isinstance(answer, dict):
            reason = (done.stderr.strip() or "no answer").splitlines()[-1]
            raise UsageError(f"--python {self.path} cannot run nnconform's workers: {reason}")
        if "usage" in answer:
            raise UsageError(f"in {self.path}: {answer['usage']}")
        return answer


@contextlib.contextmanager
def interpreter(python: str | os.PathLike[str]) -> Iterator[Interpreter]:
    """The Python of that path, or of that name on PATH, ready to run workers.

    Raises UsageError where it is none, is too old, or lacks what a worker needs.
    """
    path = shutil.which(os.fspath(python)) or os.path.abspath(os.path.expanduser(python))
    if os.path.abspath(path) == os.path.abspath(sys.executable):
        yield Interpreter(sys.executable)
        return
    path = os.path.abspath(path)  # not resolved: that of an environment is a link to another
    with tempfile.TemporaryDirectory(prefix="nnconform-") as folder:
        _show(Path(folder))
        version, found = _probe(path, folder)
        if version < OLDEST:
            raise UsageError(
                f"--python {path} is Python {'.'.join(map(str, version))}; "
                f"{'.'.join(map(str, OLDEST))} or newer can run nnconform's workers"
            )
        lacking = [
            name if name not in found else f"{name}>={least}"
            for name, least in NEEDS.items()
            if name not in found or Version(found[name]) < Version(least)
        ]
        if lacking:
            raise UsageError(
                f"--python {path} lacks {', '.join(lacking)}; add with: "
                f"{path} -m pip install {' '.join(map(_quoted, lacking))}"
            )
        yield Interpreter(path, folder)


def version_of(python: str | os.PathLike[str]) -> tuple[int, ...]:
    """The version of a Python interpreter. Raises UsageError where it is none."""
    path = shutil.which(os.fspath(python)) or os.path.abspath(os.path.expanduser(python))
    return _probe(path, tempfile.gettempdir())[0]


def _probe(path: str, folder: str) -> tuple[tuple[int, ...], dict[str, str]]:
    """A Python's version, and those of what a worker needs."""
    example = "name an interpreter, such as .venv/bin/python"
    if os.path.isdir(path):
        raise UsageError(f"--python {path} is a folder; {example}")
    if not os.path.exists(path):
        raise UsageError(f"--python {path} does not exist; {example}")
    command = [path, "-c", _PROBE, *NEEDS]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=folder, timeout=120, errors="replace"
        )
        version, found = json.loads(done.stdout)
        return tuple(version), found
    except (OSError, ValueError, TypeError, subprocess.TimeoutExpired):
        raise UsageError(f"--python {path} is no Python interpreter; {example}") from None


def _show(folder: Path) -> None:
    """Make our package, and nothing else, importable from a folder."""
    package = Path(__file__).resolve().parents[1]
    try:
        (folder / "nnconform").symlink_to(package, target_is_directory=True)
    except OSError:  # Windows, without the privilege
        for part in ("reference", "adapters", "conformance"):
            shutil.copytree(package / part, folder / "nnconform" / part)
        shutil.copy(package / "__init__.py", folder / "nnconform")


def _quoted(requirement: str) -> str:
    return f"'{requirement}'" if ">" in requirement else requirement
