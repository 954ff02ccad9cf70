"""Layers without parameters that work element by element, or reshape."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import vires.numpy as np
from vires import nn, random
from vires.stax.layer import Layer, inputs_text, layer, sizes


def elementwise(fun: Callable[..., Any], **fun_kwargs: Any) -> Layer:
    """A layer of a function of arrays that keeps the shape.

    >>> init, apply = elementwise(np.clip, min=-1, max=1)
    >>> apply((), np.array([-3.0, 0.5]))
    Array([-1. ,  0.5], dtype=float32)
    """

    def init(key: Any, input_shape: Any) -> tuple[Any, Any]:
        return input_shape, ()

    def apply(params: Any, inputs: Any, **kwargs: Any) -> Any:
        return fun(inputs, **fun_kwargs)

    return layer(init, apply)


Tanh = elementwise(np.tanh)
Relu = elementwise(nn.relu)
Exp = elementwise(np.exp)
LogSoftmax = elementwise(nn.log_softmax, axis=-1)
Softmax = elementwise(nn.softmax, axis=-1)
Softplus = elementwise(nn.softplus)
Sigmoid = elementwise(nn.sigmoid)
Elu = elementwise(nn.elu)
LeakyRelu = elementwise(nn.leaky_relu)
Selu = elementwise(nn.selu)
Gelu = elementwise(nn.gelu)
Identity = elementwise(lambda x: x)


def _flatten_init(key: Any, input_shape: Any) -> tuple[Any, Any]:
    shape = sizes(input_shape, "Flatten")
    rest = shape[1:]
    flat = -1 if any(size < 0 for size in rest) else math.prod(rest)
    return (shape[0], flat), ()


def _flatten_apply(params: Any, inputs: Any, **kwargs: Any) -> Any:
    if not inputs.ndim:
        raise ValueError(f"Flatten: needs inputs with a batch axis; got {inputs_text(inputs)}")
    return inputs.reshape((inputs.shape[0], math.prod(inputs.shape[1:])))


#: All but the first axis become one.
Flatten = layer(_flatten_init, _flatten_apply)


def Dropout(rate: float, mode: str = "train") -> Layer:
    """Keep each input with probability `rate`, scaled by 1 / rate, and set the others to zero.

    Args:
        rate: the probability of *keeping* an input, of (0, 1].
        mode: "train", in which `net_apply(params, inputs, rng=key)` needs a random key, or "test",
            in which inputs
            pass unchanged.
    """
    if mode not in ("train", "test"):
        raise ValueError(f"Dropout: needs mode 'train' or 'test'; got {mode!r}")
    if isinstance(rate, (int, float)) and not 0 < rate <= 1:
        raise ValueError(f"Dropout: needs a rate (of keeping) in (0, 1]; got {rate}")

    def init(key: Any, input_shape: Any) -> tuple[Any, Any]:
        return input_shape, ()

    def apply(params: Any, inputs: Any, **kwargs: Any) -> Any:
        if mode == "test":
            return inputs
        key = kwargs.get("rng")
        if key is None:
            raise ValueError(
                "Dropout: needs a random key in mode 'train'; got none; "
                "try net_apply(params, inputs, rng=key)"
            )
        keep = random.bernoulli(key, np.asarray(rate, np.float32), inputs.shape)
        return np.where(keep, inputs / rate, 0)

    return layer(init, apply)
