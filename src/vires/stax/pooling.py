"""Layers that reduce windows of their inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy

import vires.numpy as np
from vires import lax
from vires.stax.layer import Layer, known, layer, sizes

Rescale = Callable[[Any, tuple[int, ...], tuple[int, ...], tuple[int, ...], Any], Any]


def _pooling(
    name: str,
    reducer: Callable[[Any, Any], Any],
    start: float,
    window_shape: Sequence[int],
    strides: Sequence[int] | None,
    padding: Any,
    spec: str | None,
    rescale: Rescale | None = None,
) -> Layer:
    """Reduce each window of the spatial axes."""
    steps = tuple(strides or (1,) * len(window_shape))
    if len(steps) != len(window_shape):
        raise ValueError(
            f"{name}: needs as many strides as the window has dimensions; "
            f"got strides {steps} and window {tuple(window_shape)}"
        )
    rank = len(window_shape) + 2
    if spec is not None and (len(spec) != rank or "N" not in spec or "C" not in spec):
        raise ValueError(
            f"{name}: needs a spec of {rank} letters with N and C, such as 'NHWC'; got {spec!r}"
        )
    batch, channels = (0, rank - 1) if spec is None else (spec.index("N"), spec.index("C"))
    window, full_steps = list(window_shape), list(steps)
    for axis in sorted((batch, channels)):
        window.insert(axis, 1)
        full_steps.insert(axis, 1)
    dims, strides_ = tuple(window), tuple(full_steps)

    def pads(shape: tuple[int, ...]) -> list[tuple[int, int]]:
        if not isinstance(padding, str):
            spatial = iter(padding)
            return [(0, 0) if i in (batch, channels) else next(spatial) for i in range(rank)]
        return lax.padtype_to_pads(shape, dims, strides_, padding)

    def init(key: Any, input_shape: Any) -> tuple[Any, Any]:
        shape = sizes(input_shape, name, rank=rank)
        free = {batch, channels}
        sized = tuple(
            max(size, 1) if i in free else known(size, name, "size of each spatial axis", shape)
            for i, size in enumerate(shape)
        )
        out = tuple(
            size if i in free else (sized[i] + sum(pad) - dims[i]) // strides_[i] + 1
            for i, (size, pad) in enumerate(zip(shape, pads(sized), strict=True))
        )
        return out, ()

    def apply(params: Any, inputs: Any, **kwargs: Any) -> Any:
        if inputs.ndim != rank:
            raise ValueError(f"{name}: needs inputs of {rank} dimensions; got {inputs.ndim}")
        padded = pads(tuple(inputs.shape))
        initial = numpy.asarray(start, inputs.dtype)
        out = lax.reduce_window(inputs, initial, reducer, dims, strides_, padded)
        return out if rescale is None else rescale(out, tuple(inputs.shape), dims, strides_, padded)

    return layer(init, apply)


def MaxPool(
    window_shape: Sequence[int],
    strides: Sequence[int] | None = None,
    padding: Any = "VALID",
    spec: str | None = None,
) -> Layer:
    """The largest input of each window.

    Args:
        window_shape: spatial sizes of the window.
        strides: steps of the window, 1 by default.
        padding: "VALID" or "SAME".
        spec: the axes of the inputs, such as "NCHW"; by default the first is the batch, the last
            the channels.
    """
    return _pooling("MaxPool", lax.max, -numpy.inf, window_shape, strides, padding, spec)


def SumPool(
    window_shape: Sequence[int],
    strides: Sequence[int] | None = None,
    padding: Any = "VALID",
    spec: str | None = None,
) -> Layer:
    """The sum of the inputs of each window. The arguments are those of `MaxPool`."""
    return _pooling("SumPool", lax.add, 0.0, window_shape, strides, padding, spec)


def AvgPool(
    window_shape: Sequence[int],
    strides: Sequence[int] | None = None,
    padding: Any = "VALID",
    spec: str | None = None,
) -> Layer:
    """The mean of the inputs of each window, without padding. The arguments are `MaxPool`'s."""

    def rescale(
        out: Any, shape: tuple[int, ...], dims: tuple[int, ...], steps: tuple[int, ...], pads: Any
    ) -> Any:
        ones = np.ones(shape, out.dtype)
        counts = lax.reduce_window(ones, numpy.zeros((), out.dtype), lax.add, dims, steps, pads)
        return out / counts

    return _pooling("AvgPool", lax.add, 0.0, window_shape, strides, padding, spec, rescale)
