"""Two runs compared, for people and for machines: text, Markdown, JSON, HTML, GitHub annotations."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from html import escape
from typing import TYPE_CHECKING, Any

from .digest import Place, Row, _records, name, number, places_of, plural
from .page import templates
from .render import _code, _prose, _short
from .table import Run, incomplete, rank

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

CHANGES = ("regressed", "drifted", "convention", "api", "fixed", "improved")
"""What a row of a comparison can say, the most serious first."""

MEANINGS = {
    "regressed": "right before, wrong or no longer offered now",
    "drifted": "as right as before, but the bits differ",
    "convention": "NaN, infinities, zeros, kinks, dtypes, exceptions or warnings differ",
    "api": "a callable, a parameter or a default differs",
    "fixed": "wrong or not offered before, right now",
    "improved": "right before, and clearly more accurate now",
}

STRICT = ("drifted", "convention", "api")
"""The changes that can be made to count as failures, as `regressed` always does."""

NUMBERS = (
    *("results", "of", "ulp"),
    *("error_old", "error_new", "ulp_error_old", "ulp_error_new"),
)
COLUMNS = (
    *("framework", "surface", "function", "callable"),
    *("dtype", "aspect", "reduction", "device", "mode"),
    *("change", "what", "verdict_old", "verdict_new"),
    *NUMBERS,
    *("detail", "case", "old", "new", "oracle", "reproducer"),
)
"""The columns of a comparison's table; docs/compare.md explains them."""

FORMATS = ("text", "markdown", "json", "html", "github")
SCHEMA = 1
#: characters that a comment on GitHub may have
COMMENT = 65_536

_STYLES = {
    "regressed": "bold red",
    "drifted": "yellow",
    "convention": "magenta",
    "api": "cyan",
    "fixed": "green",
    "improved": "green",
}
_SYMBOLS = dict(zip(CHANGES, "✗≈≠§✓↑", strict=True))
_SHOWN = 40  # groups of one kind on a terminal; the table has them all


