"""TensorFlow: what it has no callable for, composed of those it has."""

from __future__ import annotations

from ..dialects import SMOOTH, epsilon, to_epsilon, within_epsilon
from ..interface import Binding, compose
from . import APART, BUT_FLOAT16, COSINE_EPSILON, CURVED, EVERY, FLOORED, FOCUS, LAST, SLOPED, WIDE

ACTIVATIONS: tuple[Binding, ...] = (
    compose("linear", "tf.identity(x)"),
    compose("hard_tanh", "tf.clip_by_value(x, {min_value}, {max_value})"),
    compose("prelu", "tf.where(x > 0, x, tf.reshape(slope, [-1] + [1] * (x.shape.rank - 2)) * x)"),
    compose("elu", "tf.where(x > 0, x, {alpha} * tf.nn.elu(x))"),
    compose(
        "maxout",
        "tf.reduce_max(tf.reshape(x, [x.shape[0], -1, {groups}, *x.shape[2:]]), axis=2)",
    ),
    compose("hard_sigmoid", "(tf.clip_by_value(x, -3, 3) + 3) / 6"),
    compose("hard_swish", "x * (tf.clip_by_value(x, -3, 3) + 3) / 6"),
    compose("hard_shrink", "tf.where(tf.abs(x) > {threshold}, x, 0)"),
    compose("soft_shrink", "x - tf.clip_by_value(x, -{threshold}, {threshold})"),
    compose("tanh_shrink", "x - tf.tanh(x)"),
    compose("threshold", "tf.where(x > {threshold}, x, {value})"),
    compose("thresholded_relu", "tf.where(x > {threshold}, x, {slope} * (x - {threshold}))"),
    compose("sparse_plus", "tf.where(x < 1, tf.square(tf.clip_by_value(x, -1, 1) + 1) / 4, x)"),
    compose("sparse_sigmoid", "(tf.clip_by_value(x, -1, 1) + 1) / 2"),
    compose("softmin", "tf.nn.softmax(-x, axis={axis})"),
    compose("glu", "(halves := tf.split(x, 2, axis={axis}))[0] * tf.sigmoid(halves[1])"),
    compose("mish", "x * tf.tanh(tf.nn.softplus(x))"),
    compose(
        "softplus",
        "tf.nn.softplus({beta} * x) / {beta}",
        dialect=SMOOTH,
        dtypes=BUT_FLOAT16,
    ),
    compose("celu", "tf.where(x > 0, x, {alpha} * tf.nn.elu(x / {alpha}))"),
    compose("exponential", "tf.exp(x)", dtypes=BUT_FLOAT16),
    compose("squareplus", "(x + tf.sqrt(tf.square(x) + {b})) / 2", domains={"b": CURVED}),
    # τ is the largest (x₁ + … + xₖ − 1)/k of the k largest
    compose(
        "sparsemax",
        "tf.nn.relu((z := x - tf.stop_gradient(tf.reduce_max(x, axis={axis}, keepdims=True)))"
        " - tf.reduce_max("
        '(tf.cumsum(tf.sort(z, axis={axis}, direction="DESCENDING"), axis={axis}) - 1)'
        " / tf.cumsum(tf.ones_like(z), axis={axis}), axis={axis}, keepdims=True))",
    ),
    compose(
        "masked_softmax",
        "tf.nn.softmax(tf.where(mask > 0, x, x.dtype.min), axis={axis}) * mask",
    ),
)

_REGRESSION: tuple[Binding, ...] = (
    compose(
        "smooth_l1",
        "tf.where((a := tf.abs(input - target)) < {beta}, a * a / (2 * {beta}), a - {beta} / 2)",
        domains={"beta": SLOPED},
    ),
    compose(
        "poisson_nll",
        "input - target * tf.math.log(input + {eps})",
        dialect={"log_input": False},
    ),
    compose(
        "gaussian_nll",
        # the gradient passes by the clamp, as in torch
        "(tf.math.log(v := var + tf.stop_gradient(tf.nn.relu({eps} - var)))"
        " + tf.square(input - target) / v) / 2",
        kinds={"input": "feature", "target": "feature"},
        dtypes=BUT_FLOAT16,
    ),
    compose("log_cosh", "(d := input - target) + tf.nn.softplus(-2 * d) - 0.6931471805599453"),
    compose(
        "mean_absolute_percentage_error",
        "100 * tf.abs(input - target) / tf.maximum(tf.abs(target), 1e-7)",
        dialect={"epsilon": epsilon},
        dtypes=BUT_FLOAT16,
    ),
    compose(
        "mean_squared_logarithmic_error",
        "tf.square(tf.math.log1p(tf.maximum(input, 1e-7)) - tf.math.log1p(tf.maximum(target, 1e-7)))",
        dialect={"epsilon": epsilon},
    ),
)

