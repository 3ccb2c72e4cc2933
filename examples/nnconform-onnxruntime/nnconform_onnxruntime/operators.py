"""ONNX operators as functions of NumPy arrays: each call runs a model of one node in ONNX Runtime.

    >>> operator("ai.onnx", "LeakyRelu")(np.array([-1.0, 2.0], np.float32), alpha=0.25)
    array([-0.25,  2.  ], dtype=float32)

Positional arguments are the operator's inputs, in the order of its specification; keywords are its
attributes, or inputs by their names.
"""

from __future__ import annotations

import ctypes
import inspect
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache, cached_property, lru_cache
from typing import Any

import ml_dtypes
import numpy as np
import onnx.parser
import onnxruntime
from onnx.helper import get_attribute_value, np_dtype_to_tensor_dtype, tensor_dtype_to_np_dtype

# what the runtime itself has registered; there is no public list of its own domain, com.microsoft
from onnxruntime.capi.onnxruntime_pybind11_state import InvalidGraph, get_all_operator_schema
from onnxruntime.capi.onnxruntime_pybind11_state import NotImplemented as NoKernel

from .settings import IR_VERSION, PROVIDER, opset

#: the domains whose operators there are, with what models call them
DOMAINS = {"ai.onnx": "", "com.microsoft": "com.microsoft"}

_TYPES = {"float32": "float", "float64": "double"}

#: how the runtime says that it has no kernel for a type: for the operator, or for another one of
#: those that the operator is made of, which may not even be specified for it
_NO_KERNEL = re.compile(r"(?:implementation|kernel) for (?:[\w.]*\.)?(\w+)\(")
_NO_TYPE = re.compile(r"Type 'tensor\(\w+\)' of input parameter \(\w+\) of operator \((\w+)\)")


