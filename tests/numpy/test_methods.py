"""Methods, operators, text and protocols of arrays and tracers; promotion; scalar types."""

from __future__ import annotations

import operator
from typing import Any

import numpy as onp
import pytest
from compare import assert_close

import vires
import vires.numpy as np

X = onp.arange(12, dtype=onp.float32).reshape(3, 4)

METHODS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("sum", (0,), {}), ("mean", (), {"axis": 1}), ("max", (), {}), ("min", (0,),
    {"keepdims": True}), ("std", (1,), {}),
    ("var", (), {}), ("prod", (1,), {}), ("all", (), {}), ("any", (0,), {}), ("argmax", (1,), {}),
    ("argmin", (), {}),
    ("cumsum", (1,), {}), ("cumprod", (0,), {}), ("reshape", (4, 3), {}), ("reshape", ((2, -1),),
    {}), ("reshape", (-1,), {}),
    ("ravel", (), {}), ("flatten", (), {}), ("transpose", (), {}), ("transpose", (1, 0), {}),
    ("transpose", ((1, 0),), {}),
    ("swapaxes", (0, 1), {}), ("squeeze", (), {}), ("repeat", (2, 0), {}), ("take", (onp.array([0,
    2]),), {"axis": 1}),
    ("diagonal", (), {}), ("trace", (), {}), ("round", (1,), {}), ("clip", (2, 5), {}), ("conj", (),
    {}), ("copy", (), {}),
    ("astype", (onp.int32,), {}), ("sort", (), {}), ("argsort", (), {}), ("dot", (X.T.copy(),), {}),
    ("nonzero", (), {}),
    ("compress", (onp.array([True, False, True]),), {"axis": 0}), ("byteswap", (), {}), ("view",
    (onp.int32,), {}),
    ("view", (onp.uint8,), {}), ("view", (onp.float64,), {}), ("searchsorted", None, {}),
]  # fmt: skip


@pytest.mark.parametrize("name,args,options", METHODS, ids=lambda v: str(v)[:30])
def test_methods(name: str, args: Any, options: dict[str, Any]) -> None:
    if name == "searchsorted":
        assert_close(np.arange(5).searchsorted(np.array([2])), onp.array([2]))
        return
    expected = getattr(X, name)(*args, **options)
    expected = list(expected) if isinstance(expected, tuple) else expected
    if expected is None:
        return
    x = np.asarray(X)
    call = lambda x: getattr(x, name)(*args, **options)
    result = call(x)
    assert_close(list(result) if isinstance(result, tuple) else result, expected)
    if name not in ("nonzero",):
        assert_close(vires.jit(call)(x), expected)


def test_properties() -> None:
    z = np.asarray(X) + 1j
    assert_close(z.real, X)
    assert_close(z.imag, onp.ones((3, 4), onp.float32))
    assert_close(np.asarray(X).T, X.T)
    assert_close(np.ones((2, 3, 4)).mT.shape, (2, 4, 3), dtype=False)
    assert (
        z.ndim == 2
        and z.size == 12
        and z.nbytes == 96
        and z.itemsize == 8
        and z.dtype == onp.complex64
    )
    assert np.asarray(X).tobytes() == X.tobytes()
    assert np.float32(2.5).item() == 2.5 and np.arange(3).tolist() == [0, 1, 2]


OPERATORS = [operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv,
    operator.mod, operator.pow,
             operator.lt, operator.le, operator.eq, operator.ne, operator.gt, operator.ge,
             divmod]  # fmt: skip


@pytest.mark.parametrize("op", OPERATORS, ids=lambda f: f.__name__)
def test_operators(op: Any) -> None:
    a, b = X + 1, X[::-1] / 2 + 1
    for x, y in ((a, b), (a, 2), (2.0, b), (a, onp.float32(3)), (onp.float32(3), b)):
        expected = op(x, y)
        ours = [np.asarray(v) if isinstance(v, onp.ndarray) else v for v in (x, y)]
        result = op(*ours)
        compiled = vires.jit(lambda p, q: op(p, q))(*ours)
        for r in (result, compiled):
            assert_close(list(r) if isinstance(r, tuple) else r,
            list(expected) if isinstance(expected, tuple) else expected,
                         dtype=False, ulps=16)  # fmt: skip


def test_integer_operators() -> None:
    a, b = onp.array([1, 2, 255], onp.int32), onp.array([3, 1, 2], onp.int32)
    for op in (operator.and_, operator.or_, operator.xor, operator.lshift, operator.rshift):
        assert_close(op(np.asarray(a), np.asarray(b)), op(a, b))
        assert_close(vires.jit(op)(np.asarray(a), b), op(a, b))
        assert_close(op(np.asarray(a), 1), op(a, 1))
        assert_close(vires.jit(lambda x: op(7, x))(np.asarray(b)), op(7, b))
    for op in (operator.neg, operator.pos, operator.invert, operator.abs):
        assert_close(op(np.asarray(a)), op(a))
        assert_close(vires.jit(op)(np.asarray(a)), op(a))
    assert (np.asarray(a) == None) is False  # noqa: E711 - what `==` does with None


