"""Losses: one room each, with its gradient, domain and source.

A formula gives the *unreduced* losses: one per element, or one per sample where classes, features
or time steps are summed inside. ``reductions.py`` does the rest, with the coefficients that a
loss declares under ``@….mean`` where its mean is not the plain one.

Parameters of domain ``dialect()`` are documented deviations of one framework or another (a clip,
a floor, an epsilon); their defaults give the definition.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np

from . import activations as _before  # noqa: F401  (they come first in the catalogue)
from . import primitives
from .function import axis as an_axis
from .function import between, dialect, integer, loss, one_of, tensor
from .primitives import (
    along,
    exact_sum,
    expm1_rest,
    log1p_rest,
    log_ratio,
    log_sum,
    one_hot,
    over,
    product2,
    scaled_sum,
    sum2,
    times,
    two_product,
    two_sum,
    xlogy,
)

Array = np.ndarray
Weight = Optional[Array]

_REAL_PAIR = {"input": tensor("real"), "target": tensor("real")}


def _scaled(losses: Array, weight: Weight) -> Array:
    return losses if weight is None else times(weight, losses)


# -- regression -----------------------------------------------------------------------------------


@loss(
    inputs=_REAL_PAIR,
    nonnegative=True,
    zero_at_agreement=True,
    symmetric=True,
    source="torch.nn.L1Loss",
)
def mean_absolute_error(input: Array, target: Array) -> Array:
    """|x − y|."""
    return np.abs(input - target)


@mean_absolute_error.derivative
def _(input: Array, target: Array) -> dict[str, Array]:
    sign = np.sign(input - target)
    return {"input": sign, "target": -sign}


@mean_absolute_error.kinks
def _() -> dict[str, list[float]]:
    return {"input": [0.0, 1.5, -3.0], "target": [0.0, 1.5, -3.0]}


@loss(
    inputs=_REAL_PAIR,
    params={"half": one_of(False, True)},
    nonnegative=True,
    zero_at_agreement=True,
    symmetric=True,
    source="torch.nn.MSELoss",
)
def mean_squared_error(input: Array, target: Array, *, half: bool = False) -> Array:
    """(x − y)², or ½(x − y)² in the ``half`` form whose gradient is x − y."""
    a = input - target
    return a * (a * 0.5 if half else a)


@mean_squared_error.derivative
def _(input: Array, target: Array, *, half: bool) -> dict[str, Array]:
    slope = (input - target) * (1 if half else 2)
    return {"input": slope, "target": -slope}


@loss(
    inputs=_REAL_PAIR,
    params={"delta": between(0, 100, 1.0, 0.5, 2.0, 1.345, open_low=True)},
    nonnegative=True,
    zero_at_agreement=True,
    symmetric=True,
    source="Huber 1964, doi:10.1214/aoms/1177703732; torch.nn.HuberLoss",
)
def huber(input: Array, target: Array, *, delta: float = 1.0) -> Array:
    """With a = |x − y|: ½a² where a ≤ δ, δ(a − ½δ) beyond. Equals δ·smooth_l1 with β = δ."""
    a = np.abs(input - target)
    linear = delta * (a - 0.5 * delta)
    if np.isinf(a).any():  # δ·a may be a number where a is none
        halves = delta * (np.abs(input / 2 - target / 2) - 0.25 * delta)
        linear = np.where(np.isinf(a), 2 * halves, linear)
    return np.where(a <= delta, a * (0.5 * a), linear)


@huber.derivative
def _(input: Array, target: Array, *, delta: float) -> dict[str, Array]:
    slope = np.clip(input - target, -delta, delta)
    return {"input": slope, "target": -slope}


@loss(
    inputs=_REAL_PAIR,
    params={"beta": between(0, 100, 1.0, 0.5, 2.0, 0.0)},
    nonnegative=True,
    zero_at_agreement=True,
    symmetric=True,
    source="https://arxiv.org/abs/1504.08083; torch.nn.SmoothL1Loss",
)
def smooth_l1(input: Array, target: Array, *, beta: float = 1.0) -> Array:
    """With a = |x − y|: ½a²/β where a < β, a − ½β beyond; |x − y| for β = 0."""
    a = np.abs(input - target)
    if beta == 0:
        return a
    return np.where(a < beta, 0.5 * a * (a / beta), a - 0.5 * beta)


@smooth_l1.derivative
def _(input: Array, target: Array, *, beta: float) -> dict[str, Array]:
    a = input - target
    slope = np.sign(a) if beta == 0 else np.clip(a / beta, -1, 1)
    return {"input": slope, "target": -slope}


@loss(
    inputs={"input": tensor("real"), "target": tensor("count")},
    params={
        "log_input": one_of(True, False),
        "full": one_of(False, True),
        "eps": between(0, 1, 1e-8, open_low=True),
    },
    kind_of={"input": lambda p: "real" if p["log_input"] else "positive"},
    jumps={"target": (1,)},  # where Stirling's terms begin
    source="torch.nn.PoissonNLLLoss",
)
def poisson_nll(
    input: Array, target: Array, *, log_input: bool = True, full: bool = False, eps: float = 1e-8
) -> Array:
    """eˣ − y·x, or x − y·log(x + eps) without ``log_input``.

    ``full`` adds Stirling's y·log y − y + ½·log(2πy) where y > 1.
    """
    if log_input:
        half = np.exp(input / 2)  # where both terms overflow, eˣ/x does not, or is the larger
        losses = np.where(
            input > 500, input * (half / input * half - target), np.exp(input) - target * input
        )
    else:
        losses = input - target * log_sum(input, eps)
    if full:
        y = np.where(target > 1, target, 1)
        # with Stirling's terms all that is left near the root is y·(eᵗ − 1 − t) for t = x − log y
        if log_input:
            excess = y * expm1_rest(input - np.log(y))
        else:
            over_y = exact_sum(input, eps, -y) / y
            far = over_y - log_ratio(input + eps, y)
            excess = y * np.where(np.abs(over_y) < 0.5, -log1p_rest(over_y), far) - eps
        losses = np.where(target > 1, excess + 0.5 * np.log(_tau(y) * y), losses)
    return losses


def _tau(like: Array) -> Any:
    """2π at the width of ``like``."""
    return 8 * np.arctan(np.ones((), like.dtype))


@poisson_nll.derivative
def _(input: Array, target: Array, *, log_input: bool, full: bool, eps: float) -> dict[str, Array]:
    if log_input:
        gradient, slope = np.exp(input) - target, -input
    else:
        gradient = exact_sum(input, eps, -target) / (input + eps)
        slope = -log_sum(input, eps)
    if full:
        y = np.where(target > 1, target, 1)
        if log_input:
            stirling = np.log(y) - input
        else:
            over_y = exact_sum(input, eps, -y) / y
            near = np.abs(over_y) < 0.5
            stirling = np.where(near, -np.log1p(over_y), log_ratio(y, input + eps))
        slope = np.where(target > 1, stirling + 0.5 / y, slope)
    return {"input": gradient, "target": slope}


@poisson_nll.intermediate
def _(input: Array, target: Array, *, log_input: bool, full: bool, eps: float) -> Array:
    y = np.where(target > 1, target, 1)
    return y * np.log(y) + y + 1 if full else np.zeros_like(input)


# -- two classes ----------------------------------------------------------------------------------


def _clipped(p: Array, clip: tuple[float, float] | None) -> Array:
    return p if clip is None else np.minimum(np.maximum(p, clip[0]), clip[1])


def _kept(like: Array, label_smoothing: float) -> Any:
    """1 − s at the width of ``like``."""
    return 1 - like.dtype.type(label_smoothing)


def _smoothed(target: Array, label_smoothing: float, classes: int) -> Array:
    """y·(1 − s) + s/C at the width of the target."""
    share = target.dtype.type(label_smoothing) / target.dtype.type(classes)
    return target * _kept(target, label_smoothing) + share


def _smoothed_bits(target: Array, label_smoothing: float) -> tuple[Array, Array]:
    """The smoothed target and 1 less it, both to the last digit."""
    return _smoothed(target, label_smoothing, 2), _smoothed(1 - target, label_smoothing, 2)


def _inside(p: Array, clip: tuple[float, float] | None) -> Array | float:
    """The derivative of the clip."""
    return 1.0 if clip is None else ((p >= clip[0]) & (p <= clip[1])).astype(p.dtype)


@loss(
    inputs={
        "input": tensor("probability"),
        "target": tensor("bit", "probability", differentiable=True),
        "weight": tensor("weight", optional=True),
    },
    params={
        "label_smoothing": between(0, 1, 0.0, 0.1),
        "epsilon": dialect(),
        "clip": dialect(),
        "log_floor": dialect(),
    },
    nonnegative=lambda p: p["epsilon"] <= 1e-7,
    source="torch.nn.BCELoss",
)
def binary_cross_entropy(
    input: Array,
    target: Array,
    weight: Weight = None,
    *,
    label_smoothing: float = 0.0,
    epsilon: float = 0.0,
    clip: tuple[float, float] | None = None,
    log_floor: float = -np.inf,
) -> Array:
    """−w·(y·log p + (1 − y)·log(1 − p)), with 0·log 0 = 0.

    ``label_smoothing`` s replaces y by y·(1 − s) + ½s. Dialects: ``epsilon`` is added inside both
    logarithms, ``clip`` bounds p first, ``log_floor`` bounds each logarithm below.
    """
    p = _clipped(input, clip)
    y, rest = _smoothed_bits(target, label_smoothing)
    log_p, log_q = log_sum(p, epsilon), _log_rest(p, epsilon)
    if log_floor > -np.inf:
        log_p, log_q = np.maximum(log_p, log_floor), np.maximum(log_q, log_floor)
    return _scaled(-times(y, log_p) - times(rest, log_q), weight)


def _log_rest(p: Array, epsilon: float) -> Array:
    """log(1 − p + epsilon), exact for p near 0 and near 1."""
    below, lost = two_sum(-p, p.dtype.type(epsilon))
    return np.where(p < 0.5, np.log1p(below) + lost / (1 + below), log_sum(1 - p, epsilon))


@binary_cross_entropy.derivative
def _(
    input: Array,
    target: Array,
    weight: Weight = None,
    *,
    label_smoothing: float,
    epsilon: float,
    clip: tuple[float, float] | None,
    log_floor: float,
) -> dict[str, Array]:
    p, w = _clipped(input, clip), np.ones_like(input) if weight is None else weight
    y, rest = _smoothed_bits(target, label_smoothing)
    # compared with e^floor, not as logarithms, whose rounding would blur where the floor begins
    floor = np.exp(np.longdouble(log_floor))
    above = (p + epsilon > floor) & (1 - p + epsilon > floor)
    by_p = np.where((p + epsilon > floor) | (floor == 0), over(w * y, p + epsilon), 0)
    by_q = np.where((1 - p + epsilon > floor) | (floor == 0), over(w * rest, 1 - p + epsilon), 0)
    # by_q − by_p, which may cancel, over their common denominator
    together = (p + epsilon) * (1 - p + epsilon)
    apart = exact_sum(p, -y, epsilon * (1 - 2 * y))
    ratio = apart / together
    apart = np.where(np.isinf(ratio), w * apart / together, w * ratio)
    # log_q − log_p likewise
    log_p, log_q = log_sum(p, epsilon), _log_rest(p, epsilon)
    logit = np.where(
        (p > 0.25) & (p < 0.75) & above,
        np.log1p((1 - 2 * p) / (p + epsilon)),
        np.maximum(log_q, log_floor) - np.maximum(log_p, log_floor),
    )
    return {
        "input": np.where(above & (together > 0), apart, by_q - by_p) * _inside(input, clip),
        "target": times(w * _kept(input, label_smoothing), logit),
    }


@binary_cross_entropy.intermediate
def _(input: Array, target: Array, weight: Weight = None, **_: Any) -> Array:
    return _scaled(np.ones_like(input), weight)  # log(1 − p), p small


@binary_cross_entropy.gradient_intermediate
def _(input: Array, target: Array, weight: Weight = None, **_: Any) -> dict[str, Array]:
    return {"target": _scaled(np.ones_like(input), weight)}  # log(1 − p), p small


@loss(
    inputs={
        "input": tensor("logits"),
        "target": tensor("bit", "probability", differentiable=True),
        "weight": tensor("weight", optional=True),
        "pos_weight": tensor("weight", optional=True),
    },
    params={"label_smoothing": between(0, 1, 0.0, 0.1)},
    nonnegative=True,
    source="torch.nn.BCEWithLogitsLoss; tf.nn.weighted_cross_entropy_with_logits",
)
def binary_cross_entropy_with_logits(
    input: Array,
    target: Array,
    weight: Weight = None,
    pos_weight: Weight = None,
    *,
    label_smoothing: float = 0.0,
) -> Array:
    """−w·(q·y·log σ(x) + (1 − y)·log(1 − σ(x))) with q = ``pos_weight``.

    Computed as w·(q·y·softplus(−x) + (1 − y)·softplus(x)). ``label_smoothing`` s replaces y by
    y·(1 − s) + ½s.
    """
    y, rest = _smoothed_bits(target, label_smoothing)
    q = np.ones_like(input) if pos_weight is None else pos_weight
    w = np.ones_like(input) if weight is None else weight
    own, other = times(y, primitives.softplus(-input)), times(rest, primitives.softplus(input))
    return times(w * q, own) + times(w, other)


@binary_cross_entropy_with_logits.derivative
def _(
    input: Array,
    target: Array,
    weight: Weight = None,
    pos_weight: Weight = None,
    *,
    label_smoothing: float,
) -> dict[str, Array]:
    y, rest = _smoothed_bits(target, label_smoothing)
    q = 1 if pos_weight is None else pos_weight
    gradient = rest * primitives.sigmoid(input) - q * y * primitives.sigmoid(-input)
    w = _kept(input, label_smoothing) * (np.ones_like(input) if weight is None else weight)
    slope = times(w * q, primitives.softplus(-input)) - times(w, primitives.softplus(input))
    if pos_weight is None:
        slope = -times(w, input)  # softplus(−x) − softplus(x), exactly
        apart = (1 - 2 * target) * _kept(target, label_smoothing)  # 1 − 2·y
        gradient = np.where(np.abs(input) < 1, (np.tanh(input / 2) + apart) / 2, gradient)
    return {
        "input": _scaled(gradient, weight),
        "target": slope,
    }


@binary_cross_entropy_with_logits.intermediate
def _(
    input: Array, target: Array, weight: Weight = None, pos_weight: Weight = None, **_: Any
) -> Array:
    q = 1 if pos_weight is None else pos_weight
    # max(x, 0) − x·y + log1p(e^−|x|)
    return _scaled((np.abs(input) + 1) * (1 + q), weight)


@binary_cross_entropy_with_logits.gradient_intermediate
def _(
    input: Array, target: Array, weight: Weight = None, pos_weight: Weight = None, **_: Any
) -> dict[str, Array]:
    q = 1 if pos_weight is None else pos_weight
    magnitude = (1 + q) * np.ones_like(input)  # σ(x) − y; 1 − σ(x)
    return {
        "input": _scaled(magnitude, weight),
        "target": _scaled(magnitude * (1 + np.abs(input)), weight),
    }


def _signs(target: Array, labels: str) -> Array:
    return 2 * target - 1 if labels == "bit" else target


@loss(
    inputs={"input": tensor("real"), "target": tensor("sign", "bit")},
    params={"labels": dialect()},
    nonnegative=True,
    source="keras.losses.Hinge",
)
def hinge(input: Array, target: Array, *, labels: str = "sign") -> Array:
    """max(0, 1 − y·x) with y = ±1; with ``labels="bit"`` a target of 0 or 1 stands for −1 or 1."""
    return np.maximum(1 - _signs(target, labels) * input, 0)


@hinge.derivative
def _(input: Array, target: Array, *, labels: str) -> dict[str, Array]:
    y = _signs(target, labels)
    active = np.where(np.isnan(input), input, y * input < 1)
    return {"input": -y * active}


@hinge.kinks
def _(labels: str) -> dict[str, list[float]]:
    return {"input": [1.0, -1.0], "target": [1.0, 0.0 if labels == "bit" else -1.0]}


@loss(
    inputs={"input": tensor("real"), "target": tensor("sign")},
    params={"margin": between(-4, 4, 1.0, 0.0)},
    source="torch.nn.HingeEmbeddingLoss",
)
def hinge_embedding(input: Array, target: Array, *, margin: float = 1.0) -> Array:
    """x where y = 1, max(0, margin − x) where y = −1."""
    apart = np.maximum(margin - input, 0)
    return np.where(np.isnan(target), target, np.where(target == 1, input, apart))


@hinge_embedding.derivative
def _(input: Array, target: Array, *, margin: float) -> dict[str, Array]:
    below = np.where(np.isnan(input), input, input < margin)
    return {"input": np.where(target == 1, 1, -below)}


@hinge_embedding.kinks
def _(margin: float) -> dict[str, list[float]]:
    return {"input": [margin], "target": [-1.0]}


@loss(
    inputs={"input": tensor("real"), "target": tensor("sign")},
    nonnegative=True,
    source="torch.nn.SoftMarginLoss",
)
def soft_margin(input: Array, target: Array) -> Array:
    """log(1 + e^(−y·x))."""
    return primitives.softplus(-target * input)


@soft_margin.derivative
def _(input: Array, target: Array) -> dict[str, Array]:
    return {"input": -target * primitives.sigmoid(-target * input)}


@loss(
    inputs={"input1": tensor("real"), "input2": tensor("real"), "target": tensor("sign")},
    params={"margin": between(-4, 4, 0.0, 1.0)},
    nonnegative=True,
    source="torch.nn.MarginRankingLoss",
)
def margin_ranking(input1: Array, input2: Array, target: Array, *, margin: float = 0.0) -> Array:
    """max(0, −y·(x₁ − x₂) + margin)."""
    return np.maximum(_ranking_distance(input1, input2, target, margin), 0)


def _ranking_distance(input1: Array, input2: Array, target: Array, margin: float) -> Array:
    """−y·(x₁ − x₂) + margin."""
    return exact_sum(-target * input1, target * input2, input1.dtype.type(margin))


@margin_ranking.derivative
def _(input1: Array, input2: Array, target: Array, *, margin: float) -> dict[str, Array]:
    z = _ranking_distance(input1, input2, target, margin)
    slope = -target * np.where(np.isnan(z), z, z > 0)
    return {"input1": slope, "input2": -slope}


@margin_ranking.kinks
def _(margin: float) -> dict[str, list[float]]:
    return {"input1": [margin, -margin], "input2": [0.0, 0.0], "target": [1.0, -1.0]}


# -- many classes ---------------------------------------------------------------------------------


def _rows(per_sample: Array, axis: int) -> Array:
    return np.expand_dims(per_sample, axis)


def _selected(
    input: Array, target: Array, weight: Weight, ignore_index: int | None, axis: int
) -> tuple[Array, Array, Array]:
    """One-hot targets, the weight of each sample's class, and which samples count."""
    hot = one_hot(target, input.shape[axis], axis, input.dtype)
    counted = np.ones(target.shape, bool) if ignore_index is None else target != ignore_index
    w = (hot * along(weight, input.ndim, axis, input.dtype)).sum(axis=axis)
    return hot, w, counted


