"""Products, einsum, convolutions, transforms, number theory and functions of elements against
NumPy."""

from __future__ import annotations

from typing import Any

import numpy as onp
import pytest
from compare import assert_close, check

import vires
import vires.numpy as np

RNG = onp.random.default_rng(0)


def normal(*shape: int, dtype: Any = onp.float32) -> onp.ndarray:
    x = RNG.normal(size=shape)
    if onp.dtype(dtype).kind == "c":
        x = x + 1j * RNG.normal(size=shape)
    return onp.asarray(x * (3 if onp.dtype(dtype).kind in "iu" else 1)).astype(dtype)


MATMUL = [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 4)), ((2, 3), (3, 4)), ((5, 2, 3), (5, 3, 4)),
    ((5, 2, 3), (3, 4)),
          ((2, 3), (5, 3, 4)), ((5, 1, 2, 3), (6, 3, 4)), ((1, 2, 3), (5, 3, 4)), ((5, 2, 3), (3,)),
          ((3,), (5, 3, 4)),
          ((6, 1, 2, 3), (1, 5, 3, 4)), ((0, 3), (3, 4)), ((2, 0), (0, 4)), ((4, 6, 2, 3), (4, 1, 3,
          2))]  # fmt: skip


@pytest.mark.parametrize("shapes", MATMUL, ids=str)
def test_matmul(shapes: Any) -> None:
    a, b = (normal(*shape) for shape in shapes)
    check("matmul", a, b, ulps=16, scale=16)
    if len(shapes[0]) <= 2 or len(shapes[1]) <= 2:
        check("dot", a, b, ulps=16, scale=16)


@pytest.mark.parametrize("dtype", ["int32", "int8", "float64", "float16", "complex64", "bool"])
def test_matmul_dtypes(dtype: str) -> None:
    a, b = normal(4, 3, dtype=dtype), normal(3, 5, dtype=dtype)
    check("matmul", a, b, ulps=16, scale=16)
    check("dot", a[0], b, ulps=16, scale=16)


def test_other_products() -> None:
    a, b, c = normal(3, 4), normal(3, 4), normal(3, dtype=onp.complex64)
    check("vdot", c, c[::-1].copy(), ulps=16, scale=8)
    check("vdot", a, b, ulps=16, scale=8)
    check("inner", a, b, ulps=16, scale=8)
    check("outer", a, b[0])
    check("tensordot", a, b, 2, ulps=16, scale=8)
    check("tensordot", a, b, ((0, 1), (0, 1)), ulps=16, scale=8)
    check("tensordot", a, b, (0, 0), ulps=16, scale=8)
    check("tensordot", a, b, 0)
    check("kron", a, b[:2])
    check("kron", a[0], b)
    check("cross", normal(4, 3), normal(4, 3), ulps=16, scale=8)
    check("cross", normal(3), normal(4, 3), ulps=16, scale=8)
    check("vecdot", a, b, ulps=16, scale=8)
    check("vecdot", normal(4, 3, dtype=onp.complex64), c, ulps=16, scale=8)
    check("vecdot", a, b, axis=0, ulps=16, scale=8)
    check("matvec", normal(5, 3, 4), normal(4), ulps=16, scale=8)
    check("vecmat", c, normal(5, 3, 2), ulps=16, scale=8)
    check("dot", onp.float32(2), a)
    assert (
        np.dot(np.ones(2, np.int8), np.ones(2, np.int8), preferred_element_type=np.int32).dtype
        == onp.int32
    )


