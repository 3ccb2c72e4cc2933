"""Known mistakes. Each is a hypothesis that must account for every point that was judged.

A *reading* is what the function would compute had a certain mistake been made: another formula,
another reduction, or both. It is put to the oracle and held against what the function did at every
point, where that was right as well as where it was wrong. Only one that agrees everywhere is called
likely, so that a message never guesses.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from ...reference import catalogue
from ...reference.floats import Float, float_of
from ...reference.function import Function
from ...reference.primitives import log_softmax, one_hot, softmax
from ...reference.reductions import coefficients, over_rows
from ..cases import PLAN, Case
from ..error import BOUND, Expected
from .message import Finding, Mistake
from .trial import Trial, Wrong, upstream

Array = np.ndarray
Arguments = dict[str, Any]
Formula = Callable[[Arguments], Array]

#: how many points must be finite, and agree, before a mistake is called likely
ENOUGH = 4

#: the cases of the corpus that are made of a few units
ORDINARY = {at for at, (flavour, _, _) in enumerate(PLAN) if flavour in ("ordinary", "lattice")}

DETACHED = Mistake(
    "the result is cut off from its inputs",
    "compute with the framework's operations from end to end: no detach(), stop_gradient, .item(), "
    "float(), argmax, rounding, or way through NumPy",
)

#: functions that take the exponential of what they are given, and the shift that keeps it small
SHIFTED = {
    *("softmax", "log_softmax", "softmin", "logsumexp", "cross_entropy", "categorical_focal"),
    *("masked_softmax", "linear_cross_entropy"),
}
EPSILONS = (
    *(1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12, 1e-14, 1e-15, 1e-16, 1e-20, 1e-30),
    *(float(np.finfo(np.float32).eps), float(np.finfo(np.float64).eps)),
)
FACTORS = {
    2.0: (
        "every value is twice what it should be",
        "a factor ½ is missing, or a term counts twice",
    ),
    0.5: ("every value is half of what it should be", "drop the factor ½"),
    -1.0: ("the sign is wrong", "negate it"),
    1 / np.log(2): ("the logarithm is to base 2", "use the natural logarithm"),
    1 / np.log(10): ("the logarithm is to base 10", "use the natural logarithm"),
}


@dataclass(frozen=True)
class Point:
    """What the function did with one case, and what the oracle says."""

    arguments: Arguments
    got: Array
    expected: Expected
    kind: Float

    @property
    def right(self) -> bool:
        limited = self.expected.limited_error(self.got.astype(self.kind.dtype), self.kind)
        return bool((limited <= self.expected.bound).all())

    def agrees(self, other: Array) -> bool:
        """Whether a reading gives what the function gave, within the suite's bound."""
        if other.shape != self.got.shape:
            return False
        got, other = self.got.astype(np.float64), np.asarray(other, np.float64)
        e = self.expected
        with np.errstate(all="ignore"):
            size = np.where(np.isfinite(other), np.abs(other), 0) + np.asarray(
                np.where(np.isfinite(e.scale), e.scale, 0) + e.intermediate, np.float64
            )
            near = np.abs(got - other) <= BOUND * self.kind.u * size + np.asarray(e.floor, float)
        same = (got == other) | (np.isnan(got) & np.isnan(other))
        return bool((same | near).all())

    @property
    def telling(self) -> bool:
        """Whether it is a number at all."""
        return bool(np.isfinite(self.got.astype(np.float64)).any())


@dataclass(frozen=True)
class Reading:
    """A formula that the function may have instead, and the mistakes that this would be."""

    mistakes: tuple[Mistake, ...]
    formula: Formula


def diagnose(t: Trial, finding: Finding) -> Finding:
    """The finding with the mistakes that account for it, if any that is known does."""
    if finding.diagnosed or "case" not in finding.context:
        return finding
    if t.oracle is None:
        return _without_oracle(t, finding)
    return (_of_gradient if finding.context.get("of") else _of_value)(t, finding)


# -- the value -----------------------------------------------------------------------------------


def points(t: Trial, dtype: str) -> list[Point]:
    """What the function does with ordinary numbers: whole cases, and each sample alone."""
    found = []
    subject = t.subject(dtype)
    for case in _ordinary(t, dtype):
        outcome = t.execute(case)
        if outcome.value is None or outcome.value.dtype.kind not in "fV":
            continue
        expected = subject.expected(case).value()
        if outcome.value.shape == expected.want.shape:
            wide = outcome.value.astype(expected.want.dtype)
            arguments = case.arguments(t.oracle_params)
            found.append(Point(arguments, wide, expected, float_of(dtype)))
    return found


