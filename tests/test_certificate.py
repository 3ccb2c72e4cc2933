"""The certificate: it holds, its points are hard, its measure is right, and it rejects mutants."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from fractions import Fraction
from functools import cache
from itertools import islice, product
from typing import Any

import numpy as np
import pytest
from flint import arb

from nnconform.conformance.certificate import (
    GOALS,
    PRECISIONS,
    Line,
    certify,
    distance,
    examine,
    own_units,
)
from nnconform.conformance.enclosures.balls import ball, working
from nnconform.conformance.enclosures.problem import Entry, Problem
from nnconform.conformance.hard_points import Block, hard_points
from nnconform.reference import catalogue
from nnconform.reference.oracle import find, oracle, resolve

from .wrong_formulas import MUTANTS, Mutant

pytestmark = pytest.mark.slow

Array = np.ndarray
FUNCTIONS = sorted(catalogue())
INF, NAN = np.inf, np.nan
MAX, TINY, LEAST = float(np.finfo(np.float64).max), float(np.finfo(np.float64).tiny), 5e-324


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_certificate_holds(name: str) -> None:
    """On the reduced set, in both working precisions."""
    table = certify([name], reduced=True)
    assert set(zip(table.precision, table.aspect, strict=True)) == set(GOALS)
    assert (table.points > 0).all()
    assert (table.undefined < (table.points + table.undefined) / 4).all()
    failing = table[~table.holds]
    assert failing.empty, failing[["aspect", "precision", "ulp", "units", "worst"]].to_dict()
    assert (table.ulp <= table.goal).all()
    assert (table.units <= table.units_goal).all()
    assert all("inputs" in json.loads(worst) for worst in table.worst)


# -- the measure ----------------------------------------------------------------------------------


def up(x: float, steps: int) -> float:
    for _ in range(abs(steps)):
        x = float(np.nextafter(x, np.copysign(INF, steps)))
    return x


@pytest.mark.parametrize("steps", [1, -2, 3, -10])
@pytest.mark.parametrize("want", [1.5, -0.3, 7e200, -3e-300, TINY, 3e-320, MAX / 3])
def test_neighbours_are_whole_units_away(want: float, steps: int) -> None:
    assert distance(up(want, steps), ball(want))[1] == abs(steps)


@pytest.mark.parametrize(
    ("got", "want", "miss", "ulp"),
    [
        (1.0, 1.0, 0, 0),
        (up(1.0, 1), 1.0, 2.0**-52, 1),
        (up(1.0, -1), 1.0, 2.0**-53, 0.5),  # finer below a power of two
        (1.0, up(1.0, -1), 2.0**-53, 1),
        (-1.0, 1.0, 2, 2.0**53),
        (0.0, LEAST, LEAST, 1),
        (-LEAST, LEAST, 2 * LEAST, 2),
        (LEAST, 0.0, LEAST, 1),
        (0.0, TINY, TINY, 2.0**52),
        (INF, MAX, 2.0**971, 1),
        (MAX, INF, 2.0**971, 1),
        (INF, INF, 0, 0),
        (-INF, INF, INF, 2.0**54),
        (INF, 2.0**1023, 2.0**1023, 2.0**52),
        (NAN, 0.0, INF, INF),
        (NAN, INF, INF, INF),
    ],
)
def test_distance(got: float, want: float, miss: float, ulp: float) -> None:
    assert distance(got, ball(want)) == (miss, ulp)


def test_distance_from_a_number_that_no_float_is() -> None:
    with working(256):
        third, beyond = arb(1) / 3, arb(2) ** 1030
    exact = abs(Fraction(1 / 3) - Fraction(1, 3)) * 2**54
    assert distance(1 / 3, third)[1] == pytest.approx(float(exact), rel=1e-15)
    assert distance(INF, beyond) == (0, 0)
    assert distance(MAX, beyond)[1] == 1


def test_any_number_between_one_sided_derivatives_is_right() -> None:
    kink = Problem("relu", {"x": np.zeros(1)}).gradient(Entry("x", 0), [arb(1)])
    assert [distance(g, kink) for g in (0.0, 0.3, 1.0)] == [(0, 0)] * 3
    assert distance(1.5, kink)[0] == pytest.approx(0.5)
    assert distance(-1e-3, kink)[0] == pytest.approx(1e-3, rel=1e-3)
    assert distance(NAN, kink)[0] == INF


def test_an_error_near_a_root_counts_in_units_of_the_scale() -> None:
    """1e-10 for 1e-12 is wrong in all its digits, unless numbers of size 1e6 were subtracted."""

    def added(rooted: bool, scale: float) -> Line:
        line = Line("poisson_nll", "value", "float64")
        line.add(1e-10, ball(1e-12), rooted, lambda: scale, lambda share: None, dict)
        return line

    assert not added(True, 1e6).failures
    assert added(True, 1e6).units == pytest.approx(9.9e-11 / 2**-53 / 1e6, rel=1e-6)
    assert added(True, 1e4).failures
    assert added(False, 1e6).failures
    assert own_units(1e-16, ball(0.5)) == pytest.approx(1e-16 / 2**-54)


def test_what_has_no_value_is_counted_apart() -> None:
    line = Line("cosine_embedding", "value", "float64")
    nothing = (lambda: 0.0), (lambda share: None), dict
    line.add(1.0, arb.nan(), False, *nothing)
    assert (line.points, line.undefined, line.failures) == (0, 1, [])
    line.add(NAN, ball(1.0), False, *nothing)
    assert (line.points, len(line.failures)) == (1, 1)


@pytest.mark.parametrize(
    "far",
    [
        {"anchor": [[0.0, 0.0]], "positive": [[1e30, 1.0]], "negative": [[1.0, 1e30]]},
        {"anchor": [[-1e308, 1e308]], "positive": [[0.0, 1e308]], "negative": [[-1e308, -59.0]]},
    ],
)
def test_either_side_of_a_kink_that_is_nearer_than_a_rounding_is_right(far: dict) -> None:
    """With distances of 10³⁰, nobody can tell which of the two sides of the margin a triplet is on,
    coordinates that cancel and those that do not alike."""
    (line,) = (
        line
        for line in examine(
            find("triplet_margin"), points=[({n: np.array(a) for n, a in far.items()}, {})]
        )
        if (line.aspect, line.precision) == ("gradient", "float64")
    )
    assert not line.failures


def test_what_lies_on_either_side_of_a_kink_is_counted() -> None:
    line = Line("relu", "gradient", "float64")
    for got, side in ((1.0, ball(1.0).union(ball(0.0))), (2.0, ball(1.0).union(ball(0.0)))):
        line.add(got, ball(0.0), False, lambda: 0.0, lambda share, s=side: s, dict)
    assert (line.at_kinks, len(line.failures)) == (1, 1)


# -- hard points ----------------------------------------------------------------------------------


@cache
def blocks(name: str) -> list[Block]:
    """The first blocks, of which the very first are at the defaults."""
    return [*islice(hard_points(find(name)), 6)]


def numbers(name: str, of: str) -> set[float]:
    return {float(x) for inputs, _ in blocks(name) for x in np.ravel(inputs[of])}


DIGEST = """
import hashlib
from nnconform.conformance.hard_points import hard_points
from nnconform.reference import catalogue
digest = hashlib.sha256()
for function in catalogue().values():
    for inputs, params in hard_points(function, reduced=True):
        digest.update(repr((sorted(params.items()), [*inputs])).encode())
        for array in inputs.values():
            digest.update(repr((array.dtype, array.shape)).encode() + array.tobytes())
