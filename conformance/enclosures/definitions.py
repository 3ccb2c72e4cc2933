"""Every function of the catalogue a second time: as a textbook writes it, in balls.

A formula here says what *one sample* gives: one element, one row of classes, one sequence. It
cares for nothing but being obviously right: it cancels, and overflows whatever can overflow; more
bits mend that. Its derivatives are its own, by power series. Nothing is shared with
:mod:`nnconform.reference`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations, takewhile
from typing import Any

from .balls import (
    NAN,
    Ball,
    absolute,
    arb,
    arb_series,
    ball,
    coefficient,
    exp,
    log,
    maximum,
    minimum,
    pi,
    piecewise,
    power,
    sign,
    times,
    total,
)
from .layouts import (
    Layout,
    among,
    by_channel,
    doubled,
    elementwise,
    grouped,
    halves,
    rows,
    sampled,
    sequences,
    through_linear,
    whole,
    whole_samples,
)

Row = Sequence[Ball]


@dataclass(frozen=True)
class Definition:
    """A formula for one sample, and how arrays fall into samples.

    ``discrete`` inputs (a sign, a bit) do not vary. ``roots`` names results that may vanish where no
    float is: ``value``, or the input of a gradient; it may depend on the parameters. Near such a
    root an error counts in units of u·scale. The inputs ``differences`` count by their distance
    from the row's maximum, with a minus from its minimum. Of the inputs ``together`` only differences count: the gradient of one
    is minus the sum of the others', and is conditioned like that sum.
    """

    formula: Callable[..., Any]
    layout: Layout
    discrete: frozenset[str]
    roots: Callable[[dict[str, Any]], str]
    differences: frozenset[str]
    together: frozenset[str]


DEFINITIONS: dict[str, Definition] = {}


def define(
    layout: Layout,
    *,
    discrete: str = "",
    roots: str | Callable[[dict[str, Any]], str] = "",
    differences: str = "",
    together: str = "",
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Enter a formula as the definition of the function of its name."""

    def register(formula: Callable[..., Any]) -> Callable[..., Any]:
        DEFINITIONS[formula.__name__] = Definition(
            formula,
            layout,
            frozenset(discrete.split()),
            roots if callable(roots) else lambda params: roots,
            frozenset(differences.split()),
            frozenset(together.split()),
        )
        return formula

    return register


# -- activations ----------------------------------------------------------------------------------


@define(elementwise)
def step(x: Ball, at_zero: Ball) -> Ball:
    side = sign(x)
    return at_zero if side == 0 else arb(1 if side == 1 else 0)


@define(elementwise)
def linear(x: Ball) -> Ball:
    return x


@define(elementwise)
def sigmoid(x: Ball) -> Ball:
    return 1 / (1 + exp(-x))


@define(elementwise)
def tanh(x: Ball) -> Ball:
    return (exp(x) - exp(-x)) / (exp(x) + exp(-x))


@define(elementwise)
def hard_tanh(x: Ball, min_value: Ball, max_value: Ball) -> Ball:
    return minimum(maximum(x, min_value), max_value)


@define(elementwise)
def relu(x: Ball) -> Ball:
    return maximum(x, 0)


@define(elementwise)
def leaky_relu(x: Ball, slope: Ball) -> Ball:
    return piecewise(x, lambda: slope * x, lambda: x)


@define(by_channel, roots="slope")
def prelu(x: Ball, slope: Ball) -> Ball:
    return leaky_relu(x, slope)


@define(elementwise)
def rrelu(x: Ball, lower: Ball, upper: Ball) -> Ball:
    return leaky_relu(x, (lower + upper) / 2)


@define(elementwise)
def elu(x: Ball, alpha: Ball) -> Ball:
    return piecewise(x, lambda: alpha * (exp(x) - 1), lambda: x)


@define(grouped)
def maxout(x: Row, groups: int) -> Ball:
    largest = x[0]
    for other in x[1:]:
        largest = maximum(largest, other)
    return largest


