"""Hard points of a function, the same in every environment: where formulas go wrong.

Magnitudes from the smallest subnormal to the largest number, both signs; dense near every kink,
root, saturation and overflow; random bit patterns; rows that are widely spread, nearly equal, or
have one dominating element; every corner of a target's domain. All are float64 numbers.

Built from what the catalogue says of a function (kinds, shapes, domains, kinks), so that a new
function has them without more.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..reference.function import Domain, Function, Input

Array = np.ndarray
Block = tuple[dict[str, Array], dict[str, Any]]  # inputs, parameters

#: what only a dialect sets: the values that the adapters' bindings have
DIALECTS: dict[str, list[dict[str, Any]]] = {
    "binary_cross_entropy": [
        {"epsilon": 1e-7},
        {"epsilon": 1e-3},
        {"epsilon": 1.0},
        {"clip": (1e-7, 1 - 1e-7)},
        {"log_floor": -100.0},
        {"clip": (1e-7, 1 - 1e-7), "epsilon": 1e-7},
    ],
    "hinge": [{"labels": "bit"}],
    "categorical_cross_entropy": [
        {"normalize": True},
        {"normalize": True, "clip": (1e-7, 1 - 1e-7)},
        {"normalize": "after", "clip": (1e-7, 1 - 1e-7)},
        {"clip": (1e-7, 1 - 1e-7)},
    ],
    "kl_divergence": [
        {"clip": (1e-7, 1.0)},
        {"log_input": False},
        {"log_input": False, "clip": (1e-7, 1.0)},
    ],
    "cosine_embedding": [{"epsilon": 1e-12}],
    "squared_hinge": [{"labels": "bit"}],
    "binary_focal": [
        {"clip": (1e-7, 1 - 1e-7)},
        {"from_logits": True},
    ],
    "categorical_focal": [
        {"clip": (1e-7, 1 - 1e-7), "normalize": True},
        {"clip": (1e-7, 1 - 1e-7), "from_logits": True},
        {"normalize": True},
        {"from_logits": True},
    ],
    "tversky": [{"epsilon": 1e-7}, {"epsilon": 1e-7, "batch": True}],
    "dice": [{"epsilon": 1e-7}, {"epsilon": 1e-7, "batch": True}],
    "cosine_similarity": [{"negated": True}],
    "triplet_margin_with_distance": [{"p": 1.0, "eps": 0.0}],
}

#: encodings of a target that go with one value of a parameter
ENCODINGS = {
    (hinge, kind): {"labels": kind}
    for hinge in ("hinge", "squared_hinge")
    for kind in ("sign", "bit")
}

_INFO = np.finfo(np.float64)
#: where exponentials, and powers, of float64 and float32 numbers overflow, vanish or cease to matter
_LOGARITHMS = [
    np.log(float(x))
    for x in (_INFO.max, _INFO.tiny, _INFO.eps, np.finfo("f4").max, np.finfo("f4").eps)
]
#: numbers that no line goes without
_ENDS = np.array([s * v for v in (0.0, 5e-324, _INFO.tiny, _INFO.max) for s in (1, -1)])
_THRESHOLDS = [
    *(v * s for v in (*_LOGARITHMS, -745.1332191019412) for s in (1, 0.5, 2)),
    -727.0,  # whose exponential is subnormal, and the inverse of it overflows
    0.75 * float(_INFO.max),  # which cannot be doubled
    *(float(v) ** p for v in (_INFO.max, _INFO.tiny, _INFO.eps) for p in (1, 0.5, 1 / 3, 0.25)),
    5e-324,
    1.0,
]


class Bits:
    """Random numbers that no library may change: the raw words of Philox."""

    def __init__(self, name: str) -> None:
        seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
        self._philox = np.random.Philox(key=seed)

    def words(self, *shape: int) -> Array:
        count = int(np.prod(shape, dtype=int))
        return np.asarray(self._philox.random_raw(count), np.uint64).reshape(shape)

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Array:
        return low + (high - low) * ((self.words(*shape) >> np.uint64(11)) * 2.0**-53)

    def patterns(self, *shape: int) -> Array:
        """Any finite float64."""
        numbers = self.words(*shape).view(np.float64)
        return np.where(np.isfinite(numbers), numbers, 1.5)

    def choice(self, options: Sequence[Any] | Array, *shape: int) -> Array:
        return np.asarray(options)[(self.words(*shape) % np.uint64(len(options))).astype(int)]


def around(points: Sequence[float] | Array) -> Array:
    """Points, their nearest neighbours, and numbers at shrinking distances on both sides."""
    at = np.asarray(points, np.float64)[:, None]
    with np.errstate(over="ignore"):
        steps = np.array([0.5, 1, 2, 3, 8, 1000]) * np.spacing(np.abs(at))
    relative = np.abs(at) * 2.0 ** -np.arange(3, 53, 7.0)
    absolute = np.broadcast_to(2.0 ** -np.array([3, 10, 30, 60, 200, 1074.0]), (len(at), 6))
    distances = np.concatenate([0 * at, steps, relative, absolute], axis=1)
    with np.errstate(over="ignore"):
        found = np.concatenate([at - distances, at + distances]).ravel()
    return found[np.isfinite(found)]


def line(bits: Bits, special: Sequence[float], reduced: bool) -> Array:
    """Real numbers of every magnitude, thick where things happen."""
    exponents = np.arange(-1074, 1024, 150 if reduced else 23)
    many = 10 if reduced else 60
    parts = [
        np.ldexp(1.0, exponents),
        np.ldexp(bits.uniform(len(exponents), low=1.0, high=2.0), exponents),
        np.abs(bits.patterns(2 * many)),
        *(bits.uniform(many, high=h) for h in (1.0, 8.0, 40.0, 760.0)),
        np.abs(np.asarray(_THRESHOLDS)) if reduced else np.abs(around(_THRESHOLDS)),
        [_INFO.max, np.nextafter(_INFO.max, 0), 0.0],
    ]
    sizes = np.concatenate(parts)
    return np.unique(np.concatenate([sizes, -sizes, around(special) if len(special) else []]))


#: a few numbers of each kind, for the inputs that stand beside the one that varies
CORNERS: dict[str, list[float]] = {
    "real": [0.0, 1.0, -2.5, 0.7, 1e-8, -700.0, 1e200],
    "logits": [0.0, -2.5, 0.7, 40.0],
    "probability": [0.0, 5e-324, 1e-9, 0.25, 0.5, 0.7, 1 - 2.0**-53, 1.0],
    "log_probability": [-0.0, -1e-9, -0.7, -40.0, -800.0],
    "positive": [1e-9, 1.0, 2.7, 1e6],
    "count": [0.0, 0.5, 1.0, 1.5, 2.0, 30.0, 1e15],
    "weight": [0.0, 0.3, 2.0],
    "sign": [-1.0, 1.0],
    "bit": [0.0, 1.0],
    "slope": [0.25, -0.5, 0.0, 1.3],
}


def within(kind: str, numbers: Array) -> Array:
    """Numbers mapped into a kind's domain; those that would not be of interest are left out."""
    sizes = np.unique(np.abs(numbers))
    if kind in ("probability", "distribution"):
        small = sizes[sizes <= 1]
        return np.unique(np.concatenate([small, 1 - small, around([0.5])]))
    if kind == "log_probability":
        return -sizes
    if kind == "positive":
        return sizes[sizes > 0]
    if kind == "count":
        return np.unique(np.concatenate([sizes[sizes <= 2.0**60][::2], np.arange(40.0)]))
    if kind in ("sign", "bit", "weight", "slope"):
        return np.array(CORNERS[kind])
    return numbers


