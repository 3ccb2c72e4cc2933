"""Adapters of other packages: good ones are judged beside the others, broken ones are one line each."""

from __future__ import annotations

import os
import re
from pathlib import Path
from subprocess import CompletedProcess

import pytest

import nnconform as front

from .planting import nnconform, python

pytestmark = pytest.mark.slow

GOOD = '''
"""A framework of two functions: NumPy, in float64, without gradients."""

from pathlib import Path

import numpy as np
from nnconform.adapters.interface import Adapter, bind, surface


def tanh(x):
    return np.tanh(x.astype(np.float64)).astype(x.dtype if x.dtype.kind in "fV" else np.float64)


def relu(x):
    return np.where(x > 0, x, np.zeros_like(x))


def softsign(x):
    return x / (1 + abs(x))


class ToyAdapter(Adapter):
    interface = 2
    name = module = requirement = "toy"
    distributions = ("toy",)
    gradients = False
    bindings = surface("toy", [bind("tanh", "tanh", "x"), bind("relu", "relu", "x")])
    preamble = "import ml_dtypes, numpy as np, toy"
    divergences = Path(__file__).with_name("toy.toml")
    left_out = Path(__file__).with_name("toy_left_out.toml")

    def facts(self):
        return {"kernels": "float64"}

    def tensor(self, array):
        return np.array(array)

    def array(self, tensor):
        return np.asarray(tensor)

    def unsupported(self, error):
        return False

    def source(self, array):
        return f"np.array({array.astype(float).tolist()}, '{array.dtype.name}')"
'''

RECORDS = """
[[divergence]]
id = "toy-relu-nan"
surface = "toy"
function = "relu"
aspect = "special"
where = "isnan(x) & (got == 0)"
reason = "bug"
why = "NaN is not above 0, and becomes 0."
"""

LEFT_OUT = """
[[callables]]
surface = "toy"
names = ["Adapter", "Path", "ToyAdapter", "bind", "surface"]
reason = "what the adapter is made of"
"""

#: an adapter of the same framework that differs in one thing
OTHER = """
import numpy as np
from nnconform.adapters.interface import bind, surface
from toy import ToyAdapter


class OtherAdapter(ToyAdapter):
    name = "{name}"
    distributions = ()
    bindings = surface("{name}", [bind("tanh", "tanh", "x")])
    divergences = left_out = None
    lookup = lambda self, path: super().lookup("toy.tanh")
    {what}
"""

FORGETFUL = """
from nnconform.adapters.interface import Adapter

Forgetful = type("Forgetful", (Adapter,), {{
    name: "{name}"
    for name in ("interface", "name", "module", "requirement", "distributions", "bindings", "preamble")
    if name != "{forgotten}"
}} | {{"interface": 2}})
"""

#: by name: what is wrong with an adapter that cannot be loaded, and what is said of it
BROKEN = {
    "unimportable": ("import nowhere", "cannot be loaded: ModuleNotFoundError: No module named"),
    "unfinished": ("bindings = 1 / 0", "cannot be loaded: ZeroDivisionError: division by zero"),
    "older": ("interface = 1", "is written for interface 1; this nnconform has interface 2"),
    "newer": ("interface = 3", "is written for interface 3; this nnconform has interface 2"),
    "unstated": ("interface = None", "states no interface; this nnconform has interface 2"),
    "misnamed": ("name = 'another'", "calls itself 'another'; its entry point must have that name"),
    "future": (
        "bindings = surface('toy', [bind('hypertanh', 'tanh', 'x')])",
        "binds hypertanh, which this nnconform does not know",
    ),
}
#: of one that forgot to state something, what it forgot
FORGOTTEN = ("module", "requirement", "distributions", "preamble", "bindings", "name")
#: and with one whose unfitness shows when it is at work
UNFIT = {
    # float64 that silently becomes float32, as in a framework that was not told to have 64 bits
    "narrow": (
        "tensor = lambda self, a: a.astype('f4') if a.dtype == 'f8' and a.max() < 9 else np.array(a)",
        "cannot be judged: TypeError: array(tensor(a)) is float32 of shape () for a of float64 and",
    ),
    "flat": ("array = lambda self, t: t.ravel()", "is float16 of shape (9,) for a of float16 and"),
    "positive": ("array = lambda self, t: t + t.dtype.type(0)", "holds other bits than a, of"),
    "unstarted": ("start = lambda self: 1 / 0", "cannot be judged: ZeroDivisionError: division by"),
    "factless": ("facts = lambda self: 1 / 0", "has no facts: ZeroDivisionError: division by zero"),
    "unread": ("divergences = __import__('pathlib').Path('no.toml')", "cannot be judged: ValueErr"),
}


