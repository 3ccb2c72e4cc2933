"""Where the oracle is measured: hard points by hand, a table a function; the rest from Hypothesis."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import hypothesis.extra.numpy as arrays_of
import numpy as np
from hypothesis import strategies as st

from nnconform.reference.function import INTEGER_KINDS, Domain, Function, Input

Array = np.ndarray
Case = tuple[dict[str, Any], dict[str, Any]]  # inputs, parameters

BELOW_ONE, ABOVE_ONE = 1 - 2.0**-53, 1 + 2.0**-52
_SIZES = (5e-324, 1e-300, 1e-20, 1e-8, 0.1, 0.5, BELOW_ONE, 1.0, ABOVE_ONE, 2.0, 3.7, 20.0, 37.5)
_LARGE = (88.8, 709.7, 745.2, 2e4, 1e20, 1e150, 1e300)
REAL = [s * x for x in (0.0, *_SIZES, *_LARGE) for s in (1, -1)]
MODEST = [0.0, 1e-300, -1e-8, 0.3, -BELOW_ONE, 1.0, -1.0, 2.5, -30.0, 1e150, -1e150]
PROBABILITY = [0.0, 5e-324, 1e-300, 1e-17, 1e-7, 0.1, 0.5, 0.9, 1 - 1e-7, BELOW_ONE, 1.0]
UNIT = [0.0, 1e-20, 0.25, 0.5, BELOW_ONE, 1.0]
LOG_PROBABILITY = [-0.0, -1e-300, -1e-17, -0.1, -1.0, -40.0, -745.2, -2e4]
SIGN = [-1.0, 1.0]

ROWS = [
    [0.0, 0.0, 0.0],
    [1.0, 2.0, 3.0],
    [1e-300, 0.0, -1e-300],
    [1e-8, 2e-8, 0.0],
    [1.0, ABOVE_ONE, BELOW_ONE],
    [50.0, 0.0, -50.0],
    [-9.0, 30.0, -8.0],
    [0.0, -800.0, -2e4],
    [2e4, 2e4, 2e4 - 1],
    [709.0, 710.0, -709.0],
    [-745.0, -744.0, -1000.0],
    [1e20, 1e20, 0.0],
    [1e300, -1e300, 0.0],
]
DISTRIBUTIONS = [
    [1.0, 0.0, 0.0],
    [0.25, 0.25, 0.5],
    [BELOW_ONE, 1e-17, 1e-17],
    [0.0, 0.5, 0.5],
    [1e-300, 1e-20, 1.0],
]


def grid(params: Mapping[str, Any] | None = None, /, **columns: list[float]) -> Case:
    """Every combination of the columns, flat."""
    points = np.array(list(itertools.product(*columns.values())))
    return {n: points[:, i] for i, n in enumerate(columns)}, dict(params or {})


def case(params: Mapping[str, Any] | None = None, /, **inputs: Any) -> Case:
    return {n: np.array(a) for n, a in inputs.items()}, dict(params or {})


def each(params: list[dict[str, Any]], **inputs: Any) -> list[Case]:
    return [case(p, **inputs) for p in params]


def against(
    rows: list[list[float]], targets: list, params: Mapping[str, Any], **shared: Any
) -> Case:
    """Every row with every target."""
    pairs = list(itertools.product(rows, targets))
    return case(params, input=[r for r, _ in pairs], target=[t for _, t in pairs], **shared)


_VECTORS = [
    [1.0, 2.0, -0.5],
    [0.0, 3.0, 4.0],
    [1e-8, 1.0, 1.0],
    [1.0, 1e-20, -2.0],
    [3.0, 6.0, -1.5],
]
_NEAR = [[1e8, 2.0, -0.5], [1e8 + 2**-20, 2.0, -0.5], [1e8, 2.0, -0.5 + 2**-40]]
_PAIRS = list(itertools.product(_VECTORS, _VECTORS, SIGN))
_TWO = {"input1": [p[0] for p in _PAIRS[::2]], "input2": [p[1] for p in _PAIRS[::2]]}
_TRIPLES = list(itertools.product(_VECTORS[:2], _VECTORS[1:4], _VECTORS[2:]))
_FRAMES = np.log([[0.5, 0.3, 0.2], [0.1, 0.8, 0.1], [1e-30, 0.5, 0.5], [0.7, 0.2, 0.1]])
_LABELS = [[1, 2], [1, 1], [2, 0], [1, 2]]

#: hard points of every function
CASES: dict[str, list[Case]] = {
    "step": [grid({"at_zero": v}, x=REAL[2:]) for v in (0.0, 0.5, 1.0)],
    "linear": [grid(x=REAL)],
    "sigmoid": [grid(x=REAL)],
    "tanh": [grid(x=REAL)],
    "hard_tanh": [grid(x=REAL), grid({"min_value": -2.0, "max_value": 0.5}, x=REAL)],
    "relu": [grid(x=REAL)],
    "leaky_relu": [grid({"slope": v}, x=REAL) for v in (0.01, 0.2, 0.0, 1.0)],
    "prelu": [
        case(x=[[-1.5, 2.0, -1e-300], [1e8, -3.0, 0.1]], slope=[0.25, -0.5, 2.0]),
        case(x=[[[-1.5, 2.0], [-1e-8, -4.0]], [[1.0, -3.0], [7.0, -1e-8]]], slope=[0.25, 1.0]),
        case(x=[[-1.5, 2.0, -1e20], [1e8, -3.0, 0.1]], slope=[0.25]),
    ],
    "rrelu": [grid(x=REAL), grid({"lower": 0.1, "upper": 0.7}, x=REAL)],
    "elu": [grid({"alpha": v}, x=REAL) for v in (1.0, 0.5, 1.7, 0.0)],
    "maxout": [
        case({"groups": 2}, x=[ROWS[1] + ROWS[3], ROWS[5] + ROWS[12]]),
        case({"groups": 3}, x=[ROWS[4] + ROWS[6], ROWS[0] + ROWS[7]]),
        case({"groups": 2}, x=[[ROWS[1], ROWS[2]], [ROWS[3], ROWS[4]]]),
    ],
    "softmax": [case(x=ROWS), case({"axis": 0}, x=np.transpose(ROWS[1:6])), case(x=ROWS[1])],
    "log_softmax": [case(x=ROWS), case({"axis": -2}, x=np.transpose(ROWS[1:6]))],
    "gumbel_softmax": [case({"tau": 0.5}, x=ROWS), case({"axis": 0}, x=np.transpose(ROWS[1:6]))],
    "logsumexp": [
        case(x=ROWS),
        case({"axis": 0}, x=np.transpose(ROWS[1:6])),
        case(x=[[-0.0], [3.0]]),
    ],
    "mean_absolute_error": [grid(input=MODEST, target=MODEST)],
    "mean_squared_error": [grid({"half": v}, input=MODEST, target=MODEST) for v in (False, True)],
    "huber": [grid({"delta": v}, input=MODEST, target=MODEST) for v in (1.0, 0.3, 40.0)],
    "smooth_l1": [grid({"beta": v}, input=MODEST, target=MODEST) for v in (1.0, 0.3, 40.0, 0.0)],
    "poisson_nll": [
        grid(
            {"full": True}, input=[0.0, 1e-8, -1.0, 3.0, -745.2, 700.0], target=[0.0, 1.0, 1.5, 7.0]
        ),
        grid({}, input=REAL[:30], target=[0.0, 0.5, 1.0, 2.0, 1e20]),
        *(
            grid(
                {"log_input": False, "full": True, "eps": e}, input=x, target=[0.0, 1.1, 2.0, 30.0]
            )
            for e, x in ((1e-8, [1e-300, 1e-9, 0.5, 1.0, 20.0, 1e150]), (0.5, [0.1, 0.5, 3.0]))
        ),
    ],
    "binary_cross_entropy": [
        *(
            grid(params, input=PROBABILITY, target=UNIT[::2] if params else UNIT)
            for params in (
                {},
                {"label_smoothing": 0.1},
                {"label_smoothing": 1.0},
                {"epsilon": 1e-7},
                {"clip": (1e-7, 1 - 1e-7)},
                {"log_floor": -100.0},
                {"clip": (1e-7, 1 - 1e-7), "epsilon": 1e-7, "label_smoothing": 0.2},
            )
        ),
        grid({}, input=PROBABILITY[2:-1], target=UNIT[::2], weight=[0.0, 0.3]),
    ],
    "binary_cross_entropy_with_logits": [
        grid({}, input=REAL[::3], target=UNIT[::2]),
        grid({"label_smoothing": 0.1}, input=MODEST, target=UNIT[1::2], weight=[0.7]),
        grid({}, input=MODEST[2:9], target=UNIT[::2], weight=[0.0, 2.0], pos_weight=[0.0, 3.5]),
        case(input=ROWS[:8], target=np.tile(DISTRIBUTIONS[:4], (2, 1)), pos_weight=[0.5, 1.0, 2.0]),
    ],
    "hinge": [
        grid({}, input=REAL, target=SIGN),
        grid({"labels": "bit"}, input=REAL, target=[0.0, 1.0]),
    ],
    "hinge_embedding": [grid({"margin": v}, input=REAL, target=SIGN) for v in (1.0, 0.0, -0.3)],
    "soft_margin": [grid({}, input=REAL, target=SIGN)],
    "margin_ranking": [
        grid({"margin": v}, input1=MODEST, input2=MODEST, target=SIGN) for v in (0.0, 1.0, -0.3)
    ],
    "cross_entropy": [
        against(ROWS[:-1], [0, 1, 2], {}),
        against(ROWS[:-1:2], [0, -100, 2], {"label_smoothing": 0.1}, weight=[0.5, 0.0, 2.0]),
        against(ROWS[1::4], [0, 1, 2], {"ignore_index": 1}, weight=[0.5, 0.3, 2.0]),
        against(ROWS[:-1:3], DISTRIBUTIONS[1::2], {}),
        against(ROWS[1::3], DISTRIBUTIONS[::2], {"label_smoothing": 0.1}, weight=[0.5, 0.0, 2.0]),
        case(input=[np.transpose(ROWS[:4])], target=[[0, 2, 1, 1]], weight=[0.5, 0.3, 2.0]),
        case({"axis": -1}, input=[ROWS[:4]], target=[[0, 2, 1, 1]]),
    ],
    "nll": [
        against([LOG_PROBABILITY[:3], LOG_PROBABILITY[4:7]], [0, 1, 2], {}),
        against([LOG_PROBABILITY[1:4]], [0, -100, 2, 1], {}, weight=[0.5, 0.0, 2.0]),
        against([LOG_PROBABILITY[1:4]], [0, 1, 2], {"ignore_index": 2}, weight=[0.5, 0.1, 2.0]),
        case(input=[[[-1.0, -2.0], [-3.0, -0.1]]], target=[[1, 0]], weight=[0.3, 0.7]),
        case({"axis": -1}, input=[[[-1.0, -2.0], [-3.0, -0.1]]], target=[[1, 0]]),
    ],
    "categorical_cross_entropy": [
        against(DISTRIBUTIONS, DISTRIBUTIONS, {}),
        against(DISTRIBUTIONS, [0, 1, 2], {"label_smoothing": 0.1}, weight=[0.5, 0.0, 2.0]),
        against(DISTRIBUTIONS[1:], DISTRIBUTIONS[1:], {"normalize": True}),
        against([[0.2, 0.3, 0.4], [1e-9, 3.0, 1e-300]], DISTRIBUTIONS, {"normalize": True}),
        against(DISTRIBUTIONS[::2], DISTRIBUTIONS, {"normalize": True, "clip": (1e-7, 1 - 1e-7)}),
        against(
            DISTRIBUTIONS[::2], DISTRIBUTIONS, {"normalize": "after", "clip": (1e-7, 1 - 1e-7)}
        ),
        against(DISTRIBUTIONS, [0, 1, 2], {"clip": (1e-7, 1 - 1e-7)}),
        case({"axis": -1}, input=[[[0.2, 0.8], [0.5, 0.5]]], target=[[1, 0]]),
    ],
    "kl_divergence": [
        grid({}, input=LOG_PROBABILITY, target=PROBABILITY[1::2]),
        grid({"log_target": True}, input=LOG_PROBABILITY, target=LOG_PROBABILITY),
        grid({"log_input": False}, input=PROBABILITY[::2], target=PROBABILITY[1::2]),
        grid({"log_input": False, "clip": (1e-7, 1.0)}, input=PROBABILITY[::3], target=PROBABILITY),
    ],
    "multi_margin": [
        against(ROWS, [0, 1, 2], {"p": p, "margin": m}, **weight)
        for p, m in ((1, 1.0), (2, 0.3))
        for weight in ({}, {"weight": [0.5, 0.0, 2.0]})
    ],
    "multilabel_margin": [
        against(ROWS, [[0, -1, 1], [2, 1, -1], [-1, 0, 0], [2, 0, 1], [1, -1, 99]], {})
    ],
    "multilabel_soft_margin": [
        against(ROWS[1:-2:2], [[0.0, 1.0, 1.0]], {}),
        against(ROWS[3:10:3], [[0.3, 0.0, 0.9]], {}, weight=[0.5, 0.0, 2.0]),
    ],
    "cosine_embedding": [
        case(p, **{n: [t[i] for t in _PAIRS] for i, n in enumerate(("input1", "input2", "target"))})
        for p in ({}, {"margin": 0.5}, {"epsilon": 1e-12})
    ]
    + [
        case(input1=[v], input2=[w], target=[1.0])
        for v, w in (
            ([1.0, 1e-20], [1.0, -1e-20]),
            ([1e300, 1e300], [1e-300, 2e-300]),
            ([3.0, 4.0], [-3.0, -4.0]),
        )
    ],
    "triplet_margin": [
        case(
            p,
            **{
                n: [t[i] for t in _TRIPLES]
                for i, n in enumerate(("anchor", "positive", "negative"))
            },
        )
        for p in (
            {},
            {"p": 1.0, "swap": True},
            {"p": 3.0, "margin": 2.0},
            {"swap": True, "eps": 0.0},
        )
    ],
    "ctc": [
        case(
            params,
            log_probs=np.stack([np.roll(_FRAMES, n, 1) for n in range(4)], 1),
            targets=labels,
            input_lengths=[4, 3, 2, 4],
            target_lengths=[2, 2, 1, 0],
        )
        for params, labels in (
            ({}, [[1, 2], [1, 1], [2, 0], [1, 2]]),
            ({"zero_infinity": True, "blank": 2}, [[1, 0], [1, 1], [0, 0], [1, 0]]),
            ({"from_logits": True, "blank": 1}, [[0, 2], [2, 2], [0, 0], [0, 2]]),
        )
    ],
    "relu6": [grid(x=[*REAL, 6.0, 6 - 2.0**-50, 6 + 2.0**-50])],
    "hard_sigmoid": [grid(x=[*REAL, -3.0, 3.0, -3 + 2.0**-51, 3 - 2.0**-51])],
    "hard_swish": [grid(x=[*REAL, -3.0, 3.0, -3 + 2.0**-51, 3 - 2.0**-51, -1.5])],
    "hard_shrink": [grid({"threshold": v}, x=REAL) for v in (0.5, 0.0, 1.0)],
    "tanh_shrink": [grid(x=[*REAL, 1e-3, -1e-3, 2 - 2.0**-52])],
    "threshold": [
        grid({"threshold": t, "value": v}, x=REAL)
        for t, v in ((1.0, 0.0), (0.1, 3.0), (-2.0, -5.0))
    ],
    "sparse_plus": [grid(x=REAL)],
    "sparse_sigmoid": [grid(x=REAL)],
    "softmin": [case(x=ROWS), case({"axis": 0}, x=np.transpose(ROWS[1:6])), case(x=ROWS[1])],
    "glu": [
        case(x=[a + b for a, b in itertools.product(ROWS, ROWS)]),
        case({"axis": 0}, x=[ROWS[1], ROWS[5], ROWS[6], ROWS[9]]),
        case({"axis": 1}, x=[[ROWS[1], ROWS[2]], [ROWS[3], ROWS[10]]]),
    ],
    "crelu": [grid(x=REAL), case({"axis": 0}, x=ROWS), case({"axis": 1}, x=[ROWS])],
    "gelu": [
        grid({"approximate": v}, x=[*REAL, -0.75, -5.5, -37.6, -38.5]) for v in ("none", "tanh")
    ],
    "silu": [grid({"beta": v}, x=[*REAL, -1.278, -720.5, -740.0]) for v in (1.0, 1.702, 0.3)],
    "mish": [grid(x=[*REAL, -1.192, -700.3, -720.5, -740.0])],
    "softplus": [
        grid({"beta": b, "threshold": v}, x=[*REAL, -720.5])
        for b, v in ((1.0, 20.0), (1.0, np.inf), (0.3, 1.0), (3.7, 0.0))
    ],
    "log_sigmoid": [grid(x=REAL)],
    "selu": [grid(x=REAL)],
    "celu": [grid({"alpha": v}, x=REAL) for v in (1.0, 0.3, 3.7)],
    "softsign": [grid(x=REAL)],
    "exponential": [grid(x=REAL)],
    "squareplus": [grid({"b": v}, x=REAL) for v in (4.0, 0.3, 0.0)],
    "sparsemax": [
        case(x=ROWS),
        case({"axis": 0}, x=np.transpose(ROWS[1:6])),
        case(x=[[0.1, 0.2, 0.3], [0.9, 0.1, -0.3], [1.0, 0.0, -1.0], [0.5, 0.25, -0.25]]),
    ],
    "gaussian_nll": [
        grid(p, input=MODEST, target=MODEST[::2], var=[1e-300, 1e-9, 0.3, 1.0, 4.0, 1e150])
        for p in ({}, {"full": True}, {"eps": 0.5})
    ],
    "log_cosh": [grid(input=MODEST, target=MODEST), grid(input=REAL, target=[0.0])],
    "mean_absolute_percentage_error": [
        grid(input=MODEST, target=[*MODEST, 1e-7, -1e-7]),
    ],
    "l2_loss": [grid(input=REAL)],
    "soft_shrink": [grid({"threshold": v}, x=REAL) for v in (0.5, 0.0, 1.0)],
    "masked_softmax": [
        case(x=ROWS, mask=np.array(ROWS) > -1.0),
        case({"axis": 0}, x=np.transpose(ROWS[1:6]), mask=np.transpose(ROWS[1:6]) < 2.0),
        case(x=ROWS[1], mask=[1.0, 0.0, 1.0]),
    ],
    "thresholded_relu": [
        grid({"max_value": m, "threshold": t, "slope": s}, x=REAL)
        for m, t, s in ((np.inf, 1.0, 0.0), (6.0, 0.5, 0.1), (3.7, 0.0, 1.0), (0.1, 2.0, 0.3))
    ],
    "squared_hinge": [
        grid({}, input=REAL, target=SIGN),
        grid({"labels": "bit"}, input=REAL, target=[0.0, 1.0]),
    ],
    "mean_squared_logarithmic_error": [
        grid(
            input=[-2.5, 5e-324, 1e-9, 1e-7, 2e-7, 0.3, BELOW_ONE, 1.0, 2.5, 1e150, 1e300],
            target=[1e-300, 1e-8, 1e-7, 3e-7, 0.3, 1.0, ABOVE_ONE, 40.0, 1e300],
        )
    ],
    "categorical_hinge": [
        against(ROWS, [[0.0, 1.0, 0.0], [1.0, 0.0, 1.0], [-1.0, 1.0, -1.0]], {}),
        case({"axis": 0}, input=np.transpose(ROWS[1:6]), target=np.eye(3)[:, [0, 1, 2, 0, 1]]),
    ],
    "categorical_focal": [
        *(
            against(DISTRIBUTIONS, DISTRIBUTIONS, {"clip": (1e-7, 1 - 1e-7)} | params)
            for params in (
                {},
                {"normalize": True},
                {"normalize": True, "gamma": 0.5, "label_smoothing": 0.1},
                {"normalize": True, "gamma": 0.0, "label_smoothing": 1.0},
            )
        ),
        *(
            against(ROWS, DISTRIBUTIONS, {"from_logits": True} | params, weight=[0.3, 0.0, 2.0])
            for params in ({"gamma": 3.7}, {"clip": (1e-7, 1 - 1e-7)})
        ),
        case(
            {"axis": 0, "from_logits": True},
            input=np.transpose(ROWS[1:6]),
            target=np.transpose(DISTRIBUTIONS),
        ),
    ],
    "circle": [
        case(params, input=vectors, target=labels)
        for params in ({}, {"remove_diagonal": False}, {"gamma": 1.0, "margin": 0.25})
        for vectors, labels in (
            ([[1.0, 0.0], [0.6, 0.8], [0.8, 0.6], [0.0, 1.0], [-1.0, 0.0]], [0, 0, 1, 1, 0]),
            ([[0.28, 0.96], [0.6, 0.8], [-0.6, 0.8]], [2, 0, 2]),
        )
    ],
    "generalized_cross_entropy": [
        against(DISTRIBUTIONS, [0, 1, 2], {"q": q}) for q in (0.5, 1e-6, 0.99)
    ],
    **{
        name: [
            against(DISTRIBUTIONS, [*DISTRIBUTIONS, [1.0, 0.0, 1.0], [0.0, 0.0, 0.0]], params)
            for params in sets
        ]
        for name, sets in {
            "dice": [{}, {"epsilon": 1e-7}, {"epsilon": 1e-7, "batch": True}],
            "tversky": [
                {},
                {"alpha": 0.3, "beta": 0.7, "epsilon": 1e-7},
                {"alpha": 0.0, "batch": True},
                {"beta": 0.0, "epsilon": 1e-7},
            ],
        }.items()
    },
    "binary_focal": [
        *(
            grid({"clip": (1e-7, 1 - 1e-7)} | params, input=PROBABILITY, target=UNIT[::2])
            for params in (
                {},
                {"gamma": 0.0},
                {"gamma": 0.5, "label_smoothing": 0.1},
                {"gamma": 3.7, "apply_class_balancing": True},
                {"label_smoothing": 1.0, "apply_class_balancing": True, "alpha": 0.0},
            )
        ),
        grid({}, input=PROBABILITY[1:-1], target=UNIT),
        grid({"from_logits": True}, input=REAL[::3], target=UNIT[::2]),
        grid(
            {"from_logits": True, "gamma": 1.0, "label_smoothing": 0.1}, input=MODEST, target=UNIT
        ),
    ],
    "linear_cross_entropy": [
        case(input=_VECTORS[:3], linear_weight=_VECTORS[1:4], target=[0, 2, 1]),
        case(input=_VECTORS, linear_weight=_NEAR, target=[2, 0, 1, 0, 2], linear_bias=[1.0, 0, -2]),
        case(
            {"ignore_index": 1, "label_smoothing": 0.1},
            input=_VECTORS[:3],
            linear_weight=[_VECTORS[:2], _VECTORS[2:4], _NEAR[:2]],
            target=[[0, 1], [2, 2], [1, 0]],
            linear_bias=[[0.5, -1.0], [1e-8, 3.0], [0.0, 2.0]],
            weight=[0.5, 0.0, 2.0],
        ),
        case(input=_VECTORS[:3], linear_weight=_VECTORS[2:], target=DISTRIBUTIONS[1:4]),
    ],
    "adaptive_log_softmax": [
        case(
            input=_VECTORS,
            head_weight=_VECTORS[1:] if layer is _VECTORS else [*_NEAR, _VECTORS[0]],
            projection1=layer[:2],
            tail1=[[0.3, -2.0], [1.0, 0.5], [1e8, 1.0]],
            projection2=layer[2:3],
            tail2=[[1.0], [1.0 + 2**-30]],
            target=target,
            **bias,
        )
        for layer in (_VECTORS, _NEAR)
        for target in ([0, 2, 5, 1, 4], [6, 3, 0, 5, 2])
        for bias in ({}, {"head_bias": [0.5, -1.0, 2.0, 0.0]})
    ],
    "cosine_similarity": [
        *(case(p, **_TWO) for p in ({}, {"negated": True})),
        case({"eps": 1.0}, input1=[[0.3, -0.4], [0.0, 0.0]], input2=[[3.0, 4.0], [0.6, 1e-9]]),
        case({"axis": 0}, input1=np.transpose(_VECTORS), input2=np.transpose(_VECTORS[::-1])),
        case(input1=[[1.0, 1e-20], [1e300, 1e300]], input2=[[1.0, -1e-20], [1e-300, 2e-300]]),
    ],
    "cosine_distance": [
        case(input=_TWO["input1"], target=_TWO["input2"]),
        case({"axis": 0}, input=np.transpose(_VECTORS), target=np.transpose(_VECTORS[::-1])),
        case(input=[[0.6, 0.8], [1e200, 1e200]], target=[[0.6, 0.8], [1e200, -1e200]]),
    ],
    "pairwise_distance": [
        case(p, **_TWO)
        for p in ({}, {"p": 1.0, "keepdim": True}, {"p": 3.0}, {"p": 1.5, "eps": 0.0})
    ],
    "triplet_margin_with_distance": [
        case(
            p,
            anchor=[t[0] for t in _TRIPLES],
            positive=[t[1] for t in _TRIPLES],
            negative=[t[2] for t in _TRIPLES],
        )
        for p in ({}, {"swap": True, "margin": 2.0}, {"p": 1.0, "eps": 0.0})
    ],
    "mean_pairwise_squared_error": [
        case(input=_TWO["input1"], target=_TWO["input2"]),
        case(input=[[[1.0, 1e8], [ABOVE_ONE, 1.0]]], target=[[[1.0, 0.0], [0.0, 1e-8]]]),
        case(input=[3.0, 1e200], target=[1.0, 2.0]),
    ],
    **{
        name: [
            case(
                {"remove_accidental_hits": removed},
                input=_VECTORS[:3],
                linear_weight=layer,
                linear_bias=[0.5, -1.0, 2.0],
                target=target,
                sampled=[1, 0, 1, 2],
                true_expected=np.linspace(0.1, 3, 3 * len(target[0])).reshape(3, -1),
                sampled_expected=[0.3, 1e-9, 1e6, 2.7],
            )
            for removed in (True, False)
            for layer in (_VECTORS[2:], _NEAR)
            for target in ([[0], [2], [1]], [[1, 1], [0, 2], [2, 2]])
        ]
        for name in ("sampled_softmax", "nce")
    },
}

#: what only a dialect sets, drawn beside the parameters of the catalogue
DIALECTS: dict[str, list[dict[str, Any]]] = {
    "binary_cross_entropy": [
        {"epsilon": 1e-7},
        {"clip": (1e-7, 1 - 1e-7)},
        {"log_floor": -100.0},
    ],
    "categorical_cross_entropy": [
        {"normalize": True},
        {"normalize": True, "clip": (1e-7, 1 - 1e-7)},
        {"normalize": "after", "clip": (1e-7, 1 - 1e-7)},
        {"clip": (1e-7, 1 - 1e-7)},
    ],
    "kl_divergence": [{"clip": (1e-7, 1.0)}, {"log_input": False}],
    "cosine_embedding": [{"epsilon": 1e-12}],
    "binary_focal": [{"clip": (1e-7, 1 - 1e-7)}, {"from_logits": True}],
    "dice": [{"epsilon": 1e-7, "batch": True}],
    "tversky": [{"epsilon": 1e-7, "batch": True}],
    "categorical_focal": [{"normalize": True}, {"from_logits": True, "clip": (1e-7, 1 - 1e-7)}],
}

# -- drawn by Hypothesis --------------------------------------------------------------------------


_LARGEST, _SMALLEST = float(np.finfo(np.float64).max), 5e-324
_NOTICED = 1e-6  # of weights and parameters: a product of several that vanish is nobody's
_WIDE = st.one_of(st.floats(-40, 40), st.integers(-4, 4).map(float), st.floats(-_LARGEST, _LARGEST))
_SHARE = st.one_of(st.floats(_SMALLEST, 1), st.sampled_from(PROBABILITY[1:]))
ELEMENTS: dict[str, st.SearchStrategy] = {
    "real": _WIDE,
    "feature": _WIDE,
    "factor": _WIDE,
    "direction": st.floats(-1, 1),
    "logits": _WIDE,
    "probability": _SHARE,
    "distribution": st.one_of(st.floats(1e-100, 1), st.sampled_from(PROBABILITY[3:])),
    "log_probability": st.one_of(st.floats(-40, 0), st.sampled_from(LOG_PROBABILITY)),
    "positive": st.one_of(st.floats(1e-8, 40), st.floats(_SMALLEST, _LARGEST)),
    "count": st.one_of(st.integers(0, 30).map(float), st.floats(0, 100)),
    "weight": st.one_of(st.floats(_NOTICED, 4), st.sampled_from([0.0, 1.0])),
    "slope": st.floats(-2, 2),
    "sign": st.sampled_from(SIGN),
    "bit": st.sampled_from([0.0, 1.0]),
}
SIZES = {"N": 2, "C": 3, "P": 2, "G": 12, "D": 3, "T": 3, "L": 2, "R": 2, "Q": 4, "1": 1}
SIZES |= {"H": 3, "E": 2, "F": 1, "U": 2, "V": 1}  # the target's class is among three of four

#: an input's other encodings are asked for by a parameter
ENCODINGS = {("hinge", "bit"): {"labels": "bit"}, ("squared_hinge", "bit"): {"labels": "bit"}}

#: softmax less posterior cancels without limit, at any precision: CTC of logits is for hands
BY_HAND = {("ctc", "logits")}


@st.composite
def cases(draw: st.DrawFn, function: Function) -> Case:
    """Inputs and parameters anywhere in the function's documented domain."""
    params = {p.name: draw(_values(p.domain)) for p in function.parameters.values()}
    params = {n: v for n, v in params.items() if v is not None}
    params |= draw(st.sampled_from([{}, *DIALECTS.get(function.name, [])]))
    further = draw(st.sampled_from([(), (2,)]))
    arrays: dict[str, Array] = {}
    for spec in function.inputs.values():
        if spec.optional and draw(st.booleans()):
            continue
        kind = draw(st.sampled_from(_kinds(function, spec, params)))
        params |= ENCODINGS.get((function.name, kind), {})
        shape = _shape(spec.shape, kind, further, draw)
        if function.facts.get("even"):
            shape = (*shape[:-1], 2 * shape[-1])
        arrays[spec.name] = draw(_array(kind, shape, params))
    return arrays, params


