"""Which values are kept in memory because kernels that follow each other need them."""

from __future__ import annotations

import numpy as onp
from compiled import run, staged

import vires
import vires.numpy as np
from vires.engine.llvm.control import own_outputs
from vires.engine.llvm.expressions import walk
from vires.engine.llvm.pipeline import lower, lower_region
from vires.engine.llvm.program import Kernel

RNG = onp.random.default_rng(6)


def count(op, function, *arrays):
    """The operations of a kind in all kernels of a function."""
    builder, region, results = lower(staged(function, *arrays))
    own_outputs(builder, region, results)
    lower_region(builder, region)
    kernels = [step for step in region.steps if isinstance(step, Kernel)]
    return sum(x.op == op for kernel in kernels for x in walk(kernel.roots()))


def normal(*shape):
    return RNG.standard_normal(shape).astype("float32")


def layer(x, gain):
    centered = x - np.mean(x, -1, keepdims=True)
    scale = np.sqrt(np.mean(centered**2, -1, keepdims=True) + 1e-5)
    return np.sum(np.tanh(centered / scale * gain))


def test_a_dear_value_for_several_kernels_is_computed_once():
    gradient = vires.grad(layer, (0, 1))
    x, gain = normal(200, 130), normal(130)
    assert count("tanh", gradient, x, gain) == 1
    run(gradient, x, gain, rtol=1e-4)


def test_a_cheaper_value_is_computed_again():
    def softmax(x):
        e = np.exp(x - np.max(x, -1, keepdims=True))
        return e / np.sum(e, -1, keepdims=True)

    x = normal(300, 200)
    assert count("exp", softmax, x) == 2
    run(softmax, x, rtol=1e-5)


def test_chains_of_levels():
    def chain(x):
        y = np.tanh(x) * np.cosh(x)
        total = y
        for axis in (0, 1, 0, 1):
            total = total - y * np.sum(total, axis, keepdims=True) * 1e-3
        return total

    x = normal(64, 48)
    assert count("tanh", chain, x) == 1
    run(chain, x, rtol=1e-4)


def test_the_dear_part_is_kept_rather_than_what_is_made_of_it():
    def parts(x):
        t = np.tanh(x)
        rows = np.sum(1 + t, 1, keepdims=True)
        return (1 - t) * rows + (1 + t) * np.sum((1 + t) * rows)

    x = normal(200, 160)
    builder, region, results = lower(staged(parts, x))
    own_outputs(builder, region, results)
    lower_region(builder, region)
    kernels = [step for step in region.steps if isinstance(step, Kernel)]
    assert sum(e.op == "tanh" for kernel in kernels for e in walk(kernel.roots())) == 1
    whole = [s for kernel in kernels for s in kernel.stores if s.buffer.shape == x.shape]
    assert len(whole) == 2  # tanh, and the result
    run(parts, x, rtol=1e-3, atol=1e-1)
