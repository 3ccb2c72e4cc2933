"""TensorFlow: ``tf.nn``, ``tf.math``, ``tf.compat.v1.losses``, eager on the CPU.

``tf.keras`` is Keras, object by object (``tests/test_adapters_tensorflow.py``), and is measured there.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, ClassVar

import numpy as np

from ..reference.function import between
from .compositions.tensorflow import COMPOSITIONS
from .dialects import SMOOTH
from .interface import ARITHMETIC, DTYPE, Adapter, Binding, Spelling, bind, surface
from .source import numpy_source

#: ``tf.compat.v1.losses.Reduction``, each member with the meaning that its documentation gives
REDUCTION = (
    Spelling("NONE", "none", {"reduction": "none"}),
    Spelling("SUM", "sum", {"reduction": "weighted_sum"}),
    Spelling("SUM_OVER_BATCH_SIZE", "mean", {"reduction": "weighted_sum_over_batch_size"}),
    Spelling("MEAN", "weighted_mean", {"reduction": "weighted_mean"}),
    Spelling(
        "SUM_BY_NONZERO_WEIGHTS", "nonzero_mean", {"reduction": "weighted_sum_by_nonzero_weights"}
    ),
    Spelling(
        "SUM_OVER_NONZERO_WEIGHTS", "nonzero_mean", {"reduction": "weighted_sum_by_nonzero_weights"}
    ),
    Spelling("default", "nonzero_mean"),
)

#: ``approximate=True`` of tf.nn.gelu: "Whether to enable approximation", by tanh in its source
TANH = {"approximate": "tanh"}


#: the class axis of TensorFlow's losses, unless they are told another
LAST = {"axis": -1}


#: the orders of axes that ctc_loss takes its logits in
TIME_AND_BATCH: tuple[dict[str, Any], ...] = (
    {},
    {"fixed": {"logits_time_major": False}, "layout": {"log_probs": (1, 0, 2)}},
)


def beside_samples(weight: np.ndarray, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """A weight for each sample as the source wants it, of the rank of the labels: "a tensor of shape
    [batch_size]", as the documentation has it, is refused beside labels of another rank."""
    return weight.reshape(weight.shape + (1,) * (inputs["target"].ndim - 1))


def _v1(function: str, callable: str, /, **options: Any) -> Binding:
    """A loss of ``tf.compat.v1.losses``: labels, predictions, ``weights`` and ``reduction``."""
    return bind(
        function,
        callable,
        "target input",
        sample_weight="weights",
        weights="broadcast",
        reductions=REDUCTION,
        **options,
    )


def _sampled(function: str, callable: str, **options: Any) -> Binding:
    """A loss of sampled classes, told what the sampler gave."""
    return bind(
        function,
        callable,
        "linear_weight linear_bias target input",
        sampled="sampled_values",
        true_expected="sampled_values",
        sampled_expected="sampled_values",
        remove_accidental_hits="remove_accidental_hits",
        derived={
            "num_sampled": lambda i: len(i["sampled"]),
            "num_classes": lambda i: len(i["linear_bias"]),
            "num_true": lambda i: i["target"].shape[1],
        },
        **options,
    )


NN = surface(
    "tf.nn",
    [
        bind("sigmoid", "sigmoid", "x"),
        bind("tanh", "tanh", "x"),
        bind("relu", "relu", "x"),
        bind("relu6", "relu6", "x"),
        bind("crelu", "crelu", "x", axis="axis"),
        bind("leaky_relu", "leaky_relu", "x", slope="alpha"),
        bind("elu", "elu", "x"),
        bind("gelu", "gelu", "x"),
        bind("gelu", "gelu", "x", fixed={"approximate": True}, dialect=TANH),
        bind("silu", "silu", "x", beta="beta"),
        bind("silu", "swish", "x", beta="beta"),
        bind("softplus", "softplus", "x", dialect=SMOOTH),
        bind("selu", "selu", "x"),
        bind("softsign", "softsign", "x"),
        bind("softmax", "softmax", "x", axis="axis"),
        bind("log_softmax", "log_softmax", "x", axis="axis"),
        bind(
            "poisson_nll", "log_poisson_loss", "target input", full="compute_full_loss"
        ),  # exp(input) − target·input: always of the logarithm
        bind(
            "binary_cross_entropy_with_logits",
            "sigmoid_cross_entropy_with_logits",
            "",
            target="labels",
            input="logits",
        ),
        bind(
            "binary_cross_entropy_with_logits",
            "weighted_cross_entropy_with_logits",
            "target input pos_weight",
        ),
        bind(
            "cross_entropy",
            "softmax_cross_entropy_with_logits",
            "",
            target="labels",
            input="logits",
            kinds={"target": "distribution"},
            dialect=LAST,
        ),
        bind(
            "cross_entropy",
            "softmax_cross_entropy_with_logits",
            "",
            target="labels",
            input="logits",
            fixed={"axis": 1},
            kinds={"target": "distribution"},
            dialect={"axis": 1},
        ),
        bind(
            "cross_entropy",
            "sparse_softmax_cross_entropy_with_logits",
            "",
            target="labels",
            input="logits",
            kinds={"target": "class_index"},
            dialect=LAST,
        ),
        *(
            bind(
                "ctc",
                "ctc_loss",
                "",
                targets="labels",
                log_probs="logits",
                target_lengths="label_length",
                input_lengths="logit_length",
                blank="blank_index",
                kinds={"log_probs": "logits"},
                dialect={"from_logits": True},
                **order,
            )
            for order in TIME_AND_BATCH
        ),
        # "Computes half the L2 norm of a tensor without the sqrt: output = sum(t ** 2) / 2"
        bind("l2_loss", "l2_loss", "input", reductions=(Spelling("default", "sum"),)),
        _sampled("sampled_softmax", "sampled_softmax_loss"),
        _sampled("nce", "nce_loss"),
    ],
)

