"""Elementwise references against NumPy on every dtype, with the edge cases that definitions fix."""

from __future__ import annotations

import numpy as np
import pytest

import vires
from vires import _native
from vires.core import dtypes
from vires.core.primitive import PRIMITIVES
from vires.ops import bits, compare, elementwise, math, select
from vires.ops import complex as parts

NARROW = [np.dtype(np.float16), dtypes.bfloat16, *dtypes.FLOAT8]
FLOATS = [np.dtype(np.float32), np.dtype(np.float64), *NARROW]
INTEGERS = [np.dtype(f"{s}{w}") for s in "iu" for w in (1, 2, 4, 8)]
SPECIAL = np.array([0.0, -0.0, 1, -1, 2.5, -2.5, np.inf, -np.inf, np.nan])


@pytest.fixture(autouse=True)
def reference_engine():
    with vires.config.override("engine", "reference"):
        yield


def array(x):
    return _native.from_numpy(np.asarray(x))


def value(x):
    return np.asarray(x._numpy())


def pairs(dtype):
    x, y = (g.ravel() for g in np.meshgrid(SPECIAL, SPECIAL, indexing="ij"))
    return x.astype(dtype), y.astype(dtype)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("name", ["add", "sub", "mul", "div", "max", "min"])
def test_float_arithmetic_is_rounded_once(name, dtype):
    x, y = pairs(dtype)
    wide = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide,
            "max": np.maximum, "min": np.minimum}[name]  # fmt: skip
    with np.errstate(all="ignore"):
        expected = wide(x.astype(np.float64), y.astype(np.float64)).astype(dtype)
    actual = PRIMITIVES[name].reference(x, y)
    assert actual.dtype == dtype
    np.testing.assert_array_equal(actual.astype(np.float64), expected.astype(np.float64))


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
def test_integer_division_never_traps(dtype):
    info = np.iinfo(dtype)
    values = np.array([info.min, info.max, 0, 1, 7, info.max - 6], dtype)
    if info.min:
        values = np.append(values, np.array([-1, -7], dtype))
    x, y = (g.ravel() for g in np.meshgrid(values, values))
    quotient, remainder = elementwise.div.reference(x, y), elementwise.rem.reference(x, y)
    assert quotient.dtype == remainder.dtype == dtype
    for a, b, q, r in zip(
        x.tolist(), y.tolist(), quotient.tolist(), remainder.tolist(), strict=True
    ):
        if b == 0:
            assert (q, r) == (-1 if info.min else info.max, a)
            continue
        exact = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
        assert q == (exact if exact <= info.max else info.min)
        assert r == a - exact * b


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
def test_integers_wrap_around(dtype):
    top = np.array([np.iinfo(dtype).max], dtype)
    one = np.array([1], dtype)
    assert elementwise.add.reference(top, one)[0] == np.iinfo(dtype).min
    bottom = np.array([np.iinfo(dtype).min], dtype)
    assert elementwise.neg.reference(bottom)[0] == np.iinfo(dtype).min
    assert elementwise.abs.reference(bottom)[0] == np.iinfo(dtype).min


def test_rounding_of_halves():
    x = np.array([0.5, 1.5, 2.5, -0.5, -1.5, 0.49999999999999994, -0.2, np.inf, np.nan])
    away = elementwise.round.reference(x, rounding_method=elementwise.RoundingMethod.AWAY_FROM_ZERO)
    even = elementwise.round.reference(
        x, rounding_method=elementwise.RoundingMethod.TO_NEAREST_EVEN
    )
    np.testing.assert_array_equal(away, [1, 2, 3, -1, -2, 0, -0.0, np.inf, np.nan])
    np.testing.assert_array_equal(even, np.rint(x))
    assert np.signbit(away[6])


def test_sign_keeps_zeros_and_nan():
    out = elementwise.sign.reference(SPECIAL)
    np.testing.assert_array_equal(out, np.sign(SPECIAL))
    assert np.signbit(out[1]) and not np.signbit(out[0])
    z = np.array([3 + 4j, 0, -2j])
    np.testing.assert_allclose(elementwise.sign.reference(z), [0.6 + 0.8j, 0, -1j])


@pytest.mark.parametrize("name", ["eq", "ne", "lt", "le", "gt", "ge"])
def test_comparisons_are_ieee(name):
    x, y = pairs(np.float32)
    expected = {"eq": x == y, "ne": x != y, "lt": x < y, "le": x <= y, "gt": x > y, "ge": x >= y}[
        name
    ]
    np.testing.assert_array_equal(PRIMITIVES[name].reference(x, y), expected)


