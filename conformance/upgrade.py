"""Upgrades: environments of several versions, judged alike and compared, neighbour with neighbour."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from . import environment
from .driver import LEAST_MEMORY, PROFILES, terminable
from .environments import build, complete, pins
from .interpreter import interpreter
from .selection import UsageError, match_dtypes, match_functions

if TYPE_CHECKING:
    from .comparison import Comparison

__all__ = ["Bisection", "Side", "Upgrade", "bisect", "upgrade"]

FOLDER = "nnconform-upgrade"

#: told what goes on, a line at a time
Tell = Callable[[str], None]


@dataclass
class Side:
    """One of the versions: its environment, and the run of it."""

    #: as it was given
    text: str
    folder: Path
    requirements: list[Requirement]
    python: Path = Path()
    frameworks: list[str] = field(default_factory=list)
    #: the versions of the frameworks and of what they compute with
    versions: dict[str, str] = field(default_factory=dict)
    #: why it was not judged to the end
    failure: str = ""

    @property
    def judged(self) -> bool:
        return not self.failure


@dataclass
class Options:
    """How every side is judged."""

    functions: str | None = None
    dtypes: str | None = None
    profile: str = "default"
    seed: int = 0
    jobs: int | None = None

    def check(self) -> None:
        """Raises UsageError for unknown names."""
        match_functions(self.functions)
        match_dtypes(self.dtypes)
        if self.profile not in PROFILES:
            raise UsageError(f"unknown profile {self.profile!r}; one of {', '.join(PROFILES)}")


@dataclass
class Upgrade:
    """Versions that were judged, and what changed from each to the next."""

    sides: list[Side]
    #: (old, new) → what changed, of neighbours that were both judged
    steps: dict[tuple[str, str], Comparison]

    @property
    def failures(self) -> dict[str, str]:
        """The sides that were not judged to the end, and why."""
        return {side.text: side.failure for side in self.sides if side.failure}

    def status(self, fail_on: Collection[str] = ()) -> int:
        """2 where a side was not judged to the end, 1 where something got worse, else 0."""
        if self.failures:
            return 2
        return int(any(step.failed(fail_on) for step in self.steps.values()))

    def render(self, form: str, fail_on: Sequence[str] = ()) -> str:
        """The comparisons in that format; of more than two versions, a table of them all first."""
        from ..reports.comparison import render

        rendered = {
            f"{old} → {new}": render(step, form, fail_on) for (old, new), step in self.steps.items()
        }
        if len(self.sides) == 2 or not rendered:
            return "\n".join(rendered.values())
        from ..reports import history as tables

        table = tables.history({new: step.table for (_, new), step in self.steps.items()})
        if form == "json":
            content = {
                "history": json.loads(tables.history_json(table)),
                "steps": {name: json.loads(text) for name, text in rendered.items()},
            }
            return json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        if form == "html":
            first = next(iter(rendered.values()))
            bodies = (re.sub(r"(?s).*<body[^>]*>|</body>.*", "", t) for t in rendered.values())
            both = tables.history_html(table) + "<hr>\n".join(bodies)
            start, end = _around_body(first)
            return f"{start}{both}{end}"
        parts: list[str] = []
        if form != "github":
            shown = tables.history_markdown if form == "markdown" else tables.history_text
            parts.append(shown(table))
        return "\n".join([*parts, *rendered.values()])


def _around_body(document: str) -> tuple[str, str]:
    found = re.search(r"(?s)^(.*<body[^>]*>)(?:.*)(</body>.*)$", document)
    return (found[1], found[2]) if found else ("", "")


def upgrade(
    versions: Sequence[str],
    *,
    python: Sequence[str] = (),
    extra: Sequence[str] = (),
    options: Options | None = None,
    out: str | os.PathLike[str] = FOLDER,
    tell: Tell = lambda line: None,
) -> Upgrade:
    """Build an environment for each version, judge them all, compare each with the next.

    ``versions`` are pins such as ``keras==3.9.2``, several of one side separated by commas; their
    distributions say which frameworks are judged. ``extra`` pins are installed on every side.
    ``python`` is one interpreter for all, or one for each.

    Raises UsageError for what cannot be read, unknown names, and environments that cannot be built.
    """
    options = options or Options()
    options.check()
    if len(versions) < 2:
        raise UsageError(
            "two versions or more are compared, such as 'keras==3.9.2' 'keras==3.15.1'"
        )
    sides = _prepared(versions, python, extra, Path(out), tell)
    _judge(sides, options, tell)
    return Upgrade(sides, dict(_compared(sides)))


# -- environments --------------------------------------------------------------------------------


def _prepared(
    versions: Sequence[str],
    python: Sequence[str],
    extra: Sequence[str],
    out: Path,
    tell: Tell,
) -> list[Side]:
    """The sides, each with its environment."""
    if len(python) not in (0, 1, len(versions)):
        raise UsageError(f"--python was given {len(python)} times; once, or once for each version")
    given = python or (None,)
    bases = given if len(given) == len(versions) else [given[0]] * len(versions)
    beside = [r for text in extra for r in pins(text)]
    sides: list[Side] = []
    for text in versions:
        name = base = re.sub(r"[^\w.]+", "-", text).strip("-")
        taken = {side.folder.name for side in sides}
        number = 1
        while name in taken:
            number += 1
            name = f"{base}-{number}"
        sides.append(Side(text, out / name, pins(text)))
    wrong: list[str] = []
    for side, chosen in zip(sides, bases, strict=True):
        tell(f"{side.text}: environment")
        try:
            side.python = build(complete([*beside, *side.requirements]), chosen)
            _survey(side)
        except UsageError as error:
            wrong.append(str(error))
    if wrong:
        raise UsageError("; ".join(dict.fromkeys(wrong)))
    return sides


def _survey(side: Side) -> None:
    """Which frameworks a side's pins are about."""
    with interpreter(side.python) as judge:
        facts = judge.describe(None)
    pinned = {canonicalize_name(r.name) for r in side.requirements}
    here = {n: f for n, f in facts["frameworks"].items() if f["version"] is not None}
    side.frameworks = [
        name
        for name, found in here.items()
        if pinned & {canonicalize_name(d) for d in found["distributions"]}
    ]
    side.versions = facts["packages"]
    if not side.frameworks:
        known = ", ".join(sorted({d for f in here.values() for d in f["distributions"]}))
        raise UsageError(f"{side.text!r} pins no framework that can be judged; one of {known}")


