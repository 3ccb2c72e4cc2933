"""A run's table as CSV, Markdown, LaTeX and Parquet: `nnconform report DIR --format`."""

from __future__ import annotations

import builtins
import io
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from nnconform.conformance.cli import main
from nnconform.reports import COLUMNS, load, tabulate, write
from nnconform.reports.export import SHORT, export

from .rows import HOSTILE, row, rows


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tabulate(rows()), tmp_path)
    return tmp_path


def printed(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as status:
        main(["report", *map(str, arguments)])
    said = capsys.readouterr()
    assert isinstance(status.value.code, int)
    return status.value.code, said.out, said.err


def test_csv_is_the_table(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = printed(capsys, folder, "--format", "csv")
    assert (status, err) == (1, ""), "something failed in this run"
    assert out == (folder / "measurements.csv").read_text()
    assert sorted(p.name for p in folder.iterdir()) == ["measurements.csv"]
    _, out, _ = printed(capsys, folder, "--format", "csv", "--columns", "verdict, function")
    assert out.splitlines()[:2] == ["verdict,function", "fail,gelu"]


def test_markdown_is_one_table(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = printed(capsys, folder, "--format", "markdown")
    head, rule, *lines = out.splitlines()
    assert head == f"| {' | '.join(SHORT)} |"
    assert set(rule) == set("| -")
    assert len(lines) == len(rows())
    assert "| `gelu` | torch | 2.13.0 | `torch.nn` | `GELU` | float16 |" in out
    assert "| 123 | 8 | fail |" in out


def test_latex_is_a_longtable(folder: Path) -> None:
    out = folder / "table.tex"
    with pytest.raises(SystemExit):
        main(["report", str(folder), "--format", "latex", "--out", str(out)])
    text = out.read_text()
    assert text.startswith("\\begin{longtable}")
    assert text.count("\\endhead") == text.count("\\bottomrule") == 1
    assert (
        "gelu & torch & 2.13.0 & torch.nn & GELU & float16 & value & none & 123 & 8 & fail \\\\"
        in text
    )


@pytest.mark.parametrize("hostile", HOSTILE)
def test_any_text_stays_in_its_cell(hostile: str) -> None:
    table = tabulate([row(function=hostile, note=hostile, surface=hostile)])
    columns = ["function", "surface", "note", "error"]
    (line,) = export(table, "markdown", columns).decode().splitlines()[2:]
    assert line.replace("\\|", "").count("|") == 5
    lines = export(table, "latex", columns).decode().splitlines()
    (line,) = [line for line in lines if line.endswith("& 2 \\\\")]
    assert line.replace("\\&", "").count("&") == 3
    assert not {"_", "$", "#"} & set(line.replace("\\_", "").replace("\\$", "").replace("\\#", ""))
    text = export(table, "csv", columns).decode()
    again = pd.read_csv(io.StringIO(text), dtype="str", na_filter=False)
    assert again["note"][0] == table["note"][0]


def test_parquet_has_every_column_and_digit(folder: Path) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    table = load(folder).table
    again = pd.read_parquet(io.BytesIO(export(table, "parquet")), engine="pyarrow")
    assert list(again) == list(COLUMNS)
    pd.testing.assert_frame_equal(again, table, check_dtype=False)
    assert again["error"].dtype == "float64"
    assert again["cases"].dtype == "int64"


def test_parquet_without_pyarrow(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = builtins.__import__

    def hidden(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] == "pyarrow":
            raise ModuleNotFoundError(f"hidden: {name}")
        return found(name, *rest)

    monkeypatch.setattr(builtins, "__import__", hidden)
    _, _, err = printed(capsys, folder, "--format", "parquet", "--out", folder / "t.parquet")
    assert err == "nnconform: Parquet needs pyarrow: pip install 'nnconform[parquet]'\n"
    assert not (folder / "t.parquet").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--format", "excel"], "'excel' is not one of 'csv', 'markdown', 'latex', 'parquet'"),
        (
            ["--format", "csv", "--columns", "verdict,nothing"],
            "unknown column 'nothing'; the table",
        ),
        (["--format", "parquet"], "--format parquet needs --out FILE"),
        (["--columns", "verdict"], "--columns goes with --format"),
        (["--out", "x"], "--out goes with --format"),
        (["--format", "csv", "--out", "/nowhere/x"], "No such file or directory: '/nowhere/x'"),
    ],
)
def test_wrong_usage(
    folder: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    status, out, err = printed(capsys, folder, *options)
    assert (status, out) == (2, "")
    assert err.startswith("nnconform: ")
    assert said in err
    assert err.count("\n") == 1
