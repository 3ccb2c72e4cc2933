"""Recorded divergences: what a record may say, what it covers, and that it is strict."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nnconform.conformance import divergences
from nnconform.conformance.divergences import REASONS, Record, parse
from nnconform.conformance.measurement import Measurement
from nnconform.reference import catalogue

from .gauntlet import BCE, Mutant, V, measured
from .oracle_adapter import OracleAdapter

RECORD = """
[[divergence]]
id = "oracle-relu-cut"
surface = "oracle"
function = "relu"
aspect = "value"
reason = "bug"
why = "cut at 6"
"""


def one(text: str = "", base: str = RECORD) -> Record:
    (record,) = parse(base + text)
    return record


# -- parsing ---------------------------------------------------------------------------------------------


def test_a_record_reads_as_it_is_written() -> None:
    record = one('where = "x > 6"\ndtype = ["float16", "float32"]\nlink = "https://example.org"')
    assert record.surface == ("oracle",)
    assert record.dtype == ("float16", "float32")
    assert record.callable == ("*",)
    assert record.note == "[oracle-relu-cut] bug: cut at 6 (https://example.org)"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (RECORD + 'were = "x > 6"', "oracle-relu-cut: unknown .'were'."),
        (RECORD.replace('why = "cut at 6"', ""), "oracle-relu-cut: missing .'why'."),
        (RECORD.replace("bug", "feature"), "oracle-relu-cut: reason is 'feature'"),
        (RECORD.replace('id = "oracle-relu-cut"', ""), "number 1: missing .'id'."),
        (RECORD + RECORD, "same id.*oracle-relu-cut"),
        (RECORD + 'versions = "2.13"', "oracle-relu-cut: versions is '2.13', neither"),
        (RECORD + 'versions = "optax >> 2"', "oracle-relu-cut: versions is 'optax >> 2', neither"),
    ],
    ids=["unknown", "missing", "reason", "no-id", "double", "version", "distribution"],
)
def test_errors_name_the_record_and_the_field(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse(text)


def test_what_stands_at_the_top_of_a_file_is_said_of_its_records_alone() -> None:
    top = 'framework = "keras"'
    second, third = (RECORD.replace("oracle-relu-cut", name) for name in ("second", "third"))
    read = parse(top + RECORD, top + second + 'framework = "torch"', third)
    assert [r.framework for r in read] == [("keras",), ("torch",), ("*",)]
    with pytest.raises(ValueError, match=r"oracle-relu-cut: unknown .'framwork'."):
        parse('framwork = "keras"' + RECORD)


def test_a_wrong_expression_says_what_is_wrong() -> None:
    with pytest.raises(NameError, match="nothing_of_that_name"):
        one('where = "nothing_of_that_name > 6"').covers((2,), {"x": np.ones(2)})


def test_expressions_reach_nothing_but_numbers() -> None:
    with pytest.raises(NameError):
        one("where = \"__import__('os')\"").covers((1,), {"x": np.ones(1)})


# -- which rows ------------------------------------------------------------------------------------------

ROW: dict[str, Any] = {
    "framework": "keras",
    "surface": "oracle",
    "function": "relu",
    "callable": "relu",
    "dtype": "float32",
    "aspect": "value",
    "reduction": "none",
    "version": "2.13.0",
}


@pytest.mark.parametrize(
    ("text", "row", "applies"),
    [
        ("", {}, True),
        ("", {"function": "elu"}, False),
        ("", {"aspect": "gradient"}, False),
        ('framework = "keras"', {}, True),
        ('framework = "keras"', {"framework": "keras-torch"}, False),
        ('dtype = ["float16", "bfloat16"]', {}, False),
        ('callable = "rel*"', {}, True),
        ('callable = "leaky*"', {}, False),
        ('reduction = ["sum", "mean"]', {}, False),
        ('versions = "<2.13"', {}, False),
        ('versions = ">=2.13"', {}, True),
        ('versions = ">=2.13,<2.14"', {"version": "2.13.1+cpu"}, True),
        ('versions = "<2.14"', {"version": "2.14.0rc1"}, False),
        ('versions = ">2.12"', {"version": "2.13.0.dev20250101"}, True),
    ],
)
def test_a_record_speaks_of_the_rows_that_it_names(
    text: str, row: dict[str, str], applies: bool
) -> None:
    assert one(text).applies({**ROW, **row}) is applies


@pytest.mark.parametrize(
    ("versions", "applies"),
    [
        ('"optax>=0.2.6"', True),
        ('"optax<0.2.6"', False),
        ('["optax>=0.2.6", ">=2.13"]', True),
        ('["optax>=0.2.6", "<2.13"]', False),
        ('"scipy>=1"', False),  # not there
    ],
)
def test_a_record_may_speak_of_versions_of_what_a_framework_is_made_of(
    versions: str, applies: bool
) -> None:
    found = one(f"versions = {versions}").applies(ROW, {"framework": "2.13.0", "optax": "0.2.8"})
    assert found is applies


# -- which points ----------------------------------------------------------------------------------------


def test_where_selects_points_and_case_selects_cases() -> None:
    names = {"x": np.asarray([[1.0, 9.0], [7.0, 2.0]]), "alpha": 2.0}
    assert one('where = "x > 6"').covers((2, 2), names).tolist() == [[False, True], [True, False]]
    assert one('where = "x > 6"').covers((2,), names).tolist() == [True, True]  # per row
    assert one('case = "alpha == 2"').covers((2, 2), names).all()
    assert not one('case = "alpha == 3"').covers((2, 2), names).any()
    assert not one('where = "x > 6"\ncase = "alpha == 3"').covers((2, 2), names).any()


def test_of_selects_gradients_by_input() -> None:
    record = one('of = "weight"')
    assert record.covers((1,), {}, "weight").all()
    assert not record.covers((1,), {}, "x").any()


# -- strictness ------------------------------------------------------------------------------------------

CUT = Mutant("cut", "relu", V, "relu6", formula=lambda x: np.clip(x, 0, 6))
RIGHT = Mutant("right", "relu", V, "nothing wrong")


@contextmanager
def recorded(monkeypatch: pytest.MonkeyPatch, *records: Record) -> Iterator[None]:
    monkeypatch.setattr(divergences, "records", lambda: records)
    yield


def verdict(mutant: Mutant) -> tuple[Measurement, str]:
    return measured(mutant.subject(mutant.adapter()))


def test_a_record_makes_a_failure_known(monkeypatch: pytest.MonkeyPatch) -> None:
    with recorded(monkeypatch, one('where = "x > 6"')):
        m, _ = verdict(CUT)
        assert m.verdict == "known"
        assert "[oracle-relu-cut]" in m.row()["note"]
        assert m.row()["worst"]


def test_a_record_that_no_longer_shows_is_fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    with recorded(monkeypatch, one('where = "x > 6"')):
        m, _ = verdict(RIGHT)
        assert m.verdict == "fixed"
        assert "no longer shows: oracle-relu-cut" in m.row()["note"]


def test_a_rare_record_need_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    with recorded(monkeypatch, one('where = "x > 6"\nrare = true')):
        assert verdict(RIGHT)[0].verdict == "pass"
        assert verdict(CUT)[0].verdict == "known"


def test_each_of_two_records_must_show(monkeypatch: pytest.MonkeyPatch) -> None:
    other = one('where = "x < -1"', RECORD.replace("relu-cut", "relu-other"))
    with recorded(monkeypatch, one('where = "x > 6"'), other):
        m, _ = verdict(CUT)
        assert m.verdict == "fixed"
        assert m.stale == ["oracle-relu-other"]


@pytest.mark.parametrize("where", ["x > 1e6", "x > 6 and False", "got == 5"])
def test_a_record_hides_nothing_but_its_points(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    where = where.replace("x > 6 and False", "(x > 6) & (x < 0)")
    with recorded(monkeypatch, one(f'where = "{where}"')):
        m, message = verdict(CUT)
        assert m.verdict == "fail"
        assert "relu" in message


def test_a_record_hides_nothing_of_another_dtype(monkeypatch: pytest.MonkeyPatch) -> None:
    with recorded(monkeypatch, one('dtype = "float16"')):
        assert verdict(CUT)[0].verdict == "fail"
        assert verdict(replace(CUT, dtype="float16"))[0].verdict == "known"


def test_a_record_of_one_gradient_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    base = RECORD.replace('"value"', '"gradient"').replace('"relu"', f'"{BCE}"')
    wrong = Mutant(
        "both",
        BCE,
        "gradient",
        "twice",
        pullback=lambda c, **a: {n: 2 * g for n, g in catalogue()[BCE].gradients(c, **a).items()},
    )
    with recorded(monkeypatch, one('of = "target"', base)):
        m, _ = verdict(wrong)
        assert m.verdict == "fail"
        assert "with respect to input" in m.failure
    with recorded(monkeypatch, one('of = ["target", "input"]', base)):
        assert verdict(wrong)[0].verdict == "known"


def raising(message: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def prepare(_: dict[str, Any]) -> dict[str, Any]:
        raise RuntimeError(message)

    return prepare


def test_an_exception_is_covered_by_its_message_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Mutant("raises", "relu", V, "", prepare=raising("relu: kernel 7 is missing"))
    with recorded(monkeypatch, one('raises = "kernel 7"')):
        assert verdict(broken)[0].verdict == "known"
        assert verdict(CUT)[0].verdict == "fail"  # wrong numbers are no exception
    with recorded(monkeypatch, one('raises = "kernel 8"')):
        m, _ = verdict(broken)
        assert m.verdict == "fail"
        assert "kernel 7" in m.failure
    with recorded(monkeypatch, one('where = "x > 6"')):
        assert verdict(broken)[0].verdict == "fail"  # nor is an exception a wrong number


def test_a_record_of_another_version_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    version = OracleAdapter().version
    with recorded(monkeypatch, one(f'versions = "<{version}"')):
        assert verdict(CUT)[0].verdict == "fail"
        assert verdict(RIGHT)[0].verdict == "pass"


# -- what is shipped -------------------------------------------------------------------------------------


@pytest.mark.parametrize("record", divergences.records(), ids=lambda r: r.id)
def test_shipped_records_are_complete(record: Record) -> None:
    assert record.reason in REASONS
    others = [r for r in divergences.records() if r.id != record.id and r.evidence]
    elsewhere = any(
        other.id in record.why.split() or f"{other.id}." in record.why for other in others
    )
    assert len(record.why.split()) >= 4 or elsewhere, "a reason that a maintainer can learn from"
    assert record.evidence or elsewhere, "a few lines that show it"
    ast.parse(record.evidence)
    assert not record.link or record.link.startswith("https://")
    for expression in (record.where, record.case):
        ast.parse(expression or "True", mode="eval")
    known = set(catalogue())
    assert all(name in known or "*" in name for name in record.function)


def test_shipped_records_exist_and_ids_are_unique() -> None:
    ids = [r.id for r in divergences.records()]
    assert ids
    assert len(set(ids)) == len(ids)


def test_a_record_of_numbers_says_nothing_of_a_wrong_shape() -> None:
    """A shape or a rule is checked without ``got``; such a record must neither cover it nor fail."""
    known = divergences.records()
    record = next(r for r in known if r.where and "got" in r.where and not r.case)
    assert not record.covers((), {}).any()
