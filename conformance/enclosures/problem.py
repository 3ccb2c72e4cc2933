"""A function at given arguments: enclosures of its values, gradients, reductions and conditioning."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np

from .balls import (
    NAN,
    PRECISIONS,
    Ball,
    arb,
    ball,
    branches,
    coefficient,
    estimated,
    moving,
    refined,
    total,
    working,
)
from .definitions import DEFINITIONS, parameter
from .layouts import Cut, Positions

Array = np.ndarray


class Entry(NamedTuple):
    """A number of the problem: an input and a position in it flattened, or a parameter."""

    name: str
    at: int | None = None


Sample = Mapping[str, Positions]


class Problem:
    """One function at one point of its arguments.

    ``arguments`` are complete, as :func:`nnconform.reference.oracle.resolve` gives them: arrays of
    any float width, whose numbers are taken exactly, and parameters.
    """

    def __init__(self, name: str, arguments: Mapping[str, Any]) -> None:
        self.definition = DEFINITIONS[name]
        arrays = {n: a for n, a in arguments.items() if isinstance(a, np.ndarray)}
        self.shapes = {n: a.shape for n, a in arrays.items()}
        self.whole = {n for n, a in arrays.items() if a.dtype.kind in "iub"}
        self.numbers: dict[str, list[Any]] = {
            n: [int(v) if n in self.whole else ball(v) for v in a.ravel()]
            for n, a in arrays.items()
        }
        self.params = {n: parameter(v) for n, v in arguments.items() if n not in arrays}
        at = {n: np.arange(a.size).reshape(a.shape) for n, a in arrays.items()}
        self.cut: Cut = self.definition.layout(at, self.params)

    @cached_property
    def roots(self) -> frozenset[str]:
        """The results that may vanish where no float is (:class:`.definitions.Definition`)."""
        return frozenset(self.definition.roots(self.params).split())

    # -- formulas ---------------------------------------------------------------------------------

    def formula(self, sample: Sample, along: Sequence[Entry] = ()) -> list[Ball]:
        """A sample's values at the precision now set; series in ε with ``along`` moving by ε."""

        def read(name: str, where: Positions) -> Any:
            if isinstance(where, list):
                return [read(name, i) for i in where]
            number = self.numbers[name][where]
            return moving(number) if Entry(name, where) in along else number

        params = self.params
        for name in (e.name for e in along if e.at is None):
            params = {**params, name: moving(params[name])}
        value = self.definition.formula(**{n: read(n, w) for n, w in sample.items()}, **params)
        return value if isinstance(value, list) else [value]

    def derivatives(self, sample: Sample, entry: Entry) -> list[arb]:
        """The derivative of each value of a sample along one entry."""
        return self._terms(sample, 1, entry)

    def bends(self, sample: Sample, entry: Entry, others: Sequence[Entry]) -> list[list[arb]]:
        """The second derivatives of each value along one entry and each of others."""
        own = self._terms(sample, 2, entry)
        found = []
        for other in others:
            if other == entry:
                found.append([2 * t for t in own])
            else:  # (x + y)² = x² + y² + 2·x·y
                both, alone = self._terms(sample, 2, entry, other), self._terms(sample, 2, other)
                found.append([b - x - y for b, x, y in zip(both, own, alone, strict=True)])
        return found

    def _terms(self, sample: Sample, order: int, *along: Entry) -> list[arb]:
        values = self.formula(sample, along)
        return [coefficient(v, order) if coefficient(v, 0).is_finite() else NAN for v in values]

    # -- enclosures -------------------------------------------------------------------------------

    def values(self) -> list[arb]:
        """Every unreduced value."""
        found: list[arb] = [arb(0)] * int(np.prod(self.cut.shape, dtype=int))
        for sample, outputs in zip(self.cut.samples, self.cut.outputs, strict=True):
            for i, value in zip(outputs, refined(partial(self._heads, sample)), strict=True):
                found[i] = value
        return found

    def _heads(self, sample: Sample) -> list[arb]:
        return [coefficient(v, 0) for v in self.formula(sample)]

    def heads(self, wanted: Sequence[int]) -> dict[int, arb]:
        """The values at these places, at the precision now set."""
        need = set(wanted)
        found: dict[int, arb] = {}
        for sample, outputs in zip(self.cut.samples, self.cut.outputs, strict=True):
            if need.intersection(outputs):
                found.update(zip(outputs, self._heads(sample), strict=True))
        return found

    def gradient(self, entry: Entry, cotangent: Sequence[arb]) -> arb:
        """The derivative of Σ cotangent·value along an entry; at a kink, of all subgradients."""

        def compute() -> list[arb]:
            slopes = [
                cotangent[i] * slope
                for sample, outputs in self.parts(entry)
                for i, slope in zip(outputs, self.derivatives(sample, entry), strict=True)
                if not cotangent[i].is_zero()
            ]
            return [total(slopes)]

        return refined(compute, order=1)[0]

    def parts(self, entry: Entry) -> list[tuple[Sample, list[int]]]:
        """The samples that an entry has a part in, and where their values go."""
        if entry.at is None:
            return list(zip(self.cut.samples, self.cut.outputs, strict=True))
        return self._parts.get(entry, [])

    @cached_property
    def _parts(self) -> dict[Entry, list[tuple[Sample, list[int]]]]:
        parts: dict[Entry, list[tuple[Sample, list[int]]]] = {}
        for sample, outputs in zip(self.cut.samples, self.cut.outputs, strict=True):
            for entry in self.entries(sample):
                parts.setdefault(entry, []).append((sample, outputs))
        return parts

    # -- conditioning -----------------------------------------------------------------------------

    def entries(self, sample: Sample) -> list[Entry]:
        """The numbers of a sample that can vary continuously."""
        fixed = self.whole | self.definition.discrete
        return list(
            dict.fromkeys(
                Entry(n, int(i)) for n, w in sample.items() if n not in fixed for i in np.ravel(w)
            )
        )

    def movable(self, sample: Sample) -> list[tuple[Entry, arb]]:
        """What one relative u moves, inputs and real parameters, with the size it is relative to."""
        sized = []
        for entry in self.entries(sample):
            number = self.numbers[entry.name][entry.at]  # type: ignore[index]
            if entry.name in self.definition.differences:
                row = [self.numbers[entry.name][i] for i in sample[entry.name]]
                number = number - max(row, key=lambda x: float(x))
            elif f"-{entry.name}" in self.definition.differences:
                row = [self.numbers[entry.name][i] for i in sample[entry.name]]
                number = number - min(row, key=lambda x: float(x))
            sized.append((entry, abs(number)))
        for name, value in self.params.items():
            if isinstance(value, arb) and value.is_finite():
                sized.append((Entry(name), abs(value)))
        return [(entry, size) for entry, size in sized if not size.is_zero()]

    def value_scale(self, output: int) -> float:
        """|f| + Σ|xⱼ·∂f/∂xⱼ| of one value (docs/error.md), to the accuracy of a float."""
        sample, place = self.at(output)

        def compute() -> list[arb]:
            own = self._heads(sample)[place]
            moves = [
                abs(size * self.derivatives(sample, entry)[place])
                for entry, size in self.movable(sample)
            ]
            return [abs(own), *moves]

        return _summed(compute, order=1)

    def gradient_scale(self, entry: Entry, cotangent: Sequence[arb]) -> float:
        """The same of :meth:`gradient`, whose cotangent is a number that goes in as well."""

        def compute() -> list[arb]:
            terms = []
            for sample, outputs in self.parts(entry):
                for one in self._together(entry):
                    slopes = self.derivatives(sample, one)
                    terms += [abs(cotangent[i] * s) for i, s in zip(outputs, slopes, strict=True)]
                others = self.movable(sample)
                bent = self.bends(sample, entry, [other for other, _ in others])
                for (_, size), bends in zip(others, bent, strict=True):
                    moved = total([cotangent[i] * b for i, b in zip(outputs, bends, strict=True)])
                    terms.append(abs(size * moved))
            return terms

        return _summed(compute, order=2)

    # -- kinks that are nearer than roundings -----------------------------------------------------

    def value_reach(self, output: int, share: float) -> arb | None:
        """All that a value may be when each number is off by a share of itself; None where that
        does not move it across a kink."""
        twin = self._blurred(share)
        return _across(lambda: twin.heads([output])[output])

    def gradient_reach(self, entry: Entry, cotangent: Sequence[arb], share: float) -> arb | None:
        """The same of :meth:`gradient`."""
        twin = self._blurred(share)
        return _across(
            lambda: total(
                [
                    cotangent[i] * slope
                    for sample, outputs in self.parts(entry)
                    for i, slope in zip(outputs, twin.derivatives(sample, entry), strict=True)
                ]
            )
        )

    def _blurred(self, share: float) -> Problem:
        twin = copy(self)
        twin.numbers = {
            name: numbers if name in self.whole else [_blur(x, share) for x in numbers]
            for name, numbers in self.numbers.items()
        }
        twin.params = {
            n: _blur(v, share) if isinstance(v, arb) and v.is_finite() else v
            for n, v in self.params.items()
        }
        return twin

    def _together(self, entry: Entry) -> list[Entry]:
        """The entries whose derivatives sum to 0 with that of an entry; usually the entry alone."""
        names = self.definition.together
        return [Entry(n, entry.at) for n in sorted(names)] if entry.name in names else [entry]

    def at(self, output: int) -> tuple[Sample, int]:
        for sample, outputs in zip(self.cut.samples, self.cut.outputs, strict=True):
            if output in outputs:
                return sample, outputs.index(output)
        raise IndexError(output)


