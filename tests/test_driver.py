"""A run goes on, whatever its frameworks do, and keeps what it measured, whatever ends it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from nnconform import load
from nnconform.reports.table import load_kept

from .planting import nnconform, plant, python, run

pytestmark = pytest.mark.slow

FILES = (
    *("environment.json", "measurements.csv", "callables.csv"),
    *("calls.csv", "curves.csv", "records.csv", "report.html", "report.md"),
)
FRAMEWORKS = {"torch", "tensorflow", "keras", "jax"}


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return plant(tmp_path_factory.mktemp("planted"))


@dataclass
class Misbehaved:
    folder: Path
    done: subprocess.CompletedProcess[str]
    table: pd.DataFrame

    def row(self, callable: str, aspect: str = "value") -> pd.Series:
        found = self.table.query("callable == @callable and aspect == @aspect")
        assert len(found) == 1
        return found.iloc[0]


@pytest.fixture(scope="module")
def misbehaved(env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Misbehaved:
    """A run of the planted framework, from a folder where a hostile pytest set-up lies."""
    cwd = tmp_path_factory.mktemp("misbehaved")
    (cwd / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    (cwd / "conftest.py").write_text("raise RuntimeError('not yours')\n")
    (cwd / "torch.py").write_text("raise RuntimeError('not torch')\n")
    hostile = {**env, "PYTEST_ADDOPTS": "--no-such-option"}
    options = {"frameworks": "planted", "dtypes": "float32", "profile": "quick", "out": "run"}
    done = run(hostile, cwd, **options, hang=8)
    assert done.stdout, done.stderr
    return Misbehaved(cwd / "run", done, load(cwd / "run").table)


def test_a_run_folder_is_complete(misbehaved: Misbehaved) -> None:
    assert misbehaved.done.returncode == 1
    assert set(FILES) <= {path.name for path in misbehaved.folder.iterdir()}
    environment = json.loads((misbehaved.folder / "environment.json").read_text())
    assert environment["schema"] == 1
    assert environment["seed"] == 0
    assert environment["profile"] == "quick"
    assert environment["packages"]["planted"] == "1.2.3"
    planted = {"version": "1.2.3", "status": "complete", "distributions": ["planted"]}
    assert environment["frameworks"] == {"planted": planted}
    assert environment["duration_s"] > 0
    assert {"bound", "corpus", "longdouble", "python", "platform", "cpu"} <= set(environment)


def test_a_run_keeps_what_its_report_shows(misbehaved: Misbehaved) -> None:
    calls = load_kept(misbehaved.folder, "calls")
    assert {"planted.sound(x)", "planted.any_keyword(x, alpha=1.0)"} <= {*calls["call"]}
    assert not calls["callable"].isin(["newer", "older"]).any(), "not in this version"
    curves = load_kept(misbehaved.folder, "curves").set_index(["callable", "aspect"])
    assert {("sound", "value"), ("wrong", "value")} <= {*curves.index}
    largest = [
        max(map(float, curves.loc[(name, "value"), "ulp"].split())) for name in ("sound", "wrong")
    ]
    assert largest[0] < 1e3 < largest[1], "1 % is 1.7e5 ULP"
    assert load_kept(misbehaved.folder, "records").empty


@pytest.mark.parametrize(
    ("callable", "note"),
    [
        ("segfault", "the process was killed by SIGSEGV"),
        ("leave", "the process exited with status 3"),
        ("hang", "no answer within 8 s"),
        ("memory_error", "out of memory: planted"),
        ("allocator", "out of memory: DefaultCPUAllocator: can't allocate memory"),
        ("bomb", "out of memory: Unable to allocate"),
    ],
)
def test_a_test_that_kills_its_process_costs_its_own_row(
    misbehaved: Misbehaved, callable: str, note: str
) -> None:
    row = misbehaved.row(callable)
    assert row["verdict"] == "crash"
    assert note in row["note"]
    assert row["function"] == "tanh"
    assert row["version"] == "1.2.3"


def test_everything_else_is_measured(misbehaved: Misbehaved) -> None:
    table = misbehaved.table
    assert len(table) == 13 * 5
    verdicts = {"crash", "fail", "pass", "unsupported"}
    assert set(table.query("aspect == 'value'")["verdict"]) == verdicts
    assert set(table.query("verdict == 'crash'")["aspect"]) == {"value"}
    assert misbehaved.row("sound")["verdict"] == "pass"
    assert misbehaved.row("wrong")["verdict"] == "fail"
    assert misbehaved.row("segfault", "property")["points"] > 0


@pytest.mark.parametrize(
    ("callable", "note"),
    [
        ("newer", "planted 1.2.3 has no planted.newer"),
        ("older", "planted 1.2.3: planted.older takes no alpha"),
        ("any_keyword", "planted 1.2.3: planted.any_keyword takes no alpha"),
    ],
)
def test_what_a_version_lacks_is_unsupported(
    misbehaved: Misbehaved, callable: str, note: str
) -> None:
    rows = misbehaved.table.query("callable == @callable")
    assert set(rows["verdict"]) == {"unsupported"}
    assert set(rows["note"].str.partition("\n")[0]) == {note}


def test_the_driver_imports_no_framework(misbehaved: Misbehaved) -> None:
    assert not FRAMEWORKS & set(json.loads(misbehaved.done.stdout))


def test_two_runs_with_one_seed_are_the_same(env: dict[str, str], tmp_path: Path) -> None:
    selection = {"frameworks": "planted", "functions": "sigmoid", "dtypes": "float32,bfloat16"}
    options = {**selection, "seed": 7, "out": "run"}
    tables = []
    for _ in range(2):  # the second replaces the first
        done = run(env, tmp_path, **options)
        assert done.returncode == 1, done.stderr
        tables.append((tmp_path / "run" / "measurements.csv").read_bytes())
        (tmp_path / "run" / "report.md").unlink()
    assert tables[0] == tables[1]
    assert tables[0].count(b"\n") > 16


@pytest.mark.parametrize(
    ("how", "said"), [("dies", "status 7"), ("dies early", "planted: no device")]
)
def test_a_framework_that_cannot_start(
    env: dict[str, str], tmp_path: Path, how: str, said: str
) -> None:
    options = ("--functions", "relu", "--dtypes", "float32", "--profile", "quick")
    starts = {**env, "PLANTED_START": how}
    done = nnconform("run", "--frameworks", "planted", *options, env=starts, cwd=tmp_path)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    made = load(tmp_path / "nnconform-run")
    if how == "dies early":
        assert said in made.environment["frameworks"]["planted"]["status"]
    else:
        assert set(made.table["verdict"]) == {"crash"}


def _until(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what} did not come true"
        time.sleep(0.05)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_what_ends_a_run_leaves_what_was_measured(
    env: dict[str, str], tmp_path: Path, number: signal.Signals
) -> None:
    pids = tmp_path / "pids"
    arguments = ("run", "--frameworks", "planted", "--functions", "relu", "--out", "run")
    driver = subprocess.Popen(
        [sys.executable, "-P", "-m", "nnconform", *arguments],
        env={**env, "PLANTED_PIDS": str(pids)},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    journal = tmp_path / "run" / "journal" / "planted-main.jsonl"
    try:
        _until(
            lambda: journal.exists() and journal.read_text().count('"event": "row"') >= 6,
            "six rows",
        )
        driver.send_signal(number)
        stdout, stderr = driver.communicate(timeout=60)
    finally:
        driver.kill()
    workers = [int(pid) for pid in pids.read_text().split() if int(pid) != driver.pid]
    assert workers
    _until(lambda: not any(map(_alive, workers)), "no worker survives", 10)
    assert "Traceback" not in stderr
    if number == signal.SIGKILL:
        assert not (tmp_path / "run" / "measurements.csv").exists()
        again = nnconform("report", "run", env=env, cwd=tmp_path)
        assert again.returncode == 1
        assert again.stderr == "nnconform: planted: unfinished\n"
        stdout = again.stdout
    else:
        assert driver.returncode == 130, stderr
        assert len(pd.read_csv(tmp_path / "run" / "measurements.csv")) >= 6
        status = load(tmp_path / "run").environment["frameworks"]["planted"]["status"]
        assert status == "interrupted"
    assert "planted" in stdout
    assert (tmp_path / "run" / "report.html").exists()
    assert len(load(tmp_path / "run").table) >= 6


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state != "Z"
    except FileNotFoundError:
        if Path("/proc/self").exists():
            return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.skipif(sys.platform != "linux", reason="others do not enforce it")
def test_a_worker_cannot_take_all_memory(tmp_path: Path) -> None:
    code = (
        "import numpy as np\n"
        "from nnconform.conformance.worker import confine\n"
        "confine(1, 0)\n"
        "np.ones(2**27)[:1] + 1 and None\n"
    )
    done = python("-P", "-c", code, env=dict(os.environ), cwd=tmp_path)
    assert "MemoryError" in done.stderr
    done = python("-P", "-c", code.replace("27", "24"), env=dict(os.environ), cwd=tmp_path)
    assert "MemoryError" not in done.stderr
