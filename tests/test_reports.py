"""What `reports` makes of a table: kept, loaded, summarised, and shown without surprises."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import math
import random
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

from nnconform.reports import (
    COLUMNS,
    KEY,
    UNEXPECTED,
    VERDICTS,
    Run,
    RunError,
    gather,
    html,
    journal,
    load,
    markdown,
    matrix,
    summary,
    tabulate,
    terminal,
    unexpected,
    write,
    write_reports,
)
from nnconform.reports.digest import Digest, name, notes, number, worst_case
from nnconform.reports.table import KEPT, gather_kept, load_kept, write_kept

from .rows import HOSTILE, row, rows


@pytest.fixture
def run(tmp_path: Path) -> Run:
    write(tabulate(rows()), tmp_path)
    return load(tmp_path)


def record(folder: Path, file: str, *events: object, tail: str = "") -> None:
    path = folder / "journal" / file
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(event) + "\n" for event in events) + tail)


# --- the table ------------------------------------------------------------------------------


def test_a_table_is_the_same_after_it_was_written_and_loaded(tmp_path: Path) -> None:
    table = tabulate(rows())
    write(table, tmp_path)
    pd.testing.assert_frame_equal(load(tmp_path).table, table)
    assert list(table.columns) == list(COLUMNS)
    text = (tmp_path / "measurements.csv").read_bytes()
    write(load(tmp_path).table, tmp_path)
    assert (tmp_path / "measurements.csv").read_bytes() == text
    assert list(tmp_path.iterdir()) == [tmp_path / "measurements.csv"]


@pytest.mark.parametrize("column", ["function", "callable", "worst", "reproducer", "note"])
def test_text_of_any_kind_survives(tmp_path: Path, column: str) -> None:
    table = tabulate(row(**{"mode": str(i), column: text}) for i, text in enumerate(HOSTILE))
    write(table, tmp_path)
    pd.testing.assert_frame_equal(load(tmp_path).table, table)
    assert set(table[column]) == set(HOSTILE)


def test_control_characters_become_visible() -> None:
    (note,) = tabulate([row(note="a\x1b[31mred\x00\r\nb\ud800\rc")])["note"]
    assert note == "a\\x1b[31mred\\x00\nb\\ud800\\rc"


def test_numbers_have_six_digits_and_odd_ones_their_own_spelling(tmp_path: Path) -> None:
    table = tabulate(
        [
            row(mode="0", error=1.23456789, max_abs=-math.inf, points=2**53 + 1),
            row(mode="1", error=math.inf, max_rel=math.nan, tolerance=None, max_ulp=""),
            row(mode="2", error=1.7976931348623157e308, max_abs=5e-324),
        ]
    )
    write(table, tmp_path)
    text = (tmp_path / "measurements.csv").read_text()
    assert ",1.23457,8," in text
    assert ",-inf," in text
    assert ",9007199254740993," in text
    assert ",inf,8,,pass," in text
    assert "nan" not in text
    pd.testing.assert_frame_equal(load(tmp_path).table, table)
    assert math.isfinite(table["error"][2])
    assert table["max_abs"][2] > 0


def test_the_order_of_a_table_is_its_own() -> None:
    every = [
        row(function=function, aspect=aspect, dtype=dtype)
        for function in ("elu", "gelu")
        for aspect in (
            "value",
            "gradient",
            "reduction",
            "special",
            "property",
            "consistency",
            "invalid",
        )
        for dtype in ("float16", "bfloat16", "float32", "float64")
    ]
    shuffled = random.Random(1).sample(every, len(every))
    pd.testing.assert_frame_equal(tabulate(shuffled), tabulate(every))
    table = tabulate(shuffled)
    columns = ["function", "aspect", "dtype"]
    assert [*table[columns].itertuples(index=False, name=None)] == [
        (r["function"], r["aspect"], r["dtype"]) for r in every
    ]


def test_the_last_row_of_a_key_wins() -> None:
    table = tabulate([row(error=1), row(error=2, version="2.13.1"), row(mode="jit")])
    assert table[["mode", "error"]].values.tolist() == [["eager", 2.0], ["jit", 2.0]]
    assert not table.duplicated(list(KEY)).any()


def test_more_columns_are_kept_and_missing_values_are_empty(tmp_path: Path) -> None:
    table = tabulate([{"verdict": "crash", "note": None, "seconds": 3}, row()])
    write(table, tmp_path)
    loaded = load(tmp_path).table
    pd.testing.assert_frame_equal(loaded, table)
    assert loaded.columns[-1] == "seconds"
    assert list(loaded["seconds"]) == ["3", ""]
    assert loaded["cases"][0] == 0
    assert math.isnan(loaded["error"][0])
    assert loaded["note"][0] == ""


def test_an_unknown_verdict_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown verdict 'passed'; one of crash, fail"):
        tabulate([row(verdict="passed")])


def test_a_table_may_be_empty(tmp_path: Path) -> None:
    table = tabulate([])
    write(table, tmp_path)
    run = load(tmp_path)
    pd.testing.assert_frame_equal(run.table, table)
    assert summary(table).empty
    assert matrix(table).empty
    assert unexpected(table).empty
    assert "Nothing was measured." in markdown(run)
    assert "Nothing was measured." in html(run)
    terminal(run, Console(file=io.StringIO()))


# --- the journal ----------------------------------------------------------------------------


def test_the_journal_of_killed_processes_loses_no_whole_row(tmp_path: Path) -> None:
    event = {"event": "row", "test": "t", "row": row()}
    record(
        tmp_path,
        "gw0.jsonl",
        {"event": "start", "test": "t"},
        event,
        {"event": "end", "test": "t"},
        ["not", "an", "event"],
        {"event": "row", "row": None},
        tail=json.dumps(event)[:200] + json.dumps(event | {"row": row(mode="jit")}) + "\n{",
    )
    record(tmp_path, "gw1.jsonl", event | {"row": row(error=7)}, tail='{"event": "row", "row": {"a')
    table = gather(tmp_path)
    assert table[["mode", "error"]].values.tolist() == [["eager", 7.0], ["jit", 2.0]]
    assert [e["event"] for e in journal(tmp_path)] == [
        "start",
        *["row", "end", "row"],
        "row",
        "row",
    ]


def test_bytes_that_are_not_text_spoil_only_their_line(tmp_path: Path) -> None:
    record(tmp_path, "a.jsonl", {"event": "row", "test": "t", "row": row()})
    with (tmp_path / "journal" / "a.jsonl").open("ab") as file:
        file.write(b'{"event": "row", "row": {"function": "\xff\xfe\n')
    assert len(gather(tmp_path)) == 1


def test_a_run_cut_short_is_loaded_from_its_journal(tmp_path: Path) -> None:
    record(tmp_path, "a.jsonl", *({"event": "row", "test": "t", "row": r} for r in rows()))
    pd.testing.assert_frame_equal(load(tmp_path).table, tabulate(rows()))
    assert load(tmp_path).environment == {}


# --- folders that are no run ----------------------------------------------------------------


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"/none: no such folder; expected one that `nnconform run"):
        load(tmp_path / "none")


def test_a_folder_without_measurements(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"no measurements; expected measurements.csv") as caught:
        load(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_missing_columns_are_named(tmp_path: Path) -> None:
    tabulate(rows()).drop(columns=["aspect", "worst"]).to_csv(tmp_path / "measurements.csv")
    with pytest.raises(RunError, match=r"measurements.csv: lacks the columns aspect, worst; expec"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (",pass,", ",passed,", "unknown verdict 'passed'; expected one of crash"),
        (",3456,", ",many,", "column points: invalid literal .*'many'"),
        (",2.5e-07,", ",small,", "column max_rel: could not convert .*'small'"),
        (",pass,", ",pass,,", "cannot be read as CSV"),
    ],
)
def test_broken_values_are_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = write(tabulate(rows()), tmp_path)
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(RunError, match=message) as caught:
        load(tmp_path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b'function,"half'])
def test_a_file_that_is_no_table(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "measurements.csv").write_bytes(content)
    with pytest.raises(RunError, match="expected"):
        load(tmp_path)


@pytest.mark.parametrize("content", ["{", "[1]", '"text"'])
def test_a_broken_environment(run: Run, content: str) -> None:
    (run.folder / "environment.json").write_text(content)
    with pytest.raises(RunError, match=r"environment.json: .*; expected a JSON object"):
        load(run.folder)


# --- summaries ------------------------------------------------------------------------------


def test_the_summary_counts_every_row_once(run: Run) -> None:
    table = summary(run.table)
    assert [*table["surface"]] == ["keras.losses", "torch.nn", "torch.nn.functional"]
    assert table["measurements"].sum() == len(run.table) == table[list(VERDICTS)].to_numpy().sum()
    functional = table.iloc[2]
    assert (functional["callables"], functional["functions"], functional["known"]) == (1, 1, 2)


def test_the_matrix_shows_the_most_serious_verdict(run: Run) -> None:
    table = matrix(run.table)
    assert [*table.columns] == [
        ("keras", "keras.losses"),
        ("torch", "torch.nn"),
        ("torch", "torch.nn.functional"),
    ]
    assert [*table.loc["gelu"]] == ["", "fail", "known"]
    assert [*table.loc["huber"]] == ["pass", "", ""]


def test_the_matrix_keeps_frameworks_that_judge_the_same_surface_apart() -> None:
    found = digest(
        row(framework="keras", surface="keras.ops", verdict="fail"),
        row(framework="keras-torch", surface="keras.ops"),
        row(),
    )
    assert [place.title for place in found.places] == [
        *("keras.ops", "keras.ops (keras-torch)", "torch.nn.functional")
    ]
    assert [place.link for place in found.places][:2] == ["keras.ops", "keras.ops@keras-torch"]
    assert [c.verdict for c in found.matrix["gelu"] if c] == ["fail", "pass", "pass"]
    assert "### ✗ fail: keras.ops.gelu · float32 · value · keras\n" in markdown(found.run)


@pytest.mark.parametrize(
    ("error", "grade"), [(0.0, 1), (1.0, 1), (1.5, 2), (4.0, 2), (7.9, 3), (8.0, 3), (40.0, 4)]
)
def test_how_exact_a_cell_is(error: float, grade: int) -> None:
    wrong = [
        row(dtype="float16", verdict="known", error=1e9),
        row(dtype="float64", error=math.inf),
        row(aspect="special", error=1e3),
    ]
    (cell,) = digest(row(error=error, verdict="limited" if error > 8 else "pass"), *wrong).matrix[
        "gelu"
    ]
    assert cell is not None
    assert (cell.error, cell.grade) == (error, grade)
    (nothing,) = digest(*wrong).matrix["gelu"]
    assert nothing is not None
    assert nothing.grade == 0


def test_the_unexpected_come_most_serious_first() -> None:
    verdicts = ["fixed", "known", "fail", "pass", "crash", "limited"]
    table = tabulate(row(mode=str(i), verdict=v) for i, v in enumerate(verdicts))
    assert [*unexpected(table)["verdict"]] == ["crash", "fail", "fixed"]
    assert {"crash", "fail", "fixed"} == UNEXPECTED


# --- what a report says ---------------------------------------------------------------------


def digest(*rows: dict[str, Any]) -> Digest:
    return Digest(Run(Path("runs/a"), tabulate(rows), {}))


def test_known_divergences_are_grouped_by_record() -> None:
    both = "[torch-tail] The tail is lost, see https://example.org/1.\n[torch-nan] NaN becomes 0."
    found = digest(
        row(dtype="float32", verdict="known", error=20, note=both),
        row(dtype="float16", verdict="known", error=9, note="[torch-tail] The tail is lost."),
        row(dtype="float64", verdict="known", error=math.inf, reproducer="", note=both),
        row(aspect="gradient", verdict="known", error=math.nan, note="nobody knows"),
        row(aspect="special", verdict="limited", note="[torch-tail] not known, so not here"),
        row(framework="jax", surface="jax.nn", verdict="known", note="[torch-tail] Here as well."),
    ).known
    titles = [(group.rows[0]["framework"], group.title) for group in found]
    assert titles == [
        ("jax", "torch-tail"),
        ("torch", "no record"),
        ("torch", "torch-nan"),
        ("torch", "torch-tail"),
    ]
    tail = found[-1]
    assert tail.distinct("dtype") == ["float16", "float32", "float64"]
    assert tail.why.split("\n") == [
        "The tail is lost.",
        "The tail is lost, see https://example.org/1.",
    ]
    assert math.isinf(tail.error)
    assert tail.worst["dtype"] == "float32", "the worst that can be reproduced"
    assert math.isnan(found[1].error)
    assert found[1].why == "nobody knows"
    assert len({group.anchor for group in found}) == len(found)


def test_limited_unsupported_and_conventions_are_grouped() -> None:
    found = digest(
        row(dtype="float16", verdict="limited", error=30, note="cancels"),
        row(dtype="float32", verdict="limited", error=50, note="cancels"),
        row(dtype="bfloat16", verdict="unsupported", note="no kernel"),
        row(surface="torch.nn", callable="GELU", verdict="unsupported", note="no kernel"),
        row(aspect="special", note="subnormals become 0\nthe kink's gradient is 0"),
        row(aspect="special", dtype="float64", note="subnormals become 0"),
        row(aspect="property", note="not a convention"),
    )
    (limited,) = found.limited
    assert limited.distinct("dtype") == ["float16", "float32"]
    assert limited.error == 50
    (unsupported,) = found.unsupported
    assert unsupported.callables == ["torch.nn.GELU", "torch.nn.functional.gelu"]
    assert [(group.title, len(group.rows)) for group in found.conventions] == [
        ("subnormals become 0", 2),
        ("the kink's gradient is 0", 1),
    ]


def test_accuracy_is_a_share_of_the_bound() -> None:
    found = digest(
        row(error=2),
        row(aspect="gradient", error=4),
        row(dtype="float16", error=80, verdict="limited"),
        row(dtype="float16", aspect="gradient", error=1e9, verdict="known"),
        row(dtype="float64", framework="keras", error=0),
        row(aspect="special", error=None),
    )
    assert found.dtypes == ["float16", "float32", "float64"]
    assert found.accuracy == {"gelu": {"keras": [None, None, 0.0], "torch": [10.0, 0.5, None]}}


def test_notes_names_and_numbers() -> None:
    assert notes("[a-b] why\n\n plain [c]\n[d]") == [
        ("a-b", "why"),
        ("", "plain [c]"),
        ("d", ""),
    ]
    assert name(row(callable="torch.nn.functional.gelu")) == name(row(callable="gelu"))
    assert [number(x) for x in (math.nan, math.inf, 0.0, 8.0, 1234.5, 2e6, 0.12345)] == (
        ["–", "∞", "0", "8", "1234", "2e+06", "0.123"]
    )
    assert worst_case('{"inputs": {"x": [1, NaN]}, "params": {}, "got": null, "want": 2}') == [
        ("inputs x", "[1, NaN]"),
        ("want", "2"),
    ]
    assert worst_case("not JSON") == [("case", "not JSON")]
    assert worst_case("") == []


# --- Markdown -------------------------------------------------------------------------------


def test_two_identical_runs_have_identical_reports_but_for_the_environment(tmp_path: Path) -> None:
    texts = []
    for folder, created in ((tmp_path / "a", "2026-01-01"), (tmp_path / "b", "2026-02-02")):
        table = tabulate(random.Random(created).sample(rows(), len(rows())))
        write(table, folder)
        environment = {"created": created, "duration_s": random.random(), "packages": {"a": "1"}}
        (folder / "environment.json").write_text(json.dumps(environment))
        text = markdown(load(folder))
        assert created in text
        assert str(folder) in text
        texts.append(text.split("## Environment")[0])
    assert texts[0] == texts[1]
    assert str(tmp_path) not in texts[0]
    assert "2026-" not in texts[0]


def test_markdown_says_what_matters(run: Run) -> None:
    text = markdown(run)
    sections = re.findall(r"^## (\w+)", text, re.MULTILINE)
    assert sections == [
        *("Verdicts", "Summary", "Functions", "Unexpected", "Known", "Limited", "Unsupported"),
        *("Conventions", "Accuracy", "Environment"),
    ]
    assert "10 measurements of 3 callables for 2 functions: 1 fail needs attention" in text
    assert "### ✗ fail: torch.nn.GELU · float16 · value" in text
    assert "#### `torch-nan`\n\nNaN in, 0 out." in text
    assert "| `gelu` |  | ✗ fail | ≠ known |" in text
    assert "| `gelu` | torch | 5 | 0.25 | 0.0625 |" in text
    assert "```python\nimport torch\nprint(torch.tensor(0.5))\n```" in text


def test_hostile_text_stays_text_in_markdown() -> None:
    for text in HOSTILE:
        report = markdown(
            Run(
                Path(text),
                tabulate([row(function=text, note=text, verdict=v, mode=v) for v in VERDICTS]),
                {"cpu": text, "packages": {text: text}},
            )
        )
        prose = re.sub(r"(?ms)^(````*)python\n.*?^\1$|(`+)[^\n]*?\2", "", report)
        assert not re.search(r"(?<!\\)<(?!https://evil)", prose)
        assert not re.search(r"(?<!\\)\[", prose)
        for table in re.findall(r"(?:^\|.*\n)+", report, re.MULTILINE):
            widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
            assert len(widths) == 1, table


def test_a_reproducer_cannot_end_its_fence() -> None:
    code = "x = '''\n```\n````\n'''"
    table = tabulate([row(verdict="fail", reproducer=code)])
    assert f"`````python\n{code}\n`````" in markdown(Run(Path(), table, {}))


# --- HTML -----------------------------------------------------------------------------------


class Page(HTMLParser):
    """The elements and texts of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        tag = self.elements[-1][0] if self.elements else ""
        self.texts[tag] = self.texts.get(tag, "") + data

    def tags(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for found, attributes in self.elements if found == tag]


