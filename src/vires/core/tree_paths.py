"""Paths in pytrees: the keys that lead from the root to a leaf."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any

import optree

from vires.core import tree as tree_
from vires.core.tree import PyTreeDef


@dataclass(frozen=True)
class SequenceKey:
    """Step into a list or tuple."""

    idx: int

    def __str__(self) -> str:
        return f"[{self.idx!r}]"


@dataclass(frozen=True)
class DictKey:
    """Step into a dictionary."""

    key: Hashable

    def __str__(self) -> str:
        return f"[{self.key!r}]"


@dataclass(frozen=True)
class GetAttrKey:
    """Step into an attribute."""

    name: str

    def __str__(self) -> str:
        return f".{self.name}"


@dataclass(frozen=True)
class FlattenedIndexKey:
    """Step into a registered container whose keys are unknown."""

    key: int

    def __str__(self) -> str:
        return f"[<flat index {self.key}>]"


KeyPath = tuple[Any, ...]
#: Containers that name the keys of their children.
KEYED: set[type] = set()


def _key(accessor: Any) -> Any:
    """The key of an accessor of optree."""
    entry: Any = accessor.entry
    if isinstance(accessor, optree.NamedTupleEntry):
        return GetAttrKey(accessor.field)
    if isinstance(accessor, optree.SequenceEntry):
        return SequenceKey(accessor.index)
    if isinstance(accessor, optree.MappingEntry):
        return DictKey(entry)
    if accessor.type in KEYED:
        return entry
    return FlattenedIndexKey(entry)


def key_of_child(tree: Any, entry: Any) -> Any:
    """The key of a child of a container, from optree's entry."""
    fields: Any = getattr(tree, "_fields", ())
    if optree.is_namedtuple(tree):
        return GetAttrKey(entry if isinstance(entry, str) else fields[entry])
    if isinstance(tree, (tuple, list, deque)):
        return SequenceKey(entry)
    if isinstance(tree, dict):
        return DictKey(entry)
    return entry if type(tree) in KEYED else FlattenedIndexKey(entry)


def tree_flatten_with_path(
    tree: Any, is_leaf: Callable[[Any], bool] | None = None
) -> tuple[list[tuple[KeyPath, Any]], PyTreeDef]:
    """Leaves with the keys that lead to them, and the structure.

    >>> [(keystr(path), leaf) for path, leaf in tree_flatten_with_path({"a": [1]})[0]]
    [("['a'][0]", 1)]
    """
    accessors, leaves, treedef = optree.tree_flatten_with_accessor(
        tree, is_leaf, none_is_leaf=False, namespace=tree_.NAMESPACE
    )
    return [(tuple(map(_key, a)), leaf) for a, leaf in zip(accessors, leaves, strict=True)], treedef


def tree_leaves_with_path(
    tree: Any, is_leaf: Callable[[Any], bool] | None = None
) -> list[tuple[KeyPath, Any]]:
    """Leaves with the keys that lead to them."""
    return tree_flatten_with_path(tree, is_leaf)[0]


def tree_map_with_path(
    f: Callable[..., Any], tree: Any, *rest: Any, is_leaf: Callable[[Any], bool] | None = None
) -> Any:
    """Like `tree_map`, but the function also gets the path."""
    pairs, treedef = tree_flatten_with_path(tree, is_leaf)
    others = [treedef.flatten_up_to(r) for r in rest]
    results = [f(path, leaf, *(o[i] for o in others)) for i, (path, leaf) in enumerate(pairs)]
    return tree_.unflatten(treedef, results)


def keystr(keys: Iterable[Any], *, simple: bool = False, separator: str = "") -> str:
    """A path as text.

    >>> keystr((DictKey("w"), SequenceKey(0)))
    "['w'][0]"
    """
    if not simple:
        return separator.join(map(str, keys))
    plain = [getattr(k, "key", getattr(k, "idx", getattr(k, "name", k))) for k in keys]
    return separator.join(map(str, plain))
