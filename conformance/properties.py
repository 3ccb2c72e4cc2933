"""The aspect ``property``: what must hold of a callable whatever the oracle says.

A property is a function of an *examination*: a callable that can be evaluated on canonical inputs,
whether a framework's or the oracle itself (``tests/`` puts the oracle in a framework's place).
It yields statements: an equation ``(what, got, want, scale)`` to be held within the suite's bound,
or an inequality ``(what, truth)`` to be held exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Union

import numpy as np

from ..reference.floats import float_of, is_float
from ..reference.function import Function
from .aspects import cotangent
from .cases import Case
from .error import BOUND, Expected
from .measurement import Measurement

Array = np.ndarray


@dataclass(frozen=True)
class Equation:
    """got = want, within BOUND·u·scale."""

    what: str
    got: Array
    want: Array
    scale: Array


@dataclass(frozen=True)
class Rule:
    """Something that is true or not."""

    what: str
    holds: bool


class Inapplicable(Exception):
    """A property that says nothing of this case."""


@dataclass
class Examination:
    """One callable under examination, at one case."""

    m: Measurement
    case: Case
    #: the case that a property put first, where it is not the case itself
    put: Case | None = None

    @property
    def u(self) -> float:
        return self.m.subject.kind.u

    @property
    def params(self) -> dict[str, Any]:
        """Every parameter that the oracle would be given."""
        dialect = self.m.subject.binding.resolved_dialect(
            self.case.inputs, self.case.params, self.case.dtype
        )
        return {**self.case.function.defaults(), **dialect, **self.case.params}

    def wide(self, name: str) -> Array:
        return self.case.inputs[name].astype(self.m.subject.kind.oracle)

    def value(self, changes: Mapping[str, Array] | None = None, spelling: str = "") -> Array:
        """The callable's value, widened, with some inputs changed or with another reduction."""
        subject = self.m.subject
        if spelling:
            found = [s for s in subject.binding.reductions if s.meaning == spelling]
            if not found:
                raise Inapplicable
            subject = replace(subject, spelling=found[0])
        inputs = {n: np.asarray(a) for n, a in (changes or {}).items()}
        inputs = {
            n: a.astype(subject.kind.dtype) if is_float(a) and is_float(self.case.inputs[n]) else a
            for n, a in inputs.items()
        }
        case = replace(self.case, inputs={**self.case.inputs, **inputs})
        if self.put is None and not spelling:
            self.put = case
        return self._outcome(subject, case)

    def other(self, function: str, inputs: Mapping[str, Array], params: Mapping[str, Any]) -> Array:
        """Another function of the same surface, at inputs in the dtype."""
        subject = self.m.subject
        for binding in subject.adapter.bindings:
            if (
                binding.function == function
                and binding.surface == subject.binding.surface
                and all(binding.reaches(name) for name in (*inputs, *params))
                and not callable(binding.dialect)
            ):
                none = next((s for s in binding.reductions if s.meaning == "none"), None)
                other = replace(subject, binding=binding, spelling=none)
                made = {
                    n: a.astype(subject.kind.dtype) if is_float(np.asarray(a)) else a
                    for n, a in inputs.items()
                }
                case = Case(other.function, subject.dtype, made, dict(params))
                return self._outcome(other, case)
        raise Inapplicable

    def gradient(self, name: str) -> tuple[Array, Array]:
        """The callable's gradient by an input, and the upstream cotangent."""
        _, gradient, upstream = self.differentiated(name)
        return gradient, upstream

    def differentiated(self, name: str) -> tuple[Array, Array, Array]:
        """Value and gradient of one call, and the upstream cotangent."""
        subject = self.m.subject
        if name not in subject.differentiated(self.case):
            raise Inapplicable
        outcome = subject.adapter.execute(
            subject.call(self.case),
            [name],
            lambda shape, dtype: cotangent(shape, float_of(dtype)),
        )
        if outcome.error is not None or outcome.value is None or name not in outcome.gradients:
            raise Inapplicable
        upstream = cotangent(outcome.value.shape, subject.kind)
        wide = subject.kind.oracle
        return (
            outcome.value.astype(wide),
            outcome.gradients[name].astype(wide),
            upstream.astype(wide),
        )

    @staticmethod
    def _outcome(subject: Any, case: Case) -> Array:
        outcome = subject.adapter.execute(subject.call(case))
        if outcome.error is not None or not is_float(outcome.value):
            raise Inapplicable  # the aspects value and invalid speak of exceptions
        return outcome.value.astype(subject.kind.oracle)