def test_total_order():
    x = np.array([np.nan, np.inf, 1, 0.0, -0.0, -1, -np.inf, -np.nan], np.float32)
    x[-1] = np.copysign(np.float32(np.nan), np.float32(-1))
    for k in range(len(x) - 1):
        assert compare.lt_to.reference(x[k + 1 : k + 2], x[k : k + 1])[0]
        assert not compare.le_to.reference(x[k : k + 1], x[k + 1 : k + 2])[0]
        assert compare.eq_to.reference(x[k : k + 1], x[k : k + 1])[0]


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
def test_bits(dtype):
    random = np.random.RandomState(0)
    info = np.iinfo(dtype)
    x = random.randint(info.min, int(info.max) + 1, 50, dtype=dtype)
    width = dtype.itemsize * 8
    unsigned = [int(v) % (1 << width) for v in x]
    assert bits.population_count.reference(x).tolist() == [bin(v).count("1") for v in unsigned]
    assert bits.clz.reference(x).tolist() == [width - v.bit_length() for v in unsigned]
    for amount in (0, 1, width - 1, width, width + 3):
        y = np.full(50, amount, dtype)
        wrap = lambda v: int(np.array([v % (1 << width)], np.uint64).astype(dtype)[0])
        assert bits.shift_left.reference(x, y).tolist() == [wrap(v << amount) for v in unsigned]
        assert bits.shift_right_logical.reference(x, y).tolist() == [
            wrap(v >> amount) for v in unsigned
        ]
        signed = [v - (1 << width) if v >> (width - 1) else v for v in unsigned]
        assert bits.shift_right_arithmetic.reference(x, y).tolist() == [
            wrap(v >> amount) for v in signed
        ]
    other = x[::-1].copy()
    products = [(int(a) * int(b)) >> width for a, b in zip(x, other, strict=True)]
    assert bits.mulhi.reference(x, other).tolist() == products


def test_select_n_takes_the_nearest_case_outside():
    cases = [np.full(4, k) for k in range(3)]
    which = np.array([-5, 0, 2, 9], np.int32)
    assert select.select_n.reference(which, *cases).tolist() == [0, 0, 2, 2]
    assert select.select_n.reference(np.array(9, np.int32), *cases).tolist() == [2] * 4


def test_functions_of_narrow_floats_are_rounded_from_float32():
    for dtype in NARROW:
        x = np.array([0.5, 1, 2], dtype)
        out = math.sin.reference(x)
        assert out.dtype == dtype
        np.testing.assert_array_equal(
            out, np.sin(x.astype(np.float64)).astype(np.float32).astype(dtype)
        )


# --- types


def test_weak_operands_make_weak_results_only_together():
    weak, strong = _native.from_numpy(np.float32(1), weak_type=True), array(np.float32(2))
    assert elementwise.add(weak, weak).aval.weak_type
    assert not elementwise.add(weak, strong).aval.weak_type
    assert not compare.lt(weak, weak).aval.weak_type
    assert elementwise.abs(weak).aval.weak_type


def test_complex_parts_have_real_dtypes():
    z = array(np.complex64([1 + 2j]))
    assert parts.real(z).dtype == parts.imag(z).dtype == elementwise.abs(z).dtype == np.float32
    assert parts.complex(array(np.float64([1])), array(np.float64([2]))).dtype == np.complex128


