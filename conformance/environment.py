"""The fingerprint of an environment: everything that a run's numbers may depend on."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

#: the version of environment.json
SCHEMA = 1
#: distributions that take part in a measurement, besides the frameworks'
PACKAGES = ("numpy", "ml_dtypes", "hypothesis", "pytest", "python-flint")
#: variables that change what a framework computes
VARIABLES = ("KERAS_BACKEND", "TF_ENABLE_ONEDNN_OPTS", "ONEDNN_MAX_CPU_ISA", "XLA_FLAGS")


def describe(frameworks: str | None = None) -> dict[str, Any]:
    """The fingerprint of this environment, without importing any framework.

    ``frameworks`` (comma-separated; all that are judged by default) holds what is known of each: its
    functions, modes and distributions, or, of one that is not installed or is ``broken``, why, as
    ``status``.
    Raises UsageError for unknown names.
    """
    from .. import __version__
    from ..adapters import adapter
    from ..reference.floats import describe_longdouble, offered
    from ..reference.outcome import in_a_line
    from .cases import fingerprint
    from .error import BOUND
    from .selection import broken, find, match_frameworks

    named = match_frameworks(frameworks)
    here, missing = find(named)
    unusable = broken(named)
    facts: dict[str, dict[str, str]] = {}
    for one in here[:]:
        try:
            facts[one.name] = dict(one.facts())
        except Exception as error:
            why = in_a_line(error)
            missing[one.name] = unusable[one.name] = f"adapter {one.name!r} has no facts: {why}"
            here.remove(one)
    beneath = [adapter(one.computes_with) for one in here if one.computes_with]
    distributions = [name for one in (*here, *beneath) for name in one.distributions]
    return {
        "nnconform": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": cpu(),
        "longdouble": describe_longdouble(),
        "packages": _versions([*distributions, *PACKAGES]),
        "variables": {name: os.environ[name] for name in VARIABLES if name in os.environ},
        "bound": BOUND,
        "corpus": fingerprint(),
        "dtypes": list(offered()),
        "frameworks": {
            name: {
                "version": None,
                "status": missing[name],
                **({"broken": True} if name in unusable else {}),
            }
            if name in missing
            else {
                "version": adapter(name).version,
                "status": "installed",
                "functions": sorted({b.function for b in adapter(name).bindings}),
                "distributions": list(adapter(name).distributions),
                "modes": list(adapter(name).modes),
                **({"facts": facts[name]} if facts[name] else {}),
            }
            for name in named
        },
    }


def recorded(facts: dict[str, Any]) -> dict[str, Any]:
    """What of a description a run keeps in environment.json."""
    kept = ("version", "status", "distributions", "broken", "facts")
    frameworks = {
        name: {k: entry[k] for k in kept if k in entry}
        for name, entry in facts["frameworks"].items()
    }
    return {**facts, "frameworks": frameworks}


def cpu() -> str:
    """The processor's model."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def memory() -> int:
    """The bytes of memory that there are for us: the machine's, or our control group's."""
    try:
        physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0
    try:
        return min(physical, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    except (OSError, ValueError):
        return physical


def processors() -> int:
    """The processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _versions(distributions: Sequence[str]) -> dict[str, str]:
    found = {}
    for name in distributions:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


if __name__ == "__main__":
    from .selection import UsageError

    try:
        print(json.dumps(describe(*sys.argv[1:])))
    except UsageError as error:
        print(json.dumps({"usage": str(error)}))
