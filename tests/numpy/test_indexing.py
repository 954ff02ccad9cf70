"""x[index] and x.at[index]: NumPy's meaning, eagerly, under jit, with traced indices, and their
errors."""

from __future__ import annotations

from typing import Any

import numpy as onp
import pytest
from compare import assert_close as assert_same

import vires
import vires.numpy as np


def assert_close(actual: Any, expected: Any) -> None:
    assert_same(actual, expected, dtype=False)


X = onp.arange(2 * 3 * 4 * 5, dtype=onp.float32).reshape(2, 3, 4, 5)
I = onp.array([0, 1, 1])  # noqa: E741 - beside J, as in mathematics
J = onp.array([[1], [0]])
MASK = onp.array([True, False, True])

STATIC: list[Any] = [
    0, -1, (0, 1), (0, 1, 2, 3), slice(None), slice(1, None), slice(None, None, -1), (slice(None),
    slice(None, None, 2)),
    (Ellipsis, 0), (0, Ellipsis, 1), (None, 0), (Ellipsis, None), (slice(None), None, 1, slice(3, 0,
    -1)),
    (slice(5, 2),), (slice(-2, None), slice(0, 0)), (), Ellipsis, None, (slice(None), slice(None),
    slice(3, None, -2)),
    (1, None, None, slice(1, 3), Ellipsis, -1), (slice(0, 10, 3), 2), (onp.int64(1), slice(None)),
    True, False,
    (slice(None), True), (Ellipsis, None, 0, slice(None), slice(None), slice(1, 3)), (0, 1,
    Ellipsis, None, 2, 3),
    (slice(None), 0, 1, Ellipsis, None, slice(None)),
]  # fmt: skip
ADVANCED: list[Any] = [
    I, J, (I,), (slice(None), I), (I, I), (J, I), (slice(None), I, I), (I, slice(None), I), (I,
    slice(None), J),
    (0, I), (0, slice(None), I), (slice(None), 0, I), (slice(None), I, 0), (slice(None), I,
    slice(None), I),
    (I, None, I), (None, I, None, I), (Ellipsis, I), (I, Ellipsis, I), (slice(None), I, Ellipsis,
    J),
    (slice(None, None, -1), I), (slice(None), slice(None, None, 2), I), (slice(None), I, slice(None,
    None, -2)),
    (I, slice(1, 3)), (I, slice(3, 0, -1)), (slice(None), MASK), (I[:2],
    MASK[:2] if False else I[:2]),
    X > 50, (slice(None), X[0, :, 0, 0] >= 0), X[:, :, 0, 0] > 20, (slice(None), slice(None), X[0,
    0] > 5),
    (0, X[0, :, :, 0] > 5), (onp.zeros((2, 0), int),), (slice(None), onp.array([], int)), (I, I, J,
    J),
    onp.array(1), (onp.array(1), I), (slice(None), slice(None), I, 1), (0, slice(None), slice(None,
    None, 3), I),
    (slice(None), onp.array([[0, 2], [1, 1]]), slice(0, 4, 3)), (True, I), (I.astype(onp.uint8),),
    (slice(None), -I), (slice(None), I[:, None, None], None, onp.array([0, 1])),
]  # fmt: skip


def ident(index: Any) -> str:
    return str(index).replace("\n", "")[:60]


@pytest.mark.parametrize("index", STATIC + ADVANCED, ids=ident)
def test_getitem(index: Any) -> None:
    x = np.asarray(X)
    ours = vires.tree.map(lambda i: np.asarray(i) if isinstance(i, onp.ndarray) else i,
        index) if isinstance(
        index, (tuple, onp.ndarray)
    ) else index  # fmt: skip
    expected = X[index]
    assert_same(x[index], expected)
    assert_same(x[ours], expected)
    assert_same(vires.jit(lambda x: x[index])(x), expected)


def traced_parts(index: Any) -> list[onp.ndarray]:
    entries = index if isinstance(index, tuple) else (index,)
    return [e for e in entries if isinstance(e, onp.ndarray) and e.dtype != bool]


def with_parts(index: Any, values: Any) -> Any:
    rest = iter(values)
    entries = index if isinstance(index, tuple) else (index,)
    new = tuple(
        next(rest) if isinstance(e, onp.ndarray) and e.dtype != bool else e for e in entries
    )
    return new if isinstance(index, tuple) else new[0]


