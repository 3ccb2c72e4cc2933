"""What callables answered to the corpus, kept bit for bit, so that runs can be compared.

A run folder holds ``outputs/FRAMEWORK.jsonl.xz``: JSON lines, compressed. First the cases, each once::

    {"case": "5f3a…", "function": "relu", "dtype": "float32", "params": {}, "inputs": {"x": "float32 2x3 0000803f…"}}

then the rows, with what came of each case::

    {"surface": "torch", "callable": "relu", "dtype": "float32", "aspect": "value", "reduction": "none",
     "mode": "eager", "outputs": {"5f3a…": {"value": "float32 2x3 0000803f…"}}}

An answer holds ``value``, ``gradients`` by input, ``refused`` gradients with the reason, ``raised`` (the
exception, its type and the first line of its message) and ``warnings``; what there was none of is
left out. Arrays are their dtype, shape and bytes: little-endian, in C order, in hexadecimal.

A baseline has no cases, which the run that it is compared with has, and of long arrays the first
:data:`HEAD` elements and a digest of all (:func:`shortened`).
"""

from __future__ import annotations

import hashlib
import json
import lzma
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..adapters.interface import EAGER
from ..reference.floats import DTYPES, float_of
from ..reference.outcome import Outcome

Array = np.ndarray

#: the columns that identify a row within its framework
ROW = ("surface", "callable", "dtype", "aspect", "reduction", "mode")
#: the aspects whose answers are kept
ASPECTS = ("value", "gradient", "reduction", "special", "invalid")
#: how many elements of an array a baseline keeps
HEAD = 32


# -- arrays, cases and answers as text -------------------------------------------------------------


def written(array: Array) -> str:
    """An array as text: its dtype, shape and bytes."""
    shape = "x".join(map(str, array.shape)) or "scalar"
    return f"{array.dtype.name} {shape} {np.ascontiguousarray(array).tobytes().hex()}"


def read(text: str) -> Array:
    """The array that was written so; zeros stand for what :func:`shortened` has left out.

    Raises ValueError where the text is none.
    """
    try:
        name, _, content, *digest = text.split(" ")
        dtype = float_of(name).dtype if name in DTYPES else np.dtype(name)
        sizes = sizes_of(text)
        if digest:
            content = content.ljust(2 * dtype.itemsize * math.prod(sizes), "0")
        return np.frombuffer(bytes.fromhex(content), dtype).reshape(sizes)
    except (ValueError, TypeError) as error:
        raise ValueError(f"no array: {text[:60]!r}") from error


def sizes_of(text: str) -> tuple[int, ...]:
    """The shape of an array that is written so."""
    shape = text.split(" ", 2)[1]
    return () if shape == "scalar" else tuple(map(int, shape.split("x")))


def shortened(answer: Mapping[str, Any]) -> dict[str, Any]:
    """An answer with the first elements of long arrays alone, and a digest of all of them."""
    short = dict(answer)
    if "value" in answer:
        short["value"] = _head(answer["value"])
    if "gradients" in answer:
        short["gradients"] = {name: _head(text) for name, text in answer["gradients"].items()}
    return short