@loss(
    inputs={
        "input": tensor("logits", shape="N C *K"),
        "target": tensor("class_index", "distribution", shape="N C *K", differentiable=True),
        "weight": tensor("weight", shape="C", optional=True),
    },
    params={
        "ignore_index": integer(-100, 5, -100),
        "label_smoothing": between(0, 1, 0.0, 0.1),
        "axis": dialect(),
    },
    coupled="C",
    nonnegative=True,
    shift_invariant="input",
    source="torch.nn.CrossEntropyLoss; https://arxiv.org/abs/1512.00567 (label smoothing)",
)
def cross_entropy(
    input: Array,
    target: Array,
    weight: Weight = None,
    *,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    axis: int = 1,
) -> Array:
    """−Σ_c w_c·y_c·log softmax(x)_c along ``axis``, one loss per sample.

    Targets are class indices, or class probabilities (a floating array shaped like ``input``).
    ``label_smoothing`` s replaces y by (1 − s)·y + s/C. Samples whose index is ``ignore_index``
    are 0 and do not count in the mean, which divides by the sum of the targets' weights;
    with class probabilities it divides by the number of samples.
    """
    y, counted = _soft_target(input, target, ignore_index, label_smoothing, axis)
    w = along(weight, input.ndim, axis, input.dtype)
    halves = times(w * y, primitives.half_log_softmax(input, axis))
    losses = -2 * np.squeeze(primitives.total(halves, axis), axis)
    return np.where(counted, losses, 0)


def _soft_target(
    input: Array, target: Array, ignore_index: int, label_smoothing: float, axis: int
) -> tuple[Array, Array]:
    classes = input.shape[axis]
    if target.dtype.kind in "iu":
        hot, _, counted = _selected(input, target, None, ignore_index, axis)
    else:
        hot, counted = target, np.ones(np.delete(input.shape, axis), bool)
    return _smoothed(hot, label_smoothing, classes), counted


@cross_entropy.mean
def _(
    losses: Array,
    input: Array,
    target: Array,
    weight: Weight = None,
    *,
    ignore_index: int,
    axis: int,
    **_: Any,
) -> Array:
    if target.dtype.kind not in "iu":
        return 1 / np.asarray(losses.size, losses.dtype)
    w, counted = _selected(input, target, weight, ignore_index, axis)[1:]
    return 1 / np.where(counted, w, 0).sum(dtype=losses.dtype)


@cross_entropy.pullback
def _(
    cotangent: Array,
    input: Array,
    target: Array,
    weight: Weight = None,
    *,
    ignore_index: int,
    label_smoothing: float,
    axis: int,
) -> dict[str, Array]:
    y, counted = _soft_target(input, target, ignore_index, label_smoothing, axis)
    w = along(weight, input.ndim, axis, input.dtype)
    c = _rows(np.where(counted, cotangent, 0), axis)
    residual = primitives.log_softmax_pullback(w * y, input, axis)
    gradients = {"input": np.where(c == 0, 0, -c * residual)}
    if target.dtype.kind == "f":
        kept = _kept(input, label_smoothing)
        gradients["target"] = -2 * (c * w * kept * primitives.half_log_softmax(input, axis))
    return gradients


@cross_entropy.intermediate
def _(
    input: Array,
    target: Array,
    weight: Weight = None,
    *,
    ignore_index: int,
    label_smoothing: float,
    axis: int,
) -> Array:
    y, _ = _soft_target(input, target, ignore_index, label_smoothing, axis)
    w = along(weight, input.ndim, axis, input.dtype)
    top = np.abs(np.max(input, axis=axis, keepdims=True))
    return (w * y * (np.abs(input) + top + 1)).sum(axis=axis)  # x − logsumexp(x)


@cross_entropy.gradient_intermediate
def _(
    input: Array,
    target: Array,
    weight: Weight = None,
    *,
    ignore_index: int,
    label_smoothing: float,
    axis: int,
) -> dict[str, Array]:
    y, _ = _soft_target(input, target, ignore_index, label_smoothing, axis)
    w = along(weight, input.ndim, axis, input.dtype)
    wy = w * y
    top = np.abs(np.max(input, axis=axis, keepdims=True))
    return {
        # softmax − one-hot
        "input": wy + primitives.softmax(input, axis) * wy.sum(axis=axis, keepdims=True),
        "target": w * (np.abs(input) + top + 1),
    }


@loss(
    inputs={
        "input": tensor("log_probability", shape="N C *K"),
        "target": tensor("class_index", shape="N *K"),
        "weight": tensor("weight", shape="C", optional=True),
    },
    params={"ignore_index": integer(-100, 5, -100), "axis": dialect()},
    coupled="C",
    source="torch.nn.NLLLoss",
)
def nll(
    input: Array,
    target: Array,
    weight: Weight = None,
    *,
    ignore_index: int = -100,
    axis: int = 1,
) -> Array:
    """−w_y·x_y: the negative log-likelihood of the target class, given log-probabilities.

    Samples whose index is ``ignore_index`` are 0; the mean divides by the sum of the weights of
    the targets that count.
    """
    hot, w, counted = _selected(input, target, weight, ignore_index, axis)
    return np.where(counted, -w * np.where(hot == 1, input, 0).sum(axis=axis), 0)


@nll.mean
def _(
    losses: Array,
    input: Array,
    target: Array,
    weight: Weight = None,
    *,
    ignore_index: int,
    axis: int,
) -> Array:
    _, w, counted = _selected(input, target, weight, ignore_index, axis)
    return 1 / np.where(counted, w, 0).sum(dtype=losses.dtype)


@nll.pullback
def _(
    cotangent: Array,
    input: Array,
    target: Array,
    weight: Weight = None,
    *,
    ignore_index: int,
    axis: int,
) -> dict[str, Array]:
    hot, w, counted = _selected(input, target, weight, ignore_index, axis)
    return {"input": -hot * _rows(np.where(counted, w * cotangent, 0), axis)}


@loss(
    inputs={
        "input": tensor("distribution", shape="N C *K"),
        "target": tensor("distribution", "class_index", shape="N C *K", differentiable=True),
        "weight": tensor("weight", shape="C", optional=True),
    },
    params={
        "label_smoothing": between(0, 1, 0.0, 0.1),
        "axis": dialect(),
        "normalize": dialect(),
        "clip": dialect(),
    },
    coupled="C",
    source="keras.losses.CategoricalCrossentropy",
)
def categorical_cross_entropy(
    input: Array,
    target: Array,
    weight: Weight = None,
    *,
    label_smoothing: float = 0.0,
    axis: int = 1,
    normalize: bool | str = False,
    clip: tuple[float, float] | None = None,
) -> Array:
    """−Σ_c w_c·y_c·log p_c along ``axis``, one loss per sample, with 0·log 0 = 0.

    Targets are probabilities (one-hot rows among them) or class indices. Dialects: ``normalize``
    divides p by its sum first, ``clip`` then bounds it; ``normalize="after"`` divides after that.
    """
    y, _ = _soft_target(input, target, -100, label_smoothing, axis)
    w = along(weight, input.ndim, axis, input.dtype)
    each = times(w * y, _log_p(input, axis, normalize, clip))
    return -np.squeeze(primitives.total(each, axis), axis)


def _log_p(
    input: Array, axis: int, normalize: bool | str, clip: tuple[float, float] | None
) -> Array:
    if normalize == "after":
        return primitives.log_share(_clipped(input, clip), axis)
    if not normalize:
        return np.log(_clipped(input, clip))
    p = input / input.sum(axis=axis, keepdims=True)
    return np.where(
        _inside(p, clip) == 1, primitives.log_share(input, axis), np.log(_clipped(p, clip))
    )


@categorical_cross_entropy.pullback
def _(
    cotangent: Array,
    input: Array,
    target: Array,
    weight: Weight = None,
    *,
    label_smoothing: float,
    axis: int,
    normalize: bool | str,
    clip: tuple[float, float] | None,
) -> dict[str, Array]:
    y, _ = _soft_target(input, target, -100, label_smoothing, axis)
    w = along(weight, input.ndim, axis, input.dtype)
    c = _rows(cotangent, axis)
    by_log_p = -c * w * y
    if normalize == "after":
        by_p = primitives.log_share_pullback(by_log_p, _clipped(input, clip), axis)
        by_p = by_p * _inside(input, clip)
    elif normalize:
        p = input / input.sum(axis=axis, keepdims=True)
        by_p = primitives.log_share_pullback(by_log_p * _inside(p, clip), input, axis)
    else:
        by_p = over(by_log_p, _clipped(input, clip)) * _inside(input, clip)
    gradients = {"input": by_p}
    if target.dtype.kind == "f":
        log_p = _log_p(input, axis, normalize, clip)
        gradients["target"] = -times(c * w * _kept(input, label_smoothing), log_p)
    return gradients


@categorical_cross_entropy.intermediate
def _(
    input: Array,
    target: Array,
    weight: Weight = None,
    *,
    label_smoothing: float,
    axis: int,
    normalize: bool | str,
    clip: tuple[float, float] | None,
) -> Array:
    y, _ = _soft_target(input, target, -100, label_smoothing, axis)
    w = along(weight, input.ndim, axis, input.dtype)
    return (w * y).sum(axis=axis) * bool(normalize)  # log p of a quotient p near 1


@categorical_cross_entropy.gradient_intermediate
def _(
    input: Array,
    target: Array,
    weight: Weight = None,
    *,
    label_smoothing: float,
    axis: int,
    normalize: bool | str,
    clip: tuple[float, float] | None,
) -> dict[str, Array]:
    y, _ = _soft_target(input, target, -100, label_smoothing, axis)
    total = input.sum(axis=axis, keepdims=True) if normalize is True else 1
    w = along(weight, input.ndim, axis, input.dtype)
    wy = w * y
    p = _clipped(input / total, clip)
    by_p = times(wy, 1 / p) + wy.sum(axis=axis, keepdims=True)  # one-hot / p − 1
    return {
        "input": by_p / total * bool(normalize),
        "target": w * np.ones_like(input) * bool(normalize),
    }


@loss(
    inputs={
        "input": tensor("log_probability", shape="S"),
        "target": tensor("probability", "log_probability", shape="S", differentiable=True),
    },
    params={"log_target": one_of(False, True), "log_input": dialect(), "clip": dialect()},
    kind_of={
        "input": lambda p: "log_probability" if p["log_input"] else "probability",
        "target": lambda p: "log_probability" if p["log_target"] else "probability",
    },
    source="torch.nn.KLDivLoss; Kullback & Leibler 1951",
)
def kl_divergence(
    input: Array,
    target: Array,
    *,
    log_target: bool = False,
    log_input: bool = True,
    clip: tuple[float, float] | None = None,
) -> Array:
    """Pointwise y·(log y − x) with x = log q and 0·log 0 = 0; e^y·(y − x) with ``log_target``.

    Dialects: without ``log_input`` the input is q itself; ``clip`` bounds both probabilities.
    """
    if log_target:
        half = np.exp(target / 2)  # e^y alone may be subnormal
        return half * (half * (target - input))
    y = _clipped(target, clip)
    if log_input:
        return xlogy(y, y) - times(y, input)
    return times(y, log_ratio(np.where(y == 0, 1, y), _clipped(input, clip)))