@pytest.mark.parametrize("index", [i for i in ADVANCED if traced_parts(i)], ids=ident)
def test_getitem_with_traced_indices(index: Any) -> None:
    result = vires.jit(lambda x, parts: x[with_parts(index, parts)])(
        np.asarray(X), traced_parts(index)
    )
    assert_same(result, X[index])


@pytest.mark.parametrize(
    "index", [0, -2, (1, 2), (slice(None), -1), (0, slice(1, 3), 2), (Ellipsis, 1)], ids=ident
)
def test_getitem_with_traced_integers(index: Any) -> None:
    entries = index if isinstance(index, tuple) else (index,)
    numbers = [e for e in entries if isinstance(e, int)]

    def call(x: Any, values: Any) -> Any:
        rest = iter(values)
        return x[tuple(next(rest) if isinstance(e, int) else e for e in entries)]

    assert_same(vires.jit(call)(np.asarray(X), numbers), X[index])
    assert_same(vires.jit(call)(np.asarray(X),
    [onp.uint8(n % 2) if n < 0 else onp.uint8(n) for n in numbers]),
                 X[tuple(n % 2 if isinstance(n,
                 int) and n < 0 else n for n in entries)])  # fmt: skip


UNIQUE: list[Any] = [i for i in STATIC if not isinstance(i, bool)] + [
    I[:2], (slice(None), I[:2]), (I[:2], slice(None), I[:2]), (slice(None), MASK), X > 50,
    (slice(None, None, -1), I[:2]),
    (slice(None), slice(None, None, 2), I[:2]), (0, I[:2]), (None, I[:2]), (slice(None), I[:2],
    slice(3, 0, -1)),
    (slice(None), X[0, :, 0, 0] < 0), onp.zeros((0,), int),
]  # fmt: skip


@pytest.mark.parametrize("index", UNIQUE, ids=ident)
def test_set(index: Any) -> None:
    shape = X[index].shape
    value = onp.random.default_rng(1).normal(size=shape).astype(onp.float32)
    for new in (value, onp.float32(-1)):
        expected = X.copy()
        expected[index] = new
        assert_same(np.asarray(X).at[index].set(new), expected)
        assert_same(vires.jit(lambda x, y: x.at[index].set(y))(np.asarray(X), new), expected)


@pytest.mark.parametrize("index", STATIC[:20] + ADVANCED, ids=ident)
@pytest.mark.parametrize("name", ["add", "multiply", "min", "max", "subtract"])
def test_updates(index: Any, name: str) -> None:
    shape = X[index].shape
    value = onp.random.default_rng(2).integers(1, 3, size=shape).astype(onp.float32)
    ufunc = {"add": onp.add, "multiply": onp.multiply, "min": onp.minimum, "max": onp.maximum,
             "subtract": onp.subtract}[name]  # fmt: skip
    expected = X.copy()
    ufunc.at(expected, index, value)
    assert_same(getattr(np.asarray(X).at[index], name)(value), expected)
    if name in ("add", "max"):
        assert_same(
            vires.jit(lambda x, y: getattr(x.at[index], name)(y))(np.asarray(X), value), expected
        )


def test_other_updates() -> None:
    x = np.arange(1.0, 5.0)
    assert_close(x.at[1:3].divide(2.0), onp.array([1, 1, 1.5, 4]))
    assert_close(x.at[np.array([0, 3])].power(2.0), onp.array([1, 2, 3, 16]))
    assert_close(x.at[1].mul(10), onp.array([1, 20, 3, 4]))
    assert_close(x.at[::2].apply(np.negative), onp.array([-1, 2, -3, 4]))
    twice = lambda x, i, **options: x.at[i].apply(lambda v: 2 * v + 1, **options)
    for run in (twice, vires.jit(twice)):
        assert_close(run(x, onp.array([1, 3, 1])), onp.array([1, 11, 3, 9]))
        assert_close(run(x, onp.zeros(40, int))[0], onp.float32(2**41 - 1))
    assert_close(twice(x, onp.array([1, 1, 9]), mode="drop"), onp.array([1, 11, 3, 4]))
    assert_close(twice(x, onp.array([1, 3]), unique_indices=True), onp.array([1, 5, 3, 9]))
    slope = vires.grad(lambda x: np.sum(twice(x, onp.array([1, 1]))))
    assert_close(vires.jit(slope)(x), onp.array([1, 4, 1, 1]))
    assert_close(np.arange(3).at[1].set(7), onp.array([0, 7, 2]))


