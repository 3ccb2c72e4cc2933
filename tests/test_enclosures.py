"""The enclosures are right, and rigorous: numbers, branches, derivatives, reductions."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal, localcontext
from fractions import Fraction
from math import prod
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from flint import arb

from nnconform.conformance.enclosures.balls import (
    HUGE,
    NOTHING,
    PRECISIONS,
    absolute,
    ball,
    decided,
    maximum,
    moving,
    piecewise,
    refined,
    working,
)
from nnconform.conformance.enclosures.definitions import DEFINITIONS
from nnconform.conformance.enclosures.problem import Entry, Problem, coefficients, enclose
from nnconform.reference import catalogue
from nnconform.reference.function import INTEGER_KINDS, Function
from nnconform.reference.oracle import evaluate, find, resolve
from nnconform.reference.reductions import REDUCTIONS

pytestmark = pytest.mark.slow

Array = np.ndarray
FUNCTIONS = sorted(catalogue())
WIDTHS = [np.float16, ml_dtypes.bfloat16, np.float32, np.float64, np.longdouble]

each_function = pytest.mark.parametrize("name", FUNCTIONS)


def problem(name: str, params: dict[str, Any] | None = None, **inputs: Any) -> Problem:
    return Problem(name, resolve(find(name), inputs, params or {}))


def fraction(x: arb) -> Fraction:
    """The number that an exact ball is."""
    assert x.is_exact()
    mantissa, exponent = x.man_exp()
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


def interval(x: arb) -> tuple[float, float]:
    with working(256):
        return float(x.lower()), float(x.upper())


def test_every_function_has_a_second_definition() -> None:
    assert set(DEFINITIONS) == set(catalogue())


# -- numbers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", WIDTHS, ids=lambda w: np.dtype(w).name)
def test_a_ball_is_exactly_the_number(width: Any) -> None:
    info = ml_dtypes.finfo(width) if width is not np.longdouble else np.finfo(width)
    ends = [info.smallest_subnormal, 3 * info.smallest_subnormal, info.tiny, info.max, info.eps]
    thirds = width(1) / np.array([3, 7, 49], width)
    drawn = np.ldexp(np.random.default_rng(0).uniform(size=24), np.arange(-12, 12)).astype(width)
    numbers = [*map(width, ends), *thirds, *(1 + thirds), *drawn, width(0)]
    for x in (s * n for n in numbers for s in (width(1), width(-1))):
        exact = x if width is np.longdouble else np.float64(x)
        assert fraction(ball(x)) == Fraction(*exact.as_integer_ratio())


def test_whole_numbers_and_what_is_no_number() -> None:
    wholes = (True, np.bool_(False), 7, np.int64(-(2**62) - 1), 10**30)
    assert [fraction(ball(n)) for n in wholes] == [int(n) for n in wholes]
    assert ball(np.inf) == arb.pos_inf()
    assert ball(-np.inf) == arb.neg_inf()
    assert ball(np.nan).is_nan()


# -- refinement -----------------------------------------------------------------------------------

D = Decimal


def _exp(x: float) -> Decimal:
    return D(x).exp()


#: results whose formula cancels or overflows at few bits, beside what they are
CANCELLING: list[tuple[str, dict[str, Any], dict[str, Any], int, Callable[[], Decimal]]] = [
    ("sigmoid", {"x": [-745.0]}, {}, 0, lambda: _exp(-745) / (1 + _exp(-745))),
    ("sigmoid", {"x": [40.0]}, {}, 0, lambda: 1 / (1 + _exp(-40))),
    ("tanh", {"x": [1e-300]}, {}, 0, lambda: D(1e-300)),
    ("tanh", {"x": [-5e-324]}, {}, 0, lambda: D(-5e-324)),
    ("elu", {"x": [-1e-200]}, {}, 0, lambda: D(-1e-200)),
    ("softmax", {"x": [[0.0, -700.0]]}, {}, 1, lambda: _exp(-700) / (1 + _exp(-700))),
    ("log_softmax", {"x": [[300.0, 0.0]]}, {}, 0, lambda: -(1 + _exp(-300)).ln()),
    ("log_softmax", {"x": [[1e300, -1e300]]}, {}, 1, lambda: D(-1e300) - D(1e300)),
    ("logsumexp", {"x": [[-np.log(2), -np.log(2)]]}, {}, 0, lambda: D(-np.log(2)) + D(2).ln()),
    ("soft_margin", {"input": [600.0], "target": [1.0]}, {}, 0, lambda: (1 + _exp(-600)).ln()),
    (
        "poisson_nll",
        {"input": [1.0], "target": [np.e]},
        {},
        0,
        lambda: _exp(1) - D(float(np.e)),
    ),
    (
        "cross_entropy",
        {"input": [[1e300, -1e300]], "target": [1]},
        {},
        0,
        lambda: D(1e300) + D(1e300),
    ),
]


@pytest.mark.parametrize(
    ("name", "inputs", "params", "at", "want"),
    [pytest.param(*row, id=f"{row[0]}-{i}") for i, row in enumerate(CANCELLING)],
)
def test_refinement_decides_what_cancels(
    name: str, inputs: dict, params: dict, at: int, want: Callable[[], Decimal]
) -> None:
    """Against Python's decimal arithmetic, whose exponentials and logarithms are its own."""
    found = problem(name, params, **inputs).values()[at]
    assert decided(found)
    with localcontext(prec=700), working(2400):
        assert abs(found - arb(str(want()))) <= abs(found) * arb(2) ** -70


