"""Pytrees: nested containers of arrays (as `jax.tree_util`).

None is a container without leaves; dictionaries are flattened in the order of their sorted keys.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

import optree

from vires.core import tree as _tree
from vires.core.tree import PyTreeDef as PyTreeDef
from vires.core.tree_paths import KEYED, key_of_child
from vires.core.tree_paths import DictKey as DictKey
from vires.core.tree_paths import FlattenedIndexKey as FlattenedIndexKey
from vires.core.tree_paths import GetAttrKey as GetAttrKey
from vires.core.tree_paths import KeyPath as KeyPath
from vires.core.tree_paths import SequenceKey as SequenceKey
from vires.core.tree_paths import keystr as keystr
from vires.core.tree_paths import tree_flatten_with_path as tree_flatten_with_path
from vires.core.tree_paths import tree_leaves_with_path as tree_leaves_with_path
from vires.core.tree_paths import tree_map_with_path as tree_map_with_path

Leaf = Callable[[Any], bool] | None


def tree_flatten(tree: Any, is_leaf: Leaf = None) -> tuple[list[Any], PyTreeDef]:
    """The leaves of a tree and its structure.

    >>> leaves, treedef = tree_flatten({"b": 1, "a": (2, None)})
    >>> leaves
    [2, 1]
    """
    return _tree.flatten(tree, is_leaf)


def tree_unflatten(treedef: PyTreeDef, leaves: Iterable[Any]) -> Any:
    """The tree of a structure with these leaves."""
    leaves = list(leaves)
    if len(leaves) != treedef.num_leaves:
        raise ValueError(
            f"tree_unflatten: needs {treedef.num_leaves} leaves for {treedef}; got {len(leaves)}"
        )
    return _tree.unflatten(treedef, leaves)


def tree_leaves(tree: Any, is_leaf: Leaf = None) -> list[Any]:
    """The leaves of a tree."""
    return _tree.leaves(tree, is_leaf)


def tree_structure(tree: Any, is_leaf: Leaf = None) -> PyTreeDef:
    """The structure of a tree."""
    return _tree.structure(tree, is_leaf)


def tree_map(f: Callable[..., Any], tree: Any, *rest: Any, is_leaf: Leaf = None) -> Any:
    """Apply a function to the corresponding leaves of trees.

    >>> tree_map(lambda x, y: x + y, {"a": 1}, {"a": 10})
    {'a': 11}
    """
    if rest:
        _check_match("tree_map", tree, rest, is_leaf)
    return _tree.map(f, tree, *rest, is_leaf=is_leaf)


def _check_match(function: str, tree: Any, rest: Sequence[Any], is_leaf: Leaf) -> None:
    """Refuse trees of which the first is no prefix."""
    treedef = _tree.structure(tree, is_leaf)
    for other in rest:
        try:
            treedef.flatten_up_to(other)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"{function}: needs trees of the structure of the first, {treedef}; "
                f"got {_tree.structure(other, is_leaf)}"
            ) from error


def tree_all(tree: Any, *, is_leaf: Leaf = None) -> bool:
    """Whether all leaves are true."""
    return all(_tree.leaves(tree, is_leaf))


def tree_reduce(
    function: Callable[[Any, Any], Any], tree: Any, *initializer: Any, is_leaf: Leaf = None
) -> Any:
    """Fold a function over the leaves."""
    return functools.reduce(function, _tree.leaves(tree, is_leaf), *initializer)


_NOTHING = object()


def tree_reduce_associative(
    operation: Callable[[Any, Any], Any],
    tree: Any,
    *,
    identity: Any = _NOTHING,
    is_leaf: Leaf = None,
) -> Any:
    """Fold an associative function over the leaves in pairs: its calls nest log2(leaves) deep.

    Raises:
      TypeError: a tree without leaves, and no `identity`.

    >>> tree_reduce_associative(lambda x, y: x + y, [1, (2, 3), [4, 5, 6]])
    21
    """
    values = _tree.leaves(tree, is_leaf)
    if not values and identity is _NOTHING:
        raise TypeError("tree_reduce_associative: needs leaves, or an identity; got neither")
    while len(values) > 1:
        odd = values[-1:] if len(values) % 2 else []
        values = [*map(operation, values[: len(values) - len(odd) : 2], values[1::2]), *odd]
    return values[0] if values else identity


def tree_broadcast(prefix_tree: Any, full_tree: Any, is_leaf: Leaf = None) -> Any:
    """A tree of the structure of `full_tree` with the leaf of `prefix_tree` above each of its
    leaves.

    >>> tree_broadcast((1, 2), (0, {"a": 0, "b": 0}))
    (1, {'a': 2, 'b': 2})
    """
    try:
        values = _tree.broadcast_prefix(prefix_tree, full_tree, is_leaf)
    except ValueError as error:
        raise ValueError(
            "tree_broadcast: needs a prefix of the tree; got "
            f"{_tree.structure(prefix_tree, is_leaf)} for {_tree.structure(full_tree, is_leaf)}"
        ) from error
    return _tree.unflatten(_tree.structure(full_tree, is_leaf), values)


def is_tree_node(typ: type) -> bool:
    """Whether a type is a container: built in, registered, or a named tuple.

    >>> is_tree_node(dict), is_tree_node(int)
    (True, False)
    """
    return optree.register_pytree_node.get(typ, namespace=_tree.NAMESPACE) is not None


def all_leaves(iterable: Iterable[Any], is_leaf: Leaf = None) -> bool:
    """Whether none of the values is a container.

    >>> all_leaves([1, 2]), all_leaves([[1], 2])
    (True, False)
    """
    return optree.all_leaves(list(iterable), is_leaf, none_is_leaf=False, namespace=_tree.NAMESPACE)


def flatten_one_level(tree: Any) -> tuple[list[Any], Hashable]:
    """The children of a container, and what makes it up again with others.

    Raises:
      ValueError: a leaf.

    >>> flatten_one_level({"b": [1, 2], "a": 3})
    ([3, [1, 2]], ['a', 'b'])
    """
    children, auxiliary, *_ = _one_level(tree)
    return list(children), auxiliary


def flatten_one_level_with_keys(tree: Any) -> tuple[list[tuple[Any, Any]], Hashable]:
    """The children of a container with their keys, and what makes it up again with others.

    >>> flatten_one_level_with_keys([5])[0]
    [(SequenceKey(idx=0), 5)]
    """
    children, auxiliary, entries, _ = _one_level(tree)
    return [(key_of_child(tree, e), x) for e, x in zip(entries, children, strict=True)], auxiliary


def _one_level(tree: Any) -> Any:
    try:
        return optree.tree_flatten_one_level(tree, none_is_leaf=False, namespace=_tree.NAMESPACE)
    except ValueError as error:
        raise ValueError(
            f"flatten_one_level: needs a container; got a leaf, {type(tree).__name__}"
        ) from error


def tree_transpose(
    outer_treedef: PyTreeDef, inner_treedef: PyTreeDef | None, pytree_to_transpose: Any
) -> Any:
    """A tree of trees turned inside out.

    >>> tree_transpose(tree_structure([0, 0]), tree_structure({"a": 0}), [{"a": 1}, {"a": 2}])
    {'a': [1, 2]}
    """
    if inner_treedef is None:
        children = _up_to(outer_treedef, pytree_to_transpose)
        inner_treedef = _tree.structure(children[0])
    return optree.tree_transpose(outer_treedef, inner_treedef, pytree_to_transpose)


def _up_to(treedef: PyTreeDef, tree: Any) -> list[Any]:
    return treedef.flatten_up_to(tree)


def treedef_is_leaf(treedef: PyTreeDef) -> bool:
    return treedef.num_nodes == 1 and treedef.num_leaves == 1


def treedef_children(treedef: PyTreeDef) -> list[PyTreeDef]:
    """The structures of the children of the root."""
    return treedef.children()


def treedef_tuple(treedefs: Iterable[PyTreeDef]) -> PyTreeDef:
    """The structure of a tuple of trees of these structures."""
    return optree.treespec_tuple(tuple(treedefs), none_is_leaf=False, namespace=_tree.NAMESPACE)


# --- registering containers


def register_pytree_node(
    nodetype: type,
    flatten_func: Callable[[Any], tuple[Iterable[Any], Hashable]],
    unflatten_func: Callable[[Any, Iterable[Any]], Any],
    flatten_with_keys_func: Callable[[Any], Any] | None = None,
) -> None:
    """Make a class a container: `flatten_func(x)` gives (children, auxiliary data).

    The auxiliary data must be hashable and comparable: it is part of the structure, and of jit's
    cache key.
    """
    _tree.register_node(nodetype, flatten_func, unflatten_func)


def register_pytree_with_keys(
    nodetype: type,
    flatten_with_keys: Callable[[Any], tuple[Iterable[tuple[Any, Any]], Hashable]],
    unflatten_func: Callable[[Any, Iterable[Any]], Any],
    flatten_func: Callable[[Any], Any] | None = None,
) -> None:
    """Like `register_pytree_node`, with a key for each child."""

    def flatten(x: Any) -> tuple[list[Any], Hashable, list[Any]]:
        pairs, auxiliary = flatten_with_keys(x)
        pairs = list(pairs)
        return [child for _, child in pairs], auxiliary, [key for key, _ in pairs]

    optree.register_pytree_node(nodetype, flatten, unflatten_func, namespace=_tree.NAMESPACE)
    KEYED.add(nodetype)


def register_pytree_node_class(cls: type) -> type:
    """Decorator of a class with `tree_flatten()`, classmethod `tree_unflatten(aux, children)`."""
    register_pytree_node(
        cls, lambda x: x.tree_flatten(), lambda aux, children: cls.tree_unflatten(aux, children)
    )
    return cls


def register_pytree_with_keys_class(cls: type) -> type:
    """Decorator: `tree_flatten_with_keys()` and classmethod `tree_unflatten(aux, children)`."""
    register_pytree_with_keys(
        cls,
        lambda x: x.tree_flatten_with_keys(),
        lambda aux, children: cls.tree_unflatten(aux, children),
    )
    return cls


def register_dataclass(
    nodetype: type,
    data_fields: Sequence[str] | None = None,
    meta_fields: Sequence[str] | None = None,
    drop_fields: Sequence[str] = (),
) -> type:
    """Make a dataclass a container: `data_fields` are children, `meta_fields` are structure."""
    if data_fields is None or meta_fields is None:
        fields = [
            f
            for f in nodetype.__dataclass_fields__.values()
            if f.init and f.name not in drop_fields
        ]
        meta_fields = [f.name for f in fields if f.metadata.get("static", False)]
        data_fields = [f.name for f in fields if not f.metadata.get("static", False)]
    data, meta = tuple(data_fields), tuple(meta_fields)

    def flatten_with_keys(x: Any) -> tuple[list[tuple[Any, Any]], Hashable]:
        return [(GetAttrKey(n), getattr(x, n)) for n in data], tuple(getattr(x, n) for n in meta)

    def unflatten(auxiliary: Any, children: Iterable[Any]) -> Any:
        return nodetype(
            **dict(zip(data, children, strict=True)), **dict(zip(meta, auxiliary, strict=True))
        )

    register_pytree_with_keys(nodetype, flatten_with_keys, unflatten)
    return nodetype


def register_static(cls: type) -> type:
    """Make a class a container without children: instances are compared and hashed as structure."""
    register_pytree_node(cls, lambda x: ((), x), lambda x, _: x)
    return cls


class Partial(functools.partial[Any]):
    """functools.partial as a pytree: the function is structure, the bound arguments children."""


register_pytree_node(
    Partial, lambda p: ((p.args, p.keywords), p.func), lambda func, xs: _partial(func, *xs)
)


def _partial(func: Any, args: Any, keywords: Any) -> Partial:
    return Partial(func, *args, **keywords)
