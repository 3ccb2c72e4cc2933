"""The one error measure (docs/error.md).

``error = max(0, |got − want| − floor) / (u·scale)`` with ``scale = |want| + conditioning``.
A callable passes where ``error ≤ BOUND``; where it does not, but stays within
``BOUND·u·(scale + M)``, it is ``limited``: as good as its textbook formula can be.

Conditioning is measured on the oracle itself: how much it moves when each input (and each
real parameter) is perturbed by one relative u, summed over the inputs. Inputs that cannot
influence the same result are perturbed together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from ..reference.certified import certified_error
from ..reference.floats import Float, extended, is_float
from ..reference.function import Function
from ..reference.reductions import Rows, coefficients, over_rows, spread_over_rows
from .adjudication import Question

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
    bound: float = BOUND
    #: asked before anything fails
    question: Question | None = None

    def names(self) -> dict[str, Array]:
        """What a record's expressions may speak of: ``scale`` is the one of ``limited``."""
        return {"want": self.want, "scale": self.scale + self.intermediate, "floor": self.floor}

    def error(self, got: Array, kind: Float) -> Array:
        """The error of every element, in units of u·scale."""
        return self._in_units(self._excess(got, kind), kind.u * self.scale)

    def limited_error(self, got: Array, kind: Float) -> Array:
        """The same in units of u·(scale + M)."""
        return self._in_units(self._excess(got, kind), kind.u * (self.scale + self.intermediate))

    def absolute(self, got: Array, kind: Float) -> Array:
        """|got − want|, an overflow to ±∞ counted as the first power of two beyond the largest."""
        with np.errstate(all="ignore"):  # ∞ itself where want is no wider than the dtype
            beyond = self.want.dtype.type(2.0) ** (
                np.floor(np.log2(self.want.dtype.type(kind.largest))) + 1
            )
            wide = got.astype(self.want.dtype)
            got_finite = np.where(np.isinf(wide), np.copysign(beyond, wide), wide)
            want_finite = np.clip(self.want, -beyond, beyond)
            distance = np.abs(got_finite - want_finite)
            same = (wide == self.want) | (np.isnan(wide) & np.isnan(self.want))
            return np.where(same, 0, np.where(np.isnan(distance), np.inf, distance))

    def tolerance(self, kind: Float, *, limited: bool) -> Array:
        """What the bound allows, as an absolute number."""
        return self.bound * kind.u * (self.scale + self.intermediate * limited) + self.floor

    def _excess(self, got: Array, kind: Float) -> Array:
        return np.maximum(self.absolute(got, kind) - self.floor, 0)

    @staticmethod
    def _in_units(excess: Array, unit: Array) -> Array:
        with np.errstate(all="ignore"):
            return np.where(excess == 0, 0, excess / unit)


def bound_of(function: str, aspect: str, kind: Float) -> float:
    """:data:`BOUND`; where longdouble is no wider than float64, and float64 is judged, plus the
    error of the oracle itself, as its certificate has it (docs/certificate.md)."""
    if kind.oracle.itemsize > kind.dtype.itemsize and (kind.name != "float64" or extended()):
        return BOUND
    return BOUND + certified_error(function, aspect)


def ulps(distance: Array, want: Array, kind: Float) -> Array:
    """A distance in units in the last place of the dtype at ``want``."""
    with np.errstate(all="ignore"):
        size = np.clip(np.abs(want), kind.tiny, kind.largest)
        return distance / (2 * kind.u * 2.0 ** np.floor(np.log2(size)))


# -- perturbation -----------------------------------------------------------------------------------


def _coupled_axes(
    function: Function, name: str, array: Array, params: Mapping[str, Any]
) -> list[int]:
    """The axes of an input along which its elements influence the same results."""
    axis = params.get("axis", 1)
    if "axis" in function.coupled and array.ndim:
        return [axis % array.ndim]
    tokens = [t.partition("|")[0] for t in function.inputs[name].shape.split()]
    if tokens[0] == "C":  # class weights, a linear layer: what all samples share
        return list(range(array.ndim))
    if "*K" in tokens and "C" in tokens and "*K" not in function.coupled:
        return [axis % array.ndim] if "C" in function.coupled else []
    axes = {i for i, token in enumerate(tokens) if token in function.coupled and token != "*K"}
    if "*K" in function.coupled and "*K" in tokens:
        axes |= set(range(tokens.index("*K"), array.ndim))
    return sorted(a for a in axes if a < array.ndim)


