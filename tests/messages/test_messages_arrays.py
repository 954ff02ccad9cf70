"""Messages of elementwise operations, reductions, creation, and operations on shapes."""

# One call a line: the test compares the line of the exception.
# fmt: off
# ruff: noqa: E501
from __future__ import annotations

import numpy as onp
import pytest
from refusals import Case, a, check, ints, named

import vires
import vires.numpy as np
from vires import lax, random
from vires.errors import ViresTypeError

_NOT_BROADCAST = r"needs shapes that broadcast .*; got \(2, 3\) and \(4,\); try "

ELEMENTWISE = [
    Case(lambda x, y: x + y, (a(2, 3), a(4)), ValueError, "^add: " + _NOT_BROADCAST),
    Case(lambda x, y: x + y, (a(2, 3), a(4)), TypeError, "^add: " + _NOT_BROADCAST),
    Case(lambda x, y: np.maximum(x, y), (a(2, 3), a(4)), TypeError, "^maximum: " + _NOT_BROADCAST),
    Case(lambda x, y: np.arctan2(x, y), (a(2, 3), a(4)), ValueError, "^arctan2: " + _NOT_BROADCAST),
    Case(lambda c, x, y: np.where(c, x, y), (a(2, dtype=bool), a(3), a(4)), ValueError, r"^where: needs .* got \(2,\) and \(3,\) and \(4,\)"),
    Case(lambda x, y: lax.add(x, y), (a(3), ints(1, 2, 3)), ViresTypeError, r"^add: needs operands of one dtype; got float32\[3\] and int32\[3\]; try"),
    Case(lambda x, y: lax.mul(x, y), (a(3), a(2)), ViresTypeError, r"^mul: needs operands of one shape.*; got float32\[3\] and float32\[2\]"),
    Case(lambda x: lax.sin(x), (ints(1, 2, 3),), ViresTypeError, r"^sin: needs a float or complex dtype; got int32\[3\]; try x.astype\(float32\)"),
    Case(lambda x, y: np.bitwise_and(x, y), (a(3), ints(1, 2, 3)), TypeError, r"^and: needs a bool or integer dtype; got float32\[3\]"),
    Case(lambda x: ~x, (a(3),), TypeError, r"^not: needs a bool or integer dtype; got float32\[3\]"),
    Case(lambda x: x << 1, (a(3),), TypeError, r"^shift_left: needs an integer dtype"),
    Case(lambda x: np.floor(x), (a(3, dtype="complex64"),), TypeError, r"^floor: needs a float dtype; got complex64\[3\]"),
    Case(lambda x: np.mod(x, x), (a(3, dtype="complex64"),), TypeError, "^remainder: needs a real dtype; got complex64"),
    Case(lambda x: lax.lt(x, x), (a(3, dtype="complex64"),), TypeError, r"^lt: needs .*; got complex64\[3\]; try x.real"),
    Case(lambda x: lax.integer_pow(x, -1), (ints(1, 2, 3),), TypeError, r"^integer_pow: needs .* negative exponent; got int32\[3\]"),
    Case(lambda x: np.add(x, "a"), (a(3),), TypeError, "^add: needs an array or a number for x2; got str; try"),
    Case(lambda x: np.sin("a"), (a(3),), TypeError, "^sin: needs an array or a number for x; got str"),
    Case(lambda x: np.add(x, object()), (a(3),), TypeError, "^add: needs an array or a number for x2; got object"),
    Case(lambda x: np.sin(), (a(3),), TypeError, "^sin: needs 1 operands"),
    Case(lambda x: x + None, (a(3),), TypeError, "unsupported operand"),
    Case(lambda x: x @ "a", (a(3),), TypeError, "unsupported operand"),
    Case(lambda k: k + 1, (random.key(0),), TypeError, "random keys mixed with numbers; try vires.random.key_data"),
    Case(lambda k: np.sin(k), (random.key(0),), TypeError, r"needs numbers; got key<fry>\[\]"),
    Case(lambda x: x.astype("nonsense"), (a(3),), TypeError, "^dtype: needs a number or bool dtype; got 'nonsense'; try float32"),
    Case(lambda x: x.astype(object), (a(3),), TypeError, "^dtype: needs a number or bool dtype; got .*object"),
    Case(lambda x: lax.bitcast_convert_type(x, "int8x"), (a(3),), TypeError, "^dtype: needs .* got 'int8x'"),
    Case(lambda x: x.view("float64"), (a(3),), ValueError, r"^view: needs a last axis divisible by 2; got shape \(3,\)"),
    Case(lambda: vires.jit(lambda: np.arange(0, 2**40, 2**39, dtype="int32"))(), (), OverflowError, "^array: needs a value that fits int32; got 549755813888; try an array of a wider dtype"),
    Case(lambda x: x + 2**40, (ints(1, 2, 3),), OverflowError, "needs an integer that fits int32; got 1099511627776; try"),
]

