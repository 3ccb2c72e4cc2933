"""Numbers printed in the source documents, reproduced by the oracle and every framework.

Each is held to the digits printed: half a unit of the last one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import nnconform
from nnconform.adapters import names

from .frameworks import each

INPUT = [
    [0.7129, -0.2203, 0.6206, 0.7164, -0.0434],
    [-0.0893, 0.4532, -0.2532, 1.8048, -0.8380],
    [-0.1634, 1.3425, 0.7831, -0.1677, -2.0653],
]
TARGET = [
    [-0.5880, -0.8215, -0.4290, -1.5599, -0.0277],
    [-0.0279, 0.5446, -1.0769, 0.7079, -0.0297],
    [0.3958, -0.7714, 0.5840, 0.1859, -0.0419],
]
LOGITS = [1.1908, 0.1135, 2.3812]
LABELS = [1.0, 1.0, 0.0]
ROWS = [[-1.0440, -0.6643, 0.2725], [0.7247, 0.6124, 0.3263]]

#: function, inputs, params, number as printed, half a unit of its last digit
PRINTED = [
    ("mean_squared_error", {"input": INPUT, "target": TARGET}, {}, 1.3283, 5e-5),
    # the printed logits are rounded themselves: 0.1135 gives 0.52834, printed as 0.5284
    ("sigmoid", {"x": LOGITS}, {}, [0.7669, 0.5284, 0.9154], 5e-5 + 0.25 * 5e-5),
    (
        "binary_cross_entropy_with_logits",
        {"input": LOGITS, "target": LABELS},
        {},
        1.1243,
        5e-5 + 5e-5,
    ),
    (
        "softmax",
        {"x": ROWS},
        {"axis": 1},
        [[0.1615, 0.2361, 0.6024], [0.3898, 0.3484, 0.2617]],
        5e-5 + 5e-5,
    ),
]

Evaluate = Callable[[str, dict[str, Any], dict[str, Any]], np.ndarray]


#: those that one process can judge
FRAMEWORKS = [name for name in names() if not nnconform.adapter(name).variant_of]


def _oracle(name: str, inputs: dict[str, Any], params: dict[str, Any]) -> np.ndarray:
    value = nnconform.oracle(name, inputs, params).value
    assert value is not None
    return value


def _callables() -> Iterator[Any]:
    """The oracle, and every callable of every framework that is installed."""
    for name, inputs, params, printed, unit in PRINTED:
        yield pytest.param(_oracle, name, inputs, params, printed, unit, id=f"oracle-{name}")
        for framework in FRAMEWORKS:
            adapter = nnconform.adapter(framework)
            if not adapter.installed():
                continue
            for binding in adapter.bindings:
                if binding.function != name or not all(map(binding.reaches, (*inputs, *params))):
                    continue

                def evaluate(
                    name: str,
                    inputs: dict[str, Any],
                    params: dict[str, Any],
                    adapter: Any = adapter,
                    binding: Any = binding,
                ) -> np.ndarray:
                    outcome = adapter.evaluate(
                        name,
                        inputs,
                        params,
                        surface=binding.surface.name,
                        callable=binding.name,
                        reduction="none" if name not in ("sigmoid", "softmax") else None,
                    )
                    assert outcome.error is None, outcome.error
                    return outcome.value

                rank = max(map(np.ndim, inputs.values()))
                halved = name == "mean_squared_error" and binding.dialect
                if "pos_weight" in binding.args or binding.min_rank > rank or halved:
                    continue
                yield pytest.param(
                    evaluate, name, inputs, params, printed, unit, id=f"{binding.id}"
                )


@pytest.mark.parametrize(("evaluate", "name", "inputs", "params", "printed", "unit"), _callables())
def test_the_number_printed(
    evaluate: Evaluate,
    name: str,
    inputs: dict[str, Any],
    params: dict[str, Any],
    printed: Any,
    unit: float,
) -> None:
    floats = {k: np.asarray(v, np.float32) for k, v in inputs.items()}
    value = evaluate(name, floats, params).astype(np.float64)
    if np.ndim(printed) == 0:
        value = value.mean()
    np.testing.assert_allclose(value, printed, rtol=0, atol=unit)


@pytest.mark.parametrize(
    "framework", each(*(n for n in FRAMEWORKS if nnconform.adapter(n).gradients))
)
def test_the_chain_of_the_autograd_tutorial(framework: str) -> None:
    """x = ones(2, 2), y = x + 2, out = mean(3·y²): out = 27 and ∂out/∂x = 4.5 everywhere."""
    adapter = nnconform.adapter(framework)
    adapter.start()

    def compute(tensors: Any) -> Any:
        y = tensors["x"] + 2
        square = 3 * y * y
        return (square[0, 0] + square[0, 1] + square[1, 0] + square[1, 1]) / 4

    tensors = {"x": adapter.tensor(np.ones((2, 2), np.float32))}
    value, gradients, refused = adapter.differentiate(
        compute, tensors, ["x"], lambda shape, dtype: np.ones(shape, dtype)
    )
    assert not refused
    assert adapter.array(value) == 27
    assert (adapter.array(gradients["x"]) == 4.5).all()


@pytest.mark.parametrize("framework", each(*FRAMEWORKS))
def test_cross_entropy_with_an_epsilon_inside_the_logarithm(framework: str) -> None:
    """−Σ y·log(p + 1e−7), as tutorials write it, misses the exact form by −1e−7·Σ y/p.

    Computed with the framework's own arithmetic on its own tensors; the oracle is the exact form.
    """
    adapter = nnconform.adapter(framework)
    adapter.start()
    p = np.array([[0.7, 0.2, 0.1], [1e-3, 0.5, 0.499]])
    y = np.array([[1.0, 0, 0], [1.0, 0, 0]])
    logs = {"torch": "torch.log", "jax": "jax.numpy.log", "numpy": "numpy.log"}
    log = logs.get(framework, "tf.math.log")
    machine = adapter if framework != "keras" else nnconform.adapter("tensorflow")
    shifted = machine.lookup(log)(adapter.tensor(p) + 1e-7)
    written = -(adapter.array(shifted) * y).sum()
    exact = _oracle("categorical_cross_entropy", {"input": p, "target": y}, {}).sum()
    first_order = 1e-7 * (y / p).sum()
    difference = exact - written
    assert difference == pytest.approx(first_order, rel=1e-3)
    assert difference == pytest.approx(1.0014e-4, rel=1e-3)  # a loss of 7.26, off by 1e-4
