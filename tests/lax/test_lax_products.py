"""Products by algorithm, by groups of rows, with shared scales: against NumPy, group by group."""

from __future__ import annotations

import ml_dtypes
import numpy as onp
import pytest

import vires
import vires.numpy as np
from vires import lax

random = onp.random.default_rng(0)


def normal(*shape: int) -> onp.ndarray:
    return random.standard_normal(shape).astype(onp.float32)


# --- algorithms


def through(x: onp.ndarray, dtype: object) -> onp.ndarray:
    return x.astype(dtype).astype(onp.float32)


def tf32(x: onp.ndarray) -> onp.ndarray:
    bits = x.view(onp.uint32)
    bits = bits + 0xFFF + ((bits >> 13) & 1)
    return (bits & 0xFFFFE000).astype(onp.uint32).view(onp.float32)


ROUNDED = {
    "F32_F32_F32": lambda x: x,
    "F64_F64_F64": lambda x: x,
    "BF16_BF16_F32": lambda x: through(x, ml_dtypes.bfloat16),
    "F16_F16_F32": lambda x: through(x, onp.float16),
    "TF32_TF32_F32": tf32,
    "BF16_BF16_F32_X3": lambda x: x,
    "TF32_TF32_F32_X3": lambda x: x,
}


@pytest.mark.parametrize("name", ROUNDED)
def test_algorithms_round_operands(name):
    x, y = normal(5, 7), normal(7, 3)
    wide = [ROUNDED[name](v).astype(onp.float64) for v in (x, y)]
    for precision in (lax.DotAlgorithmPreset[name], name):
        out = lax.dot(x, y, precision=precision)
        assert out.dtype == onp.float32
        onp.testing.assert_allclose(out, wide[0] @ wide[1], rtol=2e-6, atol=2e-6)
    jitted = vires.jit(lambda x, y: lax.dot(x, y, precision=name))(x, y)
    onp.testing.assert_allclose(jitted, wide[0] @ wide[1], rtol=2e-6, atol=2e-6)


def test_an_algorithm_of_ones_own():
    algorithm = lax.DotAlgorithm("bfloat16", "float32", "float32")
    x, y = normal(4, 6), normal(6, 2)
    out = lax.dot_general(x, y, (((1,), (0,)), ((), ())), precision=algorithm)
    want = through(x, ml_dtypes.bfloat16).astype(onp.float64) @ y
    onp.testing.assert_allclose(out, want, rtol=2e-6, atol=2e-6)
    grads = vires.grad(lambda x: lax.dot(x, y, precision=algorithm).sum())(x)
    onp.testing.assert_allclose(grads, onp.tile(y.sum(1), (4, 1)), rtol=1e-2)


def test_algorithms_refuse():
    with pytest.raises(TypeError, match="needs float8 operands"):
        lax.dot(normal(2, 2), normal(2, 2), precision=lax.DotAlgorithmPreset.ANY_F8_ANY_F8_F32)
    with pytest.raises(ValueError, match="DotAlgorithmPreset"):
        lax.dot(normal(2, 2), normal(2, 2), precision="F99")
    eights = normal(3, 3).astype(ml_dtypes.float8_e4m3fn)
    out = lax.dot(eights, eights, precision="ANY_F8_ANY_F8_F32", preferred_element_type="float32")
    wide = eights.astype(onp.float32)
    onp.testing.assert_allclose(out, wide @ wide, rtol=1e-6)


# --- groups


def by_groups(x, y, sizes):
    out, start = onp.zeros((len(x), y.shape[2]), onp.float64), 0
    for g, size in enumerate(sizes):
        out[start : start + size] = x[start : start + size].astype(onp.float64) @ y[g]
        start += size
    return out


@pytest.mark.parametrize("sizes", [[2, 1, 2], [0, 6, 0], [3, 0, 3], [0, 0, 0], [6, 9, 9]])
def test_ragged_dot(sizes):
    x, y, n = normal(6, 4), normal(3, 4, 5), onp.array(sizes, onp.int32)
    want = by_groups(x, y, sizes)
    onp.testing.assert_allclose(lax.ragged_dot(x, y, n), want, rtol=1e-5, atol=1e-6)
    jitted = vires.jit(lax.ragged_dot)(x, y, n)
    onp.testing.assert_allclose(jitted, want, rtol=1e-5, atol=1e-6)
    ct = normal(6, 5)
    dx, dy = vires.grad(lambda x, y: (lax.ragged_dot(x, y, n) * ct).sum(), (0, 1))(x, y)
    whole = onp.minimum(onp.cumsum([0, *sizes]), 6)
    for g in range(3):
        rows = slice(whole[g], whole[g + 1])
        onp.testing.assert_allclose(dx[rows], ct[rows] @ y[g].T, rtol=1e-4, atol=1e-5)
        onp.testing.assert_allclose(dy[g], x[rows].T @ ct[rows], rtol=1e-4, atol=1e-5)
    mapped = vires.vmap(lax.ragged_dot, (0, None, None))(onp.stack([x, 2 * x]), y, n)
    onp.testing.assert_allclose(mapped[1], 2 * want, rtol=1e-5, atol=1e-6)
    mapped = vires.vmap(lax.ragged_dot, (None, None, 0))(x, y, onp.stack([n, n]))
    onp.testing.assert_allclose(mapped[1], want, rtol=1e-5, atol=1e-6)


