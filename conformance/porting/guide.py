"""The porting guide: everything it says is measured while it is made.

A guide is plain data (dictionaries, lists, text, numbers), for :mod:`nnconform.reports.porting` to
render; its code is what was executed.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...adapters.interface import DTYPE as DTYPE_NAME
from ...adapters.interface import Adapter, Call, Spelling
from ...reference import catalogue
from ...reference.floats import DTYPES, float_of, is_float
from ...reference.function import Function
from .. import aspects
from ..cases import Case, corpus
from ..measurement import Measurement, smallest_part
from ..properties import elementwise
from .agreement import APART, Pair, Part, compared
from .example import example
from .translation import (
    Side,
    Translation,
    Untranslatable,
    candidates,
    composed,
    principal,
    translate,
    ways,
)

Array = np.ndarray
Guide = dict[str, Any]

#: the dtype of a guide's numbers
DTYPE = "float32"
_MEANINGS = {
    "none": "unreduced",
    "sum": "summed",
    "mean": "mean",
    "batchmean": "mean over the batch",
}


def _once(left: Iterable[str]) -> list[str]:
    """One line of each parameter: the first that was met."""
    kept: dict[str, str] = {}
    for line in left:
        kept.setdefault(line.partition(":")[0], line)
    return [*kept.values()]


def describe(function: Function) -> Guide:
    """What a function is: formula, inputs, parameters."""
    return {
        "function": function.name,
        "kind": function.kind,
        "formula": inspect.getdoc(function.formula) or "",
        "inputs": [
            {
                "name": spec.name,
                "kinds": [kind.replace("_", " ") for kind in spec.kinds],
                "shape": spec.shape,
                "optional": spec.optional,
            }
            for spec in function.inputs.values()
        ],
        "parameters": [
            {"name": p.name, "domain": str(p.domain), "default": repr(p.default)}
            for p in function.parameters.values()
            if p.domain.name != "dialect"
        ],
    }


def call_of(side: Side) -> Guide:
    """One callable: the call with its defaults made explicit, and what it gives."""
    case = example(side)
    spelling = _explicit_default(side)
    call = side.binding.call(case.inputs, case.params, spelling, DTYPE)
    outcome = side.adapter.execute(call)
    return {
        "surface": side.name,
        "callable": side.binding.name,
        "code": side.adapter.reproducer(call),
        "result": _shown(outcome.value),
        "raises": _raised(outcome.error),
        "random": side.binding.random,
    }


def port(here: Side, there: Adapter, surface: str) -> Guide:
    """What a call is on another surface, and what stays different."""
    mine: Guide = {"from": call_of(here), "random": here.binding.random}
    others = [
        *ways(there, here.binding.function, surface),
        *composed(there, here.binding.function),  # where the callables cannot do it
    ]
    case = example(here)
    found, reasons = None, {}
    for spelling in _spellings(here):
        found, why = first(here, spelling, case, others)
        reasons.update({f"{_named(spelling)}{name}": reason for name, reason in why.items()})
        if found:
            break
    mine["reasons"] = reasons if found is None or spelling is not _spellings(here)[0] else {}
    if found is None:
        mine["to"] = None
        return mine
    translation, pair = found
    own = translation.own
    mine["from"] |= {
        "code": here.adapter.reproducer(own),
        "result": _shown(pair.here.value),
    }
    mine["to"] = {
        "surface": translation.there.name,
        "callable": translation.there.binding.name,
        "composed": bool(translation.there.binding.expression),
        "code": translation.there.adapter.reproducer(translation.call),
        "result": _shown(pair.there.value),
        "steps": _steps(translation),
    }
    mine["parameters"] = _parameters(translation)
    mine["reductions"] = _reductions(here, case, others)
    if here.binding.random or translation.there.binding.random:
        mine["random"] = True
        return mine
    if not translation.there.binding.expression:
        mine["defaults"] = _defaults(here, translation, others)
    mine["agreement"] = _agreement(here, others)
    mine["edges"] = list(_edges(here, translation))
    mine["dtypes"] = _dtypes(here, translation)
    return mine


# -- which call ------------------------------------------------------------------------------------


def _explicit_default(side: Side) -> Spelling | None:
    """The reduction that a call has by default, in so many words."""
    spelling = side.default_spelling()
    return spelling and (side.explicit(spelling.meaning) or spelling)


def _spellings(side: Side) -> list[Spelling | None]:
    """The default reduction first, then the others, one of each meaning."""
    first = _explicit_default(side)
    if first is None:
        return [None]
    rest = {s.meaning: side.explicit(s.meaning) for s in side.binding.reductions}
    return [first, *(s for meaning, s in rest.items() if meaning != first.meaning)]


def _named(spelling: Spelling | None) -> str:
    return f"{spelling.label}: " if spelling else ""


def first(
    here: Side, spelling: Spelling | None, case: Case, others: Sequence[Side], **options: Any
) -> tuple[tuple[Translation, Pair] | None, dict[str, str]]:
    """The nearest translation that gives something of the same shape; what is wrong with others."""
    found, reasons = candidates(here, spelling, case, others)
    for translation in found:
        pair = compared(translation, **options)
        if not pair.mismatch:
            return (translation, pair), reasons
        reasons[translation.there.binding.name] = pair.mismatch
    return None, reasons


def _steps(translation: Translation) -> list[str]:
    """What is converted, in words."""
    said = [f"`{name}`: {s.meaning}" for name, made in translation.steps.items() for s in made]
    return [*said, *(f"result: {step.meaning}" for step in translation.after)]


def _parameters(translation: Translation) -> list[dict[str, str]]:
    """How each parameter is said on both sides."""
    rows = []
    here, there = translation.here.binding, translation.there.binding
    theirs = translation.there.meaning(
        translation.other.inputs, translation.other.params, translation.other.dtype
    )
    ours = translation.here.meaning(
        translation.case.inputs, translation.case.params, translation.case.dtype
    )
    for name, parameter in translation.here.function.parameters.items():
        said = here.keywords.get(name), there.keywords.get(name)
        if not any(said) and (
            parameter.domain.name == "dialect" or _value(ours[name]) == _value(theirs[name])
        ):
            continue
        rows.append(
            {
                "name": name,
                "here": f"`{said[0]}`" if said[0] else f"always {_value(ours[name])}",
                "there": f"`{said[1]}`" if said[1] else f"always {_value(theirs[name])}",
            }
        )
    return rows


def _reductions(here: Side, case: Case, others: Sequence[Side]) -> list[dict[str, str]]:
    """How each reduction is said on both sides."""
    if here.function.kind == "activation":
        return []
    rows = []
    for spelling in here.binding.reductions:
        found, reasons = first(here, spelling, case, others, gradient=False)
        said = spelling.label if spelling.label == "default" else _arguments(spelling)
        if found is None:
            rows.append({"here": said, "there": f"none: {next(iter(reasons.values()), '')}"})
            continue
        translation = found[0]
        theirs = translation.their_spelling
        there = _arguments(theirs) if theirs else ""
        by_hand = [step.meaning for step in translation.after if step.name != "negative"]
        rows.append({"here": said, "there": ", ".join(filter(None, [there, *by_hand]))})
    return rows


def _arguments(spelling: Spelling) -> str:
    written = ", ".join(f"{k}={v!r}" for k, v in spelling.arguments.items())
    return f"`{written}`" if written else _MEANINGS.get(spelling.meaning, spelling.meaning)


# -- what differs ----------------------------------------------------------------------------------


def _defaults(here: Side, translation: Translation, others: Sequence[Side]) -> Guide:
    """Both callables called with nothing that need not be said."""
    same = [o for o in others if o.binding.path == translation.there.binding.path]
    there = min(same, key=lambda side: len(side.binding.fixed))
    case = replace(example(here), params={})
    spelling = here.default_spelling()
    try:
        bare = translate(here, spelling, case, there, defaults=True)
    except Untranslatable as reason:
        return {"same": None, "why": [str(reason)]}
    one, two = here.adapter.execute(bare.own), there.adapter.execute(bare.call)
    guide: Guide = {
        "here": here.adapter.reproducer(bare.own),
        "there": there.adapter.reproducer(bare.call),
        "result here": _raised(one.error) or _shown(one.value),
        "result there": _raised(two.error) or _shown(two.value),
        "same": _close(one.value, two.value),
        "why": [],
        "must": [*_said(here, bare.own, "here"), *_said(there, bare.call, "there")],
    }
    if guide["same"]:
        # the example may not show it: say where defaults differ
        guide["why"] = [_left(name, pair) for name, pair in bare.left.items()]
        return guide
    guide["why"] = [_left(name, pair) for name, pair in bare.left.items()]
    theirs = there.default_spelling()
    if spelling and theirs and spelling.meaning != theirs.meaning:
        guide["why"].append(f"reduction: {spelling.meaning} here, {theirs.meaning} there")
    rows = here.binding.rows, there.binding.rows
    if rows[0] != rows[1]:
        said = [f"the {r} over the last axis" if r else "every element" for r in rows]
        guide["why"].append(f"one loss: {said[0]} here, {said[1]} there")
    return guide


def _said(side: Side, call: Call, where: str) -> Iterator[dict[str, str]]:
    """What a call must say because it means something else without, and what it gives then."""
    fixed = {k: v for k, v in side.binding.fixed.items() if v is not DTYPE_NAME}
    if not fixed:
        return
    constructor = call.constructor and _without(call.constructor, fixed)
    bare = replace(call, constructor=constructor, kwargs=_without(call.kwargs, fixed))
    outcome = side.adapter.execute(bare)
    yield {
        "side": where,
        "said": ", ".join(f"{k}={v!r}" for k, v in fixed.items()),
        "without": _raised(outcome.error) or _shown(outcome.value),
    }


def _without(keywords: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {k: v for k, v in keywords.items() if k not in names}


def _left(name: str, values: tuple[Any, Any]) -> str:
    return f"`{name}`: {_value(values[0])} here, {_value(values[1])} there"


def _agreement(here: Side, others: Sequence[Side]) -> Guide:
    """The best mapping over the corpus: how many results agree, and examples of those that do not."""
    spelling = here.explicit("none") or _explicit_default(here)
    counts: dict[str, list[int]] = {}
    identical = True
    left: dict[str, None] = {}
    refused: dict[str, int] = {}
    compositions: dict[str, int] = {}
    pairs: list[Pair] = []
    cases = 0
    for case in corpus(here.binding, DTYPE):
        cases += 1
        case = replace(case, inputs={n: a for n, a in case.inputs.items() if n != "sample_weight"})
        found, reasons = first(here, spelling, case, others)
        if found is None:
            why = next(iter(reasons.values()), "no callable")
            refused[why] = refused.get(why, 0) + 1
            continue
        translation, pair = found
        left.update(dict.fromkeys(left_over(translation)))
        left.update({f"`{name}`: cannot be given there": None for name in translation.missing})
        if pair.ungraded:
            left[f"gradient: {pair.ungraded}"] = None
        pairs.append(pair)
        if expression := translation.there.binding.expression:
            compositions[expression] = compositions.get(expression, 0) + 1
        for part in pair.parts:
            total = counts.setdefault(part.of, [0, 0, 0])
            total[0] += part.error.size
            total[1] += int(np.count_nonzero(part.differs))
            total[2] += int(np.count_nonzero(part.loose))
            identical &= part.identical
    return {
        "cases": cases,
        "refused": refused,
        "composed": compositions,
        "left": _once(left),
        "identical": identical and bool(pairs),
        "parts": [
            {
                "of": of,
                "results": n,
                "differ": d,
                "loose": loose,
                "examples": [*_examples(pairs, of, others)] if d else [],
            }
            for of, (n, d, loose) in counts.items()
        ],
    }


def _examples(pairs: Sequence[Pair], of: str, others: Sequence[Side]) -> Iterator[Guide]:
    """The simplest result that differs, and where between the corpus' numbers that begins."""
    shown = [
        example
        for pair in pairs
        for part in pair.parts
        if part.of == of
        for example in _cut(pair, part, others)
    ]
    if not shown:
        return
    simplest = min(shown, key=lambda s: (len(s["code here"]), s["code here"]))
    reach = _reach(pairs, of)
    yield {**simplest, "agree": reach}


