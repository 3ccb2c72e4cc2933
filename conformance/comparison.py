"""Two runs compared: what changed in what callables compute, and the evidence for each change.

docs/compare.md explains how each kind of change is decided.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..reference.floats import float_of, is_float
from ..reports.comparison import CHANGES, COLUMNS, NUMBERS, Comparison
from ..reports.table import KEY, VERDICTS, rank, rows_of
from . import outputs, signatures
from .answers import (
    CONVENTIONS,
    Difference,
    Put,
    adapter_of,
    arrays,
    case_text,
    differences,
    number,
    shown,
    subject_of,
    ulps_between,
)
from .baseline import Kept, first, opened
from .error import Expected
from .selection import UsageError

if TYPE_CHECKING:
    from ..reports.table import Run

__all__ = ["Comparison", "compare"]

Row = dict[str, Any]
Answers = Mapping[str, Mapping[str, Any]]

#: the verdicts of what is right; ``fixed`` is a recorded divergence that no longer shows
RIGHT = frozenset({"pass", "limited", "fixed"})
#: (old, new) verdicts, both wrong, of which the new is worse
WORSE = {
    *(("known", v) for v in ("fail", "crash", "unsupported")),
    *(("fail", "crash"), ("unsupported", "crash")),
}
#: the aspects in which Hypothesis searches beyond the corpus
SEARCHED = frozenset({"value", "gradient", "reduction", "property"})
#: an error that shrank to this share of what it was, from more than 1 unit, shrank clearly
CLEARLY = 0.5
#: what was measured; where all of it is the same, so was what the callable did
_MEASURED = ("cases", "points", "max_abs", "max_rel", "max_ulp", "error")
#: kinds of differences that are about numbers
_NUMERIC = ("number", "NaN", "infinity")


def compare(
    old: str | os.PathLike[str] | Run,
    new: str | os.PathLike[str] | Run | None = None,
    *,
    modes: Sequence[str] | None = None,
) -> Comparison:
    """What changed between two runs: folders of runs or baselines, or what `load` returned.

    With two ``modes``, what was measured in the first of them in ``old`` is held against what was
    measured in the second in ``new``, or in the same run where there is no ``new``.

    Raises UsageError that names the file where one is no run, of another schema or damaged, and
    where the two have nothing in common.
    """
    if modes is None:
        if new is None:
            raise UsageError("two runs are compared, or two modes of one")
        before, after = opened(old), opened(new)
    else:
        if len(modes) != 2:
            raise UsageError(f"two modes are compared, such as eager,compiled; not {len(modes)}")
        before = opened(old)
        after = opened(new) if new is not None else before
        # both sides go by the name of the second, so that their measurements meet
        before, after = (
            _of_mode(k, m, modes[1]) for k, m in ((before, modes[0]), (after, modes[1]))
        )
    with np.errstate(all="ignore"):
        return _Join(before, after, None if modes is None else (modes[0], modes[1])).comparison()


def _of_mode(kept: Kept, mode: str, name: str) -> Kept:
    """What was measured in one mode, under the name of another. Raises UsageError for nothing."""
    table = kept.run.table
    has = sorted(table["mode"].unique())
    if mode not in has:
        raise UsageError(f"{kept.run.folder} has no mode {mode!r}; it has {', '.join(has)}")
    table = table[table["mode"] == mode].assign(mode=name)
    rows = {(*key[:-1], name): r for key, r in kept.outputs.rows.items() if key[-1] == mode}
    return replace(
        kept, run=replace(kept.run, table=table), outputs=replace(kept.outputs, rows=rows)
    )


# -- verdicts ------------------------------------------------------------------------------------------


def verdict_change(old: str, new: str) -> str:
    """The change that two verdicts alone make; empty if none."""
    if old == new or (old in RIGHT and new in RIGHT and "limited" not in (old, new)):
        return ""
    if old in RIGHT and new in RIGHT:
        return "improved" if old == "limited" else "drifted"
    if old in RIGHT or (old, new) in WORSE:
        return "regressed"
    if new in RIGHT:
        return "fixed"
    return "improved" if old == "crash" else ""


# -- two runs, joined ----------------------------------------------------------------------------------


@dataclass
class _Accuracy:
    """How accurate the results are that differ, on both sides."""

    old: float = float("nan")
    new: float = float("nan")
    ulp_old: float = float("nan")
    ulp_new: float = float("nan")
    #: 0 within the bound, 1 limited, 2 beyond
    level_old: int = 0
    level_new: int = 0

    def take(self, other: _Accuracy) -> None:
        for name in ("old", "new", "ulp_old", "ulp_new", "level_old", "level_new"):
            setattr(self, name, np.fmax(getattr(self, name), getattr(other, name)))


@dataclass
class _Join:
    """Two runs, and what is found while they are compared."""

    old: Kept
    new: Kept
    modes: tuple[str, str] | None = None
    rows: list[Row] = field(default_factory=list)
    unchanged: int = 0
    searched: int = 0
    rejudged: int = 0
    alone: Counter[str] = field(default_factory=Counter)

    # -- what can be compared ----------------------------------------------------------------

    @cached_property
    def facts(self) -> tuple[dict[str, Any], dict[str, Any]]:
        return self.old.run.environment, self.new.run.environment

    def same(self, *names: str) -> bool:
        """Whether the environments state these facts, and the same."""
        a, b = self.facts
        return all(a.get(n) is not None and a.get(n) == b.get(n) for n in names)

    @cached_property
    def same_corpus(self) -> bool:
        return self.same("corpus")

    @cached_property
    def bitwise(self) -> bool:
        return self.same_corpus and bool(self.old.outputs.rows and self.new.outputs.rows)

    @cached_property
    def judged_alike(self) -> bool:
        """Whether both runs judge the same answers alike."""
        enclosures = ["python-flint" in facts.get("packages", {}) for facts in self.facts]
        return self.same("nnconform") and enclosures[0] == enclosures[1]

    @cached_property
    def alike(self) -> bool:
        """Whether both runs searched alike."""
        a, b = self.facts
        minor = [".".join(str(facts.get("python", "")).split(".")[:2]) for facts in (a, b)]
        searchers = [facts.get("packages", {}).get("hypothesis") for facts in (a, b)]
        return (
            self.judged_alike
            and self.same("seed", "profile")
            and minor[0] == minor[1]
            and searchers[0] == searchers[1] is not None
        )

    def comparison(self) -> Comparison:
        import pandas as pd

        tables = [
            {tuple(row[c] for c in KEY): row for row in rows_of(kept.run.table)}
            for kept in (self.old, self.new)
        ]
        shared = [key for key in tables[0] if key in tables[1]]
        if not shared:
            said = [_measured(kept.run) for kept in (self.old, self.new)]
            raise UsageError(
                f"nothing to compare: no measurement is in both; OLD has {said[0]}, NEW {said[1]}"
            )
        gone = self.api({str(tables[0][key]["function"]) for key in shared})
        for key in shared:
            row = tables[1][key]
            at = (row["framework"], row["surface"], _path(row["callable"]))
            if at not in gone:
                self.row(tables[0][key], row)
        alone = [len(table) - len(shared) for table in tables]
        ordered = sorted(self.rows, key=_seriousness)
        table = pd.DataFrame(ordered, columns=[*COLUMNS])
        table = table.astype({c: "float64" if c in NUMBERS else "str" for c in COLUMNS})
        remarks = tuple(self.remarks(*alone))
        return Comparison(
            self.old.run, self.new.run, table, self.unchanged, remarks, self.modes or ()
        )

    # -- the api -------------------------------------------------------------------------------

    def api(self, functions: set[str]) -> set[signatures.Place]:
        """Rows for what changed in the callables of these functions; those that came or went."""
        records = [rows_of(kept.callables) for kept in (self.old, self.new)]
        found = [
            change
            for change in signatures.changes(*records)
            if functions & set(change.functions.split())
        ]
        moved = {
            (c.framework, c.surface, c.callable): c for c in found if c.what in ("removed", "added")
        }
        heirs = self.renamed(list(moved.values())) if self.bitwise else {}
        for change in found:
            at = (change.framework, change.surface, change.callable)
            if at in heirs.values():
                continue
            what, now = change.what, change.new
            if at in heirs:
                what, now = f"renamed to {heirs[at][2]}", moved[heirs[at]].new
            self.rows.append(
                _row(
                    framework=change.framework,
                    surface=change.surface,
                    function=change.functions,
                    callable=change.callable,
                    change="api",
                    what=what,
                    old=change.old,
                    new=now,
                    detail=change.detail,
                    reproducer=_lookup(change),
                )
            )
        missing = {
            signatures.place(row) for rows in records for row in rows if row["status"] == "missing"
        }
        return moved.keys() | missing

    def renamed(self, moved: list[signatures.Change]) -> dict[signatures.Place, signatures.Place]:
        """Callables that went, and those that came with the same outputs."""
        heirs: dict[signatures.Place, signatures.Place] = {}
        for gone in (c for c in moved if c.what == "removed"):
            before = _values(self.old, gone)
            for come in (c for c in moved if c.what == "added"):
                after = _values(self.new, come)
                common = before.keys() & after.keys()
                if (
                    (gone.framework, gone.functions) == (come.framework, come.functions)
                    and common
                    and all(before[c] == after[c] for c in common)
                    and (come.framework, come.surface, come.callable) not in heirs.values()
                ):
                    heirs[gone.framework, gone.surface, gone.callable] = (
                        come.framework,
                        come.surface,
                        come.callable,
                    )
                    break
        return heirs

    # -- one measurement in both runs ----------------------------------------------------------

    def row(self, old: Row, new: Row) -> None:
        """Rows for what changed in one measurement, if anything did."""
        pair = _Pair(self, old, new)
        found = list(pair.changes())
        self.unchanged += not found
        self.rows += found

    @cached_property
    def warned(self) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
        """All warnings that each side's frameworks gave anywhere, numbers masked."""
        sides = []
        for kept in (self.old, self.new):
            heard: dict[str, set[str]] = defaultdict(set)
            for (framework, *_), answers in kept.outputs.rows.items():
                for answer in answers.values():
                    heard[framework] |= set(map(_masked, answer.get("warnings", ())))
            sides.append(heard)
        return sides[0], sides[1]

    # -- what there is to say of the comparison itself -------------------------------------------

    def remarks(self, only_old: int, only_new: int) -> Iterator[str]:
        old, new = self.facts
        if not self.same_corpus:
            yield (
                f"The corpora differ ({old['corpus']} → {new['corpus']}): verdicts and the API are "
                "compared, bits are not."
            )
        elif not self.bitwise:
            side = "NEW" if self.old.outputs.rows else "OLD"
            yield f"{side} keeps no outputs: verdicts and the API are compared, bits are not."
        unlike = [
            f"{name} {_said(old.get(name))} → {_said(new.get(name))}"
            for name in ("profile", "seed", "selection", "nnconform")
            if old.get(name) != new.get(name)
        ]
        alone = f"{only_old:,} measurements are in OLD alone, {only_new:,} in NEW alone"
        if unlike:
            yield f"The runs were made differently ({'; '.join(unlike)}): {alone}."
        elif only_old or only_new:
            yield f"{alone}; they are not compared."
        if elsewhere := list(_elsewhere(old, new)):
            yield f"Other than the frameworks, which can explain a drift: {'; '.join(elsewhere)}."
        if self.searched:
            yield (
                f"Not counted: {self.searched:,} changed verdicts where no kept answer accounts for "
                "it, since the runs did not search or judge alike."
            )
        if self.rejudged:
            yield (
                f"Not counted: {self.rejudged:,} changed verdicts on identical measurements, which "
                "nnconform judges otherwise."
            )


