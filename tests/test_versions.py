"""What a version of a framework lacks is told from what it gets wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nnconform.adapters.interface import Adapter, Unavailable, bind, surface
from nnconform.adapters.keras import KerasAdapter

from .oracle_adapter import OracleAdapter


class Old:
    """The callables of a version."""

    def __init__(self, **callables: Any) -> None:
        self.callables = callables

    def lookup(self, path: str) -> Any:
        try:
            return self.callables[path.rpartition(".")[2]]
        except KeyError:
            raise AttributeError(path) from None


def adapter(kind: type[Adapter], **callables: Any) -> Adapter:
    class Versioned(kind):  # type: ignore[valid-type, misc]
        name, version = "old", "1.0"
        lookup = staticmethod(Old(**callables).lookup)

    return Versioned()


(ELU,) = surface("old", [bind("elu", "elu", "x", alpha="alpha")])


def test_a_callable_that_is_not_there() -> None:
    with pytest.raises(Unavailable, match=r"^old 1\.0 has no old\.elu$"):
        adapter(OracleAdapter).fitted(ELU, None, "float32")


def test_a_parameter_that_the_signature_lacks() -> None:
    with pytest.raises(Unavailable, match=r"^old 1\.0: old\.elu takes no alpha$"):
        adapter(OracleAdapter, elu=lambda x: x).fitted(ELU, None, "float32")


@pytest.mark.parametrize(
    "elu",
    [lambda x, alpha: x, lambda x, **options: x, max],
    ids=["named", "any", "C"],
)
def test_what_no_signature_rules_out(elu: Any) -> None:
    assert adapter(OracleAdapter, elu=elu).fitted(ELU, None, "float32") is ELU


@pytest.mark.parametrize(
    ("said", "lacking"),
    [
        ("elu() got an unexpected keyword argument 'alpha'", "old 1.0: old.elu takes no alpha"),
        (
            "Unrecognized keyword arguments passed to ELU: {'alpha': 1.0}",
            "old 1.0: old.elu takes no alpha",
        ),
        ("('Keyword argument not understood:', 'alpha')", "old 1.0: old.elu takes no alpha"),
        ("helper() got an unexpected keyword argument 'beta'", ""),
        ("alpha must be positive", ""),
    ],
)
def test_what_a_callable_of_any_keyword_says(said: str, lacking: str) -> None:
    one = adapter(OracleAdapter, elu=lambda x, **options: x)
    call = ELU.call({"x": np.ones(1, np.float32)}, {"alpha": 1.0}, None, "float32")
    assert one.lacking(TypeError(said), call) == lacking


def test_a_keyword_that_the_signature_has_is_not_lacking() -> None:
    one = adapter(OracleAdapter, elu=lambda x, alpha: x)
    call = ELU.call({"x": np.ones(1, np.float32)}, {"alpha": 1.0}, None, "float32")
    assert one.lacking(TypeError("elu() got an unexpected keyword argument 'alpha'"), call) == ""


# -- Keras -----------------------------------------------------------------------------------------


def test_a_keras_loss_without_dtype_computes_in_float32() -> None:
    def huber(reduction: str = "sum", delta: float = 1.0) -> None: ...

    one = adapter(KerasAdapter, Huber=huber)
    binding = one.select("huber", "keras.losses", "Huber")
    spelling = binding.reductions[0]
    assert "dtype" in binding.fixed
    assert "dtype" not in one.fitted(binding, spelling, "float32").fixed
    with pytest.raises(Unavailable, match=r"keras\.losses\.Huber takes no dtype$"):
        one.fitted(binding, spelling, "float64")


@pytest.mark.parametrize(
    ("said", "lacking"),
    [
        ("Invalid value for argument `reduction`. Expected one of {'sum'}", True),
        ("Invalid Reduction Key: None. Expected keys are \"('auto', 'none')\"", True),
        ("cannot reduce", False),
    ],
)
def test_a_reduction_that_a_keras_does_not_know(said: str, lacking: bool) -> None:
    one = adapter(KerasAdapter, Huber=lambda reduction, delta: None)
    binding = one.select("huber", "keras.losses", "Huber")
    (spelling,) = (s for s in binding.reductions if s.label == "None")
    inputs = {name: np.ones((1, 1), np.float32) for name in ("input", "target")}
    call = binding.call(inputs, {}, spelling, "float32")
    want = "old 1.0: keras.losses.Huber takes no reduction=None"
    assert one.lacking(ValueError(said), call) == (want if lacking else "")
