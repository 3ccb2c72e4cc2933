"""Before anything fails, an enclosure is asked who is wrong: the oracle is never the one at fault."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from flint import arb

from nnconform.adapters.interface import Binding
from nnconform.conformance import adjudication, aspects, error
from nnconform.conformance.adjudication import Question, Undecided
from nnconform.conformance.aspects import cotangent
from nnconform.conformance.cases import Case, corpus
from nnconform.conformance.divergences import Record
from nnconform.conformance.enclosures import problem
from nnconform.conformance.enclosures.definitions import DEFINITIONS
from nnconform.conformance.error import BOUND, Expected
from nnconform.conformance.measurement import Divergence, Measurement, Subject
from nnconform.conformance.selection import subjects
from nnconform.reference import catalogue
from nnconform.reference.floats import float_of
from nnconform.reference.oracle import resolve

from .gauntlet import subject_of
from .oracle_adapter import BINDINGS, Implementation, OracleAdapter

pytestmark = pytest.mark.slow

Array = np.ndarray
Spoil = Callable[[Array], Array]
F = catalogue()
JUDGED = {"value": aspects.value, "gradient": aspects.gradient, "reduction": aspects.reduction}
CONFIRMED = "; an enclosure confirms it: the exact result is "


@pytest.fixture(autouse=True)
def _no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """The conditioning of a spoilt oracle is not the oracle's."""
    monkeypatch.setattr(error, "_MOVED", {})


def half_more(y: Array) -> Array:
    return y * y.dtype.type(1.5)


def twice(y: Array) -> Array:
    return y * y.dtype.type(2)


def everywhere(number: float) -> Spoil:
    return lambda y: np.full_like(y, number)


def judged(
    function: str,
    aspect: str,
    dtype: str = "float32",
    label: str = "",
    reduction: str = "",
    *,
    oracle: Spoil | None = None,
    framework: Spoil | None = None,
    records: tuple[Record, ...] = (),
) -> tuple[Measurement, str]:
    """What two cases measure with the oracle, or what it judges, spoilt; and the failure."""
    made = Implementation(F[function], finish=framework or np.asarray)
    subject = subject_of(OracleAdapter({function: made}), function, aspect, dtype, label, reduction)
    vars(subject)["records"] = records
    if oracle is not None:
        vars(subject)["function"] = spoilt(function, oracle)
    m = Measurement(subject)
    try:
        for case in corpus(subject.binding, dtype, 1 if function == "ctc" else 2):
            JUDGED[aspect](m, case)
    except Divergence as divergence:
        return m, str(divergence)
    return m, ""


def spoilt(function: str, spoil: Spoil) -> Any:
    right = F[function]

    def pullback(upstream: Array, **arguments: Any) -> dict[str, Array]:
        return {n: spoil(g) for n, g in right.gradients(upstream, **arguments).items()}

    return replace(right, formula=lambda **a: spoil(right(**a)), _pullback=pullback)


# -- the oracle is wrong -------------------------------------------------------------------------------

ROWS = [
    ("sigmoid", "value"),
    ("sigmoid", "gradient"),
    ("sigmoid", "value", "float16"),
    ("softmax", "value", "float64"),
    ("softmax", "gradient"),
    ("prelu", "gradient", "float64"),
    ("huber", "value", "bfloat16"),
    ("huber", "gradient"),
    ("huber", "reduction", "float32", "", "mean"),
    ("huber", "reduction", "float64", "", "sum"),
    ("cross_entropy", "reduction", "float32", "", "mean"),
    ("nll", "reduction", "float64", "", "mean"),
    ("kl_divergence", "reduction", "float32", "", "batchmean"),
    ("ctc", "reduction", "float32", "", "mean"),
    ("triplet_margin", "gradient"),
    *(
        ("mean_squared_error", "reduction", "float32", "mean_squared_error(rows)", reduction)
        for reduction in ("sum", "mean", "weighted_mean", "nonzero_mean")
    ),
]


