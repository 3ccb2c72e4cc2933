"""Formulas that people write, one wrong thing in each, which the certificate must reject.

A mutant is a function of the oracle with its formula, or its gradient, as textbooks and first
drafts have it. ``in_`` names the working precisions that must reject it: a wider significand and
range mend many a formula.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nnconform.reference import catalogue, primitives
from nnconform.reference import losses as rooms
from nnconform.reference.function import Function
from nnconform.reference.primitives import along, softmax, softplus, times

Array = np.ndarray
F = catalogue()

BOTH = ("extended", "float64")
FLOAT64 = ("float64",)
EXTENDED = ("extended",)


@dataclass(frozen=True)
class Mutant:
    """One wrong formula, or one wrong gradient with respect to the input ``of``."""

    name: str
    function: str
    why: str
    formula: Callable[..., Any] | None = None
    gradient: Callable[..., Any] | None = None
    of: str = ""
    in_: tuple[str, ...] = BOTH

    @property
    def aspect(self) -> str:
        return "value" if self.formula else "gradient"

    def made(self) -> Function:
        function = F[self.function]
        if self.formula:
            return replace(function, formula=self.formula)
        name = self.of or next(iter(function.inputs))

        def pullback(cotangent: Array, **arguments: Any) -> Mapping[str, Array]:
            assert self.gradient
            right = function.gradients(cotangent, **arguments)
            return {**right, name: self.gradient(cotangent, **arguments)}

        return replace(function, _pullback=pullback)


def plain_sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def shifted_softmax(x: Array, axis: int) -> Array:
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def sums_of_sums(x: Array, axis: int) -> Array:
    support = F["sparsemax"](x=x, axis=axis) > 0
    first = -np.sort(-support.astype(int), axis=axis) > 0
    sums = np.where(first, np.cumsum(-np.sort(-x, axis=axis), axis=axis), 0)
    return np.maximum(
        x - (sums.sum(axis=axis, keepdims=True) - 1) / support.sum(axis=axis, keepdims=True), 0
    )


def at_float32(number: Any) -> Any:
    return (
        number.astype(np.float32).astype(number.dtype)
        if isinstance(number, Array)
        else float(np.float32(number))
    )


def rectified(x: Array, slope: Any) -> Array:
    return np.where(x >= 0, x, slope * x)


def weighted(losses: Array, weight: Array | None) -> Array:
    return losses if weight is None else times(weight, losses)


def bce(log_p: Callable[[Array], Array], log_q: Callable[[Array], Array]) -> Callable[..., Array]:
    """Binary cross entropy with logarithms of one's own."""

    def formula(
        input: Array, target: Array, weight: Any = None, *, label_smoothing: float = 0.0, **p: Any
    ) -> Array:
        if any(p.get(n) for n in ("epsilon", "clip")) or p.get("log_floor", -np.inf) > -np.inf:
            return F[BCE](
                input=input, target=target, weight=weight, label_smoothing=label_smoothing, **p
            )
        y = rooms._smoothed(target, label_smoothing, 2)
        return weighted(-times(y, log_p(input)) - times(1 - y, log_q(input)), weight)

    return formula


def bcel(log_sigmoid: Callable[[Array], Array]) -> Callable[..., Array]:
    def formula(
        input: Array,
        target: Array,
        weight: Any = None,
        pos_weight: Any = None,
        *,
        label_smoothing: float,
    ) -> Array:
        y, q = rooms._smoothed(target, label_smoothing, 2), 1 if pos_weight is None else pos_weight
        return weighted(
            -times(q * y, log_sigmoid(input)) - times(1 - y, log_sigmoid(-input)), weight
        )

    return formula


def linear_cross_entropy_of(log_p: Callable[[Array], Array]) -> Callable[..., Array]:
    """Cross-entropy of the logits Wx + b, given the logarithms of their softmax."""

    def formula(
        input: Array, linear_weight: Array, target: Array, linear_bias: Any = 0, **rest: Any
    ) -> Array:
        z = np.moveaxis(linear_weight @ input.T, -1, 0) + linear_bias
        return cross_entropy_of(log_p)(input=z, target=target, axis=1, **rest)

    return formula