@pytest.mark.parametrize(
    ("name", "inputs", "at"),
    [
        ("sigmoid", {"x": [-1e300]}, 0),
        ("log_softmax", {"x": [[1e300, -1e300]]}, 0),
        ("softmax", {"x": [[1e300, -1e300]]}, 1),
        ("soft_margin", {"input": [1e300], "target": [1.0]}, 0),
        ("binary_cross_entropy_with_logits", {"input": [1e300], "target": [1.0]}, 0),
    ],
)
def test_what_vanishes_is_known_to_be_nothing(name: str, inputs: dict, at: int) -> None:
    found = problem(name, **inputs).values()[at]
    assert decided(found)
    assert abs(found).upper() < 2 * NOTHING


def test_what_is_beyond_the_range_is_known_to_be() -> None:
    for x in (1e4, 1e300):
        assert problem("poisson_nll", input=[x], target=[1.0]).values()[0].abs_lower() > HUGE


# -- branches -------------------------------------------------------------------------------------

#: where branches meet: the interval of one-sided derivatives with respect to the first number
TIES: list[tuple[str, dict[str, Any], dict[str, Any], tuple[float, float]]] = [
    ("relu", {"x": [0.0]}, {}, (0, 1)),
    ("relu", {"x": [-0.0]}, {}, (0, 1)),
    ("relu", {"x": [5e-324]}, {}, (1, 1)),
    ("relu", {"x": [-5e-324]}, {}, (0, 0)),
    ("leaky_relu", {"x": [0.0]}, {"slope": 0.25}, (0.25, 1)),
    ("elu", {"x": [0.0]}, {"alpha": 0.5}, (0.5, 1)),
    ("elu", {"x": [0.0]}, {"alpha": 1.0}, (1, 1)),
    ("hard_tanh", {"x": [1.0]}, {}, (0, 1)),
    ("maxout", {"x": [[2.0, 2.0]]}, {}, (0, 1)),
    ("mean_absolute_error", {"input": [3.0], "target": [3.0]}, {}, (-1, 1)),
    ("huber", {"input": [2.5], "target": [2.0]}, {"delta": 0.5}, (0.5, 0.5)),
    ("smooth_l1", {"input": [2.0], "target": [2.5]}, {"beta": 0.5}, (-1, -1)),
    ("smooth_l1", {"input": [2.0], "target": [2.0]}, {"beta": 0.0}, (-1, 1)),
    ("hinge", {"input": [-1.0], "target": [-1.0]}, {}, (0, 1)),
    ("hinge_embedding", {"input": [1.0], "target": [-1.0]}, {}, (-1, 0)),
    ("margin_ranking", {"input1": [1e300], "input2": [1e300], "target": [1.0]}, {}, (-1, 0)),
    ("multi_margin", {"input": [[1.0, 2.0]], "target": [1]}, {}, (0, 0.5)),
    ("multi_margin", {"input": [[1.0, 2.0]], "target": [1]}, {"p": 2}, (0, 0)),
    ("multilabel_margin", {"input": [[1.0, 2.0]], "target": [[1, -1]]}, {}, (0, 0.5)),
]