Statement = Union[Equation, Rule]
Property = Callable[[Examination], Iterator[Statement]]
_PROPERTIES: list[tuple[Callable[[Function], bool], Property]] = []
#: what must hold of every draw of a random function, and of their distribution
_DRAWS: list[tuple[Callable[[Function], bool], Property]] = []


def holds_for(
    applies: Callable[[Function], bool], *, draws: bool = False
) -> Callable[[Property], Property]:
    """Register a property of the functions for which ``applies`` says so, or of their draws."""

    def register(prop: Property) -> Property:
        (_DRAWS if draws else _PROPERTIES).append((applies, prop))
        return prop

    return register


def properties_of(function: Function, *, draws: bool = False) -> list[Property]:
    """The properties that are claimed of a function, or of its draws."""
    return [prop for applies, prop in (_DRAWS if draws else _PROPERTIES) if applies(function)]


def named(*names: str) -> Callable[[Function], bool]:
    return lambda function: function.name in names


def has(fact: str) -> Callable[[Function], bool]:
    return lambda function: bool(function.facts.get(fact))


def elementwise(function: Function) -> bool:
    """Whether each result depends on one element of each input."""
    return not function.coupled and all(i.shape == "S" for i in function.inputs.values())


def judge(m: Measurement, case: Case) -> None:
    """Hold every statement of every property of the function."""
    m.cases += 1
    call = m.subject.call(case)
    probe = m.subject.adapter.execute(call)
    if probe.error is not None:
        m.raised(case, call, probe)
        return
    examination = Examination(m, case)
    for prop in properties_of(m.subject.function, draws=m.subject.binding.random):
        examination.put = None
        try:
            statements = list(prop(examination))
        except Inapplicable:
            continue
        for statement in statements:
            names = {**m.subject.names(case), "property": statement.what}
            if isinstance(statement, Rule):
                m.points += 1
                m.note(statement.what)
                m.check(case, call, statement.holds, f"does not hold: {statement.what}", names)
            else:
                m.note(statement.what)
                want, got = np.asarray(statement.want), np.asarray(statement.got)
                scale = np.asarray(statement.scale)
                if got.shape != want.shape or scale.shape not in ((), want.shape):
                    continue  # the aspects value and reduction speak of shapes
                finite = np.isfinite(want) & np.isfinite(got)
                kind = m.subject.kind
                expected = Expected(
                    np.where(finite, want, 0),
                    np.broadcast_to(scale, want.shape),
                    np.zeros(want.shape),
                    np.full(want.shape, 64 * kind.tiny),
                )
                # what the callable gave was widened; the statement is about that number
                mended = np.where(finite, got, 0).astype(want.dtype)
                shown = examination.put or case  # whose results the statement is about
                m.equate(shown, m.subject.call(shown), statement.what, mended, expected, names)


# -- facts that a function declares ------------------------------------------------------------------


@holds_for(has("range"))
def _range(e: Examination) -> Iterator[Statement]:
    bounds = e.case.function.facts["range"]
    low, high = bounds(e.params) if callable(bounds) else bounds
    kind = e.m.subject.kind
    y = e.value()
    # a result in a wider dtype may lie between a bound and what the bound is rounded to
    lowest, highest = min(low, kind.round(low)), max(high, kind.round(high))
    inside = (y >= lowest) & (y <= highest) | np.isnan(y)
    yield Rule("range", bool(inside.all()))