print(digest.hexdigest())
"""


def test_hard_points_are_the_same_bits_in_every_process() -> None:
    """No digest is pinned: libraries' exponentials enter, by distributions and by bisection."""
    runs = [
        subprocess.run(
            [sys.executable, "-c", DIGEST],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PATH": ""},
        ).stdout
        for seed in "12"
    ]
    assert runs[0] == runs[1]
    assert len(runs[0].strip()) == len(hashlib.sha256().hexdigest())


@pytest.mark.parametrize(
    ("name", "of"),
    [("sigmoid", "x"), ("soft_margin", "input"), ("softmax", "x"), ("cosine_embedding", "input1")],
)
def test_hard_points_have_every_magnitude(name: str, of: str) -> None:
    found = numbers(name, of)
    assert {LEAST, -LEAST, MAX, -MAX, 0.0} <= found
    exponents = {int(np.frexp(x)[1]) // 128 for x in found if x}
    assert exponents >= set(range(-1074 // 128 + 1, 1024 // 128))


def test_hard_points_have_any_bits() -> None:
    low_bits = {np.float64(x).view(np.uint64) % 1024 for x in numbers("sigmoid", "x")}
    assert len(low_bits) > 256


KINKED = [
    n
    for n, f in catalogue().items()
    if len(f.inputs) == 1 and not f.coupled and f.kink_points(**f.defaults())
]


@pytest.mark.parametrize("name", KINKED)
def test_hard_points_surround_every_kink(name: str) -> None:
    function = find(name)
    for inputs, params in blocks(name):
        for of, kinks in function.kink_points(**function.defaults() | params).items():
            wanted = {up(kink, steps) for kink in kinks for steps in (-1, 0, 1)}
            assert wanted <= set(inputs[of].tolist())


@pytest.mark.parametrize(
    ("name", "of"),
    [
        ("poisson_nll", "input"),
        ("poisson_nll", "target"),
        ("kl_divergence", "target"),
        ("binary_cross_entropy", "input"),
        ("binary_cross_entropy_with_logits", "input"),
    ],
)
def test_hard_points_meet_the_roots_of_gradients(name: str, of: str) -> None:
    """A gradient changes its sign between some point and the next float."""
    function, turns = find(name), 0
    for inputs, params in blocks(name):
        wide = {n: a.astype(np.longdouble) for n, a in inputs.items()}
        with np.errstate(over="ignore"):
            moved = wide | {of: np.nextafter(inputs[of], INF).astype(np.longdouble)}
        here, there = (
            function.gradients(np.ones_like(w[of]), **resolve(function, w, params))[of]
            for w in (wide, moved)
        )
        turned = (np.sign(here) * np.sign(there) < 0) & (np.abs(inputs[of]) > 1e-6)
        turns += int(np.count_nonzero(turned))
    assert turns


def test_hard_points_have_rows_of_every_sort() -> None:
    rows = np.concatenate([i["x"] for i, _ in blocks("softmax") if i["x"].shape[1] == 3])
    top, second = np.sort(rows, axis=1)[:, [2, 1]].T
    with np.errstate(all="ignore"):
        spread = top - rows.min(axis=1)
        close = spread / np.spacing(np.abs(top))
    assert (spread == 0).any(), "tied"
    assert ((close > 0) & (close < 8)).any(), "nearly equal"
    assert (np.isfinite(spread) & (spread > 1e300)).any(), "widely spread"
    assert ((top - second > 37) & (top - second < 800)).any(), "one dominating"
    assert ((np.abs(top) < 1e-8) & (second < -20)).any(), "one dominating, near 0"


def test_hard_points_have_the_corners_of_targets() -> None:
    pairs = {
        pair
        for i, _ in blocks("binary_cross_entropy")
        for pair in zip(i["input"].tolist(), i["target"].tolist(), strict=True)
    }
    assert pairs >= set(product((0.0, 1.0), (0.0, 0.5, 1.0)))
    assert numbers("kl_divergence", "target") >= {0.0, LEAST, 1.0}
    assert numbers("hinge", "target") == {-1.0, 0.0, 1.0}
    targets = [i["target"] for i, _ in blocks("categorical_cross_entropy")]
    rows = [row for t in targets if t.ndim == 2 for row in t.tolist()]
    assert all(corner in rows for corner in np.eye(3).tolist())
    sizes = {(row >= 0).sum() for i, _ in blocks("multilabel_margin") for row in i["target"]}
    assert sizes >= {0, 1, 2, 3}


# -- traps ----------------------------------------------------------------------------------------


def misses(name: str, inputs: dict[str, Any], params: dict[str, Any], of: str) -> dict[str, float]:
    """The worst error in units in the last place, whatever is near a root, by working precision."""
    function = find(name)
    arguments = resolve(function, inputs, params)
    problem = Problem(name, arguments)
    ones = np.ones(problem.cut.shape)
    if of:
        upstream = [arb(1)] * ones.size
        want = [problem.gradient(Entry(of, i), upstream) for i in range(arguments[of].size)]
    else:
        want = problem.values()
    worst = {}
    for precision, width in PRECISIONS.items():
        wide = {
            n: a.astype(width) if isinstance(a, Array) and a.dtype.kind == "f" else a
            for n, a in arguments.items()
        }
        got = function.gradients(ones.astype(width), **wide)[of] if of else function(**wide)
        found = got.astype(np.float64).ravel()
        worst[precision] = max(distance(float(g), w)[1] for g, w in zip(found, want, strict=True))
    return worst


SPREAD = [[0.1, -700.3, 345.6], [10000.1, 9300.7, 9999.3], [-745.2, 0.123, -1e3]]
DOMINATED = [[40.0, 0.0, 0.5], [100.0, -3.0, 0.1], [0.3, 745.0, 1.0]]
SAME = [[1e17, 1e17, 1e17]]
HALF = {"input": [up(0.5, 1), up(0.5, -1), 0.5 + 1e-9, 0.26], "target": [0.3, 0.9, 0.0, 1.0]}
FRAMES = np.linspace(-2e3, -100, 36).reshape(4, 3, 3)
CTC = {
    "log_probs": np.sin(FRAMES) * 1e3 - 1e3,
    "targets": np.array([[1, 2], [1, 1], [2, 0]]),
    "input_lengths": np.array([4, 4, 3]),
    "target_lengths": np.array([2, 2, 1]),
}

#: where straightforward formulas lose their digits, or overflow: none of these is near a root
TRAPS: list[tuple[str, str, dict[str, Any], dict[str, Any], tuple[str, ...]]] = [
    (
        "sigmoid-below-minus-709",
        "sigmoid",
        {"x": [-708.3, -709.8, -720.0, -740.0, -744.9, -745.13]},
        {},
        ("", "x"),
    ),
    ("softmax-of-spread-rows", "softmax", {"x": SPREAD}, {}, ("",)),
    ("softmax-of-the-widest-rows", "softmax", {"x": [[1e300, -1e300, 1e300 * 0.99]]}, {}, ("",)),
    ("log-softmax-of-a-dominating-entry", "log_softmax", {"x": DOMINATED}, {}, ("", "x")),
    ("logsumexp-dominated-near-0", "logsumexp", {"x": [[1e-20, -60.0, -61.0]]}, {}, ("", "x")),
    ("tanh", "tanh", {"x": [LEAST, 1e-300, 1e-8, 0.5, 19.06, 22.0, 370.0]}, {}, ("", "x")),
    ("elu", "elu", {"x": [-LEAST, -1e-300, -1e-8, -37.5, -745.1]}, {"alpha": 0.7}, ("", "x")),
    (
        "kl-divergence-of-nearly-equal",
        "kl_divergence",
        {"input": [0.3, 0.3, 1e-9], "target": [up(0.3, 1), 0.3 + 1e-9, 1e-9 + 1e-20]},
        {"log_input": False},
        ("", "input"),
    ),
    (
        "kl-divergence-of-subnormal-numbers",
        "kl_divergence",
        {"input": [LEAST, 1e-310, 0.5], "target": [1e-320, LEAST, 1e-310]},
        {"log_input": False},
        ("", "target"),
    ),
    (
        "kl-divergence-of-the-smallest-exponentials",
        "kl_divergence",
        {"input": [-1.0, -0.7], "target": [-745.2, -800.0]},
        {"log_target": True},
        ("", "input", "target"),
    ),
    (
        "poisson-nll-gradient-at-its-root",
        "poisson_nll",
        {"input": [3.0, 0.1, 30.0], "target": [3.0, 0.1, up(30.0, 1)]},
        {"log_input": False, "eps": 1e-8},
        ("input",),
    ),
    (
        "poisson-nll-of-large-numbers",
        "poisson_nll",
        {"input": [709.9], "target": [2e305]},
        {},
        ("",),
    ),
    (
        "bce-with-logits-of-certain-targets",
        "binary_cross_entropy_with_logits",
        {"input": [40.0, -40.0, 740.0, -1e-300], "target": [1.0, 0.0, 1.0, 0.0]},
        {},
        ("", "input", "target"),
    ),
    (
        "bce-gradient-where-p-is-y",
        "binary_cross_entropy",
        {"input": [0.3, 0.3, 1e-9, up(1.0, -1)], "target": [0.3, up(0.3, 1), 2e-9, up(1.0, -2)]},
        {},
        ("", "input"),
    ),
    ("bce-target-gradient-where-p-is-half", "binary_cross_entropy", HALF, {}, ("target",)),
    (
        "huber-of-the-largest",
        "huber",
        {"input": [1.7e308, -MAX], "target": [-1e308, MAX]},
        {"delta": 0.1},
        ("", "input"),
    ),
    (
        "half-of-the-largest-square",
        "mean_squared_error",
        {"input": [1.8e154], "target": [0.0]},
        {"half": True},
        ("",),
    ),
    (
        "multi-margin-of-the-largest",
        "multi_margin",
        {"input": [[9e307, -9e307, 9e307]], "target": [1]},
        {},
        ("", "input"),
    ),
    ("multi-margin-of-equals", "multi_margin", {"input": SAME, "target": [0]}, {}, ("",)),
    (
        "multilabel-margin-of-equals",
        "multilabel_margin",
        {"input": SAME, "target": [[0, -1, -1]]},
        {},
        ("",),
    ),
    (
        "triplet-margin-of-long-distances",
        "triplet_margin",
        {
            "anchor": [[0.0, 0.0]] * 2,
            "positive": [[1e17, 1.0], [1e250, 2.0]],
            "negative": [[1e17, 0.0], [1e250, 1.0]],
        },
        {},
        ("", "negative"),
    ),
    ("ctc-of-large-losses", "ctc", CTC, {}, ("", "log_probs")),
]


@pytest.mark.parametrize(
    ("name", "inputs", "params", "of"),
    [
        pytest.param(name, inputs, params, of, id=f"{trap}{'-by-' * bool(of)}{of}")
        for trap, name, inputs, params, aspects in TRAPS
        for of in aspects
    ],
)
def test_trap(name: str, inputs: dict, params: dict, of: str) -> None:
    """No excuse of being near a root."""
    found = misses(name, inputs, params, of)
    goals = {p: GOALS[p, "gradient" if of else "value"].ulp for p in PRECISIONS}
    assert found == {p: ulp for p, ulp in found.items() if ulp <= goals[p]}


#: near a root that no float is: the goal is in units of what was subtracted
NEAR_ROOTS: list[tuple[str, str, dict[str, Any], dict[str, Any], str]] = [
    ("logsumexp-near-0", "logsumexp", {"x": [[-np.log(2), -np.log(2)]]}, {}, ""),
    ("poisson-nll", "poisson_nll", {"input": [2.0], "target": [2 / np.log(2 + 1e-8)]}, {"log_input": False}, ""),
    ("poisson-nll-gradient", "poisson_nll", {"input": [1.0], "target": [np.e]}, {}, "input"),
    ("kl-divergence", "kl_divergence", {"input": [np.log(0.3)], "target": [0.3]}, {}, ""),
    ("kl-divergence-gradient", "kl_divergence", {"input": [1 + np.log(0.3)], "target": [0.3]}, {}, "target"),
    ("bce-with-logits-gradient", "binary_cross_entropy_with_logits", {"input": [np.log(3.0)], "target": [0.75]}, {}, "input"),
    ("bce-log-of-p-and-epsilon", "binary_cross_entropy", {"input": [1 - 1e-7], "target": [1.0]}, {"epsilon": 1e-7}, ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "inputs", "params", "of"), [pytest.param(*row[1:], id=row[0]) for row in NEAR_ROOTS]
)
def test_trap_near_a_root(name: str, inputs: dict, params: dict, of: str) -> None:
    arrays = {n: np.array(a) for n, a in inputs.items()}
    lines = examine(find(name), points=[(arrays, params)])
    assert [line.failures for line in lines] == [[]] * len(lines)
    problem = Problem(name, resolve(find(name), arrays, params))
    near = problem.gradient(Entry(of, 0), [arb(1)]) if of else problem.values()[0]
    scale = problem.gradient_scale(Entry(of, 0), [arb(1)]) if of else problem.value_scale(0)
    assert float(abs(near).mid()) < 1e-6 * scale, "not near a root"


def test_parameters_are_the_numbers_that_they_are() -> None:
    """A slope of 0.01 is the float64 of that name at every width."""
    minus_one = {"x": np.array([-1.0], np.longdouble)}
    for name, params, want in (
        ("leaky_relu", {"slope": 0.01}, Fraction(0.01)),
        ("rrelu", {}, (Fraction(1 / 8) + Fraction(1 / 3)) / 2),
        ("rrelu", {"lower": 0.1, "upper": 0.3}, (Fraction(0.1) + Fraction(0.3)) / 2),
    ):
        outcome = oracle(name, minus_one, params, gradient=True)
        assert outcome.value is not None
        assert Fraction(*outcome.value[0].as_integer_ratio()) == -want
        assert Fraction(*outcome.gradients["x"][0].as_integer_ratio()) == want


@pytest.mark.parametrize("width", PRECISIONS.values(), ids=PRECISIONS)
@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("binary_cross_entropy", {"input": [0.0, 1.0], "target": [1.0, 0.0], "weight": [0.0, 0.0]}),
        ("categorical_cross_entropy", {"input": [[0.0, 1.0]], "target": [0], "weight": [0.0, 1.0]}),
        ("cross_entropy", {"input": [[0.0, -INF]], "target": [1], "weight": [1.0, 0.0]}),
    ],
)
def test_an_infinite_loss_of_weight_0_is_0(name: str, inputs: dict, width: type) -> None:
    arrays = {n: np.array(a) for n, a in inputs.items()}
    wide = {n: a.astype(width) if a.dtype.kind == "f" else a for n, a in arrays.items()}
    value = oracle(name, wide).value
    assert value is not None
    assert not value.any()


# -- mutants --------------------------------------------------------------------------------------


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: f"{m.function}-{m.name}")
def test_the_certificate_rejects(mutant: Mutant) -> None:
    lines = {
        x.precision: x for x in examine(mutant.made(), reduced=True) if x.aspect == mutant.aspect
    }
    for precision in mutant.in_:
        line = lines[precision]
        assert line.failures, f"{mutant.why}: not rejected in {precision}"
        assert len(line.failures) < line.points, "the mutant is broken rather than wrong"
    if mutant.in_ == ("extended",):
        assert not lines["float64"].failures


def test_there_is_a_mutant_of_every_function() -> None:
    assert {m.function for m in MUTANTS} == set(catalogue())
    assert len({(m.function, m.name) for m in MUTANTS}) == len(MUTANTS)
    assert {m.aspect for m in MUTANTS} == {"value", "gradient"}
