"""Two runs compared: every kind of change is found, told apart from luck, and shown."""

from __future__ import annotations

import json
import lzma
import math
import re
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from nnconform import baseline, compare, load
from nnconform.conformance import outputs
from nnconform.conformance.answers import differences, ulps_between
from nnconform.conformance.cli import cli, main
from nnconform.conformance.comparison import verdict_change
from nnconform.conformance.selection import UsageError
from nnconform.conformance.signatures import changes, parameters
from nnconform.reports.comparison import (
    CHANGES,
    COLUMNS,
    COMMENT,
    FORMATS,
    Comparison,
    comparison_markdown,
    groups,
    render,
)

from .comparing import Made, edit, made, one_ulp, smallest

pytestmark = pytest.mark.slow

Plant = Callable[[Made], None]
NAN, INF = np.float32("nan"), np.float32("inf")


def compared(tmp_path: Path, plant: Plant | None = None, *, swap: bool = False) -> Comparison:
    """The comparison of two runs, of which one has something planted: the new one, or the old."""
    old, new = made("old"), made("new")
    if plant is not None:
        plant(old if swap else new)
    return compare(old.write(tmp_path / "old"), new.write(tmp_path / "new"))


def told(found: Comparison) -> set[tuple[str, str]]:
    return set(zip(found.table["change"], found.table["what"], strict=True))


def only(found: Comparison) -> dict[str, Any]:
    assert len(found.table) == 1, found.table[["callable", "change", "what"]]
    return {str(k): v for k, v in found.table.iloc[0].items()}


def changed(*key: str, to: Callable[[np.ndarray], Any], of: str = "") -> Plant:
    """Plant a change in the answer to the smallest case of a row."""

    def plant(run: Made) -> None:
        answers = run.answers(*key)
        edit(answers[smallest(run, answers)], to, of)

    return plant


def judged(*key: str, verdict: str, plant: Plant | None = None, **row: Any) -> Plant:
    """Plant a verdict, what else the row says, and a change of the answers."""

    def both(run: Made) -> None:
        run.row(*key).update(verdict=verdict, **row)
        if plant is not None:
            plant(run)

    return both


def filled(value: Any) -> Callable[[np.ndarray], None]:
    """What puts a value in the first place of an array."""
    return lambda array: array.flat.__setitem__(0, value)


VALUE, GRADIENT = ("relu", "float32", "value"), ("softmax", "float32", "gradient")

# -- nothing -----------------------------------------------------------------------------------------


def test_the_same_version_twice_reports_nothing(tmp_path: Path) -> None:
    found = compared(tmp_path)
    assert found.table.empty
    assert tuple(found.table.columns) == COLUMNS
    assert found.unchanged == len(load(tmp_path / "new").table) > 80
    assert found.remarks == ()
    assert not found.failed(("drifted", "convention", "api"))
    for form in FORMATS:
        assert "Nothing changed" in render(found, form)


