"""The oracle's certificate: every formula and gradient held against rigorous enclosures.

Each result is computed in two working precisions, float64 and ``np.longdouble`` (rounded to
float64 at the end), at :mod:`.hard_points`, and its distance from the exact result is counted in
units in the last place of a float64. Where a function has roots that no float hits, the distance
near them is counted in units of u·scale instead, as everywhere in nnconform (docs/error.md).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import cache, partial
from multiprocessing import get_context
from typing import Any

import flint
import numpy as np
import pandas as pd

from ..reference.floats import describe_longdouble
from ..reference.function import Function
from ..reference.oracle import find, resolve
from .enclosures.balls import arb, ball, working
from .enclosures.problem import Entry, Problem
from .hard_points import Bits, Block, hard_points

Array = np.ndarray


@dataclass(frozen=True)
class Goal:
    """What a result must reach: units in the last place, or units of u·scale near roots."""

    ulp: float
    units: float


#: the working precisions, and what values and gradients must reach in each
PRECISIONS = {"extended": np.longdouble, "float64": np.float64}
GOALS = {
    ("extended", "value"): Goal(0.51, 1.0),
    ("extended", "gradient"): Goal(0.51, 1.0),
    ("float64", "value"): Goal(4.0, 4.0),
    ("float64", "gradient"): Goal(8.0, 8.0),
}
_U = 2.0**-53
#: a few roundings of each working precision: how far from a kink its sides cannot be told
_BLUR = {"extended": 2.0**-60, "float64": 2.0**-50}
#: of a gradient in a long row, so many entries are examined
_ENTRIES = 6


@dataclass
class Line:
    """One line of the certificate in the making."""

    function: str
    aspect: str
    precision: str
    points: int = 0
    undefined: int = 0
    ulp: float = 0.0
    at_kinks: int = 0
    near_roots: int = 0
    ulp_near_roots: float = 0.0
    units: float = 0.0
    error: float = 0.0
    worst: dict[str, Any] = field(default_factory=dict)
    failures: list[dict[str, Any]] = field(default_factory=list)
    _worst: float = -1.0

    @property
    def goal(self) -> Goal:
        return GOALS[self.precision, self.aspect]

    def add(
        self,
        got: float,
        want: arb,
        rooted: bool,
        scale: Callable[[], float],
        blurred: Callable[[float], arb | None],
        where: Callable[[], Any],
    ) -> None:
        """Count one result; the functions are asked only when they matter."""
        if (not want.is_finite() and not want.is_exact()) or want.is_nan():
            self.undefined += 1
            return
        self.points += 1
        miss, ulp = distance(got, want)
        units, near = own_units(miss, want), rooted and ulp > self.goal.ulp
        if near:
            unit = _U * scale()
            units = min(units, miss / unit) if unit > 0 else units
        severity = units / self.goal.units if near else ulp / self.goal.ulp
        if severity > 1 and _either_side(got, blurred(_BLUR[self.precision])):
            self.at_kinks += 1
            return
        if near:
            self.near_roots += 1
            self.ulp_near_roots = max(self.ulp_near_roots, ulp)
            self.units = max(self.units, units)
        else:
            self.ulp = max(self.ulp, ulp)
        self.error = max(self.error, units)
        if severity > self._worst:
            self._worst = severity
            self.worst = {**where(), "want": want.str(20, radius=False), "got": got}
        if severity > 1:
            self.failures.append(
                {
                    **where(),
                    "want": want.str(20, radius=False),
                    "got": got,
                    "ulp": ulp,
                    "units": units if near else None,
                }
            )

    def row(self) -> dict[str, Any]:
        """The line as a table row."""
        return {
            "function": self.function,
            "aspect": self.aspect,
            "precision": self.precision,
            "points": self.points,
            "undefined": self.undefined,
            "at_kinks": self.at_kinks,
            "ulp": self.ulp,
            "goal": self.goal.ulp,
            "near_roots": self.near_roots,
            "ulp_near_roots": self.ulp_near_roots,
            "units": self.units,
            "units_goal": self.goal.units,
            "error": self.error,
            "holds": not self.failures,
            "worst": json.dumps(self.worst, ensure_ascii=False, default=str),
        }


def distance(got: float, want: arb) -> tuple[float, float]:
    """How far a float64 is from a ball, absolutely and in units in the last place of ``want``.

    An overflow stands for 2¹⁰²⁴. From a ball that is wide, the interval at a kink, the distance is
    that from the interval.
    """
    if np.isnan(got):
        return np.inf, np.inf
    with working(256):
        beyond = arb(2) ** 1024
        exact = (beyond if got > 0 else -beyond) if np.isinf(got) else ball(got)
        if not want.is_finite() or want.abs_lower() > beyond:
            want = beyond if want > 0 else -beyond
        middle, radius = want.mid(), want.rad()
        thin = want.rel_accuracy_bits() > 60 or radius < arb(2) ** -1090
        away = abs(exact - middle)
        miss = away + radius if thin else away - radius
        if not miss > 0:
            return 0.0, 0.0
        mantissa, exponent = middle.man_exp()
        top = int(mantissa).bit_length() + int(exponent) - 1 if mantissa else -2000
        place = max(min(top, 1023) - 52, -1074)
        if thin and exact == middle:
            return 0.0, 0.0
        return float(miss.mid()), float((miss * arb(2) ** -place).mid())


def _either_side(got: float, reach: arb | None) -> bool:
    """Whether a result lies between those on the sides of a kink that cannot be told apart."""
    return reach is not None and np.isfinite(got) and bool(reach.contains(ball(got)))


def own_units(miss: float, want: arb) -> float:
    """A distance in units of u·|want|, which is never less than in units of u·scale."""
    if miss == 0:
        return 0.0
    size = min(float(abs(want).mid()), float(np.finfo(np.float64).max))
    return miss / max(_U * size, 5e-324)


def certify(
    names: Sequence[str],
    *,
    reduced: bool = False,
    jobs: int = 1,
    progress: Callable[[str], None] = lambda name: None,
) -> pd.DataFrame:
    """The certificate of these functions, a row for each aspect and working precision.

    ``reduced`` examines about a tenth of the points; ``jobs`` processes work at once, each on one
    function; ``progress`` hears of every function that is done.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    if jobs == 1:
        for name in names:
            found[name] = _rows_of(name, reduced)
            progress(name)
    else:
        with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
            doing = {pool.submit(_rows_of, name, reduced): name for name in names}
            for done in as_completed(doing):
                found[doing[done]] = done.result()
                progress(doing[done])
    return pd.DataFrame([row for name in names for row in found[name]])