def embedded(text: str) -> dict[str, Any]:
    """What a page has embedded, its columns as lists of cells."""
    (found,) = re.findall(
        r'<script type="application/octet-stream" id="data">(.*?)</script>', text, re.S
    )
    content = json.loads(gzip.decompress(base64.b64decode(found, validate=True)))
    for part in ("measurements", *KEPT):
        content[part] = {
            column: [cells["values"][at] for at in cells["at"]] if "at" in cells else cells
            for column, cells in content[part].items()
        }
    return content


def test_html_loads_nothing(run: Run) -> None:
    text = html(run)
    page = Page(text)
    assert {tag for tag, _ in page.elements}.isdisjoint(
        {"link", "img", "iframe", "object", "embed", "base", "video", "audio", "source"}
    )
    for tag, attributes in page.elements:
        assert {"src", "srcset"}.isdisjoint(attributes), tag
        assert not [name for name in attributes if name.startswith("on")], tag
        assert tag == "a" or "href" not in attributes
    style, script = page.texts["style"], text.rpartition("<script>")[2]
    assert not re.search(r"url\(|@import|https?:", style)
    assert not re.search(r"fetch|XMLHttp|import\(|innerHTML|eval\(", script)
    assert page.tags("html")[0]["lang"] == "en"
    (policy,) = [m["content"] for m in page.tags("meta") if "http-equiv" in m]
    assert policy
    assert policy.startswith("default-src 'none';")
    code = script.partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    assert policy.endswith(f"script-src 'sha256-{digest}'")