_TWO_CLASSES: tuple[Binding, ...] = (
    compose("squared_hinge", "tf.square(tf.nn.relu(1 - target * input))", kinds={"target": "sign"}),
    compose("hinge_embedding", "tf.where(target > 0, input, tf.nn.relu({margin} - input))"),
    compose("soft_margin", "tf.nn.softplus(-target * input)"),
    compose("margin_ranking", "tf.nn.relu({margin} - target * (input1 - input2))"),
    *(
        compose(
            "binary_focal",
            f"{balance}({missed}) ** {{gamma}} * {entropy}",
            kinds={"input": kind},
            domains={"gamma": FOCUS},
            dialect={**given, "apply_class_balancing": bool(balance)},
            dtypes=dtypes,
        )
        for kind, missed, entropy, given, dtypes in (
            (
                "probability",
                "target * (1 - input) + (1 - target) * input",
                "-(target * tf.math.log(p := tf.clip_by_value(input, 1e-7, 1 - 1e-7))"
                " + (1 - target) * tf.math.log1p(-p))",
                {"clip": within_epsilon},
                WIDE,
            ),
            (
                "logits",
                "target * tf.sigmoid(-input) + (1 - target) * tf.sigmoid(input)",
                "tf.nn.sigmoid_cross_entropy_with_logits(labels=target, logits=input)",
                {"from_logits": True},
                EVERY,
            ),
        )
        for balance in ("", "({alpha} * target + (1 - {alpha}) * (1 - target)) * ")
    ),
)

_CLASSES: tuple[Binding, ...] = (
    compose(
        "cross_entropy",
        "tf.gather(weight, target) * tf.nn.sparse_softmax_cross_entropy_with_logits(target, input)",
        kinds={"target": "class_index"},
        dialect=LAST,
    ),
    compose(
        "cross_entropy",
        "tf.where((kept := target != {ignore_index}),"
        " tf.nn.sparse_softmax_cross_entropy_with_logits(tf.where(kept, target, 0), input), 0)",
        kinds={"target": "class_index"},
        dialect=LAST,
    ),
    *(
        compose(
            "linear_cross_entropy",
            "tf.nn.sparse_softmax_cross_entropy_with_logits("
            f"target, tf.matmul(input, linear_weight, transpose_b=True){bias})",
            kinds={"target": "class_index"},
            max_rank=1,
        )
        for bias in ("", " + linear_bias")
    ),
    compose("nll", "-tf.gather(input, target, batch_dims=target.shape.rank)", dialect=LAST),
    compose(
        "categorical_cross_entropy",
        "-tf.reduce_sum(target * tf.math.log(tf.clip_by_value(input, 1e-7, 1)), axis=-1)",
        kinds={"target": "distribution"},
        dialect={**LAST, "clip": to_epsilon},
    ),
    compose(
        "categorical_cross_entropy",
        "-tf.math.log(tf.clip_by_value("
        "tf.gather(input, target, batch_dims=target.shape.rank), 1e-7, 1))",
        kinds={"target": "class_index"},
        dialect={**LAST, "clip": to_epsilon},
    ),
    compose(
        "kl_divergence",
        "(y := tf.clip_by_value(target, 1e-7, 1)) * (tf.math.log(y) - input)",
        dialect={"clip": to_epsilon},
    ),
    compose(
        "kl_divergence",
        "tf.exp(target) * (target - input)",
        dialect={"log_target": True},
    ),
    compose(
        "kl_divergence",
        "(y := tf.clip_by_value(target, 1e-7, 1))"
        " * tf.math.log(y / tf.clip_by_value(input, 1e-7, 1))",
        dialect={"log_input": False, "clip": to_epsilon},
        dtypes=BUT_FLOAT16,
    ),
    compose(
        "multi_margin",
        "tf.reduce_mean(tf.where(tf.one_hot(target, input.shape[1], True, False), 0, tf.nn.relu("
        "{margin} - tf.gather(input, target, batch_dims=1)[:, None] + input) ** {p}), axis=1)",
    ),
    compose(
        "multilabel_soft_margin",
        "tf.reduce_mean("
        "tf.nn.sigmoid_cross_entropy_with_logits(labels=target, logits=input), axis=1)",
    ),
    compose(
        "categorical_hinge",
        "tf.nn.relu(tf.reduce_max((1 - target) * input, axis=-1)"
        " - tf.reduce_sum(target * input, axis=-1) + 1)",
        dialect=LAST,
    ),
    compose(
        "categorical_focal",
        "-{alpha} * tf.reduce_sum(target * (1 - (p := tf.clip_by_value(input, 1e-7, 1 - 1e-7)))"
        " ** {gamma} * tf.math.log(p), axis=-1)",
        domains={"gamma": FOCUS},
        dialect={**LAST, "clip": within_epsilon},
        dtypes=BUT_FLOAT16,
    ),
    compose(
        "categorical_focal",
        "-{alpha} * tf.reduce_sum(target * (1 - tf.nn.softmax(input)) ** {gamma}"
        " * tf.nn.log_softmax(input), axis=-1)",
        kinds={"input": "logits"},
        domains={"gamma": FOCUS},
        dialect={**LAST, "from_logits": True},
    ),
    compose(
        "generalized_cross_entropy",
        "(1 - tf.gather(input, target, batch_dims=1) ** {q}) / {q}",
    ),
)

