"""Checks of functions in PyTorch, TensorFlow, Keras and JAX: how they are told, called and compiled."""

from __future__ import annotations

import functools
from typing import Any

import pytest

import nnconform
from nnconform.conformance.checks import user
from nnconform.conformance.selection import UsageError

QUICK = {"examples": 6}


def failing(function: Any, **options: Any) -> nnconform.CheckFailed:
    kind = "check_activation" if options.pop("kind", "loss") == "activation" else "check_loss"
    with pytest.raises(nnconform.CheckFailed) as failed:
        getattr(nnconform, kind)(function, **QUICK, **options)
    return failed.value


@pytest.mark.framework("torch")
def test_torch() -> None:
    import torch

    class Huber(torch.nn.Module):
        def __init__(self, delta=1.0, reduction="mean"):
            super().__init__()
            self.delta, self.reduction = delta, reduction

        def forward(self, pred, label):
            a = (pred - label).abs()
            each = torch.where(a <= self.delta, 0.5 * a * a, self.delta * (a - 0.5 * self.delta))
            return each if self.reduction == "none" else getattr(each, self.reduction)()

    nnconform.check_loss(Huber, like="huber", params={"delta": 2.0}, **QUICK)
    nnconform.check_loss(Huber(0.5, "sum"), like="huber", params={"delta": 0.5}, **QUICK)
    nnconform.check_loss(Huber(), nonnegative=True, zero_at_agreement=True, **QUICK)
    assert user.framework_of(Huber) == "torch"
    smooth = functools.partial(torch.nn.functional.smooth_l1_loss, beta=0.5)
    nnconform.check_loss(
        smooth, like="smooth_l1", params={"beta": 0.5}, framework="torch", dtypes=["bfloat16"]
    )

    def stopped(x, y):
        return (x.detach() - y).pow(2).mean()

    found = failing(stopped, like="mean_squared_error")
    assert found.check == "gradient"
    assert "cut off from its inputs" in str(found)

    def half(x, y):
        return ((x - y) * (x - y).detach()).mean()

    assert "every derivative is 0.5 times" in str(failing(half, like="mean_squared_error"))
    assert failing(half).check == "gradient"

    def root(x, y):
        return (x - y).pow(2).mean().sqrt()

    found = failing(root)
    assert found.check == "finite_gradient"
    assert "input and target agree here" in str(found)

    assert "0 · ∞ in the backward pass" in str(
        failing(lambda p, y: _unsafe_entropy(torch, p, y), like="binary_cross_entropy")
    )

    def clamped(x):
        return x.clamp_(min=0)

    assert failing(clamped, like="relu", kind="activation").check == "mutation"

    def number(x, y):
        return (x - y).pow(2).mean().item()

    assert "returns a float, not a torch.Tensor" in str(failing(number, like="huber"))


def _unsafe_entropy(torch: Any, p: Any, y: Any) -> Any:
    """Right values; the branch that is not chosen makes NaN of the gradient."""
    first = torch.where(y == 0, torch.zeros_like(p), y * torch.log(p))
    second = torch.where(y == 1, torch.zeros_like(p), (1 - y) * torch.log1p(-p))
    return -(first + second).mean()


@pytest.mark.framework("tensorflow", "keras")
def test_tensorflow_and_keras() -> None:
    import keras
    import tensorflow as tf

    if keras.backend.backend() != "tensorflow":
        pytest.skip("Keras computes with another backend in this process")

    def squared(y_true, y_pred):
        return tf.reduce_mean(tf.square(y_true - y_pred))

    nnconform.check_loss(squared, like="mean_squared_error", **QUICK)
    assert user.framework_of(squared) == "tensorflow"

    class Squared(keras.losses.Loss):
        def call(self, y_true, y_pred):
            return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)

    for reduction in ("sum_over_batch_size", "sum", "none"):
        nnconform.check_loss(Squared(reduction=reduction), like="mean_squared_error", **QUICK)
    assert user.framework_of(Squared) == "keras"

    class Relu(keras.layers.Layer):
        def call(self, x):
            return keras.ops.maximum(x, 0.0)

    nnconform.check_activation(Relu, like="relu", **QUICK)
    found = failing(keras.losses.BinaryCrossentropy(), like="binary_cross_entropy")
    assert "probabilities are clipped to [1e-07, 1 − 1e-07]" in str(found)

    def numpyish(y_true, y_pred):
        return tf.reduce_mean(tf.square(y_true - tf.constant(y_pred.numpy())))

    found = failing(numpyish, like="mean_squared_error")
    assert found.check == "gradient"
    assert "cut off from its inputs" in str(found)
    assert "compiled" in found.others


@pytest.mark.framework("jax")
def test_jax() -> None:
    import jax.numpy as jnp

    def squared(predictions, targets):
        return jnp.mean((predictions - targets) ** 2)

    assert user.framework_of(squared) == "jax"
    nnconform.check_loss(squared, like="mean_squared_error", **QUICK)

    def decides(predictions, targets):
        if predictions.sum() > 0:
            return squared(predictions, targets)
        return squared(targets, predictions)

    found = failing(decides, like="mean_squared_error", framework="jax")
    assert found.check == "compiled"
    assert "jax.jit" in str(found)

    def unshifted(x):
        return jnp.exp(x) / jnp.exp(x).sum(axis=-1, keepdims=True)

    assert "exp overflows" in str(failing(unshifted, like="softmax", kind="activation"))


def test_a_framework_that_is_not_installed_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    from nnconform.adapters.jax import JaxAdapter

    monkeypatch.setattr(JaxAdapter, "installed", lambda self: False)
    with pytest.raises(UsageError, match="jax is not installed; add it with: pip install jax"):
        nnconform.check_loss(lambda x, y: x, like="huber", framework="jax")