def _masks(shape: tuple[int, ...], axes: list[int]) -> Iterator[tuple[Any, ...]]:
    """Index expressions, one for each group of elements that may be perturbed together."""
    for position in product(*(range(shape[a]) for a in axes)):
        index: list[Any] = [slice(None)] * len(shape)
        for a, at in zip(axes, position):
            index[a] = at
        yield tuple(index)


def _steps(
    function: Function, name: str, array: Array, params: Mapping[str, Any], kind: Float
) -> Array:
    """What "one relative u" is relative to: the input, or its distance from the row's maximum (minimum).

    A zero moves by the smallest normal number, so that a kink at 0 is seen. Where the function
    itself jumps, nothing moves: on which side of ``x > 0`` a number is, is not a matter of rounding.
    A coordinate moves at least as far as the ``eps`` that is added to its differences is rounded.
    """
    if function.facts.get("shift_invariant") in (True, name):
        axis = params.get("axis", 1)
        with np.errstate(all="ignore"):
            end = np.min if function.facts.get("lowest") else np.max
            shifted = np.abs(array - end(array, axis=axis, keepdims=True))
        return np.where(np.isfinite(shifted), shifted, 0)
    size = np.abs(array)
    if function.inputs[name].kinds[0] == "feature":
        size = np.maximum(size, abs(params.get("eps", 0.0)))
    steps = np.where(size == 0, kind.tiny / kind.u, size)
    known = function.facts.get("jumps", {})
    jumps = (known(params) if callable(known) else known).get(name, ())
    return np.where(np.isfinite(steps) & ~np.isin(array, jumps), steps, 0)


def _bounds(kinds: tuple[str, ...], array: Array) -> tuple[float, float]:
    """[0, 1] where an input holds probabilities; it may hold another of its kinds."""
    unit = {"probability", "distribution"} & set(kinds) and not np.any((array < 0) | (array > 1))
    return (0.0, 1.0) if unit else (-np.inf, np.inf)


_COTANGENT = "_cotangent"
Compute = Callable[[dict[str, Any]], Mapping[str, Array]]


def _moved(
    function: Function,
    arguments: dict[str, Any],
    kind: Float,
    compute: Compute,
    cotangent_axes: list[int],
) -> dict[str, Array]:
    """Σ over perturbations of how far each result moves, in units of u."""
    key = _digest(function, arguments, kind)
    if key in _MOVED:
        return _MOVED[key]
    base = compute(arguments)
    total = {name: np.zeros_like(value) for name, value in base.items()}
    tensors, scalars = _perturbations(function, arguments, kind, cotangent_axes)
    results = [*_together(function, arguments, compute, tensors)]
    results += [compute({**arguments, **change}) for change in scalars]
    for up, down in zip(results[::2], results[1::2]):
        for name, value in base.items():
            with np.errstate(all="ignore"):
                moves = np.abs(np.stack([up[name] - value, down[name] - value]))
            total[name] += np.where(np.isfinite(moves), moves, 0).max(axis=0)
    if len(_MOVED) >= 8192:
        _MOVED.clear()
    _MOVED[key] = {name: moved / kind.u for name, moved in total.items()}
    return _MOVED[key]


#: the same cases come again in other aspects, reductions and forms of a function
_MOVED: dict[bytes, dict[str, Array]] = {}


def _digest(function: Function, arguments: Mapping[str, Any], kind: Float) -> bytes:
    """What the conditioning of a case depends on."""
    digest = hashlib.blake2b(f"{function.name} {kind.name}".encode(), digest_size=16)
    for name, value in arguments.items():
        array = np.ascontiguousarray(value) if isinstance(value, np.ndarray) else None
        shown = repr(value) if array is None else f"{array.shape}{array.dtype}"
        digest.update(f"{name} {shown}".encode())
        if array is not None:
            digest.update(array.tobytes())
    return digest.digest()


