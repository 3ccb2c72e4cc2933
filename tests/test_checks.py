"""Checks of people's own functions: right ones pass, wrong ones get the message that they need."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nnconform
from nnconform.conformance.checks.checks import checks_of
from nnconform.conformance.selection import UsageError

pytestmark = pytest.mark.slow

Array = np.ndarray


def mean_squared_error(input, target):
    return np.mean((input - target) ** 2)


def huber(input, target, delta=1.0):
    a = np.abs(input - target)
    return np.where(a <= delta, 0.5 * a * a, delta * (a - 0.5 * delta)).mean()


def each_huber(y_true, y_pred, delta=1.0):
    a = np.abs(y_pred - y_true)
    return np.where(a <= delta, 0.5 * a * a, delta * (a - 0.5 * delta))


def per_sample(y_true, y_pred):
    return np.mean((y_pred - y_true) ** 2, axis=-1)


def reducible(input, target, reduction="mean"):
    losses = np.abs(input - target)
    return {"mean": losses.mean, "sum": losses.sum, "none": lambda: losses}[reduction]()


def log_softmax(x):
    shifted = x - x.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def cross_entropy(logits, labels):
    return -np.mean(log_softmax(logits)[np.arange(len(labels)), labels])


def one_hot_cross_entropy(y_true, logits):
    return -np.mean(np.sum(y_true * log_softmax(logits), axis=-1))


def bce_with_logits(logits, target):
    losses = np.maximum(logits, 0) - logits * target + np.log1p(np.exp(-np.abs(logits)))
    return losses.mean()


def xlogy(y: Array, p: Array) -> Array:
    return np.where(y == 0, 0, y * np.log(np.where(y == 0, 1, p)))


def binary_cross_entropy(p, y):
    return np.mean(-xlogy(y, p) - np.where(y == 1, 0, (1 - y) * np.log1p(-np.where(y == 1, 0, p))))


class Softmax:
    """As people write callables in NumPy."""

    def __init__(self, axis=-1):
        self.axis = axis

    def __call__(self, x):
        e = np.exp(x - x.max(axis=self.axis, keepdims=True))
        return e / e.sum(axis=self.axis, keepdims=True)


def silu(x):
    with np.errstate(over="ignore"):
        return x / (1 + np.exp(-x))


LOSSES: list[tuple[Callable[..., Any], dict[str, Any]]] = [
    (mean_squared_error, {"like": "mean_squared_error"}),
    (huber, {"like": "huber", "params": {"delta": 2.0}}),
    (huber, {"like": "huber"}),
    (each_huber, {"like": "huber"}),
    (per_sample, {"like": "mean_squared_error"}),
    (reducible, {"like": "mean_absolute_error"}),
    (cross_entropy, {"like": "cross_entropy"}),
    (one_hot_cross_entropy, {"like": "cross_entropy"}),
    (bce_with_logits, {"like": "binary_cross_entropy_with_logits"}),
    (binary_cross_entropy, {"like": "binary_cross_entropy"}),
    (lambda a, b: np.sum((b - a) ** 2), {"like": "mean_squared_error", "reduction": "sum"}),
    (mean_squared_error, {"nonnegative": True, "zero_at_agreement": True}),
    (cross_entropy, {"kinds": {"input": "logits", "target": "class_index"}, "nonnegative": True}),
]


@pytest.mark.parametrize(("function", "options"), LOSSES)
def test_a_right_loss_passes(function: Any, options: dict[str, Any]) -> None:
    nnconform.check_loss(function, **options, framework="numpy", examples=6)


@pytest.mark.parametrize(
    ("function", "options"),
    [
        (Softmax(), {"like": "softmax"}),
        (Softmax, {"like": "softmax", "params": {"axis": 0}}),
        (log_softmax, {"like": "log_softmax"}),
        (silu, {"like": "silu"}),
        (silu, {}),
        (lambda x: np.maximum(x, 0), {"like": "relu", "dtypes": ["float16", "float32"]}),
        (lambda x: x * np.clip(x + 3, 0, 6) / 6, {"like": "hard_swish"}),
    ],
)
def test_a_right_activation_passes(function: Any, options: dict[str, Any]) -> None:
    nnconform.check_activation(function, **options, framework="numpy", examples=6)


# -- known mistakes ------------------------------------------------------------------------------


def smoothed(soft: Callable[[Array, float], Array]) -> Callable[..., Any]:
    def loss(logits, target, label_smoothing=0.1):
        hot = np.eye(logits.shape[1], dtype=logits.dtype)[target]
        y = soft(hot, label_smoothing).astype(logits.dtype)
        return -np.mean(np.sum(y * log_softmax(logits), axis=-1))

    return loss


def focal(p, y, gamma=2.0):
    missed = np.where(y == 1, 1 - p, p)
    return np.mean(missed**gamma * -np.log1p(-missed))


def plain_focal(p, y):
    missed = np.where(y == 1, 1 - p, p)
    return np.mean(missed * -np.log1p(-missed))


def sigmoid(x: Array) -> Array:
    return (1 / (1 + np.exp(-x))).astype(x.dtype)


K = "binary_cross_entropy"
CROSS = "cross_entropy"
MUTANTS: list[tuple[str, str, Callable[..., Any], dict[str, Any]]] = [
    ("the losses are summed", "mean_squared_error", lambda x, y: np.sum((x - y) ** 2), {}),
    (
        "divided by the number of samples",
        "mean_squared_error",
        lambda x, y: np.sum((x - y) ** 2) / len(x),
        {},
    ),
    (
        "the losses are averaged, not summed",
        "mean_squared_error",
        mean_squared_error,
        {"reduction": "sum"},
    ),
    (
        "the losses of a sample are summed",
        "mean_squared_error",
        lambda x, y: np.sum((x - y) ** 2, axis=-1),
        {},
    ),
    (
        "1e-08 is added inside the logarithm",
        K,
        lambda p, y: np.mean(-y * np.log(p + 1e-8) - (1 - y) * np.log(1 - p + 1e-8)),
        {},
    ),
    (
        "1e-06 is added inside the logarithm",
        "categorical_cross_entropy",
        lambda p, y: -np.mean(np.sum(y * np.log(p + 1e-6), axis=-1)),
        {"kinds": {"target": "distribution"}},
    ),
    (
        "1e-07 is added inside the logarithm",
        "binary_focal",
        lambda p, y: np.mean(
            np.where(y == 1, 1 - p, p) ** 2 * -np.log(np.where(y == 1, p, 1 - p) + 1e-7)
        ),
        {},
    ),
    (
        "clipped to [1e-05, 1 − 1e-05]",
        K,
        lambda p, y: binary_cross_entropy(
            np.clip(p, 1e-5, np.float64(1 - 1e-5).astype(p.dtype)), y
        ),
        {"dtypes": ["float64"]},
    ),
    (
        "bounded below by −100",
        K,
        lambda p, y: np.mean(
            -y * np.maximum(np.log(p), -100) - (1 - y) * np.maximum(np.log1p(-p), -100)
        ),
        {},
    ),
    (
        "0 · log 0 is NaN",
        K,
        lambda p, y: np.mean(-y * np.log(p) - (1 - y) * np.log1p(-p)),
        {},
    ),
    (
        "exp overflows: the formula is right, but has no shift",
        "softmax",
        lambda x: np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True),
        {},
    ),
    ("an intermediate overflows", "softplus", lambda x: np.logaddexp(0, x) + 0 * np.exp(x), {}),
    ("it computes with axis=0, not -1", "softmax", Softmax(0), {}),
    (
        "spreads s over the K − 1 other classes",
        CROSS,
        smoothed(lambda y, s: np.where(y == 1, 1 - s, s / (y.shape[1] - 1))),
        {},
    ),
    (
        "adds s/K, but leaves the true class at 1",
        CROSS,
        smoothed(lambda y, s: y + s / y.shape[1]),
        {},
    ),
    ("gives it to nobody", CROSS, smoothed(lambda y, s: y * (1 - s)), {}),
    ("adds s to every class, not s/K", CROSS, smoothed(lambda y, s: y * (1 - s) + s), {}),
    (
        "labels are smoothed twice",
        CROSS,
        smoothed(lambda y, s: (y * (1 - s) + s / y.shape[1]) * (1 - s) + s / y.shape[1]),
        {},
    ),
    ("it computes with label_smoothing=0.0, not 0.1", CROSS, smoothed(lambda y, s: y), {}),
    (
        "input and target are taken for each other",
        "mean_absolute_percentage_error",
        lambda a, b: (
            100 * np.mean(np.abs(a - b) / np.maximum(np.abs(a), np.asarray(1e-7, a.dtype)))
        ),
        {},
    ),
    (
        "the logarithm is to base 2",
        CROSS,
        lambda x, t: cross_entropy(x, t) / np.log(np.asarray(2, x.dtype)),
        {},
    ),
    (
        "every value is half of what it should be",
        "huber",
        lambda x, y: huber(x, y) / 2,
        {},
    ),
    (
        "every value is twice what it should be",
        "huber",
        lambda x, y: 2 * huber(x, y),
        {},
    ),
    ("the sign is wrong", CROSS, lambda x, t: -cross_entropy(x, t), {}),
    (
        "a square root is taken of the result",
        "mean_squared_error",
        lambda x, y: np.sqrt(mean_squared_error(x, y)),
        {},
    ),
    (
        "a softmax is applied to the logits before the loss",
        CROSS,
        lambda x, t: cross_entropy(Softmax()(x), t),
        {},
    ),
    (
        "a sigmoid is applied to what is a probability already",
        K,
        lambda p, y: binary_cross_entropy(sigmoid(p), y),
        {},
    ),
    ("the softmax is along the samples", CROSS, lambda x, t: _along_samples(x, t), {}),
    ("it computes mean_absolute_error", "huber", lambda x, y: np.mean(np.abs(x - y)), {}),
    ("it computes with gamma=1.0, not 2.0", "binary_focal", plain_focal, {}),
    (
        "it computes in float32 whatever",
        "mean_squared_error",
        lambda x, y: mean_squared_error(x.astype(np.float32), y.astype(np.float32)).astype(x.dtype),
        {"dtypes": ["float64"]},
    ),
    (
        "in float64 it has the digits of float32",
        "silu",
        lambda x: silu(x * np.asarray(np.float32(1.0000001), x.dtype)),
        {"dtypes": ["float64"]},
    ),
    ("digits are lost", "mish", lambda x: x * np.tanh(np.log(1 + np.exp(np.minimum(x, 80)))), {}),
]


def _along_samples(x: Array, target: Array) -> Any:
    along = log_softmax(x.T).T
    return -np.mean(along[np.arange(len(target)), target])


@pytest.mark.parametrize(
    ("said", "like", "function", "options"), MUTANTS, ids=[f"{m[1]}-{m[0]}" for m in MUTANTS]
)
def test_a_mistake_is_named(
    said: str, like: str, function: Callable[..., Any], options: dict[str, Any]
) -> None:
    activations = ("softmax", "softplus", "mish", "silu")
    check = nnconform.check_activation if like in activations else nnconform.check_loss
    with pytest.raises(nnconform.CheckFailed) as failed:
        check(function, like=like, framework="numpy", examples=12, **options)
    likely = [line for line in str(failed.value).split("likely: ")[1:]]
    assert len(likely) == 1, str(failed.value)
    assert said in " ".join(likely[0].split()), str(failed.value)


def test_two_mistakes_are_both_named() -> None:
    def both(p, y):
        return -np.sum(y * np.log(p + 1e-7) + (1 - y) * np.log(1 - p + 1e-7))

    with pytest.raises(nnconform.CheckFailed, match=r"(?s)1e-07 is added .* are summed"):
        nnconform.check_loss(both, like=K)


def test_no_mistake_is_named_that_does_not_account_for_everything() -> None:
    def odd(x, y):
        return np.mean((x - y) ** 2) if len(x) < 2 else np.sum((x - y) ** 2) * 1.01

    with pytest.raises(nnconform.CheckFailed, match="no known mistake accounts for it"):
        nnconform.check_loss(odd, like="mean_squared_error")


# -- other checks --------------------------------------------------------------------------------


def position(x, y):
    return np.mean((x - y) ** 2 * np.arange(1, len(x) + 1, dtype=x.dtype)[:, None])


def in_place(x, y):
    x -= y
    return np.mean(x**2)


@pytest.mark.parametrize(
    ("check", "said", "function", "options"),
    [
        ("permutation", "depends on the order", position, {}),
        ("mutation", "changes its input 'input'", in_place, {}),
        ("finite", "not finite", lambda x, y: np.mean(np.log(x)), {}),
        ("nonnegative", "negative", lambda x, y: np.mean(x - y), {"nonnegative": True}),
        (
            "zero_at_agreement",
            "is not 0 where",
            lambda x, y: np.mean((x - y) ** 2) + x.dtype.type(0.5),
            {"zero_at_agreement": True},
        ),
        ("dtype", "float64", lambda x, y: np.mean((x - y) ** 2) * np.float64(1), {}),
        (
            "special",
            "nan is swallowed",
            lambda x, y: np.nanmean((x - y) ** 2) if not np.isnan(x - y).all() else x.dtype.type(0),
            {"like": "mean_squared_error"},
        ),
        (
            "reduction",
            "where reduction='sum'",
            lambda x, y, reduction="mean": (
                np.abs(x - y) if reduction == "none" else np.mean(np.abs(x - y))
            ),
            {"like": "mean_absolute_error"},
        ),
        ("call", "answers differently", lambda x, y: np.random.default_rng().random(), {}),
        ("shape", "wrong shape", lambda x, y: (x - y)[..., None], {}),
        ("shape", "as reduction='mean' promises", lambda x, y: x - y, {"reduction": "mean"}),
        ("call", "raises when it is called", lambda x, y: x @ y, {}),
        ("call", "cannot be called as a loss", lambda x: x.mean(), {"like": "huber"}),
        ("call", "returns nothing (None)", lambda x, y: None, {}),
        ("call", "returns a str", lambda x, y: "loss", {}),
        ("value", "got   nan", lambda x, y: np.float32(np.nan), {"like": "huber"}),
        ("call", "sys.exit", lambda x, y: __import__("sys").exit(3), {}),
    ],
)
def test_what_is_wrong_fails_its_check(
    check: str, said: str, function: Any, options: dict[str, Any]
) -> None:
    with pytest.raises(nnconform.CheckFailed) as failed:
        nnconform.check_loss(function, framework="numpy", examples=6, **options)
    assert failed.value.check == check, str(failed.value)
    assert said in str(failed.value)
    assert "Traceback" not in str(failed.value)


def slope(input, target):
    return 2 * (input - target) / np.asarray(input.size, input.dtype)


def test_a_gradient_by_hand() -> None:
    nnconform.check_loss(mean_squared_error, like="mean_squared_error", gradient=slope, examples=10)
    nnconform.check_loss(mean_squared_error, gradient=slope, examples=5)
    nnconform.check_activation(
        silu, like="silu", gradient=lambda x: sigmoid(x) * (1 + x * sigmoid(-x)), examples=10
    )


@pytest.mark.parametrize("options", [{"like": "mean_squared_error"}, {}])
def test_a_wrong_gradient_by_hand(options: dict[str, Any]) -> None:
    def half(input, target):
        return slope(input, target) / 2

    with pytest.raises(nnconform.CheckFailed) as failed:
        nnconform.check_loss(mean_squared_error, gradient=half, **options)
    assert failed.value.check == "gradient"
    if options:
        assert "every derivative is 0.5 times" in str(failed.value)


@pytest.mark.parametrize(
    ("said", "gradient"),
    [
        ("cut off from its inputs", lambda x: 0 * x),
        ("a clip, a maximum or a rounding stops", lambda x: np.where(np.abs(x) < 2, 1, 0)),
        ("0 · ∞ in the backward pass", lambda x: x / x),
        ("every derivative is 3 times", lambda x: np.full_like(x, 3)),
        ("no known mistake", lambda x: x),
    ],
)
def test_a_mistake_in_a_gradient_is_named(said: str, gradient: Any) -> None:
    with pytest.raises(nnconform.CheckFailed) as failed:
        nnconform.check_activation(
            lambda x: x + 0,
            like="linear",
            framework="numpy",
            gradient=lambda x: gradient(x).astype(x.dtype),
            examples=6,
        )
    assert failed.value.check == "gradient"
    assert said in str(failed.value)


def test_kinks_are_not_held_against_anybody() -> None:
    nnconform.check_activation(
        lambda x: np.maximum(x, 0), gradient=lambda x: (x > 0).astype(x.dtype), framework="numpy"
    )


def test_a_message_is_reproducible_and_can_be_pasted() -> None:
    messages = set()
    for _ in range(2):
        with pytest.raises(nnconform.CheckFailed) as failed:
            nnconform.check_loss(mean_squared_error, like="mean_absolute_error")
        messages.add(str(failed.value))
    (message,) = messages
    pasted = [line.strip() for line in message.split("\n\n")[1].splitlines()]
    space: dict[str, Any] = {"np": np, "mean_squared_error": mean_squared_error}
    exec("\n".join(pasted[:-1]), space)
    got = float(eval(pasted[-1], space))
    assert f"got    {got:.9g}\n" in message


# -- what makes no sense -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"like": "hubr"}, "unknown function 'hubr'; nearest: huber"),
        ({"like": "mse"}, "nearest: mean_squared_error"),
        ({"like": "zzz"}, "`nnconform list`"),
        ({"like": "relu"}, "relu is an activation; use check_activation"),
        ({"like": "huber", "params": {"dleta": 1.0}}, "no parameter 'dleta'; it has delta"),
        ({"like": "huber", "params": {"delta": -1.0}}, "accepted: a number in"),
        ({"like": "huber", "reduction": "avg"}, "accepted: 'none', 'sum', 'mean'"),
        ({"like": "huber", "framework": "caffe"}, "accepted: 'torch'"),
        ({"like": "huber", "dtypes": ["float31"]}, "unknown 'float31'"),
        ({"like": "huber", "rows": "max"}, "rows='max'"),
        ({"like": "huber", "kinds": {"x": "real"}}, "unknown input 'x'; accepted: input, target"),
        ({"like": "huber", "kinds": {"input": "rael"}}, "input is no 'rael'"),
        ({"like": "huber", "arguments": ("input",)}, "in the order of your function"),
        ({"like": "huber", "timeout": 0}, "a number of seconds above 0"),
        ({"params": {"delta": 1.0}}, "takes no delta"),
    ],
)
def test_wrong_usage_is_one_line(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as wrong:
        nnconform.check_loss(mean_squared_error, **{"framework": "numpy", **options})
    assert said in str(wrong.value)
    assert "\n" not in str(wrong.value)


def test_what_is_not_callable() -> None:
    with pytest.raises(UsageError, match="3 is not callable"):
        nnconform.check_loss(3, like="huber")  # type: ignore[arg-type]


def hangs(input, target):
    while True:
        time.sleep(0.01)


def test_a_function_that_hangs_ends_within_its_time() -> None:
    began = time.monotonic()
    with pytest.raises(nnconform.CheckFailed, match=r"did not answer within 0\.5 seconds"):
        nnconform.check_loss(hangs, like="huber", framework="numpy", timeout=0.5)
    assert time.monotonic() - began < 5


def test_a_slow_function_is_checked_within_its_time() -> None:
    def slow(input, target):
        time.sleep(0.02)
        return huber(input, target)

    began = time.monotonic()
    nnconform.check_loss(slow, like="huber", framework="numpy", timeout=4)
    assert time.monotonic() - began < 5


def test_time_is_limited_in_other_threads() -> None:
    said: list[str] = []

    def work() -> None:
        try:
            nnconform.check_loss(hangs, like="huber", framework="numpy", timeout=0.5)
        except nnconform.CheckFailed as error:
            said.append(str(error))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(10)
    assert len(said) == 1
    assert "did not answer within 0.5 seconds" in said[0]


# -- pytest --------------------------------------------------------------------------------------


def test_one_test_for_each_check() -> None:
    mark = nnconform.parametrize_checks(
        [(huber, {"like": "huber"}), (silu, {"kind": "activation"})]
    )
    names, cases = mark.args
    assert names == "check"
    expected = [f"huber-{c.name}" for c in checks_of("loss", True)]
    expected += [f"silu-{c.name}" for c in checks_of("activation", False)]
    assert [case.id for case in cases] == expected
    with pytest.raises(UsageError, match="say like="):
        nnconform.parametrize_checks([huber])


@nnconform.parametrize_checks(
    [
        (huber, {"like": "huber", "framework": "numpy", "examples": 4}),
        (silu, {"like": "silu", "framework": "numpy", "examples": 4}),
        (huber, {"kind": "loss", "nonnegative": True, "framework": "numpy", "examples": 4}),
    ]
)
def test_parametrized(check: Callable[[], None]) -> None:
    check()