@define(rows(-1, gives="row"), roots="x", differences="x")
def softmax(x: Row, axis: int = -1) -> Row:
    e = [exp(t) for t in x]
    every = total(e)
    return [t / every for t in e]


@define(rows(-1, gives="row"), roots="x", differences="x")
def log_softmax(x: Row, axis: int = -1) -> Row:
    return [log(p) for p in softmax(x)]


@define(rows(-1), roots="value")
def logsumexp(x: Row, axis: int = -1) -> Ball:
    return log(total([exp(t) for t in x]))


# -- losses: regression ---------------------------------------------------------------------------


@define(elementwise)
def mean_absolute_error(input: Ball, target: Ball) -> Ball:
    return absolute(input - target)


@define(elementwise)
def mean_squared_error(input: Ball, target: Ball, half: bool) -> Ball:
    a = input - target
    return a * a / (2 if half else 1)


@define(elementwise)
def huber(input: Ball, target: Ball, delta: Ball) -> Ball:
    a = absolute(input - target)
    return piecewise(a - delta, lambda: a * a / 2, lambda: delta * (a - delta / 2))


@define(elementwise)
def smooth_l1(input: Ball, target: Ball, beta: Ball) -> Ball:
    a = absolute(input - target)
    if sign(beta) == 0:
        return a
    return piecewise(a - beta, lambda: a * a / (2 * beta), lambda: a - beta / 2)


@define(elementwise, roots="value input target")
def poisson_nll(input: Ball, target: Ball, log_input: bool, full: bool, eps: Ball) -> Ball:
    loss = exp(input) - target * input if log_input else input - target * log(input + eps)
    if full and sign(target - 1) == 1:
        loss = loss + target * log(target) - target + log(2 * pi() * target) / 2
    return loss


# -- losses: two classes --------------------------------------------------------------------------


def _clipped(p: Ball, clip: tuple[Ball, Ball] | None) -> Ball:
    return p if clip is None else maximum(clip[0], minimum(p, clip[1]))


def _smoothed(y: Ball, s: Ball, classes: int) -> Ball:
    return y * (1 - s) + s / classes


def _deviates(params: dict[str, Any]) -> bool:
    """Whether a smoothed target, or an epsilon beside p, is a number that no float is."""
    added = (params["label_smoothing"], params.get("epsilon", 0))
    return any(sign(v) != 0 for v in added)


@define(elementwise, roots=lambda params: "value input target" if _deviates(params) else "")
def binary_cross_entropy(
    input: Ball,
    target: Ball,
    label_smoothing: Ball,
    epsilon: Ball,
    clip: tuple[Ball, Ball] | None,
    log_floor: Ball,
    weight: Ball = 1,
) -> Ball:
    p, y = _clipped(input, clip), _smoothed(target, label_smoothing, 2)
    log_p, log_q = log(p + epsilon), log(1 - p + epsilon)
    if coefficient(log_floor, 0).is_finite():
        log_p, log_q = maximum(log_p, log_floor), maximum(log_q, log_floor)
    return times(weight, -total([times(y, log_p), times(1 - y, log_q)]))


@define(elementwise, roots="input target")
def binary_cross_entropy_with_logits(
    input: Ball, target: Ball, label_smoothing: Ball, weight: Ball = 1, pos_weight: Ball = 1
) -> Ball:
    y = _smoothed(target, label_smoothing, 2)
    return -weight * (pos_weight * y * log(sigmoid(input)) + (1 - y) * log(sigmoid(-input)))


@define(elementwise, discrete="target")
def hinge(input: Ball, target: Ball, labels: str) -> Ball:
    y = 2 * target - 1 if labels == "bit" else target
    return maximum(0, 1 - y * input)


@define(elementwise, discrete="target")
def hinge_embedding(input: Ball, target: Ball, margin: Ball) -> Ball:
    return input if target == 1 else maximum(0, margin - input)


@define(elementwise, discrete="target")
def soft_margin(input: Ball, target: Ball) -> Ball:
    return log(1 + exp(-target * input))