def test_no_framework_is_imported(tmp_path: Path) -> None:
    compared(tmp_path, changed(*VALUE, to=one_ulp))
    code = (
        "import sys, nnconform\n"
        f"found = nnconform.compare({str(tmp_path / 'old')!r}, {str(tmp_path / 'new')!r})\n"
        "assert 'import torch' in found.table['reproducer'][0]\n"
        "assert not {'torch', 'tensorflow', 'keras', 'jax'} & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr


def test_loaded_runs_are_taken_too(tmp_path: Path) -> None:
    compared(tmp_path, changed(*VALUE, to=one_ulp))
    found = compare(load(tmp_path / "old"), load(tmp_path / "new"))
    assert told(found) == {("drifted", "value")}


# -- verdicts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("right", ["pass", "limited", "fixed"])
@pytest.mark.parametrize("wrong", ["fail", "crash", "known", "unsupported"])
def test_right_and_wrong(right: str, wrong: str) -> None:
    assert verdict_change(right, wrong) == "regressed"
    assert verdict_change(wrong, right) == "fixed"
    assert verdict_change(wrong, wrong) == verdict_change(right, right) == ""


@pytest.mark.parametrize(
    ("old", "new", "change"),
    [
        ("known", "fail", "regressed"),
        ("known", "unsupported", "regressed"),
        ("fail", "crash", "regressed"),
        ("fail", "known", ""),
        ("limited", "pass", "improved"),
        ("pass", "limited", "drifted"),
        ("crash", "fail", "improved"),
        ("pass", "fixed", ""),
        ("fixed", "pass", ""),
    ],
)
def test_between_other_verdicts(old: str, new: str, change: str) -> None:
    assert verdict_change(old, new) == change


WRONG = changed(*VALUE, to=lambda array: array * np.float32(1.5))


@pytest.mark.parametrize(("swap", "change"), [(False, "regressed"), (True, "fixed")])
def test_a_wrong_value(tmp_path: Path, swap: bool, change: str) -> None:
    plant = judged(*VALUE, verdict="fail", note="the value is wrong", error=4e6, plant=WRONG)
    found = compared(tmp_path, plant, swap=swap)
    row = only(found)
    assert (row["change"], row["function"], row["dtype"]) == (change, "relu", "float32")
    assert row["what"] == ("fail → pass" if swap else "pass → fail")
    assert "the value is wrong" in row["detail"]
    assert row["results"] == 1
    errors = [row["error_old"], row["error_new"]]
    assert max(errors) > 1e6
    assert min(errors) < 1
    assert json.loads(row["case"])["inputs"]["x"] == pytest.approx(1.13857)  # cut to the element
    shown = [float(row["old"]), float(row["new"])]
    assert shown[swap] == pytest.approx(1.13857)
    assert shown[not swap] == pytest.approx(1.5 * 1.13857)
    assert float(row["oracle"]) == pytest.approx(1.13857)
    assert found.failed() is not swap


@pytest.mark.parametrize(("swap", "change"), [(False, "regressed"), (True, "fixed")])
def test_an_exception(tmp_path: Path, swap: bool, change: str) -> None:
    def raises(run: Made) -> None:
        answers = run.answers("HuberLoss", "float16", "value")
        answers[smallest(run, answers)] = {"raised": "TypeError: no half"}

    plant = judged(
        *("HuberLoss", "float16", "value"),
        verdict="unsupported",
        note="TypeError: no half",
        plant=raises,
    )
    row = only(compared(tmp_path, plant, swap=swap))
    assert row["change"] == change
    assert "raises TypeError: no half" in (row["old"] if swap else row["new"])


def test_a_crash_shows_a_case_of_the_row(tmp_path: Path) -> None:
    def crash(run: Made) -> None:
        key = next(k for k in run.outputs.rows if k[2:5] == VALUE)
        del run.outputs.rows[key]
        gone = dict.fromkeys(("worst", "reproducer"), "")
        run.row(*VALUE).update(verdict="crash", note="killed by SIGSEGV", error="", **gone)

    row = only(compared(tmp_path, crash))
    assert (row["change"], row["what"]) == ("regressed", "pass → crash")
    assert row["detail"] == "killed by SIGSEGV"
    assert "torch.nn.functional.relu(" in row["reproducer"]


def test_the_error_counts_not_the_first_difference(tmp_path: Path) -> None:
    """A row that fails is shown by what is wrong in it, not by a last bit that is elsewhere."""

    def plant(run: Made) -> None:
        run.row(*VALUE)["verdict"] = "fail"
        answers = run.answers(*VALUE)
        large = max(answers, key=lambda c: len(answers[c]["value"]))
        edit(answers[smallest(run, answers)], one_ulp)
        edit(answers[large], filled(np.float32(7e6)))

    row = only(compared(tmp_path, plant))
    assert (row["change"], row["results"], row["new"]) == ("regressed", 2, "7e+06")


# -- drift -------------------------------------------------------------------------------------------


def test_a_last_bit(tmp_path: Path) -> None:
    row = only(compared(tmp_path, changed(*GRADIENT, to=one_ulp, of="x")))
    assert (row["change"], row["what"]) == ("drifted", "gradient by x")
    assert (row["results"], row["ulp"]) == (1, 1)
    assert row["of"] > 100
    assert (row["ulp_error_old"], row["ulp_error_new"]) == (0, 1)
    case = json.loads(row["case"])
    assert (case["gradient of"], case["at"]) == ("x", [0, 0, 0])
    assert np.size(case["inputs"]["x"]) > 1  # the element alone need not show it
    assert "print(float((torch.autograd.grad(" in row["reproducer"]
    assert "[0, 0, 0]))  # 2.12.0: " in row["reproducer"]
    assert "cotangent = torch.tensor(" in row["reproducer"]


@pytest.mark.parametrize(("swap", "change"), [(False, "drifted"), (True, "improved")])
def test_an_error_that_grew_or_shrank(tmp_path: Path, swap: bool, change: str) -> None:
    def plant(run: Made) -> None:
        answers = run.answers("softmax", "float32", "value")
        edit(answers[smallest(run, answers)], lambda a: filled(a.flat[0] * np.float32(1 + 4e-7))(a))

    row = only(compared(tmp_path, plant, swap=swap))
    assert row["change"] == change
    assert max(row["error_old"], row["error_new"]) > 2


@pytest.mark.parametrize(
    ("old", "new", "change"),
    [("pass", "limited", "drifted"), ("limited", "pass", "improved")],
)
def test_limited(tmp_path: Path, old: str, new: str, change: str) -> None:
    before, after = made("old"), made("new")
    before.row(*VALUE)["verdict"] = old
    after.row(*VALUE).update(verdict=new, error=0.25)
    row = only(compare(before.write(tmp_path / "old"), after.write(tmp_path / "new")))
    assert (row["change"], row["what"]) == (change, f"{old} → {new}")


# -- conventions -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "of", "to", "what"),
    [
        (VALUE, "", filled(NAN), "NaN"),
        (VALUE, "", filled(INF), "infinity"),
        (VALUE, "", lambda a: np.where(a == 0, np.float32(-0.0), a), "signed zero"),
        (VALUE, "", lambda a: a.astype(np.float64), "dtype"),
        (VALUE, "", lambda a: a[None], "shape"),
        (("relu", "float32", "special"), "x", filled(np.float32(0.5)), "kink"),
    ],
)
@pytest.mark.parametrize("swap", [False, True])
def test_a_convention(
    tmp_path: Path, key: tuple[str, ...], of: str, to: Any, what: str, swap: bool
) -> None:
    found = compared(tmp_path, changed(*key, to=to, of=of), swap=swap)
    row = only(found)
    assert (row["change"], row["what"]) == ("convention", what)
    assert row["old"] != row["new"]
    assert row["reproducer"]
    assert not found.failed()
    assert found.failed(("convention",))


