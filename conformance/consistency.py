"""The aspect ``consistency``: the same numbers give the same results, whatever holds them.

A callable's results are held against its own, not against the oracle: tensors of other lengths (a
vectorised body, its scalar tail, several blocks), of other ranks, that lie otherwise in memory, of
other dtypes, and the class against the function. Beyond the suite's bound they differ; where only
the last bits do, that is noted as a convention.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..adapters.interface import DTYPE, Binding, Call
from ..reference.floats import DTYPES, float_of, is_float, offered
from ..reference.outcome import Outcome
from .aspects import cotangent
from .cases import Case, build
from .error import BOUND, Expected, ulps
from .measurement import Measurement, Subject
from .properties import elementwise
from .sources import Corpus

Array = np.ndarray

LENGTHS = (1, 7, 8, 16, 67, 1000)
#: of 24 and of 120 numbers
SHAPES = ((24,), (4, 6), (2, 3, 4), (2, 3, 2, 2))
CUBE = (2, 3, 4, 5)
#: dtypes that an input may come in, where its numbers are exact in them
OTHERS = ("int32", "int64", "uint8", "bool", *offered())


def consistency(m: Measurement) -> None:
    """Every way to hold the same numbers that the callable documents."""
    case = _long_case(m.subject)
    compared = _Comparison(m)
    call = m.subject.call(case)
    outcome = compared.outcome(call)
    if outcome.error is not None:
        adapter = m.subject.adapter
        if adapter.unsupported(outcome.error) or adapter.lacking(outcome.error, call):
            m.raised(case, call, outcome)
        else:  # the aspect value speaks of that
            m.note(f"nothing to compare: raises {type(outcome.error).__name__}")
        return
    for compare in (_lengths, _ranks, _memory, _dtypes, _forms):
        compare(compared, case)
    compared.conclude()


@dataclass
class _Comparison:
    """Results for the same numbers, and how far they lie apart."""

    m: Measurement
    #: what differs in its last bits → by how many ULP
    apart: dict[str, float] = field(default_factory=dict)
    #: what comes of other dtypes → of which
    answers: dict[str, list[str]] = field(default_factory=dict)

    def outcome(self, call: Call, case: Case | None = None) -> Outcome:
        """What comes of a call, with gradients if a case says by what."""
        self.m.cases += 1
        wrt = self.m.subject.differentiated(case) if case is not None else []
        return self.m.subject.adapter.execute(
            call, wrt, lambda shape, dtype: cotangent(shape, float_of(dtype))
        )

    def same(
        self, what: str, case: Case, call: Call, outcome: Outcome, wanted: dict[str, Array]
    ) -> None:
        """Hold the value (``""``) and gradients of a call against those that are wanted."""
        m, kind = self.m, self.m.subject.kind
        if outcome.error is not None:
            m.raised(case, call, outcome)
            return
        found = {"": outcome.value, **outcome.gradients}
        for of, want in wanted.items():
            got = found.get(of)
            if got is None or got.shape != want.shape or not is_float(got):
                shown = None if got is None else (got.shape, got.dtype.name)
                m.check(case, call, False, f"{what}: the result is {shown}, not {want.shape}")
                continue
            got, want = got.astype(kind.oracle), want.astype(kind.oracle)
            finite = np.isfinite(want) & np.isfinite(got)
            alike = np.array_equal(got[~finite], want[~finite], equal_nan=True)
            m.check(case, call, alike, f"{what}: {got[~finite]} where it was {want[~finite]}")
            m.points += got.size
            if np.array_equal(got[finite], want[finite]) or not alike:
                continue
            got, want = np.where(finite, got, 0), np.where(finite, want, 0)
            expected = _expected(m, case, of, want, finite)
            distance = ulps(np.abs(got - want), want, kind)
            self.apart[what] = max(self.apart.get(what, 0), float(distance.max()))
            names = {**m.subject.names(case), "consistency": what}
            m.equate(
                case, call, f"{what}: the same numbers give the same result", got, expected, names
            )

    def conclude(self) -> None:
        """Note the conventions."""
        if self.apart:
            shown = ", ".join(
                f"{what} ({distance:.2g} ULP)" for what, distance in self.apart.items()
            )
            self.m.note(f"the last bits depend on: {shown}")
        for answer, what in self.answers.items():
            self.m.note(f"{', '.join(what)}: {answer}")


def _expected(m: Measurement, case: Case, of: str, want: Array, finite: Array) -> Expected:
    """The callable's own result in the oracle's place, with the oracle's scale."""
    judge = m.subject.expected(case)
    upstream = cotangent(judge.shape, m.subject.kind).astype(m.subject.kind.oracle)
    exact = judge.gradients(upstream)[of] if of else judge.value()
    scale = np.maximum(exact.scale, np.abs(want)) + exact.intermediate
    return Expected(want, np.where(finite, scale, 1), np.zeros(want.shape), exact.floor)


