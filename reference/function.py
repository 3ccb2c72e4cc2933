"""What a function is: inputs, parameters, formula, gradient, and the facts that hold of it.

A function's room (in ``activations.py`` or ``losses.py``) is a NumPy formula under a decorator,
with its gradient right below it::

    @activation(range=(0, 1), monotonic=True)
    def sigmoid(x): ...

    @sigmoid.derivative
    def _(x): ...

Formulas take arrays of any float width and work at that width.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

Array = np.ndarray
Kind = Literal[
    "real",  # any finite number
    "feature",  # any finite number, a coordinate of an embedding
    "factor",  # any finite number, of whose products with others logits are summed
    "direction",  # a coordinate of an embedding of length 1
    "logits",  # any finite number, meant to be normalised
    "probability",  # in [0, 1]
    "distribution",  # in [0, 1], summing to 1 along the class axis
    "log_probability",  # at most 0
    "positive",  # greater than 0
    "count",  # non-negative whole numbers and reals, as Poisson targets are
    "weight",  # non-negative
    "slope",  # a learned slope
    "sign",  # -1 or 1
    "bit",  # 0 or 1
    "class_index",  # 0 .. C-1, or ignore_index
    "label",  # a whole number that names a class
    "label_set",  # distinct class indices, the set ended by -1
    "labels",  # a sequence of classes without the blank
    "lengths",  # of input sequences
    "target_lengths",  # of label sequences
]

#: kinds whose arrays hold whole numbers
INTEGER_KINDS = frozenset(
    {"class_index", "label", "label_set", "labels", "lengths", "target_lengths"}
)


@dataclass(frozen=True)
class Input:
    """One tensor argument.

    ``shape`` names dimensions: ``S`` is any shape, ``*K`` any number of further dimensions,
    a letter one dimension. Dimensions in ``coupled`` are those along which elements of one
    sample influence each other; elements that differ in any other dimension do not.
    ``kinds`` are the encodings that the input may have, the first being the usual one.
    """

    name: str
    kinds: tuple[Kind, ...]
    shape: str
    optional: bool = False
    differentiable: bool = True


@dataclass(frozen=True)
class Domain:
    """The values that a parameter may have, as documented, with the ones worth trying first."""

    name: str
    values: tuple[Any, ...] = ()
    low: float = -np.inf
    high: float = np.inf
    open_low: bool = False

    def __contains__(self, value: object) -> bool:
        if self.name == "interval":
            if isinstance(value, (bool, np.bool_)) or not isinstance(
                value, (int, float, np.floating, np.integer)
            ):
                return False
            number = float(value)
            return (number > self.low if self.open_low else number >= self.low) and (
                number <= self.high
            )
        if self.name == "choice":
            return any(
                value is v or (type(value) is type(v) and bool(value == v)) for v in self.values
            )
        if self.name == "integer":
            return (
                isinstance(value, (int, np.integer))
                and not isinstance(value, bool)
                and self.low <= int(value) <= self.high
            )
        return True

    def __str__(self) -> str:
        if self.name == "interval":
            return f"a number in {'(' if self.open_low else '['}{self.low:g}, {self.high:g}]"
        if self.name == "choice":
            return "one of " + ", ".join(map(repr, self.values))
        if self.name == "integer":
            return f"a whole number from {self.low:g} to {self.high:g}"
        return self.name


def between(low: float, high: float, *usual: float, open_low: bool = False) -> Domain:
    """The interval [low, high] (or (low, high]); ``usual`` are values worth trying first."""
    return Domain("interval", usual, low, high, open_low)


def one_of(*values: Any) -> Domain:
    """Exactly these values."""
    return Domain("choice", values)


def integer(low: int, high: int, *usual: int) -> Domain:
    """The whole numbers low .. high."""
    return Domain("integer", usual, low, high)


def axis() -> Domain:
    """An axis of the first input, counted from either end."""
    return Domain("axis")


def dialect() -> Domain:
    """A parameter that only a dialect sets (a documented clip, floor or epsilon), never a case."""
    return Domain("dialect")


@dataclass(frozen=True)
class Parameter:
    """One keyword parameter, its default, and its documented domain."""

    name: str
    default: Any
    domain: Domain


def tensor(
    *kinds: Kind, shape: str = "S", optional: bool = False, differentiable: bool | None = None
) -> Callable[[str], Input]:
    """Describe an input; its name is given by where the description stands."""
    if differentiable is None:
        differentiable = kinds[0] not in INTEGER_KINDS | {"sign", "bit", "weight"}
    return lambda name: Input(name, kinds, shape, optional, bool(differentiable))


Formula = Callable[..., Array]
Gradient = Callable[..., Mapping[str, Array]]


@dataclass(eq=False)
class Function:
    """A canonical loss or activation: formula, gradient, and what is true of it."""

    name: str
    kind: Literal["activation", "loss"]
    formula: Formula
    inputs: Mapping[str, Input]
    parameters: Mapping[str, Parameter]
    #: dimensions along which the elements of one sample influence each other
    coupled: frozenset[str]
    #: facts: range, monotonic, nonnegative, zero_at_agreement, shift_invariant, odd, source, jumps
    #: (the numbers at which it is discontinuous), jumps_at (the parameter that says where), lowest
    #: (shifts count from a row's minimum), even (the size along the axis is), copies (whole cases
    #: may stand along a further axis in front of all inputs but ``weight``), among_samples
    #: (each sample's loss depends on the others of its batch), clusters (how many the classes that
    #: are not on the head's list fall into), …
    facts: Mapping[str, Any] = field(default_factory=dict)
    _pullback: Gradient | None = None
    _mean: Callable[..., Array] | None = None
    _intermediate: Formula | None = None
    _gradient_intermediate: Gradient | None = None
    _kinks: Callable[..., Mapping[str, Sequence[float]]] | None = None

    def __call__(self, **arguments: Any) -> Array:
        """The formula at the float width of its inputs: per element, or per sample of a loss."""
        with np.errstate(all="ignore"):
            return np.asarray(self.formula(**arguments))

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name}>"

    # -- what stands below the formula in its room ------------------------------------------

    def derivative(self, partials: Callable[..., Any]) -> Callable[..., Any]:
        """Register the partial derivatives of an elementwise function.

        ``partials(*inputs, **params)`` returns the derivative with respect to the only input,
        or a mapping of input names to derivatives; the chain rule is applied here.
        """

        def pullback(cotangent: Array, **arguments: Any) -> Mapping[str, Array]:
            result = partials(**arguments)
            if not isinstance(result, Mapping):
                result = {next(iter(self.inputs)): result}
            return {name: cotangent * partial for name, partial in result.items()}

        self._pullback = pullback
        return partials

    def pullback(self, pullback: Gradient) -> Gradient:
        """Register the vector-Jacobian product: ``(cotangent, **arguments)`` → gradient by input."""
        self._pullback = pullback
        return pullback

    def mean(self, coefficients: Callable[..., Array]) -> Callable[..., Array]:
        """Register the coefficients of the losses in this function's own ``mean``, if it has one.

        The default is 1/n for each of n losses.
        """
        self._mean = coefficients
        return coefficients

    def intermediate(self, magnitude: Formula) -> Formula:
        """Register M(x), the largest intermediate of the textbook formula (see docs/error.md)."""
        self._intermediate = magnitude
        return magnitude

    def gradient_intermediate(self, magnitude: Gradient) -> Gradient:
        """Register M of the textbook formula of the derivative (without the cotangent)."""
        self._gradient_intermediate = magnitude
        return magnitude

    def kinks(self, points: Callable[..., Mapping[str, Sequence[float]]]) -> Callable[..., Any]:
        """Register where the function has kinks: columns of input values, given the parameters."""
        self._kinks = points
        return points

    # -- what the suite asks ------------------------------------------------------------------

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return (inspect.getdoc(self.formula) or "").partition("\n")[0]

    @property
    def differentiable(self) -> tuple[str, ...]:
        """Names of the inputs that the oracle has gradients for."""
        return tuple(i.name for i in self.inputs.values() if i.differentiable)

    def defaults(self) -> dict[str, Any]:
        """Every parameter at its default."""
        return {p.name: p.default for p in self.parameters.values()}

    def gradients(self, cotangent: Array, **arguments: Any) -> dict[str, Array]:
        """The gradient of ``sum(cotangent * self(**arguments))`` with respect to each input."""
        if self._pullback is None:
            raise NotImplementedError(f"{self.name} has no gradient")
        with np.errstate(all="ignore"):
            gradients = self._pullback(cotangent, **arguments)
        return {name: np.asarray(g) for name, g in gradients.items()}

    def mean_coefficients(self, losses: Array, **arguments: Any) -> Array:
        """The coefficients cᵢ of this function's ``mean`` = Σ cᵢ·lossᵢ."""
        with np.errstate(all="ignore"):
            if self._mean is not None:
                return np.broadcast_to(self._mean(losses, **arguments), losses.shape)
            count = np.asarray(losses.size, dtype=losses.dtype)
            return np.full(losses.shape, 1 / count, dtype=losses.dtype)

    def largest_intermediate(self, **arguments: Any) -> Array | float:
        """M(x) of the value; 0 where the textbook formula has no cancelling intermediate."""
        if self._intermediate is None:
            return 0.0
        with np.errstate(all="ignore"):
            return self._intermediate(**arguments)

    def largest_gradient_intermediate(self, **arguments: Any) -> Mapping[str, Array]:
        """M(x) of each gradient, per unit of cotangent."""
        if self._gradient_intermediate is None:
            return {}
        with np.errstate(all="ignore"):
            return self._gradient_intermediate(**arguments)

    def kink_points(self, **params: Any) -> Mapping[str, Sequence[float]]:
        """Columns of input values at which the function has kinks; empty when it has none."""
        return {} if self._kinks is None else self._kinks(**params)