def _ordinary(t: Trial, dtype: str) -> Iterator[Case]:
    for at, case in enumerate(t.corpus(dtype, 7)):
        if at not in ORDINARY:
            continue
        shapes = {n: case.function.inputs[n].shape.split()[0] for n in case.inputs}
        yield case
        if not set(shapes.values()) <= {"S", "N", "C"}:
            continue
        size = next(case.inputs[n].shape[0] for n, s in shapes.items() if s != "C")
        for at in range(min(size, 8)):
            inputs = {n: a if shapes[n] == "C" else a[at : at + 1] for n, a in case.inputs.items()}
            yield replace(case, inputs=inputs)


def _of_value(t: Trial, finding: Finding) -> Finding:
    case: Case = finding.context["case"]
    dtype = "float64" if "float64" in t.usual_dtypes else case.dtype
    known, kind = points(t, dtype), float_of(dtype)
    if all(p.right for p in known):
        return _of_precision(t, finding, known)
    for name in ("float32", "float16", "bfloat16"):
        narrow = float_of(name)
        if narrow.u <= kind.u or not all(replace(p, kind=narrow).right for p in known):
            continue
        if all(np.array_equal(narrow.rounded(p.got), p.got, equal_nan=True) for p in known):
            what = f"it computes in {name} whatever the dtype of its inputs"
            fix = f"do not cast; make constants of the input's dtype, here {dtype}"
            return finding.because((Mistake(what, fix),), _evidence(known))
        if name == "float32":  # of fewer digits, another formula may be right as well
            return _of_precision(t, finding, known)
    if sum(p.telling for p in known) < ENOUGH:
        return finding.because(())
    for mistakes, compute in _readings(t, kind):
        if time.monotonic() > t.ends:
            break
        try:
            if all(p.agrees(compute(p.arguments)) for p in known):
                return finding.because(mistakes, _evidence(known))
        except Exception:  # a formula that cannot be had of these arguments
            continue
    if (mistake := _zero_times_infinity(t, known)) is not None:
        return finding.because((mistake,), _evidence(known))
    wants = [np.asarray(p.expected.want, np.float64) for p in known]
    if (mistake := _related(t, known, wants)) is not None:
        return finding.because((mistake,), _evidence(known))
    claimed = next(_reductions(t, t.oracle))[1] if t.kind == "loss" else lambda losses, a: losses  # type: ignore[arg-type]
    for reading in _formulas(t, t.oracle, kind):  # type: ignore[arg-type]
        if time.monotonic() > t.ends:
            break
        try:
            wants = [
                np.asarray(claimed(np.asarray(reading.formula(p.arguments)), p.arguments))
                for p in known
            ]
            related = _related(t, known, wants)
        except Exception:
            continue
        if related is not None:
            return finding.because((*reading.mistakes, related), _evidence(known))
    return finding.because(())


def _evidence(known: list[Point]) -> str:
    numbers = sum(p.got.size for p in known)
    return f"accounts for all {numbers} numbers that were looked at"


def _readings(t: Trial, kind: Float) -> Iterator[tuple[tuple[Mistake, ...], Formula]]:
    """The readings, those with the fewest mistakes first."""
    assert t.oracle is not None
    formulas = [Reading((), lambda a: t.oracle(**a)), *_formulas(t, t.oracle, kind)]  # type: ignore[misc]
    ways = list(_reductions(t, t.oracle)) if t.kind == "loss" else [((), lambda losses, a: losses)]
    both = [
        (
            (*reading.mistakes, *wrong),
            lambda a, f=reading.formula, r=reduce: r(np.asarray(f(a)), a),
        )
        for reading, (wrong, reduce) in product(formulas, ways)
        if reading.mistakes or wrong
    ]
    yield from sorted(both, key=lambda each: len(each[0]))  # which keeps the order otherwise


