"""Operations of the language as functions: stricter than vires.numpy, and closer to what is executed."""

from typing import Any

from vires.core.primitive import PRIMITIVES
from vires.lax.elementwise import *
from vires.lax.shape import *
from vires.lax.special import *


def __getattr__(name: str) -> Any:
    """`lax.add_p`: the primitive named `add`."""
    primitive = PRIMITIVES.get(name[:-2]) if name.endswith("_p") else None
    if primitive is None:
        raise AttributeError(f"module 'vires.lax' has no attribute {name!r}")
    return primitive
