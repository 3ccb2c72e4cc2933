"""What two versions answered to one case: where the answers differ, and the evidence for it.

Nothing here imports a framework: answers are those that the runs kept (:mod:`.outputs`), what is
exact is computed by the oracle from the kept case, and reproducers are written by the adapters.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any

import numpy as np

from ..adapters import adapter
from ..adapters.interface import Adapter, Binding, Call, Spelling
from ..reference import catalogue
from ..reference.floats import Float, float_of, is_float
from . import outputs
from .aspects import cotangent
from .cases import Case
from .error import BOUND, Expected
from .legacy import meaning
from .measurement import Subject, smallest_part, where_largest
from .selection import subjects

Array = np.ndarray
Answer = Mapping[str, Any]
Index = tuple[int, ...]

#: kinds of differences that are no matter of accuracy, the most serious first
CONVENTIONS = (
    *("exception", "dtype", "shape", "NaN", "infinity", "gradient refused", "kink"),
    *("illegal call", "signed zero", "warning"),
)
#: up to so many numbers of the dtype apart, numbers may differ by where in a tensor they stand
ROUNDING = 2 * BOUND
#: what a number that differs by more than rounding is called where the oracle says nothing
_FREE = {"special": "kink", "invalid": "illegal call"}


@dataclass(frozen=True)
class Difference:
    """One way in which the answers to one case differ.

    ``what`` is ``number`` or one of :data:`CONVENTIONS`; ``of`` the input whose gradient it is
    about, empty for the value; ``index`` the element that shows it best; ``results`` how many do.
    """

    case: str
    what: str
    of: str = ""
    index: Index | None = None
    results: int = 1
    ulp: float = float("nan")

    @property
    def placed(self) -> bool:
        """Whether it may hang on where in a tensor the element stands: in a vectorised body or in
        its tail. The element alone may not show it then."""
        return self.what == "signed zero" or (self.what == "number" and self.ulp <= ROUNDING)


# -- where two answers differ ------------------------------------------------------------------------


def differences(case: str, old: Answer, new: Answer, aspect: str) -> Iterator[Difference]:
    """Where two answers to a case differ; messages of exceptions and wordings do not count."""
    if old == new:
        return
    if _type(old) != _type(new):
        yield Difference(case, "exception")
    for name in sorted({*old.get("refused", ())} ^ {*new.get("refused", ())}):
        yield Difference(case, "gradient refused", name)
    if categories(old) != categories(new):
        yield Difference(case, "warning")
    for of, before in arrays(old).items():
        after = arrays(new).get(of, before)
        if before != after:
            found = list(_between(case, of, outputs.read(before), outputs.read(after), aspect))
            # a baseline keeps the first elements; that others differ it knows from the digest
            beyond = before.count(" ") > 2 and before.split(" ")[3:] != after.split(" ")[3:]
            yield from found or ([Difference(case, "number", of)] if beyond else [])


def arrays(answer: Answer) -> dict[str, str]:
    """The arrays of an answer as they are written: the value under the empty name, gradients."""
    value = {"": answer["value"]} if "value" in answer else {}
    return {**value, **answer.get("gradients", {})}


def categories(answer: Answer) -> Counter[str]:
    """How many warnings of each category an answer came with."""
    return Counter(text.partition(":")[0] for text in answer.get("warnings", ()))


def _type(answer: Answer) -> str:
    return str(answer.get("raised", "")).partition(":")[0]


def _between(case: str, of: str, old: Array, new: Array, aspect: str) -> Iterator[Difference]:
    if old.dtype != new.dtype:
        yield Difference(case, "dtype", of)
        return
    if old.shape != new.shape:
        yield Difference(case, "shape", of)
        return
    bits = f"u{old.dtype.itemsize}"
    differ = old.view(bits) != new.view(bits)
    a, b = old.astype(np.float64), new.astype(np.float64)
    differ &= ~(np.isnan(a) & np.isnan(b))  # the payload of a NaN is nothing that anybody sees
    nan = differ & (np.isnan(a) | np.isnan(b))
    infinite = differ & ~nan & (np.isinf(a) | np.isinf(b))
    zero = differ & (a == 0) & (b == 0)
    number = differ & ~nan & ~infinite & ~zero
    free = np.zeros_like(number)
    if (aspect == "special" and of) or aspect == "invalid":
        with np.errstate(all="ignore"):
            u = float_of(old.dtype.name).u if is_float(old) else 0.0
            free = number & (np.abs(a - b) > BOUND * u * np.maximum(np.abs(a), np.abs(b)))
    distance = ulps_between(old, new)
    for what, where in (
        ("NaN", nan),
        ("infinity", infinite),
        (_FREE.get(aspect, ""), free),
        ("signed zero", zero),
        ("number", number & ~free),
    ):
        if where.any():
            index = where_largest(np.where(where, np.nan_to_num(distance, nan=0.0), -1))
            top = float(distance[where].max()) if what == "number" else np.nan
            yield Difference(case, what, of, index, int(where.sum()), top)


def ulps_between(old: Array, new: Array) -> Array:
    """How many numbers of the dtype lie between two, element by element."""
    if not is_float(old):
        return np.abs(old.astype(np.float64) - new.astype(np.float64))
    a, b = (_ordinal(array) for array in (old, new))
    near = (a < 0) == (b < 0)  # else the difference may not fit
    apart = np.abs(a.astype(np.float64)) + np.abs(b.astype(np.float64))
    return np.where(near, np.abs(np.where(near, a - b, 0)).astype(np.float64), apart)


def _ordinal(array: Array) -> Array:
    """Every number's place among the numbers of its dtype, counted from zero."""
    bits = array.view(f"i{array.dtype.itemsize}").astype(np.int64)
    least = np.int64(np.iinfo(f"i{array.dtype.itemsize}").min)
    return np.where(bits < 0, least - bits, bits)


