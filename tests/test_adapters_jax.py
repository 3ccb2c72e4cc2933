"""The JAX adapter: tensors, gradients, bindings that exist, 64 bits, reproducers."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from nnconform import oracle
from nnconform.adapters import adapter
from nnconform.adapters.interface import signature_of
from nnconform.conformance.divergences import records
from nnconform.reference.floats import DTYPES, float_of

LOGITS = np.array([[0.5, -1.0, 2.0], [-0.25, 1.5, -2.0]])


@pytest.fixture(scope="module")
def jax() -> Any:
    made = adapter("jax")
    for name in ("jax", "optax"):
        pytest.importorskip(name, reason=f"{name} is not installed")
    made.start()
    return made


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_round_trip_keeps_every_bit(jax: Any, dtype: str) -> None:
    array = np.array([0, -0.0, 1, -1.5, np.inf, -np.inf, np.nan, 1e-7]).astype(
        float_of(dtype).dtype
    )
    back = jax.array(jax.tensor(array))
    assert back.dtype == array.dtype
    assert back.tobytes() == array.tobytes()


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8", "bool"])
def test_integers_keep_their_dtype(jax: Any, dtype: str) -> None:
    array = np.array([[0, 1], [1, 0]], dtype)
    back = jax.array(jax.tensor(array))
    assert back.dtype == array.dtype
    np.testing.assert_array_equal(back, array)


def test_every_binding_is_there_and_knows_its_keywords(jax: Any) -> None:
    for binding in jax.bindings:
        jax.fitted(binding, binding.reductions[0], "float32")
        signature = signature_of(jax.lookup(binding.path))
        assert signature is not None, binding.id
        assert {*binding.keywords.values(), *binding.fixed} <= set(signature.parameters), binding.id


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize("gradient", [False, True])
def test_the_reduction_that_users_write(jax: Any, reduction: str, gradient: bool) -> None:
    inputs = {"input": LOGITS, "target": np.array([1, 2])}
    found = jax.evaluate("cross_entropy", inputs, None, reduction, "float64", gradient=gradient,
                         callable="softmax_cross_entropy_with_integer_labels")  # fmt: skip
    assert found.error is None
    want = oracle("cross_entropy", inputs, {"axis": -1}, reduction, gradient=gradient)
    np.testing.assert_allclose(found.value, want.value, rtol=1e-14)
    if gradient:
        np.testing.assert_allclose(found.gradients["input"], want.gradients["input"], rtol=1e-13)


def test_a_mask(jax: Any) -> None:
    inputs = {"x": LOGITS, "mask": np.array([[1.0, 0, 1], [0, 1, 1]])}
    found = jax.evaluate("masked_softmax", inputs, dtype="float64", gradient=True)
    assert found.error is None
    want = oracle("masked_softmax", inputs, gradient=True)
    np.testing.assert_allclose(found.value, want.value, rtol=1e-14)
    np.testing.assert_allclose(found.gradients["x"], want.gradients["x"], atol=1e-15)


def test_ctc_is_given_paddings(jax: Any) -> None:
    inputs = {
        "log_probs": np.random.default_rng(0).normal(size=(6, 2, 4)),
        "targets": np.array([[1, 2, 2], [3, 1, 0]]),
        "input_lengths": np.array([6, 4]),
        "target_lengths": np.array([3, 1]),
    }
    found = jax.evaluate("ctc", inputs, dtype="float64", gradient=True)
    assert found.error is None
    want = oracle("ctc", inputs, {"from_logits": True}, gradient=True)
    np.testing.assert_allclose(found.value, want.value, rtol=1e-12)
    np.testing.assert_allclose(
        found.gradients["log_probs"], want.gradients["log_probs"], atol=1e-12
    )


def test_what_is_compiled_is_counted_and_dropped(jax: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """JAX tells of it under a name that is not in its documentation."""
    monkeypatch.setattr(jax, "_compiled", 0)
    first = jax.evaluate("elu", {"x": np.arange(-5.0, 6.0)}, dtype="float32").value
    counted = jax._compiled
    assert counted
    jax.evaluate("elu", {"x": np.arange(-5.0, 6.0)}, dtype="float32")
    assert jax._compiled == counted  # it was kept
    monkeypatch.setattr(jax, "_kept", counted)
    again = jax.evaluate("elu", {"x": np.arange(-5.0, 6.0)}, dtype="float32").value
    assert jax._compiled == counted  # dropped, and made again
    np.testing.assert_array_equal(again, first)


@pytest.mark.parametrize("of", ["", "input"])
def test_a_reproducer_prints_what_was_measured(jax: Any, of: str, capsys: Any) -> None:
    binding = jax.select("mean_squared_error", "optax.losses", "l2_loss")
    arrays = {"input": np.array([1.5, 2.0]), "target": np.array([0.5, -1.0])}
    script = jax.reproducer(binding.call(arrays, {}, binding.reductions[1], "float64"), of=of)
    assert "optax.losses.l2_loss(input, target).sum()" in script
    assert "jax_enable_x64" in script
    exec(script, {})
    assert capsys.readouterr().out.split() == (["[1.", "3.]"] if of else ["5.0"])


SCRIPT = """
import numpy as np
import nnconform
one = nnconform.adapter("jax")
assert one.evaluate("relu", {"x": np.ones(2)}, dtype="float32").error is None
said = one.evaluate("relu", {"x": np.ones(2)}, dtype="float64").error
assert "jax_enable_x64" in str(said), said
"""


def test_64_bits_are_not_cut_in_silence(jax: Any) -> None:
    """In a process in which nobody asked for them."""
    done = subprocess.run([sys.executable, "-P", "-c", SCRIPT], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "record", [r for r in records() if "jax" in r.framework and r.evidence], ids=lambda r: r.id
)
def test_the_evidence_runs(jax: Any, record: Any, capsys: Any) -> None:
    exec(record.evidence, {})
    assert capsys.readouterr().out.strip()
