"""Exceptions that Vires raises, under the names that JAX's users know.

Each message reads ``operation: needs ...; got ...; try ...``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vires.core.trace import Tracer


class ViresTypeError(TypeError):
    """An operation was applied to operands whose types or shapes it does not accept."""


class ViresIndexError(IndexError):
    """An index that an array does not have, or that cannot be used."""


class TypePromotionError(ViresTypeError):
    """Dtypes that have no common one, or may not be promoted implicitly."""


class ConcretizationTypeError(ViresTypeError):
    """The value of a traced array was needed while a function was being traced."""

    def __init__(self, tracer: Tracer | str, context: str = "") -> None:
        if isinstance(tracer, str):
            message = tracer
        else:
            message = (
                f"{context}: needs a concrete value; got {describe(tracer)}; try array operations "
                "instead, or mark the argument static with jit(..., static_argnums=...)"
            )
        super().__init__(message)


class TracerBoolConversionError(ConcretizationTypeError):
    """A traced array was used where Python needs a truth value (if, while, and, or, not)."""

    def __init__(self, tracer: Tracer) -> None:
        super().__init__(
            f"bool: needs a concrete value to decide Python control flow; got {describe(tracer)}; "
            "try vires.lax.cond, vires.lax.while_loop or vires.numpy.where, or mark the argument "
            "static with jit(..., static_argnums=...)"
        )


class TracerIntegerConversionError(ConcretizationTypeError):
    """A traced array was used where Python needs an integer (a range, a list index, a shape)."""

    def __init__(self, tracer: Tracer) -> None:
        super().__init__(
            f"index: needs a concrete integer; got {describe(tracer)}; try vires.lax.fori_loop for "
            "a loop, vires.numpy.take for an index, or mark the argument static with "
            "jit(..., static_argnums=...)"
        )


class TracerArrayConversionError(ConcretizationTypeError):
    """A traced array was handed to code that needs a NumPy array."""

    def __init__(self, tracer: Tracer) -> None:
        super().__init__(
            f"numpy: needs a concrete array; got {describe(tracer)}; try the function of the same "
            "name in vires.numpy, vires.pure_callback to call NumPy from a traced function, or "
            "vires.lax.stop_gradient where no derivative is meant"
        )


class NonConcreteBooleanIndexError(ViresIndexError):
    """A boolean mask of unknown content was used as an index while tracing."""

    def __init__(self, tracer: Tracer) -> None:
        super().__init__(
            "getitem: needs a concrete boolean mask, since the mask decides the shape of the "
            f"result; got {describe(tracer)}; try vires.numpy.where(mask, x, 0) or "
            "x.at[mask].set(...)"
        )


class UnexpectedTracerError(ViresTypeError):
    """A traced value outlived the transformation that made it."""


class KeyReuseError(ViresTypeError):
    """One random key was consumed twice (config.key_reuse = "error")."""


class KeyReuseWarning(UserWarning):
    """One random key was consumed twice: both draws give the same numbers."""


class CacheWarning(UserWarning):
    """The compilation cache could not be read or written; programs are compiled again."""


def describe(tracer: Tracer) -> str:
    """Name a traced value and where it came from, for an error message."""
    return f"the traced value {tracer.aval.str_short()} {tracer.origin()}".rstrip()
