"""One person's callable under check: bound like a framework's, searched by Hypothesis, shrunk.

The callable stands in a framework's place (:class:`.user.Own`), so that cases, the oracle's side
and the error measure are those of the suite.
"""

from __future__ import annotations

import contextlib
import difflib
import inspect
import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...adapters import adapter
from ...adapters.interface import Binding, Spelling, Surface, signature_of
from ...reference import catalogue
from ...reference.floats import DTYPES, float_of, is_float
from ...reference.function import Function
from ...reference.outcome import Outcome
from ...reference.reductions import REDUCTIONS
from .. import aspects
from ..cases import Case, build, corpus
from ..error import BOUND
from ..measurement import Divergence, Measurement, Subject, Worst, first_line
from ..selection import UsageError
from ..sources import Corpus, Search
from . import user
from .message import CheckFailed, Finding

Array = np.ndarray
Judgement = Callable[[Case], None]

#: without an oracle: the function whose inputs have the shapes in question
CARRIERS = {
    ("input", "target"): "mean_squared_error",
    ("input",): "l2_loss",
    ("input1", "input2", "target"): "cosine_embedding",
    ("anchor", "positive", "negative"): "triplet_margin",
}
#: encodings of inputs other than the oracle's usual ones, as the frameworks' own functions have them
USUAL = {
    "gaussian_nll": {"input": "feature", "target": "feature"},  # (x − y)²/var does not overflow
    "ctc": {"log_probs": "log_probability"},
}
#: kinds of a target or an input that stand along a class axis
ROWS_OF_CLASSES = {"class_index", "distribution", "log_probability"}
#: reductions as the classes of frameworks name them
SPELLED: dict[str | None, str] = {
    "sum_over_batch_size": "mean",
    "mean_with_sample_weight": "weighted_mean",
    None: "none",
    **{name: name for name in REDUCTIONS},
}


class once:
    """A property that is computed once. Unlike ``functools.cached_property`` before Python 3.12 it holds
    no lock meanwhile: what hangs in one thread must not hold up the others."""

    def __init__(self, compute: Callable[[Any], Any]) -> None:
        self.compute, self.name = compute, compute.__name__
        self.__doc__ = compute.__doc__

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        found = instance.__dict__[self.name] = self.compute(instance)
        return found