def _rows_of(name: str, reduced: bool) -> list[dict[str, Any]]:
    versions = {"NumPy": np.__version__, "python-flint": flint.__version__}
    named = ", ".join(f"{library} {version}" for library, version in versions.items())
    here = f"{named}, longdouble: {describe_longdouble()}"
    return [{**line.row(), "environment": here} for line in examine(find(name), reduced)]


def examine(
    function: Function, reduced: bool = False, points: Iterable[Block] | None = None
) -> list[Line]:
    """The lines of one function, at its hard points or at these."""
    lines = {
        (aspect, precision): Line(function.name, aspect, precision)
        for aspect in ("value", "gradient")
        for precision in PRECISIONS
    }
    for inputs, params in hard_points(function, reduced) if points is None else points:
        _examine_block(function, inputs, params, lines)
    return list(lines.values())


def _examine_block(
    function: Function, inputs: Mapping[str, Array], params: dict[str, Any], lines: dict
) -> None:
    arguments = resolve(function, inputs, params)
    problem = Problem(function.name, arguments)
    values = problem.values()
    shape = problem.cut.shape
    upstream = cotangent(function, shape)
    exact_upstream = [ball(c) for c in upstream.ravel()]
    wanted = list(_wanted_entries(function, problem))
    gradients = [problem.gradient(entry, exact_upstream) for entry in wanted]
    rooted = problem.roots
    scale_of = cache(lambda entry: problem.gradient_scale(entry, exact_upstream))

    for (aspect, precision), line in lines.items():
        width = PRECISIONS[precision]
        wide = resolve(function, {n: _widened(a, width) for n, a in inputs.items()}, params)
        with np.errstate(all="ignore"):
            if aspect == "value":
                got = function(**wide).astype(np.float64).ravel()
                for i, want in enumerate(values):
                    where = partial(_where, problem, inputs, params, i, None)
                    scale = partial(problem.value_scale, i)
                    reach = partial(problem.value_reach, i)
                    line.add(float(got[i]), want, "value" in rooted, scale, reach, where)
            else:
                found = function.gradients(upstream.astype(width), **wide)
                flat = {n: g.astype(np.float64).ravel() for n, g in found.items()}
                for entry, want in zip(wanted, gradients, strict=True):
                    where = partial(_where, problem, inputs, params, None, entry)
                    scale = partial(scale_of, entry)
                    reach = partial(problem.gradient_reach, entry, exact_upstream)
                    got_there = float(flat[entry.name][entry.at])
                    line.add(got_there, want, entry.name in rooted, scale, reach, where)


def _widened(array: Array, width: type) -> Array:
    return array.astype(width) if array.dtype.kind == "f" else array


def cotangent(function: Function, shape: tuple[int, ...]) -> Array:
    """Ones, but for activations of rows, whose outputs share inputs: one output, or all mixed."""
    if function.kind == "loss" or not function.coupled or len(shape) < 2:
        return np.ones(shape)
    mixed = Bits(function.name + "/cotangent").uniform(*shape, low=-2.0, high=2.0)
    rows = np.arange(shape[0]).reshape(-1, *[1] * (len(shape) - 1))
    return np.where(rows % 2 == 0, np.arange(shape[-1]) == rows % shape[-1], mixed)


def _wanted_entries(function: Function, problem: Problem) -> Iterator[Entry]:
    """The entries whose gradients are examined: all, or a few of each long row."""
    discrete = problem.definition.discrete | problem.whole
    for name in function.differentiable:
        if name not in problem.numbers or name in discrete:
            continue
        width = problem.shapes[name][-1] if problem.shapes[name] else 1
        long = bool(function.coupled) and width > 8
        for at in range(len(problem.numbers[name])):
            if not long or at % width < _ENTRIES:
                yield Entry(name, at)


def _where(
    problem: Problem,
    inputs: Mapping[str, Array],
    params: Mapping[str, Any],
    output: int | None,
    entry: Entry | None,
) -> dict[str, Any]:
    """The numbers of the sample that a result belongs to."""
    sample = problem.at(output)[0] if entry is None else problem.parts(entry)[0][0]  # type: ignore[arg-type]
    numbers = {
        n: np.asarray(inputs[n]).ravel()[np.asarray(where)].tolist() for n, where in sample.items()
    }
    of = {} if entry is None else {"gradient of": entry.name, "at": entry.at}
    return {"inputs": numbers, "params": dict(params), **of}
