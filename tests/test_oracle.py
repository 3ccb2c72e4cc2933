"""The oracle against enclosures where hands and Hypothesis look, and what is known of it exactly.

``oracle_points.py`` says where to look; the goals are those of the certificate, whose own points
are in ``test_certificate.py``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from nnconform.conformance.certificate import examine
from nnconform.conformance.enclosures.balls import working
from nnconform.conformance.enclosures.problem import Entry, Problem
from nnconform.reference import catalogue
from nnconform.reference.function import INTEGER_KINDS
from nnconform.reference.oracle import find, oracle, resolve

from .oracle_points import CASES, PROBABILITY, REAL, Case, cases

pytestmark = pytest.mark.slow

Array = np.ndarray
FUNCTIONS = sorted(catalogue())
WIDTHS = [np.float64, np.longdouble]
WIDTH_NAMES = ["float64", "longdouble"]

each_function = pytest.mark.parametrize("name", FUNCTIONS)
each_width = pytest.mark.parametrize("width", WIDTHS, ids=WIDTH_NAMES)


def test_every_function_has_points_by_hand() -> None:
    assert set(CASES) == set(catalogue())


# -- values and gradients -------------------------------------------------------------------------


def hold_to_the_goals(name: str, case: Case) -> int:
    """Values and gradients, in both working precisions; the number of points that say something."""
    lines = examine(find(name), points=[case])
    assert {(x.aspect, x.precision): x.failures for x in lines if x.failures} == {}
    return min(line.points for line in lines)


@pytest.mark.parametrize(
    ("name", "case"),
    [pytest.param(n, c, id=f"{n}-{i}") for n in CASES for i, c in enumerate(CASES[n])],
)
def test_points_by_hand(name: str, case: Case) -> None:
    assert hold_to_the_goals(name, case)


@each_function
@settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],  # arrays are small as they are
)
@given(data=st.data())
def test_drawn_points(name: str, data: st.DataObject) -> None:
    hold_to_the_goals(name, data.draw(cases(find(name))))


# -- what gradients() returns ---------------------------------------------------------------------


def widened(inputs: dict[str, Array], width: type) -> dict[str, Array]:
    return {n: a.astype(width) if a.dtype.kind == "f" else a for n, a in inputs.items()}


@each_width
@each_function
def test_gradients_are_shaped_and_typed_as_their_inputs(name: str, width: type) -> None:
    function = find(name)
    for inputs, params in CASES[name]:
        arguments = resolve(function, widened(inputs, width), params)
        value = function(**arguments)
        gradients = function.gradients(np.ones_like(value), **arguments)
        given = [n for n in function.differentiable if n in arguments]
        wanted = {n for n in given if arguments[n].dtype.kind == "f"}
        assert value.dtype == width
        assert {n: (g.shape, g.dtype) for n, g in gradients.items()} == {
            n: (arguments[n].shape, np.dtype(width)) for n in wanted
        }


# -- special values -------------------------------------------------------------------------------

INF, NAN = np.inf, np.nan
LIMITS: list[tuple[str, dict[str, Any], dict[str, Any], Any]] = [
    ("step", {"x": [-INF, -0.0, 0.0, INF]}, {"at_zero": 0.5}, [0, 0.5, 0.5, 1]),
    ("linear", {"x": [-INF, INF]}, {}, [-INF, INF]),
    ("sigmoid", {"x": [-INF, INF]}, {}, [0, 1]),
    ("tanh", {"x": [-INF, INF]}, {}, [-1, 1]),
    ("hard_tanh", {"x": [-INF, INF]}, {"min_value": -3.0}, [-3, 1]),
    ("relu", {"x": [-INF, INF]}, {}, [0, INF]),
    ("leaky_relu", {"x": [-INF, INF]}, {}, [-INF, INF]),
    ("prelu", {"x": [[-INF, INF]], "slope": [0.5]}, {}, [[-INF, INF]]),
    ("rrelu", {"x": [-INF, INF]}, {}, [-INF, INF]),
    ("elu", {"x": [-INF, INF]}, {"alpha": 1.5}, [-1.5, INF]),
    ("maxout", {"x": [[-INF, 1.0, INF, 1.0]]}, {}, [[1, INF]]),
    ("softmax", {"x": [0.0, -INF, 0.0]}, {}, [0.5, 0, 0.5]),
    ("softmax", {"x": [0.0, INF, 0.0]}, {}, [0, 1, 0]),
    (
        "masked_softmax",
        {"x": [[-INF, 1.0, 2.0], [-INF, -INF, 3.0]], "mask": [[1.0, 0, 0], [1, 1, 0]]},
        {},
        [[1, 0, 0], [0.5, 0.5, 0]],
    ),
    ("log_softmax", {"x": [3.0, -INF]}, {}, [0, -INF]),
    ("logsumexp", {"x": [[3.0, -INF], [INF, 0.0], [-INF, -INF]]}, {}, [3, INF, -INF]),
    ("mean_absolute_error", {"input": [INF, -INF], "target": [1.0, 1.0]}, {}, [INF, INF]),
    ("mean_squared_error", {"input": [INF, -INF], "target": [1.0, 1.0]}, {}, [INF, INF]),
    ("huber", {"input": [INF, -INF], "target": [1.0, 1.0]}, {}, [INF, INF]),
    ("smooth_l1", {"input": [INF, -INF], "target": [1.0, 1.0]}, {}, [INF, INF]),
    ("poisson_nll", {"input": [-INF, INF], "target": [2.0, 0.0]}, {}, [INF, NAN]),
    (
        "binary_cross_entropy",
        {"input": [0.0, 1, 0, 1], "target": [0.0, 1, 1, 0]},
        {},
        [0, 0, INF, INF],
    ),
    (
        "binary_cross_entropy_with_logits",
        {"input": [-INF, INF, -INF, INF], "target": [0.0, 1, 1, 0]},
        {},
        [0, 0, INF, INF],
    ),
    ("hinge", {"input": [-INF, INF], "target": [1.0, 1.0]}, {}, [INF, 0]),
    ("hinge_embedding", {"input": [-INF, INF], "target": [-1.0, -1.0]}, {}, [INF, 0]),
    ("soft_margin", {"input": [-INF, INF], "target": [1.0, 1.0]}, {}, [INF, 0]),
    (
        "margin_ranking",
        {"input1": [INF, -INF], "input2": [0.0, 0.0], "target": [1.0, 1.0]},
        {},
        [0, INF],
    ),
    ("cross_entropy", {"input": [[0.0, -INF], [0.0, -INF]], "target": [0, 1]}, {}, [0, INF]),
    ("nll", {"input": [[-0.5, -INF], [-0.5, -INF]], "target": [0, 1]}, {}, [0.5, INF]),
    ("categorical_cross_entropy", {"input": [[1.0, 0], [1, 0]], "target": [0, 1]}, {}, [0, INF]),
    ("kl_divergence", {"input": [-INF, -3.0, -INF], "target": [0.0, 0.0, 1.0]}, {}, [0, 0, INF]),
    ("multi_margin", {"input": [[0.0, -INF], [0.0, INF]], "target": [0, 0]}, {}, [0, INF]),
    ("multilabel_margin", {"input": [[0.0, -INF]], "target": [[0, -1]]}, {}, [0]),
    ("multilabel_soft_margin", {"input": [[-INF, INF]], "target": [[0.0, 1]]}, {}, [0]),
    ("triplet_margin", {"anchor": [[0.0]], "positive": [[0.0]], "negative": [[INF]]}, {}, [0]),
    (
        "ctc",
        {
            "log_probs": [[[0.0, -INF], [-INF, 0.0]]],
            "targets": [[1], [1]],
            "input_lengths": [1, 1],
            "target_lengths": [1, 1],
        },
        {},
        [INF, 0],
    ),
]


@each_width
@pytest.mark.parametrize(
    ("name", "inputs", "params", "want"),
    [pytest.param(*row, id=f"{row[0]}-{i}") for i, row in enumerate(LIMITS)],
)
def test_limits(name: str, inputs: dict, params: dict, want: Any, width: type) -> None:
    arrays = widened({n: np.array(a) for n, a in inputs.items()}, width)
    value = oracle(name, arrays, params).value
    assert value is not None
    np.testing.assert_array_equal(value, np.array(want, width))


#: numbers that the value does not depend on: they may be NaN and leave it as it is
UNREAD = {
    ("prelu", "slope"): "slopes of positive numbers",
    ("nll", "weight"): "weights of classes that are no target",
    ("nll", "input"): "log-probabilities of classes that are no target",
    ("generalized_cross_entropy", "input"): "probabilities of classes that are no target",
    ("multilabel_margin", "input"): "margins of a row whose set is empty",
    ("sampled_softmax", "sampled_expected"): "counts of candidates that are left out",
    ("nce", "sampled_expected"): "counts of candidates that are left out",
    **{
        ("adaptive_log_softmax", layer): "clusters that the target is not in"
        for layer in ("projection1", "tail1", "projection2", "tail2")
    },
    ("ctc", "log_probs"): "frames beyond the input's length; classes in no alignment",
}


def reads(problem: Problem, sample: Any, entry: str, at: int) -> bool:
    """Whether a sample's values move with one number of an input."""
    with working(96, order=1):
        return not all(d.is_zero() for d in problem.derivatives(sample, Entry(entry, at)))