@kl_divergence.derivative
def _(
    input: Array,
    target: Array,
    *,
    log_target: bool,
    log_input: bool,
    clip: tuple[float, float] | None,
) -> dict[str, Array]:
    if log_target:
        half = np.exp(target / 2)
        return {"input": -np.exp(target), "target": half * (half * (target - input + 1))}
    y = _clipped(target, clip)
    if log_input:
        return {"input": -y, "target": (np.log(y) + 1 - input) * _inside(target, clip)}
    q = _clipped(input, clip)
    return {
        "input": over(-y, q) * _inside(input, clip),
        "target": (log_ratio(y, q) + 1) * _inside(target, clip),
    }


@kl_divergence.gradient_intermediate
def _(input: Array, target: Array, **_: Any) -> dict[str, Array]:
    return {"target": np.ones_like(input)}


_CLASSES = tensor("real", shape="N C")


@loss(
    inputs={
        "input": _CLASSES,
        "target": tensor("class_index", shape="N"),
        "weight": tensor("weight", shape="C", optional=True),
    },
    params={"p": one_of(1, 2), "margin": between(-2, 4, 1.0, 0.0)},
    coupled="C",
    nonnegative=True,
    source="torch.nn.MultiMarginLoss",
)
def multi_margin(
    input: Array, target: Array, weight: Weight = None, *, p: int = 1, margin: float = 1.0
) -> Array:
    """Σ_{i≠y} w_y·max(0, margin − x_y + x_i)^p / C."""
    z, w = _multi_margin_terms(input, target, weight, margin)
    share = w / input.shape[1]
    each = z(share) if p == 1 else times(share, z(1) ** 2)
    return each.sum(axis=1)


def _multi_margin_terms(
    input: Array, target: Array, weight: Weight, margin: float
) -> tuple[Callable[[Any], Array], Array]:
    """factor·max(0, margin − x_y + x_i) as a function of the factor, and the weights (N, 1)."""
    hot, w, _ = _selected(input, target, weight, None, 1)
    own = np.where(hot == 1, input, 0).sum(axis=1, keepdims=True)

    def z(factor: Any) -> Array:
        terms = scaled_sum(factor, input.dtype.type(margin), -own, input)
        return np.where(hot == 1, 0, np.maximum(terms, 0))

    return z, w[:, None]


@multi_margin.pullback
def _(
    cotangent: Array,
    input: Array,
    target: Array,
    weight: Weight = None,
    *,
    p: int,
    margin: float,
) -> dict[str, Array]:
    z, w = _multi_margin_terms(input, target, weight, margin)
    share = cotangent[:, None] * w / input.shape[1]
    if p == 1:
        distance = z(1)
        each = share * np.where(np.isnan(distance), distance, distance > 0)
    else:
        each = np.sign(share) * z(2 * np.abs(share))
    hot = one_hot(target, input.shape[1], 1, input.dtype)
    return {"input": each - np.where(hot == 1, each.sum(axis=1, keepdims=True), 0)}


def _label_set(target: Array) -> tuple[Array, Array]:
    """Which classes are in each row's set, and which entries of the row come before its end."""
    listed = np.cumprod(target >= 0, axis=1).astype(bool)
    rows = np.arange(len(target))[:, None]
    member = np.zeros(target.shape, bool)
    np.logical_or.at(member, (rows, np.where(listed, target, 0)), listed)
    return member, listed


@loss(
    inputs={"input": _CLASSES, "target": tensor("label_set", shape="N C")},
    coupled="C",
    nonnegative=True,
    source="torch.nn.MultiLabelMarginLoss",
)
def multilabel_margin(input: Array, target: Array) -> Array:
    """Σ_{j in targets} Σ_{i not in targets} max(0, 1 − (x_j − x_i)) / C.

    Each row of ``target`` lists class indices, ended by −1 (what follows is ignored).
    """
    return _multilabel_terms(input, target, 1 / input.dtype.type(input.shape[1])).sum(axis=(1, 2))


def _multilabel_terms(input: Array, target: Array, factor: Any) -> Array:
    """factor·max(0, 1 − (x_j − x_i)), shaped (N, j, i)."""
    member, listed = _label_set(target)
    chosen = np.take_along_axis(input, np.where(listed, target, 0), axis=1)
    one = input.dtype.type(1)
    z = np.maximum(scaled_sum(factor, one, -chosen[:, :, None], input[:, None, :]), 0)
    return np.where(listed[:, :, None] & ~member[:, None, :], z, 0)


@multilabel_margin.pullback
def _(cotangent: Array, input: Array, target: Array) -> dict[str, Array]:
    z = _multilabel_terms(input, target, 1)
    _, listed = _label_set(target)
    each = np.where(np.isnan(z), z, z > 0) * cotangent[:, None, None] / input.shape[1]
    gradient = each.sum(axis=1)
    rows = np.arange(len(target))[:, None]
    np.subtract.at(gradient, (rows, np.where(listed, target, 0)), each.sum(axis=2))
    return {"input": gradient}


@loss(
    inputs={
        "input": tensor("logits", shape="N C"),
        "target": tensor("bit", shape="N C", differentiable=True),
        "weight": tensor("weight", shape="C", optional=True),
    },
    coupled="C",
    nonnegative=True,
    source="torch.nn.MultiLabelSoftMarginLoss",
)
def multilabel_soft_margin(input: Array, target: Array, weight: Weight = None) -> Array:
    """−Σ_c w_c·(y_c·log σ(x_c) + (1 − y_c)·log σ(−x_c)) / C."""
    share = along(weight, input.ndim, 1, input.dtype) / input.shape[1]
    each = times(share * target, primitives.softplus(-input))
    each = each + times(share * (1 - target), primitives.softplus(input))
    return each.sum(axis=1)


@multilabel_soft_margin.pullback
def _(cotangent: Array, input: Array, target: Array, weight: Weight = None) -> dict[str, Array]:
    c = cotangent[:, None] * along(weight, input.ndim, 1, input.dtype) / input.shape[1]
    own = (1 - target) * primitives.sigmoid(input) - target * primitives.sigmoid(-input)
    return {"input": c * own, "target": -c * input}


@multilabel_soft_margin.intermediate
def _(input: Array, target: Array, weight: Weight = None) -> Array:
    w = along(weight, input.ndim, 1, input.dtype)
    return (w * (1 + np.abs(input))).sum(axis=1) / input.shape[1]


@multilabel_soft_margin.gradient_intermediate
def _(input: Array, target: Array, weight: Weight = None) -> dict[str, Array]:
    w = along(weight, input.ndim, 1, input.dtype) * np.ones_like(input) / input.shape[1]
    return {"input": w, "target": w * (1 + np.abs(input))}


# -- embeddings -----------------------------------------------------------------------------------

_FEATURES = tensor("feature", shape="N D")


@loss(
    inputs={
        "input1": _FEATURES,
        "input2": _FEATURES,
        "target": tensor("sign", shape="N"),
    },
    params={"margin": between(-1, 1, 0.0, 0.5), "epsilon": dialect()},
    coupled="D",
    nonnegative=True,
    source="torch.nn.CosineEmbeddingLoss",
)
def cosine_embedding(
    input1: Array, input2: Array, target: Array, *, margin: float = 0.0, epsilon: float = 0.0
) -> Array:
    """1 − cos(x₁, x₂) where y = 1, max(0, cos(x₁, x₂) − margin) where y = −1.

    Dialect: ``epsilon`` is added to both squared norms.
    """
    together, beyond = _cosines(_wide(input1), _wide(input2), margin, epsilon)
    losses = np.where(target == 1, together, np.maximum(beyond, 0))
    return np.where(np.isnan(target), target, losses).astype(input1.dtype)


def _wide(x: Array) -> Array:
    """In the widest precision, whose range holds sums and products of any two float64 numbers."""
    return x.astype(np.longdouble)


def _cosines(input1: Array, input2: Array, margin: Any, epsilon: float) -> tuple[Array, Array]:
    """1 − cos and cos − margin, without their cancellation near ±1."""
    a, _, short1 = _direction(input1, epsilon)
    b, _, short2 = _direction(input2, epsilon)
    short = (short1 + short2)[..., 0]
    cosine = (a * b).sum(axis=-1)
    less = (((a - b) ** 2).sum(axis=-1) + short) / 2  # 1 − cos
    more = (((a + b) ** 2).sum(axis=-1) + short) / 2  # 1 + cos
    low, high = 1 + _wide(np.asarray(margin)), 1 - _wide(np.asarray(margin))
    beyond = np.where(
        cosine > 0.5, high - less, np.where(cosine < -0.5, more - low, cosine - margin)
    )
    return less, beyond


def _direction(x: Array, epsilon: float) -> tuple[Array, Array, Array]:
    """x/‖x‖, ‖x‖ and 1 − |x/‖x‖|² = epsilon/‖x‖², with ‖x‖² = Σx² + epsilon."""
    top = np.maximum(np.abs(x).max(axis=-1, keepdims=True), np.sqrt(x.dtype.type(epsilon)))
    norm = np.sqrt(((x / top) ** 2).sum(axis=-1, keepdims=True) + epsilon / top / top)
    return x / top / norm, top * norm, epsilon / top / top / norm**2


@cosine_embedding.pullback
def _(
    cotangent: Array, input1: Array, input2: Array, target: Array, *, margin: float, epsilon: float
) -> dict[str, Array]:
    a, norm1, short1 = _direction(_wide(input1), epsilon)
    b, norm2, short2 = _direction(_wide(input2), epsilon)
    beyond = _cosines(_wide(input1), _wide(input2), margin, epsilon)[1]
    apart = np.where(np.isnan(beyond), beyond, beyond > 0)
    c = np.expand_dims(cotangent * np.where(target == 1, -1, apart), -1)
    gradients = {
        "input1": c * _across(b, a, short1) / norm1,
        "input2": c * _across(a, b, short2) / norm2,
    }
    return {name: g.astype(input1.dtype) for name, g in gradients.items()}


def _across(b: Array, a: Array, short: Array) -> Array:
    """b − cos·a = Σₖ aₖ·(aₖ·b − bₖ·a) + (1 − |a|²)·b, which does not cancel for nearly parallel ones."""
    turn = a[..., None, :] * b[..., :, None] - b[..., None, :] * a[..., :, None]
    return (turn * a[..., None, :]).sum(axis=-1) + short * b


@cosine_embedding.intermediate
def _(input1: Array, input2: Array, target: Array, *, margin: float, epsilon: float) -> Array:
    return np.ones(target.shape, input1.dtype) * (1 + abs(margin))  # 1 − cos


@cosine_embedding.gradient_intermediate
def _(
    input1: Array, input2: Array, target: Array, *, margin: float, epsilon: float
) -> dict[str, Array]:
    a, norm1, _ = _direction(input1, epsilon)
    b, norm2, _ = _direction(input2, epsilon)
    both = 2 * np.abs(a) + 2 * np.abs(b)  # b − cos·a
    return {"input1": both / norm1, "input2": both / norm2}


@loss(
    inputs={"anchor": _FEATURES, "positive": _FEATURES, "negative": _FEATURES},
    params={
        "margin": between(0, 4, 1.0, open_low=True),
        "p": between(1, 4, 2.0, 1.0, 3.0),
        "swap": one_of(False, True),
        "eps": between(0, 0.01, 1e-6),
    },
    coupled="D",
    nonnegative=True,
    source="https://www.bmva-archive.org.uk/bmvc/2016/papers/paper119/; torch.nn.TripletMarginLoss",
)
def triplet_margin(
    anchor: Array,
    positive: Array,
    negative: Array,
    *,
    margin: float = 1.0,
    p: float = 2.0,
    swap: bool = False,
    eps: float = 1e-6,
) -> Array:
    """max(0, d(a, p) − d(a, n) + margin) with d(x, y) = ‖x − y + eps‖_p.

    With ``swap``, d(p, n) stands for d(a, n) where it is the smaller.
    """
    compared, _ = _compared(anchor, positive, negative, p, swap, eps)
    return np.maximum(_longer(compared, p) + margin, 0).astype(anchor.dtype)


def _length(x: Array, p: float) -> tuple[Array, Array]:
    """‖x‖_p as a product of two factors, the largest element being one, so that no power overflows."""
    size = np.abs(x)
    top = size.max(axis=-1, keepdims=True, initial=0)
    top = np.where((top == 0) | ~np.isfinite(top), 1, top)
    powers = (size / top) ** p
    return top[..., 0], powers.sum(axis=-1) ** (1 / np.asarray(p, x.dtype))


def _distance(difference: Array, p: float) -> Array:
    top, length = _length(difference, p)
    return top * length


@dataclass
class _Compared:
    """Two vectors whose lengths are compared, with their difference and their sum.

    These are formed from the inputs: what the two vectors have in common is in neither of them, or
    cannot hurt there, so that lengths much longer than their difference differ exactly.
    """

    u: Array
    v: Array
    difference: Array
    sum: Array


def _compared(
    anchor: Array, positive: Array, negative: Array, p: float, swap: bool, eps: float
) -> tuple[_Compared, Array]:
    """a − p + eps beside a − n + eps, or beside −(p − n + eps) where that is shorter; and where."""
    anchor, positive, negative = _wide(anchor), _wide(positive), _wide(negative)
    e = anchor.dtype.type(eps)
    near, far = exact_sum(anchor, -positive, e), exact_sum(anchor, -negative, e)
    usual = _Compared(
        near, far, negative - positive, exact_sum(anchor, -positive, anchor, -negative, 2 * e)
    )
    if not swap:
        return usual, np.zeros((*near.shape[:-1], 1), bool)
    other = exact_sum(positive, -negative, e)
    both = _Compared(
        far, other, anchor - positive, exact_sum(anchor, -negative, positive, -negative, 2 * e)
    )
    swapped = (_longer(both, p) > 0)[..., None]
    return _Compared(
        near,
        np.where(swapped, -other, far),
        np.where(swapped, exact_sum(anchor, -negative, 2 * e), usual.difference),
        np.where(swapped, exact_sum(anchor, -positive, negative, -positive), usual.sum),
    ), swapped


def _longer(compared: _Compared, p: float) -> Array:
    """‖u‖ − ‖v‖, exactly where the two are much longer: |u| − |v| = (u − v)·(u + v)/(|u| + |v|)."""
    u, v = np.abs(compared.u), np.abs(compared.v)
    top = np.maximum(u, v).max(axis=-1, keepdims=True, initial=0)
    top = np.where((top == 0) | ~np.isfinite(top), 1, top)
    u, v = u / top, v / top
    apart = compared.difference / top * (compared.sum / top)
    each = np.where(v == 0, np.inf, apart / (u + v) / v)  # |u|/|v| − 1
    close = np.abs(each) < 0.5
    powers = v**p
    excess = np.where(
        close, powers * np.expm1(p * np.log1p(np.where(close, each, 0))), u**p - powers
    )
    ratio = excess.sum(axis=-1) / powers.sum(axis=-1)
    alike = np.abs(ratio) < 0.5
    scale, far = _length(compared.v, p)
    longer = np.expm1(np.log1p(np.where(alike, ratio, 0)) / u.dtype.type(p))
    return np.where(
        alike, scale * (far * longer), _distance(compared.u, p) - _distance(compared.v, p)
    )


