"""Proof that the suite can see: it finds nothing wrong with the oracle, and every mutant wrong."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cache

import pytest

from nnconform.conformance.measurement import Subject
from nnconform.conformance.selection import subjects
from nnconform.reference import catalogue

from .gauntlet import ASPECTS, MUTANTS, TEXTBOOK, Mutant, measured
from .oracle_adapter import BINDINGS, OracleAdapter

pytestmark = pytest.mark.slow

ORACLE = OracleAdapter()
#: how many of the corpus' cases the control judges; a mutant's own control judges all
CASES = {"reduction": 2}


def controls() -> list[Subject]:
    """Everything but the properties, which test_properties_of_oracle.py holds."""
    return [
        subject
        for binding in BINDINGS
        for aspect in ASPECTS
        if aspect != "property"
        for subject in subjects(ORACLE, binding, aspect)
        if subject.reduction != "default"
    ]


@pytest.mark.parametrize("subject", controls(), ids=lambda s: f"{s.aspect}-{s.id}")
def test_nothing_is_wrong_with_the_oracle(subject: Subject) -> None:
    m, message = measured(subject, examples=1, cases=CASES.get(subject.aspect, 3))
    assert m.verdict == "pass", message or m.row()["note"]
    assert not subject.records


@cache
def control_verdict(
    function: str, aspect: str, dtype: str, label: str, reduction: str
) -> tuple[str, str]:
    mutant = Mutant("", function, aspect, "", dtype=dtype, label=label, reduction=reduction)
    m, message = measured(mutant.subject(ORACLE))
    return m.verdict, message


def control(mutant: Mutant) -> tuple[str, str]:
    """The verdict on the oracle where the mutant stands otherwise."""
    of = mutant
    return control_verdict(of.function, of.aspect, of.dtype, of.label, of.reduction)


def named(mutant: Mutant) -> str:
    return f"{mutant.function}-{mutant.name}"


@pytest.mark.parametrize("mutant", MUTANTS, ids=named)
def test_mutant_is_caught(mutant: Mutant) -> None:
    m, message = measured(mutant.subject(mutant.adapter()))
    assert m.verdict == "fail", f"{mutant.why}: not caught, error {m.error:.3g}"
    assert mutant.function in message
    assert "raises" not in m.failure, "the mutant is broken rather than wrong"
    assert m.row()["verdict"] == "fail"
    assert m.row()["worst"]
    assert control(mutant) == ("pass", "")


@pytest.mark.parametrize("mutant", TEXTBOOK, ids=named)
def test_textbook_formula_is_limited_rather_than_wrong(mutant: Mutant) -> None:
    m, message = measured(mutant.subject(mutant.adapter()))
    assert m.verdict == "limited", message
    assert m.error > m.row()["bound"]


def test_the_gauntlet_is_spread_over_functions_and_aspects() -> None:
    assert len(MUTANTS) >= 200
    assert len({named(m) for m in MUTANTS}) == len(MUTANTS)
    assert {m.function for m in MUTANTS} == set(catalogue())
    by_aspect = Counter(m.aspect for m in MUTANTS)
    assert set(by_aspect) == set(ASPECTS)
    assert min(by_aspect.values()) >= 5, by_aspect


#: a wrong gradient leaves the value right, and the other way round
ELSEWHERE = [
    *((m, "value") for m in MUTANTS if m.aspect == "gradient"),
    *((m, "gradient") for m in MUTANTS if m.aspect == "value" and m.formula and not m.narrow),
]


@pytest.mark.parametrize(
    ("mutant", "aspect"), ELSEWHERE, ids=lambda v: v if isinstance(v, str) else named(v)
)
def test_nothing_else_is_blamed(mutant: Mutant, aspect: str) -> None:
    elsewhere = replace(mutant, aspect=aspect)
    m, message = measured(elsewhere.subject(mutant.adapter()), examples=1, cases=3)
    assert m.verdict == "pass", message
