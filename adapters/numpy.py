"""NumPy: people's own functions are checked in it; it has no surfaces of its own to judge."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from .interface import Adapter, Binding
from .tensorflow import numpy_source


class NumPyAdapter(Adapter):
    """NumPy arrays, without gradients."""

    interface = 2
    name = "numpy"
    module = "numpy"
    requirement = "numpy"
    distributions = ("numpy",)
    bindings: ClassVar[tuple[Binding, ...]] = ()
    preamble = "import numpy as np"
    gradients = False

    def tensor(self, array: np.ndarray) -> Any:
        return np.array(array)

    def array(self, tensor: Any) -> np.ndarray:
        return np.asarray(tensor)

    def unsupported(self, error: BaseException) -> bool:
        return isinstance(error, NotImplementedError)

    def source(self, array: np.ndarray) -> str:
        return numpy_source(array)
