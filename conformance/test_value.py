"""The value of every callable, in every dtype, against the oracle."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnconform.conformance import aspects
from nnconform.conformance.measurement import Measurement
from nnconform.conformance.profile import conformance


@pytest.mark.conformance("value")
@conformance
@given(data=st.data())
def test_value(measurement: Measurement, data: st.DataObject) -> None:
    aspects.corpus_then_search(measurement, aspects.value, data, aspects.CORPUS["value"])