_MASKS: tuple[Binding, ...] = tuple(
    row
    for axes, given in (("", {"batch": True}), (", axis=range(1, input.shape.rank)", {}))
    for row in (
        compose(
            "dice",
            f"1 - 2 * tf.reduce_sum(input * target{axes})"
            f" / (tf.reduce_sum(input + target{axes}) + 1e-7)",
            dialect={"epsilon": epsilon, **given},
            min_rank=2,
            dtypes=BUT_FLOAT16,
        ),
        compose(
            "tversky",
            f"1 - (found := tf.reduce_sum(input * target{axes}))"
            f" / (found + {{alpha}} * tf.reduce_sum(input * (1 - target){axes})"
            f" + {{beta}} * tf.reduce_sum((1 - input) * target{axes}) + 1e-7)",
            dialect={"epsilon": epsilon, **given},
            min_rank=2,
            dtypes=BUT_FLOAT16,
        ),
    )
)

_EMBEDDINGS: tuple[Binding, ...] = (
    compose(
        "cosine_similarity",
        "tf.reduce_sum(tf.math.l2_normalize(input1, {axis}, {eps} ** 2)"
        " * tf.math.l2_normalize(input2, {axis}, {eps} ** 2), axis={axis})",
        domains={"eps": FLOORED},
        dtypes=BUT_FLOAT16,
    ),
    compose(
        "cosine_embedding",
        "tf.where(target > 0,"
        " 1 - (cosine := tf.reduce_sum(input1 * input2, axis=1)"
        " * tf.math.rsqrt(tf.reduce_sum(input1 * input1, axis=1) + 1e-12)"
        " * tf.math.rsqrt(tf.reduce_sum(input2 * input2, axis=1) + 1e-12)),"
        " tf.nn.relu(cosine - {margin}))",
        dialect=COSINE_EPSILON,
        dtypes=BUT_FLOAT16,
    ),
    compose(
        "pairwise_distance",
        "tf.norm(input1 - input2 + {eps}, ord={p}, axis=-1, keepdims={keepdim})",
        domains={"eps": APART},
        dtypes=BUT_FLOAT16,
    ),
    compose(
        "triplet_margin",
        "tf.nn.relu(tf.norm(anchor - positive + {eps}, ord={p}, axis=-1)"
        " - tf.norm(anchor - negative + {eps}, ord={p}, axis=-1) + {margin})",
        domains={"eps": APART},
        dtypes=BUT_FLOAT16,
    ),
    compose(
        "triplet_margin",
        "tf.nn.relu(tf.norm(anchor - positive + {eps}, ord={p}, axis=-1)"
        " - tf.minimum(tf.norm(anchor - negative + {eps}, ord={p}, axis=-1),"
        " tf.norm(positive - negative + {eps}, ord={p}, axis=-1)) + {margin})",
        dialect={"swap": True},
        domains={"eps": APART},
        dtypes=WIDE,
    ),
    compose(
        "triplet_margin_with_distance",
        "tf.nn.relu(tf.norm(anchor - positive + 1e-6, axis=-1)"
        " - tf.norm(anchor - negative + 1e-6, axis=-1) + {margin})",
        dtypes=BUT_FLOAT16,
    ),
    compose(
        "circle",
        "tf.nn.softplus("
        "tf.reduce_logsumexp(tf.where((same := target[:, None] == target)"
        " & ~tf.eye(len(input), dtype=tf.bool), {gamma}"
        " * ((d := tf.nn.relu(1 - tf.matmul(input, input, transpose_b=True))) + {margin})"
        " * (d - {margin}), -np.inf), axis=1) + "
        "tf.reduce_logsumexp(tf.where(~same,"
        " {gamma} * tf.nn.relu(1 + {margin} - d) * (1 - {margin} - d), -np.inf), axis=1))",
    ),
)

COMPOSITIONS: tuple[Binding, ...] = (
    *ACTIVATIONS,
    *_REGRESSION,
    *_TWO_CLASSES,
    *_CLASSES,
    *_MASKS,
    *_EMBEDDINGS,
)
