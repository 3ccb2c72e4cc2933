"""The tolerances with which two surfaces agree, and what habitual ones hide.

``assert_close(theirs, mine, rtol=…, atol=…)`` passes where ``|theirs − mine| ≤ atol + rtol·|mine|``.
For every function that both offer this is measured under the best mapping: the smallest ``rtol``
out of 1, 2, 5 times a power of ten that passes with an ``atol`` no larger than itself, and the
smallest such ``atol`` beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from ...adapters.interface import Binding
from ..cases import PLAN, Case, corpus, searched
from .agreement import Pair, Part
from .differences import first, left_over, records_of
from .guide import Guides
from .translation import Side, principal, ways

if TYPE_CHECKING:
    import pandas as pd

Array = np.ndarray

COLUMNS = (
    *("function", "from", "to", "result", "dtype", "magnitudes", "results"),
    *("rtol", "atol", "never", "hidden_1e-05", "hidden_0.001", "alarms_1e-05", "why"),
)
#: the tolerances that people type
HABITS = (1e-5, 1e-3)
#: the flavours of the corpus with numbers of a few units
ORDINARY = ("ordinary", "lattice")
#: how many cases Hypothesis draws beyond the corpus
DRAWN = 20


def tolerance_table(
    guides: Guides, here: Sequence[str], there: Sequence[str], functions: Sequence[str], dtype: str
) -> pd.DataFrame:
    """A row for every shared function, pair of callables, result and range of magnitudes.

    ``never`` counts results that no tolerance covers (NaN or ∞ on one side alone); ``hidden_…`` those
    that differ by more than rounding and yet pass with rtol = atol = the habit; ``alarms_…`` those
    that agree to rounding and fail; ``why`` names what makes them differ.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for name in functions:
        for surface in guides.offering(name, here):
            for other in guides.offering(name, there):
                if surface != other:
                    sides = principal(ways(guides.surfaces[surface], name, surface))
                    others = ways(guides.surfaces[other], name, other)
                    for side in sides:
                        if not side.binding.random:
                            rows += _measured(side, others, dtype)
    return pd.DataFrame(rows, columns=[*COLUMNS])


def drawn(binding: Binding, dtype: str, count: int = DRAWN) -> list[Case]:
    """Cases of the search, the same each time."""
    cases: list[Case] = []

    @seed(0)
    @settings(
        max_examples=count,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        derandomize=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def collect(data: st.DataObject) -> None:
        cases.append(searched(binding, dtype, data.draw))

    collect()
    return cases


def _measured(here: Side, others: Sequence[Side], dtype: str) -> Iterator[dict[str, Any]]:
    """The rows of one callable."""
    spelling = here.explicit("none") or here.default_spelling()
    ordinary: list[Pair] = []
    whole: list[Pair] = []
    cases = [
        (flavour in ORDINARY, case)
        for (flavour, *_), case in zip(PLAN, corpus(here.binding, dtype), strict=True)
    ]
    cases += [(False, case) for case in drawn(here.binding, dtype)]
    for usual, case in cases:
        inputs = {n: a for n, a in case.inputs.items() if n != "sample_weight"}
        found, _ = first(here, spelling, replace(case, inputs=inputs), others)
        if found is not None:
            whole.append(found[1])
            if usual:
                ordinary.append(found[1])
    if not whole:
        return
    to = whole[0].translation.there
    shared = {
        "function": here.binding.function,
        "from": f"{here.name}.{here.binding.name}",
        "to": f"{to.name}.{to.binding.name}",
        "dtype": dtype,
    }
    for of in ("", *here.function.differentiable):
        for magnitudes, pairs in (("ordinary", ordinary), ("whole range", whole)):
            parts = [(pair, part) for pair in pairs for part in pair.parts if part.of == of]
            if parts:
                result = f"gradient by {of}" if of else "value"
                yield {**shared, "result": result, "magnitudes": magnitudes, **_row(parts)}


def _row(parts: Sequence[tuple[Pair, Part]]) -> dict[str, Any]:
    a = np.concatenate([part.here.ravel() for _, part in parts])
    b = np.concatenate([part.there.ravel() for _, part in parts])
    differs = np.concatenate([part.differs.ravel() for _, part in parts])
    with np.errstate(all="ignore"):
        distance = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0, np.abs(a - b))
        size = np.abs(b)
    never = ~np.isfinite(distance)
    rtol, atol = smallest(distance[~never], size[~never])
    hidden = {
        f"hidden_{habit:g}": int(np.sum(differs & ~never & (distance <= habit + habit * size)))
        for habit in HABITS
    }
    alarms = int(np.sum(~differs & (distance > HABITS[0] + HABITS[0] * size)))
    return {
        "results": a.size,
        "rtol": rtol,
        "atol": atol,
        "never": int(never.sum()),
        **hidden,
        f"alarms_{HABITS[0]:g}": alarms,
        "why": _why(parts) if differs.any() else "",
    }


def smallest(distance: Array, size: Array) -> tuple[float, float]:
    """The smallest rtol that covers distances with an atol no larger than it, and that atol.

    Both are 1, 2 or 5 times a power of ten, or 0.
    """
    if not distance.size or not distance.any():
        return 0.0, 0.0
    rtol = round_up(float(np.max(distance / (1 + size))))
    rest = float(np.max(distance - rtol * size))
    return rtol, round_up(rest) if rest > 0 else 0.0


def round_up(number: float) -> float:
    """The next of 1, 2 and 5 times a power of ten, as one would type it."""
    if number == 0:
        return 0.0
    exponent = int(np.floor(np.log10(number)))
    for step in (exponent, exponent + 1):
        for digit in (1, 2, 5):
            made = float(f"{digit}e{step}")
            if made >= number:
                return made
    return float(f"1e{exponent + 2}")


def _why(parts: Sequence[tuple[Pair, Part]]) -> str:
    """What makes results differ: parameters that cannot be the same, and recorded divergences."""
    said: dict[str, None] = {}
    for pair, part in parts:
        if part.differs.any():
            said.update(dict.fromkeys(left_over(pair.translation)))
            said.update({f"[{r[1:].partition(chr(93))[0]}]": None for r in records_of(pair, part)})
    return "; ".join(sorted(said))