@holds_for(has("monotonic"))
def _monotonic(e: Examination) -> Iterator[Statement]:
    fact = e.case.function.facts["monotonic"]
    if "slope" in e.case.inputs or (callable(fact) and not fact(e.params)):
        return
    x = np.sort(e.case.inputs["x"].astype(np.float64), axis=None).reshape(e.case.inputs["x"].shape)
    y = e.value({"x": x.astype(e.m.subject.kind.dtype)}).ravel()
    slack = BOUND * e.u * np.abs(y[1:]) + e.m.subject.kind.tiny
    rises = (y[1:] >= y[:-1]) | (y[1:] >= y[:-1] - slack)  # ∞ after ∞ too
    yield Rule("monotonic", bool(np.all(rises)))


@holds_for(has("odd"))
def _odd(e: Examination) -> Iterator[Statement]:
    y = e.value()
    yield Equation("f(−x) = −f(x)", e.value({"x": -e.case.inputs["x"]}), -y, np.abs(y))


@holds_for(has("nonnegative"))
def _nonnegative(e: Examination) -> Iterator[Statement]:
    fact = e.case.function.facts["nonnegative"]
    if callable(fact) and not fact(e.params):
        return
    expected = e.m.subject.expected(e.case).value()
    y = e.value()
    if e.params.get("labels") == "sign" and "sample_weight" in e.case.inputs:
        return
    slack = expected.tolerance(e.m.subject.kind, limited=True)
    yield Rule("loss ≥ 0", bool(np.all((y >= -slack) | np.isnan(y))))


@holds_for(has("zero_at_agreement"))
def _zero_at_agreement(e: Examination) -> Iterator[Statement]:
    y = e.value({"target": e.case.inputs["input"]})
    yield Rule("loss = 0 at agreement", bool(np.all(y == 0)))


@holds_for(has("symmetric"))
def _symmetric(e: Examination) -> Iterator[Statement]:
    y = e.value()
    other = e.value({"input": e.case.inputs["target"], "target": e.case.inputs["input"]})
    yield Equation("f(x, y) = f(y, x)", other, y, np.abs(y))


@holds_for(named("softmax", "log_softmax", "softmin", "gumbel_softmax", "cross_entropy"))
def _shift_invariant(e: Examination) -> Iterator[Statement]:
    name = "x" if "x" in e.case.inputs else "input"
    kind = e.m.subject.kind
    x = e.wide(name)
    rounded = np.round(np.clip(x, -8, 8) * 4) / 4  # so that adding 2 is exact in every dtype
    expected = replace(e.case, inputs={**e.case.inputs, name: rounded.astype(kind.dtype)})
    judged = e.m.subject.expected(expected).value()
    scale = judged.scale + judged.intermediate
    yield Equation(
        "invariant under a shift", e.value({name: rounded + 2}), e.value({name: rounded}), scale
    )


# -- relations ---------------------------------------------------------------------------------------


@holds_for(named("tanh"))
def _tanh_is_a_sigmoid(e: Examination) -> Iterator[Statement]:
    x = np.clip(e.wide("x"), -20, 20)
    s = e.other("sigmoid", {"x": 2 * x}, {})
    yield Equation("tanh(x) = 2σ(2x) − 1", e.value({"x": x}), 2 * s - 1, 2 * s + 1)


@holds_for(named("tanh", "elu"))
def _identity_near_zero(e: Examination) -> Iterator[Statement]:
    if e.params.get("alpha", 1.0) != 1.0:
        return
    x = np.asarray(np.clip(e.wide("x"), -1, 1) * e.u, e.m.subject.kind.dtype).astype(
        e.wide("x").dtype
    )
    yield Equation("f(x) ≈ x near 0", e.value({"x": x}), x, np.abs(x))


@holds_for(
    lambda f: (
        f.kind == "activation"
        and "jumps" not in f.facts
        and f._kinks is not None
        and "slope" not in f.inputs
    )
)
def _continuous_at_joints(e: Examination) -> Iterator[Statement]:
    kind = e.m.subject.kind
    x = e.case.inputs["x"]
    for point in e.case.function.kink_points(
        **{k: v for k, v in e.params.items() if k in e.case.function.parameters}
    ).get("x", ()):
        at = e.value({"x": np.full(x.shape, point)})
        step = kind.u * 2 * max(abs(point), 1)
        for side in (-step, step):
            beside = e.value({"x": np.full(x.shape, point + side)})
            slopes = 1 + e.params.get("alpha", 1.0)
            yield Equation(
                "continuous at the joints", beside, at, np.abs(at) + 2 * max(abs(point), 1) * slopes
            )