def _blur(x: arb, share: float) -> arb:
    return arb(x, abs(x) * share)


def _across(compute: Callable[[], arb]) -> arb | None:
    """What is computed, if some branch in it could not be decided."""
    branches.undecided = 0
    with working(PRECISIONS[1], order=1):
        try:
            found = compute()
        except ValueError:
            return None
    return found if branches.undecided and found.is_finite() else None


def _summed(terms: Callable[[], list[arb]], order: int) -> float:
    """Σ terms, of those that are finite at any precision: at a kink a second derivative may not be."""
    summed = refined(lambda: [total(terms())], order, estimated)[0]
    if not summed.is_finite():
        with working(PRECISIONS[-1], order):
            try:
                summed = total([t for t in terms() if t.is_finite()])
            except ValueError:
                return 0.0
    return float(summed.mid())


# -- reductions -----------------------------------------------------------------------------------


def coefficients(
    function: str,
    reduction: str,
    arguments: Mapping[str, Any],
    losses: tuple[int, ...],
    sample_weight: Array | None,
    rows: str | None,
) -> list[list[tuple[int, arb]]]:
    """A reduction as the linear map it is: for each result, (unreduced loss, coefficient) pairs.

    The names are those of :mod:`nnconform.reference.reductions`.
    """
    count = losses[-1] if rows else 1
    share = ball(1) / count if rows == "mean" else ball(1)
    size = int(np.prod(losses, dtype=int)) // count
    shape = losses[:-1] if rows else losses
    weights = _sample_weights(sample_weight, shape, size)
    if reduction not in ("none", "sum"):
        weights = _divided(function, reduction, arguments, weights, shape, rows)
    each = [[(i * count + k, w * share) for k in range(count)] for i, w in enumerate(weights)]
    return each if reduction == "none" else [list(itertools.chain(*each))]