REGISTRY: dict[str, Function] = {}


def _register(
    kind: Literal["activation", "loss"],
    formula: Formula,
    inputs: Mapping[str, Callable[[str], Input]],
    parameters: Mapping[str, Domain],
    coupled: str,
    facts: Mapping[str, Any],
) -> Function:
    signature = inspect.signature(formula).parameters.values()
    positional = [p.name for p in signature if p.kind is not p.KEYWORD_ONLY]
    keyword = {p.name: p.default for p in signature if p.kind is p.KEYWORD_ONLY}
    name = formula.__name__
    if positional != list(inputs) or set(keyword) != set(parameters):
        raise TypeError(f"{name}: the description does not match the signature")
    function = Function(
        name,
        kind,
        formula,
        {n: make(n) for n, make in inputs.items()},
        {n: Parameter(n, default, parameters[n]) for n, default in keyword.items()},
        frozenset(coupled.split()),
        facts,
    )
    REGISTRY[name] = function
    return function


def activation(
    *,
    inputs: Mapping[str, Callable[[str], Input]] | None = None,
    params: Mapping[str, Domain] | None = None,
    coupled: str = "",
    **facts: Any,
) -> Callable[[Formula], Function]:
    """Declare an activation. Its tensor is ``x`` unless ``inputs`` says more."""
    described = inputs or {"x": tensor("real")}
    return lambda formula: _register("activation", formula, described, params or {}, coupled, facts)


def loss(
    *,
    inputs: Mapping[str, Callable[[str], Input]],
    params: Mapping[str, Domain] | None = None,
    coupled: str = "",
    **facts: Any,
) -> Callable[[Formula], Function]:
    """Declare a loss: its formula gives the unreduced losses."""
    return lambda formula: _register("loss", formula, inputs, params or {}, coupled, facts)
