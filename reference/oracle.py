"""The oracle's front door: a function, reduced, with gradients, at the float width of its inputs."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import numpy as np

from . import catalogue
from .function import INTEGER_KINDS, Function
from .outcome import Outcome
from .reductions import REDUCTIONS, Rows, coefficients, over_rows, spread_over_rows


def find(name: str) -> Function:
    """The function of that canonical name; ValueError with the nearest names if there is none."""
    functions = catalogue()
    if name not in functions:
        near = difflib.get_close_matches(name, functions, n=3) or sorted(functions)
        raise ValueError(f"unknown function {name!r}; nearest: {', '.join(near)}")
    return functions[name]


def resolve(
    function: Function, inputs: Mapping[str, Any], params: Mapping[str, Any]
) -> dict[str, Any]:
    """All arguments of the formula, checked: arrays of one float width, and every parameter.

    Raises ValueError naming the argument, what was wrong and what is accepted.
    """
    for name in inputs:
        if name not in function.inputs:
            known = ", ".join(function.inputs)
            raise ValueError(f"{function.name}: unknown input {name!r}; its inputs are {known}")
    for name in params:
        if name not in function.parameters:
            known = ", ".join(function.parameters) or "none"
            raise ValueError(f"{function.name}: unknown parameter {name!r}; it has {known}")
    arrays: dict[str, Any] = {}
    for name, spec in function.inputs.items():
        if inputs.get(name) is None:
            if not spec.optional:
                raise ValueError(f"{function.name}: input {name!r} is missing")
            continue
        array = np.asarray(inputs[name])
        if array.dtype.kind not in "fiub" and array.dtype.name != "bfloat16":
            raise ValueError(
                f"{function.name}: input {name!r} has dtype {array.dtype}; numbers are accepted"
            )
        arrays[name] = array
    floats = [a.dtype for a in arrays.values() if a.dtype.kind == "f"]
    width = np.result_type(*floats) if floats else np.dtype(float)
    for name, array in arrays.items():
        whole = array.dtype.kind in "iub"
        if whole and set(function.inputs[name].kinds) & INTEGER_KINDS:
            continue
        arrays[name] = array.astype(width)
    for name, parameter in function.parameters.items():
        value = params.get(name, parameter.default)
        if isinstance(value, np.generic):
            value = value.item()  # a NumPy scalar would impose its width
        if value not in parameter.domain:
            raise ValueError(
                f"{function.name}: parameter {name!r} is {value!r}; accepted: {parameter.domain}"
            )
        arrays[name] = value
    return arrays


def oracle(
    name: str,
    inputs: Mapping[str, Any],
    params: Mapping[str, Any] | None = None,
    reduction: str = "none",
    gradient: bool = False,
    *,
    cotangent: Any = None,
    rows: Rows = None,
) -> Outcome:
    """What the function's definition gives, computed at the float width of the inputs.

    Parameters
    ----------
    name : canonical function name, e.g. ``"cross_entropy"``.
    inputs : arrays by input name; losses also take ``sample_weight``.
    params : parameters by name; the function's defaults otherwise.
    reduction : see :mod:`nnconform.reference.reductions`; activations know ``none`` only.
    gradient : also the gradient of ``sum(cotangent * value)`` with respect to each input.
    cotangent : shaped like the value; ones if None.
    rows : ``"mean"`` or ``"sum"`` over the last axis before the reduction, as Keras' losses have it.

    Returns an :class:`Outcome`. Raises ValueError for unknown names, parameters outside their
    domain, or inputs that are no numbers.
    """
    function = find(name)
    if function.kind == "activation" and (reduction != "none" or "sample_weight" in inputs):
        raise ValueError(f"{name} is an activation: it has no reduction and no sample_weight")
    if reduction not in REDUCTIONS:
        raise ValueError(f"unknown reduction {reduction!r}; known: {', '.join(REDUCTIONS)}")
    tensors = {k: v for k, v in inputs.items() if k != "sample_weight"}
    arguments = resolve(function, tensors, params or {})
    return evaluate(
        function,
        arguments,
        reduction,
        sample_weight=inputs.get("sample_weight"),
        rows=rows,
        cotangent=cotangent,
        gradient=gradient,
    )


def evaluate(
    function: Function,
    arguments: dict[str, Any],
    reduction: str = "none",
    *,
    sample_weight: Any = None,
    rows: Rows = None,
    cotangent: Any = None,
    gradient: bool = False,
) -> Outcome:
    """:func:`oracle` of arguments that are complete and checked already."""
    with np.errstate(all="ignore"):
        unreduced = function(**arguments)
        losses = over_rows(unreduced, rows)
        if function.kind == "activation":
            factors = np.ones_like(losses)
        else:
            factors = coefficients(function, losses, reduction, arguments, sample_weight, rows)
        weighted = losses if function.kind == "activation" else factors * losses
        value = weighted if reduction == "none" else np.asarray(weighted.sum())
        outcome = Outcome(value=value)
        if gradient:
            upstream = (
                np.ones_like(value) if cotangent is None else np.asarray(cotangent, value.dtype)
            )
            each = spread_over_rows(upstream * factors, unreduced, rows)
            outcome.gradients = function.gradients(each, **arguments)
    return outcome
