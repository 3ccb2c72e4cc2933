"""The gradient with respect to every differentiable input, under a random cotangent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnconform.conformance import aspects
from nnconform.conformance.measurement import Measurement
from nnconform.conformance.profile import conformance


@pytest.mark.conformance("gradient")
@conformance
@given(data=st.data())
def test_gradient(measurement: Measurement, data: st.DataObject) -> None:
    aspects.corpus_then_search(measurement, aspects.gradient, data, aspects.CORPUS["gradient"])
