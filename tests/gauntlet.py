"""The gauntlet: wrong implementations that people write, and the aspect that must catch each.

A mutant is the oracle with one thing wrong: its ``formula`` (unreduced losses), its ``derivative`` or
``pullback``, its ``mean``, how it ``prepare``\\ s its arguments, or how it ``finish``\\ es a result. It
is put in a framework's place and runs through the same code as the conformance tests.
``narrow`` ones compute at the width of the dtype under test, as frameworks do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import ml_dtypes
import numpy as np
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from nnconform.adapters.interface import Adapter
from nnconform.conformance import aspects, properties
from nnconform.conformance.consistency import consistency
from nnconform.conformance.invalid import invalid
from nnconform.conformance.measurement import Divergence, Measurement, Subject
from nnconform.conformance.profile import conformance
from nnconform.conformance.selection import subjects
from nnconform.conformance.special import special
from nnconform.reference import catalogue, primitives
from nnconform.reference import losses as rooms
from nnconform.reference.primitives import along, log_softmax, one_hot, softmax, softplus, times

from .oracle_adapter import (
    Answer,
    Implementation,
    OracleAdapter,
    Sampler,
    gumbel,
    gumbel_softmax,
    leaky,
    of_the_soft_draw,
    one_hot_of_largest,
    unchanged,
)

Array = np.ndarray
F = catalogue()

# -- running -----------------------------------------------------------------------------------------

SEARCHED = {
    "value": aspects.value,
    "gradient": aspects.gradient,
    "reduction": aspects.reduction,
    "property": properties.judge,
}
WHOLE = {"special": special, "invalid": invalid, "consistency": consistency}
ASPECTS = (*SEARCHED, *WHOLE)


def measured(
    subject: Subject, examples: int = 3, cases: int | None = None
) -> tuple[Measurement, str]:
    """What the conformance test of a subject measures, and the message that it fails with, if any."""
    m = Measurement(subject)
    try:
        if subject.aspect in WHOLE:
            WHOLE[subject.aspect](m)
        else:
            _searched(m, examples, cases or aspects.CORPUS[subject.aspect])
    except Divergence as divergence:
        return m, str(divergence)
    return m, ""


def _searched(m: Measurement, examples: int, cases: int) -> None:
    @settings(
        conformance,
        max_examples=examples,
        derandomize=True,
        database=None,
        report_multiple_bugs=False,
        phases=[Phase.generate],
    )
    @given(data=st.data())
    def search(data: st.DataObject) -> None:
        aspects.corpus_then_search(m, SEARCHED[m.subject.aspect], data, cases)

    search()


def subject_of(
    adapter: Adapter, function: str, aspect: str, dtype: str, label: str = "", reduction: str = ""
) -> Subject:
    """The one subject with these names; without a label, of the plain binding."""
    found: Iterator[Subject] = (
        subject
        for binding in adapter.bindings
        if binding.function == function and binding.name == (label or function)
        for subject in subjects(adapter, binding, aspect, [dtype])
        if not reduction or subject.reduction == reduction
    )
    return next(found)


# -- what a mutant is --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mutant:
    """One wrong implementation."""

    name: str
    function: str
    aspect: str
    why: str
    formula: Callable[..., Any] | None = None
    derivative: Callable[..., Any] | None = None
    pullback: Callable[..., Mapping[str, Array]] | None = None
    mean: Callable[..., Any] | None = None
    prepare: Callable[[dict[str, Any]], dict[str, Any]] = unchanged
    finish: Callable[[Array], Array] = np.asarray
    sampler: Sampler | None = None
    narrow: bool = False
    checked: bool = True
    dtype: str = "float32"
    label: str = ""
    reduction: str = ""

    def subject(self, adapter: Adapter) -> Subject:
        """What must fail with the mutant in place, and pass without."""
        return subject_of(
            adapter, self.function, self.aspect, self.dtype, self.label, self.reduction
        )

    def adapter(self) -> OracleAdapter:
        """The oracle with this one callable replaced."""
        return OracleAdapter({self.function: self.implementation()})

    def implementation(self) -> Callable[..., Answer]:
        function = F[self.function]
        wrong = {"formula": self.formula, "_pullback": self._pulled(), "_mean": self.mean}
        function = replace(function, **{k: v for k, v in wrong.items() if v is not None})
        return Implementation(
            *(function, self.prepare, self.finish, self.narrow, self.checked, self.sampler)
        )

    def _pulled(self) -> Callable[..., Mapping[str, Array]] | None:
        if self.derivative is None:
            return self.pullback
        derivative, first = self.derivative, next(iter(F[self.function].inputs))
        return lambda cotangent, **arguments: {
            **(F[self.function].gradients(cotangent, **arguments)),
            first: cotangent * derivative(**arguments),
        }


def without(*names: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Ignores optional inputs."""
    return lambda a: a | {n: None for n in names}


