"""The numbers that must come out for given keys: recorded from JAX 0.10.2 on a CPU.

`reference.json.gz` has default dtypes and four seeds; `dtypes.json.gz` other dtypes, shapes and
parameters, its x64 cases in 64-bit mode. Integers must agree exactly, floats within rounding.
"""

from __future__ import annotations

import functools
import gzip
import json
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import vires
from vires import random

FOLDER = Path(__file__).parent
#: What is allowed, in units in the last place of each number; 4 where the formula is elementary.
#: These are compositions, whose roundings add up. That of gumbel's: near 1 the outer logarithm
#: magnifies what the inner one rounds, and JAX's is off by one unit there.
ULPS = {
    "ball": 8, "beta": 16, "chisquare": 16, "dirichlet": 32, "f": 16, "gamma": 8, "gumbel": 6,
    "loggamma": 32,
}  # fmt: skip
#: Results of linear algebra, whose rounding is that of the largest element.
RELATIVE_TO_LARGEST = {"multivariate_normal": 64, "orthogonal": 256}


@functools.cache
def cases(file: str) -> dict[str, list[dict[str, Any]]]:
    by_function: dict[str, list[dict[str, Any]]] = {}
    for case in json.loads(gzip.decompress((FOLDER / file).read_bytes())):
        by_function.setdefault(case["function"], []).append(case)
    return by_function


def argument(value: Any) -> Any:
    if isinstance(value, dict):
        return vires.numpy.asarray(np.asarray(value["array"], np.dtype(value["dtype"])))
    return tuple(value) if isinstance(value, list) and all(type(v) is int for v in value) else value


def check(case: dict[str, Any]) -> None:
    function = case["function"]
    kwargs = {name: argument(value) for name, value in case["kwargs"].items()}
    if function == "PRNGKey":
        result = random.PRNGKey(case["seed"])
    else:
        result = getattr(random, function)(random.key(case["seed"]), **kwargs)
    if vires.dtypes.issubdtype(result.dtype, vires.dtypes.prng_key):
        result = random.key_data(result)
    got = np.asarray(result)
    dtype = ml_dtypes.bfloat16 if case["dtype"] == "bfloat16" else np.dtype(case["dtype"])
    whole = np.dtype(dtype).kind in "iu"
    expected = np.asarray(case["values"], dtype if whole else None)
    if case["dtype"] == "complex64":
        expected = expected[..., 0] + 1j * expected[..., 1]
    expected = expected.reshape(case["shape"]).astype(dtype)
    label = f"{function}({case['seed']}, {case['kwargs']})"
    assert (got.dtype, got.shape) == (expected.dtype, expected.shape), label
    if expected.dtype.kind in "iub":
        np.testing.assert_array_equal(got, expected, err_msg=label)
        return
    if got.dtype.kind == "c":
        got, expected = (np.stack([x.real, x.imag]) for x in (got, expected))
    info = ml_dtypes.finfo(got.dtype)
    found, wanted = got.astype(np.float64), expected.astype(np.float64)
    size = np.abs(wanted)
    if function in RELATIVE_TO_LARGEST:
        size = np.full_like(size, size.max(initial=0.0))
    unit = np.exp2(np.floor(np.log2(np.maximum(size, float(info.tiny))))) * float(info.eps)
    # The recorded float64 logarithms are off by up to 100 units in the last place.
    allowed = RELATIVE_TO_LARGEST.get(function) or ULPS.get(function, 4)
    allowed += 256 if case.get("x64") else 0
    finite = np.isfinite(wanted)
    np.testing.assert_array_equal(found[~finite], wanted[~finite], err_msg=label)
    off = np.abs(found - wanted)[finite] / unit[finite]
    assert off.max(initial=0.0) <= allowed, f"{label}: {off.max()} units: {got} for {expected}"


@pytest.mark.parametrize("function", cases("reference.json.gz"))
def test_default_dtypes(function: str) -> None:
    for case in cases("reference.json.gz")[function]:
        check(case)


@pytest.mark.parametrize("function", cases("dtypes.json.gz"))
def test_other_dtypes_and_shapes(function: str) -> None:
    for case in cases("dtypes.json.gz")[function]:
        with vires.config.override("enable_x64", True if case["x64"] else "auto"):
            check(case)
