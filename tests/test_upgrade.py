"""Upgrades: all sides judged alike, neighbours compared, whatever a side does."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from nnconform import load
from nnconform.conformance import upgrade as upgrades
from nnconform.conformance.cli import cli
from nnconform.conformance.selection import UsageError
from nnconform.conformance.upgrade import Options, Side, bisect, upgrade
from nnconform.reports.history import history, history_markdown, history_text

from .planting import plant
from .test_interpreter import environment

pytestmark = pytest.mark.slow

COLUMNS = ["function", "framework", "surface", "callable", "change"]


@dataclass
class Compared:
    """Stands in for a comparison: a row for each version of relu that is newer than 1.4."""

    old: str
    new: str

    @property
    def table(self) -> pd.DataFrame:
        changed = self.old < "planted-1.4" <= self.new
        rows = [("relu", "planted", "planted", "slow", "drifted")] if changed else []
        return pd.DataFrame(rows, columns=COLUMNS)

    def failed(self, fail_on: Collection[str]) -> bool:
        return "drifted" in fail_on and len(self.table) > 0


def render(found: Compared, form: str, fail_on: Collection[str] = ()) -> str:
    if form == "json":
        return json.dumps([found.old, found.new])
    if form == "html":
        return f"<html><head></head><body><p>{found.old} {found.new}</p></body></html>"
    return f"{found.old} → {found.new}: {len(found.table)} changed\n"


@pytest.fixture(autouse=True)
def comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for the comparison of two folders, which has tests of its own."""
    monkeypatch.setattr(
        "nnconform.conformance.comparison.compare",
        lambda old, new: Compared(Path(old).name, Path(new).name),
    )
    monkeypatch.setattr("nnconform.reports.comparison.render", render)


def judged(sides: Iterable[Side], options: Options, tell: Callable[[str], None]) -> None:
    for side in sides:
        side.folder.mkdir(parents=True, exist_ok=True)


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Environments and runs that are nothing but folders; the versions that were asked for."""
    asked: list[str] = []

    def build(requirements: list[str], python: str | None) -> Path:
        asked.extend(requirements)
        if "planted==9" in requirements:
            raise UsageError("there is no planted==9")
        return Path(python or "python")

    monkeypatch.setattr(upgrades, "build", build)
    monkeypatch.setattr(upgrades, "_survey", lambda side: None)
    monkeypatch.setattr(upgrades, "_judge", judged)
    return asked


# -- whole ones --------------------------------------------------------------------------------


def test_two_environments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One side's framework dies when it starts: what the other measured is kept."""
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(Path(upgrades.__file__).parents[2]))
    pythons = {}
    for text in ("planted==1.3", "planted==1.5"):
        pythons[text] = environment(tmp_path / text, own_packages=True)
        site = next((tmp_path / text).glob("lib/python*/site-packages"), tmp_path / text / "Lib")
        plant(site)
    broken = next((tmp_path / "planted==1.5").rglob("planted.py"))
    broken.write_text(
        broken.read_text().replace('os.environ.get("PLANTED_START") == "dies early"', "True")
    )
    monkeypatch.setattr(upgrades, "build", lambda requirements, python: pythons[requirements[0]])
    lines: list[str] = []
    made = upgrade(
        [*pythons],
        options=Options("sigmoid", "float32", "quick"),
        out=tmp_path / "out",
        tell=lines.append,
    )
    assert [side.frameworks for side in made.sides] == [["planted"], ["planted"]]
    assert list(made.failures) == ["planted==1.5"]
    assert "planted: no device" in made.failures["planted==1.5"]
    assert "\n" not in made.failures["planted==1.5"]
    assert len(load(tmp_path / "out" / "planted-1.3").table) == 10
    assert made.steps == {}
    assert made.status() == 2
    assert any("planted 1.2.3: done" in line for line in lines)


def test_three_versions(pretended: list[str], tmp_path: Path) -> None:
    made = upgrade(["planted==1.3", "planted==1.4", "planted==1.5"], out=tmp_path)
    assert list(made.steps) == [
        ("planted==1.3", "planted==1.4"),
        ("planted==1.4", "planted==1.5"),
    ]
    assert made.status() == 0
    assert made.status(["drifted"]) == 1
    lines = made.render("text").splitlines()
    assert lines[0].split() == ["function", "planted==1.4", "planted==1.5"]
    assert lines[1].split() == ["relu", "1", "drifted", "·"]
    assert "| `relu` | 1 drifted |  |" in made.render("markdown")
    content = json.loads(made.render("json"))
    assert content["history"] == {"relu": {"planted==1.4": "1 drifted"}}
    assert content["steps"]["planted==1.4 → planted==1.5"] == ["planted-1.4", "planted-1.5"]
    page = made.render("html")
    assert page.count("<body>") == page.count("</html>") == 1
    assert "<td>1 drifted</td>" in page
    assert "<p>planted-1.4 planted-1.5</p>" in page