def _reductions(t: Trial, f: Function) -> Iterator[tuple[tuple[Mistake, ...], Any]]:
    """The claimed reduction, then those that are taken for it."""
    claimed, rows = t.meaning

    def way(name: str, over: Any) -> Any:
        def reduce(losses: Array, arguments: Arguments) -> Array:
            each = over_rows(losses, over)
            with np.errstate(all="ignore"):
                weighted = coefficients(f, each, name, arguments, None, over) * each
            return weighted if name == "none" else np.asarray(weighted.sum())

        return reduce

    yield (), way(claimed, rows)
    said = {
        "sum": ("the losses are summed, not averaged", "divide by their number: mean, not sum"),
        "mean": ("the losses are averaged, not summed", "use sum, not mean"),
        "batchmean": (
            "the sum is divided by the number of samples, not by the number of losses",
            "average over all of them: mean, not sum / len",
        ),
    }
    if claimed == "none":
        if rows is not None:
            other = "sum" if rows == "mean" else "mean"
            what = f"the losses of a sample are {'summed, not averaged' * (other == 'sum')}"
            what = what if other == "sum" else "the losses of a sample are averaged, not summed"
            yield (
                (Mistake(what, f"{rows} over the last axis, or claim rows={other!r}"),),
                way("none", other),
            )
        return
    for name in ("sum", "batchmean", "mean"):
        if name != claimed:
            what, fix = said[name]
            if claimed == "sum" and name == "batchmean":
                what = "the sum is divided by the number of samples"
                fix = "do not divide"
            yield (
                (Mistake(what, f"{fix}; if it is meant, claim reduction={name!r}"),),
                way(name, None),
            )


def _formulas(t: Trial, f: Function, kind: Float) -> Iterator[Reading]:
    """What is computed by mistake in place of a function."""
    yield from _smoothings(t, f)
    yield from _epsilons(f, kind)
    yield from _clips(f, kind)
    yield from _of_parameters(t, f)
    if t.kind == "loss":
        yield from _encodings(f)
        yield from _wrong_axis(f)
        if {"input", "target"} <= set(t.inputs):
            yield Reading(
                (
                    Mistake(
                        "input and target are taken for each other",
                        f"swap them in your function, or say arguments={tuple(reversed(t.inputs[:2]))!r}, "
                        "if that is its order",
                    ),
                ),
                lambda a: f(**{**a, "input": a["target"], "target": a["input"]}),
            )
    yield from _others(f)


def _one_hot(arguments: Arguments) -> Array:
    target, x = arguments["target"], arguments["input"]
    return one_hot(target, x.shape[1], 1, x.dtype) if target.dtype.kind in "iu" else target


def _smoothings(t: Trial, f: Function) -> Iterator[Reading]:
    """Label smoothing as it goes wrong; y·(1 − s) + s/K is right."""
    s = t.oracle_params.get("label_smoothing", 0.0)
    if "label_smoothing" not in f.parameters or not s:
        return
    binary = "C" not in f.inputs["input"].shape.split()
    right = "y·(1 − s) + s/K" if not binary else "y·(1 − s) + s/2"
    wrong: dict[str, Callable[[Array, int], Array]] = {
        "label smoothing spreads s over the K − 1 other classes: s/(K − 1) for each, 1 − s for the true "
        "one": lambda y, k: y * (1 - s) + (1 - y) * s / (k - 1),
        "label smoothing adds s/(K − 1) to every class": lambda y, k: y * (1 - s) + s / (k - 1),
        "label smoothing adds s to every class, not s/K": lambda y, k: y * (1 - s) + s,
        "label smoothing adds s/K, but leaves the true class at 1": lambda y, k: y + s / k,
        "label smoothing takes s from the true class and gives it to nobody": (
            lambda y, k: y * (1 - s)
        ),
        "labels are smoothed twice": lambda y, k: (y * (1 - s) + s / k) * (1 - s) + s / k,
    }
    for what, smooth in wrong.items():

        def formula(a: Arguments, smooth: Callable[[Array, int], Array] = smooth) -> Array:
            y = a["target"] if binary else _one_hot(a)
            k = 2 if binary else a["input"].shape[1]
            return f(**{**a, "target": smooth(y, k), "label_smoothing": 0.0})

        yield Reading((Mistake(what, f"smooth by {right}, K classes"),), formula)