def test_html_tables_can_be_read_aloud(run: Run) -> None:
    text = html(run)
    for table in re.findall(r"<table.*?</table>", text, re.S):
        assert re.match(r"<table[^>]*>\s*<caption[^>]*>\S", table)
        assert not re.search(r"<th(?! scope=)\b(?!ead)", table)
    page = Page(text)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(set(ids)) == len(ids)
    targets = [str(a["href"])[1:] for a in page.tags("a") if str(a["href"]).startswith("#")]
    deep = {target for target in targets if "/" in target}
    assert deep == {
        *("gelu/torch.nn", "gelu/torch.nn/float16", "gelu/torch.nn.functional"),
        "huber/keras.losses",
    }
    targets = sorted({*targets} - deep)
    assert targets
    assert set(targets) <= set(ids)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_stays_text_in_html(hostile: str) -> None:
    table = tabulate(
        row(function=hostile, surface=hostile, callable=hostile, mode=v, verdict=v, dtype=hostile)
        | {"note": f"[{hostile}] {hostile}", "worst": json.dumps({hostile: hostile})}
        | {"reproducer": hostile, "version": hostile, "framework": hostile}
        for v in VERDICTS
    )
    environment = {hostile: hostile, "packages": {hostile: hostile}, "created": hostile}
    text = html(Run(Path("runs/a"), table, environment))
    harmless = html(
        Run(
            Path("runs/a"),
            tabulate(row(mode=v, verdict=v, note="x") for v in VERDICTS),
            {"x": "x", "packages": {"x": "x"}, "created": "x"},
        )
    )
    tags = {tag for tag, _ in Page(text).elements}
    assert tags <= {tag for tag, _ in Page(harmless).elements} | {"a", "code"}
    assert len(re.findall("<script", text)) == 2
    assert set(embedded(text)["measurements"]["function"]) == {hostile}


