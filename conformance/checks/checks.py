"""The checks: one property each, by name. Each raises :class:`.trial.Wrong` with what it found."""

from __future__ import annotations

import itertools
import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ...adapters.interface import signature_of
from ...reference.floats import float_of, is_float
from .. import aspects, special
from ..cases import Case
from ..error import BOUND
from ..measurement import Measurement
from . import user
from .message import Finding
from .mistakes import DETACHED
from .trial import Inapplicable, Judgement, Trial, Wrong, first_line_of, upstream

Array = np.ndarray
Run = Callable[[Trial], None]


@dataclass(frozen=True)
class Check:
    """One property: ``oracle`` says whether it needs one (True), replaces one (False), or neither."""

    name: str
    run: Run
    kinds: tuple[str, ...]
    oracle: bool | None
    #: nothing else makes sense where it does not hold
    first: bool = False

    def applies(self, kind: str, like: bool) -> bool:
        return kind in self.kinds and self.oracle in (None, like)


#: how many numbers of a case are differentiated numerically
COORDINATES = 6

CHECKS: list[Check] = []


def check(
    name: str, *kinds: str, oracle: bool | None = None, first: bool = False
) -> Callable[[Run], Run]:
    """Register a check of losses, activations, or both."""

    def register(run: Run) -> Run:
        CHECKS.append(Check(name, run, kinds or ("loss", "activation"), oracle, first))
        return run

    return register


def checks_of(kind: str, like: bool) -> list[Check]:
    """The checks of a loss or an activation, with an oracle or without, the most serious first."""
    return [c for c in CHECKS if c.applies(kind, like)]


# -- whether it can be checked at all ------------------------------------------------------------


@check("call", first=True)
def _call(t: Trial) -> None:
    """It can be called, answers with a tensor, and answers the same again."""
    probe = t.probed
    if probe.outcome.error is not None:
        raise Wrong(t.raised(probe))
    again = t.own.execute(
        t.binding(probe.kinds).call(probe.case.inputs, {}, None, probe.case.dtype)
    )
    first, second = probe.outcome.value, again.value
    if again.error is not None or not _same(first, second):
        text = first_line_of(again.error) if again.error is not None else _shown(second)
        raise Wrong(
            Finding(
                "call",
                "answers differently when it is asked again",
                t.setting(probe.case),
                (("got", _shown(first)), ("again", text)),
                fix="a random or stateful function cannot be held against anything; seed it, or put it "
                "into evaluation mode",
            )
        )


@check("shape", first=True)
def _shape(t: Trial) -> None:
    """A scalar, or the shape that the reduction promises."""
    _ = t.meaning


@check("mutation")
def _mutation(t: Trial) -> None:
    """Its inputs are what they were."""
    dtype = t.usual_dtypes[0]

    def judge(case: Case) -> None:
        tensors = {n: t.adapter.tensor(a) for n, a in case.inputs.items()}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                t.own.answer(*(tensors[n] for n in t.inputs), **t.keywords)
        except Exception as error:
            raise Wrong(
                Finding("mutation", "raises", t.setting(case), (("raises", first_line_of(error)),))
            ) from None
        for name, tensor in tensors.items():
            now = t.adapter.array(tensor)
            before = np.asarray(case.inputs[name]).astype(now.dtype)
            if not _same(now, before):
                raise Wrong(
                    Finding(
                        "mutation",
                        f"changes its input {name!r}",
                        t.setting(case),
                        (("before", _shown(before)), ("after", _shown(now))),
                        fix="work on a copy: no in-place operation (+=, clamp_, out=, x[...] =) on an "
                        "argument",
                    )
                )

    judge(t.small(dtype))


# -- against the oracle ------------------------------------------------------------------------------


@check("value", oracle=True)
def _value(t: Trial) -> None:
    """The value is the oracle's."""
    for dtype in t.usual_dtypes:
        judge = t.measured("value", dtype, aspects.value)
        t.search(dtype, judge, also=list(t.corpus(dtype)))


@check("gradient", oracle=True)
def _gradient(t: Trial) -> None:
    """The gradient by every input but the target is the oracle's."""
    _connected(t)
    for dtype in t.usual_dtypes:
        judge = t.measured("gradient", dtype, _differentiated)
        t.search(dtype, judge, also=list(t.corpus(dtype)))