def _cut(pair: Pair, part: Part, others: Sequence[Side]) -> Iterator[Guide]:
    """The largest difference of a case, and the one of the shortest numbers."""
    if not part.differs.any():
        return
    index = _largest(np.where(part.differs, part.error, -1))
    first = pair.translation.case.inputs[next(iter(pair.translation.case.inputs))]
    indices = {index: None}
    if first.shape == part.differs.shape and is_float(first):
        where = [tuple(map(int, i)) for i in np.argwhere(part.differs)]
        indices[min(where, key=lambda i: (len(repr(float(first[i]))), i))] = None
    for at in indices:
        yield from _made_again(pair, part, at, others)


def _made_again(
    pair: Pair, part: Part, index: tuple[int, ...], others: Sequence[Side]
) -> Iterator[Guide]:
    """One result's difference, of what alone determines it."""
    translation = pair.translation
    here = translation.here
    subject = here.subject(translation.spelling, translation.case.dtype)
    cut = smallest_part(translation.case, index, subject)
    cut = replace(cut, inputs={name: np.asarray(array) for name, array in cut.inputs.items()})
    if sum(a.size for a in cut.inputs.values()) > 24:
        return
    try:
        found, _ = first(here, translation.spelling, cut, others)
    except (ValueError, IndexError):
        return  # the part is no case of its own
    for made in found[1].parts if found else []:
        if made.of == part.of and made.differs.any():
            assert found is not None
            at = _largest(np.where(made.differs, made.error, -1))
            yield _example(found[1], made, at)


