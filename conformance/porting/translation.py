"""The call on another surface that does what a call on this one does.

Canonical terms are the common language: what a call means is the oracle's parameters under its
dialect, the encoding of its inputs, and its reduction. :func:`translate` writes the same meaning
as another callable takes it, and says what is left over: ``clip`` here and none there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from ...adapters.interface import Adapter, Binding, Call, Spelling, signature_of
from ...reference import catalogue
from ...reference.floats import is_float
from ...reference.function import INTEGER_KINDS, Function
from ...reference.reductions import coefficients, over_rows, spread_over_rows
from ..cases import Case
from ..measurement import Subject
from .steps import Step, permuted

Array = np.ndarray


class Untranslatable(ValueError):
    """Why a callable cannot do what another one does, in a few words."""


@dataclass(frozen=True)
class Side:
    """One binding of an adapter."""

    adapter: Adapter
    binding: Binding

    @property
    def function(self) -> Function:
        return catalogue()[self.binding.function]

    @property
    def name(self) -> str:
        """The surface, or for a composition the framework."""
        return self.binding.surface.name or self.adapter.name

    def subject(self, spelling: Spelling | None, dtype: str) -> Subject:
        """What a row of this binding is about."""
        label = spelling.label if spelling else "none"
        return Subject(self.adapter, self.binding, dtype, "value", label, spelling)

    @cached_property
    def own(self) -> dict[str, Any]:
        """The callable's own defaults of the parameters that it takes, by canonical name."""
        signature = None
        if not self.binding.expression:
            signature = signature_of(self.adapter.lookup(self.binding.path))
        static = {} if callable(self.binding.dialect) else self.binding.dialect
        found = {}
        for name, parameter in self.function.parameters.items():
            if not self.binding.reaches(name):
                continue
            value = static.get(name, parameter.default)
            keyword = self.binding.keywords.get(name, "")
            if signature is not None and keyword in signature.parameters:
                given = signature.parameters[keyword].default
                domain = self.binding.domains.get(name, parameter.domain)
                if given is not None and not isinstance(given, type) and given in domain:
                    value = type(value)(given) if isinstance(value, (float, int)) else given
            if not callable(value):
                found[name] = value
        return found

    def meaning(self, inputs: Mapping[str, Array], params: Mapping[str, Any], dtype: str) -> dict:
        """The oracle's parameters for a call."""
        dialect = self.binding.resolved_dialect(inputs, params, dtype)
        return {**self.function.defaults(), **dialect, **params}

    def default_spelling(self) -> Spelling | None:
        """The reduction of a call that says nothing of it; None of an activation."""
        if self.function.kind == "activation":
            return None
        known = {s.label: s for s in self.binding.reductions}
        return known.get("default", self.binding.reductions[0])

    def explicit(self, meaning: str) -> Spelling | None:
        """The reduction of that meaning, said in so many words where it can be."""
        found = [s for s in self.binding.reductions if s.meaning == meaning]
        found.sort(key=lambda s: not s.arguments)
        return found[0] if found and self.function.kind == "loss" else None

    def explicit_default(self) -> Spelling | None:
        """The reduction that a call has by default, in so many words."""
        spelling = self.default_spelling()
        return spelling and (self.explicit(spelling.meaning) or spelling)


def ways(adapter: Adapter, function: str, surface: str) -> list[Side]:
    """The bindings of a function on a surface that a person would write."""
    return [
        Side(adapter, binding)
        for binding in adapter.bindings
        if (binding.function, binding.surface.name) == (function, surface) and not binding.inplace
    ]


def composed(adapter: Adapter, function: str) -> list[Side]:
    """The compositions of a framework that compute a function."""
    return [Side(adapter, made) for made in adapter.compositions if made.function == function]


def principal(sides: Iterable[Side]) -> list[Side]:
    """Of every callable the binding that fixes least."""
    kept: dict[str, Side] = {}
    for side in sides:
        path = side.binding.path if not side.binding.expression else side.binding.expression
        if path not in kept or len(side.binding.fixed) < len(kept[path].binding.fixed):
            kept[path] = side
    return list(kept.values())


