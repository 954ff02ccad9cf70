"""Images sampled anew: each axis by a matrix of weights of a kernel."""

from __future__ import annotations

import enum
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from vires.numpy.arithmetic import maximum
from vires.numpy.choosing import where
from vires.numpy.contraction import tensordot
from vires.numpy.creation import asarray
from vires.numpy.operands import axis_index, convert, operand, promote_inexact
from vires.numpy.planned import planned
from vires.numpy.reductions import sum as sum_
from vires.numpy.shaping import moveaxis
from vires.numpy.transcendental import sinc

__all__ = ["ResizeMethod", "resize", "scale_and_translate"]


class ResizeMethod(enum.Enum):
    """Kernels: the nearest element, linear and cubic interpolation (Keys), windowed sinc functions
    (Lanczos)."""

    NEAREST = 0
    LINEAR = 1
    LANCZOS3 = 2
    LANCZOS5 = 3
    CUBIC = 4

    @staticmethod
    def from_string(s: str) -> ResizeMethod:
        """The kernel of a name: nearest, linear, bilinear, trilinear, triangle, cubic, bicubic,
        tricubic, lanczos3, lanczos5."""
        if s not in _NAMES:
            raise ValueError(f"resize: needs a method among {', '.join(_NAMES)}; got {s!r}")
        return _NAMES[s]


_NAMES = {
    "nearest": ResizeMethod.NEAREST,
    "linear": ResizeMethod.LINEAR,
    "bilinear": ResizeMethod.LINEAR,
    "trilinear": ResizeMethod.LINEAR,
    "triangle": ResizeMethod.LINEAR,
    "cubic": ResizeMethod.CUBIC,
    "bicubic": ResizeMethod.CUBIC,
    "tricubic": ResizeMethod.CUBIC,
    "lanczos3": ResizeMethod.LANCZOS3,
    "lanczos5": ResizeMethod.LANCZOS5,
}


def _linear(x: Any) -> Any:
    return maximum(0, 1 - x)


def _cubic(x: Any) -> Any:
    near = ((1.5 * x - 2.5) * x) * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return where(x >= 2, 0, where(x >= 1, far, near))


def _lanczos(radius: int) -> Callable[[Any], Any]:
    return lambda x: where(x > radius, 0, sinc(x) * sinc(x * (1 / radius)))


_KERNELS = {
    ResizeMethod.LINEAR: _linear,
    ResizeMethod.CUBIC: _cubic,
    ResizeMethod.LANCZOS3: _lanczos(3),
    ResizeMethod.LANCZOS5: _lanczos(5),
}


def _method(function: str, method: Any) -> ResizeMethod:
    if isinstance(method, str):
        return ResizeMethod.from_string(method)
    if not isinstance(method, ResizeMethod):
        raise TypeError(f"{function}: needs a name or a ResizeMethod; got {method!r}")
    return method


def _weights(
    size: int, new_size: int, scale: Any, translation: Any, method: ResizeMethod, antialias: bool
) -> Any:
    """The matrix (size, new_size) whose columns are the weights of the elements of a new one."""
    spacing = 1 / scale
    width = maximum(spacing, 1) if antialias else 1
    centers = (np.arange(new_size) + 0.5) * spacing - translation * spacing - 0.5
    distances = abs(centers[None, :] - np.arange(size)[:, None]) / width
    weights = _KERNELS[method](distances)
    total = sum_(weights, 0, keepdims=True)
    tiny = 1000 * float(np.finfo(np.float32).eps)
    present = abs(total) > tiny
    weights = where(present, weights / where(present, total, 1), 0)
    inside = (centers >= -0.5) & (centers <= size - 0.5)
    return where(inside[None, :], weights, 0)


def _along(x: Any, axis: int, weights: Any, precision: Any) -> Any:
    product = tensordot(x, weights, ([axis], [0]), precision=precision)
    return moveaxis(product, -1, axis)