# -- the numbers -----------------------------------------------------------------------------------------


def _long_case(subject: Subject) -> Case:
    """A case of ordinary numbers, a thousand along the first axis where that is a batch."""
    binding, function = subject.binding, subject.function
    alone = elementwise(function) and binding.rows is None
    rank = max(binding.min_rank, 1 if alone else 2)
    for attempt in range(200):
        name = f"{function.name}/consistency/{attempt}"
        case = build(binding, subject.dtype, Corpus(name, "ordinary", "default", LENGTHS[-1]))
        first = next(iter(case.inputs.values()))
        absent = [n for n in function.inputs if binding.reaches(n) and n not in case.inputs]
        if absent or "sample_weight" in case.inputs:
            continue
        if next(iter(function.inputs.values())).shape != "S":
            break
        if first.ndim == rank if alone else first.ndim >= rank and _axis(subject, case):
            break
    return _part(case, LENGTHS[-1])


def _axis(subject: Subject, case: Case) -> int:
    """The axis along which a callable of one tensor works."""
    dialect = subject.binding.resolved_dialect(case.inputs, case.params, case.dtype)
    axis = {**case.function.defaults(), **dialect, **case.params}.get("axis", -1)
    return int(axis) % next(iter(case.inputs.values())).ndim


def _part(case: Case, count: int, *, last: bool = False) -> Case:
    """The first, or last, elements or samples of a case, which is repeated if it has fewer."""
    inputs = {}
    for name, array in case.inputs.items():
        tokens = case.function.inputs[name].shape.split()
        axis = tokens.index("N") if "N" in tokens else 0 if tokens == ["S"] else None
        if axis is not None:
            start = array.shape[axis] - count if last else 0
            array = np.take(array, range(start, start + count), axis, mode="wrap")
        inputs[name] = array
    return replace(case, inputs=inputs)


def _reshaped(case: Case, shape: tuple[int, ...]) -> Case:
    count = int(np.prod(shape))
    return replace(
        case, inputs={n: a.ravel()[:count].reshape(shape) for n, a in case.inputs.items()}
    )


def _alike(case: Case) -> bool:
    """Whether a case holds as many independent elements as its inputs have numbers."""
    shapes = {array.shape for array in case.inputs.values()}
    return elementwise(case.function) and len(shapes) == 1


# -- what is compared ------------------------------------------------------------------------------------


def _lengths(c: _Comparison, case: Case) -> None:
    subject = c.m.subject
    whole = c.outcome(subject.call(case)).value
    assert whole is not None
    if not whole.ndim or len(whole) != LENGTHS[-1] or subject.binding.implied:
        return
    if case.function.coupled and "x" in case.inputs and not _axis(subject, case):
        return  # no axis is a batch
    if case.function.facts.get("among_samples"):
        return
    for count in LENGTHS[:-1]:
        part = _part(case, count)
        call = subject.call(part)
        c.same(f"length {count}", part, call, c.outcome(call), {"": whole[:count]})
    part = _part(case, count, last=True)
    call = subject.call(part)
    c.same(f"the last {count}", part, call, c.outcome(call), {"": whole[-count:]})


def _ranks(c: _Comparison, case: Case) -> None:
    subject, want = c.m.subject, None
    if not _alike(case) or subject.binding.rows is not None:
        return
    for shape in SHAPES:
        if subject.binding.min_rank <= len(shape) <= subject.binding.max_rank:
            other = _reshaped(case, shape)
            call = subject.call(other)
            outcome = c.outcome(call)
            if want is None:
                want = outcome.value
            elif want.ndim:
                c.same(f"rank {len(shape)}", other, call, outcome, {"": want.reshape(shape)})


def _memory(c: _Comparison, case: Case) -> None:
    subject = c.m.subject
    cubic = _alike(case) and subject.binding.min_rank <= len(CUBE) <= subject.binding.max_rank
    case = _reshaped(case, CUBE) if cubic else _part(case, 67)
    rank = max(array.ndim for array in case.inputs.values())
    for arrangement in subject.adapter.arrangements(rank):
        if arrangement == "broadcast" and subject.binding.layout:
            continue  # its first axis is another than the one along which we repeat
        held = _repeated(case) if arrangement == "broadcast" else case
        plain = c.outcome(subject.call(held), held)
        if plain.error is not None or plain.value is None:
            plain = c.outcome(subject.call(held))  # the aspect gradient speaks of that
            held_by = None
        else:
            held_by = held
        assert plain.value is not None
        call = replace(subject.call(held), arrangement=arrangement)
        wanted = {"": plain.value, **plain.gradients}
        c.same(f"memory {arrangement}", held, call, c.outcome(call, held_by), wanted)


def _repeated(case: Case) -> Case:
    """The first row of every tensor, as often as there were rows."""
    inputs = {n: np.repeat(a[:1], len(a), axis=0) if a.ndim else a for n, a in case.inputs.items()}
    return replace(case, inputs=inputs)