@holds_for(named("huber", "smooth_l1"))
def _smooth_at_joints(e: Examination) -> Iterator[Statement]:
    width = e.params.get("delta", e.params.get("beta", 1.0))
    if not 0.01 <= width <= 100 or "sample_weight" in e.case.inputs:
        return
    e.value()
    kind = e.m.subject.kind
    zero = np.zeros(e.case.inputs["input"].shape, kind.dtype)
    sides = []
    for x in (width * (1 - 4 * kind.u), width * (1 + 4 * kind.u)):
        inputs = {"input": np.full(zero.shape, x).astype(kind.dtype), "target": zero}
        case = replace(e.case, inputs={**e.case.inputs, **inputs})
        sides.append(Examination(e.m, case).gradient("input")[0])
    yield Equation("gradient continuous at the joint", sides[0], sides[1], 2 * np.abs(sides[1]))


@holds_for(named("softmax", "softmin", "gumbel_softmax"))
def _rows_sum_to_one(e: Examination) -> Iterator[Statement]:
    axis = e.params["axis"]
    total = e.value().sum(axis=axis)
    size = e.case.inputs["x"].shape[axis]
    top = np.abs(e.wide("x") - e.wide("x").max(axis=axis, keepdims=True)).max(axis=axis)
    scale = np.where(top < 80, 1 + np.minimum(top, 16), 16) + size * 0
    yield Equation("rows sum to 1", total, np.ones_like(total), scale)


@holds_for(named("log_softmax"))
def _log_softmax_is_x_minus_logsumexp(e: Examination) -> Iterator[Statement]:
    x = np.clip(e.wide("x"), -50, 50)
    axis = e.params["axis"]
    p = e.other("softmax", {"x": x}, {"axis": axis})
    y = e.value({"x": x})
    seen = p > 1e-3
    yield Equation(
        "log_softmax = log ∘ softmax",
        np.where(seen, y, 0),
        np.where(seen, np.log(np.where(seen, p, 1)), 0),
        1 + np.abs(y) + np.abs(x - x.max(axis=axis, keepdims=True)),
    )


@holds_for(named("cross_entropy"))
def _cross_entropy_is_nll_of_log_softmax(e: Examination) -> Iterator[Statement]:
    p, target = e.params, e.case.inputs["target"]
    if p["label_smoothing"] or target.dtype.kind not in "iu" or p["axis"] != 1:
        return
    x = np.clip(e.wide("input"), -50, 50)
    log_p = e.other("log_softmax", {"x": x}, {"axis": 1})
    inputs = {"input": log_p, "target": target}
    if "weight" in e.case.inputs:
        inputs["weight"] = e.case.inputs["weight"]
    two_steps = e.other("nll", inputs, {"ignore_index": p["ignore_index"]})
    judged = e.m.subject.expected(
        replace(e.case, inputs={**e.case.inputs, "input": x.astype(e.m.subject.kind.dtype)})
    ).value()
    scale = judged.scale + judged.intermediate + np.abs(two_steps)
    yield Equation("cross_entropy = nll ∘ log_softmax", e.value({"input": x}), two_steps, scale)