def scale_and_translate(
    image: Any, shape: Sequence[int], spatial_dims: Sequence[int], scale: Any, translation: Any,
    method: str | ResizeMethod, antialias: bool = True, precision: Any = None,
) -> Any:  # fmt: skip
    """The image scaled by factors, then moved by distances in elements of the result.

    Args:
      image: an array.
      shape: of the result; other axes than spatial_dims keep their size.
      spatial_dims: the axes that are scaled.
      scale, translation: a number for each of these axes; may be traced and differentiated.
      method: a kernel, other than "nearest".
      antialias: whether kernels become wider where the image becomes smaller.
    """
    chosen = _method("scale_and_translate", method)
    if chosen is ResizeMethod.NEAREST:
        raise ValueError("scale_and_translate: needs a method that interpolates; got 'nearest'")
    (x,) = promote_inexact(operand(image, "scale_and_translate", "image"))
    sizes = tuple(operator.index(n) for n in shape)
    axes = [axis_index("scale_and_translate", d, x.aval.ndim) for d in spatial_dims]
    if len(sizes) != x.aval.ndim:
        raise ValueError(f"scale_and_translate: needs a shape of {x.aval.ndim} sizes; got {sizes}")
    for d in range(x.aval.ndim):
        if d not in axes and sizes[d] != x.aval.shape[d]:
            raise ValueError(
                "scale_and_translate: needs spatial_dims with all axes that change; "
                f"got {tuple(axes)} for {x.aval.shape} to {sizes}"
            )
    factors, distances = promote_inexact(
        operand(scale, "scale_and_translate", "scale"),
        operand(translation, "scale_and_translate", "translation"),
    )
    if factors.aval.shape != (len(axes),) or distances.aval.shape != (len(axes),):
        raise ValueError(
            f"scale_and_translate: needs {len(axes)} scales and translations; "
            f"got shapes {factors.aval.shape} and {distances.aval.shape}"
        )
    for k, d in enumerate(axes):
        weights = _weights(
            x.aval.shape[d], sizes[d], factors[k], distances[k], chosen, bool(antialias)
        )
        x = _along(x, d, weights.astype(x.aval.dtype), precision)
    return x


def resize(
    image: Any, shape: Sequence[int], method: str | ResizeMethod, antialias: bool = True,
    precision: Any = None,
) -> Any:  # fmt: skip
    """The image with another shape.

    Args:
      image: an array.
      shape: of the result, a size for each axis; axes that keep their size stay as they are.
      method: "nearest", "linear" ("bilinear", "trilinear", "triangle"), "cubic" ("bicubic",
        "tricubic"), "lanczos3", "lanczos5", or a ResizeMethod.
      antialias: whether kernels become wider where the image becomes smaller.

    >>> from vires import image, numpy as np
    >>> image.resize(np.array([1., 3.]), (4,), "linear").tolist()
    [1.0, 1.5, 2.5, 3.0]
    """
    sizes = tuple(operator.index(n) for n in shape)
    chosen = _method("resize", method)
    return _resize(image, sizes, chosen, bool(antialias), precision)


@planned("image")
def _resize(
    image: Any, sizes: tuple[int, ...], method: ResizeMethod, antialias: bool, precision: Any
) -> Any:
    x = operand(image, "resize", "image")
    if len(sizes) != x.aval.ndim:
        raise ValueError(f"resize: needs a shape of {x.aval.ndim} sizes; got {sizes}")
    changed = [d for d in range(x.aval.ndim) if sizes[d] != x.aval.shape[d]]
    for d in changed:
        if not x.aval.shape[d]:
            raise ValueError(f"resize: needs an image with elements; got shape {x.aval.shape}")
    if method is ResizeMethod.NEAREST:
        for d in changed:
            places = (np.arange(sizes[d]) + 0.5) * x.aval.shape[d] / max(sizes[d], 1)
            x = x[(slice(None),) * d + (np.floor(places).astype(np.int32),)]
        return x
    (x,) = promote_inexact(x)
    for d in changed:
        weights = _resize_weights(x.aval.shape[d], sizes[d], method, antialias)
        x = _along(x, d, convert(asarray(weights), x.aval.dtype), precision)
    return x


def _resize_weights(size: int, new_size: int, method: ResizeMethod, antialias: bool) -> Any:
    if not new_size:
        return np.zeros((size, 0))
    scale = asarray(np.float64(new_size / size))
    return _weights(size, new_size, scale, asarray(np.float64(0)), method, antialias)