def _distance_slope(difference: Array, p: float) -> Array:
    """∂‖d‖_p/∂d = sign(d)·(|d| / ‖d‖_p)^(p − 1); 0 at the origin."""
    top, length = _length(difference, p)
    ratio = np.abs(difference) / top[..., None] / np.where(length == 0, 1, length)[..., None]
    return np.sign(difference) * (ratio ** (p - 1) if p != 1 else 1)


@triplet_margin.pullback
def _(
    cotangent: Array,
    anchor: Array,
    positive: Array,
    negative: Array,
    *,
    margin: float,
    p: float,
    swap: bool,
    eps: float,
) -> dict[str, Array]:
    compared, swapped = _compared(anchor, positive, negative, p, swap, eps)
    z = _longer(compared, p) + margin
    c = np.expand_dims(cotangent * np.where(np.isnan(z), z, z > 0), -1)
    by_u, by_v = c * _distance_slope(compared.u, p), c * _distance_slope(compared.v, p)
    gradients = {
        "anchor": np.where(swapped, by_u, by_u - by_v),
        "positive": np.where(swapped, by_v - by_u, -by_u),
        "negative": np.where(swapped, -by_v, by_v),
    }
    return {name: g.astype(anchor.dtype) for name, g in gradients.items()}


def _powers(distance: Array, p: float) -> Array | float:
    """What (Σ|d|^p)^(1/p) loses by the rounding of 1/p: |log Σ|d|^p|/p, nothing for p = 1 and 2."""
    return 0.0 if p in (1, 2) else np.abs(np.log(np.where(distance == 0, 1, distance)))


@triplet_margin.intermediate
def _(
    anchor: Array,
    positive: Array,
    negative: Array,
    *,
    margin: float,
    p: float,
    swap: bool,
    eps: float,
) -> Array:
    distances = _distances(anchor, positive, negative, p, eps)
    each = [d * (1 + _powers(d, p)) for d in distances[: 3 if swap else 2]]
    return np.sum(each, axis=0) + margin


def _distances(
    anchor: Array, positive: Array, negative: Array, p: float, eps: float
) -> list[Array]:
    pairs = (anchor, positive), (anchor, negative), (positive, negative)
    return [_distance(a - b + eps, p) for a, b in pairs]


@triplet_margin.gradient_intermediate
def _(
    anchor: Array,
    positive: Array,
    negative: Array,
    *,
    margin: float,
    p: float,
    swap: bool,
    eps: float,
) -> dict[str, Array]:
    most = np.ones(anchor.shape[:-1], anchor.dtype)
    for distance in _distances(anchor, positive, negative, p, eps):
        most = np.maximum(most, 1 + _powers(distance, p) * (p - 1))
    two = 2 * np.ones_like(anchor) * most[..., None]
    return {"anchor": two, "positive": two, "negative": two}


# -- sequences ------------------------------------------------------------------------------------


@loss(
    inputs={
        "log_probs": tensor("log_probability", "logits", shape="T N C"),
        "targets": tensor("labels", shape="N L"),
        "input_lengths": tensor("lengths", shape="N"),
        "target_lengths": tensor("target_lengths", shape="N"),
    },
    params={
        "blank": integer(0, 2, 0, 1),
        "zero_infinity": one_of(False, True),
        "from_logits": dialect(),
    },
    coupled="T C",
    nonnegative=True,
    source="Graves et al. 2006, doi:10.1145/1143844.1143891; torch.nn.CTCLoss",
)
def ctc(
    log_probs: Array,
    targets: Array,
    input_lengths: Array,
    target_lengths: Array,
    *,
    blank: int = 0,
    zero_infinity: bool = False,
    from_logits: bool = False,
) -> Array:
    """−log Σ over alignments of ``targets`` Π_t p_t: connectionist temporal classification.

    ``log_probs`` has shape (T, N, C); ``targets`` (N, L) without the blank. An alignment repeats
    labels and inserts blanks, at least one blank between equal neighbours. ``zero_infinity``
    makes the loss 0 where no alignment exists. The mean divides each loss by its target length
    (at least 1) and then by N. Dialect: ``from_logits`` applies log_softmax along the classes.
    """
    log_p = primitives.log_softmax(log_probs, 2) if from_logits else log_probs
    losses = -_ctc_forward(log_p, *_ctc_states(targets, target_lengths, blank), input_lengths)[1]
    return np.where(np.isinf(losses), 0, losses) if zero_infinity else losses


def _ctc_states(targets: Array, target_lengths: Array, blank: int) -> tuple[Array, Array, Array]:
    """Labels of the 2L + 1 states, from which states a state may skip, and the last states."""
    n, length = targets.shape
    states = np.full((n, 2 * length + 1), blank, dtype=np.int64)
    states[:, 1::2] = targets
    skip = np.zeros(states.shape, bool)
    skip[:, 2:] = (states[:, 2:] != blank) & (states[:, 2:] != states[:, :-2])
    return states, skip, 2 * np.asarray(target_lengths, np.int64)


def _ctc_forward(
    log_p: Array, states: Array, skip: Array, last: Array, input_lengths: Array
) -> tuple[Array, Array]:
    """log α (T, N, states) and the log-likelihood of each sample."""
    steps, n, _ = log_p.shape
    emit = np.take_along_axis(log_p, np.broadcast_to(states, (steps, *states.shape)), axis=2)
    infinity = np.asarray(-np.inf, log_p.dtype)
    alpha = np.full(emit.shape, infinity)
    state = np.arange(states.shape[1])
    reachable = state <= last[:, None]
    for t in range(steps):
        if t == 0:
            inner = np.where((state < 2) & reachable, 0, infinity)
        else:
            before = alpha[t - 1]
            one = np.pad(before, ((0, 0), (1, 0)), constant_values=-np.inf)[:, :-1]
            two = np.pad(before, ((0, 0), (2, 0)), constant_values=-np.inf)[:, : before.shape[1]]
            inner = np.logaddexp(np.logaddexp(before, one), np.where(skip, two, infinity))
            inner = np.where(reachable, inner, infinity)
        alpha[t] = inner + emit[t]
    rows = np.arange(n)
    end = alpha[np.maximum(input_lengths, 1) - 1, rows]
    final = np.take_along_axis(end, last[:, None], 1)[:, 0]
    earlier = np.take_along_axis(end, np.maximum(last - 1, 0)[:, None], 1)[:, 0]
    likelihood = np.where(last > 0, np.logaddexp(final, earlier), final)
    empty = np.where(last == 0, np.zeros((), log_p.dtype), infinity)
    return alpha, np.where(np.asarray(input_lengths) == 0, empty, likelihood)


@ctc.mean
def _(losses: Array, target_lengths: Array, **_: Any) -> Array:
    return 1 / (np.maximum(target_lengths, 1).astype(losses.dtype) * losses.size)


@ctc.intermediate
def _(log_probs: Array, **_: Any) -> Array:
    return np.ones(log_probs.shape[1], log_probs.dtype)  # log Σ, the sum near 1


@ctc.gradient_intermediate
def _(log_probs: Array, **arguments: Any) -> dict[str, Array]:
    losses = np.abs(ctc(log_probs=log_probs, **arguments))
    # softmax − posterior, the posterior being exp(log α + log β + loss)
    return {
        "log_probs": np.ones_like(log_probs) + np.where(np.isfinite(losses), losses, 0)[:, None]
    }


@ctc.pullback
def _(
    cotangent: Array,
    log_probs: Array,
    targets: Array,
    input_lengths: Array,
    target_lengths: Array,
    *,
    blank: int,
    zero_infinity: bool,
    from_logits: bool,
) -> dict[str, Array]:
    log_p = primitives.log_softmax(log_probs, 2) if from_logits else log_probs
    # a posterior is the exponential of a difference of logarithms: as wide as can be, and as small
    log_p = _wide(log_p)
    highest = log_p.max(axis=2, keepdims=True)
    log_p = log_p - np.where(np.isfinite(highest), highest, 0)
    steps, n = log_p.shape[:2]
    states, skip, last = _ctc_states(targets, target_lengths, blank)
    alpha, likelihood = _ctc_forward(log_p, states, skip, last, input_lengths)
    infinity = np.asarray(-np.inf, log_p.dtype)
    state = np.arange(states.shape[1])
    final = (state == last[:, None]) | ((state == last[:, None] - 1) & (last[:, None] > 0))
    beta = np.where(final, 0, infinity).astype(log_p.dtype)  # of what follows step t
    posterior = np.zeros_like(log_p)
    rows = np.arange(n)[:, None]
    ends = np.asarray(input_lengths)[:, None]
    for t in range(steps - 1, -1, -1):
        if t < steps - 1:
            emitted = beta + np.take_along_axis(log_p[t + 1], states, axis=1)
            one = np.pad(emitted, ((0, 0), (0, 1)), constant_values=-np.inf)[:, 1:]
            two = np.pad(
                np.where(skip, emitted, infinity), ((0, 0), (0, 2)), constant_values=-np.inf
            )[:, 2:]
            moved = np.logaddexp(np.logaddexp(emitted, one), two)
            beta = np.where(t + 1 < ends, moved, np.where(final, 0, infinity))
        occupied = primitives.softmax(alpha[t] + beta, 1)  # the posterior of each state
        np.add.at(posterior[t], (rows, states), np.where(t < ends, occupied, 0))
    gradient = -posterior.astype(log_probs.dtype)
    if from_logits:
        gradient = primitives.log_softmax_pullback(gradient, log_probs, 2)
    c = cotangent[None, :, None]
    impossible = np.isinf(likelihood)[None, :, None]
    lost = 0 if zero_infinity else np.nan
    return {"log_probs": np.where(impossible, lost, c * gradient)}


# -- regression, further --------------------------------------------------------------------------


@loss(
    inputs={"input": tensor("real"), "target": tensor("real"), "var": tensor("positive")},
    params={
        "full": one_of(False, True),
        "eps": between(0, 1, 1e-6, 0.5, open_low=True),
    },
    source="Nix & Weigend 1994, doi:10.1109/ICNN.1994.374138; torch.nn.GaussianNLLLoss",
)
def gaussian_nll(
    input: Array, target: Array, var: Array, *, full: bool = False, eps: float = 1e-6
) -> Array:
    """½(log v + (x − y)²/v) with v = max(var, eps); ``full`` adds ½·log 2π.

    The clamp "is ignored with respect to autograd": its derivative counts as 1.
    """
    v = np.maximum(var, eps)
    half, ratio = _deviation(input, target, v)
    constant = np.log(_tau(v)) if full else 0
    return (np.log(v) + constant) / 2 + half * ratio


def _deviation(input: Array, target: Array, v: Array) -> tuple[Array, Array]:
    """½(x − y), which does not overflow, and (x − y)/v."""
    a = input - target
    half = np.where(np.isinf(a), input / 2 - target / 2, a / 2)
    return half, np.where(np.isinf(a), 2 * (half / v), a / v)


@gaussian_nll.derivative
def _(input: Array, target: Array, var: Array, *, full: bool, eps: float) -> dict[str, Array]:
    v = np.maximum(var, eps)
    half, ratio = _deviation(input, target, v)
    near = (0.5 - half * ratio) / v
    slope = np.where(np.isinf(half * ratio), -0.5 * ratio * ratio, near)
    return {"input": ratio, "target": -ratio, "var": slope}


@loss(
    inputs=_REAL_PAIR,
    nonnegative=True,
    zero_at_agreement=True,
    symmetric=True,
    source="keras.losses.LogCosh",
)
def log_cosh(input: Array, target: Array) -> Array:
    """log cosh(x − y), from log1p(2·sinh²(½(x − y))) near 0, |x − y| − log 2 far away."""
    a = np.abs(input - target)
    near = np.log1p(2 * np.sinh(np.minimum(a, 1) / 2) ** 2)
    return np.where(a < 1, near, a + (np.log1p(np.exp(-2 * a)) - np.log(a.dtype.type(2))))


@log_cosh.derivative
def _(input: Array, target: Array) -> dict[str, Array]:
    slope = np.tanh(input - target)
    return {"input": slope, "target": -slope}


@log_cosh.intermediate
def _(input: Array, target: Array) -> Array:
    return np.ones_like(input)  # log of 1 + ½(x − y)²; a + log(1 + e^−2a) − log 2


@log_cosh.gradient_intermediate
def _(input: Array, target: Array) -> dict[str, Array]:
    one = np.ones_like(input)  # 1 − 2·σ(−2a)
    return {"input": one, "target": one}


@loss(
    inputs=_REAL_PAIR,
    params={"epsilon": dialect()},
    nonnegative=True,
    zero_at_agreement=True,
    source="keras.losses.MeanAbsolutePercentageError",
)
def mean_absolute_percentage_error(input: Array, target: Array, *, epsilon: float = 1e-7) -> Array:
    """100·|x − y|/max(|y|, ε), y being the target. Dialect: ε = ``epsilon`` in another precision."""
    a, divisor = np.abs(input - target), np.maximum(np.abs(target), epsilon)
    half = np.abs(input / 2 - target / 2)
    ratio = np.where(np.isinf(a), 2 * (half / divisor), a / divisor)
    return np.where(a < np.finfo(a.dtype).max / 128, 100 * a / divisor, 100 * ratio)


@mean_absolute_percentage_error.derivative
def _(input: Array, target: Array, *, epsilon: float) -> dict[str, Array]:
    divisor = np.maximum(np.abs(target), epsilon)
    side = np.sign(input - target)
    # 1/|y| + (|x − y|/|y|)′ together are x/y²
    small = np.abs(input) < np.finfo(input.dtype).max / 128
    square = np.where(small, 100 * input / divisor / divisor, input / divisor * (100 / divisor))
    by_target = np.where(np.abs(target) < epsilon, 100 / divisor, np.sign(target) * square)
    return {"input": times(side, 100 / divisor), "target": -times(side, by_target)}


@mean_absolute_percentage_error.gradient_intermediate
def _(input: Array, target: Array, *, epsilon: float) -> dict[str, Array]:
    divisor = np.maximum(np.abs(target), epsilon)
    # 1/|y| and (|x − y|/|y|)/|y|, whose sum is x/y²
    both = 100 / divisor * (1 + np.abs(input - target) / divisor)
    return {"target": both}


@mean_absolute_percentage_error.kinks
def _(epsilon: float) -> dict[str, list[float]]:
    return {"input": [0.5, 1.5, -3.0], "target": [0.5, 1.5, -3.0]}


# -- two classes, further -------------------------------------------------------------------------


@loss(
    inputs={"input": tensor("real"), "target": tensor("sign", "bit")},
    params={"labels": dialect()},
    nonnegative=True,
    source="keras.losses.SquaredHinge",
)
def squared_hinge(input: Array, target: Array, *, labels: str = "sign") -> Array:
    """max(0, 1 − y·x)² with y = ±1; with ``labels="bit"`` a target of 0 or 1 stands for −1 or 1."""
    return hinge.formula(input, target, labels=labels) ** 2


@squared_hinge.derivative
def _(input: Array, target: Array, *, labels: str) -> dict[str, Array]:
    return {"input": -2 * _signs(target, labels) * hinge.formula(input, target, labels=labels)}


