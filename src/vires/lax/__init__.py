"""Operations of the language as functions: stricter than vires.numpy, closer to the machine."""

# ruff: noqa: F403 - each module lists in __all__ what it offers
from typing import Any

from vires.core.primitive import PRIMITIVES
from vires.lax import linalg
from vires.lax.collective import *
from vires.lax.contract import *
from vires.lax.control import *
from vires.lax.convolve import *
from vires.lax.elementwise import *
from vires.lax.fft import *
from vires.lax.generator import *
from vires.lax.indexing import *
from vires.lax.platform import *
from vires.lax.ragged import *
from vires.lax.ragged_exchange import *
from vires.lax.reduce import *
from vires.lax.scaled import *
from vires.lax.shape import *
from vires.lax.sort import *
from vires.lax.special import *
from vires.lax.tokens import *
from vires.lax.window import *


def __getattr__(name: str) -> Any:
    """`lax.add_p`: the primitive named `add`."""
    primitive = PRIMITIVES.get(name[:-2]) if name.endswith("_p") else None
    if primitive is None:
        raise AttributeError(f"module 'vires.lax' has no attribute {name!r}")
    return primitive
