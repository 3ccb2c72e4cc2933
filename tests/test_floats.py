"""Rounding to the dtypes under test: every number, tie and neighbour of a tie, against exact arithmetic."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nnconform.reference.floats import DTYPES, Float, float_of

Array = np.ndarray
#: significand bits, and the exponents of the smallest and of the largest normal number
FORMATS = {
    "float16": (11, -14, 15),
    "bfloat16": (8, -126, 127),
    "float32": (24, -126, 127),
    "float64": (53, -1022, 1023),
}
narrow = pytest.mark.parametrize("name", ["float16", "bfloat16"])
WIDTHS: tuple[Any, ...] = (np.float32, np.float64, np.longdouble)
each_width = pytest.mark.parametrize("width", WIDTHS)


# -- 16 bits, exhaustively -------------------------------------------------------------------------------


def infinity(name: str) -> int:
    """The bit pattern of ∞; those below it are the finite numbers, in their order."""
    bits, lowest, highest = FORMATS[name]
    return (highest - lowest + 2) << (bits - 1)


def numbers(name: str, patterns: Array | None = None) -> Array:
    """What bit patterns (all, from 0 to ∞) mean; ∞ is taken for the number that would follow."""
    bits, lowest, _ = FORMATS[name]
    patterns = np.arange(infinity(name) + 1) if patterns is None else patterns
    hidden = 2 ** (bits - 1)
    field, fraction = np.divmod(patterns, hidden)
    significand = np.where(field == 0, fraction, fraction + hidden)
    exponent = np.maximum(field, 1) + lowest - bits
    return np.ldexp(significand.astype(np.longdouble), exponent.astype(np.int32))


def nearest(name: str, x: Array) -> Array:
    """The bit patterns of what is nearest to x, ties to even, by comparisons without rounding."""
    wide = np.result_type(x, np.float64)
    own = numbers(name).astype(wide)
    middle = (own[:-1] + own[1:]) / 2  # one bit more than the numbers: exact
    size = np.abs(x).astype(wide)
    below = np.searchsorted(middle, size, side="left")  # how many midpoints are below x …
    tie = np.searchsorted(middle, size, side="right") > below  # … and whether one is x
    return (below + (tie & (below % 2 == 1))) | np.where(np.signbit(x), 0x8000, 0)


def beside(x: Array) -> Array:
    """Numbers and their neighbours on both sides in their own dtype, all with both signs."""
    with np.errstate(over="ignore"):
        up, down = (np.nextafter(x, x.dtype.type(to)) for to in (np.inf, -np.inf))
    assert (np.isinf(x) | (down < x) & (x < up)).all()
    around = np.concatenate([down, x, up])
    return np.concatenate([around, -around])


def points(name: str, width: Any) -> Array:
    """Every number of a dtype, every midpoint, what is far out, and all their neighbours."""
    own = numbers(name)
    info = np.finfo(width)
    extremes = [info.max, info.max / 2, info.smallest_normal, info.smallest_subnormal, np.inf]
    middle = (own[:-1] + own[1:]) / 2
    below = own[1] * np.array([2.0**-3, 2.0**-2, 2.0**-1])
    inside = np.concatenate([own[:-1], middle, below]).astype(width)
    return beside(np.concatenate([inside, np.array(extremes, width)]))


def bits_of(array: Array) -> Array:
    return array.view(np.uint16).astype(np.int64)


@narrow
def test_what_bit_patterns_mean(name: str) -> None:
    kind, own = float_of(name), numbers(name)
    made = np.arange(len(own), dtype=np.uint16).view(kind.dtype).astype(np.float64)
    assert np.array_equal(made[:-1], own[:-1])
    assert made[-1] == np.inf
    assert own[-2] == kind.largest
    assert own[1] == kind.smallest_subnormal


@narrow
def test_all_bit_patterns_stay(name: str) -> None:
    kind = float_of(name)
    patterns = np.arange(1 << 16)
    every = patterns.astype(np.uint16).view(kind.dtype)
    number = patterns % 0x8000 <= infinity(name)
    for width in (kind.dtype, *WIDTHS):
        with np.errstate(invalid="ignore"):  # signalling NaNs
            got = kind.rounded(every.astype(width))
        assert got.dtype == kind.dtype
        assert np.array_equal(bits_of(got)[number], patterns[number])
        assert (bits_of(got)[~number] % 0x8000 > infinity(name)).all()  # NaN, of whatever payload


@narrow
@each_width
def test_numbers_ties_and_their_neighbours(name: str, width: Any) -> None:
    x = points(name, width)
    assert np.array_equal(bits_of(float_of(name).rounded(x)), nearest(name, x))


@pytest.mark.parametrize("name", DTYPES)
def test_ties_go_to_even_and_their_neighbours_do_not(name: str) -> None:
    """Without a search: the k-th midpoint is between the bit patterns k and k + 1.

    All of them for 16 bits; of wider dtypes the first, the last and random ones.
    """
    kind, last = float_of(name), infinity(name) - 1
    if last < 1 << 16:
        k = np.arange(last + 1)
    else:
        k = np.append(np.random.default_rng(0).integers(0, last, 1 << 16), [0, 1, last - 1, last])
    word = np.dtype(f"i{kind.dtype.itemsize}")
    for width in WIDTHS:
        if np.finfo(width).nmant < FORMATS[name][0]:
            continue  # has no midpoints of this dtype
        middle = ((numbers(name, k) + numbers(name, k + 1)) / 2).astype(width)
        up, down = (np.nextafter(middle, width(to)) for to in (np.inf, 0))
        for x, pattern in ((middle, k + k % 2), (up, k + 1), (down, k)):
            assert np.array_equal(kind.rounded(x).view(word), pattern)
            negative = kind.rounded(-x)
            assert np.array_equal((-negative).view(word), pattern)


@narrow
def test_random_numbers_of_any_magnitude(name: str) -> None:
    words = np.random.default_rng(0).integers(0, 2**64, 1 << 18, np.uint64)
    _, lowest, highest = FORMATS[name]
    within = np.ldexp(
        1 + words / 2.0**64, (words % (highest - lowest + 16)).astype(int) + lowest - 14
    )
    x = words.view(np.float64)
    x = np.concatenate([x[~np.isnan(x)], within])
    assert np.array_equal(bits_of(float_of(name).rounded(x)), nearest(name, x))


@pytest.mark.parametrize(
    ("name", "width"),
    [("bfloat16", np.float64), ("bfloat16", np.longdouble), ("float16", np.longdouble)],
)
def test_the_library_cast_rounds_twice(name: str, width: Any) -> None:
    """Why :meth:`Float.rounded` is more than a cast; skipped where a library has learnt better."""
    x, kind = points(name, width), float_of(name)
    right = nearest(name, x)
    with np.errstate(over="ignore"):
        cast = bits_of(x.astype(kind.dtype))
    assert np.array_equal(bits_of(kind.rounded(x)), right)
    if np.array_equal(cast, right):
        pytest.skip(f"{np.dtype(width).name} to {name}: the cast rounds once here")


def test_a_number_beside_a_tie() -> None:
    bfloat16, float16 = float_of("bfloat16"), float_of("float16")
    assert bfloat16.round(1 + 2**-8) == 1
    assert bfloat16.round(1 + 2**-8 + 2**-40) == 1 + 2**-7
    assert bfloat16.round(1 + 3 * 2**-8 - 2**-40) == 1 + 2**-7
    beyond = np.nextafter(np.longdouble(1 + 2**-11), np.longdouble(2))
    assert float16.rounded(beyond) == 1 + 2**-10


# -- every dtype, against fractions ----------------------------------------------------------------------


def exactly(x: Any) -> Fraction:
    return Fraction(*x.as_integer_ratio())


def expected(name: str, x: Fraction) -> Fraction | None:
    """What is nearest to x, ties to even; None for ∞."""
    bits, lowest, highest = FORMATS[name]
    size = abs(x)
    exponent = size.numerator.bit_length() - size.denominator.bit_length()
    exponent -= size < Fraction(2) ** exponent  # 2**exponent ≤ size < 2**(exponent + 1)
    unit = Fraction(2) ** (max(exponent, lowest) - bits + 1)
    rounded = round(x / unit) * unit  # Python rounds a fraction half to even
    return rounded if abs(rounded) < Fraction(2) ** (highest + 1) else None


@st.composite
def ties(draw: Any) -> tuple[str, Any]:
    """A dtype, and a midpoint of two of its numbers, or a neighbour of that, in some width."""
    name = draw(st.sampled_from(DTYPES))
    width = draw(st.sampled_from(WIDTHS))
    bits, lowest, highest = FORMATS[name]
    between = 2 * draw(st.integers(0, 2**bits - 1)) + 1
    power = draw(st.integers(lowest - bits, highest + 1 - bits))
    with np.errstate(over="ignore"):
        x = np.ldexp(np.longdouble(between), power).astype(width)
    towards = draw(st.sampled_from((-np.inf, 0, np.inf)))
    x = np.nextafter(x, width(towards)) if towards else x
    return name, x if draw(st.booleans()) else -x


def check(kind: Float, x: Any) -> None:
    got = kind.rounded(np.asarray(x))
    assert got.dtype == kind.dtype
    assert got.shape == ()
    assert np.signbit(got) == np.signbit(x)
    if np.isinf(x):
        assert got == x
        return
    want = expected(kind.name, exactly(x))
    assert np.isinf(got) if want is None else np.isfinite(got)
    if want is not None:
        assert exactly(got.astype(np.float64)[()]) == want


@given(ties())
def test_beside_ties(drawn: tuple[str, Any]) -> None:
    name, x = drawn
    check(float_of(name), x)


@given(st.sampled_from(DTYPES), st.integers(0, 2**64 - 1), st.integers(-1140, 1040))
@example("float32", 2**64 - 1, 63)
@example("float32", 0, 0)
def test_sixty_four_random_bits(name: str, significand: int, power: int) -> None:
    """Where longdouble is no wider than float64, NumPy rounds the 64 bits first."""
    with np.errstate(over="ignore", under="ignore"):
        check(float_of(name), np.ldexp(np.longdouble(significand), power - 63))


# -- shapes and special numbers --------------------------------------------------------------------------


@pytest.mark.parametrize("name", DTYPES)
@each_width
def test_special_numbers_stay(name: str, width: Any) -> None:
    x = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, -np.nan], width)
    got = float_of(name).rounded(x).astype(np.float64)
    assert np.array_equal(got, x, equal_nan=True)
    assert np.array_equal(np.signbit(got), np.signbit(x))


@pytest.mark.parametrize("name", DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (2, 0), (3, 4)])
def test_shapes_stay_and_the_argument_too(name: str, shape: tuple[int, ...]) -> None:
    for width in WIDTHS:
        x = np.full(shape, np.pi, width).T
        got = float_of(name).rounded(x)
        assert isinstance(got, np.ndarray)
        assert got.shape == x.shape
        assert (x == width(np.pi)).all()
        assert not np.shares_memory(got, x)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", DTYPES)
def test_overflow_is_silent(name: str) -> None:
    kind = float_of(name)
    assert kind.rounded(np.array(np.finfo(np.longdouble).max)) == (
        np.inf if np.finfo(np.longdouble).max > kind.largest else kind.largest
    )
    assert kind.round(-1.7e308) == (-1.7e308 if name == "float64" else -np.inf)
