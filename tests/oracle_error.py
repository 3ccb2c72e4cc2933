"""The error of the oracle against the textbook, in the units of DESIGN.md.

    error = max(0, |got − want| − floor) / (u · scale)

``scale`` is |want| plus what one relative u in every number that goes in may do to the result:
Σ|xⱼ·∂f/∂xⱼ|, and half of u·Σ|xⱼ·xₖ·∂²f/∂xⱼ∂xₖ| where that is not negligible (a minimum, where the
first order vanishes). Numbers that go in are inputs and real parameters; for a function of
differences, the differences. Terms of the scale are costly, so they are added until the error
is within the bound: what is reported is the error or more.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import mpmath
import numpy as np
from mpmath import mpf, workprec

from nnconform.reference.oracle import find, resolve

from .textbook import NOTHING, Entry, Problem, exact

Array = np.ndarray
Parts = list[tuple[dict[str, Any], list[int]]]  # samples, and where their values go

BOUND = 8.0

#: inputs that count only by their differences along a row: their sizes are x − max(x)
DIFFERENCES = {
    "softmax": "x",
    "log_softmax": "x",
    "cross_entropy": "input",
}

#: a second difference beyond this many times the function's size is no curvature but a kink
CURVED = mpf(2) ** 80

#: inputs of which only differences count: the gradient of one is minus the sum of the others',
#: and is conditioned like that sum
INVARIANT = {"triplet_margin": ("anchor", "positive", "negative")}


class Measurement:
    """A function of the catalogue at one point, beside its textbook definition."""

    def __init__(self, name: str, inputs: Mapping[str, Any], params: Mapping[str, Any]) -> None:
        self.function = find(name)
        self.arguments = resolve(self.function, inputs, params)
        arrays = {n: self.arguments[n] for n in inputs}
        self.problem = Problem(name, arrays, params)
        self.value = self.function(**self.arguments)
        info = np.finfo(self.value.dtype)
        self.unit = exact(info.eps) / 2
        self.tiny, self.huge = exact(info.smallest_normal), exact(info.max)

    @workprec(300)
    def value_error(self) -> float:
        """The worst error of the values."""
        problem, worst = self.problem, 0.0
        for sample, outputs in zip(problem.cut.samples, problem.cut.outputs, strict=True):
            floor = self._floor(sample)
            for i, (at, want) in enumerate(zip(outputs, problem.at(sample), strict=True)):
                miss = self._miss(self.value.ravel()[at], want, want)
                worst = max(worst, self._units(miss - floor, self._terms(sample, i, want)))
        return worst

    @workprec(300)
    def gradient_error(self, cotangent: Array) -> dict[str, float]:
        """The worst error of each gradient of ``sum(cotangent · value)``.

        At a kink, the distance from the interval between the one-sided derivatives.
        """
        problem = self.problem
        gradients = self.function.gradients(cotangent, **self.arguments)
        upstream = [exact(c) for c in cotangent.ravel()]
        shares: dict[Entry, Parts] = {}
        for sample, outputs in zip(problem.cut.samples, problem.cut.outputs, strict=True):
            for entry in problem.entries(sample):
                if entry[0] in gradients:
                    shares.setdefault(entry, []).append((sample, outputs))
        worst = dict.fromkeys(gradients, 0.0)
        for entry, parts in shares.items():
            name, at = entry
            low, high = self._between(entry, parts, upstream)
            if mpmath.isnan(low) or mpmath.isnan(high):
                continue  # ∞ − ∞: the textbook has no derivative there
            floor = max(self._floor(sample) for sample, _ in parts)
            got = gradients[name].ravel()[at]
            terms = self._gradient_terms(entry, parts, upstream)
            error = self._units(self._miss(got, low, high) - floor, terms)
            if error > BOUND:  # a kink nearer than the rounding of the inputs
                reach = self._reach(entry, parts, upstream)
                error = self._units(self._miss(got, *reach) - floor, iter([max(map(abs, reach))]))
            worst[name] = max(worst[name], error)
        return worst

    # -- the parts of the measure -----------------------------------------------------------------

    def _miss(self, got: Any, low: mpf, high: mpf) -> mpf:
        """The distance of ``got`` from [low, high], each rounded to the range of the dtype."""
        if not np.isfinite(got):
            reached = {np.inf: high > self.huge, -np.inf: low < -self.huge}.get(float(got), False)
            both_nan = np.isnan(got) and mpmath.isnan(low)
            return mpf(0) if reached or both_nan else mpmath.inf
        value, low, high = exact(got), max(low, -self.huge), min(high, self.huge)
        return max(low - value, value - high, mpf(0))

    def _units(self, miss: mpf, terms: Iterator[mpf]) -> float:
        if miss <= 0:
            return 0.0
        scale, error = mpf(0), np.inf
        for term in terms if mpmath.isfinite(miss) else ():
            scale += term
            if scale:
                error = float(miss / (self.unit * scale))
            if error <= BOUND:
                break
        return error

    def _floor(self, sample: Mapping[str, Any]) -> mpf:
        sizes = [abs(self.problem.numbers[e]) for e in self.problem.entries(sample)]
        return self.tiny * max([mpf(1), *sizes])

    def _movable(self, sample: Mapping[str, Any]) -> list[tuple[Entry, mpf]]:
        """What one relative u moves, with its size."""
        problem = self.problem
        entries = problem.entries(sample)
        top = mpf(0)
        if different := DIFFERENCES.get(self.function.name):
            top = max(problem.numbers[e] for e in entries if e[0] == different)
        sizes = [
            (e, abs(problem.numbers[e] - (top if e[0] == different else 0))) for e in entries
        ] + [((k, 0), abs(mpf(problem.params[k]))) for k in problem.knobs()]
        return [(e, size) for e, size in sizes if size]

    def _summands(self, entry: Entry) -> list[Entry]:
        """The numbers whose derivatives sum to minus that of an entry; usually the entry alone."""
        together = INVARIANT.get(self.function.name, ())
        return [(name, entry[1]) for name in together] if entry[0] in together else [entry]

    def _terms(self, sample: Mapping[str, Any], i: int, want: mpf) -> Iterator[mpf]:
        """The terms of the scale of a sample's i-th value."""
        yield abs(want)
        movable = self._movable(sample)
        for entry, size in movable:
            for summand in self._summands(entry):
                yield size * max(map(abs, self.problem.slopes(sample, summand)[i]))
        for (one, a), (two, b) in itertools.product(movable, movable):
            bend = a * b * abs(self.problem.bends(sample, one, two)[i])
            if bend <= CURVED * (1 + abs(want)):
                yield self.unit / 2 * bend

    def _between(
        self, entry: Entry, parts: Parts, upstream: list[mpf], moved: Mapping[Entry, mpf] = NOTHING
    ) -> tuple[mpf, mpf]:
        """The interval of the gradient, between the one-sided derivatives."""
        low = high = mpf(0)
        for sample, outputs in parts:
            sides = self.problem.slopes(sample, entry, moved)
            for i, (left, right) in zip(outputs, sides, strict=True):
                a, b = upstream[i] * left, upstream[i] * right
                low, high = low + min(a, b), high + max(a, b)
        return low, high

    def _reach(self, entry: Entry, parts: Parts, upstream: list[mpf]) -> tuple[mpf, mpf]:
        """The interval of the gradient when any one number that goes in moves by a rounding or two."""
        ends = list(self._between(entry, parts, upstream))
        for sample, _ in parts:
            for other, size in self._movable(sample):
                for move in (-2 * self.unit * size, 2 * self.unit * size):
                    ends += self._between(entry, parts, upstream, {other: move})
        defined = [e for e in ends if not mpmath.isnan(e)]
        return min(defined), max(defined)

    def _gradient_terms(self, entry: Entry, parts: Parts, upstream: list[mpf]) -> Iterator[mpf]:
        """The terms of the scale of a gradient: of the cotangents, then of everything else."""
        for sample, outputs in parts:
            for summand in self._summands(entry):
                for i, sides in zip(outputs, self.problem.slopes(sample, summand), strict=True):
                    yield max(abs(upstream[i] * side) for side in sides)
        for sample, outputs in parts:
            values = [
                abs(upstream[i] * v) for i, v in zip(outputs, self.problem.at(sample), strict=True)
            ]
            near = max(abs(self.problem.numbers[entry]), self.problem.step(sample) * 2**160)
            for other, size in self._movable(sample):
                bends = self.problem.bends(sample, entry, other)
                moved = size * abs(
                    sum(upstream[i] * b for i, b in zip(outputs, bends, strict=True))
                )
                if near * moved <= CURVED * (1 + sum(values)):
                    yield moved