# -- parameters -----------------------------------------------------------------------------------


def parameters(function: Function, bits: Bits, reduced: bool) -> Iterator[dict[str, Any]]:
    """Parameter sets: the defaults, each usual value in turn, some drawn, and each dialect."""
    free = {
        p.name: p.domain
        for p in function.parameters.values()
        if p.domain.name not in ("axis", "dialect")
    }
    seen: list[dict[str, Any]] = []
    sets: list[dict[str, Any]] = [{}]
    sets += [{name: value} for name, d in free.items() for value in _usual(d)]
    drawn = [
        {name: _drawn(d, bits) for name, d in free.items()} for _ in range(1 if reduced else 3)
    ]
    if reduced:
        sets = sets[:1] + [s for s in sets[1:] if isinstance(next(iter(s.values())), (bool, str))]
    sets += drawn if free else []
    sets += DIALECTS.get(function.name, [])
    if free and DIALECTS.get(function.name):
        sets += [{**drawn[0], **DIALECTS[function.name][0]}]
    for params in sets:
        if params not in seen:
            seen.append(params)
            yield params


def _usual(domain: Domain) -> list[Any]:
    as_type = float if domain.name == "interval" else lambda v: v
    values = [as_type(v) for v in domain.values]
    if domain.name == "interval":
        values += [as_type(v) for v in (domain.high, *[domain.low] * (not domain.open_low))]
    return values