@holds_for(named("cross_entropy"))
def _gradient_is_softmax_minus_one_hot(e: Examination) -> Iterator[Statement]:
    p, target = e.params, e.case.inputs["target"]
    if (
        target.dtype.kind not in "iu"
        or "sample_weight" in e.case.inputs
        or e.m.subject.binding.rows
    ):
        return
    inputs = {n: a for n, a in e.case.inputs.items() if n != "weight"}
    params = {n: v for n, v in e.case.params.items() if n != "label_smoothing"}
    got, upstream = replace(e, case=replace(e.case, inputs=inputs, params=params)).gradient("input")
    axis = p["axis"]
    x = e.wide("input")
    soft = np.exp(x - x.max(axis=axis, keepdims=True))
    soft = soft / soft.sum(axis=axis, keepdims=True)
    classes = np.moveaxis(np.arange(x.shape[axis]).reshape(-1, *[1] * target.ndim), 0, 0)
    hot = np.moveaxis((target[None] == classes).astype(x.dtype), 0, axis)
    c = np.expand_dims(np.where(target == p["ignore_index"], 0, upstream), axis)
    spread = np.minimum(
        np.abs(x - x.max(axis=axis, keepdims=True)).max(axis=axis, keepdims=True), 700
    )
    yield Equation(
        "∂cross_entropy/∂logits = softmax − one-hot",
        got,
        c * (soft - hot),
        np.abs(c) * (hot + soft * (1 + 2 * spread)),
    )


@holds_for(named("binary_cross_entropy_with_logits"))
def _logits_form_is_bce_of_sigmoid(e: Examination) -> Iterator[Statement]:
    if {"pos_weight", "sample_weight"} & set(e.case.inputs):
        return
    x, t = np.clip(e.wide("input"), -4, 4), e.wide("target")
    kind = e.m.subject.kind
    s = (1 / (1 + np.exp(-x))).astype(kind.dtype)
    inputs = {"input": s, "target": t}
    if "weight" in e.case.inputs:
        inputs["weight"] = e.wide("weight")
    smoothing = (
        {"label_smoothing": e.params["label_smoothing"]} if e.params["label_smoothing"] else {}
    )
    y = e.value({"input": x})
    sensitivity = (
        1
        / np.minimum(s, 1 - s).astype(y.dtype)
        * (1 + np.abs(e.wide("weight")) if "weight" in inputs else 1)
    )
    if sensitivity.shape != y.shape:
        sensitivity = sensitivity.max(axis=-1)
    scale = np.abs(y) + 2 + sensitivity
    two_steps = e.other("binary_cross_entropy", inputs, smoothing)
    yield Equation("bce_with_logits = bce ∘ σ", y, two_steps, scale)


# -- batches and reductions ----------------------------------------------------------------------------


def _batched(function: Function) -> bool:
    return all("N" in i.shape.split() or i.shape[0] == "C" for i in function.inputs.values())


def _batch_axis(function: Function, name: str) -> int | None:
    tokens = function.inputs[name].shape.split()
    return tokens.index("N") if "N" in tokens else None


def _rearranged(e: Examination, take: Array) -> dict[str, Array]:
    changed = {}
    for name, array in e.case.inputs.items():
        if name == "sample_weight":
            raise Inapplicable
        axis = _batch_axis(e.case.function, name)
        if axis is not None:
            changed[name] = np.take(array, take, axis=axis)
    return changed


@holds_for(lambda f: (f.kind == "loss" and _batched(f)) or elementwise(f))
def _batch(e: Examination) -> Iterator[Statement]:
    f = e.case.function
    if elementwise(f):
        first = next(iter(e.case.inputs.values()))
        if first.ndim < 2 or any(a.shape != first.shape for a in e.case.inputs.values()):
            return
        size = first.shape[0]

        def take(index: Array) -> dict[str, Array]:
            return {n: a[index] for n, a in e.case.inputs.items()}
    else:
        size = e.case.inputs[
            "targets" if "targets" in e.case.inputs else next(iter(f.inputs))
        ].shape[0]

        def take(index: Array) -> dict[str, Array]:
            return _rearranged(e, index)

    whole = e.value()
    if whole.ndim == 0 or size < 2 or e.m.subject.binding.implied:
        return
    judged = e.m.subject.expected(e.case).value()
    scale = judged.scale + judged.intermediate
    order = np.arange(size)[::-1]
    yield Equation(
        "permuting the batch permutes the result", e.value(take(order)), whole[order], scale[order]
    )
    if f.facts.get("among_samples"):
        return
    half = size // 2
    parts = [e.value(take(np.arange(half))), e.value(take(np.arange(half, size)))]
    yield Equation("a batch in two parts gives the same", np.concatenate(parts), whole, scale)


