"""The error measure: what it calls an error, in which units, and where it looks away."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnconform.conformance import error as measure
from nnconform.conformance.error import BOUND, Expected, Judge, bound_of, ulps
from nnconform.conformance.sources import Corpus
from nnconform.reference import catalogue, floats
from nnconform.reference.certified import certified_error
from nnconform.reference.floats import DTYPES, describe_longdouble, float_of
from nnconform.reference.oracle import resolve

Array = np.ndarray
F = catalogue()
each_dtype = pytest.mark.parametrize("dtype", DTYPES)


def judge(function: str, dtype: str, reduction: str = "none", **given: Any) -> Judge:
    """The oracle's answer to inputs and parameters, widened as a case's are."""
    kind = float_of(dtype)
    inputs = {n: a for n, a in given.items() if n in F[function].inputs}
    made = {
        n: np.asarray(a).astype(kind.dtype).astype(kind.oracle)
        if np.asarray(a).dtype.kind == "f"
        else np.asarray(a)
        for n, a in inputs.items()
    }
    params = {n: v for n, v in given.items() if n not in inputs}
    return Judge(F[function], resolve(F[function], made, params), kind, reduction)


def plain(want: Any, scale: Any = None, intermediate: float = 0.0, floor: float = 0.0) -> Expected:
    """An expectation without conditioning, unless a scale is given."""
    want = np.asarray(want, np.longdouble)
    own = np.where(np.isfinite(want), np.abs(want), 0)
    scale = own if scale is None else np.broadcast_to(np.longdouble(scale), want.shape)
    return Expected(want, scale, np.full(want.shape, intermediate), np.full(want.shape, floor))


def error(expected: Expected, got: Any, dtype: str = "float32") -> float:
    kind = float_of(dtype)
    return float(expected.error(np.asarray(got, np.float64).astype(kind.dtype), kind))


# -- units ---------------------------------------------------------------------------------------------


@each_dtype
def test_an_exact_result_has_no_error(dtype: str) -> None:
    assert error(plain(0.75), 0.75, dtype) == 0
    assert error(plain(0.0), 0.0, dtype) == 0
    assert error(plain(np.inf), np.inf, dtype) == 0
    assert error(plain(np.nan), np.nan, dtype) == 0


@each_dtype
@pytest.mark.parametrize("steps", [1, 3, 20])
def test_the_unit_is_half_an_ulp_of_one(dtype: str, steps: int) -> None:
    u = float_of(dtype).u
    assert error(plain(1.0), 1 + 2 * u * steps, dtype) == 2 * steps
    assert float(ulps(np.float64(2 * u * steps), np.float64(1), float_of(dtype))) == steps


@each_dtype
def test_the_correctly_rounded_result_is_within_one_unit(dtype: str) -> None:
    kind = float_of(dtype)
    for want in 1 / np.arange(3.0, 50.0, 2.0):
        assert error(plain(want), np.asarray(want).astype(kind.dtype), dtype) <= 1


@each_dtype
def test_twenty_ulps_are_too_many_and_three_are_not(dtype: str) -> None:
    u = float_of(dtype).u
    want = judge("linear", dtype, x=[1.0]).value()
    kind = float_of(dtype)
    for steps, passes in ((1, True), (3, True), (20, False)):
        got = np.asarray([1 + 2 * u * steps]).astype(kind.dtype)
        assert bool((want.error(got, kind) <= BOUND).all()) is passes


@pytest.mark.parametrize(
    ("want", "got", "message"),
    [
        (1.0, np.nan, "NaN for a number"),
        (np.nan, 1.0, "a number for NaN"),
        (0.0, 1e-30, "anything for an exact 0"),
        (np.inf, -np.inf, "the other infinity"),
        (1.0, np.inf, "an overflow"),
        (np.inf, 1.0, "a number for an overflow"),
    ],
)
def test_what_is_beyond_any_bound(want: float, got: float, message: str) -> None:
    assert error(plain(want), got) > 1e6, message


@each_dtype
def test_an_overflow_is_the_first_power_of_two_beyond_the_largest(dtype: str) -> None:
    kind = float_of(dtype)
    beyond = 2.0 ** (np.floor(np.log2(np.longdouble(kind.largest))) + 1)
    want = np.asarray([beyond, 2 * beyond, kind.largest], np.longdouble)
    expected = Expected(want, np.abs(want), np.zeros(3), np.zeros(3))
    infinite = np.full(3, np.inf).astype(kind.dtype)
    assert (expected.error(infinite, kind) <= 2).all()
    halved = Expected(want / 4, np.abs(want) / 4, np.zeros(3), np.zeros(3))
    assert (halved.error(infinite, kind) > BOUND)[[0, 2]].all()
    # the largest number where the exact value is far beyond: saturation is an error of a rounding
    assert float(expected.absolute(np.full(3, kind.largest).astype(kind.dtype), kind)[1]) == float(
        beyond - kind.largest
    )


@each_dtype
def test_a_flush_of_subnormals_is_within_the_floor(dtype: str) -> None:
    kind = float_of(dtype)
    want = judge("linear", dtype, x=[kind.tiny / 2, kind.tiny * 4]).value()
    flushed = want.error(np.zeros(2).astype(kind.dtype), kind)
    assert flushed[0] == 0
    assert flushed[1] > BOUND


def test_limited_is_a_band_between_right_and_wrong() -> None:
    kind = float_of("float32")
    expected = plain(1e-3, intermediate=1.0)
    close, textbook, wrong = 4 * kind.u * 1e-3, 4 * kind.u, 40 * kind.u
    for off, right, limited in (
        (close, True, True),
        (textbook, False, True),
        (wrong, False, False),
    ):
        got = np.asarray(1e-3 + off)
        assert bool(expected.error(got, kind) <= BOUND) is right
        assert bool(expected.limited_error(got, kind) <= BOUND) is limited


def test_tolerance_is_what_the_bound_allows() -> None:
    kind = float_of("float32")
    expected = plain(2.0, scale=3.0, intermediate=5.0, floor=0.25)
    assert float(expected.tolerance(kind, limited=False)) == 8 * kind.u * 3 + 0.25
    assert float(expected.tolerance(kind, limited=True)) == 8 * kind.u * 8 + 0.25


# -- conditioning ----------------------------------------------------------------------------------------

#: function → Σ|xⱼ·∂f/∂xⱼ| over inputs and real parameters, written down independently
SMOOTH: dict[str, Any] = {
    "sigmoid": lambda x: np.abs(x) * np.exp(-x) / (1 + np.exp(-x)) ** 2,
    "tanh": lambda x: np.abs(x) / np.cosh(x) ** 2,
    "linear": np.abs,
    "soft_margin": lambda x: np.abs(x) / (1 + np.exp(x)),
    "mean_squared_error": lambda x: 2 * np.abs(x - 0.5) * (np.abs(x) + 0.5),
}


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.sampled_from(sorted(SMOOTH)), st.floats(-12, 12), st.sampled_from(DTYPES))
def test_conditioning_is_the_sum_of_first_order_terms(name: str, x: float, dtype: str) -> None:
    kind = float_of(dtype)
    x = kind.round(x)
    other = {"soft_margin": {"target": [1.0]}, "mean_squared_error": {"target": [0.5]}}
    given_ = {next(iter(F[name].inputs)): [x], **other.get(name, {})}
    expected = judge(name, dtype, **given_).value()
    at_zero = kind.tiny / kind.u if x == 0 else 0.0  # zeros move by the smallest normal number
    moved = (expected.scale - np.abs(expected.want))[0]
    exact = SMOOTH[name](np.float64(x))
    # the oracle has 11 more bits than float64, so that a step of one u is itself exact to 10 of them
    second_order = 8 * kind.u * (1 + x * x) + (1 + exact) * (4e-3 if dtype == "float64" else 1e-6)
    assert moved == pytest.approx(exact, abs=second_order + at_zero)


def test_real_parameters_are_perturbed_too() -> None:
    expected = judge("leaky_relu", "float32", x=[-3.0], slope=0.25).value()
    assert float(expected.scale[0]) == pytest.approx(0.75 * 3)  # |f| + |x·∂f/∂x| + |s·∂f/∂s|


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_shift_invariant_functions_are_functions_of_differences(name: str) -> None:
    x = np.asarray([[0.0, -1.0, -2.0]])
    near, far = (judge(name, "float32", x=x + shift).value() for shift in (0.0, 4096.0))
    np.testing.assert_allclose(near.scale.astype(float), far.scale.astype(float), rtol=1e-4)


def test_logsumexp_is_no_function_of_differences() -> None:
    near, far = (
        judge("logsumexp", "float32", x=np.asarray([[0.0, -1.0]]) + shift).value()
        for shift in (0.0, 1024.0)
    )
    assert float(far.scale[0]) > 500 * float(near.scale[0])


def test_sums_add_up_absolute_terms() -> None:
    x, zeros = np.asarray([1.0, -2.0, 4.0]), np.zeros(3)
    each = judge("mean_absolute_error", "float32", input=x, target=zeros).value()
    total, mean = (
        judge("mean_absolute_error", "float32", r, input=x, target=zeros).value()
        for r in ("sum", "mean")
    )
    assert float(total.scale) == pytest.approx(float(each.scale.sum()))
    assert float(mean.scale) == pytest.approx(float(each.scale.sum()) / 3)


def test_log_probabilities_may_move_beyond_probabilities() -> None:
    """A target of KL is a probability or the logarithm of one: neither is clipped as the other."""
    given_ = {"input": [-1.0], "target": [-2.0], "log_target": True}
    expected = judge("kl_divergence", "float32", **given_).value()
    assert float(expected.scale[0]) < 2


def test_probabilities_stay_probabilities() -> None:
    expected = judge("binary_cross_entropy", "float32", input=[1.0], target=[1.0]).value()
    assert np.isfinite(expected.scale).all()


# -- where it looks away -----------------------------------------------------------------------------------


def gradient(name: str, **given_: Any) -> Expected:
    made = judge(name, "float32", **given_)
    upstream = np.ones(made.shape, made.kind.oracle)
    return made.gradients(upstream)[next(iter(F[name].inputs))]


@pytest.mark.parametrize(
    ("x", "blind"), [(0.0, True), (1.0, False), (-1.0, False), (2.0**-100, False)]
)
def test_any_subgradient_passes_at_a_kink_and_nowhere_else(x: float, blind: bool) -> None:
    """The aspect ``special`` holds the gradient to the subdifferential there."""
    expected = gradient("relu", x=[x])
    kind = float_of("float32")
    other = np.asarray([0.5], kind.dtype)
    assert bool((expected.error(other, kind) <= BOUND).all()) is blind


@pytest.mark.parametrize(
    ("name", "given_"),
    [
        ("step", {"x": [0.0], "at_zero": 0.5}),
        ("step", {"x": [-0.0], "at_zero": 1.0}),
        ("poisson_nll", {"input": [0.0], "target": [1.0], "full": True}),
    ],
    ids=["step-0", "step--0", "stirling-1"],
)
def test_a_jump_hides_nothing(name: str, given_: dict[str, Any]) -> None:
    expected = judge(name, "float32", **given_).value()
    kind = float_of("float32")
    got = (expected.want + 1e-3).astype(kind.dtype)
    assert (expected.error(got, kind) > BOUND).all()


def test_values_at_a_kink_are_held() -> None:
    for name, given_ in (
        ("relu", {"x": [0.0]}),
        ("hard_tanh", {"x": [1.0]}),
        ("hinge", {"input": [1.0], "target": [1.0]}),
        ("mean_absolute_error", {"input": [1.5], "target": [1.5]}),
    ):
        expected = judge(name, "float32", **given_).value()
        kind = float_of("float32")
        got = (expected.want + 1e-4).astype(kind.dtype)
        assert (expected.error(got, kind) > BOUND).all(), name


@pytest.mark.parametrize("name", sorted(F))
@each_dtype
def test_the_oracle_rounded_once_is_within_one_unit(name: str, dtype: str) -> None:
    """The scale is at least |want|, so that correct rounding never costs more than one unit."""
    from nnconform.conformance.cases import build

    from .gauntlet import subject_of
    from .oracle_adapter import OracleAdapter

    subject = subject_of(OracleAdapter(), name, "value", dtype)
    case = build(subject.binding, dtype, Corpus(f"unit/{name}", "mixed", "drawn", 2))
    expected = subject.expected(case).value()
    with np.errstate(all="ignore"):
        got = expected.want.astype(subject.kind.dtype)
    assert expected.error(got, subject.kind).max(initial=0) <= 1.001


# -- where longdouble is a double ----------------------------------------------------------------------


@pytest.fixture
def no_wider(monkeypatch: pytest.MonkeyPatch) -> None:
    """A platform whose longdouble is a float64."""
    for module in (measure, floats):
        monkeypatch.setattr(module, "extended", lambda: False)
    monkeypatch.setitem(vars(float_of("float64")), "oracle", np.dtype(np.float64))
    monkeypatch.setattr(measure, "_MOVED", {})


@pytest.mark.usefixtures("no_wider")
@pytest.mark.parametrize("aspect", ["value", "gradient"])
def test_there_the_certified_error_is_added_to_the_bound_of_float64(aspect: str) -> None:
    own = certified_error("sigmoid", aspect)
    assert 0 < own <= 8
    for dtype in DTYPES:
        added = own if dtype == "float64" else 0
        assert bound_of("sigmoid", aspect, float_of(dtype)) == BOUND + added


@pytest.mark.usefixtures("no_wider")
@pytest.mark.parametrize("aspect", ["value", "gradient"])
def test_there_the_row_shows_the_bound(aspect: str) -> None:
    from .gauntlet import measured, subject_of
    from .oracle_adapter import OracleAdapter

    for dtype in ("float32", "float64"):
        m, message = measured(subject_of(OracleAdapter(), "sigmoid", aspect, dtype), 1, 2)
        made = m.row()
        assert made["verdict"] == "pass", message
        assert made["bound"] == bound_of("sigmoid", aspect, float_of(dtype))
    assert made["bound"] > BOUND
    expected = judge("sigmoid", "float64", x=[-2.0]).value()
    assert expected.want.dtype == np.float64
    allowed = expected.tolerance(float_of("float64"), limited=False) - expected.floor
    assert allowed == pytest.approx(expected.bound * 2.0**-53 * expected.scale)


def test_elsewhere_it_is_the_bound() -> None:
    if floats.extended():
        assert {bound_of("sigmoid", "value", float_of(d)) for d in DTYPES} == {BOUND}


def test_a_function_without_a_certificate_is_named() -> None:
    with pytest.raises(ValueError, match="nnconform certify nonsense"):
        certified_error("nonsense", "value")


def test_the_environment_says_so(request: pytest.FixtureRequest) -> None:
    said = "the oracle's certified error is added to the bound of float64"
    assert (said in describe_longdouble()) is not floats.extended()
    request.getfixturevalue("no_wider")
    assert "-bit significand" in describe_longdouble()
    assert describe_longdouble().endswith(said)
