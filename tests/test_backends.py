"""Keras on its backends: the same bindings, each backend in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from nnconform.adapters import adapter
from nnconform.conformance.selection import UsageError, originals, select, together

pytestmark = pytest.mark.framework("keras", "keras-torch")


def test_a_backend_is_another_framework_with_the_same_bindings() -> None:
    keras, on_torch = adapter("keras"), adapter("keras-torch")
    shared = [[replace(b, dialect={}) for b in one.bindings] for one in (keras, on_torch)]
    assert shared[0] == shared[1]
    assert on_torch.version == keras.version
    assert originals([keras, on_torch]) == [keras]
    assert originals([on_torch]) == [on_torch]


def test_a_backend_has_a_dialect_where_the_documentation_says_nothing() -> None:
    keras, on_torch = adapter("keras"), adapter("keras-torch")
    differ = {a.callable for a, b in zip(keras.bindings, on_torch.bindings, strict=True) if a != b}
    assert differ == {
        *("binary_crossentropy", "BinaryCrossentropy"),
        *("sparse_categorical_crossentropy", "SparseCategoricalCrossentropy"),
    }


def test_one_process_judges_one_backend() -> None:
    assert "keras-torch" not in {one.name for one in together(None)}
    assert [one.name for one in together("keras-torch")] == ["keras-torch"]
    assert {s.adapter.name for s in select("value", "keras-torch", "relu", "float32")} == {
        "keras-torch"
    }
    with pytest.raises(UsageError, match=r"keras-torch cannot be judged in one process"):
        together("torch,keras,keras-torch")


def test_what_jax_computes_with_probabilities() -> None:
    keras, on_jax = adapter("keras"), adapter("keras-jax")
    differ = {a.callable for a, b in zip(keras.bindings, on_jax.bindings, strict=True) if a != b}
    assert differ == {"sparse_categorical_crossentropy", "SparseCategoricalCrossentropy"}


SCRIPT = """
import numpy as np
import nnconform
keras = nnconform.adapter("keras-torch")
found = keras.evaluate("elu", {"x": np.array([-1.0, 2.0])}, dtype="bfloat16", gradient=True)
assert found.error is None, found.error
assert found.value.dtype.name == found.gradients["x"].dtype.name == "bfloat16"
assert float(found.value[1]) == 2
made = keras.lookup("keras.activations.elu")(keras.tensor(np.ones(2)))
assert type(made).__module__ == "torch", type(made)
other = nnconform.adapter("keras").evaluate("elu", {"x": np.ones(2)})
assert "computes with torch in this process" in str(other.error), other.error
call = keras.select("elu").call({"x": np.ones(2, "float32")}, {}, None, "float32")
exec(keras.reproducer(call))
"""


ON_JAX = """
import numpy as np
import nnconform
one = nnconform.adapter("keras-jax")
one.start()
found = one.evaluate("elu", {"x": np.array([-1.0, 2.0])}, dtype="bfloat16", gradient=True)
assert found.error is None, found.error
assert found.value.dtype.name == found.gradients["x"].dtype.name == "bfloat16"
made = one.lookup("keras.activations.elu")(one.tensor(np.ones(2)))
assert type(made).__module__.startswith("jax"), type(made)
assert made.dtype == "float64", made.dtype
call = one.select("elu").call({"x": np.array([1 / 3, -1.0])}, {}, None, "float64")
exec(one.reproducer(call))
exec(one.reproducer(call, of="x"))
"""


def _printed(script: str) -> str:
    command = [sys.executable, "-P", "-W", "ignore", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_keras_computes_with_torch() -> None:
    assert _printed(SCRIPT).startswith("tensor([1., 1.]")


def test_keras_computes_with_jax() -> None:
    pytest.importorskip("jax")
    value, gradient = _printed(ON_JAX).splitlines()
    assert value == "[ 0.33333333 -0.63212056]"
    assert gradient == "[1.         0.36787944]"
