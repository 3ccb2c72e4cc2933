"""A person's own loss or activation: which framework it is written in, how it is called.

All that is told from the callable itself can be told by the caller instead; what can be told in
neither way is a :class:`UsageError`, one line that says which argument says it.
"""

from __future__ import annotations

import inspect
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from ...adapters import adapter
from ...adapters.interface import Adapter, Call, signature_of
from ...reference.function import Function
from ..selection import UsageError

#: frameworks in which people's own functions are checked
FRAMEWORKS = ("torch", "tensorflow", "keras", "jax", "numpy")
#: what Keras is, by what it computes with
KERAS = {"tensorflow": "keras", "torch": "keras-torch", "jax": "keras-jax"}
#: the root modules that tell a framework, those of libraries on top of it included
ROOTS = {
    "torch": "torch",
    "keras": "keras",
    "tensorflow": "tensorflow",
    "tf_keras": "tensorflow",
    "jax": "jax",
    "flax": "jax",
    "optax": "jax",
    "equinox": "jax",
}
#: parameter names that tell what a parameter is
TELLING = {
    "target": (
        *("target", "targets", "y_true", "true", "label", "labels", "truth", "ground_truth", "gt"),
        *("y", "t", "actual", "expected"),
    ),
    "input": (
        *("input", "inputs", "y_pred", "pred", "preds", "prediction", "predictions", "predicted"),
        *("logit", "logits", "output", "outputs", "y_hat", "yhat", "x", "p", "prob", "probs"),
        *("probabilities", "score", "scores"),
    ),
}
#: canonical parameters under which people know them by other names
ALSO = {"axis": ("dim",), "slope": ("negative_slope", "alpha"), "label_smoothing": ("smoothing",)}


class NoGradient(NotImplementedError):
    """The framework has no gradients, and the caller gave none."""


class NoTensor(TypeError):
    """What a callable returned that is no tensor."""


def named(function: Any) -> str:
    """How messages name a callable: as its author does."""
    own = getattr(function, "__qualname__", None)
    if own is None or inspect.isbuiltin(function):
        own = getattr(function, "__name__", None)
    if own is None or not isinstance(own, str):
        inner = getattr(function, "func", None)  # functools.partial
        return named(inner) if inner is not None else type(function).__qualname__
    return own.rpartition("<locals>.")[2]


def framework_adapter(name: str) -> Adapter:
    """The adapter of that framework. Raises UsageError for a name that there is none of."""
    if name not in (*FRAMEWORKS, *KERAS.values()):
        raise UsageError(f"framework={name!r}; accepted: {', '.join(map(repr, FRAMEWORKS))}")
    if name == "numpy":
        from ...adapters.numpy import NumPyAdapter

        return NumPyAdapter()
    if name == "jax":
        from ...adapters.jax import JaxAdapter

        found: Adapter = JaxAdapter()
    else:
        found = adapter(name)
    if not found.installed():
        raise UsageError(f"{name} is not installed; add it with: pip install {found.requirement}")
    return found


def framework_of(function: Any) -> str:
    """The framework that a callable is written in. Raises UsageError where it cannot be told."""
    cls = function if isinstance(function, type) else type(function)
    roots = [base.__module__.partition(".")[0] for base in cls.__mro__]
    # a Keras layer on the torch backend is a torch module, too
    found = [ROOTS[r] for r in sorted(roots, key=lambda r: r != "keras") if r in ROOTS]
    found = found[:1] or sorted(_used(function))
    if not found:
        found = [n for n in ("torch", "tensorflow", "jax") if n in sys.modules]
        if not found:
            return "numpy"
    if len(found) > 1 and "keras" in found:
        found = ["keras"] if "keras" in _used(function) else found
    if len(found) != 1:
        raise UsageError(
            f"{named(function)}: the framework cannot be told ({', '.join(found)}?); "
            f"name it: framework={found[0]!r}"
        )
    return on_backend(found[0])


def on_backend(name: str) -> str:
    """``keras`` computes with what it was imported with."""
    if name != "keras" or "keras" not in sys.modules:
        return name
    backend = sys.modules["keras"].backend.backend()
    if backend not in KERAS:
        raise UsageError(f"Keras on {backend} cannot be checked; accepted: {', '.join(KERAS)}")
    return KERAS[backend]


