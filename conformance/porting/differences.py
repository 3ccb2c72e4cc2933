"""What differs between two calls: at their defaults, under the best mapping, at the edges."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...adapters.interface import DTYPE as DTYPE_NAME
from ...adapters.interface import Call, Spelling
from ...reference.floats import DTYPES, float_of, is_float
from .. import aspects
from ..cases import Case, corpus
from ..measurement import Measurement, smallest_part, where_largest
from ..properties import elementwise
from .agreement import Pair, Part, alike, close, compared
from .example import example
from .shown import DTYPE, literal_value, number, plain, raised, shown
from .translation import Side, Translation, Untranslatable, candidates, translate

Array = np.ndarray
Guide = dict[str, Any]


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


def at_defaults(here: Side, translation: Translation, others: Sequence[Side]) -> Guide:
    """Both callables called with nothing that need not be said."""
    same = [o for o in others if o.binding.path == translation.there.binding.path]
    there = min(same, key=lambda side: len(side.binding.fixed))
    case = replace(example(here), params={})
    spelling = here.default_spelling()
    try:
        bare = translate(here, spelling, case, there, defaults=True)
    except Untranslatable as reason:
        return {"same": None, "why": [str(reason)], "must": []}
    one, two = here.adapter.execute(bare.own), there.adapter.execute(bare.call)
    guide: Guide = {
        "here": here.adapter.reproducer(bare.own),
        "there": there.adapter.reproducer(bare.call),
        "result here": raised(one.error) or shown(one.value),
        "result there": raised(two.error) or shown(two.value),
        "same": close(one.value, two.value),
        # said even where the example does not show it
        "why": [_left(name, values) for name, values in bare.left.items()],
        "must": [*_said(here, bare.own, "here"), *_said(there, bare.call, "there")],
    }
    if guide["same"]:
        return guide
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
        "without": raised(outcome.error) or shown(outcome.value),
    }


def _without(keywords: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {k: v for k, v in keywords.items() if k not in names}


def _left(name: str, values: tuple[Any, Any]) -> str:
    return f"`{name}`: {literal_value(values[0])} here, {literal_value(values[1])} there"


def agreement(here: Side, others: Sequence[Side]) -> Guide:
    """The best mapping over the corpus: how many results agree, and examples of those that do not."""
    spelling = here.explicit("none") or here.explicit_default()
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


def _once(left: Iterable[str]) -> list[str]:
    """One line of each parameter: the first that was met."""
    kept: dict[str, str] = {}
    for line in left:
        kept.setdefault(line.partition(":")[0], line)
    return [*kept.values()]


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
    index = where_largest(np.where(part.differs, part.error, -1))
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
            at = where_largest(np.where(made.differs, made.error, -1))
            yield _example(found[1], made, at)


def _example(pair: Pair, part: Part, at: tuple[int, ...]) -> Guide:
    t = pair.translation
    return {
        "inputs": {n: plain(a) for n, a in t.case.inputs.items()},
        "params": {k: literal_value(v) for k, v in t.case.params.items()},
        "here": number(part.here[at]),
        "there": number(part.there[at]),
        "exact": number(part.expected.want[at]),
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
        f"first difference below: {number(below.max())}" if below.size else "",
        f"first above: {number(above.min())}" if above.size else "",
    ]
    name = next(iter(pairs[0].translation.case.function.inputs))
    low, high = number(x[inside].min()), number(x[inside].max())
    return f"{name} from {low} to {high} ({', '.join(filter(None, ends))})"


def edges(here: Side, translation: Translation) -> Iterator[str]:
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
            text = f"{name} = {number(x)}: {what}{number(u)} here, {number(v)} there"
            if not alike(u, v) and text not in seen:
                seen.add(text)
                yield text


def refused_dtypes(here: Side, translation: Translation) -> list[str]:
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
                said.append(f"{dtype}: {side.name} raises {raised(outcome.error)}")
    return said