@define(elementwise, discrete="target")
def margin_ranking(input1: Ball, input2: Ball, target: Ball, margin: Ball) -> Ball:
    return maximum(0, -target * (input1 - input2) + margin)


# -- losses: many classes -------------------------------------------------------------------------


def _one_hot(target: Row | int, classes: int) -> Row:
    return [arb(c == target) for c in range(classes)] if isinstance(target, int) else target


def _weighted(
    target: Row | int, weight: Row | None, label_smoothing: Ball, log_p: Sequence[Ball]
) -> Ball:
    """−Σ w·y·log p."""
    classes = len(log_p)
    y = [_smoothed(t, label_smoothing, classes) for t in _one_hot(target, classes)]
    w = weight or [arb(1)] * classes
    return -total([times(w[c], times(y[c], log_p[c])) for c in range(classes)])


@define(rows(1), roots="input", differences="input")
def cross_entropy(
    input: Row,
    target: Row | int,
    ignore_index: int,
    label_smoothing: Ball,
    weight: Row | None = None,
    axis: int = 1,
) -> Ball:
    if isinstance(target, int) and target == ignore_index:
        return arb(0)
    return _weighted(target, weight, label_smoothing, log_softmax(input))


@define(rows(1))
def nll(
    input: Row, target: int, ignore_index: int, weight: Row | None = None, axis: int = 1
) -> Ball:
    if target == ignore_index:
        return arb(0)
    return -input[target] * (weight[target] if weight else 1)


@define(rows(1), roots=lambda params: "value input target" if params["normalize"] else "")
def categorical_cross_entropy(
    input: Row,
    target: Row | int,
    label_smoothing: Ball,
    normalize: bool | str,
    clip: tuple[Ball, Ball] | None,
    weight: Row | None = None,
    axis: int = 1,
) -> Ball:
    p = list(input)
    if normalize is True:
        p = [t / total(input) for t in p]
    p = [_clipped(t, clip) for t in p]
    if normalize == "after":
        p = [t / total(p) for t in p]
    return _weighted(target, weight, label_smoothing, [log(t) for t in p])


@define(elementwise, roots="value target")
def kl_divergence(
    input: Ball,
    target: Ball,
    log_target: bool,
    log_input: bool,
    clip: tuple[Ball, Ball] | None,
) -> Ball:
    if log_target:
        return exp(target) * (target - input)
    y = _clipped(target, clip)
    return times(y, log(y)) - times(y, input if log_input else log(_clipped(input, clip)))


@define(rows(1))
def multi_margin(input: Row, target: int, p: int, margin: Ball, weight: Row | None = None) -> Ball:
    w = weight[target] if weight else 1
    terms = [maximum(0, margin - input[target] + t) for i, t in enumerate(input) if i != target]
    return w * total([power(t, arb(p)) for t in terms]) / len(input)


@define(rows(1))
def multilabel_margin(input: Row, target: Sequence[int]) -> Ball:
    chosen = list(takewhile(lambda c: c >= 0, target))
    others = [i for i in range(len(input)) if i not in chosen]
    terms = [maximum(0, 1 - (input[j] - input[i])) for j in chosen for i in others]
    return total(terms) / len(input)


@define(rows(1), roots="input")
def multilabel_soft_margin(input: Row, target: Row, weight: Row | None = None) -> Ball:
    w = weight or [arb(1)] * len(input)
    terms = (
        binary_cross_entropy_with_logits(x, y, arb(0)) for x, y in zip(input, target, strict=True)
    )
    return total([w[c] * term for c, term in enumerate(terms)]) / len(input)


# -- losses: embeddings ---------------------------------------------------------------------------


