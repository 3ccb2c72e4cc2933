"""Rows of a table, made up: for tests of reports, which see tables alone."""

from __future__ import annotations

import math
from typing import Any

HOSTILE = [
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "[red]markup[/red] [link=https://evil.example]x[/link]",
    "a|b `c` ``d`` *e* __f__ [g](https://evil.example) &amp; {{ 7*7 }} {% raw %}",
    "quote \" and ' and , and ; and\ttab",
    "two\nlines\n\nand a blank one",
    "=1+1",
    "NA",
    "nan",
    "  spaces around  ",
    "Ünïcödé 🧪 ∞",
]


def row(**values: Any) -> dict[str, Any]:
    return {
        "function": "gelu",
        "kind": "activation",
        "framework": "torch",
        "surface": "torch.nn.functional",
        "callable": "gelu",
        "version": "2.13.0",
        "device": "cpu",
        "mode": "eager",
        "dtype": "float32",
        "aspect": "value",
        "reduction": "none",
        "cases": 12,
        "points": 3456,
        "max_abs": 1.5e-7,
        "max_rel": 2.5e-7,
        "max_ulp": 3.0,
        "error": 2.0,
        "bound": 8.0,
        "tolerance": 1e-6,
        "verdict": "pass",
        "worst": '{"inputs": {"x": [0.5]}, "params": {}, "want": [0.25], "got": [0.26]}',
        "reproducer": "import torch\nprint(torch.tensor(0.5))",
        "note": "",
        **values,
    }


def rows() -> list[dict[str, Any]]:
    """A small run with every verdict and aspect in it."""
    return [
        row(),
        row(dtype="float64", error=0.5),
        row(dtype="float16", verdict="limited", error=40.0, note="1 + erf(x) cancels"),
        row(dtype="bfloat16", verdict="unsupported", error=None, note="no kernel for 'BFloat16'"),
        row(aspect="gradient", verdict="known", error=1e5, note="[torch-tail] The tail is lost."),
        row(aspect="special", verdict="known", error=math.inf, note="[torch-nan] NaN in, 0 out."),
        row(aspect="invalid", note="raises TypeError: expected a tensor", error=None),
        row(surface="torch.nn", callable="GELU"),
        row(surface="torch.nn", callable="GELU", dtype="float16", verdict="fail", error=123.4),
        row(framework="keras", surface="keras.losses", function="huber", callable="Huber"),
    ]