class Wrong(Exception):
    """What a check found."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.says)
        self.finding = finding


class Inapplicable(Exception):
    """Why a check says nothing of this callable."""


class Enough(BaseException):
    """The time for searching is over."""


def upstream(shape: tuple[int, ...], dtype: str) -> Array:
    """The cotangent of a result: 1 of a scalar, so that gradients can be read."""
    kind = float_of(dtype)
    return aspects.cotangent(shape, kind) if shape else np.ones((), kind.dtype)


@dataclass(frozen=True)
class OwnSubject(Subject):
    """A callable whose gradients with respect to targets and weights nobody asks for."""

    def differentiated(self, case: Case) -> list[str]:
        return [n for n in super().differentiated(case) if n not in ("target", "var")]


class Ordinary(Search):
    """Numbers of a few units, strictly inside an interval: where nothing overflows."""

    def floats(self, shape: Any, within: Any, kind: Any, smallest: float = 0.0) -> Array:
        low, high = max(within[0], -8.0), min(within[1], 8.0)
        if (low, high) == (0.0, 1.0):
            low, high = 1 / 16, 15 / 16
        return super().floats(shape, (low, high), kind, smallest)


@dataclass
class Trial:
    """A callable, and all that is claimed of it. Raises UsageError for claims that make no sense."""

    function: Any
    kind: str
    like: str | None = None
    framework: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    reduction: str | None = None
    rows: str | None = None
    kinds: Mapping[str, Any] = field(default_factory=dict)
    arguments: Sequence[str] | None = None
    dtypes: Sequence[str] | None = None
    rank: int = 2
    nonnegative: bool = False
    zero_at_agreement: bool = False
    gradient: Callable[..., Any] | None = None
    examples: int = 50
    timeout: float = 60.0

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise UsageError(f"function: {self.function!r} is not callable")
        self.name = user.named(self.function)
        self.ends = np.inf  # until a check starts
        self.oracle = self._oracle()
        self._check_options()
        self.framework_name = self.framework or user.framework_of(self.function)
        self.adapter = user.framework_adapter(user.on_backend(self.framework_name))
        if self.gradient is not None and self.adapter.name != "numpy":
            raise UsageError(
                f"gradient= is for NumPy, which has none; {self.adapter.name} has its own"
            )
        required = [n for n, spec in self.described.inputs.items() if not spec.optional]
        if self.arguments is not None:
            self.inputs = tuple(self.arguments)
        else:
            self.inputs = user.order(self.function, required, self.adapter.name)

    # -- what is claimed ---------------------------------------------------------------------------

    def _oracle(self) -> Function | None:
        if self.like is None:
            return None
        if self.like not in catalogue():
            near = ", ".join(_nearest(self.like)) or "what `nnconform list` names"
            raise UsageError(f"like: unknown function {self.like!r}; nearest: {near}")
        found = catalogue()[self.like]
        if found.kind != self.kind:
            right = {"loss": "check_loss", "activation": "check_activation"}[found.kind]
            raise UsageError(
                f"like: {self.like} is a{'n' * (found.kind == 'activation')} "
                f"{found.kind}; use {right}"
            )
        for name, value in self.params.items():
            if name not in found.parameters:
                known = ", ".join(found.parameters) or "none"
                raise UsageError(f"params: {self.like} has no parameter {name!r}; it has {known}")
            domain = found.parameters[name].domain
            if value not in domain:
                raise UsageError(f"params: {name}={value!r}; accepted: {domain}")
        return found

    @once
    def described(self) -> Function:
        """The oracle; without one, a function whose inputs are shaped alike."""
        if self.oracle is not None:
            return self.oracle
        if self.kind == "activation":
            return catalogue()["linear"]
        if self.arguments is None:
            given: Sequence[str] = ("input", "target")
        else:
            given = tuple(n for n in ("input", "target") if n in self.arguments) or self.arguments
        if {k for kinds in self.kinds.values() for k in _listed(kinds)} & ROWS_OF_CLASSES:
            return catalogue()["cross_entropy"]
        try:
            return catalogue()[CARRIERS[tuple(given)]]
        except KeyError:
            raise UsageError(
                f"arguments={tuple(given)!r}; without like=, accepted: "
                f"{', '.join(map(str, CARRIERS))}"
            ) from None

    def _check_options(self) -> None:
        for name in self.kinds:
            if name not in self.described.inputs:
                known = ", ".join(self.described.inputs)
                raise UsageError(f"kinds: unknown input {name!r}; accepted: {known}")
            for kind in _listed(self.kinds[name]):
                if kind not in KINDS:
                    raise UsageError(
                        f"kinds: {name} is no {kind!r}; accepted: {', '.join(sorted(KINDS))}"
                    )
        required = {n for n, spec in self.described.inputs.items() if not spec.optional}
        if self.arguments is not None:
            unknown = set(self.arguments) - set(self.described.inputs)
            if unknown or not required <= set(self.arguments):
                raise UsageError(
                    f"arguments={tuple(self.arguments)!r}; accepted: "
                    f"{', '.join(self.described.inputs)} in the order of your function"
                )
        if self.reduction is not None and self.reduction not in REDUCTIONS:
            raise UsageError(
                f"reduction={self.reduction!r}; accepted: {', '.join(map(repr, REDUCTIONS))}"
            )
        if self.rows not in (None, "mean", "sum"):
            raise UsageError(f"rows={self.rows!r}; accepted: None, 'mean', 'sum'")
        for dtype in self.dtypes or ():
            if dtype not in DTYPES:
                raise UsageError(f"dtypes: unknown {dtype!r}; accepted: {', '.join(DTYPES)}")
        if not (isinstance(self.timeout, (int, float)) and self.timeout > 0):
            raise UsageError(f"timeout={self.timeout!r}; accepted: a number of seconds above 0")

    # -- the callable, and how it is called ----------------------------------------------------------

    @once
    def keywords(self) -> dict[str, Any]:
        """What the callable is given by keyword: the parameters that its signature has."""
        if isinstance(self.function, type):
            return {}
        given = dict(self.params)
        if self.reduction is not None:
            given["reduction"] = self.reduction
        taken = user.keywords(user.called(self.function), given)
        if self.oracle is None and (lost := set(self.params) - set(taken)):
            raise UsageError(f"params: {self.name} takes no {', '.join(sorted(lost))}")
        return {n: v for n, v in taken.items() if n not in self.inputs}

    @once
    def constructed(self) -> dict[str, Any]:
        """What a class is constructed with."""
        given = dict(self.params)
        if self.reduction is not None:
            given["reduction"] = self.reduction
        return user.keywords(self.function, given) if isinstance(self.function, type) else {}

    @once
    def target(self) -> Any:
        """The callable itself; an object of it if it is a class."""
        if not isinstance(self.function, type):
            return self.function
        try:
            return self.function(**self.constructed)
        except Exception as error:
            made = f"{self.name}({_written(self.constructed)})"
            raise Wrong(
                Finding(
                    "call",
                    f"{made} cannot be constructed",
                    facts=(("raises", first_line_of(error)),),
                )
            ) from None

    @once
    def own(self) -> user.Own:
        return user.Own(self.adapter, self.target, self.gradient)

    @property
    def source(self) -> str:
        """How the callable is written in messages."""
        if isinstance(self.function, type):
            return f"{self.name}({_written(self.constructed)})"
        plain = inspect.isroutine(self.function) or hasattr(self.function, "__name__")
        return self.name if plain else f"{self.name}(…)"

    @once
    def oracle_params(self) -> dict[str, Any]:
        """What the oracle is given: as claimed, else as the callable's own defaults have it."""
        if self.oracle is None:
            return {}
        own = user.own_defaults(user.called(self.function), self.oracle)
        return {**own, **self.params}

    def binding(self, kinds: Mapping[str, tuple[str, ...]], rows: Any = None) -> Binding:
        return Binding(
            self.described.name,
            self.name,
            self.inputs,
            fixed=self.keywords,
            dialect=self.oracle_params,
            kinds=kinds,
            rows=rows,
            min_rank=self.rank,
            max_rank=self.rank,
            surface=Surface(str(getattr(self.function, "__module__", ""))),
        )

    # -- what a first call tells ---------------------------------------------------------------------

    @once
    def usual_dtypes(self) -> tuple[str, ...]:
        """The dtypes that are checked."""
        if self.dtypes:
            return tuple(d for d in DTYPES if d in self.dtypes)
        own = _keras_dtype(self.target)
        if own is not None:
            return (own,)
        return tuple(d for d in self.adapter.dtypes() if d in ("float32", "float64"))

    @once
    def probed(self) -> Probe:
        """What the callable did with a first case: kinds, reduction and rows follow from it.

        Raises Wrong where it answers nothing that a loss, or an activation, may answer.
        """
        self._check_arity()
        dtype = self.usual_dtypes[0]
        attempts = []
        for kinds in self._kinds_to_try():
            binding = self.binding(kinds)
            case = _distinct(binding, dtype)
            outcome = self.own.execute(binding.call(case.inputs, {}, None, dtype))
            probe = Probe(kinds, case, outcome, self._unreduced(case))
            attempts.append(probe)
            if outcome.error is None and self._meaning(probe) is not None:
                return probe
        return next((a for a in attempts if a.outcome.error is None), attempts[0])

    def _check_arity(self) -> None:
        """Raises Wrong where the signature has no room for the arguments."""
        target = self.target
        found = signature_of(user.called(target))
        if found is None:
            return
        takes = [p for p in found.parameters.values()]
        try:
            found.bind(*self.inputs, **self.keywords)
        except TypeError as error:
            shown = (
                f"{self.name}{inspect.Signature([p.replace(annotation=p.empty) for p in takes])}"
            )
            what = f"a{'n' * (self.kind[0] == 'a')} {self.kind}"
            what += f" like {self.like}" if self.like else ""
            raise Wrong(
                Finding(
                    "call",
                    f"cannot be called as {what}",
                    facts=(
                        ("it is", shown),
                        ("called with", ", ".join(self.inputs)),
                        ("says", str(error)),
                    ),
                    fix=f"take {len(self.inputs)} positional argument{'s' * (len(self.inputs) > 1)}"
                    ", or say with arguments=(…) which tensors it takes, in its own order",
                )
            ) from None

    def _kinds_to_try(self) -> Iterator[dict[str, tuple[str, ...]]]:
        """The encodings of the inputs that the callable may take, the usual ones first."""
        by_parameter = self.described.facts.get("kind_of", {})
        usual = USUAL.get(self.described.name, {})
        choices: dict[str, list[tuple[str, ...]]] = {}
        for name, spec in self.described.inputs.items():
            if name in self.kinds:
                choices[name] = [_listed(self.kinds[name])]
            elif name in by_parameter or name not in self.inputs:
                continue
            elif name in usual:
                choices[name] = [(usual[name],)]
            elif self.oracle is None:
                choices[name] = [(spec.kinds[0],)]
            else:
                choices[name] = [(kind,) for kind in spec.kinds]
        for chosen in itertools.product(*choices.values()):
            yield dict(zip(choices, chosen, strict=True))

    def _unreduced(self, case: Case) -> tuple[int, ...]:
        """The shape before any reduction."""
        return self.described(**case.arguments(self.oracle_params)).shape

    def _meaning(self, probe: Probe) -> tuple[str, Any] | None:
        """The reduction and rows that the shape of a first answer means; None if it means none."""
        value = probe.outcome.value
        assert value is not None
        got, whole = value.shape, probe.unreduced
        if self.kind == "activation":
            same = got == whole or (self.oracle is None and got[:1] == whole[:1])
            return ("none", None) if same else None
        named = self.reduction or self._named_reduction()
        if named is not None and named != "none":
            rows = self.rows or self._rows_of_class(named, whole)
            return (named, rows) if got == () else None
        if got == whole and self.rows is None and (got or named == "none"):
            return "none", None
        if got == whole[:-1] and (got or named == "none"):
            return "none", self.rows or "mean"
        return ("mean", self.rows) if got == () and named is None else None

    def _named_reduction(self) -> str | None:
        """The reduction that an object of a framework's class says it has."""
        if not user_class(self.target) or not hasattr(self.target, "reduction"):
            return None
        return SPELLED.get(self.target.reduction)

    def _rows_of_class(self, reduction: str, whole: tuple[int, ...]) -> str | None:
        """Keras' losses reduce values per sample; only a sum of them tells that from one of all."""
        keras = any(base.__module__.startswith("keras.") for base in type(self.target).__mro__)
        return "mean" if keras and reduction == "sum" and len(whole) > 1 else None

    @once
    def meaning(self) -> tuple[str, Any]:
        """The reduction and the rows. Raises Wrong for a shape that stands for none."""
        probe = self.probed
        if probe.outcome.error is not None:
            raise Wrong(self.raised(probe))
        meant = self._meaning(probe)
        if meant is None:
            raise Wrong(self._misshapen(probe))
        return meant

    @property
    def base(self) -> Binding:
        """The callable as a binding."""
        return self._bound[0]

    @once
    def _bound(self) -> tuple[Binding, Spelling]:
        reduction, rows = self.meaning
        return self.binding(self.probed.kinds, rows), Spelling("", reduction)

    def subject(self, dtype: str, aspect: str = "value") -> OwnSubject:
        binding, spelling = self._bound
        return OwnSubject(self.own, binding, dtype, aspect, "", spelling)

    def execute(self, case: Case, wrt: Sequence[str] = (), cotangent: Any = None) -> Outcome:
        """What the callable does with a case."""
        return self.own.execute(self.base.call(case.inputs, {}, None, case.dtype), wrt, cotangent)

    # -- searching ----------------------------------------------------------------------------------

    def search(
        self,
        dtype: str,
        judge: Judgement,
        *,
        ordinary: bool = False,
        also: Sequence[Case] = (),
        examples: int | None = None,
    ) -> None:
        """Judge what Hypothesis draws, then other cases.

        Raises Wrong for the smallest case that was found wrong.
        """
        source = Ordinary if ordinary else Search
        found = self._searched(dtype, judge, source, examples or self.examples)
        if found is not None:
            raise found
        for case in also:
            self.held(case, judge)

    def _searched(
        self, dtype: str, judge: Judgement, source: type[Search], examples: int
    ) -> Wrong | None:
        from hypothesis import HealthCheck, Phase, Verbosity, given, settings
        from hypothesis import strategies as st
        from hypothesis.errors import HypothesisException

        smallest: list[Wrong] = []

        @settings(
            max_examples=examples,
            derandomize=True,  # the same every time
            database=None,
            deadline=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
            verbosity=Verbosity.quiet,
            print_blob=False,
        )
        @given(st.data())
        def look(data: Any) -> None:
            if time.monotonic() > self.ends:
                raise Enough
            case = build(self.base, dtype, source(data.draw))
            try:
                judge(case)
            except Wrong as wrong:
                smallest[:] = [wrong]
                raise

        with contextlib.suppress(Wrong, Enough, HypothesisException):
            look()
        return smallest[0] if smallest else None

    def held(self, case: Case, judge: Judgement) -> None:
        """Judge one case; raises Wrong for the smallest part of it that is wrong."""
        if time.monotonic() > self.ends:
            return
        try:
            judge(case)
        except Wrong as wrong:
            smallest = [wrong]

            def fails(part: Case) -> bool:
                if time.monotonic() > self.ends:
                    return False
                try:
                    judge(part)
                except Wrong as again:
                    smallest[:] = [again]
                    return True
                return False

            reduced(case, self.base, fails)
            raise smallest[0] from None

    def corpus(self, dtype: str, count: int = 9) -> Iterator[Case]:
        """Cases of the suite's corpus."""
        return corpus(self.base, dtype, count)

    def small(self, dtype: str) -> Case:
        """One sample of ordinary numbers; one number where each stands alone."""
        case = next(self.corpus(dtype, 1))
        shapes = {n: case.function.inputs[n].shape.split()[0] for n in case.inputs}
        if not set(shapes.values()) <= {"S", "N", "C"}:
            return case
        inputs = {n: a if shapes[n] == "C" else a[:1] for n, a in case.inputs.items()}
        if set(shapes.values()) == {"S"} and not case.function.coupled:
            inputs = {n: a[..., :1] for n, a in inputs.items()}
        return _rounder(replace(case, inputs=inputs), self.base)

    # -- what was found -----------------------------------------------------------------------------

    def measured(
        self, check: str, dtype: str, put: Callable[[Measurement, Case], object], aspect: str = ""
    ) -> Judgement:
        """A judgement of the suite, which raises Wrong where the suite raises Divergence."""
        subject = self.subject(dtype, aspect or check)

        def judge(case: Case) -> None:
            m = Measurement(subject)
            try:
                put(m, case)
            except Divergence:
                assert m.worst is not None
                raise Wrong(self._diverged(check, m.failure, m.worst)) from None

        return judge

    def setting(self, case: Case, of: str = "") -> tuple[str, ...]:
        """Source text: the inputs of a case and the call; or what is differentiated by ``of``."""
        arrays = dict(case.inputs)
        given = ", ".join([*self.inputs, *(f"{n}={v!r}" for n, v in self.keywords.items())])
        call = f"{self.source}({given})"
        shape = self.subject(case.dtype).expected(case).shape if of else ()
        if shape:  # weights, without which what cancels in the sum would not be seen
            arrays["weight"] = upstream(shape, case.dtype)
            call = f"({call} * weight).sum()"
        width = max(map(len, arrays), default=0)
        lines = [f"{n:<{width}} = {self.adapter.source(a)}" for n, a in arrays.items()]
        return (*lines, f"gradient of {call} by {of}" if of else call)

    @property
    def compared(self) -> str:
        """The oracle that it is compared with."""
        assert self.oracle is not None
        given = [f"{n}={v!r}" for n, v in self.oracle_params.items()]
        reduction, rows = self.meaning
        if self.kind == "loss":
            given.append(f"reduction={reduction!r}")
        if rows:
            given.append(f"rows={rows!r}")
        return f"{self.like}({', '.join(given)})" if given else str(self.like)

    def _diverged(self, check: str, failure: str, worst: Worst) -> Finding:
        kind = worst.case.dtype
        facts: list[tuple[str, str]] = []
        if np.isnan(worst.tolerance):
            says = failure
        else:
            at = f"{list(worst.index)}" if worst.index else ""
            digits = {"float64": 17, "float32": 9}.get(kind, 5)
            what = f"the gradient by {worst.of}" if worst.of else "the value"
            says = f"{what} is wrong"
            facts += [
                (f"got{at}", f"{worst.got:.{digits}g}"),
                (f"want{at}", f"{worst.want:.{digits}g}   by {self.compared}"),
            ]
            if np.isfinite(worst.error):
                facts.append(
                    ("error", f"{worst.error:.3g} units of rounding; {BOUND:g} are allowed")
                )
        return Finding(
            check,
            says,
            self.setting(worst.case, worst.of),
            tuple(facts),
            context={"case": worst.case, "of": worst.of, "got": worst.got, "want": worst.want},
        )

    def raised(self, probe: Probe) -> Finding:
        """A first call that raised."""
        error = probe.outcome.error
        assert error is not None
        fix = ""
        if isinstance(error, user.NoTensor):
            return Finding("call", str(error), self.setting(probe.case))
        if len(list(self._kinds_to_try())) > 1 or self.kinds:
            fix = "if it takes another encoding of an input, say so: kinds={…}"
        return Finding(
            "call",
            "raises when it is called",
            self.setting(probe.case),
            (("raises", first_line_of(error)), *_where(error)),
            fix=fix,
        )

    def _misshapen(self, probe: Probe) -> Finding:
        value = probe.outcome.value
        assert value is not None
        whole = probe.unreduced
        named = self.reduction or self._named_reduction()
        if self.kind == "activation":
            want = f"{whole}, the shape of {self.like or 'its input'}"
        elif named not in (None, "none"):
            want = f"(), a scalar, as reduction={named!r} promises"
        elif named == "none":
            want = f"{whole}, one loss for each, as reduction='none' promises"
        else:
            shapes = {(): "a scalar", whole[:-1]: "a loss per sample", whole: "a loss for each"}
            want = ", or ".join(f"{s} ({what})" for s, what in shapes.items())
        return Finding(
            "shape",
            "the result has the wrong shape",
            self.setting(probe.case),
            (("got", f"shape {value.shape}"), ("want", f"shape {want}")),
        )