def _values(domain: Domain) -> st.SearchStrategy:
    match domain.name:
        case "interval":
            usual = [float(v) for v in domain.values]
            low = _NOTICED if domain.low == 0 else domain.low
            return st.one_of(st.sampled_from(usual), st.floats(low, domain.high))
        case "choice":
            return st.sampled_from(domain.values)
        case "integer":
            return st.integers(int(domain.low), int(domain.high))
    return st.none()


def _kinds(function: Function, spec: Input, params: Mapping[str, Any]) -> list[str]:
    kind_of = function.facts.get("kind_of", {}).get(spec.name)
    if kind_of:
        return [kind_of({"log_input": True} | dict(params))]
    return [kind for kind in spec.kinds if (function.name, kind) not in BY_HAND]


def _shape(shape: str, kind: str, further: tuple[int, ...], draw: st.DrawFn) -> tuple[int, ...]:
    if shape == "S":
        return (2, 3)
    names = draw(st.sampled_from(shape.split("|"))).split()
    if kind == "class_index" and "C" in names:
        names.remove("C")
    return sum((further if n == "*K" else (SIZES[n],) for n in names), ())


def _array(kind: str, shape: tuple[int, ...], params: Mapping[str, Any]) -> st.SearchStrategy:
    classes, blank = SIZES["C"], params.get("blank", 0)
    match kind:
        case "class_index":
            usable = [*range(classes), params.get("ignore_index", 0)]
            elements = st.sampled_from([c for c in usable if c < classes and c in {-100, 0, 1, 2}])
            if "ignore_index" not in params:
                elements = st.integers(0, classes - 1)
        case "labels":
            elements = st.sampled_from([c for c in range(classes) if c != blank])
        case "lengths":
            elements = st.integers(0, SIZES["T"])
        case "target_lengths":
            elements = st.integers(0, SIZES["L"])
        case "label":
            elements = st.integers(0, 2)
        case "label_set":
            row = st.tuples(st.permutations(range(classes)), st.integers(0, classes)).map(
                lambda drawn: [c if i < drawn[1] else -1 for i, c in enumerate(drawn[0])]
            )
            return st.lists(row, min_size=shape[0], max_size=shape[0]).map(np.array)
        case _:
            elements = ELEMENTS[kind]
    dtype = int if kind in INTEGER_KINDS else float
    return arrays_of.arrays(dtype, shape, elements=elements)
