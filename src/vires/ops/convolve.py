"""conv_general_dilated: convolution (as in networks, without flipping the kernel) in any number of
dimensions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from vires.core import dtypes
from vires.core.avals import ShapedArray
from vires.core.dtypes import DType
from vires.core.primitive import AxisData, LinearOperand, Primitive, Zero
from vires.core.trace import aval_of
from vires.dialect.loops import Definition, LoopBuilder, Operand
from vires.ops.accept import NUMBER, check_dtype, refuse, typed, typed_all
from vires.ops.axes import Axes
from vires.ops.convert import convert
from vires.ops.elementwise import add
from vires.ops.extent import Padding, dilated, output_sizes, spread, windows
from vires.ops.linear import tangent_zero
from vires.ops.parts import rev
from vires.ops.reduce import numpy_products
from vires.ops.shape import move_axis, reshape


class ConvDimensionNumbers(NamedTuple):
    """Axis numbers: (batch, feature, spatial...) of lhs and result, (out feature, in feature,
    spatial...) of rhs.
    """

    lhs_spec: Axes
    rhs_spec: Axes
    out_spec: Axes


# --- types


def _infer(
    lhs: ShapedArray,
    rhs: ShapedArray,
    *,
    window_strides: Axes,
    padding: Padding,
    lhs_dilation: Axes,
    rhs_dilation: Axes,
    dimension_numbers: ConvDimensionNumbers,
    feature_group_count: int,
    batch_group_count: int,
    precision: Any,
    preferred_element_type: DType | None,
) -> ShapedArray:
    name = "conv_general_dilated"
    check_dtype(name, lhs, NUMBER)
    if lhs.dtype != rhs.dtype:
        raise refuse(
            name, "operands of one dtype", typed_all((lhs, rhs)), f"x.astype({lhs.dtype.name})"
        )
    rank = lhs.ndim
    if rank < 2 or rhs.ndim != rank:
        raise refuse(name, "operands of one rank, at least 2", typed_all((lhs, rhs)))
    if any(sorted(spec) != list(range(rank)) for spec in dimension_numbers):
        raise refuse(
            name,
            f"dimension numbers that are permutations of 0 to {rank - 1}",
            str(tuple(dimension_numbers)),
            "lax.conv_dimension_numbers",
        )
    for what, values in (
        ("window_strides", window_strides),
        ("lhs_dilation", lhs_dilation),
        ("rhs_dilation", rhs_dilation),
    ):
        if len(values) != rank - 2:
            raise refuse(name, f"{rank - 2} entries of {what}", f"{values} for {typed(lhs)}")
        if any(v < 1 for v in values):
            raise refuse(name, f"positive {what}", str(values), "", ValueError)
    if len(padding) != rank - 2:
        raise refuse(name, f"{rank - 2} entries of padding", f"{padding} for {typed(lhs)}")
    (n, c, *lhs_space), (o, i, *rhs_space) = _ordered(lhs, rhs, dimension_numbers)
    groups, batches = feature_group_count, batch_group_count
    if groups < 1 or batches < 1 or (groups > 1 and batches > 1):
        raise refuse(
            name,
            "positive group counts of which one is 1",
            f"feature_group_count {groups} and batch_group_count {batches}",
            "",
            ValueError,
        )
    if c != i * groups or o % groups or n % batches or o % batches:
        raise refuse(
            name,
            "lhs features = feature_group_count x rhs in features, and rhs out features and "
            "the lhs batch "
            "divisible by the group counts",
            f"lhs {typed(lhs)} with {c} features and batch {n}, rhs {typed(rhs)} with {i} in "
            f"and {o} out "
            f"features, feature_group_count {groups}, batch_group_count {batches}",
            "dimension_numbers=('NHWC', 'HWIO', 'NHWC') or the like",
        )
    space = output_sizes(
        tuple(lhs_space), tuple(rhs_space), window_strides, padding, lhs_dilation, rhs_dilation
    )
    canonical = (n // batches, o, *space)
    shape = [0] * rank
    for size, d in zip(canonical, dimension_numbers.out_spec, strict=True):
        shape[d] = size
    dtype = lhs.dtype if preferred_element_type is None else preferred_element_type
    return ShapedArray(tuple(shape), dtype)


def _ordered(lhs: Any, rhs: Any, numbers: ConvDimensionNumbers) -> tuple[list[int], list[int]]:
    return [lhs.shape[d] for d in numbers.lhs_spec], [rhs.shape[d] for d in numbers.rhs_spec]


# --- reference


def _reference(
    lhs: np.ndarray,
    rhs: np.ndarray,
    *,
    window_strides: Axes,
    padding: Padding,
    lhs_dilation: Axes,
    rhs_dilation: Axes,
    dimension_numbers: ConvDimensionNumbers,
    feature_group_count: int,
    batch_group_count: int,
    precision: Any,
    preferred_element_type: DType | None,
) -> np.ndarray:
    dtype = lhs.dtype if preferred_element_type is None else preferred_element_type
    compute = numpy_products(lhs.dtype, dtype)
    x = lhs.transpose(dimension_numbers.lhs_spec).astype(compute, copy=False)
    kernel = rhs.transpose(dimension_numbers.rhs_spec).astype(compute, copy=False)
    out_features, in_features, *size = kernel.shape
    groups = feature_group_count * batch_group_count
    if batch_group_count > 1:  # groups of the batch become groups of features
        x = x.reshape(groups, x.shape[0] // groups, *x.shape[1:]).swapaxes(0, 1)
        x = x.reshape(x.shape[0], groups * x.shape[2], *x.shape[3:])
    x = spread(x, 2, lhs_dilation, padding, 0)
    batch = x.shape[0]
    view = windows(x, 2, tuple(size), window_strides, rhs_dilation)
    space = view.shape[2 : 2 + len(size)]
    columns, taken = out_features // groups, in_features * math.prod(size)
    kernels = kernel.reshape(groups, columns, taken).swapaxes(1, 2)
    # (batch, group, features, positions, window) -> (group, batch, positions, features, window)
    view = view.reshape(batch, groups, in_features, *view.shape[2:])
    positions = range(3, 3 + len(space))
    view = view.transpose(1, 0, *positions, 2, *range(3 + len(space), view.ndim))
    rows = math.prod(space)
    out = np.empty((groups, batch, rows, columns), compute)
    chunk = max(1, 2**22 // max(1, groups * rows * taken))
    with np.errstate(all="ignore"):
        for start in range(0, batch, chunk):  # a bounded copy of the windows at a time
            part = view[:, start : start + chunk]
            count = part.shape[1]
            patches = part.reshape(groups, count * rows, taken)
            out[:, start : start + count] = np.matmul(patches, kernels).reshape(
                groups, count, rows, columns
            )
        result = out.transpose(1, 0, 3, 2).reshape(batch, out_features, *space).astype(dtype)
    return result.transpose(np.argsort(dimension_numbers.out_spec))


# --- derivatives


def _jvp(primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> tuple[Any, Any]:
    lhs, rhs = primals
    dlhs, drhs = tangents
    out = conv_general_dilated(lhs, rhs, **params)
    terms = []
    if dlhs.__class__ is not Zero:
        terms.append(conv_general_dilated(dlhs, rhs, **params))
    if drhs.__class__ is not Zero:
        terms.append(conv_general_dilated(lhs, drhs, **params))
    aval = aval_of(out)
    if not terms or not dtypes.is_inexact(aval.dtype):
        return out, tangent_zero(aval)
    return out, terms[0] if len(terms) == 1 else add(*terms)


def _split_axis(x: Any, axis: int, count: int) -> Any:
    """The axis as two: (count, rest)."""
    shape = aval_of(x).shape
    return reshape(
        x,
        new_sizes=(*shape[:axis], count, shape[axis] // count, *shape[axis + 1 :]),
        dimensions=None,
    )


def _merge_axis(x: Any, axis: int, into: int) -> Any:
    """The axis joined with another, as the slower part of it; `into` is numbered without the
    axis.
    """
    x = move_axis(x, axis, into)
    shape = aval_of(x).shape
    return reshape(
        x,
        new_sizes=(*shape[:into], shape[into] * shape[into + 1], *shape[into + 2 :]),
        dimensions=None,
    )


def _spatial(x: Any, spec: Axes) -> list[int]:
    return [aval_of(x).shape[d] for d in spec[2:]]


def _lhs_cotangent(
    ct: Any, lhs: LinearOperand, rhs: Any, numbers: ConvDimensionNumbers, params: dict[str, Any]
) -> Any:
    """Each element of lhs met the kernel at many positions: the ct there times the kernel,
    mirrored.
    """
    strides, padding, lhs_dilation, rhs_dilation = (
        params[k] for k in ("window_strides", "padding", "lhs_dilation", "rhs_dilation")
    )
    groups, batches = params["feature_group_count"], params["batch_group_count"]
    out_axis, in_axis = numbers.rhs_spec[:2]
    together = groups * batches
    if together > 1:  # out features of each group meet in features of each group
        rhs = _split_axis(rhs, out_axis, together)
        rhs = _merge_axis(rhs, out_axis, in_axis)
    pads = []
    for n, k, stride, (low, _), spread_by, gap, m in zip(
        _spatial(lhs, numbers.lhs_spec),
        _spatial(rhs, numbers.rhs_spec),
        strides,
        padding,
        lhs_dilation,
        rhs_dilation,
        _spatial(ct, numbers.out_spec),
        strict=True,
    ):
        before = dilated(k, gap) - 1 - low
        pads.append(
            (before, dilated(n, spread_by) + dilated(k, gap) - 1 - dilated(m, stride) - before)
        )
    swapped = (in_axis, out_axis, *numbers.rhs_spec[2:])
    result = conv_general_dilated(
        ct,
        rev(rhs, dimensions=numbers.rhs_spec[2:]),
        window_strides=lhs_dilation,
        padding=tuple(pads),
        lhs_dilation=strides,
        rhs_dilation=rhs_dilation,
        dimension_numbers=ConvDimensionNumbers(numbers.out_spec, swapped, numbers.lhs_spec),
        feature_group_count=together,
        batch_group_count=1,
        precision=params["precision"],
        preferred_element_type=None,
    )
    if batches > 1:
        batch_axis, feature_axis = numbers.lhs_spec[:2]
        result = _split_axis(result, feature_axis, batches)
        result = _merge_axis(result, feature_axis, batch_axis)
    return result


def _rhs_cotangent(
    ct: Any, lhs: Any, rhs: LinearOperand, numbers: ConvDimensionNumbers, params: dict[str, Any]
) -> Any:
    """Each element of the kernel met lhs at all positions: lhs convolved with ct, summed over the
    batch.
    """
    strides, padding, lhs_dilation, rhs_dilation = (
        params[k] for k in ("window_strides", "padding", "lhs_dilation", "rhs_dilation")
    )
    pads = []
    for n, k, stride, (low, _), spread_by, gap, m in zip(
        _spatial(lhs, numbers.lhs_spec),
        _spatial(rhs, numbers.rhs_spec),
        strides,
        padding,
        lhs_dilation,
        rhs_dilation,
        _spatial(ct, numbers.out_spec),
        strict=True,
    ):
        high = dilated(m, stride) + dilated(k, gap) - 1 - dilated(n, spread_by) - low
        pads.append((low, high))

    def swap(spec: Axes) -> Axes:
        return (spec[1], spec[0], *spec[2:])

    specs = (swap(numbers.lhs_spec), swap(numbers.out_spec), swap(numbers.rhs_spec))
    return conv_general_dilated(
        lhs,
        ct,
        window_strides=rhs_dilation,
        padding=tuple(pads),
        lhs_dilation=lhs_dilation,
        rhs_dilation=strides,
        dimension_numbers=ConvDimensionNumbers(*specs),
        feature_group_count=params["batch_group_count"],
        batch_group_count=params["feature_group_count"],
        precision=params["precision"],
        preferred_element_type=None,
    )


def _transpose(
    ct: Any, lhs: Any, rhs: Any, *, dimension_numbers: ConvDimensionNumbers, **params: Any
) -> list[Any]:
    wide = aval_of(ct).dtype
    if lhs.__class__ is LinearOperand:
        result = _lhs_cotangent(ct, lhs, convert(rhs, wide), dimension_numbers, params)
        return [convert(result, lhs.dtype), None]
    result = _rhs_cotangent(ct, convert(lhs, wide), rhs, dimension_numbers, params)
    return [None, convert(result, rhs.dtype)]


# --- batching


def _batch(
    axis: AxisData,
    operands: Sequence[Any],
    dims: Sequence[int | None],
    *,
    dimension_numbers: ConvDimensionNumbers,
    **params: Any,
) -> tuple[Any, int]:
    lhs, rhs = operands
    lhs_dim, rhs_dim = dims
    numbers = dimension_numbers
    groups, batches = params["feature_group_count"], params["batch_group_count"]
    (batch, feature), (out_batch, out_feature) = numbers.lhs_spec[:2], numbers.out_spec[:2]
    out = numbers.rhs_spec[0]

    def convolve(lhs: Any, rhs: Any) -> Any:
        return conv_general_dilated(lhs, rhs, dimension_numbers=numbers, **params)

    def merge_inside(x: Any, dim: int, into: int, count: int) -> Any:
        """The mapped axis inside axis `into`, between `count` groups and what is in a group."""
        x = _split_axis(move_axis(x, dim, into), into + 1, count)
        x = move_axis(x, into, into + 1)
        shape = aval_of(x).shape
        merged = math.prod(shape[into : into + 3])
        return reshape(x, new_sizes=(*shape[:into], merged, *shape[into + 3 :]), dimensions=None)

    def split_inside(y: Any, where: int, count: int) -> Any:
        y = _split_axis(_split_axis(y, where, count), where + 1, axis.size)
        return _merge_axis(y, where, where + 1)

    if lhs_dim is not None and rhs_dim is not None:  # one more level of groups
        rhs = _merge_axis(rhs, rhs_dim, out)
        if batches > 1:
            params["batch_group_count"] = batches * axis.size
            lhs = _merge_axis(lhs, lhs_dim, batch)
        else:
            params["feature_group_count"] = groups * axis.size
            lhs = _merge_axis(lhs, lhs_dim, feature)
        return _split_axis(convolve(lhs, rhs), out_feature, axis.size), out_feature
    if lhs_dim is not None:  # a larger batch
        lhs = merge_inside(lhs, lhs_dim, batch, batches)
        return _split_axis(convolve(lhs, rhs), out_batch, axis.size), out_batch
    assert rhs_dim is not None  # more out features
    rhs = merge_inside(rhs, rhs_dim, out, groups * batches)
    return split_inside(convolve(lhs, rhs), out_feature, groups * batches), out_feature


def _loops(
    b: LoopBuilder,
    lhs: Operand,
    rhs: Operand,
    *,
    precision: Any,
    preferred_element_type: Any,
    **params: Any,
) -> Definition:
    return b.block("convolve", [lhs, rhs], dtype=preferred_element_type or lhs.dtype, **params)[0]


conv_general_dilated = Primitive(
    "conv_general_dilated",
    """The kernel rhs slid over lhs, multiplied and summed over in features and window, without
    flipping it.

    lhs_dilation spreads lhs, rhs_dilation the kernel. With feature groups, group g of the out
    features sees
    group g of the in features only; with batch groups, group g of the batch.
    """,
    infer=_infer,
    reference=_reference,
    jvp=_jvp,
    transpose=_transpose,
    batch=_batch,
    loops=_loops,
)
