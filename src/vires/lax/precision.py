"""How exact a product has to be: precisions, and algorithms with their rounding of operands."""

from __future__ import annotations

from enum import Enum
from typing import Any, NamedTuple

from vires.core import dtypes
from vires.core.dtypes import DType
from vires.core.trace import aval_of
from vires.ops.contract import Precision
from vires.ops.convert import convert, reduce_precision

PrecisionLike = Any

_PRECISIONS = {
    "default": Precision.DEFAULT,
    "fastest": Precision.DEFAULT,
    "bfloat16": Precision.DEFAULT,
    "high": Precision.HIGH,
    "tensorfloat32": Precision.HIGH,
    "bfloat16_3x": Precision.HIGH,
    "highest": Precision.HIGHEST,
    "float32": Precision.HIGHEST,
}


class DotAlgorithm(NamedTuple):
    """How a product is computed: what its operands are rounded to, and the type of its sums.

    With several components each operand is a sum of that many rounded ones, which together are
    nearly exact: then it is not rounded at all.
    """

    lhs_precision_type: Any
    rhs_precision_type: Any
    accumulation_type: Any
    lhs_component_count: int = 1
    rhs_component_count: int = 1
    num_primitive_operations: int = 1
    allow_imprecise_accumulation: bool = False


class DotAlgorithmPreset(Enum):
    """Algorithms that hardware knows, by the types of operands and sums.

    X3, X6 and X9 stand for products of sums of bfloat16 numbers. Here sums are never less exact
    than an algorithm asks for.
    """

    DEFAULT = 0
    ANY_F8_ANY_F8_F32 = 1
    ANY_F8_ANY_F8_F32_FAST_ACCUM = 2
    ANY_F8_ANY_F8_ANY = 3
    ANY_F8_ANY_F8_ANY_FAST_ACCUM = 4
    F16_F16_F16 = 5
    F16_F16_F32 = 6
    BF16_BF16_BF16 = 7
    BF16_BF16_F32 = 8
    BF16_BF16_F32_X3 = 9
    BF16_BF16_F32_X6 = 10
    BF16_BF16_F32_X9 = 11
    TF32_TF32_F32 = 12
    TF32_TF32_F32_X3 = 13
    F32_F32_F32 = 14
    F64_F64_F64 = 15


#: What operands are rounded to, "tf32" or a dtype (None for not at all), and the type of the sums.
_RULES: dict[DotAlgorithmPreset, tuple[Any, DType | None]] = {
    DotAlgorithmPreset.DEFAULT: (None, None),
    DotAlgorithmPreset.ANY_F8_ANY_F8_F32: ("float8", dtypes.float32),
    DotAlgorithmPreset.ANY_F8_ANY_F8_F32_FAST_ACCUM: ("float8", dtypes.float32),
    DotAlgorithmPreset.ANY_F8_ANY_F8_ANY: ("float8", dtypes.float32),
    DotAlgorithmPreset.ANY_F8_ANY_F8_ANY_FAST_ACCUM: ("float8", dtypes.float32),
    DotAlgorithmPreset.F16_F16_F16: (dtypes.float16, dtypes.float16),
    DotAlgorithmPreset.F16_F16_F32: (dtypes.float16, dtypes.float32),
    DotAlgorithmPreset.BF16_BF16_BF16: (dtypes.bfloat16, dtypes.bfloat16),
    DotAlgorithmPreset.BF16_BF16_F32: (dtypes.bfloat16, dtypes.float32),
    DotAlgorithmPreset.BF16_BF16_F32_X3: (None, dtypes.float32),
    DotAlgorithmPreset.BF16_BF16_F32_X6: (None, dtypes.float32),
    DotAlgorithmPreset.BF16_BF16_F32_X9: (None, dtypes.float32),
    DotAlgorithmPreset.TF32_TF32_F32: ("tf32", dtypes.float32),
    DotAlgorithmPreset.TF32_TF32_F32_X3: (None, dtypes.float32),
    DotAlgorithmPreset.F32_F32_F32: (dtypes.float32, dtypes.float32),
    DotAlgorithmPreset.F64_F64_F64: (dtypes.float64, dtypes.float64),
}


def canonical_precision(precision: PrecisionLike) -> Precision | tuple[Precision, Precision] | None:
    """None, a `Precision`, or a pair of them, from those, from names, or from a pair of names."""
    if precision is None or isinstance(precision, Precision):
        return precision
    if isinstance(precision, str) and precision in _PRECISIONS:
        return _PRECISIONS[precision]
    if isinstance(precision, (tuple, list)) and len(precision) == 2:
        first, second = (canonical_precision(p) or Precision.DEFAULT for p in precision)
        if isinstance(first, Precision) and isinstance(second, Precision):
            return first, second
    names = ", ".join(map(repr, _PRECISIONS))
    raise ValueError(
        f"precision: needs None, a lax.Precision, a lax.DotAlgorithmPreset, one of {names}, or a "
        f"pair; got {precision!r}"
    )


def algorithm_of(precision: PrecisionLike) -> tuple[Any, Any, DType | None] | None:
    """Roundings of the two operands and the type of the sums; None for what is no algorithm."""
    if isinstance(precision, str) and precision in DotAlgorithmPreset.__members__:
        precision = DotAlgorithmPreset[precision]
    if isinstance(precision, DotAlgorithmPreset):
        rounding, sums = _RULES[precision]
        return rounding, rounding, sums
    if isinstance(precision, DotAlgorithm):
        left = precision.lhs_precision_type if precision.lhs_component_count == 1 else None
        right = precision.rhs_precision_type if precision.rhs_component_count == 1 else None
        return left, right, dtypes.canonical(precision.accumulation_type)
    return None


def rounded(x: Any, rounding: Any, name: str) -> Any:
    """An operand rounded to a type, in its own dtype."""
    if rounding is None:
        return x
    dtype = aval_of(x).dtype
    if rounding == "float8":
        if dtype.itemsize != 1 or dtypes.kind(dtype) != "float":
            raise TypeError(f"{name}: needs float8 operands for this algorithm; got {dtype.name}")
        return x
    if rounding == "tf32":
        return reduce_precision(x, exponent_bits=8, mantissa_bits=10)
    narrow = dtypes.canonical(rounding)
    return x if narrow == dtype else convert(convert(x, narrow), dtype)
