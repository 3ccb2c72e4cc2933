"""The same numbers in tensors of other lengths, ranks, memory layouts and dtypes."""

import pytest

from nnconform.conformance.consistency import consistency
from nnconform.conformance.measurement import Measurement


@pytest.mark.conformance("consistency")
def test_consistency(measurement: Measurement) -> None:
    consistency(measurement)
