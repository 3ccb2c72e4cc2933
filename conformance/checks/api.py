"""``check_loss``, ``check_activation`` and ``parametrize_checks``."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from ...reference import catalogue
from ..selection import UsageError
from . import user
from .limits import OutOfTime, within
from .message import CheckFailed, Finding

#: how long looking for ever smaller inputs may take, of the time that there is
SEARCHING = 0.5


def check_loss(
    function: Callable[..., Any],
    *,
    like: str | None = None,
    framework: str | None = None,
    params: Mapping[str, Any] | None = None,
    reduction: str | None = None,
    rows: str | None = None,
    kinds: Mapping[str, Any] | None = None,
    arguments: Sequence[str] | None = None,
    dtypes: Sequence[str] | None = None,
    rank: int = 2,
    nonnegative: bool = False,
    zero_at_agreement: bool = False,
    gradient: Callable[..., Any] | None = None,
    examples: int = 50,
    timeout: float = 60.0,
) -> None:
    """Check a loss of one's own: a function, a class, or an object of one.

    Parameters
    ----------
    function : takes (input, target), in Keras and TensorFlow (y_true, y_pred); parameter names that
        tell, and ``arguments``, say otherwise.
    like : the oracle's name of what it should be, as ``nnconform list`` has it. Without one, what must
        hold of any loss is checked, and what is claimed.
    framework : ``torch``, ``tensorflow``, ``keras``, ``jax`` or ``numpy``; told from the function if None.
    params : parameters of the oracle, its dialect included (``{"clip": (1e-7, 1 - 1e-7)}``); the
        function is given those that its signature has.
    reduction : ``mean``, ``sum``, ``none``, ``batchmean``, …: what it promises. If None, what an object
        of a class says in its attribute ``reduction``; else ``mean`` for a scalar, ``none`` otherwise.
    rows : ``mean`` or ``sum`` over the last axis, of a function that gives a loss per sample.
    kinds : the encodings of inputs: ``{"target": "distribution"}`` for one-hot targets. If None, the
        usual one with which the function answers.
    arguments : the canonical inputs in the function's order: ``("target", "input")``.
    dtypes : those that are checked; float32 and float64 if None, of an object of Keras its own.
    rank : the rank of the first input.
    nonnegative, zero_at_agreement : claims, for a function without ``like``.
    gradient : of a NumPy function: a function of the same arguments that gives the gradient of the
        (summed) loss by its input.
    examples : how many cases Hypothesis draws for each check and dtype.
    timeout : seconds for all of it.

    Raises CheckFailed (an AssertionError) with the first property that does not hold, and UsageError (a
    ValueError) for arguments that make no sense.
    """
    __tracebackhide__ = True
    options = {k: v for k, v in locals().items() if k not in ("function", "__tracebackhide__")}
    _check(Item(function, "loss", options))


def check_activation(
    function: Callable[..., Any],
    *,
    like: str | None = None,
    framework: str | None = None,
    params: Mapping[str, Any] | None = None,
    kinds: Mapping[str, Any] | None = None,
    arguments: Sequence[str] | None = None,
    dtypes: Sequence[str] | None = None,
    rank: int = 2,
    gradient: Callable[..., Any] | None = None,
    examples: int = 50,
    timeout: float = 60.0,
) -> None:
    """Check an activation of one's own: a function, a class, or an object of one.

    The arguments are those of :func:`check_loss`; it raises alike.
    """
    __tracebackhide__ = True
    options = {k: v for k, v in locals().items() if k not in ("function", "__tracebackhide__")}
    _check(Item(function, "activation", options))


def parametrize_checks(items: Iterable[Any]) -> Any:
    """A pytest parametrisation: one test for each check of each item, as its argument ``check``.

    An item is a function with an oracle, ``(my_huber, {"like": "huber"})``, or one without,
    ``(my_loss, {"kind": "loss", "nonnegative": True})``; the options are those of :func:`check_loss`
    or :func:`check_activation`::

        @nnconform.parametrize_checks([(my_huber, {"like": "huber", "params": {"delta": 2.0}})])
        def test_mine(check):
            check()
    """
    import pytest

    from .checks import checks_of

    cases = []
    for item in items:
        function, options = item if isinstance(item, tuple) else (item, {})
        chosen = dict(options)
        kind = chosen.pop("kind", None) or _kind_of(chosen.get("like"))
        if kind not in ("loss", "activation"):
            raise UsageError(
                f"{user.named(function)}: say like=…, or kind='loss' or kind='activation'"
            )
        made = Item(function, kind, chosen)
        cases += [
            pytest.param(One(made, check.name), id=f"{user.named(function)}-{check.name}")
            for check in checks_of(kind, chosen.get("like") is not None)
        ]
    return pytest.mark.parametrize("check", cases)


def _kind_of(like: str | None) -> str | None:
    found = catalogue().get(like) if like else None
    return "loss" if like and found is None else getattr(found, "kind", None)


@dataclass
class Item:
    """A function and what is claimed of it."""

    function: Any
    kind: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def trial(self) -> Any:
        from .trial import Trial

        try:
            given = {k: v for k, v in self.options.items() if v is not None}
            return Trial(self.function, self.kind, **given)
        except TypeError as error:
            raise UsageError(f"{user.named(self.function)}: {error}") from None

    def outcomes(self, names: Sequence[str] | None = None) -> tuple[list[Finding], dict[str, str]]:
        """What the checks found, the most serious first; and why some said nothing."""
        from .checks import checks_of
        from .mistakes import diagnose
        from .trial import Inapplicable, Wrong

        trial = self.trial
        seconds = trial.timeout
        began = time.monotonic()
        found: list[Finding] = []
        silent: dict[str, str] = {}

        def work() -> None:
            chosen = checks_of(self.kind, trial.oracle is not None)
            for at, check in enumerate(chosen):
                if names is not None and check.name not in names and not check.first:
                    continue
                left = began + seconds - time.monotonic()
                # a share of the time that is left, so that every check is made
                trial.ends = time.monotonic() + SEARCHING * left / math.sqrt(len(chosen) - at)
                try:
                    check.run(trial)
                except Inapplicable as reason:
                    silent[check.name] = str(reason)
                except Wrong as wrong:
                    asked = names is None or check.name in names
                    if not asked:
                        silent[names[0]] = f"{check.name} fails"  # type: ignore[index]
                        return
                    if not found:  # the one that is shown
                        trial.ends = began + seconds
                        found.append(diagnose(trial, wrong.finding))
                    else:
                        found.append(wrong.finding)
                    if check.first:
                        return
                except (UsageError, MemoryError):
                    raise
                except Exception as error:  # ours to mend; theirs are part of an outcome
                    says = f"nnconform could not make this check: {error!r}; please report it"
                    found.append(Finding(check.name, says))

        try:
            with trial.adapter.single_threaded(), np.errstate(all="ignore"):
                within(seconds, work)
        except OutOfTime:
            found.append(_out_of_time(trial, seconds))
        return found, silent


def _out_of_time(trial: Any, seconds: float) -> Finding:
    own = trial.__dict__.get("own")
    if own is not None and own.longest > seconds / 2:
        says = f"did not answer within {seconds:g} seconds"
        return Finding("call", says, fix="it hangs, or needs longer than timeout= allows")
    slowest = f"one call took {own.longest:.2g} s" if own is not None else "it was never called"
    says = f"its checks did not end within {seconds:g} seconds; {slowest}"
    return Finding("call", says, fix="give it more time: timeout=")


def _check(item: Item) -> None:
    __tracebackhide__ = True
    found = _found(item)
    if found:
        others = tuple(dict.fromkeys(f.check for f in found[1:]))
        raise CheckFailed(user.named(item.function), found[0], others) from None


def _found(item: Item, names: Sequence[str] | None = None) -> list[Finding]:
    """What the checks found. Skips a test whose only check says nothing."""
    __tracebackhide__ = True
    try:
        found, silent = item.outcomes(names)
    except UsageError as error:
        raise UsageError(str(error)) from None  # without the way through nnconform
    if names and not found and (reason := silent.get(names[0])):
        import pytest

        pytest.skip(reason)
    return found


@dataclass
class One:
    """One check of one item, as a test calls it."""

    item: Item
    name: str

    def __call__(self) -> None:
        """Raises CheckFailed if it does not hold; skips the test if it says nothing."""
        __tracebackhide__ = True
        found = _found(self.item, [self.name])
        if found:
            raise CheckFailed(user.named(self.item.function), found[0]) from None


__all__ = ["CheckFailed", "check_activation", "check_loss", "parametrize_checks"]
