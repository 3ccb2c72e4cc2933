"""A run as one HTML page: the compatibility report.

The first screen and all that is prose is HTML, so that it shows, prints and is read aloud without a script. The rows
behind it are embedded as compressed JSON, which the browser decodes after it has painted; from them the script fills in
details, filters and differences. Nothing is loaded from anywhere, and a policy in the page forbids it.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .digest import MEANINGS, SYMBOLS, Digest, environment, number, plural, quoted, worst_case
from .render import _ACCURACY, _explanation, _figures, _spans, _where, markdown
from .table import COUNTS, NUMBERS, ORDERS, VERDICTS, Run, load_kept, replace

if TYPE_CHECKING:
    import pandas as pd
    from jinja2 import Environment
    from markupsafe import Markup

_TEMPLATES = Path(__file__).parent / "templates"
_SCRIPTS = ("elements", "data", "matrix", "plot", "detail", "differences", "measurements", "start")
#: columns that one dictionary serves, because each repeats the other's numbers
_CASE = ("worst", "reproducer")


def write_reports(run: Run) -> list[Path]:
    """Write report.md and report.html into the run's folder and return their paths."""
    paths = [run.folder / "report.md", run.folder / "report.html"]
    for path, render in zip(paths, (markdown, html), strict=True):
        replace(path, render(run))
    return paths


def html(run: Run) -> str:
    """The report as one HTML file that loads nothing from anywhere."""
    from markupsafe import Markup

    engine = templates()
    facts, lists = environment(run)
    digest = Digest(run)
    engine.filters |= {
        "where": lambda row: _where(row, digest.shared),
        "figures": _figures,
        "worst_case": worst_case,
    }
    code = "\n".join(
        (_TEMPLATES / f"{part}.js").read_text(encoding="utf-8").strip() for part in _SCRIPTS
    )
    script = f'"use strict";\n(() => {{\n{code}\n}})();\n'
    return engine.get_template("report.html.j2").render(
        digest=digest,
        data=Markup(embedded(run)),
        script=Markup(script),
        policy=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        facts=facts,
        lists=lists,
        created=str(run.environment.get("created", "")),
        explanation=_explanation(digest),
        accuracy=_ACCURACY,
        meanings=MEANINGS,
        symbols=SYMBOLS,
        verdicts=VERDICTS,
        orders=ORDERS,
    )


def templates() -> Environment:
    """The HTML templates: what is put into them is escaped, and must be there."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    engine = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    engine.filters |= {"number": number, "plural": plural, "prose": _prose, "quoted": quoted}
    return engine


def _prose(text: str) -> Markup:
    """Text in which code spans and links keep their meaning."""
    from markupsafe import Markup, escape

    link = '<a href="{0}" rel="noopener noreferrer">{0}</a>'
    return Markup(
        _spans(
            text,
            lambda part: str(escape(part)),
            lambda part: str(Markup("<code>{}</code>").format(part)),
            lambda part: str(Markup(link).format(part)),
        )
    )


# --- the data ------------------------------------------------------------------------------


def embedded(run: Run) -> str:
    """What the script reads: JSON, compressed, as base64. The same for the same run."""
    content = {
        "numbers": [*COUNTS, *NUMBERS],
        "orders": ORDERS,
        "symbols": SYMBOLS,
        "measurements": _columns(run.table),
        "order": [str(column) for column in run.table],
        **{kept: _columns(load_kept(run.folder, kept)) for kept in ("calls", "curves", "records")},
    }
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()


def _columns(table: pd.DataFrame) -> dict[str, Any]:
    """The table by column: numbers as they are, texts as a dictionary and the places in it."""
    coded: dict[str, Any] = {}
    for column in map(str, table):
        cells = table[column].tolist()
        if column in COUNTS:
            coded[column] = cells
        elif column in NUMBERS:
            coded[column] = [_number(cell) for cell in cells]
        elif column not in _CASE:
            coded[column] = _coded(cells, dict.fromkeys(cells))
    if set(_CASE) <= set(table):
        # neighbours of one function and case: a compressor finds their numbers again
        cases = list(zip(*(table[column] for column in _CASE), strict=True))
        order = sorted(zip(table["function"], cases, strict=True))
        coded["case"] = _coded(cases, dict.fromkeys(case for _, case in order))
    return coded


def _coded(cells: Iterable[Any], distinct: dict[Any, None]) -> dict[str, Any]:
    place = {value: at for at, value in enumerate(distinct)}
    return {"values": list(distinct), "at": [place[cell] for cell in cells]}


def _number(value: float) -> float | str | None:
    return None if value != value else str(value) if abs(value) == float("inf") else value