def _perturbations(
    function: Function, arguments: dict[str, Any], kind: Float, cotangent_axes: list[int]
) -> tuple[list[dict[str, Array]], list[dict[str, float]]]:
    """Changed tensors and changed parameters, each first upwards, then downwards."""
    tensors: list[dict[str, Array]] = []
    for name in (*function.inputs, _COTANGENT):
        array = arguments.get(name)
        if array is None or not is_float(array):
            continue
        low, high = -np.inf, np.inf
        if name == _COTANGENT:
            steps, axes = np.abs(array), cotangent_axes
        else:
            spec = function.inputs[name]
            if spec.kinds[0] in ("sign", "bit") and not spec.differentiable:
                continue
            low, high = _bounds(spec.kinds, array)
            steps = _steps(function, name, array, arguments, kind)
            axes = _coupled_axes(function, name, array, arguments)
        for index in _masks(array.shape, axes):
            for sign in (1, -1):
                other = np.array(array)
                with np.errstate(all="ignore"):
                    other[index] = np.clip(array[index] + sign * kind.u * steps[index], low, high)
                tensors.append({name: other})
    fixed = function.facts.get("jumps_at", "")  # where the dtype holds it, no rounding moves it
    scalars = [
        {name: value * (1 + sign * kind.u)}
        for name in function.parameters
        if isinstance(value := arguments[name], float) and value != 0 and np.isfinite(value)
        if name != fixed or kind.round(value) != value
        for sign in (1, -1)
    ]
    return tensors, scalars


def _together(
    function: Function,
    arguments: dict[str, Any],
    compute: Compute,
    changes: list[dict[str, Array]],
) -> Iterator[Mapping[str, Array]]:
    """The results of all changes: in one call where a batch axis can hold them, else one by one."""
    arrays = {n: a for n, a in arguments.items() if isinstance(a, np.ndarray)}
    shapes = {n: function.inputs[n].shape.split() for n in arrays if n != _COTANGENT}
    first = arrays[next(iter(function.inputs))]
    alike = all(arrays[n].shape == first.shape for n in shapes)
    if alike and all(tokens == ["S"] for tokens in shapes.values()) and len(changes) > 2:
        stacked: dict[str, Any] = {
            n: np.stack([change.get(n, a) for change in changes]) for n, a in arrays.items()
        }
        if "axis" in arguments and arguments["axis"] >= 0:
            stacked["axis"] = arguments["axis"] - first.ndim
        results = compute({**arguments, **stacked})
        yield from ({n: r[at] for n, r in results.items()} for at in range(len(changes)))
        return
    if function.facts.get("copies"):
        held = {n: a for n, a in arrays.items() if n != "weight"}
        many = [change for change in changes if "weight" not in change]
        copies = {n: np.stack([change.get(n, a) for change in many]) for n, a in held.items()}
        results = compute({**arguments, **copies})
        each = ({n: r[at] for n, r in results.items()} for at in range(len(many)))
        yield from (
            compute({**arguments, **change}) if "weight" in change else next(each)
            for change in changes
        )
        return
    batched = all("N" in tokens or tokens == ["C"] for tokens in shapes.values())
    if not batched or "N" in function.coupled:
        yield from (compute({**arguments, **change}) for change in changes)
        return
    axes = {n: t.index("N") for n, t in shapes.items() if "N" in t} | {_COTANGENT: 0, "": 0}
    alone = [any(n not in axes for n in change) for change in changes]
    size = first.shape[axes[next(iter(function.inputs))]]
    rows = [change for change, lone in zip(changes, alone) if not lone]
    stacked = {
        n: np.concatenate([change.get(n, a) for change in rows], axis=axes[n])
        for n, a in arrays.items()
        if n in axes and rows
    }
    results = compute({**arguments, **stacked}) if rows else {}
    at = 0
    for change, lone in zip(changes, alone):
        if lone:
            yield compute({**arguments, **change})
        else:
            part = range(at * size, (at + 1) * size)
            yield {n: np.take(r, part, axis=axes[n]) for n, r in results.items()}
            at += 1