@define(rows(-1), discrete="target", roots="value input1 input2")
def cosine_embedding(input1: Row, input2: Row, target: Ball, margin: Ball, epsilon: Ball) -> Ball:
    def dot(a: Row, b: Row) -> Ball:
        return total([s * t for s, t in zip(a, b, strict=True)])

    squares = dot(input1, input1) + epsilon, dot(input2, input2) + epsilon
    if 0 in map(sign, squares):
        return NAN
    cosine = dot(input1, input2) / (squares[0].sqrt() * squares[1].sqrt())
    return 1 - cosine if target == 1 else maximum(0, cosine - margin)


@define(rows(-1), roots="value anchor positive negative", together="anchor positive negative")
def triplet_margin(
    anchor: Row, positive: Row, negative: Row, margin: Ball, p: Ball, swap: bool, eps: Ball
) -> Ball:
    far = pairwise_distance(anchor, negative, p, eps)
    if swap:
        far = minimum(far, pairwise_distance(positive, negative, p, eps))
    return maximum(0, pairwise_distance(anchor, positive, p, eps) - far + margin)


# -- losses: sequences ----------------------------------------------------------------------------


@define(sequences, roots="value log_probs")
def ctc(
    log_probs: Sequence[Row],
    targets: Sequence[int],
    input_lengths: int,
    target_lengths: int,
    blank: int,
    zero_infinity: bool,
    from_logits: bool,
) -> Ball:
    """−log of the summed probability of every alignment (Graves et al. 2006, equations 5 to 8)."""
    frames = [log_softmax(x) if from_logits else x for x in log_probs[:input_lengths]]
    labels = [blank]
    for label in targets[:target_lengths]:
        labels += [label, blank]
    # forward[s]: the probability of having read the labels up to the s-th, there at last
    forward: list[Ball] = [arb(1)] + [arb(0)] * (len(labels) - 1)
    for t, frame in enumerate(frames):
        before, forward = forward, []
        for s, label in enumerate(labels):
            ways = [before[s]] if t or s == 0 else []
            if s >= 1:
                ways.append(before[s - 1])
            if t and s >= 2 and label != blank and label != labels[s - 2]:
                ways.append(before[s - 2])
            forward.append(total(ways) * exp(frame[label]))
    likelihood = total(forward[-2:] if frames else forward[-1:])
    if zero_infinity and sign(likelihood) == 0:
        return arb(0)
    return -log(likelihood)


# -- activations: gated and smooth rectifiers -------------------------------------------------------


@define(elementwise, roots="x")
def silu(x: Ball, beta: Ball) -> Ball:
    return x / (1 + exp(-beta * x))


@define(elementwise, roots="x")
def gelu(x: Ball, approximate: str) -> Ball:
    if approximate == "tanh":
        u = (2 / pi()).sqrt() * (x + arb("0.044715") * x * x * x)
        return x * (1 - 2 / (exp(2 * u) + 1) + 1) / 2
    return x * (1 + (x / arb(2).sqrt()).erf()) / 2


@define(elementwise, roots="x")
def mish(x: Ball) -> Ball:
    square = (1 + exp(x)) * (1 + exp(x))
    return x * (square - 1) / (square + 1)


@define(elementwise)
def softplus(x: Ball, beta: Ball, threshold: Ball) -> Ball:
    def smooth() -> Ball:
        return log(1 + exp(beta * x)) / beta

    if not coefficient(threshold, 0).is_finite() or sign(beta * x - threshold) == 0:
        return smooth()
    return piecewise(beta * x - threshold, smooth, lambda: x)


@define(elementwise)
def log_sigmoid(x: Ball) -> Ball:
    return log(sigmoid(x))


@define(elementwise)
def selu(x: Ball) -> Ball:
    """The fixed point of Klambauer et al. 2017, equation 14."""
    e, a, b = arb(1).exp(), (1 / arb(2).sqrt()).erfc(), arb(2).sqrt().erfc()
    alpha = -(2 / pi()).sqrt() / (a * e.sqrt() - 1)
    inner = 2 * b * e * e + pi() * a * a * e - 2 * (2 + pi()) * a * e.sqrt() + pi() + 2
    scale = (1 - a * e.sqrt()) * (2 * pi()).sqrt() / inner.sqrt()
    return scale * elu(x, alpha)