@each_width
@each_function
def test_nan_in_gives_nan_out(name: str, width: type) -> None:
    """In every value of every sample that holds the NaN, and in no other."""
    function = find(name)
    inputs, params = CASES[name][0]
    inputs = widened(inputs, width)
    problem = Problem(name, resolve(function, inputs, params))
    for entry in [n for n, a in inputs.items() if a.dtype.kind == "f"]:
        for at in range(min(inputs[entry].size, 12)):
            spoiled = inputs | {entry: inputs[entry].copy()}
            spoiled[entry].flat[at] = np.nan
            got = np.isnan(function(**resolve(function, spoiled, params))).ravel()
            want = np.zeros(got.shape, bool)
            for sample, outputs in zip(problem.cut.samples, problem.cut.outputs, strict=True):
                if at in np.ravel(sample[entry]):
                    want[outputs] = (name, entry) not in UNREAD or reads(problem, sample, entry, at)
            assert (got | ~want).all(), f"{entry}[{at}]"
            assert (want | ~got).all() or (name, entry) in UNREAD, f"{entry}[{at}]"


#: finite inputs at which the definition itself is 0/0, or the difference of two overflowing numbers
UNDEFINED = {
    "cosine_embedding": "a zero vector has no direction",
    "linear_cross_entropy": "the difference of two logits, both too large",
    "adaptive_log_softmax": "the difference of two logits, both too large",
    "sampled_softmax": "the difference of two logits, both too large",
    "nce": "a logit that is the difference of two products, both too large",
    "poisson_nll": "eˣ − y·x, both too large",
    "triplet_margin": "the difference of two distances, both too large",
    "triplet_margin_with_distance": "the difference of two distances, both too large",
}