def default(function: str, *names: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Ignores parameters of a function: they are at their defaults, whatever is given."""
    return lambda a: a | {n: F[function].parameters[n].default for n in names}


def swap(one: str, other: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda a: a | {one: a[other], other: a[one]}


def edit(**changes: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Changes arguments, each by a function of all of them."""
    return lambda a: a | {name: change(a) for name, change in changes.items()}


def spoilt(function: str, spoil: Callable[..., Array], *of: str) -> Callable[..., dict[str, Array]]:
    """The pullback with some gradients changed by ``spoil(gradient, cotangent, **arguments)``."""

    def pullback(cotangent: Array, **arguments: Any) -> dict[str, Array]:
        right = F[function].gradients(cotangent, **arguments)
        wrong = {n: spoil(g, cotangent, **arguments) for n, g in right.items() if not of or n in of}
        return {**right, **wrong}

    return pullback


def naive_softmax(x: Array, axis: int) -> Array:
    return np.exp(x) / np.exp(x).sum(axis=axis, keepdims=True)


def plain_sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def sums_of_sums(x: Array, axis: int) -> Array:
    z = -np.sort(-x, axis=axis)
    count = np.moveaxis(np.arange(1, x.shape[axis] + 1).reshape(-1, *[1] * (x.ndim - 1)), 0, axis)
    sums = np.cumsum(z, axis=axis)
    support = z - (sums - 1) / count > 0
    k = np.maximum(support.sum(axis=axis, keepdims=True), 1)
    return np.maximum(x - (np.where(support, sums, 0).sum(axis=axis, keepdims=True) - 1) / k, 0)


def smooth(target: Array, share: float, kept: float) -> Array:
    return target * kept + share


def smoothed_ce(wrong: Callable[[Array, float, int], Array]) -> Callable[..., Array]:
    """Cross entropy with a smoothing of the targets of one's own."""

    def formula(input: Array, target: Array, weight: Any = None, **p: Any) -> Array:
        hot, counted = rooms._soft_target(input, target, p["ignore_index"], 0.0, 1)
        y = wrong(hot, p["label_smoothing"], input.shape[1])
        w = along(weight, input.ndim, 1, input.dtype)
        return np.where(counted, -times(w * y, log_softmax(input, 1)).sum(axis=1), 0)

    return formula


def ce_of(log_p: Callable[[Array], Array]) -> Callable[..., Array]:
    """Cross entropy with log-probabilities of one's own."""

    def formula(input: Array, target: Array, weight: Any = None, **p: Any) -> Array:
        y, counted = rooms._soft_target(input, target, p["ignore_index"], p["label_smoothing"], 1)
        w = along(weight, input.ndim, 1, input.dtype)
        return np.where(counted, -times(w * y, log_p(input)).sum(axis=1), 0)

    return formula


def bce_of(loss: Callable[[Array, Array], Array]) -> Callable[..., Array]:
    """Binary cross entropy with a loss of one's own, given the smoothed target and p."""

    def formula(input: Array, target: Array, weight: Any = None, **p: Any) -> Array:
        each = loss(rooms._smoothed(target, p["label_smoothing"], 2), input)
        return each if weight is None else each * weight

    return formula


def bcel_of(loss: Callable[[Array], Array]) -> Callable[..., Array]:
    """Binary cross entropy with −log σ(x) of one's own."""

    def formula(
        input: Array, target: Array, weight: Any = None, pos_weight: Any = None, **p: Any
    ) -> Array:
        q = 1 if pos_weight is None else pos_weight
        return bce_of(lambda y, x: times(q * y, loss(x)) + times(1 - y, loss(-x)))(
            input, target, weight, **p
        )

    return formula


def counted_mean(losses: Array, target: Array, ignore_index: int = -100, **_: Any) -> Array:
    """A mean over the samples that are not ignored, whatever they weigh."""
    return 1 / np.asarray((target != ignore_index).sum(), losses.dtype)


def cosine(a: Array, b: Array) -> Array:
    lengths = np.sqrt((a * a).sum(axis=-1) * (b * b).sum(axis=-1))
    return (a * b).sum(axis=-1) / np.where(lengths == 0, 1, lengths)


def ctc_with(states: Callable[..., Any], **lengths: Callable[..., Array]) -> Callable[..., Array]:
    """CTC with other states, or other lengths."""

    def formula(log_probs: Array, **a: Any) -> Array:
        a = a | {n: change(log_probs, **a) for n, change in lengths.items()}
        chain = states(a["targets"], a["target_lengths"], a["blank"])
        losses = -rooms._ctc_forward(log_probs, *chain, a["input_lengths"])[1]
        return np.where(np.isinf(losses), 0, losses) if a["zero_infinity"] else losses

    return formula


def skipping_everywhere(*arguments: Any) -> Any:
    states, skip, last = rooms._ctc_states(*arguments)
    skip = skip.copy()
    skip[:, 3::2] = True
    return states, skip, last


def to_bfloat16(x: Array) -> Array:
    return x.astype(ml_dtypes.bfloat16).astype(x.dtype)


def at_float32(function: str) -> Callable[..., Array]:
    """The formula on inputs rounded to float32, and its result too."""

    def formula(**arguments: Any) -> Array:
        halved = {
            n: a.astype(np.float32) if isinstance(a, np.ndarray) and a.dtype.kind == "f" else a
            for n, a in arguments.items()
        }
        wide = next(a.dtype for a in arguments.values() if isinstance(a, np.ndarray))
        return F[function](**halved).astype(wide)

    return formula


def rectified(x: Array, slope: Any) -> Array:
    return np.where(x >= 0, x, slope * x)


def norm(d: Array, p: float = 2.0) -> Array:
    return rooms._distance(d, p)


def triplet(near: Array, far: Array, margin: float) -> Array:
    return np.maximum(near - far + margin, 0)


# -- the table: name, function, aspect that must catch it, why people write it -----------------------

V, G, R, S, P, I = "value", "gradient", "reduction", "special", "property", "invalid"  # noqa: E741
C = "consistency"
SOFT, HARD = "gumbel_softmax(training=True)", "gumbel_softmax(training=True, hard=True)"

ACTIVATIONS: list[Mutant] = [
    Mutant("wrong-at-zero", "step", V, "x > 0 alone decides", formula=lambda x, at_zero: np.where(x > 0, 1.0, 0.0).astype(x.dtype)),
    Mutant("sign-for-step", "step", V, "−1 below zero", formula=lambda x, at_zero: np.where(x == 0, at_zero, np.sign(x)).astype(x.dtype)),
    Mutant("straight-through", "step", G, "the derivative that training wants", derivative=lambda x, at_zero: np.ones_like(x)),
    Mutant("decreasing-step", "step", P, "the comparison turned round", formula=lambda x, at_zero: np.where(x == 0, at_zero, x < 0).astype(x.dtype)),
    Mutant("flushes-small", "linear", V, "small numbers are taken for noise", finish=lambda y: np.where(np.abs(y) < 1e-3, 0, y).astype(y.dtype)),
    Mutant("result-in-bfloat16", "linear", V, "autocast left on", finish=to_bfloat16),
    Mutant("abs-for-linear", "linear", P, "an even function", formula=lambda x: np.abs(x)),
    Mutant("exp-over-one-plus-exp", "sigmoid", V, "the textbook's other form: ∞/∞", formula=lambda x: np.exp(x) / (1 + np.exp(x)), narrow=True),
    Mutant("hard-sigmoid", "sigmoid", V, "a faster approximation", formula=lambda x: np.clip(0.2 * x + 0.5, 0, 1)),
    Mutant("computed-in-float32", "sigmoid", V, "float32 inside float64 code", formula=at_float32("sigmoid"), dtype="float64"),
    Mutant("derivative-of-output", "sigmoid", G, "x(1 − x), meant for the output", derivative=lambda x: x * (1 - x)),
    Mutant("saturates-to-nan", "sigmoid", S, "∞/∞ at ∞", formula=lambda x: np.exp(x) / (1 + np.exp(x))),
    Mutant("out-of-range", "sigmoid", P, "a tanh with the wrong offset", formula=lambda x: (np.tanh(x) + 1) / 2 * 1.01),
    Mutant("quotient-of-exponentials", "tanh", V, "∞/∞ for large x", formula=lambda x: (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x)), narrow=True),
    Mutant("derivative-in-x", "tanh", G, "1 − x² for 1 − tanh²", derivative=lambda x: 1 - x * x),
    Mutant("twice-sigmoid", "tanh", P, "2σ(2x) − 1 cancels near 0", formula=lambda x: 2 * plain_sigmoid(2 * x) - 1, narrow=True),
    Mutant("twenty-ulps-off", "tanh", V, "a poor polynomial", formula=lambda x: np.tanh(x) * (1 + 20 * np.finfo(np.float32).eps)),
    Mutant("bounds-ignored", "hard_tanh", V, "always [−1, 1]", prepare=default("hard_tanh", "min_value", "max_value")),
    Mutant("gradient-not-cut", "hard_tanh", G, "the clip has no derivative of its own", derivative=lambda x, **_: np.ones_like(x)),
    Mutant("both-sides-of-a-kink", "hard_tanh", S, "masks that overlap", derivative=lambda x, min_value, max_value: 1.0 * ((x >= min_value) & (x <= max_value)) + (x == max_value)),
    Mutant("nan-swallowed", "relu", S, "max(0, x) by a comparison", formula=lambda x: np.where(x > 0, x, 0)),
    Mutant("relu6", "relu", V, "the neighbour in the list", formula=lambda x: np.clip(x, 0, 6)),
    Mutant("upstream-ignored", "relu", G, "ones for the cotangent", pullback=lambda c, x: {"x": np.where(x > 0, 1.0, 0.0)}),
    Mutant("gradient-divided-by-batch", "relu", G, "a mean that nobody asked for", pullback=spoilt("relu", lambda g, c, **_: g / max(1, g.shape[0] if g.ndim else 2))),
    Mutant("quotient-at-kink", "relu", S, "(x + |x|)/2 differentiated by autograd", derivative=lambda x: (1 + x / np.abs(x)) / 2),
    Mutant("batch-statistics", "relu", P, "centred by the batch", formula=lambda x: np.maximum(x - (x.mean(axis=0, keepdims=True) if x.ndim else 0), 0)),
    Mutant("last-element-dropped", "relu", V, "a loop one too short", formula=lambda x: np.where(np.arange(x.size).reshape(x.shape) == x.size - 1, 0, np.maximum(x, 0)) if x.size > 1 else np.maximum(x, 0)),
    Mutant("slope-10%-off", "leaky_relu", V, "0.011 for 0.01", formula=lambda x, slope: rectified(x, 1.1 * slope)),
    Mutant("slope-in-wrong-branch", "leaky_relu", V, "the condition turned round", formula=lambda x, slope: np.where(x < 0, x, slope * x)),
    Mutant("parameter-in-float16", "leaky_relu", V, "a parameter follows autocast", formula=lambda x, slope: rectified(x, float(np.float16(slope)))),
    Mutant("float32-constant", "leaky_relu", V, "np.float32(slope) in float64 code", formula=lambda x, slope: rectified(x, float(np.float32(slope))), dtype="float64"),
    Mutant("gradient-10%-off", "leaky_relu", G, "value mended, gradient not", derivative=lambda x, slope: np.where(x > 0, 1, 1.1 * slope)),
    Mutant("branches-added-at-kink", "leaky_relu", S, "x ≤ 0 and x ≥ 0 both count", derivative=lambda x, slope: (x >= 0) + slope * (x <= 0)),
    Mutant("wrong-channel", "prelu", V, "slopes in reverse order", formula=lambda x, slope: F["prelu"].formula(x, slope[::-1])),
    Mutant("slopes-along-last-axis", "prelu", V, "broadcasting aligns the last axis", formula=lambda x, slope: rectified(x, slope) if slope.size == x.shape[-1] else F["prelu"].formula(x, slope)),
    Mutant("slope-gradient-unsummed", "prelu", G, "the first element only", pullback=lambda c, x, slope: {**F["prelu"].gradients(c, x=x, slope=slope), "slope": np.broadcast_to((c * np.minimum(x, 0)).reshape(x.shape[0], x.shape[1], -1)[0, :, 0], (x.shape[1],))[: slope.size].reshape(slope.shape)}),
    Mutant("slope-gradient-averaged", "prelu", G, "mean over the batch", pullback=spoilt("prelu", lambda g, c, x, slope: g / x.shape[0], "slope")),
    Mutant("lower-slope", "rrelu", V, "evaluation takes the lower end", formula=lambda x, lower, upper: rectified(x, lower)),
    Mutant("half-the-width", "rrelu", V, "(upper − lower)/2", formula=lambda x, lower, upper: rectified(x, (upper - lower) / 2)),
    Mutant("upper-ignored", "rrelu", V, "1/3 always", prepare=default("rrelu", "upper")),
    Mutant("one-draw-for-all", "rrelu", P, "one slope for the tensor", sampler=leaky(lambda r, shape, lower, upper: np.full(shape, r.uniform(lower, upper))), label="rrelu(training=True)"),
    Mutant("normal-draws", "rrelu", P, "a clipped normal", sampler=leaky(lambda r, shape, lower, upper: np.clip(r.normal((lower + upper) / 2, (upper - lower) / 6, shape), lower, upper)), label="rrelu(training=True)"),
    Mutant("draws-from-zero", "rrelu", P, "U(0, upper)", sampler=leaky(lambda r, shape, lower, upper: r.uniform(0, upper, shape)), label="rrelu(training=True)"),
    Mutant("alpha-inside", "elu", V, "expm1(αx)", formula=lambda x, alpha: np.where(x > 0, x, np.expm1(alpha * np.minimum(x, 0)))),
    Mutant("alpha-ignored", "elu", V, "α = 1 always", prepare=default("elu", "alpha")),
    Mutant("gradient-from-output", "elu", G, "f + 1 for f + α", derivative=lambda x, alpha: np.where(x > 0, 1, alpha * np.expm1(np.minimum(x, 0)) + 1)),
    Mutant("where-times-infinity", "elu", G, "0·∞ in the branch not taken", derivative=lambda x, alpha: (x > 0) * np.ones_like(x) + (x <= 0) * x.dtype.type(alpha) * np.exp(x), narrow=True),
    Mutant("without-minus-one", "elu", P, "αeˣ jumps at 0", formula=lambda x, alpha: np.where(x > 0, x, alpha * np.exp(np.minimum(x, 0)))),
    Mutant("below-its-range", "elu", P, "α counted twice", formula=lambda x, alpha: np.where(x > 0, x, 1.5 * alpha * np.expm1(np.minimum(x, 0)))),
    Mutant("nan-swallowed", "elu", S, "fmin drops NaN", formula=lambda x, alpha: np.where(x > 0, x, alpha * np.expm1(np.fmin(x, 0)))),
    Mutant("groups-interleaved", "maxout", V, "every k-th channel instead of k neighbours", formula=lambda x, groups: x.reshape(x.shape[0], groups, -1, *x.shape[2:]).max(axis=1)),
    Mutant("smallest-of-group", "maxout", V, "min for max", formula=lambda x, groups: x.reshape(x.shape[0], -1, groups, *x.shape[2:]).min(axis=2)),
    Mutant("nan-swallowed", "maxout", S, "fmax drops NaN", formula=lambda x, groups: np.fmax.reduce(x.reshape(x.shape[0], -1, groups, *x.shape[2:]), axis=2)),
    Mutant("groups-ignored", "maxout", V, "pairs always", formula=lambda x, groups: F["maxout"].formula(x, groups=2 if x.shape[1] % 2 == 0 and groups > 1 else groups)),
    Mutant("gradient-to-all", "maxout", G, "each member of the group gets it", pullback=lambda c, x, groups: {"x": np.repeat(c, groups, axis=1)}),
    Mutant("six-forgotten", "relu6", V, "plain ReLU", formula=lambda x: np.maximum(x, 0)),
    Mutant("one-for-six", "relu6", V, "clipped at 1", formula=lambda x: np.clip(x, 0, 1)),
    Mutant("gradient-not-cut", "relu6", G, "the upper clip has no derivative of its own", derivative=lambda x: 1.0 * (x > 0)),
    Mutant("a-fifth-for-a-sixth", "hard_sigmoid", V, "the older slope, 0.2·x + 0.5", formula=lambda x: np.clip(0.2 * x + 0.5, 0, 1)),
    Mutant("tensorflow-clip", "hard_sigmoid", V, "(x + 1)/2, of binarised networks", formula=lambda x: np.clip((x + 1) / 2, 0, 1)),
    Mutant("float32-sixth", "hard_sigmoid", G, "1.0f/6 in float64 code", derivative=lambda x: (np.abs(x) < 3) * float(np.float32(1) / np.float32(6)), dtype="float64"),
    Mutant("infinity-times-zero", "hard_swish", S, "x·relu6(x + 3)/6 at −∞", formula=lambda x: x * np.clip(x + 3, 0, 6) / 6),
    Mutant("gate-alone", "hard_swish", V, "the hard sigmoid", formula=lambda x: np.clip(x + 3, 0, 6) / 6),
    Mutant("gate-not-differentiated", "hard_swish", G, "σ̂(x) without x·σ̂′(x)", derivative=lambda x: np.clip(x + 3, 0, 6) / 6),
    Mutant("soft-for-hard", "hard_shrink", V, "shifted towards 0", formula=lambda x, threshold: np.sign(x) * np.maximum(np.abs(x) - threshold, 0)),
    Mutant("threshold-kept", "hard_shrink", V, "≥ for >", formula=lambda x, threshold: np.where(np.abs(x) < threshold, 0, x)),
    Mutant("threshold-ignored", "hard_shrink", V, "½ always", prepare=default("hard_shrink", "threshold")),
    Mutant("nan-swallowed", "hard_shrink", S, "where(|x| > λ, x, 0)", formula=lambda x, threshold: np.where(np.abs(x) > threshold, x, 0)),
    Mutant("tanh-alone", "tanh_shrink", V, "the shrinkage itself", formula=lambda x: np.tanh(x)),
    Mutant("one-minus-square", "tanh_shrink", G, "the derivative of tanh", derivative=lambda x: 1 - np.tanh(x) ** 2),
    Mutant("turned-round", "tanh_shrink", P, "|x − tanh x|", formula=lambda x: np.abs(x - np.tanh(x))),
    Mutant("threshold-kept", "threshold", V, "≥ for >", formula=lambda x, threshold, value: np.where(x < threshold, value, x)),
    Mutant("value-ignored", "threshold", V, "0 always", prepare=default("threshold", "value")),
    Mutant("arguments-swapped", "threshold", V, "(value, threshold)", prepare=swap("threshold", "value")),
    Mutant("nan-swallowed", "threshold", S, "where(x > θ, x, value)", formula=lambda x, threshold, value: np.where(x > threshold, x, value)),
    Mutant("quarter-forgotten", "sparse_plus", V, "(x + 1)²", formula=lambda x: np.where(x >= 1, x, np.maximum(x + 1, 0) ** 2)),
    Mutant("step-gradient", "sparse_plus", G, "that of ReLU", derivative=lambda x: 1.0 * (x > 0)),
    Mutant("unscaled", "sparse_sigmoid", V, "x + 1, clipped", formula=lambda x: np.clip(x + 1, 0, 1)),
    Mutant("gradient-everywhere", "sparse_sigmoid", G, "½ beyond ±1", derivative=lambda x: np.full_like(x, 0.5)),
    Mutant("softmax", "softmin", V, "the sign forgotten", formula=lambda x, axis: softmax(x, axis)),
    Mutant("no-shift", "softmin", V, "exp overflows", formula=lambda x, axis: naive_softmax(-x, axis), narrow=True),
    Mutant("one-minus-softmax", "softmin", V, "1 − softmax(x)", formula=lambda x, axis: 1 - softmax(x, axis)),
    Mutant("sign-of-gradient", "softmin", G, "the inner derivative −1 forgotten", pullback=spoilt("softmin", lambda g, c, **_: -g)),
    Mutant("halves-swapped", "glu", V, "σ(a)·b", formula=lambda x, axis: (lambda a, b: primitives.sigmoid(a) * b)(*np.split(x, 2, axis))),
    Mutant("interleaved", "glu", V, "pairs of neighbours for halves", formula=lambda x, axis: (lambda y: np.moveaxis(y[..., ::2] * primitives.sigmoid(y[..., 1::2]), -1, axis))(np.moveaxis(x, axis, -1))),
    Mutant("last-axis-always", "glu", V, "the axis forgotten", formula=lambda x, axis: (lambda a, b: a * primitives.sigmoid(b))(*np.split(x, 2, axis)) if x.shape[-1] % 2 else (lambda a, b: a * primitives.sigmoid(b) if axis in (-1, x.ndim - 1) else (a * primitives.sigmoid(b)).reshape(F["glu"](x=x, axis=axis).shape))(*np.split(x, 2, -1))),
    Mutant("gate-without-gradient", "glu", G, "a detached gate", pullback=lambda c, x, axis: {"x": np.concatenate([c * primitives.sigmoid(np.split(x, 2, axis)[1]), 0 * c], axis)}),
    Mutant("nan-swallowed", "glu", S, "NaN taken for 0", formula=lambda x, axis: (lambda a, b: np.nan_to_num(a) * primitives.sigmoid(b))(*np.split(x, 2, axis))),
    Mutant("negative-part-negative", "crelu", V, "min(x, 0) for max(−x, 0)", formula=lambda x, axis: np.concatenate([np.maximum(x, 0), np.minimum(x, 0)], axis)),
    Mutant("negative-part-first", "crelu", V, "the halves in the other order", formula=lambda x, axis: np.concatenate([np.maximum(-x, 0), np.maximum(x, 0)], axis)),
    Mutant("first-half-alone", "crelu", G, "the negative half is detached", pullback=lambda c, x, axis: {"x": np.split(c, 2, axis)[0] * (x > 0)}),
    Mutant("nan-swallowed", "crelu", S, "x > 0 and x < 0, neither true", formula=lambda x, axis: np.concatenate([np.where(x > 0, x, 0), np.where(x < 0, -x, 0)], axis)),
    Mutant("softmax", "sparsemax", V, "the dense one", formula=lambda x, axis: softmax(x, axis)),
    Mutant("sums-of-sums", "sparsemax", V, "Keras 3.15: all cumulative sums of the support for the last", formula=sums_of_sums),
    Mutant("support-not-centred", "sparsemax", G, "τ taken for a constant", pullback=lambda c, x, axis: {"x": c * (F["sparsemax"](x=x, axis=axis) > 0)}),
    Mutant("infinite-support", "sparsemax", S, "no shift: an empty support at the largest number", formula=lambda x, axis: np.where(np.abs(x).max(axis=axis, keepdims=True) > 1e30, np.inf, F["sparsemax"](x=x, axis=axis))),
    Mutant("scaled", "sparsemax", P, "twice too much", formula=lambda x, axis: 2 * F["sparsemax"](x=x, axis=axis)),
    Mutant("hard-for-soft", "soft_shrink", V, "not shifted towards 0", formula=lambda x, threshold: np.where(np.abs(x) > threshold, x, 0)),
    Mutant("sign-forgotten", "soft_shrink", V, "max(|x| − λ, 0)", formula=lambda x, threshold: np.maximum(np.abs(x) - threshold, 0)),
    Mutant("threshold-ignored", "soft_shrink", V, "½ always", prepare=default("soft_shrink", "threshold")),
    Mutant("not-cut", "soft_shrink", G, "ones everywhere", derivative=lambda x, threshold: np.ones_like(x)),
    Mutant("nan-swallowed", "soft_shrink", S, "Keras 3.15: two comparisons, both false", formula=lambda x, threshold: np.where(x > threshold, x - threshold, np.where(x < -threshold, x + threshold, 0))),
    Mutant("positive-side-alone", "soft_shrink", P, "max(x − λ, 0)", formula=lambda x, threshold: np.maximum(x - threshold, 0)),
    Mutant("zero-times-infinity", "thresholded_relu", S, "slope·(x − θ) is 0·∞ without a slope", formula=lambda x, max_value, threshold, slope: np.where(x > threshold, np.minimum(x, max_value), slope * (x - threshold))),
    Mutant("shifted", "thresholded_relu", V, "max(x − θ, 0)", formula=lambda x, max_value, threshold, slope: np.minimum(rectified(x - threshold, slope), max_value)),
    Mutant("slope-from-zero", "thresholded_relu", V, "slope·x for slope·(x − θ)", formula=lambda x, max_value, threshold, slope: np.where(x > threshold, np.minimum(x, max_value), slope * x)),
    Mutant("maximum-ignored", "thresholded_relu", V, "no bound", prepare=default("thresholded_relu", "max_value")),
    Mutant("not-cut", "thresholded_relu", G, "1 above the maximum", derivative=lambda x, max_value, threshold, slope: np.where(x > threshold, 1, slope)),
    Mutant("nan-swallowed", "thresholded_relu", S, "Keras 3.15: where(x > θ, x, 0)", formula=lambda x, max_value, threshold, slope: np.where(x > threshold, np.minimum(x, max_value), 0)),
    Mutant("negative-slope-negated", "thresholded_relu", P, "slope·(θ − x): falls", formula=lambda x, max_value, threshold, slope: np.where(x > threshold, np.minimum(x, max_value), slope * (threshold - x))),
    Mutant("mask-ignored", "masked_softmax", V, "the plain softmax", formula=lambda x, mask, axis: softmax(x, axis)),
    Mutant("masked-afterwards", "masked_softmax", V, "zeroed, not normalised again", formula=lambda x, mask, axis: mask * softmax(x, axis)),
    Mutant("mask-multiplied", "masked_softmax", V, "0 for −∞", formula=lambda x, mask, axis: mask * softmax(x * mask, axis)),
    Mutant("mask-turned-round", "masked_softmax", P, "1 means hidden: rows of nothing", formula=lambda x, mask, axis: np.where(mask > 0.5, 2.0, 0.0) * F["masked_softmax"](x=x, mask=mask, axis=axis)),
    Mutant("gradient-of-the-plain-one", "masked_softmax", G, "through the masked too", pullback=lambda c, x, mask, axis: F["softmax"].gradients(c, x=x, axis=axis)),
    Mutant("axis-one-always", "softmax", V, "the class axis of images", formula=lambda x, axis: softmax(x, 1 if x.ndim > 2 else axis)),
    Mutant("negative-axis", "softmax", V, "−1 is taken for 0", formula=lambda x, axis: softmax(x, max(axis, 0))),
    Mutant("no-shift", "softmax", V, "exp overflows", formula=naive_softmax, narrow=True),
    Mutant("shift-by-mean", "softmax", S, "−∞ − (−∞)", formula=lambda x, axis: naive_softmax(x - x.mean(axis=axis, keepdims=True), axis)),
    Mutant("epsilon-in-denominator", "softmax", V, "1e-7 against division by 0", formula=lambda x, axis: (lambda e: e / (e.sum(axis=axis, keepdims=True) + 1e-7))(np.exp(primitives.shifted(x, axis)[0])), dtype="float64"),
    Mutant("rows-sum-to-less", "softmax", P, "a visible epsilon", formula=lambda x, axis: softmax(x, axis) / 1.0001),
    Mutant("diagonal-jacobian", "softmax", G, "p(1 − p) alone", pullback=lambda c, x, axis: {"x": c * softmax(x, axis) * (1 - softmax(x, axis))}),
    Mutant("nan-to-num", "softmax", S, "NaN hidden", formula=lambda x, axis: np.nan_to_num(softmax(x, axis))),
    Mutant("nan-where-it-begins", "softmax", S, "ONNX Runtime 1.31: a NaN is seen where the row begins", formula=lambda x, axis: (lambda p: np.where(np.isnan(p) | np.isnan(np.take(x, [0], axis)), np.nan, p))(softmax(np.where(np.isnan(x), -np.inf, x), axis))),
    Mutant("no-shift", "gumbel_softmax", V, "exp overflows", formula=lambda x, axis, tau, hard: naive_softmax(x, axis), narrow=True),
    Mutant("divided-by-tau", "gumbel_softmax", V, "the mean of soft draws is no softmax(x/τ) either", formula=lambda x, axis, tau, hard: softmax(x / max(tau, 0.1), axis)),
    Mutant("gaussian-noise", "gumbel_softmax", P, "any noise will do", sampler=gumbel_softmax(noise=lambda r, shape, axis: r.normal(size=shape)), label=SOFT),
    Mutant("minus-the-noise", "gumbel_softmax", P, "log(−log U) for −log(−log U)", sampler=gumbel_softmax(noise=lambda *a: -gumbel(*a)), label=HARD),
    Mutant("one-logarithm", "gumbel_softmax", P, "exponential noise", sampler=gumbel_softmax(noise=lambda r, shape, axis: r.exponential(size=shape)), label=SOFT),
    Mutant("one-noise-for-all", "gumbel_softmax", P, "drawn for a row, then broadcast", sampler=gumbel_softmax(noise=lambda r, shape, axis: np.moveaxis(np.broadcast_to(r.gumbel(size=shape[axis]), np.moveaxis(np.empty(shape), axis, -1).shape), -1, axis)), label=SOFT),
    Mutant("noise-along-the-last-axis", "gumbel_softmax", P, "one for each row, which cancels", sampler=gumbel_softmax(noise=lambda r, shape, axis: np.broadcast_to(r.gumbel(size=tuple(1 if i == axis % len(shape) else n for i, n in enumerate(shape))), shape)), label=HARD),
    Mutant("tau-of-the-noise-alone", "gumbel_softmax", P, "x + g/τ", sampler=gumbel_softmax(soften=lambda x, g, tau, axis: x + g / max(tau, 1e-3)), label=SOFT),
    Mutant("tau-of-the-logits-alone", "gumbel_softmax", P, "x/τ + g", sampler=gumbel_softmax(soften=lambda x, g, tau, axis: x / max(tau, 1e-3) + g), label=HARD),
    Mutant("times-tau", "gumbel_softmax", P, "an inverse temperature", sampler=gumbel_softmax(soften=lambda x, g, tau, axis: (x + g) * tau), label=SOFT),
    Mutant("nan-at-tau-zero", "gumbel_softmax", P, "divided before the shift: ∞ − ∞", sampler=gumbel_softmax(soften=lambda x, g, tau, axis: (x + g) / np.float64(tau)), label=SOFT),
    Mutant("hard-by-threshold", "gumbel_softmax", P, "y > ½: rows without a one", sampler=gumbel_softmax(harden=lambda y, axis: np.where(np.isnan(y), y, y > 0.5)), label=HARD),
    Mutant("hard-left-soft", "gumbel_softmax", P, "hard ignored", sampler=gumbel_softmax(harden=lambda y, axis: y), label=HARD),
    Mutant("nan-is-drawn", "gumbel_softmax", P, "argmax takes NaN for the largest", sampler=gumbel_softmax(harden=lambda y, axis: np.nan_to_num(one_hot_of_largest(y, axis))), label=HARD),
    Mutant("cut-off", "gumbel_softmax", P, "no straight-through: one-hot has no gradient", sampler=gumbel_softmax(gradient=lambda c, y, hard, tau, axis: np.zeros_like(y)), label=HARD),
    Mutant("identity-straight-through", "gumbel_softmax", P, "c as it is, not through the softmax", sampler=gumbel_softmax(gradient=lambda c, y, hard, tau, axis: c / max(tau, 1e-3)), label=HARD),
    Mutant("gradient-without-tau", "gumbel_softmax", P, "the factor 1/τ forgotten", sampler=gumbel_softmax(gradient=lambda c, y, hard, tau, axis: of_the_soft_draw(c, y, hard, 1.0, axis)), label=HARD),
    Mutant("diagonal-jacobian", "gumbel_softmax", P, "y(1 − y) alone", sampler=gumbel_softmax(gradient=lambda c, y, hard, tau, axis: c * y * (1 - y) / tau), label=SOFT),
    Mutant("log-of-softmax", "log_softmax", V, "log 0 where p underflows", formula=lambda x, axis: np.log(softmax(x, axis)), narrow=True),
    Mutant("epsilon-inside-log", "log_softmax", V, "log(p + 1e-7)", formula=lambda x, axis: np.log(softmax(x, axis) + 1e-7)),
    Mutant("gradient-without-sum", "log_softmax", G, "c − p·c", pullback=lambda c, x, axis: {"x": c * (1 - softmax(x, axis))}),
    Mutant("log2", "log_softmax", P, "the other logarithm", formula=lambda x, axis: log_softmax(x, axis) / np.log(2.0)),
    Mutant("minus-infinity-clipped", "log_softmax", S, "finite floors for −∞", formula=lambda x, axis: np.maximum(log_softmax(x, axis), -1e4)),
    Mutant("no-shift", "logsumexp", V, "exp overflows", formula=lambda x, axis: np.log(np.exp(x).sum(axis=axis)), narrow=True),
    Mutant("inf-minus-inf", "logsumexp", S, "max + log Σ exp(x − max) at ∞", formula=lambda x, axis: x.max(axis=axis) + np.log(np.exp(x - x.max(axis=axis, keepdims=True)).sum(axis=axis))),
    Mutant("log-mean-exp", "logsumexp", V, "mean for sum", formula=lambda x, axis: np.squeeze(primitives.logsumexp(x, axis), axis) - np.log(x.dtype.type(x.shape[axis]))),
    Mutant("gradient-of-max", "logsumexp", G, "one-hot for softmax", pullback=lambda c, x, axis: {"x": np.expand_dims(c, axis) * primitives.largest(x, axis)}),
]  # fmt: skip