def adaptive_minus_logsumexp(input: Array, **arguments: Any) -> Array:
    """Adaptive softmax of logits that are rounded."""
    parts = rooms._adaptive(input, **arguments)
    narrow = [(hot == 1, z.astype(input.dtype)) for hot, z, _ in parts]
    return -sum(np.where(hot, z - primitives.logsumexp(z, -1), 0).sum(axis=-1) for hot, z in narrow)


def cross_entropy_of(log_p: Callable[[Array], Array]) -> Callable[..., Array]:
    def formula(
        input: Array,
        target: Array,
        weight: Any = None,
        *,
        ignore_index: int,
        label_smoothing: float,
        axis: int,
    ) -> Array:
        y, counted = rooms._soft_target(input, target, ignore_index, label_smoothing, axis)
        w = along(weight, input.ndim, axis, input.dtype)
        return np.where(counted, -times(w * y, log_p(input)).sum(axis=axis), 0)

    return formula


def two_quotients(
    c: Array, input: Array, target: Array, weight: Any = None, *, label_smoothing: float, **p: Any
) -> Array:
    if p["epsilon"] or p["clip"] or p["log_floor"] > -np.inf:
        return F[BCE].gradients(
            c, input=input, target=target, weight=weight, label_smoothing=label_smoothing, **p
        )["input"]
    y = rooms._smoothed(target, label_smoothing, 2)
    return c * weighted(primitives.over(1 - y, 1 - input) - primitives.over(y, input), weight)


def pairs(x: Array) -> Array:
    a, b = x[:, ::2], x[:, 1::2]
    return (a + b + np.abs(a - b)) / 2


def margins(input: Array, target: Array, weight: Any = None, *, p: int, margin: float) -> Array:
    hot, w, _ = rooms._selected(input, target, weight, None, 1)
    own = (hot * input).sum(axis=1, keepdims=True)
    terms = np.where(hot == 1, 0, np.maximum(margin - own + input, 0)) ** p
    return w * terms.sum(axis=1) / input.shape[1]


def cosine_distance(
    input1: Array, input2: Array, target: Array, *, margin: float, epsilon: float
) -> Array:
    norms = np.sqrt(((input1**2).sum(axis=-1) + epsilon) * ((input2**2).sum(axis=-1) + epsilon))
    cosine = (input1 * input2).sum(axis=-1) / norms
    return np.where(target == 1, 1 - cosine, np.maximum(cosine - margin, 0))


def triplet(
    anchor: Array,
    positive: Array,
    negative: Array,
    *,
    margin: float,
    p: float,
    swap: bool,
    eps: float,
) -> Array:
    def distance(a: Array, b: Array) -> Array:
        return (np.abs(a - b + eps) ** p).sum(axis=-1) ** (1 / p)

    far = distance(anchor, negative)
    if swap:
        far = np.minimum(far, distance(positive, negative))
    return np.maximum(distance(anchor, positive) - far + margin, 0)


def probabilities(
    log_probs: Array,
    targets: Array,
    input_lengths: Array,
    target_lengths: Array,
    *,
    blank: int,
    zero_infinity: bool,
    from_logits: bool,
) -> Array:
    """CTC's forward variables as probabilities, which vanish."""
    log_p = primitives.log_softmax(log_probs, 2) if from_logits else log_probs
    states, skip, last = rooms._ctc_states(targets, target_lengths, blank)
    p = np.exp(
        np.take_along_axis(log_p, np.broadcast_to(states, (len(log_p), *states.shape)), axis=2)
    )
    at = np.arange(states.shape[1])
    alpha = np.where((at < 2) & (at <= last[:, None]), p[0], 0)
    ends = [alpha]
    for t in range(1, len(p)):
        one, two = np.roll(alpha, 1, axis=1), np.roll(alpha, 2, axis=1)
        one[:, 0] = two[:, :2] = 0
        alpha = np.where(at <= last[:, None], (alpha + one + np.where(skip, two, 0)) * p[t], 0)
        ends.append(alpha)
    end = np.stack(ends)[input_lengths - 1, np.arange(len(states))]
    total = np.where((at == last[:, None]) | (at == last[:, None] - 1), end, 0).sum(axis=1)
    losses = -np.log(total)
    return np.where(np.isinf(losses), 0, losses) if zero_infinity else losses


BCE = "binary_cross_entropy"
BCEL = "binary_cross_entropy_with_logits"
KL = "kl_divergence"


