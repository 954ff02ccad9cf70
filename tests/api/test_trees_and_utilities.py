"""Trees, vectors of trees, segments, errors, checks of derivatives, the machine."""

from __future__ import annotations

import collections
import dataclasses

import numpy as onp
import pytest

import vires
import vires.numpy as np
from vires import errors, ops, tree, tree_util
from vires.flatten_util import ravel_pytree
from vires.test_util import check_grads, check_jvp, check_vjp

# --- trees


def test_reduce_associative_keeps_the_order_and_nests_little():
    for n in range(1, 12):
        text = [chr(97 + i) for i in range(n)]
        assert tree.reduce_associative(lambda x, y: x + y, text) == "".join(text)
    depth = lambda x, y: max(x, y) + 1
    assert tree.reduce_associative(depth, [0] * 16) == 4
    assert tree.reduce_associative(depth, [], identity=7) == 7
    with pytest.raises(TypeError, match="needs leaves, or an identity"):
        tree.reduce_associative(depth, {})


def test_broadcast():
    assert tree.broadcast((1, 2, 3), (0, {"a": 0, "b": 0}, (0, 0))) == (
        1, {"a": 2, "b": 2}, (3, 3),
    )  # fmt: skip
    assert tree_util.tree_broadcast(5, [None, 1, [2]]) == [None, 5, [5]]
    with pytest.raises(ValueError, match="tree_broadcast: needs a prefix of the tree"):
        tree.broadcast((1, 2), (0, 0, 0))


Point = collections.namedtuple("Point", "x y")


def test_one_level():
    assert tree_util.flatten_one_level({"b": [1], "a": 2}) == ([2, [1]], ["a", "b"])
    keys = lambda t: [str(k) for k, _ in tree_util.flatten_one_level_with_keys(t)[0]]
    assert keys({"b": [1], "a": None}) == ["['a']", "['b']"]
    assert keys([1, None]) == ["[0]", "[1]"]
    assert keys(Point(1, [2])) == [".x", ".y"]
    with pytest.raises(ValueError, match="needs a container; got a leaf, int"):
        tree_util.flatten_one_level(1)
    assert tree_util.is_tree_node(dict) and tree_util.is_tree_node(Point)
    assert not tree_util.is_tree_node(int)
    assert tree_util.all_leaves([1, 2.0]) and not tree_util.all_leaves([{"a": 1}])
    assert tree_util.all_leaves([{"a": 1}], is_leaf=lambda x: isinstance(x, dict))


def test_static_fields():
    @tree_util.register_dataclass
    @dataclasses.dataclass
    class Layer:
        weight: object
        name: str = tree.static(default="dense")

    leaves, structure = tree.flatten(Layer(1.0))
    assert leaves == [1.0]
    assert tree.unflatten(structure, [2.0]) == Layer(2.0, "dense")
    assert structure != tree.structure(Layer(1.0, "other"))


# --- vectors of trees


def test_ravel_pytree():
    value = {"a": onp.float32([[1, 2]]), "b": (onp.int32(3), onp.float16(4)), "c": np.zeros((0, 2))}
    flat, unravel = ravel_pytree(value)
    assert flat.dtype == onp.float32
    assert flat.tolist() == [1, 2, 3, 4]
    back = unravel(flat)
    for x, y in zip(tree.leaves(back), tree.leaves(value), strict=True):
        assert x.shape == onp.shape(y) and x.dtype == y.dtype
        onp.testing.assert_array_equal(x, y)
    slope = vires.jit(vires.grad(lambda v: (unravel(v)["a"] ** 2).sum()))(flat)
    assert slope.tolist() == [2, 4, 0, 0]
    empty, unravel_empty = ravel_pytree({})
    assert empty.shape == (0,) and unravel_empty(empty) == {}
    with pytest.raises(ValueError, match=r"needs a vector float32\(4,\)"):
        unravel(flat[:2])
    with pytest.raises(TypeError, match="needs a vector float32"):
        unravel(flat.astype(int))


# --- segments

SEGMENTS = {
    "sum": (onp.add, 0),
    "prod": (onp.multiply, 1),
    "max": (onp.maximum, -onp.inf),
    "min": (onp.minimum, onp.inf),
}