EINSUM = [
    ("ij,jk->ik", (2, 3), (3, 4)), ("ij,jk", (2, 3), (3, 4)), ("i,i->", (3,), (3,)), ("i,j->ij", (3,
    ), (4,)),
    ("ij->ji", (2, 3)), ("ii->i", (3, 3)), ("ii", (3, 3)), ("ij->", (2, 3)), ("ij->j", (2, 3)),
    ("...ij,...jk->...ik",
    (5, 2, 3), (5, 3, 4)), ("...ij,jk", (5, 2, 3), (3, 4)), ("bij,bjk,bkl->bil", (2, 3, 4), (2, 4,
    5), (2, 5, 3)),
    ("ij,ij->ij", (2, 3), (2, 3)), ("ij,ij->i", (2, 3), (2, 3)), ("ijk,k->ij", (2, 3, 4), (4,)),
    ("iji->j", (3, 2, 3)),
    ("ij,j,jk->ik", (2, 3), (3,), (3, 4)), ("a,b,c->abc", (2,), (3,), (4,)), ("ij,kj->", (2, 3), (4,
    3)),
    ("bqhd,bkhd->bhqk", (2, 3, 2, 4), (2, 5, 2, 4)), ("ij,ik->ij", (2, 3), (2, 4)), ("iij,jk->ik",
    (3, 3, 2), (2, 4)),
    ("i...->...", (3, 2, 4)), ("ijkl->lkji", (2, 3, 4, 5)), ("ij,ji->", (2, 3), (3, 2)),
    ("ij, jk -> ki", (2, 3), (3, 4)),
]  # fmt: skip


@pytest.mark.parametrize("case", EINSUM, ids=lambda c: c[0])
def test_einsum(case: Any) -> None:
    text, *shapes = case
    arrays = [normal(*shape) for shape in shapes]
    check("einsum", text, *arrays, ulps=32, scale=32)


def test_einsum_forms() -> None:
    a, b = normal(2, 3), normal(3, 4)
    assert_close(
        np.einsum(np.asarray(a), [0, 1], np.asarray(b), [1, 2], [0, 2]), a @ b, ulps=16, scale=8
    )
    assert_close(
        np.einsum("ij,jk,kl->il", a, b, b.T.copy(), optimize="greedy"),
        a @ b @ b.T,
        ulps=32,
        scale=32,
    )
    path, info = np.einsum_path(
        "ij,jk,kl->il", np.asarray(a), np.asarray(b), np.asarray(b.T.copy())
    )
    assert len(path) == 2 and "Complete contraction" in str(info)
    assert_close(
        np.einsum("ij,jk->ik", np.ones((1, 3)), np.asarray(b)),
        onp.ones((1, 3)) @ b,
        dtype=False,
        ulps=16,
        scale=8,
    )
    assert_close(
        np.einsum("ij,ij->ij", np.ones((1, 3)), np.ones((2, 3))), onp.ones((2, 3)), dtype=False
    )
    with pytest.raises(ValueError, match="einsum: needs"):
        np.einsum("ij,jk->ik", np.asarray(a), np.asarray(a))
    with pytest.raises(ValueError, match="einsum: needs"):
        np.einsum("ij->ik", np.asarray(a))
    g = vires.grad(lambda a: np.einsum("ij,ij->", a, a))(np.asarray(a))
    assert_close(g, 2 * a)


ERRORS: list[tuple[str, type[Exception], str]] = [
    (
        "np.ones((2, 3)) @ np.ones((2, 3))",
        ValueError,
        r"matmul: .*float32\[2,3\] and float32\[2,3\], axis 1 of size 3",
    ),
    ("np.ones((2, 3)) @ np.ones((2, 3))", TypeError, "matmul"),
    ("np.matmul(np.float32(1), np.ones(2))", ValueError, "at least 1 axis"),
    ("np.dot(np.ones(2), np.ones(3))", ValueError, "dot: needs equal sizes"),
    ("np.tensordot(np.ones(2), np.ones(2), 3)", ValueError, "axes from 0 to 1"),
    ("np.cross(np.ones(4), np.ones(4))", ValueError, "2 or 3 components"),
    ("np.ones((2, 3)) @ [1, 2, 3]", TypeError, ""),
    ("np.convolve(np.ones(0), np.ones(2))", ValueError, "arrays with elements"),
    ("np.convolve(np.ones((2, 2)), np.ones(2))", ValueError, "two 1-d arrays"),
    ("np.fft.rfft(np.ones(3) * 1j)", ValueError, "rfft: needs real input"),
    ("np.fft.fft(np.ones(3), norm='x')", ValueError, "norm None, 'backward'"),
    ("np.fft.fft(np.ones(3), n=0)", ValueError, "at least 1 point"),
    ("np.gcd(np.ones(2), 2)", ValueError, "gcd: needs integers"),
    ("np.vectorize(lambda x: x, signature='n->n')(np.ones(2))", ValueError, "signature such as"),
]