def _example(pair: Pair, part: Part, at: tuple[int, ...]) -> Guide:
    t = pair.translation
    want = part.expected.want[at]
    off = {
        side: float(error[at])
        for side, error in (
            ("here", part.expected.limited_error(part.here.astype(_dtype(t)), _kind(t))),
            ("there", part.expected.limited_error(part.there.astype(_dtype(t)), _kind(t))),
        )
    }
    return {
        "inputs": {n: _plain(a) for n, a in t.case.inputs.items()},
        "params": {k: _value(v) for k, v in t.case.params.items()},
        "here": _number(part.here[at]),
        "there": _number(part.there[at]),
        "exact": _number(want),
        "off": [side for side, error in off.items() if error > APART / 2],
        "left": bool(t.left),
        "code here": t.here.adapter.reproducer(t.own, of=part.of),
        "code there": t.there.adapter.reproducer(t.call, of=part.of),
        "records": records_of(pair, part),
    }


def left_over(translation: Translation) -> list[str]:
    """What cannot be made the same, in words."""
    return [_left(name, values) for name, values in translation.left.items()]


def records_of(pair: Pair, part: Part) -> list[str]:
    """The recorded divergences that show in a case, of both sides."""
    t = pair.translation
    found = {*_records(t.here, t.spelling, t.case, part.of)}
    return sorted(found | {*_records(t.there, t.their_spelling, t.other, part.of)})