def test_groups_of_a_contracted_axis_keep_inf_to_themselves():
    x, y = normal(2, 6), normal(6, 3)
    x[0, 5] = onp.inf
    numbers = lax.RaggedDotDimensionNumbers((((1,), (0,)), ((), ())), (1,), ())
    out = lax.ragged_dot_general(x, y, onp.array([2, 0, 3]), numbers)
    want = [x[:, :2] @ y[:2], onp.zeros((2, 3)), x[:, 2:5] @ y[2:5]]
    onp.testing.assert_allclose(out, want, rtol=1e-5, atol=1e-6)


def test_groups_of_a_free_axis_with_a_batch():
    x, y = normal(2, 5, 4), normal(3, 2, 4, 6)
    sizes = onp.array([[1, 2, 2], [3, 0, 1]])
    numbers = lax.RaggedDotDimensionNumbers((((2,), (2,)), ((0,), (1,))), (1,), (0,))
    out = lax.ragged_dot_general(x, y, sizes, numbers)
    for b in range(2):
        want = by_groups(x[b], y[:, b], sizes[b])
        onp.testing.assert_allclose(out[b], want, rtol=1e-5, atol=1e-6)


def test_groups_of_a_batch_axis():
    x, y = normal(5, 2, 3), normal(5, 3, 2)
    numbers = lax.RaggedDotDimensionNumbers((((2,), (1,)), ((0,), (0,))), (0,), ())
    out = lax.ragged_dot_general(x, y, onp.array([2, 3]), numbers)
    onp.testing.assert_allclose(out, x @ y, rtol=1e-5, atol=1e-6)


def test_ragged_dot_refuses():
    x, y = normal(6, 4), normal(3, 4, 5)
    with pytest.raises(TypeError, match=r"needs integer group_sizes of shape \(groups,\)"):
        lax.ragged_dot(x, y, onp.ones(3, onp.float32))
    with pytest.raises(NotImplementedError, match="needs group_offset=None"):
        lax.ragged_dot(x, y, onp.ones(3, int), group_offset=onp.zeros(1, int))
    numbers = lax.RaggedDotDimensionNumbers((((1,), (1,)), ((), ())), (0, 1), (0,))
    with pytest.raises(ValueError, match="needs one ragged axis"):
        lax.ragged_dot_general(x, y, onp.ones(3, int), numbers)


# --- scales


def test_scaled_dot():
    x, y = (normal(*s).astype(ml_dtypes.float8_e4m3fn) for s in ((2, 3, 8), (2, 8, 4)))
    s = onp.exp2(random.integers(-2, 3, (2, 3, 2))).astype(ml_dtypes.float8_e8m0fnu)
    t = onp.exp2(random.integers(-2, 3, (2, 4, 4))).astype(onp.float32)
    wide = x.astype(onp.float64) * onp.repeat(s.astype(onp.float64), 4, 2)
    other = y.astype(onp.float64) * onp.repeat(t, 2, 1)
    out = lax.scaled_dot(x, y, lhs_scale=s, rhs_scale=t, preferred_element_type=onp.float32)
    onp.testing.assert_allclose(out, wide @ other, rtol=1e-5, atol=1e-5)
    assert lax.scaled_dot(x, y, lhs_scale=s).dtype == ml_dtypes.bfloat16
    plain = lax.scaled_dot(x[0], y[0], preferred_element_type="float32")
    onp.testing.assert_allclose(plain, x[0].astype("f") @ y[0].astype("f"), rtol=1e-5, atol=1e-5)
    with pytest.raises(ValueError, match="a divisor of its size"):
        lax.scaled_dot(x, y, lhs_scale=onp.ones((2, 3, 3), onp.float32))


# --- parts of decompositions


def test_subsets_of_eigenvalues_and_singular_values():
    a = normal(3, 5, 5)
    v, w = lax.linalg.eigh(a, subset_by_index=(1, 3))
    whole, values = lax.linalg.eigh(a)
    onp.testing.assert_array_equal(w, values[:, 1:3])
    onp.testing.assert_array_equal(v, whole[:, :, 1:3])
    tall = normal(6, 4)
    u, s, vh = lax.linalg.svd(tall, full_matrices=False, subset_by_index=(0, 2))
    full_u, full_s, full_vh = lax.linalg.svd(tall, full_matrices=False)
    for part, want in ((u, full_u[:, :2]), (s, full_s[:2]), (vh, full_vh[:2])):
        onp.testing.assert_array_equal(part, want)
    only = lax.linalg.svd(tall, compute_uv=False, subset_by_index=(1, 4))
    onp.testing.assert_allclose(only, full_s[1:], rtol=1e-5)
    grads = vires.grad(lambda a: lax.linalg.eigh(a, subset_by_index=(4, 5))[1].sum())(a[0])
    top = onp.asarray(lax.linalg.eigh(a[0])[0][:, 4])
    onp.testing.assert_allclose(grads, onp.outer(top, top), rtol=1e-3, atol=1e-4)


def test_choices_of_decompositions():
    a = normal(3, 3)
    linalg = lax.linalg
    linalg.eigh(a, implementation=linalg.EighImplementation.JACOBI)
    linalg.svd(a, algorithm=linalg.SvdAlgorithm.QR)
    linalg.eig(a, implementation=linalg.EigImplementation.LAPACK)
    with pytest.raises(ValueError, match="eigh: needs a EighImplementation"):
        linalg.eigh(a, implementation="qr")
    with pytest.raises(ValueError, match=r"within 0 to 3; got \(2, 5\)"):
        linalg.eigh(a, subset_by_index=(2, 5))
    with pytest.raises(ValueError, match="full_matrices=False"):
        linalg.svd(a, subset_by_index=(0, 1))
    assert np.shape(linalg.eigh(a, subset_by_index=(0, 3))[1]) == (3,)