@pytest.mark.parametrize(
    "spoil",
    [half_more, everywhere(np.nan), everywhere(np.inf), everywhere(0.0)],
    ids=["half more", "nan", "inf", "0"],
)
@pytest.mark.parametrize("row", ROWS, ids="-".join)
def test_a_wrong_oracle_blames_nobody(row: tuple[str, ...], spoil: Spoil) -> None:
    m, message = judged(*row, oracle=spoil)
    made = m.row()
    assert m.verdict in ("pass", "limited"), message
    assert made["error"] <= BOUND or m.verdict == "limited"
    assert "adjudicated: " in made["note"]
    assert "was judged by an enclosure" in made["note"]
    assert "the oracle being off" in made["note"]
    assert made["note"].count("adjudicated") <= 4, "one for the value and for each gradient"
    assert m.worst is not None
    assert m.worst.want == pytest.approx(m.worst.got, rel=0.1, abs=1e-4), "the exact result"


@pytest.mark.parametrize("row", [("softmax", "value"), ("huber", "gradient")], ids="-".join)
def test_nor_where_longdouble_is_a_double(
    monkeypatch: pytest.MonkeyPatch, row: tuple[str, ...]
) -> None:
    monkeypatch.setattr(error, "extended", lambda: False)
    monkeypatch.setitem(vars(float_of("float64")), "oracle", np.dtype(np.float64))
    m, message = judged(*row, "float64", oracle=half_more)
    assert m.verdict == "pass", message
    assert m.bound > BOUND
    m, message = judged(*row, "float64", framework=half_more)
    assert m.verdict == "fail"
    assert CONFIRMED in message


def test_a_right_oracle_is_not_adjudicated() -> None:
    m, _ = judged("sigmoid", "value")
    assert (m.verdict, m.row()["note"]) == ("pass", "")


# -- the framework is wrong ----------------------------------------------------------------------------


@pytest.mark.parametrize("row", ROWS, ids="-".join)
def test_a_wrong_framework_fails_and_an_enclosure_confirms_it(row: tuple[str, ...]) -> None:
    m, message = judged(*row, framework=half_more)
    assert m.verdict == "fail"
    assert "the oracle says" in m.failure
    assert CONFIRMED in message
    assert m.row()["note"].startswith(m.failure)
    assert exact(m) == pytest.approx(m.worst.want, rel=1e-15)  # type: ignore[union-attr]
    assert m.worst.got == pytest.approx(1.5 * exact(m), rel=0.02)  # type: ignore[union-attr]


def exact(m: Measurement) -> float:
    """The exact result that a failure names."""
    return float(m.failure.rpartition(CONFIRMED)[2])


@pytest.mark.parametrize("row", ROWS[:10], ids="-".join)
@pytest.mark.parametrize(
    "spoil", [half_more, everywhere(np.nan), everywhere(0.0)], ids=["half more", "nan", "0"]
)
def test_where_both_are_wrong_the_exact_result_says_so(row: tuple[str, ...], spoil: Spoil) -> None:
    m, message = judged(*row, oracle=spoil, framework=twice)
    assert m.verdict == "fail"
    assert CONFIRMED in message
    assert m.worst is not None
    assert m.worst.want == exact(m)
    assert m.worst.got == pytest.approx(2 * exact(m), rel=0.02)


def test_what_fails_is_the_element_that_was_confirmed() -> None:
    """The oracle is off at one element, the framework at another."""
    m, case, right = sigmoids([1.0, 2.0, 3.0])
    expected = replace(right, want=right.want * [2, 1, 1])
    with pytest.raises(Divergence, match=r"the value at \(1,\) is .*an enclosure confirms it"):
        judge(m, case, right.want * [1, 1.2, 1], expected)
    note = m.row()["note"]
    assert "adjudicated: the value was judged by an enclosure at 1 point, " in note
    assert f"at (0,) it says {expected.want[0]!s}, the exact result is {right.want[0]!s}" in note


def sigmoids(x: list[float], aspect: str = "value") -> tuple[Measurement, Case, Expected]:
    subject = subject_of(OracleAdapter(), "sigmoid", aspect, "float32")
    case = Case(F["sigmoid"], "float32", {"x": np.float32(x)}, {})
    return Measurement(subject), case, subject.expected(case).value()


def judge(m: Measurement, case: Case, got: Array, expected: Expected) -> None:
    m.judge(case, m.subject.call(case), np.asarray(got, np.float32), expected)


# -- nobody can be asked -------------------------------------------------------------------------------


def _raises(*_: object, **__: object) -> arb:
    raise ZeroDivisionError("planted")