def _epsilons(f: Function, kind: Float) -> Iterator[Reading]:
    """log(p + ε) for log p."""

    def binary(a: Arguments, e: float) -> Array:
        return f(**{**a, "epsilon": e})

    def categorical(a: Arguments, e: float) -> Array:
        return -(_one_hot(a) * np.log(a["input"] + e)).sum(axis=1)

    def divergence(a: Arguments, e: float) -> Array:
        if a["log_input"] or a["log_target"]:
            raise ValueError("logarithms already")
        return a["target"] * np.log((a["target"] + e) / (a["input"] + e))

    def focal(a: Arguments, e: float) -> Array:
        if a["from_logits"] or a["apply_class_balancing"] or a["label_smoothing"]:
            raise ValueError("other forms")
        p, y = a["input"], a["target"]
        entropy = -y * np.log(p + e) - (1 - y) * np.log(1 - p + e)
        return (y * (1 - p) + (1 - y) * p) ** a["gamma"] * entropy

    def floored(a: Arguments) -> Array:
        if a["from_logits"] or a["apply_class_balancing"] or a["label_smoothing"]:
            raise ValueError("other forms")
        p, y = a["input"], a["target"]
        log_p, log_q = np.maximum(np.log(p), -100), np.maximum(np.log1p(-p), -100)
        entropy = -y * log_p - (1 - y) * log_q
        return (y * (1 - p) + (1 - y) * p) ** a["gamma"] * entropy

    if f.name == "binary_focal":
        what = "each logarithm is bounded below by −100, as PyTorch's binary_cross_entropy has it"
        yield Reading((Mistake(what, "compute from logits, which needs no bound"),), floored)

    known: Mapping[str, Callable[[Arguments, float], Array]] = {
        "binary_cross_entropy": binary,
        "categorical_cross_entropy": categorical,
        "kl_divergence": divergence,
        "binary_focal": focal,
    }
    if f.name not in known:
        return
    claim = (
        "; if it is meant, claim params={{'epsilon': {e:g}}}" if "epsilon" in f.parameters else ""
    )
    for e in EPSILONS:
        what = f"{e:.3g} is added inside the logarithm: log(p + ε), which is wrong for small p"
        fix = f"clip p instead, or compute from logits, which needs neither{claim.format(e=e)}"
        yield Reading((Mistake(what, fix),), lambda a, e=e: known[f.name](a, kind.round(e)))  # type: ignore[misc]


def _clips(f: Function, kind: Float) -> Iterator[Reading]:
    """A clip of probabilities, or of their logarithm, that is not claimed."""
    if "clip" in f.parameters:
        for e in EPSILONS:
            for high in (1 - e, 1.0):
                what = f"probabilities are clipped to [{e:.3g}, {'1' if high == 1 else f'1 − {e:.3g}'}]"
                bounds = f"({e:.3g}, {'1' if high == 1 else f'1 - {e:.3g}'})"
                fix = (
                    f"if it is meant, claim params={{'clip': {bounds}}}; from logits none is needed"
                )
                yield Reading(
                    (Mistake(what, fix),),
                    lambda a, e=e, high=high: f(**{**a, "clip": (kind.round(e), kind.round(high))}),  # type: ignore[misc]
                )
    if "log_floor" in f.parameters:
        what = "each logarithm is bounded below by −100, as PyTorch has it"
        fix = "if it is meant, claim params={'log_floor': -100.0}"
        yield Reading((Mistake(what, fix),), lambda a: f(**{**a, "log_floor": -100.0}))


def _of_parameters(t: Trial, f: Function) -> Iterator[Reading]:
    """Another value of one parameter."""
    for name, parameter in f.parameters.items():
        given = t.oracle_params.get(name, parameter.default)
        values = [parameter.default, *parameter.domain.values]
        if parameter.domain.name == "axis":
            values = [0, 1, -1, -2]
        elif parameter.domain.name == "dialect":
            values = [True] if name == "from_logits" else []
        for value in dict.fromkeys(v for v in values if isinstance(v, (bool, int, float, str))):
            if value == given and type(value) is type(given):
                continue
            fix = f"compute with {name}={given!r}, or claim params={{{name!r}: {value!r}}}"
            if name in t.params and name not in t.keywords and name not in t.constructed:
                fix += f"; your function takes no {name}=, so it was not told"
            yield Reading(
                (Mistake(f"it computes with {name}={value!r}, not {given!r}", fix),),
                lambda a, name=name, value=value: f(**{**a, name: value}),  # type: ignore[misc]
            )


