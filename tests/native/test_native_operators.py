"""Operators of arrays call what was registered, with both orders of operands."""

from __future__ import annotations

import operator
from collections.abc import Iterator

import numpy as np
import pytest

from vires import _native

BINARY = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "truediv": operator.truediv,
    "floordiv": operator.floordiv, "mod": operator.mod, "divmod": divmod, "pow": operator.pow,
    "matmul": operator.matmul, "lshift": operator.lshift, "rshift": operator.rshift,
    "and": operator.and_, "or": operator.or_, "xor": operator.xor,
}  # fmt: skip
UNARY = {"neg": operator.neg, "pos": operator.pos, "abs": abs, "invert": operator.invert}
COMPARE = {
    "lt": operator.lt, "le": operator.le, "eq": operator.eq, "ne": operator.ne,
    "gt": operator.gt, "ge": operator.ge,
}  # fmt: skip
MIRRORED = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le", "eq": "eq", "ne": "ne"}


class Operand:
    """Stands for a tracer."""


_native.register_operand_type(Operand)


@pytest.fixture(autouse=True)
def recorded() -> Iterator[None]:
    def record(name: str):
        return lambda *operands: (name, *operands)

    names = [*BINARY, *UNARY, *COMPARE, "getitem", "iter"]
    before = _native.set_operators({name: record(name) for name in names})
    yield
    _native.set_operators(before)


def array() -> object:
    return _native.from_numpy(np.arange(3, dtype=np.float32))


OTHERS = [1, 1.5, 1j, True, np.float32(2), np.int64(3), np.float64(1.0), np.arange(3), Operand()]


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("other", OTHERS, ids=lambda o: type(o).__name__)
def test_binary(name: str, other: object) -> None:
    x = array()
    got = BINARY[name](x, other)
    assert got[0] == name
    assert got[1] is x
    assert got[2] is other
    got = BINARY[name](other, x)
    assert got[0] == name
    assert got[2] is x
    assert np.array_equal(got[1], other) or got[1] is other


@pytest.mark.parametrize("name", COMPARE)
@pytest.mark.parametrize(
    "other", [1, 1.5, np.float32(2), np.arange(3), Operand()], ids=lambda o: type(o).__name__
)
def test_comparisons(name: str, other: object) -> None:
    x = array()
    assert COMPARE[name](x, other)[0] == name
    got = COMPARE[name](other, x)
    assert got[0] == MIRRORED[name]
    assert got[1] is x


@pytest.mark.parametrize("name", UNARY)
def test_unary(name: str) -> None:
    x = array()
    assert UNARY[name](x) == (name, x)


@pytest.mark.parametrize("name", sorted(set(BINARY) - {"mod"}))
@pytest.mark.parametrize("other", [[1, 2, 3], "a", None, {}, (1.0,)], ids=str)
def test_operands_that_are_refused(name: str, other: object) -> None:
    with pytest.raises(TypeError, match=r"unsupported operand|index: needs"):
        BINARY[name](array(), other)
    with pytest.raises(TypeError):
        BINARY[name](other, array())


def test_equality_with_strangers() -> None:
    x = array()
    assert (x == "a") is False
    assert (x == None) is False  # noqa: E711 - the comparison itself is under test
    assert (x != [0]) is True
    with pytest.raises(TypeError):
        x < "a"  # noqa: B015 - raises


def test_pow_with_modulus() -> None:
    with pytest.raises(TypeError, match="needs two arguments"):
        pow(array(), 2, 3)


def test_subscripts_and_iteration() -> None:
    x, zero = array(), _native.from_numpy(np.float32(1))
    for index in (3, -4, [1], (0, [1]), np.int64(0), x, True, "a", (..., ...), (0, 0), 2**70):
        assert x[index] == ("getitem", x, index)
    assert zero.__iter__() == ("iter", zero)
    _native.set_tracing(True)
    assert x[1:2, ...] == ("getitem", x, (slice(1, 2), ...))
    assert x.__iter__() == ("iter", x)


def test_assignment_advises() -> None:
    x = array()
    with pytest.raises(
        TypeError, match=r"arrays are immutable; instead of x\[i\] = y, write x = x.at"
    ):
        x[0] = 1
    before = _native.set_operators({"getitem": lambda x, i: 1.0})
    with pytest.raises(TypeError, match=r"instead of x\[i\] \+= y, x = x.at\[i\].add\(y\)"):
        x[0] += 1
    _native.set_operators(before)
    with pytest.raises(TypeError, match="item deletion"):
        del x[0]


def test_errors_pass_through() -> None:
    def fail(*operands: object) -> None:
        raise KeyError("from the callable")

    _native.set_operators({"add": fail})
    with pytest.raises(KeyError, match="from the callable"):
        array() + 1
    _native.set_operators({"add": None})
    with pytest.raises(TypeError, match="no callable is registered for the operator add"):
        array() + 1
    with pytest.raises(ValueError, match="needs operator names with callables"):
        _native.set_operators({"plus": fail})
