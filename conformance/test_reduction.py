"""Every spelling of every reduction, value and gradient, against one oracle of reductions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnconform.conformance import aspects, legacy
from nnconform.conformance.measurement import Measurement
from nnconform.conformance.profile import relations


@pytest.mark.conformance("reduction")
@relations
@given(data=st.data())
def test_reduction(measurement: Measurement, data: st.DataObject) -> None:
    aspects.corpus_then_search(measurement, aspects.reduction, data, aspects.CORPUS["reduction"])


@pytest.mark.conformance("legacy")
def test_size_average_and_reduce(measurement: Measurement) -> None:
    legacy.legacy(measurement, measurement.subject.reduction.removeprefix("legacy, "))
