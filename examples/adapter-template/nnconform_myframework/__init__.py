"""myframework for nnconform: what it offers, and how nnconform uses it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from nnconform.adapters.interface import Adapter, Binding, Spelling, bind, numpy_source, surface

# The framework is imported inside methods: `nnconform list` reads the rows of all adapters.

#: the reductions of losses: as tables name it, what it means to the oracle, and what is passed
REDUCTION = (
    Spelling("none", "none", {"reduction": "none"}),
    Spelling("sum", "sum", {"reduction": "sum"}),
    Spelling("mean", "mean", {"reduction": "mean"}),
    Spelling("default", "mean"),
)

#: the rows: function of the catalogue, callable, inputs by position, canonical name = its keyword
BINDINGS = surface(
    "myframework",
    [
        bind("softsign", "softsign", "x"),
        bind("leaky_relu", "leaky_relu", "x", slope="negative_slope"),
        bind("mean_squared_error", "mse_loss", "input target", reductions=REDUCTION),
    ],
    style="function",  # or "class", for callables that are constructed before they are called
)


class MyFrameworkAdapter(Adapter):
    """myframework on the CPU."""

    # -- what it is: nnconform reads this without the framework ------------------------------------

    #: the version of nnconform.adapters.interface that this is written for
    interface = 2
    #: what tables and --frameworks call it: the name of the entry point
    name = "myframework"
    #: what is imported, what `pip install` takes, and whose versions identify it (the first's is its own)
    module = "myframework"
    requirement = "myframework"
    distributions = ("nnconform-myframework",)  # ("myframework",), when the stand-in is gone
    bindings: ClassVar[tuple[Binding, ...]] = BINDINGS
    #: how a reproducer begins
    preamble = "import ml_dtypes\nimport numpy as np\nimport myframework"
    #: what is known to differ, and what is left out
    divergences: ClassVar[Path] = Path(__file__).with_name("divergences.toml")
    left_out: ClassVar[Path] = Path(__file__).with_name("left_out.toml")

    # -- tensors: there and back with the same dtype, shape and bits -------------------------------

    def tensor(self, array: np.ndarray) -> Any:
        import myframework

        return myframework.Tensor(array.copy())

    def array(self, tensor: Any) -> np.ndarray:
        return np.asarray(tensor.data)

    def source(self, array: np.ndarray) -> str:
        """Source text that makes the tensor, for reproducers."""
        return f"myframework.Tensor({numpy_source(array)})"

    def unsupported(self, error: BaseException) -> bool:
        """Whether this says "not offered in this dtype" rather than "wrong"."""
        return isinstance(error, TypeError) and "has no" in str(error)

    # -- gradients: without them, write `gradients = False` above and delete these two --------------

    def differentiate(
        self,
        compute: Callable[[Mapping[str, Any]], Any],
        tensors: Mapping[str, Any],
        wrt: Sequence[str],
        cotangent: Callable[[tuple[int, ...], str], np.ndarray],
    ) -> tuple[Any, dict[str, Any], dict[str, str]]:
        """The value, the gradients of Σ cotangent · value by input, and why there is none, by input."""
        import myframework

        value = compute(tensors)
        value.backward(cotangent(value.data.shape, value.data.dtype.name))
        gradients = {
            n: myframework.Tensor(tensors[n].grad) for n in wrt if tensors[n].grad is not None
        }
        refused = {n: "it is not part of the graph" for n in wrt if n not in gradients}
        return value, gradients, refused

    def print_gradient(self, expression: str, of: str) -> list[str]:
        """Lines that print the gradient of the sum of an expression."""
        return [f"{expression}.backward()", f"print({of}.grad)"]

    # -- what you may add (see nnconform.adapters.interface.Adapter) --------------------------------
    #
    # start()             called once a process: one thread, no noise, switches such as 64 bits
    # facts()             what else the numbers depend on: {"opset": "24"}; without the framework
    # devices()           the devices that it sees; tensor() then makes tensors on self.device
    # modes               {"eager": "{f}", "compiled": "myframework.compile({f})"}
    # dtypes()            where not all four can be made
    # arrangements(rank)  tensors that lie otherwise in memory: {"strided": "{x}[..., ::2]"}
    # lookup(path)        where a callable is no attribute of a module
    # fitted(...)         what this version takes otherwise, or Unavailable, with the reason
    # offers(surface)     the public callables of a surface, where dir() does not say
    # written(call)       where a call is written otherwise than path(*args, **kwargs)