@define(elementwise)
def celu(x: Ball, alpha: Ball) -> Ball:
    return piecewise(x, lambda: alpha * (exp(x / alpha) - 1), lambda: x)


@define(elementwise)
def softsign(x: Ball) -> Ball:
    return x / (1 + absolute(x))


@define(elementwise)
def exponential(x: Ball) -> Ball:
    return exp(x)


@define(elementwise)
def squareplus(x: Ball, b: Ball) -> Ball:
    if sign(b) == 0:
        return relu(x)
    return (x + (x * x + b).sqrt()) / 2


# -- losses: regression, further ------------------------------------------------------------------


@define(elementwise, roots="value var")
def gaussian_nll(input: Ball, target: Ball, var: Ball, full: bool, eps: Ball) -> Ball:
    kept = sign(var - eps) == 1
    v = var if kept else eps + (var - coefficient(var, 0))  # the clamp is not differentiated
    return (log(v * (2 * pi() if full else 1)) + (input - target) * (input - target) / v) / 2


@define(elementwise)
def log_cosh(input: Ball, target: Ball) -> Ball:
    a = input - target
    return log((exp(a) + exp(-a)) / 2)


@define(elementwise)
def mean_absolute_percentage_error(input: Ball, target: Ball, epsilon: Ball) -> Ball:
    return 100 * absolute(target - input) / maximum(absolute(target), epsilon)


# -- losses: two classes, further -----------------------------------------------------------------


@define(elementwise, discrete="target")
def squared_hinge(input: Ball, target: Ball, labels: str) -> Ball:
    margin = hinge(input, target, labels)
    return margin * margin


@define(elementwise)
def l2_loss(input: Ball) -> Ball:
    return input * input / 2


def parameter(value: Any) -> Any:
    """A parameter as formulas take it: real numbers as balls, switches and counts as they are."""
    if isinstance(value, tuple):
        return tuple(map(ball, value))
    return ball(value) if isinstance(value, float) else value


# -- activations: piecewise linear and shrinking ---------------------------------------------------


def _beyond(at: Ball, inside: Callable[[], Ball], outside: Callable[[], Ball]) -> Ball:
    """``outside()`` where ``at`` > 0, else ``inside()``; what jumps has one value at the jump."""
    return inside() if sign(at) == 0 else piecewise(at, inside, outside)


@define(elementwise)
def relu6(x: Ball) -> Ball:
    return minimum(maximum(x, 0), 6)


@define(elementwise)
def hard_sigmoid(x: Ball) -> Ball:
    return minimum(maximum(x / 6 + ball(1) / 2, 0), 1)


@define(elementwise)
def hard_swish(x: Ball) -> Ball:
    return x * hard_sigmoid(x)


@define(elementwise)
def hard_shrink(x: Ball, threshold: Ball) -> Ball:
    return _beyond(absolute(x) - threshold, lambda: arb(0), lambda: x)


@define(elementwise)
def tanh_shrink(x: Ball) -> Ball:
    return x - tanh(x)


@define(elementwise)
def threshold(x: Ball, threshold: Ball, value: Ball) -> Ball:
    return _beyond(x - threshold, lambda: value, lambda: x)


@define(elementwise)
def sparse_plus(x: Ball) -> Ball:
    return piecewise(
        x + 1, lambda: arb(0), lambda: piecewise(x - 1, lambda: (x + 1) ** 2 / 4, lambda: x)
    )


@define(elementwise)
def sparse_sigmoid(x: Ball) -> Ball:
    return minimum(maximum((x + 1) / 2, 0), 1)


# -- activations along an axis ---------------------------------------------------------------------


@define(rows(-1, gives="row"), roots="x", differences="-x")
def softmin(x: Row, axis: int = -1) -> Row:
    e = [exp(-t) for t in x]
    every = total(e)
    return [t / every for t in e]


