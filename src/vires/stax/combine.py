"""Layers made of layers."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

import vires.numpy as np
from vires import random
from vires.stax.layer import Layer, layer, sizes


def _pairs(layers: Any, name: str) -> tuple[list[Any], list[Any]]:
    """The inits and the applies of layers."""
    for i, pair in enumerate(layers):
        if not (isinstance(pair, tuple) and len(pair) == 2 and all(map(callable, pair))):
            made = getattr(pair, "__name__", None) or getattr(
                getattr(pair, "func", None), "__name__", type(pair).__name__
            )
            hint = f"; try {made}(...)" if callable(pair) else ""
            raise TypeError(
                f"{name}: needs layers (pairs of functions); got {made} at position {i}{hint}"
            )
    return [pair[0] for pair in layers], [pair[1] for pair in layers]


def _keys(kwargs: dict[str, Any], count: int) -> tuple[Any, dict[str, Any]]:
    """One key for each layer, where there is a key, and the other keyword arguments."""
    rest = {name: value for name, value in kwargs.items() if name != "rng"}
    key = kwargs.get("rng")
    return ([None] * count if key is None else random.split(key, count)), rest


def _check_params(params: Any, count: int, name: str) -> None:
    if not isinstance(params, (list, tuple)) or len(params) != count:
        got = f"{len(params)}" if isinstance(params, (list, tuple)) else type(params).__name__
        raise ValueError(
            f"{name}: needs parameters for each of its {count} layers; got {got}; "
            "try out_shape, params = net_init(key, input_shape)"
        )


def serial(*layers: Layer) -> Layer:
    """Layers one after the other. Its parameters are the list of theirs.

    >>> from vires.stax import Dense, Relu
    >>> net_init, net_apply = serial(Dense(8), Relu, Dense(2))
    >>> out_shape, params = net_init((-1, 4))
    >>> out_shape, net_apply(params, np.ones((5, 4))).shape
    ((-1, 2), (5, 2))
    """
    inits, applies = _pairs(layers, "serial")

    def init(key: Any, input_shape: Any) -> tuple[Any, Any]:
        params = []
        for layer_init in inits:
            key, layer_key = random.split(key)
            input_shape, own = layer_init(layer_key, input_shape)
            params.append(own)
        return input_shape, params

    def apply(params: Any, inputs: Any, **kwargs: Any) -> Any:
        _check_params(params, len(applies), "serial")
        keys, rest = _keys(kwargs, len(applies))
        for layer_apply, own, key in zip(applies, params, keys, strict=True):
            inputs = layer_apply(own, inputs, rng=key, **rest)
        return inputs

    return layer(init, apply)


def parallel(*layers: Layer) -> Layer:
    """Layers side by side: a list of inputs to a list of outputs. Its parameters are the tuple of
    theirs.

    Often between `FanOut` and `FanInSum` or `FanInConcat`.
    """
    inits, applies = _pairs(layers, "parallel")

    def init(key: Any, input_shape: Any) -> tuple[Any, Any]:
        if len(input_shape) != len(inits):
            raise ValueError(
                f"parallel: needs {len(inits)} input shapes, one for each layer; "
                f"got {len(input_shape)}; try FanOut({len(inits)}) before it"
            )
        keys = random.split(key, len(inits))
        results = [
            layer_init(own, shape)
            for layer_init, own, shape in zip(inits, keys, input_shape, strict=True)
        ]
        return tuple(shape for shape, _ in results), tuple(params for _, params in results)

    def apply(params: Any, inputs: Any, **kwargs: Any) -> Any:
        _check_params(params, len(applies), "parallel")
        keys, rest = _keys(kwargs, len(applies))
        if len(inputs) != len(applies):
            raise ValueError(
                f"parallel: needs {len(applies)} inputs, one for each layer; got {len(inputs)}"
            )
        return [
            layer_apply(own, x, rng=key, **rest)
            for layer_apply, own, x, key in zip(applies, params, inputs, keys, strict=True)
        ]

    return layer(init, apply)


def FanOut(num: int) -> Layer:
    """Its input, `num` times."""

    def init(key: Any, input_shape: Any) -> tuple[Any, Any]:
        return [input_shape] * num, ()

    def apply(params: Any, inputs: Any, **kwargs: Any) -> Any:
        return [inputs] * num

    return layer(init, apply)


def _sum_init(key: Any, input_shape: Any) -> tuple[Any, Any]:
    if any(tuple(shape) != tuple(input_shape[0]) for shape in input_shape):
        raise ValueError(
            f"FanInSum: needs inputs of one shape; got {', '.join(map(str, input_shape))}"
        )
    return input_shape[0], ()


#: The sum of a list of inputs.
FanInSum = layer(_sum_init, lambda params, inputs, **kwargs: functools.reduce(operator.add, inputs))


def FanInConcat(axis: int = -1) -> Layer:
    """A list of inputs joined along an axis."""

    def init(key: Any, input_shape: Any) -> tuple[Any, Any]:
        shapes = [sizes(shape, "FanInConcat") for shape in input_shape]
        ax = axis % len(shapes[0])
        if any(s[:ax] + s[ax + 1 :] != shapes[0][:ax] + shapes[0][ax + 1 :] for s in shapes):
            raise ValueError(
                f"FanInConcat: needs inputs that agree but for axis {axis}; "
                f"got {', '.join(map(str, shapes))}"
            )
        joined = [shape[ax] for shape in shapes]
        total = -1 if any(size < 0 for size in joined) else sum(joined)
        return (*shapes[0][:ax], total, *shapes[0][ax + 1 :]), ()

    def apply(params: Any, inputs: Any, **kwargs: Any) -> Any:
        return np.concatenate(inputs, axis)

    return layer(init, apply)


def shape_dependent(make_layer: Callable[[Any], Layer]) -> Layer:
    """A layer that is made when the shape is known: `make_layer(input_shape)` returns a layer."""

    def init(key: Any, input_shape: Any) -> tuple[Any, Any]:
        return make_layer(input_shape)[0](key, input_shape)

    def apply(params: Any, inputs: Any, **kwargs: Any) -> Any:
        return make_layer(inputs.shape)[1](params, inputs, **kwargs)

    return layer(init, apply)