REGRESSION: list[Mutant] = [
    Mutant("no-abs", "mean_absolute_error", V, "signed error", formula=lambda input, target: input - target),
    Mutant("gradient-sign", "mean_absolute_error", G, "target − input", derivative=lambda input, target: np.sign(target - input)),
    Mutant("target-gradient-same-sign", "mean_absolute_error", G, "both get the input's", pullback=spoilt("mean_absolute_error", lambda g, c, **_: -g, "target")),
    Mutant("mean-over-batch", "mean_absolute_error", R, "divides by the first axis", mean=lambda losses, **_: 1 / losses.dtype.type(losses.shape[0] if losses.ndim else 1), reduction="mean"),
    Mutant("sum-for-mean", "mean_squared_error", R, "size_average=False", prepare=edit(reduction=lambda a: "sum" if a["reduction"] == "mean" else a["reduction"]), reduction="mean"),
    Mutant("default-is-sum", "mean_squared_error", R, "another framework's default", mean=lambda losses, **_: np.ones_like(losses), reduction="default"),
    Mutant("mean-over-last-axis", "mean_squared_error", R, "Keras' mean in torch's place", mean=lambda losses, **_: 1 / losses.dtype.type(losses.shape[-1] if losses.ndim else 1), reduction="mean"),
    Mutant("missing-factor-2", "mean_squared_error", G, "the gradient of ½(x − y)²", derivative=lambda input, target, half: input - target),
    Mutant("half-ignored", "mean_squared_error", V, "½ forgotten", prepare=default("mean_squared_error", "half")),
    Mutant("target-without-factor", "mean_squared_error", G, "only the input's gradient is checked by users", pullback=spoilt("mean_squared_error", lambda g, c, **_: g / 2, "target")),
    Mutant("epsilon-under-root", "mean_squared_error", P, "never 0", formula=lambda input, target, half: (input - target) ** 2 + 1e-8),
    Mutant("relative-error", "mean_squared_error", P, "not symmetric", formula=lambda input, target, half: ((input - target) / (1 + np.abs(target))) ** 2),
    Mutant("weights-ignored", "mean_squared_error", R, "sample_weight dropped", prepare=lambda a: a | {"sample_weight": None}, label="mean_squared_error(rows)", reduction="sum"),
    Mutant("divides-by-count", "mean_squared_error", R, "Σw·ℓ/n for Σw·ℓ/Σw", prepare=edit(reduction=lambda a: "mean"), label="mean_squared_error(rows)", reduction="weighted_mean"),
    Mutant("divides-by-one-less", "mean_squared_error", R, "the unbiased n − 1", mean=lambda losses, **_: 1 / losses.dtype.type(max(1, losses.size - 1)), reduction="mean"),
    Mutant("zero-weights-counted", "mean_absolute_error", R, "all weights are taken for nonzero", prepare=edit(reduction=lambda a: "mean"), label="mean_absolute_error(rows)", reduction="nonzero_mean"),
    Mutant("divides-by-weights", "mean_squared_error", R, "Σw for n", prepare=edit(reduction=lambda a: "weighted_mean"), label="mean_squared_error(rows)", reduction="mean"),
    Mutant("delta-squared", "huber", V, "δ(a − ½)", formula=lambda input, target, delta: np.where(np.abs(input - target) <= delta, 0.5 * (input - target) ** 2, delta * (np.abs(input - target) - 0.5))),
    Mutant("smooth-l1-for-huber", "huber", V, "a factor δ apart", formula=lambda input, target, delta: F["smooth_l1"](input=input, target=target, beta=delta)),
    Mutant("clipped-at-one", "huber", G, "δ forgotten in the gradient", derivative=lambda input, target, delta: np.clip(input - target, -1, 1)),
    Mutant("jump-at-joint", "huber", P, "δ off in one branch", derivative=lambda input, target, delta: np.where(np.abs(input - target) < delta, input - target, 1.1 * delta * np.sign(input - target))),
    Mutant("delta-in-float16", "huber", V, "a threshold that follows autocast", prepare=edit(delta=lambda a: float(np.float16(a["delta"])))),
    Mutant("huber-for-smooth-l1", "smooth_l1", V, "not divided by β", formula=lambda input, target, beta: F["huber"](input=input, target=target, delta=beta) if beta else np.abs(input - target)),
    Mutant("zero-over-zero", "smooth_l1", G, "β = 0 at agreement", derivative=lambda input, target, beta: np.clip((input - target) / input.dtype.type(beta), -1, 1)),
    Mutant("missing-half", "smooth_l1", V, "a − β", formula=lambda input, target, beta: F["smooth_l1"](input=input, target=target, beta=beta) - np.where(np.abs(input - target) < beta, 0, beta / 2)),
    Mutant("stirling-missing", "poisson_nll", V, "full ignored", prepare=default("poisson_nll", "full")),
    Mutant("stirling-from-one", "poisson_nll", V, "y ≥ 1 for y > 1", formula=lambda input, target, **p: F["poisson_nll"](input=input, target=target, **p) + np.where((target == 1) & p["full"], 0.5 * np.log(2 * np.pi) - 1, 0)),
    Mutant("log-input-ignored", "poisson_nll", V, "always eˣ", prepare=default("poisson_nll", "log_input")),
    Mutant("eps-ignored", "poisson_nll", V, "log x", prepare=edit(eps=lambda a: 0.0)),
    Mutant("gradient-without-target", "poisson_nll", G, "eˣ alone", derivative=lambda input, target, **p: np.exp(input) if p["log_input"] else np.ones_like(input)),
    Mutant("eps-added", "gaussian_nll", V, "v + eps for max(v, eps)", prepare=edit(var=lambda a: a["var"] + a["eps"])),
    Mutant("full-ignored", "gaussian_nll", V, "the constant dropped", prepare=default("gaussian_nll", "full")),
    Mutant("standard-deviation", "gaussian_nll", V, "σ for σ²", prepare=edit(var=lambda a: a["var"] ** 2)),
    Mutant("variance-detached", "gaussian_nll", G, "the variance is a constant", pullback=spoilt("gaussian_nll", lambda g, c, **_: 0 * g, "var")),
    Mutant("cosh-overflows", "log_cosh", V, "log(cosh x)", formula=lambda input, target: np.log(np.cosh(input - target)), narrow=True),
    Mutant("without-log-2", "log_cosh", V, "a + softplus(−2a)", formula=lambda input, target: np.abs(input - target) + softplus(-2 * np.abs(input - target))),
    Mutant("fraction", "mean_absolute_percentage_error", V, "not in percent", formula=lambda input, target, epsilon: F["mean_absolute_percentage_error"](input=input, target=target, epsilon=epsilon) / 100),
    Mutant("of-the-prediction", "mean_absolute_percentage_error", V, "divided by the prediction", prepare=swap("input", "target")),
    Mutant("divisor-constant", "mean_absolute_percentage_error", G, "the divisor is not differentiated", pullback=spoilt("mean_absolute_percentage_error", lambda g, c, **a: -F["mean_absolute_percentage_error"].gradients(c, **a)["input"], "target")),
    Mutant("not-halved", "l2_loss", V, "x²", formula=lambda input: input**2),
    Mutant("norm", "l2_loss", V, "the length for its square", formula=lambda input: np.abs(input)),
    Mutant("gradient-of-the-square", "l2_loss", G, "2x", derivative=lambda input: 2 * input),
    Mutant("without-one", "mean_squared_logarithmic_error", V, "log x − log y", formula=lambda input, target, epsilon: np.log(np.maximum(input, epsilon) / np.maximum(target, epsilon)) ** 2),
    Mutant("not-squared", "mean_squared_logarithmic_error", V, "the absolute difference", formula=lambda input, target, epsilon: np.abs(rooms._log1p_difference(input, target, epsilon))),
    Mutant("gradient-without-one", "mean_squared_logarithmic_error", G, "1/x for 1/(1 + x)", derivative=lambda input, target, epsilon: 2 * rooms._log1p_difference(input, target, epsilon) / np.maximum(input, epsilon)),
]  # fmt: skip

