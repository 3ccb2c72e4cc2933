"""The worked examples: they do what they say, and docs/check.md shows the messages that they get."""

from __future__ import annotations

import inspect
import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest

import nnconform
from nnconform.conformance.checks.checks import CHECKS

from .planting import python

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples" / "checks"
GUIDE = (ROOT / "docs" / "check.md").read_text("utf-8")


@pytest.mark.framework("torch", "tensorflow")
def test_the_examples_pass_and_print_the_messages_of_the_guide() -> None:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = python("-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", env=env, cwd=EXAMPLES)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    counted = {word: int(n) for n, word in re.findall(r"(\d+) (passed|skipped)", done.stdout)}
    assert counted["passed"] > 15
    shown = re.findall(r"^```text\n(.*?)\n```$", GUIDE, re.S | re.M)
    assert len(shown) == 4
    for message in shown:
        assert message in done.stdout


def test_the_message_of_the_readme() -> None:
    def my_loss(y_true, y_pred):
        return np.sum((y_pred - y_true) ** 2)

    with pytest.raises(nnconform.CheckFailed) as failed:
        nnconform.check_loss(my_loss, like="mean_squared_error")
    assert f"```text\n{failed.value}\n```" in (ROOT / "README.md").read_text("utf-8")


def test_every_check_is_explained() -> None:
    first = [line.split("|")[1] for line in GUIDE.splitlines() if line.startswith("| `")]
    assert set(re.findall(r"`(\w+)`", " ".join(first))) == {check.name for check in CHECKS}


def test_every_argument_is_explained() -> None:
    named = {
        w
        for line in re.findall(r"^- \*\*(.*?)\*\*:", GUIDE, re.M)
        for w in re.findall(r"\w+", line)
    }
    taken = set(inspect.signature(nnconform.check_loss).parameters) - {"function", "rows"}
    assert taken - {"nonnegative", "zero_at_agreement"} <= named