def _used(function: Any) -> set[str]:
    """The frameworks whose modules, or things of whose modules, the source of a function names."""
    code, where = _code(function)
    if code is None:
        return set()
    seen: set[str] = set()
    names = set(code.co_names)
    for constant in code.co_consts:  # functions inside it
        names |= set(getattr(constant, "co_names", ()))
    spaces = dict(getattr(where, "__globals__", {}))
    for name, cell in zip(
        code.co_freevars, getattr(where, "__closure__", None) or (), strict=False
    ):
        try:
            spaces[name] = cell.cell_contents
        except ValueError:
            continue
        names.add(name)
    numpy = False
    for name in names:
        value = spaces.get(name)
        module = (
            value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
        )
        root = str(module or "").partition(".")[0]
        numpy |= root == "numpy"
        if root in ROOTS:
            seen.add(ROOTS[root])
    return seen or ({"numpy"} if numpy else set())


def _code(function: Any) -> tuple[Any, Any]:
    """The code of a callable and the function that it is the code of."""
    for one in (function, getattr(function, "__call__", None), getattr(function, "func", None)):  # noqa: B004
        plain = inspect.unwrap(one) if callable(one) else None
        plain = getattr(plain, "__func__", plain)
        if plain is not None and hasattr(plain, "__code__"):
            return plain.__code__, plain
    return None, None


# -- how it is called ----------------------------------------------------------------------------


def called(function: Any) -> Any:
    """The function whose signature says what a callable takes."""
    for name in ("forward", "call"):  # torch.nn.Module, keras.losses.Loss, keras.layers.Layer
        method = getattr(function, name, None)
        if callable(method) and not isinstance(function, type) and not inspect.isfunction(function):
            return method
    return function


def positional(function: Any) -> list[str]:
    """The names of what a callable takes by position."""
    found = signature_of(called(function))
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [p.name for p in found.parameters.values() if p.kind in kinds] if found else []


def order(function: Any, inputs: Sequence[str], framework: str) -> tuple[str, ...]:
    """The canonical inputs in the order in which a callable takes them.

    By the names of its parameters where they are telling, else by the framework's convention:
    target first in Keras and TensorFlow, input first elsewhere.
    """
    if set(inputs) != {"input", "target"}:
        return tuple(inputs)
    meant = [
        next((canonical for canonical, names in TELLING.items() if name.lower() in names), "")
        for name in positional(function)[:2]
    ]
    if len(meant) == 2 and meant[0] != meant[1]:
        first = meant[0] or {"input": "target", "target": "input"}[meant[1]]
    else:
        first = "target" if framework in ("tensorflow", *KERAS.values()) else "input"
    return ("target", "input") if first == "target" else ("input", "target")