def _head(text: str) -> str:
    size = math.prod(sizes_of(text))
    if size <= HEAD or text.count(" ") > 2:
        return text
    name, shape, content = text.split(" ")
    kept = content[: len(content) // size * HEAD]
    digest = hashlib.blake2b(content.encode(), digest_size=4).hexdigest()
    return f"{name} {shape} {kept} {digest}"


def case_line(
    function: str, dtype: str, inputs: Mapping[str, Array], params: Mapping[str, Any]
) -> dict[str, Any]:
    """A case as it stands in the file, under the digest of all that it holds."""
    content = {
        "function": function,
        "dtype": dtype,
        "params": {name: params[name] for name in sorted(params)},
        "inputs": {name: written(inputs[name]) for name in sorted(inputs)},
    }
    text = json.dumps(content, default=_plain)
    return {"case": hashlib.blake2b(text.encode(), digest_size=8).hexdigest(), **content}


def answer(outcome: Outcome) -> dict[str, Any]:
    """What a callable did with a case, as it stands in the file."""
    kept: dict[str, Any] = {}
    if outcome.value is not None:
        kept["value"] = written(outcome.value)
    if outcome.gradients:
        kept["gradients"] = {name: written(g) for name, g in outcome.gradients.items()}
    if outcome.refused:
        kept["refused"] = outcome.refused
    if outcome.error is not None:
        first = next(iter(str(outcome.error).strip().splitlines()), "")
        kept["raised"] = f"{type(outcome.error).__name__}: {first}"[:300]
    if outcome.warnings:
        kept["warnings"] = [" ".join(text.split())[:300] for text in outcome.warnings]
    return kept


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else str(value)


# -- the file ----------------------------------------------------------------------------------------


@dataclass
class Outputs:
    """The answers of one run: ``cases`` by digest, ``rows`` by framework and :data:`ROW`."""

    cases: dict[str, dict[str, Any]] = field(default_factory=dict)
    rows: dict[tuple[str, ...], dict[str, dict[str, Any]]] = field(default_factory=dict)

    def take(self, framework: str, lines: Iterable[str], *, whole: bool = True) -> None:
        """Add lines of a file; of a journal, which is not ``whole``, one that a crash has cut short
        is passed over."""
        for line in lines:
            try:
                entry = json.loads(line)
            except ValueError:
                if whole:
                    raise
                continue
            if "case" in entry:
                self.cases[entry["case"]] = entry
            else:
                *place, _ = ROW
                # runs from before there were modes name none
                key = (framework, *(entry[name] for name in place), entry.get("mode", EAGER))
                self.rows.setdefault(key, {}).update(entry["outputs"])

    def lines(self, framework: str) -> Iterator[str]:
        """The lines of a framework's file: the cases that its rows speak of, then the rows."""
        mine = {key: self.rows[key] for key in sorted(self.rows) if key[0] == framework}
        spoken_of = {case for outputs in mine.values() for case in outputs}
        ordered = [c for c in self.cases.values() if c["case"] in spoken_of]
        for case in sorted(ordered, key=lambda c: (c["function"], c["dtype"], c["case"])):
            yield json.dumps(case, ensure_ascii=False)
        for key, outputs in mine.items():
            row = {name: key[place] for place, name in enumerate(ROW, 1)}
            yield json.dumps({**row, "outputs": outputs}, ensure_ascii=False)


def for_baseline(whole: Outputs) -> Outputs:
    """Of all answers what a baseline keeps; those to special values it keeps whole."""
    return Outputs(
        rows={
            key: {
                case: answer if key[4] == "special" else shortened(answer)
                for case, answer in answers.items()
            }
            for key, answers in whole.rows.items()
        }
    )


def gather(folder: Path) -> Outputs:
    """The answers in the journal of a run folder."""
    found = Outputs()
    for path in sorted((folder / "journal").glob("*.outputs")):
        framework = path.name.rpartition("-")[0]
        with path.open(encoding="utf-8") as file:
            found.take(framework, file, whole=False)
    return found


def write(outputs: Outputs, folder: Path) -> None:
    """Write the files ``outputs/FRAMEWORK.jsonl.xz`` of a run folder."""
    (folder / "outputs").mkdir(exist_ok=True)
    for framework in sorted({key[0] for key in outputs.rows}):
        text = "".join(f"{line}\n" for line in outputs.lines(framework))
        path = folder / "outputs" / f"{framework}.jsonl.xz"
        path.write_bytes(lzma.compress(text.encode(), preset=9))


def load(folder: Path) -> Outputs:
    """The answers kept in a run folder; none where there are none.

    Raises ValueError that names the file where one is damaged.
    """
    found = Outputs()
    for path in sorted((folder / "outputs").glob("*.jsonl.xz")):
        try:
            text = lzma.decompress(path.read_bytes()).decode()
            found.take(path.name.removesuffix(".jsonl.xz"), text.splitlines())
        except (lzma.LZMAError, EOFError, ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is damaged: {error}") from error
    return found
