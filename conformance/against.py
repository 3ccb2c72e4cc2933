"""``pytest --baseline DIR``: a session judged against a baseline.

The plugin loads this module only when it is asked for. What fails as it did in the baseline is an
expected failure; at the end the session's rows are compared with the baseline's, and the session
fails where something regressed.
"""

from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ..reports.table import KEY
from .baseline import checked, digests, first
from .plugin import PROPERTY
from .selection import UsageError

#: pytest's exit statuses of sessions in which every test ran
_ENDED = (0, 1, 5)
#: what workers of pytest-xdist know the run folder by
_OUT = "nnconform-out"


class Against:
    """Judges a session against the baseline in a folder. Raises UsageError where that is none."""

    def __init__(self, config: pytest.Config, folder: str) -> None:
        self.config, self.folder = config, Path(folder).absolute()
        checked(self.folder)
        with (self.folder / "measurements.csv").open(encoding="utf-8", newline="") as file:
            self.verdicts = {
                tuple(row[c] for c in KEY): row["verdict"] for row in csv.DictReader(file)
            }
        self.said = ""
        self.scratch: tempfile.TemporaryDirectory[str] | None = None
        #: in a worker of pytest-xdist; the session that started it compares
        self.worker = hasattr(config, "workerinput")
        if self.worker:
            config.option.conformance_out = config.workerinput[_OUT]  # type: ignore[attr-defined]
            return
        if config.option.conformance_out is None:
            self.scratch = tempfile.TemporaryDirectory(prefix="nnconform-")
            config.option.conformance_out = self.scratch.name
        elif not config.getoption("--conformance-resume"):
            for pattern in ("*.jsonl", "*.outputs"):
                for earlier in Path(config.option.conformance_out, "journal").glob(pattern):
                    earlier.unlink()

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker of pytest-xdist where the run folder is."""
        node.workerinput[_OUT] = str(self.out)

    @property
    def out(self) -> Path:
        """The run folder of the session."""
        return Path(self.config.option.conformance_out).absolute()

    def expected(self, row: Mapping[str, Any]) -> bool:
        """Whether a test that fails is none that the baseline's reader does not know of."""
        before = self.verdicts.get(tuple(str(row[c]) for c in KEY))
        if row["verdict"] == "fixed":  # the record is out of date, which is nothing for a baseline
            return before is not None
        return before == "crash" or (before == "fail" and row["verdict"] == "fail")

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Iterator[None]:
        try:
            return (yield)
        except (Exception, pytest.fail.Exception):
            rows = [json.loads(str(v)) for n, v in pyfuncitem.user_properties if n == PROPERTY]
            if rows and self.expected(rows[-1]):
                pytest.xfail(f"as in the baseline: {first(rows[-1]['note'])}")
            raise

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.worker:
            return
        from ..reports.comparison import render
        from .comparison import compare

        try:
            frameworks = self.write(session)
            if not frameworks:
                self.said = "nothing was measured, so nothing is compared"
                return
            found = compare(self.folder, self.out)
        except UsageError as error:
            self.said = f"nnconform: {error}"
            session.exitstatus = pytest.ExitCode.USAGE_ERROR
            return
        self.said = render(found, "text")
        if found.failed() and session.exitstatus in _ENDED:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def write(self, session: pytest.Session) -> list[str]:
        """Make a run folder of what the session measured; the frameworks that it judged."""
        from ..reports.table import replace
        from . import environment
        from .driver import write_gathered

        table = write_gathered(self.out)
        frameworks = sorted(table["framework"].unique())
        if not frameworks:
            return []
        facts = environment.recorded(environment.describe(",".join(frameworks)))
        status = "complete" if session.exitstatus in _ENDED else "interrupted"
        for entry in facts["frameworks"].values():
            entry["status"] = status
        option = self.config.getoption
        record = {
            "schema": environment.SCHEMA,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "profile": self.profile,
            "seed": self.seed,
            "selection": {n: option(f"--{n}") for n in ("frameworks", "functions", "dtypes")},
            **facts,
            "files": digests(self.out),
        }
        text = json.dumps(record, indent=2, ensure_ascii=False)
        replace(self.out / "environment.json", f"{text}\n")
        return frameworks

    @property
    def profile(self) -> str:
        """The Hypothesis profile, as `nnconform run` names its own."""
        name = getattr(self.config.option, "hypothesis_profile", None) or "of Hypothesis"
        return str(name).removeprefix("nnconform-")

    @property
    def seed(self) -> int | str | None:
        """The seed of the search; None where Hypothesis chose one."""
        seed = getattr(self.config.option, "hypothesis_seed", None)
        return int(str(seed)) if str(seed).isdigit() else seed

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self.said:
            terminalreporter.section("compared with the baseline")
            terminalreporter.write_line(self.said.rstrip())

    def pytest_unconfigure(self) -> None:
        if self.scratch is not None:
            self.scratch.cleanup()
