"""JAX on the CPU: people's own functions are checked in it; it has no surfaces to judge yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from .interface import Adapter, Binding
from .source import numpy_source


class JaxAdapter(Adapter):
    """JAX arrays and ``jax.vjp``. float64 needs ``jax_enable_x64``, which is the caller's to set."""

    interface = 2
    name = "jax"
    module = "jax"
    requirement = "jax"
    distributions = ("jax",)
    bindings: ClassVar[tuple[Binding, ...]] = ()
    preamble = "import numpy as np\nimport jax\nimport jax.numpy as jnp"
    modes: ClassVar[Mapping[str, str]] = {**Adapter.modes, "compiled": "jax.jit({f})"}

    def dtypes(self) -> tuple[str, ...]:
        import jax

        wide = ("float64",) if jax.config.jax_enable_x64 else ()
        return ("float16", "bfloat16", "float32", *wide)

    def tensor(self, array: np.ndarray) -> Any:
        import jax

        if array.dtype == np.int64 and not jax.config.jax_enable_x64:
            array = array.astype(np.int32)  # what JAX makes of it, without the warning
        return jax.numpy.array(array)

    def array(self, tensor: Any) -> np.ndarray:
        return np.array(tensor)

    def differentiate(
        self,
        compute: Callable[[Mapping[str, Any]], Any],
        tensors: Mapping[str, Any],
        wrt: Sequence[str],
        cotangent: Callable[[tuple[int, ...], str], np.ndarray],
    ) -> tuple[Any, dict[str, Any], dict[str, str]]:
        import jax

        value, pullback = jax.vjp(
            lambda leaves: compute({**tensors, **leaves}), {name: tensors[name] for name in wrt}
        )
        upstream = self.tensor(cotangent(tuple(value.shape), value.dtype.name))
        (found,) = pullback(upstream)
        return value, dict(found), {}

    def unsupported(self, error: BaseException) -> bool:
        return isinstance(error, NotImplementedError)

    def source(self, array: np.ndarray) -> str:
        return f"jnp.array({numpy_source(array)})"

    def print_gradient(self, expression: str, of: str) -> list[str]:
        return [f"print(jax.grad(lambda {of}: ({expression}).sum())({of}))"]