@pytest.mark.parametrize(
    ("name", "inputs", "params", "want"),
    [pytest.param(*row, id=f"{row[0]}-{i}") for i, row in enumerate(TIES)],
)
def test_a_tie_gives_the_interval_of_one_sided_derivatives(
    name: str, inputs: dict, params: dict, want: tuple[float, float]
) -> None:
    found = problem(name, params, **inputs).gradient(Entry(next(iter(inputs)), 0), [arb(1)])
    np.testing.assert_allclose(interval(found), want, rtol=0, atol=2e-8)


def test_a_side_that_few_bits_cannot_tell_is_told_by_more() -> None:
    """‖a − p‖ = ‖a − n‖ = √2, but for the balls: only the margin says on which side this is."""
    inputs = {"anchor": [[0.0, 0.0]], "positive": [[1.0, 1.0]], "negative": [[-1.0, 1.0]]}
    close = problem("triplet_margin", {"margin": 1e-60, "eps": 0.0}, **inputs)
    with working(PRECISIONS[0]):
        assert not decided(close.heads([0])[0])
    assert interval(close.values()[0]) == pytest.approx((1e-60, 1e-60), rel=1e-15)
    slope = close.gradient(Entry("anchor", 0), [arb(1)])
    assert decided(slope)
    assert interval(slope) == pytest.approx((-(2**0.5), -(2**0.5)))


def test_a_side_that_no_bits_can_tell_stays_open() -> None:
    """√2² − 2 = 0: its absolute value is nothing, the slope there anything between the two."""

    def zero() -> arb:
        return arb(2).sqrt() ** 2 - 2

    assert decided(refined(lambda: [absolute(zero())])[0])
    slope = refined(lambda: [absolute(moving(zero()))[1]], order=1)[0]
    assert interval(slope) == pytest.approx((-1, 1))


def test_branches_enclose_both_sides_only_where_they_must() -> None:
    with working(96):
        near = arb(0, 1e-9)
        assert interval(maximum(arb(3), arb(2))) == (3, 3)
        assert piecewise(near, lambda: arb(1), lambda: arb(2)).contains(arb(2))
        assert piecewise(near, lambda: arb(1), lambda: arb(2)).contains(arb(1))
        assert piecewise(near + 1, lambda: arb(1), lambda: arb(2)) == 2
        assert piecewise(arb.nan(), lambda: arb(1), lambda: arb(2)).is_nan()


# -- derivatives ----------------------------------------------------------------------------------

