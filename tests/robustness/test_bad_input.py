"""Input at the edges: NumPy's answers at once, compiled, and with a longer expression around."""

# Warnings of NumPy about divisions by zero and overflow belong to the oracle.
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as onp
import pytest

import vires
import vires.numpy as np
from vires import lax

INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
FLOATS = ["float16", "float32", "float64"]


def same(found: Any, want: Any, signs: bool = True) -> None:
    found, want = onp.asarray(found), onp.asarray(want)
    assert found.dtype == want.dtype and found.shape == want.shape
    onp.testing.assert_array_equal(found, want)
    if want.dtype.kind == "f" and signs:
        nan = onp.isnan(want)  # whose sign is nobody's business
        onp.testing.assert_array_equal(onp.signbit(found)[~nan], onp.signbit(want)[~nan])


def everywhere(f: Callable[..., Any], *args: Any) -> list[Any]:
    """Results at once, compiled, and from the middle of a longer program."""
    longer = lambda *xs: f(*(x.reshape(x.shape) for x in xs))
    return [f(*map(np.asarray, args)), vires.jit(f)(*args), vires.jit(longer)(*args)]


# --- integers


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("name", ["floor_divide", "remainder", "fmod"])
def test_integer_division(name, dtype):
    info = onp.iinfo(dtype)
    edges = onp.array([0, 1, 2, 7, info.max, info.max - 1, info.min, info.min + 1], dtype)
    if info.min:
        edges = onp.concatenate([edges, onp.array([-1, -2, -7], dtype)])
    x, y = (v.ravel() for v in onp.meshgrid(edges, edges))
    with onp.errstate(all="ignore"):
        want = getattr(onp, name)(x, y)
    for found in everywhere(getattr(np, name), x, y):
        same(found, want)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integer_overflow_wraps(dtype):
    info = onp.iinfo(dtype)
    x = onp.array([info.min, info.max, info.max, 0, 1], dtype)
    y = onp.array([info.max, info.max, 1, info.min, info.min], dtype)
    with onp.errstate(all="ignore"):
        for name in ("add", "subtract", "multiply"):
            for found in everywhere(getattr(np, name), x, y):
                same(found, getattr(onp, name)(x, y))
        for name in ("negative", "abs", "square"):
            for found in everywhere(getattr(np, name), x):
                same(found, getattr(onp, name)(x))
        for found in everywhere(lambda v: np.sum(v, dtype=dtype), x):
            same(found, x.sum(dtype=dtype))


@pytest.mark.parametrize("dtype", ["int8", "int32", "uint8", "uint32", "int64"])
def test_shifts_by_any_number(dtype):
    info = onp.iinfo(dtype)
    x = onp.array([1, 3, info.max, info.min, 1, 1], dtype)
    width = onp.array([0, info.bits - 1, info.bits, 1, 100, info.bits + 1], dtype)
    for name in ("left_shift", "right_shift"):
        for found in everywhere(getattr(np, name), x, width):
            same(found, getattr(onp, name)(x, width))


