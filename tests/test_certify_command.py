"""`nnconform certify`: the table, the files, the exit statuses; and the certificate that is kept."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from nnconform.conformance import certificate
from nnconform.conformance.certificate import GOALS, Goal
from nnconform.conformance.cli import main
from nnconform.reference import catalogue
from nnconform.reference.certified import CERTIFICATE, certified_error
from nnconform.reports.certificate import certificate_page, write_certificate

from .planting import nnconform, python

KEY = ["function", "aspect", "precision"]
COLUMNS = {
    *KEY,
    *("points", "undefined", "ulp", "goal", "near_roots", "units", "error", "holds", "worst"),
    "environment",
}
LINES = list(product(("sigmoid", "softmax"), ("value", "gradient"), ("extended", "float64")))
PAGE = Path(__file__).parents[1] / "docs" / "certificate.md"


def status(*arguments: str) -> object:
    """The exit status of the command line, in this process."""
    with pytest.raises(SystemExit) as ended:
        main(["certify", *arguments])
    return ended.value.code or 0


def cells(printed: str) -> list[list[str]]:
    """The lines of the table on a terminal."""
    lines = [line.split() for line in printed.splitlines()]
    return [line for line in lines if line and line[0] in catalogue()]


@pytest.mark.slow
def test_the_certificate_of_two_functions(tmp_path: Path) -> None:
    env = {**os.environ, "NO_COLOR": "1", "COLUMNS": "120"}
    command = ("certify", "softmax", "sigmoid", "--reduced", "--jobs")
    alone, two = (
        nnconform(*command, jobs, "--out", f"out{jobs}", env=env, cwd=tmp_path) for jobs in (1, 2)
    )
    assert alone.returncode == two.returncode == 0, alone.stderr + two.stderr

    shown = cells(alone.stdout)
    assert sorted(tuple(line[:3]) for line in shown) == sorted(LINES)
    assert {line[-1] for line in shown} == {"yes"}
    assert "It holds: " in alone.stdout
    for told in ("sigmoid (1 of 2)", "softmax (2 of 2)", "written: out1/certificate.csv"):
        assert told in alone.stderr.replace(os.sep, "/")
        assert told not in alone.stdout

    for name in ("certificate.csv", "certificate.md"):
        made = [(tmp_path / out / name).read_bytes() for out in ("out1", "out2")]
        assert made[0] == made[1], "whatever the number of processes"
    table = pd.read_csv(tmp_path / "out1" / "certificate.csv")
    assert set(table.columns) >= COLUMNS
    assert sorted(table[KEY].itertuples(index=False, name=None)) == sorted(LINES)
    assert table.holds.dtype == bool
    assert table.holds.all()
    assert (table.ulp <= table.goal).all()
    assert (table.points > 100).all()
    assert all("inputs" in json.loads(worst) for worst in table.worst)
    assert table.environment.str.contains("python-flint").all()
    assert (tmp_path / "out1" / "certificate.md").read_text(encoding="utf-8") == (
        certificate_page(table)
    )


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (["sigmoid"], ["sigmoid"]),
        (["softmax,sigmoid"], ["sigmoid", "softmax"]),
        (["softma*", "relu"], ["relu", "softmax"]),
        (["*entropy*"], sorted(n for n in catalogue() if "entropy" in n)),
        ([], sorted(catalogue())),
    ],
    ids=" ".join,
)
def test_functions_are_named_or_matched(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    patterns: list[str],
    names: list[str],
) -> None:
    def made(asked: Sequence[str], **options: Any) -> pd.DataFrame:
        return pd.DataFrame([line(function=name) for name in asked])

    monkeypatch.setattr(certificate, "certify", made)
    assert status(*patterns) == 0
    assert sorted(shown[0] for shown in cells(capsys.readouterr().out)) == names


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sigmiod"], "unknown function 'sigmiod'; nearest: sigmoid"),
        (["sigmoid", "nosuch*"], "unknown function 'nosuch*'; nearest: "),
        (["sigmoid", "--jobs", "0"], "0 is not in the range"),
        (["sigmoid", "--out", __file__], "is a file"),
    ],
)
def test_wrong_usage_is_one_clear_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert status(*arguments) == 2
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert err.startswith("nnconform: ")
    assert said in err


def test_without_the_extra_it_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "sys.modules['flint'] = None\n"  # as if it were not installed
        "from nnconform.conformance.cli import main\n"
        "main(['certify', 'sigmoid'])\n"
    )
    done = python("-P", "-c", code, env=os.environ, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "pip install 'nnconform[certify]'" in done.stderr


def test_what_does_not_hold_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setitem(GOALS, ("float64", "value"), Goal(0.01, 0.01))
    assert status("sigmoid", "--reduced", "--jobs", "1", "--out", str(tmp_path)) == 1
    out = capsys.readouterr().out
    assert "beyond their goals: sigmoid (value, float64)." in " ".join(out.split())
    assert [shown[1:3] for shown in cells(out) if shown[-1] == "NO"] == [["value", "float64"]]
    assert list(pd.read_csv(tmp_path / "certificate.csv").holds) == [True, False, True, True]
    assert "**not** hold" in (tmp_path / "certificate.md").read_text(encoding="utf-8")


# -- the page --------------------------------------------------------------------------------------------


def line(**values: Any) -> dict[str, Any]:
    """A line of a certificate."""
    return {
        "function": "sigmoid",
        "aspect": "value",
        "precision": "extended",
        "points": 1200,
        "undefined": 3,
        "at_kinks": 0,
        "ulp": 0.5,
        "goal": 0.51,
        "near_roots": 0,
        "ulp_near_roots": 0.0,
        "units": 0.0,
        "units_goal": 1.0,
        "error": 0.9,
        "holds": True,
        "worst": json.dumps({"inputs": {"x": [0.25]}, "params": {}, "want": "0.56", "got": 0.56}),
        "environment": "NumPy 1, python-flint 2",
        **values,
    }


def small(holds: bool = True) -> pd.DataFrame:
    root = {"inputs": {"x": [1.0, 2.0]}, "params": {"axis": -1}, "gradient of": "x", "at": 4}
    return pd.DataFrame(
        [
            line(),
            line(precision="float64", ulp=1.234567, holds=holds),
            line(
                function="softmax",
                aspect="gradient",
                near_roots=1500,
                units=0.25,
                worst=json.dumps({**root, "want": "0.125", "got": 0.0}),
            ),
            line(function="relu", ulp=0.0, points=7, worst="{}"),
        ]
    )


def tables(page: str) -> list[list[str]]:
    return [
        [cell.strip() for cell in row.strip("|").split("|")]
        for row in page.splitlines()
        if row.startswith("| `")
    ]


def test_a_page() -> None:
    page = certificate_page(small())
    assert page.startswith("# ")
    assert page.endswith("\n")
    assert not page.endswith("\n\n")
    assert "It holds: 3,607 results of 3 functions, every one within its goal." in page
    assert "NumPy 1, python-flint 2." in page
    assert "✗" not in page
    assert tables(page) == [
        ["`sigmoid`", "1,200", "0.5", "–", "1.235", "–"],
        ["`softmax`", "1,200", "–", "0.5 (1,500 near roots: 0.25 units)", "–", "–"],
        ["`relu`", "7", "0", "–", "–", "–"],
        ["`sigmoid`", "value", "extended", "3", "`x = [0.25]`", "`0.56`", "`0.56`"],
        ["`sigmoid`", "value", "float64", "3", "`x = [0.25]`", "`0.56`", "`0.56`"],
        [
            *("`softmax`", "gradient", "extended", "3"),
            *("∂/∂x at `x = [1.0, 2.0], axis = -1`", "`0.125`", "`0.0`"),
        ],
    ]


def test_a_page_that_does_not_hold_says_so_first() -> None:
    page = certificate_page(small(holds=False))
    assert "It does **not** hold" in page
    assert "beyond their goals: sigmoid (value, float64)." in page
    assert tables(page)[0][4] == "**1.235 ✗**"
    assert page.count("✗") == 1


def test_a_certificate_that_was_kept_gives_the_same_page(tmp_path: Path) -> None:
    table = small()
    kept, page = write_certificate(table, tmp_path / "made")
    assert page.read_text(encoding="utf-8") == certificate_page(pd.read_csv(kept))


# -- the certificate that is kept ------------------------------------------------------------------------


def test_the_kept_certificate_is_of_every_function_and_holds() -> None:
    table = pd.read_csv(CERTIFICATE)
    wanted = [
        (name, aspect, precision)
        for name in catalogue()
        for aspect, precision in product(("value", "gradient"), ("extended", "float64"))
    ]
    found = table[KEY].itertuples(index=False, name=None)
    assert sorted(found) == sorted(wanted)
    assert table.holds.all(), table[~table.holds]
    for name, aspect in product(catalogue(), ("value", "gradient")):
        assert 0 <= certified_error(name, aspect) < 100


def test_the_kept_page_is_made_from_it() -> None:
    assert PAGE.read_text(encoding="utf-8") == certificate_page(pd.read_csv(CERTIFICATE))