@loss(
    inputs={"input": tensor("real")},
    nonnegative=True,
    source="tf.nn.l2_loss",
)
def l2_loss(input: Array) -> Array:
    """½x², summed over all elements by its only reduction."""
    return input * (0.5 * input)


@l2_loss.derivative
def _(input: Array) -> dict[str, Array]:
    return {"input": input}


# -- logarithms and similarity --------------------------------------------------------------------


@loss(
    inputs=_REAL_PAIR,
    params={"epsilon": dialect()},
    nonnegative=True,
    zero_at_agreement=True,
    symmetric=True,
    source="keras.losses.MeanSquaredLogarithmicError",
)
def mean_squared_logarithmic_error(input: Array, target: Array, *, epsilon: float = 1e-7) -> Array:
    """(log(1 + x) − log(1 + y))², numbers below ε counting as ε. Dialect: ε = ``epsilon``."""
    return _log1p_difference(input, target, epsilon) ** 2


def _log1p_difference(input: Array, target: Array, epsilon: float) -> Array:
    """log((1 + x)/(1 + y)), to the last digit near x = y."""
    x, y = np.maximum(input, epsilon), np.maximum(target, epsilon)
    excess = np.log1p(np.abs(x - y) / (1 + np.minimum(x, y)))
    return np.copysign(excess, x - y)


@mean_squared_logarithmic_error.derivative
def _(input: Array, target: Array, *, epsilon: float) -> dict[str, Array]:
    twice = 2 * _log1p_difference(input, target, epsilon)
    return {
        "input": twice / (1 + np.maximum(input, epsilon)) * (input > epsilon),
        "target": -twice / (1 + np.maximum(target, epsilon)) * (target > epsilon),
    }


@mean_squared_logarithmic_error.kinks
def _(epsilon: float) -> dict[str, list[float]]:
    return {"input": [epsilon, 2.0], "target": [1.0, epsilon]}


@mean_squared_logarithmic_error.intermediate
def _(input: Array, target: Array, *, epsilon: float) -> Array:
    twice = 2 * np.abs(_log1p_difference(input, target, epsilon))
    return twice * _logarithms(input, target, epsilon)


@mean_squared_logarithmic_error.gradient_intermediate
def _(input: Array, target: Array, *, epsilon: float) -> dict[str, Array]:
    twice = 2 * _logarithms(input, target, epsilon)
    return {
        "input": twice / (1 + np.maximum(input, epsilon)),
        "target": twice / (1 + np.maximum(target, epsilon)),
    }


def _logarithms(input: Array, target: Array, epsilon: float) -> Array:
    """What log(1 + x) − log(1 + y) may lose: the logarithms, and the rounding of 1 + x and 1 + y."""
    return 1 + np.log1p(np.maximum(input, epsilon)) + np.log1p(np.maximum(target, epsilon))


# -- many classes, further ------------------------------------------------------------------------


@loss(
    inputs={
        "input": tensor("real", shape="N C *K"),
        "target": tensor("bit", "sign", shape="N C *K", differentiable=True),
    },
    params={"axis": dialect()},
    coupled="C",
    nonnegative=True,
    source="keras.losses.CategoricalHinge",
)
def categorical_hinge(input: Array, target: Array, *, axis: int = 1) -> Array:
    """max(0, max_c (1 − y_c)·x_c − Σ_c y_c·x_c + 1) along ``axis``, one loss per sample.

    Targets are 0 or 1, usually one-hot rows, or −1 or 1.
    """
    return np.maximum(_categorical_margin(input, target, axis)[0], 0)


def _categorical_margin(input: Array, target: Array, axis: int) -> tuple[Array, Array]:
    """max (1 − y)·x − Σ y·x + 1, whatever cancels or overflows on the way, and who has the maximum."""
    large = (np.abs(input) > 2.0**900).any(axis=axis, keepdims=True)
    scale = np.where(large, input.dtype.type(2.0**-64), 1)
    own = np.moveaxis(times(target, input * scale), axis, 0)
    others, scaled = times(1 - target, input), times(1 - target, input * scale)
    top, highest = (each.max(axis=axis, keepdims=True) for each in (others, scaled))
    at_top = np.where(np.isinf(top), scaled == highest, others == top)
    highest, scale = np.squeeze(highest, axis), np.squeeze(scale, axis)
    return exact_sum(highest, *-own, scale) / scale, at_top


@categorical_hinge.pullback
def _(cotangent: Array, input: Array, target: Array, *, axis: int) -> dict[str, Array]:
    margin, at_top = _categorical_margin(input, target, axis)
    active = _rows(cotangent * np.where(np.isnan(margin), margin, margin > 0), axis)
    share = at_top / at_top.sum(axis=axis, keepdims=True).astype(input.dtype)
    return {
        "input": active * ((1 - target) * share - target),
        "target": -active * input * (1 + share),
    }


# -- focal losses ---------------------------------------------------------------------------------


def _power(x: Array, gamma: float, order: int = 0) -> Array:
    """A derivative of xᵞ."""
    exponents = x.dtype.type(gamma) - np.arange(order + 1)
    factor = exponents[:-1].prod()
    return factor * x ** exponents[-1] if factor else np.zeros_like(x)


@dataclass(frozen=True)
class _Focus:
    """The parts of w·sᵞ·H: the cross entropy H, the missed share s, the weight w, and their slopes."""

    p: Array
    q: Array
    entropy: Array
    missed: Array
    weight: Array
    #: ∂H/∂p, or ∂H/∂x of a logit x; ∂p/∂x; ∂H/∂y
    entropy_slope: Array
    step: Array | int
    logit: Array
    #: 1 − 2y
    apart: Array

    def power(self, gamma: float, order: int = 0) -> Array:
        return _power(self.missed, gamma, order)


def _focus(
    input: Array,
    target: Array,
    alpha: float,
    apply_class_balancing: bool,
    from_logits: bool,
    label_smoothing: float,
    clip: tuple[float, float] | None,
) -> _Focus:
    x, y = _wide(input), _wide(target)
    apart = (1 - 2 * y) * _kept(y, label_smoothing)
    y, rest = _smoothed_bits(y, label_smoothing)
    if from_logits:
        p, q = primitives.sigmoid(x), primitives.sigmoid(-x)
        log_p, log_q, logit = -primitives.softplus(-x), -primitives.softplus(x), -x
        near = (np.tanh(x / 2) + apart) / 2
        slope, step = np.where(np.abs(x) < 1, near, rest * p - y * q), p * q
    else:
        p, q, step = x, 1 - x, 1
        log_p, log_q = np.log(p), np.log1p(-p)
        logit = np.where(np.abs(q - p) < 0.5, np.log1p((q - p) / p), log_q - log_p)
        slope = np.where(p * q > 0, (p - y) / (p * q), over(rest, q) - over(y, p))
    if clip is not None:
        inside, bound = _inside(p, clip) == 1, _clipped(p, clip)
        log_p = np.where(inside, log_p, np.log(bound))
        log_q = np.where(inside, log_q, np.log1p(-bound))
        logit, slope = np.where(inside, logit, log_q - log_p), np.where(inside, slope, 0)
    weight = y * alpha + rest * _kept(x, alpha) if apply_class_balancing else np.ones_like(y)
    entropy = -times(y, log_p) - times(rest, log_q)
    return _Focus(p, q, entropy, y * q + rest * p, weight, slope, step, logit, apart)


@loss(
    inputs={
        "input": tensor("probability"),
        "target": tensor("bit", "probability", differentiable=True),
    },
    params={
        "gamma": between(0, 5, 2.0, 0.0, 1.0, 0.5),
        "alpha": between(0, 1, 0.25, 0.0, 1.0),
        "apply_class_balancing": one_of(False, True),
        "label_smoothing": between(0, 1, 0.0, 0.1),
        "from_logits": dialect(),
        "clip": dialect(),
    },
    kind_of={"input": lambda p: "logits" if p.get("from_logits") else "probability"},
    nonnegative=True,
    source="Lin et al. 2017, https://arxiv.org/abs/1708.02002; keras.losses.BinaryFocalCrossentropy",
)
def binary_focal(
    input: Array,
    target: Array,
    *,
    gamma: float = 2.0,
    alpha: float = 0.25,
    apply_class_balancing: bool = False,
    label_smoothing: float = 0.0,
    from_logits: bool = False,
    clip: tuple[float, float] | None = None,
) -> Array:
    """−w·sᵞ·(y·log p + (1 − y)·log(1 − p)) with s = y·(1 − p) + (1 − y)·p, what p misses of y.

    w is 1, or α·y + (1 − α)·(1 − y) with ``apply_class_balancing``. ``label_smoothing`` s replaces
    y by y·(1 − s) + ½s. Dialects: with ``from_logits`` p = σ(x); ``clip`` bounds p in the logarithms.
    """
    f = _focus(*(input, target, alpha, apply_class_balancing, from_logits, label_smoothing, clip))
    return times(f.weight * f.power(gamma), f.entropy).astype(input.dtype)


@binary_focal.derivative
def _(
    input: Array,
    target: Array,
    *,
    gamma: float,
    alpha: float,
    apply_class_balancing: bool,
    label_smoothing: float,
    from_logits: bool,
    clip: tuple[float, float] | None,
) -> dict[str, Array]:
    f = _focus(*(input, target, alpha, apply_class_balancing, from_logits, label_smoothing, clip))
    power, steep = f.power(gamma), times(f.entropy, f.power(gamma, 1))
    weight_slope = 2 * f.p.dtype.type(alpha) - 1 if apply_class_balancing else 0
    sides = -np.tanh(_wide(input) / 2) if from_logits else f.q - f.p
    by_input = times(f.apart * f.step, steep) + times(power, f.entropy_slope)
    by_target = steep * sides + times(power, f.logit)
    balance = weight_slope * times(power, f.entropy)
    gradients = {
        "input": times(f.weight, by_input),
        "target": (times(f.weight, by_target) + balance) * _kept(f.p, label_smoothing),
    }
    return {name: g.astype(input.dtype) for name, g in gradients.items()}


@binary_focal.intermediate
def _(
    input: Array,
    target: Array,
    *,
    gamma: float,
    alpha: float,
    apply_class_balancing: bool,
    label_smoothing: float,
    from_logits: bool,
    clip: tuple[float, float] | None,
) -> Array:
    f = _focus(*(input, target, alpha, apply_class_balancing, from_logits, label_smoothing, clip))
    # 1 − p_t where p_t is near 1; log(1 − p), p small; max(x, 0) − x·y + log1p(e^−|x|)
    largest = 1 + np.abs(input) if from_logits else 1
    return f.weight * (times(f.entropy, f.power(gamma, 1)) + f.power(gamma) * largest)


@binary_focal.gradient_intermediate
def _(
    input: Array,
    target: Array,
    *,
    gamma: float,
    alpha: float,
    apply_class_balancing: bool,
    label_smoothing: float,
    from_logits: bool,
    clip: tuple[float, float] | None,
) -> dict[str, Array]:
    f = _focus(*(input, target, alpha, apply_class_balancing, from_logits, label_smoothing, clip))
    power, steep = f.power(gamma), f.power(gamma, 1)
    bend = times(f.entropy, np.abs(f.power(gamma, 2)))
    largest = 1 + np.abs(input) if from_logits else 1
    both = times(f.entropy, steep) + power * largest if apply_class_balancing else 0
    return {
        "input": f.weight
        * (
            f.step * (bend + steep * largest)
            + (times(f.entropy, steep) * f.p if from_logits else 0)  # σ·(1 − σ), σ near 1
            + times(steep, np.abs(f.entropy_slope))
            + f.step * power
        ),
        "target": f.weight * (bend + steep * (largest + np.abs(f.logit)) + power * largest) + both,
    }


@dataclass(frozen=True)
class _ClassFocus:
    """The parts of −Σ w·y·qᵞ·log p: the clipped p, q = 1 − p and log p; where the clip lets through."""

    p: Array
    q: Array
    log_p: Array
    inside: Array | float
    #: w·y, and w alone
    share: Array
    weight: Array

    def power(self, gamma: float, order: int = 0) -> Array:
        return _power(self.q, gamma, order)

    def slope(self, gamma: float) -> Array:
        """∂/∂log p of each term."""
        steep = times(times(self.p, self.log_p), self.power(gamma, 1))
        return times(self.share, steep - self.power(gamma)) * self.inside


def _class_focus(
    input: Array,
    target: Array,
    weight: Weight,
    alpha: float,
    label_smoothing: float,
    axis: int,
    from_logits: bool,
    normalize: bool,
    clip: tuple[float, float] | None,
) -> _ClassFocus:
    x, y = _wide(input), _smoothed(_wide(target), label_smoothing, input.shape[axis])
    p = x
    if from_logits:
        p, log_p = primitives.softmax(x, axis), primitives.log_softmax(x, axis)
    elif normalize:
        p, log_p = x / primitives.total(x, axis), primitives.log_share(x, axis)
    else:
        log_p = np.log(x)
    top = primitives.largest(p, axis)
    others = primitives.total(np.where(top, 0, p), axis)
    q = np.where(top & (from_logits or normalize), others, 1 - p)
    inside = _inside(p, clip)
    if clip is not None:
        bound = _clipped(p, clip)
        p, q = bound, np.where(inside == 1, q, 1 - bound)
        log_p = np.where(inside == 1, log_p, np.log(bound))
    w = x.dtype.type(alpha) * along(weight, x.ndim, axis, x.dtype)
    return _ClassFocus(p, q, log_p, inside, w * y, w)


@loss(
    inputs={
        "input": tensor("distribution", shape="N C *K"),
        "target": tensor("distribution", shape="N C *K"),
        "weight": tensor("weight", shape="C", optional=True),
    },
    params={
        "gamma": between(0, 5, 2.0, 0.0, 1.0, 0.5),
        "alpha": between(0, 1, 0.25, 0.0, 1.0),
        "label_smoothing": between(0, 1, 0.0, 0.1),
        "axis": dialect(),
        "from_logits": dialect(),
        "normalize": dialect(),
        "clip": dialect(),
    },
    kind_of={"input": lambda p: "logits" if p.get("from_logits") else "distribution"},
    coupled="C",
    nonnegative=True,
    source="Lin et al. 2017, https://arxiv.org/abs/1708.02002; keras.losses.CategoricalFocalCrossentropy",
)
def categorical_focal(
    input: Array,
    target: Array,
    weight: Weight = None,
    *,
    gamma: float = 2.0,
    alpha: float = 0.25,
    label_smoothing: float = 0.0,
    axis: int = 1,
    from_logits: bool = False,
    normalize: bool = False,
    clip: tuple[float, float] | None = None,
) -> Array:
    """−α·Σ_c w_c·y_c·(1 − p_c)ᵞ·log p_c along ``axis``, one loss per sample.

    Targets are probabilities, one-hot rows among them; ``label_smoothing`` s replaces y by
    (1 − s)·y + s/C. Dialects: with ``from_logits`` p = softmax(x), with ``normalize`` p is divided
    by its sum; ``clip`` then bounds it.
    """
    f = _class_focus(
        *(input, target, weight, alpha, label_smoothing, axis, from_logits, normalize, clip)
    )
    each = times(f.share * f.power(gamma), f.log_p)
    return -np.squeeze(primitives.total(each, axis), axis).astype(input.dtype)