def log_difference(
    input: Array, target: Array, *, log_target: bool, log_input: bool, clip: Any
) -> Array:
    y, q = rooms._clipped(target, clip), rooms._clipped(input, clip)
    if log_target or log_input:
        return F[KL](
            input=input, target=target, log_target=log_target, log_input=log_input, clip=clip
        )
    return times(y, np.log(np.where(y == 0, 1, y)) - np.log(q))


def tanh_slope(x: Array) -> Array:
    """The derivative of GELU by tanh, as frameworks write it."""
    tanh = np.tanh(0.7978845608028654 * (x + 0.044715 * x**3))
    inner = 0.7978845608028654 * (1 + 3 * 0.044715 * x**2)
    return (1 + tanh) / 2 + x * (1 - tanh**2) * inner / 2


MUTANTS: list[Mutant] = [
    Mutant("wrong-at-zero", "step", "the jump's own value forgotten", lambda x, at_zero: (x > 0).astype(x.dtype)),
    Mutant("float32", "linear", "a cast left in", lambda x: at_float32(x)),
    Mutant("two-exponentials", "sigmoid", "∞/∞", lambda x: np.exp(x) / (1 + np.exp(x))),
    Mutant("reciprocal", "sigmoid", "e⁻ˣ overflows below −709", plain_sigmoid, in_=FLOAT64),
    Mutant("y-one-minus-y", "sigmoid", "1 − σ cancels", gradient=lambda c, x: c * plain_sigmoid(x) * (1 - plain_sigmoid(x))),
    Mutant("exponentials", "tanh", "cancels near 0, ∞/∞ beyond", lambda x: (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x))),
    Mutant("one-minus-square", "tanh", "1 − tanh² cancels", gradient=lambda c, x: c * (1 - np.tanh(x) ** 2)),
    Mutant("sum-of-absolutes", "hard_tanh", "½(|x + 1| − |x − 1|) cancels", lambda x, min_value, max_value: (np.abs(x - min_value) - np.abs(x - max_value) + min_value + max_value) / 2),
    Mutant("half-sum", "relu", "x + |x| overflows", lambda x: (x + np.abs(x)) / 2, in_=FLOAT64),
    Mutant("quotient", "relu", "0/0 at the kink", gradient=lambda c, x: c * (1 + x / np.abs(x)) / 2),
    Mutant("float32-slope", "leaky_relu", "a parameter in the precision of inputs", lambda x, slope: rectified(x, at_float32(slope))),
    Mutant("float32-slope-gradient", "leaky_relu", "the same in the gradient", gradient=lambda c, x, slope: c * np.where(x > 0, 1, at_float32(slope))),
    Mutant("float32-slopes", "prelu", "weights in float32", lambda x, slope: F["prelu"](x=x, slope=at_float32(slope))),
    Mutant("summed-at-float32", "prelu", "a sum in float32", gradient=lambda c, x, slope: (c * np.where(x >= 0, 0, x)).astype(np.float32).sum(axis=0).astype(x.dtype), of="slope"),
    Mutant("rounded-middle", "rrelu", "(lower + upper)/2 rounded to float64", lambda x, lower, upper: rectified(x, (lower + upper) / 2), in_=EXTENDED),
    Mutant("exp-minus-one", "elu", "eˣ − 1 cancels", lambda x, alpha: np.where(x > 0, x, alpha * (np.exp(np.minimum(x, 0)) - 1))),
    Mutant("from-the-output", "elu", "f + α cancels", gradient=lambda c, x, alpha: c * np.where(x > 0, 1, alpha * np.expm1(np.minimum(x, 0)) + alpha)),
    Mutant("half-sum", "maxout", "½(a + b + |a − b|) cancels", lambda x, groups: pairs(x) if groups == 2 else F["maxout"](x=x, groups=groups)),
    Mutant("no-shift", "softmax", "∞/∞", lambda x, axis: np.exp(x) / np.exp(x).sum(axis=axis, keepdims=True)),
    Mutant("shift-alone", "softmax", "the shift rounds", shifted_softmax, in_=FLOAT64),
    Mutant("plain-jacobian", "softmax", "c − Σ p·c cancels", gradient=lambda c, x, axis: softmax(x, axis) * (c - (c * softmax(x, axis)).sum(axis=axis, keepdims=True))),
    Mutant("no-shift", "gumbel_softmax", "∞/∞", lambda x, axis, tau, hard: np.exp(x) / np.exp(x).sum(axis=axis, keepdims=True)),
    Mutant("log-of-softmax", "log_softmax", "log 0", lambda x, axis: np.log(softmax(x, axis))),
    Mutant("minus-logsumexp", "log_softmax", "x − logsumexp(x) cancels", lambda x, axis: x - primitives.logsumexp(x, axis)),
    Mutant("plain-gradient", "log_softmax", "c − p·Σc cancels", gradient=lambda c, x, axis: c - softmax(x, axis) * c.sum(axis=axis, keepdims=True)),
    Mutant("no-log1p", "logsumexp", "max + log Σ", lambda x, axis: x.max(axis=axis) + np.log(np.exp(x - x.max(axis=axis, keepdims=True)).sum(axis=axis))),
    Mutant("no-shift", "logsumexp", "∞", lambda x, axis: np.log(np.exp(x).sum(axis=axis))),
    Mutant("shift-alone", "logsumexp", "the shift rounds", gradient=lambda c, x, axis: np.expand_dims(c, axis) * shifted_softmax(x, axis), in_=FLOAT64),
    Mutant("root-of-square", "mean_absolute_error", "squares overflow", lambda input, target: np.sqrt((input - target) ** 2), in_=FLOAT64),
    Mutant("expanded", "mean_squared_error", "x² − 2xy + y² cancels", lambda input, target, half: (input**2 - 2 * input * target + target**2) * (0.5 if half else 1)),
    Mutant("half-at-last", "mean_squared_error", "the square overflows before the half", lambda input, target, half: (input - target) ** 2 * (0.5 if half else 1), in_=FLOAT64),
    Mutant("float32-delta", "huber", "a parameter at float32", lambda input, target, delta: F["huber"](input=input, target=target, delta=at_float32(delta))),
    Mutant("zero-over-zero", "huber", "a/|a| at agreement", gradient=lambda c, input, target, delta: c * (input - target) / np.abs(input - target) * np.minimum(np.abs(input - target), delta)),
    Mutant("float32-beta", "smooth_l1", "a parameter at float32", lambda input, target, beta: F["smooth_l1"](input=input, target=target, beta=at_float32(beta))),
    Mutant("zero-over-zero", "smooth_l1", "a/|a| at agreement", gradient=lambda c, input, target, beta: c * (input - target) / np.abs(input - target) * np.minimum(np.abs(input - target) / beta, 1)),
    Mutant("infinite-difference", "poisson_nll", "∞ − ∞", lambda input, target, log_input, full, eps: np.exp(input) - target * input if log_input and not full else F["poisson_nll"](input=input, target=target, log_input=log_input, full=full, eps=eps), in_=FLOAT64),
    Mutant("no-log1p", BCE, "log(1 − p)", bce(np.log, lambda p: np.log(1 - p))),
    Mutant("two-quotients", BCE, "(1 − y)/(1 − p) − y/p cancels", gradient=two_quotients),
    Mutant("log-of-sigmoid", BCEL, "log 0, and no log1p", bcel(lambda x: np.log(plain_sigmoid(x)))),
    Mutant("two-softplus", BCEL, "log(1 + e⁻ˣ) − log(1 + eˣ) cancels", gradient=lambda c, input, target, weight=None, pos_weight=None, *, label_smoothing: c * weighted((1 if pos_weight is None else pos_weight) * softplus(-input) - softplus(input), weight) * (1 - input.dtype.type(label_smoothing)), of="target"),
    Mutant("half-sum", "hinge", "z + |z| overflows", lambda input, target, labels: (1 - rooms._signs(target, labels) * input + np.abs(1 - rooms._signs(target, labels) * input)) / 2, in_=FLOAT64),
    Mutant("float32-margin", "hinge_embedding", "a parameter at float32", lambda input, target, margin: F["hinge_embedding"](input=input, target=target, margin=at_float32(margin))),
    Mutant("no-log1p", "soft_margin", "log(1 + e⁻ᶻ)", lambda input, target: np.log(1 + np.exp(-target * input))),
    Mutant("overflowing-gradient", "soft_margin", "e⁻ᶻ/(1 + e⁻ᶻ)", gradient=lambda c, input, target: -c * target * np.exp(-target * input) / (1 + np.exp(-target * input))),
    Mutant("two-roundings", "margin_ranking", "x₁ − x₂ rounds before the margin", lambda input1, input2, target, margin: np.maximum(-target * (input1 - input2) + margin, 0), in_=FLOAT64),
    Mutant("log-of-softmax", "cross_entropy", "log 0", cross_entropy_of(lambda x: np.log(softmax(x, 1)))),
    Mutant("minus-logsumexp", "cross_entropy", "x − logsumexp(x) cancels", cross_entropy_of(lambda x: x - primitives.logsumexp(x, 1))),
    Mutant("p-minus-y", "cross_entropy", "p − y cancels", gradient=lambda c, input, target, weight=None, **p: F["cross_entropy"].gradients(c, input=input, target=target, weight=weight, **p)["input"] if weight is not None else np.expand_dims(np.where(rooms._soft_target(input, target, p["ignore_index"], p["label_smoothing"], 1)[1], c, 0), 1) * (softmax(input, 1) - rooms._soft_target(input, target, p["ignore_index"], p["label_smoothing"], 1)[0])),
    Mutant("float32-weights", "nll", "weights at float32", lambda input, target, weight=None, **p: F["nll"](input=input, target=target, weight=None if weight is None else at_float32(weight), **p)),
    Mutant("zero-log-zero", "categorical_cross_entropy", "0·log 0 = NaN", lambda input, target, weight=None, **p: -(along(weight, input.ndim, 1, input.dtype) * rooms._soft_target(input, target, -100, p["label_smoothing"], 1)[0] * rooms._log_p(input, 1, p["normalize"], p["clip"])).sum(axis=1)),
    Mutant("log-minus-log", KL, "log p − log q cancels", log_difference, in_=FLOAT64),
    Mutant("log-y-minus-x", KL, "log y + 1 − log q cancels", gradient=lambda c, input, target, log_target, log_input, clip: F[KL].gradients(c, input=input, target=target, log_target=log_target, log_input=log_input, clip=clip)["target"] if log_target or log_input or clip else c * (np.log(target) + 1 - np.log(input)), of="target", in_=FLOAT64),
    Mutant("two-roundings", "multi_margin", "margin − x_y + x_i rounds twice", margins, in_=FLOAT64),
    Mutant("float32-share", "multilabel_margin", "1/C at float32", lambda input, target: rooms._multilabel_terms(input, target, np.float32(1 / input.shape[1])).sum(axis=(1, 2))),
    Mutant("log-of-sigmoid", "multilabel_soft_margin", "log 0, and no log1p", lambda input, target, weight=None: weighted(-times(target, np.log(plain_sigmoid(input))) - times(1 - target, np.log(plain_sigmoid(-input))), along(weight, 2, 1, input.dtype)).sum(axis=1) / input.shape[1]),
    Mutant("one-minus-cosine", "cosine_embedding", "1 − cos cancels", cosine_distance),
    Mutant("squares-overflow", "triplet_margin", "powers of long differences", triplet),
    Mutant("probabilities", "ctc", "e to the loss vanishes", probabilities, in_=FLOAT64),
    Mutant("half-sum", "relu6", "|x| − |x − 6| cancels", lambda x: (np.abs(x) - np.abs(x - 6) + 6) / 2),
    Mutant("half-at-last", "hard_sigmoid", "x/6 + ½ cancels near −3", lambda x: np.clip(x * (1 / 6) + 0.5, 0, 1)),
    Mutant("float32-sixth", "hard_sigmoid", "1/6 rounded to float32", gradient=lambda c, x: c * (np.abs(x) < 3) * float(np.float32(1) / np.float32(6))),
    Mutant("six-at-last", "hard_swish", "x·6 overflows before the sixth", lambda x: x * np.clip(x + 3, 0, 6) / 6, in_=FLOAT64),
    Mutant("float32-threshold", "hard_shrink", "a parameter at float32", lambda x, threshold: np.where(np.abs(x) <= at_float32(threshold), 0, x)),
    Mutant("difference", "tanh_shrink", "x − tanh x cancels", lambda x: x - np.tanh(x)),
    Mutant("one-minus-one-minus-square", "tanh_shrink", "1 − (1 − tanh²) cancels", gradient=lambda c, x: c * (1 - (1 - np.tanh(x) ** 2))),
    Mutant("float32-value", "threshold", "a parameter at float32", lambda x, threshold, value: np.where(x <= threshold, x.dtype.type(at_float32(value)), x)),
    Mutant("expanded", "sparse_plus", "x²/4 + x/2 + 1/4 cancels near −1", lambda x: np.where(x >= 1, x, np.where(x <= -1, 0, x * x / 4 + x / 2 + 0.25))),
    Mutant("sum-of-absolutes", "sparse_sigmoid", "|x + 1| − |x − 1| cancels", lambda x: (np.abs(x + 1) - np.abs(x - 1) + 2) / 4),
    Mutant("no-shift", "softmin", "∞/∞", lambda x, axis: np.exp(-x) / np.exp(-x).sum(axis=axis, keepdims=True)),
    Mutant("plain-jacobian", "softmin", "c − Σ p·c cancels", gradient=lambda c, x, axis: softmax(-x, axis) * ((c * softmax(-x, axis)).sum(axis=axis, keepdims=True) - c)),
    Mutant("reciprocal", "glu", "e⁻ᵇ overflows below −709", lambda x, axis: np.split(x, 2, axis)[0] * plain_sigmoid(np.split(x, 2, axis)[1]), in_=FLOAT64),
    Mutant("y-one-minus-y", "glu", "1 − σ cancels", gradient=lambda c, x, axis: (lambda a, s: np.concatenate([c * s, c * a * s * (1 - s)], axis))(np.split(x, 2, axis)[0], primitives.sigmoid(np.split(x, 2, axis)[1]))),
    Mutant("quotients", "crelu", "0/0 at the kink", gradient=lambda c, x, axis: (lambda a, b: (a * (1 + x / np.abs(x)) - b * (1 - x / np.abs(x))) / 2)(*np.split(c, 2, axis))),
    Mutant("times-sigmoid", "silu", "everything below −709 is lost", lambda x, beta: x * plain_sigmoid(beta * x), in_=FLOAT64),
    Mutant("one-minus-sigmoid", "silu", "1 − σ cancels", gradient=lambda c, x, beta: c * plain_sigmoid(beta * x) * (1 + beta * x * (1 - plain_sigmoid(beta * x))), in_=FLOAT64),
    Mutant("one-plus-tanh", "gelu", "1 + tanh cancels", lambda x, approximate: F["gelu"](x=x, approximate=approximate) if approximate == "none" else x / 2 * (1 + np.tanh(0.7978845608028654 * (x + 0.044715 * x**3)))),
    Mutant("plain-square", "gelu", "x²/2 rounds before the exponential", lambda x, approximate: F["gelu"](x=x, approximate=approximate) if approximate == "tanh" else np.where(x < 0, x * primitives.normal_tail(np.abs(x)) * np.exp(-x * x / 2), F["gelu"](x=x, approximate="none"))),
    Mutant("one-minus-square", "gelu", "1 − tanh² cancels", gradient=lambda c, x, approximate: F["gelu"].gradients(c, x=x, approximate=approximate)["x"] if approximate == "none" else c * tanh_slope(x)),
    Mutant("no-log1p", "mish", "log(1 + eˣ)", lambda x: x * np.tanh(np.log(1 + np.exp(x)))),
    Mutant("no-log1p", "softplus", "log(1 + eˣ)", lambda x, beta, threshold: np.where(beta * x > threshold, x, np.log(1 + np.exp(beta * x)) / beta)),
    Mutant("plain-product", "softplus", "βx rounds before the exponential", gradient=lambda c, x, beta, threshold: c * np.where(beta * x > threshold, 1, primitives.sigmoid(beta * x))),
    Mutant("log-of-sigmoid", "log_sigmoid", "log 0, and no log1p", lambda x: np.log(plain_sigmoid(x))),
    Mutant("eight-digits", "selu", "λ and α as Keras' documentation prints them", lambda x: 1.05070098 * np.where(x > 0, x, 1.67326324 * np.expm1(np.minimum(x, 0)))),
    Mutant("exp-minus-one", "celu", "e^(x/α) − 1 cancels", lambda x, alpha: np.where(x > 0, x, alpha * (np.exp(np.minimum(x, 0) / alpha) - 1))),
    Mutant("plain-quotient", "celu", "x/α rounds before the exponential", gradient=lambda c, x, alpha: c * np.exp(np.minimum(x, 0) / alpha), in_=FLOAT64),
    Mutant("square-overflows", "softsign", "(1 + |x|)² overflows", gradient=lambda c, x: c / (1 + np.abs(x)) ** 2, in_=FLOAT64),
    Mutant("power-of-e", "exponential", "e rounds before the power", lambda x: x.dtype.type(np.e) ** x),
    Mutant("plain-sum", "squareplus", "x + √(x² + b) cancels", lambda x, b: (x + np.sqrt(x * x + b)) / 2),
    Mutant("sums-of-sums", "sparsemax", "all cumulative sums of the support for the last", sums_of_sums),
    Mutant("not-centred", "sparsemax", "τ taken for a constant", gradient=lambda c, x, axis: c * (F["sparsemax"](x=x, axis=axis) > 0)),
    Mutant("square-first", "gaussian_nll", "(x − y)² overflows before the division", lambda input, target, var, full, eps: np.log(np.maximum(var, eps) * (rooms._tau(var) if full else 1)) / 2 + (input - target) ** 2 / np.maximum(var, eps) / 2, in_=FLOAT64),
    Mutant("square-of-v", "gaussian_nll", "v² overflows", gradient=lambda c, input, target, var, full, eps: c * (np.maximum(var, eps) - (input - target) ** 2) / (2 * np.maximum(var, eps) ** 2), of="var", in_=FLOAT64),
    Mutant("log-of-cosh", "log_cosh", "cosh x is 1 near 0", lambda input, target: np.log(np.cosh(input - target))),
    Mutant("two-sigmoids", "log_cosh", "1 − 2·σ(−2a) cancels", gradient=lambda c, input, target: c * (1 - 2 * primitives.sigmoid(-2 * (input - target)))),
    Mutant("quotient-rule", "mean_absolute_percentage_error", "1/y + (x − y)/y² cancels", gradient=lambda c, input, target, epsilon: np.where(np.abs(target) < epsilon, F["mean_absolute_percentage_error"].gradients(c, input=input, target=target, epsilon=epsilon)["target"], -c * np.sign(input - target) * np.sign(target) * (1 / target + (input - target) / target**2) * 100 * np.sign(target)), of="target"),
    Mutant("expanded", "squared_hinge", "1 − 2yx + x² cancels", lambda input, target, labels: np.where(rooms._signs(target, labels) * input < 1, 1 - 2 * rooms._signs(target, labels) * input + input**2, 0)),
    Mutant("half-at-last", "l2_loss", "the square overflows before the half", lambda input: input**2 / 2, in_=FLOAT64),
    Mutant("fill-of-minus-1e9", "masked_softmax", "a large number for −∞", lambda x, mask, axis: mask * softmax(np.where(mask > 0.5, x, -1e9), axis)),
    Mutant("expanded", "thresholded_relu", "slope·x − slope·θ cancels", lambda x, max_value, threshold, slope: np.where(x > threshold, np.minimum(x, max_value), slope * x - x.dtype.type(slope) * threshold)),
    Mutant("sum-of-absolutes", "soft_shrink", "x − (|x + λ| − |x − λ|)/2 cancels", lambda x, threshold: x - (np.abs(x + threshold) - np.abs(x - threshold)) / 2),
    Mutant("two-logarithms", "mean_squared_logarithmic_error", "log(1 + x) − log(1 + y) cancels", lambda input, target, epsilon: (np.log(1 + np.maximum(input, epsilon)) - np.log(1 + np.maximum(target, epsilon))) ** 2),
    Mutant("one-minus-softmax", "categorical_focal", "1 − p cancels", lambda input, target, weight=None, **p: F["categorical_focal"](input=input, target=target, weight=weight, **p) if p["clip"] or not p["from_logits"] else F["categorical_focal"](input=softmax(input, p["axis"]), target=target, weight=weight, **p | {"from_logits": False})),
    Mutant("float32-margin", "circle", "a parameter at float32", lambda input, target, margin, **p: F["circle"](input=input, target=target, margin=at_float32(margin), **p)),
    Mutant("one-minus-power", "generalized_cross_entropy", "1 − p^q cancels", lambda input, target, q: (1 - np.take_along_axis(input, target[:, None], 1)[:, 0] ** q) / q),
    Mutant("rounded-exponent", "generalized_cross_entropy", "q − 1 rounds", gradient=lambda c, input, target, q: np.where(primitives.one_hot(target, input.shape[1], 1, input.dtype) == 1, -c[:, None] * input ** (q - 1), 0)),
    Mutant("one-minus-quotient", "dice", "1 − 2Σpy/(Σp + Σy) cancels", lambda input, target, epsilon, batch: (lambda s: 1 - 2 * (s(input * target) / (s(input) + s(target) + epsilon)).reshape(() if batch else -1))(lambda x: rooms._summed(x, batch))),
    Mutant("one-minus-index", "tversky", "1 − Σpy/divisor cancels", lambda input, target, alpha, beta, epsilon, batch: (lambda both, apart: 1 - (both / (both + apart)).reshape(() if batch else -1))(*rooms._overlap(input, target, alpha, beta, epsilon, batch))),
    Mutant("one-minus-p-t", "binary_focal", "1 − (1 − p) cancels", lambda input, target, gamma, **p: (1 - (target * input + (1 - target) * (1 - input))) ** gamma * F["binary_focal"](input=input, target=target, gamma=0.0, **p)),
    Mutant("one-rounding-each", "categorical_hinge", "max − own + 1 rounds twice, or overflows", lambda input, target, axis: np.maximum(((1 - target) * input).max(axis=axis) - (target * input).sum(axis=axis) + 1, 0), in_=FLOAT64),
    Mutant("minus-logsumexp", "linear_cross_entropy", "z − logsumexp(z) cancels", linear_cross_entropy_of(lambda z: z - primitives.logsumexp(z, 1))),
    Mutant("float32-counts", "sampled_softmax", "expected counts in float32", lambda true_expected, sampled_expected, **a: F["sampled_softmax"](true_expected=at_float32(true_expected), sampled_expected=at_float32(sampled_expected), **a)),
    Mutant("float32-counts", "nce", "expected counts in float32", lambda true_expected, sampled_expected, **a: F["nce"](true_expected=at_float32(true_expected), sampled_expected=at_float32(sampled_expected), **a)),
    Mutant("minus-logsumexp", "adaptive_log_softmax", "z − logsumexp(z) cancels", adaptive_minus_logsumexp),
    Mutant("layers-merged-at-float32", "adaptive_log_softmax", "T·P in float32", lambda projection1, tail1, **a: F["adaptive_log_softmax"](projection1=at_float32(tail1 @ projection1), tail1=np.eye(len(tail1), dtype=tail1.dtype), **a)),
    Mutant("summed-at-float32", "linear_cross_entropy", "a sum over the batch in float32", gradient=lambda c, **a: F["linear_cross_entropy"].gradients(c, **a)["linear_weight"].astype(np.float32).astype(c.dtype), of="linear_weight"),
    Mutant("squares-overflow", "cosine_similarity", "norms of long vectors", lambda input1, input2, axis, eps, negated: (input1 * input2).sum(axis=axis) / np.maximum(np.sqrt((input1**2).sum(axis=axis)), eps) / np.maximum(np.sqrt((input2**2).sum(axis=axis)), eps) * (-1 if negated else 1), in_=FLOAT64),
    Mutant("half-the-square", "cosine_distance", "½·|x − y|², which is the same of unit vectors only", lambda input, target, axis: ((input - target) ** 2).sum(axis=axis, keepdims=True) / 2),
    Mutant("powers-overflow", "pairwise_distance", "powers of long differences", lambda input1, input2, p, eps, keepdim: (np.abs(input1 - input2 + eps) ** p).sum(axis=-1, keepdims=keepdim) ** (1 / p), in_=FLOAT64),
    Mutant("squares-overflow", "triplet_margin_with_distance", "powers of long differences", triplet),
    Mutant("one-pass", "mean_pairwise_squared_error", "n·Σd² − (Σd)² cancels", lambda input, target: 2 * (input.shape[1] * ((input - target) ** 2).sum(axis=1) - (input - target).sum(axis=1) ** 2) / max(input.shape[1] * (input.shape[1] - 1), 1)),
]  # fmt: skip
