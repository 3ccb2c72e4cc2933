"""The command line: quick, one clear line for a mistake, and the exit statuses of the contract."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nnconform.reference import catalogue

from .planting import nnconform, plant, python

HEAVY = {"torch", "tensorflow", "keras", "pandas", "hypothesis", "pytest"}


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return plant(tmp_path_factory.mktemp("planted"))


@pytest.mark.parametrize(
    ("arguments", "heavy"),
    [(["--help"], HEAVY | {"numpy", "rich"}), (["list"], HEAVY), (["run", "--help"], HEAVY)],
)
def test_answers_at_once_because_nothing_heavy_is_imported(
    env: dict[str, str], tmp_path: Path, arguments: list[str], heavy: set[str]
) -> None:
    code = (
        "import atexit, json, sys\n"
        "atexit.register(lambda: print(json.dumps(sorted(sys.modules)), file=sys.stderr))\n"
        "from nnconform.conformance.cli import main\n"
        f"main({arguments!r})\n"
    )
    done = python("-P", "-c", code, env=env, cwd=tmp_path)
    assert done.returncode == 0
    assert not heavy & set(json.loads(done.stderr.splitlines()[-1]))


def test_list_is_functions_by_surfaces(env: dict[str, str], tmp_path: Path) -> None:
    done = nnconform("list", env=env, cwd=tmp_path)
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert {line.split()[0] for line in lines if line.startswith("  ") and line[2] != " "} == set(
        catalogue()
    )
    for surface in ("torch.nn.functional", "tf.nn", "keras.losses", "planted"):
        assert any(line.endswith(surface) for line in lines)
    assert "planted breakage" in done.stderr

    done = nnconform("list", "--frameworks", "planted", env=env, cwd=tmp_path)
    assert next(line.split() for line in done.stdout.splitlines() if "sigmoid" in line)[1:] == ["2"]
    done = nnconform("list", "--functions", "sig*", env=env, cwd=tmp_path)
    assert "tanh" not in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "--functions", "sigmiod"], "unknown function 'sigmiod'; nearest: sigmoid"),
        (["run", "--frameworks", "troch"], "unknown framework 'troch'; nearest: torch"),
        (["run", "--dtypes", "float31"], "unknown dtype 'float31'; nearest: float32"),
        (["list", "--functions", "sigmiod"], "unknown function 'sigmiod'; nearest: sigmoid"),
        (["run", "--profile", "fast"], "'fast' is not one of 'quick', 'default', 'deep'"),
        (["run", "--seed", "x"], "'x' is not a valid integer"),
        (["run", "--out", "here"], "exists and is not the folder of a run"),
        (["run", "--out", "file"], "is not a folder"),
        (["run", "--frameworks", "planted", "--functions", "ctc"], "planted offers ctc"),
        (["run", "--frameworks", "absent"], "add it with: pip install absent-framework"),
        (["run", "--frameworks", "broken"], "planted breakage"),
        (["report", "nowhere"], "nowhere: no such folder"),
        (["report"], "Missing argument 'DIR'"),
        (["rnu"], "No such command 'rnu'; nearest: run"),
        (["run", "--sede", "1"], "'--seed'"),
    ],
)
def test_wrong_usage_is_one_clear_line(
    env: dict[str, str], tmp_path: Path, arguments: list[str], said: str
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "precious").touch()
    (tmp_path / "file").touch()
    if "--frameworks" not in arguments and arguments[0] == "run":
        arguments = [*arguments, "--frameworks", "planted"]
    done = nnconform(*arguments, env=env, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("nnconform: ")
    assert said in done.stderr
    assert (tmp_path / "here" / "precious").exists()


@pytest.mark.slow
def test_a_run_and_its_report(env: dict[str, str], tmp_path: Path) -> None:
    options = ("--functions", "sig*", "--dtypes", "float32", "--profile", "quick", "--jobs", "1")
    frameworks = ("--frameworks", "absent,planted")
    done = nnconform("run", *frameworks, *options, "--out", "kept", env=env, cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "absent is not installed; add it with: pip install absent-framework" in done.stderr
    assert "planted 1.2.3: started" in done.stderr
    assert "planted 1.2.3: 9 of 10" in done.stderr
    assert "planted 1.2.3: done: " in done.stderr
    assert "report.html" in done.stdout
    assert "planted.wrong" in done.stdout

    for name in ("report.md", "report.html"):
        (tmp_path / "kept" / name).unlink()
    again = nnconform("report", "kept", env=env, cwd=tmp_path)
    assert again.returncode == 1
    assert again.stdout.splitlines()[:-1] == done.stdout.splitlines()[:-1]
    assert (tmp_path / "kept" / "report.html").exists()