def test_modes() -> None:
    x = np.arange(4.0)
    index = np.array([-5, -1, 2, 9])
    assert_close(x.at[index].get(mode="fill"), onp.array([onp.nan, 3, 2, onp.nan]))
    assert_close(x.at[index].get(mode="fill", fill_value=-1), onp.array([-1, 3, 2, -1]))
    assert_close(x.at[index].get(mode="clip"), onp.array([0, 3, 2, 3]))
    assert_close(x.at[index].get(mode="wrap"), onp.array([3, 3, 2, 1]))
    for outside, inside in (
        ((Ellipsis, 7), (Ellipsis, 2)),
        ((0, Ellipsis, 7), (0, Ellipsis, 2)),
        ((Ellipsis, -6, None), (Ellipsis, 4, None)),
        ((None, 3, Ellipsis, 5, slice(1, 3)), (None, 1, Ellipsis, 1, slice(1, 3))),
    ):
        assert_close(np.asarray(X).at[outside].get(mode="wrap"), X[inside])
    assert_close(x.at[index].set(7, mode="drop"), onp.array([0, 1, 7, 7]))
    assert_close(x.at[index].add(1, mode="clip"), onp.array([1, 1, 3, 5]))
    assert_close(x.at[7].set(1, mode="drop"), onp.arange(4.0))
    assert_close(x.at[7].get(mode="fill", fill_value=5), onp.float32(5))
    assert_close(np.take(x, index, mode="clip"), onp.array([0, 3, 2, 3]))
    assert_close(np.take(x, index, mode="wrap"), onp.array([3, 3, 2, 1]))
    assert_close(np.arange(3).at[np.array([5])].get(mode="fill"), onp.array([-(2**31)]))


@pytest.mark.parametrize(
    "index", [5, -6, (0, 9), onp.array([0, 5]), (slice(None), onp.array([-6]))], ids=ident
)
def test_concrete_index_out_of_bounds(index: Any) -> None:
    x = np.ones((5, 5))
    with pytest.raises(IndexError, match=r"from -5 to 4 for axis \d of size 5; got -?\d"):
        x[index]
    with pytest.raises(IndexError, match="needs an index from -5 to 4"):
        x.at[index].set(1.0)
    with pytest.raises(IndexError, match="needs an index from -5 to 4"):
        vires.jit(lambda x: x[index])(x)


@pytest.mark.parametrize("value", [5, -6])
def test_traced_index_out_of_bounds(value: int) -> None:
    x = np.ones((5, 3))
    with pytest.raises(IndexError, match=f"axis 0 of size 5; got {value}"):
        vires.jit(lambda x, i: x[i])(x, value)
    with pytest.raises(IndexError, match=f"axis 0 of size 5; got {value}"):
        vires.jit(lambda x, i: x.at[i].add(1.0))(x, value)
    with pytest.raises(IndexError, match=f"axis 0 of size 5; got {value}"):
        vires.jit(lambda x, i: x[i])(x, np.array([0, value]))


ERRORS: list[tuple[Any, type[Exception], str]] = [
    ([0, 1], TypeError, "got list .*try x\\[numpy.array"),
    (([0, 1], 0), TypeError, "got list"),
    ("a", TypeError, "got the string 'a'"),
    (1.5, TypeError, "got float"),
    ((0, 0, 0), IndexError, "at most 2 indices for an array of 2 dimensions; got 3"),
    (onp.array([0.5]), TypeError, "index of integers or bools; got float"),
    (onp.array([True, False]), IndexError, "mask"),
    ((Ellipsis, Ellipsis), IndexError, "one ellipsis"),
    ((onp.array([0, 1]), onp.array([0, 1, 2])), IndexError, "broadcast"),
]


@pytest.mark.parametrize("index,error,message", ERRORS, ids=[ident(e[0]) for e in ERRORS])
def test_index_errors(index: Any, error: type[Exception], message: str) -> None:
    x = np.ones((5, 3))
    with pytest.raises(error, match=message):
        x[index]
    with pytest.raises(error, match=message):
        vires.jit(lambda x: x[index])(x)


def test_traced_mask() -> None:
    x = np.arange(6.0).reshape(2, 3)
    with pytest.raises(vires.errors.NonConcreteBooleanIndexError, match=r"numpy\.where"):
        vires.jit(lambda x: x[x > 2])(x)
    expected = onp.array([[0, 1, 2], [-1, -1, -1]])
    assert_close(vires.jit(lambda x: x.at[x > 2].set(-1.0))(x), expected)
    assert_close(
        vires.jit(lambda x: x.at[x[:, 0] > 2].add(1.0))(x), onp.array([[0, 1, 2], [4, 5, 6]])
    )
    with pytest.raises(ValueError, match="without an axis along a traced mask"):
        vires.jit(lambda x: x.at[x > 2].set(np.ones(3)))(x)