def _measured(run: Run) -> str:
    table = run.table
    return (
        f"{len(table):,} of {', '.join(sorted(table['framework'].unique())) or 'nothing'} "
        f"({table['function'].nunique():,} functions)"
    )


def _elsewhere(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """What differs in the environments beside the frameworks."""
    for name in ("cpu", "platform", "python", "longdouble", "variables"):
        if old.get(name) != new.get(name):
            yield f"{name} {_said(old.get(name))} → {_said(new.get(name))}"
    before, after = old["packages"], new["packages"]
    ours = {n for f in (old, new) for n in f["frameworks"]}
    ours |= {
        d for f in (old, new) for e in f["frameworks"].values() for d in e.get("distributions", ())
    }
    for name in sorted({*before, *after} - ours):
        if before.get(name) != after.get(name):
            yield f"{name} {_said(before.get(name))} → {_said(after.get(name))}"


def _said(value: Any) -> str:
    if isinstance(value, dict):
        parts = [f"{k}={v}" for k, v in value.items() if v is not None]
        return ", ".join(parts) or ("none" if not value else "everything")
    return "none" if value is None else str(value)


def _path(name: str) -> str:
    """A callable's name below its surface, without the fixed arguments that a table shows."""
    return name.partition("(")[0]


def _masked(warning: str) -> str:
    return re.sub(r"0x[0-9a-f]+|\d+", "#", warning)


def _values(kept: Kept, change: signatures.Change) -> dict[tuple[str, ...], Any]:
    """The values that a callable gave, by dtype, reduction and case."""
    return {
        (name.removeprefix(change.callable), *rest, case): arrays(answer)[""]
        for (framework, surface, name, *rest), answers in kept.outputs.rows.items()
        if (framework, surface, _path(name)) == (change.framework, change.surface, change.callable)
        and rest[1] == "value"
        for case, answer in answers.items()
        if "value" in answer
    }


def _lookup(change: signatures.Change) -> str:
    """A script that shows a callable's signature, or its deprecation, on either version."""
    one = adapter_of(change.framework)
    if one is None:
        return ""
    path = f"{change.surface}.{change.callable}"
    if "deprecated" in change.what:
        return f"{one.preamble}\nhelp({path})"
    return f"{one.preamble}\nimport inspect\nprint(inspect.signature({path}))"


def _row(**values: Any) -> Row:
    return {c: values.get(c, float("nan") if c in NUMBERS else "") for c in COLUMNS}


def _seriousness(row: Row) -> tuple[Any, ...]:
    """The sort key of a row: the most serious first, alike rows side by side."""
    worst = VERDICTS.index(row["verdict_new"]) if row["change"] == "regressed" else 0
    growth = row["error_new"] / max(row["error_old"], 1.0)
    apart = row["ulp"]
    said = CONVENTIONS.index(row["what"]) if row["what"] in CONVENTIONS else 0
    return (
        CHANGES.index(row["change"]),
        worst,
        said,
        -growth if growth == growth and row["change"] == "drifted" else 0.0,
        -apart if apart == apart else 0.0,
        *(row[c] for c in ("function", "surface", "callable", "what")),
        *(rank(c, row[c]) for c in ("aspect", "dtype", "reduction")),
    )


# -- one measurement, in both runs ---------------------------------------------------------------------


class _Pair:
    """One measurement that both runs made."""

    def __init__(self, join: _Join, old: Row, new: Row) -> None:
        self.join, self.old, self.new = join, old, new
        self.aspect = new["aspect"]
        self.key = tuple(
            new[c]
            for c in ("framework", "surface", "callable", "dtype", "aspect", "reduction", "mode")
        )
        none: Answers = {}
        self.before: Answers = join.old.outputs.rows.get(self.key, none) if join.bitwise else none
        self.after: Answers = join.new.outputs.rows.get(self.key, none) if join.bitwise else none
        if any(kept.run.environment.get("baseline") for kept in (join.old, join.new)):
            self.before, self.after = map(self.short, (self.before, self.after))
        self.cases = [case for case in self.before if case in self.after]
        self._puts: dict[str, Put | None] = {}

    def short(self, answers: Answers) -> Answers:
        """The answers as far as a baseline keeps them."""
        if self.aspect == "special":
            return answers
        return {case: outputs.shortened(answer) for case, answer in answers.items()}

    def changes(self) -> Iterator[Row]:
        """The rows of what changed."""
        found = self.differences()
        warnings = [d for d in found if d.what == "warning"]
        moved = [d for d in found if d.what != "warning"]
        verdicts = self.old["verdict"], self.new["verdict"]
        change = verdict_change(*verdicts)
        if change and not self.counts(change, moved):
            change = ""
        told = f"{verdicts[0]} → {verdicts[1]}"
        if change and change != "drifted":
            yield self.judged(change, told, moved)
        else:
            yield from self.drifted(told if change else "", moved)
            for what in CONVENTIONS:
                if what != "warning" and (those := [d for d in moved if d.what == what]):
                    row = self.evidence("convention", what, those)
                    if verdicts[0] != verdicts[1]:  # neither better nor worse, but no secret
                        row["detail"] = told
                    yield row
        if warnings and not self.once(warnings):
            yield self.evidence("convention", "warning", warnings)

    def differences(self) -> list[Difference]:
        """All differences between the kept answers."""
        return [
            difference
            for case in self.cases
            if self.before[case] != self.after[case]
            for difference in differences(case, self.before[case], self.after[case], self.aspect)
        ]

    def counts(self, change: str, moved: list[Difference]) -> bool:
        """Whether a changed verdict says anything of the framework; counts those that do not."""
        join = self.join
        if not join.same_corpus:
            return True
        lost = join.bitwise and bool(self.before) != bool(self.after)
        if not moved and not lost:
            if all(_equal(self.old[c], self.new[c]) for c in _MEASURED):
                join.rejudged += 1
                return False
            searches = self.aspect in SEARCHED and not self.key[5].startswith("legacy")
            if not (join.alike if searches else join.judged_alike):
                join.searched += 1
                return False
            return True
        if lost or join.alike or self.aspect not in SEARCHED:
            return True
        # the answers differ, but is that why the verdict does?
        plain = [d for d in moved if d.what in _NUMERIC]
        if len(plain) < len(moved) or self.subject is None:
            return True
        accuracy = self.accuracy(plain)
        level = accuracy.level_old if change in ("fixed", "improved") else accuracy.level_new
        if level >= (1 if {self.old["verdict"], self.new["verdict"]} <= RIGHT else 2):
            return True
        join.searched += 1
        return False

    def once(self, warnings: list[Difference]) -> bool:
        """Whether a single warning, which libraries may give once a process, is elsewhere in the
        other run."""
        if len(warnings) > 1:
            return False
        case = warnings[0].case
        old, new = (
            Counter(map(_masked, side[case].get("warnings", ())))
            for side in (self.before, self.after)
        )
        elsewhere = self.join.warned
        framework = self.key[0]
        return all(t in elsewhere[1][framework] for t in old - new) and all(
            t in elsewhere[0][framework] for t in new - old
        )

    # -- rows ----------------------------------------------------------------------------------

    def judged(self, change: str, told: str, moved: list[Difference]) -> Row:
        """The row of a verdict that changed."""
        telling = self.telling(change, moved)
        row = self.evidence(change, told, moved, telling)
        side = self.new if change == "regressed" else self.old
        row["detail"] = _why(side)
        if not moved:
            # the answers are the same, or lost: what the search found, or a case of the row
            side = self.new if self.new["worst"] or change == "regressed" else self.old
            row |= _searched(side, *(("new", self.old) if side is self.new else ("old", self.new)))
            if not row["case"]:
                row |= self.some_case()
        return row

    def telling(self, change: str, moved: list[Difference]) -> list[Difference]:
        """The differences because of which the verdict changed, where that can be told."""
        late = change == "regressed"
        found = []
        for difference in moved:
            if difference.what == "exception":
                raised = (self.after if late else self.before)[difference.case]
                if "raised" in raised:
                    found.append(difference)
            elif difference.what in _NUMERIC:
                accuracy = self.accuracy([difference])
                level = accuracy.level_new if late else accuracy.level_old
                if level >= (1 if change == "improved" else 2):
                    found.append(difference)
        return found

    def drifted(self, told: str, moved: list[Difference]) -> Iterator[Row]:
        """The row of numbers that differ, or of a result that is no longer quite as good."""
        numbers = [d for d in moved if d.what == "number"]
        if not numbers and not told:
            return
        parts = sorted({d.of for d in numbers})
        of = [f"gradient by {name}" if name else "value" for name in parts]
        row = self.evidence("drifted", told or ", ".join(of), numbers)
        old, new = row["error_old"], row["error_new"]
        if not told and old > 1 and new <= CLEARLY * old:
            row["change"] = "improved"
        if not numbers:
            row |= _searched(self.new, "new", self.old)
        elif not told and max(old, new) > 1 and not _equal(old, new):
            row["detail"] = "error shrunk" if new < old else "error grown"
        yield row

    def evidence(
        self,
        change: str,
        what: str,
        found: list[Difference],
        telling: Sequence[Difference] = (),
    ) -> Row:
        """A row, with the smallest case that shows the difference."""
        numeric = [d for d in found if d.what in _NUMERIC]
        accuracy = self.accuracy(numeric) if change != "convention" else _Accuracy()
        row = _row(
            **{c: self.new[c] for c in KEY},
            change=change,
            what=what,
            verdict_old=self.old["verdict"],
            verdict_new=self.new["verdict"],
            results=float(sum(d.results for d in found)),
            of=float(self.size) if any(d.index is not None for d in found) else float("nan"),
            ulp=float(np.fmax.reduce([d.ulp for d in found], initial=np.nan)),
            error_old=accuracy.old,
            error_new=accuracy.new,
            ulp_error_old=accuracy.ulp_old,
            ulp_error_new=accuracy.ulp_new,
        )
        if not found:
            row["results"] = float("nan")
            return row
        best = min(
            telling or found,
            key=lambda d: (self.elements(d.case), bool(d.of), -np.nan_to_num(d.ulp), d.case),
        )
        if change != "convention" and best.what in _NUMERIC:
            best = self.worst_element(best, change)
        return row | self.shown(best)

    def shown(self, difference: Difference) -> Row:
        """The case of a difference, cut where possible, both answers, the exact one, a script."""
        case = difference.case
        old, new = (shown(side[case], difference) for side in (self.before, self.after))
        put = self.put(case)
        if put is None:
            return {"old": old, "new": new}
        of, index = difference.of, difference.index
        expected = put.expected.get(of)
        exact = ""
        if self.aspect == "invalid":
            exact = "nothing: the call is illegal"
        elif expected is not None:
            if index is None:
                size = expected.want.size
                exact = (
                    ", ".join(map(number, expected.want.ravel()))
                    if size <= 8
                    else f"an array of shape {expected.want.shape}"
                )
            elif len(index) == expected.want.ndim:
                exact = number(expected.want[index])
        part, upstream = put.whole(of) if difference.placed else put.part(of, index)
        if part is not put and index is not None and of in part.expected:
            sizes = part.expected[of].want.shape
            index = tuple(0 if size == 1 else at for at, size in zip(index, sizes, strict=False))
        versions = [row["version"] for row in (self.old, self.new)]
        if self.join.modes:
            versions = list(self.join.modes)
        elif versions[0] == versions[1]:
            versions = ["old", "new"]
        answers = [f"{v}: {_line(a)}" for v, a in zip(versions, (old, new), strict=True)]
        comment = ", ".join([*answers, *([f"exact: {_line(exact)}"] if exact else [])])
        return {
            "old": old,
            "new": new,
            "oracle": exact,
            "case": case_text(part, of, index),
            "reproducer": part.reproducer(upstream, of, comment, index),
        }

    def some_case(self) -> Row:
        """The smallest case of a row whose answers were lost, since the process was."""
        either = self.before or self.after
        if not either:
            return {}
        case = min(either, key=lambda c: (self.elements(c), c))
        put = self.put(case)
        if put is None:
            return {}
        return {
            "case": case_text(put, "", None),
            "reproducer": put.reproducer(None, "", "a case of those that were put"),
        }

    # -- cases, and what is exact ----------------------------------------------------------------

    @cached_property
    def subject(self) -> Any:
        return subject_of(*self.key)

    def line(self, case: str) -> Mapping[str, Any] | None:
        """A case as it was kept; None where both sides are baselines, which keep none."""
        sides = (self.join.new, self.join.old)
        return next((k.outputs.cases[case] for k in sides if case in k.outputs.cases), None)

    def put(self, case: str) -> Put | None:
        if case not in self._puts:
            line = self.line(case)
            known = self.subject is not None and line is not None
            self._puts[case] = Put.of(self.subject, line) if known and line else None
        return self._puts[case]

    def elements(self, case: str) -> int:
        line = self.line(case)
        return sum(_size(text) for text in line["inputs"].values()) if line else 0

    @cached_property
    def size(self) -> int:
        """How many results both sides have."""
        return sum(
            min(_size(text), outputs.HEAD) if text.count(" ") > 2 else _size(text)
            for case in self.cases
            for of, text in arrays(self.before[case]).items()
            if of in arrays(self.after[case])
        )

    def accuracy(self, found: Iterable[Difference]) -> _Accuracy:
        """How accurate the results are in which numbers differ."""
        total = _Accuracy()
        for case, of in sorted({(d.case, d.of) for d in found}):
            total.take(self._accuracy(case, of)[0])
        return total

    def _accuracy(self, case: str, of: str) -> tuple[_Accuracy, np.ndarray, np.ndarray]:
        """The accuracy of what differs in one array, and the errors by element on both sides."""
        nothing = np.zeros(0)
        put = self.put(case)
        expected = put.expected.get(of) if put else None
        old, new = (outputs.read(arrays(side[case])[of]) for side in (self.before, self.after))
        sides = (old, new)
        if put is None or expected is None or not (is_float(old) and is_float(new)):
            return _Accuracy(), nothing, nothing
        if {old.shape, new.shape} != {expected.want.shape}:
            return _Accuracy(), nothing, nothing
        bits = f"u{old.dtype.itemsize}"
        differ = old.view(bits) != new.view(bits) if old.dtype == new.dtype else old == old
        if not differ.any():
            return _Accuracy(), nothing, nothing
        errors = [np.where(differ, expected.error(got, put.kind), 0) for got in sides]
        accuracy = _Accuracy(
            float(errors[0].max()),
            float(errors[1].max()),
            _ulp_error(old, expected, differ),
            _ulp_error(new, expected, differ),
            _level(old, errors[0], expected, put, differ),
            _level(new, errors[1], expected, put, differ),
        )
        return accuracy, errors[0], errors[1]

    def worst_element(self, difference: Difference, change: str) -> Difference:
        """The difference, pointing at the element that is worst on the side that is worse."""
        _, old, new = self._accuracy(difference.case, difference.of)
        errors = old if change in ("fixed", "improved") else new
        if not errors.size or change == "drifted":
            return difference
        index = tuple(map(int, np.unravel_index(int(np.argmax(errors)), errors.shape)))
        return Difference(
            *(difference.case, difference.what, difference.of, index),
            *(difference.results, difference.ulp),
        )


def _ulp_error(got: np.ndarray, expected: Expected, where: np.ndarray) -> float:
    """The largest distance to the exact result rounded to the dtype, in numbers of the dtype."""
    want = np.asarray(float_of(got.dtype.name).rounded(expected.want))
    distance = np.where(np.isnan(want) | np.isnan(got), 0, ulps_between(got, want))
    return float(distance[where].max())


def _level(
    got: np.ndarray, error: np.ndarray, expected: Expected, put: Put, where: np.ndarray
) -> int:
    beyond = where & (error > expected.bound)
    if not beyond.any():
        return 0
    limited = expected.limited_error(got, put.kind) <= expected.bound
    return 1 if limited[beyond].all() else 2


def _why(row: Row) -> str:
    """What a run's table says of a verdict: of a known divergence its record, else the first note."""
    records = [line for line in row["note"].split("\n") if line.startswith("[")]
    return records[0] if row["verdict"] == "known" and records else first(row["note"])


def _searched(row: Row, side: str, other: Row) -> Row:
    """The evidence that a run's table has for a verdict: its worst case. What the other run answered
    there was not kept."""
    if not row["worst"]:
        return {}
    worst = json.loads(row["worst"])
    oracle, got = (str(worst.pop(name, "")) for name in ("want", "got"))
    if oracle == got == "nan":  # a rule was broken, not a number wrong
        oracle, got = "", _why(row)
    return {
        "case": json.dumps(worst, ensure_ascii=False),
        "oracle": oracle,
        side: got,
        "old" if side == "new" else "new": f"not kept ({other['verdict']})",
        "reproducer": row["reproducer"],
    }


def _size(text: str) -> int:
    """How many elements an array has, from its text."""
    return math.prod(outputs.sizes_of(text))


def _line(text: str) -> str:
    return " ".join(text.split())[:200]


def _equal(a: Any, b: Any) -> bool:
    return bool(a == b or (a != a and b != b))
