"""The adapter, certified; its scripts, which must do what they say; the files that it brings."""

from __future__ import annotations

import inspect
import subprocess
import sys
import tomllib

import ml_dtypes
import numpy as np
import pytest
from nnconform_onnxruntime import OnnxRuntimeAdapter
from nnconform_onnxruntime.operators import operator, operators
from nnconform_onnxruntime.settings import VARIABLE

import nnconform
from nnconform.adapters.interface import Unavailable

DTYPES = ("float16", ml_dtypes.bfloat16, "float32", "float64")


@pytest.fixture(scope="module")
def adapter() -> OnnxRuntimeAdapter:
    found = nnconform.adapter("onnxruntime")  # by its entry point
    assert isinstance(found, OnnxRuntimeAdapter)
    found.start()
    return found


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (6,), (2, 3), (1, 2, 3, 1), (0, 3)])
def test_the_runtime_keeps_bits(adapter, dtype, shape):
    corners = np.array([np.nan, np.inf, -np.inf, -0.0, 2.0**-24, 60000.0])
    array = np.resize(corners, shape).astype(dtype)
    back = adapter.array(operator("ai.onnx", "Identity")(adapter.tensor(array)))
    assert (back.dtype, back.shape, back.tobytes()) == (array.dtype, shape, array.tobytes())


def test_values_are_the_oracles(adapter):
    x = {"x": np.array([[-2.0, -0.5, 0.0, 3.0]], np.float32)}
    for function in ("gelu", "elu", "softmax", "logsumexp", "hard_tanh", "selu"):
        got = adapter.evaluate(function, x)
        np.testing.assert_allclose(got.value, nnconform.oracle(function, x).value, rtol=1e-6)


@pytest.mark.parametrize("reduction", ["none", "sum", "mean", "default"])
def test_losses_with_weights_ignored_classes_and_reductions(adapter, reduction):
    case = {
        "input": np.array([[1.0, 2.0], [0.5, -1.0], [0.0, 3.0]], np.float32),
        "target": np.array([0, -100, 1]),
        "weight": np.array([1.0, 3.0], np.float32),
    }
    got = adapter.evaluate("cross_entropy", case, {"ignore_index": -100}, reduction)
    meant = {"default": "mean"}.get(reduction, reduction)
    want = nnconform.oracle("cross_entropy", case, {"ignore_index": -100}, meant)
    assert got.error is None
    np.testing.assert_allclose(got.value, want.value, rtol=1e-6)


@pytest.mark.parametrize(
    ("function", "dtype", "said"),
    [
        ("relu", "bfloat16", "CPUExecutionProvider has no kernel for Relu"),
        (
            "mish",
            "float64",
            "CPUExecutionProvider has no kernel for Softplus, of which Mish is made",
        ),
    ],
)
def test_a_missing_kernel_is_unsupported_in_one_line(adapter, function, dtype, said):
    error = adapter.evaluate(function, {"x": np.ones(2)}, dtype=dtype).error
    assert adapter.unsupported(error)
    assert str(error) == said


def test_a_wrong_call_is_not_unsupported(adapter):
    case = {"input": np.ones((2, 3)), "target": np.array([0, 5])}
    error = adapter.evaluate("nll", case).error
    assert error is not None
    assert not adapter.unsupported(error)


@pytest.mark.parametrize(
    ("function", "inputs", "dtype", "params"),
    [
        ("leaky_relu", {"x": [-1.0, 2.0]}, "float32", {"slope": 0.1}),
        ("linear", {"x": [[-1.0, np.inf, 3.0]]}, "bfloat16", {}),
        ("silu", {"x": -0.5}, "float64", {"beta": 2.0}),
        ("hard_tanh", {"x": [-3.0, 0.5]}, "float16", {"min_value": -0.25, "max_value": 2.0}),
        ("logsumexp", {"x": [[1.0, 2.0], [3.0, 5.0]]}, "float32", {"axis": 0}),
        ("nll", {"input": [[-1.0, -2.0]], "target": [1]}, "float32", {}),
    ],
)
def test_a_reproducer_prints_the_value(adapter, function, inputs, dtype, params):
    arrays = {
        name: np.array(value) if name == "target" else np.array(value).astype(_dtype(dtype))
        for name, value in inputs.items()
    }
    binding = adapter.select(function)
    call = binding.call(arrays, params, binding.reductions[0], dtype)
    done = _run(adapter.reproducer(call))
    assert done.stdout.strip() == str(adapter.execute(call).value)


RECORDS = tomllib.loads(OnnxRuntimeAdapter.divergences.read_text("utf-8"))["divergence"]


@pytest.mark.parametrize("record", [r for r in RECORDS if "evidence" in r], ids=lambda r: r["id"])
def test_the_evidence_of_a_record_is_a_script(record):
    done = _run(record["evidence"])
    assert done.stdout, done.stderr
    assert "Traceback" not in done.stderr


def test_operators_have_the_signature_of_their_specification(adapter):
    signature = inspect.signature(adapter.lookup("ai.onnx.SoftmaxCrossEntropyLoss"))
    assert list(signature.parameters) == [
        "scores",
        "labels",
        "weights",
        "ignore_index",
        "reduction",
    ]
    assert signature.parameters["reduction"].default == "mean"
    with pytest.raises(TypeError, match="unexpected keyword argument 'beta'"):
        operator("ai.onnx", "Elu")(np.ones(2, np.float32), beta=1.0)


def test_the_opset_is_told_and_obeyed(adapter, monkeypatch):
    assert adapter.facts()["opset"] == "24"
    monkeypatch.setenv(VARIABLE, "13")
    assert adapter.facts()["opset"] == "13"
    assert "Gelu" not in operators("ai.onnx")
    with pytest.raises(AttributeError, match=r"ai\.onnx of opset 13 has no Gelu"):
        adapter.lookup("ai.onnx.Gelu")
    monkeypatch.setenv(VARIABLE, "1000")
    with pytest.raises(Unavailable, match="runs no opset 1000"):
        adapter.start()
    monkeypatch.setenv(VARIABLE, "newest")
    with pytest.raises(ValueError, match="NNCONFORM_ONNX_OPSET is 'newest'; accepted are"):
        adapter.start()


def _dtype(name: str) -> np.dtype:
    return np.dtype(ml_dtypes.bfloat16 if name == "bfloat16" else name)


def _run(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=100, check=True
    )