def _encodings(f: Function) -> Iterator[Reading]:
    """Probabilities taken for logits, a softmax too much."""
    kinds = f.inputs["input"].kinds if "input" in f.inputs else ()
    to_share: dict[str, Formula] = {
        "sigmoid": lambda a: 1 / (1 + np.exp(-a["input"])),
        "softmax": lambda a: softmax(a["input"], 1),
    }
    for name, squash in to_share.items():
        if (
            "C" not in f.inputs.get("input", f.inputs[next(iter(f.inputs))]).shape
            and name == "softmax"
        ):
            continue
        if {"probability", "distribution"} & set(kinds):
            what = f"a {name} is applied to what is a probability already"
            fix = f"drop the {name}, or claim the function of logits"
        elif "logits" in kinds:
            what = f"a {name} is applied to the logits before the loss, which has one of its own"
            fix = f"give the loss the logits themselves: drop the {name}"
        else:
            continue
        yield Reading(
            (Mistake(what, fix),),
            lambda a, squash=squash: f(**{**a, "input": squash(a)}),  # type: ignore[misc]
        )


def _wrong_axis(f: Function) -> Iterator[Reading]:
    if f.name != "cross_entropy":
        return
    what = "the softmax is along the samples (axis 0), not along the classes"
    fix = "normalise along the class axis: dim=1, or axis=-1"
    yield Reading(
        (Mistake(what, fix),),
        lambda a: -(_one_hot(a) * log_softmax(a["input"], 0)).sum(axis=1),
    )


def _others(f: Function) -> Iterator[Reading]:
    """Another function of the catalogue."""
    required = [n for n, spec in f.inputs.items() if not spec.optional]
    for name, other in catalogue().items():
        if other is f or other.kind != f.kind:
            continue
        if [n for n, spec in other.inputs.items() if not spec.optional] != required:
            continue

        def formula(a: Arguments, other: Function = other) -> Array:
            given = {n: a[n] for n in other.inputs if a.get(n) is not None}
            shared = {n: a[n] for n in other.parameters if n in a}
            return other(**{**other.defaults(), **given, **shared})

        what = f"it computes {name}, not {f.name}"
        yield Reading(
            (Mistake(what, f"claim like={name!r}, if that is what it should be"),), formula
        )


def _related(t: Trial, known: list[Point], wants: list[Array]) -> Mistake | None:
    """A simple relation between what came and what should have come, or a reading gives."""
    if any(w.shape != p.got.shape for w, p in zip(wants, known, strict=True)):
        return None
    want = np.concatenate([np.ravel(w).astype(np.float64) for w in wants])
    got = np.concatenate([np.ravel(p.got).astype(np.float64) for p in known])
    clear = np.isfinite(want) & np.isfinite(got) & (np.abs(want) > 1e-3)
    if clear.sum() < ENOUGH:
        return None
    ratio = float(np.median(got[clear] / want[clear]))
    if np.isfinite(ratio) and ratio != 0:
        exact = min(FACTORS, key=lambda c: abs(c - ratio))
        exact = exact if abs(exact - ratio) < 1e-3 * abs(exact) else ratio
        if abs(exact - 1) > 1e-3 and _everywhere(known, wants, lambda w: w * exact):
            if exact in FACTORS:
                return Mistake(*FACTORS[exact])
            assert t.oracle is not None
            given = {**t.oracle.defaults(), **t.oracle_params}
            same = [n for n, v in given.items() if isinstance(v, float) and abs(v - exact) < 1e-6]
            fix = f"drop that factor: is it {same[0]}?" if same else "look for that factor"
            return Mistake(f"every value is {exact:.6g} times what it should be", fix)
    with np.errstate(all="ignore"):
        if _everywhere(known, wants, np.sqrt):
            return Mistake(
                "a square root is taken of the result",
                "drop it: what is squared stays squared (RMSE is not MSE)",
            )
        if _everywhere(known, wants, np.square):
            return Mistake("the square root is missing", "take it")
        if _everywhere(known, wants, lambda w: np.maximum(w, 0)):
            return Mistake("negative results are cut off at 0", "do not clamp the result")
        if _everywhere(known, wants, np.abs):
            return Mistake("the absolute value is taken of the result", "drop it")
    return None


