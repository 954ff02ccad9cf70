"""Optimisers of parameter trees.

>>> from vires import grad, minmax
>>> opt_init, opt_update = minmax.adam(step_size=0.1)
>>> opt_state = opt_init({"x": 3.0})
>>> for i in range(200):
...     gradients = grad(lambda p: p["x"] ** 2)(minmax.get_params(opt_state))
...     opt_state = opt_update(i, gradients, opt_state)
>>> bool(abs(minmax.get_params(opt_state)["x"]) < 0.1)
True
"""

from vires.minmax.optimizers import (
    adagrad,
    adam,
    adamax,
    clip_grads,
    l2_norm,
    momentum,
    nesterov,
    rmsprop,
    rmsprop_momentum,
    sgd,
    sm3,
)
from vires.minmax.schedules import (
    Schedule,
    constant,
    exponential_decay,
    inverse_time_decay,
    make_schedule,
    piecewise_constant,
    polynomial_decay,
)
from vires.minmax.state import (
    JoinPoint,
    OptimizerState,
    get_params,
    pack_optimizer_state,
    unpack_optimizer_state,
)
from vires.minmax.trees import Minimizer, optimizer

__all__ = [
    "JoinPoint", "Minimizer", "OptimizerState", "Schedule", "adagrad", "adam", "adamax",
    "clip_grads", "constant", "exponential_decay", "get_params", "inverse_time_decay", "l2_norm",
    "make_schedule", "momentum", "nesterov", "optimizer", "pack_optimizer_state",
    "piecewise_constant", "polynomial_decay", "rmsprop", "rmsprop_momentum", "sgd", "sm3",
    "unpack_optimizer_state",
]  # fmt: skip