@dataclass(frozen=True)
class Probe:
    """A first case, what came of it, and the shape before any reduction."""

    kinds: Mapping[str, tuple[str, ...]]
    case: Case
    outcome: Outcome
    unreduced: tuple[int, ...]


def reduced(case: Case, binding: Binding, fails: Callable[[Case], bool]) -> Case:
    """A small part of a case for which ``fails`` still says so: fewer samples, rounder numbers."""
    first = next(iter(case.inputs))
    shapes = {n: case.function.inputs[n].shape.split() for n in case.inputs}
    for axis in (0, 1):
        everywhere = [n for n, s in shapes.items() if s[0] == "S" or (axis == 0 and s[0] == "N")]
        if set(everywhere) != set(case.inputs) or case.inputs[first].ndim <= axis:
            continue
        size = case.inputs[first].shape[axis]
        for kept in [[i] for i in range(size)] + [[i, i + 1] for i in range(size - 1)]:
            inputs = {n: np.take(a, kept, axis=axis) for n, a in case.inputs.items()}
            part = replace(case, inputs=inputs)
            if len(kept) < size and fails(part):
                case = part
                break
    for name, array in case.inputs.items():
        kinds = binding.kinds.get(name, case.function.inputs[name].kinds)
        if not is_float(array) or array.size > 64 or set(kinds) - PLAIN_KINDS:
            continue
        for index in np.ndindex(array.shape):
            value = float(case.inputs[name][index])
            for simpler in [0.0, 1.0, *(round(value, d) for d in range(3))]:
                if not np.isfinite(value) or simpler == value:
                    break
                changed = np.array(case.inputs[name])
                changed[index] = simpler
                part = replace(case, inputs={**case.inputs, name: changed})
                if fails(part):
                    case = part
                    break
    return case


