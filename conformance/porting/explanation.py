"""What the commands ``explain`` and ``tolerances`` do: names to surfaces, guides to pages."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...adapters.interface import Adapter
from ...reference import catalogue
from ...reports.porting import index_markdown, page, pair_markdown
from ...reports.table import replace, rows_of
from ..selection import (
    UsageError,
    find,
    match_dtypes,
    match_frameworks,
    match_functions,
    nearest,
    originals,
)
from .guide import Guide, Guides

if TYPE_CHECKING:
    import pandas as pd

    from ...reports.table import Run


def explain(
    function: str, here: str | None = None, there: str | None = None, run: Run | None = None
) -> Guide:
    """The guide of one function, from some surfaces to others; what a run measured, beside it.

    Raises UsageError for names that are unknown, for frameworks that are not installed, and for a
    function that no surface of the first side has.
    """
    if function not in catalogue():
        raise UsageError(nearest("function", function, list(catalogue())))
    guides = _guides(here, there)
    sources, targets = (_surfaces(guides, text) for text in (here, there))
    if here and not guides.offering(function, sources):
        having = guides.offering(function, guides.surfaces)
        offered = f"it is on {', '.join(having)}" if having else "no surface has it"
        raise UsageError(f"{here} has no {function}; {offered}")
    made = guides.function(function, sources, targets)
    if run is not None:
        made["run"] = _measured(run, function)
    return made


def tolerances(
    here: str, there: str, functions: str | None = None, dtype: str = "float32"
) -> pd.DataFrame:
    """The tolerances with which the callables of two sides agree: a row for each result.

    ``here`` and ``there`` are surfaces or frameworks, separated by commas; the columns are those of
    docs/explain.md. Raises UsageError for what is unknown or not installed.
    """
    from .tolerances import tolerance_table

    wanted = match_functions(functions)
    dtypes = match_dtypes(dtype)
    if len(dtypes) != 1:
        raise UsageError(f"--dtype takes one dtype, not {dtype!r}")
    guides = _guides(here, there)
    sources, targets = (_surfaces(guides, text) for text in (here, there))
    names = [name for name in catalogue() if name in wanted]
    with _quiet():
        return tolerance_table(guides, sources, targets, names, dtypes[0])


def write_guides(folder: Path, *, check: bool, tell: Callable[[str], None]) -> int:
    """Write the page of every pair of surfaces, or say which differ from those in the folder.

    Returns the exit status: 1 where a page is out of date.
    """
    guides = _guides(None, None)
    made = []
    pages: dict[str, str] = {}
    for guide in _told(guides.every(), tell):
        made.append(guide)
        pages[page(guide)] = pair_markdown(guide)
    pages["README.md"] = index_markdown(made)
    if check:
        return _stale(folder, pages, tell)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages.items():
        replace(folder / name, text)
    for path in folder.glob("*--*.md"):
        if path.name not in pages:
            path.unlink()
    return 0


def _told(guides: Iterator[Guide], tell: Callable[[str], None]) -> Iterator[Guide]:
    for guide in guides:
        tell(f"{guide['from']} → {guide['to']}: {len(guide['functions'])} functions")
        yield guide


#: what another processor may round otherwise: results beside code, and what is counted of them
_ROUNDED = re.compile(
    r"^(print\(.*\))  # .*$|^\*\*Under this mapping\*\*.*$|^- the (value|gradient by).*$|\d+ agree"
    r"|^\*\*With their defaults\*\* they differ: .*$"
    r"|without it, it gives .*$",
    re.MULTILINE,
)


def settled(text: str) -> str:
    """A page without what depends on the last bits of a processor."""
    return _ROUNDED.sub(lambda found: found[1] or "", text)


def _stale(folder: Path, pages: dict[str, str], tell: Callable[[str], None]) -> int:
    kept = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.md")}
    stale = [name for name, text in pages.items() if settled(kept.get(name, "")) != settled(text)]
    stale += [name for name in kept if name not in pages]
    for name in stale:
        tell(f"out of date: {folder / name}")
    return 1 if stale else 0


def _guides(*sides: str | None) -> Guides:
    """Guides of the frameworks that the sides speak of. Raises UsageError where one is missing."""
    here, missing = find(match_frameworks(None))
    chosen = [one for one in originals(here) if one.gradients]
    without = (one.name for one in here if not one.gradients)
    missing |= {name: f"{name} has no gradients, which guides compare" for name in without}
    if not chosen:
        raise UsageError("; ".join(["nothing to explain", *missing.values()]))
    for text in sides:
        for name in filter(None, (text or "").split(",")):
            if name in missing:
                raise UsageError(missing[name])
    wanted = [one for one in chosen if not all(sides) or _spoken_of(one, sides)]
    with _quiet():
        return Guides(wanted or chosen)


def _spoken_of(one: Adapter, sides: Sequence[str | None]) -> bool:
    names = {one.name, *(binding.surface.name for binding in one.bindings)}
    return any(part.strip() in names for text in sides for part in (text or "").split(","))


def _surfaces(guides: Guides, text: str | None) -> list[str]:
    """The surfaces that a side names, those of a framework for its name."""
    chosen: list[str] = []
    frameworks = {one.name for one in guides.adapters}
    for part in filter(None, (p.strip() for p in (text or "").split(","))):
        if part in frameworks:  # torch is the framework, not the surface of that name
            chosen += [s for s, one in guides.surfaces.items() if one.name == part]
        elif part in guides.surfaces:
            chosen.append(part)
        else:
            raise UsageError(nearest("surface", part, [*guides.surfaces, *frameworks]))
    return chosen


def _measured(run: Run, function: str) -> list[dict[str, Any]]:
    """What a run measured of a function: a line for each callable, dtype and aspect."""
    table = run.table[run.table["function"] == function]
    if table.empty:
        raise UsageError(f"{run.folder}: that run did not measure {function}")
    columns = ["surface", "callable", "version", "dtype", "aspect", "reduction", "error", "verdict"]
    return rows_of(table[[*columns, "note"]])


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Nothing on stderr: what frameworks say there while they are imported is not about the guide."""
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