def test_numpy_operands_on_the_left() -> None:
    x = np.arange(3.0)
    for result in (
        onp.arange(3.0) + x,
        onp.float64(2) * x,
        onp.ones((3, 3)) @ x,
        onp.arange(3) < x,
    ):
        assert isinstance(result, vires.Array)
    result = vires.jit(lambda x: onp.arange(3, dtype=onp.float32) - x)(x)
    assert_close(result, onp.zeros(3, onp.float32))


def test_conversions() -> None:
    assert (
        float(np.float32(2)) == 2.0
        and int(np.int32(3)) == 3
        and bool(np.array(True))
        and complex(np.array(1j)) == 1j
    )
    assert [10, 20, 30][np.array(1)] == 20
    assert (
        round(np.float32(2.567), 1) == onp.float32(2.6)
        and round(np.float32(2.5)).dtype == onp.int32
    )
    assert f"{np.float32(1.5):.2f}" == "1.50"
    with pytest.raises(TypeError):
        hash(np.ones(3))
    with pytest.raises(ValueError):
        bool(np.ones(2))


TEXTS: list[tuple[str, str, str]] = [
    ("np.array([1., 2.])", "Array([1., 2.], dtype=float32)", "[1. 2.]"),
    ("np.array(1.)", "Array(1., dtype=float32, weak_type=True)", "1.0"),
    ("np.int32(3)", "Array(3, dtype=int32)", "3"),
    ("np.zeros((0, 3))", "Array([], shape=(0, 3), dtype=float32)", "[]"),
    ("np.zeros(0)", "Array([], shape=(0,), dtype=float32)", "[]"),
    ("np.arange(4).reshape(2, 2)", "Array([[0, 1],\n       [2, 3]], dtype=int32)",
    "[[0 1]\n [2 3]]"),
    ("np.array([True])", "Array([ True], dtype=bool)", "[ True]"),
    ("np.ones(2, np.bfloat16)", "Array([1, 1], dtype=bfloat16)", "[1 1]"),
    ("np.arange(2000)", "Array([   0,    1,    2, ..., 1997, 1998, 1999], dtype=int32)",
     "[   0    1    2 ... 1997 1998 1999]"),
    ("np.array(1 + 2j)", "Array(1.+2.j, dtype=complex64, weak_type=True)", "(1+2j)"),
]  # fmt: skip


@pytest.mark.parametrize("text,expected,short", TEXTS)
def test_text(text: str, expected: str, short: str) -> None:
    x = eval(text)
    assert (
        repr(x) == expected
        and str(x) == short
        and np.array_repr(x) == expected
        and np.array_str(x) == short
    )


def test_print_options() -> None:
    with np.printoptions(precision=2):
        assert str(np.array([1 / 3])) == "[0.33]"


def test_methods_of_tracers_under_grad() -> None:
    g = vires.grad(lambda x: (x.T @ x).trace() + x.sum() + x[0].max() + x.reshape(-1)[3])(
        np.asarray(X)
    )
    expected = 2 * X + 1
    expected[0, 3] += 2
    assert_close(g, expected)


def test_namespace_protocol() -> None:
    assert np.ones(2).__array_namespace__() is np
    assert isinstance(np.ones(2), np.ndarray) and isinstance(np.ones(2), vires.Array)


#: (left, right) -> result, weak results marked by *, from the promotion lattice that JAX documents.
PROMOTION = {
    ("bool", "int8"): "int8", ("int8", "uint8"): "int16", ("int32", "uint32"): "int64", ("int64",
    "uint64"): "float32*",
    ("int32", "float16"): "float16", ("int64", "float32"): "float32", ("float16",
    "bfloat16"): "float32",
    ("float32", "float64"): "float64", ("float32", "complex64"): "complex64", ("float64",
    "complex64"): "complex128",
    ("int32", "float"): "float32*", ("float16", "float"): "float16", ("float16", "int"): "float16",
    ("int8", "int"): "int8", ("uint8", "int"): "uint8", ("bool", "int"): "int32*", ("bool",
    "float"): "float32*",
    ("int32", "complex"): "complex64*", ("float64", "complex"): "complex128", ("int",
    "float"): "float32*",
    ("int", "int"): "int32*", ("float", "complex"): "complex64*", ("uint8", "int32"): "int32",
    ("int16", "uint16"): "int32",
    ("bfloat16", "float32"): "float32", ("bfloat16", "float"): "bfloat16", ("uint32",
    "float32"): "float32",
}  # fmt: skip


