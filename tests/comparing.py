"""Runs of no framework: the oracle answers for a few of torch's bindings, and tests plant what differs.

No framework is imported. A run is edited while it is in memory (:class:`Made`), then written.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from nnconform.adapters import adapter
from nnconform.conformance import outputs
from nnconform.conformance.aspects import cotangent
from nnconform.conformance.baseline import digests
from nnconform.conformance.cases import Case, corpus
from nnconform.conformance.measurement import Subject
from nnconform.conformance.outputs import Outputs
from nnconform.conformance.selection import subjects
from nnconform.reference.outcome import Outcome
from nnconform.reports.table import replace, tabulate, write

FUNCTIONS = ("relu", "softmax", "huber")
SURFACES = ("torch.nn.functional", "torch.nn")
ASPECTS = ("value", "gradient", "reduction", "special", "invalid", "property")
VERSIONS = {"old": "2.12.0", "new": "2.13.0"}

Key = tuple[str, ...]


@dataclass
class Made:
    """A run in memory: ``rows`` of the table and ``answers`` by outputs' key, both to be edited."""

    rows: dict[Key, dict[str, Any]] = field(default_factory=dict)
    outputs: Outputs = field(default_factory=Outputs)
    callables: list[dict[str, Any]] = field(default_factory=list)
    environment: dict[str, Any] = field(default_factory=dict)

    def answers(self, *key: str) -> dict[str, dict[str, Any]]:
        """The answers of a row: callable, dtype, aspect, and the reduction if there are several."""
        found = [answers for k, answers in self.outputs.rows.items() if _matches(k, key)]
        assert len(found) == 1, key
        return found[0]

    def row(self, *key: str) -> dict[str, Any]:
        """A row of the table: callable, dtype, aspect, and the reduction if there are several."""
        found = [row for k, row in self.rows.items() if _matches(k, key)]
        assert len(found) == 1, key
        return found[0]

    def callable(self, name: str) -> dict[str, Any]:
        """A row of the table of callables."""
        return next(row for row in self.callables if row["callable"] == name)

    def write(self, folder: Path) -> Path:
        """The run folder."""
        import pandas as pd

        folder.mkdir(parents=True, exist_ok=True)
        write(tabulate(self.rows.values()), folder)
        outputs.write(self.outputs, folder)
        table = pd.DataFrame(self.callables)
        replace(folder / "callables.csv", table.to_csv(index=False, lineterminator="\n"))
        facts = {**self.environment, "files": digests(folder)}
        replace(folder / "environment.json", json.dumps(facts, indent=2) + "\n")
        return folder


def _matches(key: Key, wanted: tuple[str, ...]) -> bool:
    """Whether (framework, surface, callable, dtype, aspect, reduction) is what is wanted."""
    return key[2 : 2 + len(wanted)] == wanted


def edit(answer: dict[str, Any], change: Callable[[np.ndarray], Any], of: str = "") -> None:
    """Change the array of an answer; what ``change`` returns, or what it did in place."""
    array = np.array(outputs.read(answer["gradients"][of] if of else answer["value"]))
    result = change(array)
    text = outputs.written(array if result is None else result)
    if of:
        answer["gradients"][of] = text
    else:
        answer["value"] = text


def one_ulp(array: np.ndarray) -> None:
    """Move the first element to the next number."""
    array.flat[0] = np.nextafter(array.flat[0], array.dtype.type(np.inf))


def smallest(made: Made, answers: dict[str, dict[str, Any]]) -> str:
    """The case with the fewest elements among those answered."""

    def size(case: str) -> int:
        inputs = made.outputs.cases[case]["inputs"].values()
        return sum(outputs.read(text).size for text in inputs)

    return min(answers, key=lambda case: (size(case), case))


