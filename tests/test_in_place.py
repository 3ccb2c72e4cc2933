"""Calls that overwrite their input are given a copy, which must hold the result afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nnconform.adapters.interface import bind, surface
from nnconform.conformance import aspects
from nnconform.conformance.cases import corpus
from nnconform.conformance.measurement import Divergence, Measurement

from .gauntlet import subject_of
from .oracle_adapter import OracleAdapter

Array = np.ndarray


def overwrites(x: Array) -> Array:
    return np.maximum(x, 0, out=x)


def forgets(x: Array) -> Array:
    return np.maximum(x, 0)


def overwrites_too_late(x: Array) -> Array:
    result = np.maximum(x, 0)
    np.negative(x, out=x)
    return result


def measured(relu: Callable[[Array], Array]) -> Measurement:
    class InPlace(OracleAdapter):
        bindings = surface("oracle", [bind("relu", "relu", "x", inplace=True)])

        def lookup(self, path: str) -> Any:
            return relu

        def copied(self, tensor: Array) -> Array:
            return tensor.copy()

    m = Measurement(subject_of(InPlace(), "relu", "value", "float32"))
    before = [case.inputs["x"].copy() for case in corpus(m.subject.binding, "float32")]
    for case, x in zip(corpus(m.subject.binding, "float32"), before, strict=True):
        aspects.value(m, case)
        assert np.array_equal(case.inputs["x"], x)  # the case itself is not touched
    return m


def test_a_call_that_overwrites_its_input_passes() -> None:
    m = measured(overwrites)
    assert m.verdict == "pass"
    assert m.points


@pytest.mark.parametrize("relu", [forgets, overwrites_too_late])
def test_a_call_that_does_not_fails(relu: Callable[[Array], Array]) -> None:
    with pytest.raises(Divergence, match="does not hold the result"):
        measured(relu)


@pytest.mark.framework("torch")
def test_the_reproducer_gives_a_copy() -> None:
    import torch

    from nnconform.adapters.torch import TorchAdapter

    adapter = TorchAdapter()
    binding = adapter.select("relu", "torch.nn.functional", "relu_")
    call = binding.call({"x": np.float32([-1, 2])}, {}, None, "float32")
    assert "torch.nn.functional.relu_(x.clone())" in adapter.reproducer(call)
    assert torch.equal(torch.tensor(adapter.execute(call).overwritten), torch.tensor([0.0, 2.0]))