def ends(kind: str, width: type) -> Array:
    """The extreme numbers of a kind."""
    tiny, largest = np.finfo(width).smallest_subnormal, np.finfo(width).max
    table = {
        "probability": [0, tiny, 1, 0.5],
        "distribution": [0, tiny, 1, 0.5],
        "log_probability": [-largest, -tiny, -0.0],
        "bit": [0, 1, 1],
        "sign": [-1, 1, 1],
        "weight": [1],
        "direction": [1, -1, tiny, 0.5],
    }
    real = [largest, -largest, tiny, -tiny, 1, -1, 0.0, -0.0]
    return np.array(table.get(kind, real), width)


@each_width
@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - set(UNDEFINED)))
def test_no_nan_at_the_ends_of_the_range(name: str, width: type) -> None:
    function = find(name)
    kind_of = function.facts.get("kind_of", {})
    for inputs, params in CASES[name]:
        extreme = dict(inputs)
        for shift, (entry, array) in enumerate(inputs.items()):
            if array.dtype.kind == "f":
                kinds = [k for k in function.inputs[entry].kinds if k not in INTEGER_KINDS]
                defined = function.defaults() | params
                kind = kind_of[entry](defined) if entry in kind_of else kinds[0]
                extreme[entry] = np.resize(np.roll(ends(kind, width), shift), array.shape)
        value = function(**resolve(function, extreme, params))
        assert not np.isnan(value).any(), f"{extreme}, {params}: {value}"


def test_what_is_undefined_is_nan() -> None:
    zero = {"input1": [[0.0, 0.0]], "input2": [[1.0, 2.0]], "target": [1.0]}
    assert np.isnan(oracle("cosine_embedding", zero).value).all()
    empty = {"input": [[0.0, 0.0]], "target": [[1.0, 0.0]]}
    assert np.isnan(oracle("categorical_cross_entropy", empty, {"normalize": True}).value).all()


@pytest.mark.parametrize(
    ("name", "inputs", "of", "want"),
    [
        ("kl_divergence", {"input": [-1.0], "target": [0.0]}, "target", [-INF]),  # y·log y at 0
        ("binary_cross_entropy", {"input": [0.0, 1.0], "target": [1.0, 0.0]}, "input", [-INF, INF]),
        ("binary_cross_entropy", {"input": [0.0, 1.0], "target": [0.0, 1.0]}, "input", [1, -1]),
    ],
)
def test_gradients_at_the_corners_of_the_domain(
    name: str, inputs: dict, of: str, want: list
) -> None:
    assert oracle(name, inputs, gradient=True).gradients[of].tolist() == want