def _largest_input(
    arguments: Mapping[str, Any], shape: tuple[int, ...], elementwise: bool
) -> Array:
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
            moved = _moved(f, self.arguments, kind, lambda a: {"": f(**a)}, [])[""]
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
                np.asarray(
                    self._reduce(np.where(np.isfinite(magnitude), magnitude, 0), absolute=True)
                ),
                np.asarray(kind.tiny * np.maximum(1, self._reduce(floor, absolute=True))),
                bound_of(f.name, "value", kind),
                self._question(),
            )

    def gradients(self, cotangent: Array) -> dict[str, Expected]:
        """The gradients under an upstream cotangent, by input."""
        f, kind = self.function, self.kind
        with np.errstate(all="ignore"):
            weighted = np.asarray(cotangent, self.unreduced.dtype) * self.factors
            upstream = np.array(spread_over_rows(weighted, self.unreduced, self.rows))

        def compute(arguments: dict[str, Any]) -> dict[str, Array]:
            rest = {k: v for k, v in arguments.items() if k != _COTANGENT}
            return f.gradients(arguments[_COTANGENT], **rest)

        given = {**self.arguments, _COTANGENT: upstream}
        want = compute(given)
        moved = _moved(f, given, kind, compute, self._cotangent_axes())
        magnitudes = f.largest_gradient_intermediate(**self.arguments)
        unsure = self._unsure_sides(lambda a: compute({**given, **a}), want)
        largest = float(np.max(np.abs(upstream[np.isfinite(upstream)]), initial=0))
        expected = {}
        for name, gradient in want.items():
            size = np.where(np.isfinite(gradient), np.abs(gradient), 0)
            magnitude = magnitudes.get(name)
            one_to_one = upstream.shape == gradient.shape and "N" not in f.coupled
            unit = np.abs(upstream) if one_to_one else largest
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
                bound_of(f.name, "gradient", kind),
                self._question(name, np.asarray(cotangent)),
            )
        return expected

    def _question(self, of: str = "", cotangent: Array | None = None) -> Question:
        reduction = "none" if self.function.kind == "activation" else self.reduction
        return Question(
            self.function.name,
            self.arguments,
            reduction,
            self.rows,
            self.sample_weight,
            of,
            cotangent,
        )

    def _unsure_sides(self, compute: Compute, want: dict[str, Array]) -> dict[str, Array]:
        """How far gradients jump where the textbook formula cannot tell which side of its margin,
        or of its clip, it is on, in units of u: its distance from the margin is only exact to u·M,
        what it clips is a quotient or a softmax, rounded as the clip is."""
        doubt = BOUND * self.kind.u
        changes: list[dict[str, Any]] = []
        if "margin" in self.arguments:
            inexact = doubt * np.asarray(self.function.largest_intermediate(**self.arguments))
            if inexact.any():
                margin = self.arguments["margin"]
                changes += [{"margin": margin + inexact}, {"margin": margin - inexact}]
        if self.arguments.get("clip") is not None:
            low, high = self.arguments["clip"]
            changes += [
                {"clip": (low * (1 + doubt), high * (1 - doubt))},
                {"clip": (low * (1 - doubt), high * (1 + doubt))},
            ]
        jumps = {name: np.zeros_like(g) for name, g in want.items()}
        for change in changes:
            for name, g in compute(change).items():
                with np.errstate(all="ignore"):
                    move = np.abs(g - want[name])
                np.maximum(jumps[name], np.where(np.isfinite(move), move, 0), out=jumps[name])
        return {name: jump / self.kind.u for name, jump in jumps.items()} if changes else {}

    def _cotangent_axes(self) -> list[int]:
        if self.function.kind == "loss" and "N" in self.function.coupled:
            return list(range(self.unreduced.ndim))
        first = next(iter(self.function.inputs))
        array = self.arguments[first]
        if self.unreduced.shape != array.shape or self.function.kind == "loss":
            return []
        return _coupled_axes(self.function, first, array, self.arguments)
