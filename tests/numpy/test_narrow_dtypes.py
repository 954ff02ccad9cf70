"""The dtypes of at most 8 bits: their values, arithmetic and conversions are those of ml_dtypes."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

import vires
import vires.numpy as vnp
from vires import lax
from vires.core import dtypes
from vires.errors import TypePromotionError

FLOATS = [d.name for d in dtypes.FLOAT8]
INTEGERS = ["int2", "uint2", "int4", "uint4"]
NAMES = FLOATS + INTEGERS


@pytest.fixture(params=["llvm", "reference"])
def engine(request):
    before = vires.config.engine
    vires.config.update("engine", request.param)
    yield request.param
    vires.config.update("engine", before)


def every_value(name):
    bits = vires.dtypes.itemsize_bits(name)
    return np.arange(1 << bits, dtype=np.uint8).view(getattr(ml_dtypes, name))


def wide(x):
    return x.astype(np.int32 if x.dtype.name in INTEGERS else np.float32)


ANY = {
    "neg": (lambda x, y: -x, lambda x, y: -x),
    "add": (lambda x, y: x + y, lambda x, y: x + y),
    "mul": (lambda x, y: x * y, lambda x, y: x * y),
    "max": (vnp.maximum, np.maximum),
    "lt": (lambda x, y: x < y, lambda x, y: x < y),
    "largest": (lambda x, y: vnp.max(x), lambda x, y: np.max(x)),
    "smallest": (lambda x, y: vnp.min(x), lambda x, y: np.min(x)),
    "sort": (lambda x, y: vnp.sort(x), lambda x, y: np.sort(x)),
    "argsort": (lambda x, y: vnp.argsort(x), lambda x, y: np.argsort(x, kind="stable")),
    "argmax": (lambda x, y: vnp.argmax(x), lambda x, y: np.argmax(x)),
    "cummax": (lambda x, y: lax.cummax(x), lambda x, y: np.maximum.accumulate(x)),
    "count": (lambda x, y: vnp.count_nonzero(x), lambda x, y: np.count_nonzero(x)),
    "bool": (lambda x, y: x.astype(bool), lambda x, y: x.astype(bool)),
}
FLOATING = {
    "div": (lambda x, y: x / y, lambda x, y: x / y),
    "sqrt": (lambda x, y: vnp.sqrt(x), lambda x, y: np.sqrt(x)),
    "isnan": (lambda x, y: vnp.isnan(x), lambda x, y: np.isnan(x)),
}
INTEGRAL = {
    "and": (lambda x, y: x & y, lambda x, y: x & y),
    "not": (lambda x, y: ~x, lambda x, y: ~x),
    "sum": (lambda x, y: vnp.sum(x, dtype="int32"), lambda x, y: np.sum(x)),
}


@pytest.mark.parametrize("name", NAMES)
def test_arithmetic_rounds_once(name, engine):
    random = np.random.default_rng(0)
    x, y = (random.choice(every_value(name), 64) for _ in range(2))
    for function, truth in (ANY | (INTEGRAL if name in INTEGERS else FLOATING)).values():
        with np.errstate(all="ignore"):
            expected = np.asarray(truth(wide(x), wide(y)))
        for run in (function, vires.jit(function)):
            found = np.asarray(run(vnp.asarray(x), vnp.asarray(y)))
            with np.errstate(all="ignore"):
                rounded = expected.astype(x.dtype) if found.dtype == x.dtype else expected
            np.testing.assert_array_equal(wide(found), wide(rounded))


@pytest.mark.parametrize("source", [*NAMES, "bfloat16", "float16"])
@pytest.mark.parametrize("target", FLOATS)
def test_conversions_are_those_of_ml_dtypes(source, target, engine):
    if source in NAMES:
        x = every_value(source)
    else:
        x = np.random.default_rng(0).integers(0, 1 << 16, 999, np.uint16)
        x = x.view(np.dtype(getattr(ml_dtypes, source, source)))
    with np.errstate(all="ignore"):
        expected = wide(x).astype(getattr(ml_dtypes, target))

    def convert(x):
        return x.astype(target)

    for run in (convert, vires.jit(convert)):
        found = np.asarray(run(vnp.asarray(x)))
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(wide(found), wide(expected))


@pytest.mark.parametrize("name", NAMES)
def test_arrays(name):
    x = every_value(name)
    a = vnp.asarray(x, dtype=getattr(vnp, name))
    assert a.dtype == getattr(vnp, name) == name
    np.testing.assert_array_equal(np.array(a.tolist()), wide(x))
    assert repr(vnp.ones(2, name)) == f"Array([1, 1], dtype={name})"
    assert vnp.ones((), name).item() == 1
    assert vires.jit(lambda x: x + 1)(vnp.ones(2, name)).dtype == name
    assert (vnp.ones(2, name) + True).dtype == name


@pytest.mark.parametrize("name", INTEGERS)
def test_sums_wrap_around(name, engine):
    x = np.ones(21, getattr(ml_dtypes, name))
    for function, truth in ((lambda x: vnp.sum(x, dtype=name), np.sum), (vnp.cumsum, np.cumsum)):
        expected = truth(x.astype(np.int32)).astype(x.dtype)
        for run in (function, vires.jit(function)):
            found = np.asarray(run(vnp.asarray(x)))
            if found.dtype == x.dtype:
                np.testing.assert_array_equal(wide(found), wide(expected))
    for run in (lax.cumsum, vires.jit(lax.cumsum)):
        found = np.asarray(run(x))
        np.testing.assert_array_equal(
            wide(found), wide(np.cumsum(x.astype(np.int32)).astype(x.dtype))
        )


def test_promotion():
    """The narrowest dtypes meet weak scalars and bools only, floats of 8 bits integers too."""
    for name in ("int2", "uint2"):
        assert vnp.promote_types(name, "bool") == name
        for other in ("int4", "int8", "int32", "float32", "float8_e5m2", "uint2", "int2"):
            if other != name:
                with pytest.raises(TypePromotionError, match="needs dtypes with a common wider"):
                    vnp.promote_types(name, other)
        with pytest.raises(TypePromotionError):
            vnp.ones(2, name) + 1.5
    for name in ("float8_e3m4", "float8_e4m3", "float8_e8m0fnu", "float4_e2m1fn"):
        for other in ("bool", "int8", "uint8", "int64", "uint64"):
            assert vnp.promote_types(name, other) == name
        for other in ("float16", "bfloat16", "float32", "complex64", "float8_e5m2"):
            with pytest.raises(TypePromotionError):
                vnp.promote_types(name, other)
        assert (vnp.ones(2, name) * 1.5).dtype == name


@pytest.mark.parametrize("name, value", [("int2", 2), ("int4", 8), ("uint4", 16), ("int4", -9)])
def test_an_integer_that_does_not_fit(name, value):
    for run in (lambda x: x + value, vires.jit(lambda x: x + value)):
        with pytest.raises(OverflowError, match=f"needs an integer that fits {name}; got {value}"):
            run(vnp.ones(2, name))


def test_what_fits_wraps_around():
    assert (vnp.ones(2, "int2") + 1).tolist() == [-2, -2]
    assert (vnp.zeros(1, "uint2") - 1).tolist() == [3]


@pytest.mark.parametrize("name", ["int2", "uint2", "int4", "uint4"])
def test_products_of_matrices_wrap(name):
    """Modulo their few bits, as sums of integers do, and not in the range of a float."""
    low, high = (-2, 2) if name.startswith("i") else (0, 4)
    a = np.random.default_rng(3).integers(low, high, (21, 40))
    wide = (a @ a.T) & ((1 << int(name[-1])) - 1)
    x = vnp.array(a, dtype=name)
    for product in (x @ x.T, vires.jit(lambda x: x @ x.T)(x)):
        assert product.dtype == name
        bits = np.asarray(product).astype(int) & ((1 << int(name[-1])) - 1)
        assert (bits == wide).all()