@categorical_focal.pullback
def _(
    cotangent: Array,
    input: Array,
    target: Array,
    weight: Weight = None,
    *,
    gamma: float,
    alpha: float,
    label_smoothing: float,
    axis: int,
    from_logits: bool,
    normalize: bool,
    clip: tuple[float, float] | None,
) -> dict[str, Array]:
    f = _class_focus(
        *(input, target, weight, alpha, label_smoothing, axis, from_logits, normalize, clip)
    )
    c, x = _rows(cotangent, axis), _wide(input)
    by_log_p = c * f.slope(gamma)
    if from_logits:
        by_input = primitives.log_softmax_pullback(by_log_p, x, axis)
    elif normalize:
        by_input = primitives.log_share_pullback(by_log_p, x, axis)
    else:
        by_input = over(by_log_p, f.p)
    by_target = -times(c * f.weight * _kept(x, label_smoothing) * f.power(gamma), f.log_p)
    return {"input": by_input.astype(input.dtype), "target": by_target.astype(input.dtype)}


@categorical_focal.intermediate
def _(
    input: Array,
    target: Array,
    weight: Weight = None,
    *,
    gamma: float,
    alpha: float,
    label_smoothing: float,
    axis: int,
    from_logits: bool,
    normalize: bool,
    clip: tuple[float, float] | None,
) -> Array:
    f = _class_focus(
        *(input, target, weight, alpha, label_smoothing, axis, from_logits, normalize, clip)
    )
    # 1 − p and log p of a quotient p near 1
    each = f.share * (f.power(gamma) - times(f.log_p, f.power(gamma, 1)))
    return each.sum(axis=axis) * (from_logits or normalize)


@categorical_focal.gradient_intermediate
def _(
    input: Array,
    target: Array,
    weight: Weight = None,
    *,
    gamma: float,
    alpha: float,
    label_smoothing: float,
    axis: int,
    from_logits: bool,
    normalize: bool,
    clip: tuple[float, float] | None,
) -> dict[str, Array]:
    f = _class_focus(
        *(input, target, weight, alpha, label_smoothing, axis, from_logits, normalize, clip)
    )
    power, steep = f.power(gamma), f.power(gamma, 1)
    bend = -times(times(f.p, f.log_p), np.abs(f.power(gamma, 2)))
    each = f.share * f.inside * (bend + (1 + f.p) * steep) + np.abs(f.slope(gamma))
    both = each + f.p * each.sum(axis=axis, keepdims=True)  # softmax − one-hot
    return {
        "input": (both / input if normalize else both) * (from_logits or normalize),
        "target": f.weight * (power - times(f.log_p, steep)) * (from_logits or normalize),
    }


# -- many classes: robust to noise ----------------------------------------------------------------


@loss(
    inputs={
        "input": tensor("distribution", shape="N C"),
        "target": tensor("class_index", shape="N"),
    },
    params={"q": between(0, 0.99, 0.5, 0.1, 0.9, open_low=True)},
    coupled="C",
    nonnegative=True,
    source="Zhang & Sabuncu 2018, https://arxiv.org/abs/1805.07836; "
    "keras.losses.CategoricalGeneralizedCrossEntropy",
)
def generalized_cross_entropy(input: Array, target: Array, *, q: float = 0.5) -> Array:
    """(1 − p^q)/q with p the probability of the target class: −log p for q → 0, 1 − p for q = 1."""
    p = np.take_along_axis(input, target[:, None], axis=1)[:, 0]
    return -np.expm1(q * np.log(p)) / q


@generalized_cross_entropy.pullback
def _(cotangent: Array, input: Array, target: Array, *, q: float) -> dict[str, Array]:
    p = _wide(input)
    slope = np.where(p == 0, np.inf, p**q / p)  # q − 1 would be rounded
    hot = one_hot(target, input.shape[1], 1, input.dtype)
    return {"input": np.where(hot == 1, -_rows(cotangent, 1) * slope, 0).astype(input.dtype)}


@generalized_cross_entropy.intermediate
def _(input: Array, target: Array, *, q: float) -> Array:
    return np.full(target.shape, 1 / q, input.dtype)  # 1 − p^q, p near 1


# -- overlap of masks -----------------------------------------------------------------------------

_MASKS = {
    "input": tensor("probability", shape="N *K"),
    "target": tensor("bit", "probability", shape="N *K", differentiable=True),
}


@loss(
    inputs=_MASKS,
    params={
        "alpha": between(0, 2, 0.5, 0.0, 0.3, 1.0),
        "beta": between(0, 2, 0.5, 0.0, 0.7, 1.0),
        "epsilon": dialect(),
        "batch": dialect(),
    },
    coupled="N *K",
    nonnegative=True,
    source="Salehi et al. 2017, https://arxiv.org/abs/1706.05721; keras.losses.Tversky",
)
def tversky(
    input: Array,
    target: Array,
    *,
    alpha: float = 0.5,
    beta: float = 0.5,
    epsilon: float = 0.0,
    batch: bool = False,
) -> Array:
    """1 − Σpy / (Σpy + α·Σp·(1 − y) + β·Σ(1 − p)·y), one loss per sample.

    α weighs what is found and is not there (false positives), β what is missed. Dialects:
    ``epsilon`` is added to the divisor; with ``batch`` the sums go over all samples.
    """
    both, apart = _overlap(input, target, alpha, beta, epsilon, batch)
    return (apart / (both + apart)).reshape(() if batch else -1).astype(input.dtype)


def _summed(x: Array, batch: bool) -> Array:
    """The sum over each sample, or over all of them."""
    return x.sum(axis=tuple(range(0 if batch else 1, x.ndim)), keepdims=True)


def _overlap(
    input: Array, target: Array, alpha: Any, beta: Any, epsilon: float, batch: bool
) -> tuple[Array, Array]:
    """Σpy, and the rest of the divisor, which is also what remains of 1 − Σpy/divisor."""
    p, y = _wide(input), _wide(target)
    found, missed = _summed(p * (1 - y), batch), _summed((1 - p) * y, batch)
    alpha, beta = p.dtype.type(alpha), p.dtype.type(beta)
    return _summed(p * y, batch), alpha * found + beta * missed + epsilon


def _moment(p: Array, y: Array, batch: bool) -> Array:
    """Σⱼ pⱼ·(yⱼ − yᵢ) for every i, counted from the y beside the largest p, which may be all of Σp."""
    flat = p.reshape(1 if batch else len(p), -1)
    at_top = flat.argmax(axis=1)[:, None]
    top = np.take_along_axis(y.reshape(flat.shape), at_top, axis=1)
    apart = y - top.reshape(-1, *[1] * (y.ndim - 1))
    return _summed(p * apart, batch) - apart * _summed(p, batch)


@tversky.pullback
def _(
    cotangent: Array,
    input: Array,
    target: Array,
    *,
    alpha: float,
    beta: float,
    epsilon: float,
    batch: bool,
) -> dict[str, Array]:
    both, apart = _overlap(input, target, alpha, beta, epsilon, batch)
    p, y, divisor = _wide(input), _wide(target), both + apart
    c = cotangent.reshape(both.shape) / divisor / divisor
    slopes = {
        "input": alpha * _moment(p, y, batch) - y * (beta * _summed(y, batch) + epsilon),
        "target": beta * _moment(y, p, batch) - p * (alpha * _summed(p, batch) + epsilon),
    }
    return {name: (c * slope).astype(input.dtype) for name, slope in slopes.items()}


@tversky.intermediate
def _(
    input: Array,
    target: Array,
    *,
    alpha: float,
    beta: float,
    epsilon: float,
    batch: bool,
) -> Array:
    return np.ones(() if batch else len(input), input.dtype)  # 1 less a quotient near 1


@tversky.gradient_intermediate
def _(
    input: Array,
    target: Array,
    *,
    alpha: float,
    beta: float,
    epsilon: float,
    batch: bool,
) -> dict[str, Array]:
    both, apart = _overlap(input, target, alpha, beta, epsilon, batch)
    divisor = both + apart
    share = both / divisor
    # y/D − Σpy·D′/D², the quotient rule
    by_p = target + share * (target + alpha * (1 - target) + beta * target)
    by_y = input + share * (input + beta * (1 - input) + alpha * input)
    return {"input": by_p / divisor, "target": by_y / divisor}


@loss(
    inputs=_MASKS,
    params={"epsilon": dialect(), "batch": dialect()},
    coupled="N *K",
    nonnegative=True,
    symmetric=True,
    source="Milletari et al. 2016, https://arxiv.org/abs/1606.04797; keras.losses.Dice",
)
def dice(input: Array, target: Array, *, epsilon: float = 0.0, batch: bool = False) -> Array:
    """1 − 2·Σpy / (Σp + Σy), one loss per sample: tversky with α = β = ½.

    Dialects: ``epsilon`` is added to the divisor; with ``batch`` the sums go over all samples.
    """
    return tversky.formula(input, target, **_HALVES, epsilon=epsilon / 2, batch=batch)


#: the parameters of tversky that make it dice
_HALVES = {"alpha": 0.5, "beta": 0.5}


@dice.pullback
def _(
    cotangent: Array, input: Array, target: Array, *, epsilon: float, batch: bool
) -> dict[str, Array]:
    return tversky.gradients(
        cotangent, input=input, target=target, **_HALVES, epsilon=epsilon / 2, batch=batch
    )


@dice.intermediate
def _(input: Array, target: Array, *, epsilon: float, batch: bool) -> Array:
    return np.ones(() if batch else len(input), input.dtype)  # 1 less a quotient near 1


@dice.gradient_intermediate
def _(input: Array, target: Array, *, epsilon: float, batch: bool) -> Mapping[str, Array]:
    return tversky.largest_gradient_intermediate(
        input=input, target=target, **_HALVES, epsilon=epsilon / 2, batch=batch
    )


# -- losses that hold the weights of a linear layer ------------------------------------------------
# Their inputs, but for class weights, may stand in copies along further axes in front.

Logits = tuple[Array, Array]


def _logits(input: Array, linear_weight: Array, linear_bias: Weight) -> Logits:
    """Wx + b as (N, C, *K), and what its rounding lost: in the widest precision, as if in twice it."""
    bias = None if linear_bias is None else _wide(linear_bias)
    return primitives.affine(_wide(input), _wide(linear_weight), bias)


def _ordered(logits: Logits, axis: int) -> Logits:
    """NaN where two logits are infinite and largest: which is larger, nothing says."""
    z, low = logits
    at_top = z == np.max(z, axis=axis, keepdims=True)
    unordered = np.isinf(z) & at_top & (at_top.sum(axis=axis, keepdims=True) > 1)
    return np.where(unordered, np.nan, z), low


def _through_linear(
    residual: Array, input: Array, linear_weight: Array, linear_bias: Weight
) -> dict[str, Array]:
    """The pullback of :func:`_logits`."""
    each = residual.reshape(*input.shape[:-1], -1)
    rows = _wide(linear_weight).reshape(*input.shape[:-2], each.shape[-1], -1)
    gradients = {
        "input": each @ rows,
        "linear_weight": (np.swapaxes(each, -1, -2) @ _wide(input)).reshape(linear_weight.shape),
    }
    if linear_bias is not None:
        gradients["linear_bias"] = residual.sum(axis=input.ndim - 2)
    return {name: g.astype(input.dtype) for name, g in gradients.items()}


def _through_linear_intermediate(
    terms: Array, input: Array, linear_weight: Array
) -> dict[str, Array]:
    """M of :func:`_through_linear`, given that of the residual."""
    ones = np.ones(linear_weight.shape[:-1], input.dtype)
    return _through_linear(terms, np.abs(input), np.abs(linear_weight), ones)


@loss(
    inputs={
        "input": tensor("factor", shape="N D"),
        "linear_weight": tensor("factor", shape="C *K D"),
        "target": tensor("class_index", "distribution", shape="N C *K", differentiable=True),
        "linear_bias": tensor("real", shape="C *K", optional=True),
        "weight": tensor("weight", shape="C", optional=True),
    },
    params={
        "ignore_index": integer(-100, 5, -100),
        "label_smoothing": between(0, 1, 0.0, 0.1),
    },
    coupled="N C *K D",  # in the gradients with respect to the layer
    copies=True,
    nonnegative=True,
    source="torch.nn.LinearCrossEntropyLoss",
)
def linear_cross_entropy(
    input: Array,
    linear_weight: Array,
    target: Array,
    linear_bias: Weight = None,
    weight: Weight = None,
    *,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
) -> Array:
    """The cross-entropy of the logits W·x + b, one loss per sample and position of *K.

    Targets, class weights, ``ignore_index``, ``label_smoothing`` and the mean are those of
    cross_entropy.
    """
    axis = input.ndim - 1
    z, low = _ordered(_logits(input, linear_weight, linear_bias), axis)
    hot = _wide(target) if target.dtype.kind == "f" else target
    y, counted = _soft_target(z, hot, ignore_index, label_smoothing, axis)
    w = along(weight, z.ndim, axis, z.dtype)
    losses = -primitives.total(times(w * y, primitives.log_softmax(z, axis, low)), axis)
    return np.where(counted, np.squeeze(losses, axis), 0).astype(input.dtype)


@linear_cross_entropy.mean
def _(
    losses: Array,
    target: Array,
    linear_weight: Array,
    weight: Weight = None,
    *,
    ignore_index: int,
    **_: Any,
) -> Array:
    classes = np.broadcast_to(losses[:, None], (len(losses), len(linear_weight), *losses.shape[1:]))
    return cross_entropy.mean_coefficients(
        losses, input=classes, target=target, weight=weight, ignore_index=ignore_index, axis=1
    )


@linear_cross_entropy.pullback
def _(
    cotangent: Array,
    input: Array,
    linear_weight: Array,
    target: Array,
    linear_bias: Weight = None,
    weight: Weight = None,
    *,
    ignore_index: int,
    label_smoothing: float,
) -> dict[str, Array]:
    axis = input.ndim - 1
    z, low = _ordered(_logits(input, linear_weight, linear_bias), axis)
    hot = _wide(target) if target.dtype.kind == "f" else target
    y, counted = _soft_target(z, hot, ignore_index, label_smoothing, axis)
    w = along(weight, z.ndim, axis, z.dtype)
    c = _rows(np.where(counted, cotangent, 0), axis)
    residual = np.where(c == 0, 0, -c * primitives.log_softmax_pullback(w * y, z, axis, low))
    gradients = _through_linear(residual, input, linear_weight, linear_bias)
    if target.dtype.kind == "f":
        kept = _kept(z, label_smoothing)
        each = -c * w * kept * primitives.log_softmax(z, axis, low)
        gradients["target"] = each.astype(input.dtype)
    return gradients


@linear_cross_entropy.intermediate
def _(
    input: Array, linear_weight: Array, target: Array, linear_bias: Weight = None, **rest: Any
) -> Array:
    z = _logits(input, linear_weight, linear_bias)[0].astype(input.dtype)
    return np.asarray(cross_entropy.largest_intermediate(input=z, target=target, axis=1, **rest))


