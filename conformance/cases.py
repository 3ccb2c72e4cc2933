"""Cases: a function's inputs and parameters, made in the dtype under test.

One builder draws a case from a source of numbers (see :mod:`.sources`): the corpus is
deterministic, Hypothesis searches and shrinks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any

import numpy as np

from ..adapters.interface import Binding
from ..reference import catalogue
from ..reference.floats import DTYPES, Float, float_of, is_float
from ..reference.function import INTEGER_KINDS, Function, Input
from .sources import Corpus, Search, Source, exponent_of, fit


@dataclass
class Case:
    """Canonical inputs (floats in the dtype under test) and the parameters that are passed."""

    function: Function
    dtype: str
    inputs: dict[str, np.ndarray]
    params: dict[str, Any]

    def arguments(self, dialect: Mapping[str, Any]) -> dict[str, Any]:
        """Complete arguments of the oracle's formula, widened exactly."""
        wide = float_of(self.dtype).oracle
        given = {
            name: array.astype(wide) if is_float(array) else array
            for name, array in self.inputs.items()
            if name != "sample_weight"
        }
        return {**given, **self.function.defaults(), **dialect, **self.params}

    @property
    def sample_weight(self) -> np.ndarray | None:
        """The widened sample weights, if there are any."""
        weight = self.inputs.get("sample_weight")
        return None if weight is None else weight.astype(float_of(self.dtype).oracle)


def build(binding: Binding, dtype: str, source: Source) -> Case:
    """Draw one case that the binding can be given."""
    function = catalogue()[binding.function]
    kind = float_of(dtype)
    fixed: dict[str, Any] = {}
    if not callable(binding.dialect):
        fixed = {k: v for k, v in binding.dialect.items() if not callable(v)}
    domains = {n: binding.domains.get(n, p.domain) for n, p in function.parameters.items()}
    params = {
        name: source.parameter(domains[name], fixed.get(name, p.default))
        for name, p in function.parameters.items()
        if binding.reaches(name) and domains[name].name not in ("axis", "dialect")
    }
    first = next(iter(function.inputs.values()))
    dims = _dimensions(function, binding, params, source)
    if binding.reaches("axis"):
        rank = len(dims["S"]) if first.shape == "S" else len(dims["K"]) + 2
        params["axis"] = source.choice([-1, *range(-rank, rank)])
    structural = {**function.defaults(), **fixed, **params}
    if function.facts.get("even"):
        sizes = list(dims["S"])
        sizes[structural["axis"]] *= 2
        dims["S"] = tuple(sizes)
    inputs: dict[str, np.ndarray] = {}
    for name, spec in function.inputs.items():
        if name in binding.implied:
            inputs[name] = binding.implied[name](inputs)
            continue
        if not binding.reaches(name) or (spec.optional and not _wanted(binding, name, source)):
            continue
        kinds = tuple(binding.kinds.get(name, _kinds(function, spec, structural)))
        chosen = kinds[0] if len(kinds) == 1 else source.choice(kinds)
        inputs[name] = _input(spec, chosen, dims, structural, kind, source, inputs, binding)
    if "ignore_index" in params and inputs["target"].dtype.kind != "i":
        del params["ignore_index"]  # documented for class indices alone
    case = Case(function, dtype, inputs, params)
    if binding.reaches("sample_weight") and source.integer(0, 1):
        shape = _loss_shape(case, binding)
        _weights(case, shape, binding, kind, source)
    return case


def _wanted(binding: Binding, name: str, source: Source) -> bool:
    return name in binding.args or bool(source.integer(0, 1))


def _kinds(function: Function, spec: Input, params: Mapping[str, Any]) -> tuple[str, ...]:
    chosen = function.facts.get("kind_of", {}).get(spec.name)
    return (chosen(params),) if chosen else spec.kinds