REDUCTIONS = [
    Case(lambda x: np.sum(x, axis=2), (a(2, 3),), onp.exceptions.AxisError, r"^sum: needs an axis in \[-2, 2\); got axis 2 for an array of 2 dimensions"),
    Case(lambda x: x.sum(-3), (a(2, 3),), IndexError, r"^sum: needs an axis in \[-2, 2\); got axis -3"),
    Case(lambda x: np.sum(x, axis=(0, 0)), (a(2, 3),), ValueError, r"^sum: needs distinct axes; got \(0, 0\)"),
    Case(lambda x: np.sum(x, axis=1.5), (a(2, 3),), TypeError, "^sum: needs an integer for axis; got 1.5"),
    Case(lambda x: np.max(x), (a(0),), ValueError, r"^max: needs at least one element .* got shape \(0,\); try initial="),
    Case(lambda x: np.argmax(x), (a(0),), ValueError, "^argmax: needs at least one element"),
    Case(lambda x: np.argmin(x, axis=3), (a(2),), ValueError, r"^argmin: needs an axis in \[-1, 1\); got axis 3"),
    Case(lambda x: np.mean(x, where=a(5, dtype=bool)), (a(2),), ValueError, r"needs shapes that broadcast.*got \(2,\) and \(5,\)"),
    Case(lambda x: np.sum(x, out=x), (a(2),), NotImplementedError, "^sum: needs out=None"),
    Case(lambda x: lax.reduce_sum(x, axes=(3,)), (a(2),), ValueError, "^reduce_sum: needs an axis from -1 to 0; got 3"),
    Case(lambda x: lax.reduce_and(x, axes=(0,)), (a(2),), TypeError, r"^reduce_and: needs .*; got float32\[2\]"),
    Case(lambda x: np.cumsum(x, axis=2), (a(2, 3),), ValueError, "^cumsum: needs an axis"),
    Case(lambda x: lax.cumsum(x, axis=2), (a(2, 3),), ValueError, "^cumsum: needs an axis from -2 to 1; got 2"),
    Case(lambda x: np.median(x, axis=2), (a(2, 3),), ValueError, "^median: needs an axis"),
    Case(lambda x: np.quantile(x, 0.5, method="foo"), (a(2, 3),), ValueError, "^quantile: needs a method among linear, .*; got 'foo'"),
    Case(lambda x: np.var(x, axis=9), (a(2, 3),), ValueError, "^var: needs an axis"),
    Case(lambda x: vires.nn.softmax(x, axis=4), (a(2, 3),), ValueError, "^softmax: needs an axis"),
    Case(lambda k: np.sum(k), (random.split(random.key(0)),), TypeError, r"^reduce_sum: needs .*; got key<fry>\[2\]"),
]

