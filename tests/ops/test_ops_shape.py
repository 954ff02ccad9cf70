"""Operations that move and join elements, on every dtype, with empty and odd shapes."""

from __future__ import annotations

import numpy as np
import pytest

import vires
from vires import _native
from vires.core import dtypes
from vires.core.primitive import AxisData
from vires.ops import filled, join, parts, shape

EVERY = [d for d in dtypes.CODES if not dtypes.is_key(d)]


@pytest.fixture(autouse=True)
def reference_engine():
    with vires.config.override("engine", "reference"):
        yield


def array(x):
    return _native.from_numpy(np.asarray(x))


def value(x):
    return np.asarray(x._numpy())


@pytest.mark.parametrize("dtype", EVERY, ids=str)
def test_movement_is_numpys_on_every_dtype(dtype):
    x = (1 + np.arange(6) % 2).astype(dtype).reshape(2, 3)
    a = array(x)
    np.testing.assert_array_equal(value(shape.transpose(a, permutation=(1, 0))), x.T)
    np.testing.assert_array_equal(value(parts.rev(a, dimensions=(0,))), x[::-1])
    np.testing.assert_array_equal(
        value(shape.reshape(a, new_sizes=(3, 2), dimensions=None)), x.reshape(3, 2)
    )
    part = parts.slice(a, start_indices=(0, 1), limit_indices=(2, 3), strides=None)
    np.testing.assert_array_equal(value(part), x[:, 1:])
    np.testing.assert_array_equal(
        value(join.concatenate(a, a, dimension=1)), np.concatenate([x, x], 1)
    )
    padded = join.pad(a, array(np.ones((), dtype)), padding_config=((1, 0, 0), (0, 0, 0)))
    np.testing.assert_array_equal(value(padded), np.concatenate([np.ones((1, 3), dtype), x]))


def padded_slowly(x, fill, low, high, interior):
    """Padding of one axis, element by element."""
    spread = []
    for k, element in enumerate(x):
        spread += ([fill] * interior if k else []) + [element]
    spread = [fill] * low + spread if low >= 0 else spread[-low:]
    if high >= 0:
        return spread + [fill] * high
    return spread[:high]


@pytest.mark.parametrize("size", [0, 1, 4])
@pytest.mark.parametrize("interior", [0, 1, 3])
@pytest.mark.parametrize("low", [-4, -1, 0, 2])
@pytest.mark.parametrize("high", [-3, -1, 0, 2])
def test_pad_is_what_the_definition_says(size, interior, low, high):
    total = low + high + (size + (size - 1) * interior if size else 0)
    if total < 0:
        pytest.skip("a negative size")
    x = np.arange(1.0, size + 1)
    if low + (size + (size - 1) * interior if size else 0) < 0:
        pytest.skip("cut further than there is")
    out = join.pad.reference(x, np.float64(0), padding_config=((low, high, interior),))
    assert out.tolist() == padded_slowly(x.tolist(), 0.0, low, high, interior)


def test_reshape_groups_are_the_shortest():
    assert shape._groups((2, 3, 4), (6, 4)) == [([0, 1], [0]), ([2], [1])]
    assert shape._groups((6, 1, 4), (2, 3, 2, 2)) == [([0], [0, 1]), ([2], [2, 3])]
    assert shape._groups((1, 1), ()) == []
    assert shape._groups((4, 6), (6, 4)) == [([0, 1], [0, 1])]


def test_helpers():
    assert value(filled.full((2,), 3, dtypes.float32)).tolist() == [3, 3]
    assert filled.zeros(array(np.ones((2, 3), np.int8)).aval).dtype == np.int8
    assert filled.full_like(array(np.ones(2)), 0.5).shape == (2,)
    x = array(np.zeros((2, 3, 4)))
    assert shape.move_axis(x, 0, 2).shape == (3, 4, 2)
    assert shape.move_axis(x, 1, 1) is x
    assert shape.expand_dims(x, (0, 2)).shape == (1, 2, 1, 3, 4)
    assert shape.broadcast(x, (2, 3, 4), (0, 1, 2)) is x
    with pytest.raises(TypeError, match="full: needs"):
        filled.full((2,), 0, dtypes.KEY)


def test_align_brings_mapped_axes_together():
    axis = AxisData(None, 5)
    operands, dim = shape.align(
        axis, [array(np.zeros((3, 5))), array(np.zeros(3)), array(np.zeros((5, 3)))], [1, None, 0]
    )
    assert [x.shape for x in operands] == [(3, 5)] * 3 and dim == 1
    same = [array(np.zeros((5, 3)))] * 2
    assert shape.align(axis, same, [0, 0])[0] is same
    operands, dim = shape.align(axis, [array(np.zeros((3, 5))), array(np.zeros(()))], [1, None])
    assert dim == 0 and operands[1].shape == (5,)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda x: shape.reshape(x, new_sizes=(4,), dimensions=None),
            "reshape: needs a shape of 6 elements; got float64[2,3] to shape (4,); "
            "try -1 for one size that is to be computed, in vires.numpy.reshape",
        ),
        (
            lambda x: shape.transpose(x, permutation=(0, 0)),
            "transpose: needs a permutation of (0, 1); got (0, 0) for float64[2,3]",
        ),
        (
            lambda x: shape.broadcast_in_dim(x, shape=(2, 4), broadcast_dimensions=(0, 1)),
            "broadcast_in_dim: needs each axis of the operand to have size 1 or the size of its "
            "axis in the "
            "result; got float64[2,3] to shape (2, 4) with broadcast_dimensions (0, 1)",
        ),
        (
            lambda x: shape.squeeze(x, dimensions=(1,)),
            "squeeze: needs axes of size 1; got axes (1,) of float64[2,3]",
        ),
        (
            lambda x: parts.slice(x, start_indices=(0, 2), limit_indices=(2, 4), strides=None),
            "slice: needs 0 <= start <= limit <= size and stride > 0 for each axis; got "
            "start_indices (0, 2), "
            "limit_indices (2, 4), strides None for float64[2,3]",
        ),
        (
            lambda x: parts.rev(x, dimensions=(2,)),
            "rev: needs distinct axes from 0 to 1; got axes (2,) for float64[2,3]",
        ),
        (
            lambda x: parts.split(x, sizes=(1, 3), axis=0),
            "split: needs sizes that add up to 2; got (1, 3) for float64[2,3]",
        ),
        (
            lambda x: join.concatenate(x, array(np.zeros((2, 3, 1))), dimension=0),
            "concatenate: needs shapes that are equal but for axis 0; got float64[2,3] and "
            "float64[2,3,1]",
        ),
        (
            lambda x: join.pad(x, array(np.zeros(2)), padding_config=((0, 0, 0),) * 2),
            "pad: needs a 0-d padding value; got float64[2]",
        ),
        (
            lambda x: join.pad(x, array(np.zeros(())), padding_config=((-3, 0, 0), (0, 0, 0))),
            "pad: needs a result without negative sizes; got ((-3, 0, 0), (0, 0, 0)) for "
            "float64[2,3]",
        ),
    ],
)
def test_errors_say_what_is_needed(call, message):
    with pytest.raises((TypeError, ValueError)) as info:
        call(array(np.zeros((2, 3))))
    assert str(info.value) == message
