"""What a layer is: a pair of functions, `net_init` and `net_apply`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from vires import random

#: `net_init(key, input_shape) -> (output_shape, params)`; without a key, that of seed 0.
Init = Callable[..., tuple[Any, Any]]
#: `net_apply(params, inputs, rng=None) -> outputs`
Apply = Callable[..., Any]
Layer = tuple[Init, Apply]


def layer(init: Callable[[Any, Any], tuple[Any, Any]], apply: Apply) -> Layer:
    """A layer whose `net_init` takes (key, input_shape), or input_shape alone: then seed 0."""

    @functools.wraps(init)
    def net_init(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        key, input_shape = _key_and_shape(*args, **kwargs)
        return init(key, input_shape)

    return net_init, apply


_MISSING = object()


def _key_and_shape(
    first: Any = _MISSING, second: Any = _MISSING, *, rng: Any = None, input_shape: Any = _MISSING
) -> tuple[Any, Any]:
    """The arguments of a `net_init`, of which the key may be left out."""
    given = [x for x in (first, second, input_shape) if x is not _MISSING]
    if rng is not None:
        given.insert(0, rng)
    if len(given) == 1:
        return random.PRNGKey(0), given[0]
    if len(given) != 2:
        raise TypeError(
            f"net_init: needs (key, input_shape) or (input_shape); got {len(given)} arguments"
        )
    return given[0], given[1]


def sizes(
    input_shape: Any, name: str, rank: int | None = None, minimum: int = 1
) -> tuple[int, ...]:
    """An input shape as a tuple of ints, -1 standing for a batch of any size."""
    if isinstance(input_shape, (str, bytes)) or not isinstance(input_shape, Sequence):
        raise TypeError(
            f"{name}: needs an input shape such as (-1, 4); got {type(input_shape).__name__}"
        )
    if not all(hasattr(size, "__index__") for size in input_shape):
        raise TypeError(
            f"{name}: needs an input shape of ints such as (-1, 4); got {tuple(input_shape)}"
        )
    shape = tuple(int(size) for size in input_shape)
    if (rank is not None and len(shape) != rank) or len(shape) < minimum:
        wanted = f"{rank} dimensions" if rank is not None else f"{minimum} or more dimensions"
        raise ValueError(f"{name}: needs an input shape of {wanted}; got {shape}")
    return shape


def known(size: int, name: str, what: str, shape: tuple[int, ...]) -> int:
    """A size on which the parameters depend, which must be known."""
    if size < 0:
        raise ValueError(f"{name}: needs a known {what}; got {size} in the input shape {shape}")
    return size


def inputs_text(x: Any) -> str:
    """`float32[2,3]`, for messages."""
    return f"{x.dtype.name}[{','.join(map(str, x.shape))}]"
