"""Layers that multiply by a matrix or normalise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import vires.numpy as np
from vires import lax, random
from vires.nn import initializers
from vires.stax.layer import Layer, inputs_text, known, layer, sizes

Initializer = Callable[..., Any]
_GLOROT = initializers.glorot_normal()
_SMALL_NORMAL = initializers.normal()


def Dense(
    out_dim: int,
    W_init: Initializer = _GLOROT,
    b_init: Initializer = _SMALL_NORMAL,
) -> Layer:
    """A fully connected layer: inputs @ W + b. Its parameters are (W, b).

    Args:
        out_dim: size of the last axis of the outputs.
        W_init: makes W, of shape (input size, out_dim), from (key, shape).
        b_init: makes b, of shape (out_dim,), from (key, shape).

    >>> net_init, net_apply = Dense(3)
    >>> out_shape, params = net_init((-1, 4))
    >>> out_shape, params[0].shape, params[1].shape
    ((-1, 3), (4, 3), (3,))
    """

    if not hasattr(out_dim, "__index__") or out_dim < 0:
        raise ValueError(f"Dense: needs a size >= 0 of its outputs; got {out_dim!r}")

    def init(key: Any, input_shape: Any) -> tuple[Any, Any]:
        shape = sizes(input_shape, "Dense")
        W_key, b_key = random.split(key)
        rows = known(shape[-1], "Dense", "last size", shape)
        params = W_init(W_key, (rows, out_dim)), b_init(b_key, (out_dim,))
        return (*shape[:-1], out_dim), params

    def apply(params: Any, inputs: Any, **kwargs: Any) -> Any:
        W, b = params
        if not inputs.ndim or inputs.shape[-1] != W.shape[0]:
            raise ValueError(
                f"Dense: needs inputs of last size {W.shape[0]}; got {inputs_text(inputs)}"
            )
        return np.dot(inputs, W) + b

    return layer(init, apply)


def _ones(key: Any, shape: Sequence[int]) -> Any:
    return np.ones(shape)


def _zeros(key: Any, shape: Sequence[int]) -> Any:
    return np.zeros(shape)


def BatchNorm(
    axis: int | Sequence[int] = (0, 1, 2),
    epsilon: float = 1e-5,
    center: bool = True,
    scale: bool = True,
    beta_init: Initializer = _zeros,
    gamma_init: Initializer = _ones,
) -> Layer:
    """Normalise to mean 0 and variance 1 over some axes, then scale and shift: gamma z + beta.

    Its parameters are (beta, gamma), each () where it is not wanted.

    Args:
        axis: over which mean and variance are taken: all but the features'.
        epsilon: added to the variance.
        center: whether to shift by beta.
        scale: whether to scale by gamma.
        beta_init: makes beta from (key, shape).
        gamma_init: makes gamma from (key, shape).
    """
    axes = (axis,) if isinstance(axis, int) else tuple(axis)

    def init(key: Any, input_shape: Any) -> tuple[Any, Any]:
        shape = sizes(input_shape, "BatchNorm", minimum=max(axes, default=0) + 1)
        features = tuple(
            known(size, "BatchNorm", "size of each axis that is kept", shape)
            for i, size in enumerate(shape)
            if i not in axes
        )
        beta_key, gamma_key = random.split(key)
        beta = beta_init(beta_key, features) if center else ()
        gamma = gamma_init(gamma_key, features) if scale else ()
        return shape, (beta, gamma)

    def apply(params: Any, inputs: Any, **kwargs: Any) -> Any:
        beta, gamma = params
        if inputs.ndim <= max(axes, default=0):
            raise ValueError(
                f"BatchNorm: needs inputs that have the axes {axes}; got {inputs_text(inputs)}"
            )
        aligned = tuple(None if i in axes else slice(None) for i in range(inputs.ndim))
        mean = np.mean(inputs, axes, keepdims=True)
        variance = np.mean(np.square(inputs), axes, keepdims=True) - np.square(mean)
        z = (inputs - mean) * lax.rsqrt(np.maximum(variance, 0) + epsilon)
        if scale:
            z = z * gamma[aligned]
        return z + beta[aligned] if center else z

    return layer(init, apply)
