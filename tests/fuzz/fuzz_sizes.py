"""Small arrays compiled as large ones are: what depends on sizes is met with few elements."""

from __future__ import annotations

import importlib

from vires.engine.llvm.fingerprint import NotCanonical

#: The sizes from which on the compiler does something else, lowered.
LOWERED = {
    "costs.LONG_TASK": 20_000.0,
    "emit.LONG_TASK": 20_000.0,
    "emit_control._POLL_WORK": 100.0,
    "costs.SERIAL": 200.0,
    "schedule._TASK": 80.0,
    "schedule._MOST_TASKS": 32,
    "schedule._LONG_FOLD": 16,
    "schedule._MANY_BYTES": 0,
    "schedule._MOST_PARTIAL": 1 << 12,
    "prefixes._SERIAL": 200.0,
    "prefixes._PIECE": 60.0,
    "contract._PACKED": 100,
    "contract._LONG": 16,
    "contract._PART": 4,
    "contract._PARTED": 500,
    "contract._TASK_FLOPS": 200.0,
    "contract._CHUNK": 3,
    "gemm._TASK_FLOPS": 200.0,
    "gemm._GROUP": 64,
    "gemm._STRAIGHT_ROWS": 4,
    "update_blocks._FEW_UPDATES": 4,
    "loop_products._WORTH": 4,
    "loop_products._TERMS": 2,
    "roll.LEAST": 8,
    "roll._REPEATED": 16,
    "periods.LEAST": 8,
    "fuse._CACHED": 256,
    "epilogue._CACHED": 256,
}


def lower(set_attribute=setattr) -> None:
    """Lower them in this process, by `set_attribute(module, name, value)`. Code is compiled anew:
    that of other sizes has the same key.
    """
    for name, value in LOWERED.items():
        module, attribute = name.split(".")
        found = importlib.import_module(f"vires.engine.llvm.{module}")
        assert hasattr(found, attribute), name
        set_attribute(found, attribute, value)
    set_attribute(importlib.import_module("vires.engine.llvm.pipeline"), "key_of", _no_key)


def _no_key(closed, donate):
    raise NotCanonical("compiled anew")