#: the folders of the package itself: no line of a message is in there
OURS = tuple(
    str(Path(__file__).parents[2] / folder)
    for folder in ("adapters", "conformance", "reference", "reports")
)
#: kinds any number of whose range may stand anywhere
PLAIN_KINDS = {"real", "logits", "feature", "probability", "factor"}
#: kinds that a caller may name
KINDS = {
    *("real", "feature", "logits", "probability", "distribution", "log_probability", "positive"),
    *("count", "sign", "bit", "class_index", "label"),
}


def _nearest(name: str) -> list[str]:
    """The functions that a name may mean: as another namespace names them, or nearly so."""
    known: dict[str, str] = {}
    for one in ("torch", "tensorflow", "keras"):
        for binding in adapter(one).bindings:
            known.setdefault(binding.callable.lower(), binding.function)
            known.setdefault("".join(w[0] for w in binding.function.split("_")), binding.function)
    known |= {function: function for function in catalogue()}
    near = difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.6)
    exact = [known[name.lower()]] if name.lower() in known else []
    within = [function for function in catalogue() if name.lower() in function]
    return list(dict.fromkeys([*exact, *(known[n] for n in near), *within]))[:5]


def user_class(target: Any) -> bool:
    """Whether it is an object of a class of its own, rather than a function."""
    return not inspect.isfunction(target) and not inspect.isbuiltin(target)