@define(halves)
def glu(x: Row, axis: int = -1) -> Ball:
    a, b = x
    return a * sigmoid(b)


@define(doubled)
def crelu(x: Ball, axis: int = -1) -> Row:
    return [maximum(x, 0), maximum(-x, 0)]


def _either(at: Ball, below: Ball, above: Ball) -> Ball:
    return piecewise(at, lambda: below, lambda: above)


@define(rows(-1, gives="row"), roots="x", differences="x")
def sparsemax(x: Row, axis: int = -1) -> Row:
    """Algorithm 1 of Martins & Astudillo 2016: sort, find the support, subtract the threshold."""
    ordered = sorted(x, key=lambda t: float(coefficient(t, 0)), reverse=True)
    tau, sums = ordered[0] - 1, ordered[0]
    for k in range(2, len(x) + 1):
        sums = sums + ordered[k - 1]
        tau = _either(ordered[k - 1] - (sums - 1) / k, tau, (sums - 1) / k)
    return [maximum(t - tau, 0) for t in x]


# -- activations: shrinking and rectifying, further ------------------------------------------------


@define(elementwise)
def soft_shrink(x: Ball, threshold: Ball) -> Ball:
    return maximum(x - threshold, 0) + minimum(x + threshold, 0)


@define(elementwise)
def thresholded_relu(x: Ball, max_value: Ball, threshold: Ball, slope: Ball) -> Ball:
    def above() -> Ball:
        return minimum(x, max_value) if coefficient(max_value, 0).is_finite() else x

    return _beyond(x - threshold, lambda: slope * (x - threshold), above)


# -- losses: logarithms and similarity -------------------------------------------------------------


@define(elementwise)
def mean_squared_logarithmic_error(input: Ball, target: Ball, epsilon: Ball) -> Ball:
    difference = log(1 + maximum(input, epsilon)) - log(1 + maximum(target, epsilon))
    return difference * difference


# -- losses: many classes, further ----------------------------------------------------------------


@define(rows(1))
def categorical_hinge(input: Row, target: Row, axis: int = 1) -> Ball:
    largest, *others = [(1 - y) * x for x, y in zip(input, target, strict=True)]
    for other in others:
        largest = maximum(largest, other)
    return maximum(0, largest - total([y * x for x, y in zip(input, target, strict=True)]) + 1)


# -- focal losses ---------------------------------------------------------------------------------


def _focal(missed: Ball, gamma: Ball) -> Ball:
    """missedᵞ, which is 1 for γ = 0, and has no derivative at 0 for γ < 1."""
    if sign(gamma) == 0:
        return arb(1)
    if sign(missed) == 0 and sign(gamma - 1) == -1 and isinstance(missed, arb_series):
        return arb_series([0, NAN])
    return power(missed, gamma)


@define(elementwise, roots="input target")
def binary_focal(
    input: Ball,
    target: Ball,
    gamma: Ball,
    alpha: Ball,
    apply_class_balancing: bool,
    label_smoothing: Ball,
    from_logits: bool,
    clip: tuple[Ball, Ball] | None,
) -> Ball:
    p, q = (sigmoid(input), sigmoid(-input)) if from_logits else (input, 1 - input)
    y = _smoothed(target, label_smoothing, 2)
    log_p, log_q = (log(p), log(q))
    if clip is not None:
        bound = _clipped(p, clip)
        log_p, log_q = log(bound), log(1 - bound)
    w = y * alpha + (1 - y) * (1 - alpha) if apply_class_balancing else arb(1)
    entropy = -total([times(y, log_p), times(1 - y, log_q)])
    return times(w, times(_focal(y * q + (1 - y) * p, gamma), entropy))


