"""Programs that random ones were cut down to, each of which the compiler once got wrong."""

from __future__ import annotations

import numpy as onp
import pytest

import vires
import vires.numpy as np
from vires import lax


def _normal(*shape, dtype="float32"):
    return onp.random.default_rng(0).standard_normal(shape).astype(dtype)


def _narrowed(x):
    return x.astype("uint8").astype("int32")


def _reversed_product(x):
    y = np.arctan(x)
    return y, lax.cumprod(y, axis=2, reverse=True)


def _product_twice(x):
    return np.tensordot(x, x, 3), np.einsum("...i,...j->...ij", x, x)


def _windows_and_source(x):
    y = x / 1e-3
    window = (2, 1, 1)
    return y.reshape(4, 2), lax.reduce_window(y, 0.0, lax.add, window, window, "VALID")


def _view_of_view(x):
    return x.reshape(1)[0], x


def _argmax_in_loop(x):
    def body(carry, y):
        return np.tanh(carry * np.argmax(carry).astype("float32")), y

    return lax.scan(body, x, x)


def _pad_of_nothing_in_loop(x):
    def body(carry, y):
        return carry * 0.5, np.pad(carry, [(1, 0), (2, 2)])

    return lax.scan(body, x, np.arange(3.0))


CASES = {
    "a conversion that loses something is kept": (_narrowed, onp.array([5, -2, 300], "int32")),
    "a reversed product reads what another kernel stores": (_reversed_product, _normal(2, 2, 3)),
    "a product is a term of a sum and a result": (_product_twice, _normal(1, 35, 1)),
    "windows read what another kernel stores": (_windows_and_source, _normal(2, 2, 2)),
    "a view of a view of an argument": (_view_of_view, onp.float32(-1.5)),
    "the place of an extreme, of carried values": (_argmax_in_loop, _normal(4)),
    "an empty value in registers": (_pad_of_nothing_in_loop, onp.zeros((3, 0), "float32")),
}


@pytest.mark.parametrize("name", CASES)
def test_found(name):
    function, x = CASES[name]
    results = vires.tree_util.tree_leaves(vires.jit(function)(x))
    with vires.config.override("engine", "reference"):
        expected = vires.tree_util.tree_leaves(vires.jit(function)(x))
    for found, wanted in zip(results, expected, strict=True):
        onp.testing.assert_allclose(onp.asarray(found), onp.asarray(wanted), rtol=2e-5, atol=1e-6)


def test_narrowing_wraps_around():
    x = onp.array([5, -2, 300], "int32")
    onp.testing.assert_array_equal(onp.asarray(vires.jit(_narrowed)(x)), [5, 254, 44])
