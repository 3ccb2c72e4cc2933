"""Where the numbers of a case come from: the corpus' counter-based generator, or Hypothesis.

Both answer the same few questions, so that one builder (:mod:`.cases`) serves both. The corpus
draws from Philox' raw words, whose stream NumPy guarantees, and makes every number from those
words itself, by additions, products and powers of two, which round alike everywhere: the same bits
in every environment.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from typing import Any, Literal, Protocol

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ..reference.floats import Float
from ..reference.function import Domain

Range = tuple[float, float]


class Source(Protocol):
    """What :mod:`.cases` asks of a source of numbers."""

    #: how many times the usual first dimension
    size: int

    def integer(self, low: int, high: int) -> int: ...

    def choice(self, options: Sequence[Any]) -> Any: ...

    def parameter(self, domain: Domain, default: Any) -> Any: ...

    def integers(self, shape: tuple[int, ...], low: int, high: int) -> np.ndarray: ...

    def floats(
        self, shape: tuple[int, ...], within: Range, kind: Float, smallest: float = 0.0
    ) -> np.ndarray: ...


class Corpus:
    """Deterministic numbers for one case of the corpus, from its name alone.

    ``flavour`` says what magnitudes look like: ``ordinary`` (a few units), ``lattice`` (quarters,
    so that zeros, ties and kinks are met exactly), ``wide`` (log-uniform over the range),
    ``mixed``. ``params`` says whether parameters are at their ``default``, at the ``other`` end of
    what is usual, or ``drawn``.
    """

    def __init__(self, name: str, flavour: str, params: str = "default", size: int = 1) -> None:
        self.flavour = flavour
        self.params = params
        self.size = size
        self._bits = np.random.Philox(key=zlib.crc32(name.encode()))

    def _uniform(self, count: int) -> np.ndarray:
        """Numbers in [0, 1) with 53 random bits."""
        words = self._bits.random_raw(count) if count else np.zeros(0, np.uint64)
        return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def integer(self, low: int, high: int) -> int:
        return low + int(self._uniform(1)[0] * (high - low + 1))

    def choice(self, options: Sequence[Any]) -> Any:
        return options[self.integer(0, len(options) - 1)]

    def parameter(self, domain: Domain, default: Any) -> Any:
        if self.params == "default":
            return default
        if self.params == "other" and domain.values:
            return domain.values[-1]
        if domain.values and (domain.name == "choice" or self.integer(0, 2)):
            return self.choice(domain.values)
        if domain.name == "integer":
            return self.integer(int(domain.low), int(domain.high))
        low, high = max(domain.low, -8.0), min(domain.high, 8.0)
        return round(low + (high - low) * (1 + float(self._uniform(1)[0])) / 2, 3)

    def integers(self, shape: tuple[int, ...], low: int, high: int) -> np.ndarray:
        drawn = self._uniform(int(np.prod(shape))) * (high - low + 1)
        return (low + drawn.astype(np.int64)).reshape(shape)

    def floats(
        self, shape: tuple[int, ...], within: Range, kind: Float, smallest: float = 0.0
    ) -> np.ndarray:
        count = int(np.prod(shape))
        low, high = within
        choose, a, b, sign = (self._uniform(count) for _ in range(4))
        unit = low == 0 and high == 1
        if unit:
            ordinary, lattice = a, np.round(a * 4) / 4
            small = _scaled(1 + sign, np.ceil(exponent_of(kind.tiny) * a) - 1)
            wide = np.where(b < 0.5, small, 1 - kind.u * _scaled(1 + sign, np.floor(8 * a)))
        else:
            ordinary = (a + b - 1) * 6  # triangular: no transcendental function, same bits anywhere
            lattice = np.where(b < 1 / 8, 0, np.round((a - 0.5) * 32) / 4)
            top = max(abs(low), abs(high))
            bottom = exponent_of(max(smallest, kind.tiny)) + 1
            span = exponent_of(top) - bottom
            wide = _scaled(1 + b, bottom + np.floor(span * a)) * np.where(sign < 0.5, -1, 1)
            if low >= 0:
                ordinary, lattice, wide = np.abs(ordinary), np.abs(lattice), np.abs(wide)
            elif high <= 0:
                ordinary, lattice, wide = -np.abs(ordinary), -np.abs(lattice), -np.abs(wide)
        if self.flavour == "mixed":
            values = np.select([choose < 0.5, choose < 0.75], [ordinary, lattice], wide)
        else:
            values = {"ordinary": ordinary, "lattice": lattice, "wide": wide}[self.flavour]
        return fit(values.reshape(shape), within, kind, smallest)


class Search:
    """Numbers that Hypothesis draws, and shrinks."""

    size = 1

    def __init__(self, draw: Any) -> None:
        self._draw = draw

    def integer(self, low: int, high: int) -> int:
        return self._draw(st.integers(low, high))

    def choice(self, options: Sequence[Any]) -> Any:
        return self._draw(st.sampled_from(options))

    def parameter(self, domain: Domain, default: Any) -> Any:
        if domain.name == "choice":
            return self._draw(st.sampled_from((default, *domain.values)))
        if domain.name == "integer":
            usual = st.sampled_from((default, *domain.values))
            return self._draw(usual | st.integers(int(domain.low), int(domain.high)))
        low, high = _width_16(max(domain.low, -1e3), 1), _width_16(min(domain.high, 1e3), -1)
        numbers = st.floats(
            low,
            high,
            exclude_min=domain.open_low and domain.low == low,
            width=16,
            allow_subnormal=False,
        )
        return self._draw(st.sampled_from((default, *domain.values)) | numbers)

    def integers(self, shape: tuple[int, ...], low: int, high: int) -> np.ndarray:
        return self._draw(hnp.arrays(np.int64, shape, elements=st.integers(low, high)))

    def floats(
        self, shape: tuple[int, ...], within: Range, kind: Float, smallest: float = 0.0
    ) -> np.ndarray:
        widths: dict[str, Literal[16, 32, 64]] = {"float16": 16, "float64": 64}
        width = widths.get(kind.name, 32)
        low, high = (float(np.float32(v)) if width < 64 else v for v in within)
        elements = st.floats(low, high, width=width, allow_nan=False, allow_subnormal=False)
        drawn = self._draw(hnp.arrays(np.float64, shape, elements=elements))
        return fit(drawn, within, kind, smallest)


def exponent_of(number: float) -> int:
    """⌊log₂ number⌋, exactly."""
    return math.frexp(number)[1] - 1


def _scaled(numbers: np.ndarray, exponents: np.ndarray) -> np.ndarray:
    """numbers · 2^exponents."""
    return np.ldexp(numbers, exponents.astype(int))


def _width_16(bound: float, inward: int) -> float:
    """A bound of 16 bits: the bound itself, or the nearest number on the ``inward`` side of it."""
    rounded = np.float16(bound)
    if (float(rounded) - bound) * inward < 0:
        rounded = np.nextafter(rounded, np.float16(inward * np.inf))
    return float(rounded)


def fit(values: np.ndarray, within: Range, kind: Float, smallest: float = 0.0) -> np.ndarray:
    """Rounded to the dtype, inside the range, and 0 rather than smaller than ``smallest``.

    Subnormals are an aspect of their own.
    """
    rounded = kind.rounded(np.clip(values, *within))
    small = np.abs(rounded.astype(np.float64)) < max(smallest, kind.tiny)
    return np.where(small, np.zeros_like(rounded), rounded)
