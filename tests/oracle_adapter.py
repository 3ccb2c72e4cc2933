"""The oracle in a framework's place: what the suite must find nothing wrong with.

Tensors are NumPy arrays. A callable computes at the oracle's width and rounds once, to the dtype
of its inputs; its answer carries its own pullback. :class:`Implementation` has a field for each
thing that people get wrong, so that the gauntlet replaces exactly that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from nnconform.adapters.interface import Adapter, Binding, Spelling, bind, surface
from nnconform.reference import catalogue
from nnconform.reference.floats import float_of, is_float
from nnconform.reference.function import INTEGER_KINDS, Function
from nnconform.reference.oracle import evaluate
from nnconform.reference.primitives import softmax
from nnconform.reference.reductions import Rows

Array = np.ndarray
Arguments = dict[str, Any]

NONE, SUM, MEAN, BATCHMEAN, WEIGHTED, NONZERO = (
    Spelling(name, name, {"reduction": name})
    for name in ("none", "sum", "mean", "batchmean", "weighted_mean", "nonzero_mean")
)
DEFAULT = Spelling("default", "mean")

#: kinds of inputs that stand for the definition, without any dialect
KINDS = {"hinge": {"target": "sign"}, "ctc": {"log_probs": "log_probability"}}
#: losses whose values per sample have the weights that Keras and TensorFlow give them
ROWS = ("mean_squared_error", "mean_absolute_error", "binary_cross_entropy")


def _plain(function: Function) -> Binding:
    """A function with all that a case can give it."""
    named = [*function.inputs, *(p.name for p in _parameters(function))]
    spellings = (NONE, SUM, MEAN, *([BATCHMEAN] if "kl" in function.name else []), DEFAULT)
    return bind(
        function.name,
        function.name,
        "",
        reductions=spellings if function.kind == "loss" else (NONE,),
        kinds=KINDS.get(function.name, {}),
        **{name: name for name in named},
    )


def _parameters(function: Function) -> list[Any]:
    return [p for p in function.parameters.values() if p.domain.name != "dialect"]


def _rows(name: str) -> Binding:
    """A loss as Keras has it: the mean over the last axis, then sample weights and a reduction."""
    return bind(
        name,
        name,
        "",
        input="input",
        target="target",
        sample_weight="sample_weight",
        fixed={"rows": "mean"},
        label=f"{name}(rows)",
        rows="mean",
        reductions=(NONE, SUM, MEAN, WEIGHTED, NONZERO),
        min_rank=1,
    )


BINDINGS = surface(
    "oracle",
    [
        *map(_plain, catalogue().values()),
        *map(_rows, ROWS),
        bind(
            "hinge",
            "hinge",
            "",
            input="input",
            target="target",
            fixed={"labels": "bit"},
            dialect={"labels": "bit"},
            kinds={"target": "bit"},
            reductions=(NONE, SUM, MEAN),
        ),
        bind(
            "binary_cross_entropy",
            "binary_cross_entropy",
            "",
            input="input",
            target="target",
            fixed={"clip": (1e-3, 1 - 1e-3)},
            dialect={"clip": (1e-3, 1 - 1e-3)},
            reductions=(NONE, SUM, MEAN),
        ),
        bind(
            "rrelu",
            "rrelu",
            "",
            x="x",
            lower="lower",
            upper="upper",
            fixed={"training": True},
            random=True,
        ),
        *(
            bind(
                "gumbel_softmax",
                "gumbel_softmax",
                "",
                x="x",
                tau="tau",
                axis="axis",
                fixed={"training": True, **hard},
                dialect=hard,
                random=True,
            )
            for hard in ({}, {"hard": True})
        ),
    ],
)


@dataclass
class Answer:
    """What a callable gives: a value, and how cotangents are pulled back."""

    value: Array
    pullback: Callable[[Array], dict[str, Array]]


def unchanged(arguments: Arguments) -> Arguments:
    return arguments


#: a function of a generator and the arguments that draws a result
Sampler = Callable[..., Answer]


def uniform(random: np.random.Generator, shape: Any, lower: float, upper: float) -> Array:
    return random.uniform(lower, upper, shape)


def leaky(slopes: Callable[..., Array] = uniform) -> Sampler:
    """Randomised leaky ReLU in training."""

    def sample(random: np.random.Generator, x: Array, lower: float, upper: float) -> Answer:
        drawn = slopes(random, x.shape, lower, upper).astype(x.dtype)
        return Answer(np.where(x >= 0, x, drawn * x).astype(x.dtype), lambda c: {"x": c})

    return sample


def gumbel(random: np.random.Generator, shape: tuple[int, ...], axis: int) -> Array:
    return random.gumbel(size=shape)


def tempered(x: Array, noise: Array, tau: float, axis: int) -> Array:
    """(x + g)/τ below its maximum, so that τ may be 0."""
    z = x + noise
    below = z - z.max(axis=axis, keepdims=True)
    return np.where(below == 0, 0, below / tau)


def one_hot_of_largest(y: Array, axis: int) -> Array:
    hot = np.zeros_like(y)
    np.put_along_axis(hot, np.expand_dims(y.argmax(axis=axis), axis), 1, axis)
    return np.where(np.isnan(y), y, hot)


def of_the_soft_draw(c: Array, y: Array, hard: Array | None, tau: float, axis: int) -> Array:
    return y * (c - (y * c).sum(axis=axis, keepdims=True)) / tau


def gumbel_softmax(
    noise: Callable[..., Array] = gumbel,
    soften: Callable[..., Array] = tempered,
    harden: Callable[..., Array] = one_hot_of_largest,
    gradient: Callable[..., Array] = of_the_soft_draw,
) -> Sampler:
    """Gumbel-softmax, every step of it replaceable."""

    def sample(random: np.random.Generator, x: Array, tau: float, hard: bool, axis: int) -> Answer:
        wide = float_of(x.dtype.name).oracle
        with np.errstate(all="ignore"):
            z = soften(x.astype(wide), noise(random, x.shape, axis).astype(wide), tau, axis)
            y = softmax(z, axis)
            drawn = harden(y, axis) if hard else y

        def pullback(c: Array) -> dict[str, Array]:
            with np.errstate(all="ignore"):
                of_x = gradient(c.astype(wide), y, drawn if hard else None, tau, axis)
                return {"x": of_x.astype(x.dtype)}

        return Answer(drawn.astype(x.dtype), pullback)

    return sample


SAMPLERS: Mapping[str, Sampler] = {"rrelu": leaky(), "gumbel_softmax": gumbel_softmax()}


@dataclass
class Implementation:
    """One callable: the oracle's function, and every step on the way that can be wrong."""

    function: Function
    #: what it makes of its arguments (``sample_weight`` and ``reduction`` are among them)
    prepare: Callable[[Arguments], Arguments] = unchanged
    #: what it does to results that are in the dtype already
    finish: Callable[[Array], Array] = field(default=np.asarray)
    #: computes at the width of the dtype under test, as frameworks do
    narrow: bool = False
    #: refuses what the documentation does not allow
    checked: bool = True
    #: how it draws, if not as it should
    sampler: Sampler | None = None
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def __call__(self, *, rows: Rows = None, training: bool = False, **given: Any) -> Answer:
        if training:
            sample = self.sampler or SAMPLERS[self.function.name]
            return sample(self.random, **{**self.function.defaults(), **given})
        dtype = next(a.dtype for a in given.values() if isinstance(a, np.ndarray) and is_float(a))
        wide = dtype if self.narrow else float_of(dtype.name).oracle
        arguments: Arguments = {
            name: v.astype(wide) if isinstance(v, np.ndarray) and is_float(v) else v
            for name, v in given.items()
        }
        if self.checked:
            refuse(self.function, arguments)
        loss = self.function.kind == "loss"
        usual = {"reduction": "mean" if loss else "none", "sample_weight": None}
        arguments = self.prepare({**self.function.defaults(), **usual, **arguments})
        reduction, weight = arguments.pop("reduction"), arguments.pop("sample_weight")
        for name, spec in self.function.inputs.items():
            if arguments.get(name) is not None and not INTEGER_KINDS & set(spec.kinds):
                arguments[name] = arguments[name].astype(wide)  # whole numbers, in another dtype

        def evaluated(**options: Any) -> Any:
            return evaluate(
                self.function, arguments, reduction, sample_weight=weight, rows=rows, **options
            )

        def pullback(cotangent: Array) -> dict[str, Array]:
            found = evaluated(cotangent=cotangent.astype(wide), gradient=True).gradients
            return {name: self._rounded(g, dtype) for name, g in found.items()}

        return Answer(self._rounded(evaluated().value, dtype), pullback)

    def _rounded(self, array: Array, dtype: np.dtype) -> Array:
        with np.errstate(all="ignore"):
            return np.asarray(self.finish(np.asarray(array).astype(dtype)))


