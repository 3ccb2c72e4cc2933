"""What the certificate proved of the oracle (docs/certificate.md): its own error in float64."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

CERTIFICATE = Path(__file__).with_name("certificate.csv")


@cache
def _errors() -> dict[tuple[str, str], float]:
    with CERTIFICATE.open(encoding="utf-8", newline="") as lines:
        return {
            (row["function"], row["aspect"]): float(row["error"])
            for row in csv.DictReader(lines)
            if row["precision"] == "float64"
        }


def certified_error(function: str, aspect: str) -> float:
    """The largest error that ``nnconform certify`` found in the float64 oracle, in units of u·scale.

    ``aspect`` is ``value`` or ``gradient``. Raises ValueError for a function without a certificate.
    """
    try:
        return _errors()[function, aspect]
    except KeyError:
        raise ValueError(
            f"{function} has no certificate; run: nnconform certify {function}"
        ) from None