def _listed(kinds: Any) -> tuple[str, ...]:
    return tuple(kinds.split()) if isinstance(kinds, str) else tuple(kinds)


def _distinct(binding: Binding, dtype: str) -> Case:
    """A small case of ordinary numbers whose sizes are told apart by their shapes."""
    cases = [build(binding, dtype, Corpus(f"probe/{n}", "ordinary")) for n in range(64)]

    def fitness(case: Case) -> tuple[bool, int]:
        sizes = next(iter(case.inputs.values())).shape
        alike = len(set(sizes)) < len(sizes) or min(sizes, default=2) < 2
        return alike, sum(a.size for a in case.inputs.values())

    return _rounder(min(cases, key=fitness), binding)


def _rounder(case: Case, binding: Binding) -> Case:
    """The case with two decimals, where any number may stand."""
    inputs = dict(case.inputs)
    for name, array in inputs.items():
        kinds = binding.kinds.get(name, case.function.inputs[name].kinds)
        if is_float(array) and not set(kinds) - PLAIN_KINDS:
            wide = np.round(array.astype(np.float64), 2)
            inputs[name] = float_of(case.dtype).rounded(wide)
    return replace(case, inputs=inputs)


def _keras_dtype(target: Any) -> str | None:
    """The dtype in which an object of Keras computes, whatever it is given."""
    if not any(base.__module__.startswith("keras.") for base in type(target).__mro__):
        return None
    own = getattr(target, "compute_dtype", None) or getattr(target, "dtype", None)
    return own if own in DTYPES else None


def _written(keywords: Mapping[str, Any]) -> str:
    return ", ".join(f"{n}={v!r}" for n, v in keywords.items())


def first_line_of(error: BaseException) -> str:
    """An exception by the first line that it has."""
    return f"{type(error).__name__}: {first_line(str(error))}"[:200]


def _where(error: BaseException) -> tuple[tuple[str, str], ...]:
    """The line of the caller's own that raised."""
    import traceback

    frames = [
        f
        for f in traceback.extract_tb(error.__traceback__)
        if not f.filename.startswith(OURS)
        and "site-packages" not in f.filename
        and not f.filename.startswith("<")
    ]
    if not frames:
        return ()
    last = frames[-1]
    return (("at", f"{last.filename}:{last.lineno}: {last.line}"),)


__all__ = ["CheckFailed", "Inapplicable", "OwnSubject", "Trial", "Wrong"]
