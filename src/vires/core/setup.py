"""Tells the native core what it has to know of the language: dtypes, avals, options, converters."""

from __future__ import annotations

from typing import Any

import numpy as np

from vires import _native
from vires.core import dtypes, tree
from vires.core.avals import ShapedArray
from vires.core.config import config
from vires.core.trace import Tracer, as_array

_CHILDLESS = tree.leaf_structure()


def _flatten(x: Any) -> tuple[list[Any], Any] | None:
    """For the native call path: leaves and structure of a container; None when x is a leaf."""
    leaves, treedef = tree.flatten(x)
    return None if treedef == _CHILDLESS else (leaves, treedef)


def _convert(x: np.ndarray | np.generic) -> Any:
    return as_array(x)


for _code, _dtype in enumerate(dtypes.CODES):
    _native.register_dtype(_code, _dtype, _dtype.itemsize)
_native.set_aval_factory(ShapedArray)
_native.set_flattener(_flatten)
_native.set_converter(_convert)
_native.register_operand_type(Tracer)
config.on_change(
    lambda: _native.set_context(config.state, config.enable_x64 is True, config.enable_x64 is False)
)
