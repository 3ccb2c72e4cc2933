"""The aspect consistency: how it holds the same numbers, and what it says of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nnconform.adapters import adapter
from nnconform.adapters.interface import Binding
from nnconform.conformance import consistency
from nnconform.conformance.consistency import LENGTHS, _long_case, _part, _twins
from nnconform.conformance.measurement import Measurement, Subject
from nnconform.reference import catalogue

from .gauntlet import HELD, subject_of
from .oracle_adapter import OracleAdapter

ORACLE = OracleAdapter()


def subject(function: str, dtype: str = "float32") -> Subject:
    return subject_of(ORACLE, function, "consistency", dtype)


@pytest.mark.slow
@pytest.mark.parametrize("function", sorted(catalogue()))
def test_there_are_a_thousand_of_everything(function: str) -> None:
    case = _long_case(subject(function))
    shapes = {name: a.shape for name, a in case.inputs.items()}
    assert any(LENGTHS[-1] in shape for shape in shapes.values()), shapes
    first, last = _part(case, 7), _part(case, 7, last=True)
    assert {len(a) for a in first.inputs.values() if 7 in a.shape} <= {7, *range(12)}
    for name, array in case.inputs.items():
        if array.shape[:1] == (LENGTHS[-1],):
            np.testing.assert_array_equal(first.inputs[name], array[:7])
            np.testing.assert_array_equal(last.inputs[name], array[-7:])


def test_dtypes_are_noted_by_what_comes_of_them() -> None:
    m = Measurement(subject("huber"))
    consistency.consistency(m)
    note = m.row()["note"]
    assert "int32 input" in note
    assert "gives float32" in note
    assert m.verdict == "pass"
    assert m.points > LENGTHS[-1]


def test_last_bits_are_a_convention() -> None:
    def unsteady(x: Any, **rest: Any) -> Any:
        y = np.tanh(x)
        return y if x.size > 8 else np.nextafter(y.astype("float32"), np.float32(2)).astype(y.dtype)

    (mutant,) = (m for m in HELD if m.function == "tanh")
    unsteady_tanh = replace(mutant, formula=unsteady)
    m = Measurement(unsteady_tanh.subject(unsteady_tanh.adapter()))
    consistency.consistency(m)
    assert m.verdict == "pass"
    assert "the last bits depend on: length 1 (" in m.row()["note"]


def test_a_failure_names_the_way_and_reproduces_it() -> None:
    (mutant,) = (m for m in HELD if m.name == "strides-ignored")
    m = Measurement(mutant.subject(mutant.adapter()))
    with pytest.raises(AssertionError, match="memory transposed"):
        consistency.consistency(m)
    assert m.row()["verdict"] == "fail"
    assert "x = x.swapaxes(-1, -2).copy().swapaxes(-1, -2)" in m.row()["reproducer"]


@pytest.mark.framework("torch")
@pytest.mark.parametrize("way", ["strided", "offset", "broadcast", "transposed", "channels-last"])
def test_torch_arranges_memory_as_it_says(way: str) -> None:
    import torch

    one = adapter("torch")
    tensor = one.tensor(np.arange(120, dtype="float32").reshape(2, 3, 4, 5))
    if way == "broadcast":
        tensor = tensor[:1].repeat(2, 1, 1, 1)
    made = eval(one.arrangements(4)[way].format(x="x"), {}, {"x": tensor})
    assert torch.equal(made, tensor)
    facts = {
        "strided": made.stride(-1) == 2,
        "offset": made.storage_offset() == 1,
        "broadcast": made.stride(0) == 0,
        "transposed": made.mT.is_contiguous() and not made.is_contiguous(),
        "channels-last": made.is_contiguous(memory_format=torch.channels_last),
    }
    assert facts[way]


def twin(framework: str, surface: str, callable: str) -> list[str]:
    bindings: tuple[Binding, ...] = adapter(framework).bindings
    (row,) = (b for b in bindings if b.surface.name == surface and b.callable == callable)
    return [b.id for b in _twins(row, bindings)]


def test_classes_have_the_functions_that_document_the_same() -> None:
    assert twin("torch", "torch.nn", "SmoothL1Loss") == ["torch.nn.functional.smooth_l1_loss"]
    assert twin("keras", "keras.losses", "LogCosh") == ["keras.losses.log_cosh"]