def _everywhere(known: list[Point], wants: list[Array], relation: Callable[[Array], Array]) -> bool:
    """Whether what came is that function of the others at every point."""
    return all(p.agrees(np.asarray(relation(w))) for p, w in zip(known, wants, strict=True))


def _zero_times_infinity(t: Trial, known: list[Point]) -> Mistake | None:
    """NaN, and only that, exactly where a probability or a target is 0 or 1."""
    for p in known:
        if p.right:
            continue
        bad = np.isnan(p.got) & ~np.isnan(np.asarray(p.expected.want, np.float64))
        others = replace(p, got=np.where(bad, p.expected.want, p.got))
        edge = any(
            np.any((a == 0) | (a == 1))
            for n, a in p.arguments.items()
            if n in ("input", "target") and isinstance(a, np.ndarray)
        )
        if not (bad.any() and others.right and edge):
            return None
    return Mistake(
        "0 · log 0 is NaN in floating point, where it should be 0",
        "use xlogy (torch.xlogy, tf.math.xlogy, jax.scipy.special.xlogy, scipy.special.xlogy), or compute "
        "from logits",
    )


# -- rounding ------------------------------------------------------------------------------------


def _of_precision(t: Trial, finding: Finding, known: list[Point]) -> Finding:
    """The formula is right for ordinary numbers: something overflows, underflows or cancels."""
    assert t.oracle is not None
    case: Case = finding.context["case"]
    got, want = finding.context.get("got", np.nan), finding.context.get("want", np.nan)
    evidence = _evidence(known).replace("accounts for all", "right at all the")
    says = finding.says
    if "nan is swallowed" in says:
        return finding.because(
            (
                Mistake(
                    "a comparison, a maximum or a where drops NaN",
                    "let NaN through: clamp and relu of the framework do, max(x, 0) of Python does not",
                ),
            )
        )
    if np.isfinite(want) and not np.isfinite(got):
        large = max(
            (float(np.max(np.abs(a[np.isfinite(a)]), initial=0)) for a in _floats(case)),
            default=0.0,
        )
        exponential = t.oracle.name in SHIFTED
        if exponential:
            what = f"exp overflows: the formula is right, but has no shift; a logit is {large:.4g} here"
            fix = (
                "subtract the row's maximum first: exp(x − max(x)); or call the framework's own softmax, "
                "log_softmax or logsumexp"
            )
        elif large > 10:
            what = (
                f"an intermediate overflows: the formula is right, but a number is {large:.4g} here"
            )
            fix = (
                "write it so that exp is of −|x|: max(x, 0) + log1p(exp(−|x|)) for log(1 + exp(x)); the "
                "framework's own softplus, logsigmoid, sigmoid do"
            )
        else:
            what = "0 · ∞, 0/0 or log 0 on the way: the formula is right elsewhere"
            fix = "treat that point apart, before the operation rather than after it"
        return finding.because((Mistake(what, fix),), evidence)
    if np.isfinite(want) and (factor := _more_digits(t, case, got, want)) > 100:
        other = "float64" if case.dtype != "float64" else "float32"
        nearer = "nearer" if other == "float64" else "further off"
        what = (
            f"digits are lost: the formula is right, but cancels or saturates here (in {other} the result is "
            f"{'exact' if np.isinf(factor) else f'{factor:.0e} times {nearer}'})"
        )
        fix = (
            "use a form that keeps them: log1p(x) for log(1 + x), expm1(x) for exp(x) − 1, logsigmoid or "
            "log_softmax for the logarithm of a sigmoid or softmax, the function of logits"
        )
        return finding.because((Mistake(what, fix),), evidence)
    return finding.because(())


def _more_digits(t: Trial, case: Case, got: float, want: float) -> float:
    """How many times nearer the function is in float64, or further off in float32."""
    other = float_of("float64" if case.dtype != "float64" else "float32")
    own = float_of(case.dtype)
    if other.name not in t.usual_dtypes or other.name not in t.adapter.dtypes():
        return 1.0
    inputs = {
        n: other.rounded(a.astype(np.float64)) if a.dtype == own.dtype else a
        for n, a in case.inputs.items()
    }
    outcome = t.execute(replace(case, dtype=other.name, inputs=inputs))
    expected = (
        t.subject(other.name).expected(replace(case, dtype=other.name, inputs=inputs)).value()
    )
    if outcome.value is None or outcome.value.shape != expected.want.shape:
        return 1.0
    near = np.abs(expected.want.astype(np.float64) - want)
    at = int(np.argmin(near))
    there = abs(float(np.ravel(outcome.value)[at]) - float(np.ravel(expected.want)[at]))
    here = abs(got - want)
    worse, better = (here, there) if own.u > other.u else (there, here)
    return float(np.inf) if better == 0 else worse / better