def _differentiated(m: Measurement, case: Case) -> None:
    """The gradients against the oracle's, where those are finite: elsewhere no step can be made."""
    subject = m.subject
    call = subject.call(case)
    outcome = subject.adapter.execute(call, subject.differentiated(case), upstream)
    if outcome.error is not None:
        m.raised(case, call, outcome)
        return
    judge = subject.expected(case)
    cotangent = upstream(judge.shape, case.dtype).astype(subject.kind.oracle)
    for name, expected in judge.gradients(cotangent).items():
        if (got := outcome.gradients.get(name)) is None:
            continue
        infinite = ~np.isfinite(expected.want)
        if got.shape == infinite.shape and is_float(got):
            got = np.where(infinite, 0, got).astype(got.dtype)
            expected = replace(expected, want=np.where(infinite, 0, expected.want))
        m.judge(case, call, got, expected, of=name)


def _connected(t: Trial) -> None:
    """Whether there is a gradient at all. Raises Inapplicable, or Wrong, where there is none."""
    dtype = t.usual_dtypes[0]
    case = t.small(dtype)
    wrt = t.subject(dtype).differentiated(case)
    if not wrt:
        raise Inapplicable("no input of it is differentiable")
    outcome = t.execute(case, wrt, upstream)
    if isinstance(outcome.error, user.NoGradient):
        raise Inapplicable(str(outcome.error))
    reason = first_line_of(outcome.error) if outcome.error is not None else ""
    reason = reason or next(iter(outcome.refused.values()), "")
    if reason:
        detached = "require grad" in reason or "None" in reason
        wrong = Finding("gradient", "has no gradient", t.setting(case), (("says", reason),))
        raise Wrong(wrong.because((DETACHED,)) if detached else wrong)


#: what may come of a special value in place of the oracle's answer: ∞ − ∞ is no number, and says so;
#: the largest numbers overflow in many a good formula
ALLOWED: dict[str, Callable[[Array], Array]] = {
    "inf": np.isnan,
    "-inf": np.isnan,
    "largest": np.isinf,
    "-largest": np.isinf,
}


@check("special", oracle=True)
def _special(t: Trial) -> None:
    """NaN, ±∞, ±0, subnormals and the largest numbers do what the oracle says."""
    dtype = t.usual_dtypes[0]
    m = Measurement(t.subject(dtype, "special"))
    for case, name, label in special.placements(m, t.small(dtype)):

        def put(m: Measurement, part: Case, name: str = name, label: str = label) -> None:
            value = special.special_values(m, "real")[label] if label != "1" else 1.0
            held = part.inputs[name]
            if np.any((held == value) | (np.isnan(held) & np.isnan(value))):
                special.one_value(m, part, name, label)

        judge = t.measured("special", dtype, put)

        def lenient(part: Case, judge: Judgement = judge, label: str = label) -> None:
            allowed = ALLOWED.get(label, np.zeros_like)
            try:
                judge(part)
            except Wrong:
                value = t.execute(part).value
                if value is None or not allowed(value.astype(np.float64)).any():
                    raise

        try:
            t.held(case, lenient)
        except Wrong as wrong:
            found = wrong.finding
            said = (
                found.says if label in found.says else f"{found.says}, where {name} holds {label}"
            )
            raise Wrong(replace(found, says=said)) from None


@check("reduction", "loss", oracle=True)
def _reduction(t: Trial) -> None:
    """Every reduction that its signature offers is the oracle's."""
    made = t.function if isinstance(t.function, type) else user.called(t.function)
    found = signature_of(made)
    if t.reduction is not None or not found or "reduction" not in found.parameters:
        raise Inapplicable("it takes no reduction=")
    for name in ("none", "sum", "mean"):
        other = replace(t, reduction=name)
        other.ends = t.ends
        if (error := other.probed.outcome.error) is not None and isinstance(error, ValueError):
            continue  # it says that it does not know this one
        try:
            dtype = other.usual_dtypes[0]
            judge = other.measured("reduction", dtype, aspects.value, "value")
            for case in other.corpus(dtype, 3):
                other.held(case, judge)
        except Wrong as wrong:
            found_ = wrong.finding
            says = f"{found_.says}, where reduction={name!r}"
            raise Wrong(replace(found_, check="reduction", says=says)) from None


# -- without an oracle -------------------------------------------------------------------------------