@pytest.mark.parametrize("swap", [False, True])
def test_exceptions_differ_by_type_not_by_message(tmp_path: Path, swap: bool) -> None:
    def raises(text: str) -> Plant:
        return lambda run: run.answers(*VALUE)[smallest(run, run.answers(*VALUE))].update(
            raised=text
        )

    old, new = made("old"), made("new")
    raises("ValueError: one")(old)
    raises("ValueError: another")(new)
    old.write(tmp_path / "old")
    assert compare(tmp_path / "old", new.write(tmp_path / "new")).table.empty
    raises("TypeError: one")(new)
    row = only(compare(tmp_path / "old", new.write(tmp_path / "new")))
    assert (row["change"], row["what"]) == ("convention", "exception")
    assert (row["old"], row["new"]) == ("raises ValueError: one", "raises TypeError: one")


def test_a_number_where_an_exception_was_tells_its_verdict(tmp_path: Path) -> None:
    """Unsupported before, wrong now: neither better nor worse, but nothing to be silent about."""
    old, new = made("old"), made("new")
    answers = old.answers(*VALUE)
    answers[smallest(old, answers)] = {"raised": "TypeError: no float32"}
    old.row(*VALUE)["verdict"] = "unsupported"
    judged(*VALUE, verdict="fail", error=4e6, plant=WRONG)(new)
    row = only(compare(old.write(tmp_path / "old"), new.write(tmp_path / "new")))
    assert (row["change"], row["what"]) == ("convention", "exception")
    assert row["detail"] == "unsupported → fail"


def test_a_broken_rule_says_what_it_is(tmp_path: Path) -> None:
    worst = '{"inputs": {"x": [0.25]}, "params": {}, "want": "nan", "got": "nan"}'
    plant = judged(
        *("Softmax", "float32", "property"),
        verdict="fail",
        note="no sum of 1",
        worst=worst,
        error=9,
    )
    row = only(compared(tmp_path, plant))
    assert (row["new"], row["oracle"]) == ("no sum of 1", "")


def test_a_gradient_that_is_refused(tmp_path: Path) -> None:
    def refuse(run: Made) -> None:
        answer = run.answers(*GRADIENT)[smallest(run, run.answers(*GRADIENT))]
        answer["refused"] = {"x": answer["gradients"].pop("x") and "not implemented"}

    row = only(compared(tmp_path, refuse))
    assert (row["change"], row["what"]) == ("convention", "gradient refused")
    assert (row["old"], row["new"]) == ("a gradient", "refused: not implemented")


def warn(run: Made, key: tuple[str, ...], text: str, cases: int) -> None:
    answers = run.answers(*key)
    for case in sorted(answers)[:cases]:
        answers[case]["warnings"] = [text]


def test_warnings(tmp_path: Path) -> None:
    found = compared(tmp_path, lambda run: warn(run, VALUE, "FutureWarning: soon", 3))
    row = only(found)
    assert (row["change"], row["what"]) == ("convention", "warning")
    assert (row["old"], row["new"]) == ("no warning", "FutureWarning: soon")


def test_a_warning_that_a_library_gives_once_a_process_may_move(tmp_path: Path) -> None:
    old, new = made("old"), made("new")
    warn(old, VALUE, "UserWarning: only once at 0x1f", 1)
    warn(new, GRADIENT, "UserWarning: only once at 0x2e", 1)
    folders = old.write(tmp_path / "old"), new.write(tmp_path / "new")
    assert compare(*folders).table.empty
    warn(new, GRADIENT, "UserWarning: only once", 2)  # not once
    assert told(compare(folders[0], new.write(folders[1]))) == {("convention", "warning")}


@pytest.mark.parametrize(
    ("old", "new", "aspect", "what"),
    [
        ([1.0], [1.5], "value", "number"),
        ([1.0], [1.5], "invalid", "illegal call"),
        ([1.0], [1.0000001], "invalid", "number"),
        ([0.0], [-0.0], "value", "signed zero"),
        ([np.inf], [-np.inf], "value", "infinity"),
        ([np.nan], [0.0], "value", "NaN"),
        ([np.nan], [-np.nan], "value", ""),
    ],
)
def test_what_differs(old: list[float], new: list[float], aspect: str, what: str) -> None:
    a, b = ({"value": outputs.written(np.array(v, np.float32))} for v in (old, new))
    assert [d.what for d in differences("c", a, b, aspect)] == ([what] if what else [])
    assert [d.what for d in differences("c", b, a, aspect)] == ([what] if what else [])


def test_distance_in_ulps() -> None:
    for name in ("float16", "float32", "float64"):
        one = np.ones(1, name)
        assert ulps_between(one, np.nextafter(one, 2 * one)).tolist() == [1]
        assert ulps_between(-one, np.nextafter(-one, 0 * one)).tolist() == [1]
        zero, small = np.zeros(1, name), np.nextafter(np.zeros(1, name), one)
        assert ulps_between(-small, small).tolist() == [2]
        assert ulps_between(-zero, zero).tolist() == [0]
        largest = np.array([np.finfo(name).max])
        assert ulps_between(-largest, largest)[0] > 6e4


