"""Pytrees: nested containers of arrays, by optree, with JAX's conventions.

None is a container without leaves; dictionaries are flattened in the order of their sorted keys.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

import optree

PyTreeDef = optree.PyTreeSpec
NAMESPACE = "vires"


def flatten(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> tuple[list[Any], PyTreeDef]:
    """The leaves of a tree, in order, and its structure."""
    return optree.tree_flatten(tree, is_leaf, none_is_leaf=False, namespace=NAMESPACE)


def unflatten(treedef: PyTreeDef, leaves: Iterable[Any]) -> Any:
    """The tree of a structure with these leaves."""
    return optree.tree_unflatten(treedef, leaves)


def leaves(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> list[Any]:
    return optree.tree_leaves(tree, is_leaf, none_is_leaf=False, namespace=NAMESPACE)


def structure(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> PyTreeDef:
    return optree.tree_structure(tree, is_leaf, none_is_leaf=False, namespace=NAMESPACE)


def map(
    f: Callable[..., Any], tree: Any, *rest: Any, is_leaf: Callable[[Any], bool] | None = None
) -> Any:
    """Apply a function to corresponding leaves of trees of one structure."""
    return optree.tree_map(f, tree, *rest, is_leaf=is_leaf, none_is_leaf=False, namespace=NAMESPACE)


def paths(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> list[tuple[Any, ...]]:
    """For each leaf the keys, indices and attribute names that lead to it."""
    return list(optree.tree_paths(tree, is_leaf, none_is_leaf=False, namespace=NAMESPACE))


def path_text(path: Sequence[Any]) -> str:
    """A path as Python would write the access: `['w'][0]`."""
    return "".join(f"[{step!r}]" for step in path)


def broadcast_prefix(
    prefix: Any, tree: Any, is_leaf: Callable[[Any], bool] | None = None
) -> list[Any]:
    """For each leaf of `tree`, the leaf of `prefix` above it; ValueError where it is no prefix."""
    return optree.broadcast_prefix(prefix, tree, is_leaf, none_is_leaf=False, namespace=NAMESPACE)


def leaf_structure() -> PyTreeDef:
    return optree.treespec_leaf(none_is_leaf=False, namespace=NAMESPACE)


def register_node(
    cls: type,
    flatten_function: Callable[[Any], tuple[Iterable[Any], Hashable]],
    unflatten_function: Callable[[Any, Iterable[Any]], Any],
) -> None:
    """Make a class a container: `flatten_function(x)` gives (children, auxiliary data)."""

    def flatten_for_optree(x: Any) -> tuple[Iterable[Any], Hashable]:
        children, auxiliary = flatten_function(x)
        return tuple(children), auxiliary

    # Its own types leave those of a node's children unknown.
    optree.register_pytree_node(  # pyright: ignore[reportUnknownMemberType]
        cls,
        flatten_for_optree,
        lambda auxiliary, children: unflatten_function(auxiliary, children),
        namespace=NAMESPACE,
    )