BCE = "binary_cross_entropy"
BCEL = "binary_cross_entropy_with_logits"

TWO_CLASSES: list[Mutant] = [
    Mutant("weight-ignored", BCE, V, "weight dropped", prepare=without("weight")),
    Mutant("clipped-at-1e-7", BCE, V, "Keras' clip", prepare=edit(clip=lambda a: (1e-7, 1 - 1e-7))),
    Mutant("epsilon-inside-log", BCE, V, "log(p + 1e-7)", prepare=edit(epsilon=lambda a: 1e-7)),
    Mutant("epsilon-1e-12", BCE, V, "log(p + 1e-12): finite at 0", prepare=edit(epsilon=lambda a: 1e-12)),
    Mutant("arguments-swapped", BCE, V, "target first", prepare=swap("input", "target")),
    Mutant("one-term", BCE, V, "the term of y = 0 missing", formula=bce_of(lambda y, p: -times(y, np.log(p)))),
    Mutant("zero-times-infinity", BCE, V, "0·log 0 = NaN", formula=bce_of(lambda y, p: -y * np.log(p) - (1 - y) * np.log1p(-p))),
    Mutant("smoothing-not-halved", BCE, V, "y(1 − s) + s", prepare=lambda a: a | {"label_smoothing": 0.0, "target": smooth(a["target"], a["label_smoothing"], 1 - a["label_smoothing"])}),
    Mutant("gradient-of-logits", BCE, G, "p − y", pullback=spoilt(BCE, lambda g, c, input, target, weight=None, **_: c * (input - target) * (1 if weight is None else weight), "input")),
    Mutant("gradient-passes-clip", BCE, G, "straight through the clip", pullback=lambda c, input, target, **a: F[BCE].gradients(c, input=np.clip(input, 1e-3, 1 - 1e-3), target=target, **a), label=f"{BCE}(clip=(0.001, 0.999))"),
    Mutant("nan-clipped", BCE, S, "fmax drops NaN", formula=lambda input, target, weight=None, **p: F[BCE](input=np.fmin(np.fmax(input, 0), 1), target=target, weight=weight, **p)),
    Mutant("smoothing-not-in-gradient", BCE, G, "y unsmoothed", pullback=lambda c, label_smoothing, **a: F[BCE].gradients(c, label_smoothing=0.0, **a)),
    Mutant("divides-by-weights", BCE, R, "Σw for n", mean=lambda losses, weight=None, **_: 1 / (losses.dtype.type(losses.size) if weight is None else weight.sum()), reduction="mean"),
    Mutant("log-of-sigmoid", BCEL, V, "log 0", formula=bcel_of(lambda x: -np.log(primitives.sigmoid(x))), narrow=True),
    Mutant("exp-overflow", BCEL, V, "log(1 + eˣ)", formula=bcel_of(lambda x: np.log(1 + np.exp(-x))), narrow=True),
    Mutant("pos-weight-ignored", BCEL, V, "pos_weight dropped", prepare=without("pos_weight")),
    Mutant("pos-weight-on-negatives", BCEL, V, "the other term", formula=lambda input, target, weight=None, pos_weight=None, **p: F[BCEL](input=-input, target=1 - target, weight=weight, pos_weight=pos_weight, **p)),
    Mutant("weight-squared", BCEL, V, "applied twice", prepare=edit(weight=lambda a: None if a.get("weight") is None else a["weight"] ** 2)),
    Mutant("smoothing-unscaled", BCEL, V, "y + s/2", prepare=lambda a: a | {"label_smoothing": 0.0, "target": smooth(a["target"], a["label_smoothing"] / 2, 1.0)}),
    Mutant("pos-weight-not-in-gradient", BCEL, G, "σ − y", pullback=lambda c, pos_weight=None, **a: F[BCEL].gradients(c, pos_weight=None, **a)),
    Mutant("chain-rule-twice", BCEL, G, "times σ(1 − σ)", pullback=spoilt(BCEL, lambda g, c, input, **_: g * primitives.sigmoid(input) * primitives.sigmoid(-input), "input")),
    Mutant("probabilities-for-logits", BCEL, P, "no sigmoid", formula=bcel_of(lambda x: -np.log(np.clip(x, 1e-3, 1)))),
    Mutant("bits-unconverted", "hinge", V, "0 is not −1", prepare=edit(labels=lambda a: "sign"), label="hinge(labels='bit')"),
    Mutant("squared", "hinge", V, "the neighbour in the list", formula=lambda input, target, labels: np.maximum(1 - rooms._signs(target, labels) * input, 0) ** 2),
    Mutant("no-margin", "hinge", V, "max(0, −yx)", formula=lambda input, target, labels: np.maximum(-rooms._signs(target, labels) * input, 0)),
    Mutant("arguments-swapped", "hinge", V, "the conversion of labels hits the prediction", prepare=swap("input", "target"), label="hinge(labels='bit')"),
    Mutant("gradient-everywhere", "hinge", G, "not cut where the loss is 0", derivative=lambda input, target, labels: -rooms._signs(target, labels)),
    Mutant("slope-at-kink", "hinge", S, "−2y where both branches meet", derivative=lambda input, target, labels: -rooms._signs(target, labels) * ((target * input < 1) + 2.0 * (target * input == 1))),
    Mutant("negative", "hinge", P, "max forgotten", formula=lambda input, target, labels: 1 - rooms._signs(target, labels) * input),
    Mutant("relu-on-positive", "hinge_embedding", V, "max(0, x) where y = 1", formula=lambda input, target, margin: np.where(target == 1, np.maximum(input, 0), np.maximum(margin - input, 0))),
    Mutant("margin-ignored", "hinge_embedding", V, "margin 1 always", prepare=default("hinge_embedding", "margin")),
    Mutant("gradient-ignores-target", "hinge_embedding", G, "1 in both branches", derivative=lambda input, target, margin: np.where(target == 1, 1.0, input < margin)),
    Mutant("wrong-sign", "soft_margin", V, "log(1 + e^(yx))", formula=lambda input, target: softplus(target * input)),
    Mutant("exp-overflow", "soft_margin", V, "log(1 + e^z)", formula=lambda input, target: np.log(1 + np.exp(-target * input)), narrow=True),
    Mutant("log1p-exp", "soft_margin", S, "∞ at the largest numbers", formula=lambda input, target: np.log1p(np.exp(-target * input)), narrow=True),
    Mutant("gradient-without-target", "soft_margin", G, "the inner derivative missing", derivative=lambda input, target: -primitives.sigmoid(-target * input)),
    Mutant("margin-sign", "margin_ranking", V, "− margin", prepare=edit(margin=lambda a: -a["margin"])),
    Mutant("inputs-swapped", "margin_ranking", V, "x₂ − x₁", prepare=swap("input1", "input2")),
    Mutant("margin-outside", "margin_ranking", V, "max(0, z) + margin", formula=lambda input1, input2, target, margin: np.maximum(-target * (input1 - input2), 0) + margin),
    Mutant("second-gradient-same-sign", "margin_ranking", G, "copied from the first", pullback=spoilt("margin_ranking", lambda g, c, **_: -g, "input2")),
    Mutant("not-squared", "squared_hinge", V, "the hinge", formula=F["hinge"].formula),
    Mutant("square-of-the-margin", "squared_hinge", V, "max forgotten", formula=lambda input, target, labels: (1 - rooms._signs(target, labels) * input) ** 2),
    Mutant("half-gradient", "squared_hinge", G, "the 2 forgotten", derivative=lambda input, target, labels: -rooms._signs(target, labels) * F["hinge"](input=input, target=target, labels=labels)),
]  # fmt: skip

