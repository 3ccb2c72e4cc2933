"""Callables that return several results, of which a spelling names one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nnconform import oracle
from nnconform.adapters import adapter

pytestmark = pytest.mark.framework("torch")

NAME = "adaptive_log_softmax"


@pytest.fixture(scope="module")
def inputs() -> dict[str, Any]:
    random = np.random.default_rng(3)
    shapes = {
        "input": (3, 4),
        "head_weight": (4, 4),
        "projection1": (2, 4),
        "tail1": (3, 2),
        "projection2": (1, 4),
        "tail2": (2, 1),
        "head_bias": (4,),
    }
    drawn = {name: random.normal(size=shape) for name, shape in shapes.items()}
    return {**drawn, "target": np.array([0, 3, 6])}


@pytest.mark.parametrize(("label", "meaning"), [("output", "none"), ("loss", "mean")])
def test_the_result_that_is_meant(inputs: dict[str, Any], label: str, meaning: str) -> None:
    found = adapter("torch").evaluate(NAME, inputs, reduction=label, dtype="float64", gradient=True)
    want = oracle(NAME, inputs, reduction=meaning, gradient=True)
    np.testing.assert_allclose(found.value, want.value, rtol=1e-12)
    for name, gradient in want.gradients.items():
        np.testing.assert_allclose(found.gradients[name], gradient, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("of", ["", "input", "tail2"])
def test_a_reproducer_shows_it(inputs: dict[str, Any], of: str, capsys: Any) -> None:
    """And sets the weights of submodules, with respect to which it can print gradients."""
    torch = adapter("torch")
    binding = torch.select(NAME)
    call = binding.call(inputs, {}, binding.reductions[0], "float64")
    script = torch.reproducer(call, of=of)
    assert "-module(input, target).output" in script
    exec(script, {})
    printed = capsys.readouterr().out
    evaluated = torch.execute(call, ["input", "tail2"], lambda shape, _: np.ones(shape))
    want = evaluated.gradients[of] if of else evaluated.value
    first = want.flat[0]
    assert f"{float(first):.4f}" in printed
