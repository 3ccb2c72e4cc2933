"""PyTorch: ``torch.nn.functional``, ``torch.nn``, and ``torch`` where a function lives there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np

from ..reference.floats import is_float
from ..reference.function import between
from .compositions.torch import COMPOSITIONS
from .dialects import BCE_LOG_FLOOR
from .interface import ARITHMETIC, EAGER, Adapter, Binding, Made, Spelling, bind, surface

NONE = Spelling("none", "none", {"reduction": "none"})
SUM = Spelling("sum", "sum", {"reduction": "sum"})
MEAN = Spelling("mean", "mean", {"reduction": "mean"})
BATCHMEAN = Spelling("batchmean", "batchmean", {"reduction": "batchmean"})
REDUCTION = (NONE, SUM, MEAN, Spelling("default", "mean"))


def implicit_axis(inputs: Mapping[str, np.ndarray], *_: Any) -> dict[str, int]:
    """The axis of ``softmax(dim=None)``: 0 for rank 0, 1 and 3, else 1 (``_get_softmax_dim``)."""
    return {"axis": 0 if inputs["x"].ndim in (0, 1, 3) else 1}


#: aten/src/ATen/native/Loss.cpp: ``constexpr float EPSILON = 1e-12``; not in the documentation
COSINE_EPSILON = {"epsilon": float(np.float32(1e-12))}
#: the distances that triplet_margin_with_distance_loss is given: none ("If not specified,
#: nn.PairwiseDistance will be used"), and another than that
MANHATTAN = {"p": 1.0, "eps": 0.0}
DISTANCES: tuple[dict[str, Any], ...] = (
    {},
    {
        "fixed": {"distance_function": Made("torch.nn.PairwiseDistance", MANHATTAN)},
        "dialect": MANHATTAN,
    },
)


def _losses(functional: bool) -> list[Binding]:
    """The losses, whose functional and class forms take the same arguments."""

    def name(function: str, cls: str) -> str:
        return function if functional else cls

    options: dict[str, Any] = {"reductions": REDUCTION, "legacy": True}
    # weights of elements, shaped as they are, which the class forms do not take
    weighted: dict[str, Any] = {"weights": "full", "sample_weight": "weight"} if functional else {}
    return [
        bind(
            "mean_absolute_error", name("l1_loss", "L1Loss"), "input target", **options, **weighted
        ),
        bind(
            "mean_squared_error", name("mse_loss", "MSELoss"), "input target", **options, **weighted
        ),
        bind(
            "huber",
            name("huber_loss", "HuberLoss"),
            "input target",
            delta="delta",
            reductions=REDUCTION,
            **weighted,
        ),
        bind(
            "smooth_l1",
            name("smooth_l1_loss", "SmoothL1Loss"),
            "input target",
            beta="beta",
            **options,
        ),
        bind(
            "poisson_nll",
            name("poisson_nll_loss", "PoissonNLLLoss"),
            "input target",
            log_input="log_input",
            full="full",
            eps="eps",
            **options,
        ),
        bind(
            "binary_cross_entropy",
            name("binary_cross_entropy", "BCELoss"),
            "input target",
            weight="weight",
            dialect=BCE_LOG_FLOOR,
            **options,
        ),
        bind(
            "binary_cross_entropy_with_logits",
            name("binary_cross_entropy_with_logits", "BCEWithLogitsLoss"),
            "input target",
            weight="weight",
            pos_weight="pos_weight",
            **options,
        ),
        bind(
            "hinge_embedding",
            name("hinge_embedding_loss", "HingeEmbeddingLoss"),
            "input target",
            margin="margin",
            **options,
        ),
        bind("soft_margin", name("soft_margin_loss", "SoftMarginLoss"), "input target", **options),
        bind(
            "margin_ranking",
            name("margin_ranking_loss", "MarginRankingLoss"),
            "input1 input2 target",
            margin="margin",
            **options,
        ),
        bind(
            "cross_entropy",
            name("cross_entropy", "CrossEntropyLoss"),
            "input target",
            weight="weight",
            ignore_index="ignore_index",
            label_smoothing="label_smoothing",
            **options,
        ),
        bind(
            "nll",
            name("nll_loss", "NLLLoss"),
            "input target",
            weight="weight",
            ignore_index="ignore_index",
            **options,
        ),
        bind(
            "kl_divergence",
            name("kl_div", "KLDivLoss"),
            "input target",
            log_target="log_target",
            reductions=(NONE, SUM, MEAN, BATCHMEAN, Spelling("default", "mean")),
            legacy=True,
        ),
        bind(
            "multi_margin",
            name("multi_margin_loss", "MultiMarginLoss"),
            "input target",
            weight="weight",
            p="p",
            margin="margin",
            **options,
        ),
        bind(
            "multilabel_margin",
            name("multilabel_margin_loss", "MultiLabelMarginLoss"),
            "input target",
            **options,
        ),
        bind(
            "multilabel_soft_margin",
            name("multilabel_soft_margin_loss", "MultiLabelSoftMarginLoss"),
            "input target",
            weight="weight",
            **options,
        ),
        bind(
            "cosine_embedding",
            name("cosine_embedding_loss", "CosineEmbeddingLoss"),
            "input1 input2 target",
            margin="margin",
            dialect=COSINE_EPSILON,
            **options,
        ),
        bind(
            "triplet_margin",
            name("triplet_margin_loss", "TripletMarginLoss"),
            "anchor positive negative",
            margin="margin",
            p="p",
            swap="swap",
            eps="eps",
            **options,
        ),
        bind(
            "ctc",
            name("ctc_loss", "CTCLoss"),
            "log_probs targets input_lengths target_lengths",
            blank="blank",
            zero_infinity="zero_infinity",
            reductions=REDUCTION,
            kinds={"log_probs": "log_probability"},
        ),
        bind(
            "gaussian_nll",
            name("gaussian_nll_loss", "GaussianNLLLoss"),
            "input target var",
            full="full",
            eps="eps",
            reductions=REDUCTION,
            kinds={"input": "feature", "target": "feature"},  # (x − y)²/var² does not overflow
        ),
        # by the formula of the function, which the module calls; the module's own documentation has
        # max(‖x₁‖·‖x₂‖, eps), as it was before https://github.com/pytorch/pytorch/pull/31378
        bind(
            "cosine_similarity",
            name("cosine_similarity", "CosineSimilarity"),
            "input1 input2",
            axis="dim",
            eps="eps",
        ),
        bind(
            "pairwise_distance",
            name("pairwise_distance", "PairwiseDistance"),
            "input1 input2",
            p="p",
            eps="eps",
            keepdim="keepdim",
        ),
        *(
            bind(
                "triplet_margin_with_distance",
                name("triplet_margin_with_distance_loss", "TripletMarginWithDistanceLoss"),
                "anchor positive negative",
                margin="margin",
                swap="swap",
                reductions=REDUCTION,
                **given,
            )
            for given in DISTANCES
        ),
    ]


#: options of linear_cross_entropy, whose chunked path takes class indices, no label smoothing and
#: one position per sample: the choice of the library, every policy, several sizes of a chunk
_OPTIONS: dict[str, dict[str, Any]] = {
    "auto": {},
    "accurate": {"acc_policy": "accurate", "batch_chunk_size": 2, "allow_retain_graph": True},
    "balanced": {"acc_policy": "balanced", "chunking_method": "aspect_ratio:1"},
    "compact": {"acc_policy": "compact", "batch_chunk_size": 1},
}
_CHUNKED = {
    policy: {"options": Made("torch.nn.LinearCrossEntropyOptions", options)}
    for policy, options in _OPTIONS.items()
}


def _linear_cross_entropy(functional: bool) -> list[Binding]:
    """Cross-entropy of a linear layer, by the reference path and by the chunked one."""
    common: dict[str, Any] = {
        "weight": "weight",
        "ignore_index": "ignore_index",
        "reductions": REDUCTION,
    }
    chunked: dict[str, Any] = {"kinds": {"target": "class_index"}, "max_rank": 1}
    if functional:
        layer = "input linear_weight target"
        return [
            bind(
                *("linear_cross_entropy", "linear_cross_entropy", layer),
                linear_bias="linear_bias",
                label_smoothing="label_smoothing",
                **common,
            ),
            *(
                bind(
                    *("linear_cross_entropy", "linear_cross_entropy", layer),
                    fixed=options,
                    linear_bias="linear_bias",
                    label=f"linear_cross_entropy(chunked, {policy})",
                    **common,
                    **chunked,
                )
                for policy, options in _CHUNKED.items()
            ),
        ]
    common |= {
        # "Linear does not support multi-dimensional weights": they are stored flat
        "state": {"linear_weight": "linear.weight", "linear_bias": "linear.bias"},
        "prepare": {
            "linear_weight": lambda weight, inputs: weight.reshape(-1, weight.shape[-1]),
            "linear_bias": lambda bias, inputs: bias.ravel(),
        },
        "derived": {
            "in_features": lambda i: i["input"].shape[1],
            "num_classes": lambda i: i["linear_weight"].shape[0],
            "out_features": lambda i: i["linear_weight"].shape[1:-1],
            "bias": lambda i: "linear_bias" in i,
        },
    }
    return [
        bind(
            *("linear_cross_entropy", "LinearCrossEntropyLoss", "input target"),
            label_smoothing="label_smoothing",
            **common,
        ),
        bind(
            *("linear_cross_entropy", "LinearCrossEntropyLoss", "input target"),
            fixed=_CHUNKED["auto"],
            label="LinearCrossEntropyLoss(chunked, auto)",
            **common,
            **chunked,
        ),
    ]


#: two clusters: cutoffs and sizes follow from the weights; output is the log-probability, loss the
#: mean of what is lost
_ADAPTIVE = bind(
    *("adaptive_log_softmax", "AdaptiveLogSoftmaxWithLoss", "input target"),
    reductions=(
        Spelling("output", "none", result="-{y}.output"),
        Spelling("loss", "mean", result="{y}.loss"),
    ),
    state={
        "head_weight": "head.weight",
        "head_bias": "head.bias",
        "projection1": "tail.0.0.weight",
        "tail1": "tail.0.1.weight",
        "projection2": "tail.1.0.weight",
        "tail2": "tail.1.1.weight",
    },
    derived={
        "in_features": lambda i: i["input"].shape[1],
        "n_classes": lambda i: len(i["head_weight"]) - 2 + len(i["tail1"]) + len(i["tail2"]),
        "cutoffs": lambda i: [
            len(i["head_weight"]) - 2,
            len(i["head_weight"]) - 2 + len(i["tail1"]),
        ],
        "div_value": lambda i: i["input"].shape[1] / len(i["projection1"]),
        "head_bias": lambda i: "head_bias" in i,
    },
)


#: the parameters of the activations that can overwrite their input
_KEYWORDS: dict[str, dict[str, Any]] = {
    "leaky_relu": {"slope": "negative_slope"},
    "elu": {"alpha": "alpha"},
    "hard_tanh": {"min_value": "min_val", "max_value": "max_val"},
    "rrelu": {"lower": "lower", "upper": "upper"},
    "celu": {"alpha": "alpha"},
    "threshold": {"threshold": "threshold", "value": "value"},
}


def _in_place(**callables: str) -> list[Binding]:
    """Activations with ``inplace=True``, by canonical name."""
    return [
        bind(
            function,
            name,
            "x",
            fixed={"inplace": True},
            inplace=True,
            attributes={"training": False} if name == "RReLU" else {},
            **_KEYWORDS.get(function, {}),
        )
        for function, name in callables.items()
    ]


def _overwriting(**callables: str) -> list[Binding]:
    """Activations whose name says that they overwrite their input, by canonical name."""
    return [
        bind(function, name, "x", inplace=True, **_KEYWORDS.get(function, {}))
        for function, name in callables.items()
    ]


FUNCTIONAL = surface(
    "torch.nn.functional",
    [
        bind("sigmoid", "sigmoid", "x"),
        bind("tanh", "tanh", "x"),
        bind("hard_tanh", "hardtanh", "x", min_value="min_val", max_value="max_val"),
        bind("relu", "relu", "x"),
        bind("leaky_relu", "leaky_relu", "x", slope="negative_slope"),
        bind("prelu", "prelu", "x slope"),
        bind("rrelu", "rrelu", "x", lower="lower", upper="upper"),
        bind(
            "rrelu",
            "rrelu",
            "x",
            lower="lower",
            upper="upper",
            fixed={"training": True},
            random=True,
        ),
        bind("elu", "elu", "x", alpha="alpha"),
        *_in_place(
            relu="relu",
            leaky_relu="leaky_relu",
            elu="elu",
            hard_tanh="hardtanh",
            rrelu="rrelu",
            silu="silu",
            mish="mish",
            selu="selu",
            celu="celu",
            relu6="relu6",
            hard_sigmoid="hardsigmoid",
            hard_swish="hardswish",
            threshold="threshold",
        ),
        *_overwriting(
            relu="relu_",
            leaky_relu="leaky_relu_",
            elu="elu_",
            hard_tanh="hardtanh_",
            rrelu="rrelu_",
            selu="selu_",
            celu="celu_",
            threshold="threshold_",
        ),
        bind("gelu", "gelu", "x", approximate="approximate"),
        bind("silu", "silu", "x"),
        bind("mish", "mish", "x"),
        bind("softplus", "softplus", "x", beta="beta", threshold="threshold"),
        bind("log_sigmoid", "logsigmoid", "x"),
        bind("selu", "selu", "x"),
        bind("celu", "celu", "x", alpha="alpha"),
        bind("softsign", "softsign", "x"),
        bind("softmax", "softmax", "x", axis="dim"),
        bind("softmax", "softmax", "x", dialect=implicit_axis, label="softmax(dim=None)"),
        bind("log_softmax", "log_softmax", "x", axis="dim"),
        bind(
            "log_softmax", "log_softmax", "x", dialect=implicit_axis, label="log_softmax(dim=None)"
        ),
        bind("relu6", "relu6", "x"),
        bind("hard_sigmoid", "hardsigmoid", "x"),
        bind("hard_swish", "hardswish", "x"),
        bind("hard_shrink", "hardshrink", "x", threshold="lambd"),
        bind("soft_shrink", "softshrink", "x", threshold="lambd"),
        bind("tanh_shrink", "tanhshrink", "x"),
        bind("threshold", "threshold", "x", threshold="threshold", value="value"),
        bind("softmin", "softmin", "x", axis="dim"),
        bind("softmin", "softmin", "x", dialect=implicit_axis, label="softmin(dim=None)"),
        bind("glu", "glu", "x", axis="dim"),
        bind("gumbel_softmax", "gumbel_softmax", "x", tau="tau", axis="dim", random=True),
        bind(
            "gumbel_softmax",
            "gumbel_softmax",
            "x",
            tau="tau",
            axis="dim",
            fixed={"hard": True},
            dialect={"hard": True},
            random=True,
        ),
        *_losses(functional=True),
        *_linear_cross_entropy(functional=True),
    ],
)

MODULES = surface(
    "torch.nn",
    [
        bind("linear", "Identity", "x"),
        bind("sigmoid", "Sigmoid", "x"),
        bind("tanh", "Tanh", "x"),
        bind("hard_tanh", "Hardtanh", "x", min_value="min_val", max_value="max_val"),
        bind("relu", "ReLU", "x"),
        bind("leaky_relu", "LeakyReLU", "x", slope="negative_slope"),
        bind("prelu", "PReLU", "x", state={"slope": "weight"}),
        bind("rrelu", "RReLU", "x", lower="lower", upper="upper", attributes={"training": False}),
        bind(
            "rrelu",
            "RReLU",
            "x",
            lower="lower",
            upper="upper",
            label="RReLU().train()",
            random=True,
        ),
        bind("elu", "ELU", "x", alpha="alpha"),
        *_in_place(
            relu="ReLU",
            leaky_relu="LeakyReLU",
            elu="ELU",
            hard_tanh="Hardtanh",
            rrelu="RReLU",
            silu="SiLU",
            mish="Mish",
            selu="SELU",
            celu="CELU",
            relu6="ReLU6",
            hard_sigmoid="Hardsigmoid",
            hard_swish="Hardswish",
            threshold="Threshold",
        ),
        bind("gelu", "GELU", "x", approximate="approximate"),
        bind("silu", "SiLU", "x"),
        bind("mish", "Mish", "x"),
        bind("softplus", "Softplus", "x", beta="beta", threshold="threshold"),
        bind("log_sigmoid", "LogSigmoid", "x"),
        bind("selu", "SELU", "x"),
        bind("celu", "CELU", "x", alpha="alpha"),
        bind("softsign", "Softsign", "x"),
        bind("softmax", "Softmax", "x", axis="dim"),
        bind("softmax", "Softmax", "x", dialect=implicit_axis, label="Softmax(dim=None)"),
        bind("log_softmax", "LogSoftmax", "x", axis="dim"),
        bind("log_softmax", "LogSoftmax", "x", dialect=implicit_axis, label="LogSoftmax(dim=None)"),
        bind("relu6", "ReLU6", "x"),
        bind("hard_sigmoid", "Hardsigmoid", "x"),
        bind("hard_swish", "Hardswish", "x"),
        bind("hard_shrink", "Hardshrink", "x", threshold="lambd"),
        bind("soft_shrink", "Softshrink", "x", threshold="lambd"),
        bind("tanh_shrink", "Tanhshrink", "x"),
        bind("threshold", "Threshold", "x", threshold="threshold", value="value"),
        bind("softmin", "Softmin", "x", axis="dim"),
        bind("softmin", "Softmin", "x", dialect=implicit_axis, label="Softmin(dim=None)"),
        bind(
            "softmax", "Softmax2d", "x", dialect={"axis": -3}, min_rank=3
        ),  # (N, C, H, W), (C, H, W)
        bind("glu", "GLU", "x", axis="dim"),
        *_losses(functional=False),
        *_linear_cross_entropy(functional=False),
        _ADAPTIVE,
        bind(
            "nll",
            "NLLLoss2d",
            "input target",
            weight="weight",
            ignore_index="ignore_index",
            reductions=REDUCTION,
            legacy=True,
            min_rank=4,
        ),
    ],
    style="class",
)

TORCH = surface(
    "torch",
    [
        bind(
            "step",
            "heaviside",
            "x at_zero",
            domains={"at_zero": between(0, 1, 0.0, 0.5, 1.0)},
        ),
        bind("logsumexp", "logsumexp", "x", axis="dim"),
        bind("sigmoid", "sigmoid", "x"),
        bind("tanh", "tanh", "x"),
        bind("relu", "relu", "x"),
        bind("prelu", "prelu", "x slope"),
        bind("rrelu", "rrelu", "x", lower="lower", upper="upper"),
        *_overwriting(
            sigmoid="sigmoid_",
            tanh="tanh_",
            relu="relu_",
            rrelu="rrelu_",
            selu="selu_",
            celu="celu_",
            threshold="threshold_",
        ),
        bind("softmax", "softmax", "x", axis="dim"),
        bind("log_softmax", "log_softmax", "x", axis="dim"),
        bind("hard_shrink", "hardshrink", "x", threshold="lambd"),
        bind("threshold", "threshold", "x", threshold="threshold", value="value"),
        bind("selu", "selu", "x"),
        bind("celu", "celu", "x", alpha="alpha"),
    ],
)


OPERATIONS: dict[str, str] = {
    **ARITHMETIC,
    "expand": "{x}.unsqueeze(-1)",
    "move": "{x}.movedim({source}, {to})",
    "permute": "{x}.permute({order})",
    "one_hot": "torch.nn.functional.one_hot({x}, {classes}).movedim(-1, {axis}).to(torch.{dtype})",
    "exp": "{x}.exp()",
    "log": "{x}.log()",
    "sigmoid": "{x}.sigmoid()",
    "logit": "{x}.logit()",
    "softmax": "{x}.softmax({axis})",
    "log_softmax": "{x}.log_softmax({axis})",
    "sum": "{x}.sum()",
    "mean": "{x}.mean()",
    "sum_over": "{x}.sum() / {count}",
    "sum_last": "{x}.sum(-1)",
    "mean_last": "{x}.mean(-1)",
}


#: how often a function is compiled again for other shapes; beyond that torch.compile runs it eagerly
#: without a word, after 8 times by default
RECOMPILATIONS = 1000


class TorchAdapter(Adapter):
    """PyTorch."""

    interface = 2
    name = "torch"
    module = "torch"
    requirement = "torch"
    distributions = ("torch",)
    bindings: ClassVar[tuple[Binding, ...]] = (*FUNCTIONAL, *MODULES, *TORCH)
    preamble = "import torch"
    operations = OPERATIONS
    compositions = COMPOSITIONS
    parameter_data = ".data"
    modes: ClassVar[Mapping[str, str]] = {
        **Adapter.modes,
        # traced, differentiated ahead of time and run as traced: needs no C++ compiler
        "graph": "torch.compile({f}, backend='aot_eager')",
        "compiled": "torch.compile({f})",
    }

    def start(self) -> None:
        import torch

        torch.set_num_threads(1)
        torch.manual_seed(0)  # what is drawn at random is the same in another run
        if self.device != "cpu":
            torch.set_default_device(self.device)  # what modules make for themselves

    def devices(self) -> tuple[str, ...]:
        import torch

        found = ["cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
        if torch.backends.mps.is_available():
            found.append("mps:0")
        return tuple(found)

    def tensor(self, array: np.ndarray) -> Any:
        import torch

        array = np.array(array, copy=True, order="C")
        if array.dtype.name == "bfloat16":
            return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16).to(self.device)
        return torch.from_numpy(array).to(self.device)

    def array(self, tensor: Any) -> np.ndarray:
        import ml_dtypes
        import torch

        tensor = tensor.detach().cpu().contiguous()
        if tensor.dtype == torch.bfloat16:
            return tensor.view(torch.int16).numpy().view(ml_dtypes.bfloat16)
        return tensor.numpy()

    def arrangements(self, rank: int) -> Mapping[str, str]:
        ways = {}
        if rank >= 1:
            ways["strided"] = "{x}.repeat_interleave(2, -1)[..., ::2]"
            ways["offset"] = (
                "{x}.new_zeros({x}.numel() + 1)[1:].copy_({x}.flatten()).view({x}.shape)"
            )
            ways["broadcast"] = "{x}[:1].expand({x}.shape)"
        if rank >= 2:
            ways["transposed"] = "{x}.mT.contiguous().mT"
        if rank == 4:
            ways["channels-last"] = "{x}.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)"
        return ways

    def copied(self, tensor: Any) -> Any:
        return tensor.clone()

    def differentiate(
        self,
        compute: Callable[[Mapping[str, Any]], Any],
        tensors: Mapping[str, Any],
        wrt: Sequence[str],
        cotangent: Callable[[tuple[int, ...], str], np.ndarray],
    ) -> tuple[Any, dict[str, Any], dict[str, str]]:
        import torch

        def attempt(names: Sequence[str]) -> tuple[Any, dict[str, Any]]:
            leaves = {
                n: (t.detach().requires_grad_() if n in names else t) for n, t in tensors.items()
            }
            value = compute(leaves)
            # a module makes a Parameter of the tensor that it is given
            wanted = {n: getattr(leaves[n], "_nnconform_leaf", leaves[n]) for n in names}
            dtype = str(value.dtype).removeprefix("torch.")
            upstream = self.tensor(cotangent(tuple(value.shape), dtype))
            if not value.requires_grad:
                raise RuntimeError("the value does not require grad")
            found = torch.autograd.grad(value, list(wanted.values()), upstream, allow_unused=True)
            return value, {
                n: torch.zeros_like(leaves[n]) if g is None else g for n, g in zip(names, found)
            }

        try:
            value, gradients = attempt(wrt)
            return value, gradients, {}
        except (RuntimeError, NotImplementedError) as error:
            if len(wrt) == 1 or self.unsupported(error):
                raise
        gradients, refused = {}, {}
        for name in wrt:
            try:
                value, found = attempt([name])
                gradients.update(found)
            except (RuntimeError, NotImplementedError) as error:
                refused[name] = str(error).partition("\n")[0]
        if not gradients:
            raise RuntimeError("; ".join(refused.values()))
        return value, gradients, refused

    @contextmanager
    def single_threaded(self) -> Iterator[None]:
        import torch

        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)

    def in_mode(self, mode: str, function: Callable[..., Any]) -> Callable[..., Any]:
        made = super().in_mode(mode, function)
        if mode == EAGER:
            return made
        from torch._dynamo import config

        limit = "recompile_limit" if hasattr(config, "recompile_limit") else "cache_size_limit"
        limits = {limit: RECOMPILATIONS, f"accumulated_{limit}": RECOMPILATIONS}

        def run(*args: Any, **kwargs: Any) -> Any:
            with config.patch(limits):
                return made(*args, **kwargs)

        return run

    def set_state(self, made: Any, attribute: str, value: Any, is_tensor: bool) -> None:
        import torch

        owner, _, name = attribute.rpartition(".")
        if is_tensor:
            value._nnconform_leaf = value = torch.nn.Parameter(value.detach())
        setattr(made.get_submodule(owner), name, value)

    def unsupported(self, error: BaseException) -> bool:
        text = str(error)
        return (
            "not implemented for" in text
            or "is not implemented" in text
            or isinstance(error, NotImplementedError)
        )

    def source(self, array: np.ndarray) -> str:
        text = repr(np.asarray(array, np.float64 if is_float(array) else array.dtype).tolist())
        text = text.replace("inf", "float('inf')").replace("nan", "float('nan')")
        device = "" if self.device == "cpu" else f", device={self.device!r}"
        return f"torch.tensor({text}, dtype=torch.{array.dtype.name}{device})"

    def print_gradient(self, expression: str, of: str) -> list[str]:
        return [
            f"{of}.requires_grad_()",
            f"print(torch.autograd.grad({expression}.sum(), {of})[0])",
        ]