# -- runs ----------------------------------------------------------------------------------------


def _judge(sides: Sequence[Side], options: Options, tell: Tell) -> None:
    """Run all sides, as many at once as there are processors and memory for."""
    processors = options.jobs or environment.processors()
    room = environment.memory() // (LEAST_MEMORY << 30) or len(sides)
    at_once = max(1, min(len(sides), processors, room))
    waiting, running = list(sides), list[_Running]()
    with terminable():
        try:
            while waiting or running:
                while waiting and len(running) < at_once:
                    side = waiting.pop(0)
                    jobs = max(1, processors // at_once)
                    running.append(_Running(side, options, jobs, tell))
                running = [one for one in running if one.goes_on()]
        finally:
            for one in running:
                one.end()


class _Running:
    """The process that judges one side: its lines are passed on, its results stay in its folder."""

    def __init__(self, side: Side, options: Options, jobs: int, tell: Tell) -> None:
        self.side, self.tell, self.said = side, tell, list[str]()
        command = [
            *(sys.executable, "-P", "-m", "nnconform", "run", "--python", str(side.python)),
            *("--frameworks", ",".join(side.frameworks), "--out", str(side.folder)),
            *("--profile", options.profile, "--seed", str(options.seed), "--jobs", str(jobs)),
            *(("--functions", options.functions) if options.functions else ()),
            *(("--dtypes", options.dtypes) if options.dtypes else ()),
        ]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said.append(line.rstrip())
            self.tell(line.rstrip())

    def goes_on(self) -> bool:
        """Whether it does; when it has ended, its side knows how."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(0.1)
        if self.process.returncode is None:
            return True
        self.reader.join()
        self.side.failure = self._failure()
        return False

    def _failure(self) -> str:
        from ..reports.table import RunError, incomplete, load

        kept = f"what it measured is kept in {self.side.folder}"
        if self.process.returncode not in (0, 1):
            last = next((line for line in reversed(self.said) if line), "no reason given")
            return f"{last.removeprefix('nnconform: ')}; {kept}"
        try:
            missing = incomplete(load(self.side.folder))
        except RunError as error:
            return str(error)
        return "; ".join(f"{n}: {' '.join(why.split())}; {kept}" for n, why in missing.items())

    def end(self) -> None:
        """Have it write what it measured, and end."""
        if self.process.poll() is None:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(60)
            self.process.kill()
        self.reader.join()


def _compared(sides: Sequence[Side]) -> Iterator[tuple[tuple[str, str], Comparison]]:
    from .comparison import compare

    for old, new in pairwise(sides):
        if old.judged and new.judged:
            yield (old.text, new.text), compare(old.folder, new.folder)


# -- where a change came from ----------------------------------------------------------------------


@dataclass
class Bisection:
    """The first release in which a function is not what it was, if there is one."""

    function: str
    old: str
    new: str
    #: the last release that is as the old one, the first that is not, and what changed; "" if none
    before: str = ""
    first: str = ""
    step: Comparison | None = None
    #: the releases that were judged, and whether they differ from the old one
    judged: dict[str, bool] = field(default_factory=dict)

    @property
    def said(self) -> str:
        """The answer in one line."""
        if not self.first:
            return f"{self.function} is in {self.new} what it was in {self.old}."
        name = self.new.partition("==")[0]
        count = f"{len(self.judged)} releases judged"
        return (
            f"{self.function} changed with {name} {self.first}; "
            f"{self.before} is as {self.old} ({count})."
        )

    def status(self, fail_on: Collection[str] = ()) -> int:
        """1 where something got worse, else 0."""
        return int(self.step is not None and self.step.failed(fail_on))

    def render(self, form: str, fail_on: Sequence[str] = ()) -> str:
        """The answer, and what changed, in that format."""
        from ..reports.comparison import render

        what = render(self.step, form, fail_on) if self.step is not None else ""
        if form == "json":
            facts: dict[str, Any] = {"function": self.function, "old": self.old, "new": self.new}
            facts |= {"before": self.before, "first": self.first, "judged": self.judged}
            step = json.loads(what) if what else None
            return json.dumps({**facts, "step": step}, indent=1, ensure_ascii=False) + "\n"
        return (
            what
            if what and form in ("html", "github")
            else f"{self.said}\n\n{what}".rstrip() + "\n"
        )


def bisect(
    old: str,
    new: str,
    function: str,
    *,
    python: str | None = None,
    extra: Sequence[str] = (),
    options: Options | None = None,
    out: str | os.PathLike[str] = FOLDER,
    tell: Tell = lambda line: None,
    releases: Callable[[str, Path], list[str]] | None = None,
) -> Bisection:
    """Find the first release between two in which a function changed, by halving.

    ``old`` and ``new`` are pins of one distribution each. It is taken for granted that what has
    changed stays changed. ``releases`` lists a distribution's, given an interpreter.

    Raises UsageError for pins of two distributions, and environments that cannot be built.
    """
    options = options or Options()
    options.functions = function
    options.check()
    name, low = _exact(old)
    other, high = _exact(new)
    if name != other or low >= high:
        raise UsageError(
            f"--bisect needs an older and a newer version of one distribution, not {old!r} and {new!r}"
        )
    made = Bisection(function, old, new)
    sides: dict[str, Side] = {}
    bases = [python] if python else []

    def side(version: str) -> Side:
        if version not in sides:
            text = f"{name}=={version}"
            (one,) = _prepared([text], bases, extra, Path(out), tell)
            _judge([one], options, tell)
            if one.failure:
                raise UsageError(f"{text}: {one.failure}")
            sides[version] = one
        return sides[version]

    def compared(earlier: str, later: str) -> Comparison:
        from .comparison import compare

        return compare(side(earlier).folder, side(later).folder)

    def differs(version: str) -> bool:
        made.judged[version] = bool(len(compared(str(low), version).table))
        tell(f"{name} {version}: {'not as' if made.judged[version] else 'as'} {low}")
        return made.judged[version]

    if not differs(str(high)):
        return made
    listed = (releases or _releases)(name, side(str(low)).python)
    between = sorted({Version(v) for v in listed if low < Version(v) < high})
    candidates = [str(low), *map(str, between), str(high)]
    same, changed = 0, len(candidates) - 1
    while changed - same > 1:
        middle = (same + changed) // 2
        if differs(candidates[middle]):
            changed = middle
        else:
            same = middle
    made.before, made.first = candidates[same], candidates[changed]
    made.step = compared(made.before, made.first)
    return made


def _exact(text: str) -> tuple[str, Version]:
    """The distribution and version of one exact pin."""
    found = pins(text)
    conditions = list(found[0].specifier)
    if len(found) != 1 or len(conditions) != 1 or conditions[0].operator != "==":
        raise UsageError(
            f"--bisect needs one exact pin a side, such as 'keras==3.9.2', not {text!r}"
        )
    return found[0].name, Version(conditions[0].version)


def _releases(name: str, python: Path) -> list[str]:
    """A distribution's releases on the package index that suit an interpreter; no pre-releases."""
    done = subprocess.CompletedProcess[str]([], 1, "", "")
    for own in (str(python), sys.executable):  # uv leaves pip out of what it makes
        command = [own, "-m", "pip", "index", "versions", "--disable-pip-version-check", name]
        done = subprocess.run(command, capture_output=True, text=True)
        if found := re.search(r"Available versions: (.*)", done.stdout):
            return [version.strip() for version in found[1].split(",")]
    reason = (done.stderr.strip() or "no answer").splitlines()[-1]
    raise UsageError(f"the releases of {name} cannot be listed: {reason}")
