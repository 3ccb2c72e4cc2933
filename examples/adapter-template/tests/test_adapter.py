"""The adapter, certified: before it judges the framework, it is judged itself."""

from __future__ import annotations

import subprocess
import sys
import tomllib

import numpy as np
import pytest

import nnconform

X = np.array([[-1.5, 0.25, 3.0]], np.float32)
CASES = {
    "softsign": {"x": X},
    "leaky_relu": {"x": X},
    "mean_squared_error": {"input": X, "target": X[:, ::-1].copy()},
}


@pytest.fixture
def adapter():
    return nnconform.adapter("myframework")  # by its entry point


def test_tensors_keep_dtype_shape_and_bits(adapter):
    adapter.start()
    adapter.verify()


@pytest.mark.parametrize("function", CASES)
def test_value_and_gradients_are_the_oracles(adapter, function):
    case = CASES[function]
    got = adapter.evaluate(function, case, reduction="none", gradient=True)
    want = nnconform.oracle(function, case, reduction="none", gradient=True)
    assert got.error is None
    np.testing.assert_allclose(got.value, want.value, rtol=1e-6)
    assert set(got.gradients) == set(want.gradients)
    for name, gradient in want.gradients.items():
        np.testing.assert_allclose(got.gradients[name], gradient, rtol=1e-6)


def test_a_dtype_that_is_not_offered_is_unsupported(adapter):
    error = adapter.evaluate("softsign", {"x": X}, dtype="bfloat16").error
    assert adapter.unsupported(error)


@pytest.mark.parametrize("of", ["", "x"])
def test_a_reproducer_prints_what_was_measured(adapter, of):
    call = adapter.select("softsign").call({"x": X}, {}, None, "float32")
    outcome = adapter.execute(call, ["x"], lambda shape, dtype: np.ones(shape, dtype))
    value = outcome.gradients["x"] if of else outcome.value
    assert str(value) in run(adapter.reproducer(call, of=of))


def test_the_evidence_of_records_is_a_script(adapter):
    for record in tomllib.loads(adapter.divergences.read_text("utf-8"))["divergence"]:
        assert run(record["evidence"])


def run(script: str) -> str:
    """What a script prints."""
    command = [sys.executable, "-W", "ignore", "-c", script]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=100).stdout
