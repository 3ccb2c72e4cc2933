"""Runs: one pytest process per framework, what they measured gathered into a run folder.

The driver imports no framework. It follows each worker's journal; a worker that dies or hangs costs
the one test that it was at, and is started again for the rest.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..reference.floats import DTYPES
from . import environment, outputs
from .baseline import digests
from .interpreter import Interpreter, interpreter
from .plugin import PROFILES
from .selection import UsageError, match_dtypes, match_functions, match_modes

if TYPE_CHECKING:
    import pandas as pd

    from ..reports.table import Run

__all__ = ["Interrupted", "Progress", "Worker", "exit_status", "run"]

#: where a run is written unless it is told
FOLDER = "nnconform-run"
#: seconds after which a call, and a worker that has not begun a test, is given up
HANG, STARTUP = 120.0, 300.0
#: GiB that a worker may always allocate
LEAST_MEMORY = 4
#: frameworks in the order in which they are started: those that take longest first
ORDER = ("keras", "keras-torch", "torch", "tensorflow")

_ENDED = (0, 1, 5)  # pytest: passed, some failed, none collected
_LAST_WORDS = re.compile(r"Check failed: .*|what\(\): .*|Assertion .* failed.*")


class Interrupted(KeyboardInterrupt):
    """A run that was cut short; ``run`` holds what it had measured."""

    def __init__(self, run: Run) -> None:
        super().__init__("interrupted")
        self.run = run


@dataclass
class Worker:
    """The process that judges one framework, and how far it has come."""

    framework: str
    version: str
    #: rows that there will be; 0 until that is known
    total: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    #: "waiting", "running", "complete", "interrupted", or why it could not go on
    status: str = "waiting"
    #: the tests under way, with the columns that identify their rows
    open: dict[str, dict[str, Any]] = field(default_factory=dict)
    started: int = 0
    finished: bool = False
    #: why the framework cannot be judged at all
    unfit: str = ""
    #: the tests that cost a process, and how
    crashed: list[str] = field(default_factory=list)
    fruitless: int = 0
    process: subprocess.Popen[bytes] | None = None
    #: when it last showed that it goes on, and its journal's time stamp then
    heard: float = 0.0
    touched: int = 0
    read: int = 0

    @property
    def done(self) -> int:
        return self.verdicts.total()


#: called with what happened (start, row, crash, end; skip with a framework that is not installed)
Progress = Callable[[str, Worker], None]


def run(
    frameworks: str | None = None,
    functions: str | None = None,
    dtypes: str | None = None,
    profile: str = "default",
    seed: int = 0,
    jobs: int | None = None,
    out: str | os.PathLike[str] | None = None,
    python: str | os.PathLike[str] = sys.executable,
    progress: Progress | None = None,
    *,
    modes: str | None = None,
    device: str = "cpu",
    hang: float = HANG,
) -> Run:
    """Judge frameworks, write the run folder ``out``, and return the run.

    ``frameworks``, ``functions`` (patterns) and ``dtypes`` are comma-separated; all by default.
    An earlier run in ``out`` is replaced. With one seed, two runs give the same table.
    ``python`` is the interpreter of the environment that is judged: NumPy, pytest and Hypothesis
    must be there, nnconform need not be. ``modes`` (comma-separated; eager by default) is how
    functions run, ``device`` where: ``cuda`` is the first of its kind.

    Raises UsageError for unknown names, an ``out`` that is no run folder, a ``python`` that cannot
    judge, and where there is nothing to judge; :class:`Interrupted` on SIGINT and SIGTERM, when all
    is written.
    """
    if profile not in PROFILES:
        raise UsageError(f"unknown profile {profile!r}; one of {', '.join(PROFILES)}")
    wanted = match_functions(functions)
    kinds = match_dtypes(dtypes) if dtypes else DTYPES
    tell = progress or (lambda what, worker: None)
    with interpreter(python) as judge:
        facts = judge.describe(frameworks)
        named = facts["frameworks"]
        missing = {n: f["status"] for n, f in named.items() if f["version"] is None}
        if len(missing) == len(named):
            raise UsageError("; ".join(["nothing to judge", *missing.values()]))
        left_out = _left_out(kinds, facts["dtypes"], judge.path)
        if left_out and dtypes:
            raise UsageError("; ".join(left_out.values()))
        here = {name: entry for name, entry in named.items() if name not in missing}
        asked = match_modes(modes, (mode for entry in here.values() for mode in entry["modes"]))
        lacking = {name: lack for name in here if (lack := _lacking(name, here[name], asked))}
        workers = [
            Worker(name, here[name]["version"])
            for name in sorted(here, key=lambda n: ORDER.index(n) if n in ORDER else -1)
            if wanted & set(here[name]["functions"]) and set(asked) & set(here[name]["modes"])
        ]
        if not workers:
            raise UsageError(f"none of {', '.join(here)} offers {functions or modes}")
        folder = _prepared(Path(FOLDER if out is None else out).absolute())
        for name, status in {**missing, **left_out, **lacking}.items():
            tell("skip", Worker(name, "", status=status))

        jobs = max(1, min(jobs or environment.processors(), len(workers)))
        options = [
            *("--functions", ",".join(sorted(wanted)) if functions else ""),
            *("--dtypes", dtypes or ""),
            *("--modes", ",".join(asked), "--device", device),
            *("--hypothesis-profile", f"nnconform-{profile}", "--hypothesis-seed", str(seed)),
            *("--conformance-memory", str(max(LEAST_MEMORY, environment.memory() // jobs >> 30))),
        ]
        record = {
            "schema": environment.SCHEMA,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": sys.argv,
            "profile": profile,
            "seed": seed,
            "selection": {"frameworks": frameworks, "functions": functions, "dtypes": dtypes}
            | ({"modes": modes} if modes else {})
            | ({"device": device} if device != "cpu" else {}),
            **environment.recorded(facts),
            "notes": [*left_out.values(), *lacking.values()],
        }
        began = time.monotonic()
        _write_environment(folder, record, workers, unfinished=True)
        pool = _Pool(folder, workers, judge, options, jobs, hang, tell)
        try:
            with terminable():
                pool.work()
        except KeyboardInterrupt:
            pool.kill()
            record["duration_s"] = round(time.monotonic() - began, 1)
            raise Interrupted(_written(folder, record, workers)) from None
        finally:
            pool.kill()
    record["duration_s"] = round(time.monotonic() - began, 1)
    return _written(folder, record, workers)


def _left_out(kinds: Sequence[str], offered: Sequence[str], python: str) -> dict[str, str]:
    """The dtypes that an environment lacks, each with a line that says so."""
    return {
        name: f"{name} is left out: {python} lacks ml_dtypes; add with: "
        f"{python} -m pip install ml_dtypes"
        for name in kinds
        if name not in offered
    }


def _lacking(name: str, facts: Mapping[str, Any], modes: Sequence[str]) -> str:
    """A line that says which of these modes a framework lacks; nothing where it has them all."""
    lacks = [mode for mode in modes if mode not in facts["modes"]]
    has = ", ".join(facts["modes"])
    return f"{name} has no mode {' or '.join(lacks)}; it has {has}" if lacks else ""


def exit_status(run: Run) -> int:
    """0 if a run is complete and there is nothing unexpected in it, else 1."""
    from ..reports.table import incomplete, unexpected

    return int(bool(incomplete(run)) or len(unexpected(run.table)) > 0)


# -- the run folder ------------------------------------------------------------------------------


def _prepared(folder: Path) -> Path:
    """An empty run folder: made, or made of an earlier one."""
    from ..reports.table import KEPT

    earlier = folder / "environment.json"
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is not a folder; choose another with --out")
    if folder.exists() and any(folder.iterdir()) and not _is_run(earlier):
        raise UsageError(
            f"{folder} exists and is not the folder of a run; choose another with --out"
        )
    try:
        (folder / "journal").mkdir(parents=True, exist_ok=True)
        for pattern in (
            "measurements.csv",
            "callables.csv",
            *(f"{name}.csv" for name in KEPT),
            "report.*",
            "journal/*.jsonl",
            "journal/*.log",
            "journal/*.outputs",
            "outputs/*.xz",
        ):
            for old in folder.glob(pattern):
                old.unlink()
    except OSError as error:
        raise UsageError(f"{folder} cannot be written: {error.strerror}") from error
    return folder


def _is_run(path: Path) -> bool:
    try:
        return "nnconform" in json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return False


def _write_environment(
    folder: Path, record: dict[str, Any], workers: list[Worker], *, unfinished: bool = False
) -> None:
    from ..reports.table import replace

    for worker in workers:
        record["frameworks"][worker.framework]["status"] = (
            "unfinished" if unfinished else worker.status
        )
    text = json.dumps(record, indent=2, ensure_ascii=False)
    replace(folder / "environment.json", text + "\n")


def _written(folder: Path, record: dict[str, Any], workers: list[Worker]) -> Run:
    from ..reports import write_reports
    from ..reports.table import Run

    _write_environment(folder, record, workers)
    made = Run(folder, write_gathered(folder), record)
    record["files"] = digests(folder)
    _write_environment(folder, record, workers)
    write_reports(made)
    return made


def write_gathered(folder: Path) -> pd.DataFrame:
    """Write the files of a run folder that its journal has the rows of; the measurements."""
    from ..reports import gather, write
    from ..reports.table import gather_callables, gather_kept, write_callables, write_kept
    from .divergences import shown

    table = gather(folder)
    write(table, folder)
    write_callables(gather_callables(folder), folder)
    for name in ("calls", "curves"):
        write_kept(gather_kept(folder, name), folder, name)
    write_kept(shown(table["note"]), folder, "records")
    outputs.write(outputs.gather(folder), folder)
    return table


# -- the workers ---------------------------------------------------------------------------------


class _Pool:
    """Workers at work: at most ``jobs`` at once, followed through their journals."""

    def __init__(
        self,
        folder: Path,
        workers: list[Worker],
        judge: Interpreter,
        options: list[str],
        jobs: int,
        hang: float,
        tell: Progress,
    ) -> None:
        self.folder, self.workers, self.options = folder, workers, options
        self.judge, self.jobs, self.hang, self.tell = judge, jobs, hang, tell
        self.scratch = ""

    def work(self) -> None:
        """Until every worker has ended."""
        waiting = list(self.workers)
        running: list[Worker] = []
        with tempfile.TemporaryDirectory(prefix="nnconform-") as self.scratch:
            try:
                while waiting or running:
                    while waiting and len(running) < self.jobs:
                        running.append(worker := waiting.pop(0))
                        worker.status = "running"
                        self.tell("start", worker)
                        self.launch(worker)
                    time.sleep(0.05)
                    for worker in running[:]:
                        if not self.follow(worker):
                            running.remove(worker)
                            self.tell("end", worker)
            finally:
                self.kill()

    def kill(self) -> None:
        """End all processes that are left."""
        for worker in self.workers:
            if worker.process is not None:
                _kill(worker.process)
                worker.process = None
            if worker.status in ("running", "waiting"):
                worker.status = "interrupted"

    def launch(self, worker: Worker) -> None:
        """Start the process of a worker for all that it has not begun."""
        command = [
            *self.judge.command("-m", "pytest", "--pyargs", "nnconform.conformance"),
            *("-c", os.devnull, "--rootdir", self.scratch, "--noconftest"),
            *("--import-mode=importlib", "-q", "-s", "--tb=short", "--color=no", "-W", "ignore"),
            *("-p", "no:cacheprovider", "-p", "_hypothesis_pytestplugin"),
            *("-p", "nnconform.conformance.plugin"),
            *("--frameworks", worker.framework, *self.options),
            *("--conformance-out", str(self.folder), "--conformance-resume"),
            *("--conformance-parent", str(os.getpid())),
        ]
        variables = {
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # others reorder, repeat, limit time
            "HYPOTHESIS_STORAGE_DIRECTORY": self.scratch,
            "PYTHONHASHSEED": "0",
            "PYTHONUNBUFFERED": "1",
            "OMP_NUM_THREADS": "1",
        }
        inherited = {k: v for k, v in self.judge.variables().items() if not k.startswith("PYTEST_")}
        with self.log(worker).open("ab") as log:
            worker.process = subprocess.Popen(
                command,
                cwd=self.scratch,
                env=inherited | variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        worker.heard, worker.started, worker.finished = time.monotonic(), 0, False

    def follow(self, worker: Worker) -> bool:
        """Take in what a worker has done since; whether it goes on."""
        assert worker.process is not None
        code = worker.process.poll()
        for event in self.events(worker, last=code is not None):
            self.take(worker, event)
        if code is None:
            patience = self.hang if worker.started else max(self.hang, STARTUP)
            if time.monotonic() - worker.heard <= patience:
                return True
            why = f"no answer within {patience:g} s"
        else:
            why = _death(code)
        _kill(worker.process)  # what it started goes with it
        worker.process = None
        if worker.unfit:
            worker.open.clear()
            worker.status = worker.unfit
            return False
        if worker.finished and (code is None or code < 0 or code in _ENDED):
            for test in list(worker.open):
                self.crash(worker, test, "ended without a measurement")
            worker.status = "complete"
            return False
        if not worker.finished:
            if words := _LAST_WORDS.findall(self.tail(worker)):
                why = f"{why}: {words[-1]}"
            for test in list(worker.open):
                self.crash(worker, test, why)
            worker.fruitless = 0 if worker.started else worker.fruitless + 1
            if worker.fruitless < 2:
                self.launch(worker)
                return True
        lines = [line for line in self.tail(worker).splitlines() if line.strip()][-5:]
        worker.status = "\n".join([why, *lines])
        return False

    def events(self, worker: Worker, *, last: bool) -> Iterator[dict[str, Any]]:
        """The events that a worker has written since; an unfinished line waits, or is lost."""
        path = self.journal(worker)
        if not path.exists():
            return
        if (touched := path.stat().st_mtime_ns) != worker.touched:
            worker.touched, worker.heard = touched, time.monotonic()
        with path.open("rb") as file:
            file.seek(worker.read)
            text = file.read()
        whole = len(text) if last else text.rfind(b"\n") + 1
        worker.read += whole
        for line in text[:whole].splitlines():
            with contextlib.suppress(ValueError):
                yield json.loads(line)

    def take(self, worker: Worker, event: Mapping[str, Any]) -> None:
        what = event.get("event")
        if what == "collected":
            worker.total = worker.done + event["count"]
        elif what == "start":
            worker.started += 1
            worker.open[event["test"]] = event["identity"]
        elif what == "row":
            worker.open.pop(event["test"], None)
            worker.verdicts[event["row"]["verdict"]] += 1
            self.tell("row", worker)
        elif what == "unfit":
            worker.unfit = event["reason"]
        elif what == "finish":
            worker.finished = True

    def crash(self, worker: Worker, test: str, why: str) -> None:
        """Write the row of a test that cost its process."""
        row = {**worker.open.pop(test), "verdict": "crash", "note": why}
        event = json.dumps({"event": "row", "test": test, "row": row}, ensure_ascii=False)
        with self.journal(worker).open("a", encoding="utf-8") as file:
            file.write(f"\n{event}\n")  # the process may have died in the middle of a line
        worker.read = self.journal(worker).stat().st_size
        worker.verdicts["crash"] += 1
        name = " · ".join(row[c] for c in ("callable", "dtype", "aspect", "reduction"))
        worker.crashed.append(f"{row['surface']}.{name}: {why}")
        self.tell("crash", worker)

    def journal(self, worker: Worker) -> Path:
        return self.folder / "journal" / f"{worker.framework}-main.jsonl"

    def log(self, worker: Worker) -> Path:
        return self.folder / "journal" / f"{worker.framework}.log"

    def tail(self, worker: Worker) -> str:
        with self.log(worker).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 4000))
            return file.read().decode(errors="replace")


def _death(code: int) -> str:
    if code >= 0:
        return f"the process exited with status {code}"
    name = signal.Signals(-code).name if -code in signal.valid_signals() else f"signal {-code}"
    return f"the process was killed by {name}"


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a process and its group, whatever state it is in."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """SIGTERM does as SIGINT does, where this thread may say so."""

    def interrupt(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