def _records(side: Side, spelling: Spelling | None, case: Case, of: str) -> Iterator[str]:
    """The recorded divergences that show in a case."""
    if side.binding.expression:
        return
    subject = side.subject(spelling, case.dtype)
    m = Measurement(replace(subject, aspect="gradient" if of else "value"))
    # what fails has no record; what was cut from a case may be none of its own
    with contextlib.suppress(AssertionError, IndexError, ValueError):
        (aspects.gradient if of else aspects.value)(m, case)
    yield from (record.note for record in m.shown.values())


def _reach(pairs: Sequence[Pair], of: str) -> str:
    """Between which numbers of the corpus the sides agree: of functions of single numbers."""
    xs, differ = [], []
    for pair in pairs:
        case = pair.translation.case
        function = case.function
        first = case.inputs[next(iter(function.inputs))]
        if not elementwise(function) or pair.translation.here.binding.rows:
            return ""
        for part in pair.parts:
            if part.of == of and part.differs.shape == first.shape and is_float(first):
                xs.append(first.astype(np.float64).ravel())
                differ.append(part.differs.ravel())
    if not xs:
        return ""
    x, wrong = np.concatenate(xs), np.concatenate(differ)
    middle = 0.5 if x.min() >= 0 and x.max() <= 1 else 0.0
    if not wrong.any() or np.any(wrong[np.abs(x - middle) == np.abs(x - middle).min()]):
        return ""
    below, above = x[wrong & (x < middle)], x[wrong & (x > middle)]
    inside = ~wrong
    if below.size:
        inside &= x > below.max()
    if above.size:
        inside &= x < above.min()
    if np.mean(wrong[~inside]) < 0.5:
        return ""  # it is not this number alone that decides
    ends = [
        f"first difference below: {_number(below.max())}" if below.size else "",
        f"first above: {_number(above.min())}" if above.size else "",
    ]
    name = next(iter(pairs[0].translation.case.function.inputs))
    low, high = _number(x[inside].min()), _number(x[inside].max())
    return f"{name} from {low} to {high} ({', '.join(filter(None, ends))})"