def test_slice_with_traced_bounds_is_refused() -> None:
    with pytest.raises(IndexError, match="dynamic_slice_in_dim"):
        vires.jit(lambda x, n: x[:n])(np.ones(3), 2)


def test_wrong_shape_of_values() -> None:
    with pytest.raises(
        ValueError, match=r"at.set: needs values that broadcast to the shape \(2,\)"
    ):
        vires.jit(lambda x: x.at[:2].set(np.ones(3)))(np.ones(4))
    with pytest.raises(ValueError):
        np.ones(4).at[:2].set(np.ones(3))


def test_lossy_values_warn() -> None:
    with pytest.warns(FutureWarning, match="float32 are converted to int32"):
        assert_close(np.arange(3).at[0].set(2.5), onp.array([2, 1, 2]))


def test_item_assignment_is_refused() -> None:
    x = np.ones(3)
    with pytest.raises(TypeError, match=r"x.at\[i\].set"):
        x[0] = 1  # type: ignore[index]


def test_gradients_of_indexing() -> None:
    x = np.arange(12.0).reshape(3, 4)
    index = np.array([0, 2, 2])
    g = vires.grad(lambda x: (x[index] * np.arange(3.0)[:, None]).sum())(x)
    expected = onp.zeros((3, 4))
    onp.add.at(expected, onp.array([0, 2, 2]), onp.arange(3.0)[:, None] * onp.ones(4))
    assert_close(g, expected)
    g = vires.grad(lambda x, i: x[i, 1] * x[i, -1])(x, 1)
    assert_close(g, onp.array([[0, 0, 0, 0], [0, 7, 0, 5], [0, 0, 0, 0]]))
    g = vires.grad(lambda y: (np.asarray(x).at[index].add(y) ** 2).sum())(np.ones(()))
    total = 2 * (onp.asarray(x)[0] + 1).sum() + 4 * (onp.asarray(x)[2] + 2).sum()
    assert_close(g, total)
    g = vires.grad(lambda y: (np.zeros(4).at[1:3].set(y) * np.arange(4.0)).sum())(np.ones(2))
    assert_close(g, onp.array([1, 2]))
    assert_close(
        vires.grad(lambda x: x[::-2, 1:3].sum())(x),
        onp.array([[0, 1, 1, 0], [0] * 4, [0, 1, 1, 0]]),
    )


def test_vmap_of_indexing() -> None:
    x = np.arange(12.0).reshape(3, 4)
    i = np.array([3, 0, 1])
    assert_close(
        vires.vmap(lambda row, i: row[i])(x, i), onp.asarray(x)[onp.arange(3), onp.asarray(i)]
    )
    assert_close(vires.vmap(lambda i: x[i], 0)(np.array([2, 0])), onp.asarray(x)[[2, 0]])
    assert_close(vires.vmap(lambda row, i: row.at[i].set(-1.0))(x, i)[0], onp.array([0, 1, 2, -1]))
    with pytest.raises(IndexError):
        vires.vmap(lambda row, i: row[i])(x, np.array([0, 1, 4]))


def test_iteration_and_length() -> None:
    x = np.arange(6).reshape(2, 3)
    rows = list(x)
    assert [r.tolist() for r in rows] == [[0, 1, 2], [3, 4, 5]] and len(x) == 2
    _, b = vires.jit(lambda x: tuple(x))(x)
    assert_close(b, onp.array([3, 4, 5]))
    with pytest.raises(TypeError, match="0-d"):
        iter(np.float32(1))
    assert 3 in x and 7 not in x
    assert [int(r[0]) for r in reversed(x)] == [3, 0]


def test_large_slices_share_memory_and_keep_values() -> None:
    x = np.arange(100_000.0)
    part = x[1000:50_000]
    del x
    assert_close(part, onp.arange(1000.0, 50_000.0, dtype=onp.float32))
    assert_close(part[10_000:].at[0].set(0.0)[:2], onp.array([0, 11001]))


def test_weak_type_and_dtype_are_kept() -> None:
    assert np.asarray(1.0)[None].weak_type
    assert np.ones(3, np.bfloat16)[1:].dtype == np.bfloat16
    assert np.arange(3, dtype=np.int8).at[0].set(5).dtype == np.int8