def test_one_version_twice(pretended: list[str], tmp_path: Path) -> None:
    made = upgrade(["planted==1.3", "planted==1.3"], out=tmp_path)
    assert [side.folder.name for side in made.sides] == ["planted-1.3", "planted-1.3-2"]


def test_the_extra_pins_are_on_every_side(pretended: list[str], tmp_path: Path) -> None:
    upgrade(["planted==1.3", "planted==1.4"], extra=["numpy<2,ml_dtypes"], out=tmp_path)
    assert pretended.count("numpy<2") == pretended.count("ml_dtypes") == 2


@pytest.mark.parametrize(
    ("versions", "options", "said"),
    [
        (["planted==1.3"], {}, "two versions or more"),
        (["planted==1.3", "planted=1"], {}, "'planted=1' cannot be read"),
        (["planted==1.3", "planted==9"], {}, "there is no planted==9"),
        (["planted==1.3", "planted==1.4"], {"python": ["a", "b", "c"]}, "was given 3 times"),
        (["planted==1.3", "planted==1.4"], {"options": Options("sigmiod")}, "nearest: sigmoid"),
    ],
)
def test_wrong_usage(
    pretended: list[str], tmp_path: Path, versions: list[str], options: dict, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        upgrade(versions, out=tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


# -- where a change came from --------------------------------------------------------------------

RELEASES = ["1.0", "1.1", "1.2", "1.3", "1.3.1", "1.4", "1.5", "1.6", "1.7", "2.0"]


def test_bisect_finds_the_first_release(pretended: list[str], tmp_path: Path) -> None:
    found = bisect(
        "planted==1.1", "planted==1.7", "relu", out=tmp_path, releases=lambda name, python: RELEASES
    )
    assert (found.before, found.first) == ("1.3.1", "1.4")
    assert found.step is not None
    assert len(found.step.table) == 1
    assert found.said == (
        "relu changed with planted 1.4; 1.3.1 is as planted==1.1 (4 releases judged)."
    )
    assert "planted==1.0" not in pretended
    assert "planted==2.0" not in pretended


def test_bisect_where_nothing_changed(pretended: list[str], tmp_path: Path) -> None:
    found = bisect("planted==1.4", "planted==1.7", "relu", out=tmp_path)
    assert found.first == ""
    assert found.said == "relu is in planted==1.7 what it was in planted==1.4."


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("planted==1.4", "keras==3.0"),
        ("planted==1.4", "planted==1.3"),
        ("planted==1.4", "planted>=1.5"),
        ("planted==1.4", "planted==1.5,keras==3.0"),
    ],
)
def test_bisect_of_what_has_no_middle(
    pretended: list[str], tmp_path: Path, old: str, new: str
) -> None:
    with pytest.raises(UsageError, match=r"^--bisect needs"):
        bisect(old, new, "relu", out=tmp_path)


# -- the command -----------------------------------------------------------------------------------


def test_the_command(pretended: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(
            cli, ["upgrade", *arguments, "--out", str(tmp_path)], standalone_mode=False
        )
        return done.return_value, done.stdout

    assert run("planted==1.3", "planted==1.4") == (0, "planted-1.3 → planted-1.4: 1 changed\n")
    assert run("planted==1.3", "planted==1.4", "--fail-on", "api,drifted")[0] == 1
    bisected = ("planted==1.3", "planted==1.4", "--bisect", "relu")
    monkeypatch.setattr(upgrades, "_releases", lambda name, python: RELEASES)
    status, said = run(*bisected, "--fail-on", "drifted")
    assert status == 1
    assert said == (
        "relu changed with planted 1.4; 1.3.1 is as planted==1.3 (2 releases judged).\n\n"
        "planted-1.3.1 → planted-1.4: 1 changed\n"
    )
    facts = json.loads(run(*bisected, "--format", "json")[1])
    assert (facts["before"], facts["first"]) == ("1.3.1", "1.4")
    assert facts["step"] == ["planted-1.3.1", "planted-1.4"]


# -- the table ---------------------------------------------------------------------------------------


def test_history_counts_callables() -> None:
    rows = [
        ("relu", "keras", "keras.ops", "relu", "drifted"),
        ("relu", "keras", "keras.ops", "relu", "drifted"),  # another dtype
        ("relu", "keras", "keras.layers", "ReLU", "regressed"),
        ("elu", "keras", "keras.ops", "elu", "api"),
    ]
    first = pd.DataFrame(rows, columns=COLUMNS)
    table = history({"3.1": first, "3.2": first[:0], "3.3": first[3:]})
    assert list(table.index) == ["elu", "relu"]
    assert list(table.loc["relu"]) == ["1 regressed, 1 drifted", "", ""]
    assert list(table.loc["elu"]) == ["1 api", "", "1 api"]
    assert "| `elu` | 1 api |  | 1 api |" in history_markdown(table)
    assert history_text(table).splitlines()[2].split() == [
        "relu",
        "1",
        "regressed,",
        "1",
        "drifted",
        "·",
        "·",
    ]
    assert history({"3.1": first[:0]}).empty