SHAPES = [
    Case(lambda x: np.reshape(x, (4,)), (a(2, 3),), ValueError, r"^reshape: needs a shape of 6 elements; got float32\[2,3\] to shape \(4,\); try -1"),
    Case(lambda x: lax.reshape(x, (4,)), (a(2, 3),), TypeError, r"^reshape: needs a shape of 6 elements; got float32\[2,3\] to shape \(4,\)"),
    Case(lambda x: x.reshape(-1, -1), (a(2, 3),), ValueError, r"^reshape: needs at most one -1.*got shape \(-1, -1\)"),
    Case(lambda x: x.reshape(-1, 4), (a(2, 3),), ValueError, r"^reshape: needs .*got shape \(-1, 4\) for 6 elements"),
    Case(lambda x: x.reshape(-2, 3), (a(2, 3),), ValueError, r"^reshape: needs .*to shape \(-2, 3\)"),
    Case(lambda x: x.reshape(2.0, 3), (a(2, 3),), TypeError, r"^reshape: needs a shape, a tuple of integers; got \(2.0, 3\)"),
    Case(lambda x: np.transpose(x, (0, 0)), (a(2, 3),), ValueError, r"^transpose: needs each of 2 axes once; got \(0, 0\)"),
    Case(lambda x: x.transpose(0, 2), (a(2, 3),), ValueError, "^transpose: needs an axis"),
    Case(lambda x: np.swapaxes(x, 0, 2), (a(2, 3),), ValueError, "^swapaxes: needs an axis"),
    Case(lambda x: np.moveaxis(x, (0, 1), 0), (a(2, 3),), ValueError, "^moveaxis: needs as many distinct sources as destinations"),
    Case(lambda x: np.squeeze(x, 0), (a(2, 3),), ValueError, r"^squeeze: needs axes of size 1; got axis 0 of shape \(2, 3\)"),
    Case(lambda x: np.expand_dims(x, 5), (a(2, 3),), ValueError, "^expand_dims: needs an axis"),
    Case(lambda x: np.broadcast_to(x, (4, 3)), (a(2, 3),), ValueError, r"^broadcast_to: needs sizes that are equal or 1; got float32\[2,3\] to shape \(4, 3\)"),
    Case(lambda x: np.broadcast_to(x, (3,)), (a(2, 3),), ValueError, "^broadcast_to: needs"),
    Case(lambda x: lax.broadcast_in_dim(x, (2, 4), (0, 1)), (a(2, 3),), TypeError, r"^broadcast_in_dim: needs .* got float32\[2,3\] to shape \(2, 4\)"),
    Case(lambda x: np.flip(x, 3), (a(2, 3),), ValueError, "^flip: needs an axis"),
    Case(lambda x: np.roll(x, 1, 3), (a(2, 3),), ValueError, "^roll: needs an axis"),
    Case(lambda x: np.tile(x, -1), (a(3),), ValueError, "^tile: needs sizes >= 0; got the negative -1"),
    Case(lambda x: np.repeat(x, -1), (a(3),), ValueError, "^repeat: needs repeats >= 0; got -1"),
    Case(lambda x: np.repeat(x, np.array([1, 2])), (a(3),), ValueError, r"^repeat: needs 1 or 3 repeats; got shape \(2,\)"),
    Case(lambda x: lax.slice(x, (0,), (5,)), (a(3),), TypeError, r"^slice: needs 0 <= start <= limit <= size.*limit_indices \(5,\).*float32\[3\]"),
    Case(lambda x: lax.slice(x, (0, 0), (1, 1)), (a(3),), TypeError, "^slice: needs 1 start"),
    Case(lambda x: np.diag(x), (a(2, 2, 2),), ValueError, r"^diag: needs 1 or 2 axes; got shape \(2, 2, 2\)"),
    Case(lambda x: np.tril(x), (a(2),), ValueError, r"^tril: needs at least 2 axes; got shape \(2,\)"),
    Case(lambda x: np.split(x, 2), (a(3),), ValueError, "^split: needs a number of parts that divides size 3 of axis 0; got 2; try numpy.array_split"),
    Case(lambda x: np.meshgrid(x, x, indexing="zz"), (a(3),), ValueError, "^meshgrid: needs indexing 'xy' or 'ij'; got 'zz'"),
]

