"""Derivatives compared with finite differences, and programs with themselves written out."""

from __future__ import annotations

import numpy as onp

import vires
from vires.core import tree


def to_numpy(x):
    return tree.map(onp.asarray, x)


def assert_close(found, expected, rtol=1e-5, atol=1e-6):
    """Pytrees of one structure with nearly equal leaves of one shape."""
    assert tree.structure(found) == tree.structure(expected)
    for a, b in zip(tree.leaves(found), tree.leaves(expected), strict=True):
        assert onp.shape(a) == onp.shape(b)
        onp.testing.assert_allclose(onp.asarray(a), onp.asarray(b), rtol=rtol, atol=atol)


def like(x, rng):
    return tree.map(lambda leaf: rng.standard_normal(onp.shape(leaf)), x)


def moved(x, v, step):
    return tree.map(lambda a, b: onp.asarray(a) + step * onp.asarray(b), x, v)


def inner(x, y):
    return sum(
        float(onp.sum(onp.asarray(a) * onp.asarray(b)))
        for a, b in zip(tree.leaves(x), tree.leaves(y), strict=True)
    )


def check_derivatives(f, *args, order=2, modes=("forward", "reverse"), rtol=1e-4, step=1e-5):
    """jvp equals finite differences, vjp is its transpose; so for the pullback, `order` times.

    Arguments are float64 arrays, or pytrees of them.
    """
    rng = onp.random.default_rng(0)
    v = like(args, rng)
    numeric = tree.map(
        lambda a, b: (onp.asarray(a) - onp.asarray(b)) / (2 * step),
        f(*moved(args, v, step)),
        f(*moved(args, v, -step)),
    )
    if "forward" in modes:
        value, dot = vires.jvp(f, args, v)
        assert_close(value, to_numpy(f(*args)), rtol=1e-10, atol=1e-12)
        assert_close(dot, numeric, rtol=rtol, atol=1e-6)
    if "reverse" in modes:
        value, pull = vires.vjp(f, *args)
        assert_close(value, to_numpy(f(*args)), rtol=1e-10, atol=1e-12)
        ct = like(value, rng)
        onp.testing.assert_allclose(inner(pull(ct), v), inner(numeric, ct), rtol=rtol, atol=1e-6)
        if order > 1:
            check_derivatives(
                lambda *xs: vires.vjp(f, *xs)[1](ct),
                *args,
                order=order - 1,
                modes=modes,
                rtol=rtol,
                step=step,
            )


def check_vmap(f, *args, in_axes=0, rtol=1e-6):
    """vmap equals a Python loop. Arguments with axis 0 are mapped where in_axes says 0."""
    axes = (in_axes,) * len(args) if isinstance(in_axes, int) else in_axes
    size = next(tree.leaves(a)[0].shape[0] for a, d in zip(args, axes, strict=True) if d == 0)
    rows = [
        to_numpy(
            f(
                *(
                    tree.map(lambda x: x[i], a) if d == 0 else a
                    for a, d in zip(args, axes, strict=True)
                )
            )
        )
        for i in range(size)
    ]
    expected = tree.map(lambda *leaves: onp.stack(leaves), *rows)
    assert_close(vires.vmap(f, in_axes)(*args), expected, rtol=rtol)
    assert_close(vires.jit(vires.vmap(f, in_axes))(*args), expected, rtol=rtol)
