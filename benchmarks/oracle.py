"""The oracle's speed beside torch's, both in float64 on one thread: ``python benchmarks/oracle.py``.

The two are timed alternately, round by round, and the table gives the median of the rounds'
ratios, so that a change of the machine's speed during the run touches both alike. Times are per
element of the first input. With gradient means value and gradients from a cotangent of ones.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable
from dataclasses import replace
from statistics import median
from time import perf_counter_ns
from typing import Any

import numpy as np

import nnconform
from nnconform.adapters.interface import Adapter, Binding
from nnconform.conformance.cases import Case, build
from nnconform.conformance.sources import Corpus
from nnconform.reference import catalogue
from nnconform.reference.oracle import evaluate

SIZE, ROUNDS = 4096, 15
HEADER = ("function", "elements", "oracle ns", "torch ns", "ratio", "with gradient")


def case_of(function: str, binding: Binding | None) -> Case:
    """A large ordinary case at the defaults; all inputs where torch has no such function."""
    described = catalogue()[function]
    everything = Binding(function, function, (), {n: n for n in described.inputs})
    matrices = replace(binding or everything, min_rank=2)
    case = build(matrices, "float64", Corpus("benchmark", "ordinary", size=SIZE))
    first = next(iter(described.inputs))
    if case.inputs[first].size < SIZE:  # prelu, whose slopes stand along axis 1
        case.inputs[first] = np.repeat(case.inputs[first], SIZE, axis=0)
    return case


def oracle_call(binding: Binding | None, case: Case, gradient: bool) -> Callable[[], Any]:
    """The oracle on arguments that are complete and checked."""
    dialect = binding.resolved_dialect(case.inputs, case.params, "float64") if binding else {}
    arguments = {**case.inputs, **case.function.defaults(), **dialect, **case.params}
    return lambda: evaluate(case.function, arguments, gradient=gradient)


def torch_call(adapter: Adapter, binding: Binding, case: Case, gradient: bool) -> Callable[[], Any]:
    """The callable on tensors that exist."""
    elementary = binding.reductions[0] if case.function.kind == "loss" else None
    call = binding.call(case.inputs, case.params, elementary, "float64")
    tensors = {name: adapter.tensor(array) for name, array in call.arrays.items()}
    target = adapter.lookup(call.path)
    if call.constructor is not None:
        target = target(**call.constructor)

    def compute(current: Any) -> Any:
        keywords = {k: current.get(getattr(v, "name", None), v) for k, v in call.kwargs.items()}
        return target(*(current[slot.name] for slot in call.args), **keywords)

    wrt = [n for n in case.function.differentiable if n in tensors]
    if not gradient:
        return lambda: compute(tensors)
    return lambda: adapter.differentiate(compute, tensors, wrt, lambda shape, _: np.ones(shape))


def timed(calls: list[Callable[[], Any]]) -> list[list[int]]:
    """Nanoseconds of each call in each round, after one round that does not count."""
    times: list[list[int]] = [[] for _ in calls]
    for _ in range(ROUNDS + 1):
        for call, taken in zip(calls, times, strict=True):
            start = perf_counter_ns()
            call()
            taken.append(perf_counter_ns() - start)
    return [taken[1:] for taken in times]


def ratio(ours: list[int], theirs: list[int]) -> str:
    """The median of the rounds' ratios."""
    return f"{median(a / b for a, b in zip(ours, theirs, strict=True)):.2g}"


def row(adapter: Adapter, function: str) -> tuple[str, ...]:
    """One line of the table."""
    mine = (b for b in adapter.bindings if b.function == function)
    fitting = [b for b in mine if not b.random and not b.inplace]
    binding = fitting[0] if fitting else None
    case = case_of(function, binding)
    elements = next(iter(case.inputs.values())).size
    calls = [oracle_call(binding, case, False), oracle_call(binding, case, True)]
    if binding is None:
        value, _ = timed(calls)
        return function, f"{elements}", f"{median(value) / elements:.3g}", "–", "–", "–"
    calls.append(torch_call(adapter, binding, case, False))
    backward = torch_call(adapter, binding, case, True)
    try:
        backward()
        calls.append(backward)
    except (RuntimeError, NotImplementedError):
        pass  # torch has no gradient of this function
    value, both, theirs, *with_gradient = timed(calls)
    return (
        function,
        f"{elements}",
        f"{median(value) / elements:.3g}",
        f"{median(theirs) / elements:.3g}",
        ratio(value, theirs),
        ratio(both, with_gradient[0]) if with_gradient else "–",
    )


def main() -> None:
    """Print the table of the functions named on the command line, or of all."""
    adapter = nnconform.adapter("torch")
    adapter.start()
    print(
        f"nnconform {nnconform.__version__}, NumPy {np.__version__}, torch {adapter.version}, "
        f"Python {platform.python_version()}, {platform.machine()}, one thread\n"
    )
    print(f"| {' | '.join(HEADER)} |")
    print("| --- |" + " ---: |" * (len(HEADER) - 1))
    for function in sys.argv[1:] or catalogue():
        print(f"| {' | '.join(row(adapter, function))} |", flush=True)


if __name__ == "__main__":
    main()