@holds_for(lambda f: f.kind == "loss")
def _reductions_agree(e: Examination) -> Iterator[Statement]:
    each = e.value(spelling="none")
    total = e.value(spelling="sum")
    judged = e.m.subject.expected(e.case).value()
    scale = np.abs(each).sum() + (judged.scale + judged.intermediate).sum()
    yield Equation("sum = Σ none", total, each.sum(), scale)
    if e.case.function._mean is None:
        yield Equation(
            "mean = sum / n", e.value(spelling="mean"), total / each.size, scale / each.size
        )


# -- random functions ----------------------------------------------------------------------------------

#: how many draws tell their distribution
DRAWS = 1 << 14


@holds_for(named("rrelu"), draws=True)
def _slopes(e: Examination) -> Iterator[Statement]:
    """Randomised leaky ReLU in training: what must hold of each draw, and of their distribution."""
    kind = e.m.subject.kind
    lower, upper = e.params["lower"], e.params["upper"]
    x, y = e.wide("x"), e.value()
    yield Rule("y = x where x ≥ 0", bool(np.all(y[x >= 0] == x[x >= 0])))
    seen = np.abs(x) > 16 * kind.tiny / kind.u
    below = seen & (x < 0)
    slope = y[below] / x[below]
    slack = BOUND * kind.u
    inside = (slope >= lower * (1 - slack)) & (slope <= upper * (1 + slack))
    yield Rule("every slope in [lower, upper]", bool(inside.all()))
    many = -np.ones((DRAWS,), kind.dtype)
    drawn = -e.value({"x": many})
    if upper - lower > 64 * kind.u:
        place = (drawn - lower) / (upper - lower)
        yield _uniform("slopes are uniform on [lower, upper]", place, 2 * kind.u / (upper - lower))
    else:
        yield Rule("slopes are uniform on [lower, upper]", True)


@holds_for(named("gumbel_softmax"), draws=True)
def _simplex(e: Examination) -> Iterator[Statement]:
    """A draw is a point of the simplex; a hard one is a corner."""
    axis, x, y = e.params["axis"], e.wide("x"), e.value()
    known, total = ~np.isnan(y), y.sum(axis=axis)
    yield Rule("a draw has the shape of the logits", y.shape == x.shape)
    yield Rule("a draw of finite logits is finite", bool(known.all()))
    lost = np.count_nonzero(~known.all(axis=axis))
    yield Rule("at most one draw of a case is not finite", bool(lost <= 1))
    if e.params["hard"]:
        corner = ((y == 0) | (y == 1)).all(axis=axis) & (total == 1)
        yield Rule("a hard draw is one-hot", bool((corner | np.isnan(total)).all()))
    else:
        yield Rule("a draw is in [0, 1]", bool(((y >= 0) & (y <= 1) | ~known).all()))
        yield Equation("a draw sums to 1", total, np.ones_like(total), np.ones_like(total))
    first = np.zeros(x.shape, bool)
    np.moveaxis(first, axis, 0)[0] = True
    spoilt = e.value({"x": np.where(first, np.nan, x)})
    yield Rule("NaN among the logits is NaN in the draw", bool(np.isnan(spoilt).all()))
    if x.shape[axis] > 1:
        without = e.value({"x": np.where(first, -np.inf, x)})
        yield Rule("a logit of −∞ is never drawn", bool((without[first] == 0).all()))


@holds_for(named("gumbel_softmax"), draws=True)
def _straight_through(e: Examination) -> Iterator[Statement]:
    """The gradient is y·(c − Σ y·c)/τ of the soft draw y, whose sum is 0."""
    kind, axis, tau = e.m.subject.kind, e.params["axis"], e.params["tau"]
    if tau == 0:
        return
    y, gradient, c = e.differentiated("x")
    if e.params["hard"]:
        total = gradient.sum(axis=axis)
        scale = 2 * np.abs(c).max(axis=axis) / tau
        yield Equation("the gradient of a draw sums to 0", total, np.zeros_like(total), scale)
    else:
        mean, size = (np.sum(y * v, axis=axis, keepdims=True) for v in (c, np.abs(c)))
        scale = (y + kind.tiny / kind.u) * (np.abs(c) + size) / tau
        yield Equation("the gradient is that of the draw", gradient, y * (c - mean) / tau, scale)


