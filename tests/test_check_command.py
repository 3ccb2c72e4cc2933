"""``nnconform check``: exit statuses, and one clear line for whatever the function does."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from .planting import nnconform, plant

pytestmark = pytest.mark.slow

MINE = """
import ctypes, os, time
import numpy as np

print("imported")


def huber(input, target, delta=1.0):
    a = np.abs(input - target)
    return np.where(a <= delta, 0.5 * a * a, delta * (a - 0.5 * delta)).mean()


def summed(input, target):
    return np.sum((input - target) ** 2)


def hangs(input, target):
    while True:
        try:
            time.sleep(0.01)
        except BaseException:
            pass


def dies(input, target):
    ctypes.string_at(0)


def leaves(input, target):
    os._exit(0)


class Losses:
    @staticmethod
    def squared(input, target):
        return np.mean((input - target) ** 2)
"""


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return plant(tmp_path_factory.mktemp("planted"))


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mine")
    (folder / "mine.py").write_text(MINE)
    (folder / "broken.py").write_text("import nowhere_to_be_found\n")
    (folder / "sleepy.py").write_text("import time\ntime.sleep(60)\n")
    (folder / "below").mkdir()
    (folder / "below" / "file.py").write_text(MINE)
    return folder


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["mine:huber", "--like", "huber", "--param", "delta=2.0"], 0, "all checks hold"),
        (["below/file.py:Losses.squared", "--kind", "loss", "--nonnegative"], 0, "all checks hold"),
        (
            ["mine:summed", "--like", "mean_squared_error", "--reduction", "mean"],
            1,
            "likely: the losses are summed",
        ),
        (["mine:dies", "--like", "huber"], 1, "ended the process (SIGSEGV) when it was called"),
        (["mine:leaves", "--like", "huber"], 1, "ended the process (status 0)"),
    ],
)
def test_what_is_found(
    env: dict[str, str], here: Path, arguments: list[str], status: int, said: str
) -> None:
    done = nnconform("check", *arguments, env=env, cwd=here)
    assert done.returncode == status, done.stdout + done.stderr
    assert said in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_what_hangs_ends_within_its_time(env: dict[str, str], here: Path) -> None:
    began = time.monotonic()
    done = nnconform("check", "mine:hangs", "--like", "huber", "--timeout", "1", env=env, cwd=here)
    assert time.monotonic() - began < 30
    assert done.returncode == 1
    assert "did not answer within 1 seconds" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["mine:huber"], "say --like NAME, or --kind loss or --kind activation"),
        (["mine", "--like", "huber"], "accepted: module:function or path/to/file.py:function"),
        (["mine:hubre", "--like", "huber"], "mine has no 'hubre'; nearest: huber"),
        (
            ["broken:f", "--like", "huber"],
            "broken cannot be imported: ModuleNotFoundError: No module",
        ),
        (["nowhere.py:f", "--like", "huber"], "nowhere.py: no such file"),
        (["mine:huber", "--like", "hubr"], "like: unknown function 'hubr'; nearest: huber"),
        (["mine:huber", "--like", "huber", "--param", "delta"], "accepted: NAME=VALUE"),
        (["mine:huber", "--like", "huber", "--dtypes", "float31"], "unknown dtype 'float31'"),
        (["sleepy:f", "--like", "huber", "--timeout", "1"], "cannot be imported within 1 seconds"),
    ],
)
def test_wrong_usage_is_one_clear_line(
    env: dict[str, str], here: Path, arguments: list[str], said: str
) -> None:
    done = nnconform("check", *arguments, env=env, cwd=here)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stderr.startswith("nnconform: ")
    assert said in done.stderr
