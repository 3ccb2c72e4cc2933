"""What a run keeps for its reports: error curves, calls in canonical words, the records that showed."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nnconform.adapters import OURS, adapter
from nnconform.adapters.interface import Binding
from nnconform.conformance import divergences
from nnconform.conformance.calls import dialect, example, result, usual, written
from nnconform.conformance.curves import Curve
from nnconform.conformance.error import ulps
from nnconform.conformance.measurement import Measurement, Subject
from nnconform.reference.floats import float_of
from nnconform.reports.table import KEPT

IDENTITY = {
    **{"framework": "torch", "surface": "torch.nn", "function": "gelu", "callable": "GELU"},
    **{"dtype": "float32", "aspect": "value", "mode": "eager"},
}


def bins(curve: Curve) -> dict[str, tuple[float, float]]:
    row = curve.row(IDENTITY)
    assert tuple(row) == KEPT["curves"]
    texts = (row[column].split() for column in ("bins", "ulp", "allowed"))
    return {bin: (float(ulp), float(limit)) for bin, ulp, limit in zip(*texts, strict=True)}


def test_a_bin_keeps_the_largest_error_and_what_was_allowed_there() -> None:
    curve = Curve("x")
    x = np.array([1.0, 1.5, 1.99, 2.0, -1.0, -0.75, 0.0, -0.0])
    error = np.array([1.0, 3.0, 2.0, 0.5, 0.25, 0.0, 7.0, 4.0])
    curve.add(x.reshape(2, 4), error.reshape(2, 4), 10 * error.reshape(2, 4) + 1)
    expected = {"-2^0": (0.25, 3.5), "-2^-1": (0, 1), "0": (7, 71), "2^0": (3, 31), "2^1": (0.5, 6)}
    assert bins(curve) == expected
    assert list(bins(curve)) == list(expected), "from left to right"
    curve.add(np.array([1.2, 1.3, 2.5]), np.array([2.9, 3.1, 0.1]), np.array([8.0, 9.0, 8.0]))
    assert bins(curve) == {**expected, "2^0": (3.1, 9)}


def test_far_bins_are_wider_and_every_float64_has_one() -> None:
    curve = Curve("x")
    x = np.array([2.0**9, 2.0**11, 2.0**12, 2.0**-9, 5e-324, 1.7e308, -1.7e308, 2.0**-8])
    curve.add(x, np.arange(8.0), np.ones(8))
    ends = ["-2^1020", "2^-1076", "2^-12", "2^-8", "2^8", "2^12", "2^1020"]
    assert list(bins(curve)) == ends
    assert bins(curve)["2^8"] == (1, 1)


def test_what_is_not_finite_is_left_out() -> None:
    curve = Curve("x")
    curve.add(np.array([np.nan, np.inf, 1.0, 4.0]), np.array([1, 1, np.nan, 2.0]), np.ones(4))
    curve.add(np.zeros(0), np.zeros(0), np.zeros(0))
    assert bins(curve) == {"2^2": (2, 1)}


def measured(function: str, aspect: str, shape: tuple[int, ...], of: str = "") -> Measurement:
    from nnconform.conformance.cases import Case
    from nnconform.reference import catalogue

    binding = Binding(function, function, tuple(catalogue()[function].inputs))
    subject = Subject(adapter("torch"), binding, "float32", aspect, "none")
    m = Measurement(subject)
    x = np.linspace(-3, 3, math.prod(shape), dtype=np.float32).reshape(shape)
    case = Case(subject.function, "float32", {"x": x}, {})
    expected = subject.expected(case).value()
    call = binding.call(case.inputs, {}, None, "float32")
    off = np.where(x > 0, 1 + 2.0**-23, 1)
    m.judge(case, call, (expected.want * off).astype(np.float32), expected, of=of)
    return m


def test_a_measurement_of_elements_draws_a_curve() -> None:
    m = measured("sigmoid", "value", (4, 6))
    assert m.curve is not None
    assert m.curve.of == "x"
    found = bins(m.curve)
    assert list(found) == [f"-2^{e}" for e in (1, 0, -1, -2, -3)] + [f"2^{e}" for e in range(-3, 2)]
    assert all(ulp <= 0.5 for bin, (ulp, _) in found.items() if bin.startswith("-"))
    assert all(0.5 <= ulp <= 2.5 for bin, (ulp, _) in found.items() if not bin.startswith("-"))
    assert max(ulp for ulp, _ in found.values()) == pytest.approx(m.max_ulp, rel=5e-3)
    kind = float_of("float32")
    least = ulps(np.array(8 * kind.u * 0.5), np.array(0.5), kind)
    assert all(limit >= least for _, limit in found.values()), "the bound, in ULP"


@pytest.mark.parametrize(
    ("function", "aspect", "of"),
    [("softmax", "value", ""), ("sigmoid", "special", ""), ("sigmoid", "gradient", "slope")],
)
def test_nothing_else_draws_one(function: str, aspect: str, of: str) -> None:
    assert measured(function, aspect, (4, 6), of).curve is None


# -- calls ---------------------------------------------------------------------------------------


def call(framework: str, function: str, surface: str, name: str = "") -> tuple[str, str, object]:
    one = adapter(framework)
    binding = one.select(function, surface, name)
    case = example(binding)
    spelling = usual(binding)
    said = written(one, binding, spelling, case)
    return said, result(binding, spelling), dialect(binding, case)


@pytest.mark.parametrize(
    ("place", "said", "comes", "differs"),
    [
        (
            ("torch", "huber", "torch.nn.functional"),
            "torch.nn.functional.huber_loss(input, target, delta=1.0, reduction='mean')",
            *("mean", {}),
        ),
        (
            ("torch", "huber", "torch.nn"),
            "torch.nn.HuberLoss(delta=1.0, reduction='mean')(input, target)",
            *("mean", {}),
        ),
        (
            ("keras", "huber", "keras.losses", "huber"),
            "keras.losses.huber(target, input, delta=1.0)",
            *("the mean over the last axis", {}),
        ),
        (
            ("torch", "prelu", "torch.nn"),
            "module = torch.nn.PReLU()\nmodule.weight.data = slope\nmodule(x)",
            *("unreduced", {}),
        ),
        (
            ("torch", "relu", "torch.nn.functional", "relu_"),
            "torch.nn.functional.relu_(x)",
            *("unreduced", {}),
        ),
        (
            ("torch", "binary_cross_entropy", "torch.nn"),
            "torch.nn.BCELoss(reduction='mean')(input, target)",
            *("mean", {"log_floor": -100.0}),
        ),
    ],
)
def test_a_call_in_canonical_words(
    place: tuple[str, ...], said: str, comes: str, differs: object
) -> None:
    assert call(*place) == (said, comes, differs)


@pytest.mark.parametrize("framework", [*OURS])
def test_every_binding_has_a_call(framework: str) -> None:
    one = adapter(framework)
    for binding in one.bindings:
        said = written(one, binding, usual(binding), example(binding))
        assert binding.expression or f"{binding.path}(" in said
        compile(said, binding.id, "exec")


# -- records ---------------------------------------------------------------------------------------


def test_the_records_that_showed() -> None:
    first, second, *_ = divergences.records()
    notes = [f"plain\n{second.note}", "", first.note, f"{first.note}\n[no-record] x", "[x]"]
    table = divergences.shown(notes)
    assert tuple(table.columns) == KEPT["records"]
    assert [*table["id"]] == [first.id, second.id]
    assert [*table["reason"]] == [first.reason, second.reason]
    assert table["why"][0] == " ".join(first.why.split())
    assert divergences.shown([]).empty
