"""JAX: ``jax.nn``, ``jax.numpy`` and ``jax.scipy.special`` where an activation lives there, and Optax'
losses; eager on the CPU."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from .dialects import SMOOTH
from .interface import ARITHMETIC, Adapter, Binding, Call, Inputs, Spelling, bind, surface
from .source import numpy_source

#: Optax returns the losses: "Mean Squared Error can be computed as squared_error(a, b).mean()"
REDUCTION = (
    Spelling("none", "none"),
    Spelling("sum", "sum", result="{y}.sum()"),
    Spelling("mean", "mean", result="{y}.mean()"),
)

#: JAX compiles every operation for every shape, and keeps it: bytes each, measured
EXECUTABLE = 3 * 2**19
#: the bytes that compiled operations may take where nothing limits the process
MEMORY = 3 * 2**30
#: JAX' account of having compiled one, or of having found it in the folder
COMPILED = "/jax/core/compile/backend_compile_duration"

#: jax.nn.gelu: "approximate: whether to use the approximate or exact formulation", by tanh, is True
TANH = {"approximate": "tanh"}


def as_bool(mask: np.ndarray, inputs: Inputs) -> np.ndarray:
    """What ``where`` takes."""
    return mask.astype(bool)


def _padding(lengths: np.ndarray, size: int) -> np.ndarray:
    return (np.arange(size) >= lengths[:, None]).astype(np.float32)


def frames_padded(lengths: np.ndarray, inputs: Inputs) -> np.ndarray:
    """``logit_paddings``: "element must be either 1.0 or 0.0", (B, T)."""
    return _padding(lengths, inputs["log_probs"].shape[0]).astype(inputs["log_probs"].dtype)


def labels_padded(lengths: np.ndarray, inputs: Inputs) -> np.ndarray:
    """``label_paddings``, (B, N)."""
    return _padding(lengths, inputs["targets"].shape[1]).astype(inputs["log_probs"].dtype)


def _memory() -> int:
    """The bytes that compiled operations may take: half of what the process may allocate."""
    if sys.platform == "win32":
        return MEMORY
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_DATA)
    return MEMORY if limit == resource.RLIM_INFINITY else limit // 2


def _loss(function: str, callable: str, args: str = "input target", /, **options: Any) -> Binding:
    """A loss of Optax, with the reductions that its users write."""
    return bind(function, callable, args, **{"reductions": REDUCTION, **options})


def _cross_entropy(callable: str, target: str, axis: int = -1) -> Binding:
    """A cross entropy of logits and targets of that kind, classes along an axis: the last, unless told."""
    return _loss(
        "cross_entropy",
        callable,
        fixed={} if axis == -1 else {"axis": axis},
        dialect={"axis": axis},
        kinds={"target": target},
    )


NN = surface(
    "jax.nn",
    [
        bind("linear", "identity", "x"),
        bind("sigmoid", "sigmoid", "x"),
        bind("tanh", "tanh", "x"),
        bind("hard_tanh", "hard_tanh", "x"),
        bind("relu", "relu", "x"),
        bind("relu6", "relu6", "x"),
        bind("leaky_relu", "leaky_relu", "x", slope="negative_slope"),
        bind("elu", "elu", "x", alpha="alpha"),
        bind("celu", "celu", "x", alpha="alpha"),
        bind("selu", "selu", "x"),
        bind("gelu", "gelu", "x", dialect=TANH),
        bind("gelu", "gelu", "x", fixed={"approximate": False}),
        bind("silu", "silu", "x"),
        bind("silu", "swish", "x"),
        bind("mish", "mish", "x"),
        bind("hard_sigmoid", "hard_sigmoid", "x"),
        bind("hard_swish", "hard_swish", "x"),
        bind("hard_swish", "hard_silu", "x"),
        bind("softplus", "softplus", "x", dialect=SMOOTH),
        bind("squareplus", "squareplus", "x", b="b"),
        bind("sparse_plus", "sparse_plus", "x"),
        bind("sparse_sigmoid", "sparse_sigmoid", "x"),
        bind("log_sigmoid", "log_sigmoid", "x"),
        bind("softsign", "soft_sign", "x"),
        bind("glu", "glu", "x", axis="axis"),
        bind("softmax", "softmax", "x", axis="axis"),
        bind(
            "masked_softmax",
            "softmax",
            "x",
            mask="where",
            axis="axis",
            prepare={"mask": as_bool},
            label="softmax(where)",
        ),
        bind("log_softmax", "log_softmax", "x", axis="axis"),
        bind("logsumexp", "logsumexp", "x", axis="axis"),
    ],
)

NUMPY = surface(
    "jax.numpy",
    [bind("step", "heaviside", "x at_zero"), bind("tanh", "tanh", "x")],
)

SPECIAL = surface(
    "jax.scipy.special",
    [
        bind("sigmoid", "expit", "x"),
        bind("softmax", "softmax", "x", axis="axis"),
        bind("log_softmax", "log_softmax", "x", axis="axis"),
        bind("logsumexp", "logsumexp", "x", axis="axis"),
        bind("kl_divergence", "rel_entr", "target input", dialect={"log_input": False}),
    ],
)

LOSSES = surface(
    "optax.losses",
    [
        _loss("mean_squared_error", "squared_error"),
        _loss("mean_squared_error", "l2_loss", dialect={"half": True}),
        # "if not provided then it is assumed to be a vector of zeros"
        _loss("l2_loss", "l2_loss", "input", label="l2_loss(predictions)"),
        _loss("huber", "huber_loss", delta="delta"),
        _loss("log_cosh", "log_cosh"),
        _loss(
            "cosine_similarity",
            "cosine_similarity",
            "input1 input2",
            axis="axis",
            eps="epsilon",
            dialect={"eps": 0.0},
        ),
        _loss("binary_cross_entropy_with_logits", "sigmoid_binary_cross_entropy"),
        _loss(
            "binary_focal", "sigmoid_focal_loss", gamma="gamma", dialect={"from_logits": True}
        ),  # "alpha: Default `None` (no weighting)"
        _loss(
            "binary_focal",
            "sigmoid_focal_loss",
            gamma="gamma",
            alpha="alpha",
            fixed={"alpha": 0.25},
            dialect={"from_logits": True, "apply_class_balancing": True},
        ),
        _loss("hinge", "hinge_loss"),
        _cross_entropy("softmax_cross_entropy", "distribution"),
        _cross_entropy("softmax_cross_entropy", "distribution", axis=1),
        _cross_entropy("safe_softmax_cross_entropy", "distribution"),
        _cross_entropy("softmax_cross_entropy_with_integer_labels", "class_index"),
        _cross_entropy("softmax_cross_entropy_with_integer_labels", "class_index", axis=1),
        _loss("kl_divergence", "kl_divergence", rows="sum"),
        _loss(
            "kl_divergence",
            "kl_divergence_with_log_targets",
            rows="sum",
            dialect={"log_target": True},
            kinds={"target": "log_probability"},
        ),
        _loss(
            "ctc",
            "ctc_loss",
            "log_probs input_lengths targets target_lengths",
            blank="blank_id",
            kinds={"log_probs": "logits"},
            dialect={"from_logits": True},
            layout={"log_probs": (1, 0, 2)},
            prepare={"input_lengths": frames_padded, "target_lengths": labels_padded},
            # the canonical mean divides by the lengths of the targets
            reductions=REDUCTION[:2],
        ),
    ],
)


OPERATIONS: dict[str, str] = {
    **ARITHMETIC,
    "expand": "{x}[..., None]",
    "move": "jnp.moveaxis({x}, {source}, {to})",
    "permute": "{x}.transpose({order})",
    "one_hot": "jax.nn.one_hot({x}, {classes}, axis={axis}, dtype=jnp.{dtype})",
    "exp": "jnp.exp({x})",
    "log": "jnp.log({x})",
    "sigmoid": "jax.nn.sigmoid({x})",
    "logit": "jax.scipy.special.logit({x})",
    "softmax": "jax.nn.softmax({x}, axis={axis})",
    "log_softmax": "jax.nn.log_softmax({x}, axis={axis})",
    "sum": "{x}.sum()",
    "mean": "{x}.mean()",
    "sum_over": "{x}.sum() / {count}",
    "sum_last": "{x}.sum(-1)",
    "mean_last": "{x}.mean(-1)",
}


def widened(script: str, preamble: str, call: Call) -> str:
    """A script that begins with that preamble, with 64 bits where the call has any: else they are cut."""
    if not any(array.dtype.name in ("float64", "int64") for array in call.arrays.values()):
        return script
    if "\nimport jax\n" not in script:
        script = script.replace(preamble, f"{preamble}\nimport jax", 1)
    wide = "import jax\njax.config.update('jax_enable_x64', True)"
    return script.replace("import jax\n", f"{wide}\n", 1)


class JaxAdapter(Adapter):
    """JAX and Optax. float64 needs ``jax_enable_x64``: :meth:`start` sets it, for
    its own process; elsewhere it is the caller's to set."""

    interface = 2
    name = "jax"
    module = "jax"
    requirement = "jax optax"
    distributions = ("jax", "jaxlib", "optax")
    bindings: ClassVar[tuple[Binding, ...]] = (*NN, *NUMPY, *SPECIAL, *LOSSES)
    preamble = "import numpy as np\nimport jax\nimport jax.numpy as jnp\nimport optax"
    operations = OPERATIONS
    modes: ClassVar[Mapping[str, str]] = {**Adapter.modes, "compiled": "jax.jit({f})"}
    #: operations compiled since they were last dropped, and how many may be
    _compiled = 0
    _kept = MEMORY // EXECUTABLE

    def start(self) -> None:
        # one thread; a flag that some version does not know ends its process
        os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
        import jax

        if self.device == "cpu":
            jax.config.update("jax_platforms", "cpu")
        else:
            jax.config.update("jax_default_device", self._place)
        jax.config.update("jax_enable_x64", True)
        # what is dropped from memory comes back from a folder in a fifth of the time
        if self._config.jax_compilation_cache_dir is None:
            self._folder = tempfile.TemporaryDirectory(prefix="nnconform-jax-")
            jax.config.update("jax_compilation_cache_dir", self._folder.name)
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
        self._kept = _memory() // EXECUTABLE
        jax.monitoring.register_event_duration_secs_listener(self._told)

    @property
    def _config(self) -> Any:
        """JAX' settings, which its types do not name."""
        import jax

        return jax.config

    def _told(self, event: str, duration_secs: float, **kwargs: Any) -> None:
        self._compiled += event == COMPILED

    def devices(self) -> tuple[str, ...]:
        import jax

        kinds = {"gpu": "cuda"}  # what JAX calls the platform of one
        found = [d for d in jax.devices() if d.platform != "cpu"]
        return ("cpu", *(f"{kinds.get(d.platform, d.platform)}:{d.id}" for d in found))

    @property
    def _place(self) -> Any:
        """The device in use, as JAX has it."""
        import jax

        kind, _, index = self.device.partition(":")
        return jax.devices(kind)[int(index or 0)]

    def dtypes(self) -> tuple[str, ...]:

        wide = ("float64",) if self._config.jax_enable_x64 else ()
        return ("float16", "bfloat16", "float32", *wide)

    def tensor(self, array: np.ndarray) -> Any:
        import jax

        if self._compiled >= self._kept:
            jax.clear_caches()  # takes seconds
            self._compiled = 0
        if not self._config.jax_enable_x64:
            if array.dtype == np.float64:
                raise NotImplementedError(
                    "float64 needs jax.config.update('jax_enable_x64', True), which it is without here"
                )
            if array.dtype == np.int64:
                array = array.astype(np.int32)  # what JAX makes of it, without the warning
        # jnp.array compiles a copy for every shape
        return jax.device_put(np.array(array), self._place)

    def array(self, tensor: Any) -> np.ndarray:
        return np.array(tensor)

    def differentiate(
        self,
        compute: Callable[[Mapping[str, Any]], Any],
        tensors: Mapping[str, Any],
        wrt: Sequence[str],
        cotangent: Callable[[tuple[int, ...], str], np.ndarray],
    ) -> tuple[Any, dict[str, Any], dict[str, str]]:
        import jax

        value, pullback = jax.vjp(
            lambda leaves: compute({**tensors, **leaves}), {name: tensors[name] for name in wrt}
        )
        upstream = self.tensor(cotangent(tuple(value.shape), value.dtype.name))
        (found,) = pullback(upstream)
        return value, dict(found), {}

    def unsupported(self, error: BaseException) -> bool:
        return isinstance(error, NotImplementedError)

    def reproducer(self, call: Call, want: str = "", got: str = "", of: str = "") -> str:
        return widened(super().reproducer(call, want, got, of), self.preamble, call)

    def source(self, array: np.ndarray) -> str:
        made = f"jnp.array({numpy_source(array)})"
        kind, _, index = self.device.partition(":")
        return f"jax.device_put({made}, jax.devices({kind!r})[{index}])" if index else made

    def print_gradient(self, expression: str, of: str) -> list[str]:
        return [f"print(jax.grad(lambda {of}: ({expression}).sum())({of}))"]
