"""Measurements: outcomes held against the oracle, gathered into one table row.

A :class:`Subject` is what a row is about; a :class:`Measurement` gathers the row while a test runs.
Every judgement of an aspect goes through :meth:`Measurement.judge` (numbers against an
:class:`~.error.Expected`), :meth:`Measurement.raised` (an exception where there should be a value)
or :meth:`Measurement.check` (a rule), so that records, worst cases and verdicts have one home.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from ..adapters.interface import EAGER, Adapter, Binding, Call, Spelling
from ..reference import catalogue
from ..reference.floats import Float, float_of, is_float
from ..reference.function import Function
from ..reference.outcome import Outcome
from . import divergences, outputs
from .adjudication import Undecided
from .cases import Case
from .curves import Curve
from .error import BOUND, Expected, Judge, ulps

Array = np.ndarray


class Divergence(AssertionError):
    """A result outside its bound, or a broken rule, that no record covers."""


@dataclass(frozen=True)
class Subject:
    """What one table row is about."""

    adapter: Adapter
    binding: Binding
    dtype: str
    aspect: str
    reduction: str
    spelling: Spelling | None = None
    mode: str = EAGER

    @property
    def id(self) -> str:
        """How pytest names it."""
        parts = [self.binding.id, self.dtype, self.reduction]
        parts.append("" if self.mode == EAGER else self.mode)
        return "-".join(filter(None, parts))

    @cached_property
    def function(self) -> Function:
        return catalogue()[self.binding.function]

    @property
    def kind(self) -> Float:
        return float_of(self.dtype)

    @cached_property
    def identity(self) -> dict[str, Any]:
        """The identifying columns."""
        return {
            "function": self.binding.function,
            "kind": self.function.kind,
            "framework": self.adapter.name,
            "surface": self.binding.surface.name,
            "callable": self.binding.name,
            "version": self.adapter.version,
            "device": self.adapter.device,
            "mode": self.mode,
            "dtype": self.dtype,
            "aspect": self.aspect,
            "reduction": self.reduction,
        }

    @cached_property
    def records(self) -> tuple[divergences.Record, ...]:
        """The recorded divergences that speak of this row."""
        known = divergences.records_of(self.adapter)
        return tuple(r for r in known if r.applies(self.identity, self.adapter.versions))

    def fitted(self) -> Subject:
        """The same row, its binding as this version of the framework takes it.

        Raises Unavailable where it has no such callable, or one that does not know a parameter.
        """
        binding = self.adapter.fitted(self.binding, self.spelling, self.dtype)
        return self if binding is self.binding else replace(self, binding=binding)

    # -- making and judging calls ----------------------------------------------------------------

    def call(self, case: Case, extra: Mapping[str, Any] | None = None) -> Call:
        given = (case.inputs, case.params, self.spelling, self.dtype, extra or {})
        return replace(self.binding.call(*given), mode=self.mode)

    def expected(self, case: Case) -> Judge:
        """The oracle's side of a case, under this callable's dialect."""
        dialect = self.binding.resolved_dialect(case.inputs, case.params, self.dtype)
        return Judge(
            self.function,
            case.arguments(dialect),
            self.kind,
            self.spelling.meaning if self.spelling else "none",
            self.binding.rows,
            case.sample_weight,
        )

    def differentiated(self, case: Case) -> list[str]:
        """The inputs of a case with respect to which gradients are taken."""
        return [
            name
            for name in self.function.differentiable
            if self.adapter.gradients and name in case.inputs and is_float(case.inputs[name])
        ]

    def names(self, case: Case) -> dict[str, Any]:
        """What a record's expressions can speak of, apart from ``got`` and ``want``."""
        dialect = self.binding.resolved_dialect(case.inputs, case.params, self.dtype)
        optional = {n: None for n, spec in self.function.inputs.items() if spec.optional}
        weight = {"sample_weight": case.sample_weight}
        return {
            **optional,
            **weight,
            **case.arguments(dialect),
            "dtype": self.dtype,
            "u": self.kind.u,
            "tiny": self.kind.tiny,
            "largest": self.kind.largest,
        }