def _edges(here: Side, translation: Translation) -> Iterator[str]:
    """What both do at NaN, ±∞, ±0 and kinks, where it is not the same."""
    case, function = translation.case, here.function
    name = next(iter(function.inputs))
    shapes = {array.shape for array in case.inputs.values()}
    if not elementwise(function) or here.binding.rows or len(shapes) != 1:
        return
    kinks = function.kink_points(**translation.here.meaning(case.inputs, case.params, DTYPE))
    points = [np.nan, np.inf, -np.inf, 0.0, -0.0, *kinks.get(name, ())]
    if function.inputs[name].kinds[0] in ("probability", "distribution"):
        points = [np.nan, 0.0, 1.0]
    elif function.inputs[name].kinds[0] not in ("real", "logits"):
        return
    shape = (len(points), *[1] * (max(here.binding.min_rank, 1) - 1))
    dtype = float_of(DTYPE).dtype
    inputs = {
        n: (np.reshape(points, shape) if n == name else np.resize(a, shape)).astype(dtype)
        for n, a in case.inputs.items()
    }
    spelling = here.explicit("none")
    if function.kind == "loss" and spelling is None:
        return
    try:
        at = translate(
            here, spelling, Case(function, DTYPE, inputs, case.params), translation.there
        )
    except (Untranslatable, ValueError):
        return
    wrt = [name] if name in function.differentiable else []
    one, two = (
        side.adapter.execute(call, wrt, lambda s, d: np.ones(s, float_of(d).dtype))
        for side, call in ((here, at.own), (at.there, at.call))
    )
    if one.error or two.error or one.value is None or two.value is None:
        return
    results = [("", one.value, two.value)]
    if name in one.gradients and name in two.gradients:
        results.append(("gradient ", one.gradients[name], two.gradients[name]))
    seen = set()
    for what, a, b in results:
        if a.size != len(points) or b.size != len(points):
            continue
        for x, u, v in zip(points, a.ravel().tolist(), b.ravel().tolist(), strict=True):
            text = f"{name} = {_number(x)}: {what}{_number(u)} here, {_number(v)} there"
            if not _alike(u, v) and text not in seen:
                seen.add(text)
                yield text


def _dtypes(here: Side, translation: Translation) -> list[str]:
    """The dtypes that one of them refuses."""
    said = []
    for dtype in DTYPES:
        case = example(here, dtype)
        try:
            t = translate(here, translation.spelling, case, translation.there)
        except (Untranslatable, ValueError):
            continue
        for side, call in ((t.here, t.own), (t.there, t.call)):
            outcome = side.adapter.execute(call)
            if outcome.error is not None:
                said.append(f"{dtype}: {side.name} raises {_raised(outcome.error)}")
    return said


# -- numbers and text ------------------------------------------------------------------------------


def _largest(array: Array) -> tuple[int, ...]:
    return tuple(map(int, np.unravel_index(int(array.argmax()), array.shape)))


def _kind(t: Translation) -> Any:
    return float_of(t.case.dtype)


def _dtype(t: Translation) -> Any:
    return _kind(t).dtype


