"""The table of parameters, generated from the bindings."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from nnconform.adapters import OURS, adapter, names
from nnconform.conformance.cli import cli
from nnconform.conformance.parameters import COLUMNS, left_out, reach
from nnconform.conformance.selection import originals
from nnconform.reference import catalogue

ALL = originals(adapter(name) for name in ("torch", "tensorflow", "jax", "keras", "numpy"))
PAGE = Path(__file__).parent.parent / "docs" / "parameters.md"


def test_the_page_is_current() -> None:
    if set(names()) != set(OURS):
        pytest.skip("there are other adapters here")
    shown = CliRunner().invoke(cli, ["list", "--parameters"])
    assert shown.exit_code == 0
    assert shown.output == PAGE.read_text(encoding="utf-8"), (
        "nnconform list --parameters > docs/parameters.md"
    )


def test_nothing_is_left_out_silently() -> None:
    table = reach(ALL)
    assert tuple(table.columns) == COLUMNS
    assert (table["reach"] != "").all()
    offered = {(b.function, b.surface.name) for one in ALL for b in one.bindings}
    for function in catalogue().values():
        for name in function.parameters:
            rows = table[(table["function"] == function.name) & (table["parameter"] == name)]
            assert set(rows["surface"]) == {s for f, s in offered if f == function.name}
    assert left_out(ALL)["reason"].str.len().min() > 10


@pytest.mark.parametrize(
    ("function", "parameter", "surface", "found"),
    [
        ("elu", "alpha", "torch.nn", "`alpha`"),
        ("elu", "alpha", "tf.nn", "always `1.0`"),
        ("hard_shrink", "threshold", "torch.nn.functional", "`lambd`"),
        ("step", "at_zero", "torch", "by position"),
        ("cross_entropy", "weight", "tf.nn", "always none"),
        ("huber", "delta", "numpy", "in the formula"),
    ],
)
def test_how_a_surface_is_given_a_parameter(
    function: str, parameter: str, surface: str, found: str
) -> None:
    table = reach(ALL).set_index(["function", "parameter", "surface"])["reach"]
    assert table[function, parameter, surface] == found
