"""Keras 3: ``keras.activations``, ``keras.layers``, ``keras.losses`` (functions and classes), ``keras.ops``.

The tensors, gradients and dtypes are those of the backend in use, so its adapter does that work.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import cache, cached_property
from typing import Any, ClassVar

import numpy as np

from ..reference.floats import float_of
from . import adapter
from .compositions.keras import COMPOSITIONS
from .dialects import (
    BCE_LOG_FLOOR,
    EPSILON,
    SMOOTH,
    Params,
    epsilon,
    to_epsilon,
    within_epsilon,
)
from .interface import (
    ARITHMETIC,
    DTYPE,
    EAGER,
    NOTHING,
    Adapter,
    Binding,
    Call,
    Inputs,
    Spelling,
    Unavailable,
    bind,
    surface,
)
from .jax import JaxAdapter, widened
from .source import numpy_source
from .tensorflow import TensorFlowAdapter
from .torch import TorchAdapter

#: ``keras.losses.Loss``: "sum_over_batch_size and mean sum the loss and divide by the sample
#: size, and mean_with_sample_weight sums the loss and divides by the sum of the sample weights"
REDUCTION = (
    Spelling("none", "none", {"reduction": "none"}),
    Spelling("None", "none", {"reduction": None}),
    Spelling("sum", "sum", {"reduction": "sum"}),
    Spelling("sum_over_batch_size", "mean", {"reduction": "sum_over_batch_size"}),
    Spelling("mean", "mean", {"reduction": "mean"}),
    Spelling("mean_with_sample_weight", "weighted_mean", {"reduction": "mean_with_sample_weight"}),
    Spelling("default", "mean"),
)
#: the same of a loss whose own mean is another than Keras': CTC divides by N alone
PER_SAMPLE = tuple(
    Spelling(s.label, "batchmean" if s.meaning == "mean" else s.meaning, s.arguments)
    for s in REDUCTION
)

#: how a loss refuses a reduction that another version has
UNKNOWN_REDUCTION = ("Invalid value for argument `reduction`", "Invalid Reduction Key")

#: ``approximate=True`` of gelu: "whether to enable approximation", by tanh
TANH = {"approximate": "tanh"}

#: what each backend computes with probabilities, where Keras' documentation says nothing
BACKENDS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    # output is clipped, its logarithm taken for logits
    "tensorflow": {"binary": {}, "sparse": {"normalize": "after"}},
    # tnn.binary_cross_entropy; output / sum(output), which is then clipped
    "torch": {"binary": BCE_LOG_FLOOR, "sparse": {"normalize": True}},
    # as TensorFlow; output / sum(output), which is then clipped
    "jax": {"binary": {}, "sparse": {"normalize": True}},
}

#: what the mean over ``axis=1`` takes, so that the canonical last axis stands there
SECOND_OF_THREE: dict[str, Any] = {
    "layout": {"target": (0, 2, 1), "input": (0, 2, 1)},
    "min_rank": 3,
    "max_rank": 3,
}

#: the overlap of each mask of a batch, where all of them together are the default
EACH_MASK: dict[str, Any] = {"fixed": {"axis": (1, 2)}, "min_rank": 3, "max_rank": 3}


def float32_epsilon(inputs: Inputs, params: Params, dtype: str) -> float:
    """Epsilon where the source makes a tensor of it, which is one of float32 in every dtype."""
    return float_of("float32").round(EPSILON)


def encoding(inputs: Inputs, params: Params, dtype: str) -> str:
    """Hinge: "if binary (0 or 1) labels are provided they will be converted to -1 or 1"."""
    target = inputs["target"]
    return "bit" if bool(np.all((target == 0) | (target == 1))) else "sign"


def beside_list(inputs: Inputs, params: Params, dtype: str) -> float:
    """Focal cross entropy: alpha "can be a list of floats or a scalar", 0.25 by default."""
    return 1.0 if "weight" in inputs else 0.25


def all_steps(inputs: Inputs) -> np.ndarray:
    """CTC takes every sample to be as long as the batch."""
    steps, samples, _ = inputs["log_probs"].shape
    return np.full(samples, steps)


def until_blank(inputs: Inputs) -> np.ndarray:
    """CTC counts the labels that are not 0: "0 always represents the blank/mask index"."""
    return np.count_nonzero(inputs["targets"], axis=1)


def _losses(functional: bool, backend: str) -> list[Binding]:
    """The losses, whose functional and class forms take the same arguments."""
    computes = BACKENDS[backend]
    per_sample: dict[str, Any] = (
        {}
        if functional
        else {
            "reductions": REDUCTION,
            "sample_weight": "sample_weight",
            "weights": "broadcast",
        }
    )
    own = {} if functional else {"dtype": DTYPE}

    def row(
        function: str,
        name: str,
        cls: str,
        /,
        fixed: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Binding:
        return bind(
            function,
            name if functional else cls,
            "target input",
            fixed={**(fixed or {}), **own},
            **{**per_sample, **options},
        )

    binary = ("binary_crossentropy", "BinaryCrossentropy")
    categorical = ("categorical_crossentropy", "CategoricalCrossentropy")
    sparse = ("sparse_categorical_crossentropy", "SparseCategoricalCrossentropy")
    focal = ("categorical_focal_crossentropy", "CategoricalFocalCrossentropy")
    logits = {"from_logits": True}
    return [
        row("mean_absolute_error", "mean_absolute_error", "MeanAbsoluteError", rows="mean"),
        row("mean_squared_error", "mean_squared_error", "MeanSquaredError", rows="mean"),
        row("huber", "huber", "Huber", delta="delta", rows="mean"),
        row(
            "hinge",
            "hinge",
            "Hinge",
            kinds={"target": "sign bit"},
            dialect={"labels": encoding},
            rows="mean",
        ),
        row(
            "poisson_nll",
            "poisson",
            "Poisson",
            dialect={"log_input": False, "eps": epsilon},
            rows="mean",
        ),
        row(
            "kl_divergence",
            "kl_divergence",
            "KLDivergence",
            dialect={"log_input": False, "clip": to_epsilon},
            rows="sum",
        ),
        row(
            "binary_cross_entropy",
            *binary,
            label_smoothing="label_smoothing",
            dialect={"clip": within_epsilon, **computes["binary"]},
            rows="mean",
        ),
        row(
            "binary_cross_entropy_with_logits",
            *binary,
            fixed=logits,
            label_smoothing="label_smoothing",
            rows="mean",
        ),
        row(
            "binary_cross_entropy",
            *binary,
            fixed={"axis": 1},
            label_smoothing="label_smoothing",
            dialect={"clip": within_epsilon, **computes["binary"]},
            rows="mean",
            **SECOND_OF_THREE,
        ),
        row(
            "binary_cross_entropy_with_logits",
            *binary,
            fixed={**logits, "axis": 1},
            label_smoothing="label_smoothing",
            rows="mean",
            **SECOND_OF_THREE,
        ),
        *(
            binding
            for axis in (-1, 1)
            for binding in (
                row(
                    "categorical_cross_entropy",
                    *categorical,
                    fixed={} if axis == -1 else {"axis": axis},
                    label_smoothing="label_smoothing",
                    kinds={"target": "distribution"},
                    dialect={"axis": axis, "normalize": True, "clip": within_epsilon},
                ),
                row(
                    "cross_entropy",
                    *categorical,
                    fixed=logits if axis == -1 else {**logits, "axis": axis},
                    label_smoothing="label_smoothing",
                    kinds={"target": "distribution"},
                    dialect={"axis": axis},
                ),
            )
        ),
        row(
            "categorical_cross_entropy",
            *sparse,
            kinds={"target": "class_index"},
            dialect={"axis": -1, "clip": within_epsilon, **computes["sparse"]},
        ),
        row(
            "cross_entropy",
            *sparse,
            fixed=logits,
            ignore_index="ignore_class",
            kinds={"target": "class_index"},
            dialect={"axis": -1},
        ),
        row(
            "cross_entropy",
            *sparse,
            fixed={**logits, "axis": 1},
            kinds={"target": "class_index"},
            dialect={"axis": 1},
            min_rank=3,
        ),
        bind(
            "ctc",
            "ctc" if functional else "CTC",
            "targets log_probs",
            fixed=own,
            kinds={"log_probs": "logits"},
            dialect={"from_logits": True},
            layout={"log_probs": (1, 0, 2)},
            implied={"input_lengths": all_steps, "target_lengths": until_blank},
            **{**per_sample, **({} if functional else {"reductions": PER_SAMPLE})},
        ),
        row("log_cosh", "log_cosh", "LogCosh", rows="mean"),
        row(
            "squared_hinge",
            "squared_hinge",
            "SquaredHinge",
            kinds={"target": "sign bit"},
            dialect={"labels": encoding},
            rows="mean",
        ),
        row(
            "mean_absolute_percentage_error",
            "mean_absolute_percentage_error",
            "MeanAbsolutePercentageError",
            dialect={"epsilon": epsilon},
            rows="mean",
        ),
        row(
            "mean_squared_logarithmic_error",
            "mean_squared_logarithmic_error",
            "MeanSquaredLogarithmicError",
            dialect={"epsilon": float32_epsilon},
            rows="mean",
        ),
        row("categorical_hinge", "categorical_hinge", "CategoricalHinge", dialect={"axis": -1}),
        *(
            row(
                "binary_focal",
                "binary_focal_crossentropy",
                "BinaryFocalCrossentropy",
                fixed={**(logits if from_logits else {}), **axis},
                dialect={"from_logits": True} if from_logits else {"clip": within_epsilon},
                gamma="gamma",
                alpha="alpha",
                apply_class_balancing="apply_class_balancing",
                label_smoothing="label_smoothing",
                rows="mean",
                **layout,
            )
            for from_logits in (False, True)
            for axis, layout in (({}, {}), ({"axis": 1}, SECOND_OF_THREE))
        ),
        *(
            row(
                "categorical_focal",
                *focal,
                fixed=fixed,
                dialect={**dialect, "clip": within_epsilon},
                gamma="gamma",
                alpha="alpha",
                label_smoothing="label_smoothing",
            )
            for fixed, dialect in (
                ({}, {"axis": -1, "normalize": True}),
                ({"axis": 1}, {"axis": 1, "normalize": True}),
                (logits, {"axis": -1, "from_logits": True}),
                ({**logits, "axis": 1}, {"axis": 1, "from_logits": True}),
            )
        ),
        row(
            "categorical_focal",
            *focal,
            dialect={"axis": -1, "normalize": True, "clip": within_epsilon, "alpha": beside_list},
            gamma="gamma",
            weight="alpha",
            label_smoothing="label_smoothing",
            label=f"{focal[not functional]}(alpha=list)",
        ),
        row(
            "generalized_cross_entropy",
            "categorical_generalized_cross_entropy",
            "CategoricalGeneralizedCrossEntropy",
            q="q",
        ),
        *(
            binding
            for masks in ({}, EACH_MASK)
            for overlap in ({"epsilon": epsilon, "batch": not masks},)
            for binding in (
                row("dice", "dice", "Dice", dialect=overlap, **masks),
                row(
                    "tversky",
                    "tversky",
                    "Tversky",
                    dialect=overlap,
                    alpha="alpha",
                    beta="beta",
                    **masks,
                ),
            )
        ),
        bind(
            "cosine_similarity",
            "cosine_similarity" if functional else "CosineSimilarity",
            "input2 input1",
            axis="axis",
            fixed=own,
            # the epsilon of keras.ops.normalize, which is not in the documentation of the loss
            dialect={"negated": True, "eps": EPSILON},
            **per_sample,
        ),
        row(
            "circle",
            "circle",
            "Circle",
            gamma="gamma",
            margin="margin",
            remove_diagonal="remove_diagonal",
        ),
    ]


def _shared() -> list[Binding]:
    """The activations that stand in ``keras.activations`` and in ``keras.ops`` alike."""
    return [
        bind("sigmoid", "sigmoid", "x"),
        bind("tanh", "tanh", "x"),
        bind("hard_tanh", "hard_tanh", "x"),
        bind("relu", "relu", "x"),
        bind("leaky_relu", "leaky_relu", "x", slope="negative_slope"),
        bind("elu", "elu", "x", alpha="alpha"),
        bind("silu", "silu", "x"),
        bind("silu", "swish", "x"),
        bind("softplus", "softplus", "x", dialect=SMOOTH),
        bind("log_sigmoid", "log_sigmoid", "x"),
        bind("selu", "selu", "x"),
        bind("celu", "celu", "x", alpha="alpha"),
        bind("softsign", "softsign", "x"),
        bind("squareplus", "squareplus", "x", b="b"),
        bind("softmax", "softmax", "x", axis="axis"),
        bind("log_softmax", "log_softmax", "x", axis="axis"),
        bind("relu6", "relu6", "x"),
        bind("hard_sigmoid", "hard_sigmoid", "x"),
        bind("hard_swish", "hard_silu", "x"),
        bind("hard_swish", "hard_swish", "x"),
        bind("hard_shrink", "hard_shrink", "x", threshold="threshold"),
        bind("soft_shrink", "soft_shrink", "x", threshold="threshold"),
        bind("tanh_shrink", "tanh_shrink", "x"),
        bind("threshold", "threshold", "x", threshold="threshold", value="default_value"),
        bind("sparse_plus", "sparse_plus", "x"),
        bind("sparse_sigmoid", "sparse_sigmoid", "x"),
        bind("glu", "glu", "x", axis="axis"),
        bind("sparsemax", "sparsemax", "x", axis="axis"),
    ]


def _cross_entropies(backend: str) -> list[Binding]:
    """What ``keras.losses`` calls: unreduced, without smoothing."""
    computes = BACKENDS[backend]
    logits = {"from_logits": True}
    rows = [
        bind(
            "binary_cross_entropy",
            "binary_crossentropy",
            "target input",
            dialect={"clip": within_epsilon, **computes["binary"]},
        ),
        bind(
            "binary_cross_entropy_with_logits", "binary_crossentropy", "target input", fixed=logits
        ),
        bind(
            "ctc",
            "ctc_loss",
            "targets log_probs target_lengths input_lengths",
            blank="mask_index",
            kinds={"log_probs": "logits"},
            dialect={"from_logits": True},
            layout={"log_probs": (1, 0, 2)},
        ),
    ]
    for axis in (-1, 1):
        along = {} if axis == -1 else {"axis": axis}
        for name, kind, normalize in (
            ("categorical_crossentropy", "distribution", {"normalize": True}),
            ("sparse_categorical_crossentropy", "class_index", computes["sparse"]),
        ):
            shared: dict[str, Any] = {"kinds": {"target": kind}, "min_rank": 3 if along else 0}
            rows += [
                bind(
                    "categorical_cross_entropy",
                    name,
                    "target input",
                    fixed=along,
                    dialect={"axis": axis, "clip": within_epsilon, **normalize},
                    **shared,
                ),
                bind(
                    "cross_entropy",
                    name,
                    "target input",
                    fixed={**logits, **along},
                    dialect={"axis": axis},
                    **shared,
                ),
            ]
    return rows


def _rectified(name: str, own: Mapping[str, Any] = NOTHING) -> list[Binding]:
    """ReLU with its slope, its threshold and its maximum."""
    both: dict[str, Any] = {"threshold": "threshold", "slope": "negative_slope"}
    return [
        bind(
            "leaky_relu",
            name,
            "x",
            fixed=own,
            slope="negative_slope",
            label=f"{name}(negative_slope)",
        ),
        bind(
            "thresholded_relu",
            name,
            "x",
            fixed=own,
            threshold="threshold",
            label=f"{name}(threshold)",
        ),
        bind(
            "thresholded_relu",
            name,
            "x",
            fixed=own,
            max_value="max_value",
            **both,
            label=f"{name}(max_value)",
        ),
    ]


ACTIVATIONS = surface(
    "keras.activations",
    [
        *_shared(),
        bind("linear", "linear", "x"),
        *_rectified("relu"),
        bind("gelu", "gelu", "x"),
        bind("gelu", "gelu", "x", fixed={"approximate": True}, dialect=TANH),
        bind("mish", "mish", "x"),
        bind("exponential", "exponential", "x"),
    ],
)


OPS = surface(
    "keras.ops",
    [
        bind("step", "heaviside", "x at_zero"),
        bind("logsumexp", "logsumexp", "x", axis="axis"),
        *_shared(),
        bind("gelu", "gelu", "x", dialect=TANH),  # approximate=True by default
        bind("gelu", "gelu", "x", fixed={"approximate": False}),
    ],
)

#: a layer computes in its own dtype, to which it casts what it is given
_OWN = {"dtype": DTYPE}

LAYERS = surface(
    "keras.layers",
    [
        bind("linear", "Activation", "x", fixed={"activation": None, **_OWN}),
        bind("relu", "Activation", "x", fixed={"activation": "relu", **_OWN}),
        bind("relu", "ReLU", "x", fixed=_OWN),
        *_rectified("ReLU", _OWN),
        bind("leaky_relu", "LeakyReLU", "x", fixed=_OWN, slope="negative_slope"),
        bind("elu", "ELU", "x", fixed=_OWN, alpha="alpha"),
        bind("softmax", "Softmax", "x", fixed=_OWN, axis="axis"),
        bind(
            "masked_softmax",
            "Softmax",
            "x",
            fixed=_OWN,
            mask="mask",
            axis="axis",
            at_call="mask",
            label="Softmax(mask)",
        ),
        bind(
            "prelu",
            "PReLU",
            "x",
            fixed=_OWN,
            state={"slope": "alpha"},
            attributes={"built": True},  # else the first call makes another alpha
            max_rank=2,  # one slope for each element of a sample, or shared: (N, P), not (N, P, *K)
        ),
    ],
    style="class",
)


def _bindings(backend: str) -> tuple[Binding, ...]:
    """Every row of Keras on that backend."""
    return (
        *ACTIVATIONS,
        *surface("keras.losses", _losses(functional=True, backend=backend)),
        *surface("keras.losses", _losses(functional=False, backend=backend), style="class"),
        *LAYERS,
        *OPS,
        *surface("keras.ops", _cross_entropies(backend)),
    )


OPERATIONS: dict[str, str] = {
    **ARITHMETIC,
    "expand": "keras.ops.expand_dims({x}, -1)",
    "move": "keras.ops.moveaxis({x}, {source}, {to})",
    "permute": "keras.ops.transpose({x}, [{order}])",
    "one_hot": "keras.ops.one_hot({x}, {classes}, axis={axis}, dtype='{dtype}')",
    "exp": "keras.ops.exp({x})",
    "log": "keras.ops.log({x})",
    "sigmoid": "keras.ops.sigmoid({x})",
    "logit": "keras.ops.log({x}) - keras.ops.log1p(-{x})",
    "softmax": "keras.ops.softmax({x}, axis={axis})",
    "log_softmax": "keras.ops.log_softmax({x}, axis={axis})",
    "sum": "keras.ops.sum({x})",
    "mean": "keras.ops.mean({x})",
    "sum_over": "keras.ops.sum({x}) / {count}",
    "sum_last": "keras.ops.sum({x}, axis=-1)",
    "mean_last": "keras.ops.mean({x}, axis=-1)",
}


@cache
def framework(backend: str) -> Any:
    """The module ``keras`` on that backend, which it has for the life of a process."""
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = backend
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras

    if (own := keras.backend.backend()) != backend:  # keras.config came with Keras 3
        raise RuntimeError(
            f"Keras computes with {own} in this process; with {backend} it needs another process"
        )
    return keras


class KerasAdapter(Adapter):
    """Keras 3 on TensorFlow."""

    interface = 2
    name = "keras"
    module = "keras"
    requirement = "keras tensorflow-cpu"
    distributions: ClassVar[tuple[str, ...]] = ("keras",)
    bindings: ClassVar[tuple[Binding, ...]] = _bindings("tensorflow")
    preamble = "import numpy as np\nimport keras"
    operations = OPERATIONS
    compositions = COMPOSITIONS["tensorflow"]
    computes_with: ClassVar[str] = "tensorflow"
    #: imports what traces and differentiates
    beneath: ClassVar[str] = "import tensorflow as tf"
    modes: ClassVar[Mapping[str, str]] = TensorFlowAdapter.modes

    @cached_property
    def backend(self) -> Adapter:
        """The adapter of the framework that Keras computes with."""
        return adapter(self.computes_with)

    def installed(self) -> bool:
        return super().installed() and self.backend.installed()

    def start(self) -> None:
        framework(self.computes_with)
        self.backend.device = self.device
        self.backend.start()

    def devices(self) -> tuple[str, ...]:
        return self.backend.devices()

    def lookup(self, path: str) -> Any:
        framework(self.computes_with)
        return super().lookup(path)

    def fitted(self, binding: Binding, spelling: Spelling | None, dtype: str) -> Binding:
        try:
            return super().fitted(binding, spelling, dtype)
        except Unavailable:
            if dtype != "float32" or "dtype" not in binding.fixed:
                raise
        # a loss that cannot be told its dtype computes in keras.config.floatx(): float32
        fixed = {name: value for name, value in binding.fixed.items() if name != "dtype"}
        return super().fitted(replace(binding, fixed=fixed), spelling, dtype)

    def lacking(self, error: BaseException, call: Call) -> str:
        made = call.constructor or {}
        if "reduction" in made and any(said in str(error) for said in UNKNOWN_REDUCTION):
            return self._takes_no(call.path, [f"reduction={made['reduction']!r}"])
        return super().lacking(error, call)

    def tensor(self, array: np.ndarray) -> Any:
        return self.backend.tensor(array)

    def arrangements(self, rank: int) -> Mapping[str, str]:
        return self.backend.arrangements(rank)

    def array(self, tensor: Any) -> np.ndarray:
        return self.backend.array(tensor)

    def differentiate(
        self,
        compute: Callable[[Mapping[str, Any]], Any],
        tensors: Mapping[str, Any],
        wrt: Sequence[str],
        cotangent: Callable[[tuple[int, ...], str], np.ndarray],
    ) -> tuple[Any, dict[str, Any], dict[str, str]]:
        return self.backend.differentiate(compute, tensors, wrt, cotangent)

    def single_threaded(self) -> AbstractContextManager[None]:
        return self.backend.single_threaded()

    def in_mode(self, mode: str, function: Callable[..., Any]) -> Callable[..., Any]:
        return self.backend.in_mode(mode, function)

    def unsupported(self, error: BaseException) -> bool:
        return "is currently supported" in str(error) or self.backend.unsupported(error)

    def source(self, array: np.ndarray) -> str:
        return f"keras.ops.convert_to_tensor({numpy_source(array)})"

    def print_gradient(self, expression: str, of: str) -> list[str]:
        return self.backend.print_gradient(expression, of)

    def reproducer(self, call: Call, want: str = "", got: str = "", of: str = "") -> str:
        script = super().reproducer(call, want, got, of)
        if call.mode == EAGER and of not in call.arrays:
            return script
        return script.replace(self.preamble, f"{self.preamble}\n{self.beneath}", 1)


class KerasOnTorch(KerasAdapter):
    """Keras 3 on PyTorch."""

    name = "keras-torch"
    variant_of = "keras"
    requirement = "keras torch"
    distributions = ("keras", "torch")
    bindings = _bindings("torch")
    compositions = COMPOSITIONS["torch"]
    computes_with = "torch"
    beneath = "import torch"
    modes = TorchAdapter.modes
    preamble = f"import os\nos.environ['KERAS_BACKEND'] = 'torch'\n{KerasAdapter.preamble}"


class KerasOnJax(KerasAdapter):
    """Keras 3 on JAX. Slow, since JAX compiles every operation. 64 bits are enabled, so that losses
    which make a one-hot matrix without a dtype come back as float64, as they do not by default."""

    name = "keras-jax"
    variant_of = "keras"
    requirement = "keras jax"
    distributions = ("keras", "jax", "jaxlib")
    bindings = _bindings("jax")
    compositions = ()  # judged on the other backends alone
    computes_with = "jax"
    beneath = "import jax"
    modes = JaxAdapter.modes
    by_default = False
    preamble = f"import os\nos.environ['KERAS_BACKEND'] = 'jax'\n{KerasAdapter.preamble}"

    def reproducer(self, call: Call, want: str = "", got: str = "", of: str = "") -> str:
        return widened(super().reproducer(call, want, got, of), self.preamble, call)
