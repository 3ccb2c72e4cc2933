"""NumPy and ``scipy.special``: the smallest complete adapter, and one that needs no framework.

NumPy has few activations and no losses as callables; people write formulas. So the surface ``numpy`` is
formulas as they are written, the right ones and the usual wrong ones beside each other: what a
naive one gets wrong stands in ``conformance/divergences/numpy.toml``. There are no gradients.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from .dialects import SMOOTH, within_epsilon
from .interface import Adapter, Binding, Inputs, Spelling, bind, compose, surface
from .source import numpy_source

#: losses come unreduced, and people write the rest
REDUCTION = (
    Spelling("none", "none"),
    Spelling("sum", "sum", result="np.sum({y})"),
    Spelling("mean", "mean", result="np.mean({y})"),
)

TANH = {"approximate": "tanh"}
#: of probabilities, not of their logarithms
PLAIN = {"log_input": False}
#: classes along the last axis, the targets one-hot
ONE_HOT: dict[str, Any] = {"dialect": {"axis": -1}, "kinds": {"target": "distribution"}}


def clip(inputs: Inputs, params: Mapping[str, Any], dtype: str) -> tuple[float, float]:
    """The bounds of ``np.clip(p, 1e-7, 1 - 1e-7)`` in the dtype that it returns."""
    # a Python float makes float32 of bfloat16, which is no type of NumPy's own
    return within_epsilon(inputs, params, "float32" if dtype == "bfloat16" else dtype)


def loss(function: str, expression: str, /, **options: Any) -> Binding:
    """A loss as a formula, with the reductions that people write around it."""
    return compose(function, expression, reductions=REDUCTION, **options)


# A row binds a callable (`bind`: its path below the surface, canonical inputs by position, canonical
# parameters by keyword) or a formula (`compose`: canonical inputs by name, parameters in braces).
SPECIAL = surface(
    "scipy.special",
    [
        bind("sigmoid", "expit", "x"),
        bind("log_sigmoid", "log_expit", "x"),
        bind("softplus", "softplus", "x", dialect=SMOOTH),
        bind("softmax", "softmax", "x", axis="axis"),
        bind("log_softmax", "log_softmax", "x", axis="axis"),
        bind("logsumexp", "logsumexp", "x", axis="axis"),
        bind("kl_divergence", "rel_entr", "target input", dialect=PLAIN, reductions=REDUCTION),
        compose("gelu", "x * scipy.special.ndtr(x)"),
        compose("gelu", "0.5 * x * (1 + scipy.special.erf(x / 2**0.5))"),
        loss("huber", "scipy.special.huber({delta}, input - target)"),
        loss(
            "binary_cross_entropy",
            "-(scipy.special.xlogy(target, input) + scipy.special.xlog1py(1 - target, -input))",
        ),
    ],
)

ACTIVATIONS = [
    bind("tanh", "tanh", "x"),
    bind("step", "heaviside", "x at_zero"),
    bind("exponential", "exp", "x"),
    compose("tanh", "(np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x))"),
    compose("relu", "np.maximum(x, 0)"),
    compose("relu", "x * (x > 0)"),
    compose("relu6", "np.clip(x, 0, 6)"),
    compose("hard_tanh", "np.clip(x, {min_value}, {max_value})"),
    compose("leaky_relu", "np.where(x > 0, x, {slope} * x)"),
    compose("elu", "np.where(x > 0, x, {alpha} * (np.exp(x) - 1))"),
    compose("elu", "np.where(x > 0, x, {alpha} * np.expm1(np.minimum(x, 0)))"),
    compose("selu", "1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x))"),
    compose("sigmoid", "1 / (1 + np.exp(-x))"),
    compose("sigmoid", "(np.tanh(x / 2) + 1) / 2"),
    compose("log_sigmoid", "np.log(1 / (1 + np.exp(-x)))"),
    compose("log_sigmoid", "-np.logaddexp(0, -x)"),
    compose("hard_sigmoid", "np.clip(x / 6 + 0.5, 0, 1)"),
    compose("silu", "x / (1 + np.exp(-x))"),
    compose("hard_swish", "x * np.clip(x + 3, 0, 6) / 6"),
    compose("mish", "x * np.tanh(np.log1p(np.exp(x)))"),
    compose("softplus", "np.log(1 + np.exp(x))", dialect=SMOOTH),
    compose("softplus", "np.log1p(np.exp(x))", dialect=SMOOTH),
    compose("softplus", "np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))", dialect=SMOOTH),
    compose("softplus", "np.logaddexp(0, x)", dialect=SMOOTH),
    compose("softsign", "x / (1 + np.abs(x))"),
    compose(
        "gelu", "0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))", dialect=TANH
    ),
    compose("tanh_shrink", "x - np.tanh(x)"),
    compose("soft_shrink", "np.sign(x) * np.maximum(np.abs(x) - {threshold}, 0)"),
    compose("hard_shrink", "np.where(np.abs(x) > {threshold}, x, 0)"),
    compose("softmax", "np.exp(x) / np.exp(x).sum({axis}, keepdims=True)"),
    compose(
        "softmax", "(e := np.exp(x - x.max({axis}, keepdims=True))) / e.sum({axis}, keepdims=True)"
    ),
    compose(
        "log_softmax",
        "(s := x - x.max({axis}, keepdims=True)) - np.log(np.exp(s).sum({axis}, keepdims=True))",
    ),
    compose("logsumexp", "np.log(np.exp(x).sum({axis}))"),
    compose("logsumexp", "np.logaddexp.reduce(x, axis={axis})"),
]

LOSSES = [
    loss("mean_squared_error", "(input - target) ** 2"),
    loss("mean_absolute_error", "np.abs(input - target)"),
    loss(
        "huber",
        "np.where((d := np.abs(input - target)) <= {delta}, d**2 / 2, {delta} * (d - {delta} / 2))",
    ),
    loss("log_cosh", "np.log(np.cosh(input - target))"),
    loss("log_cosh", "np.logaddexp(input - target, target - input) - 0.6931471805599453"),
    loss("binary_cross_entropy", "-(target * np.log(input) + (1 - target) * np.log(1 - input))"),
    loss(
        "binary_cross_entropy",
        "-(target * np.log(p := np.clip(input, 1e-7, 1 - 1e-7)) + (1 - target) * np.log1p(-p))",
        dialect={"clip": clip},
    ),
    loss(
        "binary_cross_entropy_with_logits",
        "np.maximum(input, 0) - input * target + np.log1p(np.exp(-np.abs(input)))",
    ),
    loss("binary_cross_entropy_with_logits", "np.log(1 + np.exp(input)) - input * target"),
    loss(
        "cross_entropy",
        "-np.sum(target * np.log(np.exp(input) / np.exp(input).sum(-1, keepdims=True)), axis=-1)",
        **ONE_HOT,
    ),
    loss(
        "cross_entropy",
        "np.sum(target * (np.logaddexp.reduce(input, axis=-1, keepdims=True) - input), axis=-1)",
        **ONE_HOT,
    ),
    loss("categorical_cross_entropy", "-np.sum(target * np.log(input), axis=-1)", **ONE_HOT),
    loss("hinge", "np.maximum(0, 1 - input * target)"),
    loss("squared_hinge", "np.maximum(0, 1 - input * target) ** 2"),
    loss("kl_divergence", "target * np.log(target / input)", dialect=PLAIN),
    loss("poisson_nll", "np.exp(input) - target * input"),
]


class NumPyAdapter(Adapter):
    """NumPy arrays, without gradients; SciPy for what NumPy has not."""

    interface = 2
    gradients = False
    # how tables and --frameworks name it, what pip installs, what its version is told by
    name = "numpy"
    requirement = "numpy scipy"
    distributions = ("numpy", "scipy")
    # it is here if this can be imported; whoever can import nnconform has NumPy
    module = "scipy"
    bindings: ClassVar[tuple[Binding, ...]] = (
        *surface("numpy", [*ACTIVATIONS, *LOSSES]),
        *SPECIAL,
    )
    # what reproducers begin with, and what the names in formulas stand for
    preamble = "import numpy as np\nimport ml_dtypes, numpy, scipy.special"

    def tensor(self, array: np.ndarray) -> Any:
        return np.array(array)

    def array(self, tensor: Any) -> np.ndarray:
        return np.asarray(tensor)

    def unsupported(self, error: BaseException) -> bool:
        # how NumPy's and SciPy's ufuncs refuse a dtype
        return isinstance(error, NotImplementedError) or "not supported for the input types" in str(
            error
        )

    def arrangements(self, rank: int) -> Mapping[str, str]:
        ways = {}
        if rank >= 1:
            ways["strided"] = "{x}.repeat(2, -1)[..., ::2]"
            ways["reversed"] = "{x}[::-1].copy()[::-1]"
        if rank >= 2:
            ways["transposed"] = "{x}.swapaxes(-1, -2).copy().swapaxes(-1, -2)"
        return ways

    def source(self, array: np.ndarray) -> str:
        return numpy_source(array)
