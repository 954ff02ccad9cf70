"""Fusion, views, reductions, contractions, updates: compiled programs against NumPy."""

from __future__ import annotations

import ml_dtypes
import numpy as onp
import pytest
from compiled import run, staged

import vires
import vires.numpy as np
from vires import _native, lax
from vires.engine.llvm.control import own_outputs
from vires.engine.llvm.pipeline import lower, lower_region
from vires.engine.llvm.program import Kernel

RNG = onp.random.default_rng(0)


def normal(*shape, dtype="float32"):
    return RNG.standard_normal(shape).astype(dtype)


SHAPES = [
    (),
    (1,),
    (3,),
    (17,),
    (64,),
    (1000,),
    (5, 7),
    (1, 9),
    (9, 1),
    (2, 3, 33),
    (0,),
    (3, 0),
    (130, 70),
]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int8"])
def test_elementwise_on_odd_shapes(shape, dtype):
    x = (normal(*shape) * 5).astype(dtype)
    run(lambda x: [x + x * x, -x, abs(x) > 2], x)


@pytest.mark.parametrize("shape", [s for s in SHAPES if s])
@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_reductions_on_odd_shapes(shape, dtype):
    x = (normal(*shape) * 3).astype(dtype)
    for axis in (*range(len(shape)), None):
        run(lambda x, a=axis: [np.sum(x, axis=a), np.prod(x, axis=a)], x, rtol=1e-3, atol=1e-3)
        if x.size:
            run(
                lambda x, a=axis: [np.max(x, axis=a), np.argmin(x, axis=a), np.any(x > 1, axis=a)],
                x,
            )


def test_special_values():
    x = onp.array([0.0, -0.0, onp.inf, -onp.inf, onp.nan, 1e-45, 3e38, -1.5], "float32")
    for found, expected in zip(
        run(lambda x: [x + 0.0, x * 1.0, 0.0 - x, np.max(x[:4]), abs(x)], x),
        [x + onp.float32(0), x, onp.float32(0) - x, onp.max(x[:4]), onp.abs(x)],
        strict=True,
    ):
        onp.testing.assert_array_equal(onp.signbit(found), onp.signbit(expected))
        onp.testing.assert_array_equal(found, expected)


def test_views_are_index_maps():
    x = normal(4, 6, 5)
    run(
        lambda x: [
            x.transpose(2, 0, 1),
            x.reshape(24, 5).T,
            x[::-1, 1::2, ::-2],
            x.reshape(3, 8, 5)[1],
            np.roll(x, 2, 1),
            x[:, None] + x[:, :, None],
            np.concatenate([x, -x], 2),
            np.stack([x, x * 2], 1),
            np.pad(x, ((1, 2), (0, 0), (2, 0))),
            np.tile(x, (2, 1, 3)),
            np.flip(x).reshape(-1)[7:90:3],
        ],
        x,
    )


def steps_of(function, *arrays):
    """The kernels and blocks of a compiled function."""
    builder, region, results = lower(staged(function, *arrays))
    own_outputs(builder, region, results)
    lower_region(builder, region)
    return region.steps


def test_chains_fuse_into_one_kernel():
    x = normal(50, 50)
    steps = steps_of(lambda x: np.sin(np.exp(x.T * 2)[::-1] + 1), x)
    assert len(steps) == 1 and isinstance(steps[0], Kernel) and len(steps[0].stores) == 1
    # Elementwise on one shape: one loop whatever the rank.
    assert len(steps_of(lambda x, y: x * y + 1, normal(4, 5, 6), normal(4, 5, 6))[0].order) == 1


def test_siblings_share_a_kernel():
    x = normal(40, 30)
    steps = steps_of(lambda x: [np.sin(x), np.cos(x), x.sum(1), (x * x).sum(1)], x)
    assert len(steps) == 1 and len(steps[0].stores) == 2 and len(steps[0].folds) == 2


def test_expensive_values_are_not_computed_again():
    x, y = normal(500, 500), normal(500)
    kernels = steps_of(lambda x, y: x + np.tanh(y), x, y)
    assert [k.domain for k in kernels] == [(500,), (500, 500)]
    assert len(steps_of(lambda x, y: x + (y + 1), x, y)) == 1


def test_values_read_across_rows_are_computed_again():
    x, y = normal(500, 500), normal(500)

    def f(x, y):
        z = (x * y + 1) * x - y
        return np.transpose(z * x + z[:, ::-1])

    assert len(steps_of(f, x, y)) == 1
    run(f, x, y)


def test_broadcast_and_softmax():
    x, y = normal(33, 47), normal(47)
    run(lambda x, y: np.sin(x) + np.cos(y), x, y)

    def softmax(x):
        e = np.exp(x - x.max(1, keepdims=True))
        return e / e.sum(1, keepdims=True)

    run(softmax, x)
    run(lambda x: (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5), x)


