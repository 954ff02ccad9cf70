"""Convolution and correlation over any number of axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vires.core import dtypes
from vires.numpy import fft as numpy_fft
from vires.numpy.float_parts import conj
from vires.numpy.operands import (
    ShapeError,
    axes_tuple,
    common_shape,
    convert,
    operand,
    promote,
    promote_inexact,
    shape_text,
)
from vires.numpy.padding import pad as pad_function
from vires.numpy.planned import planned
from vires.ops.convolve import ConvDimensionNumbers, conv_general_dilated
from vires.ops.parts import rev
from vires.ops.shape import expand_dims, squeeze

__all__ = ["convolve", "convolve2d", "correlate", "correlate2d", "fftconvolve"]

_MODES = ("full", "same", "valid")


def _check_mode(function: str, mode: str) -> None:
    if mode not in _MODES:
        raise ValueError(f"{function}: needs mode 'full', 'same' or 'valid'; got {mode!r}")


def _pair(function: str, in1: Any, in2: Any) -> tuple[Any, Any]:
    x, y = promote(operand(in1, function, "in1"), operand(in2, function, "in2"))
    if x.aval.ndim != y.aval.ndim:
        raise ShapeError(
            f"{function}: needs arrays of as many axes; got {shape_text(x)} and {shape_text(y)}"
        )
    if not x.aval.size or not y.aval.size:
        raise ShapeError(
            f"{function}: needs arrays with elements; got {shape_text(x)} and {shape_text(y)}"
        )
    return x, y


def _slide(x: Any, kernel: Any, mode: str, precision: Any) -> Any:
    """sum_k x_(n + k) kernel_k, the kernel being the smaller one where it matters."""
    ndim = x.aval.ndim
    sizes = kernel.aval.shape
    padding = {
        "valid": [(0, 0) for _ in sizes],
        "full": [(n - 1, n - 1) for n in sizes],
        "same": [(n // 2, n - 1 - n // 2) for n in sizes],
    }[mode]
    order = tuple(range(ndim + 2))
    result = conv_general_dilated(
        expand_dims(x, (0, 1)),
        expand_dims(kernel, (0, 1)),
        window_strides=(1,) * ndim,
        padding=tuple(padding),
        lhs_dilation=(1,) * ndim,
        rhs_dilation=(1,) * ndim,
        dimension_numbers=ConvDimensionNumbers(order, order, order),
        feature_group_count=1,
        batch_group_count=1,
        precision=precision,
        preferred_element_type=None,
    )
    return squeeze(result, dimensions=(0, 1))


def _direct(function: str, in1: Any, in2: Any, mode: str, precision: Any) -> Any:
    """The convolution of two arrays; "same" has the shape of the first."""
    x, y = _pair(function, in1, in2)
    if not x.aval.ndim:
        return x * y
    every = tuple(range(x.aval.ndim))
    if x.aval.dtype == dtypes.bool_:
        x, y = convert(x, dtypes.default_int()), convert(y, dtypes.default_int())
    larger = [m >= n for m, n in zip(x.aval.shape, y.aval.shape, strict=True)]
    if mode == "valid":
        if not all(larger) and any(m > n for m, n in zip(x.aval.shape, y.aval.shape, strict=True)):
            raise ShapeError(
                f"{function}: needs one array that is at least as large along every axis for mode "
                f"'valid'; got {shape_text(x)} and {shape_text(y)}"
            )
        if not all(larger):
            x, y = y, x
        return _slide(x, rev(y, dimensions=every), "valid", precision)
    if mode == "full":
        return _slide(x, rev(y, dimensions=every), "full", precision)
    if all(larger):
        # The kernel is turned round, so that the middle of even sizes is on the other side.
        shifted = tuple((n - 1 - (n - 1) // 2, (n - 1) // 2) for n in y.aval.shape)
        widened = pad_function(x, shifted)
        return _slide(widened, rev(y, dimensions=every), "valid", precision)
    return _centered(_slide(x, rev(y, dimensions=every), "full", precision), x.aval.shape)


def _centered(x: Any, shape: Sequence[int]) -> Any:
    """The middle of an array."""
    places = []
    for own, size in zip(x.aval.shape, shape, strict=True):
        begin = (own - size) // 2
        places.append(slice(begin, begin + size))
    return x[tuple(places)]


def convolve(
    in1: Any, in2: Any, mode: str = "full", method: str = "auto", precision: Any = None
) -> Any:
    """sum_k x_k y_(n - k) over all axes: everywhere ("full"), where one array lies inside the other
    ("valid"), or the middle, of the shape of the first ("same").

    method: "direct", "fft", or "auto", which is direct.
    """
    _check_mode("convolve", mode)
    if method not in ("auto", "direct", "fft"):
        raise ValueError(f"convolve: needs method 'auto', 'direct' or 'fft'; got {method!r}")
    if method == "fft":
        return fftconvolve(in1, in2, mode)
    return _convolve(in1, in2, mode, precision)


@planned("in1", "in2")
def _convolve(in1: Any, in2: Any, mode: str, precision: Any) -> Any:
    return _direct("convolve", in1, in2, mode, precision)


@planned("in1", "in2")
def _correlate(in1: Any, in2: Any, mode: str, precision: Any) -> Any:
    x, y = _pair("correlate", in1, in2)
    every = tuple(range(x.aval.ndim))
    return _direct("correlate", x, conj(rev(y, dimensions=every)), mode, precision)


def correlate(
    in1: Any, in2: Any, mode: str = "full", method: str = "auto", precision: Any = None
) -> Any:
    """sum_k x_(n + k) conj(y_k) over all axes; the modes and methods are those of `convolve`."""
    _check_mode("correlate", mode)
    if method not in ("auto", "direct", "fft"):
        raise ValueError(f"correlate: needs method 'auto', 'direct' or 'fft'; got {method!r}")
    if method == "fft":
        y = operand(in2, "correlate", "in2")
        return fftconvolve(in1, conj(rev(y, dimensions=tuple(range(y.aval.ndim)))), mode)
    return _correlate(in1, in2, mode, precision)


def _check_plane(function: str, in1: Any, in2: Any, mode: str, boundary: str, fill: Any) -> None:
    _check_mode(function, mode)
    if boundary != "fill" or fill != 0:
        raise NotImplementedError(
            f"{function}: needs boundary 'fill' and fillvalue 0; got {boundary!r} and {fill!r}; "
            "try numpy.pad before"
        )
    x, y = operand(in1, function, "in1"), operand(in2, function, "in2")
    if x.aval.ndim != 2 or y.aval.ndim != 2:
        raise ShapeError(
            f"{function}: needs arrays of 2 axes; got {shape_text(x)} and {shape_text(y)}"
        )


def convolve2d(
    in1: Any, in2: Any, mode: str = "full", boundary: str = "fill", fillvalue: float = 0,
    precision: Any = None,
) -> Any:  # fmt: skip
    """`convolve` of two arrays of 2 axes."""
    _check_plane("convolve2d", in1, in2, mode, boundary, fillvalue)
    return _convolve(in1, in2, mode, precision)


def correlate2d(
    in1: Any, in2: Any, mode: str = "full", boundary: str = "fill", fillvalue: float = 0,
    precision: Any = None,
) -> Any:  # fmt: skip
    """`correlate` of two arrays of 2 axes; for mode "same" and even sizes of in2 one place further,
    as in SciPy."""
    _check_plane("correlate2d", in1, in2, mode, boundary, fillvalue)
    if mode != "same":
        return _correlate(in1, in2, mode, precision)
    full = _correlate(in1, in2, "full", precision)
    rows, columns = operand(in1, "correlate2d").aval.shape
    top, left = (n // 2 for n in operand(in2, "correlate2d").aval.shape)
    return full[top : top + rows, left : left + columns]


def fftconvolve(in1: Any, in2: Any, mode: str = "full", axes: Any = None) -> Any:
    """`convolve` by Fourier transforms, over some axes (None: all); the others broadcast."""
    _check_mode("fftconvolve", mode)
    if axes is not None and not isinstance(axes, int):
        axes = tuple(axes)
    return _fftconvolve(in1, in2, mode, axes)


@planned("in1", "in2")
def _fftconvolve(in1: Any, in2: Any, mode: str, axes: Any) -> Any:
    x, y = _pair("fftconvolve", in1, in2)
    x, y = promote_inexact(x, y)
    ndim = x.aval.ndim
    if not ndim:
        return x * y
    places = axes_tuple("fftconvolve", axes, ndim)
    common_shape(
        "fftconvolve",
        *[tuple(n for d, n in enumerate(z.aval.shape) if d not in places) for z in (x, y)],
    )
    first, second = x.aval.shape, y.aval.shape
    if mode == "valid" and any(first[d] < second[d] for d in places):
        if any(first[d] > second[d] for d in places):
            raise ShapeError(
                "fftconvolve: needs one array that is at least as large along every axis for mode "
                f"'valid'; got {shape_text(x)} and {shape_text(y)}"
            )
        x, y, first, second = y, x, second, first
    full = [first[d] + second[d] - 1 for d in places]
    sizes = [_fast_size(n) for n in full]
    wide = dtypes.kind(x.aval.dtype) == "complex"
    forward = numpy_fft.fftn if wide else numpy_fft.rfftn
    backward = numpy_fft.ifftn if wide else numpy_fft.irfftn
    product = forward(x, sizes, places) * forward(y, sizes, places)
    result = backward(product, sizes, places)
    shape = list(result.aval.shape)
    cut: list[Any] = [slice(None)] * ndim
    for d, n in zip(places, full, strict=True):
        cut[d] = slice(0, n)
        shape[d] = {
            "full": n, "same": first[d], "valid": first[d] - second[d] + 1,
        }[mode]  # fmt: skip
    return convert(_centered(result[tuple(cut)], shape), x.aval.dtype)


def _fast_size(n: int) -> int:
    """The next number that has no prime factor above 5."""
    size = n
    while True:
        rest = size
        for p in (2, 3, 5):
            while rest % p == 0:
                rest //= p
        if rest == 1:
            return size
        size += 1