def _dtypes(c: _Comparison, case: Case) -> None:
    """Small whole numbers in other dtypes than the one under test, one input at a time."""
    m, subject = c.m, c.m.subject
    if subject.dtype != "float32" or subject.binding.implied or subject.binding.inplace:
        return
    case = _part(case, 6)
    floats = [name for name, array in case.inputs.items() if is_float(array)]
    for name, dtype in ((n, d) for n in case.inputs for d in OTHERS):
        plain = _whole_numbers(case, 1 if dtype == "bool" else 3)
        array = plain.inputs[name]
        other = array.astype(float_of(dtype).dtype if dtype in DTYPES else dtype)
        exact = np.array_equal(other.astype(np.float64), array.astype(np.float64))
        if not exact or other.dtype == array.dtype or (dtype in DTYPES and len(floats) < 2):
            continue
        held = replace(plain, inputs={**plain.inputs, name: other})
        call = subject.call(held)
        outcome = c.outcome(call)
        what = f"{dtype} {name}"
        if outcome.error is not None:
            c.answers.setdefault(f"raises {type(outcome.error).__name__}", []).append(what)
            continue
        got = outcome.value
        assert got is not None
        reference = c.outcome(subject.call(_in_dtype(plain, got.dtype))).value
        if reference is None:
            continue
        m.points += got.size
        own = float_of(got.dtype.name).u if is_float(got) else 0.0
        coarsest = max(own, float_of(dtype).u) if dtype in DTYPES else own
        units = [unit for unit in (own, coarsest) if _close(m, plain, got, reference, unit)]
        less = " that is no more exact than its input" if units and units[0] > own else ""
        c.answers.setdefault(f"gives {got.dtype.name}{less}", []).append(what)
        names = {**subject.names(plain), "consistency": what}
        message = f"{what}: gives {_few(got)}, the same numbers as floats {_few(reference)}"
        m.check(held, call, bool(units), message, names)


def _whole_numbers(case: Case, most: int) -> Case:
    """The case with its numbers rounded to whole ones that are no larger than ``most``."""
    inputs = {}
    for name, array in case.inputs.items():
        if is_float(array):
            sign = -1 if np.all(array <= 0) else 1
            array = (sign * np.minimum(np.rint(np.abs(array)), most)).astype(array.dtype)
        inputs[name] = array
    return replace(case, inputs=inputs)


def _in_dtype(case: Case, dtype: np.dtype) -> Case:
    """The case with all its floats in the dtype of a result, if that is one of floats."""
    wanted = {n: a.astype(dtype) if is_float(a) else a for n, a in case.inputs.items()}
    return replace(case, inputs=wanted) if dtype.name in DTYPES else case


def _close(m: Measurement, case: Case, got: Array, want: Array, unit: float) -> bool:
    """Whether a result is the one wanted, at a unit roundoff of its own."""
    found, wide = got.astype(np.float64), want.astype(np.float64)
    finite = np.isfinite(wide)
    if found.shape != wide.shape or not np.array_equal(
        found[~finite], wide[~finite], equal_nan=True
    ):
        return False
    if not unit:
        return bool(np.array_equal(found, wide))
    exact = m.subject.expected(case).value()
    allowed = BOUND * max(unit, m.subject.kind.u) * (exact.scale + exact.intermediate) + exact.floor
    return bool(np.all(np.abs(found[finite] - wide[finite]) <= allowed[finite]))


def _few(array: Array) -> str:
    return np.array2string(array.astype(np.float64).ravel()[:4], precision=4, separator=", ")


def _forms(c: _Comparison, case: Case) -> None:
    """A class against the function that takes the same arguments."""
    subject = c.m.subject
    if subject.binding.surface.style != "class":
        return
    case = _part(case, 67)
    for twin in _twins(subject.binding, subject.adapter.bindings):
        if not all(twin.reaches(n) or n in twin.implied for n in (*case.inputs, *case.params)):
            continue
        plain = next((s for s in twin.reductions if s.meaning == "none"), None)
        wanted = c.outcome(twin.call(case.inputs, case.params, plain, subject.dtype)).value
        call = subject.call(case)
        if wanted is not None:
            c.same(f"from {twin.id}", case, call, c.outcome(call), {"": wanted})
        return


def _twins(binding: Binding, others: tuple[Binding, ...]) -> Iterator[Binding]:
    """Functions of the surface, or of one below it, that are documented to compute the same."""

    def documented(one: Binding) -> tuple[Any, ...]:
        fixed = {k: v for k, v in one.fixed.items() if v is not DTYPE}
        return one.function, fixed, one.dialect, one.rows, one.kinds

    for other in others:
        if (
            other.surface.style == "function"
            and other.surface.name.startswith(binding.surface.name)
            and not other.inplace
            and documented(other) == documented(binding)
        ):
            yield other