@dataclass(frozen=True)
class Comparison:
    """Two runs compared: ``table`` has a row for each change, the most serious first.

    ``unchanged`` counts the measurements that both runs made and in which nothing changed;
    ``remarks`` are lines that say what was compared and what was not.
    """

    old: Run
    new: Run
    table: pd.DataFrame
    unchanged: int
    remarks: tuple[str, ...] = ()
    #: the two modes that are compared, where they are
    modes: tuple[str, ...] = ()

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many rows of each change there are, the most serious first; none of zero."""
        found = {change: int((self.table["change"] == change).sum()) for change in CHANGES}
        return {change: count for change, count in found.items() if count}

    @cached_property
    def versions(self) -> dict[str, tuple[str, str]]:
        """The old and the new version of every framework that both runs judged."""
        before, after = (
            dict(zip(run.table["framework"], run.table["version"], strict=True))
            for run in (self.old, self.new)
        )
        return {name: (before[name], after[name]) for name in sorted(before.keys() & after.keys())}

    @cached_property
    def companions(self) -> dict[str, tuple[str, str]]:
        """What the frameworks consist of beside what their version is of, with both versions where those
        differ: Optax, of JAX."""
        before, after = (run.environment.get("packages", {}) for run in (self.old, self.new))
        known = self.new.environment.get("frameworks", {})
        parts = [n for name in self.versions for n in known.get(name, {}).get("distributions", ())]
        found = {n: (before[n], after[n]) for n in parts if n in before and n in after}
        said = set(self.versions.values())
        return {n: both for n, both in found.items() if len(set(both)) > 1 and both not in said}

    @property
    def incomplete(self) -> dict[str, str]:
        """The sides and frameworks that were not judged to the end, and why."""
        return {
            f"{side}: {framework}": " ".join(status.split())
            for side, run in (("OLD", self.old), ("NEW", self.new))
            for framework, status in incomplete(run).items()
        }

    def failed(self, on: Iterable[str] = ()) -> bool:
        """Whether something regressed, or changed in one of the ways named."""
        return any(change in self.counts for change in ("regressed", *on))

    def status(self, fail_on: Iterable[str] = ()) -> int:
        """The exit status: 1 for a failure, 2 where a side was not judged to the end, else 0."""
        return 1 if self.failed(fail_on) else 2 if self.incomplete else 0

    @property
    def title(self) -> str:
        """The frameworks with both versions, and both modes where they are what is compared."""
        frameworks = ", ".join(
            f"{name} {old} → {new}" if old != new else f"{name} {old}"
            for name, (old, new) in {**self.versions, **self.companions}.items()
        )
        return f"{frameworks}: {' → '.join(self.modes)}" if self.modes else frameworks

    @property
    def answers(self) -> tuple[tuple[str, str], ...]:
        """How both answers and the exact one are titled, with the columns that they stand in."""
        old, new = self.modes or ("old", "new")
        return ((f"{old}:", "old"), (f"{new}:", "new"), ("exact:", "oracle"))

    @property
    def headline(self) -> str:
        """The comparison in one sentence."""
        said = ", ".join(f"{count:,} {change}" for change, count in self.counts.items())
        return f"{said or 'Nothing changed'}; {self.unchanged:,} unchanged."


@dataclass(frozen=True)
class Group:
    """Rows that say the same of one callable, whatever the dtype: a line for people."""

    rows: list[Row]

    @property
    def lead(self) -> Row:
        """The row that is shown for all: the first with a reproducer."""
        return next((row for row in self.rows if row["reproducer"]), self.rows[0])

    @property
    def change(self) -> str:
        return str(self.rows[0]["change"])

    @property
    def what(self) -> str:
        """The verdicts, the convention, or all that drifted."""
        return ", ".join(dict.fromkeys(w for row in self.rows for w in row["what"].split(", ")))

    @property
    def name(self) -> str:
        return name(self.rows[0])

    @property
    def where(self) -> str:
        """The dtypes, aspects and reductions, those that go without saying left out."""
        parts = []
        for column in ("dtype", "aspect", "reduction"):
            values = {row[column] for row in self.rows} - {"", "none"}
            if values:
                parts.append(", ".join(sorted(values, key=lambda v: rank(column, v))))
        return " · ".join(parts)

    @property
    def figures(self) -> str:
        """How many results differ, by how much, and what that does to the error."""
        results, of = (sum(int(row[c]) for row in self.rows if row[c] == row[c]) for c in _COUNTED)
        parts = [f"{results:,} of {plural(of, 'result')}"] if of else []
        ulp, before, after, less, more = (self._top(column) for column in NUMBERS[2:])
        if ulp == ulp:
            parts.append(f"up to {number(ulp)} ULP apart")
        if before == before and after == after:
            ulps = f" ({number(less)} → {number(more)} ULP)" if less == less else ""
            parts.append(f"error {number(before)} → {number(after)} u·scale{ulps}")
        return ", ".join(parts)

    def _top(self, column: str) -> float:
        return max(
            (row[column] for row in self.rows if row[column] == row[column]), default=math.nan
        )

    @property
    def detail(self) -> str:
        """What more there is to say, of the row that is shown."""
        return str(self.lead["detail"])


_COUNTED = ("results", "of")


def groups(comparison: Comparison, change: str) -> list[Group]:
    """The rows of a change by callable and what, in the table's order."""
    found: dict[tuple[str, ...], list[Row]] = {}
    for row in _records(comparison.table[comparison.table["change"] == change]):
        drift = change in ("drifted", "improved") and "→" not in row["what"]
        what = "" if drift else row["what"]
        key = (row["framework"], row["surface"], row["function"], row["callable"], what)
        found.setdefault(key, []).append(row)
    return [Group(rows) for rows in found.values()]


@dataclass(frozen=True)
class Cell:
    """What changed in a function on a surface; ``change`` is empty where nothing did."""

    measured: bool
    change: str = ""
    count: int = 0
    anchor: str = ""
    said: str = ""


@dataclass(frozen=True)
class Overview:
    """The functions in which something changed, by the surfaces of both runs."""

    places: list[Place]
    functions: dict[str, list[Cell]]


def overview(comparison: Comparison) -> Overview:
    """What changed where: the first screen of a comparison."""
    keys = ["framework", "surface", "function"]
    both = [
        set(run.table[keys].itertuples(index=False, name=None))
        for run in (comparison.old, comparison.new)
    ]
    found: dict[tuple[str, str, str], dict[str, tuple[int, str]]] = {}
    for change in comparison.counts:
        for index, group in enumerate(groups(comparison, change), 1):
            framework, surface, function = (str(group.rows[0][key]) for key in keys)
            changes = found.setdefault((framework, surface, function), {})
            count, anchor = changes.get(change, (0, f"{change}-{index}"))
            changes[change] = (count + len(group.rows), anchor)
    places = places_of({(f, s) for f, s, _ in (*both[0], *both[1], *found)})

    def cell(place: Place, function: str) -> Cell:
        key = (place.framework, place.surface, function)
        changes = found.get(key, {})
        if not changes:
            return Cell(all(key in side for side in both))
        change, (count, anchor) = next(iter(changes.items()))
        said = ", ".join(f"{times:,} {word}" for word, (times, _) in changes.items())
        return Cell(True, change, count, anchor, said)

    functions = sorted({function for *_, function in found})
    return Overview(places, {f: [cell(place, f) for place in places] for f in functions})