def put(folder: Path, name: str, source: str, kind: str) -> None:
    """A distribution of one module with an adapter, as pip leaves it."""
    (folder / f"{name}.py").write_text(source, "utf-8")
    information = folder / f"{name}-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(f"[nnconform.adapters]\n{name} = {name}:{kind}\n")


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The variables with which a process finds the good plug-in and all the others."""
    folder = tmp_path_factory.mktemp("plugins")
    put(folder, "toy", GOOD, "ToyAdapter")
    (folder / "toy.toml").write_text(RECORDS, "utf-8")
    (folder / "toy_left_out.toml").write_text(LEFT_OUT, "utf-8")
    for name, (what, _) in {**BROKEN, **UNFIT}.items():
        put(folder, name, OTHER.format(name=name, what=what), "OtherAdapter")
    for name in FORGOTTEN:
        put(folder, f"no_{name}", FORGETFUL.format(name=f"no_{name}", forgotten=name), "Forgetful")
    put(folder, "callable", "def adapter(): ...", "adapter")
    path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, "NO_COLOR": "1", "COLUMNS": "120"}


SELECTION = ("--functions", "tanh,relu", "--dtypes", "float32")


def said(done: CompletedProcess[str], name: str) -> str:
    """The one line of a process' output that speaks of an adapter's fault."""
    output = done.stdout + done.stderr
    assert "Traceback" not in output, output
    lines = {line.strip() for line in output.splitlines() if f"adapter '{name}'" in line}
    assert len({line[line.index("adapter '") :] for line in lines}) == 1, output
    return lines.pop()


def test_a_list_names_the_broken_and_shows_the_others(env: dict[str, str], tmp_path: Path) -> None:
    done = nnconform("list", "--functions", "tanh", env=env, cwd=tmp_path)
    assert done.returncode == 0
    for name, (_, why) in BROKEN.items():
        assert why in said(done, name)
        assert "toy.tanh" not in said(done, name)
    for name in FORGOTTEN:
        assert said(done, f"no_{name}").endswith(f"states no {name}")
    assert "no subclass of nnconform.adapters.interface.Adapter" in said(done, "callable")
    assert re.search(r"\btoy\n", done.stdout)


def test_a_plugin_is_judged(env: dict[str, str], tmp_path: Path) -> None:
    done = nnconform(
        "run", "--frameworks", "toy", *SELECTION, "--out", "run", env=env, cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout + done.stderr
    run = front.load(tmp_path / "run")
    assert set(run.table["aspect"]) == {"value", "special", "property", "consistency"}
    known = run.table[run.table["verdict"] == "known"]
    assert list(known["function"] + known["aspect"]) == ["reluspecial"]
    assert known["note"].item().startswith("[toy-relu-nan] bug: NaN is not above 0")
    assert run.environment["frameworks"]["toy"]["facts"] == {"kernels": "float64"}
    assert "toy-relu-nan" in (tmp_path / "run" / "records.csv").read_text("utf-8")


def test_a_run_judges_the_others(env: dict[str, str], tmp_path: Path) -> None:
    names = ",".join(["toy", *BROKEN, *UNFIT])
    done = nnconform(
        "run", "--frameworks", names, *SELECTION, "--out", "run", env=env, cwd=tmp_path
    )
    assert done.returncode == 1
    for name, (_, why) in {**BROKEN, **UNFIT}.items():
        assert why in said(done, name)
    run = front.load(tmp_path / "run")
    assert set(run.table["framework"]) == {"toy"}
    assert len(run.table) == 8
    assert set(run.table["verdict"]) == {"pass", "known"}
    status = {name: entry["status"] for name, entry in run.environment["frameworks"].items()}
    assert status["toy"] == "complete"
    assert all(why in status[name] for name, (_, why) in {**BROKEN, **UNFIT}.items())


def test_a_session_judges_the_others(env: dict[str, str], tmp_path: Path) -> None:
    def session(names: str) -> CompletedProcess[str]:
        command = ("-m", "pytest", "--pyargs", "nnconform.conformance", "-p", "no:cacheprovider")
        profile = ("--hypothesis-profile", "nnconform-quick")
        return python(*command, "--frameworks", names, *SELECTION, *profile, env=env, cwd=tmp_path)

    done = session("toy")
    assert done.returncode == 0, done.stdout
    assert "8 passed" in done.stdout
    done = session("toy,older")
    assert done.returncode == 1
    assert BROKEN["older"][1] in said(done, "older")
    assert "8 passed" in done.stdout
    done = session("toy,narrow,flat")
    assert done.returncode == 1
    assert "8 passed" in done.stdout
    assert "2 errors" in done.stdout
    for name in ("narrow", "flat"):
        assert UNFIT[name][1] in done.stdout


def test_an_audit_reads_what_a_plugin_leaves_out(env: dict[str, str], tmp_path: Path) -> None:
    done = nnconform("audit", "--frameworks", "toy", env=env, cwd=tmp_path)
    assert done.returncode == 1
    assert "uncovered: softsign" in done.stdout
    assert "5 left out, 2 bound, 1 uncovered" in done.stdout