CE = "cross_entropy"
CCE = "categorical_cross_entropy"
KL = "kl_divergence"

MANY_CLASSES: list[Mutant] = [
    Mutant("weight-ignored", CE, V, "weight dropped", prepare=without("weight")),
    Mutant("ignore-index-ignored", CE, V, "clamped to a class", prepare=lambda a: a | ({"target": np.clip(a["target"], 0, a["input"].shape[1] - 1), "ignore_index": -1000} if a["target"].dtype.kind == "i" else {})),
    Mutant("ignored-counted", CE, R, "divides by all samples", mean=lambda losses, **_: 1 / losses.dtype.type(losses.size), reduction="mean"),
    Mutant("wrong-denominator", CE, R, "the count of samples for Σw", mean=lambda losses, target, **p: counted_mean(losses, target, p["ignore_index"]) if target.dtype.kind == "i" else 1 / losses.dtype.type(losses.size), reduction="mean"),
    Mutant("log-of-softmax", CE, V, "log 0", formula=ce_of(lambda x: np.log(softmax(x, 1))), narrow=True),
    Mutant("no-shift", CE, V, "logsumexp overflows", formula=ce_of(lambda x: x - np.log(np.exp(x).sum(axis=1, keepdims=True))), narrow=True),
    Mutant("last-axis", CE, V, "softmax over the last axis of (N, C, *K)", formula=ce_of(lambda x: log_softmax(x, -1))),
    Mutant("smoothing-c-minus-1", CE, V, "s/(C − 1) for the others", formula=smoothed_ce(lambda y, s, c: y * (1 - s) + (1 - y) * s / (c - 1))),
    Mutant("smoothing-unscaled", CE, V, "y + s/C", formula=smoothed_ce(lambda y, s, c: y + s / c)),
    Mutant("arguments-swapped", CE, V, "target first, as in tf", prepare=lambda a: a | ({"input": a["target"], "target": a["input"]} if a["target"].dtype.kind == "f" else {})),
    Mutant("weight-not-in-gradient", CE, G, "softmax − one-hot", pullback=lambda c, weight=None, **a: F[CE].gradients(c, weight=None, **a)),
    Mutant("ignored-in-gradient", CE, G, "ignored samples pull towards a class", pullback=lambda c, target, ignore_index, **a: F[CE].gradients(c, target=np.clip(target, 0, a["input"].shape[1] - 1) if target.dtype.kind == "i" else target, ignore_index=-1000, **a)),
    Mutant("gradient-without-one-hot", CE, P, "softmax alone", pullback=spoilt(CE, lambda g, c, input, **_: np.expand_dims(c, 1) * softmax(input, 1), "input")),
    Mutant("not-shift-invariant", CE, P, "logits regularised", formula=lambda input, target, weight=None, **p: F[CE](input=input, target=target, weight=weight, **p) + 1e-2 * np.abs(input).mean(axis=1)),
    Mutant("index-clamped", CE, I, "out of range becomes the last class", prepare=lambda a: a | ({"target": np.clip(a["target"], 0, a["input"].shape[1] - 1)} if a["target"].dtype.kind == "i" else {}), checked=False),
    Mutant("unknown-reduction-is-mean", CE, I, "a silent default", prepare=edit(reduction=lambda a: a["reduction"] if a["reduction"] in ("none", "sum") else "mean")),
    Mutant("index-one-hot", CE, I, "a row of zeros for an index out of range", checked=False),
    Mutant("log-again", "nll", V, "log-probabilities logged", formula=lambda input, target, weight=None, **p: F["nll"](input=log_softmax(input, 1), target=target, weight=weight, **p) * (1 + 1e-4)),
    Mutant("sign-missing", "nll", V, "the log-likelihood", formula=lambda input, target, weight=None, **p: -F["nll"](input=input, target=target, weight=weight, **p)),
    Mutant("weight-ignored", "nll", V, "weight dropped", prepare=without("weight")),
    Mutant("weight-not-in-mean", "nll", R, "n for Σw", mean=lambda losses, target, **p: counted_mean(losses, target, p["ignore_index"]), reduction="mean"),
    Mutant("ignored-counted", "nll", R, "divides by all samples", mean=lambda losses, target, weight=None, **p: 1 / along(weight, 1, 0, losses.dtype)[np.clip(target, 0, None) if weight is not None else np.zeros_like(target)].sum(dtype=losses.dtype), reduction="mean"),
    Mutant("index-wraps", "nll", I, "Python's negative index", prepare=edit(target=lambda a: np.where(a["target"] == a["ignore_index"], a["target"], a["target"] % a["input"].shape[1])), checked=False),
    Mutant("gradient-dense", "nll", G, "every class gets it", pullback=spoilt("nll", lambda g, c, input, **_: np.broadcast_to(g.sum(axis=1, keepdims=True), g.shape), "input")),
    Mutant("batch-mixed", "nll", P, "the target of the neighbour", prepare=edit(target=lambda a: np.roll(a["target"], 1, axis=0))),
    Mutant("epsilon-inside-log", CCE, V, "log(p + 1e-7)", prepare=edit(input=lambda a: a["input"] + 1e-7)),
    Mutant("clipped-at-1e-7", CCE, V, "Keras' clip", prepare=edit(clip=lambda a: (1e-7, 1 - 1e-7))),
    Mutant("arguments-swapped", CCE, V, "y_pred first", prepare=lambda a: a | ({"input": a["target"], "target": a["input"]} if a["target"].dtype.kind == "f" else {})),
    Mutant("base-2", CCE, V, "bits", formula=lambda input, target, weight=None, **p: F[CCE](input=input, target=target, weight=weight, **p) / np.log(2.0)),
    Mutant("most-likely-class", CCE, V, "argmax of the target", prepare=lambda a: a | ({"target": np.argmax(a["target"], axis=1)} if a["target"].dtype.kind == "f" else {})),
    Mutant("normalised", CCE, G, "the sum of p differentiated too", pullback=lambda c, normalize, **a: F[CCE].gradients(c, normalize=True, **a)),
    Mutant("arguments-swapped", KL, V, "KL(q‖p)", formula=lambda input, target, log_target, **_: times(np.exp(input), input - (target if log_target else np.log(target)))),
    Mutant("entropy-missing", KL, V, "−y·x", formula=lambda input, target, log_target, **_: -times(np.exp(target) if log_target else target, input)),
    Mutant("log-target-ignored", KL, V, "log-targets taken for probabilities", prepare=default(KL, "log_target")),
    Mutant("zero-log-zero", KL, V, "0·log 0 = NaN", formula=lambda input, target, log_target, **_: np.exp(target) * (target - input) if log_target else target * (np.log(target) - input)),
    Mutant("mean-for-batchmean", KL, R, "all elements for the batch", prepare=edit(reduction=lambda a: "mean"), reduction="batchmean"),
    Mutant("batchmean-for-mean", KL, R, "the batch for all elements", prepare=edit(reduction=lambda a: "batchmean"), reduction="mean"),
    Mutant("target-gradient", KL, G, "log y − x without the 1", pullback=spoilt(KL, lambda g, c, input, target, log_target, **_: c * (target - input) * np.exp(target) if log_target else c * (np.log(target) - input), "target")),
    Mutant("own-class-included", "multi_margin", V, "margin/C too much", formula=lambda input, target, weight=None, **p: F["multi_margin"](input=input, target=target, weight=weight, **p) + max(p["margin"], 0) ** p["p"] / input.shape[1]),
    Mutant("p-ignored", "multi_margin", V, "p = 1", prepare=default("multi_margin", "p")),
    Mutant("not-divided", "multi_margin", V, "Σ for Σ/C", formula=lambda input, target, weight=None, **p: F["multi_margin"](input=input, target=target, weight=weight, **p) * input.shape[1]),
    Mutant("weight-of-others", "multi_margin", V, "w of the other class", formula=lambda input, target, weight=None, p=1, margin=1.0: times(along(weight, 2, 1, input.dtype), rooms._multi_margin_terms(input, target, None, margin)[0](1) ** p).sum(axis=1) / input.shape[1]),
    Mutant("no-gradient-for-own-class", "multi_margin", G, "x_y treated as constant", pullback=spoilt("multi_margin", lambda g, c, input, target, **_: g * (1 - one_hot(target, input.shape[1], 1, input.dtype)), "input")),
    Mutant("index-clamped", "multi_margin", I, "out of range becomes the last class", prepare=edit(target=lambda a: np.clip(a["target"], 0, a["input"].shape[1] - 1)), checked=False),
    Mutant("does-not-stop", "multilabel_margin", V, "reads on after −1", prepare=edit(target=lambda a: np.take_along_axis(a["target"], np.argsort(a["target"] < 0, axis=1, kind="stable"), 1))),
    Mutant("members-compared", "multilabel_margin", V, "targets against targets", formula=lambda input, target: F["multilabel_margin"](input=input, target=target) + (np.cumprod(target >= 0, axis=1).sum(axis=1)) ** 2 / input.shape[1]),
    Mutant("counts-listed-once", "multilabel_margin", G, "only the first target is pulled", pullback=lambda c, input, target: F["multilabel_margin"].gradients(c, input=input, target=np.where(np.arange(target.shape[1]) < 1, target, -1))),
    Mutant("sum-over-classes", "multilabel_soft_margin", V, "Σ for Σ/C", formula=lambda input, target, weight=None: F["multilabel_soft_margin"](input=input, target=target, weight=weight) * input.shape[1]),
    Mutant("weight-ignored", "multilabel_soft_margin", V, "weight dropped", prepare=without("weight")),
    Mutant("log-of-sigmoid", "multilabel_soft_margin", V, "log 0", formula=lambda input, target, weight=None: -(along(weight, 2, 1, input.dtype) * (times(target, np.log(plain_sigmoid(input))) + times(1 - target, np.log(1 - plain_sigmoid(input))))).sum(axis=1) / input.shape[1], narrow=True),
    Mutant("mean-over-all", "multilabel_soft_margin", R, "C divided out twice", mean=lambda losses, input, **_: 1 / losses.dtype.type(input.size), reduction="mean"),
]  # fmt: skip