def refuse(function: Function, arguments: Arguments) -> None:
    """Raise ValueError for class indices out of range and for shapes that do not fit."""
    first = arguments[next(iter(function.inputs))]
    target = arguments.get("target")
    if target is None:
        return
    spec = function.inputs["target"]
    axis = arguments.get("axis", 1)
    if "linear_weight" in arguments:  # its logits
        first = np.zeros((len(first), *arguments["linear_weight"].shape[:-1]))
    if "head_weight" in arguments:  # the logits of the head, less two, and of the clusters
        layers = [len(arguments[n]) for n in ("head_weight", "tail1", "tail2")]
        first = np.zeros((len(first), sum(layers) - 2))
    if target.dtype.kind == "i" and {"class_index"} & set(spec.kinds):
        for index in (target, arguments.get("sampled", target)):
            ignored = index == arguments.get("ignore_index", -1000)
            if np.any(((index < 0) | (index >= first.shape[axis])) & ~ignored):
                raise ValueError("class index out of range")
        expected = first.shape[:axis] + first.shape[axis + 1 :]
        if "sampled" in arguments:  # any number of true classes
            expected = (len(first), *target.shape[1:])
    elif spec.shape == "N":
        expected = first.shape[:1]
    else:
        expected = first.shape
    if target.shape != expected:
        raise ValueError(f"target has shape {target.shape}, not {expected}")