def keywords(function: Any, params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that a callable has in its signature, by its own names for them."""
    found = signature_of(function)
    if found is None:
        return {}
    taken = {
        n
        for n, p in found.parameters.items()
        if p.kind in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    }
    return {
        own: value
        for name, value in params.items()
        if (own := next((n for n in (name, *ALSO.get(name, ())) if n in taken), None))
    }


def own_defaults(function: Any, oracle: Function) -> dict[str, Any]:
    """The oracle's parameters for which a callable has defaults of its own."""
    found = signature_of(function)
    given: dict[str, Any] = {}
    for name, parameter in oracle.parameters.items():
        for own in (name, *ALSO.get(name, ())):
            known = found.parameters.get(own) if found else None
            if known is None or parameter.domain.name == "dialect":
                continue
            if isinstance(known.default, (bool, int, float, str)):
                value = known.default
                whole = isinstance(value, int) and not isinstance(value, bool)
                value = float(value) if whole and parameter.domain.name == "interval" else value
                if value in parameter.domain:
                    given.setdefault(name, value)
    return given


# -- the callable in the framework's place -------------------------------------------------------


class Own(Adapter):
    """A framework all of whose paths lead to one callable, so that the suite's machinery calls it."""

    name = "own"
    requirement = module = "numpy"
    distributions = ()
    bindings = ()
    preamble = ""

    def __init__(
        self, framework: Adapter, target: Callable[..., Any], gradient: Callable[..., Any] | None
    ) -> None:
        self.framework = framework
        self.target = target
        self.gradient = gradient
        if gradient is not None:  # of the parameters, those that it takes
            taken = gradient
            self.gradient = lambda *a, **k: taken(*a, **keywords(taken, k))
        #: when the call under way began, 0 while there is none, and how long the slowest took
        self._began = self._slowest = 0.0

    @property
    def longest(self) -> float:
        """How many seconds the slowest call took, or the one under way."""
        now = time.monotonic() - self._began if self._began else 0.0
        return max(self._slowest, now)

    @property
    def version(self) -> str:
        return self.framework.version

    def lookup(self, path: str) -> Callable[..., Any]:
        return self.answer

    def answer(self, *args: Any, **kwargs: Any) -> Any:
        """What the callable returns, if that is a tensor. Raises NoTensor otherwise."""
        self._began = time.monotonic()
        try:
            returned = self.target(*args, **kwargs)
        except SystemExit as left:
            raise RuntimeError(f"it calls sys.exit({left.code!r})") from None
        finally:
            self._slowest, self._began = self.longest, 0.0
        if self.framework.name == "numpy":
            if isinstance(returned, (bool, int, float)) and not isinstance(
                returned, np.generic
            ):  # as weakly typed as NumPy takes it
                kinds = [a.dtype for a in args if getattr(a, "dtype", None) is not None]
                floats = [k for k in kinds if k.kind == "f" or k.name == "bfloat16"]
                return np.asarray(returned, floats[0] if floats else None)
            if isinstance(returned, (np.ndarray, np.generic)):
                return returned
        elif (
            hasattr(returned, "shape")
            and hasattr(returned, "dtype")
            and not isinstance(returned, (np.ndarray, np.generic))
        ):
            return returned
        what = "nothing (None)" if returned is None else f"a {type(returned).__name__}"
        if isinstance(returned, (np.ndarray, np.generic)):
            what = "a NumPy array"
        raise NoTensor(f"returns {what}, not {self.kind_of_tensor}")

    @property
    def kind_of_tensor(self) -> str:
        return {
            "torch": "a torch.Tensor",
            "tensorflow": "a tf.Tensor",
            "jax": "a jax.Array",
            "numpy": "a NumPy array or a number",
        }.get(self.framework.name, "a tensor")

    def tensor(self, array: np.ndarray) -> Any:
        return self.framework.tensor(array)

    def array(self, tensor: Any) -> np.ndarray:
        return self.framework.array(tensor)

    def differentiate(
        self,
        compute: Callable[[Mapping[str, Any]], Any],
        tensors: Mapping[str, Any],
        wrt: Sequence[str],
        cotangent: Callable[[tuple[int, ...], str], np.ndarray],
    ) -> tuple[Any, dict[str, Any], dict[str, str]]:
        if self.framework.name != "numpy":
            return self.framework.differentiate(compute, tensors, wrt, cotangent)
        if self.gradient is None:
            raise NoGradient("NumPy has no gradients; give your own: gradient=")
        value = compute(tensors)
        own, self.target = self.target, self.gradient
        try:
            of_the_sum = self.array(compute(tensors))
        finally:
            self.target = own
        upstream = cotangent(np.shape(value), value.dtype.name)
        while 0 < upstream.ndim < of_the_sum.ndim:
            upstream = upstream[..., None]
        return value, {wrt[0]: of_the_sum * upstream}, {}

    def unsupported(self, error: BaseException) -> bool:
        return isinstance(error, NoGradient)

    def lacking(self, error: BaseException, call: Call) -> str:
        return ""

    def source(self, array: np.ndarray) -> str:
        return self.framework.source(array)

    def print_gradient(self, expression: str, of: str) -> list[str]:
        if not self.framework.gradients:
            return [f"print({expression})  # {self.framework.name} has no gradient by {of}"]
        return self.framework.print_gradient(expression, of)
