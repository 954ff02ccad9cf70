"""Contraction: dot_general, the product of arrays summed over shared axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any

import numpy as np

from vires.core import dtypes
from vires.core.avals import ShapedArray
from vires.core.dtypes import DType
from vires.core.primitive import AxisData, LinearOperand, Primitive, Zero
from vires.core.trace import aval_of
from vires.dialect.loops import Definition, LoopBuilder, Operand
from vires.ops.accept import BOOL_OR_NUMBER, check_dtype, refuse, typed, typed_all
from vires.ops.axes import Axes, past, without
from vires.ops.convert import convert
from vires.ops.elementwise import add
from vires.ops.linear import tangent_zero
from vires.ops.reduce import numpy_products
from vires.ops.shape import transpose

#: ((contracting axes of lhs, of rhs), (batch axes of lhs, of rhs))
DotDimensionNumbers = tuple[tuple[Axes, Axes], tuple[Axes, Axes]]


class Precision(IntEnum):
    """How exactly accelerators multiply float32; CPU kernels always use full float32."""

    DEFAULT = 0
    HIGH = 1
    HIGHEST = 2


def _free(ndim: int, contracting: Axes, batch: Axes) -> Axes:
    return without(range(ndim), (*contracting, *batch))


def _infer(
    lhs: ShapedArray,
    rhs: ShapedArray,
    *,
    dimension_numbers: DotDimensionNumbers,
    precision: Any,
    preferred_element_type: DType | None,
) -> ShapedArray:
    name = "dot_general"
    check_dtype(name, lhs, BOOL_OR_NUMBER)
    if lhs.dtype != rhs.dtype:
        raise refuse(
            name, "operands of one dtype", typed_all((lhs, rhs)), f"x.astype({lhs.dtype.name})"
        )
    (lhs_contract, rhs_contract), (lhs_batch, rhs_batch) = dimension_numbers
    for side, x, axes in (
        ("lhs", lhs, (*lhs_contract, *lhs_batch)),
        ("rhs", rhs, (*rhs_contract, *rhs_batch)),
    ):
        if len(set(axes)) != len(axes) or any(not 0 <= d < x.ndim for d in axes):
            raise refuse(
                name, f"distinct axes of {side}", f"axes {axes} for {typed(x)}", "", ValueError
            )
    for kind, pairs in (
        ("contracting", (lhs_contract, rhs_contract)),
        ("batch", (lhs_batch, rhs_batch)),
    ):
        if len(pairs[0]) != len(pairs[1]):
            raise refuse(
                name, f"as many {kind} axes of lhs as of rhs", f"{pairs[0]} and {pairs[1]}"
            )
        for i, j in zip(*pairs, strict=True):
            if lhs.shape[i] != rhs.shape[j]:
                raise refuse(
                    name,
                    f"equal sizes of {kind} axes",
                    f"{typed(lhs)} and {typed(rhs)}, axis {i} of size {lhs.shape[i]} "
                    f"and axis {j} of size {rhs.shape[j]}",
                )
    dtype = lhs.dtype if preferred_element_type is None else preferred_element_type
    if dtypes.kind(dtype) == "complex" and dtypes.kind(lhs.dtype) != "complex":
        raise refuse(name, "a real preferred_element_type for real operands", dtype.name)
    shape = (
        *(lhs.shape[d] for d in lhs_batch),
        *(lhs.shape[d] for d in _free(lhs.ndim, lhs_contract, lhs_batch)),
        *(rhs.shape[d] for d in _free(rhs.ndim, rhs_contract, rhs_batch)),
    )
    return ShapedArray(
        shape, dtype, lhs.weak_type and rhs.weak_type and preferred_element_type is None
    )


def matrices(x: np.ndarray, batch: Axes, rows: Axes, columns: Axes) -> np.ndarray:
    """The array as a stack of matrices, without a copy where its layout allows."""
    moved = x.transpose((*batch, *rows, *columns))
    sizes = [int(np.prod([x.shape[d] for d in axes], dtype=np.int64)) for axes in (rows, columns)]
    return moved.reshape([x.shape[d] for d in batch] + sizes)


def _reference(
    lhs: np.ndarray,
    rhs: np.ndarray,
    *,
    dimension_numbers: DotDimensionNumbers,
    precision: Any,
    preferred_element_type: DType | None,
) -> np.ndarray:
    (lhs_contract, rhs_contract), (lhs_batch, rhs_batch) = dimension_numbers
    lhs_free = _free(lhs.ndim, lhs_contract, lhs_batch)
    rhs_free = _free(rhs.ndim, rhs_contract, rhs_batch)
    dtype = lhs.dtype if preferred_element_type is None else preferred_element_type
    shape = (
        *(lhs.shape[d] for d in lhs_batch),
        *(lhs.shape[d] for d in lhs_free),
        *(rhs.shape[d] for d in rhs_free),
    )
    compute = numpy_products(lhs.dtype, dtype)
    a = matrices(lhs, lhs_batch, lhs_free, lhs_contract).astype(compute, copy=False)
    b = matrices(rhs, rhs_batch, rhs_contract, rhs_free).astype(compute, copy=False)
    with np.errstate(all="ignore"):
        return np.matmul(a, b).reshape(shape).astype(dtype, copy=False)


#: Dtypes that NumPy multiplies with BLAS, which raises no floating-point warnings.
_BLAS = (dtypes.float32, dtypes.float64, dtypes.complex64, dtypes.complex128)


def plain_product(
    lhs: ShapedArray,
    rhs: ShapedArray,
    *,
    dimension_numbers: DotDimensionNumbers,
    precision: Any,
    preferred_element_type: DType | None,
) -> Callable[[np.ndarray, np.ndarray], Any] | None:
    """The product of vectors and matrices as one call of NumPy's dot; None for any other
    contraction.
    """
    (lhs_contract, rhs_contract), (lhs_batch, _) = dimension_numbers
    single = len(lhs_contract) == 1 and not lhs_batch and 1 <= lhs.ndim <= 2 and 1 <= rhs.ndim <= 2
    # Not `in (None, ...)`: to NumPy, None is a name of float64.
    as_it_is = preferred_element_type is None or preferred_element_type == lhs.dtype
    if not single or lhs.dtype not in _BLAS or not as_it_is:
        return None
    turn_lhs = lhs.ndim == 2 and lhs_contract == (0,)
    turn_rhs = rhs.ndim == 2 and rhs_contract == (1,)
    if turn_lhs:
        return (lambda x, y: np.dot(x.T, y.T)) if turn_rhs else (lambda x, y: np.dot(x.T, y))
    return (lambda x, y: np.dot(x, y.T)) if turn_rhs else np.dot


def _jvp(primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> tuple[Any, Any]:
    lhs, rhs = primals
    dlhs, drhs = tangents
    out = dot_general(lhs, rhs, **params)
    terms = []
    if dlhs.__class__ is not Zero:
        terms.append(dot_general(dlhs, rhs, **params))
    if drhs.__class__ is not Zero:
        terms.append(dot_general(lhs, drhs, **params))
    aval = aval_of(out)
    if not terms or not dtypes.is_inexact(aval.dtype):
        return out, tangent_zero(aval)
    return out, terms[0] if len(terms) == 1 else add(*terms)


def _operand_cotangent(
    ct: Any,
    x: LinearOperand,
    y: Any,
    x_axes: tuple[Axes, Axes],
    y_axes: tuple[Axes, Axes],
    y_first: bool,
    precision: Any,
) -> Any:
    """The cotangent of operand x, whose partner is y: ct contracted with y over y's free axes.

    `y_first` says that y is the left operand, so that its free axes come before those of x in ct.
    """
    x_contract, x_batch = x_axes
    y_contract, y_batch = y_axes
    batch_count = len(x_batch)
    x_free = _free(len(x.shape), x_contract, x_batch)
    y_free = _free(aval_of(y).ndim, y_contract, y_batch)
    start = batch_count if y_first else batch_count + len(x_free)
    ct_axes = (tuple(range(start, start + len(y_free))), tuple(range(batch_count)))
    wide = aval_of(ct).dtype
    # Axes of the product: batch, free axes of x, then the contracted ones in the order that y has
    # them; the last two change places if y comes first, which may be the order of x.
    by_y = sorted(range(len(y_contract)), key=y_contract.__getitem__)
    contracted = tuple([x_contract[k] for k in by_y])
    order = (*x_batch, *contracted, *x_free)
    operands, axes = (convert(y, wide), ct), ((y_free, y_batch), ct_axes)
    if order != tuple(range(len(order))):
        order = (*x_batch, *x_free, *contracted)
        operands, axes = operands[::-1], axes[::-1]
    product = dot_general(
        *operands,
        dimension_numbers=((axes[0][0], axes[1][0]), (axes[0][1], axes[1][1])),
        precision=precision,
        preferred_element_type=None,
    )
    inverse = tuple(sorted(range(len(order)), key=order.__getitem__))
    if inverse != tuple(range(len(order))):
        product = transpose(product, permutation=inverse)
    return convert(product, x.dtype)


def _transpose(
    ct: Any,
    lhs: Any,
    rhs: Any,
    *,
    dimension_numbers: DotDimensionNumbers,
    precision: Any,
    preferred_element_type: DType | None,
) -> list[Any]:
    (lhs_contract, rhs_contract), (lhs_batch, rhs_batch) = dimension_numbers
    left, right = (lhs_contract, lhs_batch), (rhs_contract, rhs_batch)
    if lhs.__class__ is LinearOperand:
        return [_operand_cotangent(ct, lhs, rhs, left, right, False, precision), None]
    return [None, _operand_cotangent(ct, rhs, lhs, right, left, True, precision)]


def _batch(
    axis: AxisData, operands: Sequence[Any], dims: Sequence[int | None], **params: Any
) -> tuple[Any, int]:
    lhs, rhs = operands
    lhs_dim, rhs_dim = dims
    (lhs_contract, rhs_contract), (lhs_batch, rhs_batch) = params.pop("dimension_numbers")
    if lhs_dim is not None:
        lhs_contract, lhs_batch = past(lhs_contract, lhs_dim), past(lhs_batch, lhs_dim)
    if rhs_dim is not None:
        rhs_contract, rhs_batch = past(rhs_contract, rhs_dim), past(rhs_batch, rhs_dim)
    if lhs_dim is not None and rhs_dim is not None:
        result_dim = 0
        lhs_batch, rhs_batch = (lhs_dim, *lhs_batch), (rhs_dim, *rhs_batch)
    elif lhs_dim is not None:  # the mapped axis is one more free axis
        free = _free(aval_of(lhs).ndim, lhs_contract, lhs_batch)
        result_dim = len(lhs_batch) + free.index(lhs_dim)
    else:
        free = _free(aval_of(rhs).ndim, rhs_contract, rhs_batch)
        lhs_rest = aval_of(lhs).ndim - len(lhs_contract)
        result_dim = lhs_rest + free.index(rhs_dim)
    numbers = ((lhs_contract, rhs_contract), (lhs_batch, rhs_batch))
    return dot_general(lhs, rhs, dimension_numbers=numbers, **params), result_dim


def _loops(
    b: LoopBuilder,
    lhs: Operand,
    rhs: Operand,
    *,
    dimension_numbers: DotDimensionNumbers,
    precision: Any,
    preferred_element_type: DType | None,
) -> Definition:
    contracting, batch = dimension_numbers
    dtype = preferred_element_type or lhs.dtype
    return b.block("contract", [lhs, rhs], contracting=contracting, batch=batch, dtype=dtype)[0]


dot_general = Primitive(
    "dot_general",
    """The product of lhs and rhs summed over contracting axes, for each index of the batch axes.

    Axes of the result: batch axes, free axes of lhs, free axes of rhs. float16 and bfloat16 are
    accumulated in
    float32; bool is `or` of `and`s; integers wrap around in preferred_element_type.
    """,
    infer=_infer,
    reference=_reference,
    jvp=_jvp,
    transpose=_transpose,
    batch=_batch,
    loops=_loops,
)
