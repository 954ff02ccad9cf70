"""The state of an optimiser: for each parameter a tree of arrays, the parameter among them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from vires import tree_util


class OptimizerState:
    """What `opt_init` makes, `opt_update` renews and `get_params` reads. A pytree of arrays.

    Attributes:
        packed_state: for each parameter the leaves of its state.
        tree_def: structure of the parameters.
        subtree_defs: for each parameter the structure of its state.
        parameter_of: gives the parameter from its state.
    """

    __slots__ = ("packed_state", "parameter_of", "subtree_defs", "tree_def")

    def __init__(
        self,
        packed_state: Sequence[Sequence[Any]],
        tree_def: Any,
        subtree_defs: Sequence[Any],
        parameter_of: Callable[[Any], Any],
    ) -> None:
        self.packed_state = tuple(tuple(leaves) for leaves in packed_state)
        self.tree_def = tree_def
        self.subtree_defs = tuple(subtree_defs)
        self.parameter_of = parameter_of

    def states(self) -> list[Any]:
        """The state of each parameter, in the order of the parameters' leaves."""
        return [
            tree_util.tree_unflatten(treedef, leaves)
            for treedef, leaves in zip(self.subtree_defs, self.packed_state, strict=True)
        ]

    def __repr__(self) -> str:
        arrays = sum(len(leaves) for leaves in self.packed_state)
        return f"OptimizerState({len(self.packed_state)} parameters, {arrays} arrays)"


def _flatten(state: OptimizerState) -> tuple[tuple[Any, ...], Any]:
    leaves = tuple(leaf for own in state.packed_state for leaf in own)
    counts = tuple(len(own) for own in state.packed_state)
    return leaves, (counts, state.tree_def, state.subtree_defs, state.parameter_of)


def _unflatten(auxiliary: Any, leaves: Iterable[Any]) -> OptimizerState:
    counts, tree_def, subtree_defs, parameter_of = auxiliary
    remaining = iter(leaves)
    packed = [[next(remaining) for _ in range(count)] for count in counts]
    return OptimizerState(packed, tree_def, subtree_defs, parameter_of)


tree_util.register_pytree_node(OptimizerState, _flatten, _unflatten)


def pack_states(
    states: Sequence[Any], tree_def: Any, parameter_of: Callable[[Any], Any]
) -> OptimizerState:
    """The state of an optimiser from the states of the parameters."""
    flat = [tree_util.tree_flatten(state) for state in states]
    return OptimizerState(
        [leaves for leaves, _ in flat], tree_def, [treedef for _, treedef in flat], parameter_of
    )


class JoinPoint:
    """Marks where the state of one parameter hangs in a tree of the parameters' structure."""

    __slots__ = ("parameter_of", "subtree")

    def __init__(self, subtree: Any, parameter_of: Callable[[Any], Any] | None = None) -> None:
        self.subtree = subtree
        self.parameter_of = parameter_of or first

    def __repr__(self) -> str:
        return f"JoinPoint({self.subtree!r})"


def first(state: Any) -> Any:
    """The parameter where its state is a tuple that begins with it."""
    return state[0]


def itself(state: Any) -> Any:
    """The parameter where it is all of its state."""
    return state


def unpack_optimizer_state(opt_state: OptimizerState) -> Any:
    """A tree of the parameters' structure with a `JoinPoint` for each parameter, for saving.

    `pack_optimizer_state` is the inverse.
    """
    _check_state(opt_state, "unpack_optimizer_state")
    points = [JoinPoint(state, opt_state.parameter_of) for state in opt_state.states()]
    return tree_util.tree_unflatten(opt_state.tree_def, points)


def pack_optimizer_state(marked_pytree: Any) -> OptimizerState:
    """An optimiser state from a tree whose leaves are `JoinPoint`s."""
    points, tree_def = tree_util.tree_flatten(
        marked_pytree, is_leaf=lambda x: isinstance(x, JoinPoint)
    )
    for point in points:
        if not isinstance(point, JoinPoint):
            raise TypeError(
                "pack_optimizer_state: needs a JoinPoint at each leaf; "
                f"got {type(point).__name__}; try unpack_optimizer_state(opt_state)"
            )
    parameter_of = points[0].parameter_of if points else first
    return pack_states([point.subtree for point in points], tree_def, parameter_of)


def get_params(opt_state: OptimizerState) -> Any:
    """The parameters in an optimiser's state.

    >>> from vires import minmax
    >>> opt_init, opt_update = minmax.sgd(0.1)
    >>> minmax.get_params(opt_init({"w": 2.0}))
    {'w': Array(2., dtype=float32)}
    """
    _check_state(opt_state, "get_params")
    parameters = [opt_state.parameter_of(state) for state in opt_state.states()]
    return tree_util.tree_unflatten(opt_state.tree_def, parameters)


def _check_state(opt_state: Any, name: str) -> None:
    if not isinstance(opt_state, OptimizerState):
        raise TypeError(
            f"{name}: needs an optimiser's state; got {type(opt_state).__name__}; "
            "try opt_state = opt_init(params)"
        )