@dataclass(frozen=True)
class Translation:
    """A call there that does what a call here does.

    ``steps`` are what is made of this side's tensors, ``after`` of the result; ``left`` the
    parameters that cannot be made the same: here, there; ``missing`` optional inputs that the other
    takes none of.
    """

    here: Side
    there: Side
    #: both without what is missing
    case: Case
    other: Case
    spelling: Spelling | None
    their_spelling: Spelling | None
    own: Call
    call: Call
    steps: Mapping[str, tuple[Step, ...]] = field(default_factory=dict)
    after: tuple[Step, ...] = ()
    left: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    missing: tuple[str, ...] = ()

    @property
    def cost(self) -> tuple[int, int, bool, int]:
        """How far it is from the same call: the smaller the better."""
        steps = sum(map(len, self.steps.values())) + len(self.after)
        return len(self.missing), len(self.left), bool(self.there.binding.expression), steps


def candidates(
    here: Side, spelling: Spelling | None, case: Case, others: Iterable[Side]
) -> tuple[list[Translation], dict[str, str]]:
    """The translations of a call, the nearest first; why others cannot do it, by their names."""
    found: list[Translation] = []
    reasons = {}
    for there in others:
        try:
            found.append(translate(here, spelling, case, there))
        except Untranslatable as reason:
            reasons[there.binding.name] = str(reason)
    return sorted(found, key=lambda t: t.cost), reasons


def translate(
    here: Side, spelling: Spelling | None, case: Case, there: Side, *, defaults: bool = False
) -> Translation:
    """The call there for a case here; with ``defaults``, one that says nothing it need not say.

    Raises Untranslatable.
    """
    return _Translator(here, spelling, case, there, defaults).made()