@define(
    rows(1), roots=lambda params: "input" if params["from_logits"] or params["normalize"] else ""
)
def categorical_focal(
    input: Row,
    target: Row,
    gamma: Ball,
    alpha: Ball,
    label_smoothing: Ball,
    from_logits: bool,
    normalize: bool,
    clip: tuple[Ball, Ball] | None,
    weight: Row | None = None,
    axis: int = 1,
) -> Ball:
    p = list(input)
    if from_logits:
        p = softmax(input)
    elif normalize:
        p = [t / total(input) for t in input]
    p = [_clipped(t, clip) for t in p]
    factors = [_focal(1 - t, gamma) for t in p]
    y = [_smoothed(t, label_smoothing, len(p)) for t in target]
    w = weight or [arb(1)] * len(p)
    terms = [times(w[c], times(y[c], times(factors[c], log(p[c])))) for c in range(len(p))]
    return -alpha * total(terms)


@define(rows(1))
def generalized_cross_entropy(input: Row, target: int, q: Ball) -> Ball:
    return (1 - _focal(input[target], q)) / q


# -- losses: overlap of masks ---------------------------------------------------------------------


@define(whole, roots="input target")
def tversky(input: Row, target: Row, alpha: Ball, beta: Ball, epsilon: Ball, batch: bool) -> Ball:
    pairs = list(zip(input, target, strict=True))
    both = total([p * y for p, y in pairs])
    found, missed = total([p * (1 - y) for p, y in pairs]), total([(1 - p) * y for p, y in pairs])
    divisor = both + alpha * found + beta * missed + epsilon
    return NAN if sign(divisor) == 0 else 1 - both / divisor


@define(whole, roots="input target")
def dice(input: Row, target: Row, epsilon: Ball, batch: bool) -> Ball:
    both = total([p * y for p, y in zip(input, target, strict=True)])
    divisor = total(input) + total(target) + epsilon
    return NAN if sign(divisor) == 0 else 1 - 2 * both / divisor


# -- losses that hold the weights of a linear layer ------------------------------------------------


def _linear(input: Row, rows: Sequence[Row], bias: Row | None) -> Row:
    """Wx + b."""
    products = [total([w * x for w, x in zip(row, input, strict=True)]) for row in rows]
    return products if bias is None else [z + b for z, b in zip(products, bias, strict=True)]


#: every result: no float is near where an inner product of any condition vanishes
_LAYER = "value input linear_weight linear_bias target"


@define(through_linear, roots=_LAYER)
def linear_cross_entropy(
    input: Row,
    linear_weight: Sequence[Row],
    target: Row | int,
    ignore_index: int,
    label_smoothing: Ball,
    linear_bias: Row | None = None,
    weight: Row | None = None,
) -> Ball:
    z = _linear(input, linear_weight, linear_bias)
    return cross_entropy(z, target, ignore_index, label_smoothing, weight)


@define(rows(-1), roots="value input1 input2")
def cosine_similarity(input1: Row, input2: Row, axis: int, eps: Ball, negated: bool) -> Ball:
    def length(row: Row) -> Ball:
        square = total([t * t for t in row])
        return eps if sign(square) == 0 else maximum(square.sqrt(), eps)

    lengths = length(input1) * length(input2)
    if sign(lengths) == 0:
        return NAN
    cosine = total([s * t for s, t in zip(input1, input2, strict=True)]) / lengths
    return -cosine if negated else cosine


@define(rows(-1, kept=True), roots="value")
def cosine_distance(input: Row, target: Row, axis: int) -> Ball:
    return 1 - total([s * t for s, t in zip(input, target, strict=True)])


@define(rows(-1), roots="value input1 input2")
def pairwise_distance(input1: Row, input2: Row, p: Ball, eps: Ball, keepdim: bool = False) -> Ball:
    powers = total([power(absolute(s - t + eps), p) for s, t in zip(input1, input2, strict=True)])
    if sign(powers) == 0 or sign(p - 1) == 0:
        return powers  # at the origin every slope of length at most 1 is a subgradient
    return power(powers, 1 / p)


@define(rows(-1), roots="value anchor positive negative", together="anchor positive negative")
def triplet_margin_with_distance(
    anchor: Row, positive: Row, negative: Row, margin: Ball, swap: bool, p: Ball, eps: Ball
) -> Ball:
    return triplet_margin(anchor, positive, negative, margin, p, swap, eps)