# -- numbers printed in the source documents ------------------------------------------------------

MSE_INPUT = [
    [0.7129, -0.2203, 0.6206, 0.7164, -0.0434],
    [-0.0893, 0.4532, -0.2532, 1.8048, -0.8380],
    [-0.1634, 1.3425, 0.7831, -0.1677, -2.0653],
]
MSE_TARGET = [
    [-0.5880, -0.8215, -0.4290, -1.5599, -0.0277],
    [-0.0279, 0.5446, -1.0769, 0.7079, -0.0297],
    [0.3958, -0.7714, 0.5840, 0.1859, -0.0419],
]
SOFTMAX_ROWS = [[-1.0440, -0.6643, 0.2725], [0.7247, 0.6124, 0.3263]]
SIGMOID_OF = [1.1908, 0.1135, 2.3812]


@pytest.mark.parametrize(
    ("name", "inputs", "reduction", "printed"),
    [
        ("mean_squared_error", {"input": MSE_INPUT, "target": MSE_TARGET}, "mean", 1.3283),
        ("sigmoid", {"x": SIGMOID_OF}, "none", [0.7669, 0.5284, 0.9154]),
        (
            "binary_cross_entropy",
            {"input": [0.7669, 0.5284, 0.9154], "target": [1.0, 1.0, 0.0]},
            "mean",
            1.1243,
        ),
        (
            "softmax",
            {"x": SOFTMAX_ROWS},
            "none",
            [[0.1615, 0.2361, 0.6024], [0.3898, 0.3484, 0.2617]],
        ),
    ],
)
def test_printed_numbers(name: str, inputs: dict, reduction: str, printed: Any) -> None:
    """Half a unit in the last digit printed; as much again for the digits the inputs were printed to."""
    assert oracle(name, inputs, reduction=reduction).value == pytest.approx(
        np.array(printed), rel=0, abs=1e-4
    )


def test_printed_binary_cross_entropy_of_the_sigmoid() -> None:
    p = oracle("sigmoid", {"x": SIGMOID_OF}).value
    loss = oracle("binary_cross_entropy", {"input": p, "target": [1.0, 1, 0]}, reduction="mean")
    assert np.round(loss.value, 4) == 1.1243  # all its digits


EPSILON = 1e-7


@pytest.mark.parametrize("p", [0.9, 0.5, 0.1, 1e-3])
def test_an_epsilon_inside_the_logarithm_of_binary_cross_entropy(p: float) -> None:
    """−log(p + ε) − log(1 − p + ε) with targets 1 and 0: off by −ε/p and −ε/(1 − p) to first order."""
    inputs = {"input": [p, p], "target": [1.0, 0.0]}
    exact = oracle("binary_cross_entropy", inputs, reduction="sum").value
    shifted = oracle("binary_cross_entropy", inputs, {"epsilon": EPSILON}, reduction="sum").value
    written = -np.log(p + EPSILON) - np.log(1 - p + EPSILON)
    first, second = EPSILON / p + EPSILON / (1 - p), (EPSILON / p) ** 2 + (EPSILON / (1 - p)) ** 2
    assert shifted == pytest.approx(written, rel=1e-15)
    assert -first <= shifted - exact <= -first + second / 2 + 1e-15


@pytest.mark.parametrize("p", [[0.7, 0.2, 0.1], [1e-3, 0.5, 0.499]])
def test_an_epsilon_inside_the_logarithm_of_categorical_cross_entropy(p: list[float]) -> None:
    """−Σ y·log(p + ε), summed: off by −ε·Σ y/p to first order."""
    y = np.array([0.5, 0.25, 0.25])
    exact = oracle(
        "categorical_cross_entropy", {"input": [p], "target": [y]}, reduction="sum"
    ).value
    written = -(y * np.log(np.array(p) + EPSILON)).sum()
    first, second = EPSILON * (y / p).sum(), EPSILON**2 * (y / np.square(p)).sum()
    assert -first <= written - exact <= -first + second / 2 + 1e-15


# -- relations ------------------------------------------------------------------------------------

X = np.array(REAL[:30])
ROW = np.array([[0.3, -1.2, 2.5, 0.0], [5.0, 5.0, -3.0, 1e-9]])
PAIR = {"input": X, "target": X[::-1]}
CLASSES = np.array([2, 0])