# -- the api -----------------------------------------------------------------------------------------

REMOVED = {"status": "missing", "signature": ""}


@pytest.mark.parametrize(("swap", "what"), [(False, "removed"), (True, "added")])
def test_a_callable_that_vanished_is_one_row(tmp_path: Path, swap: bool, what: str) -> None:
    def vanish(run: Made) -> None:
        run.callable("relu").update(REMOVED)
        for key, row in run.rows.items():
            if key[1:3] == ("torch.nn.functional", "relu"):
                row.update(verdict="unsupported", note="no relu in this version")
        for key in [k for k in run.outputs.rows if k[1:3] == ("torch.nn.functional", "relu")]:
            del run.outputs.rows[key]

    found = compared(tmp_path, vanish, swap=swap)
    row = only(found)
    assert (row["change"], row["what"], row["callable"]) == ("api", what, "relu")
    assert "inspect.signature(torch.nn.functional.relu)" in row["reproducer"]
    assert not found.failed()
    assert found.failed(("api",))


def test_a_callable_that_was_renamed(tmp_path: Path) -> None:
    """What went under one name and came under another gives the same outputs."""
    old, new = made("old"), made("new")
    for run, here in ((old, "relu"), (new, "rectify")):
        other = {"relu": "rectify", "rectify": "relu"}[here]
        entry = run.callable("relu")
        missing = {**entry, **REMOVED, "callable": other}
        entry["callable"] = here
        run.callables.append(missing)
        for key in [k for k in run.outputs.rows if k[2] == "relu"]:
            run.outputs.rows[(*key[:2], here, *key[3:])] = run.outputs.rows.pop(key)
        for row in run.rows.values():
            if row["callable"] == "relu":
                row["callable"] = here
    row = only(compare(old.write(tmp_path / "old"), new.write(tmp_path / "new")))
    assert (row["callable"], row["what"]) == ("relu", "renamed to rectify")


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("(x)", "(x, axis=-1)", ["parameter added: axis"]),
        ("(x, axis=-1)", "(x)", ["parameter removed: axis"]),
        ("(x, dim=-1)", "(x, axis=-1)", ["parameter renamed: dim → axis"]),
        ("(x, dim=-1)", "(x, axis=0)", ["parameter removed: dim", "parameter added: axis"]),
        ("(x, a=1, b=2)", "(x, b=2, a=1)", ["parameters reordered"]),
        ("(x, a=1)", "(x, a=2)", ["default of a: 1 → 2"]),
        ("(x, a)", "(x, a=2)", ["default of a: none → 2"]),
        ("(x, a=1)", "(x, *, a=1)", ["parameter a: positional → keyword"]),
        ("(x, f=<fn at 0x7f1>)", "(x, f=<fn at 0x7e2>)", []),
        ("(x, a=(1, 2), s='a,b')", "(x, a=(1, 3), s='a,b')", ["default of a: (1, 2) → (1, 3)"]),
        ("", "(x)", []),
        ("(*args, **kwargs)", "(*args, **kwargs)", []),
    ],
)
def test_signatures(old: str, new: str, what: list[str]) -> None:
    base = dict.fromkeys(("framework", "surface", "callable", "functions", "deprecated"), "")
    tables = [[{**base, "status": "bound", "signature": text}] for text in (old, new)]
    assert [change.what for change in changes(*tables)] == what


def test_parameters_that_move_others_say_so() -> None:
    base = dict.fromkeys(("framework", "surface", "callable", "functions", "deprecated"), "")
    tables = [
        [{**base, "status": "bound", "signature": text}] for text in ("(x, b=1)", "(x, a, b=1)")
    ]
    assert [change.detail for change in changes(*tables)] == ["before b"]
    assert [p.name for p in parameters("(x, /, a=lambda: (1, 2), *rest, k=[1, '),('], **kw)")] == [
        *("x", "a", "*rest", "k", "**kw")
    ]


@pytest.mark.parametrize(("swap", "what"), [(False, "deprecated"), (True, "no longer deprecated")])
def test_deprecation(tmp_path: Path, swap: bool, what: str) -> None:
    plant = lambda run: run.callable("relu").update(deprecated="use rectify")  # noqa: E731
    row = only(compared(tmp_path, plant, swap=swap))
    assert (row["change"], row["what"]) == ("api", what)
    assert "use rectify" in (row["old"], row["new"])


def test_callables_of_other_functions_are_not_reported(tmp_path: Path) -> None:
    def plant(run: Made) -> None:
        run.callables.append({**run.callable("relu"), "callable": "elu", "functions": "elu"})
        run.callables[-1]["signature"] = f"(x, a={run.environment['packages']['torch']})"

    old, new = made("old"), made("new")
    plant(old)
    plant(new)
    assert compare(old.write(tmp_path / "old"), new.write(tmp_path / "new")).table.empty


# -- luck --------------------------------------------------------------------------------------------


