"""How a person would call each function on each surface, in canonical words.

Inputs go by their canonical names and parameters are at their canonical defaults, said explicitly,
so that the calls of one function on several surfaces ask for the same thing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..adapters.interface import DTYPE, Adapter, Binding, Spelling, Unavailable, signature_of
from ..reference import catalogue
from .cases import Case, corpus

#: the dtype of the case that is written down
_DTYPE = "float32"


def calls(one: Adapter) -> list[dict[str, Any]]:
    """A row a binding: the call; its ``result`` in words; what the callable computes otherwise than
    the function at its canonical defaults (``dialect``); its own ``defaults`` of the parameters it
    can be given.

    The last two are JSON objects of texts. Where this version has no such callable there is no row.
    """
    rows = []
    for binding in one.bindings:
        spelling = usual(binding)
        try:
            binding = one.fitted(binding, spelling, _DTYPE)
        except Unavailable:
            continue
        case = example(binding)
        rows.append(
            {
                "framework": one.name,
                "surface": binding.surface.name,
                "function": binding.function,
                "callable": binding.name,
                "call": written(one, binding, spelling, case),
                "result": result(binding, spelling),
                "dialect": _json(dialect(binding, case)),
                "defaults": _json(defaults(one, binding)),
            }
        )
    return rows


def usual(binding: Binding) -> Spelling:
    """The spelling of a reduction that is written down: the mean, where it can be said."""
    said = (s for s in binding.reductions if s.meaning == "mean" and s.arguments)
    return next(said, binding.reductions[0])


def example(binding: Binding) -> Case:
    """A case of what must be given alone, every parameter at its canonical default."""
    case = next(corpus(binding, _DTYPE, 1))
    function = case.function
    needed = {
        name: array
        for name, array in case.inputs.items()
        if name in function.inputs
        and (not function.inputs[name].optional or name in (*binding.args, *binding.implied))
    }
    params = {n: p.default for n, p in function.parameters.items() if binding.reaches(n)}
    return Case(function, case.dtype, needed, params)


def written(one: Adapter, binding: Binding, spelling: Spelling, case: Case) -> str:
    """The call as code; a module whose state is set first takes several lines."""
    said = {name: value for name, value in binding.fixed.items() if value is not DTYPE}
    call = replace(binding, fixed=said).call(case.inputs, case.params, spelling, case.dtype)
    lines, expression, _ = one.written(replace(call, overwrites=""))
    return "\n".join([*lines, expression])


def result(binding: Binding, spelling: Spelling) -> str:
    """What comes of the call, in words that are the same where the numbers are."""
    if spelling.meaning == "mean" and binding.rows == "mean":
        return "mean"  # rows are equally long, so that the mean of their means is the mean
    if binding.rows is None:
        return "unreduced" if spelling.meaning == "none" else spelling.meaning
    over = f"the {binding.rows} over the last axis"
    return over if spelling.meaning == "none" else f"{spelling.meaning} of {over}"


def dialect(binding: Binding, case: Case) -> dict[str, Any]:
    """The oracle's parameters that make it compute what the callable is documented to compute,
    where it cannot be given them and they are not the canonical defaults."""
    usual = case.function.defaults()
    found = binding.resolved_dialect(case.inputs, case.params, case.dtype)
    return {n: v for n, v in found.items() if n not in case.params and usual.get(n) != v}


def defaults(one: Adapter, binding: Binding) -> dict[str, Any]:
    """What the callable takes where it is not given one of the function's parameters."""
    signature = None if binding.expression else signature_of(one.lookup(binding.path))
    if signature is None:
        return {}
    function = catalogue()[binding.function]
    found = {}
    for name in function.parameters:
        taken = signature.parameters.get(binding.keywords.get(name, ""))
        if taken is not None and taken.default is not taken.empty:
            found[name] = taken.default
    return found


def _json(values: Mapping[str, Any]) -> str:
    return json.dumps({name: str(value) for name, value in values.items()})
