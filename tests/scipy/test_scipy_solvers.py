"""Iterative solvers, minimisation, integration, interpolation, quantisation, rotations, images."""

from __future__ import annotations

import itertools
import warnings

import numpy as onp
import pytest
import scipy.cluster.vq
import scipy.integrate
import scipy.interpolate
from scipy.spatial import transform as reference
from scipy_agreement import assert_near

import vires
import vires.numpy as np
from vires import image
from vires.scipy import cluster, integrate, interpolate, optimize
from vires.scipy.sparse import linalg
from vires.scipy.spatial.transform import Rotation, Slerp

RANDOM = onp.random.default_rng(0)
A = RANDOM.normal(size=(12, 12))
POSITIVE, GENERAL, RIGHT = A @ A.T + onp.eye(12), A + 6 * onp.eye(12), RANDOM.normal(size=12)
SOLVERS = [(linalg.cg, POSITIVE), (linalg.bicgstab, GENERAL), (linalg.gmres, GENERAL)]


@pytest.mark.parametrize(("solver", "a"), SOLVERS)
def test_iterative_solvers(solver, a):
    expected = onp.linalg.solve(a, RIGHT)
    assert_near(solver(a, RIGHT, tol=1e-12)[0], expected)
    assert_near(solver(a, RIGHT, x0=expected, maxiter=0)[0], expected)
    hermitian = 0.1j * (A - A.T) if solver is linalg.cg else 1j * POSITIVE
    wide, right = a + hermitian, RIGHT + 0j
    assert_near(solver(wide, right, tol=1e-12)[0], onp.linalg.solve(wide, right))
    diagonal = onp.diag(a)

    @vires.jit
    def on_trees(b):
        return solver(
            lambda t: {"x": a @ t["x"]}, {"x": b}, M=lambda t: {"x": t["x"] / diagonal}, tol=1e-12
        )[0]["x"]

    assert_near(on_trees(RIGHT), expected)
    matrix, right = vires.grad(lambda a, b: solver(a, b, tol=1e-12)[0].sum(), (0, 1))(a, RIGHT)
    dual = onp.linalg.solve(a.T, onp.ones(12))
    assert_near((matrix, right), (-onp.outer(dual, expected), dual))


def test_restarts():
    assert_near(
        linalg.gmres(GENERAL, RIGHT, restart=3, tol=1e-11)[0], onp.linalg.solve(GENERAL, RIGHT)
    )
    with pytest.raises(ValueError, match="gmres: needs solve_method 'batched' or 'incremental'"):
        linalg.gmres(GENERAL, RIGHT, solve_method="other")
    with pytest.raises(ValueError, match="cg: needs x0 of the shapes of b"):
        linalg.cg(POSITIVE, RIGHT, x0=onp.zeros(3))


def rosenbrock(x):
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def test_minimize():
    start = onp.array([-1.2, 1.0, 0.7])
    found = vires.jit(lambda x: optimize.minimize(rosenbrock, x, method="BFGS"))(start)
    assert bool(found.success)
    assert int(found.status) == 0
    assert_near(found.x, onp.ones(3), 1e-4)
    assert abs(onp.asarray(found.jac)).max() <= 1e-5
    few = optimize.minimize(rosenbrock, start, method="BFGS", options={"maxiter": 2})
    assert (int(few.status), int(few.nit)) == (1, 2)
    quadratic = optimize.minimize(
        lambda x, c: ((x - c) ** 2).sum(), start, (onp.arange(3.0),), method="BFGS", tol=1e-9
    )
    assert_near(quadratic.x, onp.arange(3.0))
    with pytest.raises(ValueError, match="minimize: needs method 'BFGS'; got 'other'"):
        optimize.minimize(rosenbrock, start, method="other")


def test_trapezoid():
    y, x = RANDOM.normal(size=(3, 9)), onp.arange(9.0) ** 2
    assert_near(integrate.trapezoid(y, axis=0), scipy.integrate.trapezoid(y, axis=0))
    assert_near(integrate.trapezoid(y, x), scipy.integrate.trapezoid(y, x))
    assert_near(integrate.trapezoid(y, dx=0.5), scipy.integrate.trapezoid(y, dx=0.5))


@pytest.mark.parametrize("method", ["linear", "nearest"])
@pytest.mark.parametrize("fill", [onp.nan, None, 7.0])
def test_interpolation(method, fill):
    grid = onp.array([0, 1, 3.0]), onp.array([0.0, 2, 3, 5])
    values = RANDOM.normal(size=(3, 4, 2))
    x = onp.concatenate([RANDOM.random((20, 2)) * 4 - 0.5, [[0, 0], [3, 5], [1, 2]]])
    expected = scipy.interpolate.RegularGridInterpolator(grid, values, method, False, fill)(x)
    own = interpolate.RegularGridInterpolator(grid, values, method, False, fill)
    assert_near(vires.jit(own)(x), expected)


def test_quantisation():
    points, codes = RANDOM.normal(size=(10, 3)), RANDOM.normal(size=(4, 3))
    assert_near(cluster.vq.vq(points, codes), scipy.cluster.vq.vq(points, codes))
    assert_near(cluster.vq.vq(points[:, 0], codes[:, 0])[0].shape, (10,))


QUATERNIONS = RANDOM.normal(size=(9, 4))
QUATERNIONS[:2] = [[0, 0, 0, 1], [1, 0, 0, 0]]