def made(side: str) -> Made:
    """A whole run in which everything is right."""
    run = Made()
    base = _answered()
    version = VERSIONS[side]
    for key, (row, answers, cases) in base.items():
        run.rows[key] = {**row, "version": version}
        if answers:
            run.outputs.rows[key] = json.loads(json.dumps(answers))
            run.outputs.cases.update({case["case"]: json.loads(json.dumps(case)) for case in cases})
    signatures = {"relu": "(input, inplace=False)", "huber_loss": "(input, target, delta=1.0)"}
    for binding in adapter("torch").bindings:
        if binding.function in FUNCTIONS and binding.surface.name in SURFACES:
            entry = {
                "framework": "torch",
                "version": version,
                "surface": binding.surface.name,
                "callable": binding.callable,
                "status": "bound",
                "functions": binding.function,
                "reason": "",
                "signature": signatures.get(binding.callable, "(*args, **kwargs)"),
                "deprecated": "",
                "unreached": "",
            }
            if entry not in run.callables:
                run.callables.append(entry)
    run.environment = {
        "schema": 1,
        "created": "2026-01-01T00:00:00+00:00",
        "command": ["nnconform", "run"],
        "profile": "quick",
        "seed": 0,
        "selection": {"frameworks": "torch", "functions": None, "dtypes": None},
        "nnconform": "0.1.0",
        "python": "3.11.7",
        "platform": "Linux",
        "cpu": "one",
        "longdouble": "64-bit",
        "packages": {"torch": version, "numpy": "2.4.6", "hypothesis": "6.1"},
        "variables": {},
        "bound": 8.0,
        "corpus": "00988808cddf0a8a",
        "frameworks": {"torch": {"version": version, "status": "complete"}},
        "duration_s": 1.0,
    }
    return run


@cache
def _answered() -> dict[Key, tuple[dict[str, Any], dict[str, Any], list[dict[str, Any]]]]:
    """By outputs' key: the row, and how the oracle answers the corpus in float32 and float16."""
    torch = adapter("torch")
    found = {}
    for binding in torch.bindings:
        if binding.function not in FUNCTIONS or binding.surface.name not in SURFACES:
            continue
        if binding.inplace:
            continue
        for aspect in ASPECTS:
            for subject in subjects(torch, binding, aspect, ["float16", "float32"]):
                row = _row(subject)
                answers, cases = {}, []
                if aspect not in ("property", "invalid"):
                    for case in corpus(binding, subject.dtype, 3):
                        line = outputs.case_line(
                            case.function.name, case.dtype, case.inputs, case.params
                        )
                        cases.append(line)
                        answers[line["case"]] = outputs.answer(_outcome(subject, case))
                key = ("torch", *(row[name] for name in outputs.ROW))
                found[key] = (row, answers, cases)
    return found


def _row(subject: Subject) -> dict[str, Any]:
    return {
        "function": subject.binding.function,
        "kind": subject.function.kind,
        "framework": "torch",
        "surface": subject.binding.surface.name,
        "callable": subject.binding.name,
        "device": "cpu",
        "mode": "eager",
        "dtype": subject.dtype,
        "aspect": subject.aspect,
        "reduction": subject.reduction,
        "cases": 3,
        "points": 60,
        "max_abs": 0.0,
        "max_rel": 0.0,
        "max_ulp": 0.5,
        "error": 0.5,
        "bound": 8.0,
        "tolerance": 1e-6,
        "verdict": "pass",
        "worst": '{"inputs": {"x": [0.25]}, "params": {}, "want": 0.5, "got": 0.75}',
        "reproducer": "print('worst')",
        "note": "",
    }


def _outcome(subject: Subject, case: Case) -> Outcome:
    judge, kind = subject.expected(case), subject.kind
    outcome = Outcome(np.asarray(kind.rounded(judge.value().want)))
    if subject.aspect in ("gradient", "special", "reduction"):
        upstream = cotangent(judge.shape, kind).astype(kind.oracle)
        exact = judge.gradients(upstream)
        outcome.gradients = {n: np.asarray(kind.rounded(e.want)) for n, e in exact.items()}
    return outcome
