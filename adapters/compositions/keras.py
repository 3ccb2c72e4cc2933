"""Keras, on each of its backends: what it has no callable for, composed of those it has."""

from __future__ import annotations

from collections.abc import Mapping

from ..dialects import SMOOTH, to_epsilon
from ..interface import Binding, compose
from . import APART, BUT_FLOAT16, COSINE_EPSILON, EVERY, LAST, SLOPED, WIDE

#: where keras.ops.clip keeps to the dtype: on PyTorch it takes its bounds in float32
CLIPPED = {"tensorflow": EVERY, "torch": "float16 float32"}

#: rows that clip, by backend
_CLIPPING: Mapping[str, tuple[Binding, ...]] = {
    backend: (
        compose("hard_tanh", "keras.ops.clip(x, {min_value}, {max_value})", dtypes=dtypes),
        compose(
            "kl_divergence",
            "(y := keras.ops.clip(target, 1e-7, 1)) * (keras.ops.log(y) - input)",
            dialect={"clip": to_epsilon},
            dtypes=dtypes,
        ),
    )
    for backend, dtypes in CLIPPED.items()
}

ACTIVATIONS: tuple[Binding, ...] = (
    compose(
        "maxout",
        "keras.ops.max(keras.ops.reshape(x, (x.shape[0], -1, {groups}, *x.shape[2:])), axis=2)",
    ),
    compose("softmin", "keras.ops.softmax(-x, axis={axis})"),
    compose("crelu", "keras.ops.concatenate([keras.ops.relu(x), keras.ops.relu(-x)], axis={axis})"),
    compose("silu", "x * keras.ops.sigmoid({beta} * x)"),
    # log_sigmoid, because softplus is cut off at 20 on PyTorch
    compose(
        "softplus",
        "-keras.ops.log_sigmoid(-{beta} * x) / {beta}",
        dialect=SMOOTH,
        dtypes=BUT_FLOAT16,
    ),
)

_REGRESSION: tuple[Binding, ...] = (
    compose(
        "smooth_l1",
        "keras.ops.where((a := keras.ops.abs(input - target)) < {beta},"
        " a * a / (2 * {beta}), a - {beta} / 2)",
        domains={"beta": SLOPED},
    ),
    compose("poisson_nll", "keras.ops.exp(input) - target * input"),
    compose(
        "gaussian_nll",
        # the gradient passes by the clamp, as in torch
        "(keras.ops.log(v := var + keras.ops.stop_gradient(keras.ops.relu({eps} - var)))"
        " + keras.ops.square(input - target) / v) / 2",
        kinds={"input": "feature", "target": "feature"},
        dtypes=BUT_FLOAT16,
    ),
    compose("l2_loss", "keras.ops.square(input) / 2"),
    compose(
        "mean_pairwise_squared_error",
        "2 * keras.ops.sum(keras.ops.square("
        "(d := keras.ops.reshape(input - target, (input.shape[0], -1)))"
        " - keras.ops.sum(d, axis=1, keepdims=True) / d.shape[1]), axis=1) / max(d.shape[1] - 1, 1)",
    ),
)

_TWO_CLASSES: tuple[Binding, ...] = (
    compose(
        "binary_cross_entropy_with_logits",
        "-(pos_weight * target * keras.ops.log_sigmoid(input)"
        " + (1 - target) * keras.ops.log_sigmoid(-input))",
    ),
    compose(
        "hinge_embedding",
        "keras.ops.where(target > 0, input, keras.ops.relu({margin} - input))",
    ),
    compose("soft_margin", "-keras.ops.log_sigmoid(target * input)"),
    compose("margin_ranking", "keras.ops.relu({margin} - target * (input1 - input2))"),
)

