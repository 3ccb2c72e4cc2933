"""Isolated environments of pinned distributions: built once, kept, and used again.

An environment lies in the cache under a name that its requirements and its interpreter's version
determine. It is built beside it and moved there when it is complete.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from .interpreter import NEEDS, OLDEST, version_of
from .selection import UsageError

__all__ = ["build", "cache", "complete", "pins"]

#: what a Keras of at least that version is put on, where nothing is said: the newest TensorFlow on
#: which it was found to import and to compute (Python 3.11, Linux)
BACKENDS = (
    ("3.12", "tensorflow-cpu==2.21.*"),
    ("3.10", "tensorflow-cpu==2.20.*"),
    ("3.5", "tensorflow-cpu==2.19.*"),
    ("3.2", "tensorflow-cpu==2.17.*"),
    ("3.0", "tensorflow-cpu==2.16.*"),
    ("0", "tensorflow-cpu==2.15.*"),
)

#: distributions whose ordinary wheels bring what is only of use to an accelerator
ON_CPU = {"tensorflow": "tensorflow-cpu"}
#: distributions that are judged together: what comes with one of them where nothing is said
BESIDE = {"jax": "optax"}
#: distributions that are a backend of Keras
KERAS_BACKENDS = {"tensorflow", "tensorflow-cpu", "tensorflow-intel", "torch", "jax"}


def pins(text: str) -> list[Requirement]:
    """The requirements in a text, separated by commas or spaces.

    Raises UsageError for what is no requirement.
    """
    parts: list[str] = []
    for part in filter(None, re.split(r"[,\s]+", text)):
        if parts and part[0] in "<>=!~":
            parts[-1] += f",{part}"  # a further condition on the same distribution
        else:
            parts.append(part)
    try:
        found = [Requirement(part) for part in parts]
    except InvalidRequirement as error:
        reason = str(error).splitlines()[0]
        raise UsageError(
            f"{text!r} cannot be read ({reason}); pins such as 'keras==3.9.2' are accepted"
        ) from None
    if not found:
        raise UsageError("an empty requirement; pins such as 'keras==3.9.2' are accepted")
    return found


def complete(requirements: Sequence[Requirement]) -> list[str]:
    """The requirements as they are installed: for the CPU, Keras with a backend, JAX with Optax."""
    named = {canonicalize_name(r.name): r for r in requirements}
    wanted = [str(r).replace(r.name, ON_CPU.get(name, r.name), 1) for name, r in named.items()]
    keras = named.get(canonicalize_name("keras"))
    if keras is not None and not KERAS_BACKENDS & set(named):
        wanted.append(_backend(keras))
    wanted += [other for name, other in BESIDE.items() if name in named and other not in named]
    return sorted(wanted)


def _backend(keras: Requirement) -> str:
    """What a Keras is put on."""
    version = next((s.version for s in keras.specifier if s.operator in ("==", "===", "~=")), "")
    try:
        release = Version(version.removesuffix(".*")).release
    except InvalidVersion:  # any version will do, so the newest
        return BACKENDS[0][1]
    return next(backend for since, backend in BACKENDS if release >= Version(since).release)


def cache() -> Path:
    """The folder where environments are kept: NNCONFORM_CACHE, or the user's cache."""
    if own := os.environ.get("NNCONFORM_CACHE"):
        return Path(own).expanduser().absolute()
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    elif sys.platform == "darwin":
        base = "~/Library/Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "nnconform"


def build(requirements: Sequence[str], python: str | os.PathLike[str] | None = None) -> Path:
    """An environment that holds the requirements and what a worker needs: its interpreter.

    ``python`` is the interpreter that it is made with; this one by default. An environment that was
    built before is used again.

    Raises UsageError with the installer's reason where it cannot be built.
    """
    base = os.fspath(python) if python is not None else sys.executable
    version = version_of(base)
    if version < OLDEST:
        raise UsageError(
            f"--python {base} is Python {'.'.join(map(str, version))}; "
            f"{'.'.join(map(str, OLDEST))} or newer can run nnconform's workers"
        )
    wanted = [*sorted(requirements), *_beside(version)]
    key = json.dumps([wanted, version, sysconfig.get_platform()])
    digest = hashlib.sha256(key.encode()).hexdigest()[:12]
    label = re.sub(r"[^\w.]+", "-", "-".join(sorted(requirements)))[:60]
    folder = cache() / "environments" / f"{label}-py{version[0]}.{version[1]}-{digest}"
    if (here := _python(folder)).exists():
        return here
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".building-", dir=folder.parent))
    except OSError as error:
        raise UsageError(
            f"{folder.parent} cannot be written: {error.strerror}; "
            "NNCONFORM_CACHE names another folder"
        ) from None
    try:
        _install(base, draft / "env", wanted, " ".join(requirements))
        if folder.exists():  # broken: its interpreter is gone
            shutil.rmtree(folder, ignore_errors=True)
        try:
            (draft / "env").rename(folder)
        except OSError:
            if not here.exists():  # else somebody else was faster
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return here


def _beside(version: tuple[int, ...]) -> list[str]:
    """What a worker needs: of the versions that we have, where the Python is the same.

    So that two environments draw the same numbers.
    """
    if version[:2] != sys.version_info[:2]:
        return [*(f"{name}>={least}" for name, least in NEEDS.items()), "ml_dtypes"]
    own = [f"{name}=={importlib.metadata.version(name)}" for name in ("hypothesis", "pytest")]
    return [*own, f"numpy>={NEEDS['numpy']}", "ml_dtypes"]


def _install(base: str, folder: Path, wanted: Sequence[str], named: str) -> None:
    uv = _uv()
    inside = str(_python(folder))
    if uv:
        make = [*uv, "venv", "--quiet", "--python", base, str(folder)]
        install = [*uv, "pip", "install", "--quiet", "--python", inside, *wanted]
    else:
        make = [base, "-m", "venv", str(folder)]
        quiet = ("--quiet", "--disable-pip-version-check", "--no-input")
        install = [inside, "-m", "pip", "install", *quiet, *wanted]
    # with it an enclosure decides at kinks and on what would fail; without it all else goes on
    adjudicate = [*install[: -len(wanted)], "--only-binary=:all:", "python-flint"]
    for command in (make, install, adjudicate):
        done = subprocess.run(command, capture_output=True, text=True, errors="replace")
        if done.returncode and command is not adjudicate:
            said = _last_words(f"{done.stdout}\n{done.stderr}")
            raise UsageError(f"an environment with {named} cannot be built: {said}")


def _uv() -> list[str]:
    if found := shutil.which("uv"):
        return [found]
    return [sys.executable, "-m", "uv"] if find_spec("uv") else []


def _python(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def _last_words(text: str) -> str:
    """The installer's own last meaningful line; of a version that there is none of, what there is."""
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"(ERROR|error|cause|×|╰─▶)", line)]
    chosen = (errors or lines or ["no reason given"])[-1]
    missing = [line for line in errors if "from versions:" in line]
    if missing:
        what, _, versions = missing[-1].partition("(from versions:")
        newest = versions.rstrip(") ").split(",")[-5:]
        chosen = f"{what.strip()} (the last of them: {', '.join(v.strip() for v in newest)})"
    return re.sub(r"^(ERROR:|error:|cause:|×|╰─▶)\s*", "", chosen)[:400]
