"""The first two tutorial losses are not what they are called; the third is."""

import pytest

import nnconform

tutorial = pytest.importorskip("tutorial", reason="needs TensorFlow", exc_type=ImportError)


@pytest.mark.parametrize("name", ["binary_cross_entropy", "categorical_cross_entropy"])
def test_an_epsilon_inside_the_logarithm_and_a_sum(name):
    with pytest.raises(nnconform.CheckFailed) as failed:
        nnconform.check_loss(getattr(tutorial, name), like=name)
    message = str(failed.value)
    print(message)
    assert "likely: 1e-07 is added inside the logarithm" in message
    assert "likely: the losses are summed, not averaged" in message


def test_what_they_compute_can_be_claimed():
    nnconform.check_loss(
        tutorial.binary_cross_entropy,
        like="binary_cross_entropy",
        params={"epsilon": 1e-7},
        reduction="sum",
    )


def test_mean_squared_error():
    nnconform.check_loss(tutorial.mean_squared_error, like="mean_squared_error")