@check("finite", oracle=False)
def _finite(t: Trial) -> None:
    """The value of ordinary numbers is finite."""

    def judge(case: Case) -> None:
        value = _answered(t, case, "finite")
        if not np.isfinite(value.astype(np.float64)).all():
            raise Wrong(
                Finding(
                    "finite",
                    "the value of ordinary numbers is not finite",
                    t.setting(case),
                    (("got", _shown(value)), ("want", "a finite number")),
                    context={"case": case},
                )
            )

    for dtype in t.usual_dtypes:
        t.search(dtype, judge, ordinary=True, also=list(t.corpus(dtype, 1)))


@check("nonnegative", "loss", oracle=False)
def _nonnegative(t: Trial) -> None:
    """The loss is at least 0, as claimed."""
    if not t.nonnegative:
        raise Inapplicable("nonnegative=True is not claimed")

    def judge(case: Case) -> None:
        value = _answered(t, case, "nonnegative").astype(np.float64)
        slack = BOUND * float_of(case.dtype).u * _scale(t, case, value)
        if (value < -slack).any():
            raise Wrong(
                Finding(
                    "nonnegative",
                    "the loss is negative",
                    t.setting(case),
                    (("got", _shown(value)), ("want", "≥ 0, as claimed")),
                    context={"case": case},
                )
            )

    t.search(t.usual_dtypes[0], judge, ordinary=True)


@check("zero_at_agreement", "loss", oracle=False)
def _zero_at_agreement(t: Trial) -> None:
    """The loss is 0 where input and target agree, as claimed."""
    if not t.zero_at_agreement:
        raise Inapplicable("zero_at_agreement=True is not claimed")

    def judge(case: Case) -> None:
        case = _agreeing(case)
        value = _answered(t, case, "zero_at_agreement").astype(np.float64)
        slack = BOUND * float_of(case.dtype).u * _scale(t, case, value)
        if (np.abs(value) > slack).any():
            raise Wrong(
                Finding(
                    "zero_at_agreement",
                    "the loss is not 0 where input and target agree",
                    t.setting(case),
                    (("got", _shown(value)), ("want", "0, as claimed")),
                    context={"case": case},
                )
            )

    t.search(t.usual_dtypes[0], judge, ordinary=True)


def _agreeing(case: Case) -> Case:
    """The case with its input for a target. Raises Inapplicable where they are different things."""
    inputs = case.inputs
    if not {"input", "target"} <= set(inputs) or inputs["input"].dtype != inputs["target"].dtype:
        raise Inapplicable("input and target are not of one kind")
    return replace(case, inputs={**inputs, "target": inputs["input"]})


@check("finite_gradient", oracle=False)
def _finite_gradient(t: Trial) -> None:
    """The gradient of ordinary numbers is finite, where input and target agree as well."""
    _connected(t)

    def judge(case: Case) -> None:
        outcome = t.execute(case, t.subject(case.dtype).differentiated(case), upstream)
        for name, gradient in outcome.gradients.items():
            if not np.isfinite(gradient.astype(np.float64)).all():
                raise Wrong(
                    Finding(
                        "finite_gradient",
                        f"the gradient by {name} is not finite",
                        t.setting(case),
                        (("got", _shown(gradient)), ("value", _shown(outcome.value))),
                        context={"case": case, "of": name, "judge": judge},
                    )
                )

    def both(case: Case) -> None:
        judge(case)
        try:
            agreeing = _agreeing(case)
        except Inapplicable:
            return
        judge(agreeing)

    t.search(t.usual_dtypes[0], both, ordinary=True)


