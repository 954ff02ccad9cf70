"""Reductions, running sums, statistics, histograms against NumPy."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as onp
import pytest
from compare import assert_close, check

import vires
import vires.numpy as np

RNG = onp.random.default_rng(0)
X = RNG.normal(size=(3, 4, 5)).astype(onp.float32)
WITH_NAN = X.copy()
WITH_NAN[0, 1, 2] = onp.nan
WITH_NAN[1] = onp.nan
AXES: list[Any] = [None, 0, -1, (0, 2), (), (0, 1, 2)]
BASIC = [
    "sum",
    "prod",
    "max",
    "min",
    "mean",
    "var",
    "std",
    "any",
    "all",
    "argmax",
    "argmin",
    "ptp",
    "count_nonzero",
]


@pytest.mark.parametrize("name", BASIC)
@pytest.mark.parametrize("axis", AXES)
def test_axes(name: str, axis: Any) -> None:
    if name.startswith("arg") and isinstance(axis, tuple):
        return
    if name == "ptp" and axis == ():
        return
    for keepdims in (False, True):
        options = {"keepdims": keepdims} if name != "ptp" or axis is not None else {}
        check(name, X, axis=axis, **options, scale=32, ulps=16)
    check(name, WITH_NAN, axis=axis, scale=32, ulps=16)


@pytest.mark.parametrize("name", BASIC)
@pytest.mark.parametrize(
    "dtype", ["bool", "int8", "uint8", "int32", "int64", "float16", "float64", "complex64"]
)
def test_dtypes(name: str, dtype: str) -> None:
    x = (RNG.normal(size=(4, 6)) * 3).astype(dtype)
    if dtype == "complex64" and name in ("argmax", "argmin"):
        with pytest.raises(TypeError, match=f"{name}: needs a real dtype"):
            getattr(np, name)(x)
        return
    if dtype == "bool" and name == "ptp":
        return
    reference = None
    if name in ("mean", "var", "std") and dtype in ("int8", "uint8", "int32", "bool"):
        reference = lambda x, axis: getattr(onp, name)(x.astype(onp.float32), axis=axis)
    check(name, x, axis=1, scale=64, ulps=32, reference=reference)


def test_result_dtypes() -> None:
    for name, expected in {
        "sum": "int32 int32 uint32 int32 int64 float16 bfloat16 float32 complex64",
        "prod": "int32 int32 uint32 int32 int64 float16 bfloat16 float32 complex64",
        "cumsum": "int32 int8 uint8 int32 int64 float16 bfloat16 float32 complex64",
        "mean": "float32 float32 float32 float32 float64 float16 bfloat16 float32 complex64",
        "var": "float32 float32 float32 float32 float64 float16 bfloat16 float32 float32",
        "max": "bool int8 uint8 int32 int64 float16 bfloat16 float32 complex64",
        "any": " ".join(["bool"] * 9),
        "sort": "bool int8 uint8 int32 int64 float16 bfloat16 float32 complex64",
    }.items():
        dtypes = [
            "bool",
            "int8",
            "uint8",
            "int32",
            "int64",
            "float16",
            "bfloat16",
            "float32",
            "complex64",
        ]
        got = [getattr(np, name)(np.ones(3, d)).dtype.name for d in dtypes]
        assert got == expected.split(), name
    assert np.sum(np.ones(3, np.int8), promote_integers=False).dtype == onp.int8
    assert np.sum(np.ones(3, np.int8), dtype=np.float32).dtype == onp.float32
    assert np.mean(np.asarray(1.0)).weak_type and np.sum(np.asarray(1)).weak_type


def test_where_and_initial() -> None:
    mask = X > 0
    for name in ("sum", "prod", "mean", "var", "std", "any", "all"):
        check(name, X, axis=1, where=mask, ulps=32, scale=8)
    for name in ("max", "min"):
        check(name, X, axis=1, where=mask, initial=onp.float32(0.5))
        check(name, X, axis=1, initial=onp.float32(0.5))
    check("sum", X, initial=onp.float32(10), ulps=16)
    check("sum", X[:, :0], axis=1)
    check("prod", X[:, :0], axis=1)
    check("max", X[:, :0], axis=1, initial=onp.float32(2))
    check("sum", X, axis=(0, 1), keepdims=True, where=mask[:, :1], ulps=16, scale=8)


ERRORS: list[tuple[str, type[Exception], str]] = [
    ("np.max(np.ones(0))", ValueError, "max: needs at least one element"),
    ("np.min(np.ones((3, 0)), axis=1)", ValueError, r"shape \(3, 0\); try initial"),
    ("np.argmax(np.ones(0))", ValueError, "argmax: needs at least one element"),
    (
        "np.sum(np.ones(3), axis=2)",
        ValueError,
        r"axis in \[-1, 1\); got axis 2 for an array of 1 dimension",
    ),
    ("np.sum(np.ones(3), axis=2)", IndexError, "axis 2"),
    ("np.sum(np.ones(3), axis=(0, 0))", ValueError, "distinct axes"),
    ("np.sum(np.ones(3), axis=1.5)", TypeError, "integer for axis"),
    ("np.max(np.ones(3), where=np.ones(3, bool))", ValueError, "initial="),
    ("np.sum(np.ones(3), out=np.ones(()))", NotImplementedError, "immutable"),
    ("np.quantile(np.ones(3), 1.5)", ValueError, "quantile: needs q from 0 to 1"),
    ("np.quantile(np.ones(3), 0.5, method='x')", ValueError, "a method among"),
    ("np.average(np.ones((2, 3)), weights=np.ones(2))", ValueError, "weights of the array's shape"),
    ("np.bincount(np.array([-1]))", ValueError, "integers >= 0"),
    ("np.bincount(np.ones(3))", TypeError, "1-d array of integers"),
    ("np.sort(np.float32(1))", ValueError, "0-d"),
    ("np.searchsorted(np.ones((2, 2)), 1)", ValueError, "1-d array"),
    ("vires.jit(np.unique)(np.ones(3))", TypeError, "try size="),
    ("vires.jit(np.nonzero)(np.ones(3))", TypeError, "try size="),
    ("vires.jit(np.bincount)(np.arange(3))", TypeError, "try length="),
]


@pytest.mark.parametrize("text,error,message", ERRORS)
def test_errors(text: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        eval(text)


@pytest.mark.parametrize(
    "name",
    [
        "nansum",
        "nanprod",
        "nanmax",
        "nanmin",
        "nanmean",
        "nanvar",
        "nanstd",
        "nanargmax",
        "nanargmin",
    ],
)
@pytest.mark.parametrize("axis", [None, 0, -1])
def test_nan_reductions(name: str, axis: Any) -> None:
    x = WITH_NAN if not name.startswith("nanarg") else WITH_NAN[::2]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check(name, x, axis=axis, ulps=32, scale=8)
    check(name, onp.arange(6).reshape(2, 3), axis=axis, dtype=False)


def test_nanarg_of_nothing_is_minus_one() -> None:
    assert int(np.nanargmax(np.array([np.nan, np.nan]))) == -1


@pytest.mark.parametrize("name", ["cumsum", "cumprod", "nancumsum", "nancumprod"])
@pytest.mark.parametrize("axis", [None, 0, 1])
def test_running(name: str, axis: Any) -> None:
    check(name, X, axis=axis, ulps=32, scale=32)
    check(name, onp.arange(6, dtype=onp.int32).reshape(2, 3), axis=axis)
    if name.startswith("nan"):
        check(name, WITH_NAN, axis=axis, ulps=32, scale=32)


def test_cumulative_sum() -> None:
    check("cumulative_sum", onp.arange(5, dtype=onp.int32))
    check("cumulative_sum", X, axis=1, include_initial=True, ulps=16, scale=16)
    check("cumulative_prod", onp.arange(1, 5, dtype=onp.int32), include_initial=True)
    with pytest.raises(ValueError, match="axis="):
        np.cumulative_sum(np.ones((2, 2)))


def test_variance_options() -> None:
    check("var", X, axis=1, ddof=1, ulps=16)
    check("std", X, ddof=2, ulps=16)
    check("var", X, axis=0, correction=1, ulps=16)
    mean = X.mean(1, keepdims=True)
    check("var", X, axis=1, mean=mean, ulps=16)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check("var", X[:1], axis=0, ddof=1)
    z = (X + 1j * X[::-1]).astype(onp.complex64)
    check("var", z, axis=1, ulps=16)


def test_average() -> None:
    w = RNG.random(4).astype(onp.float32)
    check("average", X, axis=1, weights=w, ulps=16, scale=4)
    check("average", X, axis=1, weights=w, returned=True, ulps=16, scale=4)
    check("average", X, ulps=16, scale=4)
    check("average", X, weights=onp.abs(X), ulps=16, scale=4)


@pytest.mark.parametrize(
    "method", ["linear", "lower", "higher", "midpoint", "nearest", "inverted_cdf"]
)
def test_quantiles(method: str) -> None:
    q = onp.array([0.0, 0.1, 0.5, 0.77, 1.0])
    for axis in (None, 0, (0, 2)):
        check("quantile", X, q.astype(onp.float32), axis=axis, method=method, ulps=32, scale=4)
        check("percentile", X, 30.0, axis=axis, method=method, keepdims=True, ulps=32, scale=4)


def test_medians() -> None:
    for axis in (None, 0, 1, (1, 2)):
        check("median", X, axis=axis)
        check("median", WITH_NAN, axis=axis)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            check("nanmedian", WITH_NAN, axis=axis, ulps=16)
            check("nanquantile", WITH_NAN, 0.3, axis=axis, ulps=32, scale=4)
    check("median", onp.array([onp.inf, 1.0, onp.inf, onp.inf], onp.float32))
    check("median", onp.arange(4))
    w = RNG.random((3, 4, 5)).astype(onp.float32)
    check("quantile", X, 0.4, axis=1, weights=w, method="inverted_cdf")


def test_covariance() -> None:
    m = X[0]
    check("cov", m, ulps=32, scale=4)
    check("cov", m, rowvar=False, ulps=32, scale=4)
    check("cov", m, m[::-1], ulps=32, scale=4)
    check("cov", m[0], ulps=32, scale=4)
    check("cov", m, bias=True, ulps=32, scale=4)
    check("cov", m, fweights=onp.array([1, 2, 1, 3, 1]), ulps=64, scale=8)
    check("cov", m, aweights=RNG.random(5).astype(onp.float32), ulps=64, scale=8)
    check("corrcoef", m, ulps=32, scale=8)
    check("corrcoef", (m + 1j * m[::-1]).astype(onp.complex64), ulps=32, scale=8)


def test_histograms() -> None:
    x = RNG.normal(size=50).astype(onp.float32)
    check("histogram", x, 7, dtype=False, ulps=16, scale=16)
    check("histogram", x, 7, (-1, 1), dtype=False, ulps=16, scale=16)
    check("histogram", x, onp.array([-2.0, 0.0, 0.5, 3.0], onp.float32), dtype=False)
    check("histogram", x, 5, density=True, dtype=False, ulps=64)
    check("histogram", x, 5, weights=onp.abs(x), dtype=False, ulps=64)
    check("histogram_bin_edges", x, 4, ulps=16, scale=16)
    check("histogram2d", x, x[::-1].copy(), 4, dtype=False, ulps=16, scale=16)
    check("histogram2d", x, x[::-1].copy(), [3, 4], density=True, dtype=False, ulps=64, scale=16)
    sample = RNG.normal(size=(40, 3)).astype(onp.float32)
    check("histogramdd", sample, 3, dtype=False, ulps=16, scale=16)


def test_bincount() -> None:
    x = onp.array([0, 1, 1, 5])
    check("bincount", x, jit=False)
    check("bincount", x, weights=onp.array([0.5, 1, 2, 3], onp.float32), jit=False)
    check("bincount", x, minlength=8, jit=False)
    assert_close(vires.jit(lambda x: np.bincount(x, length=3))(np.asarray(x)), onp.array([1, 2, 0]))


def test_integrals_and_gradients() -> None:
    y = X[0]
    check("trapezoid", y, ulps=16, scale=8)
    check("trapezoid", y, dx=0.5, axis=0, ulps=16, scale=8)
    check("trapezoid", y, onp.cumsum(onp.abs(y[0])).astype(onp.float32), ulps=16, scale=8)
    check("gradient", y, ulps=16, scale=8)
    check("gradient", y, 0.5, axis=1, ulps=16, scale=8)
    check("gradient", y, onp.array([0, 1, 3, 4, 7], onp.float32), axis=1, ulps=64, scale=16)


SORTS = [X, WITH_NAN, onp.array([0.0, -0.0, 1, -1, onp.inf, -onp.inf, onp.nan], onp.float32),
         onp.array([3, 1, 2, 1], onp.int8), onp.array([True, False, True]), onp.zeros((0,),
         onp.float32)]  # fmt: skip


@pytest.mark.parametrize("k", range(len(SORTS)))
def test_sorting(k: int) -> None:
    x = SORTS[k]
    check("sort", x)
    check("sort", x, axis=None)
    check("argsort", x, reference=lambda x: onp.argsort(x, kind="stable"))
    if x.ndim > 1:
        check("sort", x, axis=0)
        check(
            "argsort", x, axis=1, reference=lambda x, axis: onp.argsort(x, axis=axis, kind="stable")
        )
    down = onp.flip(onp.sort(x), -1)
    assert_close(np.sort(np.asarray(x), descending=True), down)
    order = onp.asarray(np.argsort(np.asarray(x), descending=True))
    assert_close(onp.take_along_axis(x, order, -1), down)


def test_descending_argsort_is_stable() -> None:
    assert np.argsort(np.array([1, 2, 1, 2]), descending=True).tolist() == [1, 3, 0, 2]


def test_order_functions() -> None:
    check("lexsort", onp.array([[1, 2, 1, 0], [1, 1, 0, 0]]))
    check(
        "sort_complex",
        onp.array([3, 1, 2]),
        reference=lambda x: onp.sort_complex(x).astype(onp.complex64),
    )
    x = X[0]
    assert_close(
        np.sort(np.partition(np.asarray(x), 2, 1)[:, :2], 1),
        onp.sort(onp.partition(x, 2, 1)[:, :2], 1),
    )
    places = onp.asarray(np.argpartition(np.asarray(x), 2, 1))
    assert_close(
        onp.sort(onp.take_along_axis(x, places, 1)[:, :2], 1),
        onp.sort(onp.partition(x, 2, 1)[:, :2], 1),
    )
    for side in ("left", "right"):
        for haystack in (
            onp.array([1, 2, 2, 3]),
            onp.array([-1.0, 0, 0, onp.inf, onp.nan]),
            onp.zeros(0, onp.float32),
        ):
            needles = onp.array([[-5, 0, 2], [3, 9, 2]]).astype(haystack.dtype)
            check("searchsorted", haystack, needles, side=side)
    check("searchsorted", onp.array([3, 1, 2]), onp.array([2]), sorter=onp.array([1, 2, 0]))
    for bins in (onp.array([0.0, 1, 2.5]), onp.array([2.5, 1, 0.0])):
        for right in (False, True):
            check("digitize", onp.array([-1.0, 0, 0.5, 1, 2.5, 3]), bins, right=right)


def test_interp() -> None:
    xp, fp = onp.array([0.0, 1, 3], onp.float32), onp.array([2.0, -1, 5], onp.float32)
    x = onp.array([-1, 0, 0.5, 1, 2.9, 3, 4], onp.float32)
    check("interp", x, xp, fp)
    check("interp", x, xp, fp, left=9.0, right=-9.0)
    check("interp", x, xp, fp, period=4, ulps=16)
    g = vires.grad(lambda fp: np.interp(np.asarray(0.5), np.asarray(xp), fp))(np.asarray(fp))
    assert_close(g, onp.array([0.5, 0.5, 0], onp.float32))


def test_sets() -> None:
    x, y = onp.array([3, 1, 2, 1, 3]), onp.array([5, 3, 3, 2])
    for name in ("union1d", "intersect1d", "setdiff1d", "setxor1d", "isin"):
        check(name, x, y, jit=name == "isin")
    check("intersect1d", x, y, return_indices=True, jit=False)
    for value in (x, onp.array([[1.0, onp.nan], [onp.nan, 1]]), onp.zeros(0, onp.float32)):
        check("unique", value, jit=False)
        check(
            "unique", value, return_index=True, return_inverse=True, return_counts=True, jit=False
        )
    rows = onp.array([[1, 2], [0, 5], [1, 2]])
    check("unique", rows, axis=0, return_index=True, return_counts=True, jit=False)
    check("unique", rows, axis=1, jit=False)
    values, counts = vires.jit(lambda x: np.unique(x, return_counts=True, size=5, fill_value=9))(
        np.asarray(x)
    )
    assert_close(values, onp.array([1, 2, 3, 9, 9]))
    assert_close(counts, onp.array([2, 1, 2, 0, 0]))
    assert_close(vires.jit(lambda x: np.unique(x, size=2))(np.asarray(x)), onp.array([1, 2]))
    check("unique_counts", x, jit=False)
    check("unique_inverse", x, jit=False)
    check("unique_all", x, jit=False)
    assert np.unique_values(np.asarray(x)).tolist() == [1, 2, 3]
    assert_close(vires.jit(lambda x, y: np.intersect1d(x, y, size=3, fill_value=-1))(np.asarray(x),
    np.asarray(y)),
                 onp.array([2, 3, -1]))  # fmt: skip


def test_choosing() -> None:
    x = onp.array([[0, 2, 0], [3, 0, -1]])
    check("nonzero", x, jit=False)
    check("argwhere", x, jit=False)
    check("flatnonzero", x, jit=False)
    check("where", x, jit=False)
    found = vires.jit(lambda x: np.nonzero(x, size=4, fill_value=7))(np.asarray(x))
    assert_close(list(found), [onp.array([0, 1, 1, 7]), onp.array([1, 0, 2, 7])])
    assert_close(list(np.nonzero(np.asarray(x), size=2)), [onp.array([0, 1]), onp.array([1, 0])])
    check("compress", onp.array([True, False, True]), x, axis=1, jit=False)
    check("extract", x > 0, x, jit=False)
    check("choose", onp.array([0, 1, 1]), [onp.array([1, 2, 3]), onp.array([4, 5, 6])], jit=False)
    check(
        "choose", onp.array([0, 5, -1]), [onp.array([1, 2, 3]), onp.array([4, 5, 6])], mode="wrap"
    )
    check(
        "choose", onp.array([0, 5, -1]), [onp.array([1, 2, 3]), onp.array([4, 5, 6])], mode="clip"
    )
    check("select", [x > 1, x > -1], [x * 10, x + 1], default=7)
    check("piecewise", x.astype(onp.float32), [x < 0, x > 1], [lambda v: -v, lambda v: v * 10])
    check("piecewise", x.astype(onp.float32), [x < 0, x > 1], [-1, lambda v: v * 10, 5])
    check("take", x, onp.array([[1, 0], [2, -1]]), axis=1)
    check("take", x, 4)
    check("take_along_axis", x, onp.argsort(x, 1), axis=1)
    check("take_along_axis", x, onp.argsort(x, 0)[:1], axis=0)
    check("ravel_multi_index", [onp.array([0, 1]), onp.array([2, 0])], (2, 3), jit=False)
    check("ravel_multi_index", [onp.array([0, 5]), onp.array([2, -1])], (2, 3), mode="clip")
    check("unravel_index", onp.array([0, 5, 2]), (2, 3))
    expected = x.copy()
    onp.put_along_axis(expected, onp.array([[0], [1]]), 9, 1)
    assert_close(
        np.put_along_axis(np.asarray(x), np.array([[0], [1]]), 9, 1, inplace=False), expected
    )
    expected = x.copy()
    onp.place(expected, x == 0, [7, 8])
    assert_close(
        np.place(np.asarray(x), np.asarray(x) == 0, np.array([7, 8]), inplace=False), expected
    )
    expected = x.copy()
    onp.put(expected, [0, -1], [5, 6])
    assert_close(
        np.put(np.asarray(x), np.array([0, -1]), np.array([5, 6]), inplace=False), expected
    )


def test_equality() -> None:
    x = np.array([1.0, np.nan])
    assert bool(np.array_equal(np.arange(3), np.arange(3))) and not bool(np.array_equal(x, x))
    assert bool(np.array_equal(x, x, equal_nan=True)) and not bool(np.array_equal(x, x[:1]))
    assert bool(np.allclose(np.ones(2), 1 + 1e-7)) and bool(
        np.array_equiv(np.ones((2, 1)), np.ones(3))
    )


def test_gradients_of_reductions() -> None:
    x = np.asarray(X[0])
    for name in ("sum", "mean", "var", "std", "max", "median", "prod"):
        f = lambda x: (getattr(np, name)(x, axis=1) * np.arange(4.0)).sum()
        g = vires.grad(f)(x)
        for i, j in ((0, 0), (2, 3)):
            h = 1e-2
            step = np.zeros(x.shape).at[i, j].set(h)
            numeric = (float(f(x + step)) - float(f(x - step))) / (2 * h)
            assert abs(float(g[i, j]) - numeric) < 2e-2, (name, float(g[i, j]), numeric)
    assert_close(
        vires.grad(lambda x: np.nanmean(x))(np.array([1.0, np.nan, 3.0])), onp.array([0.5, 0, 0.5])
    )


@pytest.mark.parametrize("how", [lambda f: f, vires.jit], ids=["eager", "jit"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64"])
def test_sums_of_negative_zeros(how, dtype):
    x = -onp.zeros(70, dtype)
    sums = [how(np.sum)(x), how(np.cumsum)(x)]
    for found, expected in zip(sums, [onp.sum(x), onp.cumsum(x)], strict=True):
        onp.testing.assert_array_equal(onp.signbit(found.real), onp.signbit(expected.real))
