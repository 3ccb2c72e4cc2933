"""The plugin: ordinary pytest for the conformance tests, and nothing at all for anybody else's."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from .planting import nnconform, plant, python

pytestmark = pytest.mark.slow


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


# -- against a baseline --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def kept(env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A baseline of the planted sigmoids, of which one is wrong."""
    cwd = tmp_path_factory.mktemp("baseline")
    selection = ("--frameworks", "planted", "--functions", "sigmoid", "--dtypes", "float32")
    done = nnconform("run", *selection, "--profile", "quick", "--out", "run", env=env, cwd=cwd)
    assert done.returncode == 1, done.stderr
    done = nnconform("baseline", "run", "kept", env=env, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return cwd / "kept"


SEED = ("--hypothesis-seed", "0")


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_nothing_changed_since_the_baseline(
    env: dict[str, str], kept: Path, tmp_path: Path, workers: tuple[str, ...]
) -> None:
    done = conformance(env, tmp_path, "--baseline", str(kept), *SEED, *workers)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 xfailed" in last_line(done)  # as wrong as before
    assert "planted 1.2.3" in done.stdout
    assert "Nothing changed; 10 unchanged." in done.stdout
    assert {path.name for path in tmp_path.iterdir()} <= {".hypothesis", ".pytest_cache"}


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_what_regressed_since_the_baseline_fails_the_session(
    env: dict[str, str], kept: Path, tmp_path: Path, workers: tuple[str, ...]
) -> None:
    broken = plant(tmp_path / "broken")
    module = tmp_path / "broken" / "planted.py"
    text = module.read_text()
    module.write_text(text.replace("else y.astype(x.dtype)", "else (y * 1.5).astype(x.dtype)"))
    (tmp_path / "session").mkdir()
    options = ("--baseline", str(kept), "--conformance-out", "run", *SEED, *workers)
    done = conformance(broken, tmp_path / "session", *options)
    assert done.returncode == 1
    assert "compared with the baseline" in done.stdout
    assert "✗ planted.sound  float32 · value" in done.stdout
    assert "pass → fail" in done.stdout
    again = nnconform("compare", str(kept), "run", env=broken, cwd=tmp_path / "session")
    assert again.returncode == 1  # a run folder is left behind
    assert again.stdout.splitlines()[-1] in done.stdout


def test_a_regression_that_no_test_fails_for(
    env: dict[str, str], kept: Path, tmp_path: Path
) -> None:
    """A verdict that is no failure by itself: right in the baseline, unsupported now."""
    refusing = plant(tmp_path / "refusing")
    module = tmp_path / "refusing" / "planted.py"
    text = module.read_text()
    text = text.replace("        return False\n", "        return isinstance(error, KeyError)\n")
    text = text.replace("def sound(x):\n", "def sound(x):\n    raise KeyError('not here')\n")
    text = text.replace("    y = sound(x)\n", "    y = np.float64(x)\n")
    module.write_text(text)
    done = conformance(
        refusing, tmp_path, "--baseline", str(kept), *SEED, "-k", "test_value and sound"
    )
    assert "1 skipped" in last_line(done)
    assert done.returncode == 1, done.stdout
    assert "pass → unsupported" in done.stdout


def test_a_baseline_that_is_none(env: dict[str, str], kept: Path, tmp_path: Path) -> None:
    for folder, said in ((tmp_path / "nowhere", "no such folder"), (tmp_path, "no such file")):
        done = conformance(env, tmp_path, "--baseline", str(folder))
        assert done.returncode == 4
        assert said in done.stderr
        assert "Traceback" not in done.stdout + done.stderr
