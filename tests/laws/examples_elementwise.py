"""Examples of elementwise primitives: a float, a complex, an integer and a bool one where the dtype
is accepted."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from vires.core import dtypes
from vires.core.primitive import PRIMITIVES
from vires.ops.elementwise import RoundingMethod
from vires.ops.families import Elementwise

_SHAPES = ((2, 3), ())

#: Ranges of the operands where the default one, (0.3, 2.7) with both signs, leaves the domain or
#: meets a kink.
_RANGES: dict[str, tuple[tuple[float, float], ...]] = {
    "acosh": ((1.2, 4),),
    "asin": ((-0.8, 0.8),),
    "acos": ((-0.8, 0.8),),
    "atanh": ((-0.8, 0.8),),
    "erf_inv": ((-0.8, 0.8),),
    "sqrt": ((0.3, 3),),
    "rsqrt": ((0.3, 3),),
    "log": ((0.3, 3),),
    "log2": ((0.3, 3),),
    "log1p": ((-0.6, 3),),
    "pow": ((0.3, 3), (-2, 2)),
    "lgamma": ((0.3, 5),),
    "digamma": ((0.3, 5),),
    "zeta": ((1.5, 4), (0.5, 5)),
    "igamma": ((0.5, 4), (0.5, 4)),
    "igammac": ((0.5, 4), (0.5, 4)),
    "igamma_grad_a": ((0.5, 4), (0.5, 4)),
    "random_gamma_grad": ((0.5, 4), (0.5, 4)),
    "regularized_incomplete_beta": ((0.5, 4), (0.5, 4), (0.1, 0.9)),
}

_PARAMS: dict[str, list[dict[str, Any]]] = {
    "round": [{"rounding_method": method} for method in RoundingMethod],
    "integer_pow": [{"y": 3}, {"y": 0}, {"y": 1}, {"y": 6}],
    "reduce_precision": [{"exponent_bits": 11, "mantissa_bits": 52}],
    "convert_element_type": [
        {"new_dtype": dtypes.float64, "weak_type": False},
        {"new_dtype": dtypes.int32, "weak_type": False},
        {"new_dtype": dtypes.float32, "weak_type": False},
        {"new_dtype": dtypes.complex128, "weak_type": False},
        {"new_dtype": dtypes.bool_, "weak_type": False},
    ],
}


def _random(name: str) -> np.random.RandomState:
    return np.random.RandomState(zlib.crc32(name.encode()))


def _floats(name: str, position: int, shape: tuple[int, ...], random: Any) -> np.ndarray:
    ranges = _RANGES.get(name)
    if ranges is not None:
        return np.asarray(random.uniform(*ranges[position], size=shape))
    signs = np.where(random.uniform(size=shape) < 0.5, -1.0, 1.0)
    return np.asarray(random.uniform(0.3, 2.7, size=shape) * signs)


def _operands(name: str, arity: int, dtype: Any, shape: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    random = _random(f"{name} {dtype} {shape}")
    kind = dtypes.kind(dtype)
    operands = []
    for position in range(arity):
        if kind in ("float", "complex"):
            x = _floats(name, position, shape, random)
            if kind == "complex":
                x = x + 1j * _floats("", position, shape, random) * 0.4
        elif kind == "bool":
            x = random.uniform(size=shape) < 0.5
        else:
            low = 0 if kind == "unsigned" or name.startswith("shift") else -9
            x = random.randint(low, 10, size=shape)
        operands.append(np.asarray(x).astype(dtype))
    return tuple(operands)


def examples(name: str) -> list[Any]:
    primitive = PRIMITIVES[name]
    if not isinstance(primitive, Elementwise):
        return []
    found: list[Any] = []
    for dtype in (dtypes.float64, dtypes.complex128, dtypes.int32, dtypes.bool_):
        if dtype not in primitive.accepts:
            continue
        for shape in _SHAPES:
            operands = _operands(name, primitive.arity, dtype, shape)
            if name == "polygamma":
                operands = (np.full(shape, 1.0), np.abs(operands[1]))
            if name == "clamp" and dtype != dtypes.bool_:
                operands = (operands[0] - 1, operands[1], operands[2] + 1)
            found.extend((operands, params) for params in _PARAMS.get(name, [{}]))
    if name == "clamp":
        x = np.array([[-1.5, 0.2, 2.5], [0.5, -0.7, 0.9]])
        found.append(((np.float64(-1), x, np.float64(1)), {}))
    if name == "pow":
        found.append(((np.array([1.5, -2.5, 0.7]), np.array([2, 3, -1], np.int32)), {}))
    if name == "integer_pow":
        found.append(((np.array([1.5, -2.5, 0.7]),), {"y": -2}))
    return found
