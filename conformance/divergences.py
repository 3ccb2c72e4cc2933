"""Recorded divergences: where a framework is known to differ, why, and how to see that it still does.

The records live in ``divergences/*.toml``, a file per framework; docs/divergences.md explains every field. A record covers
only the points its ``where`` selects, in the rows its other fields select, and it must show in each
of those rows: otherwise the row's verdict is ``fixed`` and the record is out of date.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from itertools import chain
from types import CodeType
from typing import TYPE_CHECKING, Any

import numpy as np
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from ..adapters import adapter, names
from ..adapters.interface import EAGER, NOTHING, Adapter

if sys.version_info >= (3, 11):
    import tomllib
else:  # pytest brings it
    import tomli as tomllib

if TYPE_CHECKING:
    import pandas as pd

REASONS = ("documented", "undocumented", "bug")

#: what the expressions of a record may use beside inputs, parameters, got and want
_NUMPY = {
    name: getattr(np, name)
    for name in [
        "abs",
        "any",
        "all",
        "argmax",
        "clip",
        "exp",
        "expm1",
        "log",
        "log1p",
        "isfinite",
        "isinf",
        "isnan",
        "maximum",
        "max",
        "minimum",
        "min",
        "sign",
        "sqrt",
        "sum",
        "where",
        "zeros_like",
        "ones_like",
        "inf",
        "nan",
        "swapaxes",
        "unique",
        "take_along_axis",
    ]
}


#: fields that are patterns of the columns of that name
_SELECTS_ROWS = (
    *("framework", "surface", "function", "callable"),
    *("dtype", "aspect", "reduction", "mode"),
)

#: fields that may be lists
_SEVERAL = (*_SELECTS_ROWS, "of", "versions")

#: names that stand for numbers held against each other
_NUMBERS = frozenset({"got", "want", "scale", "floor"})


@dataclass(frozen=True)
class Record:
    """One recorded divergence.

    ``reason`` is ``documented`` or ``undocumented`` (by design), or ``bug``. ``where`` selects
    points: a NumPy expression over canonical inputs, parameters, ``got``, ``want``, ``dtype``,
    ``u``, ``tiny``, ``largest``. ``case`` selects whole cases by an expression over the same but
    ``got`` and ``want``. ``raises`` is part of the message of an exception that is the divergence.
    ``versions`` are of the framework (``>=2.9``), or of a distribution that it is made of
    (``optax>=0.2.6``). A record that names no ``mode`` is of eager calls; in other modes it may show, and need not, since
    a compiler computes otherwise.
    """

    id: str
    surface: tuple[str, ...]
    function: tuple[str, ...]
    aspect: tuple[str, ...]
    reason: str
    why: str
    link: str = ""
    framework: tuple[str, ...] = ("*",)
    callable: tuple[str, ...] = ("*",)
    dtype: tuple[str, ...] = ("*",)
    reduction: tuple[str, ...] = ("*",)
    mode: tuple[str, ...] = ()
    of: tuple[str, ...] = ("*",)
    versions: tuple[str, ...] = ()
    where: str = ""
    case: str = ""
    raises: str = ""
    evidence: str = ""
    rare: bool = False
    _compiled: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def applies(self, identity: Mapping[str, Any], versions: Mapping[str, str] = NOTHING) -> bool:
        """Whether this record speaks of the table row with that identity, with those versions of the
        distributions that the framework is made of."""
        for name, accepted in map(_versions, self.versions):
            version = versions.get(name) if name else identity["version"]
            if version is None or not accepted.contains(version):
                return False
        return all(
            any(fnmatchcase(str(identity[name]), pattern) for pattern in getattr(self, name))
            for name in _SELECTS_ROWS
            if name != "mode" or self.mode
        )

    def must_show(self, mode: str) -> bool:
        """Whether a row in that mode of which it speaks is out of date where it does not show."""
        return not self.rare and (bool(self.mode) or mode == EAGER)

    def covers(self, shape: tuple[int, ...], names: Mapping[str, Any], of: str = "") -> np.ndarray:
        """Which points of a result of that shape the record covers."""
        if not any(fnmatchcase(of, pattern) for pattern in self.of):  # "" is the value
            return np.zeros(shape, bool)
        if self.case and not np.any(self._evaluate(self.case, names)):
            return np.zeros(shape, bool)
        if not self.where:
            return np.ones(shape, bool)
        if _NUMBERS & set(self._code(self.where).co_names) - set(names):
            return np.zeros(
                shape, bool
            )  # it speaks of numbers, and this is about a shape or a rule
        selected: np.ndarray = np.asarray(self._evaluate(self.where, names), bool)
        if selected.shape == shape:
            return selected
        if selected.shape[: len(shape)] == shape:  # one result per row of the selection
            return np.asarray(selected.reshape(*shape, -1).any(axis=-1))
        try:
            return np.array(np.broadcast_to(selected, shape))
        except ValueError:
            return np.full(shape, selected.any())

    def _code(self, expression: str) -> CodeType:
        if expression not in self._compiled:
            self._compiled[expression] = compile(expression, f"<divergence {self.id}>", "eval")
        return self._compiled[expression]

    def _evaluate(self, expression: str, names: Mapping[str, Any]) -> Any:
        with np.errstate(all="ignore"):
            return eval(self._code(expression), {"__builtins__": {}, **_NUMPY, **names})

    @property
    def note(self) -> str:
        """The line that stands in the table."""
        link = f" ({self.link})" if self.link else ""
        return f"[{self.id}] {self.reason}: {' '.join(self.why.split())}{link}"


def parse(*texts: str) -> tuple[Record, ...]:
    """Records from TOML files. Raises ValueError naming the record and the field that is wrong."""
    records: list[Record] = []
    for entry in chain.from_iterable(map(_entries, texts)):
        name = entry.get("id", f"number {len(records) + 1}")
        unknown = set(entry) - {f for f in Record.__dataclass_fields__ if not f.startswith("_")}
        missing = {"id", "surface", "function", "aspect", "reason", "why"} - set(entry)
        if unknown or missing:
            what = f"unknown {sorted(unknown)}" if unknown else f"missing {sorted(missing)}"
            raise ValueError(f"divergence {name}: {what}")
        if entry["reason"] not in REASONS:
            raise ValueError(
                f"divergence {name}: reason is {entry['reason']!r}, not one of {REASONS}"
            )
        fields: dict[str, Any] = {
            k: (tuple(v) if isinstance(v, list) else (v,)) if k in _SEVERAL else v
            for k, v in entry.items()
        }
        try:
            for stated in fields.get("versions", ()):
                _versions(stated)
        except (InvalidRequirement, InvalidSpecifier):
            raise ValueError(
                f"divergence {name}: versions is {stated!r}, neither a specifier such as '>=2.9,<3' nor "
                f"one of a distribution such as 'optax>=0.2.6'"
            ) from None
        records.append(Record(**fields))
    doubles = {r.id for r in records if sum(r.id == other.id for other in records) > 1}
    if doubles:
        raise ValueError(f"divergences with the same id: {sorted(doubles)}")
    return tuple(records)


def _versions(stated: str) -> tuple[str, SpecifierSet]:
    """Of which distribution, or "" of the framework, and which versions of it a record speaks."""
    if not stated[:1].isalpha():
        return "", SpecifierSet(stated, prereleases=True)
    named = Requirement(stated)
    return named.name, SpecifierSet(str(named.specifier), prereleases=True)


def _entries(text: str) -> list[dict[str, Any]]:
    """The records of one file, with the fields that stand at its top for all of them."""
    shared = tomllib.loads(text)
    return [{**shared, **entry} for entry in shared.pop("divergence", [])]


@cache
def records() -> tuple[Record, ...]:
    """The recorded divergences of our own adapters."""
    folder = files(__package__).joinpath("divergences")
    texts = sorted((f.name, f.read_text(encoding="utf-8")) for f in folder.iterdir())
    return parse(*(text for name, text in texts if name.endswith(".toml")))


@cache
def records_of(one: Adapter) -> tuple[Record, ...]:
    """The recorded divergences that an adapter is judged with: ours, or those that it brings, which
    speak of its own framework whatever they say.

    Raises ValueError that names the file and what is wrong with it.
    """
    if one.divergences is None:
        return records()
    try:
        brought = parse(one.divergences.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{one.divergences}: {error}") from None
    return tuple(replace(record, framework=(one.name,)) for record in brought)


def _all() -> Iterator[Record]:
    """Our records, and those of the plug-ins that can be loaded."""
    yield from records()
    for name in names():
        with suppress(ValueError):
            one = adapter(name)
            if one.divergences is not None:
                yield from records_of(one)


def shown(notes: Iterable[str]) -> pd.DataFrame:
    """What a run keeps of the records that its rows' notes name, for its reports."""
    import pandas as pd

    from ..reports.table import KEPT

    named = {name for note in notes for name in re.findall(r"^\[(\S+)\] ", note, re.MULTILINE)}
    columns = list(KEPT["records"])
    known = {record.id: record for record in _all()}
    rows = [[getattr(r, column) for column in columns] for r in known.values() if r.id in named]
    table = pd.DataFrame(rows, columns=columns, dtype="str")
    return table.assign(why=table["why"].str.split().str.join(" "))
