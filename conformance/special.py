"""The aspect ``special``: NaN, ±∞, ±0, subnormals, the largest numbers, and kinks.

Judged by rules, not by tolerance: NaN in gives NaN out; a limit at ±∞ is reached; finite inputs
give what the oracle says. Where the definition says nothing (∞ − ∞; which subgradient a kink
has), what the framework does is noted as its convention.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ..reference.floats import is_float
from ..reference.function import INTEGER_KINDS
from .aspects import cotangent, executed
from .cases import Case, corpus, element_range, ordinary, shape_of
from .error import BOUND, Expected
from .measurement import Measurement
from .properties import elementwise

Array = np.ndarray

#: how often elements are repeated that do not depend on each other: no multiple of a vector's width
SPREAD = 19


def special_values(m: Measurement, kind: str) -> dict[str, float]:
    """The special values that an input of that kind may have, by name."""
    if kind == "direction":  # with any other of them its length is not 1
        return {"nan": np.nan}
    k = m.subject.kind
    low, high = element_range(kind, k)
    values = {
        "nan": np.nan,
        "inf": np.inf,
        "-inf": -np.inf,
        "0": 0.0,
        "-0": -0.0,
        "subnormal": k.smallest_subnormal * 3,
        "-subnormal": -k.smallest_subnormal * 3,
        "largest": k.largest,
        "-largest": -k.largest,
    }
    if kind in ("probability", "distribution"):
        return {n: v for n, v in values.items() if np.isnan(v) or 0 <= v <= 1} | {"1": 1.0}
    return {
        n: v
        for n, v in values.items()
        if np.isnan(v) or ((v >= 0 or low < 0) and (v <= 0 or high > 0))
    }


def special(m: Measurement) -> None:
    """Every special value in every real input, one at a time, among ordinary numbers."""
    base = _spread(m, ordinary(m.subject.binding, m.subject.dtype))
    if executed(m, base, m.subject.call(base)) is None:
        return  # where ordinary numbers raise, there is nothing to say of special ones
    for case, name, label in placements(m, base):
        one_value(m, case, name, label)
    if m.subject.binding.rows is None:
        _kinks(m, next(corpus(m.subject.binding, m.subject.dtype)))


def placements(m: Measurement, base: Case) -> Iterator[tuple[Case, str, str]]:
    """The case with each special value in each real input: the case, the input, the value's name."""
    for name, spec in m.subject.function.inputs.items():
        array = base.inputs.get(name)
        if array is None or not is_float(array) or not array.size:
            continue
        kinds = m.subject.binding.kinds.get(name, spec.kinds)
        kind = next(k for k in kinds if k not in INTEGER_KINDS)
        facts = m.subject.function.facts.get("kind_of", {})
        if name in facts:
            kind = facts[name]({**m.subject.function.defaults(), **base.params, **_static(m)})
        if kind in ("sign", "bit", "slope", "weight") or spec.shape == "C":
            continue
        for label, value in special_values(m, kind).items():
            for case in _with(m, base, name, value):
                yield case, name, label


def _static(m: Measurement) -> dict:
    dialect = m.subject.binding.dialect
    return {} if callable(dialect) else {k: v for k, v in dialect.items() if not callable(v)}


def _alone(m: Measurement, base: Case) -> bool:
    """Whether every element of the inputs stands alone."""
    shapes = {array.shape for array in base.inputs.values()}
    return elementwise(base.function) and not m.subject.binding.rows and len(shapes) == 1


def _spread(m: Measurement, base: Case) -> Case:
    """The case, repeated where elements stand alone: enough for a vectorised body and its tail."""
    if not _alone(m, base) or not next(iter(base.inputs.values())).ndim:
        return base
    repeated = {n: np.resize(a, (SPREAD * len(a), *a.shape[1:])) for n, a in base.inputs.items()}
    return replace(base, inputs=repeated)


