"""Laws that every primitive obeys, on the examples of `examples_*.py`."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from examples import ELSEWHERE, examples, operand, raw

import vires
import vires.lax
from vires import _native
from vires.core import dtypes
from vires.core.primitive import PRIMITIVES, Primitive, Undefined, flat_results
from vires.core.trace import aval_of

NAMES = sorted(
    name for name in PRIMITIVES if name not in ELSEWHERE and not name.startswith("test_")
)
CASES = [(name, k) for name in NAMES for k in range(len(examples(name)))]


@pytest.fixture(autouse=True)
def reference_engine():
    """Rules are tested on the oracle; engines are compared with it in `test_engines.py`."""
    with vires.config.override("engine", "reference"):
        yield


def example(name: str, k: int) -> tuple[Primitive, list[Any], dict[str, Any]]:
    operands, params = examples(name)[k]
    return PRIMITIVES[name], list(operands), params


def numpy(x: Any) -> np.ndarray:
    return np.asarray(x._numpy()) if isinstance(x, _native.Array) else np.asarray(x)


def differentiable(primitive: Primitive, operands: list[Any]) -> list[int]:
    """The operands in which there is a derivative to test."""
    if isinstance(primitive.jvp, Undefined):
        return []
    rules = getattr(primitive, "rules", None)
    return [
        k
        for k, x in enumerate(operands)
        if raw(x).dtype.kind in "fc" and not (rules and isinstance(rules[k], Undefined))
    ]


def of_some(
    primitive: Primitive, operands: list[Any], which: list[int], params: dict[str, Any]
) -> Any:
    """The primitive as a function of some of its operands, with a tuple of inexact results."""

    def function(*chosen: Any) -> tuple[Any, ...]:
        arguments = [operand(x) for x in operands]
        for k, x in zip(which, chosen, strict=True):
            arguments[k] = x
        results = flat_results(primitive, primitive(*arguments, **params))
        return tuple(r for r in results if dtypes.is_inexact(aval_of(r).dtype))

    return function


def direction(x: np.ndarray, seed: int) -> np.ndarray:
    random = np.random.RandomState(seed)
    d = random.uniform(0.5, 1.5, x.shape) * np.where(random.uniform(size=x.shape) < 0.5, -1, 1)
    if x.dtype.kind == "c":
        d = d + 1j * random.uniform(-1, 1, x.shape)
    return np.asarray(d).astype(x.dtype)


def close(actual: Any, expected: Any, tolerance: float = 1e-6) -> None:
    np.testing.assert_allclose(numpy(actual), numpy(expected), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", NAMES)
def test_has_examples(name):
    assert examples(name), f"{name} needs examples in tests/laws/examples_*.py"


@pytest.mark.parametrize(("name", "k"), CASES)
def test_infer_tells_shape_and_dtype_of_the_reference(name, k):
    primitive, operands, params = example(name, k)
    avals = flat_results(primitive, primitive.infer(*[operand(x).aval for x in operands], **params))
    results = flat_results(primitive, primitive.reference(*[raw(x) for x in operands], **params))
    assert len(avals) == len(results)
    for aval, result in zip(avals, results, strict=True):
        assert np.shape(result) == aval.shape
        stored = np.dtype(np.uint64) if dtypes.is_key(aval.dtype) else aval.dtype
        assert np.asarray(result).dtype == stored


@pytest.mark.parametrize(("name", "k"), CASES)
def test_jvp_is_the_limit_of_differences(name, k):
    primitive, operands, params = example(name, k)
    which = differentiable(primitive, operands)
    points = [np.asarray(operands[j]) for j in which]
    if not which or points[0].dtype.itemsize < 8:
        pytest.skip("nothing to differentiate")
    function = of_some(primitive, operands, which, params)
    tangents = [direction(x, j) for j, x in enumerate(points)]
    results, derivative = vires.jvp(
        function, tuple(map(operand, points)), tuple(map(operand, tangents))
    )
    if not results or numpy(results[0]).dtype.itemsize < 8:
        pytest.skip("no derivative, or too few digits for differences")
    step = 1e-5
    ahead = function(*[operand(x + step * d) for x, d in zip(points, tangents, strict=True)])
    behind = function(*[operand(x - step * d) for x, d in zip(points, tangents, strict=True)])
    for a, b, d in zip(ahead, behind, derivative, strict=True):
        close(d, (numpy(a) - numpy(b)) / (2 * step), 2e-6)


def inner(x: np.ndarray, y: np.ndarray) -> float:
    """The real part of the sum of products, in double precision."""
    return np.sum(x.astype(np.complex128) * y.astype(np.complex128)).real


@pytest.mark.parametrize(("name", "k"), CASES)
def test_vjp_is_the_adjoint_of_jvp(name, k):
    primitive, operands, params = example(name, k)
    which = differentiable(primitive, operands)
    points = tuple(operand(operands[j]) for j in which)
    function = of_some(primitive, operands, which, params)
    if not which or not function(*points):
        pytest.skip("nothing to differentiate")
    tangents = [direction(numpy(x), j) for j, x in enumerate(points)]
    _, pushed = vires.jvp(function, points, tuple(map(operand, tangents)))
    results, pull = vires.vjp(function, *points)
    cotangents = [direction(numpy(r), 10 + j) for j, r in enumerate(results)]
    pulled = pull(tuple(map(operand, cotangents)))
    left = sum(inner(numpy(p), c) for p, c in zip(pushed, cotangents, strict=True))
    right = sum(inner(numpy(p), t) for p, t in zip(pulled, tangents, strict=True))
    for x, ct in zip(points, pulled, strict=True):
        assert ct.shape == x.shape and ct.dtype == x.dtype
    half = any(x.dtype.itemsize < 4 for x in (*points, *results))
    np.testing.assert_allclose(
        left, right, rtol=0.03 if half else 1e-6, atol=0.03 if half else 1e-9
    )


def at_dim(x: Any, dim: int | None, size: int) -> Any:
    """A batch of variants of an operand along a new axis."""
    if dim is None:
        return operand(x)
    values = raw(x)
    step = 0.03 if values.dtype.kind in "fc" else 1
    if values.dtype.kind == "b":
        batch = [values if k % 2 == 0 else ~values for k in range(size)]
    elif dtypes.is_integer(values.dtype) and not hasattr(x, "bits"):
        # Smaller by one where that stays positive: indices stay inside what they point into.
        batch = [np.where(values > 0, values - (k % 2), values) for k in range(size)]
    else:
        batch = [values + np.asarray(k * step).astype(values.dtype) for k in range(size)]
    stacked = np.stack(batch, dim).astype(values.dtype)
    return operand(type(x)(stacked)) if hasattr(x, "bits") else operand(stacked)


def taken(x: Any, dim: int | None, k: int) -> Any:
    """Element k of a batch."""
    if dim is None:
        return x
    part = np.ascontiguousarray(np.take(numpy(x), k, axis=dim)).reshape(np.delete(x.shape, dim))
    return _native.from_numpy(part, dtype=x.dtype if dtypes.is_key(x.dtype) else None)


@pytest.mark.parametrize(("name", "k"), CASES)
def test_vmap_is_a_loop(name, k):
    primitive, operands, params = example(name, k)
    if isinstance(primitive.batch, Undefined) or not operands:
        pytest.skip("has no operand to map")
    size = 2
    choices = list(
        itertools.product(*[(None, 0, raw(x).ndim) if raw(x).ndim else (None, 0) for x in operands])
    )
    if len(choices) > 30:
        choices = choices[:: len(choices) // 30]
    for dims in choices:
        if all(d is None for d in dims):
            continue
        batched = [at_dim(x, d, size) for x, d in zip(operands, dims, strict=True)]

        def one(*xs: Any) -> tuple[Any, ...]:
            return tuple(flat_results(primitive, primitive(*xs, **params)))

        results = vires.vmap(one, in_axes=dims)(*batched)
        for i in range(size):
            expected = one(*[taken(x, d, i) for x, d in zip(batched, dims, strict=True)])
            for r, e in zip(results, expected, strict=True):
                assert r.dtype == e.dtype, dims
                np.testing.assert_allclose(
                    numpy(r)[i], numpy(e), rtol=1e-9, atol=1e-12, err_msg=str(dims)
                )


@pytest.mark.parametrize(("name", "k"), CASES)
def test_second_derivative_is_the_limit_of_differences(name, k):
    primitive, operands, params = example(name, k)
    which = differentiable(primitive, operands)
    points = [np.asarray(operands[j]) for j in which]
    if not which or points[0].dtype != np.float64 or name in ONCE:
        pytest.skip("nothing to differentiate twice")
    function = of_some(primitive, operands, which, params)
    results = function(*map(operand, points))
    if not results or numpy(results[0]).dtype != np.float64:
        pytest.skip("no derivative, or too few digits for differences")
    tangents = tuple(operand(direction(x, j)) for j, x in enumerate(points))
    cotangents = tuple(operand(direction(numpy(r), 10 + j)) for j, r in enumerate(results))

    def gradient(*xs: Any) -> Any:
        return vires.vjp(function, *xs)[1](cotangents)

    _, derivative = vires.jvp(gradient, tuple(map(operand, points)), tangents)
    step = 1e-5
    ahead = gradient(*[operand(x + step * numpy(d)) for x, d in zip(points, tangents, strict=True)])
    behind = gradient(
        *[operand(x - step * numpy(d)) for x, d in zip(points, tangents, strict=True)]
    )
    for a, b, d in zip(ahead, behind, derivative, strict=True):
        close(d, (numpy(a) - numpy(b)) / (2 * step), 2e-5)


@pytest.mark.parametrize(("name", "k"), CASES)
def test_vmap_of_jvp_is_jvp_of_vmap(name, k):
    primitive, operands, params = example(name, k)
    which = differentiable(primitive, operands)
    if not which or isinstance(primitive.batch, Undefined):
        pytest.skip("nothing to differentiate")
    function = of_some(primitive, operands, which, params)
    points = tuple(at_dim(operands[j], 0, 2) for j in which)
    if not function(*[taken(x, 0, 0) for x in points]):
        pytest.skip("no derivative")
    tangents = tuple(operand(direction(numpy(x), j)) for j, x in enumerate(points))
    _, inner = vires.vmap(lambda x, t: vires.jvp(function, x, t))(points, tangents)
    _, outer = vires.jvp(vires.vmap(function), points, tangents)
    for a, b in zip(inner, outer, strict=True):
        close(a, b, 1e-9)


#: Primitives with a first derivative only, or whose second one is no derivative of the first
#: (subgradients).
ONCE = {
    "igamma": "igamma_grad_a has no derivative in a",
    "igammac": "igamma_grad_a has no derivative in a",
}