def _sample_weights(weight: Array | None, shape: tuple[int, ...], size: int) -> list[arb]:
    if weight is None:
        return [ball(1)] * size
    stood = np.asarray(weight).reshape(weight.shape + (1,) * (len(shape) - weight.ndim))
    return [ball(v) for v in np.broadcast_to(stood, shape).ravel()]


def _divided(
    function: str,
    reduction: str,
    arguments: Mapping[str, Any],
    weights: list[arb],
    shape: tuple[int, ...],
    rows: str | None,
) -> list[arb]:
    if reduction == "batchmean":
        return [w / (shape[0] if shape else 1) for w in weights]
    if reduction == "mean":
        if rows is None and function == "ctc":
            lengths = np.maximum(arguments["target_lengths"], 1).tolist()
            return [w / (n * len(weights)) for w, n in zip(weights, lengths, strict=True)]
        if rows is None and function in ("cross_entropy", "nll", "linear_cross_entropy"):
            divisor = _class_weights(arguments, len(weights))
            return [w / divisor for w in weights]
        return [w / len(weights) for w in weights]
    target, ignored = arguments.get("target"), arguments.get("ignore_index")
    if ignored is not None and target is not None and target.shape == shape:
        counted = (
            (target != ignored).ravel() if target.dtype.kind in "iu" else [True] * len(weights)
        )
        weights = [w if c else arb(0) for w, c in zip(weights, counted, strict=True)]
    divisor = (
        total(weights)
        if reduction == "weighted_mean"
        else ball(sum(not w.is_zero() for w in weights))
    )
    return [arb(0) if divisor.is_zero() else w / divisor for w in weights]