@pytest.mark.parametrize(
    ("where", "name", "stand_in", "reason"),
    [
        (
            adjudication,
            "available",
            lambda: False,
            "the extra certify (python-flint) is not installed",
        ),
        (problem, "enclose", _raises, "its enclosure failed: ZeroDivisionError('planted')"),
        (problem, "enclose", lambda *a, **k: arb.nan(), "the enclosure has no finite bounds there"),
        (
            problem,
            "enclose",
            lambda *a, **k: arb(0, arb.pos_inf()),
            "the enclosure has no finite bounds there",
        ),
        (DEFINITIONS, "sigmoid", None, "there is no enclosure of sigmoid"),
    ],
    ids=["no extra", "raises", "nan", "no bounds", "no definition"],
)
def test_without_an_answer_it_fails_and_says_why(
    monkeypatch: pytest.MonkeyPatch, where: Any, name: str, stand_in: Any, reason: str
) -> None:
    if isinstance(where, dict):
        monkeypatch.delitem(where, name)
    else:
        monkeypatch.setattr(where, name, stand_in)
    m, message = judged("sigmoid", "value", framework=half_more)
    made = m.row()
    assert m.verdict == "fail"
    assert m.failure.endswith(f"; not adjudicated: {reason}")
    assert m.failure in message
    assert made["note"] == m.failure
    assert made["points"] > 0
    assert made["worst"]
    assert made["error"] > BOUND
    assert judged("sigmoid", "value")[0].verdict == "pass"


# -- kinks ---------------------------------------------------------------------------------------------


def question(function: str, of: str = "", upstream: Any = None, **given: Any) -> Question:
    inputs = {n: np.asarray(v, np.float64) for n, v in given.items() if n in F[function].inputs}
    params = {n: v for n, v in given.items() if n not in inputs}
    arguments = resolve(F[function], inputs, params)
    return Question(function, arguments, "none", None, None, of, upstream)


@pytest.mark.parametrize(
    ("function", "of", "given", "low", "high"),
    [
        ("relu", "x", {"x": [0.0]}, 0, 2),
        ("leaky_relu", "x", {"x": [0.0], "slope": 0.25}, 0.5, 2),
        ("hard_tanh", "x", {"x": [1.0]}, 0, 2),
        ("mean_absolute_error", "input", {"input": [3.0], "target": [3.0]}, -2, 2),
        ("relu", "x", {"x": [1.0]}, 2, 2),
        ("mean_squared_error", "input", {"input": [3.0], "target": [3.0]}, 0, 0),
    ],
)
def test_at_a_kink_any_subgradient_is_accepted(
    function: str, of: str, given: dict[str, Any], low: float, high: float
) -> None:
    found = question(function, of, np.asarray([2.0]), **given).interval((0,), (1,))
    assert found == pytest.approx((low, high), abs=2e-8)  # a ball's radius has 30 bits


@pytest.mark.parametrize(("got", "right"), [(0.0, True), (0.6, True), (2.0, True), (2.5, False)])
def test_a_subgradient_passes_though_the_oracle_says_nan(got: float, right: bool) -> None:
    subject = subject_of(OracleAdapter(), "relu", "gradient", "float32")
    case = Case(F["relu"], "float32", {"x": np.zeros(1, np.float32)}, {})
    sure = subject.expected(case).gradients(np.asarray([2.0]))["x"]
    expected = replace(sure, want=np.asarray([np.nan]), scale=np.zeros(1))
    m = Measurement(subject)
    try:
        m.judge(case, subject.call(case), np.float32([got]), expected, of="x")
    except Divergence:
        assert "the exact result is 2.0" in m.failure, "the nearest subgradient"
    assert m.verdict == ("pass" if right else "fail")


# -- what is recorded ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "verdict"), [("", "known"), ("x < 0", "fail")], ids=["everything", "some"]
)
def test_what_a_record_covers_is_not_asked_about(
    monkeypatch: pytest.MonkeyPatch, where: str, verdict: str
) -> None:
    asked: list[float] = []
    interval = Question.interval

    def counted(self: Question, index: tuple[int, ...], shape: tuple[int, ...]) -> Any:
        asked.append(float(self.arguments["x"][index]))
        return interval(self, index, shape)

    monkeypatch.setattr(Question, "interval", counted)
    recorded = Record("r", ("*",), ("*",), ("value",), "bug", "planted", where=where)
    m, _ = judged("sigmoid", "value", framework=half_more, records=(recorded,))
    assert m.verdict == verdict
    assert len(asked) == (verdict == "fail"), "the worst one settles it"
    assert all(x >= 0 for x in asked)


