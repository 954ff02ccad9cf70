"""Shapes, axes, joining, cutting and padding against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as onp
import pytest
from compare import assert_close, check

import vires
import vires.numpy as np

X = onp.arange(24, dtype=onp.float32).reshape(2, 3, 4)

CALLS: list[tuple[Any, ...]] = [
    ("reshape", X, (4, 6)), ("reshape", X, (-1, 2)), ("reshape", X, -1), ("reshape", X, (4, -1),
    "F"),
    ("reshape", X[:0], (0, 5)), ("reshape", onp.float32(3), (1, 1)), ("ravel", X), ("ravel", X,
    "F"), ("transpose", X),
    ("transpose", X, (1, 0, 2)), ("transpose", X, (-1, 0, 1)), ("swapaxes", X, 0, -1), ("moveaxis",
    X, 0, -1),
    ("moveaxis", X, (0, 1), (-1, -2)), ("rollaxis", X, 2), ("rollaxis", X, 0, 3), ("squeeze",
    X[:1]),
    ("squeeze", X[:1, :, :1], 0), ("squeeze", X[:1, :, :1], (0, 2)), ("expand_dims", X, 0),
    ("expand_dims", X, (0, -1)),
    ("matrix_transpose", X), ("permute_dims", X, (2, 0, 1)), ("broadcast_to", X[0], (5, 3, 4)),
    ("broadcast_to", onp.float32(1), (2, 0)), ("atleast_1d", onp.float32(1)), ("atleast_2d", X[0,
    0]),
    ("atleast_3d", X[0, 0]), ("atleast_3d", X[0]), ("flip", X), ("flip", X, 1), ("flip", X, (0, 2)),
    ("fliplr", X),
    ("flipud", X), ("rot90", X), ("rot90", X, 2), ("rot90", X, 3, (1, 2)), ("rot90", X, -1),
    ("roll", X, 1),
    ("roll", X, 5, 1), ("roll", X, (1, -1), (0, 2)), ("roll", X, 2, (0, 1)), ("resize", X, (5, 7)),
    ("resize", X, (2, 2)),
    ("tile", X, 2), ("tile", X, (2, 1)), ("tile", X[0, 0], (2, 2)), ("tile", X, (1, 2, 1, 3)),
    ("tile", X, ()),
    ("repeat", X, 2), ("repeat", X, 2, 1), ("repeat", X, 0, 2), ("split", X, 2, 2), ("split", X, [1,
    3], 2),
    ("array_split", X, 3, 2), ("array_split", X, [5, 1], 1), ("hsplit", X, 3), ("vsplit", X, 2),
    ("dsplit", X, 2),
    ("hsplit", X[0, 0], 2), ("unstack", X), ("delete", X, 1, 1), ("delete", X, slice(0, 2), 2),
    ("delete", X, [0, -1], 2),
    ("delete", X, 5), ("append", X, X[:1], 0), ("append", X, X), ("insert", X[0, 0], 1, 9),
    ("insert", X[0], 1, 9, 1),
    ("insert", X[0, 0], [1, 3], [8, 9]), ("insert", X[0], 0, X[0, :, 0], 1), ("insert", X[0, 0], [1,
    1], [8, 9]),
    ("insert", X[0], 3, 5, 0), ("insert", X[0, 0], -1, 5), ("diff", X), ("diff", X, 2, 1), ("diff",
    X, 1, 0),
    ("ediff1d", X), ("trim_zeros", onp.array([0, 0, 1, 2, 0])), ("diff", X > 5), ("diff", X, 3, 1),
]  # fmt: skip


@pytest.mark.parametrize("call", CALLS, ids=lambda c: f"{c[0]}-{str(c[2:])[:40]}")
def test_shape_functions(call: tuple[Any, ...]) -> None:
    name, x, *args = call
    if name == "permute_dims":
        check(name, x, *args, reference=onp.transpose)
        return
    static = name in ("trim_zeros",)
    ours = getattr(np, name)
    expected = getattr(onp, name)(x, *args)
    expected = list(expected) if isinstance(expected, (list, tuple)) else expected
    array = np.asarray(x)
    lists = [np.asarray(onp.asarray(a, onp.float32)) if name == "insert" and isinstance(a,
        list) and i == 1 else a
             for i, a in enumerate(args)]  # fmt: skip
    assert_close(_list(ours(array, *lists)), expected)
    if not static:
        assert_close(_list(vires.jit(lambda x: ours(x, *lists))(array)), expected)


def _list(x: Any) -> Any:
    return list(x) if isinstance(x, (list, tuple)) else x


JOINS: list[tuple[Any, ...]] = [
    ("concatenate", [X, X]), ("concatenate", [X, X[:, :1]], 1), ("concatenate", [X, X], None),
    ("stack", [X, X]),
    ("stack", [X, X], -1), ("vstack", [X[0, 0], X[0]]), ("hstack", [X, X]), ("hstack", [X[0, 0],
    X[0, 1]]),
    ("dstack", [X[0], X[0]]), ("column_stack", [X[0, :, 0], X[0]]), ("concatenate", [X[:0], X]),
    ("block", [[X, X], [X, X]]),
    ("block", [X[0, 0], X[0, 1]]), ("hstack", [X[0, 0, 0], X[0, 0, 1]]), ("concatenate", [X,
    X.astype(onp.int8)]),
    ("concatenate", [X.astype(onp.int8) > 0, X.astype(onp.int8)]), ("broadcast_arrays", X[0], X[:,
    :1]),
]  # fmt: skip


@pytest.mark.parametrize("call", JOINS, ids=lambda c: c[0])
def test_joining(call: tuple[Any, ...]) -> None:
    name, *args = call
    check(name, *args)


def test_concatenate_dtype_and_errors() -> None:
    assert np.concatenate([np.arange(2), np.ones(2)], dtype=np.float64).dtype == onp.float64
    for text, error, message in (
        ("np.concatenate([])", ValueError, "at least one"),
        ("np.concatenate([np.ones(3), np.ones((3, 3))])", ValueError, "equal but for axis 0"),
        ("np.concatenate([np.ones((2, 3)), np.ones((2, 4))])", TypeError, r"\(2, 3\), \(2, 4\)"),
        ("np.concatenate([np.float32(1)])", ValueError, "0-d array; try numpy.stack"),
        ("np.concatenate(3)", TypeError, "sequence of arrays"),
        ("np.concatenate([[1, 2]])", TypeError, r"for arrays\[0\]; got list"),
        ("np.stack([np.ones(2), np.ones(3)])", ValueError, "one shape"),
        ("np.stack([])", ValueError, "at least one"),
        ("np.reshape(np.ones(6), (4, 2))", ValueError, r"float32\[6\] to shape \(4, 2\)"),
        ("np.ones(6).reshape(4, -1)", ValueError, "-1"),
        ("np.ones(6).reshape(-1, -1)", ValueError, "at most one -1"),
        ("np.squeeze(np.ones((2, 1)), 0)", ValueError, "axis 0 of shape"),
        ("np.transpose(np.ones((2, 1)), (0, 0))", ValueError, "each of 2 axes once"),
        ("np.expand_dims(np.ones(2), 5)", ValueError, "axis 5"),
        ("np.swapaxes(np.ones(2), 0, 1)", ValueError, "axis 1"),
        ("np.broadcast_to(np.ones(3), (2,))", ValueError, r"float32\[3\] to shape \(2,\)"),
        ("np.split(np.ones(5), 2)", ValueError, "array_split"),
        (
            "np.ones(3) + np.ones(4)",
            ValueError,
            r"add: needs shapes that broadcast.*\(3,\) and \(4,\)",
        ),
        ("np.ones(3) + np.ones(4)", TypeError, "add"),
        (
            "np.sin([1, 2])",
            TypeError,
            "sin: needs an array or a number for x.*got list; try numpy.asarray",
        ),
        ("np.add(None, 1)", TypeError, "add: .* for x1; got NoneType"),
        ("np.add(1, 'a')", TypeError, "add: .* for x2; got str"),
        ("np.ones(3) + [1, 2, 3]", TypeError, "unsupported operand|needs an array"),
        ("np.add(1)", TypeError, "add: needs 2 operands"),
        ("np.add(1, 2, out=np.ones(()))", NotImplementedError, "immutable"),
        ("np.sum([1, 2])", TypeError, "sum: .* got list"),
        ("np.repeat(np.ones(3), np.array([1, 2]))", ValueError, "1 or 3 repeats"),
        ("np.tile(np.ones(3), 'a')", TypeError, "tile: needs a shape"),
    ):
        with pytest.raises(error, match=message):
            eval(text)


def test_repeat_variants() -> None:
    x = onp.arange(6).reshape(2, 3)
    check("repeat", x, [1, 0, 2], 1, jit=False)
    traced = vires.jit(lambda x, r: np.repeat(x, r, axis=1, total_repeat_length=4))(
        np.asarray(x), np.array([1, 0, 2])
    )
    assert_close(traced, onp.array([[0, 2, 2, 2], [3, 5, 5, 5]]))
    assert_close(
        np.repeat(np.arange(3), np.array([1, 1, 1]), total_repeat_length=5),
        onp.array([0, 1, 2, 2, 2]),
    )
    with pytest.raises(vires.errors.ConcretizationTypeError, match="total_repeat_length"):
        vires.jit(lambda x, r: np.repeat(x, r))(np.arange(3), np.array([1, 0, 2]))


def test_traced_roll_delete_insert() -> None:
    x = np.arange(6)
    assert_close(vires.jit(np.roll)(x, 2), onp.roll(onp.arange(6), 2))
    assert_close(vires.jit(lambda x, s: np.roll(x.reshape(2, 3), s, axis=(0, 1)))(x, np.array([1,
    -1])),
                 onp.roll(onp.arange(6).reshape(2, 3), (1, -1), (0, 1)))  # fmt: skip
    assert_close(vires.jit(np.delete)(x, 2), onp.delete(onp.arange(6), 2))
    assert_close(vires.jit(lambda x, i: np.insert(x, i, 9))(x, 3), onp.insert(onp.arange(6), 3, 9))


PADS: list[tuple[Any, str, dict[str, Any]]] = [
    (1, "constant", {}), ((1, 2), "constant", {"constant_values": 5}), (((0, 1), (2, 0), (1, 1)),
    "constant", {}),
    (((0, 1), (2, 0), (1, 1)), "constant", {"constant_values": ((1, 2), (3, 4), (5, 6))}), ((1, 2),
    "edge", {}),
    ((1, 2), "reflect", {}), ((4, 5), "reflect", {}), ((1, 2), "symmetric", {}), ((5, 4),
    "symmetric", {}),
    ((1, 2), "wrap", {}), ((5, 9), "wrap", {}), ((2, 3), "linear_ramp", {"end_values": 10}), ((1,
    2), "maximum", {}),
    ((1, 2), "minimum", {}), ((1, 2), "mean", {}), ((1, 2), "mean", {"stat_length": 2}), ((1, 2),
    "median", {}),
    ((3, 2), "reflect", {"reflect_type": "odd"}), ((3, 2), "symmetric", {"reflect_type": "odd"}),
    (0, "edge", {}),
]  # fmt: skip


@pytest.mark.parametrize("width,mode,options", PADS)
def test_pad(width: Any, mode: str, options: dict[str, Any]) -> None:
    check("pad", X, width, mode, **options, scale=32)
    check("pad", X.astype(onp.int32), width, mode, **options)


def test_pad_errors_and_special_forms() -> None:
    assert_close(np.pad(np.ones(2), {0: (1, 0)}), onp.array([0, 1, 1]), dtype=False)
    with pytest.raises(ValueError, match="widths >= 0"):
        np.pad(np.ones(2), -1)
    with pytest.raises(TypeError, match="integer widths"):
        np.pad(np.ones(2), 1.5)
    with pytest.raises(NotImplementedError, match="mode among"):
        np.pad(np.ones(2), 1, "nothing")
    with pytest.raises(
        ValueError, match="needs no other argument with mode 'edge'; got end_values"
    ):
        np.pad(np.ones(2), 1, "edge", end_values=3)
    assert_close(vires.grad(lambda x: (np.pad(x, 2, "reflect") * np.arange(7.0)).sum())(np.ones(3)),
                 onp.array([6, 10, 5]) if False else vires.grad(lambda x: (np.asarray([x[2], x[1],
                 x[0], x[1], x[2], x[1], x[0]]) * np.arange(7.0)).sum())(np.ones(3)))  # fmt: skip


def test_shape_queries() -> None:
    x = np.asarray(X)
    assert np.shape(x) == (2, 3, 4) and np.ndim(x) == 3 and np.size(x) == 24 and np.size(x, 1) == 3
    assert (
        np.shape(2.0) == ()
        and np.broadcast_shapes((2, 1), (3,)) == (2, 3)
        and np.broadcast_shapes() == ()
    )
    assert (
        np.iscomplexobj(1j)
        and not np.iscomplexobj(x)
        and np.isrealobj(x)
        and np.isscalar(3)
        and np.isscalar(x[0, 0, 0])
    )


def test_rank_promotion_option() -> None:
    with (
        vires.numpy_rank_promotion("raise"),
        pytest.raises(ValueError, match="numpy_rank_promotion"),
    ):
        np.ones((2, 3)) + np.ones(3) * np.ones((2, 1))
    with (
        vires.numpy_rank_promotion("warn"),
        pytest.warns(UserWarning, match="numpy_rank_promotion"),
    ):
        vires.jit(lambda x: x + np.ones(3))(np.ones((2, 3)))