def value(
    name: str, params: dict[str, Any] | None = None, reduction: str = "none", **inputs: Any
) -> Array:
    result = oracle(name, inputs, params, reduction).value
    assert result is not None
    return result


def gradient(
    name: str, of: str, c: Array | None = None, reduction: str = "none", **inputs: Any
) -> Array:
    return oracle(name, inputs, reduction=reduction, gradient=True, cotangent=c).gradients[of]


def close(got: Any, want: Any) -> None:
    """Equal but for a few roundings of either side."""
    np.testing.assert_array_max_ulp(np.asarray(got), np.asarray(want), maxulp=8)


@pytest.mark.parametrize("delta", [0.25, 0.7, 1.0, 13.0])
def test_huber_is_delta_times_smooth_l1(delta: float) -> None:
    close(
        value("huber", {"delta": delta}, **PAIR),
        delta * value("smooth_l1", {"beta": delta}, **PAIR),
    )


def test_tanh_is_a_stretched_sigmoid() -> None:
    x = np.array([-30.0, -3.0, -0.5, 0.4, 2.0, 18.0])
    np.testing.assert_allclose(
        value("tanh", x=x), 2 * value("sigmoid", x=2 * x) - 1, rtol=0, atol=2**-52
    )


def test_log_softmax_is_x_minus_logsumexp() -> None:
    want = ROW - value("logsumexp", x=ROW)[:, None]
    np.testing.assert_allclose(value("log_softmax", x=ROW), want, rtol=0, atol=8 * 2**-52)


def test_cross_entropy_is_nll_of_log_softmax() -> None:
    log_p = value("log_softmax", {"axis": 1}, x=ROW)
    close(
        value("cross_entropy", input=ROW, target=CLASSES), value("nll", input=log_p, target=CLASSES)
    )


def test_binary_cross_entropy_with_logits_is_that_of_the_sigmoid() -> None:
    x, y = np.array([-3.0, -0.4, 0.7, 2.0]), np.array([0.0, 1.0, 0.25, 1.0])
    p = value("sigmoid", x=x)
    close(
        value("binary_cross_entropy_with_logits", input=x, target=y),
        value("binary_cross_entropy", input=p, target=y),
    )


def test_gradient_of_cross_entropy_is_softmax_minus_one_hot() -> None:
    want = value("softmax", x=ROW) - np.eye(4)[CLASSES]
    got = gradient("cross_entropy", "input", input=ROW, target=CLASSES)
    np.testing.assert_allclose(got, want, rtol=0, atol=2**-52)


@pytest.mark.parametrize("i", range(4))
@pytest.mark.parametrize("j", range(4))
def test_jacobian_of_softmax(i: int, j: int) -> None:
    p = value("softmax", x=ROW[0])
    want = p[i] * (1 - p[i]) if i == j else -p[i] * p[j]
    close(gradient("softmax", "x", c=np.eye(4)[i], x=ROW[0])[j], want)


def test_prelu_with_one_slope_and_with_one_per_channel() -> None:
    x = np.array([[-2.0, 3.0, -4.0], [5.0, -6.0, -7.0]])
    one, many = {"x": x, "slope": [0.5]}, {"x": x, "slope": [0.5, 0.25, 2.0]}
    assert value("prelu", **one).tolist() == [[-1, 3, -2], [5, -3, -3.5]]
    assert value("prelu", **many).tolist() == [[-1, 3, -8], [5, -1.5, -14]]
    assert gradient("prelu", "slope", **one).tolist() == [-19]
    assert gradient("prelu", "slope", **many).tolist() == [-2, -6, -11]


def test_half_mean_squared_error_of_many_outputs() -> None:
    x, y = np.array(MSE_INPUT), np.array(MSE_TARGET)
    got = oracle(
        "mean_squared_error", {"input": x, "target": y}, {"half": True}, "mean", gradient=True
    )
    close(got.value, sum((a - b) ** 2 for a, b in zip(x.flat, y.flat, strict=True)) / 2 / 15)
    close(got.gradients["input"], (x - y) / 15)


def test_label_smoothing_of_certain_probabilities_costs_what_it_says() -> None:
    p = np.array(PROBABILITY[3:-2])
    smoothed = value(
        "binary_cross_entropy", {"label_smoothing": 0.5}, input=p, target=np.ones_like(p)
    )
    close(smoothed, -0.75 * np.log(p) - 0.25 * np.log1p(-p))