def _dimensions(
    function: Function, binding: Binding, params: Mapping[str, Any], source: Source
) -> dict[str, tuple[int, ...]]:
    """A size for every dimension that the function's shapes name."""
    first = next(iter(function.inputs.values()))
    tokens = {t for spec in function.inputs.values() for t in spec.shape.split()}
    dims: dict[str, tuple[int, ...]] = {}
    if "S" in tokens:
        needs_axis = "axis" in function.parameters or binding.rows is not None
        low = max(binding.min_rank, 1 if needs_axis else 0)
        rank = max(low, source.integer(low, min(3, binding.max_rank)))
        sizes = [source.integer(1, 4) for _ in range(rank)]
        if sizes and source.size > 1:
            sizes[0] *= source.size
        dims["S"] = tuple(sizes)
    if "*K" in tokens:
        fixed = len(first.shape.split()) - 1
        low = max(0, binding.min_rank - fixed)
        rank = source.integer(low, max(low, min(2, binding.max_rank - fixed)))
        dims["K"] = tuple(source.integer(1, 3) for _ in range(rank))
    for token, low, high in (("N", 1, 4), ("C", 2, 5), ("D", 1, 4), ("P", 1, 4), ("L", 1, 3)):
        dims[token] = (source.integer(low, high),)
    if source.size > 1 and "N" not in function.coupled:
        dims["N"] = (dims["N"][0] * source.size,)
    dims["T"] = (2 * dims["L"][0] + 1 + source.integer(0, 2),)
    dims["C"] = (max(dims["C"][0], params.get("blank", 0) + 2),) if "L" in tokens else dims["C"]
    dims["G"] = (params.get("groups", 1) * source.integer(1, 3),)
    if "R" in tokens:  # true classes, and candidates that are sampled
        dims |= {"R": (source.integer(1, 3),), "Q": (source.integer(1, 5),)}
    if "H" in tokens:  # a shortlist and two clusters, each so many times narrower than the last
        short, one, two = (source.integer(1, 3) for _ in range(3))
        narrower = source.choice([4, 2, 1])
        last = source.integer(1, 4 // narrower)
        dims |= {"H": (short + 2,), "E": (one,), "F": (two,), "C": (short + one + two,)}
        dims |= {"D": (last * narrower**2,), "U": (last * narrower,), "V": (last,)}
    return dims


def shape_of(
    spec: Input, kind: str, dims: Mapping[str, tuple[int, ...]], params: Mapping[str, Any]
) -> tuple[int, ...]:
    """The shape of an input; the class dimension stands where ``axis`` says."""
    tokens = spec.shape.split()
    if kind == "class_index" and "C" in tokens:
        tokens.remove("C")
    named = [t.lstrip("*") for t in tokens if t not in ("C",)]
    shape = [size for t in named for size in dims[t.partition("|")[0]]]
    if "C" in tokens:
        place = params.get("axis", 1) if tokens[0] == "N" else tokens.index("C")
        place = place % (len(shape) + 1)
        shape.insert(place, dims["C"][0])
    return tuple(shape)


def _input(
    spec: Input,
    kind: str,
    dims: Mapping[str, tuple[int, ...]],
    params: Mapping[str, Any],
    dtype: Float,
    source: Source,
    drawn: Mapping[str, np.ndarray],
    binding: Binding,
) -> np.ndarray:
    shape = shape_of(spec, kind, dims, params)
    if kind == "slope":
        shape = shape if source.integer(0, 1) else (1,)
        return source.floats(shape, (-2.0, 2.0), dtype)
    if kind in INTEGER_KINDS:
        return _indices(kind, shape, dims, params, source, drawn, binding)
    if kind in ("sign", "bit"):
        bits = source.integers(shape, 0, 1)
        return (bits if kind == "bit" else 2 * bits - 1).astype(dtype.dtype)
    if kind in ("distribution", "log_probability") and "C" in spec.shape.split():
        return _rows(
            kind, shape, params.get("axis", 1) if "T" not in spec.shape else 2, dtype, source
        )
    if kind == "real":
        return source.floats(shape, element_range(kind, dtype), dtype, _root(dtype.tiny, 2))
    if kind == "direction":
        return _directions(source.floats(shape, (-1.0, 1.0), dtype).astype(np.float64), dtype)
    if kind in ("feature", "factor"):
        return source.floats(shape, element_range(kind, dtype), dtype, _root(dtype.tiny, 4))
    return source.floats(shape, element_range(kind, dtype), dtype)


def _directions(vectors: np.ndarray, dtype: Float) -> np.ndarray:
    """Vectors of length 1, to the accuracy of the dtype; the first axis for those of length 0."""
    length = np.sqrt(_total(vectors * vectors, -1))
    axis = np.arange(vectors.shape[-1]) == 0
    unit = np.where(length == 0, axis, vectors / np.where(length == 0, 1, length))
    return fit(unit, (-1.0, 1.0), dtype)


def _root(extreme: float, power: int) -> float:
    """A power of two whose own power stays well on this side of an extreme of the dtype."""
    exponent = exponent_of(extreme)
    return 2.0 ** (exponent // power + (1 if exponent < 0 else -1))


def element_range(kind: str, dtype: Float) -> tuple[float, float]:
    """What ordinary elements of a kind look like; the rest of the range is the aspect ``special``.

    Squares, products and sums of these neither overflow nor underflow; of features, which are
    normalised and raised to powers, their fourth powers do not. Of factors, the products of three,
    some tens of them summed, stay below 1/u: logits beyond it round to whole units, and what a softmax
    makes of them has no digit that is right.
    """
    root = _root(dtype.largest, 2) / 2
    quarter = _root(dtype.largest, 4)
    third = 2.0 ** (-exponent_of(dtype.u) // 3 - 2)
    ranges = {
        "real": (-root, root),
        "feature": (-quarter, quarter),
        "factor": (-third, third),
        "logits": (-root, root),
        "probability": (0.0, 1.0),
        "distribution": (0.0, 1.0),
        "log_probability": (-min(root, 80.0), 0.0),
        "positive": (2.0**-10, root),
        "count": (0.0, min(root, 64.0)),
        "weight": (0.0, 4.0),
    }
    return ranges[kind]


def _rows(kind: str, shape: tuple[int, ...], axis: int, dtype: Float, source: Source) -> np.ndarray:
    """Rows that are a distribution, or the logarithm of one, to the accuracy of the dtype."""
    if kind == "distribution":
        parts = source.floats(shape, (0.0, 1.0), dtype).astype(np.float64)
        total = _total(parts, axis)
        first = np.arange(shape[axis]) == 0
        lone = np.moveaxis(np.broadcast_to(first, np.moveaxis(parts, axis, -1).shape), -1, axis)
        shares = np.where(total == 0, lone, parts / np.where(total == 0, 1, total))
        return fit(shares, (0.0, 1.0), dtype)
    logits = source.floats(shape, (-16.0, 16.0), dtype).astype(np.float64)
    top = logits.max(axis=axis, keepdims=True)
    total = _total(_exactly(Decimal.exp, logits - top), axis)
    return fit(logits - top - _exactly(Decimal.ln, total), (-np.inf, 0.0), dtype)


def _total(array: np.ndarray, axis: int) -> np.ndarray:
    """The sum along an axis, in the order of the elements whatever NumPy's order is."""
    return np.take(np.add.accumulate(array, axis=axis), [-1], axis=axis)


def _exactly(function: Callable[[Decimal], Decimal], array: np.ndarray) -> np.ndarray:
    """A function of every element, rounded correctly: NumPy's own differ between its builds."""
    return np.reshape([float(function(Decimal(v))) for v in array.ravel().tolist()], array.shape)


def _indices(
    kind: str,
    shape: tuple[int, ...],
    dims: Mapping[str, tuple[int, ...]],
    params: Mapping[str, Any],
    source: Source,
    drawn: Mapping[str, np.ndarray],
    binding: Binding,
) -> np.ndarray:
    classes = dims["C"][0]
    if kind == "class_index":
        index = source.integers(shape, 0, classes - 1)
        if binding.reaches("ignore_index"):
            ignored = source.integers(shape, 0, 4) == 0
            index = np.where(ignored, params["ignore_index"], index)
        return index
    if kind == "label":
        return source.integers(shape, 0, 2)
    if kind == "label_set":
        order = np.argsort(source.integers(shape, 0, 99), axis=1, kind="stable")
        listed = source.integers((shape[0], 1), 0, classes)
        return np.where(np.arange(classes) == listed, -1, order)  # what follows −1 is ignored
    if kind == "labels":
        labels = source.integers(shape, 0, classes - 2)
        return labels + (labels >= params["blank"])
    if kind == "target_lengths":
        lengths = source.integers(shape, 0, dims["L"][0])
        if params.get("zero_infinity"):
            return lengths  # some of which cannot be aligned
        return np.minimum(lengths, (drawn["input_lengths"] - 1) // 2)  # so that it can be aligned
    return source.integers(shape, 1, dims["T"][0])  # lengths


def _loss_shape(case: Case, binding: Binding) -> tuple[int, ...]:
    dialect = binding.resolved_dialect(case.inputs, case.params, case.dtype)
    losses = case.function(**case.arguments(dialect))
    return losses.shape[:-1] if binding.rows else losses.shape


def _weights(
    case: Case, shape: tuple[int, ...], binding: Binding, kind: Float, source: Source
) -> None:
    if binding.weights == "leading":
        kept = source.choice(range(min(1, len(shape)), len(shape) + 1))
        shape = shape[:kept]
    elif binding.weights == "broadcast":
        scalar = bool(source.integer(0, 1))
        shape = () if scalar else tuple(s if source.integer(0, 2) else 1 for s in shape)
    weight = source.floats(shape, (0.0, 4.0), kind)
    zero = source.integers(shape, 0, 3) == 0
    case.inputs["sample_weight"] = np.asarray(np.where(zero, 0, weight), kind.dtype)


# -- the corpus -----------------------------------------------------------------------------------

#: (flavour, parameters, how many times the usual first dimension)
PLAN: tuple[tuple[str, str, int], ...] = (
    ("ordinary", "default", 1),
    ("lattice", "default", 8),
    ("lattice", "other", 8),
    ("wide", "default", 8),
    ("mixed", "drawn", 8),
    ("ordinary", "drawn", 4),
    ("lattice", "drawn", 2),
    ("wide", "drawn", 2),
    ("mixed", "drawn", 1),
)


#: how often shapes are drawn until one will do
TRIES = 64


def corpus(binding: Binding, dtype: str, count: int = len(PLAN)) -> Iterator[Case]:
    """The corpus' cases of a binding: the same bits in every environment."""
    for index in range(count):
        yield _corpus_case(_Identity(binding), dtype, index)


class _Identity:
    """A binding as a key: a row of data is the same as itself alone."""

    def __init__(self, binding: Binding) -> None:
        self.binding = binding

    def __hash__(self) -> int:
        return id(self.binding)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Identity) and other.binding is self.binding


@lru_cache(maxsize=4096)
def _corpus_case(binding: _Identity, dtype: str, index: int) -> Case:
    flavour, params, size = PLAN[index]
    name = f"{binding.binding.function}/{index}"  # the same shapes and parameters in every dtype
    return build(binding.binding, dtype, Corpus(name, flavour, params, size))


def ordinary(binding: Binding, dtype: str) -> Case:
    """A case of ordinary numbers and default parameters, the same bits in every environment, of which no
    axis has one element alone: so that a row is more than its first."""
    return _ordinary_case(_Identity(binding), dtype)


@lru_cache(maxsize=4096)
def _ordinary_case(binding: _Identity, dtype: str) -> Case:
    for index in range(TRIES):
        source = Corpus(f"{binding.binding.function}/ordinary/{index}", "ordinary")
        case = build(binding.binding, dtype, source)
        shape = next(iter(case.inputs.values())).shape
        if shape and 1 not in shape:
            break
    return case


def searched(binding: Binding, dtype: str, draw: Any) -> Case:
    """A case that Hypothesis draws."""
    return build(binding, dtype, Search(draw))


@cache
def fingerprint() -> str:
    """A hash of the corpus of every function with all its inputs and parameters reachable.

    In the dtypes that NumPy has of itself, so that it is the same where bfloat16 is left out.
    """
    digest = hashlib.sha256()
    for name, function in catalogue().items():
        everything = {n: n for n in (*function.inputs, *function.parameters)}
        binding = Binding(name, name, (), everything)
        for dtype in (d for d in DTYPES if d != "bfloat16"):
            for case in (*corpus(binding, dtype), ordinary(binding, dtype)):
                digest.update(repr(sorted(case.params.items())).encode())
                for key, array in case.inputs.items():
                    digest.update(f"{key}{array.shape}{array.dtype}".encode())
                    digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]
