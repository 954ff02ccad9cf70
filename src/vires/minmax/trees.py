"""From the rule for one array to an optimiser of any tree of parameters."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import vires.numpy as np
from vires import tree_util
from vires.minmax.state import OptimizerState, first, get_params, itself, pack_states

Step = Any
#: What `optimizer` decorates gives these three, each for one array: init, update, get_params.
ArrayRules = tuple[Callable[[Any], Any], Callable[[Step, Any, Any], Any], Callable[[Any], Any]]


class Minimizer(NamedTuple):
    """An optimiser: `opt_init, opt_update = minmax.adam(step_size=0.01)`.

    Attributes:
        init: `opt_init(params) -> opt_state`.
        update: `opt_update(step, gradients, opt_state) -> opt_state`.
    """

    init: Callable[[Any], OptimizerState]
    update: Callable[[Step, Any, OptimizerState], OptimizerState]

    def get_params(self, opt_state: OptimizerState) -> Any:
        """The parameters in a state: `minmax.get_params`."""
        return get_params(opt_state)


def optimizer(maker: Callable[..., ArrayRules]) -> Callable[..., Minimizer]:
    """Make an optimiser of parameter trees of a function that returns rules for one array.

    The function returns `init(x) -> state`, `update(step, gradient, state) -> state` and
    `get_params(state) -> x`, where a state is an array or a tree of arrays.

    >>> from vires import minmax
    >>> @minmax.optimizer
    ... def signs(step_size):
    ...     return lambda x: x, lambda i, g, x: x - step_size * np.sign(g), lambda x: x
    >>> opt_init, opt_update = signs(0.5)
    >>> minmax.get_params(opt_update(0, [3.0], opt_init([1.0])))
    [Array(0.5, dtype=float32)]
    """
    name = maker.__name__

    @functools.wraps(maker)
    def make(*args: Any, **kwargs: Any) -> Minimizer:
        init_array, update_array, parameter_of = maker(*args, **kwargs)

        def opt_init(params: Any) -> OptimizerState:
            leaves, tree_def = tree_util.tree_flatten(params)
            arrays = [
                _parameter(x, name, lambda i=i: _path(params, i)) for i, x in enumerate(leaves)
            ]
            return pack_states([init_array(x) for x in arrays], tree_def, parameter_of)

        def opt_update(step: Step, gradients: Any, opt_state: OptimizerState) -> OptimizerState:
            if not isinstance(opt_state, OptimizerState):
                raise TypeError(
                    f"{name}: needs an optimiser's state; got {type(opt_state).__name__}; "
                    "try opt_update(step, gradients, opt_init(params))"
                )
            leaves, tree_def = tree_util.tree_flatten(gradients)
            if tree_def != opt_state.tree_def:
                raise TypeError(
                    f"{name}: needs gradients of the structure of the parameters, "
                    f"{opt_state.tree_def}; got {tree_def}"
                )
            new: list[Any] = []
            for i, (gradient, state) in enumerate(zip(leaves, opt_state.states(), strict=True)):
                x = parameter_of(state)
                gradient = _gradient(gradient, x, name, lambda i=i: _path(gradients, i))
                new.append(_like(update_array(step, gradient, state), state))
            return pack_states(new, tree_def, parameter_of)

        return Minimizer(opt_init, opt_update)

    return make


def _path(tree: Any, i: int) -> str:
    """Where leaf i of a tree is."""
    path = tree_util.tree_flatten_with_path(tree)[0][i][0]
    return tree_util.keystr(path) or "the only leaf"


def _parameter(x: Any, name: str, path: Callable[[], str]) -> Any:
    """A parameter as an array of an inexact dtype, not weakly typed: steps keep its type."""
    if isinstance(x, (str, bytes)) or callable(x):
        raise TypeError(f"{name}: needs arrays as parameters; got {type(x).__name__} at {path()}")
    array = np.asarray(x)
    if not np.issubdtype(array.dtype, np.inexact):
        raise TypeError(
            f"{name}: needs parameters of a float or complex dtype; "
            f"got {array.dtype.name}{list(array.shape)} at {path()}; try x.astype(float32)"
        )
    return array.astype(array.dtype)


def _gradient(gradient: Any, x: Any, name: str, path: Callable[[], str]) -> Any:
    """A gradient as an array of the parameter's shape."""
    array = np.asarray(gradient)
    if tuple(array.shape) != tuple(x.shape):
        raise ValueError(
            f"{name}: needs a gradient of the parameter's shape {tuple(x.shape)}; "
            f"got shape {tuple(array.shape)} at {path()}"
        )
    return array


def _like(new: Any, old: Any) -> Any:
    """A new state in the dtypes of the old one: a step number must not widen the parameters."""

    def convert(y: Any, x: Any) -> Any:
        return y if y.dtype == x.dtype and not y.weak_type else y.astype(x.dtype)

    return tree_util.tree_map(convert, new, old)


__all__ = ["ArrayRules", "Minimizer", "OptimizerState", "first", "itself", "optimizer"]
