"""A framework of a few lines, found by its entry point, that misbehaves in the tests of `value`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ADAPTER = """
import ctypes, os, signal, sys, time
import numpy as np
from nnconform.adapters.interface import Adapter, bind, surface

if pids := os.environ.get("PLANTED_PIDS"):
    with open(pids, "a") as file:
        file.write(f"{os.getpid()}\\n")


def misbehaving():
    return "test_value" in os.environ.get("PYTEST_CURRENT_TEST", "")


def sound(x):
    with np.errstate(all="ignore"):
        wide = np.float64(x)
        y = 1 / (1 + np.exp(-wide))
        return y if x.dtype.kind in "iub" else y.astype(x.dtype)


def wrong(x):
    y = sound(x)
    return y * np.asarray(1.01, y.dtype)


def older(x):
    return np.maximum(x, 0)


def any_keyword(x, **kwargs):
    if kwargs:
        raise TypeError(f"any_keyword() got an unexpected keyword argument '{next(iter(kwargs))}'")
    return np.maximum(x, 0)


def slow(x):
    time.sleep(0.02)
    return np.maximum(x, 0)


def compiled(f):
    # another mode: the last bit is another one, and not everything can be traced

    def run(*tensors):
        global tracing
        tracing = True
        try:
            y = f(*tensors)
        finally:
            tracing = False
        return np.nextafter(y, y.dtype.type(0.25))

    return run


tracing = False


def traced_elsewhere(x):
    if tracing:
        raise TypeError("cannot be traced")
    return np.tanh(x)


def segfault(x):
    if misbehaving():
        ctypes.string_at(0)
    return np.tanh(x)


def leave(x):
    if misbehaving():
        os._exit(3)
    return np.tanh(x)


def hang(x):
    while misbehaving():
        time.sleep(1)
    return np.tanh(x)


def memory_error(x):
    if misbehaving():
        raise MemoryError("planted")
    return np.tanh(x)


def allocator(x):
    if misbehaving() and x.size > 1:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
    return np.tanh(x)


def bomb(x):
    if misbehaving():
        np.empty(2**60, np.uint8)
    return np.tanh(x)


class PlantedAdapter(Adapter):
    interface = 2
    name = module = "planted"
    requirement = "planted"
    distributions = ("planted",)
    preamble = "import planted"
    modes = {**Adapter.modes, "compiled": "planted.compiled({f})"}
    bindings = surface(
        "planted",
        [
            bind("sigmoid", "sound", "x"),
            bind("sigmoid", "wrong", "x"),
            bind("relu", "slow", "x"),
            bind("softplus", "newer", "x"),
            bind("elu", "older", "x", alpha="alpha"),
            bind("elu", "any_keyword", "x", alpha="alpha"),
            *(
                bind("tanh", name, "x")
                for name in ("traced_elsewhere", "segfault", "leave", "hang", "memory_error", "allocator", "bomb")
            ),
        ],
    )

    def start(self):
        if os.environ.get("PLANTED_START") == "dies":
            print("planted: cannot start", flush=True)
            os._exit(7)

    @property
    def device(self):
        if os.environ.get("PLANTED_START") == "dies early":
            print("planted: no device", flush=True)
            os._exit(7)
        return "cpu"

    def tensor(self, array):
        return array

    def array(self, tensor):
        return np.asarray(tensor)

    def differentiate(self, compute, tensors, wrt, cotangent):
        return compute(tensors), {}, {name: "planted has no gradients" for name in wrt}

    def unsupported(self, error):
        return False

    def source(self, array):
        return repr(array.tolist())

    def print_gradient(self, expression, of):
        return [f"print({expression})"]


class AbsentAdapter(PlantedAdapter):
    name = module = "absent"
    requirement = "absent-framework"


class BrokenAdapter(PlantedAdapter):
    name = "broken"

    def __init__(self):
        raise RuntimeError("planted breakage")
"""

ENTRY_POINTS = """[nnconform.adapters]
planted = planted:PlantedAdapter
absent = planted:AbsentAdapter
broken = planted:BrokenAdapter
"""


def plant(folder: Path) -> dict[str, str]:
    """Put the framework into a folder; the variables with which a process finds it there."""
    distribution = folder / "planted-1.2.3.dist-info"
    distribution.mkdir(parents=True)
    (folder / "planted.py").write_text(ADAPTER, encoding="utf-8")
    (distribution / "METADATA").write_text("Metadata-Version: 2.1\nName: planted\nVersion: 1.2.3\n")
    (distribution / "entry_points.txt").write_text(ENTRY_POINTS)
    path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, "NO_COLOR": "1", "COLUMNS": "120"}


def python(
    *arguments: object, env: Mapping[str, str], cwd: Path, timeout: float = 100
) -> subprocess.CompletedProcess[str]:
    """A Python process that is run to its end."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        env=env,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def nnconform(
    *arguments: object, env: Mapping[str, str], cwd: Path
) -> subprocess.CompletedProcess[str]:
    """The command line."""
    return python("-P", "-m", "nnconform", *arguments, env=env, cwd=cwd)


def run(env: Mapping[str, str], cwd: Path, **options: object) -> subprocess.CompletedProcess[str]:
    """`driver.run` with these options; its exit status, and the driver's modules on stdout."""
    code = (
        "import sys, json\n"
        "from nnconform.conformance.driver import exit_status, run\n"
        f"status = exit_status(run(**json.loads({json.dumps(json.dumps(options))})))\n"
        "print(json.dumps(sorted(sys.modules)))\n"
        "sys.exit(status)\n"
    )
    return python("-P", "-c", code, env=env, cwd=cwd)