def test_html_holds_the_whole_table(run: Run) -> None:
    data = embedded(html(run))
    table = data["measurements"]
    assert data["order"] == list(COLUMNS)
    assert set(table) == {*COLUMNS, "case"} - {"worst", "reproducer"}
    errors = [math.nan if e is None else float(e) for e in table["error"]]
    assert errors == pytest.approx([*run.table["error"]], nan_ok=True)
    assert table["note"] == [*run.table["note"]]
    cases = [[w, r] for w, r in zip(run.table["worst"], run.table["reproducer"], strict=True)]
    assert table["case"] == cases


def test_what_a_run_keeps_for_its_reports(tmp_path: Path) -> None:
    kept = {part: {column: f"{column} <{part}>" for column in KEPT[part]} for part in KEPT}
    record(
        tmp_path,
        "a.jsonl",
        {"event": "row", "test": "t", "row": row()},
        *({"event": part, "rows": [cells, cells]} for part, cells in kept.items()),
        {"event": "calls", "rows": None},
    )
    for part, cells in kept.items():
        assert load_kept(tmp_path, part).to_dict("records") == [cells]
        write_kept(gather_kept(tmp_path, part), tmp_path, part)
    record(tmp_path, "a.jsonl", {"event": "row", "test": "t", "row": row()})
    data = embedded(html(load(tmp_path)))
    for part, cells in kept.items():
        assert data[part] == {column: [text] for column, text in cells.items()}
    (tmp_path / "curves.csv").write_text("framework,surface\n")
    with pytest.raises(RunError, match=r"curves.csv: lacks the columns function"):
        html(load(tmp_path))