@check("gradient", oracle=False)
def _numerical_gradient(t: Trial) -> None:
    """The gradient is that of the value, by numerical differentiation of the function itself."""
    _connected(t)
    dtype = t.usual_dtypes[-1]

    def judge(case: Case) -> None:
        outcome = t.execute(case, t.subject(dtype).differentiated(case), upstream)
        for name, gradient in outcome.gradients.items():
            indices = list(np.ndindex(gradient.shape))
            for index in indices[:: max(1, len(indices) // COORDINATES)]:
                found = slope(t, case, name, index)
                if found is None:
                    continue
                want, doubt = found
                got = float(gradient[index])
                allowed = BOUND * (doubt + 8 * float_of(dtype).u * abs(got))
                if not abs(got - want) <= allowed:
                    at = list(index) if index else ""
                    raise Wrong(
                        Finding(
                            "gradient",
                            f"the gradient by {name} is not that of the value",
                            t.setting(case),
                            (
                                (f"got{at}", f"{got:.9g}"),
                                (
                                    f"want{at}",
                                    f"{want:.9g} ± {doubt:.1g}   by numerical differentiation",
                                ),
                            ),
                            context={"case": case, "of": name, "got": got, "want": want},
                        )
                    )

    few = min(t.examples, 20)  # each takes some dozens of calls
    t.search(dtype, judge, ordinary=True, also=list(t.corpus(dtype, 1)), examples=few)


def slope(t: Trial, case: Case, name: str, index: tuple[int, ...]) -> tuple[float, float] | None:
    """The derivative of Σ cotangent·value by one number, by central differences extrapolated twice,
    and how far off it may be, as the differences themselves say; None at a kink or a jump.
    """
    kind = float_of(case.dtype)
    x = float(case.inputs[name][index])
    step = kind.u**0.2 * max(1.0, abs(x))
    kinds = t.base.kinds.get(name, case.function.inputs[name].kinds)
    if {"probability", "distribution"} & set(kinds):
        step = min(step, x / 2, (1 - x) / 2)
    elif "positive" in kinds:
        step = min(step, x / 2)
    if not step > 0:
        return None
    sizes: list[float] = []

    def total(value: float) -> tuple[float, float]:
        moved = np.array(case.inputs[name])
        moved[index] = value
        outcome = t.execute(replace(case, inputs={**case.inputs, name: moved}))
        if outcome.value is None:
            return np.nan, float(moved[index])
        wide = outcome.value.astype(np.float64)
        terms = wide * upstream(wide.shape, case.dtype).astype(np.float64)
        sizes.append(float(np.abs(terms).sum()))
        return float(terms.sum()), float(moved[index])

    middle, _ = total(x)
    quotients, bends = [], []
    for h in (step, step / 2, step / 4):
        (up, right), (down, left) = total(x + h), total(x - h)
        if right == left:
            return None
        quotients.append((up - down) / (right - left))
        bends.append(abs(up - 2 * middle + down) / (right - left))
    if not np.isfinite([*quotients, *bends]).all():
        return None
    rounding = 4 * kind.u * max(sizes) / (step / 4)
    if bends[2] > bends[0] / 2 + rounding:  # a kink: the slopes on both sides do not meet
        return None
    first, second = ((4 * fine - coarse) / 3 for coarse, fine in itertools.pairwise(quotients))
    doubt = abs(second - first) + rounding
    return None if doubt > 0.05 * max(abs(second), rounding / 0.05) + rounding else (second, doubt)


# -- of every loss and activation ----------------------------------------------------------------


@check("dtype")
def _dtype(t: Trial) -> None:
    """The value, and the gradients, have the dtype of the inputs."""
    for dtype in t.usual_dtypes:
        case = t.small(dtype)
        wrt = t.subject(dtype).differentiated(case)
        outcome = t.execute(case, wrt, upstream) if wrt else t.execute(case)
        if outcome.error is not None:
            outcome = t.execute(case)
        results = {"the value": outcome.value}
        results |= {f"the gradient by {n}": g for n, g in outcome.gradients.items()}
        for what, array in results.items():
            if array is not None and array.dtype != float_of(dtype).dtype:
                wide = (
                    array.dtype.kind == "f"
                    and array.dtype.itemsize > float_of(dtype).dtype.itemsize
                )
                raise Wrong(
                    Finding(
                        "dtype",
                        f"{what} of {dtype} inputs is {array.dtype.name}",
                        t.setting(case),
                        (("got", array.dtype.name), ("want", dtype)),
                        fix="make constants of the input's dtype (NumPy arrays and scalars widen it)"
                        if wide
                        else "do not cast; compute in the dtype of the input",
                    )
                )


@check("permutation")
def _permutation(t: Trial) -> None:
    """The order of the samples makes no difference."""
    dtype = t.usual_dtypes[0]
    tokens = {n: t.described.inputs[n].shape.split()[0] for n in t.inputs}
    if not set(tokens.values()) <= {"S", "N", "C"} or t.rank < 1:
        raise Inapplicable("samples do not stand along the first axis")

    def judge(case: Case) -> None:
        size = next(iter(case.inputs.values())).shape[0]
        order = np.arange(size)[::-1]
        inputs = {n: a if tokens[n] == "C" else a[order] for n, a in case.inputs.items()}
        value = _answered(t, case, "permutation").astype(np.float64)
        other = _answered(t, replace(case, inputs=inputs), "permutation").astype(np.float64)
        want = value[order] if value.ndim else value
        _close(t, case, "permutation", "depends on the order of the samples", other, want, order)

    for case in t.corpus(dtype, 2):
        t.held(case, judge)


@check("compiled")
def _compiled(t: Trial) -> None:
    """Compiled, it gives the same value."""
    mode = next((m for m in ("graph", "compiled") if m in t.adapter.modes), "")
    if not mode:
        raise Inapplicable(f"{t.adapter.name} compiles nothing")
    compiler = t.adapter.modes[mode].partition("(")[0]
    compiled = user.Own(t.adapter, t.adapter.in_mode(mode, t.target), None)

    def judge(case: Case) -> None:
        want = _answered(t, case, "compiled").astype(np.float64)
        logging.disable(logging.WARNING)  # compilers say much about what they cannot trace
        try:
            outcome = compiled.execute(t.base.call(case.inputs, {}, None, case.dtype))
        finally:
            logging.disable(logging.NOTSET)
        if outcome.value is None:
            assert outcome.error is not None
            raise Wrong(
                Finding(
                    "compiled",
                    f"works as it is, but not through {compiler}",
                    t.setting(case),
                    (("raises", first_line_of(outcome.error)),),
                    fix="use the framework's operations on tensors: no NumPy, no Python if or float() on "
                    "values",
                )
            )
        got = outcome.value.astype(np.float64)
        _close(t, case, "compiled", f"gives another value through {compiler}", got, want, None)

    for case in t.corpus(t.usual_dtypes[0], 2):
        t.held(case, judge)


# -- helpers -----------------------------------------------------------------------------------------


def _answered(t: Trial, case: Case, check: str) -> Array:
    """The value of a case; raises Wrong where the callable raises, or has lost its shape."""
    outcome = t.execute(case)
    if outcome.error is not None:
        said = (("raises", first_line_of(outcome.error)),)
        raise Wrong(Finding(check, "raises", t.setting(case), said))
    assert outcome.value is not None
    return outcome.value


def _scale(t: Trial, case: Case, value: Array) -> Array:
    """What u is relative to: |value| + Σ|x·∂f/∂x| of the function itself, and what the oracle says."""
    wrt = t.subject(case.dtype).differentiated(case)

    def ones(shape: tuple[int, ...], dtype: str) -> Array:
        return np.ones(shape, float_of(dtype).dtype)

    outcome = t.execute(case, wrt, ones) if wrt else t.execute(case)
    total = 0.0
    for name, array in case.inputs.items():
        if is_float(array):
            slopes = outcome.gradients.get(name, np.ones(array.shape))
            terms = np.abs(array.astype(np.float64) * slopes.astype(np.float64))
            total += float(np.where(np.isfinite(terms), terms, 0).sum())
    scale = np.where(np.isfinite(value), np.abs(value), 0) + total
    if t.oracle is not None:
        expected = t.subject(case.dtype).expected(case).value()
        known = np.asarray(expected.scale + expected.intermediate, np.float64)
        if known.shape == scale.shape:
            scale = scale + np.where(np.isfinite(known), known, 0)
    return np.asarray(scale)


def _close(
    t: Trial, case: Case, check: str, says: str, got: Array, want: Array, order: Array | None
) -> None:
    """Raises Wrong unless two answers are the same but for rounding."""
    if got.shape == want.shape:
        scale = _scale(t, case, want)
        if order is not None and scale.ndim:
            scale = scale[order]
        same = (got == want) | (np.isnan(got) & np.isnan(want))
        with np.errstate(all="ignore"):
            near = np.abs(got - want) <= BOUND * float_of(case.dtype).u * scale
        if (same | near).all():
            return
    labels = ("reversed", "in order") if order is not None else ("compiled", "eager")
    raise Wrong(
        Finding(
            check,
            says,
            t.setting(case),
            ((labels[0], _shown(got)), (labels[1], _shown(want))),
            context={"case": case},
        )
    )


def _same(one: Array | None, other: Array | None) -> bool:
    if one is None or other is None or one.shape != other.shape:
        return False
    return bool(((one == other) | ((one != one) & (other != other))).all())


def _shown(array: Array | None) -> str:
    """An array in a line."""
    if array is None:
        return "nothing"
    values = np.asarray(array)
    if is_float(values):
        values = values.astype(np.float64)
    text = np.array2string(values, precision=7, threshold=12, separator=", ").replace("\n", " ")
    return text if len(text) < 160 else f"shape {array.shape}: {text[:150]} …"


__all__ = ["CHECKS", "Check", "checks_of"]
