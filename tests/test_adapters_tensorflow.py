"""The TensorFlow and Keras adapters: tensors, gradients, bindings that exist, reproducers."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest

from nnconform.adapters import adapter
from nnconform.reference import catalogue
from nnconform.reference.floats import DTYPES, float_of
from nnconform.reference.oracle import oracle

from .frameworks import each

pytestmark = pytest.mark.framework("tensorflow")


def completed(outcome):
    """An outcome that must not be an error."""
    if outcome.error is not None:
        raise outcome.error
    return outcome


@pytest.fixture(scope="module", params=each("tensorflow", "keras"))
def framework(request):
    made = adapter(request.param)
    made.start()
    return made


def test_gradient_of_the_textbook_example(framework):
    """x = ones(2, 2), y = x + 2, out = mean(3·y²): out = 27, ∂out/∂x = 4.5."""
    import tensorflow as tf

    x = framework.tensor(np.ones((2, 2), np.float32))
    value, gradients, refused = framework.differentiate(
        lambda t: tf.reduce_mean(3 * (t["x"] + 2) ** 2),
        {"x": x},
        ["x"],
        lambda shape, dtype: np.ones(shape, dtype),
    )
    assert framework.array(value) == 27
    np.testing.assert_array_equal(framework.array(gradients["x"]), np.full((2, 2), 4.5))
    assert not refused


def test_cotangent_has_shape_and_dtype_of_the_value(framework):
    asked = []

    def cotangent(shape, dtype):
        asked.append((shape, dtype))
        return np.full(shape, 2, float_of(dtype).dtype)

    x = framework.tensor(np.ones((2, 3), float_of("bfloat16").dtype))
    _, gradients, _ = framework.differentiate(lambda t: t["x"] * 3, {"x": x}, ["x"], cotangent)
    assert asked == [((2, 3), "bfloat16")]
    assert (framework.array(gradients["x"]) == 6).all()


def test_an_input_without_a_path_to_the_value_is_refused_and_the_others_are_not(framework):
    tensors = {n: framework.tensor(np.ones(2, np.float32)) for n in ("x", "y")}
    value, gradients, refused = framework.differentiate(
        lambda t: t["x"] * 2, tensors, ["x", "y"], lambda shape, dtype: np.ones(shape, dtype)
    )
    assert set(gradients) == {"x"}
    assert "y" in refused["y"]
    assert (framework.array(value) == 2).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (6,), (2, 3), (3, 1, 2), (1, 2, 3, 1), (0, 3)])
def test_tensors_keep_their_bits(framework, dtype, shape):
    kind = float_of(dtype)
    corners = [np.nan, np.inf, -np.inf, -0.0, kind.smallest_subnormal, kind.largest]
    array = np.resize(np.array(corners, np.float64), shape).astype(kind.dtype)
    back = framework.array(framework.tensor(array))
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    assert back.tobytes() == array.tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_source_of_a_tensor_makes_the_same_bits(framework, dtype):
    kind = float_of(dtype)
    array = np.array([[np.nan, np.inf, -0.0], [kind.smallest_subnormal, 1 / 3, -1]], kind.dtype)
    scope: dict = {}
    exec(f"{framework.preamble}\nmade = {framework.source(array)}", scope)
    assert framework.array(scope["made"]).tobytes() == array.tobytes()


def test_every_binding_names_a_callable_and_known_inputs_and_parameters(framework):
    functions = catalogue()
    seen = set()
    for binding in framework.bindings:
        assert callable(framework.lookup(binding.path)), binding.id
        known = {*functions[binding.function].inputs, *functions[binding.function].parameters}
        named = {*binding.args, *binding.keywords, *binding.layout, *binding.implied}
        assert named <= known | {"sample_weight"}, binding.id
        assert (binding.id, binding.function) not in seen
        seen.add((binding.id, binding.function))


REPRODUCED = {
    "tensorflow": [
        ("leaky_relu", "tf.nn", {"x": [-2.0, 3.0]}, {"slope": 0.25}, None),
        (
            "binary_cross_entropy_with_logits",
            "tf.nn",
            {"input": [0.5, -1.0], "target": [0.0, 1.0]},
            {},
            None,
        ),
        (
            "mean_absolute_error",
            "tf.compat.v1.losses",
            {"input": [1.0, 5.0], "target": [0.0, 2.0], "sample_weight": [0.0, 2.0]},
            {},
            "nonzero_mean",
        ),
    ],
    "keras": [
        ("elu", "keras.activations", {"x": [-2.0, 3.0]}, {"alpha": 0.5}, None),
        ("huber", "keras.losses", {"input": [[1.0, 5.0]], "target": [[0.0, 2.0]]}, {}, None),
        ("step", "keras.ops", {"x": [-1.0, 0.0, 2.0]}, {"at_zero": 0.5}, None),
    ],
}


@pytest.mark.parametrize("index", range(3))
def test_a_reproducer_prints_what_evaluate_gives_and_the_oracle_wants(framework, index):
    function, surface, inputs, params, reduction = REPRODUCED[framework.name][index]
    inputs = {k: np.array(v, np.float32) for k, v in inputs.items()}
    binding = framework.select(function, surface)
    got = completed(framework.evaluate(function, inputs, params, reduction, surface=surface)).value
    want = oracle(function, inputs, params, reduction or "none", rows=binding.rows).value
    np.testing.assert_allclose(got, want, rtol=1e-6)
    spelling = next((s for s in binding.reductions if s.meaning == reduction), None)
    script = framework.reproducer(binding.call(inputs, params, spelling, "float32"), "w", "g")
    assert script.startswith("import numpy as np")
    assert script.endswith("# got g, want w")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(script, {})
    assert str(got) in printed.getvalue()


@pytest.mark.framework("keras")
def test_keras_ctc_derives_its_lengths_and_takes_batches_first():
    rng = np.random.default_rng(0)
    inputs = {
        "log_probs": rng.normal(size=(6, 2, 3)).astype(np.float32),
        "targets": np.array([[1, 2], [2, 0]]),
        "input_lengths": np.array([6, 6]),
        "target_lengths": np.array([2, 1]),
    }
    found = completed(adapter("keras").evaluate("ctc", inputs, gradient=True))
    assert found.gradients["log_probs"].shape == (6, 2, 3)
    log_probs = inputs["log_probs"].astype(np.float64)
    log_probs -= np.log(np.exp(log_probs).sum(axis=2, keepdims=True))
    want = oracle("ctc", {**inputs, "log_probs": log_probs}, gradient=True)
    np.testing.assert_allclose(found.value, want.value, rtol=1e-6)
    p = np.exp(log_probs)
    by_logits = want.gradients["log_probs"]
    by_logits = by_logits - p * by_logits.sum(axis=2, keepdims=True)
    np.testing.assert_allclose(found.gradients["log_probs"], by_logits, atol=1e-6)
    with pytest.raises(ValueError, match="takes 'input_lengths' to be"):
        adapter("keras").evaluate("ctc", {**inputs, "input_lengths": np.array([6, 5])})


def test_a_refused_dtype_is_told_from_a_mistake(framework):
    import tensorflow as tf

    with pytest.raises(Exception, match="allowed values") as refused:
        tf.nn.leaky_relu(tf.constant(["text"]))
    assert framework.unsupported(refused.value)
    with pytest.raises(tf.errors.InvalidArgumentError) as mistake:
        tf.constant([1.0, 2.0]) + tf.constant([1.0, 2.0, 3.0])
    assert not framework.unsupported(mistake.value)


@pytest.mark.framework("keras")
@pytest.mark.parametrize("namespace", ["activations", "layers", "losses", "ops"])
def test_tf_keras_is_keras(namespace):
    """What is measured on Keras' surfaces holds of ``tf.keras``, aliases such as ``MSE`` included."""
    keras, tensorflow = adapter("keras"), adapter("tensorflow")
    ours = {b.callable for b in keras.bindings if b.surface.name == f"keras.{namespace}"}
    assert ours
    for name in ours:
        if name in tensorflow.offers(f"tf.keras.{namespace}"):
            found = tensorflow.lookup(f"tf.keras.{namespace}.{name}")
            assert found is keras.lookup(f"keras.{namespace}.{name}"), name
    if namespace != "layers":
        objects = {
            id(keras.lookup(f"keras.{namespace}.{n}")) for n in keras.offers(f"keras.{namespace}")
        }
        strange = [
            name
            for name in tensorflow.offers(f"tf.keras.{namespace}")
            if id(tensorflow.lookup(f"tf.keras.{namespace}.{name}")) not in objects
        ]
        assert strange == ["Reduction"] * (namespace == "losses")
