"""How each aspect judges a case: what is called, and what the outcome is held against.

``value``, ``gradient`` and ``reduction`` are here; :mod:`.special`, :mod:`.properties`,
:mod:`.invalid` and :mod:`.legacy` have a module each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from ..adapters.interface import Call
from ..reference.floats import Float, float_of
from ..reference.outcome import Outcome
from .cases import PLAN, Case, corpus, searched
from .measurement import Measurement
from .sources import Corpus

Judgement = Callable[[Measurement, Case], object]


def cotangent(shape: tuple[int, ...], kind: Float) -> np.ndarray:
    """The upstream cotangent: pseudo-random numbers in [−4, 4] that depend on the shape alone."""
    name = f"cotangent/{'x'.join(map(str, shape))}"
    return Corpus(name, "ordinary").floats(shape, (-4.0, 4.0), kind)


def executed(
    m: Measurement,
    case: Case,
    call: Call,
    *,
    gradient: bool = False,
    extra: Mapping[str, Any] | None = None,
) -> Outcome | None:
    """The outcome of a call, or None where there is nothing to judge in it."""
    m.cases += 1
    subject = m.subject
    wrt = subject.differentiated(case) if gradient else []
    outcome = subject.adapter.execute(
        call, wrt, lambda shape, dtype: cotangent(shape, float_of(dtype))
    )
    m.keep(case, outcome, extra)
    if outcome.error is not None:
        m.raised(case, call, outcome)
        return None
    return outcome


def value(m: Measurement, case: Case) -> None:
    """The value against the oracle's."""
    call = m.subject.call(case)
    outcome = executed(m, case, call)
    if outcome is not None and outcome.value is not None:
        m.judge(case, call, outcome.value, m.subject.expected(case).value())
        if (held := outcome.overwritten) is not None:
            same = np.array_equal(held, outcome.value, equal_nan=True)
            m.check(case, call, same, "works in place, but its input does not hold the result")


def gradient(m: Measurement, case: Case) -> Outcome | None:
    """The gradient with respect to every differentiable input against the oracle's."""
    subject = m.subject
    call = subject.call(case)
    if not subject.differentiated(case):
        return None
    outcome = executed(m, case, call, gradient=True)
    if outcome is None:
        return None
    for name, reason in outcome.refused.items():
        m.note(f"no gradient with respect to {name}: {reason}")
    judge = subject.expected(case)
    upstream = cotangent(judge.shape, subject.kind).astype(subject.kind.oracle)
    names = {**subject.names(case), "cotangent": upstream}
    for name, expected in judge.gradients(upstream).items():
        if name in outcome.gradients and name not in subject.binding.no_gradient:
            m.judge(case, call, outcome.gradients[name], expected, of=name, names=names)
    for name, reason in subject.binding.no_gradient.items():
        m.note(f"no gradient with respect to {name}: {reason}")
    return outcome


def reduction(m: Measurement, case: Case) -> None:
    """A reduced value, and its gradients, against the oracle of reductions."""
    if not m.subject.differentiated(case):
        value(m, case)
    elif (outcome := gradient(m, case)) is not None and outcome.value is not None:
        m.judge(case, m.subject.call(case), outcome.value, m.subject.expected(case).value())
    elif not m.refusal:
        value(m, case)


def corpus_then_search(m: Measurement, judge: Judgement, data: Any, corpus_cases: int) -> None:
    """Judge the corpus once, then what Hypothesis draws.

    A failure of the corpus is raised again at each call, so that Hypothesis finds it reproducible.
    """
    if m.corpus_failure is None:
        m.corpus_failure = False
        try:
            for case in relevant(m, corpus(m.subject.binding, m.subject.dtype, corpus_cases)):
                judge(m, case)
        except AssertionError as error:
            m.corpus_failure = error
    if isinstance(m.corpus_failure, AssertionError):
        raise m.corpus_failure
    if m.refusal and not m.points:
        return  # the framework said that it does not offer this dtype
    m.searching = True
    judge(m, searched(m.subject.binding, m.subject.dtype, data.draw))


def relevant(m: Measurement, cases: Iterable[Case]) -> Iterable[Case]:
    """The cases until the framework refuses the dtype."""
    for case in cases:
        if m.refusal and not m.points:
            return
        yield case


#: how many of the corpus' cases each aspect judges
CORPUS = {"value": len(PLAN), "gradient": len(PLAN), "reduction": 5, "property": 5}
