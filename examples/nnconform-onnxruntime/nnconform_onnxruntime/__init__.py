"""ONNX Runtime for nnconform: its activation and loss operators, a model of one node a call.

The surfaces are the domains of operators, ``ai.onnx`` and the runtime's own ``com.microsoft``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from nnconform.adapters.interface import (
    Adapter,
    Binding,
    Call,
    Inputs,
    Slot,
    Spelling,
    Unavailable,
    bind,
    numpy_source,
    surface,
)

from .settings import PROVIDER, opset, stated

#: "reduction: 'none' (default 'mean'), 'sum', 'mean'"
REDUCTION = (
    Spelling("none", "none", {"reduction": "none"}),
    Spelling("sum", "sum", {"reduction": "sum"}),
    Spelling("mean", "mean", {"reduction": "mean"}),
    Spelling("default", "mean"),
)


def per_channel(slope: np.ndarray, inputs: Inputs) -> np.ndarray:
    """The slope of PRelu, "unidirectional broadcastable to input tensor X": channels are axis 1."""
    return slope.reshape(-1, *(1,) * (inputs["x"].ndim - 2))


ONNX = surface(
    "ai.onnx",
    [
        bind("linear", "Identity", "x"),
        bind("sigmoid", "Sigmoid", "x"),
        bind("tanh", "Tanh", "x"),
        bind("exponential", "Exp", "x"),
        bind(  # without bounds it clips nothing
            "hard_tanh",
            "Clip",
            "x",
            min_value="min",
            max_value="max",
            fixed={"min": -1.0, "max": 1.0},
            label="Clip",
        ),
        bind("relu", "Relu", "x"),
        bind("leaky_relu", "LeakyRelu", "x", slope="alpha"),
        bind("prelu", "PRelu", "x slope", prepare={"slope": per_channel}),
        bind("threshold", "ThresholdedRelu", "x", threshold="alpha"),
        bind("elu", "Elu", "x", alpha="alpha"),
        bind("celu", "Celu", "x", alpha="alpha"),
        bind("selu", "Selu", "x"),
        bind("gelu", "Gelu", "x", approximate="approximate"),
        bind("silu", "Swish", "x", beta="alpha"),
        bind("mish", "Mish", "x"),
        # by default "alpha: 0.2"
        bind("hard_sigmoid", "HardSigmoid", "x", fixed={"alpha": 1 / 6}, label="HardSigmoid(1/6)"),
        bind("hard_swish", "HardSwish", "x"),
        bind("hard_shrink", "Shrink", "x", threshold="lambd"),
        bind("soft_shrink", "Shrink", "x", fixed={"lambd": 0.5, "bias": 0.5}),
        bind("softplus", "Softplus", "x", dialect={"threshold": np.inf}),
        bind("softsign", "Softsign", "x"),
        bind("softmax", "Softmax", "x", axis="axis"),
        bind("log_softmax", "LogSoftmax", "x", axis="axis"),
        bind(
            "logsumexp",
            "ReduceLogSumExp",
            "x",
            axis="axes",
            fixed={"axes": -1, "keepdims": 0},  # by default over all axes, which are kept
            label="ReduceLogSumExp",
        ),
        bind(
            "cross_entropy",
            "SoftmaxCrossEntropyLoss",
            "input target",
            weight="weights",
            ignore_index="ignore_index",
            kinds={"target": "class_index"},
            reductions=REDUCTION,
            min_rank=2,
        ),
        bind(
            "nll",
            "NegativeLogLikelihoodLoss",
            "input target",
            weight="weight",
            ignore_index="ignore_index",
            reductions=REDUCTION,
            min_rank=2,
        ),
    ],
)

MICROSOFT = surface(
    "com.microsoft",
    [
        bind("gelu", "Gelu", "x"),
        bind("gelu", "FastGelu", "x", dialect={"approximate": "tanh"}),
        # "alpha : float (default is 1.702)": floats of models have 32 bits
        bind("silu", "QuickGelu", "x", beta="alpha", dialect={"beta": float(np.float32(1.702))}),
        bind("silu", "ScaledSiLU", "x"),
    ],
)


class OnnxRuntimeAdapter(Adapter):
    """ONNX Runtime on the CPU; its tensors are NumPy arrays. It computes values, no gradients."""

    interface = 2
    name = "onnxruntime"
    module = "onnxruntime"
    requirement = "nnconform-onnxruntime"
    distributions = ("onnxruntime", "onnx")
    gradients = False
    bindings: ClassVar[tuple[Binding, ...]] = (*ONNX, *MICROSOFT)
    preamble = "import ml_dtypes\nimport numpy as np\nimport onnx.parser\nimport onnxruntime"
    divergences: ClassVar[Path] = Path(__file__).with_name("divergences.toml")
    left_out: ClassVar[Path] = Path(__file__).with_name("left_out.toml")

    def start(self) -> None:
        import onnxruntime

        from .operators import operator

        onnxruntime.disable_telemetry_events()
        onnxruntime.set_default_logger_severity(4)
        version = opset()
        try:
            operator("ai.onnx", "Identity")(np.zeros(1, np.float32))
        except Exception as error:
            raise Unavailable(f"onnxruntime {self.version} runs no opset {version}") from error

    def facts(self) -> Mapping[str, str]:
        return {
            "opset": stated(),
            "provider": PROVIDER,
            "graph optimization": "all, as by default",
        }

    def tensor(self, array: np.ndarray) -> np.ndarray:
        return np.array(array)

    def array(self, tensor: np.ndarray) -> np.ndarray:
        return np.array(tensor)

    def arrangements(self, rank: int) -> Mapping[str, str]:
        transposed = {"transposed": "{x}.swapaxes(-1, -2).copy().swapaxes(-1, -2)"}
        strided = {"strided": "{x}.repeat(2, -1)[..., ::2]"} if rank else {}
        return strided | (transposed if rank > 1 else {})

    def lookup(self, path: str) -> Any:
        from .operators import DOMAINS, operator

        domain, _, name = path.rpartition(".")
        return operator(domain, name) if domain in DOMAINS else super().lookup(path)

    def offers(self, surface: str) -> list[str]:
        from .operators import operators

        return list(operators(surface))

    def fitted(self, binding: Binding, spelling: Spelling | None, dtype: str) -> Binding:
        binding = super().fitted(binding, spelling, dtype)
        if not self.lookup(binding.path).takes(dtype):
            raise Unavailable(f"the specification of {binding.path} has no {dtype}")
        return binding

    def unsupported(self, error: BaseException) -> bool:
        return isinstance(error, NotImplementedError)  # operators raise it where there is no kernel

    def source(self, array: np.ndarray) -> str:
        return numpy_source(array)

    def written(self, call: Call) -> tuple[list[str], str, dict[str, str]]:
        """The model as text, and the session that runs it: what a call does."""
        operator = self.lookup(call.path)

        def filled(value: Any) -> Any:
            return call.arrays[value.name] if isinstance(value, Slot) else value

        given = {n: v.name for n, v in zip(operator.inputs, call.args)}
        given |= {n: v.name for n, v in call.kwargs.items() if isinstance(v, Slot)}
        tensors, attributes = operator.arguments(
            [filled(v) for v in call.args], {k: filled(v) for k, v in call.kwargs.items()}
        )
        made = [f"{n} = {self.source(a)}" for n, a in tensors.items() if n not in given]
        model = f"model = onnx.parser.parse_model({operator.model(tensors, attributes)!r})"
        session = "session = onnxruntime.InferenceSession(model.SerializeToString())"
        feeds = ", ".join(f"{name!r}: {given.get(name, name)}" for name in tensors)
        lines = [*made, model, session]
        if all(array.dtype.name != "bfloat16" for array in tensors.values()):
            return lines, f"session.run(None, {{{feeds}}})[0]", {}
        lines += [
            "import ctypes",
            f"kept = {{n: np.array(a, order='C') for n, a in {{{feeds}}}.items()}}",
            "make = onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type",
            "values = {n: make(a, onnx.TensorProto.BFLOAT16) for n, a in kept.items()}",
            "y = session.run_with_ort_values(None, values)[0]",
            "data = ctypes.string_at(y.data_ptr(), y.tensor_size_in_bytes())",
        ]
        return lines, "np.frombuffer(data, 'bfloat16').reshape(y.shape())", {}