@linear_cross_entropy.gradient_intermediate
def _(
    input: Array, linear_weight: Array, target: Array, linear_bias: Weight = None, **rest: Any
) -> dict[str, Array]:
    z = _logits(input, linear_weight, linear_bias)[0].astype(input.dtype)
    own = cross_entropy.largest_gradient_intermediate(input=z, target=target, axis=1, **rest)
    through = _through_linear_intermediate(own["input"], input, linear_weight)
    return {**through, "target": own["target"]}


@loss(
    inputs={"input1": tensor("feature"), "input2": tensor("feature")},
    params={"axis": an_axis(), "eps": between(0, 4, 1e-8, 1e-3, 4.0), "negated": dialect()},
    coupled="axis",
    source="torch.nn.functional.cosine_similarity; keras.losses.CosineSimilarity",
)
def cosine_similarity(
    input1: Array, input2: Array, *, axis: int = -1, eps: float = 1e-8, negated: bool = False
) -> Array:
    """x₁·x₂ / (max(‖x₁‖, eps)·max(‖x₂‖, eps)) along ``axis``.

    Dialect: ``negated``, so that the more alike two vectors are, the smaller is the loss.
    """
    (a, _, _), (b, _, _) = _floored(input1, axis, eps), _floored(input2, axis, eps)
    cosine = (a * b).sum(axis=-1).astype(input1.dtype)
    return -cosine if negated else cosine


def _floored(x: Array, axis: int, eps: float) -> tuple[Array, Array, Array]:
    """x/n, n = max(‖x‖, eps), and whether it is ‖x‖, with ``axis`` last."""
    x = _wide(np.moveaxis(x, axis, -1))
    norm = np.sqrt((x * x).sum(axis=-1, keepdims=True))
    floored = np.maximum(norm, eps)
    return x / floored, floored, norm >= eps


@cosine_similarity.pullback
def _(
    cotangent: Array, input1: Array, input2: Array, *, axis: int, eps: float, negated: bool
) -> dict[str, Array]:
    a, norm1, free1 = _floored(input1, axis, eps)
    b, norm2, free2 = _floored(input2, axis, eps)
    c = np.expand_dims(-cotangent if negated else cotangent, -1)
    gradients = {
        "input1": c * np.where(free1, _across(b, a, 0 * norm1), b) / norm1,
        "input2": c * np.where(free2, _across(a, b, 0 * norm2), a) / norm2,
    }
    return {n: np.moveaxis(g, -1, axis).astype(input1.dtype) for n, g in gradients.items()}


@cosine_similarity.gradient_intermediate
def _(input1: Array, input2: Array, *, axis: int, eps: float, negated: bool) -> dict[str, Array]:
    (a, norm1, _), (b, norm2, _) = _floored(input1, axis, eps), _floored(input2, axis, eps)
    sizes = np.abs(a * b).sum(axis=-1, keepdims=True)
    each = {
        "input1": (np.abs(b) + sizes * np.abs(a)) / norm1,  # b − cos·a
        "input2": (np.abs(a) + sizes * np.abs(b)) / norm2,
    }
    return {n: np.moveaxis(m, -1, axis).astype(input1.dtype) for n, m in each.items()}


@loss(
    inputs={"input": tensor("feature"), "target": tensor("feature")},
    params={"axis": an_axis()},
    coupled="axis",
    symmetric=True,
    source="tf.compat.v1.losses.cosine_distance",
)
def cosine_distance(input: Array, target: Array, *, axis: int = -1) -> Array:
    """1 − x·y along ``axis``, which stays, of vectors that were normalised before."""
    x, y = (_wide(np.moveaxis(v, axis, 0)) for v in (input, target))
    products, lost = two_product(x, y)
    one = np.ones(x.shape[1:], x.dtype)
    return np.expand_dims(exact_sum(one, *-products, *-lost), axis).astype(input.dtype)


@cosine_distance.pullback
def _(cotangent: Array, input: Array, target: Array, *, axis: int) -> dict[str, Array]:
    return {"input": -cotangent * target, "target": -cotangent * input}


# -- distances ------------------------------------------------------------------------------------


