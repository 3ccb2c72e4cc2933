"""The audit: what is public is bound, or left out with a reason, or said to be uncovered."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from nnconform.adapters import adapter
from nnconform.adapters.interface import Adapter, Binding, bind, surface
from nnconform.conformance import audit
from nnconform.conformance.audit import LeftOut, Reviewed, deprecation, reviewed

from .frameworks import each
from .oracle_adapter import OracleAdapter


def relu(x: Any, inplace: bool = False) -> Any:
    return x


def soft_relu(x: Any) -> Any:
    """This function is deprecated in favor of relu."""
    return x


class Sigmoid:
    def __init__(self, *, device: str = "cpu") -> None: ...


class Oops(Exception): ...


@pytest.fixture
def framework(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An adapter of a module with a few names, of which relu and tanh are bound."""
    module = ModuleType("some_framework")
    for name, thing in (
        ("relu", relu),
        ("soft_relu", soft_relu),
        ("conv", relu),
        ("_hidden", relu),
    ):
        setattr(module, name, thing)
    module.Oops, module.numbers = Oops, [1, 2]  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "some_framework", module)

    class Some(OracleAdapter):
        name = "some"
        lookup = Adapter.lookup
        bindings = surface("some_framework", [bind("relu", "relu", "x"), bind("tanh", "tanh", "x")])

    some = Some()
    monkeypatch.setattr(audit, "adapter", lambda name: some)
    left = LeftOut("some_framework", ("conv*",), "a layer")
    monkeypatch.setattr(audit, "reviewed", lambda name: Reviewed((left,)))
    return some


def test_every_public_callable_has_a_status(framework: Any) -> None:
    found = {row["callable"]: row for row in audit.examine("some")}
    assert {name: row["status"] for name, row in found.items()} == {
        "relu": "bound",
        "tanh": "missing",
        "conv": "left out",
        "soft_relu": "uncovered",
    }
    assert found["conv"]["reason"] == "a layer"
    assert found["relu"]["signature"] == "(x, inplace=False)"
    assert found["relu"]["unreached"] == "inplace"
    assert "deprecated" in found["soft_relu"]["deprecated"]


def test_what_makes_an_audit_fail(framework: Any) -> None:
    import pandas as pd

    table = pd.DataFrame(audit.examine("some"), columns=list(audit.COLUMNS))
    assert list(audit.unexpected(table)["callable"]) == ["relu", "tanh", "soft_relu"]


@pytest.mark.parametrize(
    ("binding", "parameter", "place", "reached"),
    [
        (bind("elu", "elu", "x", alpha="alpha"), "input", 0, True),
        (bind("elu", "elu", "x", alpha="alpha"), "alpha", 1, True),
        (bind("elu", "elu", "x", alpha="alpha"), "inplace", 2, False),
        (bind("elu", "elu", "x", fixed={"inplace": False}), "inplace", 2, True),
    ],
)
def test_a_parameter_is_reached(
    binding: Binding, parameter: str, place: int, reached: bool
) -> None:
    (row,) = surface("s", [binding])
    assert audit._reaches(row, parameter, place) == reached


def test_a_constructor_takes_no_tensors_by_position() -> None:
    (row,) = surface("s", [bind("sigmoid", "Sigmoid", "x")], style="class")
    assert not audit._reaches(row, "device", 0)
    signature = audit.signature_of(Sigmoid)
    assert audit._written(signature) == "(*, device='cpu')"


def test_deprecation_is_what_a_callable_says_of_itself() -> None:
    def old() -> None: ...

    old.__deprecated__ = "use  new"  # type: ignore[attr-defined]
    assert deprecation(old) == "use new"
    assert deprecation(relu) == ""


# -- the reviewed files, on the certified versions ---------------------------------------------------

FRAMEWORKS = ("torch", "tensorflow", "jax", "keras", "numpy")


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_reviewed_files_give_reasons(framework: str) -> None:
    known = reviewed(framework)
    assert known.callables
    assert all(len(entry.reason) > 10 for entry in (*known.callables, *known.parameters))
    surfaces = {b.surface.name for b in adapter(framework).bindings}
    assert set(known.only) <= surfaces


@pytest.fixture(scope="module", params=each(*FRAMEWORKS))
def table(request: pytest.FixtureRequest) -> Any:
    return audit.audit([request.param])


def test_nothing_that_is_bound_is_missing(table: Any) -> None:
    assert list(table.loc[table["status"] == "missing", "callable"]) == []


def test_everything_that_is_left_out_is_there(table: Any) -> None:
    """A pattern that matches nothing hides what a later release may bring."""
    (framework,) = table["framework"].unique()
    rows = table[table["status"] != "bound"]
    offered = list(zip(rows["surface"], rows["callable"], strict=True))
    for entry in reviewed(framework).callables:
        for pattern in entry.names:
            one = LeftOut(entry.surface, (pattern,), entry.reason)
            assert any(one.covers(*place) for place in offered), (entry.surface, pattern)


def test_everything_public_is_bound_or_left_out_with_a_reason(table: Any) -> None:
    rows = audit.unexpected(table)
    assert rows[["surface", "callable", "status", "unreached"]].to_dict("records") == []


@pytest.mark.parametrize("table", each("torch"), indirect=True)
def test_deprecated_callables_are_seen(table: Any) -> None:
    said = dict(zip(table["callable"], table["deprecated"], strict=True))
    assert said["NLLLoss2d"]
    assert not said["relu"]
