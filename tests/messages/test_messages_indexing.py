"""Indices that an array does not have: IndexError at once and in compiled programs, or a mode."""

# One call a line: the test compares the line of the exception.
# fmt: off
# ruff: noqa: E501
from __future__ import annotations

import re

import numpy as onp
import pytest
from refusals import Case, a, check, ints, named, refusal

import vires
import vires.numpy as np
from vires import jit, lax, vmap


def outside(index: int, axis: int, size: int, operation: str = "getitem") -> str:
    method = "get" if operation == "getitem" else operation.removeprefix("at.")
    remedy = f"{operation}(..., mode=" if method == operation else f"x.at[index].{method}("
    return (
        f"{operation}: needs an index from {-size} to {size - 1} for axis {axis} of size {size}; "
        f"got {index}; try {remedy}"
    )


BOUNDS = [
    Case(lambda x: x[5], (a(3),), IndexError, re.escape(outside(5, 0, 3))),
    Case(lambda x: x[-4], (a(3),), IndexError, re.escape(outside(-4, 0, 3))),
    Case(lambda x: x[0, 7], (a(2, 3),), IndexError, re.escape(outside(7, 1, 3))),
    Case(lambda x: x[onp.array([0, 7])], (a(3),), IndexError, re.escape(outside(7, 0, 3))),
    Case(lambda x, i: x[i], (a(3), ints(0, 7)), IndexError, re.escape(outside(7, 0, 3))),
    Case(lambda x, i: x[:, i], (a(4, 3), ints(0, -7)), IndexError, re.escape(outside(-7, 1, 3))),
    Case(lambda x, i: x[i, i], (a(4, 3), ints(0, 3)), IndexError, re.escape(outside(3, 1, 3))),
    Case(lambda x, i: x[i].sum() + 1, (a(3), ints(9)), IndexError, re.escape(outside(9, 0, 3))),
    Case(lambda x, i: x[i], (a(0), ints(0)), IndexError, "^getitem: needs no index for axis 0 of size 0; got"),
    Case(lambda x: x.at[5].set(1), (a(3),), IndexError, re.escape(outside(5, 0, 3, "at.set"))),
    Case(lambda x, i: x.at[i].set(1), (a(3), ints(9)), IndexError, re.escape(outside(9, 0, 3, "at.set"))),
    Case(lambda x, i: x.at[i].add(1), (a(3), ints(1, 9)), IndexError, re.escape(outside(9, 0, 3, "at.add"))),
    Case(lambda x, i: x.at[i].get(), (a(3), ints(1, 9)), IndexError, re.escape(outside(9, 0, 3))),
    Case(lambda x, i: np.take(x, i), (a(3), ints(1, 9)), IndexError, re.escape(outside(9, 0, 3, "take"))),
    Case(lambda x, i: x.take(i, axis=1), (a(2, 3), ints(-9)), IndexError, re.escape(outside(-9, 1, 3, "take"))),
    Case(lambda x: np.take(x, 9), (a(3),), IndexError, re.escape(outside(9, 0, 3, "take"))),
    Case(lambda x, i: np.take_along_axis(x, i, 0), (a(3), ints(1, 9)), IndexError, re.escape(outside(9, 0, 3, "take_along_axis"))),
    Case(lambda x, i: np.put(x, i, 1., inplace=False), (a(3), ints(9)), IndexError, re.escape(outside(9, 0, 3, "put"))),
    Case(lambda x, i: np.put_along_axis(x, i, 1., 0, inplace=False), (a(3), ints(9)), IndexError, re.escape(outside(9, 0, 3, "put_along_axis"))),
]

FORMS = [
    Case(lambda x: x[0, 0], (a(3),), IndexError, "^getitem: needs at most 1 indices"),
    Case(lambda x: x[1.5], (a(3),), TypeError, "^getitem: needs integers, slices, None, ... or arrays as index; got float 1.5"),
    Case(lambda x: x["a"], (a(3),), TypeError, "^getitem: needs .*; got the string 'a'"),
    Case(lambda x: x[[0, 2]], (a(3),), TypeError, r"^getitem: needs .*; got list \[0, 2\]; try x\[numpy.array\(index\)\]"),
    Case(lambda x, i: x[i], (a(3), a(2)), TypeError, "^getitem: needs an index of integers or bools; got float32"),
    Case(lambda x: x[onp.ones(4, bool)], (a(3),), IndexError, r"^getitem: needs a boolean mask of shape \(3,\); got shape \(4,\)"),
    Case(lambda x: x[..., ...], (a(3),), IndexError, "^getitem: needs at most one ellipsis"),
    Case(lambda x: x[onp.zeros(2, int), onp.zeros(3, int)], (a(3, 3),), IndexError, r"^getitem: needs index arrays that broadcast together; got shapes \(2,\), \(3,\)"),
    Case(lambda x: x[::0], (a(3),), ValueError, "slice step"),
    Case(lambda x: x[:1.5], (a(3),), TypeError, "^getitem: needs integers in a slice"),
    Case(lambda x: x.__setitem__(0, 1), (a(3),), TypeError, r"arrays are immutable; instead of x\[i\] = y, write x = x.at\[i\].set\(y\)"),
    Case(lambda x: x.at[:2].set(a(3)), (a(3),), ValueError, r"^at.set: needs values that broadcast to the shape \(2,\) of x\[index\]; got shape \(3,\)"),
    Case(lambda x: x.at[0].get(mode="foo"), (a(3),), ValueError, "^mode: needs one of clip, fill, drop, wrap, .*; got 'foo'"),
    Case(lambda x: x.at[0].get(mode="wrap"), (a(0),), IndexError, r'^getitem: needs elements along axis 0 to count around with mode="wrap"; got shape \(0,\)'),
    Case(lambda x, i: x.at[i].set(1, mode="wrap"), (a(0), ints(1, 2)), IndexError, '^getitem: needs elements along axis 0 to count around with mode="wrap"'),
    Case(lambda x, i: np.take(x, i, axis=3), (a(3), ints(0)), ValueError, "^take: needs an axis"),
    Case(lambda x, i: np.take_along_axis(x, i, 0), (a(3, 3), ints(1, 2)), ValueError, "^take_along_axis: needs indices with 2 axes"),
    Case(lambda x: lax.dynamic_slice(x, (0,), (5,)), (a(3),), TypeError, r"^dynamic_slice: needs .*slice_sizes \(5,\) for float32\[3\]"),
    Case(lambda x: lax.dynamic_slice(x, (0, 0), (1,)), (a(3),), TypeError, "^dynamic_slice: needs 1 start indices.*got 2"),
    Case(lambda x: lax.dynamic_slice(x, (0.5,), (1,)), (a(3),), TypeError, "^dynamic_slice: needs integer start indices; got 0.5"),
    Case(lambda x, y: lax.dynamic_update_slice(x, y, (0,)), (a(3), a(4)), TypeError, r"^dynamic_update_slice: needs an update that fits.*got float32\[3\] and float32\[4\]"),
]

