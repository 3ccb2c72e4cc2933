"""What a failed check says: which property, the smallest input, got, want, why it is likely, the fix."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field, replace

WIDTH = 96


class CheckFailed(AssertionError):
    """A loss or an activation that does not do what was claimed of it.

    ``function`` is its name, ``check`` the name of the check, ``others`` those of the checks that
    failed as well.
    """

    def __init__(self, function: str, finding: Finding, others: tuple[str, ...] = ()) -> None:
        self.function = function
        self.finding = finding
        self.check = finding.check
        self.others = others
        super().__init__(finding.text(function, others))

    __module__ = "nnconform"  # as people know it


@dataclass(frozen=True)
class Mistake:
    """A known mistake that accounts for everything that was seen, and what to do about it."""

    what: str
    fix: str


@dataclass(frozen=True)
class Finding:
    """One property that does not hold, and the smallest input that shows it."""

    check: str
    #: what is wrong, in a few words that follow the function's name
    says: str
    #: source text: lines that make the inputs, and the call
    setting: tuple[str, ...] = ()
    #: (label, text) lines: got, want, …
    facts: tuple[tuple[str, str], ...] = ()
    likely: tuple[Mistake, ...] = ()
    #: how much the likely mistake accounts for
    evidence: str = ""
    #: whether mistakes were looked for
    diagnosed: bool = False
    fix: str = ""
    note: str = ""
    #: for whoever diagnoses it
    context: dict = field(default_factory=dict, compare=False, repr=False)

    def because(self, likely: tuple[Mistake, ...], evidence: str = "") -> Finding:
        return replace(self, likely=likely, evidence=evidence, diagnosed=True)

    def text(self, function: str, others: tuple[str, ...] = ()) -> str:
        """The whole message."""
        lines = [f"{function}: {self.says}  [check: {self.check}]"]
        if self.setting:
            lines += ["", *(f"    {line}" for line in self.setting)]
        if self.facts:
            width = max(len(label) for label, _ in self.facts)
            lines += ["", *(f"    {label:<{width}}  {text}" for label, text in self.facts)]
        said = []
        for mistake in self.likely:
            said += [_hanging("likely: ", mistake.what), _hanging("fix:    ", mistake.fix)]
        if self.evidence:
            said.append(_hanging("        ", f"({self.evidence})"))
        if self.diagnosed and not self.likely:
            said.append("likely: no known mistake accounts for it")
        if self.fix:
            said.append(_hanging("fix:    ", self.fix))
        if self.note:
            said.append(_hanging("note:   ", self.note))
        if others:
            said.append(f"failed as well: {', '.join(others)}")
        return "\n".join([*lines, *([""] if said else []), *said])


def _hanging(label: str, text: str) -> str:
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=label,
        subsequent_indent=" " * len(label),
        break_long_words=False,
        break_on_hyphens=False,
    )
