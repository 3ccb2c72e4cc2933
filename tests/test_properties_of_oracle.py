"""The defining properties hold of the oracle, and each of them says something of each function."""

from __future__ import annotations

import numpy as np
import pytest

from nnconform.conformance import properties
from nnconform.conformance.cases import corpus
from nnconform.conformance.measurement import Measurement, Subject
from nnconform.conformance.properties import Examination, Inapplicable, Property, Rule
from nnconform.conformance.selection import subjects
from nnconform.reference import catalogue
from nnconform.reference.function import Function

from .gauntlet import measured, subject_of
from .oracle_adapter import BINDINGS, OracleAdapter

pytestmark = pytest.mark.slow

ORACLE = OracleAdapter()
SUBJECTS = [s for binding in BINDINGS for s in subjects(ORACLE, binding, "property")]
CLAIMS = [(f, prop) for f in catalogue().values() for prop in properties.properties_of(f)]


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda s: s.id)
def test_properties_hold_of_the_oracle(subject: Subject) -> None:
    searched = 4 if subject.dtype in ("float32", "float64") else 1
    m, message = measured(subject, examples=searched)
    assert m.verdict == "pass", message


@pytest.mark.parametrize(
    ("function", "prop"), CLAIMS, ids=lambda v: v.name if isinstance(v, Function) else v.__name__
)
def test_property_says_something(function: Function, prop: Property) -> None:
    """A property that never applies would hold of anything."""
    subject = subject_of(ORACLE, function.name, "property", "float32")
    made = 0
    for case in corpus(subject.binding, "float32"):
        try:
            statements = list(prop(Examination(Measurement(subject), case)))
        except Inapplicable:
            continue
        for s in statements:
            made += isinstance(s, Rule) or np.asarray(s.want).size > 0
    assert made


def test_every_property_is_claimed_of_some_function() -> None:
    claimed = {prop for _, prop in CLAIMS}
    assert claimed == {prop for _, prop in properties._PROPERTIES}