# -- what the oracle says of them, and how they are shown ----------------------------------------------


@cache
def adapter_of(framework: str) -> Adapter | None:
    """The adapter of that name; None where this installation has none."""
    try:
        return adapter(framework)
    except ValueError:
        return None


@cache
def _binding(framework: str, surface: str, name: str) -> Binding | None:
    one = adapter_of(framework)
    found = (b for b in one.bindings if (b.surface.name, b.name) == (surface, name)) if one else ()
    return next(iter(found), None)


@cache
def subject_of(
    framework: str, surface: str, name: str, dtype: str, aspect: str, reduction: str, mode: str
) -> Subject | None:
    """What a row was about, as this nnconform binds it; None where it binds nothing such."""
    one, binding = adapter_of(framework), _binding(framework, surface, name)
    if one is None or binding is None:
        return None
    asked = "legacy" if reduction.startswith("legacy") else aspect
    found = subjects(one, binding, asked, [dtype], [mode])
    return next((s for s in found if s.reduction == reduction), None)


@dataclass(frozen=True)
class Put:
    """A kept case as a callable was given it: ``case`` and keywords on top."""

    subject: Subject
    case: Case
    extra: dict[str, Any]

    @classmethod
    def of(cls, subject: Subject, line: Mapping[str, Any]) -> Put:
        """From the case's line in the file. Raises ValueError where that is damaged."""
        function = catalogue()[subject.binding.function]
        inputs = {name: outputs.read(text) for name, text in line["inputs"].items()}
        own = {n: v for n, v in line["params"].items() if n in function.parameters}
        extra = {n: v for n, v in line["params"].items() if n not in own}
        params = {n: tuple(v) if isinstance(v, list) else v for n, v in own.items()}
        return cls(subject, Case(function, line["dtype"], inputs, params), extra)

    @property
    def kind(self) -> Float:
        return self.subject.kind

    @property
    def call(self) -> Call:
        """The call; ValueError where this nnconform cannot make it."""
        spelling = None if self.extra else self.subject.spelling
        case = self.case
        return replace(self.subject, spelling=spelling).call(case, self.extra)

    @cached_property
    def _judge(self) -> Any:
        subject = self.subject
        if subject.reduction.startswith("legacy"):
            given = (self.extra.get(n) for n in ("size_average", "reduce", "reduction"))
            subject = replace(subject, spelling=Spelling("legacy", meaning(*given)))
        return subject.expected(self.case)

    @cached_property
    def upstream(self) -> Array:
        """The cotangent under which gradients were taken."""
        return cotangent(self._judge.shape, self.kind)

    @cached_property
    def expected(self) -> dict[str, Expected]:
        """What is exact, by part: the value under the empty name, gradients by input.

        Empty where the definition says nothing, as of illegal calls.
        """
        if self.subject.aspect == "invalid":
            return {}
        try:
            with np.errstate(all="ignore"):
                found = {"": self._judge.value()}
                if self.subject.differentiated(self.case):
                    wide = self.upstream.astype(self.kind.oracle)
                    found |= self._judge.gradients(wide)
        except (ValueError, IndexError, KeyError, TypeError, FloatingPointError):
            return {}
        return found

    def whole(self, of: str) -> tuple[Put, Array | None]:
        """The case itself, and the cotangent under which a gradient was taken."""
        return self, self.upstream if of else None

    def part(self, of: str, index: Index | None) -> tuple[Put, Array | None]:
        """The part of the case that determines one result, and the cotangent that belongs to it."""
        whole = self.whole(of)
        expected = self.expected.get(of)
        function, given = self.case.function, self.case.inputs
        if not index or expected is None or self.extra or len(index) != expected.want.ndim:
            return whole
        if of and not {"S", "N"} & set(function.inputs[of].shape.split()):
            return whole  # what all samples share: no sample alone determines its gradient
        try:
            cut = smallest_part(self.case, index, self.subject)
            if cut is self.case or all(a.size == given[n].size for n, a in cut.inputs.items()):
                return whole
            inputs = {name: np.asarray(array) for name, array in cut.inputs.items()}
            part = Put(self.subject, replace(cut, inputs=inputs), {})
            value = part._judge.value().want
            if of:
                upstream = self.upstream
                if value.size == 1:
                    if self.upstream.size != given[of].size and self.upstream.ndim != 1:
                        return whole
                    at = index if self.upstream.size == given[of].size else index[:1]
                    upstream = np.reshape(self.upstream[at], value.shape)
                elif len(self.upstream) == given[of].shape[0]:
                    upstream = self.upstream[index[0] : index[0] + 1]
                if upstream.shape != value.shape:
                    return whole
                wide = upstream.astype(self.kind.oracle)
                value = part._judge.gradients(wide)[of].want
            else:
                upstream = None
        except (ValueError, IndexError, KeyError, TypeError):
            return whole
        # it must be the same question: the cut result is among what the part is expected to give
        same = np.isclose(value.astype(np.float64), float(expected.want[index]), equal_nan=True)
        return (part, upstream) if same.any() else whole

    def reproducer(
        self, upstream: Array | None, of: str, comment: str, index: Index | None = None
    ) -> str:
        """A script that makes the call on either version and prints the result in question: the
        element at an index with all its digits, else what the callable returns."""
        try:
            call = self.call
        except ValueError:
            return ""
        if of and upstream is not None and np.any(upstream != 1):
            arrays = {**call.arrays, "cotangent": upstream}
            call = replace(call, arrays=arrays, result=f"({call.result} * cotangent)")
        script = self.subject.adapter.reproducer(call, of=of)
        start, printed, expression = script.rpartition("print(")
        if index is not None and printed and of not in {*call.layout, *call.shapes}:
            element = expression[:-1]
            if index:
                element = f"({element})[{', '.join(map(str, index))}]"
            script = f"{start}print(float({element}))"
        return f"{script}  # {comment}"


