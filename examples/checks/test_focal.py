"""Focal loss is right; as one test, and as one test for each check."""

import pytest

import nnconform

focal = pytest.importorskip("focal", reason="needs PyTorch", exc_type=ImportError)


def test_my_focal():
    nnconform.check_loss(
        focal.my_focal, like="binary_focal", framework="torch", params={"gamma": 2.0}
    )


@nnconform.parametrize_checks(
    [(focal.my_focal, {"like": "binary_focal", "params": {"gamma": 1.0}})]
)
def test_each_check(check):
    check()
