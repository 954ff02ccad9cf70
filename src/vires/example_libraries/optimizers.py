"""The optimisers of `vires.minmax` as triples: `opt_init, opt_update, get_params = adam(0.01)`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

from vires import minmax
from vires.minmax import (
    JoinPoint,
    OptimizerState,
    Schedule,
    clip_grads,
    constant,
    exponential_decay,
    inverse_time_decay,
    l2_norm,
    make_schedule,
    pack_optimizer_state,
    piecewise_constant,
    polynomial_decay,
    unpack_optimizer_state,
)

InitFn = Callable[[Any], OptimizerState]
UpdateFn = Callable[[Any, Any, OptimizerState], OptimizerState]
ParamsFn = Callable[[OptimizerState], Any]


class Optimizer(NamedTuple):
    """An optimiser: how to begin, how to step, and how to read the parameters."""

    init_fn: InitFn
    update_fn: UpdateFn
    params_fn: ParamsFn


def _triple(maker: Callable[..., minmax.Minimizer]) -> Callable[..., Optimizer]:
    """The same maker, returning three functions."""

    @functools.wraps(maker)
    def make(*args: Any, **kwargs: Any) -> Optimizer:
        return Optimizer(*maker(*args, **kwargs), minmax.get_params)

    return make


def optimizer(opt_maker: Callable[..., Any]) -> Callable[..., Optimizer]:
    """Make an optimiser of parameter trees of a function that returns rules for one array.

    See `vires.minmax.optimizer`.
    """
    return _triple(minmax.optimizer(opt_maker))


sgd = _triple(minmax.sgd)
momentum = _triple(minmax.momentum)
nesterov = _triple(minmax.nesterov)
adagrad = _triple(minmax.adagrad)
rmsprop = _triple(minmax.rmsprop)
rmsprop_momentum = _triple(minmax.rmsprop_momentum)
adam = _triple(minmax.adam)
adamax = _triple(minmax.adamax)
sm3 = _triple(minmax.sm3)

__all__ = [
    "InitFn", "JoinPoint", "Optimizer", "OptimizerState", "ParamsFn", "Schedule", "UpdateFn",
    "adagrad", "adam", "adamax", "clip_grads", "constant", "exponential_decay",
    "inverse_time_decay", "l2_norm", "make_schedule", "momentum", "nesterov", "optimizer",
    "pack_optimizer_state", "piecewise_constant", "polynomial_decay", "rmsprop",
    "rmsprop_momentum", "sgd", "sm3", "unpack_optimizer_state",
]  # fmt: skip
