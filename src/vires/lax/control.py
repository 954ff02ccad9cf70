"""Control flow, custom derivatives and solves, as users of `vires.lax` call them."""

from __future__ import annotations

from vires.control.associative import associative_scan
from vires.control.branches import cond, switch
from vires.control.identities import stop_gradient
from vires.control.linear_solve import custom_linear_solve
from vires.control.loops import fori_loop, while_loop
from vires.control.map_loop import map
from vires.control.roots import custom_root
from vires.control.scan_loop import scan

__all__ = [
    "associative_scan",
    "cond",
    "custom_linear_solve",
    "custom_root",
    "fori_loop",
    "map",
    "scan",
    "stop_gradient",
    "switch",
    "while_loop",
]