class _Translator:
    def __init__(
        self, here: Side, spelling: Spelling | None, case: Case, there: Side, defaults: bool
    ) -> None:
        self.here, self.there, self.spelling, self.defaults = here, there, spelling, defaults
        self.function, self.dtype = case.function, case.dtype
        given = {n: a for n, a in case.inputs.items() if n != "sample_weight"}
        b = there.binding
        self.missing = tuple(n for n in given if not b.reaches(n) and n not in b.implied)
        for name in self.missing:
            if not self.function.inputs[name].optional or name in here.binding.args:
                raise Untranslatable(f"takes no {name}")
            del given[name]
        for name in b.args:
            if name in self.function.inputs and name not in given:
                raise Untranslatable(f"needs {name}")
        self.case = replace(case, inputs=given)
        self.arrays = dict(given)
        self.steps: dict[str, list[Step]] = {name: [] for name in given}
        self.after: list[Step] = []

    def made(self) -> Translation:
        here, there, case = self.here.binding, self.there.binding, self.case
        own = here.call(case.inputs, case.params, self.spelling, self.dtype)
        known = self.here.own if self.defaults else case.params
        ours = self.here.meaning(case.inputs, known, self.dtype)
        params = {} if self.defaults else self._passed(ours)
        said = self.there.own if self.defaults else params
        left = self._unified(ours, said)
        self._encoded(ours, self.there.meaning(self.arrays, said, self.dtype))
        spelling = self._reduced(ours, said)
        first = self.arrays[next(iter(self.function.inputs))]
        if first.ndim < there.min_rank or first.ndim > there.max_rank < 4:
            raise Untranslatable(f"is not for tensors of rank {first.ndim}")
        for name, derive in there.implied.items():
            if name in self.arrays and not np.array_equal(self.arrays[name], derive(self.arrays)):
                raise Untranslatable(f"takes no {name}, which follows there from the other inputs")
        other = Case(self.function, self.dtype, self.arrays, params)
        try:
            call = there.call(other.inputs, params, spelling, self.dtype)
        except ValueError as error:
            raise Untranslatable(str(error)) from None
        for made, arrays in ((own, case.inputs), (call, self.arrays)):
            for name, shape in made.shapes.items():
                if made.arrays[name].shape != shape or arrays[name].shape != shape:
                    raise Untranslatable(f"takes {name} in another shape")
        steps = {
            name: self._in_order(here.layout.get(name, ()), self.steps[name], call.layout, name)
            for name in call.arrays
            if name in own.arrays and name in self.steps
        }
        result = call.result
        for step in self.after:
            result = step.written(self.there.adapter, result)
        written = {
            name: tuple(step.written(self.there.adapter) for step in made)
            for name, made in steps.items()
            if made
        }
        arrays = {n: own.arrays[n] if n in steps else array for n, array in call.arrays.items()}
        call = replace(
            call,
            arrays=arrays,
            conversions=written,
            result=result,
            layout=own.layout,
            shapes=own.shapes,
        )
        return Translation(
            *(self.here, self.there, case, other, self.spelling, spelling, own, call),
            {name: tuple(made) for name, made in steps.items() if made},
            *(tuple(self.after), left, self.missing),
        )

    def _apply(self, name: str, step: Step) -> None:
        self.arrays[name] = step(self.arrays[name])
        self.steps[name].append(step)

    def _passed(self, ours: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters that can be given to the other callable as they are here."""
        b = self.there.binding
        return {
            name: ours[name]
            for name, parameter in self.function.parameters.items()
            if b.reaches(name) and ours[name] in b.domains.get(name, parameter.domain)
        }

    def _unified(self, ours: dict[str, Any], params: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
        """Make the same by steps what the other callable has otherwise; what is left over."""
        left = {}
        theirs = self.there.meaning(self.arrays, params, self.dtype)
        for name, value in ours.items():
            other = theirs[name]
            if self._same(name, value, other):
                continue
            free = not self.defaults or name == "labels"
            if free and (steps := self._rule(name, value, other)) is not None:
                for of, step in steps:
                    if of:
                        self._apply(of, step)
                    else:
                        self.after.append(step)
            elif not self.defaults and name in self.here.own and value != self.here.own[name]:
                raise Untranslatable(f"takes no `{name}`")  # a value that somebody chose
            else:
                left[name] = (value, other)
        return left

    def _same(self, name: str, ours: Any, theirs: Any) -> bool:
        if name == "axis" and isinstance(ours, int) and isinstance(theirs, int):
            rank = self.arrays[next(iter(self.function.inputs))].ndim
            return rank > 0 and ours % rank == theirs % rank
        return bool(np.array_equal(ours, theirs)) if ours is not None else theirs is None

    def _rule(self, name: str, ours: Any, theirs: Any) -> list[tuple[str, Step]] | None:
        """The steps that make a parameter's difference good, of inputs or (without a name) the
        result; None where there are none."""
        if name == "labels":
            return [("target", Step("signs" if ours == "bit" else "bits"))]
        if name in ("log_input", "log_target"):
            return [(name.partition("_")[2], Step("exp" if ours else "log"))]
        if name == "negated":
            return [("", Step("negative"))]
        if name == "label_smoothing" and theirs == 0:
            return self._smoothed(float(ours))
        if name == "half":
            return [("", Step("half" if ours else "twice"))]
        if name == "from_logits":
            return self._from_logits(bool(ours))
        if name == "axis":
            return [*self._axis_moved(int(ours), int(theirs))]
        return None

    def _from_logits(self, ours: bool) -> list[tuple[str, Step]] | None:
        if self.function.name == "ctc":  # log-probabilities are logits of themselves
            return [("log_probs", Step("log_softmax", {"axis": -1}))] if ours else []
        if self.function.name == "binary_focal":
            return [("input", Step("sigmoid" if ours else "logit"))]
        return None

    def _smoothed(self, smoothing: float) -> list[tuple[str, Step]] | None:
        """Targets that are probabilities of two classes, or rows of as many as there are, by hand."""
        target, spec = self.arrays["target"], self.function.inputs["target"]
        if not is_float(target):
            return None
        classes = 2
        if spec.shape != "S":
            meaning = self.here.meaning(self.case.inputs, self.case.params, self.dtype)
            if "axis" not in meaning:
                return None
            classes = self.case.inputs["input"].shape[meaning["axis"]]
        options = {"kept": 1 - smoothing, "spread": smoothing / classes}
        return [("target", Step("smooth", options))]

    def _axis_moved(self, ours: int, theirs: int) -> Iterator[tuple[str, Step]]:
        for name, array in self.arrays.items():
            tokens = self.function.inputs[name].shape.split()
            if "C" not in tokens:
                raise Untranslatable(f"takes axis {theirs} alone")
            if len(tokens) > 1 and is_float(array):
                options = {"source": ours % array.ndim, "to": theirs}
                yield name, Step("move", options)

    def _encoded(self, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> None:
        """Inputs in an encoding that the other callable takes."""
        for name, array in list(self.arrays.items()):
            spec = self.function.inputs[name]
            kinds = set(self.there.binding.kinds.get(name, spec.kinds))
            if is_float(array):
                if kinds <= INTEGER_KINDS:
                    raise Untranslatable(f"takes {name} as {' or '.join(sorted(kinds))} alone")
            elif not kinds & INTEGER_KINDS:
                if "distribution" not in kinds:
                    raise Untranslatable(f"takes {name} as {' or '.join(sorted(kinds))} alone")
                if np.any(array == ours.get("ignore_index")):
                    raise Untranslatable("one-hot rows cannot be ignored")
                classes = self.arrays["input"].shape[theirs["axis"]]
                options = {"classes": classes, "axis": theirs["axis"], "dtype": self.dtype}
                self._apply(name, Step("one_hot", options))

    def _reduced(self, ours: dict[str, Any], params: dict[str, Any]) -> Spelling | None:
        """The other callable's reduction, inputs and result changed where that makes it the same."""
        here, there = self.here.binding, self.there.binding
        if self.function.kind == "activation":
            return None
        if self.defaults:
            return self.there.default_spelling()
        assert self.spelling is not None
        unreduced = self.spelling.meaning == "none"
        wanted, mean = self._factors(self.here, self.case.inputs, ours, self.spelling.meaning)
        theirs = self.there.meaning(self.arrays, params, self.dtype)
        alike = here.rows == there.rows or not unreduced
        if alike and (found := self._spelled(wanted, theirs)) is not None:
            return found
        if here.rows is None and there.rows is not None:
            if any(self.function.inputs[name].shape != "S" for name in self.arrays):
                raise Untranslatable("reduces the last axis of its losses")
            for name in self.arrays:
                self._apply(name, Step("expand"))
            if (found := self._spelled(wanted, theirs)) is not None:
                return found
        elif here.rows != there.rows and there.rows is not None:
            raise Untranslatable(f"takes the {there.rows} over the last axis")
        elementary = self.there.explicit("none")
        if elementary is None:
            raise Untranslatable("gives no losses one by one")
        if here.rows is not None and there.rows is None:
            self.after.append(Step(f"{here.rows}_last"))
        if not unreduced:
            self.after.append(self._by_hand(wanted, mean))
        return elementary

    def _spelled(self, wanted: Array, theirs: Mapping[str, Any]) -> Spelling | None:
        """The other callable's own way to reduce its losses by these factors."""
        assert self.spelling is not None
        for spelling in sorted(self.there.binding.reductions, key=lambda s: not s.arguments):
            if (spelling.meaning == "none") != (self.spelling.meaning == "none"):
                continue
            factors, _ = self._factors(self.there, self.arrays, theirs, spelling.meaning)
            if factors.size == wanted.size and np.allclose(
                factors.ravel(), wanted.ravel(), rtol=1e-6
            ):
                return spelling
        return None

    def _factors(
        self, side: Side, inputs: Mapping[str, Array], meaning: Mapping[str, Any], reduction: str
    ) -> tuple[Array, float]:
        """The factors of all losses, those of rows included, in a reduction; and in their mean."""
        rows = side.binding.rows
        arguments = Case(self.function, self.dtype, dict(inputs), {}).arguments(meaning)
        with np.errstate(all="ignore"):
            unreduced = self.function(**arguments)
            losses = over_rows(unreduced, rows)
            factors = coefficients(self.function, losses, reduction, arguments, None, rows)
            each = spread_over_rows(factors, unreduced, rows)
        return np.asarray(each), 1 / max(unreduced.size, 1)

    def _by_hand(self, wanted: Array, mean: float) -> Step:
        if np.all(wanted == 1):
            return Step("sum")
        if np.allclose(wanted, mean, rtol=1e-6):
            return Step("mean")
        flat = wanted.ravel()
        if flat.size and np.all(flat == flat[0]) and flat[0] > 0:
            return Step("sum_over", {"count": f"{1 / float(flat[0]):g}"})
        raise Untranslatable("has no such reduction, nor is it a plain sum or mean")

    def _in_order(
        self,
        own: tuple[int, ...],
        steps: list[Step],
        layout: Mapping[str, tuple[int, ...]],
        name: str,
    ) -> list[Step]:
        """The steps from the order of axes here to the one there."""
        before = tuple(map(int, np.argsort(own))) if own else ()
        after = layout.get(name, ())
        if not steps and before and after:
            return permuted(tuple(before[axis] for axis in after))
        return [*permuted(before), *steps, *permuted(after)]
