"""Cases: the same bits everywhere, inside their domains, and small when Hypothesis shrinks them."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from nnconform.adapters.interface import Binding
from nnconform.conformance import cases
from nnconform.conformance.cases import PLAN, Case, corpus, ordinary, searched
from nnconform.conformance.sources import Corpus
from nnconform.reference import catalogue
from nnconform.reference.floats import DTYPES, float_of, is_float
from nnconform.reference.oracle import resolve

from .oracle_adapter import BINDINGS

Array = np.ndarray
SOUND = [b for b in BINDINGS if not b.random]
each_binding = pytest.mark.parametrize("binding", SOUND, ids=lambda b: b.name)
each_dtype = pytest.mark.parametrize("dtype", DTYPES)


def plain(name: str) -> Binding:
    return next(b for b in BINDINGS if b.name == name)


def digest(case: Case) -> str:
    found = hashlib.sha256(repr(sorted(case.params.items())).encode())
    for name, array in case.inputs.items():
        found.update(f"{name}{array.shape}{array.dtype}".encode())
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()[:12]


# -- the corpus ------------------------------------------------------------------------------------------


def test_the_generator_gives_the_same_bits_everywhere() -> None:
    """Pinned: a change here changes every recorded number, so it needs a reason."""
    source = Corpus("pinned", "mixed")
    numbers = source.floats((64,), (-8.0, 8.0), float_of("float32"))
    assert (
        hashlib.sha256(numbers.tobytes() + source.integers((64,), 0, 9).tobytes()).hexdigest()[:16]
        == "5ba21132ecac7068"
    )


@pytest.mark.slow
def test_the_corpus_is_the_same_in_another_process() -> None:
    code = "from nnconform.conformance.cases import fingerprint; print(fingerprint())"
    other = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": "1", "PATH": ""},
    )
    assert other.stdout.strip() == cases.fingerprint()


@pytest.mark.parametrize("name", ["relu", "cross_entropy", "ctc", "mean_squared_error(rows)"])
def test_cases_are_made_the_same_way_twice(name: str) -> None:
    binding = plain(name)
    cases._corpus_case.cache_clear()
    first = [digest(case) for case in corpus(binding, "float32")]
    cases._corpus_case.cache_clear()
    assert [digest(case) for case in corpus(binding, "float32")] == first
    assert len(set(first)) == len(PLAN)


def test_a_shorter_corpus_is_the_beginning_of_the_longer() -> None:
    binding = plain("huber")
    whole = [digest(case) for case in corpus(binding, "float64")]
    assert [digest(case) for case in corpus(binding, "float64", 3)] == whole[:3]


@each_binding
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_in_an_ordinary_case_a_row_is_more_than_its_first(binding: Binding, dtype: str) -> None:
    case = ordinary(binding, dtype)
    first = next(iter(case.inputs.values()))
    assert first.ndim
    assert 1 not in first.shape
    assert np.abs(first.astype(np.float64)).max() < 100


@each_binding
def test_the_corpus_reaches_every_optional_input_and_both_ends_of_parameters(
    binding: Binding,
) -> None:
    made = list(corpus(binding, "float32"))
    function = catalogue()[binding.function]
    for name in function.inputs:
        if not binding.reaches(name):
            continue
        given = [name in case.inputs for case in made]
        assert any(given), name
        assert not function.inputs[name].optional or not all(given), name
    for name, parameter in function.parameters.items():
        if binding.reaches(name):
            values = {repr(case.params[name]) for case in made if name in case.params}
            assert len(values) > 1, name
            assert repr(parameter.default) in values or parameter.domain.name == "axis", name


# -- what every case keeps to ------------------------------------------------------------------------------


def integers(array: Array) -> bool:
    return array.dtype.kind == "i"


#: kind → what its arrays keep to
KINDS: dict[str, Callable[[Array], Any]] = {
    "probability": lambda a: np.all((a >= 0) & (a <= 1)),
    "log_probability": lambda a: np.all(a <= 0),
    "positive": lambda a: np.all(a > 0),
    "count": lambda a: np.all(a >= 0),
    "weight": lambda a: np.all(a >= 0),
    "sign": lambda a: np.all(np.abs(a) == 1),
    "bit": lambda a: np.all((a == 0) | (a == 1)),
}


def hold_to_the_domain(binding: Binding, case: Case) -> None:
    function, kind = case.function, float_of(case.dtype)
    arguments = case.arguments(binding.resolved_dialect(case.inputs, case.params, case.dtype))
    for name, array in case.inputs.items():
        if not is_float(array):
            continue
        assert array.dtype == kind.dtype, name
        wide = array.astype(np.float64)
        assert np.isfinite(wide).all(), name
        assert not ((wide != 0) & (np.abs(wide) < kind.tiny)).any(), f"{name} is subnormal"
        if name == "sample_weight":
            assert (wide >= 0).all()
            continue
        facts = function.facts.get("kind_of", {})
        kinds = (
            (facts[name](arguments),)
            if name in facts
            else binding.kinds.get(name, function.inputs[name].kinds)
        )
        known = [k for k in kinds if k in KINDS]
        if known and len(known) == len(kinds):
            assert any(KINDS[k](wide) for k in known), f"{name} is none of {kinds}"
        if "distribution" in kinds:
            axis = arguments.get("axis", 1)
            assert np.all(np.abs(wide.sum(axis=axis) - 1) <= 8 * kind.u * wide.shape[axis]), name
    for name, value in case.params.items():
        assert value in binding.domains.get(name, function.parameters[name].domain), name
    hold_indices_to_the_domain(case, arguments)
    inputs = {n: a for n, a in case.inputs.items() if n != "sample_weight"}
    resolve(function, inputs, case.params)  # the front door takes it
    value = function(**arguments)
    # of a zero vector, of empty masks
    undefined = function.name in ("cosine_embedding", "dice", "tversky")
    assert undefined or not np.isnan(value).any(), "the oracle has no answer"


def hold_indices_to_the_domain(case: Case, arguments: dict[str, Any]) -> None:
    inputs = case.inputs
    target = inputs.get("target")
    if case.function.name == "multilabel_margin":
        for row in target:
            listed = row[: np.argmax(row < 0)] if (row < 0).any() else row
            assert len(set(listed)) == len(listed)
            assert (listed < len(row)).all()
    elif target is not None and integers(target) and case.function.name != "circle":
        layer = inputs.get("linear_weight")
        logits = inputs["input"].shape if layer is None else (len(target), *layer.shape[:-1])
        if "head_weight" in inputs:
            layers = [len(inputs[n]) for n in ("head_weight", "tail1", "tail2")]
            logits = (len(target), sum(layers) - 2)
        inside = (target >= 0) & (target < logits[arguments.get("axis", 1)])
        assert (inside | (target == arguments.get("ignore_index", -1))).all()
        assert target.ndim == len(logits) - 1 or "sampled" in inputs
    elif "linear_weight" in inputs:
        assert target.shape == (len(inputs["input"]), *inputs["linear_weight"].shape[:-1])
    elif {"input", "target"} <= set(case.function.inputs) and case.function.inputs[
        "target"
    ].shape in ("S", "N C *K"):
        assert target is not None
        assert target.shape == inputs["input"].shape
    if case.function.name == "ctc":
        steps, _, classes = inputs["log_probs"].shape
        assert (inputs["targets"] != arguments["blank"]).all()
        assert ((inputs["targets"] >= 0) & (inputs["targets"] < classes)).all()
        assert ((inputs["input_lengths"] >= 1) & (inputs["input_lengths"] <= steps)).all()
        assert (inputs["target_lengths"] <= inputs["targets"].shape[1]).all()


@each_binding
@each_dtype
def test_the_corpus_stays_in_the_domain(binding: Binding, dtype: str) -> None:
    for case in corpus(binding, dtype):
        hold_to_the_domain(binding, case)


@each_binding
@settings(max_examples=4, deadline=None, derandomize=True, database=None, phases=[Phase.generate])
@given(data=st.data())
def test_the_search_stays_in_the_domain(binding: Binding, data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from(DTYPES))
    hold_to_the_domain(binding, searched(binding, dtype, data.draw))


# -- what the corpus must contain, because a mutant went unnoticed without it ------------------------------


def seen(name: str, what: Callable[[Case], Any]) -> bool:
    return any(np.any(what(case)) for d in DTYPES for case in corpus(plain(name), d))


def test_the_corpus_meets_zeros_ties_and_kinks() -> None:
    assert seen("step", lambda c: c.inputs["x"] == 0)
    assert seen("poisson_nll", lambda c: (c.inputs["target"] == 1) & c.params["full"])
    assert seen("binary_cross_entropy", lambda c: np.isin(c.inputs["input"], (0, 1)))


def test_the_corpus_has_what_only_some_losses_know() -> None:
    def unaligned(case: Case) -> Any:
        return case.params["zero_infinity"] & (
            case.inputs["target_lengths"] > case.inputs["input_lengths"]
        )

    def junk(case: Case) -> Any:
        target = case.inputs["target"]
        return (np.cumsum(target < 0, axis=1) > 0) & (target >= 0)

    assert seen("ctc", unaligned)
    assert seen("multilabel_margin", junk)
    assert seen(
        "cross_entropy",
        lambda c: (
            integers(c.inputs["target"])
            & (c.inputs["target"] == c.params.get("ignore_index", -100))
        ),
    )
    assert seen("mean_squared_error(rows)", lambda c: c.inputs.get("sample_weight", 1) == 0)


# -- shrinking ---------------------------------------------------------------------------------------------


def case_strategy(binding: Binding, dtype: str) -> st.SearchStrategy[Case]:
    @st.composite
    def drawn(draw: Callable[..., Any]) -> Case:
        return searched(binding, dtype, draw)

    return drawn()


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["bfloat16", "float64"])
def test_a_failing_case_shrinks_to_something_small(dtype: str) -> None:
    smallest = find(
        case_strategy(plain("relu"), dtype),
        lambda case: bool((case.inputs["x"] > 3).any()),
        settings=settings(max_examples=2000, database=None, derandomize=True, deadline=None),
    )
    x = smallest.inputs["x"]
    assert x.size <= 2
    assert 3 < float(x.max()) <= 4.001