def render(comparison: Comparison, form: str, fail_on: Sequence[str] = ()) -> str:
    """The comparison in one of :data:`FORMATS`; ``text`` without colours."""
    if form == "text":
        from rich.console import Console

        console = Console(no_color=True, width=10_000, highlight=False, record=False)
        with console.capture() as captured:
            comparison_terminal(comparison, console)
        return captured.get()
    if form == "github":
        return comparison_annotations(comparison, fail_on)
    forms: dict[str, Callable[[Comparison], str]] = {
        "markdown": comparison_markdown,
        "json": comparison_json,
        "html": comparison_html,
    }
    return forms[form](comparison)


# --- text -------------------------------------------------------------------------------------


def comparison_terminal(comparison: Comparison, console: Console) -> None:
    """Print a comparison: a line for each change of a callable, and what shows it."""
    from rich.text import Text

    def line(*parts: tuple[str, str], indent: int = 0) -> None:
        whole = Text(" " * indent)
        for text, style in parts:
            plain = text.encode(console.encoding, "replace").decode(console.encoding)
            whole.append(plain, style)
        console.print(whole, soft_wrap=True)

    line((comparison.title, "bold"))
    for remark in comparison.remarks:
        line((remark, "dim"))
    for change in comparison.counts:
        found = groups(comparison, change)
        line()
        count = comparison.counts[change]
        line((f"{change} ({count:,})", _STYLES[change]), (f"  {MEANINGS[change]}", "dim"))
        for group in found[:_SHOWN]:
            lead = group.lead
            place = f"  {group.where}" if group.where else ""
            line((f"{_SYMBOLS[change]} ", _STYLES[change]), (group.name, "bold"), (place, ""))
            facts = "; ".join(filter(None, (group.what, group.figures, group.detail)))
            line((facts, ""), indent=4)
            answers = [f"{t} {_short(lead[c], 100)}" for t, c in comparison.answers if lead[c]]
            if answers:
                line((" │ ".join(answers), "dim"), indent=4)
            if lead["case"]:
                line((f"case: {_short(lead['case'], 160)}", "dim"), indent=4)
        if len(found) > _SHOWN:
            line((f"… and {plural(len(found) - _SHOWN, 'more line')} of {change}", "dim"))
    line()
    for side, status in comparison.incomplete.items():
        line((f"{side} was not judged to the end: {_short(status)}", "bold red"))
    line((comparison.headline, "bold"))


# --- Markdown ---------------------------------------------------------------------------------


def comparison_markdown(comparison: Comparison, limit: int = COMMENT) -> str:
    """The comparison for a comment: at most ``limit`` characters, the most serious first, and a
    line that says what was left out."""
    head = [f"### {_prose(comparison.title)}", f"**{_prose(comparison.headline)}**"]
    head += [
        f"**{_prose(f'{side} was not judged to the end: {_short(status)}')}**"
        for side, status in comparison.incomplete.items()
    ]
    if comparison.remarks:
        head.append("\n".join(f"- {_prose(_short(remark, 400))}" for remark in comparison.remarks))
    found = {change: groups(comparison, change) for change in comparison.counts}
    frames = {change: _frame(comparison, change) for change in found}
    spare = (
        limit - 400 - sum(map(len, (*head, *(part for pair in frames.values() for part in pair))))
    )
    # a line for as many as fit, the most serious first; then what shows them, as far as that fits
    lines: dict[str, list[str]] = {change: [] for change in found}
    proofs: dict[str, list[str]] = {change: [] for change in found}
    evidence = partial(_evidence, answers=comparison.answers)
    for kept, make in ((lines, _line), (proofs, evidence)):
        for change in found:
            for group in found[change]:
                part = make(group)
                if len(part) > spare:
                    break
                spare -= len(part)
                kept[change].append(part)
    sections = [
        frames[change][0]
        + "".join(lines[change])
        + "\n"
        + "".join(proofs[change])
        + frames[change][1]
        for change in found
        if lines[change]
    ]
    left = {c: len(found[c]) - len(lines[c]) for c in found if len(lines[c]) < len(found[c])}
    bare = sum(len(kept) for kept in lines.values()) - sum(len(kept) for kept in proofs.values())
    said = [f"{plural(count, 'line')} of {change}" for change, count in left.items()]
    said += [f"what shows {plural(bare, 'line')} of those above"] if bare else []
    if said:
        sections.append(
            f"Left out, because a comment has {limit:,} characters at most: {', '.join(said)}. "
            "`nnconform compare --format html` shows all."
        )
    return "\n\n".join((*head, *sections)) + "\n"


