"""The pytest plugin: which rows are measured, and what becomes of them.

Every pytest session of everyone who installs nnconform loads this module: it imports nothing
heavy, and does nothing unless the conformance tests are collected.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .measurement import Subject

MARK = "conformance"
PROPERTY = "nnconform"

#: name → examples that Hypothesis draws for each row, on top of the corpus
PROFILES = {"quick": 2, "default": 6, "deep": 200}


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("nnconform", "nnconform: conformance of losses and activations")
    group.addoption("--frameworks", default=None, help="comma-separated; default: all installed")
    group.addoption("--functions", default=None, help="comma-separated patterns: 'gelu,*entropy*'")
    group.addoption("--dtypes", default=None, help="comma-separated: float16,bfloat16,…")
    group.addoption("--modes", default=None, help="comma-separated: eager,graph,compiled")
    group.addoption("--device", default="cpu", help="cpu, cuda, cuda:1, …")
    group.addoption("--conformance-out", default=None, metavar="DIR", help="the run folder")
    group.addoption(
        "--baseline", default=None, metavar="DIR", help="compare with it; fail on what regressed"
    )
    group.addoption(
        "--conformance-resume", action="store_true", help="leave out what DIR's journal has begun"
    )
    group.addoption(
        "--conformance-memory", type=float, default=0, metavar="GIB", help="memory allowed"
    )
    group.addoption(
        "--conformance-parent", type=int, default=0, metavar="PID", help="the driver; end with it"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"{MARK}(aspect): a conformance test of that aspect")
    profile = getattr(config.option, "hypothesis_profile", None)
    if profile and profile.startswith("nnconform-"):
        from hypothesis import Phase, settings

        _forget_local_constants()
        for name, examples in PROFILES.items():
            phases = [Phase.explicit, Phase.generate, Phase.target, Phase.shrink]
            settings.register_profile(
                f"nnconform-{name}",
                max_examples=examples,
                derandomize=False,  # which Hypothesis turns on where CI is set: our seed holds there too
                database=None,
                phases=phases[: -1 if name == "quick" else None],
            )
    memory, parent = map(config.getoption, ("--conformance-memory", "--conformance-parent"))
    if memory or parent:
        from .worker import confine

        confine(memory, parent)
    selecting = ("frameworks", "functions", "dtypes", "modes")
    asked = [config.getoption(f"--{what}") for what in selecting]
    if any(asked):
        from .selection import UsageError, check

        try:
            check(*asked)
        except UsageError as error:
            raise pytest.UsageError(str(error)) from None
    if baseline := config.getoption("--baseline"):
        from .against import Against
        from .selection import UsageError

        try:
            config.pluginmanager.register(Against(config, baseline), "nnconform-against")
        except (UsageError, OSError) as error:
            raise pytest.UsageError(str(error)) from None
    folder = config.getoption("--conformance-out")
    config.pluginmanager.register(Rows(config, Path(folder) if folder else None), "nnconform-rows")


def _forget_local_constants() -> None:
    """Have Hypothesis draw the same numbers wherever nnconform is installed.

    It mixes constants that it reads in local source files into what it draws: an editable
    installation would be searched otherwise than a wheel, and each edit would change the search.
    """
    from hypothesis.internal.conjecture import providers

    if hasattr(providers, "is_local_module_file"):  # not public: older releases do without
        setattr(providers, "is_local_module_file", lambda path: False)  # noqa: B010


# -- which rows ----------------------------------------------------------------------------------------


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    mark = metafunc.definition.get_closest_marker(MARK)
    if mark is None:
        return
    from .selection import UsageError, select

    option = metafunc.config.getoption
    try:
        subjects = select(
            mark.args[0],
            option("--frameworks"),
            option("--functions"),
            option("--dtypes"),
            option("--modes"),
            quick=getattr(metafunc.config.option, "hypothesis_profile", "") == "nnconform-quick",
        )
    except UsageError as error:
        raise pytest.UsageError(str(error)) from None
    metafunc.parametrize("measurement", subjects, ids=[s.id for s in subjects], indirect=True)


@pytest.fixture
def measurement(request: pytest.FixtureRequest) -> Any:
    """The table row that a conformance test measures."""
    from ..adapters.interface import Unavailable
    from .measurement import Measurement

    subject: Subject = request.param
    rows: Any = request.config.pluginmanager.get_plugin("nnconform-rows")
    rows.begin(subject.adapter, request.config.getoption("--device"))
    measured = Measurement(subject)
    try:
        measured.subject = subject.fitted()
    except Unavailable as reason:
        measured.refusal = str(reason)
        rows.keep(request.node, measured.row())
        pytest.skip(str(reason))
    return measured


def _subject(item: pytest.Item) -> Subject | None:
    """What an item measures, if it is a conformance test that has anything to measure."""
    callspec = getattr(item, "callspec", None)
    subject = callspec.params.get("measurement") if callspec else None
    return subject if hasattr(type(subject), "identity") else None


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Iterator[None]:
    found: Any = pyfuncitem.funcargs.get("measurement")
    if pyfuncitem.get_closest_marker(MARK) is None or found is None:
        return (yield)
    try:
        result = yield
    except Exception as error:
        from ..reference.outcome import in_a_line

        if (reason := _out_of_memory(error)) is not None:
            found.crash(" ".join(f"out of memory: {reason}".split())[:300])
        elif not found.failure:
            found.failure = f"no verdict: {in_a_line(error, 300)}"
        raise
    finally:
        row = found.row()
        rows: Any = pyfuncitem.config.pluginmanager.get_plugin("nnconform-rows")
        rows.keep_outputs(found)
        if found.curve is not None:
            rows.write("curves", rows=[found.curve.row(found.subject.identity)])
        rows.keep(pyfuncitem, row)
    if row["verdict"] == "fixed":
        pytest.fail(row["note"].partition("\n")[0], pytrace=False)
    if row["verdict"] == "unsupported":
        pytest.skip(row["note"].partition("\n")[0])
    return result


def _out_of_memory(error: BaseException | None) -> str | None:
    """What a MemoryError says that lies behind an error; Hypothesis wraps one it cannot repeat."""
    while error is not None:
        if isinstance(error, MemoryError):
            return str(error)
        for part in getattr(error, "exceptions", ()):
            if (reason := _out_of_memory(part)) is not None:
                return reason
        error = error.__cause__ or error.__context__
    return None


# -- what becomes of them --------------------------------------------------------------------------------


class Rows:
    """Gathers the rows of a session; appends them to the run folder's journal as they are made."""

    def __init__(self, config: pytest.Config, folder: Path | None) -> None:
        self.config = config
        self.rows: list[dict[str, Any]] = []
        self.journal: Path | None = None
        self.shown = 0.0
        self.put: set[str] = set()
        #: the adapters at work, and why one cannot be, if it cannot
        self.begun: dict[str, str] = {}
        if folder is not None:
            worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
            frameworks = (config.getoption("--frameworks") or "all").replace(",", "+")
            self.journal = folder / "journal" / f"{frameworks}-{worker}.jsonl"
            self.journal.parent.mkdir(parents=True, exist_ok=True)

    def begin(self, adapter: Any, device: str) -> None:
        """Start an adapter, once. One that is unfit is one line: in a worker, which judges it alone,
        the end; else a test that fails, and skipped ones."""
        name = adapter.name
        if name not in self.begun:
            self.begun[name] = self.unfit(adapter, device)
            if reason := self.begun[name]:
                self.write("unfit", reason=reason)
                if self.config.getoption("--conformance-parent"):
                    pytest.exit(reason, returncode=1)
                pytest.fail(reason, pytrace=False)
        if reason := self.begun[name]:
            pytest.skip(reason)

    def unfit(self, adapter: Any, device: str) -> str:
        """Start an adapter; why it cannot be judged, if it cannot, in one line."""
        from ..adapters.interface import Unavailable
        from ..reference.outcome import in_a_line
        from .audit import bound
        from .calls import calls
        from .divergences import records_of

        try:
            adapter.use(device)
            adapter.start()
            adapter.verify()
            records_of(adapter)
            adapter.before_call = self.alive
            if self.journal is not None:
                self.write("callables", rows=bound(adapter))
                self.write("calls", rows=calls(adapter))
        except Unavailable as reason:
            return str(reason)
        except Exception as error:
            return f"adapter {adapter.name!r} cannot be judged: {in_a_line(error, 300)}"
        return ""

    def write(self, event: str, **content: Any) -> None:
        """Append an event; the line is complete and flushed before this returns."""
        if self.journal is not None:
            with self.journal.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"event": event, **content}, ensure_ascii=False) + "\n")

    def keep_outputs(self, measurement: Any) -> None:
        """Append the answers of a row, and the cases that the session has not met before."""
        if self.journal is None or not measurement.outputs:
            return
        from .outputs import ROW

        row = {name: measurement.subject.identity[name] for name in ROW}
        lines = [line for case, line in measurement.put.items() if case not in self.put]
        self.put |= set(measurement.put)
        with self.journal.with_suffix(".outputs").open("a", encoding="utf-8") as file:
            for entry in (*lines, {**row, "outputs": measurement.outputs}):
                file.write(json.dumps(entry, ensure_ascii=False, default=str) + "\n")

    def alive(self) -> None:
        """Show a driver that follows the journal that the test under way goes on."""
        if self.journal is not None and time.monotonic() - self.shown > 1:
            self.shown = time.monotonic()
            with contextlib.suppress(OSError):
                os.utime(self.journal)

    def keep(self, item: pytest.Item, row: dict[str, Any]) -> None:
        """Keep the row of a test: in the journal, and for whoever reads pytest's reports."""
        item.user_properties.append((PROPERTY, json.dumps(row, ensure_ascii=False)))
        self.write("row", test=item.nodeid, row=row)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        if not config.getoption("--conformance-resume") or self.journal is None:
            return
        begun = set()
        if self.journal.exists():
            for line in self.journal.read_text(encoding="utf-8").splitlines():
                if line.startswith('{"event": "start"'):
                    begun.add(json.loads(line)["test"])
        left = [item for item in items if item.nodeid not in begun]
        config.hook.pytest_deselected(items=[i for i in items if i.nodeid in begun])
        items[:] = left

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.write("collected", count=sum(_subject(item) is not None for item in session.items))

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        if (subject := _subject(item)) is not None:
            self.write("start", test=item.nodeid, identity=subject.identity)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "teardown":  # one that is skipped is never called
            self.rows += [
                json.loads(str(row)) for name, row in report.user_properties if name == PROPERTY
            ]

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self.write("finish")
        if session.exitstatus == 0 and self.broken:
            session.exitstatus = 1

    @property
    def broken(self) -> dict[str, str]:
        """The adapters that conformance tests would have judged, were they not broken."""
        from .selection import broken, match_frameworks

        if not self.rows or self.config.getoption("--conformance-parent"):
            return {}
        return broken(match_frameworks(self.config.getoption("--frameworks")))

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if not self.rows or self.config.getoption("--conformance-parent"):
            return
        from ..reference.floats import offered

        terminalreporter.section("nnconform")
        for line in self.broken.values():
            terminalreporter.write_line(line)
        if find_spec("pandas") is None:  # it is no part of what a worker needs
            for verdict, count in sorted(Counter(row["verdict"] for row in self.rows).items()):
                terminalreporter.write_line(f"{count} {verdict}")
        else:
            from ..reports.table import summary, tabulate

            terminalreporter.write_line(summary(tabulate(self.rows)).to_string(index=False))
        if "bfloat16" not in offered():
            terminalreporter.write_line("bfloat16 is left out: it needs ml_dtypes")
        if self.journal is not None and not self.config.getoption("--baseline"):
            terminalreporter.write_line(f"journal: {self.journal}")