def case_text(put: Put, of: str, index: Index | None) -> str:
    """The JSON of a case for tables: inputs, parameters, and which result of it is meant."""
    report: dict[str, Any] = {
        "inputs": {name: _plain(array) for name, array in put.case.inputs.items()},
        "params": {**put.case.params, **put.extra},
    }
    if of:
        report["gradient of"] = of
    if index and any(array.size > 1 for array in put.case.inputs.values()):
        report["at"] = list(index)
    return json.dumps(report, ensure_ascii=False, default=str)


def _plain(array: Array) -> Any:
    if array.size > 256:
        return f"array of shape {array.shape}"
    if not is_float(array):
        return array.tolist()
    # text for what JSON has no number for
    as_json = np.vectorize(lambda v: v if np.isfinite(v) else str(v), otypes=[object])
    wide = array.astype(np.float64)
    return as_json(wide).tolist() if wide.size else wide.tolist()


def shown(answer: Answer, difference: Difference) -> str:
    """What one version answered, as far as a difference is about it."""
    if difference.what == "warning":
        return "; ".join(answer.get("warnings", ())) or "no warning"
    if difference.what == "gradient refused":
        refused = answer.get("refused", {})
        if difference.of in refused:
            return f"refused: {' '.join(str(refused[difference.of]).split())[:200]}"
        return "a gradient"
    text = arrays(answer).get(difference.of)
    if "raised" in answer and (difference.what == "exception" or text is None):
        return f"raises {' '.join(answer['raised'].split())}"
    if text is None:
        return "nothing"
    array = outputs.read(text)
    if difference.what == "number" and difference.index is None:
        return f"differs beyond the first {outputs.HEAD} results, which a baseline keeps"
    if difference.what in ("dtype", "shape"):
        return f"{array.dtype.name} of shape {array.shape}"
    if difference.index is None:
        return str(array.tolist()) if array.size <= 8 else f"an array of shape {array.shape}"
    return number(array[difference.index])


def number(value: Any) -> str:
    """A number with as many digits as its dtype tells apart."""
    if isinstance(value, np.longdouble):
        return (
            np.format_float_positional(value, precision=19, fractional=False, trim="-")
            if (1e-4 <= abs(value) < 1e16)
            else np.format_float_scientific(value, precision=18, trim="-")
        )
    return str(value)
