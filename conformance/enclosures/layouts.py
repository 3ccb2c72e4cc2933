"""How arrays fall into samples: the parts of a case that a textbook's formula speaks of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Array = np.ndarray

#: positions of an input's numbers in its flattened array: one, or lists of them
Positions = Any
Layout = Callable[[Mapping[str, Array], Mapping[str, Any]], "Cut"]


@dataclass(frozen=True)
class Cut:
    """Samples (positions by input name), where their values go, and the shape of all values."""

    samples: list[dict[str, Positions]]
    outputs: list[list[int]]
    shape: tuple[int, ...]


def elementwise(at: Mapping[str, Array], params: Mapping[str, Any]) -> Cut:
    """One sample an element; inputs broadcast."""
    spread = dict(zip(at, np.broadcast_arrays(*at.values()), strict=True))
    shape = next(iter(spread.values())).shape
    columns = {name: index.ravel().tolist() for name, index in spread.items()}
    samples = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return Cut(samples, [[i] for i in range(len(samples))], shape)


def by_channel(at: Mapping[str, Array], params: Mapping[str, Any]) -> Cut:
    """Element by element; a slope for each position along axis 1 of x, or one for all."""
    slope = at["slope"]
    if slope.size > 1:
        slope = slope.reshape(-1, *[1] * (at["x"].ndim - 2))
    return elementwise({"x": at["x"], "slope": slope}, params)


def grouped(at: Mapping[str, Array], params: Mapping[str, Any]) -> Cut:
    """Each ``groups`` consecutive positions along axis 1 give one number."""
    x, k = np.moveaxis(at["x"], 1, -1), params["groups"]
    shape = (*at["x"].shape[:1], at["x"].shape[1] // k, *at["x"].shape[2:])
    where = np.moveaxis(np.arange(np.prod(shape, dtype=int)).reshape(shape), 1, -1).ravel()
    rows = x.reshape(-1, k).tolist()
    return Cut([{"x": row} for row in rows], [[int(i)] for i in where], shape)


def rows(axis: int, gives: Literal["row", "number"] = "number", *, kept: bool = False) -> Layout:
    """One sample a row along ``axis``; inputs of one rank less give it a number, weights are shared.

    The axis may be ``kept``, with size 1, where a row gives a number (always, or by ``keepdim``).
    """

    def cut(at: Mapping[str, Array], params: Mapping[str, Any]) -> Cut:
        first, along = next(iter(at.values())), params.get("axis", axis)
        flat: dict[str, list] = {}
        for name, index in at.items():
            if name == "weight":
                continue
            whole = index.ndim == first.ndim
            size = [-1, first.shape[along]] if whole else [-1]
            flat[name] = (np.moveaxis(index, along, -1) if whole else index).reshape(size).tolist()
        shared = {"weight": at["weight"].tolist()} if "weight" in at else {}
        each = [dict(zip(flat, row, strict=True)) for row in zip(*flat.values(), strict=True)]
        samples = [sample | shared for sample in each]
        if gives == "row":
            return Cut(samples, flat[next(iter(at))], first.shape)
        shape = list(first.shape)
        along = along % first.ndim
        shape[along : along + 1] = [1] * (kept or params.get("keepdim", False))
        return Cut(samples, [[i] for i in range(len(samples))], tuple(shape))

    return cut


def sequences(at: Mapping[str, Array], params: Mapping[str, Any]) -> Cut:
    """One sample a sequence: (T, N, C), (N, L), (N,), (N,)."""
    samples = [
        {
            name: (index[:, n] if name == "log_probs" else index[n]).tolist()
            for name, index in at.items()
        }
        for n in range(at["log_probs"].shape[1])
    ]
    return Cut(samples, [[n] for n in range(len(samples))], (len(samples),))


def halves(at: Mapping[str, Array], params: Mapping[str, Any]) -> Cut:
    """Each number of the first half along ``axis`` with its like in the second gives one number."""
    x = at["x"]
    first, second = np.split(x, 2, axis=params["axis"])
    pairs = np.stack([first.ravel(), second.ravel()], axis=1).tolist()
    return Cut([{"x": pair} for pair in pairs], [[i] for i in range(len(pairs))], first.shape)


def doubled(at: Mapping[str, Array], params: Mapping[str, Any]) -> Cut:
    """One sample an element, which gives two numbers: one in each half along ``axis``."""
    x = at["x"]
    shape = list(x.shape)
    shape[params["axis"]] *= 2
    where = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    first, second = np.split(where, 2, axis=params["axis"])
    outputs = np.stack([first.ravel(), second.ravel()], axis=1).tolist()
    return Cut([{"x": int(i)} for i in x.ravel()], outputs, tuple(shape))


def among(at: Mapping[str, Array], params: Mapping[str, Any]) -> Cut:
    """One sample a position along the first axis, with all others after it."""
    count = len(next(iter(at.values())))
    samples = []
    for n in range(count):
        order = [n, *(m for m in range(count) if m != n)]
        samples.append({name: index[order].tolist() for name, index in at.items()})
    return Cut(samples, [[n] for n in range(count)], (count,))


def whole(at: Mapping[str, Array], params: Mapping[str, Any]) -> Cut:
    """One sample a position along the first axis, with all others; or all of it, with ``batch``."""
    count = 1 if params["batch"] else len(next(iter(at.values())))
    flat = {name: index.reshape(count, -1).tolist() for name, index in at.items()}
    samples = [dict(zip(flat, row, strict=True)) for row in zip(*flat.values(), strict=True)]
    shape = () if params["batch"] else (count,)
    return Cut(samples, [[i] for i in range(count)], shape)


def through_linear(at: Mapping[str, Array], params: Mapping[str, Any]) -> Cut:
    """One sample a row of the input and a position of *K, with the rows of the layer that give its
    logits: (N, D), (C, *K, D), (N, C, *K) or (N, *K), (C, *K); class weights are shared."""
    layer = at["linear_weight"]
    classes, width = layer.shape[0], layer.shape[-1]
    shape = (len(at["input"]), *layer.shape[1:-1])
    positions = int(np.prod(shape[1:], dtype=int))
    by_position = np.moveaxis(layer.reshape(classes, positions, width), 1, 0).tolist()
    shared = {"weight": at["weight"].tolist()} if "weight" in at else {}
    target = at["target"].reshape(shape[0], -1, positions)
    single = at["target"].ndim == len(shape)
    samples = []
    for n, k in np.ndindex(shape[0], positions):
        own = {
            "input": at["input"][n].tolist(),
            "linear_weight": by_position[k],
            "target": target[n, 0, k].tolist() if single else target[n, :, k].tolist(),
        }
        if "linear_bias" in at:
            own["linear_bias"] = at["linear_bias"].reshape(classes, positions)[:, k].tolist()
        samples.append(own | shared)
    return Cut(samples, [[i] for i in range(len(samples))], shape)


def whole_samples(at: Mapping[str, Array], params: Mapping[str, Any]) -> Cut:
    """One sample for each position along the first axis, all of its numbers in a row."""
    flat = {name: index.reshape(len(index), -1).tolist() for name, index in at.items()}
    samples = [dict(zip(flat, row, strict=True)) for row in zip(*flat.values(), strict=True)]
    return Cut(samples, [[n] for n in range(len(samples))], (len(samples),))


def sampled(at: Mapping[str, Array], params: Mapping[str, Any]) -> Cut:
    """One sample a row of the input, with the whole layer and all candidates: what has no batch
    axis is shared."""
    of_rows = ("input", "target", "true_expected")
    samples = [
        {name: (index[n] if name in of_rows else index).tolist() for name, index in at.items()}
        for n in range(len(at["input"]))
    ]
    return Cut(samples, [[n] for n in range(len(samples))], (len(samples),))