def test_an_older_run_still_renders(run: Run) -> None:
    data = embedded(html(run))
    assert [data[part]["id" if part == "records" else "function"] for part in KEPT] == [[], [], []]


def test_links_and_code_in_notes() -> None:
    note = "[r] Uses `log(p + ε)` (see https://example.org/a_b?c=1&d=2)."
    report = Run(Path(), tabulate([row(verdict="known", note=note)]), {})
    link = '<a href="https://example.org/a_b?c=1&amp;d=2" rel="noopener noreferrer">'
    assert f"<code>log(p + ε)</code> (see {link}" in html(report)
    assert "Uses `log(p + ε)` (see <https://example.org/a_b?c=1&d=2>)." in markdown(report)


def test_write_reports(run: Run) -> None:
    assert write_reports(run) == [run.folder / "report.md", run.folder / "report.html"]
    assert (run.folder / "report.md").read_text() == markdown(run)
    assert (run.folder / "report.html").read_text() == html(run)


@pytest.mark.parametrize("strange", [{}, {"frameworks": {"jax": None}}, {"x": [1, {"y": None}]}])
def test_an_environment_of_any_shape(run: Run, strange: dict[str, Any]) -> None:
    odd = Run(run.folder, run.table, strange)
    assert markdown(odd)
    assert html(odd)


