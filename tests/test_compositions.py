"""Compositions are what they stand for: judged like bindings, by the same oracle and bound."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from nnconform.adapters import adapter
from nnconform.adapters.interface import Adapter, Binding, compose
from nnconform.conformance import aspects
from nnconform.conformance.cases import corpus, searched
from nnconform.conformance.measurement import Divergence, Measurement, Subject
from nnconform.reference import catalogue

#: a process has one backend of Keras: the other is judged by this module in a process of its own
OF = os.environ.get("COMPOSITIONS_OF", "torch tensorflow keras").split()
#: how many cases of the corpus, and how many that Hypothesis draws
EFFORT = {"float32": (6, 2), "float64": (4, 1), "float16": (2, 1), "bfloat16": (2, 1)}

_DRAWN = "is drawn, or needs candidates that are"
_SETS = "counts pairs of classes by lists of them that end anywhere"
_CLUSTERS = "looks up classes in clusters: several statements"
#: functions that a framework has no callable for, and that are no one expression of others either
LEFT_OUT = {
    "torch": {"sampled_softmax": _DRAWN, "nce": _DRAWN},
    "tensorflow": {
        "rrelu": _DRAWN,
        "gumbel_softmax": _DRAWN,
        "multilabel_margin": _SETS,
        "adaptive_log_softmax": _CLUSTERS,
    },
    "keras": {
        "rrelu": _DRAWN,
        "gumbel_softmax": _DRAWN,
        "multilabel_margin": _SETS,
        "sampled_softmax": _DRAWN,
        "nce": _DRAWN,
        "adaptive_log_softmax": _CLUSTERS,
    },
}
LEFT_OUT["keras-torch"] = LEFT_OUT["keras"]


@cache
def started(framework: str) -> Adapter:
    one = adapter(framework)
    one.start()
    return one


def judged(one: Adapter, composition: Binding, dtype: str) -> Measurement:
    """Value and gradient of the corpus' first cases, and of some that are searched."""
    spelling = composition.reductions[0]
    subject = Subject(one, composition, dtype, "reduction", spelling.label, spelling)
    assert not subject.records, "a recorded divergence must not cover a composition"
    measured = Measurement(subject)
    first, drawn = EFFORT[dtype]
    for case in corpus(composition, dtype, first):
        aspects.reduction(measured, case)

    @settings(
        max_examples=drawn,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def search(data: Any) -> None:
        aspects.reduction(measured, searched(composition, dtype, data.draw))

    search()
    return measured


@pytest.mark.parametrize(
    ("framework", "at"),
    [
        pytest.param(
            *(framework, at),
            id=f"{framework}-{row.function}-{at}",
            marks=pytest.mark.framework(framework),
        )
        for framework in OF
        for at, row in enumerate(adapter(framework).compositions)
    ],
)
def test_a_composition_computes_its_function(framework: str, at: int) -> None:
    one = started(framework)
    composition = one.compositions[at]
    for dtype in composition.dtypes:
        measured = judged(one, composition, dtype)
        assert measured.verdict in ("pass", "limited"), (dtype, measured.refusal)
        assert measured.points, dtype
        # every input has its gradient, and no result another dtype
        assert not measured.notes, (dtype, *measured.notes)


@pytest.mark.framework("keras", "torch")
@pytest.mark.skipif("COMPOSITIONS_OF" in os.environ, reason="this is that process")
def test_the_compositions_of_keras_are_right_on_torch() -> None:
    judge = test_a_composition_computes_its_function.__name__
    done = subprocess.run(
        [sys.executable, "-m", "pytest", f"{__file__}::{judge}", "-q", "-p", "no:cacheprovider"],
        env={**os.environ, "COMPOSITIONS_OF": "keras-torch"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.framework("torch")
@pytest.mark.parametrize(
    ("composition", "message"),
    [
        # 0.1 % off; a gradient alone that is; one that stops
        (compose("hinge", "torch.relu(1.001 - target * input)"), "the value"),
        (
            compose("exponential", "torch.exp(x) + (x - x.detach()) * 1e-3"),
            "the gradient with respect to x",
        ),
        (
            compose("mean_squared_error", "(input - target.detach()) ** 2"),
            "the gradient with respect to target",
        ),
        # right, but for what overflows and what is lost near 0
        (compose("log_cosh", "torch.log(torch.cosh(input - target))"), "the value|the gradient"),
    ],
    ids=lambda given: given.function if isinstance(given, Binding) else "",
)
def test_a_wrong_composition_is_caught(composition: Binding, message: str) -> None:
    with pytest.raises(Divergence, match=message):
        judged(started("torch"), composition, "float32")


@pytest.mark.parametrize(
    ("framework", "expression"),
    [
        pytest.param("torch", "torch.exp(x.double())", marks=pytest.mark.framework("torch")),
        pytest.param("numpy", "np.exp(np.float64(x))", marks=pytest.mark.framework("numpy")),
    ],
)
def test_a_composition_that_leaves_the_dtype_is_caught(framework: str, expression: str) -> None:
    composition = compose("exponential", expression)
    measured = judged(started(framework), composition, "float32")
    assert list(measured.notes) == ["the value comes back as float64"]


@pytest.mark.framework("torch")
def test_the_reproducer_of_a_composition_runs(capsys: pytest.CaptureFixture[str]) -> None:
    one = started("torch")
    composition = next(c for c in one.compositions if c.function == "log_cosh")
    case = next(corpus(composition, "float64"))
    call = composition.call(case.inputs, case.params, None, "float64")
    exec(one.reproducer(call, of="input"), {})
    exec(one.reproducer(call), {})
    assert capsys.readouterr().out.count("tensor(") == 2


# -- which there should be --------------------------------------------------------------------------


def kinds(row: Binding, name: str) -> tuple[str, ...]:
    """The encodings of an input that a row takes."""
    function = catalogue()[row.function]
    if name in row.kinds:
        return row.kinds[name]
    if chosen := function.facts.get("kind_of", {}).get(name):
        assert not callable(row.dialect)
        return (chosen({**function.defaults(), **row.dialect}),)
    return function.inputs[name].kinds


def serves(binding: Binding, composition: Binding) -> bool:
    """Whether a callable takes all that a composition does, and computes the same of it."""
    function = catalogue()[composition.function]
    if binding.function != composition.function or binding.random or callable(binding.dialect):
        return False
    if not all(map(binding.reaches, (*composition.args, *composition.keywords))):
        return False
    for name in composition.args:
        if not set(kinds(composition, name)) <= set(kinds(binding, name)):
            return False
    for name, parameter in function.parameters.items():
        if parameter.domain.name == "dialect" or binding.reaches(name):
            continue
        own, other = (row.dialect.get(name, parameter.default) for row in (composition, binding))
        if own != other:
            return False
    return True


@pytest.mark.parametrize("framework", LEFT_OUT)
def test_no_composition_is_superfluous(framework: str) -> None:
    one = adapter(framework)
    for composition in one.compositions:
        found = [binding.id for binding in one.bindings if serves(binding, composition)]
        assert not found, f"{composition.function}: {found} take all that {composition.name} does"


@pytest.mark.parametrize(
    ("composition", "superfluous"),
    [
        (compose("celu", "torch.where(x > 0, x, {alpha} * torch.expm1(x / {alpha}))"), True),
        (compose("silu", "x * torch.sigmoid(x)"), True),
        (compose("silu", "x * torch.sigmoid({beta} * x)"), False),
        (compose("kl_divergence", "target * (target.log() - input)"), True),
        (
            compose(
                *("kl_divergence", "target * (target / input).log()"), dialect={"log_input": False}
            ),
            False,
        ),
    ],
    ids=lambda given: given.name if isinstance(given, Binding) else "",
)
def test_a_superfluous_composition_is_noticed(composition: Binding, superfluous: bool) -> None:
    assert any(serves(b, composition) for b in adapter("torch").bindings) == superfluous


@pytest.mark.parametrize("framework", LEFT_OUT)
def test_what_has_neither_a_callable_nor_a_composition_has_a_reason(framework: str) -> None:
    one = adapter(framework)
    there = {row.function for row in (*one.bindings, *one.compositions)}
    assert set(catalogue()) - there == set(LEFT_OUT[framework])


def test_a_composition_uses_every_input_that_is_not_optional() -> None:
    for framework in LEFT_OUT:
        for composition in adapter(framework).compositions:
            described = catalogue()[composition.function].inputs.values()
            needed = {spec.name for spec in described if not spec.optional}
            assert needed <= set(composition.args), composition.name