SIZES = {"S": (3,), "N C *K": (2, 3), "N C": (2, 3), "N D": (2, 3), "N *K": (2,), "N": (2,)}
SIZES |= {"C": (3,), "N P *K": (2, 3), "P|1": (3,), "N G *K": (2, 4), "T N C": (4, 2, 3)}
SIZES |= {"C *K D": (3, 3), "C *K": (3,)}
SIZES |= {"C D": (3, 3), "N R": (2, 2), "Q": (4,)}
SIZES |= {"H D": (3, 3), "H": (3,), "U D": (2, 3), "E U": (1, 2), "V D": (1, 3), "F V": (2, 1)}
WHOLE = {
    "label": [0, 0, 1],
    "class_index": [2, 0],
    "N R": [[2, 0], [1, 1]],
    "Q": [1, 0, 2, 2],
    "label_set": [[2, -1, 0], [0, 1, -1]],
    "labels": [[1, 2], [1, 1]],
    "lengths": [4, 3],
    "target_lengths": [2, 2],
}
RANGES = {
    "probability": (0.05, 0.95),
    "distribution": (0.05, 0.95),
    "log_probability": (-3, -0.1),
    "positive": (0.1, 3),
    "count": (1.1, 5),
    "weight": (0.1, 3),
    "sign": (1, 1),
    "bit": (0, 0),
}
#: parameters beside the defaults: other branches of a definition
FURTHER: dict[str, list[dict[str, Any]]] = {
    "mean_squared_error": [{"half": True}],
    "huber": [{"delta": 0.3}],
    "smooth_l1": [{"beta": 0.3}],
    "poisson_nll": [{"full": True}, {"log_input": False, "full": True}],
    "binary_cross_entropy": [{"label_smoothing": 0.1}, {"epsilon": 1e-7}],
    "categorical_cross_entropy": [{"normalize": True}, {"normalize": "after", "clip": (0.0, 1.0)}],
    "kl_divergence": [{"log_target": True}, {"log_input": False}],
    "multi_margin": [{"p": 2, "margin": 4.0}],
    "triplet_margin": [{"p": 1.0}, {"p": 3.5, "swap": True}],
    "cosine_embedding": [{"epsilon": 0.01, "margin": -1.0}],
    "ctc": [{"from_logits": True, "blank": 0}],
}
SETTINGS = [(n, p) for n in FUNCTIONS for p in [{}, *FURTHER.get(n, [])]]

each_setting = pytest.mark.parametrize(
    ("name", "params"), [pytest.param(*s, id=f"{s[0]}-{i}") for i, s in enumerate(SETTINGS)]
)


def somewhere(function: Function, params: dict[str, Any]) -> dict[str, Array]:
    """Inputs anywhere but at a kink, of every input of a function."""
    random, defined = np.random.default_rng(7), function.defaults() | params
    inputs = {}
    for name, spec in function.inputs.items():
        kind: Any = function.facts.get("kind_of", {}).get(name, lambda _, s=spec: s.kinds[0])(
            defined
        )
        if kind in INTEGER_KINDS:
            inputs[name] = np.array(WHOLE.get(spec.shape, WHOLE[kind]))
        else:
            shape = (3, 3) if kind == "direction" else SIZES[spec.shape]  # a pair, and another
            if function.facts.get("even"):
                shape = (*shape[:-1], 2 * shape[-1])
            inputs[name] = random.uniform(*RANGES.get(kind, (-3, 3)), shape)
    return inputs


def moved(p: Problem, cotangent: list[arb], moves: Iterable[tuple[Entry, arb]]) -> arb:
    """Σ cotangent·value with some numbers moved."""
    before = {name: list(numbers) for name, numbers in p.numbers.items()}
    for entry, by in moves:
        p.numbers[entry.name][entry.at] += by
    values = p.heads(range(len(cotangent)))
    p.numbers.update(before)
    return sum((c * values[i] for i, c in enumerate(cotangent)), arb(0))


@each_setting
def test_series_agree_with_quotients_of_differences(name: str, params: dict) -> None:
    function = find(name)
    p = problem(name, params, **somewhere(function, params))
    upstream = [arb(i + 2) for i in range(int(np.prod(p.cut.shape)))]
    fixed = p.definition.discrete | p.whole
    entries = [Entry(n, i) for n, a in p.numbers.items() if n not in fixed for i in range(len(a))]
    assert entries
    for entry in entries:
        found = p.gradient(entry, upstream)
        with working(1500):
            h = arb(2) ** -300
            sides = [moved(p, upstream, [(entry, by)]) for by in (h, -h)]
            quotient = (sides[0] - sides[1]) / (2 * h)
            assert abs(found - quotient) < arb(2) ** -60 * (abs(found) + arb(2) ** -60)