V1_NN = surface(
    "tf.compat.v1.nn",
    [
        _sampled(function, callable, fixed={"partition_strategy": strategy})
        for function, callable in (("sampled_softmax", "sampled_softmax_loss"), ("nce", "nce_loss"))
        for strategy in ("mod", "div")
    ],
)

MATH = surface(
    "tf.math",
    [
        bind("logsumexp", "reduce_logsumexp", "x", axis="axis"),
        bind("sigmoid", "sigmoid", "x"),
        bind("tanh", "tanh", "x"),
        bind("softmax", "softmax", "x", axis="axis"),
        bind("log_softmax", "log_softmax", "x", axis="axis"),
        bind("log_sigmoid", "log_sigmoid", "x"),
        bind("softplus", "softplus", "x", dialect=SMOOTH),
        bind("softsign", "softsign", "x"),
    ],
)

NUMPY = surface("tf.experimental.numpy", [bind("step", "heaviside", "x at_zero")])

V1_LOSSES = surface(
    "tf.compat.v1.losses",
    [
        _v1("mean_absolute_error", "absolute_difference"),
        _v1("mean_squared_error", "mean_squared_error"),
        _v1("huber", "huber_loss", delta="delta"),
        _v1("hinge", "hinge_loss", kinds={"target": "bit"}, dialect={"labels": "bit"}),
        # "epsilon: A small increment to add to avoid taking a log of zero", 1e-7 by default
        _v1(
            "binary_cross_entropy",
            "log_loss",
            epsilon="epsilon",
            dialect={"epsilon": 1e-7},
            domains={"epsilon": between(0, 1, 1e-7, 1e-3, 1.0, open_low=True)},
        ),
        _v1(
            "binary_cross_entropy_with_logits",
            "sigmoid_cross_entropy",
            label_smoothing="label_smoothing",
        ),
        _v1(
            "cross_entropy",
            "softmax_cross_entropy",
            label_smoothing="label_smoothing",
            kinds={"target": "distribution"},
            dialect=LAST,
            no_gradient={"target": "onehot_labels go through tf.stop_gradient"},
        ),
        _v1(
            "cross_entropy",
            "sparse_softmax_cross_entropy",
            kinds={"target": "class_index"},
            dialect=LAST,
        ),
        _v1("cosine_distance", "cosine_distance", axis="axis"),
        # "dim: The old (deprecated) name for `axis`"
        _v1("cosine_distance", "cosine_distance", axis="dim", label="cosine_distance(dim)"),
        bind(
            "mean_pairwise_squared_error",
            "mean_pairwise_squared_error",
            "target input",
            sample_weight="weights",
            prepare={"sample_weight": beside_samples},
            reductions=(Spelling("default", "sum"),),
        ),
    ],
)

#: the one activation of ``tf.keras`` that Keras itself no longer has; the others are Keras' own objects
KERAS = surface(
    "tf.keras.layers",
    [bind("thresholded_relu", "ThresholdedReLU", "x", fixed={"dtype": DTYPE}, threshold="theta")],
    style="class",
)

#: how TensorFlow says that an operation has no kernel, or no type constraint, for a dtype
REFUSALS = (
    "is not in the list of allowed values",
    "Could not find device for node",
    "Could not find valid device for node",
    "No OpKernel was registered",
    "no supported kernel",
    "not supported on this device",
    # and XLA, that it cannot compile one
    "Detected unsupported operations when trying to compile graph",
    "crossing the XLA/TF boundary is not implemented",
)


