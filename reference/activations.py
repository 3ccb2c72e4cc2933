"""Activations: one room each, with its gradient, domain and source."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import primitives
from .function import activation, axis, between, integer, one_of, tensor

Array = np.ndarray


@activation(
    params={"at_zero": between(-2, 2, 0.0, 0.5, 1.0)},
    monotonic=lambda p: 0 <= p["at_zero"] <= 1,
    jumps={"x": (0,)},
    source="Abramowitz & Stegun 29.1.3; numpy.heaviside",
)
def step(x: Array, *, at_zero: float = 1.0) -> Array:
    """Heaviside step: 0 for x < 0, ``at_zero`` at 0, 1 for x > 0."""
    return np.where(np.isnan(x), x, np.where(x == 0, at_zero, x > 0)).astype(x.dtype)


@step.derivative
def _(x: Array, **_: Any) -> Array:
    return np.zeros_like(x)


@step.kinks
def _(**_: Any) -> dict[str, list[float]]:
    return {"x": [0.0]}


@activation(monotonic=True, odd=True, source="keras.activations.linear")
def linear(x: Array) -> Array:
    """f(x) = x."""
    return x


@linear.derivative
def _(x: Array) -> Array:
    return np.ones_like(x)


@activation(range=(0, 1), monotonic=True, source="torch.nn.Sigmoid")
def sigmoid(x: Array) -> Array:
    """σ(x) = 1 / (1 + e⁻ˣ)."""
    return primitives.sigmoid(x)


@sigmoid.derivative
def _(x: Array) -> Array:
    e = np.exp(-np.abs(x))
    return e / (1 + e) ** 2


@sigmoid.gradient_intermediate
def _(x: Array) -> dict[str, Array]:
    return {"x": primitives.sigmoid(x)}  # σ(1 − σ): 1 − σ is only as exact as 1


@activation(range=(-1, 1), monotonic=True, odd=True, source="torch.nn.Tanh")
def tanh(x: Array) -> Array:
    """tanh(x) = (eˣ − e⁻ˣ) / (eˣ + e⁻ˣ)."""
    return np.tanh(x)


@tanh.derivative
def _(x: Array) -> Array:
    e = np.exp(-2 * np.abs(x))
    return 4 * e / (1 + e) ** 2  # 1/cosh², without the cancellation of 1 − tanh²


@tanh.gradient_intermediate
def _(x: Array) -> dict[str, Array]:
    return {"x": np.ones_like(x)}  # 1 − tanh²


@activation(
    params={"min_value": between(-8, 0, -1.0), "max_value": between(0.125, 8, 1.0)},
    monotonic=True,
    range=lambda p: (p["min_value"], p["max_value"]),
    source="torch.nn.Hardtanh",
)
def hard_tanh(x: Array, *, min_value: float = -1.0, max_value: float = 1.0) -> Array:
    """min(max(x, min_value), max_value)."""
    return np.minimum(np.maximum(x, min_value), max_value)


@hard_tanh.derivative
def _(x: Array, *, min_value: float, max_value: float) -> Array:
    inside = (x > min_value) & (x < max_value)
    return np.where(np.isnan(x), x, inside).astype(x.dtype)


@hard_tanh.kinks
def _(min_value: float, max_value: float) -> dict[str, list[float]]:
    return {"x": [min_value, max_value]}


@activation(range=(0, np.inf), monotonic=True, source="https://arxiv.org/abs/1803.08375")
def relu(x: Array) -> Array:
    """max(x, 0)."""
    return np.maximum(x, 0)


@relu.derivative
def _(x: Array) -> Array:
    return np.where(np.isnan(x), x, x > 0).astype(x.dtype)


@relu.kinks
def _() -> dict[str, list[float]]:
    return {"x": [0.0]}


def _rectify(x: Array, slope: Any) -> Array:
    return np.where(x >= 0, x, slope * x)


def _rectify_slope(x: Array, slope: Any) -> Array:
    return np.where(np.isnan(x), x, np.where(x > 0, 1, slope)).astype(x.dtype)


@activation(
    params={"slope": between(0, 1, 0.01, 0.2, 0.0, 1.0)},
    monotonic=True,
    source="torch.nn.LeakyReLU; Maas et al. 2013, Rectifier nonlinearities improve neural network acoustic models",
)
def leaky_relu(x: Array, *, slope: float = 0.01) -> Array:
    """x for x ≥ 0, slope·x below."""
    return _rectify(x, slope)


@leaky_relu.derivative
def _(x: Array, *, slope: float) -> Array:
    return _rectify_slope(x, slope)


@leaky_relu.kinks
def _(slope: float) -> dict[str, list[float]]:
    return {"x": [0.0]}


def _per_channel(slope: Array, x: Array) -> Array:
    """A slope of shape (1,) or (channels,) so that it broadcasts against x (N, P, *K)."""
    return slope.reshape(-1, *[1] * (x.ndim - 2)) if slope.size > 1 else slope.reshape(())


@activation(
    inputs={"x": tensor("real", shape="N P *K"), "slope": tensor("slope", shape="P|1")},
    coupled="N P *K",  # in the gradient with respect to the slope
    source="https://arxiv.org/abs/1502.01852; torch.nn.PReLU",
)
def prelu(x: Array, slope: Array) -> Array:
    """x for x ≥ 0, slope·x below; one learned slope, or one per channel (axis 1)."""
    return _rectify(x, _per_channel(slope, x))


@prelu.pullback
def _(cotangent: Array, x: Array, slope: Array) -> dict[str, Array]:
    each = cotangent * np.where(x >= 0, 0, x)
    axes = tuple(a for a in range(x.ndim) if a != 1) if slope.size > 1 else None
    return {
        "x": cotangent * _rectify_slope(x, _per_channel(slope, x)),
        "slope": each.sum(axis=axes).reshape(slope.shape),
    }


@prelu.gradient_intermediate
def _(x: Array, slope: Array) -> dict[str, Array]:
    axes = tuple(a for a in range(x.ndim) if a != 1) if slope.size > 1 else None
    terms = np.abs(np.minimum(x, 0)).sum(axis=axes)
    return {"slope": np.asarray(terms).reshape(slope.shape)}


@prelu.kinks
def _() -> dict[str, list[float]]:
    return {"x": [0.0]}


@activation(
    params={"lower": between(0, 0.25, 0.125), "upper": between(0.25, 1, 1 / 3, 0.5)},
    monotonic=True,
    source="https://arxiv.org/abs/1505.00853; torch.nn.RReLU",
)
def rrelu(x: Array, *, lower: float = 1 / 8, upper: float = 1 / 3) -> Array:
    """Randomised leaky ReLU in evaluation: x for x ≥ 0, (lower + upper)/2·x below.

    In training the slope of each negative element is drawn from U(lower, upper); that mode is
    judged by what must hold of every draw and by the distribution of the draws.
    """
    return _rectify(x, _middle(x, lower, upper))


@rrelu.derivative
def _(x: Array, *, lower: float, upper: float) -> Array:
    return _rectify_slope(x, _middle(x, lower, upper))


def _middle(x: Array, lower: float, upper: float) -> Any:
    return (x.dtype.type(lower) + x.dtype.type(upper)) / 2


@rrelu.kinks
def _(lower: float, upper: float) -> dict[str, list[float]]:
    return {"x": [0.0]}


@activation(
    params={"alpha": between(0, 4, 1.0, 0.5, 0.0)},
    monotonic=True,
    range=lambda p: (-p["alpha"], np.inf),
    source="https://arxiv.org/abs/1511.07289; torch.nn.ELU",
)
def elu(x: Array, *, alpha: float = 1.0) -> Array:
    """x for x > 0, α(eˣ − 1) below."""
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


@elu.derivative
def _(x: Array, *, alpha: float) -> Array:
    return np.where(x > 0, 1, alpha * np.exp(np.minimum(x, 0)))


@elu.intermediate
def _(x: Array, *, alpha: float) -> Array:
    return np.where(x > 0, 0, alpha)  # eˣ − 1


@elu.gradient_intermediate
def _(x: Array, *, alpha: float) -> dict[str, Array]:
    return {"x": np.where(x > 0, 0, alpha)}  # f + α, from the saved output


@elu.kinks
def _(alpha: float) -> dict[str, list[float]]:
    return {"x": [0.0]}


@activation(
    inputs={"x": tensor("real", shape="N G *K")},
    params={"groups": integer(1, 4, 2)},
    coupled="G",
    source="https://arxiv.org/abs/1302.4389; tfa.layers.Maxout",
)
def maxout(x: Array, *, groups: int = 2) -> Array:
    """The largest of each ``groups`` consecutive channels (axis 1): (N, G, *K) → (N, G/groups, *K)."""
    if x.ndim < 2 or x.shape[1] % groups:
        raise ValueError(
            f"maxout: x has shape {x.shape}; axis 1 must be a multiple of groups = {groups}"
        )
    return x.reshape(x.shape[0], -1, groups, *x.shape[2:]).max(axis=2)


@maxout.pullback
def _(cotangent: Array, x: Array, *, groups: int) -> dict[str, Array]:
    split = x.reshape(x.shape[0], -1, groups, *x.shape[2:])
    first = np.expand_dims(split.argmax(axis=2), 2)  # ties: the first of the largest
    gradient = np.zeros_like(split)
    np.put_along_axis(gradient, first, np.expand_dims(cotangent, 2), 2)
    return {"x": gradient.reshape(x.shape)}


@activation(
    inputs={"x": tensor("logits")},
    params={"axis": axis()},
    coupled="axis",
    range=(0, 1),
    shift_invariant=True,
    source="torch.nn.Softmax",
)
def softmax(x: Array, *, axis: int = -1) -> Array:
    """exp(xᵢ) / Σⱼ exp(xⱼ) along ``axis``."""
    return primitives.softmax(x, axis)


@softmax.pullback
def _(cotangent: Array, x: Array, *, axis: int) -> dict[str, Array]:
    return {"x": primitives.log_softmax_pullback(primitives.softmax(x, axis) * cotangent, x, axis)}


@softmax.gradient_intermediate
def _(x: Array, *, axis: int) -> dict[str, Array]:
    return {"x": 2 * primitives.softmax(x, axis)}  # c − Σ p·c


@activation(
    inputs={"x": tensor("logits")},
    params={"axis": axis()},
    coupled="axis",
    range=(-np.inf, 0),
    shift_invariant=True,
    source="torch.nn.LogSoftmax",
)
def log_softmax(x: Array, *, axis: int = -1) -> Array:
    """xᵢ − log Σⱼ exp(xⱼ) along ``axis``."""
    return primitives.log_softmax(x, axis)


@log_softmax.pullback
def _(cotangent: Array, x: Array, *, axis: int) -> dict[str, Array]:
    return {"x": primitives.log_softmax_pullback(cotangent, x, axis)}


@log_softmax.gradient_intermediate
def _(x: Array, *, axis: int) -> dict[str, Array]:
    return {"x": 1 + x.shape[axis] * primitives.softmax(x, axis)}  # c − p·Σ c


@log_softmax.intermediate
def _(x: Array, *, axis: int) -> Array:
    # x − (max + log Σ): what the shift by the maximum and log(1 + …) leave of small results
    return np.abs(x) + np.abs(np.max(x, axis=axis, keepdims=True)) + 1


@activation(
    inputs={"x": tensor("logits")},
    params={"axis": axis()},
    coupled="axis",
    source="torch.logsumexp; scipy.special.logsumexp",
)
def logsumexp(x: Array, *, axis: int = -1) -> Array:
    """log Σⱼ exp(xⱼ) along ``axis``, which is removed."""
    return np.squeeze(primitives.logsumexp(x, axis), axis=axis)


@logsumexp.pullback
def _(cotangent: Array, x: Array, *, axis: int) -> dict[str, Array]:
    return {"x": np.expand_dims(cotangent, axis) * primitives.softmax(x, axis)}


@logsumexp.intermediate
def _(x: Array, *, axis: int) -> Array:
    return np.abs(np.max(x, axis=axis)) + 1


# -- piecewise linear and shrinking ----------------------------------------------------------------


@activation(
    range=(0, 6),
    monotonic=True,
    source="Krizhevsky 2010, Convolutional deep belief networks on CIFAR-10; torch.nn.ReLU6",
)
def relu6(x: Array) -> Array:
    """min(max(x, 0), 6)."""
    return np.minimum(np.maximum(x, 0), 6)


@relu6.derivative
def _(x: Array) -> Array:
    return np.where(np.isnan(x), x, (x > 0) & (x < 6)).astype(x.dtype)


@relu6.kinks
def _() -> dict[str, list[float]]:
    return {"x": [0.0, 6.0]}


@activation(range=(0, 1), monotonic=True, source="torch.nn.Hardsigmoid")
def hard_sigmoid(x: Array) -> Array:
    """min(max(x/6 + 1/2, 0), 1).

    The older slope, 0.2·x + 0.5, is on no surface that is bound here.
    """
    return np.minimum(np.maximum(x + 3, 0), 6) / 6


@hard_sigmoid.derivative
def _(x: Array) -> Array:
    inside = (x > -3) & (x < 3)
    return np.where(np.isnan(x), x, inside).astype(x.dtype) / 6


@hard_sigmoid.kinks
def _() -> dict[str, list[float]]:
    return {"x": [-3.0, 3.0]}


@activation(range=(-0.375, np.inf), source="https://arxiv.org/abs/1905.02244; torch.nn.Hardswish")
def hard_swish(x: Array) -> Array:
    """x·min(max(x + 3, 0), 6)/6, also called hard SiLU: 0 for x ≤ −3, x for x ≥ 3."""
    return np.where(x >= 3, x, np.where(x <= -3, 0, x * ((x + 3) / 6)))


@hard_swish.derivative
def _(x: Array) -> Array:
    return np.where(x >= 3, 1, np.where(x <= -3, 0, (2 * x + 3) / 6))


@hard_swish.kinks
def _() -> dict[str, list[float]]:
    return {"x": [-3.0, 3.0]}


@activation(
    params={"threshold": between(0, 4, 0.5, 0.0, 1.0)},
    monotonic=True,
    odd=True,
    jumps=lambda p: {"x": (-p["threshold"], p["threshold"])},
    jumps_at="threshold",
    source="torch.nn.Hardshrink",
)
def hard_shrink(x: Array, *, threshold: float = 0.5) -> Array:
    """x for |x| > λ, 0 between (λ = ``threshold``)."""
    return np.where(np.abs(x) <= threshold, 0, x)


@hard_shrink.derivative
def _(x: Array, *, threshold: float) -> Array:
    return np.where(np.isnan(x), x, np.abs(x) > threshold).astype(x.dtype)


@activation(monotonic=True, odd=True, source="torch.nn.Tanhshrink")
def tanh_shrink(x: Array) -> Array:
    """x − tanh(x)."""
    return primitives.tanh_rest(x)


@tanh_shrink.derivative
def _(x: Array) -> Array:
    return np.tanh(x) ** 2


@tanh_shrink.intermediate
def _(x: Array) -> Array:
    return np.abs(x)  # x − tanh(x) is x³/3 near 0


@tanh_shrink.gradient_intermediate
def _(x: Array) -> dict[str, Array]:
    return {"x": np.ones_like(x)}  # 1 − (1 − tanh²)


@activation(
    params={
        "threshold": between(-8, 8, 1.0, 0.0, -0.5),
        "value": between(-8, 8, 0.0, -2.0, 5.0),
    },
    monotonic=lambda p: p["value"] <= p["threshold"],
    range=lambda p: (min(p["value"], p["threshold"]), np.inf),
    jumps=lambda p: {"x": (p["threshold"],)},
    jumps_at="threshold",
    source="torch.nn.Threshold; with the defaults https://arxiv.org/abs/1402.3337",
)
def threshold(x: Array, *, threshold: float = 1.0, value: float = 0.0) -> Array:
    """x for x > ``threshold``, ``value`` below and at it."""
    return np.where(x <= threshold, x.dtype.type(value), x)


@threshold.derivative
def _(x: Array, *, threshold: float, value: float) -> Array:
    return np.where(np.isnan(x), x, x > threshold).astype(x.dtype)


@activation(range=(0, np.inf), monotonic=True, source="keras.activations.sparse_plus")
def sparse_plus(x: Array) -> Array:
    """0 for x ≤ −1, (x + 1)²/4 between, x for x ≥ 1: the integral of the sparse sigmoid."""
    return np.where(x >= 1, x, np.maximum(np.minimum(x, 1) + 1, 0) ** 2 / 4)


@sparse_plus.derivative
def _(x: Array) -> Array:
    return sparse_sigmoid.formula(x)


@activation(
    range=(0, 1),
    monotonic=True,
    source="https://arxiv.org/abs/1901.02324; keras.activations.sparse_sigmoid",
)
def sparse_sigmoid(x: Array) -> Array:
    """min(max((x + 1)/2, 0), 1)."""
    return np.minimum(np.maximum(x + 1, 0), 2) / 2


@sparse_sigmoid.derivative
def _(x: Array) -> Array:
    inside = (x > -1) & (x < 1)
    return np.where(np.isnan(x), x, inside).astype(x.dtype) / 2


@sparse_sigmoid.kinks
def _() -> dict[str, list[float]]:
    return {"x": [-1.0, 1.0]}


# -- along an axis ---------------------------------------------------------------------------------


@activation(
    inputs={"x": tensor("logits")},
    params={"axis": axis()},
    coupled="axis",
    range=(0, 1),
    shift_invariant=True,
    lowest=True,
    source="torch.nn.Softmin",
)
def softmin(x: Array, *, axis: int = -1) -> Array:
    """exp(−xᵢ) / Σⱼ exp(−xⱼ) along ``axis``."""
    return primitives.softmax(-x, axis)


@softmin.pullback
def _(cotangent: Array, x: Array, *, axis: int) -> dict[str, Array]:
    p = primitives.softmax(-x, axis)
    return {"x": -primitives.log_softmax_pullback(p * cotangent, -x, axis)}


@softmin.gradient_intermediate
def _(x: Array, *, axis: int) -> dict[str, Array]:
    return {"x": 2 * primitives.softmax(-x, axis)}  # c − Σ p·c


@activation(
    params={"axis": axis()},
    coupled="axis",
    even=True,
    source="https://arxiv.org/abs/1612.08083; torch.nn.GLU",
)
def glu(x: Array, *, axis: int = -1) -> Array:
    """a·σ(b), where a and b are the halves of x along ``axis``, whose size is even."""
    a, b = _halves(x, axis)
    return np.where(b < -700, primitives.times_exp(a, b), a * primitives.sigmoid(b))


@glu.pullback
def _(cotangent: Array, x: Array, *, axis: int) -> dict[str, Array]:
    a, b = _halves(x, axis)
    e = np.exp(-np.abs(b))
    slope = np.where(np.abs(b) > 700, primitives.times_exp(a, -np.abs(b)), a * (e / (1 + e) ** 2))
    return {"x": _joined(cotangent * primitives.sigmoid(b), cotangent * slope, axis)}


@glu.gradient_intermediate
def _(x: Array, *, axis: int) -> dict[str, Array]:
    a, b = _halves(x, axis)
    return {"x": _joined(np.zeros_like(a), np.abs(a) * primitives.sigmoid(b), axis)}  # 1 − σ


def _halves(x: Array, axis: int) -> tuple[Array, Array]:
    if x.ndim == 0 or x.shape[axis] % 2:
        raise ValueError(f"glu: x has shape {x.shape}; axis {axis} must have an even size")
    first, second = np.split(x, 2, axis=axis)
    return first, second


def _joined(first: Array, second: Array, axis: int) -> Array:
    """Two halves side by side."""
    return np.concatenate([first, second], axis=axis)


@activation(
    params={"axis": axis()},
    coupled="axis",
    range=(0, np.inf),
    source="https://arxiv.org/abs/1603.05201; tf.nn.crelu",
)
def crelu(x: Array, *, axis: int = -1) -> Array:
    """max(x, 0) and max(−x, 0), one behind the other along ``axis``, whose size doubles."""
    return np.concatenate([np.maximum(x, 0), np.maximum(-x, 0)], axis=axis)


@crelu.pullback
def _(cotangent: Array, x: Array, *, axis: int) -> dict[str, Array]:
    above, below = np.split(cotangent, 2, axis=axis)
    side = np.where(x > 0, above, np.where(x < 0, -below, 0))
    return {"x": np.where(np.isnan(x), x, side)}


@crelu.kinks
def _(axis: int) -> dict[str, list[float]]:
    return {"x": [0.0]}


# -- gated and smooth rectifiers -------------------------------------------------------------------


@activation(
    params={"beta": between(0, 4, 1.0, 0.5, 1.702, open_low=True)},
    range=lambda p: (-0.27847 / p["beta"], np.inf),
    source="https://arxiv.org/abs/1606.08415; https://arxiv.org/abs/1710.05941 (swish); torch.nn.SiLU",
)
def silu(x: Array, *, beta: float = 1.0) -> Array:
    """x·σ(βx); swish."""
    return primitives.gated(x, *_gate(x, beta))


@silu.derivative
def _(x: Array, *, beta: float) -> Array:
    gate, lost = _gate(x, beta)
    return primitives.gated_slope(gate, lost, gate)


def _gate(x: Array, beta: float) -> tuple[Array, Any]:
    return (x, 0) if beta == 1 else primitives.two_product(x, beta)


@activation(
    params={"approximate": one_of("none", "tanh")},
    range=(-0.1701, np.inf),
    source="https://arxiv.org/abs/1606.08415; torch.nn.GELU",
)
def gelu(x: Array, *, approximate: str = "none") -> Array:
    """x·Φ(x) = x·(1 + erf(x/√2))/2; with ``approximate`` "tanh" x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))/2."""
    if approximate == "tanh":
        gate, lost, _ = _cubic_gate(x)
        return primitives.gated(x, gate, lost)
    t, square, lost = _half_square(x)
    beyond = primitives.times_exp(x * primitives.normal_tail(t), -square, -lost)
    return np.where(x <= 0, beyond, x - beyond)


@gelu.derivative
def _(x: Array, *, approximate: str) -> Array:
    if approximate == "tanh":
        return primitives.gated_slope(*_cubic_gate(x))
    t, square, lost = _half_square(x)
    density = t * x.dtype.type("0.398942280401432677939946059934")  # 1/√(2π)
    beyond = primitives.times_exp(primitives.normal_tail(t) - density, -square, -lost)
    return np.where(x < 0, beyond, 1 - beyond)


def _half_square(x: Array) -> tuple[Array, Array, Array]:
    """|x|, as far as e^(−x²/2) is a number, and x²/2 in two parts."""
    t = np.minimum(np.abs(x), 300)
    square, lost = primitives.two_product(t, t)
    return t, square / 2, lost / 2


def _cubic_gate(x: Array) -> tuple[Array, Array, Array]:
    """g with (1 + tanh(g/2))/2 = σ(g), in two parts, which near −700 take all their digits; and x·g′."""
    x = np.clip(x, -128, 128)
    a, a_lost = primitives.double_word("1.59576912160573071175978423973752747390343", x.dtype)
    b, b_lost = primitives.double_word("0.0713548162726002487763387522798635409955921", x.dtype)
    square, square_lost = primitives.two_product(x, x)
    cubic, cubic_lost = primitives.two_product(square, b)
    factor, factor_lost = primitives.two_sum(cubic, a)
    factor_lost = factor_lost + (cubic_lost + square_lost * b + square * b_lost + a_lost)
    gate, lost = primitives.two_product(x, factor)
    return gate, lost + x * factor_lost, x * (a + 3 * b * square)


@gelu.intermediate
def _(x: Array, *, approximate: str) -> Array:
    return np.abs(x) / 2  # 1 + erf, 1 + tanh


@gelu.gradient_intermediate
def _(x: Array, *, approximate: str) -> dict[str, Array]:
    if approximate == "none":
        return {"x": np.full_like(x, 0.5)}
    return {"x": 0.5 + np.abs(_cubic_gate(x)[2]) / 4}  # and x·(1 − tanh²)


@activation(
    range=(-0.3089, np.inf),
    source="https://arxiv.org/abs/1908.08681; torch.nn.Mish",
)
def mish(x: Array) -> Array:
    """x·tanh(log(1 + eˣ))."""
    e = np.exp(-np.abs(x))
    below = primitives.times_exp(x * (2 + e) / (2 + e * (2 + e)), -np.abs(x), e=e)
    return np.where(x < 0, below, x * ((1 + 2 * e) / (1 + 2 * e * (1 + e))))


@mish.derivative
def _(x: Array) -> Array:
    e = np.exp(-np.abs(x))
    rising = 4 * (1 + x) + e * (6 + e * (4 + e)) + primitives.times(e, 4 * x)
    below = primitives.times_exp(rising / (2 + e * (2 + e)) ** 2, -np.abs(x), e=e)
    risen = (
        1 + e * (4 + 6 * e) + primitives.times(e * e, 4 * x + 4 * e + primitives.times(e, 4 * x))
    )
    return np.where(x < 0, below, risen / (1 + 2 * e * (1 + e)) ** 2)


@mish.gradient_intermediate
def _(x: Array) -> dict[str, Array]:
    return {"x": primitives.times(primitives.sigmoid(x), np.abs(x))}  # x·σ·(1 − tanh²)


@activation(
    params={
        "beta": between(0, 8, 1.0, 0.5, 2.0, open_low=True),
        "threshold": between(0, np.inf, 20.0, 0.0, 1.0),
    },
    range=(0, np.inf),
    jumps=lambda p: {"x": (p["threshold"] / p["beta"],)},
    source="Dugas et al. 2000, Incorporating second-order functional knowledge; torch.nn.Softplus",
)
def softplus(x: Array, *, beta: float = 1.0, threshold: float = 20.0) -> Array:
    """log(1 + e^βx)/β; x where βx > ``threshold`` (∞ for the function of the textbooks)."""
    z, lost, above = _scaled(x, beta, threshold)
    tail = np.where(
        z < -60,
        primitives.times_exp(1 / x.dtype.type(beta), -np.abs(z), lost),
        np.log1p(primitives.times_exp(x.dtype.type(1), -np.abs(z), -np.sign(z) * lost)) / beta,
    )
    return np.where(above, x, np.maximum(x, 0) + tail)


@softplus.derivative
def _(x: Array, *, beta: float, threshold: float) -> Array:
    z, lost, above = _scaled(x, beta, threshold)
    e = primitives.times_exp(x.dtype.type(1), -np.abs(z), -np.sign(z) * lost)
    return np.where(above, 1, np.where(z < 0, e, 1) / (1 + e))


@softplus.kinks
def _(beta: float, threshold: float) -> dict[str, list[float]]:
    return {"x": [threshold / beta]} if threshold / beta < np.inf else {}


def _scaled(x: Array, beta: float, threshold: float) -> tuple[Array, Array, Array]:
    """βx in two parts, and whether it is above the threshold."""
    z, lost = primitives.two_product(x, beta)
    return z, lost, (z > threshold) | ((z == threshold) & (lost > 0))


@activation(range=(-np.inf, 0), monotonic=True, source="torch.nn.LogSigmoid")
def log_sigmoid(x: Array) -> Array:
    """log σ(x) = −log(1 + e⁻ˣ)."""
    return -primitives.softplus(-x)


@log_sigmoid.derivative
def _(x: Array) -> Array:
    return primitives.sigmoid(-x)


@activation(
    monotonic=True,
    range=(-1.7580993408473769, np.inf),
    source="https://arxiv.org/abs/1706.02515; torch.nn.SELU",
)
def selu(x: Array) -> Array:
    """λx for x > 0, λα(eˣ − 1) below; with the λ = 1.0507… and α = 1.6733… that keep mean 0 and variance 1."""
    scale, below = _selu_constants(x.dtype)
    return np.where(x > 0, scale * x, below * np.expm1(np.minimum(x, 0)))


@selu.derivative
def _(x: Array) -> Array:
    scale, below = _selu_constants(x.dtype)
    return np.where(x > 0, scale, below * np.exp(np.minimum(x, 0)))


def _selu_constants(dtype: np.dtype) -> tuple[Any, Any]:
    """λ and λα."""
    digits = "1.05070098735548049341933498529", "1.75809934084737685994021752081"
    return dtype.type(digits[0]), dtype.type(digits[1])


@selu.intermediate
def _(x: Array) -> Array:
    return np.where(x > 0, 0, _selu_constants(x.dtype)[1])  # eˣ − 1


@selu.gradient_intermediate
def _(x: Array) -> dict[str, Array]:
    return {"x": np.where(x > 0, 0, _selu_constants(x.dtype)[1])}  # f + λα, from the saved output


@selu.kinks
def _() -> dict[str, list[float]]:
    return {"x": [0.0]}


@activation(
    params={"alpha": between(0, 4, 1.0, 0.5, 2.0, open_low=True)},
    monotonic=True,
    range=lambda p: (-p["alpha"], np.inf),
    source="https://arxiv.org/abs/1704.07483; torch.nn.CELU",
)
def celu(x: Array, *, alpha: float = 1.0) -> Array:
    """max(x, 0) + min(α(e^(x/α) − 1), 0)."""
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0) / alpha))


@celu.derivative
def _(x: Array, *, alpha: float) -> Array:
    return primitives.times_exp(x.dtype.type(1), *primitives.two_quotient(np.minimum(x, 0), alpha))


@celu.intermediate
def _(x: Array, *, alpha: float) -> Array:
    return np.where(x > 0, 0, alpha)  # e^(x/α) − 1


@celu.gradient_intermediate
def _(x: Array, *, alpha: float) -> dict[str, Array]:
    return {"x": np.where(x > 0, 0, 1)}  # f/α + 1, from the output that overwrote the input


@activation(
    range=(-1, 1),
    monotonic=True,
    odd=True,
    source="torch.nn.Softsign; https://proceedings.mlr.press/v9/glorot10a.html",
)
def softsign(x: Array) -> Array:
    """x / (1 + |x|)."""
    return np.where(np.isinf(x), np.sign(x), x / (1 + np.abs(x)))


@softsign.derivative
def _(x: Array) -> Array:
    r = 1 / (1 + np.abs(x))
    return r * r


@softsign.gradient_intermediate
def _(x: Array) -> dict[str, Array]:
    r = 1 / (1 + np.abs(x))
    return {"x": np.abs(x) * r * r}  # 1/(1 + |x|) − |x|/(1 + |x|)², the quotient rule


@activation(range=(0, np.inf), monotonic=True, source="keras.activations.exponential")
def exponential(x: Array) -> Array:
    """eˣ."""
    return np.exp(x)


@exponential.derivative
def _(x: Array) -> Array:
    return np.exp(x)


@activation(
    params={"b": between(0, 16, 4.0, 1.0, 0.25, 0.0)},
    range=(0, np.inf),
    monotonic=True,
    source="https://arxiv.org/abs/2112.11687; keras.activations.squareplus",
)
def squareplus(x: Array, *, b: float = 4.0) -> Array:
    """(x + √(x² + b)) / 2."""
    half = np.hypot(x, np.sqrt(x.dtype.type(b))) / 2 + np.abs(x) / 2
    return np.where(x > 0, half, primitives.over(np.full_like(x, b / 4), half))


@squareplus.derivative
def _(x: Array, *, b: float) -> Array:
    root = np.hypot(x, np.sqrt(x.dtype.type(b)))
    above = np.where(np.isinf(root), 1, 0.5 + np.abs(x) / root / 2)
    return np.where(x > 0, above, primitives.over(squareplus.formula(x, b=b), root))


@squareplus.intermediate
def _(x: Array, *, b: float) -> Array:
    return np.where(x < 0, np.abs(x), 0)  # x + √(x² + b)


@squareplus.gradient_intermediate
def _(x: Array, *, b: float) -> dict[str, Array]:
    return {"x": np.where(x < 0, 0.5, 0)}  # ½ + x/(2√(x² + b))


@squareplus.kinks
def _(b: float) -> dict[str, list[float]]:
    return {"x": [0.0]} if b == 0 else {}


@activation(
    inputs={"x": tensor("logits")},
    params={"axis": axis()},
    coupled="axis",
    range=(0, 1),
    shift_invariant=True,
    source="https://arxiv.org/abs/1602.02068; keras.activations.sparsemax",
)
def sparsemax(x: Array, *, axis: int = -1) -> Array:
    """max(xᵢ − τ, 0) along ``axis``, with τ such that the sum is 1: the nearest point of the simplex."""
    return primitives.sparsemax(x, axis)


@sparsemax.pullback
def _(cotangent: Array, x: Array, *, axis: int) -> dict[str, Array]:
    p = primitives.sparsemax(x, axis)
    c = np.where(p > 0, cotangent, 0)
    count = (p > 0).sum(axis=axis, keepdims=True)
    first = np.take_along_axis(cotangent, np.expand_dims(np.argmax(p, axis=axis), axis), axis)
    rest = np.where(p > 0, c - first, 0)  # so that equal cotangents leave 0
    centred = rest - primitives.total(rest, axis) / count
    return {"x": np.where(np.isnan(p), p, np.where(p > 0, centred, 0))}


@sparsemax.gradient_intermediate
def _(x: Array, *, axis: int) -> dict[str, Array]:
    return {"x": 2.0 * (primitives.sparsemax(x, axis) > 0)}  # c − Σc/k


@sparsemax.intermediate
def _(x: Array, *, axis: int) -> Array:
    # x − (Σx − 1)/k over the support, whose elements are within 1 of the largest
    top = np.abs(np.max(x, axis=axis, keepdims=True))
    return np.where(np.isfinite(top), top + 1, 1) * np.ones_like(x)


# -- shrinking and rectifying, further -------------------------------------------------------------


@activation(
    params={"threshold": between(0, 4, 0.5, 0.0, 1.0)},
    monotonic=True,
    odd=True,
    source="Donoho & Johnstone 1994, doi:10.1093/biomet/81.3.425; torch.nn.Softshrink",
)
def soft_shrink(x: Array, *, threshold: float = 0.5) -> Array:
    """x − λ for x > λ, x + λ for x < −λ, 0 between (λ = ``threshold``)."""
    return np.sign(x) * np.maximum(np.abs(x) - threshold, 0)


@soft_shrink.derivative
def _(x: Array, *, threshold: float) -> Array:
    return np.where(np.isnan(x), x, np.abs(x) >= threshold).astype(x.dtype)


@soft_shrink.kinks
def _(threshold: float) -> dict[str, list[float]]:
    return {"x": [-threshold, threshold]}


@activation(
    params={
        "max_value": between(0, np.inf, 6.0, 0.0, 2.5),
        "threshold": between(0, 8, 1.0, 0.0, 0.5),
        "slope": between(0, 1, 0.0, 0.1, 1.0),
    },
    monotonic=True,
    range=lambda p: (-np.inf if p["slope"] else 0, p["max_value"]),
    jumps=lambda p: {"x": (p["threshold"],)},
    jumps_at="threshold",
    source="https://arxiv.org/abs/1402.3337 (slope 0, no maximum); keras.activations.relu",
)
def thresholded_relu(
    x: Array, *, max_value: float = np.inf, threshold: float = 1.0, slope: float = 0.0
) -> Array:
    """min(x, max_value) for x > θ, slope·(x − θ) below and at it (θ = ``threshold``)."""
    below = slope * (x - threshold) if slope else np.zeros_like(x)
    return np.where(np.isnan(x), x, np.where(x > threshold, np.minimum(x, max_value), below))


@thresholded_relu.derivative
def _(x: Array, *, max_value: float, threshold: float, slope: float) -> Array:
    steep = np.where(x > threshold, (x < max_value).astype(x.dtype), slope)
    return np.where(np.isnan(x), x, steep).astype(x.dtype)


@thresholded_relu.kinks
def _(max_value: float, threshold: float, slope: float) -> dict[str, list[float]]:
    return {"x": [v for v in (threshold, max_value) if np.isfinite(v)]}


@activation(
    inputs={"x": tensor("logits"), "mask": tensor("bit")},
    params={"axis": axis()},
    coupled="axis",
    range=(0, 1),
    source="keras.layers.Softmax",
)
def masked_softmax(x: Array, mask: Array, *, axis: int = -1) -> Array:
    """exp(xᵢ) / Σⱼ exp(xⱼ) over those along ``axis`` whose mask is 1; 0 for the others, and where none is."""
    return np.where(mask > 0.5, primitives.softmax(_masked(x, mask, axis), axis), 0)


@masked_softmax.pullback
def _(cotangent: Array, x: Array, mask: Array, *, axis: int) -> dict[str, Array]:
    kept = np.where(mask > 0.5, cotangent, 0)
    gradient = softmax.gradients(kept, x=_masked(x, mask, axis), axis=axis)["x"]
    return {"x": np.where(mask > 0.5, gradient, 0)}


def _masked(x: Array, mask: Array, axis: int) -> Array:
    kept = np.where(mask > 0.5, x, -np.inf)
    # where all that is kept is −∞ it is alike, and not like what is masked
    alike = kept.max(axis=axis, keepdims=True) == -np.inf
    return np.where(alike & (mask > 0.5), 0, kept)


@masked_softmax.gradient_intermediate
def _(x: Array, mask: Array, *, axis: int) -> dict[str, Array]:
    return {"x": 2 * masked_softmax.formula(x, mask, axis=axis)}  # c − Σ p·c


# -- drawn ------------------------------------------------------------------------------------------


@activation(
    inputs={"x": tensor("logits")},
    params={
        "tau": between(0, np.inf, 1.0, 0.5, 10.0, 0.0),
        "hard": one_of(False, True),
        "axis": axis(),
    },
    coupled="axis",
    range=(0, 1),
    shift_invariant=True,
    source="https://arxiv.org/abs/1611.01144; torch.nn.functional.gumbel_softmax",
)
def gumbel_softmax(x: Array, *, tau: float = 1.0, hard: bool = False, axis: int = -1) -> Array:
    """The mean of hard draws: softmax(x) along ``axis``, whatever τ is.

    A draw is softmax((x + g)/τ) with Gumbel noise g = −log(−log U); if ``hard``, the one-hot vector of
    its largest element, differentiated as the soft draw. Draws are judged by what must hold of each
    and by their distribution.
    """
    return primitives.softmax(x, axis)


@gumbel_softmax.pullback
def _(cotangent: Array, x: Array, *, tau: float, hard: bool, axis: int) -> dict[str, Array]:
    return softmax.gradients(cotangent, x=x, axis=axis)


@gumbel_softmax.gradient_intermediate
def _(x: Array, *, tau: float, hard: bool, axis: int) -> dict[str, Array]:
    return {"x": 2 * primitives.softmax(x, axis)}  # c − Σ p·c
