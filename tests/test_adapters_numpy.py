"""The NumPy adapter, the one that needs no framework: formulas are judged, and printed, as written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import nnconform
from nnconform.adapters import adapter
from nnconform.adapters.interface import Binding
from nnconform.conformance import aspects, properties
from nnconform.conformance.calls import example, usual
from nnconform.conformance.cases import corpus
from nnconform.conformance.measurement import Measurement, Subject
from nnconform.conformance.selection import find
from nnconform.reference.floats import DTYPES

pytestmark = pytest.mark.framework("numpy")

NUMPY = adapter("numpy")


def measured(callable: str, dtype: str = "float32", surface: str = "numpy") -> Measurement:
    """The values of the corpus' cases."""
    (binding,) = (b for b in NUMPY.bindings if (b.name, b.surface.name) == (callable, surface))
    spelling = binding.reductions[0] if binding.reductions[1:] else None
    m = Measurement(Subject(NUMPY, binding, dtype, "value", "none", spelling))
    for case in corpus(binding, dtype, aspects.CORPUS["value"]):
        aspects.value(m, case)
    return m


def test_arrays_hold_what_they_are_made_of() -> None:
    NUMPY.verify()
    assert NUMPY.dtypes() == DTYPES
    given = np.ones(2)
    NUMPY.tensor(given)[0] = 2  # a copy: a case is not changed by what is done to it
    assert given[0] == 1


@pytest.mark.parametrize("way", ["strided", "reversed", "transposed"])
def test_memory_is_arranged_as_it_says(way: str) -> None:
    x = np.arange(24.0).reshape(2, 3, 4)
    made = eval(NUMPY.arrangements(3)[way].format(x="x"), {}, {"x": x})
    assert np.array_equal(made, x)
    assert not made.flags.c_contiguous


@pytest.mark.parametrize("binding", NUMPY.bindings, ids=lambda b: f"{b.function}-{b.id}")
def test_what_is_printed_is_what_is_measured(
    binding: Binding, capsys: pytest.CaptureFixture[str]
) -> None:
    spelling = usual(binding) if not binding.reductions[1:] else binding.reductions[2]
    case = example(binding)
    call = binding.call(case.inputs, case.params, spelling, "float32")
    outcome = NUMPY.execute(call)
    assert outcome.error is None
    assert outcome.value is not None
    if binding.reductions[1:]:
        assert outcome.value.shape == ()
    exec(NUMPY.reproducer(call), {})
    assert capsys.readouterr().out.strip() == str(outcome.value)


@pytest.mark.parametrize(
    ("naive", "stable"),
    [
        ("np.log1p(np.exp(x))", "np.logaddexp(0, x)"),
        ("np.log(1 / (1 + np.exp(-x)))", "-np.logaddexp(0, -x)"),
        (
            "np.exp(x) / np.exp(x).sum({axis}, keepdims=True)",
            "(e := np.exp(x - x.max({axis}, keepdims=True))) / e.sum({axis}, keepdims=True)",
        ),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_naive_formula_is_known_and_a_stable_one_passes(
    naive: str, stable: str, dtype: str
) -> None:
    known = measured(naive, dtype)
    assert known.verdict == "known"
    assert known.error > 1e6
    assert "np.exp" in known.row()["reproducer"]
    assert measured(stable, dtype).verdict == "pass"


def test_bfloat16_comes_back_wider_from_scipy() -> None:
    m = measured("expit", "bfloat16", "scipy.special")
    assert m.verdict == "pass"
    assert list(m.notes) == ["the value comes back as float64"]


def test_a_range_holds_of_results_in_a_wider_dtype() -> None:
    """GELU's least value lies below the bfloat16 number nearest to it."""
    binding = NUMPY.select("gelu", "scipy.special", "x * scipy.special.ndtr(x)")
    m = Measurement(Subject(NUMPY, binding, "bfloat16", "property", "none", None))
    (case, *_) = corpus(binding, "bfloat16")
    least = np.full_like(case.inputs["x"], -0.75)
    properties.judge(m, type(case)(case.function, case.dtype, {"x": least}, case.params))
    assert m.verdict == "pass"


def test_without_scipy_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    here, missing = find(["numpy"])
    assert not here
    assert missing == {"numpy": "numpy is not installed; add it with: pip install numpy scipy"}


def test_a_run_needs_no_framework(tmp_path: Path) -> None:
    made = nnconform.run(
        frameworks="numpy", functions="soft*", dtypes="float32", profile="quick", out=tmp_path / "r"
    )
    assert set(made.table["surface"]) == {"numpy", "scipy.special"}
    assert set(made.table["verdict"]) == {"known", "pass"}
    assert "gradient" not in set(made.table["aspect"])
