"""PyTorch: what it has no callable for, composed of those it has."""

from __future__ import annotations

from ..dialects import epsilon, to_epsilon, within_epsilon
from ..interface import Binding, compose
from . import BUT_FLOAT16, CURVED, EVERY, FOCUS, WIDE

ACTIVATIONS: tuple[Binding, ...] = (
    compose("maxout", "x.unflatten(1, (-1, {groups})).max(2).values"),
    compose("sparse_plus", "torch.where(x < 1, (x.clamp(-1, 1) + 1).square() / 4, x)"),
    compose("sparse_sigmoid", "(x.clamp(-1, 1) + 1) / 2"),
    compose("crelu", "torch.cat([torch.relu(x), torch.relu(-x)], dim={axis})"),
    compose("silu", "x * torch.sigmoid({beta} * x)"),
    compose("exponential", "torch.exp(x)", dtypes=BUT_FLOAT16),
    compose("squareplus", "(x + torch.sqrt(x.square() + {b})) / 2", domains={"b": CURVED}),
    # τ is the largest (x₁ + … + xₖ − 1)/k of the k largest
    compose(
        "sparsemax",
        "torch.relu((z := x - x.amax({axis}, keepdim=True).detach())"
        " - ((z.sort({axis}, descending=True).values.cumsum({axis}) - 1)"
        " / torch.ones_like(z).cumsum({axis})).amax({axis}, keepdim=True))",
    ),
    compose(
        "thresholded_relu",
        "torch.where(x > {threshold}, x, {slope} * (x - {threshold}))",
    ),
    compose(
        "masked_softmax",
        "torch.where(mask > 0, x, torch.finfo(x.dtype).min).softmax({axis}) * mask",
    ),
)

_REGRESSION: tuple[Binding, ...] = (
    compose("l2_loss", "input.square() / 2"),
    compose("log_cosh", "torch.logaddexp(input - target, target - input) - 0.6931471805599453"),
    compose(
        "mean_absolute_percentage_error",
        "100 * (input - target).abs() / target.abs().clamp(min=1e-7)",
        dialect={"epsilon": epsilon},
        dtypes=BUT_FLOAT16,
    ),
    compose(
        "mean_squared_logarithmic_error",
        "(input.clamp(min=1e-7).log1p() - target.clamp(min=1e-7).log1p()).square()",
        dialect={"epsilon": epsilon},
    ),
    compose(
        "mean_pairwise_squared_error",
        "2 * ((d := (input - target).reshape(len(input), -1)) - d.mean(1, keepdim=True))"
        ".square().sum(1) / max(d.shape[1] - 1, 1)",
    ),
)

_TWO_CLASSES: tuple[Binding, ...] = (
    compose(
        "binary_cross_entropy",
        "torch.nn.functional.binary_cross_entropy(input.clamp(1e-7, 1 - 1e-7),"
        ' target * (1 - {label_smoothing}) + {label_smoothing} / 2, reduction="none")',
        dialect={"clip": within_epsilon},
        dtypes=WIDE,
    ),
    compose(
        "binary_cross_entropy_with_logits",
        "torch.nn.functional.binary_cross_entropy_with_logits("
        'input, target * (1 - {label_smoothing}) + {label_smoothing} / 2, reduction="none")',
    ),
    compose("hinge", "torch.relu(1 - target * input)", kinds={"target": "sign"}),
    compose("squared_hinge", "torch.relu(1 - target * input).square()", kinds={"target": "sign"}),
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
                "torch.nn.functional.binary_cross_entropy("
                'input.clamp(1e-7, 1 - 1e-7), target, reduction="none")',
                {"clip": within_epsilon},
                WIDE,
            ),
            (
                "logits",
                "target * torch.sigmoid(-input) + (1 - target) * torch.sigmoid(input)",
                "torch.nn.functional.binary_cross_entropy_with_logits("
                'input, target, reduction="none")',
                {"from_logits": True},
                EVERY,
            ),
        )
        for balance in ("", "({alpha} * target + (1 - {alpha}) * (1 - target)) * ")
    ),
)

_CLASSES: tuple[Binding, ...] = (
    compose(
        "categorical_cross_entropy",
        "-(target * input.clamp(1e-7, 1).log()).sum(1)",
        kinds={"target": "distribution"},
        dialect={"clip": to_epsilon},
    ),
    compose(
        "categorical_cross_entropy",
        'torch.nn.functional.nll_loss(input.clamp(1e-7, 1).log(), target, reduction="none")',
        kinds={"target": "class_index"},
        dialect={"clip": to_epsilon},
    ),
    compose(
        "categorical_hinge",
        "torch.relu(((1 - target) * input).amax(1) - (target * input).sum(1) + 1)",
    ),
    compose(
        "categorical_focal",
        "-{alpha} * (target * (1 - (p := input.clamp(1e-7, 1 - 1e-7))) ** {gamma}"
        " * p.log()).sum(1)",
        dialect={"clip": within_epsilon},
        dtypes=BUT_FLOAT16,
    ),
    compose(
        "categorical_focal",
        "-{alpha} * (target * (1 - input.softmax(1)) ** {gamma} * input.log_softmax(1)).sum(1)",
        kinds={"input": "logits"},
        domains={"gamma": FOCUS},
        dialect={"from_logits": True},
    ),
    compose(
        "generalized_cross_entropy",
        "(1 - input.gather(1, target[:, None]).squeeze(1) ** {q}) / {q}",
    ),
)

_MASKS: tuple[Binding, ...] = tuple(
    row
    for sums, given in (
        ("sum()", {"batch": True}),
        ("flatten(1).sum(1)", {}),
    )
    for row in (
        compose(
            "dice",
            f"1 - 2 * (input * target).{sums} / ((input + target).{sums} + 1e-7)",
            dialect={"epsilon": epsilon, **given},
            min_rank=2,
            dtypes=BUT_FLOAT16,
        ),
        compose(
            "tversky",
            f"1 - (found := (input * target).{sums})"
            f" / (found + {{alpha}} * (input * (1 - target)).{sums}"
            f" + {{beta}} * ((1 - input) * target).{sums} + 1e-7)",
            dialect={"epsilon": epsilon, **given},
            min_rank=2,
            dtypes=BUT_FLOAT16,
        ),
    )
)

_EMBEDDINGS: tuple[Binding, ...] = (
    compose("cosine_distance", "1 - (input * target).sum({axis}, keepdim=True)"),
    compose(
        "circle",
        "-torch.nn.functional.logsigmoid(-("
        "torch.where((same := target[:, None] == target) & ~torch.eye(len(input), dtype=torch.bool),"
        " {gamma} * ((d := torch.relu(1 - input @ input.T)) + {margin}) * (d - {margin}),"
        " -torch.inf).logsumexp(1) + "
        "torch.where(~same, {gamma} * torch.relu(1 + {margin} - d) * (1 - {margin} - d),"
        " -torch.inf).logsumexp(1)))",
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