def test_long_reductions_are_accurate_and_fixed():
    x = onp.full(3_000_000, 0.1, "float32")
    # All roundings of equal terms go the same way, and narrow vectors add more terms in each lane.
    rtol = 1e-6 if _native.vector_bytes() == 64 else 2e-5
    (total,) = run(lambda x: x.sum(), x, rtol=rtol)
    assert abs(total - 3e5) < 3e5 * 3 * rtol
    y = normal(300_000, 3)
    run(lambda y: [y.sum(0), y.max(0), y.sum()], y, rtol=1e-4, atol=1e-2)
    results = []
    for count in (1, 2):
        with vires.threads(count):
            results.append(run(lambda y: [y.sum(0), np.sin(y), y.sum()], y, rtol=1e-4, atol=1e-2))
    for first, second in zip(*results, strict=True):
        assert first.tobytes() == second.tobytes()


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "int32", "bool", "uint8"])
def test_contractions(dtype):
    for m, k, n in (
        (1, 1, 1),
        (3, 5, 2),
        (17, 33, 40),
        (64, 1, 64),
        (50, 60, 70),
        (0, 3, 4),
        (3, 0, 4),
    ):
        a, b = (normal(m, k) * 3).astype(dtype), (normal(k, n) * 3).astype(dtype)
        run(lambda a, b: [a @ b, np.einsum("ij,jk->ki", a, b)], a, b, rtol=1e-3, atol=1e-3)
    a, b = (normal(4, 9, 20) * 2).astype(dtype), (normal(20, 9, 30) * 2).astype(dtype)
    run(
        lambda a, b: [np.einsum("bij,jik->bk", a, b), np.einsum("bij,jik->ibk", a, b)],
        a,
        b,
        rtol=1e-3,
        atol=1e-2,
    )


def test_contractions_of_views_and_halves():
    q = normal(2, 20, 4, 16)
    run(lambda q: np.einsum("bqhd,bkhd->bhqk", q, q), q, rtol=1e-4, atol=1e-4)
    run(lambda q: q.reshape(40, 64) @ q.reshape(40, 64).T, q, rtol=1e-4, atol=1e-4)
    half = normal(40, 40).astype(ml_dtypes.bfloat16)
    run(lambda x: x @ x, half, rtol=2e-2, atol=1e-1)
    big = normal(500, 300)
    run(lambda x: [x @ x.T, x.T @ x, x @ x[0], x[:, 0] @ x], big, rtol=1e-3, atol=1e-3)


def test_updates():
    x, i = normal(7, 5, 9), onp.array([3, 0, 2, 2], "int32")
    run(
        lambda x, i: [
            x.at[i].set(1.0),
            x.at[i].add(2.0),
            x.at[:, i].multiply(x[:, i]),
            x.at[i, i].max(0.0),
            x.at[1:3, ::2].set(0.0),
            x.at[i * 9].set(1.0, mode="drop"),
            x.at[i * 9].add(1.0, mode="clip"),
            x.at[i * 9].get(mode="fill", fill_value=7.0),
            lax.dynamic_update_slice(x, x[:2, :3, :4], (i[0], i[1], i[2] * 50)),
            lax.dynamic_slice(x, (i[0], -i[1], i[2]), (2, 3, 4)),
        ],
        x,
        i,
    )
    run(lambda i: np.zeros(5).at[i].add(1.0), onp.array([1, 1, 1, 4, 0, 1], "int32"))


def test_gather_that_is_out_of_bounds():
    f = vires.jit(lambda x, i: x[i])
    x, i = np.arange(5.0), np.array([0, 7])
    with pytest.raises(IndexError, match=r"needs an index from -5 to 4 .*; got 7"):
        f(x, i)
    assert f(x, i % 5).tolist() == [0.0, 2.0]


