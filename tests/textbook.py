"""Every function of the catalogue a second time: as a textbook writes it, in arbitrary precision.

A formula here says what *one sample* gives: one element, one row of classes, one sequence. It
takes mpmath numbers and lists of them, and cares for nothing but being obviously right: it
cancels, overflows no exponent, enumerates every alignment. :class:`Problem` cuts arrays into
samples, chooses the precision, and takes derivatives by differences of the formula itself.
Nothing is shared with ``nnconform.reference``.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import mpmath
import numpy as np
from mpmath import exp, mp, mpf

Array = np.ndarray
Real = mpf
Row = Sequence[mpf]
Entry = tuple[str, int]  # a number of the problem: input (or parameter) and flat position

NAN = mpf("nan")
NOTHING: Mapping[Entry, Real] = MappingProxyType({})


def log(x: Real) -> Real:
    """The real logarithm: −∞ at 0, NaN below."""
    return NAN if x < 0 else mpmath.log(x)


def times(x: Real, y: Real) -> Real:
    """x·y where 0·∞ = 0, as in 0·log 0."""
    return mpf(0) if x == 0 and mpmath.isinf(y) else x * y


def xlog(x: Real, y: Real) -> Real:
    """x·log y where 0·log y = 0."""
    return x * log(y) if x else mpf(0)


def mean(terms: Iterable[Real]) -> Real:
    listed = list(terms)
    return sum(listed) / len(listed)


# -- how arrays fall into samples -----------------------------------------------------------------

Layout = Callable[[Mapping[str, Array], Mapping[str, Any]], "Cut"]


@dataclass(frozen=True)
class Cut:
    """Samples (positions by input name), where their values go, and the shape of all values."""

    samples: list[dict[str, Any]]
    outputs: list[list[int]]
    shape: tuple[int, ...]


def elementwise(at: Mapping[str, Array], params: Mapping[str, Any]) -> Cut:
    """One sample an element; inputs broadcast."""
    spread = dict(zip(at, np.broadcast_arrays(*at.values()), strict=True))
    shape = next(iter(spread.values())).shape
    columns = {name: index.ravel().tolist() for name, index in spread.items()}
    samples = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return Cut(samples, [[i] for i in range(len(samples))], shape)


def by_channel(at: Mapping[str, Array], params: Mapping[str, Any]) -> Cut:
    """Element by element; a slope for each position along axis 1 of x, or one for all."""
    slope = at["slope"].reshape(-1, *[1] * (at["x"].ndim - 2))
    return elementwise({"x": at["x"], "slope": slope}, params)


def grouped(at: Mapping[str, Array], params: Mapping[str, Any]) -> Cut:
    """Each ``groups`` consecutive positions along axis 1 give one number."""
    x, k = np.moveaxis(at["x"], 1, -1), params.get("groups", 2)
    shape = (*at["x"].shape[:1], at["x"].shape[1] // k, *at["x"].shape[2:])
    where = np.moveaxis(np.arange(np.prod(shape, dtype=int)).reshape(shape), 1, -1).ravel()
    rows = x.reshape(-1, k).tolist()
    return Cut([{"x": row} for row in rows], [[int(i)] for i in where], shape)


def rows(axis: int, gives: Literal["row", "number"] = "number") -> Layout:
    """One sample a row along ``axis``; inputs of one rank less give it a number, weights are shared."""

    def cut(at: Mapping[str, Array], params: Mapping[str, Any]) -> Cut:
        first, along = next(iter(at.values())), params.get("axis", axis)
        flat: dict[str, list] = {}
        for name, index in at.items():
            if name == "weight":
                continue
            whole = index.ndim == first.ndim
            size = [-1, first.shape[along]] if whole else [-1]
            flat[name] = (np.moveaxis(index, along, -1) if whole else index).reshape(size).tolist()
        shared = {"weight": at["weight"].tolist()} if "weight" in at else {}
        each = [dict(zip(flat, row, strict=True)) for row in zip(*flat.values(), strict=True)]
        samples = [sample | shared for sample in each]
        if gives == "row":
            return Cut(samples, flat[next(iter(at))], first.shape)
        shape = tuple(np.delete(first.shape, along).tolist())
        return Cut(samples, [[i] for i in range(len(samples))], shape)

    return cut


def sequences(at: Mapping[str, Array], params: Mapping[str, Any]) -> Cut:
    """One sample a sequence: (T, N, C), (N, L), (N,), (N,)."""
    samples = [
        {
            name: (index[:, n] if name == "log_probs" else index[n]).tolist()
            for name, index in at.items()
        }
        for n in range(at["log_probs"].shape[1])
    ]
    return Cut(samples, [[n] for n in range(len(samples))], (len(samples),))


# -- the definitions ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Definition:
    """A formula for one sample, and how arrays fall into samples.

    Numbers of the inputs named in ``discrete`` (a sign, a bit) are never varied; at a 0 of the
    inputs named in ``jumps`` the function jumps, and has no derivative.
    """

    formula: Callable[..., Any]
    layout: Layout
    discrete: frozenset[str]
    jumps: frozenset[str]


DEFINITIONS: dict[str, Definition] = {}


def define(
    layout: Layout, discrete: str = "", jumps: str = ""
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def register(formula: Callable[..., Any]) -> Callable[..., Any]:
        DEFINITIONS[formula.__name__] = Definition(
            formula, layout, frozenset(discrete.split()), frozenset(jumps.split())
        )
        return formula

    return register


@define(elementwise, jumps="x")
def step(x: Real, at_zero: Real = 1.0) -> Real:
    return mpf(0) if x < 0 else mpf(1) if x > 0 else mpf(at_zero)


@define(elementwise)
def linear(x: Real) -> Real:
    return x


@define(elementwise)
def sigmoid(x: Real) -> Real:
    return 1 / (1 + exp(-x))


@define(elementwise)
def tanh(x: Real) -> Real:
    return (exp(x) - exp(-x)) / (exp(x) + exp(-x))


@define(elementwise)
def hard_tanh(x: Real, min_value: Real = -1.0, max_value: Real = 1.0) -> Real:
    return min_value if x < min_value else max_value if x > max_value else x


@define(elementwise)
def relu(x: Real) -> Real:
    return max(x, mpf(0))


@define(elementwise)
def leaky_relu(x: Real, slope: Real = 0.01) -> Real:
    return x if x >= 0 else slope * x


@define(by_channel)
def prelu(x: Real, slope: Real) -> Real:
    return max(x, mpf(0)) + slope * min(x, mpf(0))


@define(elementwise)
def rrelu(x: Real, lower: Real = 1 / 8, upper: Real = 1 / 3) -> Real:
    return x if x >= 0 else (mpf(lower) + mpf(upper)) / 2 * x


@define(elementwise)
def elu(x: Real, alpha: Real = 1.0) -> Real:
    return x if x > 0 else alpha * (exp(x) - 1)


@define(grouped)
def maxout(x: Row, groups: int = 2) -> Real:
    return max(x)


@define(rows(-1, gives="row"))
def softmax(x: Row, axis: int = -1) -> Row:
    e = [exp(t) for t in x]
    return [t / sum(e) for t in e]


@define(rows(-1, gives="row"))
def log_softmax(x: Row, axis: int = -1) -> Row:
    return [log(p) for p in softmax(x)]


@define(rows(-1))
def logsumexp(x: Row, axis: int = -1) -> Real:
    return log(sum(exp(t) for t in x))


@define(elementwise)
def mean_absolute_error(input: Real, target: Real) -> Real:
    return abs(input - target)


@define(elementwise)
def mean_squared_error(input: Real, target: Real, half: bool = False) -> Real:
    return (input - target) ** 2 / (2 if half else 1)


@define(elementwise)
def huber(input: Real, target: Real, delta: Real = 1.0) -> Real:
    a = abs(input - target)
    return a**2 / 2 if a <= delta else delta * (a - delta / mpf(2))


@define(elementwise)
def smooth_l1(input: Real, target: Real, beta: Real = 1.0) -> Real:
    a = abs(input - target)
    return a**2 / (2 * beta) if a < beta else a - beta / mpf(2)


@define(elementwise)
def poisson_nll(
    input: Real, target: Real, log_input: bool = True, full: bool = False, eps: Real = 1e-8
) -> Real:
    loss = exp(input) - target * input if log_input else input - target * log(input + eps)
    if full and target > 1:
        loss += target * log(target) - target + log(2 * mp.pi * target) / 2
    return loss


def _clipped(p: Real, clip: tuple[float, float] | None) -> Real:
    return p if clip is None else max(mpf(clip[0]), min(p, mpf(clip[1])))


def _smoothed(y: Real, s: Real, classes: int) -> Real:
    return y * (1 - mpf(s)) + mpf(s) / classes


@define(elementwise)
def binary_cross_entropy(
    input: Real,
    target: Real,
    weight: Real = 1.0,
    label_smoothing: Real = 0.0,
    epsilon: Real = 0.0,
    clip: tuple[float, float] | None = None,
    log_floor: Real = -mpmath.inf,
) -> Real:
    p, y = _clipped(input, clip), _smoothed(target, label_smoothing, 2)
    log_p, log_q = max(log(p + epsilon), log_floor), max(log(1 - p + epsilon), log_floor)
    return weight * (-times(y, log_p) - times(1 - y, log_q))


@define(elementwise)
def binary_cross_entropy_with_logits(
    input: Real,
    target: Real,
    weight: Real = 1.0,
    pos_weight: Real = 1.0,
    label_smoothing: Real = 0.0,
) -> Real:
    p, q, y = sigmoid(input), sigmoid(-input), _smoothed(target, label_smoothing, 2)
    return -weight * (xlog(pos_weight * y, p) + xlog(1 - y, q))


@define(elementwise, discrete="target")
def hinge(input: Real, target: Real, labels: str = "sign") -> Real:
    y = {0: -1, 1: 1}[int(target)] if labels == "bit" else target
    return max(mpf(0), 1 - y * input)


@define(elementwise, discrete="target")
def hinge_embedding(input: Real, target: Real, margin: Real = 1.0) -> Real:
    return input if target == 1 else max(mpf(0), margin - input)


@define(elementwise, discrete="target")
def soft_margin(input: Real, target: Real) -> Real:
    return log(1 + exp(-target * input))


@define(elementwise, discrete="target")
def margin_ranking(input1: Real, input2: Real, target: Real, margin: Real = 0.0) -> Real:
    return max(mpf(0), -target * (input1 - input2) + margin)


def _target_row(target: Row | int, classes: int) -> Row:
    return [mpf(c == target) for c in range(classes)] if isinstance(target, int) else target


@define(rows(1))
def cross_entropy(
    input: Row,
    target: Row | int,
    weight: Row | None = None,
    ignore_index: int = -100,
    label_smoothing: Real = 0.0,
    axis: int = 1,
) -> Real:
    if isinstance(target, int) and target == ignore_index:
        return mpf(0)
    return categorical_cross_entropy(softmax(input), target, weight, label_smoothing)


@define(rows(1))
def nll(
    input: Row, target: int, weight: Row | None = None, ignore_index: int = -100, axis: int = 1
) -> Real:
    if target == ignore_index:
        return mpf(0)
    return -input[target] * (weight[target] if weight else 1)


@define(rows(1))
def categorical_cross_entropy(
    input: Row,
    target: Row | int,
    weight: Row | None = None,
    label_smoothing: Real = 0.0,
    axis: int = 1,
    normalize: bool | str = False,
    clip: tuple[float, float] | None = None,
) -> Real:
    classes = len(input)
    p = [_clipped(t / sum(input) if normalize is True else t, clip) for t in input]
    if normalize == "after":
        p = [t / sum(p) for t in p]
    y = [_smoothed(t, label_smoothing, classes) for t in _target_row(target, classes)]
    w = weight or [mpf(1)] * classes
    return -sum(xlog(w[c] * y[c], p[c]) for c in range(classes))


@define(elementwise)
def kl_divergence(
    input: Real,
    target: Real,
    log_target: bool = False,
    log_input: bool = True,
    clip: tuple[float, float] | None = None,
) -> Real:
    if log_target:
        return exp(target) * (target - input)
    q = exp(input) if log_input else _clipped(input, clip)
    p = _clipped(target, clip)
    return xlog(p, p) - xlog(p, q)


@define(rows(1))
def multi_margin(
    input: Row, target: int, weight: Row | None = None, p: int = 1, margin: Real = 1.0
) -> Real:
    w = weight[target] if weight else 1
    terms = [max(mpf(0), margin - input[target] + t) ** p for t in input]
    return sum(w * t for i, t in enumerate(terms) if i != target) / len(input)


@define(rows(1))
def multilabel_margin(input: Row, target: Sequence[int]) -> Real:
    chosen = list(itertools.takewhile(lambda c: c >= 0, target))
    others = [i for i in range(len(input)) if i not in chosen]
    return sum(
        (max(mpf(0), 1 - (input[j] - input[i])) for j in chosen for i in others), mpf(0)
    ) / len(input)


@define(rows(1))
def multilabel_soft_margin(input: Row, target: Row, weight: Row | None = None) -> Real:
    w = weight or [mpf(1)] * len(input)
    return mean(
        w[c] * binary_cross_entropy_with_logits(input[c], target[c]) for c in range(len(input))
    )


@define(rows(-1), discrete="target")
def cosine_embedding(
    input1: Row, input2: Row, target: Real, margin: Real = 0.0, epsilon: Real = 0.0
) -> Real:
    def dot(a: Row, b: Row) -> Real:
        return sum(s * t for s, t in zip(a, b, strict=True))

    norms = mpmath.sqrt((dot(input1, input1) + epsilon) * (dot(input2, input2) + epsilon))
    if norms == 0:
        return NAN
    cosine = dot(input1, input2) / norms
    return 1 - cosine if target == 1 else max(mpf(0), cosine - margin)


@define(rows(-1))
def triplet_margin(
    anchor: Row,
    positive: Row,
    negative: Row,
    margin: Real = 1.0,
    p: Real = 2.0,
    swap: bool = False,
    eps: Real = 1e-6,
) -> Real:
    def distance(a: Row, b: Row) -> Real:
        return sum(abs(s - t + eps) ** mpf(p) for s, t in zip(a, b, strict=True)) ** (1 / mpf(p))

    far = distance(anchor, negative)
    if swap:
        far = min(far, distance(positive, negative))
    return max(mpf(0), distance(anchor, positive) - far + margin)


@define(sequences)
def ctc(
    log_probs: Sequence[Row],
    targets: Sequence[int],
    input_lengths: int,
    target_lengths: int,
    blank: int = 0,
    zero_infinity: bool = False,
    from_logits: bool = False,
) -> Real:
    frames = [log_softmax(x) if from_logits else x for x in log_probs[:input_lengths]]
    wanted = tuple(targets[:target_lengths])
    likelihood = sum(
        (
            exp(sum(x[c] for x, c in zip(frames, path, strict=True)))
            for path in _paths(len(frames), len(log_probs[0]), blank, wanted)
        ),
        mpf(0),
    )
    if zero_infinity and likelihood == 0:
        return mpf(0)
    return -log(likelihood)


def _paths(
    steps: int, classes: int, blank: int, wanted: tuple[int, ...]
) -> Iterable[tuple[int, ...]]:
    """Every sequence of classes that reads ``wanted`` once repeats are merged and blanks dropped."""
    for path in itertools.product(range(classes), repeat=steps):
        if tuple(c for c, _ in itertools.groupby(path) if c != blank) == wanted:
            yield path


# -- a function at a point ------------------------------------------------------------------------


def exact(value: Any) -> Real:
    """The number that a NumPy float of any width stands for."""
    if not np.isfinite(value):
        return mpf(float(value))
    mantissa, exponent = np.frexp(np.longdouble(value))
    with mp.workprec(113):
        return mpmath.ldexp(mpf(int(np.ldexp(mantissa, 113))), int(exponent) - 113)


class Span(NamedTuple):
    """The varying numbers of a sample, and how far apart they are."""

    entries: list[Entry]
    smallest: Real  # at most 1, not 0
    magnitudes: int  # bits from the smallest to the largest
    exponent: int  # the largest whose exponential 1 + e^−|x| must still tell from 1


class Problem:
    """A function at one point: its value and its derivatives, as exact as anyone could ask.

    Derivatives are one-sided differences over a step 2⁻¹⁶⁰ of the smallest number in the sample:
    at a smooth point both sides agree to some 2⁻¹⁵⁰, and at a kink any subgradient lies between.
    """

    def __init__(self, name: str, inputs: Mapping[str, Array], params: Mapping[str, Any]) -> None:
        definition = DEFINITIONS[name]
        self.formula, self.discrete = definition.formula, definition.discrete
        self.jumps = definition.jumps
        self.inputs = dict(inputs)
        self.whole = {n for n, a in inputs.items() if a.dtype.kind in "iu"}
        self.numbers: dict[Entry, Any] = {
            (n, i): int(v) if n in self.whole else exact(v)
            for n, a in inputs.items()
            for i, v in enumerate(a.ravel())
        }
        defaults = {
            n: p.default
            for n, p in inspect.signature(self.formula).parameters.items()
            if n not in inputs and p.default is not p.empty and n != "weight" and n != "pos_weight"
        }
        self.params = defaults | dict(params)
        at = {n: np.arange(a.size).reshape(a.shape) for n, a in inputs.items()}
        self.cut = definition.layout(at, self.params)
        self._spans: dict[int, Span] = {}
        floats = [a.dtype for a in inputs.values() if a.dtype.kind == "f"]
        #: where e^-x is 0 at the width of the inputs
        self.cutoff = 800 if np.result_type(*floats).itemsize <= 8 else 12000

    def value(self) -> Array:
        """The unreduced values, mpmath numbers in an object array."""
        flat = np.empty(int(np.prod(self.cut.shape, dtype=int)), object)
        for sample, outputs in zip(self.cut.samples, self.cut.outputs, strict=True):
            for i, value in zip(outputs, self.at(sample), strict=True):
                flat[i] = value
        return flat.reshape(self.cut.shape)

    def entries(self, sample: Mapping[str, Any]) -> list[Entry]:
        """The numbers of a sample that can vary continuously."""
        return self._span(sample).entries

    def knobs(self) -> list[str]:
        """Parameters that are real numbers: they reach an implementation rounded, as inputs do."""
        return [n for n, v in self.params.items() if isinstance(v, float) and np.isfinite(v)]

    def step(self, sample: Mapping[str, Any]) -> Real:
        return mpmath.ldexp(self._span(sample).smallest, -160)

    def precision(self, sample: Mapping[str, Any], order: int) -> int:
        """Bits that leave 200 after all cancellation: of steps to that order, and in 1 + e^−|x|."""
        span = self._span(sample)
        return 200 + 160 * order + (1 + order) * span.magnitudes + 3 * span.exponent

    def _span(self, sample: Mapping[str, Any]) -> Span:
        if id(sample) not in self._spans:
            varying = {n: w for n, w in sample.items() if n not in self.whole | self.discrete}
            entries = list(
                dict.fromkeys((n, int(i)) for n, w in varying.items() for i in np.ravel(w))
            )
            sizes = [abs(self.numbers[e]) for e in entries]
            sizes = [s for s in sizes if s and mpmath.isfinite(s)] + [mpf(1)]
            magnitudes = int(mpmath.mag(max(sizes)) - mpmath.mag(min(sizes)))
            exponent = max(int(s) for s in sizes if s <= self.cutoff)
            self._spans[id(sample)] = Span(entries, min(sizes), magnitudes, exponent)
        return self._spans[id(sample)]

    def slopes(
        self, sample: Mapping[str, Any], entry: Entry, moved: Mapping[Entry, Real] = NOTHING
    ) -> list[tuple[Real, Real]]:
        """The derivatives of a sample's values from the left and from the right of one number.

        ``moved`` numbers are off their places by so much. Where the formula is not defined on one
        side (p = 0, p = 1) both are those of the other.
        """
        if entry[0] in self.jumps and self.numbers[entry] == 0:
            return [(NAN, NAN)]
        with mp.workprec(self.precision(sample, order=1)):
            h = self.step(sample)
            before, here, after = (
                self.at(sample, {**moved, entry: moved.get(entry, 0) + d}, 1) for d in (-h, 0, h)
            )
            sides = []
            for low, mid, high in zip(before, here, after, strict=True):
                left, right = (mid - low) / h, (high - mid) / h
                sides.append((right if left != left else left, left if right != right else right))
            return sides

    def bends(self, sample: Mapping[str, Any], one: Entry, two: Entry) -> list[Real]:
        """The second derivatives of a sample's values in two of its numbers (central)."""
        with mp.workprec(self.precision(sample, order=2)):
            h = self.step(sample)

            def corner(a: int, b: int) -> list[Real]:
                moved = {one: a * h}
                moved[two] = moved.get(two, 0) + b * h
                return self.at(sample, moved, 2)

            corners = zip(corner(1, 1), corner(1, -1), corner(-1, 1), corner(-1, -1), strict=True)
            return [(a - b - c + d) / (4 * h * h) for a, b, c, d in corners]

    def at(
        self, sample: Mapping[str, Any], moved: Mapping[Entry, Real] = NOTHING, order: int = 0
    ) -> list[Real]:
        """A sample's values, with some numbers moved; precise enough for differences of an order."""

        def read(name: str, where: Any) -> Any:
            if isinstance(where, list):
                return [read(name, i) for i in where]
            number = self.numbers[name, where]
            return number + moved[name, where] if (name, where) in moved else number

        with mp.workprec(self.precision(sample, order)):
            params = dict(self.params)
            for name in params.keys() & {name for name, _ in moved}:
                params[name] = mpf(params[name]) + moved[name, 0]
            value = self.formula(**{n: read(n, w) for n, w in sample.items()}, **params)
            return list(value) if isinstance(value, list) else [mpf(value)]
