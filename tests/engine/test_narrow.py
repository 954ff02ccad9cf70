"""Comparisons of indices in 32 bits: where these hold the indices, and only there."""

from __future__ import annotations

import numpy as onp
import pytest

import vires
import vires.numpy as np
from vires import _native
from vires.engine.llvm import codes, placement

SIZE = 64


@pytest.fixture
def narrowed(monkeypatch):
    """The comparisons that are done in 32 bits, of programs that are compiled anew."""
    found = []
    plan = placement.Placement._plan

    def recorded(self):
        plan(self)
        found.extend(x.op for x in self.narrow)

    monkeypatch.setattr(placement.Placement, "_plan", recorded)
    monkeypatch.setattr(codes, "_codes", {})
    return found


def check(condition):
    """The elements of a matrix where a condition on its indices holds."""
    x = onp.arange(1, SIZE * SIZE + 1, dtype="float32").reshape(SIZE, SIZE)

    def function(np, x):
        i = np.arange(SIZE, dtype="int64")
        return np.where(condition(i[:, None], i[None, :]), x, -x)

    found = vires.jit(lambda x: function(np, x))(x)
    onp.testing.assert_array_equal(found, function(onp, x))


SMALL = {
    "triangle": lambda i, j: i >= j,
    "strides": lambda i, j: j * 3 > i * 2,
    "negative": lambda i, j: -5 * j <= -i,
    "equal": lambda i, j: i == j,
    "up to the limit": lambda i, j: j * 2**24 > i + 2**29,
}
BEYOND = {
    "a multiple": lambda i, j: j * 2**31 > 5 + i * 0,
    "a negative multiple": lambda i, j: j * -(2**31) < -5 + i * 0,
    "the other side": lambda i, j: i < j * 2**32,
    "one row": lambda i, j: j * 2**27 > j + 2**32,
    "a row and a column": lambda i, j: i * 2**27 > j * 2**28,
    "equal but for the high half": lambda i, j: j == i * 2**32,
}


@pytest.mark.parametrize("name", SMALL)
def test_small_indices_are_compared_in_32_bits(name, narrowed):
    check(SMALL[name])
    assert narrowed or _native.vector_bytes() < 32  # then there are too few lanes


@pytest.mark.parametrize("name", BEYOND)
def test_indices_beyond_32_bits_are_not(name, narrowed):
    check(BEYOND[name])
    assert not narrowed
