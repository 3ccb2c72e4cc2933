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


def test_keras_computes_with_torch() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-W", "ignore", "-c", SCRIPT], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("tensor([1., 1.]")