# -- the answers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("binding", [b for b in BINDINGS if not b.random], ids=lambda b: b.name)
def test_enclosures_and_the_oracle_agree_on_every_shape_of_a_case(
    binding: Binding, dtype: str
) -> None:
    """Values and gradients, under every reduction, at the first, middle and last element."""
    adapter = OracleAdapter()
    compared = 0
    for subject in (
        s for a in ("value", "reduction") for s in subjects(adapter, binding, a, [dtype])
    ):
        for case in corpus(binding, dtype, 3):
            compared += sum(_agrees(subject, case, *asked) for asked in _expected(subject, case))
    assert compared >= 4


def _expected(subject: Subject, case: Case) -> list[tuple[bool, Expected]]:
    of = subject.expected(case)
    upstream = cotangent(of.shape, subject.kind).astype(subject.kind.oracle)
    gradients = of.gradients(upstream)
    finite = bool(np.isfinite(of.unreduced).all())
    wanted = subject.differentiated(case)
    return [(True, of.value()), *((finite, gradients[name]) for name in wanted)]


def _agrees(subject: Subject, case: Case, answered: bool, expected: Expected) -> int:
    """How many elements were compared; an infinite loss may have no slope."""
    size, eps = expected.want.size, float(np.finfo(expected.want.dtype).eps)
    places = sorted({0, size // 2, size - 1}) if size else []
    for place in places:
        index = tuple(map(int, np.unravel_index(place, expected.want.shape)))
        want, scale = expected.want[index], expected.scale[index]
        assert expected.question is not None
        try:
            low, high = expected.question.interval(index, expected.want.shape)
        except Undecided:
            assert not answered
            continue
        nearest = np.clip(want, low, high)
        where = f"{subject.id} {expected.question.of} at {index}: {want!s}, not {nearest!s}"
        assert want == nearest or abs(want - nearest) <= 8 * eps * scale, where
    return len(places)


@pytest.mark.parametrize(
    ("function", "reduction", "label"),
    [
        ("sigmoid", "", ""),
        ("softmax", "", ""),
        ("log_softmax", "", ""),
        ("mean_squared_error", "mean", "mean_squared_error(rows)"),
        ("mean_squared_error", "weighted_mean", "mean_squared_error(rows)"),
        ("cross_entropy", "mean", ""),
        ("huber", "sum", ""),
    ],
)
def test_scales_are_those_that_the_oracle_measures(
    function: str, reduction: str, label: str
) -> None:
    aspect = "reduction" if reduction else "value"
    subject = subject_of(OracleAdapter(), function, aspect, "float32", label, reduction)
    case = next(corpus(subject.binding, "float32", 1))
    for _, expected in _expected(subject, case):
        assert expected.question is not None
        scale = expected.question.scale((0,) * expected.want.ndim, expected.want.shape)
        assert scale == pytest.approx(float(expected.scale.flat[0]), rel=1e-3)


@pytest.mark.parametrize(
    ("function", "given", "value"),
    [
        ("sigmoid", {"x": [-1e30]}, 0.0),
        ("sigmoid", {"x": [-11000.0]}, np.exp(np.longdouble(-11000))),
        ("poisson_nll", {"input": [1e30], "target": [0.0]}, np.inf),
        ("relu", {"x": [1.7e308]}, 1.7e308),
        ("relu", {"x": [5e-324]}, 5e-324),
        ("relu", {"x": [-0.0]}, 0.0),
    ],
)
def test_ends_of_the_range(function: str, given: dict[str, Any], value: Any) -> None:
    for bound in question(function, **given).interval((0,), (1,)):
        assert bound == value or abs(bound - value) <= abs(value) * 2.0**-60


def test_an_infinite_loss_is_an_answer() -> None:
    given = {"input": [[0.0, 0.5]], "target": [[1.0, 0.0]]}
    assert question("binary_cross_entropy", **given).interval((0, 0), (1, 2)) == (np.inf, np.inf)
    with pytest.raises(Undecided, match="no finite bounds"):
        question("binary_cross_entropy", "input", np.ones((1, 2)), **given).interval((0, 0), (1, 2))


def test_inputs_without_a_shape() -> None:
    """A case may hold NumPy scalars where its inputs have no dimensions."""
    given = {"input": np.longdouble(0.3), "target": np.longdouble(1)}
    low, high = Question("soft_margin", given, "none", None, None).interval((), ())
    assert low == pytest.approx(high, rel=1e-17) == pytest.approx(np.log1p(np.exp(-0.3)))
