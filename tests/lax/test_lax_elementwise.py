"""What the functions of vires.lax accept beside arrays of one type, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest

import vires
from vires import lax
from vires.core import dtypes


@pytest.fixture(autouse=True)
def reference_engine():
    with vires.config.override("engine", "reference"):
        yield


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", dtypes.bfloat16, "c8"], ids=str)
def test_python_scalars_take_the_dtype_of_arrays(dtype):
    x = np.ones(3, dtype)
    for out in (lax.mul(x, 2.5), lax.mul(2.5, x), lax.mul(x, 2), lax.add(True, x)):
        assert out.dtype == np.dtype(dtype) and out.shape == (3,)
    assert lax.mul(x, 2.5).tolist() == [2.5] * 3
    assert lax.lt(np.float32([1, 3]), 2).tolist() == [True, False]


def test_numpy_scalars_do_so_too():
    x = np.ones(3, np.float32)
    assert lax.mul(x, np.float64(2.5)).dtype == np.float32
    assert lax.mul(x, np.int64(2)).dtype == np.float32


def test_scalars_never_lose_their_kind():
    with pytest.raises(TypeError, match="add: needs operands of one dtype"):
        lax.add(np.arange(3), 2.5)
    with pytest.raises(OverflowError):
        lax.add(np.ones(3, np.int8), 300)


def test_python_scalars_alone_stay_weak():
    out = lax.add(1, 2.5)
    assert out.item() == 3.5 and out.aval.weak_type and out.dtype == np.float32
    assert lax.add(1, 2).dtype == np.int32
    assert not lax.bitwise_and(True, False).item()


def test_axes_of_size_one_are_repeated_and_ranks_are_not():
    assert lax.add(np.ones((3, 1)), np.ones((1, 2))).shape == (3, 2)
    assert lax.add(np.ones((3, 2)), np.ones(())).shape == (3, 2)
    with pytest.raises(
        TypeError, match=r"add: needs operands of one rank, or 0-d ones; got float64\[3,2\]"
    ):
        lax.add(np.ones((3, 2)), np.ones(2))
    with pytest.raises(TypeError, match="add: needs operands of one shape, or with axes of size 1"):
        lax.add(np.ones(3), np.ones(2))


def test_lists_are_refused():
    with pytest.raises(TypeError, match="operand: needs an array or a number; got list"):
        lax.add([1, 2], 3)


def test_clamp_takes_scalar_bounds():
    assert lax.clamp(0, np.float32([-1, 0.5, 2]), 1.0).tolist() == [0, 0.5, 1]
    assert lax.clamp(np.float32([0, 1]), np.float32([-1, 5]), 4).tolist() == [0, 4]


def test_pow_takes_integer_exponents():
    assert lax.pow(np.float32([2, -3]), 3).tolist() == [8, -27]
    assert lax.pow(2.0, 3).item() == 8
    assert lax.pow(np.float32([2, 4]), 0.5).tolist() == [np.float32(2**0.5), 2]


def test_conj_of_reals_is_complex():
    assert lax.conj(np.float32(1)).dtype == np.complex64


def test_select():
    mask = np.array([True, False])
    assert lax.select(mask, np.array([1, 2]), np.array([3, 4])).tolist() == [1, 4]
    assert lax.select(True, np.array([1, 2]), np.array([3, 4])).tolist() == [1, 2]
    assert lax.select_n(np.int32([2, 0]), *np.arange(6).reshape(3, 2)).tolist() == [4, 1]


def test_conversions():
    assert lax.convert_element_type(1, "bfloat16").dtype == dtypes.bfloat16
    assert lax.convert_element_type(np.float32(2.9), int).item() == 2
    x = vires.jit(lambda x: x)(np.float32(1))
    assert lax.convert_element_type(x, np.float32) is x


def test_functions_under_transformations():
    x = np.float32([0.5, 2.0])
    slope = vires.vmap(vires.grad(lambda x: lax.mul(lax.sin(x), 2.0)))(x)
    np.testing.assert_allclose(np.asarray(slope), 2 * np.cos(x), rtol=1e-6)
    mapped = vires.vmap(lax.add, in_axes=(0, None))(np.ones((2, 3)), np.arange(3.0))
    assert mapped.shape == (2, 3)
    jaxpr = vires.make_jaxpr(lambda x: lax.add(x, 1.0))(x)
    assert [eqn.primitive.name for eqn in jaxpr.eqns] == ["broadcast_in_dim", "add"]


def test_primitives_have_the_names_that_libraries_look_for():
    assert lax.add_p.name == "add"
    assert lax.broadcast_in_dim_p.name == "broadcast_in_dim"
    with pytest.raises(AttributeError, match="has no attribute 'nothing_p'"):
        lax.nothing_p  # noqa: B018 - the access is the test


def test_platform_dependent_calls_the_cpu_function():
    assert lax.platform_dependent(1, default=lambda x: x, cuda=lambda x: -x) == 1
    with pytest.raises(
        ValueError, match="platform_dependent: needs a function for cpu, or a default; got cuda"
    ):
        lax.platform_dependent(1, cuda=lambda x: -x)