OPERATIONS: dict[str, str] = {
    **ARITHMETIC,
    "expand": "tf.expand_dims({x}, -1)",
    "move": "tf.experimental.numpy.moveaxis({x}, {source}, {to})",
    "permute": "tf.transpose({x}, [{order}])",
    "one_hot": "tf.one_hot({x}, {classes}, axis={axis}, dtype=tf.{dtype})",
    "exp": "tf.exp({x})",
    "log": "tf.math.log({x})",
    "sigmoid": "tf.sigmoid({x})",
    "logit": "tf.math.log({x}) - tf.math.log1p(-{x})",
    "softmax": "tf.nn.softmax({x}, axis={axis})",
    "log_softmax": "tf.nn.log_softmax({x}, axis={axis})",
    "sum": "tf.reduce_sum({x})",
    "mean": "tf.reduce_mean({x})",
    "sum_over": "tf.reduce_sum({x}) / {count}",
    "sum_last": "tf.reduce_sum({x}, axis=-1)",
    "mean_last": "tf.reduce_mean({x}, axis=-1)",
}


@cache
def framework() -> Any:
    """The module ``tensorflow``, imported quietly."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow

    return tensorflow


class TensorFlowAdapter(Adapter):
    """TensorFlow."""

    interface = 2
    name = "tensorflow"
    module = "tensorflow"
    requirement = "tensorflow-cpu"
    distributions = ("tensorflow-cpu", "tensorflow", "tensorflow-intel")
    bindings: ClassVar[tuple[Binding, ...]] = (
        *NN,
        *V1_NN,
        *MATH,
        *NUMPY,
        *V1_LOSSES,
        *KERAS,
    )
    preamble = "import numpy as np\nimport tensorflow as tf"
    operations = OPERATIONS
    compositions = COMPOSITIONS
    modes: ClassVar[Mapping[str, str]] = {
        **Adapter.modes,
        "graph": "tf.function({f})",
        "compiled": "tf.function({f}, jit_compile=True)",
    }

    def start(self) -> None:
        tf = framework()
        tf.get_logger().setLevel("ERROR")
        kind, _, index = self.device.partition(":")
        with contextlib.suppress(RuntimeError):  # TensorFlow is at work already
            seen = tf.config.list_physical_devices("GPU")
            tf.config.set_visible_devices(seen[int(index)] if kind == "cuda" else [], "GPU")
            tf.config.threading.set_intra_op_parallelism_threads(1)
            tf.config.threading.set_inter_op_parallelism_threads(1)

    def devices(self) -> tuple[str, ...]:
        gpus = framework().config.list_physical_devices("GPU")
        return ("cpu", *(f"cuda:{index}" for index in range(len(gpus))))

    def lookup(self, path: str) -> Any:
        framework()
        first, _, rest = path.partition(".")
        return super().lookup(f"tensorflow.{rest}" if first == "tf" else path)

    def tensor(self, array: np.ndarray) -> Any:
        return framework().constant(array)

    def array(self, tensor: Any) -> np.ndarray:
        return np.array(framework().convert_to_tensor(tensor).numpy())

    def differentiate(
        self,
        compute: Callable[[Mapping[str, Any]], Any],
        tensors: Mapping[str, Any],
        wrt: Sequence[str],
        cotangent: Callable[[tuple[int, ...], str], np.ndarray],
    ) -> tuple[Any, dict[str, Any], dict[str, str]]:
        tf = framework()

        def attempt(names: Sequence[str]) -> tuple[Any, dict[str, Any]]:
            leaves = {name: tensors[name] for name in names}
            # not a persistent tape, which fails for loops in a tf.function
            with tf.GradientTape() as tape:
                tape.watch(list(leaves.values()))
                value = compute(tensors)
            upstream = self.tensor(cotangent(tuple(value.shape), value.dtype.name))
            return value, tape.gradient(value, leaves, output_gradients=upstream)

        refused: dict[str, str] = {}
        try:
            value, found = attempt(wrt)
        except LookupError as error:
            if len(wrt) == 1:
                return compute(tensors), {}, {wrt[0]: str(error).partition("\n")[0]}
            value, found = compute(tensors), {}
            for name in wrt:
                try:
                    found |= attempt([name])[1]
                except LookupError as alone:
                    refused[name] = str(alone).partition("\n")[0]
        for name in [name for name, gradient in found.items() if gradient is None]:
            del found[name]
            refused[name] = f"the gradient is None: nothing connects {name} with the value"
        return value, found, refused

    def unsupported(self, error: BaseException) -> bool:
        return any(phrase in str(error) for phrase in REFUSALS)

    def source(self, array: np.ndarray) -> str:
        return f"tf.constant({numpy_source(array)})"

    def print_gradient(self, expression: str, of: str) -> list[str]:
        return [
            "with tf.GradientTape() as tape:",
            f"    tape.watch({of})",
            f"    value = {expression}",
            f"print(tape.gradient(value, {of}))",
        ]
