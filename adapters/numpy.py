"""NumPy: people's own functions are checked in it; it has no surfaces of its own to judge."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from .interface import Adapter, Binding
from .tensorflow import numpy_source


class NumPyAdapter(Adapter):
    """NumPy arrays, without gradients."""

    name = "numpy"
    module = "numpy"
    requirement = "numpy"
    distributions = ("numpy",)
    bindings: ClassVar[tuple[Binding, ...]] = ()
    preamble = "import numpy as np"

    def tensor(self, array: np.ndarray) -> Any:
        return np.array(array)

    def array(self, tensor: Any) -> np.ndarray:
        return np.asarray(tensor)

    def differentiate(
        self,
        compute: Callable[[Mapping[str, Any]], Any],
        tensors: Mapping[str, Any],
        wrt: Sequence[str],
        cotangent: Callable[[tuple[int, ...], str], np.ndarray],
    ) -> tuple[Any, dict[str, Any], dict[str, str]]:
        raise NotImplementedError("NumPy has no gradients")

    def unsupported(self, error: BaseException) -> bool:
        return isinstance(error, NotImplementedError)

    def source(self, array: np.ndarray) -> str:
        return numpy_source(array)

    def print_gradient(self, expression: str, of: str) -> list[str]:
        return [f"print({expression})  # NumPy has no gradient with respect to {of}"]