@pytest.mark.parametrize("text,error,message", ERRORS)
def test_errors(text: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        eval(text)


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("sizes", [(5, 3), (3, 5), (4, 4), (6, 2), (2, 6), (1, 3), (5, 4)])
@pytest.mark.parametrize("dtype", ["float32", "int32", "complex64"])
def test_convolve_and_correlate(mode: str, sizes: Any, dtype: str) -> None:
    a, v = normal(sizes[0], dtype=dtype), normal(sizes[1], dtype=dtype)
    check("convolve", a, v, mode, ulps=16, scale=16)
    check("correlate", a, v, mode, ulps=16, scale=16)


@pytest.mark.parametrize("name", ["fft", "ifft", "rfft", "irfft", "hfft", "ihfft"])
def test_transforms(name: str) -> None:
    x = normal(4, 6, 5, dtype=onp.float32 if name in ("rfft", "ihfft") else onp.complex64)
    for options in (
        {},
        {"n": 8},
        {"n": 3, "axis": 1},
        {"norm": "ortho"},
        {"norm": "forward", "axis": 0},
    ):
        check(f"fft.{name}", x, **options, ulps=16, scale=64)


@pytest.mark.parametrize(
    "name", ["fft2", "ifft2", "rfft2", "irfft2", "fftn", "ifftn", "rfftn", "irfftn"]
)
def test_transforms_of_several_axes(name: str) -> None:
    x = normal(4, 6, 5, dtype=onp.float32 if name.startswith("rfft") else onp.complex64)
    for options in ({}, {"s": (3, 8), "axes": (0, 2)}, {"norm": "ortho"}):
        check(f"fft.{name}", x, **options, ulps=16, scale=64)


def test_transforms_of_four_axes() -> None:
    x = normal(2, 3, 4, 5)
    check("fft.fftn", x, ulps=16, scale=256)
    check("fft.rfftn", x, ulps=16, scale=256)
    check("fft.irfftn", x.astype(onp.complex64), ulps=16, scale=256)
    check("fft.fftn", onp.arange(4), ulps=16, scale=16, dtype=False)


def test_frequencies_and_shifts() -> None:
    for n in (1, 4, 5):
        check("fft.fftfreq", n, 0.5, jit=False)
        check("fft.rfftfreq", n, jit=False)
        check("fft.fftshift", normal(n, 3))
        check("fft.ifftshift", normal(n, 3), axes=0)


def test_gradient_of_transforms() -> None:
    x = np.asarray(normal(6))
    g = vires.grad(lambda x: (np.abs(np.fft.rfft(x)) ** 2).sum())(x)
    numeric = onp.zeros(6)
    f = lambda x: (onp.abs(onp.fft.rfft(x)) ** 2).sum()
    for i in range(6):
        d = onp.zeros(6)
        d[i] = 1e-4
        numeric[i] = (f(onp.asarray(x, float) + d) - f(onp.asarray(x, float) - d)) / 2e-4
    onp.testing.assert_allclose(onp.asarray(g), numeric, rtol=1e-3, atol=1e-3)


def test_unwrap() -> None:
    p = onp.cumsum(normal(20) * 2).astype(onp.float32)
    check("unwrap", (p + onp.pi) % (2 * onp.pi), ulps=64, scale=64)
    check("unwrap", onp.array([0, 1, 2, -1, 0]), period=4)
    check("unwrap", normal(3, 4) * 5, axis=0, ulps=64, scale=64)


def test_bits() -> None:
    bits = RNG.integers(0, 2, size=(3, 11)).astype(bool)
    for order in ("big", "little"):
        check("packbits", bits, bitorder=order)
        check("packbits", bits, axis=1, bitorder=order)
        packed = onp.packbits(bits, axis=1, bitorder=order)
        check("unpackbits", packed, axis=1, count=11, bitorder=order)
        check("unpackbits", packed, bitorder=order)
    check("unpackbits", packed, axis=1, count=20)


def test_vectorize() -> None:
    def smaller(a: Any, b: Any) -> Any:
        return np.where(a < b, a, b)

    x, y = normal(3, 1), normal(4)
    assert_close(np.vectorize(smaller)(x, y), onp.minimum(x, y))
    assert_close(np.vectorize(smaller)(np.float32(2), 1.0), onp.float32(1), dtype=False)
    matvec = np.vectorize(lambda m, v: np.dot(m, v), signature="(n,m),(m)->(n)")
    assert_close(matvec(normal(2, 3), normal(5, 3)).shape, (5, 2), dtype=False)
    m, v = normal(6, 1, 2, 3), normal(5, 3)
    assert_close(
        matvec(m, v),
        onp.einsum("bcnm,cm->bcn", onp.broadcast_to(m, (6, 5, 2, 3)), v),
        ulps=16,
        scale=8,
    )
    scaled = np.vectorize(lambda x, n: x * len(n), excluded={1})
    assert_close(scaled(y, "abc"), y * 3)
    two = np.vectorize(lambda x: (x, -x))(np.asarray(y))
    assert_close(list(two), [y, -y])
    with pytest.raises(ValueError, match="one size for axis 'm'"):
        matvec(np.ones((2, 3)), np.ones(4))


def test_apply_functions() -> None:
    x = normal(3, 4, 5)
    for axis in (0, 1, -1):
        got = np.apply_along_axis(lambda v: np.sort(v)[:2], axis, np.asarray(x))
        assert_close(got, onp.apply_along_axis(lambda v: onp.sort(v)[:2], axis, x))
        got = np.apply_along_axis(np.sum, axis, np.asarray(x))
        assert_close(got, x.sum(axis), ulps=16, scale=8)
    assert_close(
        np.apply_over_axes(np.sum, np.asarray(x), (0, 2)),
        onp.apply_over_axes(onp.sum, x, (0, 2)),
        ulps=16,
        scale=16,
    )
    f = np.frompyfunc(lambda a, b: a * b + 1, 2, 1)
    assert_close(f(np.arange(3), 2), onp.arange(3) * 2 + 1)
    assert (
        isinstance(f, np.ufunc)
        and isinstance(np.add, np.ufunc)
        and not isinstance(np.sum, np.ufunc)
    )


def test_methods_of_binary_functions() -> None:
    x = normal(3, 4)
    for name in ("add", "multiply", "maximum", "minimum", "subtract", "logical_and", "logaddexp"):
        ours, theirs = getattr(np, name), getattr(onp, name)
        assert_close(ours.reduce(np.asarray(x)), theirs.reduce(x), ulps=16, scale=8)
        assert_close(
            ours.reduce(np.asarray(x), axis=1, keepdims=True),
            theirs.reduce(x, axis=1, keepdims=True),
            ulps=16,
            scale=8,
        )
        if name != "logical_and":
            assert_close(
                ours.accumulate(np.asarray(x), 1), theirs.accumulate(x, 1), ulps=16, scale=8
            )
        assert_close(ours.outer(np.asarray(x), np.asarray(x[0])), theirs.outer(x, x[0]), scale=8)
    assert_close(
        np.add.at(np.zeros(3), np.array([0, 0]), 1.0, inplace=False),
        onp.array([2, 0, 0], onp.float32),
    )
    with pytest.raises(NotImplementedError, match="inplace=False"):
        np.add.at(np.zeros(3), np.array([0]), 1.0)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64"])
def test_no_matrices_that_would_be_large(dtype):
    a, b = onp.zeros((4, 0, 33, 40), dtype), onp.zeros((4, 0, 40, 33), dtype)
    for product in (np.matmul, vires.jit(np.matmul), vires.jit(lambda a, b: np.tanh(a @ b) + 1)):
        found = product(a, b)
        assert found.shape == (4, 0, 33, 33) and found.dtype == dtype
