"""Arrays from values and from nothing: values, dtypes, weak types, errors."""

from __future__ import annotations

from typing import Any

import numpy as onp
import pytest
from compare import assert_close, check

import vires
import vires.numpy as np


def described(x: Any) -> str:
    return f"{x.dtype.name}{'*' if x.weak_type else ''}{list(x.shape)}"


DTYPES: list[tuple[str, str]] = [
    ("np.array(1.)", "float32*[]"), ("np.array(1)", "int32*[]"), ("np.array(True)", "bool[]"),
    ("np.array(1j)", "complex64*[]"), ("np.array([1.])", "float32[1]"), ("np.array([1, 2.5])",
    "float32[2]"),
    ("np.array([True, 1])", "int32[2]"), ("np.array([])", "float32[0]"), ("np.array([[1], [2]])",
    "int32[2, 1]"),
    ("np.array(onp.ones(2))", "float64[2]"), ("np.array(onp.float64(1))", "float64[]"),
    ("np.array([onp.float64(1), 2])", "float64[2]"), ("np.array(onp.arange(2))", "int64[2]"),
    ("np.array([np.float32(1), 2.5])", "float32[2]"), ("np.array([np.ones(2), onp.zeros(2, 'f4')])",
    "float32[2, 2]"),
    ("np.array([[1, np.int8(3)], [4, 5]])", "int32[2, 2]"), ("np.array(2, dtype=np.float16)",
    "float16[]"),
    ("np.array([1, 2], np.int64)", "int64[2]"), ("np.array(1., float)", "float32[]"),
    ("np.zeros(3)", "float32[3]"),
    ("np.zeros((2, 3), int)", "int32[2, 3]"), ("np.ones((), bool)", "bool[]"), ("np.full(3, 1)",
    "int32*[3]"),
    ("np.full((2,), 1., np.float64)", "float64[2]"), ("np.zeros_like(1.)", "float32*[]"),
    ("np.ones_like(onp.ones(2))", "float64[2]"), ("np.full_like(np.ones(2), 7)", "float32[2]"),
    ("np.zeros_like(np.ones(2), dtype=int, shape=(3,))", "int32[3]"), ("np.arange(3)", "int32[3]"),
    ("np.arange(3.)", "float32[3]"), ("np.arange(0, 1, .25)", "float32[4]"),
    ("np.arange(3, dtype=np.uint8)", "uint8[3]"),
    ("np.linspace(0, 1, 5)", "float32[5]"), ("np.linspace(0, 1, 5, dtype=int)", "int32[5]"),
    ("np.eye(2)", "float32[2, 2]"),
    ("np.identity(2, int)", "int32[2, 2]"), ("np.tri(2)", "float32[2, 2]"), ("np.float32(1)",
    "float32[]"),
    ("np.int32([1, 2])", "int32[2]"), ("np.bfloat16(1)", "bfloat16[]"), ("np.float64(1)",
    "float64[]"),
    ("np.asarray(np.asarray(1.))", "float32*[]"), ("np.array(1, ndmin=2)", "int32*[1, 1]"),
    ("np.empty(2)", "float32[2]"),
    ("np.array((1, 2))", "int32[2]"), ("np.array(range(3))", "int32[3]" if False else "int64[3]"),
]  # fmt: skip


@pytest.mark.parametrize("text,expected", DTYPES)
def test_dtype_and_weak_type(text: str, expected: str) -> None:
    assert described(eval(text)) == expected


def test_x64_modes() -> None:
    with vires.enable_x64(True):
        assert (
            np.zeros(2).dtype == onp.float64
            and np.arange(2).dtype == onp.int64
            and np.array(1.5).dtype == onp.float64
        )
    with vires.enable_x64(False):
        assert (
            np.array(onp.ones(2)).dtype == onp.float32
            and np.zeros(2, onp.float64).dtype == onp.float32
        )