@define(whole_samples, roots="value input target")
def mean_pairwise_squared_error(input: Row, target: Row) -> Ball:
    differences = [x - y for x, y in zip(input, target, strict=True)]
    pairs = list(combinations(differences, 2))
    return total([(a - b) * (a - b) for a, b in pairs]) / max(len(pairs), 1)


# -- losses: embeddings of a batch ----------------------------------------------------------------


@define(among, roots="input")
def circle(
    input: Sequence[Row], target: Sequence[int], gamma: Ball, margin: Ball, remove_diagonal: bool
) -> Ball:
    alike, others = [], []
    for j, (vector, label) in enumerate(zip(input, target, strict=True)):
        d = maximum(1 - total([s * t for s, t in zip(input[0], vector, strict=True)]), 0)
        if label != target[0]:
            others.append(exp(gamma * maximum(1 + margin - d, 0) * (1 - margin - d)))
        elif j or not remove_diagonal:
            alike.append(exp(-gamma * maximum(margin + d, 0) * (margin - d)))
    return log(1 + total(alike) * total(others))


def _candidates(
    input: Row,
    linear_weight: Sequence[Row],
    linear_bias: Row,
    target: Sequence[int],
    sampled: Sequence[int],
    true_expected: Row,
    sampled_expected: Row,
    remove_accidental_hits: bool,
) -> tuple[Row, Row]:
    """The logits less log(expected count) of the true classes and of the candidates that are kept."""
    z = _linear(input, linear_weight, linear_bias)
    true = [z[c] - log(e) for c, e in zip(target, true_expected, strict=True)]
    kept = [
        (c, e)
        for c, e in zip(sampled, sampled_expected, strict=True)
        if not (remove_accidental_hits and c in target)
    ]
    return true, [z[c] - log(e) for c, e in kept]


@define(sampled, roots=_LAYER)
def sampled_softmax(**arguments: Any) -> Ball:
    true, others = _candidates(**arguments)
    return -total(log_softmax([*true, *others])[: len(true)]) / len(true)


@define(sampled, roots=_LAYER)
def nce(**arguments: Any) -> Ball:
    true, others = _candidates(**arguments)
    y = ball(1) / len(true)
    return total(
        [y * log(1 + exp(-z)) + (1 - y) * log(1 + exp(z)) for z in true]
        + [log(1 + exp(z)) for z in others]
    )


@define(rows(-1, gives="row"), discrete="mask", roots="x", differences="x")
def masked_softmax(x: Row, mask: Row, axis: int = -1) -> Row:
    e = [exp(t) if sign(m) else arb(0) for t, m in zip(x, mask, strict=True)]
    every = total(e)
    return [t / every if any(map(sign, mask)) else arb(0) for t in e]


@define(rows(-1, gives="row"), roots="x", differences="x")
def gumbel_softmax(x: Row, tau: Ball, hard: bool, axis: int = -1) -> Row:
    """The probability that xᵢ + gᵢ is the largest: of Gumbel variables that is the softmax."""
    return softmax(x)


@define(sampled, roots=f"{_LAYER} head_weight projection1 tail1 projection2 tail2 head_bias")
def adaptive_log_softmax(
    input: Row,
    head_weight: Sequence[Row],
    projection1: Sequence[Row],
    tail1: Sequence[Row],
    projection2: Sequence[Row],
    tail2: Sequence[Row],
    target: int,
    head_bias: Row | None = None,
) -> Ball:
    clusters = [(projection1, tail1), (projection2, tail2)]
    head = log_softmax(_linear(input, head_weight, head_bias))
    start = len(head) - len(clusters)
    if target < start:
        return -head[target]
    for place, (projection, tail) in enumerate(clusters, start):
        if target < start + len(tail):
            inside = log_softmax(_linear(_linear(input, projection, None), tail, None))
            return -head[place] - inside[target - start]
        start += len(tail)
    return NAN