@pytest.mark.parametrize(
    "name",
    ["sigmoid", "softmax", "logsumexp", "binary_cross_entropy_with_logits", "cosine_embedding"],
)
def test_second_derivatives_agree_with_second_differences(name: str) -> None:
    p = problem(name, **somewhere(find(name), {}))
    sample, outputs = p.cut.samples[0], p.cut.outputs[0]
    upstream = [arb(i == outputs[0]) for i in range(int(np.prod(p.cut.shape)))]
    for one, two in itertools.product(p.entries(sample)[:4], p.entries(sample)):
        with working(1500, order=2):
            found = p.bends(sample, one, [two])[0][0]
        with working(1500):
            h = arb(2) ** -200
            corners = [
                s * t * moved(p, upstream, [(one, s * h), (two, t * h)])
                for s, t in itertools.product((1, -1), repeat=2)
            ]
            quotient = sum(corners, arb(0)) / (4 * h * h)
            assert abs(found - quotient) < arb(2) ** -200, (one, two)


# -- conditioning ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "inputs", "params", "want"),
    [
        ("linear", {"x": [-3.0]}, {}, 3 + 3),
        ("leaky_relu", {"x": [-2.0]}, {"slope": 0.25}, 0.5 + 0.5 + 0.5),
        ("sigmoid", {"x": [0.0]}, {}, 0.5),
        ("logsumexp", {"x": [[0.0, np.log(3)]]}, {}, np.log(4) + 0.75 * np.log(3)),
        ("log_softmax", {"x": [[5.0, 5.0]]}, {}, np.log(2)),  # only differences count
        ("mean_squared_error", {"input": [3.0], "target": [1.0]}, {}, 4 + 3 * 4 + 1 * 4),
        ("binary_cross_entropy", {"input": [0.0], "target": [1.0]}, {"log_floor": -9.0}, 27),
    ],
)
def test_scale_of_a_value(name: str, inputs: dict, params: dict, want: float) -> None:
    """|f| + Σ|xⱼ·∂f/∂xⱼ| over inputs and parameters."""
    assert problem(name, params, **inputs).value_scale(0) == pytest.approx(want, rel=1e-15)


@pytest.mark.parametrize(
    ("name", "inputs", "want"),
    [
        ("linear", {"x": [-3.0]}, 2),
        ("sigmoid", {"x": [0.0]}, 2 * 0.25),
        ("mean_squared_error", {"input": [3.0], "target": [1.0]}, 2 * (4 + 3 * 2 + 1 * 2)),
        ("softmax", {"x": [[5.0, 5.0]]}, 2 * 0.25),
    ],
)
def test_scale_of_a_gradient(name: str, inputs: dict, want: float) -> None:
    p = problem(name, **inputs)
    upstream = [arb(2), *[arb(0)] * (int(np.prod(p.cut.shape)) - 1)]
    found = p.gradient_scale(Entry(next(iter(inputs)), 0), upstream)
    assert found == pytest.approx(want, rel=1e-15)


# -- connectionist temporal classification --------------------------------------------------------


@pytest.mark.parametrize("blank", [0, 1, 2])
@pytest.mark.parametrize("steps", [0, 1, 2, 4])
@pytest.mark.parametrize("labels", [[], [1], [1, 1], [1, 2]], ids=str)
def test_ctc_sums_every_alignment(blank: int, steps: int, labels: list[int]) -> None:
    labels = [(blank + c) % 3 for c in labels]
    frames = -np.random.default_rng(3).exponential(size=(4, 1, 3))
    found = problem(
        "ctc",
        {"blank": blank},
        log_probs=frames,
        targets=np.array([[*labels, 0, 0]]),
        input_lengths=np.array([steps]),
        target_lengths=np.array([len(labels)]),
    ).values()[0]
    with working(256):
        likelihood = arb(0)
        for path in itertools.product(range(3), repeat=steps):
            if [c for c, _ in itertools.groupby(path) if c != blank] == labels:
                chances = [ball(frames[t, 0, c]).exp() for t, c in enumerate(path)]
                likelihood += prod(chances, start=arb(1))
        want = -likelihood.log() if likelihood > 0 else arb.pos_inf()
        assert found == want if likelihood == 0 else abs(found - want) < arb(2) ** -60


# -- reductions -----------------------------------------------------------------------------------

#: sample weights of losses shaped (2, 3): per element, per sample, with zeros
WEIGHTS: dict[str, Any] = {
    "none": None,
    "each": [[1.0, 2.0, 0.5], [0.25, 1.0, 3.0]],
    "first axis": [2.0, 0.5],
    "zeros": [[0.0, 2.0, 0.0], [1.0, 0.0, 1.0]],
    "nothing": [0.0, 0.0],
}


