"""The aspect ``invalid``: what a callable does with what its documentation does not allow.

What it raises or returns is noted as its convention. Three things must be refused, because a
silent number would be a wrong result: a class index out of range, a target whose shape cannot be
broadcast, and an unknown reduction.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ..reference.floats import is_float
from .cases import Case, corpus
from .measurement import Measurement, first_line

#: what must be refused: an exception, or a NaN in the result
MUST_REFUSE = frozenset(
    {"class index too large", "class index negative", "unknown reduction", "incompatible shape"}
)


def invalid(m: Measurement) -> None:
    """Every kind of illegal call that fits the function."""
    for label, case, extra in illegal(m):
        _one(m, label, case, extra)


def illegal(m: Measurement) -> Iterator[tuple[str, Case, Mapping[str, Any]]]:
    """Illegal variants of the corpus' first case: label, case, extra keywords."""
    subject = m.subject
    base = next(corpus(subject.binding, subject.dtype))
    inputs = subject.function.inputs

    def changed(**arrays: np.ndarray) -> Case:
        return Case(base.function, base.dtype, {**base.inputs, **arrays}, base.params)

    for name, case in _with_indices(m):
        for label, value in (("class index too large", 1000), ("class index negative", -7)):
            index = np.array(case.inputs[name])
            index.flat[0] = value
            wrong = Case(case.function, case.dtype, {**case.inputs, name: index}, case.params)
            yield label, wrong, {}
    for name, array in base.inputs.items():
        if name not in inputs or not array.size:
            continue
        if is_float(array) and "probability" in inputs[name].kinds and name == "input":
            for label, outside in (("probability above 1", 1.5), ("probability below 0", -0.5)):
                p = np.array(array)
                p.flat[0] = outside
                yield label, changed(**{name: p}), {}
    target = base.inputs.get("target")
    if target is not None and target.ndim:
        bigger = np.repeat(target, 3, axis=0)[: 2 * len(target) + 1]
        if len(target) > 1:
            yield "incompatible shape", changed(target=bigger), {}
        elementwise = inputs["target"].shape == "S" and "target" not in subject.binding.layout
        if is_float(target) and elementwise and target.ndim > 1:
            yield "target of one fewer dimension", changed(target=target[0]), {}
        if is_float(target):
            yield "integer target", changed(target=np.asarray(target, np.int64)), {}
        elif target.dtype.kind == "i":
            yield "floating class index", changed(target=target.astype(subject.kind.dtype)), {}
    if any("reduction" in s.arguments for s in subject.binding.reductions):
        yield "unknown reduction", base, {"reduction": "average"}
    if all(
        "N" in spec.shape or "S" in spec.shape or name not in base.inputs
        for name, spec in inputs.items()
    ):
        first = next(iter(inputs.values())).shape.split()
        place = first.index("N") if "N" in first else 0
        empty = {}
        for name, array in base.inputs.items():
            tokens = inputs[name].shape.split() if name in inputs else ["N"]
            axis = tokens.index("N") if "N" in tokens else place
            if array.ndim > axis:
                empty[name] = np.take(array, [], axis=axis)
        if empty:
            yield "empty batch", changed(**empty), {}


def _with_indices(m: Measurement) -> Iterator[tuple[str, Case]]:
    """Every input that can hold class indices, with the corpus' first case where it does."""
    for name, spec in m.subject.function.inputs.items():
        if "class_index" in spec.kinds:
            for case in corpus(m.subject.binding, m.subject.dtype):
                if case.inputs[name].dtype.kind == "i" and case.inputs[name].size:
                    yield name, case
                    break


def _one(m: Measurement, label: str, case: Case, extra: Mapping[str, Any]) -> None:
    subject = m.subject
    spelling = None if extra else subject.spelling
    call = subject.binding.call(case.inputs, case.params, spelling, subject.dtype, extra)
    m.cases += 1
    outcome = subject.adapter.execute(call)
    m.keep(case, outcome, extra)
    if outcome.error is not None:
        if subject.adapter.unsupported(outcome.error) and label != "empty batch":
            m.refusal = m.refusal or first_line(f"{type(outcome.error).__name__}: {outcome.error}")
            return
        m.points += 1
        m.note(f"{label}: raises {type(outcome.error).__name__}")
        return
    value = outcome.value
    assert value is not None
    m.points += 1
    answer = _describe(value)
    m.note(f"{label}: returns {answer}" + ("".join(f"; {_kind(w)}" for w in outcome.warnings[:1])))
    if label in MUST_REFUSE:
        refused = is_float(value) and bool(np.isnan(value.astype(np.float64)).any())
        names = {**subject.names(case), "invalid": label}
        m.check(case, call, refused, f"{label}: accepted, returns {answer}", names)


def _describe(value: np.ndarray) -> str:
    if not value.size:
        return f"an empty array of shape {value.shape}"
    numbers = value.astype(np.float64)
    if np.isnan(numbers).any():
        return "nan" if value.ndim == 0 else "nan among its elements"
    if value.ndim == 0:
        return f"{float(numbers):.4g}"
    return "zeros" if not numbers.any() else "numbers"


def _kind(warning: str) -> str:
    return f"warns {warning.partition(':')[0]}"
