"""What every loss does with illegal arguments."""

import pytest

from nnconform.conformance.invalid import invalid
from nnconform.conformance.measurement import Measurement


@pytest.mark.conformance("invalid")
def test_invalid(measurement: Measurement) -> None:
    invalid(measurement)