@pytest.mark.parametrize("n", [50_000, 200_001])
def test_long_rows_are_cut_into_tasks(n):
    """Where elements are dear; with the same bits on any number of threads."""
    functions = [
        lambda x: np.cumsum(np.sin(x)),
        lambda x: lax.cumsum(np.sin(x), reverse=True),
        lambda x: (lax.cummax(np.cos(x) * np.sin(x)), np.sin(x) + 1),
        lambda x: lax.cumlogsumexp(x),
        lambda x: lax.cumlogsumexp(x, reverse=True),
        lambda x: np.cumsum((np.sin(np.cos(x)) * 100).astype("int32")),
        lambda x: np.cumsum(np.exp(1j * x)),
    ]
    x = normal(n)
    x[n // 3 : n // 3 + 5] = [onp.inf, 0, -0.0, 1e30, -1e30]
    for f in functions:
        run(f, x, rtol=2e-3, atol=2e-2)
        many = vires.tree_util.tree_leaves(vires.jit(f)(x))
        with vires.threads(1):
            one = vires.tree_util.tree_leaves(vires.jit(lambda x, f=f: f(x))(x))
        for a, b in zip(many, one, strict=True):
            onp.testing.assert_array_equal(a, b)
    kernels = steps_of(functions[0], normal(200_001))
    assert [k.tasks > 1 for k in kernels] == [True, False, True]


@pytest.mark.parametrize(
    "function",
    [
        lambda x: (np.sin(x) + 1, np.sum(np.cos(x))),
        lambda x: lax.cumsum(x, axis=0),
        lambda x: lax.cumprod(x, axis=1, reverse=True),
    ],
)
def test_sums_and_rows_are_divided_among_tasks(function):
    x = normal(600, 700)
    assert steps_of(function, x)[0].tasks > 1
    run(function, x, rtol=1e-3, atol=1e-3)


def test_sums_beside_results_are_accurate():
    """They are cut into partial sums, as they are alone."""
    x = onp.full(3_000_000, 0.1, "float32")
    _, total = vires.jit(lambda x: (x + 1, np.sum(x)))(x)
    onp.testing.assert_allclose(total, x.astype("float64").sum(), rtol=1e-5)


@pytest.mark.parametrize("n", [1, 2, 15, 16, 17, 100, 1000])
def test_cumulative(n):
    x = normal(3, n)
    run(
        lambda x: [np.cumsum(x, 1), np.cumsum(x, 0), np.cumprod(x, 1), np.cumsum(x)],
        x,
        rtol=1e-3,
        atol=1e-3,
    )
    run(
        lambda x: [
            lax.cummax(x, axis=1, reverse=True),
            lax.cumlogsumexp(x, axis=1),
            lax.cummin(x, axis=0),
        ],
        x,
        rtol=1e-4,
    )
    run(lambda i: [np.cumsum(i, 1)], (x * 10).astype("int32"))


def test_sort_and_windows():
    x = normal(4, 37, 6)
    x[0, 3, 2] = onp.nan
    results = run(
        lambda x: [np.sort(x, 0), np.argsort(x, 1), lax.sort((x, -x), dimension=2)[1]],
        onp.nan_to_num(x),
    )
    assert len(results) == 3
    run(
        lambda x: [
            lax.reduce_window(x, -onp.inf, lax.max, (1, 3, 2), (1, 2, 2), "SAME"),
            lax.reduce_window(
                x, 0.0, lax.add, (2, 2, 2), (1, 1, 1), "VALID", window_dilation=(1, 3, 2)
            ),
        ],
        normal(4, 37, 6),
        rtol=1e-4,
    )


def test_deep_and_wide_programs():
    def deep(x):
        for k in range(300):
            x = x * 0.99 + k
        return x

    run(deep, normal(10), rtol=1e-4)

    def doubling(x):
        for _ in range(40):
            x = x * 0.5 + x * 0.25
        return x

    run(doubling, normal(10))
    run(lambda x: [x + k for k in range(40)], normal(33))


def test_deep_programs_of_scalars():
    """They stay expressions, however deep; the recursion of Python is not."""
    functions = [np.sin, np.tanh, lambda x: x * x, lambda x: np.where(x > 0.5, x * 0.5, x + 0.25)]
    chosen = onp.random.default_rng(1).integers(0, 4, 700)

    def f(x):
        for k in chosen:
            x = functions[k](x) + 0.125
        return x

    x = onp.float32(0.5)
    run(f, onp.ones((0, 3), "float32"))
    for g in (
        f,
        lambda x: f(x.reshape(1, 1))[0, 0],
        lambda x: lax.cond(x > 0, f, np.cos, x),
        lambda x: np.stack([np.cos(x), f(x)])[1],
        lambda x: lax.fori_loop(0, 1, lambda i, c: f(c[i])[None], x[None])[0],
        lambda x: f(np.sum(np.full(3, x / 3)[:2]) + x / 3),
    ):
        run(g, x, rtol=1e-4)


def test_outputs_that_are_inputs_constants_and_each_other():
    x = normal(6)
    c = normal(4)
    run(lambda x: [x, x, x + 1, x, np.asarray(c), 3.0, np.zeros(3)], x)
    y = run(lambda x: [s := x * 2, s, s.reshape(2, 3)], x)
    assert y[0].tobytes() == y[1].tobytes() == y[2].tobytes()


def test_donation_reuses_memory():
    f = vires.jit(lambda x: x.at[3].set(7.0), donate_argnums=0)
    x = np.arange(100_000.0) + 0
    address = x.unsafe_buffer_pointer()
    y = f(x)
    assert x.is_deleted() and y.unsafe_buffer_pointer() == address and y[3] == 7
    # An input that is read after the result is begun must not be overwritten.
    g = vires.jit(lambda x: x[::-1] + x, donate_argnums=0)
    z = onp.arange(1000.0, dtype="float32")
    onp.testing.assert_array_equal(g(np.array(z)), z[::-1] + z)


@pytest.mark.parametrize("shape", [(1024, 512), (40, 1024), (1030, 2048), (3, 512, 256), (8, 1024)])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "complex64"])
def test_reading_across_rows_that_share_places_in_the_cache(shape, dtype):
    x = (onp.arange(onp.prod(shape)) % 251).astype(dtype).reshape(shape)
    y = onp.swapaxes(x, -1, -2).copy()
    found = vires.jit(lambda x, y: x + np.swapaxes(y, -1, -2) + np.flip(x, -1))(x, y)
    onp.testing.assert_array_equal(found, x + x + x[..., ::-1])
    onp.testing.assert_array_equal(
        vires.jit(lambda x: np.swapaxes(x, -1, -2) + x.dtype.type(1))(x), y + 1
    )
