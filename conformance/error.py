"""The one error measure (docs/error.md).

``error = max(0, |got − want| − floor) / (u·scale)`` with ``scale = |want| + conditioning``.
A callable passes where ``error ≤ BOUND``; where it does not, but stays within
``BOUND·u·(scale + M)``, it is ``limited``: as good as its textbook formula can be.

Conditioning is measured on the oracle itself: how much it moves when each input (and each
real parameter) is perturbed by one relative u, summed over the inputs. Inputs that cannot
influence the same result are perturbed together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from ..reference.floats import Float, is_float
from ..reference.function import Function
from ..reference.reductions import Rows, coefficients, over_rows, spread_over_rows

Array = np.ndarray

#: the bound of the whole suite, in units of u·scale
BOUND = 8.0


@dataclass
class Expected:
    """What a correct result looks like: the exact value and how far from it rounding may lead."""

    want: Array
    #: |want| + conditioning
    scale: Array
    #: M, the largest intermediate of the textbook formula
    intermediate: Array
    #: what a flush of subnormals may cost
    floor: Array

    def error(self, got: Array, kind: Float) -> Array:
        """The error of every element, in units of u·scale."""
        return self._in_units(self._excess(got, kind), kind.u * self.scale)

    def limited_error(self, got: Array, kind: Float) -> Array:
        """The same in units of u·(scale + M)."""
        return self._in_units(self._excess(got, kind), kind.u * (self.scale + self.intermediate))

    def absolute(self, got: Array, kind: Float) -> Array:
        """|got − want|, an overflow to ±∞ counted as the first power of two beyond the largest."""
        beyond = self.want.dtype.type(2.0) ** (np.floor(np.log2(self.want.dtype.type(kind.largest))) + 1)
        with np.errstate(all="ignore"):
            wide = got.astype(self.want.dtype)
            got_finite = np.where(np.isinf(wide), np.copysign(beyond, wide), wide)
            want_finite = np.clip(self.want, -beyond, beyond)
            distance = np.abs(got_finite - want_finite)
            same = (wide == self.want) | (np.isnan(wide) & np.isnan(self.want))
            return np.where(same, 0, np.where(np.isnan(distance), np.inf, distance))

    def tolerance(self, kind: Float, *, limited: bool) -> Array:
        """What the bound allows, as an absolute number."""
        return BOUND * kind.u * (self.scale + self.intermediate * limited) + self.floor

    def _excess(self, got: Array, kind: Float) -> Array:
        return np.maximum(self.absolute(got, kind) - self.floor, 0)

    @staticmethod
    def _in_units(excess: Array, unit: Array) -> Array:
        with np.errstate(all="ignore"):
            return np.where(excess == 0, 0, excess / unit)


def ulps(distance: Array, want: Array, kind: Float) -> Array:
    """A distance in units in the last place of the dtype at ``want``."""
    with np.errstate(all="ignore"):
        size = np.clip(np.abs(want), kind.tiny, kind.largest)
        return distance / (2 * kind.u * 2.0 ** np.floor(np.log2(size)))


# -- perturbation -----------------------------------------------------------------------------------


def _coupled_axes(function: Function, name: str, array: Array, params: Mapping[str, Any]) -> list[int]:
    """The axes of an input along which its elements influence the same results."""
    axis = params.get("axis", 1)
    if "axis" in function.coupled and array.ndim:
        return [axis % array.ndim]
    tokens = [t.partition("|")[0] for t in function.inputs[name].shape.split()]
    if tokens == ["C"]:
        return [0]
    if "*K" in tokens and "C" in tokens:
        return [axis % array.ndim] if "C" in function.coupled else []
    axes = [i for i, token in enumerate(tokens) if token in function.coupled and token != "*K"]
    if "*K" in function.coupled and "*K" in tokens:
        axes += range(tokens.index("*K"), array.ndim)
    return [a for a in axes if a < array.ndim]


def _masks(shape: tuple[int, ...], axes: list[int]) -> Iterator[tuple[Any, ...]]:
    """Index expressions, one for each group of elements that may be perturbed together."""
    for position in product(*(range(shape[a]) for a in axes)):
        index: list[Any] = [slice(None)] * len(shape)
        for a, at in zip(axes, position, strict=True):
            index[a] = at
        yield tuple(index)


def _steps(
    function: Function, name: str, array: Array, params: Mapping[str, Any], kind: Float
) -> Array:
    """What "one relative u" is relative to: the input, or its distance from the row's maximum.

    A zero moves by the smallest normal number, so that a kink at 0 is seen.
    """
    if function.facts.get("shift_invariant") in (True, name):
        axis = params.get("axis", 1)
        with np.errstate(all="ignore"):
            shifted = np.abs(array - array.max(axis=axis, keepdims=True))
        return np.where(np.isfinite(shifted), shifted, 0)
    steps = np.where(array == 0, kind.tiny / kind.u, np.abs(array))
    return np.where(np.isfinite(steps), steps, 0)


_BOUNDED = {"probability": (0.0, 1.0), "distribution": (0.0, 1.0)}


def _moved(
    function: Function,
    arguments: dict[str, Any],
    kind: Float,
    compute: Callable[[dict[str, Any]], Mapping[str, Array]],
    extra: Mapping[str, tuple[Array, list[int]]],
) -> dict[str, Array]:
    """Σ over perturbations of how far each result moves, in units of u."""
    base = compute(arguments)
    total = {name: np.zeros_like(value) for name, value in base.items()}

    def perturb(changed: Callable[[int], dict[str, Any]]) -> None:
        moves = {name: np.zeros_like(value) for name, value in base.items()}
        for sign in (1, -1):
            for name, value in compute(changed(sign)).items():
                with np.errstate(all="ignore"):
                    move = np.abs(value - base[name])
                np.maximum(moves[name], np.where(np.isfinite(move), move, 0), out=moves[name])
        for name, move in moves.items():
            total[name] += move

    for name, spec in function.inputs.items():
        array = arguments.get(name)
        if array is None or not is_float(array) or spec.kinds[0] in ("sign", "bit"):
            if array is None or not (spec.differentiable and is_float(array)):
                continue
        steps = _steps(function, name, array, arguments, kind)
        low, high = _BOUNDED.get(spec.kinds[0], (-np.inf, np.inf))
        for index in _masks(array.shape, _coupled_axes(function, name, array, arguments)):

            def changed(sign: int, name=name, array=array, index=index, steps=steps) -> dict:
                other = np.array(array)
                other[index] = np.clip(array[index] + sign * kind.u * steps[index], low, high)
                return {**arguments, name: other}

            perturb(changed)
    for name in function.parameters:
        value = arguments[name]
        if isinstance(value, float) and value != 0 and np.isfinite(value):
            perturb(lambda sign, n=name, v=value: {**arguments, n: v * (1 + sign * kind.u)})
    for name, (array, axes) in extra.items():
        for index in _masks(array.shape, axes):

            def changed(sign: int, name=name, array=array, index=index) -> dict:
                other = np.array(array)
                other[index] *= 1 + sign * kind.u
                return {**arguments, name: other}

            perturb(changed)
    return {name: moved / kind.u for name, moved in total.items()}


def _largest_input(arguments: Mapping[str, Any], shape: tuple[int, ...], elementwise: bool) -> Array:
    """max(1, |x|): of the same element where the function is elementwise, else of the case."""
    arrays = [np.abs(a) for a in arguments.values() if isinstance(a, np.ndarray) and is_float(a)]
    if elementwise and all(a.shape in (shape, (), (1,)) for a in arrays):
        largest = np.ones(shape)
        for array in arrays:
            largest = np.maximum(largest, np.where(np.isfinite(array), array, 1))
        return largest
    top = max((float(np.max(a[np.isfinite(a)], initial=1)) for a in arrays), default=1.0)
    return np.full(shape, max(1.0, top))


# -- what is expected -------------------------------------------------------------------------------


@dataclass
class Judge:
    """The oracle's answer to one case under one dialect and reduction, with its conditioning."""

    function: Function
    arguments: dict[str, Any]
    kind: Float
    reduction: str = "none"
    rows: Rows = None
    sample_weight: Array | None = None

    def __post_init__(self) -> None:
        with np.errstate(all="ignore"):
            self.unreduced = self.function(**self.arguments)
            losses = over_rows(self.unreduced, self.rows)
            self.factors = (
                np.ones_like(losses)
                if self.function.kind == "activation"
                else coefficients(
                    self.function,
                    losses,
                    self.reduction,
                    self.arguments,
                    self.sample_weight,
                    self.rows,
                )
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the value."""
        return self.factors.shape if self.reduction == "none" else ()

    def _reduce(self, losses: Array, *, absolute: bool = False) -> Array:
        losses = over_rows(losses, self.rows)
        factors = np.abs(self.factors) if absolute else self.factors
        with np.errstate(all="ignore"):
            weighted = factors * losses
        return weighted if self.reduction == "none" else np.asarray(weighted.sum())

    def value(self) -> Expected:
        """The value, and how exactly it can be expected."""
        f, kind = self.function, self.kind
        with np.errstate(all="ignore"):
            moved = _moved(f, self.arguments, kind, lambda a: {"": f(**a)}, {})[""]
            size = np.where(np.isfinite(self.unreduced), np.abs(self.unreduced), 0)
            magnitude = np.broadcast_to(
                f.largest_intermediate(**self.arguments), self.unreduced.shape
            )
            want = self._reduce(self.unreduced)
            scale = self._reduce(size + moved, absolute=True)
            floor = _largest_input(self.arguments, self.unreduced.shape, not f.coupled)
            return Expected(
                want,
                np.asarray(scale),
                np.asarray(self._reduce(np.where(np.isfinite(magnitude), magnitude, 0), absolute=True)),
                np.asarray(kind.tiny * np.maximum(1, self._reduce(floor, absolute=True))),
            )

    def gradients(self, cotangent: Array) -> dict[str, Expected]:
        """The gradients under an upstream cotangent, by input."""
        f, kind = self.function, self.kind
        with np.errstate(all="ignore"):
            weighted = np.asarray(cotangent, self.unreduced.dtype) * self.factors
            upstream = np.array(spread_over_rows(weighted, self.unreduced, self.rows))

        def compute(arguments: dict[str, Any]) -> dict[str, Array]:
            rest = {k: v for k, v in arguments.items() if k != "_cotangent"}
            return f.gradients(arguments.get("_cotangent", upstream), **rest)

        axes = self._cotangent_axes()
        want = compute(self.arguments)
        moved = _moved(f, self.arguments, kind, compute, {"_cotangent": (upstream, axes)})
        magnitudes = f.largest_gradient_intermediate(**self.arguments)
        unsure = self._unsure_sides(compute, want)
        largest = float(np.max(np.abs(upstream[np.isfinite(upstream)]), initial=0))
        expected = {}
        for name, gradient in want.items():
            size = np.where(np.isfinite(gradient), np.abs(gradient), 0)
            magnitude = magnitudes.get(name)
            unit = _unit_cotangent(upstream, gradient.shape, largest)
            jump = unsure.get(name, 0)
            floor = _largest_input(self.arguments, gradient.shape, not f.coupled)
            expected[name] = Expected(
                gradient,
                size + moved[name],
                jump
                + (
                    np.zeros_like(gradient)
                    if magnitude is None
                    else np.abs(unit * np.where(np.isfinite(magnitude), magnitude, 0))
                ),
                kind.tiny * floor * max(1.0, largest),
            )
        return expected

    def _unsure_sides(
        self, compute: Callable[[dict[str, Any]], dict[str, Array]], want: dict[str, Array]
    ) -> dict[str, Array]:
        """How far gradients jump where the textbook formula cannot tell which side of its margin
        it is on, in units of u: its distance from the margin is only exact to u·M."""
        if "margin" not in self.arguments:
            return {}
        doubt = BOUND * self.kind.u * np.asarray(self.function.largest_intermediate(**self.arguments))
        if not doubt.any():
            return {}
        jumps = {name: np.zeros_like(g) for name, g in want.items()}
        for sign in (1, -1):
            margin = self.arguments["margin"] + sign * doubt
            for name, g in compute({**self.arguments, "margin": margin}).items():
                with np.errstate(all="ignore"):
                    move = np.abs(g - want[name])
                np.maximum(jumps[name], np.where(np.isfinite(move), move, 0), out=jumps[name])
        return {name: jump / self.kind.u for name, jump in jumps.items()}

    def _cotangent_axes(self) -> list[int]:
        first = next(iter(self.function.inputs))
        array = self.arguments[first]
        if self.unreduced.shape != array.shape or self.function.kind == "loss":
            return []
        return _coupled_axes(self.function, first, array, self.arguments)


def _unit_cotangent(upstream: Array, shape: tuple[int, ...], largest: float) -> Any:
    """|cotangent| of each gradient element where it is one to one, else the largest of the case."""
    return np.abs(upstream) if upstream.shape == shape else largest
