"""Examples of reductions, products, convolutions, windows, indexing, sorting, matrices and
transforms.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from examples import Keys

from vires.core import dtypes
from vires.ops.convolve import ConvDimensionNumbers
from vires.ops.fft import FftType
from vires.ops.slices import GatherDimensionNumbers, GatherScatterMode, ScatterDimensionNumbers

Params = dict[str, Any]


def _reals(*shape: int, seed: int = 0) -> np.ndarray:
    """Distinct values, far enough from each other for differences of extremes and orders."""
    size = int(np.prod(shape))
    values = np.random.RandomState(seed + size).permutation(size) + 0.5
    return ((values - size / 2) / max(size, 1) * 3).reshape(shape)


def _complexes(*shape: int, seed: int = 0) -> np.ndarray:
    return _reals(*shape, seed=seed) + 1j * _reals(*shape, seed=seed + 1)


def _integers(*shape: int) -> np.ndarray:
    return np.random.RandomState(3).randint(-9, 9, shape).astype(np.int32)


def _bools(*shape: int) -> np.ndarray:
    return np.random.RandomState(4).uniform(size=shape) < 0.5


def _keys(*shape: int) -> Keys:
    return Keys(np.random.RandomState(1).randint(0, 2**63, size=shape).astype(np.uint64))


# --- reductions


def _reductions(name: str) -> list[Any]:
    logic = name in ("reduce_and", "reduce_or", "reduce_xor")
    first = _integers(3, 4) if logic else _reals(3, 4, 2)
    found: list[Any] = [
        ((first,), {"axes": (1,)}),
        ((first,), {"axes": (1, 0)}),
        ((first,), {"axes": ()}),
    ]
    empty = first[:, :0].astype(np.int32) if name in ("reduce_max", "reduce_min") else first[:, :0]
    found.append(((empty,), {"axes": (1,)}))
    found.append(((_bools(3, 4) if logic else _integers(3, 4),), {"axes": (0,)}))
    if not logic:
        found.append(((_reals(4, 5).astype(np.float16),), {"axes": (1,)}))
        found.append(((_reals(4, 5).astype(dtypes.bfloat16),), {"axes": (0,)}))
        found.append(((_complexes(2, 3),), {"axes": (1,)}))
    if name == "reduce_prod":
        found.append(((np.array([[2.0, 0.0, 3.0], [0.0, 0.0, 1.0]]),), {"axes": (1,)}))
    return found


def _positions(name: str) -> list[Any]:
    found = [((_reals(3, 4),), {"axes": (d,), "index_dtype": dtypes.int32}) for d in (0, 1)]
    ties = np.array([[1.0, 3.0, 3.0], [np.nan, 5.0, np.nan], [-0.0, 0.0, -1.0]])
    found.append(((ties,), {"axes": (1,), "index_dtype": dtypes.int64}))
    return [*found, ((_bools(2, 5),), {"axes": (1,), "index_dtype": np.dtype(np.uint8)})]


def _cumulatives(name: str) -> list[Any]:
    found = [((_reals(3, 4),), {"axis": d, "reverse": r}) for d in (0, 1) for r in (False, True)]
    found.append(((_reals(7).astype(np.float16),), {"axis": 0, "reverse": False}))
    found.append(((_reals(0, 2),), {"axis": 0, "reverse": False}))
    if name != "cumlogsumexp":
        found.append(((_integers(5, 2),), {"axis": 0, "reverse": True}))
    return found


# --- products


def _dot(lhs: Any, rhs: Any, contracting: Any, batch: Any = ((), ()), dtype: Any = None) -> Any:
    params = {
        "dimension_numbers": (contracting, batch),
        "precision": None,
        "preferred_element_type": dtype,
    }
    return (lhs, rhs), params


def _dots(name: str) -> list[Any]:
    return [
        _dot(_reals(3, 4), _reals(4, 5), ((1,), (0,))),
        _dot(_reals(4), _reals(4), ((0,), (0,))),
        _dot(_reals(2, 3, 4), _reals(4, 2, 5), ((2,), (0,)), ((0,), (1,))),
        _dot(_reals(2, 3, 4, 2), _reals(2, 2, 4, 3), ((2, 3), (2, 0)), ((0,), (1,))),
        _dot(_reals(2), _reals(3), ((), ())),
        _dot(_reals(2, 0), _reals(0, 3), ((1,), (0,))),
        _dot(_complexes(3, 4), _complexes(4, 2), ((1,), (0,))),
        _dot(_integers(3, 4), _integers(4, 2), ((1,), (0,))),
        _dot(_bools(3, 4), _bools(4, 2), ((1,), (0,))),
        _dot(
            _reals(3, 4).astype(np.float16),
            _reals(4, 2).astype(np.float16),
            ((1,), (0,)),
            dtype=dtypes.float32,
        ),
    ]


_NCHW = ((0, 1, 2, 3), (0, 1, 2, 3), (0, 1, 2, 3))
_NHWC = ((0, 3, 1, 2), (3, 2, 0, 1), (0, 3, 1, 2))


def _convolution(
    lhs: Any,
    rhs: Any,
    numbers: Any,
    strides: Any,
    padding: Any,
    lhs_dilation: Any = (1, 1),
    rhs_dilation: Any = (1, 1),
    groups: int = 1,
    batches: int = 1,
) -> Any:
    return (lhs, rhs), {
        "window_strides": strides,
        "padding": padding,
        "lhs_dilation": lhs_dilation,
        "rhs_dilation": rhs_dilation,
        "dimension_numbers": ConvDimensionNumbers(*numbers),
        "feature_group_count": groups,
        "batch_group_count": batches,
        "precision": None,
        "preferred_element_type": None,
    }


def _convolutions(name: str) -> list[Any]:
    return [
        _convolution(_reals(2, 3, 5, 4), _reals(4, 3, 3, 2), _NCHW, (1, 1), ((0, 0), (0, 0))),
        _convolution(
            _reals(2, 5, 4, 3), _reals(3, 2, 3, 2), _NHWC, (2, 1), ((1, 2), (0, 1)), (1, 2), (2, 1)
        ),
        _convolution(
            _reals(2, 4, 5, 4),
            _reals(2, 2, 3, 2),
            _NCHW,
            (2, 2),
            ((1, 1), (0, 3)),
            (1, 1),
            (1, 2),
            groups=2,
        ),
        _convolution(
            _reals(4, 2, 5, 4),
            _reals(4, 2, 3, 2),
            _NCHW,
            (2, 2),
            ((1, 1), (-1, 3)),
            (2, 1),
            (1, 2),
            batches=2,
        ),
        _convolution(_reals(2, 3), _reals(4, 3), [(0, 1)] * 3, (), (), (), ()),
        _convolution(
            _reals(1, 2, 1), _reals(2, 2, 3), [(0, 1, 2)] * 3, (1,), ((0, 0),), (1,), (1,)
        ),
        _convolution(
            _integers(1, 2, 6), _integers(2, 2, 3), [(0, 1, 2)] * 3, (1,), ((1, 1),), (1,), (1,)
        ),
    ]


# --- windows


def _window(size: Any, strides: Any, padding: Any, base: Any = None, gaps: Any = None) -> Params:
    ones = (1,) * len(size)
    return {
        "window_dimensions": size,
        "window_strides": strides,
        "padding": padding,
        "base_dilation": base or ones,
        "window_dilation": gaps or ones,
    }


_WINDOWS = [
    ((5, 4), _window((2, 3), (2, 1), ((0, 0), (0, 0)))),
    ((5, 4), _window((2, 3), (2, 2), ((1, 0), (1, 2)))),
    ((5, 4), _window((2, 3), (2, 2), ((1, 0), (-1, 2)), (2, 1), (1, 2))),
    ((4,), _window((4,), (1,), ((3, 0),))),
    ((2,), _window((4,), (1,), ((0, 0),))),
]


def _windows(name: str) -> list[Any]:
    found = [((_reals(*shape),), window) for shape, window in _WINDOWS]
    return [
        *found,
        ((_integers(6),), _window((2,), (2,), ((1, 1),))),
        ((_reals(6).astype(np.float16),), _window((3,), (1,), ((1, 1),))),
    ]


def _selections(name: str) -> list[Any]:
    found: list[Any] = []
    for shape, window in _WINDOWS:
        operand = _reals(*shape, seed=5)
        places = [
            max(0, ((n - 1) * base + 1 + low + high - ((k - 1) * gap + 1)) // stride + 1)
            for n, k, stride, (low, high), base, gap in zip(shape, *window.values(), strict=True)
        ]
        first = operand * 0.5 + 1 if name == "select_and_gather_add" else _reals(*places, seed=6)
        found += [((first, operand), {"select": select, **window}) for select in ("ge", "le")]
    return found


# --- indexing


def _index(*values: Any) -> np.ndarray:
    return np.array(values, np.int32)


#: Operand shape, indices, dimension numbers, slice sizes, shape of the slices.
_GATHERS: list[Any] = [
    ((5, 4), _index([0], [4], [7], [-2]), ((1,), (0,), (0,)), (1, 4), (4, 4)),
    ((5, 4), _index([0], [4], [1]), ((0,), (0,), (0,)), (1, 4), (4, 3)),
    ((5, 4), _index([0], [3], [3]), ((0, 2), (), (0,)), (2, 4), (2, 3, 4)),
    ((5, 4), _index([0, 1], [3, 3], [4, 0]), ((), (0, 1), (0, 1)), (1, 1), (3,)),
    ((5, 4), _index([0, 1], [3, 3], [9, 0]), ((0,), (1,), (1, 0)), (2, 1), (2, 3)),
    ((4, 3, 3), _index([[0], [2]], [[1], [2]]), ((1,), (0, 1), (1,)), (1, 1, 2), (2, 2, 2)),
    (
        (2, 5, 3),
        _index([[0], [4]], [[1], [2]]),
        ((2,), (1,), (1,), (0,), (0,)),
        (1, 1, 3),
        (2, 2, 3),
    ),
    (
        (3, 5, 2),
        _index([[0], [4], [1]], [[1], [2], [3]]),
        ((), (1,), (1,), (0, 2), (1, 0)),
        (1, 1, 1),
        (2, 3),
    ),
    ((4,), _index(2), ((0,), (), (0,)), (2,), (2,)),
    ((4, 3), np.zeros((2, 0), np.int32), ((1, 2), (), ()), (2, 3), (2, 2, 3)),
    ((4, 3), np.zeros((0, 1), np.int32), ((1,), (0,), (0,)), (1, 3), (0, 3)),
]


def _inside(shape: Any, indices: np.ndarray, numbers: Any, sizes: Any) -> bool:
    limits = np.array([shape[d] - sizes[d] for d in numbers[2]], np.int64)
    return bool(((indices >= 0) & (indices <= limits)).all())


def _gathers(name: str) -> list[Any]:
    found: list[Any] = []
    for shape, indices, numbers, sizes, _ in _GATHERS:
        modes = [GatherScatterMode.CLIP, GatherScatterMode.FILL_OR_DROP]
        if _inside(shape, indices, numbers, sizes):
            modes += [GatherScatterMode.ERROR, GatherScatterMode.PROMISE_IN_BOUNDS]
        for mode in modes:
            params = {
                "dimension_numbers": GatherDimensionNumbers(*numbers),
                "slice_sizes": sizes,
                "indices_are_sorted": False,
                "unique_indices": False,
                "mode": mode,
                "fill_value": 0,
            }
            found.append(((_reals(*shape), indices), params))
    keys = {
        **found[0][1],
        "slice_sizes": (1,),
        "dimension_numbers": GatherDimensionNumbers((), (0,), (0,)),
    }
    return [*found, ((_keys(5), _index([3], [0])), keys)]


def _unique(indices: np.ndarray, numbers: Any) -> bool:
    """Whether no slice lies at the same place as another one, also after clamping from below."""
    if not indices.size or len(numbers) > 3:
        return False
    rows = np.clip(indices.reshape(-1, indices.shape[-1]), 0, None)
    return len(np.unique(rows, axis=0)) == len(rows)


def _scatters(name: str) -> list[Any]:
    found: list[Any] = []
    for shape, indices, numbers, sizes, slices in _GATHERS:
        modes = [GatherScatterMode.CLIP, GatherScatterMode.FILL_OR_DROP]
        if _inside(shape, indices, numbers, sizes):
            modes += [GatherScatterMode.ERROR]
        unique = name == "scatter_mul"  # only then it has a derivative
        if unique and not _unique(indices, numbers):
            continue
        for mode in modes:
            if (
                unique
                and mode is GatherScatterMode.CLIP
                and not _inside(shape, indices, numbers, sizes)
            ):
                continue
            params = {
                "dimension_numbers": ScatterDimensionNumbers(*numbers),
                "indices_are_sorted": False,
                "unique_indices": unique,
                "mode": mode,
            }
            found.append(((_reals(*shape), indices, _reals(*slices, seed=7) + 0.013), params))
    return [
        *found,
        ((_integers(5, 4), found[0][0][1], _integers(*found[0][0][2].shape)), found[0][1]),
    ]


def _starts(*values: int) -> list[np.ndarray]:
    return [np.array(v, np.int32) for v in values]


def _dynamic_slices(name: str) -> list[Any]:
    places = [(1, 2), (-3, 1), (2, 9)]
    if name == "dynamic_slice":
        found = [((_reals(4, 5), *_starts(*p)), {"slice_sizes": (2, 3)}) for p in places]
        return [*found, ((_keys(4), *_starts(1)), {"slice_sizes": (2,)})]
    found = [((_reals(4, 5), _reals(2, 3, seed=2), *_starts(*p)), {}) for p in places]
    return [*found, ((_keys(4), _keys(2), *_starts(1)), {})]


# --- order


def _sorts(name: str) -> list[Any]:
    def params(dimension: int, num_keys: int = 1) -> Params:
        return {"dimension": dimension, "is_stable": True, "num_keys": num_keys}

    special = np.array([[np.nan, -0.0, np.inf, 0.0, -np.inf], [1.0, np.nan, 1.0, -np.nan, 0.0]])
    ties = _integers(3, 5) // 4
    return [
        ((_reals(3, 5),), params(0)),
        ((_reals(3, 5), _reals(3, 5, seed=1)), params(1)),
        ((special.astype(np.float32), _integers(2, 5)), params(1)),
        ((ties, _integers(3, 5), _reals(3, 5)), params(1, 2)),
        ((ties, _keys(3, 5)), params(1)),
        ((_reals(0, 3),), params(0)),
        ((_bools(7),), params(0)),
    ]


def _top(name: str) -> list[Any]:
    found = [((_reals(3, 5),), {"k": k, "axis": d}) for k, d in ((2, 1), (3, 0), (0, 1), (5, 1))]
    special = np.array([1.0, np.nan, 3.0, 3.0, -np.inf, 2.0], np.float32)
    return [*found, ((special,), {"k": 4, "axis": 0}), ((_integers(8) // 3,), {"k": 6, "axis": 0})]


# --- matrices


def _matrices(*shape: int, dtype: Any = np.float64) -> np.ndarray:
    values = _reals(*shape, seed=8) + 0.4 * _reals(*shape, seed=9)
    if np.dtype(dtype).kind == "c":
        values = values + 1j * _reals(*shape, seed=10)
    return values.astype(dtype)


def _dominant(*shape: int, dtype: Any = np.float64) -> np.ndarray:
    """Matrices that are well conditioned and have distinct eigenvalues."""
    return _matrices(*shape, dtype=dtype) + np.diag(np.arange(3.0, 3.0 + 2 * shape[-1], 2))


def _definite(*shape: int, dtype: Any = np.float64) -> np.ndarray:
    a = _dominant(*shape, dtype=dtype)
    return a @ a.conj().swapaxes(-1, -2)


def _triangular_solves(name: str) -> list[Any]:
    found: list[Any] = []
    for number in range(16):
        left, lower, transpose, unit = (bool(number >> bit & 1) for bit in range(4))
        dtype = (np.float64, np.complex128)[number % 3 == 0]
        params = {
            "left_side": left,
            "lower": lower,
            "transpose_a": transpose,
            "conjugate_a": dtype is np.complex128 and number % 2 == 0,
            "unit_diagonal": unit,
        }
        b = _matrices(2, 3, 2, dtype=dtype) if left else _matrices(2, 2, 3, dtype=dtype)
        found.append(((_dominant(2, 3, 3, dtype=dtype), b), params))
    return found


def _svds(name: str) -> list[Any]:
    def params(full: bool, vectors: bool) -> Params:
        return {"full_matrices": full, "compute_uv": vectors}

    return [
        ((_dominant(2, 3, 3),), params(True, True)),
        ((_matrices(4, 2),), params(False, True)),
        ((_matrices(2, 4),), params(False, True)),
        ((_matrices(2, 4, dtype=np.complex128),), params(False, False)),
        ((_matrices(0, 3),), params(False, True)),
    ]


def _eigs(name: str) -> list[Any]:
    return [
        (
            (_dominant(2, 3, 3, dtype=dtype),),
            {"compute_left_eigenvectors": False, "compute_right_eigenvectors": right},
        )
        for dtype in (np.float64, np.complex128)
        for right in (False, True)
    ]


_MATRICES: dict[str, list[Any]] = {
    "triangular_solve": _triangular_solves("triangular_solve"),
    "cholesky": [
        ((_definite(3, 3),), {}),
        ((_definite(2, 2, 2, dtype=np.complex128),), {}),
        ((_definite(0, 0),), {}),
    ],
    "tridiagonal_solve": [
        ((_reals(2, 4), _reals(2, 4, seed=1) + 5, _reals(2, 4, seed=2), _reals(2, 4, 3)), {})
    ],
    "lu": [
        ((_dominant(2, 3, 3),), {}),
        ((_matrices(4, 2),), {}),
        ((_matrices(2, 4, dtype=np.complex128),), {}),
    ],
    "solve": [
        ((_dominant(2, 3, 3), _matrices(2, 3, 2)), {"transpose_a": False}),
        (
            (_dominant(3, 3, dtype=np.complex128), _matrices(3, 2, dtype=np.complex128)),
            {"transpose_a": True},
        ),
    ],
    "qr": [
        ((_dominant(3, 3),), {"full_matrices": True, "pivoting": False}),
        ((_matrices(2, 4, 2),), {"full_matrices": False, "pivoting": True}),
        ((_matrices(2, 4),), {"full_matrices": True, "pivoting": False}),
        ((_dominant(3, 3, dtype=np.complex128),), {"full_matrices": False, "pivoting": False}),
    ],
    "geqrf": [((_matrices(4, 2),), {}), ((_matrices(2, 4, dtype=np.complex128),), {})],
    "householder_product": [((_matrices(4, 2), _reals(2)), {})],
    "lu_pivots_to_permutation": [((_index(2, 2, 3, 3),), {"permutation_size": 5})],
    "eigh": [((_definite(3, 3),), {"lower": lower}) for lower in (True, False)],
    "svd": _svds("svd"),
    "eig": _eigs("eig"),
    "schur": [((_matrices(3, 3),), {"compute_schur_vectors": v}) for v in (False, True)],
    "hessenberg": [((_matrices(2, 4, 4),), {})],
    "tridiagonal": [((_definite(4, 4),), {"lower": True})],
}


def _transforms(name: str) -> list[Any]:
    def params(kind: FftType, *lengths: int) -> Params:
        return {"fft_type": kind, "fft_lengths": lengths}

    return [
        ((_complexes(2, 3, 4),), params(FftType.FFT, 3, 4)),
        ((_complexes(2, 5),), params(FftType.IFFT, 5)),
        ((_reals(3, 5),), params(FftType.RFFT, 3, 5)),
        ((_reals(2, 4).astype(np.float32),), params(FftType.RFFT, 4)),
        ((_complexes(3, 3),), params(FftType.IRFFT, 3, 5)),
        ((_complexes(3, 3),), params(FftType.IRFFT, 4)),
    ]


_FAMILIES: list[tuple[tuple[str, ...], Callable[[str], list[Any]]]] = [
    (
        (
            "reduce_sum",
            "reduce_prod",
            "reduce_max",
            "reduce_min",
            "reduce_and",
            "reduce_or",
            "reduce_xor",
        ),
        _reductions,
    ),
    (("argmax", "argmin"), _positions),
    (("cumsum", "cumprod", "cummax", "cummin", "cumlogsumexp"), _cumulatives),
    (("dot_general",), _dots),
    (("conv_general_dilated",), _convolutions),
    (("reduce_window_sum", "reduce_window_max", "reduce_window_min"), _windows),
    (("select_and_gather_add", "select_and_scatter_add"), _selections),
    (("gather",), _gathers),
    (("scatter", "scatter_add", "scatter_mul", "scatter_min", "scatter_max"), _scatters),
    (("dynamic_slice", "dynamic_update_slice"), _dynamic_slices),
    (("sort",), _sorts),
    (("top_k",), _top),
    (("fft",), _transforms),
]


@functools.cache
def examples(name: str) -> list[Any]:
    """All examples of a primitive of these families."""
    for names, make in _FAMILIES:
        if name in names:
            return make(name)
    return _MATRICES.get(name, [])