CE_LABEL = "cosine_embedding"
TM = "triplet_margin"

EMBEDDINGS: list[Mutant] = [
    Mutant("not-normalised", CE_LABEL, V, "the dot product", formula=lambda input1, input2, target, margin, epsilon: np.where(target == 1, 1 - (input1 * input2).sum(axis=-1), np.maximum((input1 * input2).sum(axis=-1) - margin, 0))),
    Mutant("margin-for-positives", CE_LABEL, V, "the margin in both branches", formula=lambda input1, input2, target, margin, epsilon: np.where(target == 1, np.maximum(1 - cosine(input1, input2) - margin, 0), np.maximum(cosine(input1, input2) - margin, 0))),
    Mutant("margin-sign", CE_LABEL, V, "+ margin", prepare=edit(margin=lambda a: -a["margin"])),
    Mutant("targets-swapped", CE_LABEL, V, "1 means apart", prepare=edit(target=lambda a: -a["target"])),
    Mutant("float32-norms", CE_LABEL, V, "float32 inside float64 code", formula=at_float32("cosine_embedding"), dtype="float64"),
    Mutant("norms-constant", CE_LABEL, G, "no gradient through the norms", pullback=lambda c, input1, input2, target, margin, epsilon: {n: np.expand_dims(c * np.where(target == 1, -1, cosine(input1, input2) > margin), -1) * other / (np.linalg.norm(input1.astype(float), axis=-1, keepdims=True) * np.linalg.norm(input2.astype(float), axis=-1, keepdims=True)) for n, other in (("input1", input2), ("input2", input1))}),
    Mutant("negative", CE_LABEL, P, "max forgotten", formula=lambda input1, input2, target, margin, epsilon: np.where(target == 1, 1 - cosine(input1, input2), cosine(input1, input2) - margin)),
    Mutant("p-ignored", TM, V, "the Euclidean distance always", prepare=default(TM, "p")),
    Mutant("swap-ignored", TM, V, "swap dropped", prepare=default(TM, "swap")),
    Mutant("eps-dropped", TM, V, "‖x − y‖", prepare=edit(eps=lambda a: 0.0)),
    Mutant("distances-squared", TM, V, "FaceNet's form", formula=lambda anchor, positive, negative, margin, p, swap, eps: triplet(norm(anchor - positive + eps) ** 2, norm(anchor - negative + eps) ** 2, margin)),
    Mutant("margin-sign", TM, V, "− margin", prepare=edit(margin=lambda a: -a["margin"])),
    Mutant("swapped-to-larger", TM, V, "max for min", formula=lambda anchor, positive, negative, margin, p, swap, eps: triplet(norm(anchor - positive + eps, p), np.maximum(norm(anchor - negative + eps, p), norm(positive - negative + eps, p)) if swap else norm(anchor - negative + eps, p), margin)),
    Mutant("gradient-of-p-2", TM, G, "p ignored in the gradient", pullback=lambda c, p, **a: F[TM].gradients(c, p=2.0, **a)),
    Mutant("no-anchor-from-negative", TM, G, "the anchor feels the positive only", pullback=spoilt(TM, lambda g, c, **a: -F[TM].gradients(c, **a)["positive"], "anchor")),
    Mutant("over-wrong-axis", TM, V, "the norm over the batch", formula=lambda anchor, positive, negative, margin, p, swap, eps: np.broadcast_to(triplet(norm((anchor - positive + eps).T, p), norm((anchor - negative + eps).T, p), margin)[:1], anchor.shape[:1])),
    Mutant("not-normalised", "cosine_similarity", V, "the dot product", formula=lambda input1, input2, axis, eps, negated: (input1 * input2).sum(axis=axis)),
    Mutant("norms-constant", "cosine_similarity", G, "no gradient through the norms", pullback=lambda c, input1, input2, axis, eps, negated: {n: np.expand_dims(c, axis) * b / np.maximum(np.linalg.norm(a.astype(float), axis=axis, keepdims=True), eps) / np.maximum(np.linalg.norm(b.astype(float), axis=axis, keepdims=True), eps) for n, a, b in (("input1", input1, input2), ("input2", input2, input1))}),
    Mutant("without-one", "cosine_distance", V, "−x·y", formula=lambda input, target, axis: -(input * target).sum(axis=axis, keepdims=True)),
    Mutant("normalises", "cosine_distance", V, "vectors are normalised once more", formula=lambda input, target, axis: 1 - np.expand_dims(F["cosine_similarity"](input1=input, input2=target, axis=axis, eps=1e-12), axis)),
    Mutant("not-negative", "cosine_distance", G, "the gradient of x·y", pullback=spoilt("cosine_distance", lambda g, c, **_: -g)),
    Mutant("p-ignored", "pairwise_distance", V, "the Euclidean distance always", prepare=default("pairwise_distance", "p")),
    Mutant("squared", "pairwise_distance", V, "the root forgotten", formula=lambda input1, input2, p, eps, keepdim: F["pairwise_distance"](input1=input1, input2=input2, p=p, eps=eps, keepdim=keepdim) ** p),
    Mutant("gradient-of-p-2", "pairwise_distance", G, "p ignored in the gradient", pullback=lambda c, p, **a: F["pairwise_distance"].gradients(c, p=2.0, **a)),
    Mutant("negatives-averaged", "triplet_margin_with_distance", V, "one distance to the mean of the negatives", formula=lambda anchor, positive, negative, margin, swap, p, eps: triplet(norm(anchor - positive + eps, p), norm(anchor - negative.mean(axis=0) + eps, p), margin)),
    Mutant("swap-ignored", "triplet_margin_with_distance", V, "swap dropped", prepare=default("triplet_margin_with_distance", "swap")),
    Mutant("no-anchor-from-negative", "triplet_margin_with_distance", G, "the anchor feels the positive only", pullback=spoilt("triplet_margin_with_distance", lambda g, c, **a: -F["triplet_margin_with_distance"].gradients(c, **a)["positive"], "anchor")),
    Mutant("all-pairs-of-a-batch", "mean_pairwise_squared_error", V, "pairs across samples", formula=lambda input, target: np.broadcast_to(rooms.mean_pairwise_squared_error.formula(input.reshape(1, -1), target.reshape(1, -1)), input.shape[:1])),
    Mutant("ordered-pairs", "mean_pairwise_squared_error", V, "every pair twice, divided once", formula=lambda input, target: 2 * F["mean_pairwise_squared_error"](input=input, target=target)),
    Mutant("elements", "mean_pairwise_squared_error", G, "the gradient of the mean of squares", pullback=lambda c, input, target: {"input": 2 * c.reshape(-1, *[1] * (input.ndim - 1)) * (input - target), "target": 2 * c.reshape(-1, *[1] * (input.ndim - 1)) * (target - input)}),
]  # fmt: skip

