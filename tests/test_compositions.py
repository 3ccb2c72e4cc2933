"""Compositions are what they stand for: judged like bindings, by the same oracle and bound."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import nnconform
from nnconform.adapters import adapter
from nnconform.adapters.interface import Adapter, Binding, bind, compose, surface
from nnconform.conformance import aspects
from nnconform.conformance.cases import corpus, searched
from nnconform.conformance.measurement import Divergence, Measurement, Subject
from nnconform.reference import catalogue
from nnconform.reference.floats import DTYPES

FRAMEWORKS = ("torch", "tensorflow", "keras", "keras-torch")
#: how many cases of the corpus, and how many that Hypothesis draws
EFFORT = {"float32": (9, 6), "float64": (9, 6), "float16": (5, 3), "bfloat16": (5, 3)}


def rows(framework: str) -> list[Any]:
    return [
        pytest.param(framework, at, id=f"{framework}-{row.function}-{at}")
        for at, row in enumerate(adapter(framework).compositions)
    ]


def judged(one: Adapter, composition: Binding, dtype: str) -> Measurement:
    """Value and gradient of the corpus' first cases, and of some that are searched."""
    spelling = composition.reductions[0]
    subject = Subject(one, composition, dtype, "reduction", spelling.label, spelling)
    assert not subject.records, "a recorded divergence must not cover a composition"
    measured = Measurement(subject)
    from_corpus, drawn = EFFORT[dtype]
    for case in corpus(composition, dtype, from_corpus):
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


@pytest.fixture(scope="module")
def started() -> Iterator[dict[str, Adapter]]:
    yield {}


def start(framework: str, started: dict[str, Adapter]) -> Adapter:
    """The adapter, started once."""
    if framework not in started:
        one = adapter(framework)
        if not one.installed():
            pytest.skip(f"{framework} is not installed")
        if one.variant_of and sys.argv[0] != "-c":
            pytest.skip("judged in a process of its own")
        one.start()
        started[framework] = one
    return started[framework]


@pytest.mark.parametrize(("framework", "at"), [row for f in FRAMEWORKS for row in rows(f)])
def test_a_composition_computes_its_function(
    framework: str, at: int, started: dict[str, Adapter]
) -> None:
    one = start(framework, started)
    composition = one.compositions[at]
    for dtype in composition.dtypes:
        measured = judged(one, composition, dtype)
        assert measured.verdict in ("pass", "limited"), (dtype, measured.refusal)
        assert not measured.notes, (dtype, measured.notes)  # no gradient is refused, no dtype left