def _close(a: Array | None, b: Array | None) -> bool:
    if a is None or b is None or a.shape != b.shape:
        return False
    return all(_alike(u, v) for u, v in zip(a.ravel().tolist(), b.ravel().tolist(), strict=True))


def _alike(a: float, b: float) -> bool:
    """The same to rounding; NaN is like NaN."""
    if np.isnan(a) or np.isnan(b):
        return bool(np.isnan(a) and np.isnan(b))
    if np.isinf(a) or np.isinf(b):
        return a == b
    return abs(a - b) <= APART * float_of(DTYPE).u * max(abs(a), abs(b), 1.0)


def _raised(error: BaseException | None) -> str:
    if error is None:
        return ""
    return " ".join(f"{type(error).__name__}: {error}".split())[:160]


def _number(value: Any) -> str:
    return f"{float(value):.6g}"


def _shown(value: Array | None) -> str:
    """A result with six digits."""
    if value is None:
        return ""
    if value.ndim == 0:
        return _number(value)
    return "[" + ", ".join(_shown(row) for row in value) + "]"


def _plain(array: Array) -> str:
    return _shown(array) if is_float(array) else str(array.tolist()).replace("'", "")


def _value(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_value, value))})"
    if isinstance(value, (float, np.floating)):
        short = np.float32(value)
        return str(short) if float(short) == float(value) else repr(float(value))
    return repr(value)


# -- all of it -------------------------------------------------------------------------------------


class Guides:
    """Guides between the surfaces of some frameworks."""

    def __init__(self, adapters: Iterable[Adapter]) -> None:
        self.adapters = list(adapters)
        #: every surface, with its adapter
        self.surfaces = {
            binding.surface.name: one for one in self.adapters for binding in one.bindings
        }
        for one in self.adapters:
            one.start()

    @property
    def versions(self) -> str:
        return ", ".join(f"{one.name} {one.version}" for one in self.adapters)

    def offering(self, function: str, among: Iterable[str]) -> list[str]:
        """The surfaces that have a function."""
        return [s for s in among if ways(self.surfaces[s], function, s)]

    def function(self, name: str, here: Sequence[str], there: Sequence[str]) -> Guide:
        """What a function is, its calls, and the ways from some surfaces to others."""
        described = describe(catalogue()[name])
        sources = self.offering(name, here or self.surfaces)
        shown = sources if here and there else self.offering(name, {*here, *there} or self.surfaces)
        described["calls"] = [
            call_of(side)
            for surface in shown
            for side in principal(ways(self.surfaces[surface], name, surface))
            if not (here and there)
        ]
        described["pairs"] = [
            self.pair(one, other, [name])
            for one in (sources if here or there else [])
            for other in self._targets(name, there)
            if other != one
        ]
        return described

    def _targets(self, name: str, there: Sequence[str]) -> list[str]:
        """The surfaces to port to: of those that are asked for, else of their frameworks, those that
        have the function; where none has, the first, whose framework's compositions stand in."""
        frameworks = {self.surfaces[surface].name for surface in there}
        related = [s for s, one in self.surfaces.items() if one.name in frameworks]
        return (
            self.offering(name, there or self.surfaces)
            or self.offering(name, related)
            or list(there[:1])
        )

    def pair(self, here: str, there: str, functions: Sequence[str]) -> Guide:
        """From one surface to another, the functions that the first has."""
        sections = []
        for name in functions:
            mine = principal(ways(self.surfaces[here], name, here))
            ports = [port(side, self.surfaces[there], there) for side in mine]
            if ports:
                sections.append({"function": name, "kind": catalogue()[name].kind, "ports": ports})
        offered = any(self.offering(name, [there]) for name in functions)
        return {
            "from": here,
            "to": there if offered else self.surfaces[there].name,
            "versions": self.versions,
            "functions": sections,
        }

    def every(self) -> Iterator[Guide]:
        """Every ordered pair of surfaces that share functions."""
        for here in self.surfaces:
            for there in self.surfaces:
                shared = [
                    name
                    for name in catalogue()
                    if here != there and len(self.offering(name, (here, there))) == 2
                ]
                if shared:
                    yield self.pair(here, there, shared)