SEQUENCES: list[Mutant] = [
    Mutant("blank-last", "ctc", V, "Keras' blank", prepare=edit(blank=lambda a: a["log_probs"].shape[2] - 1)),
    Mutant("blank-ignored", "ctc", V, "blank 0 always", prepare=default("ctc", "blank")),
    Mutant("repeats-without-blank", "ctc", V, "equal neighbours need no blank", formula=ctc_with(skipping_everywhere)),
    Mutant("lengths-not-in-mean", "ctc", R, "the plain mean", mean=lambda losses, **_: 1 / losses.dtype.type(losses.size), reduction="mean"),
    Mutant("zero-infinity-ignored", "ctc", V, "zero_infinity dropped", prepare=default("ctc", "zero_infinity")),
    Mutant("input-lengths-ignored", "ctc", V, "padding is read", formula=ctc_with(rooms._ctc_states, input_lengths=lambda x, **a: np.full_like(a["input_lengths"], len(x)))),
    Mutant("target-lengths-ignored", "ctc", V, "padding of the labels is read", formula=ctc_with(rooms._ctc_states, target_lengths=lambda x, **a: np.minimum(a["targets"].shape[1], (a["input_lengths"] - 1) // 2))),
    Mutant("gradient-with-softmax", "ctc", G, "cuDNN's: with respect to logits", pullback=lambda c, from_logits, **a: F["ctc"].gradients(c, from_logits=True, **a)),
    Mutant("gradient-past-the-end", "ctc", G, "padding gets a gradient", pullback=spoilt("ctc", lambda g, c, **_: np.where(g == 0, -1e-3, g))),
]  # fmt: skip

GATED: list[Mutant] = [
    Mutant("tanh-for-erf", "gelu", V, "the approximation for the function", prepare=edit(approximate=lambda a: "tanh")),
    Mutant("quick", "gelu", V, "x·σ(1.702x)", formula=lambda x, approximate: x * primitives.sigmoid(1.702 * x)),
    Mutant("gate-alone", "gelu", G, "Φ(x) without x·φ(x)", derivative=lambda x, approximate: F["gelu"](x=x, approximate=approximate) / np.where(x == 0, 1, x) + (x == 0) / 2),
    Mutant("minus-infinity-times-zero", "gelu", S, "−∞·0 at −∞", formula=lambda x, approximate: np.where(x == -np.inf, x * 0, F["gelu"](x=x, approximate=approximate))),
    Mutant("hard-swish", "silu", V, "a faster approximation", formula=lambda x, beta: x * np.clip(x / 6 + 0.5, 0, 1)),
    Mutant("gate-alone", "silu", G, "σ(x) without x·σ′(x)", derivative=lambda x, beta: primitives.sigmoid(x)),
    Mutant("minus-infinity-over-infinity", "silu", S, "x/(1 + e⁻ˣ) at −∞", formula=lambda x, beta: x / (1 + np.exp(-x))),
    Mutant("below-its-minimum", "silu", P, "β = ½ in front of x only", formula=lambda x, beta: x * primitives.sigmoid(x / 2)),
    Mutant("no-log1p", "mish", V, "log(1 + eˣ)", formula=lambda x: x * np.tanh(np.log(1 + np.exp(x))), narrow=True, dtype="float16"),
    Mutant("tanh-alone", "mish", G, "the gate taken for a constant", derivative=lambda x: np.tanh(softplus(x))),
    Mutant("no-log1p", "softplus", V, "log(1 + eˣ)", formula=lambda x, beta, threshold: np.where(beta * x > threshold, x, np.log(1 + np.exp(beta * x)) / beta), narrow=True),
    Mutant("not-divided", "softplus", V, "β inside only", formula=lambda x, beta, threshold: np.where(beta * x > threshold, x, softplus(beta * x))),
    Mutant("threshold-ignored", "softplus", V, "smooth everywhere", prepare=edit(threshold=lambda a: np.inf)),
    Mutant("sigmoid-of-x", "softplus", G, "σ(x) for σ(βx)", derivative=lambda x, beta, threshold: np.where(beta * x > threshold, 1, primitives.sigmoid(x))),
    Mutant("log-of-sigmoid", "log_sigmoid", V, "log 0", formula=lambda x: np.log(plain_sigmoid(x)), narrow=True),
    Mutant("sigmoid-itself", "log_sigmoid", G, "σ(x) for σ(−x)", derivative=lambda x: primitives.sigmoid(x)),
    Mutant("above-zero", "log_sigmoid", P, "the softplus of x", formula=lambda x: softplus(x)),
    Mutant("scale-forgotten", "selu", V, "ELU with α", formula=lambda x: F["elu"](x=x, alpha=1.6732632423543772)),
    Mutant("two-decimals", "selu", V, "constants rounded", formula=lambda x: 1.05 * F["elu"](x=x, alpha=1.67)),
    Mutant("alpha-forgotten", "selu", G, "λ·eˣ below 0", derivative=lambda x: 1.0507009873554805 * np.exp(np.minimum(x, 0))),
    Mutant("elu", "celu", V, "α(eˣ − 1)", formula=lambda x, alpha: F["elu"](x=x, alpha=alpha)),
    Mutant("slope-of-elu", "celu", G, "α·e^(x/α)", derivative=lambda x, alpha: np.where(x > 0, 1, alpha * np.exp(np.minimum(x, 0) / alpha))),
    Mutant("square", "softsign", V, "x/(1 + x²)", formula=lambda x: x / (1 + x * x)),
    Mutant("not-squared", "softsign", G, "1/(1 + |x|)", derivative=lambda x: 1 / (1 + np.abs(x))),
    Mutant("infinity-over-infinity", "softsign", S, "x/(1 + |x|) at ∞", formula=lambda x: x / (1 + np.abs(x))),
    Mutant("exp-minus-one", "exponential", V, "the neighbour in the library", formula=lambda x: np.expm1(x)),
    Mutant("power-rule", "exponential", G, "x·e^(x − 1)", derivative=lambda x: x * np.exp(x - 1)),
    Mutant("b-squared", "squareplus", V, "√(x² + b²)", formula=lambda x, b: F["squareplus"](x=x, b=b * b)),
    Mutant("half-forgotten", "squareplus", V, "x + √(x² + b)", formula=lambda x, b: 2 * F["squareplus"](x=x, b=b)),
    Mutant("slope-not-halved", "squareplus", G, "1 + x/√(x² + b)", derivative=lambda x, b: 1 + x / np.hypot(x, np.sqrt(b))),
]  # fmt: skip

FOCAL = "binary_focal"


def focal_of(power: Callable[[Array, float], Array]) -> Callable[..., Array]:
    """The focal loss with a power of 1 − p_t of one's own."""

    def formula(input: Array, target: Array, gamma: float, **p: Any) -> Array:
        y = rooms._smoothed(target, p["label_smoothing"], 2)
        p_t = y * input + (1 - y) * (1 - input)
        return power(p_t, gamma) * F[FOCAL](input=input, target=target, **p | {"gamma": 0.0})

    return formula


TWO_CLASSES += [
    Mutant("gamma-ignored", FOCAL, V, "γ = 2 always", prepare=default(FOCAL, "gamma")),
    Mutant("of-p", FOCAL, V, "what is easy counts most", formula=focal_of(lambda p_t, gamma: p_t**gamma)),
    Mutant("alpha-for-both", FOCAL, V, "α for 0 as for 1", formula=lambda input, target, alpha, apply_class_balancing, **p: F[FOCAL](input=input, target=target, alpha=alpha, apply_class_balancing=False, **p) * (alpha if apply_class_balancing else 1)),
    Mutant("factor-detached", FOCAL, G, "the focal factor taken for a constant", pullback=lambda c, input, target, gamma, **p: F[FOCAL].gradients(c * np.abs(input - target) ** gamma, input=input, target=target, gamma=0.0, **p)),
]  # fmt: skip

EMBEDDINGS += [
    Mutant("margin-ignored", "circle", V, "m = 0.4 always", prepare=default("circle", "margin")),
    Mutant("with-itself", "circle", V, "a sample is alike to itself", prepare=edit(remove_diagonal=lambda a: False)),
    Mutant("queries-only", "circle", G, "the other of each pair taken for a constant", pullback=spoilt("circle", lambda g, c, **_: g / 2)),
]  # fmt: skip

CATF = "categorical_focal"
GCE = "generalized_cross_entropy"
CATH = "categorical_hinge"

MANY_CLASSES += [
    Mutant("gamma-ignored", CATF, V, "γ = 2 always", prepare=default(CATF, "gamma")),
    Mutant("true-class-alone", CATF, V, "(1 − p_t)ᵞ·CE with p_t the target's probability", formula=lambda input, target, weight=None, gamma=2.0, axis=1, **p: (1 - (target * input).sum(axis=axis)) ** gamma * F[CATF](input=input, target=target, weight=weight, gamma=0.0, axis=axis, **p)),
    Mutant("smoothed-over-samples", CATF, V, "s divided by the batch", formula=lambda input, target, weight=None, **p: F[CATF](input=input, target=target * (1 - p["label_smoothing"]) + p["label_smoothing"] / len(target), weight=weight, **p | {"label_smoothing": 0.0})),
    Mutant("factor-detached", CATF, G, "the focal factor taken for a constant", pullback=lambda c, input, target, weight=None, gamma=2.0, axis=1, alpha=0.25, **p: F[CATF].gradients(c, input=input, target=target * (1 - input) ** gamma, weight=weight, gamma=0.0, axis=axis, alpha=alpha, **p)),
    Mutant("q-ignored", GCE, V, "q = ½ always", prepare=default(GCE, "q")),
    Mutant("not-divided", GCE, V, "1 − p^q, a q-th of the loss", formula=lambda input, target, q: 1 - np.take_along_axis(input, target[:, None], 1)[:, 0] ** q),
    Mutant("one-minus-power", GCE, G, "p^(1 − q) for p^(q − 1)", pullback=spoilt(GCE, lambda g, c, input, target, q: np.where(g == 0, 0, -np.expand_dims(c, 1) * input ** (1 - q)))),
    Mutant("mean-over-batch", "dice", V, "the overlap of all masks together", prepare=edit(batch=lambda a: True), finish=lambda y: np.asarray(y)),
    Mutant("two-forgotten", "dice", V, "Σpy / (Σp + Σy)", formula=lambda input, target, **p: (1 + F["dice"](input=input, target=target, **p)) / 2),
    Mutant("squares", "dice", V, "V-Net's Σp² + Σy²", formula=lambda input, target, **p: F["dice"](input=input**2, target=target**2, **p)),
    Mutant("divisor-detached", "dice", G, "the divisor taken for a constant", pullback=spoilt("dice", lambda g, c, input, target, **p: np.minimum(g, 0), "input")),
    Mutant("alpha-beta-swapped", "tversky", V, "α for what is missed", prepare=swap("alpha", "beta")),
    Mutant("beta-ignored", "tversky", V, "½ always", prepare=default("tversky", "beta")),
    Mutant("alpha-beta-swapped-in-gradient", "tversky", G, "the value mended, the gradient not", pullback=lambda c, alpha, beta, **a: F["tversky"].gradients(c, alpha=beta, beta=alpha, **a)),
    Mutant("largest-of-all", CATH, V, "the own class among the others", formula=lambda input, target, axis: np.maximum(input.max(axis=axis) - (target * input).sum(axis=axis) + 1, 0)),
    Mutant("sum-for-max", CATH, V, "every other class counts, as in multi_margin", formula=lambda input, target, axis: np.maximum(((1 - target) * input).sum(axis=axis) - (target * input).sum(axis=axis) + 1, 0)),
    Mutant("gradient-to-all-others", CATH, G, "1 − y for the largest of the others", pullback=spoilt(CATH, lambda g, c, input, target, axis: np.where(g == 0, 0, np.expand_dims(c, axis) * (1 - 2 * target)), "input")),
]  # fmt: skip


def place(x: Array) -> Array:
    """Where each element stands in memory that is contiguous."""
    return np.arange(x.size).reshape(x.shape)


HELD: list[Mutant] = [
    Mutant("short", "sigmoid", C, "another formula below the width of a vector", formula=lambda x: primitives.sigmoid(x) * (1 + 1e-3 * (x.size < 8))),
    Mutant("tail", "tanh", C, "what is left over of vectors in half precision", formula=lambda x: np.where(place(x) < x.size // 8 * 8, np.tanh(x), np.tanh(x.astype(np.float16)))),
    Mutant("first-block", "relu", C, "nothing beyond the first block", formula=lambda x: np.where(place(x) < 512, np.maximum(x, 0), 0)),
    Mutant("strides-ignored", "softsign", C, "memory read in its own order", formula=lambda x: F["softsign"](x=x.ravel("K").reshape(x.shape))),
    Mutant("gradient-strides-ignored", "silu", C, "memory read in its own order, backwards", derivative=lambda x, beta: F["silu"].gradients(np.ones_like(x), x=x.ravel("K").reshape(x.shape), beta=beta)["x"]),
    Mutant("two-dimensions", "elu", C, "linear in tensors of three dimensions", formula=lambda x, alpha: x if x.ndim == 3 else F["elu"](x=x, alpha=alpha)),
    Mutant("delta-in-integers", "huber", C, "delta in the dtype of the predictions", prepare=lambda a: a | ({} if a["input"].dtype.kind == "f" else {"delta": 0.5})),
    Mutant("difference-in-uint8", "mean_absolute_error", C, "a difference that wraps", prepare=lambda a: a | ({"input": a["target"] + (a["input"] - a["target"].astype("uint8"))} if a["input"].dtype == "uint8" else {})),
]  # fmt: skip

LCE = "linear_cross_entropy"


def logits(input: Array, linear_weight: Array, linear_bias: Array | None = None) -> Array:
    """Wx + b, as one writes it."""
    z = np.moveaxis(linear_weight @ input.T, -1, 0)
    return z if linear_bias is None else z + linear_bias


def reference_path(z: Callable[..., Array]) -> Callable[..., Array]:
    """Cross-entropy of logits made by ``z``."""

    def formula(
        input: Array, linear_weight: Array, target: Array, linear_bias: Any = None, **rest: Any
    ) -> Array:
        return F[CE](input=z(input, linear_weight, linear_bias), target=target, axis=1, **rest)

    return formula


LINEAR: list[Mutant] = [
    Mutant("bias-ignored", LCE, V, "linear_bias dropped", prepare=without("linear_bias")),
    Mutant("classes-last", LCE, V, "(C, *K, D) taken for (*K, C, D)", formula=reference_path(lambda x, w, b: np.moveaxis(logits(x, w, b).reshape(len(x), *w.shape[1:-1], len(w)), -1, 1))),
    Mutant("all-positions-together", LCE, V, "softmax over C and *K", formula=reference_path(lambda x, w, b: logits(x, w, b) - np.log(np.exp(logits(x, w, b)).sum(axis=(*range(1, w.ndim),), keepdims=True)) * (w.ndim > 2))),
    Mutant("ignored-counted", LCE, R, "divides by all samples", mean=lambda losses, **_: 1 / losses.dtype.type(losses.size), reduction="mean"),
    Mutant("weight-gradient-of-one-sample", LCE, G, "the last sample's for the sum", pullback=spoilt(LCE, lambda g, c, **a: F[LCE].gradients(c * (np.arange(len(c)) == len(c) - 1).reshape(-1, *[1] * (c.ndim - 1)), **a)["linear_weight"], "linear_weight")),
    Mutant("bias-gradient-averaged", LCE, G, "mean over the batch", pullback=lambda c, **a: {n: g / len(c) if n == "linear_bias" else g for n, g in F[LCE].gradients(c, **a).items()}),
    Mutant("weight-gradient-in-bfloat16", LCE, G, "accumulated in 8 bits", pullback=spoilt(LCE, lambda g, c, **_: to_bfloat16(g), "linear_weight")),
]  # fmt: skip


def unexpected(a: dict[str, Any]) -> dict[str, Any]:
    """Expected counts of 1."""
    return a | {n: np.ones_like(a[n]) for n in ("true_expected", "sampled_expected")}


SS = "sampled_softmax"

SAMPLED: list[Mutant] = [
    Mutant("expected-counts-ignored", SS, V, "log Q is not subtracted", prepare=unexpected),
    Mutant("hits-kept", SS, V, "accidental hits stay", prepare=edit(remove_accidental_hits=lambda a: False)),
    Mutant("sum-over-true-classes", SS, V, "1/R forgotten", formula=lambda target, **a: target.shape[1] * F[SS](target=target, **a)),
    Mutant("bias-of-the-others", SS, G, "true classes do not train their bias", pullback=lambda c, target, **a: {n: g + np.bincount(target.ravel(), np.repeat(c, target.shape[1]), len(g)) / target.shape[1] if n == "linear_bias" else g for n, g in F[SS].gradients(c, target=target, **a).items()}),
    Mutant("expected-counts-ignored", "nce", V, "log Q is not subtracted", prepare=unexpected),
    Mutant("mean-over-candidates", "nce", V, "mean for the sum", formula=lambda target, sampled, **a: F["nce"](target=target, sampled=sampled, **a) / (target.shape[1] + len(sampled))),
    Mutant("true-labels-one", "nce", V, "the candidates once for every true class", formula=lambda target, true_expected, **a: sum(F["nce"](target=target[:, r : r + 1], true_expected=true_expected[:, r : r + 1], **a) for r in range(target.shape[1]))),
    Mutant("bias-gradient-missing", "nce", G, "the bias is not trained", pullback=spoilt("nce", lambda g, c, **_: 0 * g, "linear_bias")),
]  # fmt: skip

AS = "adaptive_log_softmax"


def every_cluster(target: Array, head_weight: Array, tail1: Array, **a: Any) -> Array:
    """The log-probabilities within the first cluster, of whatever class."""
    z = a["input"] @ a["projection1"].T @ tail1.T
    index = np.clip(target - (len(head_weight) - 2), 0, len(tail1) - 1)
    outside = (target < len(head_weight) - 2) | (target >= len(head_weight) - 2 + len(tail1))
    return np.where(outside, np.take_along_axis(log_softmax(z, 1), index[:, None], 1)[:, 0], 0)


ADAPTIVE: list[Mutant] = [
    Mutant("bias-ignored", AS, V, "head_bias dropped", prepare=without("head_bias")),
    Mutant("tail-of-all", AS, V, "the first cluster for every sample", formula=lambda **a: F[AS](**a) - every_cluster(**a)),
    Mutant("clusters-swapped", AS, V, "the head's last columns in the other order", prepare=edit(head_weight=lambda a: np.concatenate([a["head_weight"][:-2], a["head_weight"][:-3:-1]]))),
    Mutant("sum-for-mean", AS, R, "not divided by the batch", mean=lambda losses, **_: 1, reduction="mean"),
    Mutant("projection-not-trained", AS, G, "the projection's gradient is lost", pullback=spoilt(AS, lambda g, c, **_: 0 * g, "projection1")),
    Mutant("input-by-the-head-alone", AS, G, "clusters do not reach the input", pullback=spoilt(AS, lambda g, c, **a: F[AS].gradients(c, **a | {"tail1": 0 * a["tail1"], "tail2": 0 * a["tail2"]})["input"], "input")),
]  # fmt: skip

MUTANTS = [
    *HELD,
    *ACTIVATIONS,
    *GATED,
    *REGRESSION,
    *TWO_CLASSES,
    *MANY_CLASSES,
    *EMBEDDINGS,
    *SEQUENCES,
    *LINEAR,
    *SAMPLED,
    *ADAPTIVE,
]

#: the textbook's formulas, which cancel: as good as they can be in this precision, and no better
TEXTBOOK: list[Mutant] = [
    Mutant("exp-minus-one", "elu", V, "eˣ − 1", formula=lambda x, alpha: np.where(x > 0, x, x.dtype.type(alpha) * (np.exp(np.minimum(x, 0)) - 1)), narrow=True),
    Mutant("one-minus-square", "tanh", G, "1 − tanh²", derivative=lambda x: 1 - np.tanh(x) ** 2, narrow=True),
    Mutant("y-times-one-minus-y", "sigmoid", G, "y(1 − y)", derivative=lambda x: primitives.sigmoid(x) * (1 - primitives.sigmoid(x)), narrow=True),
    Mutant("log-of-one-minus-p", BCE, V, "log(1 − p)", formula=bce_of(lambda y, p: -times(y, np.log(p)) - times(1 - y, np.log(1 - p))), narrow=True),
    Mutant("one-plus-erf", "gelu", V, "1 + erf", formula=lambda x, approximate: x / 2 * (1 + (np.vectorize(math.erf)(x / np.sqrt(2)).astype(x.dtype) if approximate == "none" else np.tanh(0.7978845608028654 * (x + 0.044715 * x**3)))), narrow=True),
    Mutant("quotient-rule", "softsign", G, "1/(1 + |x|) − |x|/(1 + |x|)²", derivative=lambda x: 1 / (1 + np.abs(x)) - np.abs(x) / (1 + np.abs(x)) ** 2, narrow=True),
    Mutant("plain-sum", "squareplus", V, "x + √(x² + b)", formula=lambda x, b: (x + np.sqrt(x * x + x.dtype.type(b))) / 2, narrow=True),
]  # fmt: skip