@holds_for(named("gumbel_softmax"), draws=True)
def _winners(e: Examination) -> Iterator[Statement]:
    """The largest of x + g is distributed as softmax(x), whatever τ is."""
    u, logits = e.m.subject.kind.u, _row(e)
    y, _, _ = _many(e, logits)
    place = (y.argmax(axis=1)[:, None] <= np.arange(logits.size)).mean(axis=0)
    p = np.exp(logits)
    distance = np.abs(place - np.cumsum(p) / p.sum()).max()
    tied = 0 if e.params["hard"] else 4 * u * e.params["tau"]  # in the rounded soft draw
    allowed = _chance(DRAWS) + _moved(e, logits) + tied
    yield Rule("winners are distributed as softmax(x)", bool(distance <= allowed))


@holds_for(named("gumbel_softmax"), draws=True)
def _logistic(e: Examination) -> Iterator[Statement]:
    """Of two classes τ·log(y₀/y₁) − (x₀ − x₁) is logistic; of hard draws the gradient tells y."""
    u, tau = e.m.subject.kind.u, e.params["tau"]
    if tau == 0:
        return
    logits = np.array([_row(e)[0], 0])
    y, gradient, c = _many(e, logits)
    contrast = c[:, 0] - c[:, 1]
    clear = (np.abs(contrast) > 1) & np.isfinite(gradient[:, 0])
    # ∂/∂x₀ = y₀·y₁·(c₀ − c₁)/τ
    product = np.clip(tau * gradient[clear, 0] / contrast[clear], 0, 0.25)
    less = product / (0.5 + np.sqrt(0.25 - product))
    with np.errstate(divide="ignore", over="ignore"):
        gap = tau * np.log(less / (1 - less))
        noise = np.where(y[clear].argmax(axis=1) == 0, -gap, gap) - logits[0]
        place = 1 / (1 + np.exp(-noise))
    # the product is known to within 16u, which is √u of y near ½
    slack = _moved(e, logits) + (16 * u) ** tau + 4 * tau * np.sqrt(u)
    yield _uniform("the noise of two classes differs by a logistic", place, slack)


def _row(e: Examination) -> Array:
    """A row of a case's logits, none of which is improbable."""
    x, axis = e.wide("x"), e.params["axis"]
    return np.clip(np.moveaxis(x, axis, -1).reshape(-1, x.shape[axis])[0], -2, 2)


def _moved(e: Examination, logits: Array) -> float:
    """How far rounding x + g moves probabilities."""
    return float(4 * e.m.subject.kind.u * (np.abs(logits).max() + 4))


def _many(e: Examination, logits: Array) -> tuple[Array, Array, Array]:
    """Draws of a row of logits, a row each, with their gradients and cotangents."""
    axis = e.params["axis"] % 2
    x = np.tile(logits, (DRAWS, 1)).astype(e.m.subject.kind.dtype)
    inputs = {"x": np.moveaxis(x, 1, axis)}
    case = replace(e.case, inputs=inputs, params={**e.case.params, "axis": axis})
    y, gradient, c = replace(e, case=case).differentiated("x")
    return np.moveaxis(y, axis, 1), np.moveaxis(gradient, axis, 1), np.moveaxis(c, axis, 1)


def _chance(count: int) -> float:
    """How far a sample strays from its distribution, but once in 10⁹ samples (Dvoretzky, Kiefer
    and Wolfowitz)."""
    return float(np.sqrt(np.log(2e9) / (2 * count)))


def _uniform(what: str, places: Array, slack: float) -> Rule:
    """Numbers that are drawn from U(0, 1), but for a slack of what rounding moves."""
    count = places.size
    distance = np.abs(np.sort(places) - (np.arange(count) + 0.5) / count).max()
    return Rule(what, bool(distance <= _chance(count) + slack))
