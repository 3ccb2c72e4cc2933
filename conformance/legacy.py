"""PyTorch's ``size_average`` and ``reduce``: every combination, and every way of writing them.

What the documentation says (torch.nn.functional.mse_loss, as of 2.13): "size_average: … by default,
the losses are averaged over each loss element in the batch … If the field size_average is set to
False, the losses are instead summed for each minibatch. Ignored when reduce is False. Default: True.
reduce: … When reduce is False, returns a loss per batch element instead and ignores size_average.
Default: True … specifying either of those two args will override reduction."
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

from ..adapters.interface import Call, Spelling
from .aspects import executed
from .cases import corpus
from .measurement import Measurement

FORMS = ("keyword", "positional")
_TRUTH = (None, True, False)


def meaning(size_average: bool | None, reduce: bool | None, reduction: str | None) -> str:
    """The reduction that the documentation promises."""
    if size_average is None and reduce is None:
        return reduction or "mean"
    if reduce is False:
        return "none"
    return "sum" if size_average is False else "mean"


def combinations() -> Iterator[tuple[bool | None, bool | None, str | None]]:
    """All nine of size_average and reduce, alone and with ``reduction`` also given."""
    yield from product(_TRUTH, _TRUTH, (None, "none", "sum", "mean"))


def legacy(m: Measurement, form: str) -> None:
    """Every combination, by keyword or by position; which warnings come is noted."""
    subject = m.subject
    case = next(corpus(subject.binding, subject.dtype))
    warned: dict[bool, set[str]] = {True: set(), False: set()}
    for size_average, reduce, reduction in combinations():
        given: dict[str, Any] = {"size_average": size_average, "reduce": reduce}
        if reduction is not None:
            given["reduction"] = reduction
        call = subject.binding.call(case.inputs, case.params, None, subject.dtype, given)
        if form == "positional":
            call = positional(call, subject.adapter.lookup(call.path))
        outcome = executed(m, case, call, extra=given)
        if outcome is None:
            continue
        assert outcome.value is not None
        spelling = Spelling("legacy", meaning(size_average, reduce, reduction))
        expected = replace(subject, spelling=spelling).expected(case).value()
        names = {**subject.names(case), **given}
        m.judge(case, call, outcome.value, expected, names=names)
        legacy_used = size_average is not None or reduce is not None
        warned[legacy_used] |= set(outcome.warnings) or {""}
    for used, texts in warned.items():
        which = "with size_average or reduce given" if used else "with neither given"
        silent = "" in texts
        heard = sorted(t for t in texts if t)
        if heard:
            m.note(f"{which}: {'sometimes ' if silent else ''}warns {'; '.join(heard)}")
        else:
            m.note(f"{which}: no warning")


def positional(call: Call, target: Any) -> Call:
    """The same call with its keywords by position, as old code has them."""
    constructor = call.constructor is not None
    keywords = dict(call.constructor or call.kwargs)
    parameters = list(
        inspect.signature(target.__init__ if constructor else target).parameters.values()
    )
    ordered = parameters[1:] if constructor else parameters[len(call.args) :]
    last = max(i for i, p in enumerate(ordered) if p.name in keywords)
    values = tuple(keywords.get(p.name, p.default) for p in ordered[: last + 1])
    if constructor:
        return replace(call, constructor={}, constructor_args=values)
    return replace(call, args=(*call.args, *values), kwargs={})
