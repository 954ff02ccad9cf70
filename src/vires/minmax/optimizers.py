"""Optimisers: stochastic gradient descent and its relatives.

In the formulas g is the gradient, x the parameter, a the step size and i the step number, from 0.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy

import vires.numpy as np
from vires import tree_util
from vires.minmax.schedules import make_schedule
from vires.minmax.state import first, itself
from vires.minmax.trees import ArrayRules, optimizer


def _one_minus_power(base: Any, step: Any, x: Any) -> Any:
    """1 - base**(step + 1), the weight that a mean started at zero lacks.

    By expm1, since 1 - 0.999**1 in float32 is wrong in the fifth digit.
    """
    if isinstance(step, (int, numpy.integer)) and isinstance(base, (int, float)):
        return 1 - base ** (int(step) + 1)
    log_base = math.log(base) if isinstance(base, (int, float)) and base > 0 else np.log(base)
    return -np.expm1(np.asarray(step + 1).astype(x.real.dtype) * log_base)


def _fraction(value: Any, name: str, argument: str) -> Any:
    """A decay rate: of [0, 1) when it is a Python number."""
    if isinstance(value, (int, float)) and not 0 <= value < 1:
        raise ValueError(f"{name}: needs {argument} in [0, 1); got {value}")
    return value


def _inverse_root(x: Any) -> Any:
    """1 / sqrt(x) where x > 0, else 0."""
    positive = x > 0
    return np.where(positive, 1 / np.sqrt(np.where(positive, x, 1)), 0)


def _square(g: Any) -> Any:
    """|g|**2"""
    return np.square(np.abs(g)) if np.iscomplexobj(g) else np.square(g)


@optimizer
def sgd(step_size: Any) -> ArrayRules:
    """Stochastic gradient descent: x - a g.

    Args:
        step_size: a number, or a function of the step number.

    >>> from vires import minmax
    >>> opt_init, opt_update = minmax.sgd(0.5)
    >>> minmax.get_params(opt_update(0, 2.0, opt_init(3.0)))
    Array(2., dtype=float32)
    """
    schedule = make_schedule(step_size)

    def update(i: Any, g: Any, x: Any) -> Any:
        return x - schedule(i) * g

    return itself, update, itself


@optimizer
def momentum(step_size: Any, mass: Any) -> ArrayRules:
    """Descent with momentum: v' = mass v + g, x - a v'.

    Args:
        step_size: a number, or a function of the step number.
        mass: the share of the velocity that remains at each step.
    """
    schedule = make_schedule(step_size)

    def init(x: Any) -> Any:
        return x, np.zeros_like(x)

    def update(i: Any, g: Any, state: Any) -> Any:
        x, velocity = state
        velocity = mass * velocity + g
        return x - schedule(i) * velocity, velocity

    return init, update, first


@optimizer
def nesterov(step_size: Any, mass: Any) -> ArrayRules:
    """Nesterov's momentum: v' = mass v + g, x - a (mass v' + g).

    Args:
        step_size: a number, or a function of the step number.
        mass: the share of the velocity that remains at each step.
    """
    schedule = make_schedule(step_size)

    def init(x: Any) -> Any:
        return x, np.zeros_like(x)

    def update(i: Any, g: Any, state: Any) -> Any:
        x, velocity = state
        velocity = mass * velocity + g
        return x - schedule(i) * (mass * velocity + g), velocity

    return init, update, first


@optimizer
def adagrad(step_size: Any, momentum: Any = 0.9) -> ArrayRules:
    """Adagrad: steps divided by the root of the sum of all squared gradients, with momentum.

    s' = s + g**2, m' = (1 - momentum) g / sqrt(s') + momentum m, x - a m'.

    Args:
        step_size: a number, or a function of the step number.
        momentum: the share of the velocity that remains at each step.
    """
    schedule = make_schedule(step_size)
    _fraction(momentum, "adagrad", "momentum")

    def init(x: Any) -> Any:
        return x, np.zeros_like(x.real), np.zeros_like(x)

    def update(i: Any, g: Any, state: Any) -> Any:
        x, total, m = state
        total = total + _square(g)
        m = (1 - momentum) * (g * _inverse_root(total)) + momentum * m
        return x - schedule(i) * m, total, m

    return init, update, first


@optimizer
def rmsprop(step_size: Any, gamma: Any = 0.9, eps: Any = 1e-8) -> ArrayRules:
    """RMSProp: s' = gamma s + (1 - gamma) g**2, x - a g / sqrt(s' + eps).

    Args:
        step_size: a number, or a function of the step number.
        gamma: decay rate of the mean of squares.
        eps: added to the mean of squares.
    """
    schedule = make_schedule(step_size)
    _fraction(gamma, "rmsprop", "gamma")

    def init(x: Any) -> Any:
        return x, np.zeros_like(x.real)

    def update(i: Any, g: Any, state: Any) -> Any:
        x, mean = state
        mean = mean * gamma + _square(g) * (1 - gamma)
        return x - schedule(i) * g / np.sqrt(mean + eps), mean

    return init, update, first


@optimizer
def rmsprop_momentum(
    step_size: Any, gamma: Any = 0.9, eps: Any = 1e-8, momentum: Any = 0.9
) -> ArrayRules:
    """RMSProp with momentum: m' = momentum m + a g / sqrt(s' + eps), x - m'; s as in `rmsprop`.

    Args:
        step_size: a number, or a function of the step number.
        gamma: decay rate of the mean of squares.
        eps: added to the mean of squares.
        momentum: the share of the velocity that remains at each step.
    """
    schedule = make_schedule(step_size)
    _fraction(gamma, "rmsprop_momentum", "gamma")

    def init(x: Any) -> Any:
        return x, np.zeros_like(x.real), np.zeros_like(x)

    def update(i: Any, g: Any, state: Any) -> Any:
        x, mean, velocity = state
        mean = mean * gamma + _square(g) * (1 - gamma)
        velocity = momentum * velocity + schedule(i) * g / np.sqrt(mean + eps)
        return x - velocity, mean, velocity

    return init, update, first


@optimizer
def adam(step_size: Any, b1: Any = 0.9, b2: Any = 0.999, eps: Any = 1e-8) -> ArrayRules:
    """Adam: running means of g and g**2, corrected for their start at zero.

    m' = b1 m + (1 - b1) g, v' = b2 v + (1 - b2) g**2,
    x - a (m' / (1 - b1**(i + 1))) / (sqrt(v' / (1 - b2**(i + 1))) + eps).

    Args:
        step_size: a number, or a function of the step number.
        b1: decay rate of the mean of gradients.
        b2: decay rate of the mean of squares.
        eps: added to the root of the mean of squares.

    >>> from vires import minmax
    >>> opt_init, opt_update = minmax.adam(step_size=0.01)
    """
    schedule = make_schedule(step_size)
    _fraction(b1, "adam", "b1")
    _fraction(b2, "adam", "b2")

    def init(x: Any) -> Any:
        return x, np.zeros_like(x), np.zeros_like(x.real)

    def update(i: Any, g: Any, state: Any) -> Any:
        x, m, v = state
        m = (1 - b1) * g + b1 * m
        v = (1 - b2) * _square(g) + b2 * v
        mean = m / _one_minus_power(b1, i, x)
        variance = v / _one_minus_power(b2, i, x)
        return x - schedule(i) * mean / (np.sqrt(variance) + eps), m, v

    return init, update, first


@optimizer
def adamax(step_size: Any, b1: Any = 0.9, b2: Any = 0.999, eps: Any = 1e-8) -> ArrayRules:
    """Adamax: Adam with the largest gradient, decaying, in place of the mean of squares.

    m' = b1 m + (1 - b1) g, v' = max(b2 v, |g|), x - a / (1 - b1**(i + 1)) m' / (v' + eps).

    Args:
        step_size: a number, or a function of the step number.
        b1: decay rate of the mean of gradients.
        b2: decay rate of the largest gradient.
        eps: added to the largest gradient.
    """
    schedule = make_schedule(step_size)
    _fraction(b1, "adamax", "b1")
    _fraction(b2, "adamax", "b2")

    def init(x: Any) -> Any:
        return x, np.zeros_like(x), np.zeros_like(x.real)

    def update(i: Any, g: Any, state: Any) -> Any:
        x, m, v = state
        m = (1 - b1) * g + b1 * m
        v = np.maximum(b2 * v, np.abs(g))
        return x - schedule(i) / _one_minus_power(b1, i, x) * m / (v + eps), m, v

    return init, update, first


@optimizer
def sm3(step_size: Any, momentum: Any = 0.9) -> ArrayRules:
    """SM3: Adagrad whose sums of squares are kept as one vector for each axis, to save memory.

    Args:
        step_size: a number, or a function of the step number.
        momentum: the share of the velocity that remains at each step.
    """
    schedule = make_schedule(step_size)
    _fraction(momentum, "sm3", "momentum")

    def init(x: Any) -> Any:
        covers = [np.zeros(size, x.real.dtype) for size in x.shape or ((),)]
        return x, np.zeros_like(x), covers

    def update(i: Any, g: Any, state: Any) -> Any:
        x, m, covers = state
        along = [
            v.reshape([-1 if a == axis else 1 for a in range(g.ndim)])
            for axis, v in enumerate(covers)
        ]
        total = functools.reduce(np.minimum, along) + _square(g)
        m = (1 - momentum) * (g * _inverse_root(total)) + momentum * m
        covers = [
            np.max(total, axis=tuple(a for a in range(g.ndim) if a != axis))
            for axis in range(len(covers))
        ]
        return x - schedule(i) * m, m, covers

    return init, update, first


# --- gradients


def l2_norm(tree: Any) -> Any:
    """The Euclidean norm of all arrays of a tree together.

    >>> l2_norm({"a": np.array([3.0]), "b": 4.0})
    Array(5., dtype=float32)
    """
    leaves = [np.asarray(x) for x in tree_util.tree_leaves(tree)]
    return np.sqrt(sum((np.sum(_square(x)) for x in leaves), np.zeros(())))


def clip_grads(grad_tree: Any, max_norm: Any) -> Any:
    """Gradients scaled down to norm max_norm together, where their norm exceeds it.

    Raises:
        ValueError: when max_norm is a negative number.
    """
    if isinstance(max_norm, (int, float)) and max_norm < 0:
        raise ValueError(f"clip_grads: needs a max_norm that is not negative; got {max_norm}")
    norm = l2_norm(grad_tree)

    def scale(g: Any) -> Any:
        g = np.asarray(g)
        return np.where(norm < max_norm, g, g * (max_norm / norm)).astype(g.dtype)

    return tree_util.tree_map(scale, grad_tree)
