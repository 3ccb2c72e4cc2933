"""The porting guide: everything it says is measured while it is made.

A guide is plain data (dictionaries, lists, text, numbers), for :mod:`nnconform.reports.porting` to
render; its code is what was executed.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ...adapters import adapter
from ...adapters.interface import Adapter, Call, Spelling
from ...reference import catalogue
from ...reference.function import Function
from ...reference.outcome import Outcome
from ..cases import Case
from .differences import agreement, at_defaults, edges, first, refused_dtypes
from .example import example
from .shown import DTYPE, literal_value, raised, shown
from .translation import Side, Translation, composed, principal, ways

Guide = dict[str, Any]

_MEANINGS = {
    "none": "unreduced",
    "sum": "summed",
    "mean": "mean",
    "batchmean": "mean over the batch",
}


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
    spelling = side.explicit_default()
    call = side.binding.call(case.inputs, case.params, spelling, DTYPE)
    return _call(side, call, side.adapter.execute(call))


def _call(side: Side, call: Call, outcome: Outcome) -> Guide:
    return {
        "surface": side.name,
        "callable": side.binding.name,
        "code": side.adapter.reproducer(call),
        "result": shown(outcome.value),
        "raises": raised(outcome.error),
        "random": side.binding.random,
    }


def port(here: Side, there: Adapter, surface: str) -> Guide:
    """What a call is on another surface, and what stays different."""
    mine: Guide = {"random": here.binding.random}
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
        return {**mine, "from": call_of(here), "to": None}
    translation, pair = found
    mine["from"] = _call(here, translation.own, pair.here)
    mine["to"] = {
        "surface": translation.there.name,
        "callable": translation.there.binding.name,
        "composed": bool(translation.there.binding.expression),
        "code": translation.there.adapter.reproducer(translation.call),
        "result": shown(pair.there.value),
        "steps": _steps(translation),
    }
    mine["parameters"] = _parameters(translation)
    mine["reductions"] = _reductions(here, case, others)
    if here.binding.random or translation.there.binding.random:
        mine["random"] = True
        return mine
    if not translation.there.binding.expression:
        mine["defaults"] = at_defaults(here, translation, others)
    mine["agreement"] = agreement(here, others)
    mine["edges"] = list(edges(here, translation))
    mine["dtypes"] = refused_dtypes(here, translation)
    return mine


def _spellings(side: Side) -> list[Spelling | None]:
    """The default reduction first, then the others, one of each meaning."""
    usual = side.explicit_default()
    if usual is None:
        return [None]
    rest = {s.meaning: side.explicit(s.meaning) for s in side.binding.reductions}
    return [usual, *(s for meaning, s in rest.items() if meaning != usual.meaning)]


def _named(spelling: Spelling | None) -> str:
    return f"{spelling.label}: " if spelling else ""


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
            parameter.domain.name == "dialect"
            or literal_value(ours[name]) == literal_value(theirs[name])
        ):
            continue
        rows.append(
            {
                "name": name,
                "here": f"`{said[0]}`" if said[0] else f"always {literal_value(ours[name])}",
                "there": f"`{said[1]}`" if said[1] else f"always {literal_value(theirs[name])}",
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

    def versions(self, *surfaces: str) -> str:
        """The frameworks of some surfaces, and what they compute with, with their versions."""
        involved = [self.surfaces[surface] for surface in surfaces]
        involved += [adapter(one.computes_with) for one in involved if one.computes_with]
        return ", ".join(dict.fromkeys(f"{one.name} {one.version}" for one in involved))

    def offering(self, function: str, among: Iterable[str]) -> list[str]:
        """The surfaces that have a function."""
        return [s for s in among if ways(self.surfaces[s], function, s)]

    def function(self, name: str, here: Sequence[str], there: Sequence[str]) -> Guide:
        """What a function is, its calls, and the ways from some surfaces to others."""
        described = describe(catalogue()[name])
        sources = self.offering(name, here or self.surfaces)
        asked = {*here, *there} or self.surfaces
        shown = (
            [] if here and there else self.offering(name, asked)
        )  # a pair shows both calls itself
        described["calls"] = [
            call_of(side)
            for surface in shown
            for side in principal(ways(self.surfaces[surface], name, surface))
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
            "versions": self.versions(here, there),
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
