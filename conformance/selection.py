"""Which rows a session measures: frameworks × functions × dtypes × spellings × modes, of one aspect."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from ..adapters import Broken, adapter, names
from ..adapters.interface import EAGER, Adapter, Binding
from ..reference import catalogue
from ..reference.floats import DTYPES, offered

if TYPE_CHECKING:
    from .measurement import Subject


class UsageError(ValueError):
    """A name that does not exist, or nothing to do: one line, with what is accepted."""


#: aspects that a quick session measures in one dtype, unless dtypes are named
BROAD = {"reduction", "property", "invalid", "consistency"}
REPRESENTATIVE = "float32"
#: aspects that are measured in other modes than eager: those of what is computed
COMPUTED = ("value", "gradient", "reduction", "special")


def select(
    aspect: str,
    frameworks: str | None,
    functions: str | None,
    dtypes: str | None,
    modes: str | None = None,
    *,
    quick: bool = False,
) -> list[Subject]:
    """The subjects of an aspect, in a stable order. Raises UsageError for unknown names.

    A ``quick`` session measures broad aspects, and all modes but eager, in one dtype.
    """
    wanted = match_functions(functions)
    chosen = together(frameworks)
    named = match_modes(modes, (mode for one in chosen for mode in one.modes))

    def kinds(mode: str) -> list[str]:
        few = quick and (aspect in BROAD or mode != EAGER)
        return match_dtypes(dtypes or (REPRESENTATIVE if few else None))

    return [
        subject
        for one in chosen
        for binding in one.bindings
        if binding.function in wanted
        for mode in named
        if mode in one.modes
        for subject in subjects(one, binding, aspect, kinds(mode), [mode])
    ]


def check(
    frameworks: str | None, functions: str | None, dtypes: str | None, modes: str | None = None
) -> None:
    """Raises UsageError for unknown names, frameworks that are not here or cannot share a process."""
    match_functions(functions)
    match_dtypes(dtypes)
    match_modes(modes, (mode for one in together(frameworks) for mode in one.modes))


def subjects(
    one: Adapter,
    binding: Binding,
    aspect: str,
    dtypes: Iterable[str] = DTYPES,
    modes: Iterable[str] = (EAGER,),
) -> Iterator[Subject]:
    """The subjects of one binding and aspect."""
    for mode in modes:
        if mode == EAGER or aspect in COMPUTED:
            for subject in _eager(one, binding, aspect, dtypes):
                yield subject if mode == EAGER else replace(subject, mode=mode)


def _eager(one: Adapter, binding: Binding, aspect: str, dtypes: Iterable[str]) -> Iterator[Subject]:
    from .legacy import FORMS
    from .measurement import Subject

    loss = catalogue()[binding.function].kind == "loss"
    elementary = binding.reductions[0] if loss else None
    label = elementary.label if elementary else "none"
    if binding.random and aspect != "property":
        return
    if aspect == "gradient" and not one.gradients:
        return
    for dtype in dtypes:
        if aspect == "reduction":
            for spelling in binding.reductions[1:] if loss else ():
                yield Subject(one, binding, dtype, aspect, spelling.label, spelling)
        elif aspect == "legacy":
            if binding.legacy and dtype == "float32":
                for form in FORMS:
                    yield Subject(one, binding, dtype, "reduction", f"legacy, {form}")
        elif aspect == "invalid":
            if loss:
                yield Subject(one, binding, dtype, aspect, label, elementary)
        else:
            yield Subject(one, binding, dtype, aspect, label, elementary)


def find(frameworks: Iterable[str]) -> tuple[list[Adapter], dict[str, str]]:
    """The adapters whose framework is here, and for each that is not, a line that says why.

    Those that are broken are among the latter.
    """
    here, missing = [], {}
    for name in frameworks:
        try:
            one = adapter(name)
        except ValueError as error:
            missing[name] = str(error)
            continue
        if one.installed():
            here.append(one)
        else:
            missing[name] = f"{name} is not installed; add it with: pip install {one.requirement}"
    return here, missing


def installed(frameworks: Iterable[str]) -> list[Adapter]:
    """The adapters whose framework is here. Raises UsageError if there is none."""
    here, missing = find(frameworks)
    if not here:
        raise UsageError("; ".join(["nothing to judge", *missing.values()]))
    return here


def broken(frameworks: Iterable[str]) -> dict[str, str]:
    """The adapters among these that cannot be used, each with the line that says why."""
    found = {}
    for name in frameworks:
        try:
            adapter(name)
        except Broken as error:
            found[name] = str(error)
    return found


def originals(frameworks: Iterable[Adapter]) -> list[Adapter]:
    """Those of the adapters that are no variant of another one among them; of two variants of one
    that is not among them the first."""
    chosen = list(frameworks)
    kept: dict[str, Adapter] = {}
    for one in sorted(chosen, key=lambda one: bool(one.variant_of)):
        kept.setdefault(one.variant_of or one.name, one)
    return [one for one in chosen if one in kept.values()]


def together(frameworks: str | None) -> list[Adapter]:
    """The adapters that a session judges in one process: by default all that can share one.

    Raises UsageError for unknown names, where none is installed, and for some that cannot.
    """
    chosen = installed(match_frameworks(frameworks))
    kept = originals(chosen)
    if frameworks and len(kept) < len(chosen):
        apart = " and ".join(one.name for one in chosen if one not in kept)
        raise UsageError(
            f"{apart} cannot be judged in one process with another variant of the same framework; "
            "name one of them, or use nnconform run"
        )
    return kept


def match_frameworks(text: str | None) -> list[str]:
    """Framework names; for None all that are known and judged by default, broken ones included."""
    if text:
        return _split(text, names(), "framework")
    return [name for name in names() if name in broken([name]) or adapter(name).by_default]


def match_modes(text: str | None, known: Iterable[str]) -> list[str]:
    """Mode names among those that are known; eager for None. Raises UsageError for others."""
    return _split(text, list(dict.fromkeys(known)), "mode") if text else [EAGER]


def match_dtypes(text: str | None) -> list[str]:
    """Dtype names; all four for None, or those that there are without ml_dtypes.

    Raises UsageError for unknown names, and for bfloat16 where ml_dtypes is missing.
    """
    chosen = _split(text, DTYPES, "dtype") if text else offered()
    if "bfloat16" in chosen and "bfloat16" not in offered():
        raise UsageError("bfloat16 needs ml_dtypes; add it with: pip install ml_dtypes")
    return [d for d in DTYPES if d in chosen]


def match_functions(text: str | None) -> set[str]:
    """Function names that match the comma-separated patterns; all for None."""
    known = list(catalogue())
    if not text:
        return set(known)
    found: set[str] = set()
    for pattern in filter(None, (p.strip() for p in text.split(","))):
        matching = {name for name in known if fnmatchcase(name, pattern)}
        if not matching:
            raise UsageError(nearest("function", pattern, known))
        found |= matching
    return found


def _split(text: str, known: Sequence[str], what: str) -> list[str]:
    chosen = list(dict.fromkeys(filter(None, (t.strip() for t in text.split(",")))))
    for name in chosen:
        if name not in known:
            raise UsageError(nearest(what, name, known))
    return chosen


def nearest(what: str, name: str, known: Sequence[str]) -> str:
    """The line that says that a name is unknown, and which are nearest to it."""
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5) or list(known)
    return f"unknown {what} {name!r}; nearest: {', '.join(near)}"
