"""stub"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from nnconform.adapters.interface import Adapter
from nnconform.conformance import aspects, properties
from nnconform.conformance.invalid import invalid
from nnconform.conformance.measurement import Divergence, Measurement, Subject
from nnconform.conformance.profile import conformance
from nnconform.conformance.selection import subjects
from nnconform.conformance.special import special

SEARCHED = {
    "value": aspects.value,
    "gradient": aspects.gradient,
    "reduction": aspects.reduction,
    "property": properties.judge,
}
WHOLE = {"special": special, "invalid": invalid}

def measured(subject: Subject, examples: int = 3) -> tuple[Measurement, str]:
    """What the conformance test of that subject measures, and the message it fails with, if it does."""
    m = Measurement(subject)
    try:
        if subject.aspect in WHOLE:
            WHOLE[subject.aspect](m)
        else:
            _searched(m, examples)
    except Divergence as divergence:
        return m, str(divergence)
    return m, ""


def _searched(m: Measurement, examples: int) -> None:
    @settings(
        conformance,
        max_examples=examples,
        derandomize=True,
        database=None,
        report_multiple_bugs=False,
        phases=[Phase.generate],
    )
    @given(data=st.data())
    def search(data: st.DataObject) -> None:
        judge = SEARCHED[m.subject.aspect]
        aspects.corpus_then_search(m, judge, data, aspects.CORPUS[m.subject.aspect])

    search()