@pytest.mark.parametrize("pair", PROMOTION, ids=str)
def test_promotion(pair: tuple[str, str]) -> None:
    def value(name: str) -> Any:
        return {"int": 1, "float": 1.0, "complex": 1j}.get(name) or np.ones(2, name)

    for left, right in (pair, pair[::-1]):
        a, b = value(left), value(right)
        if not isinstance(a, vires.Array) and not isinstance(b, vires.Array):
            result = np.add(a, b)
        else:
            result = a + b
        assert f"{result.dtype.name}{'*' if result.weak_type else ''}" == PROMOTION[pair], (
            left,
            right,
        )
        compiled = vires.jit(lambda a, b: np.add(a, b))(a, b)
        assert f"{compiled.dtype.name}{'*' if compiled.weak_type else ''}" == PROMOTION[pair], (
            left,
            right,
        )


def test_functions_of_integers_give_floats() -> None:
    for dtype, expected in (("int8", "float32"), ("int32", "float32"), ("int64", "float64"),
        ("bool", "float32"),
                            ("float16", "float16"), ("bfloat16", "bfloat16")):  # fmt: skip
        assert np.sin(np.ones(2, dtype)).dtype.name == expected
        assert (np.ones(2, dtype) / np.ones(2, dtype)).dtype.name == expected
    assert np.sin(1).weak_type and not np.sin(np.int32(1)).weak_type


def test_scalar_types() -> None:
    assert (
        np.float32 == onp.float32
        and np.dtype(np.float32) == onp.dtype("float32")
        and np.int_ == np.int64
    )
    assert np.float32 != np.float64 and hash(np.float32) == hash(onp.float32)
    assert np.issubdtype(np.bfloat16, np.floating) and np.issubdtype(np.int8, np.integer)
    assert np.issubdtype(np.float32, np.inexact) and not np.issubdtype(np.int32, np.floating)
    assert np.issubdtype(np.int4, np.signedinteger) and np.issubdtype(
        np.complex64, np.complexfloating
    )
    assert np.finfo(np.bfloat16).bits == 16 and np.finfo(np.float32).max == onp.finfo("f4").max
    assert np.iinfo(np.int8).max == 127 and np.finfo(np.ones(2).dtype).eps == onp.finfo("f4").eps
    assert (
        np.result_type(np.ones(2), 1j) == onp.complex64
        and np.result_type(np.int32, np.float16) == onp.float16
    )
    assert (
        np.promote_types("int8", "uint8") == onp.int16
        and np.promote_types(np.int32, float) == onp.float32
    )
    assert np.can_cast(np.int8, np.int32) and not np.can_cast(np.float32, np.int32)
    assert np.isdtype(np.float32, "real floating") and not np.isdtype(
        np.int8, ("bool", "real floating")
    )
    assert isinstance(onp.float32(1), np.float32)
    assert str(np.float32) == "<class 'vires.numpy.float32'>" or "float32" in repr(np.float32)
    assert (
        np.pi == onp.pi
        and np.newaxis is None
        and onp.isnan(np.nan)
        and np.e == onp.e
        and np.inf == float("inf")
    )


def test_integers_that_do_not_fit() -> None:
    with pytest.raises(OverflowError, match="fits int8"):
        vires.jit(lambda x: x + 300)(np.ones(2, np.int8))
    with pytest.raises(OverflowError):
        np.ones(2, np.int8) + 300


def test_python_numbers_keep_their_digits_beside_float64() -> None:
    x = np.asarray(onp.array([0.0, 1.0, 2.0]))
    calls = [
        (lambda x: x * 0.1, [0.0, 0.1, 0.2]),
        (lambda x: np.clip(x, 0.1, 1.1), [0.1, 1.0, 1.1]),
        (lambda x: np.where(x > 0.5, 0.1, x), [0.0, 0.1, 0.1]),
        (lambda x: np.full_like(x, 0.1), [0.1, 0.1, 0.1]),
        (lambda x: x.at[1].set(0.1), [0.0, 0.1, 2.0]),
        (lambda x: x.at[np.array([0, 1])].add(0.1), [0.1, 1.1, 2.0]),
        (lambda x: np.pad(x[:1], (0, 2), constant_values=0.1), [0.0, 0.1, 0.1]),
        (lambda x: np.sum(x, initial=0.1)[None], [3.1]),
        (lambda x: np.quantile(x, 0.05)[None], [0.1]),
        (lambda x: np.percentile(x, 5)[None], [0.1]),
        (lambda x: np.full((1,), 0.1, np.float64), [0.1]),
    ]
    for call, expected in calls:
        for _ in range(3):  # the third eager call runs a plan
            onp.testing.assert_allclose(call(x), expected, rtol=1e-15)
        onp.testing.assert_allclose(vires.jit(call)(x), expected, rtol=1e-15)