def _drawn(domain: Domain, bits: Bits) -> Any:
    if domain.name == "interval":
        low = max(domain.low, 1e-3 * domain.high) if domain.open_low else domain.low
        return float(bits.uniform(1, low=low, high=min(domain.high, 8.0))[0])
    if domain.name == "integer":
        return int(bits.choice(range(int(max(domain.low, 0)), int(domain.high) + 1), 1)[0])
    return bits.choice(domain.values, 1).tolist()[0]


# -- blocks ---------------------------------------------------------------------------------------


def hard_points(function: Function, reduced: bool = False) -> Iterator[Block]:
    """Blocks of points: inputs of one call, and its parameters."""
    bits = Bits(function.name)
    for params in parameters(function, bits, reduced):
        for kinds in _encodings(function, function.defaults() | params):
            extra = ENCODINGS.get((function.name, kinds.get("target", "")), {})
            if any(params.get(n, v) != v for n, v in extra.items()):
                continue
            given = {**params, **extra}
            shapes = {s.shape for s in function.inputs.values()}
            if shapes == {"S"} and not function.coupled:
                yield from _elementwise(function, kinds, given, bits, reduced)
            else:
                yield from _rows(function, kinds, given, bits, reduced)


def _encodings(function: Function, params: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """Every choice of a kind for each input that must be there."""
    facts = function.facts.get("kind_of", {})
    options = [
        [(s.name, facts[s.name](params))] if s.name in facts else [(s.name, k) for k in s.kinds]
        for s in function.inputs.values()
    ]
    yield from map(dict, itertools.product(*options))


def _special(function: Function, name: str, params: Mapping[str, Any]) -> list[float]:
    """Numbers at which an input may matter: kinks, and the parameters themselves."""
    defaults = function.defaults() | dict(params)
    kinks = function.kink_points(**defaults).get(name, [])
    numbers = [v for v in defaults.values() if isinstance(v, float) and np.isfinite(v)]
    numbers += [v for pair in defaults.values() if isinstance(pair, tuple) for v in pair]
    return sorted({0.0, *map(float, kinks), *numbers, *(-v for v in numbers)})


def _elementwise(
    function: Function, kinds: Mapping[str, str], params: dict[str, Any], bits: Bits, reduced: bool
) -> Iterator[Block]:
    names = [n for n, s in function.inputs.items() if not s.optional]
    optional = [n for n, s in function.inputs.items() if s.optional]
    lines = {}
    for n in names:
        numbers = line(bits, _special(function, n, params), reduced)
        lines[n] = within(kinds[n], numbers)
    columns: list[dict[str, Array]] = []
    for n in names:
        others = [m for m in names if m != n]
        if len(lines[n]) <= 8 and others:
            continue
        every = (1, 3, 3) if reduced else (1, 8, 64)  # beside none, one or two other inputs
        thin = lines[n][:: every[min(len(others), 2)]]
        thin = np.unique(np.concatenate([thin, within(kinds[n], _ENDS)]))
        corners = [_corners(kinds[m], _special(function, m, params), reduced) for m in others]
        for beside in itertools.product(*corners):
            at = dict(zip(others, beside, strict=True))
            found = thin
            if not reduced or not columns:
                found = np.concatenate(
                    [thin, within_same(kinds[n], _turns(function, n, thin, at, params))]
                )
            columns.append({m: np.full(len(found), at[m]) if m in at else found for m in names})
    if len(names) > 1:
        columns += _pairs(names, kinds, lines, bits, 60 if reduced else 400)
    merged = {n: np.concatenate([c[n] for c in columns]) for n in names}
    yield merged, params
    for present in [optional[: i + 1] for i in range(len(optional))]:
        some = {n: v[:: 17 if reduced else 7] for n, v in merged.items()}
        size = len(some[names[0]])
        yield {**some, **{n: bits.choice([0.0, 0.3, 1.0, 2.0], size) for n in present}}, params


def within_same(kind: str, numbers: Array) -> Array:
    return numbers if kind in ("real", "logits", "feature", "factor") else within(kind, numbers)


def _corners(kind: str, special: list[float], reduced: bool) -> list[float]:
    corners = CORNERS[kind]
    if kind in ("real", "positive") and len(special) > 1:
        corners = corners[:5] + [v for v in special if kind == "real" or v > 0][:2]
    return corners[::3] if reduced and len(corners) > 4 else corners


def _pairs(
    names: list[str], kinds: Mapping[str, str], lines: Mapping[str, Array], bits: Bits, count: int
) -> list[dict[str, Array]]:
    """Numbers of any two magnitudes together, and nearly equal ones."""
    mixed = {n: bits.choice(lines[n], count) for n in names}
    like = [n for n in names if kinds[n] == kinds[names[0]]]
    near = {n: bits.choice(lines[n], count) for n in names}
    if len(like) > 1:
        base = near[names[0]]
        steps = bits.choice([-3.0, -1.0, 0.0, 1.0, 2.0, 1e3, 1e8], count)
        with np.errstate(all="ignore"):
            other = base + steps * np.spacing(np.abs(base))
        other = np.where(np.isfinite(other), other, base)
        near[like[1]] = np.where(np.isin(other, within_same(kinds[like[1]], other)), other, base)
    return [mixed, near]


def _turns(
    function: Function, name: str, xs: Array, at: Mapping[str, float], params: dict[str, Any]
) -> Array:
    """Where value or derivative change their sign, overflow, become subnormal or vanish, and the
    numbers around: found by bisection of the oracle itself in its widest precision."""
    arguments = {**function.defaults(), **params}

    def states(x: Array) -> Array:
        wide = {n: np.full(len(x), v, np.longdouble) for n, v in at.items()}
        wide[name] = x.astype(np.longdouble)
        ordered = {n: wide[n] for n in function.inputs if n in wide}
        value = function(**ordered, **arguments)
        slope = function.gradients(np.ones_like(value), **ordered, **arguments).get(name, value)
        with np.errstate(all="ignore"):
            return np.stack([_state(v.astype(np.float64)) for v in (value, slope)])

    found = []
    here = states(xs)
    for k in range(2):
        changes = np.flatnonzero(here[k][1:] != here[k][:-1])[:40]
        low, high = xs[changes], xs[changes + 1]
        left = here[k][changes]
        for _ in range(1100 if len(changes) else 0):
            middle = low / 2 + high / 2
            done = (middle <= low) | (middle >= high)
            if done.all():
                break
            same = states(np.where(done, low, middle))[k] == left
            low, high = np.where(~done & same, middle, low), np.where(~done & ~same, middle, high)
        found.append(low)
    turns = np.unique(np.concatenate(found))
    return around(turns[:: 1 + len(turns) // 20]) if len(turns) else np.zeros(0)


def _state(value: Array) -> Array:
    size = np.abs(value)
    return np.sign(value) * (1.0 + (size >= _INFO.tiny) + np.isinf(size)) + 10 * np.isnan(value)


# -- rows -----------------------------------------------------------------------------------------


def rows_of(bits: Bits, width: int, reduced: bool) -> Array:
    """Rows of real numbers: tied, nearly equal, widely spread, dominated, of every magnitude."""
    many = 4 if reduced else 24
    spreads = [1e-300, 1e-8, 1.0, 30.0, 700.0, 1e4, 1e20, 1e300]
    base = bits.choice([0.1, 1.0, -3.7, 700.0, -745.0, 2e4, 1e-300, 1e17, -1e300], many, 1)
    steps = bits.choice([0.0, 1.0, -1.0, 3.0, 1e5], many, width)
    above = np.where(np.arange(width) == (np.arange(many) % width)[:, None], 1.0, 0.0)
    heights = bits.choice([1.0, 20.0, 37.0, 100.0, 700.0, 740.0, 1e3, 1e5], many, 1)
    parts = [
        np.zeros((1, width)),
        *(s * bits.uniform(many // 2, width, low=-1.0) for s in spreads),
        base + steps * np.spacing(np.abs(base)),
        heights * above + bits.uniform(many, width, low=-1.0),
        -heights * above + bits.uniform(many, width, low=-1.0),
        -np.log(width)
        + bits.uniform(many, width, low=-1.0) * bits.choice([1e-3, 1e-9, 1e-16], many, 1),
        bits.uniform(many, width, low=-745.0, high=0.0) + bits.choice([0.0, 745.0, 1e3], many, 1),
        bits.patterns(many, width),
        bits.choice([_INFO.max, -_INFO.max, 5e-324, -5e-324, 0.0, 1.0, _INFO.tiny], many, width),
        np.where(
            above == 1,
            bits.choice([0.0, 1e-9, -1e-20, 1e-300], many, 1),
            bits.uniform(many, width) - bits.choice([20.0, 37.0, 60.0, 700.0], many, 1),
        ),
    ]
    return np.concatenate(parts)


def distributions(bits: Bits, rows: Array) -> Array:
    """Rows of probabilities: softmax of other rows, rounded, and the corners of the simplex."""
    with np.errstate(all="ignore"):
        e = np.exp(rows - rows.max(axis=1, keepdims=True))
        shares = e / e.sum(axis=1, keepdims=True)
    shares = np.where(np.isfinite(shares), shares, 1 / rows.shape[1])
    corners = np.eye(rows.shape[1])[np.arange(len(rows)) % rows.shape[1]]
    return np.where((np.arange(len(rows)) % 5 == 0)[:, None], corners, shares)


def _rows(
    function: Function, kinds: Mapping[str, str], params: dict[str, Any], bits: Bits, reduced: bool
) -> Iterator[Block]:
    first = next(iter(function.inputs.values()))
    shape = first.shape.split()
    widths = [3] if reduced else [3, 1, 5]
    if "P" in shape or "T" in shape:
        widths = [3]
    if "D" in shape and not reduced:
        widths = [3] if "N" in function.coupled else [1, 3]
    if "G" in shape:
        widths = [params.get("groups", 2) * n for n in (1, 2)]
    if function.facts.get("even"):
        widths = [2 * w for w in widths]
    if "C" in shape:
        widths = [w for w in widths if w > 1]
    optional = [n for n, s in function.inputs.items() if s.optional]
    for width in widths:
        for present in ([], optional) if optional else ([],):
            base = rows_of(bits, width, reduced or bool(params) or bool(present))
            if "T" in shape:
                yield from _sequences(function, kinds, params, bits, base)
                continue
            clusters = function.facts.get("clusters", 0)  # each instead of one class of the head
            classes = width + clusters * (width - 1)
            inputs: dict[str, Array] = {}
            for name, spec in function.inputs.items():
                if not spec.optional or name in present:
                    inputs[name] = _row_input(
                        spec, kinds[name], base, inputs, params, bits, classes
                    )
            if "N" in function.coupled:  # a slope, a layer gather from all rows: a few at a time
                for part in np.array_split(np.arange(len(base)), max(1, len(base) // 3)):
                    yield _few(function, inputs, part, bits), params
            else:
                yield inputs, params
    if (
        "T" not in shape
        and "N" not in function.coupled
        and "G" not in shape
        and not (reduced or params)
    ):
        for width in (64, 500):
            spread = bits.choice([1.0, 30.0, 700.0], 3, 1) * bits.uniform(3, width, low=-1.0)
            inputs = {}
            for name, spec in function.inputs.items():
                if not spec.optional:
                    inputs[name] = _row_input(
                        spec, kinds[name], spread, inputs, params, bits, width
                    )
            yield inputs, params


def _few(
    function: Function, inputs: Mapping[str, Array], part: Array, bits: Bits
) -> dict[str, Array]:
    """Some rows of the inputs, beside linear layers of their own."""
    shapes = {n: function.inputs[n].shape.split() for n in inputs}
    return {
        n: a[part] if "N" in shapes[n] else _layer(a, bits) if a.ndim == 2 else a
        for n, a in inputs.items()
    }


def _layer(rows: Array, bits: Bits) -> Array:
    """A square matrix: any numbers, nearly equal rows, or some of the rows given."""
    width = rows.shape[1]
    any_ = bits.uniform(width, width, low=-1.0) * bits.choice([1e-9, 1.0, 30.0], 1)
    near = any_[:1] * (1 + bits.uniform(width, width, low=-1.0) * bits.choice([1e-3, 1e-12], 1))
    some = rows[bits.choice(range(len(rows)), width)]
    return [any_, near, some][int(bits.choice(range(3), 1)[0])]


def _row_input(
    spec: Input,
    kind: str,
    base: Array,
    drawn: Mapping[str, Array],
    params: Mapping[str, Any],
    bits: Bits,
    classes: int,
) -> Array:
    count, width = base.shape
    if {"R", "Q"} & set(spec.shape.split()):  # of sampled losses: two true classes, four candidates
        of_rows = (count, 2) if "N" in spec.shape else (4,)
        return bits.choice(range(width) if kind == "class_index" else CORNERS[kind], *of_rows)
    if kind == "class_index":
        index = (np.arange(count) + bits.choice(range(classes), count)) % classes
        ignored = params.get("ignore_index", -100)
        return (
            np.where(np.arange(count) % 7 == 3, ignored, index)
            if "ignore_index" in params
            else index
        )
    if kind == "label":
        return bits.choice(range(3), count)
    if kind == "label_set":
        order = np.argsort(bits.words(count, width), axis=1)
        return np.where(np.arange(width) < (np.arange(count) % (width + 1))[:, None], order, -1)
    if spec.shape in ("C", "C *K", "P|1", "H"):
        return bits.choice([0.5, 0.0, 2.0, 0.3], width)
    if kind in ("sign", "bit"):
        return bits.choice(CORNERS[kind], *((count,) if spec.shape == "N" else (count, width)))
    if kind in ("distribution", "probability"):
        shares = distributions(bits, base[bits.choice(range(count), count)] if drawn else base)
        return shares
    if kind == "direction":
        return _directions(base)
    if kind == "log_probability":
        with np.errstate(all="ignore"):
            logs = np.log(distributions(bits, base))
        return np.where(np.isfinite(logs), logs, -np.abs(base))
    if kind in ("feature", "factor") and not {"N", "S"} & set(spec.shape.split()):
        return base  # of which _few makes layers
    if kind in ("feature", "factor") and drawn:
        return _beside(next(iter(drawn.values())), base, bits)
    return base


def _directions(vectors: Array) -> Array:
    """The vectors at length 1, whatever their own."""
    top = np.abs(vectors).max(axis=1, keepdims=True)
    near = np.where(top == 0, np.eye(1, vectors.shape[1]), vectors / np.where(top == 0, 1, top))
    return near / np.linalg.norm(near, axis=1, keepdims=True)


def _beside(vectors: Array, others: Array, bits: Bits) -> Array:
    """Vectors beside given ones: parallel, opposite, nearly either, equal, and unrelated."""
    count = len(vectors)
    factor = bits.choice([1.0, 2.0, -1.0, -3.0, 1 + 2.0**-40], count, 1)
    noise = bits.choice([0.0, 2.0**-52, 2.0**-30, 1e-3], count, 1) * bits.uniform(
        *vectors.shape, low=-1.0
    )
    with np.errstate(over="ignore"):
        near = factor * vectors * (1 + noise)
    near = np.where(np.isfinite(near), near, vectors)
    unrelated = others[bits.choice(range(count), count)]
    return np.where((np.arange(count) % 3 == 0)[:, None], unrelated, near)


def _sequences(
    function: Function, kinds: Mapping[str, str], params: dict[str, Any], bits: Bits, base: Array
) -> Iterator[Block]:
    """Frames made of consecutive rows, with labels that repeat and lengths that are short."""
    steps, classes, labels = 5, base.shape[1], 2
    count = len(base) // steps
    frames = np.clip(base[: count * steps], -2e3, 2e3).reshape(steps, count, classes)
    if kinds["log_probs"] == "log_probability":
        with np.errstate(all="ignore"):
            shifted = frames - frames.max(axis=2, keepdims=True)
            frames = np.minimum(shifted - np.log(np.exp(shifted).sum(axis=2, keepdims=True)), 0.0)
    blank = params.get("blank", 0)
    usable = [c for c in range(classes) if c != blank]
    yield (
        {
            "log_probs": frames,
            "targets": bits.choice(usable, count, labels),
            "input_lengths": bits.choice([1, 3, 4, 5, 5], count),
            "target_lengths": bits.choice([0, 1, 2, 2], count),
        },
        params,
    )