@dataclass
class Worst:
    """The case behind the largest error."""

    error: float
    case: Case
    index: tuple[int, ...]
    want: float
    got: float
    of: str
    tolerance: float
    call: Call

    def numbers(self, form: str) -> tuple[str, str]:
        """What was wanted and what came, in that format; nothing where a rule was broken."""
        if np.isnan(self.tolerance):
            return "", ""
        return form.format(self.want), form.format(self.got)


@dataclass(repr=False)
class Measurement:
    """One table row in the making."""

    subject: Subject
    cases: int = 0
    points: int = 0
    max_abs: float = 0.0
    max_rel: float = 0.0
    max_ulp: float = 0.0
    error: float = 0.0
    worst: Worst | None = None
    limited: bool = False
    failure: str = ""
    shown: dict[str, divergences.Record] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)
    refusal: str = ""
    crashed: str = ""
    bound: float = BOUND
    #: what → how many results an enclosure found right that the oracle held for wrong, and the first
    _refuted: dict[str, tuple[int, str]] = field(default_factory=dict)
    #: the cases that every run puts, and what came of them; not those of the search
    put: dict[str, dict[str, Any]] = field(default_factory=dict)
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    searching: bool = False
    #: the largest error by where the input lies, for functions of one element
    curve: Curve | None = None
    #: None before the corpus was judged, then its failure or False
    corpus_failure: AssertionError | bool | None = None

    def note(self, text: str) -> None:
        """Add a remark to the row, once."""
        self.notes.setdefault(" ".join(text.split()))

    def keep(self, case: Case, outcome: Outcome, extra: Mapping[str, Any] | None = None) -> None:
        """Keep what came of a case, and of extra keywords, bit for bit."""
        if self.searching or self.subject.aspect not in outputs.ASPECTS:
            return
        params = {**case.params, **(extra or {})}
        line = outputs.case_line(case.function.name, case.dtype, case.inputs, params)
        self.put.setdefault(line["case"], line)
        self.outputs.setdefault(line["case"], {}).update(outputs.answer(outcome))

    # -- judgements ------------------------------------------------------------------------------

    def judge(
        self,
        case: Case,
        call: Call,
        got: Array,
        expected: Expected,
        of: str = "",
        names: Mapping[str, Any] | None = None,
    ) -> None:
        """Hold numbers against what is expected; raises :class:`Divergence` for the rest."""
        subject, kind = self.subject, self.subject.kind
        what = f"the gradient with respect to {of}" if of else "the value"
        if got.shape != expected.want.shape:
            message = f"{what} has shape {got.shape}, not {expected.want.shape}"
            self.check(case, call, False, message, names)
            return
        if not is_float(got):
            self.check(case, call, False, f"{what} has dtype {got.dtype}", names)
            return
        if got.dtype != kind.dtype:
            self.note(f"{what} comes back as {got.dtype.name}")
        wide = got.astype(expected.want.dtype)

        def held() -> tuple[Array, bool]:
            """The wrong elements that no record covers, and whether there are limited ones."""
            excess = expected.error(got, kind) > expected.bound
            limited = excess & (expected.limited_error(got, kind) <= expected.bound)
            wrong = excess & ~limited
            if wrong.any():
                context = {**(names or subject.names(case)), **expected.names(), "got": wide}
                wrong &= ~self._covered(wrong, context, of)
            return wrong, bool(limited.any())

        wrong, limited = held()
        oracles, confirmed, said = expected.want, None, ""
        if wrong.any() and expected.question is not None:
            expected, confirmed, said = self._adjudicated(wrong, got, expected, what)
            wrong, limited = held()
        distance, error = expected.absolute(got, kind), expected.error(got, kind)
        self.limited |= limited
        self.bound = max(self.bound, expected.bound)
        self._tally(case, call, wide, expected, distance, error, of, limited)
        self._draw(case, expected, distance, of)
        if wrong.any():
            if confirmed is None or not wrong[confirmed]:
                confirmed, said = where_largest(np.where(wrong, error, -1)), ""
            index = confirmed
            at = f" at {index}" if index else ""
            self._fail(
                case,
                call,
                f"{what}{at} is {wide[index]!s}, the oracle says {oracles[index]!s}: error "
                f"{error[index]:.4g} where {expected.bound:g} is allowed (in units of u·scale)"
                f"{said}",
                Worst(
                    float(error[index]),
                    case,
                    index,
                    float(expected.want[index]),
                    float(wide[index]),
                    of,
                    float(expected.tolerance(kind, limited=False)[index]),
                    call,
                ),
            )

    def _adjudicated(
        self, wrong: Array, got: Array, expected: Expected, what: str
    ) -> tuple[Expected, tuple[int, ...] | None, str]:
        """Ask an enclosure about the wrong elements, worst first, until it confirms that one is.

        Returns what is expected, corrected where it was asked; the element that is wrong or that
        could not be asked about, if there is one; and what there is to say of it.
        """
        question, kind = expected.question, self.subject.kind
        assert question is not None
        want, scale = np.array(expected.want), np.array(expected.scale)
        corrected = replace(expected, want=want, scale=scale)  # the arrays are filled in below
        severity = np.where(wrong, -expected.error(got, kind), np.inf)
        for at in np.argsort(severity, axis=None, kind="stable")[: np.count_nonzero(wrong)]:
            index = tuple(map(int, np.unravel_index(at, wrong.shape)))
            try:
                low, high = question.interval(index, wrong.shape)
                exact = np.clip(got[index].astype(want.dtype), low, high)
                want[index] = low if np.isnan(exact) else exact
                before = expected.want[index]
                with np.errstate(invalid="ignore"):
                    near = np.abs(want[index] - before) <= kind.u * scale[index]
                if not near and want[index] != before:
                    scale[index] = max(scale[index], question.scale(index, wrong.shape))
            except Undecided as reason:
                return corrected, index, f"; not adjudicated: {reason}"
            if corrected.limited_error(got, kind)[index] > expected.bound:
                says = f"; an enclosure confirms it: the exact result is {want[index]!s}"
                return corrected, index, says
            count, first = self._refuted.get(what, (0, ""))
            here = f"{f'at {index} ' if index else ''}it says {expected.want[index]!s}"
            self._refuted[what] = (
                count + 1,
                first or f"{here}, the exact result is {want[index]!s}",
            )
        return corrected, None, ""

    def equate(
        self,
        case: Case,
        call: Call,
        what: str,
        got: Array,
        expected: Expected,
        names: Mapping[str, Any],
    ) -> None:
        """Hold a statement between results; ``got`` is widened already."""
        kind = self.subject.kind
        error = expected.error(got, kind)
        distance = expected.absolute(got, kind)
        self._tally(case, call, got, expected, distance, error, "", False)
        wrong = error > expected.bound
        if wrong.any():
            wrong &= ~self._covered(wrong, {**names, **expected.names(), "got": got}, "")
        if wrong.any():
            index = np.unravel_index(int(np.argmax(np.where(wrong, error, -1))), wrong.shape)
            message = f"{what} does not hold: {got[index]!s} is not {expected.want[index]!s}"
            self._fail(case, call, message, self._without_numbers(case, call))

    def check(
        self,
        case: Case,
        call: Call,
        holds: bool,
        message: str,
        names: Mapping[str, Any] | None = None,
        of: str = "",
    ) -> None:
        """A rule: raises :class:`Divergence` with the message unless it holds or is recorded."""
        if holds:
            return
        self.error = np.inf
        if self._covered(np.ones((), bool), names or self.subject.names(case), of).all():
            self.worst = self.worst or self._without_numbers(case, call)
            return
        self._fail(case, call, message, self._without_numbers(case, call))

    def raised(self, case: Case, call: Call, outcome: Outcome) -> None:
        """An exception where the documentation promises a value."""
        error = outcome.error
        assert error is not None
        text = f"{type(error).__name__}: {error}".strip()
        if self.subject.adapter.unsupported(error):
            self.refusal = self.refusal or first_line(text)
            return
        if lacking := self.subject.adapter.lacking(error, call):
            self.refusal = self.refusal or lacking
            return
        self.error = np.inf
        names = self.subject.names(case)
        # the reproducer takes the gradient where that is what was asked for
        by = self.subject.differentiated(case) if self.subject.aspect == "gradient" else []
        shown = self._without_numbers(case, call, next(iter(by), ""))
        for record in self.subject.records:
            if record.raises and record.raises in text and record.covers((), names).all():
                self.shown[record.id] = record
                self.worst = self.worst or shown
                return
        self._fail(case, call, f"raises {first_line(text)}", shown)

    def _without_numbers(self, case: Case, call: Call, of: str = "") -> Worst:
        return Worst(np.inf, case, (), np.nan, np.nan, of, np.nan, call)

    def _covered(self, wrong: Array, names: Mapping[str, Any], of: str) -> Array:
        covered = np.zeros(wrong.shape, bool)
        for record in self.subject.records:
            if not record.raises:
                these = wrong & record.covers(wrong.shape, names, of)
                if these.any():
                    self.shown[record.id] = record
                    covered |= these
        return covered

    def _tally(
        self,
        case: Case,
        call: Call,
        got: Array,
        expected: Expected,
        distance: Array,
        error: Array,
        of: str,
        limited: bool,
    ) -> None:
        if not error.size:
            return
        self.points += error.size
        with np.errstate(all="ignore"):
            size = np.abs(expected.want)
            relative = np.where(distance == 0, 0, distance / size)
            in_ulps = ulps(distance, expected.want, self.subject.kind)
        self.max_abs = max(self.max_abs, float(distance.max()))
        self.max_rel = max(self.max_rel, float(relative.max()))
        self.max_ulp = max(self.max_ulp, float(in_ulps[~np.isnan(in_ulps)].max(initial=0)))
        top = float(error.max())
        if self.worst is None or top > self.error:
            index = np.unravel_index(int(error.argmax()), error.shape)
            self.worst = Worst(
                top,
                case,
                tuple(map(int, index)),
                float(expected.want[index]),
                float(got[index]),
                of,
                float(expected.tolerance(self.subject.kind, limited=limited)[index]),
                call,
            )
        self.error = max(self.error, top)

    def _draw(self, case: Case, expected: Expected, distance: Array, of: str) -> None:
        """Take the errors into the curve, where each result belongs to one element of the input."""
        subject, kind = self.subject, self.subject.kind
        name, x = next(iter(case.inputs.items()))
        if (
            subject.aspect not in ("value", "gradient")
            or subject.function.inputs[name].shape != "S"
            or subject.function.coupled
            or subject.binding.rows
            or x.shape != expected.want.shape
            or not is_float(x)
            or of not in ("", name)
        ):
            return
        if self.curve is None:
            self.curve = Curve(name)
        allowed = expected.tolerance(kind, limited=False)
        self.curve.add(
            x.astype(np.float64),
            *(ulps(d, expected.want, kind) for d in (distance, allowed)),
        )

    def _fail(self, case: Case, call: Call, message: str, worst: Worst) -> None:
        # Hypothesis comes here again while it shrinks: the last one is the smallest
        self.failure = message
        self.worst = worst
        small = sum(v.size for v in case.inputs.values()) <= 64
        reproducer = (
            self.subject.adapter.reproducer(call, *worst.numbers("{}"), worst.of)
            if small
            else f"(the case is large; the row's reproducer is its smallest part)\n{call.path}"
        )
        shown = {k: v.tolist() if small else f"shape {v.shape}" for k, v in case.inputs.items()}
        raise Divergence(
            f"{self.subject.binding.id} ({self.subject.dtype}"
            f"{', ' + self.subject.reduction if self.subject.reduction else ''}): {message}\n"
            f"inputs: {shown}\nparams: {case.params}\nreproduce with:\n{reproducer}"
        )

    # -- the row -----------------------------------------------------------------------------------

    def crash(self, reason: str) -> None:
        """The process could not finish this row."""
        self.crashed = reason

    @property
    def verdict(self) -> str:
        if self.crashed:
            return "crash"
        if self.failure:
            return "fail"
        if self.refusal and not self.points:
            return "unsupported"
        if self.stale:
            return "fixed"
        if self.shown:
            return "known"
        return "limited" if self.limited else "pass"

    @property
    def stale(self) -> list[str]:
        """Records that speak of this row and did not show."""
        if self.refusal and not self.points:
            return []
        return [
            r.id
            for r in self.subject.records
            if r.id not in self.shown and r.must_show(self.subject.mode)
        ]

    def row(self) -> dict[str, Any]:
        """The table row."""
        notes = list(self.notes)
        for what, (count, first) in self._refuted.items():
            notes.append(
                f"adjudicated: {what} was judged by an enclosure at {count} "
                f"point{'s' * (count > 1)}, the oracle being off: {first}"
            )
        if self.crashed:
            notes.insert(0, self.crashed)
        if self.refusal:
            notes.insert(0, self.refusal)
        if self.failure:
            notes.insert(0, self.failure)
        if self.verdict == "fixed":
            notes.insert(
                0, f"no longer shows: {', '.join(self.stale)}; update its record in divergences/"
            )
        notes += [record.note for _, record in sorted(self.shown.items())]
        worst, reproducer, tolerance = self._worst_case()
        return {
            **self.subject.identity,
            "cases": self.cases,
            "points": self.points,
            "max_abs": self.max_abs,
            "max_rel": self.max_rel,
            "max_ulp": self.max_ulp,
            "error": self.error,
            "bound": self.bound,
            "tolerance": tolerance,
            "verdict": self.verdict,
            "worst": worst,
            "reproducer": reproducer,
            "note": "\n".join(notes),
        }

    def _worst_case(self) -> tuple[str, str, float]:
        if self.worst is None:
            return "", "", float("nan")
        w = self.worst
        case, call = w.case, w.call
        if w.error < np.inf or not np.isnan(w.want):
            case = smallest_part(w.case, w.index, self.subject)
            if case is not w.case:
                call = self.subject.call(case)
        report = {
            "inputs": {k: _plain(v) for k, v in case.inputs.items()},
            "params": {k: _plain(v) for k, v in case.params.items()},
            "want": _plain(w.want),
            "got": _plain(w.got),
        }
        if w.of:
            report["gradient of"] = w.of
        reproducer = self.subject.adapter.reproducer(call, *w.numbers("{:.9g}"), w.of)
        return json.dumps(report, ensure_ascii=False), reproducer, w.tolerance