# --- errors


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: elementwise.add(array(np.ones(3, np.float32)), array(np.ones(3, np.int32))),
            "add: needs operands of one dtype; got float32[3] and int32[3]; try x.astype(float32)",
        ),
        (
            lambda: elementwise.add(
                array(np.ones(3, np.float32)), array(np.ones((3, 1), np.float32))
            ),
            "add: needs operands of one shape; got float32[3] and float32[3,1]; try vires.numpy, "
            "whose "
            "functions broadcast, or lax.broadcast_in_dim",
        ),
        (
            lambda: math.sin(array(np.arange(3))),
            "sin: needs a float or complex dtype; got int64[3]; try x.astype(float32)",
        ),
        (
            lambda: bits.not_(array(np.ones(2))),
            "not: needs a bool or integer dtype; got float64[2]; try x.astype(int32)",
        ),
        (
            lambda: compare.lt(array(np.ones(2, np.complex64)), array(np.ones(2, np.complex64))),
            "lt: needs a bool, integer or float dtype; got complex64[2]; try x.real",
        ),
        (
            lambda: math.integer_pow(array(np.arange(3)), y=-1),
            "integer_pow: needs a float or complex base for a negative exponent; got int64[3] to "
            "the -1; "
            "try x.astype(float32)",
        ),
        (
            lambda: select.select_n(array(np.ones(2)), array(np.ones(2)), array(np.ones(2))),
            "select_n: needs a bool or int32 selector; got float64[2]; try which.astype(int32)",
        ),
        (
            lambda: select.select_n(array(np.array([True])), array(np.ones(2)), array(np.ones(2))),
            "select_n: needs a selector that is 0-d or has the shape of the cases; got bool[1] "
            "and float64[2]",
        ),
        (
            lambda: elementwise.clamp(array(np.ones(2)), array(np.ones(3)), array(np.ones(()))),
            "clamp: needs bounds that are 0-d or have the shape of x; got float64[2], float64[3] "
            "and float64[]",
        ),
        (
            lambda: math.pow(array(np.ones(2, np.float32)), array(np.ones(2))),
            "pow: needs an exponent of the base's dtype or an integer one; got float32[2] and "
            "float64[2]",
        ),
    ],
)
def test_errors_say_what_is_needed(call, message):
    with pytest.raises(TypeError) as info:
        call()
    assert str(info.value) == message


# --- derivatives at the points where conventions decide


def gradient(function, *xs):
    points = tuple(array(np.float64(x)) for x in xs)
    _, pull = vires.vjp(function, *points)
    return [float(g) for g in pull(array(np.float64(1)))]


def test_derivatives_at_kinks():
    assert gradient(elementwise.abs, 0.0) == [1.0]
    assert gradient(elementwise.abs, -2.0) == [-1.0]
    assert gradient(elementwise.max, 1.0, 1.0) == [0.5, 0.5]
    assert gradient(elementwise.min, 1.0, 2.0) == [1.0, 0.0]
    assert gradient(elementwise.sign, 3.0) == [0.0]
    assert gradient(elementwise.floor, 0.5) == [0.0]
    assert gradient(elementwise.clamp, 1.0, 1.0, 3.0) == [0.0, 0.0, 0.0]
    assert gradient(elementwise.clamp, 0.0, 1.0, 3.0) == [0.0, 1.0, 0.0]
    assert gradient(elementwise.rem, -7.0, 2.0) == [1.0, 3.0]


def test_derivatives_of_powers_at_zero():
    assert gradient(math.pow, 0.0, 2.0) == [0.0, 0.0]
    assert gradient(math.pow, 0.0, 1.0) == [1.0, 0.0]
    assert gradient(math.pow, 0.0, 0.0) == [0.0, 0.0]
    assert gradient(math.pow, 0.0, 0.5) == [np.inf, 0.0]
    assert gradient(math.sqrt, 0.0) == [np.inf]
    assert gradient(lambda x: math.integer_pow(x, y=0), 0.0) == [0.0]
    assert gradient(lambda x: math.integer_pow(x, y=2), 0.0) == [0.0]
    assert gradient(math.logistic, 1000.0) == [0.0]


def test_complex_derivatives_are_without_conjugation():
    z = array(np.complex128(1 + 2j))
    out, pull = vires.vjp(lambda z: elementwise.mul(z, parts.conj(z)), z)
    assert out.item() == 5
    # the cotangent w pairs with dz as Re(w dz): w = 2 conj(z) for |z|^2
    assert pull(array(np.complex128(1)))[0].item() == 2 - 4j
    assert vires.vjp(parts.real, z)[1](array(np.float64(1)))[0].item() == 1
    assert vires.vjp(parts.imag, z)[1](array(np.float64(1)))[0].item() == -1j


def test_integers_have_no_tangents():
    x = array(np.arange(3))
    _, tangent = vires.jvp(
        lambda y: elementwise.mul(y, array(np.ones(3))), (array(np.ones(3)),), (array(np.ones(3)),)
    )
    assert tangent.dtype == np.float64
    _, tangent = vires.jvp(
        compare.lt, (array(np.ones(3)), array(np.zeros(3))), (array(np.ones(3)), array(np.ones(3)))
    )
    assert np.asarray(tangent).dtype == dtypes.float0
    assert value(x).tolist() == [0, 1, 2]