CREATION = [
    Case(lambda: np.ones((-1,)), (), ValueError, r"^ones: needs sizes >= 0; got the negative -1 in shape \(-1,\)"),
    Case(lambda: np.zeros((2, -3)), (), ValueError, r"^zeros: needs sizes >= 0; got the negative -3 in shape \(2, -3\)"),
    Case(lambda x: np.full((2, -3), x), (a(),), ValueError, "^full: needs sizes >= 0"),
    Case(lambda x: np.ones_like(x, shape=(-2,)), (a(),), ValueError, "^ones_like: needs sizes >= 0"),
    Case(lambda: np.empty(2.5), (), TypeError, "^empty: needs a shape, a tuple of integers; got 2.5"),
    Case(lambda: np.ones("ab"), (), TypeError, "^ones: needs a shape, a tuple of integers; got 'ab'"),
    Case(lambda: np.zeros(3, "foo"), (), TypeError, "^dtype: needs .*; got 'foo'"),
    Case(lambda: np.arange(0, 10, 0), (), ValueError, "^arange: needs a step other than 0"),
    Case(lambda: np.arange("a"), (), TypeError, "^arange: needs an array or a number"),
    Case(lambda: np.arange(10**12), (), OverflowError, "^arange: needs start, stop and step that fit int32; got 1000000000000; try dtype=numpy.int64"),
    Case(lambda: np.linspace(0, 10, -1), (), ValueError, "^linspace: needs num >= 0; got -1"),
    Case(lambda: np.eye(-1), (), ValueError, "^eye: needs sizes >= 0"),
    Case(lambda: np.eye(2.5), (), TypeError, "^eye: needs an integer for N; got 2.5"),
    Case(lambda: np.tri(2, -1), (), ValueError, "^tri: needs sizes >= 0"),
    Case(lambda: np.array([[1, 2], [3]]), (), ValueError, "^array: needs nested sequences of equal lengths; got"),
    Case(lambda x: np.array([x, [1, 2]]), (a(),), ValueError, r"^array: needs parts of one shape; got \(\), \(2,\)"),
    Case(lambda: np.array("abc"), (), TypeError, "^array: needs numbers, .*; got str"),
    Case(lambda: np.array(None), (), TypeError, "^array: needs numbers, .*; got NoneType"),
    Case(lambda: np.asarray({"a": 1}), (), TypeError, "^array: needs numbers, .*; got dict"),
    Case(lambda: np.array(object()), (), TypeError, "^array: needs numbers, .*; got object"),
]

JOINING = [
    Case(lambda x, y: np.concatenate([x, y]), (a(2, 3), a(2, 4)), ValueError, r"^concatenate: needs shapes that are equal but for axis 0; got \(2, 3\), \(2, 4\)"),
    Case(lambda x, y: np.concatenate([x, y]), (a(2, 3), a(2)), ValueError, "^concatenate: needs shapes"),
    Case(lambda x: np.concatenate([x, x], axis=2), (a(2, 3),), ValueError, "^concatenate: needs an axis"),
    Case(lambda: np.concatenate([]), (), ValueError, "^concatenate: needs at least one array"),
    Case(lambda x: np.concatenate([x, x]), (a(),), ValueError, "^concatenate: needs arrays of at least 1 axis; got a 0-d array; try numpy.stack"),
    Case(lambda x, y: np.stack([x, y]), (a(2, 3), a(2, 4)), ValueError, r"^stack: needs arrays of one shape; got \(2, 3\), \(2, 4\)"),
    Case(lambda x: np.stack([x, x], axis=4), (a(3),), ValueError, "^stack: needs an axis"),
    Case(lambda x, y: lax.concatenate([x, y], 0), (a(3), ints(1, 2, 3)), TypeError, r"^concatenate: needs operands of one dtype; got float32\[3\] and int32\[3\]"),
    Case(lambda x: lax.concatenate([x, x], 1), (a(3),), TypeError, "^concatenate: needs a dimension from 0 to 0; got 1"),
    Case(lambda x: lax.pad(x, 0.0, [(1, 1, 0)]), (a(3, 3),), ValueError, r"^pad: needs \(low, high, interior >= 0\) for each axis"),
    Case(lambda x, y: lax.pad(x, y, [(1, 1, 0)]), (a(3), a(dtype="int32")), TypeError, r"^pad: needs operands of one dtype; got float32\[3\] and int32\[\]"),
    Case(lambda x: np.pad(x, ((1, 1),) * 3), (a(3, 3),), ValueError, "^pad: needs pad_width as .* for each of 2 axes"),
    Case(lambda x: np.pad(x, 1, mode="foo"), (a(3, 3),), NotImplementedError, "^pad: needs a mode among constant, .*; got 'foo'"),
    Case(lambda x: np.pad(x, -1), (a(3, 3),), ValueError, "^pad: needs widths >= 0; got -1"),
]

ALL = ELEMENTWISE + REDUCTIONS + SHAPES + CREATION + JOINING


@pytest.mark.parametrize("case", ALL, ids=named(ALL))
def test_refused_with_advice(case: Case) -> None:
    check(case)