@pytest.mark.parametrize("shape", [(20,), (20, 3), (20, 0)])
@pytest.mark.parametrize("bucket_size", [None, 7])
@pytest.mark.parametrize("kind", SEGMENTS)
def test_segments(kind, bucket_size, shape):
    draw = onp.random.default_rng(0)
    data = draw.standard_normal(shape).astype("float32")
    ids = draw.integers(-2, 7, 20)  # some belong to no segment
    ufunc, identity = SEGMENTS[kind]
    want = onp.full((5, *shape[1:]), identity, "float32")
    kept = (ids >= 0) & (ids < 5)
    ufunc.at(want, ids[kept], data[kept])
    function = getattr(ops, f"segment_{kind}")
    call = lambda d, i: function(d, i, 5, bucket_size=bucket_size)
    for f in (call, vires.jit(call)):
        onp.testing.assert_allclose(f(data, ids), want, rtol=1e-5)


def test_segments_of_integers_and_without_a_number():
    ids = onp.array([0, 0, 3])
    assert ops.segment_sum(onp.array([1, 2, 3]), ids).tolist() == [3, 0, 0, 3]
    found = ops.segment_max(onp.array([1, 2, 3], "int8"), ids)
    assert found.dtype == onp.int8 and found.tolist() == [2, -128, -128, 3]
    flags = ops.segment_min(onp.array([True, False, True]), ids)
    assert flags.tolist() == [False, True, True, True]
    assert ops.segment_sum(onp.ones(0), onp.zeros(0, int)).shape == (0,)
    with pytest.raises(TypeError, match="segment_sum: needs num_segments where"):
        vires.jit(ops.segment_sum)(onp.ones(3), ids)
    with pytest.raises(ValueError, match="segment_sum: needs integer segment_ids"):
        ops.segment_sum(onp.ones(3), onp.ones(2, int))


# --- checks of derivatives


def test_check_grads_accepts_what_is_right():
    x = onp.float64([0.3, 0.7])
    check_grads(lambda x, n: {"y": np.sin(x) * n}, (x, 3), order=2)
    check_grads(lambda z: (z * z).real, (onp.complex128(1 + 2j),), order=1)


def test_check_grads_finds_what_is_wrong():
    @vires.custom_jvp
    def f(x):
        return np.sin(x)

    f.defjvp(lambda primals, tangents: (f(*primals), 1.1 * np.cos(primals[0]) * tangents[0]))
    for modes in (("fwd",), ("rev",)):
        with pytest.raises(AssertionError, match="jvp" if modes == ("fwd",) else "vjp"):
            check_grads(f, (onp.float64(0.3),), 1, modes)
    check_grads(f, (onp.float64(0.3),), 1, atol=0.5, rtol=0.5)
    wrong = lambda xs, ts: (np.sin(*xs) + 1, ts[0])
    with pytest.raises(AssertionError, match="values of jvp"):
        check_jvp(np.sin, wrong, (onp.float64(0.3),))
    check_vjp(np.sin, lambda x: vires.vjp(np.sin, x), (onp.float64(0.3),))
    with pytest.raises(ValueError, match="needs order >= 1"):
        check_grads(f, (1.0,), 0)


# --- names


def test_errors_are_what_users_catch():
    with pytest.raises(errors.JAXTypeError):
        vires.jit(lambda x: bool(x))(1.0)
    with pytest.raises(errors.JAXIndexError):
        vires.jit(lambda x, m: x[m])(np.ones(3), np.ones(3, bool))
    strict = vires.config.override("numpy_dtype_promotion", "strict")
    with strict, pytest.raises(vires.dtypes.TypePromotionError):
        np.ones(3, "float32") + np.ones(3, "int32")
    assert issubclass(errors.UnexpectedTracerError, TypeError)


def test_dtypes_and_devices():
    assert [vires.dtypes.itemsize_bits(d) for d in ("int4", "uint4", "bfloat16")] == [4, 4, 16]
    assert vires.dlpack.is_supported_dtype("int16")
    assert not vires.dlpack.is_supported_dtype("bfloat16")
    assert vires.process_indices() == [0]
    with vires.default_device(vires.devices()[0]), vires.default_device("cpu"):
        assert np.ones(2).sum() == 2
    with pytest.raises(ValueError, match="needs a device that is present"):
        vires.default_device("tpu")
    assert "numpy" in vires.print_environment_info(return_string=True)
    assert isinstance(1.0, vires.typing.ArrayLike)
