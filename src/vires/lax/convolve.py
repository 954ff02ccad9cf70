"""Convolutions as users call them, with padding by name and dimension numbers by letters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from vires.core import dtypes
from vires.lax.contract import dot_general, one_dtype
from vires.lax.precision import PrecisionLike, canonical_precision
from vires.ops import convolve as ops
from vires.ops.accept import refuse
from vires.ops.convolve import ConvDimensionNumbers
from vires.ops.extent import dilated
from vires.ops.linear import declared
from vires.ops.parts import rev

Pads = list[tuple[int, int]]
ConvGeneralDilatedDimensionNumbers = tuple[str, str, str] | ConvDimensionNumbers | None


def padtype_to_pads(
    in_shape: Sequence[int],
    window_shape: Sequence[int],
    window_strides: Sequence[int],
    padding: str,
) -> Pads:
    """(low, high) padding of each axis for "SAME", "SAME_LOWER" or "VALID".

    SAME gives ceil(size / stride) windows; what cannot be split evenly goes to the high side, with
    SAME_LOWER to the low side.
    """
    ranks = {len(in_shape), len(window_shape), len(window_strides)}
    if len(ranks) > 1 or min(window_strides, default=1) < 1:
        raise ValueError(
            "padding: needs a window size and a stride >= 1 for each axis; got window "
            f"{tuple(window_shape)} and strides {tuple(window_strides)} for shape {tuple(in_shape)}"
        )
    kind = padding.upper()
    if kind == "VALID":
        return [(0, 0)] * len(in_shape)
    if kind not in ("SAME", "SAME_LOWER"):
        raise ValueError(f"padding: needs 'SAME', 'SAME_LOWER', 'VALID' or pairs; got {padding!r}")
    pads = []
    for n, k, stride in zip(in_shape, window_shape, window_strides, strict=True):
        total = max(0, (-(-n // stride) - 1) * stride + k - n)
        small, large = total // 2, total - total // 2
        pads.append((small, large) if kind == "SAME" else (large, small))
    return pads


def _letters(spec: str, fixed: str, order: str) -> tuple[int, ...]:
    """Axis numbers of the two fixed letters, then of the spatial letters in the order of
    `order`.
    """
    spatial = sorted((c for c in spec if c not in fixed), key=order.index)
    return tuple(spec.index(c) for c in (*fixed, *spatial))


def conv_dimension_numbers(
    lhs_shape: Sequence[int], rhs_shape: Sequence[int], dimension_numbers: Any
) -> ConvDimensionNumbers:
    """Axis numbers from letters such as ("NHWC", "HWIO", "NHWC"); None is NC, OI, NC and spatial
    axes.

    >>> from vires import lax
    >>> tuple(lax.conv_dimension_numbers((1, 8, 8, 3), (3, 3, 3, 4), ("NHWC", "HWIO", "NHWC")))
    ((0, 3, 1, 2), (3, 2, 0, 1), (0, 3, 1, 2))
    """
    rank = len(lhs_shape)
    if isinstance(dimension_numbers, ConvDimensionNumbers):
        return dimension_numbers
    if len(rhs_shape) != rank:
        raise refuse(
            "conv_dimension_numbers",
            "shapes of one rank",
            f"{tuple(lhs_shape)} and {tuple(rhs_shape)}",
        )
    if dimension_numbers is None:
        return ConvDimensionNumbers(*[tuple(range(rank))] * 3)
    lhs, rhs, out = dimension_numbers
    fixed = (("NC", lhs), ("OI", rhs), ("NC", out))
    spatial = {c for c in rhs if c not in "OI"}
    for letters, spec in fixed:
        if (
            len(spec) != rank
            or len(set(spec)) != rank
            or not set(letters) <= set(spec)
            or set(spec) - set(letters) != spatial
        ):
            raise refuse(
                "conv_dimension_numbers",
                f"{rank} letters each: N, C and the spatial ones for lhs and the result, O, I "
                "and the "
                "same spatial ones for rhs",
                f"{tuple(dimension_numbers)}",
                "('NHWC', 'HWIO', 'NHWC')",
                ValueError,
            )
    return ConvDimensionNumbers(*(_letters(spec, letters, rhs) for letters, spec in fixed))


def _pairs(padding: Any, count: int) -> tuple[tuple[int, int], ...]:
    pads = tuple((int(low), int(high)) for low, high in padding)
    if len(pads) != count:
        raise refuse(
            "padding", f"{count} (low, high) pairs", f"{padding}", "'SAME' or 'VALID'", ValueError
        )
    return pads


def conv_general_dilated(
    lhs: Any,
    rhs: Any,
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: ConvGeneralDilatedDimensionNumbers = None,
    feature_group_count: int = 1,
    batch_group_count: int = 1,
    precision: PrecisionLike = None,
    preferred_element_type: Any = None,
) -> Any:
    """The kernel `rhs` slid over `lhs`, multiplied, and summed over in features and window (not
    flipped).

    `padding` is "SAME", "SAME_LOWER", "VALID" or (low, high) pairs, which may be negative.
    `lhs_dilation` spreads the elements of lhs, `rhs_dilation` those of the kernel.
    `dimension_numbers`
    names axes by letters or is a `ConvDimensionNumbers`; the default is NC, OI, NC and spatial
    axes.

    >>> import numpy as np
    >>> from vires import lax
    >>> x, k = np.ones((1, 1, 5, 5), np.float32), np.ones((1, 1, 3, 3), np.float32)
    >>> lax.conv_general_dilated(x, k, (1, 1), "SAME").shape
    (1, 1, 5, 5)
    """
    x, kernel = one_dtype(lhs, rhs)
    numbers = conv_dimension_numbers(x.shape, kernel.shape, dimension_numbers)
    count = x.ndim - 2
    ones = (1,) * count
    spread = ones if lhs_dilation is None else tuple(lhs_dilation)
    gaps = ones if rhs_dilation is None else tuple(rhs_dilation)
    if isinstance(padding, str):
        size = [x.shape[d] for d in numbers.lhs_spec[2:]]
        window = [
            dilated(kernel.shape[d], gap) for d, gap in zip(numbers.rhs_spec[2:], gaps, strict=True)
        ]
        padding = padtype_to_pads(size, window, window_strides, padding)
    return ops.conv_general_dilated(
        x,
        kernel,
        window_strides=tuple(window_strides),
        padding=_pairs(padding, count),
        lhs_dilation=spread,
        rhs_dilation=gaps,
        dimension_numbers=numbers,
        feature_group_count=feature_group_count,
        batch_group_count=batch_group_count,
        precision=canonical_precision(precision),
        preferred_element_type=None
        if preferred_element_type is None
        else dtypes.canonical(preferred_element_type),
    )


def conv(
    lhs: Any,
    rhs: Any,
    window_strides: Sequence[int],
    padding: str,
    precision: PrecisionLike = None,
    preferred_element_type: Any = None,
) -> Any:
    """Convolution with axes NC, OI, NC and spatial axes."""
    return conv_general_dilated(
        lhs,
        rhs,
        window_strides,
        padding,
        precision=precision,
        preferred_element_type=preferred_element_type,
    )


def conv_with_general_padding(
    lhs: Any,
    rhs: Any,
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    lhs_dilation: Sequence[int] | None,
    rhs_dilation: Sequence[int] | None,
    precision: PrecisionLike = None,
    preferred_element_type: Any = None,
) -> Any:
    """Convolution with axes NC, OI, NC and spatial axes, any padding and dilation."""
    return conv_general_dilated(
        lhs,
        rhs,
        window_strides,
        padding,
        lhs_dilation,
        rhs_dilation,
        precision=precision,
        preferred_element_type=preferred_element_type,
    )


_CHANNELS_LAST = {
    2: ("NC", "IO", "NC"),
    3: ("NHC", "HIO", "NHC"),
    4: ("NHWC", "HWIO", "NHWC"),
    5: ("NHWDC", "HWDIO", "NHWDC"),
}


def _transposed_pads(kernel: int, stride: int, padding: str) -> tuple[int, int]:
    """Padding of the dilated input that gives the size whose forward convolution has this input."""
    kind = padding.upper()
    if kind == "SAME":
        total = kernel + stride - 2
        low = kernel - 1 if stride > kernel - 1 else -(-total // 2)
    elif kind == "VALID":
        total = kernel + stride - 2 + max(kernel - stride, 0)
        low = kernel - 1
    else:
        raise ValueError(f"conv_transpose: needs padding 'SAME', 'VALID' or pairs; got {padding!r}")
    return low, total - low


def conv_transpose(
    lhs: Any,
    rhs: Any,
    strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: ConvGeneralDilatedDimensionNumbers = None,
    transpose_kernel: bool = False,
    precision: PrecisionLike = None,
    preferred_element_type: Any = None,
    use_consistent_padding: bool = False,
) -> Any:
    """The transpose ("deconvolution") of a convolution with these strides.

    "SAME" gives size x stride elements. `transpose_kernel` flips the kernel and swaps its
    features, so that the
    result is the gradient of the convolution with that kernel. `use_consistent_padding` reads
    explicit
    pairs as those of the convolution that is transposed. Axes are channels last by default.
    """
    x, kernel = one_dtype(lhs, rhs)
    rank = x.ndim
    if dimension_numbers is None:
        if rank not in _CHANNELS_LAST:
            raise refuse("conv_transpose", "dimension_numbers for more than 3 spatial axes", "None")
        dimension_numbers = _CHANNELS_LAST[rank]
    numbers = conv_dimension_numbers(x.shape, kernel.shape, dimension_numbers)
    gaps = tuple(rhs_dilation) if rhs_dilation is not None else (1,) * (rank - 2)
    sizes = [
        dilated(kernel.shape[d], gap) for d, gap in zip(numbers.rhs_spec[2:], gaps, strict=True)
    ]
    if isinstance(padding, str):
        pads = [_transposed_pads(k, s, padding) for k, s in zip(sizes, strides, strict=True)]
    elif use_consistent_padding:
        pads = [
            (k - 1 - low, k - 1 - high)
            for k, (low, high) in zip(sizes, _pairs(padding, rank - 2), strict=True)
        ]
    else:
        pads = list(_pairs(padding, rank - 2))
    if transpose_kernel:
        kernel = rev(kernel, dimensions=numbers.rhs_spec[2:])
        out, into, *spatial = numbers.rhs_spec
        numbers = numbers._replace(rhs_spec=(into, out, *spatial))
    return conv_general_dilated(
        x,
        kernel,
        (1,) * (rank - 2),
        pads,
        strides,
        gaps,
        numbers,
        precision=precision,
        preferred_element_type=preferred_element_type,
    )


# --- patches


def conv_general_dilated_patches(
    lhs: Any,
    filter_shape: Sequence[int],
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: ConvGeneralDilatedDimensionNumbers = None,
    precision: PrecisionLike = None,
    preferred_element_type: Any = None,
) -> Any:
    """The windows that a convolution would see, flattened into the features: feature major, then
    window.
    """
    (x,) = one_dtype(lhs)
    filter_shape = tuple(filter_shape)
    numbers = conv_dimension_numbers(x.shape, (1, 1, *filter_shape), dimension_numbers)
    features, size = x.shape[numbers.lhs_spec[1]], math.prod(filter_shape)
    identity = np.tile(
        np.eye(size).reshape(size, 1, *filter_shape), (features, 1, *(1 for _ in filter_shape))
    )
    kernel = identity.transpose(np.argsort(numbers.rhs_spec)).astype(x.dtype)
    return conv_general_dilated(
        x,
        kernel,
        window_strides,
        padding,
        lhs_dilation,
        rhs_dilation,
        numbers,
        feature_group_count=features,
        precision=precision,
        preferred_element_type=preferred_element_type,
    )


def conv_general_dilated_local(
    lhs: Any,
    rhs: Any,
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    filter_shape: Sequence[int],
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: ConvGeneralDilatedDimensionNumbers = None,
    precision: PrecisionLike = None,
) -> Any:
    """A convolution with a kernel of its own at each position: rhs has in features x window and
    positions.
    """
    x, kernel = one_dtype(lhs, rhs)
    numbers = conv_dimension_numbers(x.shape, kernel.shape, dimension_numbers)
    patches = conv_general_dilated_patches(
        x, filter_shape, window_strides, padding, lhs_dilation, rhs_dilation, numbers, precision
    )
    _, into, *rhs_space = numbers.rhs_spec
    batch, feature, *space = numbers.out_spec
    product = dot_general(
        kernel, patches, (((into,), (feature,)), (tuple(rhs_space), tuple(space))), precision
    )
    # Axes of the product: positions, out features, batch.
    positions = len(space)
    order = [0] * product.ndim
    for source, target in zip(
        (*range(positions), positions, positions + 1), (*space, feature, batch), strict=True
    ):
        order[target] = source
    return declared("transpose")(product, permutation=tuple(order))


__all__ = [
    "ConvDimensionNumbers", "ConvGeneralDilatedDimensionNumbers", "conv", "conv_dimension_numbers",
    "conv_general_dilated", "conv_general_dilated_local", "conv_general_dilated_patches",
    "conv_transpose", "conv_with_general_padding", "padtype_to_pads",
]  # fmt: skip