ERRORS: list[tuple[str, type[Exception], str]] = [
    ("np.array(None)", TypeError, "array: needs numbers.*got NoneType"),
    ("np.array('a')", TypeError, "array: needs numbers.*got str"),
    ("np.array([1, None])", TypeError, "NoneType"),
    ("np.array([1, 'a'])", TypeError, "str in a sequence"),
    ("np.array([[1, 2], [3]])", ValueError, "equal lengths"),
    ("np.array([np.ones(2), np.ones(3)])", ValueError, "parts of one shape"),
    ("np.array(2**40)", OverflowError, "fits int32"),
    ("np.array([2**40])", OverflowError, "int64"),
    ("np.array({})", TypeError, "dict"),
    ("np.zeros((2, -1))", ValueError, "negative"),
    ("np.zeros(2.5)", TypeError, "zeros: needs a shape"),
    ("np.arange(0, 3, 0)", ValueError, "step other than 0"),
    ("np.linspace(0, 1, -1)", ValueError, "num >= 0"),
    ("np.array(onp.array(['a']))", TypeError, "dtype"),
    ("np.array(1.0, order='F')", NotImplementedError, "row-major"),
    ("np.zeros(3, 'datetime64[s]')", TypeError, "dtype: needs a number"),
]


@pytest.mark.parametrize("text,error,message", ERRORS)
def test_errors(text: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        eval(text)


def test_arrays_are_copies_of_numpy_arrays() -> None:
    source = onp.zeros(3, onp.float32)
    x = np.array(source)
    y = np.asarray(source)
    source[0] = 1
    assert x[0] == 0 and y[0] == 0


def test_copy_survives_delete() -> None:
    x = np.arange(3)
    y = np.array(x)
    z = np.copy(x)
    x.delete()
    assert_close(y, onp.arange(3))
    assert_close(z, onp.arange(3))


def test_array_of_tracers() -> None:
    result = vires.jit(lambda a, b: np.array([[a, b], [b, 1]]))(1.5, 2)
    assert_close(result, onp.array([[1.5, 2], [2, 1]]), dtype=False)
    assert_close(vires.grad(lambda a: np.array([a, 2 * a, 1.0]).sum())(1.0), onp.float32(3))


def test_bfloat16_and_small_integers() -> None:
    x = np.arange(5, dtype=np.bfloat16)
    assert x.dtype == np.bfloat16 and x.tolist() == [0, 1, 2, 3, 4]
    assert np.eye(2, dtype=np.bfloat16).dtype == np.bfloat16
    assert np.linspace(0, 1, 3, dtype=np.bfloat16).tolist() == [0, 0.5, 1]
    assert np.zeros(3, np.int4).dtype == np.int4


def test_ranges() -> None:
    for args in (
        (5,),
        (2, 7),
        (2, 9, 3),
        (9, 2, -2),
        (0, 1, 0.1),
        (5, 2),
        (3.5,),
        (0.5, 3),
        (-3, 3, 2),
    ):
        check("arange", *args, jit=False)
        assert_close(vires.jit(lambda: np.arange(*args))(), onp.arange(*args))
    for args in ((0, 1, 11), (1, 5, 1), (2, 3, 0), (-1, 1, 4), (3, -3, 7)):
        check("linspace", *args, jit=False, ulps=2)
        check("linspace", *args, endpoint=False, jit=False, ulps=2)
        _, step = np.linspace(*args, retstep=True)
        assert_close(
            step,
            onp.linspace(*args, retstep=True)[1].astype(onp.float32)
            if args[2] > 1
            else onp.float32(onp.nan),
        )
    check("linspace", onp.zeros(3, onp.float32), onp.arange(3, dtype=onp.float32), 4, axis=1)
    check("logspace", 0, 2, 5, jit=False)
    check("geomspace", 1, 1000, 4, jit=False)
    check("geomspace", -1, -8, 4, jit=False)
    check("linspace", 0, 5, 6, dtype=int, jit=False)
    traced = vires.jit(lambda a, b: np.linspace(a, b, 5))(0.0, 2.0)
    assert_close(traced, onp.linspace(0, 2, 5))
    assert_close(vires.grad(lambda a: np.linspace(0.0, a, 3).sum())(2.0), onp.float32(1.5))


def test_grids() -> None:
    x, y = onp.arange(3), onp.arange(4.0)
    for indexing in ("xy", "ij"):
        for sparse in (False, True):
            check("meshgrid", x, y, indexing=indexing, sparse=sparse)
    check("meshgrid", x, y, onp.arange(2), indexing="ij")
    check("indices", (2, 3), jit=False)
    check("indices", (2, 3), sparse=True, jit=False)
    assert_close(np.mgrid[0:3, 0:2], onp.mgrid[0:3, 0:2])
    assert_close(np.mgrid[0:1:5j], onp.mgrid[0:1:5j])
    assert_close(list(np.ogrid[0:3, 0:2]), list(onp.ogrid[0:3, 0:2]))
    assert_close(np.r_[1:4, 0, np.array([7, 8])], onp.r_[1:4, 0, [7, 8]])
    assert_close(np.c_[np.arange(3), np.arange(3)], onp.c_[onp.arange(3), onp.arange(3)])
    assert np.s_[1:2, ...] == onp.s_[1:2, ...] and np.index_exp[0] == (0,)
    check("fromfunction", lambda i, j: i * 10 + j, (2, 3), jit=False)
    assert_close(list(np.ix_(np.array([0, 2]), np.array([1]))), list(onp.ix_([0, 2], [1])))


def test_patterns() -> None:
    m = onp.arange(12.0).reshape(3, 4).astype(onp.float32)
    for k in (-5, -1, 0, 2, 4):
        check("tril", m, k)
        check("triu", m, k)
        check("eye", 3, 4, k, jit=False)
        check("tri", 3, 4, k, jit=False)
        check("diag", m, k)
        check("diagonal", m, k)
        check("trace", m, k, dtype=False)
        check("diag", m[0], k)
    check("tril", onp.stack([m, m]), 1)
    check("diagonal", onp.stack([m, m + 1]), 0, 1, 2)
    check("diagflat", m[:2, :2], 1)
    check("vander", m[0], ulps=16)
    check("vander", onp.arange(4), 3, increasing=True)
    check("tril_indices", 3, 1, jit=False)
    check("triu_indices", 3, -1, 4, jit=False)
    check("diag_indices", 3, jit=False)
    assert_close(list(np.mask_indices(3, np.triu)), list(onp.mask_indices(3, onp.triu)))
    square = m[:, :3].copy()
    onp.fill_diagonal(square, 7)
    assert_close(np.fill_diagonal(np.asarray(m[:, :3]), 7, inplace=False), square)
    with pytest.raises(ValueError, match="inplace=False"):
        np.fill_diagonal(np.eye(3), 1)


@pytest.mark.parametrize("name", ["hamming", "hanning", "bartlett", "blackman"])
def test_windows(name: str) -> None:
    check(name, 7, jit=False, scale=1)
    check(name, 1, jit=False)


def test_readers(tmp_path: Any) -> None:
    x = np.arange(3.0)
    np.save(tmp_path / "x.npy", x)
    assert_close(np.load(tmp_path / "x.npy"), x)
    assert_close(np.frombuffer(onp.arange(3, dtype=onp.float32).tobytes(), np.float32), x)
    assert_close(np.fromiter((i for i in range(3)), float), x)
    assert_close(np.from_dlpack(onp.arange(3, dtype=onp.float32)), x)
    assert_close(np.fromstring("0 1 2", float, sep=" "), x)


def test_astype() -> None:
    x = np.array([1.7, -1.7, 0.0])
    assert_close(x.astype(int), onp.array([1, -1, 0]))
    assert_close(x.astype(bool), onp.array([True, True, False]))
    assert x.astype(None).dtype == onp.float32
    assert (np.ones(2) * 1j).astype(float).tolist() == [0, 0]
    assert not np.asarray(1.0).astype(float).weak_type
    assert np.astype(x, np.float64).dtype == onp.float64


def test_evenly_spaced_numbers_repeat_their_bits() -> None:
    for call in (
        lambda: np.linspace(-2.3, 3.7, 11),
        lambda: np.linspace(onp.float32(-1.7), 3, 13, endpoint=False),
        lambda: np.geomspace(1.0, 100.0, 13),
        lambda: np.logspace(0.0, 2.0, 13),
        lambda: np.histogram(onp.arange(7.0) ** 2 / 3, 10)[1],
    ):
        assert len({onp.asarray(call()).tobytes() for _ in range(4)}) == 1
