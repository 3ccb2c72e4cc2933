"""What the frameworks offer in public, and what of it the catalogue covers.

Every public callable of a surface is bound, or left out with a reason in ``left_out/*.toml``; so is
every parameter of a bound callable. What is neither is *uncovered*: a release added it, or nobody
has looked. What is bound and no longer there is *missing*. Each framework is imported in a process
of its own.
"""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from ..adapters import adapter
from ..adapters.interface import Adapter, Binding, signature_of

if sys.version_info >= (3, 11):
    import tomllib
else:  # pytest brings it
    import tomli as tomllib

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "framework",
    "version",
    "surface",
    "callable",
    "status",
    "functions",
    "reason",
    "signature",
    "deprecated",
    "unreached",
)
#: statuses that make an audit fail; so does a parameter that is neither reached nor left out
UNEXPECTED = ("uncovered", "missing")


@dataclass(frozen=True)
class LeftOut:
    """Callables of a surface, or parameters of callables, that are none of our business, and why."""

    surface: str
    names: tuple[str, ...]
    reason: str
    #: of parameters: the callables that they are parameters of
    callables: tuple[str, ...] = ("*",)

    def covers(self, surface: str, name: str, callable: str = "*") -> bool:
        """Whether a name of a surface is among these."""
        return (
            fnmatchcase(surface, self.surface)
            and any(fnmatchcase(name, pattern) for pattern in self.names)
            and (callable == "*" or any(fnmatchcase(callable, p) for p in self.callables))
        )


@dataclass(frozen=True)
class Reviewed:
    """The reviewed file of one framework."""

    callables: tuple[LeftOut, ...] = ()
    parameters: tuple[LeftOut, ...] = ()
    #: of namespaces that hold much else: the names that are looked at
    only: dict[str, tuple[str, ...]] = field(default_factory=dict)


@cache
def reviewed(framework: str) -> Reviewed:
    """What was reviewed of a framework; nothing for a plug-in that brings no such file.

    Raises ValueError for a field that is unknown or missing.
    """
    path = adapter(framework).left_out or files(__package__) / "left_out" / f"{framework}.toml"
    if not path.is_file():
        return Reviewed()
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    try:
        return Reviewed(
            tuple(LeftOut(**_tuples(entry)) for entry in content.get("callables", ())),
            tuple(LeftOut(**_tuples(entry)) for entry in content.get("parameters", ())),
            {entry["surface"]: tuple(entry["only"]) for entry in content.get("namespace", ())},
        )
    except (TypeError, KeyError) as error:
        raise ValueError(f"{path.name}: {error}") from None


def _tuples(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(v) if isinstance(v, list) else v for key, v in entry.items()}


# -- one framework, imported -----------------------------------------------------------------------


def examine(framework: str) -> list[dict[str, Any]]:
    """The rows of one framework, which is imported."""
    one = adapter(framework)
    one.start()
    known = reviewed(one.variant_of or framework)
    found: list[dict[str, Any]] = []
    for surface in dict.fromkeys(b.surface.name for b in one.bindings):
        ours = {b.callable for b in one.bindings if b.surface.name == surface}
        only = known.only.get(surface, ("*",))
        for name in one.offers(surface):
            if name not in ours and any(fnmatchcase(name, p) for p in only):
                found.append(_row(one, known, surface, name, []))
    return bound(one) + found


def bound(one: Adapter) -> list[dict[str, Any]]:
    """What a run keeps of its framework's bound callables: signature, defaults, deprecation."""
    known = reviewed(one.variant_of or one.name)
    places: dict[tuple[str, str], list[Binding]] = {}
    for binding in one.bindings:
        if binding.expression:  # which is no callable
            continue
        places.setdefault((binding.surface.name, binding.callable), []).append(binding)
    return [_row(one, known, *place, bindings) for place, bindings in places.items()]


def _row(
    one: Adapter, known: Reviewed, surface: str, name: str, bindings: Sequence[Binding]
) -> dict[str, Any]:
    row = dict.fromkeys(COLUMNS, "") | {
        "framework": one.name,
        "version": one.version,
        "surface": surface,
        "callable": name,
        "functions": " ".join(dict.fromkeys(b.function for b in bindings)),
    }
    try:
        target = one.lookup(f"{surface}.{name}")
    except (AttributeError, ImportError):
        return row | {"status": "missing"}
    row["deprecated"] = deprecation(target)
    if not bindings:
        left = next((e for e in known.callables if e.covers(surface, name)), None)
        return row | {
            "status": "left out" if left else "uncovered",
            "reason": left.reason if left else "",
        }
    signature = signature_of(target)
    unreached = [
        parameter
        for place, parameter in enumerate(_named(signature))
        if not any(_reaches(b, parameter, place) for b in bindings)
        and not any(e.covers(surface, parameter, name) for e in known.parameters)
    ]
    return row | {
        "status": "bound",
        "signature": _written(signature),
        "unreached": " ".join(unreached),
    }


def _written(signature: inspect.Signature | None) -> str:
    """Names and defaults: annotations change without anybody's code changing."""
    if signature is None:
        return ""
    parameters = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    return str(inspect.Signature(parameters))


def _named(signature: inspect.Signature | None) -> list[str]:
    parameters = signature.parameters.values() if signature else ()
    return [p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]


def _reaches(binding: Binding, parameter: str, place: int) -> bool:
    """Whether a binding passes a parameter, by keyword or, of a function, by position."""
    if binding.surface.style == "function" and place < len(binding.args):
        return True
    passed = {*binding.keywords.values(), *binding.fixed, *binding.derived, *binding.state.values()}
    for spelling in binding.reductions:
        passed |= set(spelling.arguments)
    if binding.legacy:
        passed |= {"size_average", "reduce"}
    return parameter in passed


def deprecation(target: Any) -> str:
    """What a callable says of its own deprecation; empty if nothing."""
    if said := getattr(target, "__deprecated__", None):
        return " ".join(str(said).split())
    for line in (inspect.getdoc(target) or "").splitlines()[:12]:
        if re.search(r"\(deprecated\)|is deprecated|THIS FUNCTION IS DEPRECATED", line):
            return line.strip()
    return ""


# -- all of them -------------------------------------------------------------------------------------


def audit(frameworks: Iterable[str]) -> pd.DataFrame:
    """The rows of these frameworks, one for each public callable, each imported on its own.

    Raises RuntimeError with the last line of a process that failed.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for name in frameworks:
        command = [sys.executable, "-P", "-W", "ignore", "-m", __name__, name]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            last = (done.stderr.strip() or "no message").splitlines()[-1]
            raise RuntimeError(f"{name} cannot be examined: {last}")
        rows += json.loads(done.stdout.splitlines()[-1])
    return pd.DataFrame(rows, columns=list(COLUMNS))


def unexpected(table: pd.DataFrame) -> pd.DataFrame:
    """The rows that make an audit fail."""
    return table[table["status"].isin(UNEXPECTED) | (table["unreached"] != "")]


if __name__ == "__main__":
    print(json.dumps(examine(sys.argv[1])))
