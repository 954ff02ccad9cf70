"""Every engine gives what the reference gives, for each dtype that a primitive accepts."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from examples import ELSEWHERE, examples, operand
from examples_elementwise import _PARAMS, _operands

import vires
import vires.lax
from vires.core import dtypes
from vires.core.primitive import PRIMITIVES, flat_results
from vires.engine import engine
from vires.ops.convert import IEEE
from vires.ops.families import Elementwise

ENGINES = [name for name in sorted(engine._makers) if name != "reference"]
NAMES = sorted(
    name for name in PRIMITIVES if name not in ELSEWHERE and not name.startswith("test_")
)
ELEMENTWISE = [name for name in NAMES if isinstance(PRIMITIVES[name], Elementwise)]
#: The examples of elementwise primitives are among the dtypes and values below.
CASES = [(name, k) for name in NAMES if name not in ELEMENTWISE for k in range(len(examples(name)))]

#: Where more than 4 units in the last place are allowed, relative to the result.
ULPS = {
    "pow": 8,
    "lgamma": 64,
    "digamma": 64,
    "polygamma": 64,
    "zeta": 64,
    "igamma": 1e5,
    "igammac": 1e5,
    "igamma_grad_a": 1e6,
    "random_gamma_grad": 1e6,
    "regularized_incomplete_beta": 1e6,
    "bessel_i0e": 16,
    "bessel_i1e": 16,
    "erf_inv": 64,
    "erfc": 16,
}

#: Functions with roots inside their domain, and sums of terms of size 1 that may cancel: an error
#: relative to 1 is allowed, in units in the last place of 1.
NEAR_ROOTS = {"lgamma": 16, "digamma": 16, "polygamma": 16, "conv_general_dilated": 16}


def run(name: str, operands: Any, params: dict[str, Any], on: str) -> list[np.ndarray]:
    primitive = PRIMITIVES[name]
    with vires.config.override("engine", on):
        compiled = vires.jit(lambda *xs: tuple(flat_results(primitive, primitive(*xs, **params))))
        return [x._numpy() for x in compiled(*map(operand, operands))]


def wide(x: np.ndarray) -> np.ndarray:
    return x.astype(np.complex128 if x.dtype.kind == "c" else np.float64)


def agree(name: str, actual: list[np.ndarray], expected: list[np.ndarray]) -> None:
    for a, e in zip(actual, expected, strict=True):
        assert a.shape == e.shape and a.dtype == e.dtype
        kind = dtypes.kind(a.dtype)
        if kind not in ("float", "complex"):
            np.testing.assert_array_equal(a, e)
            continue
        resolution = float(ml_dtypes.finfo(dtypes.real_of(a.dtype)).eps)
        smallest = float(ml_dtypes.finfo(dtypes.real_of(a.dtype)).tiny)
        np.testing.assert_allclose(
            wide(a),
            wide(e),
            rtol=ULPS.get(name, 4) * resolution,
            atol=max(smallest, NEAR_ROOTS.get(name, 0) * resolution),
        )


@pytest.mark.parametrize("on", ENGINES)
@pytest.mark.parametrize(("name", "k"), CASES)
def test_engine_is_the_reference(name, k, on):
    operands, params = examples(name)[k]
    agree(name, run(name, operands, params, on), run(name, operands, params, "reference"))


def all_dtypes(name: str) -> list[Any]:
    return [d for d in dtypes.CODES if d in PRIMITIVES[name].accepts and not dtypes.is_key(d)]


@pytest.mark.parametrize("on", ENGINES)
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_engine_is_the_reference_for_every_dtype(name, on):
    if name in ("reduce_precision", "convert_element_type"):
        pytest.skip("its parameters depend on the dtype: tested below")
    arity = PRIMITIVES[name].arity
    for dtype in all_dtypes(name):
        operands = _operands(name, arity, dtype, (3, 5))
        for params in _PARAMS.get(name, [{}]):
            agree(name, run(name, operands, params, on), run(name, operands, params, "reference"))


SPECIAL = np.array(
    [
        0.0,
        -0.0,
        1.0,
        -1.0,
        0.5,
        -0.5,
        2.5,
        -2.5,
        np.inf,
        -np.inf,
        np.nan,
        1e-40,
        -1e-40,
        1e38,
        -1e38,
    ]
)


@pytest.mark.parametrize("on", ENGINES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_engine_is_the_reference_at_special_values(name, dtype, on):
    primitive = PRIMITIVES[name]
    if np.dtype(dtype) not in primitive.accepts or name in (
        "reduce_precision",
        "convert_element_type",
    ):
        pytest.skip("takes no floats, or parameters of its own")
    grids = np.meshgrid(
        *[SPECIAL if primitive.arity < 3 else SPECIAL[::2]] * primitive.arity, indexing="ij"
    )
    operands = [g.ravel().astype(dtype) for g in grids]
    for params in _PARAMS.get(name, [{}]):
        agree(name, run(name, operands, params, on), run(name, operands, params, "reference"))


@pytest.mark.parametrize("on", ENGINES)
@pytest.mark.parametrize("source", all_dtypes("convert_element_type"), ids=str)
def test_conversions_of_engines_are_those_of_the_reference(source, on):
    values = np.array([0, 1, 2, 100, -3, 200, 70000, 2.5, np.inf, -np.inf, np.nan, 1e10, -1e10])
    with np.errstate(all="ignore"):
        x = values.astype(source) if dtypes.is_inexact(source) else values[:7].astype(int)
        x = x.astype(source)
    for target in all_dtypes("convert_element_type"):
        params = {"new_dtype": target, "weak_type": False}
        name = "convert_element_type"
        agree(name, run(name, [x], params, on), run(name, [x], params, "reference"))


@pytest.mark.parametrize("on", ENGINES)
@pytest.mark.parametrize("dtype", [d for d in dtypes.CODES if d in IEEE], ids=str)
def test_reduced_precision_of_engines_is_that_of_the_reference(dtype, on):
    values = np.concatenate([np.random.RandomState(0).standard_normal(50) * 100, SPECIAL])
    with np.errstate(over="ignore"):
        x = values.astype(dtype)
    for exponent_bits, mantissa_bits in ((5, 2), (4, 3), (3, 0), (5, 7)):
        params = {"exponent_bits": exponent_bits, "mantissa_bits": mantissa_bits}
        name = "reduce_precision"
        agree(name, run(name, [x], params, on), run(name, [x], params, "reference"))