_CLASSES: tuple[Binding, ...] = (
    compose(
        "cross_entropy",
        "keras.ops.take(weight, target)"
        " * keras.ops.sparse_categorical_crossentropy(target, input, from_logits=True)",
        kinds={"target": "class_index"},
        dialect=LAST,
    ),
    *(
        compose(
            "linear_cross_entropy",
            "keras.ops.sparse_categorical_crossentropy(target, "
            f"input @ keras.ops.transpose(linear_weight){bias}, from_logits=True)",
            kinds={"target": "class_index"},
            max_rank=1,
        )
        for bias in ("", " + linear_bias")
    ),
    compose(
        "nll",
        "-keras.ops.squeeze(keras.ops.take_along_axis("
        "input, keras.ops.expand_dims(target, -1), axis=-1), -1)",
        dialect=LAST,
    ),
    compose(
        "kl_divergence",
        "keras.ops.exp(target) * (target - input)",
        dialect={"log_target": True},
    ),
    compose(
        "multi_margin",
        "keras.ops.sum((1 - (own := keras.ops.one_hot(target, input.shape[1], dtype=input.dtype)))"
        " * keras.ops.relu({margin} - keras.ops.sum(own * input, axis=1, keepdims=True) + input)"
        " ** {p}, axis=1) / input.shape[1]",
    ),
    compose(
        "multilabel_soft_margin",
        "keras.ops.sum(keras.ops.binary_crossentropy(target, input, from_logits=True), axis=1)"
        " / input.shape[1]",
    ),
)

_EMBEDDINGS: tuple[Binding, ...] = (
    compose("cosine_distance", "1 - keras.ops.sum(input * target, axis={axis}, keepdims=True)"),
    compose(
        "cosine_embedding",
        "keras.ops.where(target > 0,"
        " 1 - (cosine := keras.ops.sum(input1 * input2, axis=1)"
        " * keras.ops.rsqrt(keras.ops.sum(input1 * input1, axis=1) + 1e-12)"
        " * keras.ops.rsqrt(keras.ops.sum(input2 * input2, axis=1) + 1e-12)),"
        " keras.ops.relu(cosine - {margin}))",
        dialect=COSINE_EPSILON,
        dtypes=BUT_FLOAT16,
    ),
    compose(
        "pairwise_distance",
        "keras.ops.sum(keras.ops.abs(input1 - input2 + {eps}) ** {p},"
        " axis=-1, keepdims={keepdim}) ** (1 / {p})",
        domains={"eps": APART},
        dtypes=BUT_FLOAT16,
    ),
    compose(
        "triplet_margin",
        "keras.ops.relu("
        "keras.ops.sum(keras.ops.abs(anchor - positive + {eps}) ** {p}, axis=-1) ** (1 / {p})"
        " - keras.ops.sum(keras.ops.abs(anchor - negative + {eps}) ** {p}, axis=-1) ** (1 / {p}) + {margin})",
        domains={"eps": APART},
        dtypes=BUT_FLOAT16,
    ),
    compose(
        "triplet_margin",
        "keras.ops.relu("
        "keras.ops.sum(keras.ops.abs(anchor - positive + {eps}) ** {p}, axis=-1) ** (1 / {p})"
        " - keras.ops.min(keras.ops.stack(["
        "keras.ops.sum(keras.ops.abs(anchor - negative + {eps}) ** {p}, axis=-1) ** (1 / {p}),"
        " keras.ops.sum(keras.ops.abs(positive - negative + {eps}) ** {p}, axis=-1) ** (1 / {p})]), axis=0) + {margin})",
        dialect={"swap": True},
        domains={"eps": APART},
        dtypes=WIDE,
    ),
    compose(
        "triplet_margin_with_distance",
        "keras.ops.relu(keras.ops.sqrt(keras.ops.sum((anchor - positive + 1e-6) ** 2, axis=-1))"
        " - keras.ops.sqrt(keras.ops.sum((anchor - negative + 1e-6) ** 2, axis=-1)) + {margin})",
        dtypes=BUT_FLOAT16,
    ),
)

#: by backend
COMPOSITIONS: Mapping[str, tuple[Binding, ...]] = {
    backend: (
        *clipping,
        *ACTIVATIONS,
        *_REGRESSION,
        *_TWO_CLASSES,
        *_CLASSES,
        *_EMBEDDINGS,
    )
    for backend, clipping in _CLIPPING.items()
}
