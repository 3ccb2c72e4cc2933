"""What changed in the callables that two runs bound: names, parameters, defaults, deprecations."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]
Place = tuple[str, str, str]

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_OPEN, _CLOSE = "([{", ")]}"


@dataclass(frozen=True)
class Change:
    """One change of a callable: ``what`` in short, and what stands in its place on either side."""

    framework: str
    surface: str
    callable: str
    functions: str
    what: str
    old: str
    new: str
    detail: str = ""


@dataclass(frozen=True)
class Parameter:
    """A parameter of a signature; ``kind`` is positional, keyword, ``*`` or ``**``."""

    name: str
    default: str | None
    kind: str


def place(row: Row) -> Place:
    """Where a callable stands: framework, surface and name."""
    return (row["framework"], row["surface"], row["callable"])


def changes(old: Iterable[Row], new: Iterable[Row]) -> list[Change]:
    """What changed between two tables of callables, as far as both speak of a callable."""
    before = {place(row): row for row in old}
    after = {place(row): row for row in new}
    found: list[Change] = []
    for at in sorted(before.keys() & after.keys()):
        found += _changes(before[at], after[at])
    return found


def _changes(old: Row, new: Row) -> Iterator[Change]:
    def change(what: str, before: str, now: str, detail: str = "") -> Change:
        framework, surface, name = place(new)
        return Change(framework, surface, name, new["functions"], what, before, now, detail)

    there = [row["status"] != "missing" for row in (old, new)]
    if there == [True, False]:
        yield change("removed", f"{old['callable']}{old['signature']}", "no such callable")
    if there == [False, True]:
        yield change("added", "no such callable", f"{new['callable']}{new['signature']}")
    if there != [True, True]:
        return
    if new["deprecated"] and not old["deprecated"]:
        yield change("deprecated", "not deprecated", new["deprecated"])
    if old["deprecated"] and not new["deprecated"]:
        yield change("no longer deprecated", old["deprecated"], "not deprecated")
    signatures = [f"{row['callable']}{row['signature']}" for row in (old, new)]
    if old["signature"] and new["signature"]:
        for what, detail in _parameter_changes(
            parameters(old["signature"]), parameters(new["signature"])
        ):
            yield change(what, signatures[0], signatures[1], detail)


def _parameter_changes(old: list[Parameter], new: list[Parameter]) -> Iterator[tuple[str, str]]:
    """What changed between two lists of parameters: in short, and what it means for a caller."""
    before, after = ({p.name: p for p in ps} for ps in (old, new))
    gone = [p for p in old if p.name not in after]
    come = [p for p in new if p.name not in before]
    for one in gone[:]:
        # the same place, kind and default under another name
        heir = next(
            (
                p
                for p in come
                if (p.kind, p.default, new.index(p)) == (one.kind, one.default, old.index(one))
            ),
            None,
        )
        if heir is not None and one.kind in ("positional", "keyword"):
            yield f"parameter renamed: {one.name} → {heir.name}", ""
            gone.remove(one)
            come.remove(heir)
    for one in gone:
        yield f"parameter removed: {one.name}", ""
    for one in come:
        later = [p.name for p in new[new.index(one) + 1 :] if p.kind == "positional"]
        moved = [name for name in later if name in before and before[name].kind == "positional"]
        if one.kind == "positional" and moved:
            yield f"parameter added: {one.name}", f"before {', '.join(moved)}"
        elif one.kind in ("positional", "keyword") and one.default is None:
            yield f"parameter added: {one.name}", "it has no default"
        else:
            yield f"parameter added: {one.name}", ""
    shared = [[p.name for p in ps if p.kind == "positional"] for ps in (old, new)]
    orders = [[n for n in names if n in shared[0] and n in shared[1]] for names in shared]
    if orders[0] != orders[1]:
        yield "parameters reordered", f"{', '.join(orders[0])} → {', '.join(orders[1])}"
    for name, one in before.items():
        other = after.get(name)
        if other is None:
            continue
        if other.kind != one.kind:
            yield f"parameter {name}: {one.kind} → {other.kind}", ""
        if other.default != one.default:
            said = [p.default if p.default is not None else "none" for p in (one, other)]
            yield f"default of {name}: {said[0]} → {said[1]}", ""


def parameters(signature: str) -> list[Parameter]:
    """The parameters of a signature as ``callables.csv`` has it; defaults as text."""
    text = _ADDRESS.sub("", signature.strip())
    inner = text[1 : text.rfind(")")] if text.startswith("(") else text
    found, kind = [], "positional"
    for piece in _pieces(inner):
        if piece == "/":
            continue
        if piece == "*":
            kind = "keyword"
            continue
        name, equals, default = piece.partition("=")
        stars = "*" * (len(name) - len(name.lstrip("*")))
        found.append(Parameter(name.strip(), default if equals else None, stars or kind))
        if stars == "*":
            kind = "keyword"
    return found


def _pieces(text: str) -> Iterator[str]:
    """The text at its commas, those within brackets and quotes left alone."""
    depth, quote, start = 0, "", 0
    for at, character in enumerate(text):
        if quote:
            if character == quote and text[at - 1] != "\\":
                quote = ""
        elif character in "'\"":
            quote = character
        elif character in _OPEN:
            depth += 1
        elif character in _CLOSE:
            depth -= 1
        elif character == "," and depth == 0:
            yield text[start:at].strip()
            start = at + 1
    if text[start:].strip():
        yield text[start:].strip()