def _floats(case: Case) -> Iterator[Array]:
    for array in case.inputs.values():
        if array.dtype.kind not in "iub":
            yield array.astype(np.float64)


# -- the gradient --------------------------------------------------------------------------------


def _of_gradient(t: Trial, finding: Finding) -> Finding:
    """Why a gradient is wrong whose value is right."""
    of = finding.context["of"]
    case: Case = finding.context["case"]
    got, want, seen = [], [], 0
    for other in _ordinary(t, case.dtype):
        subject = t.subject(case.dtype)
        outcome = t.execute(other, [of], upstream)
        if of not in outcome.gradients or outcome.value is None:
            return finding.because(())
        judge = subject.expected(other)
        exact = judge.gradients(upstream(judge.shape, case.dtype).astype(np.float64))[of]
        got.append(np.ravel(outcome.gradients[of]).astype(np.float64))
        want.append(np.ravel(exact.want).astype(np.float64))
        seen += exact.want.size
    g, w = np.concatenate(got), np.concatenate(want)
    clear = np.isfinite(w) & (np.abs(w) > 1e-6)
    evidence = f"accounts for all {seen} derivatives that were looked at"
    if clear.any() and not g.any():
        return finding.because((DETACHED,), evidence)
    u = float_of(case.dtype).u
    both = clear & np.isfinite(g) & (g != 0)
    if both.sum() >= ENOUGH:
        ratio = float(np.median(g[both] / w[both]))
        if abs(ratio - 1) > 1e-3 and bool(
            (np.abs(g[both] - ratio * w[both]) <= 64 * u * np.abs(ratio * w[both])).all()
        ):
            what = (
                f"every derivative is {ratio:.6g} times what it should be, and the value is right"
            )
            fix = "look at the custom gradient, or at a detached part of a product"
            return finding.because((Mistake(what, fix),), evidence)
    wrong = clear & (np.abs(g - w) > 64 * u * np.abs(w)) | clear & ~np.isfinite(g)
    here, exact_here = finding.context.get("got"), finding.context.get("want")
    if (
        here is not None
        and exact_here is not None
        and np.isnan(here)
        and np.isfinite(exact_here)
        and np.isnan(g[wrong]).all()
    ):
        what = (
            "0 · ∞ in the backward pass: a branch that where() does not choose, a 0 times log 0, or sqrt or "
            "a norm at 0"
        )
        fix = "make the argument harmless before the operation: where(ok, x, 1) inside, where(ok, …, 0) outside"
        return finding.because((Mistake(what, fix),), "it is NaN wherever it is wrong")
    if here == 0 and exact_here and not g[wrong].any():
        what = "a clip, a maximum or a rounding stops the gradient here"
        fix = (
            "clamp passes no gradient outside its interval: compute from logits, or claim the clip in "
            "params"
        )
        return finding.because((Mistake(what, fix),), "it is 0 wherever it is wrong")
    return finding.because(())


def _without_oracle(t: Trial, finding: Finding) -> Finding:
    """What can be told from the function alone."""
    case: Case = finding.context["case"]
    if finding.check == "finite_gradient" and {"input", "target"} <= set(case.inputs):
        apart = []
        for other in _ordinary(t, case.dtype):
            if not np.any(other.inputs["input"] == other.inputs["target"]):
                apart.append(other)
        try:
            for other in apart:
                finding.context["judge"](other)
        except Wrong:
            return finding
        if apart and np.array_equal(case.inputs["input"], case.inputs["target"]):
            what = "input and target agree here: sqrt, a norm or a quotient has no derivative at 0"
            fix = "add a small number under the root, or choose the derivative with where() on both sides"
            evidence = f"finite at all {len(apart)} cases in which they do not agree"
            return finding.because((Mistake(what, fix),), evidence)
    return finding


__all__ = ["DETACHED", "Point", "diagnose", "points"]
