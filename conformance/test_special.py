"""NaN, ±∞, ±0, subnormals, the largest numbers and kinks, judged by rules."""

import pytest

from nnconform.conformance.measurement import Measurement
from nnconform.conformance.special import special


@pytest.mark.conformance("special")
def test_special(measurement: Measurement) -> None:
    special(measurement)