def test_rotations():
    own, truth = Rotation.from_quat(QUATERNIONS), reference.Rotation.from_quat(QUATERNIONS)
    matrices, v = truth.as_matrix(), RANDOM.normal(size=3)
    assert_near(own.as_matrix(), matrices)
    for name in ("as_rotvec", "as_mrp", "magnitude"):
        assert_near(getattr(own, name)(), getattr(truth, name)())
    assert_near(own.as_quat(canonical=True), truth.as_quat(canonical=True))
    assert_near(own.apply(v), truth.apply(v))
    assert_near(own.apply(v, inverse=True), truth.apply(v, inverse=True))
    assert_near(own.inv().as_matrix(), truth.inv().as_matrix())
    assert_near((own * own[::-1]).as_matrix(), (truth * truth[::-1]).as_matrix())
    assert_near(own.mean().as_matrix(), truth.mean().as_matrix())
    assert_near(Rotation.from_matrix(matrices).as_matrix(), matrices)
    assert_near(Rotation.from_rotvec(truth.as_rotvec()).as_matrix(), matrices)
    assert_near(Rotation.from_mrp(truth.as_mrp()).as_matrix(), matrices)
    assert_near(Rotation.concatenate([own, own[:2]]).quat.shape, (11, 4))
    assert vires.jit(lambda r: r.inv())(own).quat.shape == (9, 4)
    assert Rotation.identity(2).quat.tolist() == [[0, 0, 0, 1]] * 2
    assert_near(np.linalg.norm(Rotation.random(vires.random.key(0)).quat), 1.0, 1e-6)
    slopes = vires.jacobian(lambda u: Rotation.from_rotvec(u).as_rotvec())(onp.zeros(3))
    assert_near(slopes, onp.eye(3))


def test_euler_angles():
    own, truth = Rotation.from_quat(QUATERNIONS), reference.Rotation.from_quat(QUATERNIONS)
    for letters in itertools.product("xyz", repeat=3):
        if letters[0] == letters[1] or letters[1] == letters[2]:
            continue
        for seq in ("".join(letters), "".join(letters).upper()):
            angles = RANDOM.uniform(-3, 3, size=(5, 3))
            expected = reference.Rotation.from_euler(seq, angles).as_matrix()
            assert_near(Rotation.from_euler(seq, angles).as_matrix(), expected)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of angles that are not determined
                assert_near(own[2:].as_euler(seq), truth[2:].as_euler(seq))
            again = Rotation.from_euler(seq, own.as_euler(seq)).as_matrix()
            assert_near(again, truth.as_matrix())
    with pytest.raises(ValueError, match="from_euler: needs different axes side by side"):
        Rotation.from_euler("xxy", onp.zeros(3))


def test_turning_between_rotations():
    own, truth = Rotation.from_quat(QUATERNIONS), reference.Rotation.from_quat(QUATERNIONS)
    times, when = onp.arange(9.0), RANDOM.random(7) * 8
    expected = reference.Slerp(times, truth)(when).as_matrix()
    assert_near(Slerp.init(times, own)(when).as_matrix(), expected)


# --- images


def keys(x):
    """Keys' cubic kernel."""
    x = onp.abs(x)
    near, far = 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return onp.where(x < 1, near, onp.where(x < 2, far, 0))


def lanczos(x):
    return onp.where(onp.abs(x) < 3, onp.sinc(x) * onp.sinc(x / 3), 0)


KERNELS = {"linear": lambda x: onp.maximum(0, 1 - onp.abs(x)), "cubic": keys, "lanczos3": lanczos}


@pytest.mark.parametrize("method", KERNELS)
@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("size", [3, 14])
def test_resize(method, antialias, size):
    x = RANDOM.normal(size=(7, 2))
    width = max(7 / size, 1) if antialias else 1
    distance = ((onp.arange(size)[:, None] + 0.5) * 7 / size - 0.5 - onp.arange(7)) / width
    weights = KERNELS[method](distance)
    weights = weights / weights.sum(1, keepdims=True)
    assert_near(image.resize(x, (size, 2), method, antialias), weights @ x)
    moved = image.scale_and_translate(
        x, (size, 2), (0,), onp.array([size / 7]), onp.zeros(1), method, antialias
    )
    assert_near(moved, weights @ x)


def test_resize_to_the_nearest():
    x = onp.arange(5)
    assert image.resize(x, (10,), "nearest").tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert image.resize(x, (2,), image.ResizeMethod.NEAREST).tolist() == [1, 3]
    slopes = vires.grad(lambda s: image.scale_and_translate(
        x, (8,), (0,), s, onp.array([0.5]), "cubic").sum())(onp.array([1.3]))  # fmt: skip
    assert onp.isfinite(slopes).all()
    with pytest.raises(ValueError, match="resize: needs a method among nearest, linear"):
        image.resize(x, (3,), "other")
    with pytest.raises(ValueError, match="resize: needs a shape of 1 sizes"):
        image.resize(x, (3, 3), "linear")


def test_python_numbers_keep_their_digits_beside_float64():
    assert integrate.trapezoid(onp.ones(3), dx=0.1).item() == 0.2
    density = vires.scipy.stats.multivariate_normal.logpdf(onp.ones(1)[0], 0.1, 0.3)
    assert density.item() == pytest.approx(-0.5 * (0.9**2 / 0.3 + onp.log(0.6 * onp.pi)), rel=1e-15)
