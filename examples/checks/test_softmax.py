"""A softmax without the shift, and with it."""

import pytest
from softmax import mended, softmax

import nnconform


def test_the_message_names_the_missing_shift():
    with pytest.raises(nnconform.CheckFailed) as failed:
        nnconform.check_activation(softmax, like="softmax")
    print(failed.value)
    assert "likely: exp overflows" in str(failed.value)
    assert "fix:    subtract the row's maximum first" in str(failed.value)


@nnconform.parametrize_checks([(mended, {"like": "softmax"})])
def test_mended(check):
    check()