def luck(row: str, differing: dict[str, Any], tmp_path: Path, plant: Plant | None = None) -> Any:
    """A verdict that changed while facts of the environment differ."""
    old, new = made("old"), made("new")
    key = (row, "float32", "property" if row == "Softmax" else "value")
    new.row(*key).update(verdict="fail", error=99.0, note="found by the search")
    new.environment.update(differing)
    if plant is not None:
        plant(new)
    return compare(old.write(tmp_path / "old"), new.write(tmp_path / "new"))


UNLIKE = [
    {"seed": 1},
    {"seed": None},
    {"profile": "deep"},
    {"python": "3.12.1"},
    {"nnconform": "0.2.0"},
    {"packages": {"torch": "2.13.0", "numpy": "2.4.6", "hypothesis": "6.2"}},
    {"packages": {"torch": "2.13.0", "hypothesis": "6.1", "python-flint": "0.9"}},
]


@pytest.mark.parametrize("row", ["relu", "Softmax"])
def test_a_verdict_counts_where_both_searched_alike(tmp_path: Path, row: str) -> None:
    found = luck(row, {"python": "3.11.9", "created": "2026-02-02"}, tmp_path)
    change = only(found)
    assert change["change"] == "regressed"
    assert json.loads(change["case"])["inputs"] == {"x": [0.25]}  # the worst case of the row
    assert change["reproducer"] == "print('worst')"
    assert change["old"] == "not kept (pass)"


@pytest.mark.parametrize("differing", UNLIKE, ids=str)
@pytest.mark.parametrize("row", ["relu", "Softmax"])
def test_search_luck_is_a_remark(tmp_path: Path, row: str, differing: dict[str, Any]) -> None:
    found = luck(row, differing, tmp_path)
    assert found.table.empty
    assert any("Not counted: 1 changed verdicts" in remark for remark in found.remarks)


def test_a_last_bit_is_no_excuse_for_luck(tmp_path: Path) -> None:
    """The answers differ too, but not by what the verdict speaks of."""
    found = luck("relu", {"seed": 1}, tmp_path, changed(*VALUE, to=one_ulp))
    assert told(found) == {("drifted", "value")}
    found = luck("relu", {"seed": 1}, tmp_path, WRONG)
    assert told(found) == {("regressed", "pass → fail")}


def test_another_verdict_on_the_same_measurement_is_a_remark(tmp_path: Path) -> None:
    plant = judged(*VALUE, verdict="known", note="[a-record] bug: for this version")
    found = compared(tmp_path, plant)
    assert found.table.empty
    assert "1 changed verdicts on identical measurements" in found.remarks[-1]


# -- runs that differ in more than the framework -------------------------------------------------------


def test_other_corpora_are_compared_by_verdicts_and_api(tmp_path: Path) -> None:
    def plant(run: Made) -> None:
        run.environment["corpus"] = "another"
        changed(*GRADIENT, to=one_ulp, of="x")(run)
        run.row(*VALUE).update(verdict="fail", error=99.0)
        run.callable("relu")["deprecated"] = "gone soon"

    found = compared(tmp_path, plant)
    assert told(found) == {("regressed", "pass → fail"), ("api", "deprecated")}
    assert "corpora differ (00988808cddf0a8a → another)" in found.remarks[0]


def test_what_only_one_run_measured_is_told(tmp_path: Path) -> None:
    def plant(run: Made) -> None:
        run.environment.update(profile="deep", selection={"functions": "relu", "dtypes": None})
        for key in [k for k in run.rows if run.rows[k]["function"] != "relu"]:
            del run.rows[key]
            run.outputs.rows.pop(key, None)

    found = compared(tmp_path, plant)
    assert found.table.empty
    assert re.search(r"profile quick → deep; selection .*functions=relu\)", found.remarks[0])
    assert re.search(r"\d+ measurements are in OLD alone, 0 in NEW alone", found.remarks[0])


def test_another_machine_is_told(tmp_path: Path) -> None:
    def plant(run: Made) -> None:
        run.environment["cpu"] = "another"
        run.environment["packages"]["numpy"] = "2.5.0"

    (remark,) = compared(tmp_path, plant).remarks
    assert "cpu one → another" in remark
    assert "numpy 2.4.6 → 2.5.0" in remark
    assert "torch" not in remark


def test_a_distribution_of_the_framework_is_part_of_the_title(tmp_path: Path) -> None:
    """As Optax is of the framework jax: its version is no circumstance."""

    runs = {"old": made("old"), "new": made("new")}
    for name, version in (("old", "0.2.5"), ("new", "0.2.6")):
        runs[name].environment["packages"]["companion"] = version
        runs[name].environment["frameworks"]["torch"]["distributions"] = ["torch", "companion"]
    found = compare(*(run.write(tmp_path / name) for name, run in runs.items()))
    assert found.title == "torch 2.12.0 → 2.13.0, companion 0.2.5 → 0.2.6"
    assert found.remarks == ()


def test_a_run_that_was_cut_short_is_no_success(tmp_path: Path) -> None:
    def plant(run: Made) -> None:
        run.environment["frameworks"]["torch"]["status"] = "the process\nwas killed"

    found = compared(tmp_path, plant)
    assert found.incomplete == {"NEW: torch": "the process was killed"}
    done = CliRunner().invoke(cli, ["compare", str(tmp_path / "old"), str(tmp_path / "new")])
    assert "was not judged to the end: the process was killed" in done.output
    assert status("compare", tmp_path / "old", tmp_path / "new") == 2


