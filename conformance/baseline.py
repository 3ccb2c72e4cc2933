"""Run folders that are kept: what a comparison needs of them, whole and as it was written."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import outputs
from .environment import SCHEMA
from .outputs import Outputs
from .selection import UsageError

if TYPE_CHECKING:
    import pandas as pd

    from ..reports.table import Run

#: the facts of environment.json that a comparison needs
_FACTS = {"nnconform": str, "corpus": str, "python": str, "packages": dict, "frameworks": dict}
#: columns that a baseline leaves empty: long ones, and the version, which is in environment.json
_LONG = ("worst", "reproducer", "version")
#: facts that say nothing of what was measured
_FLEETING = ("command", "duration_s", "files")


@dataclass(frozen=True)
class Kept:
    """A run with all that was kept of it."""

    run: Run
    outputs: Outputs
    callables: pd.DataFrame


def digests(folder: Path) -> dict[str, str]:
    """A digest of every file of a run folder that a comparison reads, to notice damage.

    The ends of lines do not count, so that a checkout on another platform is the same.
    """
    named = [folder / name for name in ("measurements.csv", "callables.csv")]
    found = {}
    for path in (*named, *sorted((folder / "outputs").glob("*.jsonl.xz"))):
        if path.exists():
            content = path.read_bytes()
            if path.suffix == ".csv":
                content = content.replace(b"\r\n", b"\n")
            name = path.relative_to(folder).as_posix()
            found[name] = hashlib.blake2b(content, digest_size=16).hexdigest()
    return found


def opened(source: str | os.PathLike[str] | Run) -> Kept:
    """A run folder or a baseline, or a run that was loaded from one, with all that was kept.

    Raises UsageError that names the file where it is no run, of another schema, or damaged.
    """
    from ..reports.table import RunError, load, load_callables

    folder = source if isinstance(source, (str, os.PathLike)) else source.folder
    folder = Path(folder)
    try:
        checked(folder)
        run = load(folder) if isinstance(source, (str, os.PathLike)) else source
        callables = load_callables(folder)
    except (RunError, OSError) as error:
        raise UsageError(str(error)) from None
    try:
        if any((folder / "outputs").glob("*.jsonl.xz")):
            kept = outputs.load(folder)
        else:
            kept = outputs.gather(folder)
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise UsageError(str(error)) from None
    return Kept(run, kept, callables)


def checked(folder: Path) -> None:
    """Raises UsageError where a folder is no run or baseline, or not as it was written."""
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder; expected that of a run or a baseline")
    facts = _facts(folder / "environment.json")
    _unharmed(folder, facts.get("files", {}))


def _facts(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise UsageError(f"{path}: no such file; expected that of a run or a baseline")
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UsageError(
            f"{path} is truncated or damaged: not valid JSON ({error}); expected a JSON object"
        ) from None
    if not isinstance(facts, dict) or "schema" not in facts:
        raise UsageError(f"{path}: states no schema; expected that of a run or a baseline")
    if facts["schema"] != SCHEMA:
        raise UsageError(
            f"{path}: schema {facts['schema']!r}; this nnconform reads schema {SCHEMA}: make the "
            "run or the baseline again"
        )
    for name, kind in _FACTS.items():
        if not isinstance(facts.get(name), kind):
            raise UsageError(f"{path} is damaged: {name!r} is missing or no {kind.__name__}")
    for name, entry in facts["frameworks"].items():
        if not isinstance(entry, dict) or not {"version", "status"} <= set(entry):
            raise UsageError(f"{path} is damaged: framework {name!r} has no version and status")
    return facts


def _unharmed(folder: Path, written: Any) -> None:
    """Raises UsageError for a file that is not as it was written."""
    if not isinstance(written, dict):
        raise UsageError(f"{folder / 'environment.json'} is damaged: 'files' is no object")
    found = digests(folder)
    for name, digest in written.items():
        if name not in found:
            raise UsageError(f"{folder / name}: no such file, but environment.json lists it")
        if found[name] != digest:
            raise UsageError(
                f"{folder / name} is truncated or was edited: its digest is not the one in "
                "environment.json; make the run or the baseline again"
            )


# -- baselines -----------------------------------------------------------------------------------------


def baseline(source: str | os.PathLike[str] | Run, folder: str | os.PathLike[str]) -> Path:
    """Keep of a run what a comparison needs, in a folder that can be committed; its path.

    An earlier baseline in ``folder`` is replaced. Raises UsageError where ``source`` is no whole
    run, and where ``folder`` is anything but a baseline, empty, or not there.
    """
    from ..reports.table import incomplete, replace, write, write_callables

    kept = opened(source)
    for framework, status in incomplete(kept.run).items():
        raise UsageError(
            f"{kept.run.folder}: {framework} was not judged to the end ({first(status)}); "
            "a baseline needs a whole run"
        )
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is not a folder")
    if folder.exists() and any(folder.iterdir()) and not _is_baseline(folder):
        raise UsageError(f"{folder} exists and is no baseline; choose another folder")
    try:
        (folder / "outputs").mkdir(parents=True, exist_ok=True)
        for old in (folder / "outputs").glob("*.jsonl.xz"):
            old.unlink()
        outputs.write(outputs.for_baseline(kept.outputs), folder)
        write(_short(kept.run.table), folder)
        write_callables(kept.callables.assign(version=""), folder)
        facts = {k: v for k, v in kept.run.environment.items() if k not in _FLEETING}
        facts |= {"baseline": True, "files": digests(folder)}
        text = json.dumps(facts, indent=2, ensure_ascii=False)
        replace(folder / "environment.json", f"{text}\n")
    except OSError as error:
        raise UsageError(f"{folder} cannot be written: {error.strerror}") from None
    return folder


def _is_baseline(folder: Path) -> bool:
    try:
        facts = json.loads((folder / "environment.json").read_text(encoding="utf-8"))
        return bool(facts["baseline"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _short(table: pd.DataFrame) -> pd.DataFrame:
    """The table without long columns; of notes, what is wrong and which records cover it."""
    notes = []
    for verdict, note in zip(table["verdict"], table["note"], strict=True):
        lines = note.split("\n")
        if verdict == "known":
            records = [line[: line.index("]") + 1] for line in lines if line.startswith("[")]
            notes.append(" ".join(r for r in records if r))
        else:
            notes.append("" if verdict in ("pass", "limited") else lines[0][:200])
    return table.assign(**dict.fromkeys(_LONG, ""), note=notes)


def first(text: str) -> str:
    """The first line of a text."""
    return next(iter(text.strip().splitlines()), "")