def test_division_by_a_constant_zero():
    x = onp.array([0, 1, -7, 2**31 - 1, -(2**31)], "int32")
    with onp.errstate(all="ignore"):
        for f in (lambda v: v // 0, lambda v: v % 0, lambda v: v // -1, lambda v: v % -1):
            want = f(x)
            for found in everywhere(f, x):
                same(found, want)


# --- floats


@pytest.mark.parametrize("dtype", FLOATS)
def test_special_values(dtype):
    info = onp.finfo(dtype)
    edges = [0.0, -0.0, 1.0, -1.0, onp.inf, -onp.inf, onp.nan, info.max, info.tiny,
             info.smallest_subnormal, -info.smallest_subnormal, info.tiny / 2]  # fmt: skip
    x, y = (v.ravel() for v in onp.meshgrid(onp.array(edges, dtype), onp.array(edges, dtype)))
    with onp.errstate(all="ignore"):
        for name in ("add", "subtract", "multiply", "divide", "maximum", "minimum", "copysign",
                     "floor_divide", "remainder", "nextafter", "fmax"):  # fmt: skip
            want = getattr(onp, name)(x, y)
            for found in everywhere(getattr(np, name), x, y):
                # Of zeros with different signs NumPy's choice depends on the machine.
                same(found, want, name not in ("maximum", "minimum", "fmax", "nextafter"))
        for name in ("sqrt", "floor", "sign", "abs", "trunc", "rint", "signbit", "isfinite"):
            want = getattr(onp, name)(x)
            for found in everywhere(getattr(np, name), x):
                same(found, want, name != "sign")  # that of -0.0 is -0.0 here
        for name in ("less", "equal", "greater_equal", "not_equal"):
            for found in everywhere(getattr(np, name), x, y):
                same(found, getattr(onp, name)(x, y))


@pytest.mark.parametrize("dtype", FLOATS)
def test_denormals_are_kept(dtype):
    least = onp.finfo(dtype).smallest_subnormal
    x = onp.arange(1, 100, dtype=dtype) * least
    for found in everywhere(lambda v: v * 3 - v, x):
        same(found, x * 3 - x)
    for found in everywhere(lambda v: v.sum(), x[:40]):
        same(found, x[:40].sum())
    for found in everywhere(lambda v: np.cumsum(v), x[:40]):
        same(found, onp.cumsum(x[:40]))
    for found in everywhere(lambda v: np.sort(-v), x):
        same(found, onp.sort(-x))


def test_nan_in_reductions_and_sorts():
    x = onp.array([3, onp.nan, -1, onp.inf, -0.0, 0.0], "float32")
    for name in ("max", "min", "argmax", "argmin", "sort", "argsort", "cumsum", "nanmax", "nansum"):
        want = getattr(onp, name)(x)
        for found in everywhere(getattr(np, name), x):
            if name.startswith("arg"):
                same(onp.asarray(found).astype(want.dtype), want)
            else:
                same(found, want)


# --- shapes

RANK = 20


def test_twenty_dimensions():
    shape = (2, 1) * 8 + (3, 1, 1, 2)
    assert len(shape) == RANK
    x = onp.arange(onp.prod(shape), dtype="float32").reshape(shape)
    order = tuple(reversed(range(RANK)))
    cases: list[Callable[[Any, Any], Any]] = [
        lambda n, v: v + n.transpose(v, order).transpose(order),
        lambda n, v: n.transpose(v, order),
        lambda n, v: v.sum(axis=tuple(range(0, RANK, 2))),
        lambda n, v: v.reshape(-1, 6)[::-1, 1::2],
        lambda n, v: n.swapaxes(v, 0, 16)[..., 0],
        lambda n, v: v[(1,) + (slice(None),) * 18 + (None, 1)],
        lambda n, v: n.concatenate([v, v], axis=19).max(axis=16),
        lambda n, v: n.broadcast_to(v[:, :1], (2, 4, *shape[2:])).sum(axis=1),
        lambda n, v: n.cumsum(v, axis=16) * n.flip(v, (0, 16)),
        lambda n, v: n.argmax(v, axis=16).astype(n.int32),
        lambda n, v: n.where(v > 5, v, -v),
        lambda n, v: n.tensordot(v, v, axes=(tuple(range(16)), tuple(range(16)))),
        lambda n, v: n.sort(v, axis=0),
        lambda n, v: n.pad(v, [(0, 0)] * 19 + [(1, 2)]),
    ]
    for case in cases:
        want = case(onp, x)
        for found in everywhere(lambda v, case=case: case(np, v), x):
            same(found, want.astype(found.dtype))
    slope = vires.grad(lambda v: (np.transpose(v, order) ** 2).sum())(x)
    same(slope, 2 * x)
    mapped = vires.vmap(lambda v: v.sum(), in_axes=RANK - 1)(x)
    onp.testing.assert_allclose(mapped, x.sum(axis=tuple(range(RANK - 1))))


EMPTY = [(0,), (0, 3), (3, 0), (2, 0, 4)]


@pytest.mark.parametrize("shape", EMPTY)
def test_empty(shape):
    x = onp.zeros(shape, "float32")
    last = len(shape) - 1
    cases: list[Callable[[Any, Any], Any]] = [
        lambda n, v: n.sin(v) + v,
        lambda n, v: v.sum(),
        lambda n, v: v.sum(axis=0),
        lambda n, v: v.prod(axis=last),
        lambda n, v: n.any(v > 0),
        lambda n, v: n.all(v > 0, axis=last),
        lambda n, v: n.cumsum(v, axis=last),
        lambda n, v: n.sort(v, axis=last),
        lambda n, v: n.concatenate([v, v]),
        lambda n, v: n.transpose(v),
        lambda n, v: v[..., :0],
        lambda n, v: n.flip(v),
        lambda n, v: n.tensordot(v, v, axes=([0], [0])),
        lambda n, v: n.dot(v.reshape(-1), v.reshape(-1)),
        lambda n, v: n.pad(v, 1),
        lambda n, v: n.where(v > 0, v, 1.0 * v),
    ]
    for case in cases:
        want = case(onp, x)
        for found in everywhere(lambda v, case=case: case(np, v), x):
            same(found, want)
    for name in ("max", "min", "argmax"):
        with pytest.raises(ValueError, match=f"{name}: needs"):
            getattr(np, name)(x)
        with pytest.raises(ValueError, match=f"{name}: needs"):
            vires.jit(getattr(np, name))(x)
    assert vires.grad(lambda v: (v * v).sum())(x).shape == shape
    loop = lambda v: lax.scan(lambda c, row: (c + row.sum(), row * 2), 0.0, v)
    total, rows = vires.jit(loop)(x)
    assert total == 0 and rows.shape == shape


def test_size_one():
    x = onp.full((1, 1, 1), 3, "float32")
    for case in (
        lambda n, v: v.sum(),
        lambda n, v: v.sum(axis=(0, 2)),
        lambda n, v: v * n.ones((4, 1, 2), "f"),
        lambda n, v: n.sort(v, axis=1),
        lambda n, v: n.cumsum(v),
        lambda n, v: v.reshape(()),
        lambda n, v: n.matmul(v, v),
        lambda n, v: n.transpose(v),
        lambda n, v: v.max(axis=1),
    ):
        for found in everywhere(lambda v, case=case: case(np, v), x):
            same(found, case(onp, x))


# --- memory


def layouts() -> dict[str, onp.ndarray]:
    base = onp.arange(240, dtype="float32").reshape(4, 6, 10)
    bytes_ = onp.zeros(41, "uint8")
    unaligned = bytes_[1:].view("float32")
    unaligned[:] = onp.arange(10)
    return {
        "transposed": base.T,
        "every second": base[::2, :, ::3],
        "backwards": base[::-1, ::-1, ::-1],
        "repeated": onp.broadcast_to(base[:1, :1], (4, 6, 10)),
        "Fortran": onp.asfortranarray(base),
        "unaligned": unaligned,
        "other byte order": base.astype(">f4"),
        "read only": onp.broadcast_to(onp.float32(3), (5,)),
        "of a field": onp.array([(1, 2.0), (3, 4.0)], [("a", "i4"), ("b", "f4")])["b"],
        "overlapping": onp.lib.stride_tricks.sliding_window_view(onp.arange(9, dtype="f"), 4),
    }


@pytest.mark.parametrize("name", layouts())
def test_layouts(name):
    x = layouts()[name]
    native = x.astype("float32")
    for f in (np.sin, vires.jit(np.sin)):
        onp.testing.assert_allclose(f(x), onp.sin(native), rtol=1e-6, atol=1e-7)
    same(np.asarray(x), native)
    same(vires.jit(lambda v: v.sum(axis=0) + v[0])(x), native.sum(axis=0) + native[0])
    before = x.copy()
    np.asarray(x).at[(0,) * x.ndim].set(99)
    same(x, before)


def test_the_same_array_twice_and_its_parts():
    x = np.arange(1000.0)
    update = vires.jit(lambda a, b: (a.at[3].add(b[4]), b.at[4].set(a[3])))
    first, second = update(x, x)
    assert (first[3], second[4], x[3], x[4]) == (7, 3, 3, 4)
    half = x[:500]
    swapped = vires.jit(lambda a, b: lax.dynamic_update_slice(a, b * 2, (100,)))(x, half)
    want = onp.arange(1000.0, dtype="f")
    want[100:600] = 2 * onp.arange(500, dtype="f")
    same(swapped, want)
    donated = vires.jit(lambda a, b: a.at[0].set(b.sum()), donate_argnums=0)
    fresh = np.arange(1000.0)
    assert donated(fresh, np.arange(1000.0))[0] == 499500
    loop = vires.jit(lambda a: lax.fori_loop(0, 3, lambda i, c: (c[0].at[i].add(1), c[0]), (a, a)))
    new, old = loop(x)
    assert new[:4].tolist() == [1, 2, 3, 3] and old[:4].tolist() == [1, 2, 2, 3]


def test_a_numpy_array_that_changes_later():
    x = onp.ones(3, "float32")
    kept = np.asarray(x) + 0
    held = np.array(x)
    closed = vires.jit(lambda: np.asarray(x) * 2)
    assert closed().tolist() == [2, 2, 2]
    x[:] = 7
    assert kept.tolist() == held.tolist() == [1, 1, 1]
    assert closed().tolist() == [2, 2, 2]  # constants are those of the time of tracing


def test_more_elements_than_int32_counts():
    """2^31 + 8 bytes, in one process of its own time: about 2 s and 2 GiB."""
    size = 2**31 + 8
    big = vires.jit(lambda: np.zeros(size, "int8").at[size - 1].set(5))()
    assert big.shape == (size,) and big.nbytes == size
    assert int(big[size - 1]) == 5 and int(big[-2]) == 0 and big[size - 3 :].tolist() == [0, 0, 5]
    places = onp.array([0, size - 1, -2])
    look = vires.jit(
        lambda v, i: (np.sum(v, dtype=np.int32), v[size - 3 :] + 1, v[i], v[i[1]], np.argmax(v))
    )
    total, end, gathered, last, place = look(big, places)
    assert int(total) == 5 and end.tolist() == [1, 1, 6]
    assert gathered.tolist() == [0, 5, 0] and int(last) == 5 and int(place) == size - 1
    with pytest.raises(IndexError, match=f"for axis 0 of size {size}; got {size}"):
        look(big, places + onp.array([0, 1, 0]))