class Operator:
    """An operator of a domain, at the opset in use: ``operator(*inputs, **attributes)``.

    Its signature is that of its specification: inputs, then attributes, which are keywords.
    """

    def __init__(self, domain: str, schema: Any) -> None:
        self.domain, self.schema, self.name = domain, schema, schema.name
        self.inputs = [i.name for i in schema.inputs]
        self.__doc__ = schema.doc
        if schema.deprecated:
            self.__deprecated__ = f"{self.name} is deprecated"

    @cached_property
    def __signature__(self) -> inspect.Signature:
        kinds = inspect.Parameter
        parameters = []
        for given in self.schema.inputs:
            option = given.option.name
            kind = kinds.VAR_POSITIONAL if option == "Variadic" else kinds.POSITIONAL_OR_KEYWORD
            default = None if option == "Optional" else kinds.empty
            parameters.append(kinds(given.name, kind, default=default))
        for name, attribute in sorted(self.schema.attributes.items()):
            default = kinds.empty if attribute.required else _default(attribute)
            parameters.append(kinds(name, kinds.KEYWORD_ONLY, default=default))
        return inspect.Signature(parameters)

    def __call__(self, *inputs: Any, **keywords: Any) -> np.ndarray:
        tensors, attributes = self.arguments(inputs, keywords)
        try:
            return run(self.model(tensors, attributes), tensors)
        except (NoKernel, InvalidGraph) as error:
            missing = _NO_KERNEL.search(str(error)) or _NO_TYPE.search(str(error))
            if missing is None or (isinstance(error, InvalidGraph) and missing[1] == self.name):
                raise
            whole = "" if missing[1] == self.name else f", of which {self.name} is made"
            raise NotImplementedError(
                f"{PROVIDER} has no kernel for {missing[1]}{whole}"
            ) from error

    def arguments(
        self, inputs: Sequence[Any], keywords: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Inputs, which are arrays, and attributes by their names.

        A number in an input's place becomes an array: a list of axes, or a scalar in the dtype of
        the first input. Raises TypeError as a Python function does.
        """
        given = self.__signature__.bind(*inputs, **keywords).arguments
        tensors = {name: given[name] for name in self.inputs if name in given}
        dtype = next(iter(tensors.values())).dtype
        for name, value in tensors.items():
            if isinstance(value, int):
                tensors[name] = np.array([value])
            elif isinstance(value, float):
                tensors[name] = np.array(value, dtype)
        return tensors, {n: v for n, v in given.items() if n not in tensors}

    def model(self, tensors: Mapping[str, Any], attributes: Mapping[str, Any]) -> str:
        """The model of this one node for such arrays, in ONNX' textual syntax."""
        declared = ", ".join(f"{_type(a.dtype, a.shape)} {n}" for n, a in tensors.items())
        last = max(self.inputs.index(name) for name in tensors)
        passed = ", ".join(name if name in tensors else "" for name in self.inputs[: last + 1])
        written = ", ".join(
            f"{n} = {_literal(v, self.schema.attributes[n])}" for n, v in attributes.items()
        )
        own = f', "{self.domain}": 1' if DOMAINS[self.domain] else ""
        name = f"{self.domain}.{self.name}" if DOMAINS[self.domain] else self.name
        node = f"{name}{f'<{written}>' if written else ''}({passed})"
        return (
            f'<ir_version: {IR_VERSION}, opset_import: ["": {opset()}{own}]> '
            f"one ({declared}) => (Y) {{Y = {node}}}"
        )

    def takes(self, dtype: str) -> bool:
        """Whether the specification has the operator for a first input of that dtype."""
        first = self.schema.inputs[0].typeStr
        allowed = {c.type_param_str: c.allowed_type_strs for c in self.schema.type_constraints}
        return f"tensor({_TYPES.get(dtype, dtype)})" in allowed.get(first, [first])


def operator(domain: str, name: str) -> Operator:
    """An operator. Raises AttributeError where the domain has none of that name at the opset."""
    if name not in operators(domain):
        at = f" of opset {opset()}" if not DOMAINS[domain] else ""
        raise AttributeError(f"{domain}{at} has no {name}")
    return operators(domain)[name]


def operators(domain: str) -> Mapping[str, Operator]:
    """The operators of a domain that the runtime knows at the opset, by name."""
    return _operators(domain, opset() if not DOMAINS[domain] else 1)


@cache
def _operators(domain: str, version: int) -> Mapping[str, Operator]:
    newest: dict[str, Any] = {}
    for schema in get_all_operator_schema():
        if schema.domain == DOMAINS[domain] and schema.since_version <= version:
            known = newest.setdefault(schema.name, schema)
            if schema.since_version > known.since_version:
                newest[schema.name] = schema
    return {name: Operator(domain, newest[name]) for name in sorted(newest)}


def run(model: str, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
    """The one output of a model. Raises what ONNX Runtime raises."""
    session = _session(model)
    if not any(array.dtype == ml_dtypes.bfloat16 for array in feeds.values()):
        return np.asarray(session.run(None, dict(feeds))[0])
    # NumPy has no such dtype, so that the runtime is told of it; it reads the memory of these arrays
    kept = {name: np.array(array, order="C") for name, array in feeds.items()}
    make = onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type
    values = {n: make(array, np_dtype_to_tensor_dtype(array.dtype)) for n, array in kept.items()}
    (y,) = session.run_with_ort_values(None, values)
    data = ctypes.string_at(y.data_ptr(), y.tensor_size_in_bytes())
    return np.frombuffer(data, tensor_dtype_to_np_dtype(y.element_type())).reshape(y.shape())


@lru_cache(maxsize=512)
def _session(model: str) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what is wrong is raised as well
    serialized = onnx.parser.parse_model(model).SerializeToString()
    return onnxruntime.InferenceSession(serialized, options, providers=[PROVIDER])


def _default(attribute: Any) -> Any:
    stated = onnx.AttributeProto.FromString(attribute._default_value)
    value = get_attribute_value(stated) if stated.type else None
    return value.decode() if isinstance(value, bytes) else value


def _type(dtype: np.dtype, shape: Sequence[int]) -> str:
    name = _TYPES.get(dtype.name, dtype.name)
    return f"{name}[{','.join(map(str, shape))}]" if len(shape) else name


def _literal(value: Any, attribute: Any) -> str:
    """An attribute's value as the textual syntax has it, in the type that the specification states."""
    if attribute.type.name == "FLOAT":
        return repr(float(value))
    if attribute.type.name == "INTS" and isinstance(value, int):
        value = [value]
    return json.dumps(value)