def _with(m: Measurement, base: Case, name: str, value: float) -> Iterator[Case]:
    """The case with a special value in an input: where elements stand alone as the first, one in
    the middle and the last at once, else as the first and then as the last, since what looks for
    the largest may see a NaN only where it begins."""
    size = base.inputs[name].size
    for places in [[0, size // 2, -1]] if _alone(m, base) else [[0], [-1]][:size]:
        array = np.array(base.inputs[name])
        array.flat[places] = value
        yield Case(base.function, base.dtype, {**base.inputs, name: array}, base.params)


def one_value(m: Measurement, case: Case, name: str, label: str) -> None:
    """Judge a case with a special value in an input."""
    subject = m.subject
    call = subject.call(case)
    names = {**subject.names(case), "special": label, "of": name}
    m.cases += 1
    outcome = subject.adapter.execute(call)
    m.keep(case, outcome)
    if outcome.error is not None:
        if subject.adapter.unsupported(outcome.error):
            m.raised(case, call, outcome)
        else:
            m.note(f"{name} = {label}: raises {type(outcome.error).__name__}")
        return
    got, expected = outcome.value, subject.expected(case).value()
    assert got is not None
    if got.shape != expected.want.shape or not is_float(got):
        m.check(case, call, False, f"{name} = {label}: shape {got.shape}, dtype {got.dtype}", names)
        return
    wide, want = got.astype(expected.want.dtype), expected.want
    if label == "nan":
        must = np.isnan(want)
        m.check(
            case,
            call,
            bool(np.isnan(wide[must]).all()),
            f"{name} = nan is swallowed: the oracle says nan, the callable {_few(wide[must])}",
            {**names, **expected.names(), "got": wide},
        )
        decided = ~must & ~np.isnan(want)
        if np.isnan(wide[decided]).any():
            m.note(f"{name} = nan: NaN spreads to elements that do not depend on it")
            decided &= ~np.isnan(wide)
    else:
        decided = ~np.isnan(want)
        if (~decided).any():
            m.note(f"{name} = {label}: undefined, the callable says {_few(wide[~decided])}")
    if label in ("largest", "-largest"):
        # an overflow is as near to the largest number as rounding is, but it is no number
        m.check(
            case,
            call,
            not np.isinf(wide[np.abs(want) == subject.kind.largest]).any(),
            f"{name} = {label}: overflows to infinity, the oracle says {subject.kind.largest:.6g}",
            {**names, **expected.names(), "got": wide},
        )
    _judge_where(m, case, call, got, expected, decided, names)
    zero = (want == 0) & (wide == 0) & (np.signbit(want) != np.signbit(wide))
    if label in ("0", "-0") and zero.any():
        m.note(f"{name} = {label}: the zero has the other sign")


def _judge_where(
    m: Measurement,
    case: Case,
    call: object,
    got: Array,
    expected: Expected,
    decided: Array,
    names: dict,
) -> None:
    """Judge the decided elements only; infinities that both sides agree on are equal."""
    kind = m.subject.kind
    # what has overflowed on the way to a finite or infinite result is judged by the rule alone
    keep = {
        "want": np.where(decided, expected.want, 0),
        "scale": np.where(np.isfinite(expected.scale), expected.scale, np.inf),
        "intermediate": expected.intermediate,
        "floor": expected.floor,
    }
    judged = Expected(**keep, bound=expected.bound, question=expected.question)
    mended = np.where(decided, got, np.zeros_like(got)).astype(kind.dtype)
    m.judge(case, call, mended, judged, names=names)  # type: ignore[arg-type]


def _few(values: Array) -> str:
    """The distinct values, few of them, as they would be printed."""
    distinct = sorted({f"{float(v):.4g}" for v in np.ravel(values)})
    return ", ".join(distinct[:3]) + (", …" if len(distinct) > 3 else "")


def _kinks(m: Measurement, base: Case) -> None:
    """At a kink the gradient must be a subgradient; which one is the framework's convention."""
    subject, function = m.subject, m.subject.function
    dialect = subject.binding.resolved_dialect(base.inputs, base.params, subject.dtype)
    params = {**function.defaults(), **dialect, **base.params}
    columns = function.kink_points(**params)
    if not columns or (subject.spelling is not None and subject.spelling.meaning != "none"):
        return
    first = next(iter(function.inputs.values()))
    count = len(next(iter(columns.values())))
    rank = subject.binding.min_rank
    dims: dict[str, tuple[int, ...]] = {"S": (1,) * max(1, rank), "K": (1,) * max(0, rank - 2)}
    dims |= {t: (1,) for t in first.shape.replace("|", " ").split() if t not in ("S", "*K")}
    for at in range(count):
        inputs = {n: a for n, a in base.inputs.items() if n in function.inputs}
        for name, spec in function.inputs.items():
            if name not in base.inputs:
                continue
            if name in columns:
                shape = shape_of(spec, spec.kinds[0], dims, params)
                inputs[name] = np.full(shape, columns[name][at], subject.kind.dtype)
            elif base.inputs[name].shape == base.inputs[first.name].shape:
                inputs[name] = np.ones(
                    shape_of(spec, spec.kinds[0], dims, params), subject.kind.dtype
                )
        case = Case(function, base.dtype, inputs, base.params)
        if "slope" in inputs:
            inputs["slope"] = inputs["slope"][:1]
        call = subject.call(case)
        outcome = executed(m, case, call, gradient=True)
        if outcome is None:
            return
        judge = subject.expected(case)
        upstream = cotangent(judge.shape, subject.kind).astype(subject.kind.oracle)
        low, high = _subdifferential(judge, upstream, columns)
        point = ", ".join(f"{n} = {v[at]:g}" for n, v in columns.items())
        for name, got in outcome.gradients.items():
            if name not in columns:
                continue
            wide = got.astype(subject.kind.oracle)
            slack = BOUND * subject.kind.u * np.maximum(np.abs(low[name]), np.abs(high[name]))
            inside = (wide >= low[name] - slack) & (wide <= high[name] + slack)
            names = {**subject.names(case), "got": wide, "want": low[name], "special": "kink"}
            slope = float(np.ravel(wide)[0] / np.ravel(upstream)[0])
            m.check(
                case,
                call,
                bool(inside.all()),
                f"at the kink {point} the derivative with respect to {name} is {slope:.4g}, "
                f"not a subgradient",
                names,
                of=name,
            )
            m.note(f"kink {point}: derivative {slope:.4g} by {name}")


def _subdifferential(
    judge: object, upstream: Array, columns: object
) -> tuple[dict[str, Array], dict[str, Array]]:
    """The least and the largest gradient close to the kink, on all its sides."""
    arguments = judge.arguments  # type: ignore[attr-defined]
    function = judge.function  # type: ignore[attr-defined]
    seen: dict[str, list[Array]] = {}
    for name in columns:  # type: ignore[attr-defined]
        if not function.inputs[name].differentiable:
            continue
        for sign in (-1, 0, 1):
            moved = np.array(arguments[name])
            moved += sign * 1e-7 * np.maximum(1, np.abs(moved))
            for of, g in function.gradients(upstream, **{**arguments, name: moved}).items():
                seen.setdefault(of, []).append(g)
    return (
        {of: np.min(np.stack(gs), axis=0) for of, gs in seen.items()},
        {of: np.max(np.stack(gs), axis=0) for of, gs in seen.items()},
    )