# -- the table, and what people see ------------------------------------------------------------------


def plenty(run: Made) -> None:
    """A change of every kind but the good ones, and texts that try to break out of every format."""
    WRONG(run)
    run.row(*VALUE).update(verdict="fail", note=HOSTILE, error=4e6)
    changed(*GRADIENT, to=one_ulp, of="x")(run)
    changed("ReLU", "float32", "special", to=filled(np.float32(0.5)), of="x")(run)
    changed("ReLU", "float16", "value", to=filled(np.float16("nan")))(run)
    answers = run.answers("HuberLoss", "float32", "value")
    answers[smallest(run, answers)] = {"raised": f"TypeError: {HOSTILE}"}
    run.callable("huber_loss")["signature"] = f"(input, target, delta='{HOSTILE}')"


HOSTILE = "</script><script>alert(1)</script> | `a` ``` [x](http://evil) 50% a:b,c::error::no"


def test_most_serious_first(tmp_path: Path) -> None:
    old, new = made("old"), made("new")
    plenty(new)
    old.row("Softmax", "float16", "property").update(verdict="fail", error=9.0)
    old.row("HuberLoss", "float16", "property").update(verdict="limited", error=9.0)
    found = compare(old.write(tmp_path / "old"), new.write(tmp_path / "new"))
    order = list(dict.fromkeys(found.table["change"]))
    assert order == list(CHANGES)
    assert found.counts == {c: int((found.table["change"] == c).sum()) for c in CHANGES}
    assert list(found.table.query("change == 'convention'")["what"]) == ["exception", "NaN", "kink"]


def test_every_row_has_its_evidence(tmp_path: Path) -> None:
    found = compared(tmp_path, plenty)
    for row in found.table.to_dict("records"):
        assert row["old"]
        assert row["new"]
        assert "torch.nn" in row["reproducer"]
        compile(row["reproducer"], "reproducer", "exec")
        if row["change"] != "api":
            assert json.loads(row["case"])["inputs"]
            assert row["oracle"]


