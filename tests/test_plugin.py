"""The plugin: ordinary pytest for the conformance tests, and nothing at all for anybody else's."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from .planting import plant, python


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return plant(tmp_path_factory.mktemp("planted"))


def conformance(env: dict[str, str], cwd: Path, *options: str) -> CompletedProcess[str]:
    """`pytest --pyargs nnconform.conformance` on the planted sigmoids."""
    selection = ("--frameworks", "planted", "--functions", "sigmoid", "--dtypes", "float32")
    command = ("-m", "pytest", "--pyargs", "nnconform.conformance", *selection)
    return python(*command, "--hypothesis-profile", "nnconform-quick", *options, env=env, cwd=cwd)


def last_line(done: CompletedProcess[str]) -> str:
    return done.stdout.strip().splitlines()[-1]


def test_from_any_folder(env: dict[str, str], tmp_path: Path) -> None:
    done = conformance(env, tmp_path)
    assert done.returncode == 1
    assert "3 failed, 7 passed" in last_line(done)
    assert "measurements" in done.stdout  # the summary table
    assert "reproduce with:" in done.stdout


def test_k(env: dict[str, str], tmp_path: Path) -> None:
    done = conformance(env, tmp_path, "-k", "test_value and sound")
    assert done.returncode == 0
    assert "1 passed" in last_line(done)


def test_x(env: dict[str, str], tmp_path: Path) -> None:
    done = conformance(env, tmp_path, "-x", "-k", "wrong")
    assert done.returncode == 1
    assert "1 failed" in last_line(done)


def test_workers_and_junitxml(env: dict[str, str], tmp_path: Path) -> None:
    done = conformance(
        env, tmp_path, "-n", "2", "--junitxml", "out.xml", "--conformance-out", "run"
    )
    assert "3 failed, 7 passed" in last_line(done)
    cases = ET.parse(tmp_path / "out.xml").getroot().findall(".//testcase")
    rows = [
        p for case in cases for p in case.findall(".//property") if p.get("name") == "nnconform"
    ]
    assert {json.loads(p.attrib["value"])["callable"] for p in rows} == {"sound", "wrong"}
    assert len(rows) == 10
    journals = (tmp_path / "run" / "journal").glob("planted-gw*.jsonl")
    assert sum(file.read_text().count('"event": "row"') for file in journals) == 10


def test_hypothesis_statistics(env: dict[str, str], tmp_path: Path) -> None:
    done = conformance(env, tmp_path, "-k", "test_value and sound", "--hypothesis-show-statistics")
    assert "Hypothesis Statistics" in done.stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--functions", "sigmiod"], "nearest: sigmoid"),
        (["--frameworks", "absent"], "pip install absent-framework"),
    ],
)
def test_wrong_usage(env: dict[str, str], tmp_path: Path, options: list[str], said: str) -> None:
    done = conformance(env, tmp_path, *options)
    assert done.returncode == 4
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_other_peoples_sessions_are_left_alone(env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(
        "import sys\n"
        "def test_mine():\n"
        "    assert 'nnconform.conformance.plugin' in sys.modules\n"
        "    assert not {'numpy', 'hypothesis', 'pandas', 'torch'} & set(sys.modules)\n"
        "    assert not {m for m in sys.modules if m.startswith('nnconform.reference')}\n"
    )
    done = python("-m", "pytest", "-p", "no:hypothesispytest", env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "nnconform" not in last_line(done)
    assert not (tmp_path / "nnconform-run").exists()
