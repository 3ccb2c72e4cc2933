"""Label smoothing with a mistake, and without."""

import pytest

import nnconform

smoothing = pytest.importorskip("smoothing", reason="needs PyTorch", exc_type=ImportError)


def test_the_message_names_the_mistake():
    with pytest.raises(nnconform.CheckFailed) as failed:
        nnconform.check_loss(
            smoothing.LabelSmoothing, like="cross_entropy", params={"label_smoothing": 0.1}
        )
    print(failed.value)
    assert "likely: label smoothing spreads s over the K − 1 other classes" in str(failed.value)


def test_mended():
    nnconform.check_loss(smoothing.Mended, like="cross_entropy", params={"label_smoothing": 0.1})