# --- terminal -------------------------------------------------------------------------------


def test_terminal(run: Run) -> None:
    console = Console(file=io.StringIO(), record=True, width=100)
    terminal(Run(Path("runs/today"), run.table, {}), console)
    lines = [line.rstrip() for line in console.export_text().splitlines()]
    assert (
        "\n".join(lines)
        == """\
surface               callables functions measured fail known limited unsupported pass
──────────────────────────────────────────────────────────────────────────────────────
keras 2.13.0
  keras.losses                1         1        1    ·     ·       ·           ·    1
torch 2.13.0
  torch.nn                    1         1        2    1     ·       ·           ·    1
  torch.nn.functional         1         1        7    ·     2       1           1    3

✗ fail gelu torch.nn.GELU · float16 · value  error 123 (bound 8)
10 measurements of 3 callables for 2 functions: 1 fail needs attention, 2 known in 2 records, 1 limited, 1 unsupported, 5 pass.
Report: runs/today/report.html"""
    )


def test_terminal_shows_text_as_it_is() -> None:
    table = tabulate(
        row(function=h, callable=h, surface=h, note=h, verdict="fail") for h in HOSTILE
    )
    console = Console(file=io.StringIO(), record=True, width=400)
    terminal(Run(Path("[red]x"), table, {}), console)
    text = console.export_text()
    assert "[red]markup[/red]" in text
    assert "Report: [red]x/report.html" in text


def test_terminal_of_many_unexpected_and_of_few_letters() -> None:
    table = tabulate(row(mode=str(i), verdict="crash", note="∞") for i in range(60))
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    terminal(Run(Path("runs/a"), table, {}), Console(file=file, width=80))
    file.seek(0)
    text = file.read()
    assert text.count("crash gelu") == 50
    assert "and 10 more unexpected" in text


def test_importing_reports_imports_nothing_heavy() -> None:
    code = (
        "import sys, nnconform.reports, nnconform.reports.table;"
        "print(*{'numpy', 'pandas', 'rich', 'jinja2', 'torch'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
