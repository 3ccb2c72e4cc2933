"""The oracle of reductions, and what oracle() refuses: against loops that say what each one is."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from nnconform.reference.oracle import oracle
from nnconform.reference.reductions import REDUCTIONS

Array = np.ndarray
ROUNDINGS = 64 * float(np.finfo(np.longdouble).eps)  # of a few dozen operations

INPUT = np.array([[0.5, -2.0, 1.0], [3.0, 0.25, -0.75]], np.longdouble)
TARGET = np.array([[1.0, 0.5, 1.5], [-1.0, 0.0, 4.0]], np.longdouble)
PAIR = {"input": INPUT, "target": TARGET}
LOGITS = np.array(
    [[0.3, -1.2, 2.5], [2.0, 0.0, -1.0], [0.1, 0.2, 0.3], [-1, 1, 0.5]], np.longdouble
)
CLASSES = np.array([2, 0, 1, 2])
CLASS_WEIGHT = np.array([0.5, 3.0, 0.25], np.longdouble)

#: sample weights: none, per element, per sample (stands along the first axis), with zeros, all zero
WEIGHTS = [
    None,
    [[1.0, 2.0, 0.5], [0.25, 1.0, 3.0]],
    [2.0, 0.5],
    [0.0, 1.5],
    [[0.0, 2.0, 0.0], [1.0, 0.0, 1.0]],
    [0.0, 0.0],
]


def literally(losses: list[float], weights: list[float], reduction: str, batch: int) -> Any:
    """A reduction as its name says it, one number at a time."""
    weighted = [w * x for w, x in zip(weights, losses, strict=True)]
    total, mass, counted = sum(weighted), sum(weights), sum(w != 0 for w in weights)
    match reduction:
        case "none":
            return weighted
        case "sum":
            return total
        case "mean":
            return total / len(losses)
        case "batchmean":
            return total / batch
        case "weighted_mean":
            return total / mass if mass else 0
        case "nonzero_mean":
            return total / counted if counted else 0
    raise AssertionError(reduction)


def spread(weight: Any, shape: tuple[int, ...]) -> list[float]:
    """A weight for every loss: those of lower rank hold for all that follows their axes."""
    given = np.ones(()) if weight is None else np.array(weight)
    return [given[at[: given.ndim]] for at in np.ndindex(shape)]


def close(got: Any, want: Any) -> None:
    assert got is not None
    np.testing.assert_allclose(np.ravel(got), np.ravel(want), rtol=ROUNDINGS, atol=0)


def numeric(name: str, of: str, inputs: dict[str, Any], *args: Any, **options: Any) -> Array:
    """The gradient by central differences in extended precision."""
    h, x = np.longdouble(2) ** -21, inputs[of]

    def at(where: tuple[int, ...], by: np.longdouble) -> np.longdouble:
        moved = x.copy()
        moved[where] += by
        return oracle(name, inputs | {of: moved}, *args, **options).value.sum()

    slopes = [(at(where, h) - at(where, -h)) / (2 * h) for where in np.ndindex(x.shape)]
    return np.reshape(slopes, x.shape)


# -- every reduction, weight and rows -------------------------------------------------------------


def test_every_reduction_is_tested() -> None:
    assert all(literally([1.0], [1.0], reduction, 1) in (1, [1]) for reduction in REDUCTIONS)


@pytest.mark.parametrize("weight", WEIGHTS, ids=str)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_reductions_of_elements(reduction: str, weight: Any) -> None:
    losses = [abs(x - y) for x, y in zip(INPUT.flat, TARGET.flat, strict=True)]
    want = literally(losses, spread(weight, INPUT.shape), reduction, batch=2)
    inputs = PAIR | {"sample_weight": weight}
    close(oracle("mean_absolute_error", inputs, reduction=reduction).value, want)


@pytest.mark.parametrize("weight", [w for w in WEIGHTS if w is None or np.ndim(w) == 1], ids=str)
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(("rows", "count"), [("mean", 3), ("sum", 1)])
def test_reductions_of_rows(rows: Any, count: int, reduction: str, weight: Any) -> None:
    losses = [
        sum(abs(x - y) for x, y in zip(*row, strict=True)) / count
        for row in zip(INPUT, TARGET, strict=True)
    ]
    want = literally(losses, spread(weight, (2,)), reduction, batch=2)
    inputs = PAIR | {"sample_weight": weight}
    close(oracle("mean_absolute_error", inputs, reduction=reduction, rows=rows).value, want)


@pytest.mark.parametrize(
    ("rows", "weight"),
    [
        (rows, w)
        for rows in (None, "mean", "sum")
        for w in WEIGHTS
        if rows is None or np.ndim(w) < 2
    ],
)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_gradients_of_reductions(reduction: str, rows: Any, weight: Any) -> None:
    inputs = PAIR | {"sample_weight": weight}
    options = {"reduction": reduction, "rows": rows}
    got = oracle("mean_squared_error", inputs, gradient=True, **options).gradients
    for of in ("input", "target"):
        want = numeric("mean_squared_error", of, inputs, **options)
        np.testing.assert_allclose(got[of], want, rtol=0, atol=1e-11)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_the_cotangent_scales_the_gradient(reduction: str) -> None:
    plain = oracle("huber", PAIR, reduction=reduction, gradient=True)
    scaled = oracle(
        "huber", PAIR, reduction=reduction, gradient=True, cotangent=np.full_like(plain.value, -2.5)
    )
    close(scaled.gradients["input"], -2.5 * plain.gradients["input"])


@pytest.mark.parametrize("width", [np.float64, np.longdouble])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_reductions_keep_the_width(reduction: str, width: type) -> None:
    inputs = {n: a.astype(width) for n, a in PAIR.items()} | {"sample_weight": [1.0, 0.5]}
    outcome = oracle("mean_absolute_error", inputs, reduction=reduction, gradient=True)
    assert outcome.value is not None
    assert {outcome.value.dtype, *(g.dtype for g in outcome.gradients.values())} == {
        np.dtype(width)
    }


@pytest.mark.parametrize("reduction", [r for r in REDUCTIONS if r != "none"])
def test_the_order_of_samples_does_not_matter(reduction: str) -> None:
    weight = np.array([2.0, 0.5])
    one = oracle("huber", PAIR | {"sample_weight": weight}, reduction=reduction)
    turned = {n: a[::-1] for n, a in PAIR.items()} | {"sample_weight": weight[::-1]}
    close(oracle("huber", turned, reduction=reduction).value, one.value)


# -- the losses' own means ------------------------------------------------------------------------


def log_probabilities() -> list[list[np.longdouble]]:
    return [[x - np.log(sum(np.exp(s) for s in row)) for x in row] for row in LOGITS]


@pytest.mark.parametrize("weight", [None, CLASS_WEIGHT], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("ignored", [-100, 2, 0])
@pytest.mark.parametrize("name", ["cross_entropy", "nll"])
def test_the_mean_over_classes_divides_by_the_weights_that_count(
    name: str, ignored: int, weight: Array | None
) -> None:
    log_p = log_probabilities()
    w = [1, 1, 1] if weight is None else weight
    counted = [(row, c) for row, c in zip(log_p, CLASSES, strict=True) if c != ignored]
    want = sum(-w[c] * row[c] for row, c in counted) / sum(w[c] for _, c in counted)
    given = LOGITS if name == "cross_entropy" else np.array(log_p)
    inputs = {"input": given, "target": CLASSES, "weight": weight}
    params = {"ignore_index": ignored}
    got = oracle(name, inputs, params, "mean", gradient=True)
    np.testing.assert_allclose(got.value, want, rtol=ROUNDINGS)
    slopes = numeric(name, "input", inputs, params, "mean")
    np.testing.assert_allclose(got.gradients["input"], slopes, rtol=0, atol=1e-11)


def test_the_mean_over_class_probabilities_divides_by_the_samples() -> None:
    y = np.array([[0.5, 0.5, 0], [0, 0, 1], [0.2, 0.3, 0.5], [1, 0, 0]], np.longdouble)
    inputs = {"input": LOGITS, "target": y, "weight": CLASS_WEIGHT}
    rows = zip(log_probabilities(), y, strict=True)
    total = sum(
        -w * t * x for row, ts in rows for w, t, x in zip(CLASS_WEIGHT, ts, row, strict=True)
    )
    close(oracle("cross_entropy", inputs, reduction="mean").value, total / 4)


def test_label_smoothing_keeps_the_divisor_of_the_hard_targets() -> None:
    s, k = np.longdouble(0.25), 3
    inputs = {"input": LOGITS, "target": CLASSES, "weight": CLASS_WEIGHT}
    smooth = [
        sum(-CLASS_WEIGHT[c] * ((c == y) * (1 - s) + s / k) * row[c] for c in range(k))
        for row, y in zip(log_probabilities(), CLASSES, strict=True)
    ]
    want = sum(smooth) / sum(CLASS_WEIGHT[y] for y in CLASSES)
    close(oracle("cross_entropy", inputs, {"label_smoothing": 0.25}, "mean").value, want)


@pytest.mark.parametrize("name", ["cross_entropy", "nll"])
def test_a_mean_over_nothing_is_nan_and_a_sum_over_nothing_is_zero(name: str) -> None:
    inputs = {"input": LOGITS, "target": np.full(4, -100)}
    assert np.isnan(oracle(name, inputs, reduction="mean").value)
    nothing = oracle(name, inputs, reduction="sum", gradient=True)
    assert nothing.value == 0
    assert not nothing.gradients["input"].any()


def test_ignored_samples_are_zero_and_have_no_gradient() -> None:
    inputs = {"input": LOGITS, "target": np.array([2, -100, 1, -100])}
    outcome = oracle("cross_entropy", inputs, gradient=True)
    assert (outcome.value == 0).tolist() == [False, True, False, True]
    assert outcome.gradients["input"].any(axis=1).tolist() == [True, False, True, False]


def test_the_mean_of_ctc_divides_each_loss_by_its_target_length() -> None:
    p = np.log(np.array([[[0.5, 0.3, 0.2]] * 3, [[0.1, 0.6, 0.3]] * 3], np.longdouble))
    inputs = {
        "log_probs": p,
        "targets": np.array([[1, 2], [1, 1], [2, 2]]),
        "input_lengths": np.array([2, 2, 2]),
        "target_lengths": np.array([2, 1, 0]),
    }
    path = lambda *labels: np.exp(sum(p[t, 0, c] for t, c in enumerate(labels)))  # noqa: E731
    losses = [
        -np.log(path(1, 2)),
        -np.log(path(1, 1) + path(0, 1) + path(1, 0)),
        -np.log(path(0, 0)),
    ]
    assert oracle("ctc", inputs).value == pytest.approx(losses, rel=ROUNDINGS)
    want = (losses[0] / 2 + losses[1] / 1 + losses[2] / 1) / 3
    assert oracle("ctc", inputs, reduction="mean").value == pytest.approx(want, rel=ROUNDINGS)
    got = oracle("ctc", inputs, reduction="mean", gradient=True).gradients["log_probs"]
    slopes = numeric("ctc", "log_probs", inputs, reduction="mean")
    np.testing.assert_allclose(got, slopes, rtol=0, atol=1e-11)


def test_zero_infinity_drops_the_impossible_alignment_and_its_gradient() -> None:
    inputs = {
        "log_probs": np.log(np.full((1, 2, 3), 1 / 3)),
        "targets": np.array([[1, 2], [1, 2]]),
        "input_lengths": np.array([1, 1]),
        "target_lengths": np.array([2, 1]),
    }
    plain = oracle("ctc", inputs, gradient=True)
    assert plain.value[0] == np.inf
    assert np.isnan(plain.gradients["log_probs"][:, 0]).all()
    dropped = oracle("ctc", inputs, {"zero_infinity": True}, gradient=True)
    assert dropped.value.tolist() == [0, plain.value[1]]
    assert not dropped.gradients["log_probs"][:, 0].any()
    assert dropped.gradients["log_probs"][:, 1].any()


# -- what oracle() refuses ------------------------------------------------------------------------

X = {"x": [1.0]}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("cross_entrpy", X), "unknown function 'cross_entrpy'; nearest: cross_entropy"),
        (("relu", {"y": [1.0]}), "relu: unknown input 'y'; its inputs are x"),
        (("huber", {"input": [1.0]}), "huber: input 'target' is missing"),
        (("relu", {"x": ["one"]}), "relu: input 'x' has dtype <U3; numbers are accepted"),
        (("relu", {"x": [1j]}), "relu: input 'x' has dtype complex128; numbers are accepted"),
        (("elu", X, {"beta": 1.0}), "elu: unknown parameter 'beta'; it has alpha"),
        (("relu", X, {"slope": 1.0}), "relu: unknown parameter 'slope'; it has none"),
        (
            ("elu", X, {"alpha": -1.0}),
            "elu: parameter 'alpha' is -1.0; accepted: a number in [0, 4]",
        ),
        (("elu", X, {"alpha": np.nan}), "elu: parameter 'alpha' is nan; accepted"),
        (("elu", X, {"alpha": True}), "elu: parameter 'alpha' is True; accepted"),
        (
            ("huber", PAIR, {"delta": 0.0}),
            "parameter 'delta' is 0.0; accepted: a number in (0, 100]",
        ),
        (("maxout", X, {"groups": 2.0}), "'groups' is 2.0; accepted: a whole number from 1 to 4"),
        (
            ("mean_squared_error", PAIR, {"half": 1}),
            "'half' is 1; accepted: one of False, True",
        ),
        (("huber", PAIR, {}, "average"), "unknown reduction 'average'; known: none, sum, mean"),
        (
            ("relu", X, {}, "mean"),
            "relu is an activation: it has no reduction and no sample_weight",
        ),
        (("relu", X | {"sample_weight": [1.0]}), "relu is an activation"),
        (
            ("maxout", {"x": np.ones((2, 5))}),
            "maxout: x has shape (2, 5); axis 1 must be a multiple",
        ),
    ],
)
def test_refusals(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)) as refusal:
        oracle(*arguments)
    assert "\n" not in str(refusal.value)


def test_parameters_as_numpy_scalars_do_not_widen() -> None:
    x = np.array([-1.0, 2.0], np.float32)
    for slope in (np.float64(0.25), np.float32(0.25), 0.25):
        outcome = oracle("leaky_relu", {"x": x}, {"slope": slope}, gradient=True)
        assert outcome.value is not None
        assert (outcome.value.dtype, outcome.gradients["x"].dtype) == (x.dtype, x.dtype)