@loss(
    inputs={"input1": _FEATURES, "input2": _FEATURES},
    params={
        "p": between(1, 4, 2.0, 1.0, 3.0),
        "eps": between(0, 0.01, 1e-6),
        "keepdim": one_of(False, True),
    },
    coupled="D",
    nonnegative=True,
    source="torch.nn.PairwiseDistance",
)
def pairwise_distance(
    input1: Array, input2: Array, *, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Array:
    """‖x₁ − x₂ + eps‖_p, of shape (N, 1) with ``keepdim``."""
    distance = _distance(_apart(input1, input2, eps), p).astype(input1.dtype)
    return distance[..., None] if keepdim else distance


def _apart(input1: Array, input2: Array, eps: float) -> Array:
    return exact_sum(_wide(input1), -_wide(input2), np.longdouble(eps))


@pairwise_distance.pullback
def _(
    cotangent: Array, input1: Array, input2: Array, *, p: float, eps: float, keepdim: bool
) -> dict[str, Array]:
    c = cotangent if keepdim else cotangent[..., None]
    slope = (c * _distance_slope(_apart(input1, input2, eps), p)).astype(input1.dtype)
    return {"input1": slope, "input2": -slope}


@pairwise_distance.intermediate
def _(input1: Array, input2: Array, *, p: float, eps: float, keepdim: bool) -> Array:
    distance = pairwise_distance.formula(input1, input2, p=p, eps=eps, keepdim=keepdim)
    return distance * _powers(distance, p)


@pairwise_distance.gradient_intermediate
def _(input1: Array, input2: Array, *, p: float, eps: float, keepdim: bool) -> dict[str, Array]:
    distance = pairwise_distance.formula(input1, input2, p=p, eps=eps, keepdim=True)
    lost = _powers(distance, p) * (p - 1) * np.ones_like(input1)
    return {"input1": lost, "input2": lost}


@loss(
    inputs={"anchor": _FEATURES, "positive": _FEATURES, "negative": _FEATURES},
    params={
        "margin": between(0, 4, 1.0, open_low=True),
        "swap": one_of(False, True),
        "p": dialect(),
        "eps": dialect(),
    },
    coupled="D",
    nonnegative=True,
    source="torch.nn.TripletMarginWithDistanceLoss",
)
def triplet_margin_with_distance(
    anchor: Array,
    positive: Array,
    negative: Array,
    *,
    margin: float = 1.0,
    swap: bool = False,
    p: float = 2.0,
    eps: float = 1e-6,
) -> Array:
    """max(0, d(a, p) − d(a, n) + margin), d being ``pairwise_distance`` unless it is given.

    With ``swap``, d(p, n) stands for d(a, n) where it is the smaller. Dialect: ``p`` and ``eps`` of
    the distance that is given.
    """
    return triplet_margin.formula(
        anchor, positive, negative, margin=margin, p=p, swap=swap, eps=eps
    )


@triplet_margin_with_distance.pullback
def _(cotangent: Array, **arguments: Any) -> dict[str, Array]:
    return triplet_margin.gradients(cotangent, **arguments)


@triplet_margin_with_distance.intermediate
def _(**arguments: Any) -> Array:
    return np.asarray(triplet_margin.largest_intermediate(**arguments))


@triplet_margin_with_distance.gradient_intermediate
def _(**arguments: Any) -> Mapping[str, Array]:
    return triplet_margin.largest_gradient_intermediate(**arguments)


@loss(
    inputs={"input": tensor("feature", shape="N *K"), "target": tensor("feature", shape="N *K")},
    coupled="*K",
    nonnegative=True,
    zero_at_agreement=True,
    symmetric=True,
    source="tf.compat.v1.losses.mean_pairwise_squared_error",
)
def mean_pairwise_squared_error(input: Array, target: Array) -> Array:
    """The mean of ((xᵢ − xⱼ) − (yᵢ − yⱼ))² over the pairs i < j of each sample, 0 without any."""
    squares = _pair_differences(input, target) ** 2
    return _over_pairs(squares.sum(axis=(1, 2)) / 2, squares.shape[1]).astype(input.dtype)


def _pair_differences(input: Array, target: Array) -> Array:
    """(xᵢ − xⱼ) − (yᵢ − yⱼ), shaped (N, i, j)."""
    x, y = (_wide(v.reshape(len(v), -1)) for v in (input, target))
    return exact_sum(x[:, :, None], -y[:, :, None], -x[:, None, :], y[:, None, :])


def _over_pairs(total: Array, size: int) -> Array:
    return total / max(size * (size - 1) / 2, 1)


@mean_pairwise_squared_error.pullback
def _(cotangent: Array, input: Array, target: Array) -> dict[str, Array]:
    differences = _pair_differences(input, target)
    slope = _over_pairs(2 * differences.sum(axis=2), differences.shape[1])
    slope = (cotangent[:, None] * slope).astype(input.dtype).reshape(input.shape)
    return {"input": slope, "target": -slope}


@mean_pairwise_squared_error.intermediate
def _(input: Array, target: Array) -> Array:
    a = np.abs(input - target).reshape(len(input), -1)
    size = a.shape[1]  # n·Σ(x − y)² − (Σ(x − y))²
    return _over_pairs(size * (a * a).sum(axis=1) + a.sum(axis=1) ** 2, size)


@mean_pairwise_squared_error.gradient_intermediate
def _(input: Array, target: Array) -> dict[str, Array]:
    a = np.abs(input - target).reshape(len(input), -1)
    size = a.shape[1]  # n·(x − y) − Σ(x − y)
    both = _over_pairs(2 * (size * a + a.sum(axis=1, keepdims=True)), size).reshape(input.shape)
    return {"input": both, "target": both}


# -- embeddings of a batch ------------------------------------------------------------------------


@dataclass(frozen=True)
class _Circle:
    """All pairs of a batch: their logits, in two parts, with the derivatives by the distance; who counts."""

    high: Array
    low: Array
    slope: Array
    alike: Array
    others: Array

    def share(self, counted: Array) -> tuple[Array, Array, Array]:
        """softmax of the logits that count, and logsumexp as the largest of them and the rest."""
        top = np.where(counted, self.high, -np.inf).max(axis=1)
        below, lost = two_sum(self.high, -np.where(np.isinf(top), 0, top)[:, None])
        e = np.where(counted, np.exp(below) * (1 + (lost + self.low)), 0)
        every = e.sum(axis=1)
        return over(e, every[:, None]), top, np.log(every)

    def joined(self) -> tuple[Array, Array, Array]:
        """softmax of both kinds of pairs, each in itself; the sum z of both logsumexps, in two parts."""
        (p, top_p, rest_p), (n, top_n, rest_n) = map(self.share, (self.alike, self.others))
        top, lost = two_sum(top_p, top_n)
        return p + n, *two_sum(top, lost + (rest_p + rest_n))


def _circle(
    input: Array, target: Array, gamma: float, margin: float, remove_diagonal: bool
) -> _Circle:
    x = _wide(input)
    zero = np.zeros((len(x), len(x)), x.dtype)
    one, m, g = (zero + 1, zero), (zero + margin, zero), (zero + gamma, zero)
    d = one  # 1 − x·y, in twice the precision: γ brings out its last digits
    for column in x.T:
        high, low = two_product(column[:, None], column)
        d = sum2(d, (-high, -low))
    cosine = 1 - d[0] - d[1]
    apart = np.where(np.isnan(d[0]), d[0], d[0] > 0)
    d, minus_d, minus_m = (
        (d[0] * apart, d[1] * apart),
        (-d[0] * apart, -d[1] * apart),
        (-m[0], zero),
    )
    near = product2(sum2(d, m), sum2(d, minus_m))
    room = sum2(sum2(one, m), minus_d)
    far = product2(room, sum2(sum2(one, minus_m), minus_d))
    same, within = target[:, None] == target, ~(room[0] <= 0)
    high, low = (np.where(same, a, np.where(within, b, 0)) for a, b in zip(near, far))
    slope = 2 * g[0] * apart * np.where(same, d[0], np.where(within, -cosine, 0))
    itself = np.eye(len(x), dtype=bool) & remove_diagonal
    return _Circle(*product2(g, (high, low)), slope, same & ~itself, ~same)


def _squashed(z: Array, lost: Array) -> tuple[Array, Array]:
    """softplus and sigmoid of z + lost."""
    e = np.exp(-np.abs(z)) * (1 - np.where(z > 0, lost, -lost))
    softplus = np.where(z > 0, z + (lost + np.log1p(e)), np.log1p(e))
    return softplus, np.where(z > 0, 1, e) / (1 + e)


@loss(
    inputs={"input": tensor("direction", shape="N D"), "target": tensor("label", shape="N")},
    params={
        "gamma": between(0, 256, 80.0, 1.0, 32.0, open_low=True),
        "margin": between(0, 1, 0.4, 0.25, 0.0),
        "remove_diagonal": one_of(True, False),
    },
    coupled="N D",
    nonnegative=True,
    among_samples=True,
    source="Sun et al. 2020, https://arxiv.org/abs/2002.10857; keras.losses.Circle",
)
def circle(
    input: Array,
    target: Array,
    *,
    gamma: float = 80.0,
    margin: float = 0.4,
    remove_diagonal: bool = True,
) -> Array:
    """log(1 + Σⱼ e^(γ·(dⱼ + m)·(dⱼ − m)) · Σₖ e^(γ·max(0, 1 + m − dₖ)·(1 − m − dₖ))), one loss per sample.

    j runs over the samples of the same class (without itself, with ``remove_diagonal``), k over the
    others, and d = max(1 − x·y, 0) for embeddings x and y of length 1.
    """
    _, z, lost = _circle(input, target, gamma, margin, remove_diagonal).joined()
    return _squashed(z, lost)[0].astype(input.dtype)


@circle.pullback
def _(
    cotangent: Array,
    input: Array,
    target: Array,
    *,
    gamma: float,
    margin: float,
    remove_diagonal: bool,
) -> dict[str, Array]:
    pairs = _circle(input, target, gamma, margin, remove_diagonal)
    share, z, lost = pairs.joined()
    by_d = (cotangent * _squashed(z, lost)[1])[:, None] * share * pairs.slope
    return {"input": (-(by_d + by_d.T) @ _wide(input)).astype(input.dtype)}


@circle.intermediate
def _(
    input: Array,
    target: Array,
    *,
    gamma: float,
    margin: float,
    remove_diagonal: bool,
) -> Array:
    pairs = _circle(input, target, gamma, margin, remove_diagonal)
    share, z, lost = pairs.joined()
    # 1 − x·y, whose rounding γ multiplies; the sum of two logsumexps
    each = share * (np.abs(pairs.slope) + np.abs(pairs.high))
    return (_squashed(z, lost)[1] * each.sum(axis=1)).astype(input.dtype)


@circle.gradient_intermediate
def _(
    input: Array,
    target: Array,
    *,
    gamma: float,
    margin: float,
    remove_diagonal: bool,
) -> dict[str, Array]:
    pairs = _circle(input, target, gamma, margin, remove_diagonal)
    share, z, lost = pairs.joined()
    doubt = (share * (np.abs(pairs.slope) + np.abs(pairs.high))).sum(axis=1, keepdims=True)
    doubt = doubt + np.abs(pairs.slope) + np.abs(pairs.high)
    each = _squashed(z, lost)[1][:, None] * share * (np.abs(pairs.slope) * doubt + 2 * gamma)
    return {"input": ((each + each.T) @ np.abs(_wide(input))).astype(input.dtype)}


_SAMPLED = {
    "input": tensor("factor", shape="N D"),
    "linear_weight": tensor("factor", shape="C D"),
    "linear_bias": tensor("real", shape="C"),
    "target": tensor("class_index", shape="N R"),
    "sampled": tensor("class_index", shape="Q"),
    "true_expected": tensor("positive", shape="N R", differentiable=False),
    "sampled_expected": tensor("positive", shape="Q", differentiable=False),
}


def _candidates(
    target: Array,
    sampled: Array,
    true_expected: Array,
    sampled_expected: Array,
    remove_accidental_hits: bool,
) -> tuple[Array, Array, Array]:
    """The classes of the R true candidates and the Q sampled ones, their expected counts, and which
    of them stay: all, or all but the sampled ones that are true."""
    spread = (*target.shape[:-1], sampled.shape[-1])

    def beside(true: Array, drawn: Array) -> Array:
        return np.concatenate([true, np.broadcast_to(drawn[..., None, :], spread)], axis=-1)

    hits = (sampled[..., None, :, None] == target[..., :, None, :]).any(axis=-1)
    hits = np.concatenate([np.zeros(target.shape, bool), hits], axis=-1)
    kept = ~hits if remove_accidental_hits else np.ones_like(hits)
    return beside(target, sampled), _wide(beside(true_expected, sampled_expected)), kept


def _by_class(each: Array, classes: Array, like: Array) -> Array:
    """What the candidates of each class have together."""
    hot = classes[..., None] == np.arange(like.shape[-2])
    return np.where(hot, each[..., None], 0).sum(axis=-2)


@loss(
    inputs=_SAMPLED,
    params={"remove_accidental_hits": one_of(True, False)},
    coupled="N C D R Q",  # in the gradients with respect to the layer
    copies=True,
    nonnegative=True,
    source="Jean et al. 2015, arXiv:1412.2007; tf.nn.sampled_softmax_loss",
)
def sampled_softmax(
    input: Array,
    linear_weight: Array,
    linear_bias: Array,
    target: Array,
    sampled: Array,
    true_expected: Array,
    sampled_expected: Array,
    *,
    remove_accidental_hits: bool = True,
) -> Array:
    """−1/R·Σ_r log softmax(z)_r over the R true classes and the Q candidates sampled, with
    z = Wx + b − log(expected count).

    A candidate that is a true class is left out where ``remove_accidental_hits``. The expected
    counts are the sampler's, and no variables.
    """
    drawn = _candidates(target, sampled, true_expected, sampled_expected, remove_accidental_hits)
    log_p = primitives.log_softmax(*_class_logits(input, linear_weight, linear_bias, *drawn))
    # of its class, a candidate has the share 1/(1 + E·Σ 1/E) with the sum over the others
    classes, expected, kept = drawn
    true = target.shape[-1]
    same = (classes[..., None, :] == target[..., :, None]) & kept[..., None, :]
    same &= np.arange(kept.shape[-1]) != np.arange(true)[:, None]
    others = np.where(same, 1 / expected[..., None, :], 0).sum(axis=-1)
    shares = -np.log1p(times(others, expected[..., :true]))
    terms = np.take_along_axis(log_p, target, axis=-1) + shares
    return -(terms.sum(axis=-1) / true).astype(input.dtype)


def _class_logits(
    input: Array,
    linear_weight: Array,
    linear_bias: Array,
    classes: Array,
    expected: Array,
    kept: Array,
) -> tuple[Array, int, Array]:
    """Wx + b + log Σ 1/(expected count) of the candidates of each class, −∞ where it has none, the
    axis of classes, and what the logits' rounding lost: what candidates share cannot cancel."""
    odds = _by_class(np.where(kept, 1 / expected, 0), classes, linear_weight)
    z, low = _logits(input, linear_weight, linear_bias)
    z, lost = two_sum(z, np.log(odds))
    z, low = two_sum(np.where(odds == 0, -np.inf, z), np.where(odds == 0, 0, low + lost))
    z, low = _ordered((z, low), -1)
    return z, -1, low


@sampled_softmax.pullback
def _(
    cotangent: Array,
    input: Array,
    linear_weight: Array,
    linear_bias: Array,
    target: Array,
    **given: Any,
) -> dict[str, Array]:
    layer = input, linear_weight, linear_bias
    z, axis, low = _class_logits(*layer, *_candidates(target, **given))
    true = z.dtype.type(target.shape[-1])
    y = _by_class(np.ones_like(target), target, linear_weight) / true
    pulled = primitives.log_softmax_pullback(y, z, axis, low)
    return _through_linear(-cotangent[..., None] * pulled, *layer)


def _sampled_logits(
    input: Array, linear_weight: Array, linear_bias: Array, target: Array, **given: Any
) -> tuple[Array, Array, Array, Array]:
    """Wx + b − log(expected count) of each candidate, −∞ of those that are left out; what its
    rounding lost; the classes; and 1/R for true candidates, 0 for sampled ones."""
    classes, expected, kept = _candidates(target, **given)
    z, low = (
        np.take_along_axis(part, classes, axis=-1)
        for part in _logits(input, linear_weight, linear_bias)
    )
    z, lost = two_sum(z, -np.log(expected))
    z, low = two_sum(np.where(kept, z, -np.inf), np.where(kept, low + lost, 0))
    true = target.shape[-1]
    return z, low, classes, np.where(np.arange(z.shape[-1]) < true, 1 / z.dtype.type(true), 0)


@sampled_softmax.intermediate
def _(**arguments: Any) -> Array:
    z, _, _, y = _sampled_logits(**arguments)
    top = np.abs(np.max(z, axis=-1, keepdims=True))
    terms = times(y, np.abs(z) + top + 1)  # z − logsumexp(z)
    return terms.sum(axis=-1).astype(arguments["input"].dtype)


@sampled_softmax.gradient_intermediate
def _(**arguments: Any) -> dict[str, Array]:
    z, low, classes, y = _sampled_logits(**arguments)
    top = np.abs(np.max(z, axis=-1, keepdims=True))
    shares = times(primitives.softmax(z, -1, low), 1 + np.abs(z) + top)  # e^(z − max z)
    return _sampled_intermediate(y + shares, classes, **arguments)


def _sampled_intermediate(
    terms: Array, classes: Array, input: Array, linear_weight: Array, **_: Any
) -> dict[str, Array]:
    each = _by_class(terms, classes, linear_weight)
    return _through_linear_intermediate(each, input, linear_weight)


@loss(
    inputs=_SAMPLED,
    params={"remove_accidental_hits": one_of(False, True)},
    coupled="N C D R Q",
    copies=True,
    nonnegative=True,
    source="Gutmann & Hyvärinen 2010, proceedings.mlr.press/v9/gutmann10a; tf.nn.nce_loss",
)
def nce(
    input: Array,
    linear_weight: Array,
    linear_bias: Array,
    target: Array,
    sampled: Array,
    true_expected: Array,
    sampled_expected: Array,
    *,
    remove_accidental_hits: bool = False,
) -> Array:
    """Σ over the R true classes and the Q candidates sampled of log(1 + eᶻ) − y·z, with
    z = Wx + b − log(expected count), y = 1/R for true classes, 0 for candidates.

    A candidate that is a true class is left out where ``remove_accidental_hits``. The expected
    counts are the sampler's, and no variables.
    """
    z, low, _, y = _sampled_logits(
        *(input, linear_weight, linear_bias, target),
        sampled=sampled,
        true_expected=true_expected,
        sampled_expected=sampled_expected,
        remove_accidental_hits=remove_accidental_hits,
    )
    above, below = (
        primitives.softplus(sign * z) + sign * low * primitives.sigmoid(sign * z)
        for sign in (1, -1)
    )
    return (times(1 - y, above) + times(y, below)).sum(axis=-1).astype(input.dtype)


@nce.pullback
def _(
    cotangent: Array,
    input: Array,
    linear_weight: Array,
    linear_bias: Array,
    target: Array,
    **given: Any,
) -> dict[str, Array]:
    """Σσ(z) − y: whole numbers over R, and σ(−|z|) for what they miss."""
    layer = input, linear_weight, linear_bias
    z, low, classes, y = _sampled_logits(*layer, target, **given)
    true = z.dtype.type(target.shape[-1])
    side = np.where(z >= 0, 1, -1)
    away = _sigmoid(-np.abs(z), -side * low)
    whole = np.where(z >= 0, true, 0) - (y > 0)
    slope = _by_class(whole, classes, linear_weight) / true
    slope = slope - _by_class(side * away, classes, linear_weight)
    return _through_linear(cotangent[..., None] * slope, *layer)


def _sigmoid(z: Array, low: Array) -> Array:
    """σ(z + low)."""
    s = primitives.sigmoid(z)
    return s + low * s * primitives.sigmoid(-z)


@nce.intermediate
def _(**arguments: Any) -> Array:
    z, _, _, y = _sampled_logits(**arguments)
    terms = np.maximum(z, 0) + times(y, np.abs(z))  # max(z, 0) − y·z
    return terms.sum(axis=-1).astype(arguments["input"].dtype)


@nce.gradient_intermediate
def _(**arguments: Any) -> dict[str, Array]:
    z, low, classes, y = _sampled_logits(**arguments)
    terms = y + times(_sigmoid(z, low), 1 + np.abs(z))  # σ − y, and the rounding of z in it
    return _sampled_intermediate(terms, classes, **arguments)


# -- adaptive softmax ------------------------------------------------------------------------------


@loss(
    inputs={
        "input": tensor("factor", shape="N D"),
        "head_weight": tensor("factor", shape="H D"),
        "projection1": tensor("factor", shape="U D"),
        "tail1": tensor("factor", shape="E U"),
        "projection2": tensor("factor", shape="V D"),
        "tail2": tensor("factor", shape="F V"),
        "target": tensor("class_index", shape="N C"),
        "head_bias": tensor("real", shape="H", optional=True),
    },
    coupled="N D H U E V F",  # in the gradients with respect to the layers
    copies=True,
    nonnegative=True,
    clusters=2,
    source="Grave et al. 2017, arXiv:1609.04309; torch.nn.AdaptiveLogSoftmaxWithLoss",
)
def adaptive_log_softmax(
    input: Array,
    head_weight: Array,
    projection1: Array,
    tail1: Array,
    projection2: Array,
    tail2: Array,
    target: Array,
    head_bias: Weight = None,
) -> Array:
    """−log p of the target: by the head's softmax, and in a cluster by that of the cluster as well.

    The classes are a shortlist and two clusters. The head's logits W·x + b are of the classes on the
    shortlist and of the clusters, the logits of the classes within a cluster T·(P·x).
    """
    parts = _adaptive(input, head_weight, projection1, tail1, projection2, tail2, target, head_bias)
    terms = [
        np.where(hot == 1, primitives.log_softmax(z, -1, low), 0).sum(axis=-1)
        for hot, z, low in parts
    ]
    return -sum(terms).astype(input.dtype)


def _adaptive(
    input: Array,
    head_weight: Array,
    projection1: Array,
    tail1: Array,
    projection2: Array,
    tail2: Array,
    target: Array,
    head_bias: Weight = None,
) -> list[tuple[Array, Array, Array]]:
    """Of the head and each cluster: the target, one-hot, 0 where it is in another cluster; the
    logits; and what their rounding lost."""
    first = head_weight.shape[-2] - 2
    second = first + tail1.shape[-2]
    layers = [
        (np.minimum(target, first + (target >= second)), _logits(input, head_weight, head_bias)),
        (target - first, _cluster_logits(input, projection1, tail1)),
        (target - second, _cluster_logits(input, projection2, tail2)),
    ]
    return [
        (primitives.one_hot(index, logits[0].shape[-1], -1, logits[0].dtype), *_ordered(logits, -1))
        for index, logits in layers
    ]


def _cluster_logits(input: Array, projection: Array, tail: Array) -> Logits:
    """T·(P·x), both products as if in twice the precision."""
    high, low = (primitives.affine(part, _wide(tail)) for part in _logits(input, projection, None))
    return primitives.sum2(high, low)


def _through_clusters(
    residuals: list[Array],
    hidden: list[Array],
    input: Array,
    head_weight: Array,
    tails: list[tuple[Array, Array]],
    head_bias: Weight,
) -> dict[str, Array]:
    """The pullback of the logits of :func:`_adaptive`, given P·x of each cluster."""
    wide = _wide(input)
    head = _through_linear(residuals[0], wide, head_weight, head_bias)
    found = {"input": head["input"], "head_weight": head["linear_weight"]}
    if head_bias is not None:
        found["head_bias"] = head["linear_bias"]
    for k, (projection, tail) in enumerate(tails, 1):
        outer = _through_linear(residuals[k], hidden[k - 1], tail, None)
        inner = _through_linear(outer["input"], wide, projection, None)
        found["input"] = found["input"] + inner["input"]
        found[f"projection{k}"] = inner["linear_weight"]
        found[f"tail{k}"] = outer["linear_weight"]
    return {name: g.astype(input.dtype) for name, g in found.items()}


@adaptive_log_softmax.pullback
def _(
    cotangent: Array,
    input: Array,
    head_weight: Array,
    projection1: Array,
    tail1: Array,
    projection2: Array,
    tail2: Array,
    target: Array,
    head_bias: Weight = None,
) -> dict[str, Array]:
    tails = [(projection1, tail1), (projection2, tail2)]
    c = cotangent[..., None]
    residuals = [
        np.where(
            (c != 0) & hot.any(axis=-1, keepdims=True),
            -c * primitives.log_softmax_pullback(hot, z, -1, low),
            0,
        )
        for hot, z, low in _adaptive(input, head_weight, *tails[0], *tails[1], target, head_bias)
    ]
    hidden = [_logits(input, projection, None)[0] for projection, _ in tails]
    return _through_clusters(residuals, hidden, input, head_weight, tails, head_bias)


@adaptive_log_softmax.intermediate
def _(**arguments: Any) -> Array:
    terms = []
    for hot, z, _ in _adaptive(**arguments):
        top = np.abs(np.max(z, axis=-1, keepdims=True))
        terms.append(np.where(hot == 1, np.abs(z) + top + 1, 0).sum(axis=-1))  # z − logsumexp(z)
    return np.max(terms, axis=0).astype(arguments["input"].dtype)


@adaptive_log_softmax.gradient_intermediate
def _(
    input: Array,
    head_weight: Array,
    projection1: Array,
    tail1: Array,
    projection2: Array,
    tail2: Array,
    target: Array,
    head_bias: Weight = None,
) -> dict[str, Array]:
    tails = [(projection1, tail1), (projection2, tail2)]
    terms = [
        hot + np.where(hot.any(axis=-1, keepdims=True), primitives.softmax(z, -1, low), 0)
        for hot, z, low in _adaptive(input, head_weight, *tails[0], *tails[1], target, head_bias)
    ]  # softmax − one-hot
    hidden = [np.abs(_logits(input, projection, None)[0]) for projection, _ in tails]
    sizes = [(np.abs(projection), np.abs(tail)) for projection, tail in tails]
    return _through_clusters(terms, hidden, np.abs(input), np.abs(head_weight), sizes, head_bias)
