"""What every adapter is made of: surfaces, bindings, calls, and the machinery behind them.

This module is public: adapters of other packages are written against it, and say which version of
it they are written for (:data:`INTERFACE`).

A *binding* is a row of data: it says how canonical inputs, parameters and reductions map onto one
callable. :meth:`Binding.call` turns a case into a :class:`Call`, which can be executed
(:meth:`Adapter.execute`) and written down (:meth:`Adapter.reproducer`): both come from the same
object, so a reproducer does what was measured.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import inspect
import re
import warnings
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Literal, Union

import numpy as np

from ..reference import catalogue
from ..reference.floats import DTYPES, Float, float_of, is_float, offered
from ..reference.function import Domain, Function
from ..reference.outcome import Outcome
from ..reference.reductions import Rows
from .source import numpy_source

#: the version of this interface. It grows when an adapter that was written for the one before would
#: no longer do what it did; additions with a default leave it as it is
INTERFACE = 2

#: the mode in which every framework runs: each operation by itself, as it is called
EAGER = "eager"
#: how many functions made for another mode are kept, each with what was compiled for it
_KEPT = 64

NOTHING: Mapping[str, Any] = MappingProxyType({})

#: how frameworks say that memory ran out, those that do not raise MemoryError
EXHAUSTED = ("can't allocate memory", "not enough memory", "OOM when allocating", "bad_alloc")


#: the operations (:attr:`Adapter.operations`) that Python's operators write, alike everywhere
ARITHMETIC: Mapping[str, str] = MappingProxyType(
    {
        "signs": "2 * {x} - 1",
        "bits": "({x} + 1) / 2",
        "smooth": "{x} * {kept} + {spread}",
        "negative": "-{x}",
        "half": "{x} / 2",
        "twice": "2 * {x}",
    }
)


class _Dtype:
    """Stands in a binding's fixed arguments for the name of the dtype under test."""

    def __repr__(self) -> str:
        return "DTYPE"


DTYPE = _Dtype()


@dataclass(frozen=True)
class Slot:
    """The place of a tensor in a call."""

    name: str


@dataclass(frozen=True)
class Made:
    """An argument that the framework makes: ``path(**kwargs)``."""

    path: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"{self.path}({', '.join(f'{k}={v!r}' for k, v in self.kwargs.items())})"


@dataclass(frozen=True)
class Spelling:
    """One documented way to ask for a reduction: ``label`` in tables, the oracle's ``meaning``.

    ``result`` says which of several results it is, as an expression of them all, ``{y}``.
    """

    label: str
    meaning: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    result: str = "{y}"


@dataclass(frozen=True)
class Surface:
    """A public namespace. ``style`` says whether its callables are functions or classes."""

    name: str
    style: Literal["function", "class"] = "function"


@dataclass(frozen=True)
class Call:
    """A call as data: ``path(*args, **kwargs)``, or ``path(**constructor)(*args, **kwargs)``."""

    path: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    constructor: Mapping[str, Any] | None
    arrays: Mapping[str, np.ndarray]
    #: attributes set on the object after construction, tensors included
    state: Mapping[str, Any] = field(default_factory=dict)
    #: the order of axes in which arrays stand here, where it is not the canonical one
    layout: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    #: the canonical shapes of arrays that stand here in others
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    #: what the constructor is given by position
    constructor_args: tuple[Any, ...] = ()
    #: the tensor that the call overwrites with its result; it is given a copy
    overwrites: str = ""
    #: how the tensors lie in memory: one of the adapter's arrangements, else contiguous
    arrangement: str = ""
    #: what is meant of what is returned, ``{y}``
    result: str = "{y}"
    #: what is made of tensors before they are passed: by name, expressions of the tensor ``{x}``
    conversions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    #: what is computed of the tensors by their names, where it is no single call
    expression: str = ""
    #: one of the adapter's modes
    mode: str = EAGER

    @property
    def held(self) -> frozenset[str]:
        """The tensors that the object keeps which the call constructs: parameters, and class weights."""
        given = (self.constructor or {}).values()
        return frozenset(_slots([*self.state.values(), *given, *self.constructor_args]))

    def canonical(self, name: str, array: np.ndarray) -> np.ndarray:
        """A gradient in the order of axes, and the shape, of the canonical input of that name."""
        array = laid_out(array, tuple(np.argsort(self.layout.get(name, ()))))
        return array.reshape(self.shapes.get(name, array.shape))


def _slots(values: Iterable[Any]) -> Iterator[str]:
    """The tensors that stand among arguments, by name."""
    for value in values:
        if isinstance(value, Slot):
            yield value.name
        elif isinstance(value, tuple):
            yield from _slots(value)


def literal(value: Any) -> str:
    """Python for a value; ``float('inf')`` for what ``repr`` gives a bare name."""
    finite = not isinstance(value, float) or np.isfinite(value)
    return repr(value) if finite else f"float('{value}')"