class Page(HTMLParser):
    """The tags and the text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.said = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        assert not {"src", "onclick", "onerror"} & {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name == "href"]

    def handle_data(self, data: str) -> None:
        self.said += data


def test_html_is_one_file_and_escaped(tmp_path: Path) -> None:
    text = render(compared(tmp_path, plenty), "html")
    page = Page(text)
    assert "script" not in page.tags
    assert all(link.startswith("#") for link in page.links)
    assert "<script>alert(1)" in page.said
    assert "1 regressed, 1 drifted, 3 convention, 1 api" in page.said
    assert "torch 2.12.0 → 2.13.0" in page.said


def test_json_is_the_whole_table(tmp_path: Path) -> None:
    found = compared(tmp_path, plenty)
    content = json.loads(render(found, "json"))
    assert content["schema"] == 1
    assert content["counts"] == {c: found.counts.get(c, 0) for c in CHANGES}
    assert content["unchanged"] == found.unchanged
    assert content["new"]["frameworks"]["torch"]["version"] == "2.13.0"
    assert len(content["changes"]) == len(found.table)
    assert [set(row) for row in content["changes"]] == [set(COLUMNS)] * len(found.table)
    assert content["changes"][0]["case"]["inputs"]["x"] == pytest.approx(1.13857)
    assert content["changes"][0]["error_new"] > 1e6


def test_markdown_keeps_its_tables_and_fences(tmp_path: Path) -> None:
    from markdown_it import MarkdownIt

    found = compared(tmp_path, plenty)
    page = Page(MarkdownIt("commonmark").enable("table").render(render(found, "markdown")))
    shown = [group for change in found.counts for group in groups(found, change)]
    assert page.tags.count("details") == len(shown) + len(found.counts)
    assert page.tags.count("tr") == len(shown) + len(found.counts)
    assert page.tags.count("td") == 4 * len(shown)
    assert page.tags.count("pre") == len(shown)
    assert not {"script", "img"} & set(page.tags)
    assert "<script>alert(1)" in page.said


def test_markdown_fits_a_comment(tmp_path: Path) -> None:
    def everything(run: Made) -> None:
        plenty(run)
        for row in run.callables:
            defaults = ", ".join(f"a{n}={'x' * 300!r}" for n in range(40))
            row["signature"] = f"({defaults})"

    found = compared(tmp_path, everything)
    text = render(found, "markdown")
    assert len(text) <= COMMENT
    assert "Left out" in text
    assert text.count("<details") == text.count("</details>")
    bare = re.search(r"what shows ([\d,]+) lines", text)
    assert bare
    assert text.count("| parameter ") == len(groups(found, "api"))
    assert text.count("<details>") - 3 + int(bare[1]) == text.count("\n| `")
    short = render_within(found, 3000)
    left = re.search(r"([\d,]+) lines of api", short)
    assert left
    assert short.count("| parameter ") + int(left[1]) == len(groups(found, "api"))
    assert "pass → fail" in short  # what is most serious stays


def render_within(found: Comparison, limit: int) -> str:
    text = comparison_markdown(found, limit)
    assert len(text) <= limit
    return text


def test_annotations_are_escaped(tmp_path: Path) -> None:
    found = compared(tmp_path, plenty)
    lines = render(found, "github", ("api",)).splitlines()
    levels = [re.match(r"::(error|warning|notice) title=([^:,]*)::", line) for line in lines]
    assert all(levels)
    assert [m[1] for m in levels if m] == ["error", *["warning"] * 4, "error", "notice"]
    assert "50%25 a:b" in lines[0]
    assert all("\r" not in line for line in lines)


def test_text_folds_dtypes(tmp_path: Path) -> None:
    def plant(run: Made) -> None:
        for dtype in ("float16", "float32"):
            changed("softmax", dtype, "value", to=one_ulp)(run)

    text = render(compared(tmp_path, plant), "text")
    assert "≈ torch.nn.functional.softmax  float16, float32 · value" in text
    assert "2 drifted; 86 unchanged." in text
    assert "\x1b" not in text


# -- the command -------------------------------------------------------------------------------------


def status(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(a) for a in arguments])
    return int(ended.value.code or 0)


@pytest.mark.parametrize(
    ("plant", "options", "expected"),
    [
        (None, [], 0),
        (changed(*VALUE, to=one_ulp), [], 0),
        (changed(*VALUE, to=one_ulp), ["--fail-on", "convention,api"], 0),
        (changed(*VALUE, to=one_ulp), ["--fail-on", "convention, drifted"], 1),
        (changed(*VALUE, to=filled(NAN)), ["--fail-on", "convention"], 1),
        (judged(*VALUE, verdict="fail", plant=WRONG), [], 1),
        (None, ["--fail-on", "fixed"], 2),
        (None, ["--format", "pdf"], 2),
    ],
)
def test_exit_status(
    tmp_path: Path, plant: Plant | None, options: list[str], expected: int
) -> None:
    compared(tmp_path, plant)
    assert status("compare", tmp_path / "old", tmp_path / "new", *options) == expected


@pytest.mark.parametrize("form", FORMATS)
def test_formats_on_stdout_and_in_a_file(
    tmp_path: Path, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = compared(tmp_path, plenty)
    folders = tmp_path / "old", tmp_path / "new"
    status("compare", *folders, "--format", form)
    printed = capsys.readouterr().out
    status("compare", *folders, "--format", form, "--out", tmp_path / "file")
    assert capsys.readouterr().out.strip() == found.headline
    written = (tmp_path / "file").read_text(encoding="utf-8")
    assert printed.split() == written.split()


def edited(path: Path, change: Callable[[bytes], bytes]) -> None:
    path.write_bytes(change(path.read_bytes()))


def unsealed(folder: Path) -> None:
    """Take the digests out, as a run of an early version has none."""
    path = folder / "environment.json"
    facts = json.loads(path.read_text())
    del facts["files"]
    path.write_text(json.dumps(facts))


def half(content: bytes) -> bytes:
    return content[: len(content) // 2]


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("measurements.csv", half, "truncated or was edited"),
        ("measurements.csv", lambda c: c.replace(b"pass", b"fail", 1), "truncated or was edited"),
        ("callables.csv", lambda c: c + b"x", "truncated or was edited"),
        ("outputs/torch.jsonl.xz", half, "truncated or was edited"),
        ("environment.json", half, "not valid JSON"),
        ("environment.json", lambda c: b"[1]", "states no schema"),
        ("environment.json", lambda c: c.replace(b'"schema": 1', b'"schema": 9'), "schema 9"),
        ("environment.json", lambda c: c.replace(b'"corpus"', b'"corpsu"'), "'corpus' is missing"),
        ("environment.json", lambda c: c.replace(b'"status"', b'"satus"'), "has no version"),
    ],
)
def test_damaged_files_are_one_clear_line(
    tmp_path: Path, name: str, change: Any, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    compared(tmp_path)
    edited(tmp_path / "old" / name, change)
    capsys.readouterr()
    assert status("compare", tmp_path / "old", tmp_path / "new") == 2
    line = capsys.readouterr().err
    assert len(line.splitlines()) == 1
    assert name in line
    assert said in line


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("measurements.csv", lambda c: c[: c.rindex(b",pass")], "unknown verdict"),
        ("measurements.csv", lambda c: c.replace(b",error,", b",eror,", 1), "lacks the columns"),
        ("measurements.csv", lambda c: c.replace(b",cpu,", b",cpu,cpu,", 1), "measurements.csv"),
        ("callables.csv", lambda c: c.replace(b"signature", b"signatur", 1), "lacks the columns"),
        ("outputs/torch.jsonl.xz", half, "is damaged"),
        ("outputs/torch.jsonl.xz", lambda c: lzma.compress(b'{"row": 1}\n'), "is damaged"),
        ("outputs/torch.jsonl.xz", lambda c: b"no xz at all", "is damaged"),
        ("outputs/torch.jsonl.xz", lambda c: lzma.compress(b"[1]\n"), "is damaged"),
        ("outputs/torch.jsonl.xz", lambda c: lzma.compress(b"{no json\n"), "is damaged"),
    ],
)
def test_damage_is_seen_without_digests_too(
    tmp_path: Path, name: str, change: Any, said: str
) -> None:
    compared(tmp_path)
    unsealed(tmp_path / "old")
    edited(tmp_path / "old" / name, change)
    with pytest.raises(UsageError, match=re.escape(Path(name).name)) as raised:
        compare(tmp_path / "old", tmp_path / "new")
    assert said in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1


def test_folders_that_are_no_runs(tmp_path: Path) -> None:
    compared(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="nowhere: no such folder"):
        compare(tmp_path / "nowhere", tmp_path / "new")
    with pytest.raises(UsageError, match=r"environment\.json: no such file"):
        compare(tmp_path / "old", tmp_path / "empty")
    (tmp_path / "old" / "measurements.csv").unlink()
    with pytest.raises(UsageError, match=r"measurements\.csv: no such file"):
        compare(tmp_path / "old", tmp_path / "new")


def test_nothing_in_common(tmp_path: Path) -> None:
    def plant(run: Made) -> None:
        run.rows = {k: {**row, "device": "cuda"} for k, row in run.rows.items()}

    with pytest.raises(UsageError, match="nothing to compare"):
        compared(tmp_path, plant)


# -- baselines ---------------------------------------------------------------------------------------


def test_a_baseline_is_as_good_as_its_run(tmp_path: Path) -> None:
    whole = compared(tmp_path, plenty)
    kept = baseline(tmp_path / "old", tmp_path / "kept")
    found = compare(kept, tmp_path / "new")
    columns = ["callable", "dtype", "aspect", "change", "what", "old", "new", "case", "reproducer"]
    pd.testing.assert_frame_equal(found.table[columns], whole.table[columns])
    assert found.unchanged == whole.unchanged
    assert found.title == whole.title
    assert compare(kept, tmp_path / "old").table.empty
    assert compare(tmp_path / "old", kept).table.empty
    other = baseline(tmp_path / "new", tmp_path / "other")
    assert compare(kept, other).counts == whole.counts


def test_a_baseline_leaves_out_what_is_long(tmp_path: Path) -> None:
    compared(tmp_path, judged(*VALUE, verdict="known", note="[one] bug: why\nx\n[two] bug: why"))
    kept = baseline(tmp_path / "new", tmp_path / "kept")
    table = load(kept).table
    assert set(table["worst"]) == set(table["reproducer"]) == {""}
    assert set(table["version"]) == {"2.13.0"}
    assert "2.13.0" not in (kept / "measurements.csv").read_text()
    assert table.query("verdict == 'known'")["note"].tolist() == ["[one] [two]"]
    sizes = [
        sum(p.stat().st_size for p in folder.rglob("*.*") if p.suffix in (".csv", ".xz"))
        for folder in (kept, tmp_path / "new")
    ]
    assert sizes[0] < 0.75 * sizes[1]


def test_a_difference_beyond_what_a_baseline_keeps_is_seen(tmp_path: Path) -> None:
    def plant(run: Made) -> None:
        answers = run.answers(*GRADIENT)
        large = max(answers, key=lambda c: len(answers[c]["gradients"]["x"]))
        edit(answers[large], lambda a: a.flat.__setitem__(-1, a.flat[-1] * np.float32(1.1)), "x")

    compared(tmp_path, plant)
    row = only(compare(baseline(tmp_path / "old", tmp_path / "kept"), tmp_path / "new"))
    assert (row["change"], row["what"]) == ("drifted", "gradient by x")
    assert "beyond the first 32 results" in row["new"]
    assert math.isnan(row["ulp"])


def test_a_baseline_is_replaced_in_place(tmp_path: Path) -> None:
    compared(tmp_path, plenty)
    kept = baseline(tmp_path / "old", tmp_path / "kept")
    first = {p.name: p.read_bytes() for p in kept.rglob("*") if p.is_file()}
    (kept / "outputs" / "gone.jsonl.xz").write_bytes(b"")
    baseline(tmp_path / "new", kept)
    assert {p.name for p in kept.rglob("*") if p.is_file()} == set(first)
    assert compare(kept, tmp_path / "new").table.empty
    baseline(tmp_path / "old", kept)
    assert {p.name: p.read_bytes() for p in kept.rglob("*") if p.is_file()} == first


def test_ends_of_lines_do_not_count(tmp_path: Path) -> None:
    compared(tmp_path)
    kept = baseline(tmp_path / "old", tmp_path / "kept")
    for name in ("measurements.csv", "callables.csv", "environment.json"):
        edited(kept / name, lambda content: content.replace(b"\n", b"\r\n"))
    assert compare(kept, tmp_path / "new").table.empty


def test_baseline_refuses_what_it_must_not_overwrite(tmp_path: Path) -> None:
    compared(tmp_path)
    with pytest.raises(UsageError, match="is no baseline"):
        baseline(tmp_path / "old", tmp_path / "new")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "precious").touch()
    assert status("baseline", tmp_path / "old", tmp_path / "mine") == 2
    assert (tmp_path / "mine" / "precious").exists()
    assert status("baseline", tmp_path / "nowhere", tmp_path / "kept") == 2
    run = made("old")
    run.environment["frameworks"]["torch"]["status"] = "killed"
    with pytest.raises(UsageError, match="not judged to the end"):
        baseline(run.write(tmp_path / "cut"), tmp_path / "kept")
    assert status("baseline", tmp_path / "old", tmp_path / "kept") == 0
