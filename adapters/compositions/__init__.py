"""What people write where a framework has no callable for a function: one module a framework.

They are rows like bindings (:func:`~..interface.compose`), and are verified like them, but belong to
no surface and to no run: ``nnconform explain`` shows them. Imports no framework.
"""

from __future__ import annotations

from ...reference.floats import DTYPES
from ...reference.function import between

#: γ of focal losses from 1: (1 − p)ᵞ of a lower one is infinitely steep at p = 1
FOCUS = between(1, 5, 2.0, 1.0)
#: b of squareplus that leave it a slope at 0
CURVED = between(0, 16, 4.0, 1.0, 0.25, open_low=True)
#: β of smooth_l1 that leave it a parabola
SLOPED = between(0, 100, 1.0, 0.5, 2.0, open_low=True)
#: eps of distances that keep them from 0, where a root is infinitely steep
APART = between(0, 0.01, 1e-6, open_low=True)
#: eps of cosines that keep lengths from 0
FLOORED = between(0, 4, 1e-8, 1e-3, 4.0, open_low=True)
#: classes along the last axis
LAST = {"axis": -1}

#: added to squared lengths
COSINE_EPSILON = {"epsilon": 1e-12}

EVERY = " ".join(DTYPES)
#: where float16 overflows on the way, or has no such small number
BUT_FLOAT16 = "bfloat16 float32 float64"
#: where 16 bits are too few: 1 − 1e-7 is 1 there
WIDE = "float32 float64"