def _same_bits(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two arrays of a dtype hold the same numbers, signs of zeros included; NaN is NaN."""
    bits = f"u{one.itemsize}"
    both_nan = np.isnan(one) & np.isnan(other)
    return bool(((one.view(bits) == other.view(bits)) | both_nan).all())


def _written(value: Any, call: Call) -> str:
    """Python for an argument of a call, in which tensors stand by their names."""
    if isinstance(value, tuple):
        return f"({''.join(f'{_written(v, call)}, ' for v in value)})"
    if isinstance(value, Slot):
        return f"{value.name}.clone()" if value.name == call.overwrites else value.name
    return literal(value)


def _arguments(args: Iterable[Any], kwargs: Mapping[str, Any], call: Call) -> str:
    """Python for the arguments of a call."""
    keywords = (f"{name}={_written(value, call)}" for name, value in kwargs.items())
    return ", ".join([*(_written(value, call) for value in args), *keywords])


def laid_out(array: np.ndarray, order: tuple[int, ...]) -> np.ndarray:
    """The array with its axes in that order; as it is where it has another rank, for invalid calls."""
    return array.transpose(order) if array.ndim == len(order) else array


Inputs = Mapping[str, np.ndarray]
Dialect = Union[Mapping[str, Any], Callable[[Inputs, Mapping[str, Any], str], Mapping]]


@dataclass(frozen=True)
class Binding:
    """One function on one surface. Make it with :func:`bind`.

    Attributes
    ----------
    function : canonical name.
    callable : attribute path below the surface.
    args : canonical inputs passed by position, in that order; a parameter among them is passed
        as a tensor.
    keywords : canonical input or parameter → the callable's keyword; inputs that share one are passed
        as a tuple.
    fixed : keywords always passed; :data:`DTYPE` stands for the dtype's name.
    reductions : the spellings that the callable documents; the first is its most elementary.
    dialect : oracle parameters that make it compute what this callable is documented to compute,
        or a function of (inputs, params, dtype name) giving them, or giving one of them.
    rows : what happens over the last axis before the reduction.
    kinds : the encodings of an input that this callable takes, where it takes fewer or others.
    domains : narrower documented domains of parameters, or that of one which is a dialect elsewhere.
    prepare : how a canonical input is reshaped before it is passed, given all of them (NumPy); its
        gradient comes back in the canonical shape.
    layout : the order of axes in which an input is passed, as ``np.transpose`` takes it; its
        gradient comes back in the canonical order.
    implied : inputs that the callable has no argument for, because it derives them from the others:
        what it derives, as a function of the others.
    derived : keywords whose values follow from the inputs (sizes), as functions of them.
    at_call : keywords that a class takes when called rather than when constructed.
    state : canonical inputs that a class keeps as attributes (``PReLU().weight``).
    attributes : values that such attributes are set to (``training``: False).
    legacy : whether it still takes ``size_average`` and ``reduce``.
    weights : how sample weights may be shaped: along the ``leading`` axes, anything that would
        ``broadcast``, or as the losses (``full``).
    random : whether its results are drawn, so that it is judged by what must hold of every draw.
    min_rank : the lowest rank of the first input that is documented.
    label : how the table names it, if not by its path.
    no_gradient : inputs that the callable is documented not to differentiate, with the reason.
    inplace : whether it overwrites its first input with the result.
    expression : what is computed, where it is no single call: see :func:`compose`.
    dtypes : those in which a composition computes its function; of a callable a run finds that out.
    """

    function: str
    callable: str
    args: tuple[str, ...]
    keywords: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    reductions: tuple[Spelling, ...] = (Spelling("none", "none"),)
    dialect: Dialect = field(default_factory=dict)
    rows: Rows = None
    kinds: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    domains: Mapping[str, Domain] = field(default_factory=dict)
    prepare: Mapping[str, Callable[[np.ndarray, Inputs], np.ndarray]] = field(default_factory=dict)
    layout: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    implied: Mapping[str, Callable[[Mapping[str, np.ndarray]], np.ndarray]] = field(
        default_factory=dict
    )
    derived: Mapping[str, Callable[[Inputs], Any]] = field(default_factory=dict)
    at_call: frozenset[str] = frozenset()
    state: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    legacy: bool = False
    random: bool = False
    min_rank: int = 0
    max_rank: int = 4
    weights: Literal["leading", "broadcast", "full"] = "leading"
    label: str = ""
    no_gradient: Mapping[str, str] = field(default_factory=dict)
    inplace: bool = False
    expression: str = ""
    dtypes: tuple[str, ...] = DTYPES
    surface: Surface = Surface("")

    @property
    def name(self) -> str:
        """How tables and messages name the callable, below its surface."""
        return self.label or self.callable

    @property
    def path(self) -> str:
        """The dotted path of the callable."""
        return f"{self.surface.name}.{self.callable}"

    @property
    def id(self) -> str:
        """Unique name: surface and callable as named in tables, and the function if need be."""
        return f"{self.surface.name}.{self.name}"

    def reaches(self, name: str) -> bool:
        """Whether a canonical input or parameter can be given to this callable."""
        return name in self.args or name in self.keywords or name in self.state

    def resolved_dialect(
        self, inputs: Mapping[str, np.ndarray], params: Mapping[str, Any], dtype: str
    ) -> dict[str, Any]:
        """The oracle parameters of this callable for one case."""
        if callable(self.dialect):
            return dict(self.dialect(inputs, params, dtype))
        return {
            name: value(inputs, params, dtype) if callable(value) else value
            for name, value in self.dialect.items()
        }

    def call(
        self,
        inputs: Mapping[str, np.ndarray],
        params: Mapping[str, Any],
        spelling: Spelling | None,
        dtype: str,
        extra: Mapping[str, Any] = NOTHING,
    ) -> Call:
        """The call that evaluates one case. ``extra`` are framework keywords on top.

        Raises ValueError for an input or parameter that the callable cannot be given.
        """
        for name in (*inputs, *params):
            if not self.reaches(name) and name not in self.implied:
                raise ValueError(f"{self.id} has no way to take {name!r}")
        arrays, shapes = {}, {}
        for name, array in inputs.items():
            if name in self.implied:
                own = self.implied[name](inputs)
                if not np.array_equal(array, own):
                    raise ValueError(
                        f"{self.id} takes {name!r} to be {own.tolist()}, not {array.tolist()}"
                    )
                continue
            prepared = array
            if name in self.prepare:
                prepared, shapes[name] = self.prepare[name](array, inputs), array.shape
            arrays[name] = laid_out(prepared, self.layout.get(name, ()))
        keywords: dict[str, Any] = {
            k: dtype if isinstance(v, _Dtype) else v for k, v in self.fixed.items()
        }
        keywords |= {keyword: derive(inputs) for keyword, derive in self.derived.items()}
        shared = Counter(self.keywords.values())
        for name, keyword in self.keywords.items():
            if name in arrays and shared[keyword] > 1:
                keywords[keyword] = (*keywords.get(keyword, ()), Slot(name))
            elif name in arrays:
                keywords[keyword] = Slot(name)
            elif name in params:
                keywords[keyword] = params[name]
        if spelling is not None:
            keywords.update(spelling.arguments)
        keywords.update(extra)
        for name in self.args:
            if name in params:  # a parameter that this callable takes as a tensor
                arrays[name] = np.asarray(params[name], float_of(dtype).dtype)
        args = tuple(Slot(name) for name in self.args if name in arrays)
        overwrites = self.args[0] if self.inplace else ""
        result = "{y}" if spelling is None else spelling.result
        state = dict(self.attributes)
        state |= {attribute: Slot(name) for name, attribute in self.state.items() if name in arrays}
        if self.expression:
            values = {**catalogue()[self.function].defaults(), **params}
            return Call(
                *("", (), {}, None, arrays),
                expression=self.expression.format_map({k: literal(v) for k, v in values.items()}),
                result=result,
            )
        if self.surface.style == "function":
            return Call(
                *(self.path, args, keywords, None, arrays),
                layout=self.layout,
                shapes=shapes,
                overwrites=overwrites,
                result=result,
            )
        late = {self.keywords[n] for n in self.at_call if n in self.keywords}
        at_call = {k: v for k, v in keywords.items() if k in late}
        constructor = {k: v for k, v in keywords.items() if k not in late}
        return Call(
            *(self.path, args, at_call, constructor, arrays, state, self.layout, shapes),
            overwrites=overwrites,
            result=result,
        )


def bind(
    function: str,
    callable: str,
    args: str,
    /,
    *,
    fixed: Mapping[str, Any] = NOTHING,
    reductions: Iterable[Spelling] = (Spelling("none", "none"),),
    dialect: Dialect = NOTHING,
    rows: Rows = None,
    kinds: Mapping[str, str] = NOTHING,
    domains: Mapping[str, Domain] = NOTHING,
    prepare: Mapping[str, Callable[[np.ndarray, Inputs], np.ndarray]] = NOTHING,
    layout: Mapping[str, tuple[int, ...]] = NOTHING,
    implied: Mapping[str, Callable[[Mapping[str, np.ndarray]], np.ndarray]] = NOTHING,
    derived: Mapping[str, Callable[[Inputs], Any]] = NOTHING,
    at_call: str = "sample_weight",
    state: Mapping[str, str] = NOTHING,
    attributes: Mapping[str, Any] = NOTHING,
    legacy: bool = False,
    random: bool = False,
    min_rank: int = 0,
    max_rank: int = 4,
    weights: Literal["leading", "broadcast", "full"] = "leading",
    label: str = "",
    no_gradient: Mapping[str, str] = NOTHING,
    inplace: bool = False,
    **keywords: str,
) -> Binding:
    """A row of a surface: ``bind("leaky_relu", "leaky_relu", "x", slope="negative_slope")``.

    ``args`` names the canonical inputs passed by position; every other keyword maps a canonical
    input or parameter onto the callable's keyword. The options are those of :class:`Binding`.
    """
    shown = ", ".join(f"{k}={v!r}" for k, v in fixed.items() if not isinstance(v, _Dtype))
    return Binding(
        function,
        callable,
        tuple(args.split()),
        keywords,
        fixed,
        tuple(reductions),
        dialect,
        rows,
        {name: tuple(k.split()) for name, k in kinds.items()},
        domains,
        prepare,
        layout,
        implied,
        derived,
        frozenset(at_call.split()),
        state,
        attributes,
        legacy,
        random,
        min_rank,
        max_rank,
        weights,
        label or (f"{callable}({shown})" if shown else ""),
        no_gradient,
        inplace,
    )


def compose(
    function: str,
    expression: str,
    /,
    *,
    reductions: Iterable[Spelling] = (Spelling("none", "none"),),
    dialect: Mapping[str, Any] = NOTHING,
    kinds: Mapping[str, str] = NOTHING,
    domains: Mapping[str, Domain] = NOTHING,
    min_rank: int = 0,
    max_rank: int = 4,
    dtypes: str = " ".join(DTYPES),
) -> Binding:
    """A function that a framework has no callable for, as people write it there with others.

    ``compose("hinge", "torch.relu(1 - input * target)")``: inputs stand by their canonical names,
    parameters as ``{name}``. It gives the unreduced losses. ``dtypes`` are those in which it computes
    the function to within the bound; the other options are those of :func:`bind`.
    """
    described = catalogue()[function]
    words = set(re.findall(r"[A-Za-z_]\w*", expression))
    given = [name for name in described.parameters if f"{{{name}}}" in expression]
    return Binding(
        function,
        "",
        tuple(name for name in described.inputs if name in words),
        {name: name for name in given},
        reductions=tuple(reductions),
        dialect=dialect,
        kinds={name: tuple(k.split()) for name, k in kinds.items()},
        domains=domains,
        min_rank=min_rank,
        max_rank=max_rank,
        label=expression,
        expression=expression,
        dtypes=tuple(dtypes.split()),
    )


def surface(
    name: str, rows: Sequence[Binding], style: Literal["function", "class"] = "function"
) -> tuple[Binding, ...]:
    """The rows of one surface, told where they stand."""
    return tuple(replace(row, surface=Surface(name, style)) for row in rows)


class Unavailable(LookupError):
    """What this version of a framework does not offer, in one line."""


#: how callables that take any keyword say that they do not know one
_UNKNOWN_KEYWORD = re.compile(
    r"unexpected keyword argument '(\w+)'"
    r"|Unrecognized keyword arguments passed to \w+: \{'(\w+)'"
    r"|Keyword argument not understood:', '(\w+)'"
)


def signature_of(target: Any) -> inspect.Signature | None:
    """The signature of a callable, of a class that of its constructor; None of a builtin."""
    try:
        return inspect.signature(target)
    except (TypeError, ValueError):
        return None


def _unknown(target: Any, keywords: Iterable[str]) -> list[str]:
    """The keywords that a callable has no parameter for, as far as its signature says."""
    signature = signature_of(target)
    if signature is None:
        return []
    parameters = signature.parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return []
    taken = {p.name for p in parameters if p.kind is not p.POSITIONAL_ONLY}
    return [keyword for keyword in dict.fromkeys(keywords) if keyword not in taken]


class Adapter(ABC):
    """Everything nnconform knows of one framework. One subclass a framework, all of it here.

    The class attributes and :attr:`bindings` are usable without the framework installed;
    everything else imports it.
    """

    #: the version of this interface that the adapter is written for; each states its own
    interface: ClassVar[int]
    name: ClassVar[str]
    #: what to pip install, and the distributions whose versions identify the framework
    requirement: ClassVar[str]
    distributions: ClassVar[tuple[str, ...]]
    module: ClassVar[str]
    bindings: ClassVar[tuple[Binding, ...]]
    #: whether there are gradients; where there are none, values alone are judged
    gradients: ClassVar[bool] = True
    #: the modes in which functions run: by name, an expression that makes of a function ``{f}`` of
    #: tensors the one that runs so. ``graph`` traces, ``compiled`` also makes kernels of what it traced
    modes: ClassVar[Mapping[str, str]] = MappingProxyType({EAGER: "{f}"})
    #: whether it is judged where no frameworks are named
    by_default: ClassVar[bool] = True
    #: of an adapter in another package: its recorded divergences, and what it leaves out (TOML files)
    divergences: ClassVar[Path | None] = None
    left_out: ClassVar[Path | None] = None
    #: the adapter whose surfaces this one judges on another backend, if it does: what is public is
    #: reviewed there, and the two cannot share a process
    variant_of: ClassVar[str] = ""

    # -- what a framework must provide ---------------------------------------------------------

    @abstractmethod
    def tensor(self, array: np.ndarray) -> Any:
        """A tensor of the same dtype, shape and bits."""

    @abstractmethod
    def array(self, tensor: Any) -> np.ndarray:
        """A NumPy array of the same dtype (bfloat16 from ml_dtypes), shape and bits."""

    @abstractmethod
    def unsupported(self, error: BaseException) -> bool:
        """Whether this exception is the framework saying that it does not offer this dtype."""

    @abstractmethod
    def source(self, array: np.ndarray) -> str:
        """An expression that makes the tensor, for reproducers."""

    # -- what one with gradients must provide ----------------------------------------------------

    def differentiate(
        self,
        compute: Callable[[Mapping[str, Any]], Any],
        tensors: Mapping[str, Any],
        wrt: Sequence[str],
        cotangent: Callable[[tuple[int, ...], str], np.ndarray],
    ) -> tuple[Any, dict[str, Any], dict[str, str]]:
        """Value, gradients of ``sum(cotangent * value)`` by input, and refusals with reasons.

        ``compute`` maps tensors by name to the value. ``cotangent(shape, dtype)`` is asked once
        the value's shape is known.
        """
        raise NotImplementedError(f"{self.name} has no gradients")

    def print_gradient(self, expression: str, of: str) -> list[str]:
        """Lines that print the gradient of the sum of an expression with respect to a tensor."""
        raise NotImplementedError(f"{self.name} has no gradients")

    # -- what it may provide ---------------------------------------------------------------------

    def arrangements(self, rank: int) -> Mapping[str, str]:
        """Ways in which a tensor can lie in memory other than contiguous: by name, an expression of
        the contiguous tensor ``{x}``. ``broadcast`` is of one whose first rows are all the same."""
        return {}

    #: the adapter of the framework that this one computes with, if it is not one of its own
    computes_with: ClassVar[str] = ""
    #: lines that a reproducer begins with
    preamble: ClassVar[str]
    #: what of a module's parameter a reproducer replaces by a tensor
    parameter_data: ClassVar[str] = ""
    #: how people write what changes an encoding, an order of axes or a reduction: expressions of ``{x}``
    operations: ClassVar[Mapping[str, str]] = NOTHING
    #: functions that no callable computes, composed of others; not part of a run
    compositions: ClassVar[tuple[Binding, ...]] = ()
    #: told of every call before it is made
    before_call: Callable[[], None] | None = None

    #: the device on which tensors are made, one of :meth:`devices`; set before :meth:`start`
    device: str = "cpu"

    def start(self) -> None:  # noqa: B027 (nothing to do is a good answer)
        """Called once in a worker before anything is measured: one thread, no noise, its device."""

    def devices(self) -> tuple[str, ...]:
        """The devices that the framework sees, imported for that if need be: ``cpu``, ``cuda:0``."""
        return ("cpu",)

    def facts(self) -> Mapping[str, str]:
        """What the numbers depend on beside versions, for a run's environment.json; nothing that
        needs the framework imported."""
        return {}

    def dtypes(self) -> tuple[str, ...]:
        """The dtypes in which tensors can be made as the process is configured."""
        return DTYPES

    def single_threaded(self) -> AbstractContextManager[None]:
        """One thread for a while, where that can be changed: what small tensors are fastest with."""
        return nullcontext()

    def in_mode(self, mode: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function of tensors as it runs in that mode."""
        if mode == EAGER:
            return function
        made: Callable[..., Any] = self._evaluated(self.modes[mode], f=function)
        return made

    # -- what follows from that ------------------------------------------------------------------

    def use(self, device: str) -> None:
        """Make tensors on that device from now on: ``cuda`` is the first of its kind.

        Raises Unavailable, with those that there are, for one that the framework does not see.
        """
        if device != self.device:
            seen = self.devices()
            found = [name for name in seen if device in (name, name.partition(":")[0])]
            if not found:
                raise Unavailable(
                    f"{self.name} {self.version} sees no device {device}; it sees {', '.join(seen)}"
                )
            self.device = found[0]

    def verify(self) -> None:
        """Raises TypeError, in one line, where tensors do not hold what they are made of."""
        for name in (name for name in self.dtypes() if name in offered()):
            kind = float_of(name)
            numbers = [[0.0, -0.0, 1.5], [np.inf, -np.inf, np.nan], [kind.largest, kind.tiny, -0.1]]
            for array in (np.array(numbers).astype(kind.dtype), np.array(2.5).astype(kind.dtype)):
                try:
                    back = self.array(self.tensor(array))
                except Exception as error:
                    if self.unsupported(error):
                        break
                    raise
                found = f"{getattr(back, 'dtype', type(back).__name__)} of shape {np.shape(back)}"
                if found != f"{array.dtype} of shape {array.shape}":
                    raise TypeError(
                        f"array(tensor(a)) is {found} for a of {array.dtype} and shape {array.shape}"
                    )
                if not _same_bits(array, back):
                    raise TypeError(f"array(tensor(a)) holds other bits than a, of {array.dtype}")

    def installed(self) -> bool:
        """Whether the framework can be imported, without importing it."""
        return importlib.util.find_spec(self.module.partition(".")[0]) is not None

    @cached_property
    def version(self) -> str:
        """The version of the framework as its distribution states it."""
        return next(iter(self.versions.values()), "unknown")

    @cached_property
    def versions(self) -> Mapping[str, str]:
        """The versions of those of its distributions that are installed."""
        found = {}
        for name in self.distributions:
            with suppress(importlib.metadata.PackageNotFoundError):
                found[name] = importlib.metadata.version(name)
        return found

    @cached_property
    def namespace(self) -> dict[str, Any]:
        """What the names in a reproducer's expressions stand for."""
        self.lookup(self.module)
        names: dict[str, Any] = {}
        exec(self.preamble, names)
        return names

    def lookup(self, path: str) -> Any:
        """The object at a dotted path; AttributeError if this version has none."""
        parts = path.split(".")
        found = importlib.import_module(parts[0])
        for index, part in enumerate(parts[1:], 2):
            if not hasattr(found, part):
                importlib.import_module(".".join(parts[:index]))
            found = getattr(found, part)
        return found

    def fitted(self, binding: Binding, spelling: Spelling | None, dtype: str) -> Binding:
        """The binding as this version of the framework takes it.

        Raises Unavailable where it has no such callable, or one that does not know a parameter.
        """
        if binding.expression:
            return binding
        try:
            target = self.lookup(binding.path)
        except (AttributeError, ImportError):
            raise Unavailable(f"{self.name} {self.version} has no {binding.path}") from None
        passed = [*binding.keywords.values(), *binding.fixed, *binding.derived]
        passed += spelling.arguments if spelling else ()
        if binding.surface.style == "class":
            late = {binding.keywords[n] for n in binding.at_call if n in binding.keywords}
            passed = [keyword for keyword in passed if keyword not in late]
        if unknown := _unknown(target, passed):
            raise Unavailable(self._takes_no(binding.path, unknown))
        return binding

    def lacking(self, error: BaseException, call: Call) -> str:
        """What a callable that takes any keyword says it does not know, of what it was given; or ""."""
        found = _UNKNOWN_KEYWORD.search(str(error))
        name = next(filter(None, found.groups()), "") if found else ""
        if name not in {*call.kwargs, *(call.constructor or ())}:
            return ""
        signature = signature_of(self.lookup(call.path))
        known = signature is not None and name in signature.parameters
        return "" if known else self._takes_no(call.path, [name])

    def _takes_no(self, path: str, keywords: Sequence[str]) -> str:
        return f"{self.name} {self.version}: {path} takes no {' or '.join(keywords)}"

    def offers(self, surface: str) -> list[str]:
        """The public callables of a surface, in alphabetic order: what its ``__all__`` names, or
        every name without an underscore that is no module, exception or type variable."""
        namespace = self.lookup(surface)
        named = getattr(namespace, "__all__", None) or dir(namespace)
        return sorted(
            name
            for name in named
            if not name.startswith("_")
            and callable(found := getattr(namespace, name, None))
            and not (isinstance(found, type) and issubclass(found, BaseException))
        )

    def select(self, function: str, surface: str | None = None, callable: str = "") -> Binding:
        """The binding of a function: the first there is, or that of a surface and callable."""
        mine = [b for b in self.bindings if b.function == function]
        if not mine:
            known = sorted({b.function for b in self.bindings})
            raise ValueError(f"{self.name} has no binding of {function!r}; it has {known}")
        for binding in mine:
            if surface in (None, binding.surface.name) and callable in ("", binding.name):
                return binding
        raise ValueError(
            f"{self.name} has no binding of {function!r} on surface {surface!r}"
            f"{f' named {callable!r}' if callable else ''}; it has {[b.id for b in mine]}"
        )

    def execute(
        self,
        call: Call,
        wrt: Sequence[str] = (),
        cotangent: Callable[[tuple[int, ...], str], np.ndarray] | None = None,
    ) -> Outcome:
        """Make the call; what it raised or warned is part of the outcome.

        Raises MemoryError, whatever the framework calls it, since that says nothing of the call.
        """
        outcome = Outcome()
        if self.before_call is not None:
            self.before_call()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                self._execute(call, wrt, cotangent, outcome)
            except Exception as error:
                if isinstance(error, MemoryError) or any(p in str(error) for p in EXHAUSTED):
                    raise MemoryError(str(error)) from error
                outcome.error = error
        outcome.warnings = [f"{w.category.__name__}: {w.message}" for w in caught]
        return outcome

    def _execute(self, call: Call, wrt: Sequence[str], cotangent: Any, outcome: Outcome) -> None:
        target: Any = None if call.expression else self.lookup(call.path)
        tensors = {name: self.tensor(array) for name, array in call.arrays.items()}
        if call.arrangement:
            for name, tensor in tensors.items():
                if way := self.arrangements(call.arrays[name].ndim).get(call.arrangement):
                    # the expression that a reproducer shows
                    tensors[name] = eval(way.format(x="x"), {}, {"x": tensor})
        overwritten: list[Any] = []

        def compute(current: Mapping[str, Any]) -> Any:
            for name, steps in call.conversions.items():
                for step in steps:
                    current = {**current, name: self._evaluated(step, x=current[name])}
            if call.overwrites:
                current = {**current, call.overwrites: self.copied(current[call.overwrites])}
                overwritten[:] = [current[call.overwrites]]
            if call.mode != EAGER:
                return self._traced(call, target, current)
            if call.expression:
                return self._evaluated(call.result, y=self._evaluated(call.expression, **current))

            def fill(value: Any) -> Any:
                return self._filled(value, current)

            made = target if call.constructor is None else self._made(call, target, current)
            returned = made(*map(fill, call.args), **{k: fill(v) for k, v in call.kwargs.items()})
            return self._evaluated(call.result, y=returned)

        if wrt:
            assert cotangent is not None
            value, gradients, refused = self.differentiate(compute, tensors, wrt, cotangent)
            outcome.gradients = {n: call.canonical(n, self.array(g)) for n, g in gradients.items()}
            outcome.refused = refused
        else:
            value = compute(tensors)
        outcome.value = self.array(value)
        if overwritten:
            outcome.overwritten = self.array(overwritten[0])

    def _filled(self, value: Any, tensors: Mapping[str, Any]) -> Any:
        """An argument of a call, with tensors in their places."""
        if isinstance(value, tuple):
            return tuple(self._filled(part, tensors) for part in value)
        if isinstance(value, Made):
            return self.lookup(value.path)(**value.kwargs)
        return tensors[value.name] if isinstance(value, Slot) else value

    def _made(self, call: Call, target: Any, tensors: Mapping[str, Any]) -> Any:
        """The object that a call constructs."""
        args = [self._filled(value, tensors) for value in call.constructor_args]
        keywords = {k: self._filled(v, tensors) for k, v in (call.constructor or {}).items()}
        made = target(*args, **keywords)
        for attribute, value in call.state.items():
            self.set_state(made, attribute, self._filled(value, tensors), isinstance(value, Slot))
        return made

    def _traced(self, call: Call, target: Any, tensors: Mapping[str, Any]) -> Any:
        """The result of a call in a mode that traces functions, of the function that a reproducer
        shows, made once for all tensors: what was compiled for it is used again."""
        constructed, text = self._function(call)
        taken = self._taken(call)
        keeps = not call.held  # an object with tensors of its own is that of one call
        key = (call.mode, constructed, str(call.state), text)
        function = self._functions.get(key) if keeps else None
        if function is None:
            names = (
                {} if call.constructor is None else {"module": self._made(call, target, tensors)}
            )
            function = self.in_mode(call.mode, eval(text, {**self.namespace, **names}))
            if keeps:
                self._functions[key] = function
            if len(self._functions) > _KEPT:
                del self._functions[next(iter(self._functions))]
        return function(*(tensors[name] for name in taken))

    @cached_property
    def _functions(self) -> dict[tuple[str, ...], Callable[..., Any]]:
        """Functions made for other modes than eager, those made last at the end."""
        return {}

    @staticmethod
    def _taken(call: Call) -> list[str]:
        """The tensors that a call's function takes, which are those that no object keeps."""
        return [name for name in call.arrays if name not in call.held]

    def _function(self, call: Call) -> tuple[str, str]:
        """What a call constructs, if anything, and the function of tensors that is traced, as code."""
        bare = replace(call, mode=EAGER, overwrites="")
        constructed = ""
        if call.constructor is not None:
            constructed = self._written_constructor(call)
            bare = replace(bare, path="module", constructor=None, constructor_args=(), state={})
        _, made, _ = self.written(bare)
        return constructed, f"lambda {', '.join(self._taken(call))}: {made}"

    def _evaluated(self, expression: str, **values: Any) -> Any:
        """An expression that a reproducer shows, of values by the names that stand in it."""
        if expression == "{y}":
            return values["y"]
        text = expression.format_map({name: name for name in values})
        return eval(text, {**self.namespace, **values})

    def copied(self, tensor: Any) -> Any:
        """A copy of a tensor, for a call that overwrites it; part of the graph of derivatives."""
        raise NotImplementedError(f"{self.name} has no calls that overwrite tensors")

    def set_state(self, made: Any, attribute: str, value: Any, is_tensor: bool) -> None:
        """Put a value, or a tensor, in place of an object's attribute."""
        setattr(made, attribute, value)

    def evaluate(
        self,
        function: str,
        inputs: Mapping[str, Any],
        params: Mapping[str, Any] | None = None,
        reduction: str | None = None,
        dtype: str = "float32",
        surface: str | None = None,
        gradient: bool = False,
        *,
        callable: str = "",
        cotangent: Any = None,
        mode: str = EAGER,
    ) -> Outcome:
        """What this framework does with a case given in canonical terms.

        ``reduction`` is one of the callable's own spellings, or the oracle's name for it; the
        callable's own default if None. Floating inputs are made in ``dtype``; ``mode`` is one of
        :attr:`modes`. Raises ValueError for names that are unknown; whatever the framework raises is the outcome's ``error``.
        """
        if mode not in self.modes:
            raise ValueError(f"{self.name} has no mode {mode!r}; it has {', '.join(self.modes)}")
        binding = self.select(function, surface, callable)
        described: Function = catalogue()[function]
        kind: Float = float_of(dtype)
        arrays = {}
        for name, value in inputs.items():
            if name not in described.inputs and name != "sample_weight":
                raise ValueError(
                    f"{function}: unknown input {name!r}; its inputs are {list(described.inputs)}"
                )
            array = np.asarray(value)
            arrays[name] = array.astype(kind.dtype) if is_float(array) else array
        spelling = None
        if reduction is not None:
            named = [s for s in binding.reductions if reduction in (s.label, s.meaning)]
            if not named:
                known = [s.label for s in binding.reductions]
                raise ValueError(f"{binding.id}: unknown reduction {reduction!r}; it has {known}")
            spelling = named[0]
        call = replace(binding.call(arrays, params or {}, spelling, dtype), mode=mode)
        wrt = [n for n in described.differentiable if n in arrays and is_float(arrays[n])]

        def upstream(shape: tuple[int, ...], name: str) -> np.ndarray:
            value = np.ones(shape) if cotangent is None else np.asarray(cotangent)
            return value.astype(float_of(name).dtype)

        return self.execute(call, wrt if gradient else (), upstream)

    def written(self, call: Call) -> tuple[list[str], str, dict[str, str]]:
        """The call as code, its tensors by their names: the lines that come first, the expression
        that makes it, and where an object keeps the tensors that those lines put into it."""

        lines: list[str] = []
        places: dict[str, str] = {}
        made = call.path
        if call.constructor is not None:
            made = self._written_constructor(call)
            if call.state or call.mode != EAGER:
                lines.append(f"module = {made}")
                for attribute, value in call.state.items():
                    place = re.sub(r"\.(\d+)", r"[\1]", f"module.{attribute}")  # items by number
                    data = self.parameter_data if isinstance(value, Slot) else ""
                    lines.append(f"{place}{data} = {_written(value, call)}")
                    if isinstance(value, Slot):
                        places[value.name] = place
                made = "module"
        if call.mode != EAGER:
            _, function = self._function(call)
            taken = ", ".join(_written(Slot(name), call) for name in self._taken(call))
            return lines, f"{self.modes[call.mode].format(f=function)}({taken})", places
        made = f"{made}({_arguments(call.args, call.kwargs, call)})"
        if call.expression:
            made = f"({call.expression})"
        return lines, call.result.format(y=made), places

    def _written_constructor(self, call: Call) -> str:
        return f"{call.path}({_arguments(call.constructor_args, call.constructor or {}, call)})"

    def reproducer(self, call: Call, want: str = "", got: str = "", of: str = "") -> str:
        """A stand-alone script of a few lines that makes the call and prints the value.

        ``of`` names the input whose gradient is printed instead.
        """
        lines = [self.preamble]
        for name, array in call.arrays.items():
            lines.append(f"{name} = {self.source(array)}")
            if way := self.arrangements(array.ndim).get(call.arrangement):
                lines.append(f"{name} = {way.format(x=name)}")
            lines += [f"{name} = {step.format(x=name)}" for step in call.conversions.get(name, ())]
        before, made, places = self.written(call)
        lines += before
        variable = places.get(of, of)
        comment = f"  # got {got}, want {want}" if want else ""
        if of in call.arrays:
            lines += self.print_gradient(made, variable)
        else:
            bare = call.expression if call.result == "{y}" and call.mode == EAGER else ""
            lines.append(f"print({bare or made})")
        return "\n".join(lines) + comment


__all__ = [
    "ARITHMETIC",
    "DTYPE",
    "EAGER",
    "INTERFACE",
    "NOTHING",
    "Adapter",
    "Binding",
    "Call",
    "Made",
    "Slot",
    "Spelling",
    "Surface",
    "Unavailable",
    "bind",
    "compose",
    "numpy_source",
    "signature_of",
    "surface",
]