def applied(
    reduction: str,
    losses: Array,
    sample_weight: Any = None,
    rows: str | None = None,
    function: str = "huber",
    **arguments: Any,
) -> list[Fraction]:
    """A reduction's linear map, applied to losses that are whole numbers."""
    each = None if sample_weight is None else np.array(sample_weight)
    with working(256):
        linear = coefficients(function, reduction, arguments, losses.shape, each, rows)
        exact = [sum((c * int(losses.flat[i]) for i, c in row), arb(0)) for row in linear]
        return [
            Fraction(str(x.mid().str(30, radius=False))).limit_denominator(10**6) for x in exact
        ]


def literally(reduction: str, losses: list[Fraction], weights: list[Fraction], batch: int) -> Any:
    """A reduction as reference/reductions.py describes it."""
    weighted = [w * x for w, x in zip(weights, losses, strict=True)]
    counted = sum(w != 0 for w in weights)
    divisors = {"sum": 1, "mean": len(losses), "batchmean": batch}
    divisors |= {"weighted_mean": sum(weights), "nonzero_mean": counted}
    if reduction == "none":
        return weighted
    return [sum(weighted) / divisors[reduction] if divisors[reduction] else 0]


LOSSES = np.array([[2, 3, 5], [7, 11, 13]])


def spread(weight: Any, shape: tuple[int, ...]) -> list[Fraction]:
    """A weight for every loss, a weight of lower rank standing along the first axes."""
    given = np.array(1.0 if weight is None else weight)
    return [Fraction(given[at[: given.ndim]]) for at in np.ndindex(shape)]


@pytest.mark.parametrize("weight", WEIGHTS.values(), ids=WEIGHTS)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_coefficients_of_reductions(reduction: str, weight: Any) -> None:
    want = literally(reduction, LOSSES.ravel().tolist(), spread(weight, LOSSES.shape), batch=2)
    assert applied(reduction, LOSSES, weight) == want


@pytest.mark.parametrize("weight", [None, [2.0, 0.5], [0.0, 1.0]], ids=str)
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(("rows", "count"), [("mean", 3), ("sum", 1)])
def test_coefficients_of_rows(rows: str, count: int, reduction: str, weight: Any) -> None:
    losses = [Fraction(sum(row), count) for row in LOSSES.tolist()]
    want = literally(reduction, losses, spread(weight, (2,)), batch=2)
    assert applied(reduction, LOSSES, weight, rows) == want


@pytest.mark.parametrize("weight", [None, 0.5, 0.0])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_coefficients_of_a_scalar_loss(reduction: str, weight: float | None) -> None:
    want = literally(reduction, [Fraction(7)], spread(weight, ()), batch=1)
    assert applied(reduction, np.array(7), weight) == want


CLASSES = {"target": np.array([0, -100, 2, 0]), "ignore_index": -100}
PRIMES = np.array([2, 3, 5, 7])
_AT = [2.0, 4.0, 0.0, 1.0]


@pytest.mark.parametrize(
    ("reduction", "weight", "class_weight", "want"),
    [
        ("sum", _AT, None, 2 * 2 + 4 * 3 + 7),
        ("mean", None, None, Fraction(2 + 3 + 5 + 7, 3)),
        ("mean", None, [0.5, 3.0, 4.0], Fraction(17, 5)),
        ("mean", _AT, [0.5, 3.0, 4.0], Fraction(4 + 12 + 7, 5)),
        ("batchmean", None, [0.5, 3.0, 4.0], Fraction(17, 4)),
        ("weighted_mean", _AT, [0.5, 3.0, 4.0], Fraction(4 + 7, 3)),  # the ignored does not weigh
        ("nonzero_mean", _AT, None, Fraction(4 + 7, 2)),
        ("nonzero_mean", None, None, Fraction(2 + 5 + 7, 3)),
    ],
)
@pytest.mark.parametrize("name", ["cross_entropy", "nll"])
def test_coefficients_of_losses_over_classes(
    name: str, reduction: str, weight: Any, class_weight: Any, want: Any
) -> None:
    extra = {} if class_weight is None else {"weight": np.array(class_weight)}
    found = applied(reduction, PRIMES, weight, function=name, **CLASSES, **extra)
    assert found == [Fraction(want)]


