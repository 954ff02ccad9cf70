"""Pytree functions under short names (as `jax.tree`)."""

from __future__ import annotations

import dataclasses
from typing import Any

from vires.tree_util import tree_all as all
from vires.tree_util import tree_broadcast as broadcast
from vires.tree_util import tree_flatten as flatten
from vires.tree_util import tree_flatten_with_path as flatten_with_path
from vires.tree_util import tree_leaves as leaves
from vires.tree_util import tree_leaves_with_path as leaves_with_path
from vires.tree_util import tree_map as map
from vires.tree_util import tree_map_with_path as map_with_path
from vires.tree_util import tree_reduce as reduce
from vires.tree_util import tree_reduce_associative as reduce_associative
from vires.tree_util import tree_structure as structure
from vires.tree_util import tree_transpose as transpose
from vires.tree_util import tree_unflatten as unflatten


def static(**kwargs: Any) -> Any:
    """A field of a dataclass that is structure, not a leaf (see `tree_util.register_dataclass`).

    Takes what `dataclasses.field` takes.
    """
    metadata = {**kwargs.pop("metadata", {}), "static": True}
    return dataclasses.field(**kwargs, metadata=metadata)


__all__ = [
    "all",
    "broadcast",
    "flatten",
    "flatten_with_path",
    "leaves",
    "leaves_with_path",
    "map",
    "map_with_path",
    "reduce",
    "reduce_associative",
    "static",
    "structure",
    "transpose",
    "unflatten",
]
