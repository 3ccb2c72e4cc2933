"""The defining properties that the documents state, of every callable that claims them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnconform.conformance import aspects, properties
from nnconform.conformance.measurement import Measurement
from nnconform.conformance.profile import relations


@pytest.mark.conformance("property")
@relations
@given(data=st.data())
def test_property(measurement: Measurement, data: st.DataObject) -> None:
    aspects.corpus_then_search(measurement, properties.judge, data, aspects.CORPUS["property"])