def test_coefficients_of_class_probabilities_count_samples() -> None:
    arguments = {"target": np.full((4, 3), 0.5), "ignore_index": -100, "weight": np.ones(3)}
    assert applied("mean", PRIMES, function="cross_entropy", **arguments) == [Fraction(17, 4)]


def test_coefficients_of_ctc_divide_by_target_lengths() -> None:
    lengths = {"target_lengths": np.array([2, 0, 1, 4])}
    want = (Fraction(2, 2) + 3 + 5 + Fraction(7, 4)) / 4
    assert applied("mean", PRIMES, function="ctc", **lengths) == [want]
    assert applied("sum", PRIMES, function="ctc", **lengths) == [17]


# -- what judges ask ------------------------------------------------------------------------------

#: functions with reductions of their own, and some without
JUDGED = [
    ("huber", {}),
    ("softmax", {}),
    ("binary_cross_entropy", {}),
    ("cross_entropy", {}),
    ("cross_entropy", {"ignore_index": 2, "label_smoothing": 0.1}),
    ("nll", {}),
    ("triplet_margin", {}),
    ("ctc", {}),
]


def judged() -> Iterator[Any]:
    for name, params in JUDGED:
        for reduction in REDUCTIONS if find(name).kind == "loss" else ["none"]:
            for weighted, rows in itertools.product((False, True), (None, "mean", "sum")):
                elementwise = name in ("huber", "binary_cross_entropy")
                if not (weighted and name == "softmax") and (rows is None or elementwise):
                    yield pytest.param(name, params, reduction, weighted, rows)


@pytest.mark.parametrize(("name", "params", "reduction", "weighted", "rows"), [*judged()])
def test_enclosures_of_results_agree_with_the_oracle(
    name: str, params: dict, reduction: str, weighted: bool, rows: Any
) -> None:
    function = find(name)
    inputs = somewhere(function, params)
    if name in ("huber", "binary_cross_entropy"):
        inputs = {n: np.stack([a, a[::-1] * 0.75]) for n, a in inputs.items()}
    arguments = resolve(function, inputs, params)
    wide = {
        n: v.astype(np.longdouble) if isinstance(v, Array) and v.dtype.kind == "f" else v
        for n, v in arguments.items()
    }
    weight = np.array([0.3, 1.7]) if weighted else None
    shape = evaluate(function, wide, reduction, sample_weight=weight, rows=rows).value.shape
    cotangent = np.random.default_rng(1).uniform(0.5, 2, shape)
    found = evaluate(
        function,
        wide,
        reduction,
        sample_weight=weight,
        rows=rows,
        cotangent=cotangent,
        gradient=True,
    )
    options = {"reduction": reduction, "rows": rows, "sample_weight": weight}
    values = [enclose(name, arguments, i, **options) for i in range(found.value.size)]
    np.testing.assert_allclose(found.value.ravel(), [*map(float, values)], rtol=1e-15)
    for of, gradient in found.gradients.items():
        exact = [
            float(enclose(name, arguments, i, of=of, cotangent=cotangent, **options))
            for i in range(gradient.size)
        ]
        np.testing.assert_allclose(gradient.ravel(), exact, rtol=1e-15, atol=1e-300)


# -- who may import it ----------------------------------------------------------------------------

IMPORTS = """
import importlib, pkgutil, sys
import nnconform.reference, nnconform.adapters, nnconform.reports
for package in (nnconform.reference, nnconform.adapters, nnconform.reports):
    for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
for name in "measurement cases error plugin cli driver".split():
    importlib.import_module("nnconform.conformance." + name)
sys.exit("flint" in sys.modules)
"""


def test_nothing_else_needs_the_extra() -> None:
    subprocess.run([sys.executable, "-c", IMPORTS], check=True)