def smallest_part(case: Case, index: tuple[int, ...], subject: Subject) -> Case:
    """The part of a case that alone determines one element of the result: an element, or a sample."""
    function = case.function
    if subject.spelling is not None and subject.spelling.meaning != "none":
        return case
    if subject.binding.rows or "sample_weight" in case.inputs or not index:
        return case
    shapes = {name: function.inputs[name].shape for name in case.inputs}
    first = next(iter(case.inputs.values()))
    inputs: dict[str, Array] = {}
    if set(shapes.values()) == {"S"} and not function.coupled and len(index) == first.ndim:
        if any(a.shape != first.shape for a in case.inputs.values()):
            return case
        inputs = {
            n: a[index].reshape((1,) * subject.binding.min_rank) for n, a in case.inputs.items()
        }
    elif all("N" in s.split() or s == "C" for s in shapes.values()) and "P" not in "".join(
        shapes.values()
    ):
        at = index[1] if "T" in shapes[next(iter(shapes))] and len(index) == 3 else index[0]
        for name, array in case.inputs.items():
            tokens = shapes[name].split()
            axis = tokens.index("N") if "N" in tokens else -1
            inputs[name] = array if axis < 0 else np.take(array, [at], axis=axis)
    else:
        return case
    return Case(function, case.dtype, inputs, case.params)


def _plain(value: Any) -> Any:
    """A JSON value that reads back as the same number."""
    if isinstance(value, np.ndarray):
        if value.size > 256:
            return f"array of shape {value.shape}"
        return _plain(value.astype(np.float64).tolist() if is_float(value) else value.tolist())
    if isinstance(value, list):
        return [_plain(v) for v in value]
    if isinstance(value, (float, np.floating)) and not np.isfinite(value):
        return str(value)
    return value.item() if isinstance(value, np.generic) else value


def where_largest(array: Array) -> tuple[int, ...]:
    """The index of the largest element."""
    return tuple(map(int, np.unravel_index(int(array.argmax()), array.shape)))


def first_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return (lines[0] if lines else "")[:300]