def _frame(comparison: Comparison, change: str) -> tuple[str, str]:
    """What stands before and after the lines about a change."""
    opened = " open" if change == "regressed" else ""
    title = f"{_SYMBOLS[change]} {change} ({comparison.counts[change]:,})"
    return (
        f"<details{opened}><summary><b>{title}</b> – {MEANINGS[change]}</summary>\n\n"
        "| callable | where | what | how far |\n| --- | --- | --- | --- |\n",
        "</details>",
    )


def _line(group: Group) -> str:
    facts = _prose("; ".join(filter(None, (group.figures, _short(group.detail)))))
    return f"| {_code(group.name)} | {_prose(group.where)} | {_prose(group.what)} | {facts} |\n"


def _evidence(group: Group, answers: Sequence[tuple[str, str]]) -> str:
    """What shows the change: the smallest case, both answers, the exact one, a reproducer."""
    lead = group.lead
    lines = [f"- {title} {_code(_short(lead[c], 300))}" for title, c in answers if lead[c]]
    if lead["case"]:
        lines.insert(0, f"- case: {_code(_short(lead['case'], 400))}")
    if code := lead["reproducer"]:
        if len(code) > 3000:
            code = f"{code[:3000]}…"
        fence = "`" * max(3, 1 + max(map(len, re.findall("`+", code)), default=0))
        lines.append(f"\n{fence}python\n{code.rstrip()}\n{fence}")
    if not lines:
        return ""
    title = escape(" · ".join(filter(None, (group.name, group.what))))
    body = "\n".join(lines)
    return f"<details><summary><code>{title}</code></summary>\n\n{body}\n</details>\n\n"


# --- JSON -------------------------------------------------------------------------------------


def comparison_json(comparison: Comparison) -> str:
    """The whole comparison as JSON; its schema stands in docs/compare.md."""

    def value(cell: Any) -> Any:
        if isinstance(cell, float):
            return None if cell != cell else cell if math.isfinite(cell) else str(cell)
        return cell

    def side(run: Run) -> dict[str, Any]:
        facts = {k: run.environment.get(k) for k in _SIDE if k in run.environment}
        return {"folder": str(run.folder), **facts}

    rows = [{k: value(v) for k, v in row.items()} for row in _records(comparison.table)]
    for row in rows:
        row["case"] = json.loads(row["case"]) if row["case"] else None
    content = {
        "schema": SCHEMA,
        "old": side(comparison.old),
        "new": side(comparison.new),
        "headline": comparison.headline,
        "counts": {change: comparison.counts.get(change, 0) for change in CHANGES},
        "unchanged": comparison.unchanged,
        "remarks": list(comparison.remarks),
        "incomplete": comparison.incomplete,
        "changes": rows,
    }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


_SIDE = (
    *("created", "nnconform", "python", "platform", "cpu", "packages", "corpus"),
    *("profile", "seed", "selection", "frameworks"),
)


# --- HTML -------------------------------------------------------------------------------------


def comparison_html(comparison: Comparison) -> str:
    """The comparison as one HTML file that loads nothing from anywhere."""
    engine = templates()
    engine.filters |= {"short": _short}
    return engine.get_template("comparison.html.j2").render(
        comparison=comparison,
        overview=overview(comparison),
        groups={change: groups(comparison, change) for change in comparison.counts},
        meanings=MEANINGS,
        symbols=_SYMBOLS,
        answers=comparison.answers,
    )


# --- GitHub -----------------------------------------------------------------------------------


def comparison_annotations(comparison: Comparison, fail_on: Sequence[str] = ()) -> str:
    """Workflow commands that annotate a run on GitHub: errors for what fails, then warnings."""
    lines = []
    for change in comparison.counts:
        if change == "regressed" or change in fail_on:
            level = "error"
        else:
            level = "warning" if change in STRICT else "notice"
        for group in groups(comparison, change):
            lead = group.lead
            facts = (group.what, group.where, group.figures, group.detail)
            said = ["; ".join(filter(None, facts))]
            said += [
                f"{title} {_short(lead[c], 200)}" for title, c in comparison.answers if lead[c]
            ]
            title = _property(f"{change}: {group.name}")
            lines.append(f"::{level} title={title}::{_message(chr(10).join(said))}")
    for side, status in comparison.incomplete.items():
        message = _message(f"{side} was not judged to the end: {_short(status)}")
        lines.append(f"::error title=nnconform::{message}")
    summary = _message(f"{comparison.title}: {comparison.headline}")
    lines.append(f"::notice title=nnconform::{summary}")
    return "\n".join(lines) + "\n"


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
