"""What a binding passes that is no number: an object which its framework makes."""

from __future__ import annotations

import numpy as np
import pytest

from nnconform.adapters import adapter
from nnconform.conformance.cases import corpus

torch = adapter("torch")
GIVEN = [b for b in torch.bindings if "distance_function" in b.fixed]


@pytest.mark.framework("torch")
@pytest.mark.parametrize("binding", GIVEN, ids=lambda b: b.id)
def test_an_object_is_made_for_the_call_and_written_into_its_reproducer(binding) -> None:
    case = next(corpus(binding, "float32"))
    call = binding.call(case.inputs, case.params, binding.reductions[0], "float32")
    outcome = torch.execute(call)
    a, p, n = (case.inputs[name].astype(float) for name in ("anchor", "positive", "negative"))
    far, near = np.abs(a - n).sum(axis=1), np.abs(a - p).sum(axis=1)
    want = np.maximum(near - far + case.params["margin"], 0)
    assert outcome.value == pytest.approx(want, rel=1e-5)
    script = torch.reproducer(call)
    assert "distance_function=torch.nn.PairwiseDistance(p=1.0, eps=0.0)" in script
    exec(script, {})


def test_both_forms_are_given_one() -> None:
    assert {b.surface.name for b in GIVEN} == {"torch.nn.functional", "torch.nn"}