ALL = BOUNDS + FORMS


@pytest.mark.parametrize("case", ALL, ids=named(ALL))
def test_refused_with_advice(case: Case) -> None:
    check(case)


def test_modes_choose_otherwise():
    x, i = np.array([1.0, 2.0, 3.0]), np.array([0, 4])
    for f in (lambda g: g, jit):
        read = {m: f(lambda x, i, m=m: x.at[i].get(mode=m))(x, i) for m in ("clip", "fill", "wrap")}
        onp.testing.assert_array_equal(read["clip"], [1, 3])
        onp.testing.assert_array_equal(read["fill"], [1, onp.nan])
        onp.testing.assert_array_equal(read["wrap"], [1, 2])
        filled = f(lambda x, i: x.at[i].get(mode="fill", fill_value=-1))(x, i)
        onp.testing.assert_array_equal(filled, [1, -1])
        write = {m: f(lambda x, i, m=m: x.at[i].set(9.0, mode=m))(x, i) for m in ("clip", "drop", "fill", "wrap")}
        onp.testing.assert_array_equal(write["clip"], [9, 2, 9])
        onp.testing.assert_array_equal(write["drop"], [9, 2, 3])
        onp.testing.assert_array_equal(write["fill"], [9, 2, 3])
        onp.testing.assert_array_equal(write["wrap"], [9, 9, 3])
        taken = {m: f(lambda x, i, m=m: np.take(x, i, mode=m))(x, i) for m in ("clip", "fill", "wrap")}
        onp.testing.assert_array_equal(taken["clip"], [1, 3])
        onp.testing.assert_array_equal(taken["wrap"], [1, 2])


_X = np.arange(3.0)
_TRANSFORMED = {
    "vmap": vmap(lambda i: _X[i]),
    "jit of vmap": jit(vmap(lambda i: _X[i])),
    "grad": lambda i: vires.grad(lambda x: x[i].sum())(_X),
    "jit of grad": jit(lambda i: vires.grad(lambda x: x[i].sum())(_X)),
    "jvp": lambda i: vires.jvp(lambda x: x[i], (_X,), (_X,)),
    "scan": lambda i: lax.scan(lambda c, j: (c + _X[j], None), 0.0, i),
    "fori_loop": lambda i: lax.fori_loop(0, 2, lambda k, c: c + _X[i[k]], 0.0),
    "while_loop": lambda i: lax.while_loop(lambda c: c[0] < 2, lambda c: (c[0] + 1, c[1] + _X[i[c[0]]]), (0, 0.0)),
    "cond": jit(lambda i: lax.cond(i[0] > 0, lambda: _X[i[1]], lambda: 0.0)),
    "scatter in scan": jit(lambda i: lax.scan(lambda c, j: (c.at[j].add(1), None), _X, i)),
}


@pytest.mark.parametrize("name", _TRANSFORMED)
def test_run_time_indices_inside_transformations(name: str) -> None:
    error, _ = refusal(_TRANSFORMED[name], np.array([1, 5]))
    operation = "at.add" if name == "scatter in scan" else "getitem"
    assert isinstance(error, IndexError) and outside(5, 0, 3, operation) in str(error), error
    _TRANSFORMED[name](np.array([1, 2]))


def test_branch_that_is_not_taken_does_not_raise():
    x = np.arange(3.0)
    pick = jit(lambda i: lax.cond(i < 3, lambda i: x[i], lambda i: -1.0, i))
    assert float(pick(2)) == 2.0
    assert float(pick(7)) == -1.0


def test_message_of_compiled_program_says_what_to_try():
    error, _ = refusal(jit(lambda x, i: x[i]), a(3), ints(9))
    assert "try x.at[index].get(mode=" in str(error)


def test_program_works_after_an_index_error():
    f = jit(lambda x, i: x[i] * 2)
    refusal(f, a(3), ints(9))
    onp.testing.assert_array_equal(f(a(3), ints(2)), [2.0])
