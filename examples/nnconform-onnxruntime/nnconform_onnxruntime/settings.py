"""What the models say and where they run: known without ONNX Runtime being imported."""

from __future__ import annotations

import os

#: the version of ai.onnx in models, unless the variable says another: the first that has Swish
OPSET, VARIABLE = 24, "NNCONFORM_ONNX_OPSET"
#: the first in which softmax is taken along one axis
OLDEST = 13
#: what models say of their format, which any runtime that knows the opset reads
IR_VERSION = 10
PROVIDER = "CPUExecutionProvider"


def stated() -> str:
    """What is said of the opset, right or wrong."""
    return os.environ.get(VARIABLE, str(OPSET))


def opset() -> int:
    """The version of ai.onnx that models state. Raises ValueError for a variable that states none."""
    if not stated().isdecimal() or int(stated()) < OLDEST:
        raise ValueError(f"{VARIABLE} is {stated()!r}; accepted are whole numbers from {OLDEST}")
    return int(stated())