def _class_weights(arguments: Mapping[str, Any], samples: int) -> arb:
    """What the mean of a loss over classes divides by: the sum of its targets' weights."""
    target, weight = arguments["target"], arguments.get("weight")
    if target.dtype.kind not in "iu":
        return ball(samples)
    counted = [int(c) for c in target.ravel() if c != arguments["ignore_index"]]
    return total([ball(1) if weight is None else ball(weight[c]) for c in counted])


# -- the answer to "who is wrong?" ------------------------------------------------------------------


def enclose(
    function: str,
    arguments: Mapping[str, Any],
    index: int,
    *,
    of: str = "",
    reduction: str = "none",
    rows: str | None = None,
    sample_weight: Array | None = None,
    cotangent: Array | None = None,
) -> arb:
    """One number of a result, enclosed: the value at a flat index, or the gradient ``of`` an input.

    The gradient is that of Σ cotangent·value, the value being the reduced one.
    """
    problem = Problem(function, arguments)
    linear = coefficients(function, reduction, arguments, problem.cut.shape, sample_weight, rows)
    if of:
        return problem.gradient(Entry(of, index), _upstream(problem, linear, cotangent))

    def compute() -> list[arb]:
        values = problem.heads([i for i, _ in linear[index]])
        return [total([_scaled(f, values[i]) for i, f in linear[index]])]

    return refined(compute)[0]


def enclosed_scale(
    function: str,
    arguments: Mapping[str, Any],
    index: int,
    *,
    of: str = "",
    reduction: str = "none",
    rows: str | None = None,
    sample_weight: Array | None = None,
    cotangent: Array | None = None,
) -> float:
    """The scale (docs/error.md) of the number that :func:`enclose` encloses."""
    problem = Problem(function, arguments)
    linear = coefficients(function, reduction, arguments, problem.cut.shape, sample_weight, rows)
    if of:
        entry, upstream = Entry(of, index), _upstream(problem, linear, cotangent)
        own = abs(float(problem.gradient(entry, upstream).mid()))
        return own + problem.gradient_scale(entry, upstream)
    shares = [(i, abs(float(factor.mid()))) for i, factor in linear[index]]
    return sum(share * problem.value_scale(i) for i, share in shares if share)


def _upstream(
    problem: Problem, linear: Sequence[Sequence[tuple[int, arb]]], cotangent: Array | None
) -> list[arb]:
    """The cotangent of the unreduced values."""
    assert cotangent is not None
    upstream = [arb(0)] * int(np.prod(problem.cut.shape, dtype=int))
    for c, pairs in zip(np.ravel(cotangent), linear, strict=True):
        for i, factor in pairs:
            upstream[i] = upstream[i] + ball(c) * factor
    return upstream


def _scaled(factor: arb, value: arb) -> arb:
    return arb(0) if factor.is_zero() else factor * value