class OracleAdapter(Adapter):
    """The oracle as a framework; ``replaced`` are the callables that stand in for some of it."""

    interface = 2
    name = "oracle"
    module = "numpy"
    requirement = "numpy"
    distributions = ("numpy",)
    bindings: ClassVar[tuple[Binding, ...]] = BINDINGS
    preamble = "from nnconform.reference.oracle import oracle"

    def __init__(self, replaced: Mapping[str, Callable[..., Answer]] | None = None) -> None:
        self.replaced = replaced or {}

    def lookup(self, path: str) -> Callable[..., Answer]:
        name = path.rpartition(".")[2]
        return self.replaced.get(name) or Implementation(catalogue()[name])

    def tensor(self, array: Array) -> Array:
        return array

    def arrangements(self, rank: int) -> Mapping[str, str]:
        transposed = {"transposed": "{x}.swapaxes(-1, -2).copy().swapaxes(-1, -2)"}
        return {"strided": "{x}.repeat(2, -1)[..., ::2]"} | (transposed if rank > 1 else {})

    def array(self, tensor: Array | Answer) -> Array:
        return tensor.value if isinstance(tensor, Answer) else tensor

    def differentiate(
        self,
        compute: Callable[[Mapping[str, Any]], Any],
        tensors: Mapping[str, Any],
        wrt: Sequence[str],
        cotangent: Callable[[tuple[int, ...], str], Array],
    ) -> tuple[Any, dict[str, Any], dict[str, str]]:
        answer = compute(tensors)
        found = answer.pullback(cotangent(answer.value.shape, answer.value.dtype.name))
        return answer, {name: found[name] for name in wrt}, {}

    def unsupported(self, error: BaseException) -> bool:
        return isinstance(error, NotImplementedError)

    def source(self, array: Array) -> str:
        return f"np.array({array.tolist()!r}, {array.dtype.name!r})"

    def print_gradient(self, expression: str, of: str) -> list[str]:
        return [f"print({expression})  # the gradient with respect to {of}"]
