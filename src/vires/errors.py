"""Exceptions and warnings (as `jax.errors`, and Vires's own)."""

from vires.core.errors import (
    CacheWarning,
    ConcretizationTypeError,
    KeyReuseError,
    KeyReuseWarning,
    NonConcreteBooleanIndexError,
    TracerArrayConversionError,
    TracerBoolConversionError,
    TracerIntegerConversionError,
    UnexpectedTracerError,
    ViresTypeError,
)

__all__ = [
    "CacheWarning",
    "ConcretizationTypeError",
    "KeyReuseError",
    "KeyReuseWarning",
    "NonConcreteBooleanIndexError",
    "TracerArrayConversionError",
    "TracerBoolConversionError",
    "TracerIntegerConversionError",
    "UnexpectedTracerError",
    "ViresTypeError",
]
